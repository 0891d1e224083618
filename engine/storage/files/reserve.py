"""Disk space that uploads never use. The database, sign-in, acts and payments thus continue when uploads have
filled the disk.

Only disks of this machine are measured. A bucket reports itself that it is full (`NoRoom`).
"""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.storage.results import Busy

LEAST: Final = 256 * 1024 * 1024  # bytes; or `SHARE` of the disk, whichever is larger
SHARE: Final = 0.02

log = logging.getLogger("guichet.reserve")


class NoSpace(Busy):
    """The disk or the bucket has no space for a file. Other writes go on."""


@dataclass
class Reserve:
    """Free space to preserve. `folders` hold the database and the files. `size` is in bytes, and depends on each disk
    if None."""

    folders: tuple[Path, ...]
    size: int | None = None
    _refusing: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def free_bytes(self, times: int = 1) -> int:
        """Return the bytes left before uploads stop, on the fullest disk. Negative inside the reserve. `times`
        multiplies the reserve."""
        return min((self._left(one, times) for one in self.folders), default=2**62)

    def check(self, size: int, *, unproven: bool = False) -> None:
        """Check that a file of this size leaves the reserve free. Raises `NoRoom`.

        Files of unverified drafts stop at twice the reserve, so that they never use space of verified applicants.
        """
        full = self.free_bytes() < size
        if full is not self._refusing:
            self._report(full)
        if full or (unproven and self.free_bytes(2) < size):
            raise NoSpace("reserve")

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
        while not folder.exists() and folder != folder.parent:  # the first file creates it
            folder = folder.parent
        try:
            disk = shutil.disk_usage(folder)
        except OSError:  # an absent disk has no space
            return -1
        size = self.size if self.size is not None else max(LEAST, int(disk.total * SHARE))
        return disk.free - size * times
