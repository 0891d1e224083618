"""Stories of dossiers along a circuit: the numbers of real ones, and whatever chance tries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.problems import Refused
from engine.core.values import Span, Text
from engine.domain.appointments.appointments import place, release
from engine.domain.common.decision import Act, Decision, IssueOrder
from engine.domain.common.four_eyes import barred_from_state
from engine.domain.reporting.journal_state import Projection, differences, fold, projection_of
from engine.domain.workflow.actions import answer_look_up, no_show, open_transitions, pay, submit, take, task_done
from engine.domain.workflow.state_machine import circuit_of
from engine.domain.workflow.tasks import open_tasks
from engine.domain.workflow.timers import time_over
from engine.domain.workflow.transition_context import Moment
from engine.journal.chain import JournalEntry
from engine.model import APPLICANT, APPLICATION, Effects, Fee, FeeLine, Form, Page, Procedure, TimeLimit
from engine.model.types import DATE, Type, constant
from engine.records.dossier import SYSTEM_ACTOR, Actor, ClockState, CorrectionRequest, Dossier, IssuedDocument
from tests.engine.domain.small_procedure import (
    CHECKER,
    CLERK,
    DEPOT,
    DIRECTORY,
    FRAIS,
    MONDAY,
    OWNER,
    SECOND,
    STRANGER,
    WORDS,
    act,
    auto,
    book,
    choice,
    draft,
    is_,
    lasting,
    not_,
    on,
    passport,
    rule,
    span,
    state,
    text_field,
)

MAKER = Actor("agent", "maker", roles=frozenset({"ville/production"}))
BOTH = Actor("agent", "clerk", roles=frozenset({"ville/production", "ville/guichet"}))


class Story:
    """A dossier whose decisions are kept one after the other, with its whole journal."""

    def __init__(self, procedure: Procedure, now: datetime = MONDAY, **more: object) -> None:
        self.definition, self.now, self.journal = procedure, now, []
        self.dossier: Dossier = draft(procedure, **more)
        self.last: Decision | None = None
        self.seats = 0

    def keep(self, decision: Decision, who: Actor = SYSTEM_ACTOR) -> Story:
        """What the office does, as far as the rules can tell."""
        for one in decision.entries:
            self.journal.append(
                JournalEntry(
                    "d1", len(self.journal) + 1, self.now, who.kind, who.id, one.kind, "f", dict(one.body), "", ""
                )
            )
        new = tuple(self._issued(order) for order in decision.issue)
        self.dossier = replace(
            decision.dossier, revision=self.dossier.revision + 1, documents=(*decision.dossier.documents, *new)
        )
        self.last = decision
        return self

    def _issued(self, order: IssueOrder) -> IssuedDocument:
        name = f"{order.output}-{len(self.dossier.documents)}"
        return IssuedDocument(
            name, order.output, order.output, "n", self.now, None, "c", "t", (), "", None, "", row=order.row
        )

    def submit(self) -> Story:
        return self.keep(submit(self.definition, self.dossier, OWNER, self.now, DIRECTORY, WORDS), OWNER)

    def take(self, name: str, who: Actor = CHECKER, **more: object) -> Story:
        decided = Act(name, **more)  # type: ignore[arg-type]
        return self.keep(take(self.definition, self.dossier, decided, who, self.now, DIRECTORY, WORDS), who)

    def pay(self, amount: int, fee: str = "frais") -> Story:
        return self.keep(pay(self.definition, self.dossier, (fee,), amount, SYSTEM_ACTOR, self.now, DIRECTORY, WORDS))

    def done(self, task: str, who: Actor = SYSTEM_ACTOR, **answers: object) -> Story:
        booking = self.dossier.bookings.get(task)
        if booking is not None and booking.status == "booked":
            self.now = max(self.now, booking.start)  # nobody is received before the day
        decision = task_done(self.definition, self.dossier, task, who, self.now, DIRECTORY, WORDS, answers)  # type: ignore[arg-type]
        return self.keep(decision, who)

    def book_slot(self, start: str, name: str = "depot") -> Story:
        self.seats += 1
        at = datetime.fromisoformat(start).replace(tzinfo=UTC)
        return self.keep(
            place(self.definition, self.dossier, name, "centre", at, {}, OWNER, self.now, DIRECTORY, WORDS,
                  booking_id=f"b{self.seats}"),
            OWNER,
        )  # fmt: skip

    def looked_up(self, value: str, name: str = "recherche", **answers: object) -> Story:
        return self.keep(
            answer_look_up(self.definition, self.dossier, name, value, answers, self.now, DIRECTORY, WORDS)
        )  # type: ignore[arg-type]

    def corrected(self) -> Story:
        asked = self.dossier.correction
        assert asked
        self.dossier = replace(self.dossier, correction=replace(asked, made=frozenset(asked.fields)))
        return self.done(APPLICATION, OWNER)

    def wait(self, length: str) -> Story:
        """Time passes: whatever falls due meanwhile happens in its order."""
        amount = span(length)
        end = self.now + timedelta(**{f"{amount.unit}s": amount.count})
        for _ in range(50):
            ripe = sorted((one for one in self.timers() if one.due_at <= end), key=lambda one: one.due_at)
            if not ripe:
                break
            self.now = max(self.now, ripe[0].due_at)
            self.fired.add((ripe[0].name, ripe[0].entry))
            self.keep(time_over(self.definition, self.dossier, ripe[0].name, self.now, DIRECTORY, WORDS))
        self.now = end
        return self

    fired: set[tuple[str, int]]

    def timers(self) -> list:  # type: ignore[type-arg]
        self.fired = getattr(self, "fired", set())
        assert self.last
        return [one for one in self.last.timers if (one.name, one.entry) not in self.fired]

    @property
    def state(self) -> str:
        return self.dossier.state

    @property
    def issued(self) -> list[str]:
        return [one.output for one in self.dossier.documents]

    def folds(self) -> bool:
        return not differences(fold(self.journal), projection_of(self.dossier))


def refused(code: str, run: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as caught:
        run()
    assert caught.value.reason.code == code
    return caught.value


# -- the passport's stories --------------------------------------------------------------------------------------------


def test_from_sending_to_the_passport_in_hand() -> None:
    story = Story(passport()).submit()
    assert story.state == "conformite"
    assert story.dossier.due_at == datetime(2026, 11, 26, 23, 59, 59, tzinfo=UTC)
    assert story.dossier.office == "centre"
    assert story.dossier.form_day == date(2026, 11, 23)
    story.take("faire_corriger", reason="Illisible", correction={"nom": ""})
    assert story.state == "a_corriger"
    assert story.dossier.correction == CorrectionRequest({"nom": ""}, "Illisible", MONDAY, "agent_1")
    assert APPLICATION not in story.dossier.done
    story.wait("2 days").corrected()
    assert (story.state, story.dossier.correction) == ("conformite", None)
    story.take("conforme")
    assert story.dossier.owed["frais"].amount == 30_000
    story.pay(30_000)
    assert (story.state, story.issued) == ("rendez_vous", ["formulaire"])
    story.book_slot("2026-12-02 08:30").done("depot", CLERK)
    assert (story.state, story.dossier.bookings["depot"].status) == ("originaux", "attended")
    story.take("ajourner", CLERK, reason="Photo sur fond bleu")
    assert (story.state, "depot" in story.dossier.done) == ("rendez_vous", False)
    story.book_slot("2026-12-07 08:30").done("depot", CLERK)
    story.take("originaux_conformes", CLERK).take("fabriquer", MAKER, filling={"numero_livret": "E1234567"})
    assert (story.state, story.dossier.answers["numero_livret"]) == ("pret", "E1234567")
    story.take("remettre", CLERK)
    assert (story.state, story.dossier.closed_at) == ("remis", story.now)
    assert story.issued == ["formulaire", "passeport"]  # the form is still valid: not issued twice
    assert story.last
    assert story.last.timers == ()
    assert story.folds()


def test_unpaid_after_thirty_days_it_is_closed() -> None:
    story = Story(passport()).submit().take("conforme")
    assert story.wait("30 days").state == "a_payer"
    assert story.wait("1 day").state == "abandonne"
    assert story.folds()


def test_one_absence_is_made_good_the_second_closes() -> None:
    story = Story(passport()).submit().take("conforme").pay(30_000).book_slot("2026-12-02 08:30")
    refused("too_soon", lambda: no_show(story.definition, story.dossier, "depot", CLERK, story.now, DIRECTORY, WORDS))
    story.now = datetime(2026, 12, 2, 9, tzinfo=UTC)
    story.keep(no_show(story.definition, story.dossier, "depot", CLERK, story.now, DIRECTORY, WORDS), CLERK)
    assert (story.state, story.dossier.missed["depot"]) == ("rendez_vous", 1)
    story.book_slot("2026-12-07 08:30")
    assert story.dossier.bookings["depot"].moves == 0  # a new visit, not a moved one
    story.now = datetime(2026, 12, 7, 9, tzinfo=UTC)
    story.keep(no_show(story.definition, story.dossier, "depot", CLERK, story.now, DIRECTORY, WORDS), CLERK)
    assert (story.state, story.folds()) == ("abandonne", True)


def test_a_refusal_contested_in_two_months_reopens() -> None:
    story = Story(passport()).submit().take("refuser", reason="Identité douteuse")
    assert (story.state, story.issued) == ("refuse", ["lettre"])
    story.wait("30 days").take("contester", OWNER, reason="Acte retrouvé")
    assert (story.state, story.dossier.closed_at) == ("conformite", None)
    assert story.folds()


def test_a_refusal_contested_too_late_stays() -> None:
    story = Story(passport()).submit().take("refuser", reason="Identité douteuse").wait("62 days")
    error = refused("too_late", lambda: story.take("contester", OWNER, reason="Acte retrouvé"))
    assert error.reason.facts["until"] == "2027-01-23T23:59:59+00:00"


def test_not_fetched_in_six_months() -> None:
    story = Story(passport()).submit().take("conforme").pay(30_000)
    story.book_slot("2026-12-02 08:30").done("depot", CLERK)
    story.take("originaux_conformes", CLERK).take("fabriquer", MAKER)
    assert story.wait("7000 hours").state == "non_retire"


def test_withdrawn_by_the_owner_only() -> None:
    story = Story(passport()).submit()
    refused("role", lambda: story.take("retirer", STRANGER))
    refused("role", lambda: story.take("retirer", CHECKER))
    assert story.take("retirer", OWNER).state == "retire"


# -- what closes an act ------------------------------------------------------------------------------------------------


def reasons(story: Story, who: Actor) -> dict[str, str | None]:
    offers = open_transitions(story.definition, story.dossier, who, story.now, DIRECTORY, WORDS)
    return {one.transition.id: one.closed.code if one.closed else None for one in offers}


def test_every_act_is_shown_open_or_closed_and_why() -> None:
    story = Story(passport())
    assert reasons(story, OWNER) == {}
    story.submit()
    assert reasons(story, CHECKER) == {"conforme": None, "faire_corriger": None, "refuser": None, "retirer": "role"}
    assert reasons(story, OWNER)["retirer"] is None
    assert set(reasons(story, replace(CHECKER, offices=frozenset({"port"}))).values()) == {"other_office", "role"}
    assert set(reasons(story, Actor("agent", OWNER.id, roles=CHECKER.roles)).values()) == {"own_dossier"}


def test_acts_are_listed_in_the_order_of_the_file() -> None:
    states = (
        state("avant", "by", by=("chef",)),
        state("apres", "by", by=("chef",)),
        state("fini", "end", outcome="granted"),
    )
    ways = [
        act(name, source, "fini", "chef")
        for name, source in (("b", "avant"), ("c", "apres"), ("a", "avant"), ("a", "apres"))
    ]
    other = (act("b", "avant", "apres", "chef", rank=1), act("avancer", "avant", "apres", "chef"))
    acts = circuit_of(book(states, (*ways, *other), name="ordre")).acts
    assert {name: [*found] for name, found in acts.items()} == {
        "avant": ["b", "a", "avancer"],
        "apres": ["c", "a"],
        "fini": [],
    }
    assert acts["avant"]["b"] == (ways[0], other[0])


def test_exactly_the_declared_roles_may_take_each_act() -> None:
    """Role × act, over every state of the book."""
    for procedure in (passport(), gather_book(), register_book()):
        sent = Story(procedure).submit().dossier
        for name in procedure.states:
            story = Story(procedure)
            story.dossier = replace(sent, state=name, entered_at=MONDAY)
            for who in PEOPLE:
                held = {role.removeprefix("ville/") for role in who.roles} | ({APPLICANT} if who == OWNER else set())
                for offer in open_transitions(procedure, story.dossier, who, MONDAY, DIRECTORY, WORDS):
                    declared = bool(held & set(offer.transition.by))
                    assert (offer.closed is None or offer.closed.code != "role") is declared, (name, who, offer)


def test_four_eyes() -> None:
    story = Story(passport()).submit().take("conforme").pay(30_000)
    story.book_slot("2026-12-02 08:30").done("depot", CLERK).take("originaux_conformes", BOTH)
    refused("four_eyes", lambda: story.take("fabriquer", BOTH))
    assert story.take("fabriquer", MAKER).state == "pret"


def with_other_than(name: str, *others: str) -> Procedure:
    """The passport whose examination must be another person's than `others` were."""
    whole = passport()
    ways = tuple(replace(one, other_than=others) if one.id == name else one for one in whole.transitions)
    leaving = {state: tuple(one for one in ways if one.source == state) for state in whole.states}
    return replace(whole, transitions=ways, leaving=leaving)


