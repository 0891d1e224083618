"""Why a PostgreSQL server refuses a connection: one more attempt finds the cause, without showing secrets.

libpq gives no error code for it, so causes are found by words of the message, in English or French. An unknown message
is shown on one line without the password.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import closing
from select import POLLIN, POLLOUT, poll
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ConnStatus, PGconn, PollingStatus

from engine.storage.results import Unreachable

# Defaults: an unplugged machine never answers, and the wait would last a quarter of an hour.
_LINE: Final = {
    "connect_timeout": "3", "tcp_user_timeout": "10000",
    "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3",
}  # fmt: skip
_WRITABLE: Final = {"target_session_attrs": "read-write"}
_BY_A_SERVICE: Final[dict[str, Any]] = {
    "connect_timeout": "10"
}  # only to find the cause; for work the service file sets it
_IN_THE_ENVIRONMENT: Final = {"connect_timeout": "PGCONNECT_TIMEOUT", "target_session_attrs": "PGTARGETSESSIONATTRS"}
_AGAIN: Final = 0.25  # seconds between two tries
_LONGEST: Final = 160  # characters of the message
_SHORT: Final = 3  # characters of a secret that may be part of any word
_CAUSES: Final = tuple(
    (cause, re.compile(words, re.IGNORECASE))
    for cause, words in (
        ("pooler", "unsupported startup parameter"),
        ("follows", "session is read-only|session est en lecture seule|hot standby"),
        ("password", "password authentication failed|no password supplied|par mot de passe|mot de passe fourni"),
        ("database", r"database .* does not exist|no such database|base de données .* n.existe pas"),
        ("role", r"role .* does not exist|no such user|rôle .* n.existe pas"),
        ("not_admitted", r"pg_hba\.conf|authentication failed|not permitted to log in|permission denied for database"
                         r"|authentification .*chou|autorisé à se connecter|droit refusé"),
        ("full", "too many (clients|connections)|remaining connection slots|trop de (clients|connexions)|emplacements de connexion"),
        ("starting", "is (starting up|shutting down|in recovery)|not yet accepting|démarrage|en cours d.arrêt|restauration"),
        ("encryption", r"\bssl\b|certificate|\btls\b"),
        ("unknown_host", "resolve host|name or service not known|translate host name|name resolution"),
        ("timeout", "timeout|timed out|no route to host|network is unreachable"),
        ("refused", "connection refused|no such file or directory|closed the connection unexpectedly"),
    )
)  # fmt: skip

_FOR_GOOD: Final = frozenset(
    {"address", "pooler", "password", "role", "database", "not_admitted"}
)  # SQLSTATE 28xxx and 3D000


def check_address(address: str) -> None:
    """Check the form of an address before any attempt. Raises `Unreachable`.

    A password with a delimiter ends early. Its rest would be read as port, host or database, and shown in messages.
    """
    try:
        port = str(conninfo_to_dict(address).get("port") or "")
    except (psycopg.ProgrammingError, UnicodeError):
        raise Unreachable("address") from None
    if port and not re.fullmatch(r"[\d,]+", port):
        raise Unreachable("address")


def has_several(address: str) -> bool:
    """Return whether an address names several servers."""
    said = conninfo_to_dict(address)
    return "," in str(said.get("host") or said.get("hostaddr") or os.environ.get("PGHOST", ""))


def without_server(address: str, host: str, port: int) -> str:
    """Return the address without one of its servers. The whole address if it names no other."""
    said = conninfo_to_dict(address)
    columns = {name: str(said[name]).split(",") for name in ("host", "hostaddr", "port") if said.get(name)}
    count = max(map(len, columns.values()), default=0)
    servers = [{name: values[at % len(values)] for name, values in columns.items()} for at in range(count)]
    kept = [
        one for one in servers
        if host not in (one.get("host"), one.get("hostaddr")) or one.get("port", str(port)) != str(port)
    ]  # fmt: skip
    return (
        make_conninfo(address, **{name: ",".join(one[name] for one in kept) for name in columns}) if kept else address
    )


def answers(address: str, host: str, port: int, within: float) -> bool:
    """Return whether a server answers an attempt to connect, or refuses it, within some seconds.

    libpq waits at least two seconds for a server that accepts a connection and answers nothing.
    """
    end = time.monotonic() + within
    line = PGconn.connect_start(make_conninfo(address, host=host, port=port, target_session_attrs="any").encode())
    try:
        waits_for = POLLOUT
        while line.status != ConnStatus.BAD:
            comes = poll()
            comes.register(line.socket, waits_for)
            if not comes.poll(max(0.0, end - time.monotonic()) * 1000):
                return False
            if waits_for == POLLIN:
                return True
            waits_for = POLLIN if line.connect_poll() == PollingStatus.READING else POLLOUT
        return True
    finally:
        line.finish()


def line_settings(address: str) -> dict[str, Any]:
    """Return the settings of connections that neither the address, the service file nor the environment sets.

    They are time limits and, for an address with several servers, the one that accepts writes.
    """
    said = conninfo_to_dict(address)
    if said.get("service") or "PGSERVICE" in os.environ:
        return {}
    return {
        name: value for name, value in {**_LINE, **(_WRITABLE if has_several(address) else {})}.items()
        if said.get(name) is None and _IN_THE_ENVIRONMENT.get(name, "") not in os.environ
    }  # fmt: skip


def await_server(address: str, options: str, wait_limit: float, follows: bool = False) -> None:
    """Wait for a server that starts or does not answer yet. Raises `Unreachable`, at once if a retry cannot help."""
    until = time.monotonic() + wait_limit
    while (away := why_unreachable(address, options, follows)) is not None:
        if away.cause in _FOR_GOOD or time.monotonic() >= until:
            raise away
        time.sleep(_AGAIN)


def is_standby(connection: psycopg.Connection[Any]) -> bool:
    """Return whether the server only copies another one. It reports this at connection, without a round trip.

    A connection pooler hides the report.
    """
    return connection.pgconn.parameter_status(b"in_hot_standby") == b"on"


def why_unreachable(address: str, options: str, follows: bool = False) -> Unreachable | None:
    """Return why a server refuses connections now, or None if it accepts one. `follows` accepts a standby."""
    known = conninfo_to_dict(address)
    try:
        settings = line_settings(address) or _BY_A_SERVICE
        with closing(psycopg.connect(address, options=options, **settings)) as connection:
            if is_standby(connection) and not follows:
                return Unreachable("follows", _place(known))
    except errors.ConnectionTimeout:
        return Unreachable("timeout", _place(known))
    except UnicodeError:  # an invalid host name
        return Unreachable("address")
    except psycopg.Error as error:
        said = _without(known, str(error))
        cause = next((name for name, words in _CAUSES if words.search(said)), "other")
        return Unreachable(cause, _place(known), _reported(str(error), known) if cause == "other" else "")
    return None


def _without(known: dict[str, Any], said: str) -> str:
    """Remove the names in the address from a message, as any of them may hold a word of a cause."""
    for name in ("host", "hostaddr", "user", "dbname"):
        if known.get(name):
            said = re.sub(rf"(?<!\w){re.escape(str(known[name]))}(?!\w)", "…", said)
    return said


def _place(known: dict[str, Any]) -> str:
    """Return user, host, port and database, as far as the address gives them. Empty if the address was probably
    misread."""
    user, port, name = known.get("user"), known.get("port"), known.get("dbname")
    host = str(known.get("host") or known.get("hostaddr") or os.environ.get("PGHOST") or "")
    if "@" in f"{user or ''}{host}{name or ''}":
        return ""
    return f"{f'{user}@' if user else ''}{host}{f':{port}' if port else ''}{f'/{name}' if name else ''}"


def _reported(said: str, known: dict[str, Any]) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
    for secret in (known.get("password"), known.get("sslpassword"), os.environ.get("PGPASSWORD")):
        if secret:
            found = re.escape(str(secret))
            line = re.sub(found if len(str(secret)) > _SHORT else rf"(?<!\w){found}(?!\w)", "…", line)
    return line[:_LONGEST]
