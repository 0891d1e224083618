"""Files and issued documents of a dossier, as agents view and upload them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.domain.common.access import may_read_file
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.agent_files import pending_files
from engine.domain.forms.posted_values import ADD, REMOVE
from engine.records.dossier import Attachment
from engine.services.applications.agent_files import enclose, take_back
from engine.services.applications.attachments import Upload
from engine.services.applications.document_verification import read_document
from engine.services.applications.drafts import read_attachment
from engine.services.appointments.originals import note_originals
from engine.services.context.app_context import NotFound
from engine.storage.files.page_pictures import TURNS, WIDTHS, PageNotDrawn, draw_page
from engine.storage.gate import Crowded
from renderers.web.platform.access import agent, drawing_page, draws
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    day_of,
    file_response,
    form_revision,
    form_token,
    go,
    say,
)
from renderers.web.platform.uploads import TYPES, under_file_policy, uploaded_file
from renderers.web.shared.agent_dossier import AgentCase, act_label, agent_case, refusal_text
from renderers.web.shared.issued_documents import drawn_document
from renderers.web.shared.originals import posted_originals

blueprint = Blueprint("agent_attachments", __name__)

_WIDTH: Final = 900  # pixels of a page, at first


# -- one file ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A page of a file as `agent/document_page.html` shows it on any page, in plain values.

    `previous` to `turned` are queries that show the file otherwise, empty where there is nothing more. The label of a
    file that is not in use begins with its mark.
    """

    label: str
    page: int
    pages: int
    picture: str  # address
    fits: bool  # the picture is no wider than its place
    previous: str
    next: str
    smaller: str
    larger: str
    turned: str
    file: str  # address


def document_page(one: AgentCase, attachment: Attachment, title: str, query: Mapping[str, str]) -> DocumentPage:
    """Return the page of a file that a query asks for: `page`, `zoom`, `tour`. Other values show the first page."""
    page = _asked(query, "page", range(1, attachment.pages + 1)) or 1
    width, turn = _asked(query, "zoom", WIDTHS) or _WIDTH, _asked(query, "tour", TURNS) or 0

    def shown(page: int = page, width: int = width, turn: int = turn) -> str:
        zoom = {"zoom": width} if width != _WIDTH else {}
        return urlencode({"page": page, **zoom, **({"tour": turn} if turn else {})})

    at, zoom, mark = one.at(f"/pieces/{attachment.id}"), WIDTHS.index(width), _former_mark(one, attachment)
    return DocumentPage(
        f"{mark} – {title}" if mark else title, page, attachment.pages,
        f"{at}/page-{page}.webp?w={width}&tour={turn}", width <= _WIDTH,
        shown(page=page - 1) if page > 1 else "", shown(page=page + 1) if page < attachment.pages else "",
        shown(width=WIDTHS[zoom - 1]) if zoom else "", shown(width=WIDTHS[zoom + 1]) if width < WIDTHS[-1] else "",
        shown(turn=(turn + 90) % 360), f"{at}/fichier",
    )  # fmt: skip


def _asked(query: Mapping[str, str], name: str, values: Iterable[int]) -> int | None:
    """Return the number in a query if it is one of these values."""
    return next((value for value in values if query.get(name) == str(value)), None)


def _former_mark(one: AgentCase, attachment: Attachment) -> str:
    """Return the mark of a file that is not in use, empty for one that is, or that this agent is about to use."""
    in_use = attachment.id in one.dossier.files_used or attachment in pending_files(
        one.dossier, actor().id, attachment.field
    )
    return "" if in_use else say("viewer.former")


