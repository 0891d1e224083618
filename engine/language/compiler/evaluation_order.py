"""The order in which answers are computed: each after those that its condition, its value and its bounds name."""

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
    """Return the ids of `fields`, each after those it needs, otherwise in the order of the file.

    Report E420 for a cycle and E403 for a chain that is too long. The columns of the same rows are checked
    too.
    """
    shown_by = {field.id: page.when for page in pages for field in page.fields}
    needs = {name: _needs(field, shown_by.get(name), fields) for name, field in fields.items()}
    for field in fields.values():
        _columns(build, names, field)
    paths = {name: names.ids[name].path if name in names.ids else () for name in fields}  # (): its own name is refused
    return _Chain(build, paths, needs).order()


def _columns(build: BuildContext, names: Namespace, rows: Field) -> None:
    own = {column.id: column for column in rows.rows}
    paths = {column.id: column.path for column in names.columns if column.rows == rows.id and column.id in own}
    needs = {name: _needs(own[name], None, own) for name in paths}
    _Chain(build, paths, needs).order()
    for column in rows.rows:
        _columns(build, names, column)


class _Chain:
    """Sorts answers, and reports the first cycle and the first chain that is too long."""

    def __init__(self, build: BuildContext, paths: Mapping[str, Path], needs: Mapping[str, tuple[str, ...]]) -> None:
        self.build, self.paths, self.needs = build, paths, needs
        self.depths: dict[str, int] = {}  # in order: the length of the chain of answers each depends on
        self.chain: list[str] = []
        self.is_reported = False

    def order(self) -> tuple[str, ...]:
        """Return the ids, each after those it needs."""
        for name in self.paths:
            self._visit(name)
        return tuple(self.depths)

    def _visit(self, name: str) -> None:
        if name in self.depths or name not in self.paths or (self.is_reported and len(self.chain) > MOST_CHAINED):
            return
        if name in self.chain:
            circle = self.chain[self.chain.index(name) :]
            if not self.build.broken & set(circle):
                self.build.say("E420", self.paths[name], key=True, name=name, circle=(*circle, name))
                self.build.broken.update(circle)
            return
        self.chain.append(name)
        self._measure(name, len(self.chain))
        for needed in self.needs[name]:
            self._visit(needed)
        self.chain.pop()
        self.depths[name] = 1 + max((self.depths.get(needed, 0) for needed in self.needs[name]), default=0)
        self._measure(name, self.depths[name])

    def _measure(self, name: str, depth: int) -> None:
        if depth > MOST_CHAINED and not self.is_reported:
            self.is_reported = True
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
    """The expressions that decide whether an answer is shown, computed or bounded.

    `required` is not among them: two answers may each be required unless the other is given. The names outside a
    row that its columns use count for the question of rows.
    """
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
