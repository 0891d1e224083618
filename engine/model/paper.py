"""The text of an official document, as a definition writes it (`docs/language.md`, outputs).

A paper text holds placeholders: `{nom}` the words of an answer, `{words: montant}` an amount in words,
`{agree sexe: né|née}` the form for the option chosen, `{list: pieces}` rows as a list, `{day of signer}`,
`{hour of signer}`, `{actor of signer}` of an act or task, `{number of arrete}`, `{day of arrete}` of an earlier
document, `{opinions of avis}` the opinions of a round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast

from engine.core.values import Text
from engine.model.types import TRUE, Expression

PlaceholderKind: TypeAlias = Literal["value", "words", "agree", "list", "day", "hour", "actor", "number", "opinions"]
_PLACEHOLDER: Final = re.compile(
    r"\{(?:(?P<of>day|hour|actor|number|opinions) of |(?P<kind>words|list): |agree (?=[a-z][a-z0-9_]*: ))?"
    r"(?P<name>[a-z][a-z0-9_]*)(?:: (?P<forms>[^{}]*))?\}"
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder of a paper text. `forms` are the words of `agree`, in the order of the options."""

    kind: PlaceholderKind
    name: str
    forms: tuple[str, ...] = ()
    start: int = 0
    end: int = 0


def placeholders_of(text: str) -> Iterator[Placeholder]:
    """Yield the placeholders of a text that follow the grammar, in order."""
    for found in _PLACEHOLDER.finditer(text):
        usual = "agree" if found["forms"] is not None else "value"
        kind = cast(PlaceholderKind, found["of"] or found["kind"] or usual)
        forms = tuple((found["forms"] or "").split("|")) if kind == "agree" else ()
        if kind == "agree" or found["forms"] is None:
            yield Placeholder(kind, found["name"], forms, found.start(), found.end())


@dataclass(frozen=True, slots=True)
class PaperText:
    """A text printed on a document. `names` are all names its placeholders use, in any language."""

    text: Text
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """The rows printed under an operative text. `empty` is printed in large when there is no row."""

    of: str
    columns: tuple[str, ...] = ()  # empty = every column
    empty: Text | None = None


@dataclass(frozen=True, slots=True)
class PaperClause:
    """One text printed where `when` holds: a preamble line, a variant of the operative text, an article."""

    text: PaperText
    when: Expression = TRUE
    table: PaperTable | None = None


@dataclass(frozen=True, slots=True)
class Mentions:
    """What the document says to its holder, to the person who receives it, and who gets a copy."""

    holder: tuple[PaperClause, ...] = ()
    receiver: PaperText | None = None
    copies_to: tuple[PaperClause, ...] = ()

    def texts(self) -> Iterator[PaperText]:
        """Yield every text, whether its condition holds or not."""
        yield from (one.text for one in self.holder)
        yield from (one for one in (self.receiver,) if one is not None)
        yield from (one.text for one in self.copies_to)


@dataclass(frozen=True, slots=True)
class OutputPaper:
    """What a document states. The zones are printed in this order (`docs/documents.md`).

    Exactly one entry of `operative` holds on each path. `reason_of` are acts whose reason is printed, empty for
    the act that led to the present state. `remedies` are ids of appeals, None for the default of the kind.
    `courtesy` are the languages of its translations: the paper is then in the first language of the procedure.
    """

    subtitle: PaperText | None = None
    cites: tuple[str, ...] = ()
    issuer: PaperText | None = None
    addressee: PaperText | None = None  # to whom a letter goes, None for its holder
    preamble: tuple[PaperClause, ...] = ()
    particulars: Mapping[str, Text | None] = field(default_factory=lambda: MappingProxyType({}))  # label, None = usual
    operative: tuple[PaperClause, ...] = ()
    articles: tuple[PaperClause, ...] = ()
    lines_of: str | None = None  # a fee
    declared: tuple[str, ...] = ()
    mentions: Mentions = Mentions()
    reason_of: tuple[str, ...] = ()
    remedies: tuple[str, ...] | None = None
    sealed: bool = False  # issued by no person: a rule of the procedure issues it
    accepted_by: str | None = None
    place: Text | None = None
    courtesy: tuple[str, ...] = ()
    verify_shows: tuple[str, ...] | None = None

    def clauses(self) -> Iterator[PaperClause]:
        """Yield every clause, in the order of the zones."""
        yield from (*self.preamble, *self.operative, *self.articles)

    def texts(self) -> Iterator[PaperText]:
        """Yield every text with placeholders, in the order of the zones."""
        yield from (one for one in (self.subtitle, self.issuer, self.addressee) if one is not None)
        yield from (clause.text for clause in self.clauses())
        yield from self.mentions.texts()

    def every_text(self) -> Iterator[Text]:
        """Yield all that is printed in the words of the file: the texts, labels of particulars, empty tables, place."""
        yield from (one.text for one in self.texts())
        yield from (label for label in self.particulars.values() if label is not None)
        tables = (clause.table for clause in self.clauses())
        yield from (table.empty for table in tables if table is not None and table.empty is not None)
        yield from (place for place in (self.place,) if place is not None)
