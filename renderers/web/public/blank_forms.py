"""The blank paper form of a procedure as PDF, and the address printed on it.

A form is drawn once for each edition and language, one at a time, and kept in memory. So a visitor waits for one
drawing at most, and a thousand requests for a form draw it once.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from flask import Blueprint, Response, current_app, request

from engine.core.problems import Refused
from engine.model import Procedure
from engine.model.directory import Directory
from engine.publication.publications import edition_records
from engine.services.context.rate_limit import Limit, too_many
from engine.storage.results import Busy
from renderers.procedure.blank_form import SIGNS, BlankFormWriter, draw_form
from renderers.web.platform.access import public
from renderers.web.platform.dossier_context import current_procedure, label
from renderers.web.platform.request_context import app_ctx, client, file_response, go, language, page, say, site
from renderers.web.public.definitions import title_of
from renderers.web.public.form_sizes import FormSize, stored_size

blueprint = Blueprint("blank_forms", __name__)

_SERVED: Final = "guichet.blank_forms"
_MOST_KEPT: Final = 32  # forms of about 100 kB
_WAIT: Final = 5.0  # seconds for the forms that others asked for
_DRAWN_FOR_ONE: Final = 60  # forms drawn for one address in a quarter of an hour; those in memory are not counted


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A drawn form with the data that it was drawn from: it is drawn again when they change."""

    body: bytes
    packed: bytes  # gzip: half the bytes on a slow line
    pages: int
    etag: str
    mark: str  # of the content that it was drawn from
    day: date
    directory: Directory


@dataclass(frozen=True, slots=True)
class FormLink:
    """The link to a form on the public page, and what the form is for."""

    href: str
    text: str
    use: str


@dataclass(slots=True)
class _Drawer:
    """The forms in memory by fingerprint and language, and the lock of the one that is being drawn."""

    forms: OrderedDict[tuple[str, str], KeptForm] = field(default_factory=OrderedDict)
    sizes: dict[tuple[str, str], tuple[date, FormSize]] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def known(self, procedure: Procedure) -> KeptForm | None:
        """Return the form in the language of the page if it is in memory and says what is true today."""
        kept = self.forms.get((procedure.fingerprint, language()))
        current = kept is not None and kept.day == app_ctx().day() and kept.directory is app_ctx().directory
        return kept if current else None

    def size(self, procedure: Procedure) -> FormSize | None:
        """Return the size of the form in memory, else the one that a worker stored, read once a day."""
        if (kept := self.known(procedure)) is not None:
            return FormSize(kept.pages, len(kept.body))
        key, day = (procedure.fingerprint, language()), app_ctx().day()
        if self.sizes.get(key, (None,))[0] != day and (found := stored_size(app_ctx(), *key)) is not None:
            self.sizes[key] = day, found
        return self.sizes[key][1] if key in self.sizes else None

    def form(self, procedure: Procedure) -> KeptForm:
        """Return the form, drawn if needed. Raises Refused: too_many_tries. Raises Busy when the turn does not come."""
        found = self.known(procedure)
        if found is not None:
            return found
        if not self.turn.acquire(timeout=_WAIT):
            raise Busy
        try:
            return self.known(procedure) or self._drawn(procedure)
        finally:
            self.turn.release()

    def _drawn(self, procedure: Procedure) -> KeptForm:
        ctx, key = app_ctx(), (procedure.fingerprint, language())
        content = BlankFormWriter(
            procedure, ctx.directory, site().words, language(), ctx.day(), title_of
        ).content(ctx.settings.short_url)  # fmt: skip
        mark = hashlib.sha256(repr(content).encode()).hexdigest()[:32]
        before = self.forms.get(key)
        if before is not None and before.mark == mark:  # another day, or another office elsewhere: the same form
            kept = replace(before, day=ctx.day(), directory=ctx.directory)
        else:
            _count_drawing()
            form = draw_form(content)
            packed, etag = gzip.compress(form.body, 6, mtime=0), hashlib.sha256(form.body).hexdigest()[:32]
            kept = KeptForm(form.body, packed, form.pages, etag, mark, ctx.day(), ctx.directory)
        self.forms[key] = kept
        while len(self.forms) > _MOST_KEPT:
            self.forms.popitem(last=False)
        return kept


def _drawer() -> _Drawer:
    drawer: _Drawer = current_app.extensions.setdefault(_SERVED, _Drawer())
    return drawer


def _count_drawing() -> None:
    with app_ctx().store.unit(write=True) as unit:
        closed = too_many(unit, app_ctx().now(), Limit(f"blank_form@{client()}", _DRAWN_FOR_ONE))
    if closed is not None:
        raise Refused(closed)


def form_link(procedure: Procedure) -> FormLink:
    """Return the link for the public page, with pages and size from the first worker pass on. No page draws a form."""
    known, channels = _drawer().size(procedure), procedure.identity.channels
    use = next((one for one in ("paper", "counter") if one in channels), "web")
    facts = {"link": say("blank.link")}
    if known is None:
        text = say("blank.link_pdf", **facts)
    else:
        size = site().words.size(known.octets, language())
        text = say("blank.link_size", **facts, pages=say("blank.pages", count=known.pages), size=size)
    return FormLink(f"/demarches/{procedure.id}/formulaire.pdf", text, say(f"blank.use_{use}"))


@blueprint.get("/demarches/<slug>/formulaire.pdf")
@public
def pdf(slug: str) -> Response:
    """Serve the blank form in the language of the page. Answers 304 to a reader that has it. Raises `NotFound`."""
    kept = _drawer().form(current_procedure(slug))
    packed = bool(request.accept_encodings["gzip"])
    name = f"{slug}-{language()}.pdf"
    response = file_response(kept.packed if packed else kept.body, "application/pdf", name, inline=True)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.set_etag(f"{kept.etag}{'-gzip' if packed else ''}")
    response.make_conditional(request)
    return response


@blueprint.get("/f/<slug>/<signs>")
@blueprint.get("/F/<slug>/<signs>")
@public
def printed(slug: str, signs: str) -> Response:
    """Open the form of a printed address online. A past edition leads to the new form, unknown signs give 404.

    The square holds the address in capitals.
    """
    procedure = current_procedure(slug.lower())
    fingerprint = printed_fingerprint(procedure, signs)
    if fingerprint == procedure.fingerprint:
        return go(f"/demarches/{procedure.id}")
    changed = fingerprint != ""
    return page(
        "citizen/blank_form.html", 200 if changed else 404, title=label(procedure.identity.title), form=form_link(procedure),
        heading=say("blank.changed" if changed else "blank.unknown"),
        text=say("blank.changed_text" if changed else "blank.unknown_text"), href=f"/demarches/{procedure.id}",
    )  # fmt: skip


def printed_fingerprint(procedure: Procedure, signs: str) -> str:
    """Return the fingerprint of the edition whose form has these signs printed on it, empty for unknown ones."""
    asked = signs.strip().lower()
    if len(asked) != SIGNS:
        return ""
    records = () if procedure.fingerprint.startswith(asked) else edition_records(app_ctx().store, procedure.id)
    known = (procedure.fingerprint, *(one.edition.fingerprint for one in records))
    return next((one for one in known if one.startswith(asked)), "")
