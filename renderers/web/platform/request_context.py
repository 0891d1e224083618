"""Request context of all areas: site, actor, sessions, pages, and the fields of a form.

Services manage the sessions. The cookie holds only their token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from html import escape
from typing import Final, cast
from urllib.parse import urlencode

from flask import Response, abort, current_app, g, make_response, redirect, request, session
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from engine.core.clock import local_day
from engine.core.values import digits_only, new_id
from engine.integrations.simulated_operator import SandboxOperator
from engine.operations.portal import Portal
from engine.records.dossier import ANONYMOUS, Actor
from engine.services.accounts.assistance import helping, person_named
from engine.services.accounts.delegation import acting_for, principal_name
from engine.services.context.app_context import AppContext, NotFound
from engine.services.context.rate_limit import network_of
from engine.services.limits.code_limits import Asker
from engine.services.limits.guesses import with_account
from engine.services.sign_in.sessions import SignedIn, actor_of, sign_out
from engine.storage.results import Busy
from renderers.html.controls import national
from renderers.html.templates import Pages
from renderers.i18n.formats import device_named
from renderers.i18n.language_spans import as_text
from renderers.i18n.translations import REFERENCE, Translations, in_language
from renderers.web.platform.assets import Assets
from renderers.web.platform.languages import LanguageChoice, choices, language
from renderers.web.platform.security import csrf_token

APPLICANT_AREA: Final = "citizen"
AGENT_AREA: Final = "agent"
AUDITOR_AREA: Final = "audit"
COUNTER_AREA: Final = "counter"  # the area of agents while one assists an applicant at a counter
CLAIM: Final = "claim"  # not an area: the cookie of a browser with an unverified draft
_SERVED: Final = "served"  # in the browser's signed cookie: the key of its own count once served
ACTING: Final = "acting"  # in the browser's signed cookie: the mandate under which the applicant acts
PROOF: Final = "/connexion/code"  # where a number is verified
_KINDS: Final = {APPLICANT_AREA: "applicant", AGENT_AREA: "agent", AUDITOR_AREA: "auditor", COUNTER_AREA: "agent"}
_HOMES: Final = {APPLICANT_AREA: "/", AGENT_AREA: "/agent", AUDITOR_AREA: "/audit", COUNTER_AREA: "/agent/guichet"}
_LONGEST_TOKEN: Final = 200
_THIRTY_DAYS: Final = 30 * 24 * 3600
_KNOWN: Final = "known"  # not an area: the cookie of a browser that accounts signed in from
_KNOWN_FOR: Final = 400 * 24 * 3600  # the longest that browsers allow


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Settings of the web site of one installation."""

    https: bool = False
    demo: bool = False
    portal: Portal = field(default_factory=Portal)
    security_contact: str = ""
    warning: Callable[[], str] = field(default=lambda: "")  # shown to staff: a file that cannot be read
    followed: str = ""  # the followed repository, without secrets
    cookie: str = "guichet"  # prefix of the session cookies, because ports of one machine share cookies

    @property
    def phone(self) -> str:
        """The number to call for help."""
        return self.portal.phone or "22 00 00 00"


@dataclass(frozen=True, slots=True)
class Site:
    """All that the views of every area use."""

    office: AppContext
    words: Translations
    pages: Pages
    assets: Assets
    settings: SiteSettings = SiteSettings()
    operator: SandboxOperator | None = None  # the simulated operator, in demonstrations


@dataclass(frozen=True, slots=True)
class Frame:
    """Data of the header and footer of every page, and the person signed in."""

    home: str
    demo: bool
    warning: str
    signed_in: bool
    unverified: str  # where an unverified number is verified; empty for other visitors
    phone: str
    phone_link: str
    phone_hours: str
    country: str
    brand: str
    motto: str
    has_emblem: bool
    address: str
    csrf: Callable[[], object]
    actor: Actor
    principal: str  # the person represented
    helped: str  # the sentence about the person assisted at a counter
    languages: tuple[LanguageChoice, ...]


def site() -> Site:
    """Return the site of the running application."""
    return cast(Site, current_app.extensions["guichet"])


def app_ctx() -> AppContext:
    """Return the application context that the site serves now."""
    return site().office


def say(key: str, /, **facts: object) -> str:
    """Return the sentence of a key in the language of the page."""
    return site().words.say(key, language(), {name: as_text(value) for name, value in facts.items()})


def day_of(when: date | datetime) -> str:
    """Return a day as `1er décembre 2026` in the language of the page. An instant gives its local day."""
    return site().words.plain_day(local_day(when) if isinstance(when, datetime) else when, language())


def moment_of(instant: datetime | None) -> str:
    """Return an instant as `mardi 1er décembre 2026 à 8 h 15`, empty for None."""
    return site().words.moment(instant, language()) if instant else ""


# -- who is asking -----------------------------------------------------------------------------------------------------


