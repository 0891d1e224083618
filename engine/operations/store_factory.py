"""Which store an address names: `postgresql://…`, or a file (`sqlite:///path`, or the path alone); on which shelf files lie."""

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
    """No address of a store. Never taken for the name of a file: what is kept there would be found by nobody."""


def file_of(address: str | Path) -> Path | None:
    """The file of a SQLite store; None for a server, whose address is a URL or libpq's `host=… dbname=…`."""
    text = str(address)
    is_server = _POSTGRES.match(text) or _KEYWORDS.match(text)
    return None if is_server else Path(_SQLITE.sub("", text, count=1))


def open_store(address: str | Path) -> Store:
    """The store at an address, not migrated. Raises `WrongAddress`, `UnsafeSettings`, `Busy`, `Damaged`."""
    file, text = file_of(address), str(address)
    if not (_SQLITE if file is not None else _SERVER).match(text) and (_URL.match(text) or _POSTGRES.match(text)):
        raise WrongAddress(_without_secret(text))
    if file is not None:
        return SqliteStore(file)
    from engine.storage.postgres.store import PostgresStore  # its driver is 8 MiB of memory: not loaded for a file

    return PostgresStore(str(address))


def kept_nothing(address: str | Path) -> bool:
    """Whether nothing was ever kept there. Where that cannot be known, something may be: False."""
    file = file_of(address)
    try:
        if file is not None:
            os.lstat(file)
            return False
        with closing(open_store(address)) as store:
            return store.migration_state().untouched
    except FileNotFoundError:
        return True
    except Exception:  # away, shut, damaged, no address: whatever keeps us from seeing
        return False


def unproven_server(address: str | Path, mode: str = "") -> str:
    """The other machine where a database stands, when neither its address nor `mode` asks it who it is: anybody on the way
    could read and answer. Empty where there is no such thing."""
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
    """Where files handed in lie: a folder, or a bucket, whose client is loaded for it alone. Raises `WrongShelf`."""
    if isinstance(place, Path):
        return FolderBlobStore(place)
    from engine.storage.files.s3 import S3BlobStore

    return S3BlobStore(place)
