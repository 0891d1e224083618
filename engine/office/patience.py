"""How long a tour speaks to those outside the house. A gateway that takes everything and answers nothing would keep due dates,
other operators' payments and the journal's signature waiting behind it, hour after hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from engine.office.office import Office

SHARE: Final = timedelta(seconds=30)  # of one tour, for one part of it
OF_ONE: Final = SHARE / 3  # of that, for one partner
SILENCES: Final = 2  # of one partner, one after another


class Patience:
    """Of one part of one tour: until its share of time is over, and with each partner until it left us twice without an
    answer, or took its own share. What is not tried waits as it was, for the next tour."""

    def __init__(self, office: Office) -> None:
        self._office, self._until = office, office.now() + SHARE
        self._silences = Counter[str]()
        self._took: dict[str, timedelta] = {}

    def is_over(self) -> bool:
        return self._office.now() >= self._until

    @contextmanager
    def speaking(self, partner: str) -> Iterator[None]:
        """While it is asked: however it ends, that took its time."""
        began = self._office.now()
        try:
            yield
        finally:
            self._took[partner] = self._took.get(partner, timedelta()) + (self._office.now() - began)

    def note(self, partner: str, answered: bool) -> None:
        """How the last try ended: any answer, a refusal too, shows that somebody is there."""
        self._silences[partner] = 0 if answered else self._silences[partner] + 1

    def leaves(self, partner: str) -> bool:
        return self._silences[partner] >= SILENCES or self._took.get(partner, timedelta()) >= OF_ONE

    def left(self) -> tuple[str, ...]:
        """Whom this tour leaves alone from now on."""
        return tuple(sorted(partner for partner in {*self._silences, *self._took} if self.leaves(partner)))
