"""Chapters of other tasks of the definition in sentences: opinions, later forms, look-ups, links."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model import APPLICATION, Consulted, Form, Link, Page
from engine.model.types import FALSE, TRUE
from renderers.definition.form import FormReader
from renderers.definition.parts import Clause

_OF_TASKS = ("label", "by", "when", "after")
_OF_FORMS = (*_OF_TASKS, "pages", "each", "services", "asked", "quorum", "due", "seen_by", "register", "sends",
             "confirms", "matches")  # fmt: skip
_OF_THE_ENGINE = ("opinion",)  # asked in every round, with sentences of this project


class WaitReader(FormReader):
    """Reads all forms other than the application."""

    # -- opinions ------------------------------------------------------------------------------------------------------

    def opinions(self) -> Iterator[Clause]:
        """Yield the rounds of opinions, with their services and questions."""
        for task in self.definition.forms():
            if task.services:
                yield self._round(task)

    def _round(self, one: Form) -> Clause:
        lines = [
            self.when("asked_when", one.when), self._after(one),
            self.say("round_quorum", value=self.expressions.value(one.quorum)) if one.quorum else self.say("round_all"),
            self.say("round_due", span=self.span(one.due)) if one.due else "",
            self.say("round_closed", roles=self.roles_text(one.seen_by)) if one.seen_by else "",
            self.say("round_answers") if one.asked else "", *self.rest(one, "opinions", *_OF_FORMS),
        ]  # fmt: skip
        parts = [self._service(service) for service in one.services]
        parts += [
            self.question(asked)
            for page in (one.asked,)
            if page
            for asked in page.fields
            if asked.id not in _OF_THE_ENGINE
        ]
        parts += [self.rule(check) for page in (one.asked,) if page for check in page.checks]
        return Clause(self.t(one.label), tuple(filter(None, lines)), self.basis(one, "opinions"), parts=tuple(parts))

    def _service(self, one: Consulted) -> Clause:
        lines = (
            self.say("done_by", roles=self.roles_text(one.by)), self.when("asked_when", one.when),
            self.say("service_due", span=self.span(one.due)) if one.due else "",
            self.say(f"silence_{one.silence}"),
            self.say("service_weight", count=one.weight) if one.weight != 1 else "",
            *self.rest(one, "services", "label", "by", "when", "due", "silence", "weight"),
        )  # fmt: skip
        return Clause(self.t(one.label), tuple(filter(None, lines)), self.basis(one, "services"))

    # -- forms filled later --------------------------------------------------------------------------------------------

    def later(self) -> Iterator[Clause]:
        """Yield the forms filled in after submission, by the applicant or a service, with their questions and rules."""
        for task in self.definition.forms():
            if not task.services and task.register is None and not isinstance(task, Link):
                yield self._later(task)

    def _later(self, one: Form) -> Clause:
        acts = dict.fromkeys(
            self.t(transition.label) for transition in self.definition.transitions if transition.fills == one.id
        )
        lines = [
            self.say("later_by", acts=", ".join(acts)) if acts else "",
            self.say("done_by", roles=self.roles_text(one.by)) if one.by else "",
            self.when("asked_when", one.when), self._after(one), self._each(one),
            self.say("form_due", span=self.span(one.due)) if one.due else "", *self.confirmed(one.confirms),
            *self._helps(one.pages),
            *self.rest(one, "later_forms", *_OF_FORMS),
        ]  # fmt: skip
        questions = tuple(self.question(asked) for asked in one.fields)
        rules = tuple(self.rule(check) for page in one.pages for check in page.checks)
        return Clause(
            self.t(one.label), tuple(filter(None, lines)), self.basis(one, "later_forms"), parts=(*questions, *rules)
        )

    def _helps(self, pages: tuple[Page, ...]) -> Iterator[str]:
        for page in pages:
            yield self.help(page.help)

    def _after(self, one: Form) -> str:
        return self.say("after", tasks=self.names(one.after)) if one.after else ""

    def _each(self, one: Form) -> str:
        return self.say("form_each", rows=self.label(one.each)) if one.each else ""

    def application(self) -> str:
        """Return the label of the application and the roles that fill it in."""
        form = self.definition.tasks.get(APPLICATION, self.definition.form)
        return f"{self.t(form.label)} ({self.roles_text(form.by)})"

    # -- registers -----------------------------------------------------------------------------------------------------

    def look_ups(self) -> Iterator[Clause]:
        """Yield the look-ups: register, answers sent, answers received and time limit."""
        for task in self.definition.forms():
            if task.register is None:
                continue
            register = self.directory.registers.get(task.register)
            answers = ", ".join(self.t(one.label) for one in task.fields)
            lines = [
                self.say("look_up", register=self.t(register.label) if register else spelled_name(task.register)),
                self.when("asked_when", task.when), self._after(task), self._each(task),
                self.say("look_up_sends", fields=", ".join(self.label(name) for name in task.sends)),
                self.say("look_up_answers", answers=answers) if answers else "",
                self._matches(task), self.say("look_up_due", span=self.span(task.due)) if task.due else "",
                *self.rest(task, "look_ups", *_OF_FORMS),
            ]  # fmt: skip
            yield Clause(self.t(task.label), tuple(filter(None, lines)), self.basis(task, "look_ups"))

    def _matches(self, task: Form) -> str:
        """Return which answers the register confirms, each with the answer of the register that must be equal."""
        pairs = (f"{self.label(mine)} = {self.label(theirs)}" for mine, theirs in task.matches.items())
        return self.say("look_up_matches", fields=", ".join(pairs)) if task.matches else ""

    # -- earlier dossiers ----------------------------------------------------------------------------------------------

    def links(self) -> Iterator[Clause]:
        """Yield the links to earlier dossiers, with their relation and the answers copied."""
        for one in self.definition.links():
            lines = [
                self.say("link_to", procedure=self.title_of(one.procedure)), self.say(f"relation_{one.relation}"),
                self.when("asked_when", one.when), self._link_required(one), self._after(one),
                self.say("link_row", rows=self._theirs(one.row)) if one.row else "",
                *self._copied(one), *self.rest(one, "links", *_OF_FORMS, "relation", "procedure", "required", "copies", "row"),
            ]  # fmt: skip
            yield Clause(self.t(one.label), tuple(filter(None, lines)), self.basis(one, "links"))

    def _link_required(self, one: Link) -> str:
        if one.required in (TRUE, FALSE):
            return self.say("link_required" if one.required == TRUE else "link_optional")
        return self.when("required_when", one.required)

    def _copied(self, one: Link) -> Iterator[str]:
        for mine, theirs in one.copies.items():
            output, _, part = theirs.partition(".")
            if part in ("number", "issued", "until"):
                yield self.say(f"link_copies_{part}", mine=self.label(mine), document=self._theirs(output))
            else:
                yield self.say("link_copies", mine=self.label(mine), theirs=self._theirs(theirs))

    def _theirs(self, name: str) -> str:
        """Return an element of the earlier procedure, by our label if both use the same name."""
        said = self.label(name)
        return said if said != name else spelled_name(name)


def spelled_name(name: str) -> str:
    """Return a name of the file as words, where no label is known."""
    return name.replace("_", " ").replace(".", ", ")
