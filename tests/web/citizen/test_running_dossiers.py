"""What desks show of a dossier that came over to another edition, and of one that is kept no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.operations.migration import migrate
from engine.services.audit.integrity import fsck
from engine.services.worker.worker import run_pass
from tests.engine.services.editions import first, publish, renamed
from tests.engine.services.world import B3
from tests.web.auditors.test_auditor import open_journal
from tests.web.staff_site import CLERK, StaffSite, open_staff_site

pytestmark = pytest.mark.slow  # a whole site and its people for each test


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def test_an_erased_dossier_says_so_and_shows_nobody(staff_site: StaffSite) -> None:
    world = staff_site.world
    desk = world.agent("guichet", "sncja/agent_traitement")
    dossier = world.take(world.paid(world.sent(B3)), desk, "comparer")
    dossier = world.take(dossier, world.agent("chef", "sncja/greffier_en_chef"), "signer")
    dossier = world.take(dossier, desk, "remettre")
    world.wait(days=30 * 366)
    run_pass(world.office)
    kept = world.kept(dossier)
    assert kept.erased_at is not None
    page = staff_site.agent(CLERK).see(f"/agent/dossiers/{dossier.number}")
    assert "Données personnelles effacées le" in page
    assert "AMEGAN" not in page
    paper = staff_site.agent(CLERK).get(f"/agent/dossiers/{dossier.number}/documents/{kept.documents[0].id}.pdf")
    assert paper.status_code == 404
    seat = staff_site.auditor()
    trail = seat.see(open_journal(seat, dossier))
    assert "Chaîne vérifiée" in trail
    assert "Données personnelles effacées" in trail
    assert fsck(world.office) == ()


def test_a_journal_is_read_in_the_words_of_each_edition(staff_site: StaffSite) -> None:
    world = staff_site.world
    publish(world, first())
    dossier = world.sent("kiosque")
    publish(world, renamed(("label: Examen", "label: Instruction du dossier")))
    staff_site.app.extensions["guichet"] = replace(staff_site.app.extensions["guichet"], office=world.office)
    assert len(migrate(world.office, "kiosque", by="k.agbeko").moved) == 1
    seat = staff_site.auditor()
    trail = seat.see(open_journal(seat, dossier))
    assert "Dossier passé à une autre édition" in trail
    assert "Par commande" in trail
    assert "Demandé par : k.agbeko" in trail
    assert "examen → instruction" in trail
    assert "Demande envoyée → Examen" in trail
    assert "une autre édition → Instruction du dossier" in trail
