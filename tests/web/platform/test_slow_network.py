"""A page on the edge of the network, on a slow phone: the first words come within three seconds, the next pages sooner.

Chromium plays EDGE (240 kbit/s down, 200 kbit/s up, 840 ms) and a processor four times slower, with nothing kept from before.
One of some tries is enough: it says what a page needs, not how busy the machine of the tests is. Printed with `-s`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.engine.services.world import PASSPORT
from tests.web.agents.test_staff_pages_in_a_browser import sent
from tests.web.browser_person import MOST_BYTES, MOST_REQUESTS, PHONE
from tests.web.form_filler import MOST_AFTER, FormFiller
from tests.web.portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOBILE, LOCAL = "+22890110088", "90 11 00 88"
EDGE: Final = {"offline": False, "latency": 840, "downloadThroughput": 240_000 / 8, "uploadThroughput": 200_000 / 8}
SLOWER: Final = 4
MOST_FIRST, MOST_NEXT = 3_000, 1_200  # ms until the first words, of a first page and of those after it
TRIES: Final = 4
_PAINTED: Final = """() => new Promise((tell) => new PerformanceObserver((list) => {
    const found = list.getEntriesByName("first-contentful-paint");
    if (found.length) tell(found[0].startTime);
  }).observe({type: "paint", buffered: true}))"""
_RECEIVED: Final = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .map((one) => one.transferSize).filter((size) => size > 0)"""


@dataclass
class Phone:
    """A browser on a slow phone; `fresh` has kept no file from before, only who it is."""

    browser: Browser
    portal: Portal
    cookies: list[Any]

    def fresh(self) -> tuple[BrowserContext, Page]:
        context = self.browser.new_context(viewport=PHONE, locale="fr-FR")  # type: ignore[arg-type]
        context.add_cookies(self.cookies)
        page = context.new_page()
        line = context.new_cdp_session(page)
        line.send("Network.enable")
        line.send("Network.emulateNetworkConditions", EDGE)
        line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        return context, page

    def open(self, page: Page, path: str) -> tuple[float, list[int]]:
        """Milliseconds until the first words, and the octets of each answer received."""
        page.goto(self.portal.url + path, wait_until="load")
        painted, received = page.evaluate(_PAINTED), page.evaluate(_RECEIVED)
        assert urlsplit(page.url).path == path, "sent elsewhere"
        return painted, received


@pytest.fixture
def phone(browser: Browser, portal: Portal) -> Phone:
    return Phone(browser, portal, [])


@pytest.fixture
def pages(phone: Phone) -> dict[str, str]:
    """Pages by what they are, those of somebody with a request begun and another sent among them."""
    portal = phone.portal
    follow = f"/dossiers/{sent(portal, PASSPORT, MOBILE).number}"
    context = phone.browser.new_context(viewport=PHONE, locale="fr-FR")  # type: ignore[arg-type]
    me = FormFiller(context.new_page(), portal.url, looks=False)
    me.go("/connexion")
    me.write("#phone", LOCAL)
    me.tap("main form button.button")
    me.write("#code", portal.code_for(MOBILE))
    me.tap("main form button.button")
    me.go(f"/demarches/{PASSPORT}/verifier?togolais=oui&en_mission=non&etape=en_mission")
    me.tap("main form[action$='/commencer'] button.button")
    phone.cookies = context.cookies()
    form = me.path
    context.close()
    assert "/demande/" in form, form
    return {"home": "/", "sheet": f"/demarches/{PASSPORT}", "form": form, "tracking": follow}


def test_the_first_words_come_within_three_seconds(phone: Phone, pages: dict[str, str]) -> None:
    for name, path in pages.items():
        best = painted, received = best_of(MOST_FIRST, partial(first_view, phone, path))
        print(f"{name:10} first words after {painted:>5.0f} ms, {sum(received):>6} octets in {len(received)} answers")
        assert painted <= MOST_FIRST, (name, best)
        assert sum(received) <= MOST_BYTES, (name, best)
        assert len(received) <= MOST_REQUESTS, (name, best)


def best_of(most: int, view: Callable[[], tuple[float, list[int]]]) -> tuple[float, list[int]]:
    """The first view whose words come in time, else the soonest of all tries: a slow processor takes much of ours."""
    tried = []
    for _ in range(TRIES):
        tried.append(view())
        if tried[-1][0] <= most:
            break
    return min(tried)


def first_view(phone: Phone, path: str) -> tuple[float, list[int]]:
    context, page = phone.fresh()
    try:
        return phone.open(page, path)
    finally:
        context.close()


@pytest.mark.nightly("journey")
def test_the_next_pages_come_sooner(phone: Phone, pages: dict[str, str]) -> None:
    context, page = phone.fresh()
    phone.open(page, "/aide")
    for name, path in pages.items():
        best = painted, received = best_of(MOST_NEXT, partial(phone.open, page, path))
        print(
            f"{name:10} next: first words after {painted:>5.0f} ms, {sum(received):>6} octets in {len(received)} answers"
        )
        assert painted <= MOST_NEXT, (name, best)
        assert sum(received) <= MOST_AFTER, (name, best)
    context.close()
