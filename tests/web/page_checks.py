"""What a page must be to whoever looks at it: axe finds nothing, it is as wide as the screen, it has a title, one heading and
its language, no link into nothing, and no word of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route
from playwright.sync_api import Error as PlaywrightError

from engine.model import Form, Procedure
from renderers.i18n.translations import load_words

RULES: Final[Mapping[str, Any]] = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
_AXE: Final = Axe().axe_script
CONTRAST: Final = "color-contrast"
# each element with words of its own, by what its colours depend on: itself, the element before it and all around it
_LOOKS: Final = """() => {
  const own = (one) => one && [one.localName, one.className, one.type, one.disabled, one.checked, one.open,
    ...["role", "aria-current", "aria-disabled"].map((name) => one.getAttribute(name))].join();
  const around = new Map([[document.body.parentElement, [...document.styleSheets].map(
    (one) => one.href ? new URL(one.href).pathname : one.ownerNode.textContent).join()]]);
  const found = [];
  [...document.querySelectorAll("body, body *")].forEach((one, at) => {
    around.set(one, `${around.get(one.parentElement)} > ${own(one.previousElementSibling)} + ${own(one)}`);
    const words = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if ((words || one.matches("input, select, textarea")) && one.getClientRects().length) found.push([at, around.get(one)]);
  });
  return found;
}"""
_FAULTS: Final = """async ({rules, fresh, contrast, dark}) => {
  const all = document.querySelectorAll("body, body *"), include = fresh.map((at) => all[at]);
  const others = {...rules, rules: {...rules.rules, [contrast]: {enabled: false}}};
  const told = dark ? [] : [await axe.run(document, others)];
  if (include.length) told.push(await axe.run({include}, {...rules, rules: {}, runOnly: {type: "rule", values: [contrast]}}));
  return told.flatMap((one) => one.violations).map(
    (one) => [one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160))]);
}"""
_CONTRASTED: Final = set[tuple[int, str]]()  # widths and looks; a dark screen has a width below zero
_KEYS: Final = load_words().texts("fr").keys()
_SIGNS: Final = re.compile(r"[{}]|\b(?:null|undefined|NaN)\b|&\w+;|</?[A-Za-z]\w*")
_PYTHON: Final = re.compile(r"\b(?:None|True|False)\b")  # "None" is a word of English
_NAMES: Final = re.compile(r"[a-z][a-z0-9]*(?:[_./][a-z0-9]+)+")
_READ: Final = """() => ({
  text: document.body.innerText,
  source: [...document.querySelectorAll("main pre, main code, main textarea")].map((one) => one.innerText || one.value || ""),
  said: [document.title, ...[...document.querySelectorAll("[aria-label], [title], [alt], [placeholder]")].flatMap(
    (one) => ["aria-label", "title", "alt", "placeholder"].map((name) => one.getAttribute(name) || ""))].join(" \\n"),
  h1: [...document.querySelectorAll("h1")].map((one) => one.innerText.trim()),
  title: document.title, lang: document.documentElement.lang,
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  links: [...document.querySelectorAll("a[href]:not([hreflang])")].map((one) => one.getAttribute("href")),
  broken: [...document.querySelectorAll('a[href^="#"]')].map((one) => one.getAttribute("href").slice(1)).filter(
    (id) => id && !document.getElementById(id)),
  errors: [...document.querySelectorAll("main .errors li, main .error")].map((one) => one.innerText)})"""
_TAGS: Final = re.compile(r'<(\w+)(?:[^>]*?\b(?:class|type|role)="([^"]*)")?')
_SPACED: Final = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }
    p { margin-bottom: 2em !important; }`);
  document.adoptedStyleSheets = [sheet];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.adoptedStyleSheets = [];
  return wide;
}"""


def pieces_of(html: str) -> frozenset[tuple[str, str]]:
    """What a page is made of: its tags and their classes, types and roles."""
    return frozenset(_TAGS.findall(html))


def read(page: Page) -> dict[str, Any]:
    """What stands on the page, as a script sees it."""
    found: dict[str, Any] = page.evaluate(_READ)
    return found


def faults_of(seen: Mapping[str, Any], language: str, names: frozenset[str], error: bool = False) -> list[str]:
    """What is wrong with a page that was read; `error`: it was to say what is wrong with an answer."""
    text = _without(seen["source"], f"{seen['text']}\n{seen['said']}")
    found = [f"technical: {one!r}" for one in _technical(text, names, language)]
    found += [f"{len(seen['h1'])} h1"] if len(seen["h1"]) != 1 or not seen["h1"][0] else []
    found += [f"title {seen['title']!r}"] if not _is_title(seen["title"], error) else []
    found += [f"lang {seen['lang']!r}"] if seen["lang"] != language else []
    found += [f"{seen['wide']} px too wide"] if seen["wide"] > 0 else []
    found += [f"no #{one}" for one in seen["broken"]]
    found += [f"in error: {one!r}" for one in seen["errors"] if not error]
    return found


