"""Data classes of the definition in sentences, and the reader that finds names, roles, conditions and laws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.core.values import Span, Text
from engine.language.expressions.compiler import either, negate, own_part, tree
from engine.language.expressions.nodes import Lookup, walk
from engine.model import APPLICANT, SYSTEM, Procedure, Transition
from engine.model.directory import Directory
from engine.model.paper import OutputPaper
from engine.model.roles import role_key
from engine.model.types import FALSE, Expression
from renderers.definition.expressions import ExpressionWriter
from renderers.html.templates import span_text
from renderers.i18n.language_spans import LanguageSpan
from renderers.i18n.translations import Translations, in_language, quoted, typographic


@dataclass(frozen=True, slots=True)
class LawText:
    """A text of law: `status` is the key of its sentence, `kind` the colour of its tag, `url` its public address."""

    title: str
    status: str  # key of its sentence
    kind: str  # colour of its tag
    details: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One element of the procedure: name, sentences, law, and the elements inside it."""

    title: str
    lines: tuple[str, ...] = ()
    law: str = ""
    kind: str = ""
    parts: tuple[Clause, ...] = ()


@dataclass(frozen=True, slots=True)
class PageText:
    """A page of the form in sentences: its notes, its questions and the rules between them."""

    title: str
    notes: tuple[str, ...]
    questions: tuple[Clause, ...]
    rules: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class PriceText:
    """One line of a fee in sentences: amount in words, the conditions under which it is due, and its law."""

    label: str
    amount: str
    conditions: tuple[str, ...]
    law: str


@dataclass(frozen=True, slots=True)
class FeeText:
    """A fee in sentences: its lines, then reductions, limits and methods of payment as notes."""

    title: str
    lines: tuple[PriceText, ...]
    notes: tuple[str, ...]
    law: str


@dataclass(frozen=True, slots=True)
class TableText:
    """A table of values: a heading for each key, then that of the value. Each row has the same length."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    law: str


@dataclass(frozen=True, slots=True)
class WayText:
    """A transition in words: the act or its cause, who does it, its time limit (may be empty)."""

    what: str
    who: str
    limit: str


@dataclass(frozen=True, slots=True)
class StateText:
    """A state in sentences: its public label, what it waits for, its time limit, and where it leads."""

    title: str
    shown_as: str
    tasks: str
    time: str
    exits: tuple[str, ...]
    notes: tuple[str, ...]
    law: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """An act, its source states, and the right of each role: none, the act, or the act in some states."""

    title: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    may: tuple[RoleMay, ...]
    law: str


@dataclass(frozen=True, slots=True)
class RoleMay:
    """The right of one role. `sources` is empty if the role may act in all source states."""

    may: bool
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A message to applicants or agents: event, recipient, channel, text, and its length in characters."""

    when: str
    to: str
    channel: str
    text: str
    length: str = ""
    law: str = ""


@dataclass(frozen=True, slots=True)
class ListText:
    """A list of values that questions share, written out once."""

    title: str
    notes: tuple[str, ...]
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DefinitionText:
    """The definition in one language, chapter by chapter."""

    facts: tuple[tuple[str, str], ...]
    laws: tuple[LawText, ...]
    eligibility: tuple[Clause, ...]
    pages: tuple[PageText, ...]
    evidence: tuple[Clause, ...]
    fees: tuple[FeeText, ...]
    tables: tuple[TableText, ...]
    visits: tuple[Clause, ...]
    opinions: tuple[Clause, ...]
    later: tuple[Clause, ...]
    look_ups: tuple[Clause, ...]
    links: tuple[Clause, ...]
    states: tuple[StateText, ...]
    roles: tuple[str, ...]
    matrix: tuple[MatrixRow, ...]
    timers: tuple[Clause, ...]
    documents: tuple[Clause, ...]
    notices: tuple[NoticeText, ...]
    data: tuple[tuple[str, str], ...]
    sensitive: tuple[str, ...]
    appeals: tuple[str, ...]
    lists: tuple[ListText, ...]
    numbers: tuple[Clause, ...]
    editions: tuple[str, ...]
    accepted: tuple[str, ...]
    stories: tuple[str, ...]


