"""The impact of a change on people and running dossiers: safe, to review or breaking.

The rules combine small judges. A judge compares one facet before and after. It returns an impact and what people
notice (`pays_more`, `waits_longer`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from engine.core.problems import Fact, Position
from engine.core.values import Span
from engine.language.diff.elements import Element
from engine.language.diff.population import Count
from engine.language.expressions.nodes import Arithmetic, FunctionCall, If
from engine.model import Procedure
from engine.model.types import FALSE, TRUE, Constant, Expression, Type

Impact: TypeAlias = Literal["safe", "review", "breaking"]

TOO_MUCH: Final = 25  # percent: a larger increase is named beside the amount
_MINUTES: Final[Mapping[str, int]] = {
    "minute": 1, "hour": 60, "day": 1_440, "week": 10_080, "month": 43_800, "year": 525_600,
}  # fmt: skip
_WORKING: Final = {"day": 2_016, "hour": 252}  # five days in seven, about eight hours a day: only to compare lengths


@dataclass(frozen=True, slots=True)
class ImpactDetail:
    """An impact. `feel` is the key of what people notice, empty when the values say it."""

    impact: Impact
    feel: str = ""
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))


SAFE: Final = ImpactDetail("safe")
REVIEW: Final = ImpactDetail("review")
BREAKING: Final = ImpactDetail("breaking")


@dataclass(frozen=True, slots=True)
class EditionPair:
    """The two editions. `moved`: the later one has a `migrate` for dossiers of the earlier one."""

    before: Procedure
    after: Procedure
    moved: bool
    booked: Mapping[str, Count]  # future bookings, by appointment


@dataclass(frozen=True, slots=True)
class FacetPair:
    """One facet of one element, with its value `old` and `new`. `around` are both editions."""

    before: Element
    after: Element
    facet: str
    old: Any
    new: Any
    around: EditionPair


Judge: TypeAlias = Callable[[FacetPair], ImpactDetail]


def always(weight: ImpactDetail) -> Judge:
    """Return a judge that gives the same impact for any change."""
    return lambda pair: weight


# -- more or less ------------------------------------------------------------------------------------------------------


def measure(value: object) -> int | date | None:
    """Return the comparable form of a facet: a number, a day, or a span in minutes. None for any other value."""
    if isinstance(value, Expression):
        return measure(value.node.value) if isinstance(value.node, Constant) else None
    if isinstance(value, Span):
        return value.count * (_WORKING if value.working else _MINUTES)[value.unit]
    if isinstance(value, bool):
        return None
    return value if isinstance(value, (int, date)) else None


def compared(old: object, new: object) -> int | None:
    """Return 1 when the new value is more, -1 less, 0 equal. None when they cannot be compared."""
    first, second = measure(old), measure(new)
    if first is None or second is None or isinstance(first, date) is not isinstance(second, date):
        return None
    return (second > first) - (second < first)  # type: ignore[operator]


def by_size(
    more: ImpactDetail,
    less: ImpactDetail,
    *,
    given: ImpactDetail = REVIEW,
    dropped: ImpactDetail = REVIEW,
    unknown: ImpactDetail = REVIEW,
) -> Judge:
    """Return a judge of sizes. `given`: there was no value before. `dropped`: there is none now."""

    def judge(pair: FacetPair) -> ImpactDetail:
        """Return `unknown` where the sizes cannot be compared."""
        if pair.old is None:
            return given
        if pair.new is None:
            return dropped
        direction = compared(pair.old, pair.new)
        return unknown if direction is None else more if direction > 0 else less

    return judge


def by_set(lost: ImpactDetail, gained: ImpactDetail) -> Judge:
    """Return a judge of sets of names. A lost name decides before a gained one."""

    def judge(pair: FacetPair) -> ImpactDetail:
        """Return SAFE when neither set has a name that the other lacks."""
        before, after = set(_listed(pair.old)), set(_listed(pair.new))
        if before - after:
            return lost
        return gained if after - before else SAFE

    return judge


def _listed(value: object) -> Collection[object]:
    if isinstance(value, Mapping):
        return tuple(value)
    return value if isinstance(value, (tuple, frozenset)) else () if value is None else (value,)


def by_presence(given: ImpactDetail, dropped: ImpactDetail, other: ImpactDetail = REVIEW) -> Judge:
    """Return a judge of an expression, a name or a flag that may be absent."""

    def judge(pair: FacetPair) -> ImpactDetail:
        """Return the impact. A false condition counts as absent."""
        if not pair.old or pair.old == FALSE:
            return given
        return dropped if not pair.new or pair.new == FALSE else other

    return judge


def by_condition(opened: ImpactDetail, closed: ImpactDetail, other: ImpactDetail = REVIEW) -> Judge:
    """Return a judge of a condition. `opened`: it now always holds. `closed`: it always held and no longer does."""

    def judge(pair: FacetPair) -> ImpactDetail:
        """Return the impact. `other` is a condition that changed."""
        if pair.new == TRUE:
            return opened
        return closed if pair.old == TRUE else other

    return judge


def when_moved(judge: Judge, feels: Collection[str]) -> Judge:
    """Return the same judge, but breaking for these `feel` keys when running dossiers move to the edition."""

    def heavier(pair: FacetPair) -> ImpactDetail:
        """Return the impact, breaking where it is one of `feels` and dossiers move."""
        found = judge(pair)
        moved = pair.around.moved and found.feel in feels
        return ImpactDetail("breaking", found.feel, found.facts) if moved else found

    return heavier


# -- money -------------------------------------------------------------------------------------------------------------


def money_steps(old: object, new: object) -> tuple[tuple[int, int], ...]:
    """Return the amounts in francs that changed between two expressions of the same form, as pairs.

    Such as `25000` and `30000`, or `30000 if express else 20000` and `35000 if express else 20000`. Empty when the
    forms differ.
    """
    if isinstance(old, int) and isinstance(new, int):
        return ((old, new),)
    if not isinstance(old, Expression) or not isinstance(new, Expression):
        return ()
    steps = list(_steps(old.node, new.node, True))
    return () if None in steps else tuple(one for one in steps if one is not None and one[0] != one[1])


def _steps(old: Any, new: Any, counts: bool) -> Iterator[tuple[int, int] | None]:
    """Pairs of whole numbers at the same places of two trees, None where the trees differ otherwise.

    Only a number that is an amount (`counts`) may differ, not one that a condition compares.
    """
    if isinstance(old, Constant) and isinstance(new, Constant):
        if counts and _francs(old.value) and _francs(new.value):
            yield (old.value, new.value)  # type: ignore[misc]
        elif old.value != new.value:
            yield None
    elif type(old) is not type(new):
        yield None
    elif isinstance(old, tuple):
        if len(old) != len(new):
            yield None
        for one, other in zip(old, new, strict=False):
            yield from _steps(one, other, counts)
    elif is_dataclass(old) and not isinstance(old, (type, Type, Position)):
        for part in fields(old):
            inside = counts and part.name != "condition" and _amounts(old)
            yield from _steps(getattr(old, part.name), getattr(new, part.name), inside)
    elif old != new and not isinstance(old, (Type, Position)):
        yield None


def _amounts(node: object) -> bool:
    """Return whether the nodes directly under a node are amounts like the node itself.

    Numbers of a condition or a rate are not.
    """
    match node:
        case If():
            return True
        case Arithmetic(operator=operator):
            return operator in ("+", "-")
        case FunctionCall(function=function):
            return function in ("min", "max", "otherwise")
        case _:
            return False


def _francs(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def percent(old: int, new: int) -> int | None:
    """Return the increase in percent of the old amount, rounded. None when the old amount is zero."""
    return None if old == 0 else round((new - old) * 100 / old)


def by_money(sourced: Callable[[FacetPair], bool]) -> Judge:
    """Return a judge of prices: only a lower price that cites a law is safe. A rise is never safe for those who pay."""

    def judge(pair: FacetPair) -> ImpactDetail:
        """Return the impact, with the amounts and the increase as facts."""
        steps = money_steps(pair.old, pair.new)
        if not steps:
            return ImpactDetail("review", "pays_otherwise")
        raised = [(old, new) for old, new in steps if new > old]
        feel = "pays_less" if not raised else "pays_more" if len(raised) == len(steps) else "pays_otherwise"
        facts: dict[str, Fact] = {}
        if len(steps) == 1:
            facts = {"from": steps[0][0], "to": steps[0][1], "by": steps[0][1] - steps[0][0]}
            share = percent(*steps[0])
            facts |= {} if share is None else {"percent": share}
        much = any((new - old) * 100 > TOO_MUCH * old for old, new in raised)
        bare = not sourced(pair)
        facts |= {"too_much": TOO_MUCH} if much else {"no_law": 1} if bare else {}
        return ImpactDetail("review" if raised or bare else "safe", feel, MappingProxyType(facts))

    return judge
