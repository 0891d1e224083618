"""In which language pages, codes, messages and papers are: asked for, remembered, and told where a text lacks it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from engine.language.lint.general_rules import CATEGORIES, every_text, untranslated
from engine.services.applications import drafts as intake
from renderers.i18n.translations import load_words
from server import Settings, create_app
from tests.engine.services.world import PASSPORT, a_world
from tests.makers import the_procedure, the_shared
from tests.web.client import PHONE, PortalClient, a_portal_client
from tests.web.page_language import FRENCH, french_in
from tests.web.socket_server import asked, fronting

pytestmark = pytest.mark.slow  # a whole site for each test


def test_each_category_that_a_file_may_name_has_a_title() -> None:
    assert set(CATEGORIES) == {
        key.removeprefix("theme.") for key in load_words().texts("fr") if key.startswith("theme.")
    }


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path)


def cookies(visitor: PortalClient) -> list[str]:
    return [one for one in visitor.page.response.headers.getlist("Set-Cookie") if one.startswith("langue=")]


@pytest.mark.parametrize(
    "path", ["/%5Cevil.example", "/%5C%5Cevil.example/x", "/%2F%5Cevil.example", "/%09/evil.example"]
)
def test_another_language_is_of_the_same_page_and_of_no_other_site(visitor: PortalClient, path: str) -> None:
    """A page that is not found has the address that somebody made up; a browser reads `/\\` as `//`."""
    page = visitor.open(path)
    assert page.status == 404
    [href] = re.findall(r'href="([^"]*lang=en)"', page.html)
    assert re.match(r"/(?![/\\])[!-~]*\?lang=en\Z", href), href
    assert "\\" not in href


def test_a_page_speaks_the_language_asked_and_the_browser_remembers_it(visitor: PortalClient) -> None:
    assert '<html lang="fr">' in visitor.open("/").html
    assert '<html lang="en">' in visitor.open("/?lang=en").html
    kept = cookies(visitor)
    assert len(kept) == 1
    assert "HttpOnly" in kept[0]
    assert "SameSite=Lax" in kept[0]
    assert "All procedures" in visitor.open("/demarches").text
    assert cookies(visitor) == []
    for unknown in ("xx", "fr-FR", "../fr", ""):
        assert '<html lang="en">' in visitor.open(f"/demarches?lang={unknown}").html
        assert cookies(visitor) == []
    assert '<html lang="fr">' in visitor.open("/demarches?lang=fr").html
    assert "Toutes les démarches" in visitor.open("/demarches").text


def other_language(visitor: PortalClient) -> str:
    found = re.search(r'<a href="([^"]+)" lang="en" hreflang="en">English</a>', visitor.page.html)
    assert found
    return found[1].replace("&amp;", "&")


def test_every_page_leads_to_itself_in_the_other_language(visitor: PortalClient) -> None:
    visitor.open("/demarches?q=%C3%A9tal&theme=&lang=fr")
    assert other_language(visitor) == "/demarches?q=%C3%A9tal&theme=&lang=en"
    visitor.open("/nulle-part")
    assert other_language(visitor) == "/nulle-part?lang=en"
    visitor.open("/agent/connexion")
    assert other_language(visitor) == "/agent/connexion?lang=en"


def test_the_language_of_a_form_page_changes_with_what_was_typed(visitor: PortalClient) -> None:
    """Without scripts, right answers and wrong ones; nothing is sent on, and Enter still goes on."""
    number = visitor.sign_in().begin()
    address = f"/dossiers/{number}/demande/vous"
    buttons = re.findall(r'<button[^>]* form="f" name="go" value="([^"]+)"', visitor.open(address).html)
    assert buttons == ["next", "lang-en"], "the first is the one that Enter presses"
    visitor.send(address, nom="Lawson", naissance="31/02/1990", go="lang-en")
    assert visitor.page.address == address
    page = visitor.follow() if visitor.page.status == 303 else visitor.page
    assert '<html lang="en">' in page.html
    assert 'value="LAWSON"' in page.html
    assert "errors" not in page.html
    visitor.send(address, nom="Amegan", go="lang-fr")
    assert '<html lang="fr">' in visitor.open(address).html
    assert 'value="AMEGAN"' in visitor.page.html


def test_the_language_of_the_questions_before_a_request_changes_with_what_was_ticked(visitor: PortalClient) -> None:
    address = "/demarches/essai/verifier"
    typed = visitor.open(address).form()
    visitor.post("/demarches/essai/commencer", **{**typed, "majeur": "oui", "go": "lang-en"})
    assert visitor.page.address == f"{address}?majeur=oui"
    page = visitor.follow()
    assert '<html lang="en">' in page.html
    assert 'name="majeur" value="oui"' in page.html
    visitor.post("/demarches/essai/commencer", **{**typed, "go": "lang-fr"})
    assert 'class="errors"' not in visitor.follow().html


def test_a_browser_that_changes_the_language_is_at_the_address_without_it(visitor: PortalClient) -> None:
    """A page that is kept, or sent to another person, fixes no language. Other readers are answered at once."""
    accepts = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    visitor.open("/demarches?q=%C3%A9tal&lang=en&q=caf%C3%A9", **accepts)
    assert (visitor.page.status, visitor.page.address) == (303, "/demarches?q=%C3%A9tal&q=caf%C3%A9")
    assert len(cookies(visitor)) == 1
    assert '<html lang="en">' in visitor.follow().html
    assert visitor.open("/?lang=fr", **accepts).address == "/"
    assert visitor.open("/%5C%5Cevil.example?lang=en", **accepts).address == "/%5C%5Cevil.example"
    assert visitor.open("/%2F%2Fevil.example?lang=en", **accepts).address == "/evil.example"
    assert visitor.open("/?lang=xx", **accepts).status == 200
    with fronting(visitor.client.application) as port:
        for path in ("//evil.example?lang=en", "/\\evil.example?lang=en", "http://evil.example/?lang=en"):
            status, body = asked(port, path, "Accept: text/html")
            assert status == 303, path
            assert re.search(r'href="/(?![/\\])', body), body


def test_what_only_a_post_shows_leads_to_a_page_that_opens(visitor: PortalClient) -> None:
    visitor.send("/connexion", phone=PHONE)
    visitor.send("/connexion/code", code="000000")
    assert visitor.page.status == 422
    assert visitor.open(other_language(visitor)).status == 200
    assert '<html lang="en">' in visitor.page.html


@pytest.mark.parametrize(
    ("rest", "typed", "kept"),
    [
        ("/connexion", {"phone": "90 11"}, ['value="90 11"', "What is your phone number?"]),
        ("/suivi", {"number": "26 12", "phone": "90 11"}, ['value="26 12"', 'value="90 11"']),
        (
            "/paiement",
            {"provider": "argent", "payer": "91 22"},
            ['value="argent" checked', 'value="91 22"', "Pay 5,000"],
        ),
        ("/messages", {"body": "Ma clé\n?"}, [">Ma clé\n?</textarea>", "message"]),
        ("/connexion/courriel", {"email": "afi@"}, ['value="afi@"', "Get the link"]),
        (
            "/compte/identite",
            {"family_name": "Ames", "birth_day": "3", "sex": "f"},
            ['value="Ames"', 'value="03"', 'value="f" checked'],
        ),
        ("/compte/entreprises/nouvelle", {"number": "TG 1", "name": "Moba"}, ['value="TG 1"', 'value="Moba"']),
        ("/compte/enfants/nouveau", {"given_names": "Afi", "year": "20"}, ['value="Afi"', 'value="20"']),
        (
            "/compte/entreprises/inviter",
            {"phone": "90 11", "role": "agent", "procedure": "essai"},
            ['value="90 11"', 'value="agent" checked', 'value="essai" checked'],
        ),
    ],
)
def test_the_language_of_a_page_that_stores_nothing_changes_with_what_was_typed(
    visitor: PortalClient, rest: str, typed: dict[str, str], kept: list[str]
) -> None:
    address = rest
    if rest.startswith(("/compte", "/connexion/")):
        visitor.sign_in()
    elif rest not in ("/connexion", "/suivi"):
        number = visitor.sign_in().sent()
        visitor.decide(number, "accorder")
        address = f"/dossiers/{number}{rest}"
    assert re.findall(r'form="f" name="go" value="([^"]*)"', visitor.open(address).html) == ["", "lang-en"]
    page = visitor.send(f"{address}?lang=fr", **typed, go="lang-en")
    page = visitor.follow() if page.status == 303 else page
    assert page.status == 200
    assert '<html lang="en">' in page.html
    assert not [one for one in kept if one not in page.html]
    assert 'class="errors"' not in page.html


def test_shared_caches_never_hand_one_language_for_another(visitor: PortalClient) -> None:
    shared = visitor.open("/").response.headers
    assert "public" in shared["Cache-Control"]
    assert "Cookie" in shared["Vary"]
    assert visitor.open("/?lang=en").response.headers["Cache-Control"] == "no-store"


def test_the_code_comes_in_the_language_of_who_asks(visitor: PortalClient) -> None:
    visitor.open("/?lang=en")
    visitor.send("/connexion", phone=PHONE)
    with visitor.office.store.unit() as unit:
        body = unit.letters_to(f"+228{PHONE}")[0].body
    assert "is your Public services code" in body


def test_a_book_in_french_alone_says_so_on_an_english_page(visitor: PortalClient) -> None:
    """Each of its texts is marked where an element may stand; attributes and titles are words only."""
    visitor.open("/?lang=en")
    for address in (
        "/",
        "/demarches",
        "/demarches/essai",
        "/demarches/essai/verifier",
        "/aide",
        "/donnees",
        "/accessibilite",
    ):
        visitor.open(address)
        assert french_in(visitor.page.html) == [], address
        assert re.search(r'="[^"<>]*<', visitor.page.html) is None, address
        assert "<span" not in visitor.page.title
    assert '<span lang="fr">' in visitor.open("/demarches/essai").html


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("shipped")
    return create_app(Settings(data=folder, secret="test"), a_world(folder).office).test_client()


@pytest.mark.parametrize("name", ["e-visa", "carte-de-sejour", "passeport-ordinaire"])
def test_what_a_foreigner_reads_before_applying_is_wholly_in_english(shipped: FlaskClient, name: str) -> None:
    for address in (f"/demarches/{name}", f"/demarches/{name}/verifier"):
        assert french_in(shipped.get(f"{address}?lang=en").get_data(as_text=True)) == [], address


@pytest.mark.parametrize("name", ["e-visa", "carte-de-sejour", "passeport-ordinaire"])
def test_every_question_act_and_message_of_it_is_in_english(name: str) -> None:
    """Nothing lacks, and nothing said to be English is French."""
    procedure = the_procedure(name)
    assert procedure.identity.languages == ("fr", "en")
    assert list(untranslated(procedure, the_shared().directory)) == []
    texts = [text.in_("en") for _, text in every_text(procedure)]
    assert len(texts) > 60
    assert [text for text in texts if FRENCH.search(re.sub(r"{\w+}", "x", text))] == []
    agency = the_shared().directory.agencies[procedure.identity.agency]
    heading = [*agency.under, agency.label]
    assert [str(text) for text in heading if "en" not in text.languages] == [], "its papers begin with these"


def test_what_is_said_in_the_language_of_the_page_comes_first(shipped: FlaskClient) -> None:
    def titles(language: str) -> list[str]:
        cards = shipped.get(f"/?lang={language}").get_data(as_text=True).partition('class="rows"')[2]
        return [re.sub(r"<[^>]+>", "", one) for one in re.findall(r'class="cover"[^>]*>(.*?)</a>', cards)]

    assert titles("en")[:3] == ["Residence card", "Ordinary passport", "Electronic visa"], (
        "first what serves most often"
    )
    assert "Visa électronique" not in titles("fr")[:3]


def test_amounts_and_days_follow_the_language(visitor: PortalClient) -> None:
    assert "5 000 FCFA" in visitor.open("/demarches/essai").text
    assert "5,000 FCFA" in visitor.open("/demarches/essai?lang=en").text


def test_a_draft_learns_the_language_it_is_filled_in_and_each_reader_keeps_theirs(tmp_path: Path) -> None:
    """Messages go out in the applicant's language; an officer reads the answers in their own."""
    world = a_world(tmp_path)
    draft = world.draft(PASSPORT)
    assert draft.language == "fr"
    page = intake.see_form(world.office, world.owner(draft), draft.id).pages[0]
    english = replace(world.owner(draft), language="en")
    saved = intake.save_page(world.office, english, draft.id, page.id, {"type_demande": ["premiere"]})
    assert saved.dossier.language == "en"
    assert world.kept(draft).language == "en"
    said = {language: told(world, draft.id, replace(english, language=language)) for language in ("fr", "en")}
    assert said == {"fr": "C'est ma première demande", "en": "It is my first application"}
    unknown = replace(english, language="kbp")
    assert intake.save_page(world.office, unknown, draft.id, page.id, {}).dossier.language == "en"


