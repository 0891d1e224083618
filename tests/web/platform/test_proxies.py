"""Whose request it is, behind proxies: asked over a socket of the server that ships."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.services.context.rate_limit import network_of
from renderers.web.platform.proxies import Proxies, read_address
from server import Settings, create_app
from tests.engine.services.world import a_world
from tests.web.platform.test_stopping import serving
from tests.web.socket_server import asked, fronting

FORWARDED = "X-Forwarded-For: "


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Tells the address, scheme and host that an application sees."""
    start_response("200 OK", [])
    return [json.dumps([environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ["HTTP_HOST"]]).encode()]


@pytest.mark.parametrize(
    ("proxies", "headers", "address"),
    [
        (1, (), "127.0.0.1"),
        (1, ("203.0.113.7",), "203.0.113.7"),
        (1, ("198.51.100.1, 203.0.113.7",), "203.0.113.7"),
        (1, ("198.51.100.1", "203.0.113.7"), "203.0.113.7"),
        (1, ("malformed, , 203.0.113.7",), "203.0.113.7"),
        (2, ("198.51.100.1, 203.0.113.7, 192.0.2.9",), "203.0.113.7"),
        (2, ("203.0.113.7, 192.0.2.9",), "203.0.113.7"),
        (2, ("203.0.113.7",), "203.0.113.7"),
        (1, ("203.0.113.7:4711",), "203.0.113.7"),
        (1, ("2001:DB8:0::7",), "2001:db8::7"),
        (1, ("[2001:db8::7]",), "2001:db8::7"),
        (1, ('"[2001:db8::7]:4711"',), "2001:db8::7"),
        (1, ("::ffff:203.0.113.7",), "203.0.113.7"),
        (1, ("fe80::1%eth0",), "fe80::1"),
    ],
)
def test_the_address_is_the_one_that_the_farthest_trusted_proxy_saw(
    proxies: int, headers: tuple[str, ...], address: str
) -> None:
    with fronting(Proxies(echo, proxies)) as port:
        status, body = asked(port, "/", *(FORWARDED + one for one in headers))
    assert (status, json.loads(body)[0]) == (200, address)


@pytest.mark.parametrize(
    "header",
    [
        FORWARDED + "unknown",
        FORWARDED + "_hidden",
        FORWARDED + "203.0.113.7,",
        FORWARDED,
        FORWARDED + "203.0.113.300",
        FORWARDED + "203.0.113.7:http",
        FORWARDED + "[2001:db8::7",
        FORWARDED + "[2001:db8::7]x",
        FORWARDED + "203.0.113.7 203.0.113.8",
        FORWARDED + "' OR 1=1 --",
        FORWARDED + "9" * 5000,
        "X-Forwarded-Proto: gopher",
        "X-Forwarded-Proto: ",
    ],
)
def test_what_no_proxy_writes_is_refused(header: str) -> None:
    with fronting(Proxies(echo, 1)) as port:
        assert asked(port, "/", header)[0] == 400


def test_scheme_and_host_are_the_ones_that_the_farthest_trusted_proxy_saw() -> None:
    said = ("X-Forwarded-Proto: gopher, HTTPS", "X-Forwarded-Host: evil.example, guichet.example:8443")
    with fronting(Proxies(echo, 1)) as port:
        assert json.loads(asked(port, "/", *said)[1])[1:] == ["https", "guichet.example:8443"]
        assert json.loads(asked(port, "/")[1])[1:] == ["http", "localhost"]
    with fronting(Proxies(echo, 2)) as port:
        single = ("X-Forwarded-Proto: https", "X-Forwarded-Host: guichet.example")
        assert json.loads(asked(port, "/", *single)[1])[1:] == ["https", "guichet.example"]


def test_headers_with_an_underscore_do_not_pass_for_the_others() -> None:
    with fronting(Proxies(echo, 1)) as port:
        assert json.loads(asked(port, "/", "X_Forwarded_For: 203.0.113.7")[1])[0] == "127.0.0.1"


