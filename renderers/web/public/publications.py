"""Publications and refused commits, with reasons and lines, for agents and auditors.

The module also writes the sentences of the public history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from engine.model import Procedure
from engine.publication.publications import EditionRecord
from engine.records.publications import FollowingState, Origin, Publication
from renderers.reports.changes import Comparison
from renderers.reports.publication import GateText, PublicationWriter, SignatureText, change_sentence
from renderers.web.platform.access import agent, auditor
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import app_ctx, language, site
from renderers.web.shared.staff import procedure_of, staff_page

blueprint = Blueprint("publications", __name__)

_A_PAGE = 20
_LONGEST_NUMBER = 9
_MOST_KEPT = 200  # sentences in the cache
_SENTENCES: dict[tuple[str, str, str], str] = {}  # cache by two fingerprints and a language


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """One procedure that a publication put in service, with the address of its history."""

    title: str
    history: str  # address; empty when the procedure is no longer offered


@dataclass(frozen=True, slots=True)
class PublicationCard:
    """One publication as the page shows it. `tag` is the colour of its outcome, and `open` shows its gates unfolded.

    `only_directory` means that it changed no edition.
    """

    title: str
    subject: str
    outcome: str
    tag: str
    at: str
    people: tuple[str, ...]
    signature: SignatureText | None
    placed: tuple[PlacedLine, ...]
    removed: tuple[str, ...]
    only_directory: bool
    gates: tuple[GateText, ...]
    open: bool


@dataclass(frozen=True, slots=True)
class WatchText:
    """Why the followed repository does not answer, and since when."""

    why: str
    since: str


@blueprint.get("/audit/publications")
@auditor
def for_auditors() -> Response:
    """Show the publications for auditors, 20 per page."""
    return _page("/audit/publications")


@blueprint.get("/agent/publications")
@agent()
def for_agents() -> Response:
    """Show the publications for agents, 20 per page."""
    return _page("/agent/publications")


def _page(address: str) -> Response:
    asked = request.args.get("avant", "")
    before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= _LONGEST_NUMBER else None
    with app_ctx().store.unit() as unit:
        reported = unit.recent_publications(_A_PAGE + 1, before)
        watches = {one.origin.source: unit.watch(one.origin.source) for one in reported}
        followed = site().settings.followed
        watch = unit.watch(followed) if followed else None
    shown = reported[:_A_PAGE]
    return staff_page(
        "staff/publications.html", cards=[_card(one) for one in shown], followed=followed,
        branch=next((one.origin.branch for one in reported if one.origin.source == followed), ""),
        watch=_watch(watch or next((one for one in watches.values() if one), None)),
        next=f"{address}?{urlencode({'avant': shown[-1].n})}" if len(reported) > _A_PAGE else "",
    )  # fmt: skip


def writer() -> PublicationWriter:
    """Return the writer of publication sentences, in the page's language."""
    return PublicationWriter(site().words, language())


def _watch(watch: FollowingState | None) -> WatchText | None:
    if watch is None or not watch.trouble:
        return None
    said = writer()
    since = said.words.moment(watch.since or watch.at, said.language)
    return WatchText(said.refusal(watch.trouble, watch.facts), said.say("trouble_since", moment=since))


_TAGS = {"published": "ok", "refused": "bad", "rolled_back": "act"}


def _card(one: Publication) -> PublicationCard:
    said = writer()
    return PublicationCard(
        _title(one.origin, said), one.origin.subject, said.say(f"outcome.{one.outcome}"), _TAGS[one.outcome],
        said.words.moment(one.at, said.language), tuple(_people(one, said)), _signature(one.origin, said),
        tuple(_placed(one, said)), tuple(said.say("removed", name=name) for name in one.removed),
        one.outcome == "published" and not one.placed and not one.removed, tuple(said.gates(one.gates)),
        one.outcome == "refused",
    )  # fmt: skip


def _signature(origin: Origin, said: PublicationWriter) -> SignatureText | None:
    """Return the signature's state with a capital letter. None if there is no signature to report."""
    reported = said.signature(origin)
    return SignatureText(reported.text[:1].upper() + reported.text[1:], reported.tone) if reported else None


def _title(origin: Origin, said: PublicationWriter) -> str:
    if origin.source == "hand" or not origin.commit:
        return said.say("hand_title" if origin.source == "hand" else "folder_title")
    return said.say("commit", commit=origin.commit[:10])


def _people(one: Publication, said: PublicationWriter) -> Iterable[str]:
    if one.origin.author and one.outcome != "rolled_back":
        yield said.say("by_author", author=one.origin.author)
    if one.origin.reviewers:
        yield said.say("reviewed", names=said.reviewers(one.origin))
    if one.by:
        yield said.say("asked", name=one.by)
    if one.because:
        yield said.say("because", because=one.because)


def _placed(one: Publication, said: PublicationWriter) -> Iterable[PlacedLine]:
    for placed in one.placed:
        procedure = procedure_of(placed.procedure)
        title = label(procedure.identity.title) if procedure else placed.procedure
        address = f"/demarches/{placed.procedure}/historique" if procedure else ""
        yield PlacedLine(said.say("placed", title=title, edition=placed.edition), address)


# -- the public history ------------------------------------------------------------------------------------------------


def history_sentences(records: tuple[EditionRecord, ...], serving: Procedure) -> list[tuple[EditionRecord, list[str]]]:
    """Return each edition, the newest first, with its sentences.

    The first sentence says what changed. The others say that it was withdrawn or put back.
    """
    said, procedures = writer(), {one.edition.fingerprint: _procedure_of(one) for one in records}
    found = []
    for rank, one in enumerate(records):
        procedure = procedures[one.edition.fingerprint]
        former = procedures.get(one.before)
        force = ""
        if procedure is not None and one.withdrawn is None:
            identity, now = procedure.identity, procedure.fingerprint == serving.fingerprint
            force = said.force(identity.from_, identity.until, app_ctx().day(), now, rank > 0)
        what = _what(former, procedure, first=not one.before)
        found.append((one, [said.edition(one, force, what), *said.turns(one)]))
    return found


def _procedure_of(one: EditionRecord) -> Procedure | None:
    return procedure_of(one.edition.procedure, fingerprint=one.edition.fingerprint)


def _what(before: Procedure | None, after: Procedure | None, *, first: bool) -> str:
    if after is None or (before is None and not first):
        return ""
    key = (before.fingerprint if before else "", after.fingerprint, language())
    if key not in _SENTENCES:
        compared = Comparison.of(before, after, app_ctx().directory) if before is not None else None
        while len(_SENTENCES) >= _MOST_KEPT:
            _SENTENCES.pop(next(iter(_SENTENCES)), None)
        _SENTENCES[key] = change_sentence(compared, site().words, language())
    return _SENTENCES[key]
