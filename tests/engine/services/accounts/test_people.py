"""People and their rights: who may give what to whom, what is refused, and a journal that shows any change."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.domain.common.agent_rights import own_number
from engine.domain.common.decision import Act
from engine.domain.documents.retention import forgotten
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor
from engine.services.accounts import agents as people
from engine.services.accounts.agents import Given, Person
from engine.services.accounts.assistance import help_by_code
from engine.services.accounts.contact_change import change_phone
from engine.services.accounts.delegation import acting_for, give
from engine.services.applications import casework, notes
from engine.services.applications.drafts import see, submit
from engine.services.applications.messages import write_message
from engine.services.context.app_context import NotFound, pinned
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in.sessions import actor_of, open_session
from tests.engine.services.world import B3, PASSPORT, World

CHECKER, COUNTER = "dgdn/controleur", "dgdn/guichet"
TODAY = date(2026, 11, 23)


def added(world: World, login: str = "mensah", by: Actor = SYSTEM_ACTOR, **asked: Any) -> Given:
    given = {"name": "A. Mensah", "roles": {CHECKER: None}, **asked}
    return people.add_person(world.office, by, "agent", login, Person(**given))


def administrator(world: World, *agencies: str, login: str = "chef") -> Actor:
    person = Person("C. Chef", administers=agencies or ("*",))
    return people.add_person(world.office, SYSTEM_ACTOR, "agent", login, person).account.actor()


def refused(act: Any, *given: Any, **more: Any) -> str:
    with pytest.raises(Refused) as closed:
        act(*given, **more)
    return closed.value.reason.code


def test_the_first_administrator_comes_from_the_command_line_and_makes_the_others(world: World) -> None:
    chef = administrator(world)
    given = added(world, by=chef, roles={CHECKER: None, COUNTER: TODAY}, offices=("dgdn_lome",))
    assert given.account.fresh
    assert given.password not in given.account.secret
    assert people.member(world.office, chef, given.account.id).ends == {COUNTER: TODAY}


def test_nobody_gives_themself_rights(world: World) -> None:
    chef = administrator(world)
    mine = Person("C. Chef", {CHECKER: None}, administers=("*",))
    assert refused(people.change_person, world.office, chef, chef.id, mine) == "own_rights"
    for act in (people.close_person, people.give_password, people.reset_factor, people.reopen_person):
        assert refused(act, world.office, chef, chef.id) == "own_rights"
    assert people.change_person(world.office, administrator(world, login="autre"), chef.id, mine).roles == (CHECKER,)


def test_an_agency_is_given_by_its_own_administrator_alone(world: World) -> None:
    theirs = administrator(world, "sncja", login="greffe")
    mensah = added(world).account
    with pytest.raises(NotFound):
        people.member(world.office, theirs, mensah.id)
    assert refused(added, world, "koffi", theirs) == "not_your_agency"
    clerk = added(world, "koffi", theirs, roles={"sncja/greffier_en_chef": None}).account
    more = Person("A. Mensah", {CHECKER: None, "sncja/greffier_en_chef": None})
    both = people.change_person(world.office, SYSTEM_ACTOR, mensah.id, more)
    assert {one.id for one in people.team(world.office, theirs)} == {clerk.id, mensah.id}
    assert refused(people.close_person, world.office, theirs, both.id) == "not_your_agency", "part of them is another's"
    renamed = replace(more, name="Autre", roles={CHECKER: None})
    assert refused(people.change_person, world.office, theirs, both.id, renamed) == "not_your_agency"
    less = people.change_person(world.office, theirs, both.id, Person("A. Mensah", {CHECKER: None}))
    assert less.roles == (CHECKER,)


def test_rights_that_somebody_changed_meanwhile_are_not_replaced_unread(world: World) -> None:
    chef, mensah = administrator(world), added(world).account
    seen, theirs = people.rights_seen(mensah), Person("A. Mensah", {COUNTER: None})
    people.change_person(world.office, chef, mensah.id, Person("A. Mensah", {CHECKER: None, COUNTER: None}), seen=seen)
    assert refused(people.change_person, world.office, chef, mensah.id, theirs, seen=seen) == "rights_changed"
    now = people.member(world.office, chef, mensah.id)
    assert now.roles == (CHECKER, COUNTER)
    people.give_password(world.office, chef, mensah.id)  # no right: what was read is still so
    assert people.change_person(world.office, chef, mensah.id, theirs, seen=people.rights_seen(now)).roles == (COUNTER,)


def test_teams_are_given_by_who_has_them_all(world: World) -> None:
    theirs = administrator(world, "dgdn", login="dgdn.chef")
    boss = {"by": theirs, "administers": ("dgdn",)}
    assert refused(added, world, "adjoint", **boss) == "not_your_agency"
    auditor = Person("Cour", until=TODAY)
    assert refused(people.add_person, world.office, theirs, "auditor", "cour", auditor) == "not_your_agency"
    assert people.add_person(world.office, administrator(world), "auditor", "cour", auditor)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"name": " "}, "name_missing"),
        ({"roles": {}}, "no_rights"),
        ({"roles": {"dgdn/inconnu": None}}, "role_unknown"),
        ({"offices": ("nulle_part",)}, "office_unknown"),
        ({"offices": ("casier_lome",)}, "office_unknown"),
        ({"procedures": ("rien",)}, "procedure_unknown"),
        ({"administers": ("rien",)}, "agency_unknown"),
        ({"until": TODAY - timedelta(days=1)}, "day_past"),
        ({"roles": {CHECKER: TODAY - timedelta(days=1)}}, "day_past"),
    ],
)
def test_what_is_no_right(world: World, asked: dict[str, Any], why: str) -> None:
    assert refused(added, world, **asked) == why
    assert people.team(world.office, SYSTEM_ACTOR) == ()


@pytest.mark.parametrize("login", ["", "a", "Ama é", "x" * 61, "-a"])
def test_what_is_no_login(world: World, login: str) -> None:
    assert refused(added, world, login) == "login_format"


def test_a_login_is_of_one_person(world: World) -> None:
    added(world)
    assert refused(added, world, "MENSAH ") == "login_taken"


def test_no_more_people_than_seats(world: World) -> None:
    director = {"roles": {"dgdn/directeur": None}}
    first = added(world, "un", **director).account
    assert refused(added, world, "deux", **director) == "seats_full"
    people.close_person(world.office, SYSTEM_ACTOR, first.id)
    assert added(world, "deux", **director)


def test_no_more_either_by_a_later_last_day_or_a_reopened_account(world: World) -> None:
    """Each leaves the seat of the director free, and another person takes it."""
    director, gone = "obac/directeur", {"by": SYSTEM_ACTOR}
    former = added(world, "ended", roles={director: TODAY}, **gone).account
    world.wait(days=1)
    closed = added(world, "closed", roles={director: None}, **gone).account
    people.close_person(world.office, SYSTEM_ACTOR, closed.id)
    last = added(world, "last", roles={director: None, CHECKER: None}, until=TODAY + timedelta(1), **gone).account
    world.wait(days=1)
    added(world, "now", roles={director: None}, **gone)
    longer = Person("A. Mensah", {director: TODAY + timedelta(30)})
    assert refused(people.change_person, world.office, SYSTEM_ACTOR, former.id, longer) == "seats_full"
    assert refused(people.reopen_person, world.office, SYSTEM_ACTOR, closed.id) == "seats_full"
    back = Person("A. Mensah", {director: None, CHECKER: None})
    assert refused(people.change_person, world.office, SYSTEM_ACTOR, last.id, back) == "seats_full"
    people.change_person(world.office, SYSTEM_ACTOR, last.id, Person("A. Mensah", {CHECKER: None}))


def test_a_closed_account_is_out_at_once_and_opens_with_another_password(world: World) -> None:
    account = added(world).account
    with world.office.store.unit(write=True) as unit:
        token = open_session(world.office, unit, account, world.office.now()).token
    assert people.close_person(world.office, SYSTEM_ACTOR, account.id).disabled
    assert actor_of(world.office, token) is None
    again = people.reopen_person(world.office, SYSTEM_ACTOR, account.id)
    assert not again.account.disabled
    assert again.account.secret != account.secret
    assert again.account.fresh


def test_each_change_is_sealed_and_says_who(world: World) -> None:
    chef = administrator(world)
    account = added(world, by=chef).account
    people.change_person(world.office, chef, account.id, Person("A. Mensah", {COUNTER: None}))
    people.change_person(world.office, chef, account.id, Person("A. Mensah", {COUNTER: None}))
    people.give_password(world.office, chef, account.id)
    people.reset_factor(world.office, chef, account.id)
    people.close_person(world.office, chef, account.id)
    people.change_person(world.office, chef, account.id, Person("Le Ministre", {COUNTER: None}, phone="90112233"))
    told, rest = people.journal_of_rights(world.office, chef)
    assert rest is None
    assert [one.kind for one in reversed(told)] == [
        "person_added", "person_added", "rights_changed", "password_given", "factor_reset", "person_closed",
        "rights_changed",
    ]  # fmt: skip
    assert [one.actor for one in reversed(told)] == ["system", *[chef.id] * 6]
    (renamed, changed) = (told[0].body, told[4].body)
    assert isinstance(changed, dict)
    assert isinstance(renamed, dict)
    sealed = [world.office.keys.seal_code("name", account.id, one) for one in ("A. Mensah", "Le Ministre")]
    assert (renamed["renamed"], renamed["names"], renamed["number"]) == (True, sealed, "declared")
    assert "renamed" not in changed
    assert (changed["roles"], changed["before"]["roles"]) == ([COUNTER], [CHECKER])  # type: ignore[index,call-overload]
    assert not re.search("Mensah|Ministre|90112233", str([one.body for one in told])), "no name, no number"
    assert list(world.office.store.findings()) == []


def test_the_journal_of_rights_is_read_to_its_first_entry(world: World) -> None:
    """Changes of other teams, however many, hide none of one's own; pages neither repeat nor lose one."""
    root, chef = administrator(world), administrator(world, "dgdn", login="dgdn.chef")
    mine = added(world, by=root).account
    other = added(world, "greffier", by=root, roles={"sncja/reclamations": None}).account
    with world.office.store.unit(write=True) as unit:
        for _ in range(230):
            people.note_about(world.office, unit, root, "password_given", other)
        for _ in range(60):
            people.note_about(world.office, unit, root, "factor_reset", mine)
        for _ in range(230):
            people.note_about(world.office, unit, root, "password_given", other)
    for who, about, count in ((chef, {mine.id}, 60), (root, {mine.id, other.id}, 520)):
        read, before, pages = [], None, 0
        while pages < 20:
            entries, before = people.journal_of_rights(world.office, who, before)
            pages, read = pages + 1, [*read, *entries]
            assert len(entries) <= 50
            if before is None:
                break
        numbers = [one.n for one in read]
        assert numbers == sorted(set(numbers), reverse=True)
        ours = [one for one in read if one.kind in ("password_given", "factor_reset")]
        assert len(ours) == count
        assert {one.body["account"] for one in ours} == about  # type: ignore[index,call-overload]
        assert "person_added" in {one.kind for one in read}, "the oldest one"
    entries, before = people.journal_of_rights(world.office, root, person=mine.id, limit=100)
    assert (len(entries), before) == (61, None), "its opening too"
    assert people.journal_of_rights(world.office, root, until=world.office.day() - timedelta(days=1)) == ((), None)


