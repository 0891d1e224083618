"""Look-ups in registers that a dossier waits for.

The worker asks outside any unit, saves the answer in one, and asks again while a register is silent.
"""

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
from engine.storage.results import Busy, Conflict, DossierQuery
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.lookups")

EVERY_OTHER = "*"  # the connector of registers without their own
_NEXT = "look-ups"  # name of the cursor where the next worker pass begins


def ask_now(ctx: AppContext, dossier: Dossier, only: str | None = None) -> Dossier:
    """Ask the registers that the dossier waits for, or `only` one, and return the resulting dossier.

    For the worker and scenarios: no request waits for it. A busy store saves no answer, and the
    register is asked again.
    """
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
    """Return the edition that applies to a dossier.

    The store is read only if the edition is not in memory.
    """
    known = ctx.editions.definition(ctx.catalogue, dossier.procedure, dossier.edition, dossier.fingerprint)
    if known is not None:
        return known
    with ctx.store.unit() as unit:
        return pinned(ctx, unit, dossier)


def waits_for(ctx: AppContext, procedure: Procedure, dossier: Dossier) -> tuple[Form, ...]:
    """Return the look-ups that are open on the dossier now."""
    return registers_awaited(procedure, dossier, local_day(ctx.now()), ctx.directory)


def _ask(ctx: AppContext, procedure: Procedure, dossier: Dossier, task: Form) -> Dossier:
    register = task.register or ""
    connector = ctx.registers.get(register) or ctx.registers.get(EVERY_OTHER)
    if connector is None:
        return dossier
    answer = connector.ask(register, _sent(ctx, procedure, dossier, task))
    if answer.result == "unavailable":  # the time limit of the look-up ends the tries
        return dossier
    with ctx.store.unit(write=True) as unit:
        return _answer(ctx, unit, procedure, dossier, task, answer)


def _sent(ctx: AppContext, procedure: Procedure, dossier: Dossier, task: Form) -> dict[str, Plain]:
    """Return the answers to send to the register. Hidden and blank ones are sent as None."""
    evaluated = evaluate_answers(procedure, dossier, local_day(ctx.now()), ctx.directory)
    return {
        name: dossier.answers.get(name) if evaluated.scope.get(name) is not None else None for name in task.sends
    }  # fmt: skip


def _answer(
    ctx: AppContext, unit: Unit, procedure: Procedure, asked: Dossier, task: Form, answer: RegisterAnswer
) -> Dossier:
    """Save the answer if the dossier has not changed since the register was asked."""
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
    """Ask each awaited register that was not asked this minute, one after another.

    Return the number of dossiers.
    """
    queue_registers(ctx, limit)
    with ctx.store.unit() as unit:
        calls = queued_calls(unit, 4 * limit, "register")
    return len({call.subject for call in calls if ask_register(ctx, call)})


def ask_register(ctx: AppContext, call: QueuedCall) -> bool:
    """Ask one register for one dossier. Return False if another worker took the call."""
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
    """Queue the registers of each dossier that waits for one, at most once a minute over all workers.

    Return the number of dossiers. A dossier whose edition is missing does not stop the others.
    """
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
    """Return the next dossiers in these states after those of the last worker pass, of any worker.

    Each dossier gets its turn, even behind many that stay. `name` is the key of the stored cursor.
    """
    if not places:
        return ()
    with ctx.store.unit(write=True) as unit:
        mark = unit.taken_aside(name)
        found = unit.find_dossiers(DossierQuery(places=places), mark if isinstance(mark, str) else None, limit)
        if found.after is not None:
            unit.keep_aside(name, found.after, ctx.now())
    return tuple(line.id for line in found.lines)
