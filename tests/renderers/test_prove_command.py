"""`guichet prove`, and the proofs in `guichet lint`: what an author reads, how the commands end."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from renderers.cli.main import console as guichet

pytest.importorskip("z3")

BAD = Path(__file__).resolve().parent.parent / "bad"
PROCEDURES = BAD.parent.parent / "procedures"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(guichet, list(arguments))


def test_a_dead_end_is_told_with_the_answers_that_lead_there() -> None:
    result = run("prove", str(BAD / "P5_nothing_open_for_minors.yaml"))
    assert result.exit_code == 1
    assert (
        "erreur[P5] avec age_declare = 0 et motif = 'perte', aucune étape n'est ouverte dans « examen »"
        in result.output
    )
    assert "P5_nothing_open_for_minors.yaml:22:5" in result.output


def test_it_is_told_in_english_too() -> None:
    result = run("prove", str(BAD / "P4_late_grants.yaml"), "--lang", "en", "--format", "short")
    assert result.exit_code == 1
    assert "“attestation” can be issued without “taxe”, by: a_payer → accorde" in result.output


def test_several_files_are_proven() -> None:
    """All shipped procedures: `tests/test_language.py`."""
    result = run("prove", *(str(PROCEDURES / f"{name}.yaml") for name in ("casier-judiciaire-b3", "duplicata-bac")))
    assert result.exit_code == 0, result.output


def test_what_has_other_errors_is_not_proven_but_told() -> None:
    result = run("prove", str(BAD / "N301_unknown_name.yaml"), "--format", "short")
    assert result.exit_code == 1
    assert "N301" in result.output


def test_lint_proves_too_unless_told_not_to() -> None:
    file = str(BAD / "P6_never_asked.yaml")
    assert "P6" in run("lint", file, "--format", "short").output
    assert run("lint", file, "--format", "short").exit_code == 1
    assert run("lint", file, "--no-proofs").exit_code == 0


def test_a_time_is_more_than_nothing() -> None:
    result = run("prove", str(PROCEDURES), "--seconds", "0")
    assert result.exit_code == 2
    assert "--seconds" in result.output
