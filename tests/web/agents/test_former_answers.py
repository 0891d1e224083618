"""Former answers beside corrected ones: each agent reads those columns that the procedure lets them read."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import Catalogue
from engine.services.applications import drafts as intake
from tests.makers import compiled, the_shared
from tests.web.staff_site import DESK, GATEKEEPER, open_staff_site

pytestmark = pytest.mark.slow  # a whole site and its people

CREW = """
procedure: equipe
edition: 1
title: Déclarer une équipe
summary: Déclarer qui travaille.
agency: dgdn
delay: 5 working days
form:
  equipe:
    title: Votre équipe
    fields:
      suivi: {label: Suivi médical, example: Aucun}
      membres:
        label: Membres
        type: rows
        row_label: '{prenom}'
        fields:
          prenom: {label: Prénom, example: Ama}
          sante: {label: Santé, example: Bonne}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: [controleur, guichet]
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: examen}
    accorde: {label: Accordé, end: granted}
personal_data:
  purpose: Déclarer
  sensitive: {sante: {seen_by: [controleur]}, suivi: {seen_by: [controleur]}}
"""


def test_a_former_row_shows_no_column_that_the_agent_may_not_read(tmp_path: Path) -> None:
    site = open_staff_site(tmp_path, catalogue=Catalogue.of([compiled(CREW)], the_shared()))
    world, office = site.world, site.world.office
    dossier = world.sent("equipe", membres=[{"prenom": "Ama", "sante": "Drépanocytose"}])
    head = site.actor(GATEKEEPER)
    asked = world.take(dossier, head, "corriger", correction={"membres": "Autre prénom"}, reason="x")
    posted = {"membres.0.prenom": ["Afi"], "membres.0.sante": ["Asthme"]}
    intake.save_corrections(office, world.owner(asked), asked.id, posted)
    intake.send_corrections(office, world.owner(asked), asked.id)
    for address in (f"/agent/dossiers/{dossier.number}", f"/agent/dossiers/{dossier.number}?voir=corrige"):
        assert "Prénom : Ama" in site.agent(GATEKEEPER).see(address)
        assert "Drépanocytose" in site.agent(GATEKEEPER).see(address)
        seen = site.agent(DESK).see(address)
        assert "Prénom : Ama" in seen
        assert "Asthme" not in seen
        assert "Drépanocytose" not in seen


def test_why_a_masked_answer_must_be_corrected_is_for_those_who_read_it(tmp_path: Path) -> None:
    site = open_staff_site(tmp_path, catalogue=Catalogue.of([compiled(CREW)], the_shared()))
    dossier = site.world.sent("equipe", membres=[{"prenom": "Ama", "sante": "Bonne"}])
    why = {"suivi": "Drépanocytose : depuis quand ?"}
    site.world.take(dossier, site.actor(GATEKEEPER), "corriger", correction=why, reason="x")
    address = f"/agent/dossiers/{dossier.number}"
    assert why["suivi"] in site.agent(GATEKEEPER).see(address)
    seen = site.agent(DESK).see(address)
    assert "À corriger : Suivi médical" not in seen
    assert "Masqué pour votre rôle Correction attendue" in seen
    assert "Drépanocytose" not in seen


def test_why_rows_must_be_corrected_is_for_those_who_read_every_column(tmp_path: Path) -> None:
    site = open_staff_site(tmp_path, catalogue=Catalogue.of([compiled(CREW)], the_shared()))
    office, before, after = site.world.office, "Drépanocytose", [{"prenom": "Afi", "sante": "Bonne"}]
    dossier = site.world.sent("equipe", membres=[{"prenom": "Ama", "sante": before}])
    why = {"membres": f"{before} : depuis quand ?"}
    asked = site.world.take(dossier, site.actor(GATEKEEPER), "corriger", correction=why, reason="x")
    address, auditor = f"/agent/dossiers/{dossier.number}", site.auditor()
    for _ in ("awaited", "sent"):
        assert why["membres"] in site.agent(GATEKEEPER).see(address)
        seen = site.agent(DESK).see(address)
        assert "Membres" in seen
        assert before not in seen
        journal = auditor.post(f"/audit/dossiers/{dossier.number}", motive="Contrôle").headers["Location"]
        assert before not in auditor.see(journal)
        posted = {f"membres.0.{name}": [said] for name, said in after[0].items()}
        if site.kept(dossier).correction is not None:
            intake.save_corrections(office, site.world.owner(asked), asked.id, posted)
            intake.send_corrections(office, site.world.owner(asked), asked.id)
