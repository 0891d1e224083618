"""Memory given back; where the library of C knows nothing of it, nothing happens. Records that share their methods are what
they were."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from engine.problems import Position
from engine.records.file_keys import FileKeys
from renderers import spare_memory
from tests.engine.office.world import keys

ROOT = Path(__file__).parents[2]


class Library:
    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def mallopt(self, what: int, value: int) -> int:
        self.asked.append((what, value))
        return 1


def test_few_arenas_unless_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(spare_memory, "_library", lambda: library)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    spare_memory.few_arenas()
    assert library.asked == [(-8, 2)]
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    spare_memory.few_arenas()
    assert library.asked == [(-8, 2)]


def test_another_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare_memory, "_library", object)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    spare_memory.few_arenas()
    spare_memory.give_back()


def test_it_may_be_asked_for_at_any_time() -> None:
    spare_memory.give_back()


# -- records -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaf:
    """A record that may hold itself."""

    name: str
    secret: str = field(default="s", repr=False)
    inside: list[object] = field(default_factory=list)


@dataclass(frozen=True)
class Silent:
    name: str

    def __repr__(self) -> str:
        return "Silent"


@dataclass(slots=True)
class Changing:
    name: str


@pytest.fixture(scope="module")
def before() -> list[str]:
    """How records of a package looked, which share their methods now."""
    module = ModuleType("a_package.part")
    vars(module).update(Leaf=Leaf, Silent=Silent, Changing=Changing)
    looked = [repr(one) for one in some()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        spare_memory.share_methods("a_package")
    return looked


def some() -> list[object]:
    leaf = Leaf("a", "b", [1])
    leaf.inside.append(leaf)
    return [leaf, Leaf("c"), Silent("d"), Changing("e")]


def test_records_look_as_before(before: list[str]) -> None:
    assert [repr(one) for one in some()] == before
    assert before[1] == "Leaf(name='c', inside=[])"
    assert before[2] == "Silent"


def test_a_record_is_frozen_as_before(before: list[str]) -> None:
    for record in (Leaf("a"), Silent("a")):
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
            record.name = "b"  # type: ignore[misc]
        with pytest.raises(FrozenInstanceError, match="cannot delete field 'name'"):
            del record.name  # type: ignore[misc]
    changing = Changing("a")
    changing.name = "b"
    assert changing == Changing("b")
    assert {Leaf("a").name} == {"a"}


def test_the_class_it_was_made_from_is_gone() -> None:
    """In a process of its own: whoever lists all classes, as tools of tests do, may hold it."""
    count = "sum(one.__name__ == 'Position' for one in object.__subclasses__())"
    code = f"import gc; from engine.problems import Position; from renderers import spare_memory; gc.collect(); print({count}); "
    code += f"spare_memory.share_methods('engine'); print({count})"
    assert _said(code) in (["2", "1"], ["1", "1"]), "a later CPython leaves none to begin with"


def test_the_last_record_lets_go_of_its_class_too() -> None:
    """A package of one record: the first is the last."""
    code = "import sys, types; from dataclasses import dataclass; from renderers import spare_memory\n"
    code += "@dataclass(frozen=True, slots=True)\nclass Lone:\n    name: str\n"
    code += "module = sys.modules['lone'] = types.ModuleType('lone'); module.Lone = Lone\n"
    code += "spare_memory.share_methods('lone'); print(sum(one.__name__ == 'Lone' for one in object.__subclasses__()))"
    assert _said(code) == ["1"]


def _said(code: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()


def test_the_records_of_the_house_share_theirs() -> None:
    """What says nothing of its secrets goes on saying nothing."""
    records = [Position("a", 1, 2), keys()]
    shown = list(map(repr, records))
    spare_memory.share_methods("engine")
    assert Position.__repr__ is FileKeys.__repr__
    assert list(map(repr, records)) == shown
