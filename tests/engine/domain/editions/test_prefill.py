"""What of an earlier request is taken over into a new one, and what is asked anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from engine.core.values import Plain
from engine.domain.editions.prefill import Reusable, asked_anew, reusable
from engine.model import Procedure
from engine.records.dossier import Attachment, CorrectionRequest, Dossier
from tests.makers import NOW, TODAY, a_dossier, a_procedure, a_sent_dossier, the_directory

LICENCE = """
form:
  demande:
    title: Votre demande
    fields:
      motif: {label: Motif, type: choice, options: {premiere: Première, perte: Perte}, reuse: false}
      date_perte: {label: Perdue le, type: date, when: motif == 'perte', example: 2026-11-02}
      perdue: {label: Perdue, value: motif == 'perte'}
  identite: {use: identite}
  metier:
    title: Votre métier
    fields:
      metier: {label: Métier, type: choice, options: {couture: Couture, coiffure: Coiffure}, other: true}
      salaries: {label: Salariés, type: integer, maximum: 20, example: 2}
      secret: {label: Un secret, required: false}
      aides:
        label: Aides
        type: rows
        required: false
        fields:
          prenom: {label: Prénom, example: Koffi}
          age: {label: Âge, type: integer, minimum: 16, example: 30}
  lieu:
    title: Le lieu
    reuse: false
    fields:
      marche: {label: Marché, example: Assigamé}
evidence:
  carte: {label: Carte, max_age: 6 months}
  rapport: {label: Rapport de police, when: perdue}
  croquis: {label: Croquis, reuse: false}
