"""The earlier dossier that a request renews, changes or needs, named at the counter: the person's own, or one whose telephone they hold."""

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
    return choose_link(case(number), link_id)


@blueprint.post(f"{HOME}/<number>/lien/<link_id>")
@helper
def name(number: str, link_id: str) -> Response:
    return name_link(case(number), link_id)


@blueprint.get(f"{HOME}/<number>/lien/<link_id>/code")
@helper
def ask_code(number: str, link_id: str) -> Response:
    return ask_link_code(case(number), link_id)


@blueprint.post(f"{HOME}/<number>/lien/<link_id>/code")
@helper
def check_code(number: str, link_id: str) -> Response:
    return check_link_code(case(number), link_id)


@blueprint.get(f"{HOME}/<number>/lien/<link_id>/<earlier>")
@helper
def choose_row(number: str, link_id: str, earlier: str) -> Response:
    return choose_link_row(case(number), link_id, earlier)


@blueprint.post(f"{HOME}/<number>/lien/<link_id>/<earlier>")
@helper
def keep_row(number: str, link_id: str, earlier: str) -> Response:
    return keep_link_row(case(number), link_id, earlier)
