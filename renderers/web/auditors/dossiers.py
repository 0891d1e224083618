"""The controller's desk: what runs, since when, how many dossiers; and the trail of one dossier, proven or broken."""

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
from renderers.web.shared.warnings import departs_from_journal

blueprint = Blueprint("auditor", __name__)

_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_SHORT = 8  # signs of a hash that a line shows
_UNSAID = frozenset(
    {"revision", "sequence", "seat", "hands", "series", "serial", "salts"}
)  # kept for `fsck`, no news to a reader


_CODED = frozenset({"status", "why", "event", "timer", "channel", "end", "consent", "confirmed", "seen"})


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment as clocks here say it, and as it is sealed."""

    said: str
    exact: str


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry of a journal as it is read."""

    rank: int
    at: Instant
    actor: str
    actor_id: str
    kind: str
    facts: tuple[tuple[str, str, str], ...]  # what it is, how it is said, the exact instant where it is one
    edition: str
    hash: str
    previous: str
    broken: bool


# -- the door ----------------------------------------------------------------------------------------------------------


@blueprint.route("/audit/connexion", methods=["GET", "POST"])
@public
def sign_in() -> Response:
    return sign_in_page(AUDITOR_AREA, "auditor", passed)


@blueprint.route("/audit/connexion/suite", methods=["GET", "POST"])
@public
def second_step() -> Response:
    return next_step(AUDITOR_AREA)


@blueprint.get("/audit/connexion/qr.svg")
@public
def enrolment_code() -> Response:
    return enrolment_qr(AUDITOR_AREA)


@blueprint.post("/audit/deconnexion")
@auditor
def leave() -> Response:
    return sign_out_of(AUDITOR_AREA, "/audit/connexion")


# -- what runs ---------------------------------------------------------------------------------------------------------


@blueprint.get("/audit")
@auditor
def home() -> Response:
    """`numero` opens the dossier of that number."""
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
    """Asks why first; the trail is shown under the reading that was noted."""
    one = see(app_ctx(), actor(), dossier_number(number))
    reading = request.args.get("lecture", "")[:60]
    motive = noted_motive(app_ctx(), actor(), one.id, reading) if reading else None
    if motive is None:
        return _ask_motive(one)
    entries, broken = checked_journal(app_ctx(), actor(), one.id)
    procedure = procedure_of(app_ctx(), one)
    query = urlencode({"lecture": reading})
    return staff_page(
        "auditor/trail.html", dossier=one, slug=one.procedure, procedure=label(procedure.identity.title), motive=motive, broken=broken,
        because=say(f"audit.because_{broken.reason}") if broken else "", departs=departs_from_journal(one),
        lines=[_entry_line(_procedure_then(one, entry) or procedure, entry, broken) for entry in entries], count=len(entries),
        head=entries[-1].hash if entries else "", again=f"/audit/dossiers/{number}?{query}",
        export=f"/audit/dossiers/{number}/journal.json?{query}", file=f"{number}.json", signed=_signed(one),
    )  # fmt: skip


def _signed(one: Dossier) -> str:
    """Under which signed journal its entries are, in words."""
    found = signed_place(app_ctx(), actor(), one.id)
    if found is None:
        return say("audit.signed_not_yet")
    n, journal = found
    return say("audit.signed", count=n, size=journal.size, at=moment_of(journal.at))


def _procedure_then(one: Dossier, entry: JournalEntry) -> Procedure | None:
    """The edition that a dossier followed at an entry: it may have come over to a later one since."""
    return app_ctx().catalogue.edition(one.procedure, entry.edition)


def _ask_motive(one: Dossier, error: str = "") -> Response:
    procedure = procedure_of(app_ctx(), one)
    errors = [("#motive", error)] if error else []
    return staff_page(
        "auditor/motive.html", 422 if error else 200, dossier=one, procedure=label(procedure.identity.title), errors=errors,
        token=new_token(),
    )  # fmt: skip


@blueprint.post("/audit/dossiers/<number>")
@auditor
def read(number: str) -> Response:
    """Seals the reading into the dossier's journal, then shows it."""
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
    """The journal as a file that anybody verifies without us."""
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
    if isinstance(entry.body, dict) and entry.body.get("asked"):  # somebody ran a command
        return "command"
    return entry.actor_kind if site().words.has(f"journal.{entry.actor_kind}") else "anonymous"


def _facts(procedure: Procedure, body: Plain) -> Iterable[tuple[str, str, str]]:
    """What an entry says, codes turned into the words of its edition; what changed only by being counted is left out."""
    for name, value in body.items() if isinstance(body, dict) else ():
        if (
            value in (None, "", [], {})
            or name in _UNSAID
            or (name == "extra" and not value)
            or (name == "state" and "target" in body)
        ):
            continue
        if name == "transition" and "event" in body:  # nobody acted: where from, where to and why say it all
            continue
        key = f"journal.fact.{name}"
        title = say(key) if site().words.has(key) else name
        said = ", ".join(_said(procedure, name, one) for one in _each(name, value))
        if not said:
            continue
        yield title, said, value if isinstance(value, str) and _INSTANT.fullmatch(value) else ""


def _each(name: str, value: Plain) -> list[Plain]:
    """Commitments to what somebody said are counted; sums are told by what they are for."""
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
    """A word of the engine in French; a timer's by what it is for. Nothing when it is not one."""
    key = f"journal.value.{text.partition(':')[0]}"
    return say(key) if site().words.has(key) else ""


def _named(procedure: Procedure, text: str) -> str:
    """A code of the book by its label; anything else as it is written."""
    code = text.removeprefix("answers.")
    whole = code.removesuffix(f"_{OTHER}")
    if whole != code and code not in procedure.fields and whole in procedure.fields:  # what « Autre » was said to be
        return say("journal.detail", question=quoted(label(procedure.fields[whole].label), language()))
    thing = procedure.fields.get(code) or procedure.tasks.get(code) or procedure.things.get(code)
    found = getattr(thing, "label", None) or getattr(thing, "title", None)
    if found is None:
        found = next((way.label for way in procedure.transitions if way.id == code), None)
    return quoted(label(found), language()) if found else text
