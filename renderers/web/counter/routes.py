"""The pages of a request as its owner has them, at the counter: the same screens, papers and check, under the agent's hand."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.services.accounts.assistance import confirm_by_code, person_named
from engine.services.applications.drafts import check, submit
from engine.services.context.app_context import WrongAnswers
from engine.services.sign_in.applicant_sign_in import send_sending_code
from renderers.html.controls import national
from renderers.web.citizen.draft_migration import current_case, has_changed
from renderers.web.citizen.form import Screen, piece_of, save_screen, show_screen, tasks_page
from renderers.web.citizen.resumable_uploads import received_so_far, take_piece
from renderers.web.citizen.row_pages import remove_row, save_row
from renderers.web.citizen.submit import check_page
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import DossierContext, case
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, asker, form_revision, form_token, go, language, say

blueprint = Blueprint("counter_form", __name__)

_CONFIRMED: Final = ("paper", "code")


@blueprint.get(f"{HOME}/<number>")
@helper
def dossier(number: str) -> Response:
    one = case(number)
    return go(one.at("/demande" if one.dossier.is_draft else "/recepisse"))


@blueprint.get(f"{HOME}/<number>/demande")
@helper
def tasks(number: str) -> Response:
    return tasks_page(current_case(number))


@blueprint.get(f"{HOME}/<number>/demande/<page_id>")
@helper
def show(number: str, page_id: str) -> Response:
    return show_screen(Screen(current_case(number), page_id, judged=False))


@blueprint.post(f"{HOME}/<number>/demande/<page_id>")
@helper
def save(number: str, page_id: str) -> Response:
    return save_screen(Screen(case(number), page_id))


@blueprint.get(f"{HOME}/<number>/demande/<page_id>/<row>")
@helper
def show_row(number: str, page_id: str, row: str) -> Response:
    return show_screen(Screen(current_case(number), page_id, row))


@blueprint.post(f"{HOME}/<number>/demande/<page_id>/<row>")
@helper
def keep_row(number: str, page_id: str, row: str) -> Response:
    return save_row(Screen(case(number), page_id, row))


@blueprint.route(f"{HOME}/<number>/demande/<page_id>/<row>/supprimer", methods=["GET", "POST"])
@helper
def drop_row(number: str, page_id: str, row: str) -> Response:
    return remove_row(Screen(case(number), page_id, row))


# -- papers --------------------------------------------------------------------------------------------------------------


@blueprint.get(f"{HOME}/<number>/pieces/<attachment_id>")
@helper
def piece(number: str, attachment_id: str) -> Response:
    return piece_of(case(number), attachment_id)


@blueprint.get(f"{HOME}/<number>/envois/<key>.json")
@helper
def so_far(number: str, key: str) -> Response:
    return received_so_far(case(number), key)


@blueprint.post(f"{HOME}/<number>/envois/<key>.json")
@helper
def arriving(number: str, key: str) -> Response:
    return take_piece(case(number), key)


# -- sending -------------------------------------------------------------------------------------------------------------


@blueprint.get(f"{HOME}/<number>/verification")
@helper
def verify(number: str) -> Response:
    one = current_case(number)
    return _check(one) if one.dossier.is_draft else go(one.at("/recepisse"))


@blueprint.post(f"{HOME}/<number>/verification")
@helper
def send(number: str) -> Response:
    """Sends once the declaration was read aloud and the person confirmed it, on paper or by the code they get."""
    one = current_case(number)
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
        if how not in _CONFIRMED:
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
    except Refused as closed:  # the page tells what is missing
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
    }  # fmt: skip
    return check_page(one, check(app_ctx(), actor(), one.id), undeclared, status=status, counter=counter)
