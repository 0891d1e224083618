"""`python -m benchmarks.inside`: the same pages asked inside this process, to see where the time of a request goes.

Prints processor time a request, beside that of a bare Flask page, in turns; and, with `--profile home|form|post`, who spent it.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import platform
import pstats
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from werkzeug.test import Client, EnvironBuilder

from benchmarks.portal import PHONE, answers, hidden, write_procedures
from engine.services.context.app_context import AppContext
from engine.services.sign_in.applicant_sign_in import check_code, send_code
from renderers.cli.admin.installation import open_office
from server import Settings, create_app

ROUNDS, REQUESTS = 9, 29  # one person may change a draft 300 times in a quarter of an hour
Ask = Callable[[], int]


class Inside:
    """The portal in this process, and a person signed in on a draft of the long page."""

    def __init__(self, folder: Path) -> None:
        write_procedures(folder / "procedures")
        settings = Settings(procedures=folder / "procedures", data=folder / "data", demo=True, secret="measures" * 4)
        office, operator = open_office(settings)
        self.app = create_app(settings, office, operator)
        self.client = Client(self.app)
        self.client.set_cookie("guichet", _signed_in(office))
        _, self.path = self._open_draft()

    def _open_draft(self) -> tuple[str, str]:
        address = "/demarches/trente-questions/commencer"
        page = self.client.get(address, follow_redirects=True)
        if "<form" in page.text and not page.request.path.startswith("/dossiers/"):
            page = self.client.post(address, data=hidden(page.text), follow_redirects=True)
        place = page.request.path
        return page.text, place if place.endswith("/longue") else f"{place}/longue"

    def page(self, path: str) -> str:
        """A page as text, not compressed."""
        return self.client.get(path).text

    def getting(self, path: str, signed: bool) -> Ask:
        return self._asking({"method": "GET", "path": path}, signed, lambda: b"")

    def posting(self) -> Ask:
        fields = {**hidden(self.page(self.path)), **answers(), "go": "later"}
        same = urlencode({name: said for name, said in fields.items() if name not in ("revision", "token", "q0")})

        def body() -> bytes:
            return f"{same}&token={secrets.token_urlsafe(16)}&q0={secrets.token_hex(4)}".encode()

        form = {"method": "POST", "path": self.path, "content_type": "application/x-www-form-urlencoded"}
        return self._asking(form, True, body)

    def _asking(self, how: Mapping[str, Any], signed: bool, body: Callable[[], bytes]) -> Ask:
        cookies = {one.key: one.value for one in self.client._cookies.values()} if signed else {}
        headers = {"Accept-Encoding": "gzip"}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        environ = EnvironBuilder(**how, headers=headers).get_environ()

        def one() -> int:
            data, status = body(), [""]
            asked = {**environ, "wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data))}

            def start(line: str, _headers: object, _error: object = None) -> None:
                status[0] = line

            answer = self.app(asked, start)
            for _ in answer:
                pass
            if hasattr(answer, "close"):
                answer.close()
            return int(status[0][:3])

        return one


def _signed_in(ctx: AppContext) -> str:
    """The token of a person's session, by the code of the letter they were sent."""
    send_code(ctx, PHONE)
    with ctx.store.unit() as unit:
        letter = unit.letters_to(PHONE)[0]
    digits = next(word for word in letter.body.replace(".", " ").split() if len(word) == 6 and word.isdigit())
    return check_code(ctx, PHONE, digits).token


def bare() -> Ask:
    """A page of nothing but Flask, to hold the others against."""
    app = Flask("bare")
    app.add_url_rule("/", view_func=lambda: "Bonjour")
    environ = EnvironBuilder(path="/").get_environ()

    def one() -> int:
        status = [""]
        for _ in app({**environ}, lambda line, _headers, _error=None: status.__setitem__(0, line)):  # type: ignore[arg-type]
            pass
        return int(status[0][:3])

    return one


def round_of(one: Ask) -> float:
    """Milliseconds of processor a request, over one round."""
    began = time.thread_time()
    for _ in range(REQUESTS):
        if (status := one()) not in (200, 303):
            raise SystemExit(f"answered {status}")
    return 1000 * (time.thread_time() - began) / REQUESTS


def profile(one: Ask, lines: int) -> None:
    for _ in range(20):
        one()
    watch = cProfile.Profile(time.thread_time)
    watch.enable()
    for _ in range(100):
        one()
    watch.disable()
    for order in ("cumulative", "tottime"):
        pstats.Stats(watch).strip_dirs().sort_stats(order).print_stats(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--profile", choices=("home", "form", "post"))
    options.add_argument("--lines", type=int, default=45)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inside = Inside(Path(folder))
        asks = {
            "bare": bare(),
            "home": inside.getting("/", False),
            "form": inside.getting(inside.path, True),
            "post": inside.posting(),
        }
        if chosen.profile:
            profile(asks[chosen.profile], chosen.lines)
            return
        print(f"Python {platform.python_version()}, {platform.python_compiler()}; no server, one thread")
        rounds = [{name: round_of(one) for name, one in asks.items()} for _ in range(ROUNDS + 1)][1:]
        for name in asks:
            times = [one[name] for one in rounds]
            ratio = statistics.median(one[name] / one["bare"] for one in rounds)
            print(f"{name:6}{statistics.median(times):7.2f} ms a request (least {min(times):.2f}), {ratio:5.1f} bare")


if __name__ == "__main__":
    main()
