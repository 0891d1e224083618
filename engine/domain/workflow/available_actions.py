"""Available actions: which acts an actor may take on a dossier, why others are refused, and what an act requires.

An act is refused with `role`, `own_dossier`, `other_office`, `too_late`, `time_past`, `four_eyes`,
`assisted`, `same_as`, `correction_pending` or `guard`. Its content is refused with `reason_missing`,
`attachment_missing`, `grounds_missing`, `unknown_ground`, `correction_empty`, `not_correctable` or `unknown_answer`.
"""

from __future__ import annotations

from datetime import datetime

from engine.core.problems import Refusal, refusal
from engine.domain.common.access import acting_role, holds, in_their_offices, is_own
from engine.domain.common.decision import Act, AvailableAction
from engine.domain.common.four_eyes import People, barred_from_act, reserved_to_another
from engine.domain.common.working_time import add_span
from engine.domain.fields.field_types import is_asked
from engine.domain.fields.raw_answers import OTHER
from engine.domain.workflow.elapsed import ElapsedOutcome, closed_by_time, time_past
from engine.domain.workflow.state_machine import act_trigger, circuit_of
from engine.domain.workflow.transition_context import Moment
from engine.model import Form, Procedure, Transition
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.model.types import TRUE, Scope
from engine.records.dossier import Actor, Dossier


def offers_of(moment: Moment, dossier: Dossier, people: People | None = None) -> tuple[AvailableAction, ...]:
    """Return every act of the present state, possible or refused for the moment's actor."""
    acts = {} if dossier.is_draft else circuit_of(moment.procedure).acts.get(dossier.state, {})
    past = time_past(moment, dossier) if acts else None
    return tuple(
        AvailableAction(transitions, closed_because(moment, dossier, transitions, people, past))
        for transitions in acts.values()
    )


def closed_because(
    moment: Moment, dossier: Dossier, transitions: tuple[Transition, ...], people: People | None, past: ElapsedOutcome | None
) -> Refusal | None:  # fmt: skip
    """Return the first reason against an act, None when it is possible. `past` is the elapsed outcome (`time_past`)."""
    transition, procedure, actor = transitions[0], moment.procedure, moment.actor
    return (
        _role(procedure, dossier, transition, actor)
        or _time(dossier, transition, moment.now, moment.directory)
        or closed_by_time(moment, past, acting_role(procedure, dossier, actor, transition.by), transition.where)
        or barred_from_act(procedure, dossier, transition, actor.id, actor.contacts, people)
        or reserved_to_another(procedure, dossier, transition, actor, people)
        or _correction(dossier, transition)
        or _guard(procedure, transitions, moment.scope(dossier))
    )


def _role(procedure: Procedure, dossier: Dossier, transition: Transition, actor: Actor) -> Refusal | None:
    roles = tuple(role_key(procedure, role) for role in transition.by)
    if is_own(dossier, actor):
        return refusal("own_dossier", transition.where)
    if acting_role(procedure, dossier, actor, transition.by):
        return None
    if holds(actor, roles) and not in_their_offices(dossier, actor):
        return refusal("other_office", transition.where, office=dossier.office or "")
    return refusal("role", transition.where, roles=roles)


def _time(dossier: Dossier, transition: Transition, now: datetime, directory: Directory) -> Refusal | None:
    if transition.within is None:
        return None
    until = add_span(dossier.entered_at, transition.within, directory.calendar)
    if now <= until:
        return None
    return refusal(
        "too_late", transition.where, until=until.isoformat(timespec="seconds"), within=str(transition.within)
    )


def _correction(dossier: Dossier, transition: Transition) -> Refusal | None:
    if "correction" in transition.asks and dossier.correction and dossier.correction.left:
        return refusal("correction_pending", transition.where, fields=dossier.correction.left)
    return None


def _guard(procedure: Procedure, transitions: tuple[Transition, ...], scope: Scope) -> Refusal | None:
    """Return `guard` when no transition's condition holds. One over answers that the act fills is evaluated later."""
    transition, filled = transitions[0], filled_names(procedure, transitions[0])
    if any(one.when is TRUE or one.when.names & filled for one in transitions):  # most acts: the machine takes longer
        return None
    taken = circuit_of(procedure).transition(transition.source, act_trigger(transition.id), scope)
    return None if taken else guard_refusal(transitions[-1])


def guard_refusal(transition: Transition) -> Refusal:
    """Return the refusal of a guard, with its expression and the names it uses."""
    return refusal(
        "guard", transition.when.where, when=transition.when.text, names=tuple(sorted(transition.when.names))
    )


def filled_names(procedure: Procedure, transition: Transition) -> frozenset[str]:
    """Return the answers that an act gives by filling its later form."""
    form = procedure.tasks.get(transition.fills) if transition.fills else None
    fields = form.fields if isinstance(form, Form) else ()
    return frozenset(name for field in fields for name in (field.id, f"{field.id}_{OTHER}"))


# -- the content of an act ---------------------------------------------------------------------------------------------


def missing_from(moment: Moment, dossier: Dossier, transition: Transition, act: Act) -> Refusal | None:
    """Return what is missing from an act or wrong in it, None when it is complete."""
    if "reason" in transition.asks and not (act.reason or "").strip() and not _each_said(transition, act):
        return refusal("reason_missing", transition.where)
    if "attachment" in transition.asks and not act.attachments:
        return refusal("attachment_missing", transition.where)
    if "grounds" in transition.asks and moment.actor.kind != "applicant" and not act.grounds:
        return refusal("grounds_missing", transition.where)
    unknown = sorted(set(act.grounds) - set(grounds_of(moment.procedure, transition)))
    if unknown:
        return refusal("unknown_ground", transition.where, ground=unknown[0])
    if "correction" in transition.asks:
        return _bad_correction(moment, dossier, transition, act)
    strange = sorted(act.filling.keys() - filled_names(moment.procedure, transition))
    return refusal("unknown_answer", transition.where, field=strange[0]) if strange else None


def grounds_of(procedure: Procedure, transition: Transition) -> tuple[str, ...]:
    """Return the laws among which the author of an act chooses its grounds: those it names, else all."""
    if "grounds" not in transition.asks:
        return ()
    return transition.grounds or tuple(procedure.laws)


def _each_said(transition: Transition, act: Act) -> bool:
    """Return True when every requested correction has its own reason, which replaces the act's reason."""
    return (
        "correction" in transition.asks
        and bool(act.correction)
        and all(said.strip() for said in act.correction.values())
    )


def _bad_correction(moment: Moment, dossier: Dossier, transition: Transition, act: Act) -> Refusal | None:
    if not act.correction:
        return refusal("correction_empty", transition.where)
    allowed = correctable_fields(moment.procedure, transition, moment.scope(dossier))
    for name, reason in act.correction.items():
        if name not in allowed:
            return refusal("not_correctable", transition.where, field=name)
        if not reason.strip() and not (act.reason or "").strip():
            return refusal("reason_missing", transition.where, field=name)
    return None


def correctable_fields(procedure: Procedure, transition: Transition, scope: Scope) -> tuple[str, ...]:
    """Return the answers of the application that an act may ask to correct: visible and allowed by the procedure.

    Evidence that is only brought is left out: the page of corrections has nothing to send for it.
    """
    shown = (page for page in procedure.form.pages if page.when.holds(scope))
    asked = (field for page in shown for field in page.fields if is_asked(field) and field.when.holds(scope))
    sent = (field for field in asked if field.evidence is None or field.evidence.uploaded)
    return tuple(field.id for field in sent if not transition.correctable or field.id in transition.correctable)