@pytest.mark.parametrize(("holder", "kept"), [(CHECKER.id, None), (SECOND.id, SECOND.id)])
def test_an_appeal_leaves_the_agent_who_refused_and_no_other(holder: str, kept: str | None) -> None:
    story = Story(with_other_than("conforme", "refuser"), assigned=holder).submit()
    story.take("refuser", CHECKER, reason="Non")
    assert story.dossier.assigned == holder, "a refusal waits for no other agent"
    story.take("contester", OWNER, reason="Si")
    assert (story.dossier.state, story.dossier.assigned) == ("conformite", kept)


def test_an_appeal_stays_where_the_same_agent_may_answer_it() -> None:
    story = Story(passport(), assigned=CHECKER.id).submit().take("refuser", CHECKER, reason="Non")
    assert story.take("contester", OWNER, reason="Si").dossier.assigned == CHECKER.id


def test_who_holds_is_barred_by_role() -> None:
    procedure = with_other_than("conforme", "refuser")
    helped = replace(draft(procedure), state="conformite", assisted=(CLERK.id,))
    barred = barred_from_state(procedure, helped, "conformite", CLERK.id)
    assert barred is not None
    assert barred.code == "assisted"
    assert barred_from_state(procedure, helped, "conformite", CLERK.id, CLERK.roles) is None, "the role has no act here"
    assert barred_from_state(procedure, helped, "conformite", CHECKER.id, CHECKER.roles) is None
    assert barred_from_state(procedure, helped, "refuse", CLERK.id) is None, "an end is held by no rule"


