"""Two pages that changed one dossier: what was typed here beside what the other kept, and both ways on."""

from __future__ import annotations

from datetime import date

from flask import Response, request

from engine.core.values import national
from engine.domain.fields.views import FieldView, PageView
from renderers.html.controls import typed
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.errors import conflict
from renderers.web.platform.request_context import day_of, new_token, say

_OWN_TO_DROP = frozenset({"csrf_token", "token", "revision", "end"})


def versions_page(one: DossierContext, view: PageView | None, back: str) -> Response:
    """What was typed beside what another page kept meanwhile, where they differ, and both ways on."""
    versions = []
    for field in view.fields if view else ():
        yours, kept = _said(field), str(typed(field.value) or "")
        if yours and _plain(yours) not in {_plain(field.text), _plain(kept), _plain(national(kept))}:
            versions.append({"label": label(field.label), "yours": yours, "kept": field.text})
    fields = [(name, value) for name, values in request.form.lists() for value in values if name not in _OWN_TO_DROP]
    fields += [("revision", str(one.dossier.revision)), ("token", new_token())]
    return conflict(versions, fields, back)


def _said(view: FieldView) -> str:
    """What was typed for a question, said as what is kept is said."""
    day, month, year = (request.form.get(f"{view.path}_{box}", "").strip() for box in ("day", "month", "year"))
    try:
        return day_of(date(int(year), int(month), int(day)))
    except ValueError:  # not three boxes, or no day of the calendar
        boxes = " ".join(filter(None, (day, month, year)))
    return boxes or ", ".join(_choice_label(view, one) for one in request.form.getlist(view.path) if one)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _choice_label(view: FieldView, value: str) -> str:
    if view.type == "yes_no" and value:
        return say("answer.positive" if value == "true" else "answer.negative")
    return next((label(option.label) for option in view.options if option.code == value), value)
