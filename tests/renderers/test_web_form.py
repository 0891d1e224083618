"""From the view of a form to controls: which control, what is said around it, where an error leads; and the HTML itself."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from engine.core.values import Text
from engine.domain.fields.views import AnswerProblem, FieldView, FileView, OptionView, PageView, RowView
from renderers.html.controls import (
    DrawingContext,
    asked_views,
    error_summary,
    field_control,
    file_fields,
    has_files,
    national,
)
from renderers.html.templates import Pages
from renderers.i18n.translations import load_words

DRAW = DrawingContext(load_words(), "fr", lambda attachment: f"/pieces/{attachment}")
FILE = FileView("a1", "acte.jpg", "jpg", 430_000, "2026-11-24T10:44:00+00:00")


def a_field(type_: str = "text", **changes: Any) -> FieldView:
    return replace(FieldView("nom", "nom", type_, Text.of("Nom")), **changes)


def a_page(*fields: FieldView) -> PageView:
    problems = tuple(one for view in fields for one in view.problems)
    return PageView("vous", Text.of("Vous"), None, fields, 1, 1, not problems, True, problems)


def options(count: int) -> tuple[OptionView, ...]:
    return tuple(OptionView(f"o{n}", Text.of(f"Choix {n}")) for n in range(count))


@pytest.mark.parametrize(
    ("type_", "changes", "kind"),
    [
        ("text", {}, "text"),
        ("text", {"lines": 4}, "lines"),
        ("email", {}, "text"),
        ("date", {}, "date"),
        ("partial_date", {}, "date"),
        ("choice", {"options": options(20)}, "choice"),
        ("office", {"options": options(21)}, "select"),
        ("country", {"options": options(249)}, "select"),
        ("choices", {"options": options(3)}, "choices"),
        ("yes_no", {}, "yes_no"),
        ("declaration", {}, "declaration"),
        ("photo", {}, "file"),
        ("evidence", {}, "file"),
        ("rows", {}, "rows"),
        ("note", {}, "note"),
        ("integer", {"computed": True}, "computed"),
        ("text", {"locked": True}, "computed"),
    ],
)
def test_each_question_has_its_control(type_: str, changes: dict[str, Any], kind: str) -> None:
    assert field_control(a_field(type_, **changes), DRAW).kind == kind


@pytest.mark.parametrize(
    ("type_", "value", "shown"),
    [
        ("text", "Afi", "Afi"),
        ("text", {"?": "x" * 9}, "x" * 9),
        ("yes_no", True, "true"),
        ("yes_no", False, "false"),
        ("decimal", "12.5", "12,5"),
        ("phone", "+22890112233", "90 11 22 33"),
        ("integer", 0, "0"),
        ("evidence", {"is": "a", "files": []}, ""),
        ("text", None, ""),
    ],
)
def test_what_was_typed_is_shown_again(type_: str, value: Any, shown: str) -> None:
    assert field_control(a_field(type_, value=value), DRAW).value == shown


def test_optional_and_copies_are_said_in_the_label() -> None:
    assert field_control(a_field(required=False), DRAW).label == "Nom (facultatif)"
    assert "2 exemplaires" in field_control(a_field("evidence", copies=2), DRAW).label


def test_what_is_said_around_a_control_is_tied_to_it() -> None:
    fault = AnswerProblem("nom", "empty", {"type": "text"})
    control = field_control(a_field(help=Text.of("Comme sur l’acte"), problems=(fault,), reason="Illisible"), DRAW)
    assert control.described == "f-nom-h f-nom-r f-nom-e"
    assert control.hint == "Comme sur l’acte."


def test_a_warning_is_not_an_error() -> None:
    doubt = AnswerProblem("nom", "check", message=Text.of("Vérifiez."), warns=True)
    control = field_control(a_field(problems=(doubt,)), DRAW)
    assert (control.error, control.warning) == ("", "Vérifiez.")
    assert error_summary(a_page(a_field(problems=(doubt,))), DRAW) == ()


@pytest.mark.parametrize(
    ("view", "at", "target"),
    [
        (a_field(), "nom", "#f-nom"),
        (a_field("date"), "nom", "#f-nom_day"),
        (a_field("evidence", how=("upload",)), "nom", "#f-nom"),
        (a_field("evidence", how=("hand_over",)), "nom", "#piece-f-nom"),
        (a_field("evidence", how=("upload",), asks_issue_date=True), "nom_issued", "#f-nom_issued_day"),
        (a_field("choice", has_other=True), "nom_other", "#f-nom_other"),
    ],
)
def test_an_error_leads_to_what_must_be_changed(view: FieldView, at: str, target: str) -> None:
    fault = AnswerProblem(at, "empty", {"type": view.type}, label=view.label)
    html = rendered(a_page(replace(view, problems=(fault,))))
    assert error_summary(a_page(replace(view, problems=(fault,))), DRAW)[0][0] == target
    assert f'id="{target[1:]}"' in html


def test_a_hidden_question_waits_for_the_browser() -> None:
    condition = {"field": "commerce", "in": ["legumes"]}
    hidden = a_field(shown=False, condition=condition)
    assert list(asked_views(a_page(hidden, a_field(shown=False)))) == [hidden]
    assert field_control(hidden, DRAW).condition == '{"field":"commerce","in":["legumes"]}'
    html = rendered(a_page(hidden))
    assert " hidden>" in html
    assert " disabled" in html, "what is hidden is not posted"


def test_files_say_when_they_came_and_what_can_still_be_done() -> None:
    control = field_control(a_field("evidence", how=("upload", "show_original"), files=(FILE,)), DRAW)
    assert (control.files[0].at, control.files[0].size) == (
        "reçu le 24\u00a0novembre\u00a02026 à 10\u00a0h\u00a044",
        "430\u202fko",
    )
    assert control.upload_mode == "replace"
    assert "original" in control.bring
    assert field_control(a_field("file", max_items=3, files=(FILE,)), DRAW).upload_mode == "add"
    assert field_control(a_field("file", max_items=2, files=(FILE, FILE)), DRAW).upload_mode == ""


def test_files_inside_rows_are_found() -> None:
    inner = replace(a_field("file"), path="enfants.0.acte")
    rows = a_field("rows", rows=(RowView(1, "Koffi", (inner,)),), blank_row=RowView(2, "", (inner,)), max_items=2)
    page = a_page(rows)
    assert has_files(page)
    assert [view.path for view in file_fields(page)] == ["enfants.0.acte"]
    control = field_control(rows, DRAW)
    assert control.may_add
    assert (control.rows[0].title, control.rows[0].index) == ("Koffi", 0)


@pytest.mark.parametrize(
    ("phone", "said"), [("+22890112233", "90 11 22 33"), ("+33612345678", "+33612345678"), ("12", "12")]
)
def test_numbers_are_written_as_here(phone: str, said: str) -> None:
    assert national(phone) == said


# -- the HTML ----------------------------------------------------------------------------------------------------------


class Frame:
    home, demo, warning, signed_in, principal, unverified = "/", False, "", False, "", ""
    country, brand, motto, has_emblem, address = "République togolaise", "Services publics", "", False, ""
    phone, phone_link, phone_hours = "22 00 00 00", "+22822000000", "lundi"
    languages: tuple[str, ...] = ()
    helped = None

    @staticmethod
    def csrf() -> str:
        return "t"


def rendered(page: PageView) -> str:
    pages = Pages(load_words())
    return pages.render(
        "citizen/question.html", "fr",
        {
            "frame": Frame, "page": page, "steps": 1, "procedure": "Essai", "back": "/", "errors": error_summary(page, DRAW),
            "questions": pages.questions(page, DRAW), "multipart": has_files(page), "token": "t", "revision": 1,
            "returning": "", "follow_up": 0, "note": "", "note_kind": "", "title": "Vous", "sure": True, "in_row": False,
            "filled": 0, "taken": "", "changed": "",
        },
    )  # fmt: skip


class Labels(HTMLParser):
    """Ids, labels, descriptions: what must answer what."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.controls: list[str] = []
        self.described: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "label":
            self.labelled.add(given["for"])
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.controls.append(given["id"])
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        self.described += given.get("aria-describedby", "").split()


