"""The counter, page by page: an agent fills a request in for somebody who is there, and hands them a receipt."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from engine.records.dossier import Account, Dossier
from engine.services.context.app_context import AppSettings
from engine.services.keys.secrets import hash_secret
from tests.web.client import ANSWERS, PHONE, STALL, PortalClient, Seen, a_portal_client, another, later, picture
from tests.worker import work_off

pytestmark = pytest.mark.slow  # a whole site for each test

HOME = "/agent/guichet"


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path)


def an_agent(visitor: PortalClient, login: str = "ama", role: str = "mairie/maire") -> PortalClient:
    with visitor.office.store.unit(write=True) as unit:
        unit.put_account(Account(login, "agent", f"Agent {login}", login, hash_secret("clef"), roles=(role,)))
    seat = another(visitor)
    seat.send("/agent/connexion", login=login, password="clef")
    assert seat.page.address == "/agent", seat.page.text
    return seat


def press(seat: PortalClient, address: str, having: str = "token", **fields: Any) -> Seen:
    """Fills the form of a page that holds this control, not that of its banner, and posts it."""
    form: dict[str, Any] = seat.open(address).form(having)
    return seat.post(address.partition("?")[0], **{**form, **fields})


def helping(visitor: PortalClient) -> PortalClient:
    """An agent to whom the person has read their code."""
    seat = an_agent(visitor)
    seat.send(HOME, how="phone", phone=PHONE)
    assert seat.page.address == f"{HOME}/code", seat.page.text
    seat.send(f"{HOME}/code", code=visitor.code())
    assert seat.page.address == HOME, seat.page.text
    return seat


def begun(seat: PortalClient) -> str:
    """The number of the draft."""
    press(seat, f"{HOME}/demarches/essai?majeur=oui")
    found = re.fullmatch(rf"{HOME}/(\d{{11}})/demande", seat.page.address)
    assert found, seat.page.text
    return found[1]


def filled(seat: PortalClient) -> str:
    number = begun(seat)
    base = f"{HOME}/{number}"
    press(seat, f"{base}/demande/vous", **ANSWERS, go="next")
    press(seat, f"{base}/demande/aides", go="next")
    press(seat, seat.page.address, **{"file:carte": picture(), "file:photo": picture(), "go": "next"})
    assert seat.page.address == f"{base}/verification", seat.page.text
    return number


def sent(seat: PortalClient) -> str:
    number = filled(seat)
    press(seat, f"{HOME}/{number}/verification", declared="1", confirmed="paper")
    assert seat.page.address == f"{HOME}/{number}/recepisse", seat.page.text
    return number


def kept(visitor: PortalClient, number: str) -> Dossier:
    with visitor.office.store.unit() as unit:
        found = unit.dossier_numbered(number)
    assert found
    return found


@pytest.mark.parametrize("specimen", [True, False])
def test_a_receipt_of_a_demonstration_has_no_value(
    visitor: PortalClient, monkeypatch: pytest.MonkeyPatch, specimen: bool
) -> None:
    monkeypatch.setattr(AppSettings, "marks_specimen", property(lambda _: specimen))
    seat = helping(visitor)
    receipt = f"{HOME}/{sent(seat)}/recepisse"
    for format in ("", "?format=80"):
        article = seat.open(f"{receipt}{format}").html.partition('<article class="paper">')[2]
        assert ("Spécimen, sans valeur" in article.partition("</article>")[0]) is specimen


def test_from_the_code_read_aloud_to_the_receipt(visitor: PortalClient) -> None:
    seat = helping(visitor)
    home = seat.open(HOME).text
    assert "Vous aidez la personne au 90 11 22 33 – tout est enregistré à son numéro." in home
    number = sent(seat)
    dossier = kept(visitor, number)
    assert (dossier.channel, dossier.assisted) == ("counter", ("ama",))
    receipt = seat.follow().text
    assert "Vous aidez AMEGAN" in receipt, "by the name that was typed"
    for said in ("Assisté par Agent ama", "À payer", "Et ensuite", "avec votre téléphone : 90 11 22 33"):
        assert said in receipt, said
    assert "Code de suivi" not in receipt, "the telephone is the key"
    assert re.search(r"/roll\b", seat.open(f"{HOME}/{number}/recepisse?format=80").html)
    pdf = seat.open(f"{HOME}/{number}/recepisse.pdf").response
    words = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.data)).pages)
    assert "Agent ama" in words
    assert number[:2] in words

    person = another(visitor)
    later(visitor, minutes=2)
    person.sign_in()
    assert "Assisté par Agent ama, au guichet." in person.open(f"/dossiers/{number}").text
    desk = seat.open(f"/agent/dossiers/{number}").text
    assert "Assisté par Agent ama, au guichet." in desk
    assert "Demande remplie au guichet avec la personne" in desk


def test_nothing_is_sent_before_the_person_has_confirmed(visitor: PortalClient) -> None:
    seat = helping(visitor)
    number = filled(seat)
    check = f"{HOME}/{number}/verification"
    assert press(seat, check, confirmed="paper").status == 422
    refused = press(seat, check, declared="1")
    assert refused.status == 422
    assert "Dites comment la personne confirme." in refused.text
    assert press(seat, check, declared="1", confirmed="code", confirm_code="000000").status == 422
    assert kept(visitor, number).is_draft
    later(visitor, minutes=1)
    assert "Le code est envoyé au 90 11 22 33" in press(seat, check, declared="1", go="code").text
    press(seat, check, declared="1", confirmed="code", confirm_code=visitor.code())
    assert seat.page.address == f"{HOME}/{number}/recepisse", seat.page.text


@pytest.mark.parametrize("how", ["end", "idle"])
def test_once_it_is_over_the_draft_is_the_persons_alone(visitor: PortalClient, how: str) -> None:
    seat = helping(visitor)
    number = begun(seat)
    page = f"{HOME}/{number}/demande/vous"
    assert seat.open(page).status == 200
    typed = {**seat.page.form("token"), "nom": "Amegan", "go": "next"}
    if how == "end":
        press(seat, HOME, "csrf_token")
        seat.post(f"{HOME}/terminer", csrf_token=seat.open(HOME).value("csrf_token"))
        assert "Vous n’ouvrez plus ce dossier." in seat.follow().text
    else:
        later(visitor, minutes=16)
    for shut in (seat.open(page), seat.post(page, **typed), seat.open(f"{HOME}/{number}/recepisse")):
        assert shut.status == 403
        assert "L’aide est terminée" in shut.text
    assert seat.open(f"/agent/dossiers/{number}").status == 404, "a draft is nobody else's"
    person = another(visitor)
    later(visitor, minutes=2)
    person.sign_in()
    assert person.open(f"/dossiers/{number}/demande/vous").status == 200, "they go on at home"


def test_what_was_typed_for_too_long_is_sent_once_the_person_agreed_again(visitor: PortalClient) -> None:
    seat = helping(visitor)
    number = begun(seat)
    page = f"{HOME}/{number}/demande/vous"
    typed = {**seat.open(page).form("token"), "nom": "Amegan", "go": "next"}
    later(visitor, minutes=16)
    shut = seat.post(page, **typed)
    assert shut.status == 403
    assert "est encore sur cette page" in shut.text
    carried = shut.form("token")
    assert carried["nom"] == ["Amegan"]
    assert seat.post(page, **carried).status == 403, "not before"
    later(visitor, minutes=2)
    seat.send(HOME, how="phone", phone=PHONE)
    seat.send(f"{HOME}/code", code=visitor.code())
    seat.post(f"{HOME}/demandes", **{**seat.open(HOME).form("number"), "number": number})
    both = seat.post(page, **carried)
    assert "Ce que vous venez d’écrire : Amegan" in both.text, "opened again, the draft is a later one"
    seat.post(page, **both.form("nom"))
    assert seat.open(page).value("nom") == "AMEGAN"


def test_who_signs_out_helps_nobody_any_more(visitor: PortalClient) -> None:
    seat = helping(visitor)
    number = begun(seat)
    seat.post("/agent/deconnexion", csrf_token=seat.open("/agent").value("csrf_token"))
    elsewhere = another(visitor)
    for client in (seat, elsewhere):
        client.send("/agent/connexion", login="ama", password="clef")
        assert client.page.address == "/agent", client.page.text
        assert client.open(f"{HOME}/{number}/demande/vous").status == 403
        assert f"{HOME}/terminer" not in client.open(HOME).html


def test_another_agent_does_not_look_over_the_shoulder(visitor: PortalClient) -> None:
    number = begun(helping(visitor))
    colleague = an_agent(visitor, "koffi")
    assert colleague.open(f"{HOME}/{number}/demande").status == 403, "helps nobody"
    colleague.send(HOME, how="paper", family_name="LAWSON", given_names="Ablavi", signed="1")
    assert colleague.open(f"{HOME}/{number}/demande").status == 404, "helps somebody else"
    stranger = an_agent(visitor, "ayi", "dgdn/production")
    assert stranger.open(HOME).status == 403, "meets nobody"
    assert "Remplir une demande" not in stranger.open("/agent").text


def test_somebody_without_a_telephone(visitor: PortalClient) -> None:
    seat = an_agent(visitor)
    refused = seat.send(HOME, how="paper", family_name="AMEGAN", given_names="Afi")
    assert refused.status == 422
    assert "Faites signer l’accord" in refused.text
    seat.send(HOME, how="paper", family_name="AMEGAN", given_names="Afi", signed="1")
    assert "Vous aidez AMEGAN Afi – tout est enregistré à son nom." in seat.open(HOME).text
    number = sent(seat)
    code = re.search(r"Code de suivi (\d{4} \d{4})", seat.follow().text)
    assert code
    person = another(visitor)
    assert "Code de suivi 8 chiffres, imprimés sur le récépissé." in person.open("/suivi/code").text, "as it is printed"
    assert person.send("/suivi/code", number=number, code="0000 0000").status == 422
    person.send("/suivi/code", number=number, code=code[1])
    assert person.follow().status == 200
    assert "Assisté par Agent ama" in person.page.text
    seat.post(f"{HOME}/terminer", csrf_token=seat.open(HOME).value("csrf_token"))
    assert "Code de suivi 8 chiffres" in seat.open(HOME).text
    seat.send(HOME, how="receipt", number=number, code=code[1])
    assert "Vous aidez AMEGAN Afi" in seat.follow().text


def test_in_english(visitor: PortalClient) -> None:
    seat = helping(visitor)
    assert "You are helping the person at 90 11 22 33" in seat.open(f"{HOME}?lang=en").text


def test_the_price_is_paid_into_the_agents_hand(tmp_path: Path) -> None:
    visitor = a_portal_client(
        tmp_path, book=STALL.replace("amount: 5000}", "amount: 5000, methods: [mobile_money, cash]}")
    )
    seat = helping(visitor)
    number = sent(seat)
    assert "en espèces" not in seat.follow().text, "nothing falls due before it is granted"
    visitor.decide(number, "accorder")
    receipt = f"{HOME}/{number}/recepisse"
    form = seat.open(receipt).form("amount")
    assert form["amount"] == ["5000"]
    assert seat.post(f"{HOME}/{number}/especes", **{**form, "amount": "500", "token": "x"}).status == 409
    for _ in range(2):  # a double tap is one act
        assert seat.post(f"{HOME}/{number}/especes", **form).address == receipt
    told = seat.open(receipt).text
    assert re.search(r"Reçu en espèces quittance Q-2026-\d{6}, 5 000 FCFA", told), told
    assert "Rien à payer pour le moment" in told
    [printed] = re.findall(rf'href="({HOME}/{number}/recu/[^"]+\.pdf)">Quittance Q-2026-\d+ \(PDF\)', seat.page.html)
    paper = PdfReader(io.BytesIO(seat.open(printed).response.data)).pages[0].extract_text()
    assert "Vérifiez ce document" in paper
    assert kept(visitor, number).state == "cle"
    dossier = kept(visitor, number)
    with visitor.office.store.unit() as unit:
        (payment,) = unit.payments_of(dossier.id)
        started = [one for one in unit.entries(payment.dossier) if one.kind == "payment_started"]
    assert (payment.method, payment.status, payment.amount) == ("cash", "paid", 5000)
    assert [(one.actor_kind, one.actor) for one in started] == [("agent", "ama")], "whose hand took it"


def test_cash_of_a_person_without_telephone_is_paid_back_by_its_receipt(tmp_path: Path) -> None:
    """The list said « Numéro inconnu » to those who had to pay it back."""
    book = STALL.replace("amount: 5000}", "amount: 5000, methods: [mobile_money, cash]}").replace(
        "        accorder:",
        "        rendre: {label: Rendre, to: examen, returns: place, reopens: [place]}\n        accorder:",
    )
    visitor = a_portal_client(tmp_path, book=book.replace("then: cle, late: classe}", "then: examen, late: classe}", 2))
    seat = an_agent(visitor)
    seat.send(HOME, how="paper", family_name="AMEGAN", given_names="Afi", signed="1")
    number = sent(seat)
    visitor.decide(number, "accorder")
    seat.post(f"{HOME}/{number}/especes", **seat.open(f"{HOME}/{number}/recepisse").form("amount"))
    visitor.decide(number, "rendre")
    seat.post(f"{HOME}/terminer", csrf_token=seat.page.value("csrf_token") if "csrf_token" in seat.page.html else "")
    listed = an_agent(visitor, "edem").open("/agent/remboursements").text
    assert re.search(r"Espèces au guichet, quittance Q-2026-\d{6}", listed), listed


def test_no_cash_while_a_payment_by_telephone_may_still_come(tmp_path: Path) -> None:
    visitor = a_portal_client(
        tmp_path, book=STALL.replace("amount: 5000}", "amount: 5000, methods: [mobile_money, cash]}")
    )
    seat = helping(visitor)
    number = sent(seat)
    visitor.decide(number, "accorder")
    receipt = f"{HOME}/{number}/recepisse"
    form = seat.open(receipt).form("amount")
    seat.send(f"{HOME}/{number}/paiement", provider="argent", payer="90000005")
    page = seat.open(receipt)
    assert "Ne prenez pas d’argent pour ce prix" in page.text
    assert "Recevoir 5 000 FCFA" not in page.text
    assert seat.post(f"{HOME}/{number}/especes", **form).status == 409
    assert kept(visitor, number).state == "a_payer"


def test_no_cash_where_the_book_takes_none(visitor: PortalClient) -> None:
    seat = helping(visitor)
    number = sent(seat)
    visitor.decide(number, "accorder")
    assert "espèces" not in seat.open(f"{HOME}/{number}/recepisse").text
    banner = seat.page.value("csrf_token")
    assert seat.post(f"{HOME}/{number}/especes", csrf_token=banner, amount="5000").status == 409
    assert kept(visitor, number).state == "a_payer"


def paying(visitor: PortalClient, payer: str) -> tuple[PortalClient, str]:
    """A request granted, its price asked of a telephone from the counter."""
    seat = helping(visitor)
    number = sent(seat)
    visitor.decide(number, "accorder")
    assert "Payer par téléphone" in seat.open(f"{HOME}/{number}/recepisse").text
    page = seat.open(f"{HOME}/{number}/paiement")
    assert 'value="90 11 22 33"' in page.html, "the number of the person, to change"
    assert "Ne demandez jamais le code secret" in page.text
    press(seat, f"{HOME}/{number}/paiement", "payer", payer=payer)
    return seat, number


@pytest.mark.parametrize(
    ("payer", "said"),
    [
        ("90000001", "Paiement reçu"), ("90000002", "solde"), ("90000004", "Le temps est passé"), ("90000005", "Nous vérifions"),
    ],
)  # fmt: skip
def test_the_person_pays_with_their_telephone(visitor: PortalClient, payer: str, said: str) -> None:
    """The four ends are told at the counter as they would be to the person, and lead back to the receipt."""
    seat, number = paying(visitor, payer)
    at = seat.page.address
    assert re.fullmatch(rf"{HOME}/{number}/paiement/[\w-]+", at), at
    later(visitor, seconds=5)
    work_off(visitor.office)
    seat.open(at)
    end = seat.follow()
    assert said in end.text, end.text
    assert f'href="{HOME}/{number}' in end.html
    assert f'href="/dossiers/{number}' not in end.html, "the agent stays at the counter"
    receipt = seat.open(f"{HOME}/{number}/recepisse").text
    assert ("Payé par téléphone" in receipt) is (payer == "90000001")
    dossier = kept(visitor, number)
    with visitor.office.store.unit() as unit:
        (payment,) = unit.payments_of(dossier.id)
        (started,) = [one for one in unit.entries(payment.dossier) if one.kind == "payment_started"]
    assert (payment.method, payment.payer) == ("mobile_money", f"+228{payer}")
    assert (started.actor_kind, started.actor) == ("agent", "ama")
    if payer == "90000001":
        end = seat.open(at)
        assert re.search(r"Q-2026-\d{6}", end.text)
        pdf = re.search(rf'href="({HOME}/{number}/recu/[\w-]+\.pdf)"', end.html)
        assert pdf
        assert seat.open(pdf[1]).response.data[:5] == b"%PDF-"


def test_the_person_confirms_on_their_own_telephone(visitor: PortalClient) -> None:
    seat, number = paying(visitor, "90112233")
    at = seat.page.address
    waiting = seat.open(at)
    assert "La personne confirme sur son téléphone" in waiting.text
    assert "code secret" in waiting.text
    assert f'data-poll="{at}.json"' in waiting.html
    assert seat.open(f"{at}.json").response.json == {"status": "confirm-10", "again": 2}
    assert seat.open(f"{HOME}/{number}/paiement").address == at, "one try at a time"
    dossier = kept(visitor, number)
    with visitor.office.store.unit() as unit:
        (payment,) = unit.payments_of(dossier.id)
    assert visitor.operator.confirm(payment.reference, "1234")
    later(visitor, seconds=5)
    work_off(visitor.office)
    seat.open(at)
    assert "Paiement reçu" in seat.follow().text
    assert kept(visitor, number).state == "cle"
    assert seat.open(f"{HOME}/{number}/paiement").address.startswith(f"{HOME}/{number}/"), "nothing is owed any more"


def test_a_wrong_number_is_said_beside_it(visitor: PortalClient) -> None:
    seat, _ = paying(visitor, "12")
    assert seat.page.status == 422
    assert 'id="payer-e"' in seat.page.html
    assert 'value="12"' in seat.page.html


def test_nothing_is_paid_for_a_draft_nor_for_somebody_elses(visitor: PortalClient) -> None:
    seat = helping(visitor)
    number = begun(seat)
    assert seat.open(f"{HOME}/{number}/paiement").address == f"{HOME}/{number}"
    other = an_agent(visitor, "kossi")
    other.send(HOME, how="paper", family_name="Bawa", given_names="Tchaa", signed="1")
    assert other.open(f"{HOME}/{number}/paiement").status == 404


def test_the_whole_request_is_read_with_the_person(visitor: PortalClient) -> None:
    """Every answer is a sentence, each beside where it is corrected; what is missing is said; then the price and the declaration."""
    seat = helping(visitor)
    number = begun(seat)
    reading = f"{HOME}/{number}/lecture"
    assert "il manque la réponse" in seat.open(reading).text
    other = filled(seat)
    assert other == number, "the draft goes on"
    check = seat.open(f"{HOME}/{number}/verification")
    assert f'href="{reading}"' in check.html
    page = seat.open(reading)
    for said in (
        "Lire avec la personne",
        "AMEGAN.",
        "27 mars 1990.",
        "un papier est joint",
        "Tissus.",
        "5 000",
        "tout est juste",
    ):
        assert said in page.text.replace("\xa0", " ").replace("\u202f", " "), said
    assert page.html.count("data-say=") >= 8
    assert f'href="{HOME}/{number}/demande/vous?retour=verification"' in page.html
    assert "il manque" not in page.text
    assert f'href="{HOME}/{number}/verification"' in page.html
    press(seat, f"{HOME}/{number}/verification", declared="1", confirmed="paper")
    assert seat.open(reading).address == f"{HOME}/{number}/recepisse"


def test_the_citizens_own_check_is_as_it_was(visitor: PortalClient) -> None:
    visitor.sign_in()
    number = visitor.fill()
    assert "Lire avec la personne" not in visitor.open(f"/dossiers/{number}/verification").text


def test_who_lost_their_telephone_asks_for_another_number_and_the_old_one_may_refuse(visitor: PortalClient) -> None:
    afi = visitor.sign_in(PHONE)
    number = afi.sent()
    seat = an_agent(visitor)
    assert f'href="{HOME}/numero"' in seat.open(HOME).html
    assert seat.open(f"{HOME}/numero/piece").address == f"{HOME}/numero", "not before somebody is named"
    wrong = seat.send(f"{HOME}/numero", number=number, former="91000000")
    assert (wrong.status, number in wrong.html) == (422, True)
    assert seat.send(f"{HOME}/numero", number=number, former=PHONE).address == f"{HOME}/numero/piece"
    blank = seat.send(f"{HOME}/numero/piece", phone="9144")
    assert (blank.status, "Dites quelle pièce" in blank.text, "8 chiffres" in blank.text) == (422, True, True)
    seat.send(f"{HOME}/numero/piece", phone="91445566", paper="passport")
    assert seat.page.address == f"{HOME}/numero/code"
    with visitor.office.store.unit() as unit:
        code = unit.letters_to("+22891445566")[-1].body[:6]
    assert seat.send(f"{HOME}/numero/code", code="12").status == 422
    seat.send(f"{HOME}/numero/code", code=code)
    assert "C’est demandé" in seat.follow().text
    seat.send(f"{HOME}/numero", number=number, former=PHONE)
    waits = seat.open(f"{HOME}/numero/piece")
    assert "numéro qui finit par 66" in waits.text
    seat.open(HOME)
    assert seat.open(f"{HOME}/numero/code").address == f"{HOME}/numero", "nothing of it is left in this browser"
    assert "numéro qui finit par 66" in afi.open("/dossiers").text
    assert "numéro qui finit par 66" in afi.open("/compte").text
    afi.post("/compte/telephone/refuser", **afi.page.form())
    assert "Votre numéro est gardé" in afi.follow().text
    assert "Votre numéro va changer" not in afi.page.text


def test_the_office_takes_a_change_of_number_back(visitor: PortalClient) -> None:
    number = visitor.sign_in(PHONE).sent()
    seat = an_agent(visitor)
    asked_for(visitor, seat, number)
    seat.send(f"{HOME}/numero", number=number, former=PHONE)
    press(seat, f"{HOME}/numero/piece", "go")
    assert "Le changement de numéro est annulé" in seat.follow().text
    assert "Votre numéro va changer" not in visitor.open("/compte").text


def asked_for(visitor: PortalClient, seat: PortalClient, number: str) -> None:
    """Another number, up to its code."""
    seat.send(f"{HOME}/numero", number=number, former=PHONE)
    seat.send(f"{HOME}/numero/piece", phone="91445566", paper="passport")
    with visitor.office.store.unit() as unit:
        code = unit.letters_to("+22891445566")[-1].body[:6]
    seat.send(f"{HOME}/numero/code", code=code)


def test_a_colleague_in_the_same_browser_sees_nobody_of_before(visitor: PortalClient) -> None:
    number = visitor.sign_in(PHONE).sent()
    seat = an_agent(visitor)
    seat.send(f"{HOME}/numero", number=number, former=PHONE)
    seat.post("/agent/deconnexion", **seat.open("/agent").form())
    with visitor.office.store.unit(write=True) as unit:
        unit.put_account(Account("koku", "agent", "Koku", "koku", hash_secret("clef"), roles=("mairie/maire",)))
    seat.send("/agent/connexion", login="koku", password="clef")
    assert seat.open(f"{HOME}/numero/piece").address == f"{HOME}/numero"
