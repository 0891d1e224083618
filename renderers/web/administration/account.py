"""The own account of agents and auditors: second factor, password, sessions, notifications, access log."""

from __future__ import annotations

from flask import Blueprint, Response, g, request, session

from engine.core.problems import Refused
from engine.core.values import Plain
from engine.domain.messages.preferences import HOWS, AgentNotifications, how_named
from engine.services.accounts.access_log import my_readings
from engine.services.audit.journal_search import my_questions
from engine.services.sign_in.agent_sign_in import change_password, choose_keys, factor_of, renew_recovery
from engine.services.sign_in.sessions import sessions_of, sign_out_elsewhere
from engine.services.worker.agent_notifications import choose_notifications, own_notifications
from renderers.web.agents.sign_in import recovery_page
from renderers.web.auditors.journal_search import question_href
from renderers.web.platform.access import agent, auditor, proves_anew
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.request_context import (
    AGENT_AREA,
    actor,
    app_ctx,
    client,
    close_session,
    go,
    known_browser,
    language,
    moment_of,
    say,
    session_token,
)
from renderers.web.shared.journal_queries import question_said
from renderers.web.shared.staff import procedure_of, staff_page

blueprint = Blueprint("staff_account", __name__)


@blueprint.get("/agent/compte")
@agent()
def agent_account() -> Response:
    """Show the agent's account, with the notification preferences."""
    return _account_page()


@blueprint.get("/audit/compte")
@auditor
def auditor_account() -> Response:
    """Show the auditor's account."""
    return _account_page()


def _account_page(error: str = "", wish: AgentNotifications | None = None) -> Response:
    """Show the account. `error` is about the code, or about the typed preferences in `wish`."""
    factor, here = factor_of(app_ctx(), actor()), _area()
    return staff_page(
        "staff/account.html", 422 if error else 200, home=f"/{here}",
        errors=[("#email" if wish else "#code", error)] if error else [], hows=HOWS,
        notifications=(wish or own_notifications(app_ctx(), actor())) if here == AGENT_AREA else None,
        notifications_error=error if wish else "",
        factor=moment_of(factor.since) if factor and factor.since else "",
        left=len(factor.recovery) if factor else 0, note=session.pop("desk_note", ""),
        sessions=[(one.device or say("account.some_device"), moment_of(one.seen_at))
                  for one in sessions_of(app_ctx(), actor())],
    )  # fmt: skip


def _area() -> str:
    return str(g.get("area", AGENT_AREA))


@blueprint.post("/agent/compte")
@agent()
def agent_recovery() -> Response:
    """Change the agent's account, as `act` says: recovery codes, sessions, notifications or keys."""
    return _recovery()


@blueprint.post("/audit/compte")
@auditor
def auditor_recovery() -> Response:
    """Change the auditor's account, as `act` says: recovery codes or sessions."""
    return _recovery()


def _recovery() -> Response:
    """Show new recovery codes for a valid code, end all other sessions, or save the preferences."""
    if request.form.get("act") == "elsewhere":
        if area := proves_anew(f"/{_area()}/compte"):
            return area
        sign_out_elsewhere(app_ctx(), actor(), session_token(_area()))
        session["desk_note"] = say("account.out_elsewhere")
        return go(f"/{_area()}/compte")
    if request.form.get("act") == "tidings" and _area() == AGENT_AREA:
        return _wish()
    if request.form.get("act") == "keys" and _area() == AGENT_AREA:
        choose_keys(app_ctx(), actor(), bool(request.form.get("keys")))
        session["desk_note"] = say("tidings.saved", email="")
        return go("/agent/compte")
    if factor_of(app_ctx(), actor()) is None:
        return go(f"/{_area()}/compte")  # no second factor: no code to ask for
    try:
        codes = renew_recovery(app_ctx(), actor(), request.form.get("code", "")[:40], client(), known_browser())
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, f"/{_area()}/compte")
        return _account_page(sentence(closed.reason))
    return recovery_page(_area(), codes, f"/{_area()}/compte")


def _wish() -> Response:
    how, email = request.form.get("how", ""), request.form.get("email", "")[:254]
    before = own_notifications(app_ctx(), actor())
    try:
        after = choose_notifications(app_ctx(), actor(), how, email, language())
    except Refused as closed:
        return _account_page(sentence(closed.reason), AgentNotifications(how_named(how), email))
    key = "saved_never" if after.how == "never" else "saved_welcome" if after.email != before.email else "saved"
    session["desk_note"] = say(f"tidings.{key}", email=after.email)
    return go("/agent/compte")


@blueprint.route("/agent/compte/mot-de-passe", methods=["GET", "POST"])
@agent()
def agent_password() -> Response:
    """Show the form for a new password. A post changes it and signs the agent out."""
    return _password()


@blueprint.route("/audit/compte/mot-de-passe", methods=["GET", "POST"])
@auditor
def auditor_password() -> Response:
    """Show the form for a new password. A post changes it and signs the auditor out."""
    return _password()


def _password() -> Response:
    if request.method == "GET":
        return _password_page()
    given = {name: request.form.get(name, "") for name in ("before", "password", "again")}
    if given["password"] != given["again"]:
        return _password_page(say("password.differs"))
    try:
        change_password(app_ctx(), actor(), given["before"], given["password"], client(), known_browser())
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, f"/{_area()}/compte")
        return _password_page(sentence(closed.reason))
    return close_session(go(f"/{_area()}/connexion"), _area())


def _password_page(error: str = "") -> Response:
    errors = [("#password", error)] if error else []
    back = f"/{_area()}/compte"
    return staff_page("staff/new_password.html", 422 if error else 200, errors=errors, back=back, asks_before=True)


@blueprint.get("/audit/mes-consultations")
@auditor
def auditor_access_log() -> Response:
    """Show which dossiers the auditor opened and which searches of the journals were made."""
    return _readings("/audit/dossiers")


@blueprint.get("/agent/mes-consultations")
@agent()
def agent_access_log() -> Response:
    """Show which dossiers the agent opened."""
    return _readings("/agent/dossiers")


def _readings(at: str) -> Response:
    lines = [
        (
            f"{at}/{dossier.number}",
            dossier.number,
            label(procedure.identity.title) if procedure else dossier.procedure,
            reading.at,
        )
        for reading, dossier in my_readings(app_ctx(), actor())
        for procedure in (procedure_of(dossier.procedure),)
    ]
    asked = [
        (moment_of(one.at), say(f"events.noted_{one.kind}"), *_question(one.body))
        for one in my_questions(app_ctx(), actor())
    ]
    return staff_page("staff/access_log.html", lines=lines, asked=asked, home=f"/{_area()}")


def _question(body: Plain) -> tuple[str, str]:
    """Return a recorded search in words with its address, or the export it ordered."""
    said = body if isinstance(body, dict) else {}
    if "first" not in said:
        return say("orders.title_events", n=said.get("order", "")), f"/audit/ordres/{said.get('order', '')}"
    return ", ".join(say("frame.pair", label=name, value=value) for name, value in question_said(said)), question_href(
        said
    )
