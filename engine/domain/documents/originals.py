"""Originals: the papers that an applicant shows, hands in or signs at an office, and what agents noted of each.

A mark never blocks an act. It stays until a correction replaces the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import acting_role, is_own
from engine.domain.fields.files import evidence_parts
from engine.domain.fields.scope import EvaluatedAnswers
from engine.model import SYSTEM, EvidenceTerms, Field
from engine.model.roles import acting_roles
from engine.records.dossier import Actor, Dossier, Original, OriginalResult

ON_PAPER: Final = ("show_original", "legalised_copy", "hand_over", "sign_at_counter")
RESULTS: Final[tuple[OriginalResult, ...]] = get_args(OriginalResult)


@dataclass(frozen=True, slots=True)
class OriginalToSee:
    """One paper that the applicant brings, and what an agent found last, None before. `compared`: with its answers."""

    field: Field
    found: Original | None = None
    compared: bool = False


def papers_to_bring(
    evaluated: EvaluatedAnswers, fields: Iterable[Field] | None = None
) -> Iterator[tuple[Field, EvidenceTerms]]:
    """Yield the evidence that no file replaces, by the present answers. Without `fields`, of the application.

    A held document is none: the administration has it.
    """
    for field in evaluated.procedure.form.fields if fields is None else fields:
        terms = field.evidence
        if terms is None or not evaluated.shows(field) or set(ON_PAPER).isdisjoint(terms.how):
            continue
        if not evidence_parts(evaluated.values.answers.get(field.id))["held"]:
            yield field, terms


def originals_to_see(evaluated: EvaluatedAnswers, dossier: Dossier) -> tuple[OriginalToSee, ...]:
    """Return the papers that the applicant brings, each with the last mark. A piece that an agent compared was seen."""
    compared = {
        one.piece: Original(one.at, one.by, "seen")
        for name, one in sorted(dossier.confirmed.items(), key=lambda pair: pair[1].at)
        if one.by != SYSTEM and "." not in name
    }
    return tuple(
        _to_see(one, dossier.originals.get(one.id), compared.get(one.id)) for one, _ in papers_to_bring(evaluated)
    )


def _to_see(field: Field, noted: Original | None, compared: Original | None) -> OriginalToSee:
    if compared is not None and (noted is None or noted.at < compared.at):
        return OriginalToSee(field, compared, compared=True)
    return OriginalToSee(field, noted)


def refusal_to_note(evaluated: EvaluatedAnswers, dossier: Dossier, actor: Actor) -> Refusal | None:
    """Return why this actor may not note originals of the dossier, None when they may."""
    roles = acting_roles(evaluated.procedure)
    if is_own(dossier, actor):
        return refusal("own_dossier")
    if actor.kind != "agent" or acting_role(evaluated.procedure, dossier, actor, roles) is None:
        return refusal("role", roles=roles)
    return refusal("closed") if dossier.closed_at is not None else None


def with_originals(
    evaluated: EvaluatedAnswers, dossier: Dossier, actor: Actor, results: Mapping[str, OriginalResult], now: datetime
) -> Dossier:  # fmt: skip
    """Return the dossier with these results noted, the same one if they change nothing.

    Raises Refused: role, own_dossier, closed, unknown_answer for a paper that is not asked or an unknown result.
    """
    closed = refusal_to_note(evaluated, dossier, actor)
    if closed is not None:
        raise Refused(closed)
    known = {one.field.id: one.found for one in originals_to_see(evaluated, dossier)}
    strange = sorted(name for name, result in results.items() if name not in known or result not in RESULTS)
    if strange:
        raise Refused(refusal("unknown_answer", field=strange[0]))
    changed = {name for name, result in results.items() if (kept := known[name]) is None or kept.result != result}
    noted = {name: Original(now, actor.id, results[name]) for name in sorted(changed)}
    return replace(dossier, originals={**dossier.originals, **noted}) if noted else dossier


def still_noted(
    before: Mapping[str, Plain], after: Mapping[str, Plain], originals: Mapping[str, Original]
) -> Mapping[str, Original]:  # fmt: skip
    """Return the marks that changed answers leave: those of papers whose own answer, with its files, is the same."""
    return {name: one for name, one in originals.items() if before.get(name) == after.get(name)}
