"""The rules of official documents: which words name a law, which lengths are longer, who signs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.problems import Problem
from engine.language.compiler.compile import build_procedure
from engine.language.lint.linter import lint
from engine.language.source.loader import read_source
from renderers.i18n.problem_messages import advice
from tests.makers import the_shared

TESTS = Path(__file__).resolve().parents[2]
SAID = "Le directeur atteste le dépôt du dossier n° {dossier}, le {sent}."


def faults(file: str, *changes: tuple[str, str]) -> list[Problem]:
    text = (TESTS / file).read_text("utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    procedure, problems = build_procedure(read_source(text, "exemple.yaml"), the_shared())
    assert procedure is not None, problems
    return lint(procedure, the_shared().directory)


def codes(file: str, *changes: tuple[str, str]) -> list[str]:
    return [one.code for one in faults(file, *changes) if one.code.startswith("C56")]


@pytest.mark.parametrize("words", [
    "en application de la loi n° 2020-04", "Vu le décret n°2016-043/PR", "l’ordonnance n° 78-34 du 7 septembre 1978",
    "conformément à la loi du 7 septembre 1978", "la loi 2019-006", "en application de l’article 12 du code civil",
    "les articles 5 et 6 de la loi", "l’arrêté municipal n° 12", "under Act No. 12", "section 4 of the Act",
    "Article 7 of the Constitution",
])  # fmt: skip
def test_a_law_named_in_a_text_is_found(words: str) -> None:
    assert codes("good/paper-declared.yaml", (SAID, f"Le directeur atteste ceci, {words}.")) == ["C561"]


@pytest.mark.parametrize("words", [
    "conformément à la loi", "l’arrêté n° {number of attestation}", "l’article de presse du 3 mars", "le décret attendu",
    "la demande n° 12", "trois articles de papeterie", "he may act on 3 March", "in order of arrival, number 12",
])  # fmt: skip
def test_other_words_are_left_alone(words: str) -> None:
    assert codes("good/paper-declared.yaml", (SAID, f"Le directeur atteste ceci, {words}.")) == []


@pytest.mark.parametrize(("valid", "longer"), [
    ("2 years", False), ("24 months", False), ("25 months", True), ("104 weeks", False), ("732 days", False),
    ("733 days", True), ("3 years", True),
])  # fmt: skip
def test_a_validity_is_compared_with_the_lapse(valid: str, longer: bool) -> None:
    assert codes("bad/C566_valid_after_the_permit_lapses.yaml", ("3 years", valid)) == ["C566"] * longer


@pytest.mark.parametrize(("valid", "bounds", "told"), [
    ("2027-12-31", "", True), ("fin", "", True), ("fin", ", minimum: 2026-01-01", True), ("fin", ", minimum: today", False),
    ("fin if fin > today else today", "", True), ("today + months(6)", "", False), ("6 months", "", False),
])  # fmt: skip
def test_a_document_that_may_be_issued_expired_is_named(valid: str, bounds: str, told: bool) -> None:
    changes = (("valid: 2027-12-31", f"valid: {valid}"), ("type: date,", f"type: date{bounds},"))
    found = faults("bad/V714_valid_until_a_constant_date.yaml", *changes)
    assert [one.code for one in found if one.code == "V714"] == ["V714"] * told


@pytest.mark.parametrize(("languages", "courtesy", "faults"), [
    ("fr, en", "[en]", []), ("fr, en, ee", "[en, ee]", []), ("fr, en", "[]", []), ("en, fr", "[fr]", []),
    ("fr, en", "[fr]", ["first"]), ("en, fr", "[en]", ["first"]), ("fr, en", "[ee]", ["unknown"]), ("fr, en", "[en, ee]", ["unknown"]),
])  # fmt: skip
def test_a_translation_is_into_another_language_of_the_procedure(
    languages: str, courtesy: str, faults: list[str]
) -> None:
    text = (TESTS / "good/paper-courtesy.yaml").read_text("utf-8")
    text = text.replace("languages: [fr, en]", f"languages: [{languages}]").replace(
        "courtesy: [en]", f"courtesy: {courtesy}"
    )
    procedure, problems = build_procedure(read_source(text, "exemple.yaml"), the_shared())
    assert procedure is not None, problems
    found = [one for one in lint(procedure, the_shared().directory) if one.code == "C568"]
    assert [one.facts["fault"] for one in found] == faults
    assert all(one.facts["others"] == tuple(languages.split(", "))[1:] for one in found)


def test_who_issues_is_said_once() -> None:
    file = "bad/C563_signed_by_another.yaml"
    assert codes(file) == ["C563"]
    assert codes(file, ("signed_by: directeur", "signed_by: instructeur")) == []
    assert codes(file, (", signed_by: directeur", "")) == ["C563"]
    assert codes(file, ("signed_by: directeur", "signed_by: instructeur, sealed_by: agency")) == ["C563"]


def test_who_may_not_sign_for_two_roles_is_told_to_issue_two_documents() -> None:
    sign = "        signer: {label: Signer, to: delivre, issues: attestation}\n"
    first = sign.replace("signer", "viser").replace("to: delivre", "to: delivre, by: directeur")
    for before, fault in ((sign, "another"), (first + sign, "several"), (sign + first, "several")):
        [found] = [one for one in faults("bad/C563_signed_by_another.yaml", (sign, before)) if one.code == "C563"]
        assert found.facts["fault"] == fault
        assert ("signed_by: instructeur" in advice(found, "en")) is (fault == "several")


@pytest.mark.parametrize(("words", "fault"), [
    ("{agree sexe: née|né}", ""), ("{agree sexe: né}", "forms"), ("{agree sexe: née|né|nés}", "forms"),
    ("{agree nom: née|né}", "agree"), ("{sexe: née|né}", ""), ("{words: sexe}", "words"), ("{words: nom}", "words"),
])  # fmt: skip
def test_a_placeholder_fits_its_answer(words: str, fault: str) -> None:
    found = faults("bad/C569_one_form_for_two_options.yaml", ("{agree sexe: né}", words))
    assert [one.facts["fault"] for one in found if one.code == "C569"] == ([fault] if fault else [])


def test_a_choice_with_another_answer_has_no_form_for_it() -> None:
    changes = (("type: choice,", "type: choice, other: true,"), ("{agree sexe: né}", "{agree sexe: née|né}"))
    assert codes("bad/C569_one_form_for_two_options.yaml", *changes) == ["C569"]


@pytest.mark.parametrize(("shows", "printed", "fault"), [
    ("[]", "", None), ("[nom]", ", particulars: [nom]", None), ("[sexe]", ", particulars: [{sexe: Sexe}]", None),
    ("[nom]", "", "text"), ("[sexe]", "", ""), ("[sexe]", ", declared: [sexe]", "declared"),
])  # fmt: skip
def test_a_verification_shows_what_the_document_states(shows: str, printed: str, fault: str | None) -> None:
    changes = (
        ("particulars: [nom], operative", "operative"),
        ("verify: {by: token, shows: [nom, sexe]}", f"verify: {{by: token, shows: {shows}}}{printed}"),
    )
    found = [one for one in faults("bad/C570_answer_not_printed.yaml", *changes) if one.code == "C570"]
    assert [one.facts["fault"] for one in found] == ([] if fault is None else [fault])


def test_a_repair_keeps_what_stands_before_the_name() -> None:
    for written, put in (("{day of signr}", "{day of signer}"), ("{words: nmo}", "{words: nom}")):
        text = (
            (TESTS / "bad/C570_answer_not_printed.yaml").read_text("utf-8").replace("'{nom} a dé", f"'{written} a dé")
        )
        _, problems = build_procedure(read_source(text, "exemple.yaml"), the_shared())
        [found] = [one for one in problems if one.code == "N308"]
        line = text.splitlines()[found.where.line - 1]
        at = found.where.column - 1
        repaired = f"{line[:at]}{found.facts['put']}{line[at + found.where.width :]}"
        assert put in repaired


def test_a_rule_that_refuses_needs_no_reason_of_a_person() -> None:
    file = "bad/C565_refused_without_a_reason.yaml"
    found = (
        "refuser: {label: Refuser, to: refuse}",
        "refuser: {label: Refuser, to: refuse, asks: [grounds], grounds: [loi]}",
    )
    assert codes(file) == ["C565"]
    assert "C565" not in codes(file, found)


def test_the_reason_of_an_act_before_counts_where_the_letter_names_it() -> None:
    file, refuses = "bad/C565_refused_without_a_reason.yaml", "        refuser: {label: Refuser, to: refuse}\n"
    later = (
        (refuses, ""), ("        signer:", f"{refuses}        signer:"),
        ("preparer: {", "preparer: {asks: [reason], "), ("signed_by: instructeur}", "signed_by: directeur}"),
    )  # fmt: skip
    assert codes(file, *later) == ["C565"]
    assert codes(file, *later, ("kind: letter", "kind: letter, reason_of: preparer")) == []


def test_the_reason_of_a_correction_is_no_reason_of_a_refusal() -> None:
    file = "bad/C565_refused_without_a_reason.yaml"
    corrected = (
        "        refuser:",
        "        corriger: {label: Corriger, to: examen, asks: [reason, correction]}\n        refuser:",
    )
    assert codes(file, corrected) == ["C565"]


@pytest.mark.parametrize(("limited", "printed", "named"), [
    ("nom", "{nom}", ["nom"]), ("culte", "{culte_other}", ["culte_other"]), ("culte", "{nom}", []),
])  # fmt: skip
def test_an_answer_of_limited_readers_is_named_by_its_detail_too(limited: str, printed: str, named: list[str]) -> None:
    found = faults(
        "bad/P13_piece_that_is_not_asked_of_all.yaml",
        ("      majeur:", "      culte: {label: Culte, type: choice, options: {a: A, b: B}, other: true, example: a}\n      majeur:"),
        ("keep: {granted", f"sensitive: {{{limited}: {{seen_by: [directeur]}}}}, keep: {{granted"), ("{nom} est", f"{printed} est"),
    )  # fmt: skip
    assert [one.facts["name"] for one in found if one.code == "V760"] == named


@pytest.mark.parametrize(
    ("columns", "named"), [("", ["sante"]), ("columns: [sante], ", ["sante"]), ("columns: [prenom], ", [])]
)
def test_a_table_that_prints_a_column_of_limited_readers_is_found(columns: str, named: list[str]) -> None:
    found = faults(
        "bad/P13_rows_of_the_applicant.yaml",
        ("prenom: {label: Prénom, example: Afi}", "prenom: {label: Prénom, example: Afi}, sante: {label: Santé, example: A}"),
        ("table: {of: enfants, ", f"table: {{of: enfants, {columns}"),
        ("keep: {granted", "sensitive: {sante: {seen_by: [directeur]}}, keep: {granted"),
    )  # fmt: skip
    assert [one.facts["name"] for one in found if one.code == "V760"] == named


@pytest.mark.parametrize(("sensitive", "named"), [("poids", ["total"]), ("prenom", [])])
def test_a_sum_over_a_column_of_limited_readers_is_found(sensitive: str, named: list[str]) -> None:
    found = faults(
        "bad/P13_rows_of_the_applicant.yaml",
        ("prenom: {label: Prénom, example: Afi}}}", "prenom: {label: Prénom, example: Afi}, poids: {label: Poids, type: integer, example: 9}}}\n      total: {label: Total, value: 'sum(enfants, poids)'}"),
        ("operative: [{text: 'Les enfants du foyer sont :', table: {of: enfants, empty: AUCUN}}]", "operative: Le poids est {total}."),
        ("keep: {granted", f"sensitive: {{{sensitive}: {{seen_by: [directeur]}}}}, keep: {{granted"),
    )  # fmt: skip
    assert [one.facts["name"] for one in found if one.code == "V760"] == named


@pytest.mark.parametrize(("changes", "told"), [
    ([], []),
    ([("kind: letter", "kind: letter\n    when: majeur")], ["C564"]),  # a minor gets none
    ([("kind: letter", "kind: letter\n    when: majeur"), ("to: signature, ", "to: signature, when: majeur, "),
      ("label: Signer le refus, ", "label: Signer le refus, when: majeur, ")], []),
    ([("kind: letter", "kind: letter\n    per: pieces")], ["C564"]),  # over no row there is none
    ([("kind: letter", "kind: letter\n    per: pieces"), ("minItems: 0", "minItems: 1")], []),
    ([("kind: letter", "kind: letter\n    per: pieces"), ("minItems: 0", "minItems: 1, when: majeur")], ["C564"]),
    ([("kind: letter", "kind: letter\n    per: pieces\n    when: piece == 'A'"), ("minItems: 0", "minItems: 1")], ["C564"]),
    ([("issues: refus}", "reopens: []}"), ("    examen:\n", "    examen:\n      issues: refus\n")], ["C564"]),  # a receipt
    ([("issues: refus}", "reopens: []}"), ("label: Proposer le refus, ", "label: Proposer, issues: refus, ")], []),
])  # fmt: skip
def test_a_letter_of_refusal_is_issued_for_all_answers_and_before_no_grant(
    changes: list[tuple[str, str]], told: list[str]
) -> None:
    asked = ("      nom: {", "      majeur: {label: Majeur, type: yes_no, example: true}\n      pieces: {label: Pièces, "
             "type: rows, minItems: 0, fields: {piece: {label: Pièce, example: A}}}\n      nom: {")  # fmt: skip
    found = [one for one in faults("good/paper-refusal.yaml", asked, *changes) if one.code == "C564"]
    assert [one.code for one in found] == told


@pytest.mark.parametrize(("act", "told"), [("rejeter: {label: Rejeter, to: rejete", True),
                                           ("rejeter: {label: Rejeter, to: rejete, issues: refus", False)])  # fmt: skip
def test_the_letter_of_a_refusal_does_not_decide_the_appeal_against_it(act: str, told: bool) -> None:
    contested = ("    refuse: {label: Refusé, end: refused}\n", f"""    refuse:
      label: Refusé
      end: refused
      transitions: {{contester: {{label: Contester, by: applicant, to: recours, within: 2 months, basis: loi}}}}
    recours:
      label: Recours
      by: maire
      due: 5 working days
      basis: loi
      late: rejete_par_silence
      transitions: {{{act}}}}}
    rejete: {{label: Rejeté, end: refused}}
    rejete_par_silence: {{label: Rejeté, end: refused}}
