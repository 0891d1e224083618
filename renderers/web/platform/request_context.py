"""What all desks share: the site at hand, who is asking, pages, and what a form carries. Sessions are the office's: the
cookie holds their token and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from html import escape
from typing import Final, cast
from urllib.parse import urlencode

from flask import Response, abort, current_app, g, make_response, redirect, request, session
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from engine.core.clock import local_day
from engine.core.values import digits_only, new_id
from engine.integrations.simulated_operator import SandboxOperator
from engine.records.dossier import ANONYMOUS, Actor
from engine.services.accounts.assistance import helping, person_named
from engine.services.accounts.delegation import acting_for, principal_name
from engine.services.context.app_context import AppContext, NotFound
from engine.services.context.rate_limit import network_of
from engine.services.limits.askers import Asker
from engine.services.limits.known_browsers import with_account
from engine.services.sign_in.sessions import SignedIn, actor_of, sign_out
from engine.storage.unit_of_work import Busy
from renderers.html.controls import national
from renderers.html.templates import Pages
from renderers.i18n.language_spans import as_text
from renderers.i18n.translations import Translations
from renderers.web.platform.assets import Assets
from renderers.web.platform.languages import LanguageChoice, choices, language

# The first that is named wins: each browser also says the names of those it came after.
_BROWSERS: Final = (
    ("Opera Mini", "Opera Mini"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("UCBrowser", "UC Browser"),
    ("Edg", "Edge"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("KAIOS", "KaiOS"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS", "Mac"), ("Linux", "Linux"), ("J2ME", "Java"),
)  # fmt: skip


def device_named(user_agent: str) -> str:
    """Browser and system; nothing for what says neither."""
    found = (next((name for sign, name in table if sign in user_agent), "") for table in (_BROWSERS, _SYSTEMS))
    return " – ".join(filter(None, found))


APPLICANT_AREA: Final = "citizen"
AGENT_AREA: Final = "agent"
AUDITOR_AREA: Final = "audit"
COUNTER_AREA: Final = "counter"  # the desk of agents, while one of them helps somebody who is there
CLAIM: Final = "claim"  # not a desk: the cookie of a browser where somebody began without their code
_SERVED: Final = "served"  # in the browser's signed cookie: what tells it apart once it was served
ACTING: Final = "acting"  # in the browser's signed cookie: the mandate under which somebody acts
PROOF: Final = "/connexion/code"  # where the number that was given is proven
_KINDS: Final = {APPLICANT_AREA: "applicant", AGENT_AREA: "agent", AUDITOR_AREA: "auditor", COUNTER_AREA: "agent"}
_HOMES: Final = {APPLICANT_AREA: "/", AGENT_AREA: "/agent", AUDITOR_AREA: "/audit", COUNTER_AREA: "/agent/guichet"}
_LONGEST_TOKEN: Final = 200
_THIRTY_DAYS: Final = 30 * 24 * 3600
_KNOWN: Final = "known"  # not a desk: the cookie of a browser that accounts signed in from
_KNOWN_FOR: Final = 400 * 24 * 3600  # the longest that browsers allow


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """What the web of one installation chooses."""

    https: bool = False
    demo: bool = False
    phone: str = "22 00 00 00"
    security_contact: str = ""
    warning: Callable[[], str] = field(default=lambda: "")  # for those who can mend it: a file that could not be read
    followed: str = ""  # the repository whose commits publish, as it may be shown
    cookie: str = "guichet"  # how the names of the session cookies begin: ports of one machine share them


@dataclass(frozen=True, slots=True)
class Site:
    """Everything the desks work with."""

    office: AppContext
    words: Translations
    pages: Pages
    assets: Assets
    settings: SiteSettings = SiteSettings()
    operator: SandboxOperator | None = None  # the simulated operator, in demonstrations


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds every page."""

    home: str
    demo: bool
    warning: str
    signed_in: bool
    unproven: str  # where somebody proves their number who has not; empty for everybody else
    phone: str
    phone_link: str
    phone_hours: str
    csrf: Callable[[], str]
    actor: Actor
    principal: str  # whom they act for
    helped: str  # whom an agent helps at a counter
    languages: tuple[LanguageChoice, ...]


def site() -> Site:
    return cast(Site, current_app.extensions["guichet"])


def app_ctx() -> AppContext:
    return site().office


def say(key: str, /, **facts: object) -> str:
    """A sentence of the words, in the language of the page."""
    return site().words.say(key, language(), {name: as_text(value) for name, value in facts.items()})


def day_of(when: date | datetime) -> str:
    """`1er décembre 2026` in the language of the page; an instant by its day here."""
    return site().words.plain_day(local_day(when) if isinstance(when, datetime) else when, language())


