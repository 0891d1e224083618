"""A dossier at an agent's desk: its addresses, what its acts and tasks are called, and why an act is closed."""

from __future__ import annotations

from datetime import datetime

from engine.core.problems import Refusal
from engine.domain.common.decision import AvailableAction
from engine.domain.fields.views import FieldView
from engine.domain.workflow.available_actions import correctable_fields
from engine.model import Procedure, Transition
from engine.services.accounts.access_log import note_visit
from engine.services.applications.drafts import procedure_of, see
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, dossier_number, moment_of, say
from renderers.web.shared.staff import event_label, role_label, writer_of


class AgentCase(DossierContext):
    """A dossier at an agent's desk: its addresses are the desk's."""

    def at(self, rest: str = "") -> str:
        return f"/agent/dossiers/{self.dossier.number}{rest}"


def agent_case(number: str) -> AgentCase:
    """Raises `NotFound` for an unknown dossier and for one of other services. That it was opened is noted."""
    dossier = see(app_ctx(), actor(), dossier_number(number))
    note_visit(app_ctx(), actor(), dossier)
    return AgentCase(dossier, procedure_of(app_ctx(), dossier))


# -- what things are called --------------------------------------------------------------------------------------------


def act_label(procedure: Procedure, name: str, source: str = "") -> str:
    """What people call an act, a task or a service; what time or the machine did, by its event."""
    ways = [way for way in procedure.transitions if way.id == name]
    way = next((one for one in ways if one.source == source), ways[0] if ways else None)
    if way is not None:
        return label(way.label) if way.event is None else event_label(procedure, way)
    asked = procedure.round_of(name)
    thing = asked.service(name) if asked else procedure.tasks.get(name)
    return label(thing.label) if thing else name


def row_name(form_rows: FieldView | None, number: int) -> str:
    """The title of a row (from 0), else its rank."""
    rows = form_rows.rows if form_rows and not form_rows.masked else ()
    title = rows[number].label if number < len(rows) else ""
    return title or say("rows.number", number=number + 1)


# -- what may be decided -----------------------------------------------------------------------------------------------


def correction_offer(found: tuple[AvailableAction, ...]) -> AvailableAction | None:
    """The act, if one is open, that asks the applicant to correct answers."""
    return next((offer for offer in found if offer.open and "correction" in offer.transition.asks), None)


def correctable_of(one: DossierContext, way: Transition) -> frozenset[str]:
    return frozenset(correctable_fields(one.procedure, way, one.evaluated().values.scope))


def why(one: DossierContext, offer: AvailableAction) -> str:
    """Why an act is closed, with what the house's sentence alone could not say: which roles, which condition."""
    reason = offer.closed
    if reason is None:
        return ""
    if reason.code == "guard":
        return say("why.guard", condition=writer_of(one.procedure).condition(offer.ways[-1].when))
    return why_not(one.procedure, reason)


def why_not(procedure: Procedure, reason: Refusal) -> str:
    """Why a person may not do something, naming the roles, the act or the tasks it hangs on."""
    facts = reason.facts
    if reason.code == "role":
        return say("why.role", roles=", ".join(role_label(role) for role in _names(facts.get("roles"))))
    if reason.code in ("four_eyes", "same_as"):
        return say(f"why.{reason.code}", act=act_label(procedure, str(facts.get("act", ""))))
    if reason.code == "time_past":
        until = moment_of(datetime.fromisoformat(str(facts.get("until"))))
        return say("why.time_past", until=until, state=label(procedure.state(str(facts.get("state"))).label))
    if reason.code == "not_yet":
        return say("why.not_yet", tasks=", ".join(act_label(procedure, task) for task in _names(facts.get("after"))))
    return sentence(reason)


def _names(fact: object) -> tuple[str, ...]:
    return tuple(str(one) for one in fact) if isinstance(fact, tuple) else (str(fact or ""),)
