"""The desks in a real browser: figures on a small phone, where axe finds nothing and nothing scrolls sideways; clicks, counted
without JavaScript. Every page of theirs: `test_every_page.py`."""

from __future__ import annotations

import pytest

from engine.core.values import Plain, new_id
from engine.domain.common.working_time import add_months
from engine.domain.reporting.counters import TOTALLED
from engine.records.dossier import Account, Dossier
from engine.records.statistics import Count, JournalCursor
from engine.services.applications import drafts as intake
from tests.engine.services.world import B3, PASSPORT, World, pdf
from tests.web.browser_person import DESK, Person
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal, photograph

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SMALL = {"width": 320, "height": 640}
MOST_CLICKS = 5  # for a correction of two answers, from the inbox; what is wrong with each is typed besides
MOST_TO_DECIDE = 3  # for a decision on a complete request, from the inbox


def sent(portal: Portal, procedure: str, phone: str, **given: Plain) -> Dossier:
    """A request with a picture and PDFs."""
    world = World(portal.office, None, portal.operator)  # type: ignore[arg-type]
    owner = world._person(Account(f"applicant {phone}", "applicant", "", phone))
    draft = world.draft(procedure, owner, **given)
    for number, problem in enumerate(intake.check(portal.office, owner, draft.id).errors):
        file = intake.Upload("acte.pdf", pdf()) if number else intake.Upload("photo.jpg", photograph(400, 300))
        intake.attach(portal.office, owner, draft.id, problem.at, file)
    return intake.submit(portal.office, owner, draft.id, declared=True, token=new_id())


def as_agent(enter: Enter, login: str, door: str, viewport: dict[str, int], scripts: bool = True) -> Person:
    person = enter(login, viewport, scripts, looks=scripts, limit=60_000)  # axe itself is a script
    person.go(door)
    person.fill(login=login, password=PASSWORD)
    person.press("Se connecter")
    return person


def last_months(portal: Portal) -> list[str]:
    """This month and the two before it, the newest first."""
    first = portal.office.day().replace(day=1)
    return [add_months(first, -back).isoformat()[:7] for back in range(3)]


def counted(portal: Portal) -> None:
    """A quarter of passports at two offices, as if the journal had been counted."""
    counts: dict[Count, int] = {}
    for month in last_months(portal):
        for place, times in (("dgdn_lome", 40), ("dgdn_kara", 3)):
            for figure, detail, n in (
                ("received", "web", 5), ("answered", "granted", 3), ("answered", "refused", 1), ("judged", "", 4),
                ("delay", "working_day:6", 4), ("pause", "working_day:2", 4), ("corrected", "", 2),
                ("corrected_field", "nom", 2), ("refusal", "refuser>refuse", 1), ("opened", "web", 7), ("dropped", "", 2),
                ("visit", "depot:attended", 2), ("visit", "depot:missed", 1), ("payment", "mixx:started", 4),
                ("payment", "mixx:paid", 3), ("payment", "mixx:failed", 1), ("payment_why", "mixx:balance", 1),
            ):  # fmt: skip
                counts[Count(PASSPORT, month, figure, place, detail)] = n * times
                if figure in TOTALLED:
                    total = Count("", month, figure, "", detail)
                    counts[total] = counts.get(total, 0) + n * times
    with portal.office.store.unit(write=True) as unit:
        unit.add_tallies(counts, None, JournalCursor(portal.office.now()))


