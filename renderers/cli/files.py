"""The definitions given to a command, with their shared files and their texts."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.core.progress import ProgressReporter, T
    from engine.language.catalogue.catalogue import Checked
    from engine.language.compiler.shared_files import Shared
    from engine.language.lint.folder_rules import Neighbours
    from engine.model import Procedure

LANGUAGES = click.Choice(["fr", "en"])
DEFAULT_FOLDER = Path("procedures")


def definition_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files named and those of the folders named. Raises UsageError if there are none."""
    files: list[Path] = []
    for path in paths or [DEFAULT_FOLDER]:
        if path.is_dir():
            files += sorted(path.glob("*.yaml"))
        elif path.is_file():
            files.append(path)
        else:
            raise click.UsageError(f"{path}: no such file or folder")
    if not files:
        raise click.UsageError("no definition here (a folder of .yaml files is expected)")
    return files


def shared_for(file: Path, known: dict[Path, tuple[Shared, list[object]]]) -> tuple[Shared, list[object]]:
    """Return the shared files of a definition and their problems. `known` caches them by folder."""
    from engine.language.compiler.shared_files import load_shared

    folder = shared_folder(file)
    if folder not in known:
        shared, problems = load_shared(folder)
        known[folder] = (shared, list(problems))
    return known[folder]


def shared_folder(file: Path) -> Path:
    """Return the folder of the shared files: that of the definition, else `procedures`."""
    return file.parent if _is_served(file) else DEFAULT_FOLDER


def _is_served(file: Path) -> bool:
    """Return whether the file is in a folder of procedures."""
    return any((file.parent / name).is_dir() for name in ("shared", "blocks"))


def check_files(files: Iterable[Path]) -> tuple[list[tuple[Path, Checked]], list[object], dict[str, str]]:
    """Return each file checked, the problems of shared files, and the text of each file by its name."""
    from engine.language.catalogue.catalogue import check_definition

    known: dict[Path, tuple[Shared, list[object]]] = {}
    sources: dict[str, str] = {}
    checked: list[tuple[Path, Checked]] = []
    for file in files:
        shared, _ = shared_for(file, known)
        data = file.read_bytes()
        sources[str(file)] = data.decode("utf-8", "replace")
        checked.append((file, check_definition(data, str(file), shared, served=_is_served(file))))
    beside = [problem for _, problems in known.values() for problem in problems]
    for folder in known:
        for file in sorted(folder.glob("*/*.yaml")):
            sources.setdefault(str(file), file.read_text("utf-8", "replace"))
    return checked, beside, sources


def neighbours_of(file: Path, built: Mapping[Path, Procedure | None]) -> Neighbours:
    """Return the procedures that a definition may name: those of its folder, then those beside its shared files.

    `built` are the files already compiled. The others are compiled when a name of theirs is needed.
    """
    from engine.language.catalogue.catalogue import check_definition
    from engine.language.lint.folder_rules import Neighbours

    files: dict[str, Path] = {}
    for folder in (shared_folder(file), file.parent):
        files.update({path.stem: path for path in sorted(folder.glob("*.yaml"))})

    def find(name: str) -> Procedure | None:
        path = files.get(name)
        if path is None or path in built:
            return built.get(path) if path is not None else None
        return check_definition(path.read_bytes(), str(path), shared_for(path, {})[0], lint=False).built

    return Neighbours(frozenset(files), find)


def session_name() -> str:
    """Return the login name of the session, empty if the machine does not give one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def definition_path(slug_or_path: str) -> Path:
    """Return the path of a definition, given by path or by its address."""
    path = Path(slug_or_path)
    return path if path.suffix else DEFAULT_FOLDER / f"{slug_or_path}.yaml"


def shown_progress(language: str) -> ProgressReporter:
    """Return a progress on standard error: a bar with the time left on a terminal, else one line."""
    from renderers.i18n.translations import load_words

    words = load_words()

    def watched(items: Iterable[T], count: Callable[[], int], what: str) -> Iterator[T]:
        label = words.say(f"operations.progress.{what}", language, {})
        with click.progressbar(items, length=count(), label=label, file=sys.stderr, show_pos=True) as bar:
            yield from bar

    return watched
