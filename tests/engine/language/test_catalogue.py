"""The catalogue: a broken file never takes a procedure out of service, an old edition never changes."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from engine.core.values import Span
from engine.language.catalogue.catalogue import Catalogue, KeptOf, check_definition, load_catalogue
from engine.language.compiler.compile import build_from_expanded, build_procedure
from engine.language.source.loader import read_source
from engine.model import Procedure
from tests.engine.language.building import PROCEDURES, a_file, compiled, the_shared

SHIPPED = sorted(PROCEDURES.glob("*.yaml"))


@dataclass(frozen=True)
class Kept:
    """What the store keeps of an edition."""

    procedure: str
    edition: int
    source: str
    expanded: str
    fingerprint: str


def kept(procedure: Procedure) -> Kept:
    return Kept(procedure.id, procedure.edition, procedure.source, procedure.expanded, procedure.fingerprint)


def texts(*editions: Kept) -> KeptOf:
    known = {(one.procedure, one.fingerprint): one for one in editions}
    return lambda procedure, fingerprint: known.get((procedure, fingerprint))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder: the shipped shared files, and one procedure."""
    for name in ("shared", "blocks", "lists"):
        shutil.copytree(PROCEDURES / name, tmp_path / name)
    write(tmp_path / "essai.yaml", a_file("edition: 1\nform: {identite: {use: identite}}"))
    return tmp_path


_AGES = iter(range(1, 1000))


def write(path: Path, text: str) -> None:
    """Writes a file later than any before, whatever the clock's grain."""
    path.write_text(text, encoding="utf-8")
    later = 2_000_000_000 + next(_AGES)
    os.utime(path, (later, later))


# -- reading and reading again -----------------------------------------------------------------------------------------


def test_the_shipped_folder_is_all_in_service() -> None:
    catalogue = load_catalogue(PROCEDURES)
    assert [one.id for one in catalogue.all()] == [path.stem for path in SHIPPED]
    assert not catalogue.warnings
    assert not catalogue.shared_problems
    assert catalogue.directory.agencies


def test_nothing_is_read_again_when_nothing_changed(folder: Path) -> None:
    catalogue = load_catalogue(folder)
    assert catalogue.refresh() is catalogue


def test_a_touched_file_is_not_compiled_again(folder: Path) -> None:
    catalogue = load_catalogue(folder)
    os.utime(folder / "essai.yaml", (2_100_000_000, 2_100_000_000))
    again = catalogue.refresh()
    assert again is not catalogue
    assert again.procedures["essai"] is catalogue.procedures["essai"]


def test_a_changed_file_is_in_service_and_its_former_edition_is_at_hand(folder: Path) -> None:
    before = load_catalogue(folder)
    write(folder / "essai.yaml", a_file("edition: 2\ntitle: Nouveau titre"))
    after = before.refresh()
    old, new = before.procedures["essai"], after.procedures["essai"]
    assert (old.edition, new.edition, str(new.identity.title)) == (1, 2, "Nouveau titre")
    assert after.edition("essai", old.fingerprint) is old
    assert after.edition("essai", new.fingerprint) is new
    assert after.edition("essai", "0" * 64) is None


def test_a_broken_file_leaves_the_last_good_edition_in_service_with_a_warning(folder: Path) -> None:
    good = load_catalogue(folder)
    write(folder / "essai.yaml", a_file("edition: 2\nagency: inconnue"))
    broken = good.refresh()
    assert broken.procedures["essai"] is good.procedures["essai"]
    assert {one.code for one in broken.warnings["essai"].errors} == {"N304"}
    write(folder / "essai.yaml", "a: [")
    unreadable = broken.refresh()
    assert unreadable.procedures["essai"] is good.procedures["essai"]
    assert unreadable.warnings["essai"].errors
    write(folder / "essai.yaml", a_file("edition: 3"))
    mended = unreadable.refresh()
    assert not mended.warnings
    assert mended.procedures["essai"].edition == 3


