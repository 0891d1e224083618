"""A backup is taken while people work, says what it holds, and comes back into an empty installation, on any store."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.core.clock import SystemClock
from engine.core.problems import Refused
from engine.operations.backup import BUSIER, CONTENTS, FILES, PASSED, STORE, back_up, bring_back
from engine.operations.store_factory import open_blob_store, open_store
from engine.records.dossier import CLAIMED, Account
from engine.services.audit.integrity import fsck
from engine.services.keys.signing_keys import SigningKeys, announce_key, announced_at
from engine.services.sign_in.sessions import actor_of, open_session
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys
from engine.storage.files.s3 import S3BlobStore
from engine.storage.sqlite.store import SqliteRows, SqliteStore
from engine.storage.table_copy import TABLES
from engine.storage.unit_of_work import Store
from renderers.cli.admin.backup import backup_command, copy_command, restore_command
from renderers.cli.admin.installation import installation
from renderers.cli.admin.installation_commands import Installation
from renderers.cli.admin.keys import keys_command
from tests.bucket import service
from tests.engine.services.world import B3, MONDAY, PASSPORT, World, a_world, keys
from tests.postgres import an_empty_store, database

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two sent dossiers, one paid, with their files."""
    keys().save(tmp_path / "keys.json")
    made = a_world(tmp_path, SqliteStore(tmp_path / "lived.db"))
    made.office = replace(
        made.office, attachments=AttachmentStore(tmp_path / "files", FileKeys.open(tmp_path / "keys.json"))
    )
    made.paid(made.sent(B3))
    made.sent(PASSPORT, made.applicant("+22890445566"))
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = SqliteStore(tmp_path / "new.db") if request.param == "sqlite" else an_empty_store()
    one.migrate()
    yield one
    one.close()


def backed_up(world: World, folder: Path) -> Any:
    return back_up(world.office.store, world.office.attachments, folder.parent / "keys.json", folder, MONDAY)


def test_it_comes_back_whole(world: World, tmp_path: Path, empty: Store) -> None:
    backup = backed_up(world, tmp_path / "backup")
    assert backup.dossiers == 2
    assert backup.files
    there = tmp_path / "there"
    back = bring_back(tmp_path / "backup", empty, there / "files", there / "keys.json", now=MONDAY)
    assert back == backup
    office = replace(
        world.office, store=empty, attachments=AttachmentStore(there / "files", FileKeys.open(there / "keys.json")), keys=SigningKeys.open(there / "keys.json")
    )  # fmt: skip
    assert fsck(office) == ()
    assert set(empty.all_dossiers()) == set(world.office.store.all_dossiers())
    with world.office.store.unit() as before, empty.unit() as after:
        series = before.serials()
        assert any(name.startswith("receipt/") for name in series)
        assert after.serials() == {name: last + PASSED for name, last in series.items()}, "no number is given twice"
    assert (there / "keys.json").stat().st_mode & 0o077 == 0


