"""Supervision: a head of service and an administrator follow open work and share it out, and read no dossier by it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.records.dossier import Account, Actor, Dossier
from engine.services.accounts import supervision
from engine.services.accounts.supervision import backlog, choices_for, list_work, order_assignment, supervised_work
from engine.services.applications.casework import assign
from engine.services.context.app_context import AppContext, NotFound
from engine.services.core.jobs import give
from engine.services.worker.job_runner import carry_orders
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.world import PASSPORT
from tests.web.staff_site import CLERK, GATEKEEPER, Seat, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

HERE, HEAD = "/agent/supervision", "dgdn.directeur"  # leads every role of the agency, has none in the passport
SECOND = f"{GATEKEEPER}.2"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def sent(staff_site: StaffSite, count: int, holder: str = "") -> list[Dossier]:
    """Passports to check, in the hands of an agent or of none."""
    world = staff_site.world
    made = [world.sent(PASSPORT, world.applicant(f"+2289011{place:04}")) for place in range(count)]
    if not holder:
        return made
    who = staff_site.actor(holder)
    return [assign(world.office, who, one.id, who.id) for one in made]


def chosen(seat: Seat, some: list[Dossier], to: str, at: str = HERE) -> str:
    """Ticks dossiers, chooses who takes them and confirms twice. The address of the job."""
    panel = seat.client.post(at, data={**hidden(seat.get(at)), "dossier": [one.number for one in some], "go": "see"})
    posted = {**hidden(panel), "vers": to, "go": "confirm"}
    (where,) = {seat.client.post(at, data=posted).headers["Location"] for _ in range(2)}
    return where


@pytest.mark.parametrize("login", [HEAD, "administration"])
def test_dossiers_are_given_once_and_by_number_only(staff_site: StaffSite, login: str) -> None:
    some, head, other = sent(staff_site, 2, GATEKEEPER), staff_site.agent(login), staff_site.actor(SECOND)
    page = head.get(HERE)
    assert head.see(f"/agent/dossiers/{some[0].number}", 404)
    assert all(one.number in re.sub(r"\s", "", page.get_data(as_text=True)) for one in some)
    seen = read(page)
    assert "AMEGAN" not in seen
    assert f"/agent/dossiers/{some[0].number}" not in page.get_data(as_text=True)
    report = head.see(chosen(head, some, other.id))
    assert "Terminé : 2 dossiers faits." in report
    assert other.name in report
    assert "AMEGAN" not in report
    assert {staff_site.kept(one).assigned for one in some} == {other.id}
    last = staff_site.world.read(lambda unit: unit.entries(some[0].id))[-1]
    assert (last.kind, last.actor, last.body["to"], last.body["bulk"]) == (
        "assigned",
        staff_site.actor(login).id,
        other.id,
        1,
    )
    assert "dossiers attribués à d’autres" in staff_site.agent("administration").see("/agent/equipe/journal")


def test_who_leads_nothing_finds_no_page(staff_site: StaffSite) -> None:
    some, clerk = sent(staff_site, 1), staff_site.agent(GATEKEEPER)
    clerk.see(HERE, 404)
    assert "Supervision" not in clerk.see("/agent")
    assert "Supervision" in staff_site.agent(HEAD).see("/agent")
    posted = {"dossier": f"{some[0].number}:{some[0].revision}", "vers": "file", "go": "confirm"}
    assert clerk.client.post(HERE, data=posted).status_code == 404
    assert clerk.client.post(HERE, data={"agent": "x", "go": "back"}).status_code == 404
    with pytest.raises(NotFound):
        supervised_work(staff_site.world.office, staff_site.actor(GATEKEEPER))


def test_another_service_is_neither_seen_nor_moved(staff_site: StaffSite) -> None:
    some, other = sent(staff_site, 1), staff_site.agent(CLERK)  # leads a role of another agency
    assert "Rien n’attend" in other.see(HERE)
    posted = {"dossier": f"{some[0].number}:{some[0].revision}", "vers": "file", "go": "confirm"}
    assert other.client.post(HERE, data=posted).status_code == 404
    away = {"agent": staff_site.actor(GATEKEEPER).id, "du": "2026-11-23", "au": "2026-11-27", "go": "absence"}
    assert "Choisissez un agent" in read(other.client.post(HERE, data=away))


def test_dossiers_are_spread_evenly_among_those_present(staff_site: StaffSite) -> None:
    mine, *free = sent(staff_site, 6)
    first, second = staff_site.actor(GATEKEEPER), staff_site.actor(SECOND)
    assign(staff_site.world.office, first, mine.id, first.id)
    assert len(list_work(staff_site.world.office, whole(staff_site), "free").lines) == 5
    head = staff_site.agent(HEAD)
    panel = head.client.post(
        HERE, data={**hidden(head.get(f"{HERE}?voir=libres")), "dossier": [one.number for one in free], "go": "see"}
    )
    assert "Répartir entre les 2 présents" in read(panel)
    head.client.post(HERE, data={**hidden(panel), "vers": "tous", "go": "confirm"})
    held = [staff_site.kept(one).assigned for one in (mine, *free)]
    assert sorted(held.count(one) for one in (first.id, second.id)) == [3, 3]
    away = {"agent": second.id, "du": "2026-11-23", "au": "2026-11-27", "go": "absence"}
    assert head.client.post(HERE, data=away).status_code == 303
    panel = head.client.post(HERE, data={"dossier": [one.number for one in free], "go": "see"})
    assert second.name not in read(panel)
    assert "Répartir" not in read(panel)


def test_sharing_out_lets_others_write_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 500 dossiers and 60 agents it takes over a second; each agent is read once, however many the dossiers."""
    staff_site = open_staff_site(tmp_path, SqliteStore(tmp_path / "guichet.db"))
    some, office, persons = sent(staff_site, 4), staff_site.world.office, list[str]()
    share, person_of, who = supervision._spread, AppContext.person, staff_site.actor(GATEKEEPER)

    def counted(ctx: AppContext, account: Account) -> Actor:
        persons.append(account.id)
        return person_of(ctx, account)

    def crowded(*given: Any) -> Mapping[str, str]:
        with ThreadPoolExecutor() as pool:
            pool.submit(assign, office, who, some[0].id, who.id).result(timeout=20)
        return share(*given)

    monkeypatch.setattr(AppContext, "person", counted)
    monkeypatch.setattr(supervision, "_spread", crowded)
    picked = [(one.number, one.revision) for one in some]
    order_assignment(office, staff_site.actor(HEAD), supervision.SPREAD, picked)
    assert max(Counter(persons).values()) <= 2  # `assign` reads one once more
    assert staff_site.kept(some[0]).assigned == who.id


