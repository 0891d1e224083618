"""Words of a page that are of another language than the page: text everywhere, and between tags an element that says so.

A screen reader reads them with the right voice, a browser hyphenates and translates them rightly. Templates put them
in place like any other text: what is between tags is asked for its HTML, what is in an attribute stays plain.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class LanguageSpan(str):
    """Text of which a part, or all, is of another language than the page it stands on."""

    __slots__ = ("_html",)
    _html: str

    @classmethod
    def made_of(cls, text: str, html: str) -> LanguageSpan:
        """This text, its parts of another language marked in `html`."""
        said = cls(text)
        said._html = html
        return said

    @classmethod
    def in_language(cls, text: str, language: str) -> LanguageSpan:
        """A text that is wholly of that language."""
        return cls.made_of(text, f'<span lang="{escape(language)}">{html_of(text)}</span>')

    def __html__(self) -> str:
        return self._html


def html_of(text: str) -> str:
    """The text as it stands between tags."""
    return text.__html__() if isinstance(text, LanguageSpan) else escape(text)


def joined(separator: str, parts: Iterable[str]) -> str:
    """Several texts in one, each keeping its language."""
    found = list(parts)
    text = separator.join(found)
    if not any(isinstance(part, LanguageSpan) for part in found):
        return text
    return LanguageSpan.made_of(text, escape(separator).join(html_of(part) for part in found))


def as_text(value: object) -> str:
    """What a sentence takes as a fact; words keep their language."""
    return value if isinstance(value, str) else str(value)
