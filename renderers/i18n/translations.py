"""The words of the house, by language and key: interface, statuses, notices, refusals; plurals, dates, money.

`words*.<language>.yaml` hold the sentences, each file a part of the house. A key with the children `one` and `many` is
a plural chosen by its fact `count`. What is missing in a language is said in French, the reference, and marked so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from engine.core.clock import local
from engine.core.problems import Fact
from engine.core.values import Text, group_number
from engine.domain.fields.views import AnswerProblem
from engine.language.source.loader import read_texts
from renderers.i18n.language_spans import LanguageSpan, html_of

REFERENCE: Final = "fr"
OFFERED: Final = ("fr", "en")
SAMPLES: Final = ("ee",)  # a few sentences, not read again yet by people who speak the language
SPOKEN: Final = OFFERED + SAMPLES
FIXED_SPACE: Final = "\u00a0"
_HOLE: Final = re.compile(r"\{([a-z_]+)\}")
_MONTHS: Final = r"\b(janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)"
_KEPT: Final = re.compile(
    r" (?=[:;?!»%])|(?<=«) |(?<=[nN]°) (?=\S)|(?<=\bart\.) (?=\d)|(?<=\d) (?=\d|h\b|min\b|kVA\b|[cmk]?m\b|m²|[KM]o\b)|(?<=\d h) (?=\d)"
    r"|(?<=[\d}]) (?=F\b|FCFA\b)"
    rf"|(?:(?<=\d)|(?<=\b1er)) (?={_MONTHS}\b)"
)
_KEPT_YEAR: Final = re.compile(rf"{_MONTHS} (?=\d{{4}}\b)")
_KEPT_DAY: Final = re.compile(  # in English the names of months alone are words too
    r"(?<=\d) (January|February|March|April|May|June|July|August|September|October|November|December) (?=\d{4}\b)"
)
_SPAN: Final = re.compile(r"(\d+) (working )?(minute|hour|day|week|month|year)s?")
_ONE: Final = re.compile(r"\b1\b")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_FOLDER: Final = Path(__file__).parent / "catalogues"


class Translations:
    """Implements `engine.domain.common.text_provider.Wording`, and says everything else a page shows."""

    def __init__(self, texts: Mapping[str, Mapping[str, str]]) -> None:
        self._texts = texts

    # -- sentences -----------------------------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        reference = self._texts[REFERENCE]
        return key in reference or f"{key}.one" in reference

    def say(self, key: str, language: str, facts: Mapping[str, str]) -> str:
        """The sentence of a key with its facts filled in. Raises LookupError on an unknown key."""
        own, sentence = self._sentence(key, language, facts)
        text = _HOLE.sub(lambda hole: str(facts.get(hole[1], "")), sentence)
        if own == language and not any(isinstance(fact, LanguageSpan) for fact in facts.values()):
            return text
        parts = _HOLE.split(sentence)  # what stands between the holes, then the name of a hole, in turn
        html = "".join(html_of(facts.get(part, "") if at % 2 else part) for at, part in enumerate(parts))
        return LanguageSpan.made_of(text, html if own == language else f'<span lang="{own}">{html}</span>')

    def first(self, keys: Iterable[str], language: str, facts: Mapping[str, str]) -> str:
        """The sentence of the first key that exists: from the most precise to the plainest."""
        return self.say(next(key for key in keys if self.has(key)), language, facts)

    def _sentence(self, key: str, language: str, facts: Mapping[str, str]) -> tuple[str, str]:
        """The sentence before its facts, and the language it is in."""
        for own in (language, REFERENCE):
            texts = self._texts.get(own, {})
            if key in texts:
                return own, texts[key]
            if f"{key}.one" in texts:
                return own, _counted(texts, key, facts.get("count", ""), own)
        raise LookupError(key)

    def every_key(self, language: str = REFERENCE) -> frozenset[str]:
        return frozenset(self._texts.get(language, {}))

    def texts(self, language: str) -> Mapping[str, str]:
        """The sentences of a language as written, by key."""
        return self._texts.get(language, {})

    # -- numbers and dates ---------------------------------------------------------------------------------------------

    def amount(self, amount: int, language: str) -> str:
        return f"{amount:,}".replace(",", "," if language == "en" else FIXED_SPACE)

    def number(self, number: int, language: str) -> str:
        """A number that may be a year: `1990`, not `1 990`; grouped from `10 000` on."""
        return self.amount(number, language) if abs(number) >= 10_000 else str(number)

    def money(self, amount: int, language: str) -> str:
        """`30 000 FCFA`, never cut over two lines."""
        return f"{self.amount(amount, language)}{FIXED_SPACE}FCFA"

    def day(self, day: date, language: str) -> str:
        return f"{self._name('weekday', day.weekday(), language)} {self.plain_day(day, language)}"

    def plain_day(self, day: date, language: str) -> str:
        """`1er décembre 2026`, never cut over two lines."""
        number = "1er" if day.day == 1 and language == "fr" else str(day.day)
        return FIXED_SPACE.join((number, self._name("month", day.month - 1, language), str(day.year)))

    def short_day(self, day: date, language: str) -> str:
        return f"{day:%d/%m/%Y}"

    def hour(self, minutes: int, language: str) -> str:
        """`8 h 15` from minutes since midnight."""
        hours, rest = divmod(minutes, 60)
        if language == "en":
            return f"{hours:02d}:{rest:02d}"
        return f"{hours}{FIXED_SPACE}h" + (f"{FIXED_SPACE}{rest:02d}" if rest else "")

    def clock(self, instant: datetime, language: str) -> str:
        """The hour of an instant on local clocks."""
        at = local(instant)
        return self.hour(at.hour * 60 + at.minute, language)

    def moment(self, instant: datetime, language: str) -> str:
        join = " at " if language == "en" else " à "
        return self.day(local(instant).date(), language) + join + self.clock(instant, language)

    def yes_no(self, value: bool, language: str) -> str:
        return self.say("answer.positive" if value else "answer.negative", language, {})

    def size(self, octets: int, language: str) -> str:
        """`430 Ko`, `1,2 Mo`."""
        small, big = ("KB", "MB") if language == "en" else ("Ko", "Mo")
        if octets < 1_000_000:
            return f"{max(1, round(octets / 1000))}{FIXED_SPACE}{small}"
        text = f"{octets / 1_000_000:.1f}".removesuffix(".0")
        return f"{text if language == 'en' else text.replace('.', ',')}{FIXED_SPACE}{big}"

    def span(self, count: int, unit: str, working: bool, language: str) -> str:
        """`20 jours ouvrés`."""
        kind = f"span.{'working_' if working else ''}{unit}"
        return self.say(kind, language, {"count": self.amount(count, language)})

    def _name(self, kind: str, index: int, language: str) -> str:
        return self.say(f"{kind}.n{index}", language, {})

    # -- what is wrong -------------------------------------------------------------------------------------------------

    def problem(self, problem: AnswerProblem, kind: str, label: str, language: str) -> str:
        """The sentence beside a field: the definition's own words, else that of its code for this kind of field."""
        if problem.message:
            return problem.message.in_(language)
        code, facts = _reported(problem)
        said = {**self.facts(facts, language), "label": label}
        if code in ("minimum", "maximum", "between"):
            said |= self._bounds(code, kind, said, language)
        if code == "date_incomplete":
            parts = [self.say(f"part.{part}", language, {}) for part in _tuple(facts.get("missing"))]
            said["missing"] = self.say("part.joined", language, {}).join(parts)
        keys = (
            f"problem.{kind}.{code}", f"problem.any.{code}_{facts.get('why')}", f"problem.any.{code}", "problem.any.other"
        )  # fmt: skip
        return self.first(keys, language, said)

    def _bounds(self, code: str, kind: str, said: Mapping[str, str], language: str) -> dict[str, str]:
        """The limits of a number with its unit: `120 cm`, `entre 50 et 250 cm`, `10 000 FCFA`."""
        bounds = {name: said[name] for name in ("minimum", "maximum") if name in said}
        if kind == "money":
            bounds = {
                name: self.amount(int(text), language) if text.isdecimal() else text for name, text in bounds.items()
            }
        unit = "FCFA" if kind == "money" else said.get("unit", "")
        last = "maximum" if code == "between" else code
        return {**bounds, last: f"{bounds[last]}{FIXED_SPACE}{unit}"} if unit and last in bounds else bounds

    def refusal(self, code: str, facts: Mapping[str, Fact], language: str) -> str:
        """The sentence of a closed act."""
        keys = (f"refusal.{code}_{facts.get('why')}", f"refusal.{code}", "refusal.other")
        return self.first(keys, language, self.facts(facts, language))

    def facts(self, facts: Mapping[str, Fact], language: str) -> dict[str, str]:
        """Facts as a sentence holds them: numbers grouped, ISO dates and instants in full, lists joined."""
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
    """The code and facts as the sentences want them: how many signs too many, between which bounds."""
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
    """The sentence for so many. In French zero is singular too: the sentence of one says « 0 » where it says « 1 »."""
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
    """French signs keep to their word, and numbers stay whole with what they count: no line begins with « : », « ? », a closing
    quote, the minutes of an hour, the month or the year of a day, « F »; none ends with « N° ». In English a day stays whole too."""
    if language == "en":
        return _KEPT_DAY.sub(rf"{FIXED_SPACE}\1{FIXED_SPACE}", text)
    return _KEPT_YEAR.sub(rf"\1{FIXED_SPACE}", _KEPT.sub(FIXED_SPACE, text)) if language == REFERENCE else text


