"""The day of an office in small, repeated: requests filled in, submitted, decided, paid, appointments attended.

Each page is also requested by persons without the right to read it. There are invalid forms and unknown addresses too.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from flask import Flask

from engine.core.values import new_id
from server import blueprints
from tests.effort import pace
from tests.engine.services.world import pdf
from tests.faults.installation import PROCEDURE, Installation
from tests.faults.load import visits
from tests.faults.memory_use import Look, weighed
from tests.faults.people import Acknowledged, Browser, Journeys, agent, applicant
from tests.race_runners import together

AT_ONCE: Final = 4  # people at work side by side
_QUIET: Final = 0.3  # seconds after which a server knows that everybody is gone
_ENDS_A_SESSION: Final = "/deconnexion"


@cache
def addresses(*given: str) -> tuple[str, ...]:
    """The addresses of all that is read, where these things and no others are said in them."""
    app = Flask("addresses", static_folder=None)
    for one in blueprints():
        app.register_blueprint(one)
    rules = [
        one.rule
        for one in app.url_map.iter_rules()
        if "GET" in (one.methods or ()) and one.arguments == set(given) and one.rule != _ENDS_A_SESSION
    ]
    return tuple(sorted({re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule) for rule in rules}))


@dataclass
class Soak:
    """People at work on an installation, round after round, and what each of its processes held after each round. `every`: seconds
    that a round takes at least, as people think."""

    installation: Installation
    every: float = 0.0
    looks: dict[str, list[Look]] = field(default_factory=dict)  # by what a process does
    statuses: Counter[int] = field(default_factory=Counter)
    wal: int = 0  # bytes, at most
    left_open: int = 0  # transactions, at most
    rounds: int = 0
    waits: list[list[float]] = field(
        default_factory=list
    )  # seconds of the pages read in each round, by the pace of the cores

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._done, self._visits = (
            Acknowledged(self.installation.folder / "acknowledged"),
            visits(self.installation.office),
        )
        self._mayor, self._controller = self.installation.mayor(), self.installation.controller()

    def run(self, rounds: int = 0, seconds: float = 0.0) -> None:
        """So many rounds, and for so long."""
        end = time.monotonic() + seconds
        for _ in range(rounds):
            self._round()
        while time.monotonic() < end:
            self._round()

    def _round(self) -> None:
        """Four new people do all there is to do; when they are gone, each process is looked at."""
        tokens, came = self.installation.sessions(AT_ONCE), time.monotonic()
        answered, slower = together(AT_ONCE, lambda place: self._at_work(place, tokens[place], came)), pace()
        waits: list[float] = []
        for one in answered:
            if isinstance(one, BaseException):  # told as it is, not as what is missing from a sum
                raise one
            self.statuses += one[0]
            waits += [seconds / slower for seconds in one[1]]
        self.waits.append(waits)
        self.rounds += 1
        time.sleep(_QUIET)
        self.wal, self.left_open = (
            max(self.wal, self.installation.wal()),
            max(self.left_open, self.installation.left_open()),
        )
        for one in self.installation.processes:
            look = Look(self.statuses.total(), time.monotonic() - self._began, weighed(one.pid, one.order["weighed"]))
            self.looks.setdefault(one.order["command"][0], []).append(look)

    def _at_work(self, place: int, token: str, came: float) -> tuple[Counter[int], list[float]]:
        """What one of them and those beside them were answered, and how long they waited for each page read."""
        ports, first = self.installation.ports, (self.rounds * AT_ONCE + place) % len(self._visits)
        person, helper, stranger = applicant(ports, token), agent(ports, self._mayor), Browser(ports, {})
        everybody = (person, helper, Browser(ports, {"guichet-audit": self._controller}), stranger)
        number = Journeys(person, helper, self._done, pdf(), self._visits[first:] + self._visits[:first]).one(0)
        person.open(f"/dossiers/{number}/recapitulatif.pdf")  # the compiler keeps much of the last ten papers
        waits = self._read(place, number, everybody, came)
        self._wrong(number, person, stranger)
        for one in everybody:
            one.close()
        return Counter(status for one in everybody for status in one.statuses), waits

    def _read(self, place: int, number: str, everybody: Sequence[Browser], came: float) -> list[float]:
        """One page in four, so that the four of a round read them all; in four rounds each page is asked for by everybody."""
        waits = []
        known = (*addresses(), *addresses("number"), *addresses("slug"))
        for at in range(place, len(known), AT_ONCE):
            address = known[at].format(number=number, slug=PROCEDURE)
            asked = time.monotonic()
            everybody[(at // AT_ONCE + self.rounds) % len(everybody)].open(address)
            waits.append(time.monotonic() - asked)
            time.sleep(max(0.0, came + self.every * at / len(known) - time.monotonic()))
        return waits

    def _wrong(self, number: str, person: Browser, stranger: Browser) -> None:
        """What nobody can foresee, and what is refused."""
        for address in (f"/{new_id()}", f"/demarches?q={new_id()}", f"/v/{new_id()}", f"/suivi?numero={new_id()}"):
            stranger.open(address)
        person.post(f"/dossiers/{number}/messages", {"text": new_id()})
        person.post(f"/dossiers/{number}/demande/vous", {"nom": new_id(), "go": "next"})  # it was sent
        stranger.again(lambda: stranger.once("POST", "/connexion", b"phone=9", "application/x-www-form-urlencoded"))

    def told(self) -> str:
        """What was seen, for whoever reads along."""
        lines = [f"{self.rounds} rounds, {self.statuses.total()} answers, {self.wal} bytes written ahead at most"]
        for name, looks in self.looks.items():
            lines += [
                f"{name} after {one.requests} in {one.seconds:.0f} s: {one.weight}"
                for one in looks[:: max(1, len(looks) // 20)]
            ]
        return "\n".join(lines)
