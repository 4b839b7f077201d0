"""Runs one after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pixie_pipe.pipeline._pipeline_runs import PipelineRuns
    from pixie_pipe.pipeline.balance import RunBalance

_SLICE_S: Final = 0.25


def wait_between(seconds: float) -> bool:
    """Wait between two runs.

    Returns
    -------
    bool
        Whether the series goes on: False after Ctrl-C.
    """
    until = time.monotonic() + seconds
    try:
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))
    except KeyboardInterrupt:
        return False
    return True


def ends_series(ended_by: str) -> bool:
    """Tell whether what ended a run ends its series, too.

    Its end was wanted then, or the next run would fare no better.
    """
    return ended_by in ("stop", "failure") or ended_by.startswith("disk:")


def run_series(
    pipeline: PipelineRuns, count: int, pause_s: float, *, quiet: bool
) -> list[RunBalance]:
    """Take runs one after the other; see `Pipeline.run_series`."""
    if count < 1:
        raise ValueError(f"a series of {count} runs was asked for, expected at least 1")
    if not pause_s >= 0:
        raise ValueError(f"pause_s is {pause_s}, expected a time of at least 0 s")
    balances: list[RunBalance] = []
    while True:
        pipeline.start()
        pipeline.wait(quiet=quiet)
        balances.append(pipeline.balance())
        if len(balances) == count or ends_series(pipeline.ended_by):
            return balances
        after = f" in {pause_s:g} s" if pause_s else ""
        text = f"run {len(balances)} of {count} is over, the next one begins{after}"
        pipeline.handle_print("", text)
        if not wait_between(pause_s):
            return balances
