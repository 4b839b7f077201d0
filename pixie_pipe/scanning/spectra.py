"""Energy spectra that the modules make themselves."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._units import format_count
from pixie_pipe.scanning.errors import ChoiceError
from pixie_pipe.scanning.runs import REAL_TIME, Pace, check_seconds, histogram_run
from pixie_pipe.scanning.statistics import (
    ModuleRates,
    module_counts,
    rates_between,
)
from pixie_pipe.scanning.targets import (
    ChannelChoice,
    ModuleChoice,
    Target,
    choose_targets,
    spectra_of,
)
from pixie_pipe.scanning.values import chosen_bins
from pixie_pipe.spectra.peaks import Peak, find_peaks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pixie_pipe.drivers.digitizer import Digitizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectra:
    """Spectra of some channels, taken in one run.

    Attributes
    ----------
    targets
        The channels.
    counts
        Counts, shape (channels, bins), uint32; shorter spectra are filled with zeros.
    seconds
        How long the run was asked to last, in s.
    modules
        Rates of each module in the run, by its number.
    """

    targets: tuple[Target, ...]
    counts: NDArray[np.uint32]
    seconds: float
    modules: dict[int, ModuleRates]

    def __repr__(self) -> str:
        total = format_count(int(self.counts.sum(dtype=np.int64)))
        return (
            f"<Spectra of {len(self.targets)} channels, {self.counts.shape[1]} bins, "
            f"{total} counts in {self.seconds:g} s>"
        )

    def peaks(
        self, channel: int = 0, *, bins: tuple[int, int] | None = None, most: int = 30
    ) -> list[Peak]:
        """Return the peaks of a spectrum, the clearest first.

        Parameters
        ----------
        channel
            Number of the spectrum, as in `targets`.
        bins
            Range to look at: the first bin, and the one behind the last.
        most
            Most peaks to return.

        Raises
        ------
        ChoiceError
            If the range is not within the spectrum.
        """
        counts = self.counts[channel]
        chosen = None if bins is None else chosen_bins(bins, counts.size)
        return find_peaks(counts, bins=chosen, most=most)

    def plot(
        self,
        path: str | Path | None = None,
        *,
        scale: Literal["log", "linear"] = "log",
        rebin: int = 1,
        bins: tuple[int, int] | None = None,
        overlaid: bool | None = None,
        force: bool = False,
    ) -> Figure:
        """Draw the spectra, and write the picture if a file is given.

        Parameters
        ----------
        path
            A file .png, .svg or .pdf.
        scale
            The count axis.
        rebin
            How many bins are added up to one.
        bins
            Range to draw: the first bin, and the one behind the last.
        overlaid
            Draw all into one, or each with its own axes; by default a few into one.
        force
            Replace a file that exists.

        Raises
        ------
        PlotError, MissingExtraError, OutputExistsError
            If it cannot be drawn or written.
        """
        from pixie_pipe.plots import drawn, plot_spectra

        figure = plot_spectra(
            self.counts,
            labels=[target.name for target in self.targets],
            scale=scale,
            rebin=rebin,
            bins=bins,
            overlaid=overlaid,
            title=f"MCA spectra, {self.seconds:g} s",
        )
        return drawn(figure, path, force=force)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the numbers to a file.

        Parameters
        ----------
        path
            The ending decides: ``.csv`` is text, a column for each channel; ``.npz``
            holds ``counts``, ``modules`` and ``channels`` (numbers), ``names`` and
            ``seconds``.
        force
            Replace a file that exists.

        Raises
        ------
        ChoiceError
            If the ending is another one.
        OutputExistsError, OutputPathError
            If the file exists, or cannot be written.
        """
        from pixie_pipe.storage.atomic import new_file

        path = Path(path)
        if path.suffix not in {".csv", ".npz"}:
            raise ChoiceError(f"{path}: expected a name that ends in .csv or .npz")
        with new_file(path, force=force) as opened:
            if path.suffix == ".csv":
                opened.path.write_text(self._csv())
            else:
                with opened.path.open("wb") as file:
                    np.savez_compressed(file, **self._arrays())
        return path

    def _csv(self) -> str:
        text = io.StringIO()
        text.write(",".join(["bin", *(target.name for target in self.targets)]) + "\n")
        rows = np.column_stack([np.arange(self.counts.shape[1]), self.counts.T])
        np.savetxt(text, rows, fmt="%d", delimiter=",")
        return text.getvalue()

    def _arrays(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "modules": np.array([target.module for target in self.targets]),
            "channels": np.array([target.channel for target in self.targets]),
            "names": np.array([target.name for target in self.targets]),
            "seconds": np.array(self.seconds),
        }


def take_spectra(
    digitizer: Digitizer,
    seconds: float,
    *,
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
    pace: Pace = REAL_TIME,
) -> Spectra:
    """Let the modules fill their spectra for some time, and read them.

    Parameters
    ----------
    digitizer
        An open digitizer.
    seconds
        How long.
    modules, channels
        Which channels; see `choose_targets`.
    pace
        How time is measured and spent.

    Raises
    ------
    ChoiceError
        If the time is not positive, or there is no such channel.
    DriverError
        If the driver makes no spectra, or a run goes on.
    """
    check_seconds(seconds)
    part = spectra_of(digitizer, "make spectra")
    targets = choose_targets(digitizer, modules, channels)
    histogram_run(digitizer, seconds, pace)
    read = [part.histogram(target.module, target.channel) for target in targets]
    counts = np.zeros((len(read), max(one.size for one in read)), np.uint32)
    for row, one in zip(counts, read, strict=True):
        row[: one.size] = one
    return Spectra(
        targets=targets,
        counts=counts,
        seconds=seconds,
        modules=run_rates(digitizer, targets, seconds),
    )


def run_rates(
    digitizer: Digitizer, targets: tuple[Target, ...], seconds: float
) -> dict[int, ModuleRates]:
    """Return the rates of the modules of some channels in the run that has ended."""
    return {
        number: rates_between(
            None,
            module_counts(
                digitizer.statistics(number), digitizer.modules[number].channels
            ),
            seconds,
        )
        for number in dict.fromkeys(target.module for target in targets)
    }
