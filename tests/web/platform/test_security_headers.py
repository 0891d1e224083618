"""What every answer carries, whatever it is: cookies of the host alone, kinds with their alphabet, no door for another site."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from base64 import b85encode, urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Final

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from werkzeug.test import TestResponse

from engine.services.keys.signing_keys import Box
from engine.services.sign_in.sessions import actor_of
from renderers.cli.admin.http_server import Front
from renderers.cli.admin.web_processes import listening_socket
from tests.web.client import PHONE, STALL, PortalClient, a_portal_client, another, later
from tests.web.socket_server import fronting

pytestmark = pytest.mark.slow  # a whole site for each test

HTTPS: Final = "https://localhost"
OPEN: Final = (
    "/", "/demarches", "/demarches/essai", "/connexion", "/suivi", "/v", "/aide", "/agent/connexion", "/audit/connexion", "/rien",
    "/healthz", "/readyz", "/metrics", "/robots.txt", "/.well-known/jwks.json", "/demarches.atom", "/demarches.json",
    "/demarches/essai/circuit.svg", "/static/rien.css",
)  # fmt: skip

OPEN_DATA: Final = {"/demarches.json"}


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path, base_url=HTTPS)


def answers(visitor: PortalClient) -> list[TestResponse]:
    """One of each kind: pages, data, pictures, sheets, refusals, what does not exist."""
    static = sorted(set(re.findall(r'"(/static/[^"]+)"', visitor.open("/").html)))
    assert {one.rpartition(".")[2] for one in static} >= {"css", "js", "svg"}
    seen = [visitor.client.get(path, base_url=HTTPS) for path in (*OPEN, *static)]
    seen.append(visitor.client.post("/connexion", base_url=HTTPS, data={"phone": PHONE, "end": "1"}))
    seen.append(visitor.client.put("/", base_url=HTTPS))
    assert {one.status_code for one in seen} >= {200, 400, 404, 405}
    return seen


def test_nothing_is_answered_without_its_shields(visitor: PortalClient) -> None:
    for one in answers(visitor):
        said, where = one.headers, one.request.path
        policy = said["Content-Security-Policy"]
        assert {"default-src 'none'", "frame-ancestors 'none'"} <= {part.strip() for part in policy.split(";")}, where
        assert said["X-Content-Type-Options"] == "nosniff", where
        assert said["Referrer-Policy"] == "same-origin", where
        assert said["Cross-Origin-Opener-Policy"] == "same-origin", where
        assert re.fullmatch(r"max-age=(\d{8,}); includeSubDomains", said["Strict-Transport-Security"]), where


def test_other_sites_read_open_data_and_nothing_else(visitor: PortalClient) -> None:
    visitor.sign_in()
    for one in answers(visitor):
        given = one.headers.get("Access-Control-Allow-Origin")
        if one.request.path in OPEN_DATA:
            assert given == "*"
            assert "Set-Cookie" not in one.headers
            assert "Access-Control-Allow-Credentials" not in one.headers
        else:
            assert given is None, one.request.path
            assert one.headers["Cross-Origin-Resource-Policy"] == "same-origin", one.request.path


def test_two_sites_of_one_process_tell_each_its_own_news(tmp_path: Path) -> None:
    for title in ("Étal de marché", "Étal du port"):
        there = a_portal_client(tmp_path, STALL.replace("Étal de marché", title))
        assert title in there.client.get("/demarches.atom").text


def test_a_kind_of_text_says_its_alphabet(visitor: PortalClient) -> None:
    for one in answers(visitor):
        if one.data:
            kind = one.headers["Content-Type"].lower()
            told = "charset=utf-8" in kind
            assert told or not re.match(r"text/|[^;]*[/+]xml", kind), (one.request.path, kind)
            one.data.decode("utf-8")


def test_every_cookie_is_of_this_host_alone(visitor: PortalClient) -> None:
    visitor.open("/?lang=en")
    held = visitor.page.response.headers.getlist("Set-Cookie")
    for step in (
        lambda: visitor.open("/connexion"),
        lambda: visitor.send("/connexion", phone=PHONE),
        lambda: visitor.send("/connexion/code", code=visitor.code()),
        lambda: visitor.send("/deconnexion"),
    ):
        step()
        held += visitor.page.response.headers.getlist("Set-Cookie")
        held += [one for before in visitor.page.response.history for one in before.headers.getlist("Set-Cookie")]
    names = {one.partition("=")[0] for one in held}
    assert names == {"__Host-session", "__Host-guichet", "__Host-guichet-known", "__Host-langue"}
    for one in held:
        said = {part.strip().lower() for part in one.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= said, one
        assert not [part for part in said if part.startswith("domain")], one


def test_who_signs_in_again_has_another_token_and_the_one_before_is_nobody(visitor: PortalClient) -> None:
    tokens = []
    for _ in range(2):
        visitor.send("/connexion", phone=PHONE)
        visitor.send("/connexion/code", code=visitor.code())
        held = visitor.client.get_cookie("__Host-guichet")
        assert held is not None
        tokens.append(held.value)
        later(visitor, minutes=2)
    assert tokens[0] != tokens[1]
    assert [actor_of(visitor.office, token) is None for token in tokens] == [True, False]


def test_a_code_is_for_the_browser_that_asked(visitor: PortalClient) -> None:
    """Whoever asked for the code of somebody's number before them gets nothing of theirs, told over the telephone or read."""
    before = another(visitor)
    before.send("/connexion", phone=PHONE)
    later(visitor, minutes=2)
    visitor.send("/connexion", phone=PHONE)
    code = visitor.code()
    assert before.send("/connexion/code", code=code).status == 422
    assert before.open("/dossiers").address.startswith("/connexion")
    assert visitor.send("/connexion/code", code=code).address == "/dossiers"


