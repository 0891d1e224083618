"""Who scans a paper sees what it says and what it is worth; who has its twelve digits only sees initials."""

from __future__ import annotations

import html
import io
import logging
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from engine.core.values import Plain
from engine.domain.common.decision import PieceComparison
from engine.domain.documents.documents import document_claims
from engine.domain.documents.retention import without_content
from engine.records.dossier import Dossier, IssuedDocument
from engine.services.applications.document_links import lend
from renderers.i18n.log_format import speak
from renderers.web.platform.request_context import html as page_of
from renderers.web.shared.issued_documents import PaperView, paper_view
from server import Settings, create_app
from tests.engine.domain.documents.story_papers import issued as issued_in_stories
from tests.engine.services.world import B3
from tests.makers import the_words
from tests.web.socket_server import fronting
from tests.web.staff_site import CLERK, StaffSite, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site for each test

IDENTITY = ("nom", "prenoms", "sexe", "date_naissance", "lieu_naissance", "pere", "mere")


@pytest.fixture
def site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def issued(site: StaffSite) -> tuple[Dossier, IssuedDocument]:
    """A bulletin signed at the desk, in force."""
    world = site.world
    dossier = world.paid(world.sent(B3, nom="AMEGAN", prenoms="Afi"))
    if dossier.state == "controle":
        dossier = world.take(dossier, site.actor("sncja.greffier_en_chef.2"), "verifier")
    if dossier.state == "piece":
        reader, same = world.agent("reader", "sncja/agent_traitement"), PieceComparison(IDENTITY)
        dossier = world.take(dossier, reader, "comparer", compared=same)
    dossier = world.take(dossier, site.actor(CLERK), "signer")
    return dossier, dossier.documents[0]


def changed(site: StaffSite, dossier: Dossier, document: IssuedDocument, **changes: Any) -> IssuedDocument:
    """The document as the store holds it after a change that the signature does not cover."""
    after = replace(document, **changes)
    kept = site.kept(dossier)
    documents = tuple(after if one.id == after.id else one for one in kept.documents)
    with site.world.office.store.unit(write=True) as unit:
        unit.put_document(after)
        unit.put_dossier(replace(kept, documents=documents, revision=kept.revision + 1), kept.revision)
    return after


def said(port: int, address: str, host: str = "localhost") -> tuple[int, str, dict[str, str]]:
    """Status, words and headers of an address asked for over a socket exactly as written."""
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(f"GET {address} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        whole = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = whole.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    return int(status.split()[1]), plain(body.decode()), headers


def plain(page: str) -> str:
    """The words of a page, with one blank between two of them."""
    text = html.unescape(re.sub(r"(?s)<head>.*?</head>|<[^>]+>", " ", re.sub(r"</?b>", "", page)))
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())


def printed(zone: Plain) -> Iterator[str]:
    """Each text of a zone as a reader of the paper reads it."""
    if isinstance(zone, str) and zone:
        yield plain(html.escape(zone.replace("**", "")))
    for one in zone.values() if isinstance(zone, dict) else zone if isinstance(zone, list) else ():
        yield from printed(one)


