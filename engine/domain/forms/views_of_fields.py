"""Views of questions for renderers: texts, answers, problems and the reader's rights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from engine.core.values import Plain, Text
from engine.domain.common.access import guarded_names, may_read_seen, may_see
from engine.domain.common.text_provider import Wording
from engine.domain.fields.choices import ChoiceKind, is_open
from engine.domain.fields.field_type import FieldContext, FieldKind, Speech
from engine.domain.fields.field_types import is_asked, kind_of, text
from engine.domain.fields.files import FILE_TYPES, files_of
from engine.domain.fields.raw_answers import OTHER, fill_template, is_wrong, typed_text
from engine.domain.fields.scope import EvaluatedAnswers, Values
from engine.domain.fields.views import AnswerProblem, FieldView, FileView, OptionView, RowView
from engine.language.expressions.compiler import expression_of, tree
from engine.language.expressions.nodes import And, Compare, Name, Node, Not, OneOf, Or, Ticked, names_of
from engine.model import Field, Option
from engine.model.types import Constant, Expression, Scope
from engine.records.dossier import Actor, Dossier


def plain_condition(when: Expression, paths: Mapping[str, str], scope: Scope) -> Plain:
    """Return the condition as data for the browser.

    None when it is not simple or names none of `paths` (name → control). Its parts about other pages are
    evaluated now.
    """
    if not when.names & paths.keys():
        return None
    found = _plain(tree(when), paths, scope)
    return found if isinstance(found, dict) else None


def _plain(node: Node, paths: Mapping[str, str], scope: Scope) -> Plain:
    """Return a condition as data, `True` or `False` when it is decided, None when it is not simple."""
    if not names_of(node) & paths.keys():
        return expression_of(node, "").holds(scope)
    match node:
        case Name(id=name) if node.type.kind == "yes_no":
            return {"field": paths[name], "in": ["true"]}
        case OneOf(item=Name(id=name)):
            return {"field": paths[name], "out" if node.negated else "in": [str(code) for code in node.among]}
        case Compare(left=Name(id=name), sign="==" | "!=", right=Constant(value=str(code))):
            return {"field": paths[name], "in" if node.sign == "==" else "out": [code]}
        case Ticked(code=Constant(value=str(code)), choices=Name(id=name)):
            return {"field": paths[name], "out" if node.negated else "in": [code]}
        case Not():
            inner = _plain(node.item, paths, scope)
            return not inner if isinstance(inner, bool) else None if inner is None else {"not": inner}
        case And():
            return _joined("all", [_plain(one, paths, scope) for one in node.items])
        case Or():
            return _joined("any", [_plain(one, paths, scope) for one in node.items])
        case _:
            return None


def _joined(word: str, parts: list[Plain]) -> Plain:
    """Return conditions combined, without those that are decided."""
    decides = word == "any"
    if decides in parts:
        return decides
    left = [part for part in parts if not isinstance(part, bool)]
    if any(part is None for part in left):
        return None
    return not decides if not left else left[0] if len(left) == 1 else {word: left}


@dataclass(frozen=True, slots=True)
class Showing:
    """The reader and the state of a form. `open` are the questions that may be answered now (None = all).

    With `fills` the answers are only shown in their controls: those of open questions have no text for readers. With
    `whole` every question is shown, as on paper.
    """

    evaluated: EvaluatedAnswers
    speech: Speech
    dossier: Dossier | None = None
    open: frozenset[str] | None = None
    reader: Actor | None = None
    problems: Mapping[str, tuple[AnswerProblem, ...]] = field(default_factory=lambda: MappingProxyType({}))
    fills: bool = False
    whole: bool = False

    def may_read(self) -> Callable[[str], bool]:
        """Return a test whether the reader may read the answer to a question."""
        reader, dossier, procedure = self.reader, self.dossier, self.evaluated.procedure
        if reader is None or dossier is None:
            return lambda _: True
        sees, limited = may_see(procedure, dossier, reader), guarded_names(procedure)
        return lambda name: sees and (name not in limited or may_read_seen(procedure, dossier, name, reader))


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a question: values of its level, path prefix, controls of its page.

    `locked` and `masked` come from the question that contains it.
    """

    values: Values
    prefix: str
    controls: Mapping[str, str]
    locked: bool
    masked: bool


def speech_for(reader: Actor | None, dossier: Dossier, wording: Wording) -> Speech:
    """Return the texts in the language of the reader, else of the dossier."""
    return Speech(wording, reader.language if reader and reader.language else dossier.language)


def field_views(showing: Showing, fields: tuple[Field, ...]) -> Iterator[FieldView]:
    """Yield the questions of a page: the visible ones, and those that a browser may reveal."""
    controls = _controls(fields, "") if any(one.when.names or one.rows for one in fields) else {}
    return _views(showing, fields, _Place(showing.evaluated.values, "", controls, False, False))


def row_views(showing: Showing, fields: tuple[Field, ...], row: Values) -> Iterator[FieldView]:
    """Yield the questions of a page that is answered for one row."""
    return _views(showing, fields, _Place(row, "", _controls(fields, ""), False, False))


