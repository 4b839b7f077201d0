"""Analysing batches: channels, columns, threads, real data, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.buffers import BufferPool
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Block, Events
from pixie_pipe.listmode import Layout, decode
from pixie_pipe.settings import CrateSettings, ModuleKind, ModuleSettings
from pixie_pipe.settings.channel_parameters import write_channel
from pixie_pipe.settings.traces import trace_settings
from pixie_pipe.traces import (
    TRACE_COLUMNS,
    ChannelSettings,
    TraceSettings,
    TraceSettingsError,
    TraceStatus,
    analyse_traces,
    computable_columns,
    count_status,
    find_pulses,
)
from tests.support.made_traces import events_of

RNG = np.random.default_rng(4)
FULL = TraceSettings(
    frequency_msps=500,
    baseline_us=0.1,
    trace_delay_us=0.2,
    trigger_rise_us=0.02,
    trigger_threshold=200.0,
    energy_rise_us=0.08,
    energy_flat_us=0.04,
    tau_us=0.12,
    cfd_delay_us=0.01,
    charge_short_us=0.04,
    charge_long_us=0.1,
)
SLOW = replace(FULL, frequency_msps=250, energy_rise_us=0.16, adc_bits=16)

RECORDED = TraceSettings(
    frequency_msps=500,
    trace_delay_us=0.91,
    energy_rise_us=0.04,
    energy_flat_us=0.16,
    energy_delay_us=0.19,
    slow_filter_range=1,
    tau_us=0.03,
    energy_baseline="header",
)
"""Of traces.bin: SlowLength 2, SlowGap 8, SlowFilterRange 1, LaBr3 with 30 ns."""


def pulses(count: int) -> list[list[int]]:
    late = np.maximum(np.arange(200) - RNG.uniform(95, 105, (count, 1)), 0)
    height = RNG.uniform(300, 9000, (count, 1))
    shape = height * (np.exp(-late / 60) - np.exp(-late / 3))
    samples = 800 + shape + RNG.normal(0, 2, shape.shape)
    return [[round(value) for value in row] for row in samples.tolist()]


def test_each_channel_has_its_own_settings():
    rows = pulses(60)
    slot = np.tile([2, 3, 9], 20).astype("u1")
    channel = np.repeat([0, 5], 30).astype("u1")
    events = events_of(rows, slot=slot, channel=channel)
    settings = ChannelSettings(
        channels={(0, 2, 0): FULL, (0, 2, 5): FULL, (0, 3, 5): SLOW, (1, 9, 0): FULL}
    )
    found = analyse_traces(events, settings)
    of = {(2, 0): FULL, (2, 5): FULL, (3, 5): SLOW}
    for i in range(60):
        own = of.get((slot[i], channel[i]))
        if own is None:
            assert found.trace_status[i] == TraceStatus.NO_SETTINGS
            assert np.isnan(found.trace_baseline[i])
            assert found.trace_pulses[i] == -1
        else:
            alone = analyse_traces(events[i], own)
            assert found[i].equals(alone)
    others = analyse_traces(events, ChannelSettings(SLOW, settings.channels))
    assert not (others.trace_status & TraceStatus.NO_SETTINGS).any()
    assert count_status(found)[TraceStatus.NO_SETTINGS] == 30


def test_threads_and_lent_memory_change_nothing():
    events = events_of(pulses(1100))
    alone = analyse_traces(events, FULL)
    pool = BufferPool()
    for threads in (1, 2, 3):
        assert analyse_traces(events, FULL, threads=threads, pool=pool).equals(alone)
    with pytest.raises(TraceSettingsError, match="threads is 0"):
        analyse_traces(events, FULL, threads=0)


def test_only_the_columns_that_are_asked_for_are_added():
    events = events_of(pulses(3))
    found = analyse_traces(events, FULL, ["trace_height", "trace_energy"])
    new = {*found.columns} - {*events.columns}
    assert new == {"trace_height", "trace_energy", "trace_status"}
    assert found.trace_samples is events.trace_samples
    sums = analyse_traces(events, FULL, ["esum_energy"])
    assert {*sums.columns} - {*events.columns} == {"esum_energy"}
    assert np.isnan(sums.esum_energy).all()
    everything = analyse_traces(events, FULL)
    assert {*TRACE_COLUMNS} - {*everything.columns} == {"esum_energy"}


def test_settings_tell_what_can_be_computed():
    bare = TraceSettings(frequency_msps=100)
    assert computable_columns(bare) == (
        "trace_baseline",
        "trace_noise",
        "trace_height",
        "trace_rise_ns",
        "trace_tau_ns",
    )
    assert computable_columns(FULL) == TRACE_COLUMNS
    module = replace(FULL, cfd="module", cfd_delay_us=None)
    assert "trace_time_ns" in computable_columns(module)
    assert "trace_time_ns" not in computable_columns(
        replace(module, frequency_msps=250)
    )
    with pytest.raises(
        TraceSettingsError, match=r"trace_energy cannot be computed.*tau_us"
    ):
        analyse_traces(events_of([[1]]), bare, ["trace_energy"])
    with pytest.raises(TraceSettingsError, match="'trace_enrgy' is no value"):
        analyse_traces(events_of([[1]]), bare, ["trace_enrgy"])


def test_events_without_traces_and_no_events():
    headers = events_of(pulses(4)).without("trace")
    found = analyse_traces(headers, FULL)
    assert found.blocks == (Block.CORE, Block.TRACE_VALUES)
    assert found.trace_status.tolist() == [TraceStatus.NO_TRACE] * 4
    assert np.isnan(found.trace_energy).all()
    assert find_pulses(headers, FULL).counts.tolist() == [0] * 4
    nothing = analyse_traces(Events.empty(["trace"]), FULL)
    assert len(nothing) == 0
    assert find_pulses(nothing, FULL).offsets.tolist() == [0]
    joined = Events.concatenate([events_of(pulses(2)), found])
    assert count_status(joined) == {
        TraceStatus.NO_TRACE: 4,
        TraceStatus.NOT_ANALYSED: 2,
    }


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"frequency_msps": 200}, "frequency_msps is 200, expected one of 100, 125"),
        ({"adc_bits": 10}, "adc_bits is 10"),
        ({"cfd": "off"}, "cfd is 'off', expected one of 'samples', 'module'"),
        ({"tau_us": 0.0}, "tau_us is 0.0, expected a positive number"),
        ({"baseline_us": None}, "baseline_us is None"),
        ({"trace_delay_us": -1.0}, "trace_delay_us is -1.0"),
        ({"energy_rise_us": float("nan")}, "energy_rise_us is nan"),
        ({"cfd_fraction": 1.5}, "cfd_fraction is 1.5, expected at most 1"),
        ({"slow_filter_range": 7}, "slow_filter_range is 7"),
        ({"samples_per_tick": 9}, "samples_per_tick is 9"),
        ({"charge_short_us": 2.0, "charge_long_us": 1.0}, "charge_short_us is 2.0"),
        ({"pulse_from_us": 2.0, "pulse_to_us": 1.0}, "pulse_from_us is 2.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, text):
    with pytest.raises(TraceSettingsError, match=text):
        TraceSettings(**{"frequency_msps": 500} | wrong)
    assert issubclass(TraceSettingsError, PixiePipeError)


def test_lengths_and_channels_that_cannot_be_are_refused():
    with pytest.raises(TraceSettingsError, match="expected at most 1048576"):
        TraceSettings(frequency_msps=500, baseline_us=1e6).numbers()
    with pytest.raises(TraceSettingsError, match="no channel"):
        ChannelSettings(channels={(0, 2, 300): FULL})


def test_status_is_told_in_words():
    both = TraceStatus.TOO_SHORT | TraceStatus.SATURATED
    assert both.description == (
        "the trace does not hold a filter, a window or the baseline; samples are at "
        "the limits of the ADC"
    )
    assert TraceStatus(0).description == "nothing is missing"


def test_settings_of_modules_become_settings_of_the_analysis():
    module = ModuleSettings(slot=2, kind=ModuleKind(250, 14, "F"), crate=1)
    for name, value in {
        "ENERGY_RISETIME": 6.0,
        "ENERGY_FLATTOP": 1.2,
        "TAU": 46.0,
        "TRIGGER_RISETIME": 0.104,
        "TRIGGER_FLATTOP": 0.048,
        "TRIGGER_THRESHOLD": 50.0,
        "TRACE_LENGTH": 4.0,
        "TRACE_DELAY": 1.0,
        "CFDScale": 2.0,
        "CFDDelay": 0.08,
    }.items():
        write_channel(module, name, value, 3)
    found = trace_settings(CrateSettings([module]), charge_long_us=0.5)
    assert len(found.channels) == 16
    s = found.of(1, 2, 3)
    assert s is not None
    assert (s.frequency_msps, s.adc_bits, s.tick) == (250, 14, 2)
    assert s.trace_delay_us == 1.0
    assert s.baseline_us == pytest.approx(1.0 - 2 * 0.104 - 0.048)
    assert s.pulse_to_us == pytest.approx(1.0 + s.energy_flat_us)
    assert s.tau_us == pytest.approx(46.0)
    assert s.cfd == "module"
    assert s.cfd_fraction == 0.75
    assert s.charge_long_us == 0.5
    assert s.trigger_threshold == pytest.approx(50.0)
    # PeakSep less one step behind the trigger.
    assert s.slow_filter_range is not None
    step_us = 2**s.slow_filter_range / 125
    assert s.energy_rise_us is not None
    assert s.energy_delay_us == pytest.approx(
        s.energy_rise_us + s.energy_flat_us - step_us
    )


def test_recorded_energies_are_those_of_traces_and_of_sums(real_data: Path):
    words = np.fromfile(real_data / "traces.bin", "<u4")
    events = decode(words, Layout.find(500, 34688)).events
    found = analyse_traces(events, RECORDED, ["trace_energy", "esum_energy"])
    assert len(events) == 9
    assert found.trace_status.tolist() == [0] * 9
    assert abs(found.trace_energy - events.energy).max() < 0.5
    assert abs(found.esum_energy - events.energy).max() < 0.5
    np.testing.assert_array_equal(found.trace_energy, found.esum_energy)


def test_published_values_of_a_trace(real_data: Path):
    table = json.loads((real_data.parent / "vectors/paass_vectors.json").read_text())
    vector = table["trace_vectors"]
    first, behind = vector["waveform_range"]
    settings = TraceSettings(
        frequency_msps=250,
        adc_bits=12,
        baseline_us=70 / 250,
        # From the sample in which 10 % are reached.
        charge_before_us=(73 - first) / 250,
        charge_long_us=(behind - first) / 250,
        tau_fit="sums",
    )
    found = analyse_traces(events_of([vector["trace"]]), settings)
    assert found.trace_baseline[0] == pytest.approx(vector["baseline_first_70"])
    assert found.trace_noise[0] == pytest.approx(vector["stddev_population_first_70"])
    assert found.trace_height[0] + found.trace_baseline[0] == vector["maximum"]
    assert found.trace_charge[0] == pytest.approx(vector["waveform_qdc"], abs=0.1)
    with_cfd = replace(settings, cfd_delay_us=2 / 250, cfd_fraction=0.5)
    time = analyse_traces(events_of([vector["trace"]]), with_cfd).trace_time_ns[0] / 4
    expected = vector["traditional_cfd"]
    assert time == pytest.approx(expected["expected_phase"], abs=expected["tolerance"])