class TestOverASocket:
    def test_the_square_of_a_paper_opens_its_page_in_capitals(self, site: StaffSite) -> None:
        _, document = issued(site)
        address = str((document.paper or {})["verify"]["address"])  # type: ignore[index, call-overload]
        assert re.fullmatch(r"[A-Z0-9:/.]+/V/[0-9A-HJKMNP-TV-Z]{26}", address)
        host, path = address.split("/")[2], "/" + address.split("/", 3)[3]
        with fronting(site.app) as port:
            for one in (path, path.lower(), path.replace("/V/", "/v/")):
                status, words, headers = said(port, one, host)
                assert (status, "En cours de validité" in words) == (200, True), one
                assert headers["cache-control"] == "no-store"
                assert "noindex" in headers["x-robots-tag"]
                assert headers["referrer-policy"] == "no-referrer"
            status, words, headers = said(port, path[:-2] + ("11" if path.endswith("00") else "00"), host)
            assert (status, "Document inconnu" in words) == (404, True)
            assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")

    def test_a_host_in_capitals_is_the_host_of_the_site(self, site: StaffSite, tmp_path: Path) -> None:
        _, document = issued(site)
        app = create_app(Settings(data=tmp_path, hosts=("guichet.tg",)), site.world.office, site.world.operator)
        with fronting(app) as port:
            assert said(port, f"/V/{document.token}", "GUICHET.TG")[0] == 200
            assert said(port, f"/V/{document.token}", "AILLEURS.TG")[0] == 400

    def test_a_token_of_an_earlier_release_opens_its_page_for_ever(self, site: StaffSite) -> None:
        dossier, document = issued(site)
        older = replace(document, id="000000000042", code="000000000042", number="OLD-1", token="aB-_" + "x" * 18)
        procedure = site.world.office.catalogue.procedures[B3]
        claims = document_claims(older, procedure, procedure.identity.agency)
        with site.world.office.store.unit(write=True) as unit:
            unit.add_document(dossier.id, replace(older, jws=site.world.office.keys.sign(claims)))
        with fronting(site.app) as port:
            for path in (f"/v/{older.token}", f"/V/{older.token}"):
                status, words, _ = said(port, path)
                assert (status, "En cours de validité" in words) == (200, True), path
            assert said(port, f"/v/{older.token.upper()}")[0] == 404

    def test_the_log_names_the_route_and_never_the_token(
        self, site: StaffSite, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, document = issued(site)
        root = logging.getLogger()
        before = root.handlers[:], root.level
        capsys.readouterr()
        try:
            speak(root, "json", False, False)
            with fronting(site.app) as port:
                said(port, f"/V/{document.token}")
        finally:
            root.handlers[:], root.level = before[0], before[1]
        written = "".join(capsys.readouterr())
        assert "/V/<token>" in written
        assert document.token[6:] not in written


class TestWhatItSays:
    def test_one_altered_letter_or_figure_on_the_paper_is_not_what_the_page_shows(self, site: StaffSite) -> None:
        _, document = issued(site)
        paper = dict(document.paper or {})
        page = plain(site.stranger().get(f"/V/{document.token}").get_data(as_text=True))
        shown = [
            paper["number"], paper["title"], paper["operative"], paper["validity"],
            [[one["place_day"], one["name"]] for one in paper["signatures"]],  # type: ignore[union-attr, index, call-overload]
            paper["verify"]["shows"],  # type: ignore[index, call-overload]
        ]  # fmt: skip
        texts = list(printed(shown))
        assert "AMEGAN" in " ".join(texts)
        for text in texts:
            assert text in page, text
        operative = next(printed(paper["operative"]))
        for at in (operative.index("AMEGAN"), operative.index("Afi") + 2, operative.index("19") + 2):
            letter = operative[at]
            twin = operative[:at] + ("8" if letter == "3" else "3" if letter.isdigit() else "x") + operative[at + 1 :]
            assert twin not in page

    def test_bold_words_are_marked_and_nothing_else_is_markup(self, site: StaffSite) -> None:
        _, document = issued(site)
        page = site.stranger().get(f"/V/{document.token}").get_data(as_text=True)
        assert "<b>Afi AMEGAN</b>" in page.replace("\u00a0", " ")
        assert "**" not in page

    def test_twelve_digits_show_initials_only(self, site: StaffSite) -> None:
        _, document = issued(site)
        words = site.stranger().see(f"/v/{document.code}")
        assert "Cette page ne montre pas son texte." in words
        assert "Ce que cette page n’affiche pas n’est pas vérifié ici." in words
        assert "Document authentique" in words
        assert "A••• A•••" in words
        assert "AMEGAN" not in words

    @pytest.mark.parametrize("specimen", [True, False])
    def test_a_page_is_light_and_says_first_that_it_shows_a_specimen(self, site: StaffSite, specimen: bool) -> None:
        office = site.world.office
        site.world.office = replace(office, settings=replace(office.settings, specimen=specimen))
        _, document = issued(site)
        page = site.stranger().get(f"/V/{document.token}").get_data(as_text=True)
        assert len(page.encode()) <= 15_000
        before, _, _ = page.partition("<h1>En cours de validité</h1>")
        assert before != page
        assert ("Spécimen, sans valeur" in before) is specimen

    @pytest.mark.parametrize("specimen", [True, False])
    def test_digits_and_links_say_first_that_a_paper_is_a_specimen(self, site: StaffSite, specimen: bool) -> None:
        office = site.world.office
        site.world.office = replace(office, settings=replace(office.settings, specimen=specimen))
        dossier, document = issued(site)
        link = lend(site.world.office, site.world.owner(dossier), dossier.id, document.id)
        for address in (f"/v/{document.code}", f"/p/{link}"):
            before, _, _ = site.stranger().get(address).get_data(as_text=True).partition("<h1>")
            assert ("Spécimen, sans valeur" in before) is specimen, address

    def test_in_english(self, site: StaffSite) -> None:
        dossier, document = issued(site)
        client = site.stranger()
        assert "Currently valid" in client.see(f"/V/{document.token}?lang=en")
        changed(site, dossier, document, status="revoked", changed_at=site.world.clock.now())
        assert "Withdrawn on" in client.see(f"/V/{document.token}?lang=en")


FROZEN = ("basis", "considering", "decides", "operative", "articles", "lines", "validity", "remedies")


@pytest.mark.xdist_group("stories of the shipped procedures")
@pytest.mark.parametrize("procedure", ["permis-de-construire", "branchement-eau", B3])
def test_what_any_story_prints_is_shown_as_it_was_frozen(procedure: str) -> None:
    for one in issued_in_stories(procedure):
        paper = one.document.paper or {}
        shown = next(printed(" ".join(all_of(paper_view(paper, the_words())))))
        for text in (words for name in FROZEN for words in printed(paper.get(name))):
            assert text in shown, (one.name, text)
        rows = paper.get("table", {}).get("rows", ())  # type: ignore[union-attr]
        assert all(text in shown for text in printed(rows)), one.name


@pytest.mark.xdist_group("stories of the shipped procedures")
@pytest.mark.parametrize("procedure", ["permis-de-construire", "e-visa", B3])
def test_who_signs_reads_all_that_the_paper_prints(procedure: str) -> None:
    for one in issued_in_stories(procedure):
        paper: Any = one.document.paper or {}
        for version in (paper, *paper.get("courtesy", ())):
            shown = next(printed(" ".join(all_of(paper_view(version, the_words(), whole=True)))))
            zones = [version.get(name) for name in (*FROZEN, "particulars", "declared")]
            texts = [zone["rows"] if isinstance(zone, dict) and "rows" in zone else zone for zone in zones]
            assert [text for text in printed(texts) if text not in shown] == [], one.name


def test_a_paper_of_any_age_is_shown_and_its_words_are_no_markup(site: StaffSite) -> None:
    least: dict[str, Plain] = {
        "operative": ["<i>a</i> & **b**"], "table": {"rows": [], "empty": "NÉANT"}, "signatures": [{"name": "A", "text": "B"}],
    }  # fmt: skip
    view = paper_view(least, the_words())
    assert [one.large for one in view.zones if one.large] == ["NÉANT"]
    with site.app.test_request_context():
        names = dict.fromkeys(("title", "details", "kind", "said", "pdf", "until", "code"), "")
        page = page_of("citizen/shared.html", **names, view=view)
    assert "&lt;i&gt;a&lt;/i&gt; &amp; <b>b</b>" in page
    assert "<p>A<br>B</p>" in page
    table: dict[str, Plain] = {"head": ["", "Peine"], "rows": [["12 mai", ""]]}
    [zone] = paper_view({"table": table}, the_words()).zones
    assert [len(zone.head), len(zone.rows[0])] == [2, 2]


def all_of(view: PaperView) -> Iterator[str]:
    for zone in view.zones:
        yield from (zone.title, zone.large, *zone.texts, *zone.head, *zone.total)
        yield from (cell for row in zone.rows for cell in row)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_shows_each_translation_of_the_paper_first_what_its_reader_speaks(
    site: StaffSite, language: str
) -> None:
    dossier, document = issued(site)
    courtesy: Plain = {
        "lang": "en",
        "title": "Record",
        "prevails": ["The French text prevails."],
        "operative": ["No **entry**."],
    }
    paper = {**(document.paper or {}), "courtesy": [courtesy]}
    translated = replace(document, id="000000000042", code="000000000042", number="N-2", token="A" * 26, paper=paper)
    procedure = site.world.office.catalogue.procedures[B3]
    claims = document_claims(translated, procedure, procedure.identity.agency)
    signed = replace(translated, jws=site.world.office.keys.sign(claims))
    with site.world.office.store.unit(write=True) as unit:
        unit.add_document(dossier.id, signed)
    site.world.force(dossier, documents=(*dossier.documents, signed))
    page = site.stranger().get(f"/V/{translated.token}?lang={language}").get_data(as_text=True)
    words = plain(page)
    own, other = words.index("certifie que"), words.index("No entry.")
    assert "The French text prevails." in words
    assert words.count(document.number) == 2, "in each version"
    assert (own < other) is (language == "fr")
    assert [page.count(f'<section lang="{one}">') for one in ("fr", "en")] == [1, 1]
    screen = site.owner(dossier, language).see(f"/dossiers/{dossier.number}/documents/{translated.id}")
    for said in ("Record" if language == "en" else document.title, document.number, document.holder):
        assert said in screen
    assert ("entry" in screen) is (language == "en")
    assert ("certifie que" in screen) is (language == "fr")


def test_a_translation_shows_no_particular_that_the_paper_hides() -> None:
    paper: dict[str, Plain] = {
        "lang": "fr", "particulars": {"rows": [["Nom", "AMEGAN"]]},
        "courtesy": [{"lang": "en", "particulars": {"rows": [["Surname", "AMEGAN"]]}, "declared": {"rows": [["Use", "AMEGAN"]]}}],
    }  # fmt: skip
    view = paper_view(paper, the_words())
    assert [one.language for one in view.translations] == ["en"]
    shown = paper_view({**paper, "verify": {"shows": [["Nom", "AMEGAN"]]}}, the_words()).translations[0]
    assert ("Surname", "AMEGAN") in shown.zones[0].rows, "what the paper shows"
    assert "AMEGAN" not in " ".join(text for one in view.first_in("fr") for text in all_of(one))


class TestWhatItIsWorth:
    @pytest.mark.parametrize(
        ("status", "state"),
        [("revoked", "Retiré le"), ("suspended", "Suspendu depuis le"), ("replaced", "Remplacé le")],
    )
    def test_the_state_is_the_heading(self, site: StaffSite, status: Any, state: str) -> None:
        dossier, document = issued(site)
        changed(site, dossier, document, status=status, changed_at=site.world.clock.now())
        page = site.stranger().get(f"/V/{document.token}").get_data(as_text=True)
        assert re.search(f"<h1>{state}[^<\u00a0]+2026</h1>", page), "a narrow title breaks between words"
        assert "En cours de validité" not in page

    def test_its_time_is_over(self, site: StaffSite) -> None:
        _, document = issued(site)
        site.world.wait(days=100)
        words = site.stranger().see(f"/V/{document.token}")
        assert "Expiré le" in words
        assert "Il n’est plus valable." in words

    def test_erased_content_is_said_and_nothing_else(self, site: StaffSite) -> None:
        dossier, document = issued(site)
        now = site.world.clock.now()
        changed(site, dossier, without_content(document), status="revoked", changed_at=now)
        kept = site.kept(dossier)
        with site.world.office.store.unit(write=True) as unit:
            unit.put_dossier(replace(kept, erased_at=now, revision=kept.revision + 1), kept.revision)
        for address in (f"/V/{document.token}", f"/v/{document.code}"):
            words = site.stranger().see(address)
            assert "Authentique ; contenu effacé le" in words
            assert "Retiré le" in words
            assert "AMEGAN" not in words

    @pytest.mark.parametrize(("by", "status", "shown"), [("code", 200, "A••• A•••"), ("none", 404, "Document inconnu")])
    def test_a_definition_that_shows_less(self, site: StaffSite, by: Any, status: int, shown: str) -> None:
        dossier, document = issued(site)
        office = site.world.office
        book = office.catalogue.procedures[B3]
        outputs = {**book.outputs, document.output: replace(book.outputs[document.output], verify=by)}
        office.editions._definitions[dossier.fingerprint] = replace(book, outputs=outputs)
        words = site.stranger().see(f"/V/{document.token}", status)
        assert shown in words
        assert "AMEGAN" not in words


class TestEveryCopy:
    @pytest.mark.parametrize(
        ("status", "mark"), [("revoked", "RETIRÉ LE 23 NOVEMBRE 2026"), ("suspended", "SUSPENDU LE 23 NOVEMBRE 2026")]
    )
    def test_the_copy_of_an_agent_says_what_the_paper_is_worth(self, site: StaffSite, status: Any, mark: str) -> None:
        dossier, document = issued(site)
        copy = f"/agent/dossiers/{dossier.number}/documents/{document.id}.pdf"
        assert mark not in drawn(site, copy)
        changed(site, dossier, document, status=status, changed_at=site.world.clock.now())
        assert mark in drawn(site, copy)

    def test_the_copy_of_an_agent_is_in_the_language_of_the_paper(self, site: StaffSite) -> None:
        dossier, document = issued(site)
        seat = site.agent(CLERK)
        seat.get("/agent?lang=en")
        copy = seat.get(f"/agent/dossiers/{dossier.number}/documents/{document.id}.pdf").data
        assert "Numéro" in words_of(copy) or "N°" in words_of(copy)

    def test_a_link_to_a_document_says_what_it_says_and_what_it_is_worth(self, site: StaffSite) -> None:
        dossier, document = issued(site)
        secret = lend(site.world.office, site.world.owner(dossier), dossier.id, document.id)
        changed(site, dossier, document, status="replaced", changed_at=site.world.clock.now())
        answer = site.stranger().get(f"/p/{secret}")
        assert "Document remplacé" in read(answer)
        assert next(printed((document.paper or {})["operative"])) in plain(answer.get_data(as_text=True))
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "REMPLACÉ LE 23 NOVEMBRE 2026" in words_of(site.stranger().get(f"/p/{secret}.pdf").data)


def drawn(site: StaffSite, address: str) -> str:
    return words_of(site.agent(CLERK).get(address).data)


def words_of(pdf: bytes) -> str:
    text = " ".join(one.extract_text() for one in PdfReader(io.BytesIO(pdf)).pages)
    return " ".join(text.replace("\u00a0", " ").split())
