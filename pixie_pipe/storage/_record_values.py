"""Reading values that somebody may have edited, with errors that name the key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pixie_pipe.errors import PixiePipeError

Reader: TypeAlias = Callable[[object, str], Any]
"""Checks a value; its second argument is the key, for the text of an error."""


class RunRecordError(PixiePipeError, ValueError):
    """A record of a run that is damaged, or that is not written here."""


def read_value(values: Mapping[str, Any], key: str, where: str = "") -> Any:  # noqa: ANN401 - what is in the file
    """Return the value of a key that must be there."""
    if key not in values:
        raise RunRecordError(f"key '{where}{key}' is missing")
    return values[key]


def kind_of(value: object) -> str:
    """Return what a value is, for the text of an error."""
    names = {dict: "keys", list: "a list", type(None): "nothing"}
    return names.get(type(value), repr(value))


def expected(what: str, where: str, value: object) -> RunRecordError:
    """Return the error that a value is not what it should be."""
    return RunRecordError(f"key '{where}' holds {kind_of(value)}, expected {what}")


def read_text(value: object, where: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise expected("a text", where, value)
    return value


def read_whole(value: object, where: str) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise expected("a whole number", where, value)
    return value


def read_count(value: object, where: str) -> int:
    """Return a whole number that is not negative."""
    if (number := read_whole(value, where)) < 0:
        raise expected("a number not below 0", where, value)
    return number


def read_mapping(value: object, where: str) -> dict[str, Any]:
    """Return keys and values."""
    if not isinstance(value, dict):
        raise expected("keys and values", where, value)
    return value


def read_time(value: object, where: str) -> dt.datetime:
    """Return a time that knows its offset from UTC."""
    # Without quotes YAML makes a time of it by itself.
    time = value if isinstance(value, dt.datetime) else None
    if isinstance(value, str):
        try:
            time = dt.datetime.fromisoformat(value)
        except ValueError:
            time = None
    if time is None or time.tzinfo is None:
        raise expected(
            "a time with its offset from UTC, as in '2026-01-31T12:00:00+01:00'",
            where,
            value,
        )
    return time


def read_optional(read: Reader) -> Reader:
    """Return a reader that takes nothing for None."""
    return lambda value, where: None if value is None else read(value, where)


def read_each(read: Reader) -> Reader:
    """Return a reader of a list."""

    def read_all(value: object, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise expected("a list", where, value)
        return tuple(read(item, f"{where}[{i}]") for i, item in enumerate(value))

    return read_all


def read_fields(value: object, where: str, **readers: Reader) -> dict[str, Any]:
    """Return the values of several keys, each by its reader."""
    values = read_mapping(value, where)
    return {
        key: read(read_value(values, key, f"{where}."), f"{where}.{key}")
        for key, read in readers.items()
    }
