"""The pages of many dossiers at once in a real browser, small phone and desk: axe finds nothing, nothing scrolls sideways; the
journeys pass without JavaScript too."""

from __future__ import annotations

import pytest

from engine.office import cashier
from engine.office.casework import assign
from engine.records.dossier import Account, Dossier
from tests.engine.office.world import B3
from tests.web.browsing import DESK, Person
from tests.web.conftest import Enter
from tests.web.portal import Portal
from tests.web.test_desk_pages import SMALL, at_desk, sent

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CLERK = "sncja.greffier_en_chef"


def to_sign(portal: Portal, count: int) -> list[Dossier]:
    made = []
    for place in range(count):
        dossier = sent(portal, B3, f"+2289011{place:04}")
        with portal.office.store.unit() as unit:
            owner = unit.account(dossier.owner)
        assert owner is not None
        provider = next(iter(portal.office.providers))
        payer = "+22890000001"
        cashier.start_payment(portal.office, owner.actor(), dossier.id, provider=provider, payer=payer, token="pay")
        made.append(dossier)
    for _ in range(3):
        portal.tour()
    return [portal.dossier(one.number) for one in made]


def clerk(portal: Portal) -> Account:
    with portal.office.store.unit() as unit:
        found = unit.account_of("agent", CLERK)
    assert found is not None
    return found


def signs_two(person: Person) -> None:
    """Ticks two dossiers of the list, previews, confirms."""
    person.go("/agent?file=tous&etape=signature&demarche=" + B3)
    for place in range(2):
        person.page.locator("input[name=dossier]").nth(place).check()
    person.press("Traiter les dossiers cochés")
    person.press("Voir ce qui sera fait")
    person.press("Confirmer pour 2 dossiers")
    assert person.sees("Terminé : 2 dossiers faits.")


@pytest.mark.parametrize("viewport", [SMALL, DESK], ids=["320", "1280"])
def test_every_page_of_many_dossiers(enter: Enter, portal: Portal, viewport: dict[str, int]) -> None:
    some = to_sign(portal, 4)
    assert {one.state for one in some} == {"signature"}
    person = at_desk(enter, CLERK, "/agent/connexion", viewport)
    signs_two(person)
    person.go("/agent?file=tous")
    person.press("Télécharger cette liste (CSV)")
    assert person.sees("C’est prêt")
    for path in ("/agent/ordres", "/agent/modeles", f"/agent/dossiers/{some[0].number}/messages"):
        person.go(path)
    person.check()

    who = clerk(portal).actor()
    for one in some[2:]:
        assign(portal.office, who, portal.dossier(one.number).id, who.id)
    chief = at_desk(enter, "administration", "/agent/connexion", viewport)
    chief.go("/agent/modeles/nouveau")
    chief.fill(title="Photo", body="Bonjour {nom}")
    chief.press("Garder cette version")
    assert chief.sees("« nom »")
    for path in ("/agent/equipe", f"/agent/equipe/{who.id}/dossiers"):
        chief.go(path)
    chief.press("Voir ce qui sera fait")
    chief.press("Confirmer pour 2 dossiers")
    chief.check()

    auditor = at_desk(enter, "controle", "/audit/connexion", viewport)
    for path in (
        "/audit/evenements",
        "/audit/evenements?question=bulk",
        "/audit/evenements?question=night&type=issued",
    ):
        auditor.go(path)
    auditor.go("/audit/evenements?question=bulk")
    auditor.press("Préparer le fichier complet")
    for path in ("/audit/mes-consultations", "/audit/ordres"):
        auditor.go(path)
    auditor.check()


def test_two_dossiers_are_signed_at_once_without_javascript(enter: Enter, portal: Portal) -> None:
    some = to_sign(portal, 3)
    person = at_desk(enter, CLERK, "/agent/connexion", SMALL, scripts=False)
    signs_two(person)
    states = sorted(portal.dossier(one.number).state for one in some)
    assert states == ["a_retirer", "a_retirer", "signature"]
    person.check()
