"""The page that holds us against OWASP ASVS is whole and true to what is there; the rules it leans on say what the code does."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from engine.domain.reporting.figures import FEW
from engine.publication import git as followed
from engine.services.accounts import assistance, invitations
from engine.services.applications import document_links as sharing
from engine.services.applications import draft_answers as answering
from engine.services.applications import notes
from engine.services.applications import unverified_files as unproven_files
from engine.services.appointments import bookings
from engine.services.audit import exports
from engine.services.context.app_context import AppSettings
from engine.services.core import jobs as orders
from engine.services.core import outbound_messages
from engine.services.keys import secrets
from engine.services.limits import code_limits, file_counts, guesses
from engine.services.payments import payments as cashier
from engine.services.sign_in import agent_sign_in as staff
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import mail_links, second_factor
from engine.services.sign_in import passwords as chosen
from engine.services.worker import job_runner as carried
from engine.storage import gate
from engine.storage.files import attachments, page_child, page_pictures, reserve
from engine.storage.files import images as picture_content
from engine.storage.files import pdfs as pdf_content
from engine.storage.files import resumable_uploads as arrivals
from engine.storage.results import GLANCE
from renderers.cli.admin import bodies as console_bodies
from renderers.cli.admin.bodies import LONGEST_LINE
from renderers.cli.admin.http_server import _AHEAD, _AT_ONCE, _GRACE, _IDLE, _LEAST, _READY
from renderers.web.platform import access
from renderers.web.platform import security as hardening
from server import MOST_BYTES

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
PAGE: Final = DOCS / "security" / "asvs.md"
RULES: Final = DOCS / "security" / "rules.md"
STATES: Final = ("met", "does not apply", "installation", "not yet")


@dataclass(frozen=True, slots=True)
class Line:
    """One requirement as the page has it."""

    id: str
    level: str
    asks: str
    state: str
    held: str


def lines() -> list[Line]:
    rows = re.findall(r"^\| (V\d.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [Line(*(cell.strip() for cell in row.split(" | "))) for row in rows]


def standard() -> list[tuple[str, str]]:
    """Each requirement of levels 1 and 2 with its level."""
    read = (ROOT / "tests" / "asvs_5_0.txt").read_text("utf-8").splitlines()
    return [(name, level) for name, _, level in (line.partition(" ") for line in read)]


@cache
def names_in(path: str) -> frozenset[str]:
    """The functions, classes and constants of a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = [
        one.name for one in ast.walk(tree) if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    ]
    found += [
        one.target.id for one in ast.walk(tree) if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    return frozenset(found)


def held_by(line: Line) -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line.held)


# -- the page is whole -------------------------------------------------------------------------------------------------


def test_each_requirement_stands_once_with_its_level() -> None:
    known = standard()
    assert Counter(level for _, level in known) == {"1": 70, "2": 183}
    assert [(one.id, one.level) for one in lines()] == known


def test_every_test_and_every_name_exists() -> None:
    for line in lines():
        named = re.findall(r"`((?:tests|engine|renderers)/[\w/]+\.py)(?:::(\w+))?`", line.held)
        assert line.held.count(".py") == len(named), line
        for path, name in named:
            assert (ROOT / path).exists(), f"{line.id}: {path}"
            assert not name or name in names_in(path), f"{line.id}: {path}::{name}"


def test_each_state_says_what_it_must() -> None:
    for line in lines():
        words = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)|\W", "", line.held)
        assert line.state in STATES, line
        assert line.asks, line
        assert not line.asks.lower().startswith("verify"), f"{line.id}: in our own words"
        if line.state == "met":
            assert held_by(line) or "no test: " in line.held, line
        elif line.state == "installation":
            assert "../operation.md#" in line.held, f"{line.id}: said where?"
        else:
            assert len(words) >= (6 if line.state == "does not apply" else 40), f"{line.id}: why?"


def test_what_is_left_to_the_installation_is_said_there() -> None:
    text = (DOCS / "operation.md").read_text("utf-8")
    headings = {
        re.sub(r"[^a-z ]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^## (.*)$", text, re.MULTILINE)
    }
    for line in lines():
        for anchor in re.findall(r"\.\./operation\.md#([\w-]+)", line.held):
            assert anchor in headings, line.id


