"""The counter in a real browser: a passport asked for with somebody who has a telephone, on a small phone without scripts and at
a desk with them; axe finds nothing."""

from __future__ import annotations

import pytest

from tests.web.browsing import DESK, PHONE, Person
from tests.web.conftest import Enter
from tests.web.portal import Portal
from tests.web.test_journeys import LOCAL, MOBILE, agent, attach, pdf_text

pytestmark = [pytest.mark.browser, pytest.mark.slow]

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
    me.fill(togolais="oui")
    me.press("Continuer")
    me.fill(en_mission="non")
    me.press("Continuer")
    me.press("Commencer")
    me.press("Continuer")
    me.fill(type_demande="premiere", lieu_depot="dgdn_lome")
    me.press("Continuer")
    me.fill(nom="Amegan", prenoms="Afi", sexe="f", date_naissance="1994-03-12", lieu_naissance="Kpalimé")
    me.fill(situation="celibataire")
    me.press("Continuer")
    me.fill(pere="AMEGAN Kodjo", mere="LAWSON Akouvi")
    me.press("Continuer")
    me.fill(taille="168", yeux="marron", profession="Couturière")
    me.press("Continuer")
    me.press("Continuer")
    me.fill(prevenir_nom="AMEGAN Kossi", prevenir_telephone="91 02 03 04")
    me.press("Continuer")
    me.fill(nationalite="certificat")
    attach(me, scripts, "nationalite", "acte_naissance", "cni", "preuve_profession")
    me.press("Continuer")


@pytest.mark.parametrize(("scripts", "viewport"), [(False, PHONE), (True, DESK)], ids=["no-js 360", "js 1280"])
def test_a_passport_at_the_counter(enter: Enter, portal: Portal, scripts: bool, viewport: dict[str, int]) -> None:
    me = enter("dgdn.guichet", viewport, scripts, limit=60_000, looks=scripts)
    me.go("/agent/connexion")
    me.fill(login="dgdn.guichet", password="demo")
    me.press("Se connecter")
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
