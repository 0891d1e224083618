"""What many procedures cost: checking a file, starting over thousands, a request among them, memory.

Every line holds two sides of one run against each other, in turns, on processor time; the two sizes are each served by a
process of its own. The folders are kept in `var/bench`: making the large one takes minutes, once.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import yaml
from werkzeug.test import Client

from benchmarks.many import AGENCY, write_many
from benchmarks.measure import Measure, spent
from benchmarks.portal import ROOT
from engine.language.catalogue.check import check_definition
from engine.language.compiler.shared_files import load_shared
from engine.language.source.schema import META_SCHEMA_PATH
from engine.records.dossier import Account
from engine.records.people import Session
from engine.services.context.app_context import AppContext
from engine.services.keys.secrets import new_token, token_digest
from renderers.cli.admin.installation import open_office
from server import Settings, create_app

SMALL, SOME, LARGE = 25, 1_000, 10_000  # the small one fills one page of the list, as the large one does
ROUNDS, REQUESTS, CHECKS = 9, 40, 15
PREPARED = ROOT / "var" / "bench"
FILE = ROOT / "procedures" / "e-visa.yaml"  # the one nearest to 400 lines
PAGES = {"home": "/", "list": "/demarches", "sheet": "/demarches/{slug}", "form": "{form}", "inbox": "/agent"}


def measures() -> Iterator[Measure]:
    """Every line, as it is measured."""
    yield _checking()
    some, large = prepared(SOME), prepared(LARGE)
    with serving(prepared(SMALL)) as few, serving(some) as middle, serving(large) as many:
        yield Measure("L2-1000", "processor seconds to start over 1,000 unchanged procedures", middle.start, 2.0, 0.5)
        yield Measure("L2-10000", "processor seconds to start over 10,000 unchanged procedures", many.start, 0.6, 0.25)
        for page in PAGES:
            yield Measure(
                f"S1-{page}",
                f"a request for the {page}, 10,000 procedures / {SMALL}",
                _ratio(many, few, page),
                1.1,
                1.0,
            )
        grown = (many.memory() - few.memory()) / (LARGE - SMALL)
        yield Measure("M1-each", "KiB of memory a procedure that is not opened", grown, 2.0, 1.5)
        yield Measure("M1", "MiB of memory of the process over 10,000 procedures", many.memory() / 1024, 110, 80)


def _ratio(one: Serving, other: Serving, page: str) -> float:
    """Of processor time a request, in turns; the first round warms up."""
    return statistics.median([one.ask(page) / other.ask(page) for _ in range(ROUNDS + 1)][1:])


# -- checking ----------------------------------------------------------------------------------------------------------


def _checking() -> Measure:
    """Beside reading the same file with PyYAML and checking the schema of its language with jsonschema."""
    import jsonschema  # not in the memory of what serves, which is measured here too

    shared, _ = load_shared(FILE.parent)
    schema = json.loads(META_SCHEMA_PATH.read_text("utf-8"))
    data = FILE.read_bytes()

    def ours() -> None:
        if check_definition(data, str(FILE), shared).report.errors:
            raise SystemExit("the file is wrong")

    def theirs() -> None:
        yaml.safe_load(data)
        jsonschema.Draft202012Validator.check_schema(schema)

    pairs = [(spent(theirs), spent(ours)) for _ in range(CHECKS + 1)][1:]
    value = statistics.median(them / us for them, us in pairs)
    us = 1000 * statistics.median(us for _, us in pairs)
    return Measure(
        "L1", f"check of {len(data.splitlines())} lines ({us:.0f} ms), times PyYAML + check_schema", value, 8, 12, False
    )


# -- serving -----------------------------------------------------------------------------------------------------------


def prepared(count: int) -> Path:
    """A folder of so many procedures, read and published before."""
    folder = PREPARED / f"many-{count}"
    if not (folder / "procedures").is_dir():
        write_many(folder / "procedures", count)
    began = time.monotonic()
    with serving(folder) as one:
        if one.count != count:
            raise SystemExit(f"{one.count} procedures of {count} are served")
    print(f"          {count} procedures made ready in {time.monotonic() - began:.0f} s", flush=True)
    return folder


class Serving:
    """A process that serves one folder and is asked for pages."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        reported = json.loads(self._line())
        self.start, self.count = float(reported["start"]), int(reported["count"])

    def ask(self, page: str) -> float:
        """Milliseconds of processor a request."""
        return float(self._said(page))

    def memory(self) -> float:
        """Proportional set size, KiB."""
        return float(self._said("memory"))

    def _said(self, what: str) -> str:
        print(what, file=self._process.stdin, flush=True)
        return self._line()

    def _line(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("a server under measure ended")
        return line


@contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    command = [sys.executable, "-m", "benchmarks.scale", str(folder)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},  # as docs/deploy starts it
    )  # fmt: skip
    try:
        yield Serving(process)
    finally:
        process.kill()
        process.wait()


def _serve(folder: Path) -> None:
    """The other side of `Serving`: starts, says what that took, then answers."""
    settings = Settings(procedures=folder / "procedures", data=folder / "data", demo=True, secret="measures" * 4)
    began = time.process_time()
    office, operator = open_office(settings)
    start = time.process_time() - began
    office = replace(office, settings=replace(office.settings, idle=timedelta(days=1), agent_idle=timedelta(days=1)))
    client = Client(create_app(settings, office, operator))
    _let_in(office, client, "guichet", Account("person", "applicant", "", "+22890112233"))
    agent = Account("measures", "agent", "Mesures", "mesures", roles=(f"{AGENCY}/instructeur", f"{AGENCY}/directeur"))
    _let_in(office, client, "guichet-agent", agent)
    slug = min(one.id for one in office.catalogue.summaries() if one.agency == AGENCY)
    addresses = {
        name: path.format(slug=slug, form=_draft(client, slug) if name == "form" else "")
        for name, path in PAGES.items()
    }
    print(json.dumps({"start": start, "count": len(office.catalogue.procedures)}), flush=True)
    for line in sys.stdin:
        print(_pss() if line.strip() == "memory" else _asked(client, addresses[line.strip()]), flush=True)


def _let_in(ctx: AppContext, client: Client, cookie: str, account: Account) -> None:
    token, now = new_token(), ctx.now()
    with ctx.store.unit(write=True) as unit:
        unit.put_account(account)
        unit.put_session(Session(token_digest(token), account.id, now, now, now + timedelta(days=1)))
    client.set_cookie(cookie, token)


def _draft(client: Client, slug: str) -> str:
    """The address of a page of questions of a draft."""
    path = f"/demarches/{slug}/commencer"
    page = client.get(path, follow_redirects=True)
    if "/dossiers/" not in page.request.path:
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        page = client.post(path, data=hidden, follow_redirects=True)
    found = re.search(r'href="(/dossiers/\d+/demande/\w+)"', page.text)
    return found.group(1) if found and page.request.path.endswith("/demande") else page.request.path


def _asked(client: Client, address: str) -> float:
    began = time.process_time()
    for _ in range(REQUESTS):
        answer = client.get(address)
        if answer.status_code != 200:
            raise SystemExit(f"{address} answered {answer.status_code}")
    return 1000 * (time.process_time() - began) / REQUESTS


def _pss() -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.M)
    return int(found.group(1)) if found else 0


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
