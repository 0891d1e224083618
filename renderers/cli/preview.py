"""`guichet preview`: a definition as people will see it, on the author's machine, while it is written."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from renderers.cli.files import DEFAULT_FOLDER, LANGUAGES, definition_path

if TYPE_CHECKING:
    from datetime import date

    from engine.language.catalogue.watched_file import WatchedFile
    from engine.language.compiler.shared_files import Shared
    from engine.model import Procedure, Scenario
    from engine.simulation.preview import StatePaths

HOST = "127.0.0.1"  # this machine only: the preview is for its author
PORT = 8100
THREADS = 16  # a browser that waits for a change occupies one
SECONDS_TO_A_STATE = 8.0

Opened = Callable[["WatchedFile", Path, str, "StatePaths", str], Any]


def shared_folder(file: Path) -> Path:
    """Return the folder of shared files: that of the definition if it has some, else `procedures`."""
    has_own = any((file.parent / name).is_dir() for name in ("shared", "blocks"))
    return file.parent if has_own else DEFAULT_FOLDER


def solver(language: str) -> StatePaths:
    """Return the function that finds the path to a state."""
    from engine.language.catalogue.catalogue import Catalogue
    from engine.simulation.exploration import Explorer
    from renderers.i18n.translations import load_words

    words = load_words()
    reason = words.say("explore.reason", language, {})

    def leads(procedure: Procedure, shared: Shared, day: date, state: str) -> Scenario | None:
        explorer = Explorer(procedure, Catalogue.of([procedure], shared), words, day, reason)
        return explorer.lead_to(state, SECONDS_TO_A_STATE)

    return leads


def _stop_on_signals(stopping: Event) -> None:
    """Stop on Ctrl-C or SIGTERM: waiting browsers are released and the folder is erased."""

    def leave(number: int, frame: object) -> None:
        stopping.set()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def preview_command(opened: Opened) -> click.Command:
    """Return `guichet preview`. `opened` creates the site from a watched file, a folder, an address, a solver and a language."""

    @click.command()
    @click.argument("slug_or_path")
    @click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
    @click.option("--story", "title", help="begin at the end of this story of the file")
    @click.option("--lang", "language", type=LANGUAGES, default="fr")
    def preview(slug_or_path: str, port: int, title: str | None, language: str) -> None:
        """Show a definition as people will see it, while its author writes it.

        It serves the pages of applicants and agents on this machine only, with invented people and a movable
        clock. They follow the file each time it is saved, and its errors are shown over them. No data is
        stored afterwards.
        """
        from waitress.server import create_server

        from engine.language.catalogue.watched_file import WatchedFile
        from renderers.i18n.translations import load_words

        words = load_words()

        def say(key: str, **facts: object) -> str:
            return words.say(f"preview.{key}", language, {name: str(fact) for name, fact in facts.items()})

        file = definition_path(slug_or_path)
        if not file.is_file():
            raise click.UsageError(say("missing", file=file, slug=file.stem))
        watched_file = WatchedFile(file, shared_folder(file))
        with TemporaryDirectory(prefix="guichet-preview-") as folder:
            address = f"http://{HOST}:{port}"
            app = opened(watched_file, Path(folder), address, solver(language), language)
            if title is not None and not app.extensions["preview"].begin_with(title):
                raise click.ClickException(say("no_story", title=title))
            try:
                listener = create_server(app, host=HOST, port=port, threads=THREADS, ident="guichet")
            except OSError:
                raise click.ClickException(say("taken", port=port, other=port % 65535 + 1)) from None
            _stop_on_signals(app.extensions["preview"].stopping)
            click.echo(say("started", file=file, address=f"{address}/_apercu"))
            sys.stdout.flush()
            try:
                listener.run()
            finally:
                listener.close()
                click.echo(say("stopped"))

    return preview
