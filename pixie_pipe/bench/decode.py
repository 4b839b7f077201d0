"""The decoder, one core, as a ratio to a memcpy of the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.bench.chain import BenchError
from pixie_pipe.bench.data import LAYOUT, SAMPLES
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import GIGA, MILLION, memcpy, one_core, timed
from pixie_pipe.buffers import BufferPool
from pixie_pipe.listmode import StreamDecoder, decode, encode
from pixie_pipe.testing.generators import random_events

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_BYTES: Final = 160_000_000
_PIECE_BYTES: Final = 4 << 20
_DIFFERENT_EVENTS: Final = 20_000

_CASES: Final[dict[str, dict[str, Any]]] = {
    "header only (4 words)": {},
    "every column (18 words)": {"header_lengths": (18,)},
    f"{SAMPLES}-sample traces": {"trace_lengths": (SAMPLES,)},
    "mixed": {"header_lengths": (4, 8, 12, 16), "trace_lengths": (0, 0, 0, 200)},
}


def measure(settings: Settings) -> Section:
    """Measure all kinds of events, in one call and in pieces."""
    rows = {}
    with one_core():
        for name, kinds in _CASES.items():
            words, events = _stream(settings.events(_BYTES), kinds)
            for how, work in (
                ("one call", _at_once(words)),
                ("4 MiB pieces", _in_pieces(words)),
            ):
                case = f"{name}, {how}"
                rows[case] = _compare(case, words, events, work, settings.rounds)
    return Section(
        "Decoding",
        "Words in memory to columns in memory that was touched before. The ratio is "
        "that of the time of a memcpy of the same words to the time of decoding them, "
        "in the same round.",
        (Table("events", rows),),
    )


def _stream(nbytes: int, kinds: dict[str, Any]) -> tuple[NDArray[np.uint32], int]:
    """Return words of about this size, and the number of events in them."""
    events = random_events(LAYOUT, _DIFFERENT_EVENTS, np.random.default_rng(1), **kinds)
    words = encode(events, LAYOUT)
    copies = max(1, nbytes // words.nbytes)
    return np.tile(words, copies), copies * len(events)


def _at_once(words: NDArray[np.uint32]) -> Callable[[], int]:
    pool = BufferPool()
    return lambda: len(decode(words, LAYOUT, pool=pool).events)


def _in_pieces(words: NDArray[np.uint32]) -> Callable[[], int]:
    pool = BufferPool()
    data = words.view(np.uint8)

    def work() -> int:
        decoder = StreamDecoder(LAYOUT, pool=pool)
        count = 0
        for start in range(0, data.nbytes, _PIECE_BYTES):
            decoder.feed(data[start : start + _PIECE_BYTES])
            count += len(decoder.take().events)
        return count + len(decoder.finish().events)

    return work


def _compare(
    case: str,
    words: NDArray[np.uint32],
    events: int,
    work: Callable[[], int],
    rounds: int,
) -> dict[str, Figure]:
    copy = memcpy(words.nbytes)
    for _ in range(2):
        if work() != events:
            raise BenchError(f"{case}: not all events were decoded")
    copies, times = [], []
    for _ in range(rounds):
        copies.append(timed(copy))
        times.append(timed(work))
    return {
        "M events/s": figure([events / seconds / MILLION for seconds in times]),
        "GB/s": figure([words.nbytes / seconds / GIGA for seconds in times]),
        "ratio to memcpy": ratio(copies, times),
    }
