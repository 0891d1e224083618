"""What one `guichet lint` of one file costs from a cold start, beside a Python that does nothing; and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.measure import Measure, in_turns, median_of
from benchmarks.portal import ROOT

FILE = "procedures/e-visa.yaml"
CACHE = tempfile.TemporaryDirectory()
HEAVY = ("flask", "sqlite_utils", "psycopg")
LINT = f"""import sys; sys.argv[1:] = ['lint', {FILE!r}]
from renderers.cli.main import console
try: console()
except SystemExit as ended: assert not ended.code"""
TELL = f"import json; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"


def measures() -> Iterator[Measure]:
    """Every line, as it is measured."""
    rounds = in_turns(
        lambda: _cold(LINT), lambda: _cold("pass"), lambda: _cold("from renderers.cli.main import console")
    )
    us, bare, imports = (1000 * median_of(rounds, side) for side in range(3))
    beside = f"{bare:.0f} ms a Python that does nothing, {imports:.0f} ms the command line before it works"
    yield Measure("C1", "guichet lint of one file, a new process (ms of processor)", us, 120, 80, beside=beside)
    loaded = json.loads(_run(f"{LINT}\n{TELL}").splitlines()[-1])
    yield Measure("C1-loads", f"of {', '.join(HEAVY)}: how many it loads", len(loaded), 0, 0, beside=", ".join(loaded))


def _cold(code: str) -> float:
    """Seconds of processor of a new process."""
    before = getrusage(RUSAGE_CHILDREN)
    _run(code)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _run(code: str) -> str:
    """In a new process that remembers what it proved of this file before, as an author's machine does."""
    home = {"XDG_CACHE_HOME": CACHE.name, "HOME": CACHE.name, "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=home, check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
