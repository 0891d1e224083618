"""Every shipped procedure walked on a small phone, from the search to the verified document, as its own stories tell it.

All of them without scripts, some with them too. `-s` prints what each asked of people: screens, taps, fields, octets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from engine.definition.model import Procedure, Scenario
from engine.office.stage import TellingRegister
from tests.web.browsing import PHONE
from tests.web.portal import ROOT, Portal, open_portal
from tests.web.walker import Looker, Walker, technical_names
from tests.web.walks import Walk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SLUGS = sorted(path.stem for path in (ROOT / "procedures").glob("*.yaml"))
WITH_SCRIPTS = ("carte-de-sejour", "creation-entreprise", "e-visa", "permis-de-conduire", "permis-de-construire")
WAYS = [*((slug, False) for slug in SLUGS), *((slug, True) for slug in WITH_SCRIPTS)]


@pytest.fixture(scope="module")
def registers() -> TellingRegister:
    return TellingRegister()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, registers: TellingRegister) -> Iterator[Portal]:
    """One for all the walks of a worker; its clock is put back to the day of each."""
    with open_portal(tmp_path_factory.mktemp("portal"), registers={"*": registers}) as opened:
        yield opened


@pytest.fixture(scope="module")
def looker(browser: Browser) -> Looker:
    return Looker(browser)


def test_every_procedure_is_walked() -> None:
    assert len(SLUGS) >= 15


@pytest.mark.parametrize(("slug", "scripts"), WAYS, ids=[f"{slug}-{'js' if way else 'no-js'}" for slug, way in WAYS])
def test_a_walk(
    browser: Browser, portal: Portal, registers: TellingRegister, looker: Looker, slug: str, scripts: bool,
) -> None:  # fmt: skip
    procedure = portal.office.catalogue.procedures[slug]
    contexts, names = [], technical_names(procedure)

    def enters(name: str, desk: bool) -> Walker:
        context = browser.new_context(viewport=PHONE, java_script_enabled=scripts, locale="fr-FR")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        return Walker(
            page, portal.url, limit=60_000 if desk else 30_000, names=names, looker=looker, scripts=scripts, desk=desk,
            shots=_shots(slug, scripts, name),
        )  # fmt: skip

    walk = Walk(
        portal, registers, procedure, _granted_story(procedure), enters, f"+228909{WAYS.index((slug, scripts)):05d}"
    )
    try:
        walk.walk()
    finally:
        for context in contexts:
            context.close()
    me, agents = walk.me, list(walk.people.values())
    print(f"{slug:34}{'js' if scripts else '':3}", *(f"{one:>8}" for one in (
        len(me.screens), me.taps, me.typed, me.octets, len(agents), sum(len(one.screens) for one in agents))))  # fmt: skip
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


def _shots(slug: str, scripts: bool, name: str) -> Path | None:
    """Where pictures of the screens go: `GUICHET_SHOTS=folder` keeps them."""
    kept = os.environ.get("GUICHET_SHOTS")
    if not kept:
        return None
    folder = Path(kept) / f"{slug}-{'js' if scripts else 'no-js'}" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
