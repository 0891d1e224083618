"""The token of a paper: 128 random bits in 26 capitals and figures, as the square on it holds them.

The signs are those of Crockford's base 32: figures and capitals without I, L, O and U. A square needs a third fewer
modules for them than for small letters, and a token read aloud or typed is read back: `o` is 0, `i` and `l` are 1.
Documents issued before have a token of 22 signs, small letters included. Both are accepted for ever.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

TOKEN_BYTES: Final = 16
TOKEN_SIGNS: Final = 26
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD: Final = str.maketrans("OIL", "011", " -")
_PATH: Final = "/V/"  # the capital form of `/v/`, which the square of older documents holds


def paper_token(random: bytes) -> str:
    """Return the token of 16 random bytes, the first sign one of 0 to 7. Raises ValueError for another length."""
    if len(random) != TOKEN_BYTES:
        raise ValueError(f"{len(random)} bytes")
    bits = int.from_bytes(random, "big")
    return "".join(_ALPHABET[bits >> 5 * place & 31] for place in reversed(range(TOKEN_SIGNS)))


def read_token(text: str) -> str:
    """Return the token that a text of an address means, in the form the store keeps.

    Small letters, blanks, hyphens and signs that look alike are corrected. A text that is no token of a paper is
    returned without its outer blanks, because tokens issued before tell capitals from small letters.
    """
    read = text.upper().translate(_MISREAD)
    if len(read) == TOKEN_SIGNS and read[0] in _ALPHABET[:8] and set(read) <= set(_ALPHABET):
        return read
    return text.strip()


def token_address(site: str, token: str) -> str:
    """Return the address that the square of a paper holds: `HTTPS://GUICHET.TG/V/…`.

    Scheme and host are in capitals. A path of the site keeps its letters, because servers tell them apart.
    """
    there = urlsplit(site)
    host = f"{there.scheme}://{there.netloc}".upper() if there.netloc else ""
    return host + there.path.rstrip("/") + _PATH + token
