"""Requests to every address of the site by several persons, with random values in the address, the query and the body.

Each answer must have an expected status, a body of its content type and all security headers.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from xml.etree import ElementTree

from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from renderers.web.platform.security import ASSET_POLICY, FILE_POLICY, POLICY
from tests.faults.hostile_answers import VALUES, Controls
from tests.web.access import POSTED, Row, filled, rules, table, values_of
from tests.web.access_world import AccessWorld

WHO: Final = ("none", "ownr", "offi", "coll", "admi", "audi")
# What the site answers: done, sent on, unchanged, not understood, sign in, not yours, not there, not so, not now, gone, too much,
# not a kind we take, wrong, too often, later.
STATUSES: Final = frozenset({200, 302, 303, 304, 308, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 503})
# Of an address of ours; what is not sent as a text goes as it is.
PLACES: Final = (
    "0", "-1", "1" * 400, "26482911374", "a", "x.y", "..", "%00", "%ff", "\u00e9", "\u202e", "é" * 300, "true", "1e9", "' or 1=1", "<b>",
    "2026-02-30", "9999-12-31", "0000-00-00", "1...1", "...", "aides.0", "aides.999", "aides.-1", "None", "null", "{number}", "{}",
)  # fmt: skip
QUERIES: Final = (
    "q", "page", "tri", "du", "au", "depuis", "numero", "lang", "suite", "at", "bureau", "start", "paiement", "lecture", "vus", "quoi", "mois",
    "semaine", "jour", "etat", "agence", "procedure", "n", "edition", "majeur", "retour", "format",
)  # fmt: skip
KINDS: Final = (
    "application/json",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded; charset=x",
    "",
    "a/b; c=\u00e9",
)
BODIES: Final = (
    b"",
    b"{",
    b"[" * 5_000,
    b"\xff\xfe\0",
    b"--x\r\n",
    b"--x--",
    b"a=%ff&b=%&c",
    b"null",
    b'{"number": {}}',
    b"=" * 1_000,
    b"&" * 400,
)


@dataclass
class Asked:
    """One request, so that a fault can say which it was."""

    persona: str
    method: str
    path: str
    more: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.persona} {self.method} {self.path[:120]} {str(self.more)[:200]}"


class Requests:
    """Requests of a site, as chance has it."""

    def __init__(self, site: AccessWorld, seed: str) -> None:
        self.site, self.chance = site, random.Random(seed)
        self.rows = {(row.endpoint, row.method): row for row in table()}

    def each(self, times: int) -> Iterator[Asked]:
        """Every route and way to ask it, so many times by four people."""
        for rule, method in sorted(rules(self.site.app), key=lambda one: (one[0].rule, one[1])):
            for persona in [one for _ in range(times) for one in self.chance.sample(WHO, 4)]:
                row = self.rows.get((rule.endpoint, method)) or Row(rule.endpoint, method, "-", {})
                yield self._one(rule, row, persona)

    def _one(self, rule: Rule, row: Row, persona: str) -> Asked:
        values = values_of(self.site, row, self.chance.choice((self.site.owner, self.site.owner, self.site.neighbour)))
        path = self._address(rule, values)
        more: dict[str, Any] = {}
        if self.chance.random() < 0.5:
            more["query_string"] = {name: self._value() for name in self.chance.sample(QUERIES, 3)}
        method = (
            row.method
            if self.chance.random() < 0.95
            else self.chance.choice(("PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"))
        )
        if method == "POST":
            more |= self._body(row, values, persona, path)
            more["headers"] = {"Accept": self.chance.choice(("*/*", "text/html"))}  # a script, or a browser
        return Asked(persona, method, path, more)

    def _address(self, rule: Rule, values: dict[str, Any]) -> str:
        """With the things that are there, or with anything in the place of one or all of them."""
        odd = self.chance.random()
        fixed = rule.defaults or {}
        meant = {name: fixed.get(name, values.get(name)) for name in rule.arguments}
        for name in (
            rule.arguments
            if odd < 0.3
            else self.chance.sample(sorted(rule.arguments), min(1, len(rule.arguments)))
            if odd < 0.6
            else ()
        ):
            meant[name] = self.chance.choice(PLACES)
        try:
            built = rule.build(meant, append_unknown=False)
        except Exception:  # a place that takes a whole number, say
            built = None
        return built[1] if built else re.sub(r"<[^>]+>", lambda _: self.chance.choice(("0", "a", "..")), rule.rule)

    def _value(self) -> str:
        return self.chance.choice((*VALUES, *PLACES)).encode("utf-8", "replace").decode()

    def _body(self, row: Row, values: dict[str, Any], persona: str, path: str) -> dict[str, Any]:
        """The form as the page offers it, or as the access table posts it, and then spoilt; or no form at all."""
        if self.chance.random() < 0.2:
            return {"data": self.chance.choice(BODIES), "content_type": self.chance.choice(KINDS)}
        shown = Controls()
        if self.chance.random() < 0.6:
            page = self.site.ask(persona, "GET", path)
            if page.mimetype == "text/html" and page.status_code == 200:
                shown.feed(page.get_data(as_text=True))
        form: dict[str, Any] = {**shown.found, **filled(POSTED.get(row.endpoint, {}), values), "end": "1"}
        for name in self.chance.sample(sorted(form), self.chance.randint(0, min(3, len(form)))):
            form[name] = self.chance.choice((self._value(), [self._value(), self._value()]))
        if form and self.chance.random() < 0.3:
            form.pop(self.chance.choice(sorted(form)))
        if self.chance.random() < 0.2:
            form[self.chance.choice(("fichier", "file:carte", "file", "piece"))] = (
                io.BytesIO(b"%PDF-1.4 \xff"),
                "\u202e\0a.pdf",
            )
        return {"data": form}


# -- judging -----------------------------------------------------------------------------------------------------------


def faults_of(site: AccessWorld, asked: Iterable[Asked]) -> list[str]:
    return [f"{one}: {fault}" for one in asked for fault in _faults_of_one(site, one)]


def _faults_of_one(site: AccessWorld, one: Asked) -> Iterator[str]:
    try:
        answer = site.ask(one.persona, one.method, one.path, **one.more)
    except Exception as error:
        yield f"raises {type(error).__name__}: {error}"
        return
    if answer.status_code not in STATUSES:
        yield f"answers {answer.status_code}"
    if answer.status_code == 503 and "Retry-After" not in answer.headers:
        yield "later, and not when"
    if answer.status_code == 405 and "Allow" not in answer.headers:
        yield "not so, and not how"
    yield from _of_the_shields(answer)
    if one.method != "HEAD" and answer.data:
        try:
            yield from _of_the_body(answer)
        except Exception as error:
            yield f"a body that is not of its kind, {answer.mimetype}: {error}"


def _of_the_shields(answer: TestResponse) -> Iterator[str]:
    if answer.headers.getlist("Content-Security-Policy") not in ([POLICY], [FILE_POLICY], [ASSET_POLICY]):
        yield f"has the policy {answer.headers.getlist('Content-Security-Policy')}"
    for name, value in (
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ):
        if answer.headers.get(name) != value:
            yield f"goes without {name}"
    if answer.headers.get("Location", "/")[:1] != "/" or answer.headers.get("Location", "/")[:2] in ("//", "/\\"):
        yield f"leads to {answer.headers['Location']}"


def _of_the_body(answer: TestResponse) -> Iterator[str]:
    kind, body = answer.mimetype or "", answer.get_data()
    if kind == "text/html":
        page = _Inline()
        page.feed(body.decode("utf-8"))
        yield from page.found
        if not body.rstrip().endswith(b"</html>") and b"<main" in body:
            yield "is half a page"
    elif kind.endswith("json"):
        json.loads(body)
    elif kind.endswith("xml"):
        ElementTree.fromstring(body)
    elif kind == "application/pdf" and not body.startswith(b"%PDF-"):
        yield "is no PDF"


class _Inline(HTMLParser):
    """What a policy that allows nothing written in the page would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src") and "json" not in (given.get("type") or "")):
            self.found.append(f"<{tag}> written in the page")
        for name, value in attrs:
            script = (value or "").strip().lower().startswith(("javascript:", "data:text", "vbscript:"))
            if name.startswith("on") or name == "style" or (script and name in ("href", "src", "action", "formaction")):
                self.found.append(f"{name}={value!r} written in the page")
