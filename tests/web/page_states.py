"""Pages that one request does not bring: what they are called, and the way that leads there in the world of the access matrix.

A way is walked by a client of the one who lives it; what it posts on the way is undone afterwards.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pyotp
from werkzeug.test import TestResponse

from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import SYSTEM_ACTOR
from engine.services.accounts import agents as people
from engine.services.accounts.agents import Person
from engine.services.context.app_context import publish_editions
from engine.storage.results import Busy
from renderers.web.platform.security import LARGEST_BODY
from server import Settings, create_app
from tests.makers import compiled, the_shared
from tests.web.access_procedures import RENEWAL, STALL
from tests.web.access_world import MARKS, AccessWorld

PHONE: Final = "90112233"
AS_A_PAGE: Final = {"Accept": "*/*"}  # of a script: a refused post is answered by its page, and by no redirect
Seen = Iterator[tuple[str, TestResponse]]  # the endpoint a page is of, or what it says is wrong, and the page
Way = Callable[[AccessWorld], Seen]
WAYS: Final[list[Way]] = []


def a_way(way: Way) -> Way:
    WAYS.append(way)
    return way


@a_way
def coming_by_phone(site: AccessWorld) -> Seen:
    me = site.client_of("none")
    me.post("/connexion", data={"phone": PHONE})
    yield "signin.ask_code", me.get("/connexion/code")
    yield "signin.check", me.post("/connexion/code", data={"code": "000000"}, headers=AS_A_PAGE)
    for number in range(12):
        last = me.post("/connexion", data={"phone": f"9011{number:04}"})
    yield "429", last


@a_way
def going_on_without_a_code(site: AccessWorld) -> Seen:
    """Filled in before the number is proven; then a draft that its owner had already."""
    me, phone = site.client_of("none"), MARKS["phone"]
    me.post("/demarches/etal/commencer", data={})
    me.post("/connexion", data={"phone": phone})
    yield "signin.ask_code", me.get("/connexion/code")
    begun = me.post("/connexion/sans-code").headers["Location"]
    number = begun.split("/")[2]
    yield "catalogue.home", me.get("/")
    yield "tracking.dossiers", me.get("/dossiers")
    yield "form.tasks", me.get(f"/dossiers/{number}/demande")
    yield "form.show", me.get(begun)
    yield "submit.verify", me.get(f"/dossiers/{number}/verification")
    yield "signin.ask_code", me.get(f"/connexion/code?suite={begun}")
    yield "signin.ask_phone", me.get("/connexion?brouillon=1")
    yield "signin.leave", me.get("/deconnexion")
    with site.world.office.store.unit() as unit:
        codes = [one for one in unit.letters_to(f"+228{phone}") if re.match(r"\d{6}\b", one.body)]
    newest = max(codes, key=lambda letter: letter.created_at)
    me.post("/connexion/code", data={"code": newest.body[:6]})
    yield "unverified_drafts.choose", me.get("/dossiers/de-cet-appareil")
    yield "unverified_drafts.choose", me.post("/dossiers/de-cet-appareil", data={}, headers=AS_A_PAGE)
    yield "tracking.dossiers", me.get("/dossiers")


@a_way
def coming_by_mail(site: AccessWorld) -> Seen:
    me, other = site.client_of("none"), site.client_of("none")
    me.post("/connexion/courriel", data={"email": MARKS["email"]})
    yield "mail_signin.sent", me.get("/connexion/courriel/envoye")
    with site.world.office.store.unit() as unit:
        letters = unit.letters_to(MARKS["email"])
    newest = max((one for one in letters if "/connexion/lien/" in one.body), key=lambda one: one.created_at)
    found = re.search(r"/connexion/lien/\S+", newest.body)
    assert found
    yield "mail_signin.follow", me.get(found[0])
    yield "403", other.get(found[0])
    site.world.clock.advance(timedelta(days=1))
    try:
        yield "410", me.get(found[0])
    finally:
        site.world.clock.advance(-timedelta(days=1))


@a_way
def another_phone(site: AccessWorld) -> Seen:
    me = site.client_of("ownr")
    me.post("/compte/telephone", data={"way": PHONE})
    yield "account.code", me.get("/compte/code")
    yield "account.code", me.post("/compte/code", data={"code": "000000"}, headers=AS_A_PAGE)


@a_way
def the_permit_of_somebody_else(site: AccessWorld) -> Seen:
    me, address = site.client_of("ownr"), f"/dossiers/{site.owner.dossiers['renewal']['number']}/lien/ancien"
    me.post(address, data={"earlier": "other", "number": site.neighbour.dossiers["granted"]["number"]})
    yield "links.ask_code", me.get(f"{address}/code")
    yield "links.check_code", me.post(f"{address}/code", data={"code": "000000"}, headers=AS_A_PAGE)


def through_the_door(site: AccessWorld, desk: str, kind: Any) -> Seen:
    """A newcomer: their own password, the application, its recovery codes; then the next day."""
    day = site.world.office.day()
    rights = Person("A. Mensah", until=day) if kind == "auditor" else Person("A. Mensah", {"dgdn/controleur": None})
    given = people.add_person(site.world.office, SYSTEM_ACTOR, kind, "mensah", rights)
    me, door, blueprint = site.client_of("none"), f"/{desk}/connexion", kind
    step, own = f"{door}/suite", "quatre mots sans suite"
    me.post(door, data={"login": "mensah", "password": given.password})
    yield f"{blueprint}.second_step", me.get(step)
    yield f"{blueprint}.second_step", me.post(step, data={"password": "court", "again": "autre"})
    me.post(step, data={"password": own, "again": own})
    enrolling = me.get(step)
    yield f"{blueprint}.second_step", enrolling
    yield f"{blueprint}.second_step", me.post(step, data={"code": "000000"})
    key = re.search(r"\b((?:[A-Z2-7]{4}[ \u00a0]){7}[A-Z2-7]{4})\b", enrolling.get_data(as_text=True))
    assert key
    code = pyotp.TOTP(key[1].replace(" ", "").replace("\u00a0", "")).at(site.world.office.now())
    yield f"{blueprint}.second_step", me.post(step, data={"code": code})
    again = site.client_of("none")
    again.post(door, data={"login": "mensah", "password": own})
    yield f"{blueprint}.second_step", again.get(step)
    yield f"{blueprint}.second_step", again.post(step, data={"code": "000000"})


@a_way
def an_agent_for_the_first_time(site: AccessWorld) -> Seen:
    yield from through_the_door(site, "agent", "agent")


@a_way
def a_controller_for_the_first_time(site: AccessWorld) -> Seen:
    yield from through_the_door(site, "audit", "auditor")


@a_way
def helped_at_a_counter(site: AccessWorld) -> Seen:
    agent, number = site.client_of("coll"), site.owner.dossiers["draft"]["number"]
    agent.post(f"/agent/guichet/{number}/verification", data={"declared": "1", "confirmed": "paper"})
    yield "counter_receipt.show", agent.get(f"/agent/guichet/{number}/recepisse")
    yield "counter_receipt.show", agent.get(f"/agent/guichet/{number}/recepisse?format=80")
    at = f"/agent/guichet/{number}"
    with site.world.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier is not None
    site.world.take(dossier, site.world.people["officer"], "percevoir")
    yield "counter_payment.choose", agent.get(f"{at}/paiement")
    asked = agent.post(f"{at}/paiement", data={"provider": "sandbox", "payer": "90000008"})
    yield "counter_payment.follow", agent.get(asked.headers["Location"])
    agent.post("/agent/guichet/terminer")
    yield "counter.over", agent.get("/agent/guichet")
    agent.post("/agent/guichet", data={"how": "phone", "phone": PHONE})
    yield "counter.read_aloud", agent.get("/agent/guichet/code")
    yield "counter.read_aloud", agent.post("/agent/guichet/code", data={"code": "000000"})


@a_way
def a_lost_telephone(site: AccessWorld) -> Seen:
    """At the counter somebody asks for another number; whoever holds the one before is told and says no."""
    agent, owner, here = site.client_of("coll"), site.client_of("ownr"), "/agent/guichet/numero"
    yield "lost_phones.whose", agent.get(here)
    named = {"number": site.neighbour.dossiers["sent"]["number"], "former": "90000010"}
    for wrong in ({**named, "former": "12"}, {**named, "former": "90000011"}):
        yield "lost_phones.whose", agent.post(here, data=wrong)
    agent.post(here, data=named)
    yield "lost_phones.paper", agent.get(f"{here}/piece")
    for wrong in ({"phone": "91445566"}, {"paper": "passport", "phone": "12"}):
        yield "lost_phones.paper", agent.post(f"{here}/piece", data=wrong)
    agent.post(f"{here}/piece", data={"paper": "passport", "phone": "91445566"})
    yield "lost_phones.code", agent.get(f"{here}/code")
    yield "lost_phones.code", agent.post(f"{here}/code", data={"code": "000000"})
    with site.world.office.store.unit() as unit:
        sent = unit.letters_to("+22891445566")[0].body
    agent.post(f"{here}/code", data={"code": sent[:6]})
    agent.post(here, data=named)
    yield "lost_phones.paper", agent.get(f"{here}/piece")
    yield "account.home", owner.get("/compte")
    yield "tracking.dossiers", owner.get("/dossiers")


@a_way
def typing_a_paper_form(site: AccessWorld) -> Seen:
    agent, number, store = site.client_of("coll"), site.owner.dossiers["draft"]["number"], site.world.office.store
    with store.unit() as unit:
        draft = unit.dossier_numbered(number)
    assert draft is not None
    with store.unit(write=True) as unit:
        unit.put_dossier(replace(draft, channel="paper", revision=draft.revision + 1), draft.revision)
    yield "counter_paper_form.show", agent.get(f"/agent/guichet/{number}/saisie")
    yield "counter_paper_form.show", agent.post(f"/agent/guichet/{number}/saisie", data={"add_row": "aides"})
    yield "422", agent.post(f"/agent/guichet/{number}/saisie", data={"nom": ""})


@a_way
def coming_back_to_a_counter(site: AccessWorld) -> Seen:
    """What was sent before is opened by its number: to be corrected, filled in, visited."""
    agent, of = site.client_of("coll"), site.owner.dossiers
    yield "422", agent.post("/agent/guichet/demandes", data={"number": site.neighbour.dossiers["sent"]["number"]})

    def back(stage: str) -> str:
        answer = agent.post("/agent/guichet/demandes", data={"number": of[stage]["number"]})
        return str(answer.headers["Location"])

    correcting, asked, visiting = (back(stage) for stage in ("correcting", "asked", "visiting"))
    for at in (correcting, asked, visiting, back("granted")):
        yield "counter_receipt.show", agent.get(f"{at}/recepisse")
    yield "counter.home", agent.get("/agent/guichet")
    sent = back("sent")
    yield "counter_acts.ask", agent.get(f"{sent}/actes/retirer")
    yield "422", agent.post(f"{sent}/actes/retirer", data={"reason": "Erreur"})
    yield "counter_acts.ask", agent.post(f"{sent}/actes/retirer", data={"go": "code"})
    yield "counter_messages.thread", agent.get(f"{sent}/messages")
    yield "counter_corrections.show", agent.get(f"{correcting}/corrections")
    yield "counter_later_forms.show", agent.get(f"{asked}/a-faire/plan")
    yield "counter_later_forms.show", agent.get(f"{asked}/a-faire/tenue")
    yield "counter_later_forms.show_part", agent.get(f"{asked}/a-faire/tenue/0")
    yield "422", agent.post(f"{asked}/a-faire/tenue/0", data={"go": "next", "act-seen": "taille"})
    visit, slot = f"{visiting}/rendez-vous", {"quoi": "remise", "bureau": "dgdn_lome", "start": of["visiting"]["slot"]}
    yield "counter_appointments.choose", agent.get(visit)
    yield "counter_appointments.choose", agent.get(f"{visit}?changer=1")
    yield "counter_appointments.confirm", agent.get(f"{visit}/confirmer", query_string=slot)
    yield "counter_appointments.cancel", agent.get(f"{visit}/annuler")


@a_way
def a_permit_named_at_a_counter(site: AccessWorld) -> Seen:
    """Where the procedure that renews is received there too."""
    received = RENEWAL.replace("edition: 1", "edition: 2").replace("by: chef_sejour", "by: [chef_sejour, guichet]")
    books = [compiled(STALL, "etal.yaml"), compiled(received, "renouvellement.yaml")]
    office = publish_editions(replace(site.world.office, catalogue=Catalogue.of(books, the_shared())))
    app = create_app(Settings(data=site.folder, secret="test", demo=False), office, site.world.operator)
    app.config["WTF_CSRF_ENABLED"] = False
    agent = app.test_client()
    agent.set_cookie(*site.cookies["coll"])
    begun = agent.post("/agent/guichet/demarches/renouvellement")
    address = re.match(r"/agent/guichet/\d+", begun.headers["Location"])
    assert address
    link = f"{address[0]}/lien/ancien"
    yield "counter_links.choose", agent.get(link)
    agent.post(link, data={"earlier": "other", "number": site.neighbour.dossiers["granted"]["number"]})
    yield "counter_links.ask_code", agent.get(f"{link}/code")
    yield "counter_links.check_code", agent.post(f"{link}/code", data={"code": "000000"})
    yield "counter_links.choose_row", agent.get(f"{link}/{site.owner.dossiers['granted']['number']}")


@a_way
def a_demonstration(site: AccessWorld) -> Seen:
    """Whose SMS and whose operator anybody may see."""
    app = create_app(Settings(data=site.folder, secret="test", demo=True), site.world.office, site.world.operator)
    me = app.test_client()
    yield "operator.inbox", me.get("/_boite")
    yield "operator.phone", me.get("/_operateur")
    yield "catalogue.home", me.get("/")
    yield "agent.sign_in", me.get("/agent/connexion")


@a_way
def a_session_that_ended_while_typing(site: AccessWorld) -> Seen:
    draft = site.owner.dossiers["draft"]["number"]
    me, typed = site.client_of("none"), {"nom": "KOFFI", "go": "next"}
    me.post(f"/dossiers/{draft}/demande/vous", data=typed)
    yield "signin.ask_phone", me.get("/connexion")
    me.set_cookie(*site.cookies["ownr"])
    yield "resume", me.get("/reprendre")


@a_way
def a_page_that_grew_old(site: AccessWorld) -> Seen:
    draft = site.owner.dossiers["draft"]
    site.app.config["WTF_CSRF_ENABLED"] = True
    try:
        yield "400", site.client_of("ownr").post(f"/dossiers/{draft['number']}/demande/vous", data={"nom": "KOFFI"})
    finally:
        site.app.config["WTF_CSRF_ENABLED"] = False
    aged = {"nom": "LAWSON", "go": "next", "revision": "0"}
    yield "409", site.client_of("ownr").post(f"/dossiers/{draft['number']}/demande/vous", data=aged)


@a_way
def what_is_too_large(site: AccessWorld) -> Seen:
    draft, large = site.owner.dossiers["draft"]["number"], io.BytesIO(b"x" * (LARGEST_BODY + 1))
    yield (
        "413",
        site.client_of("ownr").post(f"/dossiers/{draft}/demande/vous", data={"file:carte": (large, "photo.jpg")}),
    )


@a_way
def what_breaks(site: AccessWorld) -> Seen:
    """A fault of ours, and a store that is too busy, as people meet them at each desk."""
    for endpoint, path, persona in (
        ("articles.help_", "/aide", "none"),
        ("agent.inbox", "/agent", "offi"),
        ("auditor.home", "/audit", "audi"),
    ):
        whole = site.app.view_functions[endpoint]
        try:
            for status, error in (("500", RuntimeError("broken")), ("503", Busy())):
                site.app.view_functions[endpoint] = _raising(error)
                yield status, site.client_of(persona).get(path)
        finally:
            site.app.view_functions[endpoint] = whole
    yield "404", site.client_of("none").get("/nulle-part")
    yield "405", site.client_of("none").post("/aide")


def _raising(error: Exception) -> Any:
    def view(**_: Any) -> None:
        raise error

    return view


@a_way
def a_procedure_that_is_closed(site: AccessWorld) -> Seen:
    for dates in ("until: 2026-01-31", "from: 2027-01-01"):
        text = STALL.replace("agency: dgdn\n", f"agency: dgdn\nin_force: {{{dates}}}\n")
        office = replace(site.world.office, catalogue=Catalogue.of([compiled(text, "etal.yaml")], the_shared()))
        app = create_app(Settings(data=site.folder, secret="test", demo=False), office, site.world.operator)
        me = app.test_client()
        yield "closed", me.get("/demarches/etal")
        yield "closed", me.get("/demarches/etal/verifier")
        yield "closed", me.get("/demarches")


@a_way
def a_visit_about_to_be_recorded(site: AccessWorld) -> Seen:
    """Received: asked once more, with what it does. Absent: refused before the hour."""
    agent, dossier = site.client_of("coll"), site.owner.dossiers["today"]
    path, mark = f"/agent/rendez-vous/{site.world.office.day()}", f"{dossier['number']}/remise"
    yield "office_day.note", agent.post(path, data={"mark": f"{mark}/attended"})
    yield "409", agent.post(path, data={"mark": f"{mark}/missed"})


@a_way
def annotations_that_a_colleague_changed(site: AccessWorld) -> Seen:
    agent, number = site.client_of("offi"), site.owner.dossiers["sent"]["number"]
    yield (
        "422",
        agent.post(f"/agent/dossiers/{number}/annotations", data={"mark": "x", "annotation-etiquettes": "urgent"}),
    )


@a_way
def nothing_yet(site: AccessWorld) -> Seen:
    """Lists of somebody who has none."""
    newcomer = site.client_of("comp")
    for path in ("/dossiers", "/compte/consultations", "/compte/entreprises", "/demarches?q=zzzz"):
        yield "empty", newcomer.get(path)
    for persona, paths in (
        ("agcy", ("/agent", "/agent/ordres", "/agent/rendez-vous/2026-11-25")),
        ("else", ("/audit", "/audit/evenements")),
    ):
        for path in paths:
            yield "empty", site.client_of(persona).get(path)
