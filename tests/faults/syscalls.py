"""One command in a process of its own, in which one system call fails or kills the process (strace)."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.storage.results import Busy
from tests.faults.installation import patient

CALLS: Final = (
    "openat",
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "link",
    "ftruncate",
    "unlink",
    "close",
    "mkdir",
)
FAULTS: Final = {"killed": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
DONE, REFUSED, ACCIDENT = 0, 3, 4
KILLED: Final = -9
_ANYBODY: Final = ctypes.c_ulong(-1)
_SET_PTRACER: Final = 0x59616D61
Work = Callable[[], object]


@dataclass(frozen=True)
class Fault:
    """The so-manieth call of one name goes wrong."""

    call: str
    nth: int
    how: str

    @property
    def said(self) -> list[str]:
        return ["-e", f"trace={self.call}", "-e", f"inject={self.call}:{FAULTS[self.how]}:when={self.nth}"]


def strace() -> str:
    """Where it is. Missing, it fails the tests; it never skips them."""
    found = shutil.which("strace")
    if found is None:
        raise RuntimeError("strace is not here; run `make tracer`, or `apt-get install strace`")
    return found


def run(opened: Callable[[], Work], say: list[str], log: Path) -> int:
    """How a process ended that did some work with strace at its side from its first call to its last; not yet while it was
    `opened`."""
    told, tell = os.pipe()
    go, start = os.pipe()
    child = os.fork()
    if not child:
        _obey(opened, tell, go, log)
    os.close(tell)
    os.close(go)
    assert os.read(told, 1) == b"r"
    side = subprocess.Popen([strace(), "-f", "-o", str(log), "-p", str(child), *say], stderr=subprocess.PIPE, text=True)
    assert side.stderr is not None
    said = side.stderr.readline()
    assert "attached" in said, said
    os.write(start, b"g")
    status = os.waitstatus_to_exitcode(_waited(child))
    side.communicate(timeout=patient(30))
    os.close(told)
    os.close(start)
    return status


def _waited(child: int) -> int:
    end = time.monotonic() + patient(60)
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.002)
    os.kill(child, 9)
    return os.waitpid(child, 0)[1]


def _obey(opened: Callable[[], Work], tell: int, go: int, log: Path) -> None:
    """In the child: nothing of it outlives the work. Where it ended, its status says: what is acknowledged is its end."""
    status = ACCIDENT
    try:
        work = opened()
        ctypes.CDLL(None).prctl(_SET_PTRACER, _ANYBODY, 0, 0, 0)
        os.write(tell, b"r")
        os.read(go, 1)
        work()
        status = DONE
    except Busy:
        status = REFUSED
    except BaseException:
        log.with_suffix(".accident").write_text(traceback.format_exc(), "utf-8")
    finally:
        sys.stdout = sys.stderr = None  # type: ignore[assignment]
        os._exit(status)


def counted(opened: Callable[[], Work], log: Path) -> Counter[str]:
    """How often each of the calls is made when nothing goes wrong."""
    assert run(opened, ["-e", f"trace={','.join(CALLS)}"], log) == DONE, log.with_suffix(".accident").read_text("utf-8")
    made = re.findall(r"^\d+ +(\w+)\(", log.read_text("utf-8", "replace"), re.MULTILINE)
    return Counter(one for one in made if one in CALLS)


def faults(made: Counter[str]) -> list[Fault]:
    """Each call of each kind, each way."""
    return [Fault(call, nth, how) for call, times in made.items() for nth in range(1, times + 1) for how in FAULTS]


def install() -> None:
    """What a fresh machine needs (Debian's package). Asks for root when it is missing."""
    if shutil.which("strace"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
    subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "strace"], check=True)


if __name__ == "__main__" and "--install" in sys.argv:
    install()
