"""A crate that is simulated: sources, detectors, and modules that do what real ones do.

What is simulated, and what is not, is told in docs/simulation.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers._raw_streams import parse_modules
from pixie_pipe.drivers.digitizer import DriverError, ModuleInfo
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.fifo import FIFO_WORDS, Fifo

if TYPE_CHECKING:
    from pixie_pipe.config.modules import ModuleConfig
    from pixie_pipe.simulation.crate import CrateSimulator, ModulePlan
    from pixie_pipe.simulation.decays import Setup
    from pixie_pipe.simulation.settings import Variables
    from pixie_pipe.simulation.template import TemplateCrate
    from pixie_pipe.simulation.truth import Truth

_PATIENCE_S: Final = 0.1
"""A read simulates no longer than this; the simulated clock is late then."""

_TRACE_SAMPLES: Final = 8192
_BASELINES: Final = 3640
"""What the modules of Rev F give at once (PixieSDK)."""
_TRACES_S: Final = 0.05
"""Time of the source that is looked at for `adc_traces`."""


class SimulatedDigitizer:
    """Simulates modules that look at a radioactive source.

    A run goes on until it is stopped; event times advance as the clock does. The words
    depend on the seed and the number of the run alone (the first of a session is 0),
    not on when they are read; where the computer is too slow, the simulated clock is
    late, and nothing is lost for that. A run ends with a block of simulated time,
    50 ms at most.

    Parameters
    ----------
    modules
        The modules, as mappings or in short form; see
        `pixie_pipe.config.parse_module`.
    source
        Name of the source: Na-22, Co-60, Cs-137, Am-241; or several with their
        relative activities.
    rate_hz
        Decays per second.
    detector
        What the channels read: LaBr3, NaI or HPGe; one for all modules, or one for
        each.
    channels
        Number of channels of each module that have a detector.
    coverage
        Part of all directions that the detectors cover together.
    distance_mm
        Their distance from the source.
    room_hz
        Quanta per second that each detector sees of the room.
    trace_samples, energy_sums, qdc, external_timestamps
        What the headers have beside the core; the length of traces, or 0.
    adc_bits
        Bits of the ADCs: one for all modules, one for each, or what is usual.
    seed
        Start of the random numbers.
    mode
        ``physics`` simulates every event. ``fast`` does so for a stretch, at most
        10 s, and repeats it.
    fifo_words
        Words that the FIFO of a module holds.
    truth
        Whether to keep what really happened, for `truth`.
    clock
        What time is measured with: returns seconds.

    Attributes
    ----------
    variables
        DSP variables of each module, by name: numpy arrays of uint32, one value for
        each channel, or one for the module. They are read when a run starts.

    Raises
    ------
    SimulationError
        If a parameter cannot be.
    """

    def __init__(
        self,
        modules: Sequence[Mapping[str, Any] | str] = ("0/2:500/34688",),
        *,
        source: str | Mapping[str, float] = "Co-60",
        rate_hz: float = 5000.0,
        detector: str | Sequence[str] = "LaBr3",
        channels: int = 4,
        coverage: float = 0.6,
        distance_mm: float = 100.0,
        room_hz: float = 20.0,
        trace_samples: int = 0,
        energy_sums: bool = False,
        qdc: bool = False,
        external_timestamps: bool = False,
        adc_bits: int | Sequence[int] | None = None,
        seed: int = 1,
        mode: Literal["physics", "fast"] = "physics",
        fifo_words: int = FIFO_WORDS,
        truth: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if mode not in {"physics", "fast"}:
            raise SimulationError(f"mode is {mode!r}, expected 'physics' or 'fast'")
        for name, value, least, most in (
            ("rate_hz", rate_hz, 0, 1e8),
            ("coverage", coverage, 1e-6, 1),
            ("distance_mm", distance_mm, 0, 1e6),
            ("room_hz", room_hz, 0, 1e7),
            ("fifo_words", fifo_words, 1, 1 << 40),
            ("channels", channels, 1, 32),
        ):
            if not least <= value <= most:
                raise SimulationError(
                    f"{name} is {value!r}, expected {least:g} to {most:g}"
                )
        self._entries = modules
        self._source = source
        self._rate_hz = rate_hz
        self._detector = detector
        self._connected = channels
        self._geometry = coverage, distance_mm
        self._room_hz = room_hz
        self._blocks = trace_samples, energy_sums, qdc, external_timestamps
        self._adc_bits = adc_bits
        self._seed = seed
        self._mode = mode
        self._fifo_words = fifo_words
        self._with_truth = truth
        self._clock = clock
        self.variables: list[Variables] = []
        self._modules: tuple[ModuleInfo, ...] = ()
        self._plans: list[ModulePlan] = []
        self._setup: Setup | None = None
        self._is_open = False
        self._is_running = False
        self._runs = 0
        self._is_list_mode = True
        self._begun = 0.0
        self._late_ps = 0
        self._crate: CrateSimulator | TemplateCrate | None = None
        self._fifos: list[Fifo] = []
        self._words_read: list[int] = []
        self._ends: list[list[NDArray[np.int64]]] = []

    @property
    def modules(self) -> tuple[ModuleInfo, ...]:
        """The modules, once it is open."""
        return self._modules

    def open(self) -> None:
        """Make the modules, and variables for them unless there are some.

        Raises
        ------
        ConfigError, LayoutError
            If an entry of the modules is wrong.
        SimulationError
            If there is no such source, detector or ADC.
        """
        if self._is_open:
            return
        from pixie_pipe.simulation.decays import Setup
        from pixie_pipe.simulation.settings import default_variables
        from pixie_pipe.simulation.sources import find_sources

        configs = parse_modules(self._entries)
        if not configs:
            raise SimulationError("modules is empty, expected at least one")
        self._plans = self._make_plans(configs)
        detectors = [plan.detector for plan in self._plans] * self._connected
        coverage, distance_mm = self._geometry
        self._setup = Setup(
            detectors=detectors,
            coverage=coverage,
            distance_mm=[distance_mm] * len(detectors),
            sources=find_sources(self._source),
            rate_hz=self._rate_hz,
            room_hz=self._room_hz,
        )
        self._modules = tuple(_info(config) for config in configs)
        if len(self.variables) != len(self._plans):
            self.variables = [
                default_variables(plan.kind, plan.detector, plan.connected)
                for plan in self._plans
            ]
            for variables in self.variables:
                self._ask_for_blocks(variables)
        self._runs = 0
        self._is_open = True

    def _make_plans(self, configs: list[ModuleConfig]) -> list[ModulePlan]:
        from pixie_pipe.simulation.channel import ModuleKind
        from pixie_pipe.simulation.crate import ModulePlan
        from pixie_pipe.simulation.detectors import find_detector

        count = len(configs)
        names = _one_for_each("detector", self._detector, count)
        bits = _one_for_each("adc_bits", self._adc_bits, count)
        plans = []
        for config, name, wanted in zip(configs, names, bits, strict=True):
            kind = ModuleKind.of(config.layout, wanted)
            if self._connected > kind.channels:
                raise SimulationError(
                    f"channels is {self._connected}, but module {config.crate}/"
                    f"{config.slot} has {kind.channels}"
                )
            plans.append(
                ModulePlan(
                    config.crate,
                    config.slot,
                    kind,
                    find_detector(name),
                    self._connected,
                )
            )
        return plans

    def _ask_for_blocks(self, variables: Variables) -> None:
        from pixie_pipe.simulation.channel import CsrA

        trace_samples, energy_sums, qdc, external = self._blocks
        wanted = {
            CsrA.TRACE: trace_samples > 0,
            CsrA.ENERGY_SUMS: energy_sums,
            CsrA.QDC: qdc,
            CsrA.EXTERNAL_TIME: external,
        }
        for bit, is_wanted in wanted.items():
            variables["ChanCSRa"] |= np.uint32(is_wanted << bit)
        if trace_samples > 0:
            variables["TraceLength"][:] = trace_samples

    def close(self) -> None:
        """End a run that goes on, and let go of the modules."""
        self.stop_run()
        self._is_open = False

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_running(self) -> bool:
        """Whether a run goes on."""
        return self._is_running

    def start_run(self) -> None:
        """Start a list-mode run with the variables as they are; all clocks start at 0.

        Raises
        ------
        DriverError
            If the session is not open, or a run goes on.
        SimulationError
            If the variables of a channel that is switched on cannot be.
        """
        self._start(is_list_mode=True)

    def start_histogram_run(self) -> None:
        """Start a run that fills histograms alone; raises what `start_run` does."""
        self._start(is_list_mode=False)

    def _start(self, *, is_list_mode: bool) -> None:
        from pixie_pipe.simulation.crate import CrateSimulator
        from pixie_pipe.simulation.template import TemplateCrate

        self._refuse_if_closed()
        if self._is_running:
            raise DriverError("a run goes on: stop it before the next one is started")
        assert self._setup is not None
        crate = CrateSimulator(
            self._plans,
            self._setup,
            self.variables,
            seed=self._seed,
            run=self._runs,
            with_truth=self._with_truth,
        )
        self._crate = crate
        if self._mode == "fast":
            ticks = [plan.kind.layout.tick_ps for plan in self._plans]
            self._crate = TemplateCrate(crate, ticks)
        self._is_list_mode = is_list_mode
        self._fifos = [Fifo(self._fifo_words) for _ in self._plans]
        self._words_read = [0] * len(self._plans)
        self._ends = [[] for _ in self._plans]
        self._late_ps = 0
        # The first block, with which kernels may have to be compiled, is not waited
        # for by the clock.
        self._advance()
        self._runs += 1
        self._begun = self._clock()
        self._is_running = True

    def stop_run(self) -> None:
        """End the run with the block of time that goes on; its words can be read."""
        if not self._is_running:
            return
        self._simulate()
        self._is_running = False
        for fifo in self._fifos:
            fifo.advance(None)

    def read(self, module: int, max_words: int) -> NDArray[np.uint32]:
        """Return words that are in the FIFO of a module.

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, or `max_words` is
            less than 1.
        """
        self._refuse_if_closed()
        self._refuse_unknown(module)
        if max_words < 1:
            raise DriverError(f"max_words is {max_words}, expected at least 1")
        if not self._fifos:
            return np.zeros(0, np.uint32)
        self._look(module)
        words = self._fifos[module].read(max_words)
        self._words_read[module] += words.size
        return words

    def statistics(self, module: int) -> dict[str, Any]:
        """Return what was read, lost and counted in a module.

        ``words_dropped`` are those that found the FIFO full, ``hw_overflows`` how
        often that began, ``fifo_words`` its level; ``input_counts`` and
        ``output_counts`` are those of all channels until ``real_s``; ``late_s`` is
        how far the simulated clock is behind.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        """
        self._refuse_if_closed()
        self._refuse_unknown(module)
        if self._crate is None:
            return dict.fromkeys(_STATISTICS, 0)
        self._look(module)
        fifo = self._fifos[module]
        counts = self._crate.counts(module)
        values = (
            self._words_read[module],
            fifo.words_written,
            fifo.words_dropped,
            fifo.overflows,
            fifo.level,
            int(counts.input.sum()),
            int(counts.output.sum()),
            self._crate.settled_ps * 1e-12,
            self._late_ps * 1e-12,
        )
        return dict(zip(_STATISTICS, values, strict=True))

    def channel_statistics(self, module: int) -> dict[str, NDArray[Any]]:
        """Return what the channels of a module have counted, each of shape (channels,).

        Returns
        -------
        dict
            ``input_counts`` (fast triggers), ``output_counts`` (events), ``live_s``
            (the time for which the trigger was not blind: input counts divided by it
            are the true rate) and ``real_s``.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module or run.
        """
        counts = self._of_run(module).counts(module)
        real = self._of_run(module).settled_ps
        return {
            "input_counts": counts.input,
            "output_counts": counts.output,
            "live_s": (real - counts.above_ps) * 1e-12,
            "real_s": np.full(counts.input.size, real * 1e-12),
        }

    def histogram(self, module: int, channel: int) -> NDArray[np.int64]:
        """Return the histogram of a channel in the run, shape (32768,).

        A bin is ``2**Log2Ebin`` ADC units wide; piled-up events are not in it.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module, channel or run.
        """
        crate = self._of_run(module)
        self._refuse_unknown_channel(module, channel)
        self._look(module)
        return crate.histogram(module, channel)

    def adc_traces(self, module: int) -> NDArray[np.uint16]:
        """Return what the ADCs of a module see now, one sample each Xwait.

        The first pulse of each channel that has a detector is at a quarter.

        Returns
        -------
        ndarray of uint16
            Shape (channels, 8192).

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, or a run goes on.
        """
        from pixie_pipe.simulation.crate import sample_traces
        from pixie_pipe.simulation.decays import simulate_decays

        self._refuse_unless_idle(module)
        assert self._setup is not None
        numbers = [self._seed, self._runs, module]
        deposits, _ = simulate_decays(
            self._setup,
            np.random.default_rng(numbers),
            start_ps=0,
            length_ps=int(_TRACES_S * 1e12),
            first_decay=0,
        )
        count = len(self._plans)
        return sample_traces(
            self._plans[module],
            self.variables[module],
            count=_TRACE_SAMPLES,
            seed=numbers,
            deposits=deposits,
            detectors=range(module, count * self._connected, count),
        )

    def baselines(self, module: int) -> NDArray[np.float64]:
        """Return baselines as the channels measure them between pulses.

        Returns
        -------
        ndarray of float64
            In units of the energy, as the column baseline of events; shape
            (channels, 3640). NaN for channels that are switched off.

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, or a run goes on.
        """
        from pixie_pipe.simulation.crate import make_channel

        self._refuse_unless_idle(module)
        plan = self._plans[module]
        found = np.full((plan.kind.channels, _BASELINES), np.nan)
        for channel in range(plan.kind.channels):
            noise = np.random.SeedSequence([self._seed, self._runs, module, channel])
            made = make_channel(
                plan,
                self.variables[module],
                channel,
                int(noise.generate_state(1, np.uint64)[0]),
            )
            if made is not None:
                found[channel] = made.baselines(_BASELINES)
        return found

    def truth(self) -> Truth:
        """Return what really happened in the run until now.

        Raises
        ------
        DriverError
            If the truth is not kept, or there was no run.
        """
        from pixie_pipe.simulation.truth import Fate

        if not self._with_truth or self._crate is None:
            raise DriverError(
                "no truth is kept: make the driver with truth=True, and start a run"
            )
        known = self._crate.truth()
        assert known is not None
        # A trigger whose event is still being recorded.
        known.fate[(known.fate == Fate.RECORDED) & (known.event < 0)] = Fate.PENDING
        for number, fifo in enumerate(self._fifos):
            ends = np.concatenate([np.zeros(0, np.int64), *self._ends[number]])
            rows = np.flatnonzero((known.module == number) & (known.event >= 0))
            lost = rows[fifo.damaged(ends)[known.event[rows]]]
            known.fate[lost] = Fate.LOST_IN_FIFO
        return known

    def _look(self, module: int) -> None:
        """Let the simulation and the FIFO of a module go on until now."""
        if self._is_running:
            self._fifos[module].advance(self._simulate())

    def _simulate(self) -> int:
        """Simulate until now; return what time it is in the simulation, in ps."""
        assert self._crate is not None
        begun = self._clock()
        elapsed = int((begun - self._begun) * 1e12)
        while self._crate.settled_ps < elapsed - self._late_ps:
            self._advance()
            if self._clock() - begun > _PATIENCE_S:
                self._late_ps = max(self._late_ps, elapsed - self._crate.settled_ps)
        return elapsed - self._late_ps

    def _advance(self) -> None:
        assert self._crate is not None
        chunks = self._crate.advance()
        if not self._is_list_mode:
            return
        for number, chunk in enumerate(chunks):
            if chunk is None:
                continue
            fifo = self._fifos[number]
            if self._with_truth:
                offered = self._ends[number]
                before = int(offered[-1][-1]) if offered else 0
                offered.append(chunk.ends + before)
            fifo.offer(chunk)

    def _of_run(self, module: int) -> CrateSimulator | TemplateCrate:
        self._refuse_if_closed()
        self._refuse_unknown(module)
        if self._crate is None:
            raise DriverError("there was no run yet: call start_run() first")
        return self._crate

    def _refuse_if_closed(self) -> None:
        if not self._is_open:
            raise DriverError("the session is not open: call open() first")

    def _refuse_unknown(self, module: int) -> None:
        if not 0 <= module < len(self._modules):
            raise DriverError(
                f"there is no module {module}, expected 0 to {len(self._modules) - 1}"
            )

    def _refuse_unknown_channel(self, module: int, channel: int) -> None:
        count = self._plans[module].kind.channels
        if not 0 <= channel < count:
            raise DriverError(
                f"there is no channel {channel}, expected 0 to {count - 1}"
            )

    def _refuse_unless_idle(self, module: int) -> None:
        self._refuse_if_closed()
        self._refuse_unknown(module)
        if self._is_running:
            raise DriverError("a run goes on: stop it first")


_STATISTICS: Final = (
    "words_read",
    "words_written",
    "words_dropped",
    "hw_overflows",
    "fifo_words",
    "input_counts",
    "output_counts",
    "real_s",
    "late_s",
)


def _one_for_each(name: str, given: Any, count: int) -> list[Any]:  # noqa: ANN401
    """Return one value for each module, from one for all or one for each."""
    if given is None or isinstance(given, str | int):
        return [given] * count
    if len(given) != count:
        raise SimulationError(
            f"{name} has {len(given)} values, expected one, or one for each of the "
            f"{count} modules"
        )
    return list(given)


def _info(config: ModuleConfig) -> ModuleInfo:
    layout = config.layout
    return ModuleInfo(
        crate=config.crate,
        slot=config.slot,
        frequency=layout.frequency,
        revision=layout.revision,
        hardware=layout.hardware,
        layout=layout,
    )
