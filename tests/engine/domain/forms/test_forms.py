"""The form as people fill it: the path, conditions, rows, faults, corrections, what may never be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.values import Plain
from engine.domain.fields.field_type import Speech
from engine.domain.fields.raw_answers import CODES, is_wrong
from engine.domain.fields.scope import evaluate_answers, scope_of
from engine.domain.fields.views import AnswerProblem, FieldView, PageView
from engine.domain.forms.eligibility import next_criterion, read_criterion, stopped_by, view_criterion
from engine.domain.forms.pages import (
    PageRead,
    check_answers,
    check_filling,
    dossier_label,
    live_answers,
    next_page,
    open_fields,
    path,
    prefilled,
    read_corrections,
    read_filling,
    read_page,
    view_filling,
    view_form,
    view_page,
    way,
)
from engine.domain.forms.sample_answers import adopt_answers, example_answers, example_filling
from engine.model import Field, Procedure
from engine.records.dossier import Actor, Attachment, CorrectionRequest, Dossier
from tests.makers import NOW, TODAY, a_dossier, a_procedure, a_sent_dossier, the_directory, the_procedure, the_words

BOOK = a_procedure("""
dossier_label: '{nom} {prenom}'
eligibility:
  resident: {ask: Habitez-vous ici, stop_when: not resident, because: Réservé aux habitants.}
  pays: {ask: Votre pays, type: country, when: resident, stop_when: pays == 'fra', because: Voyez votre consulat.}
form:
  projet:
    title: Votre projet
    fields:
      nature: {label: Nature, type: choice, options: {neuf: Neuf, ancien: Ancien}}
      annee: {label: Année, type: integer, when: nature == 'ancien', minimum: 1900, maximum: 2026}
      motif: {label: Motif, when: annee < 1950}
      frais: {label: Frais, type: money, value: 1500}
  voisins:
    title: Vos voisins
    when: nature == 'ancien'
    fields:
      voisin: {label: Voisin}
  vous:
    title: Vous
    fields:
      nom: {label: Nom, case: upper}
      prenom: {label: Prénom, required: false}
      naissance: {label: Naissance, type: date, maximum: today}
      certifie: {label: Je certifie, type: declaration}
      jours: {label: Jours, type: choices, options: {lundi: Lundi, mardi: Mardi}, required: false}
      telephone: {label: Téléphone, type: phone, required: false, prefill: account.phone}
    checks:
      majeur: {must: age(naissance) >= 18, message: Il faut être majeur.}
      ancien: {should: age(naissance) < 100, message: Vérifiez la date., at: naissance}
  lots:
    title: Vos lots
    fields:
      lots:
        label: Lots
        type: rows
        maxItems: 3
        row_label: '{code} ({part})'
        unique: [code]
        total: {of: part, equals: 100}
        fields:
          code: {label: Code}
          part: {label: Part, type: integer, maximum: 100}
          loue: {label: Loué, type: yes_no}
          loyer: {label: Loyer, type: money, when: loue}
          secret: {label: Calcul, value: part * 2}
        checks:
          cher: {must: loyer <= 1000 * part, message: Loyer trop cher., at: loyer}
evidence:
  acte: {label: Acte}
  plan: {label: Plan, when: nature == 'neuf', any_of: {masse: De masse, coupe: Coupe}}
  photos: {label: Photos, how: [hand_over], copies: 2}
later_forms:
  rapport:
    title: Rapport
    fields:
      avis: {label: Avis, type: choice, options: {bon: Bon, mauvais: Mauvais}}
      pourquoi: {label: Pourquoi, when: avis == 'mauvais'}
      cote: {label: Cote, type: integer, maximum: 10}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde, fills: rapport}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
personal_data:
  purpose: Essayer
  keep: {granted: 2 years, abandoned: 2 years}
  sensitive: {naissance: {seen_by: [maire]}, loyer: {seen_by: [urbaniste]}}
""")
STALLS = a_procedure("""
form:
  demande:
    title: Vos étals
    fields:
      etals: {label: Étals, type: rows, row_label: Étal, fields: {m2: {label: Surface, type: integer}}}
""")
DIRECTORY = the_directory()
OWNER = Actor("applicant", "ama")
MAYOR = Actor("agent", "a1", roles=frozenset({"mairie/maire"}))
FULL = example_answers(BOOK, {"nature": "neuf", "lots": [{"part": 100}]}, TODAY, DIRECTORY)


def draft(**answers: Plain) -> Dossier:
    return a_dossier(BOOK, **answers)


def read(page: str, raw: Mapping[str, Any], dossier: Dossier | None = None, **keys: Any) -> PageRead:
    posted = {name: [value] if isinstance(value, str) else value for name, value in raw.items()}
    return read_page(BOOK, dossier or draft(), page, posted, TODAY, DIRECTORY, **keys)


def faults(problems: tuple[AnswerProblem, ...]) -> list[tuple[str, str]]:
    return [(one.at, one.code) for one in problems]


def check(**answers: Plain) -> list[tuple[str, str]]:
    return faults(check_answers(BOOK, draft(**{**FULL, **answers}), TODAY, DIRECTORY))


def page_of(page: str, dossier: Dossier, **keys: Any) -> PageView:
    found = view_page(evaluate_answers(BOOK, dossier, TODAY, DIRECTORY), page, dossier, the_words(), **keys)
    assert found is not None
    return found


def field_of(page: str, name: str, dossier: Dossier, **keys: Any) -> FieldView:
    return next(field for field in page_of(page, dossier, **keys).fields if field.id == name)


ADDRESS = a_procedure("""
form:
  demande:
    title: Votre adresse
    fields:
      prefecture: {label: Préfecture, type: place, level: prefecture, example: golfe}
      commune: {label: Commune, type: place, under: prefecture, example: golfe_1}
