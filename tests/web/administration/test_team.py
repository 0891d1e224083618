"""The page of a team: an administrator adds, changes, closes; a password is shown once; everybody else is turned away."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from engine.records.dossier import Account
from engine.services.accounts import agents as people
from tests.web.browser_person import DESK
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal
from tests.web.staff_site import Seat, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

CHECKER = "dgdn/controleur"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def added(staff_site: StaffSite, chef: Seat, **more: object) -> str:
    """The address of a person whom the administrator adds."""
    fields = {"login": "mensah", "name": "A. Mensah", "role": [CHECKER], **more}
    shown = chef.post("/agent/equipe/nouveau", **fields)
    assert shown.status_code == 200, read(shown)
    found = re.search(
        r'href="(/agent/equipe/[^"]+)">A. Mensah', chef.get("/agent/equipe?q=mensah").get_data(as_text=True)
    )
    assert found
    return found[1]


def test_a_person_added_signs_in_and_has_these_rights(staff_site: StaffSite) -> None:
    chef = staff_site.agent("administration")
    shown = chef.post("/agent/equipe/nouveau", login="mensah", name="A. Mensah", role=[CHECKER])
    password = re.search(r"\b[2-9a-z]{4}(-[2-9a-z]{4}){3}\b", read(shown))
    assert password
    newcomer = staff_site.stranger()
    entered = newcomer.post("/agent/connexion", login="mensah", password=password[0])
    assert entered.headers["Location"] == "/agent/connexion/suite"
    assert "Agent de conformité, Direction générale de la documentation nationale" in chef.see("/agent/equipe?q=mensah")


def test_a_declared_number_is_shown_changed_and_taken_away(staff_site: StaffSite) -> None:
    chef = staff_site.agent("administration")
    address = added(staff_site, chef, phone="90 11 22 33")
    assert 'value="90 11 22 33"' in chef.get(address).get_data(as_text=True)
    wrong = chef.post(address, name="A. Mensah", role=[CHECKER], phone="12")
    assert (wrong.status_code, 'value="12"' in wrong.get_data(as_text=True)) == (422, True)
    chef.post(address, name="A. Mensah", role=[CHECKER])
    assert 'value="90 11 22 33"' in chef.get(address).get_data(as_text=True), (
        "a page of the release before has no such field"
    )
    chef.post(address, name="A. Mensah", role=[CHECKER], phone="90 11 22 34")
    chef.post(address, name="A. Mensah", role=[CHECKER], phone="")
    assert 'value="90 11 22 33"' not in chef.get(address).get_data(as_text=True)
    journal = chef.see("/agent/equipe/journal")
    assert re.findall(r"Numéro personnel : (\w+)", journal) == ["retiré", "changé", "déclaré"]


def test_rights_change_end_and_close(staff_site: StaffSite) -> None:
    chef = staff_site.agent("administration")
    address = added(staff_site, chef)
    until = {f"until:{CHECKER}": "2027-01-31"}
    changed = chef.post(address, name="A. Mensah", role=[CHECKER], office=["dgdn_lome"], until="2027-12-31", **until)
    assert changed.headers["Location"] == "/agent/equipe"
    seen = chef.see("/agent/equipe?q=mensah")
    assert "(jusqu’au 31 janvier 2027)" in seen
    assert "Bureau : DGDN, Lomé" in seen
    assert "Les droits de A. Mensah sont changés." in seen
    assert "n’en est pas une : demain" in read(chef.post(address, name="A. Mensah", role=[CHECKER], until="demain"))
    assert "Donnez au moins un rôle, ou fermez le compte." in read(chef.post(address, name="A. Mensah"))
    assert "Remettez-le en main propre" in read(chef.post(f"{address}/mot-de-passe", at=address))
    assert chef.post(f"{address}/fermer", at=address).status_code == 303
    assert "Fermé" in chef.see("/agent/equipe?q=mensah")
    chef.post(address, name="Le Ministre", role=["dgdn/guichet"])
    chef.post(address, name="A. Mensah", role=[CHECKER])
    journal = chef.see("/agent/equipe/journal")
    assert journal.count("Nom : changé (identifiant mensah)") == 2, "a document signed meanwhile bears the other name"
    assert "Rôles d’avant : Agent de conformité" in journal
    for said in ("compte ouvert", "droits changés", "nouveau mot de passe donné", "compte fermé", "B. Tossou"):
        assert said in journal


def test_no_right_is_widened_by_what_the_page_does_not_offer(staff_site: StaffSite) -> None:
    """No office means all offices, no procedure all procedures: what is unknown is kept or refused, never left out."""
    chef = staff_site.agent("administration")
    address = added(staff_site, chef, office=["dgdn_lome"])
    answer = chef.post(address, name="A. Mensah", role=[CHECKER], office=["dgdn_ferme"])
    assert "Ce bureau n’est pas de ses services" in read(answer)
    assert "Bureau : DGDN, Lomé" in chef.see("/agent/equipe?q=mensah")
    assert "Ce bureau n’est pas de ses services" in read(
        chef.post("/agent/equipe/nouveau", login="bawa", name="D. Bawa", role=[CHECKER], office=["casier_lome"])
    )
    account = Account(
        "cour", "auditor", "L. Cour", "cour", procedures=("demarche-retiree",), until=date(2027, 1, 31)
    )  # fmt: skip
    with staff_site.world.office.store.unit(write=True) as unit:
        unit.put_account(account)
    page = chef.get("/agent/equipe/cour").get_data(as_text=True)
    ticked = re.findall(r'name="procedure" value="([^"]+)" checked', page)
    assert ticked == ["demarche-retiree"]
    assert chef.post("/agent/equipe/cour", name="L. Cour", procedure=ticked, until="2027-12-31").status_code == 303
    with staff_site.world.office.store.unit() as unit:
        kept = unit.account("cour")
    assert kept is not None
    assert (kept.procedures, kept.until) == (account.procedures, date(2027, 12, 31))


def test_the_journal_is_paged(staff_site: StaffSite) -> None:
    chef, office, root = staff_site.agent("administration"), staff_site.world.office, staff_site.actor("administration")
    added(staff_site, chef)
    with office.store.unit(write=True) as unit:
        about = unit.account_of("agent", "mensah")
        assert about is not None
        for _ in range(55):
            people.note_about(office, unit, root, "factor_reset", about)
    first = chef.get("/agent/equipe/journal")
    assert "compte ouvert" not in read(first)
    older = re.search(r'href="(/agent/equipe/journal\?avant=\d+)" rel="next"', first.get_data(as_text=True))
    assert older
    assert "A. Mensah : compte ouvert" in chef.see(older[1])
    assert "Début de la liste" in chef.see(older[1])
    assert chef.get("/agent/equipe/journal?avant=x").status_code == 200
    assert "Aucun changement." in chef.see("/agent/equipe/journal?au=2020-01-01")
    narrowed = f"/agent/equipe/journal?personne={about.id}&au=2999-12-31"
    rest = re.search(r'href="([^"]+)" rel="next"', chef.get(narrowed).get_data(as_text=True))
    assert rest
    assert rest[1].startswith(narrowed.replace("&", "&amp;") + "&amp;avant=")
    assert chef.get("/agent/equipe/journal?au=x&personne=x").status_code == 200


def test_two_administrators_on_one_page_do_not_write_over_each_other(staff_site: StaffSite) -> None:
    chef = staff_site.agent("administration")
    address = added(staff_site, chef)
    read_before = hidden(chef.client.get(address))
    assert chef.post(address, name="A. Mensah", role=[CHECKER, "dgdn/guichet"]).status_code == 303
    late = chef.client.post(address, data={**read_before, "name": "A. Mensah", "role": ["dgdn/production"]})
    assert late.status_code == 422
    assert "Quelqu’un a changé ces droits pendant que vous lisiez cette page." in read(late)
    assert "Agent de guichet" in chef.see("/agent/equipe?q=mensah"), "nothing was taken away"
    knowing = chef.client.post(address, data={**hidden(late), "name": "A. Mensah", "role": ["dgdn/production"]})
    assert knowing.status_code == 303
    assert "Agent de production" in chef.see("/agent/equipe?q=mensah")


def test_ones_own_page_shows_rights_and_changes_none(staff_site: StaffSite) -> None:
    chef = staff_site.agent("administration")
    mine = f"/agent/equipe/{staff_site.actor('administration').id}"
    assert "Personne ne change ses propres droits" in chef.see(mine)
    tried = chef.client.post(mine, data={"name": "B. Tossou", "role": CHECKER, "administers": "*"})
    assert tried.status_code == 422
    assert staff_site.actor("administration").roles == frozenset()
    assert chef.client.post(f"{mine}/mot-de-passe").status_code == 409


def test_who_manages_no_team_is_turned_away(staff_site: StaffSite) -> None:
    agent = staff_site.agent("dgdn.controleur")
    for path in (
        "/agent/equipe",
        "/agent/equipe/nouveau",
        "/agent/equipe/journal",
        "/agent/equipe/demo-administration",
    ):
        assert agent.get(path).status_code == 403
    assert "/agent/equipe" not in agent.get("/agent").get_data(as_text=True)


def test_an_agency_s_administrator_sees_and_changes_their_own_alone(staff_site: StaffSite) -> None:
    office, root = staff_site.world.office, staff_site.actor("administration")
    person = people.Person("C. Chef", {"sncja/reclamations": None}, administers=("sncja",))
    given = people.change_person(office, root, "demo-sncja.reclamations", person)
    chef = staff_site.agent(given.login)
    assert "dgdn.controleur" not in chef.see("/agent/equipe")
    form = chef.see("/agent/equipe/nouveau")
    assert "Greffier en chef" in form
    assert "Agent de conformité" not in form
    assert chef.get("/agent/equipe/demo-dgdn.controleur").status_code == 404
    assert (
        chef.client.post("/agent/equipe/nouveau", data={"login": "x.y", "name": "X", "role": CHECKER}).status_code
        == 422
    )


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    "viewport",
    [{"width": 360, "height": 740}, pytest.param(DESK, marks=pytest.mark.nightly("journey"))],
    ids=["360", "1280"],
)
def test_the_team_in_a_browser(enter: Enter, portal: Portal, viewport: dict[str, int]) -> None:
    chef = enter("chef", viewport, looks=True, limit=60_000)
    chef.go("/agent/connexion?suite=/agent/equipe")
    chef.fill(login="administration", password=PASSWORD)
    chef.press("Se connecter")
    chef.press("Ajouter une personne")
    chef.fill(login="mensah", name="A. Mensah", until="2020-01-01")
    chef.press("Ouvrir le compte")
    assert chef.sees("Donnez au moins un rôle, ou fermez le compte.")
    chef.page.locator("summary", has_text="Direction générale de la documentation nationale").click()
    chef.page.get_by_label("Agent de conformité", exact=True).check()
    chef.fill(until="2030-01-01")
    chef.press("Ouvrir le compte")
    assert chef.sees("Remettez-le en main propre")
    chef.press("C’est remis, continuer")
    chef.press("A. Mensah")
    chef.go("/agent/equipe/journal")
    chef.go("/agent/equipe/nouveau?genre=controleur")
    chef.check()
