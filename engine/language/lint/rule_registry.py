"""Where the checker's rules sign in: one small function a code, yielding what breaks it. The words come much later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from engine.core.problems import Problem
from engine.model import Procedure
from engine.model.directory import Directory

Rule: TypeAlias = Callable[[Procedure, Directory], Iterator[Problem]]

RULES: Final[dict[str, Rule]] = {}


def rule(code: str) -> Callable[[Rule], Rule]:
    """Signs a rule in under its code. Two rules may not share one."""

    def sign_in(function: Rule) -> Rule:
        if code in RULES:
            raise ValueError(f"two rules for {code}")
        RULES[code] = function
        return function

    return sign_in
