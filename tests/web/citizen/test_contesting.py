"""A refusal: why, until which day it is contested, on its page and on its letter, and the act that does it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from pypdf import PdfReader

from engine.services.audit.integrity import fsck
from tests.engine.services.world import PASSPORT, shipped
from tests.web.citizen.test_messages import as_an_agent, the_dossier
from tests.web.client import STALL, PortalClient, a_portal_client, later
from tests.web.staff_site import open_staff_site

pytestmark = pytest.mark.slow  # a whole site for each test

CONTESTED = (
    STALL.replace(
        "refuse: {label: Refusé, end: refused}",
        "refuse: {label: Refusé, end: refused, issues: lettre, transitions: {contester: {label: Contester, by: applicant, "
        "to: examen, within: 2 months, asks: [reason]}}}",
    ).replace("outputs:\n", "outputs:\n  lettre: {title: Notification de refus, kind: letter}\n")
    + "appeals:\n"
    "  gracieux: {label: Recours gracieux au maire, within: 2 months, act: contester}\n"
    "  protecteur: {label: Protecteur du citoyen}\n"
)
LAST = "24 janvier 2027"


@pytest.fixture
def refused(tmp_path: Path) -> tuple[PortalClient, str]:
    known = a_portal_client(tmp_path, CONTESTED).sign_in()
    number = known.sent()
    known.decide(number, "refuser", reason="Hors de la ville")
    return known, number


def test_the_page_says_until_which_day_and_leads_there(refused: tuple[PortalClient, str]) -> None:
    known, number = refused
    page = known.open(f"/dossiers/{number}")
    assert "Motif : Hors de la ville" in page.text
    assert f"Vous pouvez contester cette décision jusqu’au {LAST}." in page.text
    assert f"Recours gracieux au maire (jusqu’au {LAST})" in page.text
    assert "Protecteur du citoyen" in page.text
    assert "Si c’est refusé" not in page.text
    assert re.search(rf'class="button" href="/dossiers/{number}/actes/contester"', page.html)
    known.send(f"/dossiers/{number}/actes/contester", reason="J’y habite")
    assert "« Contester » : c’est enregistré." in known.open(f"/dossiers/{number}").text


def test_who_is_refused_may_ask_again(refused: tuple[PortalClient, str]) -> None:
    """The button of the box stays the appeal while there is time for it. The new request stood in the fold."""
    known, number = refused
    again = r'<a{} href="/demarches/[a-z-]+">Faire une nouvelle demande</a>'
    page = known.open(f"/dossiers/{number}").html
    box = page.partition('<div class="box')[2].partition("<h2>Où en est")[0]
    assert "Vous pouvez contester cette décision jusqu’au" in box
    assert re.search(again.format("") + ".*La date pour contester ne change pas", box), "before any fold"
    assert page.count("Faire une nouvelle demande") == 1
    later(known, days=63)
    page = known.sign_in().open(f"/dossiers/{number}").html
    assert re.search(again.format(' class="button"'), page)
    assert page.count("Faire une nouvelle demande") == 1


def test_a_procedure_that_takes_no_more_requests_offers_none(tmp_path: Path) -> None:
    known = a_portal_client(tmp_path, CONTESTED + "in_force: {until: 2026-12-31}\n").sign_in()
    number = known.sent()
    known.decide(number, "refuser", reason="Hors de la ville")
    assert "Faire une nouvelle demande" in known.open(f"/dossiers/{number}").text
    later(known, days=63)
    assert "Faire une nouvelle demande" not in known.sign_in().open(f"/dossiers/{number}").text


def test_an_appeal_that_was_judged_is_offered_no_more(tmp_path: Path) -> None:
    judged = (
        CONTESTED.replace("to: examen, within: 2 months", "to: recours, within: 2 months")
        .replace(
            "    classe: {",
            "    recours:\n"
            "      label: Recours\n"
            "      by: maire\n"
            "      due: 5 working days\n"
            "      late: oublie\n"
            "      transitions: {maintenir: {label: Maintenir, to: confirme, asks: [reason]}}\n"
            "    confirme: {label: Refus confirmé, end: refused, issues: maintien}\n"
            "    oublie: {label: Refus confirmé, end: refused}\n"
            "    classe: {",
        )
        .replace(
            "outputs:\n",
            "outputs:\n"
            "  maintien: {title: Décision, kind: letter, signed_by: maire, operative: 'Le recours de {nom} est rejeté.'}\n",
        )
    )
    known = a_portal_client(tmp_path, judged).sign_in()
    number = known.sent()
    known.decide(number, "refuser", reason="Hors de la ville")
    known.send(f"/dossiers/{number}/actes/contester", reason="J’y habite")
    assert "Sans réponse le 1er décembre 2026, le refus est maintenu." in known.open(f"/dossiers/{number}").text
    known.decide(number, "maintenir", reason="Rien de nouveau")
    page = known.open(f"/dossiers/{number}").text
    assert "Vous pouvez contester cette décision. Plus bas, nous disons à qui écrire." in page
    assert "Protecteur du citoyen" in page
    assert "Recours gracieux au maire" not in page
    letter = next(one for one in the_dossier(known, number).documents if one.output == "maintien")
    assert letter.paper is not None
    assert "gracieux" not in str(letter.paper["remedies"])
    assert "Protecteur du citoyen" in str(letter.paper["remedies"])


def test_an_end_that_the_appeal_does_not_leave_offers_none(tmp_path: Path) -> None:
    """Of two refusals, the one that cannot be contested here names those who are elsewhere."""
    two = CONTESTED.replace(
        "    refuse: {", "    irrecevable: {label: Irrecevable, end: refused}\n    refuse: {"
    ).replace("refuser: {", "ecarter: {label: Écarter, to: irrecevable, asks: [reason]}\n        refuser: {")
    known = a_portal_client(tmp_path, two).sign_in()
    number = known.sent()
    known.decide(number, "ecarter", reason="Hors de la ville")
    page = known.open(f"/dossiers/{number}").text
    assert "Protecteur du citoyen" in page
    assert "Recours gracieux au maire" not in page


def test_who_examines_it_again_reads_first_why(refused: tuple[PortalClient, str]) -> None:
    known, number = refused
    address, told = f"/agent/dossiers/{number}", "Contester : « J’y habite » 24 novembre 2026, Le demandeur"
    assert "Contester : «" not in as_an_agent(known).open(address).text
    known.send(f"/dossiers/{number}/actes/contester", reason="J’y habite")
    page = as_an_agent(known).open(address).text
    assert told in page
    assert page.index(told) < page.index("Réponses") < page.index("Historique")
    known.decide(number, "refuser", reason="Carte illisible")
    page = as_an_agent(known).open(address).text
    assert told not in page
    assert "J’y habite" in page.partition("Historique")[2]


def test_after_that_day_no_button_promises_it(refused: tuple[PortalClient, str]) -> None:
    known, number = refused
    later(known, days=63)
    page = known.sign_in().open(f"/dossiers/{number}")
    assert "Recours gracieux au maire" not in page.text
    assert "Protecteur du citoyen" in page.text, "without a last day"
    assert f'href="/dossiers/{number}/actes/contester"' not in page.html
    assert "Vous pouvez contester cette décision jusqu’au" not in page.text


def test_the_letter_names_the_procedure_and_the_day(refused: tuple[PortalClient, str]) -> None:
    known, number = refused
    [address] = set(re.findall(rf'href="(/dossiers/{number}/documents/\d+)"', known.open(f"/dossiers/{number}").html))
    text = PdfReader(io.BytesIO(known.open(f"{address}.pdf").response.data)).pages[0].extract_text()
    said = " ".join(text.split())
    assert "Étal de marché" in said
    assert f"Recours gracieux au maire (délai : 2 mois, jusqu’au {LAST})" in said


def refuse_again(known: PortalClient, number: str) -> None:
    known.open(f"/dossiers/{number}/actes/contester")
    known.send(f"/dossiers/{number}/actes/contester", reason="J’y habite")
    known.decide(number, "refuser", reason="Carte illisible")


def test_a_second_refusal_has_its_own_letter_and_the_first_is_replaced(refused: tuple[PortalClient, str]) -> None:
    known, number = refused
    refuse_again(known, number)
    first, second = the_dossier(known, number).documents
    assert (first.status, second.status) == ("replaced", "valid")
    assert first.number != second.number
    papers = [known.open(f"/dossiers/{number}/documents/{one.id}.pdf").response.data for one in (first, second)]
    texts = [PdfReader(io.BytesIO(paper)).pages[0].extract_text() for paper in papers]
    assert ["Hors de la ville" in text for text in texts] == [True, False]
    assert "Carte illisible" in texts[1]
    assert "remplacé" in known.open(f"/v/{first.token}").text.lower()
    assert "remplacé" not in known.open(f"/v/{second.token}").text.lower()
    assert fsck(known.office) == ()


def test_a_paper_of_another_kind_stays_the_one_in_hand(tmp_path: Path) -> None:
    known = a_portal_client(tmp_path, CONTESTED.replace("kind: letter", "kind: certificate, grants: false")).sign_in()
    number = known.sent()
    known.decide(number, "refuser", reason="Hors de la ville")
    refuse_again(known, number)
    assert [one.status for one in the_dossier(known, number).documents] == ["valid"]


def test_a_letter_of_refusal_is_no_good_any_more_once_the_appeal_is_won(tmp_path: Path) -> None:
    won = CONTESTED.replace("{label: Accorder, to: a_payer}", "{label: Accorder, to: a_payer, revokes: lettre}")
    known = a_portal_client(tmp_path, won).sign_in()
    number = known.sent()
    known.decide(number, "refuser", reason="Hors de la ville")
    [letter] = the_dossier(known, number).documents
    assert "retiré" not in known.open(f"/v/{letter.token}").text
    known.open(f"/dossiers/{number}/actes/contester")
    known.send(f"/dossiers/{number}/actes/contester", reason="J’y habite")
    known.decide(number, "accorder")
    assert "retiré" in known.open(f"/v/{letter.token}").text
    assert fsck(known.office) == ()


CLOSING = STALL.replace(
    "        refuser:", "        classer: {label: Classer, to: classe, asks: [reason]}\n"
    "        garder: {label: Garder, to: examen, asks: [reason]}\n        refuser:",
)  # fmt: skip


@pytest.mark.parametrize(("act", "reads"), [("classer", True), ("garder", False), ("refuser", True)])
def test_the_desk_promises_only_the_reason_that_the_page_says(tmp_path: Path, act: str, reads: bool) -> None:
    known = a_portal_client(tmp_path, CLOSING).sign_in()
    number = known.sent()
    desk = as_an_agent(known)
    typed = {"act-reason": "Hors de la ville", "go": "preview"}
    promised = desk.send(f"/agent/dossiers/{number}/acte/{act}", **typed).text
    assert "Nouvelle étape" in promised
    for said in (
        "Messages qui partiront",
        "Documents qui seront produits",
        "Sur sa page de suivi" if reads else "verra",
    ):
        assert said in promised
    assert "envoyés" not in promised.partition("<main")[2]
    assert ("Sur sa page de suivi, le demandeur lira Motif : « Hors de la ville »" in promised) is reads
    known.decide(number, act, reason="Hors de la ville")
    assert ("Motif : Hors de la ville" in known.open(f"/dossiers/{number}").text) is reads


def test_a_request_that_its_applicant_withdrew_gives_no_reason_of_an_earlier_act(tmp_path: Path) -> None:
    known = a_portal_client(tmp_path, CLOSING).sign_in()
    number = known.sent()
    known.decide(number, "garder", reason="À revoir")
    known.send(f"/dossiers/{number}/actes/retirer", reason="Trop tard")
    page = known.open(f"/dossiers/{number}").text
    assert "Ce dossier est clos" in page
    assert "Motif" not in page


def test_a_document_withdrawn_says_no_day_until_which_it_is_valid(tmp_path: Path) -> None:
    granted = (
        STALL.replace("{label: Accorder, to: a_payer}", "{label: Accorder, to: accorde}")
        .replace("end: granted, issues: permis}", "end: granted, issues: permis, transitions: {reprendre: {label: Reprendre, "
                 "by: maire, to: repris, within: 1 year, asks: [reason], revokes: permis}}}\n    repris: {label: Repris, end: revoked}")
    )  # fmt: skip
    known = a_portal_client(tmp_path, granted).sign_in()
    number = known.sent()
    known.decide(number, "accorder")
    assert "Valable jusqu’au" in known.open(f"/dossiers/{number}").text
    known.decide(number, "reprendre", reason="Étal vide")
    page = known.open(f"/dossiers/{number}").text
    assert "Motif : Étal vide" in page
    assert "Retiré, sans valeur" in page
    assert "Valable jusqu’au" not in page


def test_who_signs_reads_first_what_the_document_says(tmp_path: Path) -> None:
    letter = (
        "{title: Notification de refus, kind: letter, signed_by: maire, operative: 'La demande de {nom} est refusée.'}"
    )
    asked = CONTESTED.replace("{title: Notification de refus, kind: letter}", letter)
    known = a_portal_client(tmp_path, asked).sign_in()
    number = known.sent()
    typed = {"act-reason": "Hors de la ville", "go": "preview"}
    page = as_an_agent(known).send(f"/agent/dossiers/{number}/acte/refuser", **typed).text
    said = page.partition("Le document dira")[2]
    assert "La demande d’AMEGAN est refusée." in said
    assert "Hors de la ville" in said
    assert the_dossier(known, number).documents == ()
    known.decide(number, "refuser", reason="Hors de la ville")
    [issued] = the_dossier(known, number).documents
    assert issued.number.endswith("00001"), "a preview takes no number"


GRANTING = {
    "branchement-eau": "rouvrir", "carte-de-sejour": "rouvrir", "carte-nationale-identite": "valider",
    "casier-judiciaire-b3": "reprendre", "certificat-nationalite": "signer", "copie-acte-etat-civil": "trouver",
    "creation-entreprise": "rouvrir", "duplicata-certificat-nationalite": "certificat_retrouve", "e-visa": "reexaminer",
    "passeport-ordinaire": "conforme", "permis-de-conduire": "conforme", "permis-de-construire": "rouvrir",
    "regularite-fiscale": "reexaminer",
}  # fmt: skip


def test_the_act_that_grants_an_appeal_ends_the_letter_of_refusal() -> None:
    """Each shipped procedure that hears appeals: while the fee is paid again, the letter still said valid."""
    heard = {
        name: book
        for name, book in shipped().procedures.items()
        if {one.act for one in book.identity.appeals.values()} - {None}
    }
    assert heard.keys() == GRANTING.keys()
    for name, book in heard.items():
        acts = {one.act for one in book.identity.appeals.values()}
        left = {
            one.source for one in book.transitions if one.id in acts and book.states[one.source].outcome == "refused"
        }
        ways = [one for one in book.transitions if one.target in left]
        letters = {letter for one in ways for letter in (*one.effects.issues, *book.states[one.target].effects.issues)}
        for granting in [one for one in book.transitions if one.id == GRANTING[name]]:
            revoked = {*granting.effects.revokes, *book.states[granting.target].effects.revokes}
            assert letters <= revoked, f"{name}: {granting.id} leaves {letters - revoked}"


def test_the_letter_says_it_has_no_value_while_the_fee_of_the_won_appeal_is_due(tmp_path: Path) -> None:
    site = open_staff_site(tmp_path)
    world = site.world
    dossier = world.take(
        world.sent(PASSPORT), world.agent("un", "dgdn/controleur"), "refuser", reason="Identité douteuse"
    )
    known = site.owner(dossier)
    address = f"/dossiers/{dossier.number}"
    assert "Notification de refus N°" in known.see(address)
    world.wait(days=20)
    known = site.owner(dossier)
    dossier = world.take(dossier, world.owner(dossier), "contester", reason="Acte retrouvé")
    assert "Refusé 23 novembre 2026" in known.see(address), "the day of the decision, not of the appeal"
    assert "Notification de refus N°" in known.see(address)
    dossier = world.take(dossier, world.agent("deux", "dgdn/controleur"), "conforme")
    assert "À payer" in known.see(address)
    assert "Notification de refus Retiré, sans valeur N°" in known.see(address)
