"""Many persons who use an installation at the same time, until a test has enough results."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from engine.services.context.app_context import AppContext
from engine.storage.results import Busy
from tests.engine.services.world import pdf
from tests.faults.installation import Installation, patient
from tests.faults.people import Acknowledged, Answered, Browser, Journeys, Tired, agent, applicant

PEOPLE = 16


@dataclass
class Load:
    """People at work while things break: what they were told, and what broke them."""

    done: Acknowledged
    stop: threading.Event = field(default_factory=threading.Event)
    broken: list[str] = field(default_factory=list)
    people: list[Browser] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        """What they were answered."""
        return Counter(status for one in self.people for status in list(one.statuses))

    @property
    def refused(self) -> int:
        """How many answers asked to come back later: a busy store (503) or no space for a file (507)."""
        statuses = self.statuses
        return statuses[503] + statuses[507]


@contextmanager
def under_load(
    installation: Installation, people: int = PEOPLE, ports: Sequence[int] = (), pause: float = 0.0, **more: object
) -> Iterator[Load]:
    """So many people at once until the block ends, at a proxy where `ports` names it, `pause` seconds between their acts."""
    ports = ports or installation.ports
    load = Load(Acknowledged(installation.folder / "acknowledged"))
    mayor, free = installation.mayor(), visits(installation.office)

    def live(place: int, token: str) -> None:
        helper = agent(ports, mayor, stop=load.stop, at=place, **more)
        load.people.append(helper)
        while not load.stop.is_set():
            person = applicant(ports, token, stop=load.stop, at=place, **more)
            load.people.append(person)
            try:
                slots = free[place:] + free[:place]
                Journeys(person, helper, load.done, pdf(), slots, lambda: time.sleep(pause)).run()
            except Tired:
                token = _another(installation, load.stop)
            except Exception as error:  # judged with the rest
                load.broken.append(repr(error))
                load.stop.set()

    threads = [
        threading.Thread(target=live, args=(place, token)) for place, token in enumerate(installation.sessions(people))
    ]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        load.stop.set()
        for one in threads:
            one.join(patient(60))


def _another(installation: Installation, stop: threading.Event) -> str:
    """The session of a new person, once the store takes it."""
    while not stop.is_set():
        try:
            return installation.sessions(1)[0]
        except Busy:
            time.sleep(0.1)
    return ""


@contextmanager
def polled(installation: Installation, address: str) -> Iterator[list[Answered]]:
    """A person without a session who asks for one page of the first server again and again until the block ends."""
    stop, person = threading.Event(), Browser(installation.ports[:1], {}, wait_limit=patient(60))

    def asks() -> None:
        while not stop.is_set():
            person.once("GET", address)
            stop.wait(0.1)

    thread = threading.Thread(target=asks)
    thread.start()
    try:
        yield person.answered
    finally:
        stop.set()
        thread.join()


def visits(office: AppContext) -> list[tuple[str, str]]:
    """Offices and hours that may be taken."""
    there = [one for one in office.directory.offices.values() if one.agency == "mairie"]
    day = office.now().date() + timedelta(days=2)
    days = [day + timedelta(days=more) for more in range(28)]
    return [
        (one.id, f"{day.isoformat()}T{hour}:00+00:00")
        for day in days if day.weekday() < 5 for hour in ("08:00", "09:30", "11:00") for one in there[:4]
    ]  # fmt: skip
