"""Finding a procedure, reading its sheet, learning whether it is the right one, beginning."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.clock import local_day
from engine.definition.catalogue import Catalogue
from engine.definition.model import Criterion, Procedure
from engine.office.intake import mine, open_dossier, see_form
from engine.office.office import NotFound
from engine.office.reuse import Earlier, earlier_requests, take_over
from engine.office.statistics import received_lately
from engine.records.dossier import Actor
from engine.rules.criteria import adopt_criteria, next_criterion, read_criterion, stopped_by, view_criterion
from engine.rules.field_kinds.kind import Speech
from engine.rules.most_asked import LEAST, most_asked_first
from engine.rules.view import AnswerProblem, FormView
from engine.values import Plain
from renderers.paging import ON_A_PAGE, paged
from renderers.procedure_page import ProcedureCard
from renderers.search import Searched, WordIndex
from renderers.spoken import Spoken
from renderers.web.base import actor, form_token, go, language, new_token, office, page, say, site
from renderers.web.cases import current_procedure, label, writer
from renderers.web.guards import public, unproven_too
from renderers.web.statuses import line_title, lines_public
from renderers.web_form import Control, Drawing, field_control

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
    if kept is None or kept.catalogue is not office().catalogue:
        with _listing:
            kept = _listed.get(language())
            if kept is None or kept.catalogue is not office().catalogue:
                kept = _listed[language()] = _put_in_order(office().catalogue)
    return kept


def most_asked() -> Ranked:
    """What the home page shows first. The counts are read once for a catalogue and a day; while they tell nothing, now and then."""
    listed, now = in_order(), office().now()
    kept = _ranked.get(language())
    if kept is None or kept.listed is not listed or not kept.at <= now < kept.until or kept.day != office().day():
        asked = received_lately(office())
        ids = most_asked_first(listed.ids, asked)[:_ON_HOME]
        is_known = any(asked.get(one, 0) >= LEAST for one in ids)
        until = now + (_ONE_DAY if is_known else _AGAIN)
        kept = _ranked[language()] = Ranked(listed, ids, is_known, office().day(), now, until)
    return kept


def _put_in_order(catalogue: Catalogue) -> Listed:
    def searched() -> Iterator[tuple[Searched, str]]:
        for one in catalogue.outlines():
            if catalogue.fingerprint(one.id) != one.fingerprint:
                continue  # a file that no address leads to
            theme = one.category or "other"
            yield Searched(one.id, label(one.title), f"{label(one.summary)} {theme} {one.id}"), theme

    listed = sorted(searched(), key=lambda pair: (isinstance(pair[0].title, Spoken), pair[0].title.casefold()))
    by_theme: dict[str, list[str]] = defaultdict(list)
    for one, theme in listed:
        by_theme[theme].append(one.id)
    themes = sorted(
        (Theme(name, theme_title(name), len(ids)) for name, ids in by_theme.items()), key=lambda one: one.title
    )
    return Listed(
        catalogue, tuple(one.id for one, _ in listed), {name: tuple(ids) for name, ids in by_theme.items()}, tuple(themes),
        WordIndex(one for one, _ in listed),
    )  # fmt: skip


def _cards_of(listed: Listed, ids: Iterable[str]) -> list[ProcedureCard]:
    """The cards of some procedures; a book is opened for those whose card nobody saw today."""
    return [_card(listed.catalogue, one) for one in ids]


def _card(catalogue: Catalogue, procedure_id: str) -> ProcedureCard:
    key = (catalogue.fingerprint(procedure_id) or "", language(), office().day())
    card = _cards.get(key)
    if card is None:
        card = _cards[key] = writer(catalogue.procedures[procedure_id]).card()
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
    lines = mine(office(), actor())
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
    with office().store.unit() as unit:
        draft = unit.draft_of(actor().id, procedure.id)
    return f"/dossiers/{draft.number}/demande" if draft else ""


@blueprint.get("/demarches/<slug>/verifier")
@public
def check_right(slug: str) -> Response:
    """One question a page; the answers travel in the address, and go on into the form."""
    procedure = current_procedure(slug)
    walk = walk_criteria(procedure, request.args)
    back = f"/demarches/{slug}"
    if walk.criterion is not None and walk.stops:
        return stopped_page(procedure, walk, walk.criterion, f"{back}/verifier")
    if walk.criterion is not None:
        return question_page(procedure, walk, walk.criterion, f"{back}/verifier")
    return _start_page(procedure, walk, eligible=bool(procedure.eligibility))


def stopped_page(procedure: Procedure, walk: Walk, criterion: Criterion, base: str) -> Response:
    """Why this procedure is not the one, and which is."""
    earlier = {name: value for name, value in walk.carried.items() if name != criterion.id}
    return page(
        "citizen/ineligible.html", procedure=label(procedure.identity.title), because=label(criterion.because),
        instead=_instead(criterion), offline=_offline(procedure, criterion), service=_service(procedure), back=f"{base}?{urlencode(earlier)}",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the questions stand: the next one, or the one that `stops`; what was answered, as values and as typed."""

    criterion: Criterion | None
    stops: bool
    given: Mapping[str, Plain]
    carried: Mapping[str, str]
    problems: tuple[AnswerProblem, ...] = ()


