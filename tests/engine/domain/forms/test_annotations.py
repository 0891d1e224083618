"""What agents note is read and drawn as questions are: a blank one is none, a wrong one is said beside it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from engine.core.values import Plain
from engine.domain.fields.field_type import Speech
from engine.domain.forms.annotations import LONGEST_TEXT, PREFIX, read_annotations, view_annotations
from tests.makers import compiled, the_shared, the_words
from tests.test_language import ROOT

DAY = date(2026, 12, 1)
TEXT = (ROOT / "tests/good/annotations.yaml").read_text("utf-8")
NOTED = compiled(TEXT, "annotations.yaml")
SHOWN = Speech(the_words(), "fr")


def read(**posted: Any) -> tuple[dict[str, Plain], list[tuple[str, str]]]:
    raw = {f"{PREFIX}{name}": value if isinstance(value, list) else [value] for name, value in posted.items()}
    values, problems = read_annotations(NOTED, raw, DAY, the_shared().directory)
    return {name: one for name, one in values.items() if one is not None}, [(one.at, one.code) for one in problems]


@pytest.mark.parametrize(
    ("posted", "value", "text"),
    [
        ({"etiquettes": ["revoir", "urgent"]}, ["urgent", "revoir"], "Urgent, À revoir"),
        ({"rappel_day": "2", "rappel_month": "12", "rappel_year": "2026"}, "2026-12-02", "2\u00a0décembre\u00a02026"),
        ({"papier": "false"}, False, "Non"),
        ({"rayon": "b"}, "b", "Rayon B"),
        ({"feuilles": "0"}, 0, "0"),
        ({"suite": "Rappeler\r\nle service"}, "Rappeler\nle service", "Rappeler\nle service"),
    ],
)
def test_each_type_is_read_and_said(posted: dict[str, Any], value: Plain, text: str) -> None:
    values, problems = read(**posted)
    name = next(iter(posted)).partition("_")[0]
    assert (values, problems) == ({name: value}, [])
    views = view_annotations(NOTED, values, DAY, the_shared().directory, SHOWN)
    assert {one.id: one.text for one in views if one.text} == {name: text}


def test_what_is_wrong_is_said_and_a_blank_one_takes_the_value_back() -> None:
    _, problems = read(etiquettes=["perdu"], rayon="c", feuilles="deux", suite="é" * (LONGEST_TEXT + 1))
    assert [name for name, _ in problems] == [f"{PREFIX}{one}" for one in ("etiquettes", "rayon", "feuilles", "suite")]
    assert read(etiquettes=[""], papier="", rayon="", feuilles=" ", suite="") == ({}, [])
    views = view_annotations(NOTED, {"rayon": "a"}, DAY, the_shared().directory, SHOWN)
    chosen = {one.id: [option.code for option in one.options if option.chosen] for one in views}
    assert chosen["rayon"] == ["a"]
    assert chosen["papier"] == [""]
