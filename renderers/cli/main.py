"""Command line for authors and auditors. Modules are imported inside each command.

Only the command line and `server.py` import click. `guichet lint` must start fast, so it loads neither Flask nor a
database. Exit codes: 0 clean, 1 problems found, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.core.progress import ProgressReporter, unwatched
from renderers.cli import authoring as console_authoring
from renderers.cli.files import (
    LANGUAGES,
    check_files,
    definition_files,
    definition_path,
    neighbours_of,
    shared_folder,
    shared_for,
    shown_progress,
)
from renderers.cli.language import SpokenGroup

if TYPE_CHECKING:
    from datetime import date

    from engine.core.problems import Problem
    from engine.language.catalogue.catalogue import Checked
    from engine.language.compiler.shared_files import Shared
    from engine.model import Procedure
    from engine.model.directory import Directory

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PLACE = click.Path(exists=True, path_type=Path)
SECONDS_TO_PROVE = 60.0  # of processor time, a last limit: the solver counts its effort


class Commands(SpokenGroup):
    """The commands of this module and those registered as entry points `guichet.commands`."""

    def list_commands(self, context: click.Context | None) -> list[str]:
        """Return the names of all commands, without loading the registered ones."""
        from importlib.metadata import entry_points

        return sorted({*super().list_commands(context), *entry_points(group="guichet.commands").names})

    def find(self, context: click.Context | None, name: str) -> click.Command | None:
        """Return a command, loaded from its entry point if needed. None if it is unknown."""
        known = super().find(context, name)
        if known is not None:
            return known
        from importlib.metadata import entry_points

        found = entry_points(group="guichet.commands", name=name)
        return next((one.load() for one in found), None)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="guichet-unique", prog_name="guichet")
@click.option("--lang", type=LANGUAGES, expose_value=False, help="language of the help and of the messages")
def console() -> None:
    """Write, check, play and serve administrative procedures written in YAML."""


@console.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "short", "json", "github", "sarif"]), default="text")
@click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
@click.option("--strict", is_flag=True, help="advice counts as a problem")
@click.option("--no-proofs", is_flag=True, help="leave the proofs P4 to P17 out")
@click.option("--fix", is_flag=True, help="first make the repairs that have one meaning only, and show them")
@click.option("--against", default="", metavar="REF", help="errors of a text that REF already contains are advice")
def lint(
    paths: tuple[Path, ...], form: str, language: str, strict: bool, no_proofs: bool, fix: bool, against: str
) -> None:
    """Check definitions (files or folders; `procedures` by default) and print all problems.

    Proofs are included when the solver is installed. Exit codes: 0 nothing forbids publication; 1 an error,
    or with --strict an advice; 2 wrong use.
    """
    from engine.core.clock import SystemClock, local_day
    from engine.core.problems import Report
    from engine.language.catalogue.cache import CheckCache
    from renderers.reports.problems import render_report

    files = definition_files(paths)
    if fix:
        click.echo(console_authoring.mend(files, language), err=form != "text")
    day, proofs = local_day(SystemClock().now()), not no_proofs
    keys = keys_of(files, day, "both" if proofs else "lint")
    known = CheckCache.load(cache_folder() / "proved.json")
    unsure = [file for file in files if not known.knows(keys[file])]
    shown = shown_progress(language) if proofs and len(unsure) > 1 else unwatched
    found, clean, sources = found_in(unsure, proofs, against, language, shown) if unsure else ([], [], {})
    if clean:
        CheckCache.load(cache_folder() / "proved.json").learn({keys[file]: day for file in clean}).save()
    report = Report.of(found)
    text = render_report(
        report, sources, form=form, language=language, colour=sys.stdout.isatty() and form == "text", files=len(files)
    )
    click.echo(text, nl=not text.endswith("\n"))
    sys.exit(1 if report.errors or (strict and report.problems) else 0)


def keys_of(files: Iterable[Path], day: date, checks: str) -> dict[Path, str]:
    """Return the cache key of each file: all that the result of its checks (`lint`, `proofs`, `both`) depends on."""
    from engine.language.catalogue.cache import file_key, folder_digest, key_of, names_others

    files = list(files)
    shared = {folder: key_of(folder) for folder in {shared_folder(file) for file in files}}
    served = {file: shared_folder(file) == file.parent for file in files}
    beside = {folder: folder_digest(folder) for folder in {file.parent for file in files} | shared.keys()}
    names = {
        file: f"{beside[file.parent]} {beside[shared_folder(file)]}" if names_others(file) else "" for file in files
    }
    return {
        file: file_key(file, f"{shared[shared_folder(file)]} {served[file]} {names[file]}", day, checks)
        for file in files
    }


def found_in(
    files: Sequence[Path], proofs: bool, against: str = "", language: str = "fr", progress: ProgressReporter = unwatched
) -> tuple[list[Problem], list[Path], dict[str, str]]:
    """Return the problems of files and their shared files, the files without problem, and the texts.

    Errors of a text that the git reference `against` contains are advice.
    """
    from engine.core.problems import Problem
    from engine.language.lint.folder_rules import folder_problems

    checked, beside, sources = check_files(files)
    problems = [problem for problem in beside if isinstance(problem, Problem)]
    built = {file: one.built for file, one in checked}
    for file, one in progress(checked, lambda: len(checked), "proofs"):
        kept = _kept_at(file, one, against, language)
        judged = one.with_kept(kept)
        proven = proofs_of([(file, judged)], SECONDS_TO_PROVE, again=False) if proofs else []
        elsewhere = folder_problems(one.built, neighbours_of(file, built)) if one.built is not None else ()
        later = (problem.in_kept_text() if kept else problem for problem in (*elsewhere, *proven))
        problems += [*judged.report, *later]
    return problems, [] if problems else list(files), sources


def _kept_at(file: Path, one: Checked, against: str, language: str) -> frozenset[str]:
    """Return the fingerprint of the text if the git reference contains it. Raises ClickException if git fails."""
    from engine.core.problems import Refused
    from renderers.cli.editions import fingerprint_at
    from renderers.i18n.translations import load_words

    if not against or one.built is None:
        return frozenset()
    try:
        there = fingerprint_at(file, against, shared_for(file, {})[0])
    except Refused as refused:
        raise click.ClickException(load_words().refusal(refused.reason.code, refused.reason.facts, language)) from None
    return frozenset({there}) & {one.built.fingerprint}


def proofs_of(checked: Iterable[tuple[Path, Checked]], seconds: float, *, again: bool) -> list[Problem]:
    """Return the problems that the proofs find, with `seconds` at most for each definition.

    Without `again`, a definition proved since its last change is skipped.
    """
    from engine.core.clock import SystemClock, local_day
    from engine.language.catalogue.cache import CheckCache, proof_key

    day, known = local_day(SystemClock().now()), {}
    proved = CheckCache() if again else CheckCache.load(cache_folder() / "proved.json")
    found: list[Problem] = []
    clean: dict[str, date] = {}
    for file, one in checked:
        if one.procedure is None:
            continue
        directory = shared_for(file, known)[0].directory
        key = proof_key(one.procedure, directory, day)
        if proved.knows(key):
            continue
        reported = run_proofs(one.procedure, directory, day, seconds)
        found += reported
        if not reported:
            clean[key] = day
    if clean:
        proved.learn(clean).save()
    return found


def run_proofs(procedure: Procedure, directory: Directory, day: date, seconds: float) -> list[Problem]:
    """Return the problems of one definition. The solver is loaded at the first call."""
    from engine.prover.checks.runner import prove as proofs

    return proofs(procedure, directory, day, seconds)


def cache_folder() -> Path:
    """Return the folder of caches (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "guichet"


@console.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "short", "json", "github", "sarif"]), default="text")
@click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=SECONDS_TO_PROVE, help="at most, for each file")
@click.option("--again", is_flag=True, help="prove also the files that were proved and have not changed")
def prove(paths: tuple[Path, ...], form: str, language: str, seconds: float, again: bool) -> None:
    """Prove properties of definitions (files or folders; `procedures` by default).

    For example, no path avoids a fee, each path has an end, and no amount is empty. A property that is not
    decided in time is reported as not proved, and the command still succeeds.
    """
    from engine.core.clock import SystemClock, local_day
    from engine.core.problems import Report
    from engine.language.catalogue.cache import CheckCache
    from renderers.reports.problems import render_report

    files, day = definition_files(paths), local_day(SystemClock().now())
    keys, checked_too = keys_of(files, day, "proofs"), keys_of(files, day, "both")
    known = CheckCache.load(cache_folder() / "proved.json")
    unsure = [file for file in files if again or not (known.knows(keys[file]) or known.knows(checked_too[file]))]
    checked, _, sources = check_files(unsure) if unsure else ([], [], {})
    unread = [problem for _, one in checked if one.procedure is None for problem in one.report.errors]
    shown = shown_progress(language) if len(unsure) > 1 else unwatched
    watched = shown(checked, lambda: len(checked), "proofs")
    report = Report.of([*unread, *proofs_of(watched, seconds, again=again)])
    if unsure and not report.problems:
        CheckCache.load(cache_folder() / "proved.json").learn({keys[file]: day for file in unsure}).save()
    text = render_report(
        report, sources, form=form, language=language, colour=sys.stdout.isatty() and form == "text", files=len(files)
    )
    click.echo(text, nl=not text.endswith("\n"))
    sys.exit(1 if report.errors else 0)


