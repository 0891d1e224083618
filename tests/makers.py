"""Small makers of the things tests hold: a compiled procedure from a few lines of YAML, a dossier with some answers."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.core.problems import InvalidDefinition
from engine.core.values import Plain
from engine.language.compiler.compile import build_procedure
from engine.language.compiler.shared_files import Shared, load_shared
from engine.language.source.loader import read_source
from engine.model import DRAFT, Procedure
from engine.model.directory import Directory
from engine.records.dossier import Dossier
from renderers.i18n.translations import Translations, load_words

PROCEDURES = Path(__file__).resolve().parent.parent / "procedures"
TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)  # a Tuesday, 9 h on the clocks of Lomé
REST = """
title: Essai
summary: Une démarche pour les essais.
agency: mairie
delay: 5 working days
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
personal_data: {purpose: Essayer, keep: {granted: 2 years, abandoned: 2 years}}
scenarios:
  simple: {story: Une demande simple, steps: [{take: accorder, then: accorde}]}
"""


@lru_cache(maxsize=1)
def the_shared() -> Shared:
    """The shipped agencies, offices, calendar, registers, lists, schemes and blocks."""
    shared, problems = load_shared(PROCEDURES)
    assert not [one for one in problems if one.is_error], problems
    return shared


def the_directory() -> Directory:
    return the_shared().directory


def the_words() -> Translations:
    """The words of the house."""
    return load_words()


@lru_cache(maxsize=64)
def compiled(text: str, file: str = "essai.yaml") -> Procedure:
    """The procedure of a whole file; fails with its problems."""
    try:
        procedure, problems = build_procedure(read_source(text, file), the_shared())
    except InvalidDefinition as invalid:
        procedure, problems = None, list(invalid.report)
    assert procedure is not None, "\n".join(f"{one.where} {one.code} {dict(one.facts)}" for one in problems)
    return procedure


def a_procedure(yaml_text: str) -> Procedure:
    """A compiled procedure. Top-level sections that the text leaves out (title, agency, workflow…) are those of a
    small city hall: one examination, one correction, an agreement."""
    return compiled(whole(yaml_text))


def whole(yaml_text: str, procedure: str = "essai") -> str:
    """The file of such a procedure."""
    text = textwrap.dedent(yaml_text).strip("\n") + "\n"
    written = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    sections = _sections(f"procedure: {procedure}\nedition: 1\n" + REST.strip("\n") + "\n")
    return "".join(body for name, body in sections if name not in written) + text


def _sections(text: str) -> list[tuple[str, str]]:
    """Top-level keys and their lines."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line[:1].isalpha():
            found.append((line.split(":")[0], line))
        else:
            name, body = found.pop()
            found.append((name, body + line))
    return found


def the_procedure(name: str) -> Procedure:
    """A shipped procedure."""
    path = PROCEDURES / f"{name}.yaml"
    return compiled(path.read_text(encoding="utf-8"), path.name)


def a_dossier(procedure: Procedure, **answers: Plain) -> Dossier:
    """A draft with these answers, in the form answers are kept."""
    return Dossier(
        id="d1",
        number="26482911374",
        procedure=procedure.id,
        edition=procedure.edition,
        fingerprint=procedure.fingerprint,
        owner="ama",
        state=DRAFT,
        entered_at=NOW,
        created_at=NOW,
        answers=answers,
    )


def a_sent_dossier(procedure: Procedure, state: str | None = None, **answers: Plain) -> Dossier:
    """The same once sent, today, in the first state or another."""
    draft = a_dossier(procedure, **answers)
    return replace(draft, state=state or procedure.start, submitted_at=NOW, form_day=TODAY)


def changed(dossier: Dossier, **fields: Any) -> Dossier:
    """The dossier with other facts."""
    return replace(dossier, **fields)
