"""Proof P13 beyond the seeded files: what is exempt, what a correction undoes, which case is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("z3")

from engine.core.problems import Problem
from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.prover.checks.runner import prove
from renderers.i18n.problem_messages import advice, message
from tests.makers import TODAY, a_procedure, the_directory, the_shared

TESTS = Path(__file__).resolve().parents[2]
OTHER = ("    fields:\n", "    fields:\n      autre: {label: Autre, example: A}\n")


def found(file: str, *changes: tuple[str, str]) -> list[Problem]:
    text = (TESTS / file).read_text("utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    procedure, problems = build_procedure(read_source(text, "exemple.yaml"), the_shared())
    assert procedure is not None, problems
    return [one for one in prove(procedure, the_directory(), TODAY) if one.code in ("P13", "P17", "V790")]


def test_the_case_is_said_in_words_and_the_cures_are_named() -> None:
    [one] = found("bad/P13_piece_that_is_not_asked_of_all.yaml")
    assert message(one) == (
        "avec majeur = false, « attestation » affirme « nom », que la personne a seulement déclaré, par : "
        "examen → signature → delivre"
    )
    for language, cures in (("fr", ("confirms", "registre", "declared")), ("en", ("confirms", "register", "declared"))):
        assert all(cure in advice(one, language) for cure in cures)


def test_a_quote_prices_what_is_requested() -> None:
    """A contract that states the same sum does so as a fact."""
    asked = ("fields: {longueur: {", "fields: {autre: {"), ("      nom: {", "      longueur: {label: L, type: integer, "
             "minimum: 1, maximum: 9, example: 1}\n      nom: {")  # fmt: skip
    assert found("good/paper-computed.yaml", *asked) == []
    contract = ("kind: quote, signed_by: chef_agence, lines_of: raccordement", "kind: contract, signed_by: chef_agence, "
                "articles: ['Le prix est de {words: raccordement} francs.']")  # fmt: skip
    assert [one.facts["fault"] for one in found("good/paper-computed.yaml", *asked, contract)] == ["computed"]


def test_a_fee_that_is_paid_is_a_fact_of_the_system() -> None:
    paid = ("kind: receipt, sealed_by", "kind: certificate, sealed_by")
    asked = ("fields: {longueur: {", "fields: {autre: {"), ("      nom: {", "      longueur: {label: L, type: integer, "
             "minimum: 1, maximum: 9, example: 1}\n      nom: {")  # fmt: skip
    assert found("good/paper-computed.yaml", *asked, paid) == []


def test_a_correction_undoes_only_what_it_may_change() -> None:
    other = ("correctable: [telephone]", "correctable: [telephone, ne_le]")
    assert found("good/paper-confirmed-by-a-form.yaml") == []
    assert [one.facts["names"] for one in found("good/paper-confirmed-by-a-form.yaml", other)] == [("ne_le",)]


def test_the_detail_of_another_option_is_corrected_and_reserved_with_its_question() -> None:
    file, opened = "bad/P13_piece_corrected_after_the_check.yaml", ("correctable: [acte]", "correctable: [nom]")
    detail = (("nom: {label: Votre nom, example: AMEGAN}",
               "nom: {label: Métier, type: choice, options: {a: A, b: B}, other: true, example: a}"),
              ("confirms: {acte: [nom]}", "confirms: {acte: [nom_other]}"), ("{nom} est", "{nom_other} est"))  # fmt: skip
    unchanged = ("correctable: [acte]", "correctable: [autre]")
    assert found(file, *detail, unchanged, OTHER) == []
    assert [one.facts["names"] for one in found(file, *detail, opened)] == [("nom_other",)]
    reserved = ("keep: {granted", "sensitive: {nom: {seen_by: [directeur]}}, keep: {granted")
    assert [one.facts["names"] for one in found(file, *detail, unchanged, OTHER, reserved)] == [("nom_other",)]


def test_a_second_piece_confirms_where_the_first_is_not_asked() -> None:
    one = ("  acte: {label: Acte de naissance, when: majeur}\n", "  acte: {label: Acte de naissance, when: majeur}\n"
           "  carte: {label: Carte du tuteur, when: not majeur}\n")  # fmt: skip
    two = ("confirms: {acte: [nom]}", "confirms: {acte: [nom], carte: [nom]}")
    assert found("bad/P13_piece_that_is_not_asked_of_all.yaml", one, two) == []


def test_an_answer_that_agents_see_at_work_may_choose_the_text() -> None:
    seen = ("workflow:\n", "evidence:\n  livret: {label: Livret, when: marie}\nworkflow:\n")
    compared = ("preparer: {label: Préparer, to: signature}", "preparer: {label: Préparer, to: signature, "
                "confirms: {livret: [marie]}}")  # fmt: skip
    assert len(found("bad/P13_text_chosen_by_what_is_declared.yaml")) == 1
    assert found("bad/P13_text_chosen_by_what_is_declared.yaml", seen, compared) == []


FILLED = """
form: {tout: {title: Tout, fields: {nom: {label: Nom, example: A}}}}
evidence: {acte: {label: Acte}}
later_forms:
  complement: {title: C, fields: {metier: {label: Métier, example: A}}}
