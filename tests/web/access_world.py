"""One small world for the access matrix: an owner with a dossier at every stage of its life, a neighbour with the same, and
everybody who might look over the fence. What is the owner's carries a mark that nothing else of the house says.

The store is put back as it was after each request, so that no question depends on another.
"""

from __future__ import annotations

import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader, PdfWriter
from werkzeug.test import TestResponse

from engine.core.clock import FixedClock, local_day
from engine.core.values import new_id
from engine.integrations.gateways import InboxSender
from engine.integrations.registers import FileRegister
from engine.integrations.simulated_operator import SandboxOperator, SandboxProvider
from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Account, Actor, Dossier
from engine.records.people import Identifier, Mandate, PhoneMove
from engine.services.accounts import access_log as readings
from engine.services.accounts import assistance, snippets
from engine.services.applications import bulk_actions as bulk
from engine.services.applications import casework, messages, notes
from engine.services.applications import document_links as sharing
from engine.services.applications import drafts as intake
from engine.services.applications import opinions as gathering
from engine.services.applications.drafts import Upload
from engine.services.appointments import bookings
from engine.services.appointments import opening_changes as openings
from engine.services.audit import exports
from engine.services.audit import journal_search as events
from engine.services.context.app_context import AppContext, publish_editions
from engine.services.core.appointment_links import visit_token
from engine.services.keys.secrets import token_digest
from engine.services.payments import refunds as repaying
from engine.services.sign_in import mail_links
from engine.services.sign_in.applicant_sign_in import send_help_code
from engine.services.sign_in.sessions import open_session
from engine.storage.files.attachments import AttachmentStore
from engine.storage.sqlite.store import SqliteStore
from renderers.i18n.translations import load_words
from renderers.web.platform.assets import Assets
from renderers.web.platform.tables import XLSX
from server import Settings, create_app
from tests import worker
from tests.engine.services.world import MONDAY, World, keys
from tests.makers import compiled, the_shared
from tests.web.access_procedures import RENEWAL, STALL

# What the owner's carries: by what it is, the text as it would be read anywhere.
MARKS: Final[Mapping[str, str]] = {
    "account": "MARQUECOMPTE",
    "phone": "90775533",
    "email": "marque.courriel@example.com",
    "answer": "MARQUEREPONSE",
    "sensitive": "MARQUESENSIBLE",
    "row": "MARQUERANG",
    "file": "marque-piece",
    "message": "MARQUEMESSAGE",
    "note": "MARQUENOTE",
    "joined": "marque-jointe",
    "reason": "MARQUEMOTIF",
    "opinion": "MARQUEAVIS",
    "proof": "marque-preuve",
    "holder": "MARQUEMANDATAIRE",
}
OWNER_PHONE: Final = f"+228{MARKS['phone']}"
MORNING: Final = datetime(2026, 11, 24, 8, 5, tzinfo=UTC)  # the day of a visit, once its hour has come
ENDED: Final = date(2026, 11, 20)
# Tables in which the facts are kept: what is refused writes in none of them.
FACTS: Final = (
    "account", "booking", "document", "dossier", "entry", "identifier", "mandate", "message", "note", "opening_change", "payment", "phone_move", "refund", "seat_hold",
    "annotation", "follow", "second_factor", "session", "share", "snippet", "waiting", "work_order",
)  # fmt: skip
ABSENT: Final = "26482911374"  # a number with its check digit that no dossier has


