"""Quanta of 511 keV that a simulated Na-22 source sends to two modules."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from pixie_pipe.coincidences import (
    Coincidences,
    build_coincidences,
    time_difference_histogram,
    time_differences,
)
from pixie_pipe.events import Events
from tests.support.simulated_runs import SimulatedRun, simulated

SECONDS = 0.25
RATE_HZ = 20_000
WINDOW_NS = 60.0
"""Times of the two modules differ by 20 ns (docs/simulation.md), and by more for small
pulses, of which the CFD is forced or late."""


@cache
def run() -> tuple[SimulatedRun, Events]:
    """Return a run, and the events of both modules with the numbers of their decays.

    The numbers are in the column ``timestamp``, -1 for quanta of the room and noise.
    """
    simulation = simulated(
        ["0/2:500/34688", "0/3:250/34688"],
        SECONDS,
        source="Na-22",
        rate_hz=RATE_HZ,
        coverage=0.9,
        channels=4,
        seed=3,
    )
    truth = simulation.truth
    numbered = []
    for module, events in enumerate(simulation.events):
        decays = np.full(len(events), -1)
        rows = np.flatnonzero((truth.module == module) & truth.recorded)
        decays[truth.event[rows]] = truth.decay[rows]
        numbered.append(events.with_columns(timestamp=decays.astype(np.uint64)))
    return simulation, Events.concatenate(numbered).sort()


def decays_of(events: Events) -> np.ndarray:
    return events.timestamp.astype(np.int64)


def fraction(part: int, whole: int) -> tuple[float, float]:
    """Return a fraction and its statistical error (binomial)."""
    value = part / whole
    return value, math.sqrt(value * (1 - value) / whole)


def true_pairs(events: Events) -> np.ndarray:
    """Return the decays of which each module recorded an event."""
    decays = decays_of(events)
    seen = [set(decays[events.slot == slot].tolist()) - {-1} for slot in (2, 3)]
    return np.array(sorted(seen[0] & seen[1]))


def found_pairs(found: Coincidences) -> tuple[int, set[int]]:
    """Return how many coincidences have a true pair, and the decays of true pairs."""
    good = 0
    both: set[int] = set()
    for number in range(len(found)):
        own = found.events(number)
        decays = decays_of(own)
        shared = set(decays[own.slot == 2].tolist()) & set(
            decays[own.slot == 3].tolist()
        )
        good += bool(shared - {-1})
        both |= shared - {-1}
    return good, both


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"mode": "first"},
        # The times of the first module are the earlier ones, with few exceptions.
        {"mode": "trigger", "trigger": "0/2", "before_ns": WINDOW_NS},
    ],
)
def test_coincidences_are_decays(how: dict[str, Any]) -> None:
    _, events = run()
    true = true_pairs(events)
    assert true.size > 500
    found = build_coincidences(
        events, window_ns=WINDOW_NS, required=["0/2", "0/3"], **how
    )
    good, decays = found_pairs(found)
    efficiency, error = fraction(len(decays & set(true.tolist())), true.size)
    purity, purity_error = fraction(good, len(found))
    print(
        f"{how}: {true.size} true pairs, {len(found)} found; efficiency "
        f"{efficiency:.4f} ± {error:.4f}, purity {purity:.4f} ± {purity_error:.4f}"
    )
    assert efficiency > 0.97
    # By chance, an event of one module finds one of the other within the window on
    # either side: a part of 2 x 60 ns x the rate of the other, for each true pair.
    rates = [np.count_nonzero(events.slot == slot) / SECONDS for slot in (2, 3)]
    chance = 2 * WINDOW_NS * 1e-9 * rates[0] * rates[1] * SECONDS
    assert len(found) - good < 5 + 3 * chance
    assert purity > 0.98


def test_time_differences_of_511_keV() -> None:
    _, events = run()
    found = build_coincidences(events, window_ns=WINDOW_NS)
    differences = time_differences(found, "0/2", "0/3") / 1000
    # Delays of 11.7 and 31 ns (docs/simulation.md).
    assert np.median(differences) == pytest.approx(31 - 11.7, abs=0.5)
    histogram = time_difference_histogram(
        found, "0/2", "0/3", low_ps=0, high_ps=40_000, bin_ps=500
    )
    assert (
        histogram.counts.sum() + histogram.below + histogram.above == differences.size
    )
    assert 17_000 < histogram.edges_ps[histogram.counts.argmax()] < 21_000


def test_a_delay_takes_the_difference_away_and_a_narrower_window_is_enough() -> None:
    _, events = run()
    true = set(true_pairs(events).tolist())
    efficiency = {}
    for delay in (0.0, 31 - 11.7):
        found = build_coincidences(
            events, window_ns=8, required=["0/2", "0/3"], delays_ns={"0/2": delay}
        )
        efficiency[delay], _ = fraction(len(found_pairs(found)[1] & true), len(true))
    assert efficiency[0.0] < 0.2
    assert efficiency[31 - 11.7] > 0.8
