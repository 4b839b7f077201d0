"""Take data from modules, through a driver."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline.data import Kind, Stream
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.preparing import Preparation
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer
    from pixie_pipe.tasks._collected_words import CollectedWords
    from pixie_pipe.tasks._outgoing_streams import OutgoingStreams
    from pixie_pipe.tasks._run_snapshots import RunSnapshots, StatisticsTables

_KIB: Final = 1024
_WORD_BYTES: Final = 4

_STATISTICS_S: Final = 1.0
_DRAIN_S: Final = 10.0
"""Longest time in which modules that were told to stop may still be running, or those
that were told to pause may still have words."""


class TakeDataError(PixiePipeError, RuntimeError):
    """A driver cannot be used as it was asked for."""


_Work = TypeVar("_Work", bound=Callable[..., None])


def _rescues(work: _Work) -> _Work:
    """Let a method rescue the words there are before the run fails in it."""

    @functools.wraps(work)
    def rescuing(self: TakeData, *arguments: object) -> None:
        try:
            work(self, *arguments)
        except Exception:
            self.rescue()
            raise

    return cast("_Work", rescuing)


class TakeData(Task):
    """Takes data from modules, each a stream.

    The driver's session lasts from the first start to the end of the process, or until
    the driver or its options are changed. All modules are read in turn. When the run is
    stopped they are, and then read until they are empty.

    The statistics are ``modules``: what the driver tells about each of them, by name;
    and ``run_statistics``: what its channels counted, for the record of the run.
    Words that the driver counts as ``words_dropped`` are in the ledger as
    ``words_lost``, and the run is not complete then; a print tells of the first of them
    at once.

    If a module fails, the run does. What was read until then is recorded all the same,
    and so is what the other modules hold.

    Settings and statistics of both ends are kept with the run. If the settings at its
    end are others, a print and the notes of the run tell what has changed.
    """

    label = "Takes data from modules, through a driver"
    category = Category.SOURCE
    live = True
    reads = ()
    writes = (port(Kind.WORDS), port(Kind.MARKS))
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "driver": Parameter("recorded", "Name of the driver"),
        "options": Parameter({}, "Options of the driver"),
        "settings": Parameter(
            None,
            "Settings file (XIA's JSON) that is loaded before each run",
            type=str,
        ),
        "setup": Parameter(
            [],
            "Settings that are applied before each run: values by XIA's names, with "
            "`modules` and `channels` that say where",
            items=dict,
        ),
        "driver_path": Parameter(
            [], "Directories with files of other drivers", items=str
        ),
        "runtime_s": Parameter(
            None, "End the run after this time", type=float, unit="s", min=0
        ),
        "frame_kb": Parameter(
            2048, "Most that is sent at once", unit="KiB", min=1, max=65536
        ),
        "poll_ms": Parameter(
            10.0, "Pause when no module has words", unit="ms", min=0.1, max=1000
        ),
        "latency_s": Parameter(
            0.1,
            "Longest time for which words wait to be sent",
            unit="s",
            min=0,
            max=10,
        ),
    }

    @classmethod
    def preparations(cls, parameters: Mapping[str, Any]) -> Sequence[Preparation]:
        """Have the simulation compiled, if it is asked for."""
        from pixie_pipe.tasks import warm_up_simulation

        if parameters["driver"] != "simulated":
            return ()
        told = (
            "what simulates modules is compiled first, once for each installation; if "
            "that is a new one, all other kernels, too, which takes a minute"
        )
        return (Preparation("simulation", warm_up_simulation, told),)

    _digitizer: Digitizer | None = None
    _streams: OutgoingStreams
    _collected: list[CollectedWords]
    _snapshots: RunSnapshots
    _tables: StatisticsTables

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """End the session if another one is asked for."""
        if config.keys() & {"driver", "options", "driver_path"}:
            self._close_session()

    def do_start(self) -> None:
        """Open the session, if none is, and look which modules there are."""
        from pixie_pipe.buffers import BufferPool
        from pixie_pipe.tasks._collected_words import CollectedWords
        from pixie_pipe.tasks._outgoing_streams import OutgoingStreams
        from pixie_pipe.tasks._run_snapshots import RunSnapshots, StatisticsTables

        digitizer = self._digitizer or self._open_session()
        self._set_up(digitizer)
        self._snapshots = RunSnapshots(self.run_directory, self.name, tell=self.print)
        self._snapshots.save_settings_at_start(digitizer)
        modules = list(digitizer.modules)
        self._tables = StatisticsTables(modules, tell=self.print)
        self._streams = OutgoingStreams(
            self,
            [
                Stream(
                    source=self.name,
                    number=number,
                    name=module.name,
                    layout=module.layout.to_dict(),
                    modules=((module.crate, module.slot),),
                )
                for number, module in enumerate(modules)
            ],
        )
        pool = BufferPool()
        words = self.config.frame_kb * _KIB // _WORD_BYTES
        self._collected = [
            CollectedWords(words, self.config.latency_s, pool) for _ in modules
        ]
        self._names = [module.name for module in modules]
        self._begun = 0.0
        self._paused_at = 0.0
        self._next_statistics = 0.0
        self.statistics |= {"modules": {}, "run_statistics": []}
        self._losing: set[str] = set()

    @_rescues
    def do_work(self, datum: object) -> None:  # noqa: ARG002 - a source gets None
        """Read each module once."""
        digitizer = self._session
        if not self._begun:
            # The modules start when all tasks are ready.
            self._streams.announce()
            digitizer.start_run()
            # Starting may take long, and is no part of the run time.
            self._begun = time.monotonic()
            started_ns = time.time_ns()
            self.statistics["started_ns"] = started_ns
            self._streams.tell_start(started_ns)
            self._snapshots.save_statistics_at_start(
                digitizer.modules, self._told_by(digitizer), started_ns
            )
        was_running = digitizer.is_running
        came = self._read_all(digitizer)
        self._note_statistics(digitizer)
        runtime: float | None = self.config.runtime_s
        if runtime is not None and time.monotonic() - self._begun >= runtime:
            self.finish()
        elif not came:
            if not was_running:
                self.finish()
            else:
                self.pause(self.config.poll_ms * 1e-3)

    @_rescues
    def do_pause(self) -> None:
        """Let the modules pause, and send what they hold.

        A driver that knows no pauses is not read meanwhile.
        """
        from pixie_pipe.drivers.digitizer import Pausing

        self._paused_at = time.monotonic()
        if not self._begun:
            return
        digitizer = self._session
        if isinstance(digitizer, Pausing):
            digitizer.pause_run()
            until = self._paused_at + _DRAIN_S
            while self._read_all(digitizer) and time.monotonic() < until:
                self.poll()
        else:
            self.print(
                f"the driver {self.config.driver} cannot pause its modules: they go "
                f"on, and what they have no room for meanwhile is lost in them"
            )
        for number in range(len(self._collected)):
            self._send(number)
        self._note_statistics(digitizer, now=True)

    def do_resume(self) -> None:
        """Let the modules go on."""
        from pixie_pipe.drivers.digitizer import Pausing

        if not self._begun:
            return
        # The run time stood still.
        self._begun += time.monotonic() - self._paused_at
        digitizer = self._session
        if isinstance(digitizer, Pausing):
            digitizer.resume_run()

    @_rescues
    def do_stop(self) -> None:
        """Stop the modules, read what they still hold, and end the streams."""
        if self.status is Status.PANICKING:
            # What failed is opened anew for the next run.
            self._close_session()
            return
        digitizer = self._session
        if self._begun:
            digitizer.stop_run()
            self._drain(digitizer)
        for number in range(len(self._collected)):
            self._send(number)
            self._streams.end(number)
        self._note_statistics(digitizer, now=True)
        # Of a run that ends badly, what it has is to be closed soon.
        if self._begun and not self._reasons:
            notes = self._snapshots.save_settings_at_stop(digitizer)
            self.statistics["notes"] = notes

    def do_quit(self) -> None:
        """End the session."""
        self._close_session()

    def rescue(self) -> None:
        """Send what was read, and what modules still give, and close the session.

        Called when the driver has failed: some modules may not answer any more.
        """
        digitizer = self._digitizer
        if digitizer is None:
            return
        with contextlib.suppress(Exception):
            digitizer.stop_run()
        until = time.monotonic() + _DRAIN_S
        for number, collected in enumerate(self._collected):
            with contextlib.suppress(Exception):
                while time.monotonic() < until and self._read(digitizer, number):
                    if not collected.room:
                        self._send(number)
            self._send(number)
            self._streams.end(number)
        with contextlib.suppress(Exception):
            self._note_statistics(digitizer, now=True)
        with contextlib.suppress(Exception):
            self._close_session()
        # Words that are under way when the run fails are given up.
        self.settle(max(until - time.monotonic(), 0.0))

    @property
    def _session(self) -> Digitizer:
        assert self._digitizer is not None, "do_start opens a session"
        return self._digitizer

    def _open_session(self) -> Digitizer:
        from pixie_pipe.drivers import add_search_path, find_driver

        config = self.config
        add_search_path(config.driver_path)
        kind = find_driver(config.driver)
        try:
            digitizer = kind(**config.options)
        except TypeError as error:
            given = ", ".join(config.options) or "none"
            raise TakeDataError(
                f"the driver {config.driver} cannot be made with the options {given}: "
                f"{error}; see the parameters of {kind.__name__}"
            ) from error
        digitizer.open()
        self._digitizer = digitizer
        return digitizer

    def _set_up(self, digitizer: Digitizer) -> None:
        """Give the modules their settings."""
        config = self.config
        if config.settings:
            from pixie_pipe.scanning.targets import settings_files_of

            settings_files_of(digitizer, "load settings").load_settings(config.settings)
        if config.setup:
            from pixie_pipe.crate import set_up

            for changes in set_up(digitizer, config.setup):
                if not changes.is_as_asked:
                    self.print(f"not all settings are as asked for:\n{changes}")

    def _close_session(self) -> None:
        digitizer, self._digitizer = self._digitizer, None
        if digitizer is not None:
            digitizer.close()

    def _read_all(self, digitizer: Digitizer) -> bool:
        """Read each module once; tell whether there was anything."""
        came = False
        for number, collected in enumerate(self._collected):
            came |= self._read(digitizer, number)
            if collected.is_due(time.monotonic()):
                self._send(number)
        return came

    def _read(self, digitizer: Digitizer, number: int) -> bool:
        """Read a module once; tell whether there was anything."""
        collected = self._collected[number]
        words = digitizer.read(number, collected.room)
        if words.size:
            collected.add(words, time.monotonic(), time.time_ns())
        return bool(words.size)

    def _drain(self, digitizer: Digitizer) -> None:
        until = time.monotonic() + _DRAIN_S
        while True:
            is_running = digitizer.is_running
            if self._read_all(digitizer):
                continue
            if not is_running:
                return
            if time.monotonic() > until:
                self.give_up(
                    f"the modules were still running {_DRAIN_S:g} s after they were "
                    f"told to stop"
                )
                return
            self.poll(self.config.poll_ms * 1e-3)

    def _send(self, number: int) -> None:
        words, time_ns = self._collected[number].take()
        self._streams.send(number, words, time_ns=time_ns)

    def _note_statistics(self, digitizer: Digitizer, *, now: bool = False) -> None:
        if now or time.monotonic() >= self._next_statistics:
            self._next_statistics = time.monotonic() + _STATISTICS_S
            told = self._told_by(digitizer)
            self.statistics["modules"] = told
            self.statistics["run_statistics"] = self._tables.of(told)
            self._note_losses(told)

    def _told_by(self, digitizer: Digitizer) -> dict[str, dict[str, Any]]:
        """Return what the driver tells of each module, by its name."""
        return {
            name: dict(digitizer.statistics(number))
            for number, name in enumerate(self._names)
        }

    def _note_losses(self, told: Mapping[str, Mapping[str, Any]]) -> None:
        lost = {
            name: int(values["words_dropped"])
            for name, values in told.items()
            if "words_dropped" in values
        }
        if not lost:
            return
        self.ledger["words_lost"] = sum(lost.values())
        for name, words in lost.items():
            if words and name not in self._losing:
                self._losing.add(name)
                self.print(
                    f"{name} has lost {words} words so far: it was full and not read "
                    f"in time; the rates are too high, or something is too slow"
                )
