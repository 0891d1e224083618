"""Nobody decides after the law did, though no worker has come by; what merely happens is kept, and the clock decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from engine.core.values import Text
from engine.domain.workflow import opinions as gathering
from engine.domain.workflow.actions import no_show, open_transitions
from engine.domain.workflow.timers import time_over
from engine.model import APPLICANT, APPLICATION, Consulted, Form, Page, Procedure, TimeLimit
from engine.model.directory import Calendar
from engine.records.dossier import Actor
from tests.engine.domain.small_procedure import (
    CHECKER,
    CLERK,
    DEPOT,
    DIRECTORY,
    FRAIS,
    MONDAY,
    OWNER,
    WORDS,
    act,
    auto,
    book,
    choice,
    is_,
    lasting,
    span,
    state,
)
from tests.engine.domain.workflow.test_workflow import Story, refused

FEU = Form(
    id="avis", label=Text.of("Avis"),
    asked=Page(id="p", title=Text.of("P"), fields=(choice("opinion", "favourable", "unfavourable"),)),
    services=(
        Consulted(id="feu", label=Text.of("Feu"), by=("chef",), due=span("5 days"), silence="favourable"),
        Consulted(id="eau", label=Text.of("Eau"), by=("controleur",), due=span("9 days"), silence="none"),
    ),
)  # fmt: skip
CHIEF = Actor("agent", "chief", roles=frozenset({"ville/chef"}))
END = datetime(2026, 12, 23, 23, 59, 59, tzinfo=UTC)


def silence_book(**clock: object) -> Procedure:
    states = (
        state("examen", "by", by=("controleur",), due=lasting("5 days")),
        state("avis", "gather", waits=("avis",)),
        state("payer", "pay", "to_pay", waits=("frais",), due=lasting("90 days")),
        state("pieces", "correct", "to_correct", waits=(APPLICATION,), correct="requested", due=lasting("60 days")),
        state("perime", "by", by=("controleur",), due=lasting("10 days")),
        state("recours", "by", by=("controleur",)),
        state("tacite", "end", outcome="granted"),
        state("non", "end", outcome="refused"),
        state("retire", "end", outcome="withdrawn"),
    )
    ways = (
        act("refuser", "examen", "non", "controleur"),
        act("consulter", "examen", "avis", "controleur"),
        act("chiffrer", "examen", "payer", "controleur"),
        act("completer", "examen", "pieces", "controleur", asks=frozenset({"correction"})),
        act("attendre", "examen", "perime", "controleur"),
        act("retirer", "examen", "retire", APPLICANT),
        auto("examen", "silence", "tacite"),
        act("abreger", "avis", "non", "controleur"),
        auto("avis", "done", "recours"),
        auto("payer", "done", "recours"),
        auto("payer", "silence", "tacite"),
        auto("pieces", "done", "examen"),
        auto("pieces", "due", "retire"),
        act("clore", "pieces", "non", "controleur"),
        act("garder", "perime", "recours", "controleur"),
        act("reprendre", "perime", "examen", APPLICANT),
        auto("perime", "due", "retire"),
    )
    silence = TimeLimit(
        id="silence", label=Text.of("Silence"), lasts=lasting("30 days"), runs_in=frozenset({"examen", "payer"}),
        paused_in=frozenset({"pieces", "avis", "perime"}),
    )  # fmt: skip
    return book(states, ways, (FRAIS, FEU), clocks=(replace(silence, **clock),))  # type: ignore[arg-type]


def at(story: Story, instant: datetime) -> Story:
    """The hour comes, and no worker with it."""
    story.now = instant
    return story


def closed(story: Story, name: str, who: Actor = CHECKER) -> str | None:
    found = open_transitions(story.definition, story.dossier, who, story.now, DIRECTORY, WORDS)
    one = next(offer for offer in found if offer.transition.id == name)
    return one.closed.code if one.closed else None


def test_to_the_second_the_agent_may_refuse_and_then_the_law_has_granted() -> None:
    story = at(Story(silence_book()).submit(), END - timedelta(seconds=1))
    assert closed(story, "refuser") is None
    for late in (END, END + timedelta(days=1), END + timedelta(days=200)):
        at(story, late)
        assert closed(story, "refuser") == "time_past"
        error = refused("time_past", lambda: story.take("refuser"))
        assert dict(error.reason.facts) == {"until": END.isoformat(), "state": "tacite"}
    story.keep(time_over(story.definition, story.dossier, "silence", story.now, DIRECTORY, WORDS))
    assert (story.state, story.folds()) == ("tacite", True)


def test_a_clock_that_stands_still_closes_nothing_and_counts_what_is_left() -> None:
    story = at(Story(silence_book()).submit(), MONDAY + timedelta(days=20)).take("completer", correction={"nom": "?"})
    at(story, MONDAY + timedelta(days=60)).corrected()
    assert closed(at(story, MONDAY + timedelta(days=69)), "refuser") is None
    assert closed(at(story, MONDAY + timedelta(days=71)), "refuser") == "time_past"


def test_a_holiday_decreed_meanwhile_counts() -> None:
    story = Story(silence_book(lasts=lasting("10 working days"))).submit()
    end = next(one.due_at for one in story.timers() if one.name == "silence")
    at(story, end)
    assert closed(story, "refuser") == "time_past"
    decreed = replace(DIRECTORY, calendar=Calendar(holidays={date(2026, 11, 30): Text.of("Deuil")}))
    found = open_transitions(story.definition, story.dossier, CHECKER, end, decreed, WORDS)
    assert all(one.open for one in found if one.transition.id == "refuser")


def test_a_clock_that_leads_nowhere_from_there_closes_nothing() -> None:
    ways = (act("refuser", "examen", "non", "controleur"),)
    states = (state("examen", "by", by=("controleur",)), state("non", "end", outcome="refused"))
    only_told = TimeLimit(id="alerte", label=Text.of("Alerte"), lasts=lasting("3 days"), runs_in=frozenset({"examen"}))
    story = at(Story(book(states, ways, clocks=(only_told,))).submit(), END)
    assert story.take("refuser").state == "non"


def test_a_way_that_the_book_forbids_closes_nothing() -> None:
    """The worker could not take it either: a person must look."""
    states = (
        state("examen", "by", by=("controleur",)),
        state("ici", "wait", wait=lasting("0 days")),
        state("la", "wait", wait=lasting("0 days")),
        state("non", "end", outcome="refused"),
    )
    ways = (
        act("refuser", "examen", "non", "controleur"), auto("examen", "silence", "ici"), auto("ici", "done", "la"),
        auto("la", "done", "ici"),
    )  # fmt: skip
    clock = TimeLimit(id="silence", label=Text.of("S"), lasts=lasting("3 days"), runs_in=frozenset({"examen"}))
    story = at(Story(book(states, ways, clocks=(clock,))).submit(), END)
    refused("endless", lambda: time_over(story.definition, story.dossier, "silence", story.now, DIRECTORY, WORDS))
    assert story.take("refuser").state == "non"


# -- the applicant -----------------------------------------------------------------------------------------------------


def test_nobody_withdraws_what_the_law_has_granted() -> None:
    story = at(Story(silence_book()).submit(), END)
    assert closed(story, "retirer", OWNER) == "time_past"


def test_the_state_s_own_time_binds_agents_and_leaves_the_applicant_their_answer() -> None:
    story = Story(silence_book()).submit().take("completer", correction={"nom": "?"})
    at(story, MONDAY + timedelta(days=62))
    refused("time_past", lambda: story.take("clore"))
    assert story.corrected().state == "examen"
    story.take("attendre")
    at(story, story.now + timedelta(days=11))
    refused("time_past", lambda: story.take("garder"))
    assert story.take("reprendre", OWNER).state == "examen"


def test_a_late_way_that_may_have_been_closed_when_it_rang_closes_nothing() -> None:
    """It rings once: an act must not wait for it for ever."""
    states = (
        state("examen", "gather", waits=("rapport",), due=lasting("5 days")), state("non", "end", outcome="refused"),
        state("oui", "end", outcome="granted"),
    )  # fmt: skip
    ways = (
        act("refuser", "examen", "non", "controleur"), auto("examen", "done", "oui"),
        auto("examen", "due", "oui", when=is_("mode", "poste")),
    )  # fmt: skip
    rapport = Form(id="rapport", label=Text.of("Rapport"), by=("controleur",))
    story = Story(book(states, ways, (rapport,))).submit()
    story.dossier = replace(story.dossier, answers={**story.dossier.answers, "mode": "poste"})
    assert at(story, END).take("refuser").state == "non"


# -- services ----------------------------------------------------------------------------------------------------------


def give(story: Story, service: str, who: Actor) -> Story:
    said = {"opinion": "unfavourable"}
    return story.keep(
        gathering.give_opinion(story.definition, story.dossier, service, said, who, story.now, DIRECTORY, WORDS), who
    )


def test_an_opinion_comes_too_late_once_silence_has_answered() -> None:
    story = Story(silence_book()).submit().take("consulter")
    at(story, MONDAY + timedelta(days=6))
    refused("silence_past", lambda: give(story, "feu", CHIEF))
    assert closed(story, "abreger") is None  # the other service is still awaited
    assert give(story, "eau", CHECKER).state == "avis"
    story.keep(time_over(story.definition, story.dossier, "feu", story.now, DIRECTORY, WORDS))
    assert (story.state, story.dossier.answers["feu"]) == ("recours", "favourable")


def test_once_all_are_silent_the_round_is_over() -> None:
    story = at(Story(silence_book()).submit().take("consulter"), MONDAY + timedelta(days=10))
    assert closed(story, "abreger") == "time_past"
    refused("time_past", lambda: give(story, "eau", CHECKER))


# -- what merely happens -----------------------------------------------------------------------------------------------


def test_money_is_kept_and_the_clock_decides() -> None:
    story = Story(silence_book()).submit().take("chiffrer")
    owed = story.dossier.owed["frais"].amount
    at(story, END + timedelta(days=2)).pay(owed)
    assert (story.state, story.dossier.owed["frais"].left, story.dossier.clocks["silence"].over) == ("payer", 0, False)
    story.keep(time_over(story.definition, story.dossier, "silence", story.now, DIRECTORY, WORDS))
    assert (story.state, story.folds()) == ("tacite", True)


def test_an_absence_is_noted_and_the_clock_decides() -> None:
    states = (
        state("venir", "attend", "to_book", waits=("depot",), due=lasting("90 days")),
        state("tacite", "end", outcome="granted"),
        state("non", "end", outcome="refused"),
    )
    ways = (auto("venir", "done", "tacite"), auto("venir", "missed", "non"), auto("venir", "silence", "tacite"))
    clock = TimeLimit(id="silence", label=Text.of("S"), lasts=lasting("8 days"), runs_in=frozenset({"venir"}))
    story = Story(book(states, ways, (replace(DEPOT, no_show=0),), clocks=(clock,))).submit()
    story.book_slot("2026-12-02 08:30")
    at(story, MONDAY + timedelta(days=12))
    story.keep(no_show(story.definition, story.dossier, "depot", CLERK, story.now, DIRECTORY, WORDS), CLERK)
    assert (story.state, story.dossier.missed["depot"]) == ("venir", 1)
    story.keep(time_over(story.definition, story.dossier, "silence", story.now, DIRECTORY, WORDS))
    assert (story.state, story.folds()) == ("tacite", True)
