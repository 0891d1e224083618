"""What an agent sees at once, and how few keys and clicks a dossier takes, in a real browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.values import new_id
from tests.engine.services.world import PASSPORT
from tests.web.agents.test_staff_pages_in_a_browser import as_agent, sent
from tests.web.browser_person import DESK, PHONE, Person
from tests.web.conftest import Enter
from tests.web.portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDE = {"width": 1920, "height": 1080}
MOST_HEIGHT, FEWEST_ROWS = 40, 25  # pixels; rows whole on a screen of 1080 lines
ROWS = """rows => rows.map(row => row.getBoundingClientRect()).map(box => [box.top, box.bottom])"""


def test_a_screen_shows_twenty_five_dossiers(enter: Enter, portal: Portal) -> None:
    first = sent(portal, PASSPORT, "+22890110001")
    with portal.office.store.unit(write=True) as unit:
        for n in range(39):
            unit.add_dossier(replace(first, id=new_id(), number=f"27{n:09d}", revision=1))
    agent = as_agent(enter, "dgdn.controleur", "/agent/connexion", WIDE)
    boxes = agent.page.locator("table.dense tbody tr").evaluate_all(ROWS)
    bars = agent.page.locator(".bulk").evaluate_all(ROWS)
    fold = min([WIDE["height"], *(top for top, _ in bars)])
    heights = [bottom - top for top, bottom in boxes]
    banner = agent.page.locator(".demo").evaluate_all(ROWS)  # an installation has none
    whole = sum(bottom <= fold + sum(bottom - top for top, bottom in banner) for _, bottom in boxes)
    print(f"rows of {max(heights):.0f} px at most, {whole} whole")
    assert max(heights) <= MOST_HEIGHT
    assert whole >= FEWEST_ROWS


def box(agent: Person, selector: str) -> dict[str, float]:
    found = agent.page.locator(selector).bounding_box()
    assert found, selector
    return {"x": found["x"], "y": found["y"], "width": found["width"], "height": found["height"]}


@pytest.mark.parametrize("viewport", [DESK, PHONE, WIDE], ids=lambda one: str(one["width"]))
def test_the_first_act_has_the_focus_after_three_keys(enter: Enter, portal: Portal, viewport: dict[str, int]) -> None:
    dossier = sent(portal, PASSPORT, "+22890110001")
    agent = as_agent(enter, "dgdn.controleur", "/agent/connexion", viewport, scripts=False)
    agent.go(f"/agent/dossiers/{dossier.number}")
    for key in ("Tab", "Tab", "Enter"):
        agent.page.keyboard.press(key)
    focused = agent.page.locator(":focus")
    assert focused.inner_text() == "Déclarer conforme"
    with agent.page.expect_navigation():
        agent.page.keyboard.press("Enter")
    agent.page.wait_for_load_state("load")
    agent.page.keyboard.press("Tab")
    assert agent.page.locator(":focus").inner_text().startswith("Confirmer"), "the page begins at the panel of the act"


@pytest.mark.parametrize(
    "viewport",
    [DESK, pytest.param(WIDE, marks=pytest.mark.nightly("screen")), PHONE],
    ids=lambda one: str(one["width"]),
)
def test_a_document_is_beside_the_answers_and_the_acts_stay_below(
    enter: Enter, portal: Portal, viewport: dict[str, int]
) -> None:
    dossier = sent(portal, PASSPORT, "+22890110001")
    agent = as_agent(enter, "dgdn.controleur", "/agent/connexion", viewport)
    agent.go(f"/agent/dossiers/{dossier.number}")
    picture = next(one for one in dossier.attachments if one.kind == "jpg")
    agent.page.locator(f'.tabs a[href*="{picture.id}"]').click()
    agent.arrived()
    answers, document = box(agent, ".answers"), box(agent, ".document")
    assert box(agent, ".acts")["y"] + box(agent, ".acts")["height"] <= viewport["height"]
    if viewport is PHONE:
        assert document["y"] >= answers["y"] + answers["height"]
    else:
        assert document["x"] >= answers["x"] + answers["width"]
        agent.page.mouse.wheel(0, 400)
        assert agent.page.locator(".sheet img").is_visible()
        tops = agent.page.locator(".answers .read > div").evaluate_all(ROWS)
        one_line = [bottom - top for top, bottom in tops][:12]
        print(f"answers of {min(one_line):.0f} px")
        assert min(one_line) <= 34
    agent.page.locator("#c-nom").check()
    agent.page.locator("#w-nom").fill("Autre nom")
    agent.press("Faire corriger")
    assert box(agent, ".panel")["y"] <= box(agent, ".answers")["y"], "the act in progress is never below the answers"
    agent.press("Modifier")
    assert agent.page.locator("#w-nom").input_value() == "Autre nom"
    other = next(one for one in dossier.attachments if one.id != picture.id)
    agent.page.locator("[name=act-reason]").fill("Un mot")
    with agent.page.expect_navigation():
        agent.page.locator(f'.tabs button[value="{other.id}"]').click()
    agent.arrived()
    assert agent.page.locator("[name=act-reason]").input_value() == "Un mot", "another file keeps what is typed"
    assert agent.page.locator("#c-nom").is_checked()
    with agent.page.expect_navigation():
        agent.page.locator(".tools button", has_text="Agrandir").click()
    agent.arrived()
    assert "w=1400" in str(agent.page.locator(".sheet img").get_attribute("src"))
    assert agent.page.locator("[name=act-reason]").input_value() == "Un mot", "so does a larger page"
    agent.check()
