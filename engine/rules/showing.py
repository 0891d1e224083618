"""One question as it stands, for any face: its words, what was answered, what is wrong with it, who may read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.definition.model import Field, Option
from engine.records.dossier import Actor, Dossier
from engine.rules.access import may_read
from engine.rules.answers import OTHER, fill_template, is_wrong, typed_text
from engine.rules.conditions import plain_condition
from engine.rules.field_kinds.choices import ChoiceKind, is_open
from engine.rules.field_kinds.kind import Asking, Speech
from engine.rules.field_kinds.papers import files_of
from engine.rules.fields import is_asked, kind_of, text
from engine.rules.scopes import Standing, Values
from engine.rules.view import AnswerProblem, FieldView, FileView, OptionView, RowView
from engine.rules.wording import Wording
from engine.values import Plain, Text


@dataclass(frozen=True, slots=True)
class Showing:
    """To whom and how a form is shown. `open` are the questions that may be answered now (none = all of them)."""

    standing: Standing
    speech: Speech
    dossier: Dossier | None = None
    open: frozenset[str] | None = None
    reader: Actor | None = None
    problems: Mapping[str, tuple[AnswerProblem, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def may_read(self, one: Field) -> bool:
        if self.reader is None or self.dossier is None:
            return True
        return may_read(self.standing.procedure, self.dossier, one.id, self.reader)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a question stands: the values of its level, the way to its control, the controls of its page, and whether
    the question it belongs to is locked or masked."""

    values: Values
    prefix: str
    controls: Mapping[str, str]
    locked: bool
    masked: bool


def speech_for(reader: Actor | None, dossier: Dossier, wording: Wording) -> Speech:
    """How values are said: in the language of who reads them, else in that of the dossier."""
    return Speech(wording, reader.language if reader and reader.language else dossier.language)


def field_views(showing: Showing, fields: tuple[Field, ...]) -> Iterator[FieldView]:
    """The questions of a page: those shown, and those a browser may reveal."""
    place = _Place(showing.standing.values, "", _controls(fields, ""), False, False)
    return _views(showing, fields, place)


def row_views(showing: Showing, fields: tuple[Field, ...], row: Values) -> Iterator[FieldView]:
    """The questions of a page that is answered for one row."""
    return _views(showing, fields, _Place(row, "", _controls(fields, ""), False, False))


def by_place(problems: Iterable[AnswerProblem]) -> Mapping[str, tuple[AnswerProblem, ...]]:
    """Problems by the path of their control."""
    found: dict[str, tuple[AnswerProblem, ...]] = {}
    for one in problems:
        found[one.at] = (*found.get(one.at, ()), one)
    return found


def _controls(fields: Iterable[Field], prefix: str) -> dict[str, str]:
    return {one.id: prefix + one.id for one in fields if is_asked(one) and one.type != "rows"}


def _views(showing: Showing, fields: Iterable[Field], place: _Place) -> Iterator[FieldView]:
    for one in fields:
        shown = place.values.shows(one.id)
        masked = place.masked or not showing.may_read(one)
        locked = place.locked or not (showing.open is None or place.prefix or one.id in showing.open)
        condition = None
        if not masked and not locked and is_asked(one):
            condition = plain_condition(one.when, place.controls, place.values.scope_for(one.id))
        if shown or condition is not None:
            yield _view(showing, one, place, shown, locked, masked, condition)


def _view(
    showing: Showing, one: Field, place: _Place, shown: bool, locked: bool, masked: bool, condition: Plain
) -> FieldView:
    scope = place.values.scope_for(one.id)
    asking, path, kind = showing.standing.asking_in(scope), place.prefix + one.id, kind_of(one)
    plain = _readable(showing, one, place, locked, masked)
    detail = None if masked else place.values.answers.get(f"{one.id}_{OTHER}")
    evidence, bounds, is_rows = one.evidence, one.bounds, one.type == "rows"
    return FieldView(
        id=one.id, path=path, type=one.type, label=one.label, help=one.help, unit=one.unit, basis=one.law_of("*"),
        # what may be answered
        required=one.required.holds(scope), computed=one.value is not None, example=_example(one, asking),
        lines=one.lines, upper=one.upper, max_length=bounds.max_length, max_items=bounds.max_items,
        min_items=bounds.min_items, max_size=bounds.max_size, accept=bounds.accept,
        options=tuple(_options(showing, one, asking, plain)), has_other=one.other,
        how=evidence.how if evidence else (), copies=evidence.copies if evidence else 1,
        asks_issue_date=evidence is not None and evidence.max_age is not None,
        columns=tuple(column.type for column in one.rows if is_asked(column)),
        # what was
        value=None if is_rows else typed_text(plain) if is_wrong(plain) else plain,
        boxes=kind.boxes(plain), other_value=detail if isinstance(detail, str) else "",
        text="" if is_rows or masked else text(one, plain, asking, showing.speech, detail),
        files=_files(showing.dossier, plain) if one.type in ("file", "photo", "evidence") else (),
        rows=tuple(_rows(showing, one, place, path, locked, masked)) if is_rows else (),
        blank_row=_blank_row(showing, one, place, path) if is_rows and not locked and not masked else None,
        problems=_problems(showing, path), reason=_reason(showing.dossier, one) if not place.prefix else None,
        # by whom, and when
        shown=shown, locked=locked, masked=masked, condition=condition,
        sensitive=one.id in showing.standing.procedure.personal_data.sensitive,
    )  # fmt: skip


