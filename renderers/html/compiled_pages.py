"""Compiled pages: the text that an edition fixes, drawn once by the templates, with holes for what a person typed.

A template runs with marks in place of answers and tokens. The text around the marks is kept and joined with the escaped
values of each request. The key of an entry holds all that the text depends on, so no entry goes stale and no answer is
kept. A question with a fault, file, row, correction reason or computed value is drawn by its macro each time.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Final

from markupsafe import Markup, escape

from engine.domain.fields.views import FieldView, PageView
from renderers.html.controls import Control, DrawingContext, asked_views, condition_text, control_value, field_control

MOST: Final = 4_000_000  # bytes of all entries of a language, about 100 pages of 30 questions; then all are forgotten
_OBJECTS: Final = 150  # bytes of the objects about one part, as measured
_BY_MACRO: Final = frozenset({"file", "photo", "evidence", "rows"})
_OF_THE_PERSON: Final = frozenset({"value", "boxes", "text", "other_value"})
_APART: Final = frozenset({"definition", "condition", "options", "problems", "files", "rows", "blank_row", "reason"})
_look: Final = attrgetter(*(one.name for one in fields(FieldView) if one.name not in _OF_THE_PERSON | _APART))
_option_look: Final = attrgetter("code", "label", "help", "shut", "because", "group")


@dataclass(frozen=True, slots=True)
class Joined:
    """Fragments of HTML in sequence: text drawn by templates and escaped values."""

    texts: list[bytes]

    def __html__(self) -> str:
        return bytes(self).decode()

    def __bytes__(self) -> bytes:
        return b"".join(self.texts)


@dataclass(frozen=True, slots=True)
class Compiled:
    """Text and holes of one page or question. A hole that is a flag (`checked`) has its word, other holes have none."""

    parts: list[bytes]
    holes: Mapping[str, list[tuple[int, bytes]]]

    def filled(self, values: Mapping[str, object]) -> list[bytes]:
        """Return the fragments with these values, escaped. A hole without value stays empty."""
        parts = self.parts.copy()
        for name, value in values.items():
            for place, word in self.holes.get(name, ()):
                parts[place] = word or (bytes(value) if isinstance(value, Joined) else escape(value).encode())
        return parts


class Hole(str):
    """The mark of a value."""

    __slots__ = ()

    def flag(self, word: str) -> str:
        """Return the mark of a flag that is written as `word` where it is set."""
        return self.replace("||", f"|{word}|")


def flag(value: object, word: str) -> str:
    """Return the word of a flag that is set. A filter of the templates."""
    return value.flag(word) if isinstance(value, Hole) else word if value else ""


class _Answer(Hole):
    """The mark of an answer. Compared with a code it gives the mark of the flag of that code."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, code: object) -> bool:
        return Hole(self.replace("|v|", f"|={code}|"))  # type: ignore[return-value]


class Marks:
    """Marks of one compilation. They begin with a random word, which no text typed earlier can hold."""

    def __init__(self) -> None:
        self._word = secrets.token_hex(16)

    def hole(self, name: str) -> Hole:
        """Return the mark of a value."""
        return Hole(f"{self._word}|{name}||")

    def answer(self) -> _Answer:
        """Return the mark of the answer `v`."""
        return _Answer(f"{self._word}|v||")

    def compiled(self, html: str) -> Compiled:
        """Return what a template wrote with these marks."""
        parts, holes = list[bytes](), dict[str, list[tuple[int, bytes]]]()
        for at, text in enumerate(re.split(rf"{self._word}\|([^|]*)\|([^|]*)\|", html)):
            if at % 3 == 1:
                name = text
            elif at % 3 == 2:
                holes.setdefault(name, []).append((len(parts), text.encode()))
                parts.append(b"")
            else:
                parts.append(text.encode())
        return Compiled(parts, holes)


class CompiledPages:
    """All entries of one language. `macro` draws a question."""

    def __init__(self, macro: Callable[[Control], Markup]) -> None:
        self._macro = macro
        self._kept: dict[object, Compiled] = {}
        self._size = 0

    def get(self, key: object, drawn: Callable[[Marks], str]) -> Compiled:
        """Return the entry of a key. `drawn` writes it with marks the first time."""
        found = self._kept.get(key)
        if found is None:
            marks = Marks()
            found = marks.compiled(drawn(marks))
            size = sum(len(part) + _OBJECTS for part in found.parts)
            if self._size + size > MOST:
                self._kept.clear()
                self._size = 0
            self._kept[key] = found
            self._size += size
        return found

    def page(self, page: PageView, drawing: DrawingContext) -> Joined:
        """Return the questions of a page in order, with those that the browser reveals by a condition."""
        return Joined([text for view in asked_views(page) for text in self.question(view, drawing).texts])

    def question(self, view: FieldView, drawing: DrawingContext) -> Joined:
        """Return one question, equal to the output of the macro."""
        if (
            view.problems or view.reason or view.locked or view.computed
            or (view.definition is None and (view.example or view.files or view.type in _BY_MACRO))
        ):  # fmt: skip
            return Joined([self._macro(field_control(view, drawing)).encode()])
        key: tuple[object, ...] = (view.definition, view.path, view.shown, view.required, condition_text(view))
        if view.definition is None:
            key = (*key, _look(view), tuple(map(_option_look, view.options)))
        found = self._kept.get(key) or self.get(key, lambda marks: self._macro(_marked(view, drawing, marks)))
        return Joined(found.filled(_answers(view, found.holes)))


def _marked(view: FieldView, drawing: DrawingContext, marks: Marks) -> Control:
    """Return the control of a question with a mark in each place of an answer."""
    options: object = tuple(replace(one, chosen=marks.hole(str(at))) for at, one in enumerate(view.options))
    day, month, year, other = map(marks.hole, "dmyo")
    control = field_control(view.with_answer(options=options), drawing)
    return replace(control, value=marks.answer(), boxes=(day, month, year), other_value=other)


def _answers(view: FieldView, holes: Mapping[str, object]) -> dict[str, object]:
    """Return the values of the holes of a question. The number of an option is the name of its flag."""
    if "v" in holes:
        return {"v": control_value(view)} if view.value is not None else {}
    if "d" in holes:
        return dict(zip("dmy", view.boxes, strict=False))
    if "=true" in holes:
        return {f"={control_value(view)}": True}
    found: dict[str, object] = {str(at): True for at, one in enumerate(view.options) if one.chosen}
    if view.other_value:
        found["o"] = view.other_value
    return found
