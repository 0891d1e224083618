"""B9a. Hostile YAML files: each is refused with a position, without raising and within limits.

`tests/test_language.py` tests thousands of mutants of the shipped files. Then the mutants: the usual reader instead of the strict one.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from engine.language.catalogue import check as checking
from engine.language.catalogue.check import check_definition
from engine.language.source import loader as source
from engine.language.source.loader import read_source
from tests.faults.limits import each_within, limit_memory
from tests.makers import the_shared, whole

pytestmark = [pytest.mark.slow, pytest.mark.faults]

ROOT: Final = Path(__file__).resolve().parents[2]
FORM: Final = "legal_basis: {loi: {title: Une loi, status: to_confirm, source: Essai}}\nbasis: {delay: loi}\nform:\n  vous:\n    title: Vous\n    fields:\n      nom: {label: Nom, maxLength: 50, example: AMEGAN}\n"


def _bomb(levels: int = 9, each: int = 9) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * each)}]" for n in range(1, levels + 1)]
    return "\n".join(lines) + "\n"


def hostile() -> Mapping[str, bytes]:
    """By what it is; a file that would be sound but for that."""
    sound = whole(FORM)
    texts = {
        "a length twice": sound.replace("maxLength: 50", "maxLength: 50, maxLength: 5"),
        "the title twice": sound + "title: Autre\n",
        "a bomb of aliases": sound + _bomb(),
        "an anchor": sound.replace("{label: Nom", "&t {label: Nom"),
        "a merge": sound + "x: &x {a: 1}\ny: {<<: *x}\n",
        "a tag that runs": sound + "x: !!python/object/apply:os.system ['true']\n",
        "a tag of ours": sound + "x: !secret y\n",
        "a second document": sound + "---\ntitle: Autre\n",
        "a day that is none": sound.replace("maxLength: 50", "maxLength: 2024-13-45"),
        "a number of octal digits": sound.replace("maxLength: 50", "maxLength: 050"),
        "a number of base sixty": sound.replace("maxLength: 50", "maxLength: 12:30:00"),
        "a number without end": sound.replace("maxLength: 50", "maxLength: " + "9" * 5_000),
        "ten thousand brackets": sound + "x: " + "[" * 10_000,
        "ten thousand levels": sound + "".join(" " * n + "x:\n" for n in range(5_000)),
        "a file without end": sound + "# " + "x" * 600_000,
        "a sign that turns the line": sound.replace("Nom", "No\u202em"),
        "a sign that is none": sound.replace("Nom", "No\x07m"),
        "a list": "- a\n- b\n",
        "nothing": "",
        "a text": "bonjour",
    }  # fmt: skip
    raw = {
        "no text at all": b"\xff\xfe\0\x01" * 50,
        "another alphabet": sound.encode("utf-16"),
        "half a letter": sound.encode() + b"# \xc3\n",
        "a NUL": sound.encode().replace(b"Nom", b"No\0m"),
    }
    return {**{name: text.encode() for name, text in texts.items()}, **raw}


def faults_of(files: Mapping[str, bytes]) -> Iterator[str]:
    for name, data in files.items():
        try:
            checked = check_definition(data, "essai.yaml", the_shared())
        except Exception as error:
            yield f"{name} raises {type(error).__name__}"
            continue
        if checked.procedure is not None:
            yield f"{name} is served"
        yield from (
            f"{name}: {one.code} has no place" for one in checked.report if min(one.where.line, one.where.column) < 1
        )


def test_what_is_written_is_what_is_read() -> None:
    """A sound file, and Norway in it."""
    read = check_definition(whole(FORM).replace("title: Essai", "title: NO"), "essai.yaml", the_shared()).procedure
    assert read is not None
    assert str(read.identity.title) == "NO"


def checked_apart(*how: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.faults.test_definitions_faults", *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1]


def test_each_is_refused_at_a_place_within_bounds() -> None:
    assert checked_apart() == (0, "[]")


# -- mutants -------------------------------------------------------------------------------------------------------------


def the_reader_that_everybody_has(text: Any, file: str) -> source.Source:
    """PyYAML reads the file, ours what it made of it."""
    return read_source(yaml.safe_dump(yaml.safe_load(text), allow_unicode=True, sort_keys=False), file)


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("case", "seen"),
    [
        ("a length twice", "is served"),
        ("the title twice", "is served"),
        ("a day that is none", "raises ValueError"),
        ("a number without end", "raises ValueError"),
        ("a tag that runs", "raises ConstructorError"),
        ("a number of octal digits", "is served"),
    ],
)
def test_another_reader_is_seen(monkeypatch: pytest.MonkeyPatch, case: str, seen: str) -> None:
    monkeypatch.setattr(checking, "read_source", the_reader_that_everybody_has)
    assert f"{case} {seen}" in list(faults_of({case: hostile()[case]}))


@pytest.mark.nightly("mutant")
def test_a_reader_that_follows_every_alias_is_seen() -> None:
    ended, said = checked_apart("a bomb of aliases", "follow")
    assert (ended, said) == (-signal.SIGPROF, '{"at": "a bomb of aliases"}')


def _follow() -> None:
    def spread(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: spread(one) for name, one in node.items()}
        return [spread(one) for one in node] if isinstance(node, list) else node

    def read(text: Any, file: str) -> source.Source:
        return read_source(yaml.safe_dump(spread(yaml.safe_load(text))), file)

    checking.read_source = read  # type: ignore


def main(case: str = "", mutant: str = "") -> None:
    if mutant:
        _follow()
    files = {name: data for name, data in hostile().items() if case in name}
    the_shared()
    limit_memory(4_000_000_000 if mutant else 100_000_000)
    found = [
        fault
        for one in each_within(2.0, ((name, {name: data}) for name, data in files.items()))
        for fault in faults_of(one)
    ]
    print(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
