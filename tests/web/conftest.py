"""A portal and a browser for the journeys. A missing browser fails the run: a skipped journey proves nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from zlib import crc32

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser import FLAGS, browser_path
from tests.postgres import emptied_database
from tests.web.browser_person import PHONE, Person
from tests.web.portal import Portal, open_portal

Enter = Callable[..., Person]
STORES: Final = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = browser_path()
    assert path, "no Chromium here: `make browser` installs one, or say where it is with CHROMIUM=/path"
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Half of what a browser does is done over PostgreSQL, always the same half; all of it over both when
    `GUICHET_STORES=both` asks."""
    if "portal" in metafunc.fixturenames:
        mine = crc32(metafunc.function.__qualname__.encode()) % 2
        stores = STORES if os.environ.get("GUICHET_STORES") == "both" else STORES[mine : mine + 1]
        metafunc.parametrize("portal", stores, indirect=True)


@pytest.fixture
def portal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Portal]:
    with ExitStack() as kept:
        address = emptied_database("portal") if request.param == "postgresql" else ""
        yield kept.enter_context(open_portal(tmp_path / "data", address))


@pytest.fixture
def enter(browser: Browser, portal: Portal, request: pytest.FixtureRequest) -> Iterator[Enter]:
    """Lets somebody in with a browser of their own. `GUICHET_SHOTS=folder` keeps a picture of every screen."""
    contexts = []
    folder = os.environ.get("GUICHET_SHOTS")

    def someone(name: str, viewport: dict[str, int] = PHONE, scripts: bool = True, **options: object) -> Person:
        options.setdefault("looks", scripts)  # axe is a script: without them it would wait without end
        context = browser.new_context(viewport=viewport, java_script_enabled=scripts, locale="fr-FR")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        person = Person(page, portal.url, **options)  # type: ignore[arg-type]
        if folder:
            person.shots = Path(folder) / f"{request.node.name}-{name}"
            person.shots.mkdir(parents=True, exist_ok=True)
        return person

    yield someone
    for context in contexts:
        context.close()
