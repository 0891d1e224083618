"""The page of one issued document, the links that share it, and the pages that the holder of a link sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from engine.services.applications.document_verification import read_document, title_of
from engine.services.context.app_context import NotFound
from renderers.i18n.language_spans import LanguageSpan
from renderers.i18n.translations import REFERENCE, in_language
from renderers.pdf.qr import qr_path
from renderers.web.platform.access import dossier_page, draws, public
from renderers.web.platform.dossier_context import DossierContext
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
from renderers.web.shared.issued_documents import drawn_document, operative_of, paper_view
from renderers.web.shared.outcomes import go_noting

blueprint = Blueprint("document_links", __name__)


@dossier_page(blueprint, "/documents/<document_id>")
def document(one: DossierContext, document_id: str) -> Response:
    """Show an issued document: what it is worth today, its facts, its code to scan, and its links to the owner.

    A document that is not valid has no code. Raises `NotFound` once it is erased.
    """
    shown = read_document(app_ctx(), actor(), one.id, document_id)
    state, output = status_of(shown, local_day(app_ctx().now())), one.procedure.outputs[shown.output]
    scanned = state == "valid" and output.verify != "none"
    until = [(say("verdict.until"), day_of(shown.valid_until))] if shown.valid_until and output.kind != "form" else []
    return page(
        "citizen/document.html", dossier=one.dossier, title=in_language(title_of(shown, one.dossier.language), language()),
        holder=shown.holder, state=state, details=[*_facts(shown, one.procedure), *until],
        operative=operative_of(shown.paper or {}, language()), proves=output.kind != "letter",
        square=qr_path(_address(shown)) if scanned else None, digits=" ".join(wrap(shown.code, 4)),
        site=f"{urlsplit(app_ctx().settings.short_url).netloc}/v", here=one.at(f"/documents/{document_id}"),
        lines=_shares(one, document_id), days=LASTS.days if is_owner(one.dossier, actor()) else 0, token=new_token(),
        note=session.pop("note", ""), error=session.pop("refused", ""), link=_made_here(document_id),
    )  # fmt: skip


blueprint.add_url_rule("/dossiers/<number>/documents/<document_id>/partager", "document")  # its former address


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
        marked = LanguageSpan.in_language
        return [(marked(asked, view.language), marked(said, view.language)) for asked, said in rows]
    agency = app_ctx().directory.agencies.get(procedure.identity.agency)
    return [
        (say("verdict.number"), shown.number), (say("verdict.agency"), in_language(agency.label if agency else None, language())),
        *shown.content,
    ]  # fmt: skip


def _address(shown: IssuedDocument) -> str:
    """Return the address that the code on the paper holds."""
    verify = (shown.paper or {}).get("verify")
    printed = verify.get("address") if isinstance(verify, Mapping) else None
    return str(printed) if printed else f"{app_ctx().settings.short_url}/v/{shown.token}"


def _shares(one: DossierContext, document_id: str) -> list[tuple[str, str, str]]:
    """Return the links of a document: the hash of each token, until when it opens, and how often it was opened."""
    try:
        return [_line(share) for share in shares_of(app_ctx(), actor(), one.id, document_id)]
    except NotFound:  # a reader, or a document that is not shared any more
        return []


@dossier_page(blueprint, "/documents/<document_id>/partager", "POST")
def make(one: DossierContext, document_id: str) -> Response:
    """Create a share and redirect to the page of the document, which shows its link once, or why it is refused."""
    try:
        secret = lend(app_ctx(), actor(), one.id, document_id, token=form_token())
    except Refused as closed:
        session["refused"] = sentence(closed.reason)
    else:
        session["lent"] = [document_id, f"{app_ctx().settings.base_url}/p/{secret}"]
    return go(one.at(f"/documents/{document_id}"))


@dossier_page(blueprint, "/documents/<document_id>/partager/<share>/retirer", "POST")
def end(one: DossierContext, document_id: str, share: str) -> Response:
    """End a share and redirect to the page of the document."""
    take_back(app_ctx(), actor(), one.id, document_id, share[:64])
    return go_noting(one.at(f"/documents/{document_id}"), say("share.ended"))


def _line(share: Share) -> tuple[str, str, str]:
    seen = moment_of(share.opened_at) if share.opened_at else ""
    opened = say("share.opened", count=share.opens, moment=seen) if share.opens else say("share.never")
    return share.token_sha256, moment_of(share.expires_at), opened


@blueprint.get("/p/<token>")
@public
def shown(token: str) -> Response:
    """Show the shared document and whether it is valid, without sign-in. An ended share shows that it is over."""
    return _of_link(token, lambda found: _shared_page(token, found))


def _shared_page(token: str, found: Lent) -> Response:
    lent_one = found.document
    state = status_of(lent_one, local_day(app_ctx().now()))
    view = paper_view(lent_one.paper, app_ctx().wording) if lent_one.paper is not None else None
    return unlisted(page(
        "citizen/shared.html", title=in_language(title_of(lent_one, REFERENCE), language()), details=_facts(lent_one, found.procedure), kind="ok" if state == "valid" else "act",
        said=say(f"verdict.{state}"), pdf=f"/p/{token}.pdf",
        until=moment_of(found.until), view=view,
        code=lent_one.code if found.procedure.outputs[lent_one.output].verify != "none" else "",
    ))  # fmt: skip


@blueprint.get("/p/<token>.pdf")
@public
@draws
def shown_pdf(token: str) -> Response:
    """Serve the shared document as PDF, without sign-in. An ended share shows that it is over."""
    return _of_link(token, _shared_file)


def _shared_file(found: Lent) -> Response:
    body = drawn_document(found.document, found.dossier, found.procedure)
    return file_response(body, "application/pdf", f"{found.document.number}.pdf")


def _of_link(token: str, draw: Callable[[Lent], Response]) -> Response:
    """Return what is drawn of the shared document, or the page of a link that is unknown or over."""
    g.shareable = False
    try:
        found = lent(app_ctx(), token[:60])
    except NotFound:
        return link_over("share.over", "share.over_text")
    return draw(found)