workflow:
  start: %s
  states:
    complet: {label: C, by: applicant, due: 5 days, late: clos, transitions: {completer: {label: C, to: %s, fills: complement}}}
    examen: {label: E, by: urbaniste, due: 5 days, transitions: {verifier: {label: V, to: %s, confirms: {acte: [nom, metier]}}}}
    signature:
      label: S
      by: maire
      due: 5 days
      transitions:
        signer: {label: S, to: fini, issues: attestation}
        modifier: {label: M, by: applicant, to: %s, fills: complement}
    fini: {label: Fini, end: granted}
    clos: {label: Clos, end: abandoned}
outputs: {attestation: {title: Attestation, signed_by: maire, operative: '{nom} est {metier}.'}}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""


@pytest.mark.parametrize(("holes", "told"), [
    (("complet", "examen", "signature", "examen"), []),
    (("complet", "examen", "signature", "signature"), ["metier"]),  # filled once more after the check
    (("examen", "signature", "complet", "examen"), ["metier"]),  # checked before it is filled
])  # fmt: skip
def test_what_the_applicant_fills_later_is_checked_after_that(holes: tuple[str, ...], told: list[str]) -> None:
    every = prove(a_procedure(FILLED % holes), the_directory(), TODAY)
    assert [name for one in every if one.code == "P13" for name in one.facts["names"]] == told


