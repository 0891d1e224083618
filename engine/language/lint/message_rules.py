"""The rules of messages that contain free text of the applicant.

Such text may not open an SMS or the subject of a mail. It may not go to an address that is only an answer. An
SMS speaks in the name of the administration, and the applicant may type anything. A number typed in an answer
may belong to another person. Agents, who read all answers, may receive such text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.lint.rule_registry import rule
from engine.model import APPLICANT, Form, Notice, Procedure, Template
from engine.model.directory import Directory
from engine.model.types import TEXT

_FREE_TYPES: Final = frozenset({"text", "address", "email"})
_OPENING: Final = re.compile(r"\W*\{(\w+)\}")  # no word before it
REASON: Final = "reason"


@rule("N311")
def opens_with_free_text(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield N311 for each notice that begins with text that the applicant typed."""
    for notice in procedure.notices:
        for name in dict.fromkeys(_openings(notice)):
            if is_free_text(procedure, name):
                yield problem("N311", notice.where, at=notice.id, name=name)


@rule("N312")
def free_text_to_an_answer(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield N312 for each notice to an address in an answer that contains text the applicant typed."""
    for notice in procedure.notices:
        if notice.to not in procedure.fields:
            continue
        for name in sorted({name for text in _texts(notice) for name in text.names}):
            if is_free_text(procedure, name):
                yield problem("N312", notice.where, at=notice.id, name=name, to=notice.to)


def is_free_text(procedure: Procedure, name: str) -> bool:
    """Return whether a name in a message may contain text that the applicant typed."""
    if name == REASON:
        return any(APPLICANT in transition.by and REASON in transition.asks for transition in procedure.transitions)
    return _is_typed(procedure, name, frozenset())


def _is_typed(procedure: Procedure, name: str, met: frozenset[str]) -> bool:
    """Return whether a name holds typed text. `met` are the names already followed, which are computed from it."""
    if name in met:
        return False
    field = procedure.fields.get(name)
    computed = procedure.definitions.get(name) or (field.value if field else None)
    if computed is not None:
        return computed.type == TEXT and any(_is_typed(procedure, one, met | {name}) for one in computed.names)
    return field is not None and (field.type in _FREE_TYPES or field.other) and name in _asked(procedure)


def _asked(procedure: Procedure) -> frozenset[str]:
    """The questions that the applicant answers, without those of agents and registers."""
    theirs = {
        transition.fills for transition in procedure.transitions if transition.fills and APPLICANT in transition.by
    }
    forms = [procedure.form] + [
        task for task in procedure.tasks.values()
        if isinstance(task, Form) and (APPLICANT in task.by or task.id in theirs) and not task.register
    ]  # fmt: skip
    return frozenset(field.id for form in forms for field in form.fields)


def _texts(notice: Notice) -> tuple[Template, ...]:
    said = (notice.sms, notice.email_subject, notice.email_body, notice.inbox)
    return tuple(text for text in said if text is not None)


def _openings(notice: Notice) -> Iterator[str]:
    for text in (notice.sms, notice.email_subject):
        for _, said in text.text.versions if text is not None else ():
            if (opening := _OPENING.match(said)) is not None:
                yield opening[1]
