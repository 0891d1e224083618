"""Filling the request page by page: questions, rows, papers. Each post is kept, even with errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flask import Blueprint, Response, request, session

from engine.clock import local_day
from engine.office.intake import (
    Upload,
    attach,
    detach,
    drop_draft,
    read_attachment,
    save_page,
)
from engine.office.office import NotFound
from engine.problems import Refused
from engine.records.store import Conflict
from engine.rules.forms import path
from engine.rules.view import AnswerProblem, FieldView, PageView
from renderers.web.base import (
    actor,
    file_response,
    form_revision,
    form_token,
    go,
    language,
    new_token,
    office,
    page,
    say,
    signed_in,
    site,
)
from renderers.web.cases import Case, case, drawing, label
from renderers.web.catalogue import first_to_do
from renderers.web.hardening import FILE_POLICY
from renderers.web.refusals import conflict
from renderers.web_form import control_id, error_summary, file_fields, has_files, typed

blueprint = Blueprint("form", __name__)

OWN_FIELDS = frozenset({"csrf_token", "token", "revision", "go", "send", "detach", "retour", "end"})
_OWN_TO_DROP = frozenset({"csrf_token", "token", "revision", "end"})
_FILE = "file:"
_TYPES = {"pdf": "application/pdf", "jpg": "image/jpeg", "png": "image/png"}


# -- where the draft stands --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskLine:
    href: str
    title: str
    kind: str
    status: str


@blueprint.get("/dossiers/<number>/demande")
@signed_in
def tasks(number: str) -> Response:
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at())
    form = one.form()
    lines = [_task_line(one, view) for view in form.pages]
    left = sum(1 for view in form.pages if not view.complete or not view.visited)
    following = first_to_do(form)
    expires = local_day(one.dossier.created_at + office().settings.draft_lasts)
    return page(
        "citizen/tasks.html", dossier=one.dossier, procedure=one.title, pages=lines, left=left,
        resume=one.at(f"/demande/{following}") if following else one.at("/verification"), check=one.at("/verification"),
        expires=site().words.plain_day(expires, language()),
    )  # fmt: skip


def _task_line(one: Case, view: PageView) -> TaskLine:
    key = "done" if view.complete and view.visited else "to_complete" if view.visited else "to_do"
    kind = {"done": "ok", "to_complete": "act", "to_do": ""}[key]
    return TaskLine(one.at(f"/demande/{view.id}"), label(view.title), kind, say(f"tasks.{key}"))


@blueprint.route("/dossiers/<number>/supprimer", methods=["GET", "POST"])
@signed_in
def drop(number: str) -> Response:
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at())
    if request.method == "POST":
        drop_draft(office(), actor(), one.id, token=form_token())
        return go("/dossiers?supprime=1")
    return page(
        "citizen/confirm.html", title=say("tasks.drop_title"), procedure=one.title, lines=[say("tasks.drop_text")],
        button=say("tasks.drop_button"), keep=say("tasks.drop_keep"), back=one.at("/demande"), warn=True, errors=[],
        ask_reason="", reason="", files=False, token=new_token(), revision=None,
    )  # fmt: skip


# -- a page of questions -----------------------------------------------------------------------------------------------


@blueprint.get("/dossiers/<number>/demande/<page_id>")
@signed_in
def show(number: str, page_id: str) -> Response:
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at())
    view = one.page(page_id)
    if view is None:
        session["note"] = say("form.form_gone")
        return go(one.at("/demande"))
    note, kind = session.pop("note", ""), session.pop("note_kind", "")
    return _page(one, replace(view, problems=()), note=note, note_kind=kind, follow_up=session.pop("follow_up", 0))


@blueprint.post("/dossiers/<number>/demande/<page_id>")
@signed_in
def save(number: str, page_id: str) -> Response:
    """Keeps what was typed, then each file by itself: a bad one is refused, the others stay."""
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at())
    try:
        saved = save_page(
            office(), actor(), one.id, page_id, posted_answers(), revision=form_revision(), token=form_token()
        )  # fmt: skip
    except (Conflict, Refused) as clash:
        if not is_clash(clash):
            raise
        one = case(number)
        return versions_page(one, one.page(page_id), one.at(f"/demande/{page_id}"))
    received = _receive(one, page_id)
    if request.form.get("go") == "later":
        return go("/dossiers")
    one = case(number)  # as saved, with its files
    staying = any(request.form.get(name) for name in ("send", "detach", "add_row", "remove_row"))
    view = one.page(page_id)
    faults = [*received.problems, *(() if staying else _left_wrong(view, saved.errors, received.problems))]
    if faults and view is not None:
        return _page(one, page_with(view, faults), status=422, note=received.note, note_kind="ok")
    if staying or (saved.next_page == page_id and not saved.errors):
        return _again(one, page_id, received, 0 if staying else _opened(view))
    following = request.form.get("retour") == "verification"
    return go(one.at("/verification") if following else _next(one, page_id))


def is_clash(error: Exception) -> bool:
    """Is something else kept than what this page knew? So it is when the page served already, with other answers."""
    return isinstance(error, Conflict) or (isinstance(error, Refused) and error.reason.code == "token_reused")


def _left_wrong(
    view: PageView | None, told: Iterable[AnswerProblem], received: Iterable[AnswerProblem]
) -> list[AnswerProblem]:
    """Of what was wrong when the page was saved, what still is once its files have come in."""
    still = {(problem.at, problem.code) for problem in view.errors} if view else set()
    refused = {problem.at for problem in received}
    return [problem for problem in told if (problem.at, problem.code) in still and problem.at not in refused]


def _opened(view: PageView | None) -> int:
    """How many questions a post brought onto its own page: those not answered yet."""
    return len(view.errors) if view else 0


def _next(one: Case, page_id: str) -> str:
    """The page after this one; after the last, what is still to complete, else check-your-answers."""
    ids = [found.id for found in path(one.procedure, one.standing().values.scope)]
    after = ids[ids.index(page_id) + 1 :] if page_id in ids else ids
    if after:
        return one.at(f"/demande/{after[0]}")
    return one.at("/verification")


def _again(one: Case, page_id: str, received: _Received, opened: int) -> Response:
    """The same page by its address, so that a reload sends nothing twice."""
    session["note"], session["note_kind"] = received.note, "ok"
    if opened:
        session["follow_up"] = opened
    anchor = request.form.get("send") or request.form.get("add_row") or ""
    prefix = "piece-" if request.form.get("send") else ""
    return go(one.at(f"/demande/{page_id}{_return()}") + (f"#{prefix}{control_id(anchor)}" if anchor else ""))


def _return() -> str:
    return "?retour=verification" if request.values.get("retour") == "verification" else ""


# -- files -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Received:
    """What became of the files of a post: those refused, and what to say of those kept."""

    problems: tuple[AnswerProblem, ...] = ()
    note: str = ""


def _receive(one: Case, page_id: str) -> _Received:
    """Keeps every file that was chosen, each by itself; takes away the one whose « Supprimer » was touched."""
    if taken := request.form.get("detach"):
        detach(office(), actor(), one.id, taken, token=form_token())
        return _Received((), say("piece.removed"))
    details = {name: value for name, value in request.form.items() if name not in OWN_FIELDS}
    problems, stored = [], 0
    for at, upload in posted_files().items():
        token = f"{form_token()}:{at}" if form_token() else None
        attached = attach(office(), actor(), one.id, at, upload, details, token=token)
        problems += [attached.problem] if attached.problem else []
        stored += attached.problem is None
    sent = request.form.get("send")
    if sent and not stored and not problems:
        problems.append(_no_file(case(one.dossier.number).page(page_id), sent))
    return _Received(tuple(problems), say("piece.stored", count=stored) if stored else "")


def _no_file(view: PageView | None, at: str) -> AnswerProblem:
    """« Envoyer cette pièce » without a file."""
    asked = next((field for field in (file_fields(view) if view else ()) if field.path == at), None)
    if asked is None:
        raise NotFound
    return AnswerProblem(at, "file", {"type": asked.type}, label=asked.label)


def posted_files() -> dict[str, Upload]:
    """The files of a post by the path of their question; empty controls are not files."""
    found = {}
    for name, file in request.files.items():
        if name.startswith(_FILE) and file.filename:
            found[name.removeprefix(_FILE)] = Upload(file.filename, file.read())
    return found


@blueprint.get("/dossiers/<number>/pieces/<attachment_id>")
@signed_in
def piece(number: str, attachment_id: str) -> Response:
    """A file handed in, to whom it belongs. It is data: it never runs here."""
    one = case(number)
    attachment, body = read_attachment(office(), actor(), one.id, attachment_id)
    answer = file_response(body, _TYPES.get(attachment.kind, "application/octet-stream"), attachment.name)
    answer.headers["Content-Security-Policy"] = FILE_POLICY
    return answer


# -- drawing -----------------------------------------------------------------------------------------------------------


def posted_answers() -> dict[str, list[str]]:
    """The answers of the form, without what is ours."""
    return {name: values for name, values in request.form.lists() if name not in OWN_FIELDS}


def page_with(view: PageView, problems: Iterable[AnswerProblem]) -> PageView:
    """The page showing these faults and no others."""
    told = tuple(problems)
    fields = tuple(_field_with(one, told) for one in view.fields)
    return replace(view, fields=fields, problems=told)


def _field_with(view: FieldView, told: tuple[AnswerProblem, ...]) -> FieldView:
    mine = {view.path, f"{view.path}_other", f"{view.path}_issued"}
    rows = tuple(replace(row, fields=tuple(_field_with(one, told) for one in row.fields)) for row in view.rows)
    return replace(view, problems=tuple(one for one in told if one.at in mine), rows=rows)


def _page(
    one: Case, view: PageView, status: int = 200, note: str = "", note_kind: str = "", follow_up: int = 0
) -> Response:
    draw = drawing(one)
    returning = "verification" if request.values.get("retour") == "verification" else ""
    return page(
        "citizen/question.html", status, page=view, steps=view.count if _is_length_sure(one) else 0, procedure=one.title, back=_back(one, view, returning),
        errors=error_summary(view, draw), questions=site().pages.questions(view, draw), multipart=has_files(view), token=new_token(),
        revision=one.dossier.revision, returning=returning, follow_up=follow_up, note=note,
        note_kind=note_kind,
    )  # fmt: skip


def _is_length_sure(one: Case) -> bool:
    """Are the answers that pages hang on all given? Until then nobody can say how many steps there are."""
    answered = one.dossier.answers.keys()
    names = (page.when.names for page in one.procedure.form.pages)
    return all(needed <= answered or not needed & one.procedure.fields.keys() for needed in names)


def _back(one: Case, view: PageView, returning: str) -> str:
    if returning:
        return one.at("/verification")
    return one.at(f"/demande/{view.before}" if view.before else "/demande")


def versions_page(one: Case, view: PageView | None, back: str) -> Response:
    """What was typed beside what another page kept meanwhile, and both ways on."""
    versions = []
    for field in view.fields if view else ():
        parts = [request.form.get(f"{field.path}_{box}", "") for box in ("day", "month", "year")]
        yours = " ".join(filter(None, parts)) or ", ".join(filter(None, request.form.getlist(field.path)))
        yours = _choice_label(field, yours)
        if yours and yours != (str(typed(field.value) or "")):
            versions.append({"label": label(field.label), "yours": yours, "kept": field.text})
    fields = [(name, value) for name, values in request.form.lists() for value in values if name not in _OWN_TO_DROP]
    fields += [("revision", str(one.dossier.revision)), ("token", new_token())]
    return conflict(versions, fields, back)


def _choice_label(view: FieldView, value: str) -> str:
    if view.type == "yes_no" and value:
        return say("answer.positive" if value == "true" else "answer.negative")
    return next((label(option.label) for option in view.options if option.code == value), value)
