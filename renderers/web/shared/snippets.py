"""Snippets: texts of an agency, written by its administrators, inserted by agents into messages and reasons."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, abort, request, session

from engine.core.problems import Refused
from engine.domain.common.agent_rights import administers
from engine.domain.messages.snippets import VARIABLES
from engine.records.administration import Snippet
from engine.services.accounts.snippets import agencies_of, keep_snippet, snippet_text, snippet_versions, snippets_for
from engine.services.context.app_context import NotFound
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    form_revision,
    form_token,
    go,
    moment_of,
    new_token,
    say,
)
from renderers.web.shared.staff import people, staff_page

blueprint = Blueprint("snippets", __name__)

HOME = "/agent/modeles"


@dataclass(frozen=True, slots=True)
class SnippetCard:
    """A snippet in the list of its agency, with its last version."""

    href: str
    title: str
    body: str
    version: str


@dataclass(frozen=True, slots=True)
class SnippetChoice:
    """A snippet that a form offers."""

    id: str
    title: str


@blueprint.get("/agent/modeles")
@agent()
def home() -> Response:
    """Show the snippets of the agent's agencies, by agency."""
    found = snippets_for(app_ctx(), actor())
    groups = [
        (agency_label(agency), _writes(agency), [_card(one) for one in found if one.agency == agency])
        for agency in agencies_of(app_ctx(), actor())
    ]
    shown = [group for group in groups if group[2]]
    return staff_page(
        "agent/snippets.html", groups=shown, may_add=any(writes for _, writes, _ in groups), new=f"{HOME}/nouveau",
        note=session.pop("desk_note", ""),
    )  # fmt: skip


def agency_label(agency: str) -> str:
    """Return the label of an agency, its id if it is no longer in the directory."""
    found = app_ctx().directory.agencies.get(agency)
    return label(found.label) if found else agency


def _writes(agency: str) -> bool:
    return administers(actor(), (agency,))


def _card(one: Snippet) -> SnippetCard:
    return SnippetCard(f"{HOME}/{one.id}", one.title, one.body, say("snippet.version", n=one.version))


@blueprint.route("/agent/modeles/nouveau", methods=["GET", "POST"])
@agent()
def add() -> Response:
    """Show the form of a new snippet, or store it and return to the list. 403 for agents who administer none."""
    mine = [one for one in agencies_of(app_ctx(), actor()) if _writes(one)]
    if not mine:
        abort(403)
    return _keep(None, mine) if request.method == "POST" else _form(None, mine)


@blueprint.route("/agent/modeles/<snippet_id>", methods=["GET", "POST"])
@agent()
def one(snippet_id: str) -> Response:
    """Show a snippet with its versions. Administrators may post the next version, which returns to the list."""
    found = snippet_versions(app_ctx(), actor(), snippet_id[:60])
    if request.method == "GET" or not _writes(found[0].agency):
        return _form(found[0], [found[0].agency], versions=found)
    return _keep(found[0], [found[0].agency], found)


def _keep(before: Snippet | None, agencies: list[str], versions: tuple[Snippet, ...] = ()) -> Response:
    agency = before.agency if before else request.form.get("agence", "")[:60]
    if agency not in agencies:
        raise NotFound
    try:
        kept = keep_snippet(
            app_ctx(), actor(), agency, request.form.get("title", "")[:300], request.form.get("body", "")[:2000],
            snippet_id=before.id if before else "", version=form_revision() or 0, retired="retirer" in request.form,
            token=form_token(),
        )  # fmt: skip
    except Refused as closed:
        return _form(before, agencies, sentence(closed.reason), versions)
    session["desk_note"] = say("snippet.retired" if kept.retired else "snippet.kept", title=kept.title)
    return go(HOME)


def _form(
    before: Snippet | None, agencies: list[str], error: str = "", versions: tuple[Snippet, ...] = ()
) -> Response:  # fmt: skip
    names = people(one.account for one in versions)
    said = [
        (say("snippet.version", n=one.version), moment_of(one.at), names.get(one.account, ""), one.body)
        for one in versions
    ]
    return staff_page(
        "agent/snippet.html", 422 if error else 200, before=before, errors=[("#body", error)] if error else [],
        title_of=request.form.get("title", before.title if before else ""),
        body=request.form.get("body", before.body if before else ""), agency=agency_label(agencies[0]) if before else "",
        agencies=[(one, agency_label(one)) for one in agencies], chosen=request.form.get("agence", ""), home=HOME,
        writes=_writes(agencies[0]) and not (before and before.retired), versions=said, token=new_token(),
        variables=[(f"{{{name}}}", say(f"snippet.var_{name}")) for name in VARIABLES],
        version=before.version if before else 0,
    )  # fmt: skip


# -- put in a text -----------------------------------------------------------------------------------------------------


def offered() -> list[SnippetChoice]:
    """Return the snippets that an agent's form offers."""
    return [SnippetChoice(one.id, one.title) for one in snippets_for(app_ctx(), actor())]


def asked_to_insert() -> bool:
    """Return whether the form was sent to insert a snippet, not to submit."""
    return "inserer" in request.form


def inserted(one: DossierContext, text: str) -> str:
    """Return the text with the chosen snippet appended, its variables filled for this dossier."""
    chosen = request.form.get("modele", "")[:60]
    if not chosen:
        return text
    return f"{text.rstrip()}\n{snippet_text(app_ctx(), actor(), chosen, one.id)}".strip()
