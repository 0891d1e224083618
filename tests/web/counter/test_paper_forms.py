"""A signed paper form typed in at the counter: its signs, the channel of the dossier, the signature as confirmation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.publication.publications import publish
from tests.makers import the_shared
from tests.web.client import PortalClient, Seen, a_portal_client
from tests.web.counter.test_counter import HOME, an_agent, kept, press

pytestmark = pytest.mark.slow  # a whole site for each test

BOOK = """
title: Étal sur papier
channels: [web, counter, paper]
form:
  vous:
    title: Vous
    fields:
      nom: {label: Nom, example: AMEGAN}
      telephone:
        label: Téléphone
        type: phone
        required: "channel not in ['counter', 'paper']"
        example: '+22890123456'
"""


def at_the_counter(folder: Path, book: str = BOOK) -> tuple[PortalClient, PortalClient]:
    """The portal, and an agent to whom a signed sheet was left."""
    visitor = a_portal_client(folder, book)
    seat = an_agent(visitor)
    seat.open(HOME)
    press(seat, HOME, "family_name", how="paper", family_name="Amegan", given_names="Afi", signed="1")
    assert seat.page.address == HOME, seat.page.text
    return visitor, seat


def signs_of(visitor: PortalClient) -> str:
    return visitor.office.catalogue.procedures["essai"].fingerprint[:8]


def begin(seat: PortalClient, **fields: Any) -> str:
    press(seat, f"{HOME}/demarches/essai", **fields)
    return seat.page.address


def test_a_signed_form_is_typed_in_and_counts_as_the_confirmation(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path)
    number = begin(seat, source="paper", signs=signs_of(visitor).upper()).split("/")[3]
    assert kept(visitor, number).channel == "paper"
    press(seat, f"{HOME}/{number}/demande/vous", nom="Amegan", go="next")
    check = seat.open(f"{HOME}/{number}/verification").text
    assert "La personne a signé « Je certifie" in check
    assert "J’ai lu à haute voix" not in check
    press(seat, f"{HOME}/{number}/verification", declared="1", confirmed="form")
    assert seat.page.address == f"{HOME}/{number}/recepisse", seat.page.text
    dossier = kept(visitor, number)
    assert (dossier.channel, dossier.assisted, dossier.answers.get("telephone")) == ("paper", ("ama",), None)
    with visitor.office.store.unit() as unit:
        entries = {one.kind: one.body for one in unit.entries(dossier.id)}
    assert entries["declared_aloud"]["confirmed"] == "form"
    assisted = entries["assisted"]
    assert (assisted["channel"], assisted["consent"], assisted["sheet"]) == ("paper", "paper", signs_of(visitor))


def test_after_the_last_criterion_the_source_is_asked(tmp_path: Path) -> None:
    criterion = "eligibility:\n  majeur: {ask: 'Avez-vous 18 ans ?', stop_when: not majeur, because: Un parent le demande.}\nform:"
    visitor, seat = at_the_counter(tmp_path, BOOK.replace("form:", criterion, 1))
    press(seat, f"{HOME}/demarches/essai", majeur="oui")
    assert seat.page.address.startswith(f"{HOME}/demarches/essai?majeur=oui")
    press(seat, seat.page.address, source="paper", signs=signs_of(visitor))
    assert kept(visitor, seat.page.address.split("/")[3]).channel == "paper", seat.page.text


def test_a_form_of_no_edition_is_refused_and_nothing_begins(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path)
    for signs in ("", "00000000", signs_of(visitor)[:7]):
        begin(seat, source="paper", signs=signs)
        assert seat.page.status == 422
        assert "Aucune édition de ce formulaire" in seat.page.text
        assert 'id="paper" name="source" value="paper" checked' in seat.page.html
    assert begin(seat, source="paper", signs=signs_of(visitor)).endswith("/saisie")


def test_a_person_who_is_there_makes_a_request_of_the_counter(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path)
    number = begin(seat, source="present").split("/")[3]
    assert kept(visitor, number).channel == "counter"
    press(seat, f"{HOME}/{number}/demande/vous", nom="Amegan", go="next")
    assert press(seat, f"{HOME}/{number}/verification", declared="1", confirmed="form").status == 422


def test_a_draft_of_a_form_stays_one_when_it_is_opened_again(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path)
    number = begin(seat, source="paper", signs=signs_of(visitor)).split("/")[3]
    assert begin(seat, source="present").split("/")[3] == number
    assert kept(visitor, number).channel == "paper"


def test_a_procedure_without_paper_asks_nothing_about_it(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path, BOOK.replace("channels: [web, counter, paper]\n", ""))
    assert 'name="source"' not in seat.open(f"{HOME}/demarches/essai").html
    number = begin(seat, source="paper", signs=signs_of(visitor)).split("/")[3]
    assert kept(visitor, number).channel == "counter"


def test_a_procedure_on_paper_alone_is_received_at_the_counter(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path, BOOK.replace("[web, counter, paper]", "[web, paper]"))
    assert "La personne est devant moi" not in seat.open(f"{HOME}/demarches/essai").text
    number = begin(seat, signs=signs_of(visitor)).split("/")[3]
    assert kept(visitor, number).channel == "paper"
    sheet = visitor.open("/demarches/essai").text
    assert "signez-le et déposez-le à un guichet" in sheet
    assert "Sur un formulaire papier signé" in sheet
    assert "Au guichet d’un bureau" not in sheet


WHOLE = (
    BOOK
    + """
  suite:
    title: Suite
    fields:
      enfants: {label: 'Des enfants ?', type: yes_no}
      combien: {label: 'Combien ?', type: integer, maximum: 20, when: enfants}
      aides:
        label: Personnes
        type: rows
        required: false
        fields:
          prenom: {label: Prénom, example: Koffi}
  ecole:
    title: École
    fields:
      niveau: {label: Classe, when: enfants, example: CM2}
