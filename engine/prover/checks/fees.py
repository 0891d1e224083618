"""Proof P7: under all checks, each fee is a whole number of francs, never empty and never negative.

Whole is a matter of types (E414). A value empty for a missing answer is P8. Here it is empty for a table or a
division. The sum of the lines is given to the solver as one expression, and evaluated again as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Arithmetic, Compare, FunctionCall, If, Node, Not, Over, names_of
from engine.model import Fee, FeeLine
from engine.model.types import MONEY, TRUE, YES_NO, Constant, Expression
from engine.prover.checks.conditions import not_proved, place_of
from engine.prover.checks.established_facts import ProofContext
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_MOST_CASES: Final = 8
_DAY: Final = timedelta(days=1)
_NOTHING_OWED: Final = Constant(0, MONEY)


def fees_that_are_no_amount(places: ProofContext) -> Iterator[Problem]:
    """Yield P7 for a fee that may be empty or negative, or whose bounds may contradict each other."""
    for fee in places.procedure.fees():
        exempt = (Not(tree(fee.exempt)),) if fee.exempt is not None else ()
        owed: tuple[Node, ...] = (tree(fee.when), *exempt)
        sure = places.for_task(fee.id)
        for line in fee.lines:
            for amount in (line.amount, line.times):
                if amount is not None:
                    yield from _empty(places, fee, line, amount, owed, sure)
        for total in (_total(places, fee), tree(fee.at_most) if fee.at_most is not None else None):
            if total is not None:
                yield from _negative(places, fee, total, owed, sure)
        yield from _crossed(places, fee, owed, sure)
        yield from _between_periods(places, fee, owed, sure)
        yield from _between_cases(places, fee, owed, sure)


def _between_cases(places: ProofContext, fee: Fee, owed: tuple[Node, ...], sure: frozenset[str]) -> Iterator[Problem]:
    """P7 for answers without a line, where no two lines hold together: these are the cases of one price, and one is left out."""
    cases = tuple(dict.fromkeys(tree(one.when) for one in fee.lines))
    if not 2 <= len(cases) <= _MOST_CASES or fee.at_least is not None:
        return
    if any(one.when == TRUE or one.for_each is not None for one in fee.lines):
        return
    pairs = (Query((*owed, *pair), sure=sure) for pair in combinations(cases, 2))
    if any(places.prover.possible(one) != "no" for one in pairs):
        return
    answer = places.prover.example(Query(owed, cases, sure=sure))
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, [*owed, *cases])
        yield problem("P7", fee.where, at=fee.id, name=fee.id, fault="case", **facts)


def _between_periods(places: ProofContext, fee: Fee, owed: tuple[Node, ...], sure: frozenset[str]) -> Iterator[Problem]:
    """P7 for a day to come without a price, after the end of a line and before the first day of another.

    Lines whose conditions fail are no price on that day: each case has its own periods. Lines of other rows count as one.
    """
    for line in fee.lines:
        gap = line.until + _DAY if line.until is not None and line.until < date.max else date.max
        after = [one for one in fee.lines if one.from_ is not None and max(places.prover.day, gap) < one.from_]
        there = [one for one in fee.lines if _has_price(one, gap)]
        if any(one.when == TRUE or one.for_each not in (None, line.for_each) for one in there):
            continue
        rows = (line.for_each,) if line.for_each else ()
        for one in after:
            holds = (*owed, tree(line.when), tree(one.when)) if there else owed
            answer = places.prover.example(Query(holds, tuple(tree(one.when) for one in there), rows, sure))
            if answer.verdict == "yes":
                facts = facts_of(places.definition, answer.witness, holds, rows) if there else {}
                yield problem("P7", one.where, at=fee.id, name=fee.id, fault="gap", day=gap.isoformat(), **facts)
                return
            if answer.verdict == "unknown":
                yield not_proved("P7", fee)


def _has_price(line: FeeLine, day: date) -> bool:
    return (line.from_ or date.min) <= day <= (line.until or date.max)


def _empty(
    places: ProofContext, fee: Fee, line: FeeLine, amount: Expression, owed: tuple[Node, ...], sure: frozenset[str]
) -> Iterator[Problem]:
    """P7 when all answers of an amount are given and it is still empty."""
    if isinstance(tree(amount), Constant):
        return
    rows = (line.for_each,) if line.for_each else ()
    there = [FunctionCall("answered", (places.name(name, rows),), YES_NO) for name in sorted(names_of(tree(amount)))]
    holds = (*owed, tree(line.when), *there)
    answer = places.prover.example(Query(holds, (FunctionCall("answered", (tree(amount),), YES_NO),), rows, sure))
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, [*owed, tree(line.when), tree(amount)], rows)
        yield problem("P7", place_of(line, amount), at=fee.id, name=fee.id, fault="empty", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P7", fee)


def _negative(
    places: ProofContext, fee: Fee, total: Node, owed: tuple[Node, ...], sure: frozenset[str]
) -> Iterator[Problem]:
    if isinstance(total, Constant) and not (isinstance(total.value, int) and total.value < 0):
        return
    answer = places.prover.example(Query((*owed, Compare(total, "<", _NOTHING_OWED)), (), sure=sure))
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, [*owed, total])
        where = place_of(fee.lines[0], fee.lines[0].amount) if len(fee.lines) == 1 else fee.where
        yield problem("P7", where, at=fee.id, name=fee.id, fault="negative", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P7", fee)


def _crossed(places: ProofContext, fee: Fee, owed: tuple[Node, ...], sure: frozenset[str]) -> Iterator[Problem]:
    """P7 for bounds that no total can respect: the maximum is below the minimum."""
    if fee.at_least is None or fee.at_most is None:
        return
    query = Query((*owed, Compare(tree(fee.at_least), ">", tree(fee.at_most))), (), sure=sure)
    answer = places.prover.example(query)
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, query.holds)
        yield problem("P7", place_of(fee, fee.at_most), at=fee.id, name=fee.id, fault="crossed", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P7", fee)


def _total(places: ProofContext, fee: Fee) -> Node | None:
    """The sum of the lines as an expression, None when each line is an amount that cannot be negative."""
    parts = [_part(places, line) for line in fee.lines]
    if all(isinstance(one, Constant) and isinstance(one.value, int) and one.value >= 0 for one in parts):
        return None
    found = parts[0]
    for one in parts[1:]:
        found = Arithmetic(found, "+", one, MONEY)
    return found


def _part(places: ProofContext, line: FeeLine) -> Node:
    amount = tree(line.amount)
    if line.times is not None:
        amount = Arithmetic(amount, "*", tree(line.times), MONEY)
    if line.when != TRUE:
        amount = If(tree(line.when), amount, _NOTHING_OWED, MONEY)
    if line.for_each is not None:
        amount = Over("sum", places.name(line.for_each), amount, MONEY)
    return amount
