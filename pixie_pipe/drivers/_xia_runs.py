"""Starting and ending runs in all modules of a crate."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from pixie_pipe.drivers._xia_errors import XiaError
from pixie_pipe.drivers._xia_functions import LIST_MODE_RUN, NEW_RUN, RESUME_RUN
from pixie_pipe.drivers._xia_parameters import (
    RUN_LEADER,
    Parameters,
    bits_of_seconds,
)
from pixie_pipe.drivers.digitizer import DriverError

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_crate import Crate

_START_S: Final = 1.0
"""Longest time from a start until all modules run; they need milliseconds."""

_BACKPLANE_S: Final = 1.0
"""Longest time that the end of the leader's run may take to reach the others."""

_POLL_S: Final = 1e-3


class Runs:
    """Runs of all modules at once; the caller holds the lock of the crate."""

    def __init__(self, crate: Crate, *, has_backplane: bool) -> None:
        self._crate = crate
        # Simulated modules do not hear when the leader ends its run.
        self._has_backplane = has_backplane
        self._leader: int | None = None
        # What IN_SYNCH was before a run was resumed, if that has changed it.
        self._in_synch: int | None = None

    def set_synchronous(self, *, wanted: bool | None, resume: bool) -> None:
        """Let the modules start at once, each for itself, or as they are set.

        If they start at once, their clocks begin at 0 together. If a run is resumed,
        they go on in any case.
        """
        parameters = Parameters(self._crate)
        if wanted:
            parameters.write_module("SYNCH_WAIT", 1, 0)
        elif wanted is not None:
            parameters.write_module("SYNCH_WAIT", 0, 0)
        if resume:
            self._keep_clocks(parameters)
        elif wanted:
            parameters.write_module("IN_SYNCH", 0, 0)
        self._leader = None
        if parameters.read_module("SYNCH_WAIT", 0):
            self._leader = self._find_leader(parameters, make=bool(wanted))

    def start_list_mode(self, *, resume: bool) -> None:
        """Start a list-mode run, and wait until all modules are in it."""
        crate = self._crate
        mode = RESUME_RUN if resume else NEW_RUN
        with self._all_or_none():
            crate.call("Pixie16StartListModeRun", crate.count, LIST_MODE_RUN, mode)
            late = self._wait(_START_S, range(crate.count), are_running=True)
            if late:
                raise DriverError(
                    f"the run was started, but {_START_S:g} s later it did not go on "
                    f"in the modules in these slots: {', '.join(map(str, late))}; it "
                    f"was ended in all"
                )

    def start_histograms(self, seconds: float) -> None:
        """Start a run that fills histograms, and ends by itself."""
        crate = self._crate
        word = bits_of_seconds(seconds)
        Parameters(crate).write_module("HOST_RT_PRESET", word, 0)
        with self._all_or_none():
            crate.call("Pixie16StartHistogramRun", crate.count, NEW_RUN)
            # A short one may be over before it was seen.
            patience = min(_START_S, seconds)
            self._wait(patience, range(crate.count), are_running=True)

    def restore_clocks(self) -> None:
        """Let the next run begin with the clocks as settings have it.

        What was changed to resume this one would else be in settings that are saved.
        """
        before, self._in_synch = self._in_synch, None
        if before is not None:
            Parameters(self._crate).write_module("IN_SYNCH", before, 0)

    def are_running(self) -> list[bool]:
        """Tell for each module whether it takes data."""
        return [self._is_running(module) for module in range(self._crate.count)]

    def end(self) -> None:
        """End the run in all modules.

        All are told, whatever fails; the first error is raised then.
        """
        if self._leader is not None and self._has_backplane:
            # The leader ends it for all at the same time. What fails here fails below.
            others = set(range(self._crate.count)) - {self._leader}
            with contextlib.suppress(XiaError):
                self._end_module(self._leader)
                self._wait(_BACKPLANE_S, sorted(others), are_running=False)
        for ended in self._end_all():
            ended.result()

    def _end_all(self) -> list[Future[None]]:
        """Tell all modules to end; return how that went.

        The library needs a quarter of a second for each, to get out what the module
        still holds; one after the other, the last would run on for seconds.
        """
        count = self._crate.count
        with ThreadPoolExecutor(count) as pool:
            return [pool.submit(self._end_module, module) for module in range(count)]

    @contextlib.contextmanager
    def _all_or_none(self) -> Iterator[None]:
        """End the run in all modules if it cannot be started in each."""
        try:
            yield
        except DriverError:
            self._end_all()
            raise

    def _end_module(self, module: int) -> None:
        self._crate.call("Pixie16EndRun", module)

    def _is_running(self, module: int) -> bool:
        # 1, 0, or a negative code: a module that is offline does not run silently.
        return self._crate.call("Pixie16CheckRunStatus", module) == 1

    def _wait(
        self, seconds: float, modules: Sequence[int], *, are_running: bool
    ) -> list[int]:
        """Wait until modules run or do not; return the slots of those that are late."""

        def late() -> list[int]:
            return [
                self._crate.slots[module]
                for module in modules
                if self._is_running(module) != are_running
            ]

        return _poll(late, seconds)

    def _keep_clocks(self, parameters: Parameters) -> None:
        """Let a start leave the clocks as they are, whether modules wait or not."""
        before = int(parameters.read_module("IN_SYNCH", 0))
        if not before:
            self._in_synch = before
            parameters.write_module("IN_SYNCH", 1, 0)

    def _find_leader(self, parameters: Parameters, *, make: bool) -> int | None:
        """Return the module that leads synchronous runs; make the first one do so."""
        for module in range(self._crate.count):
            if int(parameters.read_module("MODULE_CSRB", module)) & RUN_LEADER:
                return module
        if not make:
            return None
        bits = int(parameters.read_module("MODULE_CSRB", 0)) | RUN_LEADER
        parameters.write_module("MODULE_CSRB", bits, 0)
        return 0


def _poll(left: Callable[[], list[int]], seconds: float) -> list[int]:
    """Ask until nothing is left, or the time is over; return what is."""
    until = time.monotonic() + seconds
    while found := left():
        if time.monotonic() >= until:
            break
        time.sleep(_POLL_S)
    return found
