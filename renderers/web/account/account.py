"""The applicant's account: phone, mail address, profile, messages, devices, access log and own data."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Blueprint, Response, request, session
from werkzeug.datastructures import MultiDict

from engine.core.problems import Refused
from engine.domain.common.agent_rights import agency_of
from engine.domain.common.names import REFUSALS, first_wrong
from engine.domain.messages.preferences import NotificationPreferences
from engine.services.accounts.access_log import readings_of_mine
from engine.services.accounts.applicant_account import (
    NAMES,
    Own,
    add_identifier,
    drop_email,
    erase_own,
    own,
    save_profile,
    save_wishes,
    send_proof,
)
from engine.services.accounts.personal_data_export import export_own
from engine.services.keys.secrets import token_digest
from engine.services.sign_in.identity_provider import vouched
from engine.services.sign_in.sessions import sessions_of, sign_out_elsewhere, sign_out_of
from renderers.html.controls import national
from renderers.i18n.translations import OFFERED
from renderers.web.platform.access import proves_anew, signed_in
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused
from renderers.web.platform.languages import ASKED
from renderers.web.platform.refused_posts import ask_again, only_shown, refused_post
from renderers.web.platform.request_context import (
    app_ctx,
    asker,
    close_session,
    file_response,
    go,
    language,
    moment_of,
    myself,
    page,
    say,
    session_token,
    site,
)
from renderers.web.shared.outcomes import confirm_page
from renderers.web.shared.staff import procedure_of, role_label
from renderers.web.shared.statuses import move_notice

blueprint = Blueprint("account", __name__)

_NEW_IDENTIFIER = "own_way"
_PROFILE = ("family_name", "given_names", "sex", "birth_date", "birth_place", "residence")
_KINDS = {"telephone": "phone", "courriel": "email"}
_CODES_OF_PLACE = frozenset({"phone_format", "email_format", "code_too_soon", "sms_country", "sms_kind"})


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One session of the account. `digest` is the hash of its token, `here` marks the current one."""

    digest: str
    name: str
    seen: str
    here: bool


@blueprint.get("/compte")
@signed_in
def home() -> Response:
    """Show the account, with all that can be changed in it."""
    known = own(app_ctx(), myself())
    return page(
        "citizen/account.html", known=known, phone_change=move_notice(), phone=national(known.phone) if known.phone else "", identity=_identity(known),
        provider=app_ctx().identity.label if app_ctx().identity else "", level=vouched(known.account.profile)[1],
        vouched=bool(vouched(known.account.profile)[0]), preferences=_wishes(known.wishes), devices=len(sessions_of(app_ctx(), myself())), note=session.pop("note", ""),
    )  # fmt: skip


def _identity(known: Own) -> list[tuple[str, str]]:
    return [
        (say(f"own.{name}"), _said(name, str(said))) for name in _PROFILE if (said := known.account.profile.get(name))
    ]


def _said(name: str, value: str) -> str:
    if name == "sex":
        return say(f"own.sex_{value}")
    return site().words.facts({name: value}, language())[name]


def _wishes(wishes: NotificationPreferences) -> list[tuple[str, str]]:
    yes_no, spoken = site().words.yes_no, wishes.language or language()
    return [
        (say("own.language"), say(f"own.language_{spoken if spoken in OFFERED else OFFERED[0]}")),
        (say("own.wish_email"), yes_no(wishes.email, language())),
        (say("own.wish_reminders"), yes_no(wishes.reminders, language())),
    ]


# -- number and address ------------------------------------------------------------------------------------------------


@blueprint.route("/compte/telephone", methods=["GET", "POST"])
@signed_in
def phone() -> Response:
    """Ask for a new phone number and send it a code. Asks for a recent sign-in first."""
    return proves_anew("/compte/telephone") or _ask_identifier("telephone")


@blueprint.route("/compte/courriel", methods=["GET", "POST"])
@signed_in
def email() -> Response:
    """Ask for a new mail address and send it a code. Asks for a recent sign-in first."""
    return proves_anew("/compte/courriel") or _ask_identifier("courriel")


