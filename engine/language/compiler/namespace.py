"""The namespace of a file: the kind of each id, and where it is written. A repeated id is N302, a hidden one N303."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Final

from engine.language.compiler.build_context import BuildContext, frozen
from engine.language.expressions.functions import FUNCTIONS
from engine.language.expressions.parse_context import AMBIENT, HISTORY_FUNCTIONS, ROW_FUNCTIONS
from engine.language.source.loader import Path
from engine.model import APPLICANT, APPLICATION, DRAFT, SYSTEM

BUILT_IN: Final = frozenset({APPLICATION, DRAFT, APPLICANT, SYSTEM, *AMBIENT})
CALLED: Final = frozenset({*FUNCTIONS, *ROW_FUNCTIONS, *HISTORY_FUNCTIONS})
MOST_CHAINED: Final = 50  # longest chain of answers that depend on each other: evaluation is recursive
ANSWERS: Final = (
    "question",
    "detail",
    "evidence",
    "answer",
    "look_up",
    "opinion",
    "service",
    "link",
)  # named in expressions
TASKS: Final = ("fee", "appointment", "opinion", "form", "look_up", "link")
PARTS: Final = (*TASKS, "service")  # what may be done, reopened or named in a notice
FORM_WORDS: Final = frozenset({  # what a form sends beside the answers
    "token", "go", "send", "end", "revision", "retour", "detach", "add_row", "remove_row", "declared", "csrf_token",
})  # fmt: skip
_ASKED: Final = ("question", "detail", "evidence", "note")
OPINION_COLUMNS: Final = ("service", "opinion", "weight")  # of the rows that a round is


@dataclass(frozen=True, slots=True)
class Named:
    """One id: its kind, and the path where it is declared."""

    id: str
    kind: str
    path: Path


@dataclass(frozen=True, slots=True)
class RowsColumn:
    """One question inside rows, or of a form filled once per row.

    `rows` is the id of the question of rows. `outer` are the columns around it when these rows are inside a
    row.
    """

    id: str
    rows: str
    path: Path
    outer: Mapping[str, Path]  # the columns around it, when its rows stand inside a row


@dataclass(frozen=True, slots=True)
class Namespace:
    """All ids of a file, and the columns of its rows, which have namespaces of their own."""

    ids: Mapping[str, Named]
    columns: tuple[RowsColumn, ...]

    def kind(self, name: str) -> str | None:
        """Return the kind of an id, None when it does not exist."""
        found = self.ids.get(name)
        return found.kind if found else None

    def of(self, *kinds: str) -> tuple[str, ...]:
        """Return the ids of these kinds, in the order of the file."""
        return tuple(one.id for one in self.ids.values() if one.kind in kinds)

    def column_ids(self) -> frozenset[str]:
        """Return the ids of all columns, whatever their rows."""
        return frozenset(one.id for one in self.columns)

    def check(self, build: BuildContext, name: str, path: Path, *kinds: str, key: bool = False) -> bool:
        """Return whether the name is an id of one of these kinds.

        Report N301 when it does not exist, N305 for another kind.
        """
        found = self.kind(name)
        if found in kinds:
            return True
        wanted = {"wanted": kinds[0]} if len(kinds) == 1 or kinds[0] == "transition" else {}
        if found is None and name not in build.broken:  # its own fault is already reported
            build.unknown_at("N301", build.where(path, key=key), name, self.of(*kinds), **wanted)
        elif found is not None:
            build.say("N305", path, name=name, found=found, wanted=kinds, allowed=self.of(*kinds))
        return False

    def checked(self, build: BuildContext, path: Path, *kinds: str) -> tuple[str, ...]:
        """Return the ids at a path (`a` or `[a, b]`) that are of these kinds. Others are reported."""
        return tuple(name for name, there in build.named(path) if self.check(build, name, there, *kinds))


def read_namespace(build: BuildContext) -> Namespace:
    """Return all ids of the file. Of two equal ones the first counts, and the second is reported."""
    ids: dict[str, Named] = {}
    for one in sorted(_declared(build), key=lambda one: build.where(one.path, key=True)):
        first = ids.get(one.id)
        if first is not None:
            build.say("N302", one.path, key=True, name=one.id, kind=first.kind, line=build.where(first.path, True).line)
        elif one.id in BUILT_IN or (one.kind == "table" and one.id in CALLED):
            build.say("N302", one.path, key=True, name=one.id, kind="built_in", line=0)
        else:
            ids[one.id] = one
    columns = tuple(_columns(build))
    _refuse_reserved(build, ids, columns)
    for column in columns:
        hidden = ids.get(column.id)
        place = column.outer.get(column.id) or (
            hidden.path if hidden and hidden.kind in (*ANSWERS, "definition") else ()
        )
        if place:
            line = build.where(place, True).line
            build.say("N303", column.path, key=True, name=column.id, rows=column.rows, line=line)
    return Namespace(frozen(ids), columns)


def _refuse_reserved(build: BuildContext, ids: Mapping[str, Named], columns: Iterable[RowsColumn]) -> None:
    """Report ids that are words of expressions, and questions named like a control of a form."""
    asked = {one.id: one.path for one in ids.values() if one.kind in _ASKED}
    groups: dict[Path, dict[str, Path]] = {(): asked}
    for column in columns:
        if column.path[-1] == column.id:  # no author names the columns of a round
            groups.setdefault(column.path[:-1], {})[column.id] = column.path
    for one in ids.values():
        if iskeyword(one.id):
            build.say("N302", one.path, key=True, name=one.id, kind="built_in", line=0)
    for group, questions in groups.items():
        boxes = {box: name for name, path in questions.items() for box in _boxes(build, name, path)}
        for name, path in questions.items():
            if group and iskeyword(name):
                build.say("N302", path, key=True, name=name, kind="built_in", line=0)
            elif name in FORM_WORDS:
                build.say("N302", path, key=True, name=name, kind="form", line=0)
            elif name in boxes and questions[boxes[name]] != path:
                line = build.where(questions[boxes[name]], True).line
                build.say("N302", path, key=True, name=name, kind="box", of=boxes[name], line=line)


def _boxes(build: BuildContext, name: str, path: Path) -> Iterator[str]:
    """The other controls of a question, whose names may not be those of answers."""
    type_ = build.words((*path, "type"))
    if path[:1] == ("evidence",):
        yield from (f"{name}_issued", *(f"{name}_issued_{part}" for part in ("day", "month", "year")))
    elif type_ == "date" and not name.endswith("_other"):
        yield from (f"{name}_{part}" for part in ("day", "month", "year"))
    if build.flag((*path, "other"), False):
        yield f"{name}_other"


def _declared(build: BuildContext) -> Iterator[Named]:
    for name, path in build.each(("eligibility",)):
        yield Named(name, "question", path)
        yield from _detail(build, name, path)
    for name in build.entries(("definitions",)):
        yield Named(name, "definition", ("definitions", name))
    for _, page in build.each(("form",)):
        yield from _questions(build, page)
    for section, kind in _SECTIONS:
        for name, path in build.each((section,)):
            yield Named(name, kind, path)
            if section == "later_forms" and build.words((*path, "each")) is None:
                yield from _questions(build, path)
            if section == "look_ups":
                yield from _answers(build, path)
            for service, there in build.each((*path, "of")) if section == "opinions" else ():
                yield Named(service, "service", there)
    yield from _circuit(build)


_SECTIONS: Final = (
    ("evidence", "evidence"), ("tables", "table"), ("fees", "fee"), ("appointments", "appointment"),
    ("opinions", "opinion"), ("later_forms", "form"), ("look_ups", "look_up"), ("links", "link"), ("outputs", "output"),
)  # fmt: skip


def _questions(build: BuildContext, page: Path) -> Iterator[Named]:
    for name, path in build.each((*page, "fields")):
        yield Named(name, "note" if build.words((*path, "type")) == "note" else "question", path)
        yield from _detail(build, name, path)


def _detail(build: BuildContext, name: str, path: Path) -> Iterator[Named]:
    if build.flag((*path, "other"), False):
        yield Named(f"{name}_other", "detail", path)


def _answers(build: BuildContext, path: Path) -> Iterator[Named]:
    register = build.library.directory.registers.get(build.words((*path, "register")) or "")
    for name in register.answers if register else ():
        yield Named(name, "answer", path)


def _circuit(build: BuildContext) -> Iterator[Named]:
    for name, path in build.each(("workflow", "clocks")):
        yield Named(name, "clock", path)
    for name, path in build.each(("workflow", "states")):
        yield Named(name, "state", path)
        for act, act_path in build.each((*path, "transitions")):
            yield Named(act, "transition", act_path)
    for act, act_path in build.each(("workflow", "transitions")):
        yield Named(act, "transition", act_path)


def _columns(build: BuildContext) -> Iterator[RowsColumn]:
    for name, path in build.each(("opinions",)):
        for column in OPINION_COLUMNS:
            yield RowsColumn(column, name, (*path, "of"), {})
        yield from _columns_of(build, name, path, {})
    for section in ("form", "later_forms"):
        for _, page in build.each((section,)):
            rows = build.words((*page, "each")) if section == "later_forms" else None
            for name, path in build.each((*page, "fields")):
                if rows is not None:
                    yield RowsColumn(name, rows, path, {})
                yield from _columns_of(build, name, path, {})


def _columns_of(build: BuildContext, rows: str, path: Path, outer: Mapping[str, Path]) -> Iterator[RowsColumn]:
    own = dict(build.each((*path, "fields")))
    for name, there in own.items():
        yield RowsColumn(name, rows, there, outer)
        yield from _columns_of(build, name, there, {**outer, **own})
