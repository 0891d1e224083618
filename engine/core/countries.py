"""The countries of the world by lower-case ISO 3166-1 alpha-3 code: names in French and English, alpha-2 code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from engine.core.values import Text

_READ: Final[Mapping[str, list[str]]] = json.loads(Path(__file__).with_name("countries.json").read_text("utf-8"))

COUNTRIES: Final[Mapping[str, Text]] = MappingProxyType(
    {code: Text((("fr", french), ("en", english))) for code, (french, english, _) in _READ.items()}
)
ALPHA_2: Final[Mapping[str, str]] = MappingProxyType({code: alpha_2 for code, (_, _, alpha_2) in _READ.items()})
