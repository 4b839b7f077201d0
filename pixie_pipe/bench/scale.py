"""Whether an event costs the same in a short run and in a long one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.bench.chain import run_chain
from pixie_pipe.bench.data import FREQUENCY, REVISION, write_headers
from pixie_pipe.bench.figures import Figure, Section, Table, figure
from pixie_pipe.bench.measuring import MILLION

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_SORTED: Final = ("DummyData", "GatherData", "ConvertToEvents", "SortEvents")
_WRITTEN: Final = (*_SORTED, "WriteEvents")
_OF_FILE: Final = 4_000_000
_BEFORE: Final = 1_000_000


def measure(settings: Settings) -> Section:
    """Measure runs of more and more events, of a file that is sent again and again."""
    raw = settings.directory / "loop.bin"
    write_headers(raw, settings.events(_OF_FILE))
    rows: dict[str, dict[str, Figure]] = {}
    for name, tasks, events in _cases(settings):
        rows[name] = _cost(tasks, events, str(raw), settings)
    raw.unlink()
    return Section(
        "Scale",
        "DummyData sends a file of header-only events in a loop, as fast as possible; "
        f"{', '.join(_SORTED[1:])} follow, each a process, which have made a short run "
        "before. The CPU time is that of all processes, the peak that of the largest "
        "one.",
        (Table("events", rows),),
    )


def _cases(settings: Settings) -> Iterator[tuple[str, Sequence[str], int]]:
    powers = [6, 7, 8, 9] if settings.full else [6, 7, 8]
    for power in powers:
        yield f"10^{power}, nothing written", _SORTED, settings.events(10**power)
    most = 8 if settings.full else 7
    yield f"10^{most}, to HDF5", _WRITTEN, settings.events(10**most)


def _cost(
    tasks: Sequence[str], events: int, raw: str, settings: Settings
) -> dict[str, Figure]:
    parameters: dict[str, dict[str, Any]] = {
        "DummyData": {
            "file": raw,
            "modules": [f"0/2:{FREQUENCY}/{REVISION}"],
            "rate_hz": 0,
            "events": events,
        },
        "GatherData": {"record": "never"},
    }
    rounds = settings.rounds if events <= 10 * MILLION else 1
    before = {"DummyData": {"events": settings.events(_BEFORE)}}
    runs = [
        run_chain(tasks, parameters, settings.directory, before=before)
        for _ in range(rounds)
    ]
    return {
        "wall ns/event": figure([run.seconds / events * 1e9 for run in runs]),
        "CPU ns/event": figure([sum(run.cpu.values()) / events * 1e9 for run in runs]),
        "peak MB": figure([max(run.peaks.values()) / MILLION for run in runs]),
    }
