"""What the rules need said in words, without holding any: the faces hand in an object that speaks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Protocol


class Wording(Protocol):
    """Words of one house. All answers are ready to print; `sms` ones hold only signs of GSM 03.38 where possible."""

    def amount(self, amount: int, language: str) -> str:
        """`30 000` (no currency)."""
        ...

    def day(self, day: date, language: str) -> str:
        """`mardi 1er décembre 2026`."""
        ...

    def plain_day(self, day: date, language: str) -> str:
        """`1er décembre 2026`: a day that is not a meeting, a birth."""
        ...

    def short_day(self, day: date, language: str) -> str:
        """`01/12/2026`, for SMS."""
        ...

    def moment(self, instant: datetime, language: str) -> str:
        """`mardi 1er décembre 2026 à 8 h 15`, on local clocks."""
        ...

    def span(self, count: int, unit: str, working: bool, language: str) -> str:
        """`20 jours ouvrés`."""
        ...

    def yes_no(self, value: bool, language: str) -> str: ...

    def say(self, key: str, language: str, facts: Mapping[str, str]) -> str:
        """The sentence of a key (`notice.to_pay.sms`, `output.holder`…) with its facts filled in."""
        ...

    def has(self, key: str) -> bool: ...
