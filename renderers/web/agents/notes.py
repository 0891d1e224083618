"""What agents keep about a dossier for themselves: internal notes, annotations, and that they follow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from flask import Blueprint, Response, request

from engine.core.problems import Refused
from engine.core.values import Text
from engine.domain.fields.raw_answers import Raw
from engine.domain.fields.views import AnswerProblem, FieldView, PageView
from engine.services.applications.notes import (
    LONGEST,
    annotate,
    annotations_of,
    follow,
    notes_of,
    refusal_for_note,
    write_note,
)
from engine.services.context.app_context import WrongAnswers
from renderers.html.controls import error_summary
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import drawing, label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, moment_of, new_token, say, site
from renderers.web.shared.agent_dossier import AgentCase, agent_case
from renderers.web.shared.staff import note_with_undo, people, short_moment, staff_page

blueprint = Blueprint("notes", __name__)


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One note as agents read it: author, time and paragraphs. `mine` marks notes of the reader."""

    id: str
    who: str
    at: str
    body: tuple[str, ...]
    mine: bool


@dataclass(frozen=True, slots=True)
class NotedLine:
    """One annotation as agents read it: its label, what is noted, who wrote it last and when."""

    label: str
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class NotedValues:
    """The annotations of a dossier: lines, the questions of their form (HTML), and a mark of what it shows."""

    lines: Sequence[NotedLine]
    questions: str
    mark: str
    errors: Sequence[tuple[str, str]]
    open: bool


@blueprint.get("/agent/dossiers/<number>/notes")
@agent()
def staff_notes(number: str) -> Response:
    """Show the notes of a dossier and the form for a new one."""
    return _page(agent_case(number))


@blueprint.post("/agent/dossiers/<number>/notes")
@agent()
def add(number: str) -> Response:
    """Save a note and redirect to it on the dossier. Shows the form again (422) if it is refused."""
    one, body = agent_case(number), request.form.get("body", "")[: LONGEST * 4]
    try:
        note = write_note(app_ctx(), actor(), one.id, body, token=form_token())
    except Refused as closed:
        return _page(one, body, sentence(closed.reason))
    return go(f"{one.at()}#n-{note.id}")


@blueprint.post("/agent/dossiers/<number>/annotations")
@agent()
def write_values(number: str) -> Response:
    """Save the annotations and show the dossier. Shows the form again (422) if they are refused."""
    one, raw = agent_case(number), request.form.to_dict(flat=False)
    before = annotations_of(app_ctx(), actor(), one.id)
    try:
        annotate(app_ctx(), actor(), one.id, raw, request.form.get("noted-mark", "")[:40], token=form_token())
    except WrongAnswers as wrong:
        return _page(one, noted=noted_values(one, raw, wrong.problems))
    except Refused as closed:
        return _page(one, noted=noted_values(one, raw), refused=sentence(closed.reason))
    mark = annotations_of(app_ctx(), actor(), one.id).mark
    note_with_undo(
        say("annotation.kept"), one.at("/annotations"), [("noted-mark", mark), *chain(*map(_as_posted, before.views))]
    )
    return go(f"{one.at()}#annotations")


@blueprint.post("/agent/dossiers/<number>/suivre")
@agent()
def follow_it(number: str) -> Response:
    """Add the dossier to those that the agent follows, or remove it, and show it again."""
    one, wanted = agent_case(number), request.form.get("suivre") == "1"
    follow(app_ctx(), actor(), one.id, wanted)
    text = say("case.followed" if wanted else "case.unfollowed")
    note_with_undo(text, one.at("/suivre"), [("suivre", "0" if wanted else "1")])
    return go(one.at())


def _as_posted(view: FieldView) -> Iterator[tuple[str, str]]:
    """Yield the controls of an annotation that post the value it has."""
    if view.options:
        yield from ((view.path, option.code) for option in view.options if option.chosen)
    elif view.boxes:
        yield from (
            (f"{view.path}_{part}", typed) for part, typed in zip(("day", "month", "year"), view.boxes, strict=True)
        )
    else:
        yield view.path, "" if view.value is None else str(view.value)


def note_lines(one: AgentCase) -> list[NoteLine]:
    """Return the notes of a dossier, the oldest first."""
    found = notes_of(app_ctx(), actor(), one.id)
    names = people(note.by for note in found)
    return [
        NoteLine(
            note.id, names.get(note.by) or say("desk.unknown_person"), moment_of(note.at),
            tuple(note.body.split("\n")), note.by == actor().id,
        )
        for note in found
    ]  # fmt: skip


def noted_values(one: AgentCase, raw: Raw | None = None, problems: Sequence[AnswerProblem] = ()) -> NotedValues:
    """Return the annotations of a dossier with their form, filled with what was posted, if anything."""
    found = annotations_of(app_ctx(), actor(), one.id, raw, problems)
    names, draw = people(noted.by for noted in found.stored.values()), drawing(one)
    stored = found if raw is None else annotations_of(app_ctx(), actor(), one.id)
    lines = []
    for view in stored.views:
        noted = found.stored.get(view.id)
        by = say("case.by", moment=short_moment(noted.at)[1], name=names.get(noted.by, "")) if noted else ""
        lines.append(NotedLine(label(view.label), view.text, by))
    views = tuple(view.with_answer(required=True, definition=None) for view in found.views)
    page = PageView("annotations", Text(()), None, views, 1, 1, True, True, tuple(problems))
    questions = site().pages.questions(page, draw) if views else ""
    return NotedValues(lines, questions, found.mark, error_summary(page, draw), raw is not None)


def _page(
    one: AgentCase, body: str = "", error: str = "", noted: NotedValues | None = None, refused: str = ""
) -> Response:  # fmt: skip
    closed, faulty = refusal_for_note(one.dossier, actor()), noted is not None
    noted = noted or noted_values(one)
    return staff_page(
        "agent/notes.html", 422 if error or faulty else 200, noted=noted, dossier=one.dossier, base=one.at(), lines=note_lines(one),
        closed=sentence(closed) if closed is not None else "", body=body, error=error,
        errors=[("#body", error)] if error else [("#annotations", refused)] if refused else noted.errors, token=new_token(), longest=LONGEST,
    )  # fmt: skip
