"""Refused posts of applicants: a redirect shows the page again, with what was typed and what is wrong.

A page drawn in the answer to a post makes the browser ask on « Retour » whether to send the form again. Small posts
are stored in the browser's encrypted cookie, larger ones of a signed-in applicant in the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote, urlencode

from flask import Flask, Response, g, request, session
from werkzeug.datastructures import MultiDict

from engine.core.problems import Fact, Refusal, Refused
from engine.core.values import Plain, Text
from engine.domain.fields.views import AnswerProblem, PageView
from engine.services.sign_in.sessions import REFUSED_LASTS, find_refused_post, keep_refused_post, without_secrets
from engine.storage.results import Busy
from renderers.html.controls import every_field
from renderers.web.platform.dossier_context import DossierContext
from renderers.web.platform.errors import sentence
from renderers.web.platform.languages import ASKED as LANGUAGE
from renderers.web.platform.languages import is_switching
from renderers.web.platform.request_context import APPLICANT_AREA, actor, app_ctx, go, myself, say, session_token
from renderers.web.platform.saved_posts import file_names
from renderers.web.platform.uploads import FILE, as_refused

ASKED: Final = "a-corriger"  # in the address of a refused page
_POSTS: Final = "refused_posts"  # key of the browser's cookie: the refused posts by path
_SWITCHED: Final = "langue"  # among what was typed
_SMALL: Final = 1000  # characters of all refused posts in the cookie, as JSON
_MOST: Final = 3  # pages; more than one are refused in several tabs only
_DROPPED: Final = frozenset({"csrf_token", "token", "revision", "go", "send", "detach", "end"})

Fault: TypeAlias = str | Refusal  # the key of a sentence, or the reason of a refusal


@dataclass(frozen=True, slots=True)
class RefusedPost:
    """What was typed, without secrets, and what is wrong with it by the id of the control.

    `found` is False for a page that is opened for the first time.
    """

    form: MultiDict[str, str] = field(default_factory=MultiDict)
    faults: Mapping[str, Fault] = field(default_factory=dict)
    found: bool = True

    def typed(self, name: str, otherwise: str = "") -> str:
        """Return what was typed in a field, `otherwise` on a first page."""
        return self.form.get(name, "") if self.found else otherwise

    def error(self, control: str) -> str:
        """Return the sentence about a control in the language of the page, empty if nothing is wrong with it."""
        fault = self.faults.get(control, "")
        return sentence(fault) if isinstance(fault, Refusal) else say(fault) if fault else ""

    @property
    def goes_on(self) -> bool:
        """Whether a sent post without fault waits for more: not one that asked for another language only."""
        return self.found and not self.faults and _SWITCHED not in self.form

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The link and the sentence of each fault."""
        return [(f"#{control}", self.error(control)) for control in self.faults]


NO_POST: Final = RefusedPost(found=False)


def install(app: Flask) -> None:
    """Make an accepted post end the faults of its page."""
    app.after_request(_end_faults)


def ask_again(
    draw: Callable[[], Response], faults: Mapping[str, Fault], status: int = 422, *,
    typed: Mapping[str, str] | None = None, address: str = "",
) -> Response:  # fmt: skip
    """Redirect to the page of the post, or of `address`, which shows the faults and what was typed.

    `draw` returns the page from `refused_post()`. It answers the post itself, with `status`, if the post cannot be
    stored, if a script sent it, and outside the pages of applicants. `typed` is shown instead of the posted fields.
    """
    post, path = RefusedPost(_posted() if typed is None else MultiDict(typed), faults), address or request.path
    if status < 500 and _is_navigation() and _keep(path, post):
        g.is_refused = True
        kept = ((name, value) for name, value in request.args.items(multi=True) if name not in (ASKED, LANGUAGE))
        query = [] if address else list(kept)
        # a browser keeps the fragment of the page before, perhaps that of a piece, where the address has none
        return go(f"{quote(path)}?{urlencode([*query, (ASKED, '1')])}#errors")
    g.refused_post = post
    answer = draw()
    answer.status_code = status if answer.status_code == 200 else answer.status_code  # the page may be gone
    return answer


def only_shown(draw: Callable[[], Response]) -> Response | None:
    """Show the page, without a post or with what was typed in one that only asks for another language. None for others.

    A page cannot hold a file, so it asks for the same one again.
    """
    if request.method in ("GET", "HEAD"):
        return draw()
    if not is_switching():
        return None
    chosen = {control: Refusal("file_again", {"name": name}) for control, name in file_names()}
    return ask_again(draw, chosen, 200, typed=MultiDict([*_posted().items(multi=True), (_SWITCHED, "1")]))


def refused_post() -> RefusedPost:
    """Return the refused post that this page shows, `NO_POST` for another browser, person, path and time."""
    if "refused_post" not in g:
        g.refused_post = _find() if ASKED in request.args and request.method == "GET" else NO_POST
    return cast(RefusedPost, g.refused_post)


