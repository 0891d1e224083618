"""An installation of real server processes over one store, which a fault test starts, kills and checks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, Literal

import psycopg

from engine.core.values import new_id
from engine.operations.settings import Settings
from engine.records.dossier import Account, Actor
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext
from engine.services.sign_in.demo_accounts import AUDITOR
from engine.services.sign_in.sessions import actor_of, open_session
from engine.storage.postgres.store import PostgresStore
from renderers.cli.admin.installation import open_office
from tests.faults.stand import ask
from tests.makers import whole
from tests.ports import free_ports

ROOT: Final = Path(__file__).resolve().parents[2]
PROCEDURE: Final = "etal"
VISIT: Final = "visite"  # whose visit is taken as soon as it is sent
SEATS: Final = 50
SOON: Final = 20.0  # seconds for a process to answer, however busy this machine is
_ACCIDENT: Final = re.compile(r"Traceback|^\d\d:\d\d:\d\d (error|critical) ")

_FORGOTTEN: Final = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND state LIKE 'idle in transaction%' AND state_change < now() - interval '3 seconds'"""

_STALL: Final = """
title: Étal de marché
basis: {delay: loi}
legal_basis: {loi: {title: Une loi, status: to_confirm, source: Essai}}
form:
  vous:
    title: Vous
    fields:
      nom: {label: Nom, case: upper, maxLength: 60, example: AMEGAN}
evidence:
  carte: {label: Carte d'identité}
fees:
  place: {label: Place au marché, amount: 500}
appointments:
  remise:
    label: Remise de la clé
    by: maire
    lasts: 30 minutes
    hours: [08:00-12:00]
    desks: 50
    lead: 1 day
    horizon: 40 days
    moves: {times: 9, until: 1 hour}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: a_payer}
    a_payer: {label: À payer, pay: place, due: 30 days, then: cle, late: classe}
    cle: {label: Remise de la clé, attend: remise, due: 60 days, then: accorde, late: classe, missed: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
scenarios:
  accorde: {story: Un étal accordé, steps: [{take: accorder, then: a_payer}]}
"""

_VISIT: Final = """
title: Visite
basis: {delay: loi}
legal_basis: {loi: {title: Une loi, status: to_confirm, source: Essai}}
form:
  vous:
    title: Vous
    fields:
      nom: {label: Nom, maxLength: 60, example: AMEGAN}
appointments:
  remise:
    label: Visite
    by: maire
    lasts: 30 minutes
    hours: [08:00-12:00]
    desks: 50
    lead: 1 day
    horizon: 40 days
    moves: {times: 20, until: 1 hour}
workflow:
  start: cle
  states:
    cle: {label: Visite, attend: remise, due: 60 days, then: accorde, late: classe, missed: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
scenarios:
  venu: {story: Une visite, steps: [{book: {remise: 2026-12-01 08:30}}, {visit: attended, then: accorde}]}
"""


@cache
def pace() -> float:
    """How much slower the cores are than those on which ten million additions take half a second, 1 at least."""
    began, total = time.thread_time(), 0
    for number in range(1_000_000):
        total += number
    return max(1.0, (time.thread_time() - began) / 0.05)


def patient(seconds: float) -> float:
    """So many seconds on two quiet and quick cores; longer on slow ones, and on a machine that does other work."""
    return seconds * max(pace(), os.getloadavg()[0] / (os.cpu_count() or 1))


@dataclass
class Process:
    """One server process: what it is told to do, and under which number it runs."""

    order: dict[str, Any]
    port: int = 0
    pid: int = 0


