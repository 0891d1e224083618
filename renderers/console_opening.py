"""Why an installation does not open, said to whoever runs it: a store that cannot be trusted or does not answer, files that
have no place. No trace of the program, and nothing secret of an address."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from renderers.words import Words, load_words


@contextmanager
def opening() -> Iterator[None]:
    """Ends the command with 1 and one line when what is opened inside refuses."""
    from engine.office.installation import UnreadFile, WrongNetwork, WrongNumber, WrongSetting
    from engine.office.keys import NoKeys
    from engine.records.file_keys import NoRing
    from engine.records.shelves import WrongShelf
    from engine.records.sqlite_schema import READ_ONLY, ForeignSchema, UnsafeSettings
    from engine.records.store import Busy, Damaged, Unreachable
    from engine.records.stores import WrongAddress

    kinds = (
        (UnsafeSettings, "unsafe"), (ForeignSchema, "newer"), (WrongShelf, "wrong_files"), (NoRing, "no_ring"), (NoKeys, "no_ring"),
        (Damaged, "damaged"), (WrongAddress, "wrong_address"), (Busy, "silent"),
        (UnreadFile, "setting_file"), (WrongNumber, "setting_number"), (WrongNetwork, "setting_network"),
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


def cause_of(words: Words, cause: str, said: str, language: str) -> str:
    """Why a server of the store lets nobody in, in words."""
    return words.say(f"operations.cause.{cause}", language, {"said": said})


def _language() -> str:
    """That of the command line; a command without a choice of language speaks the environment's."""
    from renderers.console_language import language_of

    return language_of(sys.argv[1:]) if len(sys.argv) > 1 else os.environ.get("GUICHET_LANG", "fr")
