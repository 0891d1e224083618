"""The static files: named by their content, kept by browsers for a year, compressed once at the start."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    """Every static file, by the name templates use and by the name it is served under."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._by_name = {path.name: _asset(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
        self._by_address = {asset.address: asset for asset in self._by_name.values()}

    def address(self, name: str) -> str:
        return f"/static/{self._by_name[name].address}"

    def served(self, address: str) -> Asset | None:
        return self._by_address.get(address)


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    if path.suffix == ".css":
        body = _without_comments(body)
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(f"{path.stem}.{digest}{path.suffix}", _TYPES[path.suffix], body, gzip.compress(body, 9, mtime=0))


def _without_comments(sheet: bytes) -> bytes:
    return re.sub(rb"\n\s*", b"\n", re.sub(rb"/\*.*?\*/", b"", sheet, flags=re.S)).strip()
