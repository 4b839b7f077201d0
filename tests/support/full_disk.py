"""Runs on a small disk that is read-only, then full, then has room again.

    python full_disk.py DISK RESULTS FILE...

DISK is the place of a mount that belongs to this process. The messages go to
``RESULTS/told.json``, and the runs beside it: nobody else sees the disk.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pixie_pipe.pipeline import Pipeline

DISK_MB = 6
ROOM_MB = 2
"""Room for the runs that fail; the whole disk is enough for the last one."""


class Listening(Pipeline):
    """Keeps what is told."""

    def __init__(self, **options: Any) -> None:
        self.errors: list[str] = []
        super().__init__(**options)

    def handle_print(self, name: str, string: str) -> None: ...

    def handle_error(self, name: str, err: Exception) -> None:
        self.errors.append(str(err).splitlines()[0])


def attempt(pipeline: Listening) -> dict[str, Any]:
    """Take a run, and return what was told of it."""
    pipeline.errors.clear()
    raised = ""
    try:
        pipeline.start()
        pipeline.wait(60, quiet=True)
    except Exception as error:  # noqa: BLE001 - that is what is asked for
        raised = str(error)
    state = pipeline.state.name
    pipeline.stop()
    return {"raised": raised, "errors": list(pipeline.errors), "state": state}


def fill(disk: Path) -> Path:
    """Leave a little room; return the file that has the rest."""
    file = disk / "somebody-elses-data"
    file.write_bytes(bytes((DISK_MB - ROOM_MB) << 20))
    return file


def remount(disk: Path, how: str) -> None:
    """Let the disk be read-only or not."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def main(disk: Path, results: Path, files: list[str]) -> None:
    """Take the runs."""
    runs, elsewhere = disk / "runs", results / "elsewhere"
    told: dict[str, dict[str, Any]] = {}
    with Listening(runs=runs, keep_free_mb=0) as pipeline:
        options = {"files": files, "frequency": 500, "revision": 34688, "speed": 0}
        pipeline.create_task("TakeData", options=options)
        pipeline.create_task("GatherData")
        pipeline.create_task("ConvertToEvents")
        pipeline.create_task("WriteEvents", path=str(elsewhere / "{run}.h5"))
        elsewhere.mkdir()
        remount(disk, "ro")
        told["read-only"] = attempt(pipeline)
        remount(disk, "rw")
        others = fill(disk)
        told["raw"] = attempt(pipeline)
        shutil.copytree(runs, results / "runs")
        shutil.rmtree(runs / "0001")
        raw = str(elsewhere / "raw-{run}")
        pipeline.configure({"GatherData": {"directory": raw}})
        pipeline.configure(
            {"WriteEvents": {"path": "events.h5", "compression": "none"}}
        )
        told["events"] = attempt(pipeline)
        shutil.copytree(runs / "0002", results / "runs" / "0002")
        others.unlink()
        pipeline.configure({"WriteEvents": {"compression": None}})
        told["room"] = attempt(pipeline)
        shutil.copytree(runs / "0003", results / "runs" / "0003")
    (results / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
