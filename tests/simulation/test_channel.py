"""Registers from DSP variables, and what follows from them."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.simulation.channel import ChannelRegisters, CsrA, Electronics
from pixie_pipe.simulation.detectors import DETECTORS, find_detector
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.pulses import PulseShape
from pixie_pipe.simulation.settings import default_variables
from tests.support.simulations import kind_of, settings_of


@pytest.mark.parametrize(
    ("frequency", "bits", "per_tick", "sample_ps", "scale"),
    [(100, 14, 1, 10_000, 4), (250, 14, 2, 4000, 4), (500, 14, 5, 2000, 4)],
)
def test_kinds_have_the_clocks_of_their_boards(
    frequency, bits, per_tick, sample_ps, scale
):
    kind = kind_of(frequency)
    assert (kind.bits, kind.samples_per_tick) == (bits, per_tick)
    assert (kind.sample_ps, kind.energy_scale) == (sample_ps, scale)
    assert kind.channels == 16
    assert kind_of(250, 46540, bits=16).channels == 32
    assert kind_of(frequency, bits=16).energy_scale == 1


def test_registers_are_read_as_the_dsp_stores_them():
    _, registers, _ = settings_of(
        kind_of(500),
        PreampTau=int(np.float32(0.03).view(np.uint32)),
        Log2Ebin=-3,
        Log2Bweight=-8,
        PAFlength=1000,
        TriggerDelay=940,
        SlowLength=2,
        SlowGap=8,
        PeakSep=10,
        PeakSample=7,
        SlowFilterRange=1,
        QDCLen0=7,
    )
    assert registers.tau_us == pytest.approx(0.03)
    assert (registers.log2_bin, registers.log2_weight) == (3, 8)
    assert registers.trace_delay == 60
    assert registers.qdc_samples[0] == 35
    # The settings of the recorded traces: windows of 20, 80 and 20 samples that end 18
    # ticks behind the trigger.
    assert registers.slow_samples == (20, 80)
    assert registers.peak_ticks == 18
    assert registers.pileup_ticks == 20
    _, plain, _ = settings_of(kind_of(250), TraceDelay=5, QDCLen0=7)
    assert (plain.trace_delay, plain.qdc_samples[0]) == (5, 7)


@pytest.mark.parametrize("frequency", [100, 250, 500])
@pytest.mark.parametrize("name", DETECTORS)
def test_defaults_can_be_used(frequency, name):
    kind = kind_of(frequency)
    detector = find_detector(name)
    variables = default_variables(kind, detector, 3)
    assert all(values.dtype == np.uint32 for values in variables.values())
    on = [
        ChannelRegisters.from_variables(variables, channel, kind).has(CsrA.GOOD)
        for channel in range(16)
    ]
    assert on == [True] * 3 + [False] * 13
    registers = ChannelRegisters.from_variables(variables, 0, kind)
    length = sum(registers.slow_samples) * kind.sample_ps * 1e-6
    assert length == pytest.approx(sum(detector.slow_us), rel=0.25)


def test_the_signal_follows_offset_relay_and_polarity():
    kind = kind_of(250)
    _, registers, detector = settings_of(kind)
    shape = PulseShape.of(detector, registers)
    assert shape.level == pytest.approx(0.1 * kind.adc_most)
    inverted = PulseShape.of(
        detector, settings_of(kind, ChanCSRa=1 << CsrA.RELAY | 1 << CsrA.INVERT)[1]
    )
    assert inverted.level == pytest.approx(0.9 * kind.adc_most)
    assert inverted.per_kev == -shape.per_kev
    small = PulseShape.of(detector, settings_of(kind, ChanCSRa=0)[1])
    assert small.per_kev == shape.per_kev / 4
    # A third of the DAC's 3 V is a half of the ADC's 2 V.
    up = PulseShape.of(detector, settings_of(kind, OffsetDAC=32768 + 21845)[1])
    assert up.level - shape.level == pytest.approx(0.5 * kind.adc_most, rel=1e-3)


def test_what_cannot_be_is_refused_only_where_it_is_used():
    kind = kind_of(500)
    for name, value, told in (
        ("FastLength", 0, "FastLength is 0, expected 1 to 127"),
        ("SlowGap", 126, "SlowLength \\+ SlowGap is 131"),
        ("SlowFilterRange", 7, "SlowFilterRange is 7, expected 1 to 6"),
        ("PreampTau", 0, "PreampTau in µs is 0.0"),
        ("TraceLength", 40_000, "TraceLength is 40000, expected 0 to 32730"),
    ):
        with pytest.raises(SimulationError, match=told):
            settings_of(kind, "LaBr3", **{name: value})
        settings_of(kind, "LaBr3", **{name: value, "ChanCSRa": 0})
    variables = default_variables(kind, find_detector("NaI"), 1)
    short = variables | {"SlowGap": np.zeros(3, np.uint32)}
    with pytest.raises(SimulationError, match="SlowGap has shape"):
        ChannelRegisters.from_variables(short, 3, kind)
    del variables["FastGap"]
    with pytest.raises(SimulationError, match="the variable FastGap is missing"):
        ChannelRegisters.from_variables(variables, 0, kind)
    with pytest.raises(SimulationError, match="12, 14 or 16 bits, not 15"):
        kind_of(500, bits=15)
    with pytest.raises(SimulationError, match="expected whole samples in a tick"):
        Electronics.of(kind.layout.override(tick_ps=9000))
