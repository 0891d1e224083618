"""The author's preview: real pages on a tryout of one file, tools that need no script, a file that changes underneath."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from engine.language.catalogue.watched_file import WatchedFile
from renderers.cli.preview import solver
from renderers.web.preview import HOME
from server import _previewed
from tests.makers import PROCEDURES
from tests.web.browser_person import DESK, PHONE
from tests.web.client import STALL, Seen, a_portal_client
from tests.web.live_site import listening

pytestmark = pytest.mark.slow  # a whole site and its people for each test

# what a checked file says of its documents, and STALL does not
STATING = STALL.replace("to: refuse, asks: [reason]}", "to: refuse, asks: [reason], issues: lettre}").replace(
    "  permis: {title: Permis d'étal, kind: permit, valid: 1 year, shows: [nom]}\n",
    "  permis:\n    title: Permis d'étal\n    kind: certificate\n    valid: 1 year\n    sealed_by: agency\n"
    "    operative: La mairie atteste qu'un étal est loué au marché.\n    declared: [nom]\n"
    "  lettre:\n    title: Refus d'étal\n    kind: letter\n    signed_by: maire\n    reason_of: refuser\n"
    "    operative: La demande n° {dossier} **est refusée**.\n",
)
TEXT = (
    "procedure: etal\nedition: 1\nagency: mairie\ndelay: 5 working days\n"
    "legal_basis: {usage: {title: Usage, status: plausible}}\n"
    + STATING.strip("\n")
    + "\n"
    + "personal_data: {purpose: Essayer, keep: {granted: 2 years, abandoned: 2 years, refused: 2 years, withdrawn: 2 years}}\n"
    + "scenarios:\n  simple: {story: Un étal accordé, steps: [{take: accorder, then: a_payer}]}\n"
)


@dataclass
class Author:
    """Somebody with a file open in an editor, and the preview beside it."""

    app: Flask
    client: FlaskClient
    file: Path
    page: Seen = field(init=False)

    @property
    def preview(self) -> Any:
        return self.app.extensions["preview"]

    def open(self, address: str = HOME, **more: Any) -> Seen:
        self.page = Seen(self.client.get(address, **more))
        return self.page

    def use(self, tool: str, **fields: str) -> Seen:
        """One of the tools, then the bench again."""
        token = self.open().value("csrf_token")
        answer = self.client.post(f"{HOME}/{tool}", data={"csrf_token": token, **fields})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return self.open()

    @property
    def view(self) -> str:
        """The address in the frame."""
        found = re.search(r'<iframe name="vue" src="([^"]*)"', self.page.html)
        assert found, self.page.text
        return found[1]

    def framed(self) -> Seen:
        return Seen(self.client.get(self.view, follow_redirects=True))

    def save(self, before: str, after: str) -> None:
        text = self.file.read_text("utf-8")
        assert before in text
        self.file.write_text(text.replace(before, after), "utf-8")


def an_author(folder: Path, text: str = TEXT, language: str = "fr") -> Author:
    file = folder / "etal.yaml"
    file.write_text(text, "utf-8")
    data = folder / "tryout"
    data.mkdir()
    app = _previewed(WatchedFile(file, PROCEDURES), data, "http://127.0.0.1:8100", solver("fr"), language)
    return Author(app, app.test_client(), file)


@pytest.fixture
def author(tmp_path: Path) -> Author:
    return an_author(tmp_path)


class TestTheBench:
    def test_the_sheet_is_in_the_frame_first(self, author: Author) -> None:
        author.open()
        assert "etal.yaml sans erreur" in author.page.text
        assert author.view == "/demarches/etal"
        framed = author.framed()
        assert "Étal de marché" in framed.text
        assert framed.response.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in framed.response.headers["Content-Security-Policy"]
        assert "script-src 'self'" in framed.response.headers["Content-Security-Policy"]

    def test_the_page_and_its_frame_are_in_the_language_asked(self, tmp_path: Path) -> None:
        author = an_author(tmp_path, language="en")
        author.open()
        assert "The time it is here" in author.page.text
        assert author.framed().html.index('<html lang="en">') < author.framed().html.index("Start now")

    def test_from_each_place(self, author: Author) -> None:
        author.use("etat", state="examen")
        for seat, sees in (
            ("applicant", "Étal de marché"), ("mairie/maire", "AMEGAN"), ("controle", "Étal de marché"),
            ("visitor", "Louer un étal"),
        ):  # fmt: skip
            author.use("place", seat=seat)
            framed = author.framed()
            assert (framed.status, sees in framed.text) == (200, True), (seat, author.view, framed.text)

    def test_the_form_is_filled_with_an_example_and_what_was_answered_stays(self, author: Author) -> None:
        author.use("exemple")
        number = re.findall(r"\d{11}", author.view)[0]
        assert "AMEGAN" in author.framed().text
        page = Seen(author.client.get(f"/dossiers/{number}/demande/vous")).form()
        author.client.post(f"/dossiers/{number}/demande/vous", data={**page, "nom": "KOFFI", "go": "next"})
        author.use("exemple")
        framed = author.framed()
        assert "KOFFI" in framed.text
        assert "AMEGAN" not in framed.text
        assert "carte.png" in framed.text

    def test_examples_that_disagree_give_way_to_answers_that_can_be_sent(self, tmp_path: Path) -> None:
        check = "    checks:\n      vert: {must: commerce != 'legumes', message: Pas de légumes ici.}\n  aides:"
        author = an_author(tmp_path, TEXT.replace("  aides:", check, 1))
        author.use("exemple")
        draft = author.preview.session.newest()
        assert draft.answers["commerce"] in ("tissus", "other")
        assert "Pas de légumes ici." not in author.framed().text

    def test_every_state_is_reached(self, author: Author) -> None:
        for state in author.preview.session.procedure.states:
            author.use("etat", state=state)
            newest = author.preview.session.newest()
            assert newest.state == state, author.page.text
            assert author.framed().status == 200

    def test_the_clock_moves_and_what_is_due_happens(self, author: Author) -> None:
        author.use("etat", state="a_payer")
        before = author.preview.session.office.now()
        author.use("horloge", by="day")
        assert (author.preview.session.office.now() - before).total_seconds() == pytest.approx(86_400, abs=60)
        author.use("horloge", by="due")
        assert author.preview.session.newest().state == "classe"
        assert author.framed().status == 200  # still signed in, weeks later

    def test_the_end_of_a_story(self, author: Author) -> None:
        author.use("histoire", story="simple")
        assert author.preview.session.newest().state == "a_payer"
        assert author.preview.begin_with("Un étal accordé")
        assert not author.preview.begin_with("Aucune")

    def test_width_and_language_keep_the_page(self, author: Author) -> None:
        author.use("affichage", width="768", view="/demarches/etal/verifier?majeur=oui")
        assert 'class="stage w768"' in author.page.html
        assert author.view == "/demarches/etal/verifier?majeur=oui"
        author.use("affichage", language="fr", view="https://elsewhere.example/")
        assert author.view == "/demarches/etal"
        assert 'name="language" value="en"' not in author.page.html  # the file speaks French alone

    def test_what_is_no_tool_is_refused(self, author: Author) -> None:
        token = author.open().value("csrf_token")
        for tool, fields in (
            ("place", {"seat": "mairie/roi"}), ("etat", {"state": "../x"}), ("histoire", {"story": ""}),
            ("horloge", {"by": "year"}), ("affichage", {"width": "9"}), ("affichage", {"language": "en"}),
        ):  # fmt: skip
            answer = author.client.post(f"{HOME}/{tool}", data={"csrf_token": token, **fields})
            assert answer.status_code == 400, tool
        assert author.client.post(f"{HOME}/exemple").status_code == 400  # a form of nobody


class TestTheFile:
    def test_a_change_is_served_and_drafts_follow(self, author: Author) -> None:
        author.use("exemple")
        author.save("{label: Nom,", "{label: Nom de famille,")
        assert json.loads(author.open(f"{HOME}/version.json?n=1").html) == {"n": 2, "broken": False}
        author.open()
        assert "Nom de famille" in author.framed().text

    def test_faults_are_shown_over_the_last_good_version(self, author: Author) -> None:
        author.open()
        author.save("pay: place", "pay: plaze")
        author.open()
        assert "1 erreur" in author.page.text
        assert "erreur[N301]" in author.page.text
        assert "^^^^^" in author.page.text
        assert "Étal de marché" in author.framed().text
        author.save("pay: plaze", "pay: place")
        assert "erreur[" not in author.open().text

    def test_a_file_that_was_never_right_shows_its_faults_alone(self, tmp_path: Path) -> None:
        author = an_author(tmp_path, TEXT.replace("edition: 1", "edition: un"))
        author.open()
        assert (author.page.status, "<iframe" in author.page.html) == (200, False)
        assert "Rien n’est encore affiché" in author.page.text
        author.save("edition: un", "edition: 1")
        author.open()
        assert author.view == "/demarches/etal"

    def test_a_file_that_went_away_leaves_what_was_there(self, author: Author) -> None:
        author.open()
        author.file.unlink()
        author.open()
        assert "Y100" in author.page.text
        assert author.framed().status == 200

    def test_a_state_that_vanished_leaves_its_dossier_in_peace(self, author: Author) -> None:
        author.use("etat", state="cle")
        author.save("then: cle,", "then: guichet,")
        author.save("    cle: {", "    guichet: {")
        author.open()
        assert "1 erreur" not in author.page.text
        assert author.framed().status == 200


class TestNobodyElse:
    def test_another_machine_or_name_is_refused(self, author: Author) -> None:
        assert author.open(environ_base={"REMOTE_ADDR": "10.0.0.7"}).status == 403
        assert author.open("/", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status == 403
        assert author.open(headers={"Host": "guichet.example"}).status == 400
        assert author.open(headers={"Host": "localhost:8100"}).status == 200

    def test_its_cookies_are_its_own(self, author: Author) -> None:
        author.use("place", seat="applicant")
        names = {cookie.key for cookie in author.client._cookies.values()}  # type: ignore[attr-defined]
        assert names == {"apercu", "apercu-session", "apercu-known"}

    def test_an_ordinary_site_has_none_of_it(self, tmp_path: Path) -> None:
        visitor = a_portal_client(tmp_path)
        assert visitor.open(HOME).status == 404
        assert visitor.page.response.headers["X-Frame-Options"] == "DENY"


@pytest.fixture
def address(author: Author) -> Iterator[str]:
    """The preview listening, for a browser."""
    with listening(author.app, threads=8) as listener:
        yield f"{listener.address}{HOME}"
        author.preview.stopping.set()


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_follows_the_file_and_keeps_what_was_typed(author: Author, address: str, browser: Browser) -> None:
    said: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
    page.goto(address)
    for size in (PHONE, DESK):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert not Axe().run(page, context="body").response["violations"]
    page.get_by_role("button", name="Citoyen").click()
    frame = page.frame_locator("iframe[name=vue]")
    frame.get_by_role("heading", name="Étal de marché").wait_for()
    page.get_by_role("button", name="Remplir avec un exemple").click()
    frame.get_by_role("link", name="Modifier").first.click()
    frame.get_by_label("Nom").fill("LAWSON")
    author.save("{label: Nom,", "{label: Nom de famille,")
    frame.get_by_label("Nom de famille").wait_for()
    assert frame.get_by_label("Nom de famille").input_value() == "LAWSON"
    author.save("pay: place", "pay: plaze")
    page.locator(".fault pre").wait_for()
    assert frame.get_by_label("Nom de famille").input_value() == "LAWSON"  # still there under the faults
    author.save("pay: plaze", "pay: place")
    page.locator(".fault").wait_for(state="detached")
    assert said == []
    page.close()
