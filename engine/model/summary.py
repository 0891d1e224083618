"""What is known of an edition without opening its book: what lists, searches and trays ask of every procedure at once.

An outline is worked out from the book it is of, and kept as one line of text (`definition/index.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from engine.core.values import Text
from engine.model import APPLICANT, SYSTEM, Form, Link, Procedure
from engine.model.roles import awaited_roles, receiving_roles, roles_of, waits_for_many

_FLAGS: Final = ("ends", "many", "asks", "links", "refuses", "ready")


@dataclass(frozen=True, slots=True)
class StateSummary:
    """One state. `roles` are those it waits for; `many`: several hands; `asks`: a register; `links`: another dossier;
    `refuses`: an end that says no; `ready`: it waits for the applicant to come."""

    id: str
    roles: frozenset[str]
    ends: bool = False
    many: bool = False
    asks: bool = False
    links: bool = False
    refuses: bool = False
    ready: bool = False


@dataclass(frozen=True, slots=True)
class EditionSummary:
    """One edition, as far as it is known without its form, its fees and its circuit. `receives`: the roles that fill it in at a
    counter; none where no counter does."""

    id: str
    edition: int
    fingerprint: str
    from_: date | None
    until: date | None
    title: Text
    summary: Text
    category: str | None
    agency: str
    roles: frozenset[str]
    states: tuple[StateSummary, ...]
    receives: frozenset[str] = frozenset()


def summarize(procedure: Procedure) -> EditionSummary:
    identity = procedure.identity
    return EditionSummary(
        procedure.id, procedure.edition, procedure.fingerprint, identity.from_, identity.until, identity.title,
        identity.summary, identity.category, identity.agency, roles_of(procedure),
        tuple(_state(procedure, name) for name in procedure.states),
        receiving_roles(procedure),
    )  # fmt: skip


def _state(procedure: Procedure, name: str) -> StateSummary:
    state = procedure.state(name)
    tasks = [procedure.tasks[one] for one in state.waits]
    return StateSummary(
        name, awaited_roles(procedure, name) - {APPLICANT, SYSTEM}, state.is_end, waits_for_many(procedure, name),
        any(isinstance(one, Form) and bool(one.register) for one in tasks), any(isinstance(one, Link) for one in tasks),
        state.outcome == "refused", state.public == "ready",
    )  # fmt: skip


# -- as a line ---------------------------------------------------------------------------------------------------------


def write_summary(summary: EditionSummary) -> str:
    """All but what a closed book says itself: id, edition, fingerprint and days."""
    roles = sorted(summary.roles | summary.receives)
    rank = {role: number for number, role in enumerate(roles)}
    states = [
        [one.id, sum(getattr(one, flag) << bit for bit, flag in enumerate(_FLAGS)), sorted(rank[role] for role in one.roles)]
        for one in summary.states
    ]  # fmt: skip
    whole = [
        dict(summary.title.versions),
        dict(summary.summary.versions),
        summary.category,
        summary.agency,
        sorted(rank[role] for role in summary.roles),
        roles,
        states,
        sorted(rank[role] for role in summary.receives),
    ]
    return json.dumps(whole, separators=(",", ":"))


def read_summary(
    line: str, procedure: str, edition: int, fingerprint: str, from_: date | None, until: date | None
) -> EditionSummary:  # fmt: skip
    """The outline of a line that `write_outline` wrote."""
    title, summary, category, agency, parts, roles, states, receives = json.loads(line)
    return EditionSummary(
        procedure, edition, fingerprint, from_, until, Text.of(title), Text.of(summary), category, agency,
        frozenset(roles[number] for number in parts), tuple(_read_state(one, roles) for one in states),
        frozenset(roles[number] for number in receives),
    )  # fmt: skip


def _read_state(state: Any, roles: list[str]) -> StateSummary:
    name, flags, numbers = state
    held = frozenset(roles[number] for number in numbers)
    return StateSummary(name, held, *(bool(flags >> bit & 1) for bit in range(len(_FLAGS))))
