"""What is the same for everybody is made once in a moment; nobody's own page ever is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client

from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.shared_files import Shared
from engine.operations.settings import Settings
from renderers.i18n.log_format import ACCESS
from renderers.web.platform.kept_pages import LARGEST, MOST, KeptPages
from server import create_app
from tests.engine.office.world import a_world

SHARED = "public, max-age=60"


@dataclass
class Stub:
    """An application that counts what it makes, behind kept pages."""

    headers: dict[str, str] = field(default_factory=lambda: {"Cache-Control": SHARED})
    status: str = "200 OK"
    body: bytes = b"page"
    made: int = 0
    now: float = 100.0
    office: object = "one"

    def __post_init__(self) -> None:
        self.client = Client(KeptPages(self, lambda: self.office, 2.0, lambda: self.now), use_cookies=False)

    def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        self.made += 1
        start_response(self.status, [*self.headers.items(), ("X-Made", str(self.made))])
        return iter([self.body])

    def ask(self, path: str = "/", **more: Any) -> bytes:
        answer = self.client.get(path, **more)
        assert answer.status_code == int(self.status[:3])
        return answer.get_data()


def test_a_page_is_made_once_for_a_moment() -> None:
    stub = Stub()
    assert [stub.ask() for _ in range(5)] == [b"page"] * 5
    assert stub.made == 1
    stub.now += 2
    stub.ask()
    assert stub.made == 2
    stub.office = "another edition is in force"
    stub.ask()
    assert stub.made == 3


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Cookie": "langue=en"}}, {"query_string": "q=passeport"}, {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"Range": "bytes=0-1"}}, {"headers": {"If-None-Match": "x"}}, {"path": "/" + "x" * 400},
    ],
)  # fmt: skip
def test_what_may_be_somebodys_own_is_made_each_time(asked: dict[str, Any]) -> None:
    stub = Stub()
    stub.ask()
    for _ in range(2):
        stub.ask(**asked)
    assert stub.made == 3


@pytest.mark.parametrize(
    "other", [{"path": "/demarches"}, {"base_url": "https://localhost"}, {"base_url": "http://autre"}]
)
def test_each_page_is_told_apart(other: dict[str, Any]) -> None:
    stub = Stub()
    stub.ask()
    stub.ask(**other)
    stub.ask(headers={"Accept-Encoding": "gzip"})
    assert stub.made == 3
    stub.client.post("/")
    assert stub.made == 4


@pytest.mark.parametrize(
    "stub",
    [
        Stub({"Cache-Control": "no-store"}), Stub({}), Stub({"Cache-Control": SHARED, "Set-Cookie": "a=b"}),
        Stub(status="404 NOT FOUND"), Stub(body=b"x" * (LARGEST + 1)),
    ],
    ids=["not shared", "not said", "a cookie", "not found", "too large"],
)  # fmt: skip
def test_only_what_shared_caches_may_keep_is_kept(stub: Stub) -> None:
    assert stub.ask() == stub.ask() == stub.body
    assert stub.made == 2


def test_names_do_not_fill_the_memory() -> None:
    stub = Stub()
    for number in range(2 * MOST + 1):
        stub.ask(f"/{number}")
    assert len(stub.client.application._kept) <= MOST


@pytest.fixture
def site(tmp_path: Path) -> Flask:
    world = a_world(tmp_path)
    return create_app(Settings(data=tmp_path, secret="test"), world.office, world.operator, kept_for=60)


def test_the_portal_keeps_what_all_may_read_and_nothing_with_a_form(site: Flask) -> None:
    for path in ("/", "/demarches", "/demarches/passeport-ordinaire", "/aide"):
        first, again = site.test_client().get(path), site.test_client().get(path)
        assert first.get_data() == again.get_data()
        assert "csrf_token" not in first.text, path
        assert first.headers["X-Request-Id"] != again.headers["X-Request-Id"], "each request has its own name"
        assert (first.headers["Content-Security-Policy"], again.headers["Vary"]) == (
            again.headers["Content-Security-Policy"], first.headers["Vary"],
        )  # fmt: skip
    tokens = {site.test_client().get("/connexion").text for _ in range(2)}
    assert len(tokens) == 2, "a form is of one browser"
    assert "English" in site.test_client().get("/").text
    assert 'lang="en"' in site.test_client().get("/?lang=en").text


def test_a_kept_page_is_told_by_its_route_and_has_no_body_for_head(
    site: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    site.test_client().get("/demarches")
    with caplog.at_level(logging.INFO, ACCESS):
        head = site.test_client().head("/demarches")
    assert (head.status_code, head.get_data()) == (200, b"")
    assert [(one.route, one.status) for one in caplog.records] == [("/demarches", 200)]  # type: ignore[attr-defined]


def test_another_office_is_shown_at_once(site: Flask) -> None:
    assert "Passeport ordinaire" in site.test_client().get("/demarches").text
    there = site.extensions["guichet"]
    site.extensions["guichet"] = replace(there, office=replace(there.office, catalogue=Catalogue.of([], Shared())))
    assert "Passeport ordinaire" not in site.test_client().get("/demarches").text
