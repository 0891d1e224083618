"""`guichet serve --processes 2` as it runs: both answer on one port, one that ends is replaced, all end together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from renderers.cli.admin.web_processes import SHARED_METRICS
from tests.faults.installation import patient
from tests.ports import free_port
from tests.web.platform.test_stopping import all_of, half_a_request, heard, running

pytestmark = pytest.mark.slow  # each starts three processes

COUNT = 2
Site = tuple[subprocess.Popen[str], int]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    more = {"GUICHET_METRICS_FROM": "127.0.0.1"}
    with running(tmp_path, "serve", "--processes", str(COUNT), "--port", str(port), **more) as process:
        heard(process, "Guichet :")
        with ended_together(process):
            until(lambda: len(web_processes(process)) == COUNT)
            assert get(port, "/healthz") == 200
            yield process, port


@contextmanager
def ended_together(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill what a failed test left."""
    started = web_processes(process)
    try:
        yield
    finally:
        for pid in {*started, *web_processes(process)}:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)


def web_processes(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in children.read_text().split()] if children.exists() else []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + patient(seconds)
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def get(port: int, address: str) -> int:
    return asked(port, address)[0]


def asked(port: int, address: str) -> tuple[int, str]:
    line = HTTPConnection("127.0.0.1", port, timeout=patient(20))
    try:
        line.request("GET", address, headers={"Connection": "close"})
        answer = line.getresponse()
        return answer.status, answer.read().decode()
    finally:
        line.close()


def test_both_processes_answer_and_one_that_ends_is_replaced(site: Site) -> None:
    process, port = site
    for _ in range(30):
        assert get(port, "/connexion") == 200
    status, figures = asked(port, "/metrics")
    counted = re.search(r'guichet_http_requests_total\{method="GET",route="/connexion",status="2xx"\} (\d+)', figures)
    assert (status, counted is not None and int(counted[1])) == (200, 30)
    first, second = web_processes(process)
    os.kill(first, signal.SIGKILL)
    until(lambda: not is_running(first))
    assert [get(port, "/") for _ in range(20)] == [200] * 20
    until(lambda: len(set(web_processes(process)) - {first, second}) == 1)
    os.kill(second, signal.SIGKILL)  # the replacement answers alone
    until(lambda: not is_running(second))
    assert get(port, "/") == 200


def test_a_stop_finishes_the_requests_under_way_of_each_process(site: Site) -> None:
    process, port = site
    started = web_processes(process)
    lines = [half_a_request(port) for _ in range(8)]
    until(lambda: all(get(port, "/healthz") == 200 for _ in range(10)))
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    for line in lines:
        with line:
            line.sendall(b"1")
            assert all_of(line).startswith(b"HTTP/1.1")
    heard(process, "stopped")
    assert process.wait(patient(20)) == 0
    assert not any(is_running(pid) for pid in started)


def test_web_processes_end_when_the_process_that_started_them_is_killed(site: Site) -> None:
    process, port = site
    started = web_processes(process)
    environ = Path(f"/proc/{started[0]}/environ").read_text().split("\0")
    [figures] = [Path(one.partition("=")[2]) for one in environ if one.startswith(SHARED_METRICS)]
    assert figures.is_dir()
    process.kill()
    until(lambda: not any(is_running(pid) for pid in started))
    assert not figures.exists(), "their figures are in memory"
    with pytest.raises(ConnectionRefusedError):
        get(port, "/healthz")
