"""Every edition ever in service: a dossier is always judged by the one it was opened under.

The catalogue knows those of its folder and those that the store kept when it was arranged; the store keeps the text of
every edition for ever; the shelf remembers those that another process published meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from threading import Lock
from typing import Final, TypeVar, cast

from engine.core.problems import InvalidDefinition
from engine.language.catalogue.catalogue import Catalogue, EditionMissing, EditionSummary
from engine.model import Procedure
from engine.model.summary import summarize
from engine.records.dossier import Dossier
from engine.storage.unit_of_work import Unit

__all__ = ["EditionCache", "EditionMissing"]

_MOST: Final = 128  # things worked out that are kept
_Worked = TypeVar("_Worked")


class EditionCache:
    """Editions read from the store, by fingerprint; and what was worked out from all those at hand. Safe to share between
    threads."""

    def __init__(self) -> None:
        self._definitions: dict[str, Procedure] = {}
        self._lock = Lock()
        self._of: tuple[Catalogue, int] | None = None  # what `_worked` was worked out from
        self._worked: dict[object, object] = {}

    def pinned(self, catalogue: Catalogue, unit: Unit, dossier: Dossier) -> Procedure:
        """The edition a dossier is judged by. Raises `EditionMissing`, also for a dossier in a state that its edition does not have."""
        at_hand = self._definitions.get(dossier.fingerprint)
        at_hand = at_hand or catalogue.edition(dossier.procedure, dossier.fingerprint, unit.edition)
        procedure = at_hand or self._read(catalogue, unit, dossier)
        if not dossier.is_draft and dossier.state not in procedure.states:
            raise EditionMissing(f"{dossier.procedure} {dossier.fingerprint[:12]}: {dossier.state[:40]}")
        return procedure

    def _read(self, catalogue: Catalogue, unit: Unit, dossier: Dossier) -> Procedure:
        kept = unit.edition(dossier.procedure, dossier.fingerprint)
        if kept is None:
            raise EditionMissing(f"{dossier.procedure} {dossier.fingerprint[:12]}")
        try:
            procedure = catalogue.rebuild(kept)
        except InvalidDefinition as broken:
            raise EditionMissing(f"{dossier.procedure} {dossier.fingerprint[:12]}") from broken
        with self._lock:
            self._definitions[dossier.fingerprint] = procedure
        return procedure

    def definition(
        self, catalogue: Catalogue, procedure_id: str, edition: int, fingerprint: str = ""
    ) -> Procedure | None:
        """An edition at hand, by its fingerprint or else its number; the one in service before others."""
        if fingerprint:
            return catalogue.edition(procedure_id, fingerprint) or self._definitions.get(fingerprint)
        found = (one for one in list(self._definitions.values()) if (one.id, one.edition) == (procedure_id, edition))
        return catalogue.numbered(procedure_id, edition) or next(found, None)

    def summaries(self, catalogue: Catalogue, procedure_id: str | None = None) -> Iterator[EditionSummary]:
        """Of every edition at hand, or of those of one procedure: the one in service, then older ones."""
        one = catalogue.summary(procedure_id) if procedure_id is not None else None
        in_service = catalogue.summaries() if procedure_id is None else filter(None, [one])
        read = (
            summarize(procedure)
            for procedure in list(self._definitions.values())
            if procedure_id in (None, procedure.id)
        )
        reported: set[str] = set()
        for summary in chain(in_service, catalogue.older_summaries(procedure_id), read):
            if summary.fingerprint not in reported:
                reported.add(summary.fingerprint)
                yield summary

    def having(self, catalogue: Catalogue, roles: Iterable[str]) -> Iterator[EditionSummary]:
        """Of every edition at hand in which one of these roles has a part."""
        parts = self.worked_out(catalogue, "parts", self._parts)
        for procedure_id, fingerprint in dict.fromkeys(key for role in sorted(roles) for key in parts.get(role, ())):
            read = self._definitions.get(fingerprint)
            summary = catalogue.summary(procedure_id, fingerprint) or (summarize(read) if read is not None else None)
            if summary is not None:
                yield summary

    def roles(self, catalogue: Catalogue) -> frozenset[str]:
        """Every role that has a part in an edition at hand."""
        return frozenset(self.worked_out(catalogue, "parts", self._parts))

    def _parts(self, catalogue: Catalogue) -> Mapping[str, list[tuple[str, str]]]:
        """By role, the editions in which it has a part."""
        found: dict[str, list[tuple[str, str]]] = {}
        for summary in self.summaries(catalogue):
            key = (summary.id, summary.fingerprint)
            for role in summary.roles:
                found.setdefault(role, []).append(key)
        return found

    def worked_out(self, catalogue: Catalogue, name: object, work: Callable[[Catalogue], _Worked]) -> _Worked:
        """What `work` makes of all the editions at hand; once for as long as these are the same."""
        of = (catalogue, len(self._definitions))
        with self._lock:
            if self._of is None or self._of[0] is not catalogue or self._of[1] != of[1] or len(self._worked) > _MOST:
                self._of, self._worked = of, {}
            kept = self._worked
        if name not in kept:
            kept[name] = work(catalogue)
        return cast(_Worked, kept[name])