def test_a_reason_for_each_answer_to_correct_is_reason_enough() -> None:
    after = Story(passport()).submit().take("faire_corriger", correction={"nom": "Autre nom"}).dossier
    assert after.correction is not None
    assert (dict(after.correction.fields), after.correction.reason) == ({"nom": "Autre nom"}, "")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (Act("refuser"), "reason_missing"),
        (Act("refuser", "   "), "reason_missing"),
        (Act("faire_corriger", "x"), "correction_empty"),
        (Act("faire_corriger", "x", {"inconnu": "x"}), "not_correctable"),
        (Act("faire_corriger", "x", {"numero_livret": "x"}), "not_correctable"),  # not of the application
        (Act("faire_corriger", None, {"nom": "x", "prenoms": " "}), "reason_missing"),  # one says nothing
        (Act("faire_corriger", None), "reason_missing"),
        (Act("conforme", filling={"nom": "changed"}), "unknown_answer"),
        (Act("remettre"), "state"),
        (Act("a_payer.done"), "unknown_act"),  # an automatic way is nobody's to take
        (Act("__class__"), "unknown_act"),
    ],
)
def test_acts_that_lack_what_they_ask(given: Act, code: str) -> None:
    story = Story(passport()).submit()
    before = story.dossier
    refused(code, lambda: take(story.definition, story.dossier, given, CHECKER, MONDAY, DIRECTORY, WORDS))
    assert story.dossier == before


def test_a_hidden_answer_cannot_be_asked_to_correct() -> None:
    fields = (text_field("nom"), choice("mode", "centre", "poste"), text_field("adresse", when=is_("mode", "poste")))
    story = Story(passport(fields=fields)).submit()
    refused("not_correctable", lambda: story.take("faire_corriger", reason="x", correction={"adresse": "x"}))


def test_an_incomplete_correction_is_not_sent() -> None:
    story = Story(passport()).submit().take("faire_corriger", reason="x", correction={"nom": "a", "prenoms": "b"})
    asked = story.dossier.correction
    assert asked
    story.dossier = replace(story.dossier, correction=replace(asked, made=frozenset({"nom"})))
    error = refused("correction_incomplete", lambda: story.done(APPLICATION, OWNER))
    assert error.reason.facts["fields"] == ("prenoms",)
    refused("role", lambda: story.done(APPLICATION, STRANGER))


