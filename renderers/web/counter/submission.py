"""The summary of a request at the counter and its submission: read, confirmed by the person, sent by the agent who helps."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.model import PAPER
from engine.services.accounts.assistance import confirm_by_code, person_named
from engine.services.applications.drafts import check, submit
from engine.services.context.app_context import WrongAnswers
from engine.services.sign_in.applicant_sign_in import send_sending_code
from renderers.html.controls import national
from renderers.web.citizen.start import has_changed, renewed
from renderers.web.citizen.submit import check_page
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import DossierContext, case
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, asker, form_revision, form_token, go, language, say

blueprint = Blueprint("counter_submission", __name__)

_CONFIRMED: Final = ("paper", "code")
_ON_FORM: Final = "form"  # signed on the paper form that is typed in


@blueprint.get(f"{HOME}/<number>")
@helper
def dossier(number: str) -> Response:
    """Redirect to the form of a draft, or to the receipt of a submitted request."""
    one = case(number)
    return go(one.at("/demande" if one.dossier.is_draft else "/recepisse"))


@blueprint.get(f"{HOME}/<number>/verification")
@helper
def verify(number: str) -> Response:
    """Show the summary of the draft and how the applicant confirms. Redirects to the receipt once submitted."""
    one = renewed(case(number))
    return _check(one) if one.dossier.is_draft else go(one.at("/recepisse"))


@blueprint.post(f"{HOME}/<number>/verification")
@helper
def send(number: str) -> Response:
    """Submit the request once the applicant confirmed the declaration on paper or by code.

    Redirects to the receipt. Shows the summary again (422) if the confirmation is missing.
    """
    one = renewed(case(number))
    if not one.dossier.is_draft:
        return go(one.at("/recepisse"))
    if has_changed(one):
        return go(one.at("/verification"))
    how = request.form.get("confirmed", "")
    try:
        if request.form.get("go") == "code":
            return _send_code(one)
        if request.form.get("declared") != "1":
            return _check(one, undeclared=True, status=422)
        if how not in (*_CONFIRMED, *((_ON_FORM,) if one.dossier.channel == PAPER else ())):
            return _check(one, say("counter.unconfirmed"), 422)
        if how == "code":
            confirm_by_code(app_ctx(), actor(), request.form.get("confirm_code", "")[:20], mark=actor().id)
    except Refused as closed:
        return _check(one, sentence(closed.reason), 422)
    try:
        submit(
            app_ctx(), actor(), one.id, declared=True, revision=form_revision(), token=form_token(), confirmed=how
        )  # fmt: skip
    except WrongAnswers:
        return go(one.at("/verification"))
    except Refused as closed:  # the page shows what is missing
        if closed.reason.code != "link_missing":
            raise
        return go(one.at("/verification"))
    return go(one.at("/recepisse"))


def _send_code(one: DossierContext) -> Response:
    _, phone = person_named(app_ctx(), actor())
    send_sending_code(app_ctx(), phone, asker=asker(), language=language(), mark=actor().id)
    session["note"] = say("counter.code_sent", phone=national(phone).replace(" ", "\u00a0"))
    return _check(one)


def _check(one: DossierContext, error: str = "", status: int = 200, undeclared: bool = False) -> Response:
    how = request.form.get("confirmed", "") or ("code" if request.form.get("go") == "code" else "")
    counter = {
        "phone": person_named(app_ctx(), actor())[1], "error": error, "confirmed": how,
        "declared": request.form.get("declared") == "1", "reading": one.at("/lecture"),
        "on_form": one.dossier.channel == PAPER,
    }  # fmt: skip
    return check_page(one, check(app_ctx(), actor(), one.id), undeclared, status=status, counter=counter)
