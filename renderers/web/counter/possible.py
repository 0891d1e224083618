"""What can be done at the counter with the person, on one request and on each of the list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from flask import g

from engine.model import PAPER, Appointment
from engine.records.dossier import Actor
from engine.services.accounts.access_log import note_visit
from engine.services.context.app_context import NotFound
from engine.services.payments.payments import awaited_payment, owed
from engine.storage.results import DossierLine
from renderers.i18n.translations import first_capital, whole_number
from renderers.web.citizen.acts import own_acts
from renderers.web.citizen.corrections import awaits_corrections
from renderers.web.citizen.status import ToDo, to_book, to_fill
from renderers.web.platform.dossier_context import DossierContext, case, label, visit_place
from renderers.web.platform.request_context import COUNTER_AREA, actor, app_ctx, moment_of, say
from renderers.web.shared.money import francs
from renderers.web.shared.statuses import TAGS, lines_public


@dataclass(frozen=True, slots=True)
class AssistedRequestRow:
    """A request that the agent may open, and what can be done on it. `acts` begin with its own page."""

    title: str
    number: str
    name: str
    tag: str
    status: str
    visits: tuple[str, ...]
    acts: tuple[ToDo, ...]


def request_rows(lines: Iterable[DossierLine], agent: Actor) -> list[AssistedRequestRow]:
    """Return the rows of the person's requests. Those of no draft are noted in the access log."""
    lines, rows = list(lines), []
    with _reaching(line.id for line in lines):
        labels = lines_public(lines)
        for line in lines:
            with suppress(NotFound):  # erased or given to another account meanwhile
                rows.append(_row(case(line.number), labels[line.id], agent))
    return rows


@contextmanager
def _reaching(dossiers: Iterable[str]) -> Iterator[None]:
    """Let the agent who helps read these dossiers of the person too, while the list is made."""
    who, known = actor(), g.actors
    known[COUNTER_AREA] = replace(who, dossiers=who.dossiers.union(dossiers))
    try:
        yield
    finally:
        known[COUNTER_AREA] = who


def _row(one: DossierContext, key: str, agent: Actor) -> AssistedRequestRow:
    if one.dossier.is_draft:
        acts, visits = (
            [ToDo(one.at("/saisie" if one.dossier.channel == PAPER else "/demande"), say("counter.resume"))],
            (),
        )
    else:
        note_visit(app_ctx(), agent, one.dossier)
        acts, visits = [ToDo(one.at("/recepisse"), say("counter.open")), *_of_row(one)], tuple(
            f"{held.title} : {held.text}" for held in visits_of(one)
        )  # fmt: skip
    return AssistedRequestRow(
        one.title, whole_number(one.dossier.number), one.dossier.label, TAGS[key], say(f"status.{key}"), visits, tuple(acts)
    )  # fmt: skip


def _of_row(one: DossierContext) -> Iterator[ToDo]:
    yield from ahead(one)
    if due := due_of(one):
        yield ToDo(one.at("/paiement"), say("todo.pay", amount=francs(due)))
    for held in visits_of(one):
        if held.href:
            yield ToDo(held.href, say("counter.change_visit"))
    yield from own(one)


def ahead(one: DossierContext) -> Iterator[ToDo]:
    """Yield what the applicant can do now at the counter, except payment, which has its own buttons."""
    if awaits_corrections(one):
        asked = len(one.dossier.correction.fields) if one.dossier.correction else 0
        yield ToDo(
            one.at("/corrections"), say("counter.correct"), say("counter.correct_text", count=asked) if asked else ""
        )
    yield from to_fill(one)
    yield from to_book(one)


def own(one: DossierContext) -> Iterator[ToDo]:
    """Yield the applicant's acts that are possible now (withdraw, contest), and the messages."""
    yield from (ToDo(act.href, act.label) for act in own_acts(one) if act.href)
    if one.dossier.closed_at is None:
        yield ToDo(one.at("/messages"), say("message.write"))


def visits_of(one: DossierContext) -> Iterator[ToDo]:
    """Yield the booked appointments. Those to come have the address that changes them."""
    for booking in one.dossier.bookings.values():
        task = one.procedure.tasks.get(booking.appointment)
        if booking.status == "booked" and isinstance(task, Appointment):
            when = first_capital(moment_of(booking.start))
            href = one.at(f"/rendez-vous?quoi={task.id}") if booking.start > app_ctx().now() else ""
            yield ToDo(href, label(task.label), f"{when}, {visit_place(one, booking)}")


def due_of(one: DossierContext) -> int:
    """Return the amount due, 0 while a payment is open."""
    if awaited_payment(app_ctx(), actor(), one.id) is not None:
        return 0
    return sum(fee.left for fee in owed(app_ctx(), actor(), one.id))
