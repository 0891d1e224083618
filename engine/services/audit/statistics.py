"""Statistics: counters of the journal, and their values for those who may know them.

Counting passes over the journal once in order of time, some minutes behind. A unit that is still open
may save an entry sealed a moment ago. Pages read the counters and never iterate over dossiers.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from engine.domain.common.access import in_mandate
from engine.domain.common.agent_rights import administers
from engine.domain.common.working_time import add_months
from engine.domain.reporting.counters import CountedDossier, counts_of
from engine.domain.reporting.figures import FLOWING
from engine.language.diff.population import Count as StateCount
from engine.language.diff.population import Snapshot, added
from engine.model import Procedure
from engine.model.summary import EditionSummary
from engine.records.dossier import Actor
from engine.records.statistics import CURRENT, ENTRIES, JOURNAL, Count, CounterQuery, JournalCursor
from engine.services.context.app_context import AppContext
from engine.services.context.edition_cache import EditionMissing
from engine.storage.results import GLANCE, Conflict, DossierQuery
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.statistics")

BEHIND: Final = timedelta(minutes=5)  # longer than a unit may last and than clocks differ
BATCH: Final = 200
AT_ONCE: Final = 25  # batches of one pass
LATELY: Final = 3  # months, the present one included
_TIMES: Final = ("delay", "judged", "late")


# -- counting ----------------------------------------------------------------------------------------------------------


def count_up(ctx: AppContext) -> int:
    """Count the entries since the last pass, within a limit.

    Return how many. Any number of workers may run it: the one that moves the cursor over an entry
    counts it.
    """
    until, done = ctx.now() - BEHIND, 0
    for _ in range(AT_ONCE):
        with ctx.store.unit() as unit:
            before = unit.tally_mark()
            new = unit.counted_after(before, until, BATCH)
            counts = {**_counted(ctx, unit, new), ENTRIES: len(new) + _uncounted(unit, before)}
        if not new:
            break
        try:
            with ctx.store.unit(write=True) as unit:
                unit.add_tallies(counts, before, new[-1])
        except Conflict:
            break
        done += len(new)
    return done


def count_again(ctx: AppContext) -> int:
    """Delete all counters and count the whole journal again, after a restore or as a check.

    Return how many entries.
    """
    with ctx.store.unit(write=True) as unit:
        unit.forget_tallies()
    done = 0
    while counted := count_up(ctx):
        done += counted
    return done


def _uncounted(unit: Unit, mark: JournalCursor | None) -> int:
    """Return the number of entries up to the cursor where it was not stored yet: `fsck` then detects
    entries added behind it.
    """
    return 0 if mark is None or unit.tallies(CounterQuery((JOURNAL,))) else unit.entries_until(mark)


def _counted(ctx: AppContext, unit: Unit, new: Iterable[JournalCursor]) -> Mapping[Count, int]:
    by_dossier: dict[str, set[int]] = {}
    for one in new:
        by_dossier.setdefault(one.dossier, set()).add(one.n)
    counts: Counter[Count] = Counter()
    for dossier_id, numbers in by_dossier.items():
        case = _case(ctx, unit, dossier_id)
        if case is None:
            continue
        try:
            found = list(counts_of(case, numbers, ctx.directory))
        except Exception:  # one dossier that cannot be counted must not stop the others for ever
            log.exception("dossier %s is not counted", dossier_id)
            continue
        for count, n in found:
            counts[count] += n
    return counts


def _case(ctx: AppContext, unit: Unit, dossier_id: str) -> CountedDossier | None:
    dossier, entries = unit.dossier(dossier_id), unit.entries(dossier_id)
    if dossier is None:
        return None
    procedures: dict[str, Procedure] = {}
    for fingerprint in {dossier.fingerprint, *(one.edition for one in entries)}:
        try:
            procedures[fingerprint] = ctx.editions.pinned(
                ctx.catalogue, unit, replace(dossier, fingerprint=fingerprint)
            )
        except EditionMissing:
            log.warning("the edition %s cannot be read", fingerprint[:12])
    return CountedDossier(dossier, entries, procedures)


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts from a month until now, and the moment up to which they are complete."""

    counts: Mapping[Count, int]
    until: datetime


