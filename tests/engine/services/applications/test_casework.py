"""What agents may see and do, and why not; the trays they work from; nobody sees what is not theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import Plain, canonical_json
from engine.domain.common.decision import Act
from engine.model import Procedure
from engine.records.codec import to_plain
from engine.records.dossier import ANONYMOUS, Account, Actor, Dossier
from engine.records.jobs import JobChunk
from engine.services.accounts.access_log import note_reading
from engine.services.applications import casework
from engine.services.applications import document_verification as verification
from engine.services.applications import drafts as intake
from engine.services.applications.messages import write_message
from engine.services.applications.notes import follow, write_note
from engine.services.appointments import bookings
from engine.services.audit import exports
from engine.services.audit import integrity as inspection
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core import outbound_messages as letters
from engine.services.payments import payments as cashier
from engine.storage.results import Conflict
from engine.storage.sql.accounts import SecurityLogQueries
from engine.storage.sql.dossiers import line_of
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Unit
from tests import worker
from tests.engine.services.editions import FIRST, publish
from tests.engine.services.world import PASSPORT, World, a_world
from tests.makers import compiled
from tests.postgres import an_empty_store


@pytest.fixture
def chief(world: World) -> Actor:
    return world.agent("chief", "sncja/greffier_en_chef")


@pytest.fixture
def checker(world: World) -> Actor:
    return world.agent("checker", "dgdn/controleur")


def offer_of(world: World, actor: Actor, dossier: Dossier, act: str) -> Any:
    return next(one for one in casework.offers(world.office, actor, dossier.id) if one.transition.id == act)


class TestActs:
    def test_an_act_closed_says_why(self, world: World, checker: Actor) -> None:
        dossier = world.sent(PASSPORT)
        assert offer_of(world, checker, dossier, "conforme").open
        clerk = world.agent("clerk", "dgdn/guichet")
        assert offer_of(world, clerk, dossier, "conforme").closed.code == "role"
        with pytest.raises(Refused, match="role"):
            world.take(dossier, clerk, "conforme")
        for blank in (None, "\u200b", "\u2800"):  # a letter would show no reason
            with pytest.raises(Refused, match="reason_missing"):
                world.take(dossier, checker, "refuser", reason=blank)
        with pytest.raises(Refused, match="state"):
            world.take(dossier, checker, "remettre")
        with pytest.raises(Refused, match="unknown_act"):
            world.take(dossier, checker, "donner")
        assert world.kept(dossier) == dossier

    def test_an_act_reads_no_list_of_all_the_agents(
        self, world: World, checker: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A country has thousands of them, and an act concerns two."""
        dossier = world.sent(PASSPORT)

        def refused(*_: object) -> None:
            raise AssertionError("every agent was read")

        monkeypatch.setattr(SecurityLogQueries, "accounts", refused)
        assert offer_of(world, checker, dossier, "conforme").open
        assert world.take(dossier, checker, "conforme").state != dossier.state

    def test_colleagues_with_a_closed_account_have_no_role(self, world: World, checker: Actor) -> None:
        gone = world.agent("gone", "dgdn/controleur")
        with world.office.store.unit(write=True) as unit:
            account = unit.account(gone.id)
            assert account is not None
            unit.put_account(replace(account, disabled=True))
            unit.put_account(Account("ama", "applicant", "Ama", "+22890000000"))
        with world.office.store.unit() as unit:
            people = casework.people_of(world.office, unit)
            assert people[checker.id].roles == checker.roles
            assert checker.id in people
            assert [one for one in (gone.id, "ama", "unknown") if one in people] == [gone.id]
            assert people[gone.id].roles == frozenset(), "its acts count for four eyes, and it receives no dossier"
            assert len(people) == len(list(people))

    def test_two_agents_one_wins(self, world: World, checker: Actor) -> None:
        dossier = world.sent(PASSPORT)
        second = world.agent("second", "dgdn/controleur")
        casework.take_transition(
            world.office, checker, dossier.id, Act("refuser", "Non"), revision=dossier.revision, token="a"
        )  # fmt: skip
        with pytest.raises(Conflict):
            casework.take_transition(
                world.office, second, dossier.id, Act("conforme"), revision=dossier.revision, token="b"
            )  # fmt: skip
        assert world.kept(dossier).state == "refuse"

    def test_four_eyes(self, world: World, chief: Actor) -> None:
        owner = world.applicant()
        given = {"nom": "TCHALLA", "prenoms": "Essowè", "date_naissance": "1991-08-05"}
        dossier = world.paid(world.sent(owner=owner, **given))
        assert dossier.state == "controle"
        dossier = world.take(dossier, chief, "verifier", filling={"meme_personne": False})
        dossier = world.take(dossier, world.agent("traitement", "sncja/agent_traitement"), "comparer")
        with pytest.raises(Refused, match="four_eyes"):
            world.take(dossier, chief, "signer")
        other = world.agent("other", "sncja/greffier_en_chef")
        assert world.take(dossier, other, "signer").state == "a_retirer"

    def test_the_form_an_act_fills_is_judged(self, world: World) -> None:
        maker, dossier = world.agent("maker", "dgdn/production"), _in_production(world)
        until = {f"livret_expire_{part}": [said] for part, said in (("day", "1"), ("month", "12"), ("year", "2031"))}
        empty = casework.read_filling(world.office, maker, dossier.id, "fabriquer")
        assert [view.id for view in empty.view.pages[0].fields] == ["numero_livret", "livret_expire"]
        with pytest.raises(WrongAnswers):
            world.take(dossier, maker, "fabriquer")
        wrong = casework.read_filling(world.office, maker, dossier.id, "fabriquer", {"numero_livret": ["?"], **until})
        assert [one.at for one in wrong.problems] == ["numero_livret"]
        with pytest.raises(WrongAnswers):
            world.take(dossier, maker, "fabriquer", filling=wrong.answers)
        right = casework.read_filling(
            world.office, maker, dossier.id, "fabriquer", {"numero_livret": ["EB123456"], **until}
        )
        with pytest.raises(Refused, match="unknown_answer"):
            world.take(dossier, maker, "fabriquer", filling={**right.answers, "nom": "HACKER"})
        made = world.take(dossier, maker, "fabriquer", filling=right.answers)
        assert (made.state, made.answers["numero_livret"], made.answers["nom"]) == ("pret", "EB123456", "AMEGAN")

    def test_a_preview_keeps_nothing(self, world: World, checker: Actor) -> None:
        dossier = world.sent(PASSPORT)
        before = (world.kinds(dossier), world.letters())
        preview = casework.preview_transition(world.office, checker, dossier.id, Act("refuser", "Identité douteuse"))
        assert preview.outputs == ("lettre_refus",)
        assert [letter.channel for letter in preview.letters] == ["sms"]
        assert world.kept(dossier) == dossier
        assert (world.kinds(dossier), world.letters()) == before

    def test_a_reason_is_proven_by_the_journal_and_not_shown(self, world: World, checker: Actor) -> None:
        dossier = world.take(world.sent(PASSPORT), checker, "refuser", reason="CANARI douteux")
        entries = world.read(lambda unit: unit.entries(dossier.id))
        assert "CANARI" not in repr(entries)
        assert any("reason" in entry.body.get("commits", {}) for entry in entries)


