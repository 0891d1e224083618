"""Two ways to touch a page: with a finger or a mouse, or with nothing but a keyboard, as those who have no other way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from playwright.sync_api import FileChooser, Locator, Page

_HERE: Final = "one => one === document.activeElement"
_SAME_GROUP: Final = "one => document.activeElement.type === 'radio' && document.activeElement.name === one.name"
# where Tab stops, a group of radio buttons being one stop; and how many stops from where one is to the target
_STOPS: Final = """one => {
  const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]")]
    .filter((each) => !each.disabled && each.tabIndex >= 0 && each.getClientRects().length);
  const group = (each) => each.type === "radio" ? all.filter((other) =>
     other.type === "radio" && other.name === each.name && other.form === each.form) : [each];
  const stop = (each) => group(each).find((other) => other.checked) || group(each)[0];
  const stops = all.filter((each) => stop(each) === each);
  const here = document.activeElement;
  return [stops.length, stops.indexOf(stop(one)) - (all.includes(here) ? stops.indexOf(stop(here)) : -1)];
}"""


class InputMethod(Protocol):
    """What a person does to controls."""

    def press(self, target: Locator) -> None: ...

    def write(self, target: Locator, text: str) -> None: ...

    def check(self, target: Locator) -> None: ...

    def select(self, target: Locator, value: str) -> None: ...

    def attach(self, target: Locator, file: object) -> None: ...


class Finger:
    """Touches what it sees."""

    def press(self, target: Locator) -> None:
        target.click()

    def write(self, target: Locator, text: str) -> None:
        target.fill(text)

    def check(self, target: Locator) -> None:
        target.check(force=True)

    def select(self, target: Locator, value: str) -> None:
        target.select_option(value)

    def attach(self, target: Locator, file: object) -> None:
        target.set_input_files(file)  # type: ignore[arg-type]


@dataclass
class Keys:
    """Tab from stop to stop, arrows inside a group, Enter and space: nothing is touched that they do not reach."""

    page: Page
    strokes: int = 0

    def __post_init__(self) -> None:
        self._file: object = None  # what the next dialog is given; always listened to, for the first may come too soon
        self.page.on("filechooser", self._give)

    def press(self, target: Locator) -> None:
        self._reach(target, _HERE)
        self._stroke("Enter")

    def write(self, target: Locator, text: str) -> None:
        self._reach(target, _HERE)
        self._stroke("ControlOrMeta+a")
        self._stroke("Delete")
        self.page.keyboard.type(text)
        self.strokes += len(text)

    def check(self, target: Locator) -> None:
        if target.is_checked():
            return
        if target.get_attribute("type") != "radio":
            self._reach(target, _HERE)
            self._stroke("Space")
            return
        self._reach(target, _SAME_GROUP)
        self._until(lambda: bool(target.evaluate(_HERE)), "ArrowDown", 400, target)
        if not target.is_checked():
            self._stroke("Space")

    def select(self, target: Locator, value: str) -> None:
        self._reach(target, _HERE)
        self._stroke("Home")
        self._until(lambda: target.input_value() == value, "ArrowDown", 400, target)

    def attach(self, target: Locator, file: object) -> None:
        self._reach(target, _HERE)
        self._file = file
        self._stroke("Enter")
        for _ in range(500):
            if self._file is None:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{self.page.url}: Enter does not open the files")

    def _give(self, chooser: FileChooser) -> None:
        file, self._file = self._file, None
        chooser.set_files(file)  # type: ignore[arg-type]

    def _reach(self, target: Locator, there: str) -> None:
        """The way is run without looking; what was run past comes round again."""
        stops, ahead = target.evaluate(_STOPS)
        for _ in range(ahead):
            self._stroke("Tab")
        self._until(lambda: bool(target.evaluate(there)), "Tab", 2 * stops + 4, target)

    def _until(self, true: Callable[[], bool], key: str, most: int, target: Locator) -> None:
        for _ in range(most):
            if true():
                return
            self._stroke(key)
        outer = target.evaluate("one => one.outerHTML.slice(0, 200)")
        raise AssertionError(f"{self.page.url}: {outer} is out of the keyboard's reach")

    def _stroke(self, key: str) -> None:
        self.strokes += 1
        self.page.keyboard.press(key)
