"""What happens to the cluster under load, and what people saw of it meanwhile."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Final

from tests.failover.children import kill_all, signal_all
from tests.failover.topology import PROXY, Topology
from tests.faults.installation import PROCEDURE, VISIT, Installation, patient
from tests.faults.load import Load
from tests.faults.people import Answered, Browser

ROLLING: Final = "rolling restart"
FROZEN: Final = 30.0  # seconds
SETTLED: Final = 30.0  # seconds from the return of a quorum to a planned switchover
AGAIN: Final = 12  # acts acknowledged after an event
PAGES: Final = (  # that need no store
    "/", "/demarches", f"/demarches/{PROCEDURE}", f"/demarches/{VISIT}", "/aide", "/connexion"
)  # fmt: skip


@dataclass(frozen=True)
class Round:
    """One event. Seconds: `gap` without any acknowledged act, `served` from a promotion until each process is ready."""

    event: str
    bound: float  # of the gap, on a quiet machine
    slow: float  # by which bounds are multiplied
    gap: float
    served: float
    page: float  # the longest of a page that needs no store
    unread: int  # such pages that were not shown
    get: float  # the longest of the people at work
    post: float
    busy: int  # 503
    failed: int  # any other 5xx
    cut: int
    acknowledged: int

    def broken(self, slow: float) -> Iterator[str]:
        """Yield the bounds that it breaks, on a machine so much slower than a quiet one."""
        for name, value, bound in (
            ("gap", self.gap, self.bound), ("served", self.served, 2.0), ("page", self.page, 0.5),
        ):  # fmt: skip
            if value > bound * slow:
                yield f"{self.event}: {name} {value:.1f} s, at most {bound * slow:.1f}"
        refused = self.busy + self.cut if self.event == ROLLING else 0
        if self.failed or refused or self.unread:
            yield f"{self.event}: {self.failed} answers 5xx, {refused} refused, {self.unread} public pages not shown"

    def line(self) -> str:
        """Return what is printed."""
        return (
            f"{self.event:16} gap {self.gap:5.1f} (at most {self.bound:.0f} × {self.slow:.1f})  served {self.served:.1f}  page {self.page:.2f} unread {self.unread}"
            f"  503 {self.busy}  other 5xx {self.failed}  cut {self.cut}"
            f"  GET {self.get:.1f}  POST {self.post:.1f}  acknowledged {self.acknowledged}"
        )


@dataclass
class Watch:
    """Two who only look: one reads public pages through the proxy, one asks each process whether it is ready."""

    installation: Installation
    reader: Browser = field(default_factory=lambda: Browser((PROXY,), {}))
    ready: dict[int, list[tuple[float, bool]]] = field(default_factory=dict)  # by port; seconds since 1970
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Look until the block ends. A page that a process shows for the first time needs the store: each is shown once before."""
        for port in self.installation.ports:
            assert {self.installation.answers(port, page) for page in PAGES} == {200}
        jobs = [lambda: self._read(), *(lambda port=port: self._ask(port) for port in self.installation.ports)]
        threads = [threading.Thread(target=job) for job in jobs]
        for one in threads:
            one.start()
        try:
            yield self
        finally:
            self.over.set()
            for one in threads:
                one.join(patient(60))

    def _read(self) -> None:
        turn = 0
        while not self.over.wait(0.2):
            try:
                self.reader.once("GET", PAGES[turn % len(PAGES)])
            except OSError:
                continue
            turn += 1

    def _ask(self, port: int) -> None:
        seen = self.ready.setdefault(port, [])
        while not self.over.wait(0.1):
            status = self.installation.answers(port, "/readyz")
            seen.append((time.time(), status == 200))

    def served(self, since: float) -> float:
        """Return after how many seconds each process was ready."""
        first = [min([at for at, ready in seen if ready and at >= since], default=inf) for seen in self.ready.values()]
        return max(first) - since


