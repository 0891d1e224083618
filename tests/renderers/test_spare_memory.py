"""Memory given back; where the library of C knows nothing of it, nothing happens."""

from __future__ import annotations

import pytest

from renderers import spare_memory


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
