"""Corrections at the counter, on the applicant's own page, by the agent who helps."""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen.corrections import keep_corrections, show_corrections
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case

blueprint = Blueprint("counter_corrections", __name__)


@blueprint.get(f"{HOME}/<number>/corrections")
@helper
def show(number: str) -> Response:
    """Show the questions to correct. Redirects to the receipt if none are asked."""
    return show_corrections(case(number))


@blueprint.post(f"{HOME}/<number>/corrections")
@helper
def save(number: str) -> Response:
    """Save the corrections. « Renvoyer » also sends the dossier back once none is left."""
    return keep_corrections(case(number))
