"""Numbers, days, months, sizes and lists in the notation of a language, from CLDR. The sole importer of Babel.

Babel and a language are loaded by the first text that needs them. `guichet lint` needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, localcontext
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final
from unicodedata import combining, normalize

from renderers.i18n.language_spans import joined

if TYPE_CHECKING:
    from babel import Locale

FIXED_SPACE: Final = "\u00a0"
NARROW_SPACE: Final = "\u202f"  # fixed too; French groups digits with it
_PRECISION: Final = 60  # digits; a number may be typed with 40, and Babel fails above the precision
_LOCALES: Final = {"en": "en_GB", "ee": "ee_TG"}  # any other language is written as French, the reference
_UNTRANSLATED: Final = frozenset({("ee", "or")})  # CLDR gives the English word
_MOMENTS: Final = {"fr": "{1} à {0}", "en": "{1} at {0}"}  # Babel has only the patterns of CLDR with a comma


@cache
def _locale(language: str) -> Locale:
    from babel import Locale

    return Locale.parse(_LOCALES.get(language, "fr"))


@lru_cache(maxsize=512)
def number(value: int | Decimal, language: str) -> str:
    """Return a number with its digits grouped and all its decimals: `30 000`, `12,5`."""
    locale = _locale(language)
    with localcontext(prec=_PRECISION):
        return str(locale.decimal_formats[None].apply(value, locale, decimal_quantization=False))


def percent(value: Decimal, language: str) -> str:
    """Return a percentage, `12,5 %` for 12.5."""
    locale = _locale(language)
    with localcontext(prec=_PRECISION):
        return str(locale.percent_formats[None].apply(value / 100, locale, decimal_quantization=False))


@lru_cache(maxsize=1024)
def day(value: date, language: str, weekday: bool = True) -> str:
    """Return a day in words, `mardi 1er décembre 2026`. A line does not break between number, month and year."""
    locale = _locale(language)
    plain, full = (str(locale.date_formats[name].apply(value, locale)) for name in ("long", "full"))
    whole = plain.replace(" ", FIXED_SPACE)
    if (value.day, locale.language) == (1, "fr"):  # CLDR lacks « 1er »
        whole = whole.replace("1", "1er", 1)
    return full.replace(plain, whole) if weekday else whole


def short_day(value: date, language: str) -> str:
    """Return a day for a text message, with its month in letters as on a page: `1 déc. 2026`.

    A language whose months the alphabet of SMS lacks has figures.
    """
    if language not in ("fr", "en"):
        return f"{value:%d/%m/%Y}"
    locale = _locale(language)
    return str(locale.date_formats["medium"].apply(value, locale))


def moment(day: str, hour: str, language: str) -> str:
    """Return a day and an hour, both in words, as one text."""
    locale = _locale(language)
    return (_MOMENTS.get(locale.language) or str(locale.datetime_formats["full"])).format(hour, day)


def month(value: date, language: str) -> str:
    """Return the month of a day and its year, `octobre 2026`."""
    locale = _locale(language)
    return str(locale.datetime_skeletons["yMMMM"].apply(value, locale))


def weekday(number: int, language: str) -> str:
    """Return the name of a day of the week, 0 for Monday."""
    return str(_locale(language).days["stand-alone"]["wide"][number])


def size(octets: int, language: str) -> str:
    """Return a number of bytes as `430 ko` or `1,2 Mo`, at least one kilobyte."""
    from babel.units import format_unit

    small = octets < 1_000_000
    value, unit = (max(1, round(octets / 1000)), "kilo") if small else (round(octets / 1_000_000, 1), "mega")
    return format_unit(value, f"digital-{unit}byte", "short", locale=_locale(language)).replace(" ", FIXED_SPACE)


def alphabetical(text: str) -> str:
    """Return the key that sorts words as a dictionary does: É stands beside E, capitals beside small letters."""
    return "".join(sign for sign in normalize("NFKD", text.casefold()) if not combining(sign))


def listed(parts: Sequence[str], language: str, word: str = "standard") -> str:
    """Return the parts as one text: `a, b et c`; with the word `or`, `a, b ou c`. It keeps language spans."""
    if len(parts) < 2:
        return joined("", parts)
    patterns = _locale("fr" if (language, word) in _UNTRANSLATED else language).list_patterns[word]
    middle, last = (
        patterns[name].removeprefix("{0}").removesuffix("{1}") for name in ("middle", "end" if parts[2:] else "2")
    )
    return joined(last, (joined(middle, parts[:-1]), parts[-1]))


def numeral(amount: int, language: str) -> str:
    """Return a whole number in words: `douze mille cinq cents`. Ewe and Kabiyè fall back to French."""
    from num2words import num2words  # sixty languages, loaded by the first document

    return str(num2words(amount, lang="en" if language == "en" else "fr"))


# The first match wins, because each browser also names those it derives from.
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
    """Return browser and system of a user agent, empty if neither is known."""
    found = (next((name for sign, name in table if sign in user_agent), "") for table in (_BROWSERS, _SYSTEMS))
    return " – ".join(filter(None, found))
