"""What a passport asks of somebody who comes for the first time, on a small phone, with and without scripts: counted from the
home page until the visit is booked, printed with `-s`. Until sent, for a minor: tests/web/citizen/test_scenario_journeys.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from engine.domain.common.decision import Act
from engine.records.people import Session
from engine.services.applications.casework import take_transition
from engine.services.applications.messages import write_message
from engine.services.keys.secrets import new_token, token_digest
from engine.simulation.environment import PAYERS, ScenarioRegister
from server import Settings, create_app
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.world import a_world
from tests.web.citizen.test_group_journeys import agent_of
from tests.web.form_filler import ADULT_EFFORT, PASSPORT, TO_THE_VISIT, Effort, FormFiller, within
from tests.web.live_site import listening
from tests.web.offline_browser import NARROW
from tests.web.portal import Portal, wait_until
from tests.web.scenario_journey import ScenarioJourney

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AT_NIGHT = pytest.param(True, marks=pytest.mark.nightly("journey"))


# pixels at 360: the check as drawn, without the line that says it is a demonstration; the sheet has the form to bring and the time
# to pay besides (3,092 as drawn)
CHECK_HEIGHT, SHEET_HEIGHT = 3129, 3240
_HEIGHT = "document.documentElement.offsetHeight - document.querySelector('.demo').offsetHeight"


def _height(page: Page) -> int:
    page.set_viewport_size({"width": 360, "height": 640})
    return int(page.evaluate(_HEIGHT))


class ShortWalk(ScenarioJourney):
    """A person who types no word to search, and waits for the message after sending."""

    heights: tuple[int, int] = (0, 0)  # of the page to check and of the sheet, before the request is sent

    def _send(self) -> None:
        sheet = self.me.page.context.new_page()
        sheet.goto(f"{self.portal.url}/demarches/{self.procedure.id}")
        assert sheet.locator("main a.button").get_attribute("href") == self.me.path.replace("verification", "demande")
        self.heights = (_height(self.me.page), _height(sheet))
        self.me.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        sheet.close()
        super()._send()

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
    check, sheet = walk.heights
    print(f"  heights at 360: check {check}, sheet {sheet}")
    assert check <= CHECK_HEIGHT
    assert sheet <= SHEET_HEIGHT


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


def test_the_page_of_a_dossier_is_short_and_says_first_what_to_do(browser: Browser, tmp_path: Path) -> None:
    """A visit is booked and eight messages came: `citizen.md` allows 2,600 pixels, and 600 above what there is to do.
    It says what to bring, and the receipt is one of the documents."""
    world = a_world(tmp_path)
    dossier = world.booked(to_book(world), "depot")
    for number in range(8):
        world.wait(hours=2)
        text = f"Message {number} : gardez vos originaux."
        write_message(world.office, world.agent("checker", "dgdn/controleur"), dossier.id, text, token=new_token())
    with listening() as listener:
        settings = Settings(data=tmp_path, secret="test", base_url=listener.address)
        listener.serves(create_app(settings, world.office))
        token, now = new_token(), world.office.now()
        with world.office.store.unit(write=True) as unit:
            unit.put_session(Session(token_digest(token), world.owner(dossier).id, now, now, now + timedelta(days=1)))
        context = browser.new_context(viewport={"width": 360, "height": 640}, java_script_enabled=False, locale="fr-FR")
        context.add_cookies([{"name": "guichet", "value": token, "url": listener.address}])
        try:
            page = context.new_page()
            page.goto(f"{listener.address}/dossiers/{dossier.number}")
            button = page.locator("main .button").first.bounding_box()
            whole = page.locator("html").bounding_box()
            said = page.locator("main .box.act").inner_text()
            papers = page.locator("main ul.rows").first.inner_text()
        finally:
            context.close()
    assert button is not None
    assert whole is not None
    assert button["y"] + button["height"] <= 600
    assert whole["height"] <= 2620  # the line on absences, and the form to bring, are not in the drawing
    assert "Venez mercredi" in said
    assert "Apportez\u00a0: 2 originaux · 1 copie légalisée · 2 × Photos d’identité" in said
    assert re.search(r"Formulaire du rendez.vous.+Quittance de 30.000.FCFA\s+Payé", papers, re.DOTALL)


STYLE = (Path(__file__).parents[3] / "renderers/static/guichet.css").read_text(encoding="utf-8")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_what_awaits_a_person_does_not_touch_the_search(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    search = '<form class="search"><div><input></div><button class="button">Chercher</button></form>'
    page.set_content(
        f'<!doctype html><style>{STYLE}</style><main><div class="wrap">{search}<div class="box act">À vous</div></div></main>'
    )
    button, box = page.locator("button").bounding_box(), page.locator(".box").bounding_box()
    assert button is not None
    assert box is not None
    assert box["y"] - button["y"] - button["height"] >= 12


@pytest.mark.parametrize("width", [320, 360])
def test_a_date_of_the_status_stays_whole_on_a_narrow_screen(page: Page, width: int) -> None:
    """Its blanks are fixed: beside the question it was cut, with a full stop alone on a line at 320 pixels."""
    page.set_viewport_size({"width": width, "height": 640})
    box = '<div class="box"><ul class="who"><li><b>Quand ?</b> Depuis le 30\u00a0septembre\u00a02026.</li></ul></div>'
    page.set_content(f'<!doctype html><style>{STYLE}</style><main><div class="wrap">{box}</div></main>')
    lines = page.evaluate(
        """() => { const text = document.querySelector("li").lastChild, range = document.createRange()
        range.setStart(text, text.length - 18); range.setEnd(text, text.length); return range.getClientRects().length }"""
    )
    assert lines == 1