def told(world, dossier_id: str, reader) -> str:
    form = intake.see_form(world.office, reader, dossier_id)
    return next(field.text for page in form.pages for field in page.fields if field.path == "type_demande")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "typed"), [("passeport-ordinaire", {}), ("carte-de-sejour", {"quartier": "Market"})])
def test_its_form_and_its_application_are_wholly_in_english(tmp_path: Path, name: str, typed: dict[str, str]) -> None:
    world = a_world(tmp_path)
    world.office = replace(world.office, wording=load_words())
    draft = world.filled(name, **typed)
    me = PortalClient(
        create_app(Settings(data=tmp_path, secret="test"), world.office).test_client(),
        world.office,
        world.clock,
        world.operator,
    )
    me.open("/?lang=en")
    me.sign_in(world.applicant().id[-8:])
    base = f"/dossiers/{draft.number}"
    pages = intake.see_form(world.office, world.owner(draft), draft.id).pages
    assert len(pages) > 5
    for address in (*(f"{base}/demande/{one.id}" for one in pages), f"{base}/demande", f"{base}/verification"):
        assert me.open(address).status == 200
        assert french_in(me.page.html) == [], address
    me.send(f"{base}/verification", declared="1")
    assert me.follow().status == 200
    assert french_in(me.page.html) == []
    assert "An officer is checking your application" in me.open(base).text
    assert french_in(me.page.html) == []
