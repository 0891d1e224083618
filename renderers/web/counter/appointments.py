"""Appointments at the counter: chosen, moved or cancelled with the applicant, and printed on the receipt."""

from __future__ import annotations

from flask import Blueprint, Response

from renderers.web.citizen.appointments import choose_visit, confirm_visit
from renderers.web.citizen.appointments import counter as visit
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case

blueprint = Blueprint("counter_appointments", __name__)


@blueprint.get(f"{HOME}/<number>/rendez-vous")
@helper
def choose(number: str) -> Response:
    """Show the booking or the free slots. Redirects to the receipt if there is no appointment."""
    return choose_visit(case(number))


@blueprint.post(f"{HOME}/<number>/rendez-vous")
@helper
def book(number: str) -> Response:
    """Book the posted slot and redirect to the appointment. Shows the slots again (409) if it is taken."""
    return visit(case(number)).book()


@blueprint.route(f"{HOME}/<number>/rendez-vous/confirmer", methods=["GET", "POST"])
@helper
def confirm(number: str) -> Response:
    """Show the chosen slot before booking. A post first holds the slot."""
    return confirm_visit(case(number))


@blueprint.post(f"{HOME}/<number>/rendez-vous/attendre")
@helper
def wait(number: str) -> Response:
    """Join or leave the waiting list, then redirect to the slots."""
    return visit(case(number)).wait()


@blueprint.route(f"{HOME}/<number>/rendez-vous/annuler", methods=["GET", "POST"])
@helper
def cancel(number: str) -> Response:
    """Ask whether to cancel the booking. A post cancels it and redirects to the receipt."""
    return visit(case(number)).cancel()
