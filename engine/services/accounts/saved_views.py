"""Lists that an agent keeps under a name: the filters of an address, in the profile of their account.

The text that was searched is not kept: it may be the name of an applicant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.domain.common.names import free_text
from engine.records.dossier import Account, Actor
from engine.services.context.app_context import AppContext, NotFound
from engine.services.core.idempotency import NOTHING, once
from engine.storage.unit_of_work import Unit

MOST_VIEWS: Final = 12
LONGEST_VIEW: Final = 40  # characters of a name
LONGEST_QUERY: Final = 400
_KEY: Final = "views"


@dataclass(frozen=True, slots=True)
class SavedView:
    """One list: its number, which no other view of the person has, its name and the query of its address."""

    n: int
    name: str
    query: str


def saved_views(ctx: AppContext, actor: Actor) -> tuple[SavedView, ...]:
    """Return the views of an agent, the oldest first; empty for others."""
    with ctx.store.unit() as unit:
        account = unit.account(actor.id) if actor.kind == "agent" else None
    return tuple(_views(account)) if account is not None else ()


def save_view(ctx: AppContext, actor: Actor, name: str, query: str, *, token: str | None = None) -> None:
    """Save a view. One of the same name is replaced.

    Raises `NotFound` for others than agents. Raises Refused: view_unnamed, views_full.
    """
    name = " ".join(free_text(name).split())[:LONGEST_VIEW].strip()

    def work(unit: Unit) -> None:
        account = _account(unit, actor)
        views = list(_views(account))
        if not name:
            raise Refused(refusal("view_unnamed"))
        same = next((number for number, one in enumerate(views) if one.name == name), None)
        if same is not None:
            views[same] = replace(views[same], query=query[:LONGEST_QUERY])
        elif len(views) >= MOST_VIEWS:
            raise Refused(refusal("views_full", most=MOST_VIEWS))
        else:
            views.append(SavedView(max((one.n for one in views), default=0) + 1, name, query[:LONGEST_QUERY]))
        _put(unit, account, views)

    once(ctx, actor, "save_view", token, (name, query), work, NOTHING)


def remove_view(ctx: AppContext, actor: Actor, n: int) -> None:
    """Remove a view; nothing happens if it is gone already. Raises `NotFound` for others than agents."""
    with ctx.store.unit(write=True) as unit:
        account = _account(unit, actor)
        left = [one for one in _views(account) if one.n != n]
        if len(left) < len(list(_views(account))):
            _put(unit, account, left)


def _account(unit: Unit, actor: Actor) -> Account:
    account = unit.account_held(actor.id) if actor.kind == "agent" else None
    if account is None:
        raise NotFound
    return account


def _views(account: Account) -> Iterator[SavedView]:
    kept = account.profile.get(_KEY)
    for one in kept if isinstance(kept, list) else ():
        if isinstance(one, dict) and isinstance(n := one.get("n"), int):
            yield SavedView(n, str(one.get("name")), str(one.get("query")))


def _put(unit: Unit, account: Account, views: list[SavedView]) -> None:
    others = {name: value for name, value in account.profile.items() if name != _KEY}
    kept: list[Plain] = [{"n": one.n, "name": one.name, "query": one.query} for one in views]
    unit.put_account(replace(account, profile={**others, _KEY: kept} if kept else others))
