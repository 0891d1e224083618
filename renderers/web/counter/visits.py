"""The visit of who is helped, chosen, moved or given back at the counter; it is written on their receipt, no diary is asked for."""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen.appointments import choose_visit, confirm_visit
from renderers.web.citizen.appointments import counter as visit
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case

blueprint = Blueprint("counter_visits", __name__)


@blueprint.get(f"{HOME}/<number>/rendez-vous")
@helper
def choose(number: str) -> Response:
    return choose_visit(case(number))


@blueprint.post(f"{HOME}/<number>/rendez-vous")
@helper
def book(number: str) -> Response:
    return visit(case(number)).book()


@blueprint.route(f"{HOME}/<number>/rendez-vous/confirmer", methods=["GET", "POST"])
@helper
def confirm(number: str) -> Response:
    return confirm_visit(case(number))


@blueprint.post(f"{HOME}/<number>/rendez-vous/attendre")
@helper
def wait(number: str) -> Response:
    return visit(case(number)).wait()


@blueprint.route(f"{HOME}/<number>/rendez-vous/annuler", methods=["GET", "POST"])
@helper
def cancel(number: str) -> Response:
    return visit(case(number)).cancel()
