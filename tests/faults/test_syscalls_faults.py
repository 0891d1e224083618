"""B5. Eight commands on a store on the disk. Each system call that writes kills the process, fails or finds the disk full.

The store stays consistent, what was acknowledged is there, and a disk error is reported as one. Then the mutant: a file that comes
after its row. A normal run takes some of the calls. With an effort of eight it takes all, and six hundred of those of a backup.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.domain.common.decision import Act
from engine.operations.backup import back_up, read_contents
from engine.records.dossier import Actor, Dossier
from engine.services.applications import attachments as papers
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.appointments import bookings
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext
from engine.services.core.stored_files import places
from engine.services.keys.signing_keys import SigningKeys
from engine.services.worker import worker as timers
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys, add_key
from engine.storage.files.reserve import NoSpace
from engine.storage.sqlite.store import SqliteStore
from tests import worker
from tests.effort import EFFORT
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.world import World, a_world, file_keys, pdf
from tests.faults import syscalls
from tests.faults.syscalls import ACCIDENT, DONE, KILLED, REFUSED, Fault

pytestmark = [pytest.mark.slow, pytest.mark.faults]

FEW = 12  # faults of each command, in a usual run
MANY = 600
ALL_FROM = 8  # the effort from which so many are tried
PHONES = {name: f"+2289000{at:04d}" for at, name in enumerate(("submit", "upload", "pay", "decide"), 1)}
PHONES["book"] = "+22890100007"  # as `to_book` numbers them


Work = Callable[[], object]
Command = Callable[[Path], Work]


def world_in(folder: Path) -> World:
    """The office of that folder, the same in every process: its store, its operator, its keys."""
    world = a_world(folder, SqliteStore(folder / "office.db"), folder / "operator.db")
    world.office = replace(world.office, keys=SigningKeys.open(folder / "keys.json", make=True))
    return world


def prepare(folder: Path) -> None:
    """An office with a request for each command."""
    world = world_in(folder)
    people = {name: world.applicant(phone) for name, phone in PHONES.items()}
    world.filled(owner=people["submit"])
    world.draft(owner=people["upload"])
    world.sent(owner=people["pay"])
    paid = world.paid(world.sent(owner=people["decide"]))
    world.take(paid, world.agent("officer", "sncja/agent_traitement"), "comparer")
    world.agent("chief", "sncja/greffier_en_chef")
    to_book(world, 7)  # of the applicant whose number ends so
    world.office.store.close()


def person(world: World, name: str) -> Actor:
    known = world.read(lambda unit: unit.account(f"applicant {PHONES[name]}"))
    actor: Actor = known.actor()
    return actor


def request(world: World, name: str) -> Dossier:
    """The one request that is there for a command."""
    owner = person(world, name)
    (line,) = world.read(lambda unit: unit.dossiers_of(owner.id))
    found: Dossier = world.read(lambda unit: unit.dossier(line.id))
    return found


# -- the commands: each opened, then done; and whether it is seen to be done ---------------------------------------------


def submit(folder: Path) -> Work:
    world = world_in(folder)
    owner, dossier = person(world, "submit"), request(world, "submit")
    return lambda: intake.submit(world.office, owner, dossier.id, declared=True, token="t")


def upload(folder: Path) -> Work:
    world = world_in(folder)
    owner, dossier = person(world, "upload"), request(world, "upload")
    (at, *_) = [one.at for one in intake.check(world.office, owner, dossier.id).errors]

    def attached() -> None:
        told = intake.attach(world.office, owner, dossier.id, at, intake.Upload("acte.pdf", pdf()), token="t")
        if told.problem is not None:  # said at the question, the answers kept
            raise NoSpace(told.problem.code)

    return attached


def pay(folder: Path) -> Work:
    world = world_in(folder)
    owner, dossier, payer = person(world, "pay"), request(world, "pay"), "+22890000001"
    return lambda: worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=payer, token="t")


def book(folder: Path) -> Work:
    world = world_in(folder)
    owner, dossier = person(world, "book"), request(world, "book")
    slot = bookings.slots(world.office, owner, dossier.id, "depot").first_free
    assert slot is not None
    return lambda: bookings.book_slot(
        world.office, owner, dossier.id, "depot", slot.office, slot.start, token="t"
    )  # fmt: skip


def decide(folder: Path) -> Work:
    world = world_in(folder)
    chief = world.read(lambda unit: unit.account("agent chief")).actor()
    dossier = request(world, "decide")
    return lambda: casework.take_transition(world.office, chief, dossier.id, Act("signer"), token="t")


def timer(folder: Path) -> Work:
    world = world_in(folder)
    return lambda: timers.run_pass(world.office)


def backup(folder: Path) -> Work:
    world = world_in(folder)
    office, keys = world.office, folder / "keys.json"
    return lambda: back_up(office.store, office.attachments, keys, folder / "backup", office.now())


def rotate(folder: Path) -> Work:
    world = world_in(folder)
    known, ring = list(places(world.office.store)), folder / "file_keys.json"

    def turns() -> None:
        add_key(ring)
        AttachmentStore(folder / "files", FileKeys.open(ring)).rewrap(known)

    return turns


KINDS = {"submit": "submitted", "upload": "attached", "pay": "payment_started", "book": "booked", "decide": "issued"}
COMMANDS = (submit, upload, pay, book, decide, timer, backup, rotate)
OWN_AFFAIR = ("backup", "rotate")  # of the command line, which tells what the disk said and may be begun again


def seen(folder: Path, name: str) -> bool:
    """Whether what a command does was kept."""
    world = world_in(folder)
    if name == "backup":
        return read_contents(folder / "backup").files > 0
    if name not in KINDS:
        return True
    dossier = request(world, name)
    return KINDS[name] in world.kinds(dossier)


def findings(folder: Path) -> list[str]:
    return [str(one) for one in fsck(world_in(folder).office)]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The office before each command; and everything it takes is loaded, so that no call is of an import."""
    folder = tmp_path_factory.mktemp("office") / "before"
    prepare(folder)
    for command in COMMANDS:
        command(copied(folder, folder.parent / "warm"))()
        findings(folder.parent / "warm")
    return folder