def _in_production(world: World) -> Dossier:
    checker, clerk = world.agent("checker", "dgdn/controleur"), world.agent("clerk", "dgdn/guichet")
    dossier = world.booked(world.paid(world.take(world.sent(PASSPORT), checker, "conforme")), "depot")
    world.clock.instant = dossier.bookings["depot"].start
    dossier = bookings.mark(world.office, clerk, dossier.id, "depot", "attended")
    return world.take(dossier, clerk, "originaux_conformes")


class TestHands:
    def test_taken_and_given_back(self, world: World, checker: Actor) -> None:
        dossier = world.sent(PASSPORT)
        mine = casework.assign(world.office, checker, dossier.id, checker.id, revision=dossier.revision, token="t")
        again = casework.assign(world.office, checker, dossier.id, checker.id, revision=dossier.revision, token="t")
        assert mine.assigned == again.assigned == checker.id
        assert casework.assign(world.office, checker, dossier.id, None).assigned is None

    def test_only_to_one_who_may_act(self, world: World, checker: Actor) -> None:
        dossier = world.sent(PASSPORT)
        maker = world.agent("maker", "dgdn/production")
        elsewhere = world.agent("kara", "dgdn/controleur", offices=("dgdn_kara",))
        for to in (maker.id, elsewhere.id, world.applicant().id, "nobody"):
            with pytest.raises(Refused, match="role"):
                casework.assign(world.office, checker, dossier.id, to)
        with pytest.raises(Refused, match="role"):
            casework.assign(world.office, maker, dossier.id, maker.id)

    def test_an_appeal_is_taken_by_another_agent_than_who_refused(self, world: World, checker: Actor) -> None:
        owner, second = world.applicant(), world.agent("second", "dgdn/controleur")
        dossier = world.sent(PASSPORT, owner)
        casework.assign(world.office, checker, dossier.id, checker.id)
        world.take(world.kept(dossier), checker, "refuser", reason="Non")
        dossier = world.take(world.kept(dossier), owner, "contester", reason="Si")
        assert (dossier.state, dossier.assigned) == ("conformite", None)
        assert [line.id for line in casework.list_inbox(world.office, second, "to_take").lines] == [dossier.id]
        with pytest.raises(Refused, match="four_eyes"):
            casework.assign(world.office, checker, dossier.id, checker.id)
        assert casework.assign(world.office, second, dossier.id, second.id).assigned == second.id
        assert casework.assign(world.office, checker, dossier.id, None).assigned is None, "giving back is no decision"


