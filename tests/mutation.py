"""Generated faults of the code, and whether the tests find them.

1. `python -m tests.mutation choose` chooses places to change, ten a package: those of `tests/mutants.jsonl` whose code is unchanged first.
2. `pytest -p tests.mutation --mutants seen …` runs tests and records which of them execute each place.
3. `pytest -p tests.mutation --mutants kill --share 1/2 …` changes one place after the other, in a child process each, and runs the
   test that found it before, then those that execute it, until one fails. It goes on where it was stopped.
4. `python -m tests.mutation keep` writes the results to `tests/mutants.jsonl`.

Without step 2, step 3 tries the tests that found a change before: it takes minutes, and shows what a change of the tests has lost.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import gc
import hashlib
import importlib
import json
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import pytest

from tests.contracts.figures import ALL, ROOT, tree_of

LISTED: Final = ROOT / "tests/mutants.jsonl"  # each place, and the test that finds its change
CHOSEN: Final = ROOT / "var/mutants.json"
SEEN: Final = ROOT / "var/mutants-seen"
KILLED: Final = ROOT / "var/mutants-killed.jsonl"
A_PACKAGE: Final = 10  # places, so that about five of them are executed
SWAPPED: Final = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one function: the n-th place where the operator applies. `digest` is of the function's code."""

    module: str
    function: str
    digest: str
    operator: str
    site: int

    @property
    def id(self) -> str:
        return f"{self.module}:{self.function}:{self.operator}:{self.site}"


def _functions(module: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions of the module and methods of its classes, with their qualified names."""
    waiting: list[tuple[str, ast.AST]] = [("", module)]
    while waiting:
        prefix, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield prefix + child.name, child
            elif isinstance(child, ast.ClassDef):
                waiting.append((f"{prefix}{child.name}.", child))


def _operator(node: ast.AST) -> str:
    """How a node of the tree is changed; an empty text when it is not."""
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        return "negate"
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return "compare"
    if isinstance(node, ast.BoolOp):
        return "connect"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return "drop"
    if isinstance(node, ast.Return) and not (node.value is None or isinstance(node.value, ast.Constant)):
        return "return"
    return "count" if isinstance(node, ast.Constant) and type(node.value) is int else ""


def _sites(function: ast.FunctionDef) -> list[tuple[str, int, ast.AST]]:
    """The places that can be changed: operator, number among those of the operator, node."""
    counts, found = defaultdict[str, int](int), []
    for statement in function.body:
        for node in ast.walk(statement):
            if operator := _operator(node):
                found.append((operator, counts[operator], node))
                counts[operator] += 1
    return found


def _change(node: Any) -> None:
    """Change the node in place."""
    match _operator(node):
        case "negate":
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case "compare":
            node.ops = [SWAPPED[type(node.ops[0])]()]
        case "connect":
            node.op = SWAPPED[type(node.op)]()
        case "count":
            node.value += 1
        case "drop" | "return":
            node.value = ast.Constant(None)


def _digest(function: ast.FunctionDef) -> str:
    return hashlib.sha256(ast.dump(function).encode()).hexdigest()[:12]


def listed() -> dict[Mutant, str]:
    """The places of the list, each with the test that finds its change; an empty text when none does."""
    rows = [json.loads(line) for line in LISTED.read_text("utf-8").splitlines()] if LISTED.exists() else []
    return {
        Mutant(*(row[key] for key in ("module", "function", "digest", "operator", "site"))): row["killer"]
        for row in rows
    }


def choose(seed: int = 1) -> list[Mutant]:
    """The same places for the same code: `A_PACKAGE` a package, at most one a function."""
    known = {(one.module, one.function, one.digest): one for one in listed()}
    packages = defaultdict[str, list[Mutant]](list)
    for module, path in ALL:
        for name, function in _functions(tree_of(path)):
            if sites := _sites(function):
                order = random.Random(f"{seed} {name} {_digest(function)}")
                operator, site, _ = order.choice(sites)
                mutant = Mutant(module, name, _digest(function), operator, site)
                packages[str(path.parent)].append(known.get((module, name, mutant.digest), mutant))
    chosen, kept = list[Mutant](), {*known.values()}
    for package, mutants in sorted(packages.items()):
        mixed = random.Random(f"{seed} {Path(package).name}").sample(mutants, len(mutants))
        chosen += sorted(mixed, key=lambda one: one not in kept)[:A_PACKAGE]
    return chosen


def chosen() -> list[Mutant]:
    return [Mutant(**one) for one in json.loads(CHOSEN.read_text("utf-8"))]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


def _parsed(mutant: Mutant) -> tuple[ast.Module, Path, ast.FunctionDef, ast.AST]:
    path = dict(ALL)[mutant.module]
    tree = ast.parse(path.read_text("utf-8"))
    function = next(one for name, one in _functions(tree) if (name, _digest(one)) == (mutant.function, mutant.digest))
    return tree, path, function, next(n for op, at, n in _sites(function) if (op, at) == (mutant.operator, mutant.site))


def _compiled(tree: ast.Module, path: Path, name: str, line: int) -> CodeType:
    module = compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True)
    return next(one for one in _codes(module) if (one.co_qualname, one.co_firstlineno) == (name, line))


def _probed(mutant: Mutant, number: int) -> CodeType:
    """The function's code, which reports each time the place is executed."""
    tree, path, function, site = _parsed(mutant)
    report = ast.Expr(ast.Call(ast.Name("__seen__", ast.Load()), [ast.Constant(number)], []))
    bodies = [
        b
        for n in ast.walk(function)
        for f in ("body", "orelse", "finalbody")
        if isinstance(b := getattr(n, f, 0), list)
    ]
    holding = [(body, at) for body in bodies for at, one in enumerate(body) if site in ast.walk(one)]
    body, at = min(holding, key=lambda one: sum(1 for _ in ast.walk(one[0][one[1]])))
    body.insert(at, report)
    return _compiled(tree, path, mutant.function, _line(function))


def _line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])