def test_a_draft_is_sent_once_by_its_owner() -> None:
    story = Story(passport())
    refused("role", lambda: submit(story.definition, story.dossier, STRANGER, MONDAY, DIRECTORY, WORDS))
    refused("role", lambda: submit(story.definition, story.dossier, CHECKER, MONDAY, DIRECTORY, WORDS))
    story.submit()
    refused("already_submitted", story.submit)


def test_tasks_are_done_once_and_when_asked() -> None:
    story = Story(passport()).submit()
    refused("already_done", lambda: story.done(APPLICATION, OWNER))
    refused("not_now", lambda: story.done("frais"))
    refused("not_booked", lambda: story.done("depot", CLERK))
    refused("unknown_task", lambda: story.done("rien"))
    story.take("conforme").done("frais")
    assert story.dossier.owed["frais"].paid == 30_000
    refused("already_done", lambda: story.done("frais"))


# -- money -------------------------------------------------------------------------------------------------------------


def test_part_of_the_price_leaves_the_dossier_waiting() -> None:
    story = Story(passport()).submit().take("conforme").pay(10_000)
    assert (story.state, story.dossier.owed["frais"].left) == ("a_payer", 20_000)
    assert story.pay(20_000).state == "rendez_vous"


def test_part_paid_stays_paid_when_the_price_is_asked_again() -> None:
    states = (state("a_payer", "pay", "to_pay", waits=("frais",)), state("fini", "end", outcome="granted"))
    ways = (auto("a_payer", "done", "fini"), act("revoir", "a_payer", "a_payer", "controleur"))
    story = Story(book(states, ways, (FRAIS,))).submit().pay(10_000).take("revoir")
    assert (story.dossier.owed["frais"].paid, story.dossier.owed["frais"].left) == (10_000, 20_000)
    assert story.pay(20_000).state == "fini"


def test_money_that_comes_too_late_is_credited_and_moves_nothing() -> None:
    story = Story(passport()).submit().take("conforme").wait("31 days")
    assert story.pay(30_000).state == "abandonne"
    assert story.dossier.owed["frais"].paid == 30_000
    assert story.folds()


ENVOI = Fee(
    id="envoi", label=Text.of("Envoi"), when=is_("mode", "poste"),
    lines=(FeeLine(id="envoi", label=Text.of("Envoi"), amount=constant(1_500, Type("money"))),),
)  # fmt: skip
FREE = Fee(
    id="libre", label=Text.of("Libre"), lines=(FeeLine(id="l", label=Text.of("L"), amount=constant(0, Type("money"))),)
)


def two_fees() -> Procedure:
    states = (
        state("a_payer", "pay", "to_pay", waits=("frais", "envoi")),
        state("gratuit", "pay", "to_pay", waits=("libre",)),
        state("fini", "end", "accepted", outcome="granted"),
    )
    return book(states, (auto("a_payer", "done", "gratuit"), auto("gratuit", "done", "fini")), (FRAIS, ENVOI, FREE))


@pytest.mark.parametrize(
    ("mode", "owed"), [("centre", {"frais": 30_000}), ("poste", {"frais": 30_000, "envoi": 1_500})]
)
def test_each_fee_whose_condition_holds_is_owed(mode: str, owed: dict[str, int]) -> None:
    story = Story(two_fees(), answers={"mode": mode}).submit()
    assert {name: one.amount for name, one in story.dossier.owed.items()} == owed
    everything = pay(
        story.definition, story.dossier, ("frais", "envoi"), sum(owed.values()), SYSTEM_ACTOR, MONDAY, DIRECTORY, WORDS
    )
    story.keep(everything)
    assert story.state == "fini"  # nothing owed is paid at once
    assert story.dossier.owed["libre"].amount == 0
    assert story.folds()


def test_a_price_is_frozen_until_it_is_asked_anew() -> None:
    price = {"now": 100}
    fee = replace(
        FRAIS,
        lines=(FeeLine(id="l", label=Text.of("L"), amount=rule("p", lambda scope: price["now"], type_=Type("money"))),),
    )
    states = (
        state("a_payer", "pay", "to_pay", waits=("frais",)),
        state("ouvert", "by", by=("controleur",)),
        state("fini", "end", outcome="granted"),
    )
    ways = (
        auto("a_payer", "done", "ouvert"),
        act("payer_encore", "ouvert", "a_payer", "controleur", reopens=("frais",)),
        act("rester", "a_payer", "a_payer", "controleur"),
    )
    story = Story(book(states, ways, (fee,))).submit()
    price["now"] = 200
    assert story.dossier.owed["frais"].amount == 100
    story.pay(100).take("payer_encore")
    assert (story.state, story.dossier.owed["frais"].amount, story.dossier.owed["frais"].paid) == ("a_payer", 200, 0)


# -- look-ups, waits, ways ---------------------------------------------------------------------------------------------

RECHERCHE = Form(
    id="recherche", label=Text.of("Recherche"), register="fichier", due=Span(12, "hour"),
    pages=(Page(id="r", title=Text.of("R"), fields=(
        choice("recherche", "found", "not_found", "unavailable"), text_field("mentions"),
    )),),
)  # fmt: skip


def register_book() -> Procedure:
    found = is_("recherche", "not_found")
    states = (
        state("interrogation", "look_up", waits=("recherche",)),
        state("controle", "by", by=("controleur",)),
        state("signature", "by", by=("controleur",)),
        state("expedie", "end", outcome="granted"),
        state("a_retirer", "end", outcome="granted"),
    )
    ways = (
        auto("interrogation", "done", "signature", when=found),
        auto("interrogation", "done", "controle", when=not_(found), rank=1),
        act("verifier", "controle", "signature", "controleur"),
        act("reprendre", "controle", "interrogation", "controleur"),
        act("signer", "signature", "expedie", "controleur", when=is_("mode", "poste"), other_than=("verifier",)),
        act("signer", "signature", "a_retirer", "controleur", when=not_(is_("mode", "poste")), rank=1,
            other_than=("verifier",)),
    )  # fmt: skip
    return book(states, ways, (RECHERCHE,))


