"""`guichet agent`: accounts and rights of agents, managed on the machine of the installation.

The caller passes the functions that open the application context. The first administrator is created here, the others
also on their page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from renderers.cli.admin.installation_commands import wording

if TYPE_CHECKING:
    from engine.records.dossier import Account
    from engine.services.accounts.agents import Given, Person
    from engine.services.context.app_context import AppContext
    from renderers.i18n.translations import Translations

_PARTS = ("name", "roles", "offices", "until", "procedures", "administers")  # of a person, as the options are called
LANGUAGES = click.Choice(["fr", "en"])
ACTIONS = ("add", "change", "list", "close", "reopen", "password", "reset-totp")


def agent_command(opened: Callable[[], AppContext], kept: Callable[[], AppContext]) -> click.Command:
    """Return `guichet agent`. `opened` may create the installation; `kept` ends the command if there is none."""

    @click.command("agent")
    @click.argument("action", type=click.Choice(ACTIONS))
    @click.argument("login", default="")
    @click.option("--name", default="", help="the person's name")
    @click.option(
        "--role", "roles", multiple=True, metavar="AGENCY/ROLE[:DAY]", help="a role, and its last day if it ends"
    )
    @click.option("--office", "offices", multiple=True, help="binds the person to this office; all of them otherwise")
    @click.option("--until", help="last day of the account (YYYY-MM-DD)")
    @click.option("--administers", multiple=True, help="an agency whose people this person manages; * for all")
    @click.option(
        "--auditor", is_flag=True, help="a controller: --until is required, --procedure bounds what they read"
    )
    @click.option("--procedure", "procedures", multiple=True, help="a procedure that a controller's mandate names")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def agent(
        action: str, login: str, name: str, roles: tuple[str, ...], offices: tuple[str, ...], until: str | None,
        administers: tuple[str, ...], auditor: bool, procedures: tuple[str, ...], language: str,
    ) -> None:  # fmt: skip
        """Manage the accounts and rights of agents and auditors.

        `add` opens an account and shows its password once. `change` replaces the rights that its options name; the
        others stay, and an empty option (--office '') removes its own. `close` disables the account and ends its sessions. `reopen` enables it again. `password` replaces a lost password,
        `reset-totp` deletes a lost second factor, and `list` shows all rights. Each change is recorded in the
        journal of rights.

        First administrator: guichet agent add chef --name "A. Mensah" --administers '*'. Exit codes: 0 done;
        1 refused, nothing changed; 2 wrong use.
        """
        from engine.core.problems import Refused

        words = wording()
        if action != "list" and not login:
            raise click.UsageError("Missing argument 'LOGIN'.")
        office = kept() if action != "add" else opened()
        if action not in ("add", "list"):
            office = opened()
        try:
            if action == "list":
                return _list(words, office, language)
            asked = _asked(name, roles, offices, until, administers, procedures)
            click.echo(_done(words, office, action, login, auditor, asked, language))
        except Refused as refused:
            _fail(words.refusal(refused.reason.code, refused.reason.facts, language))

    return agent


def _asked(
    name: str, roles: tuple[str, ...], offices: tuple[str, ...], until: str | None, administers: tuple[str, ...],
    procedures: tuple[str, ...],
) -> Person:  # fmt: skip
    from engine.services.accounts.agents import Person

    split = (one.partition(":") for one in roles if one)
    given = {role: _day(day) if day else None for role, _, day in split}
    places, names, managed = (tuple(filter(None, those)) for those in (offices, procedures, administers))
    return Person(name, given, places, _day(until) if until else None, names, managed)


def _kept_besides(account: Account, asked: Person, given: click.Context) -> Person:
    """Return the rights asked for, with those of the account where no option is given: a change never widens others."""
    from engine.services.accounts.agents import Person

    held = Person(
        account.name, {role: account.ends.get(role) for role in account.roles}, account.offices, account.until,
        account.procedures, account.administers,
    )  # fmt: skip
    named = [name for name in _PARTS if given.get_parameter_source(name) == ParameterSource.COMMANDLINE]
    if not named:
        raise click.UsageError("Missing option: nothing to change.")
    return replace(held, **{name: getattr(asked, name) for name in named})


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"Invalid value for '{text}': YYYY-MM-DD") from None


def _done(
    words: Translations, ctx: AppContext, action: str, login: str, auditor: bool, asked: Person, language: str
) -> str:
    """Carry out the action and return what to report to the administrator."""
    from engine.records.dossier import SYSTEM_ACTOR
    from engine.services.accounts import agents as people
    from engine.services.context.app_context import NotFound

    if action == "add":
        kind: people.Kind = "auditor" if auditor else "agent"
        return _reported(words, ctx, people.add_person(ctx, SYSTEM_ACTOR, kind, login, asked), language)
    try:
        account = people.found_by_login(ctx, "auditor" if auditor else "agent", login)
    except NotFound:
        _fail(words.say("people.unknown", language, {"login": login}))
    if action == "change":
        asked = _kept_besides(account, asked, click.get_current_context())
        people.change_person(ctx, SYSTEM_ACTOR, account.id, asked, seen=people.rights_seen(account))
        return words.say("people.changed", language, {"login": login})
    if action in ("reopen", "password"):
        verb = people.reopen_person if action == "reopen" else people.give_password
        return _reported(words, ctx, verb(ctx, SYSTEM_ACTOR, account.id), language)
    verb_of = {"close": people.close_person, "reset-totp": people.reset_factor}
    verb_of[action](ctx, SYSTEM_ACTOR, account.id)
    return words.say("people.closed" if action == "close" else "people.factor_reset", language, {"login": login})


def _reported(words: Translations, ctx: AppContext, given: Given, language: str) -> str:
    area = "audit" if given.account.kind == "auditor" else "agent"
    facts = {"login": given.account.login, "password": given.password, "door": f"{ctx.settings.base_url}/{area}"}
    return words.say("people.given", language, facts)


def _list(words: Translations, ctx: AppContext, language: str) -> None:
    from engine.records.dossier import SYSTEM_ACTOR
    from engine.services.accounts.agents import team

    people = team(ctx, SYSTEM_ACTOR)
    logins, names = (
        max(map(len, column), default=0) for column in ([one.login for one in people], [one.name for one in people])
    )
    for account in people:
        named = f"{account.login:{logins}}  {account.name:{names}}"
        click.echo("  ".join([named, *_rights(words, ctx, account, language)]).rstrip())


def _rights(words: Translations, ctx: AppContext, account: Account, language: str) -> list[str]:
    day = ctx.day()
    said = [f"{role}:{account.ends[role]}" if role in account.ends else role for role in account.roles]
    said += [f"({', '.join(account.offices)})"] if account.offices else []
    said += [words.say("people.manages", language, {"agency": one}) for one in account.administers]
    said += [words.say("people.controller", language, {})] if account.kind == "auditor" else []
    said += list(account.procedures)
    said += [words.say("people.until", language, {"day": account.until.isoformat()})] if account.until else []
    return said if account.is_open(day) else [*said, words.say("people.is_closed", language, {})]


def _fail(said: str) -> NoReturn:
    click.echo(said, err=True)
    sys.exit(1)
