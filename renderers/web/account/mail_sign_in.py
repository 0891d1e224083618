"""Sign-in by a link sent by mail, and what to do without the phone."""

from __future__ import annotations

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.services.sign_in.mail_links import follow_link, refusal_for_link, send_link
from renderers.web.account.sign_in import entered
from renderers.web.platform.access import public
from renderers.web.platform.errors import refused
from renderers.web.platform.refused_posts import ask_again, only_shown, refused_post
from renderers.web.platform.request_context import (
    app_ctx,
    asker,
    device,
    go,
    language,
    note_served,
    page,
    safe_next,
    say,
)

blueprint = Blueprint("mail_signin", __name__)

_MARK = "link_mark"


@blueprint.route("/connexion/courriel", methods=["GET", "POST"])
@public
def ask_email() -> Response:
    """Show the form for the mail address. A post sends a link to it and redirects."""
    if (shown := only_shown(_email_page)) is not None:
        return shown
    try:
        sent = send_link(app_ctx(), request.form.get("email", "")[:254], asker=asker(), language=language())
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, "/connexion/courriel")
        return ask_again(_email_page, {"email": closed.reason})
    note_served()
    session[_MARK], session["link_email"] = sent.mark, sent.email
    if following := safe_next(request.form.get("suite"), ""):
        session["next"] = following
    return go("/connexion/courriel/envoye")


def _email_page() -> Response:
    post = refused_post()
    following = safe_next(post.typed("suite", request.args.get("suite", "")), "")
    return page(
        "citizen/sign_in_email.html", errors=post.errors, email=post.typed("email")[:254], next=following,
        back="/connexion", has_saved_post=bool(session.get("aside")),
    )  # fmt: skip


@blueprint.get("/connexion/courriel/envoye")
@public
def sent() -> Response:
    """Show that a link was sent."""
    email = session.get("link_email", "")
    if not email:
        return go("/connexion/courriel")
    return page("citizen/link_sent.html", email=email, back="/connexion/courriel")


@blueprint.route("/connexion/lien/<token>", methods=["GET", "POST"])
@public
def follow(token: str) -> Response:
    """Show a button that signs in, because mail programs open links. A post signs in.

    An invalid link shows why (403), an expired one too (410).
    """
    token, mark = token[:100], str(session.get(_MARK, ""))
    why = refusal_for_link(app_ctx(), token, mark)
    if why is None and request.method == "POST":
        keep = request.form.get("keep") == "1"
        try:
            signed = follow_link(app_ctx(), token, mark, keep=keep, device=device())
        except Refused as closed:
            why = closed.reason.code
        else:
            session.pop(_MARK, None)
            session.pop("link_email", None)
            return entered(signed, keep)
    if why is not None:
        answer = page(
            "citizen/link_shut.html",
            410 if why == "link_over" else 403,
            title=say(f"mail.{why}"),
            text=say(f"mail.{why}_text"),
        )
        answer.headers["Cache-Control"] = "no-store"
        return answer
    return page("citizen/link_open.html")


@blueprint.get("/connexion/numero-perdu")
@public
def lost_phone() -> Response:
    """Show what to do without the phone."""
    return page("citizen/lost_phone.html", back="/connexion")
