"""Every page that the site may answer, read from its HTML, and looked at in a real browser, at 320 pixels without scripts and at
1280 with them.

The world of the access matrix holds something for every route. Each is asked by one person of every kind of answer it has, well
and badly. What comes back as a page is read; the first page of each template is shown, that of a desk on both screens. At night every
page is shown, once for each shape; on the wide screen once for each route and status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from playwright.sync_api import Browser
from werkzeug.test import TestResponse

from renderers.html.templates import Pages
from tests.web.access import ASKED, PERSONAS, POSTED, Row, addresses, filled, table, values_of
from tests.web.access_world import AccessWorld, an_access_world
from tests.web.markup import read_markup
from tests.web.offline_browser import BLANKS, Sight, Window, is_page
from tests.web.page_checks import faults_of, pieces_of, technical_names
from tests.web.page_states import WAYS, Way

# one world, and each shape once: a second worker would look at the same again
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("every page")]

ENDPOINTS: Final = sorted({row.endpoint for row in table()})
FILES: Final = [
    "delegation.proof",
    "agent.enrolment_code",
    "agent_attachments.document",
    "agent_attachments.file",
    "agent_attachments.page_picture",
    "appointments.diary",
    "articles.static",
    "auditor.enrolment_code",
    "auditor.evidence",
    "auditor_events.manifest",
    "auditor_events.take",
    "auditor_procedures.procedures_csv",
    "auditor_procedures.procedures_json",
    "blank_forms.pdf",
    "comparisons.compare_json",
    "comparisons.compare_json_for_auditors",
    "counter_agreement.sheet",
    "counter_form.attachment",
    "counter_messages.attachment",
    "counter_payment.download",
    "counter_payment.receipt",
    "counter_receipt.pdf",
    "definitions.picture",
    "definitions.picture_for_auditors",
    "definitions.source",
    "documents.download",
    "documents.keys",
    "documents.proof",
    "documents.summary",
    "exports.take",
    "exports.take_workbook",
    "form.attachment",
    "messages.staff_document",
    "messages.attachment",
    "open_data.changes",
    "open_data.changes_of_one",
    "open_data.procedures",
    "open_data.sheet",
    "open_data.versions",
    "jobs.report",
    "account.data",
    "payments.receipt",
    "probes.alive",
    "probes.ready",
    "document_links.shown_pdf",
    "appointment_links.diary_by_link",
]
FOR_SCRIPTS: Final = [
    "resumable_uploads.so_far",
    "counter_uploads.so_far",
    "counter_payment.state",
    "jobs.auditor_state",
    "jobs.state",
    "payments.state",
]
# one whose choice is missing says so on the page it stands on: 422
LEADS_ON: Final = [
    "agent_act.choose", "agent_attachments.attachment", "blank_forms.printed", "office_day.today", "walk_ins.search", "comparisons.chosen", "comparisons.chosen_by_auditors", "counter_submission.dossier",
    "identity_signin.come_back", "supervision.former", "tracking.short",
]  # fmt: skip
# 404 here; the page of a card is walked by test_foreigner, the others have none
NOT_SET_UP: Final = ["articles.security", "identity_signin.leave", "operator.card", "probes.metrics"]
NO_PAGE: Final = {*FILES, *FOR_SCRIPTS, *LEADS_ON, *NOT_SET_UP}
DESKS: Final = ("/agent", "/audit")
OF_LETTERS: Final = ("definitions.", "comparisons.", "snippets.")  # what they show has blanks to fill


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> AccessWorld:
    return an_access_world(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def window(browser: Browser, site: AccessWorld) -> Iterator[Window]:
    procedures = site.world.office.catalogue.all()
    opened = Window(browser, frozenset().union(*map(technical_names, procedures)))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def known() -> set[object]:
    """Shapes of pages looked at already, and each with the languages in which it was read."""
    return set()


@pytest.fixture(scope="module")
def rendered() -> Iterator[list[str]]:
    """The templates, in the order in which they were rendered."""
    told, honest = list[str](), Pages.render

    def render(pages: Pages, template: str, language: str, context: Mapping[str, object]) -> str:
        told.append(template)
        return honest(pages, template, language, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pages, "render", render)
        yield told


@pytest.fixture(scope="module")
def shown() -> set[str]:
    """The routes of which a page was looked at, and the ways gone so far."""
    return set()


@dataclass
class FirstOfEach:
    """Reads the HTML of every page, and shows the first of each template, answered well or not; on the wide screen of a
    desk, answered well."""

    window: Window
    names: frozenset[str]
    rendered: list[str]
    shown: set[tuple[str, bool]] = field(default_factory=set)

    def faults(self, sight: Sight) -> list[str]:
        refuses = sight.answer.status_code >= 400
        told = faults_of(read_markup(sight.html), sight.language, self.names, refuses)
        found = [
            f"{sight.path} ({sight.answer.status_code}): {one}" for one in told if not sight.blanks or one not in BLANKS
        ]
        kind = (self.rendered[-1] if self.rendered else "", refuses)
        if kind not in self.shown:
            self.shown.add(kind)
            found += self.window.faults(sight, wide=not refuses and sight.path.startswith(DESKS))
        return found


@pytest.fixture(scope="module")
def first(site: AccessWorld, window: Window, rendered: list[str]) -> FirstOfEach:
    return FirstOfEach(window, frozenset().union(*map(technical_names, site.world.office.catalogue.all())), rendered)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_the_pages_of_a_route_say(site: AccessWorld, first: FirstOfEach, shown: set[str], endpoint: str) -> None:
    faults = []
    for row in table():
        for sight in sights(site, row) if row.endpoint == endpoint else ():
            faults += first.faults(sight)
            shown |= {endpoint} if row.method == "GET" and sight.answer.status_code == 200 else set()
    assert not faults, "\n".join(dict.fromkeys(faults))


@pytest.mark.nightly("screen")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_page_of_a_route(site: AccessWorld, window: Window, known: set[object], endpoint: str) -> None:
    faults = []
    for row in table():
        for sight in sights(site, row) if row.endpoint == endpoint else ():
            shape, page = shape_of(endpoint, sight), (endpoint, sight.answer.status_code)
            if (shape, sight.language) not in known:
                faults += window.faults_of_words(sight) if shape in known else window.faults(sight, page not in known)
                known |= {page, shape, (shape, sight.language)}
    assert not faults, "\n".join(dict.fromkeys(faults))


def sights(site: AccessWorld, row: Row) -> Iterator[Sight]:
    """The pages that one way to ask a route brings."""
    values = values_of(site, row, site.owner)
    asked = filled(ASKED.get(row.endpoint, {}), values)
    for persona in people(row):

        def answers(path: str, who: str = persona) -> Any:
            return site.ask(who, "GET", path)

        for path in addresses(site, row, values):
            for query, data in ways(row, asked, values):
                language = query.get("lang", "fr")
                answer = site.ask(persona, row.method, path, query_string=query, data=data)
                if is_page(answer):
                    yield Sight(path, answer, answers, language, row.endpoint.startswith(OF_LETTERS))


def seen_by_itself(site: AccessWorld, way: Way) -> Iterator[tuple[str, Sight]]:
    """The pages of a way, each as it was when it was reached."""
    site.app.config["WTF_CSRF_ENABLED"] = False
    with site.untouched():
        for named, answer in way(site):
            assert is_page(answer), (way.__name__, named, answer.status_code, answer.headers.get("Location"))
            path = answer.request.path

            def answers(asked: str) -> TestResponse:
                return site.app.test_client().get(asked)  # files only: nobody's page asks for more

            yield named, Sight(path, answer, answers)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_the_pages_on_a_way_say(site: AccessWorld, first: FirstOfEach, shown: set[str], way: Way) -> None:
    faults = []
    for named, sight in seen_by_itself(site, way):
        assert not named.isdigit() or sight.answer.status_code == int(named), (named, sight.answer.status_code)
        faults += first.faults(sight)
        shown |= {named} if sight.answer.status_code == 200 else set()
    shown.add(way.__name__)
    assert not faults, "\n".join(dict.fromkeys(faults))


@pytest.mark.nightly("screen")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_page_on_a_way(site: AccessWorld, window: Window, way: Way) -> None:
    faults = []
    for named, sight in seen_by_itself(site, way):
        assert not named.isdigit() or sight.answer.status_code == int(named), (named, sight.answer.status_code)
        faults += window.faults(sight)
    assert not faults, "\n".join(dict.fromkeys(faults))


def test_no_route_is_without_its_page(site: AccessWorld, shown: set[str]) -> None:
    """Whatever answers a page was looked at above; what never does is a file, or leads on. Alone, it looks for each page."""
    for way in WAYS:
        if way.__name__ not in shown:
            shown |= {named for named, sight in seen_by_itself(site, way) if sight.answer.status_code == 200}
    for row in table():
        if row.method == "GET" and row.endpoint not in shown:
            shown |= {row.endpoint for sight in sights(site, row) if sight.answer.status_code == 200}
    routes = {row.endpoint for row in table() if row.method == "GET"}
    assert sorted(routes - shown - NO_PAGE) == [], "no page of these was looked at"
    assert sorted(NO_PAGE & shown | NO_PAGE - routes) == [], "these have pages, or are gone"


def people(row: Row) -> list[str]:
    """One of every kind of answer."""
    return list({row.cells[one]: one for one in reversed(PERSONAS)}.values())


def ways(
    row: Row, asked: Mapping[str, str], values: Mapping[str, Any]
) -> Iterator[tuple[dict[str, str], dict[str, str] | None]]:
    """In both languages, with and without what the address may ask; a form filled, empty, and to be seen before it is sent."""
    if row.method == "GET":
        for query in ({**asked}, {**asked, "lang": "en"}, *([{}] if asked else [])):
            yield query, None
        return
    posted = filled(POSTED.get(row.endpoint, {}), values)
    for data in (posted, {"go": "next"}, {**posted, "go": "preview"}):
        yield {**asked}, data


def shape_of(endpoint: str, sight: Sight) -> object:
    """What a page is made of: its tags and their classes. One that refuses is the same for all routes of a desk."""
    made_of = pieces_of(sight.html)
    status = sight.answer.status_code
    where = sight.path.split("/")[1] if status in (403, 404) else endpoint
    return where, status, made_of
