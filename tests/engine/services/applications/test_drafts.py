"""From the first question to the sending, and corrections: what was typed is never lost, what is hidden is never sent."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import new_number
from engine.domain.forms.corrections import CONFIRMED
from engine.model import Sensitive
from engine.records.dossier import CorrectionRequest, Dossier
from engine.records.people import Reading
from engine.services.accounts.access_log import readings_of_mine
from engine.services.applications import draft_answers as answering
from engine.services.applications import drafts as intake
from engine.services.applications.drafts import Upload
from engine.services.context.app_context import NotFound, WrongAnswers
from engine.services.core import idempotency
from engine.services.limits import file_counts
from engine.services.sign_in.unverified_drafts import go_on_unproven
from engine.storage.files.reserve import NoSpace, Reserve
from tests.engine.services.world import B3, PASSPORT, PHONE, World, left_salts, pdf

LET_IN = {"etranger": False}
NATIONAL = {"togolais": True, "en_mission": False}


def opened(world: World, **more: Any) -> Dossier:
    return intake.open_dossier(world.office, world.applicant(), B3, criteria=LET_IN, **more)


class TestOpening:
    def test_a_draft_has_a_number_a_phone_and_its_edition(self, world: World) -> None:
        dossier = opened(world)
        assert len(dossier.number) == 11
        assert dossier.number.startswith("26")
        assert dossier.contact_phone == PHONE
        assert dossier.fingerprint == world.office.catalogue.procedures[B3].fingerprint
        assert dossier.answers["etranger"] is False
        assert [line.id for line in intake.mine(world.office, world.applicant())] == [dossier.id]

    def test_it_resumes(self, world: World) -> None:
        first = opened(world)
        intake.save_page(world.office, world.applicant(), first.id, "personne", {"qualite": ["morale"]})
        again = opened(world)
        assert (again.id, again.answers["qualite"]) == (first.id, "morale")

    @pytest.mark.parametrize("telephone", [True, False])
    def test_who_has_no_telephone_never_uses_the_last_space(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, telephone: bool
    ) -> None:
        """Their accounts cost nothing, and each draft holds 300 KB of text: an hour of one address were gigabytes."""
        owner = world.applicant() if telephone else go_on_unproven(world.office, PHONE).actor
        world.people[owner.id] = owner
        first, tries = intake.open_dossier(world.office, owner, B3, criteria=LET_IN), list[float]()
        world.office.attachments.reserve = Reserve((tmp_path,), 2**62)
        monkeypatch.setattr(idempotency.time, "sleep", tries.append)

        def saves() -> None:
            intake.save_page(world.office, owner, first.id, "personne", {"qualite": ["morale"]}, token="t")

        for act in (saves, lambda: intake.open_dossier(world.office, owner, PASSPORT, criteria=NATIONAL)):
            with nullcontext() if telephone else pytest.raises(NoSpace):
                act()
        assert tries == [], "a thread does not wait for space"
        intake.drop_draft(world.office, owner, first.id)

    def test_eligibility_stops_with_why_and_where_to_go(self, world: World) -> None:
        with pytest.raises(Refused) as closed:
            intake.open_dossier(world.office, world.applicant(), B3, criteria={"etranger": True})
        reason = closed.value.reason
        assert (reason.code, reason.facts["criterion"]) == ("ineligible", "etranger")
        assert "attestation" in str(reason.facts["because"])
        assert reason.facts["instead"] == "attestation-non-condamnation"

    def test_eligibility_is_asked(self, world: World) -> None:
        with pytest.raises(Refused, match="criteria_missing"):
            intake.open_dossier(world.office, world.applicant(), PASSPORT, criteria={"togolais": True})

    def test_only_applicants_open(self, world: World) -> None:
        with pytest.raises(Refused, match="role"):
            intake.open_dossier(world.office, world.agent("a", "sncja/agent_traitement"), B3, criteria=LET_IN)

    def test_unknown_procedure_or_channel(self, world: World) -> None:
        with pytest.raises(NotFound):
            intake.open_dossier(world.office, world.applicant(), "nulle-part", criteria={})
        with pytest.raises(Refused, match="channel"):
            opened(world, channel="ussd")

    def test_answers_that_are_no_criterion_are_not_taken(self, world: World) -> None:
        criteria = {**LET_IN, "nom": "HACKER", "state": "signature"}
        dossier = intake.open_dossier(world.office, world.applicant(), B3, criteria=criteria)
        assert "nom" not in dossier.answers
        assert "state" not in dossier.answers


class TestPages:
    def test_a_clean_page_leads_to_the_next(self, world: World) -> None:
        saved = intake.save_page(
            world.office, world.applicant(), opened(world).id, "personne", {"qualite": ["physique"]}
        )
        assert (saved.errors, saved.next_page) == ((), "identite")
        assert saved.dossier.answers["qualite"] == "physique"

    def test_a_wrong_page_is_kept_as_typed_and_shown_again(self, world: World) -> None:
        dossier = world.draft()
        raw = {"nom": ["DOSSEH"], "prenoms": [""], "sexe": ["f"],
               "date_naissance_day": ["31"], "date_naissance_month": ["2"], "date_naissance_year": ["1990"]}  # fmt: skip
        saved = intake.save_page(world.office, world.applicant(), dossier.id, "identite", raw)
        assert saved.next_page == "identite"
        assert {problem.at for problem in saved.errors} >= {"prenoms", "date_naissance"}
        page = intake.see_form(world.office, world.applicant(), dossier.id).page("identite")
        assert page is not None
        shown = {view.id: view for view in page.fields}
        assert shown["date_naissance"].boxes == ("31", "2", "1990")
        assert shown["date_naissance"].problems
        assert world.kept(dossier).answers["nom"] == "DOSSEH"
        assert saved.dossier.label == "DOSSEH"

    def test_nothing_hidden_computed_or_foreign_is_written(self, world: World) -> None:
        dossier = world.draft()
        raw = {"qualite": ["physique"], "raison_sociale": ["X"], "etranger": ["true"], "meme_personne": ["true"],
               "state": ["remis"], "owner": ["me"]}  # fmt: skip
        saved = intake.save_page(world.office, world.applicant(), dossier.id, "personne", raw)
        before = {name: answer for name, answer in dossier.answers.items() if name != "qualite"}
        assert {name: answer for name, answer in saved.dossier.answers.items() if name != "qualite"} == before
        assert (saved.dossier.state, saved.dossier.owner) == (dossier.state, dossier.owner)

    def test_saving_the_same_again_writes_nothing(self, world: World) -> None:
        owner, dossier = world.applicant(), opened(world)
        first = intake.save_page(world.office, owner, dossier.id, "personne", {"qualite": ["physique"]})
        again = intake.save_page(world.office, owner, dossier.id, "personne", {"qualite": ["physique"]})
        assert again.dossier == first.dossier

    def test_a_saved_page_comes_back_with_its_token(self, world: World) -> None:
        owner, dossier = world.applicant(), world.draft()
        raw = {"nom": [""], "prenoms": ["Afi"]}
        first = intake.save_page(world.office, owner, dossier.id, "identite", raw, token="t")
        again = intake.save_page(world.office, owner, dossier.id, "identite", raw, token="t")
        assert (again.dossier, again.next_page) == (first.dossier, "identite")
        assert {one.at for one in again.errors} == {one.at for one in first.errors}

    @pytest.mark.parametrize("page", ["", "nulle_part", "interrogation"])
    def test_a_page_off_the_path(self, world: World, page: str) -> None:
        with pytest.raises(NotFound):
            intake.save_page(world.office, world.applicant(), opened(world).id, page, {})

    def test_the_journal_names_answers_and_never_says_them(self, world: World) -> None:
        dossier = world.draft()
        intake.save_page(world.office, world.applicant(), dossier.id, "identite", {"nom": ["CANARI"], "sexe": ["m"]})
        entries = world.read(lambda unit: unit.entries(dossier.id))
        assert "CANARI" not in repr(entries)
        assert "nom" in entries[-1].body["fields"]
        assert set(entries[-1].body["commits"]) == {"rows.dossier", "answers.nom", "answers.sexe"} | {
            f"answers.{name}" for name in entries[-1].body["fields"]
        }


class TestFiles:
    def test_a_file_is_kept_and_read_again(self, world: World) -> None:
        owner, dossier = world.applicant(), world.draft()
        attached = intake.attach(world.office, owner, dossier.id, "justificatif", Upload("../mon acte.PDF", pdf()))
        assert attached.problem is None
        attachment = attached.dossier.attachments[0]
        assert (attachment.name, attachment.kind) == ("mon acte.pdf", "pdf")
        assert intake.read_attachment(world.office, owner, dossier.id, attachment.id)[1] == pdf()

    def test_another_takes_its_place(self, world: World) -> None:
        owner, dossier = world.applicant(), world.draft()
        for name in ("un.pdf", "deux.pdf"):
            attached = intake.attach(world.office, owner, dossier.id, "justificatif", Upload(name, pdf()))
        assert [one.name for one in attached.dossier.attachments] == ["deux.pdf"]

    def test_the_kind_of_paper_comes_with_it(self, world: World) -> None:
        owner, dossier = world.applicant(), world.draft()
        details = {"justificatif": "jugement_suppletif", "nom": "HACKER"}
        attached = intake.attach(world.office, owner, dossier.id, "justificatif", Upload("a.pdf", pdf()), details)
        answer = attached.dossier.answers["justificatif"]
        assert isinstance(answer, dict)
        assert answer["is"] == "jugement_suppletif"
        assert attached.dossier.answers["nom"] == "AMEGAN"

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "file_empty"),
            (b"x" * 5_000_001, "file_size"),
            (b"MZ\x90 program", "file_type"),
            (b"%PDF-1.7 x", "file_unreadable"),
        ],
    )
    def test_a_wrong_file_is_told_and_changes_nothing(self, world: World, data: bytes, code: str) -> None:
        owner, dossier = world.applicant(), world.draft()
        attached = intake.attach(world.office, owner, dossier.id, "justificatif", Upload("a.pdf", data))
        assert attached.problem is not None
        assert (attached.problem.at, attached.problem.code) == ("justificatif", code)
        assert world.kept(dossier) == dossier

    @pytest.mark.parametrize("path", ["nom", "extrait_rccm", "nulle_part", "justificatif.0.x", "justificatif.-1"])
    def test_only_at_a_question_that_takes_one(self, world: World, path: str) -> None:
        with pytest.raises(NotFound):
            intake.attach(world.office, world.applicant(), world.draft().id, path, Upload("a.pdf", pdf()))

    def test_a_sensitive_file_is_for_those_the_book_names(self, world: World) -> None:
        book = world.office.catalogue.procedures[PASSPORT]
        kept_close = replace(
            book.personal_data, sensitive={**book.personal_data.sensitive, "cni": Sensitive(("dgdn/production",))}
        )
        books = {**world.office.catalogue.procedures, PASSPORT: replace(book, personal_data=kept_close)}
        world.office = replace(world.office, catalogue=replace(world.office.catalogue, procedures=books))
        dossier = world.sent(PASSPORT)
        card = next(one for one in dossier.attachments if one.field == "cni")
        for reader in (world.applicant(), world.agent("maker", "dgdn/production")):
            assert intake.read_attachment(world.office, reader, dossier.id, card.id)
        for stranger in (world.agent("checker", "dgdn/controleur"), world.auditor()):
            with pytest.raises(NotFound):
                intake.read_attachment(world.office, stranger, dossier.id, card.id)

    def test_taken_away_it_is_missing_again(self, world: World) -> None:
        owner, dossier = world.applicant(), world.filled()
        after = intake.detach(world.office, owner, dossier.id, dossier.attachments[0].id)
        assert after.attachments == ()
        assert [one.at for one in intake.check(world.office, owner, dossier.id).errors] == ["justificatif"]


class TestSending:
    def test_the_check_says_what_is_missing_and_the_price(self, world: World) -> None:
        sheet = intake.check(world.office, world.applicant(), world.draft(mode_retrait="poste").id)
        assert [one.at for one in sheet.errors] == ["justificatif"]
        assert sum(quote.amount for quote in sheet.quotes) == 2000

    def test_nothing_wrong_is_sent(self, world: World) -> None:
        dossier = world.draft()
        with pytest.raises(WrongAnswers) as wrong:
            intake.submit(world.office, world.applicant(), dossier.id, declared=True)
        assert [one.at for one in wrong.value.problems] == ["justificatif"]
        assert world.kept(dossier).is_draft

    def test_hidden_answers_and_their_files_stay_behind(self, world: World) -> None:
        owner = world.applicant()
        as_person = world.filled()
        as_company = world.draft(qualite="morale")  # the same draft, now for a company
        assert as_company.id == as_person.id
        kept = world.force(as_company, answers={**as_company.answers, **as_person.answers, "qualite": "morale"})
        intake.attach(world.office, owner, kept.id, "extrait_rccm", Upload("r.pdf", pdf()))
        sent = intake.submit(world.office, owner, kept.id, declared=True)
        assert "raison_sociale" in sent.answers
        assert not {"nom", "prenoms", "justificatif"} & sent.answers.keys()
        assert [one.field for one in sent.attachments] == ["extrait_rccm"]

    def test_sent_is_sent(self, world: World) -> None:
        owner, dossier = world.applicant(), world.sent()
        assert (dossier.state, dossier.label, dossier.office) == ("a_payer", "AMEGAN Afi", "casier_lome")
        for act in (
            lambda: intake.save_page(world.office, owner, dossier.id, "identite", {"nom": ["X"]}),
            lambda: intake.submit(world.office, owner, dossier.id, declared=True),
            lambda: intake.drop_draft(world.office, owner, dossier.id),
        ):
            with pytest.raises(Refused, match="already_submitted"):
                act()
        with pytest.raises(Refused, match="not_correctable"):
            intake.attach(world.office, owner, dossier.id, "justificatif", Upload("a.pdf", pdf()))

    def test_the_number_serves_as_well_as_the_id(self, world: World) -> None:
        dossier = world.draft()
        assert intake.see(world.office, world.applicant(), dossier.number) == dossier

    def test_one_person_fills_no_disk(self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files that take the place of one another, in several drafts: so many, and no more lie there."""
        monkeypatch.setattr(file_counts, "FILES_AT_ONCE", 4)
        owner, drafts = world.applicant(), (world.draft(PASSPORT), world.draft("duplicata-bac"))
        spots = [next(one.at for one in intake.check(world.office, owner, draft.id).errors) for draft in drafts]
        for number in range(4):
            draft, spot = drafts[number % 2], spots[number % 2]
            intake.attach(world.office, owner, draft.id, spot, intake.Upload("acte.pdf", pdf()))
        lying = {one for one in tmp_path.rglob("*") if one.is_file()}
        with pytest.raises(Refused, match="too_many_tries"):
            intake.attach(world.office, owner, drafts[0].id, spots[0], intake.Upload("acte.pdf", pdf()))
        assert {one for one in tmp_path.rglob("*") if one.is_file()} == lying
        world.wait(minutes=16)
        intake.attach(world.office, owner, drafts[0].id, spots[0], intake.Upload("acte.pdf", pdf()))

    def test_the_journal_of_a_draft_grows_by_what_changed_and_so_often(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answering, "SAVED", 4)
        owner, draft = world.applicant(), world.draft()
        before = len(world.kinds(draft))
        for _ in range(9):  # wrong, and the same each time
            saved = intake.save_page(world.office, owner, draft.id, "identite", {"nom": [""]})
            assert saved.errors
        assert len(world.kinds(draft)) == before + 1

        def goes_on() -> None:
            for number in range(9):
                intake.save_page(world.office, owner, draft.id, "identite", {"nom": [f"Abc{'d' * number}"]})

        with pytest.raises(Refused, match="too_many_tries"):
            goes_on()
        assert len(world.kinds(draft)) <= before + 4
        world.wait(minutes=16)
        intake.save_page(world.office, owner, draft.id, "identite", {"nom": ["Other"]})

    def test_drafts_begun_and_given_up_again_and_again_are_counted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answering, "SAVED", 4)
        for _ in range(4):
            intake.drop_draft(world.office, world.applicant(), opened(world).id)
        with pytest.raises(Refused, match="too_many_tries"):
            opened(world)
        world.wait(minutes=16)
        assert opened(world).is_open_draft

    def test_a_dropped_draft_is_forgotten(self, world: World) -> None:
        owner, dossier = world.applicant(), world.filled()
        intake.drop_draft(world.office, owner, dossier.id, token="t")
        intake.drop_draft(world.office, owner, dossier.id, token="t")
        kept = world.kept(dossier)
        assert (dict(kept.answers), kept.attachments, kept.label) == ({}, (), "")
        assert (kept.contact_phone, kept.contact_email) == (None, None), "nobody is written to about it any more"
        assert left_salts(world, dossier) <= {"rows.dossier", "rows.timers"}, "of the emptied body and its times"
        assert intake.mine(world.office, owner) == ()
        assert opened(world).id != dossier.id
        with pytest.raises(Refused, match="closed"):
            intake.save_page(world.office, owner, dossier.id, "identite", {"nom": ["X"]})


