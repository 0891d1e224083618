"""Commands that write definitions: `fmt`, `expand`, `new`, and the repairs of `lint --fix`."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from renderers.cli.files import DEFAULT_FOLDER, LANGUAGES, check_files, definition_files, definition_path, shared_for
from renderers.cli.language import in_french

if TYPE_CHECKING:
    from engine.core.problems import Problem, Report
    from engine.language.compiler.shared_files import Shared
    from engine.language.source.loader import Source
    from engine.model.directory import Agency, Office
    from renderers.cli.autofix import LineRepair

SECONDS_TO_PROVE = 10.0
_ID = re.compile(r"[a-z][a-z0-9_]{1,39}")


def said(key: str, language: str, **facts: object) -> str:
    """Return the sentence of a key below `console.`, with its facts filled in."""
    from renderers.i18n.translations import load_words

    return load_words().say(f"console.{key}", language, {name: str(fact) for name, fact in facts.items()})


# -- fmt ---------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="change nothing; end with 1 when a file is not laid out")
@click.option("--diff", "show", is_flag=True, help="change nothing; show what would change")
@click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
def fmt(paths: tuple[Path, ...], check: bool, show: bool, language: str) -> None:
    """Format definitions (files or folders, shared files included; `procedures` by default).

    Their meaning, comments and order of keys do not change. Sections are put in the order of the language.

    Exit codes: 0 done, or nothing to do; 1 with --check or --diff, a file is not formatted, or a file cannot
    be read.
    """
    files = [
        *definition_files(paths),
        *(file for path in paths or [DEFAULT_FOLDER] for file in sorted(path.glob("*/*.yaml"))),
    ]
    moved, broken = 0, 0
    for file in files:
        written = file.read_bytes()
        source = _readable(written, file, language)
        text = _laid_out(source, file, language) if source is not None else None
        if source is None or text is None:
            broken += 1
        elif text.encode("utf-8") != written:
            moved += 1
            if show:
                click.echo(_difference(source.text, text, file), nl=False)
            elif check:
                click.echo(said("would", language, file=file))
            else:
                _keep(file, text)
                click.echo(said("laid", language, file=file))
    dry = check or show
    said_of = "none_to_lay" if not moved else "would_count" if dry else "laid_count"
    click.echo(said(said_of, language, count=moved, all=len(files)), err=dry)
    sys.exit(1 if broken or (dry and moved) else 0)


def _readable(written: bytes, file: Path, language: str) -> Source | None:
    from engine.core.problems import InvalidDefinition
    from engine.language.source.loader import read_source

    try:
        return read_source(written, str(file))
    except InvalidDefinition:
        click.echo(said("unread", language, file=file), err=True)
        return None


def _laid_out(source: Source, file: Path, language: str) -> str | None:
    from engine.language.source.formatter import Unsettled, lay_out

    try:
        return lay_out(source)
    except Unsettled:
        click.echo(said("unsettled", language, file=file), err=True)
        return None


def _difference(old: str, new: str, file: Path) -> str:
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(file), str(file))
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


# -- expand ------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("slug_or_path")
@click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
def expand(slug_or_path: str, language: str) -> None:
    """Print a definition in canonical form: presets and blocks merged, automatic transitions written out.

    The canonical form is a valid file with the same meaning. Exit code 1 when the definition has errors.
    """
    from engine.language.compiler.includes import combine, long_form
    from engine.language.source.formatter import write_tree
    from engine.language.source.loader import read_source

    [path] = definition_files([definition_path(slug_or_path)])
    [(_, checked)], _, _ = check_files([path])
    if checked.report.errors:
        raise click.ClickException(said("faulty", language, file=path))
    shared, _ = shared_for(path, {})
    placed, _ = combine(read_source(path.read_bytes(), str(path)), shared.blocks, shared.presets)
    click.echo(write_tree(long_form(placed)), nl=False)


# -- paper -------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("slug_or_path")
@click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the form")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="the file to write; SLUG.pdf by default")
def paper(slug_or_path: str, language: str, out: Path | None) -> None:
    """Draw the blank paper form of a procedure as PDF.

    The printed address is that of GUICHET_SHORT_URL, else of GUICHET_BASE_URL. Exit code 1 when the definition
    has errors or the file cannot be written.
    """
    from engine.core.clock import SystemClock, local_day
    from engine.operations.settings import Settings
    from renderers.i18n.translations import in_language, load_words
    from renderers.procedure.blank_form import BlankFormWriter, draw_form

    [path] = definition_files([definition_path(slug_or_path)])
    [(_, checked)], _, _ = check_files([path])
    if checked.procedure is None:
        raise click.ClickException(said("faulty", language, file=path))
    directory, words = shared_for(path, {})[0].directory, load_words()
    settings, day = Settings.from_environment(os.environ), local_day(SystemClock().now())

    def title_of(slug: str) -> str:
        other = path.with_name(f"{slug}.yaml")
        found = check_files([other])[0][0][1].procedure if other.exists() else None
        return in_language(found.identity.title, language) if found else slug

    writer = BlankFormWriter(checked.procedure, directory, words, language, day, title_of)
    form = draw_form(writer.content(settings.short_url or settings.base_url))
    target = out or Path(f"{checked.procedure.id}.pdf")
    try:
        target.write_bytes(form.body)
    except OSError as error:
        raise click.ClickException(f"{target}: {error.strerror}") from None
    click.echo(said("form_drawn", language, file=target, count=form.pages, size=words.size(len(form.body), language)))


# -- lint --fix --------------------------------------------------------------------------------------------------------


def mend(files: Iterable[Path], language: str) -> str:
    """Make the exact repairs in the files and return the changed lines as text."""
    from renderers.i18n.problem_messages import visible

    reported: list[str] = []
    known: dict[Path, tuple[Shared, list[object]]] = {}
    count = 0
    for file in files:
        done = _mended(file, shared_for(file, known)[0])
        count += len(done)
        for one in done:
            reported += [
                f"{file}:{one.line} {one.code}",
                f"  - {visible(one.old.strip())}",
                f"  + {visible(one.new.strip())}",
            ]
    return "\n".join([*reported, said("fixed", language, count=count), ""])


def _mended(file: Path, shared: Shared) -> tuple[LineRepair, ...]:
    """Repair one file and return the repairs. A file that is not UTF-8 is left to lint."""
    from engine.language.catalogue.catalogue import check_definition
    from renderers.cli.autofix import repaired

    text = file.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    if "\ufffd" in text:
        return ()
    done = repaired(text, str(file), lambda one: check_definition(one, str(file), shared).report)
    if done.repairs:
        _keep(file, done.text)
    return done.repairs


def _keep(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None


# -- new ---------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("slug", required=False)
@click.option("--title", help="what people ask for")
@click.option("--agency", help="the administration that answers, by its id")
@click.option("--decider", help="the role that decides, by its id")
@click.option("--fee", type=click.IntRange(min=0), help="what it costs, in whole francs; 0 for nothing")
@click.option("--appointment/--no-appointment", default=None, help="people come to an office of the agency")
@click.option("--delay", type=click.IntRange(1, 365), help="working days until the answer")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=DEFAULT_FOLDER, show_default=True)
@click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the questions and of the file")
def new(
    slug: str | None, title: str | None, agency: str | None, decider: str | None, fee: int | None,
    appointment: bool | None, delay: int | None, folder: Path, language: str,
) -> None:  # fmt: skip
    """Create the definition of a procedure that passes lint, its scenarios and its proofs.

    The command asks for what no option gives. In a folder without shared files it writes them too. It never
    overwrites a file. Exit code 1 when nothing could be written.
    """
    from renderers.cli.new_procedure import NewProcedureAnswers, starter
    from renderers.i18n.translations import load_words

    questions = _Questions(folder, language)
    slug = questions.address(slug)
    file = folder / f"{slug}.yaml"
    if file.exists():
        raise click.ClickException(said("here_already", language, file=file))
    title = questions.text("title", title)
    if questions.is_empty:
        questions.begin(agency, decider)
    chosen = questions.agency(agency)
    wishes = NewProcedureAnswers(
        slug,
        title,
        chosen,
        questions.role(chosen, decider),
        fee=questions.number("fee", fee, 0, 10_000_000),
        delay=questions.number("delay", delay, 10, 365),
        office=questions.office(chosen, appointment),
        language=language,
    )
    text = starter(wishes, questions.shared.directory, questions.shared.blocks, load_words())
    report = _faults(text, file, questions.shared)
    if report.problems:
        from renderers.reports.problems import render_report

        click.echo(render_report(report, {str(file): text}, language=language), err=True)
        sys.exit(1)
    for name, shared in questions.begun.items():
        _write_new(folder / "shared" / name, shared, language)
        click.echo(said("begun", language, file=folder / "shared" / name))
    _write_new(file, _schema_line(folder) + text, language)
    click.echo(said("written", language, file=file))
    click.echo(said("then", language, file=file))


def is_terminal() -> bool:
    """Return whether a person can answer questions on standard input."""
    return sys.stdin.isatty()


class _Questions:
    """Questions to the author, in order. An option answers its question.

    Without a terminal, a question without default raises UsageError.
    """

    def __init__(self, folder: Path, language: str) -> None:
        from engine.language.compiler.shared_files import load_shared

        self.language = language
        self.folder = folder
        self.shared: Shared = load_shared(folder)[0]
        self.asks = is_terminal()
        self.begun: Mapping[str, str] = {}
        self.is_empty = not (folder / "shared").exists()
        if not self.shared.directory.agencies and not self.is_empty:
            raise click.UsageError(said("no_agency", language, folder=folder))

    def begin(self, agency: str | None, role: str | None) -> None:
        """Prepare the shared files of an empty folder. They are used before they are written."""
        from engine.language.compiler.shared_files import load_shared
        from renderers.cli.new_procedure import first_shared
        from renderers.i18n.translations import load_words

        chosen = self._valid("new_agency", agency, _is_id, lambda name: said("bad_id", self.language, id=name))
        if role and not _is_id(role):
            raise click.UsageError(said("bad_id", self.language, id=role))
        label = self.text("name", None) if self.asks else chosen.replace("_", " ").capitalize()
        self.begun = first_shared(chosen, label, role or "instructeur", self.language, load_words())
        with TemporaryDirectory() as place:
            (Path(place) / "shared").mkdir()
            for name, text in self.begun.items():
                (Path(place) / "shared" / name).write_text(text, "utf-8")
            self.shared = replace(self.shared, directory=load_shared(Path(place))[0].directory)

    def address(self, given: str | None) -> str:
        """Return a valid address of the procedure. Raises UsageError if the given one is not."""
        from engine.language.catalogue.catalogue import is_address

        if given is None and not self.asks:
            raise click.UsageError(said("no_slug", self.language))
        return self._valid("slug", given, is_address, lambda slug: said("bad_slug", self.language, slug=slug))

    def text(self, name: str, given: str | None) -> str:
        """Return a printable text of 200 characters at most. Raises UsageError if the given one is not."""
        return self._valid(name, given, _is_title, lambda _: said("bad_text", self.language, name=name)).strip()

    def _valid(self, name: str, given: str | None, is_valid: Callable[[str], bool], wrong: Callable[[str], str]) -> str:
        """Return the given value, or ask until the answer is valid. Raises UsageError if the given one is not."""
        value = given if given is not None else str(self._ask(name))
        while not is_valid(value):
            if given is not None:
                raise click.UsageError(wrong(value))
            click.echo(wrong(value), err=True)
            value = str(self._ask(name))
        return value

    def number(self, name: str, given: int | None, usual: int, most: int) -> int:
        """Return the number given or asked for. Without a terminal, the default."""
        if given is not None or not self.asks:
            return usual if given is None else given
        return int(self._ask(name, click.IntRange(0, most), usual))

    def agency(self, given: str | None) -> Agency:
        """Return the agency given or chosen. The only one is taken without a question."""
        known = self.shared.directory.agencies
        if given is None and len(known) == 1 and self.asks:
            [only] = known.values()
            click.echo(said("only_agency", self.language, agency=only.label.in_(self.language)))
            return only
        name = self._one_of("agency", given, {one.id: one.label.in_(self.language) for one in known.values()})
        return known[name]

    def role(self, agency: Agency, given: str | None) -> str:
        """Return the deciding role. Raises UsageError if the agency has none."""
        known = {name: role.label.in_(self.language) for name, role in agency.roles.items()}
        if not known:
            raise click.UsageError(said("no_role", self.language, agency=agency.id))
        if given is None and (len(known) == 1 or not self.asks):
            return next(iter(known))
        return self._one_of("decider", given, known)

    def office(self, agency: Agency, given: bool | None) -> Office | None:
        """Return where applicants come: the first office of the agency with opening hours, None if they do not."""
        from renderers.cli.new_procedure import first_slot

        wanted = given
        if wanted is None and self.asks:
            signs = said("yes_no", self.language)
            wanted = self._ask("appointment", click.Choice(list(signs), case_sensitive=False), signs[1]) == signs[0]
        if not wanted:
            return None
        directory = self.shared.directory
        office = next((one for one in directory.offices_of(agency.id) if first_slot(one, directory)), None)
        if office is None:
            raise click.UsageError(said("no_office", self.language, agency=agency.id))
        return office

    def _one_of(self, name: str, given: str | None, known: dict[str, str]) -> str:
        if given is None and self.asks:
            for one, label in known.items():
                click.echo(f"  {one:<24} {label}")
            given = str(self._ask(name, click.Choice(list(known))))
        if given is None:
            raise click.UsageError(said("missing", self.language, name=name))
        if given not in known:
            facts = {"name": name, "value": given, "known": ", ".join(known), "folder": self.folder}
            raise click.UsageError(said("unknown", self.language, **facts))
        return given

    def _ask(self, name: str, kind: click.ParamType[Any] | None = None, usual: object = None) -> Any:
        """Ask one question until the answer is usable."""
        if not self.asks:
            raise click.UsageError(said("missing", self.language, name=name))
        while True:
            colon = " : " if self.language == "fr" else ": "
            text = click.prompt(said(f"ask_{name}", self.language), default=usual, type=str, prompt_suffix=colon)
            try:
                return kind.convert(text, None, None) if kind is not None else text
            except click.BadParameter as wrong:
                message = wrong.format_message().removeprefix("Invalid value: ")
                click.echo(in_french(message) if self.language == "fr" else message, err=True)


def _is_id(name: str) -> bool:
    return _ID.fullmatch(name) is not None


def _is_title(text: str) -> bool:
    return bool(text.strip()) and len(text.strip()) <= 200 and text.strip().isprintable()


def _faults(text: str, file: Path, shared: Shared) -> Report:
    """Return all problems of lint, scenarios and proofs in a text."""
    from engine.core.clock import SystemClock, local_day
    from engine.core.problems import Report
    from engine.language.catalogue.catalogue import check_definition
    from engine.prover.checks.runner import prove
    from renderers.reports.scenarios import play_all

    checked = check_definition(text, str(file), shared)
    found: list[Problem] = list(checked.report)
    if checked.procedure is not None:
        played = play_all(checked.procedure, shared)
        found += [one.failure for one in played.outcomes if one.failure is not None]
        found += prove(checked.procedure, shared.directory, local_day(SystemClock().now()), SECONDS_TO_PROVE)
    return Report.of(found)


def _schema_line(folder: Path) -> str:
    """Return the line with the schema for editors, empty if the schema is outside this folder."""
    from engine.language.source.schema import META_SCHEMA_PATH

    here = Path.cwd()
    written = here / META_SCHEMA_PATH.name  # written by `guichet schema`
    schema = written if written.is_file() else META_SCHEMA_PATH
    if not schema.is_relative_to(here) or not folder.resolve().is_relative_to(here):
        return ""
    return f"# yaml-language-server: $schema={os.path.relpath(schema, folder.resolve())}\n"


def _write_new(file: Path, text: str, language: str) -> None:
    """Create the file. Ends the command if it exists by now."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as written:
            written.write(text)
    except FileExistsError:
        raise click.ClickException(said("here_already", language, file=file)) from None
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
