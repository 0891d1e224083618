"""The rules of types: the common type of several nodes, and whether a result fits its place (`docs/language.md` §13).

Money is whole francs. An integer is francs only when it is written as such (a literal, or literals and integers
joined by `*`) or rounded: a number of rooms is never an amount by accident.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from engine.language.expressions.nodes import Arithmetic, FunctionCall, If, Negative, Node, Over
from engine.language.source.notation import read_date, read_span
from engine.model.types import DATE, DECIMAL, INTEGER, MONEY, SPAN, TEXT, YES_NO, Constant, Type, Value

NUMBERS: Final = frozenset({"integer", "decimal", "percent"})
ORDERED: Final = NUMBERS | {"money", "date", "time"}
COMPARED: Final = ORDERED | {"text", "choice", "yes_no"}

_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_PARTIAL_DATE: Final = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?", re.ASCII)


def is_francs(node: Node) -> bool:
    """Return whether a node is money, or an integer that may be used as money."""
    kind = node.type.kind
    if kind == "money":
        return True
    if kind != "integer":
        return False
    match node:
        case Constant():
            return True
        case Arithmetic(left, "*", right):
            return is_francs(left) or is_francs(right)
        case Arithmetic(left, _, right):
            return is_francs(left) and is_francs(right)
        case Negative(item):
            return is_francs(item)
        case If(_, then, otherwise):
            return is_francs(then) and is_francs(otherwise)
        case FunctionCall("round_up" | "round_down"):
            return True
        case FunctionCall("min" | "max" | "otherwise", arguments):
            return all(is_francs(one) for one in arguments)
        case Over("sum" | "least" | "most", _, body):
            return body is not None and is_francs(body)
        case _:
            return False


def common_type(nodes: Sequence[Node]) -> Type | None:
    """Return the type that several nodes share, None when they have none."""
    kinds = {node.type.kind for node in nodes}
    if kinds <= NUMBERS:
        return INTEGER if kinds == {"integer"} else DECIMAL
    if "money" in kinds:
        return MONEY if all(is_francs(node) for node in nodes) else None
    if "choice" in kinds:
        return _common_choice(nodes)
    if kinds == {"time", "text"}:
        written = all(is_time(node.value) for node in nodes if isinstance(node, Constant))
        return Type("time") if written and all(_typed(node) for node in nodes) else None
    return nodes[0].type if len(kinds) == 1 else None


def _typed(node: Node) -> bool:
    return isinstance(node, Constant) or node.type.kind != "text"


def _common_choice(nodes: Sequence[Node]) -> Type | None:
    if not all(node.type.kind == "choice" or is_written_text(node) for node in nodes):
        return None
    codes: frozenset[str] = frozenset()
    for node in nodes:
        if node.type.kind == "choice":
            if node.type.codes is None:
                return Type("choice")
            codes |= node.type.codes
        else:
            codes |= {str(leaf.value) for leaf in leaves(node) if isinstance(leaf, Constant)}
    return Type("choice", codes)


def is_written_text(node: Node) -> bool:
    """Return whether a node is a text in quotes, or a choice between texts in quotes."""
    return all(isinstance(leaf, Constant) and leaf.type.kind == "text" for leaf in leaves(node))


def is_time(value: object) -> bool:
    """Return whether a value is a text in the form of a time of day, such as `08:30`."""
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def leaves(node: Node) -> Iterator[Node]:
    """Yield the nodes that a node may evaluate to: the branches of its `if` and of its `otherwise`."""
    match node:
        case If(_, then, otherwise):
            yield from leaves(then)
            yield from leaves(otherwise)
        case FunctionCall("otherwise", arguments):
            for one in arguments:
                yield from leaves(one)
        case _:
            yield node


def foreign_codes(node: Node, choice: Type) -> tuple[str, ...]:
    """Return the codes written in a node that are no option of that choice."""
    if choice.codes is None:
        return ()
    written = [leaf.value for leaf in leaves(node) if isinstance(leaf, Constant) and isinstance(leaf.value, str)]
    return tuple(code for code in written if code not in choice.codes)


def sum_type(left: Node, right: Node) -> Type | None:
    """Return the type of `+` and `-`: numbers of one family, francs, a date and a span.

    None when the sides do not fit.
    """
    kinds = {left.type.kind, right.type.kind}
    if kinds == {"date", "span"}:
        return DATE
    return common_type((left, right)) if kinds <= NUMBERS | {"money"} else None


def product_type(left: Node, right: Node) -> Type | None:
    """Return the type of `*`, None when the sides do not fit.

    `money * integer` is money. With a fraction it is a fraction until rounded. Money by money has no type.
    """
    kinds = {left.type.kind, right.type.kind}
    if kinds <= NUMBERS:
        return INTEGER if kinds == {"integer"} else DECIMAL
    if kinds == {"money", "integer"}:
        return MONEY
    return DECIMAL if "money" in kinds and kinds <= NUMBERS | {"money"} and len(kinds) == 2 else None


def misfit(node: Node, wanted: Type) -> str | None:
    """Return the code of the problem when a node does not fit where `wanted` is expected, None when it fits."""
    given, want = node.type.kind, wanted.kind
    if want == "money":
        return None if is_francs(node) else "E414" if given in ("decimal", "percent") else "E413"
    if want in ("decimal", "percent"):
        return None if given in NUMBERS else "E413"
    if want == "choice":
        if given != "choice" and not is_written_text(node):
            return "E413"
        foreign = node.type.codes is not None and wanted.codes is not None and not node.type.codes <= wanted.codes
        return "E411" if foreign_codes(node, wanted) else "E413" if foreign else None
    if want == "time" and is_written_text(node):
        return None if all(is_time(leaf.value) for leaf in leaves(node) if isinstance(leaf, Constant)) else "E413"
    return None if given == want else "E413"


def retyped(node: Node, type_: Type) -> Node:
    """Return the node with its new type: a text in quotes as a code of the choice, a whole number as francs."""
    if isinstance(node, Constant) and node.type.kind != type_.kind:
        if type_.kind in ("choice", "time") and node.type.kind == "text":
            return Constant(node.value, type_)
        if type_.kind in ("money", "decimal", "percent") and node.type.kind == "integer":
            return Constant(node.value, type_)
    if isinstance(node, If):
        return replace(node, then=retyped(node.then, type_), otherwise=retyped(node.otherwise, type_), type=type_)
    return node


def read_literal(plain: object, wanted: Type) -> Constant | None:
    """Return the constant of a literal of the wanted type: `true`, `500`, `2026-01-31`, `3 months`, a code, a text.

    None when it is no such literal (it may be an expression). Codes are checked when the type knows them.
    """
    value = _literal_value(plain, wanted)
    return None if value is None else Constant(value, wanted)


def _literal_value(plain: object, wanted: Type) -> Value:
    if isinstance(plain, bool):
        return plain if wanted.kind == "yes_no" else None
    if isinstance(plain, int):
        return plain if wanted.kind in NUMBERS | {"money"} else None
    if isinstance(plain, Decimal):
        return plain if wanted.kind in ("decimal", "percent") else None
    if isinstance(plain, str):
        return _literal_text(plain, wanted)
    if isinstance(plain, list) and wanted.kind == "choices" and plain:
        codes = tuple(code for code in plain if isinstance(code, str) and _is_code(code, wanted))
        return codes if len(codes) == len(plain) else None
    return None


def _literal_text(text: str, wanted: Type) -> Value:
    match wanted.kind:
        case "date":
            return read_date(text)
        case "span":
            return read_span(text)
        case "text":
            return text or None
        case "choice":
            return text if _is_code(text, wanted) else None
        case "time":
            return text if is_time(text) else None
        case "partial_date":
            return text if read_date(text) or _PARTIAL_DATE.fullmatch(text) else None
        case _:
            return None


def _is_code(text: str, wanted: Type) -> bool:
    return bool(text) and (wanted.codes is None or text in wanted.codes)


def natural_literal(plain: object) -> Constant | None:
    """Return the constant of a value where no type is wanted: a definition, a computed constant.

    None when the value is a plain text or an expression.
    """
    for type_ in (YES_NO, INTEGER, DECIMAL, DATE, SPAN):
        found = read_literal(plain, type_)
        if found is not None:
            return found
    return None


def literal_kind(plain: object) -> str:
    """Return the kind of a value as written in a file, for a message. A value that is not a literal counts as text."""
    if plain is None:
        return "empty"
    if isinstance(plain, (list, dict)):
        return "list" if isinstance(plain, list) else "map"
    found = natural_literal(plain)
    return found.type.kind if found else TEXT.kind
