"""One change in words: name, description, dossiers concerned, repair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from engine.core.gsm7 import sms_parts
from engine.core.problems import Fact, Position
from engine.language.diff.compare import CHAPTERS, Change, Chapter, Snapshot, compare, renamed, severity, unchanged
from engine.language.diff.elements import Element
from engine.language.diff.impact import money_steps, percent
from engine.model import Fee, FeeLine, Procedure, Template
from engine.model.directory import Directory
from engine.model.types import Expression
from renderers.definition.values import ChangeValues, span_of
from renderers.i18n.formats import listed
from renderers.i18n.translations import Translations, quoted, typographic
from renderers.procedure.prices import usual_price
from renderers.reports.new_steps import notes_of_step

MARKS: Final[Mapping[str, str]] = {"added": "+", "changed": "~", "removed": "-"}
LONG: Final = 90  # characters; beyond, before and after have their own lines
_SETS: Final = frozenset({
    "by", "audience", "channels", "languages", "life_events", "how", "accept", "methods", "weekdays", "seen_by", "issues",
    "revokes", "suspends", "restores", "correctable", "asks", "sends", "other_than", "shows", "register", "from", "runs_in",
    "paused_in", "waits", "states",
})  # fmt: skip
_UNFELT: Final = frozenset({  # the values alone are clear
    "wording", "layout", "fewer_readers", "mandatory", "mandatory_if", "optional", "more_copies", "fewer_copies",
})  # fmt: skip
_DEARER: Final = frozenset({"pays_more", "pays_otherwise", "one_more_fee"})  # a person may pay more
_COUNTED: Final = ("answered", "standing", "priced", "booked", "drafts")
_NAMED: Final[Mapping[str, str]] = {
    "pages": "page", "states": "state", "acts": "act", "checks": "check", "law": "law", "lists": "list",
    "definitions": "definition", "notices": "notice", "annotations": "annotation", "sensitive": "sensitive",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change.

    `before` and `after` are empty if the sentence `what` holds both. `tag` is the word for `impact`.
    """

    change: Change
    mark: str
    label: str
    what: str
    before: str
    after: str
    impact: str
    tag: str
    notes: tuple[str, ...]
    repair: str
    accepted: str


