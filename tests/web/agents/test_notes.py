"""What agents keep about a dossier for themselves: notes and annotations, which go with it, and that they follow it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.records.dossier import Actor
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications.bulk_actions import picked_all
from engine.services.applications.casework import count_lists, inbox_counts, inbox_query, list_inbox, neighbours
from engine.services.applications.notes import LONGEST, annotations_of, labels_in, notes_of, write_note
from engine.services.audit.exports import InboxExport, order_export
from engine.services.audit.integrity import export, fsck
from engine.services.context.app_context import NotFound
from engine.services.worker.worker import sweep
from tests.web.citizen.test_messages import as_an_agent, owner_of, the_dossier
from tests.web.client import MAYOR, PortalClient, a_portal_client, later

pytestmark = pytest.mark.slow  # a whole site and its people for each test

SECRET = "Rappeler avant midi"


@pytest.fixture
def known(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


def test_an_agent_leaves_a_note_that_colleagues_read_on_the_dossier(known: PortalClient) -> None:
    number = known.sent()
    desk = as_an_agent(known)
    assert "Écrire une note interne" in desk.open(f"/agent/dossiers/{number}").text
    desk.open(f"/agent/dossiers/{number}/notes")
    assert "Note interne" in desk.page.text
    desk.send(f"/agent/dossiers/{number}/notes", body=f"{SECRET}\nle père.")
    assert desk.page.status == 303
    assert SECRET in desk.follow().text
    assert "le père." in desk.open(f"/agent/dossiers/{number}/notes").text
    (note,) = notes_of(known.office, MAYOR, number)
    assert (note.by, note.body) == (MAYOR.id, f"{SECRET}\nle père.")
    assert fsck(known.office) == ()


def test_the_citizen_never_meets_a_note(known: PortalClient) -> None:
    number = known.sent()
    before = len(known.open("/dossiers").text)
    write_note(known.office, MAYOR, number, SECRET)
    owner = owner_of(known, number)
    pages = ["/dossiers", f"/dossiers/{number}", f"/dossiers/{number}/messages", f"/dossiers/{number}/preuve.json"]
    for address in pages:
        assert known.open(address).status == 200
        assert SECRET not in known.page.html
        assert "interne" not in known.page.text
    assert len(known.open("/dossiers").text) == before, "not even that something is new"
    assert known.open(f"/agent/dossiers/{number}/notes").status != 200
    with pytest.raises(NotFound):
        notes_of(known.office, owner, number)
    with pytest.raises(NotFound):
        write_note(known.office, owner, number, "La mienne")
    assert SECRET not in json.dumps(export_own(known.office, owner), ensure_ascii=False)


def test_the_journal_commits_to_a_note_and_opens_it_to_nobody(known: PortalClient) -> None:
    number = known.sent()
    note = write_note(known.office, MAYOR, number, SECRET)
    dossier = the_dossier(known, number)
    with known.office.store.unit() as unit:
        entry, salts = unit.entries(dossier.id)[-1], unit.salts(dossier.id)
    assert entry.kind == "note"
    assert SECRET not in str(entry.body)
    salt = next(those[f"notes.{note.id}"] for those in salts.values() if f"notes.{note.id}" in those)
    for reader in (owner_of(known, number), Actor("auditor", "cour")):
        shown = json.dumps(export(known.office, reader, number), ensure_ascii=False)
        assert SECRET not in shown
        assert salt not in shown, "who holds the salt could try words until one fits"
    with pytest.raises(NotFound):
        notes_of(known.office, Actor("auditor", "cour"), number)


def test_a_note_goes_with_its_dossier_and_none_comes_after(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "refuser", reason="Place prise.")
    write_note(known.office, MAYOR, number, SECRET)
    dossier = the_dossier(known, number)
    later(known, days=365 * 120)
    sweep(known.office)
    assert the_dossier(known, number).erased_at is not None
    with known.office.store.unit() as unit:
        assert unit.notes_of(dossier.id) == ()
        assert not any(name.startswith("notes.") for those in unit.salts(dossier.id).values() for name in those)
    with pytest.raises(Refused, match="notes_closed"):
        write_note(known.office, MAYOR, number, "Encore")
    assert fsck(known.office) == ()


@pytest.mark.parametrize(("body", "said"), [(" \n ", "Écrivez la note"), ("é" * (LONGEST + 3), "3 caractères de trop")])
def test_what_cannot_be_kept_is_told_beside_it(known: PortalClient, body: str, said: str) -> None:
    number = known.sent()
    desk = as_an_agent(known)
    desk.open(f"/agent/dossiers/{number}/notes")
    desk.send(f"/agent/dossiers/{number}/notes", body=body)
    assert desk.page.status == 422
    assert said in desk.page.text
    assert body.strip() in desk.page.html
    assert notes_of(known.office, MAYOR, number) == ()


def test_a_double_tap_is_one_note(known: PortalClient) -> None:
    number = known.sent()
    desk = as_an_agent(known)
    form = desk.open(f"/agent/dossiers/{number}/notes").form("token")
    for _ in range(2):
        desk.post(f"/agent/dossiers/{number}/notes", **{**form, "body": SECRET})
    assert len(notes_of(known.office, MAYOR, number)) == 1


def test_a_dossier_that_an_agent_follows_is_in_a_list_of_theirs_alone(known: PortalClient) -> None:
    number = known.sent()
    desk, colleague = as_an_agent(known), Actor("agent", "awa", "Awa", MAYOR.roles)
    (token,) = desk.open(f"/agent/dossiers/{number}").form()["csrf_token"]
    before = known.open(f"/dossiers/{number}").text
    desk.post(f"/agent/dossiers/{number}/suivre", csrf_token=token, suivre="1")
    assert "Ne plus suivre" in desk.follow().text
    assert f'href="/agent/dossiers/{number}"' in desk.open("/agent?file=suivis").html
    assert "Suivis 1" in desk.page.text
    assert inbox_counts(known.office, MAYOR)["followed"] == 1
    assert inbox_counts(known.office, colleague)["followed"] == 0
    assert known.open(f"/dossiers/{number}").text == before
    dossier = the_dossier(known, number)
    with known.office.store.unit() as unit:
        assert not any("follow" in entry.kind for entry in unit.entries(dossier.id))
    desk.post(f"/agent/dossiers/{number}/suivre", csrf_token=token, suivre="0")
    assert "Suivis 0" in desk.open("/agent?file=suivis").text


def labelled(desk: PortalClient, number: str, *options: str, mark: str = "") -> None:
    """Post the labels of a procedure that declares no annotations."""
    form = desk.open(f"/agent/dossiers/{number}/notes").form("noted-mark")
    mark = mark or form["noted-mark"][0]
    desk.post(
        f"/agent/dossiers/{number}/annotations",
        **{"csrf_token": form["csrf_token"], "noted-mark": mark, "annotation-etiquettes": list(options)},
    )


def listed(known: PortalClient, label: str) -> list[str]:
    return [line.number for line in list_inbox(known.office, MAYOR, "all", label=label).lines]


def test_labels_are_shown_and_sought_in_the_list_and_say_who_gave_them(known: PortalClient) -> None:
    number, other = known.sent(), known.sent()
    desk = as_an_agent(known)
    labelled(desk, number, "urgent", "a_revoir")
    assert "Étiquettes Urgent, À revoir" in desk.follow().text
    assert "Maire" in desk.page.text.partition("Urgent, À revoir")[2][:60]
    row = desk.open("/agent?file=tous&etiquette=etiquettes.urgent").html
    assert f"/agent/dossiers/{number}" in row
    assert f"/agent/dossiers/{other}" not in row
    assert row.count('<span class="tag">Urgent</span>') == 1
    assert listed(known, "etiquettes.attente_piece") == []
    whole = {"procedure": None, "state": None, "office_id": None, "text": ""}
    assert picked_all(known.office, MAYOR, "all", **whole, label="etiquettes.urgent") == (number,)  # type: ignore[arg-type]
    assert order_export(known.office, MAYOR, InboxExport("all", label="etiquettes.urgent")).total == 1
    own = replace(MAYOR, contacts=frozenset({the_dossier(known, number).contact_phone}))
    assert list_inbox(known.office, own, "all", label="etiquettes.urgent").lines == ()
    every = list_inbox(known.office, own, "all").lines
    assert labels_in(known.office, own, every) == {}, "the request is theirs"
    assert list(labels_in(known.office, MAYOR, every)) == [the_dossier(known, number).id]
    labelled(desk, number)
    assert listed(known, "etiquettes.urgent") == []
    assert fsck(known.office) == ()


def test_counts_and_neighbours_do_not_tell_the_labels_of_ones_own_request(known: PortalClient) -> None:
    desk, (number, other) = as_an_agent(known), (known.sent(), known.sent())
    for one in (number, other):
        labelled(desk, one, "urgent")
    theirs = the_dossier(known, other)
    with known.office.store.unit(write=True) as unit:
        kept = replace(theirs, contact_phone="+22890998877", revision=theirs.revision + 1)
        unit.put_dossier(kept, theirs.revision)
    own = replace(MAYOR, contacts=frozenset({"+22890998877"}))
    asked = inbox_query(known.office, own, "all", None, None, None, "", "etiquettes.urgent")
    assert asked is not None
    mine = the_dossier(known, number).id
    assert [count_lists(known.office, who, [asked]) for who in (MAYOR, own)] == [[2], [1]]
    assert order_export(known.office, own, InboxExport("all", label="etiquettes.urgent")).total == 1
    for most in (1, 2):
        shown = list_inbox(known.office, own, "all", label="etiquettes.urgent", limit=most).lines
        assert [line.number for line in shown] == [number], "a page is filled from those that follow"
    seen = neighbours(known.office, MAYOR, mine, asked)
    assert {seen.before, seen.after} == {None, other}
    seen = neighbours(known.office, own, mine, asked)
    assert {seen.before, seen.after} == {None}


def test_a_label_given_meanwhile_is_not_overwritten(known: PortalClient) -> None:
    number, desk = known.sent(), as_an_agent(known)
    mark = desk.open(f"/agent/dossiers/{number}/notes").form("noted-mark")["noted-mark"][0]
    labelled(desk, number, "urgent")
    labelled(desk, number, "a_revoir", mark=mark)
    assert desk.page.status == 422
    assert "Un collègue a modifié ces annotations" in desk.page.text
    assert 'value="a_revoir" checked' in desk.page.html, "what was typed is kept"
    assert listed(known, "etiquettes.urgent") == [number]
    labelled(desk, number, "perdu")
    assert desk.page.status == 422


def test_annotations_are_for_agents_alone_and_go_with_the_dossier(known: PortalClient) -> None:
    number, desk = known.sent(), as_an_agent(known)
    known.decide(number, "refuser", reason="Place prise.")
    before = known.open(f"/dossiers/{number}").text
    labelled(desk, number, "urgent")
    dossier, owner = the_dossier(known, number), owner_of(known, number)
    assert known.open(f"/dossiers/{number}").text == before
    with known.office.store.unit() as unit:
        entry, salts = unit.entries(dossier.id)[-1], unit.salts(dossier.id)
    assert (entry.kind, entry.body["annotations"]) == ("annotated", ["etiquettes"])  # type: ignore[index, call-overload]
    assert "urgent" not in str(entry.body)
    salt = salts[entry.n]["rows.annotation.etiquettes"]
    for reader in (owner, Actor("auditor", "cour")):
        shown = json.dumps(export(known.office, reader, number), ensure_ascii=False)
        assert "urgent" not in shown
        assert salt not in shown
        with pytest.raises(NotFound):
            annotations_of(known.office, reader, number)
    later(known, days=365 * 120)
    sweep(known.office)
    with known.office.store.unit() as unit:
        assert unit.annotations_of([dossier.id]) == ()
        assert not any("annotation" in name for those in unit.salts(dossier.id).values() for name in those)
    assert fsck(known.office) == ()
