"""Sign-in with an identity provider. The request's secrets stay in the signed cookie of the browser."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, redirect, request, session

from engine.core.problems import Refused
from engine.services.accounts.applicant_account import notify_of_identity
from engine.services.sign_in.identity_provider import begin, finish
from engine.services.sign_in.sessions import is_fresh
from renderers.web.account.sign_in import entered
from renderers.web.platform.access import proves_anew, public
from renderers.web.platform.errors import refused
from renderers.web.platform.request_context import (
    APPLICANT_AREA,
    actor,
    app_ctx,
    asker,
    device,
    go,
    safe_next,
    say,
    session_token,
)
from renderers.web.platform.security import is_form_token

blueprint = Blueprint("identity_signin", __name__)

_ASKED = "identity"


def _back() -> str:
    return f"{app_ctx().settings.base_url}/connexion/identite/retour"


@blueprint.get("/connexion/identite")
@public
def leave() -> Response:
    """Redirect to the identity provider. `lier` adds the identity to the account signed in here.

    Its value is a form token of this browser, so that a link of another site joins nothing. A post is no way: the
    policy of the pages lets no form lead to another site. A person who signed in too long ago for a change of
    credentials proves there again who they are.
    """
    joining = actor().id if "lier" in request.args else ""
    if joining and (area := proves_anew("/compte")):
        return area
    if joining and not is_form_token(request.args["lier"][:200]):
        return go("/compte")
    anew = bool(actor().id) and not is_fresh(app_ctx(), session_token(APPLICANT_AREA))
    try:
        begun = begin(app_ctx(), _back(), anew)
    except Refused as closed:
        return refused(closed.reason, "/connexion")
    session[_ASKED] = {
        "state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "joining": joining, "anew": anew,
    }  # fmt: skip
    if following := safe_next(request.args.get("suite"), ""):
        session["next"] = following
    answer = redirect(begun.address, code=303)
    answer.headers["Cache-Control"] = "no-store"
    return answer  # type: ignore[return-value]


@blueprint.get("/connexion/identite/retour")
@public
def come_back() -> Response:
    """Sign in after the return from the provider. Each request to the provider serves once."""
    asked = session.pop(_ASKED, None)
    state = request.args.get("state", "")[:200]
    if not isinstance(asked, dict) or not hmac.compare_digest(str(asked.get("state", "")).encode(), state.encode()):
        return go("/connexion")
    if asked["joining"] and asked["joining"] != actor().id:  # signed out, or another person signed in meanwhile
        return go("/compte")
    if request.args.get("error") or not request.args.get("code"):
        session["note"] = say("identity.given_up")
        return go("/compte" if asked["joining"] else "/connexion")
    joining = actor() if asked["joining"] else None
    code = request.args.get("code", "")[:2000]
    try:
        signed = finish(
            app_ctx(), _back(), code, asked["nonce"], asked["verifier"], anew=bool(asked.get("anew")), joining=joining,
            device=device(), asker=asker(),
        )  # fmt: skip
    except Refused as closed:
        return refused(closed.reason, "/compte" if joining else "/connexion")
    if signed is None:
        notify_of_identity(app_ctx(), actor())
        session["note"] = say("identity.joined")
        return go("/compte")
    return entered(signed, keep=False)