def whole_number(number: str) -> str:
    """`26 4829 1137 4` on one line, where it is read and not typed again."""
    return group_number(number).replace(" ", FIXED_SPACE)


def quoted(text: str, language: str) -> str:
    """Words between the quotation marks of a language."""
    return f"“{text}”" if language == "en" else f"« {text} »"


def first_capital(text: str) -> str:
    """The text with a capital at its head, the others as they are."""
    return text[:1].upper() + text[1:]


def in_language(text: Text | None, language: str) -> str:
    """A text of the book as a page in that language holds it: what it lacks stays in its own language, and says so."""
    if not text:
        return ""
    own = text.language_for(language)
    words = typographic(text.in_(language), own)
    return words if own == language else LanguageSpan.in_language(words, own)


class _Languages(Mapping[str, Mapping[str, str]]):
    """The sentences by language, each language read when it is first spoken: most processes speak one."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._read: dict[str, Mapping[str, str]] = {}

    def __getitem__(self, language: str) -> Mapping[str, str]:
        if language not in SPOKEN:
            raise KeyError(language)
        if language not in self._read:  # two threads may both read it: they read the same
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
    """The words of the house; or one part of them alone (`_commands`), for whoever says nothing else: reading all of
    them takes longer than checking a file."""
    return Translations(_Languages(part))
