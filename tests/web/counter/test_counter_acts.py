"""What the person who is there can do on an earlier request: the list after a code, acts with an agreement of their own,
messages, and the consent sheet."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from pypdf import PdfReader

from engine.core.problems import Refused
from engine.domain.common.decision import Act
from engine.records.dossier import Actor
from engine.services.accounts import assistance
from engine.services.applications.casework import take_transition
from engine.services.audit.integrity import fsck
from tests.web.client import STALL, PortalClient, Seen, a_portal_client, another, later
from tests.web.counter.test_counter import HOME, an_agent, begun, helping, kept, press
from tests.web.counter.test_counter_follow_up import back, book

pytestmark = pytest.mark.slow  # a whole site for each test

APPEAL = STALL.replace("form:\n", "appeals:\n  recours: {label: Recours gracieux, act: contester}\nform:\n", 1).replace(
    "    refuse: {label: Refusé, end: refused}\n",
    "    refuse:\n      label: Refusé\n      end: refused\n      transitions:\n"
    "        contester: {label: Contester, by: applicant, to: examen, asks: [reason]}\n",
)


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path)


def entries(visitor: PortalClient, number: str, kind: str) -> list[dict[str, object]]:
    dossier = kept(visitor, number)
    with visitor.office.store.unit() as unit:
        return [dict(one.body) for one in unit.entries(dossier.id) if one.kind == kind]


def agent_of(visitor: PortalClient) -> Actor:
    with visitor.office.store.unit() as unit:
        account = unit.account("ama")
    assert account
    return visitor.office.person(account)


def offered(page: Seen) -> list[str]:
    """What the buttons of the list open."""
    return re.findall(r'name="number" value="(\d{11}/[^"]+)"', page.html)


def open_from_list(seat: PortalClient, page: str) -> str:
    """Presses a button of the list and returns the address it leads to."""
    seat.post(f"{HOME}/demandes", csrf_token=seat.open(HOME).value("csrf_token"), number=page)
    return seat.page.address


def words(page: Seen) -> str:
    found = PdfReader(io.BytesIO(page.response.data)).pages
    assert len(found) == 1
    return " ".join(found[0].extract_text().split())


def test_a_code_lists_the_requests_with_what_can_be_done(visitor: PortalClient) -> None:
    number = another(visitor).sign_in().sent()
    theirs = another(visitor).sign_in("91223344").sent()
    later(visitor, minutes=2)
    seat = helping(visitor)
    home = seat.open(HOME)
    assert offered(home) == [f"{number}/{page}" for page in ("recepisse", "actes/retirer", "messages")]
    assert theirs not in home.html
    assert "AMEGAN" in home.text
    assert kept(visitor, number).assisted == (), "to be listed is not to be helped"
    with visitor.office.store.unit() as unit:
        (reading,) = unit.readings_by("ama")
    assert reading.dossier == kept(visitor, number).id
    assert seat.open(f"{HOME}/{number}/recepisse").status == 404, "not before it is opened"
    assert open_from_list(seat, f"{number}/actes/retirer") == f"{HOME}/{number}/actes/retirer"
    assert "Retirer ma demande" in seat.follow().text
    assert kept(visitor, number).assisted == ("ama",)
    assert [one["consent"] for one in entries(visitor, number, "assisted")] == ["code"]


@pytest.mark.parametrize("page", ["../../v", "/v", "//exemple.tg", "actes/retirer?quoi=x&y", "\nx"])
def test_the_list_opens_pages_of_the_request_only(visitor: PortalClient, page: str) -> None:
    seat, number = back(visitor)
    assert open_from_list(seat, f"{number}/{page}") == f"{HOME}/{number}"


def test_a_signature_or_a_receipt_lists_what_is_open_only(visitor: PortalClient) -> None:
    seat = an_agent(visitor)
    seat.send(HOME, how="paper", family_name="AMEGAN", given_names="Afi", signed="1")
    assert offered(seat.open(HOME)) == []
    number = begun(seat)
    assert offered(seat.open(HOME)) == [f"{number}/demande"]


def test_a_visit_is_moved_and_a_price_paid_from_the_list(visitor: PortalClient) -> None:
    seat, number = back(visitor, "accorder")
    assert f"{number}/paiement" in offered(seat.open(HOME))
    assert "Payer 5 000 FCFA" in seat.page.text
    seat.send(f"{HOME}/{number}/paiement", provider="argent", payer="90000001")
    book(seat, f"{HOME}/{number}/rendez-vous", 0)
    first = kept(visitor, number).bookings["remise"]
    assert f"{number}/rendez-vous?quoi=remise" in offered(seat.open(HOME))
    assert "Remise de la clé :" in seat.page.text
    visit = f"{number}/rendez-vous?quoi=remise"
    assert open_from_list(seat, visit) == f"{HOME}/{visit}"
    book(seat, f"{HOME}/{number}/rendez-vous", 1)
    assert kept(visitor, number).bookings["remise"].start > first.start


def test_a_request_is_withdrawn_on_a_signed_sheet(visitor: PortalClient) -> None:
    seat, number = back(visitor)
    act = f"{HOME}/{number}/actes/retirer"
    assert f'href="{act}"' in seat.page.html, "on the receipt too"
    page = seat.open(act)
    (sheet,) = re.findall(r"feuille d’accord n° (\d{4} \d{4})", page.text)
    refused = press(seat, act, reason="Je pars")
    assert refused.status == 422
    assert "Dites comment la personne est d’accord." in refused.text
    assert "Je pars" in refused.html, "what was typed stays"
    assert kept(visitor, number).state == "examen"
    printed = words(seat.open(f"{act}/accord.pdf"))
    for said in (sheet, "Retirer ma demande", "AMEGAN", "Agent ama", "Étal de marché", "Fait à", number[:2]):
        assert said in printed, said
    press(seat, act, reason="Je pars", **{"act-agreed": "paper"})
    assert seat.page.address == f"{HOME}/{number}", seat.page.text
    assert "C’est enregistré" in seat.follow().text
    assert kept(visitor, number).state == "retire"
    (agreed,) = entries(visitor, number, "agreed")
    assert agreed == {
        "transition": "retirer",
        "confirmed": "paper",
        "sheet": sheet.replace("\u00a0", "").replace(" ", ""),
    }
    assert offered(seat.open(HOME)) == [f"{number}/recepisse"], "a closed request is only read"
    assert seat.open(act).status in (303, 404)
    assert fsck(visitor.office) == ()


def test_a_request_is_withdrawn_by_the_code_of_that_act(visitor: PortalClient) -> None:
    seat, number = back(visitor)
    act = f"{HOME}/{number}/actes/retirer"
    sent = press(seat, act, reason="Je pars", go="code")
    assert "Le code est envoyé au 90 11 22 33" in sent.text
    assert "Je pars" in sent.html
    with visitor.office.store.unit() as unit:
        newest = max(unit.letters_to("+22890112233"), key=lambda letter: letter.created_at)
    assert 'pour "Retirer ma demande", demande ' in newest.body
    assert press(seat, act, reason="x", **{"act-agreed": "code", "act-code": "000000"}).status == 422
    assert kept(visitor, number).state == "examen"
    press(seat, act, reason="Je pars", **{"act-agreed": "code", "act-code": visitor.code()})
    assert kept(visitor, number).state == "retire", seat.page.text
    assert entries(visitor, number, "agreed") == [{"transition": "retirer", "confirmed": "code"}]


def test_a_code_of_another_use_or_act_withdraws_nothing(visitor: PortalClient) -> None:
    seat, number = back(visitor)
    act = f"{HOME}/{number}/actes/retirer"
    later(visitor, minutes=5)
    seat.send(HOME, how="phone", phone="90112233")
    assert press(seat, act, reason="x", **{"act-agreed": "code", "act-code": visitor.code()}).status == 422
    assert kept(visitor, number).state == "examen"


@pytest.mark.parametrize("named", [True, False])
def test_a_refusal_is_contested_with_the_person(tmp_path: Path, named: bool) -> None:
    """Also by an act that no appeal of the file names: it leaves an end."""
    visitor = a_portal_client(tmp_path, book=APPEAL if named else APPEAL.replace(", act: contester", "", 1))
    seat, number = back(visitor, "refuser", reason="Faux acte")
    assert f"{number}/actes/contester" in offered(seat.open(HOME))
    act = f"{HOME}/{number}/actes/contester"
    assert press(seat, act, reason="Acte retrouvé").status == 422, "it asks for an agreement"
    press(seat, act, reason="Acte retrouvé", **{"act-agreed": "paper"})
    dossier = kept(visitor, number)
    assert (dossier.state, dossier.assisted) == ("examen", ("ama",))
    assert entries(visitor, number, "agreed")[0]["transition"] == "contester"
    desk = an_agent(visitor, "koffi").open(f"/agent/dossiers/{number}").text
    assert "Accord de la personne à un acte, au guichet" in desk
    assert "Contester : « Acte retrouvé »" in desk, "it is the applicant's act"
    assert "Motif : Acte retrouvé" not in another(visitor).sign_in().open(f"/dossiers/{number}").text
    assert fsck(visitor.office) == ()


def test_no_page_is_needed_for_the_rule(visitor: PortalClient) -> None:
    """The service refuses an act that ends a request without a known agreement."""
    _, number = back(visitor)
    acting = assistance.helping(visitor.office, agent_of(visitor))
    assert acting
    for agreed in ("", "receipt"):
        with pytest.raises(Refused) as closed:
            take_transition(visitor.office, acting, kept(visitor, number).id, Act("retirer", "x"), agreed=agreed)
        assert closed.value.reason.code == "agreement_missing"


def test_at_home_nothing_of_it_is_asked(visitor: PortalClient) -> None:
    person = another(visitor).sign_in()
    number = person.sent()
    page = person.open(f"/dossiers/{number}/actes/retirer")
    assert "act-agreed" not in page.html
    press(person, f"/dossiers/{number}/actes/retirer", reason="Je pars")
    assert kept(visitor, number).state == "retire"
    assert entries(visitor, number, "agreed") == []


def test_a_message_is_written_with_the_person(visitor: PortalClient) -> None:
    seat, number = back(visitor)
    thread = f"{HOME}/{number}/messages"
    assert f'href="{thread}"' in seat.page.html
    press(seat, thread, body="Elle demande le délai.")
    assert seat.page.address.startswith(thread)
    page = seat.open(thread)
    assert "Elle demande le délai." in page.text
    assert "Le demandeur" in page.text
    assert "Le service" not in page.text.partition("Elle demande")[0], "the side of the person"
    dossier = kept(visitor, number)
    with visitor.office.store.unit() as unit:
        (message,) = unit.messages_of(dossier.id)
    assert (message.side, message.by) == ("applicant", "ama")
    assert "Elle demande le délai." in an_agent(visitor, "koffi").open(f"/agent/dossiers/{number}/messages").text


def test_the_consent_sheet_is_printed_before_the_help_begins(visitor: PortalClient) -> None:
    seat = an_agent(visitor)
    names = {"how": "paper", "family_name": "Amegan", "given_names": "Afi"}
    assert seat.send(HOME, **names, go="sheet").response.mimetype == "application/pdf"
    printed = words(seat.page)
    (number,) = set(re.findall(r"Feuille n° (\d{4} \d{4})", printed))
    for said in ("Amegan Afi", "Agent ama", "remplit et enregistre sa demande", "Fait à"):
        assert said in printed, said
    assert assistance.assistance_of(visitor.office, agent_of(visitor)) is None
    assert seat.send(HOME, **names).status == 422, "it is signed before"
    seat.send(HOME, **names, go="sheet")
    seat.send(HOME, **names, signed="1")
    draft = begun(seat)
    (helped,) = entries(visitor, draft, "assisted")
    assert helped["agreement"] == number.replace(" ", "")


def test_a_sheet_of_another_person_is_not_named(visitor: PortalClient) -> None:
    seat = an_agent(visitor)
    seat.send(HOME, how="paper", family_name="Lawson", given_names="Ayi", go="sheet")
    seat.send(HOME, how="paper", family_name="Amegan", given_names="Afi", signed="1")
    (helped,) = entries(visitor, begun(seat), "assisted")
    assert "agreement" not in helped
    assert seat.send(HOME, how="paper", family_name="", given_names="Afi", go="sheet").status in (303, 422)
