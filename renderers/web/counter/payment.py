"""Payment by phone at the counter.

The agent types the payer's number, and the person confirms on their own phone. The pages are those of the applicant.
"""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen import documents, payments
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper, passive
from renderers.web.platform.dossier_context import DossierContext, case
from renderers.web.platform.request_context import go

blueprint = Blueprint("counter_payment", __name__)


@blueprint.get(f"{HOME}/<number>/paiement")
@helper
def choose(number: str) -> Response:
    """Show what is due and the methods of payment. Redirects to the form for a draft."""
    one = case(number)
    return _unsent(one) or payments.choose(one)


@blueprint.post(f"{HOME}/<number>/paiement")
@helper
def begin(number: str) -> Response:
    """Start a payment and redirect to the page that follows it. Redirects to the form for a draft."""
    one = case(number)
    return _unsent(one) or payments.begin(one)


def _unsent(one: DossierContext) -> Response | None:
    """Return the redirect to the form for a draft, None otherwise. Nothing is due for a draft."""
    return go(one.at("/demande")) if one.dossier.is_draft else None


@blueprint.get(f"{HOME}/<number>/paiement/<payment_id>")
@helper
@passive
def follow(number: str, payment_id: str) -> Response:
    """Show the progress of a payment or its outcome. The automatic reload does not prolong the session."""
    return payments.follow(case(number), payment_id)


@blueprint.get(f"{HOME}/<number>/paiement/<payment_id>.json")
@helper
@passive
def state(number: str, payment_id: str) -> Response:
    """Return the progress as JSON for the script of the page."""
    return payments.state(case(number), payment_id)


@blueprint.get(f"{HOME}/<number>/recu/<payment_id>.pdf")
@helper
def receipt(number: str, payment_id: str) -> Response:
    """Serve the receipt as PDF. Raises `NotFound` if no money was received."""
    return payments.receipt(case(number), payment_id)


@blueprint.get(f"{HOME}/<number>/documents/<document_id>.pdf")
@helper
def estimate(number: str, document_id: str) -> Response:
    """Serve an issued document as PDF, for example the quote that a price rests on. Raises `NotFound`."""
    return documents.download(case(number), document_id)
