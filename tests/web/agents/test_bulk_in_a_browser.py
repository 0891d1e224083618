"""Many dossiers at once in a real browser, without JavaScript. Every page of theirs: `test_every_page.py`."""

from __future__ import annotations

import pytest

from engine.domain.common.decision import Act
from engine.records.dossier import Dossier
from engine.services.applications.casework import take_transition
from tests import worker
from tests.engine.services.world import B3, every_piece_agrees
from tests.web.agents.test_staff_pages_in_a_browser import SMALL, as_agent, sent
from tests.web.browser_person import Person
from tests.web.citizen.test_group_journeys import agent_of
from tests.web.conftest import Enter
from tests.web.portal import Portal

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
        worker.start_payment(portal.office, owner.actor(), dossier.id, provider=provider, payer=payer, token="pay")
        made.append(dossier)
    for _ in range(3):
        portal.tour()
    return [compared(portal, portal.dossier(one.number)) for one in made]


def compared(portal: Portal, dossier: Dossier) -> Dossier:
    """An agent of the centre finds that the piece says what was typed."""
    reader = agent_of(portal, "sncja/agent_traitement")
    same = every_piece_agrees(portal.office, dossier, reader, "comparer")
    return take_transition(portal.office, reader, dossier.id, Act("comparer", compared=same))


def signs_two(person: Person) -> None:
    """Ticks two dossiers of the list, previews, confirms."""
    person.go("/agent?file=tous&etape=signature&demarche=" + B3)
    for place in range(2):
        person.page.locator("input[name=dossier]").nth(place).check()
    person.press("Traiter les dossiers cochés")
    person.press("Voir ce qui sera fait")
    person.press("Confirmer pour 2 dossiers")
    assert person.sees("Terminé : 2 dossiers faits.")


def test_two_dossiers_are_signed_at_once_without_javascript(enter: Enter, portal: Portal) -> None:
    some = to_sign(portal, 3)
    person = as_agent(enter, CLERK, "/agent/connexion", SMALL, scripts=False)
    signs_two(person)
    states = sorted(portal.dossier(one.number).state for one in some)
    assert states == ["a_retirer", "a_retirer", "signature"]
    person.check()
