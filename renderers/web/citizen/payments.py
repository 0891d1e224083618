"""Payment by the applicant: amount, method, the page that follows an order, and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request, session

from engine.core.problems import Refused
from engine.domain.workflow.tasks import open_tasks
from engine.integrations.payment_provider import Customer
from engine.model import Appointment
from engine.records.dossier import Payment
from engine.services.context.app_context import NotFound
from engine.services.core.fee_accounts import FeeAccount
from engine.services.payments.payments import least_owed, owed, returned_payment, see_payment, start_payment, takes_cash
from engine.services.payments.receipts import receipt_code, receipt_lines
from engine.services.payments.settlement import RECEIVED, SECOND_THOUGHTS, record_callback
from renderers.html.controls import national
from renderers.i18n.formats import FIXED_SPACE
from renderers.pdf.documents import receipt_pdf
from renderers.web.platform.access import dossier_page, draws, passive, public
from renderers.web.platform.dossier_context import DossierContext, agency_of, case
from renderers.web.platform.errors import problem_json
from renderers.web.platform.refused_posts import Fault, ask_again, only_shown, refused_post
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    at_counter,
    day_of,
    file_response,
    form_token,
    go,
    moment_of,
    new_token,
    page,
    say,
    site,
)
from renderers.web.shared.money import (
    PriceLine,
    PriceTable,
    fee_line,
    first_due,
    francs,
    is_over,
    money_line,
    over_line,
    price_table,
    provider_label,
)
from renderers.web.shared.outcomes import go_noting
from renderers.web.shared.payment_methods import (
    PaymentChoice,
    following,
    holder_page,
    method_names,
    offered,
    page_left,
    read_holder,
    shown_sum,
    suits,
    typed_choice,
)

blueprint = Blueprint("payments", __name__)
_ASKED_AGAIN: Final = ("phone_format", "phone_country", "amount_refused", "amount_changed", "method_refused")

_CALLBACK_STATUS: Final = {"refused": 400, "unknown_provider": 404}
_CALLBACK_LARGEST: Final = 64 * 1024


# -- choice of the method ----------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/paiement")
def choose(one: DossierContext) -> Response:
    """Show what is due and the methods of payment. Redirects to an open payment."""
    if one.awaited is not None:
        return go(one.at(f"/paiement/{one.awaited.id}"))
    post, typed = refused_post(), typed_choice(one)
    if post.goes_on and typed.provider in offered(one) and not typed.seems:
        return _holder_page(one, typed)
    return _choose_page(one)


@dossier_page(blueprint, "/paiement", "POST")
def begin(one: DossierContext) -> Response:
    """Queue the order for the worker and redirect to its page, or show what is missing."""
    providers, typed = offered(one), typed_choice(one)
    if (shown := only_shown(lambda: _choose_page(one))) is not None:
        return shown
    faults: dict[str, Fault] = {}
    if providers and _least(one) < _total(one) and typed.how_much not in ("part", "all"):
        faults["how_much"] = "money.how_much_choose"
    if providers and typed.provider not in providers:
        faults["provider"] = "pay.choose"
    if faults or not providers or typed.seems:
        return ask_again(lambda: _choose_page(one), faults, 422 if faults else 200)
    read = read_holder(providers[typed.provider])
    if read is None:
        return ask_again(lambda: _holder_page(one, typed), {}, 200)
    if read[1]:  # the data of a card holder is never stored, so the post is answered with its page
        return _holder_page(one, typed, read[1])
    return _started(one, typed, read[0])


def _holder_page(
    one: DossierContext, typed: PaymentChoice, faults: Mapping[str, str] = MappingProxyType({})
) -> Response:
    return holder_page(one, typed.provider, typed.how_much, _least(one) if typed.part else _total(one), faults)


def _started(one: DossierContext, typed: PaymentChoice, customer: Customer) -> Response:
    try:
        payment = start_payment(
            app_ctx(), actor(), one.id, provider=typed.provider, payer=typed.payer, part=typed.part, token=form_token(),
            customer=customer, shown=shown_sum(typed),
        )  # fmt: skip
    except Refused as closed:
        if closed.reason.code in ("payment_pending", "payment_unknown"):
            return go(one.at(f"/paiement/{closed.reason.facts['payment']}"))
        if closed.reason.code == "nothing_owed":  # a payment of another tab was credited meanwhile
            return _nothing(one)
        if closed.reason.code == "payments_closed":
            session["payments_closed"] = True
            return go(one.at("/paiement"))
        if closed.reason.code in _ASKED_AGAIN:
            control = "payer" if closed.reason.code.startswith("phone") else "provider"
            return ask_again(lambda: _choose_page(one), {control: closed.reason})
        raise
    session["paying"] = payment.id
    return go(one.at(f"/paiement/{payment.id}"))


def _least(one: DossierContext) -> int:
    return least_owed(app_ctx(), actor(), one.id)


def _total(one: DossierContext) -> int:
    return sum(fee.left for fee in owed(app_ctx(), actor(), one.id))


def _choose_page(one: DossierContext) -> Response:
    choices, phone = offered(one), one.dossier.contact_phone or ""
    typed, post = typed_choice(one), refused_post()
    seems = typed.seems if post.goes_on and typed.provider in choices else ""
    providers = sorted(choices.items(), key=lambda pair: not suits(pair[1], phone))
    provider = providers[0][0] if len(providers) == 1 else typed.provider
    accounts = [account for account in one.accounts if account.open]
    total, least = sum(account.left for account in accounts), _least(one)
    if not total:
        return _nothing(one)
    return page(
        "citizen/pay.html", dossier=one.dossier, base=one.at(), procedure=one.title, errors=post.errors,
        total=total, part=least if least < total else 0, how_much=typed.how_much,
        quotes=[_table(one, account) for account in accounts], plans=[money_line(account) for account in accounts],
        due=first_due(accounts), providers=providers, provider=provider, payer=typed.payer,
        post=post, token=new_token(), revision=None, estimates=_estimates(one),
        cash=not providers and takes_cash(app_ctx(), actor(), one.id), closed=session.pop("payments_closed", False),
        only=method_names(one) if app_ctx().providers and not providers else "", seems=seems,
        chosen=provider_label(typed.provider) if seems else "", sure=f"{typed.provider} {typed.payer}" if seems else "",
        wallets=any("payer" in choice.asks for choice in choices.values()),
        none_suits=bool(phone) and not any(suits(choice, phone) for choice in choices.values()),
        cards=any(choice.method == "card" for choice in choices.values()),
    )  # fmt: skip


def _table(one: DossierContext, account: FeeAccount) -> PriceTable:
    """Return the lines of a price. If a part is paid, only the rest is due."""
    table = price_table(one, account.label, account.lines, account.left)
    if not account.paid:
        return table
    paid = PriceLine(say("money.already"), -account.paid, "", "", False)
    return replace(table, lines=(*table.lines, paid), left=True)


def _estimates(one: DossierContext) -> list[tuple[str, str]]:
    """Return the issued quotes, the documents that a price rests on."""
    return [
        (document.title, one.at(f"/documents/{document.id}.pdf"))
        for document in one.dossier.documents
        if document.status == "valid" and one.procedure.outputs[document.output].kind == "quote"
    ]


def _nothing(one: DossierContext) -> Response:
    """Redirect to the last receipt, or to the dossier, if nothing is due."""
    now = case(one.dossier.number).payments  # of another tab, too
    paid = [payment for payment in now if payment.status in RECEIVED]
    return go(one.at(f"/paiement/{paid[-1].id}") if paid else one.at())


# -- progress and outcome ----------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/paiement/<payment_id>")
@passive
def follow(one: DossierContext, payment_id: str) -> Response:
    """Show the progress of a payment or its outcome. Only the worker asks the operator.

    The automatic reload does not prolong the session.
    """
    payment = see_payment(app_ctx(), actor(), one.id, payment_id)
    if payment.status == "pending":
        return _following_page(one, payment)
    if session.get("paying") == payment.id:
        del session["paying"]
        if payment.status == "paid":
            ahead = _next_task(case(one.dossier.number))  # reload: the payment changed it
            return go_noting(ahead or one.at(), say("payment.paid"), "ok" if ahead else "")
    return _ended_page(one, payment)


@dossier_page(blueprint, "/paiement/<payment_id>.json")
@passive
def state(one: DossierContext, payment_id: str) -> Response:
    """Return the progress as JSON, and after how long the script of the page asks again."""
    payment = see_payment(app_ctx(), actor(), one.id, payment_id)
    if payment.status != "pending":
        return jsonify({"status": payment.status})
    now = following(payment, app_ctx().now())
    return jsonify({"status": now.mark, "again": now.again})


def _following_page(one: DossierContext, payment: Payment) -> Response:
    paused = "pause" in request.args
    return page(
        "citizen/paying.html", base=one.at(), procedure=one.title, payment=payment,
        payer=_number(payment.payer), provider=provider_label(payment.provider),
        now=following(payment, app_ctx().now()), here=one.at(f"/paiement/{payment.id}"), paused=paused,
        closed=_is_closed_for(one, payment),
    )  # fmt: skip


def _is_closed_for(one: DossierContext, payment: Payment) -> bool:
    """Return whether the request ended without this price, so that money for it is given back. An instalment stays due."""
    return one.dossier.closed_at is not None and not any(fee in one.dossier.done for fee in payment.fees)


def _ended_page(one: DossierContext, payment: Payment) -> Response:
    received, repaid = payment.status in RECEIVED, _is_repaid(one, payment)
    kind = {"paid": "ok", "unknown": "act", "overpaid": "act"}.get(payment.status, "bad")
    lines, strong = _why(one, payment)
    return page(
        "citizen/payment_end.html", base=one.at(), procedure=one.title, end=payment.status,
        title=say("refund.citizen_title" if repaid else f"payment.{payment.status}"), kind="ok" if repaid else kind,
        tag="" if repaid else say(f"payment.tag.{payment.status}"), reference=payment.receipt or "",
        details=_details(one, payment) if received else [], lines=lines, strong=strong,
        actions=_actions(case(one.dossier.number), payment),
    )  # fmt: skip


def _details(one: DossierContext, payment: Payment) -> list[tuple[str, str]]:
    details = [
        (say("payment.amount"), francs(payment.amount)),
        (say("payment.paid_on"), moment_of(payment.ended_at or payment.started_at)),
        (say("payment.by" if payment.payer else "payment.with"), _account(payment)),
    ]
    if payment.provider_ref:
        details.append((say("payment.operator_reference"), payment.provider_ref))
    for line in one.refunds:
        if line.refund.payment == payment.id and line.refund.fee is not None:
            details.append(
                (say("refund.tag_owed" if line.refund.paid_at is None else "refund.tag_paid"), fee_line(line))
            )
    accounts = [account for account in one.accounts if account.fee in payment.fees and account.left]
    if left := sum(account.left for account in accounts):
        due = first_due(accounts)
        text = say("money.left_before", left=francs(left), day=day_of(due)) if due else francs(left)
        details.append((say("money.left"), text))
    return details


def _account(payment: Payment) -> str:
    """Return the wallet's number and operator, or only the operator of a card."""
    label = provider_label(payment.provider)
    return f"{_number(payment.payer)} ({label})" if payment.payer else label


