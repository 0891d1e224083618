"""The one process of this test run from which the servers of the fault tests are forked (`tests/faults/fork_server.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
_COMMAND: Final = (sys.executable, "-m", "tests.faults.fork_server")

_running: dict[str, subprocess.Popen[str]] = {}
_turn: Final = threading.Lock()


def ask(order: dict[str, Any]) -> int:
    """What is answered to an order. The process starts with the first: its imports take two seconds of processor."""
    with _turn:
        if "stand" not in _running:
            _running["stand"] = subprocess.Popen(
                _COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "MALLOC_ARENA_MAX": "2"},  # as docs/deploy starts it
            )  # fmt: skip
        stand = _running["stand"]
        assert stand.stdin is not None
        assert stand.stdout is not None
        stand.stdin.write(json.dumps(order) + "\n")
        stand.stdin.flush()
        return int(stand.stdout.readline())


def close_stand() -> None:
    """At the end of the process."""
    if _running:
        stand = _running.pop("stand")
        stand.communicate()
