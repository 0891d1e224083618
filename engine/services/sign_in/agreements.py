"""Agreement at a counter: the person agrees anew to an act that ends their request or contests a decision.

They read the code whose message names the act, or sign a sheet that names it. The journal records which.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import helps
from engine.domain.common.decision import Decision, EntryDraft
from engine.domain.documents.content import contesting_acts
from engine.model import Procedure
from engine.model.directory import Directory
from engine.records.dossier import Actor, Dossier
from engine.services.context.app_context import AppContext
from engine.services.limits.code_limits import Asker
from engine.services.sign_in.applicant_sign_in import ACT, CodeSent, prove_consent, send_act_code

SHEET_DIGITS: Final = 8
BY_CODE: Final = "code"
ON_PAPER: Final = "paper"


def needs_agreement(procedure: Procedure, directory: Directory, dossier: Dossier, act_id: str) -> bool:
    """Return whether an act in this state ends the request, contests a decision, or leaves an end."""
    targets = [procedure.states[one.target] for one in procedure.leaving.get(dossier.state, ()) if one.id == act_id]
    state = procedure.states[dossier.state]
    contests = act_id in contesting_acts(procedure, directory) or state.is_end
    return bool(targets) and (contests or any(target.is_end for target in targets))


def sheet_number(ctx: AppContext, *parts: str) -> str:
    """Return the number of a sheet: the keyed digest of what it says, which is not stored."""
    return f"{int(ctx.keys.seals_of('agreement', *parts)[0], 16) % 10**SHEET_DIGITS:0{SHEET_DIGITS}d}"


def sheet_of_act(ctx: AppContext, actor: Actor, dossier: Dossier, act_id: str) -> str:
    """Return the number of the sheet by which this agent has an act signed in the present state."""
    return sheet_number(ctx, actor.id, dossier.number, act_id, dossier.entered_at.isoformat())


def send_agreement_code(
    ctx: AppContext, actor: Actor, phone: str, dossier: Dossier, act: tuple[str, str], *, asker: Asker, language: str
) -> CodeSent:  # fmt: skip
    """Send the code that is read to the agent for one act, given by id and label. Raises as `send_code`."""
    facts = {"act": act[1], "dossier": dossier.number}
    return send_act_code(ctx, phone, facts, asker=asker, language=language, mark=_mark(actor, dossier, act[0]))


def prove_agreement(ctx: AppContext, actor: Actor, phone: str, dossier: Dossier, act_id: str, code: str) -> None:
    """Accept the code of one act. Raises Refused: no_phone, code_format, code_wrong, code_expired."""
    if not phone:
        raise Refused(refusal("no_phone"))
    with ctx.store.unit(write=True) as unit:
        closed = prove_consent(ctx, unit, phone, code, ACT, _mark(actor, dossier, act_id))
    if closed is not None:  # raised outside the unit, so that the count of tries is saved
        raise Refused(closed)


def _mark(actor: Actor, dossier: Dossier, act_id: str) -> str:
    """Return what binds a code to its act: a code for one act opens no other."""
    return f"{actor.id} {dossier.number} {act_id}"


def with_agreement(
    ctx: AppContext, procedure: Procedure, before: Dossier, act_id: str, agreed: str, decision: Decision, actor: Actor
) -> Decision:  # fmt: skip
    """Return the decision with the entry that says how the person agreed, and the agent among those who helped.

    A closed dossier that is contested had no helper until then. Raises Refused: agreement_missing.
    """
    if not helps(actor) or not needs_agreement(procedure, ctx.directory, before, act_id):
        return decision
    if agreed not in (BY_CODE, ON_PAPER):
        raise Refused(refusal("agreement_missing"))
    body: dict[str, Plain] = {"transition": act_id, "confirmed": agreed}
    if agreed == ON_PAPER:
        body["sheet"] = sheet_of_act(ctx, actor, before, act_id)
    after = decision.dossier
    if actor.id not in after.assisted:
        after = replace(after, assisted=(*after.assisted, actor.id))
    return replace(decision, dossier=after, entries=(EntryDraft("agreed", body), *decision.entries))
