"""The pages of a request at the counter: the applicant's screens, files and summary, used by the agent who helps."""

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
from renderers.web.citizen import form, resumable_uploads, row_pages
from renderers.web.citizen.form import Screen, show_screen
from renderers.web.citizen.start import has_changed, renewed
from renderers.web.citizen.submit import check_page
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import DossierContext, case
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, asker, form_revision, form_token, go, language, say

blueprint = Blueprint("counter_form", __name__)

_CONFIRMED: Final = ("paper", "code")
_ON_FORM: Final = "form"  # signed on the paper form that is typed in


@blueprint.get(f"{HOME}/<number>")
@helper
def dossier(number: str) -> Response:
    """Redirect to the form of a draft, or to the receipt of a submitted request."""
    one = case(number)
    return go(one.at("/demande" if one.dossier.is_draft else "/recepisse"))


@blueprint.get(f"{HOME}/<number>/demande")
@helper
def tasks(number: str) -> Response:
    """Show the pages of the draft and what is left to do."""
    return form.tasks(case(number))


@blueprint.get(f"{HOME}/<number>/demande/<page_id>")
@helper
def show(number: str, page_id: str) -> Response:
    """Show a page of the form. Its problems are not shown before the first post."""
    return show_screen(Screen(renewed(case(number)), page_id, judged=False))


@blueprint.post(f"{HOME}/<number>/demande/<page_id>")
@helper
def save(number: str, page_id: str) -> Response:
    """Save a page of the form and go on to the next one."""
    return form.save(case(number), page_id)


@blueprint.get(f"{HOME}/<number>/demande/<page_id>/<row>")
@helper
def show_row(number: str, page_id: str, row: str) -> Response:
    """Show one row of a group."""
    return row_pages.show(case(number), page_id, row)


@blueprint.post(f"{HOME}/<number>/demande/<page_id>/<row>")
@helper
def save_one_row(number: str, page_id: str, row: str) -> Response:
    """Save one row and redirect to the list of rows."""
    return row_pages.save(case(number), page_id, row)


@blueprint.route(f"{HOME}/<number>/demande/<page_id>/<row>/supprimer", methods=["GET", "POST"])
@helper
def drop_row(number: str, page_id: str, row: str) -> Response:
    """Ask whether to remove a row. A post removes it."""
    return row_pages.remove(case(number), page_id, row)


# -- files -------------------------------------------------------------------------------------------------------------


@blueprint.get(f"{HOME}/<number>/pieces/<attachment_id>")
@helper
def attachment(number: str, attachment_id: str) -> Response:
    """Serve an uploaded file. Raises `NotFound`."""
    return form.attachment(case(number), attachment_id)


@blueprint.get(f"{HOME}/<number>/envois/<key>.json")
@helper
def so_far(number: str, key: str) -> Response:
    """Return as JSON how many bytes of an upload were received."""
    return resumable_uploads.so_far(case(number), key)


@blueprint.post(f"{HOME}/<number>/envois/<key>.json")
@helper
def receive(number: str, key: str) -> Response:
    """Store one piece of an upload and return the bytes received as JSON."""
    return resumable_uploads.receive(case(number), key)


# -- submission --------------------------------------------------------------------------------------------------------


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
