"""B9h. Thirty hostile texts in every place that accepts a text, searched in every page, table, PDF, drawing, message and log.

None becomes more than a text, and none opens a file or adds a line. Then the mutants.
"""

from __future__ import annotations

import io
import logging
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from jinja2 import Environment, FileSystemLoader
from werkzeug.routing import IntegerConverter, Rule

import server
from engine.integrations.smtp import MailServer
from engine.records.dossier import OutboundMessage
from engine.services.worker.worker import run_pass
from renderers.html.templates import Pages
from renderers.i18n.log_format import JsonLines
from renderers.web.platform import request_context as base
from renderers.web.platform import tables
from tests.effort import tries
from tests.faults import hostile_texts
from tests.faults.hostile_texts import ELSEWHERE, MARK, SUM, TEXTS, hits_in, leads_away, planted, texts
from tests.web import access_world
from tests.web.access import POSTED, Row, addresses, ask, rules, table, values_of
from tests.web.access_world import OWNER_PHONE, AccessWorld

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.xdist_group("hostile texts")]  # one site is built
WHO = ("ownr", "offi", "admi", "audi", "none")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOME = frozenset(
    {
        "exports.take",
        "tracking.follow",
        "agent_dossier.show",
        "definitions.definition",
        "catalogue.sheet",
        "later_forms.show_part",
    }
)
TURN = 11  # texts further at each round, so that no place has the same one twice
ASKED = (
    "q",
    "suite",
    "numero",
    "lang",
    "page",
    "tri",
    "du",
    "au",
    "paiement",
    "lecture",
    "bureau",
    "start",
    "vus",
    "quoi",
    "fin",
)
CHOSEN = frozenset(
    {
        "provider",
        "bureau",
        "start",
        "quoi",
        "agence",
        "mandate",
        "acte",
        "dossier",
        "vers",
        "role",
        "do",
        "go",
        "number",
    }
)


@contextmanager
def a_hostile_world(folder: Path, turn: int = 0) -> Iterator[AccessWorld]:
    """The world of the access matrix, where whatever is said is hostile: answers, names, reasons, files, definitions."""
    told = texts(turn)
    marks = {
        name: mark if name in ("phone", "email") else next(told).replace("\0", "")
        for name, mark in access_world.MARKS.items()
    }  # no form takes a NUL
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access_world, "MARKS", marks)
        patch.setattr(access_world, "STALL", planted(access_world.STALL, turn))
        patch.setattr(access_world, "RENEWAL", planted(access_world.RENEWAL, turn))
        made = access_world.an_access_world(folder)
    yield made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessWorld]:
    with a_hostile_world(tmp_path_factory.mktemp("hostile")) as made:
        yield made


def readers(row: Row) -> list[str]:
    return [persona for persona in WHO if row.cells[persona] in ("open", "own")]


def read_everything(site: AccessWorld, *only: str) -> tuple[list[str], dict[str, int]]:
    """Every address (or `only` some) as those it is for read it: the hits, and how many answers of each kind held a
    hostile text."""
    found, held = [], dict[str, int]()
    for row in (one for one in table() if one.method == "GET" and (not only or one.endpoint in only)):
        values = values_of(site, row, site.owner)
        for persona in readers(row):
            for answer in ask(site, persona, row, values):
                found += [f"{persona} at {answer.request.path}: {hit}" for hit in hits_in(answer)]
                if answer.status_code >= 500:
                    found.append(f"{persona} at {answer.request.path}: {answer.status_code}")
                if MARK in answer.get_data().decode("utf-8", "replace").lower():
                    held[str(answer.mimetype)] = held.get(str(answer.mimetype), 0) + 1
    return found, held


@pytest.mark.parametrize("turn", range(0, TURN * tries(2), TURN))
def test_what_people_and_files_say_is_text_wherever_it_is_read(tmp_path: Path, turn: int) -> None:
    with a_hostile_world(tmp_path, turn) as site:
        found, held = read_everything(site)
    assert found == []
    assert held["text/html"] > 100, "a place where nothing hostile is read proves nothing"
    kinds = {
        "text/csv",
        "application/json",
        "image/svg+xml",
        "application/atom+xml",
        "text/calendar",
        "application/yaml",
    }
    assert kinds <= held.keys()


