"""`make bench`: every line of what is aimed at, beside its peers, in turns; or some of them: `python -m benchmarks forms seats`.

`python -m benchmarks --help` says what each family measures and what it needs before. Prints a table and keeps it in `out.json`, each
line with its commit; draws the curves of growth. Nothing here judges but wrong answers: with one, the command ends with 1.
`python -m benchmarks smoke` plays the journey once in each store, and ends with 1 on any answer that is not the receipt.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from textwrap import wrap
from types import ModuleType

from benchmarks import circuit, command, forms, growth, journey, paying, scale, seats, start
from benchmarks.measure import Measure
from benchmarks.plot import Series, write_growth
from tests.postgres import database

HERE = Path(__file__).parent
OUT, CURVES = HERE / "out.json", HERE / "growth.svg"
NAMED = ("flask", "waitress", "jinja2", "jsonschema", "psycopg")


def _grown() -> Iterator[Measure]:
    """The growth lines, and their picture."""
    curves: list[Series] = []
    yield from growth.measures(curves.append)
    curves = [one for one in curves if one.id.startswith("S2-") and not one.id.startswith("S2-pg")]
    write_growth(CURVES, "Time of an act by number of dossiers", "dossiers", curves)


@dataclass(frozen=True)
class Family:
    """Lines measured together: what they are of, as the first words of their module say, and what is made before."""

    module: ModuleType
    measures: Callable[[], Iterator[Measure]]
    before: str

    @property
    def about(self) -> str:
        return " ".join((self.module.__doc__ or "").partition("\n\n")[0].split())


FAMILIES: dict[str, Family] = {
    "forms": Family(forms, forms.measures, "two minutes each time, the peers are installed in var/peers once"),
    "journey": Family(journey, journey.measures, "two minutes each time; PostgreSQL runs"),
    "paying": Family(paying, paying.measures, "five minutes each time; PostgreSQL runs"),
    "circuit": Family(
        circuit, circuit.measures, "a minute each time, the peers are installed in var/peers once; PostgreSQL runs"
    ),
    "seats": Family(seats, seats.measures, "some seconds each time; PostgreSQL runs"),
    "start": Family(start, start.measures, "half a minute each time: the definitions are proven"),
    "command": Family(command, command.measures, "a minute each time"),
    "growth": Family(
        growth, _grown, "a quarter of an hour, once: a million dossiers are made in var/bench; PostgreSQL runs"
    ),
    "scale": Family(scale, scale.measures, "a quarter of an hour, once: ten thousand procedures are made in var/bench"),
}


def usage() -> str:
    """What `--help` prints: every family, what it measures, how long making what it needs takes."""
    lines = [
        "python -m benchmarks [FAMILY …]: all of them where none is named. What is found is kept in benchmarks/out.json.",
        "python -m benchmarks smoke: the journey once in each store; red on any answer that is not the receipt.",
        "",
    ]
    for name, family in FAMILIES.items():
        lines += [f"{name:10}{part}" if not n else f"{'':10}{part}" for n, part in enumerate(wrap(family.about, 110))]
        lines += [f"{'':10}Before: {family.before}.", ""]
    return "\n".join(lines).rstrip()


def smoke() -> None:
    """Plays the journey once in each store. Raises `SystemExit` on any answer that is not the expected one."""
    for store in ("SQLite", "PostgreSQL"):
        with database() if store == "PostgreSQL" else nullcontext("") as address:
            began, faults = time.monotonic(), journey.played(address)
        if faults:
            raise SystemExit(f"{store}: {'; '.join(faults)}")
        print(f"{store}: from the catalogue to the receipt and the visit, {time.monotonic() - began:.0f} s", flush=True)


def _commit() -> str:
    """The commit under measure, with a + where files differ from it."""
    git = ["git", "-C", str(HERE)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    return head + "+" * bool(subprocess.run([*git, "diff", "--quiet", "HEAD"], check=False).returncode)


def main() -> None:
    asked = sys.argv[1:] or list(FAMILIES)
    if {"-h", "--help"} & set(asked):
        print(usage())
        return
    if asked == ["smoke"]:
        smoke()
        return
    if strangers := set(asked) - set(FAMILIES):
        raise SystemExit(
            f"{', '.join(sorted(strangers))}? There are {', '.join(FAMILIES)}; --help says what they measure."
        )
    names = ", ".join(f"{name} {version(name)}" for name in NAMED)
    print(f"Python {platform.python_version()}, {platform.python_compiler()}, {names}; load {os.getloadavg()[0]:.1f}\n")
    known = {one["id"]: one for one in json.loads(OUT.read_text("utf-8"))} if OUT.is_file() else {}
    wrong, commit = 0, _commit()
    for group in asked:
        for measure in FAMILIES[group].measures():
            print(measure, flush=True)
            wrong += int(measure.value) if measure.id.endswith("-errors") else 0
            known[measure.id] = measure.as_json(commit)
            OUT.write_text(json.dumps(list(known.values()), indent=2) + "\n", "utf-8")
    if wrong:
        raise SystemExit(f"{wrong} wrong answers")


if __name__ == "__main__":
    main()
