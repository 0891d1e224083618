"""What the text of an expression mentions, before anything is typed: its names, the conditions it joins with `and`."""

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
    """The names a text mentions, functions apart."""
    parsed, _ = read_syntax(ExpressionSource.of(text, NOWHERE))
    if parsed is None:
        return frozenset()
    called = {id(node.func) for node in ast.walk(parsed) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(parsed) if isinstance(node, ast.Name) and id(node) not in called)


@lru_cache(_KEPT)
def calls_in(text: str) -> frozenset[str]:
    """The functions and tables a text calls."""
    parsed, _ = read_syntax(ExpressionSource.of(text, NOWHERE))
    nodes = ast.walk(parsed) if parsed is not None else ()
    return frozenset(node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))


def all_names(written: Tree, definitions: Mapping[str, Definition] | None = None) -> frozenset[str]:
    """The names a value of the file mentions, and those of the definitions among them. Definitions are kept in."""
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
    """The conditions joined by `and`, each written in one way: what surely holds where the text does."""
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
    """What surely holds in a place shown only under these conditions (`false` and `true` say nothing)."""
    return frozenset[str]().union(*(conjuncts(text) for text in written if isinstance(text, str)))
