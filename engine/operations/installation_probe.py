"""An installation as `guichet doctor` sees it, and the result of one check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from engine.domain.common.sms_policy import SmsPolicy
from engine.integrations.gateways import Gateways
from engine.operations.portal import Portal
from engine.publication.mirror import Followed
from engine.storage.files.blob_store import BlobStore
from engine.storage.files.reserve import Reserve
from engine.storage.unit_of_work import Store

Level: TypeAlias = Literal["well", "watch", "mend"]


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """One check: the part, the code of the result, its level, and its facts."""

    part: str
    code: str
    level: Level
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstallationProbe:
    """An installation to check. Parts that may fail to open are passed as functions."""

    base_url: str
    demo: bool
    hosts: tuple[str, ...]
    second_factor: bool
    unknown: tuple[str, ...]  # unknown settings
    data: Path
    ring: Path
    file: Path | None  # of a SQLite store
    open_store: Callable[[], Store]  # raises RuntimeError: unsafe settings, another release
    kept_nothing: Callable[[], bool]  # no store was ever created
    gateways: Callable[[], Gateways]
    follow: Followed | None = None
    open_blob_store: Callable[[], BlobStore] | None = None  # of a bucket; raises WrongBlobStore
    # the followed repository, or the one around the definitions; raises Refused
    reach_repository: Callable[[], object] | None = None
    sms: SmsPolicy = field(default_factory=SmsPolicy)
    unproven: str = ""  # the remote database server whose certificate is not checked
    portal: Callable[[], Portal] = Portal  # raises WrongPortal
    reserve: Reserve = field(default_factory=lambda: Reserve(()))  # free space that uploads never use
    has_register: Callable[[str], bool] = lambda name: True


@runtime_checkable
class Reachable(Protocol):
    """A remote system whose connection can be tested."""

    def reach(self) -> None:
        """Connect to the system. Raises `NotSent` or `OSError`."""


def worst(checks: Iterable[DoctorCheck]) -> Level:
    """Return the worst level among the checks."""
    levels = {one.level for one in checks}
    return "mend" if "mend" in levels else "watch" if "watch" in levels else "well"
