"""Messages between the owner of a dossier and agents, each notified of the other's.

The journal commits to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from engine.core.problems import Fact, Refusal, Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.access import is_own, is_owner
from engine.domain.fields.views import AnswerProblem
from engine.records.dossier import Actor, Attachment, Dossier
from engine.records.exchanges import Message, Side
from engine.services.applications.attachments import Upload
from engine.services.context.app_context import AppContext, NotFound, seen
from engine.services.core.idempotency import Memory, once
from engine.services.core.outbound_messages import add_message, checked_text
from engine.services.limits.file_counts import count_file, forget_file, sender_of
from engine.storage.files.attachments import Lost
from engine.storage.files.inspection import Rejected
from engine.storage.gate import Crowded
from engine.storage.results import GLANCE, Busy
from engine.storage.unit_of_work import Unit

FILE_KINDS: Final = ("pdf", "jpg", "png")
LARGEST_FILE: Final = 5_000_000
_FILE: Final = "message"  # the field name of its file among those of a dossier


@dataclass(frozen=True, slots=True)
class SentMessage:
    """The result of writing. `problem`: why the file was refused; then nothing was written."""

    message: Message | None
    problem: AnswerProblem | None = None


def write_message(
    ctx: AppContext,
    actor: Actor,
    dossier_id: str,
    body: str,
    file: Upload | None = None,
    *,
    token: str | None = None,
    client: str = "",
    browser: str = "",
) -> SentMessage:
    """Write a message to the other side. `client` and `browser` identify the sender of a file.

    Raises `NotFound`. Raises Refused: messages_closed, own_dossier, message_empty, message_long, messages_many,
    too_many_tries.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
    side = _side(dossier, actor)
    if (closed := refusal_for_message(dossier, actor)) is not None:
        raise Refused(closed)
    text = checked_text(body)
    try:
        files = (_kept(ctx, actor, dossier, file, client, browser),) if file is not None else ()
    except Rejected as rejected:
        facts: dict[str, Fact] = {"type": "file", **rejected.facts}
        return SentMessage(None, AnswerProblem(_FILE, rejected.code, facts))

    def work(unit: Unit) -> SentMessage:
        before = seen(unit, ctx, actor, dossier_id)
        if (closed := refusal_for_message(before, actor)) is not None:
            raise Refused(closed)
        others: Side = "agent" if side == "applicant" else "applicant"
        unit.read_messages(before.id, others, ctx.now())  # the writer of an answer has read the messages
        reported_already = before.id in unit.unread_messages([before.id], side)
        notify = side == "agent" and not reported_already
        return SentMessage(add_message(ctx, unit, before, actor, side, text, files, notify=notify))

    digests = [one.sha256 for one in files]
    return once(ctx, actor, "write_message", token, (dossier_id, text, digests), work, WRITTEN)


def _recall(unit: Unit, kept: Plain) -> SentMessage:
    dossier_id, _, message_id = str(kept).partition(" ")
    return SentMessage(next(one for one in unit.messages_of(dossier_id) if one.id == message_id))


WRITTEN: Final[Memory[SentMessage]] = Memory(
    lambda written: f"{written.message.dossier} {written.message.id}" if written.message else "", _recall
)


def read_messages(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Message, ...]:
    """Return all messages, the oldest first, and mark those of the other side as read. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        found = unit.messages_of(dossier.id)
        others: Side = "agent" if _side(dossier, actor) == "applicant" else "applicant"
        unread = unit.unread_messages([dossier.id], others)
    if unread:
        with suppress(Busy), ctx.store.unit(write=True, wait_limit=GLANCE) as unit:  # the next visit marks them
            unit.read_messages(dossier.id, others, ctx.now())
    return found


def count_messages(ctx: AppContext, actor: Actor, dossier_id: str) -> int:
    """Return the number of messages on both sides without marking them as read. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        _side(dossier, actor)
        return len(unit.messages_of(dossier.id))


def unread(ctx: AppContext, actor: Actor, dossiers: Iterable[str]) -> Mapping[str, int]:
    """Return the number of unread messages of this side for each of these dossiers."""
    with ctx.store.unit() as unit:
        return unit.unread_messages(list(dossiers), "applicant" if actor.kind == "agent" else "agent")


def read_file(ctx: AppContext, actor: Actor, dossier_id: str, attachment_id: str) -> tuple[Attachment, bytes]:
    """Return the file of a message, for both sides. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        _side(dossier, actor)
        named = [file for message in unit.messages_of(dossier.id) for file in message.files]
    found = next((one for one in named if one.id == attachment_id), None)
    if found is None:
        raise NotFound
    try:
        return found, ctx.attachments.read(found.sha256, dossier.id)
    except Lost:
        raise NotFound from None


def refusal_for_message(dossier: Dossier, actor: Actor) -> Refusal | None:
    """Return why this person may write no message about the dossier now; None when they may."""
    if is_own(dossier, actor):
        return refusal("own_dossier")
    if dossier.is_draft or dossier.closed_at is not None:
        return refusal("messages_closed", why="draft" if dossier.is_draft else "over")
    return None


def _side(dossier: Dossier, actor: Actor) -> Side:
    """Return the side of the actor.

    Raises `NotFound` for others: auditors read in the journal that a message exists, not its text.
    """
    if is_owner(dossier, actor):
        return "applicant"
    if actor.kind == "agent":
        return "agent"
    raise NotFound


def _kept(
    ctx: AppContext, actor: Actor, dossier: Dossier, file: Upload, client: str, browser: str
) -> Attachment:  # fmt: skip
    sender = sender_of(ctx, actor, browser, client)
    count_file(ctx, dossier, len(file.data), client, browser)
    try:
        kept = ctx.attachments.keep(file.data, file.name, FILE_KINDS, LARGEST_FILE, dossier.id, sender=sender)
    except Crowded:
        forget_file(ctx, dossier)
        raise
    return Attachment(
        new_id(), _FILE, kept.name, kept.kind, kept.size, kept.sha256, ctx.now(), kept.pages, actor.id
    )  # fmt: skip
