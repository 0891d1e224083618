"""Report of `guichet fsck`: one sentence for all findings of one kind, with dossier numbers and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

from engine.core.values import Plain, group_number
from engine.services.audit.integrity import Inspected
from engine.storage.results import IntegrityFinding
from renderers.i18n.translations import Translations

NAMED: Final = 5  # dossiers shown for each kind of finding
# What to do, by code. `compare` applies to the others.
_REMEDIES: Final[Mapping[str, str]] = {
    code: remedy
    for remedy, codes in {
        "disk": ("damaged", "orphan", "unread", "body_unreadable", "no_body"),
        "edition": ("edition_lost", "edition_missing"),
        "file": ("file_lost", "file_key_missing"),
        "note": ("checkpoint_ahead", "checkpoint_differs", "checkpoint_not_ours", "checkpoint_unreadable"),
        "money": (
            "payment_differs", "payment_deleted", "payment_unjournaled", "paid_uncredited", "paid_differs", "credit_differs",
            "credit_amount", "credit_unpaid", "credit_unverified", "credit_unjournaled", "credits_differ", "event_uncredited", "event_differs", "event_deleted",
        ),
        "people": (
            "account_differs", "account_unjournaled", "identifier_differs", "second_factor_differs", "phone_move_differs",
            "mandate_differs", "mandate_unjournaled", "rights_differ",
        ),
        "seat": ("seat_sold_twice", "booked_twice", "seat_beyond", "seat_shut"),
        "recount": ("counts_differ",),
        "clock": ("journal_backdated", "timer_early"),
        "timers": ("timers_differ",),
        "serial": ("serial_back",),
    }.items()
    for code in codes
}  # fmt: skip


def findings_report(
    inspected: Inspected, dossiers: int, number_of: Callable[[str], str | None], words: Translations, language: str
) -> str:
    """Return the findings grouped by code, then the data older than the journals."""
    groups: dict[tuple[str, bool], list[IntegrityFinding]] = {}
    for one in inspected.findings:
        groups.setdefault((one.code, one.dossier is None), []).append(one)
    lines = [_line(code, found, number_of, words, language) for (code, _), found in groups.items()]
    key, count = ("fsck.count", len(inspected.findings)) if lines else ("fsck.clean", dossiers)
    lines.append(words.say(key, language, {"count": str(count)}))
    kinds = [
        words.say(f"fsck.kind.{kind}", language, {"count": str(count)})
        for kind, count in inspected.before.items()
        if count
    ]
    if kinds:
        lines.append(words.say("fsck.before", language, {"kinds": ", ".join(kinds)}))
    if dossiers and not inspected.noted:  # deleted with the tree, the notes leave nothing to find
        lines.append(words.say("fsck.no_notes", language, {}))
    return "\n".join(lines)


def _line(
    code: str, found: Sequence[IntegrityFinding], number_of: Callable[[str], str | None], words: Translations, language: str
) -> str:  # fmt: skip
    named = list(dict.fromkeys(one.dossier for one in found if one.dossier is not None))
    numbers = [_number(number_of(one), one) for one in named[:NAMED]]
    more = ["…"] if len(named) > NAMED else []
    where = ("fsck.dossiers", len(named)) if named else ("fsck.installation", len(found))
    facts = {"count": str(where[1]), "numbers": ", ".join([*numbers, *more])}
    details = list(islice(dict.fromkeys(filter(None, (_details(one.facts) for one in found))), NAMED))
    return words.say("fsck.line", language, {
        "where": words.say(where[0], language, facts), "what": words.say(f"fsck.found.{code}", language, {}),
        "do": words.say(f"fsck.do.{_REMEDIES.get(code, 'compare')}", language, {}), "code": code,
        "details": words.say("fsck.details", language, {"details": "; ".join(details)}) if details else "",
    })  # fmt: skip


def _number(number: str | None, dossier_id: str) -> str:
    """Return the number of a dossier, or its id in the journal if its row is missing."""
    return group_number(number) if number else dossier_id


def _details(facts: Mapping[str, Plain]) -> str:
    return ", ".join(f"{name}={_said(value)}" for name, value in facts.items())


def _said(value: Plain) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
