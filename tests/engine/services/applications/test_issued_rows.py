"""Rows with a document: a correction of a partly granted request never puts a document beside another person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias, cast

import pytest

from engine.core.problems import Refused
from engine.core.values import Plain, new_id
from engine.records.dossier import Dossier
from engine.services.applications import corrections
from engine.services.applications import drafts as intake
from engine.services.applications import opinions as gathering
from engine.services.applications.attachments import Upload
from engine.services.audit.integrity import fsck
from tests.engine.services.world import World, pdf, shipped

Rows: TypeAlias = list[dict[str, Any]]
VISA, FORM, ROWS = "e-visa", "decision_visa", "voyageurs"
NAMES = (("LEE", "Anna"), ("LEE", "Tom"), ("DOSSOU", "Koffi"))


@pytest.fixture
def visa(world: World) -> Dossier:
    """Three travellers: two hold a visa. The third was refused, contests, and is asked to correct the rows."""
    world.office = replace(world.office, catalogue=shipped())
    travellers: list[Plain] = [
        {
            "nom": name, "prenoms": given, "date_naissance": "1988-07-14", "nationalite": "fra", "profession": "Peintre",
            "passeport": f"EB10000{number}", "expiration": "2029-01-01",
        }
        for number, (name, given) in enumerate(NAMES)
    ]  # fmt: skip
    dossier = decided(world, world.paid(world.sent(VISA, voyageurs=travellers)), True, True, False)
    assert valid_visas(dossier) == [("LEE Anna", 0), ("LEE Tom", 1)]
    dossier = world.take(dossier, world.owner(dossier), "contester", reason="Erreur")
    dossier = world.take(dossier, world.agent("director", "dgdn/directeur"), "reexaminer", reason="À revoir")
    return asked_again(world, dossier)


def asked_again(world: World, dossier: Dossier) -> Dossier:
    officer = world.agent("officer", "dgdn/immigration")
    return world.take(dossier, officer, "completer", correction={ROWS: "À vérifier"}, reason="Vérifier")


def filled(world: World, dossier: Dossier, number: int, granted: bool) -> Dossier:
    officer = world.agent("officer", "dgdn/immigration")
    terms = {"premier_jour": "2026-11-30", "jours_accordes": 30, "entrees_accordees": "une"}
    answers = {"accorde": granted, **(terms if granted else {"raison_refus": "Signalé"})}
    compared = world.all_equal(world.kept(dossier), officer, FORM, number)
    gathering.fill_row(world.office, officer, dossier.id, FORM, number, answers, token=new_id(), compared=compared)
    return world.kept(dossier)


def decided(world: World, dossier: Dossier, *granted: bool) -> Dossier:
    for number, one in enumerate(granted):
        dossier = filled(world, dossier, number, one)
    return world.take(dossier, world.agent("head", "dgdn/chef_visas"), "signer")


def valid_visas(dossier: Dossier) -> list[tuple[str, int | None]]:
    return sorted((one.holder, one.row) for one in dossier.documents if (one.output, one.status) == ("visa", "valid"))


def rows_of(dossier: Dossier) -> Rows:
    kept: Any = dossier.answers[ROWS]
    return [dict(row) for row in kept]


def corrected(world: World, dossier: Dossier, rows: Rows, *pressed: tuple[str, str]) -> list[str]:
    """The problems of a page of corrections with these rows."""
    posted = {
        f"{ROWS}.{at}.{name}": [row[name]] for at, row in enumerate(rows) for name in ("nom", "prenoms", "passeport")
    }
    posted.update({name: [value] for name, value in pressed})
    found = corrections.save_corrections(world.office, world.owner(dossier), dossier.id, posted, token=new_id())
    return [one.code for one in found.errors]


@pytest.mark.parametrize(
    "changed",
    [
        lambda rows: [rows[2], rows[1], rows[0]],
        lambda rows: [{**rows[0], "nom": "AUTRE"}, *rows[1:]],
        lambda rows: [{**rows[0], "passeport": "ZZ999999"}, *rows[1:]],
        lambda rows: [rows[0], rows[2], rows[1]],
    ],
    ids=["swapped with a refused one", "another name", "another passport", "two others swapped"],
)
def test_a_row_with_a_visa_stays_as_it_is(world: World, visa: Dossier, changed: Callable[[Rows], Rows]) -> None:
    before = rows_of(visa)
    assert "row_issued" in corrected(world, visa, changed(before))
    assert [one["passeport"] for one in rows_of(world.kept(visa))] == [one["passeport"] for one in before]
    assert rows_of(world.kept(visa))[0] == before[0]


def test_a_row_with_a_document_is_not_removed(world: World, visa: Dossier) -> None:
    """The last row may go: the new examination withdrew its refusal, and no other row moves."""
    for number in range(2):
        assert corrected(world, visa, rows_of(visa), ("remove_row", f"{ROWS}.{number}")) == ["row_issued"]
    assert [one["prenoms"] for one in rows_of(world.kept(visa))] == [given for _, given in NAMES]
    with pytest.raises(Refused, match="correction_incomplete"):
        corrections.send_corrections(world.office, world.owner(visa), visa.id, token=new_id())


def test_a_file_of_a_row_with_a_visa_stays(world: World, visa: Dossier) -> None:
    """A file comes by another way than the page, and never with a message of its own."""
    before = rows_of(visa)
    intake.attach(world.office, world.owner(visa), visa.id, f"{ROWS}.0.copie_passeport", Upload("autre.pdf", pdf()))
    assert rows_of(world.kept(visa))[0] == before[0]


def test_a_refused_traveller_corrects_the_row_and_gets_a_visa(world: World, visa: Dossier) -> None:
    rows = rows_of(visa)
    assert corrected(world, visa, [*rows[:2], {**rows[2], "nom": "DOSSOU-YOVO"}]) == []
    corrections.send_corrections(world.office, world.owner(visa), visa.id, token=new_id())
    for number in range(2):  # a new examination is not one of those who hold a visa
        with pytest.raises(Refused, match="already_done"):
            filled(world, world.kept(visa), number, False)
    head = world.agent("head", "dgdn/chef_visas")
    dossier = world.take(filled(world, world.kept(visa), 2, True), head, "signer")
    assert valid_visas(dossier) == [("DOSSOU-YOVO Koffi", 2), ("LEE Anna", 0), ("LEE Tom", 1)]
    assert fsck(world.office) == ()


def test_a_decision_on_one_row_never_counts_for_another(world: World) -> None:
    """Before any visa: rows may move, and each decision moves with its row or goes."""
    world.office = replace(world.office, catalogue=shipped())
    one = {"date_naissance": "1988-07-14", "nationalite": "fra", "profession": "Peintre", "expiration": "2029-01-01"}
    travellers: list[Plain] = [
        {**one, "nom": name, "prenoms": given, "passeport": f"EB10000{number}"}
        for number, (name, given) in enumerate(NAMES)
    ]
    dossier = filled(world, world.paid(world.sent(VISA, voyageurs=travellers)), 0, True)
    dossier = asked_again(world, dossier)
    rows = rows_of(dossier)
    assert corrected(world, dossier, [{**rows[0], "nom": "AUTRE"}, *rows[1:]]) == []
    corrections.send_corrections(world.office, world.owner(dossier), dossier.id, token=new_id())
    assert world.kept(dossier).answers[FORM] == [None, None, None]


def test_when_the_refused_traveller_is_removed_nothing_is_left_to_examine(world: World, visa: Dossier) -> None:
    """The rows that stay hold a visa: a review finds them done, where it asked again what could not be filled."""
    assert corrected(world, visa, rows_of(visa), ("remove_row", f"{ROWS}.2")) == []
    corrections.send_corrections(world.office, world.owner(visa), visa.id, token=new_id())
    dossier = world.worked_off(visa)
    head = world.agent("head", "dgdn/chef_visas")
    dossier = world.take(dossier, head, "revoir", reason="Relire")
    assert dossier.state == "signature"
    assert [one["answers"]["accorde"] for one in cast(Rows, dossier.answers[FORM])] == [True, True]
    dossier = world.take(dossier, head, "signer")
    assert (dossier.state, valid_visas(dossier)) == ("delivre", [("LEE Anna", 0), ("LEE Tom", 1)])
    assert fsck(world.office) == ()


def test_a_paper_asked_after_the_journey_began_leaves_a_week(world: World) -> None:
    """A review may come after the day of arrival, before which papers are due: the request was closed within a minute."""
    world.office = replace(world.office, catalogue=shipped())
    one = {"date_naissance": "1988-07-14", "nationalite": "fra", "profession": "Peintre", "expiration": "2029-01-01"}
    travellers: list[Plain] = [{**one, "nom": "LEE", "prenoms": "Anna", "passeport": "EB100001"}]
    dossier = decided(world, world.paid(world.sent(VISA, voyageurs=travellers)), False)
    world.wait(days=30)
    assert world.office.day().isoformat() > str(dossier.answers["date_entree"])
    dossier = world.take(dossier, world.owner(dossier), "contester", reason="Erreur")
    dossier = world.take(dossier, world.agent("director", "dgdn/directeur"), "reexaminer", reason="À revoir")
    dossier = asked_again(world, dossier)
    assert dossier.due_at is not None
    assert dossier.due_at - world.office.now() > timedelta(days=7)
