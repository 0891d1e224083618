"""Finding a procedure and reading its sheet."""

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
from renderers.html.pagination import ON_A_PAGE, paged
from renderers.i18n.language_spans import LanguageSpan
from renderers.i18n.translations import REFERENCE
from renderers.procedure.page import ProcedureCard
from renderers.procedure.search import Searched, WordIndex
from renderers.web.platform.access import public, unproven_too
from renderers.web.platform.dossier_context import current_procedure, label, writer
from renderers.web.platform.request_context import actor, app_ctx, language, page, say, site
from renderers.web.shared.statuses import line_title, lines_public

blueprint = Blueprint("catalogue", __name__)
_THEIR_TURN = frozenset({"to_pay", "to_correct", "to_book", "ready"})


@dataclass(frozen=True, slots=True)
class Theme:
    id: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Listed:
    """The procedures of a catalogue in one language: their ids in the order of their titles, by theme too, their words."""

    catalogue: Catalogue
    ids: tuple[str, ...]
    by_theme: Mapping[str, tuple[str, ...]]
    themes: tuple[Theme, ...]
    words: WordIndex


@dataclass(frozen=True, slots=True)
class Ranked:
    """The procedures most asked for, of a list and a day; `is_known`: they are so, not only the first of the alphabet."""

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
_ON_HOME: Final = 8
_ONE_DAY, _AGAIN = timedelta(days=1), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class HomeNotice:
    kind: str
    title: str
    text: str
    href: str
    link: str


# -- lists -------------------------------------------------------------------------------------------------------------


@blueprint.get("/")
@public
@unproven_too
def home() -> Response:
    listed, ranked = in_order(), most_asked()
    return page(
        "citizen/home.html", cards=_cards_of(listed, ranked.ids), ranked=ranked.is_known, count=len(listed.ids),
        categories=listed.themes, notices=_notices(),
    )  # fmt: skip


@blueprint.get("/demarches")
@public
def catalogue() -> Response:
    query, theme = request.args.get("q", "").strip()[:100], request.args.get("theme", "")[:40]
    listed = in_order()
    heading = next((one.title for one in listed.themes if one.id == theme), say("catalogue.heading"))
    among, closest = listed.by_theme.get(theme, ()) if theme else listed.ids, ()
    if query:
        found = listed.words.find(query)
        kept = frozenset(among)
        among, closest = (tuple(one for one in ids if one in kept) for ids in (found.ids, found.closest))
    here = paged(among, request.args.get("page", ""), "/demarches", q=query, theme=theme)
    return page(
        "citizen/catalogue.html", q=query, theme=theme, cards=_cards_of(listed, here.items), count=len(among), here=here,
        closest=_cards_of(listed, closest[:ON_A_PAGE]), categories=listed.themes, heading=heading,
    )  # fmt: skip


def in_order() -> Listed:
    """All procedures in the order of their titles, those said in the language of the page first; put so once for a catalogue
    in each language."""
    kept = _listed.get(language())
    if kept is None or kept.catalogue is not app_ctx().catalogue:
        with _listing:
            kept = _listed.get(language())
            if kept is None or kept.catalogue is not app_ctx().catalogue:
                kept = _listed[language()] = _put_in_order(app_ctx().catalogue)
    return kept


def most_asked() -> Ranked:
    """What the home page shows first. The counts are read once for a catalogue and a day; while they tell nothing, now and then."""
    listed, now = in_order(), app_ctx().now()
    kept = _ranked.get(language())
    if kept is None or kept.listed is not listed or not kept.at <= now < kept.until or kept.day != app_ctx().day():
        asked = received_lately(app_ctx())
        ids = most_asked_first(listed.ids, asked)[:_ON_HOME]
        is_known = any(asked.get(one, 0) >= LEAST for one in ids)
        until = now + (_ONE_DAY if is_known else _AGAIN)
        kept = _ranked[language()] = Ranked(listed, ids, is_known, app_ctx().day(), now, until)
    return kept


def _put_in_order(catalogue: Catalogue) -> Listed:
    """What is searched of each goes as soon as its words are known: of thousands it is no small thing."""
    listed: list[tuple[bool, str, str, str]] = []

    def searched() -> Iterator[Searched]:
        for one in catalogue.summaries():
            if catalogue.fingerprint(one.id) != one.fingerprint:
                continue  # a file that no address leads to
            theme, title = one.category or "other", label(one.title)
            listed.append((isinstance(title, LanguageSpan), title.casefold(), one.id, theme))
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
    return Listed(catalogue, ids, {name: tuple(found) for name, found in by_theme.items()}, tuple(themes), words)


def _sayings() -> Iterator[str]:
    """What people say for what procedures call otherwise, in the language of the page and in French."""
    for one in dict.fromkeys((language(), REFERENCE)):
        yield from (line for key, line in site().words.texts(one).items() if key.startswith("search."))


def _cards_of(listed: Listed, ids: Iterable[str]) -> list[ProcedureCard]:
    """The cards of some procedures; a book is opened for those whose card nobody saw today."""
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
    key = f"theme.{category}"
    return say(key) if site().words.has(key) else category.replace("_", " ").capitalize()


def _notices() -> list[HomeNotice]:
    """What waits for the person who is signed in: drafts, then dossiers where it is their turn."""
    if not actor().id:
        return []
    found = []
    lines = mine(app_ctx(), actor())
    labels = lines_public(lines)
    for line in lines:
        public_key, title = labels[line.id], line_title(line)
        address = f"/dossiers/{line.number}"
        if public_key == "draft" and not line.closed:
            text = say("home.draft_text", title=title)
            found.append(HomeNotice("act", say("home.draft"), text, f"{address}/demande", say("home.draft_link")))
        elif public_key in _THEIR_TURN and not line.closed:
            text = say("home.to_do_text", title=title, status=say(f"status.{public_key}"))
            found.append(HomeNotice("act", say("home.to_do"), text, address, say("home.to_do_link")))
    return found[:3]


# -- one procedure -----------------------------------------------------------------------------------------------------


@blueprint.get("/demarches/<slug>")
@public
@unproven_too
def sheet(slug: str) -> Response:
    procedure = current_procedure(slug)
    return page("citizen/sheet.html", sheet=writer(procedure).sheet(_draft_address(procedure)))


def _draft_address(procedure: Procedure) -> str:
    if not actor().id:
        return ""
    with app_ctx().store.unit() as unit:
        draft = unit.draft_of(actor().id, procedure.id)
    return f"/dossiers/{draft.number}/demande" if draft else ""