def test_what_is_typed_comes_back_as_text(site: AccessWorld) -> None:
    """In every field of every form, and under every name that an address may carry."""
    told = texts(0)
    for row in table():
        values = values_of(site, row, site.owner)
        for persona, path in (
            (who, path) for who in (readers(row) or ["none"])[:2] for path in addresses(site, row, values)
        ):
            if row.method == "GET":
                more: dict[str, Any] = {"query_string": {name: next(told) for name in ASKED}}
            else:
                fields = {name: one.format(**values) for name, one in POSTED.get(row.endpoint, {}).items()}
                typed = {name: next(told) for name in fields if name not in CHOSEN}
                more = {
                    "data": {**fields, **typed, "recherche": next(told)},
                    "headers": {"Referer": f"http://{MARK}.example/"},
                }
            answer = site.ask(persona, row.method, path, **more)
            assert hits_in(answer) == [], (persona, row.method, path, more)
            assert answer.status_code < 500, (persona, row.method, path, more)


def test_no_log_line_carries_it(site: AccessWorld) -> None:
    said = io.StringIO()
    handler, root = logging.StreamHandler(said), logging.getLogger()
    handler.setFormatter(JsonLines())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        for text in TEXTS:
            site.ask("none", "GET", "/demarches", query_string={"q": text}, headers={"User-Agent": quote(text)})
            site.ask("none", "GET", f"/demarches/{quote(text, safe='')}")
        logging.getLogger("guichet.web").info("asked")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "asked" in said.getvalue()
    assert MARK not in said.getvalue()


# -- letters -----------------------------------------------------------------------------------------------------------


def test_letters_say_it_as_text_and_go_to_one_person(site: AccessWorld) -> None:
    with site.world.office.store.unit() as unit:
        letters = [*unit.letters_to(OWNER_PHONE, 1000), *unit.letters_to("marque.courriel@example.com", 1000)]
    assert any(MARK in letter.body for letter in letters)
    assert not [letter.body for letter in letters if SUM in letter.body or "<class" in letter.body]


def test_a_subject_or_an_address_adds_no_line_to_the_head_of_a_mail() -> None:
    server = MailServer("localhost", 25, "none", "Guichet <guichet@example.tg>")
    for text in TEXTS:
        for to, subject in (
            ("ama@example.tg", text),
            (f"ama@example.tg{text}", "Bonjour"),
            (f"{text}@example.tg", "Bonjour"),
        ):
            letter = OutboundMessage("l1", None, "email", to, subject, text, NOON, "test", NOON)
            with suppress(ValueError):
                message = server._message(letter)
                head = message.as_bytes().partition(b"\r\n\r\n")[0].decode("ascii")
                names = [line.partition(":")[0] for line in head.splitlines() if not line[:1].isspace()]
                assert not {name for name in names if MARK in name.lower() or name.lower() in ("bcc", "cc")}, (
                    to,
                    subject,
                )
                assert len(message["To"].addresses) == 1, to


# -- led elsewhere, reached elsewhere ----------------------------------------------------------------------------------


def led_away(site: AccessWorld) -> list[str]:
    """Addresses to go on to that would lead a browser to another site."""
    with site.app.test_request_context("/connexion", base_url="http://localhost"):
        kept = {given: base.safe_next(given, "/ici") for given in ELSEWHERE}
    read = {
        given: urljoin("http://localhost/connexion", re.sub(r"[\t\r\n]", "", to).replace("\\", "/"))
        for given, to in kept.items()
    }
    return [given for given, to in read.items() if urlsplit(to).netloc != "localhost" or leads_away(kept[given])]


def test_nothing_leads_to_another_site(site: AccessWorld) -> None:
    assert led_away(site) == []
    for given in ELSEWHERE:
        for door in ("/connexion", "/agent/connexion", "/audit/connexion"):
            answer = site.ask("none", "GET", door, query_string={"suite": given})
            assert hits_in(answer) == [], (door, given)