def actor() -> Actor:
    """Return the actor of the request in its area, `ANONYMOUS` if not signed in there.

    An applicant acting under a mandate has `principal` set. The result is cached for the request.
    """
    area = g.get("area", APPLICANT_AREA)
    known: dict[str, Actor] = g.setdefault("actors", {})
    if area not in known:
        who = _who(area)
        known[area] = who if who is ANONYMOUS else replace(who, language=language())
    if known[area] is ANONYMOUS and area == APPLICANT_AREA and g.get("unproven_too", False):
        return claimant()
    return known[area]


def claimant() -> Actor:
    """Return the applicant with an unverified number in this browser, `ANONYMOUS` if there is none."""
    if "claimant" not in g:
        token = session_token(CLAIM)
        found = actor_of(app_ctx(), token) if token else None
        g.claimant = replace(found, language=language()) if found and found.unproven else ANONYMOUS
    return cast(Actor, g.claimant)


def _known_actor() -> Actor:
    """Return the actor if known. The frame of a page, above all of an error page, never fails for a missing name."""
    if g.get("broken", False):
        known: dict[str, Actor] = g.get("actors", {})
        return known.get(g.get("area", APPLICANT_AREA), ANONYMOUS)
    try:
        return actor()
    except Busy:
        return ANONYMOUS


def broken() -> None:
    """Mark the request as failed, so that its page is drawn without reading the store."""
    g.broken = True


def _who(area: str) -> Actor:
    token = request.cookies.get(_cookie(area), "")
    found = actor_of(app_ctx(), token, touches=not g.get("passive", False)) if token else None
    if found is None or found.kind != _KINDS[area] or found.unproven:
        return ANONYMOUS
    g.myself = found
    if area == COUNTER_AREA:
        return helping(app_ctx(), found, touches=not g.get("passive", False)) or found
    mandate = session.get(ACTING, "") if area == APPLICANT_AREA else ""
    return (acting_for(app_ctx(), found, mandate) or found) if mandate else found


def acting_mandate() -> str:
    """Return the mandate under which the applicant acts now, empty for themself.

    A form shows it, so that a post after a change of mandate is recognised.
    """
    return str(session.get(ACTING, "")) if actor().principal else ""


def myself() -> Actor:
    """Return the person who is signed in, without any mandate or assistance."""
    who = actor()
    return cast(Actor, g.get("myself", who)) if who.principal else who


def _cookie(area: str) -> str:
    own, area = site().settings.cookie, AGENT_AREA if area == COUNTER_AREA else area
    name = own if area == APPLICANT_AREA else f"{own}-{area}"
    return f"__Host-{name}" if site().settings.https else name


def session_token(area: str = APPLICANT_AREA) -> str:
    """Return the session token of the request in an area, empty without one."""
    return request.cookies.get(_cookie(area), "")


def client() -> str:
    """Return the key under which the client's address is counted, empty without an address."""
    return network_of(request.remote_addr or "")


def asker() -> Asker:
    """Return the identity under which requests without sign-in are counted."""
    who = actor()
    account = "" if who.unproven or not who.id else myself().id
    return Asker(client(), str(session.get(_SERVED, "")), known_browser(), account, staff=who.kind == "agent")


def note_served() -> None:
    """Mark the browser as served. From now on it has its own count (`code_limits`)."""
    session.setdefault(_SERVED, new_token())


def device() -> str:
    """Return the browser and the system of the request, in words."""
    return device_named(request.headers.get("User-Agent", ""))


def forget_all() -> None:
    """Empty the signed cookie of the browser, except the key of its count."""
    served = session.get(_SERVED)
    session.clear()
    if served:
        session[_SERVED] = served


def known_browser() -> str:
    """Return the tags of the accounts that signed in from this browser, empty if there are none."""
    return request.cookies.get(_cookie(_KNOWN), "")


def open_session(response: Response, signed: SignedIn, area: str = APPLICANT_AREA, keep: bool = False) -> Response:
    """Set the session cookie, and the account tag of a verified actor. An earlier session in the area is closed.

    With `keep` the cookie lasts 30 days, else until the browser closes.
    """
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
    """Close the session of the area, if there is one, and delete its cookie."""
    token = request.cookies.get(_cookie(area), "")
    if token:
        sign_out(app_ctx(), token)
    response.delete_cookie(_cookie(area), path="/", httponly=True, samesite="Lax", secure=site().settings.https)
    return response


# -- answers -----------------------------------------------------------------------------------------------------------


def page(template: str, status: int = 200, **context: object) -> Response:
    """Return a rendered template as a response."""
    return make_response(html(template, **context), status)


