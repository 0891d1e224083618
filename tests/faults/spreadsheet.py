"""A real spreadsheet, Gnumeric, that opens an exported table as its reader does. Installed if missing (Debian's package).

The tests fail without it; none is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

_CELL: Final = "{http://www.gnumeric.org/v10.dtd}Cell"


@dataclass(frozen=True)
class Cell:
    """What the program made of one cell."""

    text: str
    is_formula: bool


IMPORTERS: Final = {"csv": "Gnumeric_stf:stf_csvtab", "xlsx": "Gnumeric_Excel:xlsx"}


def opened(table: bytes, folder: Path, kind: str = "csv") -> Iterator[Cell]:
    """The cells that hold something, once Gnumeric has opened a CSV or a workbook."""
    program = shutil.which("ssconvert")
    if program is None:
        raise RuntimeError("Gnumeric is not here; run `make spreadsheet`, or `apt-get install gnumeric`")
    taken, kept = folder / f"table.{kind}", folder / "table.xml"
    taken.write_bytes(table)
    told = [program, f"--import-type={IMPORTERS[kind]}", "--export-type=Gnumeric_XmlIO:sax:0", str(taken), str(kept)]
    subprocess.run(told, check=True, capture_output=True, timeout=60, env={**os.environ, "HOME": str(folder)})
    for one in ElementTree.parse(kept).iter(_CELL):
        yield Cell(one.text or "", "ValueType" not in one.attrib)  # a formula has no value before it is reckoned


def install() -> None:
    """What a fresh machine needs. Asks for root when it is missing."""
    if shutil.which("ssconvert"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
    subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "gnumeric"], check=True)


if __name__ == "__main__" and "--install" in sys.argv:
    install()
