"""What a list of runs shows of each of them, and which of them are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt

    from pixie_pipe.storage.run_record import RunRecord

DAMAGED = "damaged"
"""Stands for the state of a run whose record cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of a list of runs.

    Attributes
    ----------
    number
        Number of the run.
    path
        Its directory.
    state
        ``running``, ``complete``, ``incomplete``, or ``damaged`` if its record cannot
        be read.
    reasons
        Why it is not complete, or cannot be read.
    title, comments, notes
        What was said of it.
    started, stopped
        When; None if that is not known.
    seconds
        From start to stop, up to now for one that is running; None if not known.
    events
        Events that were written, or decoded if none were; None if not known.
    files, bytes
        Number of its raw files, and their size in bytes.
    tasks, modules
        Names and classes of its tasks, and its modules as ``crate/slot``.
    host
        The machine that took it.
    ended_by
        What ended it.
    """

    number: int
    path: Path
    state: str
    reasons: tuple[str, ...] = ()
    title: str = ""
    comments: tuple[str, ...] = ()
    notes: str = ""
    started: dt.datetime | None = None
    stopped: dt.datetime | None = None
    seconds: float | None = None
    events: int | None = None
    files: int = 0
    bytes: int = 0
    tasks: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    host: str = ""
    ended_by: str = ""

    @classmethod
    def of(cls, path: Path, record: RunRecord) -> RunSummary:
        """Take from a record what a list shows."""
        stopped = record.stopped
        seconds = (
            None if stopped is None else (stopped - record.started).total_seconds()
        )
        return cls(
            number=record.number,
            path=path,
            state=record.state,
            reasons=record.reasons,
            title=record.title,
            comments=tuple(comment.text for comment in record.comments),
            notes=record.notes,
            started=record.started,
            stopped=stopped,
            seconds=seconds,
            events=_events(record.balance),
            files=len(record.files),
            bytes=sum(file.bytes for file in record.files),
            tasks=_tasks(record.configuration),
            modules=_modules(record.modules),
            host=record.host,
            ended_by=record.ended_by,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        for name in ("started", "stopped"):
            values[name] = values[name] and values[name].isoformat()
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in (values | {"path": str(self.path)}).items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs are asked for: those for which everything holds that is given.

    Attributes
    ----------
    numbers
        First and last number of ranges; a run in any of them is meant.
    texts
        Texts that all appear in the title, the comments or the notes; capital and
        small letters are the same.
    since, until
        Earliest and latest start (the latest is not included).
    states
        One of these states.
    task
        Name or class of a task that took part.
    module
        A module that took part, as ``crate/slot``.
    least_bytes, most_bytes
        Size of the raw files in bytes.
    least_seconds, most_seconds
        Duration in seconds. Runs without a known one are left out.
    """

    numbers: tuple[tuple[int, int], ...] = ()
    texts: tuple[str, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    states: tuple[str, ...] = ()
    task: str | None = None
    module: str | None = None
    least_bytes: float | None = None
    most_bytes: float | None = None
    least_seconds: float | None = None
    most_seconds: float | None = None


def _events(balance: Mapping[str, Any]) -> int | None:
    for name in ("events_written", "events_decoded"):
        count = balance.get(name)
        if isinstance(count, int):
            return count
    return None


def _tasks(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """Return names and classes of tasks; whoever took the run may write others."""
    listed = configuration.get("tasks")
    names: dict[str, None] = {}
    for task in listed if isinstance(listed, list) else ():
        if isinstance(task, Mapping):
            found = (task.get(key) for key in ("name", "task"))
            names |= dict.fromkeys(name for name in found if isinstance(name, str))
    return tuple(names)


def _modules(modules: tuple[Mapping[str, Any], ...]) -> tuple[str, ...]:
    return tuple(
        f"{module.get('crate', 0)}/{module['slot']}"
        for module in modules
        if "slot" in module
    )
