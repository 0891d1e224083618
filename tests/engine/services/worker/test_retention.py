"""Closed dossiers are kept as long as the book says: then nobody is left in them, and everything still verifies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.values import new_id
from engine.journal.chain import erased_at, verify_export
from engine.records.dossier import SYSTEM_ACTOR, CorrectionRequest, Dossier
from engine.services.accounts.access_log import note_reading
from engine.services.applications.document_verification import verify
from engine.services.applications.drafts import see
from engine.services.applications.opinions import fill_row, give_opinion
from engine.services.audit.integrity import checked_journal, export, fsck
from engine.services.context.app_context import NotFound
from engine.services.core.commit import keep
from engine.services.worker import retention
from engine.services.worker.worker import run_pass, run_timers, sweep
from tests.engine.services.editions import edition, publish
from tests.engine.services.world import World, a_world, left_salts

SLUG = "kiosque"
DELETE = ("keep: {granted", "afterwards: delete, keep: {granted")
FIVE_YEARS = ("kind: permit, shows", "kind: permit, valid: 5 years, shows")
SENSITIVE = (
    "purpose: Tenir les kiosques,",
    "purpose: Tenir les kiosques, sensitive: {telephone_voisin: {seen_by: [urbaniste], keep: 30 days},"
    " age: {seen_by: [urbaniste], keep: 30 days}},",
)

APPEAL = (
    "refuse: {label: Refusé, end: refused}",
    "refuse: {label: Refusé, end: refused, transitions:"
    " {contester: {label: Contester, by: applicant, to: examen, within: 2 months}}}",
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


def opened(world: World, *edits: tuple[str, str]) -> Dossier:
    publish(world, edition(*edits))
    return world.sent(SLUG, telephone_voisin="+22890112244")


def refused(world: World, *edits: tuple[str, str]) -> Dossier:
    dossier = opened(world, *edits)
    return world.take(dossier, urbaniste(world), "refuser", reason="Afi tient déjà un kiosque")


def granted(world: World, *edits: tuple[str, str]) -> Dossier:
    dossier = world.take(opened(world, *edits), urbaniste(world), "consulter")
    for who, service in (("mairie/voirie", "avis_voirie"), ("gfu/conservateur", "avis_foncier")):
        agent = world.agent(service, who)
        give_opinion(world.office, agent, dossier.id, service, {"opinion": "favourable"}, token=new_id())
    dossier = world.paid(dossier)
    dossier = fill_row(world.office, urbaniste(world), dossier.id, "badge", 0, {"couleur": "bleu"}, token=new_id())
    return world.take(dossier, world.agent("maire", "mairie/urbaniste"), "signer")


def urbaniste(world: World) -> Any:
    return world.agent("urbaniste", "mairie/urbaniste")


def after(world: World, dossier: Dossier, **span: float) -> Dossier:
    world.wait(**span)
    run_pass(world.office)
    assert fsck(world.office) == ()
    return world.kept(dossier)


def everything_kept(world: World, dossier: Dossier) -> str:
    """All that the store holds of a dossier, as text."""
    return world.read(
        lambda unit: str(
            (
                unit.dossier(dossier.id), unit.letters_of(dossier.id), unit.payments_of(dossier.id),
                unit.salts(dossier.id), [entry.body for entry in unit.entries(dossier.id)],
            )
        )
    )  # fmt: skip


def test_a_refused_dossier_is_kept_its_time_then_nobody_is_in_it(world: World) -> None:
    dossier = refused(world)
    assert after(world, dossier, days=364).answers == dossier.answers
    kept = after(world, dossier, days=2)
    assert kept.erased_at == world.office.now()
    assert kept.answers == {"vente": "repas"}, "a code of few is left for counting"
    assert (kept.owner, kept.label, kept.attachments, kept.taken[-1].reason) == ("", "", (), None)
    text = everything_kept(world, dossier).replace(dossier.owner, "")  # the account's id, which names nobody elsewhere
    assert not [word for word in ("Afi", "AMEGAN", "22890112233", "22890112244") if word in text]
    assert left_salts(world, dossier) <= {"rows.dossier", "rows.timers"}, "of the emptied body and its times"
    assert world.read(lambda unit: unit.letters_of(dossier.id)) == ()


def test_it_is_one_entry_and_the_chain_still_verifies(world: World) -> None:
    dossier = refused(world)
    after(world, dossier, days=366)
    entries, broken = checked_journal(world.office, world.auditor(), dossier.id)
    assert broken is None
    assert [entry.kind for entry in entries].count("erased") == 1
    body = entries[-1].body
    assert isinstance(body, dict)
    assert (body["outcome"], body["how"]) == ("refused", "anonymise")
    assert body["answers"] == ["enseigne", "telephone_voisin", "vendeurs"]
    exported = export(world.office, world.auditor(), dossier.id)
    assert verify_export(exported) is None
    assert isinstance(exported, dict)
    assert exported["openings"] == []
    assert erased_at(exported) == world.kept(dossier).erased_at


def test_its_owner_finds_it_no_more_and_the_service_still_counts_it(world: World) -> None:
    dossier = refused(world)
    owner = world.owner(dossier)
    after(world, dossier, days=366)
    with pytest.raises(NotFound):
        see(world.office, owner, dossier.id)
    assert see(world.office, urbaniste(world), dossier.id).state == "refuse"


def test_delete_leaves_no_answer(world: World) -> None:
    kept = after(world, refused(world, DELETE), days=366)
    assert kept.answers == {}


def test_a_permit_outlives_its_dossier(world: World) -> None:
    """What may still be shown to somebody can still be verified; what it says goes when it is worth nothing."""
    dossier = granted(world, FIVE_YEARS)
    kept = after(world, dossier, days=2 * 366)
    assert kept.erased_at is not None
    assert kept.documents[0].content != ()
    assert verify(world.office, kept.documents[0].token).kind == "valid"
    assert "+22890000001" not in everything_kept(world, dossier), "the number that paid"
    kept = after(world, dossier, days=4 * 366)
    assert (kept.documents[0].content, kept.documents[0].holder) == ((), "")
    assert verify(world.office, kept.documents[0].token).kind == "expired"
    assert "Afi" not in everything_kept(world, dossier)
    assert world.kinds(dossier).count("erased") == 2


REVOKED = (
    "accorde: {label: Accordé, end: granted, issues: [permis]}",
    "accorde: {label: Accordé, end: granted, issues: [permis], transitions: {retirer: {label: Retirer, by: urbaniste,"
    " to: retire, asks: [reason], revokes: permis}}}\n    retire: {label: Retiré, end: refused, issues: [retrait]}",
)
LETTER = (
    "  permis: {title: Permis de kiosque,",
    "  retrait: {title: Lettre de retrait, kind: letter, operative: Le permis est retiré., reason_of: retirer, signed_by: urbaniste}\n"
    "  permis: {title: Permis de kiosque,",
)


def test_what_an_act_adds_after_the_erasure_is_erased_in_its_time(world: World) -> None:
    """The permit outlives its dossier and is revoked: the reason and the letter are of a person again."""
    dossier = granted(world, FIVE_YEARS, REVOKED, LETTER)
    kept = after(world, dossier, days=2 * 366)
    first = kept.erased_at
    assert first is not None
    revoked = world.take(kept, urbaniste(world), "retirer", reason="Afi vend de l'alcool")
    letter = revoked.documents[1]
    assert (revoked.documents[0].status, "Afi" in str(letter.paper)) == ("revoked", True)
    kept = after(world, dossier, days=360)
    assert "Afi vend" in everything_kept(world, dossier), "kept a year, as of any refusal"
    assert (kept.documents[0].content, kept.documents[1]) == ((), letter)
    kept = after(world, dossier, days=8)
    assert kept.erased_at == world.office.now()
    assert "Afi" not in everything_kept(world, dossier)
    assert left_salts(world, dossier) <= {"rows.dossier", "rows.timers", *left_rows(world, dossier)}
    assert after(world, dossier, days=400).revision == kept.revision, "and once"
    assert not retention.forget_overdue(world.office, dossier.id)


def left_rows(world: World, dossier: Dossier) -> set[str]:
    """The commitments to money, which is compared for ever."""
    return {name for name in left_salts(world, dossier) if name.startswith(("rows.payment.", "rows.event."))}


def test_a_letter_of_refusal_is_erased_with_its_dossier(world: World) -> None:
    """It grants nothing that its holder may show, and has no last day."""
    clerk = world.agent("clerk", "sncja/agent_traitement")
    dossier = world.take(world.paid(world.sent()), clerk, "rejeter_piece", reason="Afi est une autre")
    assert dossier.documents[0].holder == "AMEGAN Afi"
    kept = after(world, dossier, days=2 * 366 + 90)
    assert kept.erased_at is not None
    assert (kept.documents[0].holder, kept.documents[0].paper) == ("", None)
    assert "AMEGAN" not in everything_kept(world, dossier)


def test_what_an_earlier_release_left_of_an_erased_dossier_is_erased(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier = granted(world)
    with monkeypatch.context() as earlier:
        earlier.setattr("engine.domain.documents.retention._grants", lambda *_: True)
        kept = after(world, dossier, days=2 * 366)
    assert kept.documents[0].content != ()
    with world.office.store.unit(write=True) as unit:
        revoked = replace(kept.documents[0], status="revoked", changed_at=world.office.now())
        unit.put_document(revoked)
        keep(world.office, unit, kept, replace(kept, documents=(revoked,)), [], SYSTEM_ACTOR)
    assert world.kept(kept).documents[0].content != ()
    assert after(world, kept, days=1).documents[0].content == ()


def test_all_that_is_overdue_of_one_dossier_is_erased_in_one_pass(world: World) -> None:
    kept = after(world, granted(world), days=2 * 366)
    revoked = replace(kept.documents[0], status="revoked", changed_at=world.office.now())
    other = replace(revoked, id=new_id(), number="2", code="OTHER", token="other")
    with world.office.store.unit(write=True) as unit:
        unit.put_document(revoked)
        unit.add_document(kept.id, other)
        keep(world.office, unit, kept, replace(kept, documents=(revoked, other)), [], SYSTEM_ACTOR)
    assert retention.forget_overdue(world.office, kept.id)
    assert [one.content for one in world.kept(kept).documents] == [(), ()]
    assert not retention.forget_overdue(world.office, kept.id), "nothing is left"


def test_a_sensitive_answer_goes_before_the_dossier(world: World) -> None:
    dossier = refused(world, SENSITIVE)
    kept = after(world, dossier, days=31)
    assert kept.erased_at is None
    assert "telephone_voisin" not in kept.answers
    assert kept.answers["vendeurs"] == [{"nom": "AMEGAN"}]
    assert kept.answers["enseigne"] == "Chez Afi"
    salted = {name for names in world.read(lambda unit: unit.salts(dossier.id)).values() for name in names}
    assert "answers.telephone_voisin" not in salted
    assert "answers.enseigne" in salted
    assert world.kinds(dossier).count("erased") == 2
    assert after(world, dossier, days=365).erased_at is not None


def test_a_former_sensitive_answer_goes_before_the_dossier(world: World) -> None:
    sent = opened(world, SENSITIVE)
    former = CorrectionRequest({}, "", world.office.now(), "urbaniste", before={"telephone_voisin": "+22890112244"})
    left = {name: answer for name, answer in sent.answers.items() if name != "telephone_voisin"}
    corrected = world.force(sent, answers=left, corrected=(former,))
    dossier = world.take(corrected, urbaniste(world), "refuser", reason="Afi tient déjà un kiosque")
    kept = after(world, dossier, days=31)
    assert kept.erased_at is None
    assert kept.corrected[0].before == {}
    salted = {name for names in world.read(lambda unit: unit.salts(dossier.id)).values() for name in names}
    assert "answers.telephone_voisin" not in salted


def test_nothing_that_an_appeal_needs_goes_while_the_applicant_may_still_appeal(world: World) -> None:
    dossier = refused(world, SENSITIVE, APPEAL, ("refused: 1 year", "refused: 30 days"))
    kept = after(world, dossier, days=45)
    assert (kept.erased_at, kept.answers) == (None, dossier.answers), (
        "kept thirty days by its procedure, with two months to appeal"
    )
    again = world.take(kept, world.applicant(), "contester")
    assert again.answers["telephone_voisin"] == "+22890112244", "who decides the appeal has all that was given"
    refused_again = world.take(again, urbaniste(world), "refuser", reason="Afi tient toujours un kiosque")
    assert after(world, refused_again, days=45).erased_at is None
    assert after(world, refused_again, days=20).erased_at == world.office.now(), "the time to appeal is over"


def test_it_is_done_once(world: World) -> None:
    dossier = refused(world)
    kept = after(world, dossier, days=366)
    assert after(world, dossier, days=366) == kept


def test_a_dossier_whose_timer_was_lost_is_found_by_the_sweep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    dossiers = [refused(world)]
    for number in range(2):
        sent = world.sent(SLUG, world.applicant(f"+2289011220{number}"))
        dossiers.append(world.take(sent, urbaniste(world), "refuser", reason="Trop près"))
    with world.office.store.unit(write=True) as unit:
        for one in dossiers:
            unit.set_timers(one.id, ())
    monkeypatch.setattr("engine.services.worker.worker.AT_ONCE", 2)
    world.wait(days=366)
    assert run_timers(world.office) == 0
    sweep(world.office)
    assert sum(world.kept(one).erased_at is not None for one in dossiers) == 2, "so many a day"
    world.wait(days=1)
    sweep(world.office)
    assert all(world.kept(one).erased_at for one in dossiers)
    assert fsck(world.office) == ()


def test_a_dossier_that_cannot_be_read_stops_no_other_part_of_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossiers = [refused(world)]
    sent = world.sent(SLUG, world.applicant("+22890112201"))
    dossiers.append(world.take(sent, urbaniste(world), "refuser", reason="Trop près"))
    unread, other = sorted(dossiers, key=lambda one: one.id)
    with world.office.store.unit(write=True) as unit:
        for one in dossiers:
            unit.set_timers(one.id, ())
    honest, swept = retention.overdue, list[object]()

    def overdue(ctx: Any, unit: Any, dossier: Dossier) -> str | None:
        if dossier.id == unread.id:
            raise ValueError("half a row")
        return honest(ctx, unit, dossier)

    monkeypatch.setattr("engine.services.worker.worker.overdue", overdue)
    monkeypatch.setattr("engine.services.worker.worker.close_forsaken", lambda ctx: {}["unread"])
    monkeypatch.setattr("engine.services.worker.worker.forget_papers", lambda ctx: len([swept.append(ctx)]))
    world.wait(days=366)
    sweep(world.office)
    assert world.kept(other).erased_at is not None
    assert swept


def test_what_is_kept_still_is_not_erased_by_a_timer_that_came_early(world: World) -> None:
    dossier = refused(world)
    book = world.office.catalogue.procedures[SLUG]
    with world.office.store.unit(write=True) as unit:
        assert retention.forget(world.office, unit, book, dossier, "keep") is None
        assert retention.forget(world.office, unit, book, dossier, "keep:vente") is None


def test_an_emptied_document_of_a_dossier_that_is_kept_is_a_forgery(world: World) -> None:
    dossier = granted(world)
    emptied = retention.without_content(dossier.documents[0])
    with world.office.store.unit(write=True) as unit:
        unit.put_document(emptied)
    assert {one.code for one in fsck(world.office)} == {"document_differs"}


def test_a_reading_noted_afterwards_does_not_alarm(world: World) -> None:
    dossier = refused(world)
    after(world, dossier, days=366)
    note_reading(world.office, world.auditor(), dossier.id, "Contrôle annuel des effacements", token=new_id())
    assert fsck(world.office) == ()
