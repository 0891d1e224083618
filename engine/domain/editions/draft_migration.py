"""Migration of a draft to a later edition. Pure: services store the result.

A draft has no fixed promise yet, so it migrates without a map. Each answer whose question still exists with
the same type remains. An answer that the later edition refuses remains as typed, and its question is
reported. A draft with payments, bookings, tasks or links migrates as running dossiers do (`migration.cross`),
or stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.decision import Decision
from engine.domain.common.task_parts import sealed_anew
from engine.domain.editions.migration import Crossing, cross
from engine.domain.editions.prefill import is_fit
from engine.domain.editions.renaming import Translation
from engine.domain.fields.field_types import is_asked
from engine.domain.fields.files import FILE_TYPES, files_of
from engine.domain.fields.raw_answers import is_blank
from engine.domain.fields.scope import evaluate_answers
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.eligibility import next_criterion, stopped_by
from engine.domain.forms.pages import check_answers
from engine.domain.forms.posted_values import keys_of
from engine.domain.workflow.fee_quotes import fee_names, quotes
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.model import Field, Procedure
from engine.records.dossier import Attachment, Dossier, Payment

_NOT_SAID = ("empty", "file")


@dataclass(frozen=True, slots=True)
class Redrafted:
    """A draft under the later edition: with its names, then the decision.

    `new` are the additional questions. `again` are those whose answer is no longer accepted. `prices` are in
    francs, before and now, where both are known and differ.
    """

    before: Dossier
    decision: Decision
    new: tuple[str, ...]
    again: tuple[str, ...]
    prices: tuple[int, int] | None = None


def redraft(
    translation: Translation, kept: Dossier, payments: Iterable[Payment], moment: Moment
) -> Redrafted | None:  # fmt: skip
    """Return the draft under the later edition, None where it stays. `moment` uses the later edition."""
    paid = tuple(payments)
    if paid or kept.owed or kept.bookings or kept.documents or kept.done or kept.links:
        crossing = cross(translation, kept, paid, moment)
        return (
            _reported(translation, kept, crossing.before, crossing.decision, moment, ())
            if isinstance(crossing, Crossing)
            else None
        )
    there, lost = _fitting(translation, kept)
    day = local_day(moment.now)
    if stopped_by(translation.after, there.answers, day, moment.directory):
        return None
    if next_criterion(translation.after, there.answers, day, moment.directory):
        return None
    named = {old: new for old, new in translation.names.items() if old in kept.answers}
    body: dict[str, Plain] = {
        "from": translation.before.edition,
        "edition": translation.after.edition,
        "names": dict(named),
    }
    gone = {f"answers.{name}": None for name in kept.answers if name not in there.answers}
    commits = {**gone, **sealed_anew(translation.after, kept.answers, there.answers)}
    passage = TransitionContext.of(there).note("migrated", body, commits)
    return _reported(translation, kept, there, finished(passage, moment), moment, lost)


def _reported(
    translation: Translation, kept: Dossier, there: Dossier, decision: Decision, moment: Moment, lost: tuple[str, ...]
) -> Redrafted:
    """Return the migrated draft with the questions to look at, `again` in the order of the form."""
    day, directory, after = local_day(moment.now), moment.directory, translation.after
    earlier = check_answers(translation.before, kept, day, directory)
    found = check_answers(after, there, day, directory)
    known = {(translation.spot(one.at), one.code) for one in earlier}
    wrong = {
        one.at.partition(".")[0]
        for one in found
        if not one.warns and one.code not in _NOT_SAID and (one.at, one.code) not in known
    }
    evaluated, put = evaluate_answers(after, there, day, directory), _put_before(translation)
    shown = [one for one in after.form.fields if is_asked(one) and evaluated.shows(one)]
    new = (one.id for one in shown if one.id not in put and is_blank(there.answers.get(one.id)))
    again = tuple(one.id for one in shown if one.id in wrong or one.id in lost)
    was = _price(translation.before, kept, moment, _unsettled(earlier))
    comes = _price(after, there, moment, _unsettled(found) | {*lost})
    reported = Redrafted(there, decision, tuple(new), again)
    return reported if was is None or comes is None or was == comes else replace(reported, prices=(was, comes))


def _unsettled(found: Iterable[AnswerProblem]) -> frozenset[str]:
    """Return the questions that are unanswered or refused."""
    return frozenset(one.at.partition(".")[0] for one in found if not one.warns)


def _price(procedure: Procedure, dossier: Dossier, moment: Moment, unsettled: frozenset[str]) -> int | None:
    """Return the sum of all fees for these answers today in francs.

    None while an amount, or whether it is owed, depends on an open question.
    """
    scope = evaluate_answers(procedure, dossier, local_day(moment.now), moment.directory).scope
    found = quotes(procedure, scope, dossier.language, moment.wording)
    asked = {one.id for one in _questions(procedure)}
    later = (name for name, one in procedure.fields.items() if name not in asked and one.value is None)
    if any(one.missing for one in found) or not _hangs_on(procedure).isdisjoint((*unsettled, *later)):
        return None
    return sum(one.amount for one in found)


def _hangs_on(procedure: Procedure) -> set[str]:
    """Return every name that a fee depends on, through computed values and conditions too."""
    pages = {one.id: page.when for page in procedure.form.pages for one in page.fields}
    left = [name for fee in procedure.fees() for name in fee_names(fee)]
    left += [line.for_each for fee in procedure.fees() for line in fee.lines if line.for_each is not None]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        if (one := procedure.fields.get(name)) is not None:
            guards = (one.when, one.value, pages.get(name))
            left += [behind for guard in guards if guard is not None for behind in guard.names]
    return found


# -- answers -----------------------------------------------------------------------------------------------------------


def _questions(procedure: Procedure) -> tuple[Field, ...]:
    return (*(one.field for one in procedure.eligibility), *procedure.form.fields)


def _put_before(translation: Translation) -> dict[str, Field]:
    """Return the earlier edition's questions by their present name."""
    named = ((translation.name(one.id), one) for one in _questions(translation.before))
    return {name: one for name, one in named if name is not None}


