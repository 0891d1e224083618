"""Opens this installation, whole or in part, from its settings: store, files, keys, gateways, source of editions.

A part that cannot be opened reports why and ends the command.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import click

from engine.core.clock import SystemClock
from engine.core.problems import Problem, Refusal
from engine.integrations.gateways import (
    ConsoleSender,
    Gateways,
    InboxSender,
    MessageSender,
    UnreadGateways,
    WrongGateways,
)
from engine.integrations.payment_provider import PaymentProvider
from engine.integrations.registers import FileRegister
from engine.integrations.simulated_operator import SandboxCard, SandboxOperator, SandboxProvider
from engine.language.catalogue.catalogue import Catalogue, load_catalogue
from engine.language.compiler.shared_files import Shared
from engine.model import Procedure
from engine.model.directory import Directory
from engine.operations.follower import INDEX, Follower, stories_of
from engine.operations.installation_probe import InstallationProbe
from engine.operations.portal import Portal, WrongPortal, read_portal
from engine.operations.refresh import FolderSource, RefreshSource
from engine.operations.settings import Settings, UnreadFile, unknown_settings
from engine.operations.store_factory import file_of, kept_nothing, open_blob_store, open_store, unproven_server
from engine.publication.gates import Judge
from engine.publication.git import root_of
from engine.publication.mirror import Mirror
from engine.services.context.app_context import AppContext, AppSettings
from engine.services.keys.signing_keys import SigningKeys
from engine.services.sign_in.demo_accounts import close_demo, open_demo
from engine.simulation.demo_data import before_stories, play_scenarios
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.blob_store import Bucket
from engine.storage.files.encryption import FileKeys, NoKeyRing
from engine.storage.files.reserve import Reserve
from engine.storage.results import Busy
from engine.storage.unit_of_work import Store
from renderers.cli.admin.installation_commands import Installation, opening, refuse
from renderers.cli.language import language_of
from renderers.i18n.translations import load_words

log = logging.getLogger("guichet")

DEMO_PROVIDERS: Final = {
    "mixx": ("Mixx by Yas (T-Money)", ("70", "71", "72", "73", "90", "91", "92", "93")),
    "flooz": ("Flooz (Moov Africa)", ("78", "79", "96", "97", "98", "99")),
}
CHECKPOINTS: Final = "checkpoints"
COOKIE_SECRET: Final = "cookie.secret"


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Suspend garbage collection. Start-up creates thousands of lasting records and saves a fifth of its time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


@_undisturbed()
def open_office(settings: Settings) -> tuple[AppContext, SandboxOperator | None]:
    """Return the application context, its store migrated and its editions stored.

    In a demonstration the simulated operator comes with it, else None.
    """
    _require_procedures(settings)
    with opening():
        settings.data.mkdir(parents=True, exist_ok=True)
    store = _store(settings)
    operator = (
        SandboxOperator(settings.data / "operator.db", SystemClock(), cookie_secret(settings).encode())
        if settings.demo
        else None
    )
    keys = _ring(settings, store)
    office = _office(settings, store, keys, _gateways(settings, operator))
    source, clock = open_source(settings), office.clock
    with store.unit() as unit:
        begins = settings.demo and not unit.last_publication()
    office = source.serve(before_stories(office) if begins else office)
    if not office.published:  # no publication yet: find what can be served before the server starts
        office = source.renew(office)
    if office.clock is not clock:
        office = source.renew(replace(office, clock=clock))
    if settings.demo:
        open_demo(office)
    else:
        close_demo(office)
    return office, operator


def _require_procedures(settings: Settings) -> None:
    """End the command if neither a folder of definitions nor a repository is set. An empty folder is accepted."""
    if settings.follow is None and not os.path.isdir(settings.procedures):  # also False without read access
        facts = {"name": str(settings.procedures)}
        click.echo(load_words().say("operations.no_procedures", language_of(sys.argv[1:]), facts), err=True)
        sys.exit(1)


def _store(settings: Settings) -> Store:
    """Return the store, migrated to this release. A bucket of files is checked too.

    A wrong bucket ends the command. One that gives no answer is logged: all pages without files work meanwhile.
    """
    with opening():
        store = open_store(settings.store, threads=settings.threads)
        store.migrate()
        if isinstance(settings.files, Bucket):
            try:
                open_blob_store(settings.files).check()
            except Busy as silent:
                log.error("the service of files does not answer (%s); files are refused until it does", silent)
    return store


def _ring(settings: Settings, store: Store) -> SigningKeys:
    """Return the keys, created in a new installation.

    If they were lost the command ends. New keys would open no file, verify no document and split the journal.
    """
    with opening():
        with store.unit() as unit:  # read first, because another process creates the keys before it publishes
            something = unit.last_publication() > 0
        if something and not os.path.lexists(settings.ring):
            raise NoKeyRing(str(settings.ring))
        return SigningKeys.open(settings.ring, make=True)


def open_source(settings: Settings, report: Callable[[Refusal], None] = lambda reason: None) -> RefreshSource:
    """Return the source of editions: a followed repository, else the folder.

    A demonstration serves files that are checked but neither proven nor played. `report` is called with the reason if
    the repository does not answer.
    """
    if settings.follow is not None:
        every = timedelta(seconds=settings.follow_every) if settings.follow_every > 0 else None
        return Follower(Mirror(settings.data, settings.follow), _judge(), settings.data, every, report)
    return FolderSource(None if settings.demo else _judge())


def say_trouble(reason: Refusal) -> None:
    """Print why the followed repository does not answer and what to do. The log reports the same to machines."""
    click.echo(load_words().refusal(reason.code, reason.facts, language_of(sys.argv[1:])))


def _judge() -> Judge:
    """Return the gates of a publication."""
    return Judge(_prove, stories_of(load_words()))


def _prove(procedure: Procedure, directory: Directory, day: date) -> Iterable[Problem]:
    """Return what the proofs find. The solver is loaded by the first, because unchanged editions need none."""
    from engine.prover.checks.runner import prove

    return prove(procedure, directory, day)


def _office(settings: Settings, store: Store, keys: SigningKeys, gateways: Gateways) -> AppContext:
    return AppContext(
        catalogue=_files(settings), store=store, attachments=_attachments(settings, gateways),
        providers=gateways.operators, senders=gateways.senders, registers={"*": FileRegister(settings.procedures / "registers")},
        clock=SystemClock(), wording=load_words(), keys=keys,
        settings=AppSettings(
            base_url=settings.base_url, short_url=settings.short_url or settings.base_url, demo=settings.demo, expects_worker=True,
            payment_lasts=timedelta(minutes=10), second_factor=settings.second_factor,
            checkpoints=settings.checkpoints or settings.data / CHECKPOINTS, mandate_papers=settings.mandate_papers,
            sms=settings.sms,
        ),
        identity=gateways.identity, sms_prices=gateways.sms_prices,
    )  # fmt: skip


def _attachments(settings: Settings, gateways: Gateways) -> AttachmentStore:
    inspect = gateways.scanner.inspect if gateways.scanner is not None else None
    with opening():
        return AttachmentStore(
            open_blob_store(settings.files), FileKeys.open(settings.ring), inspect, _reserve(settings)
        )


def _reserve(settings: Settings) -> Reserve:
    return Reserve(settings.disks, settings.reserve)


def _files(settings: Settings) -> Catalogue:
    """Return the catalogue of the folder, empty if a repository is followed."""
    return (
        load_catalogue(settings.procedures, settings.data / INDEX)
        if settings.follow is None
        else Catalogue.of((), Shared())
    )


def _gateways(settings: Settings, operator: SandboxOperator | None) -> Gateways:
    """Return the gateways to external systems.

    A demonstration has a simulated operator and an inbox, whatever the file of gateways says. Elsewhere a channel
    without a gateway prints to the terminal.
    """
    if operator is not None:
        inbox = InboxSender()
        simulated: dict[str, PaymentProvider] = {
            name: SandboxProvider(operator, name, label, prefixes=prefixes, countries=("TG",))
            for name, (label, prefixes) in DEMO_PROVIDERS.items()
        }
        simulated["card"] = SandboxCard(operator, "card", "Visa, Mastercard")
        return Gateways(simulated, {"sms": inbox, "email": inbox, "inbox": inbox})
    senders: dict[str, MessageSender] = {"sms": ConsoleSender(), "email": ConsoleSender(), "inbox": InboxSender()}
    try:
        said = _said_gateways(settings)
    except UnreadGateways as missing:
        with opening():
            raise UnreadFile("GUICHET_GATEWAYS", str(missing)) from None
    except WrongGateways as wrong:
        raise click.ClickException(f"{settings.gateways}: {wrong}") from None
    return Gateways(said.operators, {**senders, **said.senders}, said.scanner, said.identity, said.sms_prices)


def _said_gateways(settings: Settings) -> Gateways:
    """Return the gateways of their file, none without a file. Raises `WrongGateways`."""
    if settings.gateways is None:
        return Gateways({}, {})
    from engine.integrations.config import read_gateways  # loads the operator clients, 3 MiB of memory

    return read_gateways(settings.gateways, SystemClock(), settings.base_url)


def portal_of(settings: Settings) -> Portal:
    """Return the frame of the site. Ends the command if its file or its emblem is refused."""
    try:
        portal = read_portal(settings.portal)
    except WrongPortal as wrong:
        said = load_words().say(f"doctor.found.portal_{wrong.code}", language_of(sys.argv[1:]), wrong.facts)
        refuse(f"GUICHET_PORTAL: {said}")
    return replace(portal, phone=portal.phone or settings.phone)


def cookie_secret(settings: Settings) -> str:
    """Return the secret of session cookies: the setting, else one created once beside the data."""
    if settings.secret:
        return settings.secret
    path = settings.data / COOKIE_SECRET
    with suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text("utf-8")


def demo_stories(settings: Settings, ctx: AppContext) -> Iterator[str]:
    """Yield the dossiers of invented people for a demonstration, each created when it is requested."""
    secret = cookie_secret(settings).encode()
    return play_scenarios(ctx, lambda clock: SandboxOperator(settings.data / "operator.db", clock, secret))


# -- as the commands open it -------------------------------------------------------------------------------------------


def settings_of(demo: bool = False) -> Settings:
    """Return the settings of the environment. `demo` forces a demonstration. Ends the command if one is wrong."""
    with opening():
        return Settings.from_environment(os.environ, demo)


def office_kept(missing_code: int = 1) -> AppContext:
    """Return the application context read-only: nothing is created, migrated or published. A standby server will do.

    Without installation it ends with `missing_code`, because codes from 2 may have a meaning of their own.
    """
    settings = settings_of()
    ring = settings.ring
    kept = (ring,) if settings.database else (Path(settings.store), ring)
    if missing := [one for one in kept if not one.is_file() or not one.stat().st_size]:
        language, facts = language_of(sys.argv[1:]), {"name": str(missing[0])}
        click.echo(load_words().say("operations.no_store", language, facts), err=True)
        raise SystemExit(missing_code)
    with opening():
        store = open_store(settings.store, follows=True)
    return _office(settings, store, SigningKeys.open(ring, make=False), Gateways({}, {}))


def place_looked_at() -> InstallationProbe:
    """Return the probe of this installation, with no part opened yet."""
    try:
        settings = settings_of()
    except (ValueError, OSError) as wrong:
        raise click.ClickException(str(wrong)) from None
    return InstallationProbe(
        base_url=settings.base_url, demo=settings.demo, hosts=settings.hosts, second_factor=settings.second_factor,
        unknown=unknown_settings(os.environ), data=settings.data, ring=settings.ring,
        file=file_of(settings.store), open_store=lambda: open_store(settings.store, follows=True),
        kept_nothing=lambda: kept_nothing(settings.store), gateways=lambda: _said_gateways(settings), follow=settings.follow,
        open_blob_store=(lambda: open_blob_store(settings.files)) if isinstance(settings.files, Bucket) else None,
        reach_repository=Mirror(settings.data, settings.follow).reach if settings.follow is not None else lambda: root_of(settings.procedures),
        portal=lambda: read_portal(settings.portal), sms=settings.sms, unproven=unproven_server(settings.store, os.environ.get("PGSSLMODE", "")), reserve=_reserve(settings),
        has_register=FileRegister(settings.procedures / "registers").is_readable,
    )  # fmt: skip


def opened_to_publish() -> tuple[AppContext, RefreshSource]:
    """Return the application context, migrated, with the source that refreshes it."""
    settings = settings_of()
    _require_procedures(settings)
    with opening():
        settings.data.mkdir(parents=True, exist_ok=True)
    store = _store(settings)
    keys = _ring(settings, store)
    source = open_source(settings)
    office = _office(settings, store, keys, Gateways({}, {}))
    return source.serve(office) if settings.follow is not None else office, source


def installation() -> Installation:
    """Return the places of this installation: store, files, keys."""
    settings = settings_of()
    return Installation(settings.store, settings.files, settings.ring, settings.place_of, _apart(settings))


def _apart(settings: Settings) -> Mapping[str, str]:
    """Return the names of what no backup includes, by kind, never their content."""
    said = {
        "notes": str(settings.checkpoints or settings.data / CHECKPOINTS),
        "cookie": "GUICHET_SECRET" if settings.secret else str(settings.data / COOKIE_SECRET),
        "gateways": str(settings.gateways or ""),
        "definitions": str(settings.procedures) if settings.follow is None else "",
        "registers": str(settings.procedures / "registers") if settings.follow is not None else "",
        "settings": "GUICHET_…",
    }
    return {kind: name for kind, name in said.items() if name}