def moment_of(instant: datetime | None) -> str:
    """`mardi 1er décembre 2026 à 8 h 15` in the language of the page; nothing of no instant."""
    return site().words.moment(instant, language()) if instant else ""


# -- who is asking -----------------------------------------------------------------------------------------------------


def actor() -> Actor:
    """Who asks, at the desk this request is for; `ANONYMOUS` when nobody is signed in there."""
    area = g.get("desk", APPLICANT_AREA)
    known: dict[str, Actor] = g.setdefault("actors", {})
    if area not in known:
        who = _who(area)
        known[area] = who if who is ANONYMOUS else replace(who, language=language())
    if known[area] is ANONYMOUS and area == APPLICANT_AREA and g.get("unproven_too", False):
        return claimant()
    return known[area]


def claimant() -> Actor:
    """Who began in this browser without proving their number; `ANONYMOUS` when nobody did."""
    if "claimant" not in g:
        token = session_token(CLAIM)
        found = actor_of(app_ctx(), token) if token else None
        g.claimant = replace(found, language=language()) if found and found.unproven else ANONYMOUS
    return cast(Actor, g.claimant)


def _known_actor() -> Actor:
    """Who asks, as far as it can be told: the frame of a page, an error's above all, never fails for want of a name."""
    if g.get("broken", False):
        known: dict[str, Actor] = g.get("actors", {})
        return known.get(g.get("desk", APPLICANT_AREA), ANONYMOUS)
    try:
        return actor()
    except Busy:
        return ANONYMOUS


def broken() -> None:
    """Says that something failed under this request: its page is drawn without asking the store for anything."""
    g.broken = True


def _who(area: str) -> Actor:
    token = request.cookies.get(_cookie(area), "")
    found = actor_of(app_ctx(), token, touches=not g.get("passive", False)) if token else None
    if found is None or found.kind != _KINDS[area] or found.unproven:
        return ANONYMOUS
    g.myself = found
    if area == COUNTER_AREA:
        return helping(app_ctx(), found) or found
    mandate = session.get(ACTING, "") if area == APPLICANT_AREA else ""
    return (acting_for(app_ctx(), found, mandate) or found) if mandate else found


def myself() -> Actor:
    """Who asks, whoever they act for at this moment."""
    who = actor()
    return cast(Actor, g.get("myself", who)) if who.principal else who


def _cookie(area: str) -> str:
    own, area = site().settings.cookie, AGENT_AREA if area == COUNTER_AREA else area
    name = own if area == APPLICANT_AREA else f"{own}-{area}"
    return f"__Host-{name}" if site().settings.https else name


def session_token(area: str = APPLICANT_AREA) -> str:
    """The token of the session that this request carries at a desk; empty without one."""
    return request.cookies.get(_cookie(area), "")


def client() -> str:
    """The key under which the address of this request is counted; empty without an address."""
    return network_of(request.remote_addr or "")


def asker() -> Asker:
    """Who asks for what may be had without signing in, to count it."""
    who = actor()
    account = "" if who.unproven or not who.id else myself().id
    return Asker(client(), str(session.get(_SERVED, "")), known_browser(), account, staff=who.kind == "agent")


def note_served() -> None:
    """This browser got what it asked for: from now on it is counted by itself (`askers`)."""
    session.setdefault(_SERVED, new_token())


def device() -> str:
    """What the request comes from, as its owner would say it."""
    return device_named(request.headers.get("User-Agent", ""))


def forget_all() -> None:
    """Empties the browser's signed cookie, but for what it is counted by."""
    served = session.get(_SERVED)
    session.clear()
    if served:
        session[_SERVED] = served


def known_browser() -> str:
    """What this browser keeps of the accounts that signed in from it; empty for one that none did."""
    return request.cookies.get(_cookie(_KNOWN), "")


def open_session(response: Response, signed: SignedIn, area: str = APPLICANT_AREA, keep: bool = False) -> Response:
    """Hands the browser its session, and the tag of an account that proved who it is; the session before, at this desk, is
    closed."""
    before = request.cookies.get(_cookie(area), "")
    if before:
        sign_out(app_ctx(), before)
    response.set_cookie(
        _cookie(area), signed.token, max_age=_THIRTY_DAYS if keep else None, path="/", httponly=True,
        samesite="Lax", secure=site().settings.https,
    )  # fmt: skip
    if not signed.actor.unproven:
        response.set_cookie(
            _cookie(_KNOWN), with_account(app_ctx(), signed.actor.id, known_browser()), max_age=_KNOWN_FOR, path="/",
            httponly=True, samesite="Lax", secure=site().settings.https,
        )  # fmt: skip
    return response


