"""The earlier dossier that a draft renews, changes or needs: the applicant's own, or one whose phone is verified."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.core.values import digits_only, group_number
from engine.domain.workflow.linked_dossiers import awaited_links
from engine.model import Link
from engine.services.applications.drafts import see
from engine.services.applications.linked_dossiers import (
    LinkCandidate,
    candidate,
    candidates,
    fit_links,
    name_earlier,
    prove_earlier,
    send_proof,
)
from engine.services.context.app_context import NUMBER_DIGITS, NotFound
from renderers.i18n.translations import whole_number
from renderers.web.citizen.start import first_to_do, step_address
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext, case, label
from renderers.web.platform.refused_posts import Fault, RefusedPost, ask_again, only_shown, refused_post
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    asker,
    day_of,
    form_revision,
    form_token,
    go,
    language,
    new_token,
    page,
    say,
)
from renderers.web.shared.outcomes import go_noting

blueprint = Blueprint("links", __name__)
_OTHER = "other"
_UNFIT = "link.unfit"  # said with the title of the wanted procedure


@dataclass(frozen=True, slots=True)
class LinkLine:
    """One link of a draft in its list of steps. `named` is the earlier dossier named so far."""

    href: str
    title: str
    named: str
    required: bool


def link_lines(one: DossierContext) -> list[LinkLine]:
    """Return the earlier dossiers that the draft must or may name, as its answers require."""
    scope, named = one.evaluated().scope, fit_links(app_ctx(), actor(), one.id)
    return [
        LinkLine(one.at(f"/lien/{link.id}"), label(link.label), linked.number if linked else "", link.required.holds(scope))
        for link in one.procedure.links()
        for linked in (named.get(link.id),)
        if link.when.holds(scope)
    ]  # fmt: skip


def linked_lines(one: DossierContext) -> list[LinkLine]:
    """Return the named earlier dossiers. Those that the reader may see have an address."""
    found = []
    for link in one.procedure.links():
        if (linked := one.dossier.links.get(link.id)) is not None:
            href = f"/dossiers/{linked.number}" if _is_seen(linked.dossier) else ""
            found.append(LinkLine(href, label(link.label), whole_number(linked.number), True))
    return found


def awaited_ends(one: DossierContext) -> list[str]:
    """Return a sentence for each dossier whose end this one waits for."""
    waiting = awaited_links(one.procedure, one.dossier, one.evaluated().scope)
    return [say("link.waiting", number=whole_number(one.dossier.links[link.id].number)) for link in waiting]


def _is_seen(dossier_id: str) -> bool:
    try:
        see(app_ctx(), actor(), dossier_id)
    except NotFound:
        return False
    return True


# -- which dossier -----------------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/lien/<link_id>")
def choose(one: DossierContext, link_id: str) -> Response:
    """Show the choice of the earlier dossier. Redirects once the draft is submitted."""
    if not one.dossier.is_draft:
        return go(one.at())
    return _page(one, _link(one, link_id))


@dossier_page(blueprint, "/lien/<link_id>", "POST")
def name(one: DossierContext, link_id: str) -> Response:
    """Name one of the applicant's own dossiers at once. For another, send a code to its phone first.

    Redirects to the code, the rows or the next page. Shows the choice again with an error.
    """
    if not one.dossier.is_draft:
        return go(one.at())
    link = _link(one, link_id)
    if (shown := only_shown(lambda: _page(one, link))) is not None:
        return shown
    picked, typed = request.form.get("earlier", "")[:40], request.form.get("number", "")[:40]
    own = {found.dossier.number for found in candidates(app_ctx(), actor(), one.id, link.id)}
    if picked in own:
        return _named(one, link, picked, None)
    if own and picked != _OTHER:
        return _again(one, link, "earlier", "link.choose")
    digits = digits_only(typed)
    if len(digits) != NUMBER_DIGITS:
        return _again(one, link, "number", "follow.number_wrong")
    mine = _mine(one, link, digits)
    if mine is not None:
        return _again(one, link, "number", _UNFIT) if mine.unfit else _named(one, link, digits, None)
    send_proof(app_ctx(), digits, asker=asker(), language=language(), mark=actor().id)
    session["proving"], session["proving_by"] = digits, _person()
    return go(one.at(f"/lien/{link.id}/code"))


def _mine(one: DossierContext, link: Link, number: str) -> LinkCandidate | None:
    try:
        return candidate(app_ctx(), actor(), one.id, link.id, number)
    except NotFound:
        return None


def _link(one: DossierContext, link_id: str) -> Link:
    link = one.procedure.tasks.get(link_id)
    if not isinstance(link, Link) or not link.when.holds(one.evaluated().scope):
        raise NotFound
    return link


def _title_of(link: Link) -> str:
    earlier = app_ctx().catalogue.procedures.get(link.procedure)
    return label(earlier.identity.title) if earlier else ""


def _again(one: DossierContext, link: Link, control: str, fault: Fault, number: str = "") -> Response:
    """Return to the choice, with what was typed there or the `number` of a later step."""
    typed = {"number": group_number(number)} if number else None
    return ask_again(lambda: _page(one, link), {control: fault}, typed=typed, address=one.at(f"/lien/{link.id}"))


def _page(one: DossierContext, link: Link) -> Response:
    found, post = candidates(app_ctx(), actor(), one.id, link.id), refused_post()
    linked = fit_links(app_ctx(), actor(), one.id).get(link.id)
    choices = [
        (each.dossier.number, each.dossier.label or label(each.definition.identity.title), _hint(each))
        for each in found
    ]
    picked = _OTHER if "number" in post.faults else post.typed("earlier", linked.number if linked else "")
    errors = {control: _error(link, post, control) for control in post.faults}
    return page(
        "citizen/link.html", procedure=one.title, title=label(link.label), errors=[(f"#{control}", said) for control, said in errors.items()],
        wanted=_title_of(link), choices=choices, picked=picked, typed=post.typed("number")[:40],
        choice_error=errors.get("earlier", ""), number_error=errors.get("number", ""), named=whole_number(linked.number) if linked else "", back=one.at("/demande"),
        optional=not link.required.holds(one.evaluated().scope), token=new_token(), revision=one.dossier.revision,
        skip=step_address(one, first_to_do(one.form())),
    )  # fmt: skip


def _hint(found: LinkCandidate) -> str:
    sent = found.dossier.submitted_at
    day = day_of(sent) if sent else ""
    papers = [document.number for document in found.dossier.documents if document.status == "valid"]
    text = say("link.hint", number=whole_number(found.dossier.number), day=day)
    return f"{text} {say('link.papers', numbers=', '.join(papers))}" if papers else text


# -- verification of the phone -----------------------------------------------------------------------------------------


@dossier_page(blueprint, "/lien/<link_id>/code")
def ask_code(one: DossierContext, link_id: str) -> Response:
    """Show the form for the code. Redirects to the choice if no code was sent."""
    if not one.dossier.is_draft or not _wanted():
        return go(one.at(f"/lien/{link_id}"))
    return _code_page(one, _link(one, link_id))


@dossier_page(blueprint, "/lien/<link_id>/code", "POST")
def check_code(one: DossierContext, link_id: str) -> Response:
    """Check the code. A right one names the dossier, a wrong one shows the form again."""
    wanted = _wanted()
    if not one.dossier.is_draft or not wanted:
        return go(one.at(f"/lien/{link_id}"))
    link = _link(one, link_id)
    phone = prove_earlier(app_ctx(), wanted, request.form.get("code", "")[:20], mark=actor().id)
    if phone is None:
        return ask_again(lambda: _code_page(one, link), {"code": "link.code_wrong"})
    session.pop("proving", None)
    session["proved"] = [wanted, phone, *_person()]
    return _named(one, link, wanted, phone)


def _code_page(one: DossierContext, link: Link) -> Response:
    return page(
        "citizen/link_code.html", procedure=one.title, errors=refused_post().errors,
        wanted=whole_number(_wanted()), back=one.at(f"/lien/{link.id}"),
    )  # fmt: skip


def _wanted() -> str:
    """Return the number of the dossier for which this person was sent a code, else empty."""
    return str(session.get("proving", "")) if session.get("proving_by") == _person() else ""


def _proved(number: str) -> str | None:
    """Return the phone that this person verified here for a dossier, None otherwise.

    The cookie outlives the session, so another person who signs in at this browser gets nothing of it.
    """
    kept = session.get("proved")
    return str(kept[1]) if isinstance(kept, list) and [kept[0], *kept[2:]] == [number, *_person()] else None


def _person() -> list[str]:
    """Return the account that is signed in and the one it acts for."""
    return [actor().id, actor().owns]


# -- naming ------------------------------------------------------------------------------------------------------------


def _named(one: DossierContext, link: Link, number: str, phone: str | None) -> Response:
    found = candidate(app_ctx(), actor(), one.id, link.id, number, phone)
    if found.unfit is not None:
        return _again(one, link, "number", _UNFIT if found.unfit.code == "link_unfit" else found.unfit, number)
    if found.rows and link.row:
        return go(one.at(f"/lien/{link.id}/{number}"))
    return _keep(one, link, number, None, phone)


def _error(link: Link, post: RefusedPost, control: str) -> str:
    unfit = post.faults[control] == _UNFIT
    return say("link.unfit", title=_title_of(link)) if unfit else post.error(control)


def _keep(one: DossierContext, link: Link, number: str, row: int | None, phone: str | None) -> Response:
    try:
        name_earlier(
            app_ctx(), actor(), one.id, link.id, number, row, phone=phone, revision=form_revision(), token=form_token()
        )  # fmt: skip
    except Refused as closed:
        if closed.reason.code not in ("link_unfit", "link_row"):
            raise
        return _again(one, link, "number", _UNFIT, number)
    key = "link.named_copied" if link.copies else "link.named"
    one = case(one.dossier.number)
    return go_noting(step_address(one, first_to_do(one.form())), say(key, number=whole_number(number)), "ok")


@dossier_page(blueprint, "/lien/<link_id>/<earlier>")
def choose_row(one: DossierContext, link_id: str, earlier: str) -> Response:
    """Show the rows of the earlier dossier. Raises `NotFound` if the applicant may not name it."""
    if not one.dossier.is_draft:
        return go(one.at())
    return _row_page(one, _link(one, link_id), earlier)


@dossier_page(blueprint, "/lien/<link_id>/<earlier>", "POST")
def save_row(one: DossierContext, link_id: str, earlier: str) -> Response:
    """Name the dossier with the chosen row. Shows the rows again if none is chosen."""
    if not one.dossier.is_draft:
        return go(one.at())
    link, picked = _link(one, link_id), request.form.get("row", "")
    if not (picked.isascii() and picked.isdigit() and len(picked) < 4):
        return ask_again(lambda: _row_page(one, link, earlier), {"row": "link.row_choose"})
    return _keep(one, link, earlier, int(picked), _proved(earlier))


def _row_page(one: DossierContext, link: Link, earlier: str) -> Response:
    found = candidate(app_ctx(), actor(), one.id, link.id, earlier, _proved(earlier))
    rows = [(at, name or say("rows.number", number=at + 1)) for at, name in enumerate(found.rows)]
    return page(
        "citizen/link_row.html", procedure=one.title, title=label(link.label), errors=refused_post().errors, rows=rows,
        wanted=whole_number(found.dossier.number),
        back=one.at(f"/lien/{link.id}"), token=new_token(), revision=one.dossier.revision,
    )  # fmt: skip
