"""A phone number, a code by SMS, a session: the same door for a new request and to follow an old one."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request, session

from engine.office.accounts import check_code, send_code
from engine.office.intake import see
from engine.office.office import NotFound
from engine.office.own_account import own
from engine.office.phones import read_phone
from engine.office.sessions import SignedIn
from engine.problems import Refused
from engine.values import digits_only
from renderers.web.base import (
    client,
    close_session,
    device,
    dossier_number,
    go,
    language,
    office,
    open_session,
    page,
    public,
    safe_next,
    say,
)
from renderers.web.catalogue import begun_by
from renderers.web.languages import ASKED
from renderers.web.refusals import refused, sentence
from renderers.web_form import national
from renderers.words import SPOKEN

blueprint = Blueprint("signin", __name__)


@blueprint.get("/connexion")
@public
def ask_phone() -> Response:
    return _phone_page(safe_next(request.args.get("suite"), ""))


@blueprint.post("/connexion")
@public
def send() -> Response:
    typed = request.form.get("phone", "")[:40]
    following = safe_next(request.form.get("suite"), "")
    if following:
        session["next"] = following
    again = "1" if request.form.get("again") else ""
    try:
        sent = send_code(office(), typed, client=client(), language=language())
    except Refused as closed:
        if closed.reason.code == "code_too_soon" and _is_awaited(typed):
            session["note"] = sentence(closed.reason)
            return go("/connexion/code")
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, "/connexion")
        return _phone_page(following, typed, sentence(closed.reason))
    session["phone"] = sent.phone
    if again:
        session["note"] = say("code.sent_again")
    return go("/connexion/code")


def _is_awaited(typed: str) -> bool:
    """Is this the number whose code this browser waits for? Another number's page is never shown instead."""
    try:
        return read_phone(typed) == session.get("phone")
    except Refused:
        return False


def _phone_page(following: str, typed: str = "", error: str = "") -> Response:
    errors = [("#phone", error)] if error else []
    return page(
        "citizen/sign_in.html", 422 if error else 200, errors=errors, phone=typed, next=following, back="/",
        kept=bool(session.get("aside")), provider=office().identity.label if office().identity else "",
        note=session.pop("note", ""),
    )  # fmt: skip


@blueprint.get("/connexion/code")
@public
def ask_code() -> Response:
    if not session.get("phone"):
        return go("/connexion")
    return _code_page()


def _code_page(error: str = "") -> Response:
    phone = national(session["phone"]).replace(" ", "\u00a0")
    errors = [("#code", error)] if error else []
    note = session.pop("note", "")
    return page("citizen/code.html", 422 if error else 200, errors=errors, phone=phone, note=note)


@blueprint.post("/connexion/code")
@public
def check() -> Response:
    phone = session.get("phone", "")
    if not phone:
        return go("/connexion")
    keep = request.form.get("keep") == "1"
    try:
        signed = check_code(
            office(), phone, request.form.get("code", "")[:20], client=client(), keep=keep, device=device()
        )
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, "/connexion")
        return _code_page(sentence(closed.reason))
    return entered(signed, keep)


def entered(signed: SignedIn, keep: bool) -> Response:
    """Lets in, to what the person was about to do, in the language they chose."""
    address, spoken = where_next(signed), own(office(), signed.actor).wishes.language
    if spoken != language() and spoken in SPOKEN:
        address += ("&" if "?" in address else "?") + f"{ASKED}={spoken}"
    return open_session(go(address), signed, keep=keep)


def where_next(signed: SignedIn) -> str:
    """What the person was about to do: begin a request, follow a dossier, or open a page."""
    session.pop("phone", None)
    opening = session.pop("opening", None)
    followed = session.pop("followed", "")
    following = session.pop("next", "")
    if isinstance(opening, Mapping):
        return begun_by(signed.actor, opening)
    if followed:
        try:
            see(office(), signed.actor, dossier_number(followed))
        except NotFound:
            return "/dossiers?introuvable=1"
        return f"/dossiers/{followed}"
    return safe_next(following, "/dossiers")


@blueprint.route("/deconnexion", methods=["GET", "POST"])
@public
def leave() -> Response:
    if request.method == "POST":
        session.clear()
        return close_session(go("/"))
    return page(
        "citizen/confirm.html", title=say("sign_out.title"), lines=[say("sign_out.text")], button=say("sign_out.button"),
        keep=say("sign_out.keep"), back="/dossiers", procedure="", errors=[], ask_reason="", reason="", warn=False,
        files=False, token="", revision=None,
    )  # fmt: skip


@blueprint.route("/suivi", methods=["GET", "POST"])
@public
def follow() -> Response:
    """Number and phone; whether they go together is said only to who holds the phone."""
    if request.method == "GET":
        return _follow_page("", "")
    typed, phone = request.form.get("number", "")[:40], request.form.get("phone", "")[:40]
    digits = digits_only(typed)
    if len(digits) != 11:
        return _follow_page(typed, phone, number_error=say("follow.number_wrong"))
    try:
        sent = send_code(office(), phone, client=client(), language=language())
    except Refused as closed:
        if closed.reason.code == "code_too_soon" and _is_awaited(phone):
            session["followed"] = digits
            return go("/connexion/code")
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, "/suivi")
        return _follow_page(typed, phone, phone_error=sentence(closed.reason))
    session["phone"], session["followed"] = sent.phone, digits
    return go("/connexion/code")


def _follow_page(typed: str, phone: str, number_error: str = "", phone_error: str = "") -> Response:
    faults = (("#number", number_error), ("#phone", phone_error))
    errors = [(href, said) for href, said in faults if said]
    return page(
        "citizen/follow.html", 422 if errors else 200, errors=errors, number_typed=typed, phone=phone,
        number_error=number_error, phone_error=phone_error,
    )  # fmt: skip
