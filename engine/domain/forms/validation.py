"""Validation of answers: each visible question, the rows, and the checks across answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from engine.domain.fields.field_types import field_problems, is_asked, kind_of
from engine.domain.fields.raw_answers import fault
from engine.domain.fields.scope import EvaluatedAnswers, Values
from engine.domain.fields.views import AnswerProblem
from engine.language.expressions.compiler import expression_of, tree
from engine.language.expressions.nodes import Compare, Name, needed_names, walk
from engine.model import Field, FormCheck, Page
from engine.model.types import Scope, Value


def page_problems(evaluated: EvaluatedAnswers, page: Page, among: frozenset[str] | None = None) -> list[AnswerProblem]:
    """Return the problems of one page: its questions (only those in `among`), then its checks.

    A check is silent beside an answer that is refused by itself: a page says one fault of an answer.
    """
    fields = [field for field in page.fields if among is None or field.id in among]
    found = list(_problems(evaluated, fields, evaluated.values, ""))
    refused = {one.at for one in found if not one.warns}
    for check in page.checks:
        scope = evaluated.asking_for(needed_names(tree(check.holds))).scope
        found += (one for one in _check_problems(check, page.fields, scope, "") if one.at not in refused)
    return found


def row_page_problems(evaluated: EvaluatedAnswers, page: Page, row: Values) -> Iterator[AnswerProblem]:
    """Yield the problems of a page that is answered for one row."""
    yield from _problems(evaluated, page.fields, row, "")
    for check in page.checks:
        yield from _check_problems(check, page.fields, row.scope, "")


def _problems(
    evaluated: EvaluatedAnswers, fields: Iterable[Field], values: Values, prefix: str
) -> Iterator[AnswerProblem]:
    for field in fields:
        if not is_asked(field) or not values.shows(field.id):
            continue
        path = prefix + field.id
        if field.type == "rows":
            yield from _rows_problems(evaluated, field, values, path)
        else:
            yield from field_problems(field, values.answers, path, evaluated.asking_in(values.scope_for(field.id)))


def _rows_problems(evaluated: EvaluatedAnswers, field: Field, values: Values, path: str) -> Iterator[AnswerProblem]:
    rows, bounds, scope = values.rows(field.id), field.bounds, values.scope_for(field.id)
    required = field.required.holds(scope)
    if (required or rows) and len(rows) < bounds.min_items:
        yield fault("rows_few", minimum=bounds.min_items).at(path, field)
    if len(rows) > bounds.max_items:
        yield fault("rows_many", maximum=bounds.max_items).at(path, field)
    for number, row in enumerate(rows):
        prefix = f"{path}.{number}."
        yield from _problems(evaluated, field.rows, row, prefix)
        for check in field.checks:
            yield from _check_problems(check, field.rows, row.scope, prefix)
    for columns in field.unique:
        yield from _twins(field, columns, rows, path)
    yield from _total_problems(field, rows, scope, path)


def _twins(field: Field, columns: tuple[str, ...], rows: tuple[Values, ...], path: str) -> Iterator[AnswerProblem]:
    """Yield a problem for each row that repeats another in columns that must differ."""
    first: dict[tuple[Value, ...], int] = {}
    column = next(one for one in field.rows if one.id == columns[-1])
    for number, row in enumerate(rows):
        said = tuple(row[name] for name in columns)
        if any(value is None for value in said):
            continue
        twin = first.setdefault(said, number)
        if twin != number:
            yield fault("unique", row=twin + 1, label=str(column.label)).at(f"{path}.{number}.{column.id}", column)


def _total_problems(field: Field, rows: tuple[Values, ...], scope: Scope, path: str) -> Iterator[AnswerProblem]:
    if field.total is None or not rows:
        return
    column = next(one for one in field.rows if one.id == field.total.of)
    parts = [row[column.id] for row in rows]
    wanted = field.total.equals.value(scope)
    if wanted is None or not all(isinstance(part, int | Decimal) for part in parts):
        return
    found = sum((Decimal(part) for part in parts if isinstance(part, int | Decimal)), Decimal(0))
    if found != wanted:
        yield fault("total", wanted=_said(column, wanted), found=_said(column, found), label=str(column.label)).at(
            path, field
        )


def _said(column: Field, value: Value) -> str:
    return str(kind_of(column).plain(value))


def _check_problems(check: FormCheck, fields: tuple[Field, ...], scope: Scope, prefix: str) -> Iterator[AnswerProblem]:
    """Yield the problem of a check. It is evaluated only when every answer it needs is present."""
    needed = needed_names(tree(check.holds))
    if any(scope.get(name) is None for name in needed) or not check.when.holds(scope) or check.holds.holds(scope):
        return
    field = _spot(check, fields)
    at = prefix + (field.id if field else check.at or check.id)
    facts = MappingProxyType({"type": "check", "id": check.id, **_first_day(check, field, scope)})
    yield AnswerProblem(at, "check", facts, check.message, check.warns, field.label if field else None)


def _first_day(check: FormCheck, field: Field | None, scope: Scope) -> dict[str, str]:
    """Return the first day that a check accepts, where it counts it from another day than an answer: from today."""
    node = tree(check.holds)
    if not isinstance(node, Compare) or node.sign != ">=" or check.warns or field is None or needed_names(node.right):
        return {}
    day = expression_of(node.right, "").value(scope) if getattr(node.left, "id", "") == field.id else None
    return {"earliest": day.isoformat()} if isinstance(day, date) else {}


def _spot(check: FormCheck, fields: tuple[Field, ...]) -> Field | None:
    """Return the question beside which a check is shown: the one it names with `at`, else the last in its rule."""
    known = {field.id: field for field in fields}
    if check.at is not None:
        return known.get(check.at)
    named = [node.id for node in walk(tree(check.holds)) if isinstance(node, Name) and node.id in known]
    return known[named[-1]] if named else None
