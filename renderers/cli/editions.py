"""The two editions that `guichet diff` compares: two files, or a file and what it was at a git reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import click

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

SharedFor: TypeAlias = Callable[[Path], Shared]  # the shared files beside a definition


@dataclass(frozen=True, slots=True)
class ComparedSides:
    """Both editions compiled, how each is called, and the name of a file that a place is in."""

    before: Procedure
    after: Procedure
    directory: Directory
    names: Sides
    place: Callable[[str], str]


@contextmanager
def compared_sides(
    paths: Sequence[Path], against: str | None, shared_for: SharedFor, words: Translations, language: str
) -> Iterator[ComparedSides]:
    """Raises ClickException when an edition cannot be read, Refused when git cannot."""
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
    """An edition that is not in service: a file, or what a definition is at a git reference, with the directory beside it.
    Raises ClickException when it cannot be read, Refused when git cannot."""
    reader, path = _Reader(shared_for, words, language), Path(against)
    if path.suffix == ".yaml":
        return reader.on_disk(path), shared_for(path).directory
    shared = shared_for(definition)
    with at_reference(definition, against) as revision:
        return reader.at(revision, shared), shared.directory


class _Reader:
    """Compiles editions. What the rules of the checker find does not prevent a comparison; what cannot be compiled does."""

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
        """As it was, with the shared files of its time; those of today where it had none beside it."""
        had = any(revision.folder.iterdir())
        shared = load_shared(revision.folder)[0] if had else today
        return self._compiled(revision.text, revision.title, shared, in_git=True)

    def _compiled(self, text: bytes, name: str, shared: Shared, in_git: bool = False) -> Procedure:
        checked = check_definition(text, name, shared, lint=False)
        procedure = checked.procedure
        if procedure is None and {one.code for one in checked.report.errors} == {"N309"}:
            procedure, _ = build_procedure(read_source(text, name), shared)  # an older copy under another file name
        if procedure is None and in_git:  # `guichet lint` reads files only: its first fault is told here
            first = checked.report.errors[0]
            what = message(first, self._language)
            raise click.ClickException(self.say("broken_in_git", name=name, line=str(first.where.line), what=what))
        if procedure is None:
            raise click.ClickException(self.say("broken", name=name))
        return procedure


def read_counts(path: Path, before: Procedure, words: Translations, language: str) -> Snapshot:
    """The anonymous counts of a snapshot file, of the dossiers that run under an edition or those before it. Raises
    ClickException."""
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
