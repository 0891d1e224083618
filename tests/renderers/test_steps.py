"""The steps that a sheet announces, and what it says may happen beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.model import Procedure, Scenario
from renderers.i18n.translations import in_language
from renderers.procedure.steps import StepWriter, usual_path
from tests.makers import PROCEDURES, TODAY, a_procedure, compiled, the_directory, the_procedure, the_words

HELD_OUT = PROCEDURES.parent / "tests" / "held_out"  # written from the guides alone, to judge the sheet
FILES = [*sorted(PROCEDURES.glob("*.yaml")), *sorted(HELD_OUT.glob("*.yaml"))]
ENDED = {"abandoned", "withdrawn", "expired"}
TWO_WAYS = """
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      late: accorde_d_office
      transitions:
        verifier: {label: Vérifier, to: enquete}
        accorder: {label: Accorder, to: accorde, issues: attestation}
        refuser: {label: Refuser, to: refuse, asks: [reason]}
    enquete:
      label: Enquête sur place
      by: maire
      due: 5 working days
      transitions:
        conclure: {label: Conclure, to: examen}
    accorde: {label: Accordé, end: granted}
    accorde_d_office: {label: Accordé d'office, end: granted, issues: attestation}
    refuse:
      label: Refusé
      end: refused
      transitions:
        contester: {label: Contester, by: applicant, to: examen, within: 2 months, asks: [reason]}
outputs:
  attestation: {title: Attestation d'essai, kind: certificate, signed_by: maire, operative: [{text: Vu.}]}
scenarios:
  droit: {story: Tout droit, steps: [{take: accorder, then: accorde}]}
"""


def sheet(procedure: Procedure) -> tuple[tuple[str, ...], list[str], list[str]]:
    path, writer = usual_path(procedure, the_directory(), TODAY), StepWriter(procedure, the_words(), "fr")
    steps = [plain(f"{one.verb} {one.detail}".strip()) for one in writer.steps(path)]
    return path, steps, [plain(one) for one in writer.exceptions(path)]


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


def unannounced(procedure: Procedure, scenario: Scenario) -> Iterator[str]:
    """The states of a scenario that the sheet neither announces nor lists among the exceptions."""
    path, _, exceptions = sheet(procedure)
    said, ended = " ".join(exceptions), False
    for state in [procedure.states[step.then] for step in scenario.steps if step.then]:
        known = [
            state.id in path,
            state.mode == "correct" and "Si quelque chose manque" in said,
            state.outcome == "granted" and "Sans réponse de notre part" in said and "acceptée" in said,
            state.outcome == "refused" and "Si votre demande est refusée" in said,
            state.outcome in ENDED and any(word in said for word in ("fermé", "retirer", "s’arrête")),
            ended and "Vous pouvez contester" in said,
            in_language(state.label, "fr") in said,
        ]
        if not any(known):
            yield state.id
        ended = ended or state.is_end


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_scenario_does_was_announced_or_listed_as_an_exception(file: Path) -> None:
    procedure = compiled(file.read_text(), file.name)
    found = {one.id: list(unannounced(procedure, one)) for one in procedure.scenarios}
    assert {name: states for name, states in found.items() if states} == {}


def test_the_sheet_announces_the_first_granted_scenario_and_lists_the_rest() -> None:
    path, steps, exceptions = sheet(a_procedure(TWO_WAYS))
    assert path == ("examen", "accorde")
    assert steps == ["Vous remplissez la demande", "Nous vérifions", "Vous recevez : Attestation d’essai"]
    assert exceptions == [
        "Selon le dossier, une étape s’ajoute : Enquête sur place.",
        "Sans réponse de notre part dans un délai de 5 jours ouvrés à partir de l’étape « Examen », votre demande est acceptée.",
        "Si votre demande est refusée, nous vous disons pourquoi.",
        "Vous pouvez contester la décision dans un délai de 2 mois.",
    ]


def test_the_scenarios_decide_which_way_is_usual() -> None:
    """The second way of the file is announced when the first granted scenario takes it."""
    long = TWO_WAYS.replace(
        "[{take: accorder,", "[{take: verifier, then: enquete}, {take: conclure, then: examen}, {take: accorder,"
    )
    assert sheet(a_procedure(long))[0] == ("examen", "accorde")  # where it goes when it leaves for the last time
    other = TWO_WAYS.replace("conclure: {label: Conclure, to: examen}", "conclure: {label: Conclure, to: accorde}")
    other = other.replace("[{take: accorder,", "[{take: verifier, then: enquete}, {take: conclure,")
    assert sheet(a_procedure(other))[0] == ("examen", "enquete", "accorde")


def test_a_dossier_is_told_what_may_happen_in_its_state() -> None:
    procedure, writer = a_procedure(TWO_WAYS), StepWriter(a_procedure(TWO_WAYS), the_words(), "fr")
    assert list(writer.exceptions(("enquete", "examen", "accorde"), "enquete")) == []
    assert len(list(writer.exceptions(("examen", "accorde"), "examen"))) == 3
    assert procedure.states["refuse"].is_end
    assert list(writer.exceptions(("refuse",), "refuse")) == [
        "Vous pouvez contester la décision dans un délai de 2 mois."
    ]


def test_silence_names_its_step_until_it_runs_and_corrections_their_times() -> None:
    permit = the_procedure("permis-de-construire")
    path, _, said = sheet(permit)
    silence = (
        "Sans réponse de notre part dans un délai de 30 jours{}, votre demande est acceptée."
        " Parfois, une étape s’ajoute avant : Avis obligatoires avant l’accord."  # a place open to the public
    )
    of_step = " à partir de l’étape « Avis des services et visite du terrain »"
    assert silence.format(of_step) in said
    assert said[0].endswith("Vous corrigez dans un délai de 60 jours ou 30 jours, selon l’étape.")
    for state, named in (("recevabilite", of_step), ("commission", "")):
        left = path[path.index(state) :]
        may = StepWriter(permit, the_words(), "fr").exceptions(left, state)
        assert silence.format(named) in [plain(one) for one in may]


def test_what_ends_a_request_is_a_sentence_and_no_name_of_a_step() -> None:
    said = [*sheet(the_procedure("passeport-ordinaire"))[2], *sheet(the_procedure("permis-de-construire"))[2]]
    for end in (
        "Si vous ne payez pas dans un délai de 30 jours, votre demande s’arrête.",
        "Si vous ne venez pas au rendez-vous dans un délai de 60 jours, votre demande s’arrête.",
        "Si vous ne venez pas chercher votre document dans un délai de 6 mois, votre dossier est fermé.",
        "Si vous ne corrigez pas dans un délai de 60 jours, votre demande s’arrête.",
        "Si vous ne faites rien dans un délai de 2 ans à l’étape « Permis délivré », ce qui vous est accordé ne vaut plus.",
    ):
        assert end in said
    there = sheet(the_procedure("branchement-eau"))[2]
    assert "Si le rendez-vous n’a pas lieu dans un délai de 20 jours, votre demande s’arrête." in there


def test_a_withdrawal_in_one_step_is_told_of_one() -> None:
    passport = the_procedure("passeport-ordinaire")
    told = [
        plain(one)
        for one in StepWriter(passport, the_words(), "fr").exceptions(("conformite", "a_payer"), "conformite")
    ]
    assert told[-1] == "Vous pouvez retirer votre demande à cette étape : Contrôle du dossier."


def test_a_receipt_is_what_is_received_at_the_end() -> None:
    assert "Vous recevez : Récépissé de déclaration de perte" in sheet(held_out("declaration-de-perte"))[1]


def test_the_sheet_says_how_many_missed_appointments_end_a_request() -> None:
    shipped = compiled((PROCEDURES / "raccordement-electricite.yaml").read_text(), "raccordement-electricite.yaml")
    assert "Après un rendez-vous manqué, votre demande s’arrête." in sheet(held_out("legalisation-signature"))[2]
    assert "Après 2 rendez-vous manqués, votre demande s’arrête." in sheet(shipped)[2]


def test_one_month_is_not_said_in_the_plural() -> None:
    assert "Vous pouvez contester la décision dans un délai de 1 mois." in sheet(held_out("legalisation-signature"))[2]


def held_out(name: str) -> Procedure:
    return compiled((HELD_OUT / f"{name}.yaml").read_text(), f"{name}.yaml")


def test_a_card_is_what_is_received_not_its_slip() -> None:
    procedure = compiled((PROCEDURES / "passeport-ordinaire.yaml").read_text(), "passeport-ordinaire.yaml")
    assert sheet(procedure)[1] == [
        "Vous remplissez la demande", "Nous vérifions", "Vous payez par téléphone",
        "Vous venez avec les originaux", "Vous retirez : Passeport ordinaire",
    ]  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_sheet_has_at_most_five_steps_of_few_words(file: Path) -> None:
    procedure, words = compiled(file.read_text(), file.name), the_words()
    found = StepWriter(procedure, words, "fr").steps(usual_path(procedure, the_directory(), TODAY))
    assert found[0].icon == "fill"
    assert len({one.icon for one in found}) == len(found) <= 5
    assert all(len(one.detail.split()) <= 6 for one in found)


@pytest.mark.parametrize(
    ("status", "detail"), [("plausible", ""), ("sourced, article: 3, checked: 2026-03-01", "5 jours ouvrés")]
)
def test_our_time_limit_is_said_where_a_text_sets_it(status: str, detail: str) -> None:
    text = "legal_basis: {loi: {title: Loi, status: STATUS}}\n".replace("STATUS", status)
    procedure = a_procedure(
        text + TWO_WAYS.replace("due: 5 working days\n      late", "due: 5 working days\n      basis: loi\n      late")
    )
    _, check, *_ = StepWriter(procedure, the_words(), "fr").steps(usual_path(procedure, the_directory(), TODAY))
    assert plain(check.detail) == detail


def test_the_last_step_says_for_whom_each_document_is() -> None:
    procedure = the_procedure("copie-acte-etat-civil")
    path, writer = usual_path(procedure, the_directory(), TODAY), StepWriter(procedure, the_words(), "fr")
    [*others, last] = writer.steps(path)
    assert not [one for one in others if one.lines and one.icon != "pay"]
    assert [plain(one) for one in last.lines] == [
        "Pour une copie intégrale : Copie intégrale d’acte d’état civil",
        "Pour un extrait avec filiation : Extrait d’acte d’état civil avec filiation",
        "Pour un extrait sans filiation : Extrait d’acte d’état civil",
    ]