def test_a_register_is_asked_and_its_answer_leads() -> None:
    story = Story(register_book()).submit()
    assert story.last
    assert story.last.look_ups == ("recherche",)
    assert [(one.name, one.due_at) for one in story.last.timers] == [("recherche", MONDAY + timedelta(hours=12))]
    story.looked_up("not_found", mentions="0", intrus="x")
    assert (story.state, story.dossier.answers["mentions"]) == ("signature", "0")
    assert "intrus" not in story.dossier.answers
    assert story.take("signer").state == "a_retirer"


def test_a_silent_register_is_unavailable_after_its_time_and_asked_again_at_each_entry() -> None:
    story = Story(register_book(), answers={"mode": "poste"}).submit().wait("2 days")
    assert (story.state, story.dossier.answers["recherche"]) == ("controle", "unavailable")
    story.take("reprendre")
    assert (story.state, "recherche" in story.dossier.answers) == ("interrogation", False)
    assert story.last
    assert story.last.look_ups == ("recherche",)
    story.looked_up("found").take("verifier")
    refused("four_eyes", lambda: story.take("signer"))
    assert story.take("signer", SECOND).state == "expedie"
    assert story.folds()


def test_a_late_answer_of_a_register_is_refused() -> None:
    story = Story(register_book()).submit().looked_up("found")
    refused("already_done", lambda: story.looked_up("not_found"))
    refused("unknown_task", lambda: story.looked_up("perhaps"))


def test_a_wait_passes_with_time_alone() -> None:
    states = (
        state("affichage", "wait", wait=lasting("15 days")),
        state("passe", "wait", wait=on(date(2026, 11, 1))),
        state("fini", "end", outcome="granted"),
    )
    story = Story(book(states, (auto("affichage", "done", "passe"), auto("passe", "done", "fini")))).submit()
    assert story.wait("15 days").state == "affichage"
    assert story.wait("1 day").state == "fini"  # a wait already over when entered holds nobody


def test_a_circuit_that_never_rests_is_refused() -> None:
    states = (state("a", "pay", waits=("libre",)), state("b", "pay", waits=("libre",)))
    story = Story(book(states, (auto("a", "done", "b"), auto("b", "done", "a")), (FREE,)))
    refused("endless", story.submit)


def test_an_agent_s_lateness_only_escalates_once() -> None:
    story = Story(passport()).submit().wait("10 days")
    assert story.state == "conformite"
    assert [one.kind for one in story.journal] == ["submitted", "due"]
    assert story.journal[-1].body["escalate"] == "chef"  # type: ignore[index, call-overload]
    assert story.folds()


@pytest.mark.parametrize(
    "name", ["due", "wait", "remind:0", "nothing", "recherche", "reminder:depot:0:0", "draft", ":"]
)
def test_a_timer_that_no_longer_stands_changes_nothing(name: str) -> None:
    story = Story(passport()).submit().take("refuser", reason="non")
    refused("void_timer", lambda: time_over(story.definition, story.dossier, name, MONDAY, DIRECTORY, WORDS))


def test_a_due_is_not_fired_early() -> None:
    story = Story(passport()).submit().take("conforme")
    refused("void_timer", lambda: time_over(story.definition, story.dossier, "due", MONDAY, DIRECTORY, WORDS))


def test_a_draft_is_reminded_then_closed() -> None:
    dossier = draft(passport())
    gone = time_over(passport(), dossier, "draft_reminder:7", MONDAY, DIRECTORY, WORDS)
    assert gone.events == ("draft_reminder:7",)
    assert [one.name for one in gone.timers] == ["draft", "draft_reminder:7", "draft_reminder:1"]
    later = MONDAY + timedelta(days=31)
    closed = time_over(passport(), dossier, "draft", later, DIRECTORY, WORDS)
    assert (closed.dossier.state, closed.dossier.closed_at, closed.timers) == ("draft", later, ())
    refused("void_timer", lambda: time_over(passport(), dossier, "draft", MONDAY, DIRECTORY, WORDS))


# -- the due of a visit stops while a slot is held -----------------------------------------------------------------------


def test_the_due_date_stands_still_while_a_slot_is_held() -> None:
    story = Story(passport()).submit().take("conforme").pay(30_000)
    due = story.dossier.due_at
    assert due == datetime(2027, 1, 22, 23, 59, 59, tzinfo=UTC)
    story.book_slot("2026-12-02 08:30")
    assert story.dossier.due_paused_at == MONDAY
    assert story.folds()
    assert story.last
    assert [one.name for one in story.last.timers] == ["visit:depot:0", "reminder:depot:0:0", "reminder:depot:0:1"]
    story.now = MONDAY + timedelta(days=2)
    story.keep(release(story.definition, story.dossier, "depot", OWNER, story.now, DIRECTORY, WORDS), OWNER)
    assert (story.dossier.due_at, story.dossier.due_paused_at) == (due + timedelta(days=2), None)
    assert story.last.releases == ("b1",)
    assert story.folds()


def test_two_minutes_with_a_slot_give_no_day_more() -> None:
    story = Story(passport()).submit().take("conforme").pay(30_000)
    due = story.dossier.due_at
    story.book_slot("2026-12-02 08:30")
    story.now = MONDAY + timedelta(minutes=2)
    story.keep(release(story.definition, story.dossier, "depot", OWNER, story.now, DIRECTORY, WORDS), OWNER)
    assert (story.dossier.due_at, story.dossier.due_paused_at) == (due, None)