def _is_repaid(one: DossierContext, payment: Payment) -> bool:
    """Return whether the whole overpayment was refunded."""
    if payment.status != "overpaid":
        return False
    return all(line.refund.paid_at for line in one.refunds if is_over(line, payment))


def _number(phone: str) -> str:
    """Return a phone number with fixed spaces."""
    return national(phone).replace(" ", FIXED_SPACE)


def _why(one: DossierContext, payment: Payment) -> tuple[list[str], str]:
    """Return what happened, and one emphasised sentence on the money."""
    facts = {"phone": _number(payment.payer), "provider": provider_label(payment.provider)}
    if payment.status == "unknown":
        answer, phone = payment.started_at + SECOND_THOUGHTS, site().settings.phone.replace(" ", FIXED_SPACE)
        then = "closed" if _is_closed_for(one, payment) else "late" if app_ctx().now() > answer else "kept"
        said = say(f"payment.because.unknown_{then}", until=moment_of(answer), phone=phone)
        finish = [say("payment.because.unknown_page", **facts)] if _page_left(one, payment) else []
        why = "mismatch" if payment.reason == "mismatch" else "unknown"
        return [say(f"payment.because.{why}", **facts), *finish, said], say("payment.because.unknown_wait")
    if payment.status == "overpaid":
        closed_at = one.dossier.closed_at if _is_closed_for(one, payment) else None
        late = closed_at is not None and (payment.ended_at or payment.started_at) >= closed_at
        over = (line for line in one.refunds if is_over(line, payment))
        return [*([say("payment.because.closed")] if late else []), *map(over_line, over)], ""
    if payment.status == "paid":
        return [], ""
    reason = "expired" if payment.status == "expired" else payment.reason
    by_card = f"payment.because.card_{reason}" if payment.method == "card" else ""
    keys = [key for key in (by_card, f"payment.because.{reason}") if key and site().words.has(key)]
    return [say(keys[0] if keys else "payment.because.other", **facts)], say("payment.nothing_taken")


