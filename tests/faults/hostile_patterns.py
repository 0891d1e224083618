"""Patterns of authors and texts of applicants whose match takes exponential time, and patterns with another meaning elsewhere.

Run as a program, it checks each one under limits of memory and processor time.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import Final

from engine.core.problems import Problem
from engine.domain.fields import text as words
from engine.domain.fields.raw_answers import LONGEST_KEPT
from engine.language.catalogue.check import check_definition
from engine.language.source import schema_rules as shape_rules
from renderers.definition.patterns import pattern_text
from tests.faults.limits import each_within, limit_memory
from tests.makers import PROCEDURES, REST, the_shared, the_words

MEMORY: Final = 200_000_000  # bytes that judging may add to the program
PROCESSOR: Final = 2.0  # seconds to read one pattern and hold it against all texts
QUICK: Final = 0.01  # for one text

_ATOMS: Final = ("a", r"\w", "[a-z]", ".", "(a|a)", "(a|aa)", "(a|[a-z])", "(aa?)", "[^!]", r"(\w|a)", "(.|a)", "(a*)")
_FORMS: Final = (
    "{}+", "({}+)+", "({}*)*", "({}+)+!", "({}|b)*c", "({}*){{20}}", "{}*{}*{}*{}*x", "({}+){{2,}}$", "^({}+)+$", "(({}+)+)+x",
    "({}{{0,30}}){{0,30}}", "(?:{}+)*@(?:{}+)*", ".*{}.*{}.*{}.*x", "{}{{0,200}}{}{{0,200}}x", "(x+x+)+{}", "({}?){{30}}{}{{30}}",
    "(?i)({}+)+Z", "[^a]*{}[^a]{{100}}x", "({}|(b|(c|(d|e)*)*)*)*f",
)  # fmt: skip

# What RE2 has not, and what it counts too dear: each is a load error where it stands.
REFUSED: Final = (
    r"(a)\1", r"(?P<n>a)(?P=n)", "(?=a)a", "(?!a)b", "(?<=a)b", "(?<!a)b", "(?>a+)b", "a++b", r"\cA", r"\u0041", r"a\Z", "a{1001}", "(a{100}){100}",
    "((a{30}){30}){30}", "[A-Z{2}", "(", ")", "a**", "*", "[z-a]", "(?P<n", "\\", "(?#note)a", r"\p{Nothing}", "(?(1)a|b)", "x{2,1}",
)  # fmt: skip


def evil() -> list[str]:
    """Every form around every atom."""
    found = [form.format(*[atom] * 4) for form, atom in product(_FORMS, _ATOMS)]
    return [
        *found,
        *(f"({'|'.join('a' * n for n in range(1, many))})*b" for many in (5, 20, 40)),
        "(.*,){11}P",
        r"(\d+)*-(\d+)*-(\d+)*$",
    ]


def texts() -> tuple[str, ...]:
    """Each as long as an answer may be."""
    most = LONGEST_KEPT
    return (
        "a" * most,
        "a" * (most - 1) + "!",
        "ab" * (most // 2),
        "a,1-" * (most // 4),
        "\u00e9" * (most - 1) + "!",
        "xa" * 4_999 + "\n",
        "",
    )


# -- judging -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _file() -> str:
    head = "procedure: essai\nedition: 1" + REST.rstrip("\n")
    return f"{head}\nform:\n  vous:\n    title: Vous\n    fields:\n      nom: {{label: Nom, example: a, message: Mal écrit., pattern: PATTERN}}\n"


def told(pattern: str) -> list[Problem]:
    """What is said of a procedure with that pattern."""
    quoted = "'" + pattern.replace("'", "''") + "'"
    return [
        one
        for one in check_definition(_file().replace("PATTERN", quoted), "essai.yaml", the_shared(), lint=False).report
        if one.code == "S212"
    ]


def faults_of(patterns: Iterable[str]) -> Iterator[str]:
    """A pattern is refused at its place, or may be read to people and held against any text."""
    for pattern in patterns:
        refusals = told(pattern)
        if refusals:
            line = next(number for number, text in enumerate(_file().splitlines(), 1) if "PATTERN" in text)
            yield from (f"{pattern}: told at {one.where}" for one in refusals if one.where.line != line)
            continue
        pattern_text(pattern, the_words(), "fr")
        for text in texts():
            words.matches(pattern, text)


# -- what a pattern means ----------------------------------------------------------------------------------------------


def shipped_patterns() -> list[str]:
    """Those of the procedures and schemes of this repository."""
    found = set(
        re.findall(
            r"pattern: '([^']+)'", "\n".join(path.read_text("utf-8") for path in sorted(PROCEDURES.rglob("*.yaml")))
        )
    )
    return sorted(found)


def near(pattern: str, count: int) -> Iterator[str]:
    """Texts made of the signs of a pattern and of those that deceive."""
    chance = random.Random(pattern)
    signs = [
        *re.sub(r"\\d", "0123456789", re.sub(r"[\\\[\](){}?*+|^$]", "", pattern)),
        "A",
        "Z",
        "7",
        "-",
        "/",
        "\n",
        "\u0667",
        "\u00e9",
        " ",
    ]
    for _ in range(count):
        yield "".join(chance.choices(signs, k=chance.randint(0, 14)))


def told_apart(patterns: Iterable[str], count: int) -> Iterator[str]:
    """Where our reader and Python's, told to read the whole text and ASCII, do not agree."""
    for pattern in patterns:
        for text in near(pattern, count):
            if words.matches(pattern, text) is not (re.fullmatch(pattern, text, re.ASCII) is not None):
                yield f"{pattern} and {text!r}"


# -- a defence taken away ----------------------------------------------------------------------------------------------


def python_reads_them() -> None:
    """Patterns are read by the standard library."""
    words._compiled = re.compile  # type: ignore[assignment]
    shape_rules.re2 = re  # type: ignore[attr-defined]
    shape_rules._is_readable = lambda pattern: True  # type: ignore[assignment]


MUTANTS: Final[Mapping[str, Callable[[], None]]] = {python_reads_them.__name__: python_reads_them}


def main(case: str = "", mutant: str = "") -> None:
    """`case`: only the patterns that hold this text."""
    if mutant:
        MUTANTS[mutant]()
    patterns = [one for one in (*evil(), *REFUSED) if case in one]
    told("a")  # what is read once
    limit_memory(MEMORY)
    took: list[float] = []

    def timed() -> Iterator[str]:
        for one in each_within(PROCESSOR, ((one, one) for one in patterns)):
            began = time.process_time()
            yield one
            took.append(time.process_time() - began)

    found = list(faults_of(timed()))
    print(json.dumps({"faults": found, "tried": len(patterns), "worst": max(took)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