def copied(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    file_keys.cache_clear()
    return to


def suffered(ready: Path, scratch: Path, command: Command, fault: Fault) -> tuple[int, list[str]]:
    """How a command ended that met a fault, and what that left that must not be."""
    log, name = scratch / "strace", command.__name__
    folder = copied(ready, scratch / "suffers")
    log.with_suffix(".accident").unlink(missing_ok=True)
    ended = syscalls.run(lambda: command(folder), fault.said, log)
    found = [f"{name}, {fault}: {one}" for one in findings(folder)]
    if ended == ACCIDENT and not (name in OWN_AFFAIR and "OSError" in log.with_suffix(".accident").read_text("utf-8")):
        found.append(f"{name}, {fault}: {log.with_suffix('.accident').read_text('utf-8')}")
    if ended not in (DONE, REFUSED, ACCIDENT, KILLED):
        found.append(f"{name}, {fault}: ended with {ended}")
    if ended == DONE and not seen(folder, name):
        found.append(f"{name}, {fault}: acknowledged and not kept")
    return ended, found


def chosen(made: Counter[str], few: int) -> list[Fault]:
    every = syscalls.faults(made)
    most = MANY if EFFORT >= ALL_FROM else few
    if len(every) <= most:
        return every
    killed = next(one for one in every if one.how == "killed")  # the first call always comes
    return [killed, *random.Random(5).sample(every, most - 1)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__)
def test_a_call_that_fails_leaves_nothing_half_there(tmp_path: Path, ready: Path, command: Command) -> None:
    made = syscalls.counted(lambda: command(copied(ready, tmp_path / "counted")), tmp_path / "strace")
    assert made["pwrite64"] + made["write"] > 0
    assert made["fsync"] + made["fdatasync"] > 0, "kept without a word to the disk"
    suffering = [suffered(ready, tmp_path, command, fault) for fault in chosen(made, FEW)]
    assert [one for _, found in suffering for one in found] == []
    assert KILLED in {ended for ended, _ in suffering}, "no fault came"


@pytest.mark.nightly("mutant")
def test_a_file_that_comes_after_its_row_is_seen(tmp_path: Path, ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_file, once, owed = papers.keep_file, papers.once, []
    aside = AttachmentStore(tmp_path / "aside")

    def keeps(office: AppContext, dossier: Dossier, *rest: Any) -> Any:
        kept = keep_file(replace(office, attachments=aside), dossier, *rest)
        owed.append((office, kept.sha256, dossier.id))
        return kept

    def does(*all_of_it: Any) -> Any:
        done = once(*all_of_it)
        for office, digest, dossier in owed:
            office.attachments.adopt(digest, aside.read(digest, dossier), dossier)
        return done

    monkeypatch.setattr(papers, "keep_file", keeps)
    monkeypatch.setattr(papers, "once", does)
    made = syscalls.counted(lambda: upload(copied(ready, tmp_path / "counted")), tmp_path / "strace")
    killed = [one for one in syscalls.faults(made) if one.how == "killed" and one.call in ("openat", "mkdir", "rename")]
    assert any("file_lost" in one for fault in killed for one in suffered(ready, tmp_path, upload, fault)[1])
