"""What a view passes to its template is read there, or in a template that it extends or includes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, meta, nodes

RENDERERS = Path(__file__).resolve().parents[2] / "renderers"
TEMPLATES = RENDERERS / "templates"
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES))


@cache
def names_read(template: str) -> frozenset[str]:
    """The names of the context that a template reads, with those of the templates that it extends or includes."""
    tree = ENVIRONMENT.parse((TEMPLATES / template).read_text("utf-8"))
    used = frozenset(one for node in tree.find_all((nodes.Extends, nodes.Include)) for one in _named(node.template))
    return frozenset(meta.find_undeclared_variables(tree)).union(*map(names_read, used))


def _named(template: nodes.Node) -> Iterator[str]:
    """The names of templates in an expression, of which a condition may choose one."""
    return (one.value for one in (template, *template.find_all(nodes.Const)) if isinstance(one, nodes.Const))


def passed() -> Iterator[tuple[str, ast.Call, list[str]]]:
    """Each call of a view that names templates: where it stands, and which."""
    for path in sorted(RENDERERS.rglob("*.py")):
        text = path.read_text("utf-8")
        for call in ast.walk(ast.parse(text)) if '.html"' in text else ():
            if isinstance(call, ast.Call) and call.args:
                named = [one.value for one in ast.walk(call.args[0]) if isinstance(one, ast.Constant)]
                templates = [one for one in named if isinstance(one, str) and one.endswith(".html")]
                if templates:
                    yield f"{path.relative_to(RENDERERS)}:{call.lineno}", call, templates


def test_each_argument_of_a_template_is_read() -> None:
    calls = list(passed())
    assert len(calls) > 100
    unread = [
        f"{place}: {given.arg}"
        for place, call, templates in calls
        for given in call.keywords
        if given.arg and not any(given.arg in names_read(one) for one in templates)
    ]
    assert unread == []
