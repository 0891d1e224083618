"""A document lent by a link: shown whole for a week, taken back at once, opened by whom nobody knows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.services.accounts.applicant_account import erase_own
from engine.services.appointments.bookings import mark
from engine.services.audit.integrity import fsck
from tests.web.citizen.test_appointments import ready, starts, take
from tests.web.client import MAYOR, PortalClient, a_portal_client, another, later

pytestmark = pytest.mark.slow  # a whole site for each test


@pytest.fixture
def known(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


def granted(visitor: PortalClient) -> str:
    """A dossier with its permit; the page of that document, on which it is lent."""
    address = ready(visitor)
    take(visitor, address, starts(visitor, address)[0])
    later(visitor, days=1)
    number = address.split("/")[2]
    mark(visitor.office, MAYOR, number, "remise", "attended")
    visitor.sign_in()
    found = re.search(r'href="(/dossiers/\d+/documents/\d+)"', visitor.open(f"/dossiers/{number}").html)
    assert found, visitor.page.text
    return found[1]


def _share(visitor: PortalClient, page: str) -> None:
    visitor.post(f"{page}/partager", **visitor.open(page).form())


def lend(visitor: PortalClient, page: str) -> str:
    _share(visitor, page)
    found = re.search(r'value="http://localhost(/p/[^"]+)"', visitor.follow().html)
    assert found, visitor.page.text
    return found[1]


def test_an_error_on_the_document_of_a_closed_request_leads_to_the_telephone(known: PortalClient) -> None:
    """No message can be written there any more."""
    page = granted(known)
    assert "Une question, une erreur ? Appelez le " in known.open(page).text
    number = page.split("/")[2]
    assert f'href="/dossiers/{number}/messages"' not in known.page.html
    over = known.open(f"/dossiers/{number}/messages").text
    assert "On ne peut plus y écrire Une question, une erreur ? Appelez le " in over


def test_whoever_has_the_link_sees_the_document(known: PortalClient) -> None:
    page = granted(known)
    link = lend(known, page)
    assert link not in known.open(page).html, "told once"
    assert "Jamais ouvert." in known.page.text
    stranger = another(known)
    seen = stranger.open(link)
    assert "Document authentique" in seen.text
    assert "AMEGAN" in seen.text
    assert seen.response.headers["Cache-Control"] == "no-store"
    assert stranger.open(f"{link}.pdf").response.data.startswith(b"%PDF")
    assert "Ouvert 2 fois" in known.open(page).text
    assert fsck(known.office) == ()


def test_the_page_of_another_document_does_not_show_the_link(known: PortalClient) -> None:
    page, other = granted(known), granted(known)
    _share(known, page)
    assert "/p/" not in known.open(other).html, "another tab came first"
    assert "/p/" in known.open(page).html


def test_it_is_taken_back_at_once(known: PortalClient) -> None:
    page = granted(known)
    link = lend(known, page)
    action = re.search(r'action="([^"]+/retirer)"', known.open(page).html)
    assert action
    known.post(action[1], **known.page.form())
    assert "Il n’ouvre plus rien" in known.follow().text
    assert {another(known).open(address).status for address in (link, f"{link}.pdf")} == {404}
    assert "Liens ouverts" not in known.page.text


@pytest.mark.parametrize("erased", ["the account", "the request"])
def test_it_ends_with_what_is_erased(known: PortalClient, erased: str) -> None:
    """The document itself stays valid, so its content is kept."""
    page = granted(known)
    link, number = lend(known, page), page.split("/")[2]
    with known.office.store.unit(write=True) as unit:
        kept = unit.dossier_numbered(number)
        assert kept is not None
        owner = unit.account(kept.owner)
        if erased == "the request":
            unit.put_dossier(replace(kept, erased_at=known.office.now(), revision=kept.revision + 1), kept.revision)
    assert another(known).open(link).status == (200 if erased == "the account" else 404)
    if erased == "the account":
        erase_own(known.office, owner.actor())
        assert another(known).open(link).status == 404


def test_it_ends_by_itself(known: PortalClient) -> None:
    link = lend(known, granted(known))
    later(known, days=6, hours=23)
    assert another(known).open(link).status == 200
    later(known, hours=2)
    assert another(known).open(link).status == 404


def test_a_link_that_opens_nothing_says_so_and_not_why(known: PortalClient) -> None:
    """Never made, taken back, over: one page, whatever is tried."""
    page, stranger = granted(known), another(known)
    seen = []

    def tried(link: str) -> None:
        for address in (link, f"{link}.pdf"):
            stranger.open(address)
            seen.append((stranger.page.status, stranger.page.text))

    ended = lend(known, page)
    action = re.search(r'action="([^"]+/retirer)"', known.open(page).html)
    assert action
    known.post(action[1], **known.page.form())
    tried(ended)
    over = lend(known, page)
    later(known, days=8)
    tried(over)
    tried(never := "/p/" + "a" * 43)
    ((status, text),) = set(seen)
    assert status == 404
    assert "Ce lien n’est plus valable Demandez-en un autre à la personne qui vous l’a donné." in text
    assert "copiez-le" not in text
    assert "This link is no longer valid" in stranger.open(f"{never}?lang=en").text


def test_a_double_tap_is_one_link_and_links_are_counted(known: PortalClient) -> None:
    page = granted(known)
    form = known.open(page).form()
    for _ in range(2):
        known.post(f"{page}/partager", **form)
    assert known.open(page).html.count("/retirer") == 1
    for _ in range(9):
        lend(known, page)
    _share(known, page)
    assert known.page.status == 303
    assert "10 liens ouverts" in known.follow().text
    assert "10 liens ouverts" not in known.open(page).text, "told once"


def test_only_its_holder_lends_it(known: PortalClient) -> None:
    page = granted(known)
    rival = another(known).sign_in("91223344")
    assert rival.open(page).status == 404
    assert another(known).open(page).status == 303
    assert another(known).open("/p/" + "a" * 43).status == 404


def test_the_page_of_a_document_helps_to_check_it(known: PortalClient) -> None:
    """Its facts, the square of the paper and its digits, with what is the original."""
    page = granted(known)
    seen = known.open(page)
    assert seen.response.headers["Cache-Control"] == "no-store"
    for said in ("Permis d’étal", "Valable", "AMEGAN", "MAIRIE-2026-00001", "L’original est le PDF signé"):
        assert said in seen.text, said
    assert '<svg class="qr" role="img"' in seen.html
    code = page.rpartition("/")[2]
    assert f"{code[:4]} {code[4:8]} {code[8:]}" in seen.text
    assert known.open(f"{page}.pdf").response.data.startswith(b"%PDF")
    assert "Document authentique" in another(known).open(f"/v/{code}").text
    assert known.open(f"{page}/partager").text == seen.text, "an older address"


def test_a_document_that_is_over_has_no_code_to_show(known: PortalClient) -> None:
    page = granted(known)
    later(known, days=400)
    seen = known.sign_in().open(page)
    assert "Expiré" in seen.text
    assert "<svg" not in seen.html
    assert "Code à dicter" not in seen.text