@blueprint.get("/agent/dossiers/<number>/pieces/<attachment_id>/page-<int:page>.webp")
@agent()
def page_picture(number: str, attachment_id: str, page: int) -> Response:
    """Serve a page of a file as a picture, to the agents who may read the file. A former file bears its mark.

    A page that cannot be drawn is a picture that says so: 422, or 503 while too many others are drawn.
    """
    one = agent_case(number)
    attachment, body = read_attachment(app_ctx(), actor(), one.id, attachment_id)
    width, turn = _asked(request.args, "w", WIDTHS), _asked(request.args, "tour", TURNS)
    if not 1 <= page <= attachment.pages or width is None or turn is None:
        raise NotFound
    knows_webp = any(kind == "image/webp" for kind, _ in request.accept_mimetypes)
    form, kind = ("webp", "image/webp") if knows_webp else ("jpg", "image/jpeg")
    try:
        with drawing_page(actor().id):
            drawn = draw_page(
                body, attachment.kind, page, width, turn, form=form, mark=_former_mark(one, attachment)
            )  # fmt: skip
    except PageNotDrawn:
        return _sentence_picture("viewer.failed", 422)
    except Crowded:
        answer = _sentence_picture("viewer.busy", 503)
        answer.headers["Retry-After"] = "1"
        return answer
    return under_file_policy(file_response(drawn, kind, f"page-{page}.{form}", inline=True))


def _sentence_picture(key: str, status: int) -> Response:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="64"><rect width="320" height="64" fill="#fff"/>'
        f'<text x="160" y="38" font-family="sans-serif" font-size="16" text-anchor="middle">{escape(say(key))}</text></svg>'
    )
    answer = under_file_policy(file_response(drawing.encode(), "image/svg+xml; charset=utf-8", "page.svg", inline=True))
    answer.status_code = status
    return answer


@dataclass(frozen=True, slots=True)
class DocumentPane:
    """The file beside the answers, the tabs of those in use as ids and titles, and the files of the same question.

    `replaced` says that the file is no longer in use. `instead` then holds those that are, else `former` the others.
    """

    tabs: tuple[tuple[str, str], ...]
    file: Attachment
    label: str
    page: DocumentPage
    before: str = ""
    after: str = ""
    replaced: str = ""
    instead: tuple[Attachment, ...] = ()
    former: tuple[Attachment, ...] = ()


@blueprint.get("/agent/dossiers/<number>/pieces/<attachment_id>")
@agent()
def attachment(number: str, attachment_id: str) -> Response:
    """Redirect to the dossier that shows the file beside its answers. Raises `NotFound` for one this agent may not read."""
    one = agent_case(number)
    file, _ = read_attachment(app_ctx(), actor(), one.id, attachment_id)
    query = request.query_string.decode("ascii", "replace")[:200]
    return go(one.at(f"?piece={file.id}{'&' if query else ''}{query}#piece-vue"))


def document_pane(one: AgentCase, first: str = "") -> DocumentPane | None:
    """Return the file that the query or a button asks for, else `first`, else the first in use. None if there is none."""
    asked = (
        request.args if "piece" in request.args else dict(parse_qsl("piece=" + request.form.get("act-show", "")[:200]))
    )
    used = one.dossier.files_used
    readable = [kept for kept in one.dossier.attachments if may_read_file(one.procedure, one.dossier, kept, actor())]
    questions = {name: place for place, name in enumerate(one.procedure.fields)}
    order = [
        kept for kept in readable
        if kept.id in used or kept in pending_files(one.dossier, actor().id, kept.field)
    ]  # fmt: skip
    order.sort(key=lambda kept: questions.get(kept.field.split(".")[0], len(questions)))
    shown = next((kept for kept in readable if kept.id == (asked.get("piece") or first)), order[0] if order else None)
    if shown is None:
        return None
    titles = [_title(one, kept) for kept in order]
    numbered = [
        f"{title} ({titles[: at + 1].count(title)})" if titles.count(title) > 1 else title
        for at, title in enumerate(titles)
    ]
    place = order.index(shown) if shown in order else -1
    same = [kept for kept in readable if kept.field == shown.field and kept.id != shown.id]
    return DocumentPane(
        tuple(zip((kept.id for kept in order), numbered, strict=True)), shown, _title(one, shown),
        document_page(one, shown, _title(one, shown), asked),
        before=order[place - 1].id if place > 0 else "",
        after=order[place + 1].id if 0 <= place < len(order) - 1 else "",
        replaced=_replaced(shown, same) if place < 0 else "",
        instead=tuple(kept for kept in same if kept in order) if place < 0 else (),
        former=tuple(kept for kept in same if kept not in order) if place >= 0 else (),
    )  # fmt: skip


