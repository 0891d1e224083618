"""Annotations of a pull request, as forges read them in the output of a job: `::error file=…,line=…::text`."""

from __future__ import annotations


def annotation(level: str, text: str, **properties: str | int) -> str:
    """One workflow command on its line. `level`: notice, warning or error."""
    said = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{level} {said}::{_escaped(text)}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
