"""When the doors of an office are open, in words: its usual hours, and the days soon that are not as usual."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from engine.definition.directory import Calendar, Closure, Office, Opened
from renderers.spoken import as_text
from renderers.words import REFERENCE, Words, in_language

_SOON: Final = timedelta(days=45)  # further off, nobody plans a visit yet


def opening_hours(office: Office, words: Words, language: str) -> str:
    """`lundi à vendredi : 7 h 30 à 12 h, 14 h 30 à 17 h`, days of the same hours together."""
    said: list[tuple[int, int, str]] = []
    for weekday in range(7):
        text = ", ".join(
            words.say(
                "sheet.hours",
                language,
                {"start": words.hour(one.start, language), "end": words.hour(one.end, language)},
            )
            for one in office.hours.get(weekday, ())
        )
        if text and said and said[-1][1] == weekday - 1 and said[-1][2] == text:
            said[-1] = (said[-1][0], weekday, text)
        elif text:
            said.append((weekday, weekday, text))
    return (" ; " if language == REFERENCE else "; ").join(
        _days(first, last, text, words, language) for first, last, text in said
    )


def _days(first: int, last: int, text: str, words: Words, language: str) -> str:
    names = [words.say(f"weekday.n{one}", language, {}) for one in (first, last)]
    if first == last:
        return words.say("text.named", language, {"name": names[0], "text": text})
    days = words.say("sheet.days", language, {"first": names[0], "last": names[1]})
    return words.say("text.named", language, {"name": days, "text": text})


def unusual_days(office: Office, today: date, words: Words, language: str) -> Iterator[str]:
    """`Fermé le mercredi 25 novembre 2026 : Grève du personnel`, in order of time; what is open beside the hours too."""
    soon = [one for one in (*office.closed, *office.opened) if one.until >= today and one.from_ <= today + _SOON]
    for one in sorted(soon, key=lambda one: one.from_):
        if isinstance(one, Opened) and one.hours is None:
            continue  # fewer places: the doors are open all the same
        said = words.say(
            "help.closed" if isinstance(one, Closure) else "help.open", language, {"when": _when(one, words, language)}
        )
        because = in_language(one.because, language) if isinstance(one, Closure) else ""
        yield words.say("text.named", language, {"name": said, "text": as_text(because)}) if because else said


def holidays_soon(calendar: Calendar, today: date, words: Words, language: str) -> Iterator[str]:
    """`vendredi 25 décembre 2026 (Noël)`."""
    for day, name in sorted(calendar.holidays.items()):
        if today <= day <= today + _SOON:
            facts = {"day": words.day(day, language), "name": as_text(in_language(name, language))}
            yield words.say("help.holiday", language, facts)


def _when(one: Closure | Opened, words: Words, language: str) -> str:
    facts = {"first": words.day(one.from_, language), "last": words.day(one.until, language)}
    key = "openings.span_day" if one.from_ == one.until else "openings.span_days"
    said = words.say(key, language, {**facts, "day": facts["first"]})
    if one.hours is None:
        return said
    hours = {"opens": words.hour(one.hours.start, language), "shuts": words.hour(one.hours.end, language)}
    return f"{said}, {words.say('openings.span_hours', language, hours)}"