def test_a_visit_that_nobody_marks_holds_the_time_no_longer_than_its_day() -> None:
    story = Story(passport()).submit().take("conforme").pay(30_000)
    due = story.dossier.due_at
    assert due
    story.book_slot("2026-12-02 08:30")
    over = datetime(2026, 12, 2, 23, 59, 59, tzinfo=UTC)
    assert story.last
    assert [one.due_at for one in story.last.timers if one.name == "visit:depot:0"] == [over]

    def day_over(now: datetime) -> Decision:
        return time_over(story.definition, story.dossier, "visit:depot:0", now, DIRECTORY, WORDS)

    refused("void_timer", lambda: day_over(over - timedelta(seconds=1)))
    story.now = over + timedelta(days=3)  # however late the tour comes
    story.keep(day_over(story.now))
    assert (story.state, story.dossier.bookings["depot"].status) == ("rendez_vous", "booked")
    assert (story.dossier.missed, story.last.events) == ({}, ())
    assert (story.dossier.due_at, story.dossier.due_paused_at) == (due + timedelta(days=9), None)
    assert [one.name for one in story.last.timers if one.name.partition(":")[0] in ("due", "visit")] == ["due"]
    refused("void_timer", lambda: day_over(story.now))
    assert story.folds()
    late = time_over(story.definition, story.dossier, "due", due + timedelta(days=9), DIRECTORY, WORDS)
    assert late.dossier.state != "rendez_vous"


def test_an_end_gives_the_slot_back() -> None:
    ways = (*passport().transitions, act("retirer", "rendez_vous", "retire", APPLICANT))
    plain = passport()
    leaving = {**plain.leaving, "rendez_vous": (*plain.leaving["rendez_vous"], ways[-1])}
    wider = replace(plain, transitions=ways, leaving=leaving, fingerprint="wider")
    story = Story(wider).submit().take("conforme").pay(30_000).book_slot("2026-12-02 08:30")
    story.take("retirer", OWNER)
    assert story.last
    assert story.last.releases == ("b1",)
    assert story.dossier.bookings["depot"].status == "cancelled"


def test_a_book_state_is_left_as_soon_as_the_slot_is_taken() -> None:
    states = (
        state("reserver", "book", "to_book", waits=("depot",), booked=True, due=lasting("10 days")),
        state("venir", "attend", "to_book", waits=("depot",), due=lasting("60 days")),
        state("fini", "end", outcome="granted"),
    )
    ways = (auto("reserver", "booked", "venir"), auto("venir", "done", "fini"))
    story = Story(book(states, ways, (DEPOT,))).submit().book_slot("2026-12-02 08:30")
    assert (story.state, story.dossier.due_paused_at) == ("venir", MONDAY)
    eve = datetime(2026, 12, 1, 23, 59, tzinfo=UTC)
    refused("visit_ahead", lambda: task_done(story.definition, story.dossier, "depot", CLERK, eve, DIRECTORY, WORDS))
    story.now = datetime(2026, 12, 2, tzinfo=UTC)  # the first minute of the day of the visit
    story.keep(task_done(story.definition, story.dossier, "depot", CLERK, story.now, DIRECTORY, WORDS), CLERK)
    assert (story.state, story.folds()) == ("fini", True)


# -- parallel work, clocks, effects --------------------------------------------------------------------------------------

RAPPORT = Form(
    id="rapport", label=Text.of("Rapport"), by=("controleur",), after=("depot",),
    pages=(Page(id="p", title=Text.of("P"), fields=(text_field("avis"),)),),
)  # fmt: skip
FEU = Form(id="feu", label=Text.of("Feu"), by=("chef",), when=is_("mode", "poste"))


def gather_book() -> Procedure:
    states = (
        state("instruction", "gather", waits=("depot", "rapport", "feu"), due=lasting("30 days")),
        state("pieces", "correct", "to_correct", waits=(APPLICATION,), correct="requested"),
        state("decision", "by", by=("controleur",)),
        state("tacite", "end", outcome="granted"),
        state("non", "end", outcome="refused"),
    )
    ways = (
        auto("instruction", "rapport", "non", when=is_("avis", "contraire")),
        auto("instruction", "done", "decision"),
        act("demander", "instruction", "pieces", "controleur", asks=frozenset({"correction"})),
        auto("pieces", "done", "instruction"),
        auto("instruction", "silence", "tacite"),
        auto("decision", "silence", "tacite"),
        act("revoir", "decision", "instruction", "controleur", reopens=("rapport",)),
        act("refuser", "decision", "non", "controleur"),
    )
    silence = TimeLimit(
        id="silence", label=Text.of("Silence"), lasts=lasting("30 days"), runs_in=frozenset({"instruction", "decision"}),
        paused_in=frozenset({"pieces"}),
    )  # fmt: skip
    return book(states, ways, (DEPOT, RAPPORT, FEU), clocks=(silence,))


def test_tasks_are_awaited_together_and_open_in_their_order() -> None:
    story = Story(gather_book()).submit()
    refused("not_yet", lambda: story.done("rapport", CHECKER, avis="bon"))
    refused("not_now", lambda: story.done("feu"))  # nobody waits for it
    story.book_slot("2026-12-02 08:30").done("depot", CLERK)
    refused("role", lambda: story.done("rapport", CLERK, avis="bon"))
    assert story.state == "instruction"
    assert story.done("rapport", CHECKER, avis="bon").state == "decision"
    story.take("revoir")
    assert (story.state, "avis" in story.dossier.answers, "depot" in story.dossier.done) == ("instruction", False, True)
    assert story.folds()


def test_one_task_may_decide_alone() -> None:
    story = Story(gather_book()).submit().book_slot("2026-12-02 08:30").done("depot", CLERK)
    assert story.done("rapport", CHECKER, avis="contraire").state == "non"