def _ask_identifier(place: str) -> Response:
    kind = _KINDS[place]
    if request.method == "GET":
        return _identifier_page(place)
    typed = request.form.get("way", "")[:254]
    try:
        sent = send_proof(app_ctx(), kind, typed, asker=asker(), language=language(), mark=myself().id)
    except Refused as closed:
        if closed.reason.code not in _CODES_OF_PLACE:
            return refused(closed.reason, "/compte")
        return ask_again(lambda: _identifier_page(place), {"way": closed.reason})
    session[_NEW_IDENTIFIER] = {"kind": kind, "to": sent.phone, "by": myself().id}
    return go("/compte/code")


def _identifier_page(place: str) -> Response:
    post = refused_post()
    return page(
        "citizen/account_identifier.html", errors=post.errors, place=place, typed=post.typed("way")[:254], back="/compte"
    )  # fmt: skip


@blueprint.route("/compte/code", methods=["GET", "POST"])
@signed_in
def code() -> Response:
    """Check the code sent to a new number or address, which then identifies the account."""
    asked = session.get(_NEW_IDENTIFIER)
    if not isinstance(asked, dict) or asked.get("by") != myself().id:  # another person signed in at this browser
        return go("/compte")
    if request.method == "GET":
        return _code_page(asked)
    try:
        add_identifier(
            app_ctx(), myself(), asked["kind"], asked["to"], request.form.get("code", "")[:20], mark=myself().id
        )
    except Refused as closed:
        if closed.reason.code == "address_taken":
            return refused(closed.reason, "/compte")
        return ask_again(lambda: _code_page(asked), {"code": closed.reason})
    session.pop(_NEW_IDENTIFIER, None)
    session["note"] = say(f"own.{asked['kind']}_changed")
    return go("/compte")


def _code_page(asked: dict[str, str]) -> Response:
    to = national(asked["to"]) if asked["kind"] == "phone" else asked["to"]
    back = f"/compte/{'telephone' if asked['kind'] == 'phone' else 'courriel'}"
    return page("citizen/account_code.html", errors=refused_post().errors, to=to, back=back)


@blueprint.post("/compte/courriel/retirer")
@signed_in
def remove_email() -> Response:
    """Remove a mail address from the account. Asks for a recent sign-in first."""
    if area := proves_anew("/compte"):
        return area
    drop_email(app_ctx(), myself(), request.form.get("email", "")[:254])
    session["note"] = say("own.email_removed")
    return go("/compte")


# -- identity and messages ---------------------------------------------------------------------------------------------


@blueprint.route("/compte/identite", methods=["GET", "POST"])
@signed_in
def identity() -> Response:
    """Show the profile, or save it. New requests are filled in from it."""
    if (shown := only_shown(_identity_page)) is not None:
        return shown
    given = _given(request.form)
    try:
        save_profile(app_ctx(), myself(), given)
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            raise
        return ask_again(_identity_page, {_wrong(closed, given): closed.reason})
    session["note"] = say("own.identity_kept")
    return go("/compte")


def _given(form: MultiDict[str, str]) -> dict[str, str]:
    given = {name: form.get(name, "")[:200] for name in _PROFILE}
    boxes = [form.get(f"birth_{part}", "").strip()[:4] for part in ("year", "month", "day")]
    return {**given, "birth_date": "-".join(one.zfill(2) for one in boxes) if any(boxes) else ""}


def _wrong(closed: Refused, given: dict[str, str]) -> str:
    names = {name: given[name] for name in NAMES if given[name].strip()}
    return first_wrong(names) if closed.reason.code in REFUSALS else "birth_date"


def _identity_page() -> Response:
    post, kept = refused_post(), own(app_ctx(), myself()).account.profile
    given = _given(post.form) if post.found else {name: str(kept.get(name, "")) for name in _PROFILE}
    fixed, _ = vouched(kept)
    shown = {**given, **{name: str(kept[name]) for name in fixed if name in kept}}
    said = [(say(f"own.{name}"), _said(name, shown[name])) for name in _PROFILE if name in fixed]
    born = dict(zip(("year", "month", "day"), [*shown["birth_date"].split("-"), "", ""], strict=False))
    return page(
        "citizen/account_identity.html", errors=post.errors, wrong=next(iter(post.faults), ""), given=shown, fixed=fixed,
        said=said, born=born, back="/compte",
    )  # fmt: skip


