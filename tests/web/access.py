"""The table of accesses, and how one request of it is made: `access_matrix.txt` says who reaches what, this how it is asked.

`python -m tests.web.access ENDPOINT [STAGE]` prints the lines of a route as the site answers today. They are to be judged,
cell by cell, before they are put in the table.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.web.access_world import OWNER_PHONE, AccessWorld, Holder, an_access_world, marks_in, said

TABLE: Final = Path(__file__).with_name("access_matrix.txt")
PERSONAS: Final = (
    "none", "citi", "ownr", "repr", "read", "shar", "revk", "comp", "offi", "kara", "coll", "role", "agcy", "ende", "admi", "xadm",
    "audi", "over", "else",
)  # fmt: skip
CELLS: Final = frozenset({"open", "own", "deny", "auth", "shut", "hide"})
NOTHING: Final = "-"  # a route that is about no dossier

# What the `<…>` of an address stand for when they are of no dossier, and where one endpoint means another thing by it.
WORDS: Final[Mapping[str, str]] = {
    "slug": "etal", "pair": "1...1", "form_id": "plan", "part": "0", "transition": "corriger", "appointment": "remise",
    "when": "2026-11-24", "page_id": "vous", "row": "aides.0", "link_id": "ancien", "act_id": "retirer", "act": "fermer",
    "provider": "sandbox", "kind": "csv", "account_id": "officer", "mandate_id": "asked", "office_id": "dgdn_lome", "key": "0123456789abcdef" * 2,
}  # fmt: skip
MEANT: Final[Mapping[str, Mapping[str, str]]] = {
    "agent_later_forms.show": {"form_id": "constat"},
    "agent_later_forms.post": {"form_id": "constat"},
    "agent_later_forms.show_part": {"form_id": "services", "part": "avis_guichet"},
    "agent_later_forms.post_part": {"form_id": "services", "part": "avis_guichet"},
    "later_forms.show_part": {"form_id": "tenue"},
    "later_forms.fill_part": {"form_id": "tenue"},
    "counter_later_forms.show_part": {"form_id": "tenue"},
    "counter_later_forms.fill_part": {"form_id": "tenue"},
    "agent_appointments.show": {"appointment": "visite"},
    "agent_appointments.book": {"appointment": "visite"},
    "agent_appointments.ask_to_cancel": {"appointment": "remise"},
    "agent_appointments.cancel": {"appointment": "remise"},
    "walk_ins.show": {"appointment": "visite"},
    "walk_ins.note": {"appointment": "visite"},
    "counter_rows.show": {"page_id": "aides"},
    "counter_rows.save": {"page_id": "aides"},
    "counter_rows.remove": {"page_id": "aides"},
    "rows.show": {"page_id": "aides"},
    "rows.save": {"page_id": "aides"},
    "rows.remove": {"page_id": "aides"},
    "messages.attachment": {"attachment_id": "{message_file}"},
    "counter_messages.attachment": {"attachment_id": "{message_file}"},
    "messages.staff_document": {"attachment_id": "{message_file}"},
    "auditor_events.manifest": {"n": "{events}"},
    "auditor_events.take": {"n": "{events}"},
    "exports.take": {"n": "{file}"},
    "exports.take_workbook": {"n": "{file}"},
    "jobs.auditor_one": {"n": "{events}"},
    "mail_signin.follow": {"token": "{mail_token}"},
    "documents.verify": {"token": "{document_id}"},
    "agent_act.ask": {"transition": "refuser"},
    "agent_attachments.page_picture": {"page": "1"},
    "agent_act.post": {"transition": "refuser"},
}
ASKED: Final[Mapping[str, Mapping[str, str]]] = {
    "auditor.dossier": {"lecture": "{reading}"},
    "auditor.evidence": {"lecture": "{reading}"},
    "payments.returned": {"paiement": "{reference}"},
    "appointment_links.confirm_by_link": {"bureau": "dgdn_lome", "start": "{slot}"},
    "appointments.confirm": {"bureau": "dgdn_lome", "start": "{slot}"},
    "counter_appointments.confirm": {"bureau": "dgdn_lome", "start": "{slot}"},
    "resumable_uploads.receive": {"at": "0"},
    "counter_uploads.receive": {"at": "0"},
    "agent.inbox": {"q": "{number}"},
    "walk_ins.search": {"q": "{number}"},
    "exports.choose": {"demarche": "etal"},
    "agent_attachments.page_picture": {"w": "900", "tour": "0"},
    "auditor.home": {"numero": "{number}"},
}
CONFIRM: Final = {"go": "confirm"}
VISIT: Final = {"quoi": "remise", "bureau": "dgdn_lome", "start": "{slot}"}

# What is posted, so that whoever may do it does it: nothing asked with it may then come to anything for the others.
POSTED: Final[Mapping[str, Mapping[str, str]]] = {
    "agent.take": {"number": "{number}"},
    "agent.keep_view": {"file": "tous", "nom": "Vue"},
    "agent_act.post": {"act-reason": "Incomplet", **CONFIRM},
    "office_day.note": {"mark": "{number}/remise/attended", **CONFIRM},
    "agent_attachments.originals": {"original-carte": "seen"},
    "agent_later_forms.post": {"vu": "true", **CONFIRM},
    "agent_later_forms.post_part": {"opinion": "favourable", "note": "Rien", **CONFIRM},
    "agent_appointments.book": {"bureau": "dgdn_lome", "start": "{slot}"},
    "agent_appointments.cancel": {"reason": "Panne"},
    "agent_bulk.bulk": {"acte": "etal:consulter", "dossier": "{number}:{revision}", **CONFIRM},
    "agent_bulk.put_labels": {"poser": "etiquettes.urgent", "dossier": "{number}"},
    "walk_ins.note": {"bureau": "dgdn_lome"},
    "delegation.act": {"mandate": "m-repr"},
    "delegation.answer": {"do": "end"},
    "delegation.check": {"do": "accept", "name": "SOCIETE"},
    "delegation.people": {"phone": "90000099", "role": "reader"},
    "acts.take": {"reason": "Erreur"},
    "appointments.book": VISIT,
    "appointments.confirm": VISIT,
    "appointments.wait": VISIT,
    "auditor.read": {"motive": "Contrôle"},
    "counter.begin": {"how": "paper", "family_name": "LEE", "given_names": "Ama", "signed": "1"},
    "counter.read_aloud": {"code": "000000"},
    "counter.resume": {"number": "{number}"},
    "counter.follow": {"number": "{number}", "code": "00000000"},
    "counter_form.save": {"nom": "KOFFI", "sante": "Bonne", "go": "next"},
    "counter_paper_form.save": {"nom": "KOFFI", "sante": "Bonne"},
    "counter_rows.save": {"aides.0.prenom": "KOFFI", "go": "next"},
    "counter_submission.send": {"declared": "1", "confirmed": "paper"},
    "corrections.save": {"nom": "KOFFI", "go": "send"},
    "counter_corrections.save": {"nom": "KOFFI", "go": "send"},
    "counter_acts.take": {"reason": "Erreur", "act-agreed": "paper"},
    "counter_messages.write": {"body": "Bonjour"},
    "counter_later_forms.fill": {"lumiere": "true", "go": "next"},
    "counter_later_forms.fill_part": {"taille": "3", "go": "next"},
    "counter_appointments.book": VISIT,
    "counter_appointments.confirm": VISIT,
    "counter_appointments.wait": VISIT,
    "later_forms.fill": {"lumiere": "true", "go": "next"},
    "later_forms.fill_part": {"taille": "3", "go": "next"},
    "form.save": {"nom": "KOFFI", "sante": "Bonne", "go": "next"},
    "opening_forms.ask": {"du": "2026-12-01", "raison": "Grève", **CONFIRM},
    "opening_forms.holidays": {"du": "2026-12-01", "raison": "Deuil", **CONFIRM},
    "lost_phones.whose": {"number": "{number}", "former": OWNER_PHONE},
    "account.devices": {"session": "{owner_session}"},
    "account.remove_email": {"email": "marque.courriel@example.com"},
    "payments.callback": {"reference": "{reference}", "status": "paid"},
    "signin.follow": {"number": "{number}", "phone": "90000099"},
    "signin.send": {"phone": "90775533"},
    "supervision.supervision": {"vers": "file", "dossier": "{number}:{revision}", **CONFIRM},
    "links.save_row": {"row": "0"},
    "links.name": {"earlier": "{earlier}"},
    "messages.staff_write": {"body": "Bonjour"},
    "messages.write": {"body": "Bonjour"},
    "notes.add": {"body": "Bonjour"},
    "notes.follow_it": {"suivre": "1"},
    "notes.write_values": {"annotation-etiquettes": "urgent", "noted-mark": "4f53cda18c2baa0c"},
    "payments.begin": {"provider": "sandbox", "payer": "90000001"},
    "refunds.post": {"reference": "OM-2026-4471", **CONFIRM},
    "rows.save": {"aides.0.prenom": "KOFFI", "go": "next"},
    "submit.send": {"declared": "1"},
    "snippets.add": {"agence": "dgdn", "title": "Merci", "body": "Merci."},
    "snippets.one": {"title": "Merci", "body": "Merci encore.", "revision": "1"},
    "team.one": {"name": "Agent un", "role": "dgdn/guichet"},
    "appointment_links.book_by_link": VISIT,
    "appointment_links.confirm_by_link": VISIT,
    "appointment_links.wait_by_link": VISIT,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the table: an address, how it is asked, of which of the owner's dossiers, and what everybody gets."""

    endpoint: str
    method: str
    on: str
    cells: Mapping[str, str]

    def __str__(self) -> str:
        cells = " ".join(f"{self.cells[one]:4}" for one in PERSONAS)
        return f"{self.endpoint:42} {self.method:4} {self.on:10} {cells}".rstrip()


