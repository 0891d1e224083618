"""Bulk actions: many dossiers decided with the rules for one.

Each is decided at the revision seen and in its own unit. A definition says which actions allow it
(`bulk: true`); a refusal never does. The job is saved first, then run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.core.gsm7 import sms_parts
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Text
from engine.domain.common.access import acting_role
from engine.domain.common.decision import Act, Decision
from engine.model import Procedure, Transition
from engine.records.dossier import Actor, Dossier
from engine.records.jobs import Job, JobItem
from engine.services.applications.casework import decide_in, list_inbox, people_of
from engine.services.applications.linked_dossiers import has_spent_link
from engine.services.context.app_context import AppContext, NotFound, hold_all, pinned, seen
from engine.services.core.commit import carry_out, letters_owed
from engine.services.core.idempotency import once
from engine.services.core.jobs import MOST_LINES, ORDER, carry_lines, give
from engine.storage.unit_of_work import Unit


@dataclass(frozen=True, slots=True)
class BulkAct:
    """One action that some of the picked dossiers allow in bulk.

    `count` is the number of these; `reason` is whether it asks for a reason.
    """

    procedure: str
    title: Text
    act: str
    label: Text
    count: int
    reason: bool


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One dossier of a preview: the state it would enter, or why not."""

    dossier: Dossier
    target: Text | None = None
    closed: Refusal | None = None


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """The effect of a bulk action: what each dossier would do, and the number of SMS parts (`sms`)."""

    definition: Procedure
    act: Transition
    can: tuple[Foreseen, ...]
    cannot: tuple[Foreseen, ...]
    sms: int


def bulk_act(procedure: Procedure, state: str, act: str) -> Transition | None:
    """Return the action of this name that may be taken in bulk in this state; None without one."""
    transitions = procedure.leaving.get(state, ())
    return next(
        (
            transition
            for transition in transitions
            if transition.id == act and transition.bulk and transition.event is None
        ),
        None,
    )


# -- preview -----------------------------------------------------------------------------------------------------------


def picked_all(
    ctx: AppContext, actor: Actor, queue: str, *, procedure: str | None, state: str | None, office_id: str | None, text: str,
    label: str = "",
) -> tuple[str, ...]:  # fmt: skip
    """Return the numbers of a whole list, at most `MOST_LINES`."""
    found = list_inbox(
        ctx,
        actor,
        queue,
        procedure=procedure,
        state=state,
        office_id=office_id,
        text=text,
        limit=MOST_LINES,
        label=label,
    )
    return tuple(line.number for line in found.lines)


def bulk_acts(ctx: AppContext, actor: Actor, numbers: Sequence[str]) -> tuple[BulkAct, ...]:
    """Return the bulk actions on these dossiers, the most frequent first."""
    found: dict[tuple[str, str], BulkAct] = {}
    with ctx.store.unit() as unit:
        for dossier in _picked(ctx, unit, actor, numbers):
            procedure = pinned(ctx, unit, dossier)
            transitions = {
                transition.id: transition
                for transition in procedure.leaving.get(dossier.state, ())
                if transition.bulk and transition.event is None
            }
            for transition in transitions.values():
                if acting_role(procedure, dossier, actor, transition.by) is None:
                    continue
                known = found.get((procedure.id, transition.id))
                count = known.count + 1 if known else 1
                asks = "reason" in transition.asks or bool(known and known.reason)
                found[procedure.id, transition.id] = BulkAct(
                    procedure.id, procedure.identity.title, transition.id, transition.agents_label, count, asks
                )
    return tuple(sorted(found.values(), key=lambda one: (-one.count, one.procedure, one.act)))


def _picked(ctx: AppContext, unit: Unit, actor: Actor, numbers: Sequence[str]) -> list[Dossier]:
    """Return the dossiers this person may see, each once. Others are silently skipped."""
    found = []
    for number in list(dict.fromkeys(numbers))[:MOST_LINES]:
        try:
            found.append(seen(unit, ctx, actor, number))
        except NotFound:
            continue
    return found


