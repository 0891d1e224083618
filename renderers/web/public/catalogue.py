"""Home page, catalogue of procedures and the sheet of one procedure."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Final

from flask import Blueprint, Response, request

from engine.domain.reporting.figures import LEAST, most_asked_first
from engine.language.catalogue.catalogue import Catalogue
from engine.language.catalogue.loader import glimpse
from engine.model import Procedure
from engine.services.applications.drafts import mine
from engine.services.audit.statistics import received_lately
from engine.storage.results import Busy
from renderers.html.pagination import ON_A_PAGE, paged
from renderers.i18n.translations import REFERENCE
from renderers.procedure.page import ProcedureCard
from renderers.procedure.search import Searched, WordIndex
from renderers.web.platform.access import public, unproven_too
from renderers.web.platform.dossier_context import current_procedure, label, writer
from renderers.web.platform.request_context import actor, app_ctx, language, page, say, site
from renderers.web.public.blank_forms import form_link
from renderers.web.shared.statuses import line_title, lines_public

blueprint = Blueprint("catalogue", __name__)
_THEIR_TURN = frozenset({"to_pay", "to_correct", "to_book", "ready", "to_do"})


# The tiles of the home page: each leads to the procedures that name one of its life events.
SITUATIONS: Final[Mapping[str, frozenset[str]]] = {
    "travel": frozenset({"voyager", "passeport"}),
    "loss": frozenset({"perte"}),
    "work": frozenset({"emploi", "travailler", "concours"}),
    "family": frozenset({"naissance", "mariage", "deces", "majorite"}),
    "home": frozenset({"s_installer", "sejourner", "construire"}),
    "driving": frozenset({"conduire"}),
    "business": frozenset({"creer_entreprise", "marche_public"}),
    "studies": frozenset({"etudier"}),
}


@dataclass(frozen=True, slots=True)
class Theme:
    """A category or a situation, with its number of procedures."""

    id: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Listed:
    """The procedures of a catalogue in one language: ids in the order of titles, also by group, and a search index.

    `usual` begins with those that serve in the most life events.
    """

    catalogue: Catalogue
    ids: tuple[str, ...]
    usual: tuple[str, ...]
    by_theme: Mapping[str, tuple[str, ...]]
    themes: tuple[Theme, ...]
    by_situation: Mapping[str, tuple[str, ...]]
    situations: tuple[Theme, ...]
    words: WordIndex


@dataclass(frozen=True, slots=True)
class Ranked:
    """The most requested procedures of a list on a day.

    `is_known` is False while too few requests were counted. `ids` are then those that serve most often in life.
    """

    listed: Listed
    ids: tuple[str, ...]
    is_known: bool
    day: date
    at: datetime
    until: datetime


_listed: dict[str, Listed] = {}  # by language
_ranked: dict[str, Ranked] = {}  # by language
_listing = Lock()
_cards: OrderedDict[tuple[str, str, date], ProcedureCard] = OrderedDict()  # by fingerprint, language and day
_MOST_CARDS: Final = 4096
_ON_HOME: Final = 5
_ONE_DAY, _AGAIN, _SOON = timedelta(days=1), timedelta(minutes=10), timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class HomeNotice:
    """A notice on the home page for the signed-in applicant."""

    title: str
    text: str
    href: str
    link: str


# -- lists -------------------------------------------------------------------------------------------------------------


@blueprint.get("/")
@public
@unproven_too
def home() -> Response:
    """Show what waits for the signed-in applicant, the situations and the most requested procedures."""
    listed, ranked = in_order(), most_asked()
    return page(
        "citizen/home.html", cards=_cards_of(listed, ranked.ids), ranked=ranked.is_known, count=len(listed.ids),
        categories=listed.themes, situations=listed.situations, notices=_notices(),
    )  # fmt: skip


@blueprint.get("/demarches")
@public
def catalogue() -> Response:
    """Show the procedures of a theme, of a situation or of a search, paginated. A search also lists near matches."""
    query, theme = request.args.get("q", "").strip()[:100], request.args.get("theme", "")[:40]
    situation = request.args.get("situation", "")[:40]
    listed = in_order()
    groups = (*((one, situation) for one in listed.situations), *((one, theme) for one in listed.themes))
    heading = next((one.title for one, asked in groups if one.id == asked), say("catalogue.heading"))
    among, closest = listed.by_theme.get(theme, ()) if theme else listed.ids, ()
    if situation:
        among = listed.by_situation.get(situation, ())
    if query:
        found = listed.words.find(query)
        kept = frozenset(among)
        among, closest = (tuple(one for one in ids if one in kept) for ids in (found.ids, found.closest))
    here = paged(among, request.args.get("page", ""), "/demarches", q=query, theme=theme, situation=situation)
    return page(
        "citizen/catalogue.html", q=query, theme=theme, cards=_cards_of(listed, here.items), count=len(among), here=here,
        closest=_cards_of(listed, closest[:ON_A_PAGE]), categories=listed.themes, heading=heading,
    )  # fmt: skip


def in_order() -> Listed:
    """Return all procedures in the order of titles, those in the page's language first.

    Built once for each catalogue and language.
    """
    kept = _listed.get(language())
    if kept is None or kept.catalogue is not app_ctx().catalogue:
        with _listing:
            kept = _listed.get(language())
            if kept is None or kept.catalogue is not app_ctx().catalogue:
                kept = _listed[language()] = _put_in_order(app_ctx().catalogue)
    return kept


def most_asked() -> Ranked:
    """Return the procedures that the home page shows first.

    The counts are read once for each catalogue and day. While they are too small to rank by, they are read every ten
    minutes. While the store is silent, the last order stays.
    """
    listed, now = in_order(), app_ctx().now()
    kept = _ranked.get(language())
    if kept is None or kept.listed is not listed or not kept.at <= now < kept.until or kept.day != app_ctx().day():
        ids, is_known, lasts = _rank(listed, kept)
        kept = _ranked[language()] = Ranked(listed, ids, is_known, app_ctx().day(), now, now + lasts)
    return kept


def _rank(listed: Listed, kept: Ranked | None) -> tuple[tuple[str, ...], bool, timedelta]:
    """Return the first procedures, whether the counts rank them, and how long that lasts."""
    try:
        asked = received_lately(app_ctx())
    except Busy:  # the home page needs no store: it keeps the last order
        same = kept is not None and kept.listed is listed
        return (kept.ids, kept.is_known, _SOON) if kept and same else (listed.usual[:_ON_HOME], False, _SOON)
    ids = most_asked_first(listed.usual, asked)[:_ON_HOME]
    is_known = any(asked.get(one, 0) >= LEAST for one in ids)
    return ids, is_known, _ONE_DAY if is_known else _AGAIN


def _put_in_order(catalogue: Catalogue) -> Listed:
    """Return the sorted list with its search index. Texts are indexed one by one and not stored, to save memory."""
    listed: list[tuple[bool, str, str, str]] = []
    moments: dict[str, frozenset[str]] = {}

    def searched() -> Iterator[Searched]:
        for one in catalogue.summaries():
            if catalogue.fingerprint(one.id) != one.fingerprint:
                continue  # an edition that no address serves
            theme, title = one.category or "other", label(one.title)
            listed.append((language() not in one.languages, title.casefold(), one.id, theme))
            moments[one.id] = frozenset(one.life_events)
            yield Searched(one.id, title, f"{label(one.summary)} {theme} {one.id}")

    words = WordIndex(searched(), _sayings())
    listed.sort()
    ids = tuple(name for _, _, name, _ in listed)
    words.put_in_order(ids)
    by_theme: dict[str, list[str]] = defaultdict(list)
    for _, _, name, theme in listed:
        by_theme[theme].append(name)
    themes = sorted(
        (Theme(name, theme_title(name), len(ids)) for name, ids in by_theme.items()), key=lambda one: one.title
    )
    by_situation = {name: tuple(one for one in ids if moments[one] & events) for name, events in SITUATIONS.items()}
    situations = (Theme(name, say(f"situation.{name}"), len(found)) for name, found in by_situation.items() if found)
    return Listed(
        catalogue, ids, tuple(name for *_, name, _ in sorted(listed, key=lambda one: (one[0], -len(moments[one[2]])))),
        {name: tuple(found) for name, found in by_theme.items()}, tuple(themes), by_situation, tuple(situations), words,
    )  # fmt: skip


def _sayings() -> Iterator[str]:
    """Yield everyday words for terms of procedures, in the page's language and in French."""
    for one in dict.fromkeys((language(), REFERENCE)):
        yield from (line for key, line in site().words.texts(one).items() if key.startswith("search."))


