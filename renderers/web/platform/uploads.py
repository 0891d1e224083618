"""Files of a post, each stored or refused on its own, so that a bad one never loses the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flask import Response, request, session

from engine.core.problems import Fact
from engine.domain.fields.views import AnswerProblem, PageView
from engine.services.applications.attachments import NO_SPACE, NO_SPACE_UNVERIFIED, arrived
from engine.services.applications.drafts import Upload, attach, detach
from engine.services.context.app_context import NotFound
from renderers.html.controls import file_fields
from renderers.web.platform.dossier_context import DossierContext
from renderers.web.platform.request_context import actor, app_ctx, asker, client, file_response, form_token, say
from renderers.web.platform.security import FILE_POLICY

OWN_FIELDS: Final = frozenset({"csrf_token", "token", "revision", "go", "send", "detach", "retour", "end"})
TYPES: Final = {"pdf": "application/pdf", "jpg": "image/jpeg", "png": "image/png"}
FILE: Final = "file:"  # the name of a file control begins with it
_ARRIVED: Final = "arrived:"
_KEY: Final = re.compile(r"[0-9a-f]{32,64}\Z")
_REFUSED: Final = "refused_files"  # in the signed cookie: refused files by dossier and question
_MOST_REFUSED: Final = 4
NO_SPACE_STATUS: Final = 507  # the script accepts it as an answer, whereas it repeats after 503


def uploaded_file(body: bytes, kind: str, name: str, inline: bool = False) -> Response:
    """Return an uploaded file as a download, or shown in the browser, under a policy that lets nothing in it run."""
    return under_file_policy(file_response(body, TYPES.get(kind, "application/octet-stream"), name, inline))


def under_file_policy(answer: Response) -> Response:
    """Return the answer, in which nothing runs in the browser."""
    answer.headers["Content-Security-Policy"] = FILE_POLICY
    return answer


@dataclass(frozen=True, slots=True)
class ReceivedFiles:
    """Result of the files of a post: the problems of refused ones, and a note about stored ones."""

    problems: tuple[AnswerProblem, ...] = ()
    note: str = ""


def status_of(problems: Iterable[AnswerProblem]) -> int:
    """Return the status of a page with these problems: 507 for a full disk, else 422."""
    return NO_SPACE_STATUS if any(one.code in (NO_SPACE, NO_SPACE_UNVERIFIED) for one in problems) else 422


def receive(one: DossierContext, view: Callable[[], PageView | None]) -> ReceivedFiles:
    """Store each posted file, or remove the one whose « Supprimer » was pressed.

    `view` returns the page of the post.
    """
    if taken := request.form.get("detach"):
        detach(app_ctx(), actor(), one.id, taken, token=form_token())
        return ReceivedFiles((), say("piece.removed"))
    problems, stored = list[AnswerProblem](), 0
    details = {name: value for name, value in request.form.items() if not is_own(name)}
    for at, upload in posted_files(one):
        token = f"{form_token()}:{at}" if form_token() else None
        attached = attach(
            app_ctx(), actor(), one.id, at, upload, details, token=token, client=client(), browser=asker().browser
        )
        problems += [attached.problem] if attached.problem else []
        stored += attached.problem is None
        _remember(one, at, attached.problem)
    sent = request.form.get("send")
    if sent and not stored and not problems:
        problems.append(_no_file(view(), sent))
    return ReceivedFiles(tuple(problems), say("piece.stored", count=stored) if stored else "")


def is_own(name: str) -> bool:
    """Return whether the field of a post belongs to the page and is no answer."""
    return name in OWN_FIELDS or name.startswith(_ARRIVED)


def posted_files(one: DossierContext) -> Iterator[tuple[str, Upload]]:
    """Yield the files of a post with the path of their question, with those uploaded in chunks.

    Controls without a file are left out. One upload is in memory at a time and is read once: a post of a few hundred
    bytes could name eight of 12 MB, or one five hundred times.
    """
    read, last = set[str](), ("", b"")
    for name in (one for one in request.form if one.startswith(_ARRIVED)):
        key, _, called = request.form[name].partition("/")
        if not _KEY.match(key) or (key in read and key != last[0]):
            continue
        if key != last[0]:
            read.add(key)
            last = (key, arrived(app_ctx(), actor(), one.id, key) or b"")
        if last[1]:
            yield name.removeprefix(_ARRIVED), Upload(called[:200], last[1], key)
    for name, file in request.files.items():
        if name.startswith(FILE) and file.filename:
            yield name.removeprefix(FILE), Upload(file.filename, file.read())


def _no_file(view: PageView | None, at: str) -> AnswerProblem:
    """Return the problem of « Envoyer cette pièce » without a file."""
    asked = next((field for field in (file_fields(view) if view else ()) if field.path == at), None)
    if asked is None:
        raise NotFound
    return AnswerProblem(at, "file", {"type": asked.type}, label=asked.label)


# -- why the last one was refused --------------------------------------------------------------------------------------


def _remember(one: DossierContext, at: str, problem: AnswerProblem | None) -> None:
    """Store why a file was refused.

    A script sends each file at once, and its page may be left before the reason is read.
    """
    kept = session.get(_REFUSED)
    refused = dict(kept) if isinstance(kept, Mapping) else {}
    refused.pop(f"{one.dossier.number}/{at}", None)
    if problem is not None:
        plain = {name: fact for name, fact in problem.facts.items() if isinstance(fact, str | int)}
        refused[f"{one.dossier.number}/{at}"] = [problem.code, plain]
    if kept or refused:
        session[_REFUSED] = dict(list(refused.items())[-_MOST_REFUSED:])


def as_refused(one: DossierContext, problem: AnswerProblem) -> AnswerProblem:
    """Return the problem of missing evidence with its reason, if a file was refused or removed."""
    kept = session.get(_REFUSED)
    known = kept.get(f"{one.dossier.number}/{problem.at}") if isinstance(kept, Mapping) else None
    if problem.code == "file" and known is None and problem.at in one.dossier.removed_files:
        return replace(problem, code="file_removed")
    if problem.code != "file" or not isinstance(known, list) or len(known) != 2 or not isinstance(known[1], Mapping):
        return problem
    facts: dict[str, Fact] = {**problem.facts, **known[1]}
    return replace(problem, code=str(known[0]), facts=facts)
