"""Dossiers handled by keyboard alone, in a real browser: with the keys of one letter, and without a script."""

from __future__ import annotations

from datetime import date

import pytest

from engine.core.values import new_id
from engine.services.payments.payments import start_payment
from tests.engine.services.world import PASSPORT, World
from tests.web.agents.test_staff_pages_in_a_browser import as_agent, sent
from tests.web.browser_person import DESK, Person
from tests.web.citizen.test_group_journeys import agent_of
from tests.web.conftest import Enter
from tests.web.input_methods import Keys
from tests.web.portal import Portal, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOGIN, DOOR = "dgdn.controleur", "/agent/connexion"
MOST_OCTETS = 5_000
AZERTY = """code => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", {key: "&é\\"'("[code - 1], code: `Digit${code}`, bubbles: true, cancelable: true}))"""


def strike(agent: Person, *keys: str) -> None:
    for key in keys:
        agent.page.keyboard.press(key)


def goes(agent: Person, *keys: str) -> None:
    """Strikes keys, the last of which leads to another page."""
    strike(agent, *keys[:-1])
    with agent.page.expect_navigation():
        strike(agent, keys[-1])
    agent.page.wait_for_load_state("load")


def focused(agent: Person) -> str:
    return str(agent.page.evaluate("document.activeElement.id || document.activeElement.textContent"))


def test_a_list_is_worked_off_by_keys_of_one_letter(enter: Enter, portal: Portal) -> None:
    numbers = [sent(portal, PASSPORT, f"+2289011000{n}").number for n in range(3)]
    agent = as_agent(enter, LOGIN, DOOR, DESK)
    page = agent.page
    strike(agent, "?")
    assert "Cocher la ligne" in page.locator("dialog[open]").inner_text(), "each line may be labelled"
    strike(agent, "Escape", "j", "j", "k")
    goes(agent, "j", "Enter")
    first = page.url.split("/")[-1]
    with page.expect_navigation():
        page.evaluate(AZERTY, 1)
    page.wait_for_load_state("load")
    goes(agent, "o")
    assert agent.sees("C’est fait : Déclarer conforme.")
    assert portal.dossier(first).state == "a_payer"

    goes(agent, "p")
    second = page.url.split("/")[-1]
    assert second != first
    strike(agent, "c")
    assert page.evaluate("document.activeElement.type") == "checkbox"
    strike(agent, "Space", "Tab")
    page.keyboard.type("n 2 u/ ?")  # letters of a reason are no keys
    assert page.url.split("#")[0].endswith(second)
    strike(agent, "Tab")
    goes(agent, "2")
    goes(agent, "o")
    correction = portal.dossier(second).correction
    assert correction is not None
    assert list(correction.fields.values()) == ["n 2 u/ ?"]

    goes(agent, "u")
    assert "/agent?file=" in page.url
    strike(agent, "/")
    assert focused(agent) == "q"
    page.keyboard.type("jgd1")
    assert page.locator("#q").input_value() == "jgd1"
    page.locator("main h1").click()
    goes(agent, "g", "r")
    assert "/agent/rendez-vous" in page.url
    goes(agent, "g", "d")
    goes(agent, "t")
    assert page.url.split("/")[-1] in set(numbers) - {first, second}
    strike(agent, "?")
    told = page.locator("dialog[open]").inner_text()
    for words in ("1\nDéclarer conforme", "3\nRefuser", "c\nCocher ce qui est à corriger", "+\nAgrandir", "r\nPivoter"):
        assert words in told
    assert "Ligne suivante" not in told, "there is no list here"
    agent.look()
    strike(agent, "Control+1", "1")
    assert page.locator("dialog[open]").count() == 1, "keys wait until the help is closed"
    strike(agent, "Escape")
    goes(agent, "3")
    assert page.url.endswith("/acte/refuser")
    strike(agent, "Tab")
    assert focused(agent) == "act-reason"
    agent.check()


def test_keys_are_switched_off_in_the_account(enter: Enter, portal: Portal) -> None:
    dossier = sent(portal, PASSPORT, "+22890110001")
    agent = as_agent(enter, LOGIN, DOOR, DESK)
    for button, works in (("Désactiver les touches", False), ("Activer les touches", True)):
        agent.go("/agent/compte")
        agent.press(button)
        agent.go(f"/agent/dossiers/{dossier.number}")
        assert agent.page.locator("dialog").count() == works
        assert agent.page.locator('script[src*="desk"]').count() == works
        if works:
            goes(agent, "1")
        else:
            strike(agent, "1")
            agent.page.wait_for_timeout(500)
        assert agent.page.url.endswith("/acte/conforme") is works


def test_a_dossier_is_decided_by_keyboard_without_a_script(enter: Enter, portal: Portal) -> None:
    dossier = sent(portal, PASSPORT, "+22890110001")
    agent = as_agent(enter, LOGIN, DOOR, DESK, scripts=False)
    agent.go(f"/agent/dossiers/{dossier.number}")
    goes(agent, "Tab", "Tab", "Enter", "Enter")
    strike(agent, "Tab")
    assert focused(agent).startswith("Confirmer"), "the page of an act begins at the act"
    goes(agent, "Enter")
    assert portal.dossier(dossier.number).state == "a_payer"
    keys = agent.page.locator("[accesskey]").evaluate_all("all => all.map(one => one.accessKey)")
    assert len(keys) == len(set(keys)), "no access key is given twice"