class DefinitionReader:
    """Finds the words for the elements of one procedure, in one language."""

    def __init__(self, procedure: Procedure, directory: Directory, words: Translations, language: str) -> None:
        self.definition, self.directory, self.words, self.language = procedure, directory, words, language
        self.expressions = ExpressionWriter(procedure, directory, words, language)

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key below `definition.`, with its facts filled in."""
        said = self.words.say(f"definition.{key}", self.language, {name: str(value) for name, value in facts.items()})
        return said if isinstance(said, LanguageSpan) else typographic(said, self.language)

    def t(self, text: Text | None) -> str:
        """Return a text of the procedure in the language of the reader, empty for None."""
        return in_language(text, self.language)

    def span(self, span: Span) -> str:
        """Return a length of time in words, `20 jours ouvrés`."""
        return span_text(self.words, span, self.language)

    def courtesy(self, paper: OutputPaper) -> Iterator[str]:
        """Yield one sentence that names the languages of the courtesy translations, if any."""
        if paper.courtesy:
            spoken = ", ".join(self.say(f"language_{one}") for one in paper.courtesy)
            yield self.say("paper_courtesy", languages=spoken)

    def when(self, key: str, expression: Expression) -> str:
        """Return a sentence with a condition and the words of the file for it, empty if it is always true."""
        condition = self.expressions.condition(expression)
        if not condition:
            return ""
        sentence = self.say(key, condition=condition)
        return f"{sentence} ({quoted(self.t(expression.said), self.language)})" if expression.said else sentence

    def branch(self, transition: Transition) -> str:
        """Return the condition of a transition.

        Transitions of one list are tried in order of rank, so a later one starts with « sinon ».
        """
        before = [
            one
            for one in self.definition.leaving.get(transition.source, ())
            if one.id == transition.id and one.rank < transition.rank
        ]
        held = FALSE
        for one in sorted(before, key=lambda one: one.rank):
            held = either(held, own_part(one.when, negate(held)) or one.when)
        own = own_part(transition.when, negate(held)) if before else None
        if own is None:
            return self.when("when", transition.when)
        return self.when("otherwise_when", own) or self.say("otherwise")

    def role(self, key: str) -> str:
        """Return the label of a role, the applicant and the system included. An unknown role keeps its key."""
        if key in (APPLICANT, SYSTEM):
            return self.words.say(f"desk.{'applicant_capital' if key == APPLICANT else 'system'}", self.language, {})
        role = self.directory.role(role_key(self.definition, key))
        return self.t(role.label) if role else key

    def roles_text(self, roles: Iterable[str]) -> str:
        """Return the labels of roles, joined and each once."""
        return ", ".join(dict.fromkeys(self.role(one) for one in roles))

    def label(self, name: str) -> str:
        """Return the label of an element of the procedure or of a column, else the name itself."""
        procedure = self.definition
        thing = (
            procedure.fields.get(name)
            or procedure.tasks.get(name)
            or procedure.things.get(name)
            or procedure.clocks.get(name)
        )
        thing = thing or self.expressions.columns.get(name.rpartition(".")[2])
        label = getattr(thing, "label", None) or getattr(thing, "title", None)
        return self.t(label) if isinstance(label, Text) else name

    def table_called(self, table_id: str) -> str:
        """Return the label of the fee line that reads the table, else its number. Tables have no label."""
        for line in (line for fee in self.definition.fees() for line in fee.lines):
            if any(isinstance(node, Lookup) and node.table == table_id for node in walk(tree(line.amount))):
                return self.t(line.label)
        return self.say("table_number", number=self.expressions.table(table_id))


def capital(text: str) -> str:
    """Return the sentence with its first letter as a capital. Acronyms stay unchanged."""
    return text[:1].upper() + text[1:]
