"""Who refused does not judge the appeal: what the checker advises, and where it has nothing to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import check_definition
from engine.language.compiler.compile import build_procedure
from engine.language.lint.linter import lint
from engine.language.lint.workflow_rules import _judging, _refusals
from engine.language.source.loader import read_source
from engine.model.graph import edges
from tests.engine.services.world import shipped
from tests.makers import the_shared

ROOT = Path(__file__).resolve().parents[3]
SHARED = the_shared()
BACK = (ROOT / "tests" / "good" / "appeal-by-another.yaml").read_text("utf-8")  # the appeal goes back to who examines
APART = (ROOT / "tests" / "bad" / "V770_judge_of_ones_own_refusal.yaml").read_text("utf-8")  # a state of its own

CASES = {
    "decided elsewhere": (BACK, [("to: accorde, not_same_as: refuser", "to: accorde")], {"accorder"}),
    "refused again": (BACK, [("asks: [reason], not_same_as: refuser", "asks: [reason]")], {"refuser"}),
    "no act of appeal here": (BACK, [(", not_same_as: refuser", ""), (", act: contester", "")], set()),
    "confirmed": (APART, [], {"confirmer"}),
    "heard by another role": (APART, [("label: Recours\n      by: instructeur", "label: Recours\n      by: directeur")], set()),
    "heard by several": (APART, [("label: Recours\n      by: instructeur", "label: Recours\n      by: [directeur, instructeur]")],
                         {"confirmer"}),
    "refused by a signature": (APART, [
        ("to: refuse, asks: [reason], issues: lettre}", "to: a_signer, asks: [reason]}"),
        ("    recours:\n", "    a_signer: {label: À signer, by: directeur, due: 1 day, basis: loi, transitions: "
                           "{signer: {label: Signer, to: refuse}}}\n    recours:\n"),
    ], set()),
    "refused by who signs, and hears": (APART, [
        ("to: refuse, asks: [reason], issues: lettre}", "to: a_signer, asks: [reason]}"),
        ("    recours:\n", "    a_signer: {label: À signer, by: directeur, due: 1 day, basis: loi, transitions: "
                           "{signer: {label: Signer, to: refuse}}}\n    recours:\n"),
        ("label: Recours\n      by: instructeur", "label: Recours\n      by: directeur"),
    ], {"reformer", "confirmer"}),
    "granting what was refused is judging too": (APART, [("to: accorde, not_same_as: refuser", "to: examen, not_same_as: refuser")],
                                            {"confirmer"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_who_refused_does_not_judge(case: tuple[str, list[tuple[str, str]], set[str]]) -> None:
    text, changes, advised = case
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    name = text.partition("procedure: ")[2].partition("\n")[0]
    procedure, _ = build_procedure(read_source(text, f"{name}.yaml"), SHARED)
    assert procedure is not None
    assert {str(one.facts["name"]) for one in lint(procedure, SHARED.directory) if one.code == "V770"} == advised


SAME_ROLE = {  # shipped procedures whose appeals come back to the role that refuses
    "passeport-ordinaire", "carte-nationale-identite", "certificat-nationalite", "permis-de-conduire",
    "branchement-eau", "copie-acte-etat-civil", "duplicata-certificat-nationalite", "permis-de-construire",
}  # fmt: skip


def test_shipped_procedures_would_be_advised_without_four_eyes() -> None:
    bare = {}
    for path in sorted((ROOT / "procedures").glob("*.yaml")):
        lines = path.read_text("utf-8").replace("not_same_as", "# not_same_as").splitlines(keepends=True)
        text = "".join(
            line.replace(", # not_same_as", "}  # not_same_as") if ", # " in line else line for line in lines
        )
        checked = check_definition(text.encode(), str(path), SHARED)
        assert checked.procedure is not None, path.stem
        bare[path.stem] = any(one.code == "V770" for one in checked.report)
    assert {name for name, advised in bare.items() if advised} == SAME_ROLE


TITLES = {
    "directeur": "directeur",
    "maire": "mairie/",
    "chef": "chef",
    "réclamations": "reclamations",
}  # a title: its role


def test_a_title_names_who_hears_the_appeal() -> None:
    """Whoever writes "to the director" is read by the director."""
    for book in shipped().procedures.values():
        for appeal in book.identity.appeals.values():
            ways = tuple(way for way in edges(book) if way.id == appeal.act)
            refusals = _refusals(book, frozenset(way.source for way in ways))
            hearers = " ".join(role for act in _judging(book, ways, refusals) for role in act.by)
            named = [role for word, role in TITLES.items() if word in appeal.label.in_("fr")] if ways else []
            assert all(role in hearers for role in named), (book.id, hearers)
            assert named or not ways or "un autre agent" in appeal.label.in_("fr"), book.id


FREE = (ROOT / "tests" / "bad" / "C595_granted_before_asked_again.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("reopens: [frais], returns: [frais]", "reopens: [frais], returns: [frais], without: [frais]"),
        (
            "to: accorde}\n        refuser",
            "to: [{when: not done(frais), to: a_payer}, {to: accorde}]}\n        refuser",
        ),
        ("to: examen, reopens", "to: a_payer, reopens"),
    ],
    ids=["declared", "asked by a guard", "asked by a state"],
)
def test_a_fee_may_be_asked_again(before: str, after: str) -> None:
    assert before in FREE
    procedure, _ = build_procedure(read_source(FREE.replace(before, after), "exemple.yaml"), SHARED)
    assert procedure is not None
    assert "C595" not in {one.code for one in lint(procedure, SHARED.directory)}


def test_a_guard_that_is_open_without_the_fee_does_not_ask_it() -> None:
    guard = "to: [{when: not done(frais) and nom == 'A', to: a_payer}, {to: accorde}]}\n        refuser"
    procedure, _ = build_procedure(
        read_source(FREE.replace("to: accorde}\n        refuser", guard), "exemple.yaml"), SHARED
    )
    assert procedure is not None
    assert "C595" in {one.code for one in lint(procedure, SHARED.directory)}


def test_a_fee_that_is_asked_and_not_paid_in_time_is_not_paid() -> None:
    late = FREE.replace("to: examen, reopens", "to: encore, reopens").replace(
        "    accorde:",
        "    encore: {label: E, pay: frais, due: 5 days, basis: loi, then: examen, late: examen}\n    accorde:",
    )
    procedure, _ = build_procedure(read_source(late, "exemple.yaml"), SHARED)
    assert procedure is not None
    assert "C595" in {one.code for one in lint(procedure, SHARED.directory)}


def test_a_visit_that_is_asked_again_is_not_left_by_a_way_that_comes_back() -> None:
    """P4 follows no path that comes back to a state."""
    visit = "appointments:\n  frais: {label: Dépôt, by: instructeur, lasts: 20 minutes, basis: loi}"
    text = (
        FREE.replace("fees:\n  frais: {label: Frais, amount: 1000, basis: loi}", visit)
        .replace("pay: frais", "attend: frais")
        .replace("      returns: frais\n", "")
        .replace(", returns: [frais]", "")
    )
    procedure, _ = build_procedure(read_source(text, "exemple.yaml"), SHARED)
    assert procedure is not None
    [found] = [one for one in lint(procedure, SHARED.directory) if one.code == "C595"]
    assert (found.facts["name"], found.facts["task"], found.facts["state"]) == ("faire_droit", "frais", "accorde")
