"""One row of a group on a screen of its own, and the removal of a row."""

from __future__ import annotations

from flask import Blueprint, Response, request, session

from engine.services.applications.drafts import save_page
from renderers.html.controls import control_id
from renderers.html.row_pages import find_row
from renderers.web.citizen.draft_migration import current_case
from renderers.web.citizen.form import Screen, save_screen, show_screen
from renderers.web.platform.access import signed_in, unproven_too
from renderers.web.platform.dossier_context import case
from renderers.web.platform.request_context import actor, app_ctx, form_revision, form_token, go, new_token, page, say

blueprint = Blueprint("rows", __name__)


@blueprint.get("/dossiers/<number>/demande/<page_id>/<row>")
@signed_in
@unproven_too
def show(number: str, page_id: str, row: str) -> Response:
    """Show one row of a group."""
    return show_screen(Screen(current_case(number), page_id, row))


@blueprint.post("/dossiers/<number>/demande/<page_id>/<row>")
@signed_in
@unproven_too
def save(number: str, page_id: str, row: str) -> Response:
    """Save one row and redirect to the list of rows."""
    return save_row(Screen(case(number), page_id, row))


def save_row(screen: Screen) -> Response:
    """Save one row. A row that is gone redirects to its list."""
    return save_screen(screen) if screen.one.dossier.is_draft and screen.view() else show_screen(screen)


@blueprint.route("/dossiers/<number>/demande/<page_id>/<row>/supprimer", methods=["GET", "POST"])
@signed_in
@unproven_too
def remove(number: str, page_id: str, row: str) -> Response:
    """Ask whether to remove a row. A post removes it."""
    return remove_row(Screen(case(number), page_id, row))


def remove_row(screen: Screen) -> Response:
    """Ask whether to remove a row, with its name. A post removes it, and the others keep their order."""
    one, page_id, row = screen.one, screen.page_id, screen.row
    found = find_row(screen.whole, row) if screen.whole else None
    if found is None:
        return show_screen(screen)
    name = found.row.label or say("rows.number", number=found.row.number)
    pages = screen.row_pages()
    back = f"{screen.above}{pages.query}#{control_id(row.rpartition('.')[0])}"
    if request.method == "POST":
        save_page(
            app_ctx(), actor(), one.id, page_id, {"remove_row": [row]}, row=row, revision=form_revision(),
            token=form_token(),
        )  # fmt: skip
        session["note"], session["note_kind"] = say("row.removed", label=name), "ok"
        return go(back)
    return page(
        "citizen/confirm.html", title=say("row.remove_title", label=name), procedure=one.title,
        lines=[say("row.remove_text")], button=say("row.remove"), back_label=say("row.keep"), back=back, warn=True, errors=[],
        ask_reason="", reason="", files=False, token=new_token(), revision=one.dossier.revision,
    )  # fmt: skip
