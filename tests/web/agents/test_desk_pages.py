"""How many dossiers an agent sees at once, in a real browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.values import new_id
from tests.engine.services.world import PASSPORT
from tests.web.agents.test_staff_pages_in_a_browser import as_agent, sent
from tests.web.conftest import Enter
from tests.web.portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDE = {"width": 1920, "height": 1080}
MOST_HEIGHT, FEWEST_ROWS = 40, 25  # pixels; rows whole on a screen of 1080 lines
ROWS = """rows => rows.map(row => row.getBoundingClientRect()).map(box => [box.top, box.bottom])"""


def test_a_screen_shows_twenty_five_dossiers(enter: Enter, portal: Portal) -> None:
    first = sent(portal, PASSPORT, "+22890110001")
    with portal.office.store.unit(write=True) as unit:
        for n in range(39):
            unit.add_dossier(replace(first, id=new_id(), number=f"27{n:09d}", revision=1))
    agent = as_agent(enter, "dgdn.controleur", "/agent/connexion", WIDE)
    boxes = agent.page.locator("table.dense tbody tr").evaluate_all(ROWS)
    bars = agent.page.locator(".bulk").evaluate_all(ROWS)
    fold = min([WIDE["height"], *(top for top, _ in bars)])
    heights = [bottom - top for top, bottom in boxes]
    banner = agent.page.locator(".demo").evaluate_all(ROWS)  # an installation has none
    whole = sum(bottom <= fold + sum(bottom - top for top, bottom in banner) for _, bottom in boxes)
    print(f"rows of {max(heights):.0f} px at most, {whole} whole")
    assert max(heights) <= MOST_HEIGHT
    assert whole >= FEWEST_ROWS