def compared_views(
    showing: Showing, fields: tuple[Field, ...], answers: Mapping[str, Plain], prefix: str
) -> Iterator[FieldView]:  # fmt: skip
    """Yield questions about a piece with these answers, whoever may read those of the application."""
    values = Values({one.id: one for one in fields}, answers, {})
    values.scope = showing.evaluated.values.scope
    place = _Place(values, prefix, {}, False, False)
    return (_view(showing, one, place, True, False, False, None) for one in fields)


def by_place(problems: Iterable[AnswerProblem]) -> Mapping[str, tuple[AnswerProblem, ...]]:
    """Return problems by the path of their control."""
    found: dict[str, tuple[AnswerProblem, ...]] = {}
    for one in problems:
        found[one.at] = (*found.get(one.at, ()), one)
    return found


def _controls(fields: Iterable[Field], prefix: str) -> dict[str, str]:
    return {one.id: prefix + one.id for one in fields if is_asked(one) and one.type != "rows"}


def _views(showing: Showing, fields: Iterable[Field], place: _Place) -> Iterator[FieldView]:
    may_read = showing.may_read()
    for one in fields:
        shown = place.values.shows(one.id)
        masked = place.masked or not may_read(one.id)
        locked = place.locked or not (showing.open is None or place.prefix or one.id in showing.open)
        condition = None
        if one.when.names and not masked and not locked and is_asked(one):
            condition = plain_condition(one.when, place.controls, place.values.scope_for(one.id))
        if shown or condition is not None or (showing.whole and is_asked(one)):
            yield _view(showing, one, place, shown, locked, masked, condition)


def _view(
    showing: Showing, one: Field, place: _Place, shown: bool, locked: bool, masked: bool, condition: Plain
) -> FieldView:
    said, path, answers = one.once(_said), place.prefix + one.id, place.values.answers
    settled, is_rows = said.view.definition is not None, one.type == "rows"
    scope = place.values.scope_for(one.id)
    plain = _readable(showing, one, place, locked, masked) if masked or said.is_derived else answers.get(one.id)
    detail = answers.get(f"{one.id}_{OTHER}") if one.other and not masked else None
    view = said.view.with_answer(
        path=path, required=one.required.holds(scope), shown=shown, locked=locked, masked=masked, condition=condition,
        value=None if is_rows else typed_text(plain) if is_wrong(plain) else plain, boxes=said.kind.boxes(plain),
        other_value=detail if isinstance(detail, str) else "", options=said.picked(plain) if said.options else (),
        problems=_problems(showing, path) if showing.problems else (),
        reason=None if place.prefix else _reason(showing.dossier, one),
        sensitive=one.id in showing.evaluated.procedure.personal_data.sensitive,
    )  # fmt: skip
    unread = is_rows or plain is None or (showing.fills and settled and not (locked or place.prefix or one.value))
    if settled and unread:
        return view
    asking = showing.evaluated.asking_in(scope)
    written = "" if unread else text(one, plain, asking, showing.speech, detail)
    if settled:
        return view.with_answer(text=written)
    view = view.with_answer(
        text=written, example=_example(one, asking), options=tuple(_options(showing, one, asking, plain)),
        files=_files(showing.dossier, plain) if one.type in FILE_TYPES else (),
    )  # fmt: skip
    if not is_rows:
        return view
    rows = tuple(_rows(showing, one, place, path, locked, masked))
    blank = None if locked or masked else _blank_row(showing, one, place, path)
    return view.with_answer(rows=rows, blank_row=blank)


@dataclass(frozen=True, slots=True)
class _Said:
    """The part of a question's view that the procedure alone decides.

    It holds the view before any answer, and each option twice, not chosen and chosen. Options and texts are
    complete only when the view has a `definition`.
    """

    view: FieldView
    kind: FieldKind
    is_derived: bool  # computed, or with a default
    options: tuple[tuple[OptionView, OptionView], ...]

    def picked(self, plain: Plain) -> tuple[OptionView, ...]:
        """Return the options with those of the answer chosen."""
        return tuple([one[_is_chosen(one[0].code, plain)] for one in self.options])


def _said(one: Field) -> _Said:
    evidence, bounds, settled = one.evidence, one.bounds, _is_settled(one)
    asking = FieldContext(Scope({}, date.min))  # not used when the definition alone decides
    view = FieldView(
        id=one.id, path=one.id, type=one.type, label=one.label, agents_label=one.agents_label, help=one.help, unit=one.unit, basis=one.law_of("*"),
        computed=one.value is not None, lines=one.lines, upper=one.upper, max_length=bounds.max_length,
        max_items=bounds.max_items, min_items=bounds.min_items, max_size=bounds.max_size, accept=bounds.accept,
        has_other=one.other, how=evidence.how if evidence else (), copies=evidence.copies if evidence else 1,
        asks_issue_date=evidence is not None and evidence.max_age is not None,
        columns=tuple(column.type for column in one.rows if is_asked(column)),
        example=_example(one, asking) if settled else "",
        definition=object() if settled else None,
    )  # fmt: skip
    options = kind_of(one).options(one, asking) if settled else ()
    shown = ((_option(option, asking, False), _option(option, asking, True)) for option in options)
    return _Said(view, kind_of(one), one.value is not None or one.default is not None, tuple(shown))


