"""Letters owed, their words and their price in SMS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.core.gsm7 import SmsParts, sms_parts, to_gsm
from engine.core.values import Text
from engine.domain.appointments.appointments import place
from engine.domain.common.decision import Act, Decision
from engine.domain.messages.notifications import notifications_for
from engine.domain.workflow.actions import pay, submit, take
from engine.domain.workflow.timers import time_over
from engine.model import Notice, Procedure, Template, TimeLimit
from engine.records.dossier import SYSTEM_ACTOR, Dossier, IssuedDocument, OutboundMessage
from tests.engine.domain.small_procedure import (
    CHECKER,
    DIRECTORY,
    MONDAY,
    OWNER,
    WORDS,
    act,
    book,
    draft,
    is_,
    lasting,
    not_,
    passport,
    span,
    state,
    text_field,
)


def template(text: str, *names: str) -> Template:
    return Template(Text.of(text), frozenset(names))


def notice(event: str, **more: object) -> Notice:
    return Notice(id=event, event=event, **more)  # type: ignore[arg-type]


def sent(procedure: Procedure, **more: object) -> Dossier:
    return submit(procedure, draft(procedure, **more), OWNER, MONDAY, DIRECTORY, WORDS).dossier


def letters(procedure: Procedure, before: Dossier, decision: Decision) -> tuple[OutboundMessage, ...]:
    numbers = count(1)
    return notifications_for(
        procedure, before, decision, OWNER, MONDAY, DIRECTORY, WORDS, "guichet.tg/s", lambda: f"l{next(numbers)}"
    )


def accepted(procedure: Procedure, dossier: Dossier) -> tuple[OutboundMessage, ...]:
    return letters(procedure, dossier, take(procedure, dossier, Act("conforme"), CHECKER, MONDAY, DIRECTORY, WORDS))


A_PAYER = notice(
    "a_payer",
    sms=template(
        "Passeport {dossier} : payez {frais} F avant le {due}. {nom}, {office}, {link} {inconnu}{mode}",
        "dossier", "frais", "due", "nom", "office", "link", "inconnu", "mode",
    ),
)  # fmt: skip


def test_a_notice_of_the_book_speaks_with_facts_of_the_dossier() -> None:
    procedure = passport(notices=(A_PAYER,))
    (letter,) = accepted(procedure, sent(procedure))
    assert (letter.channel, letter.to, letter.due_at) == ("sms", "+22890000000", MONDAY)
    assert letter.body == (
        "Passeport 26 4829 1137 4 : payez 30 000 F avant le 23/12/2026. AMEGAN, Mairie, guichet.tg/s Centre"
    )
    assert letter.dedupe == "d1:1:a_payer:sms:+22890000000"


@pytest.mark.parametrize("answer", ["{link}", "{0.__class__}", "%s {nom}", "{{nom}}", "\\1"])
def test_what_a_person_typed_is_never_a_template(answer: str) -> None:
    procedure = passport(notices=(notice("a_payer", sms=template("Bonjour {nom}.", "nom")),))
    (letter,) = accepted(procedure, sent(procedure, answers={"nom": answer}))
    assert letter.body == f"Bonjour {answer}."


def test_a_state_without_notice_says_its_public_label() -> None:
    procedure = passport()
    (letter,) = accepted(procedure, sent(procedure))
    assert letter.body.startswith("notice.to_pay.sms ")
    assert "dossier=26 4829 1137 4" in letter.body
    assert "amount=30 000" in letter.body
    assert "due=23/12/2026" in letter.body


def test_sending_says_it_was_received() -> None:
    procedure = passport()
    before = draft(procedure)
    (letter,) = letters(procedure, before, submit(procedure, before, OWNER, MONDAY, DIRECTORY, WORDS))
    assert letter.body.startswith("notice.sent.sms ")


def test_work_among_agents_says_nothing() -> None:
    states = (
        state("a", "by", by=("controleur",)),
        state("b", "by", by=("chef",)),
        state("c", "end", outcome="granted"),
    )
    procedure = book(states, (act("x", "a", "b", "controleur"), act("y", "b", "c", "chef")))
    dossier = sent(procedure)
    assert letters(procedure, dossier, take(procedure, dossier, Act("x"), CHECKER, MONDAY, DIRECTORY, WORDS)) == ()


def test_states_passed_at_once_say_nothing() -> None:
    procedure = passport(notices=(A_PAYER,))
    free = replace(
        procedure, tasks={**procedure.tasks, "frais": replace(procedure.tasks["frais"], when=is_("nom", "x"))}
    )
    (letter,) = accepted(free, sent(free))
    assert letter.body.startswith("notice.to_book.sms ")


def test_without_a_phone_the_message_takes_another_way() -> None:
    procedure = passport()
    by_mail = sent(procedure, contact_phone=None, contact_email="ama@exemple.tg")
    assert [(one.channel, one.to) for one in accepted(procedure, by_mail)] == [("email", "ama@exemple.tg")]
    by_inbox = sent(procedure, contact_phone=None)
    assert [(one.channel, one.to) for one in accepted(procedure, by_inbox)] == [("inbox", "ama")]


def test_channels_and_addressees() -> None:
    procedure = passport(
        fields=(text_field("nom"), text_field("conseil"), text_field("mode")),
        notices=(
            notice("conforme", to="controleur", inbox=template("Contrôle rendu : {dossier}", "dossier")),
            notice("conforme", to="autre/chef", email_subject=template("Vu"), email_body=template("Dossier {number}", "number")),
            notice("conforme", to="conseil", sms=template("Pour vous")),
            notice("conforme", sms=template("Fermée"), when=is_("mode", "jamais")),
            notice("a_payer", email_body=template("Payez avant {due}", "due"), sms=template("Payez")),
        ),
    )  # fmt: skip
    answers = {"nom": "AMEGAN", "conseil": "+22891111111", "mode": "centre"}
    dossier = sent(procedure, answers=answers, contact_email="ama@exemple.tg")
    assert [(one.channel, one.to, one.subject, one.body) for one in accepted(procedure, dossier)] == [
        ("inbox", "role:ville/controleur", "Essai", "Contrôle rendu : 26 4829 1137 4"),
        ("email", "role:autre/chef", "Vu", "Dossier "),
        ("sms", "+22891111111", "", "Pour vous"),
        ("sms", "+22890000000", "", "Payez"),
        ("email", "ama@exemple.tg", "Essai", "Payez avant 2026-12-23"),
    ]


def test_a_meeting_and_a_document_are_named() -> None:
    told = template("{meeting} {office} n° {number} : {reason}", "meeting", "office", "number", "reason")
    procedure = passport(notices=(notice("refuse", sms=told),))
    dossier = sent(procedure)
    decision = take(procedure, dossier, Act("refuser", "Identité douteuse"), CHECKER, MONDAY, DIRECTORY, WORDS)
    letter = IssuedDocument("i", "lettre", "L", "VILLE-2026-00001", MONDAY, None, "c", "t", (), "", None, "")
    kept = replace(decision, dossier=replace(decision.dossier, documents=(letter,)))
    assert letters(procedure, dossier, kept)[0].body == " Mairie n° VILLE-2026-00001 : Identité douteuse"


def test_booking_is_confirmed_and_recalled() -> None:
    procedure = passport()
    dossier = take(procedure, sent(procedure), Act("conforme"), CHECKER, MONDAY, DIRECTORY, WORDS).dossier
    dossier = pay(procedure, dossier, ("frais",), 30_000, SYSTEM_ACTOR, MONDAY, DIRECTORY, WORDS).dossier
    start = datetime(2026, 12, 2, 8, 30, tzinfo=UTC)
    decision = place(procedure, dossier, "depot", "centre", start, {}, OWNER, MONDAY, DIRECTORY, WORDS, booking_id="b")
    (confirmed,) = letters(procedure, dossier, decision)
    assert confirmed.body.startswith("notice.appointment.sms ")
    assert "meeting=02/12/2026 08h30" in confirmed.body
    reminded = time_over(procedure, decision.dossier, "reminder:depot:0:1", MONDAY, DIRECTORY, WORDS)
    (recalled,) = letters(procedure, decision.dossier, reminded)
    assert recalled.body.startswith("notice.reminder.sms ")


def test_a_visit_at_home_names_no_office_and_asks_for_no_papers() -> None:
    procedure = passport()
    there = replace(procedure.tasks["depot"], place="applicant")
    procedure = replace(procedure, tasks={**procedure.tasks, "depot": there})
    dossier = take(procedure, sent(procedure), Act("conforme"), CHECKER, MONDAY, DIRECTORY, WORDS).dossier
    dossier = pay(procedure, dossier, ("frais",), 30_000, SYSTEM_ACTOR, MONDAY, DIRECTORY, WORDS).dossier
    start = datetime(2026, 12, 2, 8, 30, tzinfo=UTC)
    decision = place(procedure, dossier, "depot", "centre", start, {}, OWNER, MONDAY, DIRECTORY, WORDS, booking_id="b")
    (confirmed,) = letters(procedure, dossier, decision)
    assert confirmed.body.startswith("notice.appointment_there.sms ")
    reminded = time_over(procedure, decision.dossier, "reminder:depot:0:1", MONDAY, DIRECTORY, WORDS)
    (recalled,) = letters(procedure, decision.dossier, reminded)
    assert recalled.body.startswith("notice.reminder_there.sms ")


def test_lateness_is_told_to_the_applicant_and_to_those_who_are_late() -> None:
    procedure = passport()
    dossier = sent(procedure)
    late = time_over(procedure, dossier, "due", MONDAY.replace(day=27), DIRECTORY, WORDS)
    found = letters(procedure, dossier, late)
    assert [(one.channel, one.to) for one in found] == [
        ("sms", "+22890000000"), ("inbox", "role:ville/controleur"), ("inbox", "role:ville/chef"),
    ]  # fmt: skip


def test_notices_before_wait_for_their_time() -> None:
    tacit = notice("silence", to="chef", before=span("5 days"), inbox=template("Avant le {due}", "due"))
    soon = notice("conformite", before=span("1 working day"), sms=template("Bientôt"))
    clock = TimeLimit(
        id="silence", label=Text.of("Silence"), lasts=lasting("30 days"), runs_in=frozenset({"conformite"})
    )
    procedure = passport(notices=(tacit, soon), clocks=(clock,))
    before = draft(procedure)
    decision = submit(procedure, before, OWNER, MONDAY, DIRECTORY, WORDS)
    assert [one.body.split()[0] for one in letters(procedure, before, decision)] == ["notice.sent.sms"]
    ahead = {one.name: one.due_at for one in decision.timers}
    assert ahead["before:0"] == datetime(2026, 12, 18, 8, tzinfo=UTC)
    assert ahead["before:1"] == datetime(2026, 11, 25, 8, tzinfo=UTC)
    fired = time_over(procedure, decision.dossier, "before:0", MONDAY, DIRECTORY, WORDS)
    assert [(one.to, one.body) for one in letters(procedure, decision.dossier, fired)] == [
        ("role:ville/chef", "Avant le 2026-12-23")
    ]


def test_a_draft_is_recalled_with_the_day_it_goes() -> None:
    procedure = passport()
    dossier = draft(procedure)
    reminded = time_over(procedure, dossier, "draft_reminder:7", MONDAY, DIRECTORY, WORDS)
    (letter,) = letters(procedure, dossier, reminded)
    assert letter.body.startswith("notice.draft.sms ")
    assert "due=23/12/2026" in letter.body


def test_letters_of_one_decision_are_owed_once() -> None:
    procedure = passport(notices=(A_PAYER,))
    dossier = sent(procedure)
    decision = take(procedure, dossier, Act("conforme"), CHECKER, MONDAY, DIRECTORY, WORDS)
    twice = replace(decision, events=decision.events * 2)
    assert len(letters(procedure, dossier, twice)) == 1


def test_definitions_may_be_said() -> None:
    procedure = passport(notices=(notice("a_payer", sms=template("Centre : {au_centre}", "au_centre")),))
    procedure = replace(procedure, definitions={"au_centre": not_(is_("mode", "poste"))})
    assert accepted(procedure, sent(procedure))[0].body == "Centre : oui"


# -- SMS ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", SmsParts(1, 0, False)),
        ("a" * 160, SmsParts(1, 160, False)),
        ("a" * 161, SmsParts(2, 161, False)),
        ("é" * 306, SmsParts(2, 306, False)),
        ("é" * 307, SmsParts(3, 307, False)),
        ("€" * 80, SmsParts(1, 160, False)),
        ("€" * 81, SmsParts(2, 162, False)),
        ("ê" + "a" * 69, SmsParts(1, 70, True)),
        ("ê" + "a" * 70, SmsParts(2, 71, True)),
        ("🙂" * 35, SmsParts(1, 70, True)),  # two units each
        ("ç", SmsParts(1, 1, True)),
        ("Ç", SmsParts(1, 1, False)),
    ],
)
def test_parts_of_an_sms(text: str, parts: SmsParts) -> None:
    assert sms_parts(text) == parts


def test_typographic_signs_are_made_plain() -> None:
    assert to_gsm("L’œuvre « 30\u00a0000 » – suite…") == 'L\'oeuvre " 30 000 " - suite...'
    assert to_gsm("Kɔfi ê") == "Kɔfi ê"  # a name is not respelt


@given(some.text(max_size=400))
def test_any_text_counts(text: str) -> None:
    found = sms_parts(text)
    assert found.count >= 1
    assert found.signs <= found.count * (70 if found.unicode else 160)
