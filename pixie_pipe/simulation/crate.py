"""A crate: decays all modules see, simulated in blocks of time.

What is simulated depends on the seed and on the number of the run alone, never on when
or how it is read: a block of time is simulated as a whole, with random numbers of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.channel import ChannelRegisters, CsrA, Electronics
from pixie_pipe.simulation.decays import Deposits, Setup, simulate_decays
from pixie_pipe.simulation.module import ModuleCounts, ModuleSimulator
from pixie_pipe.simulation.processing import ChannelProcessor
from pixie_pipe.simulation.pulses import PulseShape
from pixie_pipe.simulation.signal import ChannelSignal
from pixie_pipe.simulation.truth import Truth, TruthLog

if TYPE_CHECKING:
    from pixie_pipe.simulation.chunks import Chunk
    from pixie_pipe.simulation.detectors import Detector

_LONGEST_BLOCK_PS: Final = 50_000_000_000
_SHORTEST_BLOCK_PS: Final = 100_000_000
_DECAYS_PER_BLOCK: Final = 20_000
_BLOCK_UNIT_PS: Final = 1_000_000
"""Blocks are whole µs, and so whole ticks of 8 and of 10 ns."""

_LATEST_PS: Final = 1_000_000
"""What a block can add to times before its start: jitter, far less than this."""

_SIGNAL, _DECAYS, _TRACES = 0, 1, 2
"""Streams of random numbers."""

_XWAIT_PS: Final = 10_000
"""Xwait counts 10 ns (PixieSDK)."""


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """A module that is to be simulated.

    Attributes
    ----------
    crate, slot
        Where it is.
    kind
        What it is.
    detector
        What its channels read.
    connected
        Number of channels that have a detector, the first ones.
    """

    crate: int
    slot: int
    kind: Electronics
    detector: Detector
    connected: int


class CrateSimulator:
    """Simulates a run, block by block.

    Parameters
    ----------
    plans
        The modules.
    setup
        Source and detectors; detector ``channel * modules + module`` is that of a
        channel of a module.
    variables
        The DSP variables of each module.
    seed, run
        Start of the random numbers, and the number of the run.
    with_truth
        Whether to collect the truth.

    Raises
    ------
    SimulationError
        If variables are missing or cannot be.
    """

    def __init__(
        self,
        plans: Sequence[ModulePlan],
        setup: Setup,
        variables: Sequence[Mapping[str, Any]],
        *,
        seed: int,
        run: int,
        with_truth: bool = False,
    ) -> None:
        self._setup = setup
        self._seed = seed, run
        self._log = TruthLog() if with_truth else None
        self._deposits = 0
        self._decays = 0
        self._blocks = 0
        per_block = _DECAYS_PER_BLOCK / max(setup.rate_hz, 1.0) * 1e12
        length = int(np.clip(per_block, _SHORTEST_BLOCK_PS, _LONGEST_BLOCK_PS))
        self.block_ps = length // _BLOCK_UNIT_PS * _BLOCK_UNIT_PS
        self.settled_ps = 0
        self._modules = [
            _make_module(plan, number, variables[number], self._seed, self._log)
            for number, plan in enumerate(plans)
        ]

    def advance(self) -> list[Chunk | None]:
        """Simulate one block more; return what each module writes in it.

        Everything until `settled_ps` is then known.
        """
        start = self._blocks * self.block_ps
        rng = np.random.default_rng([*self._seed, _DECAYS, self._blocks])
        deposits, count = simulate_decays(
            self._setup,
            rng,
            start_ps=start,
            length_ps=self.block_ps,
            first_decay=self._decays,
        )
        self._decays += count
        self._blocks += 1
        self._hand_over(deposits)
        until = self._blocks * self.block_ps - _LATEST_PS
        known = min(module.process(until) for module in self._modules)
        self.settled_ps = max(known, 0)
        return [module.release(self.settled_ps) for module in self._modules]

    def _hand_over(self, deposits: Deposits) -> None:
        channel, module = np.divmod(deposits.detector, len(self._modules))
        numbers = self._deposits + np.arange(module.size)
        self._deposits += module.size
        if self._log is not None:
            self._log.add(module, channel, deposits)
        for number, simulator in enumerate(self._modules):
            rows = np.flatnonzero(module == number)
            simulator.add(channel[rows], _rows_of(deposits, rows), numbers[rows])

    def counts(self, module: int) -> ModuleCounts:
        """Return what the channels of a module have counted until `settled_ps`."""
        return self._modules[module].counts

    def histogram(self, module: int, channel: int) -> NDArray[np.int64]:
        """Return the histogram of a channel, shape (32768,)."""
        counts: NDArray[np.int64] = self._modules[module].histograms[channel].copy()
        return counts

    def truth(self) -> Truth | None:
        """Return the truth, if it was asked for; without losses in the FIFO."""
        return None if self._log is None else self._log.result()


def _rows_of(deposits: Deposits, rows: NDArray[np.intp]) -> Deposits:
    return Deposits(
        deposits.detector[rows],
        deposits.time_ps[rows],
        deposits.pulse_ps[rows],
        deposits.kev[rows],
        deposits.seen_kev[rows],
        deposits.decay[rows],
    )


def noise_seed(*numbers: int) -> int:
    """Return the start of the noise of a channel, 64 bits, from what tells it apart."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def make_channel(
    plan: ModulePlan, variables: Mapping[str, Any], channel: int, noise_seed: int
) -> ChannelProcessor | None:
    """Return a channel at work, or None if it is switched off.

    Raises
    ------
    SimulationError
        If variables are missing or cannot be.
    """
    registers = ChannelRegisters.from_variables(variables, channel, plan.kind)
    if not registers.has(CsrA.GOOD):
        return None
    shape = PulseShape.of(plan.detector, registers)
    return ChannelProcessor(registers, shape, noise_seed)


