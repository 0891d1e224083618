"""What the text of an expression mentions before it is typed: its names, and the conditions it joins with `and`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from engine.core.problems import NOWHERE
from engine.language.expressions.parse_context import Definition
from engine.language.expressions.syntax import ExpressionSource, read_syntax
from engine.language.source.loader import Tree

_KEPT: Final = 4096


@lru_cache(_KEPT)
def names_in(text: str) -> frozenset[str]:
    """Return the names that a text mentions, without functions."""
    parsed, _ = read_syntax(ExpressionSource.of(text, NOWHERE))
    if parsed is None:
        return frozenset()
    called = {id(node.func) for node in ast.walk(parsed) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(parsed) if isinstance(node, ast.Name) and id(node) not in called)


def all_names(written: Tree, definitions: Mapping[str, Definition] | None = None) -> frozenset[str]:
    """Return the names that a value of the file mentions, with the names of the definitions it uses.

    The definitions themselves are included.
    """
    found: set[str] = set()
    left = [written]
    while left:
        text = left.pop()
        for name in names_in(text) - found if isinstance(text, str) else ():
            found.add(name)
            if definitions and name in definitions:
                left.append(_tree(definitions[name]))
    return frozenset(found)


def _tree(definition: Definition) -> Tree:
    return definition.text if isinstance(definition.text, str) else None


@lru_cache(_KEPT)
def conjuncts(text: str) -> frozenset[str]:
    """Return the conditions joined by `and`, each in a normal form. They hold wherever the text holds."""
    parsed, _ = read_syntax(ExpressionSource.of(text, NOWHERE))
    if parsed is None:
        return frozenset({text})
    if isinstance(parsed, ast.BoolOp) and isinstance(parsed.op, ast.And):
        return frozenset[str]().union(*(_flat(one) for one in parsed.values))
    return frozenset({ast.unparse(parsed)})


def _flat(node: ast.expr) -> frozenset[str]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return frozenset[str]().union(*(_flat(one) for one in node.values))
    return frozenset({ast.unparse(node)})


def guard(*written: Tree) -> frozenset[str]:
    """Return the conditions that hold in a place shown only under all of these, each in a normal form.

    `false` and `true` add nothing.
    """
    return frozenset[str]().union(*(conjuncts(text) for text in written if isinstance(text, str)))
