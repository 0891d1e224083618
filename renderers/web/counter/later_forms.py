"""Later forms filled in at the counter with the applicant, whole or row by row."""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen.later_forms import fill_later_form, show_later_form, show_later_form_part
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case

blueprint = Blueprint("counter_later_forms", __name__)


@blueprint.get(f"{HOME}/<number>/a-faire/<form_id>")
@helper
def show(number: str, form_id: str) -> Response:
    """Show a later form, or the list of its rows."""
    return show_later_form(case(number), form_id)


@blueprint.post(f"{HOME}/<number>/a-faire/<form_id>")
@helper
def fill(number: str, form_id: str) -> Response:
    """Save a later form and redirect to the receipt."""
    return fill_later_form(case(number), form_id, None)


@blueprint.get(f"{HOME}/<number>/a-faire/<form_id>/<part>")
@helper
def show_part(number: str, form_id: str, part: str) -> Response:
    """Show one row of a later form. Raises `NotFound` for an unknown row."""
    return show_later_form_part(case(number), form_id, part)


@blueprint.post(f"{HOME}/<number>/a-faire/<form_id>/<part>")
@helper
def fill_part(number: str, form_id: str, part: str) -> Response:
    """Save one row and redirect to the list of rows, or to the receipt after the last."""
    return fill_later_form(case(number), form_id, part)