def test_a_restore_that_is_interrupted_leaves_no_rows_to_go_on_with(
    world: World, tmp_path: Path, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the rows, it left series that gave their numbers again and orders that were sent again."""
    backed_up(world, tmp_path / "backup")
    keys = tmp_path / "there" / "keys.json"

    def killed(unit: Any) -> None:
        assert keys.exists(), "repeated with the same keys"
        raise KeyboardInterrupt

    with monkeypatch.context() as moment:
        moment.setattr("engine.operations.backup.forget_orders", killed)
        with pytest.raises(KeyboardInterrupt):
            bring_back(tmp_path / "backup", empty, tmp_path / "there" / "files", keys)
    assert list(empty.all_dossiers()) == []
    assert not keys.exists()
    assert bring_back(tmp_path / "backup", empty, tmp_path / "there" / "files", keys).dossiers == 2


def test_a_backup_of_december_gives_no_number_of_january_again(world: World, tmp_path: Path, empty: Store) -> None:
    """The series of the new year had begun when the machine was lost."""
    backed_up(world, tmp_path / "backup")
    there = tmp_path / "there"
    bring_back(tmp_path / "backup", empty, there / "files", there / "keys.json", now=MONDAY.replace(year=2027, month=1))
    with empty.unit() as unit:
        serials = unit.serials()
    assert serials["receipt/2027"] == PASSED
    assert serials["receipt/2026"] == 1 + PASSED


def test_a_busy_installation_gives_no_number_again(
    world: World, tmp_path: Path, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gave more numbers since the backup than are left out of a small one: as on its busiest day, for two days."""
    monkeypatch.setattr("engine.operations.backup.PASSED", 3)
    for phone in ("+22890000021", "+22890000022", "+22890000023"):
        world.paid(world.sent(B3, world.applicant(phone)))
    backed_up(world, tmp_path / "backup")
    there = tmp_path / "there"
    bring_back(tmp_path / "backup", empty, there / "files", there / "keys.json", now=MONDAY + timedelta(days=1))
    with empty.unit() as unit:
        assert unit.busiest_day() == 4
        assert unit.serials()["receipt/2026"] == 4 + BUSIER * 4 * 2


def test_a_session_of_the_backup_opens_nothing(world: World, tmp_path: Path, empty: Store) -> None:
    """It may have been ended since: by its owner, or with the rights of an agent."""
    owner = world.applicant()
    with world.office.store.unit(write=True) as unit:
        account = unit.account(owner.id)
        assert account is not None
        token = open_session(world.office, unit, account, world.office.now()).token
        visitor = Account("visitor", "applicant", "", f"{CLAIMED}visitor")
        unit.put_account(visitor)
        draft = open_session(world.office, unit, visitor, world.office.now()).token
    backed_up(world, tmp_path / "backup")
    bring_back(tmp_path / "backup", empty, tmp_path / "there" / "files", tmp_path / "there" / "keys.json")
    assert actor_of(world.office, token) is not None
    assert actor_of(replace(world.office, store=empty), token) is None
    assert actor_of(replace(world.office, store=empty), draft) is not None, (
        "nothing else leads to the draft of a visitor"
    )


def test_people_work_meanwhile(world: World, tmp_path: Path) -> None:
    stop, opened = threading.Event(), []

    def works() -> None:
        while not stop.is_set():
            opened.append(world.draft(B3, world.applicant(f"+2289055{len(opened):04d}")))

    thread = threading.Thread(target=works)
    thread.start()
    try:
        for n in range(3):
            backed_up(world, tmp_path / f"backup{n}")
    finally:
        stop.set()
        thread.join()
    assert opened
    for n in range(3):
        copy = SqliteStore(tmp_path / f"backup{n}" / STORE)
        assert list(copy.findings()) == []
        copy.close()


def lose_a_file(folder: Path) -> None:
    next(path for path in (folder / FILES).glob("??/??/*")).unlink()


def change_a_row(folder: Path) -> None:
    store = SqliteStore(folder / STORE)
    with store._connection(alone=True) as connection:
        connection.execute("UPDATE account SET name = 'x'")
    store.close()


def change(key: str, value: Any) -> Any:
    def changed(folder: Path) -> None:
        said = json.loads((folder / CONTENTS).read_text())
        (folder / CONTENTS).write_text(json.dumps({**said, key: value}))

    return changed


def of_a_later_release(folder: Path) -> None:
    with closing(sqlite3.connect(folder / STORE)) as db:
        db.execute("UPDATE _sqlite_migrations SET name = '9999 later' WHERE name = '0001 facts'")
        db.commit()


def cut(part: float) -> Any:
    def harm(folder: Path) -> None:
        data = (folder / STORE).read_bytes()
        (folder / STORE).write_bytes(data[: int(len(data) * part)])

    return harm


def kept_by(store: Store) -> list[str]:
    with store.tables("read") as rows:
        return [table for table in TABLES if rows.count(table)]


@pytest.mark.parametrize("name", ["contents.json", "guichet.db", "keys.json"])
def test_a_backup_that_this_account_cannot_read_is_not_said_to_be_incomplete(
    world: World, tmp_path: Path, empty: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    backed_up(world, tmp_path / "backup")
    read = Path.read_text

    def denied(file: Path, *args: Any, **named: Any) -> str:
        if file.name == name:
            raise PermissionError(13, "Permission denied", str(file))
        return read(file, *args, **named)

    monkeypatch.setattr(Path, "read_text", denied)
    monkeypatch.setattr("os.access", lambda file, mode: Path(file).name != name)
    with pytest.raises(Refused) as refused:
        bring_back(tmp_path / "backup", empty, tmp_path / "there" / "files", tmp_path / "there" / "keys.json")
    assert refused.value.reason.code == "backup_unread"
    assert kept_by(empty) == []
    monkeypatch.setattr("os.access", lambda file, mode: tmp_path / "backup" not in (file, *Path(file).parents))
    new = Installation(str(tmp_path / "new.db"), tmp_path / "there", tmp_path / "new-keys.json")
    told = CliRunner().invoke(restore_command(lambda: new), [str(tmp_path / "backup")])
    assert (told.exit_code, "chown" in told.stderr, new.keys.exists()) == (1, True, False), told.output


HARMS = [
    (lose_a_file, "backup_differs"), (change_a_row, "backup_differs"), (change("form", 9), "backup_form"),
    (change("keys", ""), "backup_differs"), (change("tables", 3), "backup_missing"),
    (lambda folder: (folder / CONTENTS).unlink(), "backup_missing"),
    (lambda folder: (folder / STORE).unlink(), "backup_differs"),
    (lambda folder: (folder / "keys.json").unlink(), "backup_differs"),
    (lambda folder: folder.rename(folder.with_name("elsewhere")), "backup_nowhere"),
    (of_a_later_release, "backup_newer"), (cut(0), "backup_differs"),
    *((cut(part), "backup_damaged") for part in (0.001, 0.3, 0.7, 0.95)),
]  # fmt: skip


@pytest.mark.parametrize(("harm", "code"), HARMS)
def test_what_is_not_as_it_says_is_refused_and_leaves_nothing(
    world: World, tmp_path: Path, empty: Store, harm: Any, code: str
) -> None:
    backed_up(world, tmp_path / "backup")
    shutil.copytree(tmp_path / "backup", tmp_path / "sound")
    harm(tmp_path / "backup")
    there = tmp_path / "there"
    with pytest.raises(Refused) as refused:
        bring_back(tmp_path / "backup", empty, there / "files", there / "keys.json")
    assert refused.value.reason.code == code
    assert kept_by(empty) == []
    assert [path for path in there.rglob("*") if path.is_file()] == []
    assert bring_back(tmp_path / "sound", empty, there / "files", there / "keys.json").dossiers == 2


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut(0.3), "est abîmée, ou coupée"), (of_a_later_release, "vient d’une version plus récente"),
        (change_a_row, "n’est pas ce qu’elle dit contenir : account"),
    ],
)  # fmt: skip
def test_why_a_backup_does_not_come_back_is_one_line(world: World, tmp_path: Path, harm: Any, said: str) -> None:
    backed_up(world, tmp_path / "backup")
    harm(tmp_path / "backup")
    new = Installation(str(tmp_path / "new.db"), tmp_path / "there", tmp_path / "new-keys.json")
    told = CliRunner().invoke(restore_command(lambda: new), [str(tmp_path / "backup")])
    assert (told.exit_code, said in told.stderr.replace("\u00a0", " "), told.stderr.count("\n")) == (1, True, 1), (
        told.stderr
    )


