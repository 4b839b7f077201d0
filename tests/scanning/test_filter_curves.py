"""Filters beside traces: those of the settings, in samples of the trace."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.crate import Crate
from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.recorded import RecordedDigitizer
from pixie_pipe.scanning import filter_curves
from tests.support.raw_files import words_of


@pytest.fixture
def crate():
    modules = ["0/2:250/30474", "0/3:500/34688"]
    with Crate("simulated", modules=modules, channels=2, detector="NaI") as crate:
        crate.set(
            TRIGGER_RISETIME=0.4,
            TRIGGER_FLATTOP=0.08,
            TRIGGER_THRESHOLD=30,
            ENERGY_RISETIME=0.8,
            ENERGY_FLATTOP=0.4,
            TAU=0.23,
            CFDDelay=0.24,
        )
        yield crate


def test_a_pulse_passes_the_threshold_and_has_an_energy(crate):
    traces = crate.traces(modules=0, channels=[0, 1])
    for samples, sample_us, curves in zip(
        traces.samples,
        traces.sample_us,
        filter_curves(crate.digitizer, traces),
        strict=True,
    ):
        trace = samples[0].astype(float)
        level = np.median(trace)
        # By the definition: a mean of late samples less one of early samples.
        rise = round(0.4 / sample_us)
        gap = round(
            crate.get("TRIGGER_FLATTOP", modules=0, channels=0).popitem()[1] / sample_us
        )
        k = int(trace.argmax())
        late = trace[k - rise + 1 : k + 1].mean()
        early = trace[k - 2 * rise - gap + 1 : k - rise - gap + 1].mean()
        assert curves.fast is not None
        assert curves.fast[k] == pytest.approx(late - early)
        assert curves.threshold == pytest.approx(30, rel=0.01)
        assert curves.trigger_us == pytest.approx(k * sample_us, abs=0.5)
        assert curves.cfd is not None
        assert curves.energy is not None
        assert curves.energy_us is not None
        taken = curves.energy[round(curves.energy_us / sample_us)]
        # Of 14 bits the energy has four times the ADC's units.
        assert taken == pytest.approx(4 * (trace.max() - level), rel=0.5)
        quiet = curves.energy[: k // 2]
        assert np.nanmax(np.abs(quiet)) < taken / 5


def test_the_fixed_cfd_needs_samples_as_the_module_takes_them(crate):
    traces = crate.traces(modules=1, channels=0)
    (curves,) = filter_curves(crate.digitizer, traces)
    assert curves.cfd is None
    assert curves.panels == ["fast", "energy"]


def test_without_a_decay_time_there_is_no_energy(crate):
    traces = crate.traces(modules=0, channels=0)
    crate.set(TAU=0)
    (curves,) = filter_curves(crate.digitizer, traces)
    assert curves.energy is None
    assert curves.fast is not None


def test_a_driver_without_parameters_cannot(crate, tmp_path):
    traces = crate.traces(modules=0, channels=0)
    words_of(100).tofile(tmp_path / "a.bin")
    with (
        RecordedDigitizer([tmp_path / "a.bin"], ["0/2:500/34688"]) as digitizer,
        pytest.raises(DriverError, match="cannot compute filters"),
    ):
        filter_curves(digitizer, traces)
