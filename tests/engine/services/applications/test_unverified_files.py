"""Files of unproven drafts: bounded, removed a day after the last action, never those of proven people. On both stores."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.core.problems import Refused
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor, Dossier
from engine.services.applications import drafts as intake
from engine.services.applications import unverified_files as unproven_files
from engine.services.applications.attachments import receive_piece, received
from engine.services.applications.drafts import Upload
from engine.services.applications.unverified_files import LEAST_COUNTED, end_removals, remove_idle
from engine.services.audit.integrity import fsck
from engine.services.core.commit import keep
from engine.services.limits import file_counts
from engine.services.limits.file_counts import count_file, sender_of
from engine.services.sign_in.sessions import actor_of
from engine.services.sign_in.unverified_drafts import adopt, go_on_unproven
from engine.services.worker.worker import run_pass
from engine.storage.files import attachments
from engine.storage.files.attachments import Lost
from engine.storage.files.inspection import Rejected
from engine.storage.files.resumable_uploads import Arrivals
from engine.storage.gate import Crowded
from engine.storage.results import Busy, Conflict
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.world import B3, World, a_world
from tests.postgres import an_empty_store

HERE = "10.0.0.1"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    store.migrate()
    yield a_world(tmp_path, store)
    store.close()


def photo(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 0, 0)).save(out, "JPEG")
    return out.getvalue()


def begun(world: World) -> tuple[str, Actor, Dossier]:
    """The token, the visitor and the draft of somebody who went on without a code."""
    signed = go_on_unproven(world.office, "+22890112233")
    world.people[signed.actor.id] = signed.actor
    return signed.token, signed.actor, world.draft(B3, signed.actor)


def send(world: World, who: Actor, draft: Dossier, shade: int, client: str = HERE) -> str:
    """Hands a photo in, in place of the one before; its digest."""
    for one in world.kept(draft).attachments:
        intake.detach(world.office, who, draft.id, one.id)
    attached = intake.attach(world.office, who, draft.id, "justificatif", Upload("a.jpg", photo(shade)), client=client)
    assert attached.problem is None
    return world.kept(draft).attachments[-1].sha256


def lies(world: World, draft: Dossier, digest: str) -> bool:
    try:
        return bool(world.office.attachments.read(digest, draft.id))
    except Lost:
        return False


def counted(world: World) -> int:
    store = world.office.store
    with store.tables("read") as rows:
        return rows.count("unproven_file")


def test_beyond_an_address_the_oldest_go_and_the_draft_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unproven_files, "PER_ADDRESS", 2 * LEAST_COUNTED)
    drafts = []
    for shade in range(4):
        _, who, draft = begun(world)
        drafts.append((who, draft, send(world, who, draft, shade, HERE if shade else "10.0.0.2")))
        world.wait(minutes=1)
    assert [lies(world, draft, digest) for _, draft, digest in drafts] == [True, False, True, True]
    who, draft, _ = drafts[1]
    kept = world.kept(draft)
    assert kept.attachments == ()
    assert kept.removed_files == ("justificatif",)
    assert {**kept.answers, "justificatif": None} == {**draft.answers, "justificatif": None}
    assert world.kinds(draft)[-1] == "detached"
    assert fsck(world.office) == ()
    assert send(world, who, draft, 9)
    assert world.kept(draft).removed_files == ()


def test_what_nothing_names_goes_before_what_is_older(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unproven_files, "PER_ADDRESS", 3 * LEAST_COUNTED)
    _, first, oldest = begun(world)
    kept = send(world, first, oldest, 1)
    _, second, draft = begun(world)
    for shade in range(2, 9):  # each in place of the one before
        world.wait(minutes=1)
        last = send(world, second, draft, shade)
    assert lies(world, oldest, kept)
    assert lies(world, draft, last)
    assert counted(world) == 3


def test_a_draft_holds_so_many_bytes_pieces_among_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unproven_files, "PER_DRAFT", 300_000)
    _, who, draft = begun(world)
    for number in range(6):
        assert receive_piece(world.office, who, draft.id, f"{number:032x}", 0, b"x" * 100_000, HERE) == 100_000
        world.wait(seconds=1)
    there = [received(world.office, who, draft.id, f"{number:032x}") for number in range(6)]
    assert there == [0, 0, 0, 100_000, 100_000, 100_000]


def test_a_piece_that_is_not_kept_counts_nothing(world: World) -> None:
    _, who, draft = begun(world)
    assert receive_piece(world.office, who, draft.id, "0" * 32, 11_000_000, b"x", HERE) == 0
    assert counted(world) == 0


def test_pieces_of_a_file_that_is_kept_go_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, who, draft = begun(world)
    data, key = photo(1), "1" * 32
    receive_piece(world.office, who, draft.id, key, 0, data, HERE)
    world.wait(minutes=1)
    attached = intake.attach(
        world.office, who, draft.id, "justificatif", Upload("a.jpg", data, key), client=HERE
    )  # fmt: skip
    assert attached.problem is None
    monkeypatch.setattr(unproven_files, "PER_DRAFT", 2 * LEAST_COUNTED)
    world.wait(minutes=1)
    receive_piece(world.office, who, draft.id, "2" * 32, 0, b"x", HERE)
    assert received(world.office, who, draft.id, key) == 0
    assert len(world.kept(draft).attachments) == 1


def test_files_stay_a_day_after_the_last_action(world: World) -> None:
    token, who, draft = begun(world)
    digest = send(world, who, draft, 1)
    receive_piece(world.office, who, draft.id, "3" * 32, 0, b"x", HERE)
    world.wait(hours=20)
    assert actor_of(world.office, token) is not None  # looks at a page
    world.wait(hours=20)
    assert remove_idle(world.office) == 0
    world.wait(hours=5)
    assert remove_idle(world.office) == 2
    assert not lies(world, draft, digest)
    assert received(world.office, who, draft.id, "3" * 32) == 0
    assert world.kept(draft).removed_files == ("justificatif",)
    assert counted(world) == 0
    assert run_pass(world.office).swept == 0


def test_who_proved_their_number_is_counted_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    token, who, draft = begun(world)
    digest = send(world, who, draft, 1)
    owner = world.applicant()
    assert adopt(world.office, owner, token) == ()
    assert counted(world) == 0
    monkeypatch.setattr(unproven_files, "PER_ADDRESS", LEAST_COUNTED)
    for shade in range(2, 5):
        _, other, theirs = begun(world)
        send(world, other, theirs, shade)
    for _ in range(3):  # a proven person sends as much as they want
        attached = intake.attach(
            world.office, owner, draft.id, "justificatif", Upload("a.jpg", photo(1)), client=HERE
        )  # fmt: skip
        assert attached.problem is None or attached.problem.code == "files_many"
    world.wait(days=2)
    remove_idle(world.office)
    assert lies(world, draft, digest)


def test_a_replaced_file_of_a_proven_person_is_gone_at_once(world: World) -> None:
    owner = world.applicant()
    draft = world.draft(B3, owner)
    sent = [send(world, owner, draft, shade) for shade in range(4)]
    assert [lies(world, draft, digest) for digest in sent] == [False, False, False, True]
    assert send(world, owner, draft, 3) == sent[3], "the same in its own place"
    assert lies(world, draft, sent[3])
    assert counted(world) == 0
    assert fsck(world.office) == ()


def test_a_file_that_nothing_came_to_name_is_gone_at_once(world: World) -> None:
    owner = world.applicant()
    draft = world.draft(B3, owner)
    kept = send(world, owner, draft, 1)
    with pytest.raises(Conflict):
        intake.attach(world.office, owner, draft.id, "justificatif", Upload("a.jpg", photo(2)), revision=0)
    handed = intake.attach(world.office, owner, draft.id, "justificatif", Upload("a.jpg", photo(1)))
    assert handed.problem is None, "the same file, in place of itself"
    assert lies(world, draft, kept)
    assert [one.name.rpartition("/")[2] for one in world.office.attachments.blobs.lies()] == [f"{kept}.{draft.id}"]
    assert counted(world) == 0


def test_a_shelf_that_is_silent_then_leaves_it_to_the_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = world.applicant()
    draft = world.draft(B3, owner)
    digest = send(world, owner, draft, 1)
    with monkeypatch.context() as broken:
        broken.setattr(type(world.office.attachments), "take_back", silent)
        last = send(world, owner, draft, 2)
    assert lies(world, draft, digest)
    with pytest.raises(Busy):  # the same file comes back in that moment: it is sent again
        send(world, owner, draft, 1)
    world.wait(minutes=11)
    assert end_removals(world.office) >= 1
    assert not lies(world, draft, digest)
    assert last not in {one.sha256 for one in world.kept(draft).attachments}
    assert counted(world) == 0


def test_bytes_are_counted_by_account_and_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_counts, "BYTES_A_DAY", 2_000)  # each photo is below 1,000
    owner = world.applicant()
    draft = world.draft(B3, owner)
    send(world, owner, draft, 1)
    send(world, owner, draft, 2)
    world.wait(hours=20)
    with pytest.raises(Refused, match="too_many_tries"):
        send(world, owner, draft, 3)
    world.wait(hours=6)
    send(world, owner, draft, 4)


@pytest.mark.parametrize("bound", ["BYTES_PER_ADDRESS", "BYTES_PER_BROWSER"])
def test_accounts_without_a_telephone_share_the_bytes_of_their_place(
    world: World, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(file_counts, bound, 1_000)
    drafts = [replace(world.draft(B3, world.applicant()), contact_phone=None) for _ in range(2)]
    for login, refused in (("a@example.org", True), ("+22890112233", False)):
        with world.office.store.unit(write=True) as unit:
            for number, draft in enumerate(drafts):
                account = unit.account(draft.owner)
                assert account is not None
                unit.put_account(replace(account, login=f"{login}{number}"))
        refusals = 0
        for draft in drafts:
            try:
                count_file(world.office, draft, 900, HERE, "browser")
            except Refused:
                refusals += 1
        assert bool(refusals) is refused


@pytest.mark.parametrize("bound", ["BYTES_PER_ADDRESS", "BYTES_PER_BROWSER"])
def test_who_acts_by_telephone_for_a_child_has_bytes_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(file_counts, bound, 1_000)
    draft, owners = world.draft(B3, world.applicant()), list[str]()
    for number in range(4):
        child = Account(f"child-{number}", "applicant", "", f"child:{number}")
        with world.office.store.unit(write=True) as unit:
            unit.put_account(child)
        owners.append(child.id)
    by_mail, of_parent, again, of_another = (replace(draft, owner=one) for one in owners)
    count_file(world.office, replace(by_mail, contact_phone=None), 900, HERE, "browser")
    count_file(world.office, replace(of_parent, contact_phone="+22890112299"), 900, HERE, "browser")
    if bound == "BYTES_PER_BROWSER":
        with pytest.raises(Refused, match="too_many_tries"):
            count_file(world.office, replace(again, contact_phone="+22890112299"), 900, HERE, "browser")
    count_file(world.office, replace(of_another, contact_phone="+22890112298"), 900, HERE, "browser")


@pytest.mark.parametrize("bound", ["BYTES_A_DAY", "BYTES_PER_ADDRESS", "BYTES_PER_BROWSER"])
def test_pieces_of_files_that_are_never_handed_in_are_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(file_counts, bound, 2_000)
    owner = world.applicant()
    draft = world.draft(B3, owner)
    with world.office.store.unit(write=True) as unit:
        account = unit.account(owner.id)
        assert account is not None
        unit.put_account(replace(account, login="email:a@example.org"))
        keep(world.office, unit, draft, replace(draft, contact_phone=None), [], SYSTEM_ACTOR)
    for file in range(2):
        assert receive_piece(world.office, owner, draft.id, f"{file:064x}", 0, b"x" * 900, HERE, "browser") == 900
    with pytest.raises(Refused, match="too_many_tries"):
        receive_piece(world.office, owner, draft.id, f"{2:064x}", 0, b"x" * 900, HERE, "browser")


def test_pixels_of_unproven_visitors_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_counts, "PIXELS", 2_000_000)  # each picture counts for a million at least
    _, who, draft = begun(world)
    send(world, who, draft, 1)
    send(world, who, draft, 2)
    with pytest.raises(Refused, match="too_many_tries"):
        send(world, who, draft, 3)
    owner = world.applicant()
    theirs = world.draft(B3, owner)
    for shade in range(4):
        send(world, owner, theirs, shade)


@pytest.mark.parametrize("known", [True, False])
def test_seconds_spent_judging_are_counted_by_person(
    world: World, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(file_counts, "SECONDS" if known else "SECONDS_UNPROVEN", 10)
    spent = iter(range(0, 1_000, 6))  # the clock of the processor: six seconds each time it is read
    monkeypatch.setattr(attachments.time, "thread_time", lambda: next(spent))
    who = world.applicant() if known else begun(world)[1]
    draft = world.draft(B3, who)
    send(world, who, draft, 1)
    with pytest.raises(Rejected):
        world.office.attachments.keep(b"%PDF-", "a.pdf", ("pdf",), 9, sender=sender_of(world.office, who))
    with pytest.raises(Refused, match="too_many_tries"):
        send(world, who, draft, 2)
    other = world.applicant("+22890112299")
    send(world, other, world.draft(B3, other), 2)
    world.wait(minutes=17)
    send(world, who, draft, 3)


def test_a_file_sent_while_another_of_that_person_is_judged_is_not_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_counts, "FILES_AT_ONCE", 2)
    owner = world.applicant()
    draft = world.draft(B3, owner)
    with world.office.attachments._judging.turn(f"account:{owner.id}"):
        for shade in range(4):
            with pytest.raises(Crowded, match="twice"):
                send(world, owner, draft, shade)
        other = world.applicant("+22890112299")
        send(world, other, world.draft(B3, other), 1)
    send(world, owner, draft, 1)
    send(world, owner, draft, 2)
    with pytest.raises(Refused, match="too_many_tries"):
        send(world, owner, draft, 3)


def test_files_of_unproven_visitors_of_one_address_are_judged_for_so_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_counts, "SECONDS_PER_ADDRESS", 0.001)
    _, who, draft = begun(world)
    send(world, who, draft, 1)
    _, another, theirs = begun(world)
    with pytest.raises(Refused, match="too_many_tries"):
        send(world, another, theirs, 2)
    send(world, another, theirs, 2, client="10.0.0.2")
    owner = world.applicant("+22890112277")
    send(world, owner, world.draft(B3, owner), 3)


def test_who_has_no_telephone_leaves_a_place_to_who_has(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.office.attachments._judging, "_unknown_wait_limit", 0.05)
    _, who, draft = begun(world)
    with world.office.store.unit(write=True) as unit:
        unit.put_account(Account("mail", "applicant", "", "a@example.org"))
    by_mail = Actor("applicant", "mail")
    assert not sender_of(world.office, by_mail).known
    assert sender_of(world.office, by_mail, "x").names == ("account:mail", "browser:x")
    with world.office.attachments._judging.turn("account:mail", known=False):
        with pytest.raises(Crowded):
            send(world, who, draft, 1)
        owner = world.applicant()
        send(world, owner, world.draft(B3, owner), 1)


def silent(*_: object) -> None:
    raise Busy("shelf")


def cut(*_: object) -> None:
    raise RuntimeError


def test_a_removal_that_was_cut_is_ended_and_takes_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, who, draft = begun(world)
    digest = send(world, who, draft, 1)
    receive_piece(world.office, who, draft.id, "4" * 32, 0, b"x", HERE)
    world.wait(hours=25)
    with monkeypatch.context() as broken:
        broken.setattr(Arrivals, "forget", cut)
        broken.setattr(type(world.office.attachments), "take_back", cut)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                remove_idle(world.office)
    assert lies(world, draft, digest)
    assert world.kept(draft).attachments == (), "the draft knows already"
    with pytest.raises(Busy):  # the same file comes back in that moment: it is sent again
        send(world, who, draft, 1)
    assert end_removals(world.office) == 0, "whoever began may still be at it"
    world.wait(minutes=11)
    assert run_pass(world.office, erases=False).swept == 2
    assert not lies(world, draft, digest)
    assert counted(world) == 0
    assert send(world, who, draft, 1) == digest


def test_two_workers_never_remove_a_file_that_was_handed_in_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower of two reads that a removal was cut; the other ends it, and the same file comes back."""
    _, who, draft = begun(world)
    digest = send(world, who, draft, 1)
    world.wait(hours=25)
    with monkeypatch.context() as broken:
        broken.setattr(type(world.office.attachments), "take_back", cut)
        with pytest.raises(RuntimeError):
            remove_idle(world.office)
    world.wait(minutes=11)
    [read_by_the_slower] = world.read(lambda unit: unit.unproven_files_going(world.office.now(), 9))
    assert end_removals(world.office) == 1
    assert send(world, who, draft, 1) == digest
    world.wait(minutes=11)
    assert unproven_files._end(world.office, read_by_the_slower) is False
    assert lies(world, draft, digest)


