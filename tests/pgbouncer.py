"""A real PgBouncer before the PostgreSQL server of the tests, with the settings that docs/installation.md names.

Installed when it is not there (Debian's package). Missing, it fails the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.storage.postgres.store import PostgresStore
from tests.faults.cluster import BY
from tests.ports import free_port
from tests.postgres import an_empty_store

MANUAL: Final = Path(__file__).resolve().parents[1] / "docs/installation.md"
_BLOCK: Final = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# what a test sets for itself: no other machine, no account of its own
_BESIDE: Final = """auth_type = any
unix_socket_dir =
listen_addr = 127.0.0.1
"""


def documented() -> tuple[str, str]:
    """Return the settings of PgBouncer and the statements for the database, as the manual gives them."""
    text = MANUAL.read_text("utf-8").partition("**PgBouncer**")[2]
    settings, statements = _BLOCK.findall(text)[:2]
    return settings, statements


def program() -> str:
    """Return the path of PgBouncer. Raises RuntimeError when it is not installed."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        raise RuntimeError("PgBouncer is not here; run `make database`, or `apt-get install pgbouncer`")
    return found


@contextmanager
def pooled(address: str) -> Iterator[str]:
    """Yield the address of the same database through a PgBouncer, which ends afterwards.

    The database gets the time limits that the manual names.
    """
    settings, statements = documented()
    known, port = conninfo_to_dict(address), free_port()
    with psycopg.connect(address, autocommit=True) as connection:
        for one in statements.replace("DATABASE guichet ", f"DATABASE {known['dbname']} ").split(";"):
            connection.execute(one.encode())
    folder = Path(mkdtemp(prefix="guichet-pgbouncer-"))
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = {make_conninfo(**{**known, 'dbname': None})}\n{settings}{_BESIDE}listen_port = {port}\n"
        f"logfile = {folder}/log\npidfile = {folder}/pid\n", "utf-8",
    )  # fmt: skip
    user = []
    if os.geteuid() == 0:  # which PgBouncer refuses to be
        shutil.chown(folder, BY)
        user = ["--user", BY]
    process = subprocess.Popen([program(), "--quiet", *user, str(folder / "pgbouncer.ini")])
    through = make_conninfo(host="127.0.0.1", port=port, user=known.get("user"), dbname=known["dbname"])
    try:
        _answers(through, process)
        yield through
    finally:
        process.send_signal(signal.SIGQUIT)  # SIGTERM waits for clients
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


_running: Final = ExitStack()
_addresses: Final[dict[str, str]] = {}  # by that of the database itself


def an_empty_pooled_store() -> PostgresStore:
    """Return a store without a row, through the one PgBouncer of this process."""
    direct = an_empty_store()
    direct.close()
    if direct.address not in _addresses:
        _addresses[direct.address] = _running.enter_context(pooled(direct.address))
    return PostgresStore(_addresses[direct.address])


def close_pooler() -> None:
    """At the end of the process."""
    _running.close()


def _answers(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(address, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, "PgBouncer has ended"
            assert time.monotonic() < end, "PgBouncer does not answer"
            time.sleep(0.02)


def install() -> None:
    """Install PgBouncer without starting it. Asks for root when it is missing."""
    if shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    quiet = [*sudo, "env", "RUNLEVEL=1", "apt-get", "install", "-y", "-qq", "--no-install-recommends", "pgbouncer"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
    subprocess.run(quiet, check=True)


if __name__ == "__main__" and "--install" in sys.argv:
    install()
