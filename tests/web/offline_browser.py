"""A window of a real browser on the world of the access matrix: it shows what somebody was answered, without a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route
from werkzeug.test import TestResponse

from tests.web.page_checks import axe_faults, bring_axe, faults_of, read, too_wide_when_spaced

HOST = "http://guichet.test"
NARROW, WIDE = {"width": 320, "height": 640}, {"width": 1280, "height": 900}
BLANKS = ("technical: '{'", "technical: '}'")
Answers = Callable[[str], TestResponse]  # what is answered to an address


@dataclass(frozen=True)
class Sight:
    """A page that was answered, and who answers what it asks for in turn."""

    path: str
    answer: TestResponse
    answers: Answers
    language: str = "fr"
    blanks: bool = False  # whether it may show the blanks of letters: {date}

    @property
    def html(self) -> str:
        return self.answer.get_data(as_text=True)


def is_page(answer: TestResponse) -> bool:
    """Whether people see it: HTML, and not on the way to another page."""
    return answer.mimetype == "text/html" and not 300 <= answer.status_code < 400


class Window:
    """A small phone whose browser runs no script of ours, and a desk whose browser does."""

    def __init__(self, browser: Browser, names: frozenset[str]) -> None:
        self._names, self._shots = names, 0
        self._sight: Sight | None = None
        self.narrow, self.wide = (
            self._page(browser, size, scripts) for size, scripts in ((NARROW, False), (WIDE, True))
        )

    def _page(self, browser: Browser, size: dict[str, int], scripts: bool) -> Page:
        page = browser.new_context(viewport=size, locale="fr-FR").new_page()  # type: ignore[arg-type]
        page.route("**/*", lambda route: self._serve(route, scripts))
        bring_axe(page)
        return page

    def _serve(self, route: Route, scripts: bool) -> None:
        sight, kind = self._sight, route.request.resource_type
        assert sight is not None
        if kind == "script" and not scripts:
            return route.abort()
        where = urlsplit(route.request.url)
        answer = sight.answer if kind == "document" else sight.answers(f"{where.path}?{where.query}")
        dropped = {"content-length", "set-cookie"}
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
        return route.fulfill(status=answer.status_code, headers=headers, body=answer.get_data())

    def faults(self, sight: Sight, wide: bool = True) -> list[str]:
        """What is wrong with it on the small screen, and on the wide one."""
        return [*self._looked_at(sight, self.narrow), *(self._looked_at(sight, self.wide) if wide else ())]

    def faults_of_words(self, sight: Sight) -> list[str]:
        """The same of a page whose like was looked at in another language: what is read, and whether it fits the phone."""
        return self._looked_at(sight, self.narrow, axe=False)

    def _looked_at(self, sight: Sight, page: Page, axe: bool = True) -> list[str]:
        self._sight = sight
        page.goto(HOST + sight.path)
        told = axe_faults(page) + axe_faults(page, dark=True) if axe else []
        told += faults_of(read(page), sight.language, self._names, sight.answer.status_code >= 400)
        told += too_wide_when_spaced(page) if page is self.narrow else []
        told = [one for one in told if not (sight.blanks and one in BLANKS)]
        width = NARROW["width"] if page is self.narrow else WIDE["width"]
        if shots := os.environ.get("GUICHET_SHOTS"):
            self._shots += page is self.narrow
            name = f"{self._shots:03d}{sight.path.replace('/', '_')}-{sight.language}-{sight.answer.status_code}"
            page.screenshot(path=Path(shots) / f"{name}-{width}.png", full_page=True)
        return [f"{sight.path} ({sight.answer.status_code}, {width}): {one}" for one in told]

    def close(self) -> None:
        for page in (self.narrow, self.wide):
            page.context.close()
