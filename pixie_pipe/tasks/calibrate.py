"""Energies in keV for all events of channels that are calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.preparing import Preparation
from pixie_pipe.pipeline.task import Task
from pixie_pipe.tasks._run_paths import recorded_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pixie_pipe.calibration.file import EnergyCalibration
    from pixie_pipe.events import Events


class Calibrate(Task):
    """Adds the column ``energy_kev`` by a file of calibrations.

    Events of channels without a calibration get NaN, and are counted.
    """

    reads = (port(Kind.EVENTS, ("crate", "slot", "channel", "energy", "timestamp")),)
    writes = (port(Kind.EVENTS, ("energy_kev",)),)
    category = Category.TRANSFORM
    label = "Add energies in keV"
    can_pool = True
    conserves_events = True
    parameters: ClassVar = {
        "file": Parameter("", "YAML file, as `pixie-pipe calibrate` writes it"),
        "run": Parameter(
            None,
            "number of the run whose calibration is taken; by default that of the "
            "run's directory",
            type=int,
            min=0,
        ),
        "spread": Parameter(
            False,
            "spread energies evenly over their ADC unit, so that spectra in keV do not "
            "show its steps",
        ),
        "seed": Parameter(
            1, "which random numbers `spread` takes", min=0, max=2**63 - 1
        ),
    }

    @classmethod
    def preparations(cls, _parameters: Mapping[str, Any]) -> Sequence[Preparation]:
        """Have the kernels compiled."""
        from pixie_pipe.tasks import warm_up_spectra

        told = "the calibration of energies is compiled, once for each installation"
        return (Preparation("spectra", warm_up_spectra, told),)

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """Look whether the file can be read."""
        if config.get("file"):
            self._read()

    def _read(self) -> EnergyCalibration:
        from pixie_pipe.calibration import CalibrationError, read_calibrations

        if not self.config.file:
            raise ParameterError(f"{self.name}.file is not set, expected a YAML file")
        run = self.config.run
        if run is None:
            run = recorded_number(self.run_directory)
        try:
            return read_calibrations(self.config.file).at(run=run)
        except CalibrationError as error:
            raise ParameterError(f"{self.name}.file: {error}") from error

    def do_start(self) -> None:
        """Take the calibration of this run."""
        from pixie_pipe.calibration.calibrator import Calibrator

        channels = self._read().channels
        self._calibrator = Calibrator(
            channels, spread=self.config.spread, seed=self.config.seed
        )
        self.statistics |= {"channels": len(channels), "without": 0}

    def do_work(self, datum: Events) -> Events:
        """Add the column."""
        events = self._calibrator.apply(datum)
        self.statistics["without"] += int(np.count_nonzero(np.isnan(events.energy_kev)))
        return events
