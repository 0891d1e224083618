"""Access to views: each view has one of `public`, `unasked`, `signed_in`, `agent`, `helper`, `auditor`.

A view without one of these decorators prevents the start (`check_guards`). An applicant with an unverified
number is anonymous to all views except those with `unproven_too`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, abort, g, request, session
from werkzeug.routing import Rule

from engine.records.dossier import ANONYMOUS
from engine.services.accounts.assistance import received_by
from engine.services.context.rate_limit import block_of
from engine.services.limits.file_counts import counted_as
from engine.services.sign_in.sessions import is_fresh
from engine.services.sign_in.unverified_drafts import holds
from engine.storage.gate import WAIT_LIMIT, AdmissionGate
from renderers.web.platform.dossier_context import case
from renderers.web.platform.request_context import (
    AGENT_AREA,
    APPLICANT_AREA,
    AUDITOR_AREA,
    COUNTER_AREA,
    PROOF,
    actor,
    app_ctx,
    claimant,
    client,
    dossier_number,
    go,
    myself,
    page,
    say,
    session_token,
)
from renderers.web.platform.saved_posts import file_names, sent_fields, set_aside

View = TypeVar("View", bound=Callable[..., Any])
DossierView = TypeVar("DossierView", bound=Callable[..., Response])

DRAWN_AT_ONCE: Final = 2  # papers drawn at once: the largest takes both processors for seconds
DRAWING_WAITS: Final = 4  # more wait: two of eight threads stay free for other pages
DRAWN_FOR_STAFF: Final = 1  # of both, reserved for agents
DRAWN_FOR_ONE: Final = 3  # of both together, the most for one agent: the others and applicants have the rest
_drawing: Final = AdmissionGate(DRAWN_AT_ONCE, DRAWING_WAITS, kept=DRAWN_FOR_STAFF)
PAGES_AT_ONCE: Final = 2  # pages of files drawn at once, each by a child process; they count as papers too
PAGES_WAIT: Final = 1  # more wait: of four threads one stays free
_paging: Final = AdmissionGate(PAGES_AT_ONCE, PAGES_WAIT, unknown_wait_limit=WAIT_LIMIT)
WORKED_OUT_AT_ONCE: Final = 2  # public pages that take up to 0.3 s of the processor
WORKED_OUT_WAIT: Final = 2  # more wait: of eight threads half stay free
_working_out: Final = AdmissionGate(WORKED_OUT_AT_ONCE, WORKED_OUT_WAIT)
_SIGN_IN: Final = {APPLICANT_AREA: "/connexion", AGENT_AREA: "/agent/connexion", AUDITOR_AREA: "/audit/connexion"}


def public(view: View) -> View:
    """Open the view to all visitors.

    A page with a query may be personal (an age, a code), so caches do not store it.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.unproven_too = serves_unproven(view)
        g.shareable = request.method in ("GET", "HEAD") and not request.query_string and not actor().id
        return view(*args, **kwargs)

    return _marked(guarded, "public")


def unasked(view: View) -> View:
    """Open the view to monitoring. Neither the session nor the store is read."""
    return _marked(view, "unasked")


def signed_in(view: View) -> View:
    """Open the view to applicants. Other visitors sign in first, and their post is saved meanwhile."""
    return _area(view, APPLICANT_AREA, ())


def proves_anew(back: str) -> Response | None:
    """Return a redirect to the sign-in if the last one is too old for a change of credentials, else None.

    The user returns to `back` afterwards (ASVS 5.0 V7.5.1, V7.5.2), an applicant to what a post held.
    """
    area = g.get("area", APPLICANT_AREA)
    if is_fresh(app_ctx(), session_token(area)):
        return None
    if request.method == "POST" and area == APPLICANT_AREA:
        set_aside(area, request.path, request.form.lists())
        back = "/reprendre"
    session["note" if area == APPLICANT_AREA else "desk_note"] = say("own.prove_anew")
    return go(f"{_SIGN_IN[area]}?{urlencode({'suite': back})}")


def unproven_too(view: View) -> View:
    """Serve the view also to an applicant with an unverified number, for the draft begun in this browser.

    Written below a guard.
    """
    view.unproven_too = True  # type: ignore[attr-defined]
    return view


def serves_unproven(view: Callable[..., Any]) -> bool:
    """Return whether the view carries `unproven_too`."""
    return bool(getattr(view, "unproven_too", False))


