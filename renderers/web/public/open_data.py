"""Open data: the list of procedures, each sheet, its editions and a feed of changes. No personal data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from itertools import islice
from typing import Final

from flask import Blueprint, Response, current_app, request

from engine.model import Procedure
from engine.model.summary import EditionSummary
from engine.publication.publications import EditionRecord, edition_records
from engine.records.publications import Publication
from renderers.html.pagination import paged
from renderers.procedure.feed import FeedEntry, atom
from renderers.reports.changes import Comparison
from renderers.reports.publication import DOMAIN, SIGNATURES
from renderers.web.platform.access import public
from renderers.web.platform.dossier_context import current_procedure, label, writer
from renderers.web.platform.languages import language
from renderers.web.platform.request_context import app_ctx, file_response, page, say
from renderers.web.public.publications import history_sentences
from renderers.web.shared.editions import json_response, opened
from renderers.web.shared.staff import known, procedure_of

blueprint = Blueprint("open_data", __name__)

_A_PAGE = 200
_MOST_ENTRIES = 30
_PUBLICATIONS_READ = 60
_SINCE_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_FEEDS: Final = "guichet.feeds"  # by language and address: number of the last publication, feed


@blueprint.get("/donnees-ouvertes")
@public
def about() -> Response:
    """Show the description of the open data."""
    return page("citizen/open_data.html")


# -- procedures --------------------------------------------------------------------------------------------------------


@blueprint.get("/demarches.json")
@public
def procedures() -> Response:
    """Return the procedures as JSON in the order of their ids, 200 per page."""
    listed = sorted(app_ctx().catalogue.summaries(), key=lambda one: one.id)
    here = paged(listed, request.args.get("page", ""), "/demarches.json", size=_A_PAGE)
    return json_response({
        "count": len(listed),
        "page": here.number,
        "pages": here.count,
        "next": _address(here.next) if here.next else None,
        "procedures": [_summary(one) for one in here.items],
    }, "demarches.json")  # fmt: skip


def _summary(one: EditionSummary) -> dict[str, object]:
    return {
        "procedure": one.id, "title": dict(one.title.versions), "summary": dict(one.summary.versions),
        "agency": one.agency, "category": one.category, "edition": one.edition, "fingerprint": one.fingerprint,
        "in_force": _force(one.from_, one.until), "page": _address(f"/demarches/{one.id}"),
        "json": _address(f"/demarches/{one.id}.json"),
    }  # fmt: skip


def _force(begins: date | None, until: date | None) -> dict[str, str | None]:
    return {"from": begins.isoformat() if begins else None, "until": until.isoformat() if until else None}


def _address(path: str) -> str:
    return app_ctx().settings.base_url.rstrip("/") + path


@blueprint.get("/demarches/<slug>.json")
@public
def sheet(slug: str) -> Response:
    """Return the public sheet of a procedure as JSON, in the page's language."""
    procedure = current_procedure(slug)
    identity, agency = procedure.identity, app_ctx().directory.agencies.get(procedure.identity.agency)
    said = {
        name: value
        for name, value in asdict(writer(procedure).sheet()).items()
        if name not in ("draft", "slug", "start")
    }
    base = f"/demarches/{slug}"
    return json_response({
        "procedure": procedure.id, "edition": procedure.edition, "fingerprint": procedure.fingerprint, "language": language(),
        "in_force": _force(identity.from_, identity.until), "category": identity.category,
        "agency": {"id": identity.agency, "label": label(agency.label) if agency else identity.agency},
        "channels": list(identity.channels), "languages": list(identity.languages), "audience": list(identity.audience),
        "sheet": said,
        "laws": [{"title": label(law.title), "status": law.status, "official": law.official, "source": law.source, "article": law.article,
                  "url": law.url, "checked": law.checked.isoformat() if law.checked else None}
                 for law in procedure.laws.values()],
        "links": {"page": _address(base), "form": _address(f"{base}/formulaire.pdf"), "definition": _address(f"{base}/definition"),
                  "yaml": _address(f"{base}/definition.yaml"), "circuit": _address(f"{base}/circuit"),
                  "history": _address(f"{base}/historique"), "versions": _address(f"{base}/versions.json")},
    }, f"{slug}.json")  # fmt: skip


# -- editions ----------------------------------------------------------------------------------------------------------


@blueprint.get("/demarches/<slug>/versions.json")
@blueprint.get("/demarches/<slug>/historique.json")
@public
def versions(slug: str) -> Response:
    """Return all editions of a procedure as JSON, the newest first: author, time, commit and changes."""
    current = known(procedure_of(slug))
    reported = history_sentences(edition_records(app_ctx().store, slug), current)
    return json_response({
        "procedure": slug,
        "serving": current.edition,
        "language": language(),
        "editions": [_edition(record, sentences, current) for record, sentences in reported],
    }, f"{slug}-versions.json")  # fmt: skip