@pytest.mark.parametrize(
    "host", [f"{MARK}.example", f"localhost:80@{MARK}.example", f"localhost.{MARK}.example", f'"><{MARK}>']
)
def test_a_forged_host_is_written_nowhere(site: AccessWorld, host: str) -> None:
    for row in (one for one in table() if one.method == "GET"):
        values = values_of(site, row, site.owner)
        for persona in readers(row)[:1]:
            for path in addresses(site, row, values):
                answer = site.ask(persona, "GET", path, headers={"Host": host, "X-Forwarded-Host": host})
                assert hits_in(answer) == [], path
                assert host not in answer.headers.get("Location", "")
    site.ask("none", "POST", "/connexion", data={"phone": "90775533"}, headers={"Host": host})
    with site.world.office.store.unit() as unit:
        assert not [one for one in unit.letters_to(OWNER_PHONE, 1000) if f"://{host}" in one.body]


PATHS = ("../../../../etc/passwd", "..\\..\\etc\\passwd", "/etc/passwd", "%2e%2e%2fetc%2fpasswd", "....//etc/passwd", "etal/../../x", "~root", "nul\0.css",
         "file:///etc/passwd", "guichet.css/../../words.fr.yaml")  # fmt: skip


OUTSIDE = re.compile(r"passwd|words\.fr|~root|\.\.[/\\]|connect|getaddrinfo|169\.254")


def reached(site: AccessWorld, *only: str) -> list[str]:
    """Files outside, and other machines, that addresses with a way out in them reached; `only` some, with every way."""
    touched: list[str] = []
    names = cycle(PATHS)
    with pytest.MonkeyPatch.context() as patch:
        for where in ("builtins.open", "io.open", "os.open", "os.stat", "socket.socket.connect", "socket.getaddrinfo"):
            _watch(patch, where, touched)
        for row in (one for one in table() if one.method == "GET" and (not only or one.endpoint in only)):
            values = values_of(site, row, site.owner)
            rule = next(one for one, method in rules(site.app) if (one.endpoint, method) == (row.endpoint, "GET"))
            for argument in sorted(rule.arguments - {"n", "row"} - (rule.defaults or {}).keys()):
                for given in PATHS if only else [next(names)]:
                    for path in _with_a_way_out(site, row, rule, values, argument, given):
                        answer = site.ask((readers(row) or ["none"])[0], "GET", path)
                        assert answer.status_code < 500, path
                        assert b"root:x:" not in answer.get_data(), path
    return [one for one in touched if OUTSIDE.search(one)]


def _with_a_way_out(
    site: AccessWorld, row: Row, rule: Rule, values: Mapping[str, Any], argument: str, given: str
) -> Iterator[str]:
    """Addresses of a row with `given` where `argument` stands, be it a number that could not be built from it."""
    a_number = isinstance(rule._converters[argument], IntegerConverter)
    put = 987_654_321 if a_number else given
    for path in addresses(site, row, {**values, argument: put}):
        yield path.replace(str(put), quote(given, safe="")) if a_number else path


def test_no_address_reaches_a_file_or_another_machine(site: AccessWorld) -> None:
    assert reached(site) == []


MACHINES = (
    f"http://{MARK}.example/x", f"https://{MARK}.example", f"//{MARK}.example", "http://169.254.169.254/zzxss", f"http://127.0.0.1:1/{MARK}",
    f"{MARK}@{MARK}.example", f"ldap://{MARK}.example", f"file://{MARK}.example/x", f"git://{MARK}.example/x.git", f"{MARK}.localtest.me",
)  # fmt: skip


def machines_asked(folder: Path) -> list[str]:
    """What anybody was asked over a network while a site where every text names a machine is made, read, posted to and toured."""
    touched: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hostile_texts, "TEXTS", MACHINES)
        for where in ("socket.socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.socket.sendto"):
            _watch(patch, where, touched)
        with a_hostile_world(folder) as site:
            _, held = read_everything(site)
            assert held["text/html"] > 100
            for row in (one for one in table() if one.method == "POST"):
                for persona in [*readers(row), "none"][:1]:
                    ask(site, persona, row, values_of(site, row, site.owner))
            run_pass(site.world.office)
    return touched


