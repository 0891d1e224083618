"""An installation of an earlier release, opened by this one: data folders over SQLite and PostgreSQL, browsers with cookies and open
pages, a backup. What was begun goes on.

`tests/histories/installation.tar.xz` was made once by a release with the migrations up to `0020`: driven over HTTP, with
`guichet backup`, and killed right after a last act. It is never made again."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from engine.core.clock import FixedClock, SystemClock
from engine.domain.common.agent_rights import EVERYWHERE
from engine.operations.backup import bring_back
from engine.operations.settings import Settings
from engine.operations.store_factory import open_store
from engine.records.dossier import Actor, Dossier
from engine.services.accounts.delegation import check, proof_of, to_check
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext, pinned
from engine.services.core.call_queue import beat
from engine.services.worker.worker import run_pass
from engine.storage.schema.migration_list import NAMES
from engine.storage.sqlite.store import SqliteStore
from renderers.cli.admin.installation import open_office
from renderers.cli.main import verify
from server import create_app
from tests.engine.services.world import ROOT
from tests.histories.record import HERE
from tests.postgres import an_empty_store, database
from tests.web.client import Seen, picture

pytestmark = pytest.mark.xdist_group("earlier installation")  # opened once
ARCHIVE: Final = HERE / "installation.tar.xz"
APPLIED: Final = 20  # migrations of the release that made it


@dataclass
class Opened:
    """The installation as this release opens it, with the people, pages and numbers that the earlier one left."""

    folder: Path
    settings: Settings
    office: AppContext
    clock: FixedClock
    app: Any
    left: dict[str, Any]
    unsent: int

    def browser(self, name: str) -> FlaskClient:
        """The browser of a person, with its cookies."""
        client: FlaskClient = self.app.test_client()
        for cookie, value in self.left["cookies"][name].items():
            client.set_cookie(cookie, value)
        return client

    def open(self, name: str, address: str) -> Seen:
        return Seen(self.browser(name).get(address))

    def post(self, form: str, **more: Any) -> Seen:
        """Sends a form as the earlier release drew it."""
        drawn = self.left["forms"][form]
        client = self.browser(drawn["who"])
        answer = client.post(drawn["address"], data={**drawn["fields"], **more})
        while answer.status_code == 303:
            answer = client.get(answer.headers["Location"])
        return Seen(answer)

    def number(self, name: str) -> str:
        return str(self.left["facts"][name])

    def dossier(self, name: str) -> Dossier:
        with self.office.store.unit() as unit:
            found = unit.dossier_numbered(self.number(name))
        assert found is not None
        return found


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    shutil.copytree(ROOT / "procedures/shared", folder / "procedures/shared")
    return folder


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(unpacked: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    folder = unpacked / request.param
    left = json.loads((folder / "people.json").read_text("utf-8"))
    clock = FixedClock(datetime.fromisoformat(left["facts"]["at"]) + timedelta(seconds=5))
    origin = (folder / "data/checkpoints/latest.note").read_text("utf-8").partition("/")[0]
    with ExitStack() as kept, pytest.MonkeyPatch.context() as patch:
        patch.setattr(SystemClock, "now", lambda self: clock.now())
        patch.setattr("itsdangerous.TimestampSigner.get_timestamp", lambda self: int(clock.now().timestamp()))
        address = kept.enter_context(database()) if request.param == "postgresql" else ""
        if address:
            with psycopg.connect(address) as connection:
                connection.execute((folder / "dump.sql").read_bytes())
        shutil.copytree(folder / "data", folder / "opened")
        settings = Settings(
            procedures=unpacked / "procedures", data=folder / "opened", database=address, demo=True,
            base_url=f"http://{origin}",
        )  # fmt: skip
        unsent = _unsent(settings)
        office, operator = open_office(settings)
        kept.callback(office.store.close)
        beat(office)
        yield Opened(folder, settings, office, clock, create_app(settings, office, operator), left, unsent)


def _unsent(settings: Settings) -> int:
    with closing(open_store(settings.store)) as store:
        assert store.migration_state().pending == NAMES[APPLIED:]
        with store.tables("read") as tables:
            return sum(row[0] is None for row in tables.read("letter", ["sent_at"], ["id"]))


def test_the_store_is_migrated_and_whole(opened: Opened) -> None:
    """Rows, journals, signed notes, files; each dossier finds the edition it was opened under."""
    assert opened.office.store.migration_state().pending == ()
    assert fsck(opened.office) == ()
    dossiers = list(opened.office.store.all_dossiers())
    with opened.office.store.unit() as unit:
        for one in dossiers:
            dossier = unit.dossier(one)
            assert dossier is not None
            assert pinned(opened.office, unit, dossier).fingerprint == dossier.fingerprint
    assert len(dossiers) == 12


def test_forms_that_stood_open_are_taken(opened: Opened) -> None:
    pieces = opened.post("pieces", **{"file:photo": picture("photo.jpg")})
    assert "Vérifi" in pieces.title, pieces.text
    assert len(opened.dossier("draft").attachments) == 2
    opened.post("declaration")
    assert opened.dossier("checked").submitted_at == opened.clock.now()
    assert "Une question" in opened.post("message").text
    assert "convient" in opened.post("slots").text
    assert "confirmé" in opened.post("held").text
    opened.post("act")
    assert opened.dossier("acted").state == "a_payer"


def test_people_stay_signed_in_and_find_what_is_theirs(opened: Opened) -> None:
    assert "À traiter" in opened.open("mayor", "/agent").text
    assert opened.open("auditor", "/audit/evenements").status == 200
    acting = opened.open("acting", "/compte/entreprises").text
    assert "Togo Tissus" in acting
    assert "Yawa" in acting
    booked = opened.open("booked", f"/dossiers/{opened.number('booked')}").text
    assert "lundi 30 novembre 2026 à 8 h" in booked
    dossier = opened.dossier("booked")
    with opened.office.store.unit() as unit:
        kept = [one.start for _, one in unit.bookings_of(dossier.id)]
    assert kept == [datetime.fromisoformat(opened.number("visit"))]


def test_payments_in_flight_are_settled(opened: Opened) -> None:
    assert "Paiement reçu" not in opened.open("paying", opened.number("payment_page")).text
    opened.post("price")
    client = opened.browser("paying")
    page = Seen(client.get("/_operateur"))
    client.post("/_operateur", data={**page.form("reference"), "pin": "1234", "do": "confirm"})
    opened.clock.advance(timedelta(minutes=3))  # the operator knows by then what it did not know
    run_pass(opened.office)
    run_pass(opened.office)
    for name in ("pending", "unknown", "to_pay"):
        assert opened.dossier(name).state == "cle", name
    assert "Paiement reçu" in opened.open("paying", opened.number("payment_page")).text


def test_messages_that_waited_are_sent(opened: Opened) -> None:
    assert opened.unsent
    run_pass(opened.office)
    with opened.office.store.tables("read") as tables:
        assert all(row[0] for row in tables.read("letter", ["sent_at"], ["id"]))
    last = opened.dossier("last")
    with opened.office.store.unit() as unit:
        told = unit.letters_of(last.id)
    assert any("payer" in one.body for one in told)


def test_documents_and_proofs_verify(opened: Opened, tmp_path: Path) -> None:
    link = opened.number("pdf")
    answer = opened.browser("holder").get(link)
    assert answer.data.startswith(b"%PDF-")
    code = Path(link).stem
    assert "Document authentique" in opened.open("holder", f"/v/{code}").text
    export, keys = tmp_path / "preuve.json", tmp_path / "jwks.json"
    export.write_text(json.dumps(opened.left["proof"]), "utf-8")
    keys.write_text(opened.left["facts"]["jwks"], "utf-8")
    told = CliRunner().invoke(
        verify, [str(export), "--keys", str(keys), "--checkpoint", str(opened.folder / "data/checkpoints")]
    )
    assert told.exit_code == 0, told.output


def test_a_company_that_waited_is_accepted(opened: Opened) -> None:
    """Its paper opens; what was typed is no name of the account before an agent has read it."""
    chief = Actor("agent", "chief", administers=frozenset({EVERYWHERE}))
    (waiting,) = to_check(opened.office, chief)
    assert proof_of(opened.office, chief, waiting.mandate.id)[0] == "rccm.jpg"
    assert waiting.mandate.declared == "Togo Tissus"
    check(opened.office, chief, waiting.mandate.id, True, name="Togo Tissus")
    assert "en cours de vérification" not in opened.open("acting", "/compte/entreprises").text


def test_the_whole_is_sound_after_all_that(opened: Opened) -> None:
    run_pass(opened.office)
    assert fsck(opened.office) == ()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def test_its_backup_comes_back(unpacked: Path, tmp_path: Path, kind: str) -> None:
    with closing(SqliteStore(tmp_path / "back.db") if kind == "sqlite" else an_empty_store()) as empty:
        empty.migrate()
        back = bring_back(unpacked / "sqlite/backup", empty, tmp_path / "files", tmp_path / "keys.json")
        settings = Settings(procedures=unpacked / "procedures", data=tmp_path, demo=True)
        office, _ = open_office(settings)
        with closing(office.store):
            assert fsck(replace(office, store=empty)) == ()
        assert back.dossiers == 11
