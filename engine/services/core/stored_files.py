"""The files that a dossier names: in answers, acts and messages; and the documents of mandates."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.progress import ProgressReporter, unwatched
from engine.records.dossier import Dossier
from engine.storage.files.attachments import Place
from engine.storage.unit_of_work import Store, Unit


def places_of(unit: Unit, dossier: Dossier) -> list[Place]:
    """Return the places of the files of a dossier as (dossier id, digest), each once, sorted by digest."""
    named = [*dossier.attachments, *(file for message in unit.messages_of(dossier.id) for file in message.files)]
    return [(dossier.id, digest) for digest in sorted({one.sha256 for one in named})]


def places(store: Store, progress: ProgressReporter = unwatched) -> Iterator[Place]:
    """Yield the places of the files of all dossiers, then of mandates."""
    for dossier_id in progress(store.all_dossiers(), lambda: sum(1 for _ in store.all_dossiers()), "dossiers"):
        with store.unit() as unit:
            dossier = unit.dossier(dossier_id)
            found = places_of(unit, dossier) if dossier is not None else []
        yield from found
    with store.unit() as unit:
        proofs = unit.mandate_proofs()
    yield from proofs


def is_named(store: Store, place: Place) -> bool:
    """Return whether the dossier or the mandate of a file names it now."""
    with store.unit() as unit:
        dossier = unit.dossier(place[0])
        return place in (places_of(unit, dossier) if dossier is not None else unit.mandate_proofs())
