"""What an end leaves in force, the words of a decision, and what an agent reads and has time for: C600 and V791 to V801."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import check_definition
from tests.makers import the_shared

BAD = Path(__file__).resolve().parents[2] / "bad"


def _found(file: str, *changes: tuple[str, str], code: str = "") -> list[str]:
    text = (BAD / file).read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    code = code or file.partition("_")[0]
    return [str(one.facts["at"]) for one in check_definition(text, file, the_shared()).report if one.code == code]


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["retiree"]),
    ([("retiree, asks: [reason]", "retiree, asks: [reason], revokes: attestation")], []),
    ([("retiree, asks: [reason]", "retiree, asks: [reason], suspends: attestation")], []),
    ([("end: revoked", "end: revoked, revokes: attestation")], []),
    ([("end: revoked", "end: expired")], []),
    ([("to: retiree, asks: [reason]", "to: fini, asks: [reason]"), ("late: fini", "late: retiree")], []),  # over with its time
    ([("declared: [nom]", "declared: [nom], grants: false")], []),
])  # fmt: skip
def test_a_revoked_end_leaves_no_document_in_force(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("C600_revoked_and_still_valid.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["attestation"]),
    ([("end: abandoned", "end: withdrawn")], ["attestation"]),
    ([("end: abandoned", "end: refused")], ["attestation"]),
    ([("end: abandoned", "end: expired")], []),  # a document that is not collected
    ([("end: abandoned", "end: abandoned, revokes: attestation")], []),
    ([("to: a_payer, issues: attestation", "to: a_payer"), ("end: granted", "end: granted, issues: attestation")], []),
    ([("declared: [nom]", "declared: [nom], kind: receipt")], []),
    ([("declared: [nom]", "declared: [nom], valid: 15 days")], []),  # over with the time of the state
    ([("declared: [nom]", "declared: [nom], valid: 1 year")], ["attestation"]),
])  # fmt: skip
def test_a_document_is_not_in_force_without_a_grant(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V791_issued_before_it_is_paid.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["classer"]),
    ([("to: classe}", "to: classe, asks: [reason]}")], []),
    ([("end: abandoned", "end: revoked")], ["classer"]),
    ([("end: abandoned", "end: withdrawn")], []),  # at a counter, an agent notes that a person withdraws
    ([("to: classe}", "to: classe, by: applicant}")], []),
])  # fmt: skip
def test_an_act_that_takes_says_why(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V792_closed_without_a_reason.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["refuse"]),
    ([("form:\n", "appeals: {directeur: {label: Recours, within: 2 months, basis: loi}}\nform:\n")], []),
])  # fmt: skip
def test_a_refusal_has_an_appeal(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V793_no_appeal.yaml", *changes) == expected


CLOCK = "  clocks: {silence: {label: S, lasts: 5 days, runs_in: [examen], then: accorde, basis: loi}}\n"
FORM = "later_forms: {controle: {title: Contrôle, by: instructeur%s, fields: {ok: {label: Conforme, type: yes_no}}}}\n"
BY = "      by: instructeur\n      transitions:\n        accorder: {label: Accorder, to: accorde}\n"
GATHERED = [(BY, "      gather: [controle]\n      then: accorde\n"), ("take: accorder", "do: controle")]
IN_USE = "by: directeur, public: accepted, transitions: {fermer: {label: Fermer, to: fin}}}\n    fin: {label: Fin, end: granted}"
TITLE = "\noutputs: {titre: {title: Titre, signed_by: instructeur, operative: La demande est accordée.}}"


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["examen"]),
    ([("by: instructeur\n", "by: instructeur\n      due: 5 working days\n")], []),
    ([("by: instructeur\n", "by: instructeur\n      public: ready\n")], []),  # it is collected
    ([("  states:\n", CLOCK + "  states:\n")], []),
    ([*GATHERED, ("workflow:\n", FORM % "" + "workflow:\n")], ["examen"]),
    ([*GATHERED, ("workflow:\n", FORM % ", due: 3 days, basis: loi" + "workflow:\n")], []),
    ([("end: granted}", IN_USE)], ["examen", "accorde"]),
    ([("to: accorde", "to: accorde, issues: titre"), ("end: granted}", IN_USE + TITLE)], ["examen"]),  # granted before
])  # fmt: skip
def test_a_step_of_agents_before_a_grant_has_a_time(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V794_step_without_a_time.yaml", *changes) == expected


FEU = "opinions: {avis: {label: Avis, due: 3 days, basis: loi, silence: favourable%s, of: {feu: {label: F, by: prefecture/commission_origine}}}}\n"
ASKED = [
    ("when: handicap", "when: feu == 'favourable'"), ("start: examen\n", "start: consultation\n"),
    ("  states:\n", "  states:\n    consultation: {label: C, gather: [avis], then: examen}\n"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["signer"]),
    ([("seen_by: [instructeur]", "seen_by: [instructeur, directeur]")], []),
    ([("seen_by: [instructeur]", "seen_by: [instructeur, directeur], in: [examen]")], ["signer"]),
    ([("seen_by: [instructeur]", "seen_by: [instructeur, directeur], in: [signature]")], []),
    ([*ASKED, ("workflow:\n", FEU % ", confidential: [instructeur]" + "workflow:\n")], ["signer"]),
    ([*ASKED, ("workflow:\n", FEU % ", confidential: [directeur]" + "workflow:\n")], []),
    ([*ASKED, ("workflow:\n", FEU % "" + "workflow:\n")], []),
])  # fmt: skip
def test_an_agent_reads_what_decides_an_act(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V795_decided_on_what_is_not_read.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["certificat"]),
    ([("then: examen", "then: [{when: certificat == 'granted', to: examen}, {to: abandonne}]")], []),
    ([("to: accorde}", "to: accorde, when: certificat == 'granted'}")], []),
    ([("to: accorde}", "to: accorde, issues: titre}"), ("links:", TITLE[1:-2] + ", when: certificat == 'granted'}}\nlinks:")], []),
    ([("relation: needs", "relation: duplicates")], []),
])  # fmt: skip
def test_the_outcome_of_a_needed_dossier_is_read(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V796_refused_dossier_suffices.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["registre.then"]),
    ([("{to: inconnu}", "{when: recherche == 'unavailable', to: examen}, {to: inconnu}")], []),
    ([("recherche == 'found'", "recherche != 'not_found'")], []),
    ([("end: refused, issues", "end: abandoned, issues")], ["registre.then"]),
])  # fmt: skip
def test_a_register_that_does_not_answer_ends_no_request(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V797_register_that_does_not_answer.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["silence"]),
    ([("runs_in: [examen]", "runs_in: [examen, signature]")], []),
    ([("runs_in: [examen]", "runs_in: [examen], paused_in: [signature]")], []),
    ([("end: granted}\n    tacite: {label: Accord tacite, end: granted}", "end: granted}\n    tacite: {label: Rejet tacite, end: refused}")], []),
    ([("to: signature", "to: signature, by: applicant")], []),
])  # fmt: skip
def test_a_tacit_consent_runs_until_the_decision(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V798_consent_stopped_by_a_signature.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["accorde_sur_recours"]),
    ([("recours, end: granted}", "recours, end: granted, issues: attestation}")], []),
    ([("to: accorde_sur_recours}", "to: accorde_sur_recours, issues: attestation}")], []),
    ([("declared: [nom]", "declared: [nom], grants: false")], []),  # no document of the procedure grants
])  # fmt: skip
def test_a_grant_has_its_document(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V799_granted_on_appeal_without_a_document.yaml", *changes) == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ((), ["en_service"]),
    ([("to: en_service}", "to: en_service, restores: attestation}")], []),
    ([("to: en_service}", "to: en_service, revokes: attestation, asks: [reason]}")], []),
    ([("to: en_service}", "to: rendue}"), ("    fini:", "    rendue: {label: Rendue, end: granted}\n    fini:")], ["rendue"]),
    ([("to: en_service}", "to: fini}")], []),  # the permit is over
])  # fmt: skip
def test_a_document_does_not_stay_suspended(changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V800_suspended_and_back_in_use.yaml", *changes) == expected


ANY = "      then:\n        - {when: 'any(voyageurs, accepte)', to: signature}\n        - {to: sans_objet}\n"
LETTER = "\n  refus: {title: Refus, kind: letter, per: voyageurs, when: not accepte, signed_by: directeur, operative: La demande est refusée.}"


@pytest.mark.parametrize(("code", "changes", "expected"), [
    ("V801", [], ["visa"]),
    ("V801", [("issues: visa", "issues: [visa, refus]"), ("est accordée.}", "est accordée.}" + LETTER)], []),
    ("V801", [(", when: accepte", "")], []),
    ("V799", [], []),
    ("V799", [(ANY, "      then: signature\n"), ("then: sans_objet", "then: signature")], ["delivre"]),  # all rows are refused
    ("V799", [(ANY, "      then: signature\n"), ("then: sans_objet", "then: signature"), (", when: accepte", "")], []),
])  # fmt: skip
def test_a_row_that_agents_refuse_is_told(code: str, changes: list[tuple[str, str]], expected: list[str]) -> None:
    assert _found("V801_row_refused_without_a_letter.yaml", *changes, code=code) == expected