@console.command()
@click.argument("code")
@click.option("--lang", "language", type=LANGUAGES, default="fr")
def explain(code: str, language: str) -> None:
    """Explain a problem code: its cause, a bad example, a good one."""
    from renderers.reports.problems import explain as explanation

    text = explanation(code.upper(), language)
    if text is None:
        raise click.UsageError(f"{code}: unknown code; see docs/language.md §17")
    click.echo(text)


@console.command()
@click.argument("slug_or_path")
@click.option("--format", "form", type=click.Choice(["svg", "mermaid"]), default="svg")
@click.option("--lang", "language", type=LANGUAGES, default="fr")
def graph(slug_or_path: str, form: str, language: str) -> None:
    """Draw the workflow of a procedure."""
    from renderers.definition.workflow import CircuitReader
    from renderers.html.diagram import workflow_mermaid, workflow_svg
    from renderers.i18n.translations import load_words

    words, path = load_words(), definition_path(slug_or_path)
    [(_, checked)], _, _ = check_files(definition_files([path]))
    if checked.procedure is None:
        raise click.ClickException(f"{path} has errors; run: guichet lint {path}")
    if form == "svg":
        reader = CircuitReader(checked.procedure, shared_for(path, {})[0].directory, words, language)
        click.echo(workflow_svg(checked.procedure, language, reader.key(), reader.legend()))
    else:
        click.echo(workflow_mermaid(checked.procedure, language, words), nl=False)


