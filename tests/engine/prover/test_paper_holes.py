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
