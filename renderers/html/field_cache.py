"""Questions to HTML, the template run once for each way a question may look.

Of a question almost everything is the book's; only what was typed is the person's. The macro of `ui.html` is run with
marks where that goes, and the text around them is kept: a page is those texts joined with the answers, escaped. The key
is all the rest of the view, so that nothing is ever out of date, and no answer is kept; where the book settles that rest
(`FieldView.book`) one object stands for it. What has a fault, a file, rows, a reason to correct, or a long list is drawn
by the macro each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Final, TypeAlias

from markupsafe import Markup, escape

from engine.domain.fields.views import FieldView, PageView
from renderers.html.controls import (
    Control,
    DrawingContext,
    asked_views,
    condition_text,
    control_kind,
    control_value,
    field_control,
)

MOST: Final = 1024  # ways of looking that are kept; beyond, all are forgotten
Pieces: TypeAlias = tuple[Markup, tuple[tuple[str, Markup], ...]]  # the first text; each hole's name, the text after it

_WRITTEN: Final = frozenset({"text", "lines", "date"})  # kinds of control in which something is typed
_PICKED: Final = frozenset({"choice", "choices", "yes_no", "declaration", "note"})
_MARK: Final = "\ufdd0"  # then the letter of the hole; a sign that neither a definition nor an answer may hold
_OF_THE_PERSON: Final = frozenset({"value", "boxes", "text", "other_value"})
_APART: Final = frozenset({"book", "condition", "problems", "files", "rows", "blank_row", "reason"})
_look: Final = attrgetter(*(one.name for one in fields(FieldView) if one.name not in _OF_THE_PERSON | _APART))


@dataclass(frozen=True, slots=True)
class _Joined:
    """Texts that are HTML already, one after the other: what the macro drew, and answers escaped."""

    texts: tuple[Markup, ...]

    def __html__(self) -> str:
        return "".join(self.texts)


class FieldCache:
    """Draws questions in one language. `macro` is the template's."""

    def __init__(self, macro: Callable[[Control], Markup]) -> None:
        self._macro = macro
        self._kept: dict[object, Pieces] = {}

    def page(self, page: PageView, drawing: DrawingContext) -> Markup:
        """The questions of a page, in order; those hidden by a condition of the page too."""
        return escape(_Joined(tuple(text for view in asked_views(page) for text in self._texts(view, drawing))))

    def question(self, view: FieldView, drawing: DrawingContext) -> Markup:
        """One question, as the macro draws it."""
        return escape(_Joined(tuple(self._texts(view, drawing))))

    def _texts(self, view: FieldView, drawing: DrawingContext) -> Iterator[Markup]:
        kind = control_kind(view)
        written = kind in _WRITTEN
        if not (written or kind in _PICKED) or view.problems or view.files or view.reason:
            yield self._macro(field_control(view, drawing))
            return
        value = control_value(view)
        first, others = self._drawn(view, drawing, written, value)
        yield first
        if others:
            day, month, year = (*view.boxes, "", "", "")[:3]
            said = {"v": value, "d": day, "m": month, "y": year, "o": view.other_value}
            for hole, text in others:
                if said[hole]:
                    yield escape(said[hole])
                yield text

    def _drawn(self, view: FieldView, drawing: DrawingContext, written: bool, value: str) -> Pieces:
        of_procedure = (view.definition, view.path, view.shown, *(one.chosen for one in view.options))
        look = _look(view) if view.definition is None else of_procedure
        key = (look, condition_text(view), None if written else value)
        pieces = self._kept.get(key)
        if pieces is None:
            if len(self._kept) >= MOST:
                self._kept.clear()
            pieces = self._kept[key] = self._pieces(field_control(view, drawing), written)
        return pieces

    def _pieces(self, control: Control, written: bool) -> Pieces:
        value, day, month, year, other = (_MARK + letter for letter in "vdmyo")
        marked = replace(
            control, value=value if written else control.value, boxes=(day, month, year), other_value=other
        )  # fmt: skip
        first, *others = self._macro(marked).split(_MARK)
        return first, tuple((str(text[:1]), text[1:]) for text in others)