""")


def communes(**answers: Plain) -> list[tuple[str, str]]:
    dossier = a_dossier(ADDRESS, **answers)
    found = view_page(evaluate_answers(ADDRESS, dossier, TODAY, DIRECTORY), "demande", dossier, the_words())
    assert found is not None
    options = next(field for field in found.fields if field.id == "commune").options
    return [(option.code, str(option.group or "")) for option in options]


def test_a_choice_under_a_blank_answer_offers_everything_sorted_by_it() -> None:
    """Both stand on one page, and a page works without scripts."""
    every = communes()
    assert len(every) == 117
    assert ("golfe_1", "Golfe") in every
    assert ("mo_2", "Mô") in every
    assert communes(prefecture="mo") == [("mo_1", ""), ("mo_2", "")]
    both = {"prefecture": ["mo"], "commune": ["golfe_1"]}
    wrong = read_page(ADDRESS, a_dossier(ADDRESS), "demande", both, TODAY, DIRECTORY)
    assert faults(wrong.problems) == [("commune", "choice")]


# -- the path ----------------------------------------------------------------------------------------------------------


def test_the_path_follows_the_answers() -> None:
    def pages(**answers: Plain) -> list[str]:
        return [page.id for page in path(BOOK, scope_of(BOOK, draft(**answers), TODAY, DIRECTORY))]

    assert pages() == ["projet", "vous", "lots", "pieces"]
    assert pages(nature="ancien") == ["projet", "voisins", "vous", "lots", "pieces"]


@pytest.mark.parametrize(
    ("nature", "after", "following"),
    [
        ("neuf", "projet", "vous"),
        ("ancien", "projet", "voisins"),
        ("neuf", "voisins", "vous"),
        ("neuf", "pieces", None),
    ],
)
def test_what_comes_next(nature: str, after: str, following: str | None) -> None:
    page = next_page(BOOK, scope_of(BOOK, draft(nature=nature), TODAY, DIRECTORY), draft(nature=nature), after)
    assert (page.id if page else None) == following


# -- reading a page ----------------------------------------------------------------------------------------------------


def test_a_good_page_is_kept_and_left() -> None:
    found = read("vous", {"nom": " amegan ", "prenom": "", "naissance": "27/3/1990", "certifie": "on"})
    assert found.problems == ()
    assert not found.stays
    assert found.answers == {"nom": "AMEGAN", "prenom": None, "naissance": "1990-03-27", "certifie": True,
                             "jours": None, "telephone": None}  # fmt: skip
    assert found.changed == {"nom", "naissance", "certifie"}


def test_a_wrong_page_is_kept_too() -> None:
    found = read("vous", {"nom": "", "naissance_day": "31", "naissance_month": "2", "naissance_year": "1990"})
    assert faults(found.problems) == [("nom", "empty"), ("naissance", "date_unreal"), ("certifie", "declaration")]
    assert found.stays
    after = draft(**found.answers)
    assert field_of("vous", "naissance", after, problems=found.problems).boxes == ("31", "2", "1990")
    assert field_of("vous", "naissance", after, problems=found.problems).problems[0].code == "date_unreal"


def test_a_question_opened_by_the_page_is_asked_again_not_blamed() -> None:
    found = read("projet", {"nature": "ancien"})
    assert found.opened == ("annee",)
    assert found.problems == ()
    assert found.stays
    again = read("projet", {"nature": "ancien", "annee": ""}, draft(**found.answers))
    assert again.opened == ()
    assert faults(again.problems) == [("annee", "empty")]
    then = read("projet", {"nature": "ancien", "annee": "1930"}, draft(**again.answers))
    assert (then.opened, then.problems) == (("motif",), ())


def test_a_browser_that_opened_it_itself_is_answered_at_once() -> None:
    found = read("projet", {"nature": "ancien", "annee": "1930", "motif": "Vieux"})
    assert not found.stays
    assert found.answers == {"nature": "ancien", "annee": 1930, "motif": "Vieux"}


def test_hidden_answers_are_kept_until_sent_then_dropped() -> None:
    before = draft(nature="ancien", annee=1930, motif="Vieux", voisin="Kofi")
    found = read("projet", {"nature": "neuf", "annee": "1931", "motif": ""}, before)
    assert found.answers == {"nature": "neuf", "annee": 1930, "motif": "Vieux", "voisin": "Kofi"}
    assert found.closed == ("annee", "motif", "voisin")
    assert "annee" not in live_answers(BOOK, draft(**found.answers), TODAY, DIRECTORY)


BORN = a_procedure("""
form:
  vous:
    title: Vous
    fields:
      ne: {label: Date de naissance, type: date}
      mineur: {label: Mineur, type: boolean, value: 'age(ne) < 18'}
      tuteur: {label: Nom du tuteur, when: mineur}
      ecole: {label: École, when: age(ne) < 18}
      metier: {label: Métier, when: 'ne < date(2000, 1, 1)'}