EVERY = tuple(
    replace(a_field(type_, help=Text.of("Aide"), options=options(2), accept=("pdf", "jpg"), how=("upload",), max_size=9),
            id=f"q_{type_}", path=f"q_{type_}", has_other=type_ in ("choice", "choices"),
            problems=(AnswerProblem(f"q_{type_}", "empty", {"type": type_}, label=Text.of("Nom")),))
    for type_ in ("text", "integer", "money", "date", "choice", "choices", "yes_no", "declaration", "evidence", "phone", "email")
)  # fmt: skip


@pytest.mark.parametrize(("label", "tag"), [("Une personne à prévenir", "<h2>"), ("Écrivez comme ici.", "<b>")])
def test_a_note_is_a_heading_unless_it_is_a_sentence(label: str, tag: str) -> None:
    """It is closed to answers, and was drawn as a computed value for that."""
    drawn = rendered(a_page(a_field("note", label=Text.of(label), locked=True)))
    assert f"{tag}{label}" in drawn
    assert "Calculé" not in drawn


def test_every_control_has_its_label_and_every_description_exists() -> None:
    page = Labels()
    page.feed(rendered(a_page(*EVERY)))
    assert len(page.ids) == len(set(page.ids)), "an id stands once"
    assert [one for one in page.controls if one not in page.labelled] == []
    assert [one for one in page.described if one not in page.ids] == []
    assert page.headings.count("h1") == 1


@pytest.mark.parametrize(("count", "radios", "lists"), [(2, 2, 0), (3, 0, 1)])
def test_two_kinds_of_a_paper_are_seen_at_once(count: int, radios: int, lists: int) -> None:
    html = rendered(a_page(a_field("evidence", how=("upload",), options=options(count), accept=("pdf",))))
    assert (html.count('type="radio" id="f-nom-is'), html.count('<select id="f-nom-is"')) == (radios, lists)


def test_an_example_is_shown_unless_it_is_in_another_language() -> None:
    """Words are in the language of the file, a code is of none."""
    english = replace(DRAW, language="en")
    for example, in_english in (("Hôtel du Golfe", False), ("KP021", True), ("Villa 3", False)):
        view = a_field(example=example)
        assert example in field_control(view, DRAW).hint
        assert (example in field_control(view, english).hint) is in_english


def test_sorted_options_are_a_list_with_headings() -> None:
    groups = {"a1": "A", "a2": "A", "b1": "B"}
    grouped = tuple(OptionView(code, Text.of(code), group=Text.of(group)) for code, group in groups.items())
    html = rendered(a_page(a_field("place", options=grouped)))
    assert [html.count(f'<optgroup label="{group}">') for group in "AB"] == [1, 1]
    assert html.index('label="A"') < html.index('value="a2"') < html.index('label="B"') < html.index('value="b1"')


def test_what_people_write_stays_text() -> None:
    nasty = '"><script>alert(1)</script>'
    view = a_field(value=nasty, label=Text.of(nasty), help=Text.of(nasty), options=(OptionView(nasty, Text.of(nasty)),))
    for type_ in ("text", "choice", "choices", "evidence", "note", "date"):
        assert "<script>alert" not in rendered(a_page(replace(view, type=type_, files=(replace(FILE, name=nasty),))))