def test_a_mandate_bounds_what_a_controller_reads(world: World) -> None:
    passport, record = world.sent(PASSPORT), world.sent(B3)
    person = Person("Cour", until=TODAY, procedures=(B3,))
    account: Account = people.add_person(world.office, SYSTEM_ACTOR, "auditor", "cour", person).account
    reader = world.office.person(account)
    assert see(world.office, reader, record.number).id == record.id
    with pytest.raises(NotFound):
        see(world.office, reader, passport.number)
    assert [one.id for one in casework.list_inbox(world.office, reader, "all").lines] == [record.id]
    endless = Person("Cour", procedures=(B3,))
    assert refused(people.add_person, world.office, SYSTEM_ACTOR, "auditor", "c2", endless) == "mandate_endless"


def test_two_accounts_of_one_person_are_one_pair_of_eyes(world: World) -> None:
    """Who has accounts in two services has one number: the second account does not check what the first did."""
    chef, office, checks = administrator(world), world.office, {"sncja/greffier_en_chef": None}
    first, second = (
        office.person(added(world, login, chef, phone="90 77 88 99", roles=checks).account) for login in ("one", "two")
    )
    other = office.person(added(world, "three", chef, phone="90 77 88 98", roles=checks).account)
    given = {"nom": "TCHALLA", "prenoms": "Essowè", "date_naissance": "1991-08-05"}
    dossier = world.paid(world.sent(B3, owner=world.applicant(), **given))
    dossier = world.take(dossier, first, "verifier", filling={"meme_personne": False})
    dossier = world.take(dossier, world.agent("traitement", "sncja/agent_traitement"), "comparer")
    for who in (first, second):
        assert refused(casework.take_transition, office, who, dossier.id, Act("signer")) == "four_eyes"
    people.close_person(office, chef, first.id)
    assert refused(casework.take_transition, office, second, dossier.id, Act("signer")) == "four_eyes", "it acted once"
    assert world.take(dossier, other, "signer").state == "a_retirer"