@dataclass
class Holder:
    """Somebody whose dossiers these are: by stage, what the `<…>` of addresses stand for."""

    actor: Actor
    dossiers: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class AccessWorld:
    """The site, its people by the names of the columns, and the store as every request finds it."""

    app: Flask
    world: World
    owner: Holder
    neighbour: Holder
    cookies: dict[str, tuple[str, str]]  # persona → cookie, token
    acting: dict[str, str]  # persona → the mandate in their browser
    things: dict[str, Any]  # what is of no one dossier: accounts, mandates, tokens
    folder: Path
    facts: dict[str, list[Any]] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()  # tables of facts that the last request wrote in
    touched: bool = False  # whether it wrote something of the owner's
    copy: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", check_same_thread=False))

    # -- asking

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Whatever is asked within, the store is afterwards as it was; `changed` says what had been written."""
        connection = self._connection()
        before = connection.total_changes
        try:
            yield
        finally:
            wrote = connection.total_changes != before
            self.changed, self.touched = self._written() if wrote else (frozenset(), False)
            if wrote:
                self.copy.backup(connection)

    def _written(self) -> tuple[frozenset[str], bool]:
        """The tables of facts that are not as they were, and whether something of the owner's is not."""
        now = {name: self._rows(name) for name in FACTS}
        moved = [name for name in FACTS if now[name] != self.facts[name]]
        cells = {cell for name in moved for line in set(now[name]) ^ set(self.facts[name]) for cell in line}
        ids = {self.owner.actor.id, *(one["id"] for one in self.owner.dossiers.values())}
        return frozenset(moved), bool(ids & cells)

    def remember(self) -> None:
        """What the store is put back to from now on."""
        self._connection().backup(self.copy)
        self.facts = {name: self._rows(name) for name in FACTS}

    def _rows(self, table: str) -> list[Any]:
        return self._connection().execute(f"SELECT * FROM {table}").fetchall()

    def _connection(self) -> Any:
        return self.world.office.store._idle[0]  # type: ignore[attr-defined]

    def ask(self, persona: str, method: str, path: str, *, checked: bool = False, **more: Any) -> TestResponse:
        """One request of somebody in a browser of their own; `checked`: a form without our token is refused.

        As a script does, it takes any type: a refused post is answered by its page, and by no redirect.
        """
        more["headers"] = {"Accept": "*/*", **more.get("headers", {})}
        self.app.config["WTF_CSRF_ENABLED"] = checked
        client = self.client_of(persona)
        with self.untouched():
            return client.open(path, method=method, buffered=True, **more)

    def client_of(self, persona: str) -> FlaskClient:
        """A browser of their own; what it asks stays done, but within `untouched`."""
        client = self.app.test_client()
        if persona in self.cookies:
            client.set_cookie(*self.cookies[persona])
        if persona in self.acting:
            with client.session_transaction() as kept:
                kept["acting"] = self.acting[persona]
        return client


def said(answer: TestResponse) -> str:
    """Everything an answer says: its headers, its body, the words of a PDF or of a workbook."""
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    if answer.mimetype == "application/pdf" and answer.data:
        return headers + "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages)
    if answer.mimetype == XLSX and answer.data:
        with zipfile.ZipFile(io.BytesIO(answer.data)) as parts:
            return headers + "".join(parts.read(one).decode() for one in parts.namelist())
    return headers + answer.data.decode("latin-1" if answer.mimetype.startswith("image/") else "utf-8")


def marks_in(text: str) -> set[str]:
    """The marks that stand in a text, however numbers are spaced."""
    close = re.sub(r"(?<=\d)[\s\u00a0\u202f](?=\d)", "", text)
    return {name for name, mark in MARKS.items() if mark.lower() in close.lower()}


# -- making it ---------------------------------------------------------------------------------------------------------


def an_access_world(folder: Path) -> AccessWorld:
    clock, inbox = FixedClock(MONDAY), InboxSender()
    operator, store = SandboxOperator(None, clock, b"test"), SqliteStore(":memory:")
    store.migrate()
    office = AppContext(
        Catalogue.of([compiled(STALL, "etal.yaml"), compiled(RENEWAL, "renouvellement.yaml")], the_shared()), store,
        AttachmentStore(folder / "files"), {"sandbox": SandboxProvider(operator)},
        {"sms": inbox, "email": inbox, "inbox": inbox}, {"*": FileRegister(folder)}, clock, load_words(), keys(),
    )  # fmt: skip
    world = World(publish_editions(office), clock, operator)
    people = _people(world)
    owner, neighbour = Holder(people["ownr"]), Holder(people["citi"])
    staff = {name: people[name] for name in ("offi", "coll", "prod")}
    _dossiers(world, owner, staff, marked=True)
    _dossiers(world, neighbour, staff, marked=False)
    world.clock.advance(MORNING - world.office.now())
    things, acting = _things(world, people, owner)
    cookies = {}
    for name, actor in people.items():
        with world.office.store.unit(write=True) as unit:
            account = unit.account(actor.id)
            assert account is not None
            token = open_session(world.office, unit, account, world.office.now()).token
        desk = {"applicant": "guichet", "agent": "guichet-agent", "auditor": "guichet-audit"}[actor.kind]
        cookies[name] = (desk, token)
    things["owner_session"] = token_digest(cookies["ownr"][1])
    app = create_app(Settings(data=folder, secret="test", demo=False), world.office, world.operator)
    made = AccessWorld(app, world, owner, neighbour, cookies, acting, things, folder)
    made.remember()
    return made


