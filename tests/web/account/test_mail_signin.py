"""Signing in by e-mail, page by page, without losing what was typed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.services.core.outbound_messages import dossier_link
from tests.web.client import PortalClient, a_portal_client, another, later

EMAIL = "afi@exemple.tg"


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path)


def link(visitor: PortalClient, email: str = EMAIL) -> str:
    with visitor.office.store.unit() as unit:
        newest = max(unit.letters_to(email), key=lambda letter: letter.created_at)
    found = re.search(r"http://localhost(/connexion/lien/\S+)", newest.body)
    assert found
    return found[1]


def test_a_link_then_a_button_then_the_page_that_was_asked_for(visitor: PortalClient) -> None:
    visitor.send("/connexion/courriel?suite=/dossiers", email=EMAIL)
    assert "Ouvrez votre courrier" in visitor.follow().text
    opened = visitor.open(link(visitor))
    assert "Me connecter" in opened.text
    assert opened.response.headers["Cache-Control"] == "no-store"
    assert visitor.open("/dossiers").status == 303, "looking signs nobody in"
    assert visitor.send(link(visitor)).address == "/dossiers"
    assert visitor.open("/dossiers").status == 200
    again = visitor.open(link(visitor))
    assert (again.status, again.title.split(" – ")[0]) == (410, "Ce lien ne sert plus")


def test_a_demonstration_leads_to_the_mail_that_it_sent(tmp_path: Path) -> None:
    visitor = a_portal_client(tmp_path, demo=True)
    visitor.send("/connexion/courriel", email=EMAIL)
    there = re.search(r'<main.*href="(/_boite[^"]*)"', visitor.follow().html, re.DOTALL)
    assert there
    assert link(visitor) in visitor.open(there[1]).text


def test_elsewhere_it_says_so(visitor: PortalClient) -> None:
    visitor.send("/connexion/courriel", email=EMAIL)
    stranger = another(visitor)
    seen = stranger.open(link(visitor))
    assert (seen.status, "demandé ailleurs" in seen.text) == (403, True)
    assert visitor.send(link(visitor)).status == 303, "it still serves where it was asked for"


def test_what_is_no_address_is_asked_again(visitor: PortalClient) -> None:
    seen = visitor.send("/connexion/courriel", email="afi")
    assert (seen.status, "n'est pas complète" in seen.text.replace("’", "'")) == (422, True)
    assert 'value="afi"' in seen.html


def test_answers_typed_while_the_session_ended_come_back_after_a_link(visitor: PortalClient) -> None:
    """Whoever came by mail loses no answer either."""
    visitor.send("/connexion/courriel", email=EMAIL)
    visitor.send(link(visitor))
    number = visitor.begin()
    address = f"/dossiers/{number}/demande/vous"
    form = visitor.open(address).form()
    later(visitor, minutes=31)
    kept = visitor.post(address, **{**form, "nom": "Amegan"})
    assert kept.address.startswith("/connexion")
    visitor.send("/connexion/courriel?suite=/reprendre", email=EMAIL)
    assert visitor.send(link(visitor)).address == "/reprendre"
    assert 'value="Amegan"' in visitor.open("/reprendre").html


def test_a_link_of_a_message_opens_the_mail_way_and_says_nothing_about_the_dossier(visitor: PortalClient) -> None:
    visitor.send("/connexion/courriel", email=EMAIL)
    visitor.send(link(visitor))
    number = visitor.begin()
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier
    path = dossier_link(visitor.office, replace(dossier, language="en")).removeprefix("http://localhost")
    assert path == f"/d/{number}?via=mail&lang=en"
    stranger = another(visitor)
    pages = [stranger.open(path.replace(number, one)).address for one in (number, "26000000000")]
    assert pages == [
        f"/connexion/courriel?suite=%2Fd%2F{one}%3Fvia%3Dmail%26lang%3Den" for one in (number, "26000000000")
    ]


def test_a_dossier_is_followed_by_mail(visitor: PortalClient) -> None:
    visitor.send("/connexion/courriel", email=EMAIL)
    visitor.send(link(visitor))
    number = visitor.begin()
    elsewhere = another(visitor)
    assert elsewhere.send("/suivi", number="26", phone="", go="courriel").status == 422
    assert elsewhere.send("/suivi", number=number, phone="", go="courriel").address == "/connexion/courriel"
    later(visitor, minutes=2)
    elsewhere.send("/connexion/courriel", email=EMAIL)
    assert elsewhere.send(link(elsewhere)).address == f"/dossiers/{number}"


def test_a_lost_number_has_ways_on(visitor: PortalClient) -> None:
    seen = visitor.open("/connexion/numero-perdu")
    assert "Connectez-vous par e-mail" in seen.text
    assert "pièce d’identité" in seen.text


def test_what_is_asked_without_a_telephone_is_told_by_no_sms_and_the_page_says_so(visitor: PortalClient) -> None:
    visitor.send("/connexion/courriel", email=EMAIL)
    visitor.send(link(visitor))
    assert "aucun SMS ne part" in visitor.open("/compte/personnes/nouvelle").text
    visitor.send("/compte/personnes/nouvelle", phone="91223344", name="Kofi Mensah")
    assert "Aucun SMS n’est parti. Prévenez cette personne." in visitor.open("/compte/entreprises").text
