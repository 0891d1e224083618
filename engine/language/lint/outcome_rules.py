"""The rules C600 and V791 to V801: what an end leaves in force, the words of a decision, and the time and sight of who takes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from engine.core.problems import Problem, problem
from engine.core.values import Span
from engine.language.lint.paper_rules import is_longer
from engine.language.lint.refusal_rules import DECIDING, may_grant, only_refused
from engine.language.lint.rule_registry import rule
from engine.model import APPLICANT, Form, Output, Procedure, State, Transition
from engine.model.directory import Directory
from engine.model.graph import closure, edges, is_timed, issued_by
from engine.model.provenance import sensitive_behind
from engine.model.roles import role_key
from engine.model.tasks import Link
from engine.model.types import Expression, Scope

_TAKEN: Final = ("abandoned", "revoked")  # ends to which an act of an agent gives a reason
_LOST: Final = ("abandoned", "withdrawn", "expired")
_RESTORING: Final = ("issues", "restores", "revokes")
_WITHOUT_GRANT: Final = ("refused", "abandoned", "withdrawn")


# -- what stays in force -----------------------------------------------------------------------------------------------


@rule("C600")
def revoked_and_in_force(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C600 for each revoked end before which a document that grants was issued, and none was revoked or suspended."""
    granting = frozenset(_granting(procedure))
    for output in (procedure.outputs[one] for one in granting):
        for state in _ends_after(procedure, output, granting):
            if state.outcome == "revoked":
                yield problem("C600", state.where, at=state.id, state=state.id, name=output.id)


