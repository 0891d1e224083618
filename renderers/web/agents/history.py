"""History of a dossier from its journal: acts with author and time, messages and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.core.values import Plain
from engine.domain.common.access import is_own
from engine.domain.documents.originals import RESULTS
from engine.journal.chain import JournalEntry
from engine.model import Appointment, Link, Procedure
from engine.records.dossier import OutboundMessage, TakenTransition
from engine.services.applications.casework import letters_of
from renderers.web.agents.answers import Paper, papers_read
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx, language, moment_of, say, site
from renderers.web.shared.agent_dossier import AgentCase, act_label
from renderers.web.shared.staff import people, who_did

_FILLED: Final[Mapping[type, str]] = {Appointment: "attended", Link: "link_ended"}
_REPORTED: Final = frozenset(
    {"assisted", "part_done", "task_done", "paid", "booked", "moved", "cancelled", "slot_lost", "missed", "refunded"}
    | {"walked_in", "came_late", "not_come"}
    | {"confirmed", "originals"}
    | {"number_asked", "number_refused", "contact_changed", "agreed"}
)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history, with the messages it caused as pairs of channel and text."""

    title: str
    text: str
    reason: str = ""
    messages: tuple[tuple[str, str], ...] = ()
    files: tuple[Paper, ...] = ()


@dataclass(frozen=True, slots=True)
class _Moment:
    """One event before messages are assigned to it."""

    at: datetime
    title: str
    by: str
    reason: str = ""
    files: tuple[Paper, ...] = ()


def events(one: AgentCase) -> list[Event]:
    """Return the history, the oldest first, with the text of each message."""
    moments = list(_moments(one))
    letters = sorted(letters_of(app_ctx(), actor(), one.id), key=lambda letter: letter.created_at)
    by_moment: dict[int, list[OutboundMessage]] = {}
    for letter in letters:
        place = max((at for at, moment in enumerate(moments) if moment.at <= letter.created_at), default=0)
        by_moment.setdefault(place, []).append(letter)
    return [
        Event(
            moment.title, _by(moment), moment.reason, tuple(map(_said, by_moment.get(number, ()))), moment.files
        )
        for number, moment in enumerate(moments)
    ]  # fmt: skip


def _by(moment: _Moment) -> str:
    when = moment_of(moment.at)
    return say("case.by", moment=when, name=moment.by) if moment.by else when


def _moments(one: AgentCase) -> Iterator[_Moment]:
    with app_ctx().store.unit() as unit:
        entries = unit.entries(one.id)
    names = people(entry.actor for entry in entries if entry.actor_kind == "agent")
    yield _Moment(one.dossier.submitted_at or one.dossier.created_at, say("case.history_sent"), "")
    transitions = iter(one.dossier.taken)
    passed = {
        entry.at for entry in entries if entry.kind == "transition"
    }  # the transition that a payment caused shows it already
    asked: Plain = None  # questions of the last correction
    for entry in entries:
        body = entry.body if isinstance(entry.body, dict) else {}
        if entry.kind == "transition":
            asked, taken = body.get("fields", asked), next(transitions, None)
            if taken is not None:
                yield _taken(one, taken, names)
        elif entry.kind in _REPORTED and not (entry.kind == "paid" and entry.at in passed):
            which = _corrected(one, asked, entry.at) if body.get("task") == one.procedure.form.id else ""
            yield _Moment(entry.at, _reported(one, entry, body), who_did(entry.actor, entry.actor_kind, names), which)


def _corrected(one: AgentCase, asked: Plain, at: datetime) -> str:
    """Return the names of the questions that were answered again, of those asked where the former answers are not kept."""
    asked = next((list(sent.before) for sent in one.dossier.corrected if sent.sent_at == at), asked)
    named = {str(name).partition(".")[0] for name in asked} if isinstance(asked, list) else set()
    labels = [label(field.agents_label) for name, field in one.procedure.fields.items() if name in named]
    return say("waits.corrected_which", fields=", ".join(labels)) if labels else ""


