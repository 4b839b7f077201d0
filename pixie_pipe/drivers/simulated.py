"""A crate that is simulated: sources, detectors, and modules that do what real ones do.

What is simulated, and what is not, is told in docs/simulation.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers._own_session import OwnSession
from pixie_pipe.drivers._raw_streams import parse_modules
from pixie_pipe.drivers._simulated_settings import (
    FIRST_SERIAL,
    SimulatedSettings,
    module_settings,
    variables_of,
)
from pixie_pipe.drivers._simulated_signals import SimulatedSignals
from pixie_pipe.drivers.digitizer import DriverError, ModuleInfo
from pixie_pipe.settings import CrateSettings

if TYPE_CHECKING:
    from pixie_pipe.config.modules import ModuleConfig
    from pixie_pipe.simulation.crate import ModulePlan
    from pixie_pipe.simulation.decays import Setup
    from pixie_pipe.simulation.run import CrateRun
    from pixie_pipe.simulation.settings import Variables
    from pixie_pipe.simulation.truth import Truth


class SimulatedDigitizer(OwnSession, SimulatedSettings, SimulatedSignals):
    """Simulates modules that look at a radioactive source.

    A run goes on until it is stopped; event times advance as the clock does. The words
    depend on the seed and the number of the run alone (the first of a session is 0),
    not on when they are read; where the computer is too slow, the simulated clock is
    late, and nothing is lost for that. A run ends with a block of simulated time,
    50 ms at most, and a pause begins with the end of one.

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
        Words that the FIFO of a module holds; by default with the 25.6 MB in which
        XIA's library keeps what it has read. A FIFO alone has 131 072.
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
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        # Imported here: what it needs takes long to import.
        from pixie_pipe.simulation.options import Options

        self._options = Options(**options)
        self._entries = modules
        self._clock = clock
        self.variables: list[Variables] = []
        self._settings = CrateSettings()
        self._ends_s: float | None = None
        self._modules: tuple[ModuleInfo, ...] = ()
        self._plans: list[ModulePlan] = []
        self._setup: Setup | None = None
        self._run: CrateRun | None = None
        self._is_open = False
        self._is_running = False
        self._runs = 0

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
        configs = parse_modules(self._entries)
        options = self._options
        self._plans = options.plans([(*each.module, each.layout) for each in configs])
        self._setup = options.setup(self._plans)
        self._modules = tuple(
            _info(config, plan)
            for config, plan in zip(configs, self._plans, strict=True)
        )
        if not self.variables:
            self._settings = CrateSettings(
                module_settings(info, options.variables(plan))
                for info, plan in zip(self._modules, self._plans, strict=True)
            )
            self.variables = [variables_of(module) for module in self._settings]
        self._runs = 0
        self._is_open = True

    def close(self) -> None:
        """End a run that goes on, and let go of the modules."""
        self.stop_run()
        self._is_open = False

    @property
    def is_running(self) -> bool:
        """Whether a run goes on; one that fills histograms ends by itself."""
        ends = self._ends_s
        if self._is_running and ends is not None and self._clock() >= ends:
            self.stop_run()
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
        self._ends_s = None

    def start_histogram_run(self, seconds: float) -> None:
        """Start a run that fills histograms alone, and ends by itself.

        Parameters
        ----------
        seconds
            How long it lasts.

        Raises
        ------
        DriverError, SimulationError
            As `start_run`, or if the time is not positive.
        """
        if not seconds > 0:
            raise DriverError(f"a run of {seconds} s, expected more than 0")
        self._start(is_list_mode=False)
        self._ends_s = self._clock() + seconds

    def _start(self, *, is_list_mode: bool) -> None:
        from pixie_pipe.simulation.crate import CrateSimulator
        from pixie_pipe.simulation.run import CrateRun
        from pixie_pipe.simulation.template import TemplateCrate

        self._refuse_if_closed()
        self._refuse_if_running()
        assert self._setup is not None
        crate = CrateSimulator(
            self._plans,
            self._setup,
            self.variables,
            seed=self._options.seed,
            run=self._runs,
            with_truth=self._options.truth,
        )
        ticks = [plan.kind.layout.tick_ps for plan in self._plans]
        self._run = CrateRun(
            TemplateCrate(crate, ticks) if self._options.mode == "fast" else crate,
            ticks,
            fifo_words=self._options.fifo_words,
            clock=self._clock,
            is_list_mode=is_list_mode,
            with_truth=self._options.truth,
        )
        self._runs += 1
        self._is_running = True

    def stop_run(self) -> None:
        """End the run with the block of time that goes on; its words can be read."""
        if self._is_running and self._run is not None:
            self._run.stop()
        self._is_running = False

    def pause_run(self) -> None:
        """Let the modules take no events behind the block of time that goes on.

        Their clocks go on; live and real time stand still. What the FIFOs hold can be
        read. Nothing happens if no run goes on, or it is paused.

        Raises
        ------
        DriverError
            If the session is not open, or the run fills histograms.
        """
        self._refuse_if_closed()
        if self.is_running and self._run is not None and not self._run.is_paused:
            if self._ends_s is not None:
                raise DriverError("a run that fills histograms cannot be paused")
            self._run.pause()

    def resume_run(self) -> None:
        """Let the modules take events again; nothing happens if none is paused.

        Raises
        ------
        DriverError
            If the session is not open.
        """
        self._refuse_if_closed()
        if self.is_running and self._run is not None and self._run.is_paused:
            self._run.resume()

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
        if self._run is None:
            return np.zeros(0, np.uint32)
        return self._run.read(module, max_words)

    def statistics(self, module: int) -> dict[str, Any]:
        """Return what was read, lost and counted in a module.

        ``words_dropped`` are those that found the FIFO full, ``hw_overflows`` how
        often that began, ``fifo_words`` its level, ``late_s`` how far the simulated
        clock is behind; the others are lists of what `channel_statistics` tells.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        """
        self._refuse_if_closed()
        self._refuse_unknown(module)
        from pixie_pipe.simulation.run import CHANNEL_STATISTICS, STATISTICS

        if self._run is None:
            nothing = [0] * self._plans[module].kind.channels
            return {
                **dict.fromkeys(STATISTICS, 0),
                **dict.fromkeys(CHANNEL_STATISTICS, nothing),
            }
        return self._run.statistics(module)

    def channel_statistics(self, module: int) -> dict[str, NDArray[Any]]:
        """Return what the channels of a module have counted, each of shape (channels,).

        Returns
        -------
        dict
            ``input_counts`` (fast triggers), ``output_counts`` (events),
            ``live_time_s`` (for which the trigger was not blind: input counts divided
            by it are the true rate) and ``real_time_s``.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module or run.
        """
        return self._of_run(module).channel_statistics(module)

    def histogram(self, module: int, channel: int) -> NDArray[np.uint32]:
        """Return the histogram of a channel in the run, shape (32768,).

        A bin is ``2**Log2Ebin`` ADC units wide; piled-up events are not in it.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module, channel or run.
        """
        run = self._of_run(module)
        count = self._plans[module].kind.channels
        if not 0 <= channel < count:
            raise DriverError(
                f"there is no channel {channel}, expected 0 to {count - 1}"
            )
        return run.histogram(module, channel).astype(np.uint32)

    def truth(self) -> Truth:
        """Return what really happened in the run until now.

        Raises
        ------
        DriverError
            If the truth is not kept, or there was no run.
        """
        if not self._options.truth or self._run is None:
            raise DriverError(
                "no truth is kept: make the driver with truth=True, and start a run"
            )
        known = self._run.truth()
        assert known is not None
        return known

    def _of_run(self, module: int) -> CrateRun:
        self._refuse_if_closed()
        self._refuse_unknown(module)
        if self._run is None:
            raise DriverError("there was no run yet: call start_run() first")
        return self._run

    def _refuse_unless_idle(self, module: int) -> None:
        self._refuse_if_closed()
        self._refuse_unknown(module)
        self._refuse_if_running()

    def _refuse_if_running(self) -> None:
        if self.is_running:
            raise DriverError("a run goes on: stop it first")


def _info(config: ModuleConfig, plan: ModulePlan) -> ModuleInfo:
    layout = config.layout
    return ModuleInfo(
        crate=config.crate,
        slot=config.slot,
        frequency=layout.frequency,
        revision=layout.revision,
        hardware=layout.hardware,
        layout=layout,
        channels=plan.kind.channels,
        bits=plan.kind.bits,
        serial=FIRST_SERIAL + config.slot,
    )
