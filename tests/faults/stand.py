"""The process from which the servers of the fault tests are forked (`tests/faults/fork_server.py`), one for each checkout."""

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
    """What is answered to an order. The process starts with the first: its imports take two seconds of processor.

    `code` of an order is the checkout whose code is to run, this one when absent.
    """
    code = order.get("code", str(ROOT))
    with _turn:
        if code not in _running:
            _running[code] = subprocess.Popen(
                _COMMAND, cwd=code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONPATH": code},  # the first as docs/deploy starts it
            )  # fmt: skip
        stand = _running[code]
        assert stand.stdin is not None
        assert stand.stdout is not None
        stand.stdin.write(json.dumps(order) + "\n")
        stand.stdin.flush()
        return int(stand.stdout.readline())


def close_stand() -> None:
    """At the end of the process."""
    while _running:
        _running.popitem()[1].communicate()
