"""Controllers read the journals of all dossiers together: counted, narrowed, paged, taken away; what they asked is noted."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.services.applications import bulk_actions as bulk
from engine.services.applications.casework import assign
from engine.services.worker.job_runner import carry_orders
from renderers.web.auditors import journal_search
from tests.engine.services.bulk_runner import to_sign
from tests.engine.services.world import B3, PASSPORT
from tests.web.staff_site import CLERK, GATEKEEPER, Seat, StaffSite, hidden, open_staff_site

pytestmark = pytest.mark.slow  # a whole site and its people for each test

HOME = "/audit/evenements"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def signed_in_bulk(staff_site: StaffSite, count: int = 2) -> list[str]:
    some, who = to_sign(staff_site.world, count), staff_site.actor(CLERK)
    bulk.order_bulk(staff_site.world.office, who, B3, "signer", "", [(one.number, one.revision) for one in some])
    carry_orders(staff_site.world.office)
    return [one.number for one in some]


def taken(seat: Seat, where: str, kind: str) -> bytes:
    answer = seat.get(f"{where}/{kind}")
    assert answer.status_code == 200, answer.status_code
    return answer.get_data()


def test_what_was_done_is_counted_and_narrowed_without_a_name_of_an_applicant(staff_site: StaffSite) -> None:
    numbers, control = signed_in_bulk(staff_site), staff_site.auditor()
    whole = control.see(HOME)
    assert "AMEGAN" not in whole
    assert "22890" not in whole
    assert "Étape franchie" in whole
    assert "Signer le bulletin" in whole
    assert "lot n° 1" in whole
    answer = control.see(f"{HOME}?question=bulk")
    assert "2 événements" in answer
    assert all(number[:2] in answer for number in numbers)
    assert "0 événement" in control.see(f"{HOME}?question=bulk&demarche={PASSPORT}")
    assert "Aucun événement" in control.see(f"{HOME}?type=issued&du=2026-01-01&au=2026-01-02")
    assert control.see(f"{HOME}?du=hier&au=demain&question=tout&apres=!!!")


def test_the_questions_kept_ready_find_what_they_say(staff_site: StaffSite) -> None:
    world, control = staff_site.world, staff_site.auditor()
    (late, night), (chef,) = to_sign(world, 2), [staff_site.actor(CLERK)]
    world.clock.advance(timedelta(days=4))
    world.take(late, chef, "signer")
    world.clock.advance(timedelta(hours=13))  # ten in the evening
    world.take(night, chef, "signer")
    control = staff_site.auditor()

    def found(question: str) -> bool:
        return "2 événements" in control.see(f"{HOME}?question={question}")

    assert found("late")
    assert "1 événement" in control.see(f"{HOME}?question=night")
    refused = world.sent(PASSPORT)
    keeper = staff_site.actor(GATEKEEPER)
    world.take(refused, keeper, "refuser", reason="Photo")
    assert "Aucun événement" in control.see(f"{HOME}?question=taken_refused")
    other = world.sent(PASSPORT, world.applicant("+22890000088"))
    held = assign(world.office, keeper, other.id, keeper.id)
    world.take(held, keeper, "refuser", reason="Photo")
    assert "1 événement" in control.see(f"{HOME}?question=taken_refused")


def test_pages_follow_each_other(staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in_bulk(staff_site, 5)
    control, seen, path = staff_site.auditor(), 0, HOME
    monkeypatch.setattr("engine.services.audit.journal_search.events.__defaults__", ("", 20))
    while path:
        answer = control.get(path)
        text = answer.get_data(as_text=True)
        seen += text.count('<th scope="row"')
        found = text.split('rel="next"')[0].rsplit('href="', 1)[-1].split('"')[0] if 'rel="next"' in text else ""
        path = found.replace("&amp;", "&")
    assert f"{seen} événements" in control.see(HOME)


def test_the_whole_answer_is_taken_away_signed(staff_site: StaffSite) -> None:
    signed_in_bulk(staff_site)
    control = staff_site.auditor()
    page = control.get(f"{HOME}?question=bulk")
    where = control.client.post(f"{HOME}/export", data=hidden(page)).headers["Location"]
    assert "C’est prêt : 2 lignes." in control.see(where)
    assert "En lot" in control.see(where)
    lines = taken(control, where, "evenements.ndjson").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(one["kind"], one["body"]["bulk"]) for one in rows] == [("transition", 1)] * 2
    assert json.loads(taken(control, where, "evenements.json")) == rows
    assert (
        taken(control, where, "evenements.csv").decode("utf-8-sig").splitlines()[0].startswith("date,dossier,evenement")
    )
    told = json.loads(taken(control, where, "manifeste.json"))
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    assert told["claims"]["ndjson_sha256"] == digest
    assert staff_site.world.office.keys.check(told["jws"]) == told["claims"]
    assert control.get(f"{where}/evenements.exe").status_code == 404
    assert staff_site.agent(CLERK).get(where.replace("/audit/", "/agent/")).status_code == 404


def test_what_a_controller_asked_is_noted_once_a_day(staff_site: StaffSite) -> None:
    signed_in_bulk(staff_site, 1)
    control = staff_site.auditor()
    for _ in range(3):
        control.see(f"{HOME}?question=night")
    kinds = [entry.kind for entry in staff_site.world.read(lambda unit: unit.rights()) if entry.kind == "events_read"]
    assert len(kinds) == 1
    assert "Décisions de nuit" in control.see("/audit/mes-consultations")


def test_a_mandate_bounds_the_journals_too(staff_site: StaffSite) -> None:
    signed_in_bulk(staff_site, 1)
    staff_site.world.sent(PASSPORT, staff_site.world.applicant("+22890000099"))
    before = staff_site.auditor()
    early = before.client.post(f"{HOME}/export", data=hidden(before.get(HOME))).headers["Location"]
    account = staff_site.world.read(lambda unit: unit.account_of("auditor", "controle"))
    with staff_site.world.office.store.unit(write=True) as unit:
        unit.put_account(replace(account, procedures=(PASSPORT,)))
    control = staff_site.auditor()
    whole = control.see(HOME)
    assert "Passeport ordinaire" in whole
    assert "casier" not in whole
    assert "Aucun événement" in control.see(f"{HOME}?demarche={B3}")
    page = control.get(f"{HOME}")
    where = control.client.post(f"{HOME}/export", data={**hidden(page), "demarche": B3}).headers["Location"]
    assert "0 ligne" in control.see(where)
    rows = [json.loads(line) for line in taken(control, early, "evenements.ndjson").splitlines()]
    assert {one["procedure"] for one in rows} == {PASSPORT}  # what was prepared before is bound too


def test_every_value_of_a_facet_is_shown_when_asked_for(staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in_bulk(staff_site)
    control = staff_site.auditor()
    monkeypatch.setattr(journal_search, "_SHOWN", 2)
    whole = control.see(HOME)
    count = re.search(r"Voir les (\d+) : Événement", whole)
    assert count is not None
    page = control.get(f"{HOME}?facette=type").get_data(as_text=True)
    assert f"Voir les {count[1]}" not in page
    facet = page.split("<summary>Événement</summary>")[1].split("</details>")[0]
    assert facet.count("<li>") == int(count[1])
    assert "<details open><summary>Événement" in page


def test_the_events_of_each_day_are_bars_that_lead_to_it(staff_site: StaffSite) -> None:
    signed_in_bulk(staff_site, 1)
    staff_site.world.wait(days=1)
    signed_in_bulk(staff_site, 1)
    control = staff_site.auditor()
    page = control.get(HOME).get_data(as_text=True)
    bars = page.split("<summary>Par jour</summary>")[1].split("</details>")[0]
    days = re.findall(r"du=(2026-11-2\d)&amp;au=(2026-11-2\d)", bars)
    assert days == [("2026-11-23", "2026-11-23"), ("2026-11-24", "2026-11-24")]
    assert bars.count("<meter") == 2
