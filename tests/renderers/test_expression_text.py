"""Any expression in words: a table of what a jurist reads, and that nothing of any shipped book is left unsaid."""

from __future__ import annotations

import pytest

from engine.model import Procedure
from engine.model.types import Expression
from renderers.definition.document import definition_text
from renderers.definition.expressions import ExpressionWriter
from tests.makers import PROCEDURES, a_procedure, the_directory, the_procedure, the_words

BOOK = """
form:
  page:
    title: Vous
    fields:
      age_dit: {label: Âge, type: integer}
      ne_le: {label: Né le, type: date}
      pieces: {label: Pièces, type: choices, options: {cni: Carte, niu: NIU}}
      choix: {label: Choix, type: choice, options: {a: Premier, b: Second}, other: true}
      oui: {label: D'accord, type: yes_no}
      surface: {label: Surface, type: decimal}
      enfants:
        label: Enfants
        type: rows
        required: false
        fields:
          prenom: {label: Prénom}
          ans: {label: Âge de l'enfant, type: integer}
      essai: {label: Essai, required: false, when: "WHEN"}
"""


def said(condition: str) -> str:
    book = a_procedure(BOOK.replace("WHEN", condition))
    return (
        ExpressionWriter(book, the_directory(), the_words(), "fr")
        .condition(book.fields["essai"].when)
        .replace("\u00a0", " ")
        .replace("\u202f", " ")
    )


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("oui", "« D’accord » : oui"),
        ("not oui", "« D’accord » : non"),
        ("choix == 'a'", "« Choix » est « Premier »"),
        ("choix != 'b'", "« Choix » n’est pas « Second »"),
        ("choix in ['a', 'b']", "« Choix » est « Premier » ou « Second »"),
        ("choix not in ['a']", "« Choix » n’est pas « Premier »"),
        ("choix == 'other'", "« Choix » est « Autre, précisez »"),
        ("'cni' in pieces", "« Carte » est coché dans « Pièces »"),
        ("age_dit < 18", "« Âge » est inférieur à 18"),
        ("not age_dit >= 18", "« Âge » n’est pas au moins 18"),
        ("age(ne_le) >= 18", "l’âge d’après « Né le » est au moins 18 ans"),
        ("ne_le < date(2000, 1, 1)", "« Né le » est avant 1er janvier 2000"),
        ("ne_le <= today + months(3)", "« Né le » est au plus tard le jour de la demande plus 3 mois"),
        ("year(ne_le) == age_dit", "l’année où tombe « Né le » est « Âge »"),
        ("ne_le <= date(year(today), 12, 31)",
         "« Né le » est au plus tard le 31/12 de l’année où tombe le jour de la demande"),
        ("oui and choix == 'a'", "« D’accord » : oui et « Choix » est « Premier »"),
        ("oui or age_dit > 3 and choix == 'a'", "« D’accord » : oui ou (« Âge » dépasse 3 et « Choix » est « Premier »)"),
        ("not (oui and age_dit > 3)", "il est faux que (« D’accord » : oui et « Âge » dépasse 3)"),
        ("answered(surface)", "« Surface » a une réponse"),
        ("not any(enfants, ans < 3)", "aucune ligne de « Enfants » ne vérifie : « Âge de l’enfant » est inférieur à 3"),
    ("count(enfants) > 2", "le nombre de lignes de « Enfants » dépasse 2"),
        ("any(enfants, ans < 3)", "au moins une ligne de « Enfants » vérifie : « Âge de l’enfant » est inférieur à 3"),
        ("surface * 2 > 7.5", "« Surface » × 2 dépasse 7,5"),
        ("channel == 'web'", "le moyen de dépôt est en ligne"),
        ("age_dit >= 1960 and age_dit <= year(today)", "« Âge » est au moins 1960 et « Âge » ne dépasse pas l’année où tombe le jour de la demande"),
        ("surface > 10000", "« Surface » dépasse 10 000"),
    ],
)  # fmt: skip
def test_conditions_in_words(condition: str, words: str) -> None:
    assert said(condition) == words


def expressions(book: Procedure) -> list[Expression]:
    found = [one.when for page in book.form.pages for one in (page, *page.fields, *page.checks)]
    found += [check.holds for page in book.form.pages for check in page.checks]
    found += [way.when for way in book.transitions]
    return [one for one in found if one.text != "true"]


@pytest.mark.parametrize("name", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_no_code_is_left_in_the_words_of_a_shipped_book(name: str) -> None:
    book = the_procedure(name)
    writer = ExpressionWriter(book, the_directory(), the_words(), "fr")
    for one in expressions(book):
        words = writer.condition(one)
        assert words
        assert words != one.text
        assert not [name for name in one.names if f"« {name} »" in words]


def test_until_when_a_document_holds_is_counted_from_the_day_it_is_issued() -> None:
    book, directory = the_procedure("regularite-fiscale"), the_directory()
    [said] = [
        line
        for one in definition_text(book, directory, the_words(), "fr").documents
        for line in one.lines
        if "31/12" in line
    ]
    assert said.replace("\u00a0", " ") == "Valable jusqu’à : le 31/12 de l’année où tombe le jour de la délivrance"


def test_the_moments_of_life_of_a_shipped_book_are_said_in_french() -> None:
    facts = definition_text(the_procedure("creation-entreprise"), the_directory(), the_words(), "fr").facts
    assert ("Moments de vie", "créer une entreprise") in facts
