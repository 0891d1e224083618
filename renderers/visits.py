"""How far a person must go for a procedure: visits to an office, papers to hand over, somebody who comes to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.definition.circuit import closure, successors
from engine.definition.expressions import TRUE
from engine.definition.model import Procedure, State
from renderers.spoken import joined
from renderers.words import in_language


@dataclass(frozen=True, slots=True)
class Visits:
    """`here` are what one comes to an office for, the papers one fetches included; `perhaps` those of them that hang on
    one's answers, `called` those that some grants go without; `there` what somebody comes for. `papers`: some are shown or
    handed over. `either`: of these, one only."""

    here: tuple[str, ...]
    perhaps: frozenset[str]
    there: tuple[str, ...]
    booked: bool
    papers: bool
    either: tuple[str, ...] = ()
    called: frozenset[str] = frozenset()


def visits_of(procedure: Procedure, language: str) -> Visits:
    """As the circuit has it: appointments, and states where a document waits to be fetched."""
    tasks = procedure.appointments()
    here = [in_language(one.label, language) for one in tasks if one.place == "office"]
    there = tuple(in_language(one.label, language) for one in tasks if one.place == "applicant")
    perhaps = {in_language(one.label, language) for one in tasks if one.when != TRUE}
    called = frozenset(
        in_language(one.label, language) for one in tasks if one.when == TRUE and _spared(procedure, one.id)
    )
    booked, fetched = bool(here), tuple(_fetched(procedure))
    for state in fetched:
        name = in_language(state.label, language)
        here.append(name)
        ways = [way for way in procedure.transitions if way.target == state.id and way.source != state.id]
        if all(way.when != TRUE for way in ways):
            perhaps.add(name)
    terms = (field.evidence for field in procedure.form.fields)
    papers = any(set(one.how) - {"upload"} for one in terms if one is not None)
    return Visits(tuple(here), frozenset(perhaps), there, booked, papers, _one_of(procedure, fetched, language), called)


def _spared(procedure: Procedure, visit: str) -> bool:
    """Whether some reach what they ask for without this visit: one comes only when called."""
    leads = successors(procedure)
    without = {state: targets for state, targets in leads.items() if visit not in procedure.state(state).waits}
    reached = closure([procedure.start], without)
    return len(without) < len(leads) and any(procedure.state(one).outcome == "granted" for one in reached)


def _fetched(procedure: Procedure) -> Iterator[State]:
    """Where a document waits to be fetched."""
    yield from (state for state in procedure.states.values() if state.public == "ready" and not state.is_end)


def _one_of(procedure: Procedure, fetched: tuple[State, ...], language: str) -> tuple[str, ...]:
    """Several places to fetch a document from, when none leads to another: one goes to one of them."""
    names = {state.id for state in fetched}
    leads = successors(procedure)
    if len(names) < 2 or any((closure([one], leads) - {one}) & names for one in names):
        return ()
    return tuple(in_language(state.label, language) for state in fetched)


def visits_tag(visits: Visits, say: Callable[..., str]) -> str:
    """In a word; only what is all done online is said to be."""
    if visits.booked:
        return say("catalogue.with_visit")
    if visits.here:
        return say(
            "catalogue.with_pickup_perhaps" if visits.perhaps.issuperset(visits.here) else "catalogue.with_pickup"
        )
    if visits.papers:
        return say("catalogue.with_papers")
    return say("catalogue.with_our_visit" if visits.there else "catalogue.online")


def visit_lines(visits: Visits, say: Callable[..., str]) -> tuple[str, ...]:
    """How often one comes and what for; then who comes to them."""
    names, perhaps = [one for one in visits.here if one not in visits.either], visits.perhaps
    if visits.either:
        said = visits.either[0]
        for other in visits.either[1:]:
            said = say("sheet.joined_or", first=said, second=other)
        names, perhaps = [*names, said], perhaps | {said}
    keys = dict.fromkeys(visits.called, "sheet.visit_called") | dict.fromkeys(perhaps, "sheet.visit_perhaps")
    here = [say(keys[one], what=one) if one in keys else one for one in names]
    least = sum(one not in keys for one in names)
    key = (
        "sheet.visits"
        if len(here) < 2 or least == len(here)
        else "sheet.visits_between"
        if least
        else "sheet.visits_most"
    )
    lines = [say(key, count=len(here), least=least, what=joined(", ", here))] if here else []
    if not here:
        lines.append(say("sheet.no_visit_papers" if visits.papers else "sheet.no_visit"))
    if visits.there:
        lines.append(say("sheet.our_visit", what=joined(", ", visits.there)))
    return tuple(lines)
