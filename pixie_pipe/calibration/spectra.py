"""Energy calibration of all channels of some runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pixie_pipe.calibration.energy import (
    ChannelCalibration,
    LineSearch,
    calibrate_channel,
    measure_lines,
)
from pixie_pipe.calibration.errors import CalibrationError
from pixie_pipe.calibration.file import EnergyCalibration, Validity
from pixie_pipe.calibration.lines import find_lines
from pixie_pipe.spectra.errors import SpectraError

if TYPE_CHECKING:
    from pixie_pipe.calibration.lines import KnownLine
    from pixie_pipe.spectra.channel_histogram import ChannelHistogram
    from pixie_pipe.spectra.collection import Spectra
    from pixie_pipe.spectra.fit import Background

_COLUMN: Final = "energy"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationResult:
    """A calibration, and how it came about.

    Attributes
    ----------
    calibration
        The calibration of the channels that could be calibrated.
    searches
        What was found in each spectrum, by channel, in the order of the spectra.
    problems
        Why channels could not be, or lines were left out, by channel.
    """

    calibration: EnergyCalibration
    searches: dict[str, tuple[LineSearch, ...]]
    problems: dict[str, tuple[str, ...]]


def energy_histogram(spectra: Spectra, name: str | None = None) -> ChannelHistogram:
    """Return the spectra of energies in ADC units.

    Parameters
    ----------
    spectra
        Histograms of a run.
    name
        Which of them; by default the first one that is of energies, without a gate.

    Raises
    ------
    SpectraError
        If there is none.
    """
    found: ChannelHistogram
    if name is not None:
        found = spectra[name]
        declared = found.declaration
        if declared.kind != "spectrum" or declared.column != _COLUMN:
            raise SpectraError(
                f"{name!r} is a {declared.kind} of {declared.column}, expected a "
                f"spectrum of energies in ADC units"
            )
        return found
    for one in spectra:
        declared = one.declaration
        is_energy = declared.kind == "spectrum" and declared.column == _COLUMN
        if is_energy and not declared.gate:
            found = spectra[one.name]
            return found
    raise SpectraError(
        f"there is no spectrum of energies without a gate; histograms: "
        f"{', '.join(spectra.names) or 'none'}"
    )


def calibrate_spectra(
    measured: Sequence[tuple[Spectra, Sequence[str]]],
    *,
    degree: int = 1,
    through_zero: bool = False,
    gain: float | None = None,
    background: Background = "linear",
    channels: Iterable[str] | None = None,
    name: str | None = None,
    valid: Validity | None = None,
) -> CalibrationResult:
    """Calibrate the energies of all channels.

    Parameters
    ----------
    measured
        Spectra, each with the names of the sources that were in front of the
        detectors.
    degree, through_zero
        See `calibrate_channel`.
    gain, background
        See `measure_lines`.
    channels
        Names of channels; by default all that have a spectrum.
    name
        See `energy_histogram`.
    valid
        What the calibration is for; by default the first of the runs, and all later
        ones.

    Raises
    ------
    CalibrationError
        If there is no channel that could be calibrated.
    SpectraError
        If there are no spectra of energies.
    MissingExtraError
        If iminuit is not installed.
    """
    parts = [
        (energy_histogram(spectra, name), find_lines(sources))
        for spectra, sources in measured
    ]
    known = sorted({one for histogram, _ in parts for one in histogram.channels})
    calibrated: dict[str, ChannelCalibration] = {}
    searches: dict[str, tuple[LineSearch, ...]] = {}
    problems: dict[str, tuple[str, ...]] = {}
    for channel in known if channels is None else channels:
        found, notes = _search(channel, parts, gain, background)
        searches[channel] = found
        try:
            calibrated[channel] = calibrate_channel(
                [line for one in found for line in one.lines],
                degree=degree,
                through_zero=through_zero,
            )
        except CalibrationError as error:
            notes.append(str(error))
        if notes:
            problems[channel] = tuple(notes)
    if not calibrated:
        told = "; ".join(f"{one}: {', '.join(why)}" for one, why in problems.items())
        raise CalibrationError(f"no channel could be calibrated: {told or 'no events'}")
    runs = sorted({run for spectra, _ in measured for run in spectra.runs})
    calibration = EnergyCalibration(
        channels=calibrated,
        sources=tuple(dict.fromkeys(one for _, sources in measured for one in sources)),
        runs=tuple(runs),
        valid=valid or Validity(first_run=runs[0] if runs else None),
    )
    return CalibrationResult(
        calibration=calibration, searches=searches, problems=problems
    )


def _search(
    channel: str,
    parts: Sequence[tuple[ChannelHistogram, Sequence[KnownLine]]],
    gain: float | None,
    background: Background,
) -> tuple[tuple[LineSearch, ...], list[str]]:
    """Return what is found of all lines of a channel, and what went wrong."""
    found: list[LineSearch] = []
    notes: list[str] = []
    for histogram, lines in parts:
        try:
            counts, edges = histogram[channel], histogram.axis.positions
            search = measure_lines(
                counts, edges, lines, gain=gain, background=background
            )
        except (CalibrationError, SpectraError) as error:
            notes.append(str(error))
            continue
        found.append(search)
        notes += search.problems
    return tuple(found), notes