def preview_bulk(
    ctx: AppContext, actor: Actor, numbers: Sequence[str], procedure: str, act: Act
) -> BulkPreview:  # fmt: skip
    """Return the effect of the action on each dossier and save nothing.

    Raises `NotFound` when no edition allows it in bulk.
    """
    can, cannot, sms = list[Foreseen](), list[Foreseen](), 0
    definition: Procedure | None = None
    first: Transition | None = None
    with ctx.store.unit() as unit:
        people = people_of(ctx, unit)
        for dossier in _picked(ctx, unit, actor, numbers):
            own = pinned(ctx, unit, dossier)
            try:
                decision = _judged(ctx, unit, own, dossier, procedure, act, actor, people)
            except Refused as closed:
                cannot.append(Foreseen(dossier, closed=closed.reason))
                continue
            transition = bulk_act(own, dossier.state, act.transition)
            definition, first = definition or own, first or transition
            can.append(Foreseen(dossier, own.state(decision.dossier.state).label))
            letters = letters_owed(ctx, own, dossier, decision, actor, ctx.now())
            sms += sum(sms_parts(one.body).count for one in letters if one.channel == "sms")
    shown = definition or ctx.catalogue.procedures.get(procedure)
    transitions = shown.transitions if shown else ()
    first = first or next(
        (transition for transition in transitions if transition.id == act.transition and transition.bulk), None
    )
    if shown is None or first is None:
        raise NotFound
    return BulkPreview(shown, first, tuple(can), tuple(cannot), sms)


def _judged(
    ctx: AppContext, unit: Unit, definition: Procedure, dossier: Dossier, procedure: str, act: Act, actor: Actor,
    people: Mapping[str, Actor] | None = None,
) -> Decision:  # fmt: skip
    """Return the decision on one dossier, as for a single action.

    Raises Refused unless its own edition allows it in bulk. So does an act that issues a document if the earlier
    document it ends is in force no more: an agent must see that.
    """
    if definition.id != procedure:
        raise Refused(refusal("other_procedure"))
    known = any(
        transition.id == act.transition and transition.event is None
        for transition in definition.leaving.get(dossier.state, ())
    )
    if known and bulk_act(definition, dossier.state, act.transition) is None:
        raise Refused(refusal("not_in_bulk"))
    decision = decide_in(ctx, unit, dossier, act, actor, people)
    if decision.issue and has_spent_link(ctx, unit, definition, dossier):
        raise Refused(refusal("not_in_bulk"))
    return decision


# -- jobs --------------------------------------------------------------------------------------------------------------


def order_bulk(
    ctx: AppContext, actor: Actor, procedure: str, act: str, reason: str, picked: Sequence[tuple[str, int]], *,
    token: str | None = None,
) -> Job:  # fmt: skip
    """Create the job to take an action on these dossiers (number, revision seen).

    Raises `NotFound`. Raises Refused: nothing_picked, too_many_picked.
    """

    def work(unit: Unit) -> Job:
        revisions = dict(picked)
        if not revisions:
            raise Refused(refusal("nothing_picked"))
        if len(revisions) > MOST_LINES:
            raise Refused(refusal("too_many_picked", most=MOST_LINES))
        hold_all(unit, revisions)
        dossiers = [(seen(unit, ctx, actor, number), revision) for number, revision in revisions.items()]
        if not any(_has_act(pinned(ctx, unit, one), procedure, act) for one, _ in dossiers):
            raise NotFound  # the journal of rights holds the name of the act
        asked = {"procedure": procedure, "act": act, "reason": reason}
        lines = [(one.id, one.number, revision) for one, revision in dossiers]
        return give(ctx, unit, actor, "act", asked, len(lines), lines, {"procedure": procedure, "act": act})

    return once(ctx, actor, "order_bulk", token, (procedure, act, reason, list(picked)), work, ORDER)


def _has_act(definition: Procedure, procedure: str, act: str) -> bool:
    return definition.id == procedure and any(one.id == act for one in definition.transitions)


def carry_bulk(ctx: AppContext, order: Job, most: int) -> int:
    """Decide at most `most` remaining dossiers of a job. Return how many were tried."""

    def work(unit: Unit, order: Job, line: JobItem, actor: Actor) -> None:
        asked = order.asked if isinstance(order.asked, dict) else {}
        act = Act(str(asked.get("act", "")), str(asked.get("reason") or "") or None)
        dossier = seen(unit, ctx, actor, line.dossier, line.revision)
        procedure = pinned(ctx, unit, dossier)
        decision = _judged(ctx, unit, procedure, dossier, str(asked.get("procedure", "")), act, actor)
        carry_out(ctx, unit, dossier, _in_order(decision, order), actor)

    return carry_lines(ctx, order, work, most)


def _in_order(decision: Decision, order: Job) -> Decision:
    """Return the decision whose transition entry names the job."""
    entries = tuple(
        replace(entry, body={**entry.body, "bulk": order.n}) if entry.kind == "transition" and "event" not in entry.body
        else entry
        for entry in decision.entries
    )  # fmt: skip
    return replace(decision, entries=entries)
