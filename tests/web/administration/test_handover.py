"""Somebody of the team is away: said by their administrator, who hands their dossiers over without reading them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.records.dossier import Dossier
from engine.services.applications.casework import assign
from tests.engine.services.bulk_runner import to_sign
from tests.engine.services.world import B3, PASSPORT
from tests.web.staff_site import CLERK, GATEKEEPER, OTHER_CLERK, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def held(staff_site: StaffSite, count: int = 2) -> tuple[list[Dossier], str]:
    """Dossiers in the clerk's hands, and the page where they are handed over."""
    who = staff_site.actor(CLERK)
    some = [assign(staff_site.world.office, who, one.id, who.id) for one in to_sign(staff_site.world, count)]
    return some, f"/agent/equipe/{who.id}/dossiers"


def test_dossiers_change_hands_once_and_say_so(staff_site: StaffSite) -> None:
    (some, here), chief, other = held(staff_site), staff_site.agent("administration"), staff_site.actor(OTHER_CLERK)
    page = chief.get(here)
    assert "2 dossiers en main" in read(page)
    assert "AMEGAN" not in read(page)
    numbers = [one.number for one in some]
    preview = chief.client.post(here, data={**hidden(page), "dossier": numbers, "vers": other.id, "go": "preview"})
    assert "2 dossiers iront à" in read(preview)
    assert {staff_site.kept(one).assigned for one in some} == {staff_site.actor(CLERK).id}
    posted = {**hidden(preview), "go": "confirm"}
    where = {chief.client.post(here, data=posted).headers["Location"] for _ in range(2)}
    assert len(where) == 1
    seen = chief.see(where.pop())
    assert "Terminé : 2 dossiers faits." in seen
    assert "AMEGAN" not in seen
    assert {staff_site.kept(one).assigned for one in some} == {other.id}
    last = staff_site.world.read(lambda unit: unit.entries(some[0].id))[-1]
    assert (last.kind, last.body["to"], last.body["bulk"]) == ("assigned", other.id, 1)
    assert "dossiers confiés à d’autres" in chief.see("/agent/equipe/journal")


def test_back_to_the_queue_and_what_changed_meanwhile_is_left(staff_site: StaffSite) -> None:
    (some, here), chief = held(staff_site), staff_site.agent("administration")
    numbers = [one.number for one in some]
    preview = chief.client.post(here, data={"dossier": numbers, "vers": "file", "go": "preview"})
    staff_site.world.take(some[0], staff_site.actor(CLERK), "signer")
    where = chief.client.post(here, data={**hidden(preview), "go": "confirm"}).headers["Location"]
    assert "Terminé : 1 sur 2. Laissés de côté : 1." in chief.see(where)
    assert staff_site.kept(some[1]).assigned is None


def test_an_appeal_is_not_handed_to_who_refused(staff_site: StaffSite) -> None:
    world, chief = staff_site.world, staff_site.agent("administration")
    first, second = staff_site.actor(GATEKEEPER), staff_site.actor(f"{GATEKEEPER}.2")
    dossier = world.take(world.sent(PASSPORT), first, "refuser", reason="Non")
    dossier = world.take(dossier, world.applicant(), "contester", reason="Si")
    assign(world.office, second, dossier.id, second.id)
    here = f"/agent/equipe/{second.id}/dossiers"
    asked = {"dossier": [dossier.number], "vers": first.id, "go": "preview"}
    told = read(chief.client.post(here, data=asked))
    assert "Cette personne a déjà décidé sur ce dossier. Une autre doit le faire." in told
    assert staff_site.kept(dossier).assigned == second.id


@pytest.mark.parametrize("revision", ["9" * 23, "9" * 5000, "٣", "-1", ""])
def test_a_revision_that_is_none_is_left_out(staff_site: StaffSite, revision: str) -> None:
    (some, here), chief = held(staff_site), staff_site.agent("administration")
    preview = chief.client.post(here, data={"dossier": [some[0].number], "vers": "file", "go": "preview"})
    posted = {**hidden(preview), "dossier": [f"{some[0].number}:{revision}"], "go": "confirm"}
    assert chief.client.post(here, data=posted).status_code < 500
    assert staff_site.kept(some[0]).assigned == staff_site.actor(CLERK).id


def test_who_is_away_is_given_nothing(staff_site: StaffSite) -> None:
    (some, here), chief, other = held(staff_site), staff_site.agent("administration"), staff_site.actor(OTHER_CLERK)
    page = chief.client.post(here, data={"dossier": some[0].number, "vers": other.id, "go": "preview"})
    theirs = f"/agent/equipe/{other.id}"
    assert "Donnez le premier" in read(chief.client.post(f"{theirs}/absence", data={"du": "2026-11-23"}))
    backwards = chief.client.post(f"{theirs}/absence", data={"du": "2026-11-27", "au": "2026-11-24"})
    assert "vient avant le premier" in read(backwards)
    past = chief.client.post(f"{theirs}/absence", data={"du": "2026-11-01", "au": "2026-11-02"})
    assert "déjà finie" in read(past)
    assert chief.client.post(f"{theirs}/absence", data={"du": "2026-11-23", "au": "2026-11-27"}).status_code == 303
    assert "Absence du 23 novembre 2026 au 27 novembre 2026." in chief.see(f"{theirs}/dossiers")
    assert "Absent" in chief.see("/agent/equipe")
    refused = chief.client.post(here, data={"dossier": some[0].number, "vers": other.id, "go": "preview"})
    assert refused.status_code == 422
    late = chief.client.post(here, data={**hidden(page), "vers": other.id, "go": "confirm"})
    assert late.status_code == 422
    assert chief.client.post(f"{theirs}/absence", data={"retour": "1"}).status_code == 303
    assert "Absence du" not in chief.see(f"{theirs}/dossiers")
    assert "de retour" in chief.see("/agent/equipe/journal")


def test_only_an_administrator_of_the_team_hands_over(staff_site: StaffSite) -> None:
    some, here = held(staff_site, 1)
    clerk = staff_site.agent(OTHER_CLERK)
    assert clerk.get(here).status_code == 403
    assert clerk.client.post(here, data={"dossier": some[0].number, "vers": "file", "go": "confirm"}).status_code == 403
    assert clerk.client.post(here.replace("/dossiers", "/absence"), data={"retour": "1"}).status_code == 403
    chief = staff_site.agent("administration")
    chosen = chief.client.post(here, data={"dossier": some[0].number, "vers": "inconnu", "go": "preview"})
    assert "Choisissez à qui" in read(chosen)
    assert chief.client.post(here, data={"vers": "file", "go": "preview"}).status_code == 422
    assert staff_site.kept(some[0]).procedure == B3
