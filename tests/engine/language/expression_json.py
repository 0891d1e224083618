"""Simple conditions as JSON, so that a browser can show and hide questions without asking the server.

The form is a list, its head a word: `["and", …]`, `["or", …]`, `["not", x]`, `["yes", name]`, `["answered", name]`,
`["has", name, code]` (one of several choices), `["in", name, [value, …]]`, `["==", name, value]` and the other
comparisons; `true` and `false` stand for themselves. A browser must keep logic two-valued: everything but `not` is
false on an empty answer. `not in` and `!=` are false on it too: `["out", name, [value, …]]`, `["!=", name, value]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.core.values import Plain
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import And, Compare, FunctionCall, Name, Node, Not, OneOf, Or, Ticked
from engine.model.types import Constant, Expression, Value

_WRITTEN: Final = frozenset({"text", "choice", "yes_no"})  # compared with == and != only
_COUNTED: Final = frozenset({"integer", "money"})
_MIRRORED: Final[Mapping[str, str]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def to_plain(expression: Expression) -> Plain:
    """The condition as JSON; None when it is not a simple one (dates, sums, rows, functions: the server answers)."""
    return _plain(tree(expression))


def _plain(node: Node) -> Plain:
    match node:
        case Constant(bool() as value):
            return value
        case Name(id) if node.type.kind == "yes_no":
            return ["yes", id]
        case Not(item):
            return _joined("not", (item,))
        case And(items):
            return _joined("and", items)
        case Or(items):
            return _joined("or", items)
        case Compare(Name() as name, sign, Constant(value)):
            return _comparison(sign, name, value)
        case Compare(Constant(value), sign, Name() as name):
            return _comparison(_MIRRORED[sign], name, value)
        case OneOf(Name(id) as name, among, negated) if name.type.kind in _WRITTEN | _COUNTED:
            values = [value for value in among if isinstance(value, (bool, int, str))]
            return ["out" if negated else "in", id, [*values]] if len(values) == len(among) else None
        case Ticked(Constant(str() as code), Name(id), False):
            return ["has", id, code]
        case FunctionCall("answered", (Name(id),)):
            return ["answered", id]
        case _:
            return None


def _joined(word: str, items: tuple[Node, ...]) -> Plain:
    plain = [_plain(item) for item in items]
    return None if None in plain else [word, *plain]


def _comparison(sign: str, name: Name, value: Value) -> Plain:
    kind = name.type.kind
    if not isinstance(value, (bool, int, str)):
        return None
    if kind in _COUNTED or (kind in _WRITTEN and sign in ("==", "!=")):
        return [sign, name.id, value]
    return None
