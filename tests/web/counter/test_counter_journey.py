"""The counter in a real browser: a passport asked for with somebody who has a telephone, on a small phone without scripts and at
a desk with them; another with somebody who has none, and comes back twice with their receipt; axe finds nothing."""

from __future__ import annotations

import re

import pytest

from tests.web.browser_person import DESK, PHONE, Person
from tests.web.citizen.test_journeys import LOCAL, MOBILE, _ended, agent, asked_again, attach, decide, paper, pdf_text
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AT_NIGHT = pytest.mark.nightly("journey")

HOME = "/agent/guichet"


def agreed(person: Person, portal: Portal) -> None:
    """The person reads their code to the agent."""
    person.go("/agent")
    person.press("Remplir une demande avec une personne")
    person.fill(phone=LOCAL)
    person.press("Lui envoyer le code")
    person.fill(code=portal.code_for(MOBILE))
    person.press("Commencer")
    assert "Vous aidez la personne au 90 12 34 56" in person.page.inner_text(".helping").replace("\u00a0", " ")


def filled(me: Person, scripts: bool) -> None:
    me.press("Passeport ordinaire")
    me.fill(togolais="true", en_mission="false")
    me.press("Continuer")
    me.press("Continuer")
    me.fill(type_demande="premiere", lieu_depot="dgdn_lome")
    me.press("Continuer")
    me.fill(nom="Amegan", prenoms="Afi", sexe="f", date_naissance="1994-03-12", lieu_naissance="Kpalimé")
    me.press("Continuer")
    me.fill(pere="AMEGAN Kodjo", mere="LAWSON Akouvi", situation="celibataire")
    me.fill(prevenir_nom="AMEGAN Kossi", prevenir_telephone="91 02 03 04")
    me.press("Continuer")
    me.fill(taille="168", yeux="marron", profession="Couturière")
    me.press("Continuer")
    if me.page.url.endswith("/demande/contact"):  # of who gave no number
        me.press("Continuer")
    me.fill(nationalite="certificat")
    attach(me, scripts, "nationalite", "acte_naissance", "cni", "preuve_profession")
    me.press("Continuer")


@pytest.mark.parametrize(
    ("scripts", "viewport"),
    [pytest.param(False, PHONE, marks=AT_NIGHT), pytest.param(True, DESK, marks=AT_NIGHT)],
    ids=["no-js 360", "js 1280"],
)
def test_a_passport_at_the_counter(enter: Enter, portal: Portal, scripts: bool, viewport: dict[str, int]) -> None:
    me = enter("dgdn.guichet", viewport, scripts, limit=60_000, looks=scripts)
    seated(me)
    agreed(me, portal)
    filled(me, scripts)
    assert "Vous aidez AMEGAN Afi" in me.page.inner_text(".helping")
    me.fill(declared=True, confirmed="paper")
    me.press("Envoyer ma demande")
    assert me.title == "Récépissé de demande", me.text()
    number = me.page.url.split("/")[-2]
    assert "90 12 34 56" in me.text().replace("\u00a0", " ")
    assert me.sees("Assisté par")
    assert "AMEGAN Afi" in pdf_text(me, f"{HOME}/{number}/recepisse.pdf")
    me.press("Version 80 mm")
    me.page.locator(".helping button").click()
    me.arrived()
    assert me.sees("L’aide est terminée. Vous n’ouvrez plus ce dossier.")
    checker = agent(enter, "dgdn.controleur.2")
    checker.go(f"/agent/dossiers/{number}")
    assert checker.sees("au guichet.")
    me.check()
    checker.check()


def seated(me: Person) -> None:
    me.go("/agent/connexion")
    me.fill(login="dgdn.guichet", password=PASSWORD)
    me.press("Se connecter")


def ended(me: Person) -> None:
    me.page.locator(".helping button").click()
    me.arrived()


def come_back(me: Person, number: str, code: str, paper_says: str) -> None:
    """With the paper they took away."""
    me.go("/agent")
    me.press("Remplir une demande avec une personne")
    me.page.get_by_text("La personne a déjà un récépissé").click()
    me.fill(number=number, code=code)
    me.press("Retrouver la personne")
    assert me.title == paper_says, me.text()


@pytest.mark.parametrize(
    ("scripts", "viewport"), [(False, PHONE), pytest.param(True, DESK, marks=AT_NIGHT)], ids=["no-js 360", "js 1280"]
)
def test_a_passport_of_who_has_no_telephone(
    enter: Enter, portal: Portal, scripts: bool, viewport: dict[str, int]
) -> None:  # fmt: skip
    """Three times at the counter with nothing but the receipt: to ask, to correct, to pay and choose the day."""
    me = enter("dgdn.guichet", viewport, scripts, limit=60_000, looks=scripts)
    seated(me)
    me.press("Remplir une demande avec une personne")
    me.page.get_by_text("La personne n’a pas de téléphone").click()
    me.fill(family_name="AMEGAN", given_names="Afi", signed=True)
    me.press("Commencer")
    filled(me, scripts)
    me.fill(declared=True, confirmed="paper")
    me.press("Envoyer ma demande")
    number = me.page.url.split("/")[-2]
    found = re.search(r"Code de suivi\s+(\d{4} \d{4})", me.text())
    assert found, me.text()
    ended(me)

    checker = asked_again(enter)
    assert not checker.sees("SMS"), "there is nobody to send it to"
    checker.press("Confirmer")
    come_back(me, number, found[1], "Récépissé de demande")
    me.press("Corriger avec la personne")
    assert "nom" not in me.names()
    me.fill(lieu_naissance="Kpalimé, Kloto")
    me.fill(**{"file:cni": paper("cni.jpg")})
    if scripts:
        me.page.wait_for_timeout(500)
    me.press("Enregistrer les corrections")
    me.press("Renvoyer la demande")
    assert me.sees("La vérification reprend.")
    ended(me)

    decide(checker, number, "conforme", "Déclarer conforme")
    come_back(me, number, found[1], "Récépissé de corrections")
    me.press("Payer par téléphone")
    me.fill(provider="flooz", payer="96 00 00 01")
    me.press("Payer 30 000 FCFA")
    wait_until(lambda: _ended(portal, number, "paid"))
    me.go(me.page.url)  # leads on to the visits once the money came
    me.press("Prendre ce créneau")
    assert me.sees("Sans téléphone, la personne ne reçoit pas de rappel.")
    me.press("Récépissé de la demande")
    assert me.sees("Changer le rendez-vous")
    start = portal.dossier(number).bookings["depot"].start
    assert f"{start:%-d}" in pdf_text(me, f"{HOME}/{number}/recepisse.pdf").partition("Rendez-vous")[2][:40]
    ended(me)
    me.check()
    checker.check()
