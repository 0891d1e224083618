"""A PostgreSQL server of the tests alone, which they stop, kill and start again. Other tests share the server of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from tests.ports import free_port

BY = "postgres"  # the account that runs it where we are root, whom PostgreSQL refuses


@dataclass(frozen=True)
class Cluster:
    """`address` is of an empty database of it."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"postgresql://{BY}@127.0.0.1:{self.port}/postgres"

    def run(self, tool: str, *more: str) -> None:
        done = subprocess.run(
            [*_somebody(), str(_tool(tool)), "-D", str(self.folder / "data"), *more], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{tool}: {done.stderr}"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self.run("pg_ctl", "-w", "-t", "120", "-o", options, "-l", str(self.folder / "log"), "start")

    def stop(self, how: Literal["fast", "immediate"]) -> None:
        self.run("pg_ctl", "-w", "-t", "120", "-m", how, "stop")

    def processes(self) -> Iterator[int]:
        """The postmaster and its children."""
        first = int((self.folder / "data/postmaster.pid").read_text("utf-8").split()[0])
        yield first
        yield from map(int, Path(f"/proc/{first}/task/{first}/children").read_text("utf-8").split())

    def kill(self) -> None:
        """The postmaster is killed where it stands; its children see that and go."""
        first = (self.folder / "data/postmaster.pid").read_text("utf-8").split()[0]
        os.kill(int(first), signal.SIGKILL)


def _somebody() -> list[str]:
    return ["runuser", "-u", BY, "--"] if os.geteuid() == 0 else []


def _tool(name: str) -> Path:
    """Of the newest version that is installed."""
    found = shutil.which(name)
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda one: float(one.parts[-3]))
    if not versions and found is None:
        raise RuntimeError(f"{name} is not here: a PostgreSQL server must be installed, `apt-get install postgresql`")
    return versions[-1] if versions else Path(str(found))


@contextmanager
def a_cluster() -> Iterator[Cluster]:
    folder = Path(mkdtemp(prefix="guichet-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, BY)
    one = Cluster(folder, free_port())
    one.run("initdb", "-U", BY, "-A", "trust", "-E", "UTF8", "--no-locale")
    one.start()
    try:
        yield one
    finally:
        one.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