def _fitting(translation: Translation, kept: Dossier) -> tuple[Dossier, tuple[str, ...]]:
    """Return the draft with the answers whose question still has the same type, and the questions that lost theirs."""
    there, put = translation.dossier(kept), _put_before(translation)
    asked = {key: one for one in _questions(translation.after) for key in keys_of(one)}
    earlier = {key for one in put.values() for key in keys_of(replace(one, id=translation.name(one.id) or one.id))}
    files = {one.id: one for one in kept.attachments}
    answers: dict[str, Plain] = {}
    lost: dict[str, None] = {}
    for key, value in there.answers.items():
        field = asked.get(key)
        if field is None:
            if key not in earlier:  # not the answer to a question
                answers[key] = value
            continue
        was = put.get(field.id)
        if (was is not None and _kind(was) != _kind(field)) or not _takes(field, value, files):
            if not is_blank(value):
                lost[field.id] = None
            continue
        answers[key] = _rows(translation, was, field, value, was.id if was else "", files)
    reused = there.reused
    if reused is not None:
        names = (translation.name(one) for one in reused.fields)
        reused = replace(reused, fields=frozenset(name for name in names if name is not None and name in answers))
    return replace(there, answers=answers, reused=reused), tuple(lost)


def _kind(field: Field) -> tuple[object, ...]:
    return field.type, field.list_id, field.scheme, field.level


def _takes(field: Field, value: Plain, files: Mapping[str, Attachment]) -> bool:
    """Return True when the question accepts the files of the answer."""
    return field.type not in FILE_TYPES or all(is_fit(field, files[one]) for one in files_of(value) if one in files)


def _rows(
    translation: Translation, was: Field | None, field: Field, value: Plain, path: str, files: Mapping[str, Attachment]
) -> Plain:
    """Return rows with the columns that still exist with the same type."""
    if was is None or field.type != "rows" or not isinstance(value, list):
        return value
    columns = dict(_columns(translation, was, path))
    asked = {key: one for one in field.rows for key in keys_of(one)}

    def cells(row: Mapping[str, Plain]) -> Iterator[tuple[str, Plain]]:
        for key, cell in row.items():
            column = asked.get(key)
            earlier = columns.get(column.id) if column is not None else None
            if column is None or (earlier is not None and _kind(earlier) != _kind(column)):
                continue
            if _takes(column, cell, files):
                yield key, _rows(translation, earlier, column, cell, f"{path}.{earlier.id if earlier else ''}", files)

    return [dict(cells(row)) if isinstance(row, dict) else row for row in value]


def _columns(translation: Translation, was: Field, path: str) -> Iterator[tuple[str, Field]]:
    for column in was.rows:
        name = translation.names.get(f"{path}.{column.id}", column.id)
        if name is not None:
            yield name.rpartition(".")[2], column
