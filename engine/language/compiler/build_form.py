"""The application: eligibility asked before it, its pages, the evidence on its last one."""

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


def build_application(shop: SymbolContext) -> Form:
    """The task that the draft waits for: the pages of `form`, then the evidence."""
    pages = [*_pages(shop)]
    evidence = _evidence_page(shop, {page.id for page in pages})
    if evidence is not None:
        pages.append(evidence)
    return Form(
        id=APPLICATION,
        where=shop.bench.where(("form",), key=True),
        label=_FORM,
        by=(APPLICANT,),
        pages=tuple(pages),
    )


def _pages(shop: SymbolContext) -> Iterator[Page]:
    for name, path in shop.bench.each(("form",)):
        source, there = shop.bench.placed.origin(path)
        if shop.bench.at((*path, "title")) is None and source.at((*there, "use")) is None:
            shop.bench.say("S202", path, key=True, name="title")
        yield build_page(FieldBuilder(shop, shop.words.form, shop.bench.at((*path, "when"))), name, path)


def build_page(questions: FieldBuilder, name: str, path: Path) -> Page:
    shop, bench = questions.shop, questions.bench
    when = bench.or_else((*path, "when"), shop.words.at(questions.base), YES_NO, TRUE)
    return Page(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        title=bench.title((*path, "title")),
        help=bench.text((*path, "help")),
        when=when,
        reuse=bench.flag((*path, "reuse"), True),
        fields=questions.fields(path),
        checks=questions.checks(path),
    )


# -- evidence ----------------------------------------------------------------------------------------------------------


def _evidence_page(shop: SymbolContext, taken: set[str]) -> Page | None:
    things = tuple(_evidence(shop, name, path) for name, path in shop.bench.each(("evidence",)))
    if not things:
        return None
    name = "pieces"
    while name in taken:
        name += "_"
    return Page(id=name, where=shop.bench.where(("evidence",), key=True), title=_PIECES, fields=things)


def _evidence(shop: SymbolContext, name: str, path: Path) -> Field:
    bench = shop.bench
    questions = FieldBuilder(shop, shop.words.form)
    inside = questions.words(bench.at((*path, "when")))
    return Field(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        type="evidence",
        value_type=evidence_type(bench, path),
        label=bench.title((*path, "label")),
        help=bench.text((*path, "help")),
        when=bench.or_else((*path, "when"), questions.words(), YES_NO, TRUE),
        required=bench.or_else((*path, "required"), inside, YES_NO, TRUE),
        reuse=bench.flag((*path, "reuse"), True),
        bounds=Bounds(
            max_items=bench.number((*path, "maxItems"), 1),
            max_size=read_size(bench.at((*path, "max_size"))) or _USUAL.max_size,
            accept=bench.ids((*path, "accept")) or _USUAL.accept,
        ),
        evidence=_terms(shop, path, questions),
    )


def _terms(shop: SymbolContext, path: Path, questions: FieldBuilder) -> EvidenceTerms:
    bench = shop.bench
    how = tuple(cast(How, one) for one in bench.ids((*path, "how")) if one in _HOW)
    held_of = bench.words((*path, "held_by", "of"))
    if held_of is not None and not shop.names.check(bench, held_of, (*path, "held_by", "of"), "question"):
        held_of = None
    inside = questions.words(bench.at((*path, "when")))
    return EvidenceTerms(
        any_of=tuple(
            questions.option(code, (*path, "any_of", code), inside) for code in bench.entries((*path, "any_of"))
        ),
        how=how or ("upload",),
        copies=max(1, bench.number((*path, "copies"), 1)),
        max_age=bench.span((*path, "max_age")),
        held_by=bench.words((*path, "held_by")) or bench.words((*path, "held_by", "procedure")),
        held_of=held_of,
    )


# -- eligibility -------------------------------------------------------------------------------------------------------


def build_eligibility(shop: SymbolContext) -> tuple[Criterion, ...]:
    return tuple(_criterion(shop, name, path) for name, path in shop.bench.each(("eligibility",)))


def _criterion(shop: SymbolContext, name: str, path: Path) -> Criterion:
    bench = shop.bench
    questions = FieldBuilder(shop, shop.words.eligibility)
    words = questions.words()
    word = bench.choice((*path, "type"), ("yes_no", "choice", "country", "integer", "date"), "yes_no")
    type_ = questions.value_type(name, path)
    options, list_id = questions.options(path, words, word)
    bounds = questions.bounds(path, words, word, type_)
    field = Field(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        type=word,
        value_type=type_,
        label=bench.title((*path, "ask")),
        help=bench.text((*path, "help")),
        when=bench.or_else((*path, "when"), words, YES_NO, TRUE),
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
        stop_when=bench.or_else((*path, "stop_when"), words, YES_NO, FALSE),
        because=bench.title((*path, "because")),
        instead=bench.words((*path, "instead")),
        instead_title=bench.text((*path, "instead_title")),
    )
