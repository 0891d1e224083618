"""Corrections that leave what was sent: the page asks to change it or to confirm it, at home and at the counter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.domain.forms.corrections import CONFIRMED
from engine.records.dossier import Dossier
from tests.makers import a_procedure
from tests.web.citizen.test_later_forms import serving
from tests.web.client import PortalClient, a_portal_client, picture
from tests.web.counter.test_counter import HOME, press
from tests.web.counter.test_counter_follow_up import back

STALL = """
title: Étal
summary: Tenir un étal.
form:
  etal:
    title: Votre étal
    fields:
      nom: {label: Nom, example: Chez Afi}
      plans: {label: Plans, type: file, maxItems: 3}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
        accorder: {label: Accorder, to: accorde}
    a_corriger: {label: À corriger, correct: requested, due: 20 days, then: examen, late: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
"""
SAME = "« Nom » n’a pas changé. Changez la réponse, ou confirmez-la en bas de page"
KEPT = (
    "Vos anciens fichiers de « Plans » sont toujours là. Cochez en bas de page s’ils sont justes, sinon supprimez-les"
)


@pytest.fixture
def me(tmp_path: Path) -> PortalClient:
    return serving(tmp_path, a_procedure(STALL)).sign_in()


def asked(me: PortalClient, **fields: str) -> str:
    """The address of a request sent back for these corrections."""
    number = me.begin()
    me.send(f"/dossiers/{number}/demande/etal", **{"nom": "Chez Afi", "file:plans": picture("1.jpg"), "go": "next"})
    me.send(f"/dossiers/{number}/verification", declared="1")
    me.decide(number, "corriger", reason="Relisez", correction=fields)
    return f"/dossiers/{number}"


def stored(me: PortalClient, at: str) -> Dossier:
    dossier_id = me.dossier_id(at.rpartition("/")[2])
    with me.office.store.unit() as unit:
        found = unit.dossier(dossier_id)
    assert found is not None
    return found


def test_an_unchanged_answer_is_changed_or_confirmed_before_it_is_sent(me: PortalClient) -> None:
    at = asked(me, nom="Comme sur l’enseigne")
    page = f"{at}/corrections"
    assert "Ce qui n’a pas changé" not in me.open(page).text, "nothing is said of what was not read yet"
    me.send(page, nom="Chez Afi", go="save")
    assert SAME in me.follow().text
    assert "Cette réponse est juste : Nom" in me.page.text
    assert "Renvoyer mon dossier" not in me.page.text
    me.send(page, nom="Chez Afi", go="send")
    assert SAME in me.follow().text, "the button of another tab sends nothing"
    me.send(page, nom="Chez Afi", go="save", **{CONFIRMED: "nom"})
    assert "Tout est enregistré" in me.follow().text
    assert "n’a pas changé" not in me.page.text
    me.send(page, nom="Chez Afi", go="send")
    assert stored(me, at).state == "examen"


def test_a_faulty_file_among_several_is_replaced(me: PortalClient) -> None:
    """A new file stood beside the faulty one, « Supprimer » did nothing, and the agent got both."""
    at = asked(me, plans="Le plan est flou")
    page, first = f"{at}/corrections", stored(me, at).attachments[0].id
    me.send(page, **{"file:plans": picture("2.jpg"), "go": "save"})
    assert KEPT in me.follow().text
    assert re.findall(r"<b>(\d.jpg)</b>", me.page.html) == ["1.jpg", "2.jpg"], "each file is named"
    me.send(page, go="save", **{CONFIRMED: "plans"})
    assert "Tout est enregistré" in me.follow().text, "a page may be missing only"
    me.send(page, detach=first)
    me.follow()
    me.send(page, go="save")
    assert "Tout est enregistré" in me.follow().text
    me.send(page, go="send")
    sent = stored(me, at)
    assert (sent.state, sent.answers["plans"]) == ("examen", [sent.attachments[1].id])


def test_an_old_file_is_no_correction_without_a_new_one(me: PortalClient) -> None:
    at = asked(me, plans="Le plan est flou")
    me.send(f"{at}/corrections", go="save", **{CONFIRMED: "plans"})
    me.follow()
    correction = stored(me, at).correction
    assert correction is not None
    assert correction.left == ("plans",)


@pytest.mark.slow
def test_the_counter_asks_it_too(tmp_path: Path) -> None:
    seat, number = back(
        a_portal_client(tmp_path), "corriger", reason="Un point", correction={"nom": "Écrire comme sur l’acte."}
    )
    at = f"{HOME}/{number}/corrections"
    kept = seat.open(at).value("nom")
    press(seat, at, nom=kept, go="save")
    assert seat.page.status == 422
    assert "Cette réponse est juste : Nom" in seat.page.text
    press(seat, at, nom=kept, go="save", **{CONFIRMED: "nom"})
    assert "Tout est enregistré. Relisez, puis renvoyez la demande." in seat.follow().text
    assert re.search(r'name="go" value="send"', seat.page.html)
