"""axe measures the contrast of words that look alike once: what looks otherwise, or stands elsewhere, is measured too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.web import page_checks
from tests.web.browser_person import DESK, PHONE

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="fr"><head><title>Suivi</title><style>.pale {color: #ccc} .dark {background: #333}
input:disabled + b {color: #ccc} @media (min-width: 600px) {.far {color: #ccc}}</style></head>
<body><main><h1>Suivi</h1><p class="far">Envoyée <input aria-label="Nom"><b>hier</b></p>%s</main></body></html>"""


@pytest.fixture
def page(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.setattr(page_checks, "_CONTRASTED", set())
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def faults(page: Page, more: str = "", old: str = "", new: str = "") -> list[str]:
    page.set_content(PAGE.replace(old, new) % more)
    return page_checks.axe_faults(page)


def test_words_that_look_alike_are_measured_once(page: Page) -> None:
    assert faults(page) == []
    known = set(page_checks._CONTRASTED)
    assert faults(page, "<p class=far>Encore <b>demain</b></p>") == []
    assert len(page_checks._CONTRASTED - known) == 2, "the element before counts"
    measured = page_checks._CONTRASTED - known
    assert faults(page, "<p class=far>Toujours <b>jamais</b></p>") == []
    assert known | measured == page_checks._CONTRASTED


@pytest.mark.parametrize(
    ("more", "old", "new"),
    [
        ('<p class="pale">Pâle</p>', "", ""),
        ('<div class="dark"><p>Sombre</p></div>', "", ""),
        ("", "<input ", "<input disabled "),
        ("", "<main>", '<main class="dark">'),
        ("", ".pale", "p, .pale"),
    ],
)
def test_what_looks_otherwise_is_measured_each_time(page: Page, more: str, old: str, new: str) -> None:
    assert faults(page) == []
    for _ in range(2):
        assert "axe color-contrast" in " ".join(faults(page, more, old, new))


def test_the_dark_scheme_is_measured_apart(page: Page) -> None:
    assert faults(page, "<style>@media (prefers-color-scheme: dark) {p {color: #333; background: #222}}</style>") == []
    assert "dark: axe color-contrast" in " ".join(page_checks.axe_faults(page, dark=True))
    assert page_checks.axe_faults(page) == [], "light again"


def test_another_width_is_measured(page: Page) -> None:
    assert faults(page) == []
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    assert "axe color-contrast" in " ".join(faults(page))
