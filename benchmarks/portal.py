"""The two servers a page is measured on: the portal, and a bare Flask page, each alone in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = 30
THREADS = "4"

LONG_PAGE = "trente-questions"


def definition(questions: int = QUESTIONS) -> str:
    """An invented procedure whose one page asks that many questions of several kinds."""
    kinds = (
        "{{label: Question {n}, maxLength: 80, example: réponse}}",
        "{{label: Question {n}, type: integer, minimum: 0, maximum: 1000, example: 12}}",
        "{{label: Question {n}, type: choice, options: {{a: Premier, b: Deuxième, c: Troisième}}}}",
        "{{label: Question {n}, type: yes_no, example: true}}",
        "{{label: Question {n}, type: date, example: 1990-05-01}}",
    )
    fields = "\n".join(f"      q{n}: {kinds[n % len(kinds)].format(n=n)}" for n in range(questions))
    return f"""procedure: {LONG_PAGE}
edition: 1
title: Trente questions
summary: Une page longue.
agency: obac
delay: 5 working days
legal_basis:
  usage: {{title: Valeur de mesure, status: plausible}}
form:
  longue:
    title: Une longue page
    fields:
{fields}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: instructeur
      due: 5 working days
      transitions: {{accorder: {{label: Accorder, to: accorde}}}}
    accorde: {{label: Accordé, end: granted}}
personal_data: {{purpose: Mesurer, keep: {{granted: 1 year}}}}
scenarios:
  accord: {{story: Accordé, steps: [{{take: accorder, then: accorde}}]}}
"""


@dataclass(frozen=True)
class Server:
    """A server under measure: where it listens, and the processor time it has used."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of processor used so far (user and system)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Proportional set size, MiB."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
        return int(found.group(1)) / 1024 if found else 0.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process_in(command: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is asked and answers line by line, ended afterwards."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        for end in (process.stdin, process.stdout):
            if end is not None:
                end.close()
        process.terminate()
        process.wait(10)


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[Server]:
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(1200):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{command} ended at once") from None
                time.sleep(0.05)
        yield Server(port, process)
    finally:
        process.terminate()
        process.wait(10)


def write_procedures(folder: Path, shipped: bool = True) -> None:
    """The shipped procedures, and the long one; without the shipped ones, what they share all the same."""
    shutil.copytree(ROOT / "procedures", folder)
    for one in () if shipped else folder.glob("*.yaml"):
        one.unlink()
    (folder / f"{LONG_PAGE}.yaml").write_text(definition(), "utf-8")


@contextmanager
def portal(folder: Path) -> Iterator[Server]:
    """The portal over the shipped procedures and the long one, on a new store in `folder`."""
    write_procedures(folder / "procedures")
    with serving_portal(folder) as server:
        yield server


@contextmanager
def serving_portal(
    folder: Path, database: str = "", threads: str = THREADS, starts: tuple[str, ...] = ("server.py",), **more: str
) -> Iterator[Server]:
    """The portal over the procedures that lie in `folder`, in SQLite or in the database of that address. `starts`: what Python is told
    to run; `more`: settings."""
    port = free_port()
    environment = {
        "GUICHET_PROCEDURES": str(folder / "procedures"), "GUICHET_DATA": str(folder / "data"), "DATABASE_URL": database,
        **more,
    }  # fmt: skip
    command = [sys.executable, *starts, "serve", "--demo", "--empty", "--port", str(port), "--threads", threads]
    with running(command, port, environment) as server:
        yield server


class Browser:
    """A signed-in person without a screen: cookies, hidden fields, one kept connection."""

    def __init__(self, port: int) -> None:
        self._link = HTTPConnection("127.0.0.1", port, timeout=30)
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, str]:
        return self._ask("GET", path)

    def post(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        return self._ask("POST", path, urlencode(fields))

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        headers = {"Cookie": self.cookie()} if self.cookies else {}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._link.request(method, path, body, headers)
        response = self._link.getresponse()
        text = response.read().decode("utf-8", "replace")
        for header in response.headers.get_all("Set-Cookie") or ():
            name, _, value = header.split(";", 1)[0].partition("=")
            self.cookies[name] = value
        place = response.headers.get("Location", "")
        return response.status, place or text

    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def open_draft(self, procedure: str) -> str:
        """The address of the first page of a draft."""
        _, page = self.get(f"/demarches/{procedure}/commencer")
        status, place = self.post(f"/demarches/{procedure}/commencer", hidden(page)) if "<form" in page else (303, page)
        for _ in range(5):
            if re.fullmatch(r".*/demande/\w+", place):
                return re.sub(r"^https?://[^/]+", "", place)
            status, place = self.get(re.sub(r"^https?://[^/]+", "", place))
        raise RuntimeError(f"no draft: {status} {place[:200]}")


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the first form with a button, by name."""
    fields = {}
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name.group(1) not in fields:
            fields[name.group(1)] = value.group(1) if value else ""
    return fields
