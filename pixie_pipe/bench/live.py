"""Taking data at 100 MB/s: what is left of the cores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.bench.chain import BenchError, run_chain
from pixie_pipe.bench.data import FREQUENCY, REVISION
from pixie_pipe.bench.figures import Section, Table, figure
from pixie_pipe.bench.machine import cores
from pixie_pipe.bench.measuring import MILLION

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_TASKS: Final = ("DummyData", "GatherData", "ConvertToEvents", "SortEvents")
_BYTES_PER_S: Final = 100 * MILLION
_EVENT_BYTES: Final = 16
_SECONDS: Final = 20
_FULL_SECONDS: Final = 600


def measure(settings: Settings) -> Section:
    """Measure one run."""
    seconds = _FULL_SECONDS if settings.full else max(1, _SECONDS * settings.scale)
    rate = _BYTES_PER_S // _EVENT_BYTES
    parameters: dict[str, dict[str, Any]] = {
        "DummyData": {
            "modules": [f"0/2:{FREQUENCY}/{REVISION}"],
            "rate_hz": rate,
            "runtime_s": seconds,
        }
    }
    run = run_chain(_TASKS, parameters, settings.directory)
    events = run.statistics["DummyData"]["events"]
    if events < 0.99 * rate * seconds:
        raise BenchError(f"only {events} of {rate * seconds:.0f} events were sent")
    used = {name: cpu / run.seconds for name, cpu in run.cpu.items()}
    rows = {name: {"cores": figure(one)} for name, one in used.items()}
    rows["sum"] = {"cores": figure(sum(used.values()))}
    rows["left"] = {"cores": figure(len(cores()) - sum(used.values()))}
    return Section(
        "Live at 100 MB/s",
        f"DummyData makes {rate / MILLION:g} M events/s of four words for {seconds:g} "
        "s; they are recorded, decoded and sorted, and the balance closes: nothing is "
        "lost.",
        (Table("process", rows),),
    )
