"""« Lire avec l’usager »: the whole request in sentences, to read aloud to the applicant before submission."""

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
class ReadAloudPart:
    """The sentences of one section. `href` is where its answers are corrected."""

    title: str
    lines: tuple[str, ...]
    href: str = ""


@blueprint.get(f"{HOME}/<number>/lecture")
@helper
def read(number: str) -> Response:
    """Show the request in sentences: answers, price and what to bring. Redirects to the receipt once submitted."""
    one = case(number)
    if not one.dossier.is_draft:
        return go(one.at("/recepisse"))
    sheet = check(app_ctx(), actor(), one.id)
    return page(
        "agent/counter_reading.html", procedure=one.title, back=one.at("/verification"), parts=list(_parts(one, sheet))
    )  # fmt: skip


def _parts(one: DossierContext, sheet: CheckSheet) -> Iterator[ReadAloudPart]:
    for section in checked_sections(one, sheet):
        yield ReadAloudPart(section.title, tuple(_said(line) for line in section.lines), section.href)
    yield ReadAloudPart(say("check.to_pay"), tuple(_price(one, sheet)))
    if bring := to_bring(one):
        yield ReadAloudPart(say("counter.bring"), tuple(f"{paper}." for paper in bring))


def _said(line: AnswerLine) -> str:
    """Return the question with its answer. A missing answer is named too, so that none is taken for given."""
    if line.lacking:
        text = say("counter.reading_lacking")
    elif line.files:
        text = say("counter.reading_papers", count=len(line.files))
        text = f"{line.text}, {text}" if line.text else text
    else:
        text = line.text or say("counter.reading_nothing")
    question = line.label.rstrip(" \u00a0\u202f?:.")
    return say("counter.reading_line", question=question, answer=text.rstrip("."))


def _price(one: DossierContext, sheet: CheckSheet) -> Iterator[str]:
    if not sheet.quotes:
        yield say("counter.reading_free")
    for quote in sheet.quotes:
        yield say("counter.reading_price", fee=quote.label, amount=francs(quote.amount))