def whole(staff_site: StaffSite) -> supervision.SupervisedWork:
    return supervised_work(staff_site.world.office, staff_site.actor(HEAD))


def test_back_to_the_queue_and_what_changed_meanwhile_is_left(staff_site: StaffSite) -> None:
    some, head = sent(staff_site, 3, GATEKEEPER), staff_site.agent(HEAD)
    theirs = f"{HERE}?agent={staff_site.actor(GATEKEEPER).id}"
    panel = head.client.post(theirs, data={"tous": "1"})
    assert "À qui attribuer 3 dossiers ?" in read(panel)
    staff_site.world.take(
        some[0], staff_site.actor(GATEKEEPER), "refuser", reason="Non"
    )  # it waits for no agent any more
    assign(staff_site.world.office, staff_site.actor(SECOND), some[2].id, staff_site.actor(SECOND).id)
    where = head.client.post(theirs, data={**hidden(panel), "vers": "file", "go": "confirm"}).headers["Location"]
    report = head.see(where)
    assert "attribution : Personne (remettre dans « À prendre »)" in report
    assert "Terminé : 1 sur 2. Laissés de côté : 1." in report
    assert "Changé entre-temps" in report
    assert staff_site.kept(some[1]).assigned is None
    assert staff_site.kept(some[2]).assigned == staff_site.actor(SECOND).id


def test_an_assignment_is_undone_but_for_what_changed_since(staff_site: StaffSite) -> None:
    held, free, changed = *sent(staff_site, 1, GATEKEEPER), *sent(staff_site, 3)[1:]
    head, first, other = staff_site.agent(HEAD), staff_site.actor(GATEKEEPER), staff_site.actor(SECOND)
    where = chosen(head, [held, free, changed], other.id)
    assign(staff_site.world.office, first, changed.id, first.id)
    page = head.get(where)
    assert "Annuler cette attribution" in read(page)
    posted = {**hidden(page), "go": "return"}
    (back,) = {head.client.post(HERE, data=posted).headers["Location"] for _ in range(2)}
    report = head.see(back)
    assert "attribution : retour aux agents d’avant" in report
    assert "Terminé : 2 sur 3. Laissés de côté : 1." in report
    assert [staff_site.kept(one).assigned for one in (held, free, changed)] == [first.id, None, first.id]
    assert "Annuler cette attribution" not in report
    assert staff_site.agent("administration").client.post(HERE, data=posted).status_code == 404, "of another person"


