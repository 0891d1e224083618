"""A person at a browser: fills what they know, presses the main button, counts screens; each page is looked at by axe."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Error, Locator, Page, Response

from tests.web.page_checks import axe_faults, pieces_of

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
MOST_BYTES, MOST_REQUESTS = 30_000, 4
SAME: Final = "act-same"  # the boxes of the answers that an agent compares with their piece
_A_PIECE: Final = re.compile(r"/agent/dossiers/\d+/pieces/[^/]+/(?:fichier$|page-)")
_LOOKED_AT: Final = set[tuple[str, str, frozenset[tuple[str, str]]]]()


@dataclass
class Person:
    """One person's way through the portal. `screens` are the addresses seen, `heavy` the pages over their weight."""

    page: Page
    url: str
    looks: bool = True  # whether axe looks at each screen
    limit: int = MOST_BYTES
    screens: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    weights: dict[str, tuple[int, int]] = field(default_factory=dict)
    shots: Path | None = None

    def __post_init__(self) -> None:
        self._requests: list[Response] = []
        self.page.on("response", lambda response: self._requests.append(response))

    # -- moving

    def go(self, path: str) -> None:
        self._requests.clear()
        address = path if path.startswith("http") else self.url + path
        try:
            self.page.goto(address)
        except Error as cut:  # by a page that updates itself at the same moment
            if "ERR_ABORTED" not in cut.message:
                raise
            self.page.goto(address)
        self.arrived()

    def named(self, text: str) -> Locator:
        """The buttons and links of these words, whose hyphens may be fixed."""
        main, words = self.page.locator("main"), re.compile(re.escape(text).replace(r"\-", "[-\u2011]"), re.IGNORECASE)
        return main.get_by_role("button", name=words).or_(main.get_by_role("link", name=words))

    def press(self, text: str) -> None:
        """Presses a button or follows a link by its words, and looks at the page that comes."""
        self._open(self.named(text))

    def follow(self, selector: str) -> None:
        """Follows what a selector finds, and looks at the page that comes."""
        self._open(self.page.locator(selector))

    def _open(self, target: Locator) -> None:
        self._requests.clear()
        with self.page.expect_navigation():
            target.first.click()
        self.arrived()

    def arrived(self) -> None:
        """Notes the screen: its address, its faults, its weight, a picture when asked."""
        self.page.wait_for_load_state("load")
        path = urlsplit(self.page.url).path
        where = self.page.url.removeprefix(self.url)
        if not self.screens or self.screens[-1] != where:
            self.screens.append(where)
        if self.shots is not None:
            name = f"{len(self.screens):02d}{path.replace('/', '_')}.png"
            self.page.screenshot(path=self.shots / name, full_page=True)
        self._weigh(path)
        if self.looks:
            self.look()

    def look(self) -> None:
        """axe, one heading, a title, no sideways scroll. axe looks once at pages made of the same pieces on the same screen."""
        path = urlsplit(self.page.url).path
        kind = (re.sub("[0-9]+", "#", path), str(self.page.viewport_size), pieces_of(self.page.content()))
        if kind not in _LOOKED_AT:
            found = axe_faults(self.page)
            self.faults += [f"{path}: {one}" for one in found]
            _LOOKED_AT.update(() if found else (kind,))
        if self.page.locator("h1").count() != 1:
            self.faults.append(f"{path}: {self.page.locator('h1').count()} h1")
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.faults.append(f"{path}: {wide} px too wide")

    def _weigh(self, path: str) -> None:
        """What the page that came is made of; not the files that a script sent from the one before.

        A piece that an agent compares counts as one request. Its octets are those that the applicant gave.
        """
        total, kinds = 0, {"document", "stylesheet", "script", "image", "font", "other"}
        made_of = [response for response in self._requests if response.request.resource_type in kinds]
        count = 0
        for response in made_of:
            sizes = response.request.sizes()
            size = sizes["responseBodySize"] + sizes["responseHeadersSize"]
            total += 0 if _A_PIECE.search(response.url) else size
            count += (
                1 if size and (response.status < 300 or response.status >= 400) else 0
            )  # none of the browser's memory
        self.weights[path] = (total, count)

    # -- filling

    def fill(self, **answers: object) -> None:
        """Fills controls by name: text, radio value, True for a box, `YYYY-MM-DD` for three boxes."""
        for name, value in answers.items():
            self._fill(name, value)

    def _fill(self, name: str, value: object) -> None:
        page = self.page
        if page.locator(f'[name="{name}_day"]').count():
            year, month, day = str(value).split("-")
            for part, text in (("day", day), ("month", month), ("year", year)):
                page.fill(f'[name="{name}_{part}"]', text)
            return
        control = page.locator(f'[name="{name}"]')
        assert control.count(), f"no control {name} on {page.url}: {self.names()}"
        kind = control.first.get_attribute("type") or control.first.evaluate("node => node.tagName.toLowerCase()")
        if kind == "radio":
            page.locator(f'[name="{name}"][value="{value}"]').check(force=True)
        elif kind == "checkbox":
            wanted = control if value is True else page.locator(f'[name="{name}"][value="{value}"]')
            wanted.first.check(force=True)
        elif kind == "submit":
            raise AssertionError(f"{name} is a button")
        elif kind == "select":
            control.first.select_option(str(value))
        elif kind == "file":
            control.first.set_input_files(value)  # type: ignore[arg-type]
        else:
            control.first.fill(str(value))

    def agree(self) -> None:
        """Ticks every answer that an act compares: its piece says the same."""
        for box in self.page.locator(f'main [name="{SAME}"]').all():
            box.check(force=True)

    def names(self) -> list[str]:
        """Names of the controls of this page, for messages of tests."""
        found = self.page.eval_on_selector_all("main [name]", "nodes => nodes.map(node => node.name)")
        return list(dict.fromkeys(found))

    # -- seeing

    def sees(self, text: str) -> bool:
        return text.replace("\u00a0", " ") in self.text()

    def text(self) -> str:
        return (
            self.page.locator("main").inner_text().replace("\u00a0", " ").replace("\u202f", " ").replace("\u2011", "-")
        )

    @property
    def title(self) -> str:
        return self.page.locator("h1").inner_text()

    def check(self) -> None:
        """Everything seen so far was right and light."""
        assert not self.faults, "\n".join(dict.fromkeys(self.faults))
        most = MOST_REQUESTS if self.limit == MOST_BYTES else MOST_REQUESTS + 2  # a sheet of their own, a picture
        heavy = {path: weight for path, weight in self.weights.items() if weight[0] > self.limit or weight[1] > most}
        assert not heavy, heavy
