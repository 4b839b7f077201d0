"""Spectra: histograms of events, their peaks, and fits of peaks.

    from pixie_pipe.storage import read_spectra

    spectra = read_spectra("runs/0042/histograms.h5")
    spectra["energy"].hist("c0-s02-ch03", rebin=4)

A `Spectra` is filled by the task ``FillHistograms``, or with events that were read from
a file; parts are added with ``+``. Histograms come out as boost-histogram or hist has
them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixie_pipe.spectra.channel_histogram import ChannelHistogram
    from pixie_pipe.spectra.channels import channel_name, parse_channel
    from pixie_pipe.spectra.collection import Spectra
    from pixie_pipe.spectra.declaration import KINDS, Declaration, check_declarations
    from pixie_pipe.spectra.errors import FitError, SpectraError
    from pixie_pipe.spectra.fit import FittedPeak, PeakFit, fit_peaks
    from pixie_pipe.spectra.matrix import Matrix
    from pixie_pipe.spectra.peaks import Peak, find_peaks, measure_peak
    from pixie_pipe.spectra.time_differences import TimeDifferences

__all__ = [
    "KINDS",
    "ChannelHistogram",
    "Declaration",
    "FitError",
    "FittedPeak",
    "Matrix",
    "Peak",
    "PeakFit",
    "Spectra",
    "SpectraError",
    "TimeDifferences",
    "channel_name",
    "check_declarations",
    "find_peaks",
    "fit_peaks",
    "measure_peak",
    "parse_channel",
]

# Loaded when they are first used: kernels take long to import, and a declaration is
# checked without them.
_HOMES = {
    "KINDS": "declaration",
    "ChannelHistogram": "channel_histogram",
    "Declaration": "declaration",
    "FitError": "errors",
    "FittedPeak": "fit",
    "Matrix": "matrix",
    "Peak": "peaks",
    "PeakFit": "fit",
    "Spectra": "collection",
    "SpectraError": "errors",
    "TimeDifferences": "time_differences",
    "channel_name": "channels",
    "check_declarations": "declaration",
    "find_peaks": "peaks",
    "fit_peaks": "fit",
    "measure_peak": "peaks",
    "parse_channel": "channels",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
