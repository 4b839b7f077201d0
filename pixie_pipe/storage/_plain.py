"""Plain data: what YAML and JSON hold without loss."""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.storage.provenance import printable


class PlainDataError(PixiePipeError, TypeError):
    """A value that a text file cannot hold."""


def to_plain(value: object, where: str) -> Any:  # noqa: ANN401 - any of the plain types
    """Return a copy that is made of plain dicts, lists, texts and numbers only.

    Values and arrays of numpy become numbers and lists, paths and times texts. A text
    that no encoding of files can hold gets escapes in place of the bad characters.

    Parameters
    ----------
    value
        Any nesting of these.
    where
        What it is, for the text of an error.

    Raises
    ------
    PlainDataError
        If a value is of another type, or a key is no text and no whole number.
    """
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return _plain_mapping(value, where)
    if isinstance(value, (list, tuple)):
        return [to_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    for kind, convert in _CONVERTED.items():
        if isinstance(value, kind):
            return convert(value)
    raise PlainDataError(
        f"{where} is a {type(value).__name__}, which a text file cannot hold; expected "
        f"dicts, lists, texts, numbers, True, False and None"
    )


def printable_text(text: str) -> str:
    """Return a text with escapes in place of what UTF-8 cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()


# Subclasses become what they are made of: a dumper refuses them, or writes their names.
_CONVERTED: Mapping[type, Callable[[Any], object]] = {
    str: printable_text,
    int: int,
    float: float,
    os.PathLike: lambda path: printable(Path(path)),
    dt.date: lambda day: day.isoformat(),
}


def without_nan(value: Any) -> Any:  # noqa: ANN401 - any of the plain types
    """Return plain data with None in place of numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _plain_mapping(value: Mapping[Any, Any], where: str) -> dict[str | int, Any]:
    plain: dict[str | int, Any] = {}
    for given, item in value.items():
        key = given.item() if isinstance(given, np.generic) else given
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise PlainDataError(
                f"{where} has the key {key!r}, expected texts and whole numbers as keys"
            )
        key = printable_text(key) if isinstance(key, str) else int(key)
        plain[key] = to_plain(item, f"{where}.{key}")
    if len({str(key) for key in plain}) != len(value):
        raise PlainDataError(
            f"{where} has two keys that are the same text, such as 1 and '1'"
        )
    return plain
