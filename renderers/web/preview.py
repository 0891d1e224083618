"""The author's preview: the real pages in a frame, with tools beside them, on the local machine only.

`install` makes an ordinary site a preview. It follows the file, serves the last good version and answers local
requests only. Each tool is a form and works without a script. The script only reloads the page when the file is
saved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event, Lock
from typing import Any, Final

from flask import Blueprint, Flask, Response, abort, current_app, g, jsonify, request, session

from engine.core.problems import Refused, Report
from engine.language.catalogue.watched_file import Draft, WatchedFile
from engine.model import APPLICANT, DRAFT, Procedure, Scenario
from engine.records.dossier import Dossier
from engine.services.context.app_context import WrongAnswers
from engine.services.sign_in.demo_accounts import AUDITOR
from engine.simulation.next_steps import roles_named
from engine.simulation.player import ScenarioFailed
from engine.simulation.preview import APPLICANT_ID, PreviewSession, StatePaths
from renderers.i18n.problem_messages import message
from renderers.i18n.translations import OFFERED, in_language
from renderers.reports.problems import render_report
from renderers.web.platform.access import check_guards, public
from renderers.web.platform.request_context import (
    AGENT_AREA,
    APPLICANT_AREA,
    AUDITOR_AREA,
    Site,
    close_session,
    go,
    language,
    moment_of,
    open_session,
    page,
    safe_next,
    say,
    site,
)
from renderers.web.platform.security import POLICY

blueprint = Blueprint("preview", __name__)

HOME: Final = "/_apercu"
VISITOR: Final = "visitor"
WIDTHS: Final = ("320", "360", "768", "1280")
STEPS_OF_TIME: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
COOKIE: Final = "apercu"
_NAMES: Final = ("127.0.0.1", "localhost")
_HERE: Final = frozenset({"127.0.0.1", "::1"})
_LOOK_EVERY: Final = 0.03  # seconds between two looks, while a browser waits for a change
_LONGEST_WAIT: Final = 15.0
_PASS_EVERY: Final = 2.0  # seconds between two worker passes
_MOST_SHOWN: Final = 20  # problems in the overlay


@dataclass
class PreviewSite:
    """The watched file and the preview session of one preview site.

    `leads` finds the path to a state. `language` is that of a browser that chose none. `served` is the number of the served draft, `toured` the time of the last
    worker pass.
    """

    watched_file: WatchedFile
    session: PreviewSession
    leads: StatePaths
    language: str = OFFERED[0]
    served: int = 0
    toured: float = 0.0
    lock: Lock = field(default_factory=Lock)
    stopping: Event = field(default_factory=Event)  # once set, waiting requests are answered

    def look(self, app: Flask) -> Draft:
        """Read the file again and return its draft. A new draft without error is put in service."""
        self.watched_file.look()
        draft = self.watched_file.draft
        with self.lock:
            if draft.n != self.served:
                self.served = draft.n
                if draft.good is not None:
                    self.session.renew(draft.good, draft.shared)
                    app.extensions["guichet"] = replace(app.extensions["guichet"], office=self.session.office)
            if time.monotonic() - self.toured > _PASS_EVERY:
                self.session.pass_time_by(timedelta())
                self.toured = time.monotonic()
        return draft

    def begin_with(self, title: str) -> bool:
        """Play a scenario of the file, named by its id or title.

        Return False if there is none. Raises `ScenarioFailed`.
        """
        procedure = self.session.procedure
        stories = procedure.scenarios if procedure is not None else ()
        story = next((one for one in stories if title in (one.id, *(words for _, words in one.story.versions))), None)
        if story is not None:
            self.session.play(story)
        return story is not None


def install(app: Flask, preview: PreviewSite) -> None:
    """Make a site that has served no request a preview of `preview`'s file.

    Its cookies have names of their own, because browsers share cookies between ports of one machine.
    """
    known: Site = app.extensions["guichet"]
    app.extensions["guichet"] = replace(known, settings=replace(known.settings, cookie=COOKIE))
    app.extensions["preview"] = preview
    app.config.update(SESSION_COOKIE_NAME=f"{COOKIE}-session", TRUSTED_HOSTS=list(_NAMES))
    app.register_blueprint(blueprint)
    app.before_request(_only_here)
    app.before_request(_follow)
    app.after_request(_let_frame)
    preview.look(app)
    check_guards(app)


def _preview() -> PreviewSite:
    found: PreviewSite = current_app.extensions["preview"]
    return found


def _only_here() -> None:
    """Answer 403 to a request from another machine. `TRUSTED_HOSTS` refuses foreign host names."""
    if request.remote_addr not in _HERE:
        abort(403)


def _follow() -> None:
    """Set the language the author chose and look at the file before each request."""
    preview = _preview()
    g.language = _chosen("language", preview.language)
    preview.look(current_app._get_current_object())  # type: ignore[attr-defined]


def _let_frame(response: Response) -> Response:
    """Allow the preview page to show the other pages in its frame."""
    policy = response.headers.get("Content-Security-Policy", POLICY)
    framed = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'; frame-src 'self'")
    response.headers["Content-Security-Policy"] = framed
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


# -- what the browser stores -------------------------------------------------------------------------------------------


def _chosen(name: str, otherwise: str) -> str:
    """Return a choice of the author, from the session."""
    kept = session.get("preview")
    return str(kept.get(name, otherwise)) if isinstance(kept, dict) else otherwise


def _choose(**values: str) -> None:
    """Store choices of the author in the session."""
    kept = session.get("preview")
    session["preview"] = {**(kept if isinstance(kept, dict) else {}), **values}


# -- the page ----------------------------------------------------------------------------------------------------------


@blueprint.get(HOME)
@public
def workbench() -> Response:
    """Show the preview, with the problems of the file, the tools and the frame."""
    preview, draft = _preview(), _preview().watched_file.draft
    procedure, newest = draft.good, preview.session.newest()
    note = _chosen("note", "")
    if note:
        _choose(note="")
    return page(
        "preview/page.html", draft=draft, procedure=procedure, file=preview.watched_file.file.name, note=note,
        fault=_report(draft, errors=True) if draft.is_broken else "", advice=_report(draft, errors=False),
        advices=len(draft.report.advice), seats=_seats(procedure, draft) if procedure else [],
        seat=_chosen("seat", VISITOR), states=_states(procedure) if procedure else [],
        scenarios=[(one.id, in_language(one.story, language())) for one in procedure.scenarios] if procedure else [],
        number=newest.number if newest else "", state=newest.state if newest else "", state_label=_state_label(procedure, newest),
        now=moment_of(preview.session.office.now()), due=_due(preview.session),
        width=_width(), widths=WIDTHS, languages=_languages(procedure), language=language(), view=_view(procedure),
    )  # fmt: skip


def _report(draft: Draft, errors: bool) -> str:
    """Return the errors or the advice of a draft as text, empty without any. At most `_MOST_SHOWN` problems."""
    chosen = draft.report.errors if errors else draft.report.advice
    report = Report.of(chosen[:_MOST_SHOWN])
    return render_report(report, draft.sources, language=language()) if report else ""


def _seats(procedure: Procedure, draft: Draft) -> list[tuple[str, str]]:
    """Return the persons as whom the procedure can be viewed, each with its name."""
    directory = draft.shared.directory
    seats = [(VISITOR, say("preview.visitor")), (APPLICANT, say("preview.applicant"))]
    for key in roles_named(procedure):
        role = directory.role(key)
        if role is not None:
            seats.append((key, in_language(role.label, language())))
    return [*seats, (AUDITOR, say("preview.auditor"))]


def _states(procedure: Procedure) -> list[tuple[str, str]]:
    """Return the states that a dossier can be brought to, each with its name, the draft first."""
    ends = [(one.id, in_language(one.label, language())) for one in procedure.states.values()]
    return [(DRAFT, say("preview.draft")), *ends]


def _state_label(procedure: Procedure | None, newest: Dossier | None) -> str:
    """Return the name of the newest dossier's state, empty without a dossier."""
    known = dict(_states(procedure)) if procedure is not None else {}
    return known.get(newest.state, newest.state) if newest is not None else ""


