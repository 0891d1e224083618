"""In which order answers are worked out: each after what its condition, its value, its bounds name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.language.compiler.build_context import BuildContext
from engine.language.compiler.namespace import MOST_CHAINED, Namespace
from engine.language.source.loader import Path
from engine.model import Field, Page
from engine.model.types import Expression


def order_of(
    build: BuildContext, names: Namespace, fields: Mapping[str, Field], pages: tuple[Page, ...]
) -> tuple[str, ...]:
    """The ids of `fields`, each after those it needs; the order of the file otherwise. A circle is E420; too long a
    chain, whose end nobody could work out, is E403. Columns of the same rows neither."""
    shown_by = {field.id: page.when for page in pages for field in page.fields}
    needs = {name: _needs(field, shown_by.get(name), fields) for name, field in fields.items()}
    for field in fields.values():
        _columns(build, names, field)
    paths = {name: names.ids[name].path if name in names.ids else () for name in fields}  # () : its own name is refused
    return _Chain(build, paths, needs).order()


def _columns(build: BuildContext, names: Namespace, rows: Field) -> None:
    own = {column.id: column for column in rows.rows}
    paths = {column.id: column.path for column in names.columns if column.rows == rows.id and column.id in own}
    needs = {name: _needs(own[name], None, own) for name in paths}
    _Chain(build, paths, needs).order()
    for column in rows.rows:
        _columns(build, names, column)


class _Chain:
    """Puts answers in order, and tells the first circle and the first chain that is too long."""

    def __init__(self, build: BuildContext, paths: Mapping[str, Path], needs: Mapping[str, tuple[str, ...]]) -> None:
        self.build, self.paths, self.needs = build, paths, needs
        self.depths: dict[str, int] = {}  # in order: how many answers each hangs on, one after another
        self.trail: list[str] = []
        self.told = False

    def order(self) -> tuple[str, ...]:
        for name in self.paths:
            self._visit(name)
        return tuple(self.depths)

    def _visit(self, name: str) -> None:
        if name in self.depths or name not in self.paths or (self.told and len(self.trail) > MOST_CHAINED):
            return
        if name in self.trail:
            circle = self.trail[self.trail.index(name) :]
            if not self.build.broken & set(circle):
                self.build.say("E420", self.paths[name], key=True, name=name, circle=(*circle, name))
                self.build.broken.update(circle)
            return
        self.trail.append(name)
        self._measure(name, len(self.trail))
        for needed in self.needs[name]:
            self._visit(needed)
        self.trail.pop()
        self.depths[name] = 1 + max((self.depths.get(needed, 0) for needed in self.needs[name]), default=0)
        self._measure(name, self.depths[name])

    def _measure(self, name: str, depth: int) -> None:
        if depth > MOST_CHAINED and not self.told:
            self.told = True
            self.build.say("E403", self.paths[name], key=True, limit="chain", name=name, most=MOST_CHAINED)


def _needs(field: Field, page_when: Expression | None, fields: Mapping[str, Field]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for expression in (page_when, *_expressions(field)):
        for name in sorted(expression.names) if expression is not None else ():
            owner = name.removesuffix("_other") if name not in fields else name
            if owner in fields:
                found[owner] = None
    if field.under in fields:
        found[str(field.under)] = None
    return tuple(found)


def _expressions(field: Field) -> Iterator[Expression | None]:
    """What the shown, computed or bounded answer hangs on; a column's outer names count for its rows. Not what makes
    it required: two answers may each be required unless the other is given."""
    yield from (field.when, field.value, field.default, field.bounds.minimum, field.bounds.maximum)
    for option in field.options:
        yield option.when
    for column in field.rows:
        own = {one.id for one in field.rows}
        for expression in _expressions(column):
            if expression is not None and not expression.names <= own:
                yield expression
    if field.total is not None:
        yield field.total.equals
