"""All editions that were ever in force: the one a dossier was opened under always applies to it.

The catalogue knows those of its folder and those stored when it was built. The store holds the text of
each edition for ever. The cache holds those that another process published meanwhile.
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

_MOST: Final = 128  # computed results that are cached
_Worked = TypeVar("_Worked")


class EditionCache:
    """Editions read from the store, by fingerprint, and results computed from all editions.

    Shared between threads.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, Procedure] = {}
        self._lock = Lock()
        self._of: tuple[Catalogue, int] | None = None  # what `_worked` was computed from
        self._worked: dict[object, object] = {}

    def pinned(self, catalogue: Catalogue, unit: Unit, dossier: Dossier) -> Procedure:
        """Return the edition that applies to a dossier.

        Raises `EditionMissing`, also if the edition lacks the state of the dossier.
        """
        known = self._definitions.get(dossier.fingerprint)
        known = known or catalogue.edition(dossier.procedure, dossier.fingerprint, unit.edition)
        procedure = known or self._read(catalogue, unit, dossier)
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
        """Return an edition by its fingerprint or else by its number, the one in force first.

        None if it is neither in the catalogue nor in the cache.
        """
        if fingerprint:
            return catalogue.edition(procedure_id, fingerprint) or self._definitions.get(fingerprint)
        found = (one for one in list(self._definitions.values()) if (one.id, one.edition) == (procedure_id, edition))
        return catalogue.numbered(procedure_id, edition) or next(found, None)

    def summaries(self, catalogue: Catalogue, procedure_id: str | None = None) -> Iterator[EditionSummary]:
        """Yield the summaries of all editions, or of those of one procedure.

        The edition in force comes first, then older ones.
        """
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
        """Yield the summaries of the editions in which one of these roles has a part."""
        parts = self.worked_out(catalogue, "parts", self._parts)
        for procedure_id, fingerprint in dict.fromkeys(key for role in sorted(roles) for key in parts.get(role, ())):
            read = self._definitions.get(fingerprint)
            summary = catalogue.summary(procedure_id, fingerprint) or (summarize(read) if read is not None else None)
            if summary is not None:
                yield summary

    def roles(self, catalogue: Catalogue) -> frozenset[str]:
        """Return all roles that have a part in an edition."""
        return frozenset(self.worked_out(catalogue, "parts", self._parts))

    def _parts(self, catalogue: Catalogue) -> Mapping[str, list[tuple[str, str]]]:
        """Return, by role, the editions in which it has a part."""
        found: dict[str, list[tuple[str, str]]] = {}
        for summary in self.summaries(catalogue):
            key = (summary.id, summary.fingerprint)
            for role in summary.roles:
                found.setdefault(role, []).append(key)
        return found

    def worked_out(self, catalogue: Catalogue, name: object, work: Callable[[Catalogue], _Worked]) -> _Worked:
        """Return the result of `work` on all editions, computed once for as long as these stay the same."""
        of = (catalogue, len(self._definitions))
        with self._lock:
            if self._of is None or self._of[0] is not catalogue or self._of[1] != of[1] or len(self._worked) > _MOST:
                self._of, self._worked = of, {}
            kept = self._worked
        if name not in kept:
            kept[name] = work(catalogue)
        return cast(_Worked, kept[name])
