"""Many procedures: lists come in pages, every page leads to the next, and no list opens a book that it does not show."""

from __future__ import annotations

import re
import shutil
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from engine.language.catalogue.loader import ProcedureLoader, UnloadedProcedure
from engine.records.dossier import Account, Actor
from engine.records.people import Session
from engine.records.statistics import Count, JournalCursor
from engine.services.accounts.assistance import help_on_paper, received_by
from engine.services.applications.casework import inbox_counts, list_inbox
from engine.services.audit.statistics import received_lately
from engine.services.context.app_context import AppContext
from engine.services.keys.secrets import new_token, token_digest
from engine.services.worker.worker import run_pass
from engine.storage.results import Busy
from renderers.cli.admin.installation import open_office
from renderers.web.public import catalogue
from server import Settings, create_app
from tests.engine.language.building import PROCEDURES, a_file

pytestmark = pytest.mark.slow  # a whole site and its people for each test

COUNT, ON_HOME, ON_A_PAGE = 45, 5, 20
MOMENTS = {12: "voyager, perte, emploi", 30: "voyager, conduire"}  # of life, in which a procedure serves
AGENT = Actor("agent", "a", roles=frozenset({"obac/instructeur"}))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the books that were opened."""
    found: list[str] = []
    read = ProcedureLoader._read

    def noted(shelf: ProcedureLoader, entry: UnloadedProcedure, *others: object) -> object:
        found.append(entry.id)
        return read(shelf, entry, *others)

    monkeypatch.setattr(ProcedureLoader, "_read", noted)
    monkeypatch.setattr(catalogue, "_cards", OrderedDict())  # those that another test saw
    return found


@pytest.fixture
def office(tmp_path: Path) -> AppContext:
    """An office started a second time over many procedures, every book still closed."""
    folder = tmp_path / "procedures"
    for name in ("shared", "blocks", "lists", "presets"):
        shutil.copytree(
            PROCEDURES / name, folder / name, ignore=shutil.ignore_patterns("offices.yaml", "communes.yaml")
        )
    for number in range(COUNT):
        text = f"procedure: demarche-{number:02}\ntitle: Démarche {number:02}\ncategory: {'sante' if number % 2 else 'justice'}"
        text += f"\nlife_events: [{MOMENTS[number]}]" if number in MOMENTS else ""
        (folder / f"demarche-{number:02}.yaml").write_text(a_file(text), "utf-8")
    settings = Settings(procedures=folder, data=tmp_path / "data", demo=True, secret="test")
    open_office(settings)
    return open_office(settings)[0]


@pytest.fixture
def client(office: AppContext, tmp_path: Path) -> FlaskClient:
    return create_app(Settings(data=tmp_path / "data", demo=True, secret="test"), office).test_client()


def seated(client: FlaskClient, office: AppContext) -> FlaskClient:
    """The same browser, at which the agent has signed in and helps somebody who is there."""
    token, now = new_token(), office.now()
    with office.store.unit(write=True) as unit:
        unit.put_account(Account(AGENT.id, "agent", "Ama Doe", "ama", roles=tuple(AGENT.roles)))
        unit.put_session(Session(token_digest(token), AGENT.id, now, now, now + timedelta(hours=1)))
    help_on_paper(office, AGENT, "LAWSON", "Abla", signed=True)
    client.set_cookie("guichet-agent", token)
    return client


def titles(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"Démarche \d\d", text)))


def walked(client: FlaskClient, address: str) -> list[list[str]]:
    """The titles of each page, as one goes from page to page."""
    pages = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        pages.append(titles(answer.text))
        found = re.search(r'<a href="([^"]+)" rel="next"', answer.text)
        address = found.group(1).replace("&amp;", "&") if found else ""
    return pages


EVERY = [f"Démarche {number:02}" for number in range(COUNT)]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/demarches", EVERY),
        ("/demarches?q=demarche", EVERY),
        ("/demarches?theme=sante", EVERY[1::2]),
        ("/demarches?theme=justice&q=demarche", EVERY[::2]),
        ("/demarches?q=17", ["Démarche 17"]),
        ("/donnees", EVERY),
    ],
)
def test_every_procedure_is_on_one_page(client: FlaskClient, address: str, expected: list[str]) -> None:
    pages = walked(client, address)
    assert [one for page in pages for one in page] == expected
    assert all(len(page) <= ON_A_PAGE for page in pages)


def test_whoever_is_helped_at_a_counter_is_offered_every_procedure(client: FlaskClient, office: AppContext) -> None:
    seat = seated(client, office)
    assert [one for page in walked(seat, "/agent/guichet") for one in page] == EVERY
    assert titles(seat.get("/agent/guichet?q=17").text) == ["Démarche 17"]
    unknown = seat.get("/agent/guichet?q=xyzzy").text
    assert not titles(unknown)
    assert "xyzzy" in unknown.partition("<main")[2].partition('role="status"')[2]


def test_a_page_says_where_one_is_and_leads_back(client: FlaskClient) -> None:
    page = client.get("/demarches?q=demarche&page=2").text
    assert "Page 2 sur 3" in page
    assert 'href="/demarches?q=demarche" rel="prev"' in page
    assert "45 démarches trouvées" in page
    assert titles(client.get("/demarches?page=abc").text) == EVERY[:ON_A_PAGE]


def test_the_home_page_leads_to_all_of_them(client: FlaskClient) -> None:
    assert f'href="/demarches">Toutes les démarches</a> ({COUNT})' in client.get("/").text


def test_the_home_page_begins_with_those_most_asked_for(
    client: FlaskClient, office: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the counts of these months, read once for all who come that day."""
    read: list[object] = []
    asked = {"demarche-40": 90, "demarche-07": 12, "demarche-03": 12, "demarche-20": 1}
    month, old = office.day().isoformat()[:7], "2020-01"
    with office.store.unit(write=True) as unit:
        counts = {Count(name, month, "received", "", "web"): n for name, n in asked.items()}
        counts[Count("demarche-44", old, "received", "", "web")] = 900  # long ago
        unit.add_tallies(counts, unit.tally_mark(), JournalCursor(office.now()))

    def noted(asking: AppContext) -> Mapping[str, int]:
        read.append(asking)
        return received_lately(asking)

    monkeypatch.setattr(catalogue, "received_lately", noted)
    for _ in range(3):
        page = client.get("/").text
    first = [f"Démarche {one}" for one in ("40", "03", "07", "12", "30")]
    assert titles(page) == first
    assert "Les plus demandées" in page
    assert len(read) == 1


