"""Messages about a dossier, for applicants and for agents: the thread, writing, files."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from engine.core.problems import Refusal, Refused
from engine.domain.fields.views import AnswerProblem
from engine.records.dossier import Attachment
from engine.records.exchanges import Message
from engine.services.applications.attachments import Upload
from engine.services.applications.messages import (
    LARGEST_FILE,
    count_messages,
    read_file,
    read_messages,
    refusal_for_message,
    unread,
    write_message,
)
from engine.services.core.outbound_messages import LONGEST
from renderers.web.platform.access import agent, dossier_page
from renderers.web.platform.dossier_context import DossierContext, agency_of
from renderers.web.platform.errors import sentence
from renderers.web.platform.refused_posts import Fault, ask_again, only_shown, refused_post
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    asker,
    at_counter,
    client,
    form_token,
    go,
    language,
    moment_of,
    new_token,
    page,
    say,
    site,
)
from renderers.web.platform.uploads import uploaded_file
from renderers.web.shared.agent_dossier import agent_case
from renderers.web.shared.snippets import asked_to_insert, inserted, offered
from renderers.web.shared.staff import people, staff_page

blueprint = Blueprint("messages", __name__)


@dataclass(frozen=True, slots=True)
class PaperLine:
    """A file of a message: address, name, and size in words."""

    href: str
    name: str
    size: str


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message for its reader. `mine` is set if it was written on the reader's side."""

    id: str
    who: str
    at: str
    body: tuple[str, ...]
    mine: bool
    files: tuple[PaperLine, ...]
    seen: str = ""


# -- the owner's desk --------------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/messages")
def thread(one: DossierContext) -> Response:
    """Show the messages of a dossier. A draft has none and leads to the dossier."""
    return go(one.at()) if one.dossier.is_draft else _page(one)


@dossier_page(blueprint, "/messages", "POST")
def write(one: DossierContext) -> Response:
    """Send the applicant's message with its file and go to it in the thread. A refusal shows the form again."""
    return _write(one)


@dossier_page(blueprint, "/messages/<attachment_id>/fichier")
def attachment(one: DossierContext, attachment_id: str) -> Response:
    """Send a file of a message to the applicant."""
    return _file(one, attachment_id)


# -- the agents' desk --------------------------------------------------------------------------------------------------


@blueprint.get("/agent/dossiers/<number>/messages")
@agent()
def staff_thread(number: str) -> Response:
    """Show the messages of a dossier to an agent."""
    return _page(agent_case(number))


@blueprint.post("/agent/dossiers/<number>/messages")
@agent()
def staff_write(number: str) -> Response:
    """Send the agent's message and go to it in the thread.

    If a snippet is chosen, insert it into the text and show the form again.
    """
    return _write(agent_case(number))


@blueprint.get("/agent/dossiers/<number>/messages/<attachment_id>/fichier")
@agent()
def staff_document(number: str, attachment_id: str) -> Response:
    """Send a file of a message to an agent."""
    return _file(agent_case(number), attachment_id)


# -- both --------------------------------------------------------------------------------------------------------------


def unread_of(one: DossierContext) -> str:
    """Return `2 nouveaux messages`, empty if there is none."""
    count = unread(app_ctx(), actor(), [one.id]).get(one.id, 0)
    return say("message.unread", count=count) if count else ""


def thread_of(one: DossierContext) -> str:
    """Return `Lire les messages (2)`, read or unread. Empty if there is none."""
    count = count_messages(app_ctx(), actor(), one.id)
    return say("message.see_count", count=count) if count else ""


def _write(one: DossierContext) -> Response:
    if (shown := only_shown(lambda: _page(one))) is not None:
        return shown
    body, file = request.form.get("body", "")[: LONGEST * 4], request.files.get("file")
    if _is_staff() and asked_to_insert():
        return _page(one, inserted(one, body))
    upload = Upload(file.filename, file.read()) if file is not None and file.filename else None
    try:
        written = write_message(
            app_ctx(), actor(), one.id, body, upload, token=form_token(), client=client(), browser=asker().browser
        )  # fmt: skip
    except Refused as closed:
        return ask_again(lambda: _page(one), {"body": closed.reason})
    if written.problem is not None:
        return ask_again(lambda: _page(one), {"file": Refusal(written.problem.code, written.problem.facts)})
    return go(f"{one.at('/messages')}#m-{written.message.id if written.message else ''}")


def _page(one: DossierContext, body: str = "") -> Response:
    ours, post = _is_staff(), refused_post()
    faults = {"body": post.error("body"), "file": _file_error(post.faults.get("file"))}
    found = read_messages(app_ctx(), actor(), one.id)
    names = people(message.by for message in found if message.side == "agent") if ours else {}
    closed = refusal_for_message(one.dossier, actor())
    draw = staff_page if ours else page
    return draw(
        "agent/messages.html" if ours else "citizen/messages.html", dossier=one.dossier,
        procedure=one.title, base=one.at(), lines=[_line(one, message, ours, names.get(message.by, "")) for message in found],
        closed=sentence(closed) if closed is not None else "", body=post.typed("body", body)[: LONGEST * 4], faults=faults,
        errors=[(f"#{name}", said) for name, said in faults.items() if said and closed is None], token=new_token(),
        longest=LONGEST, largest=LARGEST_FILE, snippets=offered() if ours else [],
    )  # fmt: skip


def _is_staff() -> bool:
    """Return whether the reader is an agent who does not help the applicant."""
    return actor().kind == "agent" and not at_counter()


def _file_error(fault: Fault | None) -> str:
    if not isinstance(fault, Refusal):
        return ""
    if fault.code == "file_again":
        return say("resume.file_again", name=str(fault.facts["name"]))
    return site().words.problem(AnswerProblem("file", fault.code, fault.facts), "file", say("message.file"), language())


def _line(one: DossierContext, message: Message, ours: bool, name: str) -> MessageLine:
    mine = (message.side == "agent") == ours
    if message.side == "agent":
        who = name if ours and name else say("message.service", agency=agency_of(one))
    else:
        who = say("message.applicant" if ours or at_counter() else "message.you")
    seen = say("message.seen", moment=moment_of(message.read_at)) if mine and message.read_at else ""
    return MessageLine(
        message.id, who, moment_of(message.at), tuple(message.body.split("\n")), mine,
        tuple(_paper(one, file) for file in message.files), seen,
    )  # fmt: skip


def _paper(one: DossierContext, file: Attachment) -> PaperLine:
    return PaperLine(one.at(f"/messages/{file.id}/fichier"), file.name, site().words.size(file.size, language()))


def _file(one: DossierContext, attachment_id: str) -> Response:
    attachment, body = read_file(app_ctx(), actor(), one.id, attachment_id)
    return uploaded_file(body, attachment.kind, attachment.name)
