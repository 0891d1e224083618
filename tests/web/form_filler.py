"""A person who walks any procedure without knowing it: answers the questions that a page shows, and reads every page with
care: no failure, no technical name, light, well titled, no dead link, nothing that axe refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urldefrag, urlsplit

from playwright.sync_api import Locator

from engine.core.values import Plain
from renderers.html.controls import control_id, national
from tests.web.browser_person import SAME, Person
from tests.web.input_methods import Finger, InputMethod
from tests.web.page_checks import Looker, faults_of, read

MOST_HTML: Final = 14_000  # octets, as sent
MOST_AFTER: Final = 8_000  # of any page after the first: what a browser keeps is not sent again
SENDS_FILES: Final = 4_000  # once: the script of the pages that ask for files
ROUNDS: Final = 6  # of one page: each may open the questions of the next
_CONTROLS: Final = """() => [...document.querySelectorAll("main form [name]")]
  .filter((one) => !one.disabled && one.type !== "hidden" && !one.closest("[hidden]"))
  .map((one) => ({name: one.name, kind: one.tagName === "INPUT" || one.tagName === "BUTTON" ? one.type : one.tagName.toLowerCase(),
    value: one.value, checked: !!one.checked, mode: one.inputMode || "",
    done: one.type === "file" && !!one.closest("fieldset")?.querySelector(".got")}))"""


@dataclass(frozen=True)
class Control:
    """One control of the page, as it stands."""

    name: str
    kind: str
    value: str
    checked: bool
    mode: str
    done: bool


@dataclass(frozen=True)
class Answers:
    """What to answer under each name, in the form answers are kept; `said` are those of pages that no form asks."""

    kept: Mapping[str, Plain]
    said: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> Plain:
        """`voyageurs.0.nom` → what is kept there."""
        if name in self.said:
            return self.said[name]
        found: Plain = dict(self.kept)
        for part in name.split("."):
            if isinstance(found, list):
                found = found[int(part)] if int(part) < len(found) else None
            elif isinstance(found, dict) and part.endswith("_issued") and part not in found:
                paper = found.get(part.removesuffix("_issued"))
                found = paper.get("issued") if isinstance(paper, dict) else None
            else:
                found = found.get(part) if isinstance(found, dict) else None
        return found.get("is") if isinstance(found, dict) and "is" in found else found

    def has_files(self, name: str) -> bool:
        outer, _, last = name.rpartition(".")
        holder = self.of(outer) if outer else dict(self.kept)
        found = holder.get(last) if isinstance(holder, dict) else None
        return bool(found.get("files") if isinstance(found, dict) else found)

    def rows(self, name: str) -> int:
        found = self.of(name)
        return len(found) if isinstance(found, list) else 0


class Effort(NamedTuple):
    """What a way through the portal asked of a person: pages seen, buttons and links pressed, presses and ticks together, boxes
    typed (a date is three), files given, octets received."""

    screens: int
    presses: int
    taps: int
    typed: int
    uploads: int
    octets: int

    def __str__(self) -> str:
        return " ".join(f"{one:>6}" for one in self)


PASSPORT: Final = "passeport-ordinaire"
ADULT_EFFORT: Final = Effort(screens=13, presses=12, taps=21, typed=14, uploads=4, octets=100_000)  # until sent
TO_THE_VISIT: Final = Effort(screens=16, presses=14, taps=24, typed=14, uploads=4, octets=130_000)  # until it is booked
PASSPORT_EFFORT: Final = Effort(
    screens=14, presses=13, taps=23, typed=20, uploads=3, octets=100_000
)  # for a child, until sent


def within(spent: Effort, most: Effort) -> bool:
    return all(one <= limit for one, limit in zip(spent, most, strict=True))


@dataclass
class FormFiller(Person):
    """Taps and fields are counted. `names` are words of the definition that nobody should read; `seen` the links that were tried."""

    names: frozenset[str] = frozenset()
    looker: Looker | None = None
    scripts: bool = True
    desk: bool = False
    input_method: InputMethod = field(default_factory=Finger)
    language: str = "fr"
    presses: int = 0
    taps: int = 0
    typed: int = 0
    uploads: int = 0
    octets: int = 0
    seen: set[str] = field(default_factory=set)

    # -- looking ---------------------------------------------------------------------------------------------------------

    def press(self, text: str) -> None:
        self.tap(self.named(text))

    def unfold(self, link: str) -> None:
        """Opens what holds a link that is folded away."""
        if not self.page.locator(f"main {link}").first.is_visible():
            self.taps += 1
            self.page.locator(f"main details:has({link}) > summary").first.press("Enter")

    def tap(self, target: str | Locator) -> None:
        """Touches what a selector finds first, and looks at the page that comes."""
        self._requests.clear()
        self.presses += 1
        self.taps += 1
        found = self.page.locator(target) if isinstance(target, str) else target
        with self.page.expect_navigation():
            self.input_method.press(found.first)
        self.arrived()

    def write(self, target: str, text: str) -> None:
        self.typed += 1
        self.input_method.write(self.page.locator(target).first, text)

    def tick(self, target: str) -> None:
        self.taps += 1
        self.input_method.check(self.page.locator(target).first)

    def choose(self, target: str, value: str) -> None:
        self.taps += 1
        self.input_method.select(self.page.locator(target).first, value)

    def has(self, selector: str) -> bool:
        return self.page.locator(selector).count() > 0

    def effort(self) -> Effort:
        """Until now."""
        return Effort(len(self.screens), self.presses, self.taps, self.typed, self.uploads, self.octets)

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def look(self) -> None:
        """Reads the page that came."""
        seen = read(self.page)
        weight = self.weights[self.path][0]
        self.octets += weight
        found = [f"{one.status} {one.url}" for one in self._requests if one.status >= 400]
        found += faults_of(seen, self.language, self.names)
        found += self._html_weight()
        most = MOST_AFTER + SENDS_FILES * any("/files." in one.url for one in self._requests)
        found += [f"{weight} octets more"] if weight > most and not self.desk and len(self.screens) > 1 else []
        if self.looker is not None:
            found += self.looker.faults(self.page, self._kind(), self.scripts)
        self.faults += [f"{self.path}: {one}" for one in found]
        self._check_links([urldefrag(link)[0] for link in seen["links"]])

    def _html_weight(self) -> Iterable[str]:
        for one in self._requests if not self.desk else ():
            if one.request.resource_type == "document" and one.status == 200:
                weight = one.request.sizes()["responseBodySize"]
                if weight > MOST_HTML:
                    yield f"{weight} octets of HTML"

    def _kind(self) -> str:
        """What the page is made of: its address without what is particular, and the sorts of its controls."""
        shape = re.sub(
            r"/(demande|demarches|acte|actes|a-faire|creneau|v|documents|paiement)/[^?]+", r"/\1/*", self.path
        )
        kinds = sorted({one.kind for one in self.controls()})
        shape = re.sub(r"[0-9]+", "#", shape)
        return f"{self.language} {shape} {kinds} {self.has('main table')} {self.has('main .errors')}"

    def _check_links(self, links: list[str]) -> None:
        """Every link of the page leads somewhere; who is known is not asked who they are."""
        known = "/deconnexion" in links or (self.desk and not self.path.endswith("/connexion"))
        for link in links:
            if not link.startswith("/") or link in self.seen or link == "/deconnexion":
                continue
            self.seen.add(link)
            answer = self.page.request.get(self.url + link)
            if answer.status >= 400 or (known and answer.url.startswith(f"{self.url}/connexion")):
                self.faults.append(f"{self.path}: dead link {link} ({answer.status}, {answer.url})")

    # -- answering -------------------------------------------------------------------------------------------------------

    def controls(self) -> list[Control]:
        return [Control(**one) for one in self.page.evaluate(_CONTROLS)]

    def answer(self, answers: Answers) -> None:
        """Answers what is shown and was not answered yet; with scripts this may open questions, which are answered too."""
        for _ in range(ROUNDS):
            before = self.typed + self.taps
            known: dict[str, list[Control]] = {}
            for one in self.controls():
                known.setdefault(one.name, []).append(one)
            for name, group in known.items():
                self._answer(name, group, answers)
            if self.typed + self.taps == before or not self.scripts:
                return

    def _answer(self, name: str, group: list[Control], answers: Answers) -> None:
        one, control = group[0], self.page.locator(f'main form [name="{name}"]')
        if one.kind == "radio":
            self._choose(name, group, answers.of(name))
        elif one.kind == "checkbox":
            wanted = [box.value for box in group] if name == SAME else _texts(answers.of(name))
            for box in group:
                if box.value in wanted and not box.checked:
                    self._check(name, box.value)
        elif one.kind == "file":
            self._attach(name, one, answers)
        elif one.kind.startswith("select"):
            wanted = _texts(answers.of(name))
            if not one.value and wanted:
                self.taps += 1
                self.input_method.select(control.first, wanted[0])
        elif one.kind not in ("submit", "button") and not one.value and (text := self._text(one, answers)):
            self.typed += 1
            self.input_method.write(control.first, text)

    def _choose(self, name: str, group: list[Control], plain: Plain) -> None:
        """What is answered already otherwise is answered again."""
        said = {"true": "oui", "false": "non"}
        codes = {one.value for one in group}
        for wanted in _texts(plain):
            code = wanted if wanted in codes else said.get(wanted, wanted)
            if code in codes and not any(one.checked and one.value == code for one in group):
                self._check(name, code)

    def _check(self, name: str, value: str) -> None:
        self.taps += 1
        box = self.page.locator(f'main form [name="{name}"][value="{value}"]')
        if box.is_visible():
            self.input_method.check(box.first)

    def _text(self, one: Control, answers: Answers) -> str:
        found = re.fullmatch(r"(.+)_(day|month|year)", one.name)
        if found and (day := answers.of(found[1])) is not None:
            parts = [*str(day).split("-"), "", ""]
            return parts[("year", "month", "day").index(found[2])].lstrip("0")
        plain = answers.of(one.name)
        text = plain if isinstance(plain, str) else str(plain) if isinstance(plain, int) else ""
        return national(text) if one.mode == "tel" else text.replace(".", ",") if one.mode == "decimal" else text

    def _attach(self, name: str, one: Control, answers: Answers) -> None:
        path = name.removeprefix("file:")
        if one.done or one.value or not (answers.has_files(path) or path in answers.said):
            return
        self.attach(name)

    def attach(self, name: str, again: bool = False) -> None:
        """Chooses a photo; with scripts it leaves by itself. `again`: instead of the one that is there."""
        self.uploads += 1
        piece = f"#piece-{control_id(name.removeprefix('file:'))} .got"
        before = self.page.locator(f"{piece} a").first.get_attribute("href") if again and self.has(piece) else None
        chosen = self.page.locator(f'main form [name="{name}"]').first
        sends = self.scripts and chosen.get_attribute("data-photo") is not None
        self.input_method.attach(chosen, _PAPER)
        if sends:
            other = f':not([href="{before}"])' if before else ""
            self.page.locator(f"{piece} a{other}").first.wait_for()

    def lacks_row(self, answers: Answers) -> str:
        """A group of the page with fewer rows than there are answers."""
        controls = self.controls()
        for one in controls:
            if one.name == "add_row":
                inside = {
                    int(found[1])
                    for each in controls
                    if (found := re.match(rf"{re.escape(one.value)}\.(\d+)\.", each.name))
                }
                cards = self.page.locator(f"#{control_id(one.value)} > ul.rows > li").count()
                if max(len(inside), cards) < answers.rows(one.value):
                    return one.value
        return ""


def _texts(plain: Plain) -> list[str]:
    if isinstance(plain, bool):
        return ["true" if plain else "false"]
    found = plain if isinstance(plain, list) else [plain]
    return [str(one) for one in found if one is not None]


def _paper() -> dict[str, object]:
    from tests.web.portal import photograph

    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photograph(640, 800)}


_PAPER: Final = _paper()
