"""How many text messages left, and what they cost: sums by month, procedure and country, kept when the messages are gone.

A message is added once, in the transaction that marks its letter as sent. One text for both stores.
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
    """What left in a month (`2026-11`) for the dossiers of a procedure, to a country (ISO 3166, empty when unknown).
    `procedure` is empty for what concerns no dossier: sign-in codes, mandates. `segments` is what an operator bills; `unpriced`
    those of them that left while no price was set; `cost` of the others, in hundredths of a franc."""

    month: str
    procedure: str
    country: str
    messages: int
    segments: int
    unpriced: int
    cost: int
