"""Files of calibrations: YAML, with what each is valid for and how it was made.

``docs/calibration.md`` describes them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from pixie_pipe.calibration.energy import ChannelCalibration, MeasuredLine
from pixie_pipe.calibration.errors import CalibrationError
from pixie_pipe.calibration.polynomial import MOST_DEGREE, Polynomial
from pixie_pipe.spectra.channels import parse_channel
from pixie_pipe.storage.atomic import new_file

if TYPE_CHECKING:
    from pixie_pipe.calibration.time_offsets import TimeOffsets
    from pixie_pipe.events import Events

FORMAT: Final = "pixie_pipe calibration"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """The runs, or the times, that a calibration is for; None: no limit.

    Attributes
    ----------
    first_run, last_run
        Numbers of runs; both belong to it.
    start, stop
        Times; the second one does not belong to it.
    """

    first_run: int | None = None
    last_run: int | None = None
    start: datetime | None = None
    stop: datetime | None = None

    def __post_init__(self) -> None:
        runs, times = (self.first_run, self.last_run), (self.start, self.stop)
        for low, high in (runs, times):
            if low is not None and high is not None and low > high:  # type: ignore[operator]  # both of a kind
                raise CalibrationError(
                    f"valid from {low} to {high}: expected the first one first"
                )
        for time in times:
            if time is not None and time.tzinfo is None:
                raise CalibrationError(f"the time {time} has no time zone")

    def holds(self, run: int | None, time: datetime | None) -> bool:
        """Tell whether it is for a run, and for a time; what is not known passes."""
        in_runs = run is None or (
            (self.first_run is None or run >= self.first_run)
            and (self.last_run is None or run <= self.last_run)
        )
        in_times = time is None or (
            (self.start is None or time >= self.start)
            and (self.stop is None or time < self.stop)
        )
        return in_runs and in_times


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyCalibration:
    """Energy calibrations of channels, made at one time.

    Attributes
    ----------
    channels
        Calibrations by name of the channel.
    sources
        Names of the sources.
    runs
        Numbers of the runs that it was made with.
    valid
        What it is for.
    created
        When it was made.
    """

    channels: Mapping[str, ChannelCalibration]
    sources: tuple[str, ...] = ()
    runs: tuple[int, ...] = ()
    valid: Validity = field(default_factory=Validity)
    created: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0)
    )

    def __getitem__(self, channel: str) -> ChannelCalibration:
        """Return the calibration of a channel.

        Raises
        ------
        CalibrationError
            If it has none.
        """
        if channel not in self.channels:
            known = ", ".join(self.channels) or "none"
            raise CalibrationError(f"{channel} has no calibration; channels: {known}")
        return self.channels[channel]

    def apply(self, events: Events) -> Events:
        """Return events with the column ``energy_kev``, NaN where there is none.

        Raises
        ------
        EventsError
            If a column is missing: crate, slot, channel, energy, timestamp.
        """
        from pixie_pipe.calibration.calibrator import Calibrator

        return Calibrator(self.channels).apply(events)


def write_calibrations(
    path: str | Path, calibrations: Sequence[EnergyCalibration], *, force: bool = False
) -> Path:
    """Write calibrations to a YAML file.

    Raises
    ------
    OutputExistsError, OutputPathError
        If it exists, or cannot be written.
    """
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "calibrations": [_to_dict(one) for one in calibrations],
    }
    return _write(Path(path), document, force=force)


def write_time_offsets(
    path: str | Path,
    offsets: TimeOffsets,
    *,
    runs: Sequence[int] = (),
    force: bool = False,
) -> Path:
    """Write time offsets to a YAML file that ``SortEvents`` reads (`offsets_file`).

    Raises
    ------
    OutputExistsError, OutputPathError
        If it exists, or cannot be written.
    """
    document = {
        "offsets_ns": {_place(n): round(v, 3) for n, v in offsets.offsets_ns.items()},
        "errors_ns": {_place(n): round(v, 4) for n, v in offsets.errors_ns.items()},
        "reference": _place(offsets.reference),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": list(runs),
        "chi2": offsets.chi2,
        "ndf": offsets.ndf,
        "differences": [dataclasses.asdict(one) for one in offsets.differences],
    }
    return _write(Path(path), document, force=force)


def _write(path: Path, document: Mapping[str, Any], *, force: bool) -> Path:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    with new_file(path, force=force) as opened:
        opened.path.write_text(text, encoding="utf-8")
    return path


def _place(channel: str) -> str:
    return "/".join(map(str, parse_channel(channel)))


def _to_dict(calibration: EnergyCalibration) -> dict[str, Any]:
    valid = {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in dataclasses.asdict(calibration.valid).items()
        if value is not None
    }
    return {
        "quantity": "energy",
        "unit": "keV",
        "created": calibration.created.isoformat(),
        "sources": list(calibration.sources),
        "runs": list(calibration.runs),
        "valid": valid,
        "channels": {
            name: {
                "coefficients": list(one.polynomial.coefficients),
                "errors": list(one.polynomial.errors),
                "chi2": one.polynomial.chi2,
                "ndf": one.polynomial.ndf,
                "lines": [dataclasses.asdict(line) for line in one.lines],
            }
            for name, one in calibration.channels.items()
        },
    }


class Calibrations:
    """The energy calibrations of a file.

    Parameters
    ----------
    path
        The file.
    calibrations
        What is in it.
    """

    def __init__(
        self, path: str | Path, calibrations: Sequence[EnergyCalibration]
    ) -> None:
        self.path = Path(path)
        self.calibrations = tuple(calibrations)

    def __len__(self) -> int:
        return len(self.calibrations)

    def __repr__(self) -> str:
        return f"<Calibrations of {self.path}: {len(self)}>"

    def at(
        self, *, run: int | None = None, time: datetime | None = None
    ) -> EnergyCalibration:
        """Return the calibration for a run, or for a time.

        Of several, the one that begins latest; of those, the one that was made last.

        Raises
        ------
        CalibrationError
            If there is none.
        """
        held = [one for one in self.calibrations if one.valid.holds(run, time)]
        if not held:
            what = " and ".join(
                [f"run {run}"] * (run is not None) + [f"{time}"] * (time is not None)
            )
            raise CalibrationError(
                f"{self.path}: no calibration is valid for {what or 'anything'}; there "
                f"are: {'; '.join(map(_validity_text, self.calibrations)) or 'none'}"
            )
        return max(held, key=_begin)


def _begin(one: EnergyCalibration) -> tuple[float, float, float]:
    valid = one.valid
    return (
        -math.inf if valid.first_run is None else valid.first_run,
        -math.inf if valid.start is None else valid.start.timestamp(),
        one.created.timestamp(),
    )


def _validity_text(one: EnergyCalibration) -> str:
    valid = one.valid
    parts = []
    if valid.first_run is not None or valid.last_run is not None:
        parts.append(f"runs {_open(valid.first_run)} to {_open(valid.last_run)}")
    if valid.start is not None or valid.stop is not None:
        parts.append(f"{_open(valid.start)} to {_open(valid.stop)}")
    return ", ".join(parts) or "any run"


def _open(value: object) -> str:
    return "..." if value is None else str(value)


def read_calibrations(path: str | Path) -> Calibrations:
    """Read a file of energy calibrations.

    Raises
    ------
    CalibrationError
        If it cannot be read, is none, is of a version that is not known, or a value is
        missing or makes no sense; the text says where.
    """
    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CalibrationError(f"{path}: cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CalibrationError(f"{path}: expected a file with 'format: {FORMAT}'")
    if document.get("format_version") != FORMAT_VERSION:
        raise CalibrationError(
            f"{path}: its version is {document.get('format_version')!r}, this "
            f"pixie_pipe reads {FORMAT_VERSION}"
        )
    entries = document.get("calibrations")
    if not isinstance(entries, list):
        raise CalibrationError(f"{path}: calibrations is {entries!r}, expected a list")
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(_from_dict(entry))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else error
            raise CalibrationError(f"{path}: calibrations[{number}]: {what}") from error
    return Calibrations(path, found)


def _from_dict(entry: Mapping[str, Any]) -> EnergyCalibration:
    if entry["quantity"] != "energy" or entry["unit"] != "keV":
        raise CalibrationError(
            f"it is of {entry['quantity']!r} in {entry['unit']!r}, expected energy in "
            f"keV"
        )
    valid = dict(entry.get("valid") or {})
    for key in ("start", "stop"):
        if key in valid:
            valid[key] = _time(valid[key])
    return EnergyCalibration(
        channels={
            _channel(name): _channel_from_dict(name, values)
            for name, values in entry["channels"].items()
        },
        sources=tuple(entry.get("sources", ())),
        runs=tuple(int(run) for run in entry.get("runs", ())),
        valid=Validity(**valid),
        created=_time(entry["created"]),
    )


def _time(value: Any) -> datetime:  # noqa: ANN401 - YAML makes times by itself
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise CalibrationError(f"the time {value} has no time zone")
    return time


def _channel(name: str) -> str:
    parse_channel(name)
    return name


def _channel_from_dict(name: str, values: Mapping[str, Any]) -> ChannelCalibration:
    numbers = {}
    for key in ("coefficients", "errors"):
        found = tuple(float(value) for value in values.get(key, ()))
        if not all(map(math.isfinite, found)):
            raise CalibrationError(f"{name}: {key} {list(found)} are not finite")
        numbers[key] = found
    if not 2 <= len(numbers["coefficients"]) <= MOST_DEGREE + 1:
        raise CalibrationError(
            f"{name}: there are {len(numbers['coefficients'])} coefficients, expected "
            f"2 to {MOST_DEGREE + 1}"
        )
    return ChannelCalibration(
        polynomial=Polynomial(
            coefficients=numbers["coefficients"],
            errors=numbers["errors"],
            chi2=float(values.get("chi2", 0)),
            ndf=int(values.get("ndf", 0)),
        ),
        lines=tuple(MeasuredLine(**line) for line in values.get("lines", ())),
    )
