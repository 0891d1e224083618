"""A family of four asks for visas in English, in a real browser without scripts: no page speaks French unless it says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from engine.domain.common.decision import Act
from engine.services.applications.casework import take_transition
from tests.web.browser_person import DESK, Person
from tests.web.citizen.test_group_journeys import agent_of, soon
from tests.web.citizen.test_journeys import LOCAL, MOBILE, paper, pdf_text
from tests.web.conftest import Enter
from tests.web.page_language import FRENCH, french_in
from tests.web.portal import PASSWORD, Portal, decide_visa, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FAMILY = (
    ("Lee", "Anna", "1990-05-01", "fra"),
    ("Lee", "Marc", "1988-07-14", "fra"),
    ("Lee", "Tom", "2018-01-01", "fra"),
    ("Dossou", "Afi", "1960-02-03", "ben"),
)


class Reader:
    """Somebody who reads English: what each page says otherwise is noted."""

    def __init__(self, me: Person) -> None:
        self.me, self.french = me, list[str]()

    def go(self, path: str) -> None:
        self.me.go(path)
        self._read()

    def press(self, text: str) -> None:
        self.me.press(text)
        self._read()

    def _read(self) -> None:
        where = self.me.page.url.removeprefix(self.me.url)
        self.french += [f"{where}: {words}" for words in french_in(self.me.page.content())]

    def issued(self, path: str) -> str:
        """A document issued to them: in French, with its translation."""
        said = pdf_text(self.me, path)
        assert "Courtesy translation; the French text prevails." in said
        return said

    def pdf(self, path: str) -> str:
        said = pdf_text(self.me, path)
        self.french += [f"{path}: {line}" for line in said.splitlines() if FRENCH.search(line)]
        return said


@pytest.mark.nightly("journey")
def test_visas_for_a_family_in_english(enter: Enter, portal: Portal) -> None:
    me = enter("family", scripts=False, looks=False)
    reader = Reader(me)
    number = apply(reader, portal)
    pay(reader, portal, number)
    officer, chief = agent_of(portal, "dgdn/immigration"), agent_of(portal, "dgdn/chef_visas")
    dossier = portal.dossier(number)
    assert dossier.language == "en"
    desk = ask_for_more(enter, number)
    correct(reader, number)
    refused = {"accorde": False, "raison_refus": "Passport reported stolen"}
    for row, answers in enumerate(({"accorde": True}, refused, {"accorde": True}, {"accorde": True})):
        decide_visa(portal.office, officer, portal.dossier(number), row, answers)
    take_transition(portal.office, chief, dossier.id, Act("signer"))
    portal.tour()
    collect(reader, portal, number)
    around(reader)
    told = [message for message in portal.messages(MOBILE) if FRENCH.search(message)]
    assert reader.french + desk.french + told == []


def apply(reader: Reader, portal: Portal, enters: Callable[[Reader, Portal], None] | None = None) -> str:
    """The whole form, sent; signed in by telephone unless it `enters` otherwise."""
    me = reader.me
    me.go("/demarches/e-visa")
    me.page.get_by_role("link", name="English").first.click()
    me.arrived()
    reader.go("/")
    reader.go("/demarches?q=visa")
    reader.go("/demarches/e-visa")
    reader.press("Start now")
    reader.press("Continue")
    assert me.sees("Answer yes or no") or me.sees("Choose an answer")
    me.fill(tous_cedeao="false", travail="false")
    reader.press("Continue")
    (enters or sign_in)(reader, portal)
    assert me.sees("Step 1 of 4")
    reader.press("Continue")
    assert me.sees("There are 6 errors to correct")
    me.fill(motif="affaires", mode="ordinaire", duree="jours_15", entrees="une")
    me.fill(date_entree=soon(portal, 3), date_sortie=soon(portal, 33))
    reader.press("Continue")
    assert me.sees("Apply at least 7 days before entry. The first possible date is")
    assert me.sees("The stay is longer than the visa chosen.")
    me.fill(duree="jours_30", date_entree=soon(portal, 17), date_sortie=soon(portal, 27))
    reader.press("Continue")
    me.fill(poste="lome_aeroport", adresse_togo="Lagoon Hotel", courriel="a.lee")
    reader.press("Continue")
    assert me.sees("The e-mail address must look like name@example.com")
    me.fill(courriel="a.lee@example.org")
    me.page.locator('[name="vol"]').fill("KP021")
    reader.press("Continue")
    reader.press("Continue")
    assert me.sees("“Travellers”: add at least 1")
    for at, one in enumerate(FAMILY):
        add_traveller(reader, at, *one)
    reader.press("Continue")
    me.fill(hebergement="hotel")
    for field in ("hebergement", "billet", "mission"):
        me.fill(**{f"file:{field}": paper()})
    reader.press("Continue")
    number = me.page.url.split("/dossiers/")[1].split("/")[0]
    assert me.sees("135,000 FCFA")
    assert me.sees("Travellers: DOSSOU Afi")
    reader.go(f"/dossiers/{number}/demande")
    reader.go("/dossiers")
    reader.go("/")
    reader.go(f"/dossiers/{number}/verification")
    reader.press("Send my application")
    assert me.sees("Tick the box to certify your answers")
    me.fill(declared=True)
    reader.press("Send my application")
    assert me.sees("Your application has been sent")
    reader.go(f"/dossiers/{number}/paiement")
    return number


def sign_in(reader: Reader, portal: Portal) -> None:
    me = reader.me
    me.fill(phone="12")
    reader.press("Get the code")
    me.fill(phone=LOCAL)
    reader.press("Get the code")
    portal.tour()
    me.fill(code="000000")
    reader.press("Continue")
    me.fill(code=portal.code_for(MOBILE), keep=True)
    reader.press("Continue")


def add_traveller(reader: Reader, at: int, nom: str, prenoms: str, born: str, country: str) -> None:
    """One screen: who they are, and their papers; the paper of a minor is asked for once the date of birth is known."""
    me, row = reader.me, f"voyageurs.{at}"
    reader.press("Add: Travellers")
    if at == 0:
        reader.press("Continue")
        assert me.sees("Enter “Surname”")
    me.fill(**{
        f"{row}.nom": nom, f"{row}.prenoms": prenoms, f"{row}.date_naissance": born, f"{row}.nationalite": country,
        f"{row}.profession": "Photographer", f"{row}.passeport": f"EB10000{at}", f"{row}.expiration": "2034-01-01",
    })  # fmt: skip
    for name in ("copie_passeport", "photo", "vaccin"):
        me.fill(**{f"file:{row}.{name}": paper()})
    reader.press("Continue")
    if born.startswith("2018"):
        me.fill(**{f"file:{row}.autorisation_enfant": paper()})
        reader.press("Continue")
    assert me.sees(f"{nom.upper()} {prenoms}")


def pay(reader: Reader, portal: Portal, number: str) -> None:
    """Once with an empty balance, once for good."""
    me = reader.me
    me.fill(provider="mixx", payer="90 00 00 02")
    reader.press("Pay 135,000 FCFA")
    portal.tour()
    reader.go(f"/dossiers/{number}/paiement")
    me.fill(provider="mixx", payer="90 00 00 01")
    reader.press("Pay 135,000 FCFA")
    wait_until(lambda: portal.dossier(number).state == "instruction")
    reader.go(f"/dossiers/{number}")
    assert me.sees("An officer is checking your application")
    receipt = me.page.locator('a[href*="/recu/"]').last.get_attribute("href") or ""
    assert "One hundred and thirty-five thousand" in reader.pdf(receipt)
    assert "Photographer" in reader.pdf(f"/dossiers/{number}/recapitulatif.pdf")


def ask_for_more(enter: Enter, number: str) -> Reader:
    """An officer who reads English: the list, the application, what is asked again, its preview."""
    desk = Reader(enter("officer", DESK, scripts=False, looks=False, limit=60_000))
    me = desk.me
    desk.go("/agent/connexion?lang=en")
    me.fill(login="dgdn.immigration", password=PASSWORD)
    desk.press("Sign in")
    for path in ("/agent?file=a-prendre", "/agent?file=tous", "/agent/rendez-vous", f"/agent/dossiers/{number}"):
        desk.go(path)
    me.page.locator('[name="act-field"][value="billet"]').check(force=True)
    desk.press("Ask for more documents")
    assert me.sees("Write what is wrong, for “")
    me.fill(**{"act-why-billet": "The ticket cannot be read."})
    desk.press("See before you send")
    assert me.sees("Text message to")
    desk.press("Confirm and move to “More documents requested”")
    return desk


def correct(reader: Reader, number: str) -> None:
    me = reader.me
    reader.go(f"/dossiers/{number}")
    assert me.sees("We need 1 thing from you")
    reader.press("Correct my application")
    me.fill(**{"file:billet": paper()})
    reader.press("Save my corrections")
    reader.press("Send my application again")
    assert me.sees("Your corrections have been sent.")


def collect(reader: Reader, portal: Portal, number: str) -> None:
    me = reader.me
    reader.go(f"/dossiers/{number}")
    assert me.sees("Granted: 3 of 4.")
    for link in me.page.locator('main a[href$=".pdf"]').all():
        path = link.get_attribute("href") or ""
        (reader.issued if "/documents/" in path else reader.pdf)(path)
    visa = me.page.locator(".rows li", has_text="LEE Tom").get_by_role("link").first.get_attribute("href") or ""
    reader.go(visa)
    assert me.sees("Code to dictate")
    assert "Valid until" in reader.issued(f"{visa}.pdf")
    dossier = portal.dossier(number)
    assert portal.clock.now() - dossier.created_at < timedelta(days=1)
    code = next(iter(dossier.documents)).code
    reader.go(f"/v/{code}")
    assert me.sees("Genuine document")


def around(reader: Reader) -> None:
    """The pages beside the journey."""
    for path in (
        "/suivi",
        "/v",
        "/aide",
        "/donnees",
        "/accessibilite",
        "/nowhere",
        "/_boite",
        "/_operateur",
        "/deconnexion",
    ):
        reader.go(path)
