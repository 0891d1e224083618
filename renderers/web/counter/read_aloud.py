"""« Lire avec l’usager »: the whole request in sentences, to read aloud to who is there before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response

from engine.services.applications.drafts import CheckSheet, check
from renderers.web.citizen.submit import checked_sections
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import DossierContext, case, to_bring
from renderers.web.platform.request_context import actor, app_ctx, go, page, say
from renderers.web.shared.answers import AnswerLine
from renderers.web.shared.money import francs

blueprint = Blueprint("counter_reading", __name__)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing said. `href` is where it is corrected."""

    said: str
    label: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class ReadAloudPart:
    title: str
    lines: tuple[Sentence, ...]


@blueprint.get(f"{HOME}/<number>/lecture")
@helper
def read(number: str) -> Response:
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at("/recepisse"))
    sheet = check(app_ctx(), actor(), one.id)
    return page(
        "agent/counter_reading.html", procedure=one.title, back=one.at("/verification"), parts=list(_parts(one, sheet))
    )  # fmt: skip


def _parts(one: DossierContext, sheet: CheckSheet) -> Iterator[ReadAloudPart]:
    for section in checked_sections(one, sheet):
        yield ReadAloudPart(section.title, tuple(_said(line) for line in section.lines))
    yield ReadAloudPart(say("check.to_pay"), tuple(_price(one, sheet)))
    if bring := to_bring(one):
        yield ReadAloudPart(say("counter.bring"), tuple(Sentence(f"{paper}.") for paper in bring))


def _said(line: AnswerLine) -> Sentence:
    """The question and its answer. What is missing is said as well: silence would pass for an answer."""
    if line.lacking:
        text = say("counter.reading_lacking")
    elif line.files:
        text = say("counter.reading_papers", count=len(line.files))
        text = f"{line.text}, {text}" if line.text else text
    else:
        text = line.text or say("counter.reading_nothing")
    question = line.label.rstrip(" \u00a0\u202f?:.")
    return Sentence(say("counter.reading_line", question=question, answer=text.rstrip(".")), line.label, line.href)


def _price(one: DossierContext, sheet: CheckSheet) -> Iterator[Sentence]:
    if not sheet.quotes:
        yield Sentence(say("counter.reading_free"))
    for quote in sheet.quotes:
        yield Sentence(say("counter.reading_price", fee=quote.label, amount=francs(quote.amount)))
