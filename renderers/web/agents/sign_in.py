"""The sign-in of agents, and its steps after the password: new password, set-up of the second factor, code.

One address of each area asks for whatever `wanted_of` returns. The ticket between two steps is in the browser's
signed cookie and gives no other access.
"""

from __future__ import annotations

from flask import Blueprint, Response, g, request, session

from engine.core.problems import Refused
from engine.services.accounts.assistance import end_assistance
from engine.services.sign_in.agent_sign_in import (
    Enrolment,
    Halfway,
    Kind,
    Passed,
    choose_password,
    enrol,
    enrolment,
    pass_both,
    pass_factor,
    wanted_of,
)
from engine.services.sign_in.sessions import SignedIn
from renderers.pdf.qr import qr_svg
from renderers.web.platform.access import agent, public
from renderers.web.platform.errors import sentence, until_then
from renderers.web.platform.request_context import (
    AGENT_AREA,
    actor,
    app_ctx,
    client,
    device,
    file_response,
    go,
    known_browser,
    open_session,
    safe_next,
    say,
)
from renderers.web.shared.staff import sign_in_page, sign_out_of, staff_page

blueprint = Blueprint("agent", __name__)  # of the inbox too

_KINDS: dict[str, Kind] = {"agent": "agent", "audit": "auditor"}
_HALFWAY = "halfway"
_AFTER = "after"


@blueprint.route("/agent/connexion", methods=["GET", "POST"])
@public
def sign_in() -> Response:
    """Show the sign-in of agents. A post checks name and password and leads to the second factor."""
    return sign_in_page(AGENT_AREA, "agent", passed)


@blueprint.route("/agent/connexion/suite", methods=["GET", "POST"])
@public
def second_step() -> Response:
    """Show the next step of the sign-in, or check its answer."""
    return next_step(AGENT_AREA)


@blueprint.get("/agent/connexion/qr.svg")
@public
def enrolment_code() -> Response:
    """Serve the QR code of the second factor during its set-up."""
    return enrolment_qr(AGENT_AREA)


@blueprint.post("/agent/deconnexion")
@agent()
def leave() -> Response:
    """Sign the agent out, which ends the assistance at a counter, and redirect to the sign-in."""
    end_assistance(app_ctx(), actor())
    return sign_out_of(AGENT_AREA, "/agent/connexion")


def passed(area: str, result: Passed, following: str = "") -> Response:
    """Open the session, or redirect to the next step of the sign-in."""
    if following:
        session[_AFTER] = following
    if isinstance(result, Halfway):
        session[_HALFWAY] = {"desk": area, "ticket": result.ticket}
        return go(f"/{area}/connexion/suite")
    return open_session(go(_leave_ticket(area)), result, area)


def _leave_ticket(area: str) -> str:
    session.pop(_HALFWAY, None)
    return safe_next(session.pop(_AFTER, ""), f"/{area}")


def _ticket(area: str) -> str:
    kept = session.get(_HALFWAY)
    return str(kept.get("ticket", "")) if isinstance(kept, dict) and kept.get("desk") == area else ""


def next_step(area: str) -> Response:
    """Show the next step of the sign-in, or check its answer. Redirects to the start if the ticket expired."""
    g.area = area
    ticket = _ticket(area)
    wants = wanted_of(app_ctx(), _KINDS[area], ticket)
    if wants is None:
        session.pop(_HALFWAY, None)
        return go(f"/{area}/connexion")
    steps = {"password": _password_step, "enrolment": _enrolment_step, "code": _code_step, "both": _both_step}
    try:
        return steps[wants](area, ticket)
    except Refused as closed:
        if closed.reason.code == "ticket_over":
            return go(f"/{area}/connexion")
        raise


def _password_step(area: str, ticket: str) -> Response:
    if request.method == "GET" or "password" not in request.form:
        return _password_page(area)
    first, again = request.form.get("password", ""), request.form.get("again", "")
    if first != again:
        return _password_page(area, say("password.differs"))
    try:
        return passed(area, choose_password(app_ctx(), _KINDS[area], ticket, first, device()))
    except Refused as closed:
        if not closed.reason.code.startswith("password_"):
            raise
        return _password_page(area, sentence(closed.reason))


