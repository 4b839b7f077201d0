"""``pixie-pipe calibrate``: energies in keV from the spectra of runs with sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import check_outputs, is_picture
from pixie_pipe.cli.runs import Runs
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.calibration import CalibrationResult
    from pixie_pipe.spectra import Spectra

_DATA = {".yaml": "the calibration", ".yml": "the calibration"}


def calibrate(
    *measured: str,
    sources: Annotated[
        tuple[str, ...], Parameter(name=("--source", "-s"), negative="")
    ],
    runs: Runs = Path("runs"),
    degree: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=3))] = 1,
    through_zero: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    gain: Annotated[
        float | None, Parameter(validator=validators.Number(gt=0), show_default=False)
    ] = None,
    background: Literal["linear", "step"] = "linear",
    channels: Annotated[str | None, Parameter(show_default=False)] = None,
    histogram: Annotated[str | None, Parameter(show_default=False)] = None,
    valid: Annotated[str | None, Parameter(show_default=False)] = None,
    outputs: Annotated[
        tuple[Path, ...],
        Parameter(name=("--output", "-o"), negative="", show_default=False),
    ] = (),
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Calibrate the energies of all channels with the lines of sources.

    The histograms of the runs are used, which the task FillHistograms has written.
    Peaks are searched for, assigned to lines, and fitted; a polynomial is put through
    their positions. Numbers in brackets are the standard error of the last digits.

    Example: pixie-pipe calibrate 12 13 --source Na-22 --source Co-60
    -o calibration.yaml -o residuals.png

    Parameters
    ----------
    measured
        Numbers of runs, directories of runs, or files of histograms.
    sources
        What was in front of the detectors: a source such as Na-22, several such as
        Na-22+Cs-137, or an energy in keV. One for all runs, whose spectra are added,
        or one for each.
    runs
        Directory of the runs.
    degree
        Of the polynomial: 1 is a straight line.
    through_zero
        Let 0 ADC units be 0 keV.
    gain
        About how many keV an ADC unit is (20 %), where lines are mistaken.
    background
        Below the peaks: a straight line, or that and a step at each peak.
    channels
        Names of channels with commas, such as c0-s02-ch00; by default all.
    histogram
        Name of the histogram; by default the first one of energies in ADC units.
    valid
        Runs that it is for, FIRST:LAST, or FIRST: for all later ones, too; by default
        from the first of these runs on.
    outputs
        File to write; .yaml is the calibration, .png, .svg and .pdf are plots of the
        residuals. May be repeated.
    force
        Replace files that exist.
    json
        Print the lines of each channel as one JSON document.
    """
    from pixie_pipe.calibration import Validity, calibrate_spectra, write_calibrations

    check_outputs(outputs, _DATA, force=force)
    first, last = _valid_runs(valid)
    result = calibrate_spectra(
        _with_sources([_read(name, runs) for name in measured], sources),
        degree=degree,
        through_zero=through_zero,
        gain=gain,
        background=background,
        channels=channels.split(",") if channels else None,
        name=histogram,
        valid=Validity(first_run=first, last_run=last) if valid else None,
    )
    if json:
        output.write_json(_to_dict(result))
    else:
        _print(result)
    for path in sorted(outputs, key=is_picture):
        if is_picture(path):
            _plot(result, path, force=force)
        else:
            write_calibrations(path, [result.calibration], force=force)


def _read(name: str, runs: Path) -> Spectra:
    """Return the histograms of a run, or of a file."""
    from pixie_pipe.storage import read_spectra

    path = Path(name)
    if name.isdecimal() and not path.exists():
        path = runs / f"{int(name):04d}"
        if not path.is_dir():
            raise UsageError(f"there is no run {name} in {runs}; see: pixie-pipe runs")
    return read_spectra(path)


def _with_sources(
    spectra: Sequence[Spectra], sources: Sequence[str]
) -> list[tuple[Spectra, list[str]]]:
    """Return what was measured with which sources.

    Raises
    ------
    UsageError
        If there are no runs, or sources for a part of them only.
    """
    if not spectra:
        raise UsageError("no run is given, expected the number of one at least")
    wanted = [source.split("+") for source in sources]
    if len(wanted) == 1:
        total = spectra[0]
        for more in spectra[1:]:
            total = total + more
        return [(total, wanted[0])]
    if len(wanted) != len(spectra):
        raise UsageError(
            f"there are {len(wanted)} sources for {len(spectra)} runs, expected one "
            f"for all, or one for each"
        )
    return list(zip(spectra, wanted, strict=True))


def _valid_runs(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    first, colon, last = text.partition(":")
    if not colon or not all(not part or part.isdecimal() for part in (first, last)):
        raise UsageError(
            f"--valid {text}: expected runs FIRST:LAST, such as 12:40 or 12:"
        )
    return (int(first) if first else None), (int(last) if last else None)


def _to_dict(result: CalibrationResult) -> dict[str, Any]:
    import dataclasses

    channels = []
    for name, one in result.calibration.channels.items():
        lines = [
            dataclasses.asdict(line)
            | {"residual_kev": float(residual), "fwhm_kev": found.fwhm_kev}
            for line, residual, found in zip(
                one.lines, one.residuals, one.resolutions, strict=True
            )
        ]
        channels.append(
            {"channel": name, **dataclasses.asdict(one.polynomial), "lines": lines}
        )
    problems = {name: list(texts) for name, texts in result.problems.items()}
    return {"format": 1, "channels": channels, "problems": problems}


def _print(result: CalibrationResult) -> None:
    from rich.table import Table

    from pixie_pipe._units import format_measured

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Channel")
    for title in (
        "Line, keV", "Peak, ADC", "Counts", "chi2/ndf", "Off, keV", "FWHM, keV", "%",
    ):  # fmt: skip
        table.add_column(title, justify="right")
    for name, one in result.calibration.channels.items():
        head = name
        for line, residual, error, found in zip(
            one.lines, one.residuals, one.residual_errors, one.resolutions, strict=True
        ):
            table.add_row(
                head,
                f"{line.kev:.2f}",
                format_measured(line.position, line.position_error),
                f"{line.counts:.0f}",
                f"{line.chi2 / line.ndf:.2f}",
                format_measured(float(residual), float(error)),
                format_measured(found.fwhm_kev, found.fwhm_kev_error),
                f"{found.percent:.2f}",
            )
            head = ""
    console = output.results()
    console.print(table)
    for name, one in result.calibration.channels.items():
        console.print(f"{name}: {_formula(one.polynomial)}", soft_wrap=True)
    for name, texts in result.problems.items():
        for text in texts:
            output.note(f"{name}: {text}")


def _formula(polynomial: Any) -> str:  # noqa: ANN401 - a Polynomial
    terms = [
        f"{value:.6g}" + ("" if power == 0 else f" E^{power}" if power > 1 else " E")
        for power, value in enumerate(polynomial.coefficients)
    ]
    quality = f", chi2/ndf {polynomial.chi2:.3g}/{polynomial.ndf}"
    text = " + ".join(terms).replace("+ -", "- ")
    return f"keV = {text}{quality if polynomial.ndf else ''}"


def _plot(result: CalibrationResult, path: Path, *, force: bool) -> None:
    from pixie_pipe.plots import plot_residuals, save

    residuals = {
        name: (
            [line.kev for line in one.lines],
            one.residuals.tolist(),
            one.residual_errors.tolist(),
        )
        for name, one in result.calibration.channels.items()
    }
    save(plot_residuals(residuals, title="Energy calibration"), path, force=force)
