"""The two procedures from the home page to the verified document, by a citizen, agents and an auditor, in a real browser.

Each runs with and without JavaScript, at night. By day `test_scenario_journeys` walks others in each of these ways. axe looks at every page reached; every page is weighed; screens are counted.
"""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from engine.journal.chain import read_export, verify_export
from tests.web.browser_person import DESK, PHONE, Person
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal, photograph, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOBILE, LOCAL = "+22890123456", "90 12 34 56"
MOST_SCREENS = 17
MOST_TO_CORRECT = 6  # screens, from the link of the SMS to the two points sent back
AT_NIGHT = pytest.mark.nightly("journey")


def paper(name: str = "photo.jpg") -> dict[str, object]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": photograph()}


def sign_in(person: Person, portal: Portal) -> None:
    person.fill(phone=LOCAL)
    person.press("Recevoir le code")
    portal.tour()
    person.fill(code=portal.code_for(MOBILE), keep=True)
    person.press("Continuer")


def attach(person: Person, scripts: bool, *fields: str) -> None:
    """Chooses a photo for each piece. With scripts they leave by themselves; without, with « Continuer »."""
    for received, field in enumerate(fields, start=1):
        person.fill(**{f"file:{field}": paper()})
        if scripts:
            expect(person.page.locator("main [name=detach]")).to_have_count(received, timeout=15_000)


def agent(enter: Enter, login: str, viewport: dict[str, int] = DESK) -> Person:
    person = enter(login, viewport, limit=60_000)
    person.go("/agent/connexion")
    person.fill(login=login, password=PASSWORD)
    person.press("Se connecter")
    return person


def decide(person: Person, number: str, act: str, label: str, **answers: object) -> None:
    """From the dossier: the act, what it asks, its preview, and yes."""
    person.go(f"/agent/dossiers/{number}")
    person.follow(f'.acts a[href$="/acte/{act}"]')
    if person.page.locator('button[value="preview"]').count():
        person.fill(**answers)
        person.agree()
        person.press("Voir avant d’envoyer")
    person.press("Confirmer")
    assert not person.page.locator(".error").count(), person.text()


def pdf_text(person: Person, path: str) -> str:
    response = person.page.request.get(person.url + path)
    assert response.status == 200
    assert response.headers["content-type"] == "application/pdf"
    assert len(response.body()) < 150_000
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(response.body())).pages)


def audit(enter: Enter, portal: Portal, number: str, tmp_path: Path) -> None:
    """The auditor says why, sees the chain hold, and verifies its export without us; one changed sign is found."""
    auditor = enter("auditor", DESK, limit=60_000)
    auditor.go("/audit/connexion")
    auditor.fill(login="controle", password=PASSWORD)
    auditor.press("Se connecter")
    auditor.go(f"/audit/dossiers/{number}")
    auditor.fill(motive="Contrôle annuel des dossiers")
    auditor.press("Lire le journal")
    assert "vérifi" in auditor.text().lower()
    link = auditor.page.locator('a[href*="journal.json"]').first.get_attribute("href") or ""
    exported = auditor.page.request.get(portal.url + link).body()
    assert verify_export(read_export(exported)) is None
    tampered = json.loads(exported)
    tampered["entries"][2]["actor"] = "somebody else"
    found = verify_export(read_export(json.dumps(tampered).encode()))
    assert found is not None
    assert found.n == 3
    auditor.check()


