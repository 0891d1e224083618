"""The journal signed outside the store: what somebody who may write anything in the database can no longer hide."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.core.values import Plain, canonical_json
from engine.journal.chain import read_export, seal, seal_of, verify_export
from engine.journal.checkpoint import read_note
from engine.records.codec import to_plain
from engine.services.audit.integrity import export, fsck, inspect, proof_of_sending
from engine.services.context.app_context import AppContext, NotFound
from engine.services.core import checkpoints
from engine.services.core.checkpoints import LATEST, _kept, sign_journal
from engine.services.keys.signing_keys import SigningKeys
from engine.services.worker.worker import run_pass
from engine.storage.results import Conflict
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from renderers.cli.main import console
from renderers.i18n.translations import load_words
from renderers.reports.integrity import findings_report
from tests.concurrent_units import Beside, beside
from tests.engine.services.world import B3, PASSPORT, World, a_world
from tests.postgres import an_empty_store


@pytest.fixture
def world(tmp_path: Path) -> World:
    return signing(a_world(tmp_path, SqliteStore(tmp_path / "guichet.db")), tmp_path)


def signing(world: World, folder: Path) -> World:
    settings = replace(world.office.settings, checkpoints=folder / "notes", base_url="https://guichet.example")
    world.office = replace(world.office, settings=settings)
    return world


def notes(world: World) -> list[str]:
    folder = world.office.settings.checkpoints
    assert folder is not None
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*.note"))


def latest(world: World) -> str:
    assert world.office.settings.checkpoints is not None
    return (world.office.settings.checkpoints / LATEST).read_text("utf-8")


def all_entries(world: World) -> int:
    ids = list(world.office.store.all_dossiers())
    with world.office.store.unit() as unit:
        ((rows,),) = unit._rows("SELECT count(*) FROM row_entry")
        return sum(len(unit.entries(one)) for one in ids) + len(unit.deeds()) + len(unit.rights(10_000)) + int(rows)


def codes(world: World) -> set[str]:
    return {one.code for one in fsck(world.office)}


# -- signing -----------------------------------------------------------------------------------------------------------


def test_every_entry_is_signed_within_a_minute(world: World) -> None:
    world.sent(B3)
    run_pass(world.office)
    first = read_note(latest(world))
    assert first.size == all_entries(world) > 4
    assert first.origin == "guichet.example/journal"
    assert first.at == world.office.now()
    assert notes(world) == [f"2026-11-23/{first.size:012}.note", LATEST]
    world.sent(PASSPORT)
    world.wait(seconds=59)
    assert not sign_journal(world.office), "once a minute is enough"
    world.wait(seconds=1)
    assert sign_journal(world.office)
    second = read_note(latest(world))
    assert second.size == all_entries(world) > first.size
    assert fsck(world.office) == ()


def test_a_quiet_minute_is_one_more_signature_and_no_more_files(world: World) -> None:
    sign_journal(world.office)
    before, said = notes(world), latest(world)
    world.wait(minutes=1)
    assert sign_journal(world.office)
    assert notes(world) == before
    assert read_note(latest(world)).at > read_note(said).at


def test_without_a_folder_nothing_is_signed(world: World) -> None:
    world.office = replace(world.office, settings=replace(world.office.settings, checkpoints=None))
    assert not sign_journal(world.office)
    assert world.read(lambda unit: unit.tree()) is None


def test_a_folder_that_cannot_be_written_is_told_and_made_good(world: World, caplog: pytest.LogCaptureFixture) -> None:
    folder = world.office.settings.checkpoints
    assert folder is not None
    folder.write_text("in the way")
    assert not sign_journal(world.office)
    assert "could not be written" in caplog.text
    folder.unlink()
    world.wait(minutes=1)
    assert sign_journal(world.office)
    assert codes(world) == set()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_workers_that_begin_at_once_sign_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them saw that it was due; whoever waited for the tree finds it signed."""
    store: Store = SqliteStore(tmp_path / "guichet.db") if kind == "sqlite" else an_empty_store()
    world = signing(a_world(tmp_path, store), tmp_path)
    sign_journal(world.office)
    world.wait(minutes=2)
    world.sent(B3)
    other = Beside(store, lambda: sign_journal(world.office))
    with monkeypatch.context() as patch:
        beside(patch, checkpoints, "_note", other)
        assert sign_journal(world.office)
    assert other.end() is False
    store.close()


def test_a_note_that_comes_late_does_not_take_the_journal_back(world: World) -> None:
    world.sent(B3)
    sign_journal(world.office)
    late = world.read(lambda unit: unit.tree())
    assert late is not None
    world.wait(minutes=2)
    world.sent(B3)
    sign_journal(world.office)
    longer, folder = latest(world), world.office.settings.checkpoints
    assert folder is not None
    assert _kept(folder, late), "its own file is there"
    assert latest(world) == longer
    world.wait(minutes=2)
    with world.office.store.unit() as unit:
        brought_back = replace(late, at=world.office.now(), note=checkpoints._note(world.office, unit, late.size))
    assert _kept(folder, brought_back)
    assert read_note(latest(world)).size == late.size, "a backup that came back is signed later, and told"


