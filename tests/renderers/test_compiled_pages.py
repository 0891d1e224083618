"""A compiled question is the question as the macro draws it, sign for sign, whatever was typed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.values import Text
from engine.domain.fields.field_type import KINDS
from engine.domain.fields.views import AnswerProblem, FieldView, FileView, OptionView, PageView, RowView
from renderers.html import compiled_pages
from renderers.html.compiled_pages import CompiledPages, Marks
from renderers.html.controls import DrawingContext, asked_views, field_control
from renderers.html.templates import Pages
from renderers.i18n.translations import load_words

PAGES = {language: Pages(load_words()) for language in ("fr", "en")}
DRAW = {language: DrawingContext(load_words(), language) for language in ("fr", "en")}
LABELS = (Text.of("Nom & prénoms"), Text.of({"fr": "Ville", "en": "Town"}), Text.of('Un "mot" <b>'))
NASTY = st.text(st.sampled_from("a<&>\"'{}é \n\u00a01,.+-"), max_size=12)


@cache
def macro(language: str) -> Any:
    return PAGES[language]._in(language).get_template("ui.html").module.champ  # type: ignore[attr-defined]


def options(draw: Any) -> tuple[OptionView, ...]:
    count = draw(st.sampled_from((0, 1, 3, 21)))
    flags = st.booleans()
    return tuple(
        OptionView(f"o{n}", LABELS[n % 3], LABELS[1] if n % 2 else None, draw(flags), draw(flags), LABELS[0])
        for n in range(count)
    )


@st.composite
def views(draw: Any) -> FieldView:
    type_ = draw(st.sampled_from(sorted({*KINDS, "rows"})))
    text = draw(NASTY)
    value = draw(st.one_of(st.none(), st.just(text), st.booleans(), st.integers(0, 9_999_999),
                           st.just({"?": text}), st.just(["o1"]), st.just("+22890112233"), st.just("1.5")))  # fmt: skip
    maybe = st.booleans()
    view = FieldView(
        "nom", draw(st.sampled_from(("nom", "voyageurs.0.nom"))), type_, draw(st.sampled_from(LABELS)), value,
        draw(st.sampled_from(((), (text, "2", "1990")))), text, draw(st.sampled_from((None, *LABELS))),
        draw(st.sampled_from((None, "cm"))), required=draw(maybe), computed=draw(maybe) and draw(maybe),
        locked=draw(maybe) and draw(maybe), lines=draw(st.sampled_from((1, 4))),
        max_length=draw(st.sampled_from((None, 8, 80))), accept=("pdf", "jpg"), max_size=2_000_000,
        example=draw(st.sampled_from(("", "1990-05-01", "+22890112233", "AB"))), options=options(draw),
        other_value=draw(NASTY), has_other=draw(maybe),
        condition=draw(st.sampled_from((None, {"field": "x", "in": ["true"]}, {"all": [{"field": "y", "out": ["a"]}]}))),
        shown=draw(maybe), copies=draw(st.sampled_from((1, 3))), how=draw(st.sampled_from(((), ("upload", "hand_over")))),
        reason=draw(st.sampled_from((None, None, "Illisible <"))),
    )  # fmt: skip
    if draw(st.integers(0, 5)) == 0:
        view = replace(view, problems=(AnswerProblem(view.path, "empty", {"type": type_, "id": "nom"}),))
    if draw(st.integers(0, 5)) == 0:
        view = replace(view, files=(FileView("a1", "acte.jpg", "jpg", 430_000, "2026-11-24T10:44:00+00:00"),))
    if type_ == "rows":
        view = replace(view, rows=(RowView(1, "", (replace(view, type="text", path="nom.0.a"),)),))
    return view


@cache
def kept(language: str) -> CompiledPages:
    """Shared: later examples meet what earlier ones left."""
    return CompiledPages(macro(language))


@settings(max_examples=400, deadline=None)
@given(views(), st.sampled_from(("fr", "en")))
def test_a_compiled_question_is_what_the_macro_writes(view: FieldView, language: str) -> None:
    plain = macro(language)(field_control(view, DRAW[language]))
    for one in (view, view, replace(view, definition=book_of(view))):
        assert kept(language).question(one, DRAW[language]).__html__() == plain


BOOKS: dict[FieldView, object] = {}


def book_of(view: FieldView) -> object:
    """Return one object for equal definitions of a question, None where answers decide a part of it."""
    if view.type in ("file", "photo", "evidence", "rows"):
        return None
    options = tuple(replace(one, chosen=False) for one in view.options)
    blank = replace(
        view, path="", value=None, boxes=(), text="", other_value="", options=options, condition=None, shown=True,
        locked=False, problems=(), files=(), rows=(), reason=None,
    )  # fmt: skip
    return BOOKS.setdefault(blank, object())


def test_a_page_is_its_questions_in_order() -> None:
    fields = tuple(
        FieldView(f"q{n}", f"q{n}", type_, LABELS[n % 3], shown=n != 1) for n, type_ in enumerate(sorted(KINDS))
    )
    page = PageView("p", LABELS[0], None, fields, 1, 1, True, True)
    plain = "".join(macro("fr")(field_control(view, DRAW["fr"])) for view in asked_views(page))
    assert PAGES["fr"].questions(page, DRAW["fr"]).__html__() == plain


def test_no_answer_is_kept() -> None:
    questions = CompiledPages(macro("fr"))
    for kind in ("text", "date", "phone", "integer"):
        view = FieldView("nom", "nom", kind, LABELS[1], "SECRET", ("SECRET", "SECRET", "SECRET"), "SECRET", has_other=True,
                         other_value="SECRET")  # fmt: skip
        assert b"SECRET" in bytes(questions.question(view, DRAW["fr"]))
    assert questions._kept
    assert "SECRET" not in repr(questions._kept)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_pages, "MOST", 3000)
    questions = CompiledPages(macro("fr"))
    for n in range(10):
        questions.question(FieldView("nom", f"q{n}", "text", LABELS[1]), DRAW["fr"])
        assert sum(len(b"".join(one.parts)) for one in questions._kept.values()) <= 3000


def test_a_mark_cannot_be_typed() -> None:
    first, second = Marks(), Marks()
    assert first.hole("v") != second.hole("v")
    typed = f"{first.hole('v')} |v|| {first.answer()}"
    assert second.compiled(typed).parts == [typed.encode()]


def test_kept_pages_are_forgotten_with_the_edition() -> None:
    pages = Pages(load_words())
    page = PageView("p", LABELS[0], None, (FieldView("nom", "nom", "text", LABELS[1]),), 1, 1, True, True)
    pages.questions(page, DRAW["fr"])
    assert pages._compiled
    pages.forget()
    assert not pages._compiled
