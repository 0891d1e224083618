"""What a passport asks of somebody who comes for the first time, on a small phone, with and without scripts: counted from the
home page until it is sent, printed with `-s`. The same for a minor: tests/web/citizen/test_scenario_journeys.py."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from engine.simulation.environment import ScenarioRegister
from tests.web.form_filler import PASSPORT, PASSPORT_EFFORT, FormFiller, within
from tests.web.offline_browser import NARROW
from tests.web.portal import Portal
from tests.web.scenario_journey import ScenarioJourney

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("scripts", [True, False], ids=["js", "no-js"])
def test_a_first_passport_takes_few_screens(browser: Browser, portal: Portal, scripts: bool) -> None:
    context = browser.new_context(viewport=NARROW, java_script_enabled=scripts, locale="fr-FR")  # type: ignore[arg-type]
    procedure = portal.office.catalogue.procedures[PASSPORT]
    story = next(one for one in procedure.scenarios if one.id == "adulte")

    def enters(name: str, desk: bool) -> FormFiller:
        return FormFiller(context.new_page(), portal.url, scripts=scripts)

    walk = ScenarioJourney(portal, ScenarioRegister(), procedure, story, enters, "+22890110077")
    try:
        walk.apply()
    finally:
        context.close()
    print(f"passport, an adult, first time, scripts={scripts}: {walk.sent_after!r}\n  " + "\n  ".join(walk.me.screens))
    assert within(walk.sent_after, PASSPORT_EFFORT), walk.sent_after
    assert not walk.faults(), walk.faults()