def test_statistics_at_every_desk(enter: Enter, portal: Portal) -> None:
    viewport = SMALL
    counted(portal)
    month = last_months(portal)[1]
    reader = enter("reader", viewport, limit=60_000)
    for path in ("/statistiques", f"/demarches/{PASSPORT}/statistiques", f"/demarches/{B3}/statistiques"):
        reader.go(path)
    reader.go(f"/demarches/{PASSPORT}/statistiques")
    assert reader.page.locator("figure.plot").first.locator("rect").count() == 4  # two whole months
    assert reader.sees("dans le délai annoncé (20 jours ouvrés)")
    reader.check()
    for login, desk in (("dgdn.controleur", "agent"), ("controle", "audit")):
        person = as_agent(enter, login, f"/{desk}/connexion", viewport)
        for asked in ("", f"?demarche={PASSPORT}&periode={month}", f"?demarche={PASSPORT}&periode={month[:4]}"):
            person.go(f"/{desk}/statistiques{asked}")
        person.check()


def test_two_answers_are_sent_back_in_few_clicks(enter: Enter, portal: Portal) -> None:
    dossier = sent(portal, PASSPORT, "+22890110001")
    agent = as_agent(enter, "dgdn.controleur", "/agent/connexion", DESK, scripts=False)
    clicks = 0
    for step in (dossier.label, "#c-nom", "#c-acte_naissance", "Faire corriger", "Confirmer"):
        agent.page.locator(step).check() if step.startswith("#") else agent.press(step)
        if step.startswith("#"):
            agent.page.locator(step.replace("#c-", "#w-")).fill("Autre nom sur l’acte")
        clicks += 1
    print(f"two answers sent back to correct, from the inbox: {clicks} clicks and 2 fields")
    assert clicks <= MOST_CLICKS
    assert agent.sees("C’est fait : Faire corriger.")
    correction = portal.dossier(dossier.number).correction
    assert correction is not None
    assert dict(correction.fields) == dict.fromkeys(("nom", "acte_naissance"), "Autre nom sur l’acte")


def test_a_complete_request_is_decided_in_few_clicks_and_the_next_opened_in_one(enter: Enter, portal: Portal) -> None:
    first, second = sent(portal, PASSPORT, "+22890110001"), sent(portal, PASSPORT, "+22890110002")
    agent = as_agent(enter, "dgdn.controleur", "/agent/connexion", DESK, scripts=False)
    clicks = 0
    for step in (first.label, "Déclarer conforme", "Confirmer"):
        agent.press(step)
        clicks += 1
    print(f"a complete request decided, from the inbox: {clicks} clicks")
    assert clicks <= MOST_TO_DECIDE
    assert agent.sees("C’est fait : Déclarer conforme.")
    states = {one.number: portal.dossier(one.number).state for one in (first, second)}
    assert sorted(states.values()) == ["a_payer", "conformite"]
    agent.press("Dossier suivant")
    assert next(number for number, state in states.items() if state == "conformite") in agent.page.url


def test_a_head_of_service_shares_out_work_on_a_phone_without_scripts(enter: Enter, portal: Portal) -> None:
    some = [sent(portal, PASSPORT, f"+2289011000{n}") for n in range(2)]
    head = as_agent(enter, "dgdn.directeur", "/agent/connexion", SMALL, scripts=False)
    head.go("/agent/supervision")
    for one in some:
        head.page.locator(f"#l-{one.number}").check()
    for step in ("Attribuer les dossiers cochés", "Répartir", "Confirmer"):
        head.page.get_by_label(step).check() if step == "Répartir" else head.press(step)
    assert head.sees("Terminé : 2 dossiers faits.")
    assert len({portal.dossier(one.number).assigned for one in some}) == 2


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_supervision_is_read_at_every_width(enter: Enter, portal: Portal, width: int) -> None:
    sent(portal, PASSPORT, "+22890110001")
    head = as_agent(enter, "dgdn.directeur", "/agent/connexion", {"width": width, "height": 900})
    head.go("/agent/supervision")
    sizes = head.page.locator("figure.plot text").evaluate_all(
        "those => those.map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert sizes
    assert all(11 <= size <= 13 for size in sizes)
    heights = head.page.locator("table.dense tbody tr").evaluate_all("those => those.map(one => one.offsetHeight)")
    assert width < 1024 or max(heights) <= 40
    head.check()
