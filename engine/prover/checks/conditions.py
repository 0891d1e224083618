"""Proof P6: each condition can hold and can fail, each question and each check leave a possible answer.

A condition that never changes is a mistake: a question that is never asked, a requirement that cannot be met. Two
questions that are each "required unless the other is given" are no fault: only impossible answers are reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.problems import NOWHERE, Position, Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import FunctionCall, Node, needed_names
from engine.model import APPLICATION, Fee, Field, Form, FormCheck, NamedElement
from engine.model.types import TRUE, YES_NO, Constant, Expression
from engine.prover.checks.established_facts import NOTHING, ProofContext
from engine.prover.solver.inputs import Must, is_in_force
from engine.prover.solver.solver import Query, Verdict
from engine.prover.solver.witness_facts import facts_of


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the file and where it is evaluated. `around` holds wherever it is evaluated."""

    thing: NamedElement
    expression: Expression
    around: tuple[Node, ...] = ()
    rows: tuple[str, ...] = ()
    sure: frozenset[str] = NOTHING
    filling: frozenset[str] = NOTHING
    without: frozenset[str] = NOTHING
    may_always_hold: bool = False

    @property
    def where(self) -> Position:
        """The position of the expression, or of its element."""
        return place_of(self.thing, self.expression)

    def query(self, holds: tuple[Node, ...] = (), fails: tuple[Node, ...] = ()) -> Query:
        """Return the query of these nodes in the context of the condition. `holds` and `fails` replace it."""
        return Query(holds, fails, self.rows, self.sure, self.filling, self.without)


def place_of(thing: NamedElement, expression: Expression) -> Position:
    """Return the position of an expression, or that of its element when it has none."""
    return expression.where if expression.where != NOWHERE else thing.where


def not_proved(proof: str, thing: NamedElement) -> Problem:
    """Return V790: the solver ran out of time, or cannot express it. It is never guessed."""
    return problem("V790", thing.where, at=thing.id, name=thing.id, proof=proof)


# -- conditions --------------------------------------------------------------------------------------------------------


def conditions_that_never_change(places: ProofContext) -> Iterator[Problem]:
    """Yield P6 for conditions that never hold or never fail.

    A text that several elements share is reported once. Shared files are left out.
    """
    read: dict[tuple[str, str], list[Condition]] = {}
    for one in _conditions(places):
        if not isinstance(tree(one.expression), Constant) and not places.is_shared(one.expression):
            read.setdefault((one.thing.id, one.expression.text), []).append(one)
    reported: set[str] = set()
    for (_, text), uses in read.items():
        if text not in reported:
            found = list(_judged(places, uses))
            reported |= {text} if found else set()
            yield from found


def _judged(places: ProofContext, uses: list[Condition]) -> Iterator[Problem]:
    """The problems of one condition. `uses` are its places of evaluation."""
    first = uses[0]
    node = tree(first.expression)
    holds = _any(places, [one.query((*one.around, node)) for one in uses])
    fails = _any(places, [one.query((), (node,)) for one in uses]) if not first.may_always_hold else "yes"
    if holds == "no":
        yield problem("P6", first.where, at=first.thing.id, name=first.thing.id, fault="never")
    elif fails == "no":
        yield problem("P6", first.where, at=first.thing.id, name=first.thing.id, fault="always")
    elif "unknown" in (holds, fails):
        yield not_proved("P6", first.thing)


def _any(places: ProofContext, queries: list[Query]) -> Verdict:
    found = set[Verdict]()
    for query in queries:
        found.add(places.prover.possible(query))
        if "yes" in found:
            return "yes"
    return "unknown" if "unknown" in found else "no"


def _conditions(places: ProofContext) -> Iterator[Condition]:
    yield from _of_criteria(places)
    for form in (places.procedure.form, *places.definition.later_forms()):
        yield from _of_form(places, form)
    yield from _of_tasks(places)
    yield from _of_circuit(places)
    for when, _ in places.procedure.identity.delay.entries:
        yield Condition(places.procedure.identity, when)


def _of_criteria(places: ProofContext) -> Iterator[Condition]:
    criteria = places.procedure.eligibility
    for at, one in enumerate(criteria):
        later = frozenset(criterion.id for criterion in criteria[at:])
        yield Condition(one, one.field.when, without=later)
        yield Condition(one, one.stop_when, (tree(one.field.when),), without=later)


def _of_form(places: ProofContext, form: Form) -> Iterator[Condition]:
    sure = places.for_task(form.id)
    filling = frozenset({form.id}) - {APPLICATION}
    rows = (form.each,) if form.each else ()
    for page in form.pages:
        if form.id == APPLICATION:
            yield Condition(page, page.when)
        for field in page.fields:
            yield from _of_field(field, (tree(page.when),), rows, sure, filling)
        for check in page.checks:
            yield Condition(check, check.when, (tree(page.when),), rows, sure, filling)


def _of_field(
    field: Field, around: tuple[Node, ...], rows: tuple[str, ...], sure: frozenset[str], filling: frozenset[str]
) -> Iterator[Condition]:
    yield Condition(field, field.when, around, rows, sure, filling)
    options = field.evidence.any_of if field.evidence is not None else field.options
    for option in options:
        yield Condition(field, option.when, (*around, tree(field.when)), rows, sure, filling)
    for column in field.rows:
        yield from _of_field(column, (), (*rows, field.id), sure, filling)
    for check in field.checks:
        yield Condition(check, check.when, (), (*rows, field.id), sure, filling)