def _readable(showing: Showing, one: Field, place: _Place, locked: bool, masked: bool) -> Plain:
    """The answer as this reader may see it, once there is one."""
    early = one.value is not None and not place.prefix and _too_early(showing.standing, one)
    return None if masked or early else _answer(one, place.values, locked)


def _example(one: Field, asking: Asking) -> str:
    """That of the file, else one of its scheme, where it can be shown beside the question."""
    kind = kind_of(one)
    plain = kind.plain(one.example.value(asking.scope)) if one.example else None
    if plain is None and one.scheme:
        plain = kind.example(one, asking)
    return str(plain) if isinstance(plain, str | int) and not isinstance(plain, bool) else ""


def _answer(one: Field, values: Values, locked: bool) -> Plain:
    """What is kept; the worth of a computed question; the default of one that was never put."""
    if one.value is not None:
        return kind_of(one).plain(values[one.id])
    if one.id not in values.answers and one.default is not None and not locked:
        return kind_of(one).plain(one.default.value(values.scope_for(one.id)))
    return values.answers.get(one.id)


def _too_early(standing: Standing, one: Field) -> bool:
    """A computed answer read before the rows that it is made of: what none of them comes to is no advice yet."""
    fields, seen, left = standing.procedure.fields, set[str](), set(one.value.names if one.value else ())
    while left:
        name = left.pop()
        seen.add(name)
        field = fields.get(name)
        if field is not None and field.type == "rows" and standing.shows(field) and not standing.values.rows(name):
            return field.required.holds(standing.scope)
        left |= set(field.value.names) - seen if field is not None and field.value is not None else set()
    return False


def _options(showing: Showing, one: Field, asking: Asking, plain: Plain) -> Iterator[OptionView]:
    """What may be picked. While the answer it hangs on is blank, everything, sorted by that answer: without scripts both
    are answered on one page."""
    kind, above = kind_of(one), showing.standing.procedure.fields.get(one.under or "")
    offered, groups = kind.options(one, asking), dict[str | None, Text]()
    if above and isinstance(kind, ChoiceKind) and asking.scope.get(above.id) is None:
        offered = kind.all_options(one, asking)
        groups = {option.code: option.label for option in kind_of(above).options(above, asking)}
    for option in offered:
        yield OptionView(
            option.code,
            option.label,
            option.help,
            chosen=_is_chosen(option, plain),
            shut=not is_open(option, asking.scope),
            because=option.because,
            group=groups.get(option.parent),
        )


def _is_chosen(option: Option, plain: Plain) -> bool:
    if isinstance(plain, dict):
        plain = plain.get("is")
    return option.code in plain if isinstance(plain, list) else option.code == plain


def _problems(showing: Showing, path: str) -> tuple[AnswerProblem, ...]:
    """Those of the control and of the ones beside it."""
    found = showing.problems
    return (*found.get(path, ()), *found.get(f"{path}_issued", ()), *found.get(f"{path}_{OTHER}", ()))


def _files(dossier: Dossier | None, plain: Plain) -> tuple[FileView, ...]:
    if dossier is None:
        return ()
    kept = (dossier.attachment(one) for one in files_of(plain))
    return tuple(
        FileView(one.id, one.name, one.kind, one.size, one.received_at.isoformat(), one.pages) for one in kept if one
    )


def _reason(dossier: Dossier | None, one: Field) -> str | None:
    return dossier.correction.fields.get(one.id) if dossier and dossier.correction else None


def _rows(
    showing: Showing, group: Field, place: _Place, path: str, locked: bool, masked: bool
) -> Iterator[RowView]:  # fmt: skip
    """The rows answered, and as many blank ones as are wanted at least."""
    rows = list(place.values.rows(group.id))
    if not locked and not masked and group.required.holds(place.values.scope_for(group.id)):
        rows += [_blank(group, place.values) for _ in range(group.bounds.min_items - len(rows))]
    for number, row in enumerate(rows):
        yield _row(showing, group, place, row, f"{path}.{number}.", number, locked, masked)


def _row(
    showing: Showing, group: Field, place: _Place, row: Values, prefix: str, number: int, locked: bool, masked: bool
) -> RowView:
    controls = {**place.controls, **_controls(group.rows, prefix)}
    views = tuple(_views(showing, group.rows, _Place(row, prefix, controls, locked, masked)))
    label = ""
    if group.row_label is not None and not masked:
        said = {view.id: view.text for view in views if view.shown}
        if any(said.get(name) for name in group.row_label.names):  # one that says nothing of itself has no name
            label = " ".join(fill_template(group.row_label.text.in_(showing.speech.language), said).split())
    return RowView(number + 1, label, views)


def _blank(group: Field, values: Values) -> Values:
    row = Values({one.id: one for one in group.rows}, {}, {})
    row.scope = values.scope_for(group.id).inside(row)
    return row


def _blank_row(showing: Showing, group: Field, place: _Place, path: str) -> RowView | None:
    """The row a person may add; none when there are as many as may be."""
    number = max(
        len(place.values.rows(group.id)), group.bounds.min_items if group.required.holds(place.values.scope) else 0
    )
    if number >= group.bounds.max_items:
        return None
    return _row(showing, group, place, _blank(group, place.values), f"{path}.{number}.", number, False, False)