def _people(world: World) -> dict[str, Actor]:
    lome, kara = ("dgdn_lome",), ("dgdn_kara",)
    accounts = {
        "ownr": Account("owner", "applicant", MARKS["account"], OWNER_PHONE),
        "citi": Account("neighbour", "applicant", "VOISIN", "+22890000010"),
        "repr": Account("representative", "applicant", MARKS["holder"], "+22890000011"),
        "read": Account("reader", "applicant", "LECTEUR", "+22890000012"),
        "revk": Account("revoked", "applicant", "ANCIEN", "+22890000013"),
        "shar": Account("shared", "applicant", "INVITE", "+22890000015"),
        "comp": Account("manager", "applicant", "GERANT", "+22890000014"),
        "offi": Account("officer", "agent", "Agent un", "un", roles=("dgdn/controleur",), offices=lome),
        "kara": Account("elsewhere", "agent", "Agent deux", "deux", roles=("dgdn/controleur",), offices=kara),
        "coll": Account("colleague", "agent", "Agent trois", "trois", roles=("dgdn/guichet",), offices=lome),
        "prod": Account("production", "agent", "Agent neuf", "neuf", roles=("dgdn/production",), offices=lome),
        "role": Account("other-role", "agent", "Agent quatre", "quatre", roles=("dgdn/directeur",), offices=lome),
        "agcy": Account("other-agency", "agent", "Agent cinq", "cinq", roles=("mairie/maire",)),
        "ende": Account("ended", "agent", "Agent six", "six", roles=("dgdn/controleur",), ends={"dgdn/controleur": ENDED}),
        "admi": Account("administrator", "agent", "Agent sept", "sept", administers=("*",)),
        "xadm": Account("other-administrator", "agent", "Agent huit", "huit", administers=("mairie",)),
        "audi": Account("auditor", "auditor", "Contrôleur un", "c-un", procedures=("etal", "renouvellement")),
        "over": Account("auditor-over", "auditor", "Contrôleur deux", "c-deux", procedures=("etal",), until=ENDED),
        "else": Account("auditor-else", "auditor", "Contrôleur trois", "c-trois", procedures=("passeport-ordinaire",)),
    }  # fmt: skip
    with world.office.store.unit(write=True) as unit:
        for account in accounts.values():
            unit.put_account(account)
        unit.add_identifier(Identifier("email", MARKS["email"], "owner", world.office.now()))
    found = {name: world.office.person(account) for name, account in accounts.items()}
    world.people.update({actor.id: actor for actor in found.values()})
    return found


