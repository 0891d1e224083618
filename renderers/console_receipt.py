"""What `guichet verify` says of the place of an export in the signed journal, offline: in it or not, who signed, whether it is the
journal that the reader keeps a copy of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from engine.office.checkpoints import is_signed, note_name
from engine.office.keys import public_keys
from engine.records.checkpoints import Checkpoint, read_note
from engine.records.journal import receipt_in
from engine.values import Plain
from renderers.console_text import told


def receipt_told(export: Plain, keys: Path | None, checkpoint: Path | None, language: str) -> tuple[list[str], int]:
    """The lines to say of an export whose chain holds, and the exit code."""
    receipt = receipt_in(export)
    if receipt is None:
        asked = keys is not None or checkpoint is not None
        return [told("no_receipt", language)], 1 if asked else 0
    stated = read_note(receipt.checkpoint)
    host = stated.origin.removesuffix("/journal")  # a name and no address: nothing answers there
    said = [told("included", language, n=receipt.n, size=stated.size, day=stated.at.date().isoformat(), host=host)]
    code = 0
    for key, facts, bad in (*_signed(stated, keys), *_compared(stated, checkpoint)):
        said.append(told(key, language, **facts))
        code = max(code, bad)
    return said, code


def _signed(stated: Checkpoint, keys: Path | None) -> Iterator[tuple[str, dict[str, object], int]]:
    if keys is None:
        yield "unchecked", {}, 0
        return
    try:
        ring = public_keys(json.loads(keys.read_text("utf-8")))
    except (OSError, ValueError):
        yield "no_note", {"name": keys.name}, 2
        return
    yield ("signed", {}, 0) if is_signed(stated, ring) else ("not_signed", {}, 1)


def _compared(stated: Checkpoint, checkpoint: Path | None) -> Iterator[tuple[str, dict[str, object], int]]:
    """With the reader's copy of one note, or of their folder: the one of the same length is in it, if they had it then."""
    if checkpoint is None:
        return
    if checkpoint.is_dir():
        kept = next(iter(sorted(checkpoint.rglob(note_name(stated.size)))), None)
        if kept is None:
            yield "no_such_note", {"size": stated.size, "name": note_name(stated.size)}, 2
            return
        checkpoint = kept
    try:
        own = read_note(checkpoint.read_text("utf-8"))
    except (OSError, ValueError):
        yield "no_note", {"name": checkpoint.name}, 2
        return
    if own.size != stated.size:
        yield "another_length", {"own": own.size, "size": stated.size, "name": note_name(stated.size)}, 2
    else:
        yield ("same", {}, 0) if own.root == stated.root else ("other", {"size": own.size}, 1)
