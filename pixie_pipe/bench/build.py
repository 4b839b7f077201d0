"""Building coincidences, one core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pixie_pipe.bench.chain import BenchError
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import MILLION, memcpy, one_core, timed
from pixie_pipe.coincidences import define_coincidences
from pixie_pipe.events import Events
from pixie_pipe.kernels._groups import GroupFinder
from pixie_pipe.kernels.coincidences import CoincidenceBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pixie_pipe.bench.settings import Settings
    from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition

_EVENTS: Final = 4_000_000
_BATCH: Final = 100_000
_WINDOW_NS: Final = 500.0

# At 1 M events/s, two of five events have another one within 500 ns.
_MEAN_PS: Final = 1_000_000

_MODULES: Final = 4
_CHANNELS: Final = 16

_CASES: Final[Mapping[str, dict[str, Any]]] = {
    "gap": {},
    "first": {"mode": "first"},
    "trigger": {"mode": "trigger", "trigger": ["0/2/0", "0/2/1"], "before_ns": 500},
    "gap, required and veto": {"required": ["0/2", "0/3"], "veto": ["0/4/0"]},
    "gap, channels counted": {"count": "channels"},
    "gap, delays": {"delays_ns": {"0/2": 20, "0/3": -10}},
}


def measure(settings: Settings) -> Section:
    """Measure each way to build coincidences."""
    events = _sorted_events(settings.events(_EVENTS))
    batches = [events[k : k + _BATCH] for k in range(0, len(events), _BATCH)]
    rows = {}
    with one_core():
        for name, how in _CASES.items():
            definition = define_coincidences(window_ns=_WINDOW_NS, **how)
            rows[name] = _compare(batches, definition, settings.rounds)
        rows["gap, numpy"] = _numpy(batches, settings.rounds)
    return Section(
        "Building coincidences",
        f"Sorted header-only events of {_MODULES * _CHANNELS} channels, 10^6 in a "
        f"second, in batches of {_BATCH}; the window is {_WINDOW_NS:g} ns. Kernel: "
        "which events belong together, by their times and channels. Batches: events "
        "through a `CoincidenceBuilder`, which numbers all. memcpy copies the times, "
        "or all columns. numpy: the kernel of the mode gap with diff and flatnonzero.",
        (Table("coincidences", rows),),
    )


def _sorted_events(count: int) -> Events:
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.exponential(_MEAN_PS, count)).astype(np.int64)
    flags = np.zeros(count, np.bool_)
    return Events(
        {
            "crate": np.zeros(count, np.uint8),
            "slot": rng.integers(2, 2 + _MODULES, count, np.uint8),
            "channel": rng.integers(0, _CHANNELS, count, np.uint8),
            "energy": rng.integers(0, 1 << 15, count, np.uint16),
            "timestamp": (times // 10_000).astype(np.uint64),
            "time_ps": times,
            "cfd_fraction": np.zeros(count, np.uint16),
            "cfd_source": np.zeros(count, np.uint8),
            "cfd_forced": flags,
            "pileup": flags,
            "out_of_range": flags,
        }
    )


def _compare(
    batches: list[Events], definition: CoincidenceDefinition, rounds: int
) -> dict[str, Figure]:
    count = sum(map(len, batches))
    finder = GroupFinder(definition)
    labelled = [(batch.time_ps, finder.labels(batch).copy()) for batch in batches]

    def kernel() -> None:
        for times, labels in labelled:
            finder.find(times, labels, is_all=True)

    def build() -> int:
        builder = CoincidenceBuilder(definition)
        passed = sum(len(part) for batch in batches for part in builder.add(batch))
        return passed + sum(map(len, builder.finish()))

    if build() != count:
        raise BenchError(f"{definition.mode}: not all events came back")
    kernel()
    copies = _copies(batches)
    found: dict[str, list[float]] = {"kernel": [], "build": [], "times": [], "all": []}
    for _ in range(rounds):
        found["times"].append(timed(copies[0]))
        found["kernel"].append(timed(kernel))
        found["all"].append(timed(copies[1]))
        found["build"].append(timed(build))
    return {
        "kernel, M events/s": _rates(count, found["kernel"]),
        "ratio to memcpy of times": ratio(found["times"], found["kernel"]),
        "batches, M events/s": _rates(count, found["build"]),
        "ratio to memcpy of all": ratio(found["all"], found["build"]),
    }


def _numpy(batches: list[Events], rounds: int) -> dict[str, Figure]:
    window = round(_WINDOW_NS * 1000)
    copies = _copies(batches)
    theirs, copied = [], []
    for _ in range(rounds):
        copied.append(timed(copies[0]))
        theirs.append(timed(lambda: [_by_gap(b.time_ps, window) for b in batches]))
    return {
        "kernel, M events/s": _rates(sum(map(len, batches)), theirs),
        "ratio to memcpy of times": ratio(copied, theirs),
    }


def _by_gap(
    times: NDArray[np.int64], window: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first event and multiplicity of each group of two events or more."""
    starts = np.flatnonzero(np.diff(times, prepend=times[0] - window - 1) > window)
    counts = np.diff(starts, append=times.size)
    are_pairs = counts > 1
    return starts[are_pairs], counts[are_pairs]


def _copies(
    batches: list[Events],
) -> tuple[Callable[[], None], Callable[[], None]]:
    times = sum(batch.time_ps.nbytes for batch in batches)
    return memcpy(times), memcpy(sum(batch.nbytes for batch in batches))


def _rates(count: int, seconds: list[float]) -> Figure:
    return figure([count / one / MILLION for one in seconds])
