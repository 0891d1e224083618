"""People for a demonstration: two holders of every role of the directory, so that what needs four eyes can be shown,
and a controller. Their password is public: where real requests are kept, `close_demo` shuts their doors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from typing import Final, Literal

from engine.core.values import Plain
from engine.model.directory import Directory
from engine.records.dossier import Account
from engine.services.context.app_context import AppContext
from engine.services.keys.secrets import hash_secret

PASSWORD: Final = "demo"
AUDITOR: Final = "controle"
ADMINISTRATOR: Final = "administration"
_OURS: Final = "demo-"  # how the id of every invented account begins
_FAMILIES: Final = (
    "Mensah", "Agbeko", "Lawson", "Kpodar", "Amouzou", "Tchalla", "Koffi", "Ayité", "Bawa", "Djobo", "Gbeho", "Sossou",
    "Akakpo", "Nabine", "Tchakondo", "Adjovi",
)  # fmt: skip
_GIVEN: Final = (
    ("Afi", "f"), ("Kossi", "m"), ("Akouvi", "f"), ("Komlan", "m"), ("Essi", "f"), ("Yao", "m"), ("Ama", "f"), ("Koffi", "m"),
    ("Abra", "f"), ("Edem", "m"), ("Dédé", "f"), ("Kodjo", "m"), ("Rissikatou", "f"), ("Bassirou", "m"), ("Mawuli", "m"),
    ("Adjoa", "f"), ("Essohana", "m"), ("Pyalo", "f"), ("Tchaa", "m"),
)  # fmt: skip
_TOWNS: Final = ("Lomé", "Kara", "Sokodé", "Kpalimé", "Atakpamé", "Dapaong", "Tsévié", "Aného")
_INITIALS: Final = ("A.", "K.", "E.", "Y.", "M.", "D.", "S.", "T.", "V.")


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Someone who may sign in: `role` is a `agency/role` key, empty for the controller and for who manages the teams."""

    login: str
    name: str
    role: str


def open_demo(ctx: AppContext) -> tuple[DemoPerson, ...]:
    """Gives every person of the demonstration an open account. All those who may sign in."""
    people = (
        *demo_agents(ctx.directory),
        DemoPerson(AUDITOR, "S. Edoh", ""),
        DemoPerson(ADMINISTRATOR, "B. Tossou", ""),
    )
    with ctx.store.unit() as unit:
        known = [unit.account_of(_kind(one), one.login) for one in people]
    missing = [one for one, account in zip(people, known, strict=True) if account is None]
    closed = [account for account in known if account and account.disabled and is_invented(account)]
    if missing or closed:
        secret = hash_secret(PASSWORD)  # one for all: it is no secret
        with ctx.store.unit(write=True) as unit:
            for one in missing:
                unit.put_account(_account(one, secret))
            for account in filter(None, (unit.account_held(one.id) for one in closed)):
                unit.put_account(replace(account, secret=secret, disabled=False))
    return people


def close_demo(ctx: AppContext) -> None:
    """Shuts the door to every person of a demonstration held on this store before, and ends their sessions."""
    with ctx.store.unit() as unit:
        everyone = (*unit.accounts("agent"), *unit.accounts("auditor"))
    ours = [one for one in everyone if is_invented(one) and not one.disabled]
    if ours:
        with ctx.store.unit(write=True) as unit:
            for account in filter(None, (unit.account_held(one.id) for one in ours)):
                unit.put_account(replace(account, secret="", disabled=True))
                unit.drop_sessions(account.id)


def is_invented(account: Account) -> bool:
    """Whether this is a person of the demonstration."""
    return account.id.startswith(_OURS)


def demo_agents(directory: Directory) -> tuple[DemoPerson, ...]:
    """Two holders of every role, in the order of the directory; the same names at each start."""
    names = (f"{initial} {family}" for initial, family in product(_INITIALS, _FAMILIES))
    return tuple(
        DemoPerson(login, next(names, login), role) for role, login in _logins(directory)
    )  # fmt: skip


def invented_applicant(number: int, sex: str = "") -> Account:
    """Somebody who asked for something, of that sex where it matters; the same at each start. Nothing is ever sent to their
    telephone."""
    names = [one for one in _GIVEN if sex in ("", one[1])] or _GIVEN
    given, sex = names[number % len(names)]
    profile: dict[str, Plain] = {
        "family_name": _FAMILIES[number * 5 % len(_FAMILIES)].upper(), "given_names": given, "sex": sex,
        "birth_date": date(1972 + number * 7 % 31, 1 + number * 5 % 12, 1 + number * 11 % 28).isoformat(),
        "birth_place": _TOWNS[number * 3 % len(_TOWNS)],
    }  # fmt: skip
    return Account(f"{_OURS}usager-{number}", "applicant", "", f"+2289055{number:04}", profile=profile)


def _logins(directory: Directory) -> Iterator[tuple[str, str]]:
    for agency in directory.agencies.values():
        for short, role in agency.roles.items():
            yield role.key, f"{agency.id}.{short}"
            yield role.key, f"{agency.id}.{short}.2"


def _kind(one: DemoPerson) -> Literal["agent", "auditor"]:
    return "auditor" if one.login == AUDITOR else "agent"


def _account(one: DemoPerson, secret: str) -> Account:
    roles = (one.role,) if one.role else ()
    managed = ("*",) if one.login == ADMINISTRATOR else ()
    return Account(f"{_OURS}{one.login}", _kind(one), one.name, one.login, secret, roles, administers=managed)
