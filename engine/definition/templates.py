"""Texts with `{name}` in them: read once, every name checked (N308). Never a template language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from engine.definition.model import Template
from engine.definition.source import Path
from engine.definition.workbench import Bench

PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
MESSAGE: Final = frozenset({"dossier", "link", "office", "due", "meeting", "reason", "number", "title"})
NUMBER: Final = frozenset({"agency", "office", "procedure", "year", "serial"})


def read_template(bench: Bench, path: Path, known: Iterable[str]) -> Template | None:
    """The text at a path; each name in braces that is not known is told, with the ones that look like it."""
    text = bench.text(path)
    if text is None:
        return None
    every = set(known)
    names = [name for _, words in text.versions for name in PLACEHOLDER.findall(words)]
    for name in dict.fromkeys(names):
        if name not in every and name not in bench.broken:
            bench.unknown("N308", path, name, every)
    return Template(text, frozenset(names) & every)


def read_pattern(bench: Bench, path: Path, known: Iterable[str]) -> str | None:
    """A pattern of numbers, `PC-{office}-{year}-{serial}`: its names are checked the same way."""
    template = read_template(bench, path, known)
    return str(template.text) if template else None