BEFORE = {
    "sqlite": ("DROP TABLE unproven_file", "DELETE FROM _sqlite_migrations WHERE name LIKE '%unproven files'"),
    "postgresql": ("DROP TABLE unproven_file", "DELETE FROM migration WHERE name LIKE '%unproven files'"),
}


@pytest.mark.parametrize("kind", BEFORE)
def test_files_of_before_they_were_counted_are_found_by_the_migration(kind: str, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "guichet.db") if kind == "sqlite" else an_empty_store()
    store.migrate()
    world = a_world(tmp_path, store)
    _, who, draft = begun(world)
    digest = send(world, who, draft, 1)
    world.filled(B3)  # of a proven person
    with store.tables("fill") as rows:  # as the release before left it: its drafts name no removed file
        for statement in BEFORE[kind]:
            rows._connection.execute(statement)
        text = rows._connection.execute("SELECT body FROM dossier_body").fetchall()
        assert all('"removed_files":[]' in body for (body,) in text)
        rows._connection.execute("UPDATE dossier_body SET body = replace(body, ',\"removed_files\":[]', '')")
    store.migrate()
    assert counted(world) == 1
    assert world.kept(draft).removed_files == ()
    world.wait(hours=25)
    assert remove_idle(world.office) == 1
    assert not lies(world, draft, digest)
    store.close()
