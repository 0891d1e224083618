"""Originals on the pages of agents: what each paper is, what was noted of it, and what a form says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from flask import request

from engine.domain.documents.originals import ON_PAPER, OriginalToSee
from engine.records.dossier import OriginalResult
from engine.services.appointments.originals import originals_of
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx, moment_of, say
from renderers.web.shared.agent_dossier import AgentCase
from renderers.web.shared.staff import people

_NAME: Final = "original-"  # before the evidence, in the name of a control


@dataclass(frozen=True, slots=True)
class OriginalLine:
    """One paper. `result` is a code, empty before an agent saw it; `noted` says who did, when, and with what result."""

    id: str
    label: str
    how: str
    result: str
    noted: str


@dataclass(frozen=True, slots=True)
class Originals:
    """The papers of a dossier, in the words of the page. None is asked in the bare one.

    `may_note`: this agent may note them now. `lacking` counts those that are missing or differ, and `warning` names them.
    """

    lines: tuple[OriginalLine, ...] = ()
    may_note: bool = False
    summary: str = ""
    lacking: str = ""
    warning: str = ""


def originals_shown(one: AgentCase) -> Originals:
    """Return the originals of a dossier for its page, for the panel of an act and for that of a visit."""
    found, closed = originals_of(app_ctx(), actor(), one.id)
    noted = [each for each in found if each.found is not None]
    if not found or (closed is not None and not noted):
        return Originals()
    names = people(each.found.by for each in noted if each.found)
    lines = tuple(
        OriginalLine(each.field.id, label(each.field.agents_label), _how(each), *_noted(each, names)) for each in found
    )
    lacking = [line.label for line in lines if line.result in ("differs", "missing")]
    summary = say("original.summary", seen=sum(line.result == "seen" for line in lines), count=len(lines))
    if not lacking:
        return Originals(lines, closed is None, summary)
    warning = say("original.lacks", count=len(lacking), names=", ".join(lacking))
    return Originals(lines, closed is None, summary, say("original.lacking", count=len(lacking)), warning)


def _how(one: OriginalToSee) -> str:
    kinds = one.field.evidence.how if one.field.evidence else ()
    return ", ".join(say(f"sheet.how_{kind}") for kind in kinds if kind in ON_PAPER)


def _noted(one: OriginalToSee, names: Mapping[str, str]) -> tuple[str, str]:
    if one.found is None:
        return "", ""
    what = say("original.compared" if one.compared else f"original.{one.found.result}")
    name = names.get(one.found.by) or say("desk.unknown_person")
    return one.found.result, say("original.noted_by", what=what, name=name, at=moment_of(one.found.at))


def posted_originals() -> dict[str, OriginalResult]:
    """Return what the form of the post says of each original: evidence → result. Neither is checked."""
    return dict(_posted())


def _posted() -> Iterator[tuple[str, OriginalResult]]:
    for name, said in request.form.items():
        if name.startswith(_NAME):
            yield name.removeprefix(_NAME)[:100], cast(OriginalResult, said[:20])
