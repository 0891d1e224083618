"""Settings of one installation, read from its environment.

Folders, addresses, the followed repository.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Final, TypeVar

from engine.core.values import Span
from engine.domain.common.access import PAPERS_KEPT
from engine.domain.common.sms_policy import SmsPolicy
from engine.language.source.notation import read_span
from engine.operations.store_factory import address_in
from engine.publication.mirror import Followed
from engine.services.context.contact_parsing import COUNTRIES
from engine.storage.files.blob_store import SCHEME, Bucket

N = TypeVar("N", int, float)

DATABASE: Final = "guichet.db"  # in the data folder, as are the keys
KEYS: Final = "keys.json"
FILES: Final = "files"
MEGABYTE: Final = 1024 * 1024
NO_BUCKET: Final = Bucket("", "", "", "")


class WrongSetting(Exception):
    """An invalid setting: its name and its value."""

    def __init__(self, name: str, written: str) -> None:
        super().__init__(f"{name}={written}")


class UnreadFile(WrongSetting):
    """A setting whose file is missing or unreadable for this account."""


class EmptyFile(WrongSetting):
    """A setting whose file is empty. Without its value, the program would use other data or no secret."""


class WrongNumber(WrongSetting):
    """A setting that must be a number, and is not."""

    pass


class WrongNetwork(WrongSetting):
    """A setting that must list addresses or networks, and does not."""

    pass


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of an installation, from the environment (`GUICHET_…`).

    A secret may be in a file: `…_FILE`.
    """

    procedures: Path = Path("procedures")
    data: Path = Path("var")
    base_url: str = "http://localhost:8000"
    short_url: str = ""  # used in messages and QR codes; the base address when empty
    demo: bool = False
    database: str = ""  # a PostgreSQL address; a SQLite file in the data folder when empty
    files_at: str = ""  # the place of uploaded files: `s3://bucket/prefix` or a folder; in the data folder when empty
    service: Bucket = NO_BUCKET  # access to a bucket, whichever
    gateways: Path | None = None  # the file of operators, SMS gateway and mail server (`engine/integrations/config.py`)
    portal: Path | None = None  # the file of the frame: country, emblem, help line (`engine/operations/portal.py`)
    secret_before: str = ""  # signed it before: still read
    secret: str = ""  # signs a cookie of the browser; created in the data folder when empty
    phone: str = ""  # for one release: `phone` of the portal's file
    security_contact: str = ""
    proxies: int = 0  # number of trusted proxies in front
    checkpoints: Path | None = None  # the folder of signed checkpoints; in the data folder when None
    keys: Path | None = None  # the key ring; in the data folder when None
    hosts: tuple[str, ...] = ()  # names the site answers to; empty = any
    follow: Followed | None = None  # the repository whose commits publish; without one, the files of `procedures` do
    second_factor: bool = True  # of agents; auditors always have one
    follow_every: float = 0  # seconds between two looks at it; 0 = by the kind of its address
    # addresses and networks that may read `/metrics`; without them and without token, none may
    metrics_from: tuple[str, ...] = ()
    metrics_token: str = field(default="", repr=False)
    stop_within: float = 25.0  # seconds to finish requests in progress
    leave_after: float = 0.0  # seconds before that in which requests are still accepted, for a proxy to notice
    threads: int = 0  # that serve requests in this process
    mandate_papers: Span = PAPERS_KEPT  # how long the paper of a mandate is stored after its end
    sms: SmsPolicy = field(default_factory=SmsPolicy)
    log: str = ""  # `json`, `text`; empty = text on a terminal
    reserve: int | None = None  # bytes of free disk space that uploads never use; None = by the size of the disk

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], demo: bool = False) -> Settings:
        """Read the settings.

        `demo` asks for a demonstration in any case, with its own data folder. Raises `WrongSetting`,
        `WrongAddress`.
        """

        def read(name: str, otherwise: str = "") -> str:
            file = environ.get(f"GUICHET_{name}_FILE")
            return _said_in(f"GUICHET_{name}_FILE", file) if file else environ.get(f"GUICHET_{name}", otherwise)

        port = environ.get("PORT", "8000")
        demo = demo or read("DEMO") in ("1", "true", "yes")
        return cls(
            procedures=Path(read("PROCEDURES", "procedures")),
            data=Path(read("DATA", "var/demo" if demo else "var")),
            base_url=read("BASE_URL", f"http://localhost:{port}").rstrip("/"),
            short_url=read("SHORT_URL").rstrip("/"),
            demo=demo,
            gateways=Path(read("GATEWAYS")) if read("GATEWAYS") else None,
            portal=Path(read("PORTAL")) if read("PORTAL") else None,
            database=address_in(environ.get("DATABASE_URL", "") or read("DATABASE_URL")),
            files_at=read("FILES"),
            service=_service(read),
            secret_before=read("SECRET_BEFORE"),
            secret=read("SECRET"),
            phone=read("PHONE"),
            security_contact=read("SECURITY_CONTACT"),
            proxies=_number("PROXIES", read("PROXIES", "0"), _count),
            keys=Path(environ["GUICHET_KEYS"]) if environ.get("GUICHET_KEYS") else None,
            checkpoints=Path(read("CHECKPOINTS")) if read("CHECKPOINTS") else None,
            hosts=tuple(filter(None, read("HOSTS").split(","))),
            second_factor=read("SECOND_FACTOR", "yes") not in ("0", "false", "no"),
            follow=_followed(read),
            follow_every=_number("FOLLOW_EVERY", read("FOLLOW_EVERY", "0"), float),
            metrics_from=_networks("METRICS_FROM", read("METRICS_FROM")),
            metrics_token=read("METRICS_TOKEN"),
            stop_within=_number("STOP_WITHIN", read("STOP_WITHIN", "25"), float),
            leave_after=_number("LEAVE_AFTER", read("LEAVE_AFTER", "0"), float),
            mandate_papers=_span("KEEP_MANDATES", read("KEEP_MANDATES", str(PAPERS_KEPT))),
            sms=_sms(read),
            log=read("LOG"),
            reserve=_number("RESERVE", read("RESERVE"), int) * MEGABYTE if read("RESERVE") else None,
        )  # fmt: skip

    @property
    def store(self) -> str:
        """The address of the store: `DATABASE_URL`, else a file in the data folder."""
        return self.database or str(self.data / DATABASE)

    @property
    def files(self) -> Path | Bucket:
        """The place of uploaded files."""
        return self.place_of(self.files_at) if self.files_at else self.data / FILES

    def place_of(self, address: str) -> Path | Bucket:
        """Return the place of files at an address: a bucket or a folder."""
        return replace(self.service, address=address) if address.startswith(SCHEME) else Path(address)

    @property
    def disks(self) -> tuple[Path, ...]:
        """The local folders of the store and the files."""
        return (self.data, self.files) if isinstance(self.files, Path) else (self.data,)

    @property
    def ring(self) -> Path:
        """The key file, which signs and encrypts uploads. Best on another disk than the data."""
        return self.keys or self.data / KEYS

    @property
    def https(self) -> bool:
        """Whether the base address uses HTTPS."""
        return self.base_url.startswith("https://")


