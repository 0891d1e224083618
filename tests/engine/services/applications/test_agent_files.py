"""Files that agents join: judged like everyone's, their author's until an act or an answer names them, then told and proven."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.domain.common.decision import Act
from engine.records.dossier import Actor, Dossier
from engine.services.applications import agent_files as enclosures
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.applications import opinions as gathering
from engine.services.applications.drafts import Upload
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from tests.engine.services.applications.test_opinions import good
from tests.engine.services.world import World, a_world, pdf

INSPECTOR, MAYOR = "mairie/inspecteur", "mairie/maire"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    made.office = replace(made.office, catalogue=good("act-attachment", "opinions"))
    return made


def photograph() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(out, "JPEG", comment=b"taken at home")
    return out.getvalue()


def joined(world: World, agent: Actor, dossier: Dossier, place: str, name: str = "note.pdf") -> str:
    data = pdf() if name.endswith("pdf") else photograph()
    found = enclosures.enclose(world.office, agent, dossier.id, place, Upload(name, data), token=new_id())
    assert found.problem is None, found.problem
    return found.dossier.attachments[-1].id


def decided(world: World, conforming: bool = True) -> Dossier:
    """At the mayor's, the report made without photographs."""
    inspector, dossier = world.agent("kossi", INSPECTOR), world.sent("act-attachment")
    photos = {} if conforming else {"photos": [joined(world, inspector, dossier, "constat.photos", "a.jpg")]}
    return gathering.fill_form(world.office, inspector, dossier.id, "constat", {"conforme": conforming, **photos})


class TestAnAct:
    def test_it_goes_with_the_file_and_the_journal_proves_it(self, world: World) -> None:
        mayor, dossier = world.agent("afi", MAYOR), decided(world)
        with pytest.raises(Refused) as refused:
            world.take(dossier, mayor, "refuser", reason="Inondable")
        assert refused.value.reason.code == "attachment_missing"
        paper = joined(world, mayor, dossier, "refuser")
        after = world.take(dossier, mayor, "refuser", reason="Inondable", attachments=(paper,))
        assert after.taken[-1].attachments == (paper,)
        assert world.kinds(after)[-3:] == ["attached", "transition", "issued"]
        bodies = [entry.body for entry in world.read(lambda unit: unit.entries(after.id))]
        assert bodies[-2]["transition"] == "refuser"
        assert "note.pdf" not in str(bodies)
        assert fsck(world.office) == ()

    def test_who_opens_it(self, world: World) -> None:
        mayor, colleague, dossier = world.agent("afi", MAYOR), world.agent("kossi", INSPECTOR), decided(world)
        paper = joined(world, mayor, dossier, "refuser")
        read = lambda actor: intake.read_attachment(world.office, actor, dossier.id, paper)[1]  # noqa: E731
        assert read(mayor) == pdf()
        for stranger in (colleague, world.owner(dossier), world.auditor()):
            with pytest.raises(NotFound):
                read(stranger)
        world.take(dossier, mayor, "refuser", reason="Inondable", attachments=(paper,))
        assert read(colleague) == pdf()
        helper = Actor("agent", "zoe", principal=dossier.owner, dossiers=frozenset({dossier.id}))  # at a counter
        own = replace(colleague, contacts=frozenset({dossier.contact_phone or ""}))  # the applicant is this agent
        for stranger in (world.owner(dossier), world.auditor(), world.agent("zoe", "sncja/reclamations"), helper, own):
            with pytest.raises(NotFound):
                read(stranger)

    def test_only_its_author_sends_it_along_or_takes_it_back(self, world: World) -> None:
        mayor, other, dossier = world.agent("afi", MAYOR), world.agent("edem", MAYOR), decided(world)
        paper = joined(world, mayor, dossier, "refuser")
        with pytest.raises(Refused):
            world.take(dossier, other, "refuser", reason="Non", attachments=(paper,))
        with pytest.raises(NotFound):
            enclosures.take_back(world.office, other, dossier.id, paper)
        assert enclosures.take_back(world.office, mayor, dossier.id, paper).attachments == ()
        sent = joined(world, mayor, dossier, "refuser")
        world.take(dossier, mayor, "refuser", reason="Non", attachments=(sent,))
        with pytest.raises(NotFound):
            enclosures.take_back(world.office, mayor, dossier.id, sent)

    def test_a_closed_act_and_a_place_that_is_none_take_nothing(self, world: World) -> None:
        dossier = decided(world)
        with pytest.raises(Refused) as refused:
            joined(world, world.agent("kossi", INSPECTOR), dossier, "refuser")
        assert refused.value.reason.code == "role"
        for place in ("accorder", "nom", "constat.conforme", "constat.0.photos", "", "refuser.x", "constat.photos.a.b"):
            with pytest.raises((NotFound, Refused)):
                joined(world, world.agent("afi", MAYOR), dossier, place)
        assert world.kept(dossier).attachments == ()

    def test_what_is_no_picture_nor_pdf_is_told(self, world: World) -> None:
        dossier, mayor = decided(world), world.agent("afi", MAYOR)
        found = enclosures.enclose(world.office, mayor, dossier.id, "refuser", Upload("a.pdf", b"MZ nothing"))
        assert found.problem is not None
        assert found.problem.code.startswith("file_")
        for _ in range(enclosures.OF_AN_ACT.max_items):
            joined(world, mayor, dossier, "refuser")
        full = enclosures.enclose(world.office, mayor, dossier.id, "refuser", Upload("n.pdf", pdf()))
        assert full.problem is not None
        assert full.problem.code == "files_many"


class TestAQuestion:
    def test_pictures_of_a_report_are_saved_anew_and_answer_it(self, world: World) -> None:
        inspector, dossier = world.agent("kossi", INSPECTOR), world.sent("act-attachment")
        raw = {"conforme": ["false"]}
        read = gathering.read_part(world.office, inspector, dossier.id, "constat", None, raw)
        assert [one.at for one in read.problems] == ["photos"]
        paper = joined(world, inspector, dossier, "constat.photos", "chez moi.jpg")
        read = gathering.read_part(world.office, inspector, dossier.id, "constat", None, raw)
        assert (read.problems, read.answers) == ((), {"conforme": False, "photos": [paper]})
        assert [file.name for field in read.page.fields for file in field.files] == ["chez moi.jpg"]
        after = gathering.do_part(world.office, inspector, dossier.id, "constat", None, read.answers)
        assert after.state == "decision"
        body = intake.read_attachment(world.office, world.agent("afi", MAYOR), dossier.id, paper)[1]
        assert b"taken at home" not in body
        assert fsck(world.office) == ()

    def test_what_was_joined_for_another_moment_lapses(self, world: World) -> None:
        mayor, dossier = world.agent("afi", MAYOR), decided(world, conforming=False)
        paper = joined(world, mayor, dossier, "refuser")
        after = casework.take_transition(
            world.office, mayor, dossier.id, Act("refuser", "Non", attachments=(paper,)), token=new_id()
        )
        assert after.closed_at is not None
        with pytest.raises((NotFound, Refused)):
            joined(world, mayor, dossier, "refuser")
