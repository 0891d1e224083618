"""The files of `tests/bad`: each breaks one rule, and its first line says which and where: `# Y102 12:7`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "bad"
_PROMISE = re.compile(r"# ([A-Z]\d+) (\d+):(\d+)")


@dataclass(frozen=True)
class BadFile:
    """One bad file and the problem it promises."""

    path: Path
    code: str
    line: int
    column: int

    def __str__(self) -> str:
        return self.path.stem


def bad_files(families: str) -> list[BadFile]:
    """The bad files of some families (`"YS"`), in order."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        promise = _PROMISE.match(path.read_text("utf-8").split("\n", 1)[0])
        assert promise, f"{path.name} does not promise a problem on its first line"
        if promise[1][0] in families:
            found.append(BadFile(path, promise[1], int(promise[2]), int(promise[3])))
    return found
