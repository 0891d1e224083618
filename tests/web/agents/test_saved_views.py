"""Lists that an agent keeps: saved, counted, shared by their address, gone with their procedure, removed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from engine.services.accounts.saved_views import MOST_VIEWS, save_view, saved_views
from engine.services.context.app_context import NotFound
from tests.engine.services.world import PASSPORT
from tests.web.staff_site import CLERK, GATEKEEPER, Seat, StaffSite, open_staff_site

pytestmark = pytest.mark.slow  # a whole site and its people for each test

LIST = f"/agent?file=tous&demarche={PASSPORT}&etape=conformite&tri=-recu&q=AMEGAN"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def keep(seat: Seat, name: str, at: str = LIST) -> str:
    answer = seat.post("/agent/vues", at=at, nom=name)
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_a_list_is_kept_under_a_name_with_its_count_and_without_the_searched_text(staff_site: StaffSite) -> None:
    for _ in range(2):
        staff_site.world.sent(PASSPORT)
    seat = staff_site.agent(GATEKEEPER)
    address = keep(seat, "  Contrôle   récent ")
    assert address == f"/agent?file=tous&demarche={PASSPORT}&etape=conformite&tri=-recu", (
        "no name of an applicant is kept"
    )
    page = seat.get(address).get_data(as_text=True)
    assert re.search(r'href="[^"]+" aria-current="page">Contrôle récent <span class="count">2</span>', page)
    assert "Contrôle récent" not in staff_site.agent(CLERK).see("/agent"), "of one person"
    assert staff_site.agent("dgdn.controleur.2").get(address).status_code == 200, "shared by its address"


def test_a_view_is_replaced_by_name_and_removed(staff_site: StaffSite) -> None:
    seat, who = staff_site.agent(GATEKEEPER), staff_site.actor(GATEKEEPER)
    keep(seat, "Recours")
    keep(seat, "Recours", "/agent?file=miens")
    (view,) = saved_views(staff_site.world.office, who)
    assert view.query == "file=miens"
    keep(seat, "Autres", "/agent?file=retard")
    assert seat.post(f"/agent/vues/{view.n}/oter", at="/agent").status_code == 303
    assert [one.name for one in saved_views(staff_site.world.office, who)] == ["Autres"]
    assert seat.post(f"/agent/vues/{view.n}/oter", at="/agent").status_code == 303, "already gone"
    keep(seat, "Encore")
    assert [one.n for one in saved_views(staff_site.world.office, who)] == [2, 3]


def test_a_view_without_name_and_one_too_many_are_refused(staff_site: StaffSite) -> None:
    seat, who = staff_site.agent(GATEKEEPER), staff_site.actor(GATEKEEPER)
    assert "Donnez un nom à la vue." in seat.see(keep(seat, "  "))
    for number in range(MOST_VIEWS):
        keep(seat, f"{number} " + "v" * 60)
    assert f"Vous avez déjà {MOST_VIEWS} vues. Ôtez-en une." in seat.see(keep(seat, "De trop"))
    views = saved_views(staff_site.world.office, who)
    assert len(views) == MOST_VIEWS
    assert {len(one.name) for one in views} == {40}


def test_a_view_whose_procedure_is_gone_counts_nothing_and_is_removed(staff_site: StaffSite) -> None:
    staff_site.world.sent(PASSPORT)
    seat = staff_site.agent(GATEKEEPER)
    keep(seat, "Contrôle")
    office = staff_site.app.extensions["guichet"].office
    left = {name: one for name, one in office.catalogue.procedures.items() if name != PASSPORT}
    object.__setattr__(office, "catalogue", replace(office.catalogue, procedures=MappingProxyType(left)))
    page = seat.get("/agent").get_data(as_text=True)
    assert '<span class="gone">Contrôle <span class="count">0</span></span>' in page
    assert seat.post("/agent/vues/1/oter", at="/agent").status_code == 303
    assert "Vue « Contrôle » ôtée." in seat.see("/agent")
    assert "Contrôle" not in seat.see("/agent")


def test_others_than_agents_keep_no_view(staff_site: StaffSite) -> None:
    assert saved_views(staff_site.world.office, staff_site.world.auditor()) == ()
    with pytest.raises(NotFound):
        save_view(staff_site.world.office, staff_site.world.auditor(), "Vue", "file=tous")
