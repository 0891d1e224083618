"""In which order answers are worked out: each after what its condition, its value, its bounds name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.definition.expressions import Expression
from engine.definition.model import Field, Page
from engine.definition.namespace import Namespace
from engine.definition.workbench import Bench


def order_of(bench: Bench, names: Namespace, fields: Mapping[str, Field], pages: tuple[Page, ...]) -> tuple[str, ...]:
    """The ids of `fields`, each after those it needs; the order of the file otherwise. A circle is E420."""
    shown_by = {field.id: page.when for page in pages for field in page.fields}
    needs = {name: _needs(field, shown_by.get(name), fields) for name, field in fields.items()}
    order: dict[str, None] = {}
    trail: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in trail:
            circle = trail[trail.index(name) :]
            if not bench.broken & set(circle):
                bench.say("E420", names.ids[name].path, key=True, name=name, circle=(*circle, name))
                bench.broken.update(circle)
            return
        trail.append(name)
        for needed in needs[name]:
            visit(needed)
        trail.pop()
        order[name] = None

    for name in fields:
        visit(name)
    return tuple(order)


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