def walk_criteria(procedure: Procedure, typed: Mapping[str, str]) -> Walk:
    day, directory = local_day(office().now()), office().directory
    given: dict[str, Plain] = {}
    carried: dict[str, str] = {}
    while (criterion := next_criterion(procedure, given, day, directory)) is not None:
        posted = {name: [typed[name]] for name in typed if name == criterion.id or name.startswith(f"{criterion.id}_")}
        if not posted and typed.get("etape") != criterion.id:
            return Walk(criterion, False, given, carried)
        answers, problems = read_criterion(procedure, criterion, posted, given, day, directory)
        if problems:
            return Walk(criterion, False, {**given, criterion.id: answers.get(criterion.id)}, carried, problems)
        if answers.get(criterion.id) == given.get(criterion.id):  # a question that may stay unanswered is passed
            return Walk(None, False, given, carried)
        given = answers
        carried |= {name: values[0] for name, values in posted.items()}
        stopped = stopped_by(procedure, given, day, directory)
        if stopped is not None:
            return Walk(stopped, True, given, carried)
    return Walk(None, False, given, carried)


def question_page(procedure: Procedure, walk: Walk, criterion: Criterion, base: str) -> Response:
    """One question, answered at the address it is shown at; `base` is where all of them begin."""
    speech = Speech(office().wording, language())
    day, directory = local_day(office().now()), office().directory
    view = view_criterion(procedure, criterion, walk.given, day, directory, speech, walk.problems)
    control = field_control(view, Drawing(site().words, language()))
    errors = [(f"#{control.id}", control.error)] if control.error else []
    order = [one.id for one in procedure.eligibility]
    step = order.index(criterion.id) + 1
    answered = list(walk.carried.items())
    back = f"{base}?{urlencode(answered[:-1])}" if answered else base.removesuffix("/verifier")
    return page(
        "citizen/eligibility.html", 422 if errors else 200, procedure=label(procedure.identity.title), control=control,
        choices=_choices(control), carried=answered, step=step, count=len(order), back=back, errors=errors,
    )  # fmt: skip


def _choices(control: Control) -> list[tuple[str, str, bool]]:
    if control.kind == "yes_no":
        return [("oui", say("answer.positive"), control.value == "true"), ("non", say("answer.negative"), False)]
    return [(option.code, label(option.label), option.chosen) for option in control.options if not option.shut]


def _instead(criterion: Criterion) -> Mapping[str, str] | None:
    """The procedure that suits better, if it is one of ours."""
    other = office().catalogue.outline(criterion.instead or "")
    return {"href": f"/demarches/{other.id}", "title": label(other.title)} if other else None


def _offline(procedure: Procedure, criterion: Criterion) -> str:
    """Which procedure suits better, by its name, and where to ask for it, while it is not online."""
    if criterion.instead is None or criterion.instead in office().catalogue.procedures:
        return ""
    agency, title = writer(procedure).agency(), label(criterion.instead_title)
    if not title:
        return say("eligibility.instead_nameless", agency=agency)
    return say("eligibility.instead_offline", title=title, agency=agency)


def _service(procedure: Procedure) -> Mapping[str, object]:
    """Whom to ask in person. No form is offered to who is stopped: it would refuse them at its end."""
    sheet = writer(procedure)
    return {"agency": sheet.agency(), "offices": sheet.offices()}


# -- beginning ---------------------------------------------------------------------------------------------------------


