"""A driver for tests of what looks at modules: small, and the same at every time.

Its time is its own: each look at `is_running` is half a second later. Rates
follow from the threshold, peaks and noise from the rise time of the energy filter, by
formulas that the tests know.
"""

from __future__ import annotations

import math

import numpy as np

from pixie_pipe.drivers.digitizer import DriverError, ModuleInfo
from pixie_pipe.listmode import Layout

BINS = 4096
SAMPLES = 1000
STEP_S = 0.5
PULSE_AT = 300
PULSE_HEIGHT = 800.0
PULSE_TAU = 150.0
DEAD_S = 1e-4
LIVE_SHARE = 0.9

CHANNEL_DEFAULTS = {
    "TRIGGER_THRESHOLD": 50.0,
    "ENERGY_RISETIME": 4.0,
    "TAU": 50.0,
    "XDT": 0.08,
    "BASELINE_PERCENT": 10.0,
    "TRIGGER_RISETIME": 0.2,
    "VOFFSET": 0.0,
    "BLCUT": 3.0,
    "CHANNEL_CSRA": 4.0,  # good channel
}
MODULE_DEFAULTS = {"SLOW_FILTER_RANGE": 3, "MODULE_CSRB": 0}
STEPS = {"TRIGGER_THRESHOLD": 0.25, "ENERGY_RISETIME": 0.08, "SLOW_FILTER_RANGE": 1.0}


def input_rate(threshold: float, channel: int) -> float:
    return 1000.0 * (channel + 1) * math.exp(-threshold / 100)


def output_rate(threshold: float, channel: int) -> float:
    rate = input_rate(threshold, channel)
    return rate / (1 + rate * DEAD_S)


def peak_position(channel: int) -> float:
    return 2000.0 + 100 * channel


def peak_width(rise_time: float) -> float:
    return 20.0 + 4 * (rise_time - 4) ** 2


def volts(percent: float) -> float:
    """The offset that brings the level, 1000 at 0 V, to a part of 14 bits."""
    return (percent / 100 * 16383 - 1000) / 5000


def noise(rise_time: float) -> float:
    return 8.0 / rise_time


