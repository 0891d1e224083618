"""The consent sheet of the counter as PDF: what the person agrees to, for which request, with two places to sign."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, g

from engine.services.context.app_context import NotFound
from engine.services.sign_in.agreements import sheet_of_act
from renderers.i18n.translations import whole_number
from renderers.pdf.documents import consent_pdf
from renderers.web.citizen.acts import theirs
from renderers.web.platform.access import draws, helper
from renderers.web.platform.dossier_context import agency_of, case, label, place_label
from renderers.web.platform.request_context import actor, app_ctx, file_response, language, say
from renderers.web.shared.agreements import asked_agreement

blueprint = Blueprint("counter_agreement", __name__)


@blueprint.get("/agent/guichet/<number>/actes/<act_id>/accord.pdf")
@helper
def sheet(number: str, act_id: str) -> Response:
    """Serve the sheet by which the person agrees to one act. Raises `NotFound` if the act asks for none now."""
    one = case(number)
    offer = next((offer for offer in theirs(one) if offer.open and offer.transition.id == act_id), None)
    if offer is None or asked_agreement(one, act_id) is None:
        raise NotFound
    about = [
        (say("counter.procedure"), one.title),
        (say("frame.number_long"), whole_number(one.dossier.number)),
        (say("counter.office"), place_label(one.dossier.office)),
    ]
    act = offer.transition
    asked = [say("agreement.act", act=label(act.label)), *((label(act.confirm),) if act.confirm else ())]
    return sheet_response(
        sheet_of_act(app_ctx(), actor(), one.dossier, act_id), one.dossier.label, asked, about, agency_of(one)
    )


@draws
def sheet_response(
    number: str, name: str, asked: Sequence[str], about: Sequence[tuple[str, str]], agency: str = ""
) -> Response:  # fmt: skip
    """Return the sheet with this number as PDF: what is `asked` of the person called `name`, and its request."""
    agent = g.myself
    rows = [(say("agreement.person"), name), *about, (say("agreement.agent"), agent.name)]
    offices = (app_ctx().directory.offices.get(one) for one in sorted(agent.offices))
    where = ", ".join(label(one.label) for one in offices if one is not None)
    body = consent_pdf(
        f"{number[:4]} {number[4:]}", name, asked, [*rows, *([(say("agreement.where"), where)] if where else [])],
        agency, app_ctx().wording, language(), app_ctx().now(), app_ctx().settings.marks_specimen,
    )  # fmt: skip
    return file_response(body, "application/pdf", f"accord-{number}.pdf", inline=True)
