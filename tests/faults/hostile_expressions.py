"""Hostile expressions, generated: very large numbers, texts and definitions, accesses to Python, deep nesting, fragments.

`faults_of` reads and evaluates each expression and reports the faults. Run as a program, it limits memory and processor time for
each, so that an endless one ends the program and not the tests.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.language.expressions import compiler as expression_compiler
from engine.language.expressions import parser as expression_reader
from engine.language.expressions.functions import LARGEST
from engine.language.expressions.parser import Definition, Vocabulary, parse_expression
from engine.model.types import Expression, constant
from tests.effort import tries
from tests.engine.language.test_expression_properties import HERE, SCRAPS, WORDS, scope
from tests.faults.limits import each_within, limit_memory

MEMORY: Final = 50_000_000  # bytes that judging may add to the program
PROCESSOR: Final = 1.0  # seconds for one expression; the bar of one that is no bomb is `QUICK`
QUICK: Final = 0.02
LONGEST: Final = 500  # signs of a text that an expression may be worth
ODD: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 10**15, 10**400, Decimal("NaN"), Decimal("-Infinity"), Decimal("0.5"), "", "a", "é\0", "x" * 10_000, (),
    ("a",), ("a", "zz"), ({"h": 1, "q": True, "k": "a"},) * 300, ({"h": None}, {"h": "x", "q": 3}), (1, None),
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """One expression, and what it may use."""

    case: str
    text: str
    words: Vocabulary = WORDS


def doubled(times: int) -> Mapping[str, Definition]:
    """Each definition is worth twice the one before."""
    chain = {f"d{n}": Definition(f"d{n - 1} + d{n - 1}", HERE) for n in range(1, times)}
    return MappingProxyType({"d0": Definition("i + 1", HERE), **chain})


def bombs() -> Iterator[Hostile]:
    """What never ends, or fills the memory, where a template or Python itself would evaluate it."""
    texts = (
        "'a' * 10**9", "9 ** (9 ** 9)", "9**9**9**9", "('a' * 1000000) | wordwrap(1)", "range(99999) | join('x' * 9999)",
        "1 << 10**10", "'%0999999999d' % 1", "'{:>999999999}'.format(1)", "f'{1:>999999999}'", "[0] * 10**10",
        "sum(range(10**12))", "max(range(10**12))", "' '.join([s] * 10**9)", "10**15 * 10**15 * 10**15", "9" * 499, "1e999999999",
        "[i for i in range(10**9)]", "(lambda f: f(f))(lambda f: f(f))", "d + years(999999999999)", "d + working_days(10**15)",
    )  # fmt: skip
    yield from (Hostile(f"bomb {text[:30]}", text) for text in texts)
    product = " * ".join(["j"] * 40)
    yield Hostile("a long product", product)
    yield Hostile("rows upon rows", "any(g, " * 6 + "h > 1000" + ")" * 6)
    yield Hostile("rows counted in rows", "count(g, " * 5 + "h > 1000" + ") > 1000" * 4 + ")")
    yield Hostile("definitions doubled", "d40", replace(WORDS, definitions=doubled(41)))
    circle = {"old": Definition("new", HERE), "new": Definition("not old", HERE)}
    yield Hostile("definitions in a circle", "old", replace(WORDS, definitions=MappingProxyType(circle)))


def depths() -> Iterator[Hostile]:
    """Things in things in things, and more signs than anybody writes."""
    for many in (90, 240, 700, 5_000, 200_000):
        yield Hostile(f"{many} brackets", "(" * many + "i" + ")" * many)
        yield Hostile(f"{many} times not", "not " * many + "b")
        yield Hostile(f"{many} signs", "-" * many + "i")
        yield Hostile(f"{many} added", "+".join(["i"] * many))
        yield Hostile(f"{many} conditions", "i if b else " * many + "i")
        yield Hostile(f"{many} compared", "<".join(["i"] * many))
        yield Hostile(f"{many} called", "min(i, " * many + "i" + ")" * many)
        yield Hostile(f"{many} brackets never closed", "[" * many)


def ways_out() -> Iterator[Hostile]:
    """Ways to Python's objects, files and modules."""
    texts = (
        "().__class__.__bases__[0].__subclasses__()", "''.__class__.__mro__[1]", "__import__('os').system('id')", "open('/etc/passwd')",
        "eval('1')", "exec('1')", "i.__class__", "g[0].h", "s.format(i)", "'{0.__class__}'.format(i)", "f'{i.__class__}'", "lambda: i",
        "[x for x in g]", "{**g}", "*g", "(y := i)", "await i", "yield i", "globals()", "getattr(i, 'real')", "today.__reduce__()",
        "b''", "1j", "i @ j", "...", "__builtins__", "_", "i;j", "i\n+j", "i # all\n", "\ufeffi", "i\u202e", "ｉ + 1", "𝒊 + 1", "e\u0301", "\0", "i\0j",
        "\ud800", "'\\x41'", "'\\N{DIGIT ONE}'", "0x1F", "1_000", "0o17", "1e3", "１ + 1", "old(i)", "t()", "t(*g)", "t(i, key=1)",
    )  # fmt: skip
    yield from (Hostile(f"way {text[:30]!r}", text) for text in texts)