def test_the_short_page_counts_the_same() -> None:
    short = (DOCS / "security.md").read_text("utf-8")
    counted = {state: Counter(one.level for one in lines() if one.state == state) for state in STATES}
    for state in STATES:
        one, two = counted[state]["1"], counted[state]["2"]
        assert f"| {state} | {one} | {two} | {one + two} |" in short, f"| {state} | {one} | {two} | {one + two} |"
    told = re.search(r"^Not yet: (.*?)\n\n", short, re.MULTILINE | re.DOTALL)
    assert told
    assert re.findall(r"V\d+\.\d+\.\d+", told[1]) == [one.id for one in lines() if one.state == "not yet"]


# -- the rules say what the code does ----------------------------------------------------------------------------------

SETTINGS: Final = AppSettings()


def minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


def guessing() -> Iterator[str]:
    (few, minute), (more, hour), (most, _) = guesses.GROWING
    yield f"{few} wrong ones in {minutes(minute)} minutes, {more} in an hour, {most} in a day"
    assert hour == timedelta(hours=1)
    yield f"neither use up its {SETTINGS.code_tries} tries"
    yield f"for each account, {guesses.MOST_TAGS} at most"
    yield f"{staff.POSTS_PER_CLIENT} passwords in a quarter of an hour"
    yield f"judges {secrets.AT_ONCE} at once, {secrets.WAITING} more wait {gate.WAIT_LIMIT:.0f} s at most; beyond"
    yield f"tried {assistance.NUMBERS_TRIED} times in a quarter of an hour by one agent"
    yield f"{SETTINGS.code_tries} a code; after {accounts.GUESSES_A_DAY} of a number, 1 a code"
    codes = code_limits.FIRST_PER_ADDRESS[1][0] + code_limits.AGAIN_PER_ADDRESS[0]
    yield f"{accounts.GUESSES_OF_NETWORK[0]} an hour; then 1 a code, and {codes:,} codes an hour | {codes // 100} in 10,000 an hour"
    yield f"| {staff.PASSWORDS_A_DAY} of a login | the four million most common are refused; as many guesses take {4_000_000 // staff.PASSWORDS_A_DAY // 365} years"
    at_once = 2 * second_factor.DRIFT + 1
    yield f"{staff.CODES_A_DAY} of an account; {at_once} of a million are right at once | {staff.CODES_A_DAY * at_once // 100} in 10,000"
    yield f"{assistance.RECEIPT_CODES_A_DAY:,} of a receipt | 1 in {10**assistance.CODE_DIGITS // assistance.RECEIPT_CODES_A_DAY:,}"
    yield f"from {-(-staff.PASSWORDS_A_DAY // most)} addresses or more where agents have one factor, or from {-(-assistance.RECEIPT_CODES_A_DAY // most)} for a receipt"


