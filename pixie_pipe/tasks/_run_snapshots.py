"""Settings and statistics of modules at both ends of a run, kept with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.drivers.digitizer import DriverError, SettingsFiles
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.scanning.run_statistics import statistics_table
from pixie_pipe.settings import Differences, compare, read_json
from pixie_pipe.storage.snapshots import write_snapshot

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer, ModuleInfo

_OF_RUNS: Final = re.compile(
    r"IN_SYNCH|SYNCH_WAIT|ChassisMaster|RunTask|ControlTask|Resume|HostIO\[\d+\]"
)
"""What starting a run changes. By the first three a driver lets modules start at once;
a module sets IN_SYNCH itself when it has started. The others are what XIA's library
tells the DSP to do now."""

_MOST_LINES: Final = 5
"""Differences that are named in the record; all are in the two files."""


class RunSnapshots:
    """The files of one run; nothing is kept if it has no directory.

    Parameters
    ----------
    directory
        That of the run; "" if it has none.
    task
        Name of the task.
    tell
        Called with texts for people.
    """

    def __init__(
        self, directory: str, task: str, *, tell: Callable[[str], None]
    ) -> None:
        self._directory = Path(directory) if directory else None
        self._task = task
        self._tell = tell
        self._start = self._stop = Path()

    def _free(self, directory: Path, name: str) -> str:
        """Return a name that no other task of the run has taken for its crate."""
        taken = (directory / f"{name}.json").exists()
        return f"{name}-{self._task}" if taken else name

    def save_settings_at_start(self, digitizer: Digitizer) -> None:
        """Save the settings with which the run begins, if the driver can.

        Raises
        ------
        PixiePipeError
            If they cannot be saved: then the run should not begin.
        """
        if self._directory is not None and isinstance(digitizer, SettingsFiles):
            name = self._free(self._directory, "settings-start")
            self._start = self._directory / f"{name}.json"
            self._stop = self._directory / f"{name.replace('start', 'stop', 1)}.json"
            digitizer.save_settings(self._start)

    def save_statistics_at_start(
        self,
        modules: Sequence[ModuleInfo],
        told: Mapping[str, Any],
        started_ns: int,
    ) -> None:
        """Save what the modules tell of themselves when they have just started.

        Parameters
        ----------
        modules
            The modules: how their data are laid out is saved, too.
        told
            What they tell, by their names.
        started_ns
            Host's clock when they were started, in ns since the epoch.
        """
        if self._directory is None:
            return
        name = self._free(self._directory, "statistics-start")
        try:
            # As in the statistics of all tasks at the stop.
            layouts = [
                {
                    "crate": module.crate,
                    "slot": module.slot,
                    "layout": module.layout.to_dict(),
                }
                for module in modules
            ]
            own = {"modules": told, "started_ns": started_ns, "layouts": layouts}
            values = {self._task: {"own": own}}
            write_snapshot(self._directory, name, values)
        except PixiePipeError as error:
            self._tell(f"the statistics at the start were not kept: {error}")

    def save_settings_at_stop(self, digitizer: Digitizer) -> list[str]:
        """Save the settings with which a run has ended, and compare them.

        The run is over, and its data are more than its settings: whatever goes wrong is
        told, and nothing is raised.

        Returns
        -------
        list of str
            What is to be noted of the run.
        """
        if self._directory is None or not isinstance(digitizer, SettingsFiles):
            return []
        what = "kept"
        try:
            digitizer.save_settings(self._stop)
            what = "compared with those at the start"
            found = Differences(
                difference
                for difference in compare(read_json(self._start), read_json(self._stop))
                if not _OF_RUNS.fullmatch(difference.name)
            )
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            kind = type(error).__name__
            self._tell(f"the settings at the end were not {what}: {kind}: {error}")
            return []
        if not found:
            return []
        self._tell(f"the settings have changed during the run:\n{found}")
        return [f"the settings have changed during the run: {_in_short(found)}"]


def _in_short(found: Differences) -> str:
    lines = found.lines()
    texts = []
    for line in lines[:_MOST_LINES]:
        unit = "" if line.unit in {"", "raw"} else f" {line.unit}"
        channels = f" of channels {line.channels}" if line.channels else ""
        texts.append(
            f"c{line.crate}-s{line.slot:02d} {line.name}{channels}: "
            f"{line.first or '-'}{unit}, then {line.second or '-'}{unit}"
        )
    if len(lines) > _MOST_LINES:
        texts.append(f"and {len(lines) - _MOST_LINES} more")
    return "; ".join(texts)


class StatisticsTables:
    """Makes the tables of a run's record from what drivers tell.

    Parameters
    ----------
    modules
        The modules.
    tell
        Called with texts for people.
    """

    def __init__(
        self, modules: Sequence[ModuleInfo], *, tell: Callable[[str], None]
    ) -> None:
        self._modules = tuple(modules)
        self._tell = tell
        self._has_told = False

    def of(self, told: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return a table for each module, without those that make no sense."""
        tables = []
        for module in self._modules:
            try:
                tables.append(
                    statistics_table(module.name, told[module.name], module.channels)
                )
            except DriverError as error:
                if not self._has_told:
                    self._has_told = True
                    self._tell(f"{module.name}: no statistics are kept: {error}")
        return tables