def counted_until(ctx: AppContext) -> datetime:
    """Return the moment up to which everything is counted: now, unless entries wait."""
    now = ctx.now()
    with ctx.store.unit() as unit:
        return _until(unit, now)


def _until(unit: Unit, now: datetime) -> datetime:
    mark = unit.tally_mark()
    waiting = unit.counted_after(mark, now, 1)
    return mark.at if waiting and mark else waiting[0].at if waiting else now


def public_counts(ctx: AppContext, since: str, procedure: str) -> Counted:
    """Return the counts of one procedure from a month on."""
    return _read(ctx, [CounterQuery(_from(ctx, since), (procedure,))])


def counts_of_one(ctx: AppContext, actor: Actor, since: str, procedure: str, place: str = "") -> Counted:
    """Return the counts of one procedure that an agent or auditor may know, optionally of one office.

    An agent bound to offices knows these; the leader of an agency knows all its offices.
    """
    asked = [
        CounterQuery(_from(ctx, since), (one.id,), _places(_bounds(actor, one), place))
        for one in scope(ctx, actor)
        if one.id == procedure
    ]
    return _read(ctx, asked)


@dataclass(frozen=True, slots=True)
class Reach:
    """Procedures whose figures a person may know, and in which offices (None: all).

    Without ids, every procedure.
    """

    ids: tuple[str, ...] | None = None
    places: frozenset[str] | None = None


EVERYTHING: Final = (Reach(),)


def reach(ctx: AppContext, actor: Actor, place: str = "") -> tuple[Reach, ...]:
    """Return what an agent or auditor may know, optionally of one office."""
    if actor.kind == "auditor" and not actor.procedures and not place:
        return EVERYTHING
    by_bounds: dict[frozenset[str], list[str]] = {}
    for one in scope(ctx, actor):
        by_bounds.setdefault(_bounds(actor, one), []).append(one.id)
    return tuple(Reach(tuple(ids), _places(bounds, place)) for bounds, ids in by_bounds.items())


def counted_procedures(ctx: AppContext, within: Iterable[Reach], first: str, last: str) -> frozenset[str]:
    """Return the procedures with any counts between two months, or now."""
    months = tuple(one for one in _from(ctx, first) if one <= last)
    with ctx.store.unit() as unit:
        return frozenset().union(*(unit.tallied(CounterQuery(months, *_of(one), figures=FLOWING)) for one in within))


def table_of(ctx: AppContext, within: Iterable[Reach], first: str, last: str, ids: Collection[str]) -> Counted:
    """Return the counts of these procedures between two months, offices added together."""
    months = _from(ctx, first)
    asked = []
    for one in within:
        known = tuple(sorted(set(ids) if one.ids is None else set(ids) & set(one.ids)))
        if known:
            inside = tuple(month for month in months if first <= month <= last)
            asked += [CounterQuery(months, known, one.places, FLOWING), CounterQuery(inside, known, one.places, _TIMES)]
    return _read(ctx, asked, together=True)


def trend_of(ctx: AppContext, within: Iterable[Reach], since: str) -> Counted:
    """Return the counts of all procedures together from a month on."""
    months, figures = _from(ctx, since), (*FLOWING, "judged", "late")
    asked = [CounterQuery(months, ("",) if one.ids is None else one.ids, one.places, figures) for one in within]
    return _read(ctx, asked, together=True)


def received_lately(ctx: AppContext) -> Mapping[str, int]:
    """Return how many requests each procedure received in the last `LATELY` months, with one query.

    Raises `Busy` soon if the store is silent.
    """
    first = add_months(ctx.day().replace(day=1), 1 - LATELY).isoformat()[:7]
    months = tuple(one for one in _from(ctx, first) if one != CURRENT)
    with ctx.store.unit(wait_limit=GLANCE) as unit:
        found = unit.tallies_together(CounterQuery(months, figures=("received",)))
    total = Counter[str]()
    for one, n in found.items():
        total[one.procedure] += n
    del total[""]  # the sum of all
    return total


