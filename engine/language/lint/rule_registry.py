"""The registry of rules: one small function per code, which yields the problems. Renderers hold the wording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from engine.core.problems import Position, Problem
from engine.language.source.loader import Path, read_source
from engine.model import Procedure
from engine.model.directory import Directory

Rule: TypeAlias = Callable[[Procedure, Directory], Iterator[Problem]]

RULES: Final[dict[str, Rule]] = {}


def rule(code: str) -> Callable[[Rule], Rule]:
    """Return a decorator that registers a rule under its code. Raises `ValueError` for a code registered twice."""

    def sign_in(function: Rule) -> Rule:
        """Register the function and return it unchanged."""
        if code in RULES:
            raise ValueError(f"two rules for {code}")
        RULES[code] = function
        return function

    return sign_in


def written_at(procedure: Procedure, path: Path, otherwise: Position) -> Position:
    """Return where a simple value is written in the file itself, `otherwise` when it comes from a shared file."""
    source = read_source(procedure.source, procedure.identity.where.file)
    written = source.at(path)
    return otherwise if written is None or isinstance(written, (dict, list)) else source.position(path)
