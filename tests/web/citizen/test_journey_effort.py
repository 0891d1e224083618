"""What a passport asks of somebody who comes for the first time, on a small phone, with and without scripts: counted from the
home page until the visit is booked, printed with `-s`. Until sent, for a minor: tests/web/citizen/test_scenario_journeys.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Browser

from engine.domain.common.decision import Act
from engine.services.applications.casework import take_transition
from engine.simulation.environment import PAYERS, ScenarioRegister
from tests.web.citizen.test_group_journeys import agent_of
from tests.web.form_filler import ADULT_EFFORT, PASSPORT, TO_THE_VISIT, Effort, FormFiller, within
from tests.web.offline_browser import NARROW
from tests.web.portal import Portal, wait_until
from tests.web.scenario_journey import ScenarioJourney

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AT_NIGHT = pytest.param(True, marks=pytest.mark.nightly("journey"))


class ShortWalk(ScenarioJourney):
    """A person who types no word to search, and waits for the message after sending."""

    def _look_for(self, me: FormFiller) -> None:
        if not me.has(f'main a[href="/demarches/{self.procedure.id}"]'):
            me.tap('main a[href="/demarches?situation=travel"]')

    def _follow(self) -> None:
        assert self.me.path.endswith("/envoye"), self.me.path


@pytest.mark.parametrize("scripts", [AT_NIGHT, False], ids=["js", "no-js"])
def test_a_first_passport_takes_few_screens(browser: Browser, portal: Portal, scripts: bool) -> None:
    context = browser.new_context(viewport=NARROW, java_script_enabled=scripts, locale="fr-FR")  # type: ignore[arg-type]
    procedure = portal.office.catalogue.procedures[PASSPORT]
    story = next(one for one in procedure.scenarios if one.id == "adulte")
    story = replace(story, without=(*story.without, "niu", "signes"))  # optional

    def enters(name: str, desk: bool) -> FormFiller:
        return FormFiller(context.new_page(), portal.url, scripts=scripts)

    walk = ShortWalk(portal, ScenarioRegister(), procedure, story, enters, PAYERS["paid"])
    try:
        walk.apply()
        until_booked = _to_the_visit(portal, walk)
    finally:
        context.close()
    print(
        f"passport, an adult, first time, scripts={scripts}: {walk.sent_after!r} {until_booked!r}\n  "
        + "\n  ".join(walk.me.screens)
    )
    assert within(walk.sent_after, ADULT_EFFORT), walk.sent_after
    assert within(until_booked, TO_THE_VISIT), until_booked
    assert not walk.faults(), walk.faults()


def _to_the_visit(portal: Portal, walk: ScenarioJourney) -> Effort:
    """From the message that asks for the fee to the booked visit; the following page leads on by itself."""
    me, number = walk.me, walk.number
    take_transition(portal.office, agent_of(portal, "dgdn/controleur"), walk.dossier.id, Act("conforme"))
    me.go(f"/d/{number}")
    assert me.path.endswith("/paiement"), me.path
    me.page.locator("[name=provider]").first.check(force=True)
    me.taps += 1
    me.tap("main form .actions button.button")
    wait_until(lambda: not any(one.left for one in walk.dossier.owed.values()))
    me.go(f"/dossiers/{number}/rendez-vous")
    me.tap("main .box.ok button[name=start]")
    assert walk.dossier.bookings["depot"].status == "booked"
    return me.effort()