@dataclass
class Installation:
    """`office` looks at the same store from outside the servers."""

    folder: Path
    office: AppContext
    log: Path
    processes: list[Process] = field(default_factory=list)

    @property
    def ports(self) -> list[int]:
        return [one.port for one in self.processes if one.port]

    # -- processes ---------------------------------------------------------------------------------------------------

    def start(self, process: Process) -> None:
        process.pid = ask(process.order)

    def kill(self, *processes: Process) -> None:
        """Kills these at once; they are no more when this returns."""
        for one in processes:
            os.kill(one.pid, signal.SIGKILL)
        for one in processes:
            self.ended(one)

    def leave(self, process: Process) -> None:
        """Tells one to stop, and waits until it has."""
        os.kill(process.pid, signal.SIGTERM)
        self.ended(process)

    def ended(self, process: Process) -> None:
        """Waits until one is no more."""
        ask({**process.order, "do": "wait", "pid": process.pid})
        process.pid = 0

    def begin(self, *processes: Process) -> float:
        """Starts these, or all, and waits until they answer; how many seconds that took."""
        began = time.monotonic()
        for one in processes or self.processes:
            self.start(one)
        self.ready(*processes)
        return time.monotonic() - began

    def answers(self, port: int, address: str = "/connexion") -> int:
        """The status of a page; 0 when nobody answers."""
        line = HTTPConnection("127.0.0.1", port, timeout=SOON)
        try:
            line.request("GET", address)
            return line.getresponse().status
        except (OSError, HTTPException):
            return 0
        finally:
            line.close()

    def ready(self, *processes: Process) -> float:
        """Waits until these servers, or all, answer; how many seconds it took."""
        began = time.monotonic()
        for port in [one.port for one in processes if one.port] or self.ports:
            while self.answers(port) != 200:
                assert time.monotonic() - began < patient(SOON), self.said()[-3000:]
                time.sleep(0.01)
        return time.monotonic() - began

    def busy(self) -> float:
        """Seconds of processor that the processes took so far."""
        return sum(_processor(one.pid) for one in self.processes if one.pid)

    def wal(self) -> int:
        """Bytes of what SQLite wrote beside the store and has not brought into it; none on PostgreSQL."""
        beside = self.folder / "data/guichet.db-wal"
        return beside.stat().st_size if beside.exists() else 0

    def left_open(self) -> int:
        """Transactions of PostgreSQL that somebody began and forgot; SQLite shows a forgotten one by what it cannot bring in."""
        if not isinstance(self.office.store, PostgresStore):
            return 0
        with psycopg.connect(self.office.store.address, autocommit=True) as connection:
            return int(connection.execute(_FORGOTTEN).fetchone()[0])  # type: ignore[index]

    # -- judging -----------------------------------------------------------------------------------------------------

    def said(self) -> str:
        return self.log.read_text("utf-8") if self.log.exists() else ""

    def accidents(self) -> list[str]:
        """What the servers told of faults of their own."""
        return [line for line in self.said().splitlines() if _ACCIDENT.search(line)]

    def findings(self) -> list[str]:
        return [str(one) for one in fsck(self.office)]

    # -- people ------------------------------------------------------------------------------------------------------

    def sessions(self, count: int) -> list[str]:
        """So many applicants, signed in: the tokens of their sessions."""
        with self.office.store.unit(write=True) as unit:
            tokens: list[str] = []
            for _ in range(count):
                name = new_id()
                account = Account(
                    f"applicant {name}",
                    "applicant",
                    "AMEGAN Afi",
                    f"+2289{time.monotonic_ns() % 10**7:07d}{len(tokens)}",
                )
                unit.put_account(account)
                tokens.append(open_session(self.office, unit, account, self.office.now()).token)
        return tokens

    def person(self, token: str) -> Actor:
        """Whose session it is."""
        found = actor_of(self.office, token)
        assert found is not None
        return found

    def mayor(self) -> str:
        """The session of the one agent."""
        return self._session_of("agent", "mairie.maire")

    def controller(self) -> str:
        """The session of the one who reads all journals."""
        return self._session_of("auditor", AUDITOR)

    def _session_of(self, kind: Literal["agent", "auditor"], login: str) -> str:
        with self.office.store.unit(write=True) as unit:
            account = unit.account_of(kind, login)
            assert account is not None
            return open_session(self.office, unit, account, self.office.now()).token


def _processor(pid: int) -> float:
    said = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def installed(
    folder: Path,
    store: str = "",
    *,
    servers: int = 2,
    workers: int = 0,
    mutant: str = "",
    threads: int = 8,
    weighed: bool = False,
    **environ: str,
) -> Iterator[Installation]:
    """So many server processes and workers beside them, over a folder of our own and the store at an address (a file of the
    folder when empty). None is started yet. `weighed`: each tells what it holds when asked (`tests/faults/memory_use.py`)."""
    procedures = folder / "procedures"
    if not procedures.exists():
        procedures.mkdir(parents=True)
        shutil.copytree(ROOT / "procedures/shared", procedures / "shared")
        for name, text in ((PROCEDURE, _STALL), (VISIT, _VISIT)):
            (procedures / f"{name}.yaml").write_text(whole(text, name), "utf-8")
    settings = Settings(procedures=procedures, data=folder / "data", database=store, demo=True)
    office, _ = open_office(settings)
    held = Installation(folder, office, folder / "servers.log")
    said = {
        "GUICHET_DATA": str(settings.data), "GUICHET_PROCEDURES": str(procedures), "DATABASE_URL": store,
        "GUICHET_DEMO": "1", "GUICHET_LOG": "text", "PYTHONUNBUFFERED": "1", **environ,
    }  # fmt: skip
    for port in free_ports(servers):
        command = ["serve", "--port", str(port), "--threads", str(threads)]
        held.processes.append(Process(_order(held, command, {**said, "PORT": str(port)}, mutant), port))
    held.processes += [Process(_order(held, ["worker"], said, mutant)) for _ in range(workers)]
    for place, one in enumerate(held.processes if weighed else ()):
        one.order["weighed"] = str(folder / f"weight-{place}")
    try:
        yield held
    finally:
        held.kill(*(one for one in held.processes if one.pid))
        office.store.close()


@contextmanager
def begun(folder: Path, store: str = "", **how: Any) -> Iterator[Installation]:
    """The same, all of them started."""
    with installed(folder, store, **how) as installation:
        installation.begin()
        yield installation


def _order(held: Installation, command: list[str], environ: Mapping[str, str], mutant: str) -> dict[str, Any]:
    return {
        "do": "start",
        "command": command,
        "environ": {**os.environ, **environ},
        "log": str(held.log),
        "mutant": mutant,
    }
