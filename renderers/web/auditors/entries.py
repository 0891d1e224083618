"""Entries of a dossier's journal in words: who, what, and the facts with the names of their edition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core.values import Plain, Text
from engine.domain.fields.raw_answers import OTHER
from engine.journal.chain import Break, JournalEntry
from engine.model import Procedure
from engine.records.codec import instant_text
from engine.records.dossier import Dossier
from renderers.i18n.translations import quoted
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.request_context import app_ctx, language, moment_of, say, site
from renderers.web.shared.journal_queries import procedure_label
from renderers.web.shared.money import provider_label
from renderers.web.shared.staff import people, role_label

_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")  # of a stored thing (`new_id`)
_CODE: Final = re.compile(r"[a-z][a-z0-9_.:-]*")
_SHORT = 8  # characters of a hash in a line
_UNSAID = frozenset(
    {"revision", "sequence", "seat", "hands", "series", "serial", "salts"}
)  # used by `fsck`, of no interest to a reader
_CODED = frozenset({"status", "why", "event", "timer", "channel", "end", "consent", "confirmed", "seen", "side", "how"})
_PLAIN = frozenset({"number", "digest", "asked", "names", "sheet"})  # said as they are


@dataclass(frozen=True, slots=True)
class Known:
    """What the codes and ids of an entry stand for: its edition, names of staff by id, payments by their order."""

    procedure: Procedure
    names: Mapping[str, str] = field(default_factory=dict)
    payments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment in words, and exactly as the journal records it."""

    said: str
    exact: str


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One journal entry as the page shows it, with hashes cut.

    `actor` is the name of an agent or auditor, else the kind of person; `role` is that kind where a name stands.
    `broken` marks the first invalid entry and all after it.
    """

    rank: int
    at: Instant
    actor: str
    role: str
    kind: str
    facts: tuple[tuple[str, str, str], ...]  # name, text, exact instant (if it is one)
    edition: str
    hash: str
    previous: str
    broken: bool


def entry_lines(
    one: Dossier, procedure: Procedure, entries: Sequence[JournalEntry], broken: Break | None
) -> list[EntryLine]:
    """Return the entries in words, each in those of its edition. The dossier may have migrated since."""
    staff = [entry.actor for entry in entries if entry.actor_kind in _STAFF]
    given = [
        str(entry.body.get("to")) for entry in entries if entry.kind == "assigned" and isinstance(entry.body, dict)
    ]
    names = people((*staff, *(to for to in given if to != "None")))
    paid = [entry.body.get("payment") for entry in entries if isinstance(entry.body, dict)]
    payments = {payment: place for place, payment in enumerate(dict.fromkeys(map(str, filter(None, paid))), start=1)}
    lines = []
    for entry in entries:
        edition = app_ctx().catalogue.edition(one.procedure, entry.edition) or procedure
        lines.append(_entry_line(Known(edition, names, payments), entry, broken))
    return lines


_STAFF = ("agent", "auditor")


def _entry_line(known: Known, entry: JournalEntry, broken: Break | None) -> EntryLine:
    words = site().words
    kind = say(f"journal.{entry.kind}") if words.has(f"journal.{entry.kind}") else say("journal.other", kind=entry.kind)
    role = say(f"journal.{_actor_kind(entry)}")
    name = known.names.get(entry.actor) or say("desk.unknown_person") if entry.actor_kind in _STAFF else ""
    return EntryLine(
        entry.n, Instant(moment_of(entry.at), instant_text(entry.at)), name or role, role if name else "",
        kind, tuple(_facts(known, entry.body)),
        entry.edition[:_SHORT], entry.hash[:_SHORT], entry.previous[:_SHORT], broken is not None and entry.n >= broken.n,
    )  # fmt: skip


def _actor_kind(entry: JournalEntry) -> str:
    if isinstance(entry.body, dict) and entry.body.get("asked"):  # a command was run
        return "command"
    return entry.actor_kind if site().words.has(f"journal.{entry.actor_kind}") else "anonymous"


def _facts(known: Known, body: Plain) -> Iterable[tuple[str, str, str]]:
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
        title = say(key) if site().words.has(key) else say("journal.fact_other", name=name)
        said = ", ".join(filter(None, (_said(known, name, one) for one in _each(known, name, value))))
        if not said:
            continue
        yield title, said, value if isinstance(value, str) and _INSTANT.fullmatch(value) else ""


def _each(known: Known, name: str, value: Plain) -> list[Plain]:
    """Return the values of a fact. Commitments and stored files are counted, and sums are named by their fees."""
    if name == "commits":
        said = sum(not one.startswith("rows.") for one in value) if isinstance(value, dict) else 0
        return [str(said)] if said else []
    if name == "names" and isinstance(value, dict):
        return [f"{old} → {new or '–'}" for old, new in value.items()]
    if isinstance(value, dict):
        return list(value)
    if isinstance(value, list) and all(_is_id(known, one) for one in value):
        return [len(value)]
    return value if isinstance(value, list) else [value]


def _is_id(known: Known, value: Plain) -> bool:
    """Return whether a value is an id that stands for nothing a reader knows."""
    return isinstance(value, str) and bool(_ID.fullmatch(value)) and value not in known.names


def _said(known: Known, name: str, value: Plain) -> str:
    """Return a value in words, empty for an id that stands for nothing a reader knows."""
    words, procedure = site().words, known.procedure
    if isinstance(value, bool):
        return words.yes_no(value, language())
    if isinstance(value, int) and name == "size":
        return words.size(value, language())
    if isinstance(value, int):
        return words.money(value, language()) if name in ("amount", "extra") else str(value)
    text = str(value)
    if name in _PLAIN:
        return text
    if name == "to":
        return known.names.get(text) or say("desk.unknown_person")
    if name == "payment":
        return say("journal.payment_rank", number=known.payments[text]) if text in known.payments else ""
    if _is_id(known, text):
        return ""
    if name in ("state", "source", "target") and text in procedure.states:
        return label(procedure.states[text].label)
    if name in ("by", "escalate"):
        return _coded(text) or role_label(text)
    if name in _CODED and _coded(text):
        return _coded(text)
    if name == "provider":
        return provider_label(text)
    if name == "procedure":
        return procedure_label(text)
    if name in ("kind", "file"):
        return text.upper()
    if name == "page":
        return next((label(page.title) for page in procedure.form.pages if page.id == text), text)
    if name == "office":
        return place_label(text) or text
    if _INSTANT.fullmatch(text) or _ISO_DAY.fullmatch(text):
        return words.facts({"at": text}, language())["at"]
    return _named(procedure, text)


def _coded(text: str) -> str:
    """Return the word of a code, empty for any other text."""
    key = f"journal.value.{text.partition(':')[0]}"
    return say(key) if site().words.has(key) else ""


def _named(procedure: Procedure, text: str) -> str:
    """Return the label of an id of the procedure, also of `children.0.birth`. Another code is said to be one."""
    code = text.removeprefix("answers.")
    group, _, rest = code.partition(".")
    number, _, inner = rest.partition(".")
    if number.isdecimal() and group in procedure.fields:
        found = next((one for one in procedure.fields[group].rows if one.id == inner), None)
        row = say("journal.row", rows=label(procedure.fields[group].label), number=int(number) + 1)
        return quoted(f"{row} – {label(found.label)}" if found else row, language())
    whole = code.removesuffix(f"_{OTHER}")
    if whole != code and code not in procedure.fields and whole in procedure.fields:  # the text given with « Autre »
        return say("journal.detail", question=quoted(label(procedure.fields[whole].label), language()))
    found_label = _label_of(procedure, code)
    if found_label is not None:
        return quoted(label(found_label), language())
    return say("journal.code", code=quoted(text, language())) if _CODE.fullmatch(text) else text


def _label_of(procedure: Procedure, code: str) -> Text | None:
    """Return the label of anything that the procedure names by an id, None for an unknown one."""
    places: tuple[Mapping[str, object], ...] = (
        procedure.fields, procedure.tasks, procedure.things, procedure.clocks, procedure.laws,
    )  # fmt: skip
    thing = next((place[code] for place in places if code in place), None)
    asked = procedure.round_of(code)
    thing = (asked.service(code) if asked else None) or thing
    found = getattr(thing, "label", None) or getattr(thing, "title", None)
    if found is None:
        found = next((transition.label for transition in procedure.transitions if transition.id == code), None)
    if found is None:
        inner = (column for one in procedure.fields.values() for column in one.rows if column.id == code)
        found = next((column.label for column in inner), None)
    return found
