"""Possible prices of a fee line, case by case, and what may cost money elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.values import Plain
from engine.domain.fields.scope import evaluated_before
from engine.domain.forms.sample_answers import example_answers
from engine.domain.workflow.fee_quotes import quote
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Compare, Lookup, Name
from engine.model import Fee, FeeLine, Field, Link, Procedure
from engine.model.directory import Directory
from engine.model.types import TRUE, Constant, Expression
from renderers.i18n.translations import Translations, in_language
from renderers.procedure.papers import asked_papers

_MOST: Final = 24  # a longer list is not readable


def price_cases(amount: Expression, procedure: Procedure, language: str) -> tuple[tuple[str, int], ...]:
    """Return each case with its price in francs, « Pour étudier, 1 an », in the order of the table.

    A constant amount gives one case without words. The result is empty for other expressions and for more than 24
    cases.
    """
    node = tree(amount)
    if isinstance(node, Constant):
        fixed = isinstance(node.value, int) and not isinstance(node.value, bool)
        return (("", int(str(node.value))),) if fixed else ()
    table = procedure.tables.get(node.table) if isinstance(node, Lookup) else None
    if not isinstance(node, Lookup) or table is None or len(table.rows) > _MOST or any(key.from_ for key in table.keys):
        return ()
    fields = [procedure.fields.get(one.id) for one in node.arguments if isinstance(one, Name)]
    labels = [_labels(field, language) for field in fields if field is not None]
    if len(labels) < len(table.keys):
        return ()
    return tuple(
        (", ".join(known.get(str(code), str(code)) for known, code in zip(labels, codes, strict=True)), francs)
        for codes, francs in table.rows.items()
        if isinstance(francs, int)
    )


def line_cases(line: FeeLine, procedure: Procedure, language: str) -> tuple[tuple[tuple[str, int], ...], Expression]:
    """Return the cases of a line, and the condition that is left to say beside each.

    A line owed where its amount is above zero lists those cases only, which say its condition.
    """
    cases, when = price_cases(line.amount, procedure, language), tree(line.when)
    asked = when.right if isinstance(when, Compare) and when.sign == ">" and when.left == tree(line.amount) else None
    if cases and isinstance(asked, Constant) and asked.value == 0:
        return tuple((case, francs) for case, francs in cases if francs), TRUE
    return cases, line.when


@dataclass(frozen=True, slots=True)
class UsualPrice:
    """The amount of a fee for an application made of the form's examples, and these answers."""

    amount: int
    answers: Mapping[str, Plain]


def usual_price(
    procedure: Procedure, fee: str, directory: Directory, words: Translations, language: str, day: date
) -> UsualPrice | None:
    """Return the fee that the examples of the form give.

    None if the fee is not owed in that case or depends on an answer without example.
    """
    task = procedure.tasks.get(fee)
    if not isinstance(task, Fee):
        return None
    answers = example_answers(procedure, {}, day, directory)
    scope = evaluated_before(procedure, answers, day, directory).scope
    if not task.when.holds(scope):
        return None
    found = quote(procedure, fee, scope, language, words)
    return None if found.missing else UsualPrice(found.amount, answers)


def obtained_elsewhere(procedure: Procedure, language: str) -> tuple[str, ...]:
    """Return what an applicant gets from others, perhaps against money: evidence, the result of another request."""
    evidence = (
        field.label for field, rows in asked_papers(procedure) if rows is not None or field.evidence is not None
    )
    needed = (one.label for one in procedure.tasks.values() if isinstance(one, Link) and one.relation == "needs")
    return tuple(dict.fromkeys(in_language(one, language) for one in (*evidence, *needed)))


def _labels(field: Field, language: str) -> dict[str, str]:
    alternatives = field.evidence.any_of if field.evidence else field.options
    return {option.code: in_language(option.label, language) for option in alternatives}