GATHERED = """
form: {tout: {title: Tout, fields: {nom: {label: Nom, example: A}}}}
evidence: {acte: {label: Acte}}
later_forms:
  complement: {title: C, by: applicant, fields: {metier: {label: Métier, example: A}}}
  controle: {title: D, by: urbaniste, %sconfirms: {acte: [nom, metier]}, fields: {vu: {label: Vu, type: yes_no}}}
workflow:
  start: a
  states:
    a: {label: A, gather: [complement, controle], due: 5 days, late: clos, then: signature}
    signature: {label: S, by: maire, due: 5 days, transitions: {signer: {label: S, to: fini, issues: attestation}}}
    fini: {label: Fini, end: granted}
    clos: {label: Clos, end: abandoned}
outputs: {attestation: {title: Attestation, signed_by: maire, operative: '{nom} est {metier}.'}}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""


@pytest.mark.parametrize(("after", "told"), [("", ["metier"]), ("after: complement, ", [])])
def test_a_check_beside_a_form_of_the_applicant_comes_after_it(after: str, told: list[str]) -> None:
    every = prove(a_procedure(GATHERED % after), the_directory(), TODAY)
    assert [name for one in every if one.code == "P13" for name in one.facts["names"]] == told


def test_a_column_that_is_computed_states_what_it_reads_outside_its_rows() -> None:
    """The whole rows are compared with the piece; the income is not."""
    file, asked = (
        "bad/P13_rows_of_the_applicant.yaml",
        ("      enfants:", "      revenu: {label: Revenu, type: integer, example: 3}\n      enfants:"),
    )
    piece = ("workflow:\n", "evidence:\n  acte: {label: Acte}\ndefinitions: {total: 'sum(enfants, aide)'}\nworkflow:\n")
    act = (
        "preparer: {label: Préparer, to: signature}",
        "preparer: {label: Préparer, to: signature, confirms: {acte: [enfants]}}",
    )
    column = (
        "prenom: {label: Prénom, example: Afi}",
        "prenom: {label: Prénom, example: Afi}, aide: {label: Aide, value: revenu * 2}",
    )
    shown = ("table: {of: enfants,", "table: {of: enfants, columns: [prenom],")
    added = ("signed_by: directeur", "signed_by: directeur\n    particulars: [total]")
    assert found(file, piece, act, asked, column, shown) == []
    assert [one.facts["names"] for one in found(file, piece, act, asked, column)] == [("aide",)]
    assert [one.facts["names"] for one in found(file, piece, act, asked, column, shown, added)] == [("total",)]
    listed = ("signed_by: directeur", "signed_by: directeur\n    preamble: ['Vu les enfants {list: enfants}']")
    assert [one.facts["names"] for one in found(file, piece, act, asked, column, shown, listed)] == [("aide",)]


def test_what_decides_on_another_document_states_nothing_on_one_that_grants() -> None:
    file, other = (
        "bad/P13_text_chosen_by_what_is_declared.yaml",
        "  carte: {title: Carte, kind: card, when: marie, signed_by: directeur, operative: Vu.}\n",
    )
    requested = ("personal_data:", f"{other}personal_data:"), ("issues: attestation", "issues: [attestation, carte]")
    assert [one.facts["at"] for one in found(file, *requested)] == ["attestation"]
    letter = ("    signed_by: directeur\n", "    kind: letter\n    signed_by: directeur\n")
    assert found(file, *requested, letter) == []


def test_the_public_register_states_what_it_lists() -> None:
    listed = ("    declared:", "    register: [motif]\n    declared:")
    assert [one.facts["names"] for one in found("good/paper-declared.yaml", listed)] == [("motif",)]


@pytest.mark.parametrize(("by", "kind", "told"), [
    ("applicant", "decision", True), ("applicant", "letter", False), ("maire", "decision", False),
])  # fmt: skip
def test_the_reason_of_a_decision_is_no_text_of_the_applicant(by: str, kind: str, told: bool) -> None:
    changes = ("kind: letter", f"kind: {kind}"), ("label: Proposer le refus, ", f"label: Proposer, by: {by}, ")
    assert ("reason" in [one.facts["answer"] for one in found("good/paper-refusal.yaml", *changes)]) == told


def test_whole_rows_are_compared_by_who_may_read_every_column() -> None:
    file = "bad/P13_rows_of_the_applicant.yaml"
    piece = ("workflow:\n", "evidence:\n  acte: {label: Acte}\nworkflow:\n")
    act = (
        "preparer: {label: Préparer, to: signature}",
        "preparer: {label: Préparer, to: signature, confirms: {acte: [enfants]}}",
    )
    column = (
        "prenom: {label: Prénom, example: Afi}",
        "prenom: {label: Prénom, example: Afi}, sante: {label: Santé, example: A}",
    )
    shown = ("table: {of: enfants,", "table: {of: enfants, columns: [prenom],")
    hidden = ("keep: {granted", "sensitive: {sante: {seen_by: [directeur]}}, keep: {granted")
    assert found(file, piece, act, column, shown) == []
    assert [one.code for one in found(file, piece, act, column, shown, hidden)] == ["P13"]
    beside = (column[0], "prenom: {label: Prénom, example: Afi}, aide: {label: Aide, value: revenu > 3}")
    asked = ("      enfants:", "      revenu: {label: Revenu, type: integer, example: 3}\n      enfants:")
    kept = ("keep: {granted", "sensitive: {revenu: {seen_by: [directeur]}}, keep: {granted")
    assert found(file, piece, act, asked, beside, shown) == []
    assert [one.code for one in found(file, piece, act, asked, beside, shown, kept)] == ["P13"]


def test_a_traveller_is_checked_row_by_row() -> None:
    shipped = "../procedures/e-visa.yaml"
    assert found(shipped) == []
    text = "confirms: {copie_passeport: [nom, prenoms, date_naissance, nationalite, passeport]}"
    bare = found(shipped, (text, text.replace("nom, ", "")))
    assert {one.facts["names"] for one in bare} == {("nom",)}


def test_a_proof_that_was_not_made_says_so() -> None:
    text = (TESTS / "bad/P13_one_way_without_the_check.yaml").read_text("utf-8")
    procedure, _ = build_procedure(read_source(text, "exemple.yaml"), the_shared())
    assert procedure is not None
    late = prove(replace(procedure), the_directory(), TODAY, 0.0)
    assert {one.code for one in late if one.facts.get("proof") == "P13" or one.code == "P13"} == {"V790"}