def test_the_script_of_keys_is_small(portal: Portal, enter: Enter) -> None:
    agent = as_agent(enter, LOGIN, DOOR, DESK)
    source = agent.page.locator('script[src*="/desk."]').get_attribute("src")
    answer = agent.page.request.get(portal.url + str(source), headers={"Accept-Encoding": "gzip"})
    assert int(answer.headers["content-length"]) <= MOST_OCTETS


def booked(portal: Portal, number: str) -> date:
    """The request of this number is paid for, and its first slot taken. Returns the day."""
    world, dossier = World(portal.office, None, portal.operator), portal.dossier(number)  # type: ignore[arg-type]
    with portal.office.store.unit() as unit:
        account = unit.account(dossier.owner)
    assert account is not None
    owner = world.people[dossier.owner] = account.actor()
    world.take(dossier, agent_of(portal, "dgdn/controleur"), "conforme")
    provider = next(iter(portal.office.providers))
    start_payment(portal.office, owner, dossier.id, provider=provider, payer="+22890000001", token=new_id())
    wait_until(lambda: portal.dossier(number).state == "rendez_vous")
    return world.booked(dossier, "depot").bookings["depot"].start.date()


class ByKeys:
    """An agent who touches nothing but keys: those of one letter with scripts, else Tab and Enter."""

    def __init__(self, agent: Person, scripts: bool) -> None:
        self.agent, self.page, self.scripts, self.hands = agent, agent.page, scripts, Keys(agent.page)

    def follow(self, key: str, selector: str) -> None:
        """Opens what a key of one letter opens."""
        self.page.locator(selector).first.wait_for()
        if self.scripts and key:
            goes(self.agent, *key.split())
            return
        with self.page.expect_navigation():
            self.hands.press(self.page.locator(selector).first)
        self.page.wait_for_load_state("load")

    def act(self, id: str, key: str) -> None:
        self.follow(key, f'.acts a[href$="/acte/{id}"]')

    def confirm(self) -> None:
        self.follow("o", "main button[value=confirm]")
        assert self.agent.sees("C’est fait"), self.agent.text()

    def write(self, selector: str, text: str) -> None:
        self.hands.write(self.page.locator(selector), text)

    @property
    def number(self) -> str:
        return self.page.url.partition("/dossiers/")[2].partition("/")[0].partition("?")[0].partition("#")[0]

    def next(self) -> None:
        self.follow("t", "button[aria-keyshortcuts=t]")


@pytest.mark.parametrize(
    ("scripts", "decisions"),
    [
        pytest.param(True, 8, marks=pytest.mark.nightly("journey")),
        pytest.param(False, 8, marks=pytest.mark.nightly("journey")),
        (False, 1),
    ],
    ids=["js", "no-js", "no-js-short"],
)
def test_a_day_of_twelve_dossiers_by_keyboard(enter: Enter, portal: Portal, scripts: bool, decisions: int) -> None:
    """Eight decisions, a correction, a refusal, a message with a note, then a visit at the counter. By day, one decision."""
    numbers = {sent(portal, PASSPORT, f"+228901200{n:02d}").number for n in range(decisions + 4)}
    visit = sorted(numbers)[0]
    day = booked(portal, visit)
    agent = as_agent(enter, LOGIN, DOOR, DESK, scripts)
    keys = ByKeys(agent, scripts)
    keys.follow("t", "button[aria-keyshortcuts=t]")
    for _ in range(decisions):
        number = keys.number
        keys.act("conforme", "1")
        keys.confirm()
        assert portal.dossier(number).state == "a_payer"
        keys.next()

    number = keys.number
    for name, why in (("nom", "Autre nom sur l’acte"), ("lieu_naissance", "Illisible")):
        keys.hands.check(agent.page.locator(f'[name="act-field"][value="{name}"]'))
        keys.write(f'[name="act-why-{name}"]', why)
    keys.follow("", ".acts button[form=act]")
    keys.confirm()
    correction = portal.dossier(number).correction
    assert correction is not None
    assert dict(correction.fields) == {"nom": "Autre nom sur l’acte", "lieu_naissance": "Illisible"}

    keys.next()
    number = keys.number
    keys.act("refuser", "3")
    keys.write("#act-reason", "Pièces fausses.")
    keys.follow("", "main .actions button[value=preview]")
    keys.confirm()
    assert portal.dossier(number).state == "refuse"

    keys.next()
    number = keys.number
    keys.follow("m", "a[aria-keyshortcuts=m]")
    keys.write("#body", "Apportez votre ancienne carte.")
    keys.follow("", "main form button.button")
    assert agent.sees("Apportez votre ancienne carte."), agent.text()
    agent.check()

    portal.move_to(portal.dossier(visit).bookings["depot"].start)  # which ends the session of the day before
    seat = as_agent(enter, "dgdn.guichet", DOOR, DESK, scripts)
    keys = ByKeys(seat, scripts)
    keys.follow("g r", 'a[href^="/agent/rendez-vous"]')
    assert seat.page.url.endswith(day.isoformat())
    keys.follow("", f'button[name=mark][value="{visit}/depot/attended"]')
    keys.follow("o", "main button[value=confirm]")
    assert portal.dossier(visit).state == "originaux"
    seat.check()