"""
BOOK = a_procedure(LICENCE)
SAID: Mapping[str, Plain] = {
    "motif": "perte", "date_perte": "2026-01-05", "nom": "AMEGAN", "prenoms": "Afi", "sexe": "f",
    "date_naissance": "1994-03-12", "lieu_naissance": "Kpalimé", "niu": None, "metier": "other", "metier_other": "Vannerie",
    "salaries": 3, "secret": "chut", "aides": [{"prenom": "Koffi", "age": 30}], "marche": "Hédzranawoé",
    "carte": {"is": None, "files": ["f1"], "issued": "2026-09-01", "held": False},
    "rapport": {"is": None, "files": ["f2"], "issued": None, "held": False},
    "croquis": {"is": None, "files": ["f3"], "issued": None, "held": False},
}  # fmt: skip
FILES = tuple(
    Attachment(f"f{number}", name, f"{name}.pdf", "pdf", 900, "0" * 64, NOW)
    for number, name in enumerate(("carte", "rapport", "croquis"), 1)
)


def earlier(book: Procedure = BOOK, **other: Plain) -> Dossier:
    return replace(a_sent_dossier(book, **{**SAID, **other}), id="d0", attachments=FILES)


def taken(
    book: Procedure = BOOK, before: Dossier | None = None, into: Procedure = BOOK, day: date = TODAY,
    without: tuple[str, ...] = (), **said: Plain,
) -> Reusable:  # fmt: skip
    return reusable(into, a_dossier(into, **said), book, before or earlier(), day, the_directory(), without)


def test_what_is_of_one_request_is_asked_anew_with_all_that_hangs_on_it() -> None:
    assert asked_anew(BOOK) == {"motif", "date_perte", "perdue", "rapport", "marche", "croquis"}


def test_the_rest_is_taken_over_blanks_and_details_included() -> None:
    found = taken()
    assert found.answers == {name: said for name, said in SAID.items() if name not in asked_anew(BOOK)}
    assert [one.id for one in found.files] == ["f1"]
    assert found.said == 9, "neither the blank nor the paper is counted"


def test_what_the_draft_says_already_stays() -> None:
    assert "salaries" not in taken(salaries=5).answers
    draft = replace(a_dossier(BOOK, nom="AMEGAN-LAWSON"), revision=1)
    assert "nom" not in reusable(BOOK, draft, BOOK, earlier(), TODAY, the_directory()).answers


def test_whom_the_account_names_gives_way_to_whom_the_earlier_request_was_for() -> None:
    """A parent who applied for a child: name and day of birth go together."""
    found = taken(nom="AMEGAN", prenoms="Komi", date_naissance="1960-01-01").answers
    assert (found["prenoms"], found["date_naissance"]) == ("Afi", "1994-03-12")
    assert "prenoms" not in taken(before=earlier(prenoms=None), prenoms="Komi").answers, "a blank takes nothing away"


def test_where_the_person_is_reached_is_what_the_account_says_today() -> None:
    book = a_procedure("form:\n  contact: {use: contact}\n")
    before = a_sent_dossier(book, telephone="+22890000001", email="afi@example.org")
    found = taken(book, before, book, telephone="+22890999999").answers
    assert found == {"email": "afi@example.org"}


WRONG: dict[str, tuple[str, dict[str, Plain]]] = {
    "out of bounds": ("salaries", {"salaries": 40}),
    "of another kind": ("salaries", {"salaries": ["trois"]}),
    "no option any more": ("metier", {"metier": "peche"}),
    "typed wrong": ("date_naissance", {"date_naissance": {"?": "31/02/1990"}}),
    "born tomorrow": ("date_naissance", {"date_naissance": "2026-12-25"}),
    "blank and required": ("salaries", {"salaries": None}),
    "without its detail": ("metier", {"metier_other": None}),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_answer_that_the_rules_in_force_refuse_is_left_out(case: str) -> None:
    name, said = WRONG[case]
    found = taken(before=earlier(**said)).answers
    assert name not in found
    assert found["nom"] == "AMEGAN"


def test_a_row_keeps_what_is_right_of_it() -> None:
    found = taken(before=earlier(aides=[{"prenom": "Koffi", "age": 12}, {"prenom": "Ama", "age": 20}]))
    assert found.answers["aides"] == [{"prenom": "Koffi"}, {"prenom": "Ama", "age": 20}]


def test_a_paper_lasts_as_long_as_its_age_allows() -> None:
    assert "carte" in taken(day=date(2027, 3, 1)).answers
    late = taken(day=date(2027, 3, 2))
    assert "carte" not in late.answers
    assert late.files == ()


@pytest.mark.parametrize("kind", ["png", "lost", "an agent's"])
def test_a_file_that_does_not_fit_is_left_out(kind: str) -> None:
    into = a_procedure(LICENCE.replace("max_age: 6 months", "max_age: 6 months, accept: [pdf]"))
    first = (
        replace(FILES[0], kind="png")
        if kind == "png"
        else replace(FILES[0], by="agent")
        if kind != "lost"
        else FILES[0]
    )
    before = replace(earlier(), attachments=(first, *FILES[1:]))
    assert "carte" not in taken(before=before, into=into, without=("f1",) if kind == "lost" else ()).answers


def test_what_an_agent_asked_to_correct_and_nobody_did_is_asked_anew() -> None:
    before = replace(
        earlier(), correction=CorrectionRequest({"nom": "Illisible", "sexe": ""}, "", NOW, "a", frozenset({"sexe"}))
    )
    found = taken(before=before).answers
    assert "nom" not in found
    assert "sexe" in found
    assert before.correction is not None
    unsent = replace(before, correction=replace(before.correction, unsent={"sexe": "f"}))
    assert "sexe" not in taken(before=unsent).answers, "the corrected answer is not sent yet"


def test_what_is_not_kept_any_more_never_comes_back() -> None:
    assert "secret" not in taken(without=("secret",)).answers


def test_an_edition_that_asks_otherwise_takes_what_it_still_asks() -> None:
    later = LICENCE.replace(
        "salaries: {label: Salariés, type: integer, maximum: 20",
        "salaries: {label: Salariés, type: integer, maximum: 2",
    )
    later = later.replace(
        "secret: {label: Un secret, required: false}", "devise: {label: Votre devise, example: Travail}"
    )
    found = taken(into=a_procedure(later)).answers
    assert {"salaries", "secret", "devise"} & found.keys() == set()
    assert found["prenoms"] == "Afi"


def test_a_name_that_a_later_edition_changed_is_followed() -> None:
    later = LICENCE.replace("carte: {label: Carte", "identite_piece: {label: Carte").replace("salaries:", "employes:")
    later = "edition: 2\nmigrate: {1: {carte: identite_piece, salaries: employes}}" + later
    found = taken(into=a_procedure(later))
    assert found.answers["employes"] == 3
    assert [one.field for one in found.files] == ["identite_piece"]


def test_another_procedure_gives_what_both_ask_in_the_same_words() -> None:
    other = a_procedure("procedure: autre" + LICENCE.replace("title: Votre métier", "title: Le métier de votre mari"))
    found = taken(other, into=BOOK, before=earlier(other))
    assert found.answers.keys() == {
        "nom", "prenoms", "sexe", "date_naissance", "lieu_naissance", "niu", "carte",
    }  # fmt: skip


def test_a_page_renamed_since_loses_no_answer_to_another_procedure() -> None:
    """What the earlier request was asked is read as its procedure asks it today."""
    asked = "form:\n  famille: {use: filiation, title: TITLE}\n"
    older, today = (a_procedure(asked.replace("TITLE", one)) for one in ("Filiation", "Votre famille"))
    other = a_procedure("procedure: autre\n" + asked.replace("TITLE", "Votre famille"))
    before, draft = a_sent_dossier(older, pere="AMEGAN Kodjo", mere="LAWSON Akouvi"), a_dossier(other)
    found = [
        dict(reusable(other, draft, older, before, TODAY, the_directory(), (), present).answers)
        for present in (today, None)
    ]
    assert found == [{"pere": "AMEGAN Kodjo", "mere": "LAWSON Akouvi"}, {}]


def test_nothing_sensitive_goes_from_one_procedure_to_another() -> None:
    kept = "personal_data: {purpose: Essayer, keep: {granted: 2 years, abandoned: 2 years}, sensitive: {secret: {seen_by: [maire]}}}\n"
    other = a_procedure("procedure: autre" + LICENCE + kept)
    found = taken(other, into=BOOK, before=earlier(other)).answers
    assert "secret" not in found
    assert found["metier_other"] == "Vannerie"


def test_rows_with_a_sensitive_column_stay_in_their_procedure() -> None:
    kept = "personal_data: {purpose: Essayer, keep: {granted: 2 years, abandoned: 2 years}, sensitive: {age: {seen_by: [maire]}}}\n"
    other = a_procedure("procedure: autre" + LICENCE + kept)
    assert "aides" not in taken(other, into=BOOK, before=earlier(other)).answers
    assert "aides" in taken(other, into=other, before=earlier(other)).answers


def test_a_hidden_answer_waits_for_its_question() -> None:
    text = "form:\n  qui:\n    title: Qui\n    fields:\n      qualite: {label: Qualité, type: choice, options: {a: A, b: B}}\n"
    into = a_procedure("procedure: autre\n" + text + "  identite: {use: identite, when: qualite == 'a'}\n")
    assert taken(into=into).answers["nom"] == "AMEGAN"


def test_files_are_named_anew_wherever_they_stand() -> None:
    found = Reusable({"a": {"files": ["f1"], "is": None}, "r": [{"piece": ["f2"], "nom": "f2 bis"}]})
    assert found.named({"f1": "n1", "f2": "n2"}) == {
        "a": {"files": ["n1"], "is": None},
        "r": [{"piece": ["n2"], "nom": "f2 bis"}],
    }


def test_a_declaration_is_never_taken_over() -> None:
    book = a_procedure(
        "form:\n  page:\n    title: Page\n    fields:\n      vrai: {label: Je certifie, type: declaration}\n      nom: {label: Nom, example: A}\n"
    )
    found = taken(book, into=book, before=a_sent_dossier(book, vrai=True, nom="AMEGAN"))
    assert found.answers == {"nom": "AMEGAN"}
