"""The page of thirty questions with Flask-WTF and SQLAlchemy, as their manuals have it. `README.md` says what it lacks."""

from __future__ import annotations

import gzip
import hashlib
import os
import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Flask, Response, abort, has_request_context, redirect, render_template, request
from flask_wtf import FlaskForm
from sqlalchemy import JSON, ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, scoped_session, sessionmaker
from werkzeug.wrappers import Response as Redirect
from wtforms import DateField, IntegerField, RadioField, StringField
from wtforms.validators import Length, NumberRange, Optional

CHOICES = [("a", "Premier"), ("b", "Deuxième"), ("c", "Troisième")]
YES_NO = [("true", "Oui"), ("false", "Non")]
DATES = ("q4", "q9", "q14", "q19", "q24", "q29")

app = application = Flask(__name__)
app.config["SECRET_KEY"] = "mesures" * 6
engine = create_engine(f"sqlite:///{os.environ['PEER_DATABASE']}", connect_args={"timeout": 30})
db = scoped_session(sessionmaker(engine))


@event.listens_for(engine, "connect")
def _connected(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy says BEGIN, below
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=1"):
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(engine, "begin")
def _begun(connection: Any) -> None:
    # a read that becomes a write is refused while another writes: a post takes its turn from the beginning
    writes = has_request_context() and request.method == "POST"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@app.teardown_appcontext
def _gives_back(_error: BaseException | None = None) -> None:
    db.remove()


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(unique=True)


class SignIn(Base):
    __tablename__ = "session"
    digest: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    expires: Mapped[datetime]
    account: Mapped[Account] = relationship(lazy="joined")


class Draft(Base):
    __tablename__ = "draft"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed: Mapped[datetime]


class Audit(Base):
    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("draft.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]
    what: Mapped[str]


class LongPage(FlaskForm):
    q0 = StringField("Question 0", [Optional(), Length(max=80)])
    q1 = IntegerField("Question 1", [Optional(), NumberRange(0, 1000)])
    q2 = RadioField("Question 2", [Optional()], choices=CHOICES)
    q3 = RadioField("Question 3", [Optional()], choices=YES_NO)
    q4 = DateField("Question 4", [Optional()])
    q5 = StringField("Question 5", [Optional(), Length(max=80)])
    q6 = IntegerField("Question 6", [Optional(), NumberRange(0, 1000)])
    q7 = RadioField("Question 7", [Optional()], choices=CHOICES)
    q8 = RadioField("Question 8", [Optional()], choices=YES_NO)
    q9 = DateField("Question 9", [Optional()])
    q10 = StringField("Question 10", [Optional(), Length(max=80)])
    q11 = IntegerField("Question 11", [Optional(), NumberRange(0, 1000)])
    q12 = RadioField("Question 12", [Optional()], choices=CHOICES)
    q13 = RadioField("Question 13", [Optional()], choices=YES_NO)
    q14 = DateField("Question 14", [Optional()])
    q15 = StringField("Question 15", [Optional(), Length(max=80)])
    q16 = IntegerField("Question 16", [Optional(), NumberRange(0, 1000)])
    q17 = RadioField("Question 17", [Optional()], choices=CHOICES)
    q18 = RadioField("Question 18", [Optional()], choices=YES_NO)
    q19 = DateField("Question 19", [Optional()])
    q20 = StringField("Question 20", [Optional(), Length(max=80)])
    q21 = IntegerField("Question 21", [Optional(), NumberRange(0, 1000)])
    q22 = RadioField("Question 22", [Optional()], choices=CHOICES)
    q23 = RadioField("Question 23", [Optional()], choices=YES_NO)
    q24 = DateField("Question 24", [Optional()])
    q25 = StringField("Question 25", [Optional(), Length(max=80)])
    q26 = IntegerField("Question 26", [Optional(), NumberRange(0, 1000)])
    q27 = RadioField("Question 27", [Optional()], choices=CHOICES)
    q28 = RadioField("Question 28", [Optional()], choices=YES_NO)
    q29 = DateField("Question 29", [Optional()])


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def signed_in() -> Account:
    """The account of the session."""
    session = db.get(SignIn, digest(request.cookies.get("sid", "")))
    if session is None or session.expires < now():
        abort(401)
    return session.account


def draft_of(number: int, account: Account) -> Draft:
    draft = db.scalar(select(Draft).where(Draft.id == number, Draft.account_id == account.id))
    if draft is None:
        abort(404)
    return draft


@app.get("/drafts/<int:number>")
def show(number: int) -> str:
    draft = draft_of(number, signed_in())
    return render_template("flask_wtf.html", form=LongPage(data=loaded(draft.answers)))


@app.post("/drafts/<int:number>")
def save(number: int) -> Redirect | tuple[str, int]:
    account = signed_in()
    draft, form = draft_of(number, account), LongPage()
    if not form.validate_on_submit():
        return render_template("flask_wtf.html", form=form), 422
    draft.answers, draft.changed = dumped(form.data), now()
    db.add(Audit(draft_id=draft.id, account_id=account.id, at=draft.changed, what="saved"))
    db.commit()
    return redirect(f"/drafts/{number}", 303)


def dumped(data: dict[str, Any]) -> dict[str, Any]:
    """The answers as JSON keeps them."""
    kept = {name: value for name, value in data.items() if name != "csrf_token"}
    return {**kept, **{name: value.isoformat() for name in DATES if (value := kept[name])}}


def loaded(answers: dict[str, Any]) -> dict[str, Any]:
    return {**answers, **{name: date.fromisoformat(value) for name in DATES if (value := answers.get(name))}}


@app.after_request
def compressed(response: Response) -> Response:
    if "gzip" in request.accept_encodings and response.status_code == 200:
        response.set_data(gzip.compress(response.get_data(), 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    return response


def begin(count: int) -> list[tuple[str, str]]:
    """Signed-in people, each with a draft: its address and their cookie."""
    Base.metadata.create_all(engine)
    people = []
    for n in range(count):
        token, account = secrets.token_urlsafe(32), Account(phone=f"+228{n:08d}")
        db.add(account)
        db.flush()
        draft = Draft(account_id=account.id, answers={}, changed=now())
        db.add_all([draft, SignIn(digest=digest(token), account_id=account.id, expires=now() + timedelta(days=1))])
        db.flush()
        people.append((f"/drafts/{draft.id}", f"sid={token}"))
    db.commit()
    db.remove()
    return people
