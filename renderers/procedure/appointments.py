"""Visits of a procedure: appointments at an office, evidence on paper, agents who visit the applicant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from engine.model import Procedure, State
from engine.model.directory import Calendar, Closure, ExtraOpening, Office
from engine.model.graph import closure, successors
from engine.model.types import TRUE
from renderers.i18n.formats import listed, weekday
from renderers.i18n.language_spans import as_text, joined
from renderers.i18n.translations import REFERENCE, Translations, in_language


@dataclass(frozen=True, slots=True)
class Visits:
    """Labels of the visits that a procedure requires.

    `here` are visits to an office, the collection of a document included. `perhaps` are those of them that depend on
    answers. `called` are those that some granted requests go without. `there` are visits at the applicant's address.
    `papers` is set if evidence is shown or handed over. `either` are places of which the applicant uses one.
    """

    here: tuple[str, ...]
    perhaps: frozenset[str]
    there: tuple[str, ...]
    booked: bool
    papers: bool
    either: tuple[str, ...] = ()
    called: frozenset[str] = frozenset()


def visits_of(procedure: Procedure, language: str) -> Visits:
    """Return the visits of the workflow: appointments, and states where a document waits for collection."""
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
        transitions = [
            transition
            for transition in procedure.transitions
            if transition.target == state.id and transition.source != state.id
        ]
        if all(transition.when != TRUE for transition in transitions):
            perhaps.add(name)
    terms = (field.evidence for field in procedure.form.fields)
    papers = any(set(one.how) - {"upload"} for one in terms if one is not None)
    return Visits(tuple(here), frozenset(perhaps), there, booked, papers, _one_of(procedure, fetched, language), called)


def _spared(procedure: Procedure, visit: str) -> bool:
    """Return whether a request may be granted without this appointment, so that it applies on invitation only."""
    leads = successors(procedure)
    without = {state: targets for state, targets in leads.items() if visit not in procedure.state(state).waits}
    reached = closure([procedure.start], without)
    return len(without) < len(leads) and any(procedure.state(one).outcome == "granted" for one in reached)


def _fetched(procedure: Procedure) -> Iterator[State]:
    """Yield the states where a document waits for collection."""
    yield from (state for state in procedure.states.values() if state.public == "ready" and not state.is_end)


def _one_of(procedure: Procedure, fetched: tuple[State, ...], language: str) -> tuple[str, ...]:
    """Return the places of collection if none leads to another, so that the applicant uses one of them."""
    names = {state.id for state in fetched}
    leads = successors(procedure)
    if len(names) < 2 or any((closure([one], leads) - {one}) & names for one in names):
        return ()
    return tuple(in_language(state.label, language) for state in fetched)


def visits_tag(visits: Visits, say: Callable[..., str]) -> str:
    """Return the visits in one word. Only a procedure without any visit or paper is marked as online."""
    if visits.booked:
        return say("catalogue.with_visit")
    if visits.here:
        return say(
            "catalogue.with_pickup_perhaps" if visits.perhaps.issuperset(visits.here) else "catalogue.with_pickup"
        )
    if visits.papers:
        return say("catalogue.with_papers")
    return say("catalogue.with_our_visit" if visits.there else "catalogue.online")


def visit_lines(visits: Visits, say: Callable[..., str], language: str) -> tuple[str, ...]:
    """Return the number and purposes of visits to an office, then the visits at the applicant's address."""
    names, perhaps = [one for one in visits.here if one not in visits.either], visits.perhaps
    if visits.either:
        said = listed(visits.either, language, "or")
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


_SOON: Final = timedelta(days=45)  # later closures do not matter to an applicant yet


def unconfirmed(office: Office) -> bool:
    """Return whether a page must say that the address or the hours of an office are to be confirmed."""
    return office.checked is None and bool(office.hours or office.address)


def opening_hours(office: Office, words: Translations, language: str) -> str:
    """Return the hours of an office, days with equal hours together.

    Example: `lundi à vendredi : 7 h 30 à 12 h, 14 h 30 à 17 h`.
    """
    said: list[tuple[int, int, str]] = []
    for day in range(7):
        text = ", ".join(
            words.say(
                "sheet.hours",
                language,
                {"start": words.hour(one.start, language), "end": words.hour(one.end, language)},
            )
            for one in office.hours.get(day, ())
        )
        if text and said and said[-1][1] == day - 1 and said[-1][2] == text:
            said[-1] = (said[-1][0], day, text)
        elif text:
            said.append((day, day, text))
    return (" ; " if language == REFERENCE else "; ").join(
        _days(first, last, text, words, language) for first, last, text in said
    )


def _days(first: int, last: int, text: str, words: Translations, language: str) -> str:
    names = [weekday(one, language) for one in (first, last)]
    if first == last:
        return words.say("text.named", language, {"name": names[0], "text": text})
    days = words.say("sheet.days", language, {"first": names[0], "last": names[1]})
    return words.say("text.named", language, {"name": days, "text": text})


def unusual_days(office: Office, today: date, words: Translations, language: str) -> Iterator[str]:
    """Yield closures and extra openings of the next 45 days, in order of time.

    Example: `Fermé le mercredi 25 novembre 2026 : Grève du personnel`.
    """
    soon = [one for one in (*office.closed, *office.opened) if one.until >= today and one.from_ <= today + _SOON]
    for one in sorted(soon, key=lambda one: one.from_):
        if isinstance(one, ExtraOpening) and one.hours is None:
            continue  # a change of capacity leaves the hours unchanged
        said = words.say(
            "help.closed" if isinstance(one, Closure) else "help.open", language, {"when": _when(one, words, language)}
        )
        because = in_language(one.because, language) if isinstance(one, Closure) else ""
        yield words.say("text.named", language, {"name": said, "text": as_text(because)}) if because else said


def holidays_soon(calendar: Calendar, today: date, words: Translations, language: str) -> Iterator[str]:
    """Yield the holidays of the next 45 days, `vendredi 25 décembre 2026 (Noël)`."""
    for day, name in sorted(calendar.holidays.items()):
        if today <= day <= today + _SOON:
            facts = {"day": words.day(day, language), "name": as_text(in_language(name, language))}
            yield words.say("help.holiday", language, facts)


def _when(one: Closure | ExtraOpening, words: Translations, language: str) -> str:
    facts = {"first": words.day(one.from_, language), "last": words.day(one.until, language)}
    key = "openings.span_day" if one.from_ == one.until else "openings.span_days"
    said = words.say(key, language, {**facts, "day": facts["first"]})
    if one.hours is None:
        return said
    hours = {"opens": words.hour(one.hours.start, language), "shuts": words.hour(one.hours.end, language)}
    return f"{said}, {words.say('openings.span_hours', language, hours)}"
