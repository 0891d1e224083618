"""Search in the journals of all dossiers by time: acts, actors and places. Entries hold codes and
commitments, no answers. The table text serves both databases."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from engine.core.values import Plain, canonical_json
from engine.records.codec import instant_text

Asks: TypeAlias = Literal["", "late", "night", "same_hands", "taken_refused", "bulk"]

EVENTS: Final = "CREATE INDEX entry_time ON entry (at, dossier, n)"


@dataclass(frozen=True, slots=True)
class EventsAsked:
    """Which entries are wanted. Empty means any, and None for `procedures` means all. `asks` is a predefined
    question. `refusing`: the (procedure, state) pairs that refuse, used by `taken_refused`."""

    first: datetime
    end: datetime
    kind: str = ""
    agent: str = ""
    office: str = ""
    procedures: tuple[str, ...] | None = None
    channel: str = ""
    asks: Asks = ""
    refusing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One entry with the number, procedure, office and channel of its dossier."""

    at: datetime
    dossier: str
    n: int
    kind: str
    actor_kind: str
    actor: str
    edition: str
    body: Plain
    number: str
    procedure: str
    office: str | None
    channel: str


@dataclass(frozen=True, slots=True)
class Facets:
    """The number of entries for each value of a facet. `more`: only the newest entries were counted."""

    kinds: Mapping[str, int]
    agents: Mapping[str, int]
    offices: Mapping[str, int]
    procedures: Mapping[str, int]
    channels: Mapping[str, int]
    days: Mapping[str, int]  # ISO day, the first first
    total: int
    more: bool


_ACT: Final = "e.kind = 'transition' AND e.actor_kind = 'agent'"
_BEFORE: Final = "SELECT 1 FROM entry p WHERE p.dossier = e.dossier AND p.n < e.n"

# An act after the due date in force until then, which was not paused.
_LATE: Final = f"""{_ACT} AND EXISTS ({_BEFORE}
  AND p.n = (SELECT max(q.n) FROM entry q WHERE q.dossier = e.dossier AND q.n < e.n AND instr(q.body, '"due":') > 0)
  AND instr(p.body, '"due":"') > 0 AND instr(p.body, '"paused":null') > 0
  AND substr(p.body, instr(p.body, '"due":"') + 7, 19) < substr(e.at, 1, 19))"""
# Between eight in the evening and six in the morning, on the country's clocks, which show UTC.
_NIGHT: Final = f"{_ACT} AND (substr(e.at, 12, 2) >= '20' OR substr(e.at, 12, 2) < '06')"
# The act that closes a dossier, by the agent who opened it or took every act before.
_SAME: Final = f"""{_ACT} AND instr(e.body, '"closed":true') > 0
  AND EXISTS ({_BEFORE} AND p.actor = e.actor AND p.kind IN ('opened', 'submitted', 'transition'))
  AND NOT EXISTS ({_BEFORE} AND p.actor_kind = 'agent' AND p.kind = 'transition' AND p.actor <> e.actor)"""
# A refusal by the agent who took the dossier.
_TAKEN: Final = f"""{_ACT} AND EXISTS ({_BEFORE} AND p.kind = 'assigned' AND p.actor = e.actor
  AND instr(p.body, '"to":"' || e.actor || '"') > 0)"""
_BULK: Final = f"""{_ACT} AND instr(e.body, '"bulk":') > 0"""
_QUESTIONS: Final[Mapping[Asks, str]] = {
    "late": _LATE, "night": _NIGHT, "same_hands": _SAME, "taken_refused": _TAKEN, "bulk": _BULK,
}  # fmt: skip


def events_where(asked: EventsAsked) -> tuple[str, list[Any]]:
    """Return the SQL condition over `entry e` and `dossier d`, and its parameters."""
    parts, cells = ["d.id = e.dossier", "d.submitted_at IS NOT NULL", "e.at >= ?", "e.at < ?"], list[Any]()
    cells += [instant_text(asked.first), instant_text(asked.end)]
    said = (("e.kind", asked.kind), ("d.office", asked.office), ("d.channel", asked.channel))
    for column, value in said:
        if value:
            parts.append(f"{column} = ?")
            cells.append(value)
    if asked.agent:
        parts.append("e.actor_kind = 'agent' AND e.actor = ?")
        cells.append(asked.agent)
    if asked.procedures is not None:
        parts.append(f"d.procedure IN ({', '.join('?' * len(asked.procedures)) or 'NULL'})")
        cells += asked.procedures
    if asked.asks:
        parts.append(_QUESTIONS[asked.asks])
    if asked.asks == "taken_refused":
        refuses = " OR ".join(["(d.procedure = ? AND instr(e.body, ?) > 0)"] * len(asked.refusing)) or "1 = 0"
        parts.append(f"({refuses})")
        cells += [cell for procedure, state in asked.refusing for cell in (procedure, f'"target":"{state}"')]
    return " AND ".join(parts), cells


def mark_of(last: JournalEvent) -> tuple[str, str, int]:
    """Return the position of the last entry of a page. The next page begins before it."""
    return instant_text(last.at), last.dossier, last.n


COLUMNS: Final = (
    "e.at, e.dossier, e.n, e.kind, e.actor_kind, e.actor, e.edition, e.body, d.number, d.procedure, d.office, d.channel"
)
FROM: Final = "FROM entry e CROSS JOIN dossier d"  # CROSS JOIN makes SQLite read entries first, in time order


def counted(rows: list[tuple[Any, ...]], most: int) -> Facets:
    """Return the facets of (kind, actor kind, actor, office, procedure, channel, day, count) rows. `total` is at
    most `most`."""
    found: dict[str, dict[str, int]] = {name: {} for name in ("kind", "agent", "office", "procedure", "channel", "day")}
    total = 0
    for kind, actor_kind, actor, office, procedure, channel, day, count in rows:
        total += count
        values = (
            ("kind", kind), ("agent", actor if actor_kind == "agent" else ""), ("office", office or ""),
            ("procedure", procedure), ("channel", channel), ("day", day),
        )  # fmt: skip
        for name, value in values:
            if value:
                found[name][value] = found[name].get(value, 0) + count
    days = dict(sorted(found.pop("day").items()))
    kinds, agents, offices, procedures, channels = map(_commonest, found.values())
    return Facets(kinds, agents, offices, procedures, channels, days, min(total, most), total > most)


def _commonest(found: Mapping[str, int]) -> Mapping[str, int]:
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def mark_text(last: JournalEvent) -> str:
    """Return the position of an entry, encoded for a URL."""
    return base64.urlsafe_b64encode(canonical_json(list(mark_of(last)))).decode().rstrip("=")


def read_mark(text: str) -> tuple[str, str, int] | None:
    """Return the position of a URL. None, the newest entry, if it is malformed."""
    try:
        at, dossier, n = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError):
        return None
    plain = all(isinstance(one, str) and one.isascii() and one.isprintable() for one in (at, dossier))
    return (at, dossier, n) if plain and type(n) is int and 0 < n < 2**31 else None
