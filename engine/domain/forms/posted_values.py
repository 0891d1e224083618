"""From posted values of an HTML form to stored answers. Hidden, computed and closed questions are ignored.

Rows are read by number (`voyageurs.0.nom`). `add_row=voyageurs` and `remove_row=voyageurs.0` change their
number. A question that was shown has a key in the answers, even when it is blank.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from engine.core.values import Plain
from engine.domain.fields.field_type import FieldContext
from engine.domain.fields.field_types import is_asked, kind_of, read_field
from engine.domain.fields.raw_answers import OTHER, Raw, is_blank, is_wrong
from engine.domain.fields.scope import Values
from engine.model import Field

ADD: Final = "add_row"
REMOVE: Final = "remove_row"
_NOTHING: Final = object()
_NUMBER: Final = re.compile(r"[0-9]{1,3}")


def read_answers(
    fields: Iterable[Field],
    before: Mapping[str, Plain],
    values: Values | None,
    raw: Raw,
    prefix: str,
    asking: FieldContext,
) -> dict[str, Plain]:
    """Return the answers that a post gives to these questions, hidden or not.

    `values` says which of them were visible on the posted page. None is for a row that did not exist. A row
    of which only inner rows are posted had no control of its own on that page.
    """
    answers: dict[str, Plain] = {}
    spoken = not prefix or any("." not in name[len(prefix) :] for name in raw if name.startswith(prefix))
    for field in fields:
        if not is_asked(field):
            continue
        path, stood = prefix + field.id, values is not None and values.shows(field.id)
        if field.type == "rows":
            answers.update(_read_rows(field, before, values if stood else None, raw, path, asking))
            continue
        kind = kind_of(field)
        posted = path in raw or any(name in raw for name in kind.controls(field, path))
        if kind.ticked and not posted and stood and spoken:
            answers[field.id] = None
        elif posted or stood or field.id in before:
            answers.update(read_field(field, raw, path, before, asking))
    return answers


def _read_rows(
    field: Field, before: Mapping[str, Plain], values: Values | None, raw: Raw, path: str, asking: FieldContext
) -> dict[str, Plain]:
    kept = _rows_of(before.get(field.id))
    shown = values.rows(field.id) if values is not None else ()
    posted = _numbers(raw, path)
    if not posted and values is None and field.id not in before:
        return {}
    rows: list[Plain] = []
    for number in sorted(posted | set(range(len(kept)))):
        if len(rows) >= max(field.bounds.max_items, len(kept)):
            break
        old = kept[number] if number < len(kept) else {}
        if number < len(kept) and number not in posted:  # it is edited on its own page
            rows.append(old)
            continue
        inside = shown[number] if number < len(shown) else None
        row = read_answers(field.rows, old, inside, raw, f"{path}.{number}.", asking)
        if number < len(kept) or not all(_says_nothing(plain) for plain in row.values()):
            rows.append({**old, **row})
    return {field.id: rows}


def _says_nothing(plain: Plain) -> bool:
    if isinstance(plain, dict):
        return all(_says_nothing(one) or one is False for one in plain.values())
    return is_blank(plain)


def _numbers(raw: Raw, path: str) -> set[int]:
    """Return the numbers of the rows named in a post."""
    found = (name[len(path) + 1 :].partition(".")[0] for name in raw if name.startswith(f"{path}."))
    return {int(number) for number in found if _NUMBER.fullmatch(number)}


def _rows_of(plain: Plain) -> list[dict[str, Plain]]:
    return [row for row in plain if isinstance(row, dict)] if isinstance(plain, list) else []


def restore_hidden(
    fields: Iterable[Field],
    answers: dict[str, Plain],
    before: Mapping[str, Plain],
    values: Values,
    unread: frozenset[str] = frozenset(),
) -> bool:
    """Restore in place the stored answers of hidden questions, which a post cannot change.

    A question that is hidden because an answer cannot be read, such as a date with a typo, keeps what was posted.
    `unread` holds the names of these answers. Return True when the answers changed.
    """
    changed, fields = False, tuple(fields)
    unread |= {field.id for field in fields if values.shows(field.id) and is_wrong(answers.get(field.id))}
    for field in fields:
        if not is_asked(field):
            continue
        if not values.shows(field.id):
            if unread & field.when.names:
                continue
            for key in keys_of(field):
                changed |= _put_back(answers, before, key)
        elif field.type == "rows":
            kept = _rows_of(before.get(field.id))
            for number, (row, inside) in enumerate(
                zip(_rows_of(answers.get(field.id)), values.rows(field.id), strict=True)
            ):
                old = kept[number] if number < len(kept) else {}
                changed |= restore_hidden(field.rows, row, old, inside, unread)
    return changed


def keys_of(field: Field) -> tuple[str, ...]:
    """Return the keys under which a question's answers are stored."""
    return (field.id, f"{field.id}_{OTHER}") if field.other else (field.id,)


def _put_back(answers: dict[str, Any], before: Mapping[str, Plain], key: str) -> bool:
    if key not in before:
        return answers.pop(key, _NOTHING) is not _NOTHING
    changed = answers.get(key) != before[key]
    answers[key] = before[key]
    return changed


def change_rows(
    fields: Iterable[Field], answers: Mapping[str, Plain], values: Values, raw: Raw
) -> dict[str, Plain] | None:
    """Return the answers with a visible row added or removed as requested.

    None when the post requests nothing possible.
    """
    if ADD not in raw and REMOVE not in raw:
        return None
    columns = {field.id: field for field in fields if field.type == "rows" and is_asked(field)}
    changed = copy.deepcopy({name: plain for name, plain in answers.items() if name in columns})
    pressed = [(path, adds) for name, adds in ((REMOVE, False), (ADD, True)) for path in raw.get(name, ())[:1]]
    done = any(
        _change(columns, changed, values, str(path).split("."), adds) for path, adds in pressed
    )  # only one of them is done
    return {**answers, **changed} if done else None


def _change(
    fields: Mapping[str, Field], answers: dict[str, Plain], values: Values, parts: list[str], adds: bool
) -> bool:  # fmt: skip
    field = fields.get(parts[0])
    if field is None or field.type != "rows" or not values.shows(field.id):
        return False
    rows = _rows_of(answers.get(field.id))
    if len(parts) == 1 and adds and len(rows) < field.bounds.max_items:
        rows.append({})
    elif len(parts) < 2 or not _NUMBER.fullmatch(parts[1]) or int(parts[1]) >= len(rows):
        return False
    elif len(parts) == 2 and not adds:
        del rows[int(parts[1])]
    elif len(parts) == 2 or not _change(
        {one.id: one for one in field.rows}, rows[int(parts[1])], values.rows(field.id)[int(parts[1])], parts[2:], adds
    ):
        return False
    kept: list[Plain] = list(rows)
    answers[field.id] = kept
    return True
