"""What machines ask: alive, ready, figures; to whom, and what is never in them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from engine.operations.metrics import LEAST_FREE, process_not_ready, store_not_ready
from engine.services.core.call_queue import beat
from engine.services.core.checkpoints import sign_journal
from engine.storage.results import Busy
from renderers.web.platform import probes
from renderers.web.platform.probes import Cached, Readers
from server import Settings, create_app
from tests.engine.services.world import B3, PHONE, World, a_world

pytestmark = pytest.mark.slow  # a whole site for each test

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


def site(world: World, folder: Path, **settings: object) -> Flask:
    return create_app(Settings(data=folder, **settings), world.office, world.operator)  # type: ignore[arg-type]


def cut(app: Flask) -> None:
    """The store of a site stops answering."""

    class Cut:
        snapshots = staticmethod(nullcontext)  # asks nothing of the store

        def __getattr__(self, name: str) -> object:
            raise Busy("cut")

    app.extensions["guichet"] = replace(
        app.extensions["guichet"], office=replace(app.extensions["guichet"].office, store=Cut())
    )


def test_alive_asks_nothing_of_the_store(world: World, tmp_path: Path) -> None:
    app = site(world, tmp_path)
    cut(app)
    answer = app.test_client().get("/healthz", headers={"Cookie": "guichet=a-session"})
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["Cache-Control"] == "no-store"


def test_ready_or_why_not(world: World, tmp_path: Path) -> None:
    app = site(world, tmp_path)
    assert app.test_client().get("/readyz").json == {"ready": True, "reasons": []}
    app = site(world, tmp_path)
    cut(app)
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"ready": False, "reasons": ["store_unreachable"]})
    answer = app.test_client().get("/readyz?of=process")
    assert (answer.status_code, answer.json) == (200, {"ready": True, "reasons": []})
    app.extensions["guichet.probes"].stopping.set()
    for address in ("/readyz", "/readyz?of=process"):
        assert app.test_client().get(address).json == {"ready": False, "reasons": ["stopping"]}


def test_each_reason_not_to_serve(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office, ring = world.office, tmp_path / "file_keys.json"
    assert process_not_ready(office, ring, tmp_path) == ()
    ring.write_text("{}")
    assert process_not_ready(office, ring, tmp_path) == ("keys_unreadable",)
    assert process_not_ready(office, tmp_path / "no.json", tmp_path) == ("keys_unreadable",)
    assert process_not_ready(office, None, tmp_path / "away") == ("data_unreachable",)
    nothing = replace(office, catalogue=replace(office.catalogue, procedures={}))
    assert process_not_ready(nothing, None, tmp_path) == ("no_edition",)
    standing = replace(office.store.migration_state(), pending=("0099 later",), strange=("9999 other",), usable=False)
    monkeypatch.setattr(type(office.store), "migration_state", lambda self: standing)
    assert store_not_ready(office) == ("migrations_pending", "store_of_another_release")
    monkeypatch.undo()
    full = os.statvfs_result((1, 1, 1, 0, 0, 1, 1, 1, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    assert full.f_bavail < LEAST_FREE
    assert process_not_ready(office, None, tmp_path) == ("disk_full",)


def test_a_silent_store_holds_one_of_those_who_ask() -> None:
    """The first asks until it is answered; the others hear meanwhile that nothing comes."""
    asked, answers = threading.Event(), threading.Event()

    def ask() -> str:
        asked.set()
        answers.wait(10)
        return "there"

    cached = Cached(ask, 60.0, "late")
    with ThreadPoolExecutor(1) as one:
        first = one.submit(cached.value)
        assert asked.wait(10)
        assert [cached.value() for _ in range(3)] == ["late"] * 3
        answers.set()
        assert first.result() == cached.value() == "there"


def test_a_probe_names_no_site(world: World, tmp_path: Path) -> None:
    """It calls a machine by its address, where the site answers to its names only."""
    client = site(world, tmp_path, hosts=("guichet.example",)).test_client()
    assert client.get("/healthz", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/", headers={"Host": "10.0.0.7:8000"}).status_code == 400


# -- figures -----------------------------------------------------------------------------------------------------------

NEAR = {"REMOTE_ADDR": "10.0.0.7"}
TOKEN = {"Authorization": "Bearer a-token-of-an-operator"}
GIVEN = {"metrics_from": ("10.0.0.0/24",), "metrics_token": "a-token-of-an-operator"}


@pytest.mark.parametrize(
    ("settings", "environ", "headers", "status"),
    [
        ({}, {}, {}, 404),
        ({}, {"REMOTE_ADDR": "127.0.0.1"}, {"Authorization": "Bearer "}, 404),
        ({"metrics_from": ("10.0.0.0/24",)}, NEAR, {}, 200),
        ({"metrics_from": ("10.0.0.0/24",)}, {"REMOTE_ADDR": "10.0.1.7"}, {}, 404),
        ({"metrics_from": ("10.0.0.0/24",)}, {"REMOTE_ADDR": "unix"}, {}, 404),
        ({"metrics_from": ("10.0.0.0/24",)}, NEAR, {"X-Forwarded-For": "1.2.3.4"}, 404),
        ({"metrics_token": "a-token-of-an-operator"}, {}, TOKEN, 200),
        ({"metrics_token": "a-token-of-an-operator"}, {}, {"Authorization": "Bearer another"}, 404),
        ({"metrics_token": "a-token-of-an-operator"}, {}, {"Authorization": "Bearer \xe9"}, 404),
        (GIVEN, NEAR, TOKEN, 200),
        (GIVEN, NEAR, {}, 404),
        (GIVEN, {"REMOTE_ADDR": "10.0.1.7"}, TOKEN, 404),
    ],
)  # fmt: skip
def test_who_reads_the_figures(
    world: World,
    tmp_path: Path,
    settings: dict[str, object],
    environ: dict[str, str],
    headers: dict[str, str],
    status: int,
) -> None:
    client = site(world, tmp_path, **settings).test_client()
    assert client.get("/metrics", environ_overrides=environ, headers=headers).status_code == status


def test_behind_a_trusted_proxy_the_address_is_the_readers_own(world: World, tmp_path: Path) -> None:
    client = site(world, tmp_path, metrics_from=("10.0.0.0/24",), proxies=1).test_client()
    assert client.get("/metrics", environ_overrides=NEAR, headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 200


def test_a_wrong_network_stops_the_start() -> None:
    with pytest.raises(ValueError, match="not appear"):
        Readers.of(("10.0.0.300",), "", 0)


def read(client: FlaskClient) -> dict[str, float]:
    answer = client.get("/metrics", headers=TOKEN)
    assert answer.content_type.startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_figures(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "GAUGES_KEPT", 0.0)
    client = site(world, tmp_path, metrics_token="a-token-of-an-operator").test_client()
    before = read(client)
    dossier = world.sent(B3)
    world.wait(minutes=90)
    client.get(f"/demarches/{B3}?age=33")
    client.get("/demarches/nothing-of-that-name")
    client.get("/nowhere/22890112233")
    client.open("/", method="AFI90112233")
    after = read(client)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    route = "/demarches/<slug>"
    assert grown(f'guichet_http_requests_total{{method="GET",route="{route}",status="2xx"}}') == 1
    assert grown(f'guichet_http_requests_total{{method="GET",route="{route}",status="4xx"}}') == 1
    assert grown('guichet_http_requests_total{method="GET",route="-",status="4xx"}') == 1
    assert grown('guichet_http_requests_total{method="OTHER",route="-",status="4xx"}') == 1
    assert grown(f'guichet_http_request_duration_seconds_count{{route="{route}"}}') == 2
    assert after[f'guichet_dossiers{{procedure="{B3}",state="{dossier.state}"}}'] == 1
    assert after["guichet_outbox_waiting"] >= 1
    assert after["guichet_outbox_oldest_seconds"] == 90 * 60
    assert after['guichet_payments_open{status="unknown"}'] == 0
    assert after["guichet_store_up"] == 1
    assert not {"guichet_checkpoint_age_seconds", "guichet_worker_age_seconds"} & set(after)
    beat(world.office)
    sign_journal(replace(world.office, settings=replace(world.office.settings, checkpoints=tmp_path / "notes")))
    world.wait(seconds=40)
    assert read(client)["guichet_checkpoint_age_seconds"] == 40
    assert read(client)["guichet_worker_age_seconds"] == 40
    assert not any("_created" in name for name in after)
    assert after["guichet_migrations_pending"] == 0
    assert after[f'guichet_edition_age_seconds{{procedure="{B3}"}}'] == 90 * 60
    everything = "\n".join(after)
    for personal in (dossier.number, dossier.id, PHONE, PHONE[4:], "AMEGAN"):
        assert personal not in everything


def test_the_figures_say_that_the_store_is_away(world: World, tmp_path: Path) -> None:
    app = site(world, tmp_path, metrics_token="a-token-of-an-operator")
    cut(app)
    told = read(app.test_client())
    assert told["guichet_store_up"] == 0
    assert "guichet_outbox_waiting" not in told


def test_several_processes_share_their_figures(tmp_path: Path) -> None:
    """As the library has it: each writes in one folder, whoever is asked tells the sum."""
    counting = "from renderers.web.platform.metrics import count; count('GET', '/shared', '200', 0.02)"
    telling = "from renderers.web.platform.metrics import exposition; print(exposition(None).decode())"
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "shared")}
    for code in (counting, counting):
        subprocess.run([sys.executable, "-c", code], env=environ, cwd=ROOT, check=True)
    told = subprocess.run(
        [sys.executable, "-c", telling], env=environ, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert re.search(r'guichet_http_requests_total\{method="GET",route="/shared",status="2xx"\} 2\.0', told)
    assert "guichet_store_up 0.0" in told
