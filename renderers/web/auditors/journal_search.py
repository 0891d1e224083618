"""Search in the journals of all dossiers, with counts and export, and the auditor's earlier searches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, cast
from urllib.parse import urlencode

from flask import Blueprint, Response, request, stream_with_context

from engine.core.problems import Refused
from engine.core.values import Plain, canonical_json
from engine.journal.search import Asks, JournalEvent
from engine.records.codec import Unreadable
from engine.services.audit.exports import take_file
from engine.services.audit.journal_search import QUESTIONS, Wanted, events, happening, order_events, wanted_of
from engine.services.context.app_context import NotFound
from engine.services.core.jobs import progress
from engine.services.worker.job_runner import carry_at_once
from renderers.web.platform.access import auditor
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import refused
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, moment_of, new_token, say, site
from renderers.web.platform.tables import CSV, csv_text, named_file
from renderers.web.shared.agent_dossier import act_label
from renderers.web.shared.editions import json_response
from renderers.web.shared.journal_queries import channel_label, kind_label, procedure_label
from renderers.web.shared.staff import people, procedure_of, staff_page

blueprint = Blueprint("auditor_events", __name__)

HOME: Final = "/audit/evenements"
_USUAL: Final = timedelta(days=29)  # days before the last one, by default
_SHOWN: Final = 12  # values of one facet, unless it is opened
_DAYS: Final = 31  # days with bars
_NAMES: Final[Mapping[str, str]] = {
    "question": "asks", "type": "kind", "agent": "agent", "bureau": "office", "demarche": "procedure", "canal": "channel",
    "du": "first", "au": "last",
}  # fmt: skip
COLUMNS: Final = ("at", "number", "kind", "what", "procedure", "office", "channel", "hand", "agent", "n")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet, its number of entries and the address that selects it."""

    label: str
    count: int
    href: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet with its most frequent values, or with the `chosen` one. `undo` is the address without that choice.

    `more` is the address that shows all `count` values, empty when they are shown.
    """

    title: str
    values: tuple[Value, ...]
    chosen: str = ""
    undo: str = ""
    count: int = 0
    more: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class EventLine:
    """One entry of the result in words: time, kind, act, dossier number, procedure, office and actor."""

    at: str
    kind: str
    what: str
    number: str
    procedure: str
    office: str
    by: str


def asked() -> Wanted:
    """Return the search of the address. Missing and invalid filters select everything."""
    today = app_ctx().day()
    last = _day(request.values.get("au", "")) or today
    first = _day(request.values.get("du", "")) or last - _USUAL
    text = {name: request.values.get(name, "").strip()[:100] for name in _NAMES}
    question = cast(Asks, text["question"]) if text["question"] in QUESTIONS else ""
    return Wanted(
        min(first, last), last, text["type"], text["agent"], text["bureau"], text["demarche"], text["canal"], question
    )


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text[:20])
    except ValueError:
        return None
    return found if 2000 <= found.year < 2200 else None


def address(wanted: Wanted, **more: str) -> str:
    """Return the address of a search."""
    said = {name: str(getattr(wanted, field)) for name, field in _NAMES.items() if getattr(wanted, field)}
    return f"{HOME}?{urlencode({**said, **more})}"


@blueprint.get("/audit/evenements")
@auditor
def home() -> Response:
    """Show the entries that match the search, with the counts of each facet."""
    wanted = asked()
    found = events(app_ctx(), actor(), wanted, request.args.get("apres", "")[:200])
    names = people(one.actor for one in found.lines if one.actor)
    agents = people(found.facets.agents)
    labels: tuple[tuple[str, Mapping[str, int], Callable[[str], str]], ...] = (
        ("kind", found.facets.kinds, kind_label),
        ("agent", found.facets.agents, lambda one: agents.get(one) or say("desk.unknown_person")),
        ("office", found.facets.offices, lambda one: place_label(one) or one),
        ("procedure", found.facets.procedures, procedure_label),
        ("channel", found.facets.channels, channel_label),
    )
    return staff_page(
        "auditor/events.html", lines=[_line(one, names) for one in found.lines], wanted=wanted, action=HOME,
        facets=[_facet(wanted, *one) for one in labels], days=_days(wanted, found.facets.days), total=found.facets.total, more=found.facets.more,
        questions=[(say(f"events.ask_{one}"), address(replace(wanted, asks=one)), one == wanted.asks) for one in QUESTIONS],
        everything=address(replace(wanted, asks="")), fields=_carried(wanted), token=new_token(),
        first=address(wanted) if request.args.get("apres") else "",
        next=address(wanted, apres=found.after) if found.after else "", period=_carried(wanted, "du", "au"),
    )  # fmt: skip


def _carried(wanted: Wanted, *but: str) -> list[tuple[str, str]]:
    """Return the search as hidden fields."""
    return [
        (name, str(getattr(wanted, field)))
        for name, field in _NAMES.items()
        if name not in but and getattr(wanted, field)
    ]


def _facet(wanted: Wanted, field: str, counts: Mapping[str, int], said: Callable[[str], str]) -> Facet:
    chosen = getattr(wanted, field)
    if chosen:
        return Facet(say(f"events.{field}"), (), said(chosen), address(replace(wanted, **{field: ""})))
    key = next(name for name, one in _NAMES.items() if one == field)
    is_open = request.args.get("facette") == key
    values = tuple(
        Value(said(one), count, address(replace(wanted, **{field: one})))
        for one, count in list(counts.items())[: None if is_open else _SHOWN]
    )
    more = address(wanted, facette=key) if len(counts) > len(values) else ""
    return Facet(say(f"events.{field}"), values, count=len(counts), more=more, is_open=is_open)


def _days(wanted: Wanted, counts: Mapping[str, int]) -> list[Value]:
    """Return the last days with entries, each with the address of that day."""
    days = [(date.fromisoformat(one), count) for one, count in counts.items()][-_DAYS:]
    return [Value(f"{day:%d/%m}", count, address(replace(wanted, first=day, last=day))) for day, count in days]


def _line(one: JournalEvent, names: Mapping[str, str]) -> EventLine:
    return EventLine(
        moment_of(one.at), kind_label(one.kind), what_of(one), one.number,
        procedure_label(one.procedure), place_label(one.office), person_of(one, names),
    )  # fmt: skip


def person_of(one: JournalEvent, names: Mapping[str, str]) -> str:
    """Return the name of an agent or auditor, or a word for the kind of any other actor."""
    if one.actor:
        return names.get(one.actor) or say("desk.unknown_person")
    kind = one.actor_kind if site().words.has(f"journal.{one.actor_kind}") else "anonymous"
    return say(f"journal.{kind}")


def what_of(one: JournalEvent) -> str:
    """Return the act and its target state in the words of the edition, and the job it belongs to."""
    body = one.body if isinstance(one.body, dict) else {}
    procedure = procedure_of(one.procedure, fingerprint=one.edition) or procedure_of(one.procedure)
    name, target = str(body.get("transition") or body.get("task") or ""), str(body.get("target") or "")
    if procedure is None or not name:
        return name
    state = procedure.states.get(target)
    said = act_label(procedure, name, str(body.get("source") or ""))
    said = say("case.to_state", label=said, state=label(state.label)) if state else said
    return say("events.in_order", what=said, n=body["bulk"]) if "bulk" in body else said


# -- exports -----------------------------------------------------------------------------------------------------------


@blueprint.post("/audit/evenements/export")
@auditor
def order() -> Response:
    """Order the export of the whole result and redirect to its job. A short one is prepared at once."""
    kept = order_events(app_ctx(), actor(), asked(), token=form_token())
    carry_at_once(app_ctx(), kept)
    return go(f"/audit/ordres/{kept.n}")


@blueprint.get("/audit/ordres/<int:n>/evenements.<kind>")
@auditor
def take(n: int, kind: str) -> Response:
    """Serve the export as CSV, NDJSON or JSON, streamed row by row. Raises `NotFound` for another format."""
    writers: Mapping[str, tuple[Callable[[Iterable[Plain]], Iterator[bytes]], str]] = {
        "csv": (_csv, CSV), "ndjson": (_ndjson, "application/x-ndjson"), "json": (_json, "application/json"),
    }  # fmt: skip
    if kind not in writers:
        raise NotFound
    write, mime = writers[kind]
    try:
        rows = take_file(app_ctx(), actor(), n)
    except Refused as closed:
        return refused(closed.reason, f"/audit/ordres/{n}")
    return named_file(stream_with_context(write(rows)), mime, f"evenements-{n}.{kind}")


@blueprint.get("/audit/ordres/<int:n>/manifeste.json")
@auditor
def manifest(n: int) -> Response:
    """Serve the signed manifest of an export: its search, its number of rows and the digest of its NDJSON."""
    try:
        rows = take_file(app_ctx(), actor(), n)
    except Refused as closed:
        return refused(closed.reason, f"/audit/ordres/{n}")
    digest, count = hashlib.sha256(), 0
    for line in _ndjson(rows):
        digest.update(line)
        count += 1
    kept = progress(app_ctx(), actor(), n).order
    claims: Plain = {
        "format": "guichet-events/1", "order": n, "asked": kept.asked, "rows": count, "ndjson_sha256": digest.hexdigest(),
        "made_at": kept.ended_at.isoformat() if kept.ended_at else "",
    }  # fmt: skip
    return json_response({"claims": claims, "jws": app_ctx().keys.sign(claims)}, f"manifeste-{n}.json", shared=False)


def _ndjson(rows: Iterable[Plain]) -> Iterator[bytes]:
    for row in rows:
        yield canonical_json(row) + b"\n"


def _json(rows: Iterable[Plain]) -> Iterator[bytes]:
    yield b"["
    for place, row in enumerate(rows):
        yield (b",\n" if place else b"\n") + canonical_json(row)
    yield b"\n]\n"


def _csv(rows: Iterable[Plain]) -> Iterator[bytes]:
    yield csv_text([[say(f"events.csv_{name}") for name in COLUMNS]]).encode("utf-8-sig")
    names: dict[str, str] = {}
    for one in map(happening, rows):
        if one.actor and one.actor not in names:
            try:
                names.update({one.actor: "", **people([one.actor])})
            except Unreadable:  # the file is half sent: the account's id replaces the name
                names[one.actor] = one.actor
        yield csv_text([[
            one.at.isoformat(), one.number, kind_label(one.kind), what_of(one), one.procedure, one.office or "",
            one.channel, one.actor_kind, names.get(one.actor, ""), one.n,
        ]]).encode()  # fmt: skip


def question_href(said: Mapping[str, Plain]) -> str:
    """Return the address that repeats a recorded search."""
    return address(wanted_of(dict(said)))
