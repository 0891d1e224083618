"""Mandates: acting for a company, a child, another person or on one dossier.

Applicants ask for mandates, give, answer and end them, and choose for whom they act. Administrators check them.
"""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response, abort, request, session

from engine.core.problems import Refusal, Refused
from engine.domain.common.names import LONGEST, REFUSALS, first_wrong
from engine.records.dossier import Actor
from engine.records.people import COMPANY, Mandate, MandateRole
from engine.services.accounts import delegation as representation
from engine.services.accounts.mandates import MandateView, holder_shown, principal_shown
from engine.services.applications.attachments import Upload
from engine.services.applications.drafts import see
from engine.services.context.app_context import NotFound
from renderers.web.platform.access import agent, proves_anew, signed_in
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.refused_posts import Fault, ask_again, only_shown, refused_post, typed_form
from renderers.web.platform.request_context import (
    ACTING,
    acting_mandate,
    actor,
    app_ctx,
    asker,
    client,
    day_of,
    dossier_number,
    go,
    myself,
    page,
    safe_next,
    say,
)
from renderers.web.platform.uploads import uploaded_file
from renderers.web.shared.outcomes import confirm_page
from renderers.web.shared.staff import staff_page

blueprint = Blueprint("delegation", __name__)

_HOME = "/compte/entreprises"
_ROLES: tuple[MandateRole, ...] = ("reader", "agent", "manager")
_FIELDS = {
    "company": ("number", "name"), "proxy": ("family_name", "given_names"), "person": ("phone", "name"),
    "child": ("family_name", "given_names", "day", "month", "year"), "invite": ("phone", "role", "until"),
}  # fmt: skip


@blueprint.get("/compte/entreprises")
@signed_in
def home() -> Response:
    """Show the mandates held, and those given by the person or company acted for now."""
    given = [one for one in representation.given(app_ctx(), actor()) if one.mandate.holder != actor().id]
    return page(
        "citizen/delegation.html", mandates=[_line(one) for one in representation.held(app_ctx(), myself())],
        given=[_line(one) for one in given], here=session.get(ACTING, ""), principal=_principal(actor()),
        may_give=representation.can_give(app_ctx(), actor(), session.get(ACTING, "")), note=session.pop("note", ""),
    )  # fmt: skip


def _principal(who: Actor) -> str:
    return representation.principal_name(app_ctx(), who)


def _line(one: MandateView) -> dict[str, str]:
    mandate = one.mandate
    status = "over" if mandate.status == "active" and not one.active else mandate.status
    parts = [say(f"acting.kind_{mandate.kind}"), say(f"acting.role_{mandate.role}")]
    parts += [
        label(procedure.identity.title)
        for name in mandate.procedures
        if (procedure := app_ctx().catalogue.procedures.get(name))
    ]
    if mandate.until:
        parts.append(say("acting.until", day=day_of(mandate.until)))
    someone = say("acting.someone")
    return {
        "id": mandate.id, "for": principal_shown(one) or someone, "by": holder_shown(one) or someone, "text": ", ".join(parts),
        "status": status, "tag": {"active": "ok", "refused": "bad"}.get(status, ""), "said": say(f"acting.status_{status}"), "why": mandate.reason,
    }  # fmt: skip


@blueprint.post("/compte/agir")
@signed_in
def act() -> Response:
    """Choose for whom to act, or act for oneself again, and continue at `suite`.

    Answers 404 for an unknown mandate.
    """
    chosen = request.form.get("mandate", "")[:60]
    if chosen and representation.acting_for(app_ctx(), myself(), chosen) is None:
        abort(404)
    session.pop(ACTING, None)
    if chosen:
        session[ACTING] = chosen
    return go(safe_next(request.form.get("suite"), "/dossiers"))


@blueprint.post("/compte/mandats/<mandate_id>")
@signed_in
def answer(mandate_id: str) -> Response:
    """Accept or refuse a mandate, or end one. `decline` and `leave` ask for confirmation first.

    `accept` asks for a recent sign-in.
    """
    said = request.form.get("do", "")
    if said == "accept" and (area := proves_anew(_HOME)):
        return area
    if said in ("decline", "leave"):
        return _sure(mandate_id, said)
    if said in ("accept", "refuse"):
        reason = request.form.get("reason", "")[: representation.LONGEST_REASON * 2]
        representation.answer(app_ctx(), myself(), mandate_id, said == "accept", reason)
        return _done("answered")
    who = myself() if session.get(ACTING) == mandate_id else actor()
    representation.end(app_ctx(), who, mandate_id)
    if session.get(ACTING) == mandate_id:
        session.pop(ACTING, None)
    back = request.form.get("dossier", "")[:20]
    return _done("ended", f"/dossiers/{dossier_number(back)}/personnes" if back else _HOME)


