"""The directory of a run, with a record of what is known about it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pixie_pipe._units import format_count
from pixie_pipe.storage._processes import this_host, this_process
from pixie_pipe.storage._record_values import RunRecordError
from pixie_pipe.storage._reserve import give_back_room, keep_room
from pixie_pipe.storage._run_errors import RunDirectoryError, clear_errors
from pixie_pipe.storage._run_numbers import take_number
from pixie_pipe.storage._run_repair import RAW, repair_all
from pixie_pipe.storage.run_record import (
    RUN_FILE,
    Comment,
    RunRecord,
    State,
    changing_record,
    read_record,
    write_record,
)
from pixie_pipe.storage.snapshots import write_snapshot
from pixie_pipe.storage.versions import versions

if TYPE_CHECKING:
    import os

    from pixie_pipe.storage.provenance import SourceFile
    from pixie_pipe.storage.raw_recorder import RecordedFile

__all__ = ["RunDirectory", "RunDirectoryError"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_FIXED = ("number", "state", "reasons", "host", "process", "comments")
_CHANGEABLE = tuple(
    item.name for item in dataclasses.fields(RunRecord) if item.name not in _FIXED
)


class RunDirectory:
    """The directory of a run, such as ``runs/0042``.

    Make one with `create`, and read one with `open`; only the one that was made can
    be changed, until it is finished.

    Attributes
    ----------
    path
        The directory.
    record
        All that its ``run.yaml`` says.
    """

    __slots__ = ("_is_mine", "_record", "path")

    def __init__(self, path: Path, record: RunRecord, *, is_mine: bool = False) -> None:
        self.path = path
        self._record = record
        self._is_mine = is_mine

    @classmethod
    def create(
        cls,
        parent: str | os.PathLike[str],
        *,
        title: str = "",
        configuration: Mapping[str, Any] = _NOTHING,
        modules: Sequence[Mapping[str, Any]] = (),
        inputs: Sequence[SourceFile] = (),
        notes: str = "",
    ) -> RunDirectory:
        """Begin a run with the next free number, after repairing earlier ones.

        Parameters
        ----------
        parent
            The directory of runs; it is made if it is missing.
        title
            What to call the run.
        configuration
            The full configuration, plain data.
        modules
            The table of modules, plain data.
        inputs
            In a replay, the raw files that will be read.
        notes
            What else there is to say.

        Returns
        -------
        RunDirectory
            In the state ``running``; end it with `finish`.

        Raises
        ------
        PlainDataError
            If the configuration or the modules are no plain data; no number is taken.
        RunRecordError
            If a value is of a wrong type; no number is taken.
        RunDirectoryError
            If the directory cannot be made or written.
        """
        parent = Path(parent)
        record = RunRecord(
            number=0,
            title=title,
            started=_now(),
            host=this_host(),
            process=this_process(),
            versions=versions(),
            configuration=configuration,
            modules=tuple(modules),
            inputs=tuple(inputs),
            notes=notes,
        )
        record = _normal(record)
        advice = "name another directory, or let this one be written"
        with clear_errors(parent, "runs cannot be kept here", advice):
            parent.mkdir(parents=True, exist_ok=True)
            repair_all(parent)
            number, path = take_number(parent)
        run = cls(path, dataclasses.replace(record, number=number), is_mine=True)
        try:
            with clear_errors(path, "the run cannot be begun"):
                run.raw.mkdir()
                keep_room(path)
                write_record(path / RUN_FILE, run.record)
        except BaseException:
            # Nobody has been told of it yet.
            shutil.rmtree(path, ignore_errors=True)
            raise
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """Read a run, whatever its state; it cannot be changed.

        Raises
        ------
        RunRecordError
            If there is no run, or its record is damaged or of an unknown version.
        """
        return cls(Path(path), read_record(Path(path) / RUN_FILE))

    @property
    def record(self) -> RunRecord:
        """All that ``run.yaml`` says."""
        return self._record

    @property
    def number(self) -> int:
        """Number of the run."""
        return self._record.number

    @property
    def title(self) -> str:
        """What the user calls it."""
        return self._record.title

    @property
    def state(self) -> State:
        """``running``, ``complete`` or ``incomplete``."""
        return self._record.state

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not complete."""
        return self._record.reasons

    @property
    def started(self) -> dt.datetime:
        """When it started."""
        return self._record.started

    @property
    def stopped(self) -> dt.datetime | None:
        """When it stopped; None if it is running, or if that is not known."""
        return self._record.stopped

    @property
    def balance(self) -> Mapping[str, Any]:
        """Where its words went."""
        return self._record.balance

    @property
    def files(self) -> tuple[RecordedFile, ...]:
        """Its raw files."""
        return self._record.files

    @property
    def raw(self) -> Path:
        """The directory of the raw files."""
        return self.path / RAW

    def update(self, **changes: Any) -> None:
        """Change what ``run.yaml`` says.

        Parameters
        ----------
        **changes
            Attributes of `RunRecord` and their new values: all but ``number``,
            ``state``, ``reasons``, ``host``, ``process`` and ``comments``.

        Raises
        ------
        PlainDataError, RunRecordError
            If a value is not what the record holds; nothing is changed.
        RunDirectoryError
            If the run is not being taken here, or the disk fails; nothing is changed.
        """
        self._check_changeable()
        self._change(changes)

    def finish(
        self,
        *,
        complete: bool,
        reasons: Sequence[str] = (),
        **changes: Any,
    ) -> None:
        """End the run; nothing can be changed afterwards.

        Parameters
        ----------
        complete
            Whether every word that was read is accounted for.
        reasons
            Why it is not complete: at least one if it is not, none if it is.
        **changes
            As for `update`: ``balance``, ``files``, ``outputs``, ``exit_status``, ...
            The time of the stop is now, unless ``stopped`` is given.

        Raises
        ------
        PlainDataError, RunRecordError, RunDirectoryError
            As for `update`, and if the reasons do not fit; the run goes on.
        """
        self._check_changeable()
        if isinstance(reasons, str):
            raise RunRecordError(
                f"reasons is {reasons!r}, expected a list of texts; put it in brackets"
            )
        if complete and reasons:
            raise RunRecordError(
                f"a complete run was given the reasons {list(reasons)} for not being "
                f"complete; leave them out, or give complete=False"
            )
        if not complete and not reasons:
            raise RunRecordError(
                "an incomplete run was given no reason, expected at least one"
            )
        state = "complete" if complete else "incomplete"
        self.use_reserve()
        self._change({"stopped": _now()} | changes, state=state, reasons=tuple(reasons))

    def use_reserve(self) -> None:
        """Give back the room that was kept for the end of the run.

        From now on there is room for the last files, even if the disk is full.
        """
        give_back_room(self.path)

    def add_comment(self, text: str) -> Comment:
        """Add what somebody says about the run, with the time.

        Anybody may, whatever the state of the run; nothing else is changed.

        Parameters
        ----------
        text
            The comment.

        Raises
        ------
        RunRecordError
            If the text is empty, or the record on the disk is damaged.
        RunDirectoryError
            If the record cannot be written.
        """
        if not text.strip():
            raise RunRecordError(
                f"{self.path}: the comment is empty, expected what there is to say"
            )
        path = self.path / RUN_FILE
        comment = Comment(_now(), text.strip())
        with clear_errors(path, "cannot be written"), changing_record(path):
            record = read_record(path)
            comments = (*record.comments, comment)
            record = _normal(dataclasses.replace(record, comments=comments))
            write_record(path, record)
        self._record = record
        return record.comments[-1]

    def write_snapshot(self, name: str, values: Mapping[str, Any]) -> Path:
        """Write a JSON file beside ``run.yaml``, such as ``statistics-start.json``.

        Parameters
        ----------
        name
            Its name: letters, digits, ``.``, ``_`` and ``-``; ``.json`` is added.
        values
            Plain data. Numbers that JSON does not know (NaN, infinity) become null.

        Returns
        -------
        Path
            The file, complete and on the disk.

        Raises
        ------
        PlainDataError
            If it is no plain data.
        RunDirectoryError
            If the run is not being taken here, there is a file of this name, or it
            cannot be written.
        """
        self._check_changeable()
        return write_snapshot(self.path, name, values)

    def __repr__(self) -> str:
        title = f" {self.title!r}," if self.title else ""
        return (
            f"RunDirectory({str(self.path)!r},{title} {self.state}, "
            f"{len(self.files)} raw files, {format_count(self._words)} words)"
        )

    def _repr_html_(self) -> str:
        rows = {
            "run": str(self.number),
            "title": self.title,
            "state": self.state,
            "not complete because": "; ".join(self.reasons),
            "started": f"{self.started:%Y-%m-%d %H:%M:%S %z}",
            "stopped": f"{self.stopped:%Y-%m-%d %H:%M:%S %z}" if self.stopped else "",
            "raw files": str(len(self.files)),
            "words": format_count(self._words),
            "directory": str(self.path),
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in rows.items()
            if value
        )
        return f"<table>{cells}</table>"

    @property
    def _words(self) -> int:
        return sum(file.words for file in self.files)

    def _check_changeable(self) -> None:
        if self.state != "running":
            raise RunDirectoryError(
                f"{self.path}: the run is {self.state} and is not changed any more"
            )
        if not self._is_mine:
            process = self._record.process.pid
            raise RunDirectoryError(
                f"{self.path}: the run was opened for reading; only the process that "
                f"takes it changes it (process {process} on {self._record.host})"
            )

    def _change(self, changes: Mapping[str, Any], **more: Any) -> None:
        for name in changes:
            if name not in _CHANGEABLE:
                raise RunRecordError(
                    f"{name!r} cannot be changed, expected one of "
                    f"{', '.join(_CHANGEABLE)}"
                )
        path = self.path / RUN_FILE
        with clear_errors(path, "cannot be written"), changing_record(path):
            changed = dataclasses.replace(self._record, **changes, **more)
            record = _normal(dataclasses.replace(changed, comments=self._comments()))
            write_record(path, record)
        self._record = record

    def _comments(self) -> tuple[Comment, ...]:
        """Return the comments on the disk: others may have added some."""
        try:
            return read_record(self.path / RUN_FILE).comments
        except RunRecordError:
            # Somebody has damaged it; it will be whole again.
            return self._record.comments


def _normal(record: RunRecord) -> RunRecord:
    """Return a record as it will be read from the disk, or tell why it cannot be."""
    return RunRecord.from_dict(record.to_dict())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).astimezone()
