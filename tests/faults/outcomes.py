"""Compares what a server acknowledged with what is stored."""

from __future__ import annotations

from collections import Counter

from tests.faults.installation import Installation

ONCE = ("opened", "submitted", "credited", "booked", "payment_started", "paid")  # of one dossier, ever


def faults_of(installation: Installation, done: list[tuple[str, str]]) -> list[str]:
    """What is lost, half there, or there twice."""
    found = installation.findings()
    with installation.office.store.unit() as unit:
        for number in sorted({number for number, _ in done}):
            dossier = unit.dossier_numbered(number)
            if dossier is None:
                found.append(f"{number} lost")
                continue
            kinds = Counter(entry.kind for entry in unit.entries(dossier.id))
            found += [f"{number}: {kind} lost" for told, kind in done if told == number and not kinds[kind]]
            found += [f"{number}: {kind} {kinds[kind]} times" for kind in ONCE if kinds[kind] > 1]
    return found
