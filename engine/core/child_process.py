"""Child processes: one command in its own session, ended with all its descendants after a time limit."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress


def run_child(
    command: Sequence[str], *, given: bytes = b"", seconds: float, env: Mapping[str, str], most_bytes: int = 0,
    out: int = subprocess.PIPE, errors: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
    """Run a command within a time limit in seconds. `given` is its standard input. `out` and `errors` receive what
    it prints: without limit, unless they are files.

    With `most_bytes`, it cannot write a larger file. Raises OSError, ValueError, `subprocess.SubprocessError`.
    """
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=out, stderr=errors, env=env, start_new_session=True
    ) as running:
        try:
            if most_bytes and hasattr(resource, "prlimit"):
                resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
            printed, reported = running.communicate(given, timeout=seconds)
        except BaseException:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)  # with its child processes, such as ssh and index-pack of git
            raise
    return subprocess.CompletedProcess(command, running.returncode, printed, reported)
