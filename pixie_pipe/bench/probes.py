"""Tasks that measure links: they make, pass on and receive frames, and do no work."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, Role, port
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task

_ARRAYS = (port(Kind.ARRAYS),)


class FrameSource(Task):
    """Writes frames in memory that is shared, and sends them."""

    reads = ()
    writes = _ARRAYS
    category = Category.SOURCE
    label = "Sends frames, to measure links"
    parameters: ClassVar = {
        "frame_bytes": Parameter(2 << 20, "size of a frame", min=16),
        "frames": Parameter(1000, "number of frames", min=1),
        "period_s": Parameter(0.0, "time between two frames", unit="s", min=0),
    }

    def do_start(self) -> None:
        """Take memory, so that the first frames cost no more than others."""
        self._pool = BufferPool()
        self._sent = 0
        self._due = time.monotonic()

    def do_work(self, datum: object) -> NDArray[np.uint64] | None:  # noqa: ARG002
        """Write a frame: its number, then the time of sending."""
        period = self.config.period_s
        if period:
            self._due += period
            self.pause(self._due - time.monotonic())
        frame = self._pool.take_array(self.config.frame_bytes // 8, np.uint64)
        frame[:] = self._sent
        self._sent += 1
        if self._sent == self.config.frames:
            self.finish()
        frame[1] = time.monotonic_ns()
        return frame


class FramePass(Task):
    """Sends on what it gets."""

    reads = _ARRAYS
    writes = _ARRAYS
    category = Category.TRANSFORM
    label = "Passes frames on, to measure links"

    def do_work(self, datum: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the frame."""
        return datum


class FrameSink(Task):
    """Checks the number of each frame, and notes how old it is."""

    reads = _ARRAYS
    writes = ()
    category = Category.SINK
    role = Role.ESSENTIAL
    label = "Takes frames, to measure links"

    def do_start(self) -> None:
        """Begin to count."""
        self._ages: list[int] = []

    def do_work(self, datum: NDArray[np.uint64]) -> None:
        """Note the age of a frame."""
        self._ages.append(time.monotonic_ns() - int(datum[1]))
        if int(datum[0]) != len(self._ages) - 1 or datum[-1] != datum[0]:
            raise ValueError(f"frame {len(self._ages) - 1} is {datum[0]}..{datum[-1]}")

    def do_stop(self) -> None:
        """Tell what was measured."""
        ages: Any = np.array(self._ages, np.int64)
        self.statistics["frames"] = len(ages)
        if len(ages):
            for percent in (50, 99):
                age = float(np.percentile(ages, percent))
                self.statistics[f"age_p{percent}_ms"] = age * 1e-6


class FrameTap(FrameSink):
    """The same as a tap: others get the frames, too."""

    category = Category.MONITOR
    role = Role.OPTIONAL
    label = "Takes frames on the side, to measure links"
