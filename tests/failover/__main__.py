"""The documented cluster (docs/deploy/cluster) under load while it loses servers, machines and its quorum.

`python -m tests.failover [--rounds 10] [--seed N] [--install]` (`make failover`), as root. It prints one line a round and writes
`var/failover.json`. Bounds grow with the load of the machine. 0: all were kept; 1: some were not; 75: another run lasts.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psycopg

from engine.storage.table_copy import TABLES
from tests.failover.children import ROOT, alone
from tests.failover.events import ROLLING, Events, Watch, order
from tests.failover.topology import HOST, NAMES, PROXY, SQL, Topology, database_address, settings
from tests.faults.installation import Installation, begun, patient
from tests.faults.load import under_load
from tests.faults.outcomes import faults_of
from tests.faults.stand import close_stand
from tests.long import commit

PACKAGES: Final = ("postgresql", "patroni", "etcd-server", "haproxy", "python3-etcd")
PEOPLE: Final = 6
PAUSE: Final = 0.2  # seconds between the acts of one of them
LONGEST: Final = 20 * 60  # seconds of load
REPORT: Final = ROOT / "var/failover.json"
FROM_THE_FILE: Final = ("GUICHET_PROXIES", "GUICHET_LEAVE_AFTER")  # of guichet.env, for each process


def install() -> None:
    """Install the packages. Where the system allows it, Debian starts their services on the usual ports: said first."""
    print(f"apt-get install {' '.join(PACKAGES)}: Debian may start these services on their usual ports.", flush=True)
    quiet = ["env", "RUNLEVEL=1", "apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(quiet, check=True)


def versions() -> dict[str, str]:
    """Return the versions of the packages."""
    asked = ["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES, "postgresql-[0-9]*"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.endswith(" "))


def rows(place: int) -> dict[str, int]:
    """Return how many rows each table of a server has."""
    with psycopg.connect(host=HOST, port=SQL + place, user="guichet", password="guichet", dbname="guichet") as line:
        return {name: line.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}  # type: ignore[index]


def faults(topology: Topology, installation: Installation, acknowledged: list[tuple[str, str]]) -> Iterator[str]:
    """Yield what is lost, doubled, damaged or logged as an accident, once no process writes any more."""
    installation.kill(*(one for one in installation.processes if one.pid))
    leader, end = topology.ready(), time.monotonic() + patient(30)
    own = rows(leader)
    for place in {*range(len(NAMES))} - {leader}:
        while (other := rows(place)) != own and time.monotonic() < end:
            time.sleep(0.5)
        yield from (
            f"{NAMES[place]} has {other[name]} rows of {name}, the primary {own[name]}"
            for name in own
            if own[name] != other[name]
        )
    yield from faults_of(installation, acknowledged)
    yield from (f"log: {line}" for line in installation.accidents())


def backed_up(installation: Installation) -> Iterator[str]:
    """Yield why a backup from a standby fails, as the documented unit makes it."""
    [order] = [one.order for one in installation.processes[:1]]
    standby = database_address().replace("read-write", "prefer-standby")
    environ = {**order["environ"], "DATABASE_URL": standby}
    made = installation.folder / "backup"
    command = [sys.executable, "-c", "from renderers.cli.main import console; console()", "backup", str(made)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode or not made.is_dir():
        yield f"backup from a standby: {done.returncode} {done.stderr[-400:]}"


def play_all(cluster: Events, events: list[str], report: dict[str, Any]) -> None:
    """Play the events, then one rolling restart."""
    end = time.monotonic() + LONGEST
    for event in [*events, ROLLING]:
        assert time.monotonic() < end, "twenty minutes of load are over"
        one = cluster.play(event)
        print(one.line(), flush=True)
        report["rounds"].append(asdict(one))
        report["broken"] += one.broken(one.slow)
        report["beyond"] += one.broken(1.0)


def run(folder: Path, events: list[str], report: dict[str, Any]) -> None:
    """Start the cluster and its people, play the events, and judge what is stored."""
    said = settings("guichet.env")
    environ = {name: said[name] for name in FROM_THE_FILE if name in said}
    topology = Topology(folder)
    topology.begin()
    with ExitStack() as held:
        held.callback(close_stand)
        installation = held.enter_context(
            begun(folder / "guichet", database_address(), servers=2, workers=1, **environ)
        )
        topology.begin_proxy(installation.ports)
        watch = Watch(installation)
        with (
            watch.watching(),
            under_load(installation, PEOPLE, (PROXY,), PAUSE, busy=frozenset({502, 503, 504, 507})) as load,
        ):
            try:
                play_all(Events(topology, installation, load, watch), events, report)
            except AssertionError as error:  # what is stored is judged all the same
                report["broken"].append(repr(error)[:2000])
        report["acknowledged"] = load.done.count()
        report["broken"] += backed_up(installation)
        report["faults"] = list(faults(topology, installation, load.done.all()))


def summary(report: dict[str, Any]) -> Iterator[str]:
    """Yield the worst gap by event, and what broke."""
    for event in sorted({one["event"] for one in report["rounds"]}):
        worst = max(one["gap"] for one in report["rounds"] if one["event"] == event)
        yield f"worst {event}: {worst:.1f} s"
    yield f"{report['acknowledged']} acts acknowledged; lost, doubled, damaged, accidents: {len(report['faults'])}"
    yield from (*report["faults"][:20], *(f"beyond the bound of a quiet machine: {one}" for one in report["beyond"]))
    yield from (f"broken: {one}" for one in report["broken"])


def keep_logs(folder: Path) -> None:
    """Copy what the servers said to `var/failover-logs`."""
    logs = ROOT / "var/failover-logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    for path in folder.glob("*/*log"):
        shutil.copy(path, logs / f"{path.parent.name}.{path.name}")


def main() -> int:
    """Run the command line."""
    reader = argparse.ArgumentParser(prog="python -m tests.failover", description=__doc__)
    reader.add_argument("--rounds", type=int, default=10)
    reader.add_argument("--seed", type=int, default=random.randrange(10_000))
    reader.add_argument("--install", action="store_true", help="install the packages of Debian first")
    asked = reader.parse_args()
    if asked.install:
        install()
    logging.disable(logging.WARNING)  # of this process, which only looks
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.default_int_handler)
    events = order(asked.rounds, asked.seed)
    report: dict[str, Any] = {"commit": commit(), "seed": asked.seed, "packages": versions(), "rounds": [], "broken": [], "beyond": [], "faults": [], "acknowledged": 0}  # fmt: skip
    print(f"commit {report['commit']}, seed {asked.seed}: {', '.join(events)}", flush=True)
    try:
        with alone() as folder:
            try:
                run(folder, events, report)
            except AssertionError as error:
                report["broken"].append(repr(error)[:2000])
            finally:
                keep_logs(folder)
                REPORT.write_text(json.dumps(report, indent=1, ensure_ascii=False), "utf-8")
    except BlockingIOError:
        print("another run lasts", file=sys.stderr)
        return 75
    print("\n".join(summary(report)), flush=True)
    return int(bool(report["broken"] or report["faults"]))


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
