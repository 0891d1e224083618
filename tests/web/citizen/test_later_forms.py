"""What is asked of the applicant after sending, rows on screens of their own, prices in parts, decisions row by row."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pypdf import PdfReader

from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.records.dossier import Dossier
from engine.services.applications import draft_answers as answering
from engine.services.applications.opinions import fill_row
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import publish_editions
from engine.services.limits import file_counts
from engine.storage.sqlite.store import SqliteStore
from server import Settings, create_app
from tests.makers import a_procedure, the_shared
from tests.web.client import MAYOR, PortalClient, a_portal_client, later, picture

pytestmark = pytest.mark.slow  # a whole site and its people for each test

STAND = """
title: Stands
summary: Louer des stands.
form:
  stands:
    title: Les stands
    fields:
      fete: {label: Nom de la fête, example: Evala}
      stands:
        label: Stands
        type: rows
        maxItems: 3
        row_label: '{nom}'
        unique: [nom]
        fields:
          nom: {label: Nom du stand, example: Beignets}
          feu: {label: Y a-t-il du feu, type: yes_no}
          extincteur: {label: Photo de l'extincteur, type: photo, when: feu}
          produits: {label: Ce qui est vendu, type: choices, options: {sucre: Sucré, sale: Salé}}
          aides:
            label: Aides
            type: rows
            required: false
            maxItems: 2
            row_label: '{prenom}'
            fields:
              prenom: {label: Prénom, example: Ama}
              age: {label: Âge, type: integer, example: 20}
              enfant: {label: Est mineur, value: age < 18}
              accord: {label: Accord des parents, type: file, when: enfant}
later_forms:
  plan:
    title: Le plan de la fête
    by: applicant
    fields:
      musique: {label: Y aura-t-il de la musique, type: yes_no}
      fin: {label: Jusqu'à quelle heure, when: musique, type: time, example: 22:00}
      croquis: {label: Le croquis, type: file}
  gardien:
    title: Le gardien de chaque stand
    by: applicant
    each: stands
    fields:
      gardien: {label: Nom du gardien, example: KOFFI}
  decision:
    title: Décision par stand
    by: maire
    each: stands
    fields:
      accorde: {label: Accordé, type: yes_no, example: true}
      raison: {label: Raison, when: not accorde, example: Trop près}
  bilan:
    title: Le bilan
    fields:
      visiteurs: {label: Nombre de visiteurs, type: integer, example: 100}
fees:
  caution: {label: Caution, amount: 9000, deposit: true}
  place: {label: Places, amount: 30000, instalments: {most: 3, every: 1 month, opens: first}}
workflow:
  start: preparation
  states:
    preparation:
      {label: Préparation, gather: [plan, gardien], due: 20 days, then: examen, late: classe}
    examen:
      label: Examen
      gather: [decision]
      due: 5 working days
      then: a_payer
      transitions:
        corriger: {label: Faire corriger, by: maire, to: a_corriger, asks: [correction, reason]}
    a_corriger: {label: À corriger, correct: requested, due: 20 days, then: examen, late: classe}
    a_payer: {label: À payer, pay: [caution, place], due: 15 days, then: tenue, late: classe}
    tenue:
      label: La fête
      by: applicant
      due: 60 days
      late: classe
      transitions:
        finir: {label: Rendre le bilan, to: accorde, fills: bilan, asks: [attachment]}
    accorde: {label: Accordé, end: granted, issues: [permis, refus], returns: {caution: 50}}
    classe: {label: Classé, end: abandoned}
outputs:
  permis: {title: Permis de stand, kind: permit, per: stands, when: accorde, shows: [nom]}
  refus: {title: Refus de stand, kind: letter, per: stands, when: not accorde, shows: [nom, raison]}
scenarios:
  simple: {story: Une fête, steps: [{do: plan}]}
"""


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return serving(tmp_path, a_procedure(STAND)).sign_in()


def serving(folder: Path, book: Procedure) -> PortalClient:
    plain = a_portal_client(folder)
    store = SqliteStore(":memory:")
    store.migrate()
    office = publish_editions(replace(plain.office, catalogue=Catalogue.of([book], the_shared()), store=store))
    app = create_app(Settings(data=folder, secret="test"), office, plain.operator)
    return replace(plain, client=app.test_client(), office=office)


def begin(visitor: PortalClient) -> str:
    visitor.post("/demarches/essai/commencer", **visitor.open("/demarches/essai/commencer").form())
    found = re.search(r"/dossiers/(\d+)/", visitor.page.address)
    assert found
    return found[1]


def kept(visitor: PortalClient, number: str) -> Dossier:
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier
    return dossier


def add(visitor: PortalClient, number: str, **answers: Any) -> str:
    """Adds a stand from the list and fills its screen; the address of the screen."""
    visitor.send(f"/dossiers/{number}/demande/stands", fete="Evala", add_row="stands")
    address = visitor.page.address
    visitor.send(address, **answers, go="next")
    return address


def two_stands(visitor: PortalClient) -> str:
    number = begin(visitor)
    for at, name in enumerate(("Beignets", "Jus")):
        add(
            visitor, number, **{f"stands.{at}.nom": name, f"stands.{at}.feu": "false", f"stands.{at}.produits": "sucre"}
        )
    return number


def sent(visitor: PortalClient) -> str:
    number = two_stands(visitor)
    visitor.send(f"/dossiers/{number}/demande/stands", go="next")
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    assert not kept(visitor, number).is_draft, visitor.follow().text
    return number


# -- rows on screens of their own --------------------------------------------------------------------------------------


def test_a_row_fills_a_screen_and_leaves_the_others_alone(visitor: PortalClient) -> None:
    number = two_stands(visitor)
    page = visitor.open(f"/dossiers/{number}/demande/stands")
    assert "stands.0.nom" not in page.html, "the list holds no control of a row"
    assert page.text.count("Complet") == 2
    first = f"/dossiers/{number}/demande/stands/stands.0"
    visitor.send(first, **{"stands.0.nom": "Gaufres"}, go="next")
    assert visitor.page.address == f"/dossiers/{number}/demande/stands#f-stands"
    rows = kept(visitor, number).answers["stands"]
    assert [(row["nom"], row["produits"]) for row in rows] == [("Gaufres", ["sucre"]), ("Jus", ["sucre"])]
    visitor.send(f"/dossiers/{number}/demande/stands", fete="Epé-Ekpé", go="next")
    assert kept(visitor, number).answers["stands"] == rows, "nor does the list"


def test_a_question_that_a_row_opens_is_asked_not_blamed(visitor: PortalClient) -> None:
    number = begin(visitor)
    address = add(visitor, number, **{"stands.0.nom": "Gril", "stands.0.feu": "true", "stands.0.produits": "sale"})
    assert visitor.page.address == address
    page = visitor.follow()
    assert "Il reste 1 question" in page.text
    assert 'class="error"' not in page.html
    bad = (io.BytesIO(b"#!/bin/sh"), "photo.jpg")
    assert visitor.send(address, **{"file:stands.0.extincteur": bad, "go": "next"}).status == 422
    page = visitor.send(address, go="next")
    assert "Ce format de fichier n’est pas accepté" in page.text, "why it was refused is still said"
    visitor.send(address, **{"file:stands.0.extincteur": picture(), "go": "next"})
    assert visitor.page.address.endswith("/demande/stands#f-stands")


def test_rows_inside_rows_keep_what_stands_around_them(visitor: PortalClient) -> None:
    number = begin(visitor)
    stand = add(visitor, number, **{"stands.0.nom": "Gril", "stands.0.feu": "false", "stands.0.produits": "sale"})
    visitor.send(stand, add_row="stands.0.aides")
    helper = visitor.page.address
    assert helper.endswith("/stands.0.aides.0")
    visitor.send(helper, **{"stands.0.aides.0.prenom": "Ama", "stands.0.aides.0.age": "12"}, go="next")
    visitor.send(helper, **{"file:stands.0.aides.0.accord": picture(), "go": "next"})
    assert visitor.page.address == f"{stand}#f-stands-0-aides"
    row = kept(visitor, number).answers["stands"][0]
    assert (row["produits"], row["aides"][0]["prenom"]) == (["sale"], "Ama")
    check = visitor.open(f"/dossiers/{number}/verification").text
    assert "Stands : Gril, Aides : Ama" in check
    assert "Accord des parents" in check


def test_a_row_goes_once_it_was_named(visitor: PortalClient) -> None:
    number = two_stands(visitor)
    address = f"/dossiers/{number}/demande/stands/stands.0/supprimer"
    assert "Supprimer « Beignets » ?" in visitor.open(address).text
    visitor.send(address)
    assert "« Beignets » est supprimé" in visitor.follow().text
    assert [row["nom"] for row in kept(visitor, number).answers["stands"]] == ["Jus"]


def test_the_list_says_which_row_is_wrong_and_leads_there(visitor: PortalClient) -> None:
    number = two_stands(visitor)
    visitor.send(f"/dossiers/{number}/demande/stands/stands.1", **{"stands.1.nom": "Beignets"}, go="next")
    page = visitor.send(f"/dossiers/{number}/demande/stands", go="next")
    assert page.status == 422
    assert f'href="/dossiers/{number}/demande/stands/stands.1#f-stands-1-nom"' in page.html
    assert "Beignets : Deux lignes ont la même réponse" in page.text
    assert "À compléter" in page.text


@pytest.mark.parametrize("row", ["stands.9", "stands", "stands.x", "fete.0", "stands.0.aides.7", "stands.0.nom.0"])
def test_a_row_that_is_not_there_leads_to_its_list(visitor: PortalClient, row: str) -> None:
    number = two_stands(visitor)
    for address in (f"/dossiers/{number}/demande/stands/{row}", f"/dossiers/{number}/demande/stands/{row}/supprimer"):
        assert visitor.open(address).status == 303
    form = visitor.open(f"/dossiers/{number}/demande/stands").form()
    assert visitor.post(f"/dossiers/{number}/demande/stands/{row}", **form).status == 303


# -- after sending -----------------------------------------------------------------------------------------------------


def test_later_forms_are_filled_whole_and_row_by_row(visitor: PortalClient) -> None:
    number = sent(visitor)
    page = visitor.open(f"/dossiers/{number}")
    assert "Nous attendons 2 choses de vous" in page.text
    assert "Le gardien de chaque stand" in page.text
    plan = f"/dossiers/{number}/a-faire/plan"
    page = visitor.send(plan, musique="true", **{"file:croquis": picture("croquis.jpg")}, go="next")
    assert (page.status, "Il reste 1 question" in page.text) == (200, True)
    assert "Document reçu" in page.text
    piece = re.search(r'href="([^"]+/pieces/[^"]+)"', page.html)
    form = page.form()
    assert piece
    assert visitor.open(piece[1]).status == 200, "its author reads it before it is sent"
    page = visitor.post(plan, **{**form, "musique": "true", "fin": "25 h", "go": "next"})
    assert (page.status, 'value="25 h"' in page.html) == (422, True)
    visitor.post(plan, **{**page.form(), "musique": "true", "fin": "22 h", "go": "next"})
    assert visitor.page.address == f"/dossiers/{number}"
    each = f"/dossiers/{number}/a-faire/gardien"
    assert "Il reste 2" in visitor.open(each).text
    assert visitor.send(f"{each}/0").status == 422
    assert visitor.post(f"{each}/{'9' * 5000}", **visitor.page.form()).status == 404
    visitor.send(f"{each}/0", gardien="KOFFI")
    assert visitor.page.address == each
    visitor.send(f"{each}/1", gardien="AMA")
    assert visitor.page.address == f"/dossiers/{number}"
    assert kept(visitor, number).state == "examen"
    assert visitor.open(plan).status == 303
    assert visitor.open(f"/dossiers/{number}/a-faire/decision").status == 404


@pytest.mark.parametrize(
    ("module", "limit", "most"),
    [(file_counts, "FILES_AT_ONCE", 4), (file_counts, "SECONDS", 0.001), (answering, "SAVED", 14)],
)
def test_files_of_a_later_form_are_counted_like_those_of_the_application(
    visitor: PortalClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType, limit: str, most: float
) -> None:
    """Files that take the place of one another: so many, and no more are inspected or journalled."""
    number = sent(visitor)
    plan = f"/dossiers/{number}/a-faire/plan"
    monkeypatch.setattr(module, limit, most)
    file = {"file:croquis": picture(), "send": "croquis"}
    statuses = [visitor.send(plan, **{**file, "file:croquis": picture()}).status for _ in range(14)]
    assert (statuses[0], statuses[-1]) == (200, 429), statuses
    entries = count_of_entries(visitor, number)
    visitor.send(plan, **{**file, "file:croquis": picture()})
    assert count_of_entries(visitor, number) == entries


def count_of_entries(visitor: PortalClient, number: str) -> int:
    dossier = visitor.dossier_id(number)
    with visitor.office.store.unit() as unit:
        return len(unit.entries(dossier))


def test_a_row_is_filled_again_so_often(visitor: PortalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    number = sent(visitor)
    monkeypatch.setattr(answering, "SAVED", 12)
    each = f"/dossiers/{number}/a-faire/gardien/0"
    statuses = [visitor.send(each, gardien=f"KOFFI {'ABCDEFGHIJKLMN'[one]}").status for one in range(14)]
    assert (statuses[0], statuses[-1]) == (303, 429), statuses


def test_prices_in_parts_a_deposit_and_one_decision_a_row(visitor: PortalClient) -> None:
    number = sent(visitor)
    plan = f"/dossiers/{number}/a-faire/plan"
    visitor.send(plan, musique="false", **{"file:croquis": picture()}, go="next")
    for at in (0, 1):
        visitor.send(f"/dossiers/{number}/a-faire/gardien/{at}", gardien="KOFFI")
    judge(visitor, number, 0, {"accorde": True})
    judge(visitor, number, 1, {"accorde": False, "raison": "Trop près"})
    assert "Trop près" not in visitor.open(f"/dossiers/{number}").text, "nothing is told before the end"
    pay = f"/dossiers/{number}/paiement"
    page = visitor.open(pay)
    assert "La prochaine part : 19 000 FCFA" in page.text
    assert visitor.send(pay, provider="argent", payer="90000001").status == 422
    other_tab = visitor.open(pay).form()
    visitor.send(pay, provider="argent", payer="90000001", how_much="part")
    paid = visitor.page.address
    assert "Paiement reçu" in visitor.follow().text
    page = visitor.post(pay, **{**other_tab, "provider": "argent", "payer": "90000001", "how_much": "part"})
    assert page.status == 422, "it showed 19 000 francs, and 10 000 are the next part now"
    assert "La somme à payer a changé" in page.text
    assert "Reste à payer 20 000 FCFA" in visitor.open(paid).text
    page = visitor.open(f"/dossiers/{number}")
    assert "10 000 FCFA payés sur 30 000 FCFA" in page.text
    assert "Cette somme est une caution" in page.text
    act = f"/dossiers/{number}/actes/finir"
    page = visitor.send(act, visiteurs="beaucoup")
    assert page.status == 422
    assert "Ajoutez la pièce demandée" in page.text
    visitor.post(act, **{**page.form(), "visiteurs": "250", "file:finir": picture(), "send": "finir"})
    visitor.post(act, **{**visitor.page.form(), "visiteurs": "250", "go": "next"})
    page = visitor.follow()
    dossier = kept(visitor, number)
    assert (dossier.state, dossier.answers["visiteurs"], len(dossier.taken[-1].attachments)) == ("accorde", 250, 1)
    assert "1 sur 2 : accordé" in page.text
    assert "Raison : Trop près" in page.text
    assert "Caution rendue en partie : 4 500 FCFA" in page.text
    assert "Payer 10 000 FCFA" in page.text, "the next part of a price stays owed"
    later(visitor, days=31)
    visitor.sign_in()
    visitor.send(pay, provider="argent", payer="90000001", how_much="all")
    assert "30 000 FCFA, payés en entier" in visitor.open(f"/dossiers/{number}").text


def judge(visitor: PortalClient, number: str, row: int, answers: dict[str, Any]) -> None:
    fill_row(visitor.office, MAYOR, visitor.dossier_id(number), "decision", row, answers)


def test_the_summary_to_keep_tells_rows_and_rows_inside(visitor: PortalClient) -> None:
    number = begin(visitor)
    stand = add(visitor, number, **{"stands.0.nom": "Gril", "stands.0.feu": "false", "stands.0.produits": "sale"})
    visitor.send(stand, add_row="stands.0.aides")
    visitor.send(visitor.page.address, **{"stands.0.aides.0.prenom": "Ama", "stands.0.aides.0.age": "30"}, go="next")
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    body = visitor.open(f"/dossiers/{number}/recapitulatif.pdf").response.get_data()
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)
    assert "Stands – Gril" in text
    assert "Aides – Ama" in text


def test_corrections_reach_rows_and_their_papers(visitor: PortalClient) -> None:
    number = sent(visitor)
    visitor.send(f"/dossiers/{number}/a-faire/plan", musique="false", **{"file:croquis": picture()}, go="next")
    for at in (0, 1):
        visitor.send(f"/dossiers/{number}/a-faire/gardien/{at}", gardien="KOFFI")
    visitor.decide(number, "corriger", reason="À revoir", correction={"stands": "Le gril manque"})
    address = f"/dossiers/{number}/corrections"
    assert visitor.open(f"/dossiers/{number}/demande/stands/stands.0").status == 303, "rows have no screen any more"
    page = visitor.send(address, **{"stands.0.feu": "true"}, go="save")
    assert page.status == 422
    assert "Ajoutez « Photo de l’extincteur »" in page.text
    visitor.post(address, **{**page.form("token"), "file:stands.0.extincteur": picture(), "go": "save"})
    visitor.follow()
    assert "Tout est enregistré" in visitor.page.text
    visitor.post(address, **{**visitor.page.form("token"), "go": "send"})
    dossier = kept(visitor, number)
    assert (dossier.state, dossier.answers["stands"][0]["produits"]) == ("examen", ["sucre"])


# -- pages that only inform --------------------------------------------------------------------------------------------

INFORMED = """
form:
  avant: {title: Avant de commencer, fields: {lisez: {label: Gardez votre carte sous la main., type: note}}}
  vous: {title: Vous, fields: {nom: {label: Nom, example: AMEGAN}}}
  fin: {title: Ce qui suit, fields: {suite: {label: La mairie répond en deux jours., type: note}}}
"""


def test_a_page_that_only_informs_is_shown_and_left_with_one_button(tmp_path: Path) -> None:
    visitor = serving(tmp_path, a_procedure(INFORMED)).sign_in()
    number = begin(visitor)
    base = f"/dossiers/{number}/demande"
    assert visitor.page.address == f"{base}/avant", "the request begins with it"
    page = visitor.follow()
    assert "Gardez votre carte sous la main." in page.text
    assert "Étape 1 sur 3" in page.text
    assert [states(visitor, base)[title] for title in ("Avant de commencer", "Ce qui suit")] == ["À faire", "À faire"]
    visitor.send(f"{base}/avant", go="next")
    assert visitor.page.address == f"{base}/vous"
    visitor.send(f"{base}/vous", nom="AMEGAN", go="next")
    assert visitor.page.address == f"{base}/fin"
    assert states(visitor, base) == {"Avant de commencer": "Terminé", "Vous": "Terminé", "Ce qui suit": "À faire"}
    assert "La mairie répond en deux jours." in visitor.open(f"{base}/fin").text
    visitor.send(f"{base}/fin", go="next")
    assert visitor.page.address == f"/dossiers/{number}/verification"
    assert set(states(visitor, base).values()) == {"Terminé"}
    check = visitor.open(f"/dossiers/{number}/verification").text
    assert "Avant de commencer" not in check, "there is no answer to check on it"
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    sent_one = kept(visitor, number)
    assert (sent_one.is_draft, sent_one.answers) == (False, {"nom": "AMEGAN"})
    assert fsck(visitor.office) == ()


def test_a_page_that_only_informs_may_be_passed_over(tmp_path: Path) -> None:
    """Nothing on it can be wrong, so a request is sent without it."""
    visitor = serving(tmp_path, a_procedure(INFORMED)).sign_in()
    number = begin(visitor)
    visitor.send(f"/dossiers/{number}/demande/vous", nom="AMEGAN", go="next")
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    assert not kept(visitor, number).is_draft


def states(visitor: PortalClient, base: str) -> dict[str, str]:
    """What the list of pages says of each."""
    found = re.findall(r"(Avant de commencer|Vous|Ce qui suit) (À faire|À compléter|Terminé)", visitor.open(base).text)
    return dict(found)