def _page_left(one: DossierContext, payment: Payment) -> str:
    """Return the operator's page where the payer may finish. Empty at the counter and where the money would be given back."""
    return "" if at_counter() or _is_closed_for(one, payment) else page_left(payment, app_ctx().now())


def _actions(one: DossierContext, payment: Payment) -> list[dict[str, str]]:
    """Return the links after a payment, the main one first."""
    follow_it = {"href": one.at(), "label": say("counter.to_receipt" if at_counter() else "payment.follow")}
    if payment.status in RECEIVED:
        receipt = {"href": one.at(f"/recu/{payment.id}.pdf"), "label": say("payment.receipt")}
        choose = say("counter.choose_visit" if at_counter() else "payment.book")
        ahead = _next_task(one)
        return [*([{"href": ahead, "label": choose}] if ahead else []), follow_it, receipt]
    if payment.status == "unknown":
        there = _page_left(one, payment)
        finish = {"href": there, "label": say("paying.page", provider=provider_label(payment.provider)), "away": "1"}
        return [
            *([finish] if there else []),
            follow_it,
            {"href": one.at(f"/paiement/{payment.id}"), "label": say("paying.again")},
        ]
    other = say("payment.other_number" if payment.reason in ("balance", "limit") else "payment.retry")
    owed = not _is_closed_for(one, payment) and any(account.left for account in one.accounts)
    return [*([{"href": one.at("/paiement"), "label": other}] if owed else []), follow_it]


