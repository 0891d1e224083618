"""What follows a post: a note on the next page, a confirmation, or both versions where two pages changed one dossier."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from flask import Response, request, session

from engine.core.values import national
from engine.domain.fields.views import FieldView, PageView
from renderers.html.controls import typed
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.errors import conflict
from renderers.web.platform.request_context import day_of, go, new_token, page, say

_OWN_TO_DROP = frozenset({"csrf_token", "token", "revision", "end"})


def go_noting(address: str, note: str, kind: str = "") -> Response:
    """Redirect like `go`. The next page says the note once, in the colour of `kind`."""
    session["note"] = note
    if kind:
        session["note_kind"] = kind
    return go(address)


def confirm_page(
    title: str, lines: Sequence[str], button: str, keep: str, back: str, *, procedure: str = "", warn: bool = True,
    ask_reason: str = "", revision: int | None = None, hidden: Sequence[tuple[str, str]] = (),
) -> Response:  # fmt: skip
    """Return the page that asks to confirm an act. `keep` are the words of the link `back`."""
    return page(
        "citizen/confirm.html", title=title, lines=lines, button=button, back_label=keep, back=back, procedure=procedure,
        warn=warn, ask_reason=ask_reason, revision=revision, hidden=hidden, token=new_token(),
    )  # fmt: skip


def versions_page(one: DossierContext, view: PageView | None, back: str) -> Response:
    """Return the page of typed and stored answers where they differ. `back` is the way without saving."""
    versions = []
    for field in view.fields if view else ():
        yours, saved = _said(field), str(typed(field.value) or "")
        if yours and _plain(yours) not in {_plain(field.text), _plain(saved), _plain(national(saved))}:
            versions.append({"label": label(field.label), "yours": yours, "saved": field.text})
    fields = [(name, value) for name, values in request.form.lists() for value in values if name not in _OWN_TO_DROP]
    fields += [("revision", str(one.dossier.revision)), ("token", new_token())]
    return conflict(versions, fields, back)


def _said(view: FieldView) -> str:
    """Return the typed answer of a question, formatted like a stored one."""
    day, month, year = (request.form.get(f"{view.path}_{box}", "").strip() for box in ("day", "month", "year"))
    try:
        return day_of(date(int(year), int(month), int(day)))
    except (ValueError, OverflowError):  # fewer than three boxes, or not a date
        boxes = " ".join(filter(None, (day, month, year)))
    return boxes or ", ".join(_choice_label(view, one) for one in request.form.getlist(view.path) if one)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _choice_label(view: FieldView, value: str) -> str:
    if view.type == "yes_no" and value:
        return say("answer.positive" if value == "true" else "answer.negative")
    return next((label(option.label) for option in view.options if option.code == value), value)
