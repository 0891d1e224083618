"""What the log says, and what it never says: canaries are planted in every channel that reaches a server."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from engine.integrations.gateways import ConsoleSender, NotSent
from engine.records.dossier import Account, Actor, OutboundMessage
from engine.services.keys.secrets import hash_secret
from engine.services.sign_in.security_log import logged as told_at
from engine.services.sign_in.sessions import SignedIn
from engine.services.worker.worker import run_pass
from engine.storage.results import Busy
from renderers.i18n.log_format import speak
from renderers.web.platform.access import public
from server import Settings, create_app
from tests.engine.services.world import B3, PHONE, World, a_world

pytestmark = pytest.mark.slow  # a whole site for each test

CANARIES = {
    "phone": "90112233", "name": "AMEGAN", "token": "tokenofnobodyelse0123456789", "number": "26000000017",
    "words": "confidence-of-somebody",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    app = create_app(Settings(data=tmp_path, proxies=1), world.office, world.operator)
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Begins to listen as a server does; called again, answers what was said meanwhile."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def listen(form: str = "", terminal: bool = False, whole: bool = False) -> str:
        if form:
            speak(root, form, terminal, whole)
        return capsys.readouterr().err

    yield listen
    root.handlers[:], root.level = before[0], before[1]


def lines(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def test_one_line_a_request(app: Flask, log: Callable[..., str]) -> None:
    log("json")
    answer = app.test_client().get(f"/demarches/{B3}?telephone=22890112233")
    [line] = lines(log())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert isinstance(line.pop("ms"), int)
    assert line == {
        "level": "info", "logger": "guichet.access", "request": answer.headers["X-Request-Id"], "method": "GET",
        "route": "/demarches/<slug>", "status": 200, "role": "anonymous",
    }  # fmt: skip


def test_a_terminal_reads_words(app: Flask, log: Callable[..., str]) -> None:
    speak(logging.getLogger(), "", terminal=True, whole=False)
    answer = app.test_client().get("/aide?q=1")
    name = answer.headers["X-Request-Id"][:8]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d info    guichet.access GET /aide 200 \d+ ms anonymous \[{name}\]\n", log())


def test_probes_that_are_well_are_not_told(app: Flask, log: Callable[..., str]) -> None:
    log("json")
    app.test_client().get("/healthz")
    app.test_client().get("/readyz")
    assert log() == ""
    app.extensions["guichet.probes"].stopping.set()
    app.test_client().get("/readyz")
    assert [(one["route"], one["status"]) for one in lines(log())] == [("/readyz", 503)]


def test_whoever_is_signed_in_is_a_role_and_no_more(world: World, app: Flask, log: Callable[..., str]) -> None:
    client = app.test_client()
    client.post("/connexion", data={"phone": PHONE})
    code = re.findall(r"\b\d{6}\b", world.letters()[-1])[0]
    client.post("/connexion/code", data={"code": code})
    log("json")
    client.get("/dossiers")
    assert [one["role"] for one in lines(log())] == ["applicant"]


def test_each_try_at_a_door_is_told_by_its_kind_and_what_became_of_it(
    world: World, app: Flask, log: Callable[..., str]
) -> None:
    with world.office.store.unit(write=True) as unit:
        unit.put_account(Account("a1", "agent", CANARIES["name"], "mensah", hash_secret("quatre mots sans suite")))
    client = app.test_client()
    log("json")
    for password in (CANARIES["words"], "quatre mots sans suite"):
        client.post("/agent/connexion", data={"login": "mensah", "password": password})
    client.post("/connexion", data={"phone": PHONE})
    right = re.findall(r"\b\d{6}\b", world.letters()[-1])[0]
    for code in ("000000" if right != "000000" else "000001", right):
        client.post("/connexion/code", data={"code": code})
    said = log()
    told = [(one["level"], one["message"]) for one in lines(said) if one["logger"] == "guichet.doors"]
    assert told == [
        ("warning", "password: refused, sign_in_wrong"),
        ("info", "password: right, enrolment still asked"),
        ("warning", "code by SMS: refused, code_wrong"),
        ("info", "code by SMS: let in, applicant"),
    ]
    for secret in (*CANARIES.values(), "mensah", PHONE, right):
        assert secret not in said
    one = SignedIn(CANARIES["token"], Actor("agent", "a1", CANARIES["name"]))
    assert told_at("second factor")(lambda: one)() == one
    [line] = lines(log())
    assert line["message"] == "second factor: let in, agent a1"


# -- the name of a request ---------------------------------------------------------------------------------------------

GIVEN = "7f9c2ba4e88f827d616045507605853e"


@pytest.mark.parametrize(
    ("proxies", "given", "kept"),
    [
        (1, GIVEN, True),
        (1, "7F9C2BA4-E88F-827D-6160-45507605853E", True),
        (0, GIVEN, False),
        (1, "", False),
        (1, "+22890112233", False),
        (1, "22890112233", False),
        (1, f"{GIVEN}\n", False),
        (1, f"{GIVEN}0", False),
        (1, "AMEGAN-Afi", False),
    ],
)
def test_a_name_is_taken_from_a_trusted_proxy_only(
    world: World, tmp_path: Path, proxies: int, given: str, kept: bool
) -> None:
    client = create_app(Settings(data=tmp_path, proxies=proxies), world.office, world.operator).test_client()
    answer = client.get("/aide", environ_overrides={"HTTP_X_REQUEST_ID": given})
    assert (answer.headers["X-Request-Id"] == given) == kept
    assert len(answer.headers.getlist("X-Request-Id")) == 1
    assert re.fullmatch(r"[0-9a-fA-F-]{32,36}", answer.headers["X-Request-Id"])


def failing(app: Flask, error: Exception) -> None:
    """Makes the page of help fail so."""

    @public
    def fails() -> None:
        raise error

    app.view_functions[_endpoint(app)] = fails


def _endpoint(app: Flask) -> str:
    return next(rule.endpoint for rule in app.url_map.iter_rules() if rule.rule == "/aide")


def test_an_error_page_says_the_name(app: Flask) -> None:
    failing(app, ValueError("x"))
    answer = app.test_client().get("/aide", headers={"X-Request-Id": GIVEN})
    assert answer.status_code == 500
    assert GIVEN in answer.text
    machine = app.test_client().get("/aide", headers={"X-Request-Id": GIVEN, "Accept": "application/json"})
    assert machine.json is not None
    assert machine.json["instance"] == f"urn:uuid:{GIVEN[:8]}-{GIVEN[8:12]}-{GIVEN[12:16]}-{GIVEN[16:20]}-{GIVEN[20:]}"


def test_what_is_not_found_reads_the_same_for_everybody(app: Flask) -> None:
    client = app.test_client()
    first, second = (client.get("/nowhere", headers={"X-Request-Id": one * 32}) for one in "ab")
    assert (first.status_code, first.data) == (404, second.data)


# -- canaries ----------------------------------------------------------------------------------------------------------


def _everything_is_asked(app: Flask, world: World) -> None:
    client, phone, name, token, number = app.test_client(), *list(CANARIES.values())[:4]
    headers = {
        "User-Agent": name, "Referer": f"https://site/{token}", "X-Request-Id": f"228{phone}", "Cookie": f"guichet={token}",
        "Authorization": f"Bearer {token}", "X-Forwarded-For": phone, "Accept-Language": name,
    }  # fmt: skip
    for path in (
        f"/verifier/{token}", f"/verifier?code={number}", f"/suivi?numero={number}&nom={name}", f"/dossiers/{number}",
        f"/agent/dossiers/{number}", f"/nowhere/{phone}/{name}", f"/retours/{token}", f"/%0a{name}", f"/audit?{phone}",
    ):  # fmt: skip
        client.get(path, headers=headers)
        client.post(path, headers=headers, data={"phone": phone, "name": name, "token": token, "number": number})
        client.post(path, headers=headers, json={"phone": phone, "name": name})
    client.open("/", method=name, headers=headers)
    client.post("/connexion", data={"phone": f"+228{phone}"}, headers=headers)
    client.post("/connexion/code", data={"code": number[:6]}, headers=headers)
    client.post("/agent/connexion", data={"login": name, "password": token}, headers=headers)
    world.sent(B3)


def _everything_fails(app: Flask, world: World) -> None:
    words = " ".join(CANARIES.values())
    for error in (ValueError(words), KeyError(words), Busy(words)):
        try:
            raise RuntimeError(words) from error
        except RuntimeError as raised:
            failing(app, raised)
        app.test_client().get(f"/aide?{words}")
    logging.getLogger("waitress").error("Exception while serving %s", words)
    logging.getLogger("waitress").info(f"Client disconnected while serving {words}")
    logging.getLogger("another.library").warning("%(what)s", {"what": words})
    office = world.office

    class Fails:
        def send(self, letter: OutboundMessage) -> None:
            raise LookupError(f"{letter.to} {letter.body} {words}")

    class Refuses:
        def send(self, letter: OutboundMessage) -> None:
            raise NotSent(words)

    for sender in (Fails(), Refuses(), ConsoleSender()):
        world.wait(days=1)
        world.sent(B3, world.applicant(f"+228{int(CANARIES['phone']) + 1}"))
        run_pass(replace(office, senders=dict.fromkeys(("sms", "email", "inbox"), sender)))


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_canary_is_ever_heard(app: Flask, world: World, log: Callable[..., str], form: str) -> None:
    log(form)
    _everything_is_asked(app, world)
    _everything_fails(app, world)
    said = log()
    assert said.count("\n") > 30, "nothing was said"
    assert "Exception while serving %s" in said
    for kind, canary in {**CANARIES, "next phone": "90112234"}.items():
        assert canary not in said, kind
    assert "LookupError" in said, "the failure itself is told"


def test_a_failure_is_told_by_kind_and_place(app: Flask, log: Callable[..., str]) -> None:
    log("json")
    try:
        raise RuntimeError("a secret") from ValueError("another")
    except RuntimeError as raised:
        failing(app, raised)
    answer = app.test_client().get("/aide")
    failed, access = lines(log())
    assert failed["level"] == "error"
    assert failed["request"] == access["request"] == answer.headers["X-Request-Id"]
    assert failed["failure"][0] == "RuntimeError"
    assert "ValueError" in failed["failure"]
    assert any(re.fullmatch(r"tests/web/platform/test_log_lines\.py:\d+ fails", one) for one in failed["failure"])
    code = failed["message"].split()[0]
    assert code in answer.text


def test_where_people_are_invented_a_terminal_shows_all(log: Callable[..., str]) -> None:
    log("text", whole=True)
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logging.getLogger("guichet").exception("a worker pass failed")
    assert "ValueError: what went wrong" in log()


def test_another_librarys_counts_are_told_and_its_numbers_are_not(log: Callable[..., str]) -> None:
    speak(logging.getLogger(), "", terminal=True, whole=False)
    logging.getLogger("waitress.queue").warning("Task queue depth is %d", 7)
    logging.getLogger("another.library").warning("called by %d", 22890112233)
    said = log()
    assert "Task queue depth is 7 (" in said
    assert "called by %d (" in said
    assert "22890112233" not in said


def test_a_line_is_one_line(log: Callable[..., str]) -> None:
    """What an address or a file says cannot write a line of its own."""
    log("json")
    logging.getLogger("guichet").warning("refused: %s", 'x\n{"level": "info"}\r\x1b[31m')
    [line] = lines(log())
    assert line["message"].startswith("refused: x {")
    log("text")
    logging.getLogger("guichet").warning("refused: %s", "x\ny\x1b[31m")
    said = log()
    assert said.count("\n") == 1
    assert "\x1b" not in said