def _sure(mandate_id: str, said: str) -> Response:
    """Ask for confirmation. Raises `NotFound` for a mandate that the person cannot refuse or leave."""
    known = representation.given(app_ctx(), myself()) if said == "decline" else representation.held(app_ctx(), myself())
    open_ones = ("asked",) if said == "decline" else ("asked", "to_check", "active")
    one = next((one for one in known if one.mandate.id == mandate_id and one.mandate.status in open_ones), None)
    if one is None:
        raise NotFound
    line = _line(one)
    name = line["by"] if said == "decline" else line["for"]
    return confirm_page(
        say(f"acting.{said}_title", name=name), [line["text"], say(f"acting.{said}_text", name=name)],
        say("acting.refuse" if said == "decline" else "acting.lay_down"), say("acting.sure_keep"), _HOME,
        ask_reason=say("acting.why_optional") if said == "decline" else "",
        hidden=[("do", "refuse" if said == "decline" else "end")],
    )  # fmt: skip


def _done(what: str, where: str = _HOME) -> Response:
    session["note"] = say(f"acting.done_{what}")
    return go(where)


# -- asking ------------------------------------------------------------------------------------------------------------


@blueprint.route("/compte/entreprises/nouvelle", methods=["GET", "POST"])
@signed_in
def company() -> Response:
    """Ask to act for a company. A post needs a proof and awaits an administrator's check."""
    if (shown := only_shown(lambda: _form("company"))) is not None:
        return shown
    given = _given("company")
    try:
        representation.declare_company(
            app_ctx(), myself(), given["number"], given["name"], _proof(), client=client(), browser=asker().browser
        )  # fmt: skip
    except Refused as closed:
        fields = {"company_number": "number", "already_asked": "number", **dict.fromkeys(REFUSALS, "name")}
        return _again("company", fields.get(closed.reason.code, "proof"), closed.reason)
    return _done("company")


@blueprint.route("/compte/personnes/procuration", methods=["GET", "POST"])
@signed_in
def proxy() -> Response:
    """Ask to act for a person without a phone under a signed proxy, which an administrator checks."""
    if (shown := only_shown(lambda: _form("proxy"))) is not None:
        return shown
    given = _given("proxy")
    try:
        representation.declare_proxy(
            app_ctx(), myself(), given, _proof(), client=client(), browser=asker().browser
        )  # fmt: skip
    except Refused as closed:
        return _again("proxy", first_wrong(given) if closed.reason.code in REFUSALS else "proof", closed.reason)
    return _done("company")


def _proof() -> Upload | None:
    file = request.files.get("proof")
    return Upload(file.filename, file.read()) if file and file.filename else None


@blueprint.route("/compte/enfants/nouveau", methods=["GET", "POST"])
@signed_in
def child() -> Response:
    """Declare a child to act for until the day before majority. An invalid date shows the form again."""
    if (shown := only_shown(lambda: _form("child"))) is not None:
        return shown
    given = _given("child")
    try:
        born = date(*(int(given[part]) for part in ("year", "month", "day")))
    except (ValueError, OverflowError):  # a year of twenty digits overflows
        return _again("child", "day", "acting.wrong_day")
    try:
        representation.declare_child(app_ctx(), myself(), given, born)
    except Refused as closed:
        return _again("child", first_wrong(given) if closed.reason.code in REFUSALS else "day", closed.reason)
    return _done("child")


@blueprint.route("/compte/personnes/nouvelle", methods=["GET", "POST"])
@signed_in
def person() -> Response:
    """Ask a person, by phone number, for the right to act for them. An SMS notifies them."""
    if (shown := only_shown(lambda: _form("person"))) is not None:
        return shown
    given = _given("person")
    try:
        representation.ask_person(app_ctx(), myself(), given["phone"], given["name"], asker=asker())
    except Refused as closed:
        return _again("person", "name" if closed.reason.code in REFUSALS else "phone", closed.reason)
    return _done("person" + _silent())


# -- giving a mandate --------------------------------------------------------------------------------------------------


@blueprint.route("/compte/entreprises/inviter", methods=["GET", "POST"])
@signed_in
def invite() -> Response:
    """Give a person a mandate for the principal, limited by role, procedures and date.

    Asks for a recent sign-in first.
    """
    return proves_anew("/compte/entreprises/inviter") or _invite("")


@blueprint.route("/dossiers/<number>/personnes", methods=["GET", "POST"])
@signed_in
def people(number: str) -> Response:
    """Show who else sees this dossier and give a mandate on it. Raises `NotFound` for readers."""
    if actor().only_reads:
        raise NotFound
    return _invite(see(app_ctx(), actor(), dossier_number(number)).id, number)