@dataclass(frozen=True, slots=True)
class ChapterLines:
    """One chapter of the report with its changes."""

    id: Chapter
    title: str
    lines: tuple[ChangeLine, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two compared editions, the input of all forms of the report."""

    before: Procedure
    after: Procedure
    directory: Directory
    changes: tuple[Change, ...]
    counts: Snapshot | None = None
    day: date | None = None

    @classmethod
    def of(
        cls, before: Procedure, after: Procedure, directory: Directory, counts: Snapshot | None = None,
        day: date | None = None,
    ) -> Comparison:  # fmt: skip
        """Compare two editions. `day` decides whether an accepted break is still in time."""
        return cls(before, after, directory, compare(before, after, counts, day=day), counts, day)

    def placed(self, name: Callable[[str], str]) -> Comparison:
        """Return the comparison with other file names, because those of a temporary folder mean nothing to readers."""

        def moved(where: Position) -> Position:
            return replace(where, file=name(where.file)) if where.file else where

        changes = (replace(one, where_before=moved(one.where_before)) for one in self.changes)
        return replace(self, changes=tuple(changes))

    @property
    def severity(self) -> int:
        """The highest severity of the changes, used as exit code."""
        return severity(self.changes)

    @property
    def identical(self) -> bool:
        """Whether fingerprint and source text are both equal."""
        return self.before.fingerprint == self.after.fingerprint and self.before.source == self.after.source

    def untouched(self) -> tuple[Element, ...]:
        """Return the elements that no change concerns."""
        return unchanged(self.before, self.after, self.changes)

    def renames(self) -> Mapping[str, str]:
        """Return the names that the later edition declares as renamed, old to new."""
        return renamed(self.before, self.after)

    def count(self, impact: str) -> int:
        """Return the number of changes of that impact. Accepted breaks count under `accepted` only."""
        if impact == "accepted":
            return sum(one.accepted is not None for one in self.changes)
        return sum(one.impact == impact and one.accepted is None for one in self.changes)

    def refused(self) -> tuple[Change, ...]:
        """Return the breaks that prevent publication."""
        return tuple(one for one in self.changes if one.weighs == "breaking")


def counted(words: Translations, count: Fact, language: str) -> str:
    """Format a number of dossiers. A number hidden by the snapshot appears as its upper bound."""
    if isinstance(count, int):
        return words.amount(count, language)
    return words.say("changes.fewer", language, {"count": str(count).removeprefix("<")})


class ChangeWriter:
    """Writes the changes of one comparison, in one language."""

    def __init__(self, compared: Comparison, words: Translations, language: str) -> None:
        self.compared, self.words, self.language = compared, words, language
        self.then = ChangeValues(compared.before, compared.directory, words, language)
        self.now = ChangeValues(compared.after, compared.directory, words, language)

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key, with its facts filled in."""
        return self.words.say(key, self.language, {name: str(value) for name, value in facts.items()})

    def chapters(self) -> tuple[ChapterLines, ...]:
        """Return the changes by chapter. Empty chapters are left out."""
        lines = [self.line(change) for change in self.compared.changes]
        found = ((one, tuple(line for line in lines if line.change.chapter == one)) for one in CHAPTERS)
        return tuple(ChapterLines(one, self.say(f"changes.chapter.{one}"), own) for one, own in found if own)

    def line(self, change: Change) -> ChangeLine:
        """Return one change with all its texts. A break has the mark `!`."""
        what, before, after = (typographic(said, self.language) for said in self._what(change))
        return ChangeLine(
            change=change,
            mark="!" if change.impact == "breaking" else MARKS[change.kind],
            label=self.label(change),
            what=what,
            before=before,
            after=after,
            impact=change.weighs,
            tag=self.say(f"changes.impact.{change.impact}"),
            notes=tuple(self._notes(change)),
            repair=self._repair(change),
            accepted=self.say("changes.accepted", because=change.accepted.because) if change.accepted else "",
        )

    # -- what it is called ---------------------------------------------------------------------------------------------

    def label(self, change: Change) -> str:
        """Return the name of the changed element, in the edition that still has it."""
        side = self.then if change.kind == "removed" else self.now
        return self.name(change.path, side.reader.t(change.label), side)

    def element_label(self, element: Element) -> str:
        """Return the name of an element of the later edition."""
        return self.name(element.path, self.now.reader.t(element.label), self.now)

    def name(self, path: tuple[str, ...], label: str, side: ChangeValues) -> str:
        """Return the name of an element by its path: an option with its question, a line with its fee."""
        noun = path[-2] if len(path) > 1 else path[0]
        name = label or path[-1]
        if len(path) == 1 and self.words.has(f"changes.name.{noun}"):
            return self.say(f"changes.name.{noun}")
        if noun == "keep":
            return self.say("changes.name.keep", outcome=self.say(f"changes.word.{path[-1]}"))
        if noun == "rows":
            table = side.reader.table_called(path[1])
            return self.say("changes.name.row", table=table, key=self._key_of_row(path[-1], side))
        if noun == "tables":
            return side.reader.table_called(path[-1])
        if noun == "options" and len(path) > 2:
            return self.say("changes.name.option", question=self._title(path[-3], side), option=name)
        if noun == "lines" and path[-1] != "total":
            return self.say("changes.name.line", fee=self._title(path[1], side), line=name)
        if noun in _NAMED:
            return self.say(f"changes.name.{_NAMED[noun]}", name=name)
        return name

    def _title(self, name: str, side: ChangeValues) -> str:
        code_list, noted = side.reader.definition.lists.get(name), side.reader.definition.annotations.get(name)
        named = code_list.title if code_list else noted.label if noted else None
        return side.reader.t(named) if named else side.reader.label(name)

    def _key_of_row(self, key: str, side: ChangeValues) -> str:
        """Return the key of a table's row, with labels of options in place of codes."""
        labels = {option.code: option.label for one in side.reader.definition.fields.values() for option in one.options}
        return " / ".join(side.reader.t(labels[code]) if code in labels else code for code in key.split(" / "))

    # -- what became of it ---------------------------------------------------------------------------------------------

    def _what(self, change: Change) -> tuple[str, str, str]:
        """Return the sentence, and both values apart if they are long."""
        if change.kind != "changed":
            return self._came_or_went(change), "", ""
        feel = self._feel(change)
        if change.key == "leads_to" or change.path[0] in ("migrate", "accept"):
            return feel or self.say("changes.facet.leads_to"), "", ""
        facet = self.now.facet(change.noun, change.key)
        money = self._money(change)
        if money:
            return self.say("changes.value", facet=feel or facet, value=money), "", ""
        short, before, after = self._values(change)
        if not short:
            return self._felt(facet, feel), before, after
        return self._felt(self.say("changes.value", facet=facet, value=short), feel), "", ""

    def _felt(self, what: str, feel: str) -> str:
        return self.say("changes.felt", what=what, feel=feel) if feel else what

    def _feel(self, change: Change) -> str:
        feel = str(change.facts.get("feel", ""))
        if not feel or feel in _UNFELT:
            return ""
        element = change.after if change.kind == "added" else change.before
        condition = ""
        if isinstance(element, Element):
            side = self.now if change.kind == "added" else self.then
            condition = side.condition(element.facets.get("when"))
        into = str(change.facts.get("into", ""))
        return self.say(f"changes.feel.{feel}", condition=condition, into=self.now.reader.label(into) if into else "")

    def _came_or_went(self, change: Change) -> str:
        added = change.kind == "added"
        feel = self._feel(change)
        element = change.after if added else change.before
        side = self.now if added else self.then
        facts: dict[str, str] = {}
        if isinstance(element, Element):
            facts = {key: side.of(key, element.facets[key]) for key in ("amount", "value") if key in element.facets}
        keys = (f"changes.{change.kind}.{change.noun}", f"changes.{change.kind}.other")
        what = self.words.first(keys, self.language, facts)
        said_by_feel = change.noun in ("questions", "evidence") and feel
        return feel if said_by_feel else self._felt(what, "" if feel == what else feel)

    def _money(self, change: Change) -> str:
        """Return `25 000 → 30 000 FCFA (+ 5 000, + 20 %)` for each amount that changed."""
        if change.key not in ("amount", "value") or (change.noun == "rows" and not self._priced(change)):
            return ""
        if change.noun not in ("lines", "rows"):
            return ""
        per = self.unit(change)
        return " ; ".join(self._step(old, new, per) for old, new in money_steps(change.before, change.after))

    def unit(self, change: Change) -> str:
        """Return the unit of a price, `m²`. Empty for a price of the whole."""
        line = self._line_of(self.compared.after, change)
        return self.now.reader.t(line.per) if line is not None and line.per is not None else ""

    def _line_of(self, procedure: Procedure, change: Change) -> FeeLine | None:
        """Return the fee line that a change concerns, None if there is none."""
        fee = procedure.tasks.get(change.path[1]) if change.noun == "lines" and change.path[0] == "fees" else None
        lines = fee.lines if isinstance(fee, Fee) else ()
        if change.path[-1] == "total" and len(lines) == 1:
            return lines[0]
        return next((one for one in lines if one.id == change.path[-1]), None)

    def _priced(self, change: Change) -> bool:
        return "feel" in change.facts

    def _step(self, old: int, new: int, per: str = "") -> str:
        sign = "+" if new > old else "−"
        by = self.say("changes.by_francs", sign=sign, francs=self.words.amount(abs(new - old), self.language))
        share = percent(old, new)
        shares = [by] if share is None else [by, self.say("changes.percent", sign=sign, percent=abs(share))]
        arrow = self.say(
            "changes.arrow", before=self.words.amount(old, self.language), after=self.words.money(new, self.language)
        )
        if per:  # a rate names its unit
            arrow = self.say("changes.each", amount=arrow, per=per)
        return f"{arrow} ({', '.join(shares)})"

    def _values(self, change: Change) -> tuple[str, str, str]:
        """Return both values in one short text, or an empty text and each value apart."""
        spans = span_of(change.before), span_of(change.after)
        if spans[0] and spans[1] and (spans[0].unit, spans[0].working) == (spans[1].unit, spans[1].working):
            return self.say("changes.arrow", before=spans[0].count, after=self.now.span(spans[1])), "", ""
        if change.key == "order":
            return "", "", ""
        if change.key == "kind":
            words = (self.say(f"changes.word.{one}") for one in (change.before, change.after))
            return self.say("changes.arrow", before=next(words), after=next(words)), "", ""
        if change.key in _SETS and not isinstance(change.before, str):
            moved = self._moved(change)
            if moved:
                return moved, "", ""
        before, after = self.then.of(change.key, change.before), self.now.of(change.key, change.after)
        if len(before) + len(after) > LONG:
            return "", before, after
        return self.say("changes.arrow", before=before, after=after), "", ""

    def _moved(self, change: Change) -> str:
        """Return what a set lost and gained. Empty if one side is empty, because an empty set means all."""
        if not change.before or not change.after:
            return ""
        before, after = self.then.names(change.key, change.before), self.now.names(change.key, change.after)
        moves = self.compared.renames()
        came = {name: said for name, said in after.items() if name not in before and name not in moves.values()}
        gone = {name: said for name, said in before.items() if name not in after and name not in moves}
        parts = [
            self.say(f"changes.{key}", names=", ".join(names.values()))
            for key, names in (("less", gone), ("more", came))
            if names
        ]
        return " ; ".join(parts)

    # -- whom it touches, what to do -----------------------------------------------------------------------------------

    def _notes(self, change: Change) -> Iterator[str]:
        if change.facts.get("feel") in _DEARER:
            yield self._payers(change)
        if change.key == "amount" and change.kind == "changed":
            yield from self._usual(change)
        if change.key == "sms" and isinstance(change.after, Template):
            yield self._length(change.before, change.after)
        yield from notes_of_step(self.compared.after, self.now, change)
        facts = change.facts
        moved = change.code == "R804" and self.compared.before.edition in self.compared.after.migrate
        for name in _COUNTED:
            if facts.get(name):
                key = f"changes.note.{name}_moved" if name == "priced" and moved else f"changes.note.{name}"
                yield self.say(key, count=self._count(facts[name]))
        if moved and change.chapter != "data":
            yield self.say("changes.note.moved")
        if facts.get("used_by"):
            yield self.say("changes.note.used_by", names=self._labels(facts["used_by"]))
        if facts.get("near") and change.code == "R801":
            names = ", ".join(quoted(name, self.language) for name in _names(facts["near"]))
            yield self.say("changes.note.near", at=change.at, names=names)
        if facts.get("too_much"):
            yield self.say("changes.note.too_much", percent=facts["too_much"])
        if facts.get("no_law"):
            yield self.say("changes.note.no_law")

    def _payers(self, change: Change) -> str:
        """Return who pays what changed: the people who owe that fee or line, in the cases where they owe it."""
        fee = self.compared.after.tasks.get(change.path[1]) if change.path[0] == "fees" else None
        line = self._line_of(self.compared.after, change)
        said = [self.now.condition(one.when) for one in (fee, line) if isinstance(one, (Fee, FeeLine))]
        name = quoted(self.label(change), self.language)
        cases = listed(list(dict.fromkeys(filter(None, said))), self.language)
        return self.say("changes.note.payers_if" if cases else "changes.note.payers", name=name, condition=cases)

    def _usual(self, change: Change) -> Iterator[str]:
        """Yield the fee of the form's example before and after, for a line that depends on a number."""
        one, line = self.compared, self._line_of(self.compared.after, change)
        if line is None or one.day is None or (line.times is None and line.for_each is None):
            return
        then, now = (
            usual_price(procedure, change.path[1], one.directory, self.words, self.language, one.day)
            for procedure in (one.before, one.after)
        )
        if then is not None and now is not None and then.answers == now.answers and then.amount != now.amount:
            yield self.say("changes.note.usual", amounts=self._step(then.amount, now.amount))

    def _length(self, before: object, after: Template) -> str:
        """Return `98 → 117 signes, 1 segment`, with variables as written."""
        parts = sms_parts(str(after.text))
        signs = str(parts.signs)
        if isinstance(before, Template):
            signs = self.say("changes.arrow", before=sms_parts(str(before.text)).signs, after=signs)
        return self.say("changes.sms", signs=signs, count=parts.count)

    def _count(self, count: Fact) -> str:
        return counted(self.words, count, self.language)

    def _labels(self, names: Fact) -> str:
        return ", ".join(quoted(self.then.reader.label(name), self.language) for name in _names(names))

    def _repair(self, change: Change) -> str:
        if not change.code or change.accepted:
            return ""
        near = _names(change.facts.get("near", ()))
        kind = change.code
        if change.code == "R801" and (near or change.noun == "states"):
            kind = "R801_near" if near else "R801_state"
        key = f"changes.repair.{kind}"
        facts = {"at": change.at, "near": near[0] if near else "", "name": str(change.facts.get("name", ""))}
        edition = self.compared.after.edition if change.code == "R804" else self.compared.before.edition
        return self.say(key, edition=edition, **facts)


def _names(fact: Fact) -> tuple[str, ...]:
    return fact if isinstance(fact, tuple) else (str(fact),)


def plain(value: object) -> object:
    """Return a value of the model as JSON data: texts by language, expressions and spans as written."""
    match value:
        case None | bool() | int() | str():
            return value
        case Expression():
            return value.text
        case Element():
            return {name: plain(one) for name, one in value.facets.items() if one not in (None, (), "", {})}
        case Mapping():
            return {str(name): plain(one) for name, one in value.items()}
        case frozenset():
            return sorted(str(one) for one in value)
        case tuple() | list():
            return [plain(one) for one in value]
    versions = getattr(value, "versions", None)
    if isinstance(versions, tuple):
        return dict(versions)
    slots: Iterable[str] = getattr(type(value), "__dataclass_fields__", ())
    if type(value).__str__ is object.__str__ and slots:
        return {name: plain(getattr(value, name)) for name in slots if name not in ("where", "id")}
    return str(value)
