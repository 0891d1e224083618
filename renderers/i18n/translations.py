"""Translations of the interface, by language and key: statuses, notices, refusals, plurals, dates, money.

`words*.<language>.yaml` hold the sentences, each file one part of the project. A key with the children `one` and
`many` is a plural, chosen by its fact `count`. A sentence missing in a language is given in French, the reference,
and marked as French.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.core.clock import local
from engine.core.problems import Fact
from engine.core.values import Text, group_number
from engine.language.source.loader import read_texts
from renderers.i18n import formats
from renderers.i18n.formats import FIXED_SPACE, NARROW_SPACE
from renderers.i18n.language_spans import LanguageSpan, html_of

if TYPE_CHECKING:
    from engine.domain.fields.views import AnswerProblem

REFERENCE: Final = "fr"
OFFERED: Final = ("fr", "en")
SAMPLES: Final = ("ee",)  # a few sentences, not yet reviewed by native speakers
SPOKEN: Final = OFFERED + SAMPLES
_HOLE: Final = re.compile(r"\{([a-z_]+)\}")
_MONTHS: Final = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
# Each begins with the space that it replaces: a search then skips to the next space, in a third of the time.
_KEPT: Final = re.compile(
    r" (?:(?=[:;?!»%])|(?<=« )|(?<=[nN]° )(?=\S)|(?<=\bart\. )(?=\d)|(?<=\d )(?=\d|h\b|min\b|kVA\b|[cmk]?m\b|m²|[kM]o\b)|(?<=\d h )(?=\d)"
    r"|(?<=[\d}] )(?=F\b|FCFA\b)"
    rf"|(?:(?<=\d )|(?<=\b1er ))(?=\b(?:{_MONTHS})\b))"
)
_GROUPED: Final = re.compile(r" (?<=\d )(?=\d{3}\b)")  # as Babel groups
_AFTER_MONTH: Final = "|".join(rf"(?<=\b{month} )" for month in _MONTHS.split("|"))
_KEPT_YEAR: Final = re.compile(rf" (?:{_AFTER_MONTH})(?=\d{{4}}\b)")
_KEPT_DAY: Final = re.compile(  # in English the name of a month alone may be another word
    r" (?<=\d )(January|February|March|April|May|June|July|August|September|October|November|December) (?=\d{4}\b)"
)
_APOSTROPHE: Final = re.compile(r"(?<=\w)'(?=[\w«])")
_SPAN: Final = re.compile(r"(\d+) (working )?(minute|hour|day|week|month|year)s?")
_ONE: Final = re.compile(r"\b1\b")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_FOLDER: Final = Path(__file__).parent / "catalogues"


class Translations:
    """Sentences by key.

    Implements `engine.domain.common.text_provider.Wording` and formats dates, numbers and sizes.
    """

    def __init__(self, texts: Mapping[str, Mapping[str, str]]) -> None:
        self._texts = texts

    # -- sentences -----------------------------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Return whether French, the reference language, has a sentence or a plural under the key."""
        reference = self._texts[REFERENCE]
        return key in reference or f"{key}.one" in reference

    def say(self, key: str, language: str, facts: Mapping[str, str]) -> str:
        """Return the sentence of a key with its facts filled in. Raises LookupError for an unknown key."""
        own, sentence = self._sentence(key, language, facts)
        text = _HOLE.sub(lambda hole: str(facts.get(hole[1], "")), sentence)
        if own == language and not any(isinstance(fact, LanguageSpan) for fact in facts.values()):
            return text
        parts = _HOLE.split(sentence)  # text and names of holes alternate
        html = "".join(html_of(facts.get(part, "") if at % 2 else part) for at, part in enumerate(parts))
        return LanguageSpan.made_of(text, html if own == language else f'<span lang="{own}">{html}</span>')

    def first(self, keys: Iterable[str], language: str, facts: Mapping[str, str]) -> str:
        """Return the sentence of the first key that exists. Keys go from precise to general."""
        return self.say(next(key for key in keys if self.has(key)), language, facts)

    def _sentence(self, key: str, language: str, facts: Mapping[str, str]) -> tuple[str, str]:
        """Return the sentence before its facts are filled in, preceded by its language."""
        for own in (language, REFERENCE):
            texts = self._texts.get(own, {})
            if key in texts:
                return own, texts[key]
            if f"{key}.one" in texts:
                return own, _counted(texts, key, facts.get("count", ""), own)
        raise LookupError(key)

    def texts(self, language: str) -> Mapping[str, str]:
        """Return the sentences of a language as written, by key."""
        return self._texts.get(language, {})

    # -- numbers and dates ---------------------------------------------------------------------------------------------

    def amount(self, amount: int | Decimal, language: str) -> str:
        """Return a number with its thousands separated: a fixed space, or a comma in English."""
        return formats.number(amount, language)

    def number(self, number: int | Decimal, language: str) -> str:
        """Format a number that may be a year: `1990`, not `1 990`. Digits are grouped from `10 000`."""
        return f"{number:.0f}" if -10_000 < number < 10_000 and number % 1 == 0 else self.amount(number, language)

    def money(self, amount: int, language: str) -> str:
        """Format an amount as `30 000 FCFA`, without a line break inside."""
        return f"{self.amount(amount, language)}{FIXED_SPACE}FCFA"

    def numeral(self, amount: int, language: str) -> str:
        """Write a whole number in words: `douze mille cinq cents`."""
        return formats.numeral(amount, language)

    def percent(self, value: Decimal, language: str) -> str:
        """Format a percentage as `12,5 %`."""
        return formats.percent(value, language)

    def day(self, day: date, language: str) -> str:
        """Format a day with its weekday: `mardi 1er décembre 2026`."""
        return formats.day(day, language)

    def plain_day(self, day: date, language: str) -> str:
        """Format a day as `1er décembre 2026`, without a line break inside."""
        return formats.day(day, language, weekday=False)

    def short_day(self, day: date, language: str) -> str:
        """Format a day for a text message: `1 déc. 2026`."""
        return formats.short_day(day, language)

    def short_moment(self, instant: datetime, language: str) -> str:
        """Format the local day and hour of an instant for a text message: `1 déc. 2026 à 7h30`."""
        hour = self.clock(instant, language).replace(FIXED_SPACE, "")
        return formats.moment(self.short_day(local(instant).date(), language), hour, language)

    def hour(self, minutes: int, language: str) -> str:
        """Format minutes since midnight as `8 h 15`."""
        hours, rest = divmod(minutes, 60)
        if language in ("en", "ee"):
            return f"{hours:02d}:{rest:02d}"
        return f"{hours}{FIXED_SPACE}h" + (f"{FIXED_SPACE}{rest:02d}" if rest else "")

    def clock(self, instant: datetime, language: str) -> str:
        """Format the local hour of an instant."""
        at = local(instant)
        return self.hour(at.hour * 60 + at.minute, language)

    def moment(self, instant: datetime, language: str) -> str:
        """Format the local day and hour of an instant."""
        return formats.moment(self.day(local(instant).date(), language), self.clock(instant, language), language)

    def yes_no(self, value: bool, language: str) -> str:
        """Return the words of a positive or negative answer."""
        return self.say("answer.positive" if value else "answer.negative", language, {})

    def size(self, octets: int, language: str) -> str:
        """Format a number of bytes as `430 ko` or `1,2 Mo`."""
        return formats.size(octets, language)

    def span(self, count: int, unit: str, working: bool, language: str) -> str:
        """Format a length of time as `20 jours ouvrés`."""
        kind = f"span.{'working_' if working else ''}{unit}"
        return self.say(kind, language, {"count": self.amount(count, language)})

    # -- what is wrong -------------------------------------------------------------------------------------------------

    def problem(self, problem: AnswerProblem, kind: str, label: str, language: str) -> str:
        """Return the sentence beside a field: the definition's own text, else that of the code for this type of
        field.
        """
        if problem.message:
            said = problem.message.in_(language)
            first = "earliest" in problem.facts
            return (
                f"{said} {self.say('problem.any.earliest', language, self.facts(problem.facts, language))}"
                if first
                else said
            )
        code, facts = _reported(problem)
        known = {**self.facts(facts, language), "label": label}
        if code in ("minimum", "maximum", "between"):
            known |= self._bounds(code, kind, known, language)
        if code == "date_incomplete":
            parts = [self.say(f"part.{part}", language, {}) for part in _tuple(facts.get("missing"))]
            known["missing"] = formats.listed(parts, language)
        keys = (
            f"problem.{kind}.{code}", f"problem.any.{code}_{facts.get('why')}", f"problem.any.{code}", "problem.any.other"
        )  # fmt: skip
        return self.first(keys, language, known)

    def _bounds(self, code: str, kind: str, said: Mapping[str, str], language: str) -> dict[str, str]:
        """Return the limits of a number with its unit: `120 cm`, `entre 50 et 250 cm`, `10 000 FCFA`."""
        write = self.amount if kind == "money" else self.number
        bounds = {
            name: write(Decimal(said[name]), language) if _NUMBER.fullmatch(said[name]) else said[name]
            for name in ("minimum", "maximum") if name in said
        }  # fmt: skip
        unit = "FCFA" if kind == "money" else said.get("unit", "")
        last = "maximum" if code == "between" else code
        return {**bounds, last: f"{bounds[last]}{FIXED_SPACE}{unit}"} if unit and last in bounds else bounds

    def refusal(self, code: str, facts: Mapping[str, Fact], language: str) -> str:
        """Return why an act is impossible, as precise as `facts["why"]` allows."""
        keys = (f"refusal.{code}_{facts.get('why')}", f"refusal.{code}", "refusal.other")
        return self.first(keys, language, self.facts(facts, language))

    def facts(self, facts: Mapping[str, Fact], language: str) -> dict[str, str]:
        """Return facts as text: numbers grouped, ISO dates and instants in full, lists joined."""
        return {name: self._fact(value, language) for name, value in facts.items()}

    def _fact(self, value: Fact, language: str) -> str:
        if isinstance(value, int):
            return self.number(value, language)
        if isinstance(value, tuple):
            return ", ".join(self._fact(one, language) for one in value)
        if span := _SPAN.fullmatch(value):
            return self.span(int(span[1]), span[3], bool(span[2]), language)
        try:
            if _DAY.fullmatch(value):
                return self.plain_day(date.fromisoformat(value), language)
            if re.match(r"\d{4}-\d\d-\d\dT", value):
                return self.moment(datetime.fromisoformat(value), language)
        except ValueError:
            pass
        return value


