"""Applicants and an agent over HTTP, as a browser does: cookies, forms with tokens, and the same post again without an answer.

An acknowledged act is first written to a log that survives a power cut, then counted.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from engine.core.values import new_id
from tests.faults.installation import PROCEDURE

PAYS_AT_ONCE: Final = "90000001"
_CSRF: Final = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_BORDER: Final = "guichet-border-7f3a"


class Stopped(Exception):
    """The run is over while an answer was awaited."""


class Tired(Exception):
    """This person handed in as many files, or sent as many requests, as one may: another person goes on."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def address(self) -> str:
        return self.headers.get("location", "")

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Answered:
    """When a request was answered (monotonic), with what, and after how many seconds. `status` 0: no whole answer came."""

    at: float
    method: str
    status: int
    seconds: float


@dataclass
class Browser:
    """One person at several servers of one installation: when one does not answer, the next is asked."""

    ports: Sequence[int]
    cookies: dict[str, str]
    wait_limit: float = 30.0
    stop: threading.Event = field(default_factory=threading.Event)
    at: int = 0
    answered: list[Answered] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=lambda: {"Accept": "*/*"})  # of each request, here a script's
    busy: frozenset[int] = frozenset({503, 507})  # what is believed, and asked again
    _line: HTTPConnection | None = None
    _csrf: str = ""

    @property
    def statuses(self) -> list[int]:
        """Of each answer."""
        return [one.status for one in list(self.answered) if one.status]

    @property
    def took(self) -> list[float]:
        """Seconds, of each answer."""
        return [one.seconds for one in list(self.answered) if one.status]

    def once(self, method: str, address: str, body: bytes = b"", kind: str = "", **more: str) -> Answer:
        """One try. Raises OSError when no whole answer came."""
        began = time.monotonic()
        line = self._line or HTTPConnection("127.0.0.1", self.ports[self.at % len(self.ports)], timeout=self.wait_limit)
        self._line = line
        headers = {
            **self.headers,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **more,
        }
        if kind:
            headers["Content-Type"] = kind
        try:
            line.request(method, address, body or None, headers)
            answer = line.getresponse()
            found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    cookie, _, said = value.partition(";")[0].partition("=")
                    self.cookies[cookie] = said
        except (OSError, HTTPException) as cut:
            self.close()
            self.at += 1
            self._note(method, 0, began)
            raise OSError(str(cut)) from cut
        self._note(method, found.status, began)
        if found.headers.get("connection", "") == "close":
            self.close()
        return found

    def _note(self, method: str, status: int, began: float) -> None:
        now = time.monotonic()
        self.answered.append(Answered(now, method, status, now - began))

    def again(self, ask: Callable[[], Answer]) -> Answer:
        """The same asked until a server answers; one that is busy is believed, and asked later."""
        while not self.stop.is_set():
            try:
                answer = ask()
            except OSError:
                time.sleep(0.01)
                continue
            if answer.status not in self.busy:
                return answer
            assert answer.status == 507 or answer.headers.get("retry-after"), "a 503 says when to come back"
            time.sleep(1.0 if answer.status == 507 else 0.1)  # so many files are taken of one person
        raise Stopped

    def open(self, address: str) -> Answer:
        return self.again(lambda: self.once("GET", address))

    def post(self, address: str, fields: Mapping[str, str], files: Mapping[str, bytes] | None = None) -> Answer:
        """Sends a form with a token of its own until it is answered: sent twice, it is one act."""
        said = {"token": new_id(), **fields, "csrf_token": self.csrf()}
        kind, body = _posted(said, files or {})
        return self.again(lambda: self.once("POST", address, body, kind))

    def csrf(self) -> str:
        if not self._csrf:
            found = _CSRF.search(self.open(f"/demarches/{PROCEDURE}/commencer").text)
            assert found is not None, "a page with a form"
            self._csrf = found[1]
        return self._csrf

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def _posted(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[str, bytes]:
    if not files:
        return "application/x-www-form-urlencoded", urlencode(fields).encode()
    parts = [
        f'--{_BORDER}\r\nContent-Disposition: form-data; name="{name}"; filename="piece.pdf"\r\nContent-Type: application/pdf\r\n\r\n'.encode()
        + data
        for name, data in files.items()
    ]
    parts += [
        f'--{_BORDER}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in {**fields, "end": "1"}.items()
    ]
    return f"multipart/form-data; boundary={_BORDER}", b"\r\n".join([*parts, f"--{_BORDER}--\r\n".encode()])


def applicant(ports: Sequence[int], token: str, **more: object) -> Browser:
    return Browser(ports, {"guichet": token}, **more)  # type: ignore[arg-type]


def agent(ports: Sequence[int], token: str, **more: object) -> Browser:
    return Browser(ports, {"guichet-agent": token}, **more)  # type: ignore[arg-type]


def strangers(ports: Sequence[int], tokens: Sequence[str]) -> list[Browser]:
    """Applicants whose first form is ready to be sent: its token is of the browser, not of the person."""
    first = applicant(ports, "")
    first.csrf()
    return [
        Browser(ports, {**first.cookies, "guichet": token}, at=place, _csrf=first.csrf())
        for place, token in enumerate(tokens)
    ]


# -- what was acknowledged ---------------------------------------------------------------------------------------------


class Acknowledged:
    """A log of what servers said was done: each line on the disk before it counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at: list[float] = []  # when each counted (monotonic)
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, number: str, kind: str) -> None:
        os.write(self._handle, f"{number} {kind}\n".encode())
        os.fsync(self._handle)
        self.at.append(time.monotonic())

    def all(self) -> list[tuple[str, str]]:
        whole = [line for line in self.path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
        return [(number, kind) for number, kind in map(str.split, whole)]

    def count(self) -> int:
        return self.path.read_bytes().count(b"\n")


# -- a whole request ---------------------------------------------------------------------------------------------------


@dataclass
class Journeys:
    """Requests one after another: begun, filled, a file handed in, sent; agreed to by the agent; paid; a visit taken."""

    person: Browser
    mayor: Browser
    done: Acknowledged
    file: bytes
    slots: Sequence[tuple[str, str]]
    think: Callable[[], None] = lambda: None

    def run(self) -> None:
        turn = 0
        while not self.person.stop.is_set():
            try:
                self.one(turn)
            except Stopped:
                return
            turn += 1

    def one(self, turn: int) -> str:
        """From beginning to end: its number."""
        return self.go_on(self.fill(turn), turn)

    def go_on(self, number: str, turn: int) -> str:
        """The same of one that is filled in."""
        here = f"/dossiers/{number}"
        answer = self.person.post(f"{here}/verification", {"declared": "1"})
        if answer.status == 429:
            raise Tired
        self._kept(number, "submitted", answer)
        said = self.mayor.post(f"/agent/dossiers/{number}/acte/accorder", {"go": "confirm"})
        self._kept(number, "transition", said)
        if not self.pay(number):
            return number
        office, start = self.slots[turn % len(self.slots)]
        answer = self.person.post(f"{here}/rendez-vous", {"bureau": office, "start": start})
        if answer.status != 409:  # this slot may be full by now
            self._kept(number, "booked", answer)
        return number

    def fill(self, turn: int) -> str:
        """A request that is ready to be sent: its number."""
        number = self.begin()
        self.think()
        pages = f"/dossiers/{number}/demande"
        self._kept(number, "saved", self.person.post(f"{pages}/vous", {"nom": f"Amegan {turn}", "go": "next"}))
        self.think()
        file = self.file + f"\n% {new_id()}".encode()
        answer = self.person.post(f"{pages}/pieces", {"go": "next"}, {"file:carte": file})
        if answer.status == 429:
            raise Tired
        self._kept(number, "attached", answer)
        self.think()
        return number

    def begin(self) -> str:
        answer = self.person.post(f"/demarches/{PROCEDURE}/commencer", {})
        found = re.search(r"/dossiers/(\d+)", answer.address)
        assert found, (answer.status, answer.text[-600:])
        self.done.note(found[1], "opened")
        return found[1]

    def pay(self, number: str) -> bool:
        """Paid once the page that waits says so: the answer to the form only says that the payer was asked."""
        answer = self.person.post(f"/dossiers/{number}/paiement", {"provider": "mixx", "payer": PAYS_AT_ONCE})
        self._kept(number, "payment_started", answer)
        for _ in range(200):  # where the operator was not reached, the worker asks it again, later than we wait
            if b'"paid"' in self.person.open(f"{answer.address}.json").body:
                self.done.note(number, "credited")
                return True
            time.sleep(0.05)
        return False

    def _kept(self, number: str, kind: str, answer: Answer) -> None:
        assert answer.status == 303, (kind, answer.status, re.sub(r"<[^>]+>|\s+", " ", answer.text)[-900:])
        self.done.note(number, kind)
