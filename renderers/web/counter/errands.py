"""What is asked of the applicant after sending, filled in at the counter with them: a later form, whole or row by row."""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen.later_forms import fill_later_form, show_later_form, show_later_form_part
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case

blueprint = Blueprint("counter_errands", __name__)


@blueprint.get(f"{HOME}/<number>/a-faire/<form_id>")
@helper
def show(number: str, form_id: str) -> Response:
    return show_later_form(case(number), form_id)


@blueprint.post(f"{HOME}/<number>/a-faire/<form_id>")
@helper
def fill(number: str, form_id: str) -> Response:
    return fill_later_form(case(number), form_id, None)


@blueprint.get(f"{HOME}/<number>/a-faire/<form_id>/<part>")
@helper
def show_part(number: str, form_id: str, part: str) -> Response:
    return show_later_form_part(case(number), form_id, part)


@blueprint.post(f"{HOME}/<number>/a-faire/<form_id>/<part>")
@helper
def fill_part(number: str, form_id: str, part: str) -> Response:
    return fill_later_form(case(number), form_id, part)
