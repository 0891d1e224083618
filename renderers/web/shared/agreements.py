"""How the person at a counter agrees to one act: a code read aloud or a signed sheet, asked on the page of the act."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from engine.core.problems import Refused
from engine.model import Transition
from engine.services.accounts.assistance import person_named
from engine.services.sign_in.agreements import (
    BY_CODE,
    ON_PAPER,
    needs_agreement,
    prove_agreement,
    send_agreement_code,
    sheet_of_act,
)
from renderers.html.controls import national
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, asker, at_counter, language, say

ASKS_CODE = "code"  # value of the button that sends a code
_HOW, _CODE = "act-agreed", "act-code"  # ids of questions have no hyphen


@dataclass(frozen=True, slots=True)
class AgreementForm:
    """The question on the page of an act. `phone` is empty without a phone, `printed` the address of the sheet."""

    phone: str
    sheet: str
    printed: str
    chosen: str
    error: str = ""


def asked_agreement(one: DossierContext, act_id: str) -> AgreementForm | None:
    """Return the question, None outside the counter and for an act that needs no agreement of its own."""
    if not at_counter() or not needs_agreement(one.procedure, app_ctx().directory, one.dossier, act_id):
        return None
    phone, number = person_named(app_ctx(), actor())[1], sheet_of_act(app_ctx(), actor(), one.dossier, act_id)
    chosen = request.form.get(_HOW, "") or (BY_CODE if request.form.get("go") == ASKS_CODE else "")
    return AgreementForm(
        national(phone), f"{number[:4]}\u00a0{number[4:]}", one.at(f"/actes/{act_id}/accord.pdf"), chosen
    )


def code_sent(one: DossierContext, act: Transition) -> tuple[str, str]:
    """Send the code of an act. Returns the note of the page and its error, one of them empty."""
    phone = person_named(app_ctx(), actor())[1]
    try:
        send_agreement_code(
            app_ctx(), actor(), phone, one.dossier, (act.id, label(act.label)), asker=asker(), language=language()
        )
    except Refused as closed:
        return "", sentence(closed.reason)
    return say("counter.code_sent", phone=national(phone).replace(" ", "\u00a0")), ""


def given_agreement(one: DossierContext, act_id: str) -> tuple[str, str]:
    """Return how the person agreed, and the error: one of them is empty. A right code is used up."""
    how = request.form.get(_HOW, "")
    if how == ON_PAPER:
        return how, ""
    if how != BY_CODE:
        return "", say("refusal.agreement_missing")
    phone = person_named(app_ctx(), actor())[1]
    try:
        prove_agreement(app_ctx(), actor(), phone, one.dossier, act_id, request.form.get(_CODE, "")[:20])
    except Refused as closed:
        return "", sentence(closed.reason)
    return how, ""