def scraps(count: int) -> Iterator[Hostile]:
    """Words of the language and of others, one after the other as chance has it."""
    chance = random.Random(7)
    for number in range(count):
        yield Hostile(f"scraps {number}", " ".join(chance.choices(SCRAPS, k=chance.randint(1, 30))))


def sentences(count: int) -> Iterator[Hostile]:
    """Expressions that are well formed and mostly well typed, which scraps hardly ever are."""
    chance = random.Random(8)

    def one(kind: str, depth: int) -> str:
        if depth == 0:
            return chance.choice(
                {
                    "n": ("i", "j", "x", "m", "3", "0.5", "length(s)"),
                    "b": ("b", "old", "done(w)"),
                    "d": ("d", "e", "today"),
                }[kind]
            )
        forms = {
            "n": ("({n} + {n})", "({n} * {n})", "({n} / {n})", "({n} if {b} else {n})", "sum(g, h)", "max({n}, {n})", "age({d})", "(-{n})"),
            "b": ("({b} and {b})", "(not {b})", "({n} < {n})", "any(g, h > {n})", "answered({n})", "({d} >= {d})", "c in ['a']"),
            "d": ("({d} + days(round_up({n})))", "({d} - years(round_down({n})))", "date(i, j, 3)"),
        }  # fmt: skip
        form = chance.choice(forms[kind])
        while "{" in form:
            at = form.index("{")
            form = form[:at] + one(form[at + 1], depth - 1) + form[at + 3 :]
        return form

    for number in range(count):
        yield Hostile(f"sentence {number}", one(chance.choice("nbd"), chance.randint(1, 4)))


def corpus() -> list[Hostile]:
    return [*bombs(), *depths(), *ways_out(), *scraps(tries(2_000)), *sentences(tries(1_000))]


# -- judging -----------------------------------------------------------------------------------------------------------


def faults_of(hostile: Iterable[Hostile]) -> list[str]:
    """What raised, told no place, or was worth what no expression is."""
    return [f"{one.case}: {fault}" for one in hostile for fault in _faults_of_one(one)]


def _faults_of_one(one: Hostile) -> Iterator[str]:
    try:
        expression, problems = expression_reader.parse_expression(one.text, one.words, HERE)
    except Exception as error:
        yield f"reading raises {type(error).__name__}"
        return
    if expression is None and not problems:
        yield "is refused without a word"
    longest = max(len(text) for text in (one.text, *(str(other.text) for other in one.words.definitions.values())))
    for problem in problems:
        if problem.where.line != 1 or not 1 <= problem.where.column <= longest + 1:
            yield f"{problem.code} is told at {problem.where}"
    if expression is not None:
        yield from _faults_of_values(one, expression)


def _faults_of_values(one: Hostile, expression: Expression) -> Iterator[str]:
    chance = random.Random(one.case)
    full: dict[str, Any] = {
        "i": 3,
        "j": 10**15,
        "x": Decimal("0.5"),
        "b": True,
        "s": "a",
        "c": "a",
        "g": ({"h": 1, "q": True},) * 300,
    }
    cases: tuple[dict[str, Any], ...] = (full, {}, {name: chance.choice(ODD) for name in one.words.names})
    for values in cases:
        try:
            value = expression.value(scope(values))
        except Exception as error:
            yield f"evaluating raises {type(error).__name__}"
            continue
        if isinstance(value, (int, Decimal)) and not -LARGEST <= value <= LARGEST:
            yield "is larger than any number of a procedure"
        if isinstance(value, str) and expression.text != "s" and len(value) > LONGEST and value not in values.values():
            yield "is a text that nobody wrote"


# -- defences taken away -----------------------------------------------------------------------------------------------


def a_template_instead(*_: Any) -> None:
    """Expressions are read by an engine of templates, in its sandbox."""
    engine = ImmutableSandboxedEnvironment()

    def read(text: str, words: Vocabulary, where: Any, expects: Any = None) -> Any:
        honest, problems = parse_expression(text, words, where)
        try:
            run = engine.compile_expression(text)
        except Exception:
            return honest, problems
        return replace(honest or constant(None, WORDS.names["s"]), run=lambda scope: run(**scope.values), text=text), ()

    expression_reader.parse_expression = read  # type: ignore[assignment]


def no_budget() -> None:
    """Rows in rows are gone through to the last."""
    expression_compiler._within_budget = lambda run: run


def any_size() -> None:
    """A tree may be of any size, definitions included."""
    expression_reader._Reading.small_enough = lambda *_: True  # type: ignore[method-assign]


MUTANTS: Final[Mapping[str, Callable[[], None]]] = {
    one.__name__: one for one in (a_template_instead, no_budget, any_size)
}


def main(case: str = "", mutant: str = "") -> None:
    """`case`: only the expressions of that name."""
    if mutant:
        MUTANTS[mutant]()
    hostile = [one for one in corpus() if case in one.case]
    limit_memory(MEMORY)
    worst = 0.0

    def timed() -> Iterator[Hostile]:
        nonlocal worst
        for one in each_within(PROCESSOR, ((one.case, one) for one in hostile)):
            began = time.process_time()
            yield one
            worst = max(worst, time.process_time() - began)

    found = faults_of(timed())
    print(json.dumps({"faults": found, "tried": len(hostile), "worst": worst}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
