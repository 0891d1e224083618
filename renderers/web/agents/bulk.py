"""One act on many dossiers: chosen in the list, previewed, then confirmed as a job; or one label, at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused, refusal
from engine.domain.common.decision import Act
from engine.services.applications.bulk_actions import (
    BulkAct,
    BulkPreview,
    Foreseen,
    bulk_acts,
    order_bulk,
    picked_all,
    preview_bulk,
)
from engine.services.applications.notes import put_label
from engine.services.context.app_context import NotFound
from engine.services.core.jobs import MOST_LINES
from engine.services.worker.job_runner import carry_at_once
from renderers.web.agents.inbox import PAGE, QUEUES, asked_of_form
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.request_context import actor, app_ctx, form_picks, form_token, go, new_token, say
from renderers.web.shared.agent_dossier import refusal_text
from renderers.web.shared.staff import label_choices, note_with_undo, procedure_of, staff_page

blueprint = Blueprint("agent_bulk", __name__)

PICKED: Final = "dossier"
_LONGEST: Final = 2000  # characters of a reason


@dataclass(frozen=True, slots=True)
class ShownAct:
    """One act that can be chosen, with the number of dossiers it applies to."""

    value: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One dossier of the preview, with its target state or the reason of refusal."""

    number: str
    name: str
    text: str


@blueprint.post("/agent/lot")
@agent()
def bulk() -> Response:
    """Choose an act for the selected dossiers, preview it or confirm it, as `go` says.

    `tous` selects the whole list. A confirmed act redirects to its job.
    """
    step = request.form.get("go", "")
    if step == "confirm":
        return _confirm()
    numbers = _picked()
    if not numbers:
        return refused(refusal("nothing_picked"), "/agent")
    return _preview(numbers) if step == "preview" else _choose(numbers)


def _picked() -> list[str]:
    """Return the numbers of the selected dossiers, or of the whole list."""
    if "tous" in request.form:
        asked = asked_of_form()
        return list(picked_all(
            app_ctx(), actor(), QUEUES[asked.queue], procedure=asked.procedure or None, state=asked.state or None,
            office_id=asked.office or None, text=asked.text, label=asked.label,
        ))  # fmt: skip
    return _ticked(MOST_LINES)


def _ticked(most: int) -> list[str]:
    ticked = (one.partition(":")[0] for one in request.form.getlist(PICKED))
    return [one for one in dict.fromkeys(ticked) if one.isascii() and one.isdigit() and len(one) == 11][:most]


def _choose(numbers: list[str], error: str = "", at: str = "#acte") -> Response:
    found = bulk_acts(app_ctx(), actor(), numbers)
    chosen = request.form.get("acte", "") or (_value(found[0]) if len(found) == 1 else "")
    return staff_page(
        "agent/bulk.html", 422 if error else 200, numbers=numbers, acts=[_shown(one) for one in found], chosen=chosen,
        reason=request.form.get("motif", "")[:_LONGEST], asks_reason=any(one.reason for one in found),
        errors=[(at, error)] if error else [], capped=len(numbers) >= MOST_LINES, most=MOST_LINES,
    )  # fmt: skip


def _value(one: BulkAct) -> str:
    return f"{one.procedure}:{one.act}"


def _shown(one: BulkAct) -> ShownAct:
    return ShownAct(_value(one), label(one.label), say("bulk.act_of", count=one.count, procedure=label(one.title)))


def _asked() -> tuple[str, Act] | None:
    """Return the chosen procedure and act with its reason, None without a choice."""
    procedure, _, act = request.form.get("acte", "")[:200].partition(":")
    reason = request.form.get("motif", "").strip()[:_LONGEST]
    return (procedure, Act(act, reason or None)) if procedure and act else None


def _preview(numbers: list[str]) -> Response:
    asked = _asked()
    if asked is None:
        return _choose(numbers, say("bulk.choose_one"))
    shown = preview_bulk(app_ctx(), actor(), numbers, *asked)
    if "reason" in shown.act.asks and not asked[1].reason:
        return _choose(numbers, say("refusal.reason_missing"), "#motif")
    reason = asked[1].reason if "reason" in shown.act.asks else None
    return staff_page(
        "agent/bulk_preview.html", act=label(shown.act.label), procedure=label(shown.definition.identity.title),
        value=request.form.get("acte", "")[:200], reason=reason or "", count=len(shown.can), sms=shown.sms,
        targets=_targets(shown), can=[_line(one) for one in shown.can], cannot=[_line(one) for one in shown.cannot],
        picked=[f"{one.dossier.number}:{one.dossier.revision}" for one in shown.can],
        confirm=label(shown.act.confirm), token=new_token(),
    )  # fmt: skip


def _targets(shown: BulkPreview) -> list[tuple[str, int]]:
    """Return how many dossiers go to each state."""
    found: dict[str, int] = {}
    for one in shown.can:
        found[label(one.target)] = found.get(label(one.target), 0) + 1
    return list(found.items())


def _line(one: Foreseen) -> ShownLine:
    procedure = procedure_of(one.dossier.procedure, fingerprint=one.dossier.fingerprint)
    text = label(one.target)
    if one.closed is not None:
        text = refusal_text(procedure, one.closed) if procedure else sentence(one.closed)
    return ShownLine(one.dossier.number, one.dossier.label or "–", text)


def _confirm() -> Response:
    """Store the job and redirect to it. A small job runs at once, and a second post leads to the same job."""
    asked = _asked()
    if asked is None:
        return go("/agent")
    procedure, act = asked
    order = order_bulk(
        app_ctx(),
        actor(),
        procedure,
        act.transition,
        act.reason or "",
        form_picks(PICKED, MOST_LINES + 1),
        token=form_token(),
    )
    carry_at_once(app_ctx(), order)
    return go(f"/agent/ordres/{order.n}")


@blueprint.post("/agent/etiqueter")
@agent()
def put_labels() -> Response:
    """Give a label to the ticked dossiers, or take it away (`oter`), and show the list. Each dossier is a unit of its own."""
    asked, numbers, given = asked_of_form(), _ticked(PAGE), "oter" not in request.form
    chosen = request.form.get("poser", "")[:100]
    text = dict(label_choices(procedure_of(asked.procedure))).get(chosen)
    if not numbers or text is None:
        return refused(refusal("nothing_picked" if text else "label_unknown"), asked.address())
    changed, left, unseen = list[str](), Counter[str](), 0
    for number in numbers:
        try:
            if put_label(app_ctx(), actor(), number, chosen, given):
                changed.append(number)
        except NotFound:
            unseen += 1
        except Refused as closed:
            left[sentence(closed.reason)] += 1
    if unseen == len(numbers):
        raise NotFound
    said = [say(f"bulk.label_{'given' if given else 'taken'}", count=len(changed), label=text)]
    said += [say("bulk.not_labelled", count=count, why=why) for why, count in left.items()]
    back = [
        ("poser", chosen),
        *asked.fields(),
        *(("dossier", one) for one in changed),
        *([("oter", "1")] if given else []),
    ]
    if changed:
        note_with_undo(" ".join(said), "/agent/etiqueter", back)
    else:
        session["desk_note"] = " ".join(said)
    return go(asked.address())
