"""Every shipped procedure walked on a small phone, from the search to the verified document, as its own stories tell it.

All of them without scripts at 320 pixels, the five longest with nothing but a keyboard; the two on which the most people work, and a
short one, with scripts at 1280, by keyboard too, on PostgreSQL. `make test` walks one or two in each of these ways, `make nightly` the others;
`make fuzz` walks the five longest in every other way as well. `-s` prints what each asked of people,
until it was sent and in all: screens, presses, taps, fields, files, octets; then agents, their screens, and the seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from playwright.sync_api import Browser

from engine.model import Procedure, Scenario
from engine.simulation.environment import ScenarioRegister
from tests.effort import EFFORT
from tests.makers import the_shared
from tests.postgres import database
from tests.web.browser_person import DESK, PHONE
from tests.web.form_filler import PASSPORT, PASSPORT_EFFORT, FormFiller, within
from tests.web.input_methods import Finger, Keys
from tests.web.longest_journeys import BY_PROXY, LONGEST, ProxyWalk, longest_story
from tests.web.page_checks import Looker, technical_names
from tests.web.portal import ROOT, Portal, open_portal
from tests.web.scenario_journey import ScenarioJourney

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SLUGS = sorted(path.stem for path in (ROOT / "procedures").glob("*.yaml"))
ON_A_DESK = ("copie-acte-etat-civil", "e-visa", "permis-de-construire")
WITH_SCRIPTS = ("carte-de-sejour", "creation-entreprise", "duplicata-bac", "permis-de-conduire")
SMALL, LARGE = {"width": 320, "height": 640}, DESK


@dataclass(frozen=True)
class Way:
    """One way to walk a procedure: on what, with what, and which number of telephone."""

    slug: str
    scripts: bool
    screen: dict[str, int]
    keys: bool = False
    store: str = "sqlite"

    @property
    def language(self) -> str:
        """Travellers read English, one of them French."""
        return "en" if self.slug == "e-visa" and self.keys else "fr"

    def __str__(self) -> str:
        input_method = "keys" if self.keys else "finger"
        return f"{self.slug}-{'js' if self.scripts else 'no-js'}-{self.screen['width']}-{input_method}-{self.store}"


WAYS = [
    *(Way(slug, False, SMALL, keys=slug in LONGEST) for slug in SLUGS),
    *(Way(slug, True, PHONE) for slug in WITH_SCRIPTS),
    *(Way(slug, True, LARGE, keys=True, store="postgresql") for slug in ON_A_DESK),
]
BY_DAY = [
    Way("copie-acte-etat-civil", False, SMALL),
    Way("copie-acte-etat-civil", True, LARGE, keys=True, store="postgresql"),
]
LONG_RUN = [
    *(Way(slug, True, LARGE, keys=True, store="postgresql") for slug in LONGEST if slug not in ON_A_DESK),
    *(Way(slug, True, SMALL) for slug in LONGEST),
    *(Way(slug, False, LARGE) for slug in LONGEST),
]


@pytest.fixture(scope="module")
def registers() -> ScenarioRegister:
    return ScenarioRegister()


@pytest.fixture(scope="module")
def portals(tmp_path_factory: pytest.TempPathFactory, registers: ScenarioRegister) -> Iterator[Callable[[str], Portal]]:
    """One a store for all the walks of a worker, opened by the first; its clock is put back to the day of each."""
    with ExitStack() as kept:

        @cache
        def of(store: str) -> Portal:
            address = kept.enter_context(database()) if store == "postgresql" else ""
            folder = tmp_path_factory.mktemp("portal")
            return kept.enter_context(open_portal(folder, address, registers={"*": registers}))

        yield of


@pytest.fixture(scope="module")
def looker(browser: Browser) -> Looker:
    return Looker(browser)


def test_every_procedure_is_walked() -> None:
    assert len(SLUGS) >= 15


def test_each_way_is_walked_by_day() -> None:
    assert [way for way in BY_DAY if way not in WAYS] == []
    for same in ("scripts", "keys", "store"):
        assert {getattr(way, same) for way in BY_DAY} == {getattr(way, same) for way in WAYS}
    # with scripts on a phone: tests/web/citizen/test_known_citizen.py
    assert {way.screen["width"] for way in BY_DAY} == {way.screen["width"] for way in WAYS} - {PHONE["width"]}


def _by_day_or_night(way: Way) -> ParameterSet:
    return pytest.param(way, marks=[] if way in BY_DAY else [pytest.mark.nightly("journey")])


@pytest.mark.parametrize(
    "way",
    [*map(_by_day_or_night, WAYS), *(pytest.param(way, marks=pytest.mark.fuzz) for way in LONG_RUN if EFFORT > 1)],
    ids=str,
)
def test_a_walk(
    browser: Browser, portals: Callable[[str], Portal], registers: ScenarioRegister, looker: Looker, way: Way,
    tmp_path: Path,
) -> None:  # fmt: skip
    portal = portals(way.store)
    procedure = portal.office.catalogue.procedures[way.slug]
    contexts, names, began = [], technical_names(procedure), time.monotonic()
    tried: set[str] = set()  # the links of the desks lead agents to the same places

    def enters(name: str, desk: bool) -> FormFiller:
        context = browser.new_context(viewport=way.screen, java_script_enabled=way.scripts, locale="fr-FR")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        return FormFiller(
            page, portal.url, limit=60_000 if desk else 30_000, names=names, looker=looker, scripts=way.scripts, desk=desk,
            input_method=Keys(page) if way.keys else Finger(), language="fr" if desk else way.language, shots=_shots(way, name),
            seen=tried if desk else set(),
        )  # fmt: skip

    story = longest_story(way.slug, the_shared()) if way.slug in LONGEST else _granted_story(procedure)
    kind = partial(ProxyWalk, paper=tmp_path / "rccm.pdf") if way.slug == BY_PROXY else ScenarioJourney
    walk = kind(portal, registers, procedure, story, enters, f"+228909{[*WAYS, *LONG_RUN].index(way):05d}")
    try:
        walk.walk()
    finally:
        for context in contexts:
            context.close()
    me, agents, took = walk.me, list(walk.people.values()), time.monotonic() - began
    seen = sum(len(one.screens) for one in agents)
    print(f"{way!s:44} {walk.sent_after} | {me.effort()} | {len(agents):>3} {seen:>3} {took:>4.0f} s")
    if way.slug == PASSPORT:
        assert within(walk.sent_after, PASSPORT_EFFORT), walk.sent_after
    assert not walk.faults(), "\n".join(dict.fromkeys(walk.faults()))
    for person in (me, *agents):
        person.check()


def _granted_story(procedure: Procedure) -> Scenario:
    """The first story of the file that ends well."""
    ends = {state.id for state in procedure.states.values() if state.outcome == "granted"}
    for story in procedure.scenarios:
        told = [step.then for step in story.steps if step.then]
        if told and told[-1] in ends and not story.refuses:
            return story
    raise LookupError(procedure.id)


def _shots(way: Way, name: str) -> Path | None:
    """Where pictures of the screens go: `GUICHET_SHOTS=folder` keeps them."""
    kept = os.environ.get("GUICHET_SHOTS")
    if not kept:
        return None
    folder = Path(kept) / str(way) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
