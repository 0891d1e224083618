"""Evaluated answers: the value of every name of a procedure for one dossier on one day, computed on first use.

A hidden question is empty, whatever was answered. For the questions of the application `today` is the day of
submission, except for those that an agent reopened. The workflow uses the present day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.task_parts import filling_at, forms_in_parts, opinion_rows
from engine.domain.fields.choices import other_chosen
from engine.domain.fields.field_type import FieldContext
from engine.domain.fields.field_types import typed
from engine.domain.fields.raw_answers import OTHER
from engine.language.compiler.tables import table_function
from engine.model import CodeList, Field, Form, Procedure
from engine.model.directory import Directory
from engine.model.types import TRUE, Expression, History, Scope, Value
from engine.records.dossier import Dossier

_DETAIL: Final = f"_{OTHER}"


class Values(Mapping[str, Value]):
    """The values of some questions, from their stored answers.

    `scope` and `own_scopes` are set after creation, because a scope contains the values and the values use
    it.
    """

    __slots__ = ("_busy", "_fields", "_forms", "_guards", "_known", "_shown", "answers", "own_scopes", "scope")

    scope: Scope
    own_scopes: Mapping[str, Scope]  # of the questions that use another day

    def __init__(
        self, fields: Mapping[str, Field], answers: Mapping[str, Plain], guards: Mapping[str, Expression],
        forms: Mapping[str, tuple[Form, ...]] | None = None, always: Mapping[str, bool] | None = None,
    ) -> None:  # fmt: skip
        """Prepare the values of `fields`.

        `forms` are the forms that add columns to rows, by the id of the rows. `always` names the questions
        that are visible whatever is answered.
        """
        self._fields, self.answers, self._guards, self._forms = fields, answers, guards, forms or {}
        self._known: dict[str, Value] = {}
        self._shown: dict[str, bool] = dict(always or {})
        self._busy: set[str] = set()
        self.own_scopes = {}

    def scope_for(self, name: str) -> Scope:
        """Return the scope in which a question is evaluated. Some questions use another day."""
        return self.own_scopes.get(name, self.scope)

    def shows(self, name: str) -> bool:
        """Return True when the question and its page are visible. A cycle, which no compiled procedure has, is hidden."""
        shown = self._shown.get(name)
        if shown is None:
            if name in self._busy:
                return False
            self._busy.add(name)
            scope, guard = self.scope_for(name), self._guards.get(name)
            shown = (guard is None or guard.holds(scope)) and self._fields[name].when.holds(scope)
            self._busy.discard(name)
            self._shown[name] = shown
        return shown

    def rows(self, name: str) -> tuple[Values, ...]:
        """Return the rows of a question of rows, each with its own values."""
        value = self[name]
        return tuple(row for row in value if isinstance(row, Values)) if isinstance(value, tuple) else ()

    def __getitem__(self, name: str) -> Value:
        if name not in self._known:
            self._known[name] = self._work_out(name)
        return self._known[name]

    def _work_out(self, name: str) -> Value:
        field = self._fields.get(name)
        if field is None:
            return self._detail(name) if name.endswith(_DETAIL) else _loose(self.answers[name])
        if not self.shows(name):
            return None
        if field.value is not None:
            return self._computed(field, field.value)
        if field.type == "rows":
            return tuple(self._rows(field))
        return typed(field, self.answers.get(name))

    def _computed(self, field: Field, value: Expression) -> Value:
        mark = f"={field.id}"
        if mark in self._busy:
            return None
        self._busy.add(mark)
        found = value.value(self.scope_for(field.id))
        self._busy.discard(mark)
        return found

    def _rows(self, field: Field) -> Iterator[Values]:
        columns = {column.id: column for column in field.rows}
        for number, answers in enumerate(self._kept_rows(field)):
            filled = [filling_at(form.id, self.answers, number) or {} for form in self._filled_in(field)]
            row = Values(columns, {**answers, **{name: one for each in filled for name, one in each.items()}}, {})
            row.scope = self.scope_for(field.id).inside(row)
            later = (one.id for form in self._filled_in(field) for one in form.fields)
            row.own_scopes = {one: self.own_scopes[one].inside(row) for one in later if one in self.own_scopes}
            yield row

    def _kept_rows(self, field: Field) -> Iterable[dict[str, Plain]]:
        asked = next((form for form in self._forms.get(field.id, ()) if form.services), None)
        if asked is not None:
            return opinion_rows(asked, self.answers, self.scope)
        stored = self.answers.get(field.id)
        return [row for row in stored if isinstance(row, dict)] if isinstance(stored, list) else []

    def _filled_in(self, field: Field) -> tuple[Form, ...]:
        """Return the later forms filled once per row of this question."""
        return tuple(form for form in self._forms.get(field.id, ()) if form.each == field.id)

    def _detail(self, name: str) -> Value:
        field = self._fields.get(name.removesuffix(_DETAIL))
        if field is None:
            return _loose(self.answers[name])
        chosen = self.shows(field.id) and other_chosen(field, self.answers.get(field.id))
        return _loose(self.answers.get(name)) if chosen else None

    def __contains__(self, name: object) -> bool:
        return name in self._fields or name in self.answers

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._fields, *self.answers)))

    def __len__(self) -> int:
        return len({*self._fields, *self.answers})


class _Codes(Mapping[str, frozenset[str]]):
    """The codes of the shared lists, computed when `in_list` needs them."""

    __slots__ = ("_lists",)

    def __init__(self, lists: Mapping[str, CodeList]) -> None:
        self._lists = lists

    def __getitem__(self, name: str) -> frozenset[str]:
        return self._lists[name].codes

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)


def _loose(plain: Plain) -> Value:
    """Return an answer without question: the result of a look-up, the detail of « Autre »."""
    return plain if isinstance(plain, bool | int | str) and plain != "" else None


@dataclass(frozen=True, slots=True)
class EvaluatedAnswers:
    """One set of answers evaluated under a procedure on one day: what is visible, and the value of every name."""

    procedure: Procedure
    directory: Directory
    answers: Mapping[str, Plain]
    day: date
    values: Values
    scope: Scope  # as the workflow uses it: `today` is the present day
    here: FieldContext  # the context of the application's questions

    def shows(self, field: Field) -> bool:
        """Return True when the question is visible."""
        return self.values.shows(field.id)

    def asking(self, field_id: str | None = None) -> FieldContext:
        """Return the context of the application's questions, or of another question by its id."""
        return self.asking_in(self.values.scope if field_id is None else self.values.scope_for(field_id))

    def asking_for(self, names: Iterable[str]) -> FieldContext:
        """Return the context of a check across answers: the present day as soon as one of them is reopened."""
        reopened = next((name for name in names if name in self.values.own_scopes), None)
        return self.asking(reopened)

    def asking_in(self, scope: Scope) -> FieldContext:
        """Return the context with another scope, the same lists, schemes, offices and calendar."""
        here = self.here
        return (
            here if scope is here.scope else FieldContext(scope, here.lists, here.schemes, here.offices, here.calendar)
        )


