"""Signed checkpoints of the journal, one a minute.

With one checkpoint its holder can later prove that nothing before it was changed. The worker appends
new entries to the tree, signs its root and writes the note outside the store. It writes `latest.note`,
and one note for each length under the day. An exported dossier carries the proof that its entries are
under such a note.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from engine.journal.checkpoint import Checkpoint, Receipt, key_id, read_note, signed, text_of
from engine.journal.leaves import Tree
from engine.journal.merkle import Growing, leaf_hash, root_of
from engine.journal.merkle import inclusion as path_of
from engine.journal.row_journal import ROW_CHAIN
from engine.records.codec import instant_text
from engine.services.context.app_context import AppContext
from engine.services.keys.signing_keys import has_signed
from engine.storage.results import EARLIEST, Conflict, IntegrityFinding
from engine.storage.unit_of_work import Store, Unit

log = logging.getLogger("guichet.checkpoints")

EVERY: Final = timedelta(seconds=60)
ASTRAY: Final = timedelta(minutes=5)  # the difference of clocks between machines, and the time an act may take
LATEST: Final = "latest.note"
_STORE: Final = "(store)"  # names the note in the store
_BATCH: Final = 1000
_MOST_BATCHES: Final = 200


def sign_journal(ctx: AppContext) -> bool:
    """Bring the tree up to date and sign it, once a minute for all workers.

    Return whether this call signed.
    """
    folder = ctx.settings.checkpoints
    if folder is None or not _is_due(ctx):
        return False
    for _ in range(_MOST_BATCHES):
        with suppress(Conflict):
            done = _grow(ctx)
            if done is not None:
                return _kept(folder, done)
            continue
        return False  # another worker is signing
    return False


def _is_due(ctx: AppContext) -> bool:
    with ctx.store.unit() as unit:
        return _is_old(unit.tree(), ctx.now())


def _is_old(tree: Tree | None, now: datetime) -> bool:
    """Return whether a tree must be signed: it was never signed, or a minute ago.

    A clock set back does not block signing. Two clocks that differ by less than a minute sign once.
    """
    return tree is None or not tree.note or not -EVERY < now - tree.at < EVERY


def _grow(ctx: AppContext) -> Tree | None:
    """Append one batch of new entries.

    Return the signed tree once none is left. Raises `Conflict` if another worker has just signed it.
    """
    with ctx.store.unit(write=True) as unit:
        before, now = unit.tree(), ctx.now()
        if not _is_old(before, now):
            raise Conflict("tree")
        owed = unit.owed_leaves(_BATCH)
        size = before.size if before else 0
        unit.add_leaves(size, owed)
        size += len(owed)
        whole = len(owed) < _BATCH
        note = _note(ctx, unit, size) if whole else (before.note if before else "")
        after = Tree(size, now if whole or before is None else before.at, note)
        unit.put_tree(after, first=before is None)
    return after if whole else None


def _note(ctx: AppContext, unit: Unit, size: int) -> str:
    name = origin_of(ctx)
    text = text_of(name, size, root_of(size, unit.tree_nodes), ctx.now())
    public, signature = ctx.keys.sign_bytes(text.encode())
    return signed(text, name, public, signature)


def origin_of(ctx: AppContext) -> str:
    """Return the name of the journal in its notes."""
    return f"{urlsplit(ctx.settings.base_url).netloc or 'guichet'}/journal"


def note_name(size: int) -> str:
    """Return the file name of the note of a journal with so many entries, in the folder of its day."""
    return f"{size:012}.note"


def _kept(folder: Path, tree: Tree) -> bool:
    """Write the notes: one file for a new length, and the latest one with its time.

    A folder that cannot be written is logged. The signed tree stays, and the next note covers it.
    """
    day = folder / tree.at.date().isoformat()
    try:
        day.mkdir(parents=True, exist_ok=True)
        named = day / note_name(tree.size)
        if not named.exists():
            _write(named, tree.note)
        if not _is_overtaken(folder / LATEST, tree):
            _write(folder / LATEST, tree.note)
    except OSError as error:
        log.error("the checkpoint could not be written: %s", type(error).__name__)
        return False
    return True


def _is_overtaken(latest: Path, tree: Tree) -> bool:
    """Return whether another worker already wrote the note of a longer journal.

    A witness would read the older note as a journal cut short. A journal that was really cut is signed
    later.
    """
    try:
        there = read_note(latest.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return there.size > tree.size and there.at >= read_note(tree.note).at


def _write(file: Path, text: str) -> None:
    """Write the whole file or nothing."""
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


# -- proofs ------------------------------------------------------------------------------------------------------------


def receipt_of(unit: Unit, chain: str, entries: int) -> Receipt | None:
    """Return the proof that the first `entries` entries of a chain are under the last note.

    None in the minute before they are signed.
    """
    tree = unit.tree()
    if tree is None or not tree.note:
        return None
    size = read_note(tree.note).size
    found = unit.last_leaf(chain, size, entries)
    if found is None:
        return None
    at, leaf = found
    return Receipt(leaf.n, at, tuple(one.hex() for one in path_of(at, size, unit.tree_nodes)), tree.note)


def is_signed(checkpoint: Checkpoint, keys: Iterable[bytes]) -> bool:
    """Return whether one of these public keys signed the checkpoint under its own name."""
    return any(
        one.name == checkpoint.origin and one.key == key_id(one.name, key)
        and has_signed(key, one.value, checkpoint.text.encode())
        for one in checkpoint.signatures for key in keys
    )  # fmt: skip


# -- fsck --------------------------------------------------------------------------------------------------------------


def broken_checkpoints(ctx: AppContext) -> Iterator[IntegrityFinding]:
    """Yield each note, of the folder or in the store, that differs from the present journal.

    Each noted length must still begin it, leaf by leaf. The note in the store is compared also without a
    folder, as in a restored backup. Receipts carry it.
    """
    folder, keys = ctx.settings.checkpoints, ctx.keys.public_keys()
    with ctx.store.unit() as unit:
        tree = unit.tree()
        whole = not unit.owed_leaves(1)
    texts: list[tuple[str, Callable[[], str]]] = []
    if tree is not None and (tree.note or (tree.size and whole)):  # without a note only until it is first signed
        texts.append((_STORE, lambda: tree.note))
    if folder is not None:
        files = sorted(folder.rglob("*.note"))
        texts += [(str(file.relative_to(folder)), partial(file.read_text, "utf-8")) for file in files]
    notes: dict[int, list[tuple[str, Checkpoint]]] = {}
    for name, text in texts:
        wrong = list(_wrong(name, text, keys))
        yield from wrong
        if wrong:
            continue
        one = read_note(text())
        if name == _STORE and not _is_whole(ctx.store, one):
            yield IntegrityFinding("checkpoint_differs", None, {"file": name, "entries": one.size})
        notes.setdefault(one.size, []).append((name, one))
    yield from _of_lengths(ctx.store, notes)
    yield from _backdated(ctx.store, notes)


def _is_whole(store: Store, note: Checkpoint) -> bool:
    """Return whether the stored subtrees lead to the root of the last note. The next one is signed over them."""
    with store.unit() as unit, suppress(ValueError, IndexError):
        return root_of(note.size, unit.tree_nodes) == note.root
    return False


def has_notes(ctx: AppContext) -> bool:
    """Return whether the folder of checkpoints holds a note, or the journal is not signed into a folder."""
    folder = ctx.settings.checkpoints
    return folder is None or any(True for _ in folder.rglob("*.note"))


def _wrong(name: str, text: Callable[[], str], keys: Sequence[bytes]) -> Iterator[IntegrityFinding]:
    """Yield a finding for a note that is unreadable or not signed by this installation."""
    try:
        one = read_note(text())
    except (OSError, ValueError):
        yield IntegrityFinding("checkpoint_unreadable", None, {"file": name})
        return
    if not is_signed(one, keys):
        yield IntegrityFinding("checkpoint_not_ours", None, {"file": name})


def _of_lengths(store: Store, notes: Mapping[int, Sequence[tuple[str, Checkpoint]]]) -> Iterator[IntegrityFinding]:
    growing = Growing()
    yield from _differing(notes, growing)
    longest = max(notes, default=0)
    while growing.size < longest:
        with store.unit() as unit:
            hashes = unit.leaf_hashes(growing.size, min(growing.size + _BATCH, longest))
        for one in hashes:
            growing.add(leaf_hash(_sealed(one)))
            yield from _differing(notes, growing)
        if not hashes:
            break
    for size in sorted(one for one in notes if one > growing.size):
        for name, _ in notes[size]:
            yield IntegrityFinding("checkpoint_ahead", None, {"file": name, "entries": growing.size})


def _sealed(leaf: str) -> bytes:
    """Return the bytes of a leaf hash. A text that is no hash matches no signed leaf."""
    try:
        return bytes.fromhex(leaf)
    except ValueError:
        return b""


def _differing(notes: Mapping[int, Sequence[tuple[str, Checkpoint]]], growing: Growing) -> Iterator[IntegrityFinding]:
    if growing.size not in notes:
        return
    root = growing.root()
    for name, one in notes[growing.size]:
        if one.root != root:
            yield IntegrityFinding("checkpoint_differs", None, {"file": name, "entries": one.size})


def _backdated(store: Store, notes: Mapping[int, Sequence[tuple[str, Checkpoint]]]) -> Iterator[IntegrityFinding]:
    """Yield entries that follow a note but carry an earlier time: a clock was set back."""
    ahead = sorted((size, max(one.at for _, one in those)) for size, those in notes.items())
    signed, place, more = EARLIEST + ASTRAY, ahead[0][0] if ahead else 0, bool(ahead)
    while more:
        with store.unit() as unit:
            leaves, more = (
                unit.leaves_sealed(place, place + _BATCH),
                bool(unit.leaf_hashes(place + _BATCH, place + _BATCH + 1)),
            )
        for at, (leaf, sealed) in enumerate(leaves, place):
            while ahead and ahead[0][0] <= at:
                signed = max(signed, ahead.pop(0)[1])
            if ROW_CHAIN not in leaf.chain and sealed < instant_text(signed - ASTRAY):
                yield IntegrityFinding(
                    "journal_backdated", leaf.chain, {"entry": leaf.n, "after": instant_text(signed)}
                )
        place += _BATCH
