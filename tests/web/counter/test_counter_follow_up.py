"""Somebody comes back to the counter for a request made before: it is found by its number, and what awaits them is done there."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader

from engine.domain.common import access
from engine.records.dossier import Actor
from engine.services.accounts import assistance
from engine.services.applications.drafts import drop_draft
from engine.services.appointments.bookings import mark
from engine.services.audit.integrity import fsck
from tests.web.client import MAYOR, STALL, PortalClient, Seen, a_portal_client, another, later, picture
from tests.web.counter.test_counter import HOME, an_agent, begun, filled, helping, kept, press, sent

pytestmark = pytest.mark.slow  # a whole site for each test

REASON = {"nom": "Écrire comme sur l’acte.", "carte": "Illisible."}
PLAN = (
    ("workflow:\n", "later_forms:\n  plan:\n    title: Le plan\n    by: applicant\n    fields:\n"
     "      lumiere: {label: Faut-il la lumière, type: yes_no}\n      dessin: {label: Le dessin, type: file}\nworkflow:\n"),
    ("refuser: {label", "preciser: {label: Préciser, to: precisions}\n        refuser: {label"),
    ("    a_payer: {", "    precisions: {label: Précisions, gather: [plan], due: 30 days, then: examen, late: classe}\n    a_payer: {"),
)  # fmt: skip


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path)


def name(seat: PortalClient, number: str) -> Seen:
    """Types a number beside « Une demande déjà faite »."""
    return seat.post(f"{HOME}/demandes", **{**seat.open(HOME).form("number"), "number": number})


def back(visitor: PortalClient, act: str = "", **more: object) -> tuple[PortalClient, str]:
    """A request sent from home, decided, and its owner at the counter, having named it."""
    number = another(visitor).sign_in().sent()
    if act:
        visitor.decide(number, act, **more)
    later(visitor, minutes=2)
    seat = helping(visitor)
    name(seat, number)
    assert seat.follow().status == 200
    assert f"{number[:2]} {number[2:6]} {number[6:10]} {number[10]}" in seat.page.text
    return seat, number


def test_what_was_sent_from_home_is_found_by_its_number(visitor: PortalClient) -> None:
    seat, number = back(visitor)
    assert "Assisté par Agent ama" in seat.page.text
    assert "À faire avec la personne" not in seat.page.text, "it waits for the office"
    home = seat.open(HOME).text
    assert "Ses demandes" in home
    assert "La personne est revenue, un agent l’aide au guichet" in seat.open(f"/agent/dossiers/{number}").text


def test_a_number_that_opens_nothing_is_said_beside_it(visitor: PortalClient) -> None:
    theirs = another(visitor).sign_in("91223344").sent()
    seat = helping(visitor)
    for wrong in (theirs, "26 4829 1137 4", "abc", ""):
        page = name(seat, wrong)
        assert page.status == 422
        assert "Aucune demande de cette personne ne s’ouvre ici avec ce numéro." in page.text
        assert 'aria-describedby="number-h number-e"' in page.html
        assert f'value="{wrong}"' in page.html
        assert "Que faire avec la personne ?" in page.text, "everything else is still there"
    assert seat.open(f"{HOME}/{theirs}/recepisse").status == 404
    seat.post(f"{HOME}/terminer", csrf_token=seat.open(HOME).value("csrf_token"))
    assert seat.post(f"{HOME}/demandes", csrf_token=seat.open(HOME).value("csrf_token"), number=theirs).status == 403


def test_a_draft_goes_on_where_it_was(visitor: PortalClient) -> None:
    number = another(visitor).sign_in().begin()
    later(visitor, minutes=2)
    seat = helping(visitor)
    name(seat, number)
    assert "Vos aides" in seat.follow().text
    assert kept(visitor, number).channel == "counter"


def test_corrections_are_made_with_the_person(visitor: PortalClient) -> None:
    seat, number = back(visitor, "corriger", reason="Deux points", correction=REASON)
    assert "Un agent demande 2 corrections." in seat.page.text
    assert f'href="{HOME}/{number}/corrections">Corriger avec la personne' in seat.page.html
    page = seat.open(f"{HOME}/{number}/corrections")
    assert f'href="/dossiers/{number}' not in page.html, "the agent stays at the counter"
    press(seat, f"{HOME}/{number}/corrections", nom="", go="save")
    assert seat.page.status == 422
    press(seat, f"{HOME}/{number}/corrections", nom="Amegah", go="save", **{"file:carte": picture("nette.jpg")})
    assert "Tout est enregistré. Relisez, puis renvoyez la demande." in seat.follow().text
    (file,) = re.findall(rf"{HOME}/{number}/pieces/[\w-]+", seat.page.html)
    assert seat.open(file).status == 200
    press(seat, f"{HOME}/{number}/corrections", go="send")
    assert "Les corrections sont envoyées. La vérification reprend." in seat.follow().text
    dossier = kept(visitor, number)
    assert (dossier.state, dossier.answers["nom"]) == ("examen", "AMEGAH")
    with visitor.office.store.unit() as unit:
        made = {one.kind: (one.actor_kind, one.actor) for one in unit.entries(dossier.id)}
    assert made["corrected"] == made["task_done"] == ("agent", "ama")
    assert seat.open(f"{HOME}/{number}/corrections").address == f"{HOME}/{number}", "nothing is asked any more"
    receipt = seat.open(f"{HOME}/{number}/recepisse").text
    assert "Récépissé de corrections Nous avons reçu vos corrections le 24 novembre 2026. Gardez ce papier." in receipt
    assert "Récépissé de demande" not in receipt
    paper = PdfReader(io.BytesIO(seat.open(f"{HOME}/{number}/recepisse.pdf").response.data)).pages[0].extract_text()
    assert "RÉCÉPISSÉ DE CORRECTIONS" in paper
    assert "Nous avons reçu vos corrections le 24" in " ".join(paper.split())
    assert fsck(visitor.office) == ()


def test_the_price_is_paid_then_the_visit_booked_moved_and_given_back(visitor: PortalClient) -> None:
    seat, number = back(visitor, "accorder")
    assert "Payer par téléphone À payer : 5 000 FCFA" in seat.page.text
    seat.send(f"{HOME}/{number}/paiement", provider="argent", payer="90000001")
    end = seat.open(seat.page.address)
    visit = f"{HOME}/{number}/rendez-vous"
    assert f'href="{visit}"' in end.html, "what comes next is offered at once"
    assert "Prendre un rendez-vous : Remise de la clé" in seat.open(f"{HOME}/{number}/recepisse").text
    book(seat, visit, 0)
    first = kept(visitor, number).bookings["remise"]
    assert "Le rendez-vous est confirmé" in seat.page.text
    assert "La personne reçoit un SMS avant la date." not in seat.page.text, (
        "it is tomorrow: the reminder was due this morning"
    )
    assert "Sans téléphone" not in seat.page.text
    assert ".ics" not in seat.page.html
    assert f'href="{HOME}/{number}">' in seat.page.html
    receipt = seat.open(f"{HOME}/{number}/recepisse").text
    assert "Rendez-vous" in receipt
    assert "Changer le rendez-vous" in receipt
    assert "Récépissé de paiement Nous avons reçu votre paiement le 24 novembre 2026." in receipt
    assert "À faire avec la personne" not in receipt
    book(seat, visit, 1)
    moved = kept(visitor, number).bookings["remise"]
    assert (moved.start > first.start, moved.moves) == (True, 1)
    assert "Garder le rendez-vous" in seat.open(f"{visit}/annuler").text
    seat.send(f"{visit}/annuler")
    assert "Le rendez-vous est annulé, la place est rendue." in seat.follow().text
    dossier = kept(visitor, number)
    with visitor.office.store.unit() as unit:
        booked = [one for one in unit.entries(dossier.id) if one.kind in ("booked", "moved", "cancelled")]
    assert [(one.kind, one.actor) for one in booked] == [("booked", "ama"), ("moved", "ama"), ("cancelled", "ama")]
    assert fsck(visitor.office) == ()


def book(seat: PortalClient, visit: str, number: int) -> str:
    """Touches a slot of the list, reads it once more and takes it."""
    page = seat.open(f"{visit}?changer=1")
    start = re.findall(r'name="start" value="([^"]+)"', page.html)[1:][number]
    seat.post(f"{visit}/confirmer", **{**page.form("bureau"), "start": start})
    assert "Ce rendez-vous vous convient ?" in seat.follow().text
    seat.post(visit, **seat.page.form("start"))
    seat.follow()
    return start


def test_they_wait_for_a_place_and_wait_no_more(visitor: PortalClient) -> None:
    seat, number = back(visitor, "accorder")
    seat.send(f"{HOME}/{number}/paiement", provider="argent", payer="90000001")
    visit = f"{HOME}/{number}/rendez-vous"
    page = seat.open(visit)
    assert "La prévenir si une place se libère" in page.text
    seat.post(f"{visit}/attendre", **page.form("bureau"))
    assert "C’est noté. La personne est prévenue" in seat.follow().text
    assert "La personne est sur la liste d’attente" in seat.page.text
    seat.post(f"{visit}/attendre", **seat.page.form("bureau"), stop="1")
    assert "n’est plus sur la liste d’attente" in seat.follow().text


def without_a_telephone(visitor: PortalClient) -> tuple[PortalClient, str, str]:
    """An agent, the number and the code of a receipt that they printed for somebody who went home."""
    seat = an_agent(visitor)
    seat.send(HOME, how="paper", family_name="AMEGAN", given_names="Afi", signed="1")
    number = sent(seat)
    code = re.search(r"Code de suivi (\d{4} \d{4})", seat.follow().text)
    assert code
    seat.post(f"{HOME}/terminer", csrf_token=seat.open(HOME).value("csrf_token"))
    return seat, number, code[1]


def test_the_receipt_leads_to_its_request_and_says_the_visit(visitor: PortalClient) -> None:
    seat, number, code = without_a_telephone(visitor)
    visitor.decide(number, "accorder")
    seat.send(HOME, how="receipt", number=number, code=code)
    assert seat.page.address == f"{HOME}/{number}", "what they came for"
    assert "Vous aidez AMEGAN Afi" in seat.follow().text
    seat.send(f"{HOME}/{number}/paiement", provider="argent", payer="90000001")
    visit = f"{HOME}/{number}/rendez-vous"
    assert "prévenir" not in seat.open(visit).text, "no way to tell them"
    start = book(seat, visit, 0)
    assert "Sans téléphone, la personne ne reçoit pas de rappel." in seat.page.text
    receipt = seat.open(f"{HOME}/{number}/recepisse").text
    hour = f"{int(start[11:13])} h"
    assert re.search(rf"Rendez-vous \w+ \d+ \w+ 2026 à {hour}", receipt), receipt
    paper = PdfReader(io.BytesIO(seat.open(f"{HOME}/{number}/recepisse.pdf").response.data)).pages[0].extract_text()
    assert "Rendez-vous" in paper
    person = another(visitor)
    person.send("/suivi/code", number=number, code=code)
    assert "Un SMS vous le rappelle" not in person.open(f"/dossiers/{number}/rendez-vous").text


def test_a_receipt_of_another_counter_finds_the_person_and_says_so(
    visitor: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, number, code = without_a_telephone(visitor)
    monkeypatch.setattr(assistance, "_is_theirs", lambda *_: False)  # a procedure that this agent does not receive
    seat.send(HOME, how="receipt", number=number, code=code)
    assert seat.page.address == HOME
    assert "Sa demande ne se traite pas à ce guichet." in seat.follow().text
    assert "Vous aidez" in seat.page.text


def test_the_quote_that_a_price_rests_on_is_read_at_the_counter(tmp_path: Path) -> None:
    book = STALL.replace("pay: place,", "pay: place, issues: devis,").replace(
        "outputs:\n", "outputs:\n  devis: {title: Devis, kind: quote, shows: [nom]}\n"
    )
    seat, number = back(a_portal_client(tmp_path, book=book), "accorder")
    (quote,) = re.findall(
        rf'href="({HOME}/{number}/documents/[\w-]+\.pdf)">Devis', seat.open(f"{HOME}/{number}/paiement").html
    )
    assert seat.open(quote).response.data[:5] == b"%PDF-"


@pytest.mark.parametrize("then", ["accorde", "examen"])
def test_the_receipt_of_a_visit_says_so(tmp_path: Path, then: str) -> None:
    book_ = STALL.replace("attend: remise, due: 60 days, then: accorde", f"attend: remise, due: 60 days, then: {then}")
    seat, number = back(a_portal_client(tmp_path, book_), "accorder")
    seat.send(f"{HOME}/{number}/paiement", provider="argent", payer="90000001")
    book(seat, f"{HOME}/{number}/rendez-vous", 0)
    start = kept(seat, number).bookings["remise"].start
    later(seat, minutes=1 + (start - seat.office.now()) // timedelta(minutes=1))
    mark(seat.office, MAYOR, kept(seat, number).id, "remise", "attended")
    seat = helping(another(seat))
    name(seat, number)
    receipt = seat.open(f"{HOME}/{number}/recepisse").text
    visit = "Récépissé de rendez-vous Votre rendez-vous a eu lieu le"
    assert (
        visit if then == "examen" else "Situation de la demande Cette demande est terminée : « Accordé »."
    ) in receipt


def test_a_closed_request_is_only_read(visitor: PortalClient) -> None:
    seat, number = back(visitor, "refuser", reason="Faux acte")
    receipt = seat.page.text
    assert "Situation de la demande Cette demande est terminée : « Refusé »." in receipt
    assert "Récépissé" not in receipt.partition("Situation de la demande")[2].partition("Et ensuite")[0]
    assert "À faire avec la personne" not in receipt
    assert "Rien à payer pour le moment" not in receipt
    dossier = kept(visitor, number)
    assert dossier.assisted == ()
    for address in ("corrections", "rendez-vous", "paiement"):
        assert seat.open(f"{HOME}/{number}/{address}").address == f"{HOME}/{number}", address
    assert kept(visitor, number).revision == dossier.revision


def test_what_is_asked_later_is_filled_in_with_the_person(tmp_path: Path) -> None:
    book = STALL
    for old, new in PLAN:
        assert old in book
        book = book.replace(old, new)
    seat, number = back(a_portal_client(tmp_path, book=book), "preciser")
    errand = f"{HOME}/{number}/a-faire/plan"
    assert f'href="{errand}">Le plan' in seat.page.html
    press(seat, errand, "revision", lumiere="true", go="next", **{"file:dessin": picture("plan.jpg")})
    assert "c’est enregistré" in seat.follow().text
    dossier = kept(seat, number)
    assert (dossier.state, dossier.answers["lumiere"]) == ("examen", True)
    assert seat.open(errand).address == f"{HOME}/{number}"
    assert "n’est plus demandé" in seat.follow().text
    receipt = seat.open(f"{HOME}/{number}/recepisse").text
    assert "Récépissé C’est enregistré le 24 novembre 2026 : « Le plan ». Gardez ce papier." in receipt
    assert fsck(seat.office) == ()


def test_the_message_that_sends_says_that_it_sends(visitor: PortalClient) -> None:
    seat = helping(visitor)
    number = filled(seat)
    later(visitor, minutes=1)
    press(seat, f"{HOME}/{number}/verification", declared="1", go="code")
    with visitor.office.store.unit() as unit:
        newest = max(unit.letters_to("+22890112233"), key=lambda letter: letter.created_at)
    assert re.fullmatch(
        r"\d{6} est le code à lire à l'agent pour envoyer votre demande\. Valable 10 min\. localhost", newest.body
    )


def test_a_second_request_is_begun_beside_the_one_they_came_for(visitor: PortalClient) -> None:
    seat, number = back(visitor)
    second = begun(seat)
    assert second != number
    home = seat.open(HOME)
    assert {f"{number}/recepisse", f"{second}/demande"} <= set(re.findall(r'value="([^"]+)"', home.html))


def test_a_draft_that_its_owner_gave_up_meanwhile_is_not_offered(visitor: PortalClient) -> None:
    seat = helping(visitor)
    number = begun(seat)
    assert number in seat.open(HOME).html
    drop_draft(visitor.office, Actor("applicant", kept(visitor, number).owner), number)
    assert number not in seat.open(HOME).html
    assert begun(seat) != number


def test_what_is_theirs_no_more_leaves_the_rest_of_the_desk(
    visitor: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, number = back(visitor)
    monkeypatch.setattr(access, "is_helped", lambda *_: False)  # a role was taken away meanwhile
    assert seat.open(f"{HOME}/{number}/recepisse").status == 404
    home = seat.open(HOME)
    assert (home.status, number in home.html) == (200, False)


def test_in_english(visitor: PortalClient) -> None:
    seat, number = back(visitor, "corriger", reason="One", correction={"nom": "As on the certificate."})
    assert "Correct with the person" in seat.open(f"{HOME}/{number}/recepisse?lang=en").text
    assert "Find the application" in seat.open(HOME).text
