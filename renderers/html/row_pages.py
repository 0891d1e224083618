"""Rows with a page of their own: which groups have them, the cards of their list, one row as a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.domain.fields.views import AnswerProblem, FieldView, PageView, RowView

SHORT_AT_MOST: Final = 3  # questions of a row that is answered in its list
_FILES: Final = frozenset({"file", "photo", "evidence"})


@dataclass(frozen=True, slots=True)
class RowPages:
    """Addresses of the row pages of one form page.

    `address` is that of the form page and `query` follows every address. `kept` returns the number of stored rows of
    a group, by path. `wrong` holds the paths of all faults of the page.
    """

    address: str
    query: str
    kept: Callable[[str], int]
    wrong: frozenset[str] = frozenset()

    def at(self, row: str, then: str = "") -> str:
        """Return the address of a row (`voyageurs.0`), followed by `then`."""
        return f"{self.address}/{row}{then}{self.query}"

    def lacks(self, row: str) -> bool:
        """Return whether a fault lies inside the row."""
        return any(path.startswith(f"{row}.") for path in self.wrong)


@dataclass(frozen=True, slots=True)
class RowCard:
    """One row in its list, with the addresses of its page and of its removal. `lacks`: a fault lies inside the row."""

    title: str
    href: str
    remove: str
    lacks: bool


def is_long(view: FieldView) -> bool:
    """Return whether rows of this group have a page: with evidence, inner rows or more than SHORT_AT_MOST questions."""
    columns = view.columns
    return bool(columns) and (len(columns) > SHORT_AT_MOST or any(one in _FILES or one == "rows" for one in columns))


def cards(view: FieldView, pages: RowPages, number: Callable[[int], str]) -> Iterator[RowCard]:
    """Yield the stored rows. `number` names a row that has no label yet."""
    for at, row in enumerate(view.rows[: pages.kept(view.path)]):
        path = f"{view.path}.{at}"
        yield RowCard(row.label or number(row.number), pages.at(path), pages.at(path, "/supprimer"), pages.lacks(path))


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row on its page: the groups around it, outermost first, each with the row chosen in it."""

    steps: tuple[tuple[FieldView, RowView], ...]

    @property
    def group(self) -> FieldView:
        """The innermost group."""
        return self.steps[-1][0]

    @property
    def row(self) -> RowView:
        """The row of the innermost group."""
        return self.steps[-1][1]


def find_row(page: PageView, path: str) -> FoundRow | None:
    """Return the row of a path (`voyageurs.0`, `foyers.1.enfants.0`), None if the page shows no such row."""
    fields, steps, parts = page.fields, [], path.split(".")
    if len(parts) % 2:
        return None
    for name, number in zip(parts[::2], parts[1::2], strict=True):
        group = next((view for view in fields if view.id == name and view.type == "rows" and view.shown), None)
        if group is None or not (number.isascii() and number.isdigit() and len(number) < 4):
            return None
        if int(number) >= len(group.rows):
            return None
        row = group.rows[int(number)]
        steps.append((group, row))
        fields = row.fields
    return FoundRow(tuple(steps))


def row_page(page: PageView, path: str) -> PageView | None:
    """Return one row as a page with its questions and problems, None if the page shows no such row."""
    found = find_row(page, path)
    if found is None:
        return None
    mine = within(page.problems, path)
    return replace(page, fields=found.row.fields, problems=mine, complete=not any(not one.warns for one in mine))


def within(problems: tuple[AnswerProblem, ...], row: str) -> tuple[AnswerProblem, ...]:
    """Return the problems of one row, or all of them if `row` is empty."""
    return tuple(one for one in problems if not row or one.at.startswith(f"{row}."))


def row_at(page: PageView, at: str) -> str:
    """Return the path of the innermost row page that holds a problem, empty if the page shows the control."""
    fields, found, parts = page.fields, "", at.split(".")
    for place in range(0, len(parts) - 2, 2):
        group = next((view for view in fields if view.id == parts[place]), None)
        if group is None or group.type != "rows" or not parts[place + 1].isdigit() or not is_long(group):
            break
        found = ".".join(parts[: place + 2])
        rows = group.rows
        fields = rows[int(parts[place + 1])].fields if int(parts[place + 1]) < len(rows) else ()
    return found
