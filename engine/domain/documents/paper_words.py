"""The words of a paper: its placeholders filled in, and the typography of official French."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from engine.core.clock import local, local_day
from engine.core.values import Plain
from engine.domain.common.task_parts import consulted
from engine.domain.fields.display import value_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.field_types import kind_of, text
from engine.domain.fields.raw_answers import OTHER
from engine.domain.fields.scope import EvaluatedAnswers, with_columns
from engine.model import Fee, Field, Form, Output
from engine.model.paper import PaperText, Placeholder, placeholders_of
from engine.model.types import Scope
from engine.records.dossier import Dossier, IssuedDocument, OwedLine, TakenTransition

NameOf = Callable[[str], str]

# « de » and « que » lose their e before a vowel, and before the y of Yves, not that of Yao.
_ELIDED: Final = re.compile(r"\b(d|qu)e (\**)$", re.IGNORECASE)
_ELIDES: Final = re.compile(r"(?!onz|oui)[aeiouàâäéèêëîïôöùûüœæɛɔ]|y[b-df-hj-np-tv-xz]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PaperWords:
    """Fills in the texts of one document. `system` are the words that no answer holds, such as `number`.

    `name_of` returns the name of an account by its id. `row` is the row the document is issued for, from 0.
    """

    evaluated: EvaluatedAnswers
    dossier: Dossier
    output: Output
    row: int | None
    speech: Speech
    system: Mapping[str, str]
    name_of: NameOf

    def scope(self) -> Scope:
        """Return the scope of conditions: that of the row, where the document is issued per row."""
        whole = self.evaluated.scope
        if self.output.per is None or self.row is None:
            return whole
        rows = whole.get(self.output.per)
        found = rows[self.row] if isinstance(rows, tuple) and self.row < len(rows) else None
        return whole.inside(found) if isinstance(found, Mapping) else whole

    def fill(self, written: PaperText) -> str:
        """Return a text with its placeholders filled in: « au nom d’Afi ». Those without a value leave no double space."""
        language = self.speech.language
        source = written.text.in_(language)
        parts, at = [], 0
        for one in placeholders_of(source):
            words = self.words(one).replace("*", "")
            words = (
                words.rstrip(". ") if source[one.end : one.end + 1] == "." else words
            )  # a sentence has one full stop
            elided = language == "fr" and _ELIDES.match(words)
            parts += [_ELIDED.sub(r"\1’\2", source[at : one.start]) if elided else source[at : one.start], words]
            at = one.end
        return re.sub(r" +([,.])", r"\1", re.sub(r"  +", " ", "".join([*parts, source[at:]]))).strip()

    def words(self, one: Placeholder) -> str:
        """Return what one placeholder prints, empty without a value."""
        if one.kind == "value":
            return self.system.get(one.name) or self.of_name(one.name)
        if one.kind == "words":
            value = self.scope().get(one.name)
            value = self.dossier.owed[one.name].amount if one.name in self.dossier.owed else value
            return self.speech.wording.numeral(int(value), self.speech.language) if isinstance(value, int) else ""
        if one.kind == "agree":
            return self._agreed(one)
        if one.kind == "list":
            return self.system.get(one.name) or self.listed(one.name)
        if one.kind == "opinions":
            return self._opinions(one.name)
        if one.kind == "number":
            made = self._made(one.name)
            return made.number if made else ""
        return self._done(one)

    # -- answers -------------------------------------------------------------------------------------------------------

    def field(self, name: str) -> tuple[Field, Mapping[str, Plain], bool] | None:
        """Return the field of a name, the answers it is read from, and whether it is a column of the row."""
        procedure = self.evaluated.procedure
        if self.output.per is not None and self.row is not None:
            rows = procedure.fields.get(self.output.per)
            later = (form for form in procedure.forms() if form.each == self.output.per)
            columns = {column.id: column for column in with_columns(rows, *later).rows} if rows else {}
            values = self.evaluated.values.rows(self.output.per)
            if name in columns and self.row < len(values):
                return columns[name], values[self.row].answers, True
        field = procedure.fields.get(name)
        return (field, self.evaluated.answers, False) if field is not None else None

    def plain(self, name: str) -> Plain:
        """Return the plain value that is printed: what was confirmed, else the answer or the computed value."""
        found = self.field(name)
        if found is None:
            return None
        field, answers, in_row = found
        confirmed = self.dossier.confirmed.get(f"{self.output.per}.{self.row}.{name}" if in_row else name)
        if confirmed is not None:
            return confirmed.value
        value = self.scope().get(name)
        if value is None:
            return None
        return kind_of(field).plain(value) if field.value is not None else answers.get(name)

    def of_name(self, name: str) -> str:
        """Return the words of an answer, a computed value, a definition or a fee. Empty for a hidden one."""
        found = self.field(name)
        if found is None:
            defined = self.evaluated.procedure.definitions.get(name)
            value = defined.value(self.scope()) if defined is not None else self.scope().get(name)
            if isinstance(value, date):
                return self.speech.wording.plain_day(value, self.speech.language)
            if name in self.dossier.owed:
                return self.speech.wording.money(self.dossier.owed[name].amount, self.speech.language)
            return value_words(value, self.speech, defined.type.kind if defined is not None else "")
        field, answers, in_row = found
        plain = self.plain(name)
        if plain is None:
            return ""
        if field.type == "rows":
            return str(len(plain)) if isinstance(plain, list) else ""
        asking = self.evaluated.asking_in(self.scope()) if in_row else self.evaluated.asking(name)
        return text(field, plain, asking, self.speech, answers.get(f"{name}_{OTHER}"))

    def cells(self, rows: str, columns: tuple[Field, ...]) -> list[list[str]]:
        """Return the words of rows, column by column."""
        found = []
        for row in self.evaluated.values.rows(rows):
            asking = self.evaluated.asking(rows).inside(row)
            plains = [kind_of(one).plain(row[one.id]) if one.value is not None else row.answers.get(one.id)
                      for one in columns]  # fmt: skip
            found.append([
                text(one, plain, asking, self.speech, row.answers.get(f"{one.id}_{OTHER}")) if plain is not None else ""
                for one, plain in zip(columns, plains, strict=True)
            ])  # fmt: skip
        return found

    def listed(self, name: str) -> str:
        """Return rows or choices as a list in words: `a, b et c`."""
        found = self.field(name)
        if found is None or found[0].type != "rows":
            return self.of_name(name)
        columns = found[0].rows
        said = [" ".join(filter(None, cells)) for cells in self.cells(name, columns)]
        return self.joined([one for one in said if one])

    def of_line(self, name: str, line: OwedLine) -> str:
        """Return the label of one line of a fee. What is owed has the words of the applicant's language."""
        language, fee = self.speech.language, self.evaluated.procedure.tasks.get(name)
        if language == self.dossier.language or not isinstance(fee, Fee):
            return line.label
        own, _, row = line.id.partition(".")
        cuts = {f"reduction.{number}": cut.because for number, cut in enumerate(fee.reductions, 1)}
        label = next((one.label for one in fee.lines if one.id == own), None) or cuts.get(line.id)
        if label is not None:
            return f"{label.in_(language)} ({row})" if row and line.id not in cuts else label.in_(language)
        bound = line.id in ("at_least", "at_most")
        return self.speech.wording.say(f"fee.{line.id}", language, {}) if bound else line.label

    def joined(self, words: list[str]) -> str:
        """Return words as a list of the language."""
        if len(words) < 2:
            return "".join(words)
        last = self.speech.wording.say("paper.and", self.speech.language, {"last": words[-1]})
        return f"{', '.join(words[:-1])} {last}"

    def _agreed(self, one: Placeholder) -> str:
        found = self.field(one.name)
        value = self.scope().get(one.name)
        if isinstance(value, bool):
            at = 0 if value else 1
        else:
            codes = [option.code for option in found[0].options] if found else []
            plain = self.plain(one.name)
            at = codes.index(plain) if plain in codes else len(one.forms)
        return one.forms[at] if at < len(one.forms) else ""

    # -- acts, documents, opinions -------------------------------------------------------------------------------------

    def taken(self, name: str) -> TakenTransition | None:
        """Return the last time an act was taken, None when it never was."""
        return next((one for one in reversed(self.dossier.taken) if one.transition == name), None)

    def _made(self, name: str) -> IssuedDocument | None:
        return next((one for one in reversed(self.dossier.documents) if one.output == name), None)

    def _done(self, one: Placeholder) -> str:
        wording, language = self.speech.wording, self.speech.language
        taken, done, made = self.taken(one.name), self.dossier.done.get(one.name), self._made(one.name)
        at = taken.at if taken else done.at if done else made.issued_at if made else None
        if at is None:
            return ""
        if one.kind == "day":
            return wording.plain_day(local_day(at), language)
        if one.kind == "hour":
            return hour_of(at, self.speech)
        by = taken.by if taken else done.by if done else None
        if by is not None:
            return self.name_of(by)
        return made.signed_by or "" if made else ""

    def _opinions(self, name: str) -> str:
        form = self.evaluated.procedure.tasks.get(name)
        if not isinstance(form, Form):
            return ""
        wording, language = self.speech.wording, self.speech.language
        said = []
        for service in consulted(form, self.evaluated.scope):
            opinion = self.evaluated.answers.get(service.id)
            done = self.dossier.done.get(service.id)
            if not isinstance(opinion, str):
                continue
            tacit = done is None or done.by == "system"
            facts = {
                "service": service.label.in_(language),
                "day": wording.plain_day(local_day(done.at), language) if done else "",
            }
            said.append(wording.say(f"paper.opinion.{'tacit' if tacit else 'given'}.{opinion}", language, facts))
        return self.joined(said)