def test_the_clock_of_the_law_keeps_its_count() -> None:
    story = Story(gather_book()).submit().wait("10 days").take("demander", correction={"nom": "flou"})
    assert story.dossier.clocks["silence"] == ClockState(10 * 86_400, None, began=MONDAY)
    story.wait("25 days").corrected().wait("19 days")
    assert story.state == "instruction"
    story.wait("2 days")
    assert (story.state, story.folds()) == ("tacite", True)


def test_a_clock_is_over_once_its_states_are_left() -> None:
    story = Story(gather_book()).submit().book_slot("2026-12-02 08:30").done("depot", CLERK)
    story.done("rapport", CHECKER, avis="bon").take("refuser")
    assert story.dossier.clocks["silence"].over


def test_documents_are_revoked_and_issued_again() -> None:
    states = (
        state("valide", "by", by=("controleur",), effects=Effects(issues=("lettre", "formulaire"))),
        state("suspendu", "by", by=("controleur",), effects=Effects(suspends=("lettre",))),
        state("annule", "by", by=("controleur",), effects=Effects(revokes=("lettre",), returns={"frais": 50})),
    )
    ways = (
        act("suspendre", "valide", "suspendu", "controleur"),
        act("lever", "suspendu", "valide", "controleur", effects=Effects(restores=("lettre",))),
        act("annuler", "valide", "annule", "controleur"),
        act("rendre", "annule", "valide", "controleur"),
    )
    story = Story(book(states, ways, outputs=tuple(passport().outputs.values()))).submit()
    assert story.issued == ["lettre", "formulaire"]
    story.take("suspendre")
    assert story.last
    assert story.last.documents == (("lettre-0", "suspended"),)
    story.take("lever")
    assert [one.status for one in story.dossier.documents] == ["valid", "valid"]
    story.take("annuler")
    assert story.last.documents == (("lettre-0", "revoked"),)
    assert story.last.returns == ()  # nothing was paid
    assert story.take("rendre").issued == ["lettre", "formulaire", "lettre"]


def test_an_agent_keeps_a_dossier_until_other_roles_have_it() -> None:
    story = Story(passport()).submit()
    story.dossier = replace(story.dossier, assigned="agent_1")
    story.take("faire_corriger", reason="x", correction={"nom": ""}).corrected()
    assert story.dossier.assigned == "agent_1"
    story.take("conforme").pay(30_000).book_slot("2026-12-02 08:30").done("depot", CLERK)
    assert story.dossier.assigned is None


def test_kept_to_the_hand_that_began_unless_it_left() -> None:
    states = (
        state("a", "by", by=("controleur",)),
        state("b", "by", by=("controleur",)),
        state("c", "end", outcome="granted"),
    )
    ways = (act("ouvrir", "a", "b", "controleur"), act("fermer", "b", "c", "controleur", same_as="ouvrir"))
    story = Story(book(states, ways)).submit().take("ouvrir")
    refused("same_as", lambda: story.take("fermer", SECOND))
    people = {CHECKER.id: replace(CHECKER, roles=frozenset())}
    offers = open_transitions(story.definition, story.dossier, SECOND, MONDAY, DIRECTORY, WORDS, people)
    assert offers[0].open
    assert story.take("fermer").state == "c"


def test_two_holders_go_on_for_ever_where_each_bars_the_one_before() -> None:
    """The last person counts alone: after two refusals a third has a holder, as P9 proves for two seats."""
    states = (state("a", "by", by=("controleur",)), state("b", "by", by=("controleur",)))
    ways = (act("refuser", "a", "b", "controleur", other_than=("refuser",)), act("rouvrir", "b", "a", "controleur"))
    story = Story(book(states, ways)).submit()
    for holder in (CHECKER, SECOND, CHECKER):
        story.take("refuser", holder).take("rouvrir", holder)
        refused("four_eyes", lambda who=holder: story.take("refuser", who))


def test_everything_may_be_corrected() -> None:
    states = (
        state("a", "by", by=("controleur",)),
        state("b", "correct", "to_correct", waits=(APPLICATION,), correct="everything"),
        state("c", "end", outcome="granted"),
    )
    story = Story(book(states, (act("rendre", "a", "b", "controleur"), auto("b", "done", "c")))).submit().take("rendre")
    assert story.dossier.correction
    assert set(story.dossier.correction.fields) == {"nom", "prenoms", "mode"}
    assert story.done(APPLICATION, OWNER).state == "c"  # what was left as it was is right too


def test_a_guard_over_what_the_act_fills_is_judged_with_it() -> None:
    good = is_("avis", "bon")
    states = (
        state("a", "by", by=("controleur",)), state("oui", "end", outcome="granted"), state("non", "end", outcome="refused"),
    )  # fmt: skip
    form = replace(RAPPORT, after=())
    ways = (
        act("rendre", "a", "oui", "controleur", when=good, fills="rapport"),
        act("rendre", "a", "non", "controleur", when=is_("avis", "mauvais"), rank=1, fills="rapport"),
    )
    procedure = book(states, ways, (form,))
    assert Story(procedure).submit().take("rendre", filling={"avis": "bon"}).state == "oui"
    assert Story(procedure).submit().take("rendre", filling={"avis": "mauvais"}).state == "non"
    error = refused("guard", lambda: Story(procedure).submit().take("rendre", filling={"avis": "autre"}))
    assert error.reason.facts["names"] == ("avis",)


def test_entries_hold_codes_and_never_what_was_written() -> None:
    story = Story(passport()).submit().take("faire_corriger", reason="Acte illisible", correction={"nom": "À la main"})
    assert story.last
    entry = story.last.entries[0]
    assert "illisible" not in repr(entry.body)
    assert entry.commits == {"reason": "Acte illisible", "correction.nom": "À la main"}
    assert entry.body["fields"] == ["nom"]
    assert entry.body["by"] == "ville/controleur"


