"""`guichet agent change`: what no option names stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.records.dossier import Account
from engine.services.accounts.agents import found_by_login
from renderers.cli.admin.agents import agent_command
from tests.engine.services.world import World, a_world

CHECKER, CLERK = "dgdn/controleur", "dgdn/guichet"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    run(made, "add", "mensah", "--name", "A. Mensah", "--role", f"{CHECKER}:2027-01-31", "--office", "dgdn_kara",
        "--until", "2027-06-30")  # fmt: skip
    run(made, "add", "cour", "--name", "Cour", "--auditor", "--until", "2027-06-30", "--procedure", "e-visa")
    return made


def run(world: World, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(agent_command(lambda: world.office, lambda: world.office), words)
    assert done.exit_code == code, done.output
    return done


def mensah(world: World) -> Account:
    return found_by_login(world.office, "agent", "mensah")


def test_a_new_role_opens_no_other_office_and_ends_when_the_account_does(world: World) -> None:
    before = mensah(world)
    run(world, "change", "mensah", "--role", CLERK)
    after = mensah(world)
    assert after.roles == (CLERK,)
    assert (after.offices, after.until, after.name) == (before.offices, before.until, before.name)
    assert before.offices == ("dgdn_kara",)


def test_a_longer_mandate_of_a_controller_reads_no_other_procedure(world: World) -> None:
    run(world, "change", "cour", "--auditor", "--until", "2027-12-31")
    account = found_by_login(world.office, "auditor", "cour")
    assert account.procedures == ("e-visa",)
    assert str(account.until) == "2027-12-31"


def test_a_part_is_removed_by_its_empty_option(world: World) -> None:
    run(world, "change", "mensah", "--office", "", "--until", "")
    after = mensah(world)
    assert (after.offices, after.until, after.roles) == ((), None, (CHECKER,))
    assert str(after.ends[CHECKER]) == "2027-01-31"


def test_without_an_option_nothing_changes(world: World) -> None:
    before = mensah(world)
    run(world, "change", "mensah", code=2)
    assert mensah(world) == before
