"""A dossier in the area of agents: addresses, labels of acts and tasks, reasons of refused acts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

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
from renderers.web.shared.staff import event_label, people, role_label, writer_of


class AgentCase(DossierContext):
    """A dossier whose addresses are in the area of agents."""

    def at(self, rest: str = "") -> str:
        """Return an address of the dossier below `/agent`."""
        return f"/agent/dossiers/{self.dossier.number}{rest}"

    @cached_property
    def confirmers(self) -> Mapping[str, str]:
        """The names of the agents who confirmed answers, by account id."""
        return people(kept.by for kept in self.dossier.confirmed.values())


def agent_case(number: str) -> AgentCase:
    """Return the dossier of that number, and record the visit in the access log.

    Raises `NotFound` if it is unknown or of another service.
    """
    dossier = see(app_ctx(), actor(), dossier_number(number))
    note_visit(app_ctx(), actor(), dossier)
    return AgentCase(dossier, procedure_of(app_ctx(), dossier))


# -- what things are called --------------------------------------------------------------------------------------------


def act_label(procedure: Procedure, name: str, source: str = "") -> str:
    """Return the label of an act, a task or a service. An automatic transition has that of its event."""
    transitions = [transition for transition in procedure.transitions if transition.id == name]
    transition = next((one for one in transitions if one.source == source), transitions[0] if transitions else None)
    if transition is not None:
        return label(transition.agents_label) if transition.event is None else event_label(procedure, transition)
    asked = procedure.round_of(name)
    service, task = asked.service(name) if asked else None, procedure.tasks.get(name)
    return label(service.label) if service else label(task.agents_label) if task else name


def row_name(form_rows: FieldView | None, number: int) -> str:
    """Return the title of a row (counted from 0), else its number."""
    rows = form_rows.rows if form_rows and not form_rows.masked else ()
    title = rows[number].label if number < len(rows) else ""
    return title or say("rows.number", number=number + 1)


# -- what may be decided -----------------------------------------------------------------------------------------------


def correction_offer(found: tuple[AvailableAction, ...]) -> AvailableAction | None:
    """Return the available act that asks for corrections, None if there is none."""
    return next((offer for offer in found if offer.open and "correction" in offer.transition.asks), None)


def correctable_of(one: DossierContext, transition: Transition) -> frozenset[str]:
    """Return the ids of the fields that the act may ask the applicant to correct."""
    return frozenset(correctable_fields(one.procedure, transition, one.evaluated().values.scope))


def why(one: DossierContext, offer: AvailableAction) -> str:
    """Return why an act is impossible, with the roles or the condition. Empty if it is possible."""
    reason = offer.closed
    if reason is None:
        return ""
    if reason.code == "guard":
        return say("why.guard", condition=writer_of(one.procedure).condition(offer.transitions[-1].when))
    return refusal_text(one.procedure, reason)


def refusal_text(procedure: Procedure, reason: Refusal) -> str:
    """Return a refusal as a sentence that names the roles, the act or the tasks."""
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
