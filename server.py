"""The WSGI application of the site, and the commands that run processes.

A WSGI server needs `create_app(settings)` only. The command line finds the commands under the entry points
`guichet.commands`, so `guichet lint` imports none of this module.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

import click
from flask import Flask, Response, request

from engine.integrations.simulated_operator import SandboxOperator
from engine.language.catalogue.watched_file import WatchedFile
from engine.operations.follower import waiting
from engine.operations.metrics import process_not_ready, store_not_ready
from engine.operations.portal import Portal
from engine.operations.refresh import Refresher, RefreshSource
from engine.operations.settings import Settings
from engine.publication.gates import facts_of
from engine.publication.mirror import Followed
from engine.services.audit.integrity import inspect, number_of
from engine.services.audit.statistics import count_again, count_up
from engine.services.context.app_context import AppContext
from engine.services.sign_in.demo_accounts import PASSWORD
from engine.services.worker.clock_watch import guarded_pass
from engine.services.worker.dispatcher import Dispatcher
from engine.services.worker.worker import run_pass
from engine.simulation.preview import PreviewSession, StatePaths
from engine.storage.results import Busy
from renderers.cli.admin.agents import agent_command
from renderers.cli.admin.backup import backup_command, copy_command, restore_command, upgrade_command
from renderers.cli.admin.doctor import doctor_command
from renderers.cli.admin.dossiers import masked_command, migrate_command, replay_command, snapshot_command
from renderers.cli.admin.http_server import Front, finish, freeze_loaded, on_signal
from renderers.cli.admin.installation import (
    cookie_secret,
    demo_stories,
    installation,
    office_kept,
    open_office,
    open_source,
    opened_to_publish,
    place_looked_at,
    portal_of,
    say_trouble,
    settings_of,
)
from renderers.cli.admin.installation_commands import say_port
from renderers.cli.admin.keys import keys_command
from renderers.cli.admin.publish import publish_command
from renderers.cli.admin.sms import sms_report_command
from renderers.cli.admin.web_processes import WebProcesses, inherited_socket, listening_socket, stop_with_parent
from renderers.cli.main import console
from renderers.cli.preview import preview_command
from renderers.html.templates import Pages
from renderers.i18n.log_format import speak
from renderers.i18n.translations import Translations, load_words
from renderers.reports.integrity import findings_report
from renderers.web import blueprints as citizen
from renderers.web import staff_blueprints as staff
from renderers.web.citizen import payments
from renderers.web.platform import errors as refusals
from renderers.web.platform import languages, probes, refused_posts
from renderers.web.platform import request_log as watch
from renderers.web.platform.access import WebApplication, check_guards
from renderers.web.platform.assets import Assets
from renderers.web.platform.probes import Probes, Readers
from renderers.web.platform.proxies import Proxies, SharedSnapshots
from renderers.web.platform.request_context import Site, SiteSettings
from renderers.web.platform.security import FormTokens, harden
from renderers.web.preview import PreviewSite, install
from renderers.web.public.form_sizes import FormMeasurer

log = logging.getLogger("guichet")

DEMO_PASSWORD: Final = PASSWORD
MOST_BYTES: Final = 64 * 1024 * 1024  # of one request; pages set lower limits
PASS_EVERY: Final = 3.0  # seconds between two worker passes
THREADS: Final = 8  # that serve requests, by default


# -- the web -----------------------------------------------------------------------------------------------------------


def create_app(
    settings: Settings,
    ctx: AppContext | None = None,
    operator: SandboxOperator | None = None,
    source: RefreshSource | None = None,
) -> Flask:
    """Return the WSGI application of an installation.

    `ctx` and `operator` are opened from the settings if `ctx` is None. With a `source` the site notices what another
    process publishes.
    """
    if ctx is None:
        ctx, operator = open_office(settings)
        source = source or open_source(settings)
    app = WebApplication("guichet", static_folder=None, template_folder=None)
    app.secret_key = cookie_secret(settings)
    app.config.update(
        SECRET_KEY_FALLBACKS=[settings.secret_before] if settings.secret_before else None,
        SESSION_COOKIE_NAME="__Host-session" if settings.https else "session",
        SESSION_COOKIE_SECURE=settings.https, SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=30), SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False, TRUSTED_HOSTS=list(settings.hosts) or None,
    )  # fmt: skip
    if settings.proxies:
        app.wsgi_app = Proxies(app.wsgi_app, settings.proxies)  # type: ignore[method-assign]
    watch.install(app, settings.proxies, settings.hosts)
    app.wsgi_app = SharedSnapshots(app.wsgi_app, lambda: serving(app).store)  # type: ignore[method-assign]
    words, portal = load_words(), portal_of(settings)
    pages, assets = _pages(words, portal)
    app.extensions["guichet"] = Site(ctx, words, pages, assets, _site_settings(app, settings, portal), operator)
    app.extensions["guichet.probes"] = _probes(app, settings)
    harden(app, settings.https)
    languages.install(app, settings.https)
    refused_posts.install(app)
    csrf = FormTokens(app)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    csrf.exempt(payments.callback)
    csrf.exempt(payments.returned)
    refusals.register(app)
    check_guards(app)
    app.after_request(lambda response: _wake(app, response))
    if source is not None:
        keeping = Refresher(source, lambda: serving(app), lambda new: _swap(app, new))
        app.extensions["guichet.keeping"] = keeping
        app.before_request(lambda: None if watch.is_probe() else keeping.notice())
    return app


def _site_settings(app: Flask, settings: Settings, portal: Portal) -> SiteSettings:
    return SiteSettings(
        settings.https, settings.demo, portal, settings.security_contact,
        lambda: _warning(serving(app), settings.follow), settings.follow.source if settings.follow is not None else "",
    )  # fmt: skip


@lru_cache(maxsize=2)
def _pages(words: Translations, portal: Portal) -> tuple[Pages, Assets]:
    """Return the compiled templates and the compressed files, shared by all applications of a process."""
    assets = Assets(portal=portal)
    return Pages(words, assets.address), assets


def _wake(app: Flask, response: Response) -> Response:
    """Wake the worker of this process after a post. What the request queued is committed by then."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        serving(app).wakeup.set()
    return response


