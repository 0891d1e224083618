"""What agents keep about a dossier for themselves: internal notes, and that they follow it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.services.applications.notes import LONGEST, follow, notes_of, refusal_for_note, write_note
from renderers.web.platform.access import agent
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, moment_of, new_token, say
from renderers.web.shared.agent_dossier import AgentCase, agent_case
from renderers.web.shared.staff import people, staff_page

blueprint = Blueprint("notes", __name__)


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One note as agents read it: author, time and paragraphs. `mine` marks notes of the reader."""

    id: str
    who: str
    at: str
    body: tuple[str, ...]
    mine: bool


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


@blueprint.post("/agent/dossiers/<number>/suivre")
@agent()
def follow_it(number: str) -> Response:
    """Add the dossier to those that the agent follows, or remove it, and show it again."""
    one, wanted = agent_case(number), request.form.get("suivre") == "1"
    follow(app_ctx(), actor(), one.id, wanted)
    session["desk_note"] = say("case.followed" if wanted else "case.unfollowed")
    return go(one.at())


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


def _page(one: AgentCase, body: str = "", error: str = "") -> Response:
    closed = refusal_for_note(one.dossier, actor())
    return staff_page(
        "agent/notes.html", 422 if error else 200, dossier=one.dossier, base=one.at(), lines=note_lines(one),
        closed=sentence(closed) if closed is not None else "", body=body, error=error,
        errors=[("#body", error)] if error else [], token=new_token(), longest=LONGEST,
    )  # fmt: skip
