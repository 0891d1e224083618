"""Answers as an agent reads them: the application by page, then later contributions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.core.values import Plain, texts_in
from engine.domain.common.access import may_read, may_read_file, may_read_whole
from engine.domain.common.task_parts import SILENT, is_in_parts
from engine.domain.fields.field_type import FieldContext, Speech
from engine.domain.fields.field_types import text as answer_text
from engine.domain.fields.raw_answers import OTHER, Raw, is_blank
from engine.domain.fields.views import FieldView, FormView, PageView, RowView
from engine.domain.forms.pages import view_filling
from engine.domain.forms.posted_values import read_answers
from engine.domain.workflow.progress import correction_to_compare
from engine.model import APPLICANT, APPLICATION, SYSTEM, Field, Form
from engine.records.dossier import Attachment, ConfirmedAnswer, CorrectionRequest
from engine.services.applications.contributions import Contribution, contributions
from engine.services.applications.drafts import see_form
from engine.services.applications.held_documents import held_by_others, worth_of_held
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx, day_of, language, moment_of, say, site
from renderers.web.shared.agent_dossier import AgentCase, act_label, row_name
from renderers.web.shared.staff import people, short_moment


@dataclass(frozen=True, slots=True)
class Paper:
    """One file, and its size and time of receipt as text."""

    id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One answer as an agent reads it. `tick` is the question's id if a correction can be asked now."""

    label: str
    text: str
    masked: bool = False
    tick: str = ""
    note: str = ""  # the correction and its state, or the author
    note_kind: str = ""
    files: tuple[Paper, ...] = ()
    instead: str = ""  # what the piece says where it differs
    confirmed: str = ""  # by whom, when and on which piece
    is_changed: bool = False  # by the last correction, or asked in it
    before: str = ""  # the former answer
    before_files: tuple[Paper, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentAnswerSection:
    """The answers of one page or task."""

    title: str
    answers: tuple[AnswerView, ...]


def application(one: AgentCase) -> FormView:
    """Return the submitted form, without the answers that this agent may not read."""
    return see_form(app_ctx(), actor(), one.id)


def answer_sections(one: AgentCase, form: FormView, ticks: frozenset[str]) -> list[AgentAnswerSection]:
    """Return the application by page. Answers that this agent may not read are masked."""
    sections = [AgentAnswerSection(label(page.agents_title), tuple(_answers(one, page, ticks))) for page in form.pages]
    return [section for section in sections if section.answers]


def changed_only(sections: Iterable[AgentAnswerSection]) -> list[AgentAnswerSection]:
    """Return the answers that the last correction changed or was asked to change."""
    found = [replace(one, answers=tuple(answer for answer in one.answers if answer.is_changed)) for one in sections]
    return [section for section in found if section.answers]


def later_sections(one: AgentCase, form: FormView) -> list[AgentAnswerSection]:
    """Return what services, applicant and registers gave after submission, grouped by task."""
    parts: dict[str, list[Contribution]] = {}
    for given in contributions(app_ctx(), actor(), one.id):
        parts.setdefault(given.form.id, []).append(given)
    names = people(given.by for those in parts.values() for given in those)
    found = []
    for task in one.procedure.forms():
        if is_in_parts(task):
            lines = tuple(line for given in parts.get(task.id, ()) for line in _part(one, given, form, names))
            found.append(AgentAnswerSection(label(task.agents_label), lines))
        elif task.id in one.dossier.done:
            found.append(AgentAnswerSection(_title(task), tuple(_whole(one, task))))
    return [section for section in found if section.answers]


def answer_lines(one: AgentCase, page: PageView) -> list[tuple[str, str]]:
    """Return the answers of a page and their labels, rows included, as a preview shows them."""
    said = _answers(one, page, frozenset())
    return [(line.label, line.text or ", ".join(file.name for file in line.files) or "–") for line in said]


def written_lines(
    one: AgentCase, fields: Iterable[Field], raw: Raw, prefix: str = ""
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Yield what was posted in a form, even one that is no longer open: labels, and the answers in words.

    A wrong answer stays as it was typed. The names of the controls begin with `prefix`.
    """
    fields, asking = tuple(fields), one.evaluated().asking()
    answers = read_answers(fields, {}, None, raw, prefix, asking)
    return _written(fields, answers, asking, Speech(app_ctx().wording, language()))


def _written(
    fields: Iterable[Field], answers: Mapping[str, Plain], asking: FieldContext, speech: Speech
) -> Iterator[tuple[str, str]]:  # fmt: skip
    for field in fields:
        plain, title = answers.get(field.id), label(field.agents_label)
        if isinstance(plain, list) and field.type == "rows":
            for number, row in enumerate(plain, 1):
                lines = _written(field.rows, row if isinstance(row, dict) else {}, asking, speech)
                yield from ((f"{say('rows.number', number=number)} – {name}", text) for name, text in lines)
        elif not is_blank(plain):
            yield title, answer_text(field, plain, asking, speech, answers.get(f"{field.id}_{OTHER}"))


def _title(task: Form) -> str:
    if APPLICANT in task.by:
        return say("waits.by_applicant", task=label(task.agents_label))
    return say("waits.by_register", task=label(task.agents_label)) if task.by == (SYSTEM,) else label(task.agents_label)


def _whole(one: AgentCase, task: Form) -> Iterator[AnswerView]:
    if task.id == APPLICATION:
        return
    view = view_filling(
        one.procedure, task.id, one.dossier, app_ctx().day(), app_ctx().directory, app_ctx().wording, reader=actor()
    )
    answers = [line for page in view.pages for line in _answers(one, page, frozenset())]
    result = one.dossier.answers.get(task.id) if task.register is not None else None
    if result is not None and not any(line.masked for line in answers):
        yield AnswerView(say("event.done_look_up"), say(f"expr.look_up.{result}"))
    yield from answers


def _part(one: AgentCase, given: Contribution, form: FormView, names: Mapping[str, str]) -> Iterator[AnswerView]:
    """Yield an opinion or the answers of one row. The first has the author in its note."""
    title = label(given.label) if given.form.services else row_name(rows_of(form, given.form.each), int(given.part))
    if given.page is None:
        yield AnswerView(title, "", masked=True, note=_person(given, names), note_kind="by")
        return
    for number, answer in enumerate(_answers(one, given.page, frozenset())):
        if number == 0 and given.form.services:
            opinion = str(one.dossier.answers.get(given.part))
            said = tacit_opinion(opinion) if given.by == SYSTEM else answer.text
            yield replace(answer, label=title, text=said, note=_person(given, names), note_kind="by")
        else:
            own = (_person(given, names), "by") if number == 0 else ("", "")
            yield replace(answer, label=f"{title} – {answer.label}", note=own[0], note_kind=own[1])


def tacit_opinion(opinion: str) -> str:
    """Return the words of an opinion that silence gave at the end of its time. No person gave it."""
    return say("waits.silent") if opinion == SILENT else say(f"waits.tacit_{opinion}")


def given_already(one: AgentCase, form_id: str, part: str | None) -> str:
    """Return who gave an opinion or filled a row, and when, or that its time is over. Empty if it is not given."""
    for given in contributions(app_ctx(), actor(), one.id):
        if (given.form.id, given.part) == (form_id, part):
            if given.by == SYSTEM and given.at is not None:
                return say("errand.over", day=day_of(given.at))
            return say("errand.given", hand=_person(given, people([given.by])))
    return ""


def _person(given: Contribution, names: Mapping[str, str]) -> str:
    """Return the author and the day. A tacit opinion names the end of its time limit."""
    if given.at is None:
        return say("waits.hand", name=names.get(given.by) or say("desk.unknown_person"))
    day = day_of(given.at)
    if given.by == SYSTEM:
        return say("waits.time_over", day=day)
    return say("waits.hand_on", name=names.get(given.by) or say("desk.unknown_person"), day=day)


def rows_of(form: FormView, name: str | None) -> FieldView | None:
    """Return the rows question of the application, None if it is not asked."""
    return next((view for page in form.pages for view in page.fields if view.id == name), None)


def row_answers(one: AgentCase, form: FormView, name: str | None, number: int) -> tuple[AnswerView, ...]:
    """Return all answers of one row, counted from 0, for the agent who decides on it."""
    view = rows_of(form, name)
    row = view.rows[number] if view and number < len(view.rows) else None
    shown = (inner for inner in row.fields if inner.shown and inner.type != "note") if row else ()
    return tuple(_answer(one, inner, label(inner.agents_label), "", frozenset()) for inner in shown)


# -- one answer --------------------------------------------------------------------------------------------------------


def _answers(one: AgentCase, page: PageView, ticks: frozenset[str]) -> Iterator[AnswerView]:
    for view in page.fields:
        if not view.shown or view.type == "note":
            continue
        if view.type == "rows":
            yield from _row_answers(one, view, ticks)
        else:
            yield _answer(one, view, label(view.agents_label), view.id, ticks)


def _row_answers(one: AgentCase, view: FieldView, ticks: frozenset[str]) -> Iterator[AnswerView]:
    """Yield each row's answers under its title. A correction is asked for the whole group."""
    count = say("waits.rows", count=len(view.rows)) if view.rows else say("rows.none")
    yield _answer(one, view, label(view.agents_label), view.id, ticks, count)
    for row in view.rows:
        for inner in row.fields:
            if inner.shown and inner.type != "note":
                yield _answer(one, inner, f"{_row_title(row)} – {label(inner.agents_label)}", "", ticks)


def _row_title(row: RowView) -> str:
    return row.label or say("rows.number", number=row.number)


def _answer(
    one: AgentCase, view: FieldView, title: str, field: str, ticks: frozenset[str], text: str | None = None
) -> AnswerView:
    compared = _compared(one, view, field)
    kind, note = compared.note if compared else _awaited_note(one, field)
    if view.is_held and not note:
        kind, note = _held_note(one, view)
    files = (one.dossier.attachment(file.id) for file in view.files)
    return AnswerView(
        title, _said(view) if text is None else text, view.masked, field if field in ticks and not view.masked else "",
        note, kind, tuple(paper(one, file) for file in files if file is not None), *_confirmed(one, view),
        compared is not None, compared.before if compared else "", compared.files if compared else (),
    )  # fmt: skip


def _held_note(one: AgentCase, view: FieldView) -> tuple[str, str]:
    """Return what an agent must know of a held document: it is not valid today, or it names another person."""
    if worth_of_held(app_ctx(), actor(), one.id).get(view.id) != "valid":
        return "act", say("case.held_lost")
    return ("act", say("case.held_other")) if view.id in held_by_others(app_ctx(), actor(), one.id) else ("", "")


def _confirmed(one: AgentCase, view: FieldView) -> tuple[str, str]:
    """Return what the piece says where it differs, then by whom, when and on which piece the answer is confirmed."""
    kept = one.dossier.confirmed.get(view.path) if not view.masked else None
    if kept is None:
        return "", ""
    piece, at = act_label(one.procedure, kept.piece), moment_of(kept.at)
    proof = field_named(one, f"{view.path.rpartition('.')[0]}.{kept.piece}".lstrip("."))
    piece = label(proof.agents_label) if proof else piece
    if kept.by == SYSTEM:
        return "", say("compare.confirmed_register", piece=piece, at=at)
    name = one.confirmers.get(kept.by) or say("desk.unknown_person")
    return _instead(one, view.path, kept), say("compare.confirmed", piece=piece, name=name, at=at)


def _instead(one: AgentCase, name: str, kept: ConfirmedAnswer) -> str:
    return say("compare.instead", value=piece_value(one, name, kept)) if kept.differs else ""


def piece_value(one: AgentCase, name: str, kept: ConfirmedAnswer) -> str:
    """Return what the piece says for an answer, as text."""
    field = field_named(one, name)
    if field is None:
        return str(kept.value or "")
    asking = one.evaluated().asking(name.partition(".")[0])
    return answer_text(field, kept.value, asking, Speech(app_ctx().wording, language()))


def field_named(one: AgentCase, name: str) -> Field | None:
    """Return a question by its name, or the column of `voyageurs.0.nom`. None for another name."""
    rows, _, column = name.partition(".")
    field = one.procedure.fields.get(rows)
    if field is None or not column:
        return field
    return next((inner for inner in field.rows if inner.id == column.partition(".")[2]), None)


def _said(view: FieldView) -> str:
    on_paper = view.type == "evidence" and "upload" not in view.how and not view.is_held
    return " ".join(say(f"piece.how.{how}") for how in view.how) if on_paper else view.text


def paper(one: AgentCase, file: Attachment) -> Paper:
    """Return the line of a file: its name, size and time of receipt."""
    text = say(
        "case.file_text", kind=file.kind.upper(), size=site().words.size(file.size, language()),
        moment=short_moment(file.received_at)[1],
    )  # fmt: skip
    return Paper(file.id, file.name, text)


def papers_read(one: AgentCase, ids: tuple[str, ...]) -> tuple[Paper, ...]:
    """Return those of these files that this agent may open."""
    files = (one.dossier.attachment(file_id) for file_id in ids)
    return tuple(
        paper(one, file) for file in files if file and may_read_file(one.procedure, one.dossier, file, actor())
    )  # fmt: skip


# -- corrections -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Compared:
    """One answer beside the one that a correction replaced. `note`: colour and words."""

    note: tuple[str, str]
    before: str = ""
    files: tuple[Paper, ...] = ()


def _awaited_note(one: AgentCase, field: str) -> tuple[str, str]:
    correction = one.dossier.correction
    if correction is None or field not in correction.fields:
        return "", ""
    reason = _reason(one, field, correction)
    return "act", say("case.awaited", reason=reason) if reason else say("case.awaited_bare")


def _reason(one: AgentCase, field: str, asked: CorrectionRequest) -> str:
    """Return why an answer must be corrected. It may quote the answer, of rows any column: for those who read them all."""
    whole = may_read_whole(one.procedure, one.dossier, one.procedure.fields[field], actor())
    return asked.fields[field] if whole else ""


def _compared(one: AgentCase, view: FieldView, field: str) -> _Compared | None:
    """Return an answer that the last correction changed or was asked to change, with the former one. None otherwise."""
    sent = correction_to_compare(one.dossier)
    changed = () if sent is None else tuple(name for name in (field, f"{field}_{OTHER}") if name in sent.before)
    if sent is None or view.masked or not (changed or field in sent.fields):
        return None
    reason = _reason(one, field, sent) if field in sent.fields else None
    if not changed:
        return _Compared(("act", say("case.unchanged", reason=reason) if reason else say("case.unchanged_bare")))
    note = ("act", say("case.changed_too"))
    if reason is not None:
        note = ("ok", say("case.corrected", reason=reason) if reason else say("case.corrected_bare"))
    return _Compared(note, *_former(one, field, sent.before))


def _former(one: AgentCase, field: str, before: Mapping[str, Plain]) -> tuple[str, tuple[Paper, ...]]:
    """Return the former answer in words, and the former files that this agent may open."""
    plain = before[field] if field in before else one.dossier.answers.get(field)
    asked, files = one.procedure.fields[field], papers_read(one, tuple(texts_in(plain)))
    if is_blank(plain):
        return say("case.before_blank"), ()
    speech = Speech(app_ctx().wording, language())
    if asked.type == "rows":
        columns = (column for column in asked.rows if may_read(one.procedure, one.dossier, column.id, actor()))
        readable = replace(asked, rows=tuple(columns))
        written = _written([readable], {field: plain}, one.evaluated().asking(), speech)
        return "; ".join(say("frame.pair", label=title, value=text) for title, text in written), ()
    detail = before.get(f"{field}_{OTHER}")
    return ("", files) if files else (answer_text(asked, plain, one.evaluated().asking(), speech, detail), ())
