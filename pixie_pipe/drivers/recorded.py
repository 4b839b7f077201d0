"""A run that was recorded, played as if its modules were there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers._own_session import OwnSession
from pixie_pipe.drivers._raw_streams import find_streams
from pixie_pipe.drivers._replay import Replay
from pixie_pipe.drivers.digitizer import DriverError, ModuleInfo

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import Paths
    from pixie_pipe.storage.streams import Stream

FIFO_WORDS: Final = 131_072
"""Words that the FIFO of a Pixie-16 holds."""


class RecordedDigitizer(OwnSession):
    """Plays raw files as a live crate, by the times of their events.

    Each run plays the files from their start; it ends by itself where they end. Words
    come cut anywhere, at most as many as a FIFO holds. Bytes behind the last whole
    word of a stream cannot be read; the statistics count them.

    Parameters
    ----------
    files
        Raw files: paths and patterns. All events of one file are of one module.
    modules
        The modules, as mappings or in short form; see
        `pixie_pipe.config.parse_module`.
    frequency, revision, hardware
        Instead of `modules`: one layout for all files.
    speed
        1 plays as recorded, 2 twice as fast; 0 as fast as it is read.
    seed
        Start of the random numbers that tell where reads are cut.
    clock
        What time is measured with: returns seconds.

    Raises
    ------
    ValueError
        If `speed` is negative.
    """

    def __init__(
        self,
        files: Paths = (),
        modules: Sequence[Mapping[str, Any] | str] = (),
        *,
        frequency: int | None = None,
        revision: int | None = None,
        hardware: str | None = None,
        speed: float = 1.0,
        seed: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not speed >= 0:
            raise ValueError(
                f"speed is {speed!r}, expected 1 (as recorded), another positive "
                f"number, or 0 (as fast as possible)"
            )
        self._files = files
        self._entries = modules
        self._layout = (frequency, revision, hardware)
        self._speed = speed
        self._seed = seed
        self._clock = clock
        self._streams: list[Stream] = []
        self._modules: tuple[ModuleInfo, ...] = ()
        self._replays: list[Replay] = []
        self._is_open = False
        self._is_running = False
        self._begun = 0.0
        self._rng = np.random.default_rng(seed)

    @property
    def modules(self) -> tuple[ModuleInfo, ...]:
        """The modules in the files, once it is open."""
        return self._modules

    def open(self) -> None:
        """Find the files and the modules in them.

        Raises
        ------
        RawFileError, StreamError, ConfigError, LayoutError
            If files and modules are wrong, or do not go together.
        DriverError
            If a file has events of several modules.
        """
        if self._is_open:
            return
        frequency, revision, hardware = self._layout
        self._streams = find_streams(
            self._files,
            self._entries,
            frequency=frequency,
            revision=revision,
            hardware=hardware,
        )
        self._modules = tuple(_module_of(stream) for stream in self._streams)
        self._is_open = True

    def close(self) -> None:
        """End a run that goes on, and close the files."""
        self.stop_run()
        for replay in self._replays:
            replay.close()
        self._replays = []
        self._is_open = False

    @property
    def is_running(self) -> bool:
        """Whether a run goes on: it ends by itself when all files are read."""
        if self._is_running and all(replay.is_done for replay in self._replays):
            self._is_running = False
        return self._is_running

    def start_run(self) -> None:
        """Play the files from their start.

        Raises
        ------
        DriverError
            If the session is not open, or a run goes on.
        RawFileError
            If a file has gone.
        """
        self._refuse_if_closed()
        if self.is_running:
            raise DriverError("a run goes on: stop it before the next one is started")
        for replay in self._replays:
            replay.close()
        self._replays = [
            Replay(stream, module.layout, is_paced=self._speed > 0)
            for stream, module in zip(self._streams, self._modules, strict=True)
        ]
        firsts = [replay.first_time_ps for replay in self._replays]
        known = [first for first in firsts if first is not None]
        for replay in self._replays:
            replay.origin_ps = min(known, default=0)
        self._rng = np.random.default_rng(self._seed)
        self._begun = self._clock()
        self._is_running = True

    def stop_run(self) -> None:
        """End the run: what was due until now stays to be read."""
        if self._is_running:
            self._is_running = False
            for replay in self._replays:
                replay.stop(self._played_ps())

    def read(self, module: int, max_words: int) -> NDArray[np.uint32]:
        """Return words of a module that are due, at most as many as a FIFO holds.

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, or `max_words` is
            less than 1.
        RawFileError
            If a file cannot be read any more.
        """
        self._refuse_if_closed()
        self._refuse_unknown(module)
        if max_words < 1:
            raise DriverError(f"max_words is {max_words}, expected at least 1")
        if not self._replays:
            return np.zeros(0, np.uint32)
        most = min(max_words, FIFO_WORDS)
        replay = self._replays[module]
        if not self._is_running:
            return replay.take(most)
        replay.advance(self._played_ps(), most)
        ready = min(replay.ready_words, most)
        # Events are still being written while the FIFO is read.
        if ready > 1 and not replay.is_at_end:
            ready -= int(self._rng.integers(min(ready, 8)))
        return replay.take(ready)

    def statistics(self, module: int) -> dict[str, Any]:
        """Return words read, bytes left over at the end, and the files' part played.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        """
        self._refuse_if_closed()
        self._refuse_unknown(module)
        if not self._replays:
            return {"words_read": 0, "trailing_bytes": 0, "fraction": 0.0}
        return self._replays[module].statistics()

    def _played_ps(self) -> float:
        """Return the time of the recording, in ps since its first event."""
        return (self._clock() - self._begun) * self._speed * 1e12


def _module_of(stream: Stream) -> ModuleInfo:
    """Return the one module that has events in a stream."""
    from pixie_pipe.storage.probing import probe

    layout = stream.layout
    found = sorted(stream.modules or ())
    if len(found) != 1:
        probes = [probe(path, layout, modules=stream.modules) for path in stream.paths]
        found = sorted({module for probed in probes for module in probed.modules})
    if len(found) != 1:
        listed = ", ".join(f"{crate}/{slot}" for crate, slot in found) or "no module"
        raise DriverError(
            f"{stream.paths[0]}: has events of {listed}, expected those of one module; "
            f"files of several modules can be read with LoadFiles"
        )
    crate, slot = found[0]
    return ModuleInfo(
        crate=crate,
        slot=slot,
        frequency=layout.frequency,
        revision=layout.revision,
        hardware=layout.hardware,
        layout=layout,
    )
