"""`guichet keys`: renew the keys that sign, encrypt files and open links. The caller passes the installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from renderers.cli.admin.installation_commands import (
    LANGUAGES,
    Installation,
    fail,
    fail_for_lost,
    files_of,
    kept,
    opening,
    without_ring,
    wording,
)
from renderers.cli.files import shown_progress

if TYPE_CHECKING:
    from engine.storage.files.attachments import AttachmentStore
    from engine.storage.unit_of_work import Store
    from renderers.i18n.translations import Translations


def keys_command(installed: Callable[[], Installation]) -> click.Command:
    """Return `guichet keys`, for the installation that `installed` returns."""

    @click.command("keys")
    @click.argument("action", type=click.Choice(["list", "rotate", "announce", "sign", "forget"]))
    @click.option("--again", is_flag=True, help="no new key: finish what was stopped")
    @click.option("--now", is_flag=True, help="with sign: within a week of the announcement too")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def keys(action: str, again: bool, now: bool, language: str) -> None:
        """Manage the keys of this installation.

        `list` shows the signing keys, the number of former secrets, and how many files each file key
        encrypts.

        `rotate` adds a file key, which encrypts new files, and wraps the keys of existing files with it. The
        service may run meanwhile. Older keys stay in the ring, for backups. --again completes an interrupted
        rotation.

        `announce` creates a signing key that does not sign yet. Restart every process, and it is published
        beside the others. `sign` makes it the signing key from the next restart on. Older keys still verify.
        Within a week of the announcement `sign` is refused without --now, because verifiers may not have
        fetched the key.

        Each signing key comes with a new secret for codes, links and second factors. What former secrets
        protect stays valid. After the restart `forget` encrypts second factors again and removes the former
        secrets. Receipt codes, appointment links and recovery codes made with them are then invalid.

        Exit codes: 0 done; 1 refused or incomplete.
        """
        words, place = wording(), installed()
        if (now and action != "sign") or (again and action != "rotate"):
            raise click.BadOptionUsage("now" if now else "again", words.say("operations.key_option", language, {}))
        with opening():
            if action == "announce":
                _announce(words, place, language)
                return
            if action == "sign":
                _sign(words, place, now, language)
                return
            store = kept(place.store, words, language)
            if action == "forget":
                _forget(words, place, store, language)
            elif action == "rotate":
                _rotate(words, place, store, again, language)
            else:
                _list_signing(words, place, language)
                _list_keys(words, place, store, language)

    return keys


def _announce(words: Translations, place: Installation, language: str) -> None:
    from engine.core.clock import SystemClock
    from engine.services.keys.signing_keys import announce_key
    from engine.storage.files.encryption import NoKeyRing

    try:
        name, new = announce_key(place.keys, SystemClock().now())
    except NoKeyRing as ring:
        without_ring(words, place, ring, language)
    said = "key_announced" if new else "key_announced_already"
    click.echo(words.say(f"operations.{said}", language, {"name": name}))


def _sign(words: Translations, place: Installation, early: bool, language: str) -> None:
    """Put the announced key into service.

    Refused within a week of the announcement, because offline verifiers may not know the key yet. `early` skips that
    check.
    """
    from datetime import timedelta

    from engine.core.clock import SystemClock
    from engine.services.keys.signing_keys import KNOWN_AFTER, announced_at, sign_with_announced
    from engine.storage.files.encryption import NoKeyRing

    try:
        since = announced_at(place.keys)
        if since is not None and SystemClock().now() - since < KNOWN_AFTER and not early:
            after = since + KNOWN_AFTER + timedelta(minutes=1)  # rounded up to the minute
            fail(words, "key_too_early", language, at=f"{since:%Y-%m-%d %H:%M}", after=f"{after:%Y-%m-%d %H:%M}")
        name = sign_with_announced(place.keys)
    except NoKeyRing as ring:
        without_ring(words, place, ring, language)
    if name is None:
        fail(words, "no_key_announced", language)
    click.echo(words.say("operations.key_signs", language, {"name": name}))


def _forget(words: Translations, place: Installation, store: Store, language: str) -> None:
    from engine.services.keys.signing_keys import NoKeys, SigningKeys, forget_secrets
    from engine.services.sign_in.second_factor import seal_anew
    from engine.storage.files.encryption import NoKeyRing

    try:
        count, people = None, 0
        while count is None:  # another process may add a secret meanwhile
            keys = SigningKeys.open(place.keys)
            with store.unit(write=True) as unit:
                people = seal_anew(unit, keys)
            count = forget_secrets(place.keys, keys)
    except (NoKeys, NoKeyRing) as ring:
        without_ring(words, place, ring, language)
    reported = "secrets_forgotten" if count else "secrets_none"
    click.echo(words.say(f"operations.{reported}", language, {"count": str(count)}))
    if count and people:
        click.echo(words.say("operations.recovery_stale", language, {"count": str(people)}))


def _list_signing(words: Translations, place: Installation, language: str) -> None:
    from engine.services.keys.signing_keys import NoKeys, SigningKeys

    try:
        held = SigningKeys.open(place.keys)
    except NoKeys as ring:
        without_ring(words, place, ring, language)
    for name, does in held.standing():
        click.echo(words.say(f"operations.signing_{does}", language, {"name": name}))
    if held.former:
        click.echo(words.say("operations.secrets_former", language, {"count": str(held.former)}))


def _list_keys(words: Translations, place: Installation, store: Store, language: str) -> None:
    from collections import Counter

    from engine.services.core.stored_files import places
    from engine.storage.files.attachments import Lost

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


def _rotate(words: Translations, place: Installation, store: Store, again: bool, language: str) -> None:
    from engine.services.core.stored_files import is_named, places
    from engine.storage.files.encryption import NoFileKey, NoKeyRing, add_key
    from engine.storage.results import Busy

    try:
        if not again:
            click.echo(words.say("operations.key_made", language, {"name": add_key(place.keys)}))
        done, lost = _ring_of(words, place, language).rewrap(places(store, shown_progress(language)))
        lost = tuple(one for one in lost if is_named(store, one))  # files erased meanwhile are left out
    except NoKeyRing as ring:
        without_ring(words, place, ring, language)
    except NoFileKey as missing:
        fail(words, "no_file_key", language, name=str(missing))
    except Busy as busy:
        fail(words, "busy", language, why=str(busy))
    click.echo(words.say("operations.rewrapped", language, {"count": str(done)}))
    fail_for_lost(words, "files_lost_here", language, lost)


def _ring_of(words: Translations, place: Installation, language: str) -> AttachmentStore:
    from engine.storage.files.encryption import NoKeyRing

    try:
        return files_of(place)
    except NoKeyRing as ring:
        without_ring(words, place, ring, language)
