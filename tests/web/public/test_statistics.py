"""Statistics as people read them: public whole months without small cells, the desks' own as they are, the same as files."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.domain.reporting.counters import TOTALLED
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.records.statistics import CURRENT, Count, JournalCursor
from engine.services.audit.statistics import count_up
from tests.engine.services.world import B3, MONDAY, PASSPORT
from tests.makers import REST, the_shared
from tests.web.page_language import french_in
from tests.web.staff_site import CLERK, GATEKEEPER, Seat, StaffSite, open_staff_site

pytestmark = pytest.mark.slow  # a whole site for each test

LOME, KARA = "dgdn_lome", "dgdn_kara"
MONTH, NOW = "2026-10", "2026-11"
PUBLIC = ("/statistiques", f"/demarches/{PASSPORT}/statistiques")


@dataclass
class Site:
    staff_site: StaffSite

    def count(
        self, *counts: tuple[str, str, int], procedure: str = PASSPORT, office: str = LOME, month: str = MONTH
    ) -> None:
        """Puts counts in as if the journal had been counted."""
        found: Counter[Count] = Counter()
        for figure, detail, n in counts:
            found[Count(procedure, month, figure, office, detail)] += n
            if figure in TOTALLED:
                found[Count("", month, figure, "", detail)] += n
            if figure in ("received", "answered"):
                for place in (Count(procedure, CURRENT, "standing", office), Count("", CURRENT, "standing")):
                    found[place] += n if figure == "received" else -n
        with self.staff_site.world.office.store.unit(write=True) as unit:
            before = unit.tally_mark()
            unit.add_tallies(found, before, before or JournalCursor(MONDAY))

    def stranger(self) -> Seat:
        return self.staff_site.stranger()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(open_staff_site(tmp_path))


@pytest.fixture
def busy(site: Site) -> Site:
    """October: many passports at two offices, three extracts of a criminal record."""
    site.count(
        ("received", "web", 180), ("received", "counter", 20), ("answered", "granted", 120), ("answered", "refused", 30),
        ("delay", "working_day:6", 100), ("delay", "working_day:14", 50), ("judged", "", 150), ("late", "", 15),
        ("refusal", "refuser>refuse", 30), ("corrected", "", 45), ("corrected_field", "acte_naissance", 40),
        ("corrected_field", "nom", 3), ("visit", "depot:attended", 60), ("visit", "depot:missed", 20),
        ("payment", "sandbox:started", 150), ("payment", "sandbox:paid", 130), ("payment", "sandbox:failed", 20),
        ("payment_why", "sandbox:balance", 20), ("step", "production:working_day:5", 120),
        ("step", "conformite:working_day:2", 100), ("step", "conformite:working_day:9", 50),
    )  # fmt: skip
    site.count(("received", "web", 40), ("answered", "granted", 40), ("judged", "", 40), office=KARA)
    site.count(("opened", "web", 300), ("dropped", "", 12), ("dropped", "identite", 33), office="")
    site.count(("received", "web", 3), ("answered", "granted", 2), procedure=B3, office="casier_lome")
    return site


def rows(seat: Seat, path: str) -> list[dict[str, Any]]:
    """The rows of the JSON twin, held against those of the CSV one."""
    base, _, query = path.partition("?")
    answer = seat.get(f"{base}.json?{query}")
    assert answer.status_code == 200, path
    told: list[dict[str, Any]] = json.loads(answer.data)["rows"]
    table = list(csv.DictReader(io.StringIO(seat.get(f"{base}.csv?{query}").data.decode("utf-8-sig"))))
    assert table == [{name: str(value) for name, value in one.items()} for one in told]
    return told


def value(found: list[dict[str, Any]], figure: str, detail: str = "", **more: str) -> Any:
    wanted = {"figure": figure, "detail": detail, "office": "", "period": MONTH, **more}
    (one,) = [row for row in found if all(row[name] == said for name, said in wanted.items())]
    return one["value"]


# -- the public --------------------------------------------------------------------------------------------------------


def test_a_procedure_is_told_in_a_sentence_then_in_tables(busy: Site) -> None:
    page = busy.stranger().see(f"/demarches/{PASSPORT}/statistiques")
    assert (
        "Octobre 2026 : 240 demandes reçues, 190 réponses données, environ 50 demandes attendent une réponse." in page
    )
    assert "92 % des réponses sont venues dans le délai annoncé (20 jours ouvrés)." in page
    assert "La moitié des réponses a pris 6 jours ouvrés au plus, neuf sur dix 14 jours ouvrés au plus." in page
    assert "45 demandes commencées n’ont jamais été envoyées." in page
    for said in ("DGDN, Kara 40 40", "Refuser → Refusé 30", "Part des absences 25 %", "solde insuffisant 20",
                 "Aucune page remplie 12"):  # fmt: skip
        assert said in page, said
    assert "Les demandes envoyées pendant la période." in page


def test_an_english_page_names_the_procedures_in_english(busy: Site) -> None:
    page = busy.stranger().client.get("/statistiques?lang=en").get_data(as_text=True)
    assert "Criminal record extract" in page
    assert french_in(page) == []


def test_the_same_figures_are_taken_away(busy: Site) -> None:
    found = rows(busy.stranger(), f"/demarches/{PASSPORT}/statistiques")
    assert value(found, "received") == 240
    assert value(found, "received", office=KARA) == 40
    assert value(found, "channel", "counter") == 20
    assert value(found, "in_time") == 92
    assert not [one for one in found if one["figure"].startswith("step")], "not public"
    assert value(found, "corrected_field", "acte_naissance") == 40
    told = json.loads(busy.stranger().get(f"/demarches/{PASSPORT}/statistiques.json").data)
    assert (told["period"], told["fewer_than"]) == (MONTH, 10)
    assert {one["figure"] for one in told["rows"]} <= set(told["figures"])
    assert busy.stranger().get("/statistiques.csv").headers["Access-Control-Allow-Origin"] == "*"


def test_few_people_are_not_told_nor_found_by_subtraction(busy: Site) -> None:
    seat = busy.stranger()
    found = rows(seat, f"/demarches/{PASSPORT}/statistiques")
    assert value(found, "corrected_field", "nom") == "<10"
    assert not [one for one in found if one["figure"] == "late"]
    every = rows(seat, "/statistiques")
    assert value(every, "received", procedure=B3) == value(every, "answered", procedure=B3) == "<10"
    assert value(every, "received", procedure="") == 240  # 243, to the nearest ten
    assert "moins de 10" in seat.see("/statistiques")
    busy.count(("received", "web", 4), office="dgdn_atakpame")
    found = rows(seat, f"/demarches/{PASSPORT}/statistiques")
    assert value(found, "received", office="dgdn_atakpame") == "<10"
    assert value(found, "received", office=KARA) == "hidden"
    assert value(found, "received", office=LOME) == 200
    assert "DGDN, Kara non dit" in seat.see(f"/demarches/{PASSPORT}/statistiques")


def test_a_hidden_figure_draws_nothing_and_is_said(busy: Site) -> None:
    page = busy.stranger().get(f"/demarches/{PASSPORT}/statistiques").get_data(as_text=True)
    drawn = [html_text(one) for one in re.findall(r"<rect[^>]*><title>([^<]*)</title>", page)]
    assert "Acte de naissance, 40" in drawn
    assert not [one for one in drawn if one.startswith("Nom") or not any(sign.isdigit() for sign in one)]
    exact = (
        busy.staff_site.auditor().get(f"/audit/statistiques?demarche={PASSPORT}&periode={MONTH}").get_data(as_text=True)
    )
    assert any(one.startswith("Nom") for one in re.findall(r"<rect[^>]*><title>([^<]*)</title>", exact))
    assert re.search(r"<th scope=\"row\">Nom[^<]*</th><td class=\"num\">moins de 10</td>", html_text(page))


def html_text(text: str) -> str:
    return html.unescape(text).replace("\u00a0", " ").replace("\u202f", " ")


def test_only_whole_months_are_public(busy: Site) -> None:
    busy.count(("received", "web", 500), month=NOW)
    seat = busy.stranger()
    for path in PUBLIC:
        for asked in ("", f"?mois={NOW}", "?mois=2026", "?mois=<b>", "?mois=2026-13"):
            told = json.loads(seat.get(f"{path}.json{asked}").data)
            assert told["period"] == MONTH, asked
            assert not [one for one in told["rows"] if one["period"] == NOW]
    assert value(rows(seat, f"/demarches/{PASSPORT}/statistiques"), "standing") == 50
    busy.staff_site.world.wait(days=10)
    assert json.loads(seat.get("/statistiques.json").data)["period"] == NOW
    assert json.loads(seat.get(f"/statistiques.json?mois={MONTH}").data)["period"] == MONTH


def test_before_the_first_month_is_over_the_page_says_when(site: Site) -> None:
    for path in PUBLIC:
        page = site.stranger().see(path)
        assert "Aucun mois complet n’est encore compté. Le premier paraîtra le 1er décembre 2026." in page
        assert "Emporter ces chiffres" not in page
    assert site.stranger().get("/demarches/nulle-part/statistiques").status_code == 404


def test_statistics_are_found_from_where_people_are(busy: Site) -> None:
    seat = busy.stranger()
    for path in ("/aide", "/donnees-ouvertes"):
        assert 'href="/statistiques' in seat.get(path).get_data(as_text=True)
    assert f"/demarches/{PASSPORT}/statistiques" in seat.get(f"/demarches/{PASSPORT}").get_data(as_text=True)
    assert "/agent/statistiques" in busy.staff_site.agent(GATEKEEPER).get("/agent").get_data(as_text=True)
    assert "/audit/statistiques" in busy.staff_site.auditor().get("/audit").get_data(as_text=True)


def test_the_pages_are_in_english_too(busy: Site) -> None:
    page = busy.stranger().see(f"/demarches/{PASSPORT}/statistiques?lang=en")
    assert "Octob" not in page.replace("October", "")
    assert "240 applications received, 190 answers given" in page
    assert "92% of the answers came within the announced time (20 working days)." in page


def test_nothing_is_styled_or_run_inside_the_page(busy: Site) -> None:
    for seat, path in (
        (busy.stranger(), PUBLIC[1]),
        (busy.staff_site.auditor(), f"/audit/statistiques?demarche={PASSPORT}"),
    ):
        html = seat.get(f"{path}{'&' if '?' in path else '?'}mois={MONTH}&periode={MONTH}").get_data(as_text=True)
        assert "<svg" in html
        assert " style=" not in html
        assert html.count("<script") == 1  # the frame's own file


# -- the desks ---------------------------------------------------------------------------------------------------------


def test_an_agent_reads_what_is_theirs_exactly(busy: Site) -> None:
    busy.count(("received", "web", 4), ("answered", "refused", 1), ("refusal", "refuser>refuse", 1), month=NOW)
    seat = busy.staff_site.agent(GATEKEEPER)
    page = seat.see(f"/agent/statistiques?demarche={PASSPORT}")
    assert "Novembre 2026 : 4 demandes reçues, 1 réponse donnée, 53 demandes attendent une réponse." in page
    assert "Ces nombres ne sont montrés qu’à vous ; personne n’est classé." in page
    found = rows(seat, f"/agent/statistiques?demarche={PASSPORT}&periode={MONTH}")
    assert value(found, "corrected_field", "nom") == 3
    assert value(found, "late") == 15
    assert value(found, "standing") == 50
    assert value(found, "step_median", "conformite") == 2
    assert value(found, "step_most", "conformite") == 9
    assert "Temps dans chaque étape" in seat.see(f"/agent/statistiques?demarche={PASSPORT}&periode={MONTH}")
    year = rows(seat, f"/agent/statistiques?demarche={PASSPORT}&periode=2026")
    assert value(year, "received", period="2026") == 244
    assert value(year, "received", period=NOW) == 4
    kara = rows(seat, f"/agent/statistiques?demarche={PASSPORT}&periode={MONTH}&bureau={KARA}")
    assert value(kara, "received", office=KARA) == 40
    assert {one["office"] for one in kara} == {KARA}


def test_several_procedures_are_told_together_and_each(busy: Site) -> None:
    found = rows(busy.staff_site.auditor(), f"/audit/statistiques?periode={MONTH}")
    assert value(found, "received", procedure="") == 243
    assert value(found, "received", procedure=B3) == 3
    assert value(found, "delay_median", procedure=PASSPORT) == 6
    page = busy.staff_site.auditor().see(f"/audit/statistiques?periode={MONTH}")
    assert "Passeport ordinaire 240 190 50" in page
    assert "Vos actes" not in page


def test_nobody_reads_what_is_not_theirs(busy: Site) -> None:
    clerk, here = busy.staff_site.agent(CLERK), busy.staff_site.agent(GATEKEEPER)
    for seat, theirs, others in ((clerk, B3, PASSPORT), (here, PASSPORT, B3)):
        for asked in ("", f"&demarche={others}"):
            found = rows(seat, f"/agent/statistiques?periode={MONTH}{asked}")
            assert others not in {one["procedure"] for one in found}
            assert theirs in {one["procedure"] for one in found}
    with busy.staff_site.world.office.store.unit(write=True) as unit:
        known = unit.account_of("agent", GATEKEEPER)
        assert known is not None
        unit.put_account(replace(known, offices=(KARA,)))
    found = rows(busy.staff_site.agent(GATEKEEPER), f"/agent/statistiques?periode={MONTH}&demarche={PASSPORT}")
    assert value(found, "received") == 40
    assert LOME not in {one["office"] for one in found}
    asked = rows(
        busy.staff_site.agent(GATEKEEPER), f"/agent/statistiques?periode={MONTH}&demarche={PASSPORT}&bureau={LOME}"
    )
    assert value(asked, "received") == 40  # an office that is not theirs is no choice


def test_the_figures_follow_the_dossiers(site: Site) -> None:
    world, seat = site.staff_site.world, site.staff_site.agent(GATEKEEPER)
    dossier = world.sent(PASSPORT)
    path = f"/agent/statistiques?demarche={PASSPORT}"
    assert "Chiffres arrêtés au lundi 23 novembre 2026 à 9 h." in seat.see(path)
    assert "Rien n’a été compté" in seat.see(path)
    world.wait(minutes=10)
    count_up(world.office)
    assert "1 demande reçue, 0 réponse donnée, 1 demande attend une réponse" in seat.see(path)
    world.wait(days=2)
    world.take(dossier, site.staff_site.actor(GATEKEEPER), "refuser", reason="x")
    world.wait(minutes=10)
    count_up(world.office)
    seat = site.staff_site.agent(GATEKEEPER)
    page = seat.see(path)
    assert "1 demande reçue, 1 réponse donnée, 0 demande attend" in page
    assert "100 % des réponses sont venues dans le délai annoncé" in page
    assert "2 jours ouvrés" in page
    assert "Étapes franchies : 1. Dossiers concernés : 1." in page
    assert "Étapes franchies : 0. Dossiers concernés : 0." in site.staff_site.agent(f"{GATEKEEPER}.2").see(path)
    for said in (dossier.number, "AMEGAN", GATEKEEPER):
        assert said not in seat.get(f"{path.replace('?', '.json?')}").get_data(as_text=True)


def test_many_procedures_are_shown_in_pages(tmp_path: Path) -> None:
    books = []
    for number in range(25):
        text = f"procedure: essai-{number:02d}\nedition: 1\n" + REST.replace(
            "title: Essai", f"title: Essai {number:02d}"
        )
        book, _ = build_procedure(read_source(text, f"essai-{number:02d}.yaml"), the_shared())
        assert book is not None
        books.append(book)
    site = Site(open_staff_site(tmp_path, catalogue=Catalogue.of(books, the_shared())))
    for number in range(25):
        site.count(("received", "web", 10 + number), ("answered", "granted", 10), procedure=f"essai-{number:02d}")
    first, second = site.stranger().see("/statistiques"), site.stranger().see("/statistiques?page=2")
    assert "Essai 19" in first and "Essai 20" not in first  # noqa: PT018
    assert "Essai 24" in second and "Essai 19" not in second  # noqa: PT018
    assert len({one["procedure"] for one in rows(site.stranger(), "/statistiques")}) == 26
