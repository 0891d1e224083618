"""The whole way of a citizen over HTTP, kept durably: catalogue, form, sending, paying, slots, booking, following.

Two processes serve one store: eight people at once, then the same with an operator that answers after 3 s. Each journey is a new person, signed in before; every page is one a person sees and every answer is looked at. Only a receipt that
is reached counts as paid: any other end is a wrong answer. Reads of the page that follows a payment are not counted as requests. The
servers, their workers and the people who ask share the machine.
"""

from __future__ import annotations

import math
import random
import re
import secrets
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlencode

from benchmarks.measure import MOST_ROUNDS, Measure, percentile
from benchmarks.portal import Server, hidden, serving_portal, write_procedures
from engine.operations.settings import DATABASE
from engine.operations.store_factory import open_store
from engine.records.dossier import Account
from engine.records.people import Session
from engine.services.keys.secrets import new_token, token_digest
from tests.postgres import database

CLIENTS, PROCESSES, SECONDS, ROUNDS, PEOPLE, TRIES = 8, 2, 4.0, 5, 3_000, 3
SLOW = 3.0  # seconds in which a slow operator answers
PATIENT = 45.0  # seconds for a receipt on a machine that tests keep busy
RECEIPT = 15.0  # seconds within which a payer reaches the receipt
LOOKS = 0.05  # seconds between two looks at the page that follows
PAYER = {"provider": "mixx", "payer": "90 00 00 01"}
SLUG = "trajet"
PROCEDURE = f"""procedure: {SLUG}
edition: 1
title: Trajet
summary: Une démarche entière.
agency: obac
delay: 5 working days
legal_basis:
  usage: {{title: Valeur de mesure, status: plausible}}
form:
  vous:
    title: Vous
    fields:
      nom: {{label: Nom, maxLength: 40, example: AMEGAN}}
      naissance: {{label: Date de naissance, type: date, maximum: today, example: 1990-03-27}}
      lieu: {{label: Lieu de naissance, maxLength: 40, example: Kpalimé}}
      situation: {{label: Situation, type: choice, options: {{a: Célibataire, b: Mariée, c: Veuve}}}}
      telephone: {{label: Téléphone, type: phone, example: 90 11 22 33}}
fees:
  droit: {{label: Droit, amount: 5000}}
appointments:
  depot:
    label: Dépôt
    by: instructeur
    lasts: 10 minutes
    hours: [07:00-12:00, 13:00-17:00]
    lead: 1 day
    horizon: 120 days
workflow:
  start: a_payer
  states:
    a_payer: {{label: À payer, pay: droit, due: 30 days, then: visite, late: classe}}
    visite: {{label: Visite, attend: depot, due: 150 days, then: accorde, late: classe, missed: classe}}
    accorde: {{label: Accordé, end: granted}}
    classe: {{label: Classé, end: abandoned}}
personal_data: {{purpose: Mesurer, keep: {{granted: 1 year, abandoned: 1 year}}}}
scenarios:
  essai:
    story: Payé, reçu
    steps: [{{pay: 5000, then: visite}}, {{book: {{depot: 2026-12-08 08:30}}}}, {{visit: attended, then: accorde}}]
"""
ANSWERS = {
    "nom": "AMEGAN", "naissance_day": "27", "naissance_month": "3", "naissance_year": "1990", "lieu": "Kpalimé",
    "situation": "a", "telephone": "90 11 22 33",
}  # fmt: skip


def measures() -> Iterator[Measure]:
    """Every line, as it is measured: in SQLite, then in PostgreSQL."""
    for store in ("", "-pg"):
        for takes in (0.0, SLOW):
            with database() if store else nullcontext("") as address:
                yield from _measured(f"P3{store}", address, takes)


def _measured(line: str, address: str, takes: float) -> Iterator[Measure]:
    with _site(address, takes) as (servers, tokens):
        cold = [Journey(one.port, next(tokens), math.inf) for one in servers]  # each page of each process once
        for first in cold:
            first.go(PATIENT)
        warm = _load(servers, tokens, SECONDS, takes)
        runs = [_load(servers, tokens, SECONDS, takes) for _ in range(min(ROUNDS, MOST_ROUNDS))]
    wrong, waits = sum(one.wrong for one in (*cold, warm, *runs)), [wait for one in runs for wait in one.waits]
    cpu = statistics.median(one.cpu for one in runs)
    kinds, whole = Counter(kind for one in runs for kind in one.kinds), sum(one.whole for one in runs)
    beside = f"{CLIENTS} people at once, {PROCESSES} processes, {whole} journeys of {len(kinds)} requests; {cpu:.2f} ms of processor each"
    what = f"whole journeys, {'PostgreSQL' if address else 'SQLite, FULL'}{f', an operator of {takes:g} s' if takes else ''}"
    ident = f"{line}-slow" if takes else line
    if not takes:  # who waits for an operator asks for nothing
        pace = statistics.median(one.pace for one in runs)
        yield Measure(ident, f"{what}: requests a second", pace, 600, 800, False, beside)
    reported = f"half within {1000 * percentile(waits, 0.5):.0f} ms, the longest {1000 * max(waits):.0f} ms"
    p99 = 1000 * percentile(waits, 0.99)
    yield Measure(f"{ident}-p99", f"{what}: 99 of 100 within (ms)", p99, 40, 40, beside=reported)
    yield Measure(f"{ident}-errors", f"{what}: wrong answers", wrong, 0, 0, beside=beside if takes else "")