@blueprint.get("/demarches/<slug>/commencer")
@public
def before_start(slug: str) -> Response:
    procedure = current_procedure(slug)
    walk = walk_criteria(procedure, request.args)
    if walk.criterion is not None:
        return go(f"/demarches/{slug}/verifier?{urlencode(walk.carried)}")
    return _start_page(procedure, walk, eligible=False)


def _start_page(procedure: Procedure, walk: Walk, eligible: bool) -> Response:
    return page(
        "citizen/start.html", sheet=writer(procedure).sheet(), eligible=eligible, carried=list(walk.carried.items()),
        token=new_token(), action=f"/demarches/{procedure.id}/commencer",
        earlier=[_earlier(one) for one in earlier_requests(office(), actor(), procedure.id, walk.given, language())],
    )  # fmt: skip


def _earlier(found: Earlier) -> Mapping[str, str]:
    """An earlier request as it is offered: which, its number, and what of it would be taken over."""
    counts = [say("reuse.answers", count=found.answers)] if found.answers else []
    counts += [say("reuse.files", count=found.files)] if found.files else []
    return {
        "number": found.dossier.number, "day": sent_day(found.dossier.submitted_at or found.dossier.created_at),
        "title": label(found.book.identity.title), "name": found.dossier.label, "what": say("reuse.both").join(counts),
    }  # fmt: skip


def sent_day(at: datetime) -> str:
    return site().words.plain_day(local_day(at), language())


@blueprint.post("/demarches/<slug>/commencer")
@public
@unproven_too
def start(slug: str) -> Response:
    """Opens the draft, or remembers it while the person signs in."""
    procedure = current_procedure(slug)
    walk = walk_criteria(procedure, request.form)
    if walk.criterion is not None:
        return go(f"/demarches/{slug}/verifier?{urlencode(walk.carried)}")
    if actor().id:
        return go(open_draft(actor(), procedure.id, walk.given, form_token(), request.form.get("reuse", "")[:20]))
    session["opening"] = {
        "procedure": procedure.id, "given": dict(walk.given), "token": form_token(), "carried": dict(walk.carried),
    }  # fmt: skip
    return go("/connexion")


def begun_by(who: Actor, opening: Mapping[str, Any]) -> str:
    """Where somebody goes on who was about to begin and has signed in since: who applied before is offered their answers."""
    procedure_id, given = str(opening["procedure"]), opening.get("given") or {}
    if earlier_requests(office(), who, procedure_id, given, language()):
        return f"/demarches/{procedure_id}/commencer?{urlencode(opening.get('carried') or {})}"
    return open_draft(who, procedure_id, given, opening.get("token"))


def open_draft(
    who: Actor, procedure_id: str, given: Mapping[str, Plain], token: str | None, earlier: str = ""
) -> str:  # fmt: skip
    """Opens the draft, or finds the one there is, with the answers of an `earlier` request if one is named. The address where
    it goes on."""
    criteria = adopt_criteria(
        current_procedure(procedure_id), given, local_day(office().now()), office().directory
    )  # fmt: skip
    dossier = open_dossier(office(), who, procedure_id, criteria=criteria, language=language(), token=token)
    if earlier:
        with suppress(NotFound):  # erased meanwhile, or never theirs: the questions are simply asked
            dossier = take_over(office(), who, dossier.id, earlier, token=token)
    form = see_form(office(), who, dossier.id)
    base = f"/dossiers/{dossier.number}/demande"
    begun = any(one.visited for one in form.pages)
    asks_earlier = bool(current_procedure(procedure_id).links())  # named from the list of steps, before the questions
    if dossier.reused is not None and not asks_earlier:
        following = first_to_do(form)
        return f"{base}/{following}" if following else f"/dossiers/{dossier.number}/verification"
    return base if begun or asks_earlier or not form.pages else f"{base}/{form.pages[0].id}"


def first_to_do(form: FormView) -> str:
    """The page where a draft goes on; empty when every page is complete."""
    return next((one.id for one in form.pages if not one.complete or not one.visited), "")


def next_to_do(form: FormView, page_id: str, seen: bool) -> str:
    """After a page, the next one that lacks something, else one before it; empty when none does. `seen`: pages that nobody
    came to count too."""
    ids = [one.id for one in form.pages]
    left = [one.id for one in form.pages if one.id != page_id and not (one.complete and (one.visited or not seen))]
    place = ids.index(page_id) if page_id in ids else -1
    return next((one for one in left if ids.index(one) > place), left[0] if left else "")
