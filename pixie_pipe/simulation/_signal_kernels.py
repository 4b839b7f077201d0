"""The signal of a channel, sample by sample: pulses, noise, and the ADC.

The noise of a sample depends on the channel and the number of the sample alone: the
same sample is the same whenever and however often it is computed.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit

u64 = np.uint64

Numbers = TypeVar("Numbers", bound=NamedTuple)

# A sum of four uniform numbers of 16 bits is nearly normal: mean and deviation.
_MEAN = 2 * 65535.0
_DEVIATION = math.sqrt(4 * (65536.0**2 - 1) / 12)

_NOTHING_KEV = 1e-30
"""Less is no signal; the smallest numbers a processor has slow it down."""


class Signal(NamedTuple):
    """`PulseShape` as numbers, and the seed of the noise."""

    rise: float
    decay: float
    per_kev: float
    level: float
    noise: float
    most: int
    seed: np.uint64


def in_memory(numbers: Numbers) -> Numbers:
    """Return numbers for kernels, in one piece of memory.

    A kernel is given a tuple number by number, and hands it on so at each call of
    another one, all of which has to be compiled; this is one pointer.
    """
    kind = np.dtype(
        [(n, np.asarray(v).dtype) for n, v in numbers._asdict().items()], align=True
    )
    found: Numbers = np.array([tuple(numbers)], kind).view(np.recarray)[0]
    return found


@jit
def noise_at(seed: np.uint64, sample: int) -> float:
    """Return the noise of a sample, with deviation one, by SplitMix64.

    Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014.
    """
    z = u64(seed + u64(u64(sample) * u64(0x9E3779B97F4A7C15)))
    z = u64((z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9))
    z = u64((z ^ (z >> u64(27))) * u64(0x94D049BB133111EB))
    z = z ^ (z >> u64(31))
    low = u64(0xFFFF)
    total = (z & low) + ((z >> u64(16)) & low) + ((z >> u64(32)) & low) + (z >> u64(48))
    return (np.float64(np.int64(total)) - _MEAN) / _DEVIATION


@jit
def advance_tails(
    tails: NDArray[np.float64],
    positions: NDArray[np.int64],
    pulse_sample: NDArray[np.int64],
    pulse_phase: NDArray[np.float64],
    pulse_kev: NDArray[np.float64],
    to: int,
    rise: float,
    decay: float,
) -> None:
    """Let the sum of all pulses go on to a later sample.

    `tails` is what pulses before the sample ``positions[0]`` have left there of their
    two exponentials, in keV: decay and rise; ``positions[1]`` is the first pulse that
    is not in it. A pulse begins behind its sample and shows from the next one on.
    """
    at, number = positions[0], positions[1]
    while number < pulse_sample.size and pulse_sample[number] < to:
        begin = pulse_sample[number] + 1
        passed = np.float64(begin - at)
        early = 1.0 - pulse_phase[number]
        tails[0] = tails[0] * math.exp(-passed / decay)
        tails[1] = tails[1] * math.exp(-passed / rise)
        tails[0] += pulse_kev[number] * math.exp(-early / decay)
        tails[1] += pulse_kev[number] * math.exp(-early / rise)
        at = begin
        number += 1
    passed = np.float64(to - at)
    tails[0] = tails[0] * math.exp(-passed / decay)
    tails[1] = tails[1] * math.exp(-passed / rise)
    positions[0], positions[1] = to, number


@jit
def digitize(
    tails: NDArray[np.float64],
    positions: NDArray[np.int64],
    pulse_sample: NDArray[np.int64],
    pulse_phase: NDArray[np.float64],
    pulse_kev: NDArray[np.float64],
    signal: Signal,
    out: NDArray[np.uint16],
) -> None:
    """Write what the ADC gives from the sample ``positions[0]`` on; change no tails."""
    slow, fast = tails[0], tails[1]
    first, number = positions[0], positions[1]
    fall_slow, fall_fast = math.exp(-1.0 / signal.decay), math.exp(-1.0 / signal.rise)
    level, per_kev, noise = signal.level, signal.per_kev, signal.noise
    most, seed = np.float64(signal.most), signal.seed
    for i in range(out.size):
        sample = first + i
        if i > 0:
            slow *= fall_slow
            fast *= fall_fast
            if fast < _NOTHING_KEV:
                fast = 0.0
            if slow < _NOTHING_KEV:
                slow = 0.0
        while number < pulse_sample.size and pulse_sample[number] < sample:
            early = 1.0 - pulse_phase[number]
            slow += pulse_kev[number] * math.exp(-early / signal.decay)
            fast += pulse_kev[number] * math.exp(-early / signal.rise)
            number += 1
        value = level + (slow - fast) * per_kev
        value += noise * noise_at(seed, sample) + 0.5
        out[i] = np.uint16(np.int64(min(max(value, 0.0), most)))
