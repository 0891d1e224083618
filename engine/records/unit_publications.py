"""What is kept of editions and of what brought them into service."""

from __future__ import annotations

from typing import Protocol

from engine.records.journal import Entry
from engine.records.publications import Edition, Placed, Publication, Watch


class PublicationUnit(Protocol):
    """The verbs of one transaction about editions and publications."""

    # editions
    def add_edition(self, edition: Edition) -> bool:
        """False when this fingerprint is kept already."""
        ...

    def edition(self, procedure: str, fingerprint: str) -> Edition | None: ...
    def editions(self, procedure: str) -> tuple[Edition, ...]: ...
    def edition_heads(self, procedure: str | None = None) -> tuple[Placed, ...]:
        """Every edition kept, or those of one procedure, without their texts: by procedure, then as `editions` has them."""
        ...

    # publications
    def last_publication(self) -> int:
        """The number of the last one, 0 before the first: what every process asks to learn that something was decided."""
        ...

    def add_publication(self, publication: Publication) -> None:
        """Raises `Conflict` when its number does not follow the last."""
        ...

    def publications(self, after: int = 0) -> tuple[Publication, ...]:
        """All, in their order."""
        ...

    def recent_publications(self, limit: int = 50, before: int | None = None) -> tuple[Publication, ...]:
        """The newest first; `before` a number, where a page ended."""
        ...

    def deed_head(self) -> tuple[int, str]:
        """Number and hash of the last entry of the publications' own chain; (0, "") before the first."""
        ...

    def add_deed(self, entry: Entry) -> None:
        """One entry of that chain. Raises `Conflict` when it is not sealed to the head."""
        ...

    def deeds(self) -> tuple[Entry, ...]: ...
    def watch(self, source: str) -> Watch | None: ...
    def put_watch(self, watch: Watch) -> None: ...
