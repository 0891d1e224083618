"""Summary of the answers, declaration and submission, and the page that confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.domain.workflow.fee_quotes import Quote, fee_names
from engine.model import APPLICATION, Fee
from engine.records.dossier import Actor
from engine.services.applications.drafts import CheckSheet, check, see, submit
from engine.services.context.app_context import NotFound, WrongAnswers
from engine.storage.results import Conflict
from renderers.html.controls import control_id, national, problem_sentence
from renderers.html.row_pages import find_row, row_at
from renderers.i18n.translations import whole_number
from renderers.web.citizen.start import change_of, has_changed, renewed
from renderers.web.citizen.status import next_act, waiting
from renderers.web.citizen.tracking import exceptions, steps_ahead
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext, case_of, drawing, label, to_bring, writer
from renderers.web.platform.refused_posts import ask_again, refused_post
from renderers.web.platform.request_context import (
    PROOF,
    actor,
    app_ctx,
    client,
    day_of,
    form_revision,
    form_token,
    go,
    new_token,
    page,
    say,
)
from renderers.web.shared.answers import AnswerLine, AnswerSection, answer_sections
from renderers.web.shared.money import PriceTable, first_due, francs, price_table

blueprint = Blueprint("submit", __name__)
RETURN = "?retour=verification"


@dossier_page(blueprint, "/verification", unproven=True)
def verify(one: DossierContext) -> Response:
    """Show the summary of the draft, with what is missing. Redirects once it is submitted."""
    one = renewed(one)
    if not one.dossier.is_draft:
        return go(one.at("/envoye"))
    return _verify_page(one)


def _verify_page(one: DossierContext) -> Response:
    return check_page(one, check(app_ctx(), actor(), one.id), undeclared=refused_post().found)


@dossier_page(blueprint, "/verification", "POST", unproven=True)
def send(one: DossierContext) -> Response:
    """Submit the request and redirect to the confirmation.

    A second post redirects to the confirmation. If anything prevents submission, the summary shows it. An unverified
    number is verified first.
    """
    one = renewed(one)
    if not one.dossier.is_draft:
        return go(one.at("/envoye"))
    if has_changed(one):
        return go(one.at("/verification"))
    if request.form.get("declared") != "1":
        return ask_again(lambda: _verify_page(one), {"declared": "check.undeclared"})
    if actor().unproven:
        seen = form_revision()
        session["next"] = one.at("/verification")
        session["sending"] = {"number": one.dossier.number, "revision": one.dossier.revision if seen is None else seen}
        return go(PROOF)
    try:
        submit(app_ctx(), actor(), one.id, declared=True, revision=form_revision(), token=form_token(), client=client())
    except WrongAnswers:
        return go(one.at("/verification"))
    except Refused as closed:
        if closed.reason.code != "link_missing":
            raise
        return go(one.at("/verification"))
    return go(one.at("/envoye"))


def send_declared(who: Actor, number: str, revision: int) -> str:
    """Submit what the applicant declared before the verification of the number, if it is unchanged since.

    Returns the address where the applicant continues. What prevents submission is shown there.
    """
    try:
        one = case_of(who, number)
    except NotFound:  # the applicant chose not to keep it
        return "/dossiers"
    try:
        submit(app_ctx(), who, one.id, declared=True, revision=revision, client=client())
    except (WrongAnswers, Refused, Conflict):
        return one.at("/verification")
    return one.at("/envoye")


def check_page(
    one: DossierContext, sheet: CheckSheet, undeclared: bool = False, *, status: int = 200, counter: Mapping[str, object] | None = None
) -> Response:  # fmt: skip
    """Show the summary. At the `counter` it also asks how the applicant confirms."""
    errors = [("#declared", say("check.undeclared"))] if undeclared else []
    if counter and counter.get("error"):
        errors.append(("#confirm_code", str(counter["error"])))
    draw = drawing(one)
    warnings = [problem_sentence(problem, draw) for problem in sheet.problems if problem.warns]
    total, now = sum(quote.amount for quote in sheet.quotes), sum(quote.amount for quote in _at_once(one, sheet))
    last = next((view.id for view in reversed(sheet.form.pages) if not view.known), "")
    return page(
        "citizen/check.html", status, counter=counter, procedure=one.title, errors=errors, warnings=warnings, note=session.pop("note", ""), changed=change_of(one),
        sections=checked_sections(one, sheet),
        quotes=[_table(one, quote) for quote in sheet.quotes], price=francs(total) if total else say("price.free"),
        costs=() if sheet.quotes else writer(one.procedure).costs(owed=False),
        today=day_of(app_ctx().now()), pay_when=say("check.pay_next", amount=francs(now)) if now else say("check.pay_later") if total > 0 else "",
        missing=_missing(one, sheet), token=new_token(), revision=sheet.dossier.revision,
        reused=_reused(one), back=one.at(f"/demande/{last}"), later=one.at("/demande"),
    )  # fmt: skip


def checked_sections(one: DossierContext, sheet: CheckSheet) -> list[AnswerSection]:
    """Return all answers by section, each section with the address where it is changed."""
    return [*_links(one, sheet), *answer_sections(one, sheet.form, RETURN)]


def _reused(one: DossierContext) -> str:
    """Return from which earlier request the draft still holds answers, empty without one.

    Who may not see that request, such as a representative for this one, reads its day only.
    """
    reused = one.dossier.reused
    if reused is None or not reused.fields:
        return ""
    try:
        earlier = see(app_ctx(), actor(), reused.number)
    except NotFound:
        return say("reuse.on_page", day=day_of(reused.sent_at))
    summary = app_ctx().catalogue.summary(earlier.procedure)
    title = label(summary.title) if summary else earlier.procedure
    return say("reuse.taken", day=day_of(reused.sent_at), title=title, number=whole_number(reused.number))


def _at_once(one: DossierContext, sheet: CheckSheet) -> list[Quote]:
    """Return the fees paid directly after submission."""
    start = one.procedure.state(one.procedure.start)
    return [quote for quote in sheet.quotes if start.mode == "pay" and quote.fee in start.waits]


def _table(one: DossierContext, quote: Quote) -> PriceTable:
    """Return the lines of a price. A note says if an agent's later answer may change it."""
    table = price_table(one, quote.label, quote.lines, quote.amount)
    fee = one.procedure.tasks[quote.fee]
    later = frozenset(field.id for form in one.procedure.forms() if form.id != APPLICATION for field in form.fields)
    decided = isinstance(fee, Fee) and bool(fee_names(fee) & later)
    return replace(table, note=say("money.decided_later")) if decided or quote.missing else table