def asking() -> Iterator[str]:
    (soon, ten), (most, hour) = code_limits.FIRST_PER_ADDRESS
    again, same = code_limits.AGAIN_PER_ADDRESS
    assert (minutes(ten), hour, same) == (10, timedelta(hours=1), hour)
    yield f"{SETTINGS.code_tries} a code; [sent](#sending-codes) {code_limits.CODES_PER_NUMBER} times a number"
    yield f"[sent](#sending-codes) {code_limits.LINKS_PER_EMAIL} times an address"
    yield f"{code_limits.PER_BROWSER} in a quarter of an hour; an agent at a counter {code_limits.PER_AGENT}"
    yield f"{code_limits.PER_BROWSER} in a quarter of an hour; all of both of an address together {again:,} an hour"
    yield f"all of an address together: {soon} in ten minutes, {most:,} an hour"
    yield f"{code_limits.CODES_PER_NUMBER} codes, {code_limits.LINKS_PER_EMAIL} links in a quarter of an hour, half of them"
    yield f"{code_limits.A_DAY} a day, {code_limits.A_DAY // 4} of them from one address |"
    yield f"to verify papers | {code_limits.CHECKS_PER_BROWSER} in a quarter of an hour, an agent too"
    assert code_limits.CODES_PER_NUMBER == 2 * (code_limits.CODES_PER_NUMBER // 2)
    assert code_limits.A_DAY == 4 * (code_limits.A_DAY // 4)
    yield (
        f"Two addresses use up the {code_limits.CODES_PER_NUMBER} codes (or {code_limits.LINKS_PER_EMAIL} links) of a number"
        f" in a quarter of an hour, four its {code_limits.A_DAY} of a day"
    )
    (new, _), (day, _) = SETTINGS.sms.bounds()
    yield f"{new:,} codes an hour and {day:,} a day together, a country abroad a tenth of it"
    assert SETTINGS.sms.most("BJ") == new // 10


def said() -> Iterator[str]:
    """Sentences of the page with the figures of the code in them."""
    yield f"6 digits, {minutes(SETTINGS.code_lasts)} minutes, once"
    yield from asking()
    yield f"256 bits, {minutes(mail_links.LASTS)} minutes, once"
    yield f"{assistance.CODE_DIGITS} digits | {assistance.RECEIPT_CODES_A_DAY:,} a receipt and day, {assistance.CODES_TRIED_BY_CLIENT} a client"
    yield f"{staff.PASSWORDS_A_DAY} a login and day, at each step"
    yield from guessing()
    yield f"{chosen.SHORTEST_PASSWORD} signs or more"
    yield f"than {chosen.FEWEST_SIGNS} different signs"
    yield f"fewer than {chosen.FEWEST_OWN} signs once"
    yield ", ".join(f"`{word}`" for word in chosen.SERVICE_WORDS)
    yield f"idle session ends after {minutes(SETTINGS.idle)} minutes, any after {minutes(SETTINGS.session_lasts) // 60} hours"
    yield f"an applicant's lasts {SETTINGS.kept_lasts.days} days"
    yield f"{hardening.LARGEST_BODY:,} bytes, {hardening.MOST_FIELDS} fields of {hardening.LARGEST_FIELD // 1024} KiB, {hardening.LARGEST_FORM:,} bytes of fields together, {hardening.LARGEST_HEAD:,} bytes before the content of each part; a line of chunks {LONGEST_LINE:,} bytes; {MOST_BYTES >> 20} MiB"
    yield f"whole within {_GRACE:.0f} s and 1 s for each {_LEAST} bytes, {_AHEAD:.0f} s ahead at most"
    yield f"{_AT_ONCE}, {_IDLE} s without a word"
    yield f"{_READY >> 20} MiB lie ready on the disk, no thread waits for who takes it; who takes nothing for {_IDLE} s"
    yield f"{answering.SAVED} a person in a quarter of an hour, {answering.SAVED_A_DAY:,} a day; what changes nothing"
    yield f"{arrivals.LARGEST:,} bytes; {arrivals.AT_ONCE} on their way a dossier; pieces of {arrivals.LARGEST_PIECE:,} bytes"
    yield f"{picture_content.MOST_PIXELS:,} pixels; saved anew, {picture_content.LONGEST_SIDE:,} a side"
    yield f"may have {picture_content.MOST_PHOTO_PIXELS:,}: telephones"
    yield f"{picture_content.MOST_SCANS} scans"
    yield f"more than {picture_content.MOST_NOTES} EXIF parts is refused; of EXIF data above {picture_content.LONGEST_NOTES:,} bytes"
    yield f"{attachments.AT_ONCE} at once; {attachments.WAITING} more wait, {gate.WAIT_LIMIT:.0f} s at most"
    yield f"The others wait {gate.UNKNOWN_WAIT_LIMIT:.0f} s at most"
    yield f"a refusal counts as {gate.REFUSED} s, half is forgotten in {gate.HALF:.0f} s"
    yield f"After {gate.GRANTED} processor seconds"
    yield f"{file_counts.SECONDS} an account in a quarter of an hour; without a proven telephone {file_counts.SECONDS_UNPROVEN}, and {file_counts.SECONDS_UNPROVEN} a browser, {file_counts.SECONDS_PER_ADDRESS} an address"
    yield f"no more of a picture than {picture_content.MOST_PIXELS_OF_A_BYTE} for each of its bytes"
    yield f"{pdf_content.MOST_READS:,} reads of what lies outside streams, {pdf_content.MOST_DIGITS:,} bytes of hexadecimal"
    yield f"{pdf_content.MOST_PAGES} pages, {pdf_content.MOST_OBJECTS:,} objects, {pdf_content.MOST_DECODED:,} bytes unfolded"
    yield f"each filter of each stream counted, {pdf_content.MOST_FOLDED:,} of them objects folded"
    yield f"{unproven_files.PER_DRAFT:,} bytes a draft, {unproven_files.PER_ADDRESS:,} an address"
    yield f"stay {minutes(unproven_files.KEPT_FOR) // 60} hours after the last action"
    yield f"{access.DRAWN_AT_ONCE} at once; {access.DRAWING_WAITS} more wait, agents {gate.WAIT_LIMIT:.0f} s and the others {gate.UNKNOWN_WAIT_LIMIT:.0f} s"
    yield f"An agent has {access.DRAWN_FOR_ONE} of both together"
    yield f"worked out in a process | {access.WORKED_OUT_AT_ONCE} at once; {access.WORKED_OUT_WAIT} more wait, {gate.UNKNOWN_WAIT_LIMIT:.0f} s at most"
    yield f"{access.PAGES_AT_ONCE} at once; {access.PAGES_WAIT} more waits, {gate.WAIT_LIMIT:.0f} s at most; they count among the papers"
    yield f"{page_child.MEMORY >> 20} MB of addresses, {page_child.PROCESSOR} processor seconds, {page_pictures.SECONDS:.0f} s in all, {page_pictures.LARGEST:,} bytes"
    yield f"{page_child.MOST_PIXELS:,} pixels, {page_child.MOST_SIDE:,} a side"
    yield f"{file_counts.BYTES_A_DAY:,} a person and day"
    yield f"{file_counts.PAPERS_A_DAY} a person and day; of accounts without a telephone {file_counts.PAPERS_PER_ADDRESS} an address and day"
    yield f"each booking and each cancellation sends an SMS | {bookings.BOOKED_A_DAY} a dossier and day"
    yield f"of accounts without a telephone, {bookings.BOOKED_PER_ADDRESS} an address and hour"
    quarter = {4: "a quarter"}[bookings.SHARE_OF_DAY]
    yield f"{quarter} of them for each kind of appointment, {bookings.LEAST_SHARE} at least"
    yield f"seats to come, booked or held | {bookings.SEATS_AHEAD} a person and appointment, {bookings.FAMILY_SEATS_AHEAD} with those of the children they declared"
    yield f"To a typed address those of one person {code_limits.MAILED_TO_ONE} a day"
    yield f"seats held for {minutes(bookings.HELD)} minutes while an applicant confirms"
    yield f"of accounts without a telephone, {bookings.HELD_PER_ADDRESS} an address and hour. Beyond, the seat is not held"
    yield f"{file_counts.BYTES_PER_BROWSER:,} a browser, {file_counts.BYTES_PER_ADDRESS:,} an address and day"
    yield f"{file_counts.PIXELS:,} a draft's account and a browser in a quarter of an hour, {file_counts.PIXELS_PER_ADDRESS:,} an address and hour"
    yield f"larger of {reserve.LEAST >> 20} MB and {reserve.SHARE:.0%}".replace("%", " %")
    yield f"bodies above {console_bodies.SMALL >> 10} KiB under way in a process | {console_bodies.MOST:,} bytes together, counted as they come in steps of {console_bodies.STEP:,}; one IPv4"
    yield f"half of what the others leave, and {console_bodies.LEFT >> 20} MiB"
    yield f"waits {GLANCE} s for a store"
    yield f"{outbound_messages.MOST_A_DAY} a day; notes of an agent {notes.MOST_A_DAY}"
    yield f"{cashier.TRIES_PER_DOSSIER} a dossier, {cashier.TRIES_PER_ACCOUNT} an account, {cashier.TRIES_AT_COUNTER} an agent at a counter"
    yield f"{cashier.TRIES_PER_FOREIGN_NUMBER} an account, {cashier.TRIES_PER_NUMBER} from all accounts, and {cashier.FOREIGN_A_DAY} an account a day"
    yield f"{sharing.MOST} open at once, {sharing.LASTS.days} days"
    yield f"{orders.MOST_LINES}; above {carried.AT_ONCE} the worker runs it; {orders.JOBS_A_DAY} a person and day"
    yield f"{exports.MOST_ROWS:,} rows, made by the worker; {orders.FILES_AHEAD} of a person in preparation, {orders.FILES_A_DAY} a person and day"
    yield f"figures of {FEW} people or more"
    yield f"{invitations.SENT_BY_ONE} a person a day, {invitations.TO_THE_SAME} of them to one number"
    yield f"{invitations.RECEIVED_BY_ONE} a number a day from all accounts"
    yield f"{followed.MOST_FILES:,} files, {followed.MOST_BYTES >> 20} MiB"


@pytest.mark.parametrize("sentence", tuple(said()))
def test_the_rules_say_what_the_code_does(sentence: str) -> None:
    assert sentence in " ".join(RULES.read_text("utf-8").split())


def test_every_way_in_is_told() -> None:
    """Whoever opens a session stands in the table of ways in; another one is judged, then added to both."""
    rows = {
        ("applicant_sign_in", "check_code"): "code by SMS",
        ("assistance", "follow_by_code"): "number and code of a receipt",
        ("unverified_drafts", "go_on_unproven"): "a number given and not proven yet",
        ("identity_provider", "_signed_in"): "identity provider",
        ("mail_links", "follow_link"): "link by e-mail",
        ("agent_sign_in", "_passed"): "| agent | password",
        ("agent_sign_in", "pass_both"): "| agent | password",
        ("agent_sign_in", "enrol"): "| agent | password",
        ("agent_sign_in", "pass_factor"): "| agent | password",
    }
    found = set()
    for path in sorted((ROOT / "engine" / "services").rglob("*.py")):
        text = path.read_text("utf-8")
        for one in ast.walk(ast.parse(text)) if "open_session" in text else ():
            if isinstance(one, ast.FunctionDef) and one.name != "open_session":
                calls = (call.func for call in ast.walk(one) if isinstance(call, ast.Call))
                if any(isinstance(called, ast.Name) and called.id == "open_session" for called in calls):
                    found.add((path.stem, one.name))
    assert found == set(rows)
    ways = RULES.read_text("utf-8").split("## Ways in", 1)[1].split("\n## ", 1)[0]
    assert [row for row in rows.values() if row not in ways] == []


def test_the_keys_told_are_those_of_the_code() -> None:
    table = RULES.read_text("utf-8").split("## Keys", 1)[1].split("\n## ", 1)[0]
    code = "".join(path.read_text("utf-8") for path in (ROOT / "engine").rglob("*.py"))
    used = {
        "Ed25519": "Ed25519PrivateKey", "AES-256-GCM": "AESGCM", "HMAC-SHA-256": "hmac.new", "argon2id": "PasswordHasher",
        "`secrets`": "import secrets", "SHA-256": "hashlib.sha256",
    }  # fmt: skip
    for name, mark in used.items():
        assert (name in table) == (mark in code), name
    primitives = set(re.findall(r"cryptography\.hazmat\.primitives\.[\w.]+ import ([\w, ]+)", code))
    assert primitives == {"Ed25519PrivateKey, Ed25519PublicKey", "AESGCM"}, "another one? say it in the table first"


def test_the_rules_have_every_part() -> None:
    text = RULES.read_text("utf-8")
    parts = dict(zip(*[iter(re.split(r"^## (.*)\n", text, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert list(parts) == ["Ways in", "Sessions", "Limits", "Keys", "Data", "Logs", "Libraries"]
    assert {"secret", "sensitive", "personal", "public"} <= set(
        re.findall(r"^\| ([a-z ]+) \|", parts["Data"], re.MULTILINE)
    )
    assert "standard error" in parts["Logs"]
    assert re.search(r"within \d+ days when critical or high, \d+ days otherwise", parts["Libraries"])