""")


@pytest.mark.parametrize("before", [{}, {"ne": "2015-03-02", "tuteur": "Afi", "ecole": "A"}])
def test_a_typo_in_a_date_loses_no_other_answer(before: dict[str, Plain]) -> None:
    posted = {"ne": "2015-02-31", "tuteur": "KOFI", "ecole": "B", "metier": "Soudeur"}
    raw = {name: (value,) for name, value in posted.items()}
    read = read_page(BORN, a_dossier(BORN, **before), "vous", raw, TODAY, the_directory())
    assert read.problems[0].at == "ne"
    assert {name: read.answers[name] for name in ("tuteur", "ecole")} == {"tuteur": "KOFI", "ecole": "B"}
    mended = read_page(
        BORN, a_dossier(BORN, **read.answers), "vous", {"ne": ("2015-02-28",)}, TODAY, the_directory()
    ).after
    assert [mended.answers[name] for name in ("tuteur", "ecole")] == ["KOFI", "B"]
    assert not mended.values.shows("metier")  # never sent: a hidden answer is dropped


def test_what_may_never_be_posted() -> None:
    found = read("projet", {"nature": "neuf", "frais": "1", "nom": "X", "inconnu": "1", "resident": "false", "acte": "f",
                            "avis": "bon", "recherche": "found", "annee": "1990"})  # fmt: skip
    assert found.answers == {"nature": "neuf"}


def test_an_unknown_page_changes_nothing() -> None:
    found = read("nulle_part", {"nom": "X"}, draft(nom="Y"))
    assert (found.answers, found.changed, found.problems) == ({"nom": "Y"}, frozenset(), ())


def test_boxes_left_out_of_a_post_were_unticked_if_they_stood_there() -> None:
    before = draft(certifie=True, jours=["lundi"], nom="A")
    assert read("vous", {"nom": "A"}, before).answers["jours"] is None
    assert read("vous", {"nom": "A"}, before).answers["certifie"] is None
    assert read("vous", {"nom": "B"}, before, only=frozenset({"nom"})).answers == {**before.answers, "nom": "B"}


# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_are_read_by_number() -> None:
    found = read("lots", {"lots.0.code": "A", "lots.0.part": "60", "lots.0.loue": "false", "lots.0.secret": "9",
                          "lots.1.code": "B", "lots.1.part": "40", "lots.1.loue": "true", "lots.1.loyer": "10 000"})  # fmt: skip
    assert found.problems == ()
    assert found.answers["lots"] == [
        {"code": "A", "part": 60, "loue": False},
        {"code": "B", "part": 40, "loue": True, "loyer": 10000},
    ]


def test_a_hidden_column_cannot_be_posted() -> None:
    found = read("lots", {"lots.0.code": "A", "lots.0.part": "100", "lots.0.loue": "false", "lots.0.loyer": "5"})
    assert found.answers["lots"] == [{"code": "A", "part": 100, "loue": False}]


def lots(found: PageRead) -> list[Plain]:
    """The codes of the rows kept."""
    rows = found.answers["lots"]
    assert isinstance(rows, list)
    return [one.get("code") for one in rows if isinstance(one, dict)]


def test_rows_come_and_go() -> None:
    kept: Plain = [{"code": "A"}, {"code": "B"}]
    added = read("lots", {"add_row": "lots"}, draft(lots=kept))
    assert added.rows_changed
    assert added.stays
    assert lots(added) == ["A", "B", None]
    assert not read("lots", {"add_row": "lots"}, draft(**added.answers)).rows_changed, "three at most"
    removed = read("lots", {"remove_row": "lots.0", "lots.1.code": "C"}, draft(lots=kept))
    assert lots(removed) == ["C"]
    for nonsense in ("lots.7", "lots.x", "nom", "", "lots.0.code", "lots.-1"):
        assert not read("lots", {"remove_row": nonsense}, draft(lots=kept)).rows_changed


def test_no_row_comes_where_rows_are_not_shown() -> None:
    book = the_procedure("creation-entreprise")
    for shape, comes in (("sarl", True), ("ei", False)):
        dossier = a_dossier(book, forme=shape)
        found = read_page(book, dossier, "societe", {"add_row": ["associes"]}, TODAY, the_directory())
        assert (found.rows_changed, found.answers.get("associes")) == (comes, [{}] if comes else None), shape


def test_a_blank_row_that_nobody_asked_for_is_not_kept() -> None:
    found = read("lots", {"lots.0.code": "A", "lots.1.code": "", "lots.1.part": "", "lots.9.part": ""})
    assert lots(found) == ["A"]


def test_no_more_rows_than_may_be() -> None:
    found = read("lots", {f"lots.{number}.code": f"C{number}" for number in range(50)})
    assert lots(found) == ["C0", "C1", "C2"]


def row(code: str = "A", part: Plain = 100, **more: Plain) -> Plain:
    return {"code": code, "part": part, "loue": False, **more}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row()], []),
        ([], [("lots", "rows_few")]),
        ([row(), row(part=None)], [("lots.1.part", "empty"), ("lots.1.code", "unique")]),
        ([row(part=50), row(part=50)], [("lots.1.code", "unique")]),
        ([row(part=50), row("B", 40)], [("lots", "total")]),
        ([row(part=101)], [("lots.0.part", "maximum"), ("lots", "total")]),
        ([row(loue=True)], [("lots.0.loyer", "empty")]),
        ([row(loue=True, loyer=100_001)], [("lots.0.loyer", "check")]),
        ([row(part=25), row("B", 25), row("C", 25), row("D", 25)], [("lots", "rows_many")]),
    ],
)
def test_faults_of_rows(rows: list[Plain], expected: list[tuple[str, str]]) -> None:
    assert check(lots=rows) == expected


def test_a_group_shows_its_rows_one_blank_at_least_and_one_to_add() -> None:
    blank = field_of("lots", "lots", draft())
    assert [[one.path for one in line.fields if one.shown] for line in blank.rows] == [
        ["lots.0.code", "lots.0.part", "lots.0.loue", "lots.0.secret"]
    ]
    filled = field_of("lots", "lots", draft(lots=[row(), row("B", 50), row("C", 1)]))
    assert [line.label for line in filled.rows] == ["A (100)", "B (50)", "C (1)"]
    market = a_dossier(STALLS, etals=[{"m2": 1}, {"m2": 2}])
    page = view_page(evaluate_answers(STALLS, market, TODAY, DIRECTORY), "demande", market, the_words())
    assert page is not None
    assert [line.label for line in page.fields[0].rows] == ["Étal 1", "Étal 2"]
    assert filled.blank_row is None, "three at most"
    loyer = filled.rows[1].fields[3]
    assert (loyer.shown, loyer.condition) == (False, {"field": "lots.1.loue", "in": ["true"]})
    two = field_of("lots", "lots", draft(lots=[row(), row("B")])).blank_row
    assert two is not None
    assert two.fields[0].path == "lots.2.code"


# -- what is wrong with the whole --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, []),
        ({"nom": None}, [("nom", "empty")]),
        ({"prenom": None}, []),
        ({"naissance": "2020-01-01"}, [("naissance", "check")]),
        ({"naissance": "1900-01-01"}, [("naissance", "check")]),  # a warning
        ({"naissance": "2027-01-01"}, [("naissance", "date_past")]),  # its check is silent
        ({"naissance": {"?": "hier"}}, [("naissance", "date")]),
        ({"nature": "ancien"}, [("annee", "empty"), ("voisin", "empty")]),
        ({"nature": "autre"}, [("nature", "choice")]),
        ({"acte": None}, [("acte", "file")]),
        ({"plan": {"is": "masse", "files": []}}, [("plan", "file")]),
        ({"plan": {"is": None, "files": ["f"]}}, [("plan", "empty")]),
        ({"photos": None}, []),
    ],
)
def test_faults_of_the_whole(answers: dict[str, Plain], expected: list[tuple[str, str]]) -> None:
    assert check(**answers) == expected


def test_a_warning_does_not_refuse() -> None:
    [problem] = check_answers(BOOK, draft(**{**FULL, "naissance": "1900-01-01"}), TODAY, DIRECTORY)
    assert problem.warns
    assert (problem.facts["id"], str(problem.message)) == ("ancien", "Vérifiez la date.")


@pytest.mark.parametrize(("days", "found"), [(6, ["sept_jours"]), (7, ["reponse_apres_entree"]), (17, [])])
def test_a_visa_that_may_come_after_the_entry_is_not_announced_in_silence(days: int, found: list[str]) -> None:
    """The request is taken until 7 days before the entry. The answer takes 7 working days: 9 days or more."""
    visa, dates = (
        the_procedure("e-visa"),
        {"date_entree": str(TODAY + timedelta(days=days)), "date_sortie": str(TODAY + timedelta(days=days + 5))},
    )
    answers = example_answers(visa, dates, TODAY, DIRECTORY)
    problems = check_answers(visa, replace(a_dossier(visa), answers=answers), TODAY, DIRECTORY)
    assert [one.facts["id"] for one in problems if one.at == "date_entree"] == found
    days_said = [one.facts.get("earliest") for one in problems if one.at == "date_entree" and not one.warns]
    assert set(days_said) <= {str(TODAY + timedelta(days=7))}, "the first day that is possible, beside its own words"


def test_every_fault_has_a_known_code_and_names_its_question() -> None:
    problems = check_answers(BOOK, draft(), TODAY, DIRECTORY)
    assert {one.code for one in problems} <= set(CODES)
    assert all(one.label for one in problems)
    assert len(problems) > 5


def test_what_is_sent_is_what_is_shown() -> None:
    extra: Plain = [{"code": "A", "part": 100, "loue": False, "loyer": 5, "secret": 7, "intrus": 1}]
    sent = live_answers(BOOK, draft(**{**FULL, "annee": 1930, "frais": 2, "lots": extra}), TODAY, DIRECTORY)
    assert sent["lots"] == [{"code": "A", "part": 100, "loue": False}]
    assert not {"annee", "motif", "voisin", "frais"} & sent.keys()
    assert sent["resident"] is True
    assert sent["prenom"] is not None


# -- showing -----------------------------------------------------------------------------------------------------------


def test_pages_know_whether_they_are_visited_and_complete() -> None:
    view = view_form(BOOK, draft(nature="neuf"), TODAY, DIRECTORY, the_words())
    assert [(page.id, page.position, page.count) for page in view.pages] == [
        ("projet", 1, 4), ("vous", 2, 4), ("lots", 3, 4), ("pieces", 4, 4)
    ]  # fmt: skip
    assert [(page.visited, page.complete) for page in view.pages] == [(True, True), *[(False, False)] * 3]
    assert not view.pages[1].fields[0].problems, "nothing is wrong with a page nobody has seen"
    assert ("nom", "empty") in faults(view.missing)
    full = view_form(BOOK, draft(**FULL), TODAY, DIRECTORY, the_words())
    assert all(page.complete and page.visited for page in full.pages)


REACHED = a_procedure("""
form:
  debut: {title: Début, fields: {motif: {label: Motif}}}
  joindre:
    title: Vous joindre
    fields:
      telephone: {label: Téléphone, type: phone, prefill: account.phone}
      email: {label: E-mail, type: email, required: false, prefill: account.email}
      horaire: {label: Quand, when: motif == 'urgent'}
      lisez: {label: Lisez ceci., type: note, when: motif == 'note'}
  neuf: {title: Encore, reuse: false, fields: {autre: {label: Autre, type: phone, prefill: account.phone}}}
  fin: {title: Fin, fields: {fin: {label: Fin, required: false}}}