def _next_task(one: DossierContext) -> str:
    """Return the address of the slots if an appointment can be booked, else empty."""
    ahead = open_tasks(one.procedure, one.dossier, one.evaluated().scope)
    return one.at("/rendez-vous") if any(isinstance(task, Appointment) for task in ahead) else ""


@dossier_page(blueprint, "/recu/<payment_id>.pdf")
@draws
def receipt(one: DossierContext, payment_id: str) -> Response:
    """Serve the receipt as PDF. Raises `NotFound` if no money was received."""
    payment = see_payment(app_ctx(), actor(), one.id, payment_id)
    if payment.status not in RECEIVED:
        raise NotFound
    address, spoken = f"{app_ctx().settings.short_url}/v", one.dossier.language
    body = receipt_pdf(
        payment, one.dossier, one.procedure, app_ctx().wording, spoken, address, receipt_code(app_ctx(), payment),
        agency_of(one, spoken), app_ctx().settings.marks_specimen, receipt_lines(app_ctx(), actor(), payment),
    )  # fmt: skip
    return file_response(body, "application/pdf", f"quittance-{payment.receipt or payment.id}.pdf")


# -- the operator's callback -------------------------------------------------------------------------------------------


@blueprint.get("/retours/<provider>")
@blueprint.route("/retours/<provider>/payeur", methods=["GET", "POST"])
@public
def returned(provider: str) -> Response:
    """Show the known state of a payment to the payer whom the operator sends back.

    Operators also request this page to check that the site answers.
    """
    if provider not in app_ctx().providers:
        raise NotFound
    if request.method == "POST":  # browsers send no cookie with a cross-site post
        return go(f"{request.path}?{urlencode({'paiement': request.args.get('paiement', '')[:60]})}")
    found = returned_payment(app_ctx(), actor(), provider, request.args.get("paiement", "")[:60])
    known = {}
    if found is not None:
        payment, number = found
        said = say(
            f"returned.{'received' if payment.status in RECEIVED else 'ended' if payment.ended_at and payment.status != 'unknown' else 'open'}"
        )
        known = {"said": said, "amount": payment.amount, "href": f"/dossiers/{number}/paiement/{payment.id}"}
    return page("citizen/returned.html", provider=provider_label(provider), known=known)


@blueprint.post("/retours/<provider>")
@public
def callback(provider: str) -> Response:
    """Record the notification of an operator as JSON. The worker then asks the operator for the result."""
    if (request.content_length or 0) > _CALLBACK_LARGEST:
        return problem_json(413, "too large", "", "too_large")
    outcome = record_callback(app_ctx(), provider[:40], dict(request.headers), request.get_data(cache=False))
    status = _CALLBACK_STATUS.get(outcome.code, 200)
    if status == 200:
        return jsonify({"outcome": outcome.code})
    return problem_json(status, outcome.code, outcome.reason or "", outcome.code)