def _probes(app: Flask, settings: Settings) -> Probes:
    """Return the health endpoints. Raises `ClickException` if GUICHET_METRICS_FROM is invalid."""
    ring = settings.ring if settings.ring.is_file() else None
    try:
        readers = Readers.of(settings.metrics_from, settings.metrics_token, settings.proxies)
    except ValueError as wrong:
        raise click.ClickException(f"GUICHET_METRICS_FROM: {wrong}") from None
    return Probes(
        lambda: process_not_ready(serving(app), ring, settings.data), lambda: store_not_ready(serving(app)), readers
    )


def _swap(app: Flask, ctx: AppContext) -> None:
    """Put a new application context in service. The next request uses it."""
    app.extensions["guichet"] = replace(app.extensions["guichet"], office=ctx)
    app.extensions["guichet"].pages.forget()


def blueprints() -> tuple:  # type: ignore[type-arg]
    """Return the blueprints of all areas, and those of the health endpoints."""
    return (*citizen.BLUEPRINTS, *staff.BLUEPRINTS, probes.blueprint)


def _warning(ctx: AppContext, followed: Followed | None = None) -> str:
    """Return the warning that staff read on each page, empty without one.

    It names definitions that could not be put in service: served in their earlier edition, or absent. It reports a
    refused commit and a repository that does not answer.
    """
    broken, served = frozenset(ctx.catalogue.warnings), ctx.catalogue.procedures.keys()
    kinds = (("frame.warning", broken & served), ("frame.warning_absent", broken - served))
    words = load_words()
    said = [words.say(key, "fr", {"names": ", ".join(sorted(names))}) for key, names in kinds if names]
    return " ".join([*said, *(_following(ctx, followed) if followed is not None else ())])


def _following(ctx: AppContext, followed: Followed) -> Iterator[str]:
    """Yield the sentences about the followed repository: a refused commit, a repository that does not answer."""
    words = load_words()
    refused, troubled = waiting(ctx.store, followed.source)
    if refused is not None:
        yield words.say("publication.warning", "fr", {"commit": refused.origin.commit[:7]})
    if troubled is not None:
        yield words.refusal(troubled.trouble, facts_of(troubled.facts), "fr")


# -- running -----------------------------------------------------------------------------------------------------------


def serving(app: Flask) -> AppContext:
    """Return the application context that the site uses now. It changes with each publication."""
    site: Site = app.extensions["guichet"]
    return site.office


def work(
    current: Callable[[], AppContext], stop: threading.Event, stories: Iterable[str] = (), alone: Lock | None = None
) -> None:
    """Run worker passes until `stop` is set, count events between them, and measure blank forms.

    A pass that fails is logged and the loop continues. The `stories` of a demonstration run first, each under
    the lock `alone`. Worker passes run between them.
    """
    silent, forms = False, FormMeasurer(load_words())
    try:
        forms.measure(current())
    except Busy:
        pass  # the first pass measures them
    except Exception:
        log.exception("the sizes of blank forms")
    try:
        _begin(current, stop, stories, alone or Lock())
    except Exception:
        log.exception("the demonstration's dossiers")
    while not stop.is_set():
        before, silent = silent, False
        for turn in (_run_pass, count_up, forms.measure):
            try:
                turn(current())
            except Busy:  # locked, full or cut: not an error of this process, logged once
                silent = True
            except Exception:
                log.exception("a worker pass failed")
        if silent is not before:
            log.warning(_SILENT if silent else "the store answers again")
        stop.wait(PASS_EVERY)