@AT_NIGHT
@pytest.mark.parametrize("scripts", [True, False], ids=["js", "no-js"])
def test_passport(enter: Enter, portal: Portal, scripts: bool, tmp_path: Path) -> None:
    me = enter("citizen", PHONE, scripts, looks=scripts)
    number = apply_for_passport(me, portal, scripts)
    assert len(me.screens) <= MOST_SCREENS, me.screens
    assert me.sees("En vérification")
    correct_once(enter, portal, me, number, scripts)
    checker = agent(enter, "dgdn.controleur")
    decide(checker, number, "conforme", "Déclarer conforme")
    pay_after_a_failure(me, portal, number)
    booked = book_first(me, number)
    portal.move_to(portal.dossier(number).bookings[booked].start)
    counter = agent(enter, "dgdn.guichet", PHONE)
    day = portal.dossier(number).bookings[booked].start
    counter.go(f"/agent/rendez-vous/{day:%Y-%m-%d}")
    counter.press("Sur place")
    counter.press("Reçu")
    counter.press("Noter « Reçu »")
    decide(counter, number, "originaux_conformes", "Originaux conformes")
    maker = agent(enter, "dgdn.production")
    expires = f"{portal.clock.now() + timedelta(days=1_800):%Y-%m-%d}"
    decide(maker, number, "fabriquer", "Passeport fabriqué", numero_livret="EB123456", livret_expire=expires)
    shown = {"remis_a": "titulaire", "piece_presentee": "Récépissé de la demande"}
    decide(counter, number, "remettre", "Remettre en main propre", **shown)
    me.go(f"/dossiers/{number}")
    verify_document(me, portal, number, "passeport", "AMEGAN")
    audit(enter, portal, number, tmp_path)
    for person in (me, checker, counter, maker):
        person.check()


def apply_for_passport(me: Person, portal: Portal, scripts: bool) -> str:
    me.go("/demarches?q=passeport")
    me.press("Passeport ordinaire")
    me.press("Commencer ma demande")
    me.fill(togolais="true", en_mission="false")
    me.press("Continuer")
    sign_in(me, portal)
    me.fill(type_demande="premiere", lieu_depot="dgdn_lome")
    me.press("Continuer")
    me.fill(nom="Amegan", prenoms="Afi", sexe="f", date_naissance="1994-03-12", lieu_naissance="Kpalimé")
    me.press("Continuer")
    me.fill(pere="AMEGAN Kodjo", mere="LAWSON Akouvi", situation="celibataire")
    me.fill(prevenir_nom="AMEGAN Kossi", prevenir_telephone="91 02 03 04")
    me.press("Continuer")
    me.fill(taille="168", yeux="marron", profession="Couturière")
    me.press("Continuer")
    me.fill(nationalite="certificat")
    attach(me, scripts, "nationalite", "acte_naissance", "cni", "preuve_profession")
    me.press("Continuer")
    assert me.sees("30 000 FCFA")
    assert me.sees("AMEGAN")
    me.fill(declared=True)
    me.press("Envoyer ma demande")
    assert me.title == "Votre demande est envoyée"
    me.press("Suivre mon dossier")
    return me.page.url.rsplit("/", 1)[1]


def asked_again(enter: Enter) -> Person:
    """An agent asks two fields again, in five clicks from the list."""
    checker = agent(enter, "dgdn.controleur.2")
    checker.page.get_by_role("link", name="AMEGAN Afi").click()
    checker.arrived()
    checker.page.locator('[name="act-field"][value="cni"]').check(force=True)
    checker.page.locator('[name="act-field"][value="lieu_naissance"]').check(force=True)
    checker.fill(**{"act-why-cni": "La photo est floue.", "act-why-lieu_naissance": "Écrire comme sur l’acte."})
    checker.follow(".acts button[form=act]")
    return checker


def correct_once(enter: Enter, portal: Portal, me: Person, number: str, scripts: bool) -> None:
    """An agent asks two fields again; the citizen changes these and no other."""
    checker = asked_again(enter)
    assert checker.sees("SMS")
    checker.press("Confirmer")
    me.screens.clear()
    me.go(f"/dossiers/{number}")
    assert me.sees("La photo est floue.")
    me.press("Corriger mon dossier")
    assert "nom" not in me.names()
    me.fill(lieu_naissance="Kpalimé, Kloto", **{"file:cni": paper("cni.jpg")})
    if scripts:
        me.page.wait_for_timeout(500)
    me.press("Enregistrer")
    me.press("Renvoyer mon dossier")
    print(f"two points corrected, from the SMS: {len(me.screens)} screens")
    assert len(me.screens) <= MOST_TO_CORRECT, me.screens
    assert portal.dossier(number).answers["lieu_naissance"] == "Kpalimé, Kloto"
    checker.check()


