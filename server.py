"""The front door: settings from the environment, everything wired once, the web served and the worker run.

`create_app(settings)` is all a WSGI server needs; the commands `serve`, `worker` and `fsck` are found by the command line
under the entry points `guichet.commands`, so that `guichet lint` loads none of this.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
from flask import Flask
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from engine.clock import SystemClock
from engine.definition.catalogue import Catalogue, load_catalogue
from engine.definition.manuscript import Manuscript
from engine.definition.shared_files import Shared
from engine.gateways.registers import FileRegister
from engine.gateways.sandbox import SandboxOperator, SandboxProvider
from engine.gateways.senders import ConsoleSender, InboxSender, Sender
from engine.gateways.settings import Gateways, WrongGateways, read_gateways
from engine.office.checkup import Place
from engine.office.demo import PASSWORD, close_demo, open_demo
from engine.office.demo_stories import before_stories, tell_stories
from engine.office.following import INDEX, Follower, stories_of, waiting
from engine.office.gates import Judge, facts_of
from engine.office.gauges import not_ready
from engine.office.inspection import fsck
from engine.office.installation import Settings, unknown_settings
from engine.office.keeping import FolderKeeper, Keeper, Keeping
from engine.office.keys import SigningKeys
from engine.office.mirror import Followed, Mirror
from engine.office.office import Office, OfficeSettings
from engine.office.statistics import count_again, count_up
from engine.office.timers import tour
from engine.office.tryout import Leads, Tryout
from engine.records.attachments import AttachmentStore
from engine.records.file_keys import FileKeys
from engine.records.shelves import Bucket
from engine.records.store import Busy, Store
from engine.records.stores import file_of, open_shelf, open_store, unproven_server
from renderers.console import console
from renderers.console_doctor import doctor_command
from renderers.console_dossiers import migrate_command, replay_command, snapshot_command
from renderers.console_language import language_of
from renderers.console_opening import opening
from renderers.console_operations import Installation, backup_command, copy_command, keys_command, restore_command
from renderers.console_people import agent_command
from renderers.console_preview import preview_command
from renderers.console_publish import publish_command
from renderers.console_serving import Front, finish, on_signal
from renderers.console_text import findings_report
from renderers.html import Pages
from renderers.log_lines import speak
from renderers.web import citizen, desks, languages, probes, refusals, watch
from renderers.web.assets import Assets
from renderers.web.base import Site, SiteSettings
from renderers.web.guards import check_guards
from renderers.web.hardening import harden
from renderers.web.preview import Preview, install
from renderers.web.probes import Probes, Readers
from renderers.words import load_words

log = logging.getLogger("guichet")

DEMO_PASSWORD: Final = PASSWORD
DEMO_PROVIDERS: Final = {"mixx": "Mixx by Yas (T-Money)", "flooz": "Flooz (Moov Africa)"}
CHECKPOINTS: Final = "checkpoints"
MOST_BYTES: Final = 64 * 1024 * 1024  # of one request, before the desks' own limits
TOUR_EVERY: Final = 3.0  # seconds between two tours of the worker


# -- wiring ------------------------------------------------------------------------------------------------------------


def open_office(settings: Settings) -> tuple[Office, SandboxOperator | None]:
    """The office of this installation, its store migrated and its editions kept; in a demonstration, its operator."""
    settings.data.mkdir(parents=True, exist_ok=True)
    store = _store(settings)
    operator = (
        SandboxOperator(settings.data / "operator.db", SystemClock(), _secret(settings).encode())
        if settings.demo
        else None
    )
    keys = SigningKeys.open(settings.ring, make=True)
    office = _office(settings, store, keys, _gateways(settings, operator))
    keeper, clock = open_keeper(settings), office.clock
    with store.unit() as unit:
        begins = settings.demo and not unit.last_publication()
    office = keeper.serve(before_stories(office) if begins else office)
    if not office.published:  # nothing was ever decided here: what can be served is looked for before the doors open
        office = keeper.renew(office)
    if office.clock is not clock:
        office = keeper.renew(replace(office, clock=clock))
    if settings.demo:
        open_demo(office)
    else:
        close_demo(office)
    return office, operator


def _store(settings: Settings) -> Store:
    """Where everything is kept, of this release; and the files' own place looked at, where that is not this machine's."""
    with opening():
        store = open_store(settings.store)
        store.migrate()
        if isinstance(settings.files, Bucket):
            open_shelf(settings.files).check()
    return store


def open_keeper(settings: Settings) -> Keeper:
    """How this installation learns what to serve: by following a repository, else from its folder. A demonstration is
    for writing: its files are checked, not proven nor played, before they are served."""
    if settings.follow is not None:
        every = timedelta(seconds=settings.follow_every) if settings.follow_every > 0 else None
        return Follower(Mirror(settings.data, settings.follow), _judge(), settings.data, every)
    return FolderKeeper(None if settings.demo else _judge())


def _judge() -> Judge:
    """The gates of a publication; the solver is loaded for them alone."""
    if find_spec("z3") is None:
        raise click.ClickException("the solver is not here; install it: pip install 'guichet-unique[prove]'")
    from engine.definition.prove import prove

    return Judge(prove, stories_of(load_words()))


def _office(settings: Settings, store: Store, keys: SigningKeys, gateways: Gateways) -> Office:
    return Office(
        catalogue=_files(settings), store=store, attachments=_attachments(settings, gateways),
        providers=gateways.operators, senders=gateways.senders, registers={"*": FileRegister(settings.procedures / "registers")},
        clock=SystemClock(), wording=load_words(), keys=keys,
        settings=OfficeSettings(
            base_url=settings.base_url, short_url=settings.short_url or settings.base_url, demo=settings.demo,
            payment_lasts=timedelta(minutes=10), second_factor=settings.second_factor,
            checkpoints=settings.checkpoints or settings.data / CHECKPOINTS,
        ),
        identity=gateways.identity,
    )  # fmt: skip


def _attachments(settings: Settings, gateways: Gateways) -> AttachmentStore:
    inspect = gateways.scanner.inspect if gateways.scanner is not None else None
    with opening():
        return AttachmentStore(open_shelf(settings.files), FileKeys.open(settings.ring), inspect)


def _files(settings: Settings) -> Catalogue:
    """The files of the folder; none when a repository is followed, until a commit was published."""
    return (
        load_catalogue(settings.procedures, settings.data / INDEX)
        if settings.follow is None
        else Catalogue.of((), Shared())
    )


def _gateways(settings: Settings, operator: SandboxOperator | None) -> Gateways:
    """What leaves the house. A demonstration's operator is simulated and its letters stay in the inbox, whatever the file
    of gateways says; elsewhere a channel without a gateway writes to the terminal."""
    if operator is not None:
        inbox = InboxSender()
        simulated = {name: SandboxProvider(operator, name, label) for name, label in DEMO_PROVIDERS.items()}
        return Gateways(simulated, {"sms": inbox, "email": inbox, "inbox": inbox})
    senders: dict[str, Sender] = {"sms": ConsoleSender(), "email": ConsoleSender(), "inbox": InboxSender()}
    try:
        said = _said_gateways(settings)
    except WrongGateways as wrong:
        raise click.ClickException(f"{settings.gateways}: {wrong}") from None
    return Gateways(said.operators, {**senders, **said.senders}, said.scanner, said.identity)


def _said_gateways(settings: Settings) -> Gateways:
    """What the file of gateways says; nothing without one. Raises `WrongGateways`."""
    if settings.gateways is None:
        return Gateways({}, {})
    return read_gateways(settings.gateways, SystemClock(), settings.base_url)


def _secret(settings: Settings) -> str:
    """The secret of the small cookie: as set, else one made once and kept beside the data."""
    if settings.secret:
        return settings.secret
    path = settings.data / "cookie.secret"
    with suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text("utf-8")


# -- the web -----------------------------------------------------------------------------------------------------------


def create_app(
    settings: Settings,
    office: Office | None = None,
    operator: SandboxOperator | None = None,
    keeper: Keeper | None = None,
) -> Flask:
    """The WSGI application. `office` and `operator` are opened from the settings unless they are given; with a `keeper`
    the site notices what another process publishes."""
    if office is None:
        office, operator = open_office(settings)
        keeper = keeper or open_keeper(settings)
    app = Flask("guichet", static_folder=None, template_folder=None)
    app.secret_key = _secret(settings)
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session" if settings.https else "session",
        SESSION_COOKIE_SECURE=settings.https, SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=30), SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False, TRUSTED_HOSTS=list(settings.hosts) or None,
    )  # fmt: skip
    watch.install(app, settings.proxies, settings.hosts)
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=settings.proxies)  # type: ignore[method-assign]
    words, assets = load_words(), Assets()
    site_settings = SiteSettings(
        settings.https,
        settings.demo,
        settings.phone,
        settings.security_contact,
        lambda: _warning(serving(app), settings.follow),
        settings.follow.source if settings.follow is not None else "",
    )
    app.extensions["guichet"] = Site(office, words, Pages(words, assets.address), assets, site_settings, operator)
    app.extensions["guichet.probes"] = _probes(app, settings)
    harden(app, settings.https)
    languages.install(app, settings.https)
    csrf = CSRFProtect(app)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    csrf.exempt("renderers.web.payments.callback")
    csrf.exempt("renderers.web.payments.returned")
    refusals.register(app)
    check_guards(app)
    if keeper is not None:
        app.extensions["guichet.keeping"] = keeping = Keeping(keeper, lambda: serving(app), lambda new: _swap(app, new))
        app.before_request(lambda: None if watch.is_probe() else keeping.notice())
    return app


def _probes(app: Flask, settings: Settings) -> Probes:
    ring = settings.ring if settings.ring.is_file() else None
    try:
        readers = Readers.of(settings.metrics_from, settings.metrics_token, settings.proxies)
    except ValueError as wrong:
        raise click.ClickException(f"GUICHET_METRICS_FROM: {wrong}") from None
    return Probes(lambda: not_ready(serving(app), ring, settings.data), readers)


def _swap(app: Flask, office: Office) -> None:
    app.extensions["guichet"] = replace(app.extensions["guichet"], office=office)


def blueprints() -> tuple:  # type: ignore[type-arg]
    """Every desk of the site."""
    return (*citizen.BLUEPRINTS, *desks.BLUEPRINTS, probes.blueprint)


def _warning(office: Office, followed: Followed | None = None) -> str:
    """What staff should know: definitions that could not be put in service, served as before or not at all; a commit that
    was refused, a repository that does not answer."""
    broken, served = frozenset(office.catalogue.warnings), office.catalogue.procedures.keys()
    kinds = (("frame.warning", broken & served), ("frame.warning_absent", broken - served))
    words = load_words()
    said = [words.say(key, "fr", {"names": ", ".join(sorted(names))}) for key, names in kinds if names]
    return " ".join([*said, *(_following(office, followed) if followed is not None else ())])


def _following(office: Office, followed: Followed) -> Iterator[str]:
    words = load_words()
    refused, troubled = waiting(office.store, followed.source)
    if refused is not None:
        yield words.say("publication.warning", "fr", {"commit": refused.origin.commit[:7]})
    if troubled is not None:
        yield words.refusal(troubled.trouble, facts_of(troubled.facts), "fr")


# -- running -----------------------------------------------------------------------------------------------------------


def serving(app: Flask) -> Office:
    """The office that the site works with at this moment."""
    site: Site = app.extensions["guichet"]
    return site.office


def work(current: Callable[[], Office], stop: threading.Event, stories: Iterable[str] = ()) -> None:
    """Tours until told to stop, counting what happened meanwhile; a turn that fails is logged and the next one goes on. Where
    there are `stories` of a demonstration they come first, with a tour between two of them now and then."""
    try:
        _begin(current, stop, stories)
    except Exception:
        log.exception("the demonstration's dossiers")
    while not stop.is_set():
        for turn in (tour, count_up):
            try:
                turn(current())
            except Busy:  # locked, full, cut: no fault of ours
                log.warning("the store does not answer; the next tour does what this one could not")
            except Exception:
                log.exception("a tour failed")
        stop.wait(TOUR_EVERY)


def _begin(current: Callable[[], Office], stop: threading.Event, stories: Iterable[str]) -> None:
    last = time.monotonic()
    for _ in stories:
        if stop.is_set():
            break
        if time.monotonic() - last > TOUR_EVERY:
            tour(current())
            last = time.monotonic()


def start_worker(app: Flask, stop: threading.Event, stories: Iterable[str] = ()) -> tuple[threading.Thread, ...]:
    """A worker beside the web and what keeps the site up to date, each in a thread of its own until told to stop."""
    keeping: Keeping = app.extensions["guichet.keeping"]
    threads = (
        threading.Thread(target=work, args=(lambda: serving(app), stop, stories), name="worker", daemon=True),
        threading.Thread(target=keeping.run, args=(stop,), name="publications", daemon=True),
    )
    for thread in threads:
        thread.start()
    return threads


def demo_stories(settings: Settings, office: Office) -> Iterator[str]:
    """The dossiers of invented people that a demonstration begins with, each made as it is asked for."""
    secret = _secret(settings).encode()
    return tell_stories(office, lambda clock: SandboxOperator(settings.data / "operator.db", clock, secret))


def _settings(demo: bool) -> Settings:
    return Settings.from_environment(os.environ, demo)


@click.command()
@click.option("--demo", is_flag=True, help="demo people and their dossiers, a simulated operator, messages on a page")
@click.option("--empty", is_flag=True, help="with --demo: without their dossiers")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, envvar="PORT", default=8000, show_default=True)
@click.option("--threads", type=int, default=8, show_default=True)
def serve(demo: bool, empty: bool, host: str, port: int, threads: int) -> None:
    """Serve the portal, with a worker beside it."""
    settings = _settings(demo)
    _speak(settings)
    if not any(name in os.environ for name in ("GUICHET_BASE_URL", "GUICHET_BASE_URL_FILE")):
        settings = replace(settings, base_url=f"http://localhost:{port}")
    office, operator = open_office(settings)
    app = create_app(settings, office, operator, open_keeper(settings))
    try:
        front = Front(app, host, port, threads, MOST_BYTES)
    except OSError as taken:
        raise click.ClickException(f"{host}:{port} : {taken.strerror}. PORT={port + 1} make run") from None
    stopping = app.extensions["guichet.probes"].stopping
    on_signal(lambda: (stopping.set(), front.wake()))
    turns = start_worker(app, stopping, demo_stories(settings, office) if demo and not empty else ())
    where = f"http://{urlsplit(settings.base_url).hostname or 'localhost'}:{port}"
    click.echo(f"Guichet : {where}")
    if settings.demo:
        click.echo(f"  SMS : {where}/_boite   payer : {where}/_operateur")
        click.echo(f"  agents : {where}/agent   contrôleur : {where}/audit   mot de passe : {DEMO_PASSWORD}")
    front.run(stopping)
    log.info("stopping")
    end = time.monotonic() + settings.stop_within
    whole = front.drain(settings.stop_within)
    whole = finish(turns, max(0.0, end - time.monotonic())) and whole
    office.store.close()
    log.info("stopped" if whole else "stopped; something under way was cut")


@click.command()
@click.option("--demo", is_flag=True, help="with the simulated operator")
@click.option("--recount", is_flag=True, help="first count the statistics again, from the whole journal")
def worker(demo: bool, recount: bool) -> None:
    """Do what falls due with time: letters, due dates, payments to check.

    Stops at the end of its turn, on Ctrl-C or SIGTERM.
    """
    settings, stop = _settings(demo), threading.Event()
    _speak(settings)
    on_signal(stop.set)
    kept = [open_office(settings)[0]]
    if recount:
        count_again(kept[0])
    keeping = Keeping(open_keeper(settings), lambda: kept[0], lambda office: kept.__setitem__(0, office))
    turns = (
        threading.Thread(target=work, args=(lambda: kept[0], stop), name="worker", daemon=True),
        threading.Thread(target=keeping.run, args=(stop,), name="publications", daemon=True),
    )
    for thread in turns:
        thread.start()
    log.info("worker began")
    stop.wait()
    log.info("stopping")
    log.info("stopped" if finish(turns, settings.stop_within) else "stopped; something under way was cut")


@click.command()
@click.option("--lang", "language", type=click.Choice(["fr", "en"]), default="fr")
def check_store(language: str) -> None:
    """Check every promise of the store: journals, money, seats, documents, files. Repairs nothing."""
    office = _office_kept(_settings(False))
    found = fsck(office)
    click.echo(findings_report(found, sum(1 for _ in office.store.all_dossiers()), language))
    raise SystemExit(1 if found else 0)


def _office_kept(settings: Settings, missing_code: int = 2) -> Office:
    """The office of this installation as it is kept, to look at: nothing is made, migrated or published. Leaves with
    `missing_code` when there is none."""
    ring = settings.ring
    kept = (ring,) if settings.database else (Path(settings.store), ring)
    if missing := [one for one in kept if not one.is_file() or not one.stat().st_size]:
        language, facts = language_of(sys.argv[1:]), {"name": str(missing[0])}
        click.echo(load_words().say("operations.no_store", language, facts), err=True)
        raise SystemExit(missing_code)
    with opening():
        store = open_store(settings.store)
    return _office(settings, store, SigningKeys.open(ring, make=False), Gateways({}, {}))


def _looked_at() -> Place:
    """This installation as it may be, nothing opened yet."""
    try:
        settings = _settings(False)
    except (ValueError, OSError) as wrong:
        raise click.ClickException(str(wrong)) from None
    return Place(
        base_url=settings.base_url, demo=settings.demo, hosts=settings.hosts, second_factor=settings.second_factor,
        unknown=unknown_settings(os.environ), data=settings.data, ring=settings.ring,
        file=file_of(settings.store), open_store=lambda: open_store(settings.store), gateways=lambda: _said_gateways(settings), follow=settings.follow,
        open_shelf=(lambda: open_shelf(settings.files)) if isinstance(settings.files, Bucket) else None,
        unproven=unproven_server(settings.store, os.environ.get("PGSSLMODE", "")),
    )  # fmt: skip


def _installation(settings: Settings) -> Installation:
    return Installation(settings.store, settings.files, settings.ring, settings.place_of)


def _kept_office() -> Office:
    """The same for commands whose codes from 2 up say what was found."""
    return _office_kept(_settings(False), missing_code=1)


def _publishing() -> tuple[Office, Keeper]:
    """The office of this installation, opened as if to serve, and what keeps it up to date."""
    settings = _settings(False)
    settings.data.mkdir(parents=True, exist_ok=True)
    store = _store(settings)
    keys = SigningKeys.open(settings.ring, make=True)
    keeper = open_keeper(settings)
    office = _office(settings, store, keys, Gateways({}, {}))
    return keeper.serve(office) if settings.follow is not None else office, keeper


def _previewed(manuscript: Manuscript, data: Path, address: str, leads: Leads | None) -> Flask:
    """A site of its own over one file, in a folder that nobody else uses."""
    tryout = Tryout.open(data, manuscript.folder / "registers", load_words(), address)
    app = create_app(Settings(data=data, base_url=address, demo=True), tryout.office, tryout.operator)
    install(app, Preview(manuscript, tryout, leads))
    return app


preview = preview_command(_previewed)
publish = publish_command(_publishing)
migrate = migrate_command(_kept_office)
doctor = doctor_command(_looked_at)
agent = agent_command(lambda: _publishing()[0], _kept_office)
replay = replay_command(_kept_office)
snapshot = snapshot_command(_kept_office)


def _speak(settings: Settings) -> None:
    speak(logging.getLogger(), settings.log, sys.stderr.isatty(), whole=settings.demo)
    logging.getLogger("transitions").setLevel(logging.WARNING)  # it tells each step of each dossier


copy = copy_command(lambda: _installation(_settings(False)))
backup = backup_command(lambda: _installation(_settings(False)))
keys = keys_command(lambda: _installation(_settings(False)))
restore = restore_command(lambda: _installation(_settings(False)))


if __name__ == "__main__":
    console()