def test_rows_that_do_not_arrive_whole_are_told_and_leave_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(world, tmp_path / "backup")
    write = SqliteRows.write

    def loses_a_row(self: Any, table: str, columns: Any, rows: Any) -> None:
        write(self, table, columns, list(rows)[:-1] if table == "letter" else rows)

    monkeypatch.setattr(SqliteRows, "write", loses_a_row)
    new = Installation(str(tmp_path / "new.db"), tmp_path / "there", tmp_path / "new-keys.json")
    told = CliRunner().invoke(restore_command(lambda: new), [str(tmp_path / "backup"), "--lang", "en"])
    assert (told.exit_code, "The copy is not the same (letter" in told.stderr) == (1, True), told.output
    with closing(open_store(new.store)) as store:
        assert kept_by(store) == []
    assert not new.keys.exists()
    assert [path for path in (tmp_path / "there").rglob("*") if path.is_file()] == []


def test_each_backup_has_its_own_folder(world: World, tmp_path: Path) -> None:
    backed_up(world, tmp_path / "backup")
    with pytest.raises(Refused):
        backed_up(world, tmp_path / "backup")


def test_one_dossier_is_not_said_as_many(tmp_path: Path) -> None:
    keys().save(tmp_path / "keys.json")
    world = a_world(tmp_path, SqliteStore(tmp_path / "one.db"))
    world.office = replace(
        world.office, attachments=AttachmentStore(tmp_path / "files", FileKeys.open(tmp_path / "keys.json"))
    )
    world.sent(B3)
    here = Installation(str(tmp_path / "one.db"), tmp_path / "files", tmp_path / "keys.json")
    said = CliRunner().invoke(backup_command(lambda: here), [str(tmp_path / "b")])
    assert " 1 dossier, " in said.output, said.output


