"""Runs as tables, and as plain values."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixie_pipe._units import format_bytes, format_count
from pixie_pipe.cli import output
from pixie_pipe.cli.runs_statistics import (
    CHANNEL_TITLES,
    MODULE_TITLES,
    channel_rows,
    module_rows,
)

if TYPE_CHECKING:
    from rich.table import Table

    from pixie_pipe.storage import RunDirectory, RunSummary
    from pixie_pipe.storage.run_record import RunRecord
    from pixie_pipe.storage.run_verification import Verification


def list_to_dict(runs: Path, found: Sequence[RunSummary]) -> dict[str, Any]:
    """Return a list of runs as plain values, for JSON."""
    return {
        "format": 1,
        "directory": str(runs),
        "runs": [run.to_dict() for run in found],
    }


def write_list(runs: Path, found: Sequence[RunSummary], total: int) -> None:
    """Print a list of runs to stdout.

    Parameters
    ----------
    runs
        Their directory.
    found
        The runs to list.
    total
        How many there are in the directory.
    """
    console = output.results()
    if not found:
        what = f"none of its {total} runs is as asked for" if total else "has no runs"
        console.print(f"{runs}: {what}", soft_wrap=True)
        return
    table = _table("Run", "Start", "Duration>", "Events>", "Raw>", "Title, state")
    for run in found:
        table.add_row(
            str(run.number),
            "" if run.started is None else f"{run.started:%Y-%m-%d %H:%M}",
            _duration(run.seconds),
            "" if run.events is None else format_count(run.events),
            format_bytes(run.bytes) if run.files else "",
            "\n".join(filter(None, [run.title, *_state(run.state, run.reasons)])),
        )
    console.print(table)


def _state(state: str, reasons: Sequence[str]) -> Iterator[str]:
    """Yield lines on the state of a run; nothing if it is complete."""
    if state != "complete":
        head = state if state in ("running", "damaged") else "NOT complete"
        yield ": ".join(filter(None, [head, *reasons[:1]]))
    if len(reasons) > 1:
        yield f"(and {len(reasons) - 1} more)"


def run_to_dict(run: RunDirectory) -> dict[str, Any]:
    """Return everything of a run as plain values, for JSON."""
    from pixie_pipe.storage import RunSummary
    from pixie_pipe.storage._plain import without_nan

    summary = RunSummary.of(run.path, run.record).to_dict()
    return {
        "format": 1,
        "path": str(run.path),
        "record": without_nan(run.record.to_dict()),
        "seconds": summary["seconds"],
        "events": summary["events"],
        "other_files": [
            {"name": name, "size": size} for name, size in _other_files(run)
        ],
    }


def write_run(run: RunDirectory) -> None:
    """Print everything of a run to stdout, for people."""
    from rich.text import Text

    record = run.record
    console = output.results()
    table = _table("", "", header=False)
    for name, value in _facts(run):
        table.add_row(name, Text(value))
    console.print(table)
    _write_statistics(record)
    if run.files:
        console.print(f"\nRaw files, in {run.raw}", soft_wrap=True)
        console.print(_raw_files(record))
    other = _other_files(run)
    if other:
        console.print("\nOther files")
        files = _table("Name", "Size>")
        for name, size in other:
            files.add_row(name, format_bytes(size))
        console.print(files)


def _write_statistics(record: RunRecord) -> None:
    """Print what modules and channels counted, as far as that is known."""
    console = output.results()
    for heading, titles, rows in (
        ("Modules", MODULE_TITLES, list(module_rows(record.statistics))),
        ("Channels with counts", CHANNEL_TITLES, list(channel_rows(record.statistics))),
    ):
        if rows:
            console.print(f"\n{heading}")
            table = _table(*titles)
            for row in rows:
                table.add_row(*row)
            console.print(table)


def _facts(run: RunDirectory) -> Iterator[tuple[str, str]]:
    """Yield what is known of a run, name and value; what is not known is left out."""
    from pixie_pipe.storage import RunSummary

    record = run.record
    summary = RunSummary.of(run.path, record)
    facts = {
        "Run": str(record.number),
        "Title": record.title,
        "State": record.state,
        "Because": "\n".join(record.reasons),
        "Started": _time(record.started),
        "Stopped": _time(record.stopped),
        "Duration": _duration(summary.seconds),
        "Ended by": record.ended_by,
        "Paused": "\n".join(
            f"{_time(pause.begun)} - {_time(pause.ended) or 'the end'}"
            for pause in record.pauses
        ),
        "Comments": "\n".join(
            f"{_time(comment.time)} {comment.text}" for comment in record.comments
        ),
        "Notes": record.notes,
        "Words": format_count(sum(file.words for file in run.files)),
        "Events": "" if summary.events is None else format_count(summary.events),
        "Balance": _flat(record.balance),
        "Modules": ", ".join(summary.modules),
        "Tasks": _tasks(record),
        "Read": "\n".join(str(file.path) for file in record.inputs),
        "Exit status": "" if record.exit_status is None else str(record.exit_status),
        "Host": f"{record.host}, process {record.process.pid}",
        "Versions": ", ".join(f"{key} {text}" for key, text in record.versions.items()),
        "Directory": str(run.path),
    }
    yield from ((name, value) for name, value in facts.items() if value)


def _flat(values: Any) -> str:  # noqa: ANN401 - plain values
    return ", ".join(
        f"{name} {json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
        if value not in ({}, [])
    )


def _tasks(record: RunRecord) -> str:
    tasks = record.configuration.get("tasks")
    listed = tasks if isinstance(tasks, list) else []
    return ", ".join(
        str(task.get("name", task.get("task", "?")))
        for task in listed
        if isinstance(task, dict)
    )


def _raw_files(record: RunRecord) -> Table:
    table = _table("Name", "Stream", "Words>", "Size>", "SHA-256")
    for file in record.files:
        checksum = f"{file.sha256[:16]}..." if file.sha256 else "not closed"
        table.add_row(
            file.name,
            file.stream,
            format_count(file.words),
            format_bytes(file.bytes),
            checksum,
        )
    return table


def _other_files(run: RunDirectory) -> list[tuple[str, int]]:
    """Return name and size of all files but the raw ones."""
    return sorted(
        (str(path.relative_to(run.path)), path.stat().st_size)
        for path in run.path.rglob("*")
        if path.is_file() and run.raw not in path.parents
    )


def verification_to_dict(
    runs: Path, found: Sequence[Verification], damaged: Sequence[str]
) -> dict[str, Any]:
    """Return what was found as plain values, for JSON."""
    return {
        "format": 1,
        "directory": str(runs),
        "good": not damaged and not any(item.problems for item in found),
        "runs": [item.to_dict() for item in found],
        "damaged": list(damaged),
    }


def write_verification(found: Sequence[Verification]) -> None:
    """Print what was found of runs to stdout."""
    from rich.text import Text

    table = _table("Run", "Files>", "Found")
    for item in found:
        raw = sum(file.name.startswith("raw/") for file in item.files)
        lines = [
            f"{file.name}: {file.finding}: {file.detail}" for file in item.problems
        ]
        table.add_row(str(item.number), str(raw), Text("\n".join(lines or _good(item))))
    output.results().print(table if found else "there are no runs")


def _good(item: Verification) -> list[str]:
    from pixie_pipe.storage.run_verification import Finding

    if item.state == "running":
        return ["left out: it is running"]
    unchecked = sum(
        file.finding is Finding.UNCHECKED and file.name.startswith("raw/")
        for file in item.files
    )
    if unchecked:
        return [f"as recorded; {unchecked} without a checksum, as they were not closed"]
    return ["as recorded"]


def _time(time: dt.datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _table(*titles: str, header: bool = True) -> Table:
    """Return a table; a title that ends with ``>`` is of numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=header)
    for title in titles:
        table.add_column(
            title.removesuffix(">"),
            justify="right" if title.endswith(">") else "left",
            overflow="fold",
        )
    return table
