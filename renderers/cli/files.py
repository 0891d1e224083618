"""The definitions that a command is given, and what stands beside them: shared files, places of problems."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.language.catalogue.catalogue import Checked
    from engine.language.compiler.shared_files import Shared

LANGUAGES = click.Choice(["fr", "en"])
DEFAULT_FOLDER = Path("procedures")


def definition_files(paths: Sequence[Path]) -> list[Path]:
    """The definitions named, or those of the folders named; shared files beside them are not definitions."""
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
    """The blocks, lists and directory beside a file; read once a folder."""
    from engine.language.compiler.shared_files import load_shared

    folder = shared_folder(file)
    if folder not in known:
        shared, problems = load_shared(folder)
        known[folder] = (shared, list(problems))
    return known[folder]


def shared_folder(file: Path) -> Path:
    """Where the shared files of a definition are: beside it, else those of the procedures."""
    return file.parent if _is_served(file) else DEFAULT_FOLDER


def _is_served(file: Path) -> bool:
    """Whether a file stands in a folder of procedures."""
    return any((file.parent / name).is_dir() for name in ("shared", "blocks"))


def check_files(files: Iterable[Path]) -> tuple[list[tuple[Path, Checked]], list[object], dict[str, str]]:
    """Each file checked; the problems of the shared files; the text of every file a problem may point at."""
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


def session_name() -> str:
    """Whose session the command runs in; empty when the machine does not say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def definition_path(slug_or_path: str) -> Path:
    """A definition by its path, or by its address among the procedures."""
    path = Path(slug_or_path)
    return path if path.suffix else DEFAULT_FOLDER / f"{slug_or_path}.yaml"
