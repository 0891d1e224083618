"""Who reaches what: every address of the site, asked by everybody who may ask, against the table `access_matrix.txt`.

Everything asked for is real and somebody else's. A route that the table does not say fails here, and so does a line of no
route. What an answer says is searched for marks that the owner's data carry, headers and PDFs included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from renderers.web.platform import errors as refusals
from server import blueprints
from tests.web.access import NOTHING, PERSONAS, TABLE, Row, ask, outcome, rules, table, values_of
from tests.web.access_world import ABSENT, MARKS, AccessWorld, an_access_world, marks_in, said
from tests.web.platform.test_no_call_in_a_request import watched

slow = pytest.mark.slow  # the whole site and its people

ANSWERS: Final = {"answer", "row", "file", "message", "joined", "reason"}
# What may ever be read by whom, of the owner's. Nobody else reads anything.
READERS: Final[Mapping[str, set[str]]] = {
    "ownr": set(MARKS) - {"opinion", "note"},
    "repr": ANSWERS | {"account", "phone", "sensitive", "holder"},
    "read": ANSWERS - {"message", "joined"} | {"account", "phone", "sensitive"},
    "shar": ANSWERS | {"account", "phone", "sensitive"},
    "comp": {"account"},  # who asks to act for their company
    "offi": ANSWERS | {"sensitive", "opinion", "note"},
    "coll": ANSWERS | {"note"},
    "admi": {"account", "proof", "holder"},
}
FRAME: Final = {one: {"account"} for one in ("repr", "read", "shar")}  # whom they act for stands on every page
BEARER: Final = {"document_links.shown": {"answer"}, "document_links.shown_pdf": {"answer"}}  # whoever holds the link
HELPED: Final = {"account", "sensitive"}  # the owner, who is there, has the agent write their own answers
UNKEPT: Final = {
    "resumable_uploads.receive",
    "counter_uploads.receive",
    "links.name",
    "messages.thread",
}  # what they do is kept outside the tables of facts
FREE_OF_TOKENS: Final = {"payments.callback", "payments.returned"}  # an operator has none
NOWHERE: Final[Mapping[str, Any]] = {
    "number": ABSENT, "slug": "nulle-part", "token": "absent", "account_id": "absent", "mandate_id": "absent", "snippet_id": "absent", "office_id": "absent", "change_id": "absent", "n": 999_999,
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> AccessWorld:
    return an_access_world(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def calls(site: AccessWorld) -> list[str]:
    """The calls of partners made inside requests."""
    return watched(site.world.office)


def each(rows: list[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=[f"{row.endpoint} {row.method} {row.on}" for row in rows])


# -- the table is whole ------------------------------------------------------------------------------------------------


def test_every_route_has_its_line_and_every_line_its_route() -> None:
    app = Flask("guichet", static_folder=None)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    refusals.register(app)
    there = {(rule.endpoint, method) for rule, method in rules(app)}
    told = {(row.endpoint, row.method) for row in table()}
    missing = sorted(there - told)
    assert not missing, (
        f"No line in {TABLE.name} for {missing}. Print them as the site answers today:\n"
        f"  python -m tests.web.access {missing[0][0]}   then judge every cell, and add them where their like stand."
    )
    assert not told - there, f"{TABLE.name} speaks of routes that are gone"
    assert len({(row.endpoint, row.method, row.on) for row in table()}) == len(table())


# -- cell by cell ------------------------------------------------------------------------------------------------------


@slow
@pytest.mark.faults
@each(list(table()))
def test_each_gets_what_the_table_says(site: AccessWorld, calls: list[str], row: Row) -> None:
    values = values_of(site, row, site.owner)
    wrong = [
        f"{persona} at {answer.request.path}: {fault}"
        for persona in PERSONAS
        for answer, fault in faults(site, row, persona, values)
    ]
    assert not wrong, "\n".join(wrong)
    assert calls == [], "a request called a partner"


def faults(site: AccessWorld, row: Row, persona: str, values: Mapping[str, Any]) -> list[tuple[TestResponse, str]]:
    """What is not as the table says for one person."""
    cell, found = row.cells[persona], []
    answers = ask(site, persona, row, values)
    for answer in answers:
        got, leaks = outcome(site, row, answer), marks_in(said(answer)) - readable(row, persona)
        same = got == cell or (cell == "own" and got in ("open", "deny")) or (got == "deny" and row.endpoint in UNKEPT)
        if not same:
            found.append((answer, f"{got} ({answer.status_code}), the table says {cell}"))
        if leaks:
            found.append((answer, f"reads {sorted(leaks)}"))
        if site.touched and cell != "open" and persona != "ownr":
            found.append((answer, "changed something of the owner's"))
        if cell in ("auth", "shut", "hide") and site.changed - {"session"}:
            found.append((answer, f"changed {sorted(site.changed)}"))
    if cell == "hide" or (row.on != NOTHING and cell == "own" and persona in ("none", "citi")):
        absent = ask(site, persona, row, {**values, **NOWHERE})
        pairs = zip(answers, absent, strict=True)
        told_apart = [one for one, other in pairs if bare(one, values) != bare(other, NOWHERE)]
        found += [(one, "told apart from what does not exist") for one in told_apart]
    return found


def readable(row: Row, persona: str) -> set[str]:
    """The marks that an answer may carry."""
    cell = row.cells[persona]
    own = READERS.get(persona, set()) if cell in ("open", "deny") or persona == "ownr" else set()
    if persona == "coll" and row.endpoint.startswith("counter"):
        own = own | (HELPED if cell == "open" else {"account"})
    return own | FRAME.get(persona, set()) | BEARER.get(row.endpoint, set())


def bare(answer: TestResponse, values: Mapping[str, Any]) -> str:
    """An answer without what differs at each asking, and without what the question itself said."""
    text = f"{answer.status_code}\n{said(answer)}"
    text = re.sub(r"(?m)^(Set-Cookie|Content-Length): \S+|Expires=[^;]*", "", text)
    text = re.sub(r"\b[0-9a-f]{32}\b|urn:uuid:[0-9a-f-]{36}", "", text)  # what the request is called
    text = re.sub(r'name="(csrf_token|token)" value="[^"]*"', "", text)
    asked = (answer.request.path, quote(answer.request.path, safe=""), str(values.get("number", ABSENT)))
    for one in asked:
        text = text.replace(one, "<asked>")
    return text


@slow
def test_every_mark_is_read_by_whom_it_is_for(site: AccessWorld) -> None:
    """A mark that nobody reads would prove nothing."""
    places = {
        "ownr": (("tracking.follow", "correcting"), ("messages.thread", "sent"), ("account.home", NOTHING), ("delegation.home", NOTHING)),
        "offi": (("agent_dossier.show", "asked"), ("messages.staff_thread", "sent"), ("notes.staff_notes", "sent")),
        "admi": (("delegation.proof", NOTHING), ("delegation.to_check", NOTHING)),
    }  # fmt: skip
    seen = set()
    for persona, rows in places.items():
        for endpoint, on in rows:
            row = next(one for one in table() if (one.endpoint, one.method, one.on) == (endpoint, "GET", on))
            seen |= marks_in(said(ask(site, persona, row, values_of(site, row, site.owner))[0]))
    assert seen == set(MARKS)


# -- forms, methods ----------------------------------------------------------------------------------------------------


@slow
@each([row for row in table() if row.method == "POST"])
def test_no_form_passes_without_its_token(site: AccessWorld, row: Row) -> None:
    values = values_of(site, row, site.owner)
    for persona in ("none", *(one for one in ("ownr", "coll", "admi", "audi") if row.cells[one] in ("open", "own"))):
        for answer in ask(site, persona, row, values, checked=True):
            if row.endpoint in FREE_OF_TOKENS:
                assert not site.changed
            else:
                assert answer.status_code == 400, (persona, answer.request.path)
                assert not site.changed, persona


NOTED: Final = frozenset(
    {"session", "reading", "message", "share"}
)  # that somebody was there, what they opened or read


@slow
@each([row for row in table() if row.method == "GET"])
def test_to_read_does_nothing(site: AccessWorld, row: Row) -> None:
    """A picture on another site makes a browser ask for any address: nothing is begun, sent, decided or taken back by it."""
    values = values_of(site, row, site.owner)
    for persona in ("ownr", "coll", "admi", "audi"):
        if row.cells[persona] in ("open", "own"):
            for answer in ask(site, persona, row, values):
                assert site.changed <= NOTED, (persona, answer.request.path, sorted(site.changed))


@slow
@each([row for row in table() if row.method == "GET"])
def test_other_methods_say_no_more(site: AccessWorld, row: Row) -> None:
    """HEAD is GET without a body; OPTIONS and what no page knows are answered alike, whatever the address names."""
    values = values_of(site, row, site.owner)
    nowhere = {**values, **NOWHERE}
    for persona in ("citi", "agcy"):
        full, told = ask(site, persona, row, values), site.touched
        for one, head in zip(full, ask(site, persona, row, values, "HEAD"), strict=True):
            assert (head.status_code, head.data) == (one.status_code, b""), persona
            assert not marks_in(said(head)) - readable(row, persona), persona
            assert site.touched <= told, persona
    for method in ("OPTIONS", "PUT"):
        pairs = zip(ask(site, "citi", row, values, method), ask(site, "citi", row, nowhere, method), strict=True)
        for real, absent in pairs:
            assert bare(real, values) == bare(absent, nowhere), method
            assert not marks_in(said(real)), method


# -- what belongs to one dossier, asked under another ------------------------------------------------------------------

PARTS: Final = {"attachment_id", "document_id", "payment_id", "share", "earlier"}
OF_A_DOSSIER: Final = [
    row for row in table()
    if row.endpoint in {
        "form.attachment", "counter_form.attachment", "messages.attachment", "counter_messages.attachment", "documents.download", "document_links.document", "document_links.make", "document_links.end", "payments.follow",
        "payments.state", "payments.receipt", "links.choose_row", "links.save_row",
        "counter_payment.follow", "counter_payment.state", "counter_payment.receipt", "counter_payment.download",
        "counter_links.choose_row", "counter_links.save_row",
        "agent_attachments.attachment", "agent_attachments.file", "agent_attachments.page_picture", "agent_attachments.document", "messages.staff_document",
    }
]  # fmt: skip


def test_every_part_of_a_dossier_is_asked_under_another() -> None:
    app = Flask("guichet", static_folder=None)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    of_parts = {rule.endpoint for rule, _ in rules(app) if rule.arguments & PARTS and "number" in rule.arguments}
    assert of_parts == {row.endpoint for row in OF_A_DOSSIER}


@slow
@each(OF_A_DOSSIER)
def test_a_part_of_one_dossier_is_not_found_under_another(site: AccessWorld, row: Row) -> None:
    """Neither the owner's under the neighbour's own dossier, nor under another of the same person, nor at a desk."""
    theirs = values_of(site, row, site.owner)
    desk = row.endpoint.startswith(("agent", "messages.staff"))
    helper = "coll" if row.endpoint.startswith("counter") else ""
    others = [
        (helper or ("offi" if desk else "citi"), site.neighbour, row.on),
        (helper or ("offi" if desk else "ownr"), site.owner, "correcting"),
    ]
    if row.on == "renewal":  # one's own earlier dossier may be named on any draft
        others.pop()
    for persona, holder, stage in others:
        number = holder.dossiers[stage]["number"]
        for answer in ask(site, persona, row, {**theirs, "number": number}):
            assert answer.status_code == 404, (persona, answer.request.path)
            assert marks_in(said(answer)) <= ({"account"} if helper else set()), persona
            assert not site.changed, persona


# -- what no table shows -----------------------------------------------------------------------------------------------


def row_of(endpoint: str, method: str = "GET") -> Row:
    return next(one for one in table() if (one.endpoint, one.method) == (endpoint, method))


@slow
def test_a_link_taken_back_opens_nothing(site: AccessWorld) -> None:
    ended = site.owner.dossiers["granted"]["ended_token"]
    for path in (f"/p/{ended}", f"/p/{ended}.pdf"):
        answer = site.ask("none", "GET", path)
        never = site.ask("none", "GET", path.replace(ended, "absent"))
        assert bare(answer, {}) == bare(never, {})
        assert answer.status_code == 404


@slow
def test_the_mandate_of_somebody_else_is_worth_nothing(site: AccessWorld) -> None:
    """Even in a cookie that our key signed."""
    site.acting["citi"] = site.acting["repr"]
    try:
        row = row_of("tracking.follow")
        (answer,) = ask(site, "citi", row, values_of(site, row, site.owner))
    finally:
        del site.acting["citi"]
    assert answer.status_code == 404
    assert not marks_in(said(answer))


@slow
def test_a_motive_given_for_one_dossier_opens_no_other(site: AccessWorld) -> None:
    reading, other = site.things["reading"], site.neighbour.dossiers["sent"]["number"]
    query = {"lecture": reading}
    assert site.ask("audi", "GET", f"/audit/dossiers/{other}/journal.json", query_string=query).status_code == 404
    asked, plain = (site.ask("audi", "GET", f"/audit/dossiers/{other}", query_string=one) for one in (query, {}))
    assert bare(asked, {}).replace(f"lecture={reading}&amp;", "") == bare(plain, {}), "the motive is asked first"


@slow
@pytest.mark.parametrize("endpoint", ["jobs.one", "jobs.report", "exports.take", "exports.take_workbook"])
def test_an_agent_whose_role_ended_reads_no_names_in_what_they_ordered(site: AccessWorld, endpoint: str) -> None:
    row = row_of(endpoint)
    name = "file" if endpoint.startswith("exports.") else "n"
    (before,), (after,) = (
        ask(site, persona, row, {**values_of(site, row, site.owner), "n": site.things[which]})
        for persona, which in (("offi", name), ("ende", f"{name}_ended"))
    )
    assert "answer" in marks_in(said(before))
    assert after.status_code == 200
    assert not marks_in(said(after))
