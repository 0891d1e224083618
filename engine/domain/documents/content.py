"""The content of a document, fixed when it is issued: shown answers, reasons of a refusal, the data of a form.

Lines are (label, text). A line without text is the heading of the next ones. A line without label is running
text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TypeAlias

from engine.core.clock import local_day
from engine.domain.common.access import reserved_names
from engine.domain.common.working_time import add_span
from engine.domain.documents.originals import ON_PAPER, papers_to_bring
from engine.domain.fields.display import answer_words, column_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.raw_answers import fill_template
from engine.domain.fields.scope import EvaluatedAnswers, with_columns
from engine.model import APPLICATION, Appeal, Field, Form, Output, Procedure
from engine.model.directory import Agency, Calendar, Directory, Office
from engine.model.roles import role_key
from engine.records.dossier import Dossier

ContentLine: TypeAlias = tuple[str, str]


def content_of(
    evaluated: EvaluatedAnswers, dossier: Dossier, output: Output, row: int | None, speech: Speech
) -> tuple[ContentLine, ...]:
    """Return the lines of an output for a dossier, without hidden and unanswered questions, the body last."""
    columns = _columns(evaluated, output)

    def words(name: str) -> str:
        if name in columns and output.per and row is not None:
            return column_words(evaluated, output.per, row, columns[name], speech)
        return answer_words(evaluated, name, speech)

    known = {**evaluated.procedure.fields, **columns}
    shown = ((known[name].label.in_(speech.language), words(name)) for name in output.shows if name in known)
    lines = [(label, said) for label, said in shown if said]
    if output.kind == "form":
        lines += [] if output.shows else answers_of(evaluated, speech)
        lines += to_bring(evaluated, speech)
    if output.kind == "letter":
        lines += _decision(evaluated, dossier, speech)
    if output.body is not None:
        names = {name: words(name) for name in output.body.names}
        lines.append(("", fill_template(output.body.text.in_(speech.language), names)))
    return tuple(lines)


def _columns(evaluated: EvaluatedAnswers, output: Output) -> Mapping[str, Field]:
    """Return the columns of the rows that an output is issued for, with those of later forms."""
    rows = evaluated.procedure.fields.get(output.per) if output.per else None
    later = (form for form in evaluated.procedure.forms() if form.each == output.per)
    return {column.id: column for column in with_columns(rows, *later).rows} if rows else {}


# -- a letter ----------------------------------------------------------------------------------------------------------


def _decision(evaluated: EvaluatedAnswers, dossier: Dossier, speech: Speech) -> Iterator[ContentLine]:
    """Yield the decision and the reason its author wrote, and for a refusal the ways of appeal."""
    state = evaluated.procedure.states.get(dossier.state)
    refused = state is not None and state.outcome == "refused"
    if refused and state is not None:
        yield _say("pdf.decision", speech), state.label.in_(speech.language)
    entered = next((one for one in reversed(dossier.taken) if one.target == dossier.state), None)
    if entered is not None and entered.reason:
        yield _say("pdf.reason", speech), entered.reason
    if refused:
        calendar = evaluated.directory.calendar
        yield from (
            (_say("pdf.appeal", speech), _appeal(one, dossier, calendar, speech)) for one in appeals_of(evaluated)
        )


def appeals_of(evaluated: EvaluatedAnswers) -> tuple[Appeal, ...]:
    """Return the appeals of the procedure, else those of its agency."""
    return _appeals(evaluated.procedure, evaluated.directory)


def contesting_acts(procedure: Procedure, directory: Directory) -> frozenset[str]:
    """Return the acts of the procedure by which an applicant appeals."""
    return frozenset(appeal.act for appeal in _appeals(procedure, directory) if appeal.act)


def _appeals(procedure: Procedure, directory: Directory) -> tuple[Appeal, ...]:
    agency = directory.agencies.get(procedure.identity.agency)
    return tuple((procedure.identity.appeals or (agency.appeals if agency else {})).values())


def is_still_open(appeal: Appeal, procedure: Procedure, dossier: Dossier) -> bool:
    """Return False for an appeal whose act does not leave the present state, if it was taken or the state is a refusal.

    An appeal without an act is lodged elsewhere and stays open.
    """
    if appeal.act is None or any(one.id == appeal.act for one in procedure.leaving.get(dossier.state, ())):
        return True
    state = procedure.states.get(dossier.state)
    refused = state is not None and state.outcome == "refused"
    return not refused and all(one.transition != appeal.act for one in dossier.taken)


def _appeal(appeal: Appeal, dossier: Dossier, calendar: Calendar, speech: Speech) -> str:
    """Return how to appeal, within which time and until which day."""
    label = appeal.label.in_(speech.language)
    if appeal.within is None:
        return label
    within = appeal.within
    span = speech.wording.span(within.count, within.unit, within.working, speech.language)
    until = speech.wording.plain_day(local_day(add_span(dossier.entered_at, within, calendar)), speech.language)
    return speech.wording.say("pdf.appeal_within", speech.language, {"appeal": label, "span": span, "until": until})


# -- a form ------------------------------------------------------------------------------------------------------------


def answers_of(evaluated: EvaluatedAnswers, speech: Speech) -> Iterator[ContentLine]:
    """Yield the answers of the application by page.

    Sensitive answers, and values computed from them, are left out, because each reading of them must be logged.
    """
    form = evaluated.procedure.tasks.get(APPLICATION)
    sensitive = reserved_names(evaluated.procedure)
    for page in form.pages if isinstance(form, Form) else ():
        asked = [field for field in page.fields if field.id not in sensitive and evaluated.shows(field)]
        flat = [field for field in asked if field.type != "rows"]
        said = ((field.printed_label.in_(speech.language), answer_words(evaluated, field.id, speech)) for field in flat)
        lines = [(label, words) for label, words in said if words]
        yield from _headed(page.title.in_(speech.language), lines)
        yield from chain.from_iterable(_rows(evaluated, field, speech) for field in asked if field.type == "rows")


def _rows(evaluated: EvaluatedAnswers, field: Field, speech: Speech) -> Iterator[ContentLine]:
    sensitive = reserved_names(evaluated.procedure)
    columns = [column for column in field.rows if column.id not in sensitive]
    for number in range(len(evaluated.values.rows(field.id))):
        said = (
            (one.printed_label.in_(speech.language), column_words(evaluated, field.id, number, one, speech))
            for one in columns
        )
        lines = [(label, words) for label, words in said if words]
        yield from _headed(f"{field.printed_label.in_(speech.language)} ({number + 1})", lines)


def to_bring(evaluated: EvaluatedAnswers, speech: Speech) -> Iterator[ContentLine]:
    """Return the evidence that no file can replace: to show, hand over or sign at the office. Not what is held."""
    lines = []
    for field, terms in papers_to_bring(evaluated, evaluated.procedure.fields.values()):
        forms = [_say(f"pdf.bring_{form}", speech) for form in ON_PAPER if form in terms.how]
        copies = [speech.wording.say("pdf.copies", speech.language, {"count": str(terms.copies)})]
        lines.append(
            (field.printed_label.in_(speech.language), ", ".join([*forms, *(copies if terms.copies > 1 else ())]))
        )
    return _headed(_say("pdf.bring", speech), lines)


def _headed(title: str, lines: list[ContentLine]) -> Iterator[ContentLine]:
    return iter([(title, ""), *lines] if lines else ())


def _say(key: str, speech: Speech) -> str:
    return speech.wording.say(key, speech.language, {})


def issuer_of(
    procedure: Procedure, output: Output, office: str | None, directory: Directory
) -> tuple[Agency | None, Office | None]:
    """Return the agency that signs a document, with the office of the dossier, else the first of its own."""
    key = role_key(procedure, output.signed_by) if output.signed_by else ""
    agency = key.partition("/")[0] or procedure.identity.agency
    offices = directory.offices_of(agency)
    handled = directory.offices.get(office or "") if agency == procedure.identity.agency else None
    return directory.agencies.get(agency), handled or (offices[0] if offices else None)
