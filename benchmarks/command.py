"""What `guichet lint`, `prove` and `test` of the shipped files cost in new processes, without and with what an earlier run kept; and
`lint` of one file beside a Python that does nothing, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.measure import MOST_ROUNDS, Measure, in_turns, median_of
from benchmarks.portal import ROOT

FOLDER, FILE, ROUNDS = "procedures", "procedures/e-visa.yaml", 5
HEAVY = ("flask", "sqlite_utils", "psycopg")
IMPORTED = "from renderers.cli.main import console"
TELL = f"import json; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
KEPT = {"lint": (0.12, 1.5), "prove": (0.2, 2.0)}  # what is aimed at: warm, cold


def measures() -> Iterator[Measure]:
    """Every line, as it is measured."""
    for command, (warm, cold) in KEPT.items():
        with tempfile.TemporaryDirectory() as cache:
            first = _spent(_guichet(command, FOLDER), cache)
            rounds = in_turns(lambda: _spent(_guichet(command, FOLDER), cache), rounds=ROUNDS)  # noqa: B023
        what = f"guichet {command}, shipped files, a new process: s of processor"
        yield Measure(f"P10-{command}", f"{what}, again", median_of(rounds, 0), warm, warm)
        yield Measure(f"P10-{command}-cold", f"{what}, the first time", first, cold, cold)
    with tempfile.TemporaryDirectory() as cache:
        rounds = [(_spent(_guichet("test", FOLDER), cache),) for _ in range(min(3, MOST_ROUNDS))]
        what = "guichet test, shipped files, a new process: s of processor"
        yield Measure("P10-test", what, median_of(rounds, 0), 3, 3)
        yield from _one_file(cache)


def _one_file(cache: str) -> Iterator[Measure]:
    lint = _guichet("lint", FILE)
    rounds = in_turns(lambda: _spent(lint, cache), lambda: _spent("pass", cache), lambda: _spent(IMPORTED, cache))
    us, bare, imports = (1000 * median_of(rounds, side) for side in range(3))
    beside = f"{bare:.0f} ms a Python that does nothing, {imports:.0f} ms the command line before it works"
    yield Measure("C1", "guichet lint of one file, a new process (ms of processor)", us, 120, 80, beside=beside)
    loaded = json.loads(_run(f"{lint}\n{TELL}", cache).splitlines()[-1])
    yield Measure("C1-loads", f"of {', '.join(HEAVY)}: how many it loads", len(loaded), 0, 0, beside=", ".join(loaded))


def _guichet(*arguments: str) -> str:
    """The code that runs a command of `guichet` and goes on after it."""
    return f"""import sys; sys.argv[1:] = {list(arguments)!r}
{IMPORTED}
try: console()
except SystemExit as ended: assert not ended.code"""


def _spent(code: str, cache: str) -> float:
    """Seconds of processor of a new process and its children."""
    before = getrusage(RUSAGE_CHILDREN)
    _run(code, cache)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _run(code: str, cache: str) -> str:
    """In a new process that keeps what it proved in that folder, as an author's machine does."""
    home = {"XDG_CACHE_HOME": cache, "HOME": cache, "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=home, check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
