"""Start of a request: eligibility questions, answers of an earlier request, and the draft.

A draft that is opened again moves to the edition in force. The next page shows once what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from math import inf
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.fields.views import FormView
from engine.domain.forms.eligibility import adopt_criteria
from engine.model import Procedure
from engine.records.dossier import Actor
from engine.services.applications.draft_answers import Renewed, renew
from engine.services.applications.drafts import open_dossier, see_form
from engine.services.applications.prefill import EarlierDossier, earlier_requests, take_over
from engine.services.context.app_context import NotFound
from renderers.i18n.formats import listed
from renderers.i18n.translations import quoted
from renderers.web.citizen.eligibility import Walk, question_page, stopped_page, typed_criteria, walk_criteria
from renderers.web.platform.access import public, unproven_too
from renderers.web.platform.dossier_context import DossierContext, case, current_procedure, label
from renderers.web.platform.languages import is_switching
from renderers.web.platform.request_context import acting_mandate, actor, app_ctx, day_of, form_token, go, language, say
from renderers.web.shared.money import francs

blueprint = Blueprint("start", __name__)
_SAID = "redrafted"
_STARTS_WITHIN: Final = timedelta(minutes=30)  # as long as an idle session


@blueprint.get("/demarches/<slug>/verifier")
@public
def check_right(slug: str) -> Response:
    """Show the eligibility questions that are left, or the reason to stop.

    The answers are in the query string and are copied into the form.
    """
    procedure = current_procedure(slug)
    walk = walk_criteria(procedure, request.args)
    if walk.criterion is not None and walk.stops:
        return stopped_page(procedure, walk, walk.criterion, f"/demarches/{slug}/verifier")
    return _questions(procedure, walk)


@blueprint.get("/demarches/<slug>/commencer")
@public
def before_start(slug: str) -> Response:
    """Offer the answers of earlier requests, or show the eligibility questions if one is left."""
    procedure = current_procedure(slug)
    walk = walk_criteria(procedure, request.args)
    if walk.criterion is not None:
        return go(f"/demarches/{slug}/verifier?{urlencode(walk.carried)}")
    return _questions(procedure, walk)


def _questions(procedure: Procedure, walk: Walk) -> Response:
    """Return the page before the form. Once no question is left it offers the answers of earlier requests."""
    found = () if walk.criterion else earlier_requests(app_ctx(), actor(), procedure.id, walk.given, language())
    return question_page(
        procedure, walk, request.args, [_earlier(one) for one in found], action=f"/demarches/{procedure.id}/commencer",
        back=f"/demarches/{procedure.id}", acting=acting_mandate(),
    )  # fmt: skip


def _earlier(found: EarlierDossier) -> Mapping[str, str]:
    """Return how an earlier request is offered: its title, number and what would be taken over."""
    counts = [say("reuse.answers", count=found.answers)] if found.answers else []
    counts += [say("reuse.files", count=found.files)] if found.files else []
    return {
        "number": found.dossier.number, "day": day_of(found.dossier.submitted_at or found.dossier.created_at),
        "title": label(found.definition.identity.title), "name": found.dossier.label, "what": listed(counts, language()),
    }  # fmt: skip


@blueprint.post("/demarches/<slug>/commencer")
@public
@unproven_too
def start(slug: str) -> Response:
    """Open the draft and redirect to it. Without sign-in, store the choice and redirect to the sign-in."""
    procedure = current_procedure(slug)
    walk = walk_criteria(procedure, request.form)
    if walk.criterion is not None or is_switching():
        return go(f"/demarches/{slug}/verifier?{typed_criteria(procedure, request.form)}")
    asked = actor().id and "etape" in request.form  # the start page offers earlier answers, the questions do not
    if request.form.get("acting", "") != acting_mandate() or (  # the page that follows says for whom it is
        asked and earlier_requests(app_ctx(), actor(), procedure.id, walk.given, language())
    ):
        return go(f"/demarches/{slug}/commencer?{urlencode(walk.carried)}")
    if actor().id:
        return go(open_draft(actor(), procedure.id, walk.given, form_token(), request.form.get("reuse", "")[:20]))
    session["opening"] = {
        "procedure": procedure.id, "given": dict(walk.given), "token": form_token(), "carried": dict(walk.carried),
        "until": int((app_ctx().now() + _STARTS_WITHIN).timestamp()),
    }  # fmt: skip
    return go("/connexion")


def start_asked() -> Mapping[str, Any] | None:
    """Return the request that this browser began before the sign-in, None without one or once its time is over.

    The next person at a shared device signs in later: it names the procedure and the answers of the one before.
    """
    kept = session.get("opening")
    current = isinstance(kept, Mapping) and app_ctx().now().timestamp() < kept.get("until", inf)
    return kept if current else None


def begun_by(who: Actor, opening: Mapping[str, Any]) -> str:
    """Return where an applicant continues who signed in before opening a draft.

    With an earlier request, it is the page that offers its answers.
    """
    procedure_id, given = str(opening["procedure"]), opening.get("given") or {}
    if earlier_requests(app_ctx(), who, procedure_id, given, language()):
        return f"/demarches/{procedure_id}/commencer?{urlencode(opening.get('carried') or {})}"
    return open_draft(who, procedure_id, given, opening.get("token"))


def open_draft(
    who: Actor, procedure_id: str, given: Mapping[str, Plain], token: str | None, earlier: str = ""
) -> str:  # fmt: skip
    """Open the draft or find the existing one, and return the address where it continues.

    The answers of the request `earlier` are taken over if it is given and still exists.
    """
    procedure = current_procedure(procedure_id)
    criteria = adopt_criteria(procedure, given, local_day(app_ctx().now()), app_ctx().directory)
    dossier = open_dossier(app_ctx(), who, procedure_id, criteria=criteria, language=language(), token=token)
    if earlier:
        with suppress(NotFound):  # erased or not the applicant's: the questions are asked
            dossier = take_over(app_ctx(), who, dossier.id, earlier, token=token)
    form = see_form(app_ctx(), who, dossier.id)
    base = f"/dossiers/{dossier.number}/demande"
    way = [one for one in form.pages if not one.known]
    begun = any(one.visited for one in way)
    asks_earlier = bool(procedure.links())  # named in the list of steps, before the questions
    if dossier.reused is not None and not asks_earlier:
        following = first_to_do(form)
        return f"{base}/{following}" if following else f"/dossiers/{dossier.number}/verification"
    return base if begun or asks_earlier or not way else f"{base}/{way[0].id}"


def step_address(one: DossierContext, page_id: str) -> str:
    """Return the address of a page of the form, or of the summary after the last one."""
    return one.at(f"/demande/{page_id}" if page_id else "/verification")


def first_to_do(form: FormView) -> str:
    """Return the page where a draft continues, empty if all pages are complete."""
    return next((one.id for one in form.pages if not one.complete or not one.visited), "")


def next_to_do(form: FormView, page_id: str, seen: bool) -> str:
    """Return the next page that lacks something, else an earlier one, empty without any.

    `seen` counts complete pages that were never opened, too.
    """
    ids = [one.id for one in form.pages]
    left = [one.id for one in form.pages if one.id != page_id and not (one.complete and (one.visited or not seen))]
    place = ids.index(page_id) if page_id in ids else -1
    return next((one for one in left if ids.index(one) > place), left[0] if left else "")


# -- move of a draft to the edition in force ---------------------------------------------------------------------------


def renewed(one: DossierContext) -> DossierContext:
    """Return the dossier, a draft under the edition in force."""
    found = renew(app_ctx(), actor(), one.dossier)
    if found is None:
        return one
    session[_SAID] = {"number": one.dossier.number, "said": _sentence(found)}
    return case(one.dossier.number)


def has_changed(one: DossierContext) -> bool:
    """Return whether a change of this draft is still to be shown."""
    return _kept(one) is not None


def change_of(one: DossierContext) -> str:
    """Return the sentence on what changed in this draft, then forget it. Empty without a change."""
    kept = _kept(one)
    if kept is None:
        return ""
    session.pop(_SAID)
    return str(kept["said"])


def _kept(one: DossierContext) -> dict[str, str] | None:
    """Return the stored change of this draft, None if it is about another draft."""
    kept = session.get(_SAID)
    return kept if isinstance(kept, dict) and kept.get("number") == one.dossier.number else None


def _sentence(found: Renewed) -> str:
    began = found.since is not None and found.since <= app_ctx().day()
    day = day_of(found.since) if began and found.since else ""
    parts = [say("redrafted.since", day=day) if day else say("redrafted.changed")]
    if found.new:
        parts.append(say("redrafted.new", count=found.new))
    if found.prices:
        before, now = (francs(one) for one in found.prices)
        parts.append(say("redrafted.price", before=before, now=now))
    parts.append(say("redrafted.kept"))
    if found.again:
        names = [label(found.definition.fields[one].label) for one in found.again]
        parts.append(say("redrafted.again", questions=", ".join(quoted(one, language()) for one in names)))
    return " ".join(parts)