def bring_axe(page: Page) -> None:
    """Every page that is opened here has axe in it, which is quicker than handing it to each."""
    page.add_init_script(_AXE)


def axe_faults(page: Page, dark: bool = False) -> list[str]:
    """What axe finds. Contrast takes more than half of its time: words that look alike are measured once for each width.

    In the `dark` scheme the contrast alone, on which alone it bears.
    """
    if dark:
        page.emulate_media(color_scheme="dark")
        found = [f"dark: {one}" for one in _axe_faults(page, dark)]
        page.emulate_media(color_scheme="light")
        return found
    return _axe_faults(page, dark)


def _axe_faults(page: Page, dark: bool) -> list[str]:
    for left in (2, 1, 0):
        try:
            if not page.evaluate("'axe' in window"):
                page.evaluate(_AXE)
            size = page.viewport_size
            width = (size["width"] if size else 0) * (-1 if dark else 1)
            looks = {(width, look): at for at, look in page.evaluate(_LOOKS) if (width, look) not in _CONTRASTED}
            asked = {"rules": RULES, "fresh": sorted(looks.values()), "contrast": CONTRAST, "dark": dark}
            found = page.evaluate(_FAULTS, asked)
            _CONTRASTED.update(looks if CONTRAST not in [ident for ident, _ in found] else ())
            return [f"axe {ident} {nodes}" for ident, nodes in found]
        except PlaywrightError:  # a page that follows a payment goes on by itself: the next one is looked at
            if not left:
                raise
            page.wait_for_load_state()
    return []


def too_wide_when_spaced(page: Page) -> list[str]:
    """With the lines, letters and words that a weak eye sets apart (WCAG 1.4.12)."""
    wide = page.evaluate(_SPACED)
    return [f"{wide} px too wide with spaced text"] if wide > 0 else []


class Looker:
    """axe, on pages of people who have no scripts too: the page as they got it is opened again beside, on a screen of the
    same size. Pages made of the same pieces are looked at once for each size."""

    def __init__(self, browser: Browser) -> None:
        self._page = browser.new_context(locale="fr-FR").new_page()
        self._page.route("**/*", self._serve)
        bring_axe(self._page)
        self._html, self._known = "", set[tuple[str, int, bool]]()

    def _serve(self, route: Route) -> None:
        kind = route.request.resource_type
        if kind == "document":
            route.fulfill(status=200, content_type="text/html; charset=utf-8", body=self._html)
        elif kind == "script":
            route.abort()
        else:
            route.continue_()

    def faults(self, page: Page, kind: str, scripts: bool) -> list[str]:
        size = page.viewport_size
        assert size is not None
        if (kind, size["width"], scripts) in self._known:
            return []
        self._known.add((kind, size["width"], scripts))
        if scripts:
            return axe_faults(page)
        self._html = page.content()
        self._page.set_viewport_size(size)
        self._page.goto(page.url)
        return axe_faults(self._page)


def _without(source: Iterable[str], text: str) -> str:
    """A page less what it shows as source."""
    for one in filter(str.strip, source):
        text = text.replace(one.strip(), " ")
    return text


def _technical(text: str, names: frozenset[str], language: str) -> list[str]:
    words, signs = set(_NAMES.findall(text)), set(_SIGNS.findall(text))
    signs |= set(_PYTHON.findall(text)) if language != "en" else set()
    return sorted({*(words & names), *(words & _KEYS), *signs})


def _is_title(title: str, error: bool) -> bool:
    """What the page is, and of which site; a page that says what is wrong says so first."""
    parts = [part.strip() for part in title.split("–")]
    return len(parts) >= 2 and all(len(part) > 1 for part in parts) and (error or not title.startswith("Erreur"))


def technical_names(procedure: Procedure) -> frozenset[str]:
    """The names that the definition gives to its things, those that no sentence could hold."""
    fields = list(procedure.fields.values())
    fields += [row for one in fields for row in one.rows]
    forms = [one for one in procedure.tasks.values() if isinstance(one, Form)]
    names = {
        *procedure.fields,
        *procedure.states,
        *procedure.tasks,
        *procedure.outputs,
        *(one.id for one in procedure.transitions),
    }
    names |= {option.code for one in fields for option in one.options} | {one.id for one in fields}
    names |= {page.id for form in forms for page in form.pages} | {one.id for one in procedure.eligibility}
    roles = {role for way in procedure.transitions for role in way.by}
    return frozenset(name for name in names | roles if "_" in name or "/" in name)
