"""Paying by telephone at the counter: the agent types the payer's number, the person confirms on their own telephone, and the page
follows with the same ends as theirs would; the quote that a price rests on, where there is one, is read there."""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen.documents import document_file
from renderers.web.citizen.payments import (
    begin_payment,
    choose_payment,
    follow_payment,
    payment_state,
    receipt_file,
)
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper, passive
from renderers.web.platform.dossier_context import DossierContext, case
from renderers.web.platform.request_context import go

blueprint = Blueprint("counter_payment", __name__)


@blueprint.get(f"{HOME}/<number>/paiement")
@helper
def choose(number: str) -> Response:
    one = case(number)
    return _unsent(one) or choose_payment(one)


@blueprint.post(f"{HOME}/<number>/paiement")
@helper
def begin(number: str) -> Response:
    one = case(number)
    return _unsent(one) or begin_payment(one)


def _unsent(one: DossierContext) -> Response | None:
    """Nothing is owed for a draft: it goes on."""
    return go(one.at("/demande")) if one.dossier.is_draft else None


@blueprint.get(f"{HOME}/<number>/paiement/<payment_id>")
@helper
@passive
def follow(number: str, payment_id: str) -> Response:
    return follow_payment(case(number), payment_id)


@blueprint.get(f"{HOME}/<number>/paiement/<payment_id>.json")
@helper
@passive
def state(number: str, payment_id: str) -> Response:
    return payment_state(case(number), payment_id)


@blueprint.get(f"{HOME}/<number>/recu/<payment_id>.pdf")
@helper
def receipt(number: str, payment_id: str) -> Response:
    return receipt_file(case(number), payment_id)


@blueprint.get(f"{HOME}/<number>/documents/<document_id>.pdf")
@helper
def estimate(number: str, document_id: str) -> Response:
    return document_file(case(number), document_id)