""")  # fmt: skip
    found = [one.facts["state"] for one in faults("good/paper-refusal.yaml", contested) if one.code == "C564"]
    assert found == (["rejete"] if told else [])


def test_the_applicant_gives_no_reason_of_a_refusal() -> None:
    proposed = ("label: Proposer le refus, ", "label: Renoncer, by: applicant, ")
    assert "C565" in [one.code for one in faults("good/paper-refusal.yaml", proposed)]
    assert "C565" not in [one.code for one in faults("good/paper-refusal.yaml")]


APPEAL = "bad/C571_appeal_that_an_end_does_not_open.yaml"
SHUT = "    irrecevable: {label: Irrecevable, end: refused}\n"
OWN = """      transitions:
        contester: {label: Contester, by: applicant, to: examen, within: 2 months, asks: [reason], basis: loi}
"""
BOTH = "  transitions:\n    contester: {from: [refuse, irrecevable], label: Contester, by: applicant, to: examen, asks: [reason]}\n"
LETTER = "{title: Refus, kind: letter,"


@pytest.mark.parametrize(("changes", "states"), [
    ([], ["irrecevable"]), ([(OWN, ""), ("outputs:\n", f"{BOTH}outputs:\n")], []), ([(LETTER, f"{LETTER} remedies: [protecteur],")], []),
    ([(LETTER, f"{LETTER} remedies: [gracieux],")], ["irrecevable"]), ([("within: 2 months, act: contester,", "within: 2 months,")], []),
    ([("end: refused}", "end: abandoned}")], []),
])  # fmt: skip
def test_a_letter_of_refusal_announces_only_appeals_that_the_end_opens(
    changes: list[tuple[str, str]], states: list[str]
) -> None:
    found = [one for one in faults(APPEAL, *changes) if one.code == "C571"]
    assert [one.facts["state"] for one in found] == states
    assert all("remedies: [protecteur]" in advice(one, "en") for one in found if LETTER not in dict(changes))


def test_an_appeal_lodged_on_the_way_is_not_announced_again() -> None:
    """The same letter, where only the way through the appeal leads to the end that no longer opens it."""
    first = ("ecarter: {label: Écarter, to: irrecevable, asks: [reason], issues: lettre}\n        ", "")
    last = ("to: examen, within", "to: recours, within")
    appeal = "    recours: {label: Recours, by: instructeur, due: 5 days, transitions: {rejeter: {label: Rejeter, to: irrecevable, asks: [reason], issues: lettre}}}\n"
    changes = (first, last, (SHUT, appeal + SHUT))
    assert "C571" not in [one.code for one in faults(APPEAL, *changes)]
    named = (LETTER, f"{LETTER} remedies: [gracieux],")
    assert "C571" in [one.code for one in faults(APPEAL, *changes, named)], "named, it is printed whatever was lodged"