def _languages(procedure: Procedure | None) -> list[str]:
    """Return the languages of the procedure, or those of the site without a procedure."""
    own = procedure.identity.languages if procedure is not None else ()
    return list(own or OFFERED)


def _due(session: PreviewSession) -> str:
    """Return the time of the next timer, empty without one."""
    timer = session.due()
    return moment_of(timer.due_at) if timer is not None else ""


def _width() -> str:
    """Return the chosen width of the frame in pixels."""
    chosen = _chosen("width", "360")
    return chosen if chosen in WIDTHS else "360"


def _view(procedure: Procedure | None) -> str:
    """Return the address in the frame: the last one chosen, or the sheet of the procedure."""
    sheet = f"/demarches/{procedure.id}" if procedure is not None else ""
    return safe_next(_chosen("view", ""), sheet) if procedure is not None else ""


@blueprint.get(f"{HOME}/version.json")
@public
def version() -> Response:
    """Return the number of the draft as JSON once it differs from `n` in the query.

    Waits at most `_LONGEST_WAIT` seconds.
    """
    app, preview = current_app._get_current_object(), _preview()  # type: ignore[attr-defined]
    known, until = request.args.get("n", ""), time.monotonic() + _LONGEST_WAIT
    while (draft := preview.look(app)) and str(draft.n) == known and time.monotonic() < until:
        if preview.stopping.wait(_LOOK_EVERY):
            break
    return jsonify({"n": draft.n, "broken": draft.is_broken})


# -- the tools ---------------------------------------------------------------------------------------------------------


@blueprint.post(f"{HOME}/place")
@public
def look_as() -> Response:
    """View as another person and return to the preview.

    A visitor, the applicant, an agent of a role, or the auditor.
    """
    seat = request.form.get("seat", "")
    if seat not in {one for one, _ in _seats(_procedure(), _preview().watched_file.draft)}:
        abort(400)
    return _seated(seat, _preview().session.newest())


