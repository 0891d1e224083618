"""Files that come with a post of an agent's form: joined at their place, or taken back; what is wrong with them is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from flask import request

from engine.office.enclosures import enclose, take_back
from engine.office.office import NotFound
from engine.office.papers import Upload
from engine.rules.view import AnswerProblem
from renderers.web.agent_case import AgentCase
from renderers.web.base import actor, form_token, office

_FILE = "file:"


@dataclass(frozen=True, slots=True)
class Received:
    """What came of a post's files: `touched` tells that the form is to be drawn again and nothing else was asked."""

    problems: tuple[AnswerProblem, ...]
    touched: bool


def receive_files(one: AgentCase, place: Callable[[str], str]) -> Received:
    """Joins each file posted (`place` tells where the one of a control goes), and takes back the one whose button was
    touched. Raises NotFound, Refused."""
    problems = []
    for name, files in request.files.lists():
        for number, file in enumerate(files):
            if not name.startswith(_FILE) or not file.filename:
                continue
            token = form_token()
            own = f"{token}:{name}:{number}"[:200] if token else None
            question = name.removeprefix(_FILE)[:100]
            found = enclose(
                office(), actor(), one.id, place(question), Upload(file.filename, file.read()), token=own
            )  # fmt: skip
            if found.problem is not None:
                problems.append(found.problem)
    gone = request.form.get("detach", "")[:100]
    if gone:
        with suppress(NotFound):  # taken back already, or it went with what was done
            take_back(office(), actor(), one.id, gone, token=form_token())
    return Received(tuple(problems), bool(gone) or "send" in request.form or bool(problems))