def _of(one: Reach) -> tuple[tuple[str, ...] | None, frozenset[str] | None]:
    return one.ids, one.places


def _from(ctx: AppContext, first: str) -> tuple[str, ...]:
    """Return the months from one until now, and the code of current counts."""
    day, found = date.fromisoformat(f"{first}-01"), [CURRENT]
    while day <= ctx.day():
        found.append(day.isoformat()[:7])
        day = add_months(day, 1)
    return tuple(found)


def _bounds(actor: Actor, procedure: EditionSummary) -> frozenset[str]:
    """Return the offices of a procedure that a person knows; empty means all."""
    return frozenset() if leads(actor, procedure) else actor.offices


def _places(offices: frozenset[str], place: str) -> frozenset[str] | None:
    """Return the offices to query. Counts without an office (drafts) are visible to all, as in lists."""
    if place:
        return frozenset({place}) & (offices or {place})
    return offices | {""} if offices else None


def _read(ctx: AppContext, asked: Iterable[CounterQuery], together: bool = False) -> Counted:
    now = ctx.now()
    with ctx.store.unit() as unit:
        found: dict[Count, int] = {}
        for one in asked:
            found.update(unit.tallies_together(one) if together else unit.tallies(one))
        return Counted(found, _until(unit, now))


def scope(ctx: AppContext, actor: Actor) -> tuple[EditionSummary, ...]:
    """Return the procedures in force whose figures this person may know.

    For an agent, those with a part in them, of a role that they lead or of an agency that they administer; for an
    auditor, those of the mandate.
    """
    catalogue = ctx.catalogue
    if actor.kind == "auditor":
        return tuple(one for one in catalogue.summaries() if in_mandate(actor, one.id))
    if actor.kind != "agent":
        return ()
    mine = {one.id for one in ctx.editions.having(catalogue, actor.roles | ctx.directory.led_by(actor.roles))}
    return tuple(one for one in catalogue.summaries() if one.id in mine or leads(actor, one))


def leads(actor: Actor, procedure: EditionSummary) -> bool:
    """Return whether a person knows all offices of the agency: its leader and auditors."""
    return actor.kind == "auditor" or administers(actor, (procedure.agency,))


@dataclass(frozen=True, slots=True)
class OwnActs:
    """What one agent did: transitions taken, in how many dossiers, and messages written."""

    steps: int
    dossiers: int
    messages: int


def own_acts(ctx: AppContext, actor: Actor, first: datetime, end: datetime) -> OwnActs:
    """Return the actions of the person who asks, never of others: agents are not compared."""
    with ctx.store.unit() as unit:
        acts = unit.acts_of(actor.id, first, end)
    steps, dossiers = acts.get("transition", (0, 0))
    return OwnActs(steps, dossiers, acts.get("message", (0, 0))[0])


FEW: Final = 10  # below this number, the public sees `<10`
_MOST: Final = 100_000


def current_counts(ctx: AppContext, procedure: Procedure, *, few: int = 0) -> Mapping[str, StateCount]:
    """Return the dossiers by state, of all editions, open or closed.

    A count below `few` is replaced by the text `<few`.
    """
    with ctx.store.unit() as unit:
        counts = {
            one: unit.count_dossiers(DossierQuery(((procedure.id, one),), open_only=False), _MOST)
            for one in procedure.states
        }
    return MappingProxyType({one: f"<{few}" if 0 < count < few else count for one, count in counts.items()})


def running(ctx: AppContext, procedure: Procedure, *, few: int = 0) -> Snapshot:
    """Return the running dossiers by non-final state, for a comparison of editions."""
    counts = current_counts(ctx, procedure, few=few)
    states = {one: count for one, count in counts.items() if count and not procedure.states[one].is_end}
    return Snapshot(added(states.values()), states=MappingProxyType(states))