@cache
def table() -> tuple[Row, ...]:
    rows = []
    for line in TABLE.read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        endpoint, method, on, *cells = line.split()
        assert len(cells) == len(PERSONAS), line
        assert set(cells) <= CELLS, line
        rows.append(Row(endpoint, method, on, dict(zip(PERSONAS, cells, strict=True))))
    return tuple(rows)


# -- asking ------------------------------------------------------------------------------------------------------------


def rules(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every address of a site and how it is asked."""
    for rule in app.url_map.iter_rules():
        yield from ((rule, method) for method in sorted((rule.methods or set()) & {"GET", "POST"}))


def values_of(site: AccessWorld, row: Row, holder: Holder) -> dict[str, Any]:
    """What the `<…>` of an address stand for, and what is posted, when it is about the dossiers of `holder`."""
    there = {**site.things, **holder.dossiers.get(row.on, {})}
    meant = {name: one.format(**there) for name, one in MEANT.get(row.endpoint, {}).items()}
    return {**WORDS, **there, **meant}


def addresses(site: AccessWorld, row: Row, values: Mapping[str, Any]) -> list[str]:
    """Where a row is asked: an endpoint may have two addresses."""
    found = []
    for rule in site.app.url_map.iter_rules(row.endpoint):
        if row.method in (rule.methods or ()):
            fixed = rule.defaults or {}
            built = rule.build(
                {name: fixed.get(name, values.get(name)) for name in rule.arguments}, append_unknown=False
            )
            assert built is not None, rule
            found.append(built[1])
    return found


def filled(form: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    return {name: one.format(**values) for name, one in form.items()}


def ask(
    site: AccessWorld, persona: str, row: Row, values: Mapping[str, Any], method: str = "", **more: Any
) -> list[TestResponse]:  # fmt: skip
    """A row asked by somebody, at each of its addresses."""
    more["query_string"] = filled(ASKED.get(row.endpoint, {}), values)
    if row.method == "POST":
        more["data"] = filled(POSTED.get(row.endpoint, {}), values) or b"x"
    return [site.ask(persona, method or row.method, path, **more) for path in addresses(site, row, values)]


def outcome(site: AccessWorld, row: Row, answer: TestResponse) -> str:
    """What a person got, as the table says it (`own` is told from `open` by who reads the table)."""
    sent_to = re.match(r"((?:/agent|/audit)?)/connexion\?suite=", answer.headers.get("Location", ""))
    here = re.match(r"/agent\b|/audit\b|", answer.request.path)
    if answer.status_code == 401 or (sent_to and here and sent_to[1] == here[0]):
        return "auth"
    if sent_to:
        return "fails (the sign-in of another area)"
    if answer.status_code >= 500:
        return f"fails ({answer.status_code})"
    if answer.status_code in (403, 404):
        return {403: "shut", 404: "hide"}[answer.status_code]
    done = bool(site.changed) if row.method == "POST" else answer.status_code == 200
    return "open" if done else "deny"


# -- observing ---------------------------------------------------------------------------------------------------------


def observed(site: AccessWorld, endpoint: str, method: str, on: str) -> Row:
    """A line as the site answers today; to be judged."""
    row, cells = Row(endpoint, method, on, {}), {}
    rule = next(one for one, how in rules(site.app) if (one.endpoint, how) == (endpoint, method))
    values = values_of(site, row, site.owner)
    for persona in PERSONAS:
        answer = ask(site, persona, row, values)[0]
        got, told = outcome(site, row, answer), marks_in(said(answer)) - {"account"}
        about = (
            site.touched
            or told
            or rule.arguments
            & {"number", "token", "account_id", "mandate_id", "snippet_id", "office_id", "change_id", "n"}
        )
        cells[persona] = got if got not in ("open", "deny") or about else "own"
    return Row(endpoint, method, on, cells)


def stage_of(rule: Rule) -> str:
    return "sent" if "number" in rule.arguments else NOTHING


def main(wanted: Iterable[str]) -> None:
    endpoint, *stage = wanted
    with tempfile.TemporaryDirectory() as folder:
        site = an_access_world(Path(folder))
        for rule, method in rules(site.app):
            if rule.endpoint == endpoint:
                print(observed(site, endpoint, method, stage[0] if stage else stage_of(rule)))


if __name__ == "__main__":
    main(sys.argv[1:])
