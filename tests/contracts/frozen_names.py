"""The names that outlive a release, read from the code: `python -m tests.contracts.frozen_names` writes them again.

A name that goes or changes breaks stored data, a bookmark, a script or a dashboard. A new name is added by writing the file again.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import click

import engine.journal
import engine.records
import engine.storage
from engine.operations.settings import Settings
from engine.storage.sqlite.store import SqliteStore
from renderers.cli.main import console
from renderers.web import preview
from renderers.web.platform import languages
from renderers.web.platform import request_context as base
from tests.contracts.figures import ALL, tree_of
from tests.web.client import a_portal_client

FROZEN: Final = Path(__file__).with_name("frozen_names.json")
_STORED: Final = (engine.records, engine.journal, engine.storage)  # packages whose data classes are stored
_METRIC: Final = re.compile(r"guichet_[a-z_]+")
# functions whose first text argument is stored or answered, by the kind of name that it is
_NAMING: Final = {
    "EntryDraft": "journal entries", "refusal": "refusals", "Refusal": "refusals", "IntegrityFinding": "integrity findings",
    "ExplorationFinding": "exploration findings", "ReplayRefusal": "replay refusals",
    "once": "idempotent commands",
}  # fmt: skip

Names: TypeAlias = Mapping[str, tuple[str, ...]]


@cache
def frozen_names() -> Names:
    """Kind of name → the names, in order."""
    found: dict[str, set[str]] = {}
    for kind, name in _all_names():
        found.setdefault(kind, set()).add(name)
    return {kind: tuple(sorted(names)) for kind, names in sorted(found.items())}


def _all_names() -> Iterator[tuple[str, str]]:
    yield from _fields_of_records()
    yield from _tables()
    yield from _routes()
    yield from _commands()
    yield from _settings()
    for tree, text in _sources():
        yield from _names_in(tree)
        yield from (("metrics", name) for name in _METRIC.findall(text))


@cache
def _sources() -> tuple[tuple[ast.Module, str], ...]:
    return tuple((tree_of(path), path.read_text("utf-8")) for _, path in ALL)


def _names_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _named_by_call(node)
        elif isinstance(node, ast.Subscript) and _called(node.value) == "session":
            yield from (("session keys", name) for name in _texts([node.slice]))
        elif isinstance(node, ast.Subscript) and _called(node.value) == "Literal":
            yield from (("literals", text) for one in ast.walk(node.slice) if (text := _text(one)) is not None)


def _named_by_call(node: ast.Call) -> Iterator[tuple[str, str]]:
    name = _called(node.func)
    texts = _texts(node.args)
    if name in _NAMING and texts:
        yield _NAMING[name], texts[0]
    elif name in ("pop", "get") and isinstance(node.func, ast.Attribute) and _called(node.func.value) == "session":
        yield from (("session keys", text) for text in texts[:1])


def _texts(nodes: Iterable[ast.expr]) -> list[str]:
    """The texts among them, constants by their value."""
    found = (_text(one) or _constants().get(_called(one)) for one in nodes)
    return [one for one in found if one]


@cache
def _constants() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for tree, _ in _sources():
        for node in tree.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and (text := _text(node.value)):
                found[node.target.id] = text
    return found


def _called(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _fields_of_records() -> Iterator[tuple[str, str]]:
    """Fields are keys of stored JSON, columns and hashed input of the journal; their order counts."""
    modules = (module for one in _STORED for module in pkgutil.walk_packages(one.__path__, f"{one.__name__}."))
    for module in modules:
        for name, one in vars(importlib.import_module(module.name)).items():
            if (
                isinstance(one, type)
                and dataclasses.is_dataclass(one)
                and getattr(one, "__module__", "") == module.name
                and name[0] != "_"
            ):
                yield "fields of records", f"{name}: {' '.join(field.name for field in dataclasses.fields(one))}"


def _tables() -> Iterator[tuple[str, str]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "guichet.db"
        store = SqliteStore(path)
        store.migrate()
        store.close()
        database = sqlite3.connect(path)
        for kind, name in database.execute("SELECT type, name FROM sqlite_master").fetchall():
            columns = [one[1] for one in database.execute(f'PRAGMA table_info("{name}")')] if kind == "table" else []
            yield "tables", " ".join((kind, name, *columns))
        yield from (("migrations", name) for (name,) in database.execute("SELECT name FROM _sqlite_migrations"))
        database.close()


def _routes() -> Iterator[tuple[str, str]]:
    """Endpoints are not kept anywhere: only addresses and their methods are."""
    cookies = inspect.signature(base.SiteSettings).parameters["cookie"].default
    with TemporaryDirectory() as folder:
        app = a_portal_client(Path(folder), demo=True).client.application
        for rule in app.url_map.iter_rules():
            yield "routes", f"{rule.rule} {' '.join(sorted(rule.methods or ()))}"
        yield "cookies", str(app.config["SESSION_COOKIE_NAME"])
    yield from (("cookies", name) for name in (cookies, base.AGENT_AREA, base.AUDITOR_AREA))
    yield from (("cookies", name) for name in (languages.COOKIE, preview.COOKIE))


def _commands(command: click.Command = console, path: str = "guichet") -> Iterator[tuple[str, str]]:
    options = [one for param in command.params for one in (*param.opts, *param.secondary_opts)]
    yield "commands", " ".join((path, *options))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found, name
            yield from _commands(found, f"{path} {name}")


def _settings() -> Iterator[tuple[str, str]]:
    environment = _Asked()
    Settings.from_environment(environment)
    yield from (("settings", name) for name in environment.names)


class _Asked(dict[str, str]):
    """An empty environment that notes what is read from it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.names.add(name)
        return default


def write() -> None:
    """Writes the names as they are now."""
    FROZEN.write_text(json.dumps(frozen_names(), indent=0, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    write()