@pytest.mark.parametrize("named", [True, False])
def test_a_backup_says_what_it_does_not_hold(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    for name, value in {"DATA": tmp_path, "FILES": tmp_path / "files", "DATABASE_URL": tmp_path / "lived.db"}.items():
        monkeypatch.setenv(f"GUICHET_{name}", str(value))
    if named:
        monkeypatch.setenv("GUICHET_SECRET", "perle-noire")
        monkeypatch.setenv("GUICHET_CHECKPOINTS", "/mnt/notes")
        monkeypatch.setenv("GUICHET_GATEWAYS", "gateways.toml")
        monkeypatch.setenv("GUICHET_FOLLOW", "https://forge.example/law.git")
    said = CliRunner().invoke(backup_command(installation), [str(tmp_path / "b"), "--lang", "en"])
    assert said.exit_code == 0, said.output
    _, told = said.output.split("It does not hold what follows")
    wanted = (
        "/mnt/notes: the signed notes",
        "GUICHET_SECRET: the secret",
        "gateways.toml: the gateways",
        "procedures/registers: the registers",
    )
    alone = (f"{tmp_path}/checkpoints: ", f"{tmp_path}/cookie.secret: the secret", "procedures: the definitions")
    assert all((one in told) is named for one in wanted), told
    assert all((one in told) is not named for one in alone), told
    assert "perle-noire" not in said.output
    assert {path.name for path in (tmp_path / "b").iterdir()} == {STORE, FILES, "keys.json", CONTENTS}, "nor does it"


def test_the_commands_from_one_machine_to_another(world: World, tmp_path: Path) -> None:
    lived = Installation(world.office.store.path, world.office.attachments.blobs.folder, tmp_path / "keys.json")  # type: ignore[attr-defined]
    run = CliRunner().invoke
    said = run(backup_command(lambda: lived), [str(tmp_path / "b")])
    assert (said.exit_code, "2 dossiers" in said.output) == (0, True)
    with database() as address:
        new = Installation(address, tmp_path / "there", tmp_path / "new-keys.json")
        said = run(restore_command(lambda: new), [str(tmp_path / "b")])
        assert (said.exit_code, "2 dossiers" in said.output) == (0, True), said.output
        assert run(restore_command(lambda: new), [str(tmp_path / "b")]).exit_code == 1
        file = str(tmp_path / "moved.db")
        said = run(copy_command(lambda: lived), ["--from", address, "--to", file, "--lang", "en"])
        assert (said.exit_code, "2 dossiers" in said.output) == (0, True), said.output
        assert run(copy_command(lambda: lived), ["--from", address, "--to", file]).exit_code == 1
        assert run(copy_command(lambda: lived), ["--from", file, "--to", file]).exit_code == 2
        moved = open_store(file)
        assert set(moved.all_dossiers()) == set(world.office.store.all_dossiers())
        moved.close()
    for language, what in (("fr", "Dites quelle base"), ("en", "Say which database")):
        wrong = run(copy_command(lambda: lived), ["--from", file, "--lang", language])
        assert (wrong.exit_code, what in wrong.output) == (2, True)
    assert run(copy_command(lambda: lived), ["--from", str(tmp_path / "none.db"), "--to", file]).exit_code == 1
    nowhere = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"
    assert "n’ouvre pas" in run(copy_command(lambda: lived), ["--from", file, "--to", nowhere]).output


def test_a_new_key_is_put_in_service_by_a_command(world: World, tmp_path: Path) -> None:
    place = Installation(world.office.store.path, world.office.attachments.blobs.folder, tmp_path / "keys.json")  # type: ignore[attr-defined]
    command, run = keys_command(lambda: place), CliRunner().invoke
    files = len(list(place.files.glob("??/??/*")))
    assert f"00000000  {files} " in run(command, ["list"]).output
    said = run(command, ["rotate", "--lang", "en"])
    assert (said.exit_code, f"{files} files were brought" in said.output) == (0, True), said.output
    assert "0 fichier" in run(command, ["rotate", "--again"]).output
    signs, *listed = run(command, ["list"]).output.splitlines()
    assert signs.endswith(": signe")
    assert f"  {files} fichiers ; scelle ceux qui arrivent" in listed[0].replace("\u00a0", " "), "which key seals now"
    assert listed[1] == "00000000  0 fichier"
    assert fsck(world.office) == (), "the office that was running reads on"
    assert run(command, ["forget"]).output == "Aucun secret antérieur à oublier.\n"
    run(command, ["announce"])
    run(command, ["sign", "--now"])
    assert "\n1 secret antérieur " in run(command, ["list"]).output
    assert "\n1 earlier secret " in run(command, ["list", "--lang", "en"]).output
    assert "1 secret antérieur oublié." in run(command, ["forget"]).output.replace("\u00a0", " ")
    assert "antérieur" not in run(command, ["list"]).output
    assert run(command, ["list"]).output.endswith("00000000  0 fichier\n"), "files are not under that secret"
    held = (tmp_path / "keys.json").read_text()
    keys().save(tmp_path / "older.json")
    poor = Installation(place.store, place.files, tmp_path / "older.json")
    refused = run(backup_command(lambda: poor), [str(tmp_path / "b")])
    assert (refused.exit_code, "n’est pas dans le trousseau" in refused.output) == (1, True)
    assert "absente" in run(keys_command(lambda: poor), ["list"]).output
    (tmp_path / "older.json").write_text("{}")
    refused = run(keys_command(lambda: poor), ["rotate"])
    assert (refused.exit_code, "ne se lit pas" in refused.output) == (1, True)
    assert (tmp_path / "keys.json").read_text() == held


def test_a_signing_key_is_announced_then_signs_by_commands(tmp_path: Path) -> None:
    keys().save(tmp_path / "keys.json")
    place = Installation("sqlite:///nowhere.db", tmp_path / "files", tmp_path / "keys.json")
    command, run = keys_command(lambda: place), CliRunner().invoke
    early = run(command, ["sign"])
    assert (early.exit_code, "keys announce" in early.output) == (1, True)
    made, again = run(command, ["announce", "--lang", "en"]), run(command, ["announce"])
    (name, does), *_ = SigningKeys.open(place.keys).standing()
    assert (made.exit_code, name in made.output, "jwks.json" in made.output, does) == (0, True, True, "announced")
    assert (again.exit_code, f"{name} est déjà annoncée" in again.output) == (0, True)
    put = run(command, ["sign", "--now"])
    assert (put.exit_code, name in put.output) == (0, True)
    assert SigningKeys.open(place.keys).standing()[0] == (name, "signs")
    place.keys.write_text("{}")
    broken = run(command, ["sign"])
    assert (broken.exit_code, "ne se lit pas" in broken.output) == (1, True)


def test_keys_that_nobody_made_yet_are_not_taken_for_lost_ones(tmp_path: Path) -> None:
    place = Installation(str(tmp_path / "guichet.db"), tmp_path / "files", tmp_path / "keys.json")
    command, run = keys_command(lambda: place), CliRunner().invoke
    for action in ("announce", "sign"):
        told = run(command, [action])
        assert (told.exit_code, "aucune clé n’a encore été faite" in told.output) == (1, True)
    assert list(tmp_path.iterdir()) == []
    SqliteStore(tmp_path / "guichet.db").migrate()
    assert "cannot be read" in run(command, ["announce", "--lang", "en"]).output, "they were made, and are lost"


@pytest.mark.parametrize(("days", "early"), [(6, True), (8, False), (None, False)])
def test_a_key_announced_lately_signs_only_when_told(tmp_path: Path, days: int | None, early: bool) -> None:
    keys().save(tmp_path / "keys.json")
    announced = None if days is None else SystemClock().now() - timedelta(days=days)
    announce_key(tmp_path / "keys.json", announced)
    held = (tmp_path / "keys.json").read_bytes()
    place = Installation("sqlite:///nowhere.db", tmp_path / "files", tmp_path / "keys.json")
    command, run = keys_command(lambda: place), CliRunner().invoke
    put = run(command, ["sign", "--lang", "en"])
    assert (put.exit_code, place.keys.read_bytes() == held) == ((1, True) if early else (0, False))
    if early and announced is not None:
        assert f"from {announced + timedelta(days=7, minutes=1):%Y-%m-%d %H:%M} (UTC)" in put.stderr
        assert run(command, ["sign", "--now"]).exit_code == 0
    assert announced_at(place.keys) is None


@pytest.mark.parametrize(
    "words", [["list", "--now"], ["rotate", "--now"], ["sign", "--again"], ["announce", "--again"]]
)
def test_an_option_of_another_act_is_no_option(tmp_path: Path, words: list[str]) -> None:
    keys().save(tmp_path / "keys.json")
    place = Installation("sqlite:///nowhere.db", tmp_path / "files", tmp_path / "keys.json")
    said = CliRunner().invoke(keys_command(lambda: place), words)
    assert said.exit_code == 2
    assert "--now va avec sign" in said.stderr


@pytest.mark.xdist_group("bucket")
def test_files_move_to_a_bucket_and_back_and_a_backup_of_it_comes_back(world: World, tmp_path: Path) -> None:
    bucket, run = service().a_bucket("prefecture/files"), CliRunner().invoke
    place_of = lambda address: bucket if address == bucket.address else Path(address)  # noqa: E731
    folder = Installation(
        world.office.store.path, world.office.attachments.blobs.folder, tmp_path / "keys.json", place_of
    )  # type: ignore[attr-defined]
    there = replace(folder, files=bucket)
    moved = ["--files-from", str(folder.files), "--lang", "en"]
    said = run(copy_command(lambda: there), moved)
    assert (said.exit_code, "(2 copied this time)" in said.output) == (0, True), said.output
    world.sent(B3, world.applicant("+22890445577"))
    said = run(copy_command(lambda: there), moved)
    assert (said.exit_code, "(1 copied this time)" in said.output) == (0, True), said.output
    world.office = replace(world.office, attachments=AttachmentStore(S3BlobStore(bucket), FileKeys.open(there.keys)))
    assert fsck(world.office) == ()
    assert run(keys_command(lambda: there), ["rotate"]).exit_code == 0
    said = run(backup_command(lambda: there), [str(tmp_path / "b")])
    assert (said.exit_code, "3 dossiers" in said.output) == (0, True), said.output
    new = Installation(str(tmp_path / "new.db"), service().a_bucket(), tmp_path / "new-keys.json", place_of)
    assert run(restore_command(lambda: new), [str(tmp_path / "b")]).exit_code == 0
    back = replace(folder, files=tmp_path / "again")
    said = run(copy_command(lambda: back), ["--files-from", bucket.address, "--lang", "en"])
    assert (said.exit_code, "(3 copied this time)" in said.output) == (0, True), said.output
    assert run(copy_command(lambda: back), ["--files-from", str(back.files)]).exit_code == 2
    for files, keys_, store in (
        (new.files, new.keys, open_store(new.store)),
        (back.files, back.keys, world.office.store),
    ):
        kept = AttachmentStore(open_blob_store(files), FileKeys.open(keys_))
        assert fsck(replace(world.office, store=store, attachments=kept)) == ()
    assert run(copy_command(lambda: replace(back, files=replace(bucket, secret="wrong"))), moved).exit_code == 1
    assert run(copy_command(lambda: back), ["--from", "x", "--files-from", "y"]).exit_code == 2


def test_what_cannot_be_read_is_told_in_a_sentence_whatever_is_done_with_it(world: World, tmp_path: Path) -> None:
    store = Path(world.office.store.path)  # type: ignore[attr-defined]
    place = Installation(str(store), tmp_path / "files", tmp_path / "keys.json")
    world.office.store.close()
    spoil(store)
    for command, given in (
        (backup_command(lambda: place), [str(tmp_path / "kept")]),
        (copy_command(lambda: place), ["--from", str(store), "--to", str(tmp_path / "other.db")]),
        (copy_command(lambda: place), ["--files-from", str(tmp_path / "elsewhere")]),
        (keys_command(lambda: place), ["rotate"]),
    ):
        told = CliRunner().invoke(command, given)
        assert (told.exit_code, "abîmée" in told.output) == (1, True), (given, told.output, told.exception)
        assert isinstance(told.exception, SystemExit)


def spoil(file: Path) -> None:
    """What is kept of each dossier is no text any more."""
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE dossier_body SET body = CAST(x'ff' AS TEXT)")
