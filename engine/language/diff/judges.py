"""Functions that return the impact of a change of one facet: time of a state, law of a price, readers of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.language.diff.elements import Element
from engine.language.diff.impact import (
    REVIEW,
    SAFE,
    FacetPair,
    ImpactDetail,
    Judge,
    always,
    by_condition,
    by_money,
    by_set,
    by_size,
    compared,
    when_moved,
)
from engine.model import APPLICANT, APPLICATION, Delay, Fee, Form, Procedure
from engine.model.types import FALSE, TRUE

WAITS_LONGER, WAITS_LESS = ImpactDetail("review", "waits_longer"), ImpactDetail("safe", "waits_less")
LESS_TIME, MORE_TIME = ImpactDetail("review", "less_time"), ImpactDetail("safe", "more_time")
STRICTER, LOOSER = ImpactDetail("review", "stricter"), ImpactDetail("safe", "looser")
RECIPIENT = ImpactDetail("breaking", "new_recipient")
SHORTER_KEPT, LONGER_KEPT = ImpactDetail("breaking", "kept_less"), ImpactDetail("review", "kept_longer")
FEWER_PLACES, MORE_PLACES = ImpactDetail("review", "fewer_places"), ImpactDetail("safe", "more_places")
_APPLICANT_MODES: Final = ("pay", "book", "attend", "correct")


def law_kept(pair: FacetPair) -> ImpactDetail:
    """Return the impact of changed laws: always to review, and named when a value loses its law."""
    old: Mapping[str, str] = pair.old
    new: Mapping[str, str] = pair.new
    lost = [key for key in old if key not in new and "*" not in new]
    return ImpactDetail("review", "no_law") if lost else REVIEW


def sourced(pair: FacetPair) -> bool:
    """Return whether the new price rests on a law: its table, or its line of the fee."""
    procedure = pair.around.after
    if pair.after.section == "tables":
        return bool(pair.after.facets.get("basis"))
    fee = procedure.tasks.get(pair.after.path[1])
    if not isinstance(fee, Fee):
        return False
    names = {pair.after.path[-1], fee.id if pair.after.path[-1] == "total" else ""}
    return any(line.law_of("amount") for line in fee.lines if line.id in names)


PRICE: Final = when_moved(by_money(sourced), ("pays_more", "pays_otherwise"))


def value_of_row(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed table row: that of a price when the table gives money, else to review."""
    return PRICE(pair) if pair.after.facets.get("gives") == "money" else REVIEW


def announced(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed announced delay, as one span or case by case."""
    old, new = pair.old, pair.new
    if not isinstance(old, Delay) or not isinstance(new, Delay) or len(old.entries) != len(new.entries):
        return REVIEW
    directions = [compared(before, after) for (_, before), (_, after) in zip(old.entries, new.entries, strict=True)]
    if None in directions or {1, -1} <= set(directions):
        return REVIEW
    return WAITS_LONGER if 1 in directions else WAITS_LESS if -1 in directions else REVIEW


def time_of_state(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed time of a state.

    More time is safe when it is the applicant's. When it is the administration's, the applicant waits longer.
    """
    facets = pair.after.facets
    theirs = facets.get("mode") in _APPLICANT_MODES or APPLICANT in _names(facets.get("by")) or _to_fetch(facets)
    if theirs:
        judge = by_size(MORE_TIME, LESS_TIME, given=LESS_TIME, dropped=MORE_TIME)
    else:
        judge = by_size(WAITS_LONGER, WAITS_LESS, given=WAITS_LESS, dropped=WAITS_LONGER)
    return when_moved(judge, ("less_time", "waits_less"))(pair)


def _to_fetch(facets: Mapping[str, object]) -> bool:
    return facets.get("public") == "ready"


def _names(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def shown(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed condition of a question: to review when more people must answer it."""
    asked = must_answer(pair.after)
    return by_condition(REVIEW if asked else SAFE, SAFE, REVIEW if asked else SAFE)(pair)


def required(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed `required`. A new requirement is breaking when running dossiers move."""
    loose, tight = ImpactDetail("safe", "optional"), ImpactDetail("review", "mandatory")
    if pair.new == FALSE:
        return loose
    judge: Judge = always(tight if pair.new == TRUE else ImpactDetail("review", "mandatory_if"))
    return when_moved(judge, ("mandatory",))(pair)


def capacity(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed number of places. Fewer places are breaking when bookings exist."""
    before, after = pair.old, pair.new
    fewer = _fewer(before, after)
    if not fewer:
        return MORE_PLACES
    booked = pair.around.booked.get(pair.after.path[1], 0)
    return ImpactDetail("breaking", "fewer_places", {"booked": booked}) if booked else FEWER_PLACES


def _fewer(old: object, new: object) -> bool:
    """Return whether places are lost.

    No days or hours means all. Without a number of places, the office's number applies.
    """
    if isinstance(old, tuple) and isinstance(new, tuple):
        return bool(new) and not (bool(old) and set(old) <= set(new))
    if old is None or new is None:
        return new is not None
    return compared(old, new) == -1


def readers(pair: FacetPair) -> ImpactDetail:
    """Return the impact of changed readers of an answer. An empty set means all who handle the dossier."""
    return by_set(SAFE, RECIPIENT)(pair)


def confidential(pair: FacetPair) -> ImpactDetail:
    """Return the impact of changed readers of a round. A new reader, or a round open to all, is a new recipient."""
    if not pair.new:
        return RECIPIENT
    return SAFE if not pair.old else by_set(SAFE, RECIPIENT)(pair)


def readable_in(pair: FacetPair) -> ImpactDetail:
    """Return the impact of changed states in which an answer is readable.

    A new state, or all states, is a new recipient.
    """
    if not pair.new:
        return RECIPIENT
    return SAFE if not pair.old else by_set(SAFE, RECIPIENT)(pair)


def verified(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed verification of a document. Public verification has new recipients."""
    return RECIPIENT if pair.new == "public" else REVIEW


def representative(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed rule on representatives. Only `allowed` is safe."""
    return SAFE if pair.new == "allowed" else REVIEW


def fewer_cuts(pair: FacetPair) -> ImpactDetail:
    """Return the impact of changed reductions. Those that only add to the old ones are safe."""
    kept = all(one in pair.new for one in pair.old)
    return ImpactDetail("safe", "pays_less") if kept else ImpactDetail("review", "pays_otherwise")


def first_day(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed first day. An earlier or removed one is safe."""
    return by_size(REVIEW, SAFE, given=REVIEW, dropped=SAFE)(pair)


def last_day(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed last day. A later or removed one is safe."""
    return by_size(SAFE, REVIEW, given=REVIEW, dropped=SAFE)(pair)


def flag(on: ImpactDetail, off: ImpactDetail) -> Judge:
    """Return a judge of a yes/no, with one impact for each value."""
    return lambda pair: on if pair.new else off


def must_answer(element: Element) -> bool:
    """Return whether an answer is required, at least in some cases."""
    required, value = element.facets.get("required", TRUE), element.facets.get("value")
    return required != FALSE and value is None and element.facets.get("type") not in ("note", None)


def by_applicant(element: Element, procedure: Procedure) -> bool:
    """Return whether the applicant gives the answer."""
    form = procedure.tasks.get(str(element.facets.get("form", APPLICATION)))
    return not isinstance(form, Form) or APPLICANT in form.by