@dataclass
class Events:
    """A cluster, its people, and what can happen."""

    topology: Topology
    installation: Installation
    load: Load
    watch: Watch
    quorum_back: float = -inf  # when two etcd last came back

    def server_killed(self, leader: int) -> None:
        """The server process of the primary; its Patroni lives."""
        os.kill(self.topology.postmaster(leader), signal.SIGKILL)
        self._go_on()

    def machine_lost(self, leader: int) -> None:
        """All processes of the primary and its Patroni, which start again later."""
        kill_all(self.topology.node(leader))
        try:
            self._go_on()
        finally:
            self.topology.start_node(leader)

    def switchover(self, leader: int) -> None:
        """The administrator moves the primary, half a minute after a lost quorum came back, as the manual says.

        Until then standbys may still see the former leader, and none takes over for 17 s.
        """
        time.sleep(max(0.0, self.quorum_back + SETTLED - time.monotonic()))
        self.topology.switch_over(leader)
        self._go_on()

    def frozen(self, leader: int) -> None:
        """The machine of the primary is frozen, until the watchdog that the files require resets it.

        Without a watchdog, a server that wakes answers reads for a second with what it knew before: 404 was seen.
        """
        signal_all(self.topology.node(leader), signal.SIGSTOP)
        time.sleep(FROZEN)
        self.machine_lost(leader)

    def quorum_lost(self, _: int) -> None:
        """Two etcd of three are frozen."""
        for place in (0, 1):
            signal_all(self.topology.etcd(place), signal.SIGSTOP)
        time.sleep(FROZEN)
        for place in (0, 1):
            signal_all(self.topology.etcd(place), signal.SIGCONT)
        self.quorum_back = time.monotonic()
        self._go_on()

    def rolling_restart(self, _: int) -> None:
        """Each web process is stopped in order and started again."""
        for one in [one for one in self.installation.processes if one.port]:
            self.installation.leave(one)
            self.installation.begin(one)
            time.sleep(4)  # until the proxy believes it
        self._go_on()

    def _go_on(self) -> None:
        """Wait until people are served again."""
        before, end = self.load.done.count(), time.monotonic() + patient(120)
        while self.load.done.count() < before + AGAIN:
            assert not self.load.broken, self.load.broken
            assert time.monotonic() < end, "no person is served again"
            time.sleep(0.05)

    def play(self, event: str) -> Round:
        """Let one event happen to a cluster that is whole, and wait until it is whole again."""
        happens, bound = EVENTS[event]
        leader = self.topology.ready()
        self._go_on()
        promoted, began, wall = len(self.topology.promotions()), time.monotonic(), time.time()
        happens(self, leader)
        self.topology.ready()
        time.sleep(2)  # for what was still waiting
        new = [at for at in self.topology.promotions()[promoted:] if at >= wall - 1]
        return self._judged(event, bound, began, self.watch.served(new[0]) if new else 0.0)

    def _judged(self, event: str, bound: float, began: float, served: float) -> Round:
        people = [one for person in list(self.load.people) for one in list(person.answered) if one.at >= began]
        pages = [one for one in list(self.watch.reader.answered) if one.at >= began]
        done = [began, *sorted(one for one in list(self.load.done.at) if one >= began), time.monotonic()]
        statuses = Counter(one.status for one in (*people, *pages))
        failed = sum(times for status, times in statuses.items() if status >= 500 and status not in {503, 507})
        return Round(
            event, bound, patient(1.0), max(after - before for before, after in pairwise(done)), served,
            longest(pages, "GET"), sum(one.status != 200 for one in pages), longest(people, "GET"), longest(people, "POST"),
            statuses[503], failed, statuses[0], len(done) - 2,
        )  # fmt: skip


def longest(answers: list[Answered], method: str) -> float:
    """Return the seconds of the longest answer to this method."""
    return max((one.seconds for one in answers if one.method == method), default=0.0)


EVENTS: Final[dict[str, tuple[Callable[[Events, int], None], float]]] = {  # with the bound of the gap
    "server killed": (Events.server_killed, 10.0),
    "machine lost": (Events.machine_lost, 35.0),
    "switchover": (Events.switchover, 8.0),
    "frozen": (Events.frozen, 35.0),
    "quorum lost": (Events.quorum_lost, 3.0),
    ROLLING: (Events.rolling_restart, 8.0),
}
_OFTEN: Final = {"server killed": 3, "machine lost": 3, "switchover": 2, "frozen": 1, "quorum lost": 1}


def order(rounds: int, seed: int) -> list[str]:
    """Return the events of a run: ten in a seeded order, again from the first where more are asked for."""
    ten = [name for name, times in _OFTEN.items() for _ in range(times)]
    random.Random(seed).shuffle(ten)
    return [ten[turn % len(ten)] for turn in range(rounds)]
