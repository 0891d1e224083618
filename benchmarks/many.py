"""Many valid procedures, derived from the shipped ones: another name, another title, other amounts.

The first ten are of an agency of their own, so that an agent handles as many procedures whatever stands beside them. The
first thousand derive from every shipped file, those after from the shortest, so that making them takes minutes, not hours.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.portal import ROOT

SHIPPED = ROOT / "procedures"
TEN, FROM_EVERY = 10, 1_000
SOURCE_OF_TEN = "duplicata-bac"  # needs no agency but its own
AGENCY = "mesures"
_AMOUNT = re.compile(r"(?<=amount: )([1-9][0-9]*)\b")
_TITLE = re.compile(r"^title: (\{fr: )?(.*?)(, en: .*\}|\n)", re.MULTILINE)
_SUBJECTS = (
    "agriculture", "artisanat", "assurance", "bibliothèque", "carrière", "chasse", "cimetière", "commerce", "coopérative",
    "cinéma", "élevage", "enseigne", "fleuve", "forage", "forêt", "hôtellerie", "imprimerie", "jeunesse", "laboratoire",
    "marché", "navigation", "pêche", "pharmacie", "port", "presse", "route", "sport", "tourisme", "transport", "vétérinaire",
)  # fmt: skip


def write_many(folder: Path, count: int) -> None:
    """A folder of `count` procedures with the shared files they use."""
    folder.mkdir(parents=True)
    for one in SHIPPED.iterdir():
        if one.is_dir():
            shutil.copytree(one, folder / one.name)
    _add_agency(folder)
    for name, text in definitions(count):
        (folder / f"{name}.yaml").write_text(text, "utf-8")


def definitions(count: int) -> Iterator[tuple[str, str]]:
    """Names and texts. The stories are those of the shipped files: nobody plays them here."""
    shipped = {path.stem: path.read_text("utf-8") for path in sorted(SHIPPED.glob("*.yaml"))}
    others = list(shipped)
    for number in range(count):
        origin = others[number % len(others)] if TEN <= number < FROM_EVERY else SOURCE_OF_TEN
        text = shipped[origin]
        if number < TEN:
            text = text.replace("agency: obac", f"agency: {AGENCY}").replace("obac", AGENCY)
        yield f"{origin}-{number}", _varied(text, origin, number)


def _varied(text: str, origin: str, number: int) -> str:
    subject = f"{_SUBJECTS[number % len(_SUBJECTS)]} {number}"
    text = text.replace(f"procedure: {origin}\n", f"procedure: {origin}-{number}\n", 1)
    text = _TITLE.sub(lambda found: _title(found, subject), text, count=1)
    return _AMOUNT.sub(lambda found: str(int(found.group(1)) + 5 * (number % 400)), text)


def _title(found: re.Match[str], subject: str) -> str:
    opened, title, closed = found.groups()
    words = title.strip("'\"").replace("''", "'").replace("'", "’")
    return f"title: {opened or ''}'{words}, {subject}'{closed}"


def _add_agency(folder: Path) -> None:
    """An agency and its office, copied from those of the file that the ten derive from."""
    for name in ("agencies", "offices"):
        path = folder / "shared" / f"{name}.yaml"
        text = path.read_text("utf-8")
        copied = [block.replace("obac", AGENCY) for block in re.split(r"\n(?=\S)", text) if "obac" in block]
        path.write_text("\n".join([text.rstrip("\n"), *copied]) + "\n", "utf-8")