def test_a_file_broken_from_the_start_is_served_by_its_newest_kept_edition(folder: Path) -> None:
    first = load_catalogue(folder).procedures["essai"]
    write(folder / "essai.yaml", a_file("edition: 2"))
    second = load_catalogue(folder).procedures["essai"]
    write(folder / "essai.yaml", "rien")
    catalogue = load_catalogue(folder)
    assert "essai" not in catalogue.procedures
    rescued = catalogue.with_editions([kept(first), kept(second)], texts(kept(first), kept(second)))
    assert rescued.procedures["essai"] == second
    assert rescued.edition("essai", first.fingerprint) == first
    assert rescued.warnings["essai"]


def test_a_removed_file_is_out_of_service(folder: Path) -> None:
    catalogue = load_catalogue(folder)
    (folder / "essai.yaml").unlink()
    assert "essai" not in catalogue.refresh().procedures


def test_a_changed_block_makes_a_new_edition(folder: Path) -> None:
    before = load_catalogue(folder)
    block = folder / "blocks" / "identite.yaml"
    write(block, block.read_text(encoding="utf-8").replace("maxLength: 60", "maxLength: 61"))
    after = before.refresh()
    assert after.procedures["essai"].fingerprint != before.procedures["essai"].fingerprint
    assert after.edition("essai", before.procedures["essai"].fingerprint) is not None


@pytest.mark.parametrize("name", ["essai (copie)", "Essai", "es_sai", ".essai", "é", "--help"])
def test_a_copy_beside_a_file_does_not_speak_in_its_place(folder: Path, name: str) -> None:
    write(folder / f"{name}.yaml", a_file("edition: 2"))
    catalogue = load_catalogue(folder)
    assert [one.code for one in catalogue.warnings[name].errors] == ["N309"]
    assert {key: one.edition for key, one in catalogue.procedures.items()} == {"essai": 1}


def test_a_file_is_named_after_its_procedure(folder: Path) -> None:
    write(folder / "autre.yaml", a_file("edition: 1"))
    catalogue = load_catalogue(folder)
    assert [one.code for one in catalogue.warnings["autre"].errors] == ["N309"]
    assert set(catalogue.procedures) == {"essai"}


def test_the_edition_in_force_on_a_day() -> None:
    old = compiled("in_force: {from: 2025-01-01, until: 2026-06-30}")
    new = compiled("in_force: {from: 2026-07-01}\ntitle: Nouveau")
    catalogue = replace(Catalogue.of([new], the_shared()), older={("essai", old.fingerprint): old})
    assert catalogue.current("essai", date(2026, 7, 1)) is new
    assert catalogue.current("essai", date(2026, 6, 30)) is old
    assert catalogue.current("essai", date(2024, 1, 1)) is None
    assert catalogue.current("inconnu", date(2026, 1, 1)) is None


# -- one file ----------------------------------------------------------------------------------------------------------


def test_all_the_faults_of_a_file_at_once() -> None:
    text = a_file("""
    fees: {frais: {label: F, amount: prixx, basis: lois}}
    notices: {accorde: {sms: 'Bonjour {nomm}'}}
    form: {d: {titre: D, fields: {nom: {label: A}}}}
    """)
    report = check_definition(text, "essai.yaml", the_shared()).report
    assert {one.code for one in report.errors} == {"N301", "N306", "N308", "S201"}
    assert [one.where for one in report] == sorted(one.where for one in report)


def test_what_follows_from_a_wrong_shape_is_not_told() -> None:
    text = a_file("form: {d: {title: D, fields: {nom: {label: A, type: chiffre}, x: {label: X, when: nom == 'a'}}}}")
    assert [one.code for one in check_definition(text, "essai.yaml", the_shared()).report.errors] == ["S203"]


def test_a_file_whose_preset_is_nowhere_is_told_that_only() -> None:
    text = "procedure: essai\nedition: 1\nextends: rien\ntitle: T\nsummary: S\nagency: obac\ndelay: 1 day\n"
    assert [one.code for one in check_definition(text, "essai.yaml", the_shared()).report] == ["N304"]


