"""Text in another language than its page, marked with `lang` in HTML.

Screen readers, hyphenation and translation then use the right language. Templates insert a span like any text:
between tags its HTML is used, in an attribute its plain text.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class LanguageSpan(str):
    """Text of which a part, or all, is in another language than the page."""

    __slots__ = ("_html",)
    _html: str

    @classmethod
    def made_of(cls, text: str, html: str) -> LanguageSpan:
        """Return the text with `html` as its marked form, which the caller has escaped."""
        said = cls(text)
        said._html = html
        return said

    @classmethod
    def in_language(cls, text: str, language: str) -> LanguageSpan:
        """Return the text with all of it marked as that language."""
        return cls.made_of(text, f'<span lang="{escape(language)}">{html_of(text)}</span>')

    def __html__(self) -> str:
        return self._html


def html_of(text: str) -> str:
    """Return the text escaped for HTML, or the marked form of a span."""
    return text.__html__() if isinstance(text, LanguageSpan) else escape(text)


def joined(separator: str, parts: Iterable[str]) -> str:
    """Return the texts as one, a span if one of them is a span."""
    found = list(parts)
    text = separator.join(found)
    if not any(isinstance(part, LanguageSpan) for part in found):
        return text
    return LanguageSpan.made_of(text, escape(separator).join(html_of(part) for part in found))


def lowered(text: str) -> str:
    """Return the text for the middle of a line. A span and an acronym keep their capital."""
    keeps = isinstance(text, LanguageSpan) or text[1:2].isupper()
    return text if keeps else text[:1].lower() + text[1:]


def as_text(value: object) -> str:
    """Return a value as the text of a placeholder of a sentence.

    A text is returned unchanged, so a language span stays one.
    """
    return value if isinstance(value, str) else str(value)