def pay_after_a_failure(me: Person, portal: Portal, number: str) -> None:
    """The first number has no money, the second pays; the receipt is a light PDF."""
    me.go(f"/dossiers/{number}")
    me.press("Payer")
    me.fill(provider="mixx", payer="90 00 00 02")
    me.press("Payer 30 000 FCFA")
    wait_until(lambda: _ended(portal, number, "failed"))
    me.go(me.page.url)
    assert me.sees("Rien n’a été débité")
    me.press("Payer avec un autre numéro")
    me.fill(provider="flooz", payer="96 00 00 01")
    me.press("Payer 30 000 FCFA")
    wait_until(lambda: _ended(portal, number, "paid"))
    me.go(f"/dossiers/{number}")
    link = me.page.locator('a[href*="/recu/"]').first.get_attribute("href") or ""
    text = pdf_text(me, link)
    assert "30 000" in text.replace("\u00a0", " ").replace("\u202f", " ")
    assert portal.dossier(number).owed["quittance_passeport"].paid == 30_000


def _ended(portal: Portal, number: str, status: str) -> bool:
    dossier = portal.dossier(number)
    with portal.office.store.unit() as unit:
        return any(one.status == status for one in unit.payments_of(dossier.id))


def book_first(me: Person, number: str) -> str:
    """Takes the first free slot, on one of the days of the definition, and an entry for the calendar."""
    me.go(f"/dossiers/{number}")
    me.press("Prendre rendez-vous")
    me.press("Prendre ce créneau")
    assert me.sees("Votre rendez-vous est confirmé"), "the first slot is booked at once"
    me.go(f"/dossiers/{number}/rendez-vous")
    calendar = me.page.locator('a[href*=".ics"]').first.get_attribute("href") or ""
    body = me.page.request.get(me.url + calendar).text()
    assert "BEGIN:VEVENT" in body
    return "depot"


def verify_document(me: Person, portal: Portal, number: str, output: str, holder: str) -> None:
    """The document opens; its QR address says what it says, its printed code that it is authentic; another is unknown."""
    document = next(one for one in portal.dossier(number).documents if one.output == output)
    text = pdf_text(me, f"/dossiers/{number}/documents/{document.id}.pdf")
    assert document.number in text
    assert holder in text
    assert document.paper is not None
    me.go(f"/V/{document.token}")
    assert me.sees("En cours de validité")
    assert me.sees(holder), "who scans the paper has it in hand"
    me.go("/v")
    me.fill(code=document.code)
    me.press("Vérifier")
    assert me.sees("Document authentique")
    assert not me.sees(holder), "the page of the digits masks the holder"
    me.go("/v/000000000000")
    assert me.sees("Document inconnu")


@AT_NIGHT
@pytest.mark.parametrize("scripts", [True, False], ids=["js", "no-js"])
def test_criminal_record(enter: Enter, portal: Portal, scripts: bool, tmp_path: Path) -> None:
    """Paid at once, asked of the register, a namesake checked by one agent, signed by another, sent by post."""
    me = enter("citizen", PHONE, scripts, looks=scripts)
    number = apply_for_record(me, portal, scripts)
    wait_until(lambda: portal.dossier(number).state == "controle")
    first = agent(enter, "sncja.greffier_en_chef")
    decide(first, number, "verifier", "Rendre la vérification", meme_personne="false")
    reader = agent(enter, "sncja.agent_traitement")
    decide(reader, number, "comparer", "La pièce est comparée")
    first.go(f"/agent/dossiers/{number}")
    assert not first.page.locator('.acts a[href$="/acte/signer"]').count(), "four eyes"
    second = agent(enter, "sncja.greffier_en_chef.2")
    decide(second, number, "signer", "Signer le bulletin")
    assert portal.dossier(number).state == "expedie"
    me.go(f"/dossiers/{number}")
    assert me.sees("Accepté")
    document = portal.dossier(number).documents[0]
    assert document.number in pdf_text(me, f"/dossiers/{number}/documents/{document.id}.pdf")
    portal.move_to(portal.clock.now() + timedelta(days=100))
    me.go(f"/v/{document.token}")
    assert me.sees("n’est plus valable"), me.text()
    audit(enter, portal, number, tmp_path)
    for person in (me, first, reader, second):
        person.check()


