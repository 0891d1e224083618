"""Demonstrations only: the phone of whoever pays, played by a page, and the messages that would have left."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, abort, request, session

from engine.gateways.sandbox import MAGIC, SandboxOperator
from engine.office.phones import read_phone
from engine.office.settlement import record_callback
from engine.problems import Refused
from renderers.web.base import go, moment_of, office, page, say, site
from renderers.web.guards import public
from renderers.web_form import national

blueprint = Blueprint("operator", __name__)


def _operator() -> SandboxOperator:
    """The simulated operator; without one these pages do not exist."""
    found = site().operator
    if found is None or not site().settings.demo:
        abort(404)
    return found


@dataclass(frozen=True, slots=True)
class DemoLetter:
    channel: str
    to: str
    at: str
    subject: str
    body: str


@blueprint.get("/_operateur")
@public
def phone() -> Response:
    operator = _operator()
    magic = [(national(f"+228{digits}"), say(f"operator.ends.n{digits[-1]}")) for digits in (*MAGIC, "90000008")]
    note, kind = session.pop("operator_note", ""), session.pop("operator_kind", "")
    return page(
        "operator/phone.html", orders=operator.pending_orders(), note=note, note_kind=kind,
        magic=[*magic, ("…", say("operator.ends.any"))],
    )  # fmt: skip


@blueprint.post("/_operateur")
@public
def answer() -> Response:
    """The payer types a code, or refuses; the operator then tells us, as a real one would."""
    operator = _operator()
    reference, refuses = request.form.get("reference", ""), request.form.get("do") == "refuse"
    done = operator.refuse(reference) if refuses else operator.confirm(reference, request.form.get("pin", ""))
    waits = any(
        order.reference == reference for order in operator.pending_orders()
    )  # still, so only the code was wrong
    missed = "wrong_pin" if waits else "too_late"
    key = missed if not done else "refused" if refuses else "confirmed"
    session["operator_note"], session["operator_kind"] = say(f"operator.{key}"), "ok" if done else "bad"
    told = operator.callback(reference) if done else None
    if told is not None:
        _tell(reference, *told)
    return go("/_operateur")


def _tell(reference: str, headers: dict[str, str], body: bytes) -> None:
    """The callback, under the name of the provider that placed the order."""
    with office().store.unit() as unit:
        payment = unit.payment_referenced(reference)
    if payment is not None:
        record_callback(office(), payment.provider, headers, body)


@blueprint.get("/_boite")
@public
def inbox() -> Response:
    _operator()
    typed = request.args.get("a", "") or session.get("phone", "") or session.get("inbox", "")
    try:
        to = read_phone(typed)
    except Refused:
        to = typed.strip()[:60]
    session["inbox"] = to
    with office().store.unit() as unit:
        letters = unit.letters_to(to, 30) if to else ()
    shown = [
        DemoLetter(
            one.channel.upper(),
            national(one.to),
            moment_of(one.created_at),
            one.subject,
            one.body,
        )
        for one in sorted(letters, key=lambda letter: letter.created_at, reverse=True)
    ]
    return page("operator/inbox.html", letters=shown, to=national(to))
