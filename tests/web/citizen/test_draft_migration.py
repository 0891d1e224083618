"""Who comes back to a draft after the procedure changed reads once what changed, and finds their answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.services.audit.integrity import fsck
from tests.engine.services.editions import publish
from tests.makers import a_procedure
from tests.web.client import STALL, PortalClient, a_portal_client
from tests.web.counter.test_counter import HOME, filled, helping, kept, sent

pytestmark = pytest.mark.slow  # a whole site for each test

ASKED = STALL.replace("      commerce:", "      marche: {label: 'Quel marché ?', example: Bè}\n      commerce:")
SAID = "La démarche a changé. 1 nouvelle question. Vos réponses sont gardées."


@pytest.fixture
def known(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


def change(known: PortalClient, text: str = ASKED) -> None:
    """Another edition is published while people fill the first one in."""
    publish(known, a_procedure(f"edition: 2\n{text.lstrip()}"))  # type: ignore[arg-type]
    site = known.client.application.extensions["guichet"]
    known.client.application.extensions["guichet"] = replace(site, office=known.office)


@pytest.mark.parametrize("page", ["demande", "demande/vous", "verification"])
def test_it_is_said_once_wherever_they_come_back(known: PortalClient, page: str) -> None:
    number = known.fill()
    change(known)
    shown = known.open(f"/dossiers/{number}/{page}")
    assert SAID in shown.text
    assert SAID not in known.open(f"/dossiers/{number}/{page}").text
    assert "AMEGAN" in known.open(f"/dossiers/{number}/demande/vous").html
    assert "Quel marché ?" in known.page.text
    assert fsck(known.office) == ()


def test_what_was_about_to_be_sent_is_looked_at_once_more(known: PortalClient) -> None:
    number = known.fill()
    form = known.open(f"/dossiers/{number}/verification").form()
    change(known)
    known.post(f"/dossiers/{number}/verification", **{**form, "declared": "1"})
    assert known.page.address == f"/dossiers/{number}/verification"
    assert SAID in known.follow().text
    known.send(f"/dossiers/{number}/demande/vous", marche="Bè", go="next")
    known.send(f"/dossiers/{number}/verification", declared="1")
    assert known.page.address == f"/dossiers/{number}/envoye"


def test_what_was_left_unsaid_of_one_draft_holds_no_other_back(known: PortalClient) -> None:
    """The line is cut before the page that says it; the next person at this counter sends theirs."""
    seat = helping(known)
    check = f"{HOME}/{filled(seat)}/verification"
    form = seat.open(check).form("token")
    change(known, STALL.replace("amount: 5000", "amount: 6500"))
    seat.post(check, **{**form, "declared": "1", "confirmed": "paper"})
    assert seat.page.address == check, "to be looked at once more"
    seat.post(f"{HOME}/terminer", csrf_token=seat.open(HOME).value("csrf_token"))
    seat.send(HOME, how="paper", family_name="LAWSON", given_names="Ablavi", signed="1")
    sent(seat)


def test_an_answer_that_no_longer_fits_is_named(known: PortalClient) -> None:
    number = known.fill()
    change(known, STALL.replace("tissus: Tissus", "poisson: Poisson"))
    shown = known.open(f"/dossiers/{number}/demande").text
    assert "La démarche a changé. Vos réponses sont gardées. À revoir : « Que vendez-vous ? »." in shown


def test_a_piece_that_is_not_taken_any_more_is_asked_for_again(known: PortalClient) -> None:
    number = known.fill()
    change(known, STALL.replace("accept: [jpg, png]", "accept: [pdf]"))
    assert "À revoir : « Photo de l’étal »." in known.open(f"/dossiers/{number}/demande").text
    assert 'name="declared"' not in known.open(f"/dossiers/{number}/verification").html, "not sent without it"
    assert [one.field for one in kept(known, number).attachments] == ["carte"]
    assert fsck(known.office) == ()


def test_another_price_is_said(known: PortalClient) -> None:
    number = known.fill()
    change(known, STALL.replace("amount: 5000", "amount: 6500"))
    shown = known.open(f"/dossiers/{number}/demande").text.replace("\u00a0", " ").replace("\u202f", " ")
    assert (
        "La démarche a changé. Le prix est maintenant de 6 500 FCFA (avant : 5 000 FCFA). Vos réponses sont gardées."
        in shown
    )


def test_a_page_that_is_asked_no_more_leads_to_the_list(known: PortalClient) -> None:
    number = known.fill()
    first, _, rest = STALL.partition("  aides:\n")
    change(known, first + rest[rest.index("evidence:") :])
    known.open(f"/dossiers/{number}/demande/aides")
    assert "La démarche a changé. Vos réponses sont gardées." in known.follow().text


def test_typing_goes_on_over_the_change(known: PortalClient) -> None:
    number = known.begin()
    form = known.open(f"/dossiers/{number}/demande/vous").form()
    change(known)
    typed = {
        "nom": "Kossi",
        "naissance_day": "1",
        "naissance_month": "1",
        "naissance_year": "1990",
        "commerce": "tissus",
    }
    known.post(f"/dossiers/{number}/demande/vous", **{**form, **typed, "go": "next"})
    assert SAID in known.follow().text
    assert "KOSSI" in known.open(f"/dossiers/{number}/demande/vous").html