def apply_for_record(me: Person, portal: Portal, scripts: bool) -> str:
    me.go("/demarches/casier-judiciaire-b3")
    me.press("Commencer ma demande")
    me.fill(etranger="false")
    me.press("Continuer")
    sign_in(me, portal)
    me.fill(qualite="physique")
    me.press("Continuer")
    me.fill(nom="Gbekou", prenoms="Komi Selom", sexe="m", date_naissance="1984-02-17", lieu_naissance="Lomé")
    me.press("Continuer")
    me.fill(pere="MENSAH Yao", mere="KOUDJO Ama")
    me.press("Continuer")
    me.press("Continuer")
    me.fill(motif="emploi")
    me.press("Continuer")
    me.fill(mode_retrait="poste", centre="casier_lome")
    if scripts:
        me.fill(adresse_postale="BP 12 Lomé")
        me.press("Continuer")
    else:  # the question that opens is asked on the next display
        me.press("Continuer")
        me.fill(adresse_postale="BP 12 Lomé")
        me.press("Continuer")
    me.fill(justificatif="acte_naissance")
    attach(me, scripts, "justificatif")
    me.press("Continuer")
    assert me.sees("2 000 FCFA")
    me.fill(declared=True)
    me.press("Envoyer ma demande")
    number = me.page.url.split("/dossiers/")[1].split("/")[0]
    assert me.sees("Votre demande est envoyée")
    me.press("Payer 2 000 FCFA")
    me.fill(provider="mixx", payer="90 00 00 01")
    me.press("Payer 2 000 FCFA")
    return number


def test_a_foreigner_is_sent_elsewhere(enter: Enter, portal: Portal) -> None:
    """Stopped before the form, with why, and never as an error."""
    me = enter("foreigner")
    me.go("/demarches/casier-judiciaire-b3/verifier")
    me.fill(etranger="true")
    me.press("Continuer")
    assert me.sees("attestation de condamnation ou de non-condamnation")
    assert not me.page.locator(".error").count()
    me.check()


def test_public_pages(enter: Enter, portal: Portal) -> None:
    """What anybody may read, every sheet."""
    viewport = PHONE
    me = enter("reader", viewport)
    slugs = [procedure.id for procedure in portal.office.catalogue.all()]
    pages = ["/", "/demarches", "/demarches?q=pasport", "/connexion", "/suivi", "/v", "/aide", "/donnees",
             "/accessibilite", "/nulle-part", *(f"/demarches/{slug}" for slug in slugs)]  # fmt: skip
    for path in pages:
        me.go(path)
    me.check()
    reader = enter("jurist", viewport, limit=60_000)
    reader.go("/agent/connexion")
    reader.go("/audit/connexion")
    for slug in slugs[::5]:  # those of the others are made of the same pieces
        reader.go(f"/demarches/{slug}/historique")
        reader.go(f"/demarches/{slug}/definition")
        reader.go(f"/demarches/{slug}/circuit")
    reader.go("/donnees-ouvertes")
    reader.go(f"/demarches/{slugs[0]}/compare/1...1")
    reader.go(f"/demarches/{slugs[0]}/definition?version=999")
    reader.check()
