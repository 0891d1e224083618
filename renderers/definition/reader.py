"""Base of all chapters: laws with their status, templates with named placeholders, and the remaining values of a
record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Final

from engine.core.values import Text
from engine.model import NamedElement, Procedure, Template
from engine.model.directory import Directory
from renderers.definition.parts import DefinitionReader, capital
from renderers.definition.values import ChangeValues
from renderers.i18n.translations import Translations, quoted, typographic

_HOLE: Final = re.compile(r"\{([^{}]+)\}")
TitleOf = Callable[[str], str]  # title of another procedure, by its address


def spelled(address: str) -> str:
    """Return the address of a procedure as words, where its title is unknown."""
    return address.replace("-", " ").capitalize()


class ProcedureReader(DefinitionReader):
    """Reads one procedure in one language. `rest` makes sure that no value is left out."""

    def __init__(
        self,
        procedure: Procedure,
        directory: Directory,
        words: Translations,
        language: str,
        title_of: TitleOf = spelled,
    ) -> None:
        super().__init__(procedure, directory, words, language)
        self.values = ChangeValues(procedure, directory, words, language)
        self.title_of = title_of

    def named_value(self, facet: str, value: object) -> str:
        """Return a value with its name: `Durée : 30 minutes`."""
        return self.words.say("changes.value", self.language, {"facet": capital(facet), "value": str(value)})

    def quoted(self, text: Text | None) -> str:
        """Return a text between quotation marks, empty for None."""
        return typographic(quoted(self.t(text), self.language), self.language) if text else ""

    def names(self, names: Iterable[str]) -> str:
        """Return the labels of elements of the procedure, quoted and joined."""
        return ", ".join(quoted(self.label(name), self.language) for name in names)

    def confirmed(self, pieces: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
        """Yield the answers compared with each piece of evidence."""
        yield from (self.say("confirms", piece=self.label(one), fields=self.names(of)) for one, of in pieces.items())

    # -- law -----------------------------------------------------------------------------------------------------------

    def law_title(self, law_id: str) -> str:
        """Return a law with its status, `Loi n° 2020-09 (avec source)`. Empty if the law is unknown."""
        law = self.definition.laws.get(law_id)
        return f"{self.t(law.title)} ({self.say(f'status_{law.status}')})" if law else ""

    def basis(self, thing: NamedElement, noun: str = "", *, needs: str = "") -> str:
        """Return the laws of an element, each with the values that it covers.

        `needs` names a value that requires a law. The text says so if none covers it.
        """
        covered: dict[str, list[str]] = {}
        for key, law in thing.basis.items():
            covered.setdefault(law, []).append(key)
        said = []
        for law, keys in covered.items():
            title = self.law_title(law)
            if title:
                of = ", ".join(self.facet(noun, key) for key in keys if key != "*")
                said.append(f"{title}, {self.say('basis_of', values=of)}" if of else title)
        if needs and thing.law_of(needs) is None:
            said.append(self.say("no_law_for", value=self.facet(noun, needs)) if said else self.say("no_law"))
        return self.say("basis", law=" ; ".join(said)) if said else ""

    # -- what is not said in a sentence of its own ---------------------------------------------------------------------

    def rest(self, record: Any, noun: str, *said: str) -> Iterator[str]:
        """Yield the values of a record that `said` does not name and that differ from their default.

        A new field of the model appears here without further code. Raises LookupError if it has no word.
        """
        for one in fields(record):
            name, value = one.name.removesuffix("_"), getattr(record, one.name)
            if name not in said and name not in ("id", "where", "basis") and value != usual(one):
                yield self.named_value(self.facet(noun, name), self.values.of(name, value))

    def facet(self, noun: str, facet: str) -> str:
        """Return the name of a value for that kind of element. Raises LookupError if it has no word."""
        keys = (
            f"definition.facet.{noun}.{facet}",
            f"changes.facet_of.{noun}.{facet}",
            f"changes.facet.{facet}",
            f"definition.facet.any.{facet}",
        )
        found = next((key for key in keys if self.words.has(key)), None)
        if found is None:
            raise LookupError(f"definition.facet.{noun}.{facet}")
        return self.words.say(found, self.language, {})

    # -- templates -----------------------------------------------------------------------------------------------------

    def template(self, template: Template) -> str:
        """Return a text with labels as its placeholders: `{date de naissance}`."""
        said = _HOLE.sub(lambda hole: f"{{{self.hole(hole[1])}}}", self.t(template.text))
        return said.replace("}{", "} / {")  # two adjacent holes are often alternatives

    def hole(self, name: str) -> str:
        """Return the label of a placeholder: the value of a named expression, a word, or the label of an element."""
        key = f"definition.hole.{name}"
        if name in self.definition.definitions:
            return self.expressions.value(self.definition.definitions[name])
        if self.label(name) == name and self.words.has(key):
            return self.words.say(key, self.language, {})
        return self.label(name)


def usual(one: Field[Any]) -> object:
    """Return the default of a field of the model, MISSING if it has none."""
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else MISSING