@contextmanager
def _site(address: str, takes: float) -> Iterator[tuple[list[Server], Iterator[str]]]:
    """Processes of the portal on one new store, and people who are signed in."""
    starts = ("-m", "benchmarks.slow_operator", str(takes)) if takes else ("server.py",)
    with a_folder() as folder, ExitStack() as kept:
        yield (
            [kept.enter_context(serving_portal(folder, address, starts=starts)) for _ in range(PROCESSES)],
            iter(people(folder, address)),
        )


def played(address: str) -> list[str]:
    """What was wrong with one journey in that store, the receipt included: nothing, or the installation is not to be released."""
    with a_folder(shipped=False) as folder, serving_portal(folder, address) as server:
        one = Journey(server.port, people(folder, address, 1)[0], math.inf)
        whole = one.go(PATIENT)
    return one.faults or ([] if whole else ["the journey did not come to its end"])


@contextmanager
def a_folder(shipped: bool = True) -> Iterator[Path]:
    """A new one with the procedure of the journey, to serve, and the shipped ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_procedures(folder / "procedures", shipped)
        (folder / "procedures" / f"{SLUG}.yaml").write_text(PROCEDURE, "utf-8")
        yield folder


def people(folder: Path, address: str, count: int = PEOPLE) -> list[str]:
    """The tokens of people who are signed in to the portal of a folder."""
    now, tokens = datetime.now(UTC), [new_token() for _ in range(count)]
    store_address = address or f"sqlite:///{folder / 'data' / DATABASE}"
    with closing(open_store(store_address)) as store, store.unit(write=True) as unit:
        for number, token in enumerate(tokens):
            unit.put_account(Account(f"person{number}", "applicant", "", f"+2289{number:07d}"))
            unit.put_session(Session(token_digest(token), f"person{number}", now, now, now + timedelta(days=1)))
    return tokens


@dataclass
class Run:
    """What a few seconds of journeys came to."""

    pace: float = 0.0
    cpu: float = 0.0  # milliseconds of the servers' processor a request
    whole: int = 0
    wrong: int = 0
    waits: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


def _load(servers: list[Server], tokens: Iterator[str], seconds: float, takes: float) -> Run:
    run, lock, end = Run(), threading.Lock(), time.monotonic() + seconds
    turns = cycle(servers)

    def client() -> None:
        while time.monotonic() < end:
            with lock:
                token, server = next(tokens), next(turns)
            journey = Journey(server.port, token, end)
            whole = journey.go(RECEIPT + 8 * takes)
            with lock:
                run.whole += whole
                run.wrong += journey.wrong
                run.waits += journey.waits
                run.kinds.update(journey.kinds)

    began, cpu = time.monotonic(), sum(one.cpu() for one in servers)
    people = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    run.pace = len(run.waits) / (time.monotonic() - began)
    run.cpu = 1000 * (sum(one.cpu() for one in servers) - cpu) / max(1, len(run.waits))
    return run


AGAIN = re.compile(r'http-equiv="refresh" content="(\d+)"')
ASKED = re.compile(r"<h1>(Nous demandons le paiement|Tapez votre code)")


def heading(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split()) if found else "no heading"


class Stopped(Exception):
    """The time is over, or an answer was wrong."""


class Journey:
    """One person's way through the pages."""

    def __init__(self, port: int, token: str, end: float) -> None:
        self._link = HTTPConnection("127.0.0.1", port, timeout=30)
        self._cookies, self._end = {"guichet": token}, end
        self.waits: list[float] = []
        self.kinds: Counter[str] = Counter()
        self.faults: list[str] = []
        self._csrf = ""

    @property
    def wrong(self) -> int:
        """How many answers were."""
        return len(self.faults)

    def go(self, within: float = RECEIPT) -> bool:
        """Whether it came to the end before the time was over. A payment that began is followed to its receipt all the same."""
        try:
            number = self.comes_to_pay()
            self.pays(number, PAYER, within)
            self._book(number)
            self.get("follow", f"/dossiers/{number}", "Visite")
        except (Stopped, TimeoutError, HTTPException, OSError) as cut:
            if not isinstance(cut, Stopped):
                self._note(f"no answer: {cut!r}")
            return False
        finally:
            self._link.close()
        return True

    def comes_to_pay(self) -> str:
        """The number of a request that was sent and whose price is due."""
        self.get("catalogue", "/demarches", "Trajet")
        page = self.get("before", f"/demarches/{SLUG}/commencer", "csrf_token")
        self._csrf = hidden(page)["csrf_token"]
        form = self._post("begin", f"/demarches/{SLUG}/commencer", {}, "/demande/vous")
        number = form.split("/")[2]
        self.get("form", form, "naissance_year")
        self._post("answers", form, {**ANSWERS, "go": "next"}, "/verification")
        self.get("check", f"/dossiers/{number}/verification", "declared")
        self._post("send", f"/dossiers/{number}/verification", {"declared": "1"}, "/envoye")
        self.get("sent", f"/dossiers/{number}/envoye", f"/dossiers/{number}/paiement")
        return number

    def pays(
        self, number: str, payer: dict[str, str], within: float = RECEIPT, seen: Callable[[float], None] | None = None
    ) -> None:
        """Pays, and follows until the receipt is read: nothing else is right, however late the run is. `seen` is told how long it took
        until what is being done was read; the page is then looked at when it asks for it, as a browser does."""
        began = time.monotonic()
        following = self.asks_to_pay(number, payer)
        self._end, limit, looks = math.inf, time.monotonic() + within, 0
        while True:
            status, place, text = self._ask("", "GET", following)
            if seen is not None and not looks:
                seen(time.monotonic() - began)
            looks += 1
            if status == 303 and "/rendez-vous" in place:
                break
            if status != 200 or not ASKED.search(text):
                self.fails(f"following: {status} to {place}, {heading(text)}")
            if time.monotonic() > limit:
                self.fails(f"no receipt within {within:g} s: {heading(text)}")
            own = AGAIN.search(text) if seen is not None else None
            time.sleep(float(own[1]) if own else LOOKS)
        self.get("paid", following, "Q-20")

    def asks_to_pay(self, number: str, payer: dict[str, str]) -> str:
        """The address of the page that follows the payment."""
        following = self._post("pay", f"/dossiers/{number}/paiement", payer, "/paiement/")
        if not re.search(r"/paiement/[\w-]+$", following):
            self.fails(f"pay: sent to {following}")
        return following

    def reads(self, following: str) -> str:
        """The heading of the page that follows."""
        status, _, text = self._ask("", "GET", following)
        return heading(text) if status == 200 else f"{status}"

    def _book(self, number: str) -> None:
        """A free slot of some day; where somebody else takes it first, another one, as a person would."""
        address = f"/dossiers/{number}/rendez-vous"
        for _ in range(TRIES):
            day = date.today() + timedelta(days=random.randrange(3, 100))
            page = self.get("slots", f"{address}?jour={day}", 'name="start"')
            starts = re.findall(r'name="start" value="([^"]+)"', page)
            office = re.search(r'name="bureau"[^>]*value="([^"]+)"', page)
            chosen = {"start": random.choice(starts), "bureau": office[1] if office else "obac_lome", "quoi": "depot"}
            status, place, _ = self._ask("book", "POST", address, self._body(chosen))
            if status == 303 and "/rendez-vous" in place:
                return
            if status != 409:
                break
        self.fails(f"book: {status} to {place}")

    def get(self, kind: str, path: str, expected: str) -> str:
        status, _, text = self._ask(kind, "GET", path)
        if status != 200 or expected not in text:
            self.fails(f"{kind}: {status}, no {expected}")
        return text

    def _post(self, kind: str, path: str, fields: dict[str, str], leads: str) -> str:
        status, place, _ = self._ask(kind, "POST", path, self._body(fields))
        if status != 303 or leads not in place:
            self.fails(f"{kind}: {status} to {place}")
        return re.sub(r"^https?://[^/]+", "", place)

    def _body(self, fields: dict[str, str]) -> str:
        return urlencode({"csrf_token": self._csrf, "token": secrets.token_urlsafe(16), **fields})

    def fails(self, said: str) -> NoReturn:
        self._note(said)
        raise Stopped

    def _note(self, said: str) -> None:
        self.faults.append(said)
        print(f"           wrong: {said}", flush=True)

    def close(self) -> None:
        self._link.close()

    def _ask(self, kind: str, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        if time.monotonic() > self._end:
            raise Stopped
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.perf_counter()
        self._link.request(method, path, body, headers)
        response = self._link.getresponse()
        text = response.read().decode("utf-8", "replace")
        if kind:  # a look at a page that updates itself is no request
            self.waits.append(time.perf_counter() - began)
            self.kinds[kind] += 1
        for header in response.headers.get_all("Set-Cookie") or ():
            name, _, value = header.split(";", 1)[0].partition("=")
            self._cookies[name] = value
        return response.status, response.headers.get("Location", ""), text


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