def evaluate_answers(
    procedure: Procedure, dossier: Dossier, day: date, directory: Directory, answers: Mapping[str, Plain] | None = None
) -> EvaluatedAnswers:
    """Return a dossier's answers evaluated under a procedure on `day`. `answers` replace the dossier's own."""
    history = History(frozenset(dossier.done), dossier.missed, _counts(taken.transition for taken in dossier.taken))
    sent = local_day(dossier.submitted_at) if dossier.submitted_at else day
    base = Scope({}, day, None, history, submitted_on=sent, channel=dossier.channel)
    form_day = dossier.form_day or day
    days = dict.fromkeys(dossier.correction.fields, day) if dossier.correction else {}
    for form in procedure.forms():
        done = dossier.done.get(form.id)
        if done or day != form_day:
            days.update({field.id: local_day(done.at) if done else day for field in form.fields})
    kept = dossier.answers if answers is None else answers
    return _evaluated(procedure, kept, directory, base, form_day, days)


def evaluated_before(
    procedure: Procedure, answers: Mapping[str, Plain], day: date, directory: Directory
) -> EvaluatedAnswers:
    """Return answers without dossier evaluated on `day`: eligibility, examples."""
    return _evaluated(procedure, answers, directory, Scope({}, day, submitted_on=day), day, {})


def _evaluated(
    procedure: Procedure,
    answers: Mapping[str, Plain],
    directory: Directory,
    base: Scope,
    form_day: date,
    days: Mapping[str, date],
) -> EvaluatedAnswers:
    names, agency, calendar = procedure.once(_names), procedure.identity.agency, directory.calendar
    values = Values(names.fields, answers, names.guards, names.forms, names.always)

    def office_serving(place: str) -> str | None:
        return directory.office_serving(place, agency)

    def on(day: date) -> Scope:
        return Scope(
            values, day, None, base.history, names.lists, base.submitted_on, base.channel,
            calendar.add_working_days, office_serving, names.tables,
        )  # fmt: skip

    scope = on(base.today)
    values.scope = scope if form_day == base.today else on(form_day)
    values.own_scopes = {name: on(day) for name, day in days.items() if day != form_day}
    here = FieldContext(values.scope, procedure.lists, procedure.schemes, directory.offices_of(agency), calendar)
    return EvaluatedAnswers(procedure, directory, answers, base.today, values, scope, here)


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of a procedure for expressions, independent of any dossier."""

    fields: Mapping[str, Field]
    guards: Mapping[str, Expression]  # the condition of the question's page
    forms: Mapping[str, tuple[Form, ...]]
    always: Mapping[str, bool]  # the questions without any condition
    lists: Mapping[str, frozenset[str]]
    tables: Mapping[str, Callable[..., Value]]


def _names(procedure: Procedure) -> _Names:
    fields, guards = dict(procedure.fields), {}
    for page in procedure.form.pages:
        for field in page.fields:
            fields.setdefault(field.id, field)
            guards[field.id] = page.when
    for criterion in procedure.eligibility:
        fields.setdefault(criterion.id, criterion.field)
    forms: dict[str, tuple[Form, ...]] = {}
    for form in forms_in_parts(procedure):
        rows = form.each or form.id
        forms[rows] = (*forms.get(rows, ()), form)
        if form.each in fields:
            fields[rows] = with_columns(fields[rows], form)
    tables = {name: table_function(table) for name, table in procedure.tables.items()}
    always = {name: True for name, field in fields.items() if field.when == guards.get(name, TRUE) == TRUE}
    return _Names(fields, guards, forms, always, _Codes(procedure.lists), tables)


def with_columns(rows: Field, *forms: Form) -> Field:
    """Return a question of rows with the columns that forms filled once per row add."""
    return replace(rows, rows=(*rows.rows, *(field for form in forms for field in form.fields)))


def _counts(names: Iterable[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def scope_of(procedure: Procedure, dossier: Dossier, day: date, directory: Directory) -> Scope:
    """Return the scope of a dossier: answers, computed values, later forms, look-ups and history."""
    return evaluate_answers(procedure, dossier, day, directory).scope