def _invite(dossier: str, number: str = "") -> Response:
    if (shown := only_shown(lambda: _invite_page(dossier, number))) is not None:
        return shown

    def again(fault: Fault) -> Response:
        return ask_again(lambda: _invite_page(dossier, number), {"phone": fault})

    given = _given("invite")
    if request.form.get("acting", "") != acting_mandate():  # the mandate of the form ended, or another tab changed it
        return again("acting.changed")
    try:
        until = date.fromisoformat(given["until"]) if given["until"] else None
    except ValueError:
        return again("acting.wrong_day")
    role = next((one for one in _ROLES if one == given["role"]), "reader")
    try:
        representation.give(
            app_ctx(), actor(), session.get(ACTING, ""), given["phone"], role, until=until, dossier_id=dossier,
            procedures=tuple(request.form.getlist("procedure")[:100]) if not dossier else (), asker=asker(),
        )  # fmt: skip
    except Refused as closed:
        if closed.reason.code in ("too_many_tries", "mandate_bounds"):
            return refused(closed.reason, _HOME)
        return again(closed.reason)
    return _done("given" + _silent(), f"/dossiers/{number}/personnes" if number else _HOME)


def _silent() -> str:
    """Return the suffix of word keys for an applicant without a verified phone, whose requests send no SMS."""
    return "" if representation.invites_by_sms(app_ctx(), myself()) else "_silent"


def _invite_page(dossier: str, number: str) -> Response:
    post = refused_post()
    there = [one for one in representation.given(app_ctx(), actor()) if dossier and dossier in one.mandate.dossiers]
    procedures = sorted(app_ctx().catalogue.procedures.values(), key=lambda procedure: label(procedure.identity.title))
    return page(
        "citizen/delegation_invite.html", errors=post.errors, given=_given("invite"), dossier=number, lines=[_line(one) for one in there], roles=_ROLES[:2] if dossier else _ROLES,
        procedures=[] if dossier else [(procedure.id, label(procedure.identity.title)) for procedure in procedures],
        acting=acting_mandate(), chosen=post.form.getlist("procedure"), note=session.pop("note", "") if number else "",
        may_give=representation.can_give(app_ctx(), actor(), session.get(ACTING, "")),
        back=f"/dossiers/{number}" if number else _HOME,
    )  # fmt: skip


def _given(kind: str) -> dict[str, str]:
    """Return the fields of a form, as posted or as a refused post had them."""
    return {name: typed_form().get(name, "")[:200] for name in _FIELDS[kind]}


def _again(kind: str, field: str, fault: Fault) -> Response:
    if isinstance(fault, Refusal) and fault.code == "too_many_tries":
        return refused(fault, _HOME)
    return ask_again(lambda: _form(kind), {field: fault})


def _form(kind: str) -> Response:
    post = refused_post()
    return page(
        "citizen/delegation_form.html", errors=post.errors, kind=kind, given=_given(kind), wrong=next(iter(post.faults), ""),
        text=say(f"acting.{kind}_text" + (_silent() if kind == "person" else "")), back=_HOME,
    )  # fmt: skip


# -- checks by an administrator ----------------------------------------------------------------------------------------


@blueprint.get("/agent/representants")
@agent()
def to_check() -> Response:
    """Show the mandates that wait for an administrator's check."""
    return _waiting()


def _waiting(closed: Refused | None = None, at: str = "") -> Response:
    """Show the mandates to check. `at` is the one whose check was refused for the reason `closed`."""
    waiting = [(one, _line(one)) for one in representation.to_check(app_ctx(), actor())]
    lines = [{**line, "number": _company_number(one), "known": one.principal.name, "name": ""} for one, line in waiting]
    field, error = "", ""
    if closed is not None:
        field = "name" if closed.reason.code in REFUSALS else "why"
        error = say("acting.why_missing") if closed.reason.code == "reason_missing" else sentence(closed.reason)
    for line in (one for one in lines if one["id"] == at):
        line["name"] = request.form.get("name", "")[: 2 * LONGEST]
    return staff_page(
        "agent/representatives.html", 422 if error else 200, lines=lines, note=session.pop("desk_note", ""), error=error, at=at,
        wrong=field, errors=[(f"#{field}-{at}", error)] if error else [], longest=representation.LONGEST_REASON,
        longest_name=LONGEST,
    )  # fmt: skip


def _company_number(one: MandateView) -> str:
    return one.principal.login.removeprefix(COMPANY) if one.mandate.kind == "company" else ""


@blueprint.get("/agent/representants/<mandate_id>/document")
@agent()
def proof(mandate_id: str) -> Response:
    """Serve the document that proves a mandate, to an administrator. Raises `NotFound`."""
    name, content = representation.proof_of(app_ctx(), actor(), mandate_id)
    return uploaded_file(content, name.rpartition(".")[2].lower(), name)


@blueprint.post("/agent/representants/<mandate_id>")
@agent()
def check(mandate_id: str) -> Response:
    """Accept or refuse a mandate and return to the list. Shows the list again (422) with the reason."""
    reason = request.form.get("reason", "")[: representation.LONGEST_REASON * 2]
    name, yes = request.form.get("name", "")[: 2 * LONGEST], request.form.get("do") == "accept"
    try:
        done: Mandate = representation.check(app_ctx(), actor(), mandate_id, yes, reason, name=name)
    except Refused as closed:
        return _waiting(closed, mandate_id)
    session["desk_note"] = say(f"acting.status_{done.status}")
    return go("/agent/representants")