def test_an_agent_handles_no_dossier_made_with_their_own_number(world: World) -> None:
    """The administrator declares the number. Neither alone nor by a colleague's assignment is the dossier theirs."""
    chef, office = administrator(world), world.office
    asked = {"roles": {"sncja/greffier_en_chef": None, "sncja/agent_traitement": None}}
    own, other = added(world, "own", chef, phone="90 11 22 33", **asked).account, added(world, "other", chef, **asked)
    colleague, mine = office.person(other.account), office.person(own)
    dossier = world.paid(world.sent(B3))
    assert dossier.contact_phone == own_number(own)
    offered = {one.transition.id: one.closed and one.closed.code for one in casework.offers(office, mine, dossier.id)}
    assert offered
    assert set(offered.values()) == {"own_dossier"}
    assert None in {one.closed for one in casework.offers(office, colleague, dossier.id)}
    for act in offered:
        assert refused(casework.take_transition, office, mine, dossier.id, Act(act)) == "own_dossier"
    assert refused(casework.assign, office, mine, dossier.id, own.id) == "role"
    assert refused(casework.assign, office, colleague, dossier.id, own.id) == "role"
    accounts.send_help_code(office, "90112233")
    code = re.search(r"code=([0-9]{6})", world.letters("+22890112233")[-1])
    assert code
    helps = {"dgdn/guichet": None}
    assert (
        refused(
            help_by_code,
            office,
            office.person(added(world, "aide", chef, phone="+22890112233", roles=helps).account),
            "90112233",
            code[1],
        )
        == "own_dossier"
    )