def compiled_page(
    template: str, look: object, holes: Mapping[str, object], context: Callable[[], Mapping[str, object]]
) -> Response:
    """Return the page that `page` returns. Only `holes` depend on the person, `context` on `look` and the site.

    A page whose frame names a person, or of staff, is rendered by its template. `template` places no address of the frame.
    """
    who, settings = _known_actor(), site().settings
    if who.principal or who.unproven or who.kind != "applicant":
        return page(template, **context(), **holes)

    def filled(values: Mapping[str, object]) -> Mapping[str, object]:
        return {"frame": replace(_frame(), csrf=lambda: values["csrf"]), **context(), **values}

    frame = (g.get("area", APPLICANT_AREA), settings.warning() if settings.demo else "")
    return make_response(site().pages.compiled(template, language(), (frame, look), {"csrf": _csrf(), **holes}, filled))


def html(template: str, **context: object) -> str:
    """Return a rendered template as text. `context` must hold every name that the template uses."""
    return site().pages.render(template, language(), {"frame": _frame(), **context})


def _frame() -> Frame:
    settings = site().settings
    who, code = _known_actor(), "" if settings.phone.startswith("+") else "+228\u00a0"
    return Frame(
        home=_HOMES[g.get("area", APPLICANT_AREA)],
        demo=settings.demo,
        warning=settings.warning() if settings.demo or who.kind in ("agent", "auditor") else "",
        signed_in=bool(who.id) and not who.unproven,
        unverified=f"{PROOF}?{urlencode({'suite': request.path})}" if who.unproven else "",
        phone=(code if language() != REFERENCE else "") + settings.phone.replace(" ", "\u00a0"),
        phone_link=(code.strip() or "+") + digits_only(settings.phone),
        phone_hours=phone_hours(),
        country=in_language(settings.portal.country, language()) or say("frame.country"),
        brand=in_language(settings.portal.brand, language()) or say("frame.brand"),
        motto=in_language(settings.portal.motto, language()),
        has_emblem=settings.portal.emblem is not None,
        address=settings.portal.address,
        csrf=_csrf,
        actor=who,
        principal=_principal(who),
        helped=_helped(who),
        languages=tuple(choices(_HOMES[g.get("area", APPLICANT_AREA)])),
    )


def phone_hours() -> str:
    """Return when the help line answers, in the language of the page."""
    return in_language(site().settings.portal.hours, language()) or say("frame.phone_hours")


def _principal(who: Actor) -> str:
    if not who.principal or who.kind == "agent" or g.get("broken", False):
        return ""
    try:
        return principal_name(app_ctx(), who)
    except Busy:
        return ""


def _helped(who: Actor) -> str:
    """Return the sentence about the person assisted, for every page of the agent. Empty without assistance."""
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
    """Return whether an agent assists an applicant in this request."""
    return bool(g.get("area") == COUNTER_AREA)


def dossiers_home() -> str:
    """Return the address of the list of dossiers, below which each dossier has its address."""
    return "/agent/guichet" if at_counter() else "/dossiers"


def _csrf() -> str:
    """Return the CSRF token of forms.

    It lasts as long as the cookie, which is renewed on each day of use, because phones reopen old tabs.
    """
    g.shareable = False
    today = app_ctx().day().isoformat()
    if session.get("day") != today:
        session.permanent, session["day"] = True, today
    return csrf_token(session.setdefault("csrf_token", new_id()))


def go(address: str) -> Response:
    """Return the redirect 303 after a post, with a short link as body (RFC 9110, section 15.4)."""
    response = make_response(redirect(address, code=303))
    response.set_data(f'<a href="{escape(response.location or "")}">303</a>')
    return response


def file_response(body: bytes, kind: str, name: str, inline: bool = False) -> Response:
    """Return a file for download, or shown in the browser if `inline`. Its name is reduced to safe characters."""
    response = make_response(body)
    response.headers["Content-Type"] = kind
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in name)[:80]
    response.headers["Content-Disposition"] = f'{"inline" if inline else "attachment"}; filename="{safe}"'
    return response


def new_token() -> str:
    """Return a new token for a form, so that a double click is one act."""
    return new_id()


def form_token() -> str | None:
    """Return the token of the posted form, None without one. A token over 200 characters gives 400."""
    token = request.form.get("token", "")
    if len(token) > _LONGEST_TOKEN:
        abort(400)
    return token or None


def form_revision() -> int | None:
    """Return the revision that the person saw, None if the form has none."""
    text = request.form.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def form_picks(name: str, most: int) -> list[tuple[str, int]]:
    """Return the dossiers ticked in a list, `number:revision` each: numbers, and the revisions that the person saw.

    At most `most` values are read, and malformed ones are left out.
    """
    picks = []
    for one in request.form.getlist(name)[:most]:
        number, _, revision = one.partition(":")
        if revision.isascii() and revision.isdigit() and len(revision) < 10:
            picks.append((number[:11], int(revision)))
    return picks


def safe_next(address: str | None, otherwise: str) -> str:
    """Return the address if it is a page of this site, else `otherwise`. Another site is never returned."""
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
    """Return the number in an address.

    Raises `NotFound` if it is not eleven digits. Access is checked by services.
    """
    if len(text) != 11 or not (text.isascii() and text.isdigit()):
        raise NotFound
    return text
