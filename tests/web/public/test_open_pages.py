"""What anybody may read and take away of the procedures: their editions, comparisons, the circuit with its dossiers, open data
and the feed; and what controllers alone read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.publication.publications import publish
from tests.engine.services.world import B3, PASSPORT
from tests.makers import the_shared
from tests.web.conftest import Enter
from tests.web.portal import Portal
from tests.web.staff_site import StaffSite, open_staff_site

pytestmark = pytest.mark.slow  # a whole site and its people for each test

ATOM = "{http://www.w3.org/2005/Atom}"
BASE = f"/demarches/{PASSPORT}"


@dataclass
class Site:
    """The portal once the passport costs more; three dossiers run under its first edition."""

    staff_site: StaffSite
    first: str
    second: str


@pytest.fixture
def site(tmp_path: Path) -> Site:
    staff_site = open_staff_site(tmp_path)
    for _ in range(3):
        staff_site.world.sent(PASSPORT)
    office = staff_site.world.office
    first = office.catalogue.procedures[PASSPORT]
    text = first.source.replace("edition: 12", "edition: 13").replace("amount: 30000", "amount: 35000")
    second, _ = build_procedure(read_source(text, f"{PASSPORT}.yaml"), the_shared())
    assert second is not None
    others = [one for one in office.catalogue.all() if one.id != PASSPORT]
    new, _ = publish(Catalogue.of([*others, second], the_shared()), office.store, office.now())
    object.__setattr__(staff_site.app.extensions["guichet"].office, "catalogue", new)
    return Site(staff_site, first.fingerprint, second.fingerprint)


def plain(staff_site: StaffSite, path: str, status: int = 200) -> Any:
    answer = staff_site.stranger().get(path)
    assert answer.status_code == status, path
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return json.loads(answer.data)


# -- editions ----------------------------------------------------------------------------------------------------------


def test_the_history_says_each_edition_in_a_sentence_and_to_machines(site: Site) -> None:
    page = site.staff_site.stranger().see(f"{BASE}/historique")
    assert "Édition 12, publiée le lundi 23 novembre 2026" in page
    assert "Passeport, 30 000 → 35 000 FCFA (+ 5 000, + 17 %)" in page
    for name in ("versions.json", "historique.json"):
        told = plain(site.staff_site, f"{BASE}/{name}")
        assert told["serving"] == 13
        assert [(one["edition"], one["fingerprint"], one["serving"]) for one in told["editions"]] == [
            (13, site.second, True),
            (12, site.first, False),
        ]
        assert "35\u202f000" in told["editions"][0]["sentences"][0]


@pytest.mark.parametrize("how", ["version=12", "fingerprint={first}"])
def test_an_edition_is_read_by_its_number_or_its_fingerprint(site: Site, how: str) -> None:
    query = how.format(first=site.first)
    seat = site.staff_site.stranger()
    assert "30 000 FCFA" in seat.see(f"{BASE}/definition?{query}")
    assert "35 000 FCFA" in seat.see(f"{BASE}/definition?version=13")
    assert b"amount: 30000" in seat.get(f"{BASE}/definition.yaml?{query}").data
    assert seat.get(f"{BASE}/circuit?{query}").status_code == 200


def test_an_edition_that_is_not_is_told_with_those_there_are(site: Site) -> None:
    for path in (f"{BASE}/definition?version=14", f"{BASE}/compare/12...14", f"{BASE}/circuit?version=<b>"):
        page = site.staff_site.stranger().see(path, 404)
        assert "Cette édition n’existe pas" in page
        assert "Édition 12 Édition 13" in page
    assert plain(site.staff_site, f"{BASE}/compare/12...14.json", 404) == {
        "error": "unknown_edition",
        "asked": "14",
        "editions": [12, 13],
    }


def test_two_editions_are_compared(site: Site) -> None:
    seat = site.staff_site.stranger()
    page = seat.see(f"{BASE}/compare/12...13")
    assert "Édition 12 comparée à l’édition 13" in page
    assert "30 000 FCFA 35 000 FCFA" in page
    assert "Moins de 10 dossiers" in page
    assert "Publication refusée" not in page
    assert seat.get(f"{BASE}/compare?avant=12&apres=13").headers["Location"] == f"{BASE}/compare/12...13"
    assert "Les changements se lisent donc à l’envers" in seat.see(f"{BASE}/compare/13...12")
    assert "les deux versions sont identiques" in seat.see(f"{BASE}/compare/12...12")
    for nothing in ("x", "4..5", "...4", f"4...{'9' * 200}"):
        assert seat.get(f"{BASE}/compare/{nothing}").status_code == 404
    told = plain(site.staff_site, f"{BASE}/compare/12...13.json")
    assert [one["sentence"] for one in told["changes"]] == [
        "paie plus\u00a0: 30\u202f000 → 35\u202f000\u00a0FCFA (+ 5\u202f000, + 17\u00a0%)"
    ]
    assert told["changes"][0]["where_after"].startswith(f"{PASSPORT}.yaml:")
    assert told["running"] == {"dossiers": "<10", "states": {"conformite": "<10"}}


# -- the circuit -------------------------------------------------------------------------------------------------------


def test_few_dossiers_are_not_counted_in_public(site: Site) -> None:
    stranger, controller = site.staff_site.stranger(), site.staff_site.auditor()
    assert "Contrôle du dossier En vérification <10" in stranger.see(f"{BASE}/circuit")
    assert "&lt;10" in stranger.get(f"{BASE}/circuit.svg").get_data(as_text=True)
    assert "Contrôle du dossier En vérification 3" in controller.see(f"/audit{BASE}/circuit")
    assert ">3</text>" in controller.get(f"/audit{BASE}/circuit.svg").get_data(as_text=True)
    assert "3 dossiers en cours" in controller.see(f"/audit{BASE}/compare/12...13")
    assert json.loads(controller.get(f"/audit{BASE}/compare/12...13.json").data)["running"]["dossiers"] == 3


def test_the_matrix_says_who_may_do_what_and_from_where(site: Site) -> None:
    page = site.staff_site.stranger().see(f"{BASE}/circuit")
    assert "Qui peut faire quoi" in page
    assert (
        "Retirer ma demande vers « Demande retirée » Libellé pour les agents : « Retrait de la demande » Contrôle du dossier, Correction demandée, À payer ✓ Oui"
        in page
    )


# -- open data ---------------------------------------------------------------------------------------------------------


def test_every_procedure_is_listed_and_each_has_its_sheet(site: Site) -> None:
    listed = plain(site.staff_site, "/demarches.json")
    assert listed["count"] == len(listed["procedures"]) == len(site.staff_site.world.office.catalogue.all())
    assert listed["next"] is None
    for one in listed["procedures"]:
        sheet = plain(site.staff_site, urlsplit(one["json"]).path)
        assert (sheet["procedure"], sheet["edition"]) == (one["procedure"], one["edition"])
        title = sheet["sheet"]["title"].replace("\u00a0", " ").replace("’", "'")
        assert title in {text.replace("’", "'") for text in one["title"].values()}
        assert sheet["laws"]
    assert site.staff_site.stranger().get("/demarches/nulle-part.json").status_code == 404
    assert "/demarches.atom" in site.staff_site.stranger().see("/donnees-ouvertes")


def test_the_feed_says_what_changed(site: Site) -> None:
    answer = site.staff_site.stranger().get("/demarches.atom")
    assert answer.mimetype == "application/atom+xml"
    feed = ElementTree.fromstring(answer.data)
    entries = feed.findall(f"{ATOM}entry")
    assert entries[0].findtext(f"{ATOM}title") == "Passeport ordinaire\u00a0: prix modifié"
    assert [one.get("term") for one in entries[0].findall(f"{ATOM}category")] == ["price"]
    assert "35\u202f000" in (entries[0].findtext(f"{ATOM}summary") or "")
    assert len({one.findtext(f"{ATOM}id") for one in entries}) == len(entries)
    held = {"If-None-Match": answer.headers["ETag"]}
    assert site.staff_site.app.test_client().get("/demarches.atom", headers=held).status_code == 304
    own = ElementTree.fromstring(site.staff_site.stranger().get(f"{BASE}/historique.atom").data)
    assert [one.findtext(f"{ATOM}title") for one in own.findall(f"{ATOM}entry")] == [
        "Passeport ordinaire\u00a0: prix modifié",
        "Passeport ordinaire\u00a0: première édition",
    ]


def test_nothing_personal_is_open(site: Site) -> None:
    dossier = site.staff_site.world.sent(B3)
    for path in (
        "/demarches.json", "/demarches.atom", f"{BASE}.json", f"{BASE}/versions.json", f"{BASE}/circuit", f"{BASE}/circuit.svg",
        f"{BASE}/compare/12...13", f"{BASE}/compare/12...13.json", f"/demarches/{B3}/circuit",
    ):  # fmt: skip
        text = site.staff_site.stranger().get(path).get_data(as_text=True)
        for said in (dossier.number, "AMEGAN", "+228901"):
            assert said not in text, path


# -- controllers -------------------------------------------------------------------------------------------------------


def test_the_table_of_controllers_is_taken_away(site: Site) -> None:
    seat = site.staff_site.auditor()
    page = seat.see("/audit/demarches").replace("\u00a0", " ")
    told = json.loads(seat.get("/audit/demarches.json").data)
    rows = list(csv.DictReader(io.StringIO(seat.get("/audit/demarches.csv").data.decode("utf-8-sig"))))
    assert [one["procedure"] for one in rows] == [one["procedure"] for one in told["procedures"]]
    line = next(one for one in told["procedures"] if one["procedure"] == PASSPORT)
    assert (line["edition"], line["open"], line["since"], line["fingerprint"]) == (13, 3, "2026-11-23", site.second)
    for one in told["procedures"]:
        assert one["title"].replace("\u00a0", " ") in page
    only = json.loads(seat.get("/audit/demarches.json?agence=dgdn").data)["procedures"]
    assert PASSPORT in [one["procedure"] for one in only]
    assert len(only) < len(told["procedures"])
    assert "Access-Control-Allow-Origin" not in seat.get("/audit/demarches.json").headers


@pytest.mark.parametrize(
    "path",
    ["demarches", "demarches.csv", "demarches.json", *(f"demarches/{PASSPORT}/{one}" for one in (
        "circuit", "circuit.svg", "compare/12...13", "compare/12...13.json", "compare?avant=12&apres=13"))],
)  # fmt: skip
def test_controllers_pages_are_behind_their_door(site: Site, path: str) -> None:
    answer = site.staff_site.stranger().get(f"/audit/{path}")
    assert answer.status_code == 401 or "/audit/connexion" in answer.headers["Location"]
    assert site.staff_site.auditor().get(f"/audit/{path}").status_code in (200, 303)


# -- the catalogue -----------------------------------------------------------------------------------------------------


def test_a_procedure_is_found_by_what_people_call_it(tmp_path: Path) -> None:
    """None of these words stands in the title or the summary of what they lead to."""
    reader = open_staff_site(tmp_path).stranger()
    wanted = {
        "enfant": "Passeport ordinaire", "mineur": "Passeport ordinaire", "diplôme": "BAC II", "baccalauréat": "BAC II",
        "courant": "Raccordement", "société": "Création d’une entreprise", "maison": "Permis de construire",
        "terrain": "Permis de construire", "perdu": "Duplicata", "CNI": "Carte nationale", "voiture": "Permis de conduire",
    }  # fmt: skip
    for word, title in wanted.items():
        page = reader.see(f"/demarches?q={word}")
        assert "trouvée" in page, word
        assert title.replace("’", "'") in page.replace("’", "'"), word
    assert "Driving licence" in reader.see("/demarches?q=driving&lang=en")


@pytest.mark.browser
def test_prices_are_whole_on_a_small_screen(enter: Enter, portal: Portal) -> None:
    """ "1 000 FCFA par document" goes over two lines before it is cut."""
    reader = enter("citizen", {"width": 320, "height": 740})
    for slug in ("duplicata-bac", "branchement-eau", "raccordement-electricite"):
        reader.go(f"/demarches/{slug}")
        hidden = reader.page.evaluate(
            "Math.max(0, ...[...document.querySelectorAll('.scroll')].map((one) => one.scrollWidth - one.clientWidth))"
        )
        assert hidden == 0, slug
