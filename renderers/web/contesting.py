"""How a refusal is contested: until which day, and the act that does it here."""

from __future__ import annotations

from dataclasses import replace

from engine.rules.calendars import add_span
from engine.rules.decision import Offer
from engine.rules.document_content import appeals_of
from engine.values import Span
from renderers.procedure_page import SheetLine
from renderers.web.acts import theirs
from renderers.web.base import day_of, office, say
from renderers.web.cases import Case, writer


def appeal_lines(one: Case) -> tuple[SheetLine, ...]:
    """The ways to contest of a refused request, each with its last day."""
    pairs = zip(writer(one.procedure).appeals(), appeals_of(one.standing()), strict=True)
    return tuple(
        replace(line, within=say("track.appeal_until", day=_last_day(one, appeal.within))) if appeal.within else line
        for line, appeal in pairs
    )


def open_appeal(one: Case) -> Offer | None:
    """The act by which the applicant contests here and now."""
    acts = {appeal.act for appeal in appeals_of(one.standing()) if appeal.act}
    return next((offer for offer in theirs(one) if offer.open and offer.transition.id in acts), None)


def how_to_contest(one: Case) -> str:
    """What the box of a refusal says of it; nothing where there is no way."""
    if not appeals_of(one.standing()):
        return ""
    offer = open_appeal(one)
    within = offer.transition.within if offer else None
    return say("track.appeal_before", day=_last_day(one, within)) if within else say("track.how_appeal")


def _last_day(one: Case, within: Span) -> str:
    until = add_span(one.dossier.entered_at, within, office().directory.calendar)
    return day_of(until)