class TestTrays:
    def test_each_queue_holds_what_it_says(self, world: World, checker: Actor) -> None:
        first = world.sent(PASSPORT)
        second = world.sent(PASSPORT, world.applicant("+22890445566"))
        world.draft(PASSPORT, world.applicant("+22890445567"))
        casework.assign(world.office, checker, first.id, checker.id)
        waiting = world.take(world.sent(PASSPORT, world.applicant("+22890445568")), checker, "conforme")
        gone = world.take(world.sent(PASSPORT, world.applicant("+22890445569")), checker, "refuser", reason="Non")
        follow(world.office, checker, gone.id, True)
        queues = {
            queue: {line.id for line in casework.list_inbox(world.office, checker, queue).lines}
            for queue in casework.QUEUES
        }
        assert queues == {
            "to_take": {second.id}, "mine": {first.id}, "late": set(), "ready": set(), "waiting": {waiting.id}, "done": {gone.id},
            "all": {first.id, second.id, waiting.id, gone.id}, "followed": {gone.id},
        }  # fmt: skip
        counts = {"to_take": 1, "ready": 0, "mine": 1, "late": 0, "followed": 1, "waiting": 1, "done": 1, "all": 4}
        assert casework.inbox_counts(world.office, checker) == counts
        world.wait(days=4)
        assert {line.id for line in casework.list_inbox(world.office, checker, "late").lines} == {first.id, second.id}

    def test_what_waits_for_the_applicant_to_come_is_no_work_to_take(self, world: World) -> None:
        both = world.agent("both", "dgdn/controleur", "dgdn/guichet")
        ready = world.force(world.sent(PASSPORT), state="pret")
        work = world.sent(PASSPORT, world.applicant("+22890445566"))
        found = {
            queue: {line.id for line in casework.list_inbox(world.office, both, queue).lines}
            for queue in ("to_take", "ready", "waiting")
        }
        assert found == {"to_take": {work.id}, "ready": {ready.id}, "waiting": set()}
        casework.assign(world.office, both, work.id, both.id)
        assert casework.list_inbox(world.office, both, "to_take").lines == ()
        casework.assign(world.office, both, ready.id, both.id)
        assert [line.id for line in casework.list_inbox(world.office, both, "ready").lines] == [ready.id], (
            "whoever holds it"
        )

    def test_filters_only_narrow(self, world: World, checker: Actor) -> None:
        dossier = world.sent(PASSPORT)
        ask = lambda **more: [line.id for line in casework.list_inbox(world.office, checker, "all", **more).lines]  # noqa: E731
        assert ask(text=dossier.number) == [dossier.id]
        assert ask(text="amegan") == [dossier.id]
        assert ask(state="conformite", procedure=PASSPORT, office_id="dgdn_lome") == [dossier.id]
        assert ask(office_id="dgdn_kara") == ask(procedure="nothing") == ask(state="remis") == []
        assert casework.list_inbox(world.office, checker, "everything").lines == ()

    def test_an_agent_of_another_office_agency_or_role_sees_nothing(self, world: World) -> None:
        world.sent(PASSPORT)
        for stranger in (
            world.agent("kara", "dgdn/controleur", offices=("dgdn_kara",)),
            world.agent("chief", "sncja/greffier_en_chef"),
            world.agent("norole"),
            world.applicant("+22890445566"),
            ANONYMOUS,
        ):
            assert casework.list_inbox(world.office, stranger, "all").lines == ()
            assert sum(casework.inbox_counts(world.office, stranger).values()) == 0

    def test_an_agent_of_two_offices_cannot_ask_for_a_third(self, world: World) -> None:
        world.sent(PASSPORT)
        agent = world.agent("two", "dgdn/controleur", offices=("dgdn_kara",))
        assert casework.list_inbox(world.office, agent, "all", office_id="dgdn_lome").lines == ()


