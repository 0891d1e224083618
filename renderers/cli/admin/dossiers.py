"""Commands about running dossiers. `server.py` passes the function that opens the store of an installation."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from renderers.cli.files import LANGUAGES, definition_path, session_name, shared_for, shown_progress
from renderers.cli.main import ComparingCommand

if TYPE_CHECKING:
    from engine.services.context.app_context import AppContext
    from renderers.i18n.translations import Translations


def migrate_command(opened: Callable[[], AppContext]) -> click.Command:
    """Return `guichet migrate`, for the application context that `opened` returns."""

    @click.command("migrate", cls=ComparingCommand)
    @click.argument("slug")
    @click.option(
        "--to", "edition", type=click.IntRange(min=1), help="the edition to come over to; else the one in force"
    )
    @click.option("--dry-run", is_flag=True, help="say what would happen, change nothing")
    @click.option("--limit", type=click.IntRange(min=1), help="move so many dossiers at most")
    @click.option("--yes", is_flag=True, help="do not ask")
    @click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the sentences")
    def migrate(
        slug: str, edition: int | None, dry_run: bool, limit: int | None, yes: bool, form: str, language: str
    ) -> None:
        """Migrate running dossiers to a later edition, as its `migrate` declares.

        Exit codes: 0 none is left to migrate; 2 some can be migrated; 3 some stay; 1 the migration could not
        run.
        """
        from engine.core.problems import Refused
        from engine.operations.migration import migrate as bring_over
        from engine.services.context.app_context import NotFound
        from engine.storage.results import Busy
        from renderers.i18n.translations import load_words
        from renderers.reports.migration import MigrationWriter, exit_code

        words, office = load_words(), opened()
        shown = shown_progress(language)
        try:
            found = bring_over(office, slug, edition, dry_run=True, limit=limit, progress=shown)
            if not dry_run and found.moved:
                if not yes:
                    _confirmed(MigrationWriter(found, words, language).text(), words, language)
                office.store.migrate()
                found = bring_over(office, slug, edition, limit=limit, by=session_name(), progress=shown)
        except NotFound:
            _fail(words.say("migration.unknown", language, {"name": slug}))
        except Refused as refused:
            _fail(words.refusal(refused.reason.code, refused.reason.facts, language))
        except Busy:
            _fail(words.say("migration.lent", language, {}))
        writer = MigrationWriter(found, words, language)
        click.echo(writer.text() if form == "text" else writer.json(), nl=False)
        sys.exit(exit_code(found))

    return migrate


def replay_command(opened: Callable[[], AppContext]) -> click.Command:
    """Return `guichet replay`, for the application context that `opened` returns."""

    @click.command("replay", cls=ComparingCommand)
    @click.argument("slug")
    @click.option(
        "--against", metavar="REF|FILE", required=True, help="the proposed edition: a file, or a git reference"
    )
    @click.option("--limit", type=click.IntRange(min=1), help="replay so many dossiers at most")
    @click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the sentences")
    def replay(slug: str, against: str, limit: int | None, form: str, language: str) -> None:
        """Replay closed dossiers under a proposed edition and print what would differ. Changes nothing.

        Exit codes: 0 no difference; 3 differences; 1 the replay could not run.
        """
        from engine.core.problems import Refused
        from engine.operations.replay import replay as live_again
        from renderers.cli.editions import proposed_edition
        from renderers.i18n.translations import load_words
        from renderers.reports.replay import ReplayWriter, exit_code

        words = load_words()
        try:
            proposed, directory = proposed_edition(
                definition_path(slug), against, lambda file: shared_for(file, {})[0], words, language
            )
        except Refused as refused:
            _fail(words.refusal(refused.reason.code, refused.reason.facts, language))
        if proposed.id != definition_path(slug).stem:
            _fail(words.say("replay.another", language, {"name": proposed.id, "slug": slug}))
        found = live_again(opened(), proposed, directory, limit, shown_progress(language))
        writer = ReplayWriter(found, words, language)
        click.echo(writer.text() if form == "text" else writer.json(), nl=False)
        sys.exit(exit_code(found))

    return replay


def snapshot_command(opened: Callable[[], AppContext]) -> click.Command:
    """Return `guichet snapshot`, for the application context that `opened` returns."""

    @click.command("snapshot", cls=ComparingCommand)
    @click.option(
        "--out", type=click.Path(dir_okay=False, path_type=Path), help="write it there instead of printing it"
    )
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the sentences")
    def snapshot(out: Path | None, language: str) -> None:
        """Count the running dossiers, without personal data, for `guichet diff --snapshot`."""
        from engine.language.diff.population import counts_of
        from engine.operations.population import take_snapshot
        from renderers.i18n.translations import load_words
        from renderers.reports.changes import counted

        words, plain = load_words(), take_snapshot(opened())
        text = json.dumps(plain, ensure_ascii=False, indent=1) + "\n"
        if out is None:
            click.echo(text, nl=False)
            return
        try:
            out.write_text(text, "utf-8")
        except OSError:
            _fail(words.say("snapshot.unwritable", language, {"name": str(out)}))
        facts = {"count": counted(words, counts_of(plain), language), "name": str(out)}
        click.echo(words.say("snapshot.written", language, facts), err=True)

    return snapshot


def masked_command(opened: Callable[[], AppContext]) -> click.Command:
    """Return `guichet masked`, for the application context that `opened` returns."""

    @click.command("masked", cls=ComparingCommand)
    @click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
    @click.option("--procedure", "procedure", help="the dossiers of one procedure only")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the sentences")
    def masked(file: Path, procedure: str | None, language: str) -> None:
        """Write submitted requests, journals, payments and appointments to a new SQLite FILE for auditors,
        pseudonymised.

        Open it with Datasette or any SQL tool. Persons and dossiers have pseudonyms, which are the same in
        each export. The file names the answers that were given and contains none of their values. Exit codes:
        0 written; 1 refused.
        """
        from engine.services.audit.pseudonymised_export import write_for_controllers
        from renderers.i18n.translations import load_words
        from renderers.reports.changes import counted

        words, office = load_words(), opened()
        if procedure is not None and office.catalogue.summary(procedure) is None:
            _fail(words.say("masked.no_procedure", language, {"name": procedure}))
        try:
            counts = write_for_controllers(office, file, procedure, shown_progress(language))
        except FileExistsError:
            _fail(words.say("masked.exists", language, {"name": str(file)}))
        except OSError:
            _fail(words.say("snapshot.unwritable", language, {"name": str(file)}))
        facts = {
            "count": counted(words, counts["dossiers"], language),
            "entries": str(counts["journal"]),
            "name": str(file),
        }
        click.echo(words.say("masked.written", language, facts))

    return masked


def _confirmed(said: str, words: Translations, language: str) -> None:
    """Show the effect and ask for confirmation. Without a terminal, or if refused, the command ends."""
    click.echo(said, err=True)
    if not sys.stdin.isatty():
        _fail(words.say("migration.unattended", language, {}))
    if not click.confirm(words.say("migration.confirm", language, {}), err=True):
        _fail(words.say("migration.given_up", language, {}))


def _fail(said: str) -> NoReturn:
    raise click.ClickException(said)
