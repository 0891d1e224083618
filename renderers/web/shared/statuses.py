"""The public label of a dossier in lists: its word and its colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engine.model import DRAFT
from engine.services.payments.payments import awaited_among
from engine.storage.unit_of_work import DossierLine
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx

TAGS: Final = {
    "draft": "act", "to_pay": "act", "checking": "we", "sent": "we", "in_review": "we", "to_correct": "act", "to_book": "act",
    "appointment": "act", "accepted": "ok", "ready": "ok", "refused": "bad", "closed": "", "to_do": "act",
}  # fmt: skip
BOXES: Final = {
    "draft": "act", "to_pay": "act", "checking": "", "sent": "", "in_review": "", "to_correct": "act", "to_book": "act",
    "appointment": "act", "accepted": "ok", "ready": "ok", "refused": "bad", "closed": "off", "to_do": "act",
}  # fmt: skip


def lines_public(lines: Sequence[DossierLine]) -> Mapping[str, str]:
    """The label of each line, by its dossier: what is to be paid and is being checked is not to be paid again."""
    keys = {line.id: line_public(line) for line in lines}
    checked = awaited_among(app_ctx(), actor(), [name for name, key in keys.items() if key == "to_pay"])
    return {name: "checking" if name in checked else key for name, key in keys.items()}


def line_public(line: DossierLine) -> str:
    """The label of a line by its state; a list does not know what was booked or issued."""
    if line.state == DRAFT or line.submitted_at is None:
        return "closed" if line.closed else "draft"
    procedure = app_ctx().catalogue.procedures.get(line.procedure)
    state = procedure.states.get(line.state) if procedure else None
    if state is None:
        return "closed" if line.closed else "in_review"
    if state.mode == "attend" and line.due_paused:  # its time stands still while a slot is held
        return "appointment"
    return state.public


def line_title(line: DossierLine) -> str:
    summary = app_ctx().catalogue.summary(line.procedure)
    return label(summary.title) if summary else line.procedure
