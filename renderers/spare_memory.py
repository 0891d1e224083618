"""Memory that a server need not have: what a library of C keeps of what was freed (glibc), what `dataclasses` writes again
for each record."""

from __future__ import annotations

import ctypes
import gc
import inspect
import os
import sys
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields
from functools import cache
from reprlib import recursive_repr
from typing import Any, Final

_ARENA_MAX: Final = -8  # of mallopt(3)


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def few_arenas() -> None:
    """Before there are threads: each would take memory from a place of its own. `MALLOC_ARENA_MAX` has the last word."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, OSError):
            _library().mallopt(_ARENA_MAX, 2)


def give_back() -> None:
    """After work that leaves a lot behind. It takes less than a millisecond."""
    with suppress(AttributeError, OSError):
        _library().malloc_trim(0)


# -- records -----------------------------------------------------------------------------------------------------------


def share_methods(*packages: str) -> None:
    """Before anything is opened: the records of these packages that are loaded have one method among them where
    `dataclasses` writes the same one for each. With the one that forbids assigning goes the class that a record with slots
    was made from, which it held. Some 3 of the 80 MiB of a server."""
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in packages]
    for record in {one for module in modules for one in vars(module).values() if isinstance(one, type)}:
        _share(record)
    gc.collect()


def _share(record: type) -> None:
    """Apart from the loop: the last record's own methods must be nobody's any more when memory is collected."""
    if "__dataclass_fields__" in vars(record):
        for name, method in _SHARED.items():
            if _is_written(vars(record).get(name)):
                setattr(record, name, method)


def _is_written(method: object) -> bool:
    """By `dataclasses`, not by hand."""
    code = getattr(inspect.unwrap(method), "__code__", None) if callable(method) else None
    return code is not None and code.co_filename == "<string>"


@recursive_repr()
def _shown(record: Any) -> str:
    parts = (f"{one.name}={getattr(record, one.name)!r}" for one in fields(record) if one.repr)
    return f"{type(record).__qualname__}({', '.join(parts)})"


def _assigned(_record: object, name: str, _value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _deleted(_record: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED: Final = {"__repr__": _shown, "__setattr__": _assigned, "__delattr__": _deleted}
