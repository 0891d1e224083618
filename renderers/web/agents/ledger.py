"""Payments, appointments, issued documents and earlier dossiers of a dossier, as lines for agents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.clock import local_day
from engine.domain.documents.documents import status_of
from engine.domain.fields.views import FormView
from engine.domain.workflow.linked_dossiers import is_spent
from engine.model import Link
from engine.records.dossier import IssuedDocument, Owed
from engine.services.applications.drafts import see
from engine.services.context.app_context import NotFound
from renderers.i18n.translations import REFERENCE, typographic, whole_number
from renderers.web.agents.answers import rows_of
from renderers.web.platform.dossier_context import DossierContext, label, place_label
from renderers.web.platform.request_context import actor, app_ctx, day_of, language, moment_of, say, site
from renderers.web.shared.agent_dossier import AgentCase, row_name
from renderers.web.shared.staff import procedure_of


@dataclass(frozen=True, slots=True)
class EarlierDossierRow:
    """An earlier dossier that this one depends on. `href` is empty if this agent may not open it."""

    label: str
    number: str
    href: str
    text: str


# -- money -------------------------------------------------------------------------------------------------------------


def payment_lines(one: DossierContext) -> list[tuple[str, str, str]]:
    """Return label, kind of tag and tag of each fee, then of each payment."""
    money = site().words.money
    lines = []
    awaited = one.awaited
    checked = awaited.fees if awaited is not None else ()
    for owed in one.dossier.owed.values():
        text = say("case.owed", label=owed.label, amount=money(owed.amount, language()))
        tag = ("we", say("status.checking")) if owed.left and owed.fee in checked else _owed_tag(one, owed)
        lines.append((text, *tag))
    for payment in one.payments:
        status = "paid" if payment.status == "overpaid" else payment.status
        key = f"payment.line_{status}" if status in ("paid", "pending", "unknown") else "payment.line_failed"
        day = day_of(payment.ended_at or payment.started_at)
        facts = {"amount": money(payment.amount, language()), "day": day}
        lines.append((say(key, **facts), "", payment.receipt or payment.provider_ref or ""))
    return lines


def _owed_tag(one: DossierContext, owed: Owed) -> tuple[str, str]:
    """Return the tag of a fee. After closure only the later parts of a fee already begun are due."""
    if owed.left == 0:
        return "ok", say("case.paid")
    if one.dossier.closed_at is not None and owed.fee not in one.dossier.done:
        return "", say("waits.fee_closed")
    if owed.paid:
        return "act", say("waits.fee_left", left=site().words.money(owed.left, language()))
    return "act", say("status.to_pay")


# -- appointments and documents ----------------------------------------------------------------------------------------


def booking_lines(one: DossierContext) -> list[tuple[str, str, str]]:
    """Return the sentence, the state and the address of the day's page for each booking."""
    found = []
    for name, booking in one.dossier.bookings.items():
        task = one.procedure.tasks.get(name)
        moment = moment_of(booking.start)
        said = say(
            "case.booking",
            label=label(task.agents_label) if task else name,
            moment=moment,
            office=place_label(booking.office),
        )
        state = say(f"day.status_{booking.status}")
        if booking.status == "booked" and booking.arrived_at:
            state = say("day.status_arrived", at=site().words.clock(booking.arrived_at, language()))
        found.append(
            (said, state, f"/agent/rendez-vous/{local_day(booking.start).isoformat()}?bureau={booking.office}")
        )
    return found


def document_lines(one: DossierContext, form: FormView) -> list[tuple[str, str, str, str]]:
    """Return title, details, address and the word for an invalid state of each issued document."""
    found = []
    for document in one.dossier.documents:
        worth = status_of(document, local_day(app_ctx().now()))
        text = say("case.document", number=document.number, day=day_of(document.issued_at))
        tag = "" if worth == "valid" else say(f"track.document_{worth}")
        found.append((document_title(one, form, document), text, one.at(f"/documents/{document.id}.pdf"), tag))
    return found


def document_title(one: DossierContext, form: FormView, document: IssuedDocument) -> str:
    """Return the title of a document, with the name of its row."""
    output, title = one.procedure.outputs.get(document.output), typographic(document.title, REFERENCE)
    if document.row is None or output is None:
        return title
    return say("waits.of_row", title=title, row=row_name(rows_of(form, output.per), document.row))


# -- earlier dossiers --------------------------------------------------------------------------------------------------


def earlier_dossiers(one: AgentCase) -> list[EarlierDossierRow]:
    """Return the linked dossiers with their state and what becomes of their documents."""
    return list(_earlier(one))


def _earlier(one: AgentCase) -> Iterator[EarlierDossierRow]:
    for link in one.procedure.links():
        linked = one.dossier.links.get(link.id)
        if linked is None:
            continue
        procedure = procedure_of(link.procedure)
        title = say(
            "links.title",
            link=label(link.agents_label),
            procedure=label(procedure.identity.title) if procedure else link.procedure,
        )
        try:
            earlier = see(app_ctx(), actor(), linked.dossier)
        except NotFound:
            yield EarlierDossierRow(title, whole_number(linked.number), "", say("links.elsewhere"))
            continue
        theirs = procedure_of(earlier.procedure, earlier.edition) or procedure
        state = theirs.states.get(earlier.state) if theirs else None
        evaluated = say("links.state", state=label(state.label) if state else earlier.state)
        over = theirs is not None and is_spent(link, earlier, theirs, linked.row)
        text = " ".join([evaluated, *([say("links.over")] if over else _outcome(link))])
        yield EarlierDossierRow(title, whole_number(linked.number), f"/agent/dossiers/{earlier.number}", text)


def _outcome(link: Link) -> list[str]:
    return [say(f"links.{link.relation}")] if link.relation in ("renews", "amends", "revokes") else []