""")
NUMBER = "+22890123456"


@pytest.mark.parametrize(
    ("phone", "answers", "known"),
    [
        (NUMBER, {}, True),
        (None, {}, False),  # the number was typed and never proven
        ("+22899000000", {}, False),  # the proven number is another
        (NUMBER, {"email": None}, False),  # the page was opened
        (NUMBER, {"email": "ama@example.tg"}, False),
        (NUMBER, {"motif": "urgent"}, False),  # a question that the number does not answer
        (NUMBER, {"motif": "note"}, False),  # something to read
    ],
)
def test_a_page_that_the_proven_number_answers_leaves_the_way(
    phone: str | None, answers: dict[str, Plain], known: bool
) -> None:
    """It stays on the path, which the list of steps and the summary show, and opens where it is asked for."""
    dossier = replace(a_dossier(REACHED, telephone=NUMBER, autre=NUMBER, **answers), contact_phone=phone)
    scope = scope_of(REACHED, dossier, TODAY, DIRECTORY)
    others = ["debut", "neuf", "fin"]
    whole = ["debut", "joindre", "neuf", "fin"]
    assert [page.id for page in path(REACHED, scope)] == whole
    assert [page.id for page in way(REACHED, scope, dossier)] == (others if known else whole)
    following = next_page(REACHED, scope, dossier, "debut")
    assert following is not None
    assert following.id == ("neuf" if known else "joindre")
    views = view_form(REACHED, dossier, TODAY, DIRECTORY, the_words()).pages
    assert [(one.id, one.known) for one in views] == [(one, one == "joindre" and known) for one in whole]
    assert views[1].visited is (known or answers.keys() == {"email"})
    evaluated = evaluate_answers(REACHED, dossier, TODAY, DIRECTORY)
    last, opened = (view_page(evaluated, one, dossier, the_words()) for one in ("fin", "joindre"))
    assert last is not None
    assert opened is not None
    assert (last.position, last.count) == ((3, 3) if known else (4, 4))
    assert (opened.position, opened.count, opened.before) == (2, 4, "debut")


NOTES = a_procedure("""
form:
  avant: {title: Avant de commencer, fields: {lisez: {label: Lisez ceci., type: note}, aussi: {label: Et ceci., type: note, when: seul}}}
  vous: {title: Vous, fields: {seul: {label: Seul, type: yes_no}, rappel: {label: Un rappel., type: note}}}
  couple: {title: Couple, when: not seul, fields: {ensemble: {label: Ensemble., type: note}}}
  total: {title: Total, fields: {total: {label: Total, value: 3}}}
  fin: {title: Fin, fields: {fin: {label: Voilà., type: note}}}
