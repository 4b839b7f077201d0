"""Histograms as boost-histogram and hist have them: the universal interface (UHI)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe.spectra.errors import SpectraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from boost_histogram import Histogram as BoostHistogram
    from hist import Hist

    from pixie_pipe.spectra.axis import Axis


@dataclass(frozen=True, slots=True, kw_only=False)
class Bins:
    """An axis for boost-histogram.

    Attributes
    ----------
    name, label
        See `Axis`.
    regular
        Number of bins, lowest and highest edge, if all bins have the same width.
    edges
        Edges, if they have not.
    names
        Names of categories, if it has these.
    """

    name: str
    label: str
    regular: tuple[int, float, float] | None = None
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        axis: Axis,
        calibration: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    ) -> Bins:
        """Return an axis, with other edges if there is a calibration.

        Raises
        ------
        SpectraError
            If the calibration does not rise over the whole range.
        """
        if calibration is None:
            return cls(axis.name, axis.label, (axis.bins, axis.low, axis.high))
        edges = np.asarray(calibration(axis.positions), np.float64)
        if edges.shape != axis.positions.shape or not (np.diff(edges) > 0).all():
            raise SpectraError(
                f"the calibration does not rise from {axis.low:g} to {axis.high:g}; it "
                f"cannot be an axis"
            )
        return cls("energy_kev", "Energy (keV)", edges=tuple(edges.tolist()))


def boost_histogram(
    bins: Sequence[Bins], counts: NDArray[np.int64], rebin: int = 1
) -> BoostHistogram:
    """Make a histogram of counts.

    Parameters
    ----------
    bins
        The axes.
    counts
        With the bins below and above the range of each axis that is no category.
    rebin
        How many bins are added up to one, on each axis that is no category. Those left
        over at the end are counted as above the range.

    Raises
    ------
    SpectraError
        If `rebin` is less than 1.
    """
    import boost_histogram as bh

    if rebin < 1:
        raise SpectraError(f"rebin is {rebin}, expected at least 1")
    axes = []
    for one in bins:
        about = {"name": one.name, "label": one.label}
        if one.regular is not None:
            axis = bh.axis.Regular(*one.regular)
        elif one.edges:
            axis = bh.axis.Variable(one.edges)
        else:
            axis = bh.axis.StrCategory(one.names)
        axis.__dict__.update(about)
        axes.append(axis)
    histogram = bh.Histogram(*axes, storage=bh.storage.Int64())
    # A category has one bin for what is none of them, which stays empty.
    inside = tuple(slice(len(one.names) or None) for one in bins)
    histogram.view(flow=True)[inside] = counts
    if rebin == 1:
        return histogram
    steps = tuple(
        slice(None) if one.names else slice(None, None, bh.rebin(rebin)) for one in bins
    )
    return histogram[steps]


def as_hist(histogram: BoostHistogram) -> Hist:
    """Return a histogram as one of hist.

    Raises
    ------
    MissingExtraError
        If hist is not installed.
    """
    made: Any = optional_import("hist", "hist").Hist(histogram)
    for axis, source in zip(made.axes, histogram.axes, strict=True):
        axis.label = source.__dict__["label"]
    return made
