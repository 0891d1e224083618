"""Why a PostgreSQL server lets nobody in: asked once more, alone, and told by its cause, never by what opens it.

A server says why in its own language and libpq gives no code of it, so that causes are known by their words; what is not
known is told as it was said, on one line, without the password.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from engine.storage.unit_of_work import Unreachable

# What the address does not say: a machine that is unplugged says nothing, and would be waited for a quarter of an hour.
_LINE: Final = {
    "connect_timeout": "3", "tcp_user_timeout": "10000",
    "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3",
}  # fmt: skip
_BY_A_SERVICE: Final[dict[str, Any]] = {"connect_timeout": "10"}  # to find out why; to work, its file says it
_IN_THE_ENVIRONMENT: Final = {"connect_timeout": "PGCONNECT_TIMEOUT"}
_AGAIN: Final = 0.25  # seconds between two tries
_LONGEST: Final = 160  # signs of what was said
_SHORT: Final = 3  # signs of a secret that may be part of any word
_CAUSES: Final = tuple(
    (cause, re.compile(words, re.IGNORECASE))
    for cause, words in (
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

_FOR_GOOD: Final = frozenset({"address", "password", "role", "database", "not_admitted"})  # SQLSTATE 28xxx and 3D000


def check_address(address: str) -> None:
    """Raises `Unreachable` for what is no address, before anybody tries it: of a password with a sign that ends it, the rest is
    taken for a port, a machine or a database, and would be told as such."""
    try:
        port = str(conninfo_to_dict(address).get("port") or "")
    except (psycopg.ProgrammingError, UnicodeError):
        raise Unreachable("address") from None
    if port and not re.fullmatch(r"[\d,]+", port):
        raise Unreachable("address")


def line_settings(address: str) -> dict[str, Any]:
    """How long a line may be silent, as far as neither the address nor its service file nor the environment says it."""
    said = conninfo_to_dict(address)
    if said.get("service") or "PGSERVICE" in os.environ:
        return {}
    return {
        name: value for name, value in _LINE.items()
        if said.get(name) is None and _IN_THE_ENVIRONMENT.get(name, "") not in os.environ
    }  # fmt: skip


def await_server(address: str, options: str, wait_limit: float) -> None:
    """Waits for a server that starts, or that does not answer yet. Raises `Unreachable`: at once where another try would end alike."""
    until = time.monotonic() + wait_limit
    while (away := why_unreachable(address, options)) is not None:
        if away.cause in _FOR_GOOD or time.monotonic() >= until:
            raise away
        time.sleep(_AGAIN)


def why_unreachable(address: str, options: str) -> Unreachable | None:
    """Why a server lets nobody in now; None where it does after all."""
    known = conninfo_to_dict(address)
    try:
        psycopg.connect(address, options=options, **(line_settings(address) or _BY_A_SERVICE)).close()
    except errors.ConnectionTimeout:
        return Unreachable("timeout", _place(known))
    except UnicodeError:  # a name of a machine that no network may have
        return Unreachable("address")
    except psycopg.Error as error:
        said = _without(known, str(error))
        cause = next((name for name, words in _CAUSES if words.search(said)), "other")
        return Unreachable(cause, _place(known), _reported(str(error), known) if cause == "other" else "")
    return None


def _without(known: dict[str, Any], said: str) -> str:
    """What was said less the names of the address, any of which may hold a word that tells a cause."""
    for name in ("host", "hostaddr", "user", "dbname"):
        if known.get(name):
            said = re.sub(rf"(?<!\w){re.escape(str(known[name]))}(?!\w)", "…", said)
    return said


def _place(known: dict[str, Any]) -> str:
    """Who asks, on which machine, for which database, as far as the address says it; nothing of one that was not read as meant."""
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
