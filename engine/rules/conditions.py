"""The plain form of a simple condition, for a browser to show a question as soon as another of its page is answered.

`{"field": path, "in": [values]}` holds when the control is answered with one of the values (a yes/no is `true` or
`false`), `{"field": path, "out": [values]}` when it is answered with none of them; `all`, `any` and `not` combine.
What depends on anything else of the page has no plain form: the question then follows once the page is saved.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.definition.expression_compiler import expression_of, tree
from engine.definition.expression_nodes import And, Compare, Name, Node, Not, OneOf, Or, Ticked, names_of
from engine.definition.expressions import Constant, Expression, Scope
from engine.values import Plain


def plain_condition(when: Expression, paths: Mapping[str, str], scope: Scope) -> Plain:
    """The condition as data, or none when it is not simple or names nothing of `paths` (name → control). What it says
    of other pages is settled now."""
    if not when.names & paths.keys():
        return None
    found = _plain(tree(when), paths, scope)
    return found if isinstance(found, dict) else None


def _plain(node: Node, paths: Mapping[str, str], scope: Scope) -> Plain:
    """A condition, `True` or `False` when it is settled, none when it cannot be said."""
    if not names_of(node) & paths.keys():
        return expression_of(node, "").holds(scope)
    match node:
        case Name(id=name) if node.type.kind == "yes_no":
            return {"field": paths[name], "in": ["true"]}
        case OneOf(item=Name(id=name)):
            return {"field": paths[name], "out" if node.negated else "in": [str(code) for code in node.among]}
        case Compare(left=Name(id=name), sign="==" | "!=", right=Constant(value=str(code))):
            return {"field": paths[name], "in" if node.sign == "==" else "out": [code]}
        case Ticked(code=Constant(value=str(code)), choices=Name(id=name)):
            return {"field": paths[name], "out" if node.negated else "in": [code]}
        case Not():
            inner = _plain(node.item, paths, scope)
            return not inner if isinstance(inner, bool) else None if inner is None else {"not": inner}
        case And():
            return _joined("all", [_plain(one, paths, scope) for one in node.items])
        case Or():
            return _joined("any", [_plain(one, paths, scope) for one in node.items])
        case _:
            return None


def _joined(word: str, parts: list[Plain]) -> Plain:
    """Parts put together, those that are settled left out."""
    decides = word == "any"
    if decides in parts:
        return decides
    left = [part for part in parts if not isinstance(part, bool)]
    if any(part is None for part in left):
        return None
    return not decides if not left else left[0] if len(left) == 1 else {word: left}
