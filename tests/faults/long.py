"""The bars many times over, one after the other: each in a process of its own, under a limit, its end kept at once.

`python -m tests.faults.long [BAR…]` (`make faults-long BARS='power seats'`) runs all or those named. Stopped, by Ctrl-C or a power
cut, it goes on with what is not green yet when it is begun again; `--again` begins anew, `--list` says what is done.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
KEPT: Final = ROOT / "var/faults-long.json"
BARS: Final = tuple(sorted(path.stem[5:-4] for path in Path(__file__).parent.glob("test_*_bar.py")))
EFFORT: Final = os.environ.setdefault("GUICHET_EFFORT", "8")
MINUTES: Final = 45  # for one bar, of which the soak takes 30; longer than that, it hangs or has grown too dear


def commit() -> str:
    """What is tried; what is changed and not committed is tried with it."""
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return said.stdout.strip()


def kept() -> dict[str, Any]:
    """What was found by a run that is not over, by bar."""
    try:
        found: dict[str, Any] = json.loads(KEPT.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if any(_left(found, bar) for bar in BARS) else {}


def _left(found: dict[str, Any], bar: str) -> bool:
    done = found.get(bar, {})
    return bool(done.get("end") != "green" or done.get("effort") != EFFORT)


def keep(found: dict[str, Any]) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    beside = KEPT.with_suffix(".part")
    beside.write_text(json.dumps(found, indent=1), "utf-8")
    beside.replace(KEPT)


def run(bar: str, minutes: float) -> str:
    """How a bar ended: `green`, `red`, or `late`. Whatever it started goes with it."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "faults", f"tests/faults/test_{bar}_bar.py"]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
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


def _said(done: dict[str, Any] | None) -> str:
    return f"{done['end']} in {done['seconds']} s at {done['of']}, effort {done['effort']}" if done else "-"


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m tests.faults.long", description=__doc__)
    reader.add_argument("bars", nargs="*", choices=[*BARS, []], metavar="BAR", help=" ".join(BARS))
    reader.add_argument("--again", action="store_true", help="forget what was done")
    reader.add_argument("--list", action="store_true", help="say what is done, and do nothing")
    reader.add_argument("--minutes", type=float, default=MINUTES, help="for one bar")
    asked = reader.parse_args()
    for one in (signal.SIGINT, signal.SIGTERM):  # however it is stopped, and wherever it was begun
        signal.signal(one, signal.default_int_handler)
    found = {} if asked.again else kept()
    for bar in asked.bars or BARS:
        if asked.list or (not asked.bars and not _left(found, bar)):
            print(f"{bar:14} {_said(found.get(bar))}", flush=True)
            continue
        began, of = time.monotonic(), commit()
        print(f"{bar:14} …", flush=True)
        try:
            end = run(bar, asked.minutes)
        except KeyboardInterrupt:
            print("Stopped; the same command goes on from here.", flush=True)
            return 130
        found[bar] = {"end": end, "seconds": round(time.monotonic() - began), "of": of, "effort": EFFORT}
        keep(found)
        print(f"{bar:14} {_said(found[bar])}", flush=True)
    return 0 if asked.list else int(any(_left(found, bar) for bar in asked.bars or BARS))


if __name__ == "__main__":
    sys.exit(main())