def dossier_page(
    blueprint: Blueprint, rest: str, *methods: str, unproven: bool = False
) -> Callable[[DossierView], DossierView]:
    """Register a page below the address of a dossier. The view gets the dossier instead of its number.

    The view itself stays unguarded: the counter opens it to the agent who helps. `unproven` is `unproven_too`.
    """

    def registered(view: DossierView) -> DossierView:
        @wraps(view)
        def opened(number: str, **parts: str) -> Response:
            return view(case(number), **parts)

        guarded = signed_in(unproven_too(opened) if unproven else opened)
        blueprint.add_url_rule(f"/dossiers/<number>{rest}", view.__name__, guarded, methods=methods or ("GET",))
        return view

    return registered


def passive(view: View) -> View:
    """Mark a page that refreshes itself, so that it does not extend the session. Written below a guard."""
    view.passive = True  # type: ignore[attr-defined]
    return view


def draws(view: View) -> View:
    """Let few views draw a paper at once, the person who used the least time first. Raises `Busy`. Written below a guard.

    A person is known by their telephone; without one, by the block of their address.
    """

    @wraps(view)
    def in_turn(*args: Any, **kwargs: Any) -> Any:
        who = myself()
        if who.kind in ("agent", "auditor"):
            with _drawing.turn(place=who.id, most=DRAWN_FOR_ONE):
                return view(*args, **kwargs)
        with app_ctx().store.unit() as unit:
            counted = counted_as(unit, who.id)
        with _drawing.turn(known=False, place=counted if counted.startswith("+") else block_of(client())):
            return view(*args, **kwargs)

    return cast(View, in_turn)


def costly(view: View) -> View:
    """Let few visitors have a costly public page worked out at once, the address that used the least time first.

    Raises `Busy`. Written below a guard.
    """

    @wraps(view)
    def in_turn(*args: Any, **kwargs: Any) -> Any:
        with _working_out.turn(known=False, place=block_of(client())):
            return view(*args, **kwargs)

    return cast(View, in_turn)


@contextmanager
def drawing_page(who: str) -> Iterator[None]:
    """Draw a page of a file as one of few threads, the person (`who`) who used the least time first. Raises `Crowded`."""
    with _paging.turn(known=False, place=who), _drawing.turn():
        yield


def agent(*roles: str) -> Callable[[View], View]:
    """Open the view to agents. With `roles` (short names), only to those who hold one of them in any agency."""
    return lambda view: _area(view, AGENT_AREA, roles)


def helper(view: View) -> View:
    """Open the view to an agent who assists an applicant.

    Once the assistance has ended, a page says so (403). It holds the post, which is stored nowhere else.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.area, g.passive = COUNTER_AREA, bool(getattr(view, "passive", False))
        who = actor()
        if who is ANONYMOUS:
            return _to_sign_in(AGENT_AREA)
        if not who.principal:
            g.area = AGENT_AREA
            if not received_by(app_ctx(), actor()):
                abort(403)
            carried = sent_fields() if request.method == "POST" else []
            files = file_names() if carried else []
            return page("agent/counter_over.html", 403, badge=None, carried=carried, files=files, action=request.path)
        return view(*args, **kwargs)

    return _marked(guarded, "agent")


def auditor(view: View) -> View:
    """Open the view to auditors."""
    return _area(view, AUDITOR_AREA, ())


def _area(view: View, area: str, roles: Iterable[str]) -> View:
    wanted = frozenset(roles)

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.area, g.unproven_too, g.passive = area, serves_unproven(view), bool(getattr(view, "passive", False))
        who = actor()
        if who.unproven and "number" in kwargs and not holds(app_ctx(), who, dossier_number(kwargs["number"])):
            g.unproven_too = False  # the same answer as for an unknown dossier: sign in
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
    if page == _SIGN_IN[APPLICANT_AREA] and request.args.get("via") == "mail":
        page += "/courriel"
    return go(f"{page}?{urlencode({'suite': back})}")


class _Route(Rule):
    """A rule without the two functions that build its address: pages write addresses, and compiling them is nearly all
    of its cost. They are compiled when werkzeug asks for one."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def built(rule: Rule, **values: Any) -> tuple[str, str]:
            compiled = super(_Route, self)._compile_builder(append_unknown)
            return cast("tuple[str, str]", compiled.__get__(rule, None)(**values))

        return built


class WebApplication(Flask):
    """A Flask application that starts without compiling what builds addresses."""

    url_rule_class = _Route


def check_guards(app: Flask) -> None:
    """Check that every route has a guard. Raises RuntimeError with the names of those without."""
    naked = sorted(
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "guard")
    )
    if naked:
        raise RuntimeError("routes without a guard: " + ", ".join(naked))
