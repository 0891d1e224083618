"""When the doors of an office are open, in words."""

from __future__ import annotations

from engine.definition.directory import Office
from renderers.words import REFERENCE, Words


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
