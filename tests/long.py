"""Long runs, part after part: each in a process of its own, under a limit, its end kept at once.

`python -m tests.long nightly [PART…]` (`make nightly`) runs what `make test` leaves for the night, file after file, then with twice
the effort what tries at random and what `make test` halves. `python -m tests.long faults [BAR…]` (`make faults-long BARS='power
seats'`) runs the bars eight times over. Stopped, by Ctrl-C, a power cut or after 150 minutes, a run goes on with what is not green
yet when it is begun again; `--again` begins anew, `--list` says what is done.
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
MINUTES: Final = 45  # for one part, of which the soak takes 30; longer than that, it hangs or has grown too dear
AT_ONCE: Final = 150  # minutes of a run
WORKERS: Final = "2"
HALVED: Final = ("tests/faults/test_crash_bar.py",)  # bars that make test runs half as hard as it could bear


@dataclass(frozen=True)
class Part:
    """Files of tests, those of them that are marked so, and how hard they try."""

    name: str
    files: tuple[str, ...]
    marked: str
    effort: str


def bars() -> list[Part]:
    """The bars of faults, each eight times over unless `GUICHET_EFFORT` says otherwise."""
    effort = os.environ.get("GUICHET_EFFORT", "8")
    found = sorted((TESTS / "faults").glob("test_*_bar.py"))
    return [Part(path.stem[5:-4], (f"tests/faults/{path.name}",), "faults", effort) for path in found]


def nightly() -> list[Part]:
    """What is left for the night, by file; then what tries at random, twice over."""
    texts = {f"tests/{path.relative_to(TESTS)}": path.read_text("utf-8") for path in sorted(TESTS.rglob("test_*.py"))}
    texts.pop("tests/contracts/test_tiers.py")
    parts = []
    for mark, prefix, effort in (("nightly", "", "1"), ("fuzz", "fuzz-", "2")):
        for file, text in texts.items():
            if f"mark.{mark}" in text:
                parts.append(Part(prefix + Path(file).stem[5:], (file,), mark, effort))
    return [*parts, *(Part(f"whole-{Path(file).stem[5:]}", (file,), "faults and not nightly", "2") for file in HALVED)]


RUNS: Final[dict[str, Callable[[], list[Part]]]] = {"nightly": nightly, "faults": bars}


def parts_of(run: str) -> list[Part]:
    return RUNS[run]()


class Kept:
    """How the parts of a run ended, in `var`; it is forgotten once all are green."""

    def __init__(self, run: str, parts: list[Part], again: bool) -> None:
        self._path, self.ends = ROOT / f"var/{run}-long.json", dict[str, Any]()
        with suppress(OSError, ValueError):
            self.ends = {} if again else json.loads(self._path.read_text("utf-8"))
        if not any(self.left(part) for part in parts):
            self.ends = {}

    def left(self, part: Part) -> bool:
        done = self.ends.get(part.name, {})
        return bool(done.get("end") != "green" or done.get("effort") != part.effort)

    def keep(self, part: Part, **said: Any) -> None:
        self.ends[part.name] = {**said, "of": commit(), "effort": part.effort}
        self._path.parent.mkdir(exist_ok=True)
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(self.ends, indent=1), "utf-8")
        beside.replace(self._path)

    def said(self, part: Part) -> str:
        done = self.ends.get(part.name)
        return f"{done['end']} in {done['seconds']} s at {done['of']}, effort {done['effort']}" if done else "-"


def commit() -> str:
    """What is tried; what is changed and not committed is tried with it."""
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return said.stdout.strip()


def run(part: Part, minutes: float) -> str:
    """How a part ended: `green`, `red`, or `late`. Whatever it started goes with it."""
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
            os.killpg(process.pid, signal.SIGINT)  # fixtures put away what they made
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m tests.long", description=__doc__)
    reader.add_argument("run", choices=sorted(RUNS))
    reader.add_argument("parts", nargs="*", metavar="PART", help="those of the run alone")
    reader.add_argument("--again", action="store_true", help="forget what was done")
    reader.add_argument("--list", action="store_true", help="say what is done, and do nothing")
    reader.add_argument("--minutes", type=float, default=MINUTES, help="for one part")
    asked = reader.parse_args()
    for one in (signal.SIGINT, signal.SIGTERM):  # however it is stopped, and wherever it was begun
        signal.signal(one, signal.default_int_handler)
    every = parts_of(asked.run)
    if unknown := {*asked.parts} - {part.name for part in every}:
        reader.error(f"no such part: {' '.join(sorted(unknown))}; those are {' '.join(part.name for part in every)}")
    kept, over = Kept(asked.run, every, asked.again), time.monotonic() + AT_ONCE * 60
    chosen = [part for part in every if part.name in asked.parts or not asked.parts]
    for part in chosen:
        if asked.list or (not asked.parts and not kept.left(part)):
            print(f"{part.name:24} {kept.said(part)}", flush=True)
            continue
        began = time.monotonic()
        if not asked.parts and began + min(asked.minutes, MINUTES) * 60 > over:
            print(f"{AT_ONCE} minutes are nearly over; the same command goes on from here.", flush=True)
            return 75
        print(f"{part.name:24} …", flush=True)
        try:
            end = run(part, asked.minutes)
        except KeyboardInterrupt:
            print("Stopped; the same command goes on from here.", flush=True)
            return 130
        kept.keep(part, end=end, seconds=round(time.monotonic() - began))
        print(f"{part.name:24} {kept.said(part)}", flush=True)
    return 0 if asked.list else int(any(kept.left(part) for part in chosen))


if __name__ == "__main__":
    sys.exit(main())
