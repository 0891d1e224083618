"""The edition summary: what lists, searches and queries need of an edition without loading it.

A summary is computed from the procedure and stored as one line of text (`engine/language/catalogue/index.py`).
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
    """One state. `roles` are those it waits for, `many`: several people, `asks`: a register.

    `links`: another dossier. `refuses`: an end that refuses. `ready`: it waits for the applicant to come.
    """

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
    """One edition without its form, fees and workflow.

    `receives` are the roles that fill it in at a counter, empty when it is not offered there.
    """

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
    life_events: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def summarize(procedure: Procedure) -> EditionSummary:
    """Return the summary of a loaded procedure."""
    identity = procedure.identity
    return EditionSummary(
        procedure.id, procedure.edition, procedure.fingerprint, identity.from_, identity.until, identity.title,
        identity.summary, identity.category, identity.agency, roles_of(procedure),
        tuple(_state(procedure, name) for name in procedure.states),
        receiving_roles(procedure), identity.life_events, identity.languages,
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
    """Return the summary as a line, without what an unloaded procedure holds: id, edition, fingerprint, days."""
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
        summary.life_events,
        summary.languages,
    ]
    return json.dumps(whole, separators=(",", ":"))


def read_summary(
    line: str, procedure: str, edition: int, fingerprint: str, from_: date | None, until: date | None
) -> EditionSummary:  # fmt: skip
    """Return the summary in a line that `write_summary` wrote."""
    title, summary, category, agency, parts, roles, states, receives, life_events, languages = json.loads(line)
    return EditionSummary(
        procedure, edition, fingerprint, from_, until, Text.of(title), Text.of(summary), category, agency,
        frozenset(roles[number] for number in parts), tuple(_read_state(one, roles) for one in states),
        frozenset(roles[number] for number in receives), tuple(life_events), tuple(languages),
    )  # fmt: skip


def _read_state(state: Any, roles: list[str]) -> StateSummary:
    name, flags, numbers = state
    held = frozenset(roles[number] for number in numbers)
    return StateSummary(name, held, *(bool(flags >> bit & 1) for bit in range(len(_FLAGS))))