def test_every_page_behind_the_door_shows_the_way_out(visitor: PortalClient) -> None:
    visitor.sign_in()
    number = visitor.begin()
    for path in (
        "/",
        "/dossiers",
        "/compte",
        "/compte/appareils",
        f"/dossiers/{number}/demande/vous",
        "/demarches/essai",
    ):
        assert re.search(r'href="/deconnexion"', visitor.open(path).html), path
    for frame in ("staff/base.html", "base.html"):
        assert "deconnexion" in (Path("renderers/templates") / frame).read_text("utf-8")


def test_the_small_cookie_is_sealed_and_refused_once_changed(visitor: PortalClient) -> None:
    visitor.send("/connexion", phone=PHONE)
    kept = visitor.client.get_cookie("__Host-session")
    assert kept is not None
    with visitor.client.session_transaction(base_url=HTTPS) as held:
        assert held["phone"]
    read = urlsafe_b64decode(kept.value.removeprefix("~"))
    assert not [one for one in (b"phone", b"csrf", held["phone"].encode()) if one in read]
    assert len(kept.value) < 4096
    assert visitor.client.get("/connexion/code", base_url=HTTPS).status_code == 200
    place = len(kept.value) // 2
    changed = kept.value[:place] + ("A" if kept.value[place] != "A" else "B") + kept.value[place + 1 :]
    for value in (changed, "~", "~AAAA", "~é", kept.value.removeprefix("~")):
        visitor.client.set_cookie("__Host-session", value, secure=True)
        assert visitor.client.get("/connexion/code", base_url=HTTPS).headers["Location"] == "/connexion", value