def test_an_appeal_is_not_offered_to_who_refused(staff_site: StaffSite) -> None:
    world, head = staff_site.world, staff_site.agent(HEAD)
    first, second = staff_site.actor(GATEKEEPER), staff_site.actor(SECOND)
    dossier = world.take(sent(staff_site, 1)[0], first, "refuser", reason="Non")
    dossier = world.take(dossier, world.applicant("+22890110000"), "contester", reason="Si")
    panel = head.client.post(HERE, data={"dossier": [dossier.number], "go": "see"})
    assert second.name in read(panel)
    assert first.name not in read(panel)
    found = choices_for(world.office, staff_site.actor(HEAD), [dossier.number])
    assert {one.account.id for one in found.receivers} == set(found.spread.values()) == {second.id}
    report = head.see(chosen(head, [dossier], first.id))  # a forged choice
    assert "Cette personne a déjà décidé sur ce dossier. Une autre doit le faire." in report
    assert staff_site.kept(dossier).assigned is None


@pytest.mark.parametrize("revision", ["9" * 23, "9" * 5000, "٣", "-1", ""])
def test_a_revision_that_is_none_is_left_out(staff_site: StaffSite, revision: str) -> None:
    (one,), head = sent(staff_site, 1, GATEKEEPER), staff_site.agent("administration")
    posted = {"dossier": [f"{one.number}:{revision}"], "vers": "file", "go": "confirm"}
    assert head.client.post(HERE, data=posted).status_code < 500
    assert staff_site.kept(one).assigned == staff_site.actor(GATEKEEPER).id


def test_an_absence_is_said_and_ended(staff_site: StaffSite) -> None:
    some, head, other = sent(staff_site, 1, SECOND), staff_site.agent(HEAD), staff_site.actor(SECOND)

    def say(**days: str) -> str:
        return read(head.client.post(HERE, data={"agent": other.id, "go": "absence", **days}))

    assert "Donnez le premier" in say(du="2026-11-23")
    assert "vient avant le premier" in say(du="2026-11-27", au="2026-11-24")
    assert "déjà finie" in say(du="2026-11-01", au="2026-11-02")
    assert "27 novembre 2031 au plus tard" in say(du="2026-11-23", au="9999-12-31")
    say(du="2026-11-23", au="2026-11-27")
    page = head.see(HERE)
    assert f"{other.name} (en absence)" in page
    assert "Du 23 novembre 2026 au 27 novembre 2026" in page
    assert "1 absent aujourd’hui" in page
    assert "Absent" in staff_site.agent("administration").see("/agent/equipe")
    late = head.client.post(
        HERE, data={"dossier": f"{some[0].number}:{some[0].revision}", "vers": other.id, "go": "confirm"}
    )
    assert "Cette personne est absente." in head.see(late.headers["Location"])
    head.client.post(HERE, data={"agent": other.id, "go": "back"})
    assert "en absence" not in head.see(HERE)
    assert "de retour" in staff_site.agent("administration").see("/agent/equipe/journal")


def test_figures_lead_to_the_list_that_they_count(staff_site: StaffSite) -> None:
    some, head = sent(staff_site, 3), staff_site.agent(HEAD)
    who, world = staff_site.actor(GATEKEEPER), staff_site.world
    assign(world.office, who, some[0].id, who.id)
    world.force(staff_site.kept(some[1]), due_at=world.office.now() - timedelta(days=1))
    world.force(staff_site.kept(some[2]), due_at=world.office.now() + timedelta(hours=1))
    page = head.see(HERE)
    assert "3 en cours 1 en retard 1 à rendre aujourd’hui 2 sans agent" in page
    assert "Dossiers en main, par agent\u00a0: " in head.get(HERE).get_data(as_text=True)
    lines = {"tous": 3, "retard": 1, "jour": 2, "libres": 2, "inconnu": 3}
    for view, count in lines.items():
        assert (
            head.get(f"{HERE}?voir={view}&demarche={PASSPORT}").get_data(as_text=True).count('name="dossier"') == count
        )
    assert "Aucun dossier" in head.see(f"{HERE}?agent=inconnu")
    assert "Rien n’attend" in head.see(f"{HERE}?demarche=inconnue")
    assert f"Dossiers en main : {who.name}" in head.see(f"{HERE}?agent={who.id}")
    assert staff_site.actor(CLERK).name not in head.see(
        f"{HERE}?agent={staff_site.actor(CLERK).id}"
    )  # of another service
    assert 'aria-sort="descending"' in head.get(f"{HERE}?tri=-recu").get_data(as_text=True)
    assert read(head.client.post(HERE, data={"go": "see"})).count("Aucun dossier n’est choisi")
    panel = head.client.post(HERE, data={"dossier": some[0].number, "go": "see"})
    assert "Choisissez à qui" in read(head.client.post(HERE, data={**hidden(panel), "go": "confirm"}))


