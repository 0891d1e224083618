"""What a step of a story may expect, and how what is seen differs from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

from engine.clock import local_day
from engine.definition.expressions import Scope
from engine.definition.model import Procedure
from engine.office.office import Office
from engine.problems import Fact
from engine.records.dossier import Dossier
from engine.rules.due_dates import clock_left
from engine.rules.field_kinds.kind import Speech
from engine.rules.progress import public_key
from engine.rules.scopes import Standing, standing_of
from engine.values import Plain


@dataclass
class Seen:
    """A dossier as it stands at a step of its story."""

    procedure: Procedure
    dossier: Dossier
    office: Office
    day: date

    @cached_property
    def standing(self) -> Standing:
        return standing_of(self.procedure, self.dossier, self.day, self.office.directory)

    @property
    def scope(self) -> Scope:
        return self.standing.scope

    @property
    def speech(self) -> Speech:
        return Speech(self.office.wording, "fr")


def unmet(seen: Seen, expected: Mapping[str, Plain]) -> dict[str, Fact] | None:
    """The first expectation that what is seen does not meet, as facts for the report; none when all are met."""
    for name, wanted in expected.items():
        for what, want, found in _EYES[name](seen, wanted):
            if want != found:
                return {"what": what, "expected": _fact(want), "found": _fact(found)}
    return None


def _fact(value: object) -> Fact:
    if isinstance(value, (tuple, frozenset, list, set)):
        return tuple(str(one) for one in value)
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)


Comparison = tuple[str, object, object]


def _state(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    yield "state", wanted, seen.dossier.state


def _public(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    yield "public", wanted, public_key(seen.procedure, seen.dossier)


def _due(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    due = seen.dossier.due_at
    yield "due", str(wanted), local_day(due).isoformat() if due else "none"


def _fee(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    yield "fee", wanted, sum(owed.left for owed in seen.dossier.owed.values())


def _value(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    for name, want in wanted.items() if isinstance(wanted, dict) else ():
        defined = seen.procedure.definitions.get(name)
        found = defined.value(seen.scope) if defined is not None else seen.scope.get(name)
        yield (
            name,
            want if isinstance(want, (int, bool)) else str(want),
            found if isinstance(found, int) else str(found),
        )


def _shown(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    for name in _names(wanted):
        yield f"shown {name}", True, _is_shown(seen, name)


def _hidden(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    for name in _names(wanted):
        yield f"hidden {name}", False, _is_shown(seen, name)


def _is_shown(seen: Seen, name: str) -> bool:
    field = seen.procedure.fields.get(name)
    if field is not None:
        return seen.standing.shows(field)
    return any(
        seen.standing.shows(group) and any(column.id == name for column in group.rows)
        for group in seen.procedure.form.fields
        if group.rows
    )


def _issued(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    for name in _names(wanted):
        given = sorted({document.output for document in seen.dossier.documents if document.status == "valid"})
        yield "issued", name, name if name in given else ", ".join(given) or "nothing"


def _revoked(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    """The last of its kind was revoked: nobody who verifies one reads that it is good."""
    for name in _names(wanted):
        made = [document.status for document in seen.dossier.documents if document.output == name]
        yield f"revoked {name}", "revoked", "valid" if "valid" in made else made[-1] if made else "nothing"


def _count(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    for name, want in wanted.items() if isinstance(wanted, dict) else ():
        yield f"count {name}", want, sum(1 for document in seen.dossier.documents if document.output == name)


def _sms(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    """The last SMS holds these words."""
    with seen.office.store.unit() as unit:
        sent = [letter for letter in unit.letters_of(seen.dossier.id) if letter.channel == "sms"]
    sent.sort(key=lambda letter: letter.created_at)
    body = sent[-1].body if sent else ""
    words = str(wanted)
    yield "sms", words, words if words in body else body or "nothing"


def _left(seen: Seen, wanted: Plain) -> Iterator[Comparison]:
    for name, want in wanted.items() if isinstance(wanted, dict) else ():
        clock, calendar = seen.procedure.clocks.get(name), seen.office.directory.calendar
        left = clock_left(seen.dossier, clock, seen.office.now(), seen.scope, calendar) if clock else None
        yield f"left {name}", want, "nothing" if left is None else left


def _names(wanted: Plain) -> list[str]:
    return [str(one) for one in wanted] if isinstance(wanted, list) else [str(wanted)]


_EYES: Final[Mapping[str, Callable[[Seen, Plain], Iterator[Comparison]]]] = {
    "state": _state, "public": _public, "due": _due, "fee": _fee, "value": _value, "shown": _shown,
    "hidden": _hidden, "issued": _issued, "revoked": _revoked, "count": _count, "sms": _sms, "left": _left,
}  # fmt: skip
