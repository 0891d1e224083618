"""Views of forms that every renderer draws: pages and questions, already filtered and computed.

No renderer evaluates a condition. A browser gets `condition`, the plain form of a simple one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from engine.core.problems import Fact
from engine.core.values import Plain, Text

_NO_TEXT: Final = Text(())


@dataclass(frozen=True, slots=True)
class AnswerProblem:
    """What is wrong with one answer.

    `at` is a field id, or `rows.0.field`. `message` is the definition's own text. Without it the renderer
    writes the sentence of `code`. With `warns` the answer is accepted.
    """

    at: str
    code: str  # empty format length minimum maximum date choice file_type file_size picture_size check unique total …
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    message: Text | None = None
    warns: bool = False
    label: Text | None = None  # of the question, so that a list of faults can name it


@dataclass(frozen=True, slots=True)
class OptionView:
    """One option of a question: chosen or not, and closed with a reason or open."""

    code: str
    label: Text
    help: Text | None = None
    chosen: bool = False
    shut: bool = False
    because: Text | None = None
    group: Text | None = None  # the parent option's label, while the parent question is blank


@dataclass(frozen=True, slots=True)
class FileView:
    """A received file. `size` is in bytes."""

    id: str
    name: str
    kind: str
    size: int
    received: str  # ISO instant
    pages: int = 1


@dataclass(frozen=True)
class FieldView:
    """One question with its answer.

    `path` names its control (`nom`, `voyageurs.0.nom`). `value` is the stored answer, as typed if wrong.
    `text` is for readers. Views with the same `definition` object differ only in the attributes given to
    `with_answer`.
    """

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
    columns: tuple[str, ...] = ()  # rows: the types of all columns, hidden or not
    how: tuple[str, ...] = ()  # evidence: upload, show_original, legalised_copy, hand_over…
    copies: int = 1
    asks_issue_date: bool = False
    sensitive: bool = False
    masked: bool = False  # this reader may not read the answer
    basis: str | None = None
    reason: str | None = None  # why an agent asks to correct it
    agents_label: Text = _NO_TEXT  # the label that agents read
    definition: object = field(default=None, compare=False, repr=False)  # None when the texts depend on answers

    @property
    def is_held(self) -> bool:
        """Whether the evidence is a document that its owner already holds. `text` then has its number and day."""
        return isinstance(self.value, dict) and self.value.get("held") is True and bool(self.text)

    def with_answer(self, **reported: object) -> FieldView:
        """Return the question with these attributes. It is faster than `replace`, which copies each attribute."""
        view = object.__new__(FieldView)
        object.__setattr__(view, "__dict__", self.__dict__ | reported)
        return view


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of a question of rows: its number (from 1), its label and its questions."""

    number: int
    label: str
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class PageView:
    """One page on the path.

    `complete` means no error, and `visited` that each visible question was shown. A `known` page is complete
    without that: the verified number answers it.
    """

    id: str
    title: Text
    help: Text | None
    fields: tuple[FieldView, ...]
    position: int  # 1 = first on the path
    count: int
    complete: bool
    visited: bool
    problems: tuple[AnswerProblem, ...] = ()
    before: str = ""  # id of the page before it on the path; empty for the first
    known: bool = False
    agents_title: Text = _NO_TEXT  # the title that agents read

    @property
    def errors(self) -> tuple[AnswerProblem, ...]:
        """The problems that refuse the page, without warnings."""
        return tuple(one for one in self.problems if not one.warns)


@dataclass(frozen=True, slots=True)
class FormView:
    """The whole form on its path, for a check page, a PDF or an agent's page."""

    title: Text
    pages: tuple[PageView, ...]

    def page(self, page_id: str) -> PageView | None:
        """Return a page by its id, None when it is not on the path."""
        return next((page for page in self.pages if page.id == page_id), None)

    @property
    def missing(self) -> tuple[AnswerProblem, ...]:
        """The errors of all pages in order."""
        return tuple(problem for page in self.pages for problem in page.errors)
