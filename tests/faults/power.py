"""A simulated disk that loses writes: it records the writes and syncs of SQLite and builds the disk after a power cut.

The recorder stands between SQLite of this process and the disk, passes every call on and records it. Of writes without a sync, a
cut leaves all, none, some or halves, in sectors of 512 bytes. Names in folders stay.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

SECTOR: Final = 512
_OK: Final = 0

_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_Open = ctypes.CFUNCTYPE(_I, _P, _P, _P, _I, _P)
_Delete = ctypes.CFUNCTYPE(_I, _P, ctypes.c_char_p, _I)
_Close = ctypes.CFUNCTYPE(_I, _P)
_Write = ctypes.CFUNCTYPE(_I, _P, _P, _I, _L)
_Truncate = ctypes.CFUNCTYPE(_I, _P, _L)
_Sync = ctypes.CFUNCTYPE(_I, _P, _I)


class _Vfs(ctypes.Structure):
    """SQLite's `sqlite3_vfs`, version 3."""

    _fields_ = (
        ("version", _I), ("size", _I), ("longest", _I), ("next", _P), ("name", ctypes.c_char_p), ("data", _P),
        ("open", _P), ("delete", _P), *((f"f{n}", _P) for n in range(13)),
    )  # fmt: skip


class _Methods(ctypes.Structure):
    """SQLite's `sqlite3_io_methods`, version 3."""

    _fields_ = (
        ("version", _I), ("close", _P), ("read", _P), ("write", _P), ("truncate", _P), ("sync", _P),
        *((f"f{n}", _P) for n in range(13)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wrote:
    file: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file made shorter."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Sure:
    """All that was written to a file so far is on the disk for good."""

    file: str


@dataclass(frozen=True, slots=True)
class Gone:
    file: str


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody was told that what the store holds now is kept."""

    state: str


Event: TypeAlias = Wrote | Cut | Sure | Gone | Told


@dataclass
class Recorder:
    """Everything written under a folder, in order."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    _open: dict[int, tuple[str, Any]] = field(default_factory=dict)
    _held: list[Any] = field(default_factory=list)  # what the library's memory points to

    # -- between SQLite and the disk

    def _opened(self, real: Any) -> Any:
        def opened(vfs: int, name: int, file: int, flags: int, out: int) -> int:
            code = int(real(vfs, name, file, flags, out))
            path = Path(ctypes.string_at(name).decode()) if name else None
            if code == _OK and path is not None and path.parent == self.folder:
                slot = ctypes.cast(file, ctypes.POINTER(_P))
                methods = _Methods.from_buffer_copy(ctypes.string_at(slot[0], ctypes.sizeof(_Methods)))
                calls = (_Close(methods.close), _Write(methods.write), _Truncate(methods.truncate), _Sync(methods.sync))
                for at, call in (("close", self._on_close), ("write", self._on_write),
                                 ("truncate", self._on_cut), ("sync", self._on_sync)):  # fmt: skip
                    setattr(methods, at, ctypes.cast(call, _P).value)
                self._open[file] = (path.name, calls)
                self._held.append(methods)
                slot[0] = ctypes.addressof(methods)
            return code

        return _Open(opened)

    def __post_init__(self) -> None:
        def close(file: int) -> int:
            _, calls = self._open.pop(file)
            return int(calls[0](file))

        def write(file: int, data: int, size: int, at: int) -> int:
            name, calls = self._open[file]
            code = int(calls[1](file, data, size, at))
            if code == _OK:
                self.events.append(Wrote(name, at, ctypes.string_at(data, size)))
            return code

        def cut(file: int, size: int) -> int:
            name, calls = self._open[file]
            code = int(calls[2](file, size))
            if code == _OK:
                self.events.append(Cut(name, size))
            return code

        def sync(file: int, flags: int) -> int:
            name, calls = self._open[file]
            code = int(calls[3](file, flags))
            if code == _OK:
                self.events.append(Sure(name))
            return code

        self._on_close, self._on_write = _Close(close), _Write(write)
        self._on_cut, self._on_sync = _Truncate(cut), _Sync(sync)

    def _deleted(self, real: Any) -> Any:
        def deleted(vfs: int, name: bytes, sure: int) -> int:
            code = int(real(vfs, name, sure))
            path = Path(name.decode())
            if code == _OK and path.parent == self.folder:
                self.events.append(Gone(path.name))
            return code

        return _Delete(deleted)


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """What this process's SQLite writes under a folder, in files that it opens from now on."""
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    usual = library.sqlite3_vfs_find(None)
    recorder = Recorder(folder)
    ours = _Vfs.from_buffer_copy(ctypes.string_at(usual, ctypes.sizeof(_Vfs)))
    opened = recorder._opened(_Open(ours.open))
    deleted = recorder._deleted(_Delete(ours.delete))
    ours.name, ours.next = b"recorder", None
    ours.open, ours.delete = ctypes.cast(opened, _P).value, ctypes.cast(deleted, _P).value
    assert library.sqlite3_vfs_register(ctypes.byref(ours), 1) == _OK
    try:
        yield recorder
    finally:
        assert not recorder._open, "a file is still open"
        assert library.sqlite3_vfs_unregister(ctypes.byref(ours)) == _OK


# -- the power is cut --------------------------------------------------------------------------------------------------


@dataclass
class Disk:
    """Files as the disk holds them for good, and what was written since."""

    sure: dict[str, bytearray]
    written: dict[str, list[Wrote | Cut]] = field(default_factory=dict)

    def after(self, event: Event) -> None:
        if isinstance(event, (Wrote, Cut)):
            self.written.setdefault(event.file, []).append(event)
        elif isinstance(event, Sure):
            for one in self.written.pop(event.file, ()):
                _apply(self.sure.setdefault(event.file, bytearray()), one)
        elif isinstance(event, Gone):
            self.sure.pop(event.file, None)
            self.written.pop(event.file, None)

    def found(self, chance: random.Random) -> dict[str, bytes]:
        """The files when the power is back."""
        how = chance.choice(("nothing", "all", "some", "some", "torn", "torn"))
        files = {}
        for name in {*self.sure, *self.written}:
            image = bytearray(self.sure.get(name, b""))
            for one in self.written.get(name, ()):
                _keep(image, one, how, chance)
            files[name] = bytes(image)
        return files


def _keep(image: bytearray, one: Wrote | Cut, how: str, chance: random.Random) -> None:
    if how == "all" or (how != "nothing" and chance.random() < 0.5):
        _apply(image, one)
    elif how == "torn" and isinstance(one, Wrote):
        first = one.at - one.at % SECTOR
        for start in range(first, one.at + len(one.data), SECTOR):
            if chance.random() < 0.5:
                low, high = max(start, one.at), min(start + SECTOR, one.at + len(one.data))
                _apply(image, Wrote(one.file, low, one.data[low - one.at : high - one.at]))


def _apply(image: bytearray, one: Wrote | Cut) -> None:
    if isinstance(one, Cut):
        del image[one.size :]
        return
    if len(image) < one.at:
        image.extend(bytes(one.at - len(image)))
    image[one.at : one.at + len(one.data)] = one.data


def cuts(
    before: dict[str, bytes], events: Sequence[Event], times: int, seed: int
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """So many moments of a recording, each with the files as they are found after the power was cut there."""
    chance = random.Random(seed)
    disk, place = Disk({name: bytearray(data) for name, data in before.items()}), 0
    for moment in sorted(chance.randrange(len(events) + 1) for _ in range(times)):
        while place < moment:
            disk.after(events[place])
            place += 1
        yield moment, disk.found(chance)