evidence:
  carte: {label: Carte d'identité, required: false}
"""
)


def test_the_whole_sheet_is_typed_on_one_page(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path, WHOLE)
    number = begin(seat, source="paper", signs=signs_of(visitor)).split("/")[3]
    typing = f"{HOME}/{number}/saisie"
    page = seat.open(typing).text
    for said in ("1.1 Nom", "1.2 Téléphone", "2.1 Des enfants ?", "2.2 Combien ?", "3.1 Classe"):
        assert said in page, said
    assert "Carte d’identité" not in page
    refused = press(seat, typing, nom="", enfants="true", combien="99")
    assert refused.status == 422

    assert re.search(r'href="#f?-?nom">[^<]*1\.1 Nom', refused.html), refused.text
    press(seat, typing, nom="Amegan", enfants="true", combien="3", niveau="CM2")
    answers = kept(visitor, number).answers
    assert (answers["nom"], answers["enfants"], answers["combien"]) == ("Amegan", True, 3)
    assert answers["niveau"] == "CM2", "in the same post as what shows it"
    assert not seat.page.address.endswith("/saisie"), "on to the papers or the summary"
    press(seat, typing, enfants="false", combien="3")
    assert "combien" not in kept(visitor, number).typed.answers or kept(visitor, number).answers["combien"] == 3
    press(seat, f"{HOME}/{number}/verification", declared="1", confirmed="form")
    assert kept(visitor, number).answers.get("combien") is None, "its condition is false"


def test_the_typing_page_is_of_paper_drafts_only(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path)
    number = begin(seat, source="present").split("/")[3]
    assert seat.open(f"{HOME}/{number}/saisie").address == f"{HOME}/{number}"
    assert seat.post(f"{HOME}/{number}/saisie", csrf_token=seat.open(HOME).value("csrf_token")).status == 303
    assert kept(visitor, number).is_draft


def test_a_row_is_added_on_the_typing_page(tmp_path: Path) -> None:
    visitor, seat = at_the_counter(tmp_path, WHOLE)
    number = begin(seat, source="paper", signs=signs_of(visitor)).split("/")[3]
    typing = f"{HOME}/{number}/saisie"
    assert 'name="aides.0.prenom"' in press(seat, typing, nom="Amegan", add_row="aides").html
    press(seat, typing, nom="Amegan", enfants="false", **{"aides.0.prenom": "Koffi"})
    assert kept(visitor, number).answers["aides"] == [{"prenom": "Koffi"}]


def renewed(visitor: PortalClient, *changes: tuple[str, str]) -> None:
    """Publish the form anew, with these changes of its text."""
    office = visitor.office
    first = office.catalogue.procedures["essai"]
    text = first.source.replace(f"edition: {first.edition}", f"edition: {first.edition + 1}")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    second, problems = build_procedure(read_source(text, "essai.yaml"), the_shared())
    assert second is not None, problems
    new, _ = publish(Catalogue.of([second], the_shared()), office.store, office.now())
    object.__setattr__(visitor.client.application.extensions["guichet"].office, "catalogue", new)


def test_a_sheet_of_a_past_edition_is_typed_in_its_own_order(tmp_path: Path) -> None:
    """The edition in force judges: what it asks besides comes last, what it asks no more is named and not kept."""
    visitor, seat = at_the_counter(tmp_path, WHOLE)
    signs, whole = signs_of(visitor), "enfants: {label: 'Des enfants ?', type: yes_no}"
    swapped = f"metier: {{label: Métier, example: Peintre}}\n      {whole}"
    renewed(visitor, (whole, swapped), ("niveau: {label: Classe", "cours: {label: Cours"))
    number = begin(seat, source="paper", signs=signs).split("/")[3]
    typing = f"{HOME}/{number}/saisie?feuille={signs}"
    assert seat.page.address == typing
    page = seat.open(typing).text
    assert "Ce formulaire a changé depuis." in page
    assert "3.1 Classe" in page.partition("1.1 Nom")[0], "named above, as not asked any more"
    order = [
        page.index(said)
        for said in ("1.1 Nom", "2.1 Des enfants ?", "2.2 Combien ?", "À demander à la personne", "Métier", "Cours")
    ]
    assert order == sorted(order)

    def typed_in(**fields: str) -> Seen:
        return seat.post(typing, **{**seat.open(typing).form("token"), "nom": "Amegan", "enfants": "true", **fields})

    refused = typed_in(combien="3", cours="CM2")
    assert refused.status == 422
    assert "À demander à la personne" in refused.text
    typed_in(combien="3", cours="CM2", metier="Tisserand")
    answers = kept(visitor, number).answers
    assert (answers["metier"], answers["combien"], answers["cours"]) == ("Tisserand", 3, "CM2")
    assert "À demander" not in seat.open(f"{HOME}/{number}/saisie").text, "later in the order of the form in force"
    assert "changé" not in seat.open(f"{HOME}/{number}/saisie?feuille=0badcafe").text