READS: dict[str, Callable[[World, Actor, str], Any]] = {
    "see": lambda world, actor, ref: intake.see(world.office, actor, ref),
    "see_form": lambda world, actor, ref: intake.see_form(world.office, actor, ref),
    "check": lambda world, actor, ref: intake.check(world.office, actor, ref),
    "read_attachment": lambda world, actor, ref: intake.read_attachment(world.office, actor, ref, "x"),
    "offers": lambda world, actor, ref: casework.offers(world.office, actor, ref),
    "owed": lambda world, actor, ref: cashier.owed(world.office, actor, ref),
    "payments": lambda world, actor, ref: cashier.payments(world.office, actor, ref),
    "slots": lambda world, actor, ref: bookings.slots(world.office, actor, ref, "depot"),
    "letters": lambda world, actor, ref: letters.letters_of(world.office, actor, ref),
    "trail": lambda world, actor, ref: inspection.checked_journal(world.office, actor, ref),
    "export": lambda world, actor, ref: inspection.export(world.office, actor, ref),
    "document": lambda world, actor, ref: verification.read_document(world.office, actor, ref, "x"),
    "take": lambda world, actor, ref: casework.take_transition(world.office, actor, ref, Act("conforme")),
    "preview": lambda world, actor, ref: casework.preview_transition(world.office, actor, ref, Act("conforme")),
    "filling": lambda world, actor, ref: casework.read_filling(world.office, actor, ref, "conforme"),
    "assign": lambda world, actor, ref: casework.assign(world.office, actor, ref, None),
    "save_page": lambda world, actor, ref: intake.save_page(world.office, actor, ref, "identite", {}),
    "attach": lambda world, actor, ref: intake.attach(world.office, actor, ref, "cni", intake.Upload("a", b"")),
    "detach": lambda world, actor, ref: intake.detach(world.office, actor, ref, "x"),
    "submit": lambda world, actor, ref: intake.submit(world.office, actor, ref, declared=True),
    "correct": lambda world, actor, ref: intake.save_corrections(world.office, actor, ref, {}),
    "send_corrections": lambda world, actor, ref: intake.send_corrections(world.office, actor, ref),
    "drop": lambda world, actor, ref: intake.drop_draft(world.office, actor, ref),
    "pay": lambda world, actor, ref: worker.start_payment(
        world.office, actor, ref, provider="sandbox", payer="90000001"
    ),
    "book": lambda world, actor, ref: bookings.book_slot(
        world.office, actor, ref, "depot", "dgdn_lome", world.office.now()
    ),
    "cancel": lambda world, actor, ref: bookings.cancel_booking(world.office, actor, ref, "depot"),
    "mark": lambda world, actor, ref: bookings.mark(world.office, actor, ref, "depot", "attended"),
}  # fmt: skip


@pytest.mark.parametrize("verb", READS)
def test_what_is_not_yours_does_not_exist(world: World, verb: str) -> None:
    """Foreign, missing and not sent yet answer the same, by id and by number."""
    sent = world.sent(PASSPORT)
    draft = world.draft(PASSPORT, world.applicant("+22890445560"))
    strangers = [
        world.applicant("+22890445566"),
        world.agent("chief", "sncja/greffier_en_chef"),
        world.agent("kara", "dgdn/controleur", offices=("dgdn_kara",)),
        world.agent("norole"),
        ANONYMOUS,
    ]
    agent, auditor = world.agent("checker", "dgdn/controleur"), world.auditor()
    tries = [(actor, ref) for actor in strangers for ref in (sent.id, sent.number, draft.id, "nowhere")]
    tries += [(actor, ref) for actor in (agent, auditor) for ref in (draft.id, draft.number, "nowhere")]
    said = set()
    for actor, ref in tries:
        with pytest.raises(NotFound) as refused:
            READS[verb](world, actor, ref)
        said.add(repr(refused.value))
    assert len(said) == 1
    assert (world.kept(sent), world.kept(draft)) == (sent, draft)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("since", [1, 2])
