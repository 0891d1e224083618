"""Several web processes that accept on one socket: started, replaced when they end, and stopped together.

The process that starts them runs the worker and answers no request. A web process ends on SIGTERM, and when the
process that started it is gone: its standard input is closed then.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

log = logging.getLogger("guichet")

LOOK: Final = 0.2  # seconds between two checks of the processes
WAITING: Final = 800  # connections that no process accepted yet
PAUSE: Final = 1.0  # seconds before the place of a process that ended is filled again
# without the current folder in the path: a file there must not replace a module
COMMAND: Final = (sys.executable, "-P", "-m", "server", "serve")
SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
MEMORY: Final = "/dev/shm"  # where Linux keeps files in memory
_OWN: Final = "guichet-metrics-"  # how the name of our folder there begins


def _memory() -> str | None:
    """Return the folder of files in memory, or None where there is none.

    Each process maps its metrics from a file with holes. On a full disk the system ends a process (SIGBUS) that writes
    in a hole, at its first request.
    """
    return MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address, on which no process accepts yet. Raises OSError if the port is in use."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening


def inherited_socket(number: int) -> socket.socket:
    """Return the listening socket that this web process was started with. `number`: of the file descriptor."""
    return socket.socket(fileno=number)


def stop_with_parent(stop: Callable[[], object]) -> None:
    """Call `stop` once the process that started this one is gone, and remove the metrics that it left in memory."""

    def wait() -> None:
        os.read(0, 1)  # not `sys.stdin`: its lock would be held at the end of the process
        if (folder := os.environ.get(SHARED_METRICS, "")).startswith(f"{MEMORY}/{_OWN}"):
            shutil.rmtree(folder, ignore_errors=True)
        stop()

    threading.Thread(target=wait, name="parent", daemon=True).start()


class WebProcesses:
    """The web processes of one port. `options` follow `guichet serve` in their command."""

    def __init__(self, count: int, listening: socket.socket, options: Sequence[str]) -> None:
        listening.listen(WAITING)  # connections wait for the first process, or for one that replaces the last
        self._listening = listening
        self._command = [*COMMAND, "--socket", str(listening.fileno()), *options]
        self._folder = tempfile.TemporaryDirectory(prefix=_OWN, dir=_memory())
        self._environment = {SHARED_METRICS: self._folder.name, **os.environ}
        self._places = [self._started() for _ in range(count)]

    def _started(self) -> subprocess.Popen[bytes]:
        """Start one. Ctrl-C reaches it through this process only: a second signal would cut its requests."""
        return subprocess.Popen(
            self._command, stdin=subprocess.PIPE, pass_fds=(self._listening.fileno(),), env=self._environment,
            start_new_session=True,
        )  # fmt: skip

    def run(self, stopping: threading.Event) -> None:
        """Replace each process that ends, until `stopping` is set."""
        while not stopping.wait(LOOK):
            for place, process in enumerate(self._places):
                if process.poll() is not None:
                    log.error("a web process ended with %s; another one starts", process.returncode)
                    if stopping.wait(PAUSE):
                        return
                    self._close(process)
                    self._places[place] = self._started()

    def stop(self, within: float) -> bool:
        """Stop all processes after their requests under way. Returns False if one had to be killed after `within`
        seconds."""
        self._listening.close()  # a connection that no process accepts is refused, not left waiting
        for process in self._places:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        end, whole = time.monotonic() + within, True
        for process in self._places:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            whole = whole and process.returncode == 0
            self._close(process)
        self._folder.cleanup()
        return whole

    @staticmethod
    def _close(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()
