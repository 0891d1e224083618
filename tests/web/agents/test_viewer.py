"""The viewer of files at the page of agents: pages, zoom and rotation as links, marks of former files, what cannot be drawn."""

from __future__ import annotations

import io
import re
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from werkzeug.test import TestResponse

from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from engine.storage.files import page_pictures
from engine.storage.files.page_pictures import PageNotDrawn
from renderers.i18n.translations import load_words
from renderers.web.agents import attachments
from renderers.web.citizen import documents
from renderers.web.platform import access
from tests.engine.storage.test_page_pictures import a_scan, endless, pages_of
from tests.faults.installation import patient
from tests.web.live_site import listening
from tests.web.portal import photograph
from tests.web.staff_site import Seat, StaffSite, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

PASSPORT, GATEKEEPER, CLERK = "passeport-ordinaire", "dgdn.controleur", "sncja.greffier_en_chef"
BROWSER: Final = {"Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"}
THREADS: Final = 4
SLOW: Final = 3.0  # seconds of a page that is ended


@pytest.fixture
def staff_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StaffSite:
    monkeypatch.setattr(page_pictures, "SECONDS", 60.0)  # a busy machine takes longer
    return open_staff_site(tmp_path)


@pytest.fixture
def dossier(staff_site: StaffSite) -> Dossier:
    """A request whose birth record is a PDF of three pages; the next piece is a photo."""
    world = staff_site.world
    owner, draft = world.applicant(), world.draft(PASSPORT)
    three = pages_of((600, 840), (840, 600), (300, 300))
    assert intake.attach(world.office, owner, draft.id, "acte_naissance", intake.Upload("a.pdf", three)).problem is None
    for problem in intake.check(world.office, owner, draft.id).errors:
        file = intake.Upload("piece.jpg", photograph(1400, 900))
        assert intake.attach(world.office, owner, draft.id, problem.at, file).problem is None
    return intake.submit(world.office, owner, draft.id, declared=True, token=draft.id)


def at(dossier: Dossier, number: int = 0, rest: str = "") -> str:
    base, piece = f"/agent/dossiers/{dossier.number}", dossier.attachments[number].id
    return f"{base}/pieces/{piece}{rest}" if rest.startswith("/") else f"{base}?piece={piece}{rest.replace('?', '&')}"


def links(answer: TestResponse) -> dict[str, str]:
    """The links of the viewer: their address by their words, the picture and its text."""
    page = answer.get_data(as_text=True)
    viewer = page[
        page.index('<div class="viewer"') : page.index("</section>", page.index('<div class="viewer"'))
    ].replace("&amp;", "&")
    found = {
        read_words(text): urljoin(answer.request.path, href)
        for href, text in re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', viewer)
    }
    picture = re.search(r'<img[^>]* src="([^"]+)" alt="([^"]+)"', viewer)
    assert picture
    return {**found, "picture": picture[1], "alt": picture[2]}


def read_words(text: str) -> str:
    return re.sub(r'<span aria-hidden="true">[^<]*</span>|<[^>]+>', "", text).strip()


def picture(seat: Seat, path: str, **headers: str) -> Image.Image:
    answer = seat.client.get(path, headers=headers or BROWSER)
    assert answer.status_code == 200, (path, answer.status_code)
    with Image.open(io.BytesIO(answer.data)) as drawn:
        assert f"image/{(drawn.format or '').lower()}" == answer.mimetype
        return drawn.convert("RGB")


# -- pages, zoom, rotation ---------------------------------------------------------------------------------------------


