"""Ten answers compared with their piece by keyboard alone, without a script; the page on a phone, looked at by axe."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from engine.language.catalogue.catalogue import Catalogue
from tests.engine.services.applications.test_opinions import good
from tests.makers import a_procedure, the_shared
from tests.web.agents.test_comparison import CLERK, NAME, OneRegister, at, sent
from tests.web.browser_person import DESK, PHONE, Person
from tests.web.live_site import listening
from tests.web.staff_site import PASSWORD, StaffSite, open_staff_site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SECONDS_A_KEY = 0.28  # of a clerk who is no typist (keystroke-level model)
SECONDS_A_LOOK = 3.0  # to read one value and find it on the piece
TEN = [f"valeur{number}" for number in range(10)]
FILE = f"""
title: Dix valeurs
form:
  vous:
    title: Vous
    fields:
{"".join(f"      {name}: {{label: Valeur {at}, example: Mot{at}}}{chr(10)}" for at, name in enumerate(TEN))}
evidence:
  acte: {{label: Acte}}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {{label: Accorder, to: accorde, confirms: {{acte: [{", ".join(TEN)}]}}}}
    accorde: {{label: Accordé, end: granted}}
"""


def site_of(folder: Path, catalogue: Catalogue) -> StaffSite:
    site = open_staff_site(folder, catalogue=catalogue)
    site.world.office = replace(site.world.office, registers={"*": OneRegister()})
    return site


def entered(browser: Browser, url: str, viewport: dict[str, int], login: str, scripts: bool) -> Person:
    context = browser.new_context(viewport=viewport, java_script_enabled=scripts, locale="fr-FR")  # type: ignore[arg-type]
    person = Person(context.new_page(), url, looks=scripts, limit=60_000)
    person.go("/agent/connexion")
    person.fill(login=login, password=PASSWORD)
    person.press("Se connecter")
    return person


def test_ten_values_are_confirmed_by_keyboard_within_a_minute(tmp_path: Path, browser: Browser) -> None:
    procedure = a_procedure(FILE)
    site = site_of(tmp_path, Catalogue.of([procedure], the_shared()))
    dossier = sent(site, name=procedure.id)
    with listening(site.app) as server:
        clerk = entered(browser, server.address, DESK, "mairie.maire", scripts=False)
        clerk.go(at(dossier, "/acte/accorder"))
        page, keys = clerk.page, 0
        field, picture = (page.locator(one).first.bounding_box() for one in (".same", ".sheet img"))
        assert field
        assert picture
        assert field["x"] + field["width"] <= picture["x"], "what is typed is beside the document"
        assert max(field["y"], picture["y"]) < DESK["height"]
        page.focus("#s-valeur0")
        for name in TEN:
            assert page.evaluate("document.activeElement.id") == f"s-{name}", "the boxes follow each other"
            page.keyboard.press("Space")
            page.keyboard.press("Tab")
            page.keyboard.press("Tab")
            keys += 3
        assert page.locator("input[name=act-same]:checked").count() == len(TEN)
        while page.evaluate("document.activeElement.value") != "preview":
            page.keyboard.press("Tab")
            keys += 1
        with page.expect_navigation():
            page.keyboard.press("Enter")
        keys += 1
        assert page.locator("button[value=confirm]").count() == 1
        page.context.close()
    assert keys * SECONDS_A_KEY + len(TEN) * SECONDS_A_LOOK + 5 <= 60, keys
    assert keys <= 40


def test_the_comparison_on_a_phone(tmp_path: Path, browser: Browser, request: pytest.FixtureRequest) -> None:
    site = site_of(tmp_path, good(NAME))
    dossier = sent(site)
    with listening(site.app) as server:
        clerk = entered(browser, server.address, PHONE, CLERK, scripts=True)
        clerk.go(at(dossier, "/acte/conforme"))
        wide = clerk.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]
        clerk.page.locator(".compare summary").nth(1).click()
        clerk.page.fill("[name=act-piece-prenoms]", "Afiwa")
        clerk.press("Voir avant d’envoyer")
        assert clerk.page.locator("details[open] [name=act-piece-prenoms]").input_value() == "Afiwa"
        assert clerk.page.locator(".errors a").count() == 3
        if shots := os.environ.get("GUICHET_SHOTS"):
            clerk.page.screenshot(path=f"{shots}/comparison-360.png", full_page=True)
            clerk.page.set_viewport_size(DESK)
            clerk.page.screenshot(path=f"{shots}/comparison-1280.png", full_page=True)
        clerk.check()
        clerk.page.context.close()