def test_a_changed_byte_of_the_dossier_is_seen() -> None:
    story = Story(passport()).submit()
    assert differences(fold(story.journal), projection_of(replace(story.dossier, state="pret"))) == ("state",)
    assert differences(fold([]), projection_of(story.dossier)) == ("state", "due", "done", "revision", "hands")
    assert fold([]) == Projection()


def test_two_books_of_one_name_do_not_share_a_machine() -> None:
    first = book(
        (state("a", "by", by=("controleur",)), state("b", "end", outcome="granted")),
        (act("x", "a", "b", "controleur"),),
    )
    second = replace(
        book(
            (state("a", "by", by=("controleur",)), state("c", "end", outcome="granted")),
            (act("x", "a", "c", "controleur"),),
        ),
        fingerprint=first.fingerprint,
    )
    assert Story(first).submit().take("x").state == "b"
    assert Story(second).submit().take("x").state == "c"


# -- whatever chance tries ---------------------------------------------------------------------------------------------

BOOKS = (passport(), register_book(), gather_book(), two_fees())
PEOPLE = (OWNER, STRANGER, CHECKER, SECOND, CLERK, MAKER, BOTH, SYSTEM_ACTOR)
NAMES = sorted({way.id for one in BOOKS for way in one.transitions} | {name for one in BOOKS for name in one.tasks})
TIMERS = ["due", "wait", "remind:0", "silence", "recherche", "reminder:depot:0:0", "before:0", "draft"]
STEPS = some.lists(
    some.tuples(
        some.sampled_from(
            [
                "open",
                "open",
                "open",
                "open",
                "settle",
                "settle",
                "settle",
                "book",
                "book",
                "book",
                "take",
                "done",
                "pay",
                "missed",
                "release",
                "time",
                "look_up",
                "wait",
            ]
        ),
        some.sampled_from(NAMES),
        some.sampled_from(PEOPLE),
        some.integers(0, 60),
    ),
    min_size=12,
    max_size=40,
)


def _act_open(story: Story, number: int) -> tuple[str, Actor] | None:
    """One of the acts that somebody could take now; those that end the story, seldom."""
    ways = [
        (offer.transition.id, who)
        for who in PEOPLE
        for offer in open_transitions(story.definition, story.dossier, who, story.now, DIRECTORY, WORDS)
        if offer.open and (number % 5 == 0 or not story.definition.state(offer.transition.target).is_end)
    ]
    return ways[number % len(ways)] if ways else None


def _try(story: Story, verb: str, name: str, who: Actor, number: int) -> None:
    where = (who, story.now, DIRECTORY, WORDS)
    if verb == "open":
        chosen = _act_open(story, number)
        if chosen:
            name, who = chosen
            given = (
                {"avis": "bon"}
                if any(w.fills == "rapport" for w in story.definition.transitions if w.id == name)
                else {}
            )
            story.keep(
                take(story.definition, story.dossier, Act(name, "motif", {"nom": "flou"}, given), who, *where[1:]), who
            )
    elif verb == "settle":
        for task in open_tasks(story.definition, story.dossier, Moment(story.definition, *where).scope(story.dossier)):
            _try(story, "pay" if isinstance(task, Fee) else "done", task.id, SYSTEM_ACTOR, 60)
            break
    elif verb == "take":
        given = Act(name, "motif", {"nom": "flou"}, {"avis": "bon"} if number % 2 else {})
        story.keep(take(story.definition, story.dossier, given, *where), where[0])
    elif verb == "done":
        if name == APPLICATION and story.dossier.correction:
            made = frozenset(story.dossier.correction.fields)
            story.dossier = replace(story.dossier, correction=replace(story.dossier.correction, made=made))
        story.keep(task_done(story.definition, story.dossier, name, *where), where[0])
    elif verb == "pay":
        story.keep(pay(story.definition, story.dossier, ("frais", "envoi"), number * 1_000, *where), where[0])
    elif verb == "book":
        day = (story.now + timedelta(days=number % 20)).replace(hour=8, minute=30, second=0, microsecond=0)
        story.book_slot(day.replace(tzinfo=None).isoformat())
    elif verb == "missed":
        story.keep(no_show(story.definition, story.dossier, "depot", *where), where[0])
    elif verb == "release":
        story.keep(release(story.definition, story.dossier, "depot", *where), where[0])
    elif verb == "time":
        timer = TIMERS[number % len(TIMERS)]
        story.keep(time_over(story.definition, story.dossier, timer, story.now, DIRECTORY, WORDS))
    elif verb == "look_up":
        story.looked_up("found" if number % 2 else "not_found")
    else:
        story.wait(f"{number} days")


@settings(max_examples=200, deadline=None)
@given(some.sampled_from(BOOKS), STEPS)
@pytest.mark.slow
def test_chance_finds_no_way_out_of_the_book(procedure: Procedure, steps: list[tuple[str, str, Actor, int]]) -> None:
    story = Story(procedure).submit()
    for verb, name, who, number in steps:
        with suppress(Refused):
            _try(story, verb, name, who, number)
        dossier = story.dossier
        assert dossier.state in procedure.states
        assert (dossier.closed_at is not None) == procedure.state(dossier.state).is_end
        assert all(task in procedure.tasks for task in dossier.done)
        assert story.folds()
        for offer in open_transitions(procedure, dossier, who, story.now, DIRECTORY, WORDS):
            assert offer.transition.source == dossier.state
            assert offer.transition.event is None


def test_dates_as_due() -> None:
    limit = rule("date", lambda scope: date(2026, 12, 1), type_=DATE)
    states = (state("a", "by", by=("controleur",), due=limit), state("b", "end", outcome="granted"))
    story = Story(book(states, (act("x", "a", "b", "controleur"),))).submit()
    assert story.dossier.due_at == datetime(2026, 12, 1, 23, 59, 59, tzinfo=UTC)
