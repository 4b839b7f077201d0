"""Time offsets bring the peaks of all time differences to zero."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import yaml

from pixie_pipe.calibration import (
    CalibrationError,
    TimeDifference,
    align,
    measure_difference,
    write_time_offsets,
)
from pixie_pipe.events import Events
from pixie_pipe.spectra import Spectra

A, B, C = "c0-s02-ch00", "c0-s02-ch01", "c0-s03-ch00"


def coincident_events(delays_ns, count=4000, seed=1):
    """Return events of channels that see the same decays, each with its delay."""
    rng = np.random.default_rng(seed)
    decays = np.sort(rng.integers(0, count * 10**7, count))
    places = [(0, 2, 0), (0, 2, 1), (0, 3, 0)]
    parts = [
        Events(
            {
                "crate": np.full(count, place[0], np.uint8),
                "slot": np.full(count, place[1], np.uint8),
                "channel": np.full(count, place[2], np.uint8),
                "time_ps": decays
                + np.rint(1000 * (delay + rng.normal(0, 0.8, count))).astype(np.int64),
            }
        )
        for place, delay in zip(places, delays_ns, strict=False)
    ]
    events = Events.concatenate(parts)
    return events[np.argsort(events.time_ps, kind="stable")]


def test_offsets_of_simulated_delays(tmp_path):
    delays = (0.0, 12.5, -7.25)
    spectra = Spectra(
        [
            {"kind": "time_difference", "name": f"pair{n}", "channels": pair,
             "bins": 400, "range": [-40, 40]}
            for n, pair in enumerate(itertools.combinations((A, B, C), 2))
        ]
    )  # fmt: skip
    spectra.fill(coincident_events(delays))
    spectra.finish()
    offsets = align([measure_difference(spectra[name]) for name in spectra.names])
    assert offsets.reference == A
    for name, delay in zip((A, B, C), delays, strict=True):
        error = max(5 * offsets.errors_ns[name], 1e-9)
        assert abs(offsets.offsets_ns[name] + delay) < error
        assert error < 0.2
    assert offsets.ndf == 1
    assert offsets.chi2 < 20
    assert np.abs(offsets.residuals_ns).max() < 0.1
    path = write_time_offsets(tmp_path / "offsets.yaml", offsets, runs=[3])
    stored = yaml.safe_load(path.read_text())
    assert stored["offsets_ns"]["0/2/1"] == round(offsets.offsets_ns[B], 3)
    assert stored["reference"] == "0/2/0"
    assert stored["runs"] == [3]


def difference(first, second, ns, error=0.1):
    return TimeDifference(first=first, second=second, ns=ns, error_ns=error)


def test_least_squares_over_a_ring():
    pairs = [difference(A, B, 3.0), difference(B, C, 4.0), difference(A, C, 7.6)]
    offsets = align(pairs, reference=B)
    # The ring misses by 0.6 ns, of which each pair takes a third.
    assert offsets.offsets_ns == pytest.approx({A: 3.2, B: 0.0, C: -4.2})
    assert offsets.residuals_ns == pytest.approx([-0.2, -0.2, 0.2])
    assert offsets.chi2 == pytest.approx(3 * (0.2 / 0.1) ** 2)
    assert offsets.errors_ns[A] == pytest.approx(0.1 * np.sqrt(2 / 3))


def test_what_cannot_be_aligned():
    with pytest.raises(CalibrationError, match="no time difference, expected"):
        align([])
    with pytest.raises(CalibrationError, match="no time difference of the reference C"):
        align([difference(A, B, 1.0)], reference="C")
    with pytest.raises(CalibrationError, match="X, Y cannot be aligned"):
        align([difference(A, B, 1.0), difference("X", "Y", 1.0)])
    empty = Spectra([{"kind": "time_difference", "channels": [A, B]}])
    with pytest.raises(CalibrationError, match="there is no peak"):
        measure_difference(empty["time_difference"])