@rule("V791")
def in_force_without_grant(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V791 for each document that grants a right and stays in force at an end without a grant."""
    for output in (procedure.outputs[one] for one in _granting(procedure)):
        ends = [one.id for one in _ends_after(procedure, output, {output.id}) if one.outcome in _WITHOUT_GRANT]
        if ends:
            yield problem("V791", output.where, at=output.id, name=output.id, state=ends[0])


def _granting(procedure: Procedure) -> list[str]:
    return [one.id for one in procedure.outputs.values() if one.grants]


def _ends_after(procedure: Procedure, output: Output, ended: Iterable[str]) -> Iterator[State]:
    """Yield the ends that follow the issue of a document, without an act or state that revokes or suspends one of `ended`.

    Nothing follows an end, and a decision that only a refusal follows is one of refusal. A document that is over with the
    time of its state is left out.
    """
    over, lost = {*ended}, procedure.once(only_refused)
    moves = [one for one in _before_ends(procedure) if over.isdisjoint(_taken_from_holder(procedure, one))]
    issuing = [one.target for one in moves if output.id in issued_by(procedure, one)]
    refusing = output.kind in DECIDING and lost.issuperset(issuing)
    kept = (one for one in moves if one.event != "due" or not _is_over_with(output, procedure.states[one.source]))
    reached = closure([] if refusing else issuing, _follows(kept))
    yield from (one for one in procedure.states.values() if one.is_end and one.id in reached)


def _taken_from_holder(procedure: Procedure, move: Transition) -> frozenset[str]:
    return frozenset((*_effects(procedure, move, "revokes"), *_effects(procedure, move, "suspends")))


def _is_over_with(output: Output, state: State) -> bool:
    """Return whether the validity of a document is no longer than the time of a state."""
    lasts, due = _span(output.valid), _span(state.due)
    return lasts is not None and due is not None and not is_longer(lasts, due)


def _span(expression: Expression | None) -> Span | None:
    value = getattr(expression.node, "value", None) if expression is not None else None
    return value if isinstance(value, Span) else None


def _before_ends(procedure: Procedure) -> list[Transition]:
    return [one for one in edges(procedure) if not procedure.states[one.source].is_end]


@rule("V799")
def granted_without_a_document(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V799 for each granted end that a path reaches without a document that grants, in a procedure that issues some.

    One for each row that agents grant counts only once a condition on the way reads what they decided.
    """
    granting = frozenset(_granting(procedure))
    if not granting or granting & {*procedure.states[procedure.start].effects.issues}:
        return
    decided = {one.id: one.when.names | one.when.columns for one in _granted_by_row(procedure)}
    read = frozenset[str]().union(*decided.values())
    follows = _follows(
        one for one in edges(procedure)
        if granting.isdisjoint({*issued_by(procedure, one)}.difference(decided)) and read.isdisjoint(one.when.names | one.when.columns)
    )  # fmt: skip
    reached = closure([procedure.start], follows)
    for state in procedure.states.values():
        if state.outcome == "granted" and state.id in reached:
            yield problem("V799", state.where, at=state.id, name=state.id, output=min(granting))


@rule("V801")
def row_without_an_answer(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V801 for each document that agents grant row by row, if no letter or decision goes to the other rows."""
    letters = {one.per for one in procedure.outputs.values() if one.kind in DECIDING and not one.grants}
    for output in _granted_by_row(procedure):
        if output.per not in letters:
            yield problem("V801", output.where, at=output.id, name=output.id, rows=str(output.per))


def _granted_by_row(procedure: Procedure) -> list[Output]:
    """Return the documents that grant a right for each row for which agents say so."""
    granting = [procedure.outputs[one] for one in _granting(procedure) if procedure.outputs[one].per]
    columns = {form.each: {field.id for field in form.fields} for form in procedure.forms() if form.each}
    return [
        one for one in granting if not columns.get(one.per or "", set()).isdisjoint(one.when.names | one.when.columns)
    ]


@rule("V800")
def suspended_for_good(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V800 for each document that stays suspended where the dossier is back in a state before, or ends as granted."""
    moves = edges(procedure)
    for output in _granting(procedure):
        suspending = [one for one in moves if output in _effects(procedure, one, "suspends")]
        kept = [one for one in moves if not any(output in _effects(procedure, one, kind) for kind in _RESTORING)]
        reached = closure((one.target for one in suspending), _follows(kept))
        back = {one.source for one in suspending} - {one.target for one in suspending}
        for state in procedure.states.values():
            if state.id in reached and (state.id in back or state.outcome == "granted"):
                yield problem("V800", state.where, at=state.id, name=output, state=state.id)


def _effects(procedure: Procedure, move: Transition, kind: str) -> tuple[str, ...]:
    """Return the outputs that a transition, or the state it enters, issues, revokes, suspends or restores."""
    return (*getattr(move.effects, kind), *getattr(procedure.states[move.target].effects, kind))


def _follows(moves: Iterable[Transition]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in moves:
        found.setdefault(one.source, []).append(one.target)
    return found


# -- the words of a decision -------------------------------------------------------------------------------------------


@rule("V792")
def taken_without_a_reason(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V792 for each act of an agent that ends a request without a grant, or a document, and says no reason.

    C565 names those that refuse. A letter or decision of the act says why, and a document issued in its place is no loss.
    """
    reported: set[str] = set()
    for act in _before_ends(procedure):
        target = procedure.states[act.target]
        issued = [procedure.outputs[one] for one in issued_by(procedure, act)]
        said = act.asks & {"reason", "grounds"} or any(one.grants or one.kind in DECIDING for one in issued)
        lost = [one for one in _granting(procedure) if one in _taken_from_holder(procedure, act)]
        if act.event is not None or APPLICANT in act.by or said or target.outcome == "refused" or act.id in reported:
            continue
        if lost or target.outcome in _TAKEN:
            reported.add(act.id)
            yield problem("V792", act.where, at=act.id, name=act.id, state=target.id)


@rule("V793")
def refused_without_an_appeal(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V793 for the first refused end of a procedure without any appeal, of its own or of its agency."""
    refused = next((one for one in procedure.states.values() if one.outcome == "refused"), None)
    if refused is not None and not procedure.identity.appeals:
        yield problem("V793", refused.where, at=refused.id, name=refused.id)


# -- the time and the sight of an agent --------------------------------------------------------------------------------


@rule("V794")
def step_without_a_time(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V794 for each step of agents before a grant that has no time limit: the announced delay counts 0 days for it.

    Where a document waits to be collected, the time is the applicant's.
    """
    for state in procedure.states.values():
        if state.id in procedure.once(before_grant) and state.due is None and may_grant(procedure, state.id):
            acts = state.mode == "by" and state.by != (APPLICANT,) and state.public != "ready"
            waits = acts or any(_is_without_time(procedure, one) for one in state.waits)
            if waits and not is_timed(procedure, state.id):
                yield problem("V794", state.where, at=state.id, name=state.id)


def _is_without_time(procedure: Procedure, task_id: str) -> bool:
    form = procedure.tasks.get(task_id)
    return isinstance(form, Form) and is_filled_by_agents(form) and form.due is None


def is_filled_by_agents(form: Form) -> bool:
    """Return whether agents fill a form, and it ends with nothing else: no register, round of opinions or earlier dossier."""
    return not (isinstance(form, Link) or form.register or form.services or APPLICANT in form.by)


def before_grant(procedure: Procedure) -> frozenset[str]:
    """Return the states that a dossier reaches before a granted end or a document that grants."""
    return closure([procedure.start], _follows(one for one in _before_ends(procedure) if not _grants(procedure, one)))


@rule("V795")
def decided_unseen(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V795 for each act of agents whose condition reads an answer or an opinion that some of them may not read."""
    reported: set[str] = set()
    for act in (one for one in procedure.transitions if one.event is None and APPLICANT not in one.by):
        roles = {role_key(procedure, role) for role in act.by}
        for name in sorted(act.when.names | act.when.columns):
            seen = [*_readers(procedure, name, act.source)]
            if act.id not in reported and any(not roles <= one for one in seen):
                reported.add(act.id)
                yield problem("V795", act.where, at=act.id, name=act.id, answer=name)


def _readers(procedure: Procedure, name: str, state: str) -> Iterator[set[str]]:
    """Yield who may read each limited answer or confidential round behind a name in a state."""
    for one in sensitive_behind(procedure, name):
        limit = procedure.personal_data.sensitive[one]
        readable = not limit.states or state in limit.states
        yield {role_key(procedure, role) for role in limit.seen_by} if readable else set()
    for form in procedure.forms():
        services = {one.id for one in form.services}
        if form.seen_by and name in {form.id, *services}:
            yield {role_key(procedure, role) for role in form.seen_by}


@rule("V796")
def need_never_read(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V796 for each earlier dossier that is needed, if no condition reads how it ended: a refused one suffices."""
    conditions = [one.when for one in procedure.transitions]
    conditions += [one.when for one in procedure.outputs.values()]
    conditions += [one.when for one in procedure.tasks.values()]
    read = {name for one in (*conditions, *procedure.definitions.values()) for name in one.names}
    for link in (one for one in procedure.forms() if isinstance(one, Link) and one.relation == "needs"):
        if link.id not in read:
            yield problem("V796", link.where, at=link.id, name=link.id)


@rule("V797")
def lost_by_a_silent_register(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V797 for each `then` that an unanswered register leads to an end without a grant: the request is lost by a failure.

    Only conditions on what the register says are read. An answer of it that is missing is empty.
    """
    lost = {*procedure.once(only_refused), *(one.id for one in procedure.states.values() if one.outcome in _LOST)}
    for form in (one for one in procedure.forms() if one.register is not None):
        said = {form.id, *(name for field in form.fields for name in field.names_within)}
        for move in edges(procedure):
            asked = move.event == "done" and form.id in procedure.states[move.source].waits
            silent = Scope({form.id: "unavailable"}, date.min)
            if asked and move.target in lost and move.when.names <= said and move.when.holds(silent):
                yield problem("V797", move.where, at=move.id, name=form.id, state=move.source, end=move.target)


@rule("V798")
def consent_that_a_step_stops(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V798 for each time limit whose end grants, and that an act of an agent stops for good by a further step of agents.

    The public page announces what the silence of the administration means, and the dossier then waits without that limit.
    """
    for clock in procedure.clocks.values():
        listed = clock.runs_in | clock.paused_in
        over = [one for one in edges(procedure) if one.event == clock.id and _grants(procedure, one)]
        for act in _before_ends(procedure) if over else ():
            target = procedure.states[act.target]
            left = act.source in clock.runs_in and act.event is None and APPLICANT not in act.by
            ahead = target.id not in listed and target.id in procedure.once(before_grant)
            if left and ahead and _waits_for_agents(procedure, target) and may_grant(procedure, target.id):
                yield problem("V798", clock.where, at=clock.id, name=clock.id, act=act.id, state=target.id)
                break


def _grants(procedure: Procedure, move: Transition) -> bool:
    granted = procedure.states[move.target].outcome == "granted"
    return granted or any(procedure.outputs[one].grants for one in issued_by(procedure, move))


def _waits_for_agents(procedure: Procedure, state: State) -> bool:
    forms = (form for one in state.waits if isinstance(form := procedure.tasks.get(one), Form))
    return (state.mode == "by" and APPLICANT not in state.by) or any(
        is_filled_by_agents(one) or one.services for one in forms
    )
