"""The linter: it runs all rules on a compiled procedure, in the order of the text, less the accepted advice.

`guichet lint` prints its report. The catalogue refuses a procedure with an error. It never stops at the first
fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from engine.core.problems import Problem, problem, set_once
from engine.language.lint import (
    annotation_rules,
    event_rules,
    fee_rules,
    general_rules,
    graph_rules,
    law_rules,
    message_rules,
    outcome_rules,
    paper_rules,
    refusal_rules,
    workflow_rules,
)
from engine.language.lint.rule_registry import RULES
from engine.model import Procedure
from engine.model.directory import Directory

RULE_GROUPS = (
    annotation_rules,
    event_rules,
    fee_rules,
    general_rules,
    graph_rules,
    law_rules,
    message_rules,
    outcome_rules,
    paper_rules,
    refusal_rules,
    workflow_rules,
)  # imported so that their rules are registered


def lint(procedure: Procedure, directory: Directory) -> list[Problem]:
    """Return all problems that the rules find, before any is accepted."""
    return set_once(found for rule in RULES.values() for found in rule(procedure, directory))


def set_aside(procedure: Procedure, problems: Iterable[Problem], day: date | None = None) -> list[Problem]:
    """Return the problems less the advice that the file accepts. An `accept` without effect is R803."""
    kept: list[Problem] = []
    used: set[tuple[str, str]] = set()
    accepted = {(one.id, one.at): one for one in procedure.accept if _in_force(one.until, one.edition, procedure, day)}
    for found in problems:
        key = (found.code, str(found.facts.get("at", "")))
        if not found.is_error and key in accepted:
            used.add(key)
        else:
            kept.append(found)
    for one in procedure.accept:
        if (one.id, one.at) not in used and (one.id.startswith("V") or one.id in {"C511"}):
            kept.append(problem("R803", one.where, at=one.at, name=one.id))
    return kept


def _in_force(until: date | None, edition: int | None, procedure: Procedure, day: date | None) -> bool:
    return (until is None or day is None or day <= until) and edition in (None, procedure.edition)