def literal(words: str) -> str:
    """Return a typed text whose stars are no marks of bold: a joiner without width stands between two."""
    return re.sub(r"\*(?=\*)", "*\u2060", words)


def hour_of(at: datetime, speech: Speech) -> str:
    """Return the local hour of an instant: `8 h 15`."""
    here = local(at)
    return speech.wording.hour(here.hour * 60 + here.minute, speech.language)


# -- what the pieces say -----------------------------------------------------------------------------------------------


def as_stated(dossier: Dossier) -> Dossier:
    """Return the dossier with what pieces say in place of the answers that differ from them, in rows too.

    A document is composed from it, so that words, tables and computed values agree with the particulars.
    """
    answers = dict(dossier.answers)
    for name, one in dossier.confirmed.items():
        rows, _, place = name.partition(".")
        number, _, column = place.partition(".")
        kept = answers.get(rows)
        if one.differs and not place:
            answers[name] = one.value
        elif one.differs and isinstance(kept, list):
            answers[rows] = [
                {**row, column: one.value} if str(at) == number and isinstance(row, dict) else row
                for at, row in enumerate(kept)
            ]
    return replace(dossier, answers=answers) if answers != dossier.answers else dossier


# -- typography --------------------------------------------------------------------------------------------------------


def as_one_sentence(lines: list[str], more: str, last: str) -> list[Plain]:
    """Return lines that end with `more`, the last one with `last`. A sign that its author wrote stays."""
    signs = [more] * (len(lines) - 1) + [last]
    return [one if one.endswith((";", ",")) else f"{one}{sign}" for one, sign in zip(lines, signs, strict=False)]


_FIXED: Final = "\u00a0"
_RULES: Final = (
    (re.compile(r"'"), "’"),
    (re.compile(r"(?<=\w|\)|»|%) ?(?=[;!?](?:\s|$))"), _FIXED),
    (re.compile(r"(?<=\S) ?:(?=\s|$)"), f"{_FIXED}:"),
    (re.compile(r"« ?"), f"«{_FIXED}"),
    (re.compile(r" ?»"), f"{_FIXED}»"),
    (re.compile(r"\b([Nn])° ?(?=\d|\w)"), rf"\1°{_FIXED}"),
    (re.compile(r"\b1er\b"), "1ᵉʳ"),
    (re.compile(r"(?<=\d) (?=(?:m²|m³|km|kVA|kWh|%|FCFA|F|francs|jours|mois|ans?|h)\b)"), _FIXED),
)  # fmt: skip


def typographic(words: str, language: str) -> str:
    """Return a text with the apostrophes, fixed spaces and ordinals of printed French."""
    if language == "en":
        return words.replace("'", "’")
    for pattern, put in _RULES:
        words = pattern.sub(put, words)
    return words
