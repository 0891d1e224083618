"""Everything a dossier waits for from its applicant, several things at once where the circuit says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.definition.model import Appointment
from engine.office.cashier import awaited_payment
from engine.office.fee_accounts import fee_accounts
from engine.rules.tasks import holds_slot, open_tasks
from renderers.web.base import actor, at_counter, day_of, office, say
from renderers.web.cases import Case, label
from renderers.web.errands import asked_of
from renderers.web.money import francs


@dataclass(frozen=True, slots=True)
class ToDo:
    href: str
    title: str
    text: str = ""


def to_do(one: Case) -> list[ToDo]:
    """Forms to fill, money to pay, visits to book. Not the corrections, which have a box of their own."""
    if one.dossier.is_draft:
        return []
    return [*to_fill(one), *_money(one), *to_book(one)]


def to_fill(one: Case) -> Iterator[ToDo]:
    """Later forms."""
    for asked in asked_of(one):
        text = say("todo.parts_left", count=asked.left) if asked.parts else ""
        yield ToDo(asked.href, asked.title, text)


def _money(one: Case) -> Iterator[ToDo]:
    accounts = [account for account in fee_accounts(office(), actor(), one.id) if account.open]
    if not accounts or awaited_payment(office(), actor(), one.id) is not None:
        return
    days = [account.due for account in accounts if account.due is not None]
    text = say("money.before", day=day_of(min(days))) if days else ""
    part = accounts[0].next_part if len(accounts) == 1 and accounts[0].paid else None  # the rest may wait
    amount = part.amount if part is not None else sum(account.left for account in accounts)
    yield ToDo(one.at("/paiement"), say("todo.pay", amount=francs(amount)), text)


def to_book(one: Case) -> Iterator[ToDo]:
    """Visits that are to be booked and are not."""
    for task in open_tasks(one.procedure, one.dossier, one.standing().scope):
        if isinstance(task, Appointment) and not task.proposed_by and not holds_slot(one.dossier, task.id):
            yield ToDo(
                one.at(f"/rendez-vous?quoi={task.id}"),
                say("counter.book" if at_counter() else "todo.book", what=label(task.label)),
            )