def test_the_home_page_stands_without_the_store(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the usual order, until the store answers."""
    asked: list[object] = []

    def silent(asking: AppContext) -> Mapping[str, int]:
        asked.append(asking)
        raise Busy("line")

    monkeypatch.setattr(catalogue, "received_lately", silent)
    for _ in range(3):
        assert titles(client.get("/").text) == ["Démarche 12", "Démarche 30", *EVERY[:3]]
    assert len(asked) == 1


def test_a_new_installation_ranks_at_once(client: FlaskClient) -> None:
    """No request was counted yet: first those that serve in the most moments of life, and no claim that people ask them."""
    page = client.get("/").text
    assert titles(page) == ["Démarche 12", "Démarche 30", *EVERY[:3]]
    assert "Démarches courantes" in page
    assert "Les plus demandées" not in page


def test_a_situation_leads_to_its_procedures(client: FlaskClient) -> None:
    """A tile without a procedure is not drawn."""
    page = client.get("/").text
    tiles = re.findall(r'href="/demarches\?situation=(\w+)">', page)
    assert tiles == ["travel", "loss", "work", "driving"]
    assert titles(client.get("/demarches?situation=travel").text) == ["Démarche 12", "Démarche 30"]
    found = client.get("/demarches?situation=loss").text
    assert titles(found) == ["Démarche 12"]
    assert "<h2>J’ai perdu mes papiers</h2>" in found
    assert "Par thème" not in page
    assert not titles(client.get("/demarches?situation=xyzzy").text)


def test_a_number_typed_at_home_is_not_typed_again(client: FlaskClient) -> None:
    assert 'action="/suivi"' in client.get("/").text
    assert 'value="26 4829 1137 4"' in client.get("/suivi?number=26+4829+1137+4").text


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda client, office: client.get("/"), ON_HOME),
        (lambda client, office: client.get("/demarches?page=2"), ON_A_PAGE),
        (lambda client, office: client.get("/demarches?q=17"), 1),
        (lambda client, office: client.get("/donnees"), ON_A_PAGE),
        (lambda client, office: client.get("/demarches/demarche-03"), 1),
        (lambda client, office: client.get("/agent/connexion"), 0),
        (lambda client, office: seated(client, office).get("/agent?file=tous"), 0),
        (lambda client, office: seated(client, office).get("/agent/guichet"), 0),
        (lambda client, office: received_by(office, AGENT), 0),
        (lambda client, office: list_inbox(office, AGENT, "all"), 0),
        (lambda client, office: inbox_counts(office, AGENT), 0),
        (lambda client, office: run_pass(office), 0),
    ],
    ids=["home", "list", "search", "data", "sheet", "door", "inbox", "counter", "receives", "tray", "counts", "tour"],
)
def test_no_list_opens_what_it_does_not_show(
    ask: Callable[[FlaskClient, AppContext], object],
    most: int,
    client: FlaskClient,
    office: AppContext,
    opened: list[str],
) -> None:
    opened.clear()
    ask(client, office)
    assert len(opened) == len(set(opened)) == most


def test_a_tray_finds_what_waits_in_closed_books(office: AppContext) -> None:
    with office.store.unit() as unit:
        assert len(unit.edition_heads()) == COUNT
        assert [one.edition for one in unit.edition_heads("demarche-03")] == [1]
    assert office.editions.roles(office.catalogue) >= AGENT.roles
    assert [one.id for one in office.editions.having(office.catalogue, AGENT.roles)] == [
        f"demarche-{number:02}" for number in range(COUNT)
    ]
    assert not list(office.editions.having(office.catalogue, ["nulle/part"]))
