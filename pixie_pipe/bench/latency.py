"""How old a single small frame is when a tap gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pixie_pipe.bench import probes  # noqa: F401 - registers the tasks
from pixie_pipe.bench.chain import run_chain
from pixie_pipe.bench.figures import Section, Table, figure

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_FRAMES: Final = 2000
_PERIOD_S: Final = 0.002


def measure(settings: Settings) -> Section:
    """Measure the age of frames that come one by one."""
    parameters = {
        "FrameSource": {
            "frame_bytes": 256,
            "frames": settings.events(_FRAMES),
            "period_s": _PERIOD_S,
        }
    }
    runs = [
        run_chain(("FrameSource", "FrameTap"), parameters, None).statistics["FrameTap"]
        for _ in range(settings.rounds)
    ]
    row = {
        f"p{percent}, ms": figure([run[f"age_p{percent}_ms"] for run in runs])
        for percent in (50, 99)
    }
    return Section(
        "Latency",
        "From sending a frame of 256 bytes to the beginning of `do_work` of a tap, one "
        "frame every 2 ms, nothing else running.",
        (Table("frame", {"256 bytes": row}),),
    )