class TestList:
    def test_sixty_requests_of_one_company_are_all_listed(self, world: World) -> None:
        sent = [world.sent() for _ in range(2)]
        line = world.kept(sent[0])
        with world.office.store.unit(write=True) as unit:
            for n in range(60):  # newer than both; as sent in two days
                number = new_number(2026, f"{n:08d}")
                later = line.created_at + timedelta(hours=n + 1)
                unit.add_dossier(replace(line, id=f"d{n}", number=number, created_at=later, revision=0))
            day = world.office.day()
            unit.note_reading(Reading(line.id, "agent", day, world.office.now(), "sncja/greffier_en_chef"))
        found = [one.id for one in intake.mine(world.office, world.applicant())]
        assert [one.id for _, one in readings_of_mine(world.office, world.applicant())] == [line.id], "who read it too"
        assert len(found) == 62
        assert found[0] == "d59"
        assert {one.id for one in sent} <= {*found}

    def test_what_is_closed_is_left_out_first(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(intake, "MOST_LISTED", 2)
        oldest = world.sent()
        for _ in range(3):
            world.wait(minutes=5)
            world.force(world.sent(), closed_at=world.office.now())
        assert oldest.id in [one.id for one in intake.mine(world.office, world.applicant())]


class TestCorrections:
    @pytest.fixture
    def dossier(self, world: World) -> Dossier:
        agent = world.agent("c", "dgdn/controleur")
        asked = {"acte_naissance": "Illisible", "lieu_naissance": "Comme sur l'acte"}
        return world.take(world.sent(PASSPORT), agent, "faire_corriger", correction=asked, reason="Deux points")

    def test_only_what_was_asked_is_open(self, world: World, dossier: Dossier) -> None:
        owner = world.applicant()
        form = intake.see_corrections(world.office, owner, dossier.id)
        views = {view.id: view for page in form.pages for view in page.fields}
        assert set(views) == {"acte_naissance", "lieu_naissance"}
        assert views["lieu_naissance"].reason == "Comme sur l'acte"
        raw = {"lieu_naissance": ["Tsévié"], "nom": ["HACKER"], "taille": ["99"]}
        saved = intake.save_corrections(world.office, owner, dossier.id, raw)
        assert saved.dossier.answers["lieu_naissance"] == "Tsévié"
        assert saved.dossier.answers["nom"] == "AMEGAN"
        assert saved.dossier.answers["taille"] == 168

    def test_a_paper_that_is_only_brought_is_not_asked_again(self, world: World) -> None:
        sent, agent = world.sent(PASSPORT), world.agent("c", "dgdn/controleur")
        with pytest.raises(Refused, match="not_correctable"):
            world.take(sent, agent, "faire_corriger", correction={"photos": "Floues"}, reason="Un point")

    def test_a_paper_that_a_former_release_asked_again_does_not_keep_the_rest(
        self, world: World, dossier: Dossier
    ) -> None:
        assert dossier.correction is not None
        asked = replace(dossier.correction, fields={"lieu_naissance": "Illisible", "photos": "Floues"})
        world.force(dossier, correction=asked)
        saved = intake.save_corrections(world.office, world.applicant(), dossier.id, {"lieu_naissance": ["Tsévié"]})
        assert saved.dossier.correction is not None
        assert saved.dossier.correction.left == ()

    def test_all_must_be_made_before_it_is_sent_back(self, world: World, dossier: Dossier) -> None:
        owner = world.applicant()
        saved = intake.save_corrections(world.office, owner, dossier.id, {"lieu_naissance": ["Tsévié"]})
        assert saved.dossier.correction is not None
        assert saved.dossier.correction.left == ("acte_naissance",)
        with pytest.raises(Refused, match="correction_incomplete"):
            intake.send_corrections(world.office, owner, dossier.id)
        files = {"acte_naissance": Upload("b.pdf", pdf())}
        saved = intake.save_corrections(world.office, owner, dossier.id, {}, files, token="t")
        assert saved.dossier.correction is not None
        assert saved.dossier.correction.left == ()
        sent = intake.send_corrections(world.office, owner, dossier.id, revision=saved.dossier.revision)
        assert (sent.state, sent.correction) == ("conformite", None)
        assert len([one for one in sent.attachments if one.field == "acte_naissance"]) == 2

    def test_an_answer_posted_unchanged_is_corrected_once_it_is_confirmed(self, world: World, dossier: Dossier) -> None:
        """The agent read « Inchangé » and did not know whether the applicant had read the request."""
        same = {"lieu_naissance": [str(dossier.answers["lieu_naissance"])]}
        intake.save_corrections(world.office, world.applicant(), dossier.id, {"lieu_naissance": ["Tsévié"]})
        saved = intake.save_corrections(world.office, world.applicant(), dossier.id, same)
        assert saved.dossier.correction is not None
        assert saved.dossier.correction.made == frozenset(), "changed back to what was sent"
        intake.attach(world.office, world.applicant(), dossier.id, "acte_naissance", Upload("b.pdf", pdf()))
        with pytest.raises(Refused, match="correction_incomplete"):
            intake.send_corrections(world.office, world.applicant(), dossier.id)
        form = intake.see_corrections(world.office, world.applicant(), dossier.id)
        assert [(one.at, one.code) for page in form.pages for one in page.errors] == [("lieu_naissance", "unchanged")]
        confirmed = {**same, CONFIRMED: ["lieu_naissance", "nom"]}
        saved = intake.save_corrections(world.office, world.applicant(), dossier.id, confirmed)
        assert saved.dossier.correction is not None
        assert saved.dossier.correction.made == {"acte_naissance", "lieu_naissance"}
        form = intake.see_corrections(world.office, world.applicant(), dossier.id)
        assert not [one for page in form.pages for one in page.errors]
        other = intake.save_corrections(world.office, world.applicant(), dossier.id, {"nom": ["AMEGAN"]})
        assert other.dossier.correction is not None
        assert other.dossier.correction.left == ()

    def test_a_file_by_its_own_post_counts_as_well(self, world: World, dossier: Dossier) -> None:
        attached = intake.attach(
            world.office, world.applicant(), dossier.id, "acte_naissance", Upload("b.pdf", pdf())
        )  # fmt: skip
        assert attached.dossier.correction is not None
        assert attached.dossier.correction.made == {"acte_naissance"}

    def test_a_wrong_answer_or_file_is_told_and_the_rest_kept(self, world: World, dossier: Dossier) -> None:
        files = {"acte_naissance": Upload("b.exe", b"MZ")}
        saved = intake.save_corrections(
            world.office, world.applicant(), dossier.id, {"lieu_naissance": ["Tsévié"]}, files
        )  # fmt: skip
        assert {one.at: one.code for one in saved.errors} == {"acte_naissance": "file_type"}
        assert saved.dossier.correction is not None
        assert saved.dossier.correction.made == {"lieu_naissance"}
        empty = intake.save_corrections(world.office, world.applicant(), dossier.id, {"lieu_naissance": [""]})
        assert [one.at for one in empty.errors] == ["lieu_naissance"]
        assert empty.dossier.correction is not None
        assert empty.dossier.correction.made == frozenset()
        with pytest.raises(WrongAnswers):
            intake.send_corrections(world.office, world.applicant(), dossier.id)

    def test_another_answer_without_its_words_is_not_corrected(self, world: World) -> None:
        """The page said that all was corrected, and the sending was refused without a word."""
        owner = world.applicant()
        asked = CorrectionRequest({"motif": "Lequel ?"}, "Un point", world.office.now(), "c")
        dossier = world.force(world.sent(), state="a_corriger", correction=asked)
        saved = intake.save_corrections(world.office, owner, dossier.id, {"motif": ["other"], "motif_other": [""]})
        assert [one.at for one in saved.problems] == ["motif_other"]
        assert saved.dossier.correction is not None
        assert saved.dossier.correction.left == ("motif",)

    def test_nothing_to_correct_elsewhere(self, world: World) -> None:
        dossier = world.sent()
        for act in (intake.send_corrections, lambda *given: intake.save_corrections(*given, {})):
            with pytest.raises(Refused, match="not_now"):
                act(world.office, world.applicant(), dossier.id)