def close_session(response: Response, area: str = APPLICANT_AREA) -> Response:
    token = request.cookies.get(_cookie(area), "")
    if token:
        sign_out(app_ctx(), token)
    response.delete_cookie(_cookie(area), path="/", httponly=True, samesite="Lax", secure=site().settings.https)
    return response


# -- answers -----------------------------------------------------------------------------------------------------------


def page(template: str, status: int = 200, **context: object) -> Response:
    """A page in its frame."""
    return make_response(html(template, **context), status)


def html(template: str, **context: object) -> str:
    return site().pages.render(template, language(), {"frame": _frame(), **context})


def _frame() -> Frame:
    settings = site().settings
    who = _known_actor()
    return Frame(
        home=_HOMES[g.get("desk", APPLICANT_AREA)],
        demo=settings.demo,
        warning=settings.warning() if settings.demo or who.kind in ("agent", "auditor") else "",
        signed_in=bool(who.id) and not who.unproven,
        unproven=f"{PROOF}?{urlencode({'suite': request.path})}" if who.unproven else "",
        phone=settings.phone,
        phone_link="+228" + digits_only(settings.phone),
        phone_hours=say("frame.phone_hours"),
        csrf=_csrf,
        actor=who,
        principal=_principal(who),
        helped=_helped(who),
        languages=tuple(choices(_HOMES[g.get("desk", APPLICANT_AREA)])),
    )


def _principal(who: Actor) -> str:
    if not who.principal or who.kind == "agent" or g.get("broken", False):
        return ""
    try:
        return principal_name(app_ctx(), who)
    except Busy:
        return ""


def _helped(who: Actor) -> str:
    """The sentence that an agent who helps reads on every page."""
    if not who.principal or who.kind != "agent" or g.get("broken", False):
        return ""
    try:
        name, phone = person_named(app_ctx(), who)
    except (Busy, NotFound):
        return ""
    said = name or (
        say("counter.person_phone", phone=national(phone).replace(" ", "\u00a0")) if phone else say("counter.person")
    )
    return f"{said} – {say('counter.bar_phone' if phone else 'counter.bar')}"


def at_counter() -> bool:
    """Whether an agent does this with somebody who is there."""
    return bool(g.get("desk") == COUNTER_AREA)


def dossiers_home() -> str:
    """Where the dossiers of whoever is at this desk are listed, and under which each has its address."""
    return "/agent/guichet" if at_counter() else "/dossiers"


def _csrf() -> str:
    """The token of the forms. It lasts as long as the browser keeps its cookie, which is handed out anew on each day that
    it is used: phones open old tabs again."""
    g.shareable = False
    today = app_ctx().day().isoformat()
    if session.get("day") != today:
        session.permanent, session["day"] = True, today
    session.setdefault("csrf_token", new_id())
    return generate_csrf()


def go(address: str) -> Response:
    """After a post: see other. The body is a short link (RFC 9110, section 15.4): browsers go on without reading it."""
    response = make_response(redirect(address, code=303))
    response.set_data(f'<a href="{escape(response.location or "")}">303</a>')
    return response


def file_response(body: bytes, kind: str, name: str, inline: bool = False) -> Response:
    """A file to keep. What people handed in never runs: it is sandboxed and named as data."""
    response = make_response(body)
    response.headers["Content-Type"] = kind
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in name)[:80]
    response.headers["Content-Disposition"] = f'{"inline" if inline else "attachment"}; filename="{safe}"'
    return response


def new_token() -> str:
    """What a form carries so that a double tap is one act."""
    return new_id()


def form_token() -> str | None:
    """The token of the form sent, if it carries one; no form of ours carries a long one."""
    token = request.form.get("token", "")
    if len(token) > _LONGEST_TOKEN:
        abort(400)
    return token or None


def form_revision() -> int | None:
    """The revision the person saw, if the form carried one."""
    text = request.form.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def safe_next(address: str | None, otherwise: str) -> str:
    """A path of this site that one of our pages answers, else `otherwise`: never another site."""
    if not address or not address.startswith("/") or address.startswith("//") or len(address) > 300:
        return otherwise
    if any(ord(sign) <= 32 or ord(sign) > 126 or sign == "\\" for sign in address):
        return otherwise
    path = address.partition("?")[0]
    try:
        current_app.create_url_adapter(request).match(path, method="GET")  # type: ignore[union-attr]
    except RequestRedirect:
        return address
    except HTTPException:
        return otherwise
    return address


# -- dossiers ----------------------------------------------------------------------------------------------------------


def dossier_number(text: str) -> str:
    """The number of an address, as the office takes it; anything else is not a dossier. Whether this person may see the
    dossier is the office's to say."""
    if len(text) != 11 or not (text.isascii() and text.isdigit()):
        raise NotFound
    return text
