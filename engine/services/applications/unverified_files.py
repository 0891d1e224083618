"""Files of unverified phone numbers: limited, and deleted 24 hours after the last action.

The limits count by draft and by address. A draft has 64 MB: the largest post has 45 MB, a form full of
photos less than 20. An address has 4 GB: two thousand drafts of 2 MB a day, for mobile operators share
addresses. Beyond that, unnamed files of the address are deleted first, then the oldest. No upload is
refused, and files of verified persons are not counted. A file that a verified draft no longer names is
deleted after the commit. Until then a row marks it, so that an upload of the same file waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from engine.domain.fields.files import without_files
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier
from engine.records.unverified_files import UnprovenFile
from engine.services.applications.draft_answers import keep_answers, without_orphans
from engine.services.context.app_context import AppContext
from engine.services.core.stored_files import is_named
from engine.storage.files.resumable_uploads import ARRIVING
from engine.storage.results import Busy
from engine.storage.unit_of_work import Unit

PER_DRAFT: Final = 64_000_000  # bytes
PER_ADDRESS: Final = 4_000_000_000
LEAST_COUNTED: Final = 65_536  # bytes: a small file costs its rows too
KEPT_FOR: Final = timedelta(hours=24)
REMOVING: Final = timedelta(minutes=10)  # a removal takes far less: one claimed earlier was interrupted
AT_ONCE: Final = 200  # files that one worker pass deletes
_PIECES: Final = f"{ARRIVING}/"


def count_file_in(ctx: AppContext, dossier_id: str, name: str, size: int, client: str) -> None:
    """Count bytes before they are stored, and free space for them.

    Raises `Busy` while the same file is being deleted.
    """
    with ctx.store.unit(write=True) as unit:
        _announce(ctx, unit, dossier_id, name, size, client)
        beyond = list(unit.unproven_files_beyond(PER_DRAFT, dossier=dossier_id))
        beyond += unit.unproven_files_beyond(PER_ADDRESS, address=client) if client else ()
    for one in dict.fromkeys(beyond):
        if (one.dossier, one.name) != (dossier_id, name):
            _remove(ctx, one)


def hold(ctx: AppContext, dossier_id: str, digest: str, size: int) -> None:
    """Announce a file of a verified person before it is stored.

    Raises `Busy` while the same file is being deleted.
    """
    with ctx.store.unit(write=True) as unit:
        _announce(ctx, unit, dossier_id, digest, size, "")


def _announce(ctx: AppContext, unit: Unit, dossier_id: str, name: str, size: int, client: str) -> None:
    known = unit.unproven_file(dossier_id, name)
    if known is not None and known.state == "going":
        raise Busy("file")
    unit.put_unproven_file(UnprovenFile(dossier_id, name, client, max(size, LEAST_COUNTED), ctx.now()))


def count_pieces_in(ctx: AppContext, dossier_id: str, key: str, size: int, client: str) -> None:
    """Count the bytes received of a file sent in pieces. Raises `Busy` as `count_file_in`."""
    count_file_in(ctx, dossier_id, _PIECES + key, size, client)


def check_still_kept(unit: Unit, dossier_id: str, digest: str) -> None:
    """Raise `Busy` when the file was deleted before an answer named it: it may be sent again."""
    known = unit.unproven_file(dossier_id, digest)
    if known is None or known.state == "going":
        raise Busy("file")


def pieces_came(unit: Unit, dossier_id: str, key: str) -> None:
    """Mark the pieces of a file as the first to delete: the whole file is stored now."""
    _spare(unit, dossier_id, _PIECES + key)


def let_go(ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, actor: Actor) -> tuple[UnprovenFile, ...]:
    """Handle files that a draft no longer names.

    Those of an unverified person are marked as the first to delete, and the result is empty. Others are
    returned, to delete after the commit (`remove_replaced`).
    """
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
    """Delete what `let_go` returned. When the blob store does not answer, the files are left to the worker."""
    for file in going:
        with suppress(Busy):
            _finish(ctx, file)


def release_announced(ctx: AppContext, dossier_id: str, digest: str) -> None:
    """Release an announced file once its result is known; it is deleted where no answer names it."""
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
    """Delete files of abandoned drafts, as the worker. Return how many."""
    with ctx.store.unit() as unit:
        idle = unit.unproven_files_idle(ctx.now() - KEPT_FOR, AT_ONCE)
    return sum(_remove(ctx, one) for one in idle)


def end_removals(ctx: AppContext) -> int:
    """Finish interrupted removals, as the worker; each is claimed by one worker. Return how many."""
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
    """Remove a file from its draft, then from the blob store.

    A verified or rewritten one stays. Return whether it was removed.
    """
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
    """Remove the file from the draft and mark its questions."""
    gone = [one for one in dossier.attachments if one.sha256 == digest]
    if gone:
        answers = without_files(dossier.answers, frozenset(one.id for one in gone))
        places = dict.fromkeys((*dossier.removed_files, *(one.field for one in gone)))
        after = without_orphans(replace(dossier, answers=answers, removed_files=tuple(places)))
        keep_answers(ctx, unit, dossier, after, "detached", SYSTEM_ACTOR)


def _finish(ctx: AppContext, file: UnprovenFile) -> None:
    """Delete a claimed file from the blob store.

    Until its row is dropped, the same file cannot be uploaded.
    """
    if file.name.startswith(_PIECES):
        ctx.attachments.arriving.forget(file.dossier, file.name.removeprefix(_PIECES))
    elif not is_named(ctx.store, (file.dossier, file.name)):
        ctx.attachments.take_back((file.dossier, file.name))
    with ctx.store.unit(write=True) as unit:
        unit.drop_unproven_file(file)
