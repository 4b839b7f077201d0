"""Parameters of a task: what they are, what is allowed, and the check of a value."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pixie_pipe.errors import PixiePipeError

_TYPES: Final[dict[type[Any], tuple[str, str]]] = {
    bool: ("boolean", "true or false"),
    int: ("integer", "an integer"),
    float: ("number", "a number"),
    str: ("string", "a text"),
    list: ("array", "a list"),
    dict: ("object", "a mapping"),
}
"""Types by their name in JSON Schema, and in messages."""


_AnyType = type[Any]

_NO_TYPE: Final[_AnyType] = type(None)


class ParameterError(PixiePipeError, ValueError):
    """A parameter that does not exist, or a value that it cannot have."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a task.

    Attributes
    ----------
    default
        Value if none is given; None means that it is not set.
    description
        One line for people.
    type
        bool, int, float, str, list or dict; by default that of the default.
    unit
        Unit of the value, such as ``"s"`` or ``"MB"``.
    min, max
        Limits of a number; both belong to the allowed range.
    choices
        All allowed values, if they are few.
    items
        Type of the items of a list.
    check_value
        Raises a `ParameterError` for a value of the right type that makes no sense.
    """

    default: Any
    description: str
    type: _AnyType = _NO_TYPE
    unit: str = ""
    min: float | None = None
    max: float | None = None
    choices: tuple[Any, ...] = ()
    items: _AnyType | None = None
    check_value: Callable[[Any], None] | None = None

    def __post_init__(self) -> None:
        if self.type is _NO_TYPE:
            object.__setattr__(self, "type", type(self.default))
        if self.type not in _TYPES:
            raise ParameterError(
                f"a parameter with the default {self.default!r} needs a type, one of "
                f"{', '.join(kind.__name__ for kind in _TYPES)}"
            )

    def check(self, value: Any) -> Any:  # noqa: ANN401 - any value may be given
        """Return `value` in the parameter's type.

        Raises
        ------
        ParameterError
            If it has another type or is out of range; the text is the reason only.
        """
        if value is None and self.default is None:
            return None
        value = self._typed(value)
        if self.choices and value not in self.choices:
            near = difflib.get_close_matches(str(value), map(str, self.choices), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(repr(choice) for choice in self.choices)
            raise ParameterError(f"is {value!r}, expected one of {known}{hint}")
        low, high = self.min, self.max
        if (low is not None and value < low) or (high is not None and value > high):
            raise ParameterError(
                f"is {_text(value)}{self._in_unit}, expected {self.range}"
            )
        if self.check_value is not None:
            self.check_value(value)
        return value

    def _typed(self, value: Any) -> Any:  # noqa: ANN401 - any value may be given
        wanted = self.type
        if wanted is list and isinstance(value, tuple):
            value = list(value)
        value = _converted(value, wanted)
        if not _fits(value, wanted):
            hint = ""
            if wanted is list and self.items is type(value):
                hint = f"; write [{value!r}]"
            raise ParameterError(
                f"is {value!r}, expected {_TYPES[wanted][1]}{self._in_unit}{hint}"
            )
        if wanted is list and self.items is not None:
            value = self._checked_items(value, self.items)
        return value

    def _checked_items(self, values: Sequence[Any], kind: _AnyType) -> list[Any]:
        checked = [_converted(item, kind) for item in values]
        for index, item in enumerate(checked):
            if not _fits(item, kind):
                raise ParameterError(
                    f"has {item!r} as item {index}, expected {_TYPES[kind][1]}"
                )
        return checked

    @property
    def _in_unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    @property
    def range(self) -> str:
        """What is allowed, as text; empty if there are no limits."""
        unit = self._in_unit
        if self.choices:
            return " | ".join(str(choice) for choice in self.choices)
        if self.min is not None and self.max is not None:
            return f"{_text(self.min)} to {_text(self.max)}{unit}"
        if self.min is not None:
            return f"at least {_text(self.min)}{unit}"
        if self.max is not None:
            return f"at most {_text(self.max)}{unit}"
        return ""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        unit = f" in {self.unit}" if self.unit else ""
        kind = _TYPES[self.type][0]
        schema: dict[str, Any] = {"description": f"{self.description}{unit}"}
        schema["type"] = [kind, "null"] if self.default is None else kind
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.min is not None:
            schema["minimum"] = self.min
        if self.max is not None:
            schema["maximum"] = self.max
        if self.items is not None:
            schema["items"] = {"type": _TYPES[self.items][0]}
        if self.default is not None:
            schema["default"] = self.default
        return schema


def _converted(value: Any, wanted: _AnyType) -> Any:  # noqa: ANN401 - any value
    """Return a value in the wanted type if it is the same there."""
    if isinstance(value, np.generic):
        value = value.item()
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    if wanted is str and hasattr(value, "__fspath__"):
        return str(value)
    return value


def _text(number: float) -> str:
    """Return a number as short as it can be told from its neighbours."""
    with contextlib.suppress(OverflowError):
        short = f"{number:g}"
        if float(short) == number:
            return short
    return repr(number)


def _fits(value: Any, wanted: _AnyType) -> bool:  # noqa: ANN401 - any value
    if wanted is int and isinstance(value, bool):
        return False
    # Not a number is none.
    return isinstance(value, wanted) and not (wanted is float and math.isnan(value))


def check_parameters(
    known: Mapping[str, Parameter], values: Mapping[str, Any], task: str
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Check the values given for a task.

    Parameters
    ----------
    known
        The parameters of the task.
    values
        Values by name; those not given are not in the result.
    task
        Name of the task, for messages.

    Returns
    -------
    dict
        The values that are right.
    list of (name, problem)
        What is wrong with the others.
    """
    right: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for name, value in values.items():
        if name not in known:
            hint = suggestion(name, known)
            listed = f"known: {', '.join(known)}" if known else "it has none"
            text = f"{task} has no parameter {name!r}{hint} ({listed})"
            problems.append((name, text))
            continue
        try:
            right[name] = known[name].check(value)
        except ParameterError as error:
            problems.append((name, f"{task}.{name} {error}"))
    return right, problems


def checked_parameters(
    known: Mapping[str, Parameter], values: Mapping[str, Any], task: str
) -> dict[str, Any]:
    """Return the values given for a task, as `check_parameters`, if all are right.

    Raises
    ------
    ParameterError
        If a name or a value is wrong; the text tells all that are.
    """
    right, problems = check_parameters(known, values, task)
    if problems:
        raise ParameterError("; ".join(text for _, text in problems))
    return right


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` for a name that is nearly known, or nothing."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3)
    if not near:
        lower = {item.lower(): item for item in names}
        near = [
            lower[item] for item in difflib.get_close_matches(name.lower(), lower, n=3)
        ]
    if not near:
        return ""
    return f"; did you mean {' or '.join(repr(item) for item in near)}?"
