"""What a book settles of a question is worked out once for everybody: it says what would be worked out anew, and holds nothing
of anybody."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from engine.domain.fields.scope import evaluate_answers
from engine.domain.fields.views import FieldView, FormView
from engine.domain.forms import views_of_fields as showing
from engine.domain.forms.pages import view_form, view_page
from engine.domain.forms.sample_answers import example_answers
from engine.model import Field, Procedure
from tests.makers import TODAY, a_dossier, a_procedure, the_directory, the_words

BOOK = """
form:
  tout:
    title: De tout
    fields:
      nom: {label: Nom, example: Amegan, maxLength: 12}
      oui: {label: Oui, type: yes_no, example: true}
      nature: {label: Nature, type: choice, options: {neuf: Neuf, ancien: Ancien}, other: true, example: neuf}
      jours: {label: Jours, type: choices, options: {lundi: Lundi, mardi: Mardi}, required: false}
      tard: {label: Tard, type: choice, options: {non: Non, si: {label: Oui, when: oui}}, example: non}
      annee: {label: Année, type: integer, required: oui, example: 1990}
      depuis: {label: Depuis, type: date, when: nature == 'ancien', example: 1990-05-01}
      frais: {label: Frais, type: money, value: 1500}
      lots: {label: Lots, type: rows, max: 3, fields: {lot: {label: Lot, type: choice, options: {a: A, b: B}, example: a}}}
"""


def seen(book: Procedure, **answers: object) -> FormView:
    dossier = a_dossier(book, **answers)  # type: ignore[arg-type]
    return view_form(book, dossier, TODAY, the_directory(), the_words())


@pytest.mark.parametrize("filled", [False, True])
def test_what_is_settled_once_is_what_would_be_worked_out(filled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = a_procedure(BOOK), a_procedure(BOOK)
    answers = example_answers(quick, {}, TODAY, the_directory()) if filled else {}
    once, again = seen(quick, **answers), seen(quick, **answers)
    monkeypatch.setattr(showing, "_is_settled", lambda one: False)
    assert once == again == seen(slow, **answers)
    books = {one.id: one.definition for one in once.pages[0].fields}
    assert {name for name, book in books.items() if book is not None} == {
        "nom",
        "oui",
        "nature",
        "jours",
        "annee",
        "depuis",
        "frais",
    } & books.keys()
    assert books == {one.id: one.definition for one in again.pages[0].fields}


def test_nothing_of_anybody_is_kept_with_a_question() -> None:
    book = a_procedure(BOOK)
    seen(book, nom="SECRET", nature="other", nature_other="SECRET", jours=["lundi"])
    assert "SECRET" not in repr([one._worked_out for one in book.form.fields])
    assert not any(option.chosen for option in said(book.fields["jours"]).options)


def said(field: Field) -> FieldView:
    return field.once(showing._said).view


def test_a_question_that_is_changed_keeps_nothing_of_what_it_was() -> None:
    field = a_procedure(BOOK).fields["nom"]
    assert said(field).max_length == 12
    assert said(replace(field, bounds=replace(field.bounds, max_length=3))).max_length == 3


def test_an_answer_replaces_what_it_says_and_no_more() -> None:
    view = said(a_procedure(BOOK).fields["nature"])
    assert view.with_answer(value="neuf", text="Neuf", shown=False) == replace(
        view, value="neuf", text="Neuf", shown=False
    )
    assert view.with_answer().__dict__.keys() == {one.name for one in fields(FieldView)}


def test_a_page_that_is_not_judged_says_nothing_wrong_and_is_not_whole() -> None:
    book = a_procedure("form: {d: {title: Nom, fields: {nom: {label: Nom, example: Afi}}}}")
    dossier = a_dossier(book)
    standing = evaluate_answers(book, dossier, TODAY, the_directory())
    judged, not_judged = (view_page(standing, "d", dossier, the_words(), judged=one) for one in (True, False))
    assert judged is not None
    assert not_judged is not None
    assert [one.code for one in judged.problems] == ["empty"]
    assert (not_judged.problems, not_judged.complete, not_judged.fields) == ((), False, judged.fields)
