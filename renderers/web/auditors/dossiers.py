"""The auditor's start page, and the journal of one dossier with its verification."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from engine.core.problems import Refused
from engine.core.values import Plain, digits_only
from engine.domain.fields.raw_answers import OTHER
from engine.journal.chain import Break, JournalEntry
from engine.model import Procedure
from engine.records.codec import instant_text
from engine.records.dossier import Dossier
from engine.services.accounts.access_log import note_reading, noted_motive
from engine.services.applications.drafts import procedure_of, see
from engine.services.audit.integrity import checked_journal, export, signed_place
from engine.services.context.app_context import NotFound
from renderers.i18n.translations import quoted
from renderers.web.agents.sign_in import enrolment_qr, next_step, passed
from renderers.web.auditors.procedures import page_of_procedures, procedure_line
from renderers.web.platform.access import auditor, public
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import refused
from renderers.web.platform.request_context import (
    AUDITOR_AREA,
    actor,
    app_ctx,
    dossier_number,
    file_response,
    form_token,
    go,
    language,
    moment_of,
    new_token,
    say,
    site,
)
from renderers.web.shared.money import provider_label
from renderers.web.shared.staff import role_label, sign_in_page, sign_out_of, staff_page
from renderers.web.shared.statuses import departs_from_journal

blueprint = Blueprint("auditor", __name__)

_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_SHORT = 8  # characters of a hash in a line
_UNSAID = frozenset(
    {"revision", "sequence", "seat", "hands", "series", "serial", "salts"}
)  # used by `fsck`, of no interest to a reader


_CODED = frozenset({"status", "why", "event", "timer", "channel", "end", "consent", "confirmed", "seen"})


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment in words, and exactly as the journal records it."""

    said: str
    exact: str


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One journal entry as the page shows it, with hashes and ids cut.

    `broken` marks the first invalid entry and all after it.
    """

    rank: int
    at: Instant
    actor: str
    actor_id: str
    kind: str
    facts: tuple[tuple[str, str, str], ...]  # name, text, exact instant (if it is one)
    edition: str
    hash: str
    previous: str
    broken: bool


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
        lines=[_entry_line(_procedure_then(one, entry) or procedure, entry, broken) for entry in entries], count=len(entries),
        head=entries[-1].hash if entries else "", again=f"/audit/dossiers/{number}?{query}",
        export=f"/audit/dossiers/{number}/journal.json?{query}", file=f"{number}.json", signed=_signed(one),
    )  # fmt: skip


def _signed(one: Dossier) -> str:
    """Return the sentence on the signed checkpoint that contains the entries."""
    found = signed_place(app_ctx(), actor(), one.id)
    if found is None:
        return say("audit.signed_not_yet")
    n, journal = found
    return say("audit.signed", count=n, size=journal.size, at=moment_of(journal.at))


def _procedure_then(one: Dossier, entry: JournalEntry) -> Procedure | None:
    """Return the edition of an entry. The dossier may have migrated since."""
    return app_ctx().catalogue.edition(one.procedure, entry.edition)


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


def _entry_line(procedure: Procedure, entry: JournalEntry, broken: Break | None) -> EntryLine:
    words = site().words
    kind = say(f"journal.{entry.kind}") if words.has(f"journal.{entry.kind}") else say("journal.other", kind=entry.kind)
    return EntryLine(
        entry.n, Instant(moment_of(entry.at), instant_text(entry.at)), say(f"journal.{_actor_kind(entry)}"),
        entry.actor[:_SHORT] if entry.actor != entry.actor_kind else "", kind, tuple(_facts(procedure, entry.body)),
        entry.edition[:_SHORT], entry.hash[:_SHORT], entry.previous[:_SHORT], broken is not None and entry.n >= broken.n,
    )  # fmt: skip


def _actor_kind(entry: JournalEntry) -> str:
    if isinstance(entry.body, dict) and entry.body.get("asked"):  # a command was run
        return "command"
    return entry.actor_kind if site().words.has(f"journal.{entry.actor_kind}") else "anonymous"


def _facts(procedure: Procedure, body: Plain) -> Iterable[tuple[str, str, str]]:
    """Yield the facts of an entry, with codes as words of its edition. Technical fields are left out."""
    for name, value in body.items() if isinstance(body, dict) else ():
        if (
            value in (None, "", [], {})
            or name in _UNSAID
            or (name == "extra" and not value)
            or (name == "state" and "target" in body)
        ):
            continue
        if name == "transition" and "event" in body:  # an automatic transition: its states and event are enough
            continue
        key = f"journal.fact.{name}"
        title = say(key) if site().words.has(key) else name
        said = ", ".join(_said(procedure, name, one) for one in _each(name, value))
        if not said:
            continue
        yield title, said, value if isinstance(value, str) and _INSTANT.fullmatch(value) else ""


def _each(name: str, value: Plain) -> list[Plain]:
    """Return the values of a fact. Commitments are counted, and sums are named by their fees."""
    if name == "commits":
        said = sum(not one.startswith("rows.") for one in value) if isinstance(value, dict) else 0
        return [str(said)] if said else []
    if name == "names" and isinstance(value, dict):
        return [f"{old} → {new or '–'}" for old, new in value.items()]
    if isinstance(value, dict):
        return list(value)
    return value if isinstance(value, list) else [value]


def _said(procedure: Procedure, name: str, value: Plain) -> str:
    words = site().words
    if isinstance(value, bool):
        return words.yes_no(value, language())
    if isinstance(value, int) and name == "size":
        return words.size(value, language())
    if isinstance(value, int):
        return words.money(value, language()) if name in ("amount", "extra") else str(value)
    text = str(value)
    if name in ("state", "source", "target") and text in procedure.states:
        return label(procedure.states[text].label)
    if name in ("by", "escalate"):
        return _coded(text) or role_label(text)
    if name in _CODED and _coded(text):
        return _coded(text)
    if name == "provider":
        return provider_label(text)
    if name == "page":
        return next((label(page.title) for page in procedure.form.pages if page.id == text), text)
    if name == "office":
        return place_label(text) or text
    if _INSTANT.fullmatch(text) or _ISO_DAY.fullmatch(text):
        return words.facts({"at": text}, language())["at"]
    return _named(procedure, text)


def _coded(text: str) -> str:
    """Return the word of a code in French, empty for any other text."""
    key = f"journal.value.{text.partition(':')[0]}"
    return say(key) if site().words.has(key) else ""


def _named(procedure: Procedure, text: str) -> str:
    """Return the label of an id of the procedure, any other text unchanged."""
    code = text.removeprefix("answers.")
    whole = code.removesuffix(f"_{OTHER}")
    if whole != code and code not in procedure.fields and whole in procedure.fields:  # the text given with « Autre »
        return say("journal.detail", question=quoted(label(procedure.fields[whole].label), language()))
    thing = procedure.fields.get(code) or procedure.tasks.get(code) or procedure.things.get(code)
    found = getattr(thing, "label", None) or getattr(thing, "title", None)
    if found is None:
        found = next((transition.label for transition in procedure.transitions if transition.id == code), None)
    return quoted(label(found), language()) if found else text
