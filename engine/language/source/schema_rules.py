"""Rules of shape that a schema reports badly: one wait per state, keys of a type, lists that close (S204 to S232).

Each function accepts a tree of any shape. What the schema refuses is skipped here, without repeats or
crashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import re2

from engine.core.problems import Fact, Problem, problem
from engine.core.values import LANGUAGES
from engine.language.source.loader import Path, PositionedTree, Tree
from engine.language.source.notation import likely_span, read_span

WAITS: Final = ("by", "pay", "book", "attend", "correct", "gather", "look_up", "await", "wait", "end")
VERBS: Final = ("take", "pay", "book", "visit", "opinion", "do", "correct", "look_up", "linked", "wait")

# Keys of a field that only some types take. Those not listed here go with every type.
_TEXTUAL: Final = ("text",)
_NUMERIC: Final = ("integer", "decimal", "money", "percent", "date", "partial_date", "time")
TYPES_OF_KEY: Final[Mapping[str, tuple[str, ...]]] = {
    "minimum": _NUMERIC,
    "maximum": _NUMERIC,
    "minLength": (*_TEXTUAL, "identifier"),
    "maxLength": (*_TEXTUAL, "identifier", "address"),
    "pattern": (*_TEXTUAL, "identifier"),
    "message": (*_TEXTUAL, "identifier"),
    "case": (*_TEXTUAL, "identifier"),
    "lines": (*_TEXTUAL, "address"),
    "options": ("choice", "choices"),
    "under": ("choice", "choices", "place"),
    "other": ("choice", "choices"),
    "scheme": ("identifier",),
    "level": ("place",),
    "accept": ("file", "photo"),
    "max_size": ("file", "photo"),
    "minItems": ("rows",),
    "maxItems": ("rows", "file", "photo"),
    "row_label": ("rows",),
    "unique": ("rows",),
    "total": ("rows",),
    "use": ("rows",),
    "fields": ("rows",),
    "checks": ("rows",),
}
_VERBS_OF_KEY: Final[Mapping[str, tuple[str, ...]]] = {
    "as": ("take", "opinion", "do", "book", "visit"), "who": ("take", "opinion", "do", "visit"),
    "with": ("take", "do"), "reason": ("take",), "fields": ("take",), "refused": VERBS,
    "ends": ("pay",), "rows": ("do",),
}  # fmt: skip
_TARGET_KEYS: Final = ("then", "late", "missed", "to")
_OF_A_WAIT: Final = ("due", "then", "late", "missed", "remind", "escalate")  # an end has no wait
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_LOOKS_LIKE_A_SPAN: Final = re.compile(r"\d+\s*[^\W\d_]{1,12}(\s+[^\W\d_]+)?\s*")


@cache
def _is_readable(pattern: str) -> bool:
    """Return whether the engine that checks answers can compile a pattern. RE2 has no look-around."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error:
        return False
    return True


def rules_of_procedure(source: PositionedTree, partial: bool) -> Iterator[Problem]:
    """Yield the faults of a procedure or a preset. `partial`: missing parts may come from another file."""
    rules = _Rules(source, partial)
    top = _map(source.tree)
    yield from rules.fields_everywhere(top)
    for name in _map(top.get("eligibility")):
        yield from rules.criterion(("eligibility", name))
    for name in _map(top.get("evidence")):
        yield from rules.option_labels(("evidence", name, "any_of"))
        yield from rules.paper(("evidence", name))
    for name in _map(top.get("fees")):
        yield from rules.fee(("fees", name))
    for name in _map(top.get("notices")):
        yield from rules.notice(("notices", name))
    for name in _map(top.get("annotations")):
        yield from rules.annotation(("annotations", name))
    yield from rules.first_match(("delay",))
    yield from rules.period(("in_force",))
    yield from rules.workflow(("workflow",))
    for name in _map(top.get("outputs")):
        yield from rules.span_or_date(("outputs", name, "valid"))
    for index, _ in enumerate(_list(top.get("accept"))):
        yield from rules.one_of(("accept", index), ("until", "edition"))
    for name in _map(top.get("scenarios")):
        yield from rules.scenario(("scenarios", name))