def test_two_workers_make_one_tree(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds the first at it, and leaves it to it."""
    unit_type = type(world.read(lambda unit: unit))
    real = unit_type.put_tree

    def beaten(self: Any, *args: Any, **more: Any) -> None:
        monkeypatch.setattr(unit_type, "put_tree", real)
        raise Conflict("tree")

    monkeypatch.setattr(unit_type, "put_tree", beaten)
    world.sent(B3)
    assert not sign_journal(world.office)
    assert world.read(lambda unit: unit.tree()) is None, "nothing of it is kept"
    assert sign_journal(world.office)
    assert codes(world) == set()


def test_a_long_journal_is_taken_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.services.core.checkpoints._BATCH", 3)
    world.sent(B3)
    assert sign_journal(world.office)
    assert read_note(latest(world)).size == all_entries(world)
    assert codes(world) == set()


# -- what is found out -------------------------------------------------------------------------------------------------


def rewritten(world: World, change: Callable[[sqlite3.Connection], None]) -> set[str]:
    """What `fsck` finds once somebody who owns the database did this, its guards taken away first."""
    connection = sqlite3.connect(world.office.store.path)  # type: ignore[attr-defined]
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("PRAGMA foreign_keys=OFF")
    change(connection)
    connection.commit()
    connection.close()
    return codes(world)


def resealed(connection: sqlite3.Connection, world: World, dossier: str, also_leaves: bool) -> None:
    """A whole chain rewritten, every hash right: who did the first act is somebody else."""
    entries = world.read(lambda unit: unit.entries(dossier))
    before = ""
    for one in entries:
        new = replace(one, actor="somebody-else" if one.n == 1 else one.actor, previous=before, hash="")
        new = replace(new, hash=seal_of(new))
        before = new.hash
        connection.execute(
            "UPDATE entry SET actor = ?, body = ?, previous = ?, hash = ? WHERE dossier = ? AND n = ?",
            (new.actor, canonical_json(new.body).decode(), new.previous, new.hash, dossier, one.n),
        )
        if also_leaves:
            connection.execute("UPDATE leaf SET hash = ? WHERE chain = ? AND n = ?", (new.hash, dossier, one.n))
    if also_leaves:
        connection.execute("DELETE FROM tree_node")


def test_a_chain_rewritten_with_right_hashes_is_found(world: World) -> None:
    dossier = world.sent(B3)
    sign_journal(world.office)
    found = rewritten(world, lambda connection: resealed(connection, world, dossier.id, also_leaves=False))
    assert "leaf_differs" in found
    assert "chain" not in found, "the chain alone tells nothing"


def test_a_tree_rewritten_with_it_is_found_by_the_note_outside(world: World) -> None:
    dossier = world.sent(B3)
    sign_journal(world.office)
    found = rewritten(world, lambda connection: resealed(connection, world, dossier.id, also_leaves=True))
    assert found == {"checkpoint_differs"}


@pytest.mark.parametrize("change", ["DELETE FROM tree_node", "UPDATE tree_node SET hash = replace(hash, '0', '1')"])
def test_subtrees_that_prevent_the_next_signature_are_found(
    world: World, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is signed over them: until then an act could be written as the application writes it."""
    for module in ("engine.journal.merkle", "engine.storage.sql.journal"):
        monkeypatch.setattr(f"{module}.STEP", 1)
    world.sent(B3)
    sign_journal(world.office)
    assert codes(world) == set()
    assert rewritten(world, lambda connection: connection.execute(change)) == {"checkpoint_differs"}


def test_without_the_folder_the_note_in_the_store_finds_it(world: World) -> None:
    """As in a backup restored elsewhere, or once somebody threw the folder away."""
    dossier = world.sent(B3)
    sign_journal(world.office)
    world.office = replace(world.office, settings=replace(world.office.settings, checkpoints=None))
    assert codes(world) == set()
    found = rewritten(world, lambda connection: resealed(connection, world, dossier.id, also_leaves=True))
    assert found == {"checkpoint_differs"}
    assert "checkpoint_unreadable" in rewritten(
        world, lambda connection: connection.execute("UPDATE tree SET note = ''")
    )


def test_a_folder_without_notes_is_told(world: World) -> None:
    """Deleted, or another folder: nothing signed outside the store is left to compare the journal with."""
    world.sent(B3)
    sign_journal(world.office)
    assert "aucune signature" not in reported(world)
    folder = world.office.settings.checkpoints
    assert folder is not None
    shutil.rmtree(folder)
    assert "GUICHET_CHECKPOINTS ne contient aucune signature" in reported(world)


def reported(world: World) -> str:
    return findings_report(inspect(world.office), 1, lambda one: one, load_words(), "fr")


def test_a_journal_cut_short_is_found(world: World) -> None:
    world.sent(B3)
    sign_journal(world.office)

    def cut(connection: sqlite3.Connection) -> None:
        last = connection.execute("SELECT seq, chain, n FROM leaf ORDER BY seq DESC LIMIT 1").fetchone()
        connection.execute("DELETE FROM leaf WHERE seq = ?", last[:1])
        connection.execute("DELETE FROM entry WHERE dossier = ? AND n = ?", last[1:])
        connection.execute("DELETE FROM publication_entry WHERE n = ?", last[2:])

    assert "checkpoint_ahead" in rewritten(world, cut)


def test_an_entry_kept_out_of_the_tree_is_found(world: World) -> None:
    world.sent(B3)
    assert "leaf_missing" in rewritten(world, lambda connection: connection.execute("DELETE FROM leaf_owed"))


def test_a_note_of_another_hand_is_found(world: World) -> None:
    sign_journal(world.office)
    folder = world.office.settings.checkpoints
    assert folder is not None
    forged = replace(world.office, keys=SigningKeys.generate())
    (folder / "other").mkdir()
    world.wait(minutes=1)
    sign_journal(replace(forged, settings=replace(forged.settings, checkpoints=folder / "other")))
    (folder / "nothing.note").write_text("no note at all\n")
    assert codes(world) == {"checkpoint_not_ours", "checkpoint_unreadable"}


# -- a citizen's receipt -----------------------------------------------------------------------------------------------


def exported(world: World, folder: Path, **changes: Any) -> Path:
    dossier = world.sent(B3)
    sign_journal(world.office)
    plain: Any = export(world.office, world.owner(dossier), dossier.id)
    plain = {**plain, **changes}
    file = folder / "journal.json"
    file.write_text(json.dumps(plain, ensure_ascii=False), "utf-8")
    (folder / "jwks.json").write_text(json.dumps(dict(world.office.keys.jwks())), "utf-8")
    return file


def verified(*args: object) -> tuple[int, str]:
    told = CliRunner().invoke(console, ["verify", *map(str, args)])
    return told.exit_code, told.output


def test_an_export_proves_that_it_is_in_the_signed_journal(world: World, tmp_path: Path) -> None:
    file = exported(world, tmp_path)
    code, said = verified(file)
    assert code == 0, said
    assert "dans le journal général de" in said
    assert "/journal" not in said.replace(str(file), ""), "no page answers there"
    assert "--keys" in said
    note = tmp_path / "notes" / LATEST
    code, said = verified(file, "--keys", tmp_path / "jwks.json", "--checkpoint", note)
    assert code == 0, said
    assert "Signé par une clé" in said
    assert "que vous gardez" in said


def test_a_copy_of_the_folder_of_notes_finds_the_one_to_compare(world: World, tmp_path: Path) -> None:
    """The journal grew since: the latest note is of another length."""
    file = exported(world, tmp_path)
    own = read_note(latest(world))
    world.wait(minutes=2)
    world.sent(B3)
    sign_journal(world.office)
    notes = tmp_path / "notes"
    assert verified(file, "--checkpoint", notes / LATEST)[0] == 2
    code, said = verified(file, "--keys", tmp_path / "jwks.json", "--checkpoint", notes)
    assert (code, "que vous gardez" in said) == (0, True), said
    [kept] = notes.rglob(f"{own.size:012}.note")
    kept.write_text(kept.read_text().replace(base64.b64encode(own.root).decode(), base64.b64encode(b"x" * 32).decode()))
    code, said = verified(file, "--checkpoint", notes)
    assert (code, "AUTRE JOURNAL" in said) == (1, True)
    kept.unlink()
    code, said = verified(file, "--checkpoint", notes)
    assert (code, "il n’y a pas de note de" in said) == (2, True)


def test_an_export_before_the_first_signature_says_so(world: World, tmp_path: Path) -> None:
    dossier = world.sent(B3)
    plain: Any = export(world.office, world.owner(dossier), dossier.id)
    assert "receipt" not in plain
    file = tmp_path / "journal.json"
    file.write_text(json.dumps(plain), "utf-8")
    assert verified(file)[0] == 0
    exported(world, tmp_path / ".")
    file.write_text(json.dumps(plain), "utf-8")
    assert verified(file, "--keys", tmp_path / "jwks.json")[0] == 1


def test_another_hand_or_another_journal_does_not_pass(world: World, tmp_path: Path) -> None:
    file = exported(world, tmp_path)
    others = tmp_path / "others.json"
    others.write_text(json.dumps(dict(SigningKeys.generate().jwks())), "utf-8")
    assert verified(file, "--keys", others)[0] == 1
    assert verified(file, "--keys", file)[0] == 2
    own = read_note(latest(world))
    note = tmp_path / "mine.note"
    note.write_text(latest(world).replace(f"\n{own.size}\n", f"\n{own.size - 1}\n"), "utf-8")
    code, said = verified(file, "--checkpoint", note)
    assert (code, "Rien n’est comparé" in said) == (2, True), "an intact proof is not told broken"
    assert f"{own.size:012}.note" in said
    root = latest(world).split("\n")[2]
    other = hashlib.sha256(b"another").digest()
    note.write_text(latest(world).replace(root, base64.b64encode(other).decode()), "utf-8")
    code, said = verified(file, "--checkpoint", note)
    assert (code, "AUTRE JOURNAL" in said) == (1, True)


def test_a_receipt_cannot_be_borrowed(world: World, tmp_path: Path) -> None:
    """Its proof, its place and its note are of this entry alone."""
    file = exported(world, tmp_path)
    plain: Any = read_export(file.read_bytes())
    receipt = plain["receipt"]
    assert verify_export(plain) is None
    for change in (
        {"leaf": receipt["leaf"] - 1}, {"n": receipt["n"] - 1}, {"n": 0}, {"n": 999}, {"proof": receipt["proof"][:-1]},
        {"proof": ["00" * 32, *receipt["proof"][1:]]}, {"proof": ["xx"]}, {"checkpoint": "no note"},
        {"checkpoint": receipt["checkpoint"].replace("\n", "\n1", 1)},
    ):  # fmt: skip
        broken = verify_export({**plain, "receipt": {**receipt, **change}})
        assert broken is not None, change
        assert broken.reason == "receipt"


def test_entries_added_behind_the_signed_ones_do_not_pass(world: World, tmp_path: Path) -> None:
    """A proof of sending, gone on from by its owner: an agent decides, with right hashes under a true signature."""
    file = exported(world, tmp_path)
    plain: Any = read_export(file.read_bytes())
    last = plain["entries"][-1]
    body: Plain = {"transition": "signer", "source": "signature", "target": "delivre"}
    forged = seal(
        (last["n"], last["hash"]), last["dossier"], world.office.now(), world.agent("chief"), "transition",
        last["edition"], body,
    )  # fmt: skip
    plain["entries"].append(to_plain(forged))
    plain["head"] = {"n": forged.n, "hash": forged.hash}
    file.write_text(json.dumps(plain), "utf-8")
    code, said = verified(file, "--keys", tmp_path / "jwks.json")
    assert (code, f"ÉCRITURES {forged.n} À {forged.n} NON SIGNÉES" in said) == (1, True), said
    code, said = verified(file, "--checkpoint", tmp_path / "notes" / LATEST)
    assert (code, "NON SIGNÉES" in said) == (1, True), said
    assert "NON SIGNÉES" in verified(file)[1]


def test_offices_of_every_hand_read_the_same_receipt(world: World) -> None:
    """Auditors take the same proof away."""
    dossier = world.sent(B3)
    sign_journal(world.office)
    office: AppContext = world.office
    plain: Any = export(office, world.auditor(), dossier.id)
    assert plain["receipt"]["n"] == len(plain["entries"])


def test_a_citizen_proves_what_they_sent_and_when(world: World, tmp_path: Path) -> None:
    """Their own acts until they sent, whatever was done since; nobody else's."""
    dossier = world.sent(B3)
    owner = world.owner(dossier)
    paid = world.paid(dossier)
    sign_journal(world.office)
    plain: Any = proof_of_sending(world.office, owner, dossier.id)
    assert plain["entries"][-1]["kind"] == "submitted"
    assert len(plain["entries"]) < len(world.kinds(paid))
    assert {one["actor_kind"] for one in plain["entries"]} == {"applicant"}
    assert plain["receipt"]["n"] == len(plain["entries"])
    assert plain["openings"], "the answers are opened"
    file = tmp_path / "preuve.json"
    file.write_text(json.dumps(plain), "utf-8")
    code, said = verified(file, "--checkpoint", tmp_path / "notes" / LATEST)
    assert (code, "que vous gardez" in said) == (0, True), said
    plain["openings"][0]["value"] = "another"
    assert verify_export(plain).reason == "opening"  # type: ignore[union-attr]


def test_nothing_is_proven_before_it_is_sent_nor_to_others(world: World) -> None:
    draft = world.draft(PASSPORT)
    with pytest.raises(NotFound):
        proof_of_sending(world.office, world.owner(draft), draft.id)
    sent = world.sent(B3)
    for other in (world.applicant("+22890112299"), world.auditor()):
        with pytest.raises(NotFound):
            proof_of_sending(world.office, other, sent.id)
