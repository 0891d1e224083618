"""Opening of the store and the blob store of an address.

A store is `postgresql://…` or a file (`sqlite:///path`, or a path).
"""

from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from engine.storage.files.blob_store import BlobStore, Bucket, FolderBlobStore
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store

_POSTGRES = re.compile(r"postgres(ql)?:")
_SERVER = re.compile(r"postgres(ql)?://")
_KEYWORDS = re.compile(r"(host|hostaddr|port|dbname|user|service)\s*=")
_SQLITE = re.compile(r"\Asqlite:(///)?")
_URL = re.compile(r"\w+://")
_WORD = re.compile(r"(\w+)\s*=\s*'?([^\s']+)")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_PROVEN = frozenset({"verify-ca", "verify-full"})


class WrongAddress(ValueError):
    """Not an address of a store. It is never taken as a file name: data stored there would be lost."""


def file_of(address: str | Path) -> Path | None:
    """Return the file of a SQLite store, None for a server.

    The address of a server is a URL or libpq's `host=… dbname=…`.
    """
    text = str(address)
    is_server = _POSTGRES.match(text) or _KEYWORDS.match(text)
    return None if is_server else Path(_SQLITE.sub("", text, count=1))


def open_store(address: str | Path, follows: bool = False, threads: int = 0) -> Store:
    """Return the store at an address, not migrated. `follows` accepts a standby server, to read only.

    `threads` is the number of threads that serve requests in this process, 0 without any.

    Raises `WrongAddress`, `UnsafeSettings`, `Busy`, `Damaged`.
    """
    file, text = file_of(address), str(address)
    if not (_SQLITE if file is not None else _SERVER).match(text) and (_URL.match(text) or _POSTGRES.match(text)):
        raise WrongAddress(_without_secret(text))
    if file is not None:
        return SqliteStore(file)
    from engine.storage.postgres.store import PostgresStore  # its driver takes 8 MiB of memory: not loaded for a file

    return PostgresStore(str(address), follows=follows, threads=threads)


def address_in(setting: str) -> str:
    """Return the address of a store that a setting gives, empty where it gives none.

    A word or a relative path is refused: a misspelt server would become a new, empty file. Raises
    `WrongAddress`.
    """
    file = file_of(setting) if setting else None
    if file is not None and not (_SQLITE.match(setting) or file.is_absolute()):
        raise WrongAddress(_without_secret(setting))
    return setting


def kept_nothing(address: str | Path) -> bool:
    """Return whether nothing was ever stored there. False where that cannot be known."""
    file = file_of(address)
    try:
        if file is not None:
            os.lstat(file)
            return False
        with closing(open_store(address, follows=True)) as store:
            return store.migration_state().untouched
    except FileNotFoundError:
        return True
    except Exception:  # unreachable, locked, damaged, wrong address: the store cannot be examined
        return False


def unproven_server(address: str | Path, mode: str = "") -> str:
    """Return the remote host of a database whose certificate is not checked.

    Neither the address nor `mode` checks it. A third party on the way could read and answer. Empty
    where there is none.
    """
    text = str(address)
    if file_of(address) is not None:
        return ""
    if _SERVER.match(text):
        split = urlsplit(text)
        asked = dict(parse_qsl(split.query))
        host = asked.get("host") or split.hostname or ""
    else:
        asked = dict(_WORD.findall(text))
        host = asked.get("host") or asked.get("hostaddr", "")
    here = not host or host.startswith("/") or host in _HERE
    return "" if here or asked.get("sslmode", mode) in _PROVEN else host


def _without_secret(address: str) -> str:
    return address.rpartition("@")[2]


def open_blob_store(place: Path | Bucket) -> BlobStore:
    """Return the blob store of files: a folder, or a bucket, whose client is loaded only then.

    Raises `WrongBlobStore`.
    """
    if isinstance(place, Path):
        return FolderBlobStore(place)
    from engine.storage.files.s3 import S3BlobStore

    return S3BlobStore(place)
