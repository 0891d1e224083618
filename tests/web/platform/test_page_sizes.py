"""What pages weigh as they are sent, compressed: every page of every form of every shipped procedure, its sheet, and what agents
and controllers read of it. Printed with `-s`, the heaviest of each kind."""

from __future__ import annotations

import gzip
import re
import socket
from typing import Final

import pytest
from flask.testing import FlaskClient

from engine.core.problems import Refused
from engine.records.dossier import Account, Actor
from engine.services.sign_in.sessions import open_session
from tests.web.form_filler import MOST_AFTER
from tests.web.portal import ROOT
from tests.web.socket_server import fronting
from tests.web.staff_site import StaffSite, open_staff_site

pytestmark = pytest.mark.slow

SLUGS: Final = sorted(path.stem for path in (ROOT / "procedures").glob("*.yaml"))
MOST_OF_A_DESK: Final = 60_000
MOST_AT_FIRST: Final = 14 * 1024
HEADERS: Final = 700  # octets, about: what goes with each page


@pytest.fixture(scope="module")
def staff_site(tmp_path_factory: pytest.TempPathFactory) -> StaffSite:
    return open_staff_site(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def controller(staff_site: StaffSite) -> FlaskClient:
    return staff_site.auditor().client


def weigh(client: FlaskClient, path: str, or_none: bool = False) -> int:
    """Octets as sent to a browser; a page that is not there fails, or weighs nothing."""
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    if or_none and answer.status_code != 200:
        return 0
    assert answer.status_code == 200, (path, answer.status_code, answer.headers.get("Location"))
    return len(answer.data) + HEADERS


@pytest.mark.parametrize("slug", SLUGS)
def test_no_page_of_a_procedure_is_heavy(staff_site: StaffSite, slug: str) -> None:
    procedure = staff_site.world.office.catalogue.procedures[slug]
    anybody, weights = staff_site.app.test_client(), dict[str, int]()
    for path in (f"/demarches/{slug}", f"/demarches/{slug}/verifier"):
        if procedure.eligibility or not path.endswith("verifier"):
            weights[path] = weigh(anybody, path)
    filled: set[str] = set()
    for number, story in enumerate(procedure.scenarios):
        phone = f"+228901{SLUGS.index(slug):02d}{number:03d}"
        owner = staff_site.world._person(Account(f"{slug} {number}", "applicant", "", phone))
        try:
            dossier = staff_site.world.draft(slug, owner, **story.given)
        except Refused:  # a story of somebody who may not ask
            continue
        client = _browser(staff_site, owner)
        for page in procedure.form.pages:
            if weight := weigh(client, f"/dossiers/{dossier.number}/demande/{page.id}", or_none=True):
                filled.add(page.id)
                weights[f"{page.id} ({story.id})"] = weight
        for rest in ("/demande", "/verification"):
            if weight := weigh(client, f"/dossiers/{dossier.number}{rest}", or_none=True):
                weights[f"{rest} ({story.id})"] = weight
    heaviest = max(weights, key=lambda one: weights[one])
    print(
        f"{slug:36} {len(weights):>3} pages, {len(filled)} of the form, the heaviest {weights[heaviest]:>6} octets: {heaviest}"
    )
    assert filled == {page.id for page in procedure.form.pages}, "no story shows the others"
    heavy = {path: weight for path, weight in weights.items() if weight > MOST_AFTER}
    assert not heavy, heavy


@pytest.mark.parametrize("slug", SLUGS)
def test_nor_what_is_read_of_it_at_a_desk(staff_site: StaffSite, controller: FlaskClient, slug: str) -> None:
    anybody = staff_site.app.test_client()
    edition = staff_site.world.office.catalogue.procedures[slug].edition
    compared = f"compare/{edition}...{edition}"
    public = [f"/demarches/{slug}/{rest}" for rest in ("definition", "circuit", "historique", compared)]
    theirs = [f"/audit/demarches/{slug}{rest}" for rest in ("", "/circuit", f"/{compared}")]
    weights = {path: weigh(anybody, path) for path in public} | {path: weigh(controller, path) for path in theirs}
    heaviest = max(weights, key=lambda one: weights[one])
    print(f"{slug:36} {weights[heaviest]:>6} octets: {heaviest}")
    heavy = {path: weight for path, weight in weights.items() if weight > MOST_OF_A_DESK}
    assert not heavy, heavy


def test_a_first_view_is_light(staff_site: StaffSite) -> None:
    """The page with its style sheet, its script and its icon, which is the emblem."""
    anybody = staff_site.app.test_client()
    for path in ("/", "/demarches", f"/demarches/{SLUGS[0]}", "/suivi", "/connexion", "/aide"):
        html = anybody.get(path).get_data(as_text=True)
        parts = sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', html)))
        answers = [anybody.get(one, headers={"Accept-Encoding": "gzip"}) for one in (path, *parts)]
        weight = sum(len(one.data) for one in answers)
        print(f"{path:36} {weight:>6} octets in {1 + len(parts)} answers")
        assert len(parts) <= 3, parts
        assert weight <= MOST_AT_FIRST


def test_a_first_visit_to_a_sheet_is_light(staff_site: StaffSite) -> None:
    """As a phone reads it over the line, answers with their headers: the page, also by `?lang=en`, then what it needs."""
    heavy = {}
    with fronting(staff_site.app) as port:
        for slug in SLUGS:
            weights = [_visited(port, f"/demarches/{slug}{query}") for query in ("", "?lang=en")]
            print(f"{slug:36} {weights[0]:>6} octets, in English {weights[1]:>6}")
            heavy |= {slug: weights} if max(weights) > MOST_AT_FIRST else {}
    assert not heavy, heavy


def test_a_first_visit_to_a_tracking_page_is_light(staff_site: StaffSite) -> None:
    """The same for the page of a request that was sent, paid or not: it opens from the link of an SMS."""
    weights = dict[str, int]()
    with fronting(staff_site.app) as port:
        for slug in SLUGS:
            owner = staff_site.world.applicant(f"+228902{SLUGS.index(slug):05d}")
            given = staff_site.world.office.catalogue.procedures[slug].scenarios[0].given
            dossier = staff_site.world.sent(slug, owner, **given)
            cookie = _browser(staff_site, owner).get_cookie("guichet")
            assert cookie is not None
            weights[slug] = _visited(port, f"/dossiers/{dossier.number}", f"guichet={cookie.value}")
            print(f"{slug:36} {weights[slug]:>6} octets")
    heavy = {slug: weight for slug, weight in weights.items() if weight > MOST_AT_FIRST}
    assert not heavy, heavy


def _visited(port: int, path: str, cookie: str = "") -> int:
    """Octets of all answers of a first visit."""
    head, body, weight = _answer(port, path, cookie)
    if found := re.search(r"(?m)^Location: (\S+)", head):
        kept = re.search(r"(?m)^Set-Cookie: ([^;]+)", head)
        head, body, more = _answer(port, found[1], kept[1] if kept else cookie)
        weight += more
    html = gzip.decompress(body).decode()
    parts = sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', html)))
    return weight + sum(_answer(port, one, "")[2] for one in parts)


def _answer(port: int, path: str, cookie: str) -> tuple[str, bytes, int]:
    """Head, body and size of one answer."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/html", "Accept-Encoding: gzip, deflate, br"]
    lines += [f"Cookie: {cookie}"] if cookie else []
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        whole = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = whole.partition(b"\r\n\r\n")
    return head.decode().replace("\r\n", "\n"), body, len(whole)


def _browser(staff_site: StaffSite, owner: Actor) -> FlaskClient:
    """Of somebody who is signed in."""
    office, client = staff_site.world.office, staff_site.app.test_client()
    with office.store.unit(write=True) as unit:
        account = unit.account(owner.id)
        assert account is not None
        client.set_cookie("guichet", open_session(office, unit, account, office.now()).token)
    return client
