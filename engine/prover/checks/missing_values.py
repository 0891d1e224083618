"""Proof P8: an answer that is used somewhere is surely given.

An answer may be given later than it is read, or left out. Then a fee, a due date, a bound, a validity or a
message would have no value. A condition may read a missing answer, and then does not hold. It may read a
later answer only if it tests `answered` or `done`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.core.problems import Fact, Position, Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import FunctionCall, Happened, Name, Node, names_of, walk
from engine.model import APPLICATION, Appointment, Fee, Field, Form, NamedElement, Notice, Output, Template
from engine.model.types import YES_NO, Expression
from engine.prover.checks.conditions import not_proved, place_of
from engine.prover.checks.established_facts import NOTHING, ProofContext
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_OF_A_KIND: Final = dict.fromkeys(("integer", "decimal", "money", "percent"), "0") | {
    "date": "today",
    "yes_no": "false",
}


@dataclass(frozen=True, slots=True)
class Use:
    """An expression or a name read somewhere. `whole`: its value may not be empty."""

    thing: NamedElement
    node: Node
    where: Position
    around: tuple[Node, ...] = ()
    rows: tuple[str, ...] = ()
    sure: frozenset[str] = NOTHING
    filling: frozenset[str] = NOTHING
    whole: bool = False


def what_may_be_missing(places: ProofContext) -> Iterator[Problem]:
    """Yield P8 for names read too early or left out, each once for one position."""
    reported: set[tuple[Position, str]] = set()
    for use in _uses(places):
        for one in (*_too_early(places, use), *_left_out(places, use)):
            key = (one.where, str(one.facts.get("name")))
            if key not in reported:
                reported.add(key)
                yield one


# -- later answers -----------------------------------------------------------------------------------------------------


def _too_early(places: ProofContext, use: Use) -> Iterator[Problem]:
    """P8 for the names that a later form or a register gives, where it is not surely done."""
    guarded = frozenset[str]().union(*(_asked_about(node) for node in (use.node, *use.around)))
    for name, task in _later_names(places, use.node):
        if not {task, name} & (use.sure | use.filling) and not guarded & {name, task}:
            yield problem("P8", use.where, at=use.thing.id, name=name, task=task, fault="later")


def _later_names(places: ProofContext, node: Node) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    columns = {field.id: form for added in places.definition.added.values() for field, form in added}
    for one in walk(node):
        if isinstance(one, Name):
            look_up = (
                one.id if places.definition.is_look_up(one.id) and one.id not in places.definition.fields else None
            )
            task = columns.get(one.id) if one.in_row else places.definition.owners.get(one.id) or look_up
            if task is not None:
                seen.setdefault(one.id, task)
    yield from seen.items()


def _asked_about(node: Node) -> frozenset[str]:
    """The names and tasks whose absence is tested: `answered(x)`, `otherwise(x, 0)`, `done(task)`."""
    found: set[str] = set()
    for one in walk(node):
        if isinstance(one, FunctionCall) and one.function in ("answered", "otherwise"):
            found |= names_of(one.arguments[0])
        elif isinstance(one, Happened) and one.function == "done":
            found.add(one.id)
    return frozenset(found)


# -- answers left out --------------------------------------------------------------------------------------------------


def _left_out(places: ProofContext, use: Use) -> Iterator[Problem]:
    """P8 for each name whose absence makes the whole value empty."""
    late = {name for name, task in _later_names(places, use.node) if not {task, name} & (use.sure | use.filling)}
    names = sorted(names_of(use.node))
    if not use.whole or late or not names:
        return
    empty = FunctionCall("answered", (use.node,), YES_NO)
    for name in names:
        missing = FunctionCall("answered", (places.name(name, use.rows),), YES_NO)
        fails = (missing,) if isinstance(use.node, Name) else (missing, empty)
        answer = places.prover.example(Query(use.around, fails, use.rows, use.sure, use.filling))
        if answer.verdict == "yes":
            facts = facts_of(places.definition, answer.witness, [*use.around, *_shown_by(places, name)], use.rows)
            facts.pop("missing", None)
            yield problem("P8", use.where, at=use.thing.id, name=name, fault="empty", **_instead(places, name), **facts)
        elif answer.verdict == "unknown":
            yield not_proved("P8", use.thing)


def _instead(places: ProofContext, name: str) -> dict[str, Fact]:
    """The fact `instead`: a literal that may replace a missing answer of this type."""
    field = places.definition.fields.get(name)
    codes = (
        places.definition.codes_of(field)
        if field is not None and field.type in ("choice", "office", "country")
        else None
    )
    if field is not None and codes:
        return {"instead": f"'{next((one.code for one in field.options if one.code in codes), sorted(codes)[0])}'"}
    found = _OF_A_KIND.get(field.type) if field is not None else None
    return {"instead": found} if found is not None else {}


def _shown_by(places: ProofContext, name: str) -> Iterator[Node]:
    """The conditions that show the question of that name: the reason why it may be missing."""
    field, page = places.definition.fields.get(name), places.definition.guards.get(name)
    yield from (tree(one) for one in (page, field.when if field is not None else None) if one is not None)


# -- uses of names -----------------------------------------------------------------------------------------------------


def _uses(places: ProofContext) -> Iterator[Use]:
    for form in (places.procedure.form, *places.definition.later_forms()):
        yield from _in_form(places, form)
    for task in places.procedure.tasks.values():
        sure = places.for_task(task.id)
        if task.id != APPLICATION:
            yield _use(task, task.when, sure=sure)
        if isinstance(task, Fee):
            yield from _in_fee(task, sure)
        elif isinstance(task, Appointment) and task.office is not None:
            yield _use(task, task.office, (tree(task.when),), sure=sure)
        elif isinstance(task, Form):
            for name in task.sends:
                yield Use(task, places.name(name), task.where, sure=sure)
    yield from _in_circuit(places)
    for output in places.procedure.outputs.values():
        yield from _in_output(places, output)
    for notice in places.procedure.notices:
        yield from _in_notice(places, notice)


def _use(
    thing: NamedElement, expression: Expression, around: tuple[Node, ...] = (), rows: tuple[str, ...] = (),
    sure: frozenset[str] = NOTHING, filling: frozenset[str] = NOTHING, whole: bool = False,
) -> Use:  # fmt: skip
    return Use(thing, tree(expression), place_of(thing, expression), around, rows, sure, filling, whole)


def _in_form(places: ProofContext, form: Form) -> Iterator[Use]:
    rows = (form.each,) if form.each else ()
    sure, filling = places.for_task(form.id), frozenset({form.id}) - {APPLICATION}
    for page in form.pages:
        for field in page.fields:
            yield from _in_field(field, (tree(page.when),), rows, sure, filling)
        for check in page.checks:
            yield _use(check, check.when, (), rows, sure, filling)
            yield _use(check, check.holds, (tree(check.when),), rows, sure, filling)


def _in_field(
    field: Field, around: tuple[Node, ...], rows: tuple[str, ...], sure: frozenset[str], filling: frozenset[str]
) -> Iterator[Use]:
    shown = (*around, tree(field.when))
    for condition in (field.when, field.required, *(option.when for option in field.options)):
        yield _use(field, condition, (), rows, sure, filling)
    if field.value is not None:
        yield _use(field, field.value, shown, rows, sure, filling)
    for bound in (field.bounds.minimum, field.bounds.maximum):
        if bound is not None:
            yield _use(field, bound, shown, rows, sure, filling, whole=True)
    for column in field.rows:
        yield from _in_field(column, (), (*rows, field.id), sure, filling)


def _in_fee(fee: Fee, sure: frozenset[str]) -> Iterator[Use]:
    owed = (tree(fee.when),)
    for line in fee.lines:
        rows = (line.for_each,) if line.for_each else ()
        yield _use(line, line.when, owed, rows, sure)
        for amount in (line.amount, line.times):
            if amount is not None:
                yield _use(line, amount, (*owed, tree(line.when)), rows, sure, whole=True)
    for limit in (fee.at_least, fee.at_most):
        if limit is not None:
            yield _use(fee, limit, owed, (), sure, whole=True)
    if fee.exempt is not None:
        yield _use(fee, fee.exempt, owed, (), sure)
    for cut in fee.reductions:
        yield _use(fee, cut.when, owed, (), sure)
        for part in (cut.percent, cut.amount):
            if part is not None:
                yield _use(fee, part, (*owed, tree(cut.when)), (), sure, whole=True)


def _in_circuit(places: ProofContext) -> Iterator[Use]:
    for transition in places.procedure.transitions:
        filling = frozenset({transition.fills}) if transition.fills else NOTHING
        yield _use(transition, transition.when, (), (), places.before(transition), filling)
    for state in places.procedure.states.values():
        for time in (state.due, state.wait):
            if time is not None:
                yield _use(state, time, (), (), places.sure[state.id], whole=True)


def _in_output(places: ProofContext, output: Output) -> Iterator[Use]:
    sure, rows, granted = places.for_output(output.id), (output.per,) if output.per else (), (tree(output.when),)
    yield _use(output, output.when, (), rows, sure)
    if output.valid is not None:
        yield _use(output, output.valid, granted, rows, sure, whole=True)
    for name in output.shows:
        yield Use(output, places.name(name, rows), output.where, granted, rows, sure)
    yield from _said(places, output, (output.body,), granted, rows, sure)


def _in_notice(places: ProofContext, notice: Notice) -> Iterator[Use]:
    sure = places.for_event(notice.event)
    yield _use(notice, notice.when, (), (), sure)
    if notice.to in places.definition.fields:
        yield Use(notice, places.name(notice.to), notice.where, (tree(notice.when),), (), sure)
    texts = (notice.sms, notice.email_subject, notice.email_body, notice.inbox)
    yield from _said(places, notice, texts, (tree(notice.when),), (), sure)


def _said(
    places: ProofContext, thing: NamedElement, texts: tuple[Template | None, ...], around: tuple[Node, ...],
    rows: tuple[str, ...], sure: frozenset[str],
) -> Iterator[Use]:  # fmt: skip
    """The answers and named values that a text prints."""
    columns = {column.id for name in rows for column in places.columns(name)}
    for name in sorted(frozenset[str]().union(*(text.names for text in texts if text is not None))):
        if name in places.definition.fields or name in columns:
            yield Use(thing, places.name(name, rows), thing.where, around, rows, sure, whole=True)
        elif name in places.procedure.definitions:
            yield Use(thing, tree(places.procedure.definitions[name]), thing.where, around, rows, sure, whole=True)
