"""Rows of the store changed, cut or made unreadable, and every page of agents and auditors read afterwards.

No page crashes, and each names what it cannot show or what does not match. Then the mutant.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from engine.services.core.checkpoints import _grow
from renderers.web.platform import errors as refusals
from tests.web.access import ask, table, values_of
from tests.web.access_world import AccessWorld, an_access_world

pytestmark = [pytest.mark.slow, pytest.mark.faults]
WHO: Final = ("offi", "admi", "audi")
_FREE: Final = (
    "DROP TRIGGER IF EXISTS entry_stays; DROP TRIGGER IF EXISTS entry_kept; DROP TRIGGER IF EXISTS document_stays;"
)
_BODY: Final = "UPDATE dossier_body SET body = json_set(body, '$.{}', json('{}')) WHERE dossier IN ({{ids}})"
# What the pages of the desks may then answer, besides what they answered before.
UNREADABLE: Final = {
    "a dossier without its fields": "UPDATE dossier_body SET body = '{}' WHERE dossier IN ({ids})",
    "a dossier that is a list": "UPDATE dossier_body SET body = '[1]' WHERE dossier IN ({ids})",
    "answers that are a text": _BODY.format("answers", '"x"'),
    "an edition that is gone": _BODY.format("fingerprint", f'"{"0" * 64}"'),
    "a state that its edition has not": _BODY.format("state", '"nulle_part"'),
    "moments of lists": "UPDATE dossier SET submitted_at = 'hier', due_at = 'demain' WHERE id IN ({ids})",
    "an entry that is no JSON": "UPDATE entry SET body = '[[' WHERE dossier IN ({ids})",
    "an entry of no moment": "UPDATE entry SET at = 'x' WHERE dossier IN ({ids})",
    "a payment of no fees": "UPDATE payment SET fees = '[1]' WHERE dossier IN ({ids})",
    "a refund of no moment": "UPDATE refund SET owed_at = 'x' WHERE dossier IN ({ids})",
    "a message of no moment": "UPDATE message SET at = 'x' WHERE dossier IN ({ids})",
    "a note of no moment": "UPDATE note SET at = 'x' WHERE dossier IN ({ids})",
    "a letter of no moment": "UPDATE letter SET created_at = 'x'",
    "rights that are a mapping": "UPDATE account SET roles = '{}' WHERE kind = 'agent' AND login <> 'offi'",
    "an order that is no JSON": "UPDATE work_order SET asked = '[['",
    "a sentence of no moment": "UPDATE snippet SET at = 'x'",
}
READABLE: Final = {
    "a form that is a text": _BODY.format("answers.vous", '"x"'),
    "answers of another kind": _BODY.format("answers.vous", '{"nom": {"a": [1]}, "sante": [[]], "aides": "x"}'),
    "a huge answer": "UPDATE dossier_body SET body = json_set(body, '$.answers.vous.nom', hex(zeroblob(500000)))",
    "an entry of other kinds": """UPDATE entry SET body = '{"transition":[],"commits":3,"amount":"x","payment":{},"state":[]}'
        WHERE dossier IN ({ids})""",
    "an entry of no known kind": "UPDATE entry SET kind = 'pirate', actor_kind = 'x' WHERE dossier IN ({ids})",
    "salts": "UPDATE salt SET salt = 'x' WHERE dossier IN ({ids})",
    "a payment of unknown fees": "UPDATE payment SET fees = '[\"x\"]', amount = 9223372036854775807, provider = 'x'",
    "an owner, an office, a holder": _BODY.format("assigned", '"x"'),
    "a tree of the journal": "UPDATE tree SET size = 99999",
    "no owner": "DELETE FROM account WHERE kind = 'applicant'",
    "no body": "DELETE FROM dossier_body WHERE dossier IN ({ids})",
}
DEPARTING: Final = {
    "state": (_BODY.format("state", '"accorde"'), "étape"),
    "revision": (_BODY.format("revision", "1"), "version"),
    "a due date": (_BODY.format("due_at", '"2030-01-01T00:00:00.000000Z"'), "échéance"),
    "cut": ("DELETE FROM entry WHERE n > 2 AND dossier IN ({ids})", "fin du journal supprimée"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AccessWorld, sqlite3.Connection]]:
    site = an_access_world(tmp_path_factory.mktemp("tampered"))
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as kept:
        while _grow(site.world.office) is None:
            pass
        site._connection().backup(kept)
        yield site, kept


@pytest.fixture
def site(whole: tuple[AccessWorld, sqlite3.Connection]) -> Iterator[AccessWorld]:
    made, kept = whole
    yield made
    kept.backup(made._connection())
    made.remember()


def tamper(site: AccessWorld, statement: str) -> None:
    ids = ", ".join(f"'{one['id']}'" for name, one in site.owner.dossiers.items() if name != "draft")
    connection = site._connection()
    connection.executescript(f"PRAGMA foreign_keys = OFF; {_FREE}")
    assert connection.execute(statement.replace("{ids}", ids)).rowcount > 0, statement
    connection.commit()
    site.remember()


# by route, object and persona: the words of all that was asked of the store
Pages = dict[tuple[str, str, str], frozenset[str]]


@pytest.fixture(scope="module")
def pages(whole: tuple[AccessWorld, sqlite3.Connection]) -> Pages:
    """What each page of the desks asks of an unchanged store. Until it reads a changed row it asks the same."""
    site, kept = whole
    found: Pages = {}
    for row in (one for one in table() if one.method == "GET"):
        values = values_of(site, row, site.owner)
        for persona in (one for one in WHO if row.cells[one] in ("open", "own")):
            asked = list[str]()
            site._connection().set_trace_callback(asked.append)
            answers = ask(site, persona, row, values)
            site._connection().set_trace_callback(None)
            if any(one.request.path.startswith(("/agent", "/audit")) for one in answers):
                found[row.endpoint, row.on, persona] = frozenset(re.findall(r"\w+", " ".join(asked)))
    kept.backup(site._connection())
    site.remember()
    assert len(found) > 80
    return found


def read_staff_pages(site: AccessWorld, pages: Pages, changed: str) -> Iterator[tuple[str, TestResponse]]:
    """Every page of the desks that reads the table of a change, as each of `WHO` reads it; all pages when none does."""
    name = re.findall(r"(?:UPDATE|FROM) (\w+)", changed)[0]
    reading = [one for one, words in pages.items() if name in words] or [*pages]
    for row in (one for one in table() if one.method == "GET"):
        values = values_of(site, row, site.owner)
        for persona in (one for one in WHO if (row.endpoint, row.on, one) in reading):
            for answer in ask(site, persona, row, values):
                if answer.request.path.startswith(("/agent", "/audit")):
                    yield f"{persona} {answer.request.path}", answer


def faults_of(site: AccessWorld, pages: Pages, changed: str, may_be_damaged: bool) -> list[str]:
    found, statuses = [], Counter[int]()
    for asked, answer in read_staff_pages(site, pages, changed):
        statuses[answer.status_code] += 1
        text = answer.get_data().decode("utf-8", "replace")
        if answer.status_code == 503:
            if "guichet fsck" not in text or not answer.headers.get("Retry-After"):
                found.append(f"{asked}: a page that does not say it")
        elif answer.status_code >= 500 or "Traceback" in text:
            found.append(f"{asked}: {answer.status_code}")
    if bool(statuses[503]) is not may_be_damaged:
        found.append(f"{statuses[503]} pages say that a record is damaged")
    return found


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_page_that_cannot_be_shown_says_so(site: AccessWorld, pages: Pages, what: str) -> None:
    tamper(site, UNREADABLE[what])
    assert faults_of(site, pages, UNREADABLE[what], may_be_damaged=True) == []


@pytest.mark.parametrize("what", READABLE)
def test_what_can_still_be_read_is_read(site: AccessWorld, pages: Pages, what: str) -> None:
    tamper(site, READABLE[what])
    assert faults_of(site, pages, READABLE[what], may_be_damaged=False) == []


def said(site: AccessWorld, persona: str, endpoint: str) -> str:
    row = next(one for one in table() if (one.endpoint, one.method) == (endpoint, "GET"))
    return "".join(one.get_data(as_text=True) for one in ask(site, persona, row, values_of(site, row, site.owner)))


@pytest.mark.parametrize("what", DEPARTING)
def test_a_dossier_that_its_journal_does_not_bear_out_is_told(site: AccessWorld, what: str) -> None:
    pages = (("audi", "auditor.dossier"), ("offi", "agent_dossier.show"))
    assert not [one for one in pages if "ne correspond pas à son journal" in said(site, *one)]
    statement, part = DEPARTING[what]
    tamper(site, statement)
    for page in pages:
        text = said(site, *page)
        assert "ne correspond pas à son journal" in text, page
        assert part in text, page
        assert "Chaîne vérifiée" not in text


def test_the_row_is_named_to_who_can_have_it_repaired(site: AccessWorld) -> None:
    tamper(site, UNREADABLE["an entry that is no JSON"])
    assert ": entry " in said(site, "offi", "agent_dossier.show")
    mine = said(site, "ownr", "documents.summary")
    assert "Ce n’est pas votre faute" in mine
    assert "entry " not in mine


@pytest.mark.nightly("mutant")
def test_a_page_that_breaks_down_is_seen(site: AccessWorld, pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: dict[Any, Any] = site.app.error_handler_spec[None][None]
    for damage in (refusals.Unreadable, refusals.EditionMissing):
        monkeypatch.delitem(handlers, damage)
    tamper(site, UNREADABLE["a payment of no fees"])
    assert [one for one in faults_of(site, pages, UNREADABLE["a payment of no fees"], True) if one.endswith(": 500")]
