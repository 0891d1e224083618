"""The one view of a form that every face draws: pages and questions, already filtered by conditions and computed.

No face evaluates a condition; a face that can (the browser) is handed `condition`, the plain form of a simple one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.core.problems import Fact
from engine.core.values import Plain, Text


@dataclass(frozen=True, slots=True)
class AnswerProblem:
    """What is wrong with one answer. `at` is a field id, or `rows.0.field`. `message` is the definition's own words;
    without it the face says the sentence of `code`. `warns` does not refuse."""

    at: str
    code: str  # empty format length minimum maximum date choice file_type file_size check unique total …
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    message: Text | None = None
    warns: bool = False
    label: Text | None = None  # of the question, so that a list of faults can name it


@dataclass(frozen=True, slots=True)
class OptionView:
    code: str
    label: Text
    help: Text | None = None
    chosen: bool = False
    shut: bool = False
    because: Text | None = None
    group: Text | None = None  # the answer it belongs to, while that answer is blank


@dataclass(frozen=True, slots=True)
class FileView:
    """A file already received."""

    id: str
    name: str
    kind: str
    size: int
    received: str  # ISO instant
    pages: int = 1


@dataclass(frozen=True)
class FieldView:
    """One question as it stands. `path` names its control (`nom`, `voyageurs.0.nom`); `value` is what was typed, even
    wrong, in plain form; `text` what a reader sees. `book` is one and the same object for views of which the book says all
    the same: they differ in no more than what `with_answer` was told."""

    id: str
    path: str
    type: str
    label: Text
    value: Plain = None
    boxes: tuple[str, ...] = ()  # dates: day, month and year as typed, for `<path>_day`, `<path>_month`, `<path>_year`
    text: str = ""
    help: Text | None = None
    unit: str | None = None
    required: bool = True
    computed: bool = False
    locked: bool = False
    lines: int = 1
    max_length: int | None = None
    max_items: int = 1
    min_items: int = 0
    max_size: int | None = None
    accept: tuple[str, ...] = ()
    upper: bool = False
    example: str = ""
    options: tuple[OptionView, ...] = ()
    other_value: str = ""  # detail of « Autre », posted as `<path>_other`
    has_other: bool = False
    condition: Plain = None  # plain form of `when`, if simple and on the same page
    shown: bool = True
    problems: tuple[AnswerProblem, ...] = ()
    files: tuple[FileView, ...] = ()
    rows: tuple[RowView, ...] = ()
    blank_row: RowView | None = None
    columns: tuple[str, ...] = ()  # rows: the types of what a row may be asked, hidden now or not
    how: tuple[str, ...] = ()  # evidence: upload, show_original, legalised_copy, hand_over…
    copies: int = 1
    asks_issue_date: bool = False
    sensitive: bool = False
    masked: bool = False  # this reader may not see the answer
    basis: str | None = None
    reason: str | None = None  # why an agent asks to correct it
    definition: object = field(default=None, compare=False, repr=False)  # none where the book's words hang on answers

    def with_answer(self, **reported: object) -> FieldView:
        """The same question as it stands for somebody: `replace` without asking every attribute anew."""
        view = object.__new__(FieldView)
        object.__setattr__(view, "__dict__", self.__dict__ | reported)
        return view


@dataclass(frozen=True, slots=True)
class RowView:
    number: int
    label: str
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class PageView:
    id: str
    title: Text
    help: Text | None
    fields: tuple[FieldView, ...]
    position: int  # 1 = first on the path
    count: int
    complete: bool
    visited: bool
    problems: tuple[AnswerProblem, ...] = ()
    before: str = ""  # the page before it on the path; none before the first

    @property
    def errors(self) -> tuple[AnswerProblem, ...]:
        return tuple(one for one in self.problems if not one.warns)


@dataclass(frozen=True, slots=True)
class FormView:
    """The whole form on its path: what a check page, a PDF or an agent's screen shows."""

    title: Text
    pages: tuple[PageView, ...]

    def page(self, page_id: str) -> PageView | None:
        return next((page for page in self.pages if page.id == page_id), None)

    @property
    def missing(self) -> tuple[AnswerProblem, ...]:
        return tuple(problem for page in self.pages for problem in page.errors)