def _changed(mutant: Mutant) -> CodeType:
    tree, path, function, site = _parsed(mutant)
    _change(site)
    return _compiled(tree, path, mutant.function, _line(function))


def _loaded() -> dict[tuple[str, str, int], list[FunctionType]]:
    """Every function of ours in memory, by module, qualified name and line."""
    gc.unfreeze()
    found = defaultdict[tuple[str, str, int], list[FunctionType]](list)
    for one in gc.get_objects():
        if (
            type(one) is FunctionType
            and one.__module__
            and one.__module__.split(".")[0] in ("engine", "renderers", "server")
        ):
            found[one.__module__, one.__code__.co_qualname, one.__code__.co_firstlineno].append(one)
    return found


def _replace(functions: dict[tuple[str, str, int], list[FunctionType]], mutant: Mutant, code: CodeType) -> bool:
    """Give the functions in memory this code; say whether that was possible."""
    there = functions.get((mutant.module, mutant.function, code.co_firstlineno), [])
    if not there or any(one.__code__.co_freevars != code.co_freevars for one in there):
        return False
    for one in there:
        one.__code__ = code
    return True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutants", choices=("seen", "kill"))
    parser.addoption("--share", default="1/1", help="which part of the mutants, and of how many")
    parser.addoption("--seconds", type=float, default=45, help="of tests for one mutant, by what they took when seen")


class Recording:
    """Which tests execute the places, and how long they take."""

    def __init__(self) -> None:
        self.seen = defaultdict[int, set[str]](set)
        self.took, self.current = dict[str, float](), ""

    def __call__(self, number: int) -> None:
        if self.current:
            self.seen[number].add(self.current)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.current, began = item.nodeid, time.monotonic()
        result = yield
        self.took[item.nodeid], self.current = time.monotonic() - began, ""
        return result

    def pytest_sessionfinish(self) -> None:
        SEEN.mkdir(parents=True, exist_ok=True)
        ids = {str(number): sorted(tests) for number, tests in self.seen.items()}
        (SEEN / f"{os.getpid()}.json").write_text(json.dumps({"seen": ids, "took": self.took}), "utf-8")


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("--mutants") != "seen" or (session.config.pluginmanager.hasplugin("dsession")):
        return
    every = chosen()
    for one in every:
        importlib.import_module(one.module)
    recording, functions = Recording(), _loaded()
    builtins.__seen__ = recording  # type: ignore[attr-defined]
    for number, one in enumerate(every):
        _replace(functions, one, _probed(one, number))
    session.config.pluginmanager.register(recording)


