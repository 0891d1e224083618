"""An appointment opened from the link of a message, without sign-in.

The holder of the link can see, move or cancel it, or join the waiting list. The pages show no name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, request, session

from renderers.web.citizen.appointments import Counter, counter_of_link
from renderers.web.platform.access import public
from renderers.web.platform.request_context import go, page
from renderers.web.shared.appointment_notices import lost_of

blueprint = Blueprint("appointment_links", __name__)


def unkept(view: Callable[..., Response]) -> Callable[..., Response]:
    """Mark a view as not cacheable, because its address alone gives access."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Response:
        g.shareable = False
        return view(*args, **kwargs)

    return guarded


@blueprint.get("/r/<token>")
@public
@unkept
def by_link(token: str) -> Response:
    """Show the appointment of the link, or its slots if a closure cancelled it.

    Without either, show that it is over.
    """
    here = counter_of_link(token)
    if _is_over(here):
        return page("citizen/appointment_over.html", procedure=here.one.title, note=session.pop("note", ""), action=here.here,
                    dossier=here.one.dossier)  # fmt: skip
    return here.choose()


def _is_over(here: Counter) -> bool:
    """Return whether the appointment is past or was cancelled by its owner. Its link books no other one."""
    return here.booking is None and lost_of(here.one, here.task) is None


@blueprint.post("/r/<token>")
@public
@unkept
def book_by_link(token: str) -> Response:
    """Book the posted slot and redirect to the appointment. Raises `NotFound` for an unknown link."""
    here = counter_of_link(token)
    return go(here.here) if _is_over(here) else here.book()


@blueprint.route("/r/<token>/confirmer", methods=["GET", "POST"])
@public
@unkept
def confirm_by_link(token: str) -> Response:
    """Show the chosen slot before booking. A post first holds the slot."""
    here = counter_of_link(token)
    if _is_over(here):
        return go(here.here)
    return here.hold() if request.method == "POST" else here.confirm()


@blueprint.post("/r/<token>/attendre")
@public
@unkept
def wait_by_link(token: str) -> Response:
    """Join or leave the waiting list, then redirect to the slots."""
    here = counter_of_link(token)
    return go(here.here) if _is_over(here) else here.wait()


@blueprint.route("/r/<token>/annuler", methods=["GET", "POST"])
@public
@unkept
def cancel_by_link(token: str) -> Response:
    """Ask whether to cancel the appointment. A post cancels it."""
    return counter_of_link(token).cancel()


@blueprint.get("/r/<token>.ics")
@public
@unkept
def diary_by_link(token: str) -> Response:
    """Serve the appointment as an iCalendar file. Raises `NotFound` without an appointment."""
    return counter_of_link(token).diary()
