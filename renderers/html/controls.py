"""Form controls for HTML: the name, description and error of each question.

The module chooses the control and the words of each question and evaluates no answer. The templates (`ui.html`) only
place the result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.core.values import national as national
from engine.domain.documents.originals import ON_PAPER
from engine.domain.fields.views import AnswerProblem, FieldView, FileView, OptionView, PageView, RowView
from renderers.html.row_pages import RowCard, RowPages, cards, find_row, is_long, row_at
from renderers.i18n.formats import FIXED_SPACE, alphabetical
from renderers.i18n.translations import REFERENCE, Translations, in_language

RADIOS_AT_MOST: Final = 20
_FILES: Final = frozenset({"file", "photo", "evidence"})
_KINDS: Final = {"date": "date", "partial_date": "date", "choices": "choices", "yes_no": "yes_no",
                 "declaration": "declaration", "rows": "rows", "note": "note"}  # fmt: skip
_PICKED: Final = frozenset({"choice", "country", "place", "office"})
_INPUTMODES: Final = {"integer": "numeric", "money": "numeric", "decimal": "decimal", "percent": "decimal",
                      "phone": "tel", "email": "email"}  # fmt: skip
_INPUT_TYPES: Final = {"phone": "tel", "email": "email"}
_AUTOCOMPLETE: Final = {"phone": "tel", "email": "email"}
_MIME: Final = {"pdf": "application/pdf", "jpg": "image/jpeg,image/heic,image/webp", "png": "image/png"}
_CODE: Final = re.compile(r"(?=\S*\d)\S+")


@dataclass(frozen=True, slots=True)
class DrawingContext:
    """Translations and language in which a form is drawn.

    `file_href` returns the address of a received file. `row_pages` gives the pages of rows. If None, every row is
    answered in its list.
    """

    words: Translations
    language: str
    file_href: Callable[[str], str] = lambda attachment_id: f"#{attachment_id}"
    row_pages: RowPages | None = None

    def say(self, key: str, **facts: str) -> str:
        """Return the sentence of a key in the language of the form."""
        return self.words.say(key, self.language, facts)


@dataclass(frozen=True, slots=True)
class FileControl:
    """A received file beside its question: name, address, kind, time of receipt and size in words."""

    id: str
    name: str
    href: str
    kind: str  # PDF, JPG, PNG
    at: str
    size: str


@dataclass(frozen=True, slots=True)
class RowControl:
    """One row of a group: its number (from 1), its index in names of controls (from 0), and its questions."""

    number: int
    index: int
    title: str
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """One question ready to be placed.

    `kind` names its macro in `ui.html`. `id` is the focus target of its error, `name` the name it posts
    under.
    """

    kind: str
    id: str
    name: str
    label: str
    shown: bool = True
    condition: str = ""  # JSON for the browser, or empty
    hint: str = ""
    error: str = ""
    warning: str = ""
    reason: str = ""
    value: str = ""
    text: str = ""
    boxes: tuple[str, ...] = ("", "", "")
    options: tuple[OptionView, ...] = ()
    has_other: bool = False
    other_value: str = ""
    other_condition: str = ""
    input_type: str = "text"
    inputmode: str = ""
    autocomplete: str = ""
    plain: bool = False  # no spell checking, for names and numbers
    width: str = ""
    unit: str = ""
    lines: int = 1
    files: tuple[FileControl, ...] = ()
    uploads: bool = False
    upload_mode: str = ""  # `add`, `replace` or empty
    accept: str = ""
    most: int = 0  # bytes of one file
    bring: str = ""
    held: str = ""  # number and day of a document that need not be handed in
    issue: Control | None = None
    rows: tuple[RowControl, ...] = ()
    may_add: bool = False
    cards: tuple[RowCard, ...] = ()

    @property
    def described(self) -> str:
        """The ids of the texts about the control, for `aria-describedby`."""
        parts = (("h", self.hint), ("r", self.reason), ("e", self.error), ("w", self.warning))
        return " ".join(f"{self.id}-{letter}" for letter, said in parts if said)


def control_id(path: str) -> str:
    """Return the HTML id of a path: `voyageurs.0.nom` → `f-voyageurs-0-nom`."""
    return "f-" + path.replace(".", "-")


def asked_views(page: PageView) -> Iterator[FieldView]:
    """Yield the questions of a page in order, with those that the browser reveals by a condition."""
    return (view for view in page.fields if view.shown or view.condition is not None)


def condition_text(view: FieldView) -> str:
    """Return the condition under which the browser shows the question, as JSON. Empty if there is none."""
    return _json(view.condition) if view.condition is not None else ""


def has_files(page: PageView) -> bool:
    """Return whether the page takes files. Its form is then `multipart`."""
    return any(_takes_files(view) for view in page.fields)


def file_fields(page: PageView) -> Iterator[FieldView]:
    """Yield all file questions of a page, also those inside rows."""
    return (view for view in every_field(page) if view.type in _FILES)


def _takes_files(view: FieldView) -> bool:
    return view.type in _FILES or (
        view.blank_row is not None and any(one.type in _FILES for one in view.blank_row.fields)
    )


def field_control(view: FieldView, drawing: DrawingContext) -> Control:
    """Return the control of a question of any type."""
    pages = drawing.row_pages
    if pages is not None and view.type == "rows" and not view.locked and is_long(view):
        return _row_list(view, pages, drawing)
    return Control(
        kind=control_kind(view),
        id=control_id(view.path),
        name=view.path,
        label=_label(view, drawing),
        shown=view.shown,
        condition=condition_text(view),
        hint=_hint(view, drawing),
        error=_said(view, drawing, warns=False),
        warning=_said(view, drawing, warns=True),
        reason=view.reason or "",
        value=control_value(view),
        text=view.text,
        boxes=(*view.boxes, "", "", "")[:3],
        options=_options(view, drawing),
        has_other=view.has_other,
        other_value=view.other_value,
        other_condition=_json({"field": view.path, "in": ["other"]}) if view.has_other else "",
        input_type=_INPUT_TYPES.get(view.type, "text"),
        inputmode=_INPUTMODES.get(view.type, ""),
        autocomplete=_AUTOCOMPLETE.get(view.type, ""),
        plain=view.type in ("text", "identifier") and view.lines == 1,
        width=_width(view),
        unit=view.unit or ("FCFA" if view.type == "money" else "%" if view.type == "percent" else ""),
        lines=max(view.lines, 2),
        files=tuple(_file(one, drawing) for one in view.files),
        uploads=_uploads(view),
        upload_mode=_space_left(view),
        most=view.max_size or 0,
        accept=",".join(_MIME.get(kind, f".{kind}") for kind in view.accept),
        bring=_bring(view, drawing),
        held=view.text if view.is_held else "",
        issue=_issue_date(view, drawing),
        rows=tuple(_row(row, drawing) for row in view.rows),
        may_add=len(view.rows) < view.max_items and view.blank_row is not None,
    )


def _row_list(view: FieldView, pages: RowPages, drawing: DrawingContext) -> Control:
    """Return a group whose rows each have a page: the list of its rows with links."""
    listed = tuple(cards(view, pages, lambda number: drawing.say("rows.number", number=str(number))))
    return Control(
        kind="row_list", id=control_id(view.path), name=view.path, label=_label(view, drawing), shown=view.shown,
        condition=condition_text(view), hint=_hint(view, drawing), error=_said(view, drawing, warns=False),
        warning=_said(view, drawing, warns=True), reason=view.reason or "", cards=listed,
        may_add=len(listed) < view.max_items,
    )  # fmt: skip


def error_summary(page: PageView, drawing: DrawingContext) -> tuple[tuple[str, str], ...]:
    """Return the link and the sentence of each fault of the page, for the box at the top."""
    return tuple((href, sentence) for href, sentence in (_fault(one, page, drawing) for one in page.errors))


def problem_sentence(problem: AnswerProblem, drawing: DrawingContext) -> str:
    """Return the sentence of a fault shown alone, with the name of its question."""
    label = in_language(problem.label, drawing.language) or problem.at
    kind = str(problem.facts.get("type", "text"))
    return drawing.words.problem(problem, kind, label, drawing.language)


def _fault(problem: AnswerProblem, page: PageView, drawing: DrawingContext) -> tuple[str, str]:
    row = row_at(page, problem.at) if drawing.row_pages else ""
    if row and drawing.row_pages:
        view = next((view for view in every_field(page) if view.path == problem.at), None)
        anchor = ("piece-" if view and view.type in _FILES else "") + control_id(problem.at)
        return f"{drawing.row_pages.at(row)}#{anchor}", _of_row(page, row, problem_sentence(problem, drawing), drawing)
    return f"#{_target(problem.at, page)}", problem_sentence(problem, drawing)


def _of_row(page: PageView, row: str, sentence: str, drawing: DrawingContext) -> str:
    """Name the row in the sentence, because the same fault may exist in several rows."""
    found = find_row(page, row)
    if found is None:
        return sentence
    number = drawing.say("rows.number", number=str(found.row.number))
    return drawing.say("row.of", group=found.row.label or number, label=sentence)


def _target(at: str, page: PageView) -> str:
    """Return the id that gets the focus: the first box of a date, else the control itself."""
    views = {view.path: view for view in every_field(page)}
    view = views.get(at)
    if at.endswith("_issued") and view is None:
        return control_id(at) + "_day"
    if view is not None and view.type in ("date", "partial_date"):
        return control_id(at) + "_day"
    if view is not None and view.type in _FILES and not (_uploads(view) and _space_left(view)):
        return "piece-" + control_id(at)
    return control_id(at)


def every_field(page: PageView) -> Iterator[FieldView]:
    """Yield all questions of a page, also those inside rows."""
    views = list(page.fields)
    while views:
        view = views.pop(0)
        yield view
        views += [inner for row in view.rows for inner in row.fields]


def control_kind(view: FieldView) -> str:
    """Return the name under which `ui.html` draws the control of a question."""
    if view.type != "note" and (view.computed or view.locked):
        return "computed"
    if view.type in _FILES:
        return "file"
    if view.type in _PICKED:
        few = len(view.options) <= RADIOS_AT_MOST and not any(option.group for option in view.options)
        return "choice" if few else "select"
    if view.type in ("text", "address") and view.lines > 1:
        return "lines"
    return _KINDS.get(view.type, "text")


def _label(view: FieldView, drawing: DrawingContext) -> str:
    label = in_language(view.label, drawing.language)
    asked = view.type not in ("note", "declaration") and not view.computed
    if asked and not view.required:
        return f"{label} {drawing.say('form.optional')}"
    if view.copies > 1:
        return f"{label} ({drawing.say('piece.copies', count=str(view.copies))})"
    return label


def _hint(view: FieldView, drawing: DrawingContext) -> str:
    parts = [in_language(view.help, drawing.language)]
    if view.type in _FILES and _uploads(view):
        size = drawing.words.size(view.max_size or 0, drawing.language)
        parts.append(drawing.say("piece.kinds_pdf" if "pdf" in view.accept else "piece.kinds_photo", size=size))
        if view.max_items > 1:
            parts.append(drawing.say("piece.most_files", count=str(view.max_items)))
    elif example := _example(view, drawing):
        parts.append(drawing.say("form.example", example=example))
    return " ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part)


def _options(view: FieldView, drawing: DrawingContext) -> tuple[OptionView, ...]:
    """Return the options in the order of the file. Countries are in the alphabetical order of the page's language."""
    if view.type != "country":
        return view.options
    return tuple(sorted(view.options, key=lambda one: alphabetical(in_language(one.label, drawing.language))))


