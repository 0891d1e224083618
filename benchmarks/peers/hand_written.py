"""The page of thirty questions, written by hand with Flask on sqlite3: the leanest that still keeps what is posted.

The HTML is written out, question by question. `README.md` says what it lacks.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
from datetime import UTC, date, datetime, timedelta

from flask import Flask, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, phone TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS session (
    digest TEXT PRIMARY KEY, account INTEGER NOT NULL REFERENCES account, csrf TEXT NOT NULL, expires TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS draft (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account, answers TEXT NOT NULL, changed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY, draft INTEGER NOT NULL REFERENCES draft, account INTEGER NOT NULL, at TEXT NOT NULL,
    what TEXT NOT NULL);
"""
QUESTIONS, KINDS = 30, ("text", "number", "choice", "yes_no", "date")

app = application = Flask(__name__)
_own = threading.local()


def db() -> sqlite3.Connection:
    """The connection of this thread."""
    if not hasattr(_own, "db"):
        _own.db = sqlite3.connect(os.environ["PEER_DATABASE"], isolation_level=None, timeout=30)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=1"):
            _own.db.execute(f"PRAGMA {pragma}")
    connection: sqlite3.Connection = _own.db
    return connection


def now() -> str:
    return datetime.now(UTC).isoformat()


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def signed_in() -> tuple[int, str]:
    """The account of the session and its forgery token."""
    sql = "SELECT account, csrf, expires FROM session WHERE digest = ?"
    row = db().execute(sql, (digest(request.cookies.get("sid", "")),)).fetchone()
    if row is None or row[2] < now():
        abort(401)
    return row[0], row[1]


def draft_of(number: int, account: int) -> dict[str, str]:
    row = db().execute("SELECT answers FROM draft WHERE id = ? AND account = ?", (number, account)).fetchone()
    if row is None:
        abort(404)
    answers: dict[str, str] = json.loads(row[0])
    return answers


@app.get("/drafts/<int:number>")
def show(number: int) -> str:
    account, csrf = signed_in()
    return render_template("hand_written.html", said=draft_of(number, account), errors={}, csrf=csrf)


@app.post("/drafts/<int:number>")
def save(number: int) -> Redirect | tuple[str, int]:
    account, csrf = signed_in()
    if not hmac.compare_digest(request.form.get("csrf_token", ""), csrf):
        abort(400)
    said = {f"q{n}": request.form.get(f"q{n}", "").strip() for n in range(QUESTIONS)}
    if errors := faults(said):
        return render_template("hand_written.html", said=said, errors=errors, csrf=csrf), 422
    connection, at = db(), now()
    connection.execute("BEGIN IMMEDIATE")
    try:
        sql = "UPDATE draft SET answers = ?, changed = ? WHERE id = ? AND account = ?"
        if not connection.execute(sql, (json.dumps(said), at, number, account)).rowcount:
            abort(404)
        sql = "INSERT INTO audit (draft, account, at, what) VALUES (?, ?, ?, 'saved')"
        connection.execute(sql, (number, account, at))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return redirect(f"/drafts/{number}", 303)


def faults(said: dict[str, str]) -> dict[str, str]:
    """What is wrong with each answer; an unanswered question is not, in a draft."""
    found = {}
    for n in range(QUESTIONS):
        value, kind = said[f"q{n}"], KINDS[n % 5]
        if value and (fault := fault_of(value, kind)):
            found[f"q{n}"] = fault
    return found


def fault_of(value: str, kind: str) -> str:
    if kind == "text":
        return "80 signes au plus." if len(value) > 80 else ""
    if kind == "number":
        return "" if value.isdecimal() and int(value) <= 1000 else "Un nombre entre 0 et 1000."
    if kind == "date":
        try:
            date.fromisoformat(value)
        except ValueError:
            return "Une date."
        return ""
    return "" if value in (("a", "b", "c") if kind == "choice" else ("true", "false")) else "Un des choix."


@app.after_request
def compressed(response: Response) -> Response:
    if "gzip" in request.accept_encodings and response.status_code == 200:
        response.set_data(gzip.compress(response.get_data(), 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    return response


def begin(count: int) -> list[tuple[str, str]]:
    """Signed-in people, each with a draft: its address and their cookie."""
    db().executescript(SCHEMA)
    people, expires = [], (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for n in range(count):
        token = secrets.token_urlsafe(32)
        account = db().execute("INSERT INTO account (phone) VALUES (?)", (f"+228{n:08d}",)).lastrowid
        session = (digest(token), account, secrets.token_urlsafe(32), expires)
        db().execute("INSERT INTO session VALUES (?, ?, ?, ?)", session)
        sql = "INSERT INTO draft (account, answers, changed) VALUES (?, '{}', ?)"
        people.append((f"/drafts/{db().execute(sql, (account, now())).lastrowid}", f"sid={token}"))
    return people