def _taken(one: AgentCase, taken: TakenTransition, names: Mapping[str, str]) -> _Moment:
    target = one.procedure.states.get(taken.target)
    title = say(
        "case.to_state", label=act_label(one.procedure, taken.transition, taken.source),
        state=label(target.label) if target else taken.target,
    )  # fmt: skip
    own = taken.by_kind == "agent" and is_own(one.dossier, actor())  # what colleagues wrote to each other of them
    reason = say("case.reason", reason=taken.reason) if taken.reason and not own else ""
    laws = ", ".join(label(one.procedure.laws[law].title) for law in taken.grounds if law in one.procedure.laws)
    reason = " ".join(filter(None, (reason, say("compare.based_on", laws=laws) if laws else "")))
    by = who_did(taken.by, taken.by_kind, names)
    return _Moment(taken.at, title, by, reason, papers_read(one, taken.attachments))


def _reported(one: AgentCase, entry: JournalEntry, body: Mapping[str, Plain]) -> str:
    """Return one line on an entry, without any answer."""
    procedure, task = one.procedure, str(body.get("task") or body.get("appointment") or "")
    if entry.kind == "assisted":
        back = one.dossier.submitted_at is not None and entry.at > one.dossier.submitted_at
        return say("counter.history_back" if back else "counter.history")
    if entry.kind in ("number_asked", "number_refused", "contact_changed", "agreed"):
        return say(f"journal.{entry.kind}")
    if entry.kind == "confirmed":
        columns = {column.id: column for field in one.procedure.fields.values() for column in field.rows}
        piece = one.procedure.fields.get(str(body.get("piece"))) or columns.get(str(body.get("piece")))
        return say(
            "compare.history",
            piece=label(piece.agents_label) if piece else act_label(procedure, str(body.get("piece"))),
        )
    if entry.kind == "originals":
        return say("original.history", results="; ".join(_of_originals(procedure, body)))
    if entry.kind in ("paid", "refunded"):
        amount = body.get("amount")
        return say(
            "waits.paid" if entry.kind == "paid" else "refund.history",
            amount=site().words.money(amount if isinstance(amount, int) else 0, language()),
        )
    if entry.kind == "part_done":
        part = str(body.get("part"))
        if part.isdecimal():
            return say("waits.row_done", task=act_label(procedure, task), number=int(part) + 1)
        key = "silence" if entry.actor_kind == "system" else "opinion_given"
        return say(f"waits.{key}", service=act_label(procedure, part))
    if entry.kind == "task_done":
        key = "corrected" if task == procedure.form.id else _FILLED.get(type(procedure.tasks.get(task)), "filled")
        return say(f"waits.{key}", task=act_label(procedure, task))
    return say("waits.visit", task=act_label(procedure, task), what=say(f"journal.{entry.kind}"))


def _of_originals(procedure: Procedure, body: Mapping[str, Plain]) -> Iterator[str]:
    """Yield each result that an entry notes, with its papers."""
    for result in RESULTS:
        if isinstance(found := body.get(f"originals_{result}"), list):
            papers = (procedure.fields.get(str(name)) for name in found)
            names = ", ".join(label(paper.agents_label) for paper in papers if paper)
            yield say("text.named", name=say(f"original.{result}"), text=names)


def _said(letter: OutboundMessage) -> tuple[str, str]:
    key = "history_letter_failed" if letter.failed else "history_letter" if letter.sent_at else "history_letter_due"
    return say(f"case.{key}", channel=say(f"case.channel_{letter.channel}")), letter.body


def last_event(one: AgentCase) -> str:
    """Return who did what last, for an agent whose act came too late."""
    with app_ctx().store.unit() as unit:
        last = unit.entries(one.id)[-1]
    body = last.body if isinstance(last.body, dict) else {}
    if last.kind == "transition":
        what = act_label(one.procedure, str(body.get("transition")), str(body.get("source")))
    elif last.kind in _REPORTED:
        what = _reported(one, last, body)
    else:
        what = say(f"journal.{last.kind}") if site().words.has(f"journal.{last.kind}") else last.kind
    name = who_did(last.actor, last.actor_kind, people([last.actor]))
    moment = moment_of(last.at)
    return say("stale.by", name=name[:1].upper() + name[1:], act=what, moment=moment)