def _of_tasks(places: ProofContext) -> Iterator[Condition]:
    for task in places.procedure.tasks.values():
        sure = places.for_task(task.id)
        yield Condition(task, task.when, sure=sure)
        if isinstance(task, Fee):
            yield from _of_fee(task, (tree(task.when),), sure)


def _of_fee(fee: Fee, around: tuple[Node, ...], sure: frozenset[str]) -> Iterator[Condition]:
    if fee.exempt is not None:
        yield Condition(fee, fee.exempt, around, sure=sure)
    for line in fee.lines:
        yield Condition(line, line.when, around, (line.for_each,) if line.for_each else (), sure)
    for cut in fee.reductions:
        yield Condition(fee, cut.when, around, sure=sure)
    if fee.instalments is not None:
        yield Condition(fee, fee.instalments.when, around, sure=sure)


def _of_circuit(places: ProofContext) -> Iterator[Condition]:
    procedure = places.procedure
    lists = {(transition.source, transition.id) for transition in procedure.transitions if transition.rank > 0}
    for transition in procedure.transitions:
        filling = frozenset({transition.fills}) if transition.fills else NOTHING
        one_of_several = (transition.source, transition.id) in lists
        yield Condition(
            transition, transition.when, sure=places.before(transition), filling=filling, may_always_hold=one_of_several
        )  # fmt: skip
    for output in procedure.outputs.values():
        rows = (output.per,) if output.per else ()
        yield Condition(output, output.when, rows=rows, sure=places.for_output(output.id))
    for notice in procedure.notices:
        yield Condition(notice, notice.when, sure=places.for_event(notice.event))


# -- answers -----------------------------------------------------------------------------------------------------------


def unanswerable_questions(places: ProofContext) -> Iterator[Problem]:
    """Yield P6 for questions and checks without a possible answer, and for options that may all be disabled."""
    for form in (places.procedure.form, *places.definition.later_forms()):
        rows = (form.each,) if form.each else ()
        for page in form.pages:
            for field in page.fields:
                yield from _answerable(places, form, field, (tree(page.when),), rows)
    for rule in places.definition.rules:
        if isinstance(rule, Must):
            yield from _passable(places, rule.check, (tree(rule.page.when),), (), rule.owner)
    for field in places.definition.fields.values():
        for check in field.checks:
            yield from _passable(
                places, check, (tree(field.when),), (field.id,), places.definition.owners.get(field.id)
            )


def _answerable(
    places: ProofContext, form: Form, field: Field, around: tuple[Node, ...], rows: tuple[str, ...]
) -> Iterator[Problem]:
    for column in field.rows:
        yield from _answerable(places, form, column, (), (*rows, field.id))
    if field.value is not None or not _is_narrowed(field):
        return
    shown = (*around, tree(field.when))
    filling = frozenset({form.id}) - {APPLICATION}
    checks = frozenset(rule.id for rule in places.definition.rules_on.get(field.id, ()))  # each is proved alone
    there = FunctionCall("answered", (places.name(field.id, rows),), YES_NO)
    before = places.prover.possible(Query(shown, (), rows, filling=filling, without=checks | {f"answer:{field.id}"}))
    verdict = places.prover.possible(Query((*shown, there), (), rows, filling=filling, without=checks))
    if before == "no":
        return  # never shown: reported for its condition
    if verdict == "no" or field.bounds.min_length > field.bounds.max_length:
        yield problem("P6", field.where, at=field.id, name=field.id, fault="unanswerable")
    elif verdict == "unknown":
        yield not_proved("P6", field)
    else:
        yield from _shut(places, field, shown, rows, filling)


def _is_narrowed(field: Field) -> bool:
    """Return whether anything limits the answer besides its type."""
    bounds = field.bounds
    limits = [one for one in (bounds.minimum, bounds.maximum) if one is not None]
    bounded = len(limits) == 2 or any(one.names for one in limits)
    rows = field.type == "rows" and (bounds.min_items > bounds.max_items or field.total is not None)
    return bounded or bounds.min_length > bounds.max_length or rows or any(
        option.when != TRUE or option.from_ or option.until for option in field.options
    )  # fmt: skip


def _shut(
    places: ProofContext, field: Field, shown: tuple[Node, ...], rows: tuple[str, ...], filling: frozenset[str]
) -> Iterator[Problem]:
    """Answers for which all options of a required question are disabled."""
    opened = [tree(option.when) for option in field.options if is_in_force(option, places.prover.day)]
    if not field.options or any(node == tree(TRUE) for node in opened):
        return
    own = frozenset({f"answer:{field.id}"})
    query = Query((*shown, tree(field.required)), tuple(opened), rows, filling=filling, without=own)
    answer = places.prover.example(query)
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, [*query.holds, *query.fails], rows)
        yield problem("P6", field.where, at=field.id, name=field.id, fault="shut", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P6", field)


def _passable(
    places: ProofContext, check: FormCheck, shown: tuple[Node, ...], rows: tuple[str, ...], owner: str | None
) -> Iterator[Problem]:
    """P6 for a check that no answers satisfy."""
    if check.warns:
        return
    needed = sorted(needed_names(tree(check.holds)))
    there = [FunctionCall("answered", (places.name(name, rows),), YES_NO) for name in needed]
    read = (*shown, tree(check.when), *there)
    filling = frozenset({owner} if owner else ())
    own = frozenset({check.id})
    before = places.prover.possible(Query(read, (), rows, filling=filling, without=own))
    verdict = places.prover.possible(Query((*read, tree(check.holds)), (), rows, filling=filling))
    if before == "yes" and verdict == "no":
        yield problem("P6", place_of(check, check.holds), at=check.id, name=check.id, fault="impassable")
    elif "unknown" in (before, verdict):
        yield not_proved("P6", check)
