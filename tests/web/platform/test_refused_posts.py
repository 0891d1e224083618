"""A refused post of an applicant: its page is opened again by a reload and by « Retour », and by no one else."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from engine.core.values import canonical_json
from engine.services.sign_in.sessions import ASIDES_PER_ACCOUNT, LONGEST_ASIDE
from renderers.web.platform.refused_posts import ASKED
from tests.web.client import ANSWERS, PHONE, PortalClient, Seen, a_portal_client, another, later
from tests.web.live_site import listening

Way = Callable[[PortalClient], str]
LONG = "é" * 3000  # more than a cookie holds, and than a message may have


def at(address: str, *before: tuple[str, Mapping[str, str]], signed_in: bool = False) -> Way:
    """The way to a page that is opened at once, or after these posts."""

    def way(person: PortalClient) -> str:
        if signed_in:
            person.sign_in()
        for path, fields in before:
            person.send(path, **fields)
        return address

    return way


def of_draft(rest: str) -> Way:
    return lambda person: f"/dossiers/{person.sign_in().begin()}{rest}"


def of_dossier(rest: str, *acts: tuple[str, Mapping[str, Any]]) -> Way:
    def way(person: PortalClient) -> str:
        number = person.sign_in().sent()
        for act, more in acts:
            person.decide(number, act, **more)
        return f"/dossiers/{number}{rest}"

    return way


MINE = "/compte"
REFUSED: list[tuple[str, Way, dict[str, Any], str, str]] = [
    # what it is, the way to it, what is typed, what it says, what the page still holds
    ("phone", at("/connexion"), {"phone": "12"}, "numéro", 'value="12"'),
    ("code", at("/connexion/code", ("/connexion", {"phone": PHONE})), {"code": "000000"}, "code", ""),
    ("mail", at("/connexion/courriel"), {"email": "afi@"}, "adresse", 'value="afi@"'),
    ("follow", at("/suivi"), {"number": "123", "phone": PHONE}, "11 chiffres", 'value="123"'),
    ("follow phone", at("/suivi"), {"number": "26123456789", "phone": "12"}, "numéro", 'value="26123456789"'),
    ("receipt", at("/suivi/code"), {"number": "26123456789", "code": "11112222"}, "numéro", 'value="26123456789"'),
    ("new phone", at(f"{MINE}/telephone", signed_in=True), {"way": "12"}, "numéro", 'value="12"'),
    ("new mail", at(f"{MINE}/courriel", signed_in=True), {"way": "afi"}, "adresse", 'value="afi"'),
    ("proof", at(f"{MINE}/code", (f"{MINE}/courriel", {"way": "afi@exemple.tg"}), signed_in=True), {"code": "000000"}, "code", ""),
    ("identity", at(f"{MINE}/identite", signed_in=True), {"family_name": "AM3GAN", "birth_place": "Kpalimé"}, "lettres", "Kpalimé"),
    ("company", at(f"{MINE}/entreprises/nouvelle", signed_in=True), {"number": "TG-LOM 1", "name": "SOTOGO"}, "document", "SOTOGO"),
    ("proxy", at(f"{MINE}/personnes/procuration", signed_in=True), {"family_name": "AMEGAN", "given_names": "Yao"}, "document", "Yao"),
    ("child", at(f"{MINE}/enfants/nouveau", signed_in=True), {"family_name": "AMEGAN", "given_names": "Yao", "day": "40"}, "date", 'value="40"'),
    ("person", at(f"{MINE}/personnes/nouvelle", signed_in=True), {"phone": "12", "name": "AMEGAN"}, "numéro", "AMEGAN"),
    ("reader", of_dossier("/personnes"), {"phone": "12", "until": "2027-01-02"}, "numéro", 'value="2027-01-02"'),
    ("page", of_draft("/demande/vous"), {**ANSWERS, "naissance_month": "13"}, "date", 'value="13"'),
    ("piece", of_draft("/demande/pieces"), {"file:carte": "bad", "send": "carte"}, "Carte d’identité", ""),
    ("declaration", lambda person: f"/dossiers/{person.sign_in().fill()}/verification", {}, "Cochez la case", ""),
    ("message", of_dossier("/messages"), {"body": "Voici", "file": "bad"}, "PDF", "Voici</textarea>"),
    ("long message", of_dossier("/messages"), {"body": LONG}, "de trop", f"{LONG}</textarea>"),
    ("act", of_dossier("/actes/retirer"), {"reason": " "}, "motif", ""),
    ("payment", of_dossier("/paiement", ("accorder", {})), {"provider": "argent", "payer": "12 34"}, "numéro", 'value="12 34"'),
    ("correction", of_dossier("/corrections", ("corriger", {"reason": "r", "correction": {"naissance": "Quel jour ?"}})),
     {"naissance_day": "31", "naissance_month": "2", "naissance_year": "1990"}, "date", 'value="31"'),
]  # fmt: skip
IDS = [name for name, *_ in REFUSED]


def sent(person: PortalClient, address: str, typed: Mapping[str, Any]) -> Seen:
    """Fills the form of a page and posts it, as it is answered."""
    files = {name: (io.BytesIO(b"x"), "carte.txt") for name, value in typed.items() if value == "bad"}
    form = {**person.open(address).form(), **typed, **files}
    return Seen(person.client.post(address, data=form))


@pytest.mark.parametrize(("name", "way", "typed", "said", "held"), REFUSED, ids=IDS)
def test_the_page_of_a_refused_post_is_opened_again_by_its_browser_alone(
    tmp_path: Path, name: str, way: Way, typed: dict[str, Any], said: str, held: str
) -> None:
    person = a_portal_client(tmp_path)
    address = way(person)
    answer = sent(person, address, typed)
    assert (answer.status, answer.address) == (303, f"{address}?{ASKED}=1#errors")
    pages = [person.open(answer.address) for _ in range(2)]
    for page in pages:
        assert page.status == 200
        assert page.title.startswith("Erreur : ")
        assert 'id="errors"' in page.html
        assert said in page.typed()[0][0].replace("&#39;", "'")
        assert held in page.html
        assert page.response.headers["Cache-Control"] == "no-store"
        assert not any(f'value="{secret}"' in page.html for secret in ("000000", "11112222")), "a code is typed again"
    assert pages[0].typed() == pages[1].typed()
    plain = person.open(address)
    assert (plain.status, 'id="errors"' in plain.html) == (200, False)
    stranger = another(person)
    for _ in ("without a session", "in one of its own"):
        assert 'id="errors"' not in stranger.open(answer.address).html
        stranger.sign_in("91223344")
    later(person, minutes=31)
    assert 'id="errors"' not in person.open(answer.address).html


def test_what_is_wrong_is_said_in_the_language_asked_for(tmp_path: Path) -> None:
    person = a_portal_client(tmp_path)
    answer = sent(person, "/suivi", {"number": "123", "phone": PHONE})
    page = person.open(answer.address.replace("#errors", "&lang=en"))
    assert "11 digits" in page.text
    assert page.value("number") == "123"


def test_an_accepted_post_ends_the_faults_of_its_page(tmp_path: Path) -> None:
    person = a_portal_client(tmp_path)
    address = f"/dossiers/{person.sign_in().begin()}/demande/vous"
    again = sent(person, address, {**ANSWERS, "nom": "", "go": "next"}).address
    assert 'id="errors"' in person.open(again).html
    person.send(address, **ANSWERS, go="next")
    page = person.open(again)
    assert 'id="errors"' not in page.html
    assert page.value("nom") == "AMEGAN"


def test_whoever_signs_in_next_at_the_same_browser_sees_nothing_of_it(tmp_path: Path) -> None:
    person = a_portal_client(tmp_path).sign_in()
    again = sent(person, f"{MINE}/personnes/nouvelle", {"phone": "12", "name": "AMEGAN"}).address
    assert "AMEGAN" in person.open(again).html
    person.client.delete_cookie("guichet")  # the session ended, the browser's own cookie stayed
    person.sign_in("91223344")
    assert "AMEGAN" not in person.open(again).html


@pytest.mark.parametrize("accept", ["*/*", ""])
def test_a_script_is_answered_by_the_page_itself(tmp_path: Path, accept: str) -> None:
    """It compares statuses, and the posts it sends may cross each other."""
    person = a_portal_client(tmp_path)
    form = {**person.open("/connexion").form(), "phone": "12"}
    answer = person.client.post("/connexion", data=form, headers={"Accept": accept} if accept else {})
    assert answer.status_code == (422 if accept else 303)
    assert ('id="errors"' in answer.get_data(as_text=True)) is bool(accept)


def stored(person: PortalClient) -> list[int]:
    """The bytes of each refused post in the store."""
    with person.office.store.unit() as unit:
        return [len(canonical_json(body)) for _, body, _ in unit.asides("aside/refused/", 1000)]


def cookie(person: PortalClient) -> int:
    kept = person.client.get_cookie("session")
    return len(kept.value) if kept else 0


def test_neither_the_store_nor_the_cookie_grows(tmp_path: Path) -> None:
    """A stranger has nothing stored; an account one post for each session, so often in a quarter of an hour."""
    person = a_portal_client(tmp_path)
    for number in range(3):
        assert sent(person, "/suivi", {"number": "1" * 400, "phone": LONG}).status == 422, "answered by its page"
        assert sent(person, "/connexion", {"phone": f"1{number}"}).status == 303
    assert stored(person) == []
    number = person.sign_in().sent()
    pages = (f"/dossiers/{number}/messages", f"/dossiers/{number}/actes/retirer")
    assert sent(person, pages[0], {"body": LONG}).status == 303
    assert sent(person, pages[0], {"body": "é" * 40_000}).status == 422, "larger than a saved post may be"
    for _ in range(ASIDES_PER_ACCOUNT - 1):
        assert sent(person, pages[0], {"body": LONG}).status == 303
    page = sent(person, pages[0], {"body": LONG})
    assert (page.status, LONG in page.html) == (422, True), "counted, and nothing is lost"
    assert len(stored(person)) == 1
    assert max(stored(person)) < LONGEST_ASIDE
    for name in ("nouvelle", "procuration"):
        sent(person, f"{MINE}/personnes/{name}", {"family_name": "A1" * 100, "given_names": "B" * 100, "phone": "1"})
    assert cookie(person) < 2500


def test_a_cookie_of_the_release_before_is_read(tmp_path: Path) -> None:
    """It said once, without the address, that the declaration was missing."""
    person = a_portal_client(tmp_path)
    address = f"/dossiers/{person.sign_in().fill()}/verification"
    with person.client.session_transaction() as kept:
        kept["undeclared"] = address.split("/")[2]
    page = person.open(address)
    assert (page.status, 'id="errors"' in page.html) == (200, False)
    assert "Cochez la case" in person.send(address).text


@pytest.mark.browser
def test_back_asks_for_no_second_sending(tmp_path: Path, browser: Browser) -> None:
    """Without scripts, as on a small phone: refused, corrected, gone on, and twice back."""
    person = a_portal_client(tmp_path)
    with listening(person.client.application) as site:
        context = browser.new_context(java_script_enabled=False, locale="fr-FR")
        context.set_default_timeout(15_000)
        page, posts = context.new_page(), list[str]()
        page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)

        def press() -> None:
            with page.expect_navigation():
                page.locator("main form[method=post] button.button").first.click()

        page.goto(f"{site.address}/demarches/essai/verifier?majeur=oui")
        press()
        page.fill("#phone", "12")
        press()
        assert page.title().startswith("Erreur")
        assert page.input_value("#phone") == "12"
        page.fill("#phone", PHONE)
        press()
        page.fill("#code", person.code())
        press()
        page.fill("#f-nom", "Amegan")
        press()
        assert page.title().startswith("Erreur")
        for name in ("day", "month", "year"):
            page.fill(f"#f-naissance_{name}", ANSWERS[f"naissance_{name}"])
        page.check("input[value=tissus]")
        press()
        assert page.url.partition("#")[0].endswith("/demande/aides")
        sent_so_far = len(posts)
        page.go_back()
        assert page.url.endswith(f"/demande/vous?{ASKED}=1#errors")
        assert page.input_value("#f-nom") == "AMEGAN"
        assert page.input_value("#f-naissance_year") == "1990"
        assert not page.title().startswith("Erreur")
        page.go_back()
        assert page.url.partition("#")[0].endswith("/demande/vous")
        assert page.input_value("#f-nom").upper() == "AMEGAN"
        page.go_forward()
        page.reload()
        assert page.input_value("#f-nom").upper() == "AMEGAN"
        assert len(posts) == sent_so_far, "no form is sent again"
        context.close()
