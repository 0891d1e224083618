"""Where the values of a document come from: registers, forms of agents, acts that compare, the system, the applicant."""

from __future__ import annotations

from pathlib import Path

from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.model import Procedure
from engine.model.provenance import Confirmation, sources_of
from tests.makers import the_shared

GOOD = Path(__file__).resolve().parents[2] / "good"


def a_good_one(name: str, *changes: tuple[str, str]) -> Procedure:
    text = (GOOD / f"{name}.yaml").read_text("utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    procedure, problems = build_procedure(read_source(text, f"{name}.yaml"), the_shared())
    assert procedure is not None, problems
    return procedure


def test_each_value_has_its_source_and_its_zones() -> None:
    procedure = a_good_one("paper-in-full")
    found = sources_of(procedure, procedure.outputs["decision"])
    assert {name: one.kind for name, one in found.items()} == {
        "town": "system", "dossier": "system", "sent": "system", "nom": "declared", "surface": "form", "sexe": "declared",
        "bornes": "form", "usage": "declared",
    }  # fmt: skip
    assert found["nom"].confirmed == (Confirmation("act", "signer", "acte", ("mairie/maire",)),)
    assert found["nom"].zones == ("particulars", "operative")
    assert found["usage"].only_declared
    assert not found["nom"].only_declared
    assert (found["surface"].at, found["surface"].by) == ("visite", ("mairie/inspecteur",))


def test_a_register_answers_or_confirms() -> None:
    procedure = a_good_one("paper-from-a-register")
    assert sources_of(procedure, procedure.outputs["bulletin"])["mentions"].kind == "register"
    procedure = a_good_one("paper-matched-by-a-register")
    [forme] = sources_of(procedure, procedure.outputs["carte"]).values()
    assert forme.confirmed == (Confirmation("look_up", "recherche", "forme_existante"),)


def test_a_computed_value_shows_what_it_is_computed_from() -> None:
    procedure = a_good_one("paper-computed")
    [price] = sources_of(procedure, procedure.outputs["devis"]).values()
    assert (price.kind, [(one.name, one.kind) for one in price.leaves()]) == ("computed", [("longueur", "form")])


def test_an_act_of_the_applicant_confirms_nothing() -> None:
    procedure = a_good_one(
        "paper-confirmed-by-an-act", ("      by: instructeur\n", "      by: applicant\n      late: clos\n")
    )
    assert sources_of(procedure, procedure.outputs["attestation"])["nom"].confirmed == ()


def test_a_document_without_a_paper_has_no_source() -> None:
    procedure = a_good_one("amend-or-duplicate")
    outputs = (one for one in procedure.outputs.values() if one.paper is None)
    assert [dict(sources_of(procedure, one)) for one in outputs if sources_of(procedure, one)] == []