def _reported(problem: AnswerProblem) -> tuple[str, Mapping[str, Fact]]:
    """Return the code and facts that the sentences use, for example the number of excess characters or both bounds."""
    code, facts = problem.code, problem.facts
    if code == "length":
        over, under = facts.get("over"), facts.get("under")
        if over is not None:
            return "too_long", {**facts, "count": over}
        return ("length", facts) if under is None else ("too_short", {**facts, "count": under})
    if code in ("minimum", "maximum") and _DAY.fullmatch(str(facts.get(code))):
        return f"date_{code}", facts
    if code in ("minimum", "maximum") and "minimum" in facts and "maximum" in facts:
        return "between", facts
    if code in ("files_many", "rows_many"):
        return code, {**facts, "count": facts.get("maximum", 1)}
    if code == "rows_few":
        return code, {**facts, "count": facts.get("minimum", 1)}
    return ("other_detail" if code == "other" else code), facts


def _tuple(fact: Fact | None) -> tuple[str, ...]:
    return fact if isinstance(fact, tuple) else ()


def _counted(texts: Mapping[str, str], key: str, count: str, language: str) -> str:
    """Return the plural form for a count. In French zero is singular: the form of one says « 0 » instead of « 1 »."""
    if count == "1":
        return texts[f"{key}.one"]
    if count != "0" or language != "fr":
        return texts[f"{key}.many"]
    one = texts[f"{key}.one"]
    return one if "{count}" in one else _ONE.sub("0", one, count=1) if _ONE.search(one) else texts[f"{key}.many"]


