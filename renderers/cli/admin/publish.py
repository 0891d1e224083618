"""`guichet publish`: publish the branch, try a commit, return to an earlier edition."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from renderers.cli.files import DEFAULT_FOLDER, LANGUAGES, session_name

if TYPE_CHECKING:
    from engine.operations.follower import Follower
    from engine.operations.refresh import RefreshSource
    from engine.publication.gates import Judge
    from engine.records.publications import Publication
    from engine.services.context.app_context import AppContext
    from renderers.i18n.translations import Translations


def publish_command(opened: Callable[[], tuple[AppContext, RefreshSource]]) -> click.Command:
    """Return `guichet publish`. `opened` returns the application context and the source that refreshes it."""

    @click.command("publish")
    @click.argument("which", required=False)
    @click.option("--check", is_flag=True, help="say what would come of a commit (WHICH, else HEAD); change nothing")
    @click.option(
        "--rollback", metavar="SLUG", help="put an earlier edition (WHICH, else the one before) back in force"
    )
    @click.option("--against", default="", metavar="REF", help="with --check: what is taken for what is in force")
    @click.option("--folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True,
                  help="with --check: the folder of definitions")  # fmt: skip
    @click.option("--reason", "--because", "because", default="",
                  help="with --rollback, required: the reason, which the history shows")  # fmt: skip
    @click.option("--by", default="", help="with --rollback: who asks for it; else the name of the session")
    @click.option("--rewritten", is_flag=True, help="accept a branch whose published past was changed")
    @click.option("--format", "form", type=click.Choice(["text", "markdown", "github", "json"]), default="text")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def publish(
        which: str | None, check: bool, rollback: str | None, against: str, folder: Path, because: str, by: str,
        rewritten: bool, form: str, language: str,
    ) -> None:  # fmt: skip
        """Publish the followed branch, try a commit without publishing it, or return to an earlier edition.

        Exit codes: 0 published, or the commit passes; 1 refused, nothing changed; 2 wrong use.
        """
        from renderers.i18n.translations import load_words

        words = load_words()
        if check and rollback:
            raise click.UsageError(words.say("publication.did.one_way", language, {}))
        if check:
            sys.exit(_check(folder, which or "HEAD", against, form, words, language))
        if rollback:
            sys.exit(_roll_back(opened, rollback, which, because, by, words, language))
        if which:
            raise click.UsageError(words.say("publication.did.which", language, {}))
        sys.exit(_publish(opened, rewritten, words, language))

    return publish


# -- a trial -----------------------------------------------------------------------------------------------------------


def _check(folder: Path, reference: str, against: str, form: str, words: Translations, language: str) -> int:
    from engine.core.clock import SystemClock
    from engine.core.problems import Refused
    from engine.publication.dry_run import tried
    from renderers.reports.publication_report import trial_report

    branch, now = os.environ.get("GUICHET_BRANCH", "main"), SystemClock().now()
    try:
        with tried(folder, reference, against, branch, judge_of(words), now) as one:
            colour = sys.stdout.isatty() and form == "text"
            click.echo(trial_report(one, words, form=form, language=language, colour=colour), nl=False)
            return 0 if one.passed else 1
    except Refused as refused:
        _fail(words.refusal(refused.reason.code, refused.reason.facts, language))


def judge_of(words: Translations) -> Judge:
    """Return the gates of a publication. The solver is loaded for them only."""
    from engine.operations.follower import stories_of
    from engine.prover.checks.runner import prove
    from engine.publication.gates import Judge

    return Judge(prove, stories_of(words))


# -- deciding ----------------------------------------------------------------------------------------------------------


def _roll_back(
    opened: Callable[[], tuple[AppContext, RefreshSource]], slug: str, which: str | None, because: str, by: str, words: Translations, language: str
) -> int:  # fmt: skip
    from engine.core.problems import Refused
    from engine.publication.publications import roll_back
    from engine.storage.results import Busy, Conflict

    if which is not None and not (which.isascii() and which.isdigit() and len(which) < 9):
        raise click.UsageError(words.say("publication.did.which", language, {}))
    if not because.strip():
        raise click.UsageError(words.say("publication.did.reason", language, {"name": slug}))
    office, _ = opened()
    try:
        reported = roll_back(
            office.catalogue,
            office.store,
            office.now(),
            slug,
            int(which) if which else None,
            by or session_name(),
            because.strip(),
        )
    except Refused as refused:
        _fail(words.refusal(refused.reason.code, refused.reason.facts, language))
    except (Busy, Conflict):
        _fail(words.say("publication.did.busy", language, {}))
    _say_placed(office, reported, "rolled_back", words, language)
    click.echo(words.say("publication.did.rolled_back_note", language, {}))
    return 0


def _publish(
    opened: Callable[[], tuple[AppContext, RefreshSource]], rewritten: bool, words: Translations, language: str
) -> int:
    from engine.core.problems import Refused
    from engine.operations.follower import Follower
    from engine.storage.results import Busy, Conflict

    logging.getLogger("guichet").addHandler(logging.NullHandler())  # the command prints sentences instead of log lines
    office, source = opened()
    if not isinstance(source, Follower):
        if rewritten:
            raise click.UsageError(words.say("publication.did.not_followed", language, {}))
        return _publish_folder(office, source, words, language)
    try:
        return _publish_head(office, source, rewritten, words, language)
    except Refused as refused:
        _fail(words.refusal(refused.reason.code, refused.reason.facts, language))
    except (Busy, Conflict):
        _fail(words.say("publication.did.busy", language, {}))


def _publish_head(ctx: AppContext, follower: Follower, rewritten: bool, words: Translations, language: str) -> int:
    from renderers.reports.publication import PublicationWriter

    reported = follower.publish_head(ctx, rewritten=rewritten)
    if reported is None:
        click.echo(words.say("publication.did.same", language, {"what": follower.mirror.followed.branch}))
        return 0
    if reported.outcome == "published":
        ctx = follower.serve(ctx)
        _say_placed(ctx, reported, "published", words, language)
        return 0
    writer = PublicationWriter(words, language)
    for gate in writer.gates(reported.gates):
        if not gate.passed:
            click.echo(f"✗ {gate.name}")
            for finding in gate.findings:
                click.echo(finding + "\n")
    click.echo(writer.say("check.refused", gates=writer.shut(reported.gates)))
    return 1


def _publish_folder(ctx: AppContext, source: RefreshSource, words: Translations, language: str) -> int:
    """Publish the files of the folder. Definitions that cannot be served are reported like `guichet lint`."""
    from engine.publication.dry_run import file_text
    from renderers.reports.problems import render_report

    before = ctx.published
    ctx = source.renew(ctx)
    refused = [report for _, report in sorted(ctx.catalogue.warnings.items())]
    for report in refused:
        texts = {one.where.file: file_text(one.where.file) for one in report}
        click.echo(render_report(report, texts, language=language))
    with ctx.store.unit() as unit:
        reported = unit.publications(before)
    for one in reported:
        _say_placed(ctx, one, "published", words, language)
    if not reported and not refused:
        click.echo(words.say("publication.did.same", language, {"what": str(ctx.catalogue.folder)}))
    return 1 if refused else 0


def _say_placed(ctx: AppContext, reported: Publication, did: str, words: Translations, language: str) -> None:
    from renderers.i18n.translations import in_language

    for placed in reported.placed:
        with ctx.store.unit() as unit:
            kept = unit.edition(placed.procedure, placed.fingerprint)
        procedure = ctx.catalogue.edition(placed.procedure, placed.fingerprint) or (
            ctx.catalogue.rebuild(kept) if kept else None
        )
        title = in_language(procedure.identity.title, language) if procedure else placed.procedure
        facts = {"title": title, "edition": str(placed.edition)}
        begins = procedure.identity.from_ if procedure else None
        later = did == "published" and begins is not None and begins > ctx.day()
        if later and begins is not None:
            facts["day"] = words.day(begins, language)
        click.echo(words.say(f"publication.did.{did}{'_on' if later else ''}", language, facts))


def _fail(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(1)
