"""Random posts to the pages of shipped procedures, and the checks of each result.

No post raises. Only questions shown on the page are stored, and the page posts again what it shows.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import Any, Final

from engine.core.values import Plain
from engine.domain.fields.field_types import kind_of
from engine.domain.fields.raw_answers import CODES, is_wrong, typed_text
from engine.domain.fields.scope import evaluate_answers
from engine.domain.fields.views import PageView
from engine.domain.forms import pages as forms
from engine.domain.forms.posted_values import keys_of
from engine.domain.forms.sample_answers import example_answers
from engine.model import Field, Page, Procedure
from engine.records.dossier import Dossier
from renderers.html.controls import DrawingContext
from renderers.html.templates import Pages
from tests.effort import EFFORT
from tests.makers import PROCEDURES, TODAY, a_dossier, changed, the_directory, the_procedure, the_words

Raw = dict[str, list[str]]
SOME: Final = ("permis-de-construire", "carte-de-sejour", "creation-entreprise", "e-visa")
_TYPED: Final = frozenset(
    {"text", "address", "identifier", "email", "phone", "integer", "decimal", "money", "percent", "time"}
)
_BOXES: Final = re.compile(r"\d*/\d*/\d*")
_FAR: Final = re.compile(r"\.[1-9]\.")  # a row that may come before others: it is a new one each time
VALUES: Final = (
    "", " ", "a", "A" * 300, "x" * 20_000, "0", "-1", "1", "3", "007", "1e9", "1,5", "9" * 400, "\u0663", "NaN", "true", "false", "on", "oui",
    "27/3/1990", "31/02/1990", "2026-11-24", "9999-12-31", "0001-01-01", "24:61", "08:30", "90123456", "+22890123456", "a@b.tg", "a@",
    "tgo", "fra", "other", "None", "{}", "[]", '{"?": "x"}', "\0", "\ud800", "\u202eabc", "e\u0301", "\ufb01", "a\r\nb\u2028c", "<b>", "{nom}",
    "lome", "F", "M", "AB-1234", "\u00a0 12 000\u202f000 ", "1/2", "2000", "12", "A1", "-", "'", "\\", "../..",
)  # fmt: skip


def books() -> list[Procedure]:
    """Some shipped procedures, all of them in the long run."""
    names = SOME if EFFORT == 1 else sorted(path.stem for path in PROCEDURES.glob("*.yaml"))
    return [the_procedure(name) for name in names]


# -- posting -----------------------------------------------------------------------------------------------------------


def names_of(fields: Iterable[Field], prefix: str = "") -> Iterator[str]:
    """Every name that a post might use for these, asked or not, in three rows where there are rows."""
    for field in fields:
        path = prefix + field.id
        yield from (path, f"{path}_other", *kind_of(field).controls(field, path))
        if field.rows:
            for number in (0, 1, 7):
                yield from names_of(field.rows, f"{path}.{number}.")


def a_post(book: Procedure, page: Page, chance: random.Random) -> Raw:
    """Some of the page's questions, some of other pages, some that are nobody's, with anything in them."""
    own = list(names_of(page.fields))
    other = [
        *names_of(book.form.fields),
        "state",
        "owner",
        "id",
        "revision",
        "answers",
        "__class__",
        "a.b.c",
        ".",
        "x" * 200,
        "é\0",
    ]
    rows = [field.id for field in page.fields if field.type == "rows"] or ["lots"]
    names = chance.sample(own, chance.randint(0, len(own))) + chance.sample(other, 3)
    raw = {name: chance.choices(VALUES, k=chance.choice((0, 1, 1, 1, 2))) for name in names}
    for option in (field for field in page.fields if field.options and field.id in raw and chance.random() < 0.7):
        raw[option.id] = [chance.choice(option.options).code]
    if chance.random() < 0.2:
        raw[chance.choice(("add_row", "remove_row"))] = [chance.choice((*rows, f"{rows[0]}.0", f"{rows[0]}.x", ""))]
    return raw


def as_shown(page: PageView) -> Raw:
    """What a browser posts of a page that nobody touched."""
    controls = Controls()
    controls.feed(_pages().questions(page, DrawingContext(the_words(), "fr")).__html__())
    controls.close()
    return controls.found


@cache
def _pages() -> Pages:
    return Pages(the_words())


class Controls(HTMLParser):
    """The successful controls of a form."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: Raw = {}
        self._text = self._select = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        said = dict(attrs)
        name = said.get("name") or ""
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._text = name
            self.found[name] = [""]
        elif tag == "option" and self._select:
            if "selected" in said or self._select not in self.found:
                self.found[self._select] = [said.get("value") or ""]
        elif tag == "input" and name and "disabled" not in said:
            kind = said.get("type")
            if kind not in ("submit", "file") and (kind not in ("radio", "checkbox") or "checked" in said):
                self.found.setdefault(name, []).append(said.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.found[self._text] = [self.found[self._text][0] + data]


# -- judging -----------------------------------------------------------------------------------------------------------


@dataclass
class AnswerCheck:
    """One dossier of a book, posted to; `found` is what went wrong."""

    definition: Procedure
    dossier: Dossier
    chance: random.Random

    def read(self, page: Page, raw: Mapping[str, Sequence[str]]) -> forms.PageRead:
        return forms.read_page(self.definition, self.dossier, page.id, raw, TODAY, the_directory())

    def faults(self) -> Iterator[str]:
        """Of one post to one page."""
        page = self.chance.choice(self.definition.form.pages)
        raw = a_post(self.definition, page, self.chance)
        try:
            found = self.read(page, raw)
            yield from self._of_what_is_written(page, found)
            self.dossier = changed(self.dossier, answers=found.answers)
            if not any(name in ("add_row", "remove_row") or _FAR.search(name) for name in raw):
                yield from self._of_the_same_again(page, raw)
            yield from self._of_what_is_sent()
            yield from self._of_what_is_shown(page)
        except Exception as error:
            yield f"{page.id}: raises {type(error).__name__}: {error}"

    def _of_what_is_written(self, page: Page, found: forms.PageRead) -> Iterator[str]:
        kept = self.dossier.answers
        own = {key: field for field in page.fields for key in keys_of(field)}
        standing = evaluate_answers(self.definition, self.dossier, TODAY, the_directory(), found.answers)
        unread = forms._unread(page.fields, standing)  # what depends on it shows again once it is mended
        for name in {one for one in {*kept, *found.answers} if kept.get(one) != found.answers.get(one)}:
            if name not in own:
                yield f"{page.id}: {name} is no question of it, and was written"
            elif own[name].value is not None:
                yield f"{page.id}: {name} is computed, and was written"
            elif not standing.shows(own[name]) and not own[name].when.names & unread:
                yield f"{page.id}: {name} is hidden, and was written"
        odd = {one.code for one in found.problems} - set(CODES)
        if odd:
            yield f"{page.id}: faults that nobody can say: {sorted(odd)}"

    def _of_the_same_again(self, page: Page, raw: Raw) -> Iterator[str]:
        again = self.read(page, raw)
        yield from (f"{page.id}: {name} is kept otherwise when posted again" for name in sorted(again.changed))

    def _of_what_is_sent(self) -> Iterator[str]:
        live = forms.live_answers(self.definition, self.dossier, TODAY, the_directory())
        again = forms.live_answers(self.definition, changed(self.dossier, answers=live), TODAY, the_directory())
        if live != again:
            yield "what is sent would be sent otherwise"
        standing = evaluate_answers(self.definition, self.dossier, TODAY, the_directory())
        for field in self.definition.form.fields:
            if field.id in live and (field.value is not None or not standing.shows(field)):
                yield f"{field.id} is sent, and is nobody's answer"

    def _of_what_is_shown(self, page: Page) -> Iterator[str]:
        standing = evaluate_answers(self.definition, self.dossier, TODAY, the_directory())
        view = forms.view_page(standing, page.id, self.dossier, the_words())
        if view is None:
            return
        found = self.read(page, as_shown(view))
        kept = self.dossier.answers
        for field in (one for one in page.fields if one.id in found.changed):
            if _lost(field, kept.get(field.id), found.answers.get(field.id)):
                yield f"{page.id}: {field.id} was {kept.get(field.id)!r}, the page shows it as {found.answers.get(field.id)!r}"


def _lost(field: Field, was: Plain, now: Plain) -> bool:
    """Whether a page showed something else than what was kept. Files are not in a form."""
    if field.type in ("file", "photo", "evidence") or (is_wrong(was) and not _may_be_typed(field, was)):
        return False
    if field.type == "rows" and isinstance(was, list) and isinstance(now, list):
        pairs = [
            (one, other)
            for one, other in zip(was, now, strict=False)
            if isinstance(one, dict) and isinstance(other, dict)
        ]
        return len(was) > len(now) or any(
            _lost(column, one.get(column.id), other.get(column.id)) for one, other in pairs for column in field.rows
        )
    return (was or None) != (now or None)


def _may_be_typed(field: Field, wrong: Plain) -> bool:
    """Whether a page has a place for it: no list shows what is not in it, no box of a day what is no number."""
    return field.type in _TYPED or (field.type.endswith("date") and bool(_BOXES.fullmatch(typed_text(wrong))))


def faults_of(book: Procedure, posts: int, seed: int = 9) -> list[str]:
    """What goes wrong in so many posts, some on a dossier without an answer, most on one that is filled."""
    chance, found = random.Random(f"{book.id} {seed}"), list[str]()
    filled = example_answers(book, {}, TODAY, the_directory())
    judge = AnswerCheck(book, a_dossier(book), chance)
    for number in range(posts):
        if number % 10 == 0:
            judge.dossier = a_dossier(book, **(filled if number % 30 else {}))
        found += [f"{book.id}: {fault}" for fault in judge.faults()]
    return found
