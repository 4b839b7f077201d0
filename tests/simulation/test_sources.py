"""Sources and detectors: lines, scattering, resolution, geometry, arrival."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.simulation.decays import Setup, simulate_decays
from pixie_pipe.simulation.detectors import (
    DETECTORS,
    backscattered,
    compton_edge,
    compton_electrons,
    find_detector,
)
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.sources import SOURCES, find_sources


def scattered_by_angle(kev: float, cosines: np.ndarray) -> np.ndarray:
    """Return Klein and Nishina's cross-section per cosine, not normalised."""
    ratio = 1 / (1 + kev / 510.99895 * (1 - cosines))
    weight: np.ndarray = ratio**2 * (ratio + 1 / ratio - (1 - cosines**2))
    return weight


@pytest.mark.parametrize("kev", [59.5, 511.0, 1332.5])
def test_scattering_follows_the_formula_by_angle(kev):
    """The sampled table is that of electron energies; the oracle is that of angles."""
    rng = np.random.default_rng(1)
    found = np.sort(compton_electrons(kev, 20_000, rng))
    assert found[0] >= 0
    assert found[-1] <= compton_edge(kev)
    cosines = np.linspace(1, -1, 20_001)
    weight = scattered_by_angle(kev, cosines)
    energy = kev - kev / (1 + kev / 510.99895 * (1 - cosines))
    below = np.cumsum(weight) / weight.sum()
    share = np.arange(1, found.size + 1) / found.size
    # Kolmogorov and Smirnov: 1.95 / sqrt(n) is exceeded once in a thousand times.
    distance = abs(np.interp(found, energy, below) - share).max()
    assert distance < 1.95 / math.sqrt(found.size)


def test_backscattered_quanta_are_near_the_peak_of_the_textbook():
    rng = np.random.default_rng(1)
    found = backscattered(661.657, 5000, rng)
    least = 661.657 / (1 + 2 * 661.657 / 510.99895)
    assert found.min() >= least - 0.1
    assert found.max() <= 661.657 / (1 + 1.5 * 661.657 / 510.99895) + 0.1
    assert least == pytest.approx(184.3, abs=0.1)


def test_lines_have_their_widths_and_their_parts():
    rng = np.random.default_rng(1)
    for detector in DETECTORS.values():
        left = detector.deposits(661.657, 20_000, rng)
        in_peak = (left == 661.657).mean()
        share = detector.peak_share(661.657)
        assert in_peak == pytest.approx(share, abs=4 * math.sqrt(share / 20_000))
        seen = detector.seen(left[left == 661.657], rng)
        assert 2.3548 * seen.std() == pytest.approx(detector.fwhm_662_kev, rel=0.05)
        assert seen.mean() == pytest.approx(661.657, abs=seen.std() / 20)
        chances = [detector.chance(kev) for kev in (30, 100, 662, 1332, 2614)]
        assert chances == sorted(chances, reverse=True)
        assert (detector.room(1000, rng) == 1460.820).sum() > 5


def setup(source: str, count: int = 2, **changed: float) -> Setup:
    values = {"coverage": 1.0, "rate_hz": 1e5, "room_hz": 0.0} | changed
    return Setup(
        detectors=[find_detector("NaI")] * count,
        distance_mm=[300.0] * count,
        sources=find_sources(source),
        **values,
    )


@given(st.integers(0, 2**32), st.integers(0, 10**15), st.floats(1, 1e6))
def test_deposits_are_in_order_and_of_their_stretch(seed, start, rate):
    deposits, count = simulate_decays(
        setup("Co-60", 3, rate_hz=rate, room_hz=100.0),
        np.random.default_rng(seed),
        start_ps=start,
        length_ps=10**9,
        first_decay=70,
    )
    assert (np.diff(deposits.pulse_ps) >= 0).all()
    # 300 mm are 1001 ps.
    assert (
        (deposits.time_ps >= start) & (deposits.time_ps < start + 10**9 + 1002)
    ).all()
    numbers = deposits.decay[deposits.decay >= 0]
    assert ((numbers >= 70) & (numbers < 70 + count)).all()
    assert (deposits.kev > 0).all()
    assert abs(deposits.pulse_ps - deposits.time_ps).max(initial=0) < 10_000


def test_decays_come_as_poisson_has_it():
    counts = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        _, count = simulate_decays(
            setup("Cs-137"), rng, start_ps=0, length_ps=10**9, first_decay=0
        )
        counts.append(count)
    assert np.mean(counts) == pytest.approx(100, abs=4 * 0.5)
    assert np.var(counts) == pytest.approx(100, rel=4 * math.sqrt(2 / 400))


def test_a_pair_goes_into_opposite_detectors():
    deposits, _ = simulate_decays(
        setup("Na-22", 4),
        np.random.default_rng(1),
        start_ps=0,
        length_ps=10**11,
        first_decay=0,
    )
    whole = np.flatnonzero(abs(deposits.kev - 510.99895) < 1e-9)
    pairs: dict[int, list[int]] = {}
    for row in whole.tolist():
        pairs.setdefault(int(deposits.decay[row]), []).append(
            int(deposits.detector[row])
        )
    both = [sorted(found) for found in pairs.values() if len(found) == 2]
    assert len(both) > 500
    assert {tuple(found) for found in both} == {(0, 1), (2, 3)}


def test_cascades_are_independent_in_direction():
    deposits, count = simulate_decays(
        setup("Co-60", 4, coverage=0.4),
        np.random.default_rng(1),
        start_ps=0,
        length_ps=10**12,
        first_decay=0,
    )
    chance = find_detector("NaI").chance
    share = find_detector("NaI").peak_share
    for kev, per_decay in ((1173.228, 0.9985), (1332.492, 0.999826)):
        found = (deposits.kev == kev).sum()
        expected = count * per_decay * 0.4 * chance(kev) * share(kev)
        assert found == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_names_and_mixtures():
    assert find_sources("na22")[0][0] is SOURCES["Na-22"]
    mixed = find_sources({"Co-60": 3, "Cs-137": 1})
    assert [part for _, part in mixed] == [0.75, 0.25]
    assert find_detector("hpge").name == "HPGe"
    with pytest.raises(SimulationError, match=r"no source 'Co-6'; did you mean 'Co-60"):
        find_sources("Co-6")
    with pytest.raises(SimulationError, match="names with positive activities"):
        find_sources({"Co-60": 0})
    with pytest.raises(SimulationError, match="no detector 'Na'; did you mean 'NaI'"):
        find_detector("Na")
    assert issubclass(SimulationError, PixiePipeError)
