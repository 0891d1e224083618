"""The form of a draft, page by page: questions, rows and files. Each post is saved, even with errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from flask import Blueprint, Response, request, session

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.domain.fields.raw_answers import is_blank
from engine.domain.fields.views import AnswerProblem, FieldView, PageView
from engine.domain.forms.pages import next_page, path
from engine.model import Procedure
from engine.model.types import TRUE, Expression
from engine.services.applications.drafts import drop_draft, read_attachment, save_page
from engine.storage.results import Conflict
from renderers.html.controls import control_id, error_summary, every_field, has_files
from renderers.html.row_pages import RowPages, find_row, is_long, row_page
from renderers.web.citizen.linked_dossiers import LinkLine, link_lines
from renderers.web.citizen.start import change_of, first_to_do, next_to_do, renewed, step_address
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext, case, drawing, label
from renderers.web.platform.languages import is_switching
from renderers.web.platform.refused_posts import as_faults, ask_again, problems_left, refused_post, typed_form
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    compiled_page,
    day_of,
    dossiers_home,
    form_revision,
    form_token,
    go,
    new_token,
    page,
    say,
    site,
)
from renderers.web.platform.uploads import ReceivedFiles, is_own, receive, status_of, uploaded_file
from renderers.web.shared.outcomes import confirm_page, go_noting, versions_page

blueprint = Blueprint("form", __name__)


# -- the pages of the draft --------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/demande", unproven=True)
def tasks(one: DossierContext) -> Response:
    """Show the pages of the draft and what is left to do. Redirects to the dossier once it is submitted."""
    one = renewed(one)
    if not one.dossier.is_draft:
        return go(one.at())
    form = one.form()
    lines = [_task_line(one, view) for view in form.pages]
    left = sum(1 for view in form.pages if not view.complete or not view.visited)
    links = link_lines(one)
    left += sum(1 for link in links if link.required and not link.named)
    expires = local_day(one.dossier.created_at + app_ctx().settings.draft_lasts)
    return page(
        "citizen/tasks.html", dossier=one.dossier, procedure=one.title, pages=lines, left=left, links=links,
        resume=_resume(one, links, first_to_do(form)), check=one.at("/verification"),
        expires=day_of(expires), changed=change_of(one), removed=len(one.dossier.removed_files),
    )  # fmt: skip


def _resume(one: DossierContext, links: Iterable[LinkLine], following: str) -> str:
    """Return where the draft continues: first the earlier dossiers, because they fill answers in.

    An applicant with an unverified number names them last.
    """
    unnamed = next((link.href for link in links if link.required and not link.named), "")
    if actor().unproven and following:
        unnamed = ""
    return unnamed or step_address(one, following)


def _task_line(one: DossierContext, view: PageView) -> tuple[str, str, str, str]:
    """Return the address and title of a page, the colour of its state and whether it is complete, in words."""
    key = "done" if view.complete and view.visited else "to_complete" if view.visited else "to_do"
    key = "proven" if view.known else key
    kind = {"done": "ok", "proven": "ok", "to_complete": "act", "to_do": ""}[key]
    return one.at(f"/demande/{view.id}"), label(view.title), kind, say(f"tasks.{key}")


@dossier_page(blueprint, "/supprimer", "GET", "POST", unproven=True)
def drop(one: DossierContext) -> Response:
    """Ask whether to delete the draft. A post deletes it and redirects to the list of dossiers."""
    if not one.dossier.is_draft:
        return go(one.at())
    if request.method == "POST":
        drop_draft(app_ctx(), actor(), one.id, token=form_token())
        return go("/dossiers?supprime=1")
    return confirm_page(
        say("tasks.drop_title"), [say("tasks.drop_text")], say("tasks.drop_button"), say("tasks.drop_keep"),
        one.at("/demande"), procedure=one.title,
    )  # fmt: skip


# -- one screen of questions -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Screen:
    """A page of the form, or one row of a group on it (`voyageurs.0`).

    `judged` means that it carries its problems.
    """

    one: DossierContext
    page_id: str
    row: str = ""
    judged: bool = True

    @cached_property
    def whole(self) -> PageView | None:
        """The page with its fields, computed on first use. None if the answers do not lead to it."""
        return self.one.page(self.page_id, self.judged) if self.one.dossier.is_draft else None

    @property
    def address(self) -> str:
        """The address of this screen."""
        return self.one.at(f"/demande/{self.page_id}") + (f"/{self.row}" if self.row else "")

    @property
    def above(self) -> str:
        """The address of the page or outer row that lists this screen."""
        outer = self.row.rpartition(".")[0].rpartition(".")[0]
        return self.one.at(f"/demande/{self.page_id}") + (f"/{outer}" if outer else "")

    def again(self) -> Screen:
        """Return the same screen of the dossier, read again from the store."""
        return Screen(case(self.one.dossier.number), self.page_id, self.row)

    def view(self) -> PageView | None:
        """Return the questions of the page or row, None if it is gone."""
        return row_page(self.whole, self.row) if self.whole and self.row else self.whole

    def row_pages(self) -> RowPages:
        """Return the addresses of the rows that have screens of their own, with the rows at fault."""
        wrong = frozenset(problem.at for problem in self.whole.errors) if self.whole else frozenset()
        return RowPages(self.one.at(f"/demande/{self.page_id}"), _return(), self.one.rows_kept, wrong)


def show_screen(screen: Screen) -> Response:
    """Show the questions of a screen. Redirects if the draft is submitted or the screen is gone."""
    one = screen.one
    if not one.dossier.is_draft:
        return go(one.at())
    view = screen.view()
    if view is None:
        return go_noting(screen.above if screen.row and screen.whole else one.at("/demande"), say("form.form_gone"))
    note, kind = session.pop("note", ""), session.pop("note_kind", "")
    asked = _left(screen) if session.pop("follow_up", False) else ()
    post = refused_post()
    problems = problems_left(one, view, view.errors, post.faults) if post.found else _removed(one, view)
    return _page(screen, page_with(view, problems), note, kind, asked)


def _left(screen: Screen) -> tuple[tuple[str, str], ...]:
    """Return the questions of a screen that are still to answer, each with its address on the page."""
    view = replace(screen, judged=True).view()
    return tuple((f"#{control_id(one.at)}", label(one.label)) for one in view.errors) if view else ()


def _removed(one: DossierContext, view: PageView) -> list[AnswerProblem]:
    """Return a problem for each question whose file was removed because a number was not verified in time."""
    if not one.dossier.removed_files:
        return []
    return [
        AnswerProblem(field.path, "file_removed", {"type": field.type}, label=field.label)
        for field in every_field(view)
        if field.path in one.dossier.removed_files
    ]


def save_screen(screen: Screen) -> Response:
    """Save the answers, then each file. A refused file leaves the others saved.

    Redirects to the next page, or shows the screen again with its errors.
    """
    one = screen.one
    if not one.dossier.is_draft:
        return go(one.at())
    try:
        saved = save_page(
            app_ctx(), actor(), one.id, screen.page_id, posted_answers(), row=screen.row, revision=form_revision(),
            token=form_token(),
        )  # fmt: skip
    except (Conflict, Refused) as clash:
        if not is_clash(clash):
            raise
        screen = screen.again()
        return versions_page(screen.one, screen.view(), screen.address)
    received = receive(one, lambda: screen.again().view())
    if is_switching():
        return go(f"{screen.address}{_return()}")
    if request.form.get("go") == "later":
        return go_noting(dossiers_home(), say("form.kept"))
    screen = screen.again()  # as saved, with its files
    staying = any(request.form.get(name) for name in ("send", "detach", "add_row", "remove_row"))
    reported = () if staying else saved.errors
    faults, view = as_faults(reported, received.problems), screen.view()
    if view is not None and (problems := problems_left(screen.one, view, view.errors, faults)):
        session["note"], session["note_kind"] = received.note, "ok"
        return ask_again(lambda: show_screen(screen), faults, status_of(problems), typed={})
    if added := _added_row(screen):
        return go(screen.row_pages().at(added))
    opened = bool(view and view.errors) and not staying and saved.next_page == screen.page_id
    if staying or opened or (saved.next_page == screen.page_id and not saved.errors):  # files fixed the rest
        return _again(screen, received, opened)
    if request.form.get("retour") == "verification":
        return go(_back_to_check(screen.one, screen.page_id))
    if screen.row:
        return go(f"{screen.above}#{control_id(screen.row.rpartition('.')[0])}")
    return go(_next(screen.one, screen.page_id))


def _added_row(screen: Screen) -> str:
    """Return the row that the post added if it has a screen of its own, else empty."""
    group = request.form.get("add_row", "")
    view = screen.view() if group else None
    fields = every_field(view) if view else ()
    asked = next((one for one in fields if one.path == group and one.type == "rows"), None)
    kept = screen.one.rows_kept(group) if asked else 0
    return f"{group}.{kept - 1}" if asked and is_long(asked) and kept else ""


@dossier_page(blueprint, "/demande/<page_id>", unproven=True)
def show(one: DossierContext, page_id: str) -> Response:
    """Show a page of the form. Its problems are not shown before the first post."""
    return show_screen(Screen(renewed(one), page_id, judged=refused_post().found))


@dossier_page(blueprint, "/demande/<page_id>", "POST", unproven=True)
def save(one: DossierContext, page_id: str) -> Response:
    """Save a page of the form and go on to the next one."""
    return save_screen(Screen(one, page_id))


def is_clash(error: Exception) -> bool:
    """Return whether another post saved first, or the token was used with other answers."""
    return isinstance(error, Conflict) or (isinstance(error, Refused) and error.reason.code == "token_reused")


def _next(one: DossierContext, page_id: str) -> str:
    """Return the address of the next page, or of the summary after the last.

    If answers were taken over, only pages that lack something follow.
    """
    if one.dossier.reused is not None:
        return step_address(one, next_to_do(one.form(), page_id, seen=True))
    after = next_page(one.procedure, one.evaluated().values.scope, one.dossier, page_id)
    return step_address(one, after.id if after else "")


def _back_to_check(one: DossierContext, page_id: str) -> str:
    """Return the address of the summary, or of the next page that lacks something."""
    following = next_to_do(one.form(), page_id, seen=False)
    return step_address(one, f"{following}{_return()}" if following else "")


def _again(screen: Screen, received: ReceivedFiles, opened: bool) -> Response:
    """Redirect to the same page, so that a reload sends nothing twice."""
    if opened:  # the answers added questions to this page
        session["follow_up"] = True
    anchor = request.form.get("send") or request.form.get("add_row") or ""
    prefix = "piece-" if request.form.get("send") else ""
    place = f"#{prefix}{control_id(anchor)}" if anchor else ""
    return go_noting(f"{screen.address}{_return()}{place}", received.note, "ok")


def _return() -> str:
    return "?retour=verification" if request.values.get("retour") == "verification" else ""


# -- files -------------------------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/pieces/<attachment_id>", unproven=True)
def attachment(one: DossierContext, attachment_id: str) -> Response:
    """Serve an uploaded file as a download. Raises `NotFound`."""
    found, body = read_attachment(app_ctx(), actor(), one.id, attachment_id)
    return uploaded_file(body, found.kind, found.name)


# -- drawing -----------------------------------------------------------------------------------------------------------


def posted_answers() -> dict[str, list[str]]:
    """Return the answers of this post or of the refused one, by field, without the form's technical fields."""
    return {name: values for name, values in typed_form().lists() if not is_own(name)}


