"""A run, and everything in its directory, read when it is asked for."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.runs.errors import RunContentError
from pixie_pipe.runs.finding import find_run
from pixie_pipe.storage.event_table import EventTable, open_events
from pixie_pipe.storage.raw import DataWarning
from pixie_pipe.storage.reader import is_event_file

if TYPE_CHECKING:
    import os
    from typing import SupportsIndex

    from pixie_pipe.runs.raw_layouts import Modules
    from pixie_pipe.settings import CrateSettings
    from pixie_pipe.spectra import Spectra
    from pixie_pipe.storage.coincidences import CoincidenceFile
    from pixie_pipe.storage.run_directory import RunDirectory
    from pixie_pipe.storage.run_record import RunRecord, State

_USUAL_EVENTS = ("events.h5", "events-incomplete.h5")
_HISTOGRAMS = "histograms.h5"
_SETTINGS = "settings-start.json"


def open_run(
    run: SupportsIndex | str | os.PathLike[str],
    runs: str | os.PathLike[str] = "runs",
    *,
    from_raw: bool = False,
    modules: Modules | None = None,
) -> Run:
    """Open a run to look at everything of it.

    Parameters
    ----------
    run
        Number of the run; -1 is the last one. Or the path of its directory.
    runs
        The directory of runs; of no use with a path.
    from_raw
        Decode the events from the raw files, even if there is a file of events.
    modules
        For raw files, how to decode them: a `Layout` for all, or modules such as
        ``["0/2:500/34688"]``. By default as the run itself says.

    Returns
    -------
    Run
        The run. Nothing but its record has been read; the rest is when it is asked
        for. A context manager that closes what is open then.

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    RunRecordError
        If its record is damaged or of an unknown version.

    Warns
    -----
    DataWarning
        If the run is not complete, or still being taken.

    Examples
    --------
    >>> with open_run(42) as run:  # doctest: +SKIP
    ...     some = run.events.between(10, 20)["energy"]
    """
    found = find_run(run, runs)
    if found.state == "incomplete":
        reasons = "; ".join(found.reasons)
        warnings.warn(
            f"run {found.number} is incomplete: {reasons}", DataWarning, stacklevel=2
        )
    elif found.state == "running":
        warnings.warn(
            f"run {found.number} is not over: what is read now is what there is by now",
            DataWarning,
            stacklevel=2,
        )
    return Run(found, from_raw=from_raw, modules=modules)


class Run:
    """A run on the disk: its events, spectra, settings, statistics and record.

    Each is read when it is first asked for. Made by `open_run`.

    Parameters
    ----------
    directory
        Its directory.
    from_raw, modules
        As for `open_run`.
    """

    def __init__(
        self,
        directory: RunDirectory,
        *,
        from_raw: bool = False,
        modules: Modules | None = None,
    ) -> None:
        self._directory = directory
        self._from_raw = from_raw
        self._modules = modules
        self._events: EventTable | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files that are open. They are opened again when they are needed."""
        events, self._events = self._events, None
        if events is not None:
            events.close()

    @property
    def path(self) -> Path:
        """Directory of the run."""
        return self._directory.path

    @property
    def record(self) -> RunRecord:
        """All that ``run.yaml`` says."""
        return self._directory.record

    @property
    def number(self) -> int:
        """Number of the run."""
        return self._directory.number

    @property
    def title(self) -> str:
        """What the user calls it."""
        return self._directory.title

    @property
    def state(self) -> State:
        """``running``, ``complete`` or ``incomplete``."""
        return self._directory.state

    @property
    def balance(self) -> Mapping[str, Any]:
        """Where its words went."""
        return self._directory.balance

    @property
    def seconds(self) -> float | None:
        """Time from start to stop in s, pauses included; None if not known."""
        stopped = self._directory.stopped
        if stopped is None:
            return None
        return (stopped - self._directory.started).total_seconds()

    @property
    def is_from_raw(self) -> bool:
        """Whether the events are decoded from the raw files."""
        return self._from_raw or self.events_file is None

    @property
    def events(self) -> EventTable:
        """The events: of the file of events, or decoded from the raw files.

        Raises
        ------
        RunContentError
            If there is neither, or nothing tells how to decode the raw files.
        """
        if self._events is None:
            path = self.events_file
            if path is None or self._from_raw:
                self._events = self._raw_events(path)
            else:
                self._events = open_events(path)
        return self._events

    @property
    def events_file(self) -> Path | None:
        """The file of events; None if there is none."""
        for name in _USUAL_EVENTS:
            if (self.path / name).is_file():
                return self.path / name
        # WriteEvents may have been told another name; other tasks have outputs, too.
        for name in self.record.outputs:
            path = self.path / name
            if is_event_file(path) and path.is_file() and _holds_events(path):
                return path
        return None

    @cached_property
    def histograms(self) -> Spectra:
        """Histograms by name, as the task FillHistograms has left them.

        Raises
        ------
        RunContentError
            If there are none.
        SpectraError
            If the file is damaged.
        """
        from pixie_pipe.storage import read_spectra

        path = self.path / _HISTOGRAMS
        if not path.is_file():
            raise RunContentError(
                f"{path}: there is no such file; the task FillHistograms writes it"
            )
        return read_spectra(path)

    @cached_property
    def settings(self) -> CrateSettings:
        """Settings of the modules at the start of the run.

        Raises
        ------
        RunContentError
            If they were not kept.
        SettingsFileError
            If the file is damaged.
        """
        from pixie_pipe.settings import read_json

        return read_json(self._kept(_SETTINGS, "drivers that have settings write it"))

    @cached_property
    def statistics(self) -> dict[str, Any]:
        """What the tasks counted, by their names, at the end of the run.

        Raises
        ------
        RunContentError
            If the run did not come to its end.
        """
        return self.snapshot("statistics-stop")

    def snapshot(self, name: str) -> dict[str, Any]:
        """Read a JSON file beside ``run.yaml``.

        Parameters
        ----------
        name
            Its name, ``.json`` may be left out.

        Raises
        ------
        RunContentError
            If there is none, or it is damaged.
        """
        path = self._kept(f"{name.removesuffix('.json')}.json", "it was not written")
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunContentError(f"{path}: cannot be read: {error}") from error
        return values

    @property
    def log(self) -> str:
        """Text of the log files in the directory; empty if nothing was logged."""
        return "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in sorted(self.path.glob("*.log"))
        )

    @property
    def has_coincidences(self) -> bool:
        """Whether the events have numbers of coincidences."""
        if self.is_from_raw or not _is_hdf5(self.events_file):
            return False
        return "coincidence" in self.events.columns

    @cached_property
    def coincidences(self) -> CoincidenceFile:
        """Coincidences, as the task BuildCoincidences has built them.

        Raises
        ------
        RunContentError
            If there are none.
        """
        path = self.events_file
        if path is None or not self.has_coincidences:
            raise RunContentError(
                f"{self.path}: there are no coincidences; the task BuildCoincidences "
                f"before WriteEvents makes them, or build_coincidences(run.events[:], "
                f"...)"
            )
        from pixie_pipe.storage import CoincidenceFile

        return CoincidenceFile(path)

    def __repr__(self) -> str:
        from pixie_pipe.runs import display

        return display.text(self)

    def _repr_html_(self) -> str:
        from pixie_pipe.runs import display

        return display.html(self)

    def _kept(self, name: str, who: str) -> Path:
        path = self.path / name
        if not path.is_file():
            there = ", ".join(sorted(item.name for item in self.path.glob("*.json")))
            raise RunContentError(
                f"{path}: there is no such file: {who}; there are: {there or 'none'}"
            )
        return path

    def _raw_events(self, events_file: Path | None) -> EventTable:
        from pixie_pipe.runs.raw_layouts import raw_streams
        from pixie_pipe.storage.raw_reader import RawReader

        if not self._directory.files and events_file is None:
            raise RunContentError(
                f"{self.path}: has neither a file of events nor raw files"
            )
        known = None
        if events_file is not None and self._modules is None:
            try:
                with open_events(events_file) as events:
                    known = events.provenance
            except PixiePipeError as error:
                warnings.warn(str(error), DataWarning, stacklevel=3)
        streams = raw_streams(self._directory, known, self._modules)
        return EventTable(RawReader(streams, name=str(self._directory.raw)))


def _holds_events(path: Path) -> bool:
    """Tell whether a file of some format is one of events."""
    try:
        open_events(path).close()
    except PixiePipeError:
        return False
    return True


def _is_hdf5(path: Path | None) -> bool:
    return path is not None and path.suffix in {".h5", ".hdf5"}
