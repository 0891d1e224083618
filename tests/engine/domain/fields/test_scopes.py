"""What names are worth on a dossier: hidden is empty, computed follows, the form keeps the day it was sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from engine.core.values import Plain
from engine.domain.documents.paper_words import PaperWords
from engine.domain.fields.display import answer_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.scope import evaluate_answers, scope_of
from engine.model import APPLICATION
from engine.model.types import Value
from engine.records.dossier import CorrectionRequest, Done, TakenTransition
from tests.engine.domain.small_procedure import FORMULAIRE
from tests.makers import NOW, TODAY, a_dossier, a_procedure, a_sent_dossier, the_directory, the_words

PROCEDURE = a_procedure("""
eligibility:
  majeur: {ask: 'Êtes-vous majeur ?', stop_when: not majeur, because: Il faut être majeur.}
definitions:
  vieux: age(naissance) >= 60
  ne_en: year(naissance)
  dix_fois: otherwise(year(naissance), 0) * 10
  prix_total: otherwise(total, 0)
form:
  qui:
    title: Qui
    fields:
      naissance: {label: Naissance, type: date, maximum: today}
      genre: {label: Genre, type: choice, options: {a: A, b: B}, other: true}
      seul_b: {label: Seulement B, when: genre == 'b'}
      apres_b: {label: Après, when: seul_b == 'oui'}
      doyen: {label: Doyen, type: yes_no, value: vieux}
  autre:
    title: Autre
    when: genre == 'b'
    fields:
      detail: {label: Détail}
  lots:
    title: Lots
    fields:
      lots:
        label: Lots
        type: rows
        maxItems: 5
        fields:
          nombre: {label: Nombre, type: integer}
          prix: {label: Prix, type: money}
          remise: {label: Remise, type: money, when: genre == 'b'}
          montant: {label: Montant, value: 'prix * nombre - otherwise(remise, 0)'}
      total: {label: Total, type: money, value: 'sum(lots, montant)'}
evidence:
  acte: {label: Acte, any_of: {copie: Copie, jugement: Jugement}}
  plan: {label: Plan}
  original: {label: Original, how: [hand_over]}
