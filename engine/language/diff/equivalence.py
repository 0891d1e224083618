"""Whether two values of two editions mean the same. Declared renames are followed, order counts only where it decides.

`Equivalence.of` converts any value of the model to a plain key. Two keys are equal when a person sees no
difference: spaces of an expression, the order of an `and` and renames of `migrate` do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any, Final

from engine.core.problems import Position
from engine.core.values import Text
from engine.language.expressions.nodes import And, Compare, Happened, Lookup, Name, Node, OneOf, Or
from engine.model import NamedElement, Procedure, Template
from engine.model.types import Constant, Expression, Type

_HOLE: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")

# Facets whose texts are ids of the namespace: renames are followed in them.
_OF_IDS: Final = frozenset({
    "waits", "start", "from", "to", "then", "late", "missed", "fills", "reopens", "correctable", "other_than",
    "same_as", "without", "issues", "revokes", "suspends", "restores", "returns", "after", "for_each", "each", "under",
    "at", "runs_in", "paused_in", "sends", "shows", "register", "per", "event", "act", "held_of", "states", "order",
    "total", "unique", "form",
})  # fmt: skip

# Facets written as a list in which order decides nothing.
_WITHOUT_ORDER: Final = frozenset({
    "by", "waits", "from", "audience", "channels", "life_events", "how", "accept", "methods", "weekdays", "reopens",
    "without", "seen_by", "issues", "revokes", "suspends", "restores", "correctable", "after", "asks", "remind",
    "reminders", "sends", "states", "other_than", "serial_per", "register",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Equivalence:
    """The keys of values of one edition, in the names of another. `moves`: dotted old name → dotted new name."""

    moves: Mapping[str, str]

    def of(self, facet: str, value: object) -> object:
        """Return the key of a value of that facet."""
        key = self._key(value, facet in _OF_IDS)
        if facet in _WITHOUT_ORDER and isinstance(value, (tuple, frozenset)):
            return tuple(sorted(set(key if isinstance(key, tuple) else (key,)), key=repr))
        return key

    def name(self, name: str) -> str:
        """Return the new name of an id, itself when it was not renamed."""
        return self.moves.get(name, name)

    def _key(self, value: Any, ids: bool) -> object:
        match value:
            case bool():
                return ("yes_no", value)
            case int() | Decimal():  # a question that becomes decimal does not change its bounds
                return ("number", value)
            case str():
                return self.name(value) if ids else value
            case Expression():
                return self._node(value.node)
            case Text():
                return tuple(sorted(value.versions))
            case Template():
                return tuple(sorted((language, self._placeholders(words)) for language, words in value.text.versions))
            case Type():
                return value.kind
            case Mapping():
                pairs = ((self._key(name, ids), self._key(one, ids)) for name, one in value.items())
                return tuple(sorted(pairs, key=repr))
            case frozenset():
                return tuple(sorted((self._key(one, ids) for one in value), key=repr))
            case tuple() | list():
                return tuple(self._key(one, ids) for one in value)
        if is_dataclass(value) and not isinstance(value, type):
            return self._record(value, ids)
        return value

    def _record(self, value: Any, ids: bool) -> object:
        """The key of a small record (a reduction, an opening hour): its parts, without its position."""
        parts = [
            (one.name, self._key(getattr(value, one.name), ids or one.name in _OF_IDS))
            for one in fields(value)
            if one.compare and not (isinstance(value, NamedElement) and one.name == "id")
        ]
        return (type(value).__name__, *parts)

    def _placeholders(self, words: str) -> str:
        return _HOLE.sub(lambda hole: "{" + self.name(hole[1]) + "}", words)

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _node(self, node: Any) -> object:
        match node:
            case Name(id=name):
                return ("Name", self.name(name))
            case Constant(value=value):
                return ("Constant", self._key(value, False))
            case And(items) | Or(items):
                return (type(node).__name__, *sorted((self._node(one) for one in items), key=repr))
            case Compare(left=left, sign=sign, right=right):
                return ("Compare", self._coded(right, left), sign, self._coded(left, right))
            case OneOf(item=item, among=among, negated=negated):
                codes = sorted((self._key(self._code(item, one), False) for one in among), key=repr)
                return ("OneOf", self._node(item), tuple(codes), negated)
            case Happened(function=function, id=name):
                return ("Happened", function, self.name(name))
            case Lookup(table=table, arguments=arguments):
                return ("Lookup", self.name(table), *(self._node(one) for one in arguments))
        if is_dataclass(node) and not isinstance(node, type):
            return (type(node).__name__, *(self._inner(getattr(node, one.name)) for one in fields(node)))
        return self._key(node, False)

    def _inner(self, part: object) -> object:
        if isinstance(part, (Position, Type)):
            return None
        return tuple(self._node(one) for one in part) if isinstance(part, tuple) else self._node(part)

    def _coded(self, beside: Node, node: Node) -> object:
        """The code of an option in the new names, from the answer it is compared with."""
        if isinstance(node, Constant):
            return ("Constant", self._key(self._code(beside, node.value), False))
        return self._node(node)

    def _code(self, beside: object, value: object) -> object:
        if isinstance(beside, Name) and isinstance(value, str):
            return self.moves.get(f"{beside.id}.{value}", f".{value}").rpartition(".")[2]
        return value


def moves_between(before: Procedure, after: Procedure) -> Mapping[str, str | None]:
    """Return the renames that the later edition declares: old → new, None when dropped on purpose.

    The maps of the editions in between are composed. `field.option: other` may give the new code alone.
    """
    found: dict[str, str | None] = {}
    for edition in sorted(one for one in after.migrate if one >= before.edition):
        step = after.migrate[edition]
        for old, new in found.items():
            if new is not None and new in step:
                found[old] = _dotted(new, step[new])
        for old, new in step.items():
            found.setdefault(old, _dotted(old, new))
    return found


def _dotted(old: str, new: str | None) -> str | None:
    if new is None or "." in new or "." not in old:
        return new
    return f"{old.rpartition('.')[0]}.{new}"
