"""Small definitions for the tests of the compiler: a base that stands, and what a test changes in it."""

from __future__ import annotations

import textwrap
from pathlib import Path

from engine.core.problems import Problem
from engine.language.compiler.compile import build_procedure
from engine.language.compiler.shared_files import Shared
from engine.language.source.loader import read_source
from engine.model import Procedure
from tests.makers import the_shared

PROCEDURES = Path(__file__).resolve().parents[3] / "procedures"
REST = {
    "procedure": "procedure: essai",
    "edition": "edition: 1",
    "title": "title: Essai",
    "summary": "summary: Un essai.",
    "agency": "agency: obac",
    "delay": "delay: 5 working days",
    "legal_basis": "legal_basis:\n  loi: {title: Une loi, status: sourced, article: art. 1, checked: 2026-03-01}\n  usage: {title: Un usage, status: plausible}",
    "form": "form:\n  demande: {title: Votre demande, fields: {nom: {label: Nom, example: AMEGAN}}}",
    "workflow": """workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: instructeur
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
    accorde: {label: Accordé, end: granted}""",
    "personal_data": "personal_data: {purpose: Essayer}",
    "scenarios": "scenarios:\n  simple: {story: Simple, steps: [{take: accorder, then: accorde}]}",
}


def a_file(text: str) -> str:
    """A whole definition: the sections of `text`, the others from the base."""
    own = textwrap.dedent(text).strip("\n")
    written = {line.split(":")[0] for line in own.splitlines() if line[:1].isalpha()}
    parts = [*(part for name, part in REST.items() if name not in written), own]
    return "\n".join(parts) + "\n"


def built(text: str, shared: Shared | None = None, file: str = "essai.yaml") -> tuple[Procedure | None, list[Problem]]:
    return build_procedure(read_source(a_file(text), file), shared or the_shared())


def compiled(text: str, shared: Shared | None = None) -> Procedure:
    """The procedure; fails with what is wrong."""
    procedure, problems = built(text, shared)
    assert procedure is not None, [f"{one.where} {one.code} {dict(one.facts)}" for one in problems]
    return procedure


def codes(text: str, shared: Shared | None = None) -> list[tuple[str, str]]:
    """What is wrong: code, and the signs at its place."""
    whole = a_file(text).split("\n")
    _, problems = built(text, shared)
    return [(one.code, whole[one.where.line - 1][one.where.column - 1 :][: one.where.width]) for one in problems]
