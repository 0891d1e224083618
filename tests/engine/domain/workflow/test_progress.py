"""What the person who waits is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.clock import local_day
from engine.core.values import Text
from engine.domain.common.decision import Act
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.actions import pay, submit, take
from engine.domain.workflow.progress import (
    applicants_act,
    is_examined,
    likely_path,
    public_key,
    public_status,
    silence_of,
    timeline,
)
from engine.model import Procedure, TimeLimit, Transition
from engine.model.types import TRUE
from engine.records.dossier import SYSTEM_ACTOR, Booking, Dossier, IssuedDocument, TakenTransition
from tests.engine.domain.small_procedure import (
    APPLICANT,
    CHECKER,
    DEPOT,
    DIRECTORY,
    FRAIS,
    MONDAY,
    OWNER,
    WORDS,
    act,
    auto,
    book,
    draft,
    is_,
    not_,
    passport,
    state,
)
from tests.makers import the_procedure

PASSPORT = passport()


def sent(procedure: Procedure = PASSPORT) -> Dossier:
    return submit(procedure, draft(procedure), OWNER, MONDAY, DIRECTORY, WORDS).dossier


def after(dossier: Dossier, name: str, days: int = 1, **more: object) -> Dossier:
    now = MONDAY + timedelta(days=days)
    return take(PASSPORT, dossier, Act(name, **more), CHECKER, now, DIRECTORY, WORDS).dossier  # type: ignore[arg-type]


def test_the_status_box_says_who_acts_until_when() -> None:
    table = {
        "draft": (draft(PASSPORT), "applicant"),
        "in_review": (sent(), "us"),
        "to_pay": (after(sent(), "conforme"), "applicant"),
        "to_correct": (after(sent(), "faire_corriger", reason="x", correction={"nom": "y"}), "applicant"),
        "refused": (after(sent(), "refuser", reason="x"), "nobody"),
    }
    for public, (dossier, who) in table.items():
        status = public_status(PASSPORT, dossier, MONDAY)
        assert (status.public, status.who) == (public, who)
    asked = public_status(PASSPORT, table["to_correct"][0], MONDAY)
    assert asked.to_correct == ("nom",)
    assert asked.until == datetime(2026, 12, 24, 23, 59, 59, tzinfo=UTC)
    assert asked.label.in_("fr") == "A Corriger"


@pytest.mark.parametrize(
    ("procedure", "examined", "other"),
    [
        ("passeport-ordinaire", ("conformite", "originaux"), ("production",)),
        ("e-visa", ("instruction",), ("signature",)),
        ("permis-de-construire", ("recevabilite", "instruction"), ("commission", "signature", "signature_refus")),
    ],
)
def test_agents_examine_where_they_may_ask_or_choose_to_refuse(
    procedure: str, examined: tuple[str, ...], other: tuple[str, ...]
) -> None:
    """Elsewhere « Un agent vérifie votre dossier » is untrue: a signature, a production."""
    shipped = the_procedure(procedure)
    found = {name: is_examined(shipped, shipped.states[name]) for name in (*examined, *other)}
    assert found == dict.fromkeys(examined, True) | dict.fromkeys(other, False)


def test_lateness_of_the_administration_is_owned_up() -> None:
    late = MONDAY + timedelta(days=30)
    assert public_status(PASSPORT, sent(), late).late
    assert not public_status(PASSPORT, sent(), MONDAY).late
    assert not public_status(PASSPORT, after(sent(), "conforme"), late + timedelta(days=30)).late


def test_a_slot_held_is_the_date_that_counts() -> None:
    start = datetime(2026, 12, 2, 8, 30, tzinfo=UTC)
    dossier = pay(
        PASSPORT, after(sent(), "conforme"), ("frais",), 30_000, SYSTEM_ACTOR, MONDAY, DIRECTORY, WORDS
    ).dossier
    assert public_key(PASSPORT, dossier) == "to_book"
    booked = replace(dossier, bookings={"depot": Booking("b", "depot", "centre", start, 20, 1)})
    status = public_status(PASSPORT, booked, MONDAY)
    assert (status.public, status.until, status.booking) == ("appointment", start, booked.bookings["depot"])


def test_with_the_document_in_hand_a_reviewed_request_is_accepted() -> None:
    card = IssuedDocument("i", "passeport", "P", "n", MONDAY, None, "c", "t", (), "", None, "")
    dossier = replace(sent(), documents=(card,))
    assert public_key(PASSPORT, dossier) == "accepted"
    assert public_status(PASSPORT, dossier, MONDAY).who == "nobody"
    assert public_key(PASSPORT, replace(dossier, documents=(replace(card, status="revoked"),))) == "in_review"


def test_in_parallel_the_applicant_s_part_comes_first() -> None:
    states = (state("a", "gather", waits=("frais", "depot")), state("b", "end", "accepted", outcome="granted"))
    procedure = book(states, (), (FRAIS, DEPOT))
    dossier = sent(procedure)
    assert public_key(procedure, dossier) == "to_pay"
    paid = pay(procedure, dossier, ("frais",), 30_000, SYSTEM_ACTOR, MONDAY, DIRECTORY, WORDS).dossier
    assert public_key(procedure, paid) == "to_book"


def test_why_the_applicant_acted_is_told_as_long_as_nobody_acted_since() -> None:
    asked = TakenTransition("contester", "refuse", "examen", MONDAY, "afi", "applicant", "J’y habite")
    dossier = replace(sent(), taken=(asked,))
    book_of = book((state("refuse", "end", "refused", outcome="refused"),), (), ())
    assert applicants_act(book_of, dossier) == asked
    for last in (replace(asked, reason=None), replace(asked, by_kind="agent"), replace(asked, by_kind="system")):
        assert applicants_act(book_of, replace(dossier, taken=(asked, last))) is None
    assert applicants_act(book_of, replace(dossier, taken=())) is None


def test_a_closed_draft() -> None:
    gone = draft(PASSPORT, closed_at=MONDAY)
    assert public_status(PASSPORT, gone, MONDAY).public == "closed"
    assert timeline(PASSPORT, gone, scope_of(PASSPORT, gone, local_day(MONDAY), DIRECTORY)) == ()


def test_the_timeline_tells_past_present_and_likely_future() -> None:
    dossier = after(sent(), "conforme", 2)
    scope = scope_of(PASSPORT, dossier, local_day(MONDAY), DIRECTORY)
    steps = timeline(PASSPORT, dossier, scope)
    assert [(one.state, one.when) for one in steps] == [
        ("conformite", "past"), ("a_payer", "present"), ("rendez_vous", "future"), ("originaux", "future"),
        ("production", "future"), ("pret", "future"), ("remis", "future"),
    ]  # fmt: skip
    assert (steps[0].at, steps[0].until) == (MONDAY, MONDAY + timedelta(days=2))
    assert steps[1].at == MONDAY + timedelta(days=2)
    at_once = after(sent(), "conforme", 0)  # an act is told, however quick
    assert [one.state for one in timeline(PASSPORT, at_once, scope)][:2] == ["conformite", "a_payer"]
    ended = after(sent(), "refuser", reason="x")
    assert [one.when for one in timeline(PASSPORT, ended, scope)] == ["past", "present"]


def test_the_likely_path_follows_what_holds_and_never_loops() -> None:
    states = (
        state("a", "by", by=("controleur",)), state("b", "by", by=("controleur",)),
        state("poste", "end", outcome="granted"), state("centre", "end", outcome="granted"),
        state("non", "end", outcome="refused"), state("perdu", "by", by=("controleur",)),
    )  # fmt: skip
    by_post = is_("mode", "poste")
    ways = (
        act("refuser", "a", "non", "controleur"),
        act("perdre", "a", "perdu", "controleur"),
        act("tourner", "perdu", "a", "controleur"),
        act("avancer", "a", "b", "controleur"),
        act("signer", "b", "poste", "controleur", when=by_post),
        act("signer", "b", "centre", "controleur", when=not_(by_post), rank=1),
        act("retirer", "b", "non", APPLICANT),
    )
    procedure = book(states, ways)
    for mode in ("centre", "poste"):
        dossier = submit(procedure, draft(procedure, answers={"mode": mode}), OWNER, MONDAY, DIRECTORY, WORDS).dossier
        scope = scope_of(procedure, dossier, local_day(MONDAY), DIRECTORY)
        assert likely_path(procedure, "a", scope) == ("b", mode)
    assert likely_path(procedure, "non", scope) == ()


def test_silence_is_not_what_usually_happens() -> None:
    """A clock of the law that grants is told only where nothing else leads to a good end."""
    states = (
        state("a", "by", by=("controleur",)), state("signe", "end", outcome="granted"),
        state("tacite", "end", outcome="granted"), state("non", "end", outcome="refused"),
    )  # fmt: skip
    silence = auto("a", "silence", "tacite")
    clock = TimeLimit(id="silence", label=Text.of("Silence"), lasts=TRUE, runs_in=frozenset({"a"}))
    granted, refused = act("signer", "a", "signe", "controleur"), act("refuser", "a", "non", "controleur")
    for acts, path in (((granted,), ("signe",)), ((), ("tacite",)), ((refused,), ())):
        procedure = replace(book(states, (silence, *acts)), clocks={"silence": clock})
        scope = scope_of(procedure, draft(procedure), local_day(MONDAY), DIRECTORY)
        assert likely_path(procedure, "a", scope) == path, "a refusal that waits for its signature promises nothing"


def test_what_the_silence_of_the_administration_means() -> None:
    """Said only where it is sure: by the time of a state or by a clock, and nothing else may follow."""
    due = MONDAY + timedelta(days=5)
    states = (
        state("a", "by", by=("controleur",)), state("b", "by", by=("controleur",)), state("oui", "end", outcome="granted"),
        state("non", "end", outcome="refused"),
    )  # fmt: skip
    given = is_("avis", "x")
    table: list[tuple[tuple[Transition, ...], object]] = [
        ((auto("a", "due", "oui"),), ("tacit_granted", due)),
        ((auto("a", "due", "non"),), ("tacit_refused", due)),
        ((auto("a", "due", "b"),), None),
        ((auto("a", "due", "oui", when=given), auto("a", "due", "b", when=not_(given), rank=1)), None),
        ((act("signer", "a", "oui", "controleur"),), None),
    ]
    for ways, meant in table:
        procedure = book(states, (*ways, act("x", "b", "oui", "controleur")))
        dossier = replace(sent(procedure), due_at=due)
        scope = scope_of(procedure, dossier, local_day(MONDAY), DIRECTORY)
        assert silence_of(procedure, dossier, scope, DIRECTORY.calendar) == meant
        assert silence_of(procedure, replace(dossier, due_paused_at=MONDAY), scope, DIRECTORY.calendar) is None


def test_what_is_not_known_yet_rules_nothing_out() -> None:
    states = (
        state("a", "look_up", waits=()), state("b", "end", outcome="granted"), state("c", "by", by=("controleur",)),
    )  # fmt: skip
    found = is_("recherche", "not_found")
    ways = (
        auto("a", "done", "b", when=found), auto("a", "done", "c", when=not_(found), rank=1),
        act("x", "c", "b", "controleur"),
    )  # fmt: skip
    procedure = book(states, ways)
    dossier = submit(procedure, draft(procedure), OWNER, MONDAY, DIRECTORY, WORDS).dossier
    scope = scope_of(procedure, dossier, local_day(MONDAY), DIRECTORY)
    assert likely_path(procedure, "a", scope) == ("b",)
    answered = replace(dossier, answers={**dossier.answers, "recherche": "found"})
    assert likely_path(procedure, "a", scope_of(procedure, answered, local_day(MONDAY), DIRECTORY)) == ("c", "b")
