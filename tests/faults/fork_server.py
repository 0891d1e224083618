"""Starts the server processes of the fault tests: modules are imported once, then each process is a fork.

`python -m tests.faults.fork_server` reads one order (JSON) a line and answers with one line. Processes are told apart by their
process group. A child is `guichet serve` or `guichet worker`, as the command line starts it. `mutant` names the defences to remove
before it starts (`tests/faults/mutants.py`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

import server  # noqa: F401  all that a server needs, before any of them starts
from renderers.cli.main import console
from renderers.i18n.translations import OFFERED, load_words
from tests.faults.memory_use import tell_when_asked
from tests.faults.mutants import MUTANTS
from tests.makers import the_shared


def start(order: dict[str, Any]) -> int:
    """The process that obeys an order."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setpgid(0, 0)
        said = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for handle, onto in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(handle, onto)
        os.environ.update(order["environ"])
        for one in order["mutant"].split():
            MUTANTS[one](**order.get("with", {}))
        if "weighed" in order:
            tell_when_asked(order["weighed"])
        status = int(console(order["command"], standalone_mode=False) or 0)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status:
            traceback.print_exc()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stderr.flush()
        os._exit(status)


def wait(pid: int) -> int:
    """How a child ended: its status, or minus the signal."""
    with suppress(ChildProcessError):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 0


def main() -> None:
    for language in OFFERED:
        load_words().say("todo.title", language, {})  # read here once, for every child
    the_shared()
    children = set[int]()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            children.add(told := start(order))
        else:
            told = wait(order["pid"])
            children.discard(order["pid"])
        print(told, flush=True)
    for child in children:  # whoever gave the orders is gone
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
