"""T10. What people and files say means harm, and a browser that runs scripts reads every place in which it stands: nothing of it
runs, opens a box or asks another machine. The content policy is taken away first: what holds is that texts are texts. Then the
mutant: a label that is markup runs where no policy stands, and is stopped where it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Route

from tests.faults import hostile_texts
from tests.faults.hostile_texts import MARK
from tests.faults.test_hostile_text_faults import a_hostile_world, labels_marked_safe
from tests.web.access import ASKED, addresses, filled, table, values_of
from tests.web.access_world import AccessWorld
from tests.web.offline_browser import HOST, is_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_BY_CHANCE: Final = re.compile(r"[\w-]{20,}|\d+")
WHO: Final = ("ownr", "offi", "admi", "audi")
RUN: Final = f"{MARK}=alert(1)"
ACTING: Final = (
    f"<script>{RUN}</script>", f"<img src=x onerror={RUN}>", f'"><svg onload={RUN}>', f"' autofocus onfocus={RUN} x='",
    f'" autofocus onfocus={RUN} x="', f"</title></textarea></script><script>{RUN}</script>", f"<a href=javascript:{RUN}>z</a>",
    f"javascript:{RUN}", f"<iframe srcdoc='<script>top.{RUN}</script>'>", f"<img src=//{MARK}.example/x>", f"<!--><svg onload={RUN}>",
    f"<link rel=stylesheet href=//{MARK}.example>", f"<base href=//{MARK}.example>", f"<style>@import'//{MARK}.example'</style>",
)  # fmt: skip
SEEN: Final = """(mark) => [...document.querySelectorAll("*")].flatMap((one) => [
  ...one.getAttributeNames().filter((name) => name.startsWith("on") || name === "srcdoc" || name === "style"),
  ...["href", "src", "action", "formAction"].filter((name) => /^(?!https?:|mailto:|tel:)/.test(one[name] || "http:")),
  ...(["iframe", "base", "object"].includes(one.localName) || (one.localName === "script" && !one.src && !/json/.test(one.type)) ? [""] : []),
].map((what) => `<${one.localName}> ${what}`)).concat(mark in window ? ["a script ran"] : [])"""


class Reader:
    """A browser that reads what somebody was answered; `found` is what a text did there."""

    def __init__(self, browser: Browser, site: AccessWorld, policy: bool) -> None:
        self._site, self._policy, self._who = site, policy, ""
        self.page = browser.new_context(locale="fr-FR").new_page()
        self.page.on("dialog", self._boxed)
        self.page.context.route("**/*", self._serve)
        self.found: list[str] = []
        self.read = 0  # pages on which a hostile text was

    def _boxed(self, dialog: Dialog) -> None:
        self.found.append("a box opened")
        dialog.dismiss()

    def _serve(self, route: Route) -> None:
        asked = urlsplit(route.request.url)
        if f"{asked.scheme}://{asked.netloc}" != HOST:
            self.found.append(f"asked {route.request.url}")
            return route.abort()
        answer = self._site.ask(self._who, "GET", f"{asked.path}?{asked.query}")
        dropped = {"content-length", "set-cookie"} | (set() if self._policy else {"content-security-policy"})
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
        return route.fulfill(status=answer.status_code, headers=headers, body=answer.get_data())

    def reads(self, who: str, path: str) -> Iterator[str]:
        self._who = who
        self.page.goto(HOST + path)
        self.read += MARK in self.page.content().lower()
        self.found += self.page.evaluate(SEEN, MARK)
        yield from (f"{who} at {path}: {one}" for one in self.found)
        self.found.clear()


def places_of(html: str) -> set[str]:
    """Where hostile texts stand: the markup around each, less numbers and names made by chance."""
    plain = _BY_CHANCE.sub("", html)
    return {plain[max(0, one.start() - 400) : one.end() + 200] for one in re.finditer(MARK, plain, re.IGNORECASE)}


def pages(site: AccessWorld, *only: str) -> Iterator[tuple[str, str]]:
    """Who reads which address, where the answer holds a hostile text in a place of its route where none was read yet."""
    known = set[tuple[str, str]]()
    for row in table():
        values = values_of(site, row, site.owner)
        if row.method == "GET" and (not only or row.endpoint in only):
            for who in WHO:
                for path in addresses(site, row, values) if row.cells[who] in ("open", "own") else ():
                    asked = filled(ASKED.get(row.endpoint, {}), values)
                    answer = site.ask(who, "GET", path, query_string=asked)
                    places = places_of(answer.get_data(as_text=True)) if is_page(answer) else set()
                    found = {(row.endpoint, one) for one in places}
                    if found - known:
                        known |= found
                        yield who, f"{path}?{urlencode(asked)}"


def found_by(browser: Browser, folder: Path, policy: bool, *only: str) -> tuple[list[str], int]:
    with ExitStack() as kept:
        kept.enter_context(pytest.MonkeyPatch.context()).setattr(hostile_texts, "TEXTS", ACTING)
        site = kept.enter_context(a_hostile_world(folder))
        reader = Reader(browser, site, policy)
        kept.callback(reader.page.context.close)
        found = [one for who, path in pages(site, *only) for one in reader.reads(who, path)]
    return found, reader.read


def test_nothing_that_is_said_runs_or_leaves_the_site(browser: Browser, tmp_path: Path) -> None:
    found, read = found_by(browser, tmp_path, policy=False)
    assert found == []
    assert read > 60, "a page on which nothing hostile is read proves nothing"


def test_a_label_that_is_markup_runs_unless_the_policy_stands(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels_marked_safe(monkeypatch)
    bare, _ = found_by(browser, tmp_path / "bare", False, "catalogue.sheet", "agent_dossier.show")
    held, _ = found_by(browser, tmp_path / "held", True, "catalogue.sheet", "agent_dossier.show")
    assert {one.partition(": ")[2] for one in bare} >= {"a script ran", "a box opened"}
    assert held, "the markup stands there"
    assert not [one for one in held if not one.partition(": ")[2].startswith("<")], held