def _flat(tree: object, prefix: str = "") -> dict[str, str]:
    if isinstance(tree, Mapping):
        found: dict[str, str] = {}
        for key, value in tree.items():
            found.update(_flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return found
    return {prefix: str(tree)}


def typographic(text: str, language: str) -> str:
    """Put fixed spaces where a line must not break.

    In French: before `:` `?` and `»`, after `N°`, and between a number and what it counts. A typed apostrophe becomes
    `’`. In English: inside a date.
    """
    if language == "en":
        return _KEPT_DAY.sub(rf"{FIXED_SPACE}\1{FIXED_SPACE}", text)
    if language != REFERENCE:
        return text
    text = _APOSTROPHE.sub("’", text) if "'" in text else text
    return _KEPT_YEAR.sub(FIXED_SPACE, _KEPT.sub(FIXED_SPACE, _GROUPED.sub(NARROW_SPACE, text)))


def whole_number(number: str) -> str:
    """Group the digits of a number that is only read, `26 4829 1137 4`, without a line break inside."""
    return group_number(number).replace(" ", FIXED_SPACE)


def quoted(text: str, language: str) -> str:
    """Return words between the quotation marks of a language."""
    return f"“{text}”" if language == "en" else f"« {text} »"


def first_capital(text: str) -> str:
    """Return the text with its first letter as a capital and the others unchanged."""
    return text[:1].upper() + text[1:]


def in_language(text: Text | None, language: str) -> str:
    """Return a text of the procedure for a page in that language.

    A missing translation is marked with its own language.
    """
    if not text:
        return ""
    own = text.language_for(language)
    words = typographic(text.in_(language), own)
    return words if own == language else LanguageSpan.in_language(words, own)


class _Languages(Mapping[str, Mapping[str, str]]):
    """Sentences by language. Each language is read at its first use, because most processes use one."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._read: dict[str, Mapping[str, str]] = {}

    def __getitem__(self, language: str) -> Mapping[str, str]:
        if language not in SPOKEN:
            raise KeyError(language)
        if language not in self._read:  # two threads may both read it, with the same result
            self._read[language] = _read_language(self._part, language)
        return self._read[language]

    def __iter__(self) -> Iterator[str]:
        return iter(SPOKEN)

    def __len__(self) -> int:
        return len(SPOKEN)


def _read_language(part: str, language: str) -> Mapping[str, str]:
    said: dict[str, str] = {}
    for path in sorted(_FOLDER.glob(f"words{part}.{language}.yaml")):
        for key, sentence in _flat(read_texts(path.read_text(encoding="utf-8"))).items():
            if key in said:
                raise ValueError(f"{path.name} says {key} again")
            said[key] = sentence if key.endswith(".sms") else typographic(sentence, language)
    return said


@lru_cache(maxsize=2)
def load_words(part: str = "*") -> Translations:
    """Return the translations, cached.

    `part` names one group of files (`_commands`). Reading all of them takes longer than checking a definition.
    """
    return Translations(_Languages(part))
