"""Corrections that an agent asked for. Only the named questions can be changed."""

from __future__ import annotations

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.domain.fields.views import PageView
from engine.domain.forms.corrections import CONFIRMED, UNCHANGED
from engine.services.applications.drafts import detach, save_corrections, see_corrections, send_corrections
from engine.storage.results import Conflict
from renderers.html.controls import DrawingContext, error_summary
from renderers.i18n.language_spans import joined
from renderers.web.citizen.form import is_clash, page_with, posted_answers
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext, case, drawing, label
from renderers.web.platform.refused_posts import as_faults, ask_again, problems_left, refused_post
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    asker,
    at_counter,
    client,
    form_revision,
    form_token,
    go,
    new_token,
    page,
    say,
    site,
)
from renderers.web.platform.uploads import posted_files
from renderers.web.shared.outcomes import go_noting, versions_page

blueprint = Blueprint("corrections", __name__)


@dossier_page(blueprint, "/corrections")
def show(one: DossierContext) -> Response:
    """Show all questions to correct on one page, or redirect to the dossier if none are asked."""
    if not awaits_corrections(one):
        return go(one.at())
    view = _asked_now(one)
    return _page(one, page_with(view, problems_left(one, view, view.errors, refused_post().faults)))


@dossier_page(blueprint, "/corrections", "POST")
def save(one: DossierContext) -> Response:
    """Save the corrections. With « Renvoyer » and none left, send the dossier back and redirect to it.

    Shows the page again with the errors and unchanged answers. Shows both versions if another tab saved meanwhile.
    """
    if not awaits_corrections(one):
        return go(one.at())
    try:
        saved = save_corrections(
            app_ctx(), actor(), one.id, posted_answers(), dict(posted_files(one)), revision=form_revision(), token=form_token(),
            client=client(), browser=asker().browser,
        )  # fmt: skip
    except (Conflict, Refused) as clash:
        if not is_clash(clash):
            raise
        one = case(one.dossier.number)
        return versions_page(one, _asked_now(one), one.at("/corrections"))
    if taken := request.form.get("detach"):
        detach(app_ctx(), actor(), one.id, taken, token=form_token())
        return go_noting(one.at("/corrections"), say("piece.removed"))
    one = case(one.dossier.number)
    present = _asked_now(one).errors
    unchanged = [found for found in present if found.code in UNCHANGED] if request.form.get("go") else []
    if errors := [*(problem for problem in saved.problems if not problem.warns), *unchanged]:
        stored = {(found.at, found.code) for found in present}
        unsaved = [found for found in errors if (found.at, found.code) not in stored]
        return ask_again(lambda: show(one), as_faults(errors, unsaved), typed={})
    left = one.dossier.correction.left if one.dossier.correction else ()
    if request.form.get("go") == "send" and not left:
        sent = send_corrections(app_ctx(), actor(), one.id, revision=None, token=form_token())
        if sent.correction is not None:
            return go_noting(one.at(), say("counter.pay_correction" if at_counter() else "correct.pay_first"))
        return go_noting(one.at(), say("counter.corrections_sent" if at_counter() else "track.corrections_sent"))
    return go_noting(one.at("/corrections"), say("form.kept"))


def awaits_corrections(one: DossierContext) -> bool:
    """Return whether the applicant is asked to correct the dossier now."""
    state = one.procedure.states.get(one.dossier.state)
    return state is not None and state.mode == "correct" and one.dossier.closed_at is None


def _asked_now(one: DossierContext) -> PageView:
    """Return the questions that may be changed, gathered on one page."""
    form = see_corrections(app_ctx(), actor(), one.id)
    asked = (view for one in form.pages for view in one.fields if view.type != "note")
    fields = tuple(view for view in asked if not (view.locked or view.computed))
    problems = tuple(problem for one in form.pages for problem in one.problems)
    return PageView("corrections", form.title, None, fields, 1, 1, not problems, True, problems)


def _page(one: DossierContext, view: PageView) -> Response:
    correction = one.dossier.correction
    left = {name: one.procedure.fields.get(name) for name in (correction.left if correction else ())}
    draw: DrawingContext = drawing(one)
    return page(
        "citizen/corrections.html", dossier=one.dossier, procedure=one.title, errors=error_summary(view, draw),
        asked=len(correction.fields) if correction else 0, left=left, left_names=joined(", ", [label(field.label) if field else name for name, field in left.items()]), due=one.dossier.due_at,
        unchanged=[problem for problem in view.problems if problem.code in UNCHANGED], reason=correction.reason if correction else "", questions=site().pages.questions(view, draw), token=new_token(),
        revision=one.dossier.revision, back=one.at(), note=session.pop("note", ""), confirmed=CONFIRMED,
    )  # fmt: skip