def _links(one: DossierContext, sheet: CheckSheet) -> list[AnswerSection]:
    """Return a section for each earlier dossier that is named and still fits."""
    return [
        AnswerSection(label(link.label), (AnswerLine(say("frame.number"), whole_number(linked.number)),), one.at(f"/lien/{link.id}"))
        for link in one.procedure.links()
        if (linked := sheet.dossier.links.get(link.id)) is not None
    ]  # fmt: skip


def _missing(one: DossierContext, sheet: CheckSheet) -> list[tuple[str, str]]:
    """Return what is missing: earlier dossiers to name, then questions, each with its address."""
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


@dossier_page(blueprint, "/envoye")
def sent(one: DossierContext) -> Response:
    """Show the confirmation of submission. Redirects to the form for a draft."""
    if one.dossier.is_draft:
        return go(one.at("/demande"))
    due = one.left_to_pay
    phone, awaited = one.dossier.contact_phone, one.awaited
    checking = one.at(f"/paiement/{awaited.id}") if due and awaited else ""
    before = first_due(account for account in one.accounts if account.open)
    return page(
        "citizen/sent.html", dossier=one.dossier, procedure=one.title, checking=checking,
        unpaid=francs(due) if due else "", pay_before=say("pay.before", day=day_of(before)) if before else "",
        phone=national(phone).replace(" ", "\u00a0") if phone else "", steps=steps_ahead(one), exceptions=[] if checking else exceptions(one), bring=to_bring(one),
        act=next_act(one), until=waiting(one),
    )  # fmt: skip
