"""PieceComparison of answers with pieces: what an agent posts, its problems, and the questions to draw.

A box (`act-same`) says that the piece says the same. A control of the question's own type (`act-piece-<answer>`)
holds what the piece says instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.core.values import Plain
from engine.domain.common.decision import PieceComparison
from engine.domain.fields.display import answer_words, column_words
from engine.domain.fields.field_type import FieldContext
from engine.domain.fields.field_types import adopt, field_problems, read_field
from engine.domain.fields.raw_answers import Raw, fault, is_blank
from engine.domain.fields.scope import EvaluatedAnswers
from engine.domain.fields.views import AnswerProblem, FieldView
from engine.domain.forms.views_of_fields import Showing, compared_views
from engine.domain.workflow.confirmations import ToCompare
from engine.model import Field
from engine.model.types import FALSE, TRUE

SAME: Final = "act-same"
TYPED: Final = "act-piece-"
_OF_BOXES: Final = frozenset({"unconfirmed", "unconfirmed_ticked", "same_and_typed"})


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """One answer to compare, as the page draws it. `control` is None where nothing can be typed.

    `problems` are those of its box. Those of what is typed are in `control`.
    """

    asked: ToCompare
    text: str
    ticked: bool
    control: FieldView | None
    problems: tuple[AnswerProblem, ...] = ()


def read_comparison(evaluated: EvaluatedAnswers, asked: Iterable[ToCompare], raw: Raw) -> PieceComparison:
    """Return the comparison of a post. What is typed wrongly stays as typed, for `comparison_problems`.

    A typed value that is the answer counts as ticked.
    """
    ticked, same, differs = set(raw.get(SAME, ())), [], dict[str, Plain]()
    for one in asked:
        typed = _typed(evaluated, one, raw) if one.is_typed else None
        equal = not is_blank(typed) and typed == one.kept
        if one.name in ticked or equal:
            same.append(one.name)
        if not is_blank(typed) and not equal:
            differs[one.name] = typed
    return PieceComparison(tuple(same), differs)


def adopt_comparison(
    evaluated: EvaluatedAnswers, asked: Iterable[ToCompare], differs: Mapping[str, Plain]
) -> PieceComparison:  # fmt: skip
    """Return the comparison in which every answer is equal except those given, as a story or an interface writes it."""
    known = {one.name: one for one in asked}
    adopted = {
        name: adopt(_question(known[name]), {name: value}, _context(evaluated, known[name]))[name]
        if name in known and known[name].is_typed else value
        for name, value in differs.items()
    }  # fmt: skip
    return PieceComparison(tuple(name for name in known if name not in adopted), adopted)


def comparison_problems(
    evaluated: EvaluatedAnswers, asked: Iterable[ToCompare], compared: PieceComparison
) -> Iterator[AnswerProblem]:  # fmt: skip
    """Yield what is wrong with each answer: neither ticked nor typed, both, or typed wrongly."""
    for one in asked:
        path, question = f"{TYPED}{one.name}", _question(one)
        if one.name in compared.differs and one.name in compared.same:
            yield fault("same_and_typed").at(path, question)
        elif one.name in compared.differs:
            yield from field_problems(question, compared.differs, path, _context(evaluated, one))
        elif one.name not in compared.same:
            yield fault("unconfirmed" if one.is_typed else "unconfirmed_ticked").at(path, question)


def compared_answers(
    showing: Showing, asked: Iterable[ToCompare], compared: PieceComparison, problems: Iterable[AnswerProblem]
) -> Iterator[ComparedAnswer]:  # fmt: skip
    """Yield the answers as the page draws them, with their problems."""
    found: dict[str, list[AnswerProblem]] = {}
    for problem in problems:
        found.setdefault(problem.at, []).append(problem)
    for one in asked:
        mine = tuple(found.get(f"{TYPED}{one.name}", ()))
        control = None
        if one.is_typed:
            said = {one.name: compared.differs.get(one.name)}
            control = next(compared_views(showing, (_question(one),), said, TYPED))
            control = control.with_answer(problems=tuple(problem for problem in mine if problem.code not in _OF_BOXES))
        left = tuple(problem for problem in mine if problem.code in _OF_BOXES)
        yield ComparedAnswer(one, _text(showing, one), one.name in compared.same, control, left)


def _text(showing: Showing, one: ToCompare) -> str:
    """Return the answer in words, of rows every row."""
    evaluated, speech = showing.evaluated, showing.speech
    if one.rows:
        return column_words(evaluated, one.rows, one.row, one.field, speech)
    if one.field.type != "rows":
        return answer_words(evaluated, one.name, speech)
    rows = range(len(evaluated.values.rows(one.name)))
    said = ([column_words(evaluated, one.name, at, column, speech) for column in one.field.rows] for at in rows)
    return "; ".join(", ".join(filter(None, row)) for row in said)


def _question(one: ToCompare) -> Field:
    """Return the question for what the piece says: never required, whatever the question of the application."""
    bare = replace(one.field, id=one.name, when=TRUE, required=FALSE, default=None, help=None)
    return replace(bare, type="text", options=(), other=False) if one.detail else replace(bare, other=False)


def _context(evaluated: EvaluatedAnswers, one: ToCompare) -> FieldContext:
    if one.rows:
        return evaluated.asking_in(evaluated.values.rows(one.rows)[one.row].scope)
    return evaluated.asking(one.field.id)


def _typed(evaluated: EvaluatedAnswers, one: ToCompare, raw: Raw) -> Plain:
    return read_field(_question(one), raw, f"{TYPED}{one.name}", {}, _context(evaluated, one))[one.name]
