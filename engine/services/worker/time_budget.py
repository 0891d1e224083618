"""How long a batch of letters speaks to one gateway: one that takes everything and answers nothing would keep the letters lent
for longer than their lease, and another worker would send them too."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.services.context.app_context import AppContext

SHARE: Final = timedelta(seconds=30)
SILENCES: Final = 2  # one after another


class TimeBudget:
    """Of one channel: until its share of time is over, or its gateway left us twice without an answer. What is not tried is
    given back as it was."""

    def __init__(self, ctx: AppContext) -> None:
        self._office, self._until = ctx, ctx.now() + SHARE
        self._silences = 0

    def is_over(self) -> bool:
        return self._silences >= SILENCES or self._office.now() >= self._until

    def note(self, answered: bool) -> None:
        """How the last try ended: any answer, a refusal too, shows that the gateway is there."""
        self._silences = 0 if answered else self._silences + 1
