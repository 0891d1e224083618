"""Long runs, part after part: each part is a process with a time limit, and its result is stored at once.

`python -m tests.long nightly [PART…]` (`make nightly`) runs the nightly tests file after file. Then it runs the random tests, and
those that `make test` halves, with twice the effort. `python -m tests.long faults [PART…]` (`make faults-long PARTS='power
seats'`) runs the fault tests eight times. A run stopped by Ctrl-C, a power cut or after 150 minutes continues with the parts
that have not passed. `--again` begins anew, `--list` shows the results.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
TESTS: Final = ROOT / "tests"
MINUTES: Final = 45  # for one part; the soak test takes 30
AT_ONCE: Final = 150  # minutes of a run
WORKERS: Final = "2"
# fault tests that make test runs with half the effort
HALVED: Final = ("tests/faults/test_crash_faults.py", "tests/faults/test_power_faults.py")


@dataclass(frozen=True)
class Part:
    """Test files, the mark of the tests to run, and the effort."""

    name: str
    files: tuple[str, ...]
    marked: str
    effort: str


def fault_tests() -> list[Part]:
    """Return the fault tests, each run eight times unless `GUICHET_EFFORT` gives another number."""
    effort = os.environ.get("GUICHET_EFFORT", "8")
    found = sorted((TESTS / "faults").glob("test_*_faults.py"))
    return [
        Part(_name(path).removesuffix("_faults"), (f"tests/faults/{path.name}",), "faults", effort) for path in found
    ]


def nightly() -> list[Part]:
    """Return the nightly tests by file, then the random tests with twice the effort."""
    texts = {f"tests/{path.relative_to(TESTS)}": path.read_text("utf-8") for path in sorted(TESTS.rglob("test_*.py"))}
    texts.pop("tests/contracts/test_tiers.py")
    parts = []
    for mark, prefix, effort in (("nightly", "", "1"), ("fuzz", "fuzz-", "2")):
        for file, text in texts.items():
            if f"mark.{mark}" in text:
                parts.append(Part(prefix + _name(Path(file)), (file,), mark, effort))
    return [*parts, *(Part(f"whole-{_name(Path(file))}", (file,), "faults and not nightly", "2") for file in HALVED)]


def _name(path: Path) -> str:
    return path.stem.removeprefix("test_")


RUNS: Final[dict[str, Callable[[], list[Part]]]] = {"nightly": nightly, "faults": fault_tests}


def parts_of(run: str) -> list[Part]:
    """Return the parts of a run."""
    return RUNS[run]()


class Results:
    """Stores in `var` how the parts of a run ended. Deleted once all have passed."""

    def __init__(self, run: str, parts: list[Part], again: bool) -> None:
        self._path, self.ends = ROOT / f"var/{run}-long.json", dict[str, Any]()
        with suppress(OSError, ValueError):
            self.ends = {} if again else json.loads(self._path.read_text("utf-8"))
        if not any(self.is_left(part) for part in parts):
            self.ends = {}

    def is_left(self, part: Part) -> bool:
        """Return whether a part has not passed yet with this effort."""
        done = self.ends.get(part.name, {})
        return bool(done.get("end") != "green" or done.get("effort") != part.effort)

    def save(self, part: Part, **result: Any) -> None:
        """Store the result of a part."""
        self.ends[part.name] = {**result, "of": commit(), "effort": part.effort}
        self._path.parent.mkdir(exist_ok=True)
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(self.ends, indent=1), "utf-8")
        beside.replace(self._path)

    def text(self, part: Part) -> str:
        """Return the result of a part as text."""
        done = self.ends.get(part.name)
        return f"{done['end']} in {done['seconds']} s at {done['of']}, effort {done['effort']}" if done else "-"


def commit() -> str:
    """Return the commit under test. Uncommitted changes are tested with it."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def run(part: Part, minutes: float) -> str:
    """Run a part and return `green`, `red` or `late`. Its child processes are ended too."""
    spread = ["-n", WORKERS, "--dist", "loadgroup"]
    command = [sys.executable, "-m", "pytest", "-q", *spread, "-m", part.marked, *part.files]
    environment = {**os.environ, "GUICHET_EFFORT": part.effort}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        return "red" if process.wait(minutes * 60) else "green"
    except subprocess.TimeoutExpired:
        return "late"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # the fixtures clean up
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    """Run the command line. Return 75 when the time is nearly over, 130 after Ctrl-C."""
    reader = argparse.ArgumentParser(prog="python -m tests.long", description=__doc__)
    reader.add_argument("run", choices=sorted(RUNS))
    reader.add_argument("parts", nargs="*", metavar="PART", help="run only these")
    reader.add_argument("--again", action="store_true", help="delete the results")
    reader.add_argument("--list", action="store_true", help="show the results and run nothing")
    reader.add_argument("--minutes", type=float, default=MINUTES, help="for one part")
    asked = reader.parse_args()
    for one in (signal.SIGINT, signal.SIGTERM):  # also in the background, where SIGINT is ignored
        signal.signal(one, signal.default_int_handler)
    every = parts_of(asked.run)
    if unknown := {*asked.parts} - {part.name for part in every}:
        reader.error(
            f"no such part: {' '.join(sorted(unknown))}; the parts are {' '.join(part.name for part in every)}"
        )
    results, over = Results(asked.run, every, asked.again), time.monotonic() + AT_ONCE * 60
    chosen = [part for part in every if part.name in asked.parts or not asked.parts]
    for part in chosen:
        if asked.list or (not asked.parts and not results.is_left(part)):
            print(f"{part.name:24} {results.text(part)}", flush=True)
            continue
        began = time.monotonic()
        if not asked.parts and began + min(asked.minutes, MINUTES) * 60 > over:
            print(f"{AT_ONCE} minutes are nearly over. The same command continues.", flush=True)
            return 75
        print(f"{part.name:24} …", flush=True)
        try:
            end = run(part, asked.minutes)
        except KeyboardInterrupt:
            print("Stopped. The same command continues.", flush=True)
            return 130
        results.save(part, end=end, seconds=round(time.monotonic() - began))
        print(f"{part.name:24} {results.text(part)}", flush=True)
    return 0 if asked.list else int(any(results.is_left(part) for part in chosen))


if __name__ == "__main__":
    sys.exit(main())
