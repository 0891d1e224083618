"""The form: questions, their bounds, evidence, pages, the eligibility questions before it; and what agents note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.core.values import Span, Text
from engine.model.base import How, NamedElement, Template
from engine.model.types import TRUE, Expression, Type


@dataclass(frozen=True, slots=True)
class Option:
    """One choice. Outside its dates, or when `when` is false, it is shown disabled with the text `because`."""

    code: str
    label: Text
    help: Text | None = None
    when: Expression = TRUE
    from_: date | None = None
    until: date | None = None
    because: Text | None = None
    parent: str | None = None
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one answer. Lengths in characters, sizes in bytes, items in files or rows."""

    minimum: Expression | None = None
    maximum: Expression | None = None
    min_length: int = 0
    max_length: int = 100
    pattern: str | None = None  # RE2 syntax, the whole text
    message: Text | None = None
    min_items: int = 1
    max_items: int = 1
    max_size: int = 5_000_000
    accept: tuple[str, ...] = ("pdf", "jpg", "png")


@dataclass(frozen=True, slots=True)
class EvidenceTerms:
    """What makes a field a piece of evidence. `any_of` are the alternatives, empty when there is one kind only.

    Stored answer: `{"is": code | None, "files": [attachment id], "issued": "2026-01-31" | None, "held": bool}`. In
    an expression its id is the code of the chosen alternative, or a yes/no *provided*.
    """

    any_of: tuple[Option, ...] = ()
    how: tuple[How, ...] = ("upload",)
    copies: int = 1
    max_age: Span | None = None
    held_by: str | None = None
    held_of: str | None = None

    @property
    def uploaded(self) -> bool:
        """Whether the evidence may be given as an uploaded file."""
        return "upload" in self.how


@dataclass(frozen=True, slots=True)
class Total:
    """`total: {of: part, equals: 100}`: the sum that a column of rows must have."""

    of: str
    equals: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class FormCheck(NamedElement):
    """A rule between answers. `must` refuses, `should` warns. It is read only if each answer it names is given."""

    holds: Expression
    when: Expression = TRUE
    warns: bool = False
    message: Text
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(NamedElement):
    """One question.

    `type` is the word of the file (`text`, `rows`, `evidence`…), `value_type` the type of its value.
    """

    type: str
    value_type: Type
    label: Text
    help: Text | None = None
    short_label: Text | None = None
    noun: Text | None = None  # printed on documents where the label is a question
    for_agents: Text | None = None
    unit: str | None = None
    when: Expression = TRUE
    required: Expression = TRUE
    value: Expression | None = None  # computed or constant: never asked
    default: Expression | None = None
    prefill: str | None = None
    reuse: bool = True  # false: never copied from an earlier request
    example: Expression | None = None
    bounds: Bounds = Bounds()
    options: tuple[Option, ...] = ()
    under: str | None = None
    other: bool = False  # adds the option `other`, its detail answered in `<id>_other`
    list_id: str | None = None
    scheme: str | None = None
    level: str = "commune"
    upper: bool = False
    lines: int = 1
    evidence: EvidenceTerms | None = None
    # rows only
    rows: tuple[Field, ...] = ()
    checks: tuple[FormCheck, ...] = ()
    row_label: Template | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    total: Total | None = None

    @property
    def printed_label(self) -> Text:
        """The label for documents and summaries: the noun, else the label."""
        return self.noun or self.label

    @property
    def agents_label(self) -> Text:
        """The label that agents read: `for_agents`, else the noun, else the applicant's label."""
        return self.for_agents or self.printed_label

    def option(self, code: str) -> Option | None:
        """Return the option of a code, None when it does not exist."""
        return next((option for option in self.options if option.code == code), None)

    @property
    def names_within(self) -> tuple[str, ...]:
        """The name of the question, then those of its columns at every level."""
        return (self.id, *(name for column in self.rows for name in column.names_within))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(NamedElement):
    """One page of questions. With `reuse=False`, its answers are not copied from an earlier request."""

    title: Text
    help: Text | None = None
    for_agents: Text | None = None
    when: Expression = TRUE
    reuse: bool = True
    fields: tuple[Field, ...] = ()
    checks: tuple[FormCheck, ...] = ()

    @property
    def agents_title(self) -> Text:
        """The title that agents read: `for_agents`, else the applicant's title."""
        return self.for_agents or self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion(NamedElement):
    """An eligibility question.

    When `stop_when` is true, the applicant stops with `because`. Its field has the same id.
    """

    field: Field
    stop_when: Expression
    because: Text
    instead: str | None = None
    instead_title: Text | None = None  # its usual name, when it is not a procedure of this catalogue


# -- what agents note --------------------------------------------------------------------------------------------------

AnnotationType: TypeAlias = Literal["yes_no", "choice", "choices", "integer", "date", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation(NamedElement):
    """One value that agents write about a dossier. No expression, document, message or applicant reads it.

    `show: list` is for `choices` only: its options are labels, shown in the list of dossiers.
    """

    label: Text
    type: AnnotationType
    options: Mapping[str, Text] = field(default_factory=lambda: MappingProxyType({}))
    show: Literal["list"] | None = None


USUAL: Final = MappingProxyType({
    "etiquettes": Annotation(
        id="etiquettes",
        label=Text((("fr", "Étiquettes"), ("en", "Labels"))),
        type="choices",
        options=MappingProxyType({
            "urgent": Text((("fr", "Urgent"), ("en", "Urgent"))),
            "a_revoir": Text((("fr", "À revoir"), ("en", "To see again"))),
            "attente_piece": Text((("fr", "Attente pièce"), ("en", "Awaits a document"))),
        }),
        show="list",
    )
})  # fmt: skip
"""The annotations of a procedure that declares none."""
