"""Keeps the record of each run: its directory, how it went, its balance."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline.balance import RunBalance
from pixie_pipe.pipeline.disk_watch import DiskWatch, require_room
from pixie_pipe.pipeline.messages import Error
from pixie_pipe.storage._run_repair import recorded_files
from pixie_pipe.storage.provenance import SourceFile
from pixie_pipe.storage.raw_recorder import RecordedFile
from pixie_pipe.storage.run_directory import RunDirectory, RunDirectoryError

if TYPE_CHECKING:
    from pixie_pipe.pipeline.pipeline import Pipeline
    from pixie_pipe.pipeline.run_control import Run

_BYTES_PER_MB: Final = 1e6


class RunKeeper:
    """Makes a directory for each run, and closes it.

    Parameters
    ----------
    parent
        Directory of runs, or None to keep nothing.
    keep_free_mb
        Room on its disk in MB that is to stay free.
    warn
        Called with a text when there is little room left.
    end
        Called with a run and the reason when it must end for want of room.
    """

    def __init__(
        self,
        parent: Path | None,
        keep_free_mb: float,
        *,
        warn: Callable[[str], None],
        end: Callable[[Run, str], None],
    ) -> None:
        if not 0 <= keep_free_mb < math.inf:
            raise ValueError(
                f"keep_free_mb is {keep_free_mb}, expected a number of at least 0"
            )
        self.parent = parent
        self._keep_free = keep_free_mb * _BYTES_PER_MB
        self._warn = warn
        self._end = end
        self._watch: DiskWatch | None = None
        self._lock = threading.Lock()
        self._directory: RunDirectory | None = None
        self._open: Run | None = None
        self.last_statistics: dict[str, dict[str, Any]] = {}
        self.last_balance = RunBalance()
        self.ended_by = ""

    @property
    def path(self) -> Path | None:
        """Directory of the run that goes on, or of the last one."""
        return self._directory.path if self._directory else None

    def begin(self, run: Run, pipeline: Pipeline) -> None:
        """Begin a run: give it a directory.

        Raises
        ------
        RunDirectoryError
            If the directory cannot be made.
        Error
            If there is no room for a run.
        """
        if self.parent is not None:
            require_room(self.parent.absolute(), self._keep_free)
        self._open = run
        self.ended_by = ""
        if self.parent is None:
            return
        self._directory = RunDirectory.create(
            self.parent.absolute(),
            title=pipeline.title,
            configuration=pipeline.describe(),
            modules=pipeline.modules,
        )
        run.directory = str(self._directory.path)
        self._watch = DiskWatch(
            self._directory.path,
            self._keep_free,
            warn=self._warn,
            end=functools.partial(self._end, run),
        )

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def give_up(self, run: Run, reason: str) -> None:
        """Close the directory of a run that could not begin."""
        # An interrupt has no text.
        reason = reason or "it was interrupted"
        with self._lock:
            self._end_watch()
            self._open = None
            if run.directory and self._directory is not None:
                self._directory.finish(
                    complete=False, reasons=[f"did not start: {reason}"]
                )

    def note_pauses(self, run: Run) -> None:
        """Write down when a run was paused.

        Raises
        ------
        PixiePipeError
            If the record cannot be written.
        """
        with self._lock:
            if self._open is run and run.directory and self._directory is not None:
                self._directory.update(pauses=run.pauses)

    def close(self, run: Run, pipeline: Pipeline) -> None:
        """Write down how a run went; once for each run."""
        with self._lock:
            if self._open is not run:
                return
            self._open = None
            self._end_watch()
            statistics = pipeline.statistics()
            balance = RunBalance.of(pipeline.graph, statistics, run)
            self.last_statistics = statistics
            self.last_balance = balance
            self.ended_by = run.ended_by or "sources"
            if not balance.closes:
                run.reasons += [p for p in balance.problems if p not in run.reasons]
            try:
                if run.directory and self._directory is not None:
                    self._write(self._directory, run, balance, statistics)
            except (PixiePipeError, OSError) as error:
                run.reasons.append(f"the record of the run was not written: {error}")
                pipeline.handle_error("", Error(run.reasons[-1]))
            finally:
                run.closed = True

    def _write(
        self,
        directory: RunDirectory,
        run: Run,
        balance: RunBalance,
        statistics: dict[str, dict[str, Any]],
    ) -> None:
        reasons = list(balance.problems)
        directory.use_reserve()
        try:
            directory.write_snapshot("statistics-stop", statistics)
        except RunDirectoryError as error:
            # How the run went is told all the same.
            reasons.append(str(error))
        files: list[RecordedFile] = []
        outputs: list[str] = []
        inputs: list[SourceFile] = []
        for values in statistics.values():
            own = values.get("own", {})
            files += [RecordedFile(**item) for item in own.get("files", ())]
            outputs += [
                str(item).removeprefix(f"{directory.path}/")
                for item in own.get("outputs", ())
            ]
            inputs += [
                SourceFile(Path(item["path"]), item["size"])
                for item in own.get("inputs", ())
            ]
        # What a task did not live to tell is on the disk.
        told = {file.name for file in files}
        files += [f for f in recorded_files(directory.raw) if f.name not in told]
        directory.finish(
            complete=not reasons,
            reasons=reasons,
            exit_status=1 if reasons else 0,
            balance=balance.to_dict(),
            files=files,
            outputs=outputs,
            inputs=inputs,
            notes="\n".join(run.degraded),
            pauses=run.pauses,
            ended_by=run.ended_by or "sources",
        )
