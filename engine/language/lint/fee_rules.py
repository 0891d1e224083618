"""The rules of fees and of visits that are asked again: what is given back, asked again, or priced again before a grant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import needs_done
from engine.language.lint.rule_registry import rule
from engine.model import CASH, Appointment, Fee, Form, Procedure, Task, Transition
from engine.model.corrections import asked_by_change, corrected_by
from engine.model.directory import Directory
from engine.model.graph import closure, done_after, edges, issued_by, surely_done
from engine.model.roles import receiving_roles


@rule("C530")
def deposit_never_returned(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C530 for each deposit that no state or transition returns."""
    returned = {fee for state in procedure.states.values() for fee in state.effects.returns}
    returned |= {fee for transition in procedure.transitions for fee in transition.effects.returns}
    for fee in procedure.fees():
        if fee.deposit and fee.id not in returned:
            yield problem("C530", fee.where, at=fee.id, name=fee.id)


@rule("C582")
def fee_asked_again(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C582 for each fee that a transition asks again without saying what is given back of the paid price.

    An automatic transition cannot say it, so an act must ask the fee again.
    """
    for transition in edges(procedure):
        for task_id in transition.reopens:
            if isinstance(procedure.tasks.get(task_id), Fee) and task_id not in transition.effects.returns:
                yield problem("C582", transition.where, at=transition.id, name=transition.id, fee=task_id)


@rule("C592")
def granted_once_given_back(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C592 for each transition from an end before which a fee was given back, if a grant follows and no act asks it again.

    A deposit is exempt: it is given back for its own reason.
    """
    moves = edges(procedure)
    ends = [state.id for state in procedure.states.values() if state.is_end and state.outcome != "granted"]
    for fee in (one for one in procedure.fees() if not one.deposit):
        free = [move for move in moves if fee.id not in move.reopens]
        giving = [move for move in free if _gives_back(procedure, move, fee)]
        denied = _follows([move for move in free if not _granting(procedure, move)])
        back = closure((move.target for move in giving if not _granting(procedure, move)), denied)
        for move in (one for one in free if one.source in ends and one.source in back):
            if (state := _granted_after(procedure, move, free)) is not None:
                yield problem("C592", move.where, at=move.id, name=move.id, fee=fee.id, state=state)


def _gives_back(procedure: Procedure, move: Transition, fee: Fee) -> bool:
    target = procedure.states[move.target]
    return bool(move.effects.returns.get(fee.id) or target.effects.returns.get(fee.id))


@rule("C595")
def granted_before_asked_again(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C595 for each transition that reopens a fee or a visit, if a path leads to a grant before a state asks it.

    P4 follows no path that comes back to a state, so it does not see this one.
    """
    moves = edges(procedure)
    for move in moves:
        for asked in (task for one in move.reopens if isinstance(task := procedure.tasks.get(one), Fee | Appointment)):
            free = [one for one in moves if asked.id not in done_after(procedure, one) and not _spares(one, asked)]
            state = _granted_after(procedure, move, free)
            if state is not None and not _spares(move, asked):
                yield problem("C595", move.where, at=move.id, name=move.id, task=asked.id, state=state)


@rule("C598")
def price_decided_again(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C598 for each transition after which a form gives another price of a fee that may be paid already.

    A price that was passed stays: a grant would follow without the difference. An act on the way may ask the fee again.
    """
    moves, sure = edges(procedure), surely_done(procedure)
    for fee in procedure.fees():
        read = _read_by(fee)
        decides = {one.id for one in procedure.forms() if not read.isdisjoint(_answers_of(one))}
        if not decides:
            continue
        free = [one for one in moves if fee.id not in one.reopens]
        paying = [one for one in free if fee.id in done_after(procedure, one)]
        paid = closure([one.target for one in paying], _follows(free))
        first = {one for one in decides if any(one not in sure[move.target] for move in paying)}
        for move in (one for one in free if one.source in paid):
            again = decides & {*_given_again(procedure, move)}
            if move.event == "done":
                again |= first & {*procedure.states[move.source].waits}
            if again and (state := _granted_after(procedure, move, free)) is not None:
                yield problem("C598", move.where, at=move.id, name=move.id, fee=fee.id, form=min(again), state=state)


@rule("C599")
def no_common_method(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C599 for each state whose fees may be due together and have no method in common.

    One payment covers all that is due. Also due are the other parts of a fee whose first part was enough, and in a state
    of correction what the corrected answers add to fees that were passed.
    """
    moves, fees = edges(procedure), procedure.fees()
    follows = _follows(moves)
    passed = {
        fee.id: closure((one.target for one in moves if fee.id in procedure.states[one.source].waits), follows)
        for fee in fees
    }
    for state in procedure.states.values():
        changed = {name for one in moves if one.target == state.id for name in corrected_by(procedure, one)}
        asked = [one for one in fees if one.id in state.waits]
        raised = [one for one in fees if state.id in passed[one.id] and not changed.isdisjoint(_read_by(one))]
        parts = [
            one for one in fees
            if one.instalments is not None and one.instalments.opens == "first" and state.id in passed[one.id]
        ]  # fmt: skip
        due = {one.id: {*one.methods} for one in (*asked, *raised, *parts)} if asked or raised else {}
        if due and not set.intersection(*due.values()):
            yield problem("C599", state.where, at=state.id, state=state.id, fees=", ".join(due))


@rule("C604")
def cash_without_counter(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C604 for each fee that is paid in cash alone where no agent of a counter can receive it."""
    for fee in procedure.fees():
        if {*fee.methods} == {CASH} and not receiving_roles(procedure):
            yield problem("C604", fee.where, at=fee.id, name=fee.id)


def _read_by(fee: Fee) -> frozenset[str]:
    return frozenset(name for one in (fee.when, *fee.prices()) for name in (*one.names, *one.columns))


def _answers_of(form: Form) -> frozenset[str]:
    services = (one.id for one in form.services)
    return frozenset((form.id, *services, *(name for field in form.fields for name in field.names_within)))


def _given_again(procedure: Procedure, move: Transition) -> Iterator[str]:
    """Yield the forms that a transition fills or asks again, and the registers asked on entry of its state."""
    yield from (one for one in (move.fills, *move.reopens) if one is not None)
    yield from (asked.id for one in move.reopens if (asked := procedure.round_of(one)) is not None)
    entered = (procedure.tasks.get(one) for one in procedure.states[move.target].waits)
    yield from (one.id for one in entered if isinstance(one, Form) and one.register is not None)
    yield from asked_by_change(procedure, move)


def _spares(move: Transition, task: Task) -> bool:
    """Return whether a transition declares that it needs no such task (`without`), or its guard needs `done(task)`."""
    return task.id in move.without or needs_done(tree(move.when), task.id)


# -- grants ------------------------------------------------------------------------------------------------------------


def _granted_after(procedure: Procedure, move: Transition, free: Iterable[Transition]) -> str | None:
    """Return a state where a grant follows a transition along free ones: a granted end, or the issue of a document.

    A document that is there at the transition and stays valid is not issued again.
    """
    follows = _follows(free)
    reached = closure([move.target], follows)
    ends = (
        one.id for one in procedure.states.values() if one.is_end and one.outcome == "granted" and one.id in reached
    )
    if (end := next(ends, None)) is not None:
        return end
    for output in (one for one in procedure.outputs.values() if one.grants):
        issuing = [one for one in edges(procedure) if output.id in issued_by(procedure, one)]
        revoked = output.id in _revoked(procedure)
        if output.valid is None and output.per is None and output.kind != "letter" and not revoked:
            before = _follows([one for one in edges(procedure) if one not in issuing])
            if move.source not in closure([procedure.start], before):
                continue
        made = (one.target for one in (*free, move) if one in issuing and (one is move or one.source in reached))
        if (state := next(made, None)) is not None:
            return state
    return None


def _revoked(procedure: Procedure) -> frozenset[str]:
    effects = [one.effects for one in edges(procedure)] + [one.effects for one in procedure.states.values()]
    return frozenset(name for one in effects for name in one.revokes)


def _granting(procedure: Procedure, move: Transition) -> bool:
    issued = (procedure.outputs[one] for one in issued_by(procedure, move) if one in procedure.outputs)
    return procedure.states[move.target].outcome == "granted" or any(one.grants for one in issued)


def _follows(moves: Iterable[Transition]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for move in moves:
        found.setdefault(move.source, []).append(move.target)
    return found
