"""What agents read is in the third person: the texts `for_agents`, then the nouns, of pages, questions, pieces and acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.values import new_id
from engine.domain.common.decision import Act
from engine.services.applications import casework, drafts
from engine.services.applications.attachments import Upload
from tests.engine.services.applications.test_opinions import good
from tests.engine.services.world import pdf
from tests.web.staff_site import open_staff_site

pytestmark = pytest.mark.slow  # a whole site and its people


def test_an_agent_reads_the_text_for_agents_and_the_applicant_their_own(tmp_path: Path) -> None:
    site = open_staff_site(tmp_path, catalogue=good("for-agents"))
    office, owner = site.world.office, site.world.applicant()
    draft = site.world.draft("for-agents", owner)
    drafts.attach(office, owner, draft.id, "piece_identite", Upload("piece.pdf", pdf()))
    form = drafts.see_form(office, owner, draft.id)
    assert [str(page.title) for page in form.pages] == ["Votre demande", "Vos pièces"]
    dossier = drafts.submit(office, owner, draft.id, declared=True, token=draft.id)
    seat = site.agent("obac.instructeur")
    shown = seat.see(f"/agent/dossiers/{dossier.number}")
    for said in ("Demande", "Nom du demandeur", "Motif", "Pièce d’identité du demandeur"):
        assert said in shown, said
    for said in ("Votre", "Vos pièces", "demandez-vous", "Je retire"):
        assert said not in shown, said
    casework.take_transition(office, owner, dossier.id, Act("retirer"), token=new_id())
    assert "Retrait de la demande" in seat.see(f"/agent/dossiers/{dossier.number}")
