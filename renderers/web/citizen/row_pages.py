"""One row of a group on a screen of its own, and the removal of a row."""

from __future__ import annotations

from flask import Blueprint, Response, request

from engine.services.applications.drafts import save_page
from renderers.html.controls import control_id
from renderers.html.row_pages import find_row
from renderers.web.citizen.form import Screen, save_screen, show_screen
from renderers.web.citizen.start import renewed
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext
from renderers.web.platform.request_context import actor, app_ctx, form_revision, form_token, say
from renderers.web.shared.outcomes import confirm_page, go_noting

blueprint = Blueprint("rows", __name__)


@dossier_page(blueprint, "/demande/<page_id>/<row>", unproven=True)
def show(one: DossierContext, page_id: str, row: str) -> Response:
    """Show one row of a group."""
    return show_screen(Screen(renewed(one), page_id, row))


@dossier_page(blueprint, "/demande/<page_id>/<row>", "POST", unproven=True)
def save(one: DossierContext, page_id: str, row: str) -> Response:
    """Save one row and redirect to the list of rows, also if the row is gone."""
    screen = Screen(one, page_id, row)
    return save_screen(screen) if screen.one.dossier.is_draft and screen.view() else show_screen(screen)


@dossier_page(blueprint, "/demande/<page_id>/<row>/supprimer", "GET", "POST", unproven=True)
def remove(one: DossierContext, page_id: str, row: str) -> Response:
    """Ask whether to remove a row, with its name. A post removes it, and the others keep their order."""
    screen = Screen(one, page_id, row)
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
        return go_noting(back, say("row.removed", label=name), "ok")
    return confirm_page(
        say("row.remove_title", label=name), [say("row.remove_text")], say("row.remove"), say("row.keep"), back,
        procedure=one.title, revision=one.dossier.revision,
    )  # fmt: skip