@blueprint.post(f"{HOME}/exemple")
@public
def fill() -> Response:
    """Fill the current draft with example answers and show its summary page."""
    return _tried(lambda: _preview().session.fill(lambda: _story_to(_procedure().start)), "preview.filled", check=True)


@blueprint.post(f"{HOME}/etat")
@public
def reach() -> Response:
    """Bring a dossier to a state with answers and acts that the solver finds.

    Returns to the preview, with a note where no path leads to the state.
    """
    wanted, preview = request.form.get("state", ""), _preview()
    if wanted == DRAFT:
        return fill()
    if wanted not in _procedure().states:
        abort(400)
    story = _story_to(wanted)
    if story is None:
        _choose(note=say("preview.no_way"))
        return go(HOME)
    return _tried(lambda: preview.session.play(story), "preview.reached")


def _story_to(state: str) -> Scenario | None:
    """Return a scenario that leads to a state, or None if the solver finds none."""
    preview = _preview()
    return preview.leads(_procedure(), preview.watched_file.draft.shared, preview.session.next_day(), state)


@blueprint.post(f"{HOME}/histoire")
@public
def play() -> Response:
    """Play a scenario of the file to its end and show the dossier."""
    story = next((one for one in _procedure().scenarios if one.id == request.form.get("story", "")), None)
    if story is None:
        abort(400)
    return _tried(lambda: _preview().session.play(story), "preview.told")


@blueprint.post(f"{HOME}/horloge")
@public
def move_clock() -> Response:
    """Move the preview's clock by a step or to the next timer. Returns to the preview."""
    by, session = request.form.get("by", ""), _preview().session
    _remember_view()
    if by == "due":
        session.move_to_due()
    elif by in STEPS_OF_TIME:
        session.pass_time_by(STEPS_OF_TIME[by])
    else:
        abort(400)
    return go(HOME)


@blueprint.post(f"{HOME}/affichage")
@public
def show() -> Response:
    """Change the width of the frame and the language. Returns to the preview."""
    _remember_view()
    width, spoken = request.form.get("width", _width()), request.form.get("language", language())
    if width not in WIDTHS or spoken not in _languages(_procedure()):
        abort(400)
    _choose(width=width, language=spoken)
    return go(HOME)


def _procedure() -> Procedure:
    """Return the served procedure. Answers 404 while the file has no good version."""
    procedure = _preview().session.procedure
    if procedure is None:
        abort(404)
    return procedure


def _remember_view() -> None:
    """Store the address shown in the frame, if the script sent it."""
    view = request.form.get("view", "")
    if view:
        _choose(view=view)


def _tried(act: Callable[[], Dossier | None], done: str, check: bool = False) -> Response:
    """Run an action of the author and show its dossier as the same person as before.

    If it is refused, return to the preview with the reason as a note.
    """
    try:
        dossier = act()
    except ScenarioFailed as failed:
        _choose(note=message(failed.found, language()))
        return go(HOME)
    except Refused as refused:
        _choose(note=site().words.refusal(refused.reason.code, refused.reason.facts, language()))
        return go(HOME)
    except WrongAnswers as wrong:
        _choose(note=say("preview.wrong", names=", ".join(one.at for one in wrong.problems)))
        return go(HOME)
    _choose(note=say(done))
    seat = _chosen("seat", VISITOR)
    return _seated(APPLICANT if check or seat == VISITOR else seat, dossier, check)


def _seated(seat: str, dossier: Dossier | None, check: bool = False) -> Response:
    """Sign in as a person and show the dossier on the pages of that person."""
    session = _preview().session
    area, account = _area_of(seat, session)
    _choose(seat=seat, view=_address(seat, dossier, check))
    response = go(HOME)
    if account is None:
        return close_session(response)
    return open_session(response, session.let_in(account), area)


def _area_of(seat: str, session: PreviewSession) -> tuple[str, str | None]:
    """Return the area of a person and the account that signs in there, None for a visitor."""
    if seat == VISITOR:
        return APPLICANT_AREA, None
    if seat == APPLICANT:
        return APPLICANT_AREA, APPLICANT_ID
    if seat == AUDITOR:
        return AUDITOR_AREA, AUDITOR
    return AGENT_AREA, session.holder(seat)


def _address(seat: str, dossier: Dossier | None, check: bool) -> str:
    """Return the address of the dossier for a person, or that person's start page."""
    sent = dossier is not None and not dossier.is_draft
    if seat == VISITOR or (dossier is None and seat == APPLICANT):
        return f"/demarches/{_procedure().id}"
    if seat == APPLICANT and dossier is not None:
        return f"/dossiers/{dossier.number}" + ("/verification" if check else "")
    area: dict[str, Any] = {AUDITOR: "/audit"}
    home = str(area.get(seat, "/agent"))
    return f"{home}/dossiers/{dossier.number}" if sent and dossier is not None else home
