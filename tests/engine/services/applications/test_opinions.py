"""What several hands give while a dossier waits: opinions, later forms, rows; who may read them; links between dossiers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import Text, new_id
from engine.domain.common.access import may_read
from engine.domain.common.decision import Act
from engine.domain.forms.corrections import CONFIRMED
from engine.language.catalogue.catalogue import Catalogue, check_definition
from engine.model import Procedure
from engine.model.directory import Directory
from engine.model.directory import Office as Place
from engine.records.dossier import Account, Actor, Dossier
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications import casework, corrections
from engine.services.applications import drafts as intake
from engine.services.applications import linked_dossiers as linking
from engine.services.applications import opinions as gathering
from engine.services.appointments import bookings
from engine.services.audit.integrity import export
from engine.services.context.app_context import NotFound, WrongAnswers
from engine.services.worker.worker import run_pass
from engine.storage.results import Conflict
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.editions import publish
from tests.engine.services.world import ROOT, World, a_world
from tests.makers import compiled, the_shared
from tests.postgres import an_empty_store

GOOD = ROOT / "tests" / "good"
VOIRIE, FONCIER, FEU = "mairie/voirie", "gfu/conservateur", "sapeurs_pompiers/prevention"


@cache
def good(*names: str) -> Catalogue:
    """A catalogue of good files."""
    shared = the_shared()
    found = [check_definition((GOOD / f"{name}.yaml").read_bytes(), f"{name}.yaml", shared).procedure for name in names]
    return Catalogue.of([one for one in found if one is not None], shared)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    made.office = replace(
        made.office, catalogue=good("opinions", "filled-per-row", "gather", "linked-dossiers", "minimal")
    )
    return made


def book(world: World, name: str) -> Procedure:
    return world.office.catalogue.procedures[name]


def opinion(
    world: World, agent: Actor, dossier: Dossier, service: str, said: str = "favourable", **more: str
) -> Dossier:
    answers = {"opinion": said, **more}
    return gathering.give_opinion(world.office, agent, dossier.id, service, answers, token=new_id())


class TestOpinions:
    def test_each_sees_what_is_theirs_to_do(self, world: World) -> None:
        dossier, agent = world.sent("opinions"), world.agent("kossi", VOIRIE)
        found = {
            one.part: (one.done, one.closed.code if one.closed else None)
            for one in gathering.awaited_parts(world.office, agent, dossier.id)
        }
        assert found == {"avis_voirie": (False, None), "avis_foncier": (False, "role"), "avis_feu": (False, "role")}
        opinion(world, agent, dossier, "avis_voirie")
        done = {one.part: one.done for one in gathering.awaited_parts(world.office, agent, dossier.id)}
        assert done == {"avis_voirie": True, "avis_foncier": False, "avis_feu": False}

    def test_the_same_token_gives_one_opinion(self, world: World) -> None:
        dossier, agent, token = world.sent("opinions"), world.agent("kossi", VOIRIE), new_id()
        for _ in range(2):
            gathering.give_opinion(
                world.office, agent, dossier.id, "avis_voirie", {"opinion": "reserved", "reserves": "Non"}, token=token
            )
        assert world.kinds(dossier).count("part_done") == 1
        with pytest.raises(Refused) as refused:
            opinion(world, agent, dossier, "avis_voirie")
        assert refused.value.reason.code == "already_done"

    def test_what_is_wrong_is_told_and_nothing_is_kept(self, world: World) -> None:
        dossier, agent = world.sent("opinions"), world.agent("kossi", VOIRIE)
        for answers in ({"opinion": "silent"}, {"opinion": None}, {"opinion": "reserved"}):
            with pytest.raises(WrongAnswers):
                gathering.give_opinion(world.office, agent, dossier.id, "avis_voirie", answers, token=new_id())
        with pytest.raises(Refused):
            opinion(world, agent, dossier, "avis_voirie", public="false")
        with pytest.raises(Conflict):
            gathering.give_opinion(
                world.office, agent, dossier.id, "avis_voirie", {"opinion": "favourable"}, revision=0
            )
        assert world.kept(dossier) == dossier

    def test_a_post_is_read_and_its_hidden_questions_left_out(self, world: World) -> None:
        dossier, agent = world.sent("opinions"), world.agent("kossi", VOIRIE)
        raw = {"opinion": ["favourable"], "reserves": ["caché"], "weight": ["99"]}
        answered = gathering.read_part(world.office, agent, dossier.id, "services", "avis_voirie", raw)
        assert (answered.answers, answered.problems) == ({"opinion": "favourable"}, ())
        asked = gathering.read_part(world.office, agent, dossier.id, "services", "avis_voirie")
        assert [option.code for option in asked.page.fields[0].options] == ["favourable", "reserved", "unfavourable"]

    def test_a_confidential_opinion_is_for_its_readers_and_its_author(self, world: World) -> None:
        procedure, author = book(world, "opinions"), world.agent("kossi", VOIRIE)
        dossier = opinion(world, author, world.sent("opinions"), "avis_voirie")
        readers = {
            "author": author, "reader": world.agent("afi", "mairie/urbaniste"), "other": world.agent("yao", FONCIER),
            "owner": world.owner(dossier), "auditor": world.auditor(),
        }  # fmt: skip
        allowed = {name for name, actor in readers.items() if may_read(procedure, dossier, "avis_voirie", actor)}
        assert allowed == {"author", "reader"}
        assert not may_read(procedure, dossier, "services", author)
        for reader in (readers["reader"], author):  # the applicant is this agent
            own = replace(reader, contacts=frozenset({dossier.contact_phone or ""}))
            assert not may_read(procedure, dossier, "avis_voirie", own)
            assert may_read(procedure, dossier, "nom", own)

    def test_a_value_computed_from_a_confidential_opinion_is_for_its_readers(self, world: World) -> None:
        later = (
            "later_forms:\n  synthese:\n    title: Synthèse\n    by: urbaniste\n    basis: loi\n    fields:\n"
            "      note: {label: Note, example: A}\n"
            "      contre: {label: Contre, value: \"count(services, opinion == 'unfavourable')\"}\n"
            "      voirie_dit: {label: Voirie, value: \"avis_voirie == 'favourable'\"}\n"
        )
        procedure = compiled((GOOD / "opinions.yaml").read_text("utf-8").replace("workflow:\n", f"{later}workflow:\n"))
        author = world.agent("kossi", VOIRIE)
        dossier = opinion(world, author, world.sent("opinions"), "avis_voirie")
        assert may_read(procedure, dossier, "voirie_dit", author)
        for actor in (world.agent("yao", FONCIER), world.owner(dossier)):
            assert may_read(procedure, dossier, "note", actor)
            assert not may_read(procedure, dossier, "voirie_dit", actor)
            assert not may_read(procedure, dossier, "contre", actor)
        reader = world.agent("afi", "mairie/urbaniste")
        assert may_read(procedure, dossier, "voirie_dit", reader)
        assert may_read(procedure, dossier, "contre", reader)

    def test_a_confidential_opinion_stays_sealed_in_its_owners_export(self, world: World) -> None:
        author, dossier = world.agent("kossi", VOIRIE), world.sent("opinions")
        opinion(world, author, dossier, "avis_voirie", "reserved", reserves="Trop étroit")
        told = export(world.office, world.owner(dossier), dossier.id)
        assert isinstance(told, dict)
        opened = {one["name"]: one["value"] for one in told["openings"]}  # type: ignore[index,union-attr,call-overload]
        assert opened["answers.nom"] == "AMEGAN"
        assert not [name for name in opened if "avis_voirie" in str(name)]

    def test_an_opinion_is_in_the_tray_of_those_who_owe_it(self, world: World) -> None:
        dossier = world.sent("opinions")
        assert [
            line.id for line in casework.list_inbox(world.office, world.agent("yao", FONCIER), "to_take").lines
        ] == [dossier.id]
        assert not casework.list_inbox(world.office, world.agent("zoe", "sncja/reclamations"), "to_take").lines

    def test_it_leaves_their_tray_with_their_part_whoever_holds_it(self, world: World) -> None:
        dossier, land, roads = world.sent("opinions"), world.agent("yao", FONCIER), world.agent("kossi", VOIRIE)
        planner = world.agent("afi", "mairie/urbaniste")
        casework.assign(world.office, planner, dossier.id, planner.id)

        def trays(agent: Actor) -> set[str]:
            found = {queue: casework.list_inbox(world.office, agent, queue).lines for queue in ("to_take", "waiting")}
            assert {queue: len(lines) for queue, lines in found.items()} == {
                queue: casework.inbox_counts(world.office, agent)[queue] for queue in found
            }
            return {queue for queue, lines in found.items() if lines}

        assert trays(roads) == {"to_take"}
        dossier = opinion(world, roads, dossier, "avis_voirie")
        assert dossier.awaits == (FONCIER, FEU)
        assert (trays(roads), trays(land), trays(planner)) == ({"waiting"}, {"to_take"}, {"waiting"})
        opinion(world, land, dossier, "avis_foncier")
        dossier = opinion(world, world.agent("zoe", FEU), dossier, "avis_feu")
        assert (dossier.state, dossier.awaits) == ("decision", None)
        assert (trays(roads), trays(planner)) == ({"waiting"}, set())  # the planner still holds it
        assert [line.id for line in casework.list_inbox(world.office, planner, "mine").lines] == [dossier.id]

    def test_people_of_another_agency_handle_what_their_offices_reach(self, world: World) -> None:
        def place(name: str, agency: str, *serves: str) -> Place:
            return Place(name, Text.of(name), agency, serves=serves)

        offices = (place("hall_north", "mairie", "north"), place("hall_south", "mairie", "south"),
                   place("land_north", "gfu", "north", "east"), place("land_all", "gfu"))  # fmt: skip
        directory = Directory(offices={one.id: one for one in offices})
        assert directory.within_reach(["land_north"]) == {"land_north", "hall_north"}
        assert directory.within_reach(["land_all"]) == {"land_all", "hall_north", "hall_south"}
        assert directory.within_reach(["hall_south"]) == {"hall_south", "land_all"}
        assert directory.within_reach(["gone"]) == {"gone"}
        bound = Account("x", "agent", "", "x", roles=(FONCIER,), offices=("mairie_golfe_1",))
        assert "mairie_golfe_1" in world.office.person(bound).offices
        assert world.office.person(replace(bound, offices=())).offices == frozenset()

    def test_silence_is_written_once_by_time(self, world: World) -> None:
        dossier = world.sent("opinions")
        world.wait(days=30)
        run_pass(world.office)
        run_pass(world.office)
        kept = world.kept(dossier)
        assert (kept.answers["avis_voirie"], kept.answers["avis_foncier"], kept.answers["avis_feu"]) == (
            "favourable", "silent", "unfavourable",
        )  # fmt: skip
        assert world.kinds(dossier).count("part_done") == 3
        assert kept.state == "decision"


class TestRows:
    def test_rows_are_filled_by_several_hands(self, world: World) -> None:
        dossier = world.sent("filled-per-row", voyageurs=[{"nom": "LEE"}, {"nom": "DOSSOU"}])
        first, second = world.agent("afi", "dgdn/immigration"), world.agent("yao", "dgdn/immigration")
        gathering.fill_row(world.office, first, dossier.id, "decision", 1, {"accorde": True}, token=new_id())
        raw = {"accorde": ["false"], "raison": ["Signalé"]}
        read = gathering.read_part(world.office, second, dossier.id, "decision", "0", raw)
        kept = gathering.fill_row(world.office, second, dossier.id, "decision", 0, read.answers, token=new_id())
        assert kept.state == "signature"
        assert kept.answers["voyageurs"] == dossier.answers["voyageurs"]
        for number, code in ((0, "not_now"), (7, "not_now")):
            with pytest.raises(Refused) as refused:
                gathering.fill_row(world.office, second, dossier.id, "decision", number, {"accorde": True})
            assert refused.value.reason.code == code

    def test_a_row_that_is_not_there_or_wrong_is_refused(self, world: World) -> None:
        dossier = world.sent("filled-per-row", voyageurs=[{"nom": "LEE", "age": 1}])
        agent = world.agent("afi", "dgdn/immigration")
        with pytest.raises(Refused):
            gathering.fill_row(world.office, agent, dossier.id, "decision", 3, {"accorde": True})
        with pytest.raises(WrongAnswers) as wrong:
            gathering.fill_row(world.office, agent, dossier.id, "decision", 0, {"accorde": False, "raison": "Non"})
        assert [one.facts["id"] for one in wrong.value.problems] == ["enfant"]

    def test_a_document_of_a_row_says_what_was_decided_of_it(self, world: World) -> None:
        dossier = world.sent("filled-per-row", voyageurs=[{"nom": "LEE"}, {"nom": "DOSSOU"}])
        agent, chief = world.agent("afi", "dgdn/immigration"), world.agent("chef", "dgdn/chef_visas")
        gathering.fill_row(world.office, agent, dossier.id, "decision", 0, {"accorde": True})
        gathering.fill_row(world.office, agent, dossier.id, "decision", 1, {"accorde": False, "raison": "Signalé"})
        kept = casework.take_transition(world.office, chief, dossier.id, Act("signer"), token=new_id())
        shown = {(one.output, one.row): str(one.paper) for one in kept.documents}
        assert sorted(shown) == [("refus", 1), ("visa", 0)]
        assert "La demande est accordée." in shown["visa", 0]
        assert "La demande est refusée\\xa0: Signalé." in shown["refus", 1]

    def test_what_agents_answer_is_taken_away_once_it_is_decided(self, world: World) -> None:
        """A visa that one officer grants is no visa before it is signed. Who filled a row is not said."""
        dossier = world.sent("filled-per-row", voyageurs=[{"nom": "LEE"}, {"nom": "DOSSOU"}])
        agent, chief = world.agent("afi", "dgdn/immigration"), world.agent("chef", "dgdn/chef_visas")
        given = [{"accorde": True}, {"accorde": False, "raison": "Signalé"}]
        for at, one in enumerate(given):
            gathering.fill_row(world.office, agent, dossier.id, "decision", at, one)
            assert taken_away(world) == dict(dossier.answers)
        casework.take_transition(world.office, chief, dossier.id, Act("signer"), token=new_id())
        assert taken_away(world) == {**dossier.answers, "decision": given}

    def test_an_opinion_is_taken_away_once_it_is_decided(self, world: World) -> None:
        dossier = world.sent("opinions")
        gathering.give_opinion(
            world.office, world.agent("yao", FONCIER), dossier.id, "avis_foncier", {"opinion": "favourable"}
        )
        assert taken_away(world) == dict(dossier.answers)


def taken_away(world: World) -> Any:
    """What the owner reads in the file of their own data."""
    plain: Any = export_own(world.office, world.applicant())
    return plain["dossiers"][0]["answers"]


class TestForms:
    def test_a_form_late_is_told_once_to_those_who_owe_it(self, world: World) -> None:
        dossier = world.booked(world.sent("gather"), "visite")
        agent = world.agent("afi", "obac/instructeur")
        start = dossier.bookings["visite"].start
        world.clock.instant = start
        bookings.mark(world.office, agent, dossier.id, "visite", "attended")
        world.wait(days=10)
        run_pass(world.office)
        run_pass(world.office)
        assert len(world.letters("role:obac/instructeur")) == 1

    def test_the_applicant_fills_theirs_and_nobody_else(self, world: World) -> None:
        dossier = world.sent("gather")
        with pytest.raises(Refused):
            gathering.fill_form(
                world.office, world.agent("afi", "obac/instructeur"), dossier.id, "precisions", {"acces": "Portail"}
            )
        with pytest.raises(NotFound):
            gathering.fill_form(world.office, world.applicant("+22890999999"), dossier.id, "precisions", {"acces": "x"})
        kept = gathering.fill_form(world.office, world.owner(dossier), dossier.id, "precisions", {"acces": "Portail"})
        assert "precisions" in kept.done
        assert taken_away(world)["acces"] == "Portail", "what the owner filled is theirs at once"


class TestLinks:
    def granted(self, world: World, **given: object) -> Dossier:
        dossier = world.sent("linked-dossiers", avec_travaux=False, **given)  # type: ignore[arg-type]
        return world.take(dossier, world.agent("maire", "mairie/urbaniste"), "accorder")

    def test_a_renewal_copies_and_replaces(self, world: World) -> None:
        old = self.granted(world, nom="KPODAR")
        draft = world.draft("linked-dossiers", avec_travaux=False)
        linked = linking.name_earlier(world.office, world.owner(draft), draft.id, "ancien", old.number, token=new_id())
        assert (linked.answers["nom"], linked.answers["ancien_numero"]) == ("KPODAR", old.documents[0].number)
        sent = intake.submit(world.office, world.owner(draft), draft.id, declared=True, token=new_id())
        world.take(sent, world.agent("maire", "mairie/urbaniste"), "accorder")
        after = world.kept(old)
        assert [one.status for one in after.documents] == ["replaced"]
        assert world.kinds(old)[-1] == "document_status"

    @pytest.mark.parametrize("agency", ["mairie", "obac"])
    @pytest.mark.parametrize("here", [False, True])
    def test_what_limited_readers_have_is_copied_to_none_but_theirs(
        self, world: World, agency: str, here: bool
    ) -> None:  # fmt: skip
        """A sensitive answer goes to a sensitive one of the same agency only, an opinion that is confidential nowhere."""
        text = {name: (GOOD / f"{name}.yaml").read_text("utf-8") for name in ("opinions", "linked-dossiers")}
        theirs = text["opinions"].replace("Montrer le langage}", "Montrer, sensitive: {nom: {seen_by: [urbaniste]}}}")
        copies = "relation: needs\n    procedure: opinions\n    required: false\n    copies: {nom: nom, ancien_numero: avis_voirie}"
        ours = text["linked-dossiers"].replace(
            "relation: renews\n    procedure: linked-dossiers\n    required: false\n    copies: {nom: nom, ancien_numero: permis.number}",
            copies,
        )  # fmt: skip
        assert copies in ours
        if here:
            ours = ours.replace("Montrer le langage}", "Montrer, sensitive: {nom: {seen_by: [mairie/urbaniste]}}}")
        mine = compiled(
            ours.replace("agency: mairie", f"agency: {agency}").replace("by: urbaniste", "by: mairie/urbaniste")
        )
        publish(world, compiled(theirs))
        publish(world, mine)
        old = world.force(world.sent("opinions", nom="KPODAR"))
        old = world.force(old, answers={**old.answers, "avis_voirie": "unfavourable"})
        draft = world.draft("linked-dossiers", avec_travaux=False)
        linked = linking.name_earlier(world.office, world.owner(draft), draft.id, "ancien", old.number, token=new_id())
        assert linked.answers["nom"] == ("KPODAR" if here and agency == "mairie" else draft.answers["nom"])
        assert linked.answers["ancien_numero"] == draft.answers["ancien_numero"]

    def test_what_agents_answered_is_copied_once_it_is_decided(self, world: World) -> None:
        """The applicant read in a new request what a service thought before the agency decided."""
        text = (GOOD / "linked-dossiers.yaml").read_text("utf-8")
        copies = "relation: needs\n    procedure: opinions\n    required: false\n    copies: {nom: nom, ancien_numero: avis_voirie}"
        known = "relation: renews\n    procedure: linked-dossiers\n    required: false\n    copies: {nom: nom, ancien_numero: permis.number}"
        assert known in text
        publish(
            world, compiled((GOOD / "opinions.yaml").read_text("utf-8").replace("    confidential: [urbaniste]\n", ""))
        )
        publish(world, compiled(text.replace(known, copies)))
        old = world.sent("opinions", nom="KPODAR", public=False)
        for who, service in (("mairie/voirie", "avis_voirie"), ("gfu/conservateur", "avis_foncier")):
            gathering.give_opinion(
                world.office, world.agent(service, who), old.id, service, {"opinion": "unfavourable"}
            )
        draft = world.draft("linked-dossiers", avec_travaux=False)
        linked = linking.name_earlier(world.office, world.owner(draft), draft.id, "ancien", old.number, token=new_id())
        assert (linked.answers["nom"], linked.answers["ancien_numero"]) == ("KPODAR", draft.answers["ancien_numero"])
        world.take(world.kept(old), world.agent("chef", "mairie/urbaniste"), "refuser", reason="Voie trop étroite")
        linked = linking.name_earlier(world.office, world.owner(draft), draft.id, "ancien", old.number, token=new_id())
        assert linked.answers["ancien_numero"] == "unfavourable"

    def test_only_a_dossier_of_ones_own_that_fits_can_be_named(self, world: World) -> None:
        pending = world.sent("minimal")
        other = world.sent("minimal", world.applicant("+22890999999"))
        draft = world.draft("linked-dossiers")
        owner = world.owner(draft)
        with pytest.raises(NotFound):
            linking.name_earlier(world.office, owner, draft.id, "urbanisme", other.number)
        with pytest.raises(Refused) as refused:
            linking.name_earlier(world.office, owner, draft.id, "ancien", pending.number)
        assert refused.value.reason.code == "link_unfit"

    def test_what_is_required_is_named_before_sending(self, world: World) -> None:
        draft = world.draft("linked-dossiers")
        with pytest.raises(Refused) as refused:
            intake.submit(world.office, world.owner(draft), draft.id, declared=True)
        assert refused.value.reason.code == "link_missing"

    def test_nor_does_a_correction_go_round_it(self, world: World) -> None:
        """Who said no at first sent a request that names nothing, then corrected the answer: the permit was granted."""
        text = (GOOD / "linked-dossiers.yaml").read_text("utf-8")
        for known, more in (
            ("accorder: {label: Accorder, to: accorde}", "completer: {label: Faire compléter, to: a_completer, asks: [correction, reason]}"),
            ("accorde: {label: Accordé", "a_completer: {label: À compléter, correct: requested, due: 30 days, then: attente, late: refuse}"),
        ):  # fmt: skip
            at = text.rindex("\n", 0, text.index(known)) + 1
            text = text[:at] + " " * (text.index(known) - at) + f"{more}\n" + text[at:]
        publish(world, compiled(text))
        sent = world.sent("linked-dossiers", avec_travaux=False)
        asks = {"avec_travaux": "Vous en faites"}
        asked = world.take(
            sent, world.agent("maire", "mairie/urbaniste"), "completer", reason="À revoir", correction=asks
        )
        owner = world.owner(asked)
        for said, refusals in (("true", ["link_needed"]), ("false", [])):
            corrections.save_corrections(
                world.office, owner, asked.id, {"avec_travaux": [said], CONFIRMED: ["avec_travaux"]}, token=new_id()
            )
            try:
                corrections.send_corrections(world.office, owner, asked.id, token=new_id())
                found = []
            except Refused as closed:
                found = [closed.reason.code]
            assert found == refusals
        assert world.kept(asked).state == "examen"

    def test_the_end_of_one_passes_the_other_on(self, world: World) -> None:
        needed, draft = world.sent("minimal"), world.draft("linked-dossiers")
        owner = world.owner(draft)
        linking.name_earlier(world.office, owner, draft.id, "urbanisme", needed.number)
        sent = intake.submit(world.office, owner, draft.id, declared=True, token=new_id())
        assert linking.follow_links(world.office) == 0
        world.take(needed, world.agent("afi", "obac/instructeur"), "accorder")
        assert run_pass(world.office).links == 1
        assert (world.kept(sent).state, world.kept(sent).answers["urbanisme"]) == ("examen", "granted")

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_those_whose_other_does_not_end_keep_nobody_waiting(self, kind: str, tmp_path: Path) -> None:
        world = a_world(tmp_path, SqliteStore(tmp_path / "o.db") if kind == "sqlite" else an_empty_store())
        world.office = replace(world.office, catalogue=good("linked-dossiers", "minimal"))
        pairs: list[tuple[Dossier, Dossier]] = []
        for number in range(5):
            owner = world.applicant(f"+2289000010{number}")
            needed, draft = world.sent("minimal", owner), world.draft("linked-dossiers", owner)
            linking.name_earlier(world.office, owner, draft.id, "urbanisme", needed.number)
            pairs.append((needed, intake.submit(world.office, owner, draft.id, declared=True, token=new_id())))
            world.wait(days=1)
        agent = world.agent("afi", "obac/instructeur")
        for needed, _ in pairs[3:]:
            world.take(needed, agent, "accorder")
        assert [linking.follow_links(world.office, limit=2) for _ in range(3)] == [0, 1, 1]
        world.take(pairs[0][0], agent, "accorder")
        assert sum(linking.follow_links(world.office, limit=2) for _ in range(2)) == 1  # from the first on again
        assert [world.kept(waits).state == "examen" for _, waits in pairs] == [True, False, False, True, True]
        world.office.store.close()
