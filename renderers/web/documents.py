"""Documents delivered: downloading one's own, and checking anybody's paper by its QR or its twelve digits."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from engine.clock import local_day
from engine.office.inspection import proof_of_sending
from engine.office.intake import see_form
from engine.office.office import NotFound
from engine.office.verification import Verdict, jwks, read_document
from engine.office.verification import verify as verdict_on
from engine.rules.documents import status_of
from engine.values import digits_only
from renderers.certificate import document_pdf, summary_pdf
from renderers.web.base import actor, client, day_of, file_response, go, language, moment_of, office, page, say
from renderers.web.cases import Case, agency_of, case
from renderers.web.guards import public, signed_in
from renderers.web.links import linked_lines
from renderers.web.money import money_lines
from renderers.web.tracking import received_files
from renderers.words import in_language

blueprint = Blueprint("documents", __name__)
_KINDS = {"valid": "ok", "expired": "act", "replaced": "act", "suspended": "bad", "revoked": "bad", "unknown": "bad"}


@blueprint.get("/dossiers/<number>/documents/<document_id>.pdf")
@signed_in
def download(number: str, document_id: str) -> Response:
    return document_file(case(number), document_id)


def document_file(one: Case, document_id: str) -> Response:
    """A document delivered, as PDF, drawn again from what was signed."""
    document = read_document(office(), actor(), one.id, document_id)
    if status_of(document, local_day(office().now())) in ("revoked", "suspended"):
        raise NotFound
    address, spoken = f"{office().settings.short_url}/v", one.dossier.language  # its content is in that language
    agency = agency_of(one, spoken)
    body = document_pdf(document, one.procedure, one.dossier.number, agency, address, office().wording, spoken)
    return file_response(body, "application/pdf", f"{document.number}.pdf")


@blueprint.get("/dossiers/<number>/recapitulatif.pdf")
@signed_in
def summary(number: str) -> Response:
    """The request to keep: what was answered, the papers received, what was paid or is to be paid."""
    one = case(number)
    if one.dossier.is_draft:
        raise NotFound
    view = see_form(office(), actor(), one.id)
    prices = [(price.title, " ".join(price.lines)) for price in money_lines(one)]
    papers = [(paper.label, f"{paper.name}, {paper.text}") for paper in received_files(one, view)]
    facts = [
        (say("link.section"), [(link.title, link.named) for link in linked_lines(one)]),
        (say("track.files"), papers),
        (say("money.title"), prices or [(say("check.to_pay"), say("counter.nothing_due"))]),
    ]
    address = f"{office().settings.short_url}/d/{one.dossier.number}"
    body = summary_pdf(
        view, one.dossier, one.procedure, facts, address, agency_of(one), office().wording, language()
    )  # fmt: skip
    return file_response(body, "application/pdf", f"recapitulatif-{one.dossier.number}.pdf")


@blueprint.get("/dossiers/<number>/preuve.json")
@signed_in
def proof(number: str) -> Response:
    """What was sent, and when, to verify without us."""
    one = case(number)
    body = json.dumps(proof_of_sending(office(), actor(), one.id), ensure_ascii=False, indent=1).encode()
    return file_response(body, "application/json", f"preuve-{one.dossier.number}.json")


@blueprint.get("/v")
@public
def verify_form() -> Response:
    typed = request.args.get("code", "").strip()[:60]
    if not typed:
        return page("citizen/verify.html", errors=[], code="")
    digits = digits_only(typed)
    if len(digits) != 12:
        return page("citizen/verify.html", 422, errors=[("#code", say("verify.code_wrong"))], code=typed)
    return go(f"/v/{digits}")


@blueprint.get("/v/<token>")
@public
def verify(token: str) -> Response:
    found = verdict_on(office(), token[:60], client=client())
    lines = _lines(found)
    answer = page(
        "citizen/verdict.html", 404 if found.kind == "unknown" else 200,
        verdict={"kind": _KINDS[found.kind], "title": say(f"verdict.{found.kind}"), "lines": lines},
        facts=_facts(found) if found.kind != "unknown" else [], host=urlsplit(office().settings.base_url).netloc,
        checked=moment_of(office().now()),
    )  # fmt: skip
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _lines(found: Verdict) -> list[str]:
    on = found.valid_until if found.kind == "expired" else found.changed_on
    day = day_of(on) if on else ""
    lines = [say(f"verdict.text.{found.kind}", day=day)]
    return [*lines, say("verdict.text.unknown_check")] if found.kind == "unknown" else lines


def _facts(found: Verdict) -> list[tuple[str, str]]:
    """The least that lets a stranger compare with the paper."""
    until = day_of(found.valid_until) if found.valid_until else say("verdict.forever")
    if found.kind in ("revoked", "replaced"):
        until = ""  # the day when it ended is said above
    facts = [
        (say("verdict.document"), found.title),
        (say("verdict.number"), found.number),
        (say("verdict.holder"), found.holder),
        (say("verdict.agency"), in_language(found.agency, language())),
        (say("verdict.issued"), day_of(found.issued_on) if found.issued_on else ""),
        (say("verdict.until"), until),
    ]
    return [(name, value) for name, value in facts if value]


@blueprint.get("/.well-known/jwks.json")
@public
def keys() -> Response:
    """The public keys of our signatures."""
    return jsonify(dict(jwks(office())))