def rules_of_shared(source: PositionedTree) -> Iterator[Problem]:
    """Yield the faults of a shared file. Only blocks, lists and kinds of numbers have rules."""
    rules = _Rules(source, partial=False)
    top = _map(source.tree)
    if "block" in top:
        yield from rules.fields((), top)
    if "list" in top:
        yield from rules.option_labels(("items",))
    for name, one in top.items():
        if isinstance(one, dict):  # a kind of numbers
            yield from rules.pattern((name, "pattern"))


def laid_over(tree: Tree, path: Path) -> bool:
    """Return whether a path is in fields or checks laid over those of a block (`use` beside them)."""
    node, above = tree, tree
    for depth, step in enumerate(path):
        if step in ("fields", "checks") and depth + 1 < len(path) and isinstance(node, dict) and "use" in node:
            return True
        above = node
        node = _step(above, step)
    return False


def _step(node: Tree, step: str | int) -> Tree:
    if isinstance(node, dict) and isinstance(step, str):
        return node.get(step)
    if isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node):
        return node[step]
    return None


def _map(node: Tree) -> dict[str, Tree]:
    return node if isinstance(node, dict) else {}


def _list(node: Tree) -> list[Tree]:
    return node if isinstance(node, list) else []


class _Rules:
    """The rules over one tree. Each yields problems with the positions of the source."""

    def __init__(self, source: PositionedTree, partial: bool) -> None:
        self.source, self.partial = source, partial

    def at(self, path: Path) -> Tree:
        node: Tree = self.source.tree
        for step in path:
            node = _step(node, step)
        return node

    def say(self, code: str, path: Path, key: bool = False, **facts: Fact) -> Problem:
        return problem(code, self.source.position(path, key), **facts)

    def one_of(self, path: Path, names: tuple[str, ...]) -> Iterator[Problem]:
        """Yield S202 when none of these keys is written."""
        node = self.at(path)
        if isinstance(node, dict) and not self._deferred(path) and not any(name in node for name in names):
            yield self.say("S202", path, key=True, name=names[0], names=names[:1], others=names[1:])

    def _deferred(self, path: Path) -> bool:
        return self.partial or laid_over(self.source.tree, path)

    # -- questions -----------------------------------------------------------------------------------------------------

    def fields_everywhere(self, top: dict[str, Tree]) -> Iterator[Problem]:
        for section in ("form", "later_forms", "opinions"):
            for name, page in _map(top.get(section)).items():
                yield from self.fields((section, name), _map(page))

    def fields(self, path: Path, holder: dict[str, Tree]) -> Iterator[Problem]:
        for name, field in _map(holder.get("fields")).items():
            here = (*path, "fields", name)
            if isinstance(field, dict):
                yield from self.field(here, field)
                yield from self.fields(here, field)
        for name in _map(holder.get("checks")):
            yield from self.check((*path, "checks", name))

    def field(self, path: Path, field: dict[str, Tree]) -> Iterator[Problem]:
        """Yield the faults of a question: keys that its type does not take, missing options, a pattern that RE2
        refuses."""
        yield from self.pattern((*path, "pattern"))
        type_ = field.get("type", "text")
        if not isinstance(type_, str) or ("type" not in field and ("value" in field or self._deferred(path))):
            return
        for key in field:
            types = TYPES_OF_KEY.get(key)
            if types and type_ not in types:
                yield self.say("S205", (*path, key), key=True, name=key, type=type_, types=types)
        if type_ in ("choice", "choices") and "value" not in field:
            yield from self._options(path, field, type_)

    def _options(self, path: Path, field: dict[str, Tree], type_: str) -> Iterator[Problem]:
        yield from self.option_labels((*path, "options"))
        options = field.get("options")
        if options == {} or ("options" not in field and not self._deferred(path)):
            yield self.say("S232", path, key=True, name=str(path[-1]), type=type_)

    def option_labels(self, path: Path) -> Iterator[Problem]:
        """Yield S202 for an option that is neither a text nor a map with a `label`."""
        for code, option in _map(self.at(path)).items():
            if isinstance(option, dict) and "label" not in option and not option.keys() <= set(LANGUAGES):
                yield self.say("S202", (*path, code), key=True, name="label", names=("label",))
            yield from self.period((*path, code))

    def pattern(self, path: Path) -> Iterator[Problem]:
        written = self.at(path)
        if isinstance(written, str) and not _is_readable(written):
            yield self.say("S212", path, value=written)

    def period(self, path: Path) -> Iterator[Problem]:
        """Yield S213 for a period that ends before it begins. Days are compared as they are written."""
        node = _map(self.at(path))
        first, last = node.get("from"), node.get("until")
        if (
            isinstance(first, str)
            and isinstance(last, str)
            and _DAY.fullmatch(first)
            and _DAY.fullmatch(last)
            and last < first
        ):
            yield self.say("S213", (*path, "until"), value=last, first=first)

    def criterion(self, path: Path) -> Iterator[Problem]:
        criterion = _map(self.at(path))
        type_ = criterion.get("type", "yes_no")
        if type_ == "choice":
            yield from self._options(path, criterion, "choice")
        elif "options" in criterion and isinstance(type_, str):
            yield self.say("S205", (*path, "options"), key=True, name="options", type=type_, types=("choice",))

    def annotation(self, path: Path) -> Iterator[Problem]:
        """Yield the faults of an annotation: keys that its type does not take, missing options."""
        annotation = _map(self.at(path))
        type_ = annotation.get("type")
        if not isinstance(type_, str):
            return
        for key, types in (("options", ("choice", "choices")), ("show", ("choices",))):
            if key in annotation and type_ not in types:
                yield self.say("S205", (*path, key), key=True, name=key, type=type_, types=types)
        if type_ in ("choice", "choices"):
            yield from self._options(path, annotation, type_)

    def check(self, path: Path) -> Iterator[Problem]:
        check = self.at(path)
        if isinstance(check, dict) and "must" in check and "should" in check:
            later = max(("must", "should"), key=list(check).index)
            yield self.say("S208", (*path, later), key=True, name=str(path[-1]))
        else:
            yield from self.one_of(path, ("must", "should"))

    def paper(self, path: Path) -> Iterator[Problem]:
        """Yield S205 for evidence without upload that has `max_age`, because no date is read from it."""
        paper = _map(self.at(path))
        how = tuple(str(one) for one in _list(paper.get("how")))
        if paper.get("max_age") is not None and how and "upload" not in how:
            yield self.say("S205", (*path, "max_age"), key=True, name="max_age", type=how[0], types=("how: [upload]",))

    # -- money ---------------------------------------------------------------------------------------------------------

    def fee(self, path: Path) -> Iterator[Problem]:
        yield from self._either(path, ("amount", "lines"))
        for name in _map(_map(self.at(path)).get("lines")):
            yield from self.period((*path, "lines", name))
        for index, reduction in enumerate(_list(_map(self.at(path)).get("reductions"))):
            if isinstance(reduction, dict):
                yield from self._either((*path, "reductions", index), ("percent", "amount"))

    def _either(self, path: Path, names: tuple[str, ...]) -> Iterator[Problem]:
        """Yield S206 unless exactly one of these keys is written."""
        node = self.at(path)
        if not isinstance(node, dict):
            return
        found = tuple(key for key in node if key in names)
        if len(found) > 1:
            yield self.say("S206", (*path, found[1]), key=True, name=str(path[-1]), found=found, allowed=names)
        elif not found and not self._deferred(path):
            yield self.say("S206", path, key=True, name=str(path[-1]), found=(), allowed=names)

    def notice(self, path: Path) -> Iterator[Problem]:
        node = self.at(path)
        channels = ("sms", "email", "inbox")
        if isinstance(node, list):
            for index, _ in enumerate(node):
                yield from self.one_of((*path, index), channels)
        else:
            yield from self.one_of(path, channels)

    # -- workflow ------------------------------------------------------------------------------------------------------

    def workflow(self, path: Path) -> Iterator[Problem]:
        workflow = _map(self.at(path))
        for name in _map(workflow.get("clocks")):
            yield from self.first_match((*path, "clocks", name, "then"))
        for name, state in _map(workflow.get("states")).items():
            if isinstance(state, dict):
                yield from self.state((*path, "states", name), state)
        for name in _map(workflow.get("transitions")):
            yield from self.act((*path, "transitions", name))

    def state(self, path: Path, state: dict[str, Tree]) -> Iterator[Problem]:
        waits = tuple(key for key in state if key in WAITS)
        if len(waits) > 1:
            yield self.say("S204", (*path, waits[1]), key=True, name=str(path[-1]), found=waits, allowed=WAITS)
        elif not waits and not self.partial:
            yield self.say("S204", path, key=True, name=str(path[-1]), found=(), allowed=WAITS)
        if waits == ("end",) and (beyond := [key for key in state if key in _OF_A_WAIT and state[key] is not None]):
            yield self.say("S205", (*path, beyond[0]), key=True, name=beyond[0], type="end", types=())
        for key in _TARGET_KEYS:
            yield from self.first_match((*path, key))
        for key in ("due", "wait"):
            yield from self.span_or_date((*path, key))
        for name in _map(state.get("transitions")):
            yield from self.act((*path, "transitions", name))

    def act(self, path: Path) -> Iterator[Problem]:
        act = _map(self.at(path))
        yield from self.first_match((*path, "to"))
        if "event" in act and "by" in act:
            yield self.say("S205", (*path, "by"), key=True, name="by", type="event", types=())

    def first_match(self, path: Path) -> Iterator[Problem]:
        """Yield the faults of a list such as `[{when: …, to: a}, {to: b}]`. Each entry but the last needs a `when`."""
        entries = self.at(path)
        if not isinstance(entries, list):
            return
        name = str(path[-1])
        if not entries:
            yield self.say("S207", path, name=name, reason="empty")
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                continue
            last = index == len(entries) - 1
            if last and "when" in entry:
                yield self.say("S207", (*path, index, "when"), key=True, name=name, reason="open")
            elif not last and "when" not in entry:
                yield self.say("S207", (*path, index), name=name, reason="early")

    def span_or_date(self, path: Path) -> Iterator[Problem]:
        """Yield S209 for a text such as `30 jours`, which is neither a time span nor an expression."""
        text = self.at(path)
        if not isinstance(text, str) or read_span(text) or not _LOOKS_LIKE_A_SPAN.fullmatch(text):
            return
        facts: dict[str, Fact] = {"name": str(path[-1]), "value": text}
        if near := likely_span(text):
            facts |= {"near": (near,), "put": near}
        yield problem("S209", self.source.position(path), **facts)

    # -- scenarios -----------------------------------------------------------------------------------------------------

    def scenario(self, path: Path) -> Iterator[Problem]:
        scenario = _map(self.at(path))
        ends = tuple(key for key in scenario if key in ("stops", "refuses", "steps"))
        if len(ends) > 1:
            yield self.say("S205", (*path, ends[1]), key=True, name=ends[1], type=ends[0], types=())
        yield from self.one_of(path, ("steps", "stops", "refuses"))
        for index, step in enumerate(_list(scenario.get("steps"))):
            if isinstance(step, dict):
                yield from self.step((*path, "steps", index), step)

    def step(self, path: Path, step: dict[str, Tree]) -> Iterator[Problem]:
        verbs = tuple(key for key in step if key in VERBS)
        if len(verbs) > 1:
            yield self.say("S211", (*path, verbs[1]), key=True, found=verbs, allowed=VERBS)
            return
        if not verbs and not step.keys() & {"expect"}:
            yield self.say("S211", path, found=(), allowed=VERBS)
            return
        verb = verbs[0] if verbs else "expect"
        for key in step:
            types = _VERBS_OF_KEY.get(key)
            if types and verb not in types:
                yield self.say("S205", (*path, key), key=True, name=key, type=verb, types=types)
