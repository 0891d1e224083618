"""The page of one issued document, the links that share it, and the pages that the holder of a link sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, session

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.domain.common.access import is_owner
from engine.domain.documents.documents import status_of
from engine.model import Procedure
from engine.records.dossier import IssuedDocument
from engine.records.exchanges import Share
from engine.services.applications.document_links import LASTS, Lent, lend, lent, shares_of, take_back
from engine.services.applications.document_verification import read_document
from engine.services.context.app_context import NotFound
from renderers.i18n.language_spans import LanguageSpan
from renderers.i18n.translations import in_language
from renderers.pdf.qr import qr_path
from renderers.web.platform.access import draws, public, signed_in
from renderers.web.platform.dossier_context import DossierContext, case
from renderers.web.platform.errors import link_over, sentence
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    day_of,
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


@blueprint.get("/dossiers/<number>/documents/<document_id>")
@blueprint.get("/dossiers/<number>/documents/<document_id>/partager")
@signed_in
def document(number: str, document_id: str) -> Response:
    """Show an issued document: what it is worth today, its facts, its code to scan, and its links to the owner.

    A document that is not valid has no code. Raises `NotFound` once it is erased.
    """
    one = case(number)
    shown = read_document(app_ctx(), actor(), one.id, document_id)
    state, on = status_of(shown, local_day(app_ctx().now())), shown.valid_until
    scanned = state == "valid" and one.procedure.outputs[shown.output].verify != "none"
    return page(
        "citizen/document.html", dossier=one.dossier, title=shown.title, holder=shown.holder, state=state,
        details=[*_facts(shown, one.procedure), (say("verdict.until"), day_of(on) if on else say("verdict.forever"))],
        square=qr_path(_address(shown)) if scanned else None, digits=" ".join(wrap(shown.code, 4)),
        site=f"{urlsplit(app_ctx().settings.short_url).netloc}/v", here=one.at(f"/documents/{document_id}"),
        lines=_shares(one, document_id), days=LASTS.days if is_owner(one.dossier, actor()) else 0, token=new_token(),
        note=session.pop("note", ""), error=session.pop("refused", ""), link=_made_here(document_id),
    )  # fmt: skip


def _made_here(document_id: str) -> str:
    """Return the link just made for this document, once.

    Another tab, or another person at this browser, opens pages of other documents.
    """
    made = session.get("lent")
    if not isinstance(made, list) or made[0] != document_id:
        return ""
    return str(session.pop("lent")[1])


def _facts(shown: IssuedDocument, procedure: Procedure) -> list[tuple[str, str]]:
    """Return what a document states first: its number, who issued it and what its verification shows.

    A paper is read in the language of the page if it has a translation, else marked with its own.
    """
    if shown.paper is not None:
        view = paper_view(shown.paper, app_ctx().wording).first_in(language())[0]
        rows = ((row[0], " ".join(row[1:])) for zone in view.zones[:1] for row in zone.rows)
        if view.language == language():
            return list(rows)
        return [(_in(view.language, asked), _in(view.language, said)) for asked, said in rows]
    agency = app_ctx().directory.agencies.get(procedure.identity.agency)
    return [
        (say("verdict.number"), shown.number), (say("verdict.agency"), in_language(agency.label if agency else None, language())),
        *shown.content,
    ]  # fmt: skip


def _in(spoken: str, text: str) -> str:
    return LanguageSpan.in_language(text, spoken)


def _address(shown: IssuedDocument) -> str:
    """Return the address that the code on the paper holds."""
    verify = (shown.paper or {}).get("verify")
    printed = verify.get("address") if isinstance(verify, Mapping) else None
    return str(printed) if printed else f"{app_ctx().settings.short_url}/v/{shown.token}"


def _shares(one: DossierContext, document_id: str) -> list[ShareLine]:
    try:
        return [_line(share) for share in shares_of(app_ctx(), actor(), one.id, document_id)]
    except NotFound:  # a reader, or a document that is not shared any more
        return []


@blueprint.post("/dossiers/<number>/documents/<document_id>/partager")
@signed_in
def make(number: str, document_id: str) -> Response:
    """Create a share and redirect to the page of the document, which shows its link once, or why it is refused."""
    one = case(number)
    try:
        secret = lend(app_ctx(), actor(), one.id, document_id, token=form_token())
    except Refused as closed:
        session["refused"] = sentence(closed.reason)
    else:
        session["lent"] = [document_id, f"{app_ctx().settings.base_url}/p/{secret}"]
    return go(one.at(f"/documents/{document_id}"))


@blueprint.post("/dossiers/<number>/documents/<document_id>/partager/<share>/retirer")
@signed_in
def end(number: str, document_id: str, share: str) -> Response:
    """End a share and redirect to the page of the document."""
    one = case(number)
    take_back(app_ctx(), actor(), one.id, document_id, share[:64])
    session["note"] = say("share.ended")
    return go(one.at(f"/documents/{document_id}"))


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
    lent_one = found.document
    state = status_of(lent_one, local_day(app_ctx().now()))
    view = paper_view(lent_one.paper, app_ctx().wording) if lent_one.paper is not None else None
    return unlisted(page(
        "citizen/shared.html", title=lent_one.title, details=_facts(lent_one, found.procedure), kind="ok" if state == "valid" else "act",
        said=say(f"verdict.{state}"), pdf=f"/p/{token}.pdf",
        until=moment_of(found.until), code=lent_one.code, view=view,
    ))  # fmt: skip


@blueprint.get("/p/<token>.pdf")
@public
@draws
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
