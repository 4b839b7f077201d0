"""Decay times are found in the traces of pulses, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.crate import Crate
from pixie_pipe.simulation.decay_times import decay_time


def trace_of(decay, *, height=4000.0, noise=3.0, seed=1, samples=4096):
    time = np.arange(samples) - samples // 4
    pulse = np.where(time >= 0, np.exp(-np.maximum(time, 0) / decay), 0.0)
    noisy = np.random.default_rng(seed).normal(900, noise, samples)
    return np.rint(noisy + height * pulse).astype(np.uint16)


@given(st.floats(5, 600), st.floats(1500, 12_000), st.integers(0, 1000))
def test_an_exponential_is_found(decay, height, seed):
    found = decay_time(trace_of(decay, height=height, seed=seed))
    assert found == pytest.approx(decay, rel=0.05)


@given(st.integers(0, 1000), st.floats(0, 30))
def test_noise_has_no_decay_time(seed, noise):
    assert np.isnan(decay_time(trace_of(50, height=0, noise=noise, seed=seed)))


def test_a_spike_is_no_pulse():
    trace = trace_of(50, height=0)
    trace[2000] += 5000
    assert np.isnan(decay_time(trace))


@pytest.mark.parametrize(("detector", "tau_us"), [("LaBr3", 0.03), ("NaI", 0.23)])
def test_channels_with_a_detector_have_its_decay_time(detector, tau_us):
    modules = ["0/2:250/30474", "0/3:500/34688"]
    with Crate("simulated", modules=modules, channels=2, detector=detector) as crate:
        for number in range(2):
            found = crate.digitizer.tau(number)  # type: ignore[attr-defined]
            np.testing.assert_allclose(found[:2], tau_us, rtol=0.1)
            assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("polarity", ["positive", "negative"])
def test_offsets_bring_baselines_to_where_they_are_wanted(polarity):
    with Crate("simulated", modules=["0/2:250/30474"], channels=2) as crate:
        crate.set(Polarity=polarity, BASELINE_PERCENT=20, VOFFSET=0.3)
        crate.adjust_offsets()
        traces = crate.digitizer.adc_traces(0)  # type: ignore[attr-defined]
        levels = np.median(traces[:, :1000], axis=1) / (1 << 14)
        np.testing.assert_allclose(levels, 0.2, atol=0.005)
