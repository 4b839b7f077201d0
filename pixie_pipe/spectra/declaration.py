"""Histograms as a configuration declares them.

A declaration is plain: it can be read from YAML, compared, and stored with the counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeAlias

from pixie_pipe.events.schema import COLUMN, COLUMNS
from pixie_pipe.spectra.channels import full_name, parse_channel
from pixie_pipe.spectra.errors import SpectraError

KINDS: Final = {
    "spectrum": "a column, by default the energy, for each channel",
    "rate": "events in time, for each channel",
    "time_difference": "time from an event of one channel to the nearest of another",
    "matrix": "energies of all pairs of events of a coincidence",
}
"""What can be filled."""

DEFAULT: Final[tuple[Mapping[str, Any], ...]] = (
    {"kind": "spectrum", "name": "energy"},
)
"""What is filled if nothing else is declared: the energy of each channel."""

MOST_BINS: Final = 1 << 26
"""Bins of one histogram (of one channel): half a gigabyte."""

_DEFAULTS: Final[dict[str, tuple[int, tuple[float, float]]]] = {
    # An energy has 16 bits; the filters of the modules have no more than 14 that tell.
    "spectrum": (16_384, (0.0, 65_536.0)),
    # A day in steps of ten seconds.
    "rate": (8_640, (0.0, 86_400.0)),
    "time_difference": (1_000, (-500.0, 500.0)),
    "matrix": (1_024, (0.0, 65_536.0)),
}

_OWN: Final = {
    "spectrum": {"column", "channels"},
    "rate": {"channels"},
    "time_difference": {"channels", "window_ns"},
    "matrix": {"column", "x", "y"},
}
"""Keys that not all kinds have."""

_SHARED: Final = ("kind", "name", "bins", "range", "gate")

Gate: TypeAlias = Mapping[str, float | bool | Sequence[float | None]]
"""Conditions by column: a value that it must have, or a range: from (that value, too)
to (that value not); None: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One histogram: what is counted, in which bins, and which events.

    Attributes
    ----------
    kind
        One of `KINDS`.
    name
        How it is called; by default its kind.
    bins
        Number of bins, on each axis.
    range
        From where to where the bins go: in the unit of the column, in seconds (rate),
        or in ns (time difference).
    column
        What is counted: `energy`, `energy_kev`, or another one.
    channels
        Names of the channels that are meant, as ``c0-s02-ch03``, or ``c0-s02`` for a
        module; none: all. A time difference has two, from the first one to the other.
    x, y
        The same for the two axes of a matrix.
    window_ns
        How far apart a pair of a time difference can be; by default up to the farther
        end of the range.
    gate
        Conditions that an event must meet, see `Gate`.
    """

    kind: str
    name: str = ""
    bins: int = 0
    range: tuple[float, float] = (math.nan, math.nan)
    column: str = "energy"
    channels: tuple[str, ...] = ()
    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    window_ns: float = 0.0
    gate: Gate = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Declaration:
        """Check a declaration.

        Parameters
        ----------
        values
            Attributes by name, ``kind`` at least.

        Raises
        ------
        SpectraError
            If a key is unknown, or a value makes no sense.
        """
        kind = values.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            known = "; ".join(f"{name}: {text}" for name, text in KINDS.items())
            raise SpectraError(f"kind is {kind!r}, expected one of {known}")
        allowed = (*_SHARED, *sorted(_OWN[kind]))
        for key in values:
            if key not in allowed:
                raise SpectraError(
                    f"{key} is unknown to the kind {kind}, expected "
                    f"{', '.join(allowed)}"
                )
        bins, ends = _DEFAULTS[kind]
        checked: dict[str, Any] = {"name": kind, "bins": bins, "range": ends, **values}
        for key, check in _CHECKS.items():
            if key in checked:
                checked[key] = check(key, checked[key])
        if kind == "time_difference":
            _check_pair(checked)
        if kind == "matrix" and (checked["bins"] + 2) ** 2 > MOST_BINS:
            raise SpectraError(
                f"bins is {checked['bins']}, a matrix of that many squared is too large"
            )
        return cls(**checked)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` takes."""
        values: dict[str, Any] = {}
        for key in (*_SHARED, *sorted(_OWN[self.kind])):
            value = getattr(self, key)
            values[key] = list(value) if isinstance(value, tuple) else value
        values["gate"] = {
            name: list(wanted) if isinstance(wanted, Sequence) else wanted
            for name, wanted in self.gate.items()
        }
        return values

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of events that it needs."""
        own = {
            "spectrum": (self.column,),
            "rate": ("time_ps",),
            "time_difference": ("time_ps",),
            "matrix": (self.column, "coincidence"),
        }[self.kind]
        needed = ("crate", "slot", "channel", *own, *self.gate)
        return tuple(dict.fromkeys(needed))


def check_declarations(values: Sequence[Mapping[str, Any]]) -> list[Declaration]:
    """Check the declarations of several histograms.

    Raises
    ------
    SpectraError
        If one is wrong, or two have the same name; the text tells which.
    """
    declarations: list[Declaration] = []
    for number, value in enumerate(values):
        if not isinstance(value, Mapping):
            raise SpectraError(f"item {number} is {value!r}, expected a mapping")
        try:
            one = Declaration.from_dict(value)
        except SpectraError as error:
            raise SpectraError(f"item {number}: {error}") from error
        if any(one.name == other.name for other in declarations):
            raise SpectraError(
                f"item {number}: the name {one.name!r} is taken; give each of several "
                f"histograms of a kind a name"
            )
        declarations.append(one)
    return declarations


def _text(key: str, value: Any) -> str:  # noqa: ANN401 - as it was given
    if not isinstance(value, str) or not value.replace("_", "").isalnum():
        raise SpectraError(
            f"{key} is {value!r}, expected a text of letters, digits and _"
        )
    return value


def _bins(key: str, value: Any) -> int:  # noqa: ANN401 - as it was given
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpectraError(f"{key} is {value!r}, expected a whole number")
    if not 1 <= value <= MOST_BINS:
        raise SpectraError(f"{key} is {value}, expected 1 to {MOST_BINS}")
    return value


def _is_number(value: Any) -> bool:  # noqa: ANN401 - as it was given
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _range(key: str, value: Any) -> tuple[float, float]:  # noqa: ANN401 - as it was given
    is_pair = isinstance(value, Sequence) and len(value) == 2
    if not is_pair or not all(map(_is_number, value)):
        raise SpectraError(f"{key} is {value!r}, expected two numbers, [from, to]")
    low, high = map(float, value)
    if low >= high:
        raise SpectraError(f"{key} is {value!r}, expected the smaller one first")
    return low, high


def _column(key: str, value: Any) -> str:  # noqa: ANN401 - as it was given
    plain = [column.name for column in COLUMNS if column.width == 1]
    if value not in plain:
        raise SpectraError(f"{key} is {value!r}, expected one of {', '.join(plain)}")
    return str(value)


def _channels(key: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - as it was given
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise SpectraError(f"{key} is {value!r}, expected a list of channels")
    for name in value:
        if not isinstance(name, str):
            raise SpectraError(
                f"{key} has {name!r}, expected names such as c0-s02-ch03"
            )
    return tuple(full_name(name) for name in value)


def _window(key: str, value: Any) -> float:  # noqa: ANN401 - as it was given
    if not _is_number(value) or not value >= 0:
        raise SpectraError(f"{key} is {value!r}, expected a number of ns, 0 or more")
    return float(value)


def _gate(key: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - as it was given
    if not isinstance(value, Mapping):
        raise SpectraError(
            f"{key} is {value!r}, expected conditions by column, such as "
            f"energy: [100, 2000]"
        )
    return {_gate_column(name): _condition(name, one) for name, one in value.items()}


def _gate_column(name: object) -> str:
    if name not in COLUMN or COLUMN[str(name)].width != 1:
        raise SpectraError(f"gate: events have no column {name!r} to be gated on")
    return str(name)


def _condition(name: str, value: Any) -> Any:  # noqa: ANN401 - one of `Gate`
    if isinstance(value, bool) or _is_number(value):
        return value
    is_pair = isinstance(value, Sequence) and len(value) == 2
    if not is_pair or not all(one is None or _is_number(one) for one in value):
        raise SpectraError(
            f"gate: {name} is {value!r}, expected a value, or [from, to] (null: no "
            f"limit)"
        )
    return tuple(value)


def _check_pair(values: dict[str, Any]) -> None:
    names = values.get("channels", ())
    if len(names) != 2:
        raise SpectraError(
            f"channels is {list(names)}, expected two: a time difference is from the "
            f"first one to the other"
        )
    if parse_channel(names[0]) == parse_channel(names[1]):
        raise SpectraError(f"channels is twice {names[0]}, expected two channels")
    values["window_ns"] = values.get("window_ns") or max(map(abs, values["range"]))


_CHECKS: Final[dict[str, Callable[[str, object], Any]]] = {
    "name": _text,
    "bins": _bins,
    "range": _range,
    "column": _column,
    "channels": _channels,
    "x": _channels,
    "y": _channels,
    "window_ns": _window,
    "gate": _gate,
}

assert set(_CHECKS) | {"kind"} == {one.name for one in fields(Declaration)}