""")


def test_a_page_of_notes_is_on_the_path_while_one_of_them_is_shown() -> None:
    def pages(**answers: Plain) -> list[str]:
        dossier = a_dossier(NOTES, **answers)
        return [page.id for page in path(NOTES, scope_of(NOTES, dossier, TODAY, DIRECTORY))]

    assert pages(seul=False) == ["avant", "vous", "couple", "fin"]
    assert pages(seul=True) == ["avant", "vous", "fin"], "a page of computed values only is never shown"


def test_a_page_of_notes_is_read_once_it_was_left() -> None:
    """It lacks nothing before, and what says that it was read is no part of a submitted dossier."""
    dossier = a_dossier(NOTES, seul=True)
    before = view_form(NOTES, dossier, TODAY, DIRECTORY, the_words())
    assert [(page.id, page.visited, page.complete) for page in before.pages] == [
        ("avant", False, True), ("vous", True, True), ("fin", False, True)
    ]  # fmt: skip
    assert check_answers(NOTES, dossier, TODAY, DIRECTORY) == ()
    read = read_page(NOTES, dossier, "avant", {}, TODAY, DIRECTORY)
    assert (read.stays, read.changed) == (False, {"lisez", "aussi"})
    dossier = replace(dossier, answers=read.answers)
    after = view_form(NOTES, dossier, TODAY, DIRECTORY, the_words())
    assert [page.visited for page in after.pages] == [True, True, False]
    assert read_page(NOTES, dossier, "avant", {}, TODAY, DIRECTORY).changed == frozenset()
    assert read_page(NOTES, dossier, "vous", {"seul": ["true"]}, TODAY, DIRECTORY).changed == frozenset()
    assert live_answers(NOTES, dossier, TODAY, DIRECTORY) == {"seul": True}


def test_a_field_is_ready_to_draw() -> None:
    dossier = draft(**FULL)
    nature, annee, frais = page_of("projet", dossier).fields  # `motif` is not simple: it follows once the page is saved
    assert [(option.code, option.chosen) for option in nature.options] == [("neuf", True), ("ancien", False)]
    assert (annee.shown, annee.condition) == (False, {"field": "nature", "in": ["ancien"]})
    assert (frais.computed, frais.value, frais.text) == (True, 1500, f"{the_words().amount(1500, 'fr')}\u00a0FCFA")
    assert field_of("pieces", "photos", dossier).copies == 2


def test_an_attached_file_is_shown() -> None:
    attachment = Attachment("example-acte", "acte", "acte.pdf", "pdf", 1200, "00", NOW, 2)
    [file] = field_of("pieces", "acte", replace(draft(**FULL), attachments=(attachment,))).files
    assert (file.name, file.pages, file.received) == ("acte.pdf", 2, NOW.isoformat())


@pytest.mark.parametrize(
    ("reader", "naissance", "loyer"),
    [
        (None, False, False),
        (OWNER, False, False),
        (MAYOR, False, True),
        (Actor("agent", "a2", roles=frozenset({"mairie/urbaniste"})), True, False),
        (Actor("auditor", "x"), True, True),
    ],
)
def test_sensitive_answers_are_masked(reader: Actor | None, naissance: bool, loyer: bool) -> None:
    sent = a_sent_dossier(BOOK, **{**FULL, "lots": [row(loue=True, loyer=500)]})
    field = field_of("vous", "naissance", sent, reader=reader)
    assert (field.sensitive, field.masked, field.value is None, field.text == "") == (True, *[naissance] * 3)
    column = field_of("lots", "lots", sent, reader=reader).rows[0].fields[3]
    assert (column.masked, column.value) == (loyer, None if loyer else 500)
    assert not field_of("vous", "nom", sent, reader=reader).masked


# -- once sent ---------------------------------------------------------------------------------------------------------

CORRECTED = CorrectionRequest({"nom": "Illisible", "nature": "Fausse"}, "Corrigez", NOW, "a1")


def to_correct(**answers: Plain) -> Dossier:
    kept = live_answers(BOOK, draft(**{**FULL, **answers}), TODAY, DIRECTORY)
    return replace(a_sent_dossier(BOOK, "a_corriger", **kept), correction=CORRECTED)


def test_a_sent_form_is_locked() -> None:
    sent = a_sent_dossier(BOOK, **FULL)
    assert open_fields(BOOK, sent) == frozenset()
    assert read("vous", {"nom": "X", "certifie": ""}, sent).answers == FULL
    assert all(field.locked for field in page_of("vous", sent).fields)


def test_only_what_an_agent_asks_is_corrected() -> None:
    dossier = to_correct()
    found = read_corrections(BOOK, dossier, {"nom": ["afi"], "prenom": ["X"], "nature": ["neuf"]}, TODAY, DIRECTORY)
    assert found.changed == {"nom"}
    assert found.problems == ()
    view = view_form(BOOK, dossier, TODAY, DIRECTORY, the_words(), only=open_fields(BOOK, dossier))
    shown = [(field.id, field.reason, field.locked) for page in view.pages for field in page.fields if field.shown]
    assert shown == [("nature", "Fausse", False), ("nom", "Illisible", False)]


def test_a_correction_asks_what_it_brings() -> None:
    found = read_corrections(BOOK, to_correct(), {"nom": ["afi"], "nature": ["ancien"]}, TODAY, DIRECTORY)
    assert found.opened == ("annee", "voisin")
    again = replace(to_correct(), answers=found.answers)
    assert {"annee", "voisin", "nom", "nature"} <= open_fields(BOOK, again)
    then = read_corrections(BOOK, again, {"annee": ["1990"], "voisin": ["Kofi"]}, TODAY, DIRECTORY)
    assert (then.stays, then.answers["annee"], then.answers["voisin"]) == (False, 1990, "Kofi")


def test_the_day_of_sending_judges_what_is_not_reopened() -> None:
    sent = replace(a_sent_dossier(BOOK, "a_corriger", **{**FULL, "naissance": "2008-11-24"}), correction=CORRECTED)
    eve = replace(sent, answers={**sent.answers, "naissance": "2008-11-25"})
    later = date(2027, 1, 1)
    assert check_answers(BOOK, sent, later, DIRECTORY) == ()
    assert faults(check_answers(BOOK, eve, later, DIRECTORY)) == [("naissance", "check")]
    asked = replace(CORRECTED, fields={"naissance": "Vérifiez"})
    assert check_answers(BOOK, replace(eve, correction=asked), later, DIRECTORY) == ()


# -- later forms -------------------------------------------------------------------------------------------------------


def test_a_later_form_is_read_alone() -> None:
    sent = a_sent_dossier(BOOK, **FULL)
    raw = {"avis": ["bon"], "pourquoi": ["x"], "cote": ["11"], "nom": ["X"]}
    found = read_filling(BOOK, "rapport", sent, raw, TODAY, DIRECTORY)
    assert found.answers == {"avis": "bon", "cote": 11}
    assert faults(found.problems) == [("cote", "maximum")]
    bad = read_filling(BOOK, "rapport", sent, {"avis": ["mauvais"], "cote": ["1"]}, TODAY, DIRECTORY)
    assert bad.opened == ("pourquoi",)
    assert faults(check_filling(BOOK, "rapport", sent, bad.answers, TODAY, DIRECTORY)) == [("pourquoi", "empty")]
    view = view_filling(BOOK, "rapport", sent, TODAY, DIRECTORY, the_words(), bad.problems, bad.answers)
    assert [field.id for field in view.pages[0].fields if field.shown] == ["avis", "pourquoi", "cote"]
    assert not any(field.locked for field in view.pages[0].fields)


def test_a_story_fills_a_later_form_with_examples() -> None:
    sent = a_sent_dossier(BOOK, **FULL)
    filling = example_filling(BOOK, "rapport", sent, {"avis": "mauvais"}, TODAY, DIRECTORY)
    assert filling.keys() == {"avis", "pourquoi", "cote"}
    assert check_filling(BOOK, "rapport", sent, filling, TODAY, DIRECTORY) == ()


# -- before the form ---------------------------------------------------------------------------------------------------


def test_eligibility_is_asked_in_order_and_stops() -> None:
    def following(**given_: Plain) -> str | None:
        found = next_criterion(BOOK, given_, TODAY, DIRECTORY)
        return found.id if found else None

    assert following() == "resident"
    assert following(resident=True) == "pays"
    assert following(resident=False) is None
    assert following(resident=True, pays="tgo") is None
    stops = [
        stopped_by(BOOK, one, TODAY, DIRECTORY) for one in ({"resident": False}, {"resident": True, "pays": "fra"})
    ]
    assert [one.id if one else None for one in stops] == ["resident", "pays"]
    assert stopped_by(BOOK, {"resident": True, "pays": "tgo"}, TODAY, DIRECTORY) is None


def test_a_question_not_asked_yet_stops_nobody() -> None:
    book = a_procedure("""
