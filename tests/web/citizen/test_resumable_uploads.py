"""A file sent in pieces through the portal, with and without cuts; and a browser whose network fails under it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route
from werkzeug.test import TestResponse

from engine.storage.files.resumable_uploads import Arrivals
from tests.web.client import ANSWERS, PortalClient, a_portal_client, another, picture
from tests.web.live_site import listening
from tests.web.portal import photograph


@pytest.fixture
def known(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


def at_the_papers(visitor: PortalClient) -> tuple[str, str]:
    number = visitor.begin()
    base = f"/dossiers/{number}/demande"
    visitor.send(f"{base}/vous", **ANSWERS, go="next")
    visitor.send(f"{base}/aides", go="next")
    return number, visitor.page.address


def test_a_file_in_pieces_is_the_file(known: PortalClient) -> None:
    number, papers = at_the_papers(known)
    data = picture()[0].read()
    key = hashlib.sha256(data).hexdigest()
    where = f"/dossiers/{number}/envois/{key}.json"
    assert known.open(where).response.get_json() == {"received": 0}
    for at in (0, 0, 400, 200, 300, 600):
        said = post(known, papers, f"{where}?at={at}", data[at : at + 300]).get_json()
    assert said == {"received": min(len(data), 900)}
    post(known, papers, f"{where}?at=900", data[900:])
    known.send(papers, **{"arrived:carte": f"{key}/carte.jpg", "send": "carte"})
    assert "Document reçu le" in known.follow().text
    once = known.page.text.count("Document reçu le")
    known.send(papers, **{"arrived:carte": f"{key}/carte.jpg", "send": "carte"})
    assert known.follow().text.count("Document reçu le") == once


def test_a_file_that_many_questions_name_is_read_once(known: PortalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred names of one upload would be five hundred times its bytes in memory."""
    number, papers = at_the_papers(known)
    key, read = hashlib.sha256(b"x" * 900).hexdigest(), list[str]()
    post(known, papers, f"/dossiers/{number}/envois/{key}.json?at=0", b"x" * 900)
    whole = Arrivals.whole
    monkeypatch.setattr(Arrivals, "whole", lambda own, *named: read.append(named[1]) or whole(own, *named))
    known.send(papers, **{f"arrived:a{at}": f"{key}/a.jpg" for at in range(450)}, send="carte")
    assert read == [key]


def test_what_never_arrived_is_no_file(known: PortalClient) -> None:
    _, papers = at_the_papers(known)
    for said in (f"{'0' * 64}/carte.jpg", "x/carte.jpg", "/", f"{'0' * 64}"):
        known.send(papers, **{"arrived:carte": said, "send": "carte"})
        assert known.page.status == 422
        assert "Document reçu" not in known.page.text


def test_only_the_owner_sends_and_only_so_much(known: PortalClient) -> None:
    number, papers = at_the_papers(known)
    where = f"/dossiers/{number}/envois/{'a' * 64}.json"
    stranger = another(known).sign_in("91223344")
    assert stranger.open(where).status == 404
    assert post(stranger, "/demarches/essai/verifier?majeur=oui", f"{where}?at=0", b"x").status_code == 404
    assert another(known).open(where).status == 401
    assert known.client.post(f"{where}?at=0", data=b"x").status_code == 400, "sent by another site"
    for at, data, status in (("0", b"x" * 600_000, 413), ("99000000", b"x", 413), ("-1", b"x", 400), ("", b"x", 400)):
        assert post(known, papers, f"{where}?at={at}", data).status_code == status
    assert known.open(f"/dossiers/{number}/envois/{'a' * 20}.json").status == 404


def post(visitor: PortalClient, page: str, address: str, data: bytes) -> TestResponse:
    """As the script of this page does."""
    token = visitor.open(page).value("csrf_token")
    return visitor.client.post(address, data=data, headers={"X-CSRFToken": token})


def test_limits_are_said_beforehand(known: PortalClient) -> None:
    _, papers = at_the_papers(known)
    assert re.search(r"Photo \(JPG, PNG, WebP\), ou PDF de \d+ Mo au plus", known.open(papers).text)


