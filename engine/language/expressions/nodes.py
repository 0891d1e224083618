"""The nodes of expressions: a closed set of frozen classes, read by evaluation, proofs, pages and scripts.

A tree is small: the parser refuses more than `MOST_NODES` nodes, definitions included, or a depth over `DEEPEST`.
So a walk may be recursive. Each node has a `type`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from engine.core.problems import NOWHERE, Position
from engine.model.types import INTEGER, YES_NO, Constant, Type, Value

MOST_NODES: Final = 1_000  # definitions substituted
DEEPEST: Final = 100

Comparison: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]
Operator: TypeAlias = Literal["+", "-", "*", "/"]
RowFunction: TypeAlias = Literal["any", "all", "count", "sum", "least", "most"]
HistoryFunction: TypeAlias = Literal["done", "missed", "taken"]


@dataclass(frozen=True, slots=True)
class Name:
    """An answer. `in_row`: a column of the present row, or of the rows of a row function."""

    id: str
    type: Type
    in_row: bool = False


@dataclass(frozen=True, slots=True)
class Ambient:
    """A value known without an answer: `today`, `submitted_on`, `channel`."""

    id: str
    type: Type


@dataclass(frozen=True, slots=True)
class Not:
    """True when `item` does not hold, so also when it is empty."""

    item: Node
    where: Position = field(default=NOWHERE, compare=False)
    type: Type = field(default=YES_NO, init=False)


@dataclass(frozen=True, slots=True)
class And:
    """True when all items hold. An empty item does not hold."""

    items: tuple[Node, ...]
    type: Type = field(default=YES_NO, init=False)


@dataclass(frozen=True, slots=True)
class Or:
    """True when at least one item holds."""

    items: tuple[Node, ...]
    type: Type = field(default=YES_NO, init=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """False when a side is empty, for all comparison signs."""

    left: Node
    sign: Comparison
    right: Node
    type: Type = field(default=YES_NO, init=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """`x in ['a', 'b']`, or `not in`. Both are false when x is empty."""

    item: Node
    among: tuple[Value, ...]
    negated: bool = False
    type: Type = field(default=YES_NO, init=False)


@dataclass(frozen=True, slots=True)
class Ticked:
    """`'a' in x` or `not in`, where x is several choices. Both are false when x is empty."""

    code: Node
    choices: Node
    negated: bool = False
    type: Type = field(default=YES_NO, init=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """An operation on numbers, or a date and a span.

    Empty when a side is, for a division by zero, or out of range.
    """

    left: Node
    operator: Operator
    right: Node
    type: Type


@dataclass(frozen=True, slots=True)
class Negative:
    """The opposite of a number."""

    item: Node
    type: Type


@dataclass(frozen=True, slots=True)
class If:
    """`then` when `condition` holds, else `otherwise` (also when the condition is empty)."""

    condition: Node
    then: Node
    otherwise: Node
    type: Type


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call of one of `engine.language.expressions.functions.FUNCTIONS`."""

    function: str
    arguments: tuple[Node, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Lookup:
    """A declared table, called with its keys."""

    table: str
    arguments: tuple[Node, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Over:
    """A function over rows. `body` is evaluated in each row. Only `count` may have none."""

    function: RowFunction
    rows: Node
    body: Node | None
    type: Type


@dataclass(frozen=True, slots=True)
class Happened:
    """`done(task)`, `missed(appointment)` and `taken(transition)` (how many times)."""

    function: HistoryFunction
    id: str

    @property
    def type(self) -> Type:
        """The type of the result: yes/no for `done`, a number for `missed` and `taken`."""
        return YES_NO if self.function == "done" else INTEGER


Node: TypeAlias = (
    Constant | Name | Ambient | Not | And | Or | Compare | OneOf | Ticked | Arithmetic | Negative | If | FunctionCall | Lookup
    | Over | Happened
)  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly under this one, in the order of the text."""
    match node:
        case And() | Or():
            return node.items
        case Compare() | Arithmetic():
            return (node.left, node.right)
        case Not() | Negative() | OneOf():
            return (node.item,)
        case Ticked():
            return (node.code, node.choices)
        case If():
            return (node.condition, node.then, node.otherwise)
        case FunctionCall() | Lookup():
            return node.arguments
        case Over():
            return (node.rows,) if node.body is None else (node.rows, node.body)
        case _:
            return ()


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return the node with each child changed."""
    match node:
        case And() | Or():
            return replace(node, items=tuple(map(change, node.items)))
        case Compare() | Arithmetic():
            return replace(node, left=change(node.left), right=change(node.right))
        case Not() | Negative() | OneOf():
            return replace(node, item=change(node.item))
        case Ticked():
            return replace(node, code=change(node.code), choices=change(node.choices))
        case If():
            return replace(
                node, condition=change(node.condition), then=change(node.then), otherwise=change(node.otherwise)
            )
        case FunctionCall() | Lookup():
            return replace(node, arguments=tuple(map(change, node.arguments)))
        case Over():
            return replace(node, rows=change(node.rows), body=None if node.body is None else change(node.body))
        case _:
            return node


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and all nodes under it, in the order of the text."""
    left = [node]
    while left:
        one = left.pop()
        yield one
        left.extend(reversed(children(one)))


def needs_done(node: Node, task: str, holds: bool = True) -> bool:
    """Return whether a condition holds (or fails) only once a task is done: every case of it asks `done(task)`."""
    match node:
        case Happened(function="done"):
            return holds and node.id == task
        case Not():
            return needs_done(node.item, task, not holds)
        case And() | Or():
            cases = all if holds == isinstance(node, Or) else any
            return cases(needs_done(one, task, holds) for one in node.items)
    return False


def measure(node: Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return the number of nodes and the depth. Shared branches (definitions) are measured once."""
    found = known.get(id(node))
    if found is None:
        below = [measure(child, known) for child in children(node)]
        found = (1 + sum(size for size, _ in below), 1 + max((depth for _, depth in below), default=0))
        known[id(node)] = found
    return found


def names_of(node: Node) -> frozenset[str]:
    """Return the answers that a tree reads in its own place, rows of row functions included.

    The columns that a row function reads are not included.
    """
    return _names(node, frozenset(), False)


def needed_names(node: Node) -> frozenset[str]:
    """Return the answers without which a check is not evaluated.

    These are `names_of` outside row functions, `answered` and `otherwise`.
    """
    return _names(node, frozenset(), True)


def _names(node: Node, columns: frozenset[str], needed: bool) -> frozenset[str]:
    if isinstance(node, Name):
        return frozenset() if node.in_row and node.id in columns else frozenset({node.id})
    if needed and (
        isinstance(node, Over) or (isinstance(node, FunctionCall) and node.function in ("answered", "otherwise"))
    ):
        return frozenset()
    if isinstance(node, Over):
        inside = columns | frozenset(node.rows.type.row or ())
        below = _names(node.body, inside, needed) if node.body else frozenset()
        return _names(node.rows, columns, needed) | below
    return frozenset().union(*(_names(child, columns, needed) for child in children(node)))


def reads_a_row(node: Node) -> bool:
    """Return whether a tree can only be evaluated inside a row: it names a column of the present row."""
    return _reads_a_row(node, frozenset())


def _reads_a_row(node: Node, columns: frozenset[str]) -> bool:
    if isinstance(node, Name):
        return node.in_row and node.id not in columns
    if isinstance(node, Over):
        columns_inside = columns | frozenset(node.rows.type.row or ())
        return _reads_a_row(node.rows, columns) or (node.body is not None and _reads_a_row(node.body, columns_inside))
    return any(_reads_a_row(child, columns) for child in children(node))
