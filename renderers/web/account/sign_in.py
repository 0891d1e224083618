"""Sign-in by phone number and SMS code, the same for new requests and for tracking.

An applicant may start a request before the code arrives (`unverified_drafts`).
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request, session

from engine.core.problems import Refusal, Refused
from engine.core.values import digits_only
from engine.records.dossier import Actor
from engine.services.accounts.applicant_account import own
from engine.services.applications.drafts import see
from engine.services.context.app_context import NotFound
from engine.services.context.contact_parsing import read_phone
from engine.services.sign_in.applicant_sign_in import check_code, send_code
from engine.services.sign_in.sessions import SignedIn
from engine.services.sign_in.unverified_drafts import adopt, claim_other, claimed_phone, forsake
from renderers.html.controls import national
from renderers.i18n.translations import SPOKEN
from renderers.web.citizen.start import begun_by, start_asked
from renderers.web.citizen.submit import send_declared
from renderers.web.platform.access import public
from renderers.web.platform.errors import WAITS, refused, sentence, until_then
from renderers.web.platform.languages import ASKED
from renderers.web.platform.refused_posts import ask_again, only_shown, refused_post
from renderers.web.platform.request_context import (
    CLAIM,
    actor,
    app_ctx,
    asker,
    claimant,
    client,
    close_session,
    device,
    dossier_number,
    forget_all,
    go,
    known_browser,
    language,
    new_token,
    note_served,
    open_session,
    page,
    safe_next,
    say,
    session_token,
)
from renderers.web.shared.outcomes import confirm_page

blueprint = Blueprint("signin", __name__)

_MARK = "code_mark"  # key of the signed cookie: a code serves only the browser that asked for it


@blueprint.get("/connexion")
@public
def ask_phone() -> Response:
    """Show the form for the phone number.

    Without `brouillon=1` it is a new sign-in, perhaps of another person: nothing declared before is submitted by it.
    """
    mine = request.args.get("brouillon") == "1" or refused_post().typed("mine") == "1"
    if not mine:
        forget_declared()
    return _phone_page(mine)


def forget_declared() -> None:
    """Forget the request that was to be submitted once its number is verified. The draft stays."""
    session.pop("sending", None)


@blueprint.post("/connexion")
@public
def send() -> Response:
    """Send a code and redirect to its form, or to the phone form again with an error."""
    if (shown := only_shown(lambda: _phone_page(request.form.get("mine") == "1"))) is not None:
        return shown
    typed = request.form.get("phone", "")[:40]
    if following := safe_next(request.form.get("suite"), ""):
        session["next"] = following
    again = "1" if request.form.get("again") else ""
    try:
        sent = send_code(app_ctx(), typed, asker=asker(), language=language(), mark=_mark())
    except Refused as closed:
        if closed.reason.code == "code_too_soon" and _is_awaited(typed):
            session["note"] = sentence(closed.reason)
            return go("/connexion/code")
        if closed.reason.code in WAITS:
            if not _goes_on():
                return refused(closed.reason, "/connexion")
            session["phone"] = read_phone(typed)
            return _locked(closed.reason)
        return ask_again(lambda: _phone_page(request.form.get("mine") == "1"), {"phone": closed.reason})
    note_served()
    session["phone"] = sent.phone
    if request.form.get("mine") == "1" and claimant().id:
        claim_other(app_ctx(), claimant(), sent.phone)
    if again:
        session["note"] = say("code.sent_again")
    return go("/connexion/code")


def _mark() -> str:
    """Return the secret that this browser sends with the code, the same while it waits for one."""
    return str(session.setdefault(_MARK, new_token()))


def _is_awaited(typed: str) -> bool:
    """Return whether this browser waits for the code of this number. Another number's page is never shown."""
    try:
        return read_phone(typed) == session.get("phone")
    except Refused:
        return False


def _phone_page(mine: bool) -> Response:
    """Show the form. `mine` means that the number given for the draft of this browser was wrong."""
    post = refused_post()
    following = safe_next(post.typed("suite", request.args.get("suite", "")), "")
    return page(
        "citizen/sign_in.html", errors=post.errors, phone=post.typed("phone")[:40], next=following, back="/",
        has_saved_post=bool(session.get("aside")), provider=app_ctx().identity.label if app_ctx().identity else "",
        note=session.pop("note", ""), mine=mine and bool(claimant().id),
    )  # fmt: skip


@blueprint.get("/connexion/code")
@public
def ask_code() -> Response:
    """Show the form for the code, also for a number given earlier and not verified yet.

    `suite` is the address to return to.
    """
    if following := safe_next(request.args.get("suite"), ""):
        session["next"] = following
        forget_declared()
    if not session.get("phone"):
        session["phone"] = claimed_phone(app_ctx(), claimant())
    if not session["phone"]:
        return go("/connexion")
    return _code_page()


def _code_page(error: str = "") -> Response:
    phone = national(session["phone"]).replace(" ", "\u00a0")
    errors = [("#code", error)] if error else refused_post().errors
    unverified = bool(claimant().id)
    return page(
        "citizen/code.html", 429 if error else 200, errors=errors, phone=phone, note=session.pop("note", ""),
        unverified=unverified, sending=unverified and bool(session.get("sending")), goes_on=start_asked() is not None,
        draft=_draft() if unverified else "",
    )  # fmt: skip


