"""Small random procedures that pass `lint` and `prove`, played in every way by the rules themselves.

No dossier stays where nothing can happen, each situation leads to an end, and no permit is issued without a step that the
answers ask for and that some path to it waits for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from typing import Any

import pytest

pytest.importorskip("z3")

from engine.core.problems import Refused
from engine.domain.common.decision import Act, Decision
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.actions import pay, submit, take, task_done
from engine.domain.workflow.due_dates import timers_of
from engine.domain.workflow.opinions import give_opinion
from engine.domain.workflow.tasks import open_tasks, with_corrected_prices
from engine.domain.workflow.timers import time_over
from engine.domain.workflow.transition_context import Moment
from engine.language.catalogue.check import check_definition
from engine.model import APPLICATION, Fee, Form, Procedure
from engine.model.graph import edges
from engine.prover.checks.branches import _is_owed, _states_before
from engine.prover.checks.runner import prove
from engine.records.dossier import Actor, Dossier
from tests.effort import tries
from tests.makers import NOW, TODAY, a_dossier, the_directory, the_shared, the_words, whole

MOST = 160  # situations of one procedure
MOST_FILES = 40  # written for one seed: about one in five is proven
AGENT = Actor("agent", "kofi", roles=frozenset({"mairie/maire", "mairie/urbaniste", "mairie/inspecteur"}))
OWNER = Actor("applicant", "ama")
TEXT = """
delay: 900 working days
form:
  demande:
    title: Demande
    fields:
      vif: {{label: Vif, type: yes_no}}
      age: {{label: Âge, type: integer, maximum: 9, example: 1}}
{tasks}workflow:
  start: e0
  states:
{states}
outputs:
  permis: {{title: Permis, kind: decision, signed_by: maire, operative: Le permis est accordé.}}
legal_basis:
  loi: {{title: Une loi, status: sourced, source: JO, article: 1, checked: 2026-03-01}}
scenarios:
  rien: {{story: Rien, steps: [{{wait: 1 day}}]}}
"""
GUARDS = (
    "vif", "not vif", "age > 5", "age <= 5", "conforme", "not conforme", "valide", "not valide", "done(avis)", "done(taxe)",
    "not done(controle)", "done(controle) and vif", "taken(a1) > 0",
)  # fmt: skip
NEEDED = ("", "", ", when: vif", ", when: age > 5")
TASKS = (
    ("fees", "taxe", "label: Taxe, amount: 1000"),
    ("opinions", "avis", "label: Avis, due: 9 days, of: {feu: {label: Feu, by: urbaniste}}"),
    ("later_forms", "controle", "title: C, by: inspecteur, due: 9 days, fields: {conforme: {label: C, type: yes_no}}"),
    ("later_forms", "fiche", "title: F, fields: {valide: {label: V, type: yes_no}}"),
)
USES = r"(pay|fills): {0}\b|gather: [^]]*\b{0}\b|\b{0}: {{label: A"
READ = {"controle": "(controle|conforme)", "fiche": "valide", "avis": "avis", "taxe": "taxe", "a1": "a1"}
AGAIN = ("[avis]", "[controle]", "[taxe], returns: {taxe: 0}", "[fiche]")


class _Writer:
    """Writes one procedure by chance: states in a row, from which acts, lists and time limits lead on or back."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.acts, self.at = chance, 0, 0
        self.names = [f"e{at}" for at in range(chance.randint(3, 6))]
        self.targets: dict[str, set[str]] = {}

    def text(self) -> str:
        """Return the text of the file: only the states that are reached, and the tasks that these use."""
        states = {}
        for at, name in enumerate(self.names):
            self.at = at
            states[name] = self._state(name)
        states["a_corriger"] = self._correct()
        reached, left = {"e0"}, ["e0"]
        while left:
            more = self.targets.get(left.pop(), set()) - reached
            reached |= more
            left += more
        used = "\n".join(text for name, text in states.items() if name in reached)
        ends = {"accorde": "granted, issues: permis", "classe": "abandoned"}
        used += "".join(f"\n    {name}: {{label: F, end: {end}}}" for name, end in ends.items() if name in reached)
        for name, read in READ.items():
            if not re.search(USES.format(name), used):  # nothing gives it
                used = re.sub(rf"when: '[^'\n]*\b{read}\b[^'\n]*'", "when: 'vif'", used)
                used = re.sub(rf", reopens: \[{name}\](, returns: {{.*?}})?", "", used)
        return TEXT.format(tasks=self._tasks(used), states=used)

    def _tasks(self, used: str) -> str:
        """The sections of the tasks that the states use, each perhaps for some answers only."""
        found = []
        for section, name, rest in TASKS:
            if re.search(USES.format(name), used):
                needed = "" if name == "fiche" else self.chance.choice(NEEDED)
                found.append((section, f"  {name}: {{{rest}{needed}}}\n"))
        return "".join(
            f"{section}:\n" + "".join(one for of, one in found if of == section)
            for section in dict.fromkeys(of for of, _ in found)
        )

    def _to(self, *more: str) -> str:
        """A state: mostly the next one."""
        name = self.names[self.at]
        following = self.names[self.at + 1] if self.at + 1 < len(self.names) else "classe"
        target = self.chance.choice([following, following, *self.names, "classe", *more])
        self.targets.setdefault(name, set()).add(target)
        return target

    def _target(self, *more: str) -> str:
        if self.chance.random() < 0.6:
            return self._to(*more)
        return f"[{{when: '{self.chance.choice(GUARDS)}', to: {self._to(*more)}}}, {{to: {self._to(*more)}}}]"

    def _correct(self) -> str:
        self.names.append("a_corriger")
        self.at = len(self.names) - 1
        back = self.chance.choice(self.names[:-1])
        self.targets["a_corriger"] = {back, "classe"}
        return f"    a_corriger: {{label: E, correct: requested, due: 9 days, late: classe, then: {back}}}"

    def _state(self, name: str) -> str:
        kind = self.chance.choice(["by", "by", "by", "gather", "gather", "pay", "wait"]) if self.at else "by"
        if kind == "pay":
            return f"    {name}: {{label: E, pay: taxe, due: 9 days, late: {self._to()}, then: {self._target()}}}"
        if kind == "wait":
            return f"    {name}: {{label: E, wait: 5 days, then: {self._target()}}}"
        if kind == "gather":
            tasks = self.chance.choice(["avis", "controle", "avis, controle", "taxe, avis"])
            timed = "taxe" in tasks or self.chance.random() < 0.3
            late = f"due: 9 days, late: {self._to()}" if timed else "due: 9 days"
            return f"    {name}: {{label: E, gather: [{tasks}], {late}, then: {self._target()}}}"
        acts = "\n".join(f"        {self._act()}" for _ in range(self.chance.randint(1, 3)))
        return f"    {name}:\n      label: E\n      by: maire\n      due: 5 days\n      transitions:\n{acts}"

    def _act(self) -> str:
        self.acts += 1
        chance = self.chance.random
        if chance() < 0.15:
            self.targets.setdefault(self.names[self.at], set()).add("a_corriger")
            return f"a{self.acts}: {{label: A, to: a_corriger, asks: [correction, reason]}}"
        keys = [f"to: {self._target('accorde', 'accorde')}"]
        keys += ["fills: fiche"] if chance() < 0.3 else []
        keys += [f"when: '{self.chance.choice(GUARDS)}'"] if chance() < 0.25 else []
        keys += [f"reopens: {self.chance.choice(AGAIN)}"] if chance() < 0.2 else []
        return f"a{self.acts}: {{label: A, {', '.join(keys)}}}"