def _run_pass(ctx: AppContext) -> None:
    """Run one worker pass without the calls to external systems, which the dispatcher makes."""
    guarded_pass(ctx, calls=False)


_SILENT: Final = (
    "the store does not answer (guichet doctor says why); the next worker pass does what this one could not"
)


def _begin(current: Callable[[], AppContext], stop: threading.Event, stories: Iterable[str], alone: Lock) -> None:
    """Play the demonstration's scenarios, with a worker pass between them every `PASS_EVERY` seconds."""
    last, reported = time.monotonic(), iter(stories)
    while not stop.is_set():
        with alone:
            if next(reported, None) is None:
                break
        if time.monotonic() - last > PASS_EVERY:
            run_pass(current(), signs=False, calls=False)
            last = time.monotonic()


def start_worker(
    app: Flask, stop: threading.Event, stories: Iterable[str] = (), only: str = ""
) -> tuple[threading.Thread, ...]:
    """Start the worker threads beside the web, or `only` the one of that name, and return them.

    They end once `stop` is set.
    """
    keeping: Refresher = app.extensions["guichet.keeping"]
    turns = _turns(lambda: serving(app), keeping, stop, stories)
    threads = tuple(one for one in turns if only in ("", one.name))
    for thread in threads:
        thread.start()
    return threads


def _turns(
    current: Callable[[], AppContext], keeping: Refresher, stop: threading.Event, stories: Iterable[str] = ()
) -> tuple[threading.Thread, ...]:
    """Return the threads of a worker, not started: worker passes, external calls, publications."""
    dispatcher = Dispatcher(current)
    return (
        threading.Thread(target=work, args=(current, stop, stories, dispatcher.alone), name="worker", daemon=True),
        threading.Thread(target=dispatcher.run, args=(stop,), name="dispatcher", daemon=True),
        threading.Thread(target=keeping.run, args=(stop,), name="publications", daemon=True),
    )


def _speak(settings: Settings) -> None:
    """Configure the logs of the process."""
    speak(logging.getLogger(), settings.log, sys.stderr.isatty(), whole=settings.demo)
    logging.getLogger("transitions").setLevel(logging.WARNING)  # it logs each step of each dossier


@click.command()
@click.option("--demo", is_flag=True, help="demo people and their dossiers, a simulated operator, messages on a page")
@click.option("--empty", is_flag=True, help="with --demo: without their dossiers")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, envvar="PORT", default=8000, show_default=True)
@click.option("--threads", type=int, default=THREADS, show_default=True, help="of each web process")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="web processes on the port")
@click.option("--socket", "inherited", type=int, hidden=True, help="the file descriptor of the port, in a web process")
def serve(
    demo: bool, empty: bool, host: str, port: int, threads: int, processes: int, inherited: int | None
) -> None:  # fmt: skip
    """Serve the site, with a worker in the same process or, with several, in the one that starts them."""
    settings = replace(settings_of(demo), threads=threads)
    _speak(settings)
    if not any(name in os.environ for name in ("GUICHET_BASE_URL", "GUICHET_BASE_URL_FILE")):
        settings = replace(settings, base_url=f"http://localhost:{port}")
    try:
        listening = listening_socket(host, port) if inherited is None else inherited_socket(inherited)
    except OSError as taken:
        raise click.ClickException(say_port(host, port, taken)) from None
    office, operator = open_office(settings)
    stories = demo_stories(settings, office) if demo and not empty else ()
    if processes > 1:
        options = ("--port", str(port), "--threads", str(threads), *(["--demo"] if demo else ()))
        _serve_by_processes(settings, office, WebProcesses(processes, listening, options), stories, f"{host}:{port}")
        return
    app = create_app(settings, office, operator, open_source(settings, say_trouble))
    front = Front(app, listening, threads, MOST_BYTES, settings.proxies)
    stopping = app.extensions["guichet.probes"].stopping

    def stop() -> None:
        stopping.set()
        front.wake()

    on_signal(stop)
    if inherited is None:
        turns = start_worker(app, stopping, stories)
        _print_addresses(settings, f"{host}:{port}")
    else:
        stop_with_parent(stop)
        turns = start_worker(app, stopping, only="publications")
    freeze_loaded()
    front.run(stopping, settings.leave_after)
    log.info("stopping")
    end = time.monotonic() + settings.stop_within
    whole = front.drain(settings.stop_within)
    whole = finish(turns, max(0.0, end - time.monotonic())) and whole
    office.store.close()
    log.info("stopped" if whole else "stopped; something under way was cut")