def test_a_list_names_only_dossiers_of_editions_in_which_the_agent_has_a_part(
    kind: str, since: int, tmp_path: Path
) -> None:  # fmt: skip
    """A service that joins or leaves with the second edition lists, finds and exports its own dossiers alone."""
    world = a_world(tmp_path, SqliteStore(tmp_path / "o.db") if kind == "sqlite" else an_empty_store())
    consulted = "      avis_foncier: {label: Foncier, by: gfu/conservateur}\n"
    sent: dict[int, Dossier] = {}
    for edition in (1, 2):
        text = FIRST.replace("edition: 1", f"edition: {edition}")
        publish(world, compiled(text if edition == since else text.replace(consulted, ""), "kiosque.yaml"))
        sent[edition] = world.sent("kiosque", world.applicant(f"+2289099990{edition}"))
    keeper, mine = world.agent("keeper", "gfu/conservateur"), sent[since].number
    order, older = (exports.order_export(world.office, keeper, exports.InboxExport("all")) for _ in range(2))
    assert order.total == 1
    rows: list[Plain] = [to_plain(line_of(one)) for one in sent.values()]
    with world.office.store.unit(write=True) as unit:  # a file that an earlier release made
        unit.add_order_part(JobChunk(older.id, 1, 2, "", canonical_json(rows).decode()))
    for one in (order, older):
        exports.run_export(world.office, one, 9)
    asks: list[dict[str, Any]] = [
        {},
        {"procedure": "kiosque"},
        {"text": sent[since].label},
        {"text": sent[3 - since].number},
    ]
    for asked in asks:
        found = [line.number for line in casework.list_inbox(world.office, keeper, "all", **asked).lines]
        assert found == ([] if asked.get("text") == sent[3 - since].number else [mine])
    assert casework.inbox_counts(world.office, keeper)["all"] == 1
    for one in (order, older):
        assert [exports.export_row(row).number for row in exports.take_file(world.office, keeper, one.n)] == [mine]
    everything = casework.list_inbox(world.office, world.agent("planner", "mairie/urbaniste"), "all")
    assert {line.number for line in everything.lines} == {one.number for one in sent.values()}


def test_each_edition_says_which_answers_a_list_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them reserves an answer, and another can no longer be read: the list is still made, without theirs."""
    world, sent = a_world(tmp_path), list[Dossier]()
    kept = "  sensitive: {enseigne: {seen_by: [urbaniste]}}\n"
    for edition in (1, 2, 3):
        text = FIRST.replace("edition: 1", f"edition: {edition}").replace(
            "personal_data: {purpose: Tenir les kiosques, keep:", "personal_data:\n  purpose: Tenir les kiosques\n"
            + kept * (edition == 1) + "  keep:").replace("abandoned: 30 days}}", "abandoned: 30 days}")  # fmt: skip
        publish(world, compiled(text, "kiosque.yaml"))
        sent.append(world.sent("kiosque", world.applicant(f"+2289099990{edition}")))

    def spoilt(ctx: AppContext, unit: Unit, dossier: Dossier) -> Procedure:
        if dossier.edition == 2:
            raise EditionMissing(dossier.procedure)
        return pinned(ctx, unit, dossier)

    monkeypatch.setattr(exports, "pinned", spoilt)
    planner = world.agent("planner", "mairie/urbaniste")
    asked = exports.InboxExport("all", "kiosque", answers=("enseigne",), language="fr")
    order = exports.order_export(world.office, planner, asked)
    exports.run_export(world.office, order, 9)
    rows = list(exports.take_file(world.office, planner, order.n))
    found = {exports.export_row(row).number: exports.answers_of(row) for row in rows}
    assert found == {sent[0].number: {}, sent[1].number: {}, sent[2].number: {"enseigne": sent[2].answers["enseigne"]}}


def test_what_shows_nothing_is_no_message_note_or_motive(world: World, checker: Actor) -> None:
    dossier, blank = world.sent(PASSPORT), " \u200b\u3164"
    with pytest.raises(Refused, match="message_empty"):
        write_message(world.office, checker, dossier.id, blank)
    with pytest.raises(Refused, match="note_empty"):
        write_note(world.office, checker, dossier.id, blank)
    with pytest.raises(Refused, match="reason_missing"):
        note_reading(world.office, world.auditor(), dossier.id, blank)
    assert world.read(lambda unit: (unit.messages_of(dossier.id), unit.notes_of(dossier.id))) == ((), ())