def _password_page(area: str, error: str = "") -> Response:
    errors = [("#password", error)] if error else []
    return staff_page(
        "staff/new_password.html", 422 if error else 200, errors=errors, back=f"/{area}/connexion", asks_before=False
    )


def _enrolment_step(area: str, ticket: str) -> Response:
    offered = enrolment(app_ctx(), _KINDS[area], ticket)
    if request.method == "GET" or "code" not in request.form:
        return _enrolment_page(area, offered)
    try:
        done = enrol(app_ctx(), _KINDS[area], ticket, _typed(), device=device())
    except Refused as closed:
        if closed.reason.code != "factor_wrong":
            raise
        return _enrolment_page(area, offered, sentence(closed.reason))
    return recovery_page(area, done.recovery, _leave_ticket(area), done.signed)


def _enrolment_page(area: str, offered: Enrolment, error: str = "") -> Response:
    key = " ".join(offered.key[at : at + 4] for at in range(0, len(offered.key), 4))
    errors = [("#code", error)] if error else []
    return staff_page(
        "staff/enrol.html", 422 if error else 200, errors=errors, key=key, address=offered.address,
        qr=f"/{area}/connexion/qr.svg", back=f"/{area}/connexion",
    )  # fmt: skip


def enrolment_qr(area: str) -> Response:
    """Serve the QR code of the set-up to the holder of its ticket. It is not cached."""
    try:
        offered = enrolment(app_ctx(), _KINDS[area], _ticket(area))
    except Refused:
        return go(f"/{area}/connexion")
    answer = file_response(qr_svg(offered.address).encode(), "image/svg+xml; charset=utf-8", "code.svg", inline=True)
    answer.headers["Cache-Control"] = "no-store"  # it contains the key
    return answer


def recovery_page(area: str, codes: tuple[str, ...], following: str, signed: SignedIn | None = None) -> Response:
    """Show the recovery codes, only this once, and open the session if `signed` is given."""
    answer = staff_page("staff/recovery.html", codes=codes, following=following)
    return open_session(answer, signed, area) if signed is not None else answer


def _code_step(area: str, ticket: str) -> Response:
    if request.method == "GET" or "code" not in request.form:
        return _code_page(area)
    try:
        signed = pass_factor(
            app_ctx(), _KINDS[area], ticket, _typed(), client=client(), device=device(), browser=known_browser()
        )
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return _code_page(area, f"{until_then(closed.reason)} {say('factor.recovery_heard')}", 429)
        if closed.reason.code != "factor_wrong":
            raise
        return _code_page(area, sentence(closed.reason))
    return open_session(go(_leave_ticket(area)), signed, area)


def _both_step(area: str, ticket: str) -> Response:
    """Check the code together with a password that was not checked before. One try, then the sign-in starts again."""
    if request.method == "GET" or "code" not in request.form:
        return _code_page(area, both=True)
    try:
        signed = pass_both(
            app_ctx(), _KINDS[area], ticket, _typed(), client=client(), device=device(), browser=known_browser()
        )
    except Refused as closed:
        if closed.reason.code != "sign_in_wrong":
            raise
        session.pop(_HALFWAY, None)
        session["desk_note"] = sentence(closed.reason)
        return go(f"/{area}/connexion")
    return open_session(go(_leave_ticket(area)), signed, area)


def _code_page(area: str, error: str = "", status: int = 422, both: bool = False) -> Response:
    errors = [("#code", error)] if error else []
    help_ = say("factor.lost_agent" if area == AGENT_AREA else "factor.lost_auditor")
    return staff_page(
        "staff/second_factor.html", status if error else 200, errors=errors, back=f"/{area}/connexion", lost=help_, both=both
    )  # fmt: skip


def _typed() -> str:
    return request.form.get("code", "")[:40]
