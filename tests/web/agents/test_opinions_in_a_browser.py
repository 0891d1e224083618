"""A building permit from its sending to its signature, at the desks of five services, in a real browser: opinions asked side
by side, one against, one silent, the visit and its report, a refusal, an appeal that reopens, the permit signed.
By day it ends with the refusal: the appeal asks the opinions anew on the same pages."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from engine.core.values import new_id
from engine.domain.common.decision import Act
from engine.records.dossier import Actor, Dossier
from engine.services.applications import casework
from tests import worker
from tests.web.agents.test_staff_pages_in_a_browser import as_agent, sent
from tests.web.browser_person import DESK, Person
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PERMIT = "permis-de-construire"
PLANNER, MAYOR, DEPUTY, INSPECTOR = "mairie.urbaniste", "mairie.maire", "mairie.maire.2", "mairie.inspecteur"
ROADS, LAND, FIRE = "mairie.voirie", "gfu.conservateur", "sapeurs_pompiers.prevention"
READ_ON_THE_PLANS = {
    "beneficiaire": "Mᵐᵉ AMEGAN Afi", "projet_analyse": "la construction neuve d'une école", "surface_autorisee": "150",
    "terrain_analyse": "le terrain de 600 m² sis à Kodjoviakopé", "architecte_analyse": "LAWSON Têvi, n° 412",
}  # fmt: skip


class Case:
    """One dossier and whoever stands at its desks; what the applicant does goes through the office."""

    def __init__(self, portal: Portal, enter: Enter, viewport: dict[str, int]) -> None:
        self.portal, self.enter, self.viewport = portal, enter, viewport
        self.people: dict[str, Person] = {}
        self.looked: set[tuple[str, str, str]] = set()
        self.number = sent(portal, PERMIT, "+22890110009", destination="erp").number

    @property
    def dossier(self) -> Dossier:
        return self.portal.dossier(self.number)

    @property
    def base(self) -> str:
        return f"/agent/dossiers/{self.number}"

    def at(self, login: str) -> Person:
        """This agent, before the dossier."""
        if login not in self.people:
            self.people[login] = as_agent(self.enter, login, "/agent/connexion", self.viewport)
            self.people[login].looks = False  # each kind of page is looked at once a step (`looks_at`)
        person = self.people[login]
        person.go(self.base)
        if "/connexion" in person.page.url:  # days went by
            person.fill(login=login, password=PASSWORD)
            person.press("Se connecter")
        return self.looks_at(person)

    def looks_at(self, person: Person) -> Person:
        kind = (urlsplit(person.page.url).path, person.page.title(), self.dossier.state)
        if kind not in self.looked:
            self.looked.add(kind)
            person.look()
        return person

    def press(self, person: Person, text: str) -> Person:
        person.press(text)
        return self.looks_at(person)

    def act(self, login: str, act: str, reason: str = "", **answers: str) -> Person:
        """Fills what the act asks, reads what it will do, and confirms it."""
        person = self.at(login)
        person.go(f"{self.base}/acte/{act}")
        self.looks_at(person)
        if reason:
            answers["act-reason"] = reason
        if answers:
            person.fill(**answers)
            self.press(person, "Voir avant d’envoyer")
        self.press(person, "Confirmer")
        return person

    def opinion(self, login: str, service: str, said: str) -> Person:
        person = self.at(login)
        self.press(person, "Donner l’avis")
        assert person.page.url.endswith(f"/a-faire/services/{service}")
        person.fill(opinion=said)
        self.press(person, "Continuer")
        self.press(person, "Confirmer")
        assert person.sees("C’est fait")
        return person

    def report(self) -> Person:
        person = self.at(INSPECTOR)
        self.press(person, "Remplir")
        self.press(person, "Continuer")
        assert person.sees("Répondez oui ou non à « Le terrain correspond-il aux plans ? »")
        person.fill(terrain_conforme="true", observations="Bornes en place")
        self.press(person, "Continuer")
        self.press(person, "Confirmer")
        return person

    # -- what others do

    def paid(self) -> None:
        owner, office = self._owner(), self.portal.office
        provider = next(iter(office.providers))
        worker.start_payment(
            office, owner, self.dossier.id, provider=provider, payer="+22890000001", token=new_id()
        )  # fmt: skip
        wait_until(lambda: self.dossier.state != "a_payer")

    def visited(self) -> None:
        """The applicant telephoned: the inspector takes the slot for them, then receives."""
        person = self.at(INSPECTOR)
        self.press(person, "Prendre un créneau")
        with person.page.expect_navigation():
            person.page.locator("[name=start]").first.click()
        person.arrived()
        self.looks_at(person)
        self.press(person, "Confirmer ce rendez-vous")
        start = self.dossier.bookings["visite"].start
        self.portal.move_to(start + timedelta(minutes=5))
        person = self.at(INSPECTOR)
        person.go(f"/agent/rendez-vous/{start.date()}")
        self.press(person, "Reçu")
        person.arrived()
        self.press(person, "Noter « Reçu »")

    def _owner(self) -> Actor:
        owner = self.dossier.owner
        with self.portal.office.store.unit() as unit:
            account = unit.account(owner)
        assert account is not None
        return account.actor()

    def appeal(self) -> None:
        casework.take_transition(
            self.portal.office, self._owner(), self.dossier.id, Act("former_recours", "Deuxième issue dessinée"),
            token=new_id(),
        )  # fmt: skip


@pytest.mark.parametrize("appealed", [False, pytest.param(True, marks=pytest.mark.nightly("journey"))])
def test_a_permit_refused_then_signed(enter: Enter, portal: Portal, appealed: bool) -> None:
    case = Case(portal, enter, DESK)
    case.act(PLANNER, "recevoir")
    case.paid()
    assert case.dossier.state == "instruction"

    # whoever owes an opinion finds it in the list, and only its author and its readers know what it says
    land = case.at(LAND)
    land.go("/agent")
    assert land.sees("Avis à donner")
    case.opinion(LAND, "avis_foncier", "unfavourable")
    land.go("/agent")
    assert not land.sees(case.dossier.label)
    fire = case.opinion(FIRE, "avis_feu", "favourable")
    fire.go(case.base)
    assert not fire.sees("Défavorable")
    planner = case.at(PLANNER)
    assert planner.sees("Défavorable")
    assert planner.sees("Services techniques, avant le")
    assert planner.sees("le dossier passe de lui-même à « Avis obligatoires avant l’accord »"), "the public will enter"

    # the visit, its report, then time says what the roads did not
    case.visited()
    case.report()
    assert case.dossier.state == "instruction"
    portal.move_to(case.dossier.entered_at + timedelta(days=17))
    assert case.dossier.state == "commission"
    planner = case.at(PLANNER)
    assert planner.sees("délai passé")
    assert planner.sees("Possible seulement si")
    case.act(PLANNER, "proposer_refus", "Titre foncier contesté")
    case.act(MAYOR, "signer_refus")
    assert case.dossier.state == "refuse"
    if appealed:
        signed_on_appeal(case)
    for person in case.people.values():
        person.check()


def signed_on_appeal(case: Case) -> None:
    """The appeal, heard by another than who signed the refusal, asks everyone anew, and the permit is signed."""
    case.appeal()
    case.act(DEPUTY, "rouvrir", "Titre foncier produit")
    for login, service in ((ROADS, "avis_voirie"), (LAND, "avis_foncier"), (FIRE, "avis_feu")):
        case.opinion(login, service, "favourable")
    inspector = case.report()
    assert inspector.sees("Le dossier passe à « Commission d'urbanisme »") or inspector.sees("Commission d’urbanisme")
    case.act(PLANNER, "proposer_accord", **READ_ON_THE_PLANS)
    mayor = case.act(MAYOR, "signer")
    assert case.dossier.state == "permis"
    assert mayor.sees("Arrêté portant permis de construire")
