"""Where an installation keeps, opened for a command that works on the whole of it, and how such a command ends when it cannot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from renderers.console_opening import opening

if TYPE_CHECKING:
    from engine.records.attachments import AttachmentStore, Place
    from engine.records.shelves import Bucket
    from engine.records.store import Store
    from renderers.words import Words

LANGUAGES = click.Choice(["fr", "en"])
NAMED = 5  # of many files that are lost; `guichet fsck` names all


@dataclass(frozen=True, slots=True)
class Installation:
    """Where an installation keeps: the address of its store, its files, its keys; `apart`: what it stands on and no backup
    holds, each by its kind with where it is."""

    store: str
    files: Path | Bucket
    keys: Path
    place_of: Callable[[str], Path | Bucket] = Path
    apart: Mapping[str, str] = field(default_factory=dict)


def wording() -> Words:
    """Loaded once a command runs."""
    from renderers.words import load_words

    return load_words()


def opened(address: str) -> Store:
    from engine.records.stores import open_store

    with opening():
        return open_store(address)


def kept(address: str, words: Words, language: str) -> Store:
    """A store that is there already: a file is not made by asking for it."""
    from engine.records.stores import file_of

    file = file_of(address)
    if file is not None and not (file.is_file() and file.stat().st_size):
        fail(words, "nothing", language, name=str(file))
    return opened(address)


def files_of(place: Installation) -> AttachmentStore:
    from engine.records.attachments import AttachmentStore
    from engine.records.file_keys import FileKeys
    from engine.records.stores import open_shelf

    return AttachmentStore(open_shelf(place.files), FileKeys.open(place.keys))


def named(address: str) -> str:
    """An address without what may be secret in it."""
    return address.rsplit("@", 1)[-1]


def fail(words: Words, key: str, language: str, code: int = 1, **facts: str) -> NoReturn:
    refuse(words.say(f"operations.{key}", language, facts), code)


def fail_for_lost(words: Words, key: str, language: str, lost: Sequence[Place]) -> None:
    """Ends with 1 where files are lost, the first of them named."""
    if lost:
        names = ", ".join(digest[:12] for _, digest in lost[:NAMED]) + (", …" if len(lost) > NAMED else "")
        fail(words, key, language, count=str(len(lost)), names=names)


def refuse(said: str, code: int = 1) -> NoReturn:
    click.echo(said, err=True)
    sys.exit(code)


def without_ring(words: Words, place: Installation, ring: Exception, language: str) -> NoReturn:
    """None was made yet where nothing is kept either; else it is lost or broken."""
    from engine.records.stores import kept_nothing

    none_yet = isinstance(ring.__cause__, FileNotFoundError) and kept_nothing(place.store)
    fail(words, "no_ring_yet" if none_yet else "no_ring", language, name=str(place.keys))
