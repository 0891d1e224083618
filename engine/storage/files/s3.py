"""Files in a bucket of an S3-compatible service, for installations of several machines without a shared disk.

A name is one object, written in one request, which the service answers once it is durable. No optional feature of a
service is needed. A swept object is first moved aside until the next sweep. So a file uploaded again at that moment is
found there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from engine.storage.files.blob_store import SCHEME, Bucket, StoredObject, WrongBlobStore
from engine.storage.files.reserve import NoSpace
from engine.storage.gate import WAIT_LIMIT, ThreadLimit
from engine.storage.results import Busy

SWEPT: Final = "swept"
AT_ONCE: Final = 4  # threads that may wait for the service: half of those that serve requests, by default
_NO_BUCKET: Final = "NoSuchBucket"
_FULL: Final = ("QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "507 Insufficient Storage")
_CONNECT, _ANSWER = timedelta(seconds=3), timedelta(seconds=20)
_RETRIES: Final = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class S3BlobStore:
    """The files under one address. Times are those of the service's clock."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._kept = _opened(bucket)
        self._process = os.getpid()
        self._threads = ThreadLimit(AT_ONCE)

    def __str__(self) -> str:
        return self.bucket.address

    @property
    def _there(self) -> S3Store:
        """The client of this process."""
        if self._process != os.getpid():
            self._kept, self._process = _opened(self.bucket), os.getpid()
        return self._kept

    def read(self, name: str) -> bytes | None:
        """Return the blob, even if a sweep moved it aside, or None if there is none."""
        found = self._get(name)
        return found if found is not None else self._get(f"{SWEPT}/{name}")

    def write(self, name: str, data: bytes, lasting: bool = True) -> None:
        """Store the blob, replacing the former one. It is always durable, whatever `lasting`."""
        with self._answering():
            obstore.put(self._there, name, data, use_multipart=False)

    def renew(self, name: str) -> bool:
        """Return False: only a new write gives a blob the present time."""
        return False

    def lies(self, under: str = "") -> Iterator[StoredObject]:
        """Yield all blobs, or those of one folder of names. Those moved aside are left out."""
        return (one for one in self._listed(under) if not one.name.startswith(f"{SWEPT}/"))

    def remove(self, name: str) -> None:
        """Delete the blob, if any."""
        self._maybe(lambda: obstore.delete(self._there, name))

    def take_away(self, name: str, limit: float) -> bool:
        """Move the blob aside if it is older than `limit`, in seconds. Returns whether it did."""
        head = self._maybe(lambda: obstore.head(self._there, name))
        if head is None or head["last_modified"].timestamp() >= limit:
            return False
        self._put_in(name, f"{SWEPT}/{name}")
        self.remove(name)
        return True

    def tidy(self, named: Collection[str], limit: float) -> None:
        """Restore blobs in `named` that were moved aside, and delete those moved before `limit`."""
        for one in list(self._listed(SWEPT)):
            name = one.name.removeprefix(f"{SWEPT}/")
            if name in named:
                self._bring_back(one.name, name)
            if name in named or one.at < limit:
                self.remove(one.name)

    def check(self) -> None:
        """Write, read and delete a probe. Raises `WrongBlobStore`, also if access is refused, and `Busy`."""
        probe, said = f"probe/{secrets.token_hex(8)}", secrets.token_bytes(16)
        try:
            with self._answering():
                obstore.put(self._there, probe, said, use_multipart=False)
                if bytes(obstore.get(self._there, probe).bytes()) != said:
                    raise WrongBlobStore(str(self))
                obstore.delete(self._there, probe)
        except _Refusing as refused:
            raise WrongBlobStore(str(refused)) from None

    def _bring_back(self, aside: str, name: str) -> None:
        if self._maybe(lambda: obstore.head(self._there, name)) is None:
            self._put_in(aside, name)

    def _put_in(self, name: str, other: str) -> None:
        """Copy by reading and writing: some services report a copy that they did not make."""
        if (data := self._get(name)) is not None:
            self.write(other, data)

    def _get(self, name: str) -> bytes | None:
        found = self._maybe(lambda: obstore.get(self._there, name).bytes())
        return None if found is None else bytes(found)

    def _listed(self, under: str) -> Iterator[StoredObject]:
        batches = iter(obstore.list(self._there, under or None))
        while True:
            with self._answering():
                batch = next(batches, None)
            if batch is None:
                return
            for one in batch:
                yield StoredObject(one["path"], one["last_modified"].timestamp(), one["size"])

    def _maybe(self, ask: Callable[[], Any]) -> Any:
        """Return the result, or None if no object has this name."""
        with self._answering():
            try:
                return ask()
            except FileNotFoundError as missing:
                if _NO_BUCKET in str(missing):
                    raise
        return None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Wait for the service as one of `AT_ONCE` threads, so that a silent one keeps no page waiting. Raises `Busy`."""
        with self._threads.place(WAIT_LIMIT), _errors():
            yield


def _opened(bucket: Bucket) -> S3Store:
    there = urlsplit(bucket.address)
    if f"{there.scheme}://" != SCHEME or not there.netloc or there.query or there.fragment:
        raise WrongBlobStore(f"GUICHET_FILES: {bucket.address}")
    if not bucket.endpoint.startswith(("https://", "http://")):
        raise WrongBlobStore(f"GUICHET_FILES_ENDPOINT: {bucket.endpoint or '-'}")
    if not bucket.key or not bucket.secret:
        raise WrongBlobStore("GUICHET_FILES_KEY, GUICHET_FILES_SECRET: -")
    client: dict[str, Any] = {"connect_timeout": _CONNECT, "timeout": _ANSWER}
    if bucket.endpoint.startswith("http://"):
        client["allow_http"] = True
    if bucket.authority is not None:
        client["root_certificate"] = _certificate(bucket.authority)
    return S3Store(
        there.netloc, prefix=there.path.strip("/") or None, endpoint=bucket.endpoint.rstrip("/"),
        access_key_id=bucket.key, secret_access_key=bucket.secret, region=bucket.region,
        client_options=client, retry_config=_RETRIES,  # type: ignore[arg-type]
    )  # fmt: skip


def _certificate(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as missing:
        raise WrongBlobStore(f"GUICHET_FILES_AUTHORITY: {file} ({type(missing).__name__})") from None


class _Refusing(Busy):
    """The service answers and refuses access. The right settings restore it, and nothing is lost."""


@contextmanager
def _errors() -> Iterator[None]:
    """Map errors of the service to `Busy`, or `NoRoom` if full. Its messages may name files of people, so they are
    dropped."""
    try:
        yield
    except FileNotFoundError:
        raise _Refusing(_NO_BUCKET) from None
    except (PermissionDeniedError, UnauthenticatedError) as refused:
        raise _Refusing(type(refused).__name__) from None
    except (BaseError, OSError) as silent:
        full = any(code in str(silent) for code in _FULL)
        raise (NoSpace if full else Busy)(type(silent).__name__) from None
