"""Someone at the public's desk without a browser: the pages of an invented procedure, in memory, on a clock that obeys."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from engine.core.clock import FixedClock
from engine.domain.common.decision import Act
from engine.integrations.gateways import InboxSender
from engine.integrations.registers import FileRegister
from engine.integrations.simulated_operator import SandboxOperator, SandboxProvider
from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Account, Actor
from engine.services.applications.casework import take_transition
from engine.services.context.app_context import AppContext, AppSettings, publish_editions
from engine.services.keys.signing_keys import SigningKeys
from engine.storage.files.attachments import AttachmentStore
from engine.storage.sqlite.store import SqliteStore
from renderers.i18n.translations import load_words
from renderers.web.platform.refused_posts import ASKED as AGAIN
from server import Settings, create_app
from tests.makers import a_procedure, the_shared
from tests.worker import work_off

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PHONE = "90112233"
STALL = """
title: Étal de marché
summary: Louer un étal sur un marché de la ville.
eligibility:
  majeur: {ask: 'Avez-vous 18 ans ?', stop_when: not majeur, because: Un parent doit le demander pour vous.}
form:
  vous:
    title: Vous
    fields:
      nom: {label: Nom, case: upper, maxLength: 20, example: AMEGAN}
      naissance: {label: Date de naissance, type: date, maximum: today, example: 1990-03-27}
      commerce:
        label: Que vendez-vous ?
        type: choice
        options: {legumes: Légumes, tissus: Tissus}
        other: true
      bio: {label: 'Sont-ils sans engrais ?', type: yes_no, when: commerce == 'legumes'}
  aides:
    title: Vos aides
    fields:
      personnes:
        label: Personnes qui vous aident
        type: rows
        required: false
        maxItems: 2
        row_label: '{prenom}'
        fields:
          prenom: {label: Prénom, example: Koffi}
