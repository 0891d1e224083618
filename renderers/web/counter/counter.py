"""Start and end of assistance at the counter: the person helped, their consent, and the procedure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from flask import Blueprint, Response, abort, g, request, session

from engine.core.problems import Refused
from engine.domain.common.names import REFUSALS, first_wrong
from engine.domain.forms.eligibility import adopt_criteria
from engine.model import COUNTER, PAPER, Procedure
from engine.model.summary import EditionSummary
from engine.records.dossier import Actor
from engine.services.accounts import assistance
from engine.services.context.app_context import NotFound
from engine.services.context.contact_parsing import read_phone
from engine.services.sign_in.applicant_sign_in import send_help_code
from renderers.html.controls import national
from renderers.html.pagination import ON_A_PAGE, paged
from renderers.web.citizen.eligibility import question_page, stopped_page, typed_criteria, walk_criteria
from renderers.web.counter.agreement import sheet_response
from renderers.web.counter.possible import request_rows
from renderers.web.platform.access import agent, helper, public
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.languages import is_switching
from renderers.web.platform.refused_posts import ask_again, refused_post
from renderers.web.platform.request_context import (
    COUNTER_AREA,
    actor,
    app_ctx,
    asker,
    client,
    device,
    form_token,
    go,
    known_browser,
    language,
    new_token,
    open_session,
    page,
    say,
)
from renderers.web.public.blank_forms import printed_fingerprint
from renderers.web.public.catalogue import in_order
from renderers.web.shared.staff import staff_page

blueprint = Blueprint("counter", __name__)

HOME: Final = "/agent/guichet"
_PROOFS: Final = ("proving", "proved")  # verified for the earlier person, not for the next one
_AWAITED: Final = "helped_phone"  # key of the signed cookie: the number that was sent a code
_PRINTED: Final = "consent_sheet"  # key of the signed cookie: the number of the sheet that was printed
_PAGE: Final = re.compile(r"[\w-]+(?:/[\w-]+)*(?:\?quoi=\w+)?", re.ASCII)  # of a request: no other address of the site


# -- the person --------------------------------------------------------------------------------------------------------


@blueprint.get(HOME)
@agent()
def home() -> Response:
    """Show the requests and procedures of the person helped. Before that, show how they can consent."""
    _receives()
    helps = assistance.helping(app_ctx(), actor())
    if helps is None:
        return _sign_in_form()
    g.area = COUNTER_AREA
    return _choices()


def _choices(typed: str = "", error: str = "") -> Response:
    """Show what can be done: act on an earlier request, open another by its number, or start a procedure."""
    receives = assistance.received_by(app_ctx(), _agent())
    query, listed = request.args.get("q", "").strip()[:100], in_order()
    found = listed.words.find(query)
    here = paged(
        [one for one in found.ids or found.closest if one in receives], request.args.get("page", ""), HOME, q=query
    )
    return page(
        "agent/counter.html", 422 if error else 200, errors=[("#number", error)] if error else [], number_typed=typed,
        note=session.pop("note", ""), q=query, here=here, begun=[] if query else request_rows(assistance.requests_of(app_ctx(), _agent())[:ON_A_PAGE], _agent()),
        procedures=[(label(receives[one].title), f"{HOME}/demarches/{one}") for one in here.items],
        searched=len(receives) > ON_A_PAGE,
    )  # fmt: skip


def _receives() -> Mapping[str, EditionSummary]:
    """Return the procedures that this agent may fill in with applicants. Answers 403 if there are none."""
    found = assistance.received_by(app_ctx(), actor())
    if not found:
        abort(403)
    return found


def _sign_in_form(field: str = "", error: str = "") -> Response:
    for name in _PROOFS:
        session.pop(name, None)
    errors = [(f"#{field}", error)] if error else []
    given = {name: request.form.get(name, "")[:200] for name in ("phone", "family_name", "given_names", "number")}
    return staff_page(
        "agent/counter_identify.html", 422 if error else 200, errors=errors, wrong=field, given=given,
        note=session.pop("note", ""),
    )  # fmt: skip


@blueprint.post(HOME)
@agent()
def begin() -> Response:
    """Start assistance by a code sent to the phone, a signed paper or an earlier receipt.

    Redirects to the next page, or shows the form again (422).
    """
    _receives()
    for name in _PROOFS:
        session.pop(name, None)
    how, given = request.form.get("how", ""), {name: said[:200] for name, said in request.form.items()}
    try:
        if how == "phone":
            session[_AWAITED] = send_help_code(
                app_ctx(), given.get("phone", ""), asker=asker(), language=language(), mark=actor().id
            ).phone
            return go(f"{HOME}/code")
        if how == "paper":
            names = given.get("family_name", ""), given.get("given_names", "")
            if given.get("go") == "sheet":
                return _consent_sheet(*names)
            signed, printed = given.get("signed") == "1", str(session.pop(_PRINTED, ""))
            assistance.help_on_paper(app_ctx(), actor(), *names, signed, printed)
        elif how == "receipt":
            number, code = given.get("number", ""), given.get("code", "")
            found = assistance.help_by_receipt(app_ctx(), actor(), number, code)
            if found is None:
                session["note"] = say("counter.elsewhere")
            return go(f"{HOME}/{found.number}" if found else HOME)
        else:
            return go(HOME)
    except Refused as closed:
        return _not_begun(closed)
    return go(HOME)


def _consent_sheet(family_name: str, given_names: str) -> Response:
    """Return the consent sheet of a person as PDF, to be signed before the assistance begins."""
    name, number = assistance.consent_sheet(app_ctx(), actor(), family_name, given_names)
    session[_PRINTED] = number
    return sheet_response(number, name, [say("agreement.help")], [])


def _not_begun(closed: Refused) -> Response:
    code = closed.reason.code
    if code == "too_many_tries":
        return refused(closed.reason, HOME)
    if code == "code_too_soon" and session.get(_AWAITED) == read_phone(request.form.get("phone", "")):
        session["note"] = sentence(closed.reason)
        return go(f"{HOME}/code")
    fields = {"consent_missing": "signed", "receipt_wrong": "number"}
    names = {name: request.form.get(name, "") for name in ("family_name", "given_names")}
    field = first_wrong(names) if code in REFUSALS else fields.get(code, "phone")
    return _sign_in_form(field, sentence(closed.reason))


@blueprint.route(f"{HOME}/code", methods=["GET", "POST"])
@agent()
def read_aloud() -> Response:
    """Ask for the code that the person reads aloud as consent. A right one starts the assistance."""
    _receives()
    phone = str(session.get(_AWAITED, ""))
    if not phone:
        return go(HOME)
    error = ""
    if request.method == "POST":
        try:
            assistance.help_by_code(app_ctx(), actor(), phone, request.form.get("code", "")[:20], mark=actor().id)
        except Refused as closed:
            error = sentence(closed.reason)
        else:
            session.pop(_AWAITED, None)
            return go(HOME)
    return staff_page(
        "agent/counter_code.html", 422 if error else 200, errors=[("#code", error)] if error else [],
        phone=national(phone).replace(" ", "\u00a0"), note=session.pop("note", ""),
    )  # fmt: skip


@blueprint.post(f"{HOME}/terminer")
@agent()
def end() -> Response:
    """End the assistance and redirect to the start of the counter."""
    _receives()
    assistance.end_assistance(app_ctx(), actor())
    session.pop(_AWAITED, None)
    session["note"] = say("counter.ended")
    return go(HOME)


@blueprint.post(f"{HOME}/demandes")
@helper
def resume() -> Response:
    """Open an earlier request of the person, by its number, or a page of it (`number/page`).

    Shows the start again (422) if it is refused.
    """
    typed, _, rest = request.form.get("number", "")[:200].partition("/")
    try:
        found = assistance.resume_request(app_ctx(), _agent(), typed)
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, HOME)
        return _choices(typed, sentence(closed.reason))
    return go(f"{HOME}/{found.number}/{rest}" if _PAGE.fullmatch(rest) else f"{HOME}/{found.number}")


# -- the procedure -----------------------------------------------------------------------------------------------------


@blueprint.route(f"{HOME}/demarches/<slug>", methods=["GET", "POST"])
@helper
def choose(slug: str) -> Response:
    """Show the eligibility questions of a procedure, then its start page. A post opens the draft."""
    procedure = _offered(slug)
    walk = walk_criteria(procedure, request.form if request.method == "POST" else request.args)
    base = f"{HOME}/demarches/{slug}"
    if is_switching():
        return go(f"{base}?{typed_criteria(procedure, request.form)}")
    if walk.criterion is not None and walk.stops:
        return stopped_page(procedure, walk, walk.criterion, base)
    if walk.criterion is not None:
        if request.method == "POST":
            return go(f"{base}?{typed_criteria(procedure, request.form)}")
        return question_page(procedure, walk, request.args, action=base, back=HOME)
    if request.method == "GET":
        return _start_page(procedure, walk.carried)
    if PAPER in procedure.identity.channels and "signs" not in request.form:  # the last criterion was just answered
        return go(f"{base}?{typed_criteria(procedure, request.form)}")
    on_paper, signs = _is_on_paper(procedure), request.form.get("signs", "").strip().lower()[:20]
    printed = printed_fingerprint(procedure, signs) if on_paper else procedure.fingerprint
    if not printed:
        return _start_page(procedure, walk.carried, signs, say("counter.signs_wrong"))
    criteria = adopt_criteria(procedure, walk.given, app_ctx().day(), app_ctx().directory)
    dossier = assistance.begin_request(
        app_ctx(), _agent(), slug, criteria, language(), form_token(),
        channel=PAPER if on_paper else COUNTER, sheet=signs if on_paper else "",
    )  # fmt: skip
    if dossier.channel != PAPER:
        return go(f"{HOME}/{dossier.number}/demande")
    past = "" if printed == procedure.fingerprint else f"?feuille={signs}"
    return go(f"{HOME}/{dossier.number}/saisie{past}")


def _is_on_paper(procedure: Procedure) -> bool:
    """Return whether the agent types in a signed form. It is the only way of a procedure without a counter."""
    channels = procedure.identity.channels
    return PAPER in channels and (COUNTER not in channels or request.form.get("source") == "paper")


def _start_page(procedure: Procedure, carried: Mapping[str, str], signs: str = "", error: str = "") -> Response:
    """Show how a request begins. Where signed forms are accepted, ask whether one is typed in, and its signs."""
    channels = procedure.identity.channels
    return page(
        "agent/counter_start.html", 422 if error else 200, procedure=label(procedure.identity.title),
        carried=list(carried.items()), token=new_token(), back=HOME, paper=PAPER in channels,
        present=COUNTER in channels, signs=signs, error=error, errors=[("#signs", error)] if error else [],
    )  # fmt: skip


def _agent() -> Actor:
    """Return the agent with their own rights, not those of the person helped."""
    return cast(Actor, g.myself)


def _offered(slug: str) -> Procedure:
    found = (
        app_ctx().catalogue.current(slug, app_ctx().day())
        if slug in assistance.received_by(app_ctx(), _agent())
        else None
    )
    if found is None:
        raise NotFound
    return found


# -- without a phone ---------------------------------------------------------------------------------------------------


@blueprint.route("/suivi/code", methods=["GET", "POST"])
@public
def follow() -> Response:
    """Sign in with the number and the code printed on a receipt, then redirect to the dossier."""
    if request.method == "GET":
        return _follow_page()
    typed, code = request.form.get("number", "")[:40], request.form.get("code", "")[:40]
    try:
        signed, number = assistance.follow_by_code(
            app_ctx(), typed, code, client=client(), device=device(), browser=known_browser()
        )  # fmt: skip
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, "/suivi/code")
        return ask_again(_follow_page, {"number": closed.reason})
    return open_session(go(f"/dossiers/{number}"), signed)


def _follow_page() -> Response:
    post = refused_post()
    return page("citizen/follow_code.html", errors=post.errors, number_typed=post.typed("number")[:40])
