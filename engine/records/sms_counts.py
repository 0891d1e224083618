"""SMS sent and their cost, by month, procedure and country. The sums stay after the messages are erased.

A message is counted once, in the transaction that marks it as sent. The table text serves both databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SMS_COUNTS: Final = """
CREATE TABLE sms_count (
  month TEXT NOT NULL,
  procedure TEXT NOT NULL,
  country TEXT NOT NULL,
  messages INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY (month, procedure, country)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class SmsCount:
    """The SMS sent in a month (`2026-11`) for a procedure to a country (ISO 3166, empty when unknown).

    `procedure` is empty for messages without a dossier: sign-in codes, mandates. `segments` are the billed
    units, and `unpriced` those sent while no price was set. `cost` is that of the others, in hundredths of a
    franc.
    """

    month: str
    procedure: str
    country: str
    messages: int
    segments: int
    unpriced: int
    cost: int
