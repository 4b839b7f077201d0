"""A run at a prompt and in a notebook: what a physicist wants to see of it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pixie_pipe._units import format_bytes, format_count
from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    from pixie_pipe.runs.run import Run


def text(run: Run) -> str:
    """Return the ``repr`` of a run: a line for each thing that is known."""
    title = f" {run.title!r}" if run.title else ""
    lines = [f"<Run {run.number}{title}: {run.state}, in {run.path}"]
    lines += [f"  {name:<12}{value}" for name, value in facts(run).items()]
    return "\n".join(lines) + ">"


def html(run: Run) -> str:
    """Return a small table for notebooks, readable on light and dark pages."""
    title = f" · {escape(run.title)}" if run.title else ""
    rows = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(value)}</td></tr>'
        for name, value in ({"directory": str(run.path)} | facts(run)).items()
    )
    return (
        '<div style="color: inherit">'
        f"<b>Run {run.number}</b>{title} · {escape(run.state)}"
        f"<table>{rows}</table></div>"
    )


def facts(run: Run) -> dict[str, str]:
    """Return what is known of a run, without reading its events."""
    record = run.record
    found = {
        "because": "; ".join(record.reasons),
        "started": f"{record.started:%Y-%m-%d %H:%M:%S}"
        + ("" if run.seconds is None else f", for {run.seconds:.1f} s")
        + (f", ended by {record.ended_by}" if record.ended_by else ""),
        "events": _events(run),
        "raw": _raw(run),
        "has": ", ".join(_parts(run)),
        "notes": "; ".join([*([record.notes] if record.notes else []), *_said(run)]),
    }
    return {name: value for name, value in found.items() if value}


def _events(run: Run) -> str:
    from pixie_pipe.storage.event_display import facts as facts_of_events

    if run.events_file is None or run.is_from_raw:
        return "decoded from the raw files" if run.record.files else ""
    try:
        return f"{', '.join(facts_of_events(run.events))} ({run.events.name})"
    except (PixiePipeError, OSError) as error:
        return str(error)


def _raw(run: Run) -> str:
    files = run.record.files
    if not files:
        return ""
    words = format_count(sum(file.words for file in files))
    size = format_bytes(sum(file.bytes for file in files))
    streams = ", ".join(dict.fromkeys(file.stream for file in files))
    plural = "" if len(files) == 1 else "s"
    return f"{len(files)} file{plural}, {size}, {words} words of {streams}"


def _parts(run: Run) -> list[str]:
    found = []
    for name, file in (
        ("histograms", "histograms.h5"),
        ("settings", "settings-start.json"),
        ("statistics", "statistics-stop.json"),
    ):
        if (run.path / file).is_file():
            found.append(name)
    if any(run.path.glob("*.log")):
        found.append("log")
    try:
        if run.has_coincidences:
            found.append("coincidences")
    except OSError:
        pass
    return found


def _said(run: Run) -> list[str]:
    return [f"{comment.time:%H:%M} {comment.text}" for comment in run.record.comments]
