"""Registers that a dossier waits for: asked by the worker outside any unit, answered in one, asked again while they are silent."""

from __future__ import annotations

import logging
from contextlib import suppress

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.core.values import Plain
from engine.domain.fields.scope import evaluate_answers
from engine.domain.workflow.actions import answer_look_up
from engine.domain.workflow.awaited import registers_awaited
from engine.integrations.registers import RegisterAnswer
from engine.model import Form, Procedure
from engine.records.dossier import SYSTEM_ACTOR, Dossier
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.call_queue import QueuedCall, queue_look_ups, queued_calls, take_call
from engine.services.core.commit import carry_out
from engine.storage.unit_of_work import Busy, Conflict, DossierQuery, Unit

log = logging.getLogger("guichet.lookups")

EVERY_OTHER = "*"  # the connector of registers that have none of their own
_NEXT = "look-ups"  # where the next tour begins


def ask_now(ctx: AppContext, dossier: Dossier, only: str | None = None) -> Dossier:
    """Asks the registers that the dossier waits for, or `only` that one, and answers the dossier as it stands then. For the worker
    and for stories: no request waits for it. A store that is busy keeps no answer: it is asked again."""
    with suppress(Busy):
        for _ in range(10):  # an answer may lead to the next look-up
            procedure = _procedure_of(ctx, dossier)
            waiting = [task for task in waits_for(ctx, procedure, dossier) if only in (None, task.register)]
            before = dossier
            for task in waiting:
                dossier = _ask(ctx, procedure, dossier, task)
            if dossier == before:
                break
    return dossier


def _procedure_of(ctx: AppContext, dossier: Dossier) -> Procedure:
    """The edition that judges a dossier; the store is asked only for one that is not at hand."""
    known = ctx.editions.definition(ctx.catalogue, dossier.procedure, dossier.edition, dossier.fingerprint)
    if known is not None:
        return known
    with ctx.store.unit() as unit:
        return pinned(ctx, unit, dossier)


def waits_for(ctx: AppContext, procedure: Procedure, dossier: Dossier) -> tuple[Form, ...]:
    """The look-ups that are open on the dossier now."""
    return registers_awaited(procedure, dossier, local_day(ctx.now()), ctx.directory)


def _ask(ctx: AppContext, procedure: Procedure, dossier: Dossier, task: Form) -> Dossier:
    register = task.register or ""
    connector = ctx.registers.get(register) or ctx.registers.get(EVERY_OTHER)
    if connector is None:
        return dossier
    answer = connector.ask(register, _sent(ctx, procedure, dossier, task))
    if answer.result == "unavailable":  # the look-up's own time says when to stop asking
        return dossier
    with ctx.store.unit(write=True) as unit:
        return _answer(ctx, unit, procedure, dossier, task, answer)


def _sent(ctx: AppContext, procedure: Procedure, dossier: Dossier, task: Form) -> dict[str, Plain]:
    """The answers handed to the register; what is hidden or blank is sent as nothing."""
    evaluated = evaluate_answers(procedure, dossier, local_day(ctx.now()), ctx.directory)
    return {
        name: dossier.answers.get(name) if evaluated.scope.get(name) is not None else None for name in task.sends
    }  # fmt: skip


def _answer(
    ctx: AppContext, unit: Unit, procedure: Procedure, asked: Dossier, task: Form, answer: RegisterAnswer
) -> Dossier:
    """Keeps the answer if the dossier still stands as it did when the register was asked."""
    dossier = unit.dossier(asked.id)
    if dossier is None or dossier.revision != asked.revision:
        return dossier or asked
    try:
        decision = answer_look_up(
            procedure, dossier, task.id, answer.result, answer.answers, ctx.now(), ctx.directory, ctx.wording
        )
        return carry_out(ctx, unit, dossier, decision, SYSTEM_ACTOR)
    except (Refused, Conflict):
        return dossier


def ask_registers(ctx: AppContext, limit: int = 50) -> int:
    """Asks every register that is waited for and that was not asked this minute, one after another. How many dossiers."""
    queue_registers(ctx, limit)
    with ctx.store.unit() as unit:
        calls = queued_calls(unit, 4 * limit, "register")
    return len({call.subject for call in calls if ask_register(ctx, call)})


def ask_register(ctx: AppContext, call: QueuedCall) -> bool:
    """Asks one register for one dossier. False where another worker took the call."""
    with ctx.store.unit(write=True) as unit:
        unit.count_try(f"register@{call.subject}", _minute(ctx))  # not again this minute
        if not take_call(unit, call):
            return False
    with ctx.store.unit() as unit:
        dossier = unit.dossier(call.subject)
    if dossier is not None:
        try:
            ask_now(ctx, dossier, call.partner)
        except EditionMissing:
            log.exception("dossier %s waits for a register", dossier.id)
    return True


def queue_registers(ctx: AppContext, limit: int = 50) -> int:
    """Queues again the registers of every dossier that waits for one; each at most once a minute, whichever worker does it. One
    whose edition is lost keeps no other from being queued."""
    queued = 0
    for dossier in _waiting(ctx, limit):
        try:
            procedure = _procedure_of(ctx, dossier)
        except EditionMissing:
            log.exception("dossier %s waits for a register", dossier.id)
            continue
        with ctx.store.unit(write=True) as unit:
            if unit.count_try(f"register@{dossier.id}", _minute(ctx)) == 1:
                queue_look_ups(unit, waits_for(ctx, procedure, dossier), dossier.id, ctx.now())
                queued += 1
    return queued


def _minute(ctx: AppContext) -> str:
    return f"{ctx.now():%Y-%m-%dT%H:%M}"


def _waiting(ctx: AppContext, limit: int) -> tuple[Dossier, ...]:
    places = ctx.editions.worked_out(ctx.catalogue, "asks", lambda catalogue: tuple(dict.fromkeys(
        (procedure.id, state.id) for procedure in ctx.editions.summaries(catalogue) for state in procedure.states if state.asks
    )))  # fmt: skip
    found = next_in_states(ctx, _NEXT, places, limit)
    if not found:
        return ()
    with ctx.store.unit() as unit:
        waiting = [unit.dossier(one) for one in found]
    return tuple(dossier for dossier in waiting if dossier is not None)


def next_in_states(ctx: AppContext, name: str, places: tuple[tuple[str, str], ...], limit: int) -> tuple[str, ...]:
    """The dossiers that stand in these places, the next ones after those of the last tour, whoever ran it: none waits behind
    others that nothing comes to. `name`: of the mark that says where the next tour begins."""
    if not places:
        return ()
    with ctx.store.unit(write=True) as unit:
        mark = unit.taken_aside(name)
        found = unit.find_dossiers(DossierQuery(places=places), mark if isinstance(mark, str) else None, limit)
        if found.after is not None:
            unit.keep_aside(name, found.after, ctx.now())
    return tuple(line.id for line in found.lines)