class FakeCrateDigitizer:
    """Two modules of four channels; every third trace holds a pulse."""

    def __init__(
        self,
        modules: int = 2,
        channels: int = 4,
        pulse_every: int = 3,
        lasts_s=None,
        serial: int = 1000,
        *,
        adjusts: bool = True,
    ):
        self._shape = (modules, channels)
        self._pulse_every = pulse_every
        self._lasts_s = lasts_s
        self._serial = serial
        self._adjusts = adjusts
        self._is_open = False
        self._until: float | None = None
        self._run_s = 0.0
        self._traces = 0
        self._read_words = [0] * modules
        self._kind = ""
        self.values = {
            (name, module, channel): value
            for name, value in CHANNEL_DEFAULTS.items()
            for module in range(modules)
            for channel in range(channels)
        } | {
            (name, module, None): value
            for name, value in MODULE_DEFAULTS.items()
            for module in range(modules)
        }
        self.written: list[tuple[str, float, int, int | None]] = []
        self.runs = 0

    @property
    def modules(self):
        layout = Layout.find(250, 34688)
        return tuple(
            ModuleInfo(
                0,
                2 + number,
                250,
                34688,
                "",
                layout,
                self._shape[1],
                14,
                self._serial + number,
            )
            for number in range(self._shape[0])
        )

    def open(self):
        self._is_open = True

    def close(self):
        self.stop_run()
        self._is_open = False

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *_):
        self.close()

    # Runs

    @property
    def is_running(self):
        if self._until is None:
            return False
        self._run_s += STEP_S
        if self._run_s >= self._until - 1e-9:
            self._run_s, self._until = self._until, None
        return self._until is not None

    def start_run(self):
        self._start("list", math.inf if self._lasts_s is None else self._lasts_s)

    def _start(self, kind, seconds):
        self._check(None)
        if self._until is not None:
            raise DriverError("a run goes on")
        self._kind, self._until, self._run_s = kind, seconds, 0.0
        self._read_words = [0] * self._shape[0]
        self.runs += 1

    def stop_run(self):
        self._until = None

    def read(self, module, max_words):
        self._check(module)
        if self._until is None:
            return np.zeros(0, np.uint32)
        due = int(self._run_s * 1000) - self._read_words[module]
        words = max(min(due, max_words), 0)
        self._read_words[module] += words
        return np.zeros(words, np.uint32)

    def statistics(self, module):
        self._check(module)
        thresholds = [
            self.values["TRIGGER_THRESHOLD", module, channel]
            for channel in range(self._shape[1])
        ]
        live = self._run_s * LIVE_SHARE
        return {
            "words_read": self._read_words[module],
            "words_dropped": 0,
            "real_time_s": self._run_s,
            "live_time_s": [live] * self._shape[1],
            "input_counts": [
                input_rate(value, channel) * live * self._is_good(module, channel)
                for channel, value in enumerate(thresholds)
            ],
            "output_counts": [
                output_rate(value, channel)
                * self._run_s
                * self._is_good(module, channel)
                for channel, value in enumerate(thresholds)
            ],
            "firmware": "fake",
        }

    def _is_good(self, module, channel):
        return bool(int(self.values["CHANNEL_CSRA", module, channel]) & 4)

    # Parameters

    def read_channel(self, name, module, channel):
        return self._value(name, module, channel)

    def read_module(self, name, module):
        return self._value(name, module, None)

    def write_channel(self, name, value, module, channel):
        self._set(name, value, module, channel)

    def write_module(self, name, value, module):
        self._set(name, value, module, None)

    def _value(self, name, module, channel):
        self._refuse_in_run()
        try:
            return self.values[name, module, channel]
        except KeyError:
            raise DriverError(f"no parameter {name} there") from None

    def _set(self, name, value, module, channel):
        self._value(name, module, channel)
        self.written.append((name, value, module, channel))
        step = STEPS.get(name, 0.0)
        rounded = round(value / step) * step if step else value
        self.values[name, module, channel] = rounded

    # Signals

    def adc_traces(self, module):
        self._refuse_in_run()
        self._check(module)
        self._traces += 1
        rng = np.random.default_rng(self._traces)
        offsets = [[self.values["VOFFSET", module, n]] for n in range(self._shape[1])]
        traces = 1000 + 5000 * np.array(offsets)
        traces = traces + rng.normal(0, 3, (self._shape[1], SAMPLES))
        # The last channel sees no pulses at all.
        if self._traces % self._pulse_every == 0:
            after = np.arange(SAMPLES - PULSE_AT)
            traces[:-1, PULSE_AT:] += PULSE_HEIGHT * np.exp(-after / PULSE_TAU)
        return traces.astype(np.uint16)

    def baselines(self, module):
        self._refuse_in_run()
        rng = np.random.default_rng(module)
        rise_times = [
            self.values["ENERGY_RISETIME", module, channel]
            for channel in range(self._shape[1])
        ]
        return 1000 + np.array(
            [noise(one) * rng.normal(size=4000) for one in rise_times]
        )

    def tau(self, module):
        self._refuse_in_run()
        found = np.full(self._shape[1], 42.0 + module)
        found[-1] = np.nan
        return found

    def adjust_offsets(self, module=None):
        self._refuse_in_run()
        for number in range(self._shape[0]) if module is None else [module]:
            for channel in range(self._shape[1]):
                percent = self.values["BASELINE_PERCENT", number, channel]
                if self._adjusts:
                    self.values["VOFFSET", number, channel] = volts(percent)

    # Spectra

    def start_histogram_run(self, seconds):
        self._start("mca", seconds)

    def histogram(self, module, channel):
        self._check(module)
        width = peak_width(self.values["ENERGY_RISETIME", module, channel])
        sigma = width / 2.3548
        bins = np.arange(BINS)
        total = 1000 * self._run_s * (channel + 1)
        expected = np.full(BINS, 0.5 * self._run_s)
        for position, share in ((peak_position(channel), 1.0), (1000.0, 0.3)):
            shape = np.exp(-0.5 * ((bins - position) / sigma) ** 2)
            expected += total * share * shape / sigma / math.sqrt(2 * math.pi)
        return np.random.default_rng(channel).poisson(expected).astype(np.uint32)

    def _check(self, module):
        if not self._is_open:
            raise DriverError("the session is not open")
        if module is not None and not 0 <= module < self._shape[0]:
            raise DriverError(f"there is no module {module}")

    def _refuse_in_run(self):
        self._check(None)
        if self._until is not None:
            raise DriverError("a run goes on")