def _draft() -> str:
    """Return where the unverified draft continues without a code.

    The address never asks for the code again.
    """
    following = safe_next(session.get("next"), "/dossiers")
    parts = following.partition("?")[0].split("/")
    if (
        parts[1] == "dossiers"
        and len(parts) > 2
        and parts[2].isdigit()
        and parts[3:4] not in (["demande"], ["verification"])
    ):
        return f"/dossiers/{parts[2]}/demande"
    return following


def _goes_on() -> bool:
    """Return whether the applicant can continue without the code."""
    return start_asked() is not None or bool(claimant().id)


def _locked(reason: Refusal) -> Response:
    """Show the code form (429) after too many tries, with the way to continue without a code."""
    answer = _code_page(until_then(reason))
    answer.headers["Retry-After"] = str(int(str(reason.facts["minutes"])) * 60)
    return answer


@blueprint.post("/connexion/code")
@public
def check() -> Response:
    """Check the code, then sign in. A wrong one redirects to the form with an error."""
    phone = session.get("phone", "")
    if not phone:
        return go("/connexion")
    keep = request.form.get("keep") == "1"
    try:
        signed = check_code(
            app_ctx(), phone, request.form.get("code", "")[:20], keep=keep, device=device(), mark=session.get(_MARK, ""),
            browser=known_browser(), client=client(),
        )  # fmt: skip
    except Refused as closed:
        return ask_again(_code_page, {"code": closed.reason})
    return entered(signed, keep, submits=True)


def entered(signed: SignedIn, keep: bool, submits: bool = False) -> Response:
    """Sign in and redirect to the page the applicant wanted, in their language.

    Drafts begun in this browser under the verified number now belong to the account. About others the applicant is
    asked. Only with `submits` is a request submitted that was declared before: the page of the code says so.
    """
    if not submits:
        forget_declared()
    left = adopt(app_ctx(), signed.actor, session_token(CLAIM)) if session_token(CLAIM) else ()
    address = "/dossiers/de-cet-appareil" if left else where_next(signed.actor)
    spoken = own(app_ctx(), signed.actor).wishes.language
    if spoken != language() and spoken in SPOKEN:
        address += ("&" if "?" in address else "?") + f"{ASKED}={spoken}"
    answer = open_session(go(address), signed, keep=keep)
    return answer if left or not session_token(CLAIM) else close_session(answer, CLAIM)


def where_next(who: Actor) -> str:
    """Return the address of what the applicant wanted: send or start a request, track a dossier, or open a page.

    The stored choice is deleted.
    """
    session.pop("phone", None)
    session.pop(_MARK, None)
    opening = start_asked()
    session.pop("opening", None)
    followed = session.pop("followed", "")
    following = session.pop("next", "")
    sending = session.pop("sending", None)
    if isinstance(sending, Mapping):
        return send_declared(who, str(sending["number"]), int(sending["revision"]) + 1)
    if opening is not None:
        return begun_by(who, opening)
    if followed:
        try:
            see(app_ctx(), who, dossier_number(followed))
        except NotFound:
            return "/dossiers?introuvable=1"
        return f"/dossiers/{followed}"
    return safe_next(following, "/dossiers")


@blueprint.route("/deconnexion", methods=["GET", "POST"])
@public
def leave() -> Response:
    """Ask whether to sign out. A post signs out.

    An unverified draft of this browser is deleted, because no code gives access to it again.
    """
    said = "unproven.leave" if claimant().id and not actor().id else "sign_out"
    if request.method == "POST":
        answer = close_session(go("/"))
        if said == "unproven.leave":
            forsake(app_ctx(), session_token(CLAIM))
            answer = close_session(answer, CLAIM)
        forget_all()
        return answer
    return confirm_page(
        say(f"{said}.title"), [say(f"{said}.text")], say(f"{said}.button"), say(f"{said}.keep"), "/dossiers",
        warn=said == "unproven.leave",
    )  # fmt: skip


@blueprint.route("/suivi", methods=["GET", "POST"])
@public
def follow() -> Response:
    """Ask for a dossier number and a phone, then send a code. The other button asks for the mail address instead.

    Whether they belong together is shown only after the code.
    """
    if request.method == "GET":
        forget_declared()
        return _follow_page()
    if (shown := only_shown(_follow_page)) is not None:
        return shown
    typed, phone = request.form.get("number", "")[:40], request.form.get("phone", "")[:40]
    digits = digits_only(typed)
    if len(digits) != 11:
        return ask_again(_follow_page, {"number": "follow.number_wrong"})
    session["followed"] = digits
    if request.form.get("go") == "courriel":
        return go("/connexion/courriel")
    try:
        sent = send_code(app_ctx(), phone, asker=asker(), language=language(), mark=_mark())
    except Refused as closed:
        if closed.reason.code == "code_too_soon" and _is_awaited(phone):
            return go("/connexion/code")
        if closed.reason.code in WAITS:
            return refused(closed.reason, "/suivi")
        return ask_again(_follow_page, {"phone": closed.reason})
    note_served()
    session["phone"] = sent.phone
    return go("/connexion/code")


def _follow_page() -> Response:
    post = refused_post()
    return page(
        "citizen/follow.html", errors=post.errors, number_typed=post.typed("number", request.args.get("number", ""))[:40],
        phone=post.typed("phone")[:40], number_error=post.error("number"), phone_error=post.error("phone"),
    )  # fmt: skip
