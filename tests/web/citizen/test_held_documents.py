"""On the pages: a document issued here is shown as already held, with its number and day, and is not asked."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from tests.engine.services.applications.test_held_documents import CARD, ME, NEEDS, card, held, procedure
from tests.engine.services.world import World
from tests.makers import the_shared
from tests.web.client import PortalClient, picture
from tests.web.staff_site import StaffSite, open_staff_site

pytestmark = pytest.mark.slow

BORN = {"naissance_day": "12", "naissance_month": "3", "naissance_year": "1994"}
TOLD = "Document déjà délivré : n° {number}, du lundi 23 novembre 2026"
LOST = "Ce document n’est plus valable aujourd’hui."
OTHER = "Ce document nomme une autre personne que la demande."


@pytest.fixture
def site(tmp_path: Path) -> StaffSite:
    return open_staff_site(
        tmp_path, catalogue=Catalogue.of([procedure(CARD, "carte"), procedure(NEEDS, "permis")], the_shared())
    )


def citizen(site: StaffSite) -> PortalClient:
    world = site.world
    return PortalClient(site.app.test_client(), world.office, world.clock, world.operator).sign_in("90112233")


def begun(me: PortalClient, **said: str) -> str:
    """A request of the second procedure, its first page filled: the address of its evidence."""
    me.open("/demarches/permis/verifier")
    me.post("/demarches/permis/commencer", **me.page.form())
    me.follow()
    address = re.search(r"/dossiers/\d+/demande", me.page.html)
    assert address, me.page.text
    me.send(
        f"{address[0]}/vous",
        **{**{name: str(one) for name, one in ME.items() if name != "naissance"}, **BORN, **said, "go": "next"},
    )
    return me.page.address


def draft_of(world: World, address: str) -> Dossier:
    number = address.split("/")[2]
    found = world.read(lambda unit: unit.dossier_numbered(number))
    assert isinstance(found, Dossier)
    return found


def at(site: StaffSite, address: str, place: str) -> str:
    return f"/dossiers/{draft_of(site.world, address).number}/{place}"


def test_the_form_says_what_is_already_held(site: StaffSite) -> None:
    earlier = card(site.world)
    [document] = earlier.documents
    me = citizen(site)
    address = begun(me)
    page = me.open(pieces := at(site, address, "demande/pieces"))
    assert (
        f"Nous avons déjà ce document. {TOLD.format(number=document.number)}. Vous n’avez rien à envoyer." in page.text
    )
    assert "Quel document envoyez-vous ?" not in page.text, "neither the kind nor the day is asked"
    me.send(pieces, go="next")
    assert me.page.address == at(site, address, "verification")
    assert TOLD.format(number=document.number) in me.open(me.page.address).text
    me.send(at(site, address, "verification"), declared="1")
    assert draft_of(site.world, address).submitted_at is not None, me.page.text
    told = TOLD.format(number=document.number)
    assert f"Preuve {told}" in me.open(at(site, address, "")[:-1]).text.partition("Ce que vous avez envoyé")[2]
    printed = me.open(at(site, address, "recapitulatif.pdf")).response.data
    words = " ".join(PdfReader(io.BytesIO(printed)).pages[0].extract_text().split())
    assert document.number in words
    assert ", Document déjà" not in words
    agent, case = site.agent("mairie.maire"), "/agent/" + at(site, address, "")[1:-1]
    assert TOLD.format(number=document.number) in agent.see(case)
    assert LOST not in agent.see(case)
    assert OTHER not in agent.see(case)
    sent = draft_of(site.world, address)
    site.world.force(sent, answers={**sent.answers, "prenoms": "Yao"})
    assert OTHER in agent.see(case), "since a correction the card is not that of the applicant"
    kept = site.world.kept(earlier)
    lost = replace(kept, documents=(replace(document, status="revoked"),), revision=kept.revision + 1)
    with site.world.office.store.unit(write=True) as unit:
        unit.put_dossier(lost, kept.revision)
    assert LOST in agent.see(case)


def test_a_document_withdrawn_before_sending_is_asked_by_name(site: StaffSite) -> None:
    """The page came back without a word, as often as one pressed."""
    earlier = card(site.world)
    [document] = earlier.documents
    me = citizen(site)
    address = begun(me)
    me.send(at(site, address, "demande/pieces"), go="next")
    kept, check = site.world.kept(earlier), at(site, address, "verification")
    lost = replace(kept, documents=(replace(document, status="revoked"),), revision=kept.revision + 1)
    with site.world.office.store.unit(write=True) as unit:
        unit.put_dossier(lost, kept.revision)
    me.open(check)
    me.send(check, declared="1")
    page = me.open(check)
    assert draft_of(site.world, address).submitted_at is None
    assert "Il manque" in page.text
    assert f"{at(site, address, 'demande/pieces')}?retour=verification#" in page.html
    assert TOLD.format(number=document.number) not in page.text


def test_the_form_says_it_in_english(site: StaffSite) -> None:
    [document] = card(site.world).documents
    me = citizen(site)
    address = begun(me)
    me.open("/?lang=en")
    page = me.open(at(site, address, "demande/pieces"))
    told = (
        f"We already have this document. Document already issued: no. {document.number}, on Monday, 23 November 2026."
    )
    found = page.text[page.text.index("We already") :][: len(told) + 40]
    assert f"{told} You have nothing to send." in found


def test_no_post_makes_it_held(site: StaffSite) -> None:
    me = citizen(site)
    address = begun(me)
    pieces = at(site, address, "demande/pieces")
    me.send(
        pieces,
        **{"preuve": "carte", "preuve_held": "true", "held": "1", "preuve.held": "true", "held_as": "1", "go": "next"},
    )
    assert me.page.status == 422
    assert not held(draft_of(site.world, address))
    assert "Nous avons déjà ce document." not in me.page.text


def test_another_file_may_be_handed_in(site: StaffSite) -> None:
    card(site.world)
    me = citizen(site)
    address = begun(me)
    pieces = at(site, address, "demande/pieces")
    me.send(pieces, **{"file:preuve": picture(), "send": "preuve"})
    draft = draft_of(site.world, address)
    assert (len(draft.attachments), held(draft)) == (1, {})


def test_another_person_in_the_same_account_is_asked(site: StaffSite) -> None:
    """A parent who applies for one child does not use the document of another."""
    card(site.world)
    me = citizen(site)
    address = begun(me, prenoms="Kofi")
    assert not held(draft_of(site.world, address))
    owner = site.world.applicant()
    draft = draft_of(site.world, address)
    assert {one.at for one in intake.check(site.world.office, owner, draft.id).errors} >= {"preuve"}
