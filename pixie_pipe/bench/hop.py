"""What a link costs: bytes in a second, and CPU time of a frame and task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.bench import probes  # noqa: F401 - registers the tasks
from pixie_pipe.bench.chain import in_one_process, run_chain
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import GIGA, memcpy, timed

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_FRAMES: Final = 4000
_SIZES: Final = {"16 KiB": 1 << 14, "256 KiB": 1 << 18, "2 MiB": 1 << 21}


def measure(settings: Settings) -> Section:
    """Measure frames of several sizes over one link and over two."""
    rows: dict[str, dict[str, Figure]] = {}
    for name, size in _SIZES.items():
        rows[name] = _hop(size, settings.events(_FRAMES), settings.rounds)
    return Section(
        "A hop",
        "A source writes frames where they are sent from, a task passes them on "
        "untouched, a sink looks at both ends of each; three processes. CPU is that of "
        "the whole process for each frame, writing it included at the source. The "
        "ratio is that of copying a frame in one process. The last column is what "
        "passing on takes where the three tasks share a process.",
        (Table("frame", rows),),
    )


def _hop(size: int, frames: int, rounds: int) -> dict[str, Figure]:
    parameters = {"FrameSource": {"frame_bytes": size, "frames": frames}}
    copy = memcpy(size)
    copies, direct, passed, shared = [], [], [], []
    for _ in range(rounds):
        shared.append(_passing_in_one_process(parameters))
        copies.append(timed(lambda: [copy() for _ in range(frames)]))
        direct.append(run_chain(("FrameSource", "FrameSink"), parameters, None))
        passed.append(
            run_chain(("FrameSource", "FramePass", "FrameSink"), parameters, None)
        )
    seconds = [run.seconds for run in direct]
    row = {
        "GB/s": figure([size * frames / one / GIGA for one in seconds]),
        "ratio to memcpy": ratio(copies, seconds),
    }
    for column, task, runs in (
        ("source, CPU ms", "FrameSource", direct),
        ("passing on, CPU ms", "FramePass", passed),
        ("sink, CPU ms", "FrameSink", direct),
    ):
        row[column] = figure([run.cpu[task] / frames * 1e3 for run in runs])
    row["in one process, CPU ms"] = figure([one / frames * 1e3 for one in shared])
    return row


def _passing_in_one_process(parameters: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the CPU seconds by which a run is longer with a task in the middle."""
    used = []
    for tasks in (
        ("FrameSource", "FramePass", "FrameSink"),
        ("FrameSource", "FrameSink"),
    ):
        process = in_one_process(tasks)
        shared = {name: {**parameters.get(name, {}), **process[name]} for name in tasks}
        used.append(sum(run_chain(tasks, shared, None).cpu.values()))
    return max(0.0, used[0] - used[1])
