"""The directory: live data of the administrations (agencies, offices, calendar, registers), outside any fingerprint.

An administrator may change it without a new edition: opening hours, closures, holidays, seats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType

from engine.core.values import Text
from engine.model import Appeal, Contact, Hours


@dataclass(frozen=True, slots=True)
class Role:
    """One function in an agency; `key` is `agency/role`. `seats` is how many people may hold it."""

    key: str
    label: Text
    seats: int = 1


@dataclass(frozen=True, slots=True)
class Agency:
    id: str
    label: Text
    roles: Mapping[str, Role]  # by the short id
    contact: Contact | None = None
    appeals: Mapping[str, Appeal] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Closure:
    """Days when an office does not receive; with `hours`, only then on each of them. `change`: the act of an administrator
    that says so, empty where the file does."""

    from_: date
    until: date
    because: Text | None = None
    hours: Hours | None = None
    change: str = ""

    def covers(self, day: date) -> bool:
        return self.from_ <= day <= self.until


@dataclass(frozen=True, slots=True)
class ExtraOpening:
    """Days when an office receives beside its usual hours (`hours`), or with another number of places (`desks`)."""

    from_: date
    until: date
    hours: Hours | None = None
    desks: int | None = None
    change: str = ""

    def covers(self, day: date) -> bool:
        return self.from_ <= day <= self.until


@dataclass(frozen=True, slots=True)
class Office:
    """A place with doors. `hours` by weekday (0 = Monday)."""

    id: str
    label: Text
    agency: str
    address: Text | None = None
    serves: tuple[str, ...] = ()
    desks: int | None = None  # people received at once; None = as many as each appointment says
    hours: Mapping[int, tuple[Hours, ...]] = field(default_factory=lambda: MappingProxyType({}))
    closed: tuple[Closure, ...] = ()
    opened: tuple[ExtraOpening, ...] = ()

    def closure_on(self, day: date) -> Closure | None:
        """What closes it all day."""
        return next((one for one in self.closed if one.hours is None and one.covers(day)), None)

    def closure_at(self, day: date, start: int, end: int) -> Closure | None:
        """What closes it at some minute between these two of a day."""
        return next(
            (
                one
                for one in self.closed
                if one.covers(day) and (one.hours is None or (one.hours.start < end and start < one.hours.end))
            ),
            None,
        )

    def closed_in_part(self, day: date) -> Closure | None:
        return next((one for one in self.closed if one.hours is not None and one.covers(day)), None)

    def extra_hours(self, day: date) -> tuple[Hours, ...]:
        return tuple(one.hours for one in self.opened if one.hours is not None and one.covers(day))

    def desks_on(self, day: date) -> int | None:
        """Places in parallel that day, where an administrator says so; the last word counts."""
        said = [one.desks for one in self.opened if one.desks is not None and one.covers(day)]
        return said[-1] if said else None


def _meet(one: Office, other: Office) -> bool:
    return not one.serves or not other.serves or bool(set(one.serves) & set(other.serves))


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days the administration works."""

    weekend: frozenset[int] = frozenset({5, 6})
    holidays: Mapping[date, Text] = field(default_factory=lambda: MappingProxyType({}))

    def works(self, day: date) -> bool:
        return day.weekday() not in self.weekend and day not in self.holidays

    def add_working_days(self, day: date, count: int) -> date:
        """The day `count` working days after `day` (which is not counted). Negative counts go back."""
        step = timedelta(days=1 if count >= 0 else -1)
        left = abs(count)
        while left:
            day += step
            if self.works(day):
                left -= 1
        return day


@dataclass(frozen=True, slots=True)
class Register:
    """A register of another system that a look-up asks; `answers` are its answers' names and types, `labels` what people
    read of them."""

    id: str
    label: Text
    agency: str
    answers: Mapping[str, str]
    labels: Mapping[str, Text] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Directory:
    agencies: Mapping[str, Agency] = field(default_factory=lambda: MappingProxyType({}))
    offices: Mapping[str, Office] = field(default_factory=lambda: MappingProxyType({}))
    calendar: Calendar = Calendar()
    registers: Mapping[str, Register] = field(default_factory=lambda: MappingProxyType({}))
    _by_agency: Mapping[str, tuple[Office, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, tuple[Office, ...]] = {}
        for office in self.offices.values():
            found[office.agency] = (*found.get(office.agency, ()), office)
        object.__setattr__(self, "_by_agency", found)

    def offices_of(self, agency: str) -> tuple[Office, ...]:
        """Those of an agency, in the order of the files."""
        return self._by_agency.get(agency, ())

    def office_serving(self, place: str, agency: str | None = None) -> str | None:
        """The first office that serves the place; none where none does."""
        for office in self.offices.values():
            if place in office.serves and agency in (None, office.agency):
                return office.id
        return None

    def within_reach(self, offices: Iterable[str]) -> frozenset[str]:
        """The offices whose dossiers people bound to `offices` may handle: these, and those of other agencies that serve a
        place in common, for an agency that is consulted holds no dossier itself. One that names no place serves them all."""
        mine = [self.offices[one] for one in offices if one in self.offices]
        others = (one for one in self.offices.values() for own in mine if one.agency != own.agency and _meet(one, own))
        return frozenset(offices) | {one.id for one in others}

    def role(self, key: str) -> Role | None:
        agency_id, _, role_id = key.partition("/")
        agency = self.agencies.get(agency_id)
        return agency.roles.get(role_id) if agency else None
