"""What the code never does, whatever passes through it: no shell, no way to make an object of bytes, no guessable secret, no
browser storage, no call that forgets who answers."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.contracts.figures import tree_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("all the code")]  # read once

ROOT: Final = Path(__file__).resolve().parent.parent
CODE: Final = [
    *sorted((ROOT / "engine").rglob("*.py")),
    *sorted((ROOT / "renderers").rglob("*.py")),
    ROOT / "server.py",
]
SCRIPTS: Final = sorted((ROOT / "renderers" / "static").glob("*.js"))

COMMANDS: Final = {
    "engine/core/child_process.py",
    "engine/language/catalogue/parallel.py",
    "engine/publication/git.py",
    "engine/storage/files/page_pictures.py",
    "renderers/cli/admin/web_processes.py",
}  # git, by a list of words
CHANCE: Final = {  # what may be guessed: which path is tried first, how long a second try waits, which invented people come
    "engine/services/core/idempotency.py", "engine/simulation/demo_data.py",
    "engine/simulation/exploration.py", "engine/simulation/solver_answers.py",
}  # fmt: skip
WRITTEN: Final = {"renderers/procedure/feed.py"}  # XML that leaves
EITHER: Final = {  # a name that is asked in an address or sent in a form alike, and checked alike
    "renderers/web/citizen/appointments.py", "renderers/web/auditors/journal_search.py", "renderers/web/citizen/form.py",
    "renderers/web/account/mail_sign_in.py", "renderers/web/administration/team.py",
}  # fmt: skip


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    """Without remarks."""
    return "\n".join(line.split("#")[0] for line in path.read_text("utf-8").splitlines())


@cache
def imported() -> frozenset[tuple[str, str]]:
    return frozenset(
        (named(path), name)
        for path in CODE
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    )


@pytest.mark.parametrize(
    ("package", "where"),
    [
        (r"subprocess|pty|commands", COMMANDS),
        (r"random", CHANCE),
        (r"pickle|marshal|shelve|dill|jsonpickle", set()),
        (r"xml(\..*)?|lxml(\..*)?|defusedxml", WRITTEN),
        (r"ctypes|cffi", set()),
        (r"ldap3?|ldap\..*|pymemcache|memcache", set()),
        (r"zipfile|tarfile|shutil", None),
    ],
)
def test_what_is_used_nowhere_else(package: str, where: set[str] | None) -> None:
    found = {path for path, name in imported() if re.fullmatch(package, name)}
    if where is None:  # archives of people are never opened
        assert not [path for path in found if re.search(r"unpack_archive|ZipFile|tarfile", text_of(ROOT / path))]
    else:
        assert found <= where


def test_no_command_passes_through_a_shell() -> None:
    for path in CODE:
        assert not re.search(r"shell\s*=\s*True|os\.(system|popen|exec\w*|spawn\w*)\(", text_of(path)), named(path)


def test_xml_is_written_and_never_read() -> None:
    for path in WRITTEN:
        assert not re.search(r"fromstring|XMLParser|iterparse|\.parse\(|XML\(", text_of(ROOT / path)), path


def test_who_answers_is_always_checked() -> None:
    """No certificate is taken on trust, no digest is one of those that are broken."""
    broken = r"CERT_NONE|check_hostname\s*=\s*False|verify\s*=\s*False|_create_unverified|assert_hostname\s*=\s*False"
    for path in CODE:
        assert not re.search(rf"{broken}|\b(md5|sha1|MD5|SHA1|DES|RC4|ECB|PKCS1v15)\b", text_of(path)), named(path)


def test_what_is_asked_and_what_is_sent_are_told_apart() -> None:
    assert {named(path) for path in CODE if "request.values" in text_of(path)} <= EITHER


def test_each_code_is_of_who_asked_for_it() -> None:
    """A page that sends a code, or checks one, says whose browser or account it is."""
    asks = {
        "send_code", "send_email_code", "send_help_code", "send_sending_code", "send_move_code", "send_proof",
        "check_code", "help_by_code", "confirm_by_code", "ask_move", "add_identifier", "prove_earlier",
    }  # fmt: skip
    calls = [
        (named(path), node.lineno, name, any(one.arg == "mark" for one in node.keywords))
        for path in CODE
        if named(path).startswith("renderers/web/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "id", getattr(node.func, "attr", ""))) in asks
        and node.args[1:]  # of the office, not the view of that name
    ]
    assert {name for _, _, name, _ in calls} == asks - {"send_email_code"}
    assert [one for one in calls if not one[3]] == []


def test_scripts_write_text_and_keep_nothing() -> None:
    assert SCRIPTS
    writing = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(\s*[\"'`]"
    keeping = r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\."
    hearing = r"postMessage|onmessage|[\"']message[\"']|WebSocket|EventSource|RTCPeer|__proto__|\.prototype\b"
    for path in SCRIPTS:
        assert not re.search(f"{writing}|{keeping}|{hearing}", path.read_text("utf-8")), path.name


def test_pages_use_nothing_that_browsers_gave_up_and_load_nothing_from_elsewhere() -> None:
    for path in sorted((ROOT / "renderers" / "templates").rglob("*.html")):
        text = path.read_text("utf-8")
        assert not re.search(r"<(object|embed|applet|marquee)\b", text), path.name
        assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=\"(https?:)?//", text), path.name
