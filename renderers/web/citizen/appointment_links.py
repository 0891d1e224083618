"""An appointment opened from the link of a message, without sign-in.

The holder of the link can see, move or cancel it, or join the waiting list. The pages show no name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeAlias

from flask import Blueprint, Response, g, request, session

from renderers.web.citizen.appointments import Counter, counter_of_link
from renderers.web.platform.access import public
from renderers.web.platform.request_context import go, page
from renderers.web.shared.appointment_notices import lost_of

blueprint = Blueprint("appointment_links", __name__)
LinkView: TypeAlias = Callable[[Counter], Response]


def _linked(rest: str, *methods: str) -> Callable[[LinkView], LinkView]:
    """Register a page of the link, which gets its appointment. Its address alone gives access: no cache keeps it.

    Raises `NotFound` for an unknown link.
    """

    def registered(view: LinkView) -> LinkView:
        @wraps(view)
        def opened(token: str) -> Response:
            g.shareable = False
            return view(counter_of_link(token))

        blueprint.add_url_rule(f"/r/<token>{rest}", view.__name__, public(opened), methods=methods or ("GET",))
        return view

    return registered


@_linked("")
def by_link(here: Counter) -> Response:
    """Show the appointment of the link, or its slots if a closure cancelled it.

    Without either, show that it is over.
    """
    if _is_over(here):
        return page("citizen/appointment_over.html", procedure=here.one.title, note=session.pop("note", ""), action=here.here,
                    dossier=here.one.dossier)  # fmt: skip
    return here.choose()


def _is_over(here: Counter) -> bool:
    """Return whether the appointment is past or was cancelled by its owner. Its link books no other one."""
    return here.booking is None and lost_of(here.one, here.task) is None


@_linked("", "POST")
def book_by_link(here: Counter) -> Response:
    """Book the posted slot and redirect to the appointment."""
    return go(here.here) if _is_over(here) else here.book()


@_linked("/confirmer", "GET", "POST")
def confirm_by_link(here: Counter) -> Response:
    """Show the chosen slot before booking. A post first holds the slot."""
    if _is_over(here):
        return go(here.here)
    return here.hold() if request.method == "POST" else here.confirm()


@_linked("/attendre", "POST")
def wait_by_link(here: Counter) -> Response:
    """Join or leave the waiting list, then redirect to the slots."""
    return go(here.here) if _is_over(here) else here.wait()


@_linked("/annuler", "GET", "POST")
def cancel_by_link(here: Counter) -> Response:
    """Ask whether to cancel the appointment. A post cancels it."""
    return here.cancel()


@_linked(".ics")
def diary_by_link(here: Counter) -> Response:
    """Serve the appointment as an iCalendar file. Raises `NotFound` without an appointment."""
    return here.diary()