def _serve_by_processes(
    settings: Settings, office: AppContext, web: WebProcesses, stories: Iterable[str], place: str
) -> None:
    """Run the worker beside the web processes, until a signal."""
    stopping = threading.Event()
    on_signal(stopping.set)
    turns = _start_worker_alone(settings, office, stopping, stories)
    _print_addresses(settings, place)
    web.run(stopping)
    log.info("stopping")
    whole = web.stop(settings.leave_after + settings.stop_within + 1.0)
    whole = finish(turns, settings.stop_within) and whole
    office.store.close()
    log.info("stopped" if whole else "stopped; something under way was cut")


def _start_worker_alone(
    settings: Settings, office: AppContext, stop: threading.Event, stories: Iterable[str] = ()
) -> tuple[threading.Thread, ...]:
    """Start the threads of a worker in a process without web, and return them."""
    kept = [office]
    keeping = Refresher(open_source(settings, say_trouble), lambda: kept[0], lambda new: kept.__setitem__(0, new))
    turns = _turns(lambda: kept[0], keeping, stop, stories)
    for thread in turns:
        thread.start()
    return turns


def _print_addresses(settings: Settings, place: str) -> None:
    """Print where the site is. `place`: host and port."""
    demo, port = settings.demo, place.rpartition(":")[2]
    where = f"http://{urlsplit(settings.base_url).hostname or 'localhost'}:{port}" if demo else settings.base_url
    click.echo(f"Guichet : {where}" if demo else f"Guichet : {where} ({place})")
    if demo:
        click.echo(f"  SMS : {where}/_boite   payer : {where}/_operateur")
        click.echo(f"  agents : {where}/agent   contrôleur : {where}/audit   mot de passe : {DEMO_PASSWORD}")


@click.command()
@click.option("--demo", is_flag=True, help="with the simulated operator")
@click.option("--recount", is_flag=True, help="first count the statistics again, from the whole journal")
def worker(demo: bool, recount: bool) -> None:
    """Run the worker: outbound messages, due dates, calls to payment operators and registers.

    It stops at the end of its pass, on Ctrl-C or SIGTERM.
    """
    settings, stop = settings_of(demo), threading.Event()
    _speak(settings)
    on_signal(stop.set)
    office = open_office(settings)[0]
    if recount:
        count_again(office)
    turns = _start_worker_alone(settings, office, stop)
    log.info("worker began")
    stop.wait()
    log.info("stopping")
    log.info("stopped" if finish(turns, settings.stop_within) else "stopped; something under way was cut")


@click.command()
@click.option("--lang", "language", type=click.Choice(["fr", "en"]), default="fr")
def check_store(language: str) -> None:
    """Check the stored data: journals, payments, seats, documents and files. Repairs nothing."""
    office = office_kept(missing_code=2)
    if office.store.migration_state().pending:
        click.echo(load_words().say("fsck.pending", language, {}), err=True)
        raise SystemExit(2)
    inspected = inspect(office)
    dossiers = sum(1 for _ in office.store.all_dossiers())
    click.echo(findings_report(inspected, dossiers, lambda one: number_of(office, one), load_words(), language))
    raise SystemExit(1 if inspected.findings else 0)


def _previewed(watched_file: WatchedFile, data: Path, address: str, leads: StatePaths, language: str) -> Flask:
    """Return a preview site over one file, whose data is in a folder of its own."""
    session = PreviewSession.open(data, watched_file.folder / "registers", load_words(), address)
    app = create_app(Settings(data=data, base_url=address, demo=True), session.office, session.operator)
    install(app, PreviewSite(watched_file, session, leads, language))
    return app


preview = preview_command(_previewed)
publish = publish_command(opened_to_publish)
migrate = migrate_command(office_kept)
doctor = doctor_command(place_looked_at)
agent = agent_command(lambda: opened_to_publish()[0], office_kept)
sms_report = sms_report_command(office_kept)
replay = replay_command(office_kept)
snapshot = snapshot_command(office_kept)
masked = masked_command(office_kept)
copy = copy_command(installation)
backup = backup_command(installation)
keys = keys_command(installation)
restore, upgrade = restore_command(installation), upgrade_command(installation)


if __name__ == "__main__":
    console()