def _said_in(name: str, file: str) -> str:
    try:
        said = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UnreadFile(name, file) from None
    if not said:
        raise EmptyFile(name, file)
    return said


def _number(name: str, written: str, kind: Callable[[str], N]) -> N:
    try:
        return kind(written)
    except ValueError:
        raise WrongNumber(f"GUICHET_{name}", written) from None


def _count(written: str) -> int:
    """Return a number from 0. Raises ValueError for other texts."""
    if not (written.isascii() and written.isdigit()):
        raise ValueError(written)
    return int(written)


def _networks(name: str, written: str) -> tuple[str, ...]:
    found = tuple(one.strip() for one in written.split(",") if one.strip())
    for one in found:
        try:
            ip_network(one)
        except ValueError:
            raise WrongNetwork(f"GUICHET_{name}", one) from None
    return found


def _span(name: str, written: str) -> Span:
    span = read_span(written)
    if span is None:
        raise WrongSetting(f"GUICHET_{name}", written)
    return span


def _sms(read: Callable[..., str]) -> SmsPolicy:
    usual = SmsPolicy()
    written, most = read("SMS_COUNTRIES"), read("SMS_NEW_AN_HOUR")
    countries = tuple(one.strip().upper() for one in written.split(",") if one.strip()) or usual.countries
    for one in countries:
        if one not in COUNTRIES:
            raise WrongSetting("GUICHET_SMS_COUNTRIES", one)
    new = _number("SMS_NEW_AN_HOUR", most, _count) if most else usual.new_an_hour
    if new < 1:
        raise WrongNumber("GUICHET_SMS_NEW_AN_HOUR", most)
    return SmsPolicy(countries, new)


def _followed(read: Callable[..., str]) -> Followed | None:
    address = read("FOLLOW")
    if not address:
        return None
    signed = read("FOLLOW_SIGNED") in ("1", "true", "yes")
    return Followed(address, read("BRANCH", "main"), read("FOLLOW_FOLDER", "procedures"), signed)


def _service(read: Callable[..., str]) -> Bucket:
    authority = read("FILES_AUTHORITY")
    return Bucket(
        "", read("FILES_ENDPOINT"), read("FILES_KEY"), read("FILES_SECRET"), read("FILES_REGION", NO_BUCKET.region),
        Path(authority) if authority else None,
    )  # fmt: skip


def unknown_settings(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the unknown variables that start with `GUICHET_`: most often typing errors."""
    asked: set[str] = set()

    class Asking(dict[str, str]):
        def get(self, name: str, otherwise: str = "") -> str:  # type: ignore[override]
            asked.add(name)
            # settings of the follower are read only with it
            return "somewhere" if name == "GUICHET_FOLLOW" else otherwise

    Settings.from_environment(Asking())
    known = asked | {"GUICHET_LANG", "GUICHET_KEYS"}
    return tuple(sorted(name for name in environ if name.startswith("GUICHET_") and name not in known))
