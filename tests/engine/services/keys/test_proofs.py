"""A paper is true or it is not; a journal verifies without us; `fsck` finds each promise that was broken."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import has_check_digit
from engine.journal.chain import verify_export
from engine.records.dossier import Dossier
from engine.services.applications import document_verification as verification
from engine.services.audit import integrity as inspection
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound, publish_editions
from engine.services.keys.signing_keys import SigningKeys, announce_key, sign_with_announced
from engine.services.limits.code_limits import CHECKS_PER_BROWSER, FIRST_PER_ADDRESS, Asker
from engine.services.worker.worker import run_timers
from engine.storage.sqlite.store import SqliteStore
from tests import worker
from tests.engine.services.world import B3, PASSPORT, World, a_world


def issued(world: World, owner: Any = None) -> Dossier:
    dossier = world.paid(world.sent(owner=owner))
    if dossier.state == "piece":
        dossier = world.take(dossier, world.agent("reader", "sncja/agent_traitement"), "comparer")
    return world.take(dossier, world.agent("chief", "sncja/greffier_en_chef"), "signer")


class TestPapers:
    def test_true_by_token_and_by_code(self, world: World) -> None:
        document = issued(world).documents[0]
        assert has_check_digit(document.code)
        assert len(document.code) == 12
        spaced = f"{document.code[:4]} {document.code[4:8]}-{document.code[8:]}"
        for asked in (document.token, document.code, spaced):
            verdict = verification.verify(world.office, asked)
            assert (verdict.kind, verdict.number, verdict.holder) == ("valid", "SNCJA-2026-00001", "A••• A•••")

    def test_its_signature_says_what_it_is_and_no_name(self, world: World) -> None:
        document = issued(world).documents[0]
        claims = world.office.keys.check(document.jws)
        assert claims
        assert (claims["number"], claims["issued"], claims["until"]) == (document.number, "2026-11-23", "2027-02-23")
        assert "AMEGAN" not in json.dumps(claims)

    @pytest.mark.parametrize("asked", ["", "x", "000000000000", "123456789012", "a" * 22, "é", "../etc"])
    def test_anything_else_is_unknown(self, world: World, asked: str) -> None:
        issued(world)
        assert verification.verify(world.office, asked) == verification.UNKNOWN

    def test_its_time_is_over(self, world: World) -> None:
        document = issued(world).documents[0]
        world.wait(days=93)
        assert verification.verify(world.office, document.token).kind == "expired"

    @pytest.mark.parametrize("status", ["revoked", "suspended", "replaced"])
    def test_annulled(self, world: World, status: Any) -> None:
        document = issued(world).documents[0]
        with world.office.store.unit(write=True) as unit:
            unit.put_document(replace(document, status=status))
        assert verification.verify(world.office, document.token).kind == status

    def test_a_paper_changed_in_the_store_is_not_vouched_for(self, world: World) -> None:
        document = issued(world).documents[0]
        with world.office.store.unit(write=True) as unit:
            unit.put_document(replace(document, holder="KOFFI Yao"))
        assert verification.verify(world.office, document.token).kind == "unknown"

    def test_other_keys_vouch_for_nothing(self, world: World) -> None:
        document = issued(world).documents[0]
        elsewhere = replace(world.office, keys=SigningKeys.generate())
        assert verification.verify(elsewhere, document.token).kind == "unknown"

    def test_a_key_put_in_front_later_takes_nothing_from_the_older_one(self, world: World, tmp_path: Path) -> None:
        document = issued(world).documents[0]
        world.office.keys.save(ring := tmp_path / "ring.json")
        announce_key(ring)
        sign_with_announced(ring)
        renewed = replace(world.office, keys=SigningKeys.open(ring))
        assert verification.verify(renewed, document.token).kind == "valid"

    def test_guessing_codes_is_counted(self, world: World) -> None:
        asker = Asker("41.0.0.1", "one")
        for _ in range(CHECKS_PER_BROWSER):
            verification.verify(world.office, "123456789012", asker)
        with pytest.raises(Refused, match="too_many_tries"):
            verification.verify(world.office, "123456789012", asker)
        assert verification.verify(world.office, "a" * 22, asker).kind == "unknown"
        assert verification.verify(world.office, "123456789012", Asker("41.0.0.1", "two")).kind == "unknown"

    def test_thousands_behind_one_address_verify_and_a_script_there_stops_no_browser_that_came_before(
        self, world: World
    ) -> None:
        first, (most, _) = Asker("41.0.0.1"), FIRST_PER_ADDRESS[0]
        for _ in range(most):
            assert verification.verify(world.office, "123456789012", first).kind == "unknown"
        with pytest.raises(Refused, match="too_many_tries"):
            verification.verify(world.office, "123456789012", first)
        assert verification.verify(world.office, "123456789012", Asker("41.0.0.1", "one")).kind == "unknown"
        assert verification.verify(world.office, "123456789012", Asker("41.0.0.2")).kind == "unknown"

    def test_its_holder_reads_it_again(self, world: World) -> None:
        dossier = issued(world)
        document = dossier.documents[0]
        assert verification.read_document(world.office, world.applicant(), dossier.id, document.id) == document
        for actor, ref in ((world.auditor(), document.id), (world.applicant(), "nothing")):
            with pytest.raises(NotFound):
                verification.read_document(world.office, actor, dossier.id, ref)

    def test_no_two_papers_of_an_agency_carry_one_number(self, world: World) -> None:
        checker = world.agent("checker", "dgdn/controleur")
        numbers = []
        for number in range(4):
            dossier = world.sent(PASSPORT, world.applicant(f"+228901{number:05d}"))
            if number % 2:
                dossier = world.take(dossier, checker, "refuser", reason="Non")
            else:
                dossier = world.paid(world.take(dossier, checker, "conforme"))
            numbers += [one.number for one in dossier.documents]
        assert numbers == [f"DGDN-2026-{number:05d}" for number in (1, 2, 3, 4)]


class TestJournals:
    def test_a_trail_holds(self, world: World) -> None:
        dossier = issued(world)
        entries, broken = inspection.checked_journal(world.office, world.auditor(), dossier.id)
        assert broken is None
        assert [entry.kind for entry in entries][:2] == ["opened", "saved"]

    def test_an_export_verifies_offline_and_one_changed_sign_is_named(self, world: World) -> None:
        dossier = issued(world)
        plain: Any = inspection.export(world.office, world.auditor(), dossier.id)
        assert plain["openings"] == []
        assert verify_export(plain) is None
        text = json.dumps(plain)
        forged = json.loads(text.replace('"target": "signature"', '"target": "remis"', 1))
        assert forged != plain
        broken = verify_export(forged)
        assert broken
        assert broken.reason == "changed"

    def test_its_owner_can_prove_what_they_sent(self, world: World) -> None:
        dossier = issued(world)
        plain: Any = inspection.export(world.office, world.applicant(), dossier.id)
        revealed = {(one["name"], one["value"]) for one in plain["openings"] if isinstance(one["value"], str)}
        assert ("answers.nom", "AMEGAN") in revealed
        assert verify_export(plain) is None
        for one in plain["openings"]:
            if one["name"] == "answers.nom":
                one["value"] = "KOFFI"
        broken = verify_export(plain)
        assert broken
        assert broken.reason == "opening"

    def test_no_answer_ever_stands_in_a_journal(self, world: World) -> None:
        dossier = issued(world)
        text = repr(inspection.export(world.office, world.auditor(), dossier.id))
        for answer in ("AMEGAN", "Kpalimé", "exemple@exemple.tg", "1994-03-12"):
            assert answer not in text


class TestEditions:
    def test_each_edition_is_kept_once(self, world: World) -> None:
        before = world.read(lambda unit: unit.editions(B3))
        world.wait(days=1)
        publish_editions(world.office)
        assert world.read(lambda unit: unit.editions(B3)) == before
        assert len(before) == 1
        assert before[0].source.startswith("# yaml-language-server") or "procedure: " + B3 in before[0].source

    def test_a_dossier_is_judged_by_the_edition_it_was_opened_under(self, tmp_path: Path) -> None:
        """A new edition comes into service; another process, which never read the old one, rebuilds it from the store."""
        world = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
        dossier = world.sent()
        book = world.office.catalogue.procedures[B3]
        newer = replace(book, fingerprint="f" * 64, states={**book.states, "signature": book.states["remis"]})
        catalogue = replace(world.office.catalogue, procedures={**world.office.catalogue.procedures, B3: newer})
        world.office = replace(world.office, catalogue=catalogue, editions=type(world.office.editions)())
        assert world.paid(dossier).state == "piece"
        assert world.kept(dossier).fingerprint == book.fingerprint
        world.take(world.kept(dossier), world.agent("reader", "sncja/agent_traitement"), "comparer")
        signed = world.take(world.kept(dossier), world.agent("chief", "sncja/greffier_en_chef"), "signer")
        assert signed.state == "a_retirer"

    def test_an_edition_nobody_has_is_found(self, world: World) -> None:
        dossier = world.sent()
        with world.office.store.unit(write=True) as unit:
            unit.put_dossier(replace(dossier, fingerprint="0" * 64, revision=dossier.revision + 1), dossier.revision)
        assert "edition_lost" in [one.code for one in fsck(world.office)]


class TestFsck:
    """Each broken promise is found and named."""

    def found(self, world: World) -> set[str]:
        return {one.code for one in fsck(world.office)}

    def test_whole(self, world: World) -> None:
        issued(world)
        world.draft(PASSPORT)
        assert fsck(world.office) == ()

    @pytest.mark.parametrize(
        "changes",
        [{"state": "remis"}, {"due_at": None}, {"done": {}}, {"closed_at": "now"}],
        ids=lambda changes: next(iter(changes)),
    )
    def test_a_dossier_that_its_journal_does_not_tell(self, world: World, changes: dict[str, Any]) -> None:
        dossier = issued(world)
        changes = {name: world.office.now() if value == "now" else value for name, value in changes.items()}
        self._put(world, dossier, **changes)
        assert "projection" in self.found(world)

    def test_money_that_was_not_received(self, world: World) -> None:
        dossier = world.sent()
        owed = {name: replace(one, paid=one.amount) for name, one in dossier.owed.items()}
        self._put(world, dossier, owed=owed)
        assert "paid_differs" in self.found(world)

    def test_a_payment_made_paid_by_hand(self, world: World) -> None:
        dossier = world.sent()
        payment = worker.start_payment(
            world.office, world.applicant(), dossier.id, provider="sandbox", payer="90112233"
        )
        with world.office.store.unit(write=True) as unit:
            unit.put_payment(replace(payment, status="paid"))
        assert {"credit_unjournaled", "paid_uncredited"} <= self.found(world)

    def test_a_file_lost_or_changed(self, world: World) -> None:
        dossier = world.filled()
        (file,) = world.office.attachments.blobs.folder.glob("??/??/*")
        file.write_bytes(file.read_bytes() + b"x")
        assert self.found(world) == {"file_lost"}
        file.unlink()
        assert [one.dossier for one in fsck(world.office)] == [dossier.id]

    def test_a_forged_document(self, world: World) -> None:
        dossier = issued(world)
        forged = replace(dossier.documents[0], holder="KOFFI Yao")
        self._put(world, dossier, documents=(forged,))
        with world.office.store.unit(write=True) as unit:
            unit.put_document(forged)
        assert "document_forged" in self.found(world)

    def test_a_seat_that_does_not_exist(self, world: World) -> None:
        checker = world.agent("checker", "dgdn/controleur")
        dossier = world.booked(world.paid(world.take(world.sent(PASSPORT), checker, "conforme")), "depot")
        beyond = replace(dossier.bookings["depot"], seat=999)
        self._put(world, dossier, bookings={"depot": beyond})
        with world.office.store.unit(write=True) as unit:
            unit.put_booking(beyond)
        assert "seat_beyond" in self.found(world)

    def _put(self, world: World, dossier: Dossier, **changes: Any) -> None:
        with world.office.store.unit(write=True) as unit:
            unit.put_dossier(replace(dossier, **changes, revision=dossier.revision + 1), dossier.revision)


def test_an_expired_paper_does_not_hide_a_late_wait(world: World) -> None:
    """Three months without coming: the bulletin is not collected, its paper stays what it was."""
    dossier = issued(world)
    world.clock.instant = dossier.due_at + timedelta(seconds=1)  # type: ignore[operator]
    run_timers(world.office)
    after = world.kept(dossier)
    assert after.state == "non_retire"
    assert after.documents == dossier.documents