def _edition(record: EditionRecord, sentences: list[str], current: Procedure) -> dict[str, object]:
    one, reported = record.edition, record.first_publication
    procedure = opened(one)
    query = f"?fingerprint={one.fingerprint}"
    return {
        "edition": one.edition, "fingerprint": one.fingerprint, "published_at": one.published_at.isoformat(),
        "serving": one.fingerprint == current.fingerprint, "withdrawn": record.withdrawn is not None,
        "in_force": _force(procedure.identity.from_, procedure.identity.until) if procedure else None,
        "commit": one.commit, "author": one.published_by or (reported.origin.author if reported else ""),
        "reviewers": list(reported.origin.reviewers) if reported else [],
        "signature": SIGNATURES.get(reported.origin.signature) if reported else None,
        "sentences": list(sentences), "yaml": _address(f"/demarches/{one.procedure}/definition.yaml{query}"),
        "definition": _address(f"/demarches/{one.procedure}/definition{query}"),
    }  # fmt: skip


# -- the feed ----------------------------------------------------------------------------------------------------------


@blueprint.get("/demarches.atom")
@public
def changes() -> Response:
    """Serve the Atom feed of changes in all procedures, the latest first."""
    return _feed("/demarches.atom", "/demarches", say("feed.title"), "")


@blueprint.get("/demarches/<slug>/historique.atom")
@public
def changes_of_one(slug: str) -> Response:
    """Serve the Atom feed of changes in one procedure. Raises `NotFound`."""
    title = label(known(procedure_of(slug)).identity.title)
    return _feed(
        f"/demarches/{slug}/historique.atom",
        f"/demarches/{slug}/historique",
        say("feed.title_of", procedure=title),
        slug,
    )


def _feed(path: str, html: str, title: str, slug: str) -> Response:
    """Return the feed, built again after each publication. Answers 304 to a reader that has it."""
    with app_ctx().store.unit() as unit:
        last = unit.last_publication()
    key = (language(), path)
    feeds: dict[tuple[str, str], tuple[int, bytes]] = current_app.extensions.setdefault(_FEEDS, {})
    n, reported = feeds.get(key, (None, b""))
    if n != last:
        entries = list(islice(_entries(slug), _MOST_ENTRIES))
        if len(feeds) > _A_PAGE:
            feeds.clear()
        reported = atom(title, _address(path), _address(html), language(), entries, _SINCE_EVER)
        feeds[key] = last, reported
    response = file_response(reported, "application/atom+xml; charset=utf-8", "demarches.atom", inline=True)
    response.add_etag()
    response.make_conditional(request)
    return response


def _entries(slug: str) -> Iterator[FeedEntry]:
    with app_ctx().store.unit() as unit:
        reported = [one for one in unit.recent_publications(_PUBLICATIONS_READ) if one.stands]
    for publication in reported:
        for placed in publication.placed:
            if slug in ("", placed.procedure):
                entry = _entry(placed.procedure, placed.fingerprint, publication)
                if entry is not None:
                    yield entry


def _entry(slug: str, fingerprint: str, publication: Publication) -> FeedEntry | None:
    """Return the entry of one published edition, titled like `Passeport : prix modifié`. None if it is unknown."""
    current = procedure_of(slug)
    if current is None:
        return None
    reported = history_sentences(edition_records(app_ctx().store, slug), current)
    rank = next((rank for rank, (record, _) in enumerate(reported) if record.edition.fingerprint == fingerprint), None)
    if rank is None:
        return None
    record, sentences = reported[rank]
    former = record.left if publication == record.back else record.before
    others = (one.edition for one, _ in reported if one.edition.fingerprint == former)
    after, before = opened(record.edition), next(map(opened, others), None)
    themes = _themes(before, after) if after else ()
    title = label((after or current).identity.title)
    what = ", ".join(say(f"feed.changed.{one}") for one in themes) or say(
        "feed.new" if before is None else "feed.other"
    )
    return FeedEntry(
        _address(f"/demarches/{slug}/definition?fingerprint={fingerprint}#{publication.n}"), say("feed.entry", procedure=title, what=what), publication.at,
        _address(f"/demarches/{slug}/historique"), " ".join(sentences),
        record.edition.published_by or (record.first_publication.origin.author if record.first_publication else ""),
        tuple((one, say(f"changes.chapter.{one}")) for one in themes),
    )  # fmt: skip


def _themes(before: Procedure | None, after: Procedure) -> tuple[str, ...]:
    """Return the chapters of the changes that applicants notice, in the order of the comparison."""
    if before is None:
        return ()
    changed = (
        one.chapter for one in Comparison.of(before, after, app_ctx().directory).changes if one.path[0] != "accept"
    )
    return tuple(dict.fromkeys(one for one in changed if one in DOMAIN))
