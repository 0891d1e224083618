"""The usual steps of a request for its public page, from submission to the document, and what may also happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

from engine.core.values import Span
from engine.domain.fields.scope import evaluated_before
from engine.domain.workflow.progress import Detour, detours, likely_path
from engine.model import Appointment, Fee, Form, Output, Procedure, State, Transition
from engine.model.directory import Directory
from engine.model.types import TRUE, Constant, Expression
from renderers.definition.expressions import condition_text
from renderers.html.templates import span_text
from renderers.i18n.formats import listed
from renderers.i18n.language_spans import as_text, joined
from renderers.i18n.translations import Translations, in_language
from renderers.procedure.papers import SheetPaper

_MOST_WORDS: Final = 6  # of what a step adds to its verb
_LOOKED_AT: Final = ("pay", "book", "attend", "by", "look_up", "gather")


def usual_path(procedure: Procedure, directory: Directory, day: date) -> tuple[str, ...]:
    """Return the states of a request of which no answer is known, from the first to a granted end."""
    scope = evaluated_before(procedure, {}, day, directory).scope
    return (procedure.start, *likely_path(procedure, procedure.start, scope))


@dataclass(frozen=True, slots=True)
class SheetStep:
    """One step of the likely path: its icon (`fill check pay come get`), who does what, and a few words more.

    `lines` say for whom each document is that depends on answers.
    """

    icon: str
    verb: str
    detail: str = ""
    lines: tuple[str, ...] = ()


class StepWriter:
    """Writes what a request goes through, in one language. A path is a series of states."""

    def __init__(self, procedure: Procedure, words: Translations, language: str) -> None:
        self.procedure, self.words, self.language = procedure, words, language

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key, with its facts filled in."""
        return self.words.say(key, self.language, {name: as_text(value) for name, value in facts.items()})

    # -- the usual path ------------------------------------------------------------------------------------------------

    def steps(self, path: tuple[str, ...]) -> tuple[SheetStep, ...]:
        """Return the steps along a path, at most one of each kind: the first, of documents all in the last."""
        states = [self.procedure.state(one) for one in path]
        found = {"fill": SheetStep("fill", self.say("sheet.step_fill"), self.say("sheet.step_form"))}
        for state in states:
            for step in self._steps_of(state):
                found.setdefault(step.icon, step)
        pairs = list(pairwise([self.procedure.state(path[0]), *states])) if path else []
        given = list(dict.fromkeys(title for before, state in pairs for title in self._results(before.id, state)))
        outputs = [one for before, state in pairs for one in self._granted(before.id, state)]
        lines = tuple(dict.fromkeys(filter(None, map(self._for_whom, outputs))))
        fetched = any(state.public == "ready" and not state.is_end for state in states)
        if given or fetched:
            verb = self.say("sheet.step_fetch" if fetched else "sheet.step_get")
            if given:
                verb = self.say("text.named", name=verb, text="").strip()
            if given and len(" ".join(given).split()) <= _MOST_WORDS:
                found["get"] = SheetStep("get", verb, listed(given, self.language), lines)
            else:
                found["get"] = SheetStep(
                    "get", verb, "" if given else self.say("sheet.step_document"), lines or tuple(given)
                )
        return tuple(found.values())

    def forms(self, path: tuple[str, ...]) -> tuple[SheetPaper, ...]:
        """Return the forms that a request gives along a path, for the applicant to bring."""
        issued = dict.fromkeys(output for one in path for output in self.procedure.state(one).effects.issues)
        titles = (self.procedure.outputs[one].title for one in issued if self.procedure.outputs[one].kind == "form")
        return tuple(SheetPaper(in_language(one, self.language), self.say("sheet.how_form")) for one in titles)

    def _steps_of(self, state: State) -> Iterator[SheetStep]:
        tasks = [self.procedure.tasks[one] for one in state.waits if one in self.procedure.tasks]
        fees = [one for one in tasks if isinstance(one, Fee)]
        if fees:
            by_card = any("card" in one.methods for one in fees)
            span, way = constant_span(state.due), "online" if by_card else "phone"
            within = (self.say("sheet.within", span=self._said(span)),) if span and state.mode == "pay" else ()
            yield SheetStep("pay", self.say("sheet.step_pay"), self.say(f"sheet.step_{way}"), within)
        places = [one.place for one in tasks if isinstance(one, Appointment)]
        if places:
            here = "office" in places
            yield SheetStep("come", self.say(f"sheet.step_{'come' if here else 'visit'}"), self._visit(here))
        opinions = any(isinstance(one, Form) and one.services for one in tasks)
        if opinions or (not fees and not places and state.mode in _LOOKED_AT and state.public in ("in_review", "sent")):
            span = constant_span(state.due)
            law = self.procedure.laws.get(state.law_of("due") or "")
            sure = span is not None and law is not None and law.is_certain
            detail = self._said(span) if sure and span else self.say("sheet.step_opinions") if opinions else ""
            yield SheetStep("check", self.say("sheet.step_check"), detail)

    def _visit(self, here: bool) -> str:
        """Return what a visit is for: with the originals, or only where it is."""
        terms = (one.evidence for one in self.procedure.form.fields if one.evidence is not None)
        originals = here and any("show_original" in one.how for one in terms)
        return self.say("sheet.step_originals" if originals else "sheet.step_office" if here else "sheet.step_there")

    def _results(self, source: str, state: State) -> list[str]:
        """Return the titles of the documents that the entry of a state gives."""
        granted = self._granted(source, state)
        sure = [self._received(one) for one in granted if one.when == TRUE]
        chosen = [self._received(one) for one in granted if one.when != TRUE]
        return [*sure, *([listed(chosen, self.language, "or")] if chosen else [])]

    def _granted(self, source: str, state: State) -> list[Output]:
        """Return the documents that the entry of a state gives."""
        taken = (one.effects for one in self.procedure.leaving.get(source, ()) if one.target == state.id)
        issued = dict.fromkeys(name for effects in (*taken, state.effects) for name in effects.issues)
        outputs = [self.procedure.outputs[one] for one in issued]
        return [one for one in outputs if one.grants or (state.outcome == "granted" and one.kind == "receipt")]

    def _for_whom(self, output: Output) -> str:
        """Return for whom a document is, empty if the file does not say it."""
        said = condition_text(output.when, self.words, self.language) if output.when != TRUE else ""
        return self.say("text.named", name=said, text=self._received(output)) if said else ""

    def _received(self, output: Output) -> str:
        """Return the title of a document. The slip of a card is not what the applicant asked for: the card is."""
        title = self.procedure.identity.title if output.kind == "card" else output.title
        return in_language(title, self.language)

    # -- what may also happen ------------------------------------------------------------------------------------------

    def exceptions(
        self, path: tuple[str, ...], state: str = "", possible: Callable[[Transition], bool] = bool
    ) -> Iterator[str]:
        """Yield what may happen beside a path: corrections, further steps, silence, refusal, withdrawal.

        Of a request that is in a `state`, only what may happen in that state, and what silence means in later ones.
        Transitions that are not `possible` are left out.
        """
        found: dict[str, list[Detour]] = {}
        for one in detours(self.procedure, path, possible):
            if state and one.transition.source != state and one.transition.event not in self.procedure.clocks:
                continue
            key = "missed" if one.transition.event == "missed" and one.kind == "lapse" else one.kind
            found.setdefault(key, []).append(one)
        for key in _ORDER:
            if key == "lapse":
                yield from dict.fromkeys(map(self._lapse, found.get(key, ())))
            elif key in found:
                yield self._exception(key, found[key], state, found.get("further", []))

    def _lapse(self, detour: Detour) -> str:
        """Return how a request ends if the applicant does nothing in a state: what was to be done, and in which time."""
        state = self.procedure.state(detour.transition.source)
        mode = (
            state.public if state.public in ("ready", "accepted") else state.mode if state.mode in _OMITTED else "other"
        )
        visits = map(self.procedure.tasks.get, state.waits)
        if any(isinstance(one, Appointment) and one.place == "applicant" for one in visits):
            mode = "visit"
        span = constant_span(state.due)
        within = self.say("sheet.may.span", span=self._said(span)) if span else ""
        return self.say(f"sheet.may.lapse_{mode}", within=within, what=self._state(state.id))

    def _exception(self, key: str, found: list[Detour], state: str, further: list[Detour]) -> str:
        place = (one.transition.source if key in _FROM else one.transition.target for one in found)
        names = dict.fromkeys(map(self._state, place))
        facts = {"what": joined(", ", names), "span": self._span(key, found, state), "count": str(len(names))}
        if key == "missed":
            facts["count"] = str(self._absences(found))
        if key.startswith("tacit"):  # the same silence may lead to another step first
            ends = {(one.transition.source, one.transition.event) for one in found}
            first = (one.transition for one in further if (one.transition.source, one.transition.event) in ends)
            names = dict.fromkeys(self._state(one.target) for one in first)
            facts["before"] = self.say("sheet.may.before", what=joined(", ", names)) if names else ""
        return self.say(f"sheet.may.{key}", **facts)

    def _absences(self, found: list[Detour]) -> int:
        """Return the number of missed appointments that ends a request, the lowest of its appointments."""
        waits = (task for one in found for task in self.procedure.state(one.transition.source).waits)
        visits = [task for task in map(self.procedure.tasks.get, waits) if isinstance(task, Appointment)]
        return 1 + min((one.no_show for one in visits), default=0)

    def _state(self, state_id: str) -> str:
        return in_language(self.procedure.state(state_id).label, self.language)

    def _span(self, key: str, found: list[Detour], state: str) -> str:
        """Return the length of time of what happens, empty if it depends on answers.

        That of silence names the step it begins with, unless it is the present one: there it may run already.
        """
        lengths = dict.fromkeys(self._length_of(key, one) for one in found)
        spans = [self._said(one) for one in lengths if one]
        if not spans or len(spans) < len(lengths):
            return ""
        first = found[0].transition.source
        word = "spans" if len(spans) > 1 else "span_since" if key.startswith("tacit") and first != state else "span"
        return self.say(f"sheet.may.{word}", span=listed(spans, self.language, "or"), step=self._state(first))

    def _length_of(self, key: str, detour: Detour) -> Span | None:
        transition = detour.transition
        if key == "appeal":
            return transition.within
        clock = self.procedure.clocks.get(transition.event or "")
        if clock is not None:
            return constant_span(clock.lasts)
        return constant_span(self.procedure.state(transition.target if key == "correction" else transition.source).due)

    def _said(self, span: Span) -> str:
        return span_text(self.words, span, self.language)


_ORDER: Final = (
    "correction", "further", "again", "tacit_granted", "tacit_refused", "tacit_kept", "refusal", "appeal", "ended", "lapse", "missed",
    "withdrawal",
)  # fmt: skip
_OMITTED: Final = frozenset({"pay", "correct", "attend"})  # what an applicant may fail to do, by mode
_FROM: Final = frozenset({"missed", "withdrawal"})  # named in the state in which they happen


def constant_span(expression: Expression | None) -> Span | None:
    """Return the length of time of a constant expression, None for any other."""
    node = expression.node if expression else None
    value = node.value if isinstance(node, Constant) else None
    return value if isinstance(value, Span) else None
