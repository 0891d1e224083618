"""A story of a procedure lived in the browser: its citizen, then each agent at their desk, until the document is verified."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pypdf import PdfReader

from engine.core.clock import ZONE, local_day
from engine.core.values import Plain
from engine.domain.common.access import role_key
from engine.domain.common.working_time import add_span
from engine.domain.forms.corrections import CONFIRMED
from engine.domain.forms.part_forms import example_part
from engine.domain.forms.sample_answers import adopt_answers, example_answers, example_filling
from engine.integrations.registers import RegisterAnswer
from engine.language.source.notation import read_span
from engine.model import APPLICANT, Appointment, Form, Procedure, Scenario, Step, Transition
from engine.records.dossier import Dossier, IssuedDocument
from engine.simulation.environment import OPENING, PAYERS, ScenarioRegister
from renderers.html.controls import national
from renderers.i18n.translations import in_language
from tests.web.form_filler import Answers, Effort, FormFiller
from tests.web.portal import PASSWORD, Portal, wait_until

Enters = Callable[[str, bool], FormFiller]
MOST_SCREENS, MOST_DAYS = 60, 30
_MINUTE = timedelta(seconds=61)
_NOTHING = Effort(0, 0, 0, 0, 0, 0)


@dataclass
class ScenarioJourney:
    """One story on its way. `enters` lets somebody in: their name, and whether they sit at a desk."""

    portal: Portal
    registers: ScenarioRegister
    procedure: Procedure
    story: Scenario
    enters: Enters
    phone: str
    number: str = ""
    people: dict[str, FormFiller] = field(default_factory=dict)
    holders: dict[str, list[str]] = field(default_factory=dict)  # of each role, the names of the story
    sent_after: Effort = _NOTHING  # from the home page to « Votre demande est envoyée »

    def walk(self) -> None:
        self.apply()
        for step in self.story.steps:
            self._live(step)
        self._receive()

    def apply(self) -> None:
        """From the home page to the dossier sent."""
        day = self.story.at
        self.portal.clock.later = (
            datetime(day.year, day.month, day.day, OPENING, tzinfo=ZONE) - datetime.now(ZONE)
        )  # fmt: skip
        self._tell_registers()
        self.me = self.enters("citizen", False)
        kept = example_answers(self.procedure, self.story.given, day, self.portal.office.directory, self.story.without)
        self.answers = Answers(kept)
        self._enter()
        self._find()
        self._fill_in()
        self._send()

    def _live(self, step: Step) -> None:
        try:
            if step.options.get("refused") is not True:
                self._do(step)
            if step.then:
                wait_until(lambda: self._has_come_to(str(step.then)), 30)
        except Exception as failed:
            pages = [f"{one.path}: {one.text()[:800]}" for one in (self.me, *self.people.values())]
            failed.add_note("\n".join([f"{step.verb} {step.value} → {step.then}, at {self.dossier.state}", *pages]))
            raise

    def _has_come_to(self, state: str) -> bool:
        """Registers that answer at once lead further."""
        return self.dossier.state == state or any(one.source == state for one in self.dossier.taken[-2:])

    @property
    def dossier(self) -> Dossier:
        return self.portal.dossier(self.number)

    def faults(self) -> list[str]:
        return [f"{name} {fault}" for name, one in {"citizen": self.me, **self.people}.items() for fault in one.faults]

    def _tell_registers(self) -> None:
        self.registers.answers.clear()
        for step in self.story.steps:
            for name, said in step.value.items() if step.verb == "look_up" and isinstance(step.value, dict) else ():
                task = self.procedure.tasks[name]
                assert isinstance(task, Form)
                assert task.register is not None
                result = "found" if isinstance(said, dict) else said
                answers = said if isinstance(said, dict) else {}
                self.registers.answers[task.register] = RegisterAnswer(result, answers)  # type: ignore[arg-type]

    def _enter(self) -> None:
        """Who they are is asked when it must be known."""

    def _find(self) -> None:
        """From the home page to the first question: search, the sheet, whether one may, a phone number and its code."""
        me = self.me
        me.go("/" if me.language == "fr" else f"/?lang={me.language}")
        self._look_for(me)
        me.tap(f'main a[href="/demarches/{self.procedure.id}"]')
        me.tap("main p.actions a.button")
        while me.path.endswith("/verifier") and me.has("input[name=etape]"):
            me.answer(self.answers)
            me.tap("main button.button")
        if me.has("main form[action$='/commencer']"):
            me.tap("main form[action$='/commencer'] button.button")
        if me.path == "/connexion":
            self._sign_in(me, self.phone)

    def _look_for(self, me: FormFiller) -> None:
        """From the home page to a page that links to the sheet."""
        me.write("#q", in_language(self.procedure.identity.title, me.language))
        me.tap("form.search button")

    def _sign_in(self, person: FormFiller, phone: str) -> None:
        person.write("#phone", national(phone))
        person.tap("main form button.button")
        person.write("#code", self.portal.code_for(phone))
        person.tap("main form button.button")

    def _fill_in(self) -> None:
        """Page after page, as they come."""
        me = self.me
        for _ in range(MOST_SCREENS):
            if "/demande" not in me.path:
                return
            here = me.page.url
            me.answer(self.answers)
            row = me.lacks_row(self.answers)
            me.tap(f'main button[name=add_row][value="{row}"]' if row else "main .actions button[value=next]")
            if me.page.url == here and me.has("main .errors"):
                break
        raise AssertionError(f"no way out of {me.path}: {me.text()[:1500]}")

    def _send(self) -> None:
        me = self.me
        self.number = me.path.split("/")[2]
        assert me.has("#declared"), me.text()
        me.tick("#declared")
        me.tap("main form button.button")
        assert self.dossier.submitted_at is not None
        self.sent_after = me.effort()
        self._follow()

    def _follow(self) -> None:
        """From the page that says the request is sent to the page of the dossier."""
        if self.me.path.endswith("/envoye"):
            self.me.tap(f'main a[href="/dossiers/{self.number}"]')
        self._mine()

    def _mine(self) -> None:
        """The page of the dossier, signed in again where it was too long ago."""
        self.me.go(f"/dossiers/{self.number}")
        if self.me.path == "/connexion":
            self._sign_in(self.me, self.phone)

    def _receive(self) -> None:
        """What was issued is on the page, opens, and is authentic for whoever holds it."""
        me = self.me
        self._mine()
        documents = self.dossier.documents
        assert self.dossier.closed_at is not None
        assert self.procedure.states[self.dossier.state].outcome == "granted"
        assert documents, "nothing was issued"
        for one in documents:
            page, valid = f"/dossiers/{self.number}/documents/{one.id}", _is_valid(one, self.portal.clock.now())
            link = f"{page}.pdf"
            self._mine()
            revoked = one.status == "revoked"  # a refusal that an appeal undid is told, and not handed out any more
            if not me.has(f'main a[href="{link}"]'):  # it has a code, so a page
                assert me.has(f'main a[href="{page}"]'), f"{one.output}: {me.text()}"
                me.go(page)
            assert me.has(f'main a[href="{link}"]') is not revoked, f"{one.output}: {me.text()}"
            answer = me.page.request.get(me.url + link)
            if not revoked:
                assert answer.status == 200
                assert len(answer.body()) < 150_000
                read = PdfReader(io.BytesIO(answer.body())).pages
                assert one.number in "".join(page.extract_text() for page in read)
            me.go("/v")
            me.write("#code", one.code)
            me.tap("main form button.button")
            assert me.has("main .box.ok") is valid, me.text()
            me.go(f"/v/{one.token}")
            assert me.has("main .box.ok") is valid, me.text()

    def _do(self, step: Step) -> None:
        verbs: Mapping[str, Callable[[Step], None]] = {
            "take": self._take, "pay": self._pay, "book": self._book, "visit": self._visit, "correct": self._correct,
            "do": self._errand, "opinion": self._opinions, "wait": self._wait, "look_up": self._wait_for_register,
        }  # fmt: skip
        if step.verb:
            verbs[step.verb](step)

    def _take(self, step: Step) -> None:
        way = next(
            one for one in self.procedure.leaving[self.dossier.state] if one.id == step.value and one.event is None
        )
        roles = (str(step.options["as"]),) if "as" in step.options else way.by
        answers = self._said(way, step)
        if roles[0] == APPLICANT:
            self._mine()
            act = f'a[href="/dossiers/{self.number}/actes/{way.id}"]'
            self.me.unfold(act)
            self.me.tap(f"main {act}")
            self.me.answer(answers)
            self.me.tap("main form .actions button.button")
            return
        agent = self._agent(roles[0], str(step.options.get("who", "")))
        fields = step.options.get("fields")
        if fields:
            for name in fields if isinstance(fields, list) else [fields]:
                agent.tick(f'[name="act-field"][value="{name}"]')
                agent.write(f'[name="act-why-{name}"]', _reason(step))
            agent.tap('.acts button[form="act"]')
        else:
            agent.tap(f'.acts a[href$="/acte/{way.id}"]')
        self._finish(agent, answers)

    def _said(self, way: Transition, step: Step) -> Answers:
        given = step.options.get("with")
        office = self.portal.office
        kept: dict[str, Plain] = (
            example_filling(
                self.procedure, way.fills, self.dossier, given if isinstance(given, dict) else {}, office.day(),
                office.directory,
            ) if way.fills else {}
        )  # fmt: skip
        reason = _reason(step)
        asked = [f"act-why-{name}" for name in self.procedure.fields]
        return Answers(kept, dict.fromkeys(("act-reason", "reason", "act-file", way.id, *asked), reason))

    def _finish(self, agent: FormFiller, answers: Answers) -> None:
        """What an act or a form asks, what it will do, and yes."""
        for _ in range(6):
            if agent.has("main button[value=confirm]"):
                agent.tap("main button[value=confirm]")
                return
            if not agent.has("main .actions button[value=preview]"):
                return
            agent.answer(answers)
            row = agent.lacks_row(answers)
            agent.tap(f'main button[name=add_row][value="{row}"]' if row else "main .actions button[value=preview]")
        raise AssertionError(f"{agent.path}: {agent.text()[:1500]}")

    def _pay(self, step: Step) -> None:
        me = self.me
        ending = str(step.options.get("ends", "paid"))
        paid = sum(one.paid for one in self.dossier.owed.values())
        self._mine()
        me.tap(f'main a[href^="/dossiers/{self.number}/paiement"]')
        if not me.has("#payer"):  # the end of an earlier try, and its way back
            me.tap(f'main a[href="/dossiers/{self.number}"]')
        said = {"provider": me.page.locator("[name=provider]").first.get_attribute("value") or ""}
        total = sum(one.left for one in self.dossier.owed.values())
        said["how_much"] = "all" if step.value in ("owed", total) else "part"
        me.answer(Answers({}, said))
        me.write("#payer", national(PAYERS[ending]))
        me.tap("main form .actions button.button")
        if ending == "paid":
            wait_until(lambda: sum(one.paid for one in self.dossier.owed.values()) > paid)
        else:
            wait_until(lambda: self._payments() == {ending})
        self._mine()

    def _payments(self) -> set[str]:
        paid_for = self.dossier.id
        with self.portal.office.store.unit() as unit:
            return {one.status for one in unit.payments_of(paid_for)}

    def _book(self, step: Step) -> None:
        assert isinstance(step.value, dict)
        for name in step.value:
            self._mine()
            self.me.tap(f'main a[href^="/dossiers/{self.number}/rendez-vous"]')
            self.me.tap("main .box.ok button[name=start]")
            assert self.dossier.bookings[name].status == "booked"

    def _visit(self, step: Step) -> None:
        held = next(one for one in self.dossier.bookings.values() if one.status == "booked")
        task = self.procedure.tasks[held.appointment]
        assert isinstance(task, Appointment)
        self.portal.move_to(held.start)
        agent = self._agent(task.by[0], str(step.options.get("who", "")))
        agent.go(f"/agent/rendez-vous/{local_day(held.start):%Y-%m-%d}")
        mark = f'main button[name=mark][value="{self.number}/{held.appointment}'
        agent.tap(f'{mark}/arrived"]')
        agent.tap(f'{mark}/attended"]')
        agent.tap("main button[value=confirm]")

    def _correct(self, step: Step) -> None:
        assert isinstance(step.value, dict)
        me, office = self.me, self.portal.office
        changed = adopt_answers(self.procedure, self.dossier, step.value, office.day(), office.directory)
        self._mine()
        me.tap(f'main a[href="/dossiers/{self.number}/corrections"]')
        for name, plain in changed.items():
            self._change(name, plain)
        me.tap("main .actions button[value=save]")
        if me.has(f'main [name="{CONFIRMED}"]'):  # a page was added and the others stay
            me.tick(f'main [name="{CONFIRMED}"]')
            me.tap("main .actions button[value=save]")
        me.tap("main .actions button[value=send]")

    def _change(self, name: str, plain: Plain) -> None:
        """Another answer than the one that stands."""
        me, answers = self.me, Answers({name: plain})
        for one in me.controls():
            if one.name == f"file:{name}":
                me.attach(one.name, again=True)
            elif one.name == name and one.kind in ("text", "tel", "email", "textarea"):
                me.write(f'main form [name="{name}"]', str(plain))
            elif one.name == name and one.kind.startswith("select"):
                me.choose(f'main form [name="{name}"]', str(answers.of(name)))

    def _errand(self, step: Step) -> None:
        """A form that the state waits for, whole or row by row."""
        form = self.procedure.tasks[str(step.value)]
        assert isinstance(form, Form)
        given, rows = step.options.get("with"), step.options.get("rows")
        role = str(step.options.get("as", form.by[0]))
        agent = self._agent(role, str(step.options.get("who", ""))) if role != APPLICANT else self.me
        if role == APPLICANT:
            self._mine()
        office = self.portal.office
        if form.each is None:
            agent.tap(f'main a[href$="/a-faire/{form.id}"]')
            filled = example_filling(
                self.procedure, form.id, self.dossier, given if isinstance(given, dict) else {}, office.day(),
                office.directory,
            )  # fmt: skip
            self._finish(agent, Answers(filled))
            return
        count = len(rows) if isinstance(rows, list) else self.answers.rows(form.each)
        agent.tap(f'main a[href*="/a-faire/{form.id}"]')
        for part in range(count):
            said = rows[part] if isinstance(rows, list) else {}
            if not agent.path.endswith(f"/{form.id}/{part}"):
                agent.go(f"/agent/dossiers/{self.number}/a-faire/{form.id}/{part}")
            kept = example_part(
                self.procedure, form, str(part), self.dossier, said if isinstance(said, dict) else {}, office.day(),
                office.directory,
            )  # fmt: skip
            self._finish_row(agent, Answers(kept))

    def _finish_row(self, agent: FormFiller, answers: Answers) -> None:
        """One row: kept at once, or shown first where it is the last. What it opens is answered on the next display."""
        here = agent.path
        for _ in range(4):
            agent.answer(answers)
            agent.tap("main .actions button[value=preview]")
            if agent.has("main button[value=confirm]"):
                agent.tap("main button[value=confirm]")
            if agent.path != here:
                return
        raise AssertionError(f"{agent.path}: {agent.text()[:1500]}")

    def _opinions(self, step: Step) -> None:
        assert isinstance(step.value, dict)
        for name, said in step.value.items():
            asked = self.procedure.round_of(name)
            service = asked.service(name) if asked else None
            assert asked is not None
            assert service is not None
            given: dict[str, Plain] = said if isinstance(said, dict) else {"opinion": said}
            agent = self._agent(service.by[0], str(step.options.get("who", "")))
            agent.tap(f'main a[href$="/a-faire/{asked.id}/{name}"]')
            office = self.portal.office
            kept = example_part(self.procedure, asked, name, self.dossier, given, office.day(), office.directory)
            self._finish(agent, Answers(kept))

    def _wait(self, step: Step) -> None:
        """As long as told; longer where the first free slot came sooner than the one of the story."""
        span = read_span(str(step.value))
        assert span is not None
        self.portal.move_to(add_span(self.portal.clock.now(), span, self.portal.office.directory.calendar))
        for _ in range(MOST_DAYS):
            if not step.then or self._has_come_to(step.then):
                return
            self.portal.move_to(self.portal.clock.now() + timedelta(days=1))

    def _wait_for_register(self, step: Step) -> None:
        """Asked once a minute at most."""
        for _ in range(5):
            if self.dossier.state == step.then:
                return
            self.portal.move_to(self.portal.clock.now() + _MINUTE)

    # -- agents ----------------------------------------------------------------------------------------------------------

    def _agent(self, role: str, who: str) -> FormFiller:
        """Somebody who holds the role, at the dossier; other names of the story are other people."""
        key = role_key(self.procedure, role)
        known = self.holders.setdefault(key, [])
        if who not in known:
            known.append(who)
        login = key.replace("/", ".") + (".2" if known.index(who) % 2 else "")
        if login not in self.people:
            self.people[login] = self.enters(login, True)
        agent = self.people[login]
        agent.go(f"/agent/dossiers/{self.number}")
        if agent.path == "/agent/connexion":
            agent.write("[name=login]", login)
            agent.write("[name=password]", PASSWORD)
            agent.tap("main form button.button")
            agent.go(f"/agent/dossiers/{self.number}")
        return agent


def _reason(step: Step) -> str:
    """What an agent writes where an act asks why."""
    return str(step.options.get("reason", "Pièce vérifiée."))


def _is_valid(one: IssuedDocument, now: datetime) -> bool:
    """A quote paid long ago may have run out."""
    return one.status == "valid" and (one.valid_until is None or one.valid_until >= local_day(now))
