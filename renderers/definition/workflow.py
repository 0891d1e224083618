"""Chapters of the workflow of the definition in sentences: states, rights, timers, messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.core.gsm7 import sms_parts, to_gsm
from engine.language.lint.general_rules import longest_message, longest_value
from engine.model import APPLICANT, APPLICATION, Appointment, Effects, Form, Notice, State, TimeLimit, Transition
from renderers.definition.parts import Clause, MatrixRow, NoticeText, RoleMay, StateText, WayText
from renderers.definition.reader import ProcedureReader
from renderers.html.templates import span_text
from renderers.i18n.translations import quoted

_HOLES = ("dossier", "due", "link", "meeting", "office")


class CircuitReader(ProcedureReader):
    """Reads states, transitions, rights, timers and notices."""

    # -- the circuit ---------------------------------------------------------------------------------------------------

    def state(self, state: State) -> StateText:
        """Return a state: public label, task, due date, automatic transitions and effects."""
        transitions = self.definition.leaving.get(state.id, ())
        exits = [self._lead(transition) for transition in transitions if transition.event is not None]
        if acted := [transition.target for transition in transitions if transition.event is None]:
            exits.insert(0, self.say("acts_to", states=self.state_labels(acted)))
        notes = (
            *self._effects(state.effects), self.say("help", help=self.t(state.help)) if state.help else "",
            *self.rest(state, "states", "label", "mode", "by", "waits", "booked", "correct", "wait", "outcome", "public", "help",
                       "due", "escalate", "remind", "effects"),
        )  # fmt: skip
        return StateText(
            self.t(state.label), self.words.say(f"status.{state.public}", self.language, {}), self._waits(state),
            self.expressions.value(state.due) if state.due else "", tuple(exits), tuple(filter(None, notes)),
            self.basis(state, "states", needs="due" if state.due else ""),
        )  # fmt: skip

    def _waits(self, state: State) -> str:
        outcome = self.say(f"outcome_{state.outcome}") if state.outcome else ""
        until = self.expressions.value(state.wait) if state.wait else ""
        mode = (
            f"{state.mode}_booked" if state.booked else f"{state.mode}_{state.correct}" if state.correct else state.mode
        )
        if state.mode == "by" and state.by == (APPLICANT,):
            mode = "by_applicant"
        if state.mode == "end" and state.by:
            mode = "end_by"
        elif state.mode == "wait":
            mode = "until"
        return self.say(
            f"wait_{mode}", roles=self.roles_text(state.by), tasks=self.names(state.waits), outcome=outcome, until=until
        )

    def _lead(self, transition: Transition) -> str:
        mode = self.definition.state(transition.source).mode
        known = (
            key
            for key in (f"event.{transition.event}_{mode}", f"event.short_{transition.event}")
            if self.words.has(key)
        )
        key = next(known, "")
        what = self.words.say(key, self.language, {}) if key else self.label(transition.event or "")
        said = self.values.say(
            "changes.value", facet=what, value=self.say("to", state=self.state_label(transition.target))
        )
        condition = self.branch(transition)
        notes = " ; ".join(
            filter(
                None,
                (
                    condition,
                    *self._aside(transition),
                    *self._effects(transition.effects),
                    self.basis(transition, "acts"),
                ),
            )
        )
        return f"{said} ({notes})" if notes else said

    def way(self, transition: Transition) -> WayText:
        """Return a transition: the act or the cause, with its condition; who does it; its time limit."""
        event, mode = transition.event, self.definition.state(transition.source).mode
        keys = (f"event.done_{mode}" if event == "done" else "", f"event.short_{event}")
        key = next((one for one in keys if one and self.words.has(one)), "")
        cause = self.words.say(key, self.language, {}) if key else self.label(event or "")
        what, condition = self.t(transition.label) if event is None else cause, self.branch(transition)
        who = self.words.say("desk.system", self.language, {}) if event else ", ".join(map(self.role, transition.by))
        return WayText(f"{what} ({condition})" if condition else what, who, self._limit(transition))

    def _limit(self, transition: Transition) -> str:
        """Return the time limit of an act, or that of its state. Empty without one."""
        if transition.within is not None:
            span = span_text(self.words, transition.within, self.language)
            return self.words.say("audit.within", self.language, {"span": span})
        if (clock := self.definition.clocks.get(transition.event or "")) is not None:
            return self.expressions.value(clock.lasts)
        state = self.definition.state(transition.source)
        theirs = transition.event == "due" or set(transition.by) & set(state.by)
        return self.expressions.value(state.due) if state.due is not None and theirs else ""

    def key(self) -> tuple[str, ...]:
        """Return each transition in one line, in the order of their numbers on the diagram."""
        ways = map(self.way, self.definition.transitions)
        return tuple(" – ".join(filter(None, (way.what, way.who, way.limit))) for way in ways)

    def legend(self) -> Mapping[str, str]:
        """Return what each colour and line of the diagram means."""
        return {kind: self.say(f"graph_{kind}") for kind in ("applicant", "agent", "system", "auto", "tacit")}

    def state_label(self, state: str) -> str:
        """Return the label of a state. Raises KeyError for an unknown one."""
        return self.t(self.definition.state(state).label)

    def state_labels(self, states: Iterable[str]) -> str:
        """Return the labels of states, quoted, in the order of the definition."""
        wanted = frozenset(states)
        return ", ".join(
            quoted(self.t(one.label), self.language) for one in self.definition.states.values() if one.id in wanted
        )

    def _aside(self, transition: Transition) -> Iterator[str]:
        """Yield the tasks that a transition reopens or leaves out."""
        if transition.reopens:
            yield self.say("reopens", tasks=self.names(transition.reopens))
        if transition.without:
            yield self.say("without", tasks=self.names(transition.without))

    def _effects(self, effects: Effects) -> Iterator[str]:
        for key in ("issues", "revokes", "suspends", "restores"):
            names = getattr(effects, key)
            if names:
                yield self.say(f"effect_{key}", outputs=self.names(names))
        for fee, percent in effects.returns.items():
            yield self.say("effect_returns", percent=percent, fee=self.label(fee))
        yield from self.rest(effects, "acts", "issues", "revokes", "suspends", "restores", "returns")

    # -- who may do what -----------------------------------------------------------------------------------------------

    def roles(self) -> tuple[str, ...]:
        """Return all roles that may take an act or do a task, the applicant last."""
        named = dict.fromkeys(
            role for transition in self.definition.transitions for role in transition.by if transition.event is None
        )
        named |= dict.fromkeys(role for _, by, _ in self._tasks() for role in by)
        return (*(role for role in named if role != APPLICANT), *((APPLICANT,) if APPLICANT in named else ()))

    def matrix(self) -> Iterator[MatrixRow]:
        """Yield the rights of each role: first the acts, then the tasks beside them."""
        acts: dict[str, list[Transition]] = {}
        for transition in self.definition.transitions:
            if transition.event is None:
                acts.setdefault(transition.id, []).append(transition)
        for transitions in acts.values():
            sources = dict.fromkeys(transition.source for transition in transitions)
            yield MatrixRow(
                self.t(transitions[0].label), tuple(map(self.state_label, sources)), tuple(self._act_notes(transitions)),
                tuple(self._may(role, transitions) for role in self.roles()), self._laws(transitions),
            )  # fmt: skip

        for title, by, (note, sources) in self._tasks():
            may = tuple(RoleMay(role in by, ()) for role in self.roles())
            yield MatrixRow(title, tuple(map(self.state_label, sources)), (self.say(note),), may, "")

    def _tasks(self) -> Iterator[tuple[str, tuple[str, ...], tuple[str, tuple[str, ...]]]]:
        """Yield the tasks beside the acts (later forms, opinions, appointments): label, roles, note and states."""
        for task in self.definition.tasks.values():
            states = tuple(state.id for state in self.definition.states.values() if task.id in state.waits)
            if not states or task.id == APPLICATION:
                continue
            if isinstance(task, Form) and task.services:
                yield from ((self.t(one.label), one.by, ("task_opinion", states)) for one in task.services)
            elif isinstance(task, (Form, Appointment)) and task.by:
                note = "task_visit" if isinstance(task, Appointment) else "task_form"
                yield self.label(task.id), task.by, (note, states)

    def _may(self, role: str, transitions: list[Transition]) -> RoleMay:
        every = dict.fromkeys(transition.source for transition in transitions)
        theirs = dict.fromkeys(transition.source for transition in transitions if role in transition.by)
        return RoleMay(bool(theirs), tuple(map(self.state_label, theirs)) if len(theirs) < len(every) else ())

    def _laws(self, transitions: list[Transition]) -> str:
        return " ".join(dict.fromkeys(filter(None, (self.basis(transition, "acts") for transition in transitions))))

    def _act_notes(self, transitions: list[Transition]) -> Iterator[str]:
        first = transitions[0]
        reported = dict.fromkeys(self._target(transition) for transition in transitions)
        yield from reported
        yield from (self.say(f"asks_{what}") for what in sorted(first.asks))
        if first.correctable:
            yield self.say("correctable", fields=self.names(first.correctable))
        yield from self.confirmed(first.confirms)
        if first.grounds:
            yield self.say("grounds", laws=", ".join(self.law_title(one) for one in first.grounds))
        if first.fills:
            yield self.say("fills", form=self.label(first.fills))
        if first.other_than:
            yield self.say("other_than", acts=", ".join(self._label_of_act(one) for one in first.other_than))
        if first.same_as:
            yield self.say("same_as", act=self._label_of_act(first.same_as))
        if first.within:
            yield self.say("within", span=self.span(first.within))
        if first.confirm:
            yield self.say("confirm", text=self.t(first.confirm))
        if first.bulk:
            yield self.say("bulk")
        yield from self._effects(first.effects)
        yield from self.rest(first, "acts", "source", "target", "label", "by", "event", "when", "rank", "asks", "correctable",
                             "fills", "reopens", "other_than", "same_as", "without", "within", "confirm", "bulk", "effects",
                             "confirms", "grounds")  # fmt: skip

    def _target(self, transition: Transition) -> str:
        notes = " ; ".join(filter(None, (self.branch(transition), *self._aside(transition))))
        return self.say("to", state=self.state_label(transition.target)) + (f" ({notes})" if notes else "")

    def _label_of_act(self, name: str) -> str:
        transition = next((one for one in self.definition.transitions if one.id == name), None)
        return self.t(transition.label) if transition else self.label(name)

    # -- time ----------------------------------------------------------------------------------------------------------

    def timers(self) -> Iterator[Clause]:
        """Yield what a date triggers: legal time limits, due dates, limits of acts, the end of a draft."""
        for clock in self.definition.clocks.values():
            yield self._clock(clock)
        for state in self.definition.states.values():
            if state.due is not None or state.remind or state.escalate:
                yield self._due(state)
        for transition in self.definition.transitions:
            if transition.within is not None and transition.event is None:
                said = self.say(
                    "within_after", span=self.span(transition.within), state=self.state_label(transition.source)
                )
                yield Clause(self.t(transition.label), (said,), self.basis(transition, "acts", needs="within"))
        yield Clause(self.say("outcome_draft").capitalize(), (self.say("timer_draft"),))

    def _clock(self, clock: TimeLimit) -> Clause:
        over = dict.fromkeys(
            transition.target for transition in self.definition.transitions if transition.event == clock.id
        )
        lines = [
            self.say("clock_lasts", span=self.expressions.value(clock.lasts)),
            self.say("clock_runs", states=self.state_labels(clock.runs_in)),
            self.say("clock_paused", states=self.state_labels(clock.paused_in)) if clock.paused_in else self.say("clock_never"),
            self.say("clock_over", states=self.state_labels(over)) if over else self.say("clock_over_nothing"),
            self.say("clock_without", tasks=self.names(clock.without)) if clock.without else "",
            self.say("clock_end"), *self.rest(clock, "clocks", "label", "lasts", "runs_in", "paused_in", "without"),
        ]  # fmt: skip
        return Clause(self.t(clock.label), tuple(filter(None, lines)), self.basis(clock, "clocks", needs="lasts"))

    def _due(self, state: State) -> Clause:
        late = next(
            (transition for transition in self.definition.leaving.get(state.id, ()) if transition.event == "due"), None
        )
        lines = []
        if state.due is not None:
            lines.append(
                self.say(
                    "due_in" if state.due.type.kind == "span" else "due_on", span=self.expressions.value(state.due)
                )
            )
            lines.append(
                self.say("timer_late_to", state=self.state_label(late.target))
                if late
                else self.say("timer_late_nothing")
            )
        if state.escalate:
            lines.append(self.say("timer_escalate", role=self.role(state.escalate)))
        if state.remind:
            lines.append(self.say("timer_remind", spans=", ".join(self.span(one) for one in state.remind)))
        if state.mode == "attend":
            lines.append(self.say("timer_attend"))
        return Clause(self.t(state.label), tuple(lines), self.basis(state, "states", needs="due" if state.due else ""))

    # -- messages ------------------------------------------------------------------------------------------------------

    def notices(self) -> Iterator[NoticeText]:
        """Yield the messages of the procedure, then the standard ones for states without their own."""
        reported = {one.event for one in self.definition.notices if one.to == APPLICANT and one.before is None}
        for one in self.definition.notices:
            yield from self._notice(one)
        administration: dict[str, list[str]] = {}
        for state in self.definition.states.values():
            if state.id not in reported and self.words.has(f"notice.{state.public}.sms"):
                administration.setdefault(state.public, []).append(self.t(state.label))
        start = self.definition.state(self.definition.start)
        if start.public == "in_review" and start.id not in reported:
            yield self._of_administration("sent", self.say("notice_sent"), self.say("notice_house"))
        for public, states in administration.items():
            key = "notice_house_changed" if public in ("in_review", "accepted") else "notice_house"
            yield self._of_administration(public, ", ".join(states), self.say(key))

    def _of_administration(self, key: str, when: str, channel: str) -> NoticeText:
        text = self.words.say(f"notice.{key}.sms", self.language, {one: f"{{{self.hole(one)}}}" for one in _HOLES})
        measured = self.words.say(
            f"notice.{key}.sms", self.language, {one: longest_value(self.definition, one) for one in _HOLES}
        )
        return NoticeText(when, self.role(APPLICANT), channel, text, self._length(measured))

    def _notice(self, one: Notice) -> Iterator[NoticeText]:
        when = self.event(one.event)
        if one.before is not None:
            when = f"{when}, {self.say('notice_before', span=self.span(one.before))}"
        condition = self.when("when", one.when)
        when = f"{when} ({condition})" if condition else when
        to = self.label(one.to) if one.to in self.definition.fields else self.role(one.to)
        own = self.say("notice_own")
        for channel in ("sms", "email_subject", "email_body", "inbox"):
            template = getattr(one, channel)
            if template is None:
                continue
            name = (
                self.say("notice_subject") if channel == "email_subject" else self._channel(channel.partition("_")[0])
            )
            length = self._length(longest_message(self.definition, template, self.language)) if channel == "sms" else ""
            yield NoticeText(when, to, f"{name} – {own}", self.template(template), length, self.basis(one, "notices"))
        for said in self.rest(
            one, "notices", "event", "to", "before", "when", "sms", "email_subject", "email_body", "inbox"
        ):
            yield NoticeText(when, to, own, said)

    def _channel(self, channel: str) -> str:
        return self.words.say(f"case.channel_{channel}", self.language, {})

    def _length(self, text: str) -> str:
        """Return the number of characters of an SMS, with each placeholder at its longest."""
        parts = sms_parts(to_gsm(text))
        return self.words.say("definition.signs_at_most", self.language, {"count": str(parts.signs)})

    def event(self, event: str) -> str:
        """Return the label of the state or the act that triggers a notice."""
        if event in self.definition.states:
            return self.state_label(event)
        return self._label_of_act(event)
