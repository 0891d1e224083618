"""One application asked in this process, by its WSGI door: what a page of thirty questions and its post cost, without a server.

`python -m benchmarks.peers.in_process MODULE` serves the lines `get COUNT` and `post COUNT` of standard input and answers
microseconds of processor a request. `… MODULE begin COUNT` prints signed-in people, for a server of the same database. Run by the
Python of ours or of the peers: it imports nothing but the application.
"""

from __future__ import annotations

import gzip
import html
import importlib
import io
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from urllib.parse import urlencode

PEOPLE, QUESTIONS = 20, 30  # one person alone would reach a limit of changes
FIRST = "q0"  # a text: each post changes it
_TAG = re.compile(r"<(input|button)\b([^>]*)>")
_ATTRIBUTE = re.compile(r'([\w-]+)(?:="([^"]*)")?')
_AGAIN = ("token", "revision")  # of one form; a post of another revision is a conflict


def filled(page: str) -> dict[str, str]:
    """What a browser would post for a page: its hidden fields, and an answer to each question by the kind of its input."""
    posted: dict[str, str] = {}
    for tag, inside in _TAG.findall(page):
        given = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(inside)}
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "button":
            if name == "go" and given.get("value") == "later":
                posted["go"] = "later"
        elif kind == "hidden":
            posted.setdefault(name, given.get("value", ""))
        elif re.match(r"q\d", name):
            posted[name] = _answer(name, kind, given)
    questions = {re.sub(r"_.*", "", name) for name in posted if re.match(r"q\d", name)}
    if len(questions) != QUESTIONS:
        raise SystemExit(f"{len(questions)} questions: {page[:2000]}")
    return {name: value for name, value in posted.items() if name not in _AGAIN}


def _answer(name: str, kind: str, given: dict[str, str]) -> str:
    if name.endswith("_year"):
        return "1990"
    if kind == "radio":
        return given["value"]  # the last one
    if kind == "number" or given.get("inputmode") == "numeric":
        return "12" if "_" not in name else "5"
    return "1990-05-01" if kind == "date" else "réponse"


@dataclass
class Answered:
    """An answer of the application."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    body: bytes = b""

    @property
    def page(self) -> str:
        return (gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body).decode()


class Person:
    """A signed-in person with a draft, asked without a socket."""

    def __init__(self, application: Callable[..., Iterable[bytes]], path: str, cookie: str) -> None:
        self._application, self._path = application, path
        self._cookies = dict(one.split("=", 1) for one in cookie.split("; "))
        self._fields = ""

    def learns(self) -> int:
        """Posts the page once and looks at what is stored; returns the bytes of the page filled in, as they are sent."""
        fields = filled(self._seen(self._ask("GET")).page)
        self._fields = urlencode({name: value for name, value in fields.items() if name != FIRST})
        said = self.post()
        answered = self._seen(self._ask("GET"))
        if said not in answered.page or answered.headers.get("content-encoding") != "gzip":
            raise SystemExit(f"{said} is not in the page, or it is not compressed: {answered.headers}")
        return len(answered.body)

    def get(self) -> None:
        self._expect(self._ask("GET"), 200)

    def post(self) -> str:
        said = secrets.token_hex(4)
        self._expect(self._ask("POST", f"{self._fields}&{FIRST}={said}&token={secrets.token_urlsafe(16)}"), 302, 303)
        return said

    def _expect(self, answered: Answered, *good: int) -> None:
        if answered.status not in good:
            raise SystemExit(f"{self._path} answered {answered.status}: {answered.body[:500]!r}")

    def _seen(self, answered: Answered) -> Answered:
        self._expect(answered, 200)
        for cookie in answered.cookies:
            name, _, value = cookie.split(";", 1)[0].partition("=")
            self._cookies[name] = value
        return answered

    def _ask(self, method: str, body: str = "") -> Answered:
        sent, answered = body.encode(), Answered()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": self._path, "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost",
            "HTTP_ACCEPT_ENCODING": "gzip", "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "CONTENT_TYPE": "application/x-www-form-urlencoded" if method == "POST" else "", "CONTENT_LENGTH": str(len(sent)),
            "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(sent), "wsgi.errors": sys.stderr,
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        }  # fmt: skip

        def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
            answered.status = int(status[:3])
            answered.headers = {name.lower(): value for name, value in headers}
            answered.cookies = [value for name, value in headers if name.lower() == "set-cookie"]
            return lambda _: None

        parts = self._application(environ, start)
        answered.body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        return answered


def main() -> None:
    module = importlib.import_module(sys.argv[1])
    people = module.begin(int(sys.argv[3]) if sys.argv[2:] else PEOPLE)
    if sys.argv[2:]:
        print(json.dumps(people))
        return
    everyone = [Person(module.application, *one) for one in people]
    sizes = [one.learns() for one in everyone]
    print(json.dumps({"bytes": sizes[0]}), flush=True)
    turns = cycle(everyone)
    for line in sys.stdin:
        kind, count = line.split()
        works = [next(turns) for _ in range(int(count))]
        began = time.thread_time()
        for one in works:
            one.get() if kind == "get" else one.post()
        print(1e6 * (time.thread_time() - began) / len(works), flush=True)


if __name__ == "__main__":
    main()
