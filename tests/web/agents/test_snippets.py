"""Sentences kept ready by an agency: written by who manages its people, put in a text by its agents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.records.dossier import Dossier
from tests.engine.services.world import PASSPORT
from tests.web.staff_site import CLERK, GATEKEEPER, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

HOME = "/agent/modeles"
BODY = "Dossier {dossier} : envoyez une photo nette."


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def kept(staff_site: StaffSite, body: str = BODY) -> str:
    """The address of a sentence of the passport's agency."""
    chief = staff_site.agent("administration")
    done = chief.post(f"{HOME}/nouveau", agence="dgdn", title="Photo nette", body=body)
    assert done.status_code == 303, read(done)
    found = re.search(r'href="(/agent/modeles/[^"]+)">Photo nette', chief.get(HOME).get_data(as_text=True))
    assert found
    return found[1]


def test_a_sentence_has_versions_and_is_retired(staff_site: StaffSite) -> None:
    address, chief = kept(staff_site), staff_site.agent("administration")
    assert "« nom »" in read(chief.post(address, title="Photo", body="Bonjour {nom}"))
    assert chief.post(address, title="Photo nette", body="Une autre photo.").status_code == 303
    seen = chief.see(address)
    assert "version 2" in seen
    assert "version 1" in seen
    stale = chief.client.post(address, data={"title": "Photo", "body": "Trop tard.", "revision": "1"})
    assert "a changé entre-temps" in read(stale)
    assert "Une autre photo." in staff_site.agent(GATEKEEPER).see(HOME)
    assert chief.post(address, retirer="1").status_code == 303
    assert "Une autre photo." not in staff_site.agent(GATEKEEPER).see(HOME)
    assert "modèle de message changé" in chief.see("/agent/equipe/journal")


def test_only_who_manages_the_agency_writes(staff_site: StaffSite) -> None:
    address, agent = kept(staff_site), staff_site.agent(GATEKEEPER)
    assert agent.get(f"{HOME}/nouveau").status_code == 403
    agent.client.post(address, data={"title": "Autre", "body": "Autre.", "revision": "1"})
    assert "Autre." not in agent.see(address)
    assert staff_site.agent(CLERK).get(address).status_code == 404  # of another agency
    assert "Photo nette" not in staff_site.agent(CLERK).see(HOME)


def test_it_is_put_in_a_message_and_in_a_request_for_correction(staff_site: StaffSite) -> None:
    address, dossier = kept(staff_site), staff_site.world.sent(PASSPORT)
    chosen, agent = address.rpartition("/")[2], staff_site.agent(GATEKEEPER)
    told = f"Dossier {grouped(dossier)} : envoyez une photo nette."
    for path, field in (("/messages", "body"), ("/acte/faire_corriger", "act-reason")):
        here = f"/agent/dossiers/{dossier.number}{path}"
        form = {**hidden(agent.get(here)), field: "Bonjour.", "modele": chosen, "inserer": "1"}
        shown = agent.client.post(here, data=form)
        assert shown.status_code == 200, path
        assert f"Bonjour. {told}" in read(shown)
    assert staff_site.kept(dossier).revision == dossier.revision
    other = agent.client.post(f"/agent/dossiers/{dossier.number}/messages", data={"modele": "inconnu", "inserer": "1"})
    assert other.status_code == 404


def grouped(dossier: Dossier) -> str:
    one = dossier.number
    return f"{one[:2]} {one[2:6]} {one[6:10]} {one[10]}"
