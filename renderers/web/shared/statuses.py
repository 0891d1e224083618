"""Public label of a dossier in lists, its word and its colour; warnings on several pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engine.domain.workflow.progress import is_examined
from engine.model import DRAFT, Procedure, State
from engine.records.dossier import Dossier
from engine.services.accounts.lost_phones import move_waiting
from engine.services.audit.integrity_rows import departures
from engine.services.payments.payments import awaited_among
from engine.storage.results import DossierLine
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx, moment_of, myself, say

TAGS: Final = {
    "draft": "act", "to_pay": "act", "checking": "we", "sent": "we", "in_review": "we", "to_correct": "act", "to_book": "act",
    "appointment": "act", "accepted": "ok", "ready": "ok", "refused": "bad", "closed": "", "to_do": "act", "in_progress": "we",
}  # fmt: skip
BOXES: Final = {
    "draft": "act", "to_pay": "act", "checking": "", "sent": "", "in_review": "", "to_correct": "act", "to_book": "act",
    "appointment": "act", "accepted": "ok", "ready": "ok", "refused": "bad", "closed": "off", "to_do": "act", "in_progress": "",
}  # fmt: skip
READS_REASON: Final = (
    "refused",
    "to_correct",
    "to_book",
    "appointment",
    "closed",
)  # where the applicant reads why an agent decided


def lines_public(lines: Sequence[DossierLine]) -> Mapping[str, str]:
    """Return the label of each line, by dossier. A fee whose payment is being checked is not shown as due."""
    keys = {line.id: line_public(line) for line in lines}
    checked = awaited_among(app_ctx(), actor(), [name for name, key in keys.items() if key == "to_pay"])
    return {name: "checking" if name in checked else key for name, key in keys.items()}


def line_public(line: DossierLine) -> str:
    """Return the label of a line by its state. Lists do not read bookings and documents."""
    if line.state == DRAFT or line.submitted_at is None:
        return "closed" if line.closed else "draft"
    procedure = app_ctx().catalogue.procedures.get(line.procedure)
    state = procedure.states.get(line.state) if procedure else None
    if procedure is None or state is None:
        return "closed" if line.closed else "in_review"
    if state.mode == "attend" and line.due_paused:  # its time is paused while a slot is booked
        return "appointment"
    return label_of_state(procedure, state, state.public)


def label_of_state(procedure: Procedure, state: State, public: str) -> str:
    """Return the label that an applicant reads: `to_do` where they act, `in_progress` where agents examine nothing."""
    if state.awaits_act:
        return "to_do"
    return "in_progress" if public == "in_review" and not is_examined(procedure, state) else public


def line_title(line: DossierLine) -> str:
    """Return the title of the procedure, or its address if it is no longer served."""
    summary = app_ctx().catalogue.summary(line.procedure)
    return label(summary.title) if summary else line.procedure


def departs_from_journal(one: Dossier) -> str:
    """Return one sentence that names the differences, empty if there are none."""
    found = departures(app_ctx(), actor(), one.id)
    return say("audit.departs_text", names=", ".join(say(f"audit.part_{name}") for name in found)) if found else ""


def move_notice() -> str:
    """Return the sentence about a pending new number of the person signed in, empty if there is none."""
    move = move_waiting(app_ctx(), myself())
    return say("own.move_text", moment=moment_of(move.due_at), end=move.phone[-2:]) if move else ""
