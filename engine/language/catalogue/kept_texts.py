"""Files whose text is already published: a check that is newer than the text does not take it out of service.

A file with an error is known by the fingerprint of its text, as long as that can be compiled. Where the fingerprint
is among those of stored editions, the errors count as advice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from engine.language.catalogue.catalogue import Catalogue, put_in_service
from engine.language.catalogue.check import check_definition
from engine.language.catalogue.index import IndexedFile


def fingerprints_in(catalogue: Catalogue) -> frozenset[str]:
    """Return the fingerprints of the texts of a folder that can be compiled, also of those refused."""
    seen = catalogue.seen.values()
    return frozenset(one.entry.fingerprint if one.entry is not None else one.refused for one in seen) - {""}


def with_kept(catalogue: Catalogue, fingerprints: Container[str]) -> Catalogue:
    """Return the catalogue in which refused files whose text is already published are in service.

    The same catalogue when nothing changes.
    """
    found: dict[str, IndexedFile] = {}
    for name, one in catalogue.seen.items():
        if one.entry is None and one.refused and one.refused in fingerprints:
            kept = _kept_file(catalogue, name, one)
            if kept is not None:
                found[name] = kept
    if not found:
        return catalogue
    return put_in_service(replace(catalogue, seen=MappingProxyType({**catalogue.seen, **found})), catalogue)


def _kept_file(catalogue: Catalogue, name: str, one: IndexedFile) -> IndexedFile | None:
    """The result of a refused file as that of a published text. None when it has changed or remains refused."""
    path = (catalogue.folder or Path()) / name
    try:
        data = path.read_bytes()
    except OSError:
        return None
    built = check_definition(data, str(path), catalogue.shared, lint=False, served=True).built
    report = one.report.in_kept_text()
    if hashlib.sha256(data).digest() != one.digest or report.errors or built is None:
        return None
    entry = catalogue.loader.add(built, name, one.digest) if catalogue.loader is not None else built
    return replace(one, entry=entry, report=report)