def page_with(view: PageView, problems: Iterable[AnswerProblem]) -> PageView:
    """Return the page with these problems only."""
    reported = tuple(problems)
    if not (reported or view.problems or any(one.problems or one.rows for one in view.fields)):
        return view
    fields = tuple(_field_with(one, reported) for one in view.fields)
    return replace(view, fields=fields, problems=reported)


def _field_with(view: FieldView, reported: tuple[AnswerProblem, ...]) -> FieldView:
    mine = {view.path, f"{view.path}_other", f"{view.path}_issued"}
    rows = tuple(replace(row, fields=tuple(_field_with(one, reported) for one in row.fields)) for row in view.rows)
    return replace(view, problems=tuple(one for one in reported if one.at in mine), rows=rows)


def _page(
    screen: Screen, view: PageView, note: str, note_kind: str, follow_up: tuple[tuple[str, str], ...]
) -> Response:  # fmt: skip
    one, draw = screen.one, drawing(screen.one)
    if any(asked.type == "rows" for asked in view.fields):
        draw = replace(draw, row_pages=screen.row_pages())
    returning = "verification" if request.values.get("retour") == "verification" else ""
    steps, sure = _steps(one, view)
    multipart = has_files(replace(view, fields=tuple([asked for asked in view.fields if not is_long(asked)])))
    reused = one.dossier.reused
    answered = {asked.id for asked in view.fields if asked.shown and (asked.value not in (None, "") or asked.files)}
    taken = reused is not None and not answered.isdisjoint(reused.fields)
    of_person = {
        "errors": error_summary(view, draw), "follow_up": follow_up, "note": note, "note_kind": note_kind,
        "changed": change_of(one), "in_row": bool(screen.row), "taken": day_of(reused.sent_at) if reused and taken else "",
        "filled": sum(_is_filled(view) for view in one.form().pages if view.id != screen.page_id) if reused else 0,
    }  # fmt: skip
    holes = {
        "questions": site().pages.questions(view, draw), "token": new_token(), "revision": one.dossier.revision,
        "back": _back(screen, view, returning),
    }  # fmt: skip

    def context() -> dict[str, object]:
        return {
            "page": view, "steps": steps, "sure": sure, "procedure": one.title, "title": _title(screen, view),
            "multipart": multipart, "returning": returning, **of_person,
        }  # fmt: skip

    if any(of_person.values()):
        return page("citizen/question.html", **context(), **holes)
    look = (one.dossier.fingerprint, view.id, view.position, steps, sure, multipart, returning)
    return compiled_page("citizen/question.html", look, holes, context)


