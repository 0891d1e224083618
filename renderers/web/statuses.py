"""The public label of a dossier in lists: its word and its colour."""

from __future__ import annotations

from typing import Final

from engine.definition.model import DRAFT
from engine.records.store import DossierLine
from renderers.web.base import office
from renderers.web.cases import label

TAGS: Final = {
    "draft": "act", "to_pay": "act", "sent": "we", "in_review": "we", "to_correct": "act", "to_book": "act",
    "appointment": "act", "accepted": "ok", "ready": "ok", "refused": "bad", "closed": "", "to_do": "act",
}  # fmt: skip
BOXES: Final = {
    "draft": "act", "to_pay": "act", "sent": "", "in_review": "", "to_correct": "act", "to_book": "act",
    "appointment": "act", "accepted": "ok", "ready": "ok", "refused": "bad", "closed": "off", "to_do": "act",
}  # fmt: skip


def line_public(line: DossierLine) -> str:
    """The label of a line by its state; a list does not know what was booked or issued."""
    if line.state == DRAFT or line.submitted_at is None:
        return "closed" if line.closed else "draft"
    procedure = office().catalogue.procedures.get(line.procedure)
    state = procedure.states.get(line.state) if procedure else None
    if state is None:
        return "closed" if line.closed else "in_review"
    if state.mode == "attend" and line.due_paused:  # its time stands still while a slot is held
        return "appointment"
    return state.public


def line_title(line: DossierLine) -> str:
    outline = office().catalogue.outline(line.procedure)
    return label(outline.title) if outline else line.procedure
