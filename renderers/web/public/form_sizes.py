"""The pages and the size of each blank form, which its link says.

A worker draws each form once a day and stores the two numbers. So no page draws a form, and every process says the
same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.core.values import Plain
from engine.language.catalogue.loader import glimpse
from engine.model import Procedure
from engine.services.context.app_context import AppContext
from renderers.definition.reader import spelled
from renderers.i18n.translations import OFFERED, Translations, in_language
from renderers.procedure.blank_form import BlankFormWriter, draw_form

MOST_DRAWN: Final = 40  # forms of one worker pass, about two seconds


@dataclass(frozen=True, slots=True)
class FormSize:
    """The number of pages of a blank form, and of its bytes."""

    pages: int
    octets: int


def stored_size(ctx: AppContext, fingerprint: str, language: str) -> FormSize | None:
    """Return the size that a worker stored, None before its first pass."""
    with ctx.store.unit() as unit:
        return _read(unit.peeked_aside(_key(fingerprint, language)))


@dataclass(slots=True)
class FormMeasurer:
    """Draws the forms of the catalogue and stores their sizes. One for each worker."""

    words: Translations
    _done: dict[str, str] = field(default_factory=dict)  # the day on which each was last looked at

    def measure(self, ctx: AppContext) -> int:
        """Draw the forms that were not drawn today, at most `MOST_DRAWN`. Returns how many. Raises `Busy`."""
        day, drawn = ctx.day().isoformat(), 0
        for name in ctx.catalogue.procedures:
            fingerprint = ctx.catalogue.fingerprint(name) or ""
            for language in OFFERED:
                key = _key(fingerprint, language)
                if drawn < MOST_DRAWN and self._done.get(key) != day:
                    drawn += self._store(ctx, name, language, key)
                    self._done[key] = day
        return drawn

    def _store(self, ctx: AppContext, name: str, language: str, key: str) -> bool:
        """Draw a form and store its size, unless another worker did so today."""
        today = ctx.day().isoformat()
        with ctx.store.unit() as unit:
            known = unit.peeked_aside(key)
        if isinstance(known, list) and known[2:] == [today]:
            return False
        form = self._drawn(ctx, glimpse(ctx.catalogue.procedures, name), language)
        with ctx.store.unit(write=True) as unit:
            unit.keep_aside(key, [form.pages, form.octets, today], ctx.now())
        return True

    def _drawn(self, ctx: AppContext, procedure: Procedure, language: str) -> FormSize:
        def title_of(slug: str) -> str:
            other = ctx.catalogue.current_summary(slug, ctx.day())
            return in_language(other.title, language) if other else spelled(slug)

        writer = BlankFormWriter(procedure, ctx.directory, self.words, language, ctx.day(), title_of)
        form = draw_form(writer.content(ctx.settings.short_url))
        return FormSize(form.pages, len(form.body))


def _key(fingerprint: str, language: str) -> str:
    return f"blank_form/{fingerprint}/{language}"


def _read(stored: Plain) -> FormSize | None:
    match stored:
        case [int(pages), int(octets), str()]:
            return FormSize(pages, octets)
        case _:
            return None
