"""Static files, named by their hash, cached by browsers for a year and compressed once at start."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.operations.portal import Portal

EMBLEM: Final = "emblem"  # the name of the portal's picture in templates, whatever its type
SHEET: Final = "guichet.css"
FOLDER: Final = Path(__file__).resolve().parents[2] / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml; charset=utf-8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asset:
    """One file ready to send, plain and compressed."""

    address: str
    type: str
    body: bytes
    squeezed: bytes


class Assets:
    """All static files, by the name in templates and by the name in their address.

    The style sheet ends with the colours of the portal, and its emblem is one more file.
    """

    def __init__(self, folder: Path = FOLDER, portal: Portal | None = None) -> None:
        portal = portal or Portal()
        paths = [path for path in sorted(folder.iterdir()) if path.suffix in _TYPES]
        self._by_name = {path.name: _asset(path.name, _TYPES[path.suffix], path.read_bytes(), portal) for path in paths}
        icon = portal.icon()
        self._by_name[EMBLEM] = _asset(icon.name, icon.type, icon.body, portal)
        self._by_address = {asset.address: asset for asset in self._by_name.values()}

    def address(self, name: str) -> str:
        """Return the address of a file by its template name. Raises KeyError for an unknown one."""
        return f"/static/{self._by_name[name].address}"

    def served(self, address: str) -> Asset | None:
        """Return the static file served under a URL path, None if there is none."""
        return self._by_address.get(address)


def _asset(name: str, kind: str, body: bytes, portal: Portal) -> Asset:
    stem, _, ending = name.rpartition(".")
    if ending == "css":
        body = re.sub(rb"\n\s*", b"\n", re.sub(rb"/\*.*?\*/", b"", body, flags=re.S)).strip()
    if ending == "js":
        body = re.sub(rb"\n\s*", b"\n", re.sub(rb"(^|\s)// .*", b"", body, flags=re.M)).strip()
    if name == SHEET:
        body += portal.band().encode()
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(f"{stem}.{digest}.{ending}", kind, body, gzip.compress(body, 9, mtime=0))
