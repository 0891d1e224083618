"""The earlier dossier of a request, named at the counter: the applicant's own, or one whose phone is verified."""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen.linked_dossiers import (
    ask_link_code,
    check_link_code,
    choose_link,
    choose_link_row,
    keep_link_row,
    name_link,
)
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case

blueprint = Blueprint("counter_links", __name__)


@blueprint.get(f"{HOME}/<number>/lien/<link_id>")
@helper
def choose(number: str, link_id: str) -> Response:
    """Show the choice of the earlier dossier."""
    return choose_link(case(number), link_id)


@blueprint.post(f"{HOME}/<number>/lien/<link_id>")
@helper
def name(number: str, link_id: str) -> Response:
    """Name the earlier dossier and go on, or ask for a code."""
    return name_link(case(number), link_id)


@blueprint.get(f"{HOME}/<number>/lien/<link_id>/code")
@helper
def ask_code(number: str, link_id: str) -> Response:
    """Show the form for the code sent to the phone of the earlier dossier."""
    return ask_link_code(case(number), link_id)


@blueprint.post(f"{HOME}/<number>/lien/<link_id>/code")
@helper
def check_code(number: str, link_id: str) -> Response:
    """Check the code, then name the dossier. Shows the form again (422) if it is wrong."""
    return check_link_code(case(number), link_id)


@blueprint.get(f"{HOME}/<number>/lien/<link_id>/<earlier>")
@helper
def choose_row(number: str, link_id: str, earlier: str) -> Response:
    """Show the choice of the row to copy from the earlier dossier."""
    return choose_link_row(case(number), link_id, earlier)


@blueprint.post(f"{HOME}/<number>/lien/<link_id>/<earlier>")
@helper
def save_row(number: str, link_id: str, earlier: str) -> Response:
    """Name the dossier with the chosen row and go on."""
    return keep_link_row(case(number), link_id, earlier)
