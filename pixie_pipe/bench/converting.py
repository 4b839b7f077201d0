"""`pixie_pipe.convert`: one file to HDF5, one process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.bench.data import LAYOUT, read_through, write_headers
from pixie_pipe.bench.figures import Section, Table, figure
from pixie_pipe.bench.measuring import MILLION, peak_bytes, run_python
from pixie_pipe.storage import Stream, convert

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_SIZES: Final = (10_000_000, 100_000_000)
_ONCE: Final = (
    "import sys; from pixie_pipe.bench.converting import once; once(*sys.argv[1:])"
)


def measure(settings: Settings) -> Section:
    """Measure conversions, each in a new process for the peak of its memory."""
    small = settings.directory / "small.bin"
    raw = settings.directory / "raw.bin"
    write_headers(small, 1000)
    rows = {}
    for usual in _SIZES:
        events = settings.events(usual)
        write_headers(raw, events)
        runs = [_in_new_process(small, raw) for _ in range(settings.rounds)]
        rows[f"{events / MILLION:g} M"] = {
            "M events/s": figure([events / run["seconds"] / MILLION for run in runs]),
            "peak, MB": figure([run["peak_bytes"] / MILLION for run in runs]),
            "output, bytes/event": figure(runs[0]["output_bytes"] / events),
        }
    raw.unlink()
    small.unlink()
    return Section(
        "Converting to HDF5",
        "`convert` of one raw file of header-only events in the page cache: sha256 of "
        "it, all columns with bitshuffle-LZ4, in their order in the file, fsync.",
        (Table("events", rows),),
    )


def once(small: str, raw: str) -> None:
    """Convert in this process, after a small file to load the kernels; print JSON."""
    output = Path(raw).with_name("converted.h5")
    for source in (small, raw):
        report = convert([Stream((Path(source),), LAYOUT)], output, force=True)
    found = {
        "seconds": report.seconds,
        "peak_bytes": peak_bytes(),
        "output_bytes": report.output_bytes,
    }
    output.unlink()
    sys.stdout.write(json.dumps(found))


def _in_new_process(small: Path, raw: Path) -> dict[str, Any]:
    read_through(raw)
    found: dict[str, Any] = json.loads(run_python("-c", _ONCE, str(small), str(raw)))
    return found