def test_each_page_is_reached_by_links(staff_site: StaffSite, dossier: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    first = seat.get(at(dossier))
    assert "Page 1 sur 3" in read(first)
    found = links(first)
    assert "Page précédente" not in found
    assert found["alt"].endswith(", page 1")
    assert picture(seat, found["picture"]).size == (900, 1260)
    second = links(seat.get(found["Page suivante"]))
    assert picture(seat, second["picture"]).size == (900, 643)
    third = seat.get(second["Page suivante"])
    assert "Page 3 sur 3" in read(third)
    assert "Page suivante" not in links(third)
    assert links(seat.get(links(third)["Page précédente"])) == second
    assert "Page" not in read_words(seat.get(at(dossier, 1)).get_data(as_text=True).partition('class="tools"')[2][:400])


def test_zoom_and_rotation_are_links_that_keep_the_rest(staff_site: StaffSite, dossier: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    shown = links(seat.get(at(dossier, 0, "?page=2")))
    turned = links(seat.get(shown["Pivoter"]))
    assert picture(seat, turned["picture"]).size == (900, 1260)
    larger = links(seat.get(links(seat.get(turned["Agrandir"]))["Agrandir"]))
    assert "Agrandir" not in larger
    assert picture(seat, larger["picture"]).size == (2000, 2800)
    assert "page=2" in larger["Pivoter"]
    assert "zoom=2000" in larger["Pivoter"]
    for _ in range(3):
        larger = links(seat.get(larger["Pivoter"]))
    assert larger["picture"].endswith("tour=0")
    small = links(seat.get(links(seat.get(at(dossier)))["Réduire"]))
    assert picture(seat, small["picture"]).width == 600
    assert "Réduire" not in small
    assert links(seat.get(at(dossier, 0, "?page=9&zoom=901&tour=45"))) == links(seat.get(at(dossier)))


def test_a_photo_is_shown_as_its_page(staff_site: StaffSite, dossier: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    found = links(seat.get(at(dossier, 1)))
    assert picture(seat, found["picture"]).size == (900, 579)
    assert picture(seat, links(seat.get(found["Pivoter"]))["picture"]).size == (900, 1400)
    assert seat.get(found["Télécharger"]).headers["Content-Disposition"].startswith("inline")


OTHERS: Final = (
    "page-0.webp?w=900&tour=0", "page-4.webp?w=900&tour=0", "page-1.webp", "page-1.webp?w=901&tour=0",
    "page-1.webp?w=900&tour=1", "page-1.webp?w=900", "page-x.webp?w=900&tour=0", "page--1.webp?w=900&tour=0",
    "page-1.png?w=900&tour=0", "page-1.webp?w=0900&tour=0",
)  # fmt: skip


def test_other_values_are_not_found(staff_site: StaffSite, dossier: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    assert {rest: seat.get(at(dossier, 0, f"/{rest}")).status_code for rest in OTHERS} == dict.fromkeys(OTHERS, 404)


def test_a_browser_without_webp_gets_a_jpeg(staff_site: StaffSite, dossier: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = links(seat.get(at(dossier)))["picture"]
    assert seat.client.get(path, headers=BROWSER).mimetype == "image/webp"
    for accepted in ("*/*", "image/png,image/*;q=0.8,*/*;q=0.5", "text/html,*/*"):
        assert picture(seat, path, Accept=accepted).size == (900, 1260)
        assert seat.client.get(path, headers={"Accept": accepted}).mimetype == "image/jpeg"


def test_a_page_is_stored_nowhere_and_runs_nothing(staff_site: StaffSite, dossier: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = links(seat.get(at(dossier)))["picture"]
    before = files_of(staff_site)
    drawn, whole = seat.client.get(path, headers=BROWSER), seat.get(at(dossier, 0, "/fichier"))
    for name in ("Cache-Control", "Content-Security-Policy", "X-Content-Type-Options", "Cross-Origin-Resource-Policy"):
        assert drawn.headers[name] == whole.headers[name], "as the file itself"
    assert drawn.headers["Cache-Control"] == "no-store"
    assert files_of(staff_site) == before


def files_of(site: StaffSite) -> set[str]:
    return {str(path) for path in site.world.office.attachments.blobs.folder.parent.rglob("*") if path.is_file()}  # type: ignore[attr-defined]


def test_only_who_may_read_the_file_sees_its_pages(staff_site: StaffSite, dossier: Dossier) -> None:
    rest = "/page-1.webp?w=900&tour=0"
    assert staff_site.agent(CLERK).get(at(dossier, 0, rest)).status_code == 404
    for seat in (staff_site.stranger(), staff_site.auditor(), staff_site.owner(dossier)):
        answer = seat.get(at(dossier, 0, rest))
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/agent/connexion")


# -- former files ------------------------------------------------------------------------------------------------------


def test_a_former_file_bears_its_mark_wherever_it_is_shown(staff_site: StaffSite, dossier: Dossier) -> None:
    seat, old = staff_site.agent(GATEKEEPER), dossier.attachments[1]
    plain = picture(seat, links(seat.get(at(dossier, 1)))["picture"])
    new = replace(old, id="newer", received_at=old.received_at + timedelta(days=1))
    answers = {**dossier.answers, **_renamed(dossier, old.id, new.id)}
    staff_site.world.force(dossier, answers=answers, attachments=(*dossier.attachments, new))
    found = links(seat.get(at(dossier, 1)))
    assert found["alt"].startswith("Ancienne version – "), "as read aloud"
    marked = picture(seat, found["picture"])
    assert marked.height > plain.height + 40
    red, green, blue = marked.getpixel((2, 2))
    assert red > green > blue, "the band"
    assert seat.get(found["Télécharger"]).headers["Content-Disposition"].startswith("attachment"), "never in place"
    newer = seat.get(f"/agent/dossiers/{dossier.number}?piece=newer")
    assert not links(newer)["alt"].startswith("Ancienne")
    assert picture(seat, links(newer)["picture"]).size == plain.size


def _renamed(dossier: Dossier, old: str, new: str) -> dict[str, Any]:
    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: renamed(one) for name, one in value.items()}
        if isinstance(value, list):
            return [renamed(one) for one in value]
        return new if value == old else value

    return {name: renamed(value) for name, value in dossier.answers.items()}


def test_the_mark_has_letters_that_the_band_can_write() -> None:
    words = load_words()
    marks = [words.say("viewer.former", language, {}) for language in ("fr", "en")]
    assert all(mark.isascii() for mark in marks), marks


# -- what is not drawn -------------------------------------------------------------------------------------------------


def test_a_page_that_cannot_be_drawn_says_so_beside_its_download(
    staff_site: StaffSite, dossier: Dossier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> bytes:
        raise PageNotDrawn("exit -9")

    monkeypatch.setattr(attachments, "draw_page", fails)
    seat = staff_site.agent(GATEKEEPER)
    found = links(seat.get(at(dossier)))
    answer = seat.client.get(found["picture"], headers=BROWSER)
    assert answer.status_code == 422
    assert answer.mimetype == "image/svg+xml"
    assert "Cette page ne s’affiche pas ici" in answer.get_data(as_text=True)
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert seat.get(found["Télécharger"]).data.startswith(b"%PDF")


def test_a_broken_file_takes_no_page_down(staff_site: StaffSite, dossier: Dossier) -> None:
    seat, office = staff_site.agent(GATEKEEPER), staff_site.world.office
    broken = office.attachments.keep(photograph(60, 40), "b.jpg", ("jpg",), 10_000_000, dossier.id)
    (old, *others) = dossier.attachments
    staff_site.world.force(dossier, attachments=(replace(old, sha256=broken.sha256), *others))  # a photo that says PDF
    found = links(seat.get(at(dossier)))
    assert seat.client.get(found["picture"], headers=BROWSER).status_code == 422


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_a_page_that_finds_no_place_says_that_the_server_is_busy(staff_site: StaffSite, dossier: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = links(seat.get(at(dossier)))["picture"]
    with access.drawing_page("a"), access.drawing_page("b"):
        answer = seat.client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "Serveur occupé" in answer.get_data(as_text=True)
    assert seat.client.get(path, headers=BROWSER).status_code == 200


def beside_a_flood(site: StaffSite, flooding: tuple[Seat, str], asked: list[tuple[Seat, str]]) -> list[int]:
    """The answers to each of these, five times, while an agent opens six of one address at once, again and again."""
    done = threading.Event()
    with listening(site.app, 2 * THREADS) as listener:
        host = listener.address.partition("//")[2]

        def get(seat: Seat, path: str) -> int:
            line = HTTPConnection(host, timeout=60)
            cookies = "; ".join(f"{one.key}={one.value}" for one in seat.client._cookies.values())
            line.request("GET", path, headers={"Cookie": cookies, **BROWSER})
            return line.getresponse().status

        def asks() -> None:
            while not done.is_set():
                get(*flooding)

        flood = [threading.Thread(target=asks) for _ in range(6)]
        for thread in flood:
            thread.start()
        time.sleep(0.5)
        said = [get(*one) for _ in range(5) for one in asked]
        done.set()
        for thread in flood:
            thread.join()
    return said


def test_one_agent_who_asks_for_many_pages_leaves_their_turn_to_others(
    staff_site: StaffSite, dossier: Dossier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty requests at once of one agent answered « Serveur occupé » to every other."""
    monkeypatch.setattr(attachments, "draw_page", lambda *_, **__: time.sleep(0.2) or b"RIFF")
    one, other = staff_site.agent(GATEKEEPER), staff_site.agent("dgdn.guichet")
    path = links(one.get(at(dossier)))["picture"]
    assert beside_a_flood(staff_site, (one, path), [(other, path)]) == [200] * 5


def test_one_agent_who_asks_for_many_documents_leaves_a_place_to_others(
    staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An applicant read no receipt meanwhile, and another agent no document."""
    for module, name in ((attachments, "drawn_document"), (documents, "summary_pdf")):
        monkeypatch.setattr(module, name, lambda *_: time.sleep(0.1) or b"%PDF")
    world, one, other = staff_site.world, staff_site.agent(CLERK), staff_site.agent("sncja.agent_traitement")
    signed = world.take(world.paid(world.sent()), staff_site.actor(CLERK), "signer")
    path = f"/agent/dossiers/{signed.number}/documents/{signed.documents[0].id}.pdf"
    asked = [(other, path), (staff_site.owner(signed), f"/dossiers/{signed.number}/recapitulatif.pdf")]
    assert beside_a_flood(staff_site, (one, path), asked) == [200] * 10


@pytest.fixture
def slow(staff_site: StaffSite, dossier: Dossier, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a page that takes all of its three seconds."""
    monkeypatch.setattr(page_pictures, "SECONDS", SLOW)
    office = staff_site.world.office
    kept = office.attachments.keep(endless(), "e.pdf", ("pdf",), 10_000_000, dossier.id)
    (old, *others) = dossier.attachments
    staff_site.world.force(dossier, attachments=(replace(old, sha256=kept.sha256, pages=1), *others))
    return at(dossier, 0, "/page-1.webp?w=900&tour=0")


def test_while_ten_slow_pages_are_asked_the_other_pages_answer(staff_site: StaffSite, slow: str) -> None:
    seat = staff_site.agent(GATEKEEPER)
    cookies = "; ".join(f"{one.key}={one.value}" for one in seat.client._cookies.values())
    said, waits = list[int](), list[float]()
    with listening(staff_site.app, THREADS) as listener:
        host = listener.address.partition("//")[2]

        def get(path: str, timeout: float = 120) -> int:
            line = HTTPConnection(host, timeout=timeout)
            line.request("GET", path, headers={"Cookie": cookies, **BROWSER})
            answer = line.getresponse()
            answer.read()
            return answer.status

        def asks() -> None:
            said.append(get(slow))

        persons = [threading.Thread(target=asks) for _ in range(10)]
        for one in persons:
            one.start()
        time.sleep(0.3)
        while any(one.is_alive() for one in persons):
            began = time.monotonic()
            assert get("/") == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
    print(f"{len(waits)} pages meanwhile, the slowest {max(waits):.2f} s; {Counter(said)}")
    assert max(waits) < min(patient(0.5), 0.8 * SLOW), "without limits they wait for the slow ones"
    assert set(said) == {422, 503}
    assert Counter(said)[503] >= 5


# -- in a browser ------------------------------------------------------------------------------------------------------

WIDE: Final = "() => document.documentElement.scrollWidth - window.innerWidth"
SHOWN: Final = "() => { const one = document.querySelector('.sheet img'); return [one.naturalWidth, one.clientWidth]; }"


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_a_scan_is_read_in_a_browser_without_scripts(
    staff_site: StaffSite, dossier: Dossier, browser: Browser, width: int
) -> None:
    world, old = staff_site.world, dossier.attachments[0]
    scan = world.office.attachments.keep(a_scan(), "a.pdf", ("pdf",), 10_000_000, dossier.id)
    others = dossier.attachments[1:]
    world.force(
        dossier, attachments=(replace(old, sha256=scan.sha256, pages=1), replace(others[0], kind="pdf"), *others[1:])
    )
    seat = staff_site.agent(GATEKEEPER)
    with listening(staff_site.app, THREADS) as listener:
        context = browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=False)
        context.set_default_timeout(120_000)
        context.add_cookies(
            [{"name": one.key, "value": one.value, "url": listener.address} for one in seat.client._cookies.values()]
        )
        page = context.new_page()
        weights: dict[str, int] = {}
        page.on("response", lambda got: weights.update({got.url: int(got.headers.get("content-length", 0))}))
        page.goto(listener.address + at(dossier))
        own, wide = shown(page)
        assert own == 900
        assert 0 < wide <= width
        (weight,) = (size for url, size in weights.items() if "/page-1.webp" in url)
        print(f"{width}: {weight:,} bytes, {wide} pixels wide")
        assert 20_000 < weight <= 200_000
        with page.expect_navigation():
            page.get_by_role("link", name="Agrandir").click()
        assert shown(page) == (1400, 1400), "larger than its place, which scrolls"
        with page.expect_navigation():
            page.get_by_role("link", name="Pivoter").click()
        assert shown(page)[0] == 1400
        page.goto(listener.address + at(dossier, 1))  # a photo that says PDF
        assert shown(page)[0] == 320, "a sentence, also as an answer of status 422"
        assert page.get_by_role("link", name="Télécharger").is_visible()
        context.close()


def shown(page: Page) -> tuple[int, int]:
    """The own width of the picture and that on the screen. The page does not scroll sideways."""
    assert page.evaluate(WIDE) <= 0
    own, wide = page.evaluate(SHOWN)
    return own, wide
