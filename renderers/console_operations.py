"""`guichet copy`, `backup`, `restore`, `keys`: an installation moved, kept safe, brought back, sealed under a new key. What
opens it is given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from renderers.console_opening import opening

if TYPE_CHECKING:
    from engine.records.attachments import AttachmentStore
    from engine.records.shelves import Bucket
    from engine.records.store import Store
    from renderers.words import Words

LANGUAGES = click.Choice(["fr", "en"])


@dataclass(frozen=True, slots=True)
class Installation:
    """Where an installation keeps: the address of its store, its files, its keys; `apart`: what it stands on and no backup
    holds, each by its kind with where it is."""

    store: str
    files: Path | Bucket
    keys: Path
    place_of: Callable[[str], Path | Bucket] = Path
    apart: Mapping[str, str] = field(default_factory=dict)


def copy_command(installed: Callable[[], Installation]) -> click.Command:
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
        """Copy all that a database keeps into an empty one, from SQLite to PostgreSQL or back, and prove that all of it arrived.

        Nothing changes in the source; nobody can write to it meanwhile: people are told to try again. Files handed in and keys are
        not in the database: they stay where they are.

        With --files-from alone it copies the files handed in instead, to where the settings of this installation keep them
        (GUICHET_FILES), while people work.

        To move for good, step by step: docs/operation.md. Ends with 0: all is there; 1: refused, the database to
        fill received nothing; 2: wrong use.
        """
        if files is not None and source is None and target is None:
            _copy_files(installed(), files, language)
            return
        if source is None or target is None or files is not None:
            raise click.UsageError(_words().say("operations.copy_what", language, {}))
        _copy_store(source, target, language)

    return copy


def backup_command(installed: Callable[[], Installation]) -> click.Command:
    @click.command("backup")
    @click.argument("folder", type=click.Path(path_type=Path))
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def backup(folder: Path, language: str) -> None:
        """Keep the store, the files handed in and the keys of this installation in a new FOLDER, at one moment, while it works.

        Says at its end what it does not hold. Ends with 0: whole; 1: refused.
        """
        from engine.clock import SystemClock
        from engine.office.safekeeping import back_up
        from engine.problems import Refused
        from engine.records.attachments import Lost
        from engine.records.file_keys import NoFileKey, NoRing
        from engine.records.store import Busy

        words, place = _words(), installed()
        try:
            store = _kept(place.store, words, language)
            done = back_up(store, _files(place), place.keys, folder, SystemClock().now())
        except Refused as refused:
            _refuse(words.refusal(refused.reason.code, refused.reason.facts, language))
        except Lost as lost:
            _fail(words, "file_lost", language, digest=str(lost)[:12])
        except NoRing as ring:
            _without_ring(words, place, ring, language)
        except NoFileKey as missing:
            _fail(words, "no_file_key", language, name=str(missing))
        except Busy as busy:
            _fail(words, "busy", language, why=str(busy))
        files = words.say("operations.files", language, {"count": str(done.files)})
        facts = {"count": str(done.dossiers), "files": files, "folder": str(folder)}
        click.echo(words.say("operations.backed_up", language, facts))
        click.echo(words.say("operations.keep_apart", language, {}))
        if place.apart:
            click.echo(words.say("operations.not_held", language, {}))
        for kind, name in place.apart.items():
            click.echo(words.say(f"operations.apart_{kind}", language, {"name": name}))

    return backup


def restore_command(installed: Callable[[], Installation]) -> click.Command:
    @click.command("restore")
    @click.argument("folder", type=click.Path(path_type=Path))
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def restore(folder: Path, language: str) -> None:
        """Put the backup in FOLDER back into this installation, which must be empty. Verified row by row; run `guichet fsck`
        after it.

        Ends with 0: back in service; 1: refused, nothing was put in service.
        """
        from engine.office.safekeeping import bring_back, read_contents
        from engine.problems import Refused
        from engine.records.store import Busy
        from engine.records.stores import open_shelf

        words, place = _words(), installed()
        try:
            read_contents(folder)
            store = _opened(place.store)
            store.migrate()
            done = bring_back(folder, store, open_shelf(place.files), place.keys)
        except Refused as refused:
            _refuse(words.refusal(refused.reason.code, refused.reason.facts, language))
        except Busy as busy:
            _fail(words, "busy", language, why=str(busy))
        files = words.say("operations.files", language, {"count": str(done.files)})
        facts = {"count": str(done.dossiers), "files": files, "at": done.at[:16].replace("T", " ")}
        click.echo(words.say("operations.brought_back", language, facts))

    return restore


def keys_command(installed: Callable[[], Installation]) -> click.Command:
    @click.command("keys")
    @click.argument("action", type=click.Choice(["list", "rotate", "announce", "sign", "forget"]))
    @click.option("--again", is_flag=True, help="no new key: finish what was stopped")
    @click.option("--now", is_flag=True, help="with sign: within a week of the announcement too")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def keys(action: str, again: bool, now: bool, language: str) -> None:
        """The keys of this installation. `list` says which sign, how many earlier secrets still open what they made, which key seals files
        handed in now, and how many files are under each.

        `rotate` puts a new key for files in service, and brings the files that are there under it. Work goes on meanwhile; older
        keys stay in the ring, for backups. A rotation that was stopped is finished with --again.

        `announce` makes a new signing key that signs nothing yet: restart every process, and it is published beside the others.
        Once whoever keeps the published keys has it, `sign` puts it in front: it signs after the next restart. Older keys verify on.
        Within a week of the announcement `sign` refuses, unless told --now.

        With each signing key comes a new secret, for codes and links worked out and for second factors; what earlier ones made
        holds on. `forget`, after that restart, seals second factors anew and takes earlier secrets out: codes of receipts, links
        of visits and recovery codes made under them hold no more.

        Ends with 0: done; 1: refused, or not all of it.
        """
        words, place = _words(), installed()
        if (now and action != "sign") or (again and action != "rotate"):
            raise click.BadOptionUsage("now" if now else "again", words.say("operations.key_option", language, {}))
        if action == "announce":
            _announce(words, place, language)
            return
        if action == "sign":
            _sign(words, place, now, language)
            return
        store = _kept(place.store, words, language)
        if action == "forget":
            _forget(words, place, store, language)
        elif action == "rotate":
            _rotate(words, place, store, again, language)
        else:
            _list_signing(words, place, language)
            _list_keys(words, place, store, language)

    return keys


def _copy_store(source: str, target: str, language: str) -> None:
    """Everything of one database into another, empty one, told table by table."""
    from engine.records.removal import NotEmpty, NotWhole, move
    from engine.records.store import Busy

    words = _words()
    if source == target:
        _fail(words, "same", language, code=2)
    try:
        here = _kept(source, words, language)
        there = _opened(target)
        there.migrate()
        moved = move(here, there, lambda one: click.echo(words.say("operations.table", language, {"name": one.table})))
    except NotEmpty as kept:
        _fail(words, "not_empty", language, name=_named(target), table=str(kept))
    except NotWhole as different:
        _fail(words, "not_whole", language, why=str(different))
    except Busy as busy:
        _fail(words, "busy", language, why=str(busy))
    rows = {one.table: one.rows for one in moved}
    facts = {"count": str(rows["dossier"]), "tables": str(len(moved))}
    click.echo(words.say("operations.copied", language, facts))


def _copy_files(place: Installation, address: str, language: str) -> None:
    from dataclasses import replace

    from engine.office.safekeeping import copy_files
    from engine.records.attachments import Lost
    from engine.records.file_keys import NoFileKey
    from engine.records.store import Busy

    words, there = _words(), place.place_of(address)
    if there == place.files:
        _fail(words, "same", language, code=2)
    store = _kept(place.store, words, language)
    try:
        with opening():
            source, target = _files(replace(place, files=there)), _files(place)
            target.shelf.check()
        count, new = copy_files(store, source, target)
    except Lost as lost:
        _fail(words, "file_lost_here", language, digest=str(lost)[:12])
    except NoFileKey as missing:
        _fail(words, "no_file_key", language, name=str(missing))
    except Busy as busy:
        _fail(words, "busy", language, why=str(busy))
    facts = {"name": str(target.shelf), "count": str(count), "new": str(new)}
    click.echo(words.say("operations.files_copied", language, facts))


def _announce(words: Words, place: Installation, language: str) -> None:
    from engine.clock import SystemClock
    from engine.office.keys import announce_key
    from engine.records.file_keys import NoRing

    try:
        name, new = announce_key(place.keys, SystemClock().now())
    except NoRing as ring:
        _without_ring(words, place, ring, language)
    said = "key_announced" if new else "key_announced_already"
    click.echo(words.say(f"operations.{said}", language, {"name": name}))


def _sign(words: Words, place: Installation, early: bool, language: str) -> None:
    """Refuses what whoever verifies offline would refuse: a key announced so lately that they do not know it. `early`: all the same."""
    from datetime import timedelta

    from engine.clock import SystemClock
    from engine.office.keys import KNOWN_AFTER, announced_at, sign_with_announced
    from engine.records.file_keys import NoRing

    try:
        since = announced_at(place.keys)
        if since is not None and SystemClock().now() - since < KNOWN_AFTER and not early:
            after = since + KNOWN_AFTER + timedelta(minutes=1)  # not before, to the minute
            _fail(words, "key_too_early", language, at=f"{since:%Y-%m-%d %H:%M}", after=f"{after:%Y-%m-%d %H:%M}")
        name = sign_with_announced(place.keys)
    except NoRing as ring:
        _without_ring(words, place, ring, language)
    if name is None:
        _fail(words, "no_key_announced", language)
    click.echo(words.say("operations.key_signs", language, {"name": name}))


def _forget(words: Words, place: Installation, store: Store, language: str) -> None:
    from engine.office.keys import NoKeys, SigningKeys, forget_secrets
    from engine.office.second_factor import seal_anew
    from engine.records.file_keys import NoRing

    try:
        count, people = None, 0
        while count is None:  # somebody may put another secret in force meanwhile
            keys = SigningKeys.open(place.keys)
            with store.unit(write=True) as unit:
                people = seal_anew(unit, keys)
            count = forget_secrets(place.keys, keys)
    except (NoKeys, NoRing) as ring:
        _without_ring(words, place, ring, language)
    told = "secrets_forgotten" if count else "secrets_none"
    click.echo(words.say(f"operations.{told}", language, {"count": str(count)}))
    if count and people:
        click.echo(words.say("operations.recovery_stale", language, {"count": str(people)}))


def _list_signing(words: Words, place: Installation, language: str) -> None:
    from engine.office.keys import NoKeys, SigningKeys

    try:
        held = SigningKeys.open(place.keys)
    except NoKeys as ring:
        _without_ring(words, place, ring, language)
    for name, does in held.standing():
        click.echo(words.say(f"operations.signing_{does}", language, {"name": name}))
    if held.former:
        click.echo(words.say("operations.secrets_former", language, {"count": str(held.former)}))


def _list_keys(words: Words, place: Installation, store: Store, language: str) -> None:
    from collections import Counter

    from engine.office.filed import places
    from engine.records.attachments import Lost

    files = _ring_of(words, place, language)
    counts: Counter[str] = Counter()
    for one in places(store):
        try:
            counts[files.sealed_under(one)] += 1
        except Lost:
            counts["lost"] += 1
    held = files.keys.ids if files.keys is not None else ()
    for name in (*held, *sorted(counts.keys() - {*held, "lost", ""})):
        facts = {"name": name, "count": str(counts[name])}
        said = "key_seals" if name in held[:1] else "key" if name in held else "key_unknown"
        click.echo(words.say(f"operations.{said}", language, facts))
    for kind in ("", "lost"):
        if counts[kind]:
            click.echo(words.say(f"operations.key_{kind or 'none'}", language, {"count": str(counts[kind])}))


def _rotate(words: Words, place: Installation, store: Store, again: bool, language: str) -> None:
    from engine.office.filed import places
    from engine.records.attachments import Lost
    from engine.records.file_keys import NoFileKey, NoRing, add_key
    from engine.records.store import Busy

    try:
        if not again:
            click.echo(words.say("operations.key_made", language, {"name": add_key(place.keys)}))
        done = _ring_of(words, place, language).rewrap(places(store))
    except NoRing as ring:
        _without_ring(words, place, ring, language)
    except Lost as lost:
        _fail(words, "file_lost_here", language, digest=str(lost)[:12])
    except NoFileKey as missing:
        _fail(words, "no_file_key", language, name=str(missing))
    except Busy as busy:
        _fail(words, "busy", language, why=str(busy))
    click.echo(words.say("operations.rewrapped", language, {"count": str(done)}))


def _ring_of(words: Words, place: Installation, language: str) -> AttachmentStore:
    from engine.records.file_keys import NoRing

    try:
        return _files(place)
    except NoRing as ring:
        _without_ring(words, place, ring, language)


def _without_ring(words: Words, place: Installation, ring: Exception, language: str) -> NoReturn:
    """None was made yet where nothing is kept either; else it is lost or broken."""
    from engine.records.stores import kept_nothing

    none_yet = isinstance(ring.__cause__, FileNotFoundError) and kept_nothing(place.store)
    _fail(words, "no_ring_yet" if none_yet else "no_ring", language, name=str(place.keys))


def _words() -> Words:
    from renderers.words import load_words

    return load_words()


def _opened(address: str) -> Store:
    from engine.records.stores import open_store

    with opening():
        return open_store(address)


def _kept(address: str, words: Words, language: str) -> Store:
    """A store that is there already: a file is not made by asking for it."""
    from engine.records.stores import file_of

    file = file_of(address)
    if file is not None and not (file.is_file() and file.stat().st_size):
        _fail(words, "nothing", language, name=str(file))
    return _opened(address)


def _files(place: Installation) -> AttachmentStore:
    from engine.records.attachments import AttachmentStore
    from engine.records.file_keys import FileKeys
    from engine.records.stores import open_shelf

    return AttachmentStore(open_shelf(place.files), FileKeys.open(place.keys))


def _named(address: str) -> str:
    """An address without what may be secret in it."""
    return address.rsplit("@", 1)[-1]


def _fail(words: Words, key: str, language: str, code: int = 1, **facts: str) -> NoReturn:
    _refuse(words.say(f"operations.{key}", language, facts), code)


def _refuse(said: str, code: int = 1) -> NoReturn:
    click.echo(said, err=True)
    sys.exit(code)
