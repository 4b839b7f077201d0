"""Plots: pictures of arrays, made with matplotlib and written to files.

Every function returns a `matplotlib.figure.Figure` of its own; pyplot, which keeps
figures and needs a display, is never used. `save` writes one as PNG, SVG or PDF.
matplotlib comes with the extra ``plot``: ``pip install 'pixie-pipe[plot]'``.
"""

from __future__ import annotations

from pixie_pipe.plots.baselines import plot_baselines
from pixie_pipe.plots.channel_values import plot_channel_values
from pixie_pipe.plots.figures import FORMATS, PlotError, drawn, require, save
from pixie_pipe.plots.histograms import (
    FittedCurve,
    plot_histogram,
    plot_histograms,
    plot_matrix,
    plot_rates_in_time,
    plot_residuals,
    plot_resolutions,
)
from pixie_pipe.plots.persistence import plot_event_persistence, plot_persistence
from pixie_pipe.plots.rates import plot_rates
from pixie_pipe.plots.scans import plot_scan_curves, plot_scan_maps
from pixie_pipe.plots.spectra import plot_spectra
from pixie_pipe.plots.traces import FilterCurves, plot_traces

__all__ = [
    "FORMATS",
    "FilterCurves",
    "FittedCurve",
    "PlotError",
    "drawn",
    "plot_baselines",
    "plot_channel_values",
    "plot_event_persistence",
    "plot_histogram",
    "plot_histograms",
    "plot_matrix",
    "plot_persistence",
    "plot_rates",
    "plot_rates_in_time",
    "plot_residuals",
    "plot_resolutions",
    "plot_scan_curves",
    "plot_scan_maps",
    "plot_spectra",
    "plot_traces",
    "require",
    "save",
]


def __dir__() -> list[str]:
    return __all__
