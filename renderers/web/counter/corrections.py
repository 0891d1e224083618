"""Correcting at the counter, with the person, what an agent named: the same page, under the hand of who helps."""

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
    return show_corrections(case(number))


@blueprint.post(f"{HOME}/<number>/corrections")
@helper
def save(number: str) -> Response:
    return keep_corrections(case(number))