eligibility:
  majeur: {ask: Êtes-vous majeur, stop_when: not majeur, because: Pour les majeurs}
  resident: {ask: Habitez-vous ici, stop_when: not resident, because: Pour les habitants}
form:
  demande: {title: Votre demande, fields: {nom: {label: Votre nom, example: AMEGAN}}}
""")
    given_: list[dict[str, Plain]] = [{"majeur": True}, {"majeur": True, "resident": False}]
    following, stops = ([find(book, one, TODAY, DIRECTORY) for one in given_] for find in (next_criterion, stopped_by))
    assert [one.id if one else None for one in following] == ["resident", None]
    assert [one.id if one else None for one in stops] == [None, "resident"]


def test_a_criterion_is_read_and_shown() -> None:
    criterion = BOOK.eligibility[1]
    answers, problems = read_criterion(BOOK, criterion, {"pays": ["Togo"]}, {"resident": True}, TODAY, DIRECTORY)
    assert (answers, problems) == ({"resident": True, "pays": "tgo"}, ())
    _, problems = read_criterion(BOOK, criterion, {}, {"resident": True}, TODAY, DIRECTORY)
    assert faults(problems) == [("pays", "empty")]
    view = view_criterion(BOOK, criterion, answers, TODAY, DIRECTORY, Speech(the_words()), problems)
    assert (view.text, view.problems, len(view.options)) == ("Togo", problems, 249)


def test_examples_make_a_whole_request() -> None:
    assert check() == []
    assert FULL["plan"] == {"is": "masse", "files": ["example-plan"], "issued": None, "held": False}
    bare = example_answers(BOOK, {"nature": "neuf"}, TODAY, DIRECTORY, without=["acte"])
    problems = check_answers(BOOK, draft(**bare), TODAY, DIRECTORY)
    assert ("acte", "file") in faults(problems)


def test_answers_given_as_data() -> None:
    found = adopt_answers(
        BOOK, draft(), {"naissance": "27/3/1990", "frais": 3, "x": 1, "acte": "a.jpg"}, TODAY, DIRECTORY
    )
    assert found["naissance"] == "1990-03-27"
    assert found["acte"] == {"is": None, "files": ["a.jpg"], "issued": None, "held": False}
    assert found.keys() == {"naissance", "acte"}


def test_a_draft_begins_with_what_is_known_and_has_a_name() -> None:
    assert prefilled(BOOK, {"account.phone": "90 12 34 56"}, draft(), TODAY, DIRECTORY) == {"telephone": "+22890123456"}
    assert dossier_label(BOOK, draft(nom="AMEGAN"), TODAY, DIRECTORY, the_words()) == "AMEGAN"


def test_a_group_is_named_by_its_first_person() -> None:
    book = a_procedure("""
    dossier_label: '{gens}'
    form:
      d:
        title: D
        fields: {gens: {label: Gens, type: rows, row_label: '{nom}', fields: {nom: {label: Nom}}}}
    """)
    for people, said in (([], ""), (["LEE"], "LEE"), (["LEE", "DOSSOU", "AMEGAN"], "LEE (+2)")):
        kept = a_dossier(book, gens=[{"nom": one} for one in people])
        assert dossier_label(book, kept, TODAY, DIRECTORY, the_words()) == said


def test_what_rows_come_to_is_not_told_before_the_first_row() -> None:
    book = a_procedure("""
    form:
      d:
        title: D
        fields:
          lampes: {label: Lampes, type: rows, fields: {watts: {label: W, type: integer, minimum: 1, maximum: 9}}}
          total: {label: Total, value: 'sum(lampes, watts)'}
          double: {label: Double, value: total * 2}
    """)
    for rows, said in (([], ["", ""]), ([{"watts": 4}], ["4", "8"])):
        dossier = a_dossier(book, lampes=rows)
        page = view_page(evaluate_answers(book, dossier, TODAY, DIRECTORY), "d", dossier, the_words())
        assert [one.text for one in page.fields if one.computed] == said


# -- anything at all ---------------------------------------------------------------------------------------------------

NAMES = [field.id for field in BOOK.fields.values()]
KEYS = st.sampled_from(
    [*NAMES, "lots.0.code", "lots.0.loyer", "lots.1.secret", "lots.0.loue", "lots.2.part", "add_row", "remove_row",
     "naissance_day", "naissance_month", "naissance_year", "nom_other", "lots", "lots.x.y", "lots.0"]
)  # fmt: skip
VALUES = st.lists(
    st.sampled_from(["neuf", "ancien", "1930", "true", "false", "on", "lots", "lots.0", "", "bon", "27/3/1990"])
    | st.text(max_size=10),
    max_size=2,
)
STORED = st.dictionaries(
    st.sampled_from(NAMES),
    st.sampled_from([None, "neuf", "ancien", 1930, True, "x", [], [{"code": "A", "loyer": 1}], {"?": "z"}, [1], {"is": 2}]),
    max_size=8,
)  # fmt: skip


def computed(procedure: Procedure) -> set[str]:
    return {field.id for field in procedure.fields.values() if field.value is not None}


def hidden(fields: tuple[Field, ...], dossier: Dossier) -> set[str]:
    shown = {field.id for page in view_form(BOOK, dossier, TODAY, DIRECTORY, the_words()).pages
             for field in page.fields if field.shown}  # fmt: skip
    return {field.id for field in fields} - shown


@settings(deadline=None)
@given(
    raw=st.dictionaries(KEYS, VALUES, max_size=8), stored=STORED, page=st.sampled_from([p.id for p in BOOK.form.pages])
)
def test_a_post_writes_only_the_questions_shown_on_its_page(
    raw: dict[str, list[str]], stored: dict[str, Plain], page: str
) -> None:
    before = draft(**stored)
    found = read_page(BOOK, before, page, raw, TODAY, DIRECTORY)
    own = {field.id for one in BOOK.form.pages if one.id == page for field in one.fields}
    assert found.changed <= own - computed(BOOK)
    after = replace(before, answers=found.answers)
    unread = {name for name, plain in after.answers.items() if is_wrong(plain)}
    unsure = {field.id for field in BOOK.form.fields if field.when.names & unread}  # shown again once it is mended
    assert not found.changed & (hidden(BOOK.form.fields, after) - unsure)
    assert {one.code for one in found.problems} <= set(CODES)
    live = live_answers(BOOK, after, TODAY, DIRECTORY)
    assert not computed(BOOK) & live.keys()
    assert live_answers(BOOK, replace(after, answers=live), TODAY, DIRECTORY) == live
    check_answers(BOOK, after, TODAY, DIRECTORY)


@settings(deadline=None)
@given(raw=st.dictionaries(KEYS, VALUES, max_size=8), stored=STORED)
def test_a_sent_dossier_changes_only_where_it_is_open(raw: dict[str, list[str]], stored: dict[str, Plain]) -> None:
    sent = a_sent_dossier(BOOK, **{**FULL, **stored})
    for page in BOOK.form.pages:
        assert read_page(BOOK, sent, page.id, raw, TODAY, DIRECTORY).changed == frozenset()
    correcting = replace(sent, state="a_corriger", correction=CORRECTED)
    changed = read_corrections(BOOK, correcting, raw, TODAY, DIRECTORY).changed
    assert changed <= open_fields(BOOK, correcting)


TYPES = ("text", "integer", "date", "yes_no", "choice", "choices", "declaration", "phone", "money", "country", "file")


@st.composite
def definitions(draw: st.DrawFn) -> Procedure:
    """Two pages of questions of any type; any of them may be computed or hang on the ones before."""
    pages: list[list[str]] = [[], []]
    conditions = ["true"]
    count = draw(st.integers(2, 7))
    cut = draw(st.integers(1, count))
    for number in range(count):
        type_ = draw(st.sampled_from(TYPES))
        keys = [f"label: Q{number}", f"when: {draw(st.sampled_from(conditions))}"]
        if draw(st.integers(0, 4)) == 0:
            keys.append(f"value: {number} + 1")
        else:
            keys += [f"type: {type_}", f"required: {draw(st.sampled_from(['true', 'false']))}"]
            keys += ["options: {a: A, b: B}"] if type_ in ("choice", "choices") else []
            condition = _condition(type_, number)
            conditions += [condition] if condition else []
        pages[number >= cut] += [f"      q{number}:", *(f"        {key}" for key in keys)]
    written = [[f"  p{number}:", "    title: P", "    fields:", *page] for number, page in enumerate(pages) if page]
    return a_procedure("\n".join(["form:", *(line for page in written for line in page)]))


def _condition(type_: str, number: int) -> str | None:
    return {"yes_no": f"q{number}", "choice": f"q{number} == 'a'", "integer": f"q{number} > 2"}.get(type_)


POSTED = st.dictionaries(
    st.sampled_from([f"q{number}{end}" for number in range(7) for end in ("", "_day", "_other", ".0")]),
    st.lists(st.sampled_from(["a", "b", "1", "3", "true", "on", "27/3/1990", "90123456", "tgo", "x", ""]), max_size=2),
)


def hangs_on_a_number() -> Procedure:
    """A text that is asked above a number."""
    asked = "q0: {label: Q0, type: integer}\n      q1: {label: Q1, when: q0 > 2, type: text}"
    return a_procedure(
        f"form:\n  p0:\n    title: P\n    fields:\n      {asked}\n  p1: {{title: P, fields: {{q2: {{label: Q2, type: text}}}}}}"
    )


def _above(book: Procedure, name: str) -> set[str]:
    """The questions on which the showing of a question depends, through others too."""
    field = book.fields[name]
    names = {*field.when.names, *(field.value.names if field.value else ())}
    found = names & book.fields.keys()
    return found | {one for above in found for one in _above(book, above)}


@settings(max_examples=60, deadline=None)
@example(book=hangs_on_a_number(), first={}, second={"q1": ["a"], "q0": ["a"]}, page="p0")
@given(book=definitions(), first=POSTED, second=POSTED, page=st.sampled_from(["p0", "p1"]))
def test_in_any_definition_a_post_writes_only_what_is_shown(
    book: Procedure, first: dict[str, list[str]], second: dict[str, list[str]], page: str
) -> None:
    dossier = a_dossier(book)
    for raw in (first, second):
        found = read_page(book, dossier, page, raw, TODAY, DIRECTORY)
        dossier = replace(dossier, answers=found.answers)
        standing = evaluate_answers(book, dossier, TODAY, DIRECTORY)
        own = {field.id for one in book.form.pages if one.id == page for field in one.fields}
        for name in found.changed:
            field = book.fields[name]
            assert name in own
            assert field.value is None
            assert field.type != "file"
            unread = any(is_wrong(found.answers.get(above)) for above in _above(book, name))
            assert standing.shows(field) or unread, "a typo loses no answer that depends on it"
    view_form(book, dossier, TODAY, DIRECTORY, the_words())
    assert check_answers(book, a_dossier(book, **example_answers(book, {}, TODAY, DIRECTORY)), TODAY, DIRECTORY) == ()