def _cards_of(listed: Listed, ids: Iterable[str]) -> list[ProcedureCard]:
    """Return the cards of procedures. Only cards not drawn today load their procedure."""
    return [_card(listed.catalogue, one) for one in ids]


def _card(catalogue: Catalogue, procedure_id: str) -> ProcedureCard:
    key = (catalogue.fingerprint(procedure_id) or "", language(), app_ctx().day())
    card = _cards.get(key)
    if card is None:
        card = _cards[key] = writer(glimpse(catalogue.procedures, procedure_id)).card()
        while len(_cards) > _MOST_CARDS:
            _cards.popitem(last=False)
    return card


def theme_title(category: str) -> str:
    """Return the title of a category in the page's language, or its code in plain form if untranslated."""
    key = f"theme.{category}"
    return say(key) if site().words.has(key) else category.replace("_", " ").capitalize()


def _notices() -> list[HomeNotice]:
    """Return up to three notices for the signed-in applicant: drafts, and dossiers that wait for the applicant."""
    if not actor().id:
        return []
    found = []
    lines = mine(app_ctx(), actor())
    labels = lines_public(lines)
    for line in lines:
        public_key, title = labels[line.id], line_title(line)
        address = f"/dossiers/{line.number}"
        if public_key == "draft" and not line.closed:
            said = say("home.draft", title=title)
            found.append(HomeNotice(said, say("home.draft_text"), f"{address}/demande", say("home.draft_link")))
        elif public_key in _THEIR_TURN and not line.closed:
            said = say("home.to_do", title=title)
            found.append(HomeNotice(said, say(f"status.{public_key}"), address, say("home.to_do_link")))
    return found[:3]


# -- one procedure -----------------------------------------------------------------------------------------------------


@blueprint.get("/demarches/<slug>")
@public
@unproven_too
def sheet(slug: str) -> Response:
    """Show the public sheet of a procedure. Answers 404 for an unknown procedure."""
    procedure = current_procedure(slug)
    draft = _draft_address(procedure)
    return page("citizen/procedure.html", sheet=writer(procedure).sheet(draft), form=form_link(procedure))


def _draft_address(procedure: Procedure) -> str:
    """Return the address of the actor's draft of a procedure, empty without one."""
    if not actor().id:
        return ""
    with app_ctx().store.unit() as unit:
        draft = unit.draft_of(actor().id, procedure.id)
    return f"/dossiers/{draft.number}/demande" if draft else ""
