"""A second start over the shipped procedures, and the first public page of one after it: processor seconds of a new process.

The first start checks, proves and publishes every definition, as an installation does; it is made before and not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import MOST_ROUNDS, Measure, median_of
from benchmarks.portal import ROOT

ROUNDS, PAGE = 5, "/demarches/e-visa"


def measures() -> Iterator[Measure]:
    """The line, as it is measured."""
    with tempfile.TemporaryDirectory() as folder:
        _started(folder)
        rounds = [_started(folder) for _ in range(min(ROUNDS, MOST_ROUNDS))]
    whole, start = (median_of(rounds, side) for side in range(2))
    beside = f"{start:.2f} s until it serves, {1000 * (whole - start):.0f} ms for the page"
    count = len(list((ROOT / "procedures").glob("*.yaml")))
    what = f"second start, {count} procedures, and the first public page: s of processor"
    yield Measure("P9", what, whole, 0.6, 0.6, beside=beside)


def _started(folder: str) -> tuple[float, float]:
    """Processor seconds of a new process until the page is answered, and until it could be asked."""
    command = [sys.executable, "-m", "benchmarks.start", folder]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    start, whole = json.loads(done.stdout)
    return whole, start


def _start(data: Path) -> None:
    """Opens the installation as `guichet serve` does, asks for the page, and prints the processor seconds since the process began."""
    from werkzeug.test import Client

    from renderers.cli.admin.installation import open_office, open_source
    from server import Settings, create_app

    settings = Settings(procedures=ROOT / "procedures", data=data, secret="measures" * 4)
    ctx, operator = open_office(settings)
    client = Client(create_app(settings, ctx, operator, open_source(settings)))
    start = time.process_time()
    answer = client.get(PAGE)
    if answer.status_code != 200 or len(ctx.catalogue.procedures) < 15:
        raise SystemExit(f"{PAGE} answered {answer.status_code}; {len(ctx.catalogue.procedures)} procedures")
    print(json.dumps([start, time.process_time()]))


if __name__ == "__main__":
    _start(Path(sys.argv[1]))
