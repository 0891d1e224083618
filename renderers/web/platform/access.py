"""Who may open a view: each says so with one of `public`, `unasked`, `signed_in`, `agent`, `helper`, `auditor`; one that says
nothing stops the start (`check_guards`). Who has not proven their number is nobody to any view but those that say
`unproven_too`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode

from flask import Flask, Response, abort, g, request, session

from engine.records.dossier import ANONYMOUS
from engine.services.accounts.assistance import received_by
from engine.services.sign_in.sessions import is_fresh
from engine.services.sign_in.unverified_drafts import holds
from renderers.web.platform.request_context import (
    AGENT_AREA,
    APPLICANT_AREA,
    AUDITOR_AREA,
    COUNTER_AREA,
    PROOF,
    actor,
    app_ctx,
    claimant,
    dossier_number,
    go,
    page,
    say,
    session_token,
)
from renderers.web.platform.saved_posts import set_aside

View = TypeVar("View", bound=Callable[..., Any])

_SIGN_IN: Final = {APPLICANT_AREA: "/connexion", AGENT_AREA: "/agent/connexion", AUDITOR_AREA: "/audit/connexion"}


def public(view: View) -> View:
    """For everyone, without signing in. What an address asks may be personal (an age, a code): such pages are not kept."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.unproven_too = serves_unproven(view)
        g.shareable = request.method in ("GET", "HEAD") and not request.query_string and not actor().id
        return view(*args, **kwargs)

    return _marked(guarded, "public")


def unasked(view: View) -> View:
    """For machines that watch the installation: nobody is asked who they are, and the store nothing for it."""
    return _marked(view, "unasked")


def signed_in(view: View) -> View:
    """For an applicant. Anyone else signs in first; what they posted is kept meanwhile."""
    return _area(view, APPLICANT_AREA, ())


def proves_anew(back: str) -> Response | None:
    """Where whoever signed in long ago signs in again, before how they are known or let in is changed, to come `back` then.
    Nothing for who proved who they are a moment ago (ASVS 5.0 V7.5.1, V7.5.2)."""
    area = g.get("desk", APPLICANT_AREA)
    if is_fresh(app_ctx(), session_token(area)):
        return None
    session["note" if area == APPLICANT_AREA else "desk_note"] = say("own.prove_anew")
    return go(f"{_SIGN_IN[area]}?{urlencode({'suite': back})}")


def unproven_too(view: View) -> View:
    """Written below a guard: this view serves who has not proven their number as well, with what they began in this browser."""
    view.unproven_too = True  # type: ignore[attr-defined]
    return view


def serves_unproven(view: Callable[..., Any]) -> bool:
    return bool(getattr(view, "unproven_too", False))


def passive(view: View) -> View:
    """Written below a guard: a page that looks again by itself shows that a browser is open, not that a person is there. It
    keeps no session alive."""
    view.passive = True  # type: ignore[attr-defined]
    return view


def agent(*roles: str) -> Callable[[View], View]:
    """For an agent; with `roles` (short names), only who holds one of them in some agency."""
    return lambda view: _area(view, AGENT_AREA, roles)


def helper(view: View) -> View:
    """For an agent who helps somebody at this moment: they stand where that person stands. Once it is over, the page says so."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.desk, g.passive = COUNTER_AREA, bool(getattr(view, "passive", False))
        who = actor()
        if who is ANONYMOUS:
            return _to_sign_in(AGENT_AREA)
        if not who.principal:
            g.desk = AGENT_AREA
            if not received_by(app_ctx(), actor()):
                abort(403)
            return page("agent/counter_over.html", 403, badge=None)
        return view(*args, **kwargs)

    return _marked(guarded, "agent")


def auditor(view: View) -> View:
    """For an auditor."""
    return _area(view, AUDITOR_AREA, ())


def _area(view: View, area: str, roles: Iterable[str]) -> View:
    wanted = frozenset(roles)

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.desk, g.unproven_too, g.passive = area, serves_unproven(view), bool(getattr(view, "passive", False))
        who = actor()
        if who.unproven and "number" in kwargs and not holds(app_ctx(), who, dossier_number(kwargs["number"])):
            g.unproven_too = False  # told like what does not exist: prove who you are
            who = actor()
        if who is ANONYMOUS:
            return _to_sign_in(area)
        if wanted and not wanted & {role.rpartition("/")[2] for role in who.roles}:
            abort(403)
        return view(*args, **kwargs)

    return _marked(guarded, area)


def _marked(view: Callable[..., Any], guard: str) -> View:
    view.guard = guard  # type: ignore[attr-defined]
    return cast(View, view)


def _to_sign_in(area: str) -> Response:
    if request.path.endswith(".json"):
        abort(401)
    back = request.full_path.rstrip("?")
    if request.method == "POST":
        set_aside(area, request.path, request.form.lists())
        back = "/reprendre" if area == APPLICANT_AREA else request.path
    page = PROOF if area == APPLICANT_AREA and claimant().id else _SIGN_IN[area]
    return go(f"{page}?{urlencode({'suite': back})}")


def check_guards(app: Flask) -> None:
    """Raises when a route does not say who may open it."""
    naked = sorted(
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "guard")
    )
    if naked:
        raise RuntimeError("routes without a guard: " + ", ".join(naked))