def _title(one: AgentCase, file: Attachment) -> str:
    """Return the question of a file, or the act or form of an agent that it goes with."""
    field = file.field.split(".")
    asked = one.procedure.fields.get(field[0] if file.by is None else field[-1])
    return label(asked.agents_label) if asked else file.name if file.by is None else act_label(one.procedure, field[0])


def _replaced(attachment: Attachment, same: Iterable[Attachment]) -> str:
    """Return when another file of the question replaced this one, or that it was only removed."""
    later = [kept.received_at for kept in same if kept.received_at > attachment.received_at]
    return say("piece.replaced_on", day=day_of(min(later))) if later else say("piece.taken_out")


@blueprint.get("/agent/dossiers/<number>/pieces/<attachment_id>/fichier")
@agent()
def file(number: str, attachment_id: str) -> Response:
    """Serve the file. Only images in use, which were encoded again on receipt, open in place. Nothing in it can run."""
    one = agent_case(number)
    attachment, body = read_attachment(app_ctx(), actor(), one.id, attachment_id)
    if attachment.kind not in TYPES:
        raise NotFound
    inline = attachment.kind in ("jpg", "png") and not _former_mark(one, attachment)  # never shown without its mark
    return uploaded_file(body, attachment.kind, attachment.name, inline)


@blueprint.get("/agent/dossiers/<number>/documents/<document_id>.pdf")
@agent()
@draws
def document(number: str, document_id: str) -> Response:
    """Serve an issued document as PDF, as its holder gets it: in the same language, marked if it is not valid.

    Raises `NotFound`.
    """
    one = agent_case(number)
    issued = read_document(app_ctx(), actor(), one.id, document_id)
    return file_response(drawn_document(issued, one.dossier, one.procedure), "application/pdf", f"{issued.number}.pdf")


@blueprint.post("/agent/dossiers/<number>/originaux")
@agent()
def originals(number: str) -> Response:
    """Note what this agent found of the originals, and redirect to the dossier, with the reason if it is refused."""
    one = agent_case(number)
    try:
        note_originals(
            app_ctx(), actor(), one.id, posted_originals(), revision=form_revision(), token=form_token()
        )  # fmt: skip
        session["desk_note"] = say("original.noted")
    except Refused as closed:
        session["desk_note"] = refusal_text(one.procedure, closed.reason)
    return go(one.at())


_FILE = "file:"


def asks_to_edit(raw: Mapping[str, object]) -> bool:
    """Return whether a post only changes the form that it comes from: edits it, its rows, or the file beside it."""
    shows = "act-show" in request.form and request.form.get("act-shown") != "preview"
    return shows or request.form.get("go") == "edit" or ADD in raw or REMOVE in raw


@dataclass(frozen=True, slots=True)
class ReceivedAgentFiles:
    """The result of posted files. `touched` means that the form is shown again without another action."""

    problems: tuple[AnswerProblem, ...]
    touched: bool


def receive_files(one: AgentCase, place: Callable[[str], str]) -> ReceivedAgentFiles:
    """Store each posted file and delete the one to detach. Raises `NotFound` or `Refused`.

    `place` returns where the file of a control is stored.
    """
    problems = []
    for name, files in request.files.lists():
        for number, file in enumerate(files):
            if not name.startswith(_FILE) or not file.filename:
                continue
            token = form_token()
            own = f"{token}:{name}:{number}"[:200] if token else None
            question = name.removeprefix(_FILE)[:100]
            found = enclose(
                app_ctx(), actor(), one.id, place(question), Upload(file.filename, file.read()), token=own
            )  # fmt: skip
            if found.problem is not None:
                problems.append(found.problem)
    gone = request.form.get("detach", "")[:100]
    if gone:
        with suppress(NotFound):  # deleted already, or part of a finished act
            take_back(app_ctx(), actor(), one.id, gone, token=form_token())
    return ReceivedAgentFiles(tuple(problems), bool(gone) or "send" in request.form or bool(problems))