def test_more_work_than_is_counted_says_so(staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(staff_site, 2)
    assert "sont comptés" not in staff_site.agent(HEAD).see(HERE)
    for module in ("engine.services.accounts.supervision", "renderers.web.administration.supervision"):
        monkeypatch.setattr(f"{module}.MOST_COUNTED", 1)
    assert "plus de 1 en cours" in (page := staff_site.agent(HEAD).see(HERE))
    assert "Seuls 1 dossiers sont comptés." in page


def test_a_head_of_some_offices_supervises_those(staff_site: StaffSite) -> None:
    world, some = staff_site.world, sent(staff_site, 1)
    elsewhere = world.agent("chef", "dgdn/directeur", offices=("dgdn_kara",))
    assert staff_site.kept(some[0]).office not in elsewhere.offices
    scope = supervised_work(world.office, elsewhere)
    assert backlog(world.office, elsewhere, scope).counts == ()
    assert (
        backlog(
            world.office, elsewhere, supervised_work(world.office, elsewhere, office_id=some[0].office or "")
        ).counts
        == ()
    )
    with pytest.raises(NotFound):
        order_assignment(world.office, elsewhere, "", [(some[0].number, some[0].revision)])


@pytest.mark.parametrize("login", [HEAD, "administration"])
def test_their_own_request_is_not_given_to_a_colleague(staff_site: StaffSite, login: str) -> None:
    """Who assigns it chooses who decides on it."""
    (one,), office = sent(staff_site, 1), staff_site.world.office
    head = replace(staff_site.actor(login), contacts=frozenset({one.contact_phone or ""}))
    assert choices_for(office, head, [one.number]).dossiers == ()
    for to in (staff_site.actor(SECOND).id, supervision.QUEUE, supervision.SPREAD):
        with pytest.raises(NotFound):
            order_assignment(office, head, to, [(one.number, one.revision)])
    assert staff_site.kept(one).assigned is None


def test_who_leads_a_service_reads_its_figures_and_no_dossier(staff_site: StaffSite) -> None:
    (one,) = sent(staff_site, 1)
    head = staff_site.agent(HEAD)
    assert "Passeport ordinaire" in head.see(f"/agent/statistiques?demarche={PASSPORT}").partition("Bureau")[0]
    head.see(f"/agent/dossiers/{one.number}", 404)


def test_an_order_names_dossiers_and_not_too_many(staff_site: StaffSite) -> None:
    office, head = staff_site.world.office, staff_site.actor(HEAD)
    with pytest.raises(Refused, match="nothing_picked"):
        order_assignment(office, head, "", [])
    with pytest.raises(Refused, match="too_many_picked"):
        order_assignment(office, head, "", [(f"{n:011}", 1) for n in range(501)])


def test_the_former_address_of_a_member_leads_here(staff_site: StaffSite) -> None:
    answer = staff_site.agent("administration").get("/agent/equipe/x/dossiers")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{HERE}?agent=x")


def test_a_job_of_the_former_release_is_finished(staff_site: StaffSite) -> None:
    """It gave every dossier of one agent to one receiver."""
    (one,), who = sent(staff_site, 1, GATEKEEPER), staff_site.actor(SECOND)
    office, chief = staff_site.world.office, staff_site.actor("administration")
    with office.store.unit(write=True) as unit:
        asked = {"from": one.assigned, "to": who.id}
        give(office, unit, chief, "handover", asked, 1, [(one.id, one.number, one.revision)])
    carry_orders(office)
    assert staff_site.kept(one).assigned == who.id
