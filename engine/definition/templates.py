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
    every, names = set(known), set()
    for language, words in text.versions:
        there = path if isinstance(bench.at(path), str) else (*path, language)
        for found in PLACEHOLDER.finditer(words):
            name = found[1]
            names.add(name)
            if name not in every and name not in bench.broken:
                where = bench.placed.inside(there, found.start(1), max(1, len(name)))
                bench.unknown_at("N308", where, name, every)
    return Template(text, frozenset(names & every))


def read_pattern(bench: Bench, path: Path, known: Iterable[str]) -> str | None:
    """A pattern of numbers, `PC-{office}-{year}-{serial}`: its names are checked the same way."""
    template = read_template(bench, path, known)
    return str(template.text) if template else None
