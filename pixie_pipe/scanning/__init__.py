"""Looking at modules: traces, spectra, rates, and scans of parameters.

Each function takes an open digitizer of any driver, and returns arrays in an object
that can draw itself:

    from pixie_pipe.drivers import find_driver
    from pixie_pipe.scanning import scan, take_spectra

    with find_driver("simulated")() as digitizer:
        take_spectra(digitizer, 10).plot("spectra.png")
        result = scan(digitizer, "ENERGY_RISETIME", "1:8:0.5", measure="resolution")
        result.plot("resolution.png")
"""

from __future__ import annotations

from pixie_pipe.scanning.definition import Axis, Scan
from pixie_pipe.scanning.errors import ChoiceError, ScanFileError, ScanningError
from pixie_pipe.scanning.filter_curves import filter_curves
from pixie_pipe.scanning.measures import MEASURES, Measure
from pixie_pipe.scanning.offsets import Offsets, adjust_offsets
from pixie_pipe.scanning.pulses import find_pulse, has_pulse
from pixie_pipe.scanning.rates import RateHistory, Rates, watch_rates
from pixie_pipe.scanning.result import ScanResult, load_scan
from pixie_pipe.scanning.runs import Pace
from pixie_pipe.scanning.scanner import run_scan, scan
from pixie_pipe.scanning.signals import Baselines, DecayTimes, baselines, tau
from pixie_pipe.scanning.spectra import Spectra, take_spectra
from pixie_pipe.scanning.statistics import (
    ModuleCounts,
    ModuleRates,
    module_counts,
    rates_between,
)
from pixie_pipe.scanning.targets import Target, choose_targets
from pixie_pipe.scanning.traces import Traces, take_traces
from pixie_pipe.scanning.values import (
    parse_bins,
    parse_numbers,
    parse_span,
    parse_values,
)
from pixie_pipe.spectra.peaks import Peak, find_peaks, measure_peak

__all__ = [
    "MEASURES",
    "Axis",
    "Baselines",
    "ChoiceError",
    "DecayTimes",
    "Measure",
    "ModuleCounts",
    "ModuleRates",
    "Offsets",
    "Pace",
    "Peak",
    "RateHistory",
    "Rates",
    "Scan",
    "ScanFileError",
    "ScanResult",
    "ScanningError",
    "Spectra",
    "Target",
    "Traces",
    "adjust_offsets",
    "baselines",
    "choose_targets",
    "filter_curves",
    "find_peaks",
    "find_pulse",
    "has_pulse",
    "load_scan",
    "measure_peak",
    "module_counts",
    "parse_bins",
    "parse_numbers",
    "parse_span",
    "parse_values",
    "rates_between",
    "run_scan",
    "scan",
    "take_spectra",
    "take_traces",
    "tau",
    "watch_rates",
]


def __dir__() -> list[str]:
    return __all__
