"""What simulated modules see: traces, baselines, tau, offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import ModuleInfo
    from pixie_pipe.simulation.crate import ModulePlan
    from pixie_pipe.simulation.decays import Setup
    from pixie_pipe.simulation.options import Options
    from pixie_pipe.simulation.settings import Variables

_TRACE_SAMPLES: Final = 8192
_BASELINES: Final = 3640
"""What the modules of Rev F give at once (PixieSDK)."""
_XWAIT_PS: Final = 10_000
"""Unit of Xwait (PixieSDK)."""
_TRACES_PS: Final = 50_000_000_000
"""Time of the source that is looked at for `adc_traces`."""


class SimulatedSignals:
    """The part of a simulated crate that shows signals, while no run goes on."""

    _options: Options
    _modules: Sequence[ModuleInfo]
    _plans: list[ModulePlan]
    _setup: Setup | None
    _runs: int
    variables: list[Variables]

    if TYPE_CHECKING:

        def _refuse_unless_idle(self, module: int) -> None: ...

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
        self._refuse_unless_idle(module)
        return self._traces(module, self.variables[module])

    def _traces(self, module: int, variables: Variables) -> NDArray[np.uint16]:
        from pixie_pipe.simulation.crate import sample_traces
        from pixie_pipe.simulation.decays import simulate_decays

        assert self._setup is not None
        numbers = [self._options.seed, self._runs, module]
        deposits, _ = simulate_decays(
            self._setup,
            np.random.default_rng(numbers),
            start_ps=0,
            length_ps=_TRACES_PS,
            first_decay=0,
        )
        count = len(self._plans)
        return sample_traces(
            self._plans[module],
            variables,
            count=_TRACE_SAMPLES,
            seed=numbers,
            deposits=deposits,
            detectors=range(module, count * self._options.channels, count),
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
        from pixie_pipe.simulation.crate import make_channel, noise_seed

        self._refuse_unless_idle(module)
        plan = self._plans[module]
        found = np.full((plan.kind.channels, _BASELINES), np.nan)
        for channel in range(plan.kind.channels):
            seed = noise_seed(self._options.seed, self._runs, module, channel)
            made = make_channel(plan, self.variables[module], channel, seed)
            if made is not None:
                found[channel] = made.baselines(_BASELINES)
        return found

    def tau(self, module: int) -> NDArray[np.float64]:
        """Return the decay time of the pulses of each channel in us.

        It is found in one pulse of each, as the modules do it.

        Returns
        -------
        ndarray of float64
            Shape (channels,); nan where there is no pulse.

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, or a run goes on.
        """
        from pixie_pipe.simulation.decay_times import decay_time

        self._refuse_unless_idle(module)
        variables = dict(self.variables[module])
        variables["Xwait"] = np.ones_like(variables["Xwait"])
        sample_ps = self._plans[module].kind.sample_ps
        # As many whole samples as fit into the unit of Xwait.
        spacing_us = max(_XWAIT_PS // sample_ps, 1) * sample_ps * 1e-6
        traces = self._traces(module, variables)
        return np.array([decay_time(trace) * spacing_us for trace in traces])

    def adjust_offsets(self, module: int | None = None) -> None:
        """Bring the baselines of a module, or of all, to ``BASELINE_PERCENT``.

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, or a run goes on.
        """
        from pixie_pipe.simulation.pulses import offset_for

        self._refuse_unless_idle(0 if module is None else module)
        chosen = range(len(self._modules)) if module is None else [module]
        for number in chosen:
            variables = self.variables[number]
            for channel, percent in enumerate(variables["BaselinePercent"].tolist()):
                csra = int(variables["ChanCSRa"][channel])
                variables["OffsetDAC"][channel] = offset_for(percent / 100, csra)
