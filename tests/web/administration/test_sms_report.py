"""The page that says what text messages cost, and the command that prints it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.records.statistics import SmsCount
from engine.services.accounts import agents as people
from engine.services.context.app_context import AppContext
from renderers.cli.admin.sms import sms_report_command
from tests.web.browser_person import DESK
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal
from tests.web.staff_site import StaffSite, open_staff_site

pytestmark = pytest.mark.slow

PAGE = "/agent/equipe/sms"
COUNTS = (
    SmsCount("2026-10", "", "TG", 1_200, 1_250, 0, 1_562_500),
    SmsCount("2026-11", "", "TG", 40_000, 40_100, 0, 50_125_000),
    SmsCount("2026-11", "passeport-ordinaire", "TG", 900, 1_000, 0, 1_250_050),
    SmsCount("2026-11", "passeport-ordinaire", "BJ", 3, 4, 4, 0),
)


def counted(office: AppContext) -> None:
    with office.store.unit(write=True) as unit:
        for one in COUNTS:
            unit.add_sms(one)


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def test_an_administrator_reads_what_they_cost(staff_site: StaffSite) -> None:
    chef = staff_site.agent("administration")
    assert "Aucun SMS n’est parti." in chef.see(PAGE)
    counted(staff_site.world.office)
    shown = chef.see(PAGE).replace("\u00a0", " ").replace("\u202f", " ")
    assert "Novembre 2026" in shown
    assert "501 250 FCFA" in shown
    assert "12 501 FCFA" in shown, "rounded up"
    assert "prix inconnu" in shown
    assert "Segments sans prix configuré : 4." in shown
    assert "513 751 FCFA" in shown, "the total"
    october = chef.see(f"{PAGE}?mois=2026-10").replace("\u00a0", " ").replace("\u202f", " ")
    assert "15 625 FCFA" in october
    assert "sans prix" not in october
    rows = list(csv.reader(io.StringIO(chef.get(f"{PAGE}.csv?mois=2026-11").get_data(as_text=True).lstrip("\ufeff"))))
    assert rows[1] == ["2026-11", "portal", "TG", "40000", "40100", "0", "501250.00"]
    assert len(rows) == 4


def test_an_agency_reads_its_own(staff_site: StaffSite) -> None:
    counted(staff_site.world.office)
    person = people.Person("C. Chef", {"dgdn/controleur": None}, administers=("dgdn",))
    given = people.change_person(
        staff_site.world.office, staff_site.actor("administration"), "demo-dgdn.controleur", person
    )
    shown = staff_site.agent(given.login).see(PAGE)
    assert "Passeport" in shown
    assert "Portail" not in shown


def test_the_command_prints_a_month_or_all(staff_site: StaffSite) -> None:
    counted(staff_site.world.office)
    command = sms_report_command(lambda: staff_site.world.office)
    rows = list(csv.reader(io.StringIO(CliRunner().invoke(command, []).output)))
    assert rows[0] == ["month", "procedure", "country", "messages", "segments", "unpriced_segments", "cost_xof"]
    assert [row[0] for row in rows[1:]] == ["2026-11"] * 3 + ["2026-10"]
    assert ["2026-11", "passeport-ordinaire", "TG", "900", "1000", "0", "12500.50"] in rows
    one = CliRunner().invoke(command, ["--month", "2026-10"])
    assert one.output.splitlines()[1:] == ["2026-10,portal,TG,1200,1250,0,15625.00"]
    wrong = CliRunner().invoke(command, ["--month", "2026-13"])
    assert wrong.exit_code == 2
    assert "2026-13" in wrong.output


@pytest.mark.browser
@pytest.mark.parametrize(
    "viewport",
    [{"width": 360, "height": 740}, pytest.param(DESK, marks=pytest.mark.nightly("journey"))],
    ids=["360", "1280"],
)
def test_the_report_in_a_browser(enter: Enter, portal: Portal, viewport: dict[str, int]) -> None:
    counted(portal.office)
    chef = enter("chef", viewport, looks=True, limit=60_000)
    chef.go("/agent/connexion?suite=/agent/equipe")
    chef.fill(login="administration", password=PASSWORD)
    chef.press("Se connecter")
    chef.press("SMS envoyés et leur coût")
    assert chef.sees("Emporter ce mois en CSV")
    chef.press("Octobre 2026")
    assert chef.sees("15 625 FCFA")
    chef.check()
