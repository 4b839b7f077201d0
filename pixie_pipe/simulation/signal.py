"""The samples that the ADC of a channel gives, at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation._signal_kernels import (
    Signal,
    advance_tails,
    digitize,
    in_memory,
)

if TYPE_CHECKING:
    from pixie_pipe.simulation.pulses import PulseShape


class ChannelSignal:
    """The signal of a channel.

    Parameters
    ----------
    shape
        Its pulses, noise and level.
    sample_ps
        Length of a sample in ps.
    seed
        Start of the noise, 64 bits.
    """

    def __init__(self, shape: PulseShape, sample_ps: int, seed: int) -> None:
        self.sample_ps = sample_ps
        self.numbers = in_memory(
            Signal(
                shape.rise,
                shape.decay,
                shape.per_kev,
                shape.level,
                shape.noise,
                shape.most,
                np.uint64(seed),
            )
        )

    def place(
        self, pulse_ps: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the samples behind which pulses begin, and how far, in [0, 1)."""
        sample, rest = np.divmod(pulse_ps, self.sample_ps)
        return sample, rest / self.sample_ps

    def samples(
        self,
        first: int,
        count: int,
        pulse_ps: NDArray[np.int64],
        kev: NDArray[np.float64],
    ) -> NDArray[np.uint16]:
        """Return samples of the ADC.

        Parameters
        ----------
        first
            Number of the first sample since time zero; may be negative.
        count
            How many.
        pulse_ps, kev
            Begin and height of the pulses, in the order of time, shape (n,).

        Returns
        -------
        ndarray of uint16
            Shape (count,).
        """
        sample, phase = self.place(pulse_ps)
        heights = np.ascontiguousarray(kev, np.float64)
        begin = min(first, int(sample[0])) if sample.size else first
        tails, positions = np.zeros(2), np.array([begin, 0], np.int64)
        signal = self.numbers
        advance_tails(
            tails,
            positions,
            sample,
            phase,
            heights,
            first,
            signal.rise,
            signal.decay,
        )
        out = np.empty(count, np.uint16)
        digitize(tails, positions, sample, phase, heights, signal, out)
        return out

    def quiet(self, first: int, count: int) -> NDArray[np.uint16]:
        """Return samples without pulses."""
        return self.samples(first, count, np.zeros(0, np.int64), np.zeros(0))
