"""Pages of demonstrations only: the payer's phone, the operator's card page and the messages not sent."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, request, session

from engine.core.problems import Refused
from engine.integrations.simulated_operator import CARD_ENDINGS, DOWN, MAGIC, SandboxOperator, SandboxOrder
from engine.services.context.contact_parsing import read_phone
from engine.services.payments.settlement import record_callback
from renderers.html.controls import national
from renderers.web.platform.access import public
from renderers.web.platform.request_context import app_ctx, go, moment_of, page, say, site

blueprint = Blueprint("operator", __name__)


def _operator() -> SandboxOperator:
    """Return the simulated operator. Answers 404 outside a demonstration."""
    found = site().operator
    if found is None or not site().settings.demo:
        abort(404)
    return found


@dataclass(frozen=True, slots=True)
class DemoLetter:
    """One message, as the demonstration's inbox shows it."""

    channel: str
    to: str
    at: str
    subject: str
    body: str


@blueprint.get("/_operateur")
@public
def phone() -> Response:
    """Show the payer's simulated phone, with the payments that wait for a code."""
    operator = _operator()
    magic = [(national(f"+22890{digits}"), say(f"operator.ends.n{digits[-1]}")) for digits in (*MAGIC, DOWN)]
    note, kind = session.pop("operator_note", ""), session.pop("operator_kind", "")
    return page(
        "operator/phone.html", orders=[one for one in operator.pending_orders() if one.method != "card"], note=note, note_kind=kind,
        magic=[*magic, ("…", say("operator.ends.any"))],
    )  # fmt: skip


@blueprint.post("/_operateur")
@public
def answer() -> Response:
    """Confirm a payment with a code, or refuse it. Returns to the phone.

    The simulated operator then sends its callback, as a real operator does.
    """
    operator = _operator()
    reference, refuses = request.form.get("reference", ""), request.form.get("do") == "refuse"
    done = operator.refuse(reference) if refuses else operator.confirm(reference, request.form.get("pin", ""))
    waits = any(
        order.reference == reference for order in operator.pending_orders()
    )  # still pending: only the code was wrong
    missed = "wrong_pin" if waits else "too_late"
    key = missed if not done else "refused" if refuses else "confirmed"
    session["operator_note"], session["operator_kind"] = say(f"operator.{key}"), "ok" if done else "bad"
    reported = operator.callback(reference) if done else None
    if reported is not None:
        _report(reference, *reported)
    return go("/_operateur")


@blueprint.get("/_operateur/carte/<reference>")
@public
def card(reference: str) -> Response:
    """Show the simulated card form, where the payer chooses the outcome. Answers 404 if no such card order exists."""
    order = _card_order(reference)
    waits = order.status_at(_operator().now()) == "pending"
    return page("operator/card.html", order=order, endings=[*CARD_ENDINGS] if waits else [], back=_back(reference))


@blueprint.post("/_operateur/carte/<reference>")
@public
def card_answer(reference: str) -> Response:
    """End a card order with the chosen outcome, send the callback and redirect to the payer's page.

    Leaving the page without a post ends nothing.
    """
    operator = _operator()
    _card_order(reference)
    done = operator.end_card(reference, request.form.get("do", ""))
    reported = operator.callback(reference) if done else None
    if reported is not None:
        _report(reference, *reported)
    return go(_back(reference))


def _card_order(reference: str) -> SandboxOrder:
    found = _operator().order(reference[:60])
    if found is None or found.method != "card":
        abort(404)
    return found


def _back(reference: str) -> str:
    """Return the address to which an operator sends the payer back."""
    with app_ctx().store.unit() as unit:
        payment = unit.payment_referenced(reference[:60])
    provider = payment.provider if payment is not None else "card"
    return f"/retours/{provider}/payeur?{urlencode({'paiement': reference[:60]})}"


def _report(reference: str, headers: dict[str, str], body: bytes) -> None:
    """Record the operator's callback under the provider that placed the order."""
    with app_ctx().store.unit() as unit:
        payment = unit.payment_referenced(reference)
    if payment is not None:
        record_callback(app_ctx(), payment.provider, headers, body)


@blueprint.get("/_boite")
@public
def inbox() -> Response:
    """Show the messages to a phone number or address, at most 30, the newest first."""
    _operator()
    typed = request.args.get("a", "") or session.get("phone", "") or session.get("inbox", "")
    try:
        to = read_phone(typed)
    except Refused:
        to = typed.strip()[:60]
    session["inbox"] = to
    with app_ctx().store.unit() as unit:
        letters = unit.letters_to(to, 30) if to else ()
    shown = [
        DemoLetter(one.channel.upper(), national(one.to), moment_of(one.created_at), one.subject, one.body)
        for one in sorted(letters, key=lambda letter: letter.created_at, reverse=True)
    ]
    return page("operator/inbox.html", messages=shown, to=national(to))
