"""What an author is told when a story goes another way than written: what may be done there, by whom, at which times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from engine.clock import ZONE, local_day
from engine.definition.model import Appointment, Procedure, Step
from engine.office.office import Office
from engine.problems import Fact
from engine.records.dossier import Dossier
from engine.rules.appointments import free_slots
from engine.rules.offers import acts_of
from engine.rules.view import AnswerProblem
from engine.values import Plain

_TIMES: Final = frozenset({"slot_closed", "slot_full", "too_early"})
_SLOTS_TOLD: Final = 3


def instead(
    procedure: Procedure, dossier: Dossier, step: Step, why: str, office: Office, places: Mapping[str, str]
) -> dict[str, Fact]:
    """What could have been done where a step was refused: slots near the one asked, the roles of an act, or all that the
    state admits. `places`: the office of each appointment."""
    if why in _TIMES and isinstance(step.value, dict):
        asked = step.value.items()
        return {"slots": tuple(one for name, at in asked for one in _slots(procedure, name, str(at), office, places))}
    acts = acts_of(procedure, dossier.state)
    if why == "role" and str(step.value) in acts:
        own = f"{procedure.identity.agency}/"
        return {"roles": tuple(role.removeprefix(own) for role in acts[str(step.value)][0].by)}
    state = procedure.states.get(dossier.state)
    possible = (*(state.waits if state else ()), *acts)
    return {"possible": possible} if why in ("state", "not_now", "role") and possible else {}


def _slots(procedure: Procedure, name: str, asked: str, office: Office, places: Mapping[str, str]) -> tuple[str, ...]:
    """The first slots that can be taken from the day asked, else from today, as a story writes them."""
    task, place = procedure.tasks.get(name), office.directory.offices.get(places.get(name, ""))
    if not isinstance(task, Appointment) or place is None:
        return ()
    now, calendar = office.now(), office.directory.calendar
    days = (datetime.strptime(asked[:10], "%Y-%m-%d").date(), local_day(now))
    tried = (free_slots(task, place, {}, now, calendar, day, _SLOTS_TOLD) for day in days)
    found = next((free for free in tried if free), ())
    return tuple(one.start.astimezone(ZONE).strftime("%Y-%m-%d %H:%M") for one in found)


def spot(found: AnswerProblem) -> str:
    """What a story names: the check's id, else the question."""
    return str(found.facts["id"]) if found.code == "check" and "id" in found.facts else found.at.split(".")[0]


def unexpected(procedure: Procedure, wrong: Sequence[AnswerProblem], answers: Mapping[str, Plain]) -> dict[str, Fact]:
    """The first answer refused although the story expects no refusal: which, what it was, why, what would do."""
    first = wrong[0]
    facts: dict[str, Fact] = {"kind": "unexpected", "name": spot(first), "because": first.code}
    value, field = answers.get(first.at), procedure.fields.get(first.at)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        facts["value"] = str(value)
    if field is not None and field.options and first.code == "choice":
        facts["allowed"] = tuple(option.code for option in field.options)
    return facts
