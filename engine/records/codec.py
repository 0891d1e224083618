"""The plain form of every record, as stored in a JSON column, hashed in the journal, or exported.

The codec of a class is compiled once from its annotations. A new field is thus stored without a change here.
Reading is strict. An unknown key, a missing value without default, or a value of another kind raises
`Unreadable`. A field added after a release is thus unreadable for that release, which may still work beside this one:
mark it `LATE`, and it is written only when it differs from its default.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.core.values import Plain

T = TypeVar("T")
LATE: Final[Mapping[str, bool]] = types.MappingProxyType({"late": True})  # `metadata` of a field
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z", re.ASCII)
Write = Callable[[Any], Plain]
Read = Callable[[Any], Any]


class Unreadable(ValueError):
    """A stored text is not the plain form of its record. `path` names the field, never its value. `row` is
    the table and the key, where known."""

    row = ""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path or 'record'}: {expected} expected")
        self.path = path
        self.expected = expected


@dataclasses.dataclass(frozen=True, slots=True)
class Codec:
    """How values of one kind are written and read. `same` means that the value is already plain."""

    write: Write
    read: Read
    same: bool = False


class _AnyPlain:
    """Stands for `Plain` in annotations: the alias names itself and cannot be resolved."""


def to_plain(record: Any) -> dict[str, Plain]:
    """Return the plain form of a record (a frozen dataclass), with every field."""
    plain: dict[str, Plain] = codec_of(type(record)).write(record)  # type: ignore[assignment]
    return plain


def from_plain(kind: type[T], value: Plain) -> T:
    """Return the record that `to_plain` wrote. Raises `Unreadable`."""
    record: T = codec_of(kind).read(value)
    return record


def instant_text(at: datetime) -> str:
    """Return an instant as stored: UTC, always 27 characters, so that text order is time order. Raises
    `TypeError` without a zone."""
    if at.tzinfo is None:
        raise TypeError("an instant needs its zone")
    own = at if at.tzinfo is UTC else at.astimezone(UTC)
    return own.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def read_instant(text: object) -> datetime:
    """Return the instant that `instant_text` wrote. Raises `Unreadable` on any other spelling."""
    if isinstance(text, str) and _INSTANT.fullmatch(
        text
    ):  # each instant has one spelling, so no comparison with `instant_text` is needed
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # such as 30 February
            pass
    raise Unreadable("", "instant")


def read_day(text: object) -> date:
    """Return the date of an ISO text (`2026-11-29`). Raises `Unreadable` on any other spelling."""
    try:
        day = date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise Unreadable("", "day")
    return day


# -- compiling -------------------------------------------------------------------------------------------------------


def codec_of(kind: Any) -> Codec:
    """Return the codec of an annotation: a record, or any type of a record's field. Compiled once. Raises
    `TypeError` for an unsupported type."""
    codec = _CODECS.get(kind)
    if codec is None:
        codec = _CODECS[kind] = _compiled(kind)
    return codec


def _compiled(kind: Any) -> Codec:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _choice(parts)
    if origin in (Union, types.UnionType) and len(parts) == 2 and type(None) in parts:
        return _optional(codec_of(next(part for part in parts if part is not type(None))))
    if origin is tuple:
        return _series(parts)
    if origin is frozenset and parts == (str,):
        return Codec(sorted, lambda value: frozenset(_each(value, codec_of(str).read)))
    if origin is not None and issubclass(origin, Mapping) and parts[0] is str:
        return _table(codec_of(parts[1]))
    raise TypeError(f"no plain form for {kind!r}")


def plain_hints(kind: type[Any]) -> dict[str, Any]:
    """Return the annotation of each field, in a form that `codec_of` accepts."""
    return get_type_hints(kind, localns={"Plain": _AnyPlain})


def _record(kind: type[Any]) -> Codec:
    hints = plain_hints(kind)
    codecs = {one.name: codec_of(hints[one.name]) for one in dataclasses.fields(kind)}
    writers = [(name, None if codec.same else codec.write) for name, codec in codecs.items()]
    readers = {name: codec.read for name, codec in codecs.items()}
    late = {one.name: one.default for one in dataclasses.fields(kind) if one.metadata.get("late")}
    needed = {
        one.name for one in dataclasses.fields(kind)
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    }  # fmt: skip

    def write(record: Any) -> Plain:
        return {
            name: getattr(record, name) if writer is None else writer(getattr(record, name)) for name, writer in writers
        }

    def write_without_defaults(record: Any) -> Plain:
        early = {name for name, default in late.items() if getattr(record, name) == default}
        return {
            name: getattr(record, name) if writer is None else writer(getattr(record, name))
            for name, writer in writers
            if name not in early
        }

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Unreadable("", kind.__name__)
        if strangers := value.keys() - codecs.keys():
            raise Unreadable(min(strangers), "no such field")
        if missing := needed - value.keys():
            raise Unreadable(min(missing), "a value")
        found: dict[str, Any] = {}
        for name, item in value.items():
            try:
                found[name] = readers[name](item)
            except Unreadable as error:
                raise _inside(name, error) from None
        return kind(**found)

    return Codec(write_without_defaults if late else write, read)


def _at(name: str, read: Read, value: Any) -> Any:
    try:
        return read(value)
    except Unreadable as error:
        raise _inside(name, error) from None


def _inside(name: str, error: Unreadable) -> Unreadable:
    return Unreadable(f"{name}.{error.path}" if error.path else name, error.expected)


def _exactly(kind: type[Any]) -> Codec:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise Unreadable("", kind.__name__)
        return value

    return Codec(lambda value: value, read, same=True)


def _choice(words: tuple[Any, ...]) -> Codec:
    def read(value: Any) -> Any:
        if value not in words:
            raise Unreadable("", " | ".join(map(str, words)))
        return value

    return Codec(lambda value: value, read, same=True)


def _optional(inner: Codec) -> Codec:
    return Codec(
        lambda value: None if value is None else inner.write(value),
        lambda value: None if value is None else inner.read(value),
        inner.same,
    )


def _series(parts: tuple[Any, ...]) -> Codec:
    if len(parts) == 2 and parts[1] is Ellipsis:
        inner = codec_of(parts[0])
        return Codec(lambda value: [inner.write(one) for one in value], lambda value: tuple(_each(value, inner.read)))
    inners = tuple(codec_of(part) for part in parts)

    def read(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(inners):
            raise Unreadable("", f"{len(inners)} values")
        return tuple(inner.read(one) for inner, one in zip(inners, value, strict=True))

    return Codec(lambda value: [inner.write(one) for inner, one in zip(inners, value, strict=True)], read)


def _each(value: Any, read: Read) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable("", "list")
    return [read(one) for one in value]


def _table(inner: Codec) -> Codec:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Unreadable("", "mapping")
        return types.MappingProxyType({name: _at(name, inner.read, item) for name, item in value.items()})

    if inner.same:
        return Codec(dict, read)
    return Codec(lambda value: {name: inner.write(item) for name, item in value.items()}, read)


def _plain_copy(value: Any) -> Plain:
    """Copy frozen mappings and tuples to dicts and lists. Other values pass unchanged, and `canonical_json`
    refuses those that are not plain."""
    if isinstance(value, Mapping):
        return {name: _plain_copy(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_copy(item) for item in value]
    plain: Plain = value
    return plain


_CODECS: Final[dict[Any, Codec]] = {
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    datetime: Codec(instant_text, read_instant),
    date: Codec(lambda value: value.isoformat(), read_day),
    _AnyPlain: Codec(_plain_copy, lambda value: value),
}
