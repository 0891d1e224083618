"""What a step of a scenario may expect, and the comparison with what is observed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Final

from engine.core.clock import ZONE, local_day
from engine.core.problems import Fact
from engine.core.values import Plain
from engine.domain.appointments.appointments import free_slots
from engine.domain.fields.field_type import Speech
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.domain.fields.views import AnswerProblem
from engine.domain.workflow.due_dates import clock_left
from engine.domain.workflow.progress import public_key
from engine.domain.workflow.state_machine import circuit_of
from engine.model import Appointment, Procedure, Step
from engine.model.types import Scope
from engine.records.dossier import Dossier
from engine.services.context.app_context import AppContext


@dataclass
class ObservedDossier:
    """A dossier as it is at a step of its scenario."""

    procedure: Procedure
    dossier: Dossier
    office: AppContext
    day: date

    @cached_property
    def evaluated(self) -> EvaluatedAnswers:
        """The evaluated answers of the dossier on that day, computed once."""
        return evaluate_answers(self.procedure, self.dossier, self.day, self.office.directory)

    @property
    def scope(self) -> Scope:
        """The names that expressions read, with their values."""
        return self.evaluated.scope

    @property
    def speech(self) -> Speech:
        """The wording in French, in which scenarios state expectations."""
        return Speech(self.office.wording, "fr")


def unmet(seen: ObservedDossier, expected: Mapping[str, Plain]) -> dict[str, Fact] | None:
    """Return the first unmet expectation as facts for the report; None when all are met."""
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


def _state(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    yield "state", wanted, seen.dossier.state


def _public(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    yield "public", wanted, public_key(seen.procedure, seen.dossier)


def _due(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    due = seen.dossier.due_at
    yield "due", str(wanted), local_day(due).isoformat() if due else "none"


def _fee(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    yield "fee", wanted, sum(owed.left for owed in seen.dossier.owed.values())


def _value(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    for name, want in wanted.items() if isinstance(wanted, dict) else ():
        defined = seen.procedure.definitions.get(name)
        found = defined.value(seen.scope) if defined is not None else seen.scope.get(name)
        yield (
            name,
            want if isinstance(want, (int, bool)) else str(want),
            found if isinstance(found, int) else str(found),
        )


def _shown(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    for name in _names(wanted):
        yield f"shown {name}", True, _is_shown(seen, name)


def _hidden(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    for name in _names(wanted):
        yield f"hidden {name}", False, _is_shown(seen, name)


def _is_shown(seen: ObservedDossier, name: str) -> bool:
    field = seen.procedure.fields.get(name)
    if field is not None:
        return seen.evaluated.shows(field)
    return any(
        seen.evaluated.shows(group) and any(column.id == name for column in group.rows)
        for group in seen.procedure.form.fields
        if group.rows
    )


def _issued(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    for name in _names(wanted):
        given = sorted({document.output for document in seen.dossier.documents if document.status == "valid"})
        yield "issued", name, name if name in given else ", ".join(given) or "nothing"


def _revoked(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    """Compare the last document of its kind: it must be revoked, and none may still be valid."""
    for name in _names(wanted):
        made = [document.status for document in seen.dossier.documents if document.output == name]
        yield f"revoked {name}", "revoked", "valid" if "valid" in made else made[-1] if made else "nothing"


def _count(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    for name, want in wanted.items() if isinstance(wanted, dict) else ():
        yield f"count {name}", want, sum(1 for document in seen.dossier.documents if document.output == name)


def _sms(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    """Compare the last SMS: it contains these words."""
    with seen.office.store.unit() as unit:
        sent = [letter for letter in unit.letters_of(seen.dossier.id) if letter.channel == "sms"]
    sent.sort(key=lambda letter: letter.created_at)
    body = sent[-1].body if sent else ""
    words = str(wanted)
    yield "sms", words, words if words in body else body or "nothing"


def _left(seen: ObservedDossier, wanted: Plain) -> Iterator[Comparison]:
    for name, want in wanted.items() if isinstance(wanted, dict) else ():
        clock, calendar = seen.procedure.clocks.get(name), seen.office.directory.calendar
        left = clock_left(seen.dossier, clock, seen.office.now(), seen.scope, calendar) if clock else None
        yield f"left {name}", want, "nothing" if left is None else left


def _names(wanted: Plain) -> list[str]:
    return [str(one) for one in wanted] if isinstance(wanted, list) else [str(wanted)]


_EYES: Final[Mapping[str, Callable[[ObservedDossier, Plain], Iterator[Comparison]]]] = {
    "state": _state, "public": _public, "due": _due, "fee": _fee, "value": _value, "shown": _shown,
    "hidden": _hidden, "issued": _issued, "revoked": _revoked, "count": _count, "sms": _sms, "left": _left,
}  # fmt: skip


_TIMES: Final = frozenset({"slot_closed", "slot_full", "too_early"})
_SLOTS_SHOWN: Final = 3


def instead(
    procedure: Procedure, dossier: Dossier, step: Step, why: str, ctx: AppContext, places: Mapping[str, str]
) -> dict[str, Fact]:
    """Return what was possible where a step was refused: near slots, the roles of an action, or all that
    the state allows. `places`: the office of each appointment.
    """
    if why in _TIMES and isinstance(step.value, dict):
        asked = step.value.items()
        return {"slots": tuple(one for name, at in asked for one in _slots(procedure, name, str(at), ctx, places))}
    acts = circuit_of(procedure).acts.get(dossier.state, {})
    if why == "role" and str(step.value) in acts:
        own = f"{procedure.identity.agency}/"
        return {"roles": tuple(role.removeprefix(own) for role in acts[str(step.value)][0].by)}
    state = procedure.states.get(dossier.state)
    possible = (*(state.waits if state else ()), *acts)
    return {"possible": possible} if why in ("state", "not_now", "role") and possible else {}


def _slots(procedure: Procedure, name: str, asked: str, ctx: AppContext, places: Mapping[str, str]) -> tuple[str, ...]:
    """Return the first free slots from the requested day, else from today, as scenarios write them."""
    task, place = procedure.tasks.get(name), ctx.directory.offices.get(places.get(name, ""))
    if not isinstance(task, Appointment) or place is None:
        return ()
    now, calendar = ctx.now(), ctx.directory.calendar
    days = (datetime.strptime(asked[:10], "%Y-%m-%d").date(), local_day(now))
    tried = (free_slots(task, place, {}, now, calendar, day, _SLOTS_SHOWN) for day in days)
    found = next((free for free in tried if free), ())
    return tuple(one.start.astimezone(ZONE).strftime("%Y-%m-%d %H:%M") for one in found)


def spot(found: AnswerProblem) -> str:
    """Return the name a scenario uses: the id of the check, else the question."""
    return str(found.facts["id"]) if found.code == "check" and "id" in found.facts else found.at.split(".")[0]


def unexpected(
    procedure: Procedure, refused: Sequence[AnswerProblem], answers: Mapping[str, Plain], wanted: Collection[str]
) -> dict[str, Fact]:
    """Return facts about the first refusal that is not wanted: the answer, its value, why, and what is allowed."""
    first = next((one for one in refused if spot(one) not in wanted), None)
    if first is None:
        return {}
    kind = "other" if wanted else "unexpected"
    facts: dict[str, Fact] = {"kind": kind, "name": spot(first), "because": first.code}
    value, field = answers.get(first.at), procedure.fields.get(first.at)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        facts["value"] = str(value)
    if field is not None and field.options and first.code == "choice":
        facts["allowed"] = tuple(option.code for option in field.options)
    return facts
