"""The usual steps of a request for its public page, from submission to the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from engine.domain.fields.scope import evaluated_before
from engine.domain.workflow.progress import likely_path
from engine.model import Appointment, Fee, Procedure, Task
from engine.model.directory import Directory
from engine.model.types import TRUE, Expression
from renderers.i18n.formats import listed
from renderers.i18n.language_spans import as_text, joined
from renderers.i18n.translations import Translations, in_language

_LOOKED_AT: Final = ("pay", "book", "attend", "by", "look_up", "gather")


class StepWriter:
    """Writes the steps of one procedure on one day, in one language."""

    def __init__(
        self, procedure: Procedure, directory: Directory, words: Translations, language: str, day: date
    ) -> None:
        self.procedure, self.directory, self.words, self.language, self.day = procedure, directory, words, language, day

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key, with its facts filled in."""
        return self.words.say(key, self.language, {name: as_text(value) for name, value in facts.items()})

    def steps(self) -> Iterator[str]:
        """Yield the steps along the likely path of the workflow, without repetition.

        Correction, result and SMS come last, because they have no fixed place.
        """
        yield self.say("sheet.step_form")
        procedure = self.procedure
        scope = evaluated_before(procedure, {}, self.day, self.directory).scope
        before = ""
        for state_id in (procedure.start, *likely_path(procedure, procedure.start, scope)):
            state = procedure.state(state_id)
            said = self._step(state.mode, state.waits, state.public)
            if said and said != before:
                yield said
                before = said
        if any(state.mode == "correct" for state in procedure.states.values()):
            yield self.say("sheet.step_correct")
        results = self._results()
        if results:
            yield self.say("sheet.step_result", what=results)
        yield self.say("sheet.step_sms")

    def _step(self, mode: str, waits: tuple[str, ...], public: str) -> str:
        tasks = [self.procedure.tasks[one] for one in waits if one in self.procedure.tasks]
        if public == "ready":
            return self.say("sheet.step_pickup")
        if mode == "pay":
            by_card = any(isinstance(task, Fee) and "card" in task.methods for task in tasks)
            return self.say(
                "sheet.step_pay_online" if by_card else "sheet.step_pay", what=joined(", ", self._named(tasks))
            )
        visits = [one for one in tasks if isinstance(one, Appointment)]
        if visits:
            here = [in_language(one.label, self.language) for one in visits if one.place == "office"]
            there = [in_language(one.label, self.language) for one in visits if one.place == "applicant"]
            keys = (("sheet.step_visit", here), ("sheet.our_visit", there))
            return joined(" ", (self.say(key, what=joined(", ", names)) for key, names in keys if names))
        return self.say("sheet.step_review") if mode in _LOOKED_AT and public in ("in_review", "sent") else ""

    def _named(self, tasks: Iterable[Task]) -> Iterator[str]:
        for one in tasks:
            name = in_language(one.label, self.language)
            yield self.say("sheet.visit_perhaps", what=name) if self._is_chosen(one.when) else name

    def _results(self) -> str:
        """Return the documents received. Those that depend on answers are joined with « or »."""
        granted = [one for one in self.procedure.outputs.values() if one.grants]
        sure = [in_language(one.title, self.language) for one in granted if not self._is_chosen(one.when)]
        chosen = [in_language(one.title, self.language) for one in granted if self._is_chosen(one.when)]
        if chosen:
            sure.append(self.say("sheet.visit_perhaps", what=listed(chosen, self.language, "or")))
        return joined(", ", sure)

    def _is_chosen(self, when: Expression) -> bool:
        """Return whether the answers of the applicant alone decide the condition."""
        asked = {one.id for one in (*self.procedure.form.fields, *(one.field for one in self.procedure.eligibility))}
        return when != TRUE and when.names <= asked