def _is_filled(view: PageView) -> bool:
    return view.complete and view.visited and not view.known


def _title(screen: Screen, view: PageView) -> str:
    """Return the title of the page or the name of the row."""
    found = find_row(screen.whole, screen.row) if screen.whole and screen.row else None
    if found is None:
        return label(view.title)
    name = found.row.label or say("rows.number", number=found.row.number)
    return say("row.of", group=label(found.group.label), label=name)


def _steps(one: DossierContext, view: PageView) -> tuple[int, bool]:
    """Return the number of steps, and whether it is certain.

    It is the largest possible number until the answers that pages depend on are given. A required question left empty
    counts as unanswered.
    """
    if not one.procedure.once(_has_conditions):
        return view.count, True
    scope = one.evaluated().values.scope
    shown = {page.id for page in path(one.procedure, scope)}
    answered = {
        name for name, said in one.dossier.answers.items()
        if not (is_blank(said) and name in one.procedure.fields and one.procedure.fields[name].required.holds(scope))
    }  # fmt: skip

    def is_open(when: Expression) -> bool:
        return bool(_asked_names(one.procedure, when.names) - answered)

    may_come = [
        found.id not in shown and (is_open(found.when) or (found.when == TRUE and any(is_open(field.when) for field in found.fields)))
        for found in one.procedure.form.pages
    ]  # fmt: skip
    may_go = any(is_open(found.when) for found in one.procedure.form.pages if found.id in shown)
    return view.count + sum(may_come), not any(may_come) and not may_go


def _has_conditions(procedure: Procedure) -> bool:
    pages = procedure.form.pages
    return any(page.when.names or any(field.when.names for field in page.fields) for page in pages)


def _asked_names(procedure: Procedure, names: Iterable[str], seen: frozenset[str] = frozenset()) -> set[str]:
    """Return the questions that the names depend on, also through computed fields."""
    found: set[str] = set()
    for name in frozenset(names) - seen:
        field = procedure.fields.get(name)
        if field is not None and field.value is not None:
            found |= _asked_names(procedure, field.value.names, seen | {name})
        elif field is not None:
            found.add(name)
    return found


def _back(screen: Screen, view: PageView, returning: str) -> str:
    if screen.row:
        return f"{screen.above}{_return()}"
    if returning:
        return screen.one.at("/verification")
    return screen.one.at(f"/demande/{view.before}" if view.before else "/demande")
