"""pypixie16, the package that users have today, and dspeed for traces."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NAME = "pixie16"


class PeerError(PixiePipeError, RuntimeError):
    """A package to compare with is not there, or failed."""


def require_peer() -> None:
    """Raise an error if pypixie16 is not installed.

    Raises
    ------
    PeerError
        If it is not.
    """
    if importlib.util.find_spec(_NAME) is None:
        raise PeerError(
            "pypixie16 is not installed: pip install pypixie16, or leave out --peers"
        )


def peer_pipeline(raw: Path) -> float:
    """Run pypixie16's own pipeline on a raw file: reading, sorting, gathering.

    Parameters
    ----------
    raw
        A file of events of one module.

    Returns
    -------
    float
        Seconds from the start to the end of its processes.

    Raises
    ------
    PeerError
        If it is not installed.
    """
    pipeline, tasks = _load("pipeline"), _load("tasks")
    line: Any = pipeline.Pipeline(
        [
            tasks.LoadFiles([raw]),
            tasks.SortEvents(start_time=0.0),
            tasks.GatherEvents(),
        ],
        verbose=False,
    )
    start = time.perf_counter()
    line.start()
    line.wait()
    seconds = time.perf_counter() - start
    line.close()
    return seconds


def peer_reader(raw: Path) -> Callable[[], object]:
    """Return work that reads a raw file with pypixie16, as a list of events.

    Raises
    ------
    PeerError
        If it is not installed.
    """
    reader = _load("read.list_mode.list_mode_data_reader")
    return lambda: reader.read_list_mode_data_as_events([raw])


def _load(name: str) -> ModuleType:
    """Import a module of pypixie16 without its package, which needs Qt and libGL."""
    if _NAME not in sys.modules:
        require_peer()
        found = importlib.util.find_spec(_NAME)
        assert found is not None
        package = ModuleType(_NAME)
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules[_NAME] = package
    return importlib.import_module(f"{_NAME}.{name}")


def peer_trace_energies(
    samples: NDArray[np.uint16], *, quiet: int, rise: int, flat: int, tau_ns: float
) -> Callable[[], NDArray[np.float32]]:
    """Return work that computes baselines and energies of traces with dspeed.

    It is what LEGEND's chains do: baseline, pole-zero correction, trapezoidal filter,
    and its value at a fixed sample.

    Parameters
    ----------
    samples
        Traces of 500 MSPS, shape (traces, samples).
    quiet, rise, flat
        Lengths of the baseline and of the filter in samples.
    tau_ns
        Decay time in ns.

    Raises
    ------
    PeerError
        If dspeed is not installed.
    """
    for name in ("dspeed", "lgdo"):
        if importlib.util.find_spec(name) is None:
            raise PeerError(
                f"{name} is not installed: pip install dspeed legend-pydataobj, or "
                f"leave out --peers"
            )
    dspeed, lgdo = importlib.import_module("dspeed"), importlib.import_module("lgdo")
    table = lgdo.Table(
        {
            "waveform": lgdo.WaveformTable(
                t0=0, t0_units="ns", dt=2, dt_units="ns", values=samples
            )
        },
        size=len(samples),
    )

    def step(name: str, *args: object, unit: object = "ADC") -> dict[str, object]:
        module = "dspeed.processors"
        return {"function": name, "module": module, "args": [*args], "unit": unit}

    fit = ("bl", "bl_std", "bl_slope", "bl_intercept")
    recipe = {
        "outputs": ["bl", "energy"],
        "processors": {
            ", ".join(fit): step(
                "linear_slope_fit", f"waveform[0:{quiet}]", *fit, unit=["ADC"] * 4
            ),
            "above": step("bl_subtract", "waveform", "bl", "above"),
            "steps": step("pole_zero", "above", f"{tau_ns}*ns", "steps"),
            "trap": step("trap_norm", "steps", rise, flat, "trap"),
            "energy": step(
                "fixed_time_pickoff", "trap", quiet + rise + flat // 2, "'i'", "energy"
            ),
        },
    }
    built = dspeed.build_processing_chain(recipe, tb_in=table)
    chain, out = built[0], built[-1]
    out.resize(len(samples))

    def work() -> NDArray[np.float32]:
        chain.execute()
        found: NDArray[np.float32] = out["energy"].nda
        return found

    return work
