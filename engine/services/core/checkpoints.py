"""The journal signed, once a minute: whoever holds one checkpoint can tell later that nothing before it was changed, by anybody.

The worker puts every new entry at the end of the tree, signs its root and writes the note outside the store: `latest.note`, and
one note a length under the day. What a dossier's export carries proves that its entries are under such a note.
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
from engine.storage.unit_of_work import EARLIEST, Conflict, IntegrityFinding, Store, Unit

log = logging.getLogger("guichet.checkpoints")

EVERY: Final = timedelta(seconds=60)
ASTRAY: Final = timedelta(minutes=5)  # what clocks of several machines may differ by, and an act may take
LATEST: Final = "latest.note"
_BATCH: Final = 1000
_MOST_BATCHES: Final = 200


def sign_journal(ctx: AppContext) -> bool:
    """Brings the tree up to date and signs it, once a minute whatever the number of workers. Whether this one did."""
    folder = ctx.settings.checkpoints
    if folder is None or not _is_due(ctx):
        return False
    for _ in range(_MOST_BATCHES):
        with suppress(Conflict):
            done = _grow(ctx)
            if done is not None:
                return _kept(folder, done)
            continue
        return False  # another worker is at it
    return False


def _is_due(ctx: AppContext) -> bool:
    with ctx.store.unit() as unit:
        return _is_old(unit.tree(), ctx.now())


def _is_old(tree: Tree | None, now: datetime) -> bool:
    """Whether a tree is to be signed: never yet, or a minute ago. A clock set back holds nothing up; two that differ by less sign
    once."""
    return tree is None or not tree.note or not -EVERY < now - tree.at < EVERY


def _grow(ctx: AppContext) -> Tree | None:
    """One batch of what is owed; the signed tree once nothing is. Raises `Conflict` where another worker has just signed it."""
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
    """What a note names the journal by."""
    return f"{urlsplit(ctx.settings.base_url).netloc or 'guichet'}/journal"


def note_name(size: int) -> str:
    """Of the note of a journal of so many entries, in the folder of its day."""
    return f"{size:012}.note"


def _kept(folder: Path, tree: Tree) -> bool:
    """The note of a longer journal is one more file; the latest says the moment too. A folder that cannot be written is told: what
    was sealed stays sealed, and the next note says as much."""
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
    """Whether another worker wrote a longer journal's note while this one was on its way: a witness would read that as a journal
    taken back. One that was really taken back is signed later."""
    try:
        there = read_note(latest.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return there.size > tree.size and there.at >= read_note(tree.note).at


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
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
    """What proves that the first entries of a chain, so many, are under the last note; none before their first minute."""
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
    """Whether one of these public keys signed it, under its own name."""
    return any(
        one.name == checkpoint.origin and one.key == key_id(one.name, key)
        and has_signed(key, one.value, checkpoint.text.encode())
        for one in checkpoint.signatures for key in keys
    )  # fmt: skip


# -- fsck --------------------------------------------------------------------------------------------------------------


def broken_checkpoints(ctx: AppContext) -> Iterator[IntegrityFinding]:
    """Every note of the folder against the journal of now: each length it had must still begin it, leaf by leaf. The store's own
    must be a note of ours, since receipts carry it."""
    folder, keys = ctx.settings.checkpoints, ctx.keys.public_keys()
    with ctx.store.unit() as unit:
        tree = unit.tree()
    if tree is not None and tree.note:
        yield from _wrong("(store)", lambda: tree.note, keys)
    if folder is None or not folder.is_dir():
        return
    notes: dict[int, list[tuple[str, Checkpoint]]] = {}
    for file in sorted(folder.rglob("*.note")):
        name = str(file.relative_to(folder))
        wrong = list(_wrong(name, partial(file.read_text, "utf-8"), keys))
        yield from wrong
        if wrong:
            continue
        one = read_note(file.read_text("utf-8"))
        notes.setdefault(one.size, []).append((name, one))
    yield from _of_lengths(ctx.store, notes)
    yield from _backdated(ctx.store, notes)


def _wrong(name: str, text: Callable[[], str], keys: Sequence[bytes]) -> Iterator[IntegrityFinding]:
    """A note that cannot be read, or that we did not sign."""
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
    """What is no hash any more is none of those that were signed."""
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
    """Entries that came after a note and say that they were sealed before it: a clock was set back."""
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