def test_a_number_that_the_person_leaves_still_bars_the_agent(world: World) -> None:
    """Moved to another number, the request would be open to who made it."""
    chef, office = administrator(world), world.office
    mine = office.person(added(world, "own", chef, phone="90112233", roles={"sncja/agent_traitement": None}).account)
    dossier = world.paid(world.sent(B3))
    with office.store.unit(write=True) as unit:
        owner = unit.account(dossier.owner)
        assert owner is not None
        change_phone(office, unit, owner, "+22890445566", owner.actor())
    moved = world.kept(dossier)
    assert (moved.contact_phone, moved.former_phones) == ("+22890445566", ("+22890112233",))
    assert {one.closed.code for one in casework.offers(office, mine, dossier.id) if one.closed} == {"own_dossier"}
    assert refused(casework.assign, office, mine, dossier.id, mine.id) == "role"
    procedure = world.read(lambda unit: pinned(office, unit, moved))
    assert forgotten(procedure, moved, office.now(), TODAY).former_phones == ()


@pytest.mark.parametrize(("opens", "sends", "agent"), [("X", "P", "P"), ("P", "P", "X"), ("P", "X", "X")])
def test_who_acts_for_a_relative_does_not_decide_on_it(world: World, opens: str, sends: str, agent: str) -> None:
    """X gives P a mandate. Messages go to the number that opened the draft alone; the others count too."""
    phones = {"X": "+22890112233", "P": "+22890445566"}
    office, chef = world.office, administrator(world)
    own, other = world.applicant(phones["X"]), world.applicant(phones["P"])
    proxy = acting_for(office, other, give(office, own, "", phones["P"], "agent").id)
    assert proxy
    people_of = {"X": own, "P": proxy}
    world.people[own.id] = people_of[opens]
    dossier = world.filled(B3, people_of[opens])
    submit(office, people_of[sends], dossier.id, declared=True)
    dossier = world.paid(world.worked_off(dossier))
    assert dossier.contact_phone == phones[opens]
    asked = {"roles": {"sncja/agent_traitement": None, "sncja/greffier_en_chef": None}}
    mine = office.person(added(world, "own", chef, phone=phones[agent], **asked).account)
    assert {one.closed and one.closed.code for one in casework.offers(office, mine, dossier.id)} == {"own_dossier"}
    procedure = world.read(lambda unit: pinned(office, unit, dossier))
    assert forgotten(procedure, dossier, office.now(), TODAY).other_phones == ()