def _is_settled(one: Field) -> bool:
    """Return True when the definition alone decides the view of a question, without any answer, day or list."""
    if one.type in FILE_TYPES or one.type == "rows" or one.scheme or not _is_written(one.example):
        return False
    if not isinstance(kind_of(one), ChoiceKind):
        return True
    dated = any(option.from_ or option.until or not _is_written(option.when) for option in one.options)
    return bool(one.options) and one.under is None and not dated


def _is_written(*expressions: Expression | None) -> bool:
    return all(one is None or isinstance(one.node, Constant) for one in expressions)


def _readable(showing: Showing, one: Field, place: _Place, locked: bool, masked: bool) -> Plain:
    """Return the answer as this reader may see it, None for a masked or not yet computed one."""
    early = one.value is not None and not place.prefix and _too_early(showing.evaluated, one)
    return None if masked or early else _answer(one, place.values, locked)


def _example(one: Field, asking: FieldContext) -> str:
    """Return the example of the definition, else of the scheme, where it can be shown beside the question."""
    kind = kind_of(one)
    plain = kind.plain(one.example.value(asking.scope)) if one.example else None
    if plain is None and one.scheme:
        plain = kind.example(one, asking)
    return str(plain) if isinstance(plain, str | int) and not isinstance(plain, bool) else ""


def _answer(one: Field, values: Values, locked: bool) -> Plain:
    """Return the stored answer, the value of a computed question, or the default of one that was never shown."""
    if one.value is not None:
        return kind_of(one).plain(values[one.id])
    if one.id not in values.answers and one.default is not None and not locked:
        return kind_of(one).plain(one.default.value(values.scope_for(one.id)))
    return values.answers.get(one.id)


def _too_early(evaluated: EvaluatedAnswers, one: Field) -> bool:
    """Return True for a computed answer whose rows are still empty: the result of no rows would mislead."""
    fields, seen, left = evaluated.procedure.fields, set[str](), set(one.value.names if one.value else ())
    while left:
        name = left.pop()
        seen.add(name)
        field = fields.get(name)
        if field is not None and field.type == "rows" and evaluated.shows(field) and not evaluated.values.rows(name):
            return field.required.holds(evaluated.scope)
        left |= set(field.value.names) - seen if field is not None and field.value is not None else set()
    return False


def _options(showing: Showing, one: Field, asking: FieldContext, plain: Plain) -> Iterator[OptionView]:
    """Yield the options. While the parent question is blank, all are shown in groups of the parent's options.

    Without scripts both questions are answered on one page.
    """
    kind, above = kind_of(one), showing.evaluated.procedure.fields.get(one.under or "")
    offered, groups = kind.options(one, asking), dict[str | None, Text]()
    if above and isinstance(kind, ChoiceKind) and asking.scope.get(above.id) is None:
        offered = kind.all_options(one, asking)
        groups = {option.code: option.label for option in kind_of(above).options(above, asking)}
    for option in offered:
        yield _option(option, asking, _is_chosen(option.code, plain), groups.get(option.parent))


def _option(option: Option, asking: FieldContext, chosen: bool, group: Text | None = None) -> OptionView:
    shut = not is_open(option, asking.scope)
    return OptionView(option.code, option.label, option.help, chosen, shut, option.because, group)


def _is_chosen(code: str, plain: Plain) -> bool:
    if isinstance(plain, dict):
        plain = plain.get("is")
    return code in plain if isinstance(plain, list) else code == plain


def _problems(showing: Showing, path: str) -> tuple[AnswerProblem, ...]:
    """Return the problems of the control and of the controls beside it."""
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
    """Yield the answered rows, and blank ones up to the least number."""
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
        if not group.row_label.names:  # the same words for each row, so its number follows
            label = f"{group.row_label.text.in_(showing.speech.language)} {number + 1}"
        elif any(said.get(name) for name in group.row_label.names):  # a row without answers to its label has no name
            label = " ".join(fill_template(group.row_label.text.in_(showing.speech.language), said).split())
    return RowView(number + 1, label, views)


def _blank(group: Field, values: Values) -> Values:
    row = Values({one.id: one for one in group.rows}, {}, {})
    row.scope = values.scope_for(group.id).inside(row)
    return row


def _blank_row(showing: Showing, group: Field, place: _Place, path: str) -> RowView | None:
    """Return the row that the applicant may add, None at the largest number of rows."""
    number = max(
        len(place.values.rows(group.id)), group.bounds.min_items if group.required.holds(place.values.scope) else 0
    )
    if number >= group.bounds.max_items:
        return None
    return _row(showing, group, place, _blank(group, place.values), f"{path}.{number}.", number, False, False)
