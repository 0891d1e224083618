"""Statistics: the journal counted as it grows, and what was counted, for who may know it.

Counting goes once over the journal in the order of time, some minutes behind it, for a unit that is still open may keep an
entry sealed a moment ago. No page walks over dossiers: pages read the counts.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.definition.model import Procedure
from engine.definition.outline import Outline
from engine.office.editions import LostEdition
from engine.office.office import Office
from engine.records.dossier import Actor
from engine.records.store import Conflict, Unit
from engine.records.tallies import Asked, Count, Mark
from engine.rules.access import in_mandate
from engine.rules.counting import Case, counts_of
from engine.rules.figures import FLOWS
from engine.rules.rights import administers

log = logging.getLogger("guichet.statistics")

BEHIND: Final = timedelta(minutes=5)  # longer than any unit may take, and than clocks of two machines differ
BATCH: Final = 200
AT_ONCE: Final = 25  # batches of one turn
_EVER: Final = "9999-12"
_TIMES: Final = ("delay", "judged", "late")


# -- counting ----------------------------------------------------------------------------------------------------------


def count_up(office: Office) -> int:
    """Counts what the journal holds since the last time; so much at a turn. How many entries were counted. Any number of
    workers may do it at once: an entry is counted once, by whoever moves the mark over it."""
    until, done = office.now() - BEHIND, 0
    for _ in range(AT_ONCE):
        with office.store.unit() as unit:
            before = unit.tally_mark()
            new = unit.counted_after(before, until, BATCH)
            counts = _counted(office, unit, new)
        if not new:
            break
        try:
            with office.store.unit(write=True) as unit:
                unit.add_tallies(counts, before, new[-1])
        except Conflict:
            break
        done += len(new)
    return done


def count_again(office: Office) -> int:
    """Forgets what was counted and counts the whole journal anew: after a backup was brought back, or to check."""
    with office.store.unit(write=True) as unit:
        unit.forget_tallies()
    done = 0
    while counted := count_up(office):
        done += counted
    return done


def _counted(office: Office, unit: Unit, new: Iterable[Mark]) -> Mapping[Count, int]:
    by_dossier: dict[str, set[int]] = {}
    for one in new:
        by_dossier.setdefault(one.dossier, set()).add(one.n)
    counts: Counter[Count] = Counter()
    for dossier_id, numbers in by_dossier.items():
        case = _case(office, unit, dossier_id)
        if case is None:
            continue
        try:
            found = list(counts_of(case, numbers, office.directory))
        except Exception:  # one dossier that cannot be counted must not stop all the others for ever
            log.exception("dossier %s is not counted", dossier_id)
            continue
        for count, n in found:
            counts[count] += n
    return counts


def _case(office: Office, unit: Unit, dossier_id: str) -> Case | None:
    dossier, entries = unit.dossier(dossier_id), unit.entries(dossier_id)
    if dossier is None:
        return None
    books: dict[str, Procedure] = {}
    for fingerprint in {dossier.fingerprint, *(one.edition for one in entries)}:
        try:
            books[fingerprint] = office.shelf.pinned(office.catalogue, unit, replace(dossier, fingerprint=fingerprint))
        except LostEdition:
            log.warning("the edition %s cannot be read", fingerprint[:12])
    return Case(dossier, entries, books)


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted from a month until now, and until when it was."""

    counts: Mapping[Count, int]
    until: datetime


def counted_until(office: Office) -> datetime:
    """The instant until which everything is counted: now, unless entries wait to be."""
    now = office.now()
    with office.store.unit() as unit:
        return _until(unit, now)


def _until(unit: Unit, now: datetime) -> datetime:
    mark = unit.tally_mark()
    waiting = unit.counted_after(mark, now, 1)
    return mark.at if waiting and mark else waiting[0].at if waiting else now


def public_counts(office: Office, since: str, procedure: str) -> Counted:
    """Of one procedure, from a month on."""
    return _read(office, [Asked(since, _EVER, (procedure,))])


def public_table(office: Office, month: str) -> Counted:
    """Of all procedures, in one month: what each of them counts, its offices together."""
    return _read(office, _of_many(month, month, month, None, None), together=True)


def public_months(office: Office, since: str, first: str, last: str) -> Counted:
    """Of all procedures taken together, from a month on."""
    return _read(office, _of_many(since, first, last, None, None), together=True, by_procedure=False)


def counts_for(
    office: Office, actor: Actor, since: str, first: str, last: str, procedure: str = "", place: str = ""
) -> Counted:
    """What an agent or a controller may know: of one procedure everything since a month; of several, what came in and went
    out since then, and how long it took between two months. An agent bound to offices knows these; who leads an agency
    knows all of its offices."""
    mine = [one for one in scope(office, actor) if procedure in ("", one.id)]
    asked: list[Asked] = []
    for leading in (True, False):
        ids = tuple(one.id for one in mine if leads(actor, one) is leading)
        places = _places(frozenset() if leading else actor.offices, place)
        if ids:
            asked += [Asked(since, _EVER, ids, places)] if procedure else _of_many(since, first, last, ids, places)
    return _read(office, asked, together=not procedure)


def _of_many(
    since: str, first: str, last: str, ids: tuple[str, ...] | None, places: frozenset[str] | None
) -> list[Asked]:
    return [
        Asked(since, _EVER, ids, places, figures=(*FLOWS, "standing")),
        Asked(first, last, ids, places, figures=_TIMES, standing=False),
    ]


def _places(offices: frozenset[str], place: str) -> frozenset[str] | None:
    """What has no office yet (a request that was begun) is everybody's, as it is in the trays."""
    if place:
        return frozenset({place}) & (offices or {place})
    return offices | {""} if offices else None


def _read(office: Office, asked: Iterable[Asked], together: bool = False, by_procedure: bool = True) -> Counted:
    now = office.now()
    with office.store.unit() as unit:
        found: dict[Count, int] = {}
        for one in asked:
            found.update(unit.tallies_together(one, by_procedure) if together else unit.tallies(one))
        return Counted(found, _until(unit, now))


def scope(office: Office, actor: Actor) -> tuple[Outline, ...]:
    """The procedures in service whose figures are this person's to know: those in which they have a part or whose agency they
    lead; those of a controller's mandate."""
    catalogue = office.catalogue
    if actor.kind == "auditor":
        return tuple(one for one in catalogue.outlines() if in_mandate(actor, one.id))
    if actor.kind != "agent":
        return ()
    mine = {one.id for one in office.shelf.having(catalogue, actor.roles)}
    return tuple(one for one in catalogue.outlines() if one.id in mine or leads(actor, one))


def leads(actor: Actor, procedure: Outline) -> bool:
    """Whether somebody knows every office of the agency: who leads it, and a controller."""
    return actor.kind == "auditor" or administers(actor, (procedure.agency,))


@dataclass(frozen=True, slots=True)
class OwnActs:
    """What one agent did themself: steps taken, in how many dossiers, and messages written."""

    steps: int
    dossiers: int
    messages: int


def own_acts(office: Office, actor: Actor, first: datetime, end: datetime) -> OwnActs:
    """Of the person who asks, and of nobody else: nobody's work is compared with another's."""
    with office.store.unit() as unit:
        acts = unit.acts_of(actor.id, first, end)
    steps, dossiers = acts.get("transition", (0, 0))
    return OwnActs(steps, dossiers, acts.get("message", (0, 0))[0])
