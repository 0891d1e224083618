"""PostgreSQL servers of the tests alone, which they stop, kill and start again: one, or a primary with its standby.

Other tests share the server of this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

import psycopg

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

    def run(self, tool: str, *more: str, folder: bool = True) -> None:
        done = subprocess.run(
            [*_somebody(), str(_tool(tool)), *(("-D", str(self.folder / "data")) if folder else ()), *more], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{tool}: {done.stderr}"

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute one statement and return its rows."""
        with psycopg.connect(self.address, autocommit=True) as connection:
            found = connection.execute(sql)  # type: ignore[call-overload]
            return found.fetchall() if found.description else []

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self.run("pg_ctl", "-w", "-t", "120", "-o", options, "-l", str(self.folder / "log"), "start")

    def stop(self, how: Literal["fast", "immediate"]) -> None:
        self.run("pg_ctl", "-w", "-t", "120", "-m", how, "stop")

    def end(self) -> None:
        """Stop the server, if it runs."""
        with suppress(FileNotFoundError, ProcessLookupError):  # stopped, or killed
            if not _has_ended(next(self.processes())):
                self.stop("immediate")

    def processes(self) -> Iterator[int]:
        """The postmaster and its children."""
        first = int((self.folder / "data/postmaster.pid").read_text("utf-8").split()[0])
        yield first
        yield from map(int, Path(f"/proc/{first}/task/{first}/children").read_text("utf-8").split())

    def kill(self) -> None:
        """The postmaster is killed where it stands; its children see that and go."""
        first = (self.folder / "data/postmaster.pid").read_text("utf-8").split()[0]
        os.kill(int(first), signal.SIGKILL)

    def forget(self) -> None:
        """Remove the lock of a server that was killed. It counts as running for as long as its parent has not read its end."""
        with suppress(FileNotFoundError):
            lock = self.folder / "data/postmaster.pid"
            assert _has_ended(int(lock.read_text("utf-8").split()[0])), "it runs"
            lock.unlink()


def _has_ended(process: int) -> bool:
    """Return whether a process has ended, even if its parent has not read its end yet."""
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text("utf-8").rpartition(")")[2].split()[0] == "Z"


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
def a_folder() -> Iterator[Path]:
    """A folder of the account that runs the servers, gone afterwards."""
    folder = Path(mkdtemp(prefix="guichet-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, BY)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_cluster() -> Iterator[Cluster]:
    with a_folder() as folder:
        one = Cluster(folder, free_port())
        one.run("initdb", "-U", BY, "-A", "trust", "-E", "UTF8", "--no-locale", "--data-checksums")
        one.start()
        try:
            yield one
        finally:
            one.end()


@dataclass
class Pair:
    """A primary and the standby that confirms each of its commits. A promotion exchanges them."""

    primary: Cluster
    standby: Cluster

    @property
    def address(self) -> str:
        """Both servers, in this order: the first that accepts connections is taken, whatever it is."""
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://{BY}@{hosts}/postgres?target_session_attrs=any"

    def confirm(self, by: str) -> None:
        """`*`: commits wait for the standby, and this one until it is there. Empty: they wait for none."""
        self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{by}'")
        self.primary.ask("SELECT pg_reload_conf()")
        end = time.monotonic() + 30
        while by and not self.primary.ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"):
            assert time.monotonic() < end, "no standby confirms"
            time.sleep(0.02)

    def promote(self) -> None:
        """Make the standby the primary. Its commits wait for none, until the other server is back."""
        self.primary, self.standby = self.standby, self.primary
        self.primary.run("pg_ctl", "-w", "promote")
        self.confirm("")

    def rejoin(self) -> None:
        """Start the server that was the primary as a standby, whether it was stopped or killed."""
        self.primary.ask("CHECKPOINT")  # pg_rewind reads the new timeline from it
        self.standby.forget()
        source = f"host=127.0.0.1 port={self.primary.port} user={BY} dbname=postgres"
        data = str(self.standby.folder / "data")
        self.standby.run("pg_rewind", "--target-pgdata", data, "--source-server", source, "-R", folder=False)
        self.standby.start()


@contextmanager
def a_pair() -> Iterator[Pair]:
    """A primary and a synchronous standby."""
    with a_cluster() as primary, a_folder() as folder:
        primary.ask("ALTER SYSTEM SET wal_keep_size = '256MB'")  # pg_rewind reads what was written before the loss
        primary.ask("SELECT pg_reload_conf()")
        standby = Cluster(folder, free_port())
        standby.run("pg_basebackup", "-d", primary.address, "-R", "-c", "fast", "-X", "stream")
        standby.start()
        pair = Pair(primary, standby)
        pair.confirm("*")
        try:
            yield pair
        finally:
            standby.end()
