"""A loop of the same kernels and writer as a pipeline has, without tasks and links.

One thread reads, decodes and sorts; another one compresses and writes. That is what a
pipeline is compared with.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.bench.data import LAYOUT
from pixie_pipe.buffers import BufferPool
from pixie_pipe.kernels.time_sorter import TimeSorter
from pixie_pipe.listmode import StreamDecoder
from pixie_pipe.storage import Hdf5Writer
from pixie_pipe.storage.raw import open_raw, read_into

if TYPE_CHECKING:
    from pixie_pipe.events import Events

_PIECE_BYTES = 4 << 20
_WINDOW_PS = 100_000_000
_MAX_HELD_BYTES = 512_000_000

# Batches that may wait for the writer.
_WAITING = 4


def run_bare(raw: Path, output: Path | None) -> int:
    """Bring a raw file into time order, and write it; return the number of events.

    Parameters
    ----------
    raw
        Events of `LAYOUT`, of one module.
    output
        HDF5 file to make, or None to write nothing.
    """
    with ExitStack() as stack:
        if output is None:
            return sum(len(batch) for batch in _sorted_batches(raw))
        writer = stack.enter_context(Hdf5Writer(output))
        waiting: queue.Queue[Events | None] = queue.Queue(_WAITING)
        failures: list[BaseException] = []

        def write() -> None:
            while (batch := waiting.get()) is not None:
                try:
                    if not failures:
                        writer.write(batch)
                except BaseException as error:  # noqa: BLE001 - raised below
                    failures.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        count = 0
        try:
            for batch in _sorted_batches(raw):
                count += len(batch)
                waiting.put(batch)
        finally:
            waiting.put(None)
            thread.join()
        if failures:
            raise failures[0]
        return count


def _sorted_batches(raw: Path) -> Iterator[Events]:
    pool = BufferPool()
    decoder = StreamDecoder(LAYOUT, pool=pool)
    sorter = TimeSorter(
        _WINDOW_PS, max_wait_ps=1 << 80, max_bytes=_MAX_HELD_BYTES, min_rows=1
    )
    with open_raw(raw) as file:
        while True:
            memory = pool.take(_PIECE_BYTES)[:_PIECE_BYTES]
            count = read_into(raw, file, memory.data)
            if not count:
                break
            decoder.feed(memory[:count])
            batch = sorter.add(decoder.take().events, stream=0)
            if batch is not None:
                yield batch
    batch = sorter.add(decoder.finish().events, stream=0)
    if batch is not None:
        yield batch
    yield sorter.finish()
