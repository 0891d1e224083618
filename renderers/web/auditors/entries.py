"""Entries of a dossier's journal in words: who, what, and the facts with the names of their edition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from engine.core.values import Plain, Text
from engine.domain.common.access import may_read_whole
from engine.domain.fields.raw_answers import OTHER
from engine.journal.chain import Break, JournalEntry
from engine.model import APPLICATION, Procedure
from engine.records.codec import instant_text
from engine.records.dossier import Dossier
from renderers.i18n.translations import quoted
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.request_context import actor, app_ctx, language, say, site
from renderers.web.shared.agent_dossier import act_label
from renderers.web.shared.journal_queries import procedure_label
from renderers.web.shared.money import provider_label
from renderers.web.shared.staff import people, role_label, short_moment

_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")  # of a stored thing (`new_id`)
_CODE: Final = re.compile(r"[a-z][a-z0-9_.:-]*")
_UNSAID = frozenset(
    {"revision", "sequence", "seat", "hands", "series", "serial", "salts"}
)  # used by `fsck`, of no interest to a reader
_BESIDE = frozenset(
    {
        "digest",
        "commits",
        "size",
        "kind",
        "file",
        "by",
        "closed",
        "event",
        "done",
        "channel",
        "edition",
        "procedure",
        "fees",
    }
)  # facts that few readers need: beside the hashes
_FEW: Final = 4  # values of one fact in its line; more are counted there
_CODED = frozenset({"status", "why", "event", "timer", "channel", "end", "consent", "confirmed", "seen", "side", "how"})
_OF_EACH = frozenset({"state", "due", "paused"})  # said by every entry
_PLAIN = frozenset({"number", "digest", "asked", "names", "sheet", "agreement"})  # said as they are


@dataclass(frozen=True, slots=True)
class Known:
    """What the codes and ids of an entry stand for: its edition, names of staff by id, payments by their order."""

    procedure: Procedure
    names: Mapping[str, str] = field(default_factory=dict)
    payments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One journal entry as the page shows it.

    `actor` is the name of an agent or auditor, else the kind of person; `role` says that it is an auditor.
    `reasons` is what the author of the act wrote. `broken` marks the first invalid entry and all after it.
    `sealed` are the facts beside the hashes.
    """

    rank: int
    at: tuple[str, str, str]  # ISO instant, short, in words
    actor: str
    role: str
    kind: str
    facts: tuple[tuple[str, str, str], ...]  # name, text, exact instant (if it is one)
    reasons: tuple[str, ...]
    sealed: tuple[tuple[str, str, str], ...]
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
    lines, before = [], dict[str, Plain]()
    for entry in entries:
        edition = app_ctx().catalogue.edition(one.procedure, entry.edition) or procedure
        reasons = tuple(_reasons(one, edition, entry))
        lines.append(_entry_line(Known(edition, names, payments), entry, broken, reasons, before))
        before |= entry.body if isinstance(entry.body, dict) else {}
    return lines


def _reasons(one: Dossier, procedure: Procedure, entry: JournalEntry) -> Iterator[str]:
    """Yield the reason of an act and of each point to correct, as long as the dossier keeps them.

    That of a question may quote its answer, or a column of its rows: it is for those who may read them all.
    """
    body = entry.body if isinstance(entry.body, dict) else {}
    if entry.kind != "transition":
        return
    for taken in one.taken:
        if (taken.at, taken.transition) == (entry.at, body.get("transition")) and taken.reason:
            yield say("text.quoted", text=taken.reason)
    asked = [*one.corrected, *([one.correction] if one.correction else [])]
    for name, why in (pair for sent in asked if sent.at == entry.at for pair in sent.fields.items()):
        field = procedure.fields.get(name)
        whole = field is None or may_read_whole(procedure, one, field, actor())
        said = why if whole else say("case.masked")
        if said:
            yield say("text.named", name=_named(procedure, name), text=say("text.quoted", text=said))


_STAFF = ("agent", "auditor")


