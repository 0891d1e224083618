"""An office over an invented procedure, in this process, with dossiers at will: what the circuit and the seats are measured on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from benchmarks.portal import ROOT
from engine.records.dossier import Account, Actor, Dossier
from engine.services.applications.drafts import open_dossier, save_page, submit
from engine.services.context.app_context import AppContext
from renderers.cli.admin.installation import open_office
from server import Settings

STEPS = 8
AGENT = Actor("agent", "mesures", "Mesures", frozenset({"obac/instructeur"}))
SLUG = "longue-route"
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


def _acts(steps: int = STEPS) -> str:
    """That many acts one after another, each by the same hand."""
    return "\n".join(
        f"    etape{n}:\n      label: Étape {n}\n      by: instructeur\n      due: 5 working days\n"
        f"      transitions: {{avancer{n}: {{label: Avancer {n}, to: {f'etape{n + 1}' if n + 1 < steps else 'accorde'}}}}}"
        for n in range(steps)
    )


def _takes(steps: int = STEPS) -> str:
    return ", ".join(f"{{take: avancer{n}}}" for n in range(steps))


_VISIT = f"""appointments:
  depot:
    label: Dépôt
    by: instructeur
    lasts: {MINUTES} minutes
    hours: [07:00-12:00, 13:00-17:00]
    lead: 1 day
    horizon: {DAYS} days
"""


def circuit(steps: int = STEPS) -> str:
    """A procedure of acts only."""
    route = f"workflow:\n  start: etape0\n  states:\n{_acts(steps)}\n    accorde: {{label: Accordé, end: granted}}\n"
    return f"procedure: {SLUG}\nedition: 1\n{_HEAD.format(title='Longue route')}{route}{_TAIL % _takes(steps)}"


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
{_TAIL % ("{book: {depot: 2026-12-01 08:30}, then: visite}, {visit: attended, then: etape0}, " + _takes())}"""


@contextmanager
def office_of(text: str, folder: Path, database: str = "") -> Iterator[AppContext]:
    """An office over the shipped shared files and this one procedure."""
    procedures = folder / "procedures"
    procedures.mkdir(parents=True, exist_ok=True)
    for one in (ROOT / "procedures").iterdir():
        if one.is_dir():
            shutil.copytree(one, procedures / one.name, dirs_exist_ok=True)
    (procedures / f"{SLUG}.yaml").write_text(text, "utf-8")
    office = opened(folder, database)
    with office.store.unit(write=True) as unit:
        unit.put_account(Account(AGENT.id, "agent", AGENT.name, AGENT.id, roles=tuple(AGENT.roles)))
    if office.catalogue.current(SLUG, office.day()) is None:
        raise SystemExit(f"{SLUG} is not in service")
    try:
        yield office
    finally:
        office.store.close()


def opened(folder: Path, database: str = "") -> AppContext:
    """The office of a folder that `office_of` made, in this process."""
    settings = Settings(
        procedures=folder / "procedures", data=folder / "data", demo=True, secret="measures" * 4, database=database
    )
    return open_office(settings)[0]


def sent(ctx: AppContext, name: str = "AMEGAN") -> tuple[Actor, Dossier]:
    """A dossier just sent, and its owner: somebody new each time."""
    owner = Actor("applicant", f"p{uuid4().hex[:12]}")
    with ctx.store.unit(write=True) as unit:
        unit.put_account(Account(owner.id, "applicant", "", f"+228{int(owner.id[1:], 16) % 10**8:08d}"))
    draft = open_dossier(ctx, owner, SLUG, criteria={})
    save_page(ctx, owner, draft.id, "vous", {"nom": [name]})
    return owner, submit(ctx, owner, draft.id, declared=True)
