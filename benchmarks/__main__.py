"""`make bench`: every line of what is aimed at, beside its peers, in turns; or some of them: `python -m benchmarks pages seats`.

Prints a table and keeps it in `out.json`; draws the curves of growth. Nothing here judges. Making the thousands of procedures
and the million dossiers takes a quarter of an hour each, once (`var/bench`).
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks import circuit, command, growth, journey, pages, scale, seats
from benchmarks.measure import Measure
from benchmarks.plot import Series, write_growth

HERE = Path(__file__).parent
OUT, CURVES = HERE / "out.json", HERE / "growth.svg"
NAMED = ("flask", "waitress", "jinja2", "jsonschema", "psycopg")


def _grown() -> Iterator[Measure]:
    """The growth lines, and their picture."""
    curves: list[Series] = []
    yield from growth.measures(curves.append)
    curves = [one for one in curves if one.id.startswith("S2-") and not one.id.startswith("S2-pg")]
    write_growth(CURVES, "Time of an act by number of dossiers", "dossiers", curves)


GROUPS: dict[str, Callable[[], Iterator[Measure]]] = {
    "pages": pages.measures,
    "journey": journey.measures,
    "circuit": circuit.measures,
    "seats": seats.measures,
    "command": command.measures,
    "growth": _grown,
    "scale": scale.measures,
}


def main() -> None:
    asked = sys.argv[1:] or list(GROUPS)
    if strangers := set(asked) - set(GROUPS):
        raise SystemExit(f"{', '.join(sorted(strangers))}? There are {', '.join(GROUPS)}.")
    names = ", ".join(f"{name} {version(name)}" for name in NAMED)
    print(f"Python {platform.python_version()}, {platform.python_compiler()}, {names}; load {os.getloadavg()[0]:.1f}\n")
    known = {one["id"]: one for one in json.loads(OUT.read_text("utf-8"))} if OUT.is_file() else {}
    for group in asked:
        for measure in GROUPS[group]():
            print(measure, flush=True)
            known[measure.id] = measure.as_json()
            OUT.write_text(json.dumps(list(known.values()), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
