"""The places of an installation for commands on the whole of it, and the ways such a command ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from renderers.i18n.translations import Translations, load_words


@contextmanager
def opening() -> Iterator[None]:
    """End the command with 1 and one line if opening a part inside fails."""
    from engine.operations.settings import EmptyFile, UnreadFile, WrongNetwork, WrongNumber, WrongSetting
    from engine.operations.store_factory import WrongAddress
    from engine.services.keys.signing_keys import NoKeys
    from engine.storage.files.blob_store import WrongBlobStore
    from engine.storage.files.encryption import NoKeyRing
    from engine.storage.results import Busy, Damaged, Unreachable
    from engine.storage.schema.migration_list import READ_ONLY, ForeignSchema, NotOwner, UnsafeSettings, WrongEncoding

    kinds = (
        (WrongEncoding, "encoding"), (UnsafeSettings, "unsafe"), (ForeignSchema, "newer"), (NotOwner, "not_owner"), (WrongBlobStore, "wrong_files"), (NoKeyRing, "no_ring"), (NoKeys, "no_ring"),
        (Damaged, "damaged"), (WrongAddress, "wrong_address"), (Busy, "silent"),
        (UnreadFile, "setting_file"), (EmptyFile, "setting_empty"), (WrongNumber, "setting_number"), (WrongNetwork, "setting_network"),
        (WrongSetting, "wrong_setting"),
    )  # fmt: skip
    try:
        yield
    except Unreachable as away:
        words, language = load_words(), _language()
        facts = {"place": away.place or "DATABASE_URL", "why": cause_of(words, away.cause, away.said, language)}
        do = words.say("doctor.do.store_unreachable", language, {})
        click.echo(f"{words.say('operations.unreachable', language, facts)} {do}", err=True)
        sys.exit(1)
    except tuple(kind for kind, _ in kinds) as refused:
        key = next(key for kind, key in kinds if isinstance(refused, kind))
        if key == "silent" and str(refused).startswith(READ_ONLY):
            key = "read_only"
        said = load_words().say(f"operations.{key}", _language(), {"why": str(refused), "name": str(refused)})
        click.echo(said, err=True)
        sys.exit(1)
    except OSError as lost:
        key = "not_allowed" if lost.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else "no_place"
        facts = {"name": str(lost.filename or "GUICHET_DATA"), "why": lost.strerror or type(lost).__name__}
        click.echo(load_words().say(f"operations.{key}", _language(), facts), err=True)
        sys.exit(1)


def say_port(host: str, port: int, error: OSError) -> str:
    """Return why the web server cannot listen there, as a sentence."""
    known = {errno.EADDRINUSE: "taken", errno.EACCES: "denied", errno.EADDRNOTAVAIL: "foreign"}
    facts = {"name": f"{host}:{port}", "other": str(port + 1), "why": error.strerror or type(error).__name__}
    return load_words().say(f"operations.port.{known.get(error.errno or 0, 'other')}", _language(), facts)


def cause_of(words: Translations, cause: str, said: str, language: str) -> str:
    """Return why a database server refuses connections, as a sentence."""
    return words.say(f"operations.cause.{cause}", language, {"said": said})


def _language() -> str:
    """Return the language of the command line, or that of the environment for a command without the option."""
    from renderers.cli.language import language_of

    return language_of(sys.argv[1:]) if len(sys.argv) > 1 else os.environ.get("GUICHET_LANG", "fr")


if TYPE_CHECKING:
    from engine.storage.files.attachments import AttachmentStore, Place
    from engine.storage.files.blob_store import Bucket
    from engine.storage.unit_of_work import Store
    from renderers.i18n.translations import Translations

LANGUAGES = click.Choice(["fr", "en"])
NAMED = 5  # lost files named at most; `guichet fsck` names all


@dataclass(frozen=True, slots=True)
class Installation:
    """Addresses of the store, the files and the keys.

    `apart` names what no backup includes, with its place by kind.
    """

    store: str
    files: Path | Bucket
    keys: Path
    place_of: Callable[[str], Path | Bucket] = Path
    apart: Mapping[str, str] = field(default_factory=dict)


def wording() -> Translations:
    """Return the translations, loaded when a command runs."""
    from renderers.i18n.translations import load_words

    return load_words()


def opened(address: str, follows: bool = False) -> Store:
    """Return the store at an address. `follows` accepts a standby server. Ends the command if it cannot be opened."""
    from engine.operations.store_factory import open_store

    with opening():
        return open_store(address, follows)


def kept(address: str, words: Translations, language: str) -> Store:
    """Return an existing store, perhaps a standby. Ends the command if its file is missing or empty."""
    from engine.operations.store_factory import file_of

    file = file_of(address)
    if file is not None and not (file.is_file() and file.stat().st_size):
        fail(words, "nothing", language, name=str(file))
    return opened(address, follows=True)


def files_of(place: Installation) -> AttachmentStore:
    """Return the attachments of an installation. Raises `NoKeyRing` if the key ring is missing or broken."""
    from engine.operations.store_factory import open_blob_store
    from engine.storage.files.attachments import AttachmentStore
    from engine.storage.files.encryption import FileKeys

    return AttachmentStore(open_blob_store(place.files), FileKeys.open(place.keys))


def named(address: str) -> str:
    """Return an address without user and password."""
    return address.rsplit("@", 1)[-1]


def fail(words: Translations, key: str, language: str, code: int = 1, **facts: str) -> NoReturn:
    """End the command with the sentence of a key on standard error and this exit code."""
    refuse(words.say(f"operations.{key}", language, facts), code)


def fail_for_lost(words: Translations, key: str, language: str, lost: Sequence[Place]) -> None:
    """End the command with 1 if files are lost, and name the first ones."""
    if lost:
        names = ", ".join(digest[:12] for _, digest in lost[:NAMED]) + (", …" if len(lost) > NAMED else "")
        fail(words, key, language, count=str(len(lost)), names=names)


def refuse(said: str, code: int = 1) -> NoReturn:
    """Print the text on standard error and exit with the code."""
    click.echo(said, err=True)
    sys.exit(code)


def without_ring(words: Translations, place: Installation, ring: Exception, language: str) -> NoReturn:
    """End the command: no key ring exists yet in an empty installation, else it is lost or broken."""
    from engine.operations.store_factory import kept_nothing

    none_yet = isinstance(ring.__cause__, FileNotFoundError) and kept_nothing(place.store)
    fail(words, "no_ring_yet" if none_yet else "no_ring", language, name=str(place.keys))