class ComparingCommand(click.Command):
    """A command whose exit codes from 2 report results, so wrong use ends with 1."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. A UsageError gets exit code 1."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.exit_code = 1
            raise


@console.command(cls=ComparingCommand)
@click.argument("definitions", nargs=-1, required=True)
@click.option("--against", metavar="REF", help="compare one definition with what it was at a git branch, tag or commit")
@click.option("--format", "form", type=click.Choice(["text", "json", "github", "html"]), default="text")
@click.option("--snapshot", type=click.Path(path_type=Path), help="anonymous counts of running dossiers (JSON)")
@click.option("--all", "show_all", is_flag=True, help="also list what did not change")
@click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the sentences")
def diff(
    definitions: tuple[str, ...], against: str | None, form: str, snapshot: Path | None, show_all: bool, language: str
) -> None:
    """Compare two definitions, or one with a git reference, and print the changes for people and running dossiers.

    Exit codes: 0 no change; 2 safe changes only; 3 something to review; 4 a breaking change; 1 the comparison
    could not run.
    """
    from engine.core.clock import SystemClock, local_day
    from engine.core.problems import Refused
    from renderers.cli.editions import compared_sides, read_counts
    from renderers.i18n.translations import load_words
    from renderers.reports.changes import Comparison
    from renderers.reports.changes_report import render_changes

    words = load_words()
    try:
        with compared_sides(
            [definition_path(one) for one in definitions],
            against,
            lambda file: shared_for(file, {})[0],
            words,
            language,
        ) as sides:
            counts = read_counts(snapshot, sides.before, words, language) if snapshot else None
            today = local_day(SystemClock().now())
            compared = Comparison.of(sides.before, sides.after, sides.directory, counts, today).placed(sides.place)
    except Refused as refused:
        raise click.ClickException(words.refusal(refused.reason.code, refused.reason.facts, language)) from refused
    text = render_changes(
        compared, words, form=form, language=language, sides=sides.names, show_all=show_all,
        colour=sys.stdout.isatty() and form == "text",
    )  # fmt: skip
    click.echo(text, nl=not text.endswith("\n"))
    sys.exit(compared.severity)


@console.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--coverage", is_flag=True, help="also list what no story exercises: states, ways, conditions, fee lines")
@click.option("--explore", is_flag=True, help="also play every branch within reach, and tell what breaks")
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, help="of exploration at most, for each file")
@click.option("--seed", type=int, default=0, help="the order of exploration; the same seed, the same order")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("--lang", "language", type=LANGUAGES, default="fr")
def test(
    paths: tuple[Path, ...], coverage: bool, explore: bool, seconds: float, seed: int, form: str, language: str
) -> None:
    """Play the scenarios of definitions (files or folders; `procedures` by default)."""
    from renderers.reports.scenarios import not_playable, play_all, stories_json, story_report

    files = definition_files(paths)
    checked, _, sources = check_files(files)
    exploring = exploration(seconds, seed, language) if explore else None
    reported, failed, said = [], False, []
    shown = shown_progress(language) if len(files) > 1 else unwatched
    for file, one in shown(checked, lambda: len(checked), "scenarios"):
        shared, _ = shared_for(file, {})
        if one.procedure is None:
            failed = True
            reported.append((str(file), None, None))
            said.append(not_playable(str(file), language))
            if form == "json":
                click.echo(said[-1], err=True)
            continue
        played = play_all(one.procedure, shared, coverage)
        failed = failed or not played.succeeded
        said.append(story_report(played, sources, language, coverage=coverage, colour=sys.stdout.isatty()))
        plain = None
        if exploring is not None:
            found, text, plain = exploring(one.procedure, shared)
            failed = failed or found
            said.append(text)
        reported.append((str(file), played, plain))
    click.echo(stories_json(reported, language) if form == "json" else "\n".join(said), nl=form != "json")
    sys.exit(1 if failed else 0)


def exploration(
    seconds: float, seed: int, language: str
) -> Callable[[Procedure, Shared], tuple[bool, str, dict[str, object]]]:
    """Return a function that explores a procedure: whether findings exist, the report, and its JSON data."""
    from engine.core.clock import SystemClock, local_day
    from renderers.reports import exploration as report

    day = local_day(SystemClock().now())

    def explored(procedure: Procedure, shared: Shared) -> tuple[bool, str, dict[str, object]]:
        found = report.explore(procedure, shared, day, seconds, seed, language)
        text = report.exploration_report(found, language)
        return bool(found.findings), text, report.exploration_plain(found, language)

    return explored


@console.command()
def schema() -> None:
    """Print the JSON Schema of the language, for completion in an editor."""
    from engine.language.source.schema import META_SCHEMA_PATH

    click.echo(META_SCHEMA_PATH.read_text("utf-8"), nl=False)


@console.command()
@click.argument("export", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--keys", type=_FILE, help="the keys of the installation, from /.well-known/jwks.json: who signed")
@click.option("--checkpoint", type=_PLACE, help="your own copy of the signed notes: the folder, or one of them")
@click.option("--lang", "language", type=LANGUAGES, default="fr")
def verify(export: Path, keys: Path | None, checkpoint: Path | None, language: str) -> None:
    """Verify the exported journal of a dossier offline, and print the first invalid entry.

    Its place in the signed journal of the installation is verified too. --keys checks who signed it, and
    --checkpoint compares it with your own copy. Exit codes: 0 valid; 1 invalid, or not what was signed; 2
    unreadable, or nothing to compare with.
    """
    from engine.core.problems import Refused
    from engine.journal.chain import erased_at, read_export, verify_export
    from renderers.cli.journal import broken_chain, intact_chain, receipt_text, unreadable_export

    try:
        plain = read_export(export.read_bytes())
        found = verify_export(plain)
    except Refused as refused:
        click.echo(unreadable_export(refused.reason, language), err=True)
        sys.exit(2)
    if found is not None:
        click.echo(broken_chain(found, language))
        sys.exit(1)
    head = plain.get("head") if isinstance(plain, dict) else None
    count, last = (head.get("n"), head.get("hash")) if isinstance(head, dict) else (0, "")
    gone = erased_at(plain)
    day = gone.date().isoformat() if gone else ""
    click.echo(intact_chain(count if isinstance(count, int) else 0, str(last), language, day))
    lines, code = receipt_text(plain, keys, checkpoint, language)
    click.echo("\n".join(lines))
    sys.exit(code)


for _command in (console_authoring.fmt, console_authoring.expand, console_authoring.new, console_authoring.paper):
    console.add_command(_command)
