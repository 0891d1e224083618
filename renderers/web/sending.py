"""Check-your-answers, the declaration, sending; and the page that says for ever that it was sent."""

from __future__ import annotations

from flask import Blueprint, Response, request

from engine.clock import local_day
from engine.office.cashier import owed
from engine.office.intake import CheckSheet, check, submit
from engine.office.office import WrongAnswers
from engine.rules.fees import Quote
from renderers.row_pages import find_row, row_at
from renderers.web.answers import answer_sections
from renderers.web.base import (
    actor,
    form_revision,
    form_token,
    go,
    language,
    new_token,
    office,
    page,
    say,
    signed_in,
    site,
)
from renderers.web.cases import Case, case, drawing, label, to_bring
from renderers.web.payments import PriceTable, price_table
from renderers.web.tracking import time_steps
from renderers.web_form import control_id, national, problem_sentence

blueprint = Blueprint("sending", __name__)
RETURN = "?retour=verification"


@blueprint.get("/dossiers/<number>/verification")
@signed_in
def verify(number: str) -> Response:
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at("/envoye"))
    return _check_page(one, check(office(), actor(), one.id))


@blueprint.post("/dossiers/<number>/verification")
@signed_in
def send(number: str) -> Response:
    """Sends the request. Sent already, by a double tap or from another page: the confirmation again."""
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at("/envoye"))
    if request.form.get("declared") != "1":
        return _check_page(one, check(office(), actor(), one.id), undeclared=True)
    try:
        submit(office(), actor(), one.id, declared=True, revision=form_revision(), token=form_token())
    except WrongAnswers:
        return _check_page(one, check(office(), actor(), one.id), status=422)
    return go(one.at("/paiement" if owed(office(), actor(), one.id) else "/envoye"))


def _check_page(one: Case, sheet: CheckSheet, undeclared: bool = False, status: int = 200) -> Response:
    errors = [("#declared", say("check.undeclared"))] if undeclared else []
    draw = drawing(one)
    warnings = [problem_sentence(problem, draw) for problem in sheet.problems if problem.warns]
    total = sum(quote.amount for quote in sheet.quotes)
    pays_now = _pays_now(one) and total > 0
    button = say("check.send_pay", amount=site().words.money(total, language())) if pays_now else say("check.send")
    last = sheet.form.pages[-1].id if sheet.form.pages else ""
    return page(
        "citizen/check.html", 422 if undeclared else status, procedure=one.title, errors=errors, warnings=warnings,
        sections=answer_sections(one, sheet.form, RETURN), quotes=[_table(one, quote) for quote in sheet.quotes],
        today=site().words.plain_day(local_day(office().now()), language()), pay_later=total > 0 and not pays_now,
        missing=_missing(one, sheet), send=button, token=new_token(), revision=sheet.dossier.revision,
        back=one.at(f"/demande/{last}"), number_raw=one.dossier.number,
        grand=site().words.money(total, language()) if len(sheet.quotes) > 1 else "",
    )  # fmt: skip


def _pays_now(one: Case) -> bool:
    """Is paying the first thing after sending?"""
    return one.procedure.state(one.procedure.start).mode == "pay"


def _table(one: Case, quote: Quote) -> PriceTable:
    return price_table(one, quote.label, quote.lines, quote.amount)


def _missing(one: Case, sheet: CheckSheet) -> list[tuple[str, str]]:
    """Where to complete: an earlier dossier to name, then question by question."""
    found = [(one.at(f"/lien/{link.id}"), label(link.label)) for link in sheet.links]
    for view in sheet.form.pages:
        for problem in view.errors:
            name = label(problem.label) or label(view.title)
            row = row_at(view, problem.at)
            if in_row := find_row(view, row) if row else None:
                name = say("row.of", group=in_row.row.label or say("rows.number", number=in_row.row.number), label=name)
            address = one.at(f"/demande/{view.id}") + (f"/{row}" if row else "")
            found.append((f"{address}{RETURN}#{control_id(problem.at)}", name))
    return found


@blueprint.get("/dossiers/<number>/envoye")
@signed_in
def sent(number: str) -> Response:
    one = case(number)
    if one.dossier.is_draft:
        return go(one.at("/demande"))
    due = sum(fee.left for fee in owed(office(), actor(), one.id))
    phone = one.dossier.contact_phone
    return page(
        "citizen/sent.html", dossier=one.dossier, procedure=one.title,
        unpaid=site().words.money(due, language()) if due else "",
        phone=national(phone).replace(" ", "\u00a0") if phone else "", steps=time_steps(one), bring=to_bring(one),
    )  # fmt: skip
