"""Replay of closed dossiers under a proposed edition, to see what would differ. Reads only."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.progress import ProgressReporter, unwatched
from engine.domain.editions.renaming import Translation
from engine.domain.editions.replay import Difference, differences, is_faithful, relive
from engine.journal.chain import JournalEntry
from engine.model import Procedure
from engine.model.directory import Directory
from engine.records.dossier import Dossier
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing

log = logging.getLogger("guichet.replay")


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay.

    `found`: each difference and the numbers of its dossiers. `definitions`: the editions they followed,
    the newest last. `erased` and `unfaithful` could not be replayed. `more`: the limit was reached.
    """

    proposed: Procedure
    definitions: tuple[Procedure, ...]
    played: int
    same: int
    found: Mapping[Difference, tuple[str, ...]]
    erased: int
    unfaithful: tuple[str, ...]
    more: bool


def replay(
    ctx: AppContext,
    proposed: Procedure,
    directory: Directory,
    limit: int | None = None,
    progress: ProgressReporter = unwatched,
) -> Replay:
    """Replay every closed dossier of the procedure (`limit` at most).

    Each is replayed under `proposed` and under its own edition. Only differences between the two are
    reported.
    """
    found: dict[Difference, list[str]] = {}
    procedures: dict[str, Procedure] = {}
    unfaithful: list[str] = []
    played = same = erased = 0
    more = False
    known = ctx.store.all_dossiers
    for dossier_id in progress(known(proposed.id), lambda: sum(1 for _ in known(proposed.id)), "dossiers"):
        with ctx.store.unit() as unit:
            ctx.directories.look(unit)
            dossier = unit.dossier(dossier_id)
            if dossier is None or dossier.closed_at is None or dossier.is_draft:
                continue
            if limit is not None and played >= limit:
                more = True
                break
            entries = unit.entries(dossier_id)
            try:
                procedure = pinned(ctx, unit, dossier)
            except EditionMissing:
                unfaithful.append(dossier.number)
                continue
        kinds = {entry.kind for entry in entries}
        if dossier.erased_at is not None or "erased" in kinds:
            erased += 1
            continue
        reported = None if _has_moved(entries) else _reported(ctx, procedure, proposed, directory, dossier, entries)
        if reported is None:
            unfaithful.append(dossier.number)
            continue
        procedures[procedure.fingerprint] = procedure
        played, same = played + 1, same + (not reported)
        for one in reported:
            found.setdefault(one, []).append(dossier.number)
    ordered = tuple(sorted(procedures.values(), key=lambda one: one.edition))
    groups = {one: tuple(found[one]) for one in sorted(found, key=lambda one: (-len(found[one]), one))}
    return Replay(proposed, ordered, played, same, groups, erased, tuple(unfaithful), more)


def _has_moved(entries: tuple[JournalEntry, ...]) -> bool:
    """Return whether it migrated after submission.

    A draft that migrated follows the edition of its submission.
    """
    sent = next((at for at, entry in enumerate(entries) if entry.kind == "submitted"), 0)
    return any(entry.kind == "migrated" for entry in entries[sent:])


def _reported(
    ctx: AppContext,
    procedure: Procedure,
    proposed: Procedure,
    directory: Directory,
    dossier: Dossier,
    entries: tuple[JournalEntry, ...],
) -> tuple[Difference, ...] | None:
    """Return the differences of one dossier.

    None when its journal does not reproduce it under its own edition.
    """
    translation = Translation.between(procedure, proposed)
    try:
        then, directory = (ctx.directories.received(one) for one in (ctx.catalogue.directory, directory))
        before = relive(Translation(procedure, procedure), dossier, entries, then, ctx.wording)
        if not is_faithful(before, dossier):
            return None
        after = relive(translation, dossier, entries, directory, ctx.wording)
    except Exception:
        log.exception("dossier %s", dossier.id)
        return None
    return differences(translation, before, after)