def _make_module(
    plan: ModulePlan,
    number: int,
    variables: Mapping[str, Any],
    seed: tuple[int, int],
    log: TruthLog | None,
) -> ModuleSimulator:
    found = {}
    for channel in range(plan.connected):
        noise = noise_seed(*seed, _SIGNAL, number, channel)
        made = make_channel(plan, variables, channel, noise)
        if made is not None:
            found[channel] = made
    return ModuleSimulator(
        plan.crate,
        plan.slot,
        found,
        plan.kind.layout,
        count=plan.kind.channels,
        truth=log,
    )


def sample_traces(
    plan: ModulePlan,
    variables: Mapping[str, Any],
    *,
    count: int,
    seed: Sequence[int],
    deposits: Deposits,
    detectors: Sequence[int],
) -> NDArray[np.uint16]:
    """Return what the ADCs of a module give, one sample each Xwait.

    Parameters
    ----------
    plan, variables
        The module.
    count
        Samples of each channel.
    seed
        Start of the noise.
    deposits
        Pulses; the first one of each channel is put at a quarter of its trace.
    detectors
        Numbers of the detectors of the first channels.

    Returns
    -------
    ndarray of uint16
        Shape (channels, count). Channels without a detector show their level.
    """
    out = np.empty((plan.kind.channels, count), np.uint16)
    sample_ps = plan.kind.sample_ps
    for channel in range(plan.kind.channels):
        registers = ChannelRegisters.from_variables(variables, channel, plan.kind)
        shape = PulseShape.of(plan.detector, registers)
        signal = ChannelSignal(shape, sample_ps, noise_seed(*seed, _TRACES, channel))
        every = max(registers.trace_spacing * _XWAIT_PS // sample_ps, 1)
        own = detectors[channel] if channel < len(detectors) else -1
        rows = np.flatnonzero(deposits.detector == own)
        begin = int(deposits.pulse_ps[rows[0]]) // sample_ps if rows.size else 0
        samples = signal.samples(
            begin - count * every // 4,
            count * every,
            deposits.pulse_ps[rows],
            deposits.seen_kev[rows],
        )
        out[channel] = samples[::every]
    return out
