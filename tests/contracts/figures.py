"""The figures of the code: `python -m tests.contracts.figures` prints them; test_layout.py holds the limits."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SMALL: Final = 40  # code lines of a module that should be merged


def modules() -> Iterator[tuple[str, Path]]:
    """The modules of the engine, the renderers and the server: dotted name and file."""
    for folder in ("engine", "renderers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path
    yield "server", ROOT / "server.py"


ALL: Final = tuple(modules())


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def code_lines(path: Path) -> int:
    """Lines that are neither blank, nor a comment, nor part of a docstring."""
    text = path.read_text("utf-8").splitlines()
    left = {n for n, line in enumerate(text, 1) if line.strip() and not line.lstrip().startswith("#")}
    for node in ast.walk(tree_of(path)):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            left -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(left)


def small_modules() -> list[str]:
    """Modules of fewer than `SMALL` code lines, the files that open packages left out."""
    return [name for name, path in ALL if path.name != "__init__.py" and code_lines(path) < SMALL]


def modules_of_packages() -> Counter[str]:
    """How many modules each package holds."""
    return Counter(str(path.parent.relative_to(ROOT)) for _, path in ALL if path.name != "__init__.py")


def classes_with_one_name() -> dict[str, list[str]]:
    """Public classes whose name more than one module defines, with those modules."""
    found: dict[str, list[str]] = {}
    for name, path in ALL:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name)
    return {name: where for name, where in found.items() if len(where) > 1}


def public_functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions and methods of a module that another module may call."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield child
        elif isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)


def share_with_docstring() -> float:
    """The share of public functions that have a docstring, in percent."""
    every = [one for _, path in ALL for one in public_functions(tree_of(path))]
    return 100 * sum(ast.get_docstring(one) is not None for one in every) / len(every)


def import_share() -> float:
    """The share of import statements in the raw lines, in percent."""
    lines = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for _, path in ALL
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    )
    return 100 * lines / raw_lines()


def raw_lines() -> int:
    return sum(path.read_text("utf-8").count("\n") for _, path in ALL)


def figures() -> dict[str, str]:
    """What each figure is called, and its value."""
    widest = modules_of_packages().most_common(1)[0]
    return {
        "raw lines": f"{raw_lines():,}",
        "code lines without blanks, comments and docstrings": f"{sum(code_lines(path) for _, path in ALL):,}",
        "modules": f"{sum(path.name != '__init__.py' for _, path in ALL):,}",
        "packages": f"{len(modules_of_packages())}",
        "modules of the widest package": f"{widest[1]} ({widest[0]})",
        "lines of the longest module": f"{max(path.read_text('utf-8').count(chr(10)) for _, path in ALL)}",
        f"modules under {SMALL} code lines": f"{len(small_modules())}",
        "class names that two modules define": f"{len(classes_with_one_name())}",
        "public functions with a docstring": f"{share_with_docstring():.1f} %",
        "import statements": f"{import_share():.1f} % of raw lines",
    }


if __name__ == "__main__":
    for name, value in figures().items():
        print(f"{name:52} {value}")
