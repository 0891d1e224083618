"""The papers that a procedure asks for: its evidence, and the files of each row of a list, as its public page names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.model import Field, Procedure
from engine.model.types import FALSE
from renderers.i18n.formats import listed
from renderers.i18n.language_spans import lowered
from renderers.i18n.translations import in_language

_FILES: Final = frozenset({"file", "photo"})


@dataclass(frozen=True, slots=True)
class SheetPaper:
    """One piece of evidence and how it is given."""

    label: str
    how: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Evidence asked for in one situation, or for each row of a list. `heading` is empty where it is folded."""

    title: str
    evidence: tuple[SheetPaper, ...]
    heading: str = ""


def asked_papers(procedure: Procedure) -> Iterator[tuple[Field, Field | None]]:
    """Yield each piece of evidence and each file of the form, and those that a row asks for with its outermost rows."""
    for field in procedure.form.fields:
        if field.evidence is not None or field.type in _FILES:
            yield field, None
        yield from ((column, field) for column in _files_within(field))


def _files_within(rows: Field) -> Iterator[Field]:
    for column in rows.rows:
        if column.evidence is not None or column.type in _FILES:
            yield column
        yield from _files_within(column)


def sheet_paper(field: Field, say: Callable[..., str], language: str) -> SheetPaper:
    """Return a piece of evidence in words: its kinds, its copies and how it is given."""
    terms, label = field.evidence, in_language(field.label, language)
    how = [say("sheet.paper_optional")] if field.required == FALSE else []
    if terms is None:
        return SheetPaper(label, ", ".join([*how, say("sheet.how_upload")]))
    if terms.any_of:
        first, *others = (in_language(option.label, language) for option in terms.any_of)
        label = say("text.named", name=label, text=listed([first, *map(lowered, others)], language, "or"))
    if terms.copies > 1:
        how.append(say("piece.copies", count=terms.copies))
    how += [say(f"sheet.how_{one}") for one in terms.how]
    return SheetPaper(label, ", ".join(how))


def situations_of(
    papers: Mapping[tuple[str, str], Sequence[SheetPaper]], say: Callable[..., str]
) -> tuple[Situation, ...]:
    """Return the situations of papers that are by list and by condition. Those that are not folded come first."""
    found = []
    for (each, condition), those in papers.items():
        title = f"{each}, {condition[:1].lower()}{condition[1:]}" if each and condition else each or condition
        usual = {"": each, say("sheet.age_adult"): "" if each else say("sheet.besides")}
        found.append(Situation(title, tuple(those), usual.get(condition, "")))
    return tuple(sorted(found, key=lambda one: not one.heading))
