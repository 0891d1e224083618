"""Our application in one process, beside the peers in theirs; `python -m benchmarks.inside get|post` says who spends the time.

`application` and `begin` are what `benchmarks.peers.in_process` asks for. The store is a new one, in the folder that
`PEER_DATABASE` names.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from datetime import timedelta
from itertools import cycle
from pathlib import Path

from flask import Flask
from werkzeug.test import Client

from benchmarks.peers.in_process import PEOPLE, Person
from benchmarks.portal import LONG_PAGE, hidden, write_procedures
from engine.records.dossier import Account
from engine.records.people import Session
from engine.services.context.app_context import AppContext
from engine.services.keys.secrets import new_token, token_digest
from renderers.cli.admin.installation import open_office
from server import Settings, create_app


def _opened(folder: Path) -> tuple[AppContext, Flask]:
    """The application over the shipped procedures and the long page."""
    write_procedures(folder / "procedures")
    settings = Settings(procedures=folder / "procedures", data=folder / "data", demo=True, secret="measures" * 4)
    ctx, operator = open_office(settings)
    return ctx, create_app(settings, ctx, operator)


CTX, application = _opened(Path(os.environ.get("PEER_DATABASE") or tempfile.mkdtemp()))


def begin(count: int) -> list[tuple[str, str]]:
    """Signed-in people, each with a draft of the long page: its address and their cookies."""
    return [_begun(n) for n in range(count)]


def _begun(number: int) -> tuple[str, str]:
    token, now, account = new_token(), CTX.now(), f"person{number}"
    with CTX.store.unit(write=True) as unit:
        unit.put_account(Account(account, "applicant", "", f"+2289{number:07d}"))
        unit.put_session(Session(token_digest(token), account, now, now, now + timedelta(days=1)))
    client = Client(application)
    client.set_cookie("guichet", token)
    address = f"/demarches/{LONG_PAGE}/commencer"
    page = client.post(address, data=hidden(client.get(address).text), follow_redirects=True)
    path = page.request.path
    if not path.endswith("/demande/longue"):
        raise SystemExit(f"the draft begins at {path}")
    return path, "; ".join(f"{one.key}={one.value}" for one in client._cookies.values())  # type: ignore[union-attr]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kind", choices=("get", "post"))
    options.add_argument("--lines", type=int, default=45)
    chosen = options.parse_args()
    everyone = [Person(application, *one) for one in begin(PEOPLE)]
    for one in everyone:
        one.learns()
    turns = cycle(everyone)
    watch = cProfile.Profile(time.thread_time)
    watch.enable()
    for _ in range(200):
        one = next(turns)
        one.get() if chosen.kind == "get" else one.post()
    watch.disable()
    for order in ("cumulative", "tottime"):
        pstats.Stats(watch).strip_dirs().sort_stats(order).print_stats(chosen.lines)


if __name__ == "__main__":
    main()