def typed_form() -> MultiDict[str, str]:
    """Return the fields of this post, or of the refused one that this page shows."""
    return request.form if request.method == "POST" else refused_post().form


def _posted() -> MultiDict[str, str]:
    fields = [(name, value) for name, values in request.form.lists() for value in values if name not in _DROPPED]
    return MultiDict(without_secrets(request.path, fields))


def _is_navigation() -> bool:
    """Return whether an applicant's browser opens the answer as a page. Scripts accept any type."""
    return g.get("area", APPLICANT_AREA) == APPLICANT_AREA and request.headers.get("Accept") != "*/*"


# -- problems of answers -----------------------------------------------------------------------------------------------


def as_faults(reported: Iterable[AnswerProblem], files: Iterable[AnswerProblem]) -> dict[str, Fault]:
    """Return the problems of answers by path and code, and the reasons of refused files by their control."""
    return {f"{one.at} {one.code}": "" for one in reported} | {
        f"{FILE}{one.at}": Refusal(one.code, one.facts) for one in files
    }


def problems_left(
    one: DossierContext, view: PageView, wrong: Iterable[AnswerProblem], faults: Mapping[str, Fault],
    title: Text | None = None,
) -> list[AnswerProblem]:  # fmt: skip
    """Return the refused files among the faults of a post, and those of its answers that are still `wrong`.

    `title` names a file that no question of the page asks for.
    """
    labels = {field.path: field.label for field in every_field(view)}
    refused = {name.removeprefix(FILE): fault for name, fault in faults.items() if isinstance(fault, Refusal)}
    files = [AnswerProblem(at, fault.code, fault.facts, label=labels.get(at, title)) for at, fault in refused.items()]
    left = (problem for problem in wrong if f"{problem.at} {problem.code}" in faults and problem.at not in refused)
    return [*files, *(as_refused(one, problem) for problem in left)]


# -- where they are stored ---------------------------------------------------------------------------------------------


def _keep(path: str, post: RefusedPost) -> bool:
    """Store the post in the cookie or the store. Returns whether it is stored."""
    plain: dict[str, Plain] = {
        "form": [[name, value] for name, value in post.form.items(multi=True)],
        "faults": {name: _plain(fault) for name, fault in post.faults.items()},
    }  # fmt: skip
    entry: dict[str, Any] = {"until": int((app_ctx().now() + REFUSED_LASTS).timestamp()), "by": _person(), **plain}
    if len(json.dumps([path, entry])) > _SMALL:
        if not actor().id or actor().unproven:
            return False
        try:
            keep_refused_post(app_ctx(), myself(), session_token(), path, plain)
        except (Refused, Busy):
            return False
        entry = {"until": entry["until"], "by": entry["by"]}
    others = [(at, one) for at, one in _known().items() if at != path][1 - _MOST :]
    while others and len(json.dumps([*others, (path, entry)])) > _SMALL:
        others = others[1:]
    session[_POSTS] = dict([*others, (path, entry)])
    return True


def _known() -> dict[str, Any]:
    """Return the stored posts of this browser that are not over."""
    kept, now = session.get(_POSTS), app_ctx().now().timestamp()
    return {path: one for path, one in kept.items() if now < one["until"]} if isinstance(kept, dict) else {}


def _find() -> RefusedPost:
    entry = _known().get(request.path)
    if entry is None or entry["by"] not in ("", _person()):
        return NO_POST
    plain: Any = entry if "form" in entry else find_refused_post(app_ctx(), session_token(), request.path)
    if not isinstance(plain, Mapping):
        return NO_POST
    faults = {name: _fault(one) for name, one in plain["faults"].items()}
    return RefusedPost(MultiDict([(name, value) for name, value in plain["form"]]), faults)


def _person() -> str:
    """Return who is signed in and for whom, empty without sign-in: what they typed is for them only."""
    return f"{actor().id}/{actor().owns}" if actor().id else ""


def _plain(fault: Fault) -> Plain:
    if isinstance(fault, str):
        return fault
    return [fault.code, {name: list(one) if isinstance(one, tuple) else one for name, one in fault.facts.items()}]


def _fault(plain: Any) -> Fault:
    if isinstance(plain, str):
        return plain
    facts: dict[str, Fact] = {name: tuple(one) if isinstance(one, list) else one for name, one in plain[1].items()}
    return Refusal(plain[0], facts)


def _end_faults(response: Response) -> Response:
    if request.method == "POST" and response.status_code == 303 and not g.get("is_refused", False):
        posts = session.get(_POSTS)
        if isinstance(posts, dict) and request.path in posts:
            session[_POSTS] = {path: one for path, one in posts.items() if path != request.path}
    return response