def test_a_cookie_lasts_thirty_days(visitor: PortalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor.send("/connexion", phone=PHONE)
    now = time.time()
    for days, status in ((29.9, 200), (30.1, 303)):
        monkeypatch.setattr(time, "time", lambda days=days: now + days * 24 * 3600)
        assert visitor.client.get("/connexion/code", base_url=HTTPS).status_code == status


class SealedBefore:
    """How the release before wrote the content of its cookie."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def dumps(self, value: object) -> str:
        return b85encode(self.box.seal(json.dumps(value).encode())).decode()

    loads = json.loads


def test_a_cookie_and_a_form_of_the_release_before_go_on(visitor: PortalClient) -> None:
    application = visitor.client.application
    application.config["WTF_CSRF_ENABLED"] = True
    secret = str(application.secret_key)
    hashed = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    signing = URLSafeTimedSerializer(
        [secret],
        "cookie-session",
        SealedBefore(Box(secret.encode(), "the browser's small cookie")),
        signer_kwargs=hashed,
    )
    visitor.client.set_cookie("__Host-session", signing.dumps({"csrf_token": "k" * 32}), secure=True)
    token = URLSafeTimedSerializer(secret, "wtf-csrf-token", signer_kwargs={"digest_method": hashlib.sha256}).dumps(
        "k" * 32
    )
    sent = {"phone": PHONE, "end": "1", "csrf_token": token}
    assert (
        visitor.client.post("/connexion", base_url=HTTPS, data=sent).headers["Location"].startswith("/connexion/code")
    )
    kept = visitor.client.get_cookie("__Host-session")
    assert kept is not None
    assert kept.value.startswith("~")
    assert visitor.client.get("/connexion/code", base_url=HTTPS).status_code == 200


def test_a_cookie_and_a_form_outlive_their_secret_while_it_is_named(tmp_path: Path) -> None:
    """The secret is replaced on every machine: the former is read, and never used to sign."""
    secrets = (("one", ""), ("two", "one"), ("two", ""))
    sites = [
        a_portal_client(tmp_path / str(n), base_url=HTTPS, secret=now, secret_before=before)
        for n, (now, before) in enumerate(secrets)
    ]
    for site in sites:
        site.client.application.config["WTF_CSRF_ENABLED"] = True
    token = re.findall(r'name="csrf_token" value="([^"]+)"', sites[0].open("/connexion").html)[0]
    sent, opened = {"phone": PHONE, "end": "1", "csrf_token": token}, []
    cookie = sites[0].client.get_cookie("__Host-session")
    for site in (sites[2], sites[1]):
        assert cookie is not None
        site.client.set_cookie("__Host-session", cookie.value, secure=True)
        opened.append(site.client.post("/connexion", base_url=HTTPS, data=sent).status_code)
    assert opened == [400, 303]
    renewed = sites[1].client.get_cookie("__Host-session")
    assert renewed is not None
    sites[2].client.set_cookie("__Host-session", renewed.value, secure=True)
    assert sites[2].client.get("/connexion/code", base_url=HTTPS).status_code == 200


def test_a_form_is_taken_with_a_token_of_its_browser_alone(visitor: PortalClient) -> None:
    visitor.client.application.config["WTF_CSRF_ENABLED"] = True
    field = re.compile(r'name="csrf_token" value="([^"]+)"')
    (mine,), (theirs,) = (field.findall(one.open("/connexion").html) for one in (visitor, another(visitor)))
    assert mine not in field.findall(visitor.open("/connexion").html)  # no two are equal
    older = TimestampSigner(str(visitor.client.application.secret_key), "wtf-csrf-token", digest_method=hashlib.sha1)
    with visitor.client.session_transaction(base_url=HTTPS) as held:
        weak = older.sign(urlsafe_b64encode(json.dumps(held["csrf_token"]).encode())).decode()
    said = {"phone": PHONE, "end": "1"}
    for sent, status in ((theirs, 400), (weak, 400), ("", 400), (mine[:-1], 400), (f"{mine}é", 400), (mine, 303)):
        answer = visitor.client.post("/connexion", base_url=HTTPS, data={**said, "csrf_token": sent})
        assert answer.status_code == status, sent
        in_head = visitor.client.post(
            "/connexion", base_url=HTTPS, data=said, headers={"X-CSRFToken": sent.encode().decode("latin-1")}
        )
        assert in_head.status_code == status, sent


def test_no_folder_is_listed_and_no_file_reached_by_its_path(visitor: PortalClient) -> None:
    for path in ("/static", "/static/", "/static/../server.py", "/.git/config", "/.env", "/static/..%2f..%2fserver.py"):
        assert visitor.client.get(path, base_url=HTTPS).status_code == 404, path


def test_nothing_is_echoed(visitor: PortalClient) -> None:
    """TRACE would hand cookies to a script."""
    answer = visitor.client.open("/", method="TRACE", base_url=HTTPS, headers={"X-Secret": "perle"})
    assert answer.status_code == 405
    assert b"perle" not in answer.data


def test_a_password_is_masked_and_may_be_pasted() -> None:
    fields = [
        field
        for file in Path("renderers/templates").rglob("*.html")
        for field in re.findall(r"<input[^>]*name=\"(?:password|before|again)\"[^>]*>", file.read_text("utf-8"))
    ]
    typed = [field for field in fields if 'type="hidden"' not in field]  # a button of the demonstration carries its own
    assert len(typed) >= 4
    for field in typed:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert "maxlength" not in field
    scripts = "".join(file.read_text("utf-8") for file in Path("renderers/static").glob("*.js"))
    assert "paste" not in scripts


# -- where a request ends ----------------------------------------------------------------------------------------------

AMBIGUOUS: Final = {
    "two lengths": "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a length that is none": "Content-Length: +4\r\n\r\nabcd",
    "an unknown encoding": "Transfer-Encoding: xchunked\r\n\r\nabcd",
    "a size that is none": "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "a space before the colon": "Content-Length : 4\r\n\r\nabcd",
    "a bare line end": "X-A: b\nContent-Length: 4\r\n\r\nabcd",
}


@pytest.mark.parametrize("rest", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_request_whose_end_is_doubtful_is_refused(rest: str) -> None:
    """What one program takes for the end of a request another takes for its middle: neither reads on."""
    reached: list[str] = []

    def page(environ, start_response):  # type: ignore[no-untyped-def]
        reached.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Length", "0")])
        return []

    front = Front(page, listening_socket("127.0.0.1", 0), 2, 1000)
    stopping = threading.Event()
    turn = threading.Thread(target=front.run, args=(stopping,))
    turn.start()
    try:
        [door] = front._servers()
        with socket.create_connection(("127.0.0.1", int(door.effective_port)), 5) as line:
            line.sendall(
                f"POST / HTTP/1.1\r\nHost: localhost\r\n{rest}GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            line.settimeout(5)
            said = b""
            while piece := line.recv(4096):
                said += piece
    finally:
        stopping.set()
        front.wake()
        turn.join(5)
        front.drain(1)
    assert re.match(rb"HTTP/1\.[01] (400|501) ", said), said
    assert said.count(b"HTTP/1.") == 1
    assert reached == []


@pytest.mark.parametrize("address", ["/connexion", "/dossiers/1/demande/vous"])
@pytest.mark.parametrize("body", [b"a&" * 600, b"a=" + b"b" * 600_000, b"a&" * 1_000_000], ids=["many", "long", "both"])
def test_a_form_without_files_is_refused_before_it_is_read(
    visitor: PortalClient, monkeypatch: pytest.MonkeyPatch, address: str, body: bytes
) -> None:
    """Ten megabytes of short fields took 15 seconds, one field of 45 megabytes 28 seconds and 3.1 gigabytes."""
    read = list[int]()
    monkeypatch.setattr("werkzeug.formparser.parse_qsl", lambda text, **_: read.append(len(text)) or [])
    kind = f"POST {address} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    with fronting(visitor.client.application) as port:
        for length, sent in ((f"Content-Length: {len(body)}", body), ("Transfer-Encoding: chunked", chunked)):
            with socket.create_connection(("127.0.0.1", port), 20) as line:
                line.sendall(f"{kind}{length}\r\nConnection: close\r\n\r\n".encode() + sent)
                assert line.recv(65_536).startswith(b"HTTP/1.1 413 ")
    assert read == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b'form-data; name=q; filename=q; ' + b'a="";' * 80_000, 413), (b"form-data; name=q\r\n" + b"b:\r\n" * 80_000 + b"c:", 413),
        (b"form-data; name=q; filename=" + b"q" * 1900, 400), (b'form-data; name="', 400), (b"form-data; filename=q", 400),
    ],
    ids=["parameters", "lines", "long", "unnamed", "unnamed file"],
)  # fmt: skip
def test_a_part_of_a_form_has_a_short_head_and_a_name(visitor: PortalClient, head: bytes, status: int) -> None:
    """20 megabytes of heads took 24 seconds and 600 megabytes, without a sign-in. A part without a name was a fault of ours."""
    part = b"--x\r\nContent-Disposition: " + head + b"\r\n\r\n1\r\n"
    body = part * 5 + b'--x\r\nContent-Disposition: form-data; name="end"\r\n\r\n1\r\n--x--\r\n'
    kind = "POST /connexion HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nConnection: close"
    with fronting(visitor.client.application) as port, socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(f"{kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert line.recv(65_536).split()[1] == str(status).encode()


def test_who_refuses_gzip_gets_none(visitor: PortalClient) -> None:
    sheet = re.search(r"/static/[^\"]+\.css", visitor.open("/").html)
    assert sheet is not None
    for address in ("/demarches", sheet[0], "/demarches/essai/formulaire.pdf"):
        for asked, encoding in (("gzip", "gzip"), ("gzip;q=0", None), ("*", "gzip"), ("", None)):
            answer = visitor.client.get(address, headers={"Accept-Encoding": asked})
            assert answer.headers.get("Content-Encoding") == encoding, (address, asked)
