"""`guichet copy`, `backup`, `restore` and `upgrade`: move, save, restore and migrate an installation.

The caller passes the installation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from renderers.cli.admin.installation_commands import (
    LANGUAGES,
    Installation,
    fail,
    fail_for_lost,
    files_of,
    kept,
    named,
    opened,
    opening,
    refuse,
    without_ring,
    wording,
)
from renderers.cli.files import shown_progress

if TYPE_CHECKING:
    from renderers.i18n.translations import Translations


def copy_command(installed: Callable[[], Installation]) -> click.Command:
    """Return `guichet copy`, for the installation that `installed` returns."""

    @click.command("copy")
    @click.option(
        "--from",
        "source",
        metavar="ADDRESS",
        help="the database to copy: sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/NAME",
    )
    @click.option("--to", "target", metavar="ADDRESS", help="the empty one that receives it, said in the same way")
    @click.option(
        "--files-from",
        "files",
        metavar="ADDRESS",
        help="where files handed in are now: a folder, or s3://BUCKET/PREFIX",
    )
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def copy(source: str | None, target: str | None, files: str | None, language: str) -> None:
        """Copy a database into an empty one, from SQLite to PostgreSQL or back, and compare both.

        The source does not change. It accepts no writes meanwhile, and users are asked to try again. Uploaded
        files and keys are not in the database and stay where they are.

        With --files-from alone, copy the uploaded files to the place in the settings of this installation
        (GUICHET_FILES). The service may run meanwhile.

        The steps of a move are in docs/operation.md. Exit codes: 0 all copied; 1 refused, the target received
        nothing, or files are lost; 2 wrong use.
        """
        if files is not None and source is None and target is None:
            with opening():
                _copy_files(installed(), files, language)
            return
        if source is None or target is None or files is not None:
            raise click.UsageError(wording().say("operations.copy_what", language, {}))
        with opening():
            _copy_store(source, target, language)

    return copy


def backup_command(installed: Callable[[], Installation]) -> click.Command:
    """Return `guichet backup`, for the installation that `installed` returns."""

    @click.command("backup")
    @click.argument("folder", type=click.Path(path_type=Path))
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def backup(folder: Path, language: str) -> None:
        """Save the store, the uploaded files and the keys of this installation in a new FOLDER.

        The service may run meanwhile. The store is saved as it is at one moment. At the end the command lists
        what the backup does not contain.

        Exit codes: 0 complete; 1 refused, or files that dossiers name are lost and all others are saved.
        """
        from engine.core.clock import SystemClock
        from engine.core.problems import Refused
        from engine.operations.backup import back_up
        from engine.storage.files.encryption import NoFileKey, NoKeyRing
        from engine.storage.results import Busy
        from engine.storage.table_copy import NotWhole

        words, place = wording(), installed()
        with opening():
            try:
                store = kept(place.store, words, language)
                done = back_up(
                    store, files_of(place), place.keys, folder, SystemClock().now(), shown_progress(language)
                )
            except Refused as refused:
                refuse(words.refusal(refused.reason.code, refused.reason.facts, language))
            except NoKeyRing as ring:
                without_ring(words, place, ring, language)
            except NoFileKey as missing:
                fail(words, "no_file_key", language, name=str(missing))
            except NotWhole as different:
                fail(words, "not_whole", language, why=str(different))
            except Busy as busy:
                fail(words, "busy", language, why=str(busy))
        files = words.say("operations.files", language, {"count": str(done.files)})
        facts = {"count": str(done.dossiers), "files": files, "folder": str(folder)}
        click.echo(words.say("operations.backed_up_without" if done.lost else "operations.backed_up", language, facts))
        if done.erased:
            click.echo(words.say("operations.erased_meanwhile", language, {"count": str(len(done.erased))}))
        click.echo(words.say("operations.keep_apart", language, {}))
        _say_apart(words, place, language)
        fail_for_lost(words, "files_not_kept", language, done.lost)

    return backup


def _say_apart(words: Translations, place: Installation, language: str) -> None:
    """Print what no backup holds, with its place."""
    if place.apart:
        click.echo(words.say("operations.not_held", language, {}))
    for kind, name in place.apart.items():
        click.echo(words.say(f"operations.apart_{kind}", language, {"name": name}))


def restore_command(installed: Callable[[], Installation]) -> click.Command:
    """Return `guichet restore`, for the installation that `installed` returns."""

    @click.command("restore")
    @click.argument("folder", type=click.Path(path_type=Path, readable=False))  # read_contents says it better
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def restore(folder: Path, language: str) -> None:
        """Restore the backup in FOLDER into this installation, which must be empty.

        The backup may be of this release or of an earlier one. Each row is verified. Run `guichet fsck`
        afterwards.

        Exit codes: 0 restored; 1 refused, nothing was restored.
        """
        from engine.core.problems import Refused
        from engine.operations.backup import bring_back, read_contents
        from engine.operations.store_factory import open_blob_store
        from engine.storage.results import Busy
        from engine.storage.table_copy import NotWhole

        words, place = wording(), installed()
        with opening():
            try:
                read_contents(folder)
                store = opened(place.store)
                store.migrate()
                done = bring_back(folder, store, open_blob_store(place.files), place.keys, shown_progress(language))
            except Refused as refused:
                refuse(words.refusal(refused.reason.code, refused.reason.facts, language))
            except NotWhole as different:
                fail(words, "not_whole", language, why=str(different))
            except Busy as busy:
                fail(words, "busy", language, why=str(busy))
        files = words.say("operations.files", language, {"count": str(done.files)})
        facts = {"count": str(done.dossiers), "files": files, "at": done.at[:16].replace("T", " ")}
        click.echo(words.say("operations.brought_back", language, facts))
        for kind, missing in (("erased", done.erased), ("lost", done.lost)):
            if missing:
                click.echo(words.say(f"operations.back_without_{kind}", language, {"count": str(len(missing))}))

    return restore


def upgrade_command(installed: Callable[[], Installation]) -> click.Command:
    """Return `guichet upgrade`, for the installation that `installed` returns."""

    @click.command("upgrade")
    @click.option("--finish", is_flag=True, help="also remove what the former release needs: it must run nowhere")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def upgrade(finish: bool, language: str) -> None:
        """Migrate the database to this release. The former release may go on meanwhile.

        A start of the service does the same. With --finish, the former release can no longer use this database:
        run it once every machine has this release, and no return is planned.

        Exit codes: 0 done, or nothing to do; 1 refused, and the same command continues.
        """
        from engine.storage.results import Busy

        words = wording()
        with opening():
            store = opened(installed().store)
            before = store.migration_state()
            try:
                store.migrate()
                done = [*before.pending, *(store.finish() if finish else ())]
            except Busy as busy:
                fail(words, "busy", language, why=str(busy))
            left = store.migration_state().unfinished
        for name in done:
            click.echo(words.say("operations.table", language, {"name": name}))
        key = "upgraded_unfinished" if left else "upgraded"
        click.echo(words.say(f"operations.{key}", language, {"count": str(len(done))}))

    return upgrade


def _copy_store(source: str, target: str, language: str) -> None:
    """Copy a database into another, empty one, and report each table."""
    from engine.storage.results import Busy
    from engine.storage.table_copy import NotEmpty, NotWhole, copy_tables

    words = wording()
    if source == target:
        fail(words, "same", language, code=2)
    try:
        here = kept(source, words, language)
        there = opened(target)
        there.migrate()
        moved = copy_tables(
            here,
            there,
            lambda one: click.echo(words.say("operations.table", language, {"name": one.table})),
            progress=shown_progress(language),
        )
    except NotEmpty as full:
        fail(words, "not_empty", language, name=named(target), table=str(full))
    except NotWhole as different:
        fail(words, "not_whole", language, why=str(different))
    except Busy as busy:
        fail(words, "busy", language, why=str(busy))
    rows = {one.table: one.rows for one in moved}
    facts = {"count": str(rows["dossier"]), "tables": str(len(moved))}
    click.echo(words.say("operations.copied", language, facts))


def _copy_files(place: Installation, address: str, language: str) -> None:
    from dataclasses import replace

    from engine.operations.backup import copy_files
    from engine.storage.files.attachments import Lost
    from engine.storage.files.encryption import NoFileKey
    from engine.storage.results import Busy

    words, there = wording(), place.place_of(address)
    if there == place.files:
        fail(words, "same", language, code=2)
    store = kept(place.store, words, language)
    try:
        source, target = files_of(replace(place, files=there)), files_of(place)
        target.blobs.check()
        count, new, lost = copy_files(store, source, target, shown_progress(language))
    except Lost as one:
        fail(words, "file_not_taken", language, name=str(target.blobs), digest=str(one)[:12])
    except NoFileKey as missing:
        fail(words, "no_file_key", language, name=str(missing))
    except Busy as busy:
        fail(words, "busy", language, why=str(busy))
    facts = {"name": str(target.blobs), "count": str(count), "new": str(new)}
    click.echo(words.say("operations.files_copied", language, facts))
    fail_for_lost(words, "files_not_copied", language, lost)
