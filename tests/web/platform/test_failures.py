"""Bad days at the public's desk: a store that is stuck, a session that ended, a form sent twice, an address made up."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.records.dossier import Account
from engine.services.context.app_context import AppContext
from engine.services.keys.secrets import hash_secret
from engine.services.limits.code_limits import PER_BROWSER
from engine.storage.results import Away, Busy
from engine.storage.unit_of_work import Store, Unit
from tests.web.client import ANSWERS, PHONE, PortalClient, Seen, a_portal_client, another, later, picture

pytestmark = pytest.mark.slow  # a whole site and its people for each test


@pytest.fixture
def known(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


# -- a store that is stuck ---------------------------------------------------------------------------------------------


_FULL = Busy("SQLITE_FULL")


class _Stuck:
    """A store on a full disk: it reads, unless told otherwise, and writes nothing."""

    def __init__(self, store: Store, reads: bool, error: Busy) -> None:
        self._store, self._reads, self._error = store, reads, error

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def unit(self, write: bool = False, wait_limit: float | None = None) -> AbstractContextManager[Unit]:
        if write or not self._reads:
            raise self._error
        return self._store.unit()


def stuck(visitor: PortalClient, reads: bool = True, error: Busy = _FULL) -> None:
    app, office = visitor.client.application, visitor.office
    serving = replace(office, store=_Stuck(office.store, reads, error))
    app.extensions["guichet"] = replace(app.extensions["guichet"], office=serving)


def unstuck(visitor: PortalClient, office: AppContext) -> None:
    app = visitor.client.application
    app.extensions["guichet"] = replace(app.extensions["guichet"], office=office)


def test_a_full_store_still_lets_people_read(known: PortalClient) -> None:
    later(known, minutes=2)  # the session would note that it was seen
    stuck(known)
    assert known.open("/dossiers").status == 200


@pytest.mark.parametrize("reads", [True, False])
def test_a_stuck_store_refuses_what_writes_with_a_page_of_ours(known: PortalClient, reads: bool) -> None:
    number = known.begin()
    address = f"/dossiers/{number}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "go": "next"}
    form["token"] = []  # without a token nothing is tried again
    later(known, minutes=2)
    stuck(known, reads)
    office = known.office
    page = sent_from(known, "same-origin", address, form)
    assert page.status == 503
    assert page.response.headers["Retry-After"]
    assert page.response.headers["X-Frame-Options"] == "DENY"
    assert "n’est peut-être pas enregistré" in page.text
    assert page.form()["nom"] == [ANSWERS["nom"]], "what they typed is in the page that comes"
    unstuck(known, office)
    assert sent_from(known, "same-origin", address, page.form()).status == 303


def test_a_file_is_chosen_again_before_it_is_sent_again(known: PortalClient) -> None:
    """No page may hold a file; without it, what was sent would be kept as if there had been none."""
    number = known.sent()
    address, office = f"/dossiers/{number}/messages", known.office
    form = {**known.open(address).form(), "body": "Voici ma carte."}
    stuck(known, reads=False)
    page = sent_from(known, "same-origin", address, {**form, "file": picture()})
    assert page.status == 503
    assert 'enctype="multipart/form-data"' in page.html
    assert "Choisissez de nouveau le fichier" in page.text
    again = page.form()
    assert (again["body"], again["end"]) == (["Voici ma carte."], ["1"])
    unstuck(known, office)
    assert sent_from(known, "same-origin", address, {**again, "file": picture()}).status == 303
    with office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
        assert dossier is not None
        [told] = unit.messages_of(dossier.id)
    assert len(told.files) == 1


@pytest.mark.parametrize("site", ["cross-site", None])
def test_what_another_site_sent_is_not_offered_to_be_sent_again(known: PortalClient, site: str | None) -> None:
    number = known.begin()
    address = f"/dossiers/{number}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "go": "next", "token": []}
    later(known, minutes=2)
    stuck(known, reads=False)
    page = sent_from(known, site, address, form)
    assert (page.status, ANSWERS["nom"] in page.html) == (503, False)


def test_a_password_stands_in_no_page(known: PortalClient) -> None:
    form = {**known.open("/agent/connexion").form(), "login": "chef", "password": "hidden-words"}
    stuck(known, reads=False)
    page = sent_from(known, "same-origin", "/agent/connexion", form)
    assert (page.status, "hidden-words" in page.html) == (503, False)


def sent_from(visitor: PortalClient, site: str | None, address: str, form: Mapping[str, Any]) -> Seen:
    """A form, and what its browser says of where it stood."""
    headers = {"Sec-Fetch-Site": site} if site else {}
    return Seen(visitor.client.post(address, data=form, headers=headers))


def test_a_database_that_is_away_is_told_from_one_that_many_ask(known: PortalClient) -> None:
    stuck(known, reads=False, error=Away("line"))
    page = known.open("/dossiers")
    assert (page.status, "ne répond pas" in page.text, "très demandé" in page.text) == (503, True, False)
    assert page.response.headers["Retry-After"]
    stuck(known, reads=False)
    page = known.open("/dossiers")
    assert (page.status, "très demandé" in page.text) == (503, True)


def test_a_store_that_answers_nothing_still_gives_pages_of_errors(known: PortalClient) -> None:
    stuck(known, reads=False)
    assert known.open("/nowhere").status == 404
    assert known.open("/").status == 503


# -- what no text holds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status"),
    [("/v/a%00b", 404), ("/demarches/a%00b", 404), ("/v?code=a%00b", 400), ("/retours/argent?paiement=%00", 400), ("/?q=%00", 400)],
)  # fmt: skip
def test_an_address_with_a_nul_is_of_no_page(known: PortalClient, address: str, status: int) -> None:
    """PostgreSQL keeps none: it would be an accident there."""
    assert known.open(address).status == status
    assert known.page.response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("name", ["nom", "token", "go", "a\0b"])
def test_no_form_takes_a_nul(known: PortalClient, name: str) -> None:
    address = f"/dossiers/{known.begin()}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "go": "next"}
    assert known.post(address, **{**form, name: "a\0b"}).status == 400
    assert known.post(address, **form).status == 303


# -- a session that ended ----------------------------------------------------------------------------------------------


def left_unsent(visitor: PortalClient) -> str:
    """Somebody types, and their session has ended meanwhile; where they typed."""
    address = f"/dossiers/{visitor.begin()}/demande/vous"
    form = {**visitor.open(address).form(), **ANSWERS, "go": "next"}
    later(visitor, hours=2)
    assert visitor.post(address, **form).address == "/connexion?suite=%2Freprendre"
    return address


def come_back(visitor: PortalClient, phone: str) -> str:
    """Signs in where the lost session led, and reads the page that follows."""
    visitor.send("/connexion?suite=%2Freprendre", phone=phone)
    visitor.send("/connexion/code", code=visitor.code(phone))
    return visitor.follow().html


def test_what_was_typed_is_handed_back_once_and_to_its_author_only(known: PortalClient) -> None:
    left_unsent(known)
    assert known.open("/reprendre").address == "/connexion?suite=/reprendre"  # nothing before signing in
    assert "Amegan" in come_back(known, PHONE)
    assert known.open("/reprendre").address == "/dossiers"


def test_who_signs_in_more_than_a_day_later_reads_that_it_is_no_longer_kept(known: PortalClient) -> None:
    left_unsent(known)
    assert "gardées un jour" in known.open("/connexion?suite=%2Freprendre").text
    later(known, hours=25)
    said = come_back(known, PHONE)
    assert known.page.status == 410
    assert "Amegan" not in said
    assert "Votre dernier envoi n’est plus là" in known.page.text


def test_what_is_too_long_to_be_kept_is_said_at_once(known: PortalClient) -> None:
    address = f"/dossiers/{known.begin()}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "nom": "A" * 65_000, "prenoms": "B" * 65_000, "go": "next"}
    later(known, hours=2)
    page = known.post(address, **form)
    assert page.status == 409
    assert "trop long pour être gardé" in page.text


def test_what_was_typed_is_not_shown_to_the_next_person(known: PortalClient) -> None:
    left_unsent(known)
    assert "Amegan" not in come_back(known, "91223344")
    assert known.open("/reprendre").address == "/dossiers"


@pytest.mark.parametrize(("phone", "seen"), [(PHONE, True), ("91223344", False)])
def test_without_a_session_the_owner_of_the_dossier_is_the_author(known: PortalClient, phone: str, seen: bool) -> None:
    address = f"/dossiers/{known.begin()}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "go": "next"}
    known.client.delete_cookie("guichet")
    known.post(address, **form)
    later(known, minutes=2)
    assert ("Amegan" in come_back(known, phone)) == seen


def test_nobody_known_fills_the_store(known: PortalClient) -> None:
    address = f"/dossiers/{known.begin()}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS}
    known.client.delete_cookie("guichet")
    answers = [known.post(address, **form).status for _ in range(25)]
    assert answers == [303] * PER_BROWSER + [429] * (25 - PER_BROWSER)


# -- a page that served already ----------------------------------------------------------------------------------------


def test_back_and_another_answer_loses_nothing(known: PortalClient) -> None:
    """« Retour » shows the page with its old token; what is typed then stays, beside what was kept."""
    address = f"/dossiers/{known.begin()}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "go": "next"}
    assert known.post(address, **form).status == 303
    page = known.post(address, **{**form, "nom": "Ameganvi"})
    assert page.status == 409
    assert page.value("nom") == "Ameganvi"
    assert "AMEGAN" in page.text
    assert known.post(address, **page.form()).status == 303
    assert known.open(address).value("nom") == "AMEGANVI"


def test_back_and_another_correction_loses_nothing(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "corriger", correction={"nom": "Illisible", "commerce": "Lequel ?"}, reason="À revoir.")
    address = f"/dossiers/{number}/corrections"
    form = {**known.open(address).form(), "nom": "Afi", "declared": "commerce", "go": "save"}
    assert known.post(address, **form).status == 303
    page = known.post(address, **{**form, "nom": "Afiwa"})
    assert page.status == 409
    assert page.value("nom") == "Afiwa"
    assert known.post(address, **page.form()).status == 303
    assert known.open(address).value("nom") == "AFIWA"


# -- a page whose form grew old ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "typed", "opens"),
    [
        ("/agent/connexion", {"login": "mensah", "password": "M0t-de-p4sse"}, "/agent/connexion"),
        ("/audit/connexion", {"login": "controle", "password": "M0t-de-p4sse"}, "/audit/connexion"),
        ("/agent/compte/mot-de-passe", {"before": "M0t-de-p4sse", "password": "x", "again": "x"}, "/agent/compte/mot-de-passe"),
        ("/connexion/code", {"code": "M0t-de-p4sse"}, "/connexion/code"),
        ("/_operateur", {"reference": "r", "pin": "M0t-de-p4sse"}, "/_operateur"),
    ],
)  # fmt: skip
def test_no_secret_comes_back_on_the_page_of_an_old_form(
    known: PortalClient, address: str, typed: dict[str, str], opens: str
) -> None:
    answer = known.client.post(
        address, data={**typed, "csrf_token": "stale"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 400
    assert "M0t-de-p4sse" not in answer.text
    assert "les mots de passe et les codes ne sont pas gardés" in answer.text
    assert f'<a class="button" href="{opens}">' in answer.text
    assert 'type="hidden"' not in answer.text.partition("<main")[2].partition("</main>")[0]


# -- a code asked too soon ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["/connexion", "/suivi"])
def test_a_number_asked_too_soon_never_leads_to_the_page_of_another(known: PortalClient, door: str) -> None:
    more = {"number": "26000000000"} if door == "/suivi" else {}
    someone = another(known)
    someone.send("/connexion", phone="91223344")
    someone.send("/connexion", phone="92112233")
    page = someone.send(door, phone="91223344", **more)
    assert page.status == 422
    assert "secondes" in page.text
    assert someone.send(door, phone="92 11 22 33", **more).address == "/connexion/code"


# -- what no page of ours sends ----------------------------------------------------------------------------------------


def test_a_token_longer_than_any_of_ours_is_refused(known: PortalClient) -> None:
    address = f"/dossiers/{known.begin()}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "go": "next"}
    assert known.post(address, **{**form, "token": "a" * 201}).status == 400
    assert known.post(address, **{**form, "token": "a" * 200}).status == 303


@pytest.mark.parametrize("mark", [["\ud800", "x"], ["~", "\udfff"], ["é", "x"], [1, 2], {"a": 1}])
def test_a_mark_nobody_made_begins_at_the_start(known: PortalClient, mark: object) -> None:
    known.sent()
    clerk = another(known)
    with known.office.store.unit(write=True) as unit:
        unit.put_account(Account("mayor", "agent", "Maire", "maire", hash_secret("clef"), ("mairie/maire",)))
    clerk.client.post(
        "/agent/connexion", data={**clerk.open("/agent/connexion").form(), "login": "maire", "password": "clef"}
    )
    after = base64.urlsafe_b64encode(json.dumps(mark).encode()).decode()
    page = clerk.open(f"/agent?apres={after}")
    assert page.status == 200
    assert page.text.replace("Début de la liste ", "") == clerk.open("/agent").text


def test_answers_in_an_address_are_not_kept_by_anybody(tmp_path: Path) -> None:
    visitor = a_portal_client(tmp_path)
    for answer in ("oui", "non"):
        page = visitor.open(f"/demarches/essai/verifier?majeur={answer}")
        assert page.response.headers["Cache-Control"] == "no-store"
    assert "public" in visitor.open("/demarches/essai").response.headers["Cache-Control"]
