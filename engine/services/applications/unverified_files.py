"""Files of who has not proven their number: bounded for each draft and each address, removed 24 hours after the last action.

The bounds, in figures: a draft holds 64 MB (the largest post carries 45 MB, a whole form of photos less than 20). An address holds
4 GB: two thousand drafts of 2 MB within a day, for mobile operators put thousands of people behind one address. Beyond, the files
of that address that nothing names go first, then the oldest. Nobody is refused, and what is proven is not counted.

A file that the draft of a proven person names no more is removed once that is kept; meanwhile a row says so, and none is taken that
somebody hands in at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier, without_files
from engine.records.unverified_files import UnprovenFile
from engine.services.applications.draft_answers import keep_answers, without_orphans
from engine.services.context.app_context import AppContext
from engine.services.core.stored_files import is_named
from engine.storage.files.resumable_uploads import ARRIVING
from engine.storage.unit_of_work import Busy, Unit

PER_DRAFT: Final = 64_000_000  # bytes
PER_ADDRESS: Final = 4_000_000_000
LEAST_COUNTED: Final = 65_536  # bytes: a small file costs its rows too
KEPT_FOR: Final = timedelta(hours=24)
REMOVING: Final = timedelta(minutes=10)  # a removal takes far less: one that was claimed before was cut
AT_ONCE: Final = 200  # files that one turn of the worker removes
_PIECES: Final = f"{ARRIVING}/"


def count_file_in(ctx: AppContext, dossier_id: str, name: str, size: int, client: str) -> None:
    """Counts bytes before they lie on the shelf, and makes room for them. Raises `Busy` while the same file is being removed."""
    with ctx.store.unit(write=True) as unit:
        _announce(ctx, unit, dossier_id, name, size, client)
        beyond = list(unit.unproven_files_beyond(PER_DRAFT, dossier=dossier_id))
        beyond += unit.unproven_files_beyond(PER_ADDRESS, address=client) if client else ()
    for one in dict.fromkeys(beyond):
        if (one.dossier, one.name) != (dossier_id, name):
            _remove(ctx, one)


def hold(ctx: AppContext, dossier_id: str, digest: str, size: int) -> None:
    """Says that a file of a proven person is about to lie on the shelf. Raises `Busy` while the same file is being removed."""
    with ctx.store.unit(write=True) as unit:
        _announce(ctx, unit, dossier_id, digest, size, "")


def _announce(ctx: AppContext, unit: Unit, dossier_id: str, name: str, size: int, client: str) -> None:
    known = unit.unproven_file(dossier_id, name)
    if known is not None and known.state == "going":
        raise Busy("file")
    unit.put_unproven_file(UnprovenFile(dossier_id, name, client, max(size, LEAST_COUNTED), ctx.now()))


def count_pieces_in(ctx: AppContext, dossier_id: str, key: str, size: int, client: str) -> None:
    """The same for a file that comes in pieces, of which so many bytes are there."""
    count_file_in(ctx, dossier_id, _PIECES + key, size, client)


def check_still_kept(unit: Unit, dossier_id: str, digest: str) -> None:
    """Raises `Busy` when the file was removed before anything named it: it may be sent again."""
    known = unit.unproven_file(dossier_id, digest)
    if known is None or known.state == "going":
        raise Busy("file")


def pieces_came(unit: Unit, dossier_id: str, key: str) -> None:
    """The whole file is kept now: its pieces are the first to make room."""
    _spare(unit, dossier_id, _PIECES + key)


def let_go(ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, actor: Actor) -> tuple[UnprovenFile, ...]:
    """Of files that a draft names no more, those of an unproven visitor are the first to make room; the others, which are answered,
    are to be removed once this unit is committed (`remove_replaced`)."""
    left = {one.sha256 for one in after.attachments}
    gone = sorted({one.sha256 for one in before.attachments} - left)
    if actor.unproven:
        for digest in gone:
            _spare(unit, before.id, digest)
        return ()
    going = tuple(UnprovenFile(before.id, digest, "", LEAST_COUNTED, ctx.now(), "going") for digest in gone)
    for file in going:
        unit.put_unproven_file(file)
    return going


def remove_replaced(ctx: AppContext, going: Iterable[UnprovenFile]) -> None:
    """Removes what `let_go` answered. What a silent shelf keeps is left to the worker."""
    for file in going:
        with suppress(Busy):
            _finish(ctx, file)


def settle(ctx: AppContext, dossier_id: str, digest: str) -> None:
    """Once it is known what became of a file that was held: removed where nothing names it."""
    with suppress(Busy):
        with ctx.store.unit(write=True) as unit:
            held = unit.unproven_file(dossier_id, digest)
            claimed = unit.claim_unproven_file(held, ctx.now()) if held is not None and held.state != "going" else None
        if claimed is not None:
            _finish(ctx, claimed)


def _spare(unit: Unit, dossier_id: str, name: str) -> None:
    known = unit.unproven_file(dossier_id, name)
    if known is not None:
        unit.spare_unproven_file(known)


def remove_idle(ctx: AppContext) -> int:
    """For the worker: removes files that nobody came back to. How many."""
    with ctx.store.unit() as unit:
        idle = unit.unproven_files_idle(ctx.now() - KEPT_FOR, AT_ONCE)
    return sum(_remove(ctx, one) for one in idle)


def end_removals(ctx: AppContext) -> int:
    """For the worker: ends removals that were cut, one worker each. How many."""
    with ctx.store.unit() as unit:
        cut = unit.unproven_files_going(ctx.now() - REMOVING, AT_ONCE)
    return sum(_end(ctx, one) for one in cut)


def _end(ctx: AppContext, file: UnprovenFile) -> bool:
    with ctx.store.unit(write=True) as unit:
        claimed = unit.claim_unproven_file(file, ctx.now())
    if claimed is None:
        return False
    _finish(ctx, claimed)
    return True


def _remove(ctx: AppContext, file: UnprovenFile) -> bool:
    """Takes a file away from its draft, then from the shelf. What was proven or written anew meanwhile stays."""
    with ctx.store.unit(write=True) as unit:
        dossier = unit.dossier(file.dossier)
        owner = unit.account(dossier.owner) if dossier is not None else None
        if owner is not None and not owner.is_claimed and not owner.disabled:
            unit.prove_files(file.dossier)
            return False
        claimed = unit.claim_unproven_file(file, ctx.now())
        if claimed is None:
            return False
        if dossier is not None and dossier.is_open_draft:
            _take_from(ctx, unit, dossier, file.name)
    _finish(ctx, claimed)
    return True


def _take_from(ctx: AppContext, unit: Unit, dossier: Dossier, digest: str) -> None:
    """The draft without the file; its questions say that it is gone."""
    gone = [one for one in dossier.attachments if one.sha256 == digest]
    if gone:
        answers = without_files(dossier.answers, frozenset(one.id for one in gone))
        places = dict.fromkeys((*dossier.removed_files, *(one.field for one in gone)))
        after = without_orphans(replace(dossier, answers=answers, removed_files=tuple(places)))
        keep_answers(ctx, unit, dossier, after, "detached", SYSTEM_ACTOR)


def _finish(ctx: AppContext, file: UnprovenFile) -> None:
    """Removes a file that this caller claimed from the shelf. Until its row is dropped, nobody hands the same one in again."""
    if file.name.startswith(_PIECES):
        ctx.attachments.arriving.forget(file.dossier, file.name.removeprefix(_PIECES))
    elif not is_named(ctx.store, (file.dossier, file.name)):
        ctx.attachments.take_back((file.dossier, file.name))
    with ctx.store.unit(write=True) as unit:
        unit.drop_unproven_file(file)