def proven(text: str) -> Procedure | None:
    """Return the procedure if neither `lint` nor `prove` refuses it, and all of it was proved."""
    checked = check_definition(whole(text).encode(), "essai.yaml", the_shared())
    if checked.procedure is None or prove(checked.procedure, the_directory(), TODAY):
        return None
    return checked.procedure


@dataclass
class _Played:
    """All situations of a procedure, as far as `MOST` allows."""

    procedure: Procedure
    now: datetime = NOW
    seen: dict[Any, list[Any]] = field(default_factory=dict)
    paths: dict[Any, tuple[str, ...]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    whole: bool = True

    def play(self) -> list[str]:
        """Return what breaks a promise."""
        left: list[tuple[Dossier, datetime]] = []
        for vif, age in product((True, False), (1, 9)):
            draft = replace(a_dossier(self.procedure, vif=vif, age=age), owner=OWNER.id)
            with suppress(Refused):
                first = submit(self.procedure, draft, OWNER, NOW, the_directory(), the_words())
                left.append((first.dossier, NOW))
                self.paths[self.key(first.dossier)] = (f"vif={vif} age={age}", first.dossier.state)
        while left:
            dossier, now = left.pop(0)
            key = self.key(dossier)
            if key in self.seen:
                continue
            if len(self.seen) >= MOST:
                self.whole = False
                break
            self.seen[key] = []
            for name, decision, then in self._steps(dossier, now):
                after = decision.dossier
                self.seen[key].append(self.key(after))
                self.paths.setdefault(self.key(after), (*self.paths[key], name, after.state))
                self.look(after, decision, now)
                if after.closed_at is None:
                    left.append((after, then))
            if not self.seen[key]:
                self.faults.append(f"nothing can happen: {self.paths[key]}")
        decided = {name for one in edges(self.procedure) for name in one.when.names} - {"vif", "age"}
        if self.whole and not self.faults and not decided and "taken(" not in self.procedure.source:
            self._traps()
        return self.faults

    def _traps(self) -> None:
        """Report the first situation from which no end is reached."""
        ends = {key for keys in self.seen.values() for key in keys if key not in self.seen}
        changed = True
        while changed:
            more = {key for key, follows in self.seen.items() if key not in ends and ends & {*follows}}
            ends, changed = ends | more, bool(more)
        trap = next((key for key in self.seen if key not in ends), None)
        if trap is not None:
            self.faults.append(f"no end is reached: {self.paths[trap]}")

    def key(self, dossier: Dossier) -> Any:
        """What distinguishes two situations."""
        taken = any(one.transition == "a1" for one in dossier.taken)
        asked = tuple(dossier.correction.left) if dossier.correction else None
        return (dossier.state, frozenset(dossier.done), tuple(sorted(dossier.answers.items())), asked, taken,
                tuple(sorted((name, one.left) for name, one in dossier.owed.items())))  # fmt: skip

    def _steps(self, dossier: Dossier, now: datetime) -> Iterator[tuple[str, Decision, datetime]]:
        """Yield what may happen next, with the instant after it."""
        context = (the_directory(), the_words())
        scope = scope_of(self.procedure, dossier, now.date(), the_directory())
        for act in {one.id: one for one in self.procedure.leaving[dossier.state] if one.event is None}.values():
            for filling in ({"valide": True}, {"valide": False}) if act.fills else ({},):
                asked = {"vif": "x", "age": "x"} if "correction" in act.asks else {}
                said = Act(act.id, "x", asked, filling)
                with suppress(Refused):
                    yield act.id, take(self.procedure, dossier, said, AGENT, now, *context), now
        for task in open_tasks(self.procedure, dossier, scope):
            if isinstance(task, Fee):
                owed = dossier.owed[task.id].left
                yield "pay", pay(self.procedure, dossier, (task.id,), owed, OWNER, now, *context), now
            elif task.id == APPLICATION:
                yield from self._corrections(dossier, now)
            elif isinstance(task, Form) and task.services:
                given = give_opinion(self.procedure, dossier, "feu", {"opinion": "favourable"}, AGENT, now, *context)
                yield "avis", given, now
            elif isinstance(task, Form):
                for value in (True, False):
                    done = task_done(
                        self.procedure, dossier, task.id, AGENT, now, *context, answers={"conforme": value}
                    )
                    yield f"controle={value}", done, now
        yield from self._time(dossier, now)

    def _corrections(self, dossier: Dossier, now: datetime) -> Iterator[tuple[str, Decision, datetime]]:
        asked = dossier.correction
        assert asked is not None
        moment = Moment(self.procedure, OWNER, now, the_directory(), the_words())
        for vif, age in product((True, False), (1, 9)):
            corrected = replace(asked, made=frozenset(asked.fields))
            typed = replace(dossier, answers={**dossier.answers, "vif": vif, "age": age}, correction=corrected)
            priced = with_corrected_prices(moment, typed)
            owed = {name: replace(one, paid=max(one.paid, one.amount)) for name, one in priced.owed.items()}
            priced = replace(priced, owed=owed) if priced is not typed else typed
            done = task_done(self.procedure, priced, APPLICATION, OWNER, now, the_directory(), the_words())
            yield f"vif={vif} age={age}", done, now

    def _time(self, dossier: Dossier, now: datetime) -> Iterator[tuple[str, Decision, datetime]]:
        """What the next due date does. A state of agents that is only late stays."""
        scope = scope_of(self.procedure, dossier, now.date(), the_directory())
        for timer in sorted(
            timers_of(self.procedure, dossier, now, the_directory(), scope), key=lambda one: one.due_at
        ):
            then = max(now, timer.due_at)
            with suppress(Refused):
                over = time_over(self.procedure, dossier, timer.name, then, the_directory(), the_words())
                if self.key(over.dossier) != self.key(dossier):
                    yield timer.name, over, then
                    return

    def look(self, dossier: Dossier, decision: Decision, now: datetime) -> None:
        """Note a permit without a step that its answers ask for."""
        if "permis" not in {order.output for order in decision.issue}:
            return
        scope = scope_of(self.procedure, dossier, now.date(), the_directory())
        before = _states_before(self.procedure, self.procedure.outputs["permis"])
        for task in self.procedure.tasks.values():
            awaited = any(task.id in self.procedure.states[one].waits for one in before)
            if awaited and _is_owed(task) and task.id not in dossier.done and task.when.holds(scope):
                self.faults.append(f"without {task.id}: {self.paths[self.key(dossier)]}")


@pytest.mark.nightly("fuzz")
@pytest.mark.parametrize("seed", range(tries(8)))
def test_what_is_proved_holds_when_it_is_played(seed: int) -> None:
    chance, played = random.Random(seed), 0
    for _ in range(MOST_FILES):
        text = _Writer(chance).text()
        procedure = proven(text)
        if procedure is not None and len(edges(procedure)) > 3:
            played += 1
            assert _Played(procedure).play() == [], text
    assert played
