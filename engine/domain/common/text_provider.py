"""Protocol for texts that rules need in words. A renderer implements it, so the rules contain no wording."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol


class Wording(Protocol):
    """The texts of a renderer, ready to print. Texts for SMS use GSM 03.38 characters where possible."""

    def amount(self, amount: int | Decimal, language: str) -> str:
        """Return an amount without currency, with all its decimals: `30 000`, `12,5`."""

    def numeral(self, amount: int, language: str) -> str:
        """Return a whole number in words: `douze mille cinq cents`."""

    def money(self, amount: int, language: str) -> str:
        """Return an amount with its currency: `30 000 FCFA`."""

    def percent(self, value: Decimal, language: str) -> str:
        """Return a percentage: `12,5 %`."""

    def day(self, day: date, language: str) -> str:
        """Return a day with its weekday: `mardi 1er décembre 2026`."""

    def plain_day(self, day: date, language: str) -> str:
        """Return a day without its weekday, as for a birth: `1er décembre 2026`."""

    def short_day(self, day: date, language: str) -> str:
        """Return a day for SMS: `1 déc. 2026`."""

    def short_moment(self, instant: datetime, language: str) -> str:
        """Return an instant in local time, for SMS: `1 déc. 2026 à 7h30`."""

    def hour(self, minutes: int, language: str) -> str:
        """Return minutes since midnight: `8 h 15`."""

    def moment(self, instant: datetime, language: str) -> str:
        """Return an instant in local time: `mardi 1er décembre 2026 à 8 h 15`."""

    def span(self, count: int, unit: str, working: bool, language: str) -> str:
        """Return a length of time: `20 jours ouvrés`."""

    def yes_no(self, value: bool, language: str) -> str:
        """Return the word for yes or no."""

    def say(self, key: str, language: str, facts: Mapping[str, str]) -> str:
        """Return the sentence of a key (`notice.to_pay.sms`, `output.holder`…) with its facts filled in."""

    def has(self, key: str) -> bool:
        """Return True when a sentence exists for the key."""