def _dossiers(world: World, holder: Holder, staff: Mapping[str, Actor], *, marked: bool) -> None:
    """A dossier at every stage."""
    office, owner = world.office, holder.actor
    officer = staff["offi"]

    def word(name: str) -> str:
        return MARKS[name] if marked else f"{name} du voisin"

    answers: Any = {"nom": word("answer"), "sante": word("sensitive"), "aides": [{"prenom": word("row")}]}

    def filled() -> Dossier:
        dossier = world.draft("etal", owner, **answers)
        for problem in intake.check(office, owner, dossier.id).errors:
            upload = Upload(f"{word('file')}.pdf", a_page())
            assert intake.attach(office, owner, dossier.id, problem.at, upload).problem is None
        return dossier

    def sent() -> Dossier:
        return intake.submit(office, owner, filled().id, declared=True, token=new_id())

    def owing() -> Dossier:
        return world.take(sent(), officer, "percevoir")

    def visiting(slot: int) -> tuple[Dossier, str]:
        dossier = owing()
        paid = _pay(world, owner, dossier, "90000001")
        return world.booked(world.kept(dossier), "remise", slot if marked else slot + 1), paid

    def keep(stage: str, dossier: Dossier, **more: str) -> None:
        dossier = world.kept(dossier)
        files = {"attachment_id": dossier.attachments[0].id} if dossier.attachments else {}
        holder.dossiers[stage] = {
            "number": dossier.number, "id": dossier.id, "revision": str(dossier.revision), **files, **more
        }  # fmt: skip

    one = sent()
    for who in (officer, owner):
        upload = Upload(f"{word('joined')}.pdf", a_page())
        written = messages.write_message(office, who, one.id, word("message"), upload).message
    assert written is not None
    notes.write_note(office, officer, one.id, word("note"))
    keep("sent", one, message_file=written.files[0].id)
    held_up = sent()
    casework.assign(office, officer, held_up.id, officer.id)
    corrected = {"nom": word("reason")}
    keep("correcting", world.take(held_up, officer, "corriger", reason=word("reason"), correction=corrected))
    asked, said = world.take(sent(), officer, "consulter"), {"opinion": "unfavourable", "note": word("opinion")}
    gathering.give_opinion(office, staff["prod"], asked.id, "avis_production", said)
    sheet = bookings.slots(office, staff["coll"], asked.id, "visite", limit=100)
    keep("asked", asked, slot=sheet.days[-1].slots[-1].start.isoformat())
    keep("owing", owing())
    pending = owing()
    keep("paying", pending, payment_id=_pay(world, owner, pending, "90000008"))
    overpaid = owing()
    _pay(world, owner, overpaid, "90000006")
    (back,) = repaying.owed_back(office, owner, overpaid.id)
    keep("overpaid", overpaid, entry=str(back.refund.entry))
    today, paid = visiting(0)
    keep("today", today, payment_id=paid)
    later, paid = visiting(8)
    keep("visiting", later, payment_id=paid, token=visit_token(office, later, "remise"),
         slot=bookings.slots(office, owner, later.id, "remise", limit=100).days[-1].slots[-1].start.isoformat())  # fmt: skip
    held, paid = visiting(2)
    before, start = office.now(), held.bookings["remise"].start
    world.clock.advance(start - before)
    bookings.mark(office, staff["coll"], held.number, "remise", "attended")
    document = world.kept(held).documents[0].id
    world.clock.advance(before - start)
    lent, ended = sharing.lend(office, owner, held.id, document), sharing.lend(office, owner, held.id, document)
    sharing.take_back(office, owner, held.id, document, token_digest(ended))
    keep(
        "granted", held, payment_id=paid, document_id=document, share=token_digest(lent), token=lent, ended_token=ended
    )
    renewal = world.draft("renouvellement", owner, chef=word("row"))
    keep("renewal", renewal, earlier=held.number)
    keep("draft", filled())


def _pay(world: World, owner: Actor, dossier: Dossier, payer: str) -> str:
    paid = worker.start_payment(
        world.office, owner, dossier.id, provider="sandbox", payer=f"+228{payer}", token=new_id()
    )
    return paid.id


