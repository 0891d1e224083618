"""Change of a lost phone number at the counter.

An agent checks the person's document and asks for the new number. The holder of the earlier number can refuse the
change.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, abort, request, session

from engine.core.problems import Refused
from engine.records.people import PhoneMove
from engine.services.accounts.assistance import received_by
from engine.services.accounts.lost_phones import (
    PAPERS,
    PhoneHolder,
    ask_move,
    check_new,
    check_paper,
    holder_of,
    refuse_move,
    stop_move,
)
from engine.services.sign_in.applicant_sign_in import send_move_code
from renderers.html.controls import national
from renderers.i18n.translations import whole_number
from renderers.web.platform.access import agent, signed_in
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.request_context import actor, app_ctx, asker, go, language, moment_of, myself, say
from renderers.web.shared.staff import staff_page

blueprint = Blueprint("lost_phones", __name__)

COUNTER: Final = "/agent/guichet"
HERE: Final = f"{COUNTER}/numero"
_ASKED: Final = "lost_phone"  # key of the signed cookie: the data given so far


@blueprint.route(HERE, methods=["GET", "POST"])
@agent()
def whose() -> Response:
    """Ask for a dossier number and the phone number it was made with, which together identify the account."""
    _receives()
    if request.method == "GET":
        session.pop(_ASKED, None)
        return _whose({})
    given = {name: request.form.get(name, "").strip()[:40] for name in ("number", "former")}
    try:
        holder_of(app_ctx(), actor(), given["number"], given["former"])
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, HERE)
        return _whose(given, "former" if closed.reason.code == "phone_format" else "number", sentence(closed.reason))
    session[_ASKED] = {**given, "agent": actor().id}
    return go(f"{HERE}/piece")


def _whose(given: dict[str, str], wrong: str = "", error: str = "") -> Response:
    return staff_page(
        "agent/lost_phone.html", 422 if error else 200, errors=_errors(wrong, error), wrong=wrong, given=given, home=COUNTER
    )  # fmt: skip


@blueprint.route(f"{HERE}/piece", methods=["GET", "POST"])
@agent()
def paper() -> Response:
    """Ask for the document seen and the new number, then send it a code."""
    _receives()
    given = _given()
    if "former" not in given:
        return go(HERE)
    try:
        holder = holder_of(app_ctx(), actor(), given["number"], given["former"], again=True)
        if holder.waiting is not None:
            return _waits(holder, holder.waiting)
        if request.method == "GET":
            return _paper(holder, given, {})
        given |= {"paper": request.form.get("paper", "")[:40], "phone": request.form.get("phone", "").strip()[:40]}
        if wrong := _wrong(given, holder.changed):
            return _paper(holder, given, wrong)
        phone = send_move_code(app_ctx(), given["phone"], asker=asker(), language=language(), mark=actor().id).phone
    except Refused as closed:
        if closed.reason.code != "code_too_soon":
            return refused(closed.reason, HERE)
        return _paper(holder, given, {"phone": sentence(closed.reason)})
    session[_ASKED] = {**given, "phone": phone}
    return go(f"{HERE}/code")


def _waits(holder: PhoneHolder, move: PhoneMove) -> Response:
    """Show a change that waits already, and when it takes effect. A post stops it."""
    if request.method == "POST" and request.form.get("go") == "stop":
        given = _given()
        stop_move(app_ctx(), actor(), given["number"], given["former"])
        session.pop(_ASKED, None)
        session["note"] = say("lost.stopped")
        return go(COUNTER)
    text = say("lost.waiting", end=move.phone[-2:], moment=moment_of(move.due_at))
    return staff_page("agent/lost_phone_waits.html", rows=_rows(holder), text=text, back=HERE)


def _wrong(given: dict[str, str], changed: bool) -> dict[str, str]:
    """Return the errors by field."""
    found = {}
    for field, check in (
        ("paper", lambda: check_paper(given["paper"])), ("phone", lambda: check_new(given["former"], given["phone"], changed=changed)),
    ):  # fmt: skip
        try:
            check()
        except Refused as closed:
            found[field] = sentence(closed.reason)
    return found


def _paper(holder: PhoneHolder, given: dict[str, str], wrong: dict[str, str]) -> Response:
    return staff_page(
        "agent/lost_phone_paper.html", 422 if wrong else 200, errors=[(f"#{name}", said) for name, said in wrong.items()],
        wrong=wrong, given=given,
        rows=_rows(holder), papers=[(one, say(f"lost.{one}")) for one in PAPERS], back=HERE,
    )  # fmt: skip


def _rows(holder: PhoneHolder) -> list[tuple[str, str]]:
    procedure = app_ctx().catalogue.current(holder.procedure, app_ctx().day())
    return [
        (say("counter.procedure"), label(procedure.identity.title) if procedure else holder.procedure),
        (say("counter.number"), whole_number(holder.number)),
        (say("lost.in_dossier"), holder.label or say("lost.unnamed")),
        (say("lost.in_account"), holder.name or say("lost.unnamed")),
    ]


@blueprint.route(f"{HERE}/code", methods=["GET", "POST"])
@agent()
def code() -> Response:
    """Ask for the code sent to the new number. A right code starts the change and returns to the counter."""
    _receives()
    given, error = _given(), ""
    if "phone" not in given:
        return go(HERE)
    if request.method == "POST":
        try:
            move = ask_move(
                app_ctx(), actor(), given["number"], given["former"], given["phone"], given["paper"],
                request.form.get("code", "")[:20], mark=actor().id,
            )  # fmt: skip
        except Refused as closed:
            if not closed.reason.code.startswith("code_"):
                return refused(closed.reason, HERE)
            error = sentence(closed.reason)
        else:
            session.pop(_ASKED, None)
            moment = moment_of(move.due_at)
            session["note"] = say("lost.done", phone=national(move.phone), moment=moment)
            return go(COUNTER)
    return staff_page(
        "agent/lost_phone_code.html", 422 if error else 200, errors=_errors("code", error), back=HERE,
        phone=national(given["phone"]).replace(" ", "\u00a0"),
    )  # fmt: skip


@blueprint.post("/compte/telephone/refuser")
@signed_in
def refuse() -> Response:
    """Refuse a change of number asked at the counter, and return to the account."""
    refuse_move(app_ctx(), myself())
    session["note"] = say("own.move_refused")
    return go("/compte")


def _receives() -> None:
    """Answer 403 to an agent without the right to receive people at a counter."""
    if not received_by(app_ctx(), actor()):
        abort(403)


def _given() -> dict[str, str]:
    """Return what this agent gave so far. Data given by another agent in this browser is deleted."""
    kept = session.get(_ASKED)
    if not isinstance(kept, dict) or kept.get("agent") != actor().id:
        session.pop(_ASKED, None)
        return {}
    return {str(name): str(said) for name, said in kept.items()}


def _errors(field: str, error: str) -> list[tuple[str, str]]:
    return [(f"#{field}", error)] if error else []