def _record() -> tuple[dict[int, set[str]], dict[str, float]]:
    seen, took = defaultdict[int, set[str]](set), dict[str, float]()
    for path in SEEN.glob("*.json"):
        part = json.loads(path.read_text("utf-8"))
        took |= part["took"]
        for number, tests in part["seen"].items():
            seen[int(number)] |= {*tests}
    return seen, took


def _order(tests: list[pytest.Item], took: dict[str, float], seconds: float) -> list[pytest.Item]:
    """The quick ones first, each function once before any of its other rows, as many as the seconds allow."""
    rows = defaultdict[str, int](int)
    ranked = []
    for one in sorted(tests, key=lambda item: took[item.nodeid]):
        function = one.nodeid.partition("[")[0]
        ranked.append((rows[function], took[one.nodeid], one))
        rows[function] += 1
    few, total = list[pytest.Item](), 0.0
    for _, cost, one in sorted(ranked, key=lambda row: row[:2]):
        total += cost
        if total > seconds and few:
            break
        few.append(one)
    return few


def _killed() -> dict[str, str]:
    rows = map(json.loads, KILLED.read_text("utf-8").splitlines() if KILLED.exists() else ())
    return {row["id"]: row["killer"] for row in rows}


class FailureSeen:
    """Whether a test failed, and which."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or (report.nodeid if report.failed else "")


def _tried(session: pytest.Session, mutant: Mutant, code: CodeType, tests: list[pytest.Item], seconds: float) -> str:
    """Change the code in a child process and run the tests there: the one that fails, `time`, or an empty text."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        failure = FailureSeen()
        with contextlib.suppress(BaseException):
            session.config.pluginmanager.register(failure)
            if not _replace(_loaded(), mutant, code):
                failure.failed = "impossible"
            for one, following in zip(tests, [*tests[1:], None], strict=True):
                if not failure.failed:
                    one.config.hook.pytest_runtest_protocol(item=one, nextitem=following)
            session._setupstate.teardown_exact(None)
        os.write(writer, failure.failed.encode())
        os._exit(0)
    os.close(writer)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(int(3 * seconds) + 20)
    with os.fdopen(reader, "rb") as output:
        killer = output.read().decode()
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return killer or ("time" if status else "")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if session.config.getoption("--mutants") != "kill":
        return None
    seen, took = _record()
    items = {one.nodeid: one for one in session.items}
    part, parts = map(int, session.config.getoption("--share").split("/"))
    seconds = session.config.getoption("--seconds")
    done, known, out = _killed(), listed(), sys.__stdout__
    for number, mutant in enumerate(chosen()):
        tests = [items[one] for one in sorted(seen[number]) if one in items]
        before = [items[known[mutant]]] if known.get(mutant, "") in items else []
        if number % parts != part - 1 or mutant.id in done or not tests + before:
            continue
        importlib.import_module(mutant.module)
        few = before + _order(tests, took, seconds)
        killer = _tried(session, mutant, _changed(mutant), few, seconds)
        with KILLED.open("a", encoding="utf-8") as results:
            results.write(
                json.dumps({"id": mutant.id, "killer": killer, "tests": len(tests), "tried": len(few)}) + "\n"
            )
        print(mutant.id, killer or "SURVIVED", f"{len(few)} of {len(tests)}", file=out, flush=True)
    return True


def main() -> None:
    if sys.argv[1:] == ["keep"]:
        killed = _killed()
        rows = [{**asdict(one), "killer": killed[one.id]} for one in chosen() if one.id in killed]
        LISTED.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        print(f"{sum(bool(row['killer']) for row in rows)} of {len(rows)} changes are found")
    else:
        CHOSEN.parent.mkdir(exist_ok=True)
        CHOSEN.write_text(json.dumps([asdict(one) for one in choose()], indent=0), "utf-8")
        print(f"{len(chosen())} places in {CHOSEN.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
