"""V720: a `not` that also counts the absence of an answer (`docs/language.md` §13).

`not x == 'a'` holds when x is hidden or blank. Where x may be empty the author must say so: `x != 'a'` (answered, and
not a) or `not answered(x) or …`.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.language.expressions.nodes import (
    And,
    Compare,
    FunctionCall,
    If,
    Lookup,
    Name,
    Node,
    Not,
    OneOf,
    Or,
    Ticked,
    children,
    needed_names,
    walk,
)


def careless_negations(node: Node, maybe_empty: frozenset[str]) -> Iterator[tuple[Not, frozenset[str]]]:
    """Each `not` that also holds when one of these names is empty, and which names."""
    match node:
        case Not(item):
            names = _exposed(item) & maybe_empty - _asked(item)
            if names:
                yield node, names
            yield from careless_negations(item, maybe_empty)
        case And(items):
            for item in items:
                sure = frozenset[str]().union(*(_implied(other) for other in items if other is not item))
                yield from careless_negations(item, maybe_empty - sure)
        case Or(items):
            for item in items:
                said = frozenset[str]().union(*(_denied(other) for other in items if other is not item))
                yield from careless_negations(item, maybe_empty - said)
        case If(condition, then, otherwise):
            yield from careless_negations(condition, maybe_empty)
            yield from careless_negations(then, maybe_empty - _implied(condition))
            yield from careless_negations(otherwise, maybe_empty - _denied(condition))
        case _:
            for child in children(node):
                yield from careless_negations(child, maybe_empty)


def _exposed(node: Node) -> frozenset[str]:
    """The names whose emptiness makes a condition false, so its negation true."""
    match node:
        case Name(id):
            return frozenset({id}) if node.type.kind == "yes_no" else frozenset()
        case Compare() | OneOf() | Ticked() | Lookup() | FunctionCall("in_list"):
            return needed_names(node)
        case And(items) | Or(items):
            return frozenset[str]().union(*(_exposed(item) for item in items))
        case If():
            return frozenset[str]().union(*(_exposed(child) for child in children(node)))
        case _:
            return frozenset()


def _asked(node: Node) -> frozenset[str]:
    """The names a condition asks about with `answered`."""
    return frozenset(
        argument.id
        for one in walk(node)
        if isinstance(one, FunctionCall) and one.function == "answered"
        for argument in one.arguments
        if isinstance(argument, Name)
    )


def _implied(node: Node) -> frozenset[str]:
    """The names surely answered where a condition holds."""
    match node:
        case FunctionCall("answered"):
            return _asked(node)
        case FunctionCall("in_list") | Compare() | OneOf() | Ticked():
            return needed_names(node)
        case Name(id):
            return frozenset({id})
        case And(items):
            return frozenset[str]().union(*(_implied(item) for item in items))
        case _:
            return frozenset()


def _denied(node: Node) -> frozenset[str]:
    """The names surely answered where `node` does not hold: `not answered(x) or …`."""
    return _implied(node.item) if isinstance(node, Not) and isinstance(node.item, FunctionCall) else frozenset()
