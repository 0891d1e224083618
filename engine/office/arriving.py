"""Files that come in pieces, over networks that cut: kept for the owner of a dossier until they are handed in whole."""

from __future__ import annotations

from engine.office.answering import own
from engine.office.office import Office
from engine.office.unproven_files import count_pieces_in
from engine.records.arrivals import LARGEST
from engine.records.dossier import Actor


def receive_piece(
    office: Office, actor: Actor, dossier_id: str, key: str, at: int, data: bytes, client: str = ""
) -> int:  # fmt: skip
    """Keeps a piece of a file; how many bytes of it are there, from which its sender goes on. Raises NotFound, Refused, NoRoom."""
    dossier = _of(office, actor, dossier_id)
    office.attachments.reserve.check(len(data), unproven=actor.unproven)
    arriving = office.attachments.arriving
    if actor.unproven and at <= (there := arriving.received(dossier, key)):
        count_pieces_in(office, dossier, key, max(there, min(at + len(data), LARGEST)), client)
    return arriving.add(dossier, key, at, data)


def received(office: Office, actor: Actor, dossier_id: str, key: str) -> int:
    """How many bytes of a file are there."""
    return office.attachments.arriving.received(_of(office, actor, dossier_id), key)


def arrived(office: Office, actor: Actor, dossier_id: str, key: str) -> bytes | None:
    """A file that came in pieces, whole. It stays a while: an answer that got lost is asked for again."""
    return office.attachments.arriving.whole(_of(office, actor, dossier_id), key)


def _of(office: Office, actor: Actor, dossier_id: str) -> str:
    with office.store.unit() as unit:
        return own(unit, office, actor, dossier_id, filling=True).id
