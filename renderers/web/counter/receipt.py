"""The receipt of a request at the counter, as page (sheet or roll) and PDF, with the next steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from urllib.parse import urlsplit

from flask import Blueprint, Response, request, session

from engine.model import APPLICANT, APPLICATION, CASH, Appointment, Form
from engine.services.accounts.assistance import follow_code
from engine.services.payments.payments import awaited_payment, cash_due, payments, take_cash
from engine.services.payments.settlement import RECEIVED
from renderers.html.controls import national
from renderers.pdf.documents import counter_pdf
from renderers.web.citizen.tracking import time_steps
from renderers.web.counter.counter import HOME
from renderers.web.counter.possible import ahead, due_of, own, visits_of
from renderers.web.platform.access import draws, helper
from renderers.web.platform.dossier_context import DossierContext, agency_of, case, label, place_label, to_bring
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    day_of,
    file_response,
    form_token,
    go,
    language,
    moment_of,
    new_token,
    page,
    say,
)
from renderers.web.shared.money import francs
from renderers.web.shared.staff import assisted_by

blueprint = Blueprint("counter_receipt", __name__)


@blueprint.get(f"{HOME}/<number>/recepisse")
@helper
def show(number: str) -> Response:
    """Show the receipt and what can be done at the counter. `format=80` is for a roll of 80 mm."""
    one = case(number)
    if one.dossier.is_draft:
        return go(one.at("/demande"))
    cash = cash_due(app_ctx(), actor(), one.id)
    narrow = request.args.get("format") == "80"
    return page(
        "agent/counter_receipt.html", dossier=one.dossier, happened=_happened(one), rows=_rows(one), code=_grouped(one), follow=_follow(one),
        steps=time_steps(one), bring=_bring(one), agency=agency_of(one), narrow=narrow, base=one.at(), home=HOME,
        cash=cash, cash_said=francs(cash), token=new_token(), due=due_of(one), checked=awaited_payment(app_ctx(), actor(), one.id),
        receipts=_receipts(one), ahead=list(ahead(one)), own=list(own(one)), appointments=list(visits_of(one)), note=session.pop("note", ""),
        specimen=app_ctx().settings.marks_specimen,
    )  # fmt: skip


@blueprint.post(f"{HOME}/<number>/especes")
@helper
def cash(number: str) -> Response:
    """Record cash of the amount that the agent saw, then redirect to the receipt."""
    one, seen = case(number), request.form.get("amount", "")
    if one.dossier.is_draft:
        return go(one.at("/demande"))
    amount = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else 0
    take_cash(app_ctx(), actor(), one.id, amount, token=form_token())
    return go(one.at("/recepisse"))


@blueprint.get(f"{HOME}/<number>/recepisse.pdf")
@helper
@draws
def pdf(number: str) -> Response:
    """Serve the receipt as PDF. Redirects to the form for a draft."""
    one = case(number)
    if one.dossier.is_draft:
        return go(one.at("/demande"))
    code = _grouped(one)
    rows = [*_rows(one), *([(say("counter.code"), code)] if code else [])]
    lists = [
        (say("counter.next"), [f"{step.title}. {step.text}".removesuffix(". ") for step in time_steps(one)]),
        (say("counter.bring"), _bring(one)),
    ]
    address = f"{app_ctx().settings.short_url}/suivi" + ("/code" if code else "")
    body = counter_pdf(
        one.dossier.number, _happened(one), rows, lists, _follow(one), address, agency_of(one), app_ctx().wording,
        language(), one.dossier.submitted_at, app_ctx().settings.marks_specimen,
    )  # fmt: skip
    return file_response(body, "application/pdf", f"recepisse-{one.dossier.number}.pdf", inline=True)


def _happened(one: DossierContext) -> tuple[str, str]:
    """Return the title of the receipt and its sentence: what the person did last, or that the request is closed."""
    at, key, act = max(_deeds(one), key=itemgetter(0), default=(None, "receipt", ""))
    if one.dossier.closed_at is not None and key != "acted":
        state = one.procedure.states.get(one.dossier.state)
        return say("counter.closed_title"), say("counter.closed_text", state=label(state.label) if state else "")
    return say(f"counter.{key}_title"), say(f"counter.{key}_text", act=act, day=day_of(at) if at else "")


def _deeds(one: DossierContext) -> Iterator[tuple[datetime, str, str]]:
    """Yield what the person did since the request was sent: when, which kind, and its label."""
    for paid in payments(app_ctx(), actor(), one.id):
        if paid.status in RECEIVED and paid.ended_at is not None:
            yield paid.ended_at, "paid", ""
    for taken in one.dossier.taken:
        leaving = one.procedure.leaving.get(taken.source, ())
        transition = next((transition for transition in leaving if transition.id == taken.transition), None)
        if transition is None:
            continue
        if transition.event == "done" and one.procedure.state(taken.source).mode == "correct":
            yield taken.at, "corrected", ""
        elif APPLICANT in transition.by and (taken.by_kind == APPLICANT or taken.by in one.dossier.assisted):
            yield taken.at, "acted", label(transition.label)
    for task in one.procedure.tasks.values():
        done = one.dossier.done.get(task.id)
        if done is not None and isinstance(task, Appointment):
            yield done.at, "visited", label(task.label)
        elif done is not None and isinstance(task, Form) and task.id != APPLICATION and APPLICANT in task.by:
            yield done.at, "acted", label(task.label)


def _rows(one: DossierContext) -> list[tuple[str, str]]:
    dossier = one.dossier
    due = due_of(one)
    sent = moment_of(dossier.submitted_at)
    rows = [
        (say("counter.applicant"), dossier.label),
        (say("counter.procedure"), one.title),
        (say("counter.sent_on"), sent),
        (say("counter.office"), place_label(dossier.office)),
        (say("counter.assisted_by"), assisted_by(dossier)),
        *((say("counter.visit"), held.text) for held in visits_of(one)),
        (say("counter.fee"), _fee_said(one, due) if one.dossier.closed_at is None or due else ""),
        *(
            (
                say(f"counter.{'cash_taken' if paid.method == CASH else 'phone_paid'}"),
                say("counter.cash_line", receipt=paid.receipt or "", amount=francs(paid.amount)),
            )
            for paid in payments(app_ctx(), actor(), one.id)
            if paid.status in RECEIVED
        ),
    ]
    return [(name, value) for name, value in rows if value]


def _bring(one: DossierContext) -> list[str]:
    """Return what to bring, nothing once the dossier is closed."""
    return to_bring(one) if one.dossier.closed_at is None else []


def _receipts(one: DossierContext) -> list[tuple[str, str]]:
    """Return the addresses and numbers of the receipts of payments."""
    return [
        (one.at(f"/recu/{payment.id}.pdf"), say("counter.money_receipt", number=payment.receipt))
        for payment in payments(app_ctx(), actor(), one.id)
        if payment.status in RECEIVED and payment.receipt
    ]


def _fee_said(one: DossierContext, due: int) -> str:
    if awaited_payment(app_ctx(), actor(), one.id) is not None:
        return say("status.checking")
    return francs(due) if due else say("counter.nothing_due")


def _grouped(one: DossierContext) -> str:
    code = follow_code(app_ctx(), one.dossier)
    return f"{code[:4]} {code[4:]}" if code else ""


def _follow(one: DossierContext) -> str:
    host = urlsplit(app_ctx().settings.short_url).netloc
    phone = one.dossier.contact_phone
    if phone:
        return say("counter.follow_phone", address=f"{host}/suivi", phone=national(phone).replace(" ", "\u00a0"))
    return say("counter.follow_text", address=f"{host}/suivi/code")
