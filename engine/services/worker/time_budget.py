"""The time limit of one channel in a delivery.

Without it, a silent gateway could hold messages beyond their lease, and another worker would send them
too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.services.context.app_context import AppContext

SHARE: Final = timedelta(seconds=30)
SILENCES: Final = 2  # one after another


class TimeBudget:
    """The time limit of one channel.

    It ends with its share of time, or after `SILENCES` tries without an answer. Messages not tried are
    returned unchanged.
    """

    def __init__(self, ctx: AppContext) -> None:
        self._office, self._until = ctx, ctx.now() + SHARE
        self._silences = 0

    def is_over(self) -> bool:
        """Return whether no further message may be tried."""
        return self._silences >= SILENCES or self._office.now() >= self._until

    def note(self, answered: bool) -> None:
        """Record the end of a try. Any answer, even a refusal, shows that the gateway is reachable."""
        self._silences = 0 if answered else self._silences + 1
