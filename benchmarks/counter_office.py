"""An office over an invented procedure, in this process, with dossiers at will: what the circuit and the seats are measured on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg

from benchmarks.portal import ROOT
from engine.records.dossier import Account, Actor, Dossier
from engine.services.applications.drafts import open_dossier, save_page, submit
from engine.services.context.app_context import AppContext
from engine.storage.sqlite.store import SqliteStore
from renderers.cli.admin.installation import open_office
from server import Settings

STEPS = 8
AGENT = Actor("agent", "mesures", "Mesures", frozenset({"obac/instructeur"}))
SLUG = "longue-route"
POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
DAYS, MINUTES = 90, 30

_HEAD = """title: {title}
summary: Une démarche pour mesurer.
agency: obac
delay: 5 working days
dossier_label: '{{nom}}'
legal_basis:
  usage: {{title: Valeur de mesure, status: plausible}}
form:
  vous:
    title: Vous
    fields:
      nom: {{label: Nom, maxLength: 40, example: AMEGAN}}
"""
_TAIL = """personal_data: {purpose: Mesurer, keep: {granted: 1 year, abandoned: 1 year}}
scenarios:
  essai: {story: Une demande, given: {nom: AMEGAN}, steps: [%s]}
"""


def _acts() -> str:
    """That many acts one after another, each by the same hand."""
    return "\n".join(
        f"    etape{n}:\n      label: Étape {n}\n      by: instructeur\n      due: 5 working days\n"
        f"      transitions: {{avancer{n}: {{label: Avancer {n}, to: {f'etape{n + 1}' if n + 1 < STEPS else 'accorde'}}}}}"
        for n in range(STEPS)
    )


_TAKES = ", ".join(f"{{take: avancer{n}}}" for n in range(STEPS))
_VISIT = f"""appointments:
  depot:
    label: Dépôt
    by: instructeur
    lasts: {MINUTES} minutes
    hours: [07:00-12:00, 13:00-17:00]
    lead: 1 day
    horizon: {DAYS} days
"""


def circuit() -> str:
    """A procedure of acts only."""
    route = f"workflow:\n  start: etape0\n  states:\n{_acts()}\n    accorde: {{label: Accordé, end: granted}}\n"
    return f"procedure: {SLUG}\nedition: 1\n{_HEAD.format(title='Longue route')}{route}{_TAIL % _TAKES}"


def visits() -> str:
    """A procedure whose circuit begins with a visit: 30 minutes, one person a time, over 90 days; then the acts."""
    return f"""procedure: {SLUG}
edition: 1
{_HEAD.format(title="Visite")}{_VISIT}workflow:
  start: visite
  states:
    visite: {{label: Visite, attend: depot, due: 120 days, then: etape0, late: classe, missed: classe}}
{_acts()}
    accorde: {{label: Accordé, end: granted}}
    classe: {{label: Classé, end: abandoned}}
{_TAIL % ("{book: {depot: 2026-12-01 08:30}, then: visite}, {visit: attended, then: etape0}, " + _TAKES)}"""


@contextmanager
def office_of(text: str, folder: Path, database: str = "") -> Iterator[AppContext]:
    """An office over the shipped shared files and this one procedure."""
    procedures = folder / "procedures"
    procedures.mkdir(parents=True, exist_ok=True)
    for one in (ROOT / "procedures").iterdir():
        if one.is_dir():
            shutil.copytree(one, procedures / one.name, dirs_exist_ok=True)
    (procedures / f"{SLUG}.yaml").write_text(text, "utf-8")
    settings = Settings(
        procedures=procedures, data=folder / "data", demo=True, secret="measures" * 4, database=database
    )
    office, _ = open_office(settings)
    with office.store.unit(write=True) as unit:
        unit.put_account(Account(AGENT.id, "agent", AGENT.name, AGENT.id, roles=tuple(AGENT.roles)))
    if office.catalogue.current(SLUG, office.day()) is None:
        raise SystemExit(f"{SLUG} is not in service")
    try:
        yield office
    finally:
        office.store.close()


def sent(ctx: AppContext, name: str = "AMEGAN") -> tuple[Actor, Dossier]:
    """A dossier just sent, and its owner: somebody new each time."""
    owner = Actor("applicant", f"p{uuid4().hex[:12]}")
    with ctx.store.unit(write=True) as unit:
        unit.put_account(Account(owner.id, "applicant", "", f"+228{int(owner.id[1:], 16) % 10**8:08d}"))
    draft = open_dossier(ctx, owner, SLUG, criteria={})
    save_page(ctx, owner, draft.id, "vous", {"nom": [name]})
    return owner, submit(ctx, owner, draft.id, declared=True)


def relax(ctx: AppContext) -> None:
    """Lets the store's open connections acknowledge before the disk has (NORMAL), to be held against others that do."""
    store = ctx.store
    if isinstance(store, SqliteStore):
        for connection in store._idle:
            connection.execute("PRAGMA synchronous=1")


@contextmanager
def a_database() -> Iterator[str]:
    """The address of a database of one's own on this machine's PostgreSQL, gone afterwards."""
    name = f"guichet_bench_{uuid4().hex[:10]}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0")
    try:
        yield f"{POSTGRES.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def raw_sqlite(path: Path, synchronous: int) -> sqlite3.Connection:
    """A bare connection with the pragmas of the store."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    for pragma in (
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "foreign_keys=1",
        "secure_delete=1",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def now_text() -> str:
    return datetime.now(UTC).isoformat()
