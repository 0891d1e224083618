"""A passport again, by somebody the service knows, in a real browser: screens, taps and fields typed are counted from the
home page, their phone being theirs for thirty days. axe looks at every page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engine.services.world import PASSPORT
from tests.web.agents.test_staff_pages_in_a_browser import sent
from tests.web.browser_person import DESK, PHONE
from tests.web.conftest import Enter
from tests.web.portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOBILE, LOCAL = "+22890123456", "90 12 34 56"
SMALL = {"width": 320, "height": 640}
MOST_SCREENS = 10


@pytest.mark.parametrize(
    ("viewport", "scripts"),
    [
        (PHONE, True),
        *(pytest.param(*way, marks=pytest.mark.nightly("journey")) for way in ((DESK, True), (SMALL, False))),
    ],
    ids=["360", "1280", "320-no-js"],
)
def test_a_renewal_by_somebody_known(enter: Enter, portal: Portal, viewport: dict[str, int], scripts: bool) -> None:
    sent(portal, PASSPORT, MOBILE, prenoms="Kossi")  # for their child
    earlier = sent(portal, PASSPORT, MOBILE)
    portal.move_to(portal.clock.now() + timedelta(days=400))
    me = enter("citizen", viewport, scripts, looks=scripts)
    me.go("/connexion")
    me.fill(phone=LOCAL)
    me.press("Recevoir le code")
    portal.tour()
    me.fill(code=portal.code_for(MOBILE), keep=True)
    me.press("Continuer")
    me.screens.clear()

    me.go("/")
    me.go(f"/demarches/{PASSPORT}")
    me.press("Commencer ma demande")
    me.fill(togolais="true", en_mission="false")
    me.press("Continuer")
    assert me.sees("pour AMEGAN Kossi (Passeport ordinaire")
    me.press("Reprendre mes réponses pour AMEGAN Afi")
    assert me.sees("Étape 1 sur 7 au plus (5 déjà remplies)"), me.text()
    me.fill(type_demande="renouvellement")
    me.press("Continuer")
    me.fill(ancien_expiration=f"{portal.clock.now() + timedelta(days=40):%Y-%m-%d}")  # the one field to type
    me.press("Continuer")
    assert me.title == "Vérifiez, puis envoyez", me.text()
    assert me.sees("Pièce remise le")
    assert me.sees("Repris du")
    me.fill(declared=True)
    me.press("Envoyer ma demande")
    assert me.title == "Votre demande est envoyée"
    print(f"a passport again, somebody known: {len(me.screens)} screens, one field typed")
    assert len(me.screens) <= MOST_SCREENS, me.screens

    number = me.page.url.split("/dossiers/")[1].split("/")[0]
    kept = portal.dossier(number)
    assert kept.answers["nom"] == earlier.answers["nom"]
    assert {one.sha256 for one in kept.attachments} == {one.sha256 for one in earlier.attachments}
    me.check()
