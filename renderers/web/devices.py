"""What a browser says it is, in the few words by which people know their own: `Firefox – Android`."""

from __future__ import annotations

from typing import Final

# The first that is named wins: each browser also says the names of those it came after.
_BROWSERS: Final = (
    ("Opera Mini", "Opera Mini"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("UCBrowser", "UC Browser"),
    ("Edg", "Edge"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("KAIOS", "KaiOS"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS", "Mac"), ("Linux", "Linux"), ("J2ME", "Java"),
)  # fmt: skip


def device_named(user_agent: str) -> str:
    """Browser and system; nothing for what says neither."""
    found = (next((name for sign, name in table if sign in user_agent), "") for table in (_BROWSERS, _SYSTEMS))
    return " – ".join(filter(None, found))
