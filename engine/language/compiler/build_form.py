"""Builder of the application form: eligibility questions, pages, evidence on the last page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from engine.core.values import Text
from engine.language.compiler.build_fields import FieldBuilder
from engine.language.compiler.symbols import SymbolContext, evidence_type
from engine.language.source.loader import Path
from engine.language.source.notation import read_size
from engine.model import APPLICANT, APPLICATION, Bounds, Criterion, EvidenceTerms, Field, Form, How, Page
from engine.model.types import FALSE, TRUE, YES_NO

_HOW: Final = ("upload", "show_original", "legalised_copy", "hand_over", "sign_at_counter")
_USUAL: Final = Bounds()
_FORM: Final = Text((("fr", "Votre demande"), ("en", "Your application")))
_PIECES: Final = Text((("fr", "Vos pièces"), ("en", "Your documents")))
_PIECES_FOR_AGENTS: Final = Text((("fr", "Pièces"), ("en", "Documents")))


def build_application(symbols: SymbolContext) -> Form:
    """Return the task that the draft waits for: the pages of `form`, then the evidence."""
    pages = [*_pages(symbols)]
    evidence = _evidence_page(symbols, {page.id for page in pages})
    if evidence is not None:
        pages.append(evidence)
    return Form(
        id=APPLICATION, where=symbols.build.where(("form",), key=True), label=_FORM, by=(APPLICANT,), pages=tuple(pages)
    )


def _pages(symbols: SymbolContext) -> Iterator[Page]:
    for name, path in symbols.build.each(("form",)):
        source, there = symbols.build.placed.origin(path)
        if symbols.build.at((*path, "title")) is None and source.at((*there, "use")) is None:
            symbols.build.say("S202", path, key=True, name="title")
        yield build_page(FieldBuilder(symbols, symbols.words.form, symbols.build.at((*path, "when"))), name, path)


def build_page(questions: FieldBuilder, name: str, path: Path) -> Page:
    """Return one page, with its fields and checks."""
    symbols, build = questions.symbols, questions.build
    when = build.or_else((*path, "when"), symbols.words.at(questions.base), YES_NO, TRUE)
    return Page(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        title=build.title((*path, "title")),
        help=build.text((*path, "help")),
        for_agents=build.text((*path, "for_agents")),
        when=when,
        reuse=build.flag((*path, "reuse"), True),
        fields=questions.fields(path),
        checks=questions.checks(path),
    )


# -- evidence ----------------------------------------------------------------------------------------------------------


def _evidence_page(symbols: SymbolContext, taken: set[str]) -> Page | None:
    things = tuple(_evidence(symbols, name, path) for name, path in symbols.build.each(("evidence",)))
    if not things:
        return None
    name = "pieces"
    while name in taken:
        name += "_"
    where = symbols.build.where(("evidence",), key=True)
    return Page(id=name, where=where, title=_PIECES, for_agents=_PIECES_FOR_AGENTS, fields=things)


def _evidence(symbols: SymbolContext, name: str, path: Path) -> Field:
    build = symbols.build
    questions = FieldBuilder(symbols, symbols.words.form)
    inside = questions.words(build.at((*path, "when")))
    return Field(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        type="evidence",
        value_type=evidence_type(build, path),
        label=build.title((*path, "label")),
        help=build.text((*path, "help")),
        for_agents=build.text((*path, "for_agents")),
        when=build.or_else((*path, "when"), questions.words(), YES_NO, TRUE),
        required=build.or_else((*path, "required"), inside, YES_NO, TRUE),
        reuse=build.flag((*path, "reuse"), True),
        bounds=Bounds(
            max_items=build.number((*path, "maxItems"), 1),
            max_size=read_size(build.at((*path, "max_size"))) or _USUAL.max_size,
            accept=build.ids((*path, "accept")) or _USUAL.accept,
        ),
        evidence=_terms(symbols, path, questions),
    )


def _terms(symbols: SymbolContext, path: Path, questions: FieldBuilder) -> EvidenceTerms:
    build = symbols.build
    how = tuple(cast(How, one) for one in build.ids((*path, "how")) if one in _HOW)
    held_of = build.words((*path, "held_by", "of"))
    if held_of is not None and not symbols.names.check(build, held_of, (*path, "held_by", "of"), "question"):
        held_of = None
    inside = questions.words(build.at((*path, "when")))
    return EvidenceTerms(
        any_of=tuple(
            questions.option(code, (*path, "any_of", code), inside) for code in build.entries((*path, "any_of"))
        ),
        how=how or ("upload",),
        copies=max(1, build.number((*path, "copies"), 1)),
        max_age=build.span((*path, "max_age")),
        held_by=build.words((*path, "held_by")) or build.words((*path, "held_by", "procedure")),
        held_of=held_of,
    )


# -- eligibility -------------------------------------------------------------------------------------------------------


def build_eligibility(symbols: SymbolContext) -> tuple[Criterion, ...]:
    """Return the eligibility questions, in the order of the file."""
    return tuple(_criterion(symbols, name, path) for name, path in symbols.build.each(("eligibility",)))


def _criterion(symbols: SymbolContext, name: str, path: Path) -> Criterion:
    build = symbols.build
    questions = FieldBuilder(symbols, symbols.words.eligibility)
    words = questions.words()
    word = build.choice((*path, "type"), ("yes_no", "choice", "country", "integer", "date"), "yes_no")
    type_ = questions.value_type(name, path)
    options, list_id = questions.options(path, words, word)
    bounds = questions.bounds(path, words, word, type_)
    field = Field(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        type=word,
        value_type=type_,
        label=build.title((*path, "ask")),
        help=build.text((*path, "help")),
        when=build.or_else((*path, "when"), words, YES_NO, TRUE),
        example=questions.example(path, words, word, type_, options, bounds),
        bounds=bounds,
        options=options,
        list_id=list_id,
    )
    return Criterion(
        id=name,
        where=field.where,
        basis=field.basis,
        field=field,
        stop_when=build.or_else((*path, "stop_when"), words, YES_NO, FALSE),
        because=build.title((*path, "because")),
        instead=build.words((*path, "instead")),
        instead_title=build.text((*path, "instead_title")),
    )
