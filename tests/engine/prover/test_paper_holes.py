"""Proof P8 on documents: the case is said in words, and a text for the case, a form reopened or a variant are understood."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("z3")

from engine.core.problems import Problem
from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.prover.checks.runner import prove
from renderers.i18n.problem_messages import advice, message
from tests.makers import TODAY, the_directory, the_shared

BAD = Path(__file__).resolve().parents[2] / "bad"
OPTIONAL, ACT = "P8_paper_prints_an_optional_answer", "P8_paper_prints_the_day_of_an_act_not_taken"
REGISTER, NUMBER = "P8_paper_prints_what_a_register_left_out", "P8_paper_prints_the_number_of_a_document_not_issued"


def found(name: str, *changes: tuple[str, str]) -> list[Problem]:
    text = (BAD / f"{name}.yaml").read_text("utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    procedure, problems = build_procedure(read_source(text, "exemple.yaml"), the_shared())
    assert procedure is not None, problems
    return [one for one in prove(procedure, the_directory(), TODAY) if one.code in ("P8", "P17", "V790")]


@pytest.mark.parametrize(
    ("name", "said", "cure"),
    [
        (OPTIONAL, "« lieu » peut manquer, par : examen → signature → delivre", "when: not answered(lieu)"),
        (ACT, "l'action « entendre » peut ne pas avoir lieu, par : examen → signature → delivre", "when: taken(entendre) == 0"),
        (REGISTER, "« mentions » peut manquer, par : interrogation → signature → delivre", "when: not answered(mentions)"),
        (NUMBER, "le document « avis » peut ne pas être délivré, par : examen → signature → delivre", "avis"),
    ],
    ids=["optional", "act", "register", "number"],
)  # fmt: skip
def test_the_hole_and_its_cure_are_said_in_words(name: str, said: str, cure: str) -> None:
    [one] = found(name)
    around = "avec recherche = 'found', " if name == REGISTER else ""
    assert message(one) == f"{around}« attestation » imprime un blanc : {said}"
    assert all(cure in advice(one, language) for language in ("fr", "en"))


def test_of_the_documents_of_one_act_each_knows_those_before_it() -> None:
    alone = ("to: signature, issues: avis}", "to: signature}")
    assert found(NUMBER, alone, ("issues: attestation}", "issues: [avis, attestation]}")) == []
    after = ("issues: attestation}", "issues: [attestation, avis]}")
    assert [one.facts["name"] for one in found(NUMBER, alone, after)] == ["avis"]
    itself = ("{number of avis}", "{number of attestation}")
    assert [one.facts["name"] for one in found(NUMBER, itself)] == ["attestation"]


def test_what_no_person_does_has_no_author() -> None:
    both = (
        "transmettre: {label: Transmettre, to: signature}",
        "transmettre: {label: Transmettre, to: signature, issues: avis}",
    )
    author = ("{number of avis}", "{actor of avis}")
    sealed = ("reçue., signed_by: instructeur", "reçue., sealed_by: agency")
    assert found(NUMBER, both, author) == []
    assert [one.facts["name"] for one in found(NUMBER, both, author, sealed)] == ["avis"]
    assert [one.facts["name"] for one in found(REGISTER, ("{mentions}", "{actor of recherche}"))] == ["recherche"]


SPOKEN = 'operative: "La personne a été entendue le {day of entendre}."'
BEFORE, LAST = ("transmettre: {", "transmettre: {asks: [reason], "), ("signer: {", "signer: {asks: [reason], ")


@pytest.mark.parametrize(
    ("text", "asked", "missing"),
    [
        ("Considérant que {reason}.", (), ["reason"]),
        ("Considérant que {reason}.", (BEFORE,), ["reason"]),
        ("Considérant que {reason}.", (LAST,), []),
        ("Vu {grounds}.", (LAST,), ["grounds"]),
        ("Valable jusqu'au {until}.", (), ["until"]),
    ],
    ids=["no-reason", "reason-of-an-earlier-state", "reason-of-the-issuing-act", "grounds", "no-validity"],
)
def test_words_of_the_system_may_be_missing_too(
    text: str, asked: tuple[tuple[str, str], ...], missing: list[str]
) -> None:
    assert [one.facts["name"] for one in found(ACT, (SPOKEN, f'operative: "{text}"'), *asked)] == missing


def test_the_reason_of_an_act_named_is_that_of_every_path() -> None:
    text = (SPOKEN, 'operative: "Considérant que {reason}.", reason_of: [entendre, transmettre]')
    both = (BEFORE, ("entendre: {", "entendre: {asks: [reason], "))
    assert found(ACT, text, *both) == []
    assert [one.facts["name"] for one in found(ACT, text, BEFORE)] == ["reason"]


def test_a_fee_that_is_not_due_and_a_detail_that_is_not_asked_have_no_words() -> None:
    fee = ("workflow:", "fees:\n  droit: {label: Droit, when: enfant, lines: {un: {label: Un, amount: 2000, basis: loi}}, "
           "basis: loi}\nworkflow:")  # fmt: skip
    asked = ("      nom: {", "      enfant: {label: Enfant, type: yes_no, example: true}\n      nom: {")
    assert [one.facts["name"] for one in found(OPTIONAL, fee, asked, ("inscrit à {lieu}", "{droit}"))] == ["droit"]
    choice = ("lieu: {label: Lieu inscrit, required: false, example: Kpalimé}",
              "lieu: {label: Lieu, type: choice, options: {a: A, b: B}, other: true, example: a}")  # fmt: skip
    detail = ("à {lieu}", "à {lieu_other}")
    assert [one.facts["name"] for one in found(OPTIONAL, choice, detail)] == ["lieu_other"]
    assert found(OPTIONAL, choice) == []


def test_a_text_for_the_case_cures_it() -> None:
    variants = """operative: [{when: answered(lieu), text: 'Le directeur atteste que {inscrit} est inscrit à {lieu}.'},
    {when: not answered(lieu), text: 'Le directeur atteste que {inscrit} est inscrit.'}]"""
    assert found(OPTIONAL, ("operative: 'Le directeur atteste que {inscrit} est inscrit à {lieu}.'", variants)) == []
    assert found(OPTIONAL, ("required: false, ", "")) == []


def test_variants_by_the_act_taken_are_followed() -> None:
    variants = """operative: [{when: taken(entendre) > 0, text: 'La personne a été entendue le {day of entendre}.'},
    {when: taken(entendre) == 0, text: 'Le dossier a été transmis le {day of transmettre}.'}]"""
    assert found(ACT, ('operative: "La personne a été entendue le {day of entendre}."', variants)) == []
    crossed = variants.replace("day of transmettre", "day of entendre")
    [one] = found(ACT, ('operative: "La personne a été entendue le {day of entendre}."', crossed))
    assert one.facts["name"] == "entendre"


def test_a_form_that_is_reopened_has_no_day_any_more() -> None:
    day = ("est inscrit à {lieu}.", "est inscrit le {day of fiche}.")
    again = ("signer: {", "oublier: {label: Oublier, to: relu, reopens: [fiche]}\n        signer: {")
    state = ("    delivre: {", """    relu:
      label: Relu
      by: directeur
      due: 5 working days
      basis: loi
      transitions:
        signer_quand_meme: {label: Signer, to: delivre, issues: attestation}
    delivre: {""")  # fmt: skip
    assert found(OPTIONAL, day) == []
    assert {one.facts["name"] for one in found(OPTIONAL, day, again, state)} == {"fiche", "inscrit"}


def test_a_line_of_particulars_has_no_hole() -> None:
    line = ("est inscrit à {lieu}.', ", "est inscrit.', particulars: [lieu], ")
    assert found(OPTIONAL, line) == []
