"""The definition in words, the circuit: steps, who may do what, what falls due, what is said on the way."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.model import (
    APPLICANT,
    Effects,
    Notice,
    State,
    Transition,
)
from engine.sms import sms_parts, to_gsm
from renderers.definition_parts import MatrixRow, NoticeText, Reader, StateText


class CircuitReader(Reader):
    """Reads where a dossier stands, who moves it, and the messages of each step."""

    # -- the circuit ---------------------------------------------------------------------------------------------------

    def state(self, state: State) -> StateText:
        leads = [self._lead(way) for way in self.book.leaving.get(state.id, ()) if way.event is not None]
        return StateText(
            self.t(state.label), self.words.say(f"status.{state.public}", self.language, {}), self._waits(state),
            self.expressions.value(state.due) if state.due else "", (*leads, *self._effects(state.effects)),
            self.basis(state, "due"),
        )  # fmt: skip

    def _waits(self, state: State) -> str:
        tasks = ", ".join(self.label(one) for one in state.waits)
        outcome = self.say(f"outcome_{state.outcome}") if state.outcome else ""
        return self.say(f"wait_{state.mode}", roles=self.roles_text(state.by), tasks=tasks, outcome=outcome)

    def _lead(self, way: Transition) -> str:
        mode = self.book.state(way.source).mode
        known = (key for key in (f"event.{way.event}_{mode}", f"event.short_{way.event}") if self.words.has(key))
        key = next(known, "")
        what = self.words.say(key, self.language, {}) if key else self.label(way.event or "")
        said = f"{what} : {self.say('to', state=self._state_label(way.target))}"
        condition = self.when("when", way.when)
        return f"{said} ({condition})" if condition else said

    def _state_label(self, state: str) -> str:
        return self.t(self.book.state(state).label)

    def _effects(self, effects: Effects) -> Iterator[str]:
        for key in ("issues", "revokes", "suspends", "restores"):
            names = getattr(effects, key)
            if names:
                yield self.say(f"effect_{key}", outputs=", ".join(self.label(name) for name in names))
        for fee, percent in effects.returns.items():
            yield self.say("effect_returns", percent=percent, fee=self.label(fee))

    def roles(self) -> tuple[str, ...]:
        """Every role that may take an act, the applicant last."""
        named = dict.fromkeys(role for way in self.book.transitions for role in way.by if way.event is None)
        return (*(role for role in named if role != APPLICANT), *((APPLICANT,) if APPLICANT in named else ()))

    def matrix(self) -> Iterator[MatrixRow]:
        acts: dict[str, list[Transition]] = {}
        for way in self.book.transitions:
            if way.event is None:
                acts.setdefault(way.id, []).append(way)
        for ways in acts.values():
            first = ways[0]
            by = {role for way in ways for role in way.by}
            yield MatrixRow(
                self.t(first.label), tuple(self._act_notes(ways)), tuple(role in by for role in self.roles())
            )

    def _act_notes(self, ways: list[Transition]) -> Iterator[str]:
        first = ways[0]
        sources = dict.fromkeys(self._state_label(way.source) for way in ways)
        yield ", ".join(self.say("from", state=state) for state in sources)
        for target in dict.fromkeys(way.target for way in ways):
            way = next(one for one in ways if one.target == target)
            condition = self.when("when", way.when)
            yield self.say("to", state=self._state_label(target)) + (f" ({condition})" if condition else "")
        yield from (self.say(f"asks_{what}") for what in sorted(first.asks))
        if first.other_than:
            yield self.say("other_than", acts=", ".join(self._label_of_act(one) for one in first.other_than))
        if first.same_as:
            yield self.say("same_as", act=self._label_of_act(first.same_as))
        if first.within:
            yield self.say("within", span=self.span(first.within))
        yield from self._effects(first.effects)
        if law := self.basis(first):
            yield law

    def _label_of_act(self, name: str) -> str:
        way = next((one for one in self.book.transitions if one.id == name), None)
        return self.t(way.label) if way else self.label(name)

    def timers(self) -> Iterator[str]:
        for state in self.book.states.values():
            if state.due is not None:
                yield self._due(state)
            if state.remind:
                yield self.say("timer_remind", spans=", ".join(self.span(one) for one in state.remind))
        for way in self.book.transitions:
            if way.within is not None and way.event is None:
                yield self.say(
                    "timer_within",
                    act=self.t(way.label),
                    span=self.span(way.within),
                    state=self._state_label(way.source),
                )
        for clock in self.book.clocks.values():
            yield self.say("timer_clock", clock=self.t(clock.label), span=self.expressions.value(clock.lasts))
        yield self.say("timer_draft")

    def _due(self, state: State) -> str:
        assert state.due is not None
        due = self.say("timer_due", state=self.t(state.label), span=self.expressions.value(state.due))
        late = next((way for way in self.book.leaving.get(state.id, ()) if way.event == "due"), None)
        after = (
            self.say("timer_late_to", state=self._state_label(late.target)) if late else self.say("timer_late_nothing")
        )
        said = f"{due}. {after}"
        if state.escalate:
            said += f", {self.say('timer_escalate', role=self.role(state.escalate))}"
        return f"{said}."

    # -- messages ---------------------------------------------------------------------------------------------------------

    def notices(self) -> Iterator[NoticeText]:
        """The book's own messages, then the house's for the states the book says nothing of."""
        told = {one.event for one in self.book.notices if one.to == APPLICANT and one.before is None}
        for one in self.book.notices:
            yield from self._notice(one)
        house: dict[str, list[str]] = {}
        for state in self.book.states.values():
            if state.id not in told and self.words.has(f"notice.{state.public}.sms"):
                house.setdefault(state.public, []).append(self.t(state.label))
        for public, states in house.items():
            holes = {name: f"{{{name}}}" for name in ("dossier", "due", "link", "meeting", "office")}
            text = to_gsm(self.words.say(f"notice.{public}.sms", self.language, holes))
            yield NoticeText(
                ", ".join(states), self.role(APPLICANT), self.say("notice_house"), text, self._length(text)
            )

    def _notice(self, one: Notice) -> Iterator[NoticeText]:
        when = self._label_of_event(one.event)
        if one.before is not None:
            when = f"{when}, {self.say('notice_before', span=self.span(one.before))}"
        condition = self.when("when", one.when)
        when = f"{when} ({condition})" if condition else when
        to = self.role(one.to) if one.to == APPLICANT or one.to not in self.book.fields else self.label(one.to)
        channels = (("sms", one.sms), ("email", one.email_body), ("inbox", one.inbox))
        for channel, template in channels:
            if template is None:
                continue
            text = template.text.in_(self.language)
            name = self.words.say(f"case.channel_{channel}", self.language, {})
            yield NoticeText(
                when, to, f"{name} – {self.say('notice_own')}", text, self._length(text) if channel == "sms" else ""
            )

    def _length(self, text: str) -> str:
        parts = sms_parts(to_gsm(text))
        return self.words.say("act.signs", self.language, {"count": str(parts.signs)})

    def _label_of_event(self, event: str) -> str:
        if event in self.book.states:
            return self._state_label(event)
        return self._label_of_act(event) if any(way.id == event for way in self.book.transitions) else self.label(event)
