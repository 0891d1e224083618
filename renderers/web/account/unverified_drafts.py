"""Drafts begun without a code, and the choice when the account that signs in cannot simply receive one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, cast

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.records.dossier import Dossier
from engine.services.context.app_context import NotFound
from engine.services.sign_in.unverified_drafts import (
    Choice,
    UnverifiedDraft,
    adopt,
    claim_other,
    forsake,
    go_on_unproven,
    waiting,
)
from renderers.html.controls import national
from renderers.web.account.sign_in import where_next
from renderers.web.citizen.start import begun_by, start_asked
from renderers.web.platform.access import public, signed_in
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused
from renderers.web.platform.refused_posts import ask_again, refused_post
from renderers.web.platform.request_context import (
    CLAIM,
    PROOF,
    actor,
    app_ctx,
    asker,
    claimant,
    close_session,
    day_of,
    device,
    go,
    language,
    myself,
    note_served,
    open_session,
    page,
    say,
    session_token,
)

blueprint = Blueprint("unverified_drafts", __name__)
_CHOICES: Final[tuple[Choice, ...]] = ("this", "other")


@blueprint.post("/connexion/sans-code")
@public
def go_on() -> Response:
    """Start the request without a code, for this browser only. The answer is the same for every number."""
    phone, opening = session.get("phone", ""), start_asked()
    if not phone or opening is None or actor().id:
        return go("/connexion")
    who, signed = claimant(), None
    try:
        if who.id:
            claim_other(app_ctx(), who, phone)
        else:
            signed = go_on_unproven(app_ctx(), phone, asker=asker(), device=device())
            who = replace(signed.actor, language=language())
            note_served()
    except Refused as closed:
        return refused(closed.reason, PROOF)
    try:
        answer = go(begun_by(who, opening))
    except (Refused, NotFound):
        if signed is not None:
            forsake(app_ctx(), signed.token)
        raise
    session.pop("opening", None)
    return open_session(answer, signed, CLAIM, keep=True) if signed is not None else answer


# -- drafts that need a choice -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DraftChoiceView:
    """One draft to decide on, with the texts of both choices. `rival` means that the account has another draft."""

    name: str
    title: str
    begun: str
    this: str
    other: str
    rival: bool
    error: str = ""


@blueprint.route("/dossiers/de-cet-appareil", methods=["GET", "POST"])
@signed_in
def choose() -> Response:
    """Ask about drafts of this browser: the account has another one, or they were begun under another number."""
    token = session_token(CLAIM)
    found = waiting(app_ctx(), myself(), token)
    if request.method == "POST":
        chosen = {one.draft.number: choice for one in found if (choice := _chosen(one)) is not None}
        found = adopt(app_ctx(), myself(), token, chosen)
    if not found:
        return close_session(go(where_next(myself())), CLAIM)
    if request.method == "POST":
        return ask_again(lambda: _choose_page(found), {_name(one): "unproven.choose.choose_one" for one in found})
    return _choose_page(found)


def _choose_page(found: Iterable[UnverifiedDraft]) -> Response:
    asked = [_asked(one) for one in found]
    errors = [(f"#{one.name}", one.error) for one in asked if one.error]
    return page("citizen/unverified_drafts.html", asked=asked, errors=errors)


def _chosen(one: UnverifiedDraft) -> Choice | None:
    given = request.form.get(_name(one), "")
    return cast(Choice, given) if given in _CHOICES else None


def _name(one: UnverifiedDraft) -> str:
    return f"d{one.draft.number}"


def _asked(one: UnverifiedDraft) -> DraftChoiceView:
    summary, rival = app_ctx().catalogue.summary(one.draft.procedure), one.rival
    begun = say("unproven.choose.begun", day=_day(one.draft), phone=national(one.phone).replace(" ", "\u00a0"))
    this, other = say("unproven.choose.mine"), say("unproven.choose.not_mine")
    if rival is not None:
        this = say("unproven.choose.this", what=_what(one.draft))
        other = say("unproven.choose.other", day=_day(rival), what=_what(rival))
    return DraftChoiceView(
        _name(one), label(summary.title) if summary else one.draft.procedure, begun, this, other, rival is not None,
        refused_post().error(_name(one)),
    )  # fmt: skip


def _day(draft: Dossier) -> str:
    return day_of(draft.created_at)


def _what(draft: Dossier) -> str:
    """Return what a draft contains, to distinguish it from the other one."""
    count = len(draft.answers)
    counts = [say("unproven.choose.answers", count=count) if count else say("unproven.choose.empty")]
    if draft.attachments:
        counts.append(say("unproven.choose.files", count=len(draft.attachments)))
    return ", ".join(one for one in (*counts, draft.label) if one)
