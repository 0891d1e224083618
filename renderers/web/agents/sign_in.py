"""After the password: one's own password at the first sign-in, the application that gives codes, a code at each sign-in.

One address a desk asks whatever is still asked; what it asks is the office's to say. The ticket between two steps lies in the
browser's signed cookie and opens nothing else.
"""

from __future__ import annotations

from flask import Response, g, request, session

from engine.core.problems import Refused
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
from renderers.web.platform.errors import sentence, until_then
from renderers.web.platform.request_context import (
    AGENT_DESK,
    client,
    device,
    file_response,
    go,
    known_browser,
    office,
    open_session,
    safe_next,
    say,
)
from renderers.web.shared.staff import desk_page

_KINDS: dict[str, Kind] = {"agent": "agent", "audit": "auditor"}
_HALFWAY = "halfway"
_AFTER = "after"


def passed(desk: str, result: Passed, following: str = "") -> Response:
    """Lets in, or leads to what is still asked."""
    if following:
        session[_AFTER] = following
    if isinstance(result, Halfway):
        session[_HALFWAY] = {"desk": desk, "ticket": result.ticket}
        return go(f"/{desk}/connexion/suite")
    return open_session(go(_leave_ticket(desk)), result, desk)


def _leave_ticket(desk: str) -> str:
    session.pop(_HALFWAY, None)
    return safe_next(session.pop(_AFTER, ""), f"/{desk}")


def _ticket(desk: str) -> str:
    kept = session.get(_HALFWAY)
    return str(kept.get("ticket", "")) if isinstance(kept, dict) and kept.get("desk") == desk else ""


def next_step(desk: str) -> Response:
    """The page of what is still asked, and what is answered to it."""
    g.desk = desk
    ticket = _ticket(desk)
    wants = wanted_of(office(), _KINDS[desk], ticket)
    if wants is None:
        session.pop(_HALFWAY, None)
        return go(f"/{desk}/connexion")
    steps = {"password": _password_step, "enrolment": _enrolment_step, "code": _code_step, "both": _both_step}
    try:
        return steps[wants](desk, ticket)
    except Refused as closed:
        if closed.reason.code == "ticket_over":
            return go(f"/{desk}/connexion")
        raise


def _password_step(desk: str, ticket: str) -> Response:
    if request.method == "GET" or "password" not in request.form:
        return _password_page(desk)
    first, again = request.form.get("password", ""), request.form.get("again", "")
    if first != again:
        return _password_page(desk, say("password.differs"))
    try:
        return passed(desk, choose_password(office(), _KINDS[desk], ticket, first, device()))
    except Refused as closed:
        if not closed.reason.code.startswith("password_"):
            raise
        return _password_page(desk, sentence(closed.reason))


def _password_page(desk: str, error: str = "") -> Response:
    errors = [("#password", error)] if error else []
    return desk_page(
        "desk/new_password.html", 422 if error else 200, errors=errors, back=f"/{desk}/connexion", asks_before=False
    )


def _enrolment_step(desk: str, ticket: str) -> Response:
    offered = enrolment(office(), _KINDS[desk], ticket)
    if request.method == "GET" or "code" not in request.form:
        return _enrolment_page(desk, offered)
    try:
        done = enrol(office(), _KINDS[desk], ticket, _typed(), device=device())
    except Refused as closed:
        if closed.reason.code != "factor_wrong":
            raise
        return _enrolment_page(desk, offered, sentence(closed.reason))
    return recovery_page(desk, done.recovery, _leave_ticket(desk), done.signed)


def _enrolment_page(desk: str, offered: Enrolment, error: str = "") -> Response:
    key = " ".join(offered.key[at : at + 4] for at in range(0, len(offered.key), 4))
    errors = [("#code", error)] if error else []
    return desk_page(
        "desk/enrol.html", 422 if error else 200, errors=errors, key=key, address=offered.address,
        qr=f"/{desk}/connexion/qr.svg", back=f"/{desk}/connexion",
    )  # fmt: skip


def enrolment_qr(desk: str) -> Response:
    """The QR code of the enrolment under way, for the holder of its ticket."""
    try:
        offered = enrolment(office(), _KINDS[desk], _ticket(desk))
    except Refused:
        return go(f"/{desk}/connexion")
    answer = file_response(qr_svg(offered.address).encode(), "image/svg+xml; charset=utf-8", "code.svg", inline=True)
    answer.headers["Cache-Control"] = "no-store"  # it holds the key
    return answer


def recovery_page(desk: str, codes: tuple[str, ...], following: str, signed: SignedIn | None = None) -> Response:
    """Recovery codes, shown this once."""
    answer = desk_page("desk/recovery.html", codes=codes, following=following)
    return open_session(answer, signed, desk) if signed is not None else answer


def _code_step(desk: str, ticket: str) -> Response:
    if request.method == "GET" or "code" not in request.form:
        return _code_page(desk)
    try:
        signed = pass_factor(
            office(), _KINDS[desk], ticket, _typed(), client=client(), device=device(), browser=known_browser()
        )
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return _code_page(desk, f"{until_then(closed.reason)} {say('factor.recovery_heard')}", 429)
        if closed.reason.code != "factor_wrong":
            raise
        return _code_page(desk, sentence(closed.reason))
    return open_session(go(_leave_ticket(desk)), signed, desk)


def _both_step(desk: str, ticket: str) -> Response:
    """A code for a password that was not judged, once; then the door again."""
    if request.method == "GET" or "code" not in request.form:
        return _code_page(desk, both=True)
    try:
        signed = pass_both(
            office(), _KINDS[desk], ticket, _typed(), client=client(), device=device(), browser=known_browser()
        )
    except Refused as closed:
        if closed.reason.code != "sign_in_wrong":
            raise
        session.pop(_HALFWAY, None)
        session["desk_note"] = sentence(closed.reason)
        return go(f"/{desk}/connexion")
    return open_session(go(_leave_ticket(desk)), signed, desk)


def _code_page(desk: str, error: str = "", status: int = 422, both: bool = False) -> Response:
    errors = [("#code", error)] if error else []
    help_ = say("factor.lost_agent" if desk == AGENT_DESK else "factor.lost_auditor")
    return desk_page(
        "desk/factor.html", status if error else 200, errors=errors, back=f"/{desk}/connexion", lost=help_, both=both
    )  # fmt: skip


def _typed() -> str:
    return request.form.get("code", "")[:40]