@pytest.mark.slow
@pytest.mark.browser
def test_a_cut_loses_nothing(browser: Browser, known: PortalClient, tmp_path: Path) -> None:
    """The network fails in the middle of a photo: the page says so, and goes on from there when it is told to."""
    number, papers = at_the_papers(known)
    photo = tmp_path / "acte.jpg"
    photo.write_bytes(photograph(1600, 1200))
    broken, pieces = True, list[int]()

    def travel(route: Route) -> None:
        at = route.request.url.partition("?at=")[2] if "/envois/" in route.request.url else ""
        if broken and at not in ("", "0"):
            route.abort()
            return
        pieces.extend([int(at)] if at.isdigit() else [])
        route.continue_()

    with opened(known, browser, papers) as page:
        page.route("**/*", travel)
        page.clock.install()
        page.reload()
        page.locator("input[type=file]").first.set_input_files(photo)
        way = page.locator("main .way")
        while not way.get_by_text("Rien n’est perdu.").count():
            page.clock.run_for(20_000)
            page.wait_for_timeout(100)
        if os.environ.get("GUICHET_SHOTS"):
            page.screenshot(path=Path(os.environ["GUICHET_SHOTS"]) / "cut.png", full_page=True)
        assert re.search(r"Envoi interrompu à [1-9]\d*\s%", way.inner_text()), way.inner_text()
        broken = False
        way.get_by_role("button", name="Reprendre").click()
        page.locator("main .got").first.wait_for()
    assert pieces == sorted(set(pieces)), "each piece travelled once"
    assert len(pieces) > 2
    with known.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier is not None
    assert [one.kind for one in dossier.attachments] == ["jpg"]


@contextmanager
def opened(visitor: PortalClient, browser: Browser, path: str) -> Iterator[Page]:
    """The page at a path of the visitor's portal, in a browser that is signed in."""
    with (
        listening(visitor.client.application) as listener,
        browser.new_context(viewport={"width": 360, "height": 740}) as context,
    ):
        cookies = visitor.client._cookies.values()
        context.add_cookies([{"name": one.key, "value": one.value, "url": listener.address} for one in cookies])
        page = context.new_page()
        page.goto(listener.address + path)
        yield page


@pytest.mark.slow
@pytest.mark.browser
def test_what_is_said_of_a_file_ends_when_another_is_chosen(
    browser: Browser, known: PortalClient, tmp_path: Path
) -> None:
    """A refused format, then a file too heavy to be sent: only the second is said."""
    _, papers = at_the_papers(known)
    text, heavy = tmp_path / "acte.docx", tmp_path / "acte.pdf"
    text.write_bytes(b"PK" * 40)
    heavy.write_bytes(b"%PDF-1.4" + bytes(6_000_000))
    with opened(known, browser, papers) as page:
        piece = page.locator("main .piece").first
        piece.locator("input[type=file]").set_input_files(text)
        piece.get_by_text("n’est pas accepté").wait_for()
        piece.locator("input[type=file]").set_input_files(heavy)
        piece.get_by_text("trop lourd").wait_for()
        assert piece.locator(".error").count() == 1, piece.inner_text()


@pytest.mark.slow
@pytest.mark.browser
def test_files_that_arrive_in_another_order_clash_with_nothing(
    browser: Browser, known: PortalClient, tmp_path: Path
) -> None:
    """The answer to the first file comes after that to the second, with an older revision."""
    number, papers = at_the_papers(known)
    photo, held = tmp_path / "acte.jpg", list[tuple[Route, APIResponse]]()
    photo.write_bytes(photograph(60, 40))

    def travel(route: Route) -> None:
        if route.request.method == "POST" and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    with opened(known, browser, papers) as page:
        page.route(f"**{papers}", travel)
        chooser = page.locator("main input[type=file]")
        chooser.nth(0).set_input_files(photo)
        while not held:
            page.wait_for_timeout(50)
        chooser.nth(1).set_input_files(photo)
        page.locator("main .got").first.wait_for()
        held[0][0].fulfill(response=held[0][1])
        page.locator("main .got").nth(1).wait_for()
        page.locator("main button[value=next]:not(.sr)").click()
        page.wait_for_url("**/verification")
    with known.office.store.unit() as unit:
        assert unit.dossier_numbered(number) is not None
