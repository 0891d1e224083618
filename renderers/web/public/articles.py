"""Text pages (help, personal data, accessibility) and files at fixed addresses for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, abort, make_response, request

from engine.core.values import Span
from renderers.html.pagination import paged
from renderers.html.templates import span_text
from renderers.i18n.language_spans import joined
from renderers.i18n.translations import REFERENCE, SAMPLES
from renderers.procedure.appointments import holidays_soon, opening_hours, unconfirmed, unusual_days
from renderers.web.platform.access import public
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import app_ctx, language, page, phone_hours, say, site
from renderers.web.platform.security import ASSET_POLICY
from renderers.web.public.catalogue import in_order

blueprint = Blueprint("articles", __name__)


@dataclass(frozen=True, slots=True)
class Point:
    """One item of a list, with its link and notes."""

    text: str
    href: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HelpSection:
    """One section of a text page, folded under its title if the list is long."""

    title: str
    lines: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    folded: bool = False


@blueprint.get("/aide")
@public
def help_() -> Response:
    """Show help, with the phone of the site, the common questions and the offices with their hours."""
    phone = site().settings.phone
    questions = [(f"help.task_{name}", f"help.task_{name}_text") for name in ("code", "pay", "fix")]
    provider = app_ctx().identity
    safer = (Point(say("help.task_safe_way", provider=provider.label), "/connexion/identite"),) if provider else ()
    sections = [
        HelpSection(say("help.phone_title"), (say("help.phone", phone=phone, hours=phone_hours()),)),
        *_bribes(),
        HelpSection(say("help.office_title"), (say("help.office"),)),
        *(HelpSection(say(title), (say(text),)) for title, text in questions),
        HelpSection(say("help.task_safe"), (say("help.task_safe_text"),), safer),
        HelpSection(say("help.task_number"), (say("follow.lost_text"),), (Point(say("frame.sign_in"), "/connexion"),)),
        *_offices(),
        HelpSection(say("stat.title"), (), (Point(say("stat.title"), "/statistiques"),)),
    ]
    return page("citizen/article.html", title=say("help.title"), sections=sections)


def _bribes() -> Iterator[HelpSection]:
    """Yield where a bribe that was asked for is reported, if the portal names a place."""
    report = site().settings.portal.report
    if report:
        way = Point(report, report if report.startswith("https://") else "")
        yield HelpSection(say("help.bribe_title"), (say("help.bribe"),), (way,))


def _offices() -> Iterator[HelpSection]:
    """Yield the holidays, then the offices of each agency: addresses, hours and the days soon with other hours."""
    words, spoken, today, directory = site().words, language(), app_ctx().day(), app_ctx().directory
    holidays = tuple(holidays_soon(directory.calendar, today, words, spoken))
    lines = (say("help.holidays", days=joined(" ; " if spoken == REFERENCE else "; ", holidays)),) if holidays else ()
    yield HelpSection(say("help.offices_title"), lines)
    for agency in directory.agencies.values():
        points = tuple(
            Point(
                joined(". ", filter(None, (label(one.label), label(one.address), opening_hours(one, words, spoken)))),
                notes=(
                    *unusual_days(one, today, words, spoken),
                    *([say("help.to_confirm")] if unconfirmed(one) else []),
                ),
            )
            for one in directory.offices.values()
            if one.hours and one.agency == agency.id
        )
        if points:
            yield HelpSection(label(agency.label), (), points, folded=True)


@blueprint.get("/donnees")
@public
def data() -> Response:
    """Show what each procedure stores, why and for how long, read from the definitions, paginated."""
    listed = in_order()
    here = paged(listed.ids, request.args.get("page", ""), "/donnees")
    each = [
        HelpSection(label(one.identity.title), (
            say("data.why", purpose=label(one.personal_data.purpose)),
            *_kept(one.personal_data.keep),
        ))
        for one in map(listed.catalogue.procedures.__getitem__, here.items)
    ]  # fmt: skip
    sections = [
        HelpSection("", (say("data.intro"),)),
        HelpSection(say("data.cookie_title"), (say("data.cookie"),)),
        HelpSection(
            say("data.rights_title"), (say("data.rights", phone=site().settings.phone), say("data.rights_own"))
        ),
        *each,
    ]
    return page("citizen/article.html", title=say("data.title"), sections=sections, here=here)


def _kept(keep: Mapping[str, Span]) -> Iterator[str]:
    """Yield how long data is stored, outcomes of the same time together.

    Yields nothing if the definition sets no time.
    """
    ends: dict[str, list[str]] = {}
    for outcome, span in keep.items():
        ends.setdefault(span_text(site().words, span, language()), []).append(say(f"data.outcome.{outcome}"))
    for span, named in ends.items():
        yield say("data.keep", span=span, outcomes=", ".join(named))


@blueprint.get("/accessibilite")
@public
def accessibility() -> Response:
    """Show the accessibility statement, with known limits and a sample in each sample language."""
    known = (
        *(Point(say(f"accessibility.known_{name}")) for name in ("readers", "languages", "pdf")),
        *(Point(say("accessibility.sample"), f"/?lang={one}") for one in SAMPLES),
    )
    sections = [
        HelpSection("", (say("accessibility.state"), say("accessibility.tested"), say("accessibility.keyboard"))),
        HelpSection(say("accessibility.known_title"), (), known),
        HelpSection(say("accessibility.contact_title"), (say("accessibility.contact", phone=site().settings.phone),)),
    ]
    return page("citizen/article.html", title=say("accessibility.title"), sections=sections)


# -- for machines ------------------------------------------------------------------------------------------------------


@blueprint.get("/.well-known/security.txt")
@public
def security() -> Response:
    """Serve security.txt (RFC 9116), the contact for security reports. Answers 404 if no contact is set."""
    contact = site().settings.security_contact
    if not contact:
        abort(404)
    expires = (app_ctx().now() + timedelta(days=180)).strftime("%Y-%m-%dT00:00:00Z")
    body = f"Contact: {contact}\nExpires: {expires}\nPreferred-Languages: fr, en\n"
    answer = make_response(body)
    answer.content_type = "text/plain; charset=utf-8"
    return answer


@blueprint.get("/static/<name>")
@public
def static(name: str) -> Response:
    """Serve a static file, gzipped where accepted.

    Its content never changes under its name, so it is cached for a year.
    """
    asset = site().assets.served(name)
    if asset is None:
        abort(404)
    squeezed = bool(request.accept_encodings["gzip"])
    answer = make_response(asset.squeezed if squeezed else asset.body)
    if squeezed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Content-Type"] = asset.type
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.headers["Content-Security-Policy"] = ASSET_POLICY
    answer.vary.add("Accept-Encoding")
    return answer
