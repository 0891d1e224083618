"""What every chapter of the definition in words reads with: texts of law and their worth, templates with their holes named,
and whatever a record holds besides what its chapter says in sentences of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, fields
from typing import Any, Final

from engine.core.values import Text
from engine.model import NamedElement, Procedure, Template
from engine.model.directory import Directory
from renderers.definition.parts import DefinitionReader, capital
from renderers.definition.values import ChangeValues
from renderers.i18n.translations import Translations, quoted, typographic

_HOLE: Final = re.compile(r"\{([^{}]+)\}")
TitleOf = Callable[[str], str]  # of another procedure, by its address


def spelled(address: str) -> str:
    """The address of a procedure as words, where its title is not at hand."""
    return address.replace("-", " ").capitalize()


class ProcedureReader(DefinitionReader):
    """Reads one book aloud, in one language, and leaves nothing of it out."""

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

    def told(self, facet: str, value: object) -> str:
        """`Durée : 30 minutes`."""
        return self.words.say("changes.value", self.language, {"facet": capital(facet), "value": str(value)})

    def quoted(self, text: Text | None) -> str:
        return typographic(quoted(self.t(text), self.language), self.language) if text else ""

    def names(self, names: Iterable[str]) -> str:
        """Things of the book by their labels."""
        return ", ".join(quoted(self.label(name), self.language) for name in names)

    # -- law -----------------------------------------------------------------------------------------------------------

    def law_title(self, law_id: str) -> str:
        """A text and what it is worth: `Loi n° 2020-09 (avec source)`."""
        law = self.definition.laws.get(law_id)
        return f"{self.t(law.title)} ({self.say(f'status_{law.status}')})" if law else ""

    def basis(self, thing: NamedElement, noun: str = "", *, needs: str = "") -> str:
        """The texts that a thing rests on, with the values that each covers when they differ. A value that should rest on
        one (`needs`) and does not is told so."""
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
        """What a record holds besides `said`, value by value: what the model learns to hold is read from that day on. Raises
        LookupError for what has no word yet."""
        for one in fields(record):
            name, value = one.name.removesuffix("_"), getattr(record, one.name)
            if name not in said and name not in ("id", "where", "basis") and value != usual(one):
                yield self.told(self.facet(noun, name), self.values.of(name, value))

    def facet(self, noun: str, facet: str) -> str:
        """What a value is called, for that kind of thing. Raises LookupError for one that has no word."""
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
        """A text with what its holes are called: `{date de naissance}`."""
        said = _HOLE.sub(lambda hole: f"{{{self.hole(hole[1])}}}", self.t(template.text))
        return said.replace("}{", "} / {")  # two that stand together are two names, often one or the other

    def hole(self, name: str) -> str:
        key = f"definition.hole.{name}"
        if name in self.definition.definitions:
            return self.expressions.value(self.definition.definitions[name])
        if self.label(name) == name and self.words.has(key):
            return self.words.say(key, self.language, {})
        return self.label(name)


def usual(one: Field[Any]) -> object:
    """What a field of the model holds when a file says nothing."""
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else MISSING