evidence:
  carte: {label: Carte d'identité}
  photo: {label: Photo de l'étal, accept: [jpg, png]}
fees:
  place: {label: Place au marché, amount: 5000}
appointments:
  remise:
    label: Remise de la clé
    by: maire
    lasts: 30 minutes
    hours: [08:00-09:00]
    lead: 1 day
    horizon: 20 days
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: a_payer}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
        refuser: {label: Refuser, to: refuse, asks: [reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: classe}
    a_payer: {label: À payer, pay: place, due: 30 days, then: cle, late: classe}
    cle: {label: Remise de la clé, attend: remise, due: 60 days, then: accorde, late: classe, missed: classe}
    accorde: {label: Accordé, end: granted, issues: permis}
    refuse: {label: Refusé, end: refused}
    classe: {label: Classé, end: abandoned}
    retire: {label: Retiré, end: withdrawn}
  transitions:
    retirer: {from: [examen, a_corriger, a_payer], to: retire, by: applicant, label: Retirer ma demande, asks: [reason]}
outputs:
  permis: {title: Permis d'étal, kind: permit, valid: 1 year, shows: [nom]}
"""


@dataclass(frozen=True)
class Seen:
    """One page as a reader of its HTML sees it."""

    response: TestResponse
    again: bool = False  # the redirect to a page shown again was followed

    @property
    def status(self) -> int:
        """The status of the answer; 422 for a refused post, although a redirect shows its page."""
        return 422 if self.again and 'id="errors"' in self.html else self.response.status_code

    @property
    def html(self) -> str:
        return self.response.get_data(as_text=True)

    @property
    def text(self) -> str:
        """The words of the page, fixed spaces as plain ones."""
        return _words(re.sub(r"(?s)<head>.*?</head>", "", self.html))

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.html)
        return _words(found[1]) if found else ""

    @property
    def address(self) -> str:
        return self.response.headers.get("Location", "")

    def form(self, having: str = "csrf_token") -> dict[str, list[str]]:
        """What the form that holds a control of this name would post if nothing was touched."""
        reader = _Forms()
        reader.feed(self.html)
        return next(dict(fields) for fields in reader.forms if having in fields)

    def value(self, name: str) -> str:
        return self.form(name)[name][-1]

    def typed(self) -> tuple[list[str], list[dict[str, list[str]]]]:
        """What the page says is wrong, and what its forms hold."""
        reader = _Forms()
        reader.feed(self.html)
        errors = re.findall(r'(?s)id="errors".*?</div>', self.html)
        return errors, [{name: form[name] for name in form if name not in OF_THE_PAGE} for form in reader.forms]


def seen_again(client: FlaskClient, answer: TestResponse) -> Seen:
    """The page that a post shows: that of its refusal, if it redirects there, else its answer.

    Opened again, that page says the same; at another browser it says nothing of it.
    """
    where = answer.headers.get("Location", "")
    if f"{AGAIN}=1" not in where:
        return Seen(answer)
    page, once_more = Seen(client.get(where), True), Seen(client.get(where), True)
    assert page.status in (200, 422), (where, page.status)
    assert page.typed() == once_more.typed(), where
    stranger = Seen(client.application.test_client().get(where), True)
    assert stranger.status == 303 or stranger.typed() != page.typed(), where
    return page


OF_THE_PAGE = frozenset({"csrf_token", "token", "revision"})


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append({})
        if tag != "input" or not self.forms or not given.get("name") or "disabled" in given:
            return
        kind = given.get("type")
        if kind in ("submit", "file") or (kind in ("radio", "checkbox") and "checked" not in given):
            return
        self.forms[-1].setdefault(str(given["name"]), []).append(given.get("value") or "")


def _words(html: str) -> str:
    plain = re.sub(r"<[^>]+>", " ", html).replace("&#39;", "'").replace("&amp;", "&").replace("&#34;", '"')
    return " ".join(plain.replace("\u00a0", " ").replace("\u2011", "-").split())


@dataclass
class PortalClient:
    """One browser. `open` and `post` keep cookies; `send` fills the form of the page last seen."""

    client: FlaskClient
    office: AppContext
    clock: FixedClock
    operator: SandboxOperator
    page: Seen = field(init=False)

    def open(self, address: str, **headers: str) -> Seen:
        self.page = Seen(self.client.get(address, headers=headers))
        return self.page

    def follow(self) -> Seen:
        """Goes where the last answer sends."""
        while self.page.status == 303:
            self.open(self.page.address)
        return self.page

    def post(self, address: str, **fields: Any) -> Seen:
        """Posts exactly these fields, and follows to the page shown again; the worker then does what that queued."""
        self.page = seen_again(self.client, self.client.post(address, data=fields, content_type=None))
        work_off(self.office)
        return self.page

    def send(self, address: str, **fields: Any) -> Seen:
        """Opens a page, fills its form and posts it."""
        form: dict[str, Any] = self.open(address).form()
        form.update(fields)
        return self.post(address, **form)

    # -- short cuts

    def sign_in(self, phone: str = PHONE) -> PortalClient:
        self.send("/connexion", phone=phone)
        self.send("/connexion/code", code=self.code(phone))
        assert self.page.status == 303, self.page.text
        return self

    def code(self, phone: str = PHONE) -> str:
        with self.office.store.unit() as unit:
            newest = max(unit.letters_to(f"+228{phone}"), key=lambda letter: letter.created_at)
        found = re.match(r"\d{6}", newest.body)
        assert found, newest.body
        return found[0]

    def begin(self) -> str:
        """A draft of the invented procedure, signed in; its number."""
        self.send("/demarches/essai/verifier?majeur=oui")
        self.post("/demarches/essai/commencer", **self.open("/demarches/essai/verifier?majeur=oui").form())
        assert self.page.status == 303, self.page.text
        found = re.search(r"/dossiers/(\d+)/", self.page.address)
        assert found, self.page.address
        return found[1]

    def fill(self) -> str:
        """A draft with everything answered and handed in."""
        number = self.begin()
        base = f"/dossiers/{number}/demande"
        self.send(f"{base}/vous", **ANSWERS, go="next")
        self.send(f"{base}/aides", go="next")
        pieces = self.page.address
        self.send(pieces, **{"file:carte": picture(), "file:photo": picture(), "go": "next"})
        assert self.page.address == f"/dossiers/{number}/verification", self.page.text
        return number

    def sent(self) -> str:
        number = self.fill()
        self.send(f"/dossiers/{number}/verification", declared="1")
        assert self.page.status == 303, self.page.text
        return number

    def decide(self, number: str, act: str, **more: Any) -> None:
        """The mayor takes an act."""
        take_transition(self.office, MAYOR, self.dossier_id(number), Act(act, **more))

    def dossier_id(self, number: str) -> str:
        with self.office.store.unit() as unit:
            dossier = unit.dossier_numbered(number)
        assert dossier
        return dossier.id


MAYOR = Actor("agent", "mayor", "Maire", frozenset({"mairie/maire"}))
ANSWERS = {
    "nom": "Amegan",
    "naissance_day": "27",
    "naissance_month": "3",
    "naissance_year": "1990",
    "commerce": "tissus",
}


def picture(name: str = "carte.jpg") -> tuple[io.BytesIO, str]:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(out, "JPEG")
    return io.BytesIO(out.getvalue()), name


def a_portal_client(folder: Path, book: str = STALL, **settings: Any) -> PortalClient:
    """A portal over the invented procedure, and someone who just opened their browser."""
    clock = FixedClock(NOON)
    operator = SandboxOperator(None, clock, b"test")
    store = SqliteStore(":memory:")
    store.migrate()
    inbox = InboxSender()
    procedure = a_procedure(book)
    office = publish_editions(AppContext(
        Catalogue.of([procedure], the_shared()), store, AttachmentStore(folder / "files"),
        {"argent": SandboxProvider(operator, "argent", "Argent mobile")},
        {"sms": inbox, "email": inbox, "inbox": inbox}, {"*": FileRegister(folder)}, clock, load_words(),
        SigningKeys.generate(), AppSettings(base_url="http://localhost", short_url="http://localhost", second_factor=False),
    ))  # fmt: skip
    with store.unit(write=True) as unit:
        unit.put_account(Account("mayor", "agent", "Maire", "maire", roles=("mairie/maire",)))
    app = create_app(Settings(**{"data": folder, "secret": "test", **settings}), office, operator)
    return PortalClient(app.test_client(), office, clock, operator)


def another(visitor: PortalClient) -> PortalClient:
    """Someone else, at another browser of the same portal."""
    return replace(visitor, client=visitor.client.application.test_client())


def later(visitor: PortalClient, **span: float) -> None:
    visitor.clock.advance(timedelta(**span))
