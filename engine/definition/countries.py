"""The countries of the world by ISO 3166-1 alpha-3 code in lower case, with their names in French and in English."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from engine.values import Text


def _read() -> Mapping[str, Text]:
    names: dict[str, list[str]] = json.loads(Path(__file__).with_name("countries.json").read_text("utf-8"))
    return MappingProxyType(
        {code: Text((("fr", french), ("en", english))) for code, (french, english) in names.items()}
    )


COUNTRIES: Final[Mapping[str, Text]] = _read()
