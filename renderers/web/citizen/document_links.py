"""Links that share one issued document, and the pages that the holder of a link sees."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, g, session

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.domain.documents.documents import status_of
from engine.records.exchanges import Share
from engine.services.applications.document_links import LASTS, Lent, lend, lent, shares_of, take_back
from engine.services.applications.document_verification import read_document
from engine.services.context.app_context import NotFound
from renderers.i18n.translations import in_language
from renderers.web.platform.access import public, signed_in
from renderers.web.platform.dossier_context import DossierContext, case
from renderers.web.platform.errors import link_over, sentence
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    file_response,
    form_token,
    go,
    language,
    moment_of,
    new_token,
    page,
    say,
)
from renderers.web.platform.security import unlisted
from renderers.web.shared.issued_documents import drawn_document, paper_view

blueprint = Blueprint("document_links", __name__)


@dataclass(frozen=True, slots=True)
class ShareLine:
    """One share of a document in the list. `id` is the hash of its token."""

    id: str
    until: str
    opened: str


@blueprint.get("/dossiers/<number>/documents/<document_id>/partager")
@signed_in
def links(number: str, document_id: str) -> Response:
    """Show the shares of a document, with the form that creates one."""
    return _page(case(number), document_id)


@blueprint.post("/dossiers/<number>/documents/<document_id>/partager")
@signed_in
def make(number: str, document_id: str) -> Response:
    """Create a share and redirect to the list, which shows its link once.

    Shows the page again (422) with the reason if it is refused.
    """
    one = case(number)
    try:
        secret = lend(app_ctx(), actor(), one.id, document_id, token=form_token())
    except Refused as closed:
        return _page(one, document_id, sentence(closed.reason), 422)
    session["lent"] = f"{app_ctx().settings.base_url}/p/{secret}"
    return go(one.at(f"/documents/{document_id}/partager"))


@blueprint.post("/dossiers/<number>/documents/<document_id>/partager/<share>/retirer")
@signed_in
def end(number: str, document_id: str, share: str) -> Response:
    """End a share and redirect to the list."""
    one = case(number)
    take_back(app_ctx(), actor(), one.id, document_id, share[:64])
    session["note"] = say("share.ended")
    return go(one.at(f"/documents/{document_id}/partager"))


def _page(one: DossierContext, document_id: str, error: str = "", status: int = 200) -> Response:
    found = shares_of(app_ctx(), actor(), one.id, document_id)
    document = read_document(app_ctx(), actor(), one.id, document_id)
    return page(
        "citizen/share.html", status, dossier=one.dossier, title=document.title, error=error,
        here=one.at(f"/documents/{document_id}/partager"), lines=[_line(share) for share in found], days=LASTS.days,
        note=session.pop("note", ""), link=session.pop("lent", ""), token=new_token(),
    )  # fmt: skip


def _line(share: Share) -> ShareLine:
    seen = moment_of(share.opened_at) if share.opened_at else ""
    opened = say("share.opened", count=share.opens, moment=seen) if share.opens else say("share.never")
    return ShareLine(share.token_sha256, moment_of(share.expires_at), opened)


@blueprint.get("/p/<token>")
@public
def shown(token: str) -> Response:
    """Show the shared document and whether it is valid, without sign-in. An ended share shows that it is over."""
    g.shareable = False
    found = _lent(token)
    if found is None:
        return link_over("share.over", "share.over_text")
    document = found.document
    agency = app_ctx().directory.agencies.get(found.procedure.identity.agency)
    details = [
        (say("verdict.number"), document.number), (say("verdict.agency"), in_language(agency.label if agency else None, language())),
        *document.content,
    ]  # fmt: skip
    state = status_of(document, local_day(app_ctx().now()))
    view = paper_view(document.paper, app_ctx().wording) if document.paper is not None else None
    return unlisted(page(
        "citizen/shared.html", title=document.title, details=details, kind="ok" if state == "valid" else "act",
        said=say(f"verdict.{state}"), pdf=f"/p/{token}.pdf",
        until=moment_of(found.until), code=document.code, view=view,
    ))  # fmt: skip


@blueprint.get("/p/<token>.pdf")
@public
def shown_pdf(token: str) -> Response:
    """Serve the shared document as PDF, without sign-in. An ended share shows that it is over."""
    g.shareable = False
    found = _lent(token)
    if found is None:
        return link_over("share.over", "share.over_text")
    body = drawn_document(found.document, found.dossier, found.procedure)
    return file_response(body, "application/pdf", f"{found.document.number}.pdf")


def _lent(token: str) -> Lent | None:
    """Return the shared document of a token, None if it is unknown or over."""
    try:
        return lent(app_ctx(), token[:60])
    except NotFound:
        return None