@blueprint.route("/compte/messages", methods=["GET", "POST"])
@signed_in
def messages() -> Response:
    """Show the notification preferences, or save them and switch the language."""
    if request.method == "GET":
        known = own(app_ctx(), myself())
        return page(
            "citizen/account_messages.html",
            preferences=known.wishes,
            languages=OFFERED,
            emails=known.emails,
            back="/compte",
        )
    spoken = request.form.get("language", "")
    wishes = NotificationPreferences(
        spoken if spoken in OFFERED else OFFERED[0],
        request.form.get("email") == "1",
        request.form.get("reminders") == "1",
    )
    save_wishes(app_ctx(), myself(), wishes)
    session["note"] = say("own.wishes_kept")
    return go(f"/compte?{ASKED}={wishes.language}")


# -- devices -----------------------------------------------------------------------------------------------------------


@blueprint.route("/compte/appareils", methods=["GET", "POST"])
@signed_in
def devices() -> Response:
    """Show the sessions of the account, or end some.

    A post ends the session named in `session`, or all others with `elsewhere`.
    """
    if request.method == "POST":
        if area := proves_anew("/compte/appareils"):
            return area
        if request.form.get("elsewhere"):
            sign_out_elsewhere(app_ctx(), myself(), session_token())
        else:
            sign_out_of(app_ctx(), myself(), request.form.get("session", "")[:64])
        session["note"] = say("own.signed_out")
        return go("/compte/appareils" if myself().id else "/")
    here = token_digest(session_token())
    lines = [
        DeviceLine(one.token_sha256, one.device or say("account.some_device"), moment_of(one.seen_at),
                   one.token_sha256 == here)
        for one in sessions_of(app_ctx(), myself())
    ]  # fmt: skip
    return page("citizen/account_devices.html", lines=lines, note=session.pop("note", ""), back="/compte")


# -- own data ----------------------------------------------------------------------------------------------------------


@blueprint.get("/compte/consultations")
@signed_in
def consultations() -> Response:
    """Show the access log of the applicant's dossiers: roles and days, without names of agents."""
    lines = [
        (
            dossier.number,
            label(procedure.identity.title) if procedure else dossier.procedure,
            _reader(reading.role),
            reading.at,
        )
        for reading, dossier in readings_of_mine(app_ctx(), myself())
        for procedure in (procedure_of(dossier.procedure),)
    ]
    return page("citizen/account_access_log.html", lines=lines, back="/compte")


def _reader(role: str) -> str:
    if not role:
        return say("own.a_controller")
    agency = app_ctx().directory.agencies.get(agency_of(role))
    return f"{role_label(role)}, {label(agency.label)}" if agency else role_label(role)


@blueprint.get("/compte/donnees.json")
@signed_in
def data() -> Response:
    """Serve all stored data of the applicant as JSON."""
    text = json.dumps(export_own(app_ctx(), myself()), ensure_ascii=False, indent=1)
    return file_response(text.encode(), "application/json", "mes-donnees.json")


@blueprint.route("/compte/supprimer", methods=["GET", "POST"])
@signed_in
def erase() -> Response:
    """Show what an erasure deletes and what stays. A post erases the account. Asks for a recent sign-in first."""
    if area := proves_anew("/compte/supprimer"):
        return area
    if request.method == "GET":
        lines = [say(f"own.erase_{what}") for what in ("goes", "stays", "documents", "money", "children")]
        return confirm_page(say("own.erase"), lines, say("own.erase_go"), say("act.cancel"), "/compte")
    try:
        erase_own(app_ctx(), myself())
    except Refused as closed:
        return refused(closed.reason, "/compte")
    session.clear()
    home = [("/", say("frame.home"))]
    return close_session(
        page("error.html", title=say("own.erased"), lines=[say("own.erased_text")], code="", request="", links=home)
    )
