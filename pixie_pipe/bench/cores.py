"""How much the cores have to share."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.bench.data import header_events
from pixie_pipe.bench.figures import Section, Table, figure, ratio
from pixie_pipe.bench.machine import cores
from pixie_pipe.bench.measuring import memcpy, timed
from pixie_pipe.kernels.bitshuffle import compress, most_compressed_bytes

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_EVENTS: Final = 100_000
_REPEATS: Final = 100
_CACHED_BYTES: Final = 1 << 18
_LARGE_BYTES: Final = 64 << 20
_START_SECONDS: Final = 0.3
_BUSY: Final = "while True: pass"


def measure(settings: Settings) -> Section:
    """Time kernels alone, and while all other cores are busy."""
    work = _work(settings)
    rows = {}
    for name, one in work.items():
        one()
        alone, beside = [], []
        for _ in range(settings.rounds):
            alone.append(timed(one))
            others = [
                subprocess.Popen([sys.executable, "-c", _BUSY])  # noqa: S603 - this interpreter, and an empty loop
                for _ in cores()[1:]
            ]
            try:
                time.sleep(_START_SECONDS)
                beside.append(timed(one))
            finally:
                for other in others:
                    other.kill()
                    other.wait()
        rows[name] = {
            "alone, ms": figure([seconds * 1e3 for seconds in alone]),
            "with busy neighbours, times as long": ratio(beside, alone),
        }
    return Section(
        "The cores of this machine",
        "One process works, while nothing or an empty loop of Python runs on each of "
        "the other cores. Where that makes a difference, cores are two threads of one. "
        "The spread is that of the machine: no other figure can be more exact.",
        (Table("work", rows),),
    )


def _work(settings: Settings) -> dict[str, Callable[[], object]]:
    times = header_events(settings.events(_EVENTS)).time_ps
    target = np.zeros(most_compressed_bytes(times.nbytes), np.uint8)
    cached, large = memcpy(_CACHED_BYTES), memcpy(_LARGE_BYTES)

    def repeated(one: Callable[[], object], count: int) -> Callable[[], object]:
        return lambda: [one() for _ in range(count)]

    return {
        "compressing times": repeated(lambda: compress(times, target), _REPEATS),
        "copying 256 KiB, cached": repeated(cached, 50 * _REPEATS),
        "copying 64 MiB": repeated(large, _REPEATS // 5),
        "adding in Python": lambda: sum(range(5_000_000)),
    }