def _entry_line(
    known: Known, entry: JournalEntry, broken: Break | None, reasons: tuple[str, ...] = (),
    before: Mapping[str, Plain] = MappingProxyType({}),
) -> EntryLine:  # fmt: skip
    at, facts = short_moment(entry.at), list(_facts(known, entry.body, before))
    body = entry.body if isinstance(entry.body, dict) else {}
    beside = {name for name, *_ in facts if name in _BESIDE or _count(body.get(name)) > _FEW}
    counted = [(title, str(_count(body.get(name))), "") for name, title, *_ in facts if name in beside - _BESIDE]
    role = say(f"journal.{_actor_kind(entry)}")
    name = known.names.get(entry.actor) or say("desk.unknown_person") if entry.actor_kind in _STAFF else ""
    return EntryLine(
        entry.n, (instant_text(entry.at), *at[1:]) if at else ("", "", ""), name or role, role if name and entry.actor_kind == "auditor" else "",
        _what(known.procedure, entry, before), (*(fact[1:] for fact in facts if fact[0] not in beside), *counted), reasons,
        tuple(fact[1:] for fact in facts if fact[0] in beside),
        entry.edition, entry.hash, entry.previous, broken is not None and entry.n >= broken.n,
    )  # fmt: skip


def _count(value: Plain) -> int:
    return len(value) if isinstance(value, list) else 1


def _what(procedure: Procedure, entry: JournalEntry, before: Mapping[str, Plain]) -> str:
    """Return what happened, an act or the kind of entry, and the state that the dossier is in since."""
    body, words = entry.body if isinstance(entry.body, dict) else {}, site().words
    said = say(f"journal.{entry.kind}") if words.has(f"journal.{entry.kind}") else say("journal.other", kind=entry.kind)
    if entry.kind == "transition":
        said = act_label(procedure, str(body.get("transition")), str(body.get("source")))
    state = procedure.states.get(str(body.get("target") or body.get("state")))
    if state is None or ("target" not in body and state.id == before.get("state")):
        return said
    return say("case.to_state", label=said, state=label(state.label))


def _actor_kind(entry: JournalEntry) -> str:
    if isinstance(entry.body, dict) and entry.body.get("asked"):  # a command was run
        return "command"
    return entry.actor_kind if site().words.has(f"journal.{entry.actor_kind}") else "anonymous"


def _facts(
    known: Known, body: Plain, before: Mapping[str, Plain] = MappingProxyType({})
) -> Iterable[tuple[str, str, str, str]]:
    """Yield the facts of an entry: field, name, value as words of its edition, exact instant.

    Technical fields are left out, and what the entry before says of the dossier too.
    """
    for name, value in body.items() if isinstance(body, dict) else ():
        if (
            value in (None, "", [], {})
            or name in _UNSAID
            or (name == "extra" and not value)
            or (name in ("transition", "source", "target") and "target" in body)
            or (name == "state" and value in known.procedure.states)
            or (name in _OF_EACH and value == before.get(name))
        ):
            continue
        key = f"journal.fact.{name}"
        title = say(key) if site().words.has(key) else say("journal.fact_other", name=name)
        said = ", ".join(filter(None, (_said(known, name, one) for one in _each(known, name, value))))
        if not said:
            continue
        yield name, title, said, value if isinstance(value, str) and _INSTANT.fullmatch(value) else ""


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
        return next((label(page.agents_title) for page in procedure.form.pages if page.id == text), text)
    if name == "annotations":
        noted = procedure.noted().get(text)
        return label(noted.label) if noted else text
    if name == "office":
        return place_label(text) or text
    if _INSTANT.fullmatch(text) and (at := short_moment(datetime.fromisoformat(text))) is not None:
        return at[1]
    if _ISO_DAY.fullmatch(text):
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
        row = say("journal.row", rows=label(procedure.fields[group].agents_label), number=int(number) + 1)
        return quoted(f"{row} – {label(found.agents_label)}" if found else row, language())
    if code == APPLICATION:
        return say("journal.application")
    whole = code.removesuffix(f"_{OTHER}")
    if whole != code and code not in procedure.fields and whole in procedure.fields:  # the text given with « Autre »
        return say("journal.detail", question=quoted(label(procedure.fields[whole].agents_label), language()))
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
    found = getattr(thing, "agents_label", None) or getattr(thing, "label", None) or getattr(thing, "title", None)
    if found is None:
        found = next((transition.agents_label for transition in procedure.transitions if transition.id == code), None)
    if found is None:
        inner = (column for one in procedure.fields.values() for column in one.rows if column.id == code)
        found = next((column.agents_label for column in inner), None)
    return found
