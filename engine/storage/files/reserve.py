"""Free space that uploads never use: the store, sign-in, acts and payments go on when no file can be kept.

Only disks of this machine are measured. A bucket says itself that it is full (`NoRoom`).
"""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.storage.unit_of_work import Busy

LEAST: Final = 256 * 1024 * 1024  # bytes; or the share of the disk below, whichever is larger
SHARE: Final = 0.02

log = logging.getLogger("guichet.reserve")


class NoRoom(Busy):
    """The disk or the bucket has no room for a file. Other writes go on."""


@dataclass
class Reserve:
    """`folders` are where the store and the files are kept. `size` is in bytes; by default it depends on each disk."""

    folders: tuple[Path, ...]
    size: int | None = None
    _refusing: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def free_bytes(self, times: int = 1) -> int:
        """Bytes left before uploads stop, on the disk that has the least; negative once inside the reserve."""
        return min((self._left(one, times) for one in self.folders), default=2**62)

    def check(self, size: int, *, unproven: bool = False) -> None:
        """Raises `NoRoom` when a file of this size would use the reserve. Files of unproven drafts stop at twice the reserve, so
        that they never take the room of proven people."""
        full = self.free_bytes() < size
        if full is not self._refusing:
            self._report(full)
        if full or (unproven and self.free_bytes(2) < size):
            raise NoRoom("reserve")

    def _report(self, full: bool) -> None:
        with self._guard:
            if full is self._refusing:
                return
            self._refusing = full
        if full:
            log.warning("uploads stop: free disk space is down to the reserve (guichet doctor says how much is left)")
        else:
            log.info("uploads go on: there is free disk space again")

    def _left(self, folder: Path, times: int) -> int:
        while not folder.exists() and folder != folder.parent:  # made by the first file
            folder = folder.parent
        try:
            disk = shutil.disk_usage(folder)
        except OSError:  # a disk that is not there has no room
            return -1
        size = self.size if self.size is not None else max(LEAST, int(disk.total * SHARE))
        return disk.free - size * times
