"""Which edition of a procedure an address means: a number, a fingerprint, the one in service; a plain page when there is none."""

from __future__ import annotations

import json

from flask import Response, request

from engine.core.problems import InvalidDefinition
from engine.model import Procedure
from engine.publication.publications import edition_records
from engine.records.publications import Edition
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import app_ctx, file_response, page
from renderers.web.shared.staff import known, procedure_of

_LONGEST = 64


class UnknownEdition(LookupError):
    """A procedure of ours has no such edition."""

    def __init__(self, procedure: Procedure, asked: str) -> None:
        super().__init__(asked)
        self.procedure, self.asked = procedure, asked


def edition_asked(slug: str) -> Procedure:
    """The edition of `version` (a number) or `fingerprint`, else the one in service. Raises `NotFound` for an unknown
    procedure, `UnknownEdition`."""
    asked = request.args.get("version", "")[:_LONGEST] or request.args.get("fingerprint", "")[:_LONGEST]
    return edition_named(slug, asked) if asked else known(procedure_of(slug))


def edition_named(slug: str, asked: str) -> Procedure:
    """An edition by its number or its fingerprint; of a number kept under several texts, the one in service, else the last."""
    current = known(procedure_of(slug))
    if asked in (current.fingerprint, str(current.edition)):
        return current
    for record in edition_records(app_ctx().store, slug):
        if asked in (record.edition.fingerprint, str(record.edition.edition)):
            procedure = opened(record.edition)
            if procedure is not None:
                return procedure
    raise UnknownEdition(current, asked)


def opened(kept: Edition) -> Procedure | None:
    """The book of an edition that was kept; nothing when this version of the house cannot read it any more."""
    procedure = procedure_of(kept.procedure, fingerprint=kept.fingerprint)
    if procedure is not None:
        return procedure
    try:
        return app_ctx().catalogue.rebuild(kept)
    except InvalidDefinition:
        return None


def no_such_edition(unknown: UnknownEdition) -> Response:
    """A page, or a JSON answer, that says which editions there are."""
    numbers = sorted({one.edition.edition for one in edition_records(app_ctx().store, unknown.procedure.id)})
    if request.path.endswith(".json"):
        plain = {"error": "unknown_edition", "asked": unknown.asked, "editions": numbers}
        response = json_response(plain)
        response.status_code = 404
        return response
    return page(
        "auditor/no_edition.html", 404, slug=unknown.procedure.id, procedure=label(unknown.procedure.identity.title),
        asked=unknown.asked, numbers=numbers,
    )  # fmt: skip


def json_response(plain: object, name: str = "", *, shared: bool = True) -> Response:
    """Data that a person can read too; what is open (`shared`), pages of other sites may read."""
    body = json.dumps(plain, ensure_ascii=False, indent=1).encode()
    response = file_response(body, "application/json; charset=utf-8", name or "guichet.json", inline=True)
    if shared:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