def test_no_text_is_an_address_that_the_site_asks(tmp_path: Path) -> None:
    """Whatever a name resolves to: none that people or definitions wrote is ever looked up."""
    assert machines_asked(tmp_path) == []


def _watch(patch: pytest.MonkeyPatch, where: str, touched: list[str]) -> None:
    owner, _, name = where.rpartition(".")
    module: Any = __import__(owner.partition(".")[0])
    for part in owner.split(".")[1:]:
        module = getattr(module, part)
    asked = getattr(module, name)

    def watched(*given: Any, **more: Any) -> Any:
        touched.append(f"{name} {given!r}" if name in ("connect", "getaddrinfo") else str(given[0]))
        return asked(*given, **more)

    patch.setattr(module, name, watched)


# -- mutants -------------------------------------------------------------------------------------------------------------


def labels_marked_safe(patch: pytest.MonkeyPatch) -> None:
    source = FileSystemLoader.get_source

    def marked(loader: FileSystemLoader, environment: Environment, template: str) -> Any:
        written, *more = source(loader, environment, template)
        return re.sub(r"\.label \}\}", ".label|safe }}", written), *more

    patch.setattr(FileSystemLoader, "get_source", marked)
    patch.setattr(server, "_pages", server._pages.__wrapped__)  # templates are compiled anew


def read_as_a_template(patch: pytest.MonkeyPatch) -> None:
    render = Pages.render

    def twice(self: Pages, template: str, language: str, context: Any) -> str:
        written = render(self, template, language, context)
        holes = "".join(re.findall(r"\{\{[^{}]*\}\}", written))
        return written.replace("</body>", Environment(autoescape=True).from_string(holes).render() + "</body>")

    patch.setattr(Pages, "render", twice)


def formulas_as_they_are(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tables, "_cell", lambda value: value)


def formulas_after_a_space(patch: pytest.MonkeyPatch) -> None:
    signs = ("=", "+", "-", "@", "\t", "\r")
    patch.setattr(
        tables, "_cell", lambda value: f"'{value}" if isinstance(value, str) and value.startswith(signs) else value
    )


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "seen"),
    [
        (labels_marked_safe, f"element <{MARK}"),
        (read_as_a_template, f"counted: {SUM}"),
        (formulas_as_they_are, "formula"),
        (formulas_after_a_space, "formula"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_defence_taken_away_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Any, seen: str) -> None:
    mutant(monkeypatch)
    with a_hostile_world(tmp_path, TEXTS.index("+zzxss|' /C calc'!A0")) as site:
        assert not SOME - {row.endpoint for row in table()}
        found, _ = read_everything(site, *SOME)
    assert [one for one in found if seen in one]


@pytest.mark.nightly("mutant")
def test_an_address_that_only_begins_like_ours_is_seen(site: AccessWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "safe_next", lambda given, other: given if given.startswith("/") else other)
    assert "//zzxss.example" in led_away(site)


@pytest.mark.nightly("mutant")
def test_an_address_that_is_asked_because_somebody_wrote_it_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview of what a text points to, as messages have it elsewhere."""
    render = Pages.render

    def previewed(self: Pages, template: str, language: str, context: Any) -> str:
        written = render(self, template, language, context)
        if "http://127.0.0.1:1/" in written:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", 1), 1).close()
        return written

    monkeypatch.setattr(Pages, "render", previewed)
    assert [one for one in machines_asked(tmp_path) if "127.0.0.1" in one]


@pytest.mark.nightly("mutant")
def test_a_name_joined_to_a_path_is_seen(site: AccessWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(name: str) -> bytes | tuple[str, int]:
        path = Path("renderers/static") / name
        return path.read_bytes() if path.is_file() else ("", 404)

    monkeypatch.setitem(site.app.view_functions, "articles.static", serve)
    assert reached(site, "articles.static")
