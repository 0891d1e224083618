"""The auditor's start page, and the journal of one dossier with its verification."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from engine.core.problems import Refused
from engine.core.values import digits_only
from engine.domain.reporting.remarks import Remark, remarks_on
from engine.records.dossier import Dossier
from engine.services.accounts.access_log import note_reading, noted_motive, readings_of
from engine.services.applications.drafts import procedure_of, see
from engine.services.audit.integrity import checked_journal, export, signed_place
from engine.services.context.app_context import NotFound
from renderers.web.agents.sign_in import enrolment_qr, next_step, passed
from renderers.web.auditors.entries import entry_lines
from renderers.web.auditors.procedures import page_of_procedures, procedure_line
from renderers.web.platform.access import auditor, public
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused
from renderers.web.platform.request_context import (
    AUDITOR_AREA,
    actor,
    app_ctx,
    dossier_number,
    file_response,
    form_token,
    go,
    moment_of,
    new_token,
    say,
)
from renderers.web.shared.staff import people, role_label, short_moment, sign_in_page, sign_out_of, staff_page
from renderers.web.shared.statuses import departs_from_journal

blueprint = Blueprint("auditor", __name__)


# -- sign-in -----------------------------------------------------------------------------------------------------------


@blueprint.route("/audit/connexion", methods=["GET", "POST"])
@public
def sign_in() -> Response:
    """Show the sign-in of auditors. A post checks name and password and leads to the second factor."""
    return sign_in_page(AUDITOR_AREA, "auditor", passed)


@blueprint.route("/audit/connexion/suite", methods=["GET", "POST"])
@public
def second_step() -> Response:
    """Show the next step of the sign-in, or check its answer."""
    return next_step(AUDITOR_AREA)


@blueprint.get("/audit/connexion/qr.svg")
@public
def enrolment_code() -> Response:
    """Serve the QR code of the second factor during its set-up."""
    return enrolment_qr(AUDITOR_AREA)


@blueprint.post("/audit/deconnexion")
@auditor
def leave() -> Response:
    """Sign the auditor out and redirect to the sign-in."""
    return sign_out_of(AUDITOR_AREA, "/audit/connexion")


# -- the start page ----------------------------------------------------------------------------------------------------


@blueprint.get("/audit")
@auditor
def home() -> Response:
    """Show the procedures in force with their numbers of dossiers. `numero` opens the dossier of that number."""
    typed = request.args.get("numero", "").strip()[:40]
    digits = digits_only(typed)
    if len(digits) == 11:
        return go(f"/audit/dossiers/{digits}")
    errors = [("#numero", say("follow.number_wrong"))] if typed else []
    here = page_of_procedures("/audit/demarches")
    lines = [procedure_line(one) for one in here.items]
    return staff_page("auditor/home.html", 422 if errors else 200, lines=lines, here=here, typed=typed, errors=errors)


# -- one dossier -------------------------------------------------------------------------------------------------------


@blueprint.get("/audit/dossiers/<number>")
@auditor
def dossier(number: str) -> Response:
    """Ask for the reason first. Then show the journal of the dossier, verified, with the recorded reason."""
    one = see(app_ctx(), actor(), dossier_number(number))
    reading = request.args.get("lecture", "")[:60]
    motive = noted_motive(app_ctx(), actor(), one.id, reading) if reading else None
    if motive is None:
        return _ask_motive(one)
    entries, broken = checked_journal(app_ctx(), actor(), one.id)
    procedure = procedure_of(app_ctx(), one)
    query = urlencode({"lecture": reading})
    return staff_page(
        "auditor/journal.html", dossier=one, slug=one.procedure, procedure=label(procedure.identity.title), motive=motive, broken=broken,
        because=say(f"audit.because_{broken.reason}") if broken else "", departs=departs_from_journal(one),
        edition=procedure.identity.edition, remarks=_remarks(remarks_on(procedure, one, entries)),
        lines=entry_lines(one, procedure, entries, broken), count=len(entries), readers=_readers(one),
        circuit=f"/audit/demarches/{one.procedure}/circuit?fingerprint={one.fingerprint}",
        head=entries[-1].hash if entries else "", again=f"/audit/dossiers/{number}?{query}",
        export=f"/audit/dossiers/{number}/journal.json?{query}", file=f"{number}.json", signed=_signed(one),
    )  # fmt: skip


def _signed(one: Dossier) -> tuple[str, str]:
    """Return the tag and the sentence on the signed checkpoint that contains the entries. No tag before the first."""
    found = signed_place(app_ctx(), actor(), one.id)
    if found is None:
        return "", say("audit.signed_not_yet")
    n, journal = found
    at = say("audit.signed_tag", at=(short_moment(journal.at) or ("", "", ""))[1])
    return at, say("audit.signed", count=n, size=journal.size, at=moment_of(journal.at))


def _remarks(found: Iterable[Remark]) -> list[tuple[str, list[int]]]:
    """Return each remark as a sentence, and the entries that it rests on."""
    found = tuple(found)
    names = people(one.by for one in found)
    return [
        (
            say(f"audit.remark_{one.code}", count=len(one.entries), name=names.get(one.by) or say("desk.unknown_person")),
            list(one.entries),
        )
        for one in found
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reader:
    """A person who opened the dossier: as what, and when last (ISO, short, in words)."""

    name: str
    role: str
    last: tuple[str, str, str] | None


def _readers(one: Dossier) -> list[Reader]:
    """Return the agents and auditors who opened the dossier, the latest first."""
    found: dict[tuple[str, str], list[datetime]] = {}
    for reading in readings_of(app_ctx(), actor(), one.id):
        found.setdefault((reading.account, reading.role), []).append(reading.at)
    names = people(account for account, _ in found)
    return [
        Reader(
            names.get(account) or say("desk.unknown_person"), role_label(role) if role else say("journal.auditor"),
            short_moment(max(times)),
        )
        for (account, role), times in found.items()
    ]  # fmt: skip


def _ask_motive(one: Dossier, error: str = "") -> Response:
    procedure = procedure_of(app_ctx(), one)
    errors = [("#motive", error)] if error else []
    return staff_page(
        "auditor/reason.html", 422 if error else 200, dossier=one, procedure=label(procedure.identity.title), errors=errors,
        token=new_token(),
    )  # fmt: skip


@blueprint.post("/audit/dossiers/<number>")
@auditor
def read(number: str) -> Response:
    """Record the reason in the dossier's journal, then redirect to the journal."""
    one = see(app_ctx(), actor(), dossier_number(number))
    try:
        reading = note_reading(app_ctx(), actor(), one.id, request.form.get("motive", ""), token=form_token())
    except Refused as closed:
        if closed.reason.code == "reason_missing":
            return _ask_motive(one, say("audit.motive_empty"))
        return refused(closed.reason, f"/audit/dossiers/{number}")
    return go(f"/audit/dossiers/{number}?{urlencode({'lecture': reading})}")


@blueprint.get("/audit/dossiers/<number>/journal.json")
@auditor
def evidence(number: str) -> Response:
    """Serve the journal as JSON, which can be verified without this site.

    Raises `NotFound` without a recorded reason.
    """
    one = see(app_ctx(), actor(), dossier_number(number))
    if noted_motive(app_ctx(), actor(), one.id, request.args.get("lecture", "")[:60]) is None:
        raise NotFound
    body = json.dumps(export(app_ctx(), actor(), one.id), ensure_ascii=False, indent=1).encode()
    return file_response(body, "application/json", f"{one.number}.json")
