"""What every store promises, whatever keeps it. A second store is one more line in `STORES`."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from engine.journal.chain import seal, verify
from engine.journal.search import EventsAsked, mark_of, read_mark
from engine.records.administration import Hold, OpeningChange, Snippet
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor, Attachment
from engine.records.exchanges import Message, Note, NotedValue, SeatHold, Share, WaitingListEntry
from engine.records.jobs import Job, JobChunk, JobItem, Work
from engine.records.people import CHAIN as RIGHTS
from engine.records.people import Identifier, Mandate, Reading, SecondFactor
from engine.records.publications import (
    CHAIN,
    FollowingState,
    Gate,
    GateFinding,
    Origin,
    Outcome,
    Publication,
    PublishedEdition,
)
from engine.records.statistics import CURRENT, ENTRIES, Count, CounterQuery, JournalCursor, SmsCount
from engine.storage.results import ORDERS, AlreadyExists, Conflict, DossierQuery, Reply
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store, Unit
from tests.concurrent_units import Beside
from tests.engine.records.makers import (
    AGENT,
    NOON,
    a_booking,
    a_code,
    a_document,
    a_dossier,
    a_message,
    a_payment,
    a_session,
    a_timer,
    an_account,
    an_edition,
    an_event,
    journal,
    later,
    opened,
)  # fmt: skip
from tests.pgbouncer import an_empty_pooled_store
from tests.postgres import an_empty_store

STORES: dict[str, Callable[[Path], Store]] = {
    "sqlite file": lambda folder: SqliteStore(folder / "guichet.db"),
    "sqlite memory": lambda folder: SqliteStore(":memory:"),
    "postgresql": lambda folder: an_empty_store(),
    "postgresql through PgBouncer": lambda folder: an_empty_pooled_store(),
}


@pytest.fixture(params=STORES.values(), ids=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one: Store = request.param(tmp_path)
    one.migrate()
    yield one
    one.close()


class Interrupted(Exception):
    pass


# -- the unit ----------------------------------------------------------------------------------------------------------


@contextmanager
def interrupted(store: Store) -> Iterator[Unit]:
    """A writing unit that fails at its end."""
    with suppress(Interrupted), store.unit(write=True) as unit:
        yield unit
        raise Interrupted


def test_an_exception_undoes_everything(store: Store) -> None:
    with interrupted(store) as unit:
        unit.add_dossier(a_dossier())
        journal(unit, "d1", "opened")
        unit.add_letter(a_message(dossier="d1"))
    with store.unit() as unit:
        assert unit.dossier("d1") is None
        assert unit.head("d1") == (0, "")
        assert unit.letters_of("d1") == ()


def test_a_unit_sees_its_own_writes_and_goes_on_after_taken(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_dossier(a_dossier("d1", owner="ama"))
        with pytest.raises(AlreadyExists):
            unit.add_dossier(a_dossier("d2", owner="ama"))
        draft = unit.draft_of("ama", "permit")
        assert draft is not None
        assert draft.id == "d1"
    with store.unit() as unit:
        assert unit.dossier("d1") is not None


def test_a_reading_unit_keeps_one_snapshot_and_writes_nothing(store: Store) -> None:
    opened(store)
    with store.unit() as unit, pytest.raises(RuntimeError):
        unit.add_letter(a_message())


def test_a_thread_opens_one_unit_at_a_time(store: Store) -> None:
    with store.unit(), pytest.raises(RuntimeError), store.unit():
        pass
    with store.unit():
        pass


def test_what_one_thread_kept_another_reads(store: Store) -> None:
    thread = threading.Thread(target=opened, args=(store,))
    thread.start()
    thread.join()
    with store.unit() as unit:
        assert unit.dossier("d1") == a_dossier()


def test_migrating_twice_changes_nothing(store: Store) -> None:
    opened(store)
    store.migrate()
    assert list(store.all_dossiers()) == ["d1"]
    assert list(store.all_dossiers("another-procedure")) == []


# -- dossiers ----------------------------------------------------------------------------------------------------------


def test_a_dossier_comes_back_as_it_was_kept(store: Store) -> None:
    dossier = a_dossier(
        answers={"nom": "Adjo", "voyageurs": [{"age": 7, "né": "2019-01-31"}], "vide": None, "oui": True},
        bookings={"visit": a_booking()}, documents=(a_document(),), due_at=later(days=3),
    )  # fmt: skip
    opened(store, dossier)
    with store.unit() as unit:
        assert unit.dossier("d1") == dossier
        assert unit.dossier_numbered(dossier.number) == dossier
        assert unit.dossier("d2") is None
        assert unit.dossier_numbered("26000000000") is None


def test_two_writers_of_one_revision_one_conflict(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.put_dossier(a_dossier(revision=1, state="sent"), 0)
    with pytest.raises(Conflict), store.unit(write=True) as unit:
        unit.put_dossier(a_dossier(revision=1, state="refused"), 0)
    with store.unit() as unit:
        kept = unit.dossier("d1")
    assert kept is not None
    assert (kept.state, kept.revision) == ("sent", 1)


def test_an_unknown_dossier_conflicts_and_a_wrong_revision_is_a_fault(store: Store) -> None:
    with store.unit(write=True) as unit:
        with pytest.raises(Conflict):
            unit.put_dossier(a_dossier(revision=1), 0)
        with pytest.raises(ValueError, match="revision"):
            unit.put_dossier(a_dossier(revision=0), 0)


def test_one_draft_an_owner_and_procedure(store: Store) -> None:
    opened(
        store, a_dossier("d1", owner="ama"), a_dossier("d2", owner="ama", procedure="other"), a_dossier("d3", owner="")
    )
    with pytest.raises(AlreadyExists):
        opened(store, a_dossier("d4", owner="ama"))
    opened(store, a_dossier("d5", owner=""))  # at the counter nobody owns a draft
    with store.unit(write=True) as unit:  # sent: the place is free again
        unit.put_dossier(a_dossier("d1", owner="ama", revision=1, submitted_at=NOON), 0)
    opened(store, a_dossier("d6", owner="ama"))
    with store.unit(write=True) as unit:  # dropped: free again
        unit.put_dossier(a_dossier("d6", owner="ama", revision=1, closed_at=NOON), 0)
        assert unit.draft_of("ama", "permit") is None
    opened(store, a_dossier("d7", owner="ama"))


@pytest.mark.parametrize(
    "end", [{"submitted_at": NOON}, {"closed_at": NOON}, {"owner": "kofi"}], ids=["sent", "given up", "handed over"]
)
@pytest.mark.parametrize("begun", [True, False], ids=["begun again", "none since"])
def test_a_draft_is_one_still_once_it_is_held(store: Store, end: dict[str, Any], begun: bool) -> None:
    """Sent, given up or handed over by a unit that had it first: whoever waited for it has the one begun since, or none."""
    opened(store, a_dossier("d1", owner="ama"))

    def look() -> str | None:
        with store.unit(write=True) as unit:
            draft = unit.draft_of("ama", "permit")
            return draft.id if draft else None

    other = Beside(store, look)
    with store.unit(write=True) as unit:
        before = unit.dossier("d1")
        assert before
        other.begin()
        unit.put_dossier(replace(before, revision=1, **end), 0)
        if begun:
            unit.add_dossier(a_dossier("d2", owner="ama"))
            journal(unit, "d2", "opened")
    assert other.end() == ("d2" if begun else None)


def test_a_number_is_given_once(store: Store) -> None:
    opened(store, a_dossier("d1", number="26000000001"))
    with pytest.raises(AlreadyExists):
        opened(store, a_dossier("d2", number="26000000001"))


def test_dossiers_of_an_owner_newest_first(store: Store) -> None:
    old, new = a_dossier("d1", owner="ama"), a_dossier("d2", owner="ama", procedure="other", created_at=later(days=1))
    opened(store, old, new, a_dossier("d3", owner="kofi"))
    with store.unit() as unit:
        assert [line.id for line in unit.dossiers_of("ama")] == ["d2", "d1"]
        assert [line.id for line in unit.dossiers_of("ama", limit=1)] == ["d2"]
        assert unit.dossiers_of("afi") == ()
        assert [line.id for line in unit.dossiers_of("ama", procedure="other")] == ["d2"]
        assert unit.dossiers_of("kofi", procedure="other") == ()


def test_open_dossiers_of_an_owner_come_before_newer_closed_ones(store: Store) -> None:
    ended = [a_dossier(f"d{n}", owner="ama", created_at=later(days=n), closed_at=later(days=9)) for n in (2, 3)]
    opened(store, a_dossier("d1", owner="ama"), *ended)
    with store.unit() as unit:
        assert [line.id for line in unit.dossiers_of("ama", open_first=True)] == ["d1", "d3", "d2"]
        assert [line.id for line in unit.dossiers_of("ama", limit=1, open_first=True)] == ["d1"]


def test_dossiers_of_an_owner_that_reach_a_number_or_an_address(store: Store) -> None:
    number, email = "+22890112233", 'a"b@exemple.tg'
    contacts: list[dict[str, Any]] = [
        {"contact_phone": number, "closed_at": later(days=9)}, {"former_phones": (number,)}, {"contact_email": email},
        {"contact_phone": "+2289011223"},
    ]  # fmt: skip
    own = [a_dossier(f"d{n}", owner="ama", procedure=f"p{n}", **one) for n, one in enumerate(contacts, 1)]
    opened(store, *own, a_dossier("d5", owner="kofi", contact_phone=number))
    with store.unit() as unit:
        assert unit.dossiers_reaching("ama", [number, email]) == ("d2", "d3", "d1")
        assert unit.dossiers_reaching("ama", ["+2289011223"]) == ("d4",)
        assert unit.dossiers_reaching("ama", []) == ()


# -- lists -------------------------------------------------------------------------------------------------------------


def a_full_house(store: Store) -> None:
    def sent(name: str, **more: object) -> object:
        times = {"submitted_at": later(hours=-ord(name)), "entered_at": later(hours="dcgaebf".index(name))}
        return a_dossier(name, **{"state": "review", "office": "lome", **times, **more})

    opened(
        store,
        sent("a", due_at=later(days=2), label="KOFFI Élodie", number="26482911374"),
        sent("b", due_at=later(days=1), label="Koffi-Améyo Kossi", assigned="afi"),
        sent("c", label="ɖaŋu Eʋa", office="kara"),
        sent("d", due_at=later(days=1), state="printing", assigned="afi"),
        sent("e", due_at=later(days=1), due_paused_at=NOON, procedure="other"),
        sent("f", state="end", closed_at=NOON, label="Koffi fermé"),
        sent("g", office=None, label=""),
    )  # type: ignore[arg-type]


REVIEW, PRINTING, OTHER, END = ("permit", "review"), ("permit", "printing"), ("other", "review"), ("permit", "end")


@pytest.mark.parametrize(
    ("tray", "expected"),
    [
        pytest.param(DossierQuery(), "bdeacg", id="everything open, by due date, without one last"),
        pytest.param(DossierQuery(open_only=False), "bdeacfg", id="closed too"),
        pytest.param(DossierQuery(places=(REVIEW,)), "bacg", id="one place"),
        pytest.param(DossierQuery(places=(REVIEW, PRINTING, OTHER)), "bdeacg", id="several places, one order"),
        pytest.param(DossierQuery(places=(REVIEW, REVIEW)), "bacg", id="a place said twice counts once"),
        pytest.param(DossierQuery(places=()), "", id="no place"),
        pytest.param(DossierQuery(places=(END,)), "", id="closed place among the open"),
        pytest.param(DossierQuery(places=(END,), open_only=False), "f", id="closed place"),
        pytest.param(DossierQuery(offices=frozenset({"kara"})), "c", id="one office"),
        pytest.param(DossierQuery(offices=frozenset({"kara", "lome"})), "bdeac", id="two offices; of none is in none"),
        pytest.param(DossierQuery(offices=frozenset()), "", id="no office"),
        pytest.param(DossierQuery(assigned="afi"), "bd", id="mine"),
        pytest.param(DossierQuery(assigned="afi", places=(PRINTING,)), "d", id="mine in one place"),
        pytest.param(DossierQuery(unassigned=True), "eacg", id="nobody's"),
        pytest.param(DossierQuery(late_at=later(days=1.5)), "bd", id="late, whose time does not stand still"),
        pytest.param(DossierQuery(text="koffi"), "ba", id="a word, the beginning of a double name too"),
        pytest.param(DossierQuery(text="KOF elo"), "a", id="beginnings of words, no accents"),
        pytest.param(DossierQuery(text="Améyo", places=(REVIEW, PRINTING)), "b", id="a word in some places"),
        pytest.param(DossierQuery(text="danu EVA"), "c", id="letters of the country"),
        pytest.param(DossierQuery(text="koffi", open_only=False), "baf", id="a word among the closed"),
        pytest.param(DossierQuery(text="26 4829 1137 4"), "a", id="a number as grouped"),
        pytest.param(DossierQuery(text="26482911374"), "a", id="a number"),
        pytest.param(DossierQuery(text="264829"), "a", id="its beginning"),
        pytest.param(DossierQuery(text="!?"), "", id="nothing to look for"),
        pytest.param(DossierQuery(text="%' OR 1=1 --"), "", id="no way into the query"),
        pytest.param(DossierQuery(text="  "), "bdeacg", id="blank text asks nothing"),
        pytest.param(DossierQuery(reverse=True), "gcaedb", id="the last due first"),
        pytest.param(DossierQuery(order="received"), "gedcba", id="the first sent first"),
        pytest.param(DossierQuery(order="received", reverse=True, places=(REVIEW, OTHER)), "abceg", id="the last sent"),
        pytest.param(
            DossierQuery(order="entered", places=(REVIEW, PRINTING, OTHER)), "dcgaeb", id="the longest in a state"
        ),
        pytest.param(DossierQuery(order="entered", reverse=True, assigned="afi"), "bd", id="mine, the last come first"),
        pytest.param(DossierQuery(order="entered", text="koffi"), "ab", id="a word, the longest in a state"),
    ],
)
def test_a_tray_finds_and_counts(store: Store, tray: DossierQuery, expected: str) -> None:
    a_full_house(store)
    with store.unit() as unit:
        whole = unit.find_dossiers(tray)
        assert "".join(line.id for line in whole.lines) == expected
        assert whole.after is None
        assert unit.count_dossiers(tray) == len(expected)
        assert unit.count_dossiers(tray, most=2) == min(2, len(expected))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (DossierQuery(text="90 12 34 56", phone="+22890123456"), "ba"),
        (DossierQuery(text="90 12 34 56", phone="+22890123456", assigned="afi"), "b"),
        (DossierQuery(text="90 12 34 99", phone="+22890123499"), ""),
        (DossierQuery(text=" ref of p1 "), "c"),
        (DossierQuery(text="ref of p"), ""),
        (DossierQuery(text=a_document().number), "d"),
        (DossierQuery(text="264829", phone="+22890123499"), "a"),
        (DossierQuery(text="90 12 34 56", phone="+22890123456", places=(OTHER,)), "e"),
        (DossierQuery(text=a_document().number, places=(OTHER,)), "e"),
    ],
    ids=[
        "phone",
        "phone in a queue",
        "no such phone",
        "payment",
        "part of a key",
        "document",
        "neither phone nor key",
        "words, a phone of another service",
        "words, a document of another service",
    ],
)
def test_a_tray_finds_whole_keys(store: Store, asked: DossierQuery, expected: str) -> None:
    a_full_house(store)
    with store.unit(write=True) as unit:
        unit.put_account(an_account("u1", kind="applicant", login="+22890123456"))
        for name in ("a", "b"):
            one = unit.dossier(name)
            assert one is not None
            unit.put_dossier(replace(one, owner="u1", revision=one.revision + 1), one.revision)
        unit.add_payment(a_payment("p1", dossier="c"))
        unit.add_document("d", a_document())
        other = unit.dossier("e")
        assert other is not None
        named = f"90123456, {a_document().number}"
        unit.put_dossier(replace(other, label=named, revision=other.revision + 1), other.revision)
    with store.unit() as unit:
        assert "".join(line.id for line in unit.find_dossiers(asked).lines) == expected


@pytest.mark.parametrize(
    "hostile", ["' OR '1'='1", "x'; DELETE FROM dossier; --", '" OR 1=1 --', "%", "_", "a') UNION SELECT id FROM account --", "\\", "?", "%s"]
)  # fmt: skip
def test_what_is_asked_is_a_value_and_never_a_command(store: Store, hostile: str) -> None:
    a_full_house(store)
    with store.unit(write=True) as unit:
        unit.put_account(an_account("u1", login=hostile))
    asked = (
        DossierQuery(text=hostile),
        DossierQuery(assigned=hostile),
        DossierQuery(offices=(hostile,)),
        DossierQuery(places=((hostile, hostile),)),
    )
    with store.unit() as unit:
        whole = unit.count_dossiers(DossierQuery())
        for tray in asked:
            assert unit.find_dossiers(tray).lines == (), tray
        assert unit.dossier(hostile) is None
        assert unit.dossier_numbered(hostile) is None
        assert unit.dossiers_of(hostile, 10) == unit.dossiers_reaching(hostile, [hostile]) == ()
        assert unit.session(hostile) is None
        assert unit.account_of("agent", "afi' --") is None
        assert [one.login for one in unit.accounts("agent")] == [hostile]
        assert unit.count_dossiers(DossierQuery()) == whole > 0


def test_a_tray_tells_whose_part_is_left(store: Store) -> None:
    roads, land = "hall/roads", "land/keeper"

    def sent(name: str, **more: object) -> object:
        return a_dossier(name, submitted_at=NOON, state="review", **more)

    opened(
        store, sent("a", awaits=(land, roads), assigned="afi"), sent("b", awaits=(land,)), sent("c", awaits=()),
        sent("d", assigned="afi"), sent("e"),
    )  # fmt: skip
    asked = [
        (DossierQuery(unassigned=True, roles=(roads,)), "ae"), (DossierQuery(unassigned=True, roles=(land, roads)), "abe"),
        (DossierQuery(unassigned=True, roles=("l",)), "e"), (DossierQuery(parts_done=True, roles=(roads,)), "bcde"),
        (DossierQuery(parts_done=True, roles=(land,), places=(REVIEW,)), "cde"), (DossierQuery(parts_done=True), "abcde"),
    ]  # fmt: skip
    with store.unit() as unit:
        for tray, expected in asked:
            assert "".join(sorted(line.id for line in unit.find_dossiers(tray).lines)) == expected, tray
            assert unit.count_dossiers(tray) == len(expected)
        kept = {line.id: line.awaits for line in unit.find_dossiers(DossierQuery()).lines}
        assert kept == {"a": (land, roads), "b": (land,), "c": (), "d": None, "e": None}


@pytest.mark.parametrize(
    "tray",
    [
        DossierQuery(),
        DossierQuery(places=(REVIEW, PRINTING, OTHER)),
        DossierQuery(text="koffi", open_only=False),
        DossierQuery(reverse=True),
        DossierQuery(order="received", places=(REVIEW, PRINTING, OTHER)),
        DossierQuery(order="entered", reverse=True, places=(REVIEW, PRINTING, OTHER)),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_a_tray_follow_each_other(store: Store, tray: DossierQuery, limit: int) -> None:
    a_full_house(store)
    with store.unit() as unit:
        whole = [line.id for line in unit.find_dossiers(tray).lines]
        seen: list[str] = []
        after = None
        while True:
            page = unit.find_dossiers(tray, after, limit)
            seen += [line.id for line in page.lines]
            after = page.after
            if after is None:
                break
            assert len(page.lines) == limit
    assert seen == whole


@pytest.mark.parametrize(
    "after", ["", "!", "é", "W10", "WzEsMl0", "bnVsbA", "[" * 5000, "A" * 9, "WyJcdTAwMDAiLCAieCJd"]
)
def test_a_forged_mark_begins_at_the_start(store: Store, after: str) -> None:
    a_full_house(store)
    with store.unit() as unit:
        assert unit.find_dossiers(DossierQuery(), after) == unit.find_dossiers(DossierQuery())


def test_a_mark_of_another_order_begins_at_the_start(store: Store) -> None:
    a_full_house(store)
    every = [DossierQuery(order=order, reverse=reverse) for order in ORDERS for reverse in (False, True)]
    with store.unit() as unit:
        for one, other in itertools.permutations(every, 2):
            mark = unit.find_dossiers(one, None, 2).after
            assert unit.find_dossiers(other, mark) == unit.find_dossiers(other)


@pytest.mark.parametrize("offices", [None, ("kara",), ()])
@pytest.mark.parametrize("at_once", [480, 2])
def test_open_work_is_counted_by_state_agent_and_due_date(
    store: Store, offices: tuple[str, ...] | None, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.storage.sql.dossiers.MOST_COUNTED_AT_ONCE", at_once)
    a_full_house(store)
    places, instants = (REVIEW, PRINTING, OTHER), (NOON, later(days=1), later(days=3))
    with store.unit() as unit:
        kept = None if offices is None else frozenset(offices)
        whole = unit.find_dossiers(DossierQuery(places=places, offices=kept)).lines
        found = unit.count_open(places, offices, instants, 100)
        assert unit.count_open((), offices, instants, 100) == ()
        assert sum(one.count for one in unit.count_open(places, offices, instants, 2)) == min(2, len(whole))
    expected: dict[tuple[str, str, str | None], list[int]] = {}
    for line in whole:
        counted = expected.setdefault((line.procedure, line.state, line.assigned), [0] * 5)
        counted[0] += 1
        if line.due_at is not None and not line.due_paused:
            counted[1 + sum(line.due_at >= one for one in instants)] += 1
    assert {(one.procedure, one.state, one.assigned): [one.count, *one.bands] for one in found} == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reverse", [False, True])
def test_neighbours_are_those_of_the_list(store: Store, order: str, reverse: bool) -> None:
    a_full_house(store)
    tray = DossierQuery(places=(REVIEW, PRINTING, OTHER), order=order, reverse=reverse)
    with store.unit() as unit:
        listed = [line.number for line in unit.find_dossiers(tray).lines]
        assert len(listed) == 6
        for place, number in enumerate(listed):
            found = unit.neighbours(tray, unit.dossier_numbered(number))
            around = [*listed[max(place - 1, 0) : place], *listed[place + 1 : place + 2]]
            assert [one for one in (found.before, found.after) if one] == around


def test_neighbours_stay_those_of_the_place_that_a_dossier_had(store: Store) -> None:
    a_full_house(store)
    tray = DossierQuery(places=(REVIEW,))
    with store.unit() as unit:
        dossier = unit.dossier("a")
        had = unit.neighbours(tray, dossier)
    with store.unit(write=True) as unit:
        unit.put_dossier(replace(dossier, state="end", due_at=None, revision=1), 0)
    with store.unit() as unit:
        moved = unit.dossier("a")
        assert unit.neighbours(tray, moved, had.position) == had
        assert unit.neighbours(tray, moved, "forged").position != had.position
        assert unit.neighbours(DossierQuery(places=()), moved) == unit.neighbours(DossierQuery(places=(END,)), moved)


def test_a_changed_label_is_found_by_its_new_words_only(store: Store) -> None:
    opened(store, a_dossier(label="Akouvi"))
    with store.unit(write=True) as unit:
        unit.put_dossier(a_dossier(label="Dodzi", revision=1), 0)
        assert unit.count_dossiers(DossierQuery(text="akouvi")) == 0
        assert unit.count_dossiers(DossierQuery(text="dodzi")) == 1
        assert unit.count_dossiers(DossierQuery(text=a_dossier().number)) == 1


# -- journal -----------------------------------------------------------------------------------------------------------


def test_a_journal_grows_from_its_head(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        journal(unit, "d1", "saved", {"nom": "Adjo"}, page="identity")
        entries = unit.entries("d1")
        assert unit.head("d1") == (2, entries[1].hash)
        assert [entry.kind for entry in entries] == ["opened", "saved"]
        assert verify(entries) is None
        assert list(unit.salts("d1")[2]) == ["nom"]
        names = sorted({name for named in unit.salts("d1").values() for name in named})
        unit.erase_salts("d1", names[:1])
        assert sorted({name for named in unit.salts("d1").values() for name in named}) == names[1:]
        unit.erase_salts("d1")
        assert unit.salts("d1") == {}
        assert unit.entries("d1") == entries


def test_an_entry_that_does_not_follow_the_head_conflicts(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        twin = seal(None, "d1", NOON, AGENT, "opened", "f", {})
        gap = seal((2, "x"), "d1", NOON, AGENT, "saved", "f", {})
        other = seal((1, "x"), "d1", NOON, AGENT, "saved", "f", {})
        for entry in (twin, gap, other):
            with pytest.raises(Conflict):
                unit.add_entry(entry, {})


# -- letters and timers ------------------------------------------------------------------------------------------------


def test_a_message_is_owed_once(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert unit.add_letter(a_message("l1", dedupe="same"))
        assert not unit.add_letter(a_message("l2", dedupe="same"))
        assert [one.id for one in unit.letters_to("+22890000000")] == ["l1"]


def test_letters_are_lent_to_one_worker_until_the_lease_ends(store: Store) -> None:
    with store.unit(write=True) as unit:
        for name, due in (("l2", later(minutes=-1)), ("l1", later(minutes=-2)), ("l3", later(minutes=1))):
            unit.add_letter(a_message(name, due_at=due))
        lent = unit.claim_letters(NOON, later(minutes=5))
        assert [(one.id, one.attempts) for one in lent] == [("l1", 1), ("l2", 1)]
        assert unit.claim_letters(NOON, later(minutes=5)) == ()
        assert [one.id for one in unit.claim_letters(later(minutes=2), later(minutes=9))] == ["l3"]
        unit.update_outbound_message(replace(lent[0], sent_at=NOON))
        again = unit.claim_letters(later(minutes=6), later(minutes=9))
        assert [(one.id, one.attempts) for one in again] == [("l2", 2)]
        unit.update_outbound_message(replace(again[0], due_at=later(minutes=20)))  # to try again
        assert unit.claim_letters(later(minutes=10), later(minutes=11), 1)[0].id == "l3"
        (retried,) = unit.claim_letters(later(minutes=20), later(minutes=30), 1)[:1]
        assert retried.id in ("l2", "l3")
        unit.update_outbound_message(replace(again[0], failed="no such number"))
        assert "l2" not in {one.id for one in unit.claim_letters(later(days=9), later(days=10))}


def test_a_lease_that_is_another_s_settles_nothing(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_letter(a_message("l1"))
        (first,) = unit.claim_letters(NOON, later(minutes=2))
        (second,) = unit.claim_letters(later(minutes=3), later(minutes=5))
        with pytest.raises(LookupError):
            unit.update_outbound_message(replace(first, attempts=0), later(minutes=2))
        unit.update_outbound_message(replace(second, sent_at=later(minutes=3)), later(minutes=5))
        with pytest.raises(LookupError):
            unit.update_outbound_message(replace(first, attempts=0), later(minutes=2))
        [kept] = unit.letters_to(first.to)
        assert (kept.sent_at, kept.attempts) == (later(minutes=3), 2)


def test_a_message_is_silenced_unless_it_left(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        for name in ("left", "waits", "refused"):
            unit.add_letter(a_message(name, dossier="d1"))
        lent = {one.id: one for one in unit.claim_letters(NOON, later(minutes=2))}

    def silence() -> list[bool]:
        with store.unit(write=True) as unit:
            return [unit.silence_letter(name, "slot_lost") for name in ("left", "waits", "refused", "nobody's")]

    other = Beside(store, silence)
    with store.unit(write=True) as unit:
        unit.update_outbound_message(replace(lent["left"], sent_at=NOON))
        unit.update_outbound_message(replace(lent["refused"], failed="no such number"))
        other.begin()
    assert other.end() == [False, True, False, False]
    with store.unit(write=True) as unit:
        fates = {one.id: (one.sent_at, one.failed) for one in unit.letters_of("d1")}
        assert fates == {"left": (NOON, None), "waits": (None, "slot_lost"), "refused": (None, "no such number")}
        with pytest.raises(LookupError):  # whoever it was lent to tells nothing more of it
            unit.update_outbound_message(replace(lent["waits"], due_at=later(minutes=9)), later(minutes=2))


def test_messages_are_summed_by_month_procedure_and_country(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_letter(a_message("l1", dossier="d1"))
        unit.add_letter(a_message("l2"))
        procedure = unit.unsent_for("l1")
        assert procedure
        assert unit.unsent_for("l2") == ""
        assert unit.unsent_for("l3") is None
        for month, name in (("2026-11", procedure), ("2026-11", procedure), ("2026-12", "")):
            unit.add_sms(SmsCount(month, name, "TG", 1, 2, 1, 10**12))
        lent = {one.id: one for one in unit.claim_letters(NOON, later(minutes=5))}
        unit.update_outbound_message(replace(lent["l1"], sent_at=NOON))
    with store.unit(write=True) as unit:
        assert unit.unsent_for("l1") is None, "it left"
        december, november = unit.sms_counts()
        assert december == SmsCount("2026-12", "", "TG", 1, 2, 1, 10**12)
        assert november == SmsCount("2026-11", procedure, "TG", 2, 4, 2, 2 * 10**12)
        assert unit.sms_counts("2026-12") == (december,)


def test_a_message_that_two_workers_had_is_counted_by_one(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_letter(a_message("l1"))
        (lent,) = unit.claim_letters(NOON, later(minutes=5))

    def counting() -> str | None:
        with store.unit(write=True) as unit:
            return unit.unsent_for("l1")

    other = Beside(store, counting)
    with store.unit(write=True) as unit:
        assert unit.unsent_for("l1") == ""
        other.begin()
        unit.update_outbound_message(replace(lent, sent_at=NOON))
    assert other.end() is None, "it waited, then read what the first one had written"


def test_letters_of_a_channel_that_is_left_alone_are_not_lent(store: Store) -> None:
    with store.unit(write=True) as unit:
        for name, channel in (("l1", "sms"), ("l2", "email"), ("l3", "inbox")):
            unit.add_letter(a_message(name, channel=channel))
        lent = unit.claim_letters(NOON, later(minutes=5), without=("email", "sms"))
        assert [one.id for one in lent] == ["l3"]
        assert [one.id for one in unit.claim_letters(NOON, later(minutes=5), without=("sms",))] == ["l2"]
        assert [(one.id, one.attempts) for one in unit.claim_letters(NOON, later(minutes=5))] == [("l1", 1)]


def test_letters_of_a_dossier_and_to_an_address(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_letter(a_message("l1", dossier="d1"))
        unit.add_letter(a_message("l2", dossier="d1", created_at=later(minutes=1), to="+22891111111"))
        unit.add_letter(a_message("l3", created_at=later(minutes=2)))
        assert [one.id for one in unit.letters_of("d1")] == ["l1", "l2"]
        assert [one.id for one in unit.letters_to("+22890000000")] == ["l3", "l1"]
        assert unit.letters_to("+22890000000", limit=1) == (a_message("l3", created_at=later(minutes=2)),)
        unit.erase_letters("d1")
        assert unit.letters_of("d1") == ()
        assert [one.id for one in unit.letters_to("+22890000000")] == ["l3"]


def test_timers_are_replaced_unless_they_fired(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.set_timers("d1", [a_timer("due"), a_timer("remind", due_at=later(days=1))])
        assert unit.due_timers(NOON) == (a_timer("due"),)
        assert unit.fire_timer(a_timer("due"), NOON)
        assert not unit.fire_timer(a_timer("due"), NOON)
        unit.set_timers("d1", [a_timer("due"), a_timer("clock", due_at=later(days=2))])
        assert [one.name for one in unit.due_timers(later(days=9))] == ["clock"]  # `due` of this entry fired for good
        assert not unit.fire_timer(a_timer("remind", due_at=later(days=1)), NOON)  # replaced meanwhile
        moved = a_timer("clock", due_at=later(days=3))
        unit.set_timers("d1", [moved])
        assert not unit.fire_timer(a_timer("clock", due_at=later(days=2)), later(days=4))  # moved meanwhile
        assert unit.fire_timer(moved, later(days=4))
        assert unit.due_timers(later(days=9), limit=1) == ()


# -- payments ----------------------------------------------------------------------------------------------------------


def test_payments_are_kept_and_found(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_payment(a_payment("p1"))
        unit.add_payment(a_payment("p2", started_at=later(minutes=1)))
        with pytest.raises(AlreadyExists):
            unit.add_payment(a_payment("p3", reference="ref of p1"))
        unit.put_payment(a_payment("p1", provider_ref="X1", status="unknown", checked_at=later(minutes=2)))
        with pytest.raises(AlreadyExists):
            unit.put_payment(a_payment("p2", provider_ref="X1"))
        asked = (("p2", "X1"), ("p2", "X2"), ("p1", "X1"))
        assert [unit.own_name(a_payment(one), name) for one, name in asked] == [None, "X2", "X1"]
        with pytest.raises(LookupError):
            unit.put_payment(a_payment("p9"))
        assert [one.id for one in unit.payments_of("d1")] == ["p1", "p2"]
        found = unit.payment_referenced("ref of p1")
        assert found is not None
        assert found == unit.payment("p1")
        assert found.provider_ref == "X1"
        assert [one.id for one in unit.pending_payments(later(minutes=3))] == ["p1"], "the order of the other one waits"
        assert [one.id for one in unit.pending_payments(later(days=9))] == ["p2", "p1"], "its time is over"
        unit.put_payment(a_payment("p2", provider="other", provider_ref="X2", started_at=later(minutes=1)))
        assert [one.id for one in unit.pending_payments(later(minutes=3))] == ["p2", "p1"]
        assert [one.id for one in unit.pending_payments(later(minutes=3), without=("other",))] == ["p1"]
        assert [one.id for one in unit.pending_payments(later(minutes=1))] == ["p2"]
        unit.put_payment(a_payment("p2", status="paid"))
        assert [one.id for one in unit.pending_payments(later(minutes=3))] == ["p1"]


def test_an_event_is_recorded_once_and_credits_once(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_payment(a_payment())
        assert unit.add_event(an_event())
        assert not unit.add_event(an_event(amount=9))
        assert unit.add_event(an_event("e2", payment=None, verified=False))
        assert unit.events_of("p1") == (an_event(),)
        assert unit.add_credit("p1", "d1", 500, NOON)
        assert not unit.add_credit("p1", "d1", 500, NOON)


# -- seats -------------------------------------------------------------------------------------------------------------


def test_a_seat_is_one_persons(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    with store.unit(write=True) as unit:
        unit.take_seat("desk", "d1", a_booking("b1"))
        with pytest.raises(AlreadyExists):
            unit.take_seat("desk", "d2", a_booking("b2"))
        unit.take_seat("desk", "d2", a_booking("b3", seat=1))
        unit.take_seat("other desk", "d1", a_booking("b4", appointment="pick-up"))
        start = later(days=1)
        assert unit.seats_taken("desk", "lome", NOON, later(days=2)) == {start: frozenset({0, 1})}
        assert unit.seats_taken("desk", "lome", NOON, start) == {}
        assert unit.seats_taken("desk", "kara", NOON, later(days=2)) == {}


def test_a_dossier_holds_one_booking_of_an_appointment(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.take_seat("desk", "d1", a_booking("b1"))
        with pytest.raises(AlreadyExists):
            unit.take_seat("desk", "d1", a_booking("b2", start=later(days=2)))
        unit.release_seat("b1")
        unit.take_seat("desk", "d1", a_booking("b2", start=later(days=2)))
        unit.put_booking(a_booking("b2", start=later(days=2), status="missed"))
        unit.take_seat("desk", "d1", a_booking("b3", start=later(days=3)))
        assert unit.seats_taken("desk", "lome", NOON, later(days=1, hours=1)) == {}


def test_a_freed_seat_can_be_somebody_elses(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    with store.unit(write=True) as unit:
        unit.take_seat("desk", "d1", a_booking("b1"))
        unit.release_seat("b1")
        unit.take_seat("desk", "d2", a_booking("b2"))
        with pytest.raises(AlreadyExists):
            unit.put_booking(a_booking("b1"))


def test_seats_of_accounts_without_a_telephone(store: Store) -> None:
    """Of one office, of a period, booked or held; a person with a telephone who acts for a child is not one of them."""
    logins = {
        "mail": "x@exemple.tg", "tel": "+22890112233", "paper": "person:1", "child": "child:1", "accepted": "company:1",
        "asked": "company:2",
    }  # fmt: skip
    opened(store, *(a_dossier(name, owner=name) for name in logins))
    with store.unit(write=True) as unit:
        for name, login in logins.items():
            unit.put_account(Account(name, "applicant", "SOTOGO" if name == "accepted" else "", login))
        for seat, name in enumerate(logins):
            unit.take_seat("desk", name, a_booking(f"b-{name}", seat=seat))
        day = (NOON, later(days=2), NOON)

        def counted(office: str = "lome", but: str = "") -> int:
            return unit.seats_without_telephone("desk", office, *day, but)

        assert counted() == 3, "an e-mail address, a child, a company not accepted"
        for given in ("mail", "child"):
            unit.put_mandate(Mandate(f"g-{given}", given, "tel", "", "person", "reader", "active", "mail", NOON))
        assert counted() == 3, "a mandate given to a telephone, whose holder may know nothing of it"
        unit.put_mandate(Mandate("m", "child", "tel", "", "child", "manager", "active", "tel", NOON))
        assert (counted(), counted(but="mail"), counted("kara")) == (2, 1, 0)
        assert unit.seats_without_telephone("other desk", "lome", *day, "") == 0
        unit.release_seat("b-asked")
        assert counted() == 1
        unit.hold_seat(SeatHold("desk", "lome", later(days=1, hours=1), 0, "asked", "visit", later(minutes=10)), NOON)
        assert counted() == 2
        assert unit.seats_without_telephone("desk", "lome", NOON, later(days=2), later(minutes=10), "") == 1


def test_the_day_of_an_office(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"), a_dossier("d3"))
    early, late = (
        a_booking("b1", start=later(hours=1)),
        a_booking("b2", start=later(hours=2), arrived_at=later(hours=2)),
    )
    with store.unit(write=True) as unit:
        unit.take_seat("desk", "d2", late)
        unit.take_seat("desk", "d1", early)
        unit.take_seat("desk", "d3", a_booking("b3", office="kara", start=later(hours=3)))
        assert unit.bookings_on(["lome"], NOON, later(days=1)) == (("d1", "desk", early), ("d2", "desk", late))
        assert len(unit.bookings_on(["lome", "kara"], NOON, later(days=1))) == 3
        assert unit.bookings_on([], NOON, later(days=1)) == ()
        attended = replace(early, status="attended", sequence=1)
        unit.put_booking(attended)
        assert unit.bookings_on(["lome"], NOON, later(hours=1.5)) == (("d1", "desk", attended),)
        with pytest.raises(LookupError):
            unit.put_booking(a_booking("nobody's"))


# -- issued documents and editions -------------------------------------------------------------------------------------


def test_serials_follow_each_other_by_series(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert [unit.next_serial("a/2026"), unit.next_serial("a/2026"), unit.next_serial("b/2026")] == [1, 2, 1]
    with interrupted(store) as unit:
        unit.next_serial("a/2026")
    with store.unit(write=True) as unit:
        assert unit.next_serial("a/2026") == 3  # a gapless series: what was undone is given again
        assert [unit.next_serial("a/2026", passing=3), unit.next_serial("c/2026", passing=1)] == [7, 2]


def test_an_issued_document_is_found_and_only_its_status_changes(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_document("d1", a_document())
        for change in ({"number": "N-a1"}, {"code": "code a1"}, {"token": "token a1"}):
            with pytest.raises(AlreadyExists):
                unit.add_document("d1", a_document("a2", **change))
        assert unit.document_by_token("token a1") == ("d1", a_document())
        assert unit.document_by_code("code a1") == ("d1", a_document())
        assert unit.document_by_code("token a1") is None
        unit.add_payment(a_payment("p1", status="paid", receipt="Q-2026-000001"))
        papers = ("N-a1", "n-a1", "q-2026-000001", "ref of p1", "token a1", "d1")
        assert [unit.dossier_of_paper(one) for one in papers] == ["d1", None, "d1", "d1", None, None]
        revoked = a_document(status="revoked", changed_at=later(days=1))
        unit.put_document(revoked)
        assert unit.document_by_token("token a1") == ("d1", revoked)
        with pytest.raises(LookupError):
            unit.put_document(a_document("a9"))


def test_an_edition_is_kept_for_ever(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert unit.add_edition(an_edition("f2", edition=2, commit="abc"))
        assert unit.add_edition(an_edition("f1"))
        assert not unit.add_edition(an_edition("f1", source="changed"))
        assert unit.edition("permit", "f1") == an_edition("f1")
        assert unit.edition("permit", "f3") is None
        assert [one.fingerprint for one in unit.editions("permit")] == ["f1", "f2"]
        assert unit.add_edition(an_edition("g1", procedure="card"))
        heads = unit.edition_heads()
        assert [(one.procedure, one.edition, one.fingerprint) for one in heads] == [
            ("card", 1, "g1"), ("permit", 1, "f1"), ("permit", 2, "f2"),
        ]  # fmt: skip
        assert unit.edition_heads("permit") == heads[1:]
        assert unit.edition_heads("nowhere") == ()


# -- people at the door ------------------------------------------------------------------------------------------------


def test_accounts(store: Store) -> None:
    afi = an_account("u1", roles=("city/clerk",), offices=("lome",), profile={"nom": "Afi", "âge": 40})
    with store.unit(write=True) as unit:
        unit.put_account(afi)
        unit.put_account(an_account("u2", kind="applicant", login=afi.login))  # another kind, another door
        with pytest.raises(AlreadyExists):
            unit.put_account(an_account("u3", login=afi.login))
        assert unit.account("u1") == afi
        assert unit.account_of("agent", afi.login) == afi
        for one, login in enumerate(("company:TG-LOM 1", "company:TGLOM1", "company:TG-LOM 12", "compana:TG-LOM 2")):
            unit.put_account(an_account(f"c{one}", kind="applicant", login=login, name="SOTOGO" if one == 0 else ""))
        found = [unit.company_account(typed) for typed in ("TG LOM.1", "TGLOM1", "TG-LOM 12", "TG-LOM 2")]
        assert [one.id if one else None for one in found] == ["c0", "c1", "c2", None]
        assert unit.account_of("auditor", afi.login) is None
        unit.put_account(replace(afi, disabled=True))
        assert unit.accounts("agent") == (replace(afi, disabled=True),)


def test_rights_that_end_and_mandates(store: Store) -> None:
    day = NOON.date()
    afi = an_account(
        "u1", roles=("city/clerk",), ends={"city/clerk": day}, until=day, administers=("*",), procedures=("permit",), fresh=True
    )  # fmt: skip
    with store.unit(write=True) as unit:
        unit.put_account(afi)
        assert unit.account("u1") == afi


def test_a_second_factor(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.put_account(an_account("u1"))
        assert unit.second_factor("u1") is None
        unit.put_second_factor(SecondFactor("u1", "sealed"))
        proven = SecondFactor("u1", "sealed", NOON, 58_000_000, ("a", "b"))
        unit.put_second_factor(proven)
        assert unit.second_factor("u1") == proven
        unit.drop_second_factor("u1")
        assert unit.second_factor("u1") is None


def test_a_way_of_being_known_is_of_one_person(store: Store) -> None:
    mine = Identifier("email", "afi@example.tg", "u1", NOON)
    with store.unit(write=True) as unit:
        unit.put_account(an_account("u1"))
        unit.put_account(an_account("u2"))
        unit.add_identifier(mine)
        with pytest.raises(AlreadyExists):
            unit.add_identifier(replace(mine, account="u2"))
        assert unit.identifier("email", "afi@example.tg") == mine
        assert unit.identifiers_of("u1") == (mine,)
        unit.drop_identifier("email", "afi@example.tg")
        assert unit.identifiers_of("u1") == ()


def test_mandates(store: Store) -> None:
    one = Mandate(
        "m1", "u1", "u2", "", "company", "manager", "to_check", "u2", NOON, proof="abc", proof_name="acte.pdf"
    )
    two = Mandate(
        "m2", "u1", "", "+22890000000", "dossier", "reader", "active", "u1", NOON, NOON.date(), ("permit",), ("d1",)
    )
    with store.unit(write=True) as unit:
        for account in ("u1", "u2"):
            unit.put_account(an_account(account))
        unit.put_mandate(one)
        unit.put_mandate(two)
        assert unit.mandates_to_check() == (one,)
        assert unit.mandates_given("u1") == (one, two)
        assert unit.mandate_proofs() == (("m1", "abc"),)
        assert unit.mandates_held("u2") == (one,)
        assert unit.mandates_awaiting("+22890000000") == (two,)
        held = replace(two, holder="u2", changed_at=later(hours=1))
        unit.put_mandate(held)
        assert unit.mandate("m2") == held
        assert unit.mandates_awaiting("+22890000000") == ()


def test_readings_are_noted_once_a_day(store: Store) -> None:
    opened(store)
    first = Reading("d1", "u1", NOON.date(), NOON, "city/clerk")
    again = replace(first, at=later(hours=1))
    tomorrow = Reading("d1", "u1", later(days=1).date(), later(days=1))
    with store.unit(write=True) as unit:
        for one in (first, again, tomorrow):
            unit.note_reading(one)
        assert unit.readings_of("d1") == (tomorrow, again)
        assert unit.readings_by("u1", 1) == (tomorrow,)
        assert unit.reading("d1", "u1", NOON.date().isoformat()) == again


def test_the_journal_of_rights_is_a_chain(store: Store) -> None:
    first = seal(None, RIGHTS, NOON, SYSTEM_ACTOR, "added", "", {"account": "u1"})
    second = seal(first, RIGHTS, NOON, SYSTEM_ACTOR, "closed", "", {"account": "u1"})
    with store.unit(write=True) as unit:
        unit.add_right(first)
        with pytest.raises(Conflict):
            unit.add_right(first)
        unit.add_right(second)
        assert unit.right_head() == (2, second.hash)
        assert unit.rights() == (second, first)
        assert unit.rights(1) == (second,)
        assert unit.rights(before=2) == (first,)
        assert unit.rights(before=1) == ()
    assert list(store.findings()) == []


def test_applicants_who_are_signed_in_nowhere_any_more(store: Store) -> None:
    with store.unit(write=True) as unit:
        for account, login in (
            ("here", "claimed:here"),
            ("gone", "claimed:gone"),
            ("never", "claimed:never"),
            ("ama", "+228"),
        ):
            unit.put_account(Account(account, "applicant", "", login))
        unit.put_account(Account("agent", "agent", "", "claimed:agent"))
        unit.put_session(a_session("t1", account="here", expires_at=later(days=2)))
        unit.put_session(a_session("t2", account="gone", expires_at=later(days=1)))
        assert [one.id for one in unit.accounts_left("claimed:", later(days=1), 9)] == ["gone", "never"]
        assert [one.id for one in unit.accounts_left("claimed:", later(days=2), 2)] == ["gone", "here"]


def test_sessions_and_codes(store: Store) -> None:
    with store.unit(write=True) as unit:
        for token in ("t1", "t2", "t3"):
            unit.put_session(a_session(token, kept=True))
        unit.put_session(a_session("t4", account="u2"))
        unit.put_session(a_session("t1", seen_at=later(minutes=1), device="Firefox – Android"))
        assert unit.session("t1") == a_session("t1", seen_at=later(minutes=1), device="Firefox – Android")
        assert [one.token_sha256 for one in unit.sessions_of("u1")] == ["t1", "t2", "t3"]
        unit.drop_sessions("u1", "t1")
        assert unit.session("t1") is None
        assert unit.session("t2") == a_session("t2", kept=True)
        unit.drop_sessions("u1")
        assert unit.session("t2") is None
        assert unit.session("t4") is not None

        unit.put_code(a_code())
        unit.put_code(a_code(tries_left=1, sends=2))
        assert unit.code("+22890000000") == a_code(tries_left=1, sends=2)
        unit.drop_code("+22890000000")
        assert unit.code("+22890000000") is None


def test_tries_are_counted_by_window(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert [unit.count_try("ip", "10:00"), unit.count_try("ip", "10:00"), unit.count_try("ip", "10:01")] == [
            1,
            2,
            1,
        ]
        unit.count_try("other", "10:01")
    with store.unit() as unit:
        assert unit.tries("ip", ["10:00", "10:01", "10:02"]) == {"10:00": 2, "10:01": 1}
        assert unit.tries("ip", []) == unit.tries("nobody", ["10:00"]) == {}


def test_a_try_is_counted_below_a_limit_only(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert unit.count_below("ip", ["10:00", "10:01"], 3, 2)
        assert unit.count_below("ip", ["10:01", "10:02"], 3)
        assert not unit.count_below("ip", ["10:01", "10:02"], 3)
        assert unit.count_below("ip", ["10:02", "10:03"], 3)
        assert unit.count_below("other", ["10:02"], 1)
    with store.unit() as unit:
        assert unit.tries("ip", ["10:00", "10:01", "10:02", "10:03"]) == {"10:01": 2, "10:02": 1, "10:03": 1}


def test_what_is_kept_aside_is_taken_once(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.keep_aside("k", {"nom": ["Adjo"]}, NOON)
        unit.keep_aside("k", {"nom": ["Kofi"]}, NOON)
    with store.unit() as unit:
        assert unit.taken_aside("k") == {"nom": ["Kofi"]}
    with store.unit(write=True) as unit:
        assert unit.taken_aside("k") == {"nom": ["Kofi"]}
        assert unit.taken_aside("k") is None


def test_what_is_kept_aside_under_one_prefix_is_listed_in_the_order_of_its_keys(store: Store) -> None:
    with store.unit(write=True) as unit:
        for key in ("call/b", "call/a", "call", "call0", "calls/a", "call/é"):
            unit.keep_aside(key, key, NOON)
    with store.unit() as unit:
        assert unit.asides("call/") == tuple((key, key, NOON) for key in ("call/a", "call/b", "call/é"))
        assert unit.asides("call/", 1) == (("call/a", "call/a", NOON),)
        assert unit.asides("nothing/") == ()


def test_the_channels_that_have_something_to_send(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_letter(a_message("l1"))
        assert unit.channels_due(later(days=1)) == {"sms"}
        assert unit.channels_due(later(days=-1)) == frozenset()
        unit.claim_letters(later(days=1), later(days=2))
        assert unit.channels_due(later(days=1)) == frozenset(), "they are lent"


def test_a_reply_is_given_once(store: Store) -> None:
    reply = Reply("ama", "submit", "key", "digest", {"number": "26", "ok": True}, NOON)
    with store.unit(write=True) as unit:
        assert unit.reply("ama", "submit", "key") is None
        unit.add_reply(reply)
        unit.add_reply(replace(reply, principal="kofi", body=None))
        with pytest.raises(AlreadyExists):
            unit.add_reply(replace(reply, body="other"))
        assert unit.reply("ama", "submit", "key") == reply
        kofis = unit.reply("kofi", "submit", "key")
        assert kofis is not None
        assert kofis.body is None


def test_sweeping_forgets_what_served_a_moment(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_reply(Reply("ama", "submit", "key", "digest", None, NOON))
        unit.keep_aside("k", "x", NOON)
        unit.put_session(a_session("t1"))
        unit.put_code(a_code())
        assert unit.sweep(NOON) == 0
        assert unit.sweep(later(minutes=30)) == 3  # reply, aside, code
        assert unit.session("t1") is not None
        assert unit.sweep(later(days=1)) == 1


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_a_sound_store_has_no_finding(store: Store) -> None:
    a_full_house(store)
    assert list(store.findings()) == []
    assert "".join(store.all_dossiers()) == "abcdefg"
    assert store.settings()


# -- publications ------------------------------------------------------------------------------------------------------


def a_publication(n: int, outcome: Outcome = "published", **changes: Any) -> Publication:
    origin = Origin("https://forge.example/a.git", "main", "abc", "Un titre", "Ama", NOON, ("Kossi",), "G", "Ama")
    found = GateFinding("N301", "procedures/x.yaml", 3, 7, 4, {"name": "x", "near": ["y"]}, "  when: x")
    given = {"placed": (PublishedEdition("permit", 2, "f2"),), "gates": (Gate("lint", False, (found,), 2),), **changes}
    return Publication(n, later(days=n), outcome, origin, **given)


def test_publications_follow_each_other_and_stay(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert unit.last_publication() == 0
        for n in (1, 2, 3):
            unit.add_publication(a_publication(n, "refused" if n == 2 else "published"))
        with pytest.raises(Conflict):
            unit.add_publication(a_publication(3))
        with pytest.raises(Conflict):
            unit.add_publication(a_publication(5))
    with store.unit() as unit:
        assert unit.last_publication() == 3
        assert unit.publications()[0] == a_publication(1)
        assert [one.n for one in unit.publications(after=1)] == [2, 3]
        assert [one.n for one in unit.recent_publications(2)] == [3, 2]
        assert [one.n for one in unit.recent_publications(2, before=2)] == [1]


def test_publications_have_a_chain_of_their_own(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        first = seal(unit.deed_head(), CHAIN, NOON, SYSTEM_ACTOR, "published", "", {"publication": 1})
        unit.add_deed(first)
        with pytest.raises(Conflict):
            unit.add_deed(first)
        unit.add_deed(seal(unit.deed_head(), CHAIN, NOON, SYSTEM_ACTOR, "rolled_back", "", {"publication": 2}))
    with store.unit() as unit:
        assert [one.n for one in unit.deeds()] == [1, 2]
        assert verify(unit.deeds()) is None
        assert unit.deed_head() == (2, unit.deeds()[-1].hash)
    assert list(store.all_dossiers()) == ["d1"]
    assert list(store.findings()) == []


def test_how_following_goes_is_replaced(store: Store) -> None:
    one = FollowingState("a.git", NOON, "abc", "git_unreachable", {"reason": "away", "allowed": ["ssh"]}, NOON, 3)
    with store.unit(write=True) as unit:
        assert unit.watch("a.git") is None
        unit.put_watch(one)
        unit.put_watch(replace(one, trouble="", tries=0))
    with store.unit() as unit:
        assert unit.watch("a.git") == replace(one, trouble="", tries=0)


# -- messages, holds, waiting lists, lent documents --------------------------------------------------------------------


def test_messages_are_read_by_the_other_side(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    paper = Attachment("f", "message", "a.pdf", "pdf", 5, "0" * 64, NOON)
    first = Message("m2", "d1", NOON, "afi", "applicant", "Bonjour", (paper,))
    second = Message("m1", "d1", later(hours=1), "kofi", "agent", "Bonjour à vous")
    with store.unit(write=True) as unit:
        unit.add_message(second)
        unit.add_message(first)
    with store.unit(write=True) as unit:
        assert unit.messages_of("d1") == (first, second)
        assert unit.unread_messages(["d1", "d2"], "applicant") == {"d1": 1}
        assert unit.unread_messages([], "applicant") == {}
        assert unit.read_messages("d1", "applicant", later(hours=2)) == 1
        assert unit.read_messages("d1", "applicant", later(hours=3)) == 0
        assert unit.messages_of("d1")[0].read_at == later(hours=2)
        assert unit.unread_messages(["d1"], "agent") == {"d1": 1}
        unit.erase_exchanges("d1")
        assert unit.messages_of("d1") == ()


def test_notes_are_read_in_their_order_and_forgotten_with_their_dossier(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    first, second = Note("n2", "d1", NOON, "afi", "Rappeler"), Note("n1", "d1", NOON, "kofi", "C’est fait")
    other = Note("n3", "d2", NOON, "afi", "Autre")
    with store.unit(write=True) as unit:
        for one in (first, second, other):
            unit.add_note(one)
    with store.unit(write=True) as unit:
        assert unit.notes_of("d1") == (first, second)
        unit.erase_exchanges("d1")
    with store.unit() as unit:
        assert unit.notes_of("d1") == ()
        assert unit.notes_of("d2") == (other,)


def test_a_list_holds_what_an_agent_follows_until_it_or_they_go(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    with store.unit(write=True) as unit:
        for account, dossier in (("afi", "d1"), ("afi", "d1"), ("afi", "d2"), ("kofi", "d2")):
            unit.follow(account, dossier)

    def followed(account: str, places: tuple[tuple[str, str], ...] | None = None) -> list[str]:
        with store.unit() as unit:
            query = DossierQuery(places, follower=account, open_only=False)
            lines = unit.find_dossiers(query).lines
            assert unit.count_dossiers(query) == len(lines) == sum(unit.follows(account, line.id) for line in lines)
            return [line.id for line in lines]

    assert followed("afi") == ["d1", "d2"]
    assert followed("kofi") == ["d2"]
    assert followed("kofi", (("elsewhere", "draft"),)) == []
    with store.unit(write=True) as unit:
        unit.unfollow("afi", "d1")
        unit.unfollow("kofi")
    assert followed("afi") == ["d2"]
    assert followed("kofi") == []
    with store.unit(write=True) as unit:
        unit.erase_exchanges("d2")
    assert followed("afi") == []


def test_annotations_are_replaced_sought_by_label_and_forgotten_with_their_dossier(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    urgent = NotedValue("d1", "labels", ["late", "urgent"], NOON, "afi")
    with store.unit(write=True) as unit:
        unit.put_annotation(replace(urgent, value=["late"]))
        unit.put_annotation(urgent)
        unit.put_annotation(NotedValue("d2", "labels", None, NOON, "afi"))
        unit.put_annotation(NotedValue("d2", "other", ["urgent"], NOON, "afi"))

    def labelled(label: str) -> list[str]:
        with store.unit() as unit:
            return [line.id for line in unit.find_dossiers(DossierQuery(label=label, open_only=False)).lines]

    assert labelled("labels.urgent") == ["d1"]
    assert labelled("labels.urg") == []
    with store.unit(write=True) as unit:
        assert unit.annotations_of(["d1"]) == (urgent,)
        assert [one.name for one in unit.annotations_of(["d1", "d2"])] == ["labels", "labels", "other"]
        assert unit.annotations_of([]) == ()
        unit.erase_exchanges("d1")
    assert labelled("labels.urgent") == []


def test_a_held_seat_is_nobody_elses_for_a_while(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    start, until = later(days=1), later(minutes=10)
    hold = SeatHold("desk", "lome", start, 1, "d1", "visit", until)

    def held(unit: Unit, at: datetime, but: str) -> list[tuple[datetime, int]]:
        found = unit.visits_taken("desk", "lome", NOON, later(days=2), held=(at, but))
        return [(one.start, one.seat) for one in found if not one.minutes]

    with store.unit(write=True) as unit:
        unit.hold_seat(hold, NOON)
    with store.unit(write=True) as unit:
        with pytest.raises(AlreadyExists):
            unit.hold_seat(replace(hold, dossier="d2"), NOON)
        assert unit.hold_of("d1", "visit") == hold
        assert held(unit, NOON, "d2") == [(start, 1)]
        assert held(unit, NOON, "d1") == []
        assert held(unit, until, "d2") == []
        unit.hold_seat(replace(hold, seat=2), NOON)
        assert held(unit, NOON, "d2") == [(start, 2)]
    with store.unit(write=True) as unit:
        unit.hold_seat(replace(hold, seat=2, dossier="d2", until=later(days=1)), until)
        assert unit.hold_of("d1", "visit") is None
        unit.drop_hold("d2", "visit")
        assert held(unit, until, "") == []


def test_the_seats_of_a_person_are_counted_by_one_unit_at_a_time(store: Store) -> None:
    """Otherwise each of several offices, asked at once, would find the same number of seats. A mother acts for a child."""
    opened(
        store,
        a_dossier("d1", owner="afi"),
        a_dossier("d2", owner="afi", procedure="card"),
        a_dossier("d3", owner="kofi"),
    )

    def counted() -> tuple[int, int]:
        with store.unit(write=True) as unit:
            return unit.seats_ahead("afi", "desk", NOON, "d2")

    other = Beside(store, counted)
    with store.unit(write=True) as unit:
        assert unit.seats_ahead("afi", "desk", NOON, "d1") == (0, 0)
        other.begin()
        unit.take_seat("desk", "d1", a_booking(office="kara"))
    assert other.end() == (1, 1)
    counted_at = list[str]()

    def child() -> None:
        with store.unit(write=True) as unit:
            unit.seats_ahead("kofi", "desk", NOON, "d3", "afi")
            counted_at.append("child")

    other = Beside(store, child)
    with store.unit(write=True) as unit:
        unit.seats_ahead("ama", "desk", NOON, "d4", "afi")
        other.begin()
        counted_at.append("first")
    other.end()
    assert counted_at == ["first", "child"]


def test_bookings_that_come_later_do_not_delay_a_change_of_openings(store: Store) -> None:
    """While people book without a pause, an office can be closed."""
    with store.unit(write=True) as unit:
        unit.openings_head("share")
    order: list[str] = []

    def comes(hold: Hold) -> None:
        with store.unit(write=True) as unit:
            unit.openings_head(hold)
            order.append(hold)

    change, later_booking = Beside(store, lambda: comes("change")), Beside(store, lambda: comes("share"))
    with store.unit(write=True) as unit:
        unit.openings_head("share")
        change.begin()
        later_booking.begin()
        time.sleep(0.3)
    change.end()
    later_booking.end()
    assert order == ["change", "share"]


def test_who_waits_longest_is_first(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    one = WaitingListEntry("d1", "visit", "desk", "lome", later(hours=2))
    two = WaitingListEntry("d2", "visit", "desk", "lome", later(hours=1))
    with store.unit(write=True) as unit:
        unit.put_waiting(one)
        unit.put_waiting(two)
        assert unit.waiting_for("desk", "lome") == (two, one)
        assert unit.waiting_for("desk", "lome", 1) == (two,)
        assert unit.waiting_for("desk", "kara") == ()
        told = replace(two, told_at=later(hours=3))
        unit.put_waiting(told)
        assert unit.waiting_of("d2") == (told,)
        unit.drop_waiting("d2", "visit")
        assert unit.waiting_for("desk", "lome") == (one,)


def test_who_waits_is_told_in_turn_while_their_dossier_is_open(store: Store) -> None:
    names = ("d1", "d2", "d3", "d4", "d5")
    opened(store, *(a_dossier(name) for name in names))
    told = {"d1": later(hours=9), "d2": later(hours=7), "d3": later(hours=8)}
    rows = {
        one: WaitingListEntry(one, "visit", "desk", "lome", later(hours=n), told.get(one))
        for n, one in enumerate(names)
    }
    with store.unit(write=True) as unit:
        for one in names:
            unit.put_waiting(rows[one])
        assert [one.dossier for one in unit.waiting_for("desk", "lome")] == ["d4", "d5", "d2", "d3", "d1"]
        before = [one.dossier for one in unit.waiting_for("desk", "lome", reported_before=later(hours=8))]
        assert before == ["d4", "d5", "d2", "d3"]
        for last, next_ in (("d4", ["d5", "d2"]), ("d5", ["d2", "d3"]), ("d2", ["d3", "d1"]), ("d1", [])):
            assert [one.dossier for one in unit.waiting_for("desk", "lome", 2, after=rows[last])] == next_
        page = unit.waiting_for("desk", "lome", 2, reported_before=later(hours=7), after=rows["d5"])
        assert page == (rows["d2"],)
        unit.put_dossier(a_dossier("d4", revision=1, closed_at=NOON), 0)
        assert unit.waiting_for("desk", "lome", 2) == (rows["d5"], rows["d2"])
        assert unit.waiting_of("d4") == (rows["d4"],)


def test_a_lent_document_is_found_by_its_token(store: Store) -> None:
    opened(store)
    share = Share("f" * 64, "d1", "doc", NOON, later(days=7))
    with store.unit(write=True) as unit:
        unit.put_share(share)
        assert unit.share("f" * 64) == share
        assert unit.share("0" * 64) is None
        seen = replace(share, opens=1, opened_at=later(hours=1), revoked_at=later(days=1))
        unit.put_share(seen)
        assert unit.shares_of("d1") == (seen,)
        assert unit.shares_of("d2") == ()


# -- counts ------------------------------------------------------------------------------------------------------------


def test_the_journal_is_read_in_the_order_of_time_by_who_counts_it(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    with store.unit(write=True) as unit:
        for hours, dossier, kind in ((3, "d2", "submitted"), (2, "d1", "submitted"), (4, "d1", "saved")):
            head = unit.head(dossier)
            unit.add_entry(seal(head, dossier, later(hours=hours), AGENT, kind, "f" * 64, {}), {})
    first = JournalCursor(NOON, "d1", 1)
    sent = [JournalCursor(later(hours=2), "d1", 2), JournalCursor(later(hours=3), "d2", 2)]
    with store.unit() as unit:
        assert unit.counted_after(None, later(hours=9), 10) == (first, JournalCursor(NOON, "d2", 1), *sent)
        assert unit.counted_after(None, later(hours=9), 1) == (first,)
        assert unit.counted_after(JournalCursor(NOON, "d2", 1), later(hours=2), 10) == (sent[0],)
        assert unit.counted_after(sent[1], later(hours=9), 10) == ()
        marks = (JournalCursor(NOON), first, JournalCursor(NOON, "d2", 1), *sent, JournalCursor(later(hours=9)))
        assert [unit.entries_until(one) for one in marks] == [0, 1, 2, 3, 4, 4]


def test_entries_sealed_behind_the_mark_are_found(store: Store) -> None:
    """A clock was back: they are never counted."""

    def missed() -> list[object]:
        return [one.facts["about"] for one in store.findings() if one.code == "counts_differ"]

    def seals(dossier: str, hours: int, kind: str) -> JournalCursor:
        with store.unit(write=True) as unit:
            entry = seal(unit.head(dossier), dossier, later(hours=hours), AGENT, kind, "f" * 64, {})
            unit.add_entry(entry, {})
        return JournalCursor(entry.at, dossier, entry.n)

    opened(store, a_dossier("d1"), a_dossier("d2"))
    mark = seals("d1", 2, "submitted")
    with store.unit(write=True) as unit:
        unit.add_tallies({Count("permit", "2026-03", "received"): 1}, None, mark)
    assert missed() == []  # nobody kept how many
    with store.unit(write=True) as unit:
        unit.add_tallies({ENTRIES: unit.entries_until(mark)}, mark, mark)
    seals("d1", 3, "transition")
    seals("d2", 1, "saved")
    assert missed() == []
    seals("d2", 1, "submitted")
    assert missed() == [1]


def test_counts_add_up_and_the_mark_moves_with_them(store: Store) -> None:
    lome, kara = (
        Count("permit", "2026-03", "received", "lome", "web"),
        Count("permit", "2026-03", "received", "kara", "web"),
    )
    april, now = replace(lome, month="2026-04"), Count("permit", CURRENT, "standing", "lome")
    one, two = JournalCursor(NOON, "d1", 1), JournalCursor(later(hours=1), "d1", 2)
    with store.unit(write=True) as unit:
        assert unit.tally_mark() is None
        unit.add_tallies({lome: 2, kara: 1, now: 1}, None, one)
    with interrupted(store) as unit:
        unit.add_tallies({lome: 40}, one, two)
    with store.unit(write=True) as unit:
        unit.add_tallies({lome: 3, april: 1, kara: 0, now: -1}, one, two)
        assert unit.tally_mark() == two
    for before in (None, one, JournalCursor(NOON, "d2", 1)):
        with pytest.raises(Conflict), store.unit(write=True) as unit:
            unit.add_tallies({lome: 1}, before, two)
    with store.unit() as unit:
        assert unit.tallies(CounterQuery(("2026-03", "2026-04", CURRENT))) == {lome: 5, kara: 1, april: 1}
        assert unit.tallies(CounterQuery(("2026-04",))) == {april: 1}
        assert unit.tallies(CounterQuery(("2026-03",), offices=frozenset({"kara"}))) == {kara: 1}
        assert unit.tallies(CounterQuery(("2026-03",), ("permit", "other"))) == {lome: 5, kara: 1}
        assert unit.tallies(CounterQuery(("2026-03",), ("other",))) == {}
        assert unit.tallies(CounterQuery(("2026-03",), ())) == {}
        assert unit.tallies(CounterQuery(("2026-03",), figures=("answered",))) == {}
        assert unit.tallies_together(CounterQuery(("2026-03",))) == {replace(lome, office=""): 6}
        assert unit.tallied(CounterQuery(("2026-03",))) == {"permit"}
        assert unit.tallied(CounterQuery((CURRENT,))) == frozenset()  # one came and one went
    with store.unit(write=True) as unit:
        unit.add_tallies({now: 7}, two, two)
        assert unit.tallies(CounterQuery(("2026-05", CURRENT))) == {now: 7}
        assert unit.tallies(CounterQuery(("2026-05",))) == {}
        unit.forget_tallies()
        assert (unit.tally_mark(), unit.tallies(CounterQuery(("2026-03", CURRENT)))) == (None, {})


def test_of_two_who_count_the_same_entries_one_is_heard(store: Store) -> None:
    count, mark = Count("permit", "2026-03", "received", "lome", "web"), JournalCursor(NOON, "d1", 1)
    outcomes: list[str] = []

    def add() -> None:
        try:
            with store.unit(write=True) as unit:
                unit.add_tallies({count: 1}, None, mark)
            outcomes.append("kept")
        except Conflict:
            outcomes.append("late")

    workers = [threading.Thread(target=add) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(outcomes) == ["kept", "late", "late", "late"]
    with store.unit() as unit:
        assert unit.tallies(CounterQuery(("2026-03",))) == {count: 1}


def test_an_agents_acts_are_counted_by_kind(store: Store) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    other = replace(AGENT, id="agent-2")
    with store.unit(write=True) as unit:
        for dossier, who, hours in (("d1", AGENT, 1), ("d1", AGENT, 2), ("d2", AGENT, 3), ("d2", other, 4)):
            unit.add_entry(seal(unit.head(dossier), dossier, later(hours=hours), who, "transition", "f" * 64, {}), {})
    with store.unit() as unit:
        assert unit.acts_of("agent-1", later(hours=1), later(hours=9)) == {"transition": (3, 2)}
        assert unit.acts_of("agent-1", later(hours=1), later(hours=2)) == {"transition": (1, 1)}
        assert unit.acts_of("agent-2", later(hours=1), later(hours=9)) == {"transition": (1, 1)}
        assert unit.acts_of("agent-3", NOON, later(hours=9)) == {}


# -- orders ------------------------------------------------------------------------------------------------------------


def an_order(n: int = 1, work: Work = "act", **changes: Any) -> Job:
    return replace(Job(f"o{n}", n, work, "agent", later(minutes=n), {"act": "sign"}, 2), **changes)


def a_line(rank: int, order: str = "o1", **changes: Any) -> JobItem:
    return replace(JobItem(order, rank, f"d{rank}", f"2600000000{rank}", 3), **changes)


def test_an_order_and_its_lines_come_back_as_they_were_kept(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_order(an_order(), [a_line(0), a_line(1)])
        unit.add_order(an_order(2, account="other"))
        with pytest.raises(AlreadyExists):
            unit.add_order(an_order(1, id="o3"))
    with store.unit(write=True) as unit:
        unit.put_order_line(a_line(1, outcome="closed", why="four_eyes", facts={"act": "check"}, at=NOON))
        unit.put_order(an_order(2, account="other", ended_at=NOON))
    with store.unit() as unit:
        assert unit.order("o1") == unit.order_numbered(1) == an_order()
        assert unit.order("o9") is unit.order_numbered(9) is None
        assert unit.orders_of("agent") == (an_order(),)
        assert unit.order_lines_left("o1", 9) == (a_line(0),)
        assert [line.why for line in unit.order_lines("o1")] == ["", "four_eyes"]
        assert unit.order_line("o1", 1) == a_line(1, outcome="closed", why="four_eyes", facts={"act": "check"}, at=NOON)
        assert unit.order_outcomes("o1") == {"": 1, "closed": 1}


def test_an_order_is_lent_to_one_worker_until_the_lease_ends(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert not unit.orders_left()
        unit.add_order(an_order(2))
        unit.add_order(an_order(1))
    with store.unit(write=True) as unit:
        claimed = [unit.claim_order(later(hours=1), later(hours=1, minutes=2)) for _ in range(3)]
        assert [one and one.n for one in claimed] == [1, 2, None]
        assert unit.orders_left()
    with store.unit(write=True) as unit:
        again = unit.claim_order(later(hours=1, minutes=2), later(hours=2))
        assert again == an_order(1, claimed_until=later(hours=2))
        for n in (1, 2):
            unit.put_order(an_order(n, ended_at=NOON))
        assert not unit.orders_left()


def test_a_file_grows_by_parts_and_is_thrown_away(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_order(an_order(work="tray"))
        assert unit.order_parts("o1") == (0, 0, "")
        unit.add_order_part(JobChunk("o1", 1, 500, "next", "a,b"))
        unit.add_order_part(JobChunk("o1", 2, 20, "", "c,d"))
        with pytest.raises(AlreadyExists):
            unit.add_order_part(JobChunk("o1", 2, 20, "", "c,d"))
        assert unit.order_parts("o1") == (2, 520, "")
        assert unit.order_part("o1", 1) == JobChunk("o1", 1, 500, "next", "a,b")
        asked = {"queue": "all", "text": "AMEGAN"}
        unit.put_order(an_order(work="tray", ended_at=NOON, until=later(days=7), asked=asked))
        assert unit.throw_files(later(days=6)) == 0
        assert unit.throw_files(later(days=7)) == 1
        assert unit.order_part("o1", 1) is None
        assert unit.order("o1") == an_order(work="tray", ended_at=NOON, asked={"queue": "all"}), (
            "what was searched may be a name"
        )
        unit.add_order(an_order(2, work="tray", ended_at=NOON, asked=asked))
        assert unit.throw_files(later(days=7)) == 1, "one that an earlier release threw away"
        assert unit.order("o2") == an_order(2, work="tray", ended_at=NOON, asked={"queue": "all"})
        assert unit.throw_files(later(days=8)) == 0


def test_the_reason_of_an_act_on_many_is_kept_for_a_week(store: Store) -> None:
    asked = {"procedure": "b3", "act": "refuser", "reason": "AMEGAN Afi est inconnue"}
    with store.unit(write=True) as unit:
        unit.add_order(an_order(work="act", asked=asked))
        unit.add_order(an_order(2, work="act", ended_at=NOON, asked=asked))
        assert unit.throw_files(later(days=6)) == 0
        assert unit.throw_files(later(days=7)) == 1
        assert unit.order("o1") == an_order(work="act", asked=asked), "it still waits for a worker"
        assert unit.order("o2") == an_order(2, work="act", ended_at=NOON, asked={"procedure": "b3", "act": "refuser"})
        assert unit.throw_files(later(days=8)) == 0


# -- the journals together ---------------------------------------------------------------------------------------------


def test_the_journals_are_read_together_by_time(store: Store) -> None:
    citizen = Actor("applicant", "ama")
    moved = {"transition": "sign", "source": "check", "target": "signed"}
    due = {"due": "2026-03-03T12:00:00+00:00", "paused": None}
    told = (
        ("d1", 0, "submitted", citizen, due), ("d1", 2, "assigned", AGENT, {"to": AGENT.id}),
        ("d1", 60, "transition", AGENT, {**moved, "bulk": 4, "closed": True}), ("d2", 1, "submitted", citizen, {}),
        ("d2", 20, "transition", AGENT, {**moved, "target": "check"}),
        ("d2", 21, "transition", AGENT, {**moved, "target": "refused", "closed": True}), ("d3", 1, "opened", citizen, {}),
    )  # fmt: skip
    sent = {"submitted_at": NOON, "office": "lome"}
    with store.unit(write=True) as unit:
        unit.add_dossier(a_dossier("d1", **sent))
        unit.add_dossier(a_dossier("d2", **sent, channel="counter", owner="o2"))
        unit.add_dossier(a_dossier("d3", owner="o3"))
        for dossier, hours, kind, actor, body in told:
            unit.add_entry(seal(unit.head(dossier), dossier, later(hours=hours), actor, kind, "f", body), {})
    everything = EventsAsked(NOON, later(days=30))

    def found(**asked: Any) -> list[tuple[str, int]]:
        with store.unit() as unit:
            return [(one.dossier, one.n) for one in unit.find_events(replace(everything, **asked))]

    assert found() == [("d1", 3), ("d2", 3), ("d2", 2), ("d1", 2), ("d2", 1), ("d1", 1)]
    assert found(kind="transition", first=later(hours=30)) == [("d1", 3)]
    assert found(agent=AGENT.id, channel="counter") == [("d2", 3), ("d2", 2)]
    assert found(procedures=()) == found(office="kara") == []
    for question in ("bulk", "late", "night"):
        assert found(asks=question) == [("d1", 3)], question
    assert found(asks="same_hands") == [("d2", 3)]
    assert found(asks="taken_refused", refusing=(("permit", "signed"),)) == [("d1", 3)]
    assert found(asks="taken_refused") == []
    whole = found()
    with store.unit() as unit:
        first = unit.find_events(everything, limit=2)
        rest = unit.find_events(everything, mark_of(first[-1]), 9)
        assert read_mark("WyJcdTAwMDAiLCJkMSIsMV0") is None, "a NUL, which PostgreSQL does not take"
        assert [(one.dossier, one.n) for one in (*first, *rest)] == whole
        facets = unit.count_events(everything)
        assert facets.kinds == {"submitted": 2, "transition": 3, "assigned": 1}
        assert (facets.agents, facets.channels) == ({AGENT.id: 4}, {"web": 3, "counter": 3})
        assert (facets.total, facets.more) == (6, False)
        assert (unit.count_events(everything, 3).total, unit.count_events(everything, 3).more) == (3, True)


def test_a_sentence_kept_ready_has_versions(store: Store) -> None:
    first = Snippet("s1", 1, "sncja", "Photo", "Envoyez une photo nette.", "a", NOON)
    with store.unit(write=True) as unit:
        unit.add_snippet(first)
        unit.add_snippet(replace(first, id="s2", title="Acte"))
        unit.add_snippet(replace(first, id="s3", agency="dgdn"))
        unit.add_snippet(replace(first, version=2, body="Autre."))
        with pytest.raises(AlreadyExists):
            unit.add_snippet(replace(first, version=2))
    with store.unit(write=True) as unit:
        assert [(one.id, one.version) for one in unit.snippets(["sncja"])] == [("s2", 1), ("s1", 2)]
        assert [one.version for one in unit.snippet_versions("s1")] == [2, 1]
        unit.add_snippet(replace(first, version=3, retired=True))
        assert [one.id for one in unit.snippets(["sncja", "dgdn"])] == ["s3", "s2"]
        assert unit.snippets([]) == ()


# -- when offices receive ----------------------------------------------------------------------------------------------


def a_change(n: int, **more: Any) -> OpeningChange:
    made = OpeningChange(
        f"c{n}", n, "closed", "lome", NOON.date(), NOON.date(), None, None, None, "Grève", "", "a", NOON
    )
    return replace(made, **more)


def test_changes_of_openings_stand_until_they_are_lifted(store: Store) -> None:
    with store.unit() as unit:
        assert (unit.openings_head(), unit.opening_changes()) == (0, ())
    first, second = a_change(1, from_minute=450, to_minute=720), a_change(2, kind="desks", desks=4, because_en="More")
    with store.unit(write=True) as unit:
        assert unit.openings_head("change") == 0
        unit.add_opening_change(first)
        unit.add_opening_change(second)
        unit.add_opening_change(a_change(3, kind="holiday", office=""))
        with pytest.raises(AlreadyExists):
            unit.add_opening_change(replace(a_change(4), n=3))
        assert unit.openings_head("share") == 3
    lifted = replace(first, lifted_at=later(hours=1), lifted_by="b")
    with store.unit(write=True) as unit:
        unit.put_opening_change(lifted)
        with pytest.raises(LookupError):
            unit.put_opening_change(a_change(9))
    with store.unit() as unit:
        assert unit.openings_head() == 4
        assert [one.id for one in unit.opening_changes()] == ["c2", "c3"]
        assert (unit.opening_change("c1"), unit.opening_change("absent")) == (lifted, None)
        assert unit.opening_changes_of(["lome"]) == (second, lifted)
        assert [one.id for one in unit.opening_changes_of(["", "lome"], 2)] == ["c3", "c2"]
        assert unit.opening_changes_of([]) == ()
    with pytest.raises(RuntimeError), store.unit() as unit:
        unit.add_opening_change(a_change(5))


def test_a_change_waits_for_whoever_takes_a_seat(store: Store) -> None:
    """Both hold the head: several seats at once, a change alone; what was undone counts for nothing."""
    order: list[str] = []
    holds = threading.Event()

    def change() -> None:
        holds.wait(5)
        with store.unit(write=True) as unit:
            assert unit.openings_head("change") == 0
            order.append("changed")

    other = threading.Thread(target=change)
    other.start()
    with interrupted(store) as unit:
        assert unit.openings_head("share") == 0
        holds.set()
        other.join(0.3)
        unit.add_opening_change(a_change(1))
        order.append("booked")
    other.join(10)
    assert order == ["booked", "changed"]


def test_a_dossier_at_rest_is_the_dossier(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        kept = unit.dossier("d1")
        assert kept is not None
        assert unit.dossier_at_rest("d1") == kept
        assert unit.dossier_at_rest("absent") is None


def test_a_dossier_that_somebody_changes_is_not_waited_for() -> None:
    """On PostgreSQL, where several write at once."""
    store = an_empty_store()
    opened(store)
    found: list[object] = []

    def look() -> None:
        with store.unit(write=True) as unit:
            found.append(unit.dossier_at_rest("d1"))

    with store.unit(write=True) as unit:
        kept = unit.dossier("d1")
        other = threading.Thread(target=look)
        other.start()
        other.join(5)
        assert found == [None]
    look()
    assert found == [None, kept]
    store.close()


def test_a_booking_says_which_change_took_it_away(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.take_seat("permit/visit", "d1", a_booking())
        unit.put_booking(replace(a_booking(), status="attended", lost="c1"))
    with store.unit() as unit:
        ((_, _, kept),) = unit.bookings_on([a_booking().office], NOON, later(days=400))
        assert kept.lost == "c1"
