"""Later forms of agents: an opinion, a form of the service, or a form row by row.

A preview comes first if the form moves the dossier, sends a message or cannot be changed later. Any other is saved at
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from flask import Blueprint, Response, request, session

from engine.core.problems import Refusal, Refused, refusal
from engine.domain.common.decision import PieceComparison
from engine.domain.common.task_parts import is_in_parts, person_of
from engine.domain.fields.views import AnswerProblem, FormView, PageView
from engine.domain.forms.agent_files import place_of
from engine.domain.forms.part_forms import is_row, part_page
from engine.model import Form
from engine.model.roles import role_key
from engine.services.applications.contributions import Wait, waits
from engine.services.applications.opinions import Answered, do_part, preview_part, read_part
from engine.services.context.app_context import NotFound, WrongAnswers
from renderers.html.controls import asked_views, error_summary, has_files
from renderers.web.agents.act_preview import preview_context
from renderers.web.agents.answers import application, given_already, row_answers, rows_of, written_lines
from renderers.web.agents.attachments import asks_to_edit, receive_files
from renderers.web.agents.awaited import WaitLine, wait_lines
from renderers.web.agents.comparison import (
    MARK,
    compared_of,
    differing,
    drawn_comparison,
    first_file,
    is_outdated,
    without_comparison,
    written_in_comparison,
)
from renderers.web.agents.dossier import dossier_page
from renderers.web.agents.history import last_event
from renderers.web.citizen.form import page_with
from renderers.web.citizen.later_forms import SEEN, put_already
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import drawing, label
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, moment_of, say, site
from renderers.web.platform.saved_posts import taken_aside
from renderers.web.shared.agent_dossier import AgentCase, agent_case, refusal_text, row_name
from renderers.web.shared.staff import role_label, staff_page

blueprint = Blueprint("agent_later_forms", __name__)

FILLED = "act-row"  # a hidden control: the mark of the row and its filling as the page showed them
_OURS = frozenset({"csrf_token", "token", "revision", "go", "send", "detach", "end", "act-show", "act-shown", SEEN})
Raw = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class PartInProgress:
    """A form, or its part: a service, or a row from 0. `part` is None for a whole form."""

    one: AgentCase
    form: Form
    part: str | None
    wait: Wait

    @property
    def number(self) -> int | None:
        """The number of the row from 0, None for a service or a whole form."""
        return int(self.part) if self.part is not None and self.part.isdecimal() else None

    def title(self, view: FormView) -> str:
        """Return the title of the page: the opinion's service, the form, or the row's name."""
        name = label(self.wait.thing.label)
        if self.form.services:
            return say("errand.opinion", service=name)
        if self.number is None:
            return name
        return say("errand.row_of", task=name, row=row_name(rows_of(view, self.form.each), self.number))

    @property
    def action(self) -> str:
        """The address of the page, to which its form posts."""
        return self.one.at(f"/a-faire/{self.form.id}" + (f"/{self.part}" if self.part is not None else ""))


def _part(one: AgentCase, form_id: str, part: str | None) -> PartInProgress:
    """Return the part to fill. Raises `NotFound` if the dossier does not wait for it."""
    for wait in waits(app_ctx(), actor(), one.id):
        task = wait.thing.task
        if task.id == form_id and wait.thing.part == part and isinstance(task, Form):
            return PartInProgress(one, task, part, wait)
    raise NotFound


# -- questions ---------------------------------------------------------------------------------------------------------


@blueprint.get("/agent/dossiers/<number>/a-faire/<form_id>")
@agent()
def show(number: str, form_id: str) -> Response:
    """Show a whole form, or the list of rows of a form that is filled row by row."""
    one = agent_case(number)
    form = one.procedure.tasks.get(form_id)
    if isinstance(form, Form) and is_in_parts(form):
        return _rows(one, form)
    return _ask(one, form_id, None)


@blueprint.get("/agent/dossiers/<number>/a-faire/<form_id>/<part>")
@agent()
def show_part(number: str, form_id: str, part: str) -> Response:
    """Show one opinion or row. Redirects to the dossier if it is given already."""
    return _ask(agent_case(number), form_id, part)


def _ask(one: AgentCase, form_id: str, part: str | None) -> Response:
    try:
        part_in_progress = _part(one, form_id, part)
    except NotFound:
        if not (given := given_already(one, form_id, part)):
            raise
        session["desk_note"] = given
        return go(one.at())
    if not part_in_progress.wait.is_mine:
        return _closed(part_in_progress)
    kept = taken_aside()
    raw = _raw(kept[1]) if kept is not None else None
    answered = read_part(app_ctx(), actor(), one.id, form_id, part, raw)
    return _form(part_in_progress, answered, judged=False, raw=raw)


def _rows(one: AgentCase, form: Form) -> Response:
    lines = _lines(one, form)
    if not lines:
        raise NotFound
    left = sum(1 for line in lines if line.action_label == say("waits.fill"))
    return staff_page(
        "agent/rows.html", dossier=one.dossier, base=one.at(),
        title=say("errand.rows", task=label(form.agents_label)), lines=lines,
        left=say("errand.rows_left", count=left) if left else say("errand.rows_none"),
        note=session.pop("desk_note", ""),
    )  # fmt: skip


def _lines(one: AgentCase, form: Form) -> list[WaitLine]:
    named = {wait.thing.part for wait in waits(app_ctx(), actor(), one.id) if wait.thing.task.id == form.id}
    base = one.at(f"/a-faire/{form.id}/")
    lines = wait_lines(one, application(one))
    return [line for line in lines if line.href.startswith(base) and line.href.removeprefix(base) in named]


def _form(
    part: PartInProgress, answered: Answered, problems: Iterable[AnswerProblem] = (), judged: bool = True,
    raw: Raw | None = None, refused: Refusal | None = None,
) -> Response:  # fmt: skip
    one, form, view = part.one, part.form, application(part.one)
    wrong = [problem for problem in answered.problems if judged and not problem.warns]
    reported = [*problems, *put_already(wrong), *(problem for problem in answered.problems if judged and problem.warns)]
    page, draw = page_with(answered.page, reported), drawing(one)
    comparison = drawn_comparison(one, form.id, raw or {}, judged and raw is not None, part.number)
    errors = (*comparison.errors, *error_summary(page, draw))
    if refused is not None:
        errors = (("#compare", refusal_text(one.procedure, refused)), *errors)
    thing, number = part.wait.thing, part.number
    rows = rows_of(view, form.each)
    return dossier_page(
        one, "agent/later_form.html", 422 if errors else 200, inside=part.action, first_piece=first_file(comparison),
        title=part.title(view), errors=errors, help=label(page.help),
        comparison=comparison.pieces, marks=[(MARK, comparison.mark), (FILLED, _mark(raw) or answered.mark)],
        questions=site().pages.questions(page, draw), multipart=has_files(page),
        seen=[found.path for found in asked_views(page) if found.shown], follow_up=len(wrong) - len(put_already(wrong)),
        until=say("errand.until", until=moment_of(thing.until)) if thing.until else "",
        remarks=_notes(part), row_answers=row_answers(one, view, form.each, number) if number is not None else (),
        rank=say("errand.row_rank", number=number + 1, count=len(rows.rows) if rows else 1) if number is not None else "",
        rows_at=one.at(f"/a-faire/{form.id}") if number is not None else "",
        button=say("errand.save_next" if number is not None and _next_row(part) else "errand.go"),
    )  # fmt: skip


def _mark(raw: Raw | None) -> str:
    """Return the posted mark of a row. It stays that of the page the person read first."""
    return (raw or {}).get(FILLED, [""])[-1]


def _notes(part: PartInProgress) -> list[str]:
    """Return what a service must know before it answers: readers, tacit outcome, and that it answers once."""
    service = part.form.service(part.part) if part.part is not None else None
    if service is None:
        return []
    found = [say("errand.once")]
    if part.wait.thing.until is not None:
        found.insert(0, say(f"errand.silence_{service.silence}"))
    if part.form.seen_by:
        roles = (role_label(role_key(part.one.procedure, role)) for role in part.form.seen_by)
        found.insert(0, say("errand.confidential", roles=", ".join(roles)))
    return found


def _closed(part: PartInProgress) -> Response:
    """Redirect to the dossier with the reason: another agent was first, or the part is for others."""
    closed, given = part.wait.closed, given_already(part.one, part.form.id, part.part)
    reason = refusal_text(part.one.procedure, closed) if closed else say("errand.already")
    session["desk_note"] = given if given else reason
    return go(part.one.at())


# -- answers -----------------------------------------------------------------------------------------------------------


@blueprint.post("/agent/dossiers/<number>/a-faire/<form_id>")
@agent()
def post(number: str, form_id: str) -> Response:
    """Preview, edit or save a whole form, then redirect to the dossier."""
    return _answer(agent_case(number), form_id, None)


@blueprint.post("/agent/dossiers/<number>/a-faire/<form_id>/<part>")
@agent()
def post_part(number: str, form_id: str, part: str) -> Response:
    """Preview, edit or save one part, then redirect to the next row or the dossier."""
    return _answer(agent_case(number), form_id, part)


def _answer(one: AgentCase, form_id: str, part: str | None) -> Response:
    """Preview, edit or confirm the answers, as `go` says. Files are stored in any case."""
    form = one.procedure.tasks.get(form_id)
    if not isinstance(form, Form):
        raise NotFound
    raw = _raw((name, value) for name, values in request.form.lists() for value in values)
    wait = next(
        (one for one in waits(app_ctx(), actor(), one.id) if (one.thing.task.id, one.thing.part) == (form_id, part)),
        None,
    )
    if wait is None or not wait.is_mine:
        return _too_late(one, form, part, raw, wait)
    part_in_progress = PartInProgress(one, form, part, wait)
    received = receive_files(one, lambda question: place_of(form, part, question))
    one = agent_case(one.dossier.number)
    part_in_progress = replace(part_in_progress, one=one)
    answered = read_part(app_ctx(), actor(), one.id, form_id, part, raw)
    found = compared_of(one, form.id, raw, part_in_progress.number)
    if is_outdated(raw, found):  # the applicant corrected an answer or a piece since the page was drawn
        changed = refusal("compared_changed")
        left = without_comparison(raw)
        if not given_already(one, form_id, part):  # only the application changed, and the page says so
            left.pop(FILLED, None)
        return _form(part_in_progress, answered, received.problems, judged=False, raw=left, refused=changed)
    if received.touched or asks_to_edit(raw):
        return _form(part_in_progress, answered, received.problems, judged=False, raw=raw)
    if any(not problem.warns for problem in (*answered.problems, *found.problems)):
        return _form(part_in_progress, answered, raw=raw)
    if request.form.get("go") == "confirm" or _is_quiet(part_in_progress, answered, raw):
        return _done(part_in_progress, answered, raw)
    return _previewed(part_in_progress, answered, raw)


def _too_late(one: AgentCase, form: Form, part: str | None, raw: Raw, wait: Wait | None) -> Response:
    """Show the agent's answers and what happened meanwhile (409). A double post redirects to the dossier."""
    done = one.dossier.done.get(part or form.id)
    person = person_of(form.id, one.dossier.answers, int(part)) if part and is_row(part) else done.by if done else None
    if person == actor().id:
        session["desk_note"] = say("errand.already")
        return go(one.at())
    reason = wait.closed if wait and wait.closed else refusal("not_now")
    closed = say("stale.closed", why=refusal_text(one.procedure, reason))
    return _stale(one, form, part, raw, label(wait.thing.label if wait else form.label), closed)