def _example(view: FieldView, drawing: DrawingContext) -> str:
    if not view.example:
        return ""
    if view.type in ("date", "partial_date"):
        return " ".join(part.lstrip("0") for part in reversed(view.example.split("-")))
    if view.type == "phone":
        return national(view.example).replace(" ", FIXED_SPACE)
    if view.type == "text":  # words are written in the first language of the file, codes are of no language
        return view.example if drawing.language == REFERENCE or _CODE.fullmatch(view.example) else ""
    return view.example if view.type in ("identifier", "time", "address", "email", "integer") else ""


def _said(view: FieldView, drawing: DrawingContext, warns: bool) -> str:
    """Return the first fault or warning of the question. Its label stands beside it, so the sentence is short."""
    label = in_language(view.label, drawing.language)
    for one in view.problems:
        if one.warns is warns and not one.at.endswith("_issued"):
            return drawing.words.problem(one, view.type, label, drawing.language)
    return ""


def control_value(view: FieldView) -> str:
    """Return the answer as its control shows it."""
    value = typed(view.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if view.type == "phone" and isinstance(value, str):
        return national(value)
    if view.type in ("decimal", "percent") and isinstance(value, str):
        return value.replace(".", ",")
    return "" if value is None or isinstance(value, (list, dict)) else str(value)


def typed(value: Plain) -> Plain:
    """Return the text as typed if the answer was stored as wrong, else the answer."""
    return value.get("?") if isinstance(value, dict) and "?" in value else value


def _width(view: FieldView) -> str:
    if view.type in ("integer", "percent", "time"):
        return "w5"
    if view.type in ("money", "decimal"):
        return "w10"
    if view.type in ("phone", "identifier"):
        return "w20"
    return "w10" if view.max_length is not None and view.max_length <= 12 else ""


def _file(view: FileView, drawing: DrawingContext) -> FileControl:
    received = datetime.fromisoformat(view.received)
    day = drawing.words.plain_day(local_day(received), drawing.language)
    at = drawing.say("track.file_received", day=day, at=drawing.words.clock(received, drawing.language))
    size = drawing.words.size(view.size, drawing.language)
    return FileControl(view.id, view.name, drawing.file_href(view.id), view.kind.upper(), at, size)


def _uploads(view: FieldView) -> bool:
    return view.type in ("file", "photo") or "upload" in view.how


def _space_left(view: FieldView) -> str:
    if len(view.files) < view.max_items:
        return "add"
    return "replace" if view.max_items == 1 else ""


def _bring(view: FieldView, drawing: DrawingContext) -> str:
    """Return what to bring on paper, in one line."""
    said = [drawing.say(f"piece.how.{how}") for how in view.how if how in ON_PAPER]
    return " ".join(said)


def _issue_date(view: FieldView, drawing: DrawingContext) -> Control | None:
    if not view.asks_issue_date:
        return None
    path = f"{view.path}_issued"
    fault = next((one for one in view.problems if one.at == path and not one.warns), None)
    label = drawing.say("piece.issued_on")
    stored = view.value.get("issued") if isinstance(view.value, dict) else None
    boxes = view.boxes or tuple(part.lstrip("0") for part in reversed(str(typed(stored) or "--").split("-")))
    return Control(
        kind="date",
        id=control_id(path),
        name=path,
        label=label,
        boxes=(*boxes, "", "", "")[:3],
        error=drawing.words.problem(fault, "date", label, drawing.language) if fault else "",
    )


def _row(row: RowView, drawing: DrawingContext) -> RowControl:
    title = row.label or drawing.say("rows.number", number=str(row.number))
    index = _row_index(row)
    asked = (one for one in row.fields if one.shown or one.condition is not None)
    return RowControl(row.number, index, title, tuple(field_control(one, drawing) for one in asked))


def _json(plain: Plain) -> str:
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def _row_index(row: RowView) -> int:
    """Return the position of the row in its group, as its controls are named."""
    if row.fields:
        parts = row.fields[0].path.split(".")
        if len(parts) >= 2 and parts[-2].isdigit():
            return int(parts[-2])
    return row.number - 1