""")


def value(name: str, **answers: Plain) -> Value:
    return scope_of(PROCEDURE, a_dossier(PROCEDURE, **answers), TODAY, the_directory()).get(name)


LOTS: Plain = [{"nombre": 2, "prix": 100}, {"nombre": 3, "prix": 10, "remise": 5}]


@pytest.mark.parametrize(
    ("name", "answers", "expected"),
    [
        ("genre", {}, None),
        ("genre", {"genre": "a"}, "a"),
        ("genre", {"genre": {"?": "c"}}, None),
        ("naissance", {"naissance": "1960-01-02"}, date(1960, 1, 2)),
        ("naissance", {"naissance": {"?": "31/2/1960"}}, None),
        ("doyen", {"naissance": "1960-01-02"}, True),
        ("doyen", {"naissance": "1990-01-02", "doyen": True}, False),  # computed, whatever was stored
        ("doyen", {}, False),
        ("seul_b", {"genre": "a", "seul_b": "oui"}, None),
        ("apres_b", {"genre": "a", "seul_b": "oui", "apres_b": "x"}, None),  # hidden by a hidden one
        ("apres_b", {"genre": "b", "seul_b": "oui", "apres_b": "x"}, "x"),
        ("detail", {"genre": "a", "detail": "x"}, None),  # its page is hidden
        ("detail", {"genre": "b", "detail": "x"}, "x"),
        ("genre_other", {"genre": "other", "genre_other": "C"}, "C"),
        ("genre_other", {"genre": "a", "genre_other": "C"}, None),
        ("total", {"genre": "a", "lots": LOTS}, 230),
        ("total", {"genre": "b", "lots": LOTS}, 225),
        ("total", {"lots": []}, 0),
        ("total", {"lots": [{"nombre": 2}, {"nombre": 1, "prix": 7}]}, 7),
        ("acte", {"acte": {"is": "copie", "files": []}}, "copie"),
        ("acte", {}, None),
        ("plan", {"plan": {"files": ["f"]}}, True),
        ("plan", {"plan": {"held": True}}, True),
        ("plan", {}, False),
        ("original", {}, True),
        ("majeur", {"majeur": True}, True),
        ("unknown", {}, None),
        ("recherche", {"recherche": "found"}, "found"),  # what a look-up found
    ],
)
def test_what_a_name_is_worth(name: str, answers: dict[str, Plain], expected: Value) -> None:
    assert value(name, **answers) == expected


def test_a_sent_form_keeps_its_day_while_the_circuit_goes_on() -> None:
    sent = a_sent_dossier(PROCEDURE, naissance="1966-11-25")  # 60 the day after the request was sent
    later = date(2027, 3, 1)
    scope = scope_of(PROCEDURE, sent, later, the_directory())
    assert scope.get("doyen") is False
    assert (scope.today, scope.submitted_on) == (later, TODAY)
    assert (
        scope_of(PROCEDURE, a_dossier(PROCEDURE, naissance="1966-11-25"), later, the_directory()).get("doyen") is True
    )


def test_what_a_correction_reopens_sees_the_present_day() -> None:
    sent = a_sent_dossier(PROCEDURE, "a_corriger", naissance="1966-11-25")
    sent = replace(sent, correction=CorrectionRequest({"doyen": "Vérifiez"}, "Vérifiez", NOW, "agent"))
    standing = evaluate_answers(PROCEDURE, sent, date(2027, 3, 1), the_directory())
    assert standing.scope.get("doyen") is True
    assert standing.asking_for(("doyen", "genre")).scope.today == date(2027, 3, 1)
    assert standing.asking_for(("genre",)).scope.today == TODAY


def test_history() -> None:
    taken = TakenTransition("corriger", "examen", "a_corriger", NOW, "agent", "agent")
    dossier = replace(
        a_sent_dossier(PROCEDURE), done={APPLICATION: Done(NOW, "ama")}, missed={"depot": 2}, taken=(taken, taken)
    )
    history = scope_of(PROCEDURE, dossier, TODAY, the_directory()).history
    assert history.done == {APPLICATION}
    assert (history.missed["depot"], history.taken["corriger"]) == (2, 2)


def test_each_answer_is_worked_out_once() -> None:
    counted = 0
    dossier = a_dossier(PROCEDURE, naissance="1960-01-02", lots=LOTS)
    field = PROCEDURE.fields["doyen"]
    assert field.value is not None
    run = field.value.run

    def counting(scope: object) -> Value:
        nonlocal counted
        counted += 1
        return run(scope)  # type: ignore[arg-type]

    fields = {**PROCEDURE.fields, "doyen": replace(field, value=replace(field.value, run=counting))}
    scope = scope_of(replace(PROCEDURE, fields=fields), dossier, TODAY, the_directory())
    assert [scope.get("doyen") for _ in range(5)] == [True] * 5
    assert counted == 1


def test_the_calendar_and_the_offices_are_at_hand() -> None:
    scope = scope_of(PROCEDURE, a_dossier(PROCEDURE), TODAY, the_directory())
    assert scope.add_working_days(date(2026, 12, 24), 1) == date(2026, 12, 28)
    sent = replace(a_sent_dossier(PROCEDURE), submitted_at=datetime(2026, 11, 24, 23, 59, tzinfo=UTC))
    assert scope_of(PROCEDURE, sent, date(2026, 12, 1), the_directory()).submitted_on == date(2026, 11, 24)


def test_a_year_that_is_worked_out_is_said_as_one_that_is_answered() -> None:
    """`1960`, not `1 960`, in a message and in an official text. From 10 000 on digits are grouped, and an amount always."""
    dossier = a_dossier(PROCEDURE, naissance="1960-01-02", lots=[{"nombre": 2, "prix": 600}])
    evaluated, speech = evaluate_answers(PROCEDURE, dossier, TODAY, the_directory()), Speech(the_words(), "fr")
    paper = PaperWords(evaluated, dossier, FORMULAIRE, None, speech, {}, str)
    for name, said in (("ne_en", "1960"), ("dix_fois", "19\u202f600"), ("prix_total", "1\u202f200")):
        assert (answer_words(evaluated, name, speech), paper.of_name(name)) == (said, said), name