def _overtaken(part: PartInProgress, raw: Raw, reason: Refusal) -> Response:
    """Show the agent's answers and who filled the row meanwhile (409). They may go on with their own."""
    one = agent_case(part.one.dossier.number)
    given = given_already(one, part.form.id, part.part)
    said = say("errand.given", hand=given) if given else refusal_text(one.procedure, reason)
    return _stale(one, part.form, part.part, raw, part.title(application(one)), said, part.action)


def _stale(
    one: AgentCase, form: Form, part: str | None, raw: Raw, act: str, closed: str, action: str = ""
) -> Response:  # fmt: skip
    page = part_page(form, part) if part is not None else None
    return staff_page(
        "agent/stale.html", 409, dossier=one.dossier, base=one.at(), sent=True, happened=last_event(one), act=act, closed=closed,
        carried=[(name, value) for name, said in raw.items() if name != FILLED for value in said], resume=bool(action),
        written=[*written_lines(one, page.fields if page else form.fields, raw), *written_in_comparison(one, raw)],
        action=action, revision=None,
    )  # fmt: skip


def _raw(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in _OURS:
            found.setdefault(name, []).append(value)
    return found


def _compared(part: PartInProgress, raw: Raw) -> PieceComparison:
    """Return the posted comparison of a whole form or of a row."""
    return compared_of(part.one, part.form.id, raw, part.number).comparison


def _is_quiet(part: PartInProgress, answered: Answered, raw: Raw) -> bool:
    """Return whether the answers send no message, move nothing and can still be changed, as a row does."""
    if part.number is None:
        return False
    compared = _compared(part, raw)
    try:
        preview = preview_part(app_ctx(), actor(), part.one.id, part.form.id, part.part, answered.answers, compared)
    except Refused:
        return False  # the preview says why
    return preview.decision.dossier.state == part.one.dossier.state and not preview.letters


def _previewed(part: PartInProgress, answered: Answered, raw: Raw) -> Response:
    one, view = part.one, application(part.one)
    try:
        compared = _compared(part, raw)
        preview = preview_part(app_ctx(), actor(), one.id, part.form.id, part.part, answered.answers, compared)
    except WrongAnswers as wrong:
        return _form(part, answered, wrong.problems, raw=raw)
    except Refused as closed:
        if closed.reason.code == "difference_matters":
            return _form(part, answered, judged=False, raw=raw, refused=closed.reason)
        session["desk_note"] = refusal_text(one.procedure, closed.reason)
        return go(one.at())
    shown = preview_context(one, preview)
    confirm = say("act.confirm", state=str(shown["state"])) if shown["changes_state"] else say("errand.confirm")
    return dossier_page(
        one, "agent/preview.html", inside=part.action, first_piece=first_file(drawn_comparison(one, part.form.id, raw, False, part.number)),
        title=say("errand.preview"), thing=part.title(view), editable=True, confirm="",
        carried=[(name, value) for name, values in raw.items() for value in values], button=confirm,
        tracking_lines=[], given=_said(answered.page) + differing(one, preview.decision.dossier), revision=None, **shown,
    )  # fmt: skip


def _said(page: PageView) -> list[tuple[str, str]]:
    """Return the answers for the preview."""
    shown = (view for view in page.fields if view.shown and view.type not in ("note", "rows"))
    files = {view.id: ", ".join(file.name for file in view.files) for view in page.fields}
    return [(label(view.label), view.text or files[view.id] or "–") for view in shown]


def _done(part: PartInProgress, answered: Answered, raw: Raw) -> Response:
    one = part.one
    try:
        after = do_part(
            app_ctx(), actor(), one.id, part.form.id, part.part, answered.answers, token=form_token(),
            compared=_compared(part, raw), mark=_mark(raw),
        )  # fmt: skip
    except WrongAnswers as wrong:
        return _form(part, answered, wrong.problems, raw=raw)
    except Refused as closed:
        if closed.reason.code == "row_changed":
            return _overtaken(part, raw, closed.reason)
        session["desk_note"] = refusal_text(one.procedure, closed.reason)
        return go(one.at())
    session["desk_note"] = say("errand.done", task=part.title(application(one)))
    if after.taken != one.dossier.taken:
        state = one.procedure.states.get(after.state)
        session["desk_next"] = say("case.done_state", state=label(state.label) if state else after.state)
        return go(one.at())
    following = _next_row(replace(part, one=agent_case(one.dossier.number)))
    return go(following or one.at())


def _next_row(part_in_progress: PartInProgress) -> str:
    """Return the address of the next row that this agent can fill, empty after the last."""
    if part_in_progress.number is None:
        return ""
    left = [
        wait.thing.part for wait in waits(app_ctx(), actor(), part_in_progress.one.id)
        if wait.thing.task.id == part_in_progress.form.id and wait.is_mine and wait.thing.status == "open"
        and wait.thing.part != part_in_progress.part
    ]  # fmt: skip
    later = [part for part in left if part is not None and int(part) > part_in_progress.number]
    found = next(iter(later or left), None)
    return part_in_progress.one.at(f"/a-faire/{part_in_progress.form.id}/{found}") if found is not None else ""
