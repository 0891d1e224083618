"""The population file: anonymous counts of running dossiers, from `guichet snapshot` for `guichet diff --snapshot`.

`snapshot.schema.json` describes it. A count below `FEW` is written as `<5`. The counts that would sum to a
total are rounded down. Hidden counts thus cannot be computed from the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.core.values import Plain, forbidden_at

Count: TypeAlias = "int | str"  # whole, or `<5`: at least one, fewer than five

FORMAT: Final = "guichet-snapshot/1"
SCHEMA_PATH: Final = Path(__file__).with_name("snapshot.schema.json")
FEW: Final = 5
KINDS: Final = ("states", "answers", "fees", "bookings")
_HIDDEN: Final = re.compile(r"<([1-9][0-9]{0,8})")
_NO_COUNTS: Final[Mapping[str, Count]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The running dossiers of one procedure: how many, in which state, with which answers. No names, no numbers.

    `answers` and `fees` count dossiers by question, option (`motif.perte`) or priced fee. `bookings` count future
    appointments.
    """

    dossiers: Count = 0
    drafts: Count = 0
    states: Mapping[str, Count] = field(default_factory=lambda: _NO_COUNTS)
    answers: Mapping[str, Count] = field(default_factory=lambda: _NO_COUNTS)
    fees: Mapping[str, Count] = field(default_factory=lambda: _NO_COUNTS)
    bookings: Mapping[str, Count] = field(default_factory=lambda: _NO_COUNTS)


# -- writing -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """The exact counts of one edition, before any is hidden."""

    drafts: int = 0
    kinds: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def add(self, kind: str, names: Iterable[str]) -> None:
        """Count one dossier under each of these names."""
        counts = self.kinds[kind]
        for name in set(names):
            counts[name] = counts.get(name, 0) + 1


def snapshot_plain(tallies: Mapping[str, Mapping[int, Tally]], day: date) -> Plain:
    """Return the file as JSON: by procedure, then edition. Counts of zero are left out."""
    return {
        "format": FORMAT,
        "taken_on": day.isoformat(),
        "fewer_than": FEW,
        "procedures": {
            name: {"editions": {str(edition): _plain(tally) for edition, tally in sorted(editions.items())}}
            for name, editions in sorted(tallies.items())
        },
    }


def _plain(tally: Tally) -> Plain:
    """The counts of one edition. Only the states give exact totals, all other counts are rounded."""
    kinds: dict[str, Plain] = {
        kind: {name: hidden(count, rounded=kind != "states") for name, count in sorted(tally.kinds[kind].items())}
        for kind in KINDS
    }
    return {"drafts": hidden(tally.drafts, rounded=True), **kinds}


def hidden(count: int, *, rounded: bool) -> Count:
    """Return a count as it may be published: `<5` below `FEW`, else exact or rounded down to a multiple of `FEW`."""
    if 0 < count < FEW:
        return f"<{FEW}"
    return count - count % FEW if rounded else count


# -- reading -----------------------------------------------------------------------------------------------------------


def read_snapshot(plain: Plain, procedure: str, edition: int | None = None) -> Snapshot:
    """Return the counts of one procedure, for its editions up to `edition` together (their dossiers still run).

    Raises `ValueError` with the key that is no count, or with `format`.
    """
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise ValueError("format")
    if hidden := forbidden_at(plain):
        raise ValueError(f"{hidden[0]} ({hidden[1]})")
    editions = _map(_map(plain, "procedures").get(procedure, {}), "editions", f"procedures.{procedure}")
    parts = [
        _read(one, f"procedures.{procedure}.editions.{number}")
        for number, one in editions.items()
        if edition is None or _number(number, procedure) <= edition
    ]
    maps = {kind: _added(getattr(one, kind) for one in parts) for kind in KINDS}
    dossiers = added(maps["states"].values())
    drafts = added(one.drafts for one in parts)
    return Snapshot(dossiers, drafts, maps["states"], maps["answers"], maps["fees"], maps["bookings"])


def counts_of(plain: Plain) -> Count:
    """Return the number of running dossiers of all procedures."""
    return added(read_snapshot(plain, name).dossiers for name in _map(plain, "procedures"))


def added(counts: Iterable[Count]) -> Count:
    """Return the sum of counts. A hidden one adds nothing to a known one, and alone it stays hidden."""
    every = list(counts)
    known = sum(one for one in every if isinstance(one, int))
    most = sum(int(one[1:]) - 1 for one in every if isinstance(one, str))
    return known if known or not most else f"<{most + 1}"


def _added(maps: Iterable[Mapping[str, Count]]) -> Mapping[str, Count]:
    every = list(maps)
    names = dict.fromkeys(name for one in every for name in one)
    return MappingProxyType({name: added(one[name] for one in every if name in one) for name in names})


def _read(plain: Plain, at: str) -> Snapshot:
    if not isinstance(plain, dict):
        raise ValueError(at)
    maps = {kind: MappingProxyType(dict(_counts(_map(plain, kind, at), f"{at}.{kind}"))) for kind in KINDS}
    drafts = _count(plain.get("drafts", 0), f"{at}.drafts")
    return Snapshot(0, drafts, maps["states"], maps["answers"], maps["fees"], maps["bookings"])


def _counts(plain: Mapping[str, Plain], at: str) -> Iterator[tuple[str, Count]]:
    for name, one in plain.items():
        yield name, _count(one, f"{at}.{name}")


def _map(plain: Plain, key: str, at: str = "") -> Mapping[str, Plain]:
    where = f"{at}.{key}" if at else key
    found = plain.get(key, {}) if isinstance(plain, dict) else None
    if not isinstance(found, dict):
        raise ValueError(where)
    return found


def _number(edition: str, procedure: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", edition):
        raise ValueError(f"procedures.{procedure}.editions.{edition[:40]}")
    return int(edition)


def _count(plain: Plain, at: str) -> Count:
    if isinstance(plain, int) and not isinstance(plain, bool) and plain >= 0:
        return plain
    if isinstance(plain, str) and _HIDDEN.fullmatch(plain):
        return plain
    raise ValueError(at)