@pytest.mark.parametrize("text", ["", "[", "[]", ":", "1.2.3.4:", "1.2.3.4:٣", "%eth0", "[1.2.3.4", "::1]:80"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of several kinds
        read_address(text)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7"),
        ("unix", ""),
        ("", ""),
    ],
)
def test_the_key_of_an_address(address: str, key: str) -> None:
    assert network_of(address) == key


# -- the whole site ----------------------------------------------------------------------------------------------------

READERS = {"GUICHET_METRICS_FROM": "203.0.113.7,2001:db8::/32,127.0.0.1", "GUICHET_LOG": "json"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("proxies", "statuses"),
    [
        # an undeclared proxy hands on what may come from anywhere
        ("0", {"": 200, "203.0.113.7": 404}),
        (
            "1",
            {
                "": 200,
                "203.0.113.7": 200,
                "198.51.100.1": 404,
                "203.0.113.7, 198.51.100.1": 404,
                "127.0.0.1, 198.51.100.1": 404,
                "2001:db8:9::1": 200,
                "unknown": 400,
            },
        ),
        ("2", {"203.0.113.7, 198.51.100.1": 200, "203.0.113.7, 198.51.100.1, 192.0.2.9": 404, "198.51.100.1": 404}),
    ],
)
def test_who_reads_the_figures_of_a_server_behind_proxies(
    tmp_path: Path, proxies: str, statuses: dict[str, int]
) -> None:
    with serving(tmp_path, GUICHET_PROXIES=proxies, **READERS) as (_, port):
        told = {one: asked(port, "/metrics", *([FORWARDED + one] if one else []))[0] for one in statuses}
    assert told == statuses


@pytest.mark.slow
@pytest.mark.parametrize(
    ("proxies", "said", "status"),
    [
        (0, "X-Forwarded-Host: guichet.example", 400),
        (1, "X-Forwarded-Host: guichet.example", 200),
        (1, "X-Forwarded-Host: evil.example", 400),
        (1, "X-Forwarded-Host: guichet.example, evil.example", 400),
        (1, "X-Forwarded-Host: a b", 400),
        (1, "X-Forwarded-Host: guichet.example:x", 400),
        (1, "X-Forwarded-Host: <script>", 400),
    ],
)
def test_a_site_answers_to_its_names_whoever_says_them(tmp_path: Path, proxies: int, said: str, status: int) -> None:
    world = a_world(tmp_path)
    settings = Settings(data=tmp_path, proxies=proxies, hosts=("guichet.example",))
    with fronting(create_app(settings, world.office, world.operator)) as port:
        assert asked(port, "/aide", said)[0] == status
        assert asked(port, "/healthz", said)[0] == 200


@pytest.mark.parametrize(
    ("proxies", "flood"), [(1, "203.0.113.7"), (1, "198.51.100.{}, 203.0.113.7"), (1, "203.0.113.7:47{}"), (2, "203.0.113.7, 192.0.2.9")]
)  # fmt: skip
def test_each_address_has_its_turn(proxies: int, flood: str) -> None:
    """Sixty requests of one address wait for one thread; another address is served once the one under way is, not after the sixty,
    and a header that the client wrote itself makes it no other address."""
    served, begun = list[str](), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begun.set()
        time.sleep(0.05)
        served.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"served"]

    with fronting(slow, threads=1, proxies=proxies) as port, ThreadPoolExecutor(60) as people:
        many = [people.submit(asked, port, "/many", FORWARDED + flood.format(n)) for n in range(60)]
        begun.wait(10)
        time.sleep(0.5)
        before = len(served)
        assert before < 40, "the sixty are still waiting"
        assert asked(port, "/one", FORWARDED + "203.0.113.99, 192.0.2.9"[: 27 if proxies == 2 else 12])[0] == 200
        assert served.index("/one") <= before + 4
        assert [one.result()[0] for one in many] == [200] * 60
