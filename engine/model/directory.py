"""The directory: live data of the administrations (agencies, offices, calendar, registers, press), outside all fingerprints.

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
    """One function in an agency. `key` is `agency/role`. `seats` is the number of people who may hold it.

    `leads` are the keys of the roles whose work its holder follows and shares out. It gives no right to read a dossier.
    """

    key: str
    label: Text
    seats: int = 1
    leads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Agency:
    """An administration, with its roles."""

    id: str
    label: Text
    roles: Mapping[str, Role]  # by the short id
    contact: Contact | None = None
    appeals: Mapping[str, Appeal] = field(default_factory=lambda: MappingProxyType({}))
    under: tuple[Text, ...] = ()  # the authorities above it, printed on documents, highest first
    short: Text | None = None
    emblem: str = ""  # SVG text


@dataclass(frozen=True, slots=True)
class Closure:
    """Days when an office does not receive. With `hours`, it is closed only at these hours of each day.

    `change` is the id of the recorded opening change, empty when the closure comes from the file.
    """

    from_: date
    until: date
    because: Text | None = None
    hours: Hours | None = None
    change: str = ""

    def covers(self, day: date) -> bool:
        """Return whether a day is in the closure, both ends included. Hours are not considered."""
        return self.from_ <= day <= self.until


@dataclass(frozen=True, slots=True)
class ExtraOpening:
    """Days with hours beside the usual ones (`hours`), or with another number of places (`desks`)."""

    from_: date
    until: date
    hours: Hours | None = None
    desks: int | None = None
    change: str = ""

    def covers(self, day: date) -> bool:
        """Return whether a day is in the opening, both ends included."""
        return self.from_ <= day <= self.until


@dataclass(frozen=True, slots=True)
class Office:
    """A place where an agency receives people. `hours` by weekday (0 = Monday)."""

    id: str
    label: Text
    agency: str
    address: Text | None = None
    serves: tuple[str, ...] = ()
    desks: int | None = None  # people received at the same time; None = the number of each appointment
    hours: Mapping[int, tuple[Hours, ...]] = field(default_factory=lambda: MappingProxyType({}))
    closed: tuple[Closure, ...] = ()
    opened: tuple[ExtraOpening, ...] = ()
    issuer: Text | None = None  # the authority that issues there: `Mairie de Kara`
    town: Text | None = None  # where its documents are made
    checked: date | None = None  # the day a person compared address and hours with the agency's notice

    def closure_on(self, day: date) -> Closure | None:
        """Return the closure that closes the office all day, None when none does."""
        return next((one for one in self.closed if one.hours is None and one.covers(day)), None)

    def closure_at(self, day: date, start: int, end: int) -> Closure | None:
        """Return the closure that covers any minute from `start` to before `end` of a day, None when none does."""
        return next(
            (
                one
                for one in self.closed
                if one.covers(day) and (one.hours is None or (one.hours.start < end and start < one.hours.end))
            ),
            None,
        )

    def closed_in_part(self, day: date) -> Closure | None:
        """Return the first closure that closes the office for some hours of the day, None when none does."""
        return next((one for one in self.closed if one.hours is not None and one.covers(day)), None)

    def extra_hours(self, day: date) -> tuple[Hours, ...]:
        """Return the hours of the day added to the usual ones."""
        return tuple(one.hours for one in self.opened if one.hours is not None and one.covers(day))

    def desks_on(self, day: date) -> int | None:
        """Return the places in parallel that a change gives for the day.

        The last one counts, None when there is none.
        """
        said = [one.desks for one in self.opened if one.desks is not None and one.covers(day)]
        return said[-1] if said else None


def _meet(one: Office, other: Office) -> bool:
    return not one.serves or not other.serves or bool(set(one.serves) & set(other.serves))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days on which the administration works."""

    weekend: frozenset[int] = frozenset({5, 6})
    holidays: Mapping[date, Text] = field(default_factory=lambda: MappingProxyType({}))

    def works(self, day: date) -> bool:
        """Return whether a day is neither on the weekend nor a holiday."""
        return day.weekday() not in self.weekend and day not in self.holidays

    def add_working_days(self, day: date, count: int) -> date:
        """Return the day `count` working days after `day`, which is not counted. Negative counts go back."""
        step = timedelta(days=1 if count >= 0 else -1)
        left = abs(count)
        while left:
            day += step
            if self.works(day):
                left -= 1
        return day


@dataclass(frozen=True, slots=True)
class Register:
    """A register of another system that a look-up asks.

    `answers` are the names and types of its answers, `labels` their texts for people. `readers` are the other
    agencies whose procedures may ask it.
    """

    id: str
    label: Text
    agency: str
    answers: Mapping[str, str]
    labels: Mapping[str, Text] = field(default_factory=lambda: MappingProxyType({}))
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """The agencies, offices, calendar, registers and press of one installation."""

    agencies: Mapping[str, Agency] = field(default_factory=lambda: MappingProxyType({}))
    offices: Mapping[str, Office] = field(default_factory=lambda: MappingProxyType({}))
    calendar: Calendar = Calendar()
    registers: Mapping[str, Register] = field(default_factory=lambda: MappingProxyType({}))
    press: frozenset[str] = frozenset()  # hosts that report on texts of law, and publish none
    _by_agency: Mapping[str, tuple[Office, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, tuple[Office, ...]] = {}
        for office in self.offices.values():
            found[office.agency] = (*found.get(office.agency, ()), office)
        object.__setattr__(self, "_by_agency", found)

    def offices_of(self, agency: str) -> tuple[Office, ...]:
        """Return the offices of an agency, in the order of the files."""
        return self._by_agency.get(agency, ())

    def office_serving(self, place: str, agency: str | None = None) -> str | None:
        """Return the id of the first office that serves the place, of `agency` if given. None when none does."""
        for office in self.offices.values():
            if place in office.serves and agency in (None, office.agency):
                return office.id
        return None

    def is_press(self, host: str) -> bool:
        """Return whether a host is one of the press, or below one (`news.example.org` of `example.org`)."""
        parts = host.lower().split(".")
        return any(".".join(parts[at:]) in self.press for at in range(len(parts)))

    def within_reach(self, offices: Iterable[str]) -> frozenset[str]:
        """Return the offices whose dossiers agents bound to `offices` may handle.

        These are the given offices and those of other agencies that serve a common place: a consulted agency holds
        no dossier itself. An office that names no place serves all places.
        """
        mine = [self.offices[one] for one in offices if one in self.offices]
        others = (one for one in self.offices.values() for own in mine if one.agency != own.agency and _meet(one, own))
        return frozenset(offices) | {one.id for one in others}

    def role(self, key: str) -> Role | None:
        """Return the role of a key `agency/role`, None when the agency or the role does not exist."""
        agency_id, _, role_id = key.partition("/")
        agency = self.agencies.get(agency_id)
        return agency.roles.get(role_id) if agency else None

    def led_by(self, roles: Iterable[str]) -> frozenset[str]:
        """Return the roles that the holder of these roles leads (`agency/role` keys)."""
        return frozenset(led for key in roles if (role := self.role(key)) for led in role.leads)
