"""Traces with pulses, and settings for them: for the tests of the analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.traces import TraceSettings
from tests.support.traces import Trace, packed

HEADER_BASELINE = 1234.5


@st.composite
def settings(draw: st.DrawFn, /, **given: Any) -> TraceSettings:
    """Draw settings that are whole samples."""
    frequency = draw(st.sampled_from([100, 250, 500]))

    def time(least: int, most: int) -> st.SearchStrategy[float]:
        return st.integers(least, most).map(lambda count: count / frequency)

    pulse_from = draw(time(0, 20))
    short = draw(time(1, 10))
    values: dict[str, Any] = {
        "frequency_msps": frequency,
        "adc_bits": draw(st.sampled_from([12, 14, 16])),
        "trace_delay_us": draw(st.none() | time(0, 60)),
        "baseline_us": draw(time(1, 30)),
        "pulse_from_us": pulse_from,
        "pulse_to_us": draw(st.none() | time(1, 90).map(lambda t: pulse_from + t)),
        "trigger_rise_us": draw(time(1, 10)),
        "trigger_flat_us": draw(time(0, 6)),
        "trigger_threshold": draw(st.floats(0.5, 900)),
        "energy_rise_us": draw(time(1, 20)),
        "energy_flat_us": draw(time(0, 20)),
        "tau_us": draw(st.floats(0.01, 50)),
        "energy_delay_us": draw(st.none() | time(0, 60)),
        "slow_filter_range": draw(st.none() | st.integers(0, 6)),
        "energy_baseline": draw(st.sampled_from(["mean", "filter", "header"])),
        "cfd": draw(st.sampled_from(["samples", "module"])),
        "cfd_fraction": draw(st.sampled_from([0.125, 0.5, 0.75, 1.0])),
        "cfd_delay_us": draw(time(1, 12)),
        "cfd_threshold": draw(st.sampled_from([0.0, 100.0, 1e4])),
        "cfd_interpolation": draw(st.sampled_from(["linear", "cubic"])),
        "charge_before_us": draw(time(0, 6)),
        "charge_short_us": short,
        "charge_long_us": short + draw(time(0, 40)),
        "tau_fit": draw(st.sampled_from(["log-linear", "sums"])),
    }
    return TraceSettings(**(values | given))


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Draw a trace: pulses on a baseline, or anything."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.lists(st.integers(0, 65535), max_size=60))
    count = draw(st.integers(0, 140))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    time = np.arange(count)
    signal = draw(st.integers(1, 3000)) + draw(st.sampled_from([0, 1, 6])) * (
        rng.standard_normal(count)
    )
    for _ in range(draw(st.integers(0, 2))):
        late = np.maximum(time - draw(st.floats(0, 140)), 0.0)
        rise, decay = draw(st.floats(0.5, 6)), draw(st.floats(5, 500))
        height = draw(st.integers(20, 18_000))
        signal += height * (1 - np.exp(-late / rise)) * np.exp(-late / decay)
    most = draw(st.sampled_from([4000, 4095, 16_000, 16_383, 65_535]))
    return [int(value) for value in np.clip(np.rint(signal), 1, most)]


def events_of(rows: list[Trace], **columns: Any) -> Events:
    """Return events with these traces, all of one channel unless told otherwise."""
    samples, offsets = packed(rows)
    channel = {name: np.zeros(len(rows), "u1") for name in ("crate", "slot", "channel")}
    return Events(
        channel | {"trace_samples": samples, "trace_offsets": offsets} | columns
    )
