"""Preview of an act or a later form: its effects and the exact messages."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.gsm7 import sms_parts
from engine.domain.messages.notifications import ROLE_ADDRESS
from engine.domain.workflow.progress import public_key
from engine.records.dossier import OutboundMessage
from engine.services.applications.casework import ActPreview
from renderers.html.controls import national
from renderers.html.diagram import kind_of
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import app_ctx, language, say, site
from renderers.web.shared.agent_dossier import AgentCase
from renderers.web.shared.issued_documents import paper_view
from renderers.web.shared.staff import awaits_applicant, role_label
from renderers.web.shared.statuses import TAGS, label_of_state


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message of the preview: recipient, text and length."""

    to: str
    body: str
    length: str
    warning: str = ""
    subject: str = ""


def preview_context(one: AgentCase, preview: ActPreview) -> dict[str, object]:
    """Return the effects that `agent/preview.html` shows, for acts and later forms alike."""
    after = preview.decision.dossier
    state = one.procedure.state(after.state)
    public = label_of_state(one.procedure, state, public_key(one.procedure, after))
    theirs = kind_of(state) == "applicant"
    return {
        "state": label(state.label), "changes_state": after.taken != one.dossier.taken,
        "public": (TAGS[public], say(f"status.{public}")), "due": after.due_at,
        "due_key": "act.due_theirs" if awaits_applicant(state) else "act.due", "final": state.is_end,
        "paused": theirs and not state.is_end,
        "outputs": [label(one.procedure.outputs[name].title) for name in preview.outputs],
        "papers": [paper_view(one.paper, app_ctx().wording, whole=True) for one in preview.papers if one.paper],
        "changed": [
            say("case.to_state", label=f"{document.title} {document.number}", state=say(f"join.becomes_{document.status}"))
            for document in preview.changed
        ],
        "returned": _returned(preview),
        "messages": [_shown(letter) for letter in preview.letters],
    }  # fmt: skip


def _returned(preview: ActPreview) -> list[str]:
    """Return the amounts to refund, as the decision says."""
    owed = preview.decision.dossier.owed
    return [
        say("join.given_back_line", fee=owed[fee].label, amount=site().words.money(francs, language()))
        for fee, _, francs in preview.back
        if francs
    ]


def _shown(letter: OutboundMessage) -> ShownMessage:
    if letter.channel == "sms":
        parts = sms_parts(letter.body)
        length = f"{say('act.signs', count=parts.signs)}, {say('act.segments', count=parts.count)}"
        return ShownMessage(
            say("act.sms_to", to=national(letter.to)), letter.body, length, say("act.unicode") if parts.unicode else ""
        )  # fmt: skip
    length = say("act.signs", count=len(letter.body))
    if letter.channel == "email":
        return ShownMessage(say("act.email_to", to=letter.to), letter.body, length, subject=letter.subject)
    if letter.to.startswith(ROLE_ADDRESS):
        to = say("act.inbox_to", to=role_label(letter.to.removeprefix(ROLE_ADDRESS)))
    else:
        to = say("act.inbox_applicant")
    return ShownMessage(to, letter.body, length, subject=letter.subject)
