"""Issued documents: download by their owner, and public verification by QR code or twelve digits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from engine.core.clock import local_day
from engine.core.values import digits_only
from engine.domain.documents.documents import status_of
from engine.services.applications.document_verification import Verdict, is_code, jwks, read_document
from engine.services.applications.document_verification import verify as verdict_on
from engine.services.applications.drafts import see_form
from engine.services.audit.integrity import proof_of_sending
from engine.services.context.app_context import NUMBER_DIGITS, NotFound
from engine.services.core.outbound_messages import dossier_link
from engine.services.payments.receipts import NUMBER as RECEIPT_NUMBER
from engine.services.payments.receipts import ReceiptVerdict, is_receipt_code, verify_receipt, verify_receipt_number
from renderers.i18n.translations import in_language
from renderers.pdf.documents import summary_pdf
from renderers.web.citizen.linked_dossiers import linked_lines
from renderers.web.platform.access import dossier_page, draws, public
from renderers.web.platform.dossier_context import DossierContext, agency_of
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    asker,
    day_of,
    file_response,
    go,
    language,
    moment_of,
    note_served,
    page,
    say,
)
from renderers.web.platform.security import unlisted
from renderers.web.shared.answers import papers_of
from renderers.web.shared.issued_documents import PaperView, drawn_document, paper_view
from renderers.web.shared.money import francs, money_lines

blueprint = Blueprint("documents", __name__)
_KINDS = {"valid": "ok", "expired": "act", "replaced": "act", "suspended": "bad", "revoked": "bad", "unknown": "bad"}


@dossier_page(blueprint, "/documents/<document_id>.pdf")
@draws
def download(one: DossierContext, document_id: str) -> Response:
    """Serve an issued document as PDF, drawn again from the signed data.

    Raises `NotFound` if it is revoked or suspended.
    """
    document = read_document(app_ctx(), actor(), one.id, document_id)
    if status_of(document, local_day(app_ctx().now())) in ("revoked", "suspended"):
        raise NotFound
    return file_response(
        drawn_document(document, one.dossier, one.procedure), "application/pdf", f"{document.number}.pdf"
    )


@dossier_page(blueprint, "/recapitulatif.pdf")
@draws
def summary(one: DossierContext) -> Response:
    """Serve the submitted request as PDF: answers, received files and payments. Raises `NotFound` for a draft."""
    if one.dossier.is_draft:
        raise NotFound
    view = see_form(app_ctx(), actor(), one.id)
    prices = [(price.title, " ".join(price.lines)) for price in money_lines(one)]
    details = [
        (say("link.section"), [(link.title, link.named) for link in linked_lines(one)]),
        (say("track.files"), papers_of(view)),
        (say("money.title"), prices or [(say("check.to_pay"), say("counter.nothing_due"))]),
    ]
    body = summary_pdf(
        view, one.dossier, one.procedure, details, dossier_link(app_ctx(), one.dossier), agency_of(one), app_ctx().wording, language(),
        app_ctx().settings.marks_specimen,
    )  # fmt: skip
    return file_response(body, "application/pdf", f"recapitulatif-{one.dossier.number}.pdf")


@dossier_page(blueprint, "/preuve.json")
def proof(one: DossierContext) -> Response:
    """Serve the journal up to the submission as JSON, which can be verified without this site.

    Raises `NotFound` before the submission and for a reader who is not the owner.
    """
    body = json.dumps(proof_of_sending(app_ctx(), actor(), one.id), ensure_ascii=False, indent=1).encode()
    return file_response(body, "application/json", f"preuve-{one.dossier.number}.json")


@blueprint.get("/v")
@public
def verify_form() -> Response:
    """Show the verification form, or the verdict on a receipt number. A document code redirects to its verdict."""
    typed = {name: request.args.get(name, "").strip()[:60] for name in ("code", "quittance", "dossier")}
    if not request.args.keys() & typed.keys():
        return _verify_page(typed, {})
    if typed["quittance"] or typed["dossier"]:
        return _receipt_by_number(typed)
    digits = digits_only(typed["code"])
    if len(digits) != 12:
        return _verify_page(typed, {"code": say("verify.code_wrong")})
    return go(f"/v/{digits}")


def _verify_page(typed: Mapping[str, str], faults: Mapping[str, str]) -> Response:
    return page(
        "citizen/verify.html", 422 if faults else 200, typed=typed, faults=dict.fromkeys(typed, "") | faults,
        errors=[(f"#{name}", said) for name, said in faults.items()],
    )  # fmt: skip


def _receipt_by_number(typed: Mapping[str, str]) -> Response:
    receipt = typed["quittance"].upper()
    faults = {
        "quittance": "" if RECEIPT_NUMBER.fullmatch(receipt) else say("verify.receipt_wrong"),
        "dossier": "" if len(digits_only(typed["dossier"])) == NUMBER_DIGITS else say("verify.dossier_wrong"),
    }
    faults = {name: said for name, said in faults.items() if said}
    if faults:
        return _verify_page(typed, faults)
    found = verify_receipt_number(app_ctx(), receipt, typed["dossier"], asker())
    note_served()
    return _receipt_page(found)


@blueprint.get("/v/<token>")
@blueprint.get("/V/<token>")
@public
def verify(token: str) -> Response:
    """Show the verdict on the code of a document or of a receipt. Requests are counted to limit guessing.

    The square of a paper holds the address in capitals. Older documents and receipts hold the other one.
    """
    if is_receipt_code(token):
        return _receipt_page(verify_receipt(app_ctx(), token))
    found = verdict_on(app_ctx(), token[:60], asker())
    if is_code(token[:60]):
        note_served()
    if found.paper is not None:  # an altered paper differs from what it says
        view, lines = paper_view(found.paper, app_ctx().wording), [*_worth_lines(found), say("verdict.paper.compare")]
        return _verdict_page(_KINDS[found.kind], _state(found), lines, _details(found), view, found.specimen)
    if found.erased_on is not None:
        lines = [say("verdict.erased", day=day_of(found.erased_on)), *_worth_lines(found)]
        return _verdict_page(_KINDS[found.kind], _state(found), lines, _details(found))
    details = _details(found) if found.kind != "unknown" else []
    kind, title = _KINDS[found.kind], say(f"verdict.{found.kind}")
    return _verdict_page(kind, title, _lines(found), details, specimen=found.specimen)


def _state(found: Verdict) -> str:
    """Return the state of a document in a few words, with its day."""
    on = found.valid_until if found.kind == "expired" else found.changed_on
    if on is None and found.kind != "valid":
        return say(f"verdict.{found.kind}")
    day = day_of(on).replace("\N{NO-BREAK SPACE}", " ") if on else ""  # a title of a phone may be narrower than a day
    return say(f"verdict.state.{found.kind}", day=day)


def _worth_lines(found: Verdict) -> list[str]:
    lines = [say("verdict.paper.genuine")]
    return lines if found.kind == "valid" else [*lines, say(f"verdict.paper.{found.kind}")]


def _receipt_page(found: ReceiptVerdict) -> Response:
    """Show the verdict on a receipt, with only the data needed to compare it."""
    lines = [say(f"verdict.receipt.text.{found.kind}")]
    if found.kind == "unknown":
        return _verdict_page("bad", say("verdict.receipt.unknown"), [*lines, say("verdict.receipt.unknown_check")], [])
    details = [
        (say("verdict.number"), found.receipt),
        (say("payment.amount"), francs(found.amount)),
        (say("payment.paid_on"), day_of(found.paid_on) if found.paid_on else ""),
        (say("payment.by"), found.payer),
        (say("pdf.procedure"), in_language(found.title, language()) if found.title else ""),
        (say("verdict.agency"), in_language(found.agency, language())),
        (say("pdf.dossier"), found.dossier),
        (say("verdict.receipt.repaid_part"), francs(found.repaid) if found.repaid else ""),
    ]
    kind, title = "act" if found.kind == "repaid" else "ok", say(f"verdict.receipt.{found.kind}")
    return _verdict_page(kind, title, lines, details, specimen=app_ctx().settings.marks_specimen)


def _verdict_page(
    kind: str, title: str, lines: list[str], details: list[tuple[str, str]], view: PaperView | None = None,
    specimen: bool = False,
) -> Response:  # fmt: skip
    details = [(name, value) for name, value in details if value]
    return unlisted(page(
        "citizen/verification.html", 200 if details else 404, verdict={"kind": kind, "title": title, "lines": lines}, details=details,
        view=view, specimen=specimen, host=urlsplit(app_ctx().settings.base_url).netloc, checked=moment_of(app_ctx().now()),
    ))  # fmt: skip


def _lines(found: Verdict) -> list[str]:
    on = found.valid_until if found.kind == "expired" else found.changed_on
    day = day_of(on) if on else ""
    lines = [say(f"verdict.text.{found.kind}", day=day)]
    lines += [say("verdict.text.unknown_check")] if found.kind == "unknown" else []
    return [*lines, say("verdict.text.scan")] if found.kind == "valid" and found.readable else lines


def _details(found: Verdict) -> list[tuple[str, str]]:
    """Return only the data needed to compare a document with its verdict."""
    return [
        (say("verdict.document"), in_language(found.title, language()) if found.title else ""),
        (say("verdict.number"), found.number),
        (say("verdict.holder"), found.holder),
        (say("verdict.agency"), in_language(found.issuer, language())),
        (say("verdict.issued"), day_of(found.issued_on) if found.issued_on else ""),
        (
            say("verdict.until"),
            day_of(found.valid_until) if found.valid_until and found.kind not in ("revoked", "replaced") else "",
        ),
    ]


@blueprint.get("/.well-known/jwks.json")
@public
def keys() -> Response:
    """Return the public keys that verify signatures, as a JSON Web Key Set."""
    return jsonify(dict(jwks(app_ctx())))