def test_the_rules_of_the_circuit_are_held_unless_asked_not_to() -> None:
    text = a_file("outputs: {acte: {title: Acte}}")
    assert "C508" in {one.code for one in check_definition(text, "essai.yaml", the_shared()).report}
    checked = check_definition(text, "essai.yaml", the_shared(), lint=False)
    assert checked.procedure is not None


# -- fingerprints and editions of the past -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_procedure_is_rebuilt_the_same_from_what_was_kept(path: Path) -> None:
    procedure, _ = build_procedure(read_source(path.read_bytes(), path.name), the_shared())
    assert procedure is not None
    again = Catalogue.of([], the_shared()).rebuild(kept(procedure))
    assert again == procedure
    assert again.expanded == procedure.expanded
    assert again.source == procedure.source


def test_an_old_edition_does_not_feel_what_changed_since() -> None:
    shared = the_shared()
    procedure = compiled(
        """
    form:
      identite: {use: identite}
      suite: {title: S, fields: {serie: {label: Série, type: choice, options: series_bac}, n: {label: Numéro, type: identifier, scheme: niu}}}
    """.replace("n: {label", "num: {label")
    )
    changed = replace(shared, blocks={}, lists={}, schemes={}, presets={})
    again = build_from_expanded(procedure.expanded, read_source(procedure.source, "essai.yaml"), changed.directory)
    assert again == procedure
    assert [one.code for one in again.fields["serie"].options][:2] == ["a4", "c"]


def test_an_old_edition_outlives_the_roles_of_its_agency() -> None:
    procedure = compiled("")
    directory = replace(the_shared().directory, agencies={}, offices={})
    again = build_from_expanded(procedure.expanded, read_source(procedure.source, "essai.yaml"), directory)
    assert again.fingerprint == procedure.fingerprint
    assert again.states["examen"].by == ("obac/instructeur",)


FORM = "form: {a: {title: A, fields: {p: {label: P}}}, b: {title: B, fields: {q: {label: Q}}}}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (FORM, FORM + "  # un commentaire", True),
        (FORM, FORM.replace("{p: {label: P}}", "{p: {label: 'P'}}"), True),
        (FORM, FORM.replace("label: Q", "label: Autre"), False),
        (FORM, "form: {b: {title: B, fields: {q: {label: Q}}}, a: {title: A, fields: {p: {label: P}}}}", False),
        (FORM, FORM + "\nedition: 2", False),
    ],
)
def test_what_a_fingerprint_covers(one: str, other: str, same: bool) -> None:
    def fingerprint(text: str) -> str:
        procedure, problems = build_procedure(read_source(a_file(text), "essai.yaml"), the_shared())
        assert procedure is not None, problems
        return procedure.fingerprint

    assert (fingerprint(one) == fingerprint(other)) is same


def test_offices_and_calendar_are_outside_the_fingerprint() -> None:
    shared = the_shared()
    live = replace(shared.directory, offices={}, calendar=replace(shared.directory.calendar, holidays={}))
    assert compiled("", replace(shared, directory=live)).fingerprint == compiled("").fingerprint


def test_a_list_is_inside_the_fingerprint_of_those_who_use_it() -> None:
    shared = the_shared()
    series = shared.lists["series_bac"]
    fewer = replace(shared, lists={**shared.lists, "series_bac": replace(series, items=series.items[1:])})
    using = "form: {d: {title: D, fields: {serie: {label: S, type: choice, options: series_bac}}}}"
    assert compiled(using, fewer).fingerprint != compiled(using).fingerprint
    assert compiled("", fewer).fingerprint == compiled("").fingerprint


def test_the_delay_may_depend_on_answers() -> None:
    procedure = compiled("""
    form: {d: {title: D, fields: {urgent: {label: Urgent, type: yes_no}}}}
    delay: [{when: urgent, is: 1 working day}, {is: 5 working days}]
    """)
    assert [span for _, span in procedure.identity.delay.entries] == [Span(1, "day", True), Span(5, "day", True)]
