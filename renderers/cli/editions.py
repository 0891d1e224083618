"""The two editions of `guichet diff`: two files, or a file and a git reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import click

from engine.core.problems import Refused
from engine.language.catalogue.catalogue import check_definition
from engine.language.compiler.compile import build_procedure
from engine.language.compiler.shared_files import Shared, load_shared
from engine.language.diff.compare import Snapshot, read_snapshot
from engine.language.source.loader import read_source
from engine.model import Procedure
from engine.model.directory import Directory
from engine.publication.git import Revision, at_reference
from renderers.i18n.problem_messages import message
from renderers.i18n.translations import Translations
from renderers.reports.changes_summary import Sides

SharedFor: TypeAlias = Callable[[Path], Shared]  # the shared files of a definition


@dataclass(frozen=True, slots=True)
class ComparedSides:
    """Both editions compiled, their names, and a function that returns the shown name of a file."""

    before: Procedure
    after: Procedure
    directory: Directory
    names: Sides
    place: Callable[[str], str]


@contextmanager
def compared_sides(
    paths: Sequence[Path], against: str | None, shared_for: SharedFor, words: Translations, language: str
) -> Iterator[ComparedSides]:
    """Yield both editions. Raises ClickException if one cannot be read, Refused if git fails."""
    reader = _Reader(shared_for, words, language)
    if len(paths) != (1 if against is not None else 2):
        raise click.ClickException(reader.say("two"))
    after = reader.on_disk(paths[-1])
    shared = shared_for(paths[-1])
    if against is None:
        before = reader.on_disk(paths[0])
        names = Sides(paths[0].name, paths[-1].name) if paths[0].name != paths[-1].name else Sides(*map(str, paths))
        yield ComparedSides(before, after, shared.directory, names, str)
        return
    with at_reference(paths[0], against) as revision:
        before = reader.at(revision, shared)
        names = Sides(f"{against} {revision.commit[:7]}" if against != revision.commit else against[:7], str(paths[0]))
        yield ComparedSides(before, after, shared.directory, names, revision.place)


def proposed_edition(
    definition: Path, against: str, shared_for: SharedFor, words: Translations, language: str
) -> tuple[Procedure, Directory]:
    """Return an edition not in service with its directory: a file, or a definition at a git reference.

    Raises ClickException if it cannot be read, Refused if git fails.
    """
    reader, path = _Reader(shared_for, words, language), Path(against)
    if path.suffix == ".yaml":
        return reader.on_disk(path), shared_for(path).directory
    shared = shared_for(definition)
    with at_reference(definition, against) as revision:
        return reader.at(revision, shared), shared.directory


def fingerprint_at(definition: Path, reference: str, today: Shared) -> str:
    """Return the fingerprint of a definition at a git reference, empty if it was missing or cannot be compiled.

    Raises Refused if git fails.
    """
    try:
        with at_reference(definition, reference) as revision:
            shared = load_shared(revision.folder)[0] if any(revision.folder.iterdir()) else today
            built = check_definition(revision.text, str(definition), shared, lint=False).built
    except Refused as refused:
        if refused.reason.code != "git_no_such_file":
            raise
        return ""
    return built.fingerprint if built is not None else ""


class _Reader:
    """Compiles editions. Problems of lint do not prevent a comparison, errors of compilation do."""

    def __init__(self, shared_for: SharedFor, words: Translations, language: str) -> None:
        self._shared_for, self._words, self._language = shared_for, words, language

    def say(self, key: str, **facts: str) -> str:
        return self._words.say(f"changes.problem.{key}", self._language, facts)

    def on_disk(self, path: Path) -> Procedure:
        shared = self._shared_for(path)
        try:
            return self._compiled(path.read_bytes(), str(path), shared)
        except OSError as error:
            raise click.ClickException(self.say("unreadable", name=str(path))) from error

    def at(self, revision: Revision, today: Shared) -> Procedure:
        """Return the edition with the shared files of its commit, or with those of today if it had none."""
        had = any(revision.folder.iterdir())
        shared = load_shared(revision.folder)[0] if had else today
        return self._compiled(revision.text, revision.title, shared, in_git=True)

    def _compiled(self, text: bytes, name: str, shared: Shared, in_git: bool = False) -> Procedure:
        checked = check_definition(text, name, shared, lint=False)
        procedure = checked.procedure
        if procedure is None and {one.code for one in checked.report.errors} == {"N309"}:
            procedure, _ = build_procedure(read_source(text, name), shared)  # a copy under another file name
        if procedure is None and in_git:  # `guichet lint` cannot read it, so the first fault is reported here
            first = checked.report.errors[0]
            what = message(first, self._language)
            raise click.ClickException(self.say("broken_in_git", name=name, line=str(first.where.line), what=what))
        if procedure is None:
            raise click.ClickException(self.say("broken", name=name))
        return procedure


def read_counts(path: Path, before: Procedure, words: Translations, language: str) -> Snapshot:
    """Return the counts of a snapshot file for dossiers of this or an earlier edition.

    Raises ClickException if the file cannot be read.
    """
    try:
        plain = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        unreadable = words.say("changes.problem.unreadable", language, {"name": str(path)})
        raise click.ClickException(unreadable) from error
    try:
        return read_snapshot(plain, before.id, before.edition)
    except ValueError as error:
        wrong = words.say("changes.problem.snapshot", language, {"name": str(path), "what": str(error)})
        raise click.ClickException(wrong) from error