def test_an_agent_reads_no_note_and_writes_nothing_in_their_own_dossier(world: World) -> None:
    chef, office, asked = administrator(world), world.office, {"roles": {"sncja/agent_traitement": None}}
    mine = office.person(added(world, "own", chef, phone="90112233", **asked).account)
    colleague = office.person(added(world, "other", chef, **asked).account)
    dossier = world.paid(world.sent(B3))
    notes.write_note(office, colleague, dossier.id, "Acte douteux")
    assert refused(notes.write_note, office, mine, dossier.id, "Original vu") == "own_dossier"
    assert refused(write_message, office, mine, dossier.id, "Accepté") == "own_dossier"
    assert notes.notes_of(office, mine, dossier.id) == ()
    assert [one.body for one in notes.notes_of(office, colleague, dossier.id)] == ["Acte douteux"]
    assert write_message(office, world.owner(dossier), dossier.id, "Bonjour").message


def test_a_declared_number_stays_until_an_administrator_of_the_whole_person_changes_it(world: World) -> None:
    chef, greffe = administrator(world), administrator(world, "sncja", login="greffe")
    both = {CHECKER: None, "sncja/greffier_en_chef": None}
    account = added(world, "mensah", chef, phone="90112233", roles=both).account
    assert refused(added, world, "autre", chef, phone="12") == "phone_format"
    without = replace(Person("A. Mensah", both), phone="")
    assert refused(people.change_person, world.office, greffe, account.id, without) == "not_your_agency"
    kept = people.change_person(world.office, chef, account.id, Person("A. Mensah", {CHECKER: None}))
    assert own_number(kept) == "+22890112233", "the command line and older pages do not name it"
    told = str([one.body for one in world.read(lambda unit: unit.rights(10))])
    assert "90112233" not in told, "the journal is never erased"
    assert list(people.broken_rights(world.office)) == []
    with world.office.store.unit(write=True) as unit:
        unit.put_account(replace(kept, profile={}))
    assert [one.code for one in people.broken_rights(world.office)] == ["rights_differ"], "removed behind the journal"
    with world.office.store.unit(write=True) as unit:
        unit.put_account(kept)
    assert people.change_person(world.office, chef, kept.id, replace(without, roles={CHECKER: None})).profile == {}
