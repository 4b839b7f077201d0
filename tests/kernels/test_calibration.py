"""Energies in keV are what the polynomials say, whatever the batches are."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe._jit import read_only
from pixie_pipe.kernels.calibration import calibrate
from pixie_pipe.kernels.histogram import ChannelRows

COEFFICIENTS = np.array([[1.5, 0.1, 1e-6, 0.0], [0.0, 0.2, 0.0, -1e-11]])
events = st.lists(
    st.tuples(
        st.sampled_from([(0, 2, 1), (0, 3, 0), (0, 2, 2), (9, 9, 9)]),
        st.integers(0, 65535),
        st.integers(0, 2**48 - 1),
    ),
    max_size=40,
)
MASK = 2**64 - 1


def uniform(first, second, seed):
    """SplitMix64's mixing in Python's integers."""
    z = seed
    for part in (first, second):
        z = (z + part + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
    return (z >> 11) * 2.0**-53


def calibrated(items, spread, seed):
    table = ChannelRows()
    for channel in ((0, 2, 1), (0, 3, 0)):
        table.add(channel)
    numbers = np.array([item[0] for item in items], np.uint8).reshape(-1, 3)
    parts: Any = [read_only(np.ascontiguousarray(numbers[:, k])) for k in range(3)]
    kev = np.empty(len(items), np.float32)
    kernel: Any = calibrate
    kernel(
        *parts,
        read_only(np.array([item[1] for item in items], np.uint16)),
        read_only(np.array([item[2] for item in items], np.uint64)),
        table.module_rows, table.rows, COEFFICIENTS, spread, seed, kev,
    )  # fmt: skip
    return kev


@given(events, st.booleans(), st.integers(0, 2**63 - 1))
def test_energies_are_those_of_the_polynomials(items, spread, seed):
    rows = {(0, 2, 1): 0, (0, 3, 0): 1}
    expected = []
    for (crate, slot, channel), energy, stamp in items:
        row = rows.get((crate, slot, channel))
        if row is None:
            expected.append(np.nan)
            continue
        key = crate << 32 | slot << 24 | channel << 16 | energy
        x = energy + (uniform(stamp, key, seed) - 0.5 if spread else 0.0)
        expected.append(sum(c * x**k for k, c in enumerate(COEFFICIENTS[row])))
    found = calibrated(items, spread, seed)
    np.testing.assert_allclose(found, np.array(expected, np.float32), rtol=1e-6)
    # Each event by itself gets the same.
    for number, item in enumerate(items[:5]):
        assert np.array_equal(
            calibrated([item], spread, seed), found[number : number + 1], equal_nan=True
        )


def test_spread_energies_are_even_within_half_a_unit():
    stamps = np.random.default_rng(1).integers(0, 2**40, 20_000)
    items = [((0, 3, 0), 100, int(stamp)) for stamp in stamps]
    exact = calibrated(items[:1], False, 1)[0]
    off = (calibrated(items, True, 7) - exact) / 0.2
    assert np.abs(off).max() <= 0.501
    counts = np.histogram(off, 10, (-0.5, 0.5))[0]
    assert ((counts - 2000) ** 2 / 2000).sum() < 30  # chi-square of 9
    other = (calibrated(items, True, 8) - exact) / 0.2
    assert abs(np.corrcoef(off, other)[0, 1]) < 0.05
