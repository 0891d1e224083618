"""Questions to HTML, the template run once for each way a question may look.

Of a question almost everything is the book's; only what was typed is the person's. The macro of `ui.html` is run with
marks where that goes, and the text around them is kept: a page is those texts joined with the answers, which the join
escapes. The key is all the rest of the view, so that nothing is ever out of date, and no answer is kept. What has a
fault, a file, rows, a reason to correct, or a long list is drawn by the macro each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from operator import attrgetter
from typing import Final, TypeAlias

from markupsafe import Markup, escape

from engine.rules.view import FieldView, PageView
from renderers.web_form import Control, Drawing, asked_views, condition_text, control_kind, control_value, field_control

MOST: Final = 1024  # ways of looking that are kept; beyond, all are forgotten
Pieces: TypeAlias = tuple[tuple[str, Markup], ...]  # the name of a hole (none before the first), the text after it

_WRITTEN: Final = frozenset({"text", "lines", "date"})  # kinds of control in which something is typed
_PICKED: Final = frozenset({"choice", "choices", "yes_no", "declaration", "note"})
_MARK: Final = "\ufdd0"  # then the letter of the hole; a sign that neither a definition nor an answer may hold
_OF_THE_PERSON: Final = frozenset({"value", "boxes", "text", "other_value"})
_APART: Final = frozenset({"condition", "problems", "files", "rows", "blank_row", "reason"})
_look: Final = attrgetter(*(one.name for one in fields(FieldView) if one.name not in _OF_THE_PERSON | _APART))
_EMPTY: Final = escape("")


class Questions:
    """Draws questions in one language. `macro` is the template's."""

    def __init__(self, macro: Callable[[Control], Markup]) -> None:
        self._macro = macro
        self._kept: dict[object, Pieces] = {}

    def page(self, page: PageView, drawing: Drawing) -> Markup:
        """The questions of a page, in order; those hidden by a condition of the page too."""
        return _EMPTY.join([self.question(view, drawing) for view in asked_views(page)])

    def question(self, view: FieldView, drawing: Drawing) -> Markup:
        """One question, as the macro draws it."""
        kind = control_kind(view)
        written = kind in _WRITTEN
        if not (written or kind in _PICKED) or view.problems or view.files or view.reason:
            return self._macro(field_control(view, drawing))
        value = control_value(view)
        key = (_look(view), condition_text(view), None if written else value)
        pieces = self._kept.get(key)
        if pieces is None:
            if len(self._kept) >= MOST:
                self._kept.clear()
            pieces = self._kept[key] = self._pieces(field_control(view, drawing), written)
        if len(pieces) == 1:
            return pieces[0][1]
        day, month, year = (*view.boxes, "", "", "")[:3]
        said = {"": "", "v": value, "d": day, "m": month, "y": year, "o": view.other_value}
        return _EMPTY.join([part for hole, text in pieces for part in (said[hole], text)])

    def _pieces(self, control: Control, written: bool) -> Pieces:
        value, day, month, year, other = (_MARK + letter for letter in "vdmyo")
        marked = replace(
            control, value=value if written else control.value, boxes=(day, month, year), other_value=other
        )  # fmt: skip
        first, *others = self._macro(marked).split(_MARK)
        return (("", first), *((text[:1], text[1:]) for text in others))
