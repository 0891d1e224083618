"""The processes of a run. Each works in the folder of the run, by which it is found, continued and killed, whatever ends the run.

Groups are not enough: the server of PostgreSQL and each of its processes leave the group of the Patroni that started them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.faults.cluster import BY

ROOT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = ROOT / "var/failover.lock"  # held while a run lasts; names its folder


@contextmanager
def alone() -> Iterator[Path]:
    """Yield the folder of the run, and end all its processes afterwards.

    What a killed run left behind is ended first. Raises BlockingIOError while another run lasts.
    """
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a+", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.seek(0)
        if earlier := held.read().strip():
            end_all(Path(earlier))
        folder = Path(mkdtemp(prefix="guichet-failover-"))
        folder.chmod(0o755)
        held.truncate(0)
        held.write(str(folder))
        held.flush()
        try:
            yield folder
        finally:
            end_all(folder)
            held.truncate(0)


def own_folder(path: Path) -> Path:
    """Create a folder for servers that refuse root."""
    path.mkdir(mode=0o755)
    if os.geteuid() == 0:
        shutil.chown(path, BY, BY)
    return path


def start(folder: Path, command: Sequence[str], environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a server in its folder and in a group of its own, not as root. What it says is in `log` there."""
    account = {"user": BY, "group": BY, "extra_groups": []} if os.geteuid() == 0 else {}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, start_new_session=True, env={**os.environ, "HOME": str(folder), **(environ or {})},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **account,  # type: ignore[call-overload]
        )  # fmt: skip


def processes(folder: Path) -> Iterator[int]:
    """Yield the processes that work in a folder."""
    for one in Path("/proc").iterdir():
        with suppress(OSError):
            if one.name.isdigit() and Path(os.readlink(one / "cwd")).is_relative_to(folder):
                yield int(one.name)


def signal_all(folder: Path, number: signal.Signals) -> None:
    """Send a signal to each process that works in a folder."""
    for one in processes(folder):
        with suppress(ProcessLookupError):
            os.kill(one, number)


def end_all(folder: Path) -> None:
    """Continue and kill them, and delete the folder."""
    kill_all(folder)
    shutil.rmtree(folder, ignore_errors=True)


def kill_all(folder: Path) -> None:
    """Kill each process that works in a folder, frozen ones too, until none is left."""
    end = time.monotonic() + 20
    while any(processes(folder)) and time.monotonic() < end:
        signal_all(folder, signal.SIGKILL)
        signal_all(folder, signal.SIGCONT)
        time.sleep(0.05)
