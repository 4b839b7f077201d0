"""The queue of list-mode words that XIA's library keeps for a module.

Three calls must never be made: a read of no words, which copies all that are queued
over the end of the buffer; a read of more than are queued, which fails; and a read of
an empty queue, which succeeds and leaves the buffer as it was.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers._xia_errors import NOT_ENOUGH, XiaError
from pixie_pipe.drivers._xia_functions import FifoStats
from pixie_pipe.drivers.digitizer import DriverError

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_crate import Crate

_log = logging.getLogger(__name__)

FifoCounts: TypeAlias = "dict[str, int]"
"""The fields of `FifoStats`, by name."""

_DRAIN_WORDS: Final = 1 << 20
"""Most words that are read at once to empty a queue: 4 MiB."""

_UNTOUCHED: Final = np.array([0x8BADF00D, 0x5EEDFACE], np.uint32)
"""First and last word of a buffer before a read, unlikely to be read by chance."""


class ModuleFifo:
    """The words of one module that wait on the computer.

    Attributes
    ----------
    words_read
        Words that `read` returned since the run was started.
    words_discarded
        Words of an earlier run that nobody had read when this one was started.
    """

    # The library counts from the last start on, also if that resumed a run.

    def __init__(self, crate: Crate, module: int) -> None:
        self._crate = crate
        self._module = module
        self._lock = threading.Lock()
        self._kept: deque[NDArray[np.uint32]] = deque()
        self.words_read = 0
        self.words_discarded = 0
        self._has_warned = False
        self._before: FifoCounts = {}
        self._at_begin: FifoCounts = {}

    def level(self) -> int:
        """Return how many words wait."""
        return self._queued() + sum(piece.size for piece in list(self._kept))

    def read(self, most: int) -> NDArray[np.uint32]:
        """Return the next words, at most so many; none if none wait."""
        with self._lock:
            words = self._from_kept(most) if self._kept else self._take(most)
            self.words_read += words.size
        return words

    def begin(self, *, resume: bool) -> None:
        """Empty the queue before a start, which would discard what is in it.

        What belongs to the run that is resumed is kept to be read.
        """
        with self._lock:
            if resume:
                while (words := self._take(_DRAIN_WORDS)).size:
                    self._kept.append(words)
                self._at_begin = self._counted()
                return
            self._at_begin = {}
            discarded = sum(piece.size for piece in self._kept)
            self._kept.clear()
            while (words := self._take(_DRAIN_WORDS)).size:
                discarded += words.size
            self.words_read = 0
            self.words_discarded = discarded
            self._has_warned = False
            self._before = {}

    def go_on(self) -> None:
        """Note that the run was resumed: the library counts from 0 again."""
        self._before = self._in_run(self._at_begin)
        self._at_begin = {}

    def statistics(self) -> FifoCounts:
        """Return what the library counted since the run was started, by its names.

        Lost words are told in the log, once in a run: no return code tells of them.
        """
        counts = self._in_run(self._counted())
        if counts["dropped"] and not self._has_warned:
            self._has_warned = True
            _log.warning(
                "slot %d: %d words were lost: they were not read in time",
                self._crate.slots[self._module],
                counts["dropped"],
            )
        return counts

    def _counted(self) -> FifoCounts:
        """Return what the library counted since the last start."""
        stats = FifoStats()
        self._crate.call("PixieReadRunFifoStats", self._module, ctypes.byref(stats))
        names = (field[0] for field in FifoStats._fields_)
        counts = {name: int(getattr(stats, name)) for name in names}
        if any(counts[name] < noted for name, noted in self._at_begin.items()):
            # The run could not be resumed, but this module had begun to.
            self.go_on()
        return counts

    def _in_run(self, counts: FifoCounts) -> FifoCounts:
        return {
            name: count + self._before.get(name, 0) for name, count in counts.items()
        }

    def _queued(self) -> int:
        words = ctypes.c_uint32()
        self._crate.library.call(
            "Pixie16CheckExternalFIFOStatus",
            ctypes.byref(words),
            self._module,
            slot=self._crate.slots[self._module],
        )
        return words.value

    def _take(self, most: int) -> NDArray[np.uint32]:
        """Return words from the queue of the library; the caller holds the lock."""
        count = min(self._queued(), most)
        if count == 0:
            return np.zeros(0, np.uint32)
        words = np.empty(count, np.uint32)
        words[0], words[-1] = _UNTOUCHED
        try:
            self._crate.library.call(
                "Pixie16ReadDataFromExternalFIFO",
                words,
                count,
                self._module,
                slot=self._crate.slots[self._module],
                detail=f"{count} words",
            )
        except XiaError as error:
            if error.code == NOT_ENOUGH:
                error.add("nothing was lost by this call")
            raise
        if words[-1] == _UNTOUCHED[1] and (count == 1 or words[0] == _UNTOUCHED[0]):
            raise DriverError(
                f"slot {self._crate.slots[self._module]}: {count} words were queued, "
                f"but gone when they were read; something else in this process reads "
                f"this module, too"
            )
        return words

    def _from_kept(self, most: int) -> NDArray[np.uint32]:
        piece = self._kept.popleft()
        if piece.size > most:
            self._kept.appendleft(piece[most:])
            # A copy: both ends of a piece are handed out, each the caller's.
            return piece[:most].copy()
        return piece if piece.base is None else piece.copy()
