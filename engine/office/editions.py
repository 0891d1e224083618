"""Every edition ever in service: a dossier is always judged by the one it was opened under.

The catalogue holds those this process read from its folder and, since the start, older ones; the store keeps the text of
every edition for ever; the shelf remembers those that another process published meanwhile.
"""

from __future__ import annotations

from threading import Lock

from engine.definition.catalogue import Catalogue
from engine.definition.model import Procedure
from engine.problems import InvalidDefinition
from engine.records.dossier import Dossier
from engine.records.store import Unit


class LostEdition(LookupError):
    """The edition that a dossier is pinned to is nowhere, or cannot be read any more."""


class EditionShelf:
    """Editions read from the store, by fingerprint. Safe to share between threads."""

    def __init__(self) -> None:
        self._books: dict[str, Procedure] = {}
        self._lock = Lock()

    def pinned(self, catalogue: Catalogue, unit: Unit, dossier: Dossier) -> Procedure:
        """The edition a dossier is judged by. Raises `LostEdition`."""
        at_hand = catalogue.edition(dossier.procedure, dossier.fingerprint) or self._books.get(dossier.fingerprint)
        return at_hand or self._read(catalogue, unit, dossier)

    def _read(self, catalogue: Catalogue, unit: Unit, dossier: Dossier) -> Procedure:
        kept = unit.edition(dossier.procedure, dossier.fingerprint)
        if kept is None:
            raise LostEdition(f"{dossier.procedure} {dossier.fingerprint[:12]}")
        try:
            procedure = catalogue.rebuild(kept)
        except InvalidDefinition as broken:
            raise LostEdition(f"{dossier.procedure} {dossier.fingerprint[:12]}") from broken
        with self._lock:
            self._books[dossier.fingerprint] = procedure
        return procedure

    def procedures(self, catalogue: Catalogue) -> tuple[Procedure, ...]:
        """Every edition at hand: those in service, then older ones."""
        with self._lock:
            found = {**self._books}
        older = {one.fingerprint: one for one in catalogue.older.values()}
        current = {one.fingerprint: one for one in catalogue.all()}
        return tuple(
            {**current, **{name: one for name, one in {**older, **found}.items() if name not in current}}.values()
        )
