"""Verification of issued documents by third parties, and reading by the owner.

A document is found by its QR code or by twelve digits. The code is on the paper: who scans it sees what a paper says.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal, TypeAlias

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.core.values import Plain, Text, digits_only, has_check_digit
from engine.domain.documents.content import issuer_of
from engine.domain.documents.documents import check_claims, is_erased, masked, status_of
from engine.domain.documents.paper_tokens import read_token
from engine.model import Procedure
from engine.records.dossier import Actor, Dossier, IssuedDocument
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.rate_limit import Limit, too_many
from engine.services.limits.code_limits import CHECKS_PER_BROWSER, UNKNOWN_ASKER, Asker, limits_of
from engine.storage.results import GLANCE
from engine.storage.unit_of_work import Unit

Kind: TypeAlias = Literal["valid", "expired", "revoked", "suspended", "replaced", "unknown"]

CODE_DIGITS: Final = 12
LONGEST_NUMBER: Final = 80  # signs of the number on a paper


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a third party may know of a document.

    `holder` shows initials only. `paper` is all that was frozen, for who has its token; None for the twelve digits and
    where the definition says so. `readable`: its square shows that. `specimen`: its paper is without value. `unknown` reveals nothing else.
    """

    kind: Kind
    title: Text | None = None
    number: str = ""
    issuer: Text | None = None
    holder: str = ""
    issued_on: date | None = None
    valid_until: date | None = None
    changed_on: date | None = None
    paper: Mapping[str, Plain] | None = None
    erased_on: date | None = None  # of a document with a paper
    specimen: bool = False
    readable: bool = False


UNKNOWN: Final = Verdict("unknown")
LOOKED_UP: Final = 30  # papers by one agent in a quarter of an hour: their numbers follow each other


def is_code(token_or_code: str) -> bool:
    """Return whether a text is twelve digits, which are counted as a try.

    The token of a QR code has 128 bits and needs no count.
    """
    signs = any(sign.isalpha() or sign in "_" for sign in token_or_code)
    return len(digits_only(token_or_code)) == CODE_DIGITS and not signs


def verify(ctx: AppContext, token_or_code: str, asker: Asker = UNKNOWN_ASKER) -> Verdict:
    """Return the validity of a document today, by its QR token or its twelve digits.

    Raises Refused("too_many_tries").
    """
    digits, by_code = digits_only(token_or_code), is_code(token_or_code)
    if by_code and asker != UNKNOWN_ASKER:
        _count(ctx, asker)
    if by_code and not has_check_digit(digits):
        return UNKNOWN
    with ctx.store.unit() as unit:
        found = unit.document_by_code(digits) if by_code else unit.document_by_token(read_token(token_or_code))
        dossier = unit.dossier(found[0]) if found else None
        if found is None or dossier is None:
            return UNKNOWN
        procedure = pinned(ctx, unit, dossier)
        verdict = _verdict(ctx, procedure, dossier, found[1])
        if verdict is UNKNOWN or procedure.outputs[found[1].output].verify != "token":
            return verdict
        if is_erased(found[1]):
            return replace(verdict, erased_on=_erased_on(unit, dossier, found[1]))
    paper = found[1].paper
    return replace(verdict, readable=paper is not None) if by_code else replace(verdict, paper=paper)


def _verdict(ctx: AppContext, procedure: Procedure, dossier: Dossier, document: IssuedDocument) -> Verdict:
    output = procedure.outputs.get(document.output)
    if output is None or output.verify == "none" or not is_intact(ctx, procedure, document):
        return UNKNOWN
    agency, office = issuer_of(procedure, output, dossier.office, ctx.directory)
    issuer = (office.issuer if office else None) or (agency.label if agency else None)
    changed = local_day(document.changed_at) if document.changed_at else None
    return Verdict(
        status_of(document, local_day(ctx.now())), title_of(document, dossier.language), document.number, issuer,
        masked(document.holder), local_day(document.issued_at), document.valid_until, changed,
        specimen=bool((document.paper or {}).get("specimen")),
    )  # fmt: skip


def title_of(document: IssuedDocument, language: str) -> Text:
    """Return the title of a document as it is printed, in each language of its paper. Without a paper, in `language`."""
    paper = document.paper or {}
    courtesy = paper.get("courtesy")
    versions = [paper, *(courtesy if isinstance(courtesy, list | tuple) else ())]
    titles = {
        str(one["lang"]): str(one["title"])
        for one in versions
        if isinstance(one, Mapping) and {"lang", "title"} <= one.keys()
    }
    return Text.of(titles or {language: document.title})


def _erased_on(unit: Unit, dossier: Dossier, document: IssuedDocument) -> date | None:
    """Return when the content of a document was erased: on its own, after its dossier, or with it."""
    erasures = [one for one in unit.entries(dossier.id) if one.kind == "erased"]
    own = (one.at for one in erasures if _names(one.body, document))
    whole = (one.at for one in erasures if one.at >= document.issued_at and _names_all(one.body))
    at = next(own, next(whole, dossier.erased_at))
    return local_day(at) if at is not None else None


def _names(body: Plain, document: IssuedDocument) -> bool:
    return isinstance(body, Mapping) and body.get("number") == document.number


def _names_all(body: Plain) -> bool:
    return isinstance(body, Mapping) and "how" in body


def is_intact(ctx: AppContext, procedure: Procedure, document: IssuedDocument) -> bool:
    """Return whether the stored document equals the signed one, as far as it was not erased."""
    claims = ctx.keys.check(document.jws)
    if claims is None:
        return False
    faults = check_claims(document, claims, procedure, procedure.identity.agency)
    return not faults or (is_erased(document) and faults == ("digest",))


def _count(ctx: AppContext, asker: Asker) -> None:
    with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:  # an uncounted try is not answered
        closed = too_many(unit, ctx.now(), *limits_of(asker, "verify", CHECKS_PER_BROWSER))
    if closed is not None:
        raise Refused(closed)


def read_document(ctx: AppContext, actor: Actor, dossier_id: str, document_id: str) -> IssuedDocument:
    """Return a document of a dossier to draw it again.

    Raises `NotFound` for an erased document and for an auditor, who sees only that it exists.
    """
    with ctx.store.unit() as unit:
        document = seen(unit, ctx, actor, dossier_id).document(document_id)
    if document is None or is_erased(document) or actor.kind == "auditor":
        raise NotFound
    return document


def number_on_paper(ctx: AppContext, actor: Actor, text: str) -> str:
    """Return the dossier number of a document, a receipt or a payment by its number, empty where the agent sees none.

    A text of digits only is none: dossiers, telephones and identifiers have such numbers. Raises
    Refused("too_many_tries").
    """
    number = " ".join(text.split())[:LONGEST_NUMBER]
    if actor.kind != "agent" or number.replace(" ", "").isdigit() or not digits_only(number):
        return ""
    with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:  # an uncounted try is not answered
        closed = too_many(unit, ctx.now(), Limit(f"papers:{actor.id}", LOOKED_UP))
    if closed is not None:
        raise Refused(closed)
    with ctx.store.unit() as unit, suppress(NotFound):
        return seen(unit, ctx, actor, unit.dossier_of_paper(number) or "").number
    return ""


def jwks(ctx: AppContext) -> Mapping[str, Plain]:
    """Return the public keys with which third parties verify signatures offline."""
    return ctx.keys.jwks()