def _things(world: World, people: Mapping[str, Actor], owner: Holder) -> tuple[dict[str, Any], dict[str, str]]:
    """Mandates and what else is no dossier's."""
    office = world.office
    now = office.now()
    proof = office.attachments.keep(a_page(), f"{MARKS['proof']}.pdf", ("pdf",), 5_000_000, "asked")
    company = Account("company", "applicant", "SOCIETE", "company:TG-LOM-1")
    own, manager, sent = owner.actor.id, "manager", owner.dossiers["sent"]
    mandates = {
        "repr": Mandate("m-repr", own, "representative", "", "person", "agent", "active", own, now),
        "read": Mandate("m-read", own, "reader", "", "person", "reader", "active", own, now),
        "revk": Mandate("m-revk", own, "revoked", "", "person", "agent", "ended", own, now),
        "shar": Mandate("m-shar", own, "shared", "", "dossier", "agent", "active", own, now, dossiers=(sent["id"],)),
        "comp": Mandate("m-comp", company.id, manager, "", "company", "manager", "active", manager, now),
    }
    asked = Mandate(
        "asked",
        company.id,
        own,
        "",
        "company",
        "manager",
        "to_check",
        own,
        now,
        proof=proof.sha256,
        proof_name=proof.name,
    )
    with office.store.unit(write=True) as unit:
        unit.put_account(company)
        for one in (*mandates.values(), asked):
            unit.put_mandate(one)
        far = now + timedelta(days=365)
        unit.add_phone_move(PhoneMove(own, OWNER_PHONE, "+22890000077", sent["id"], "colleague", "told", now, far))
    reading = readings.note_reading(office, people["audi"], sent["id"], "Contrôle")
    mail_links.send_link(office, MARKS["email"])
    with office.store.unit() as unit:
        letters = unit.letters_to(MARKS["email"])
        pending = unit.payment(owner.dossiers["paying"]["payment_id"])
    assert pending is not None
    mailed = next(found for one in letters if (found := re.search(r"/connexion/lien/(\S+)", one.body)))
    _help(office, people["coll"], owner)
    orders = {name: _ordered(office, people[name], sent) for name in ("offi", "ende")}
    files = {name: _listed(office, people[name]) for name in ("offi", "ende")}
    things = {
        "reading": reading, "mail_token": mailed[1], "reference": pending.reference, "n": orders["offi"], "n_ended": orders["ende"],
        "change_id": _closed(office, people["admi"]), "snippet_id": snippets.keep_snippet(office, people["admi"], "dgdn", "Merci", "Merci.").id,
        "events": _told(office, people["audi"]), "file": files["offi"], "file_ended": files["ende"],
        "name": Assets().address("guichet.css").rpartition("/")[2],
        "signs": office.catalogue.procedures["etal"].fingerprint[:8],
    }  # fmt: skip
    return things, {name: one.id for name, one in mandates.items()}


def _closed(office: AppContext, chief: Actor) -> str:
    """An afternoon on which nobody comes."""
    last = date(2027, 3, 3)
    asked = openings.OpeningChangeRequest("closed", "dgdn_lome", last, last, 870, 1020, because="Inventaire")
    return openings.change_openings(office, chief, asked).change.id


def _help(office: AppContext, agent: Actor, owner: Holder) -> None:
    """The owner is at a counter, and has read their code to an agent: their draft goes on there."""
    send_help_code(office, OWNER_PHONE)
    with office.store.unit() as unit:
        code = next(found for one in unit.letters_to(OWNER_PHONE) if (found := re.match(r"\d{6}", one.body)))
    assistance.help_by_code(office, agent, OWNER_PHONE, code[0])
    draft = assistance.begin_request(office, agent, "etal", {}, "fr", new_id())
    assert draft.id == owner.dossiers["draft"]["id"]
    owner.dossiers["draft"]["revision"] = str(draft.revision)


def _told(office: AppContext, controller: Actor) -> int:
    """The number of a file of the journals."""
    order = events.order_events(office, controller, events.Wanted(local_day(MONDAY), office.day()))
    events.carry_events(office, order, 9)
    return order.n


def _listed(office: AppContext, agent: Actor) -> int:
    """The number of a list prepared to be taken away, when its giver still had the role."""
    with office.store.unit() as unit:
        account = unit.account(agent.id)
    assert account is not None
    in_post = replace(account, ends={})
    for one in (in_post, account):
        with office.store.unit(write=True) as unit:
            unit.put_account(one)
        if one is in_post:
            order = exports.order_export(office, in_post.actor(), exports.InboxExport("all"))
            exports.run_export(office, order, 9)
    return order.n


def _ordered(office: AppContext, agent: Actor, sent: Mapping[str, str]) -> int:
    """The number of an order about the owner's dossier, given in the same way."""
    giver = replace(agent, roles=frozenset({"dgdn/controleur"}))
    return bulk.order_bulk(office, giver, "etal", "consulter", "", [(sent["number"], int(sent["revision"]))]).n


def a_page() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
