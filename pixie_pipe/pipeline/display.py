"""What a prompt and a notebook show of a pipeline, its tasks, and how they go.

Everything is taken from what the processes reported last, in a moment and in every
state of the pipeline: nothing here asks or waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pixie_pipe.pipeline._rates import seconds_text
from pixie_pipe.pipeline.messages import Status

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pixie_pipe.pipeline._drawing import Sketch
    from pixie_pipe.pipeline._pipeline_view import PipelineView
    from pixie_pipe.pipeline.graph import Edge
    from pixie_pipe.pipeline.handle import TaskHandle

WIDTH = 100
"""Columns that a text may take."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How one process goes.

    Attributes
    ----------
    name, task
        Name of the process, and of its task's class.
    state
        Its state.
    word
        The state in a word: that of `state`, ``starting``, ``ended``, ...
    unit
        What it counts: ``events``, ``words`` or ``frames``.
    count
        How many of them in this run.
    rate
        How many of them per second.
    in_bytes_per_s, out_bytes_per_s
        Bytes per second that come and that it sends.
    waiting_bytes
        Bytes that were sent to it and are not worked off; for a pool those of all
        workers, in the first row. None where nothing can wait.
    dropped
        Events, or frames without events, that it was not sent because it was slow.
    lag_s
        Seconds since it was last heard; None if there is no process.
    restarts
        How often it was started anew in this run.
    notes
        What else is worth a look, as texts: late events, how it ended.
    process
        Name of the process that it shares with others; "" for one of its own.
    """

    name: str
    task: str
    state: Status
    word: str
    unit: str
    count: int
    rate: float
    in_bytes_per_s: float
    out_bytes_per_s: float
    waiting_bytes: int | None
    dropped: int
    lag_s: float | None
    restarts: int
    notes: tuple[str, ...]
    process: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class PipelineStatus:
    """How a pipeline goes: a table with a row for each process.

    Attributes
    ----------
    state
        State of the whole.
    run
        Number of the run in this session that goes on, or of the last one; 0 if
        there was none.
    elapsed_s
        Time since its start, or that it took, in seconds; None without a run.
    directory
        Its directory; "" if it has none.
    complete
        Whether nothing is known to be missing; None without a run.
    reasons
        Why the run is not complete.
    degraded
        What optional tasks lost.
    paused
        Whether the sources deliver nothing for now, as they were asked to.
    rows
        One for each process, in the order of the tasks.
    fraction
        Share of the data to be read that has been read; None where it is not known.
    left_s
        Estimate of the time that the rest takes, in seconds; None if not known.
    rates_s
        Time that the rates are taken over, in seconds; None: the whole run so far.
    """

    state: Status
    run: int
    elapsed_s: float | None
    directory: str
    complete: bool | None
    reasons: tuple[str, ...]
    degraded: tuple[str, ...]
    paused: bool
    rows: tuple[ProcessStatus, ...]
    fraction: float | None
    left_s: float | None
    rates_s: float | None

    @classmethod
    def of(cls, pipeline: PipelineView) -> PipelineStatus:
        """Take the numbers that a pipeline has now.

        Rates are those of the last seconds if somebody looked then, else those of
        the run so far.
        """
        from pixie_pipe.pipeline._look import Look

        return Look(pipeline).status()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as for JSON."""
        values = _plain(self)
        values["rows"] = [_plain(row) for row in self.rows]
        return values

    @property
    def headline(self) -> str:
        """State, run, time and directory in one line."""
        return f"{self.state} {self.summary}"

    @property
    def summary(self) -> str:
        """The headline without the sign of the state."""
        parts = [self.state.name.lower()]
        if self.paused:
            parts.append("PAUSED")
        if self.run:
            last = "last " if self.state is Status.WAITING else ""
            parts.append(f"{last}run {self.run}")
        if self.elapsed_s is not None:
            parts.append(seconds_text(self.elapsed_s))
        if self.complete is not None:
            so_far = " so far" if self.state is Status.RUNNING else ""
            parts.append(f"complete{so_far}" if self.complete else "NOT complete")
        if self.directory:
            parts.append(self.directory)
        return ", ".join(parts)

    def __repr__(self) -> str:
        from pixie_pipe.pipeline import _tables

        return _tables.text_table(self, WIDTH)

    def _repr_html_(self) -> str:
        from pixie_pipe.pipeline import _tables

        return _tables.html_table(self)

    def __rich__(self) -> RenderableType:
        from pixie_pipe.pipeline import _tables

        return _tables.rich_table(self)


def _plain(values: Any) -> dict[str, Any]:  # noqa: ANN401 - one of the two above
    plain: dict[str, Any] = {}
    for name in values.__slots__:
        value = getattr(values, name)
        if isinstance(value, Status):
            value = value.name.lower()
        plain[name] = list(value) if isinstance(value, tuple) else value
    return plain


def sketch(pipeline: PipelineView) -> Sketch:
    """Return what is to be drawn of the graph of a pipeline."""
    from pixie_pipe.pipeline._drawing import Line, Sketch
    from pixie_pipe.pipeline._look import edges_of

    graph = pipeline.graph
    return Sketch(
        {
            node.name: node.name + (f" ×{node.workers}" if node.workers > 1 else "")
            for node in graph.nodes.values()
        },
        [
            Line(edge.producer, edge.consumer, lossy=_is_lossy(pipeline, edge))
            for edge in edges_of(pipeline)
        ],
        frozenset(node.name for node in graph.nodes.values() if node.is_tap),
    )


def _is_lossy(pipeline: PipelineView, edge: Edge) -> bool:
    return edge.consumer in pipeline.graph.nodes and pipeline.graph.is_lossy(edge)


def pipeline_text(pipeline: PipelineView) -> str:
    """Return the ``repr`` of a pipeline: state, run, and the graph as a drawing."""
    from pixie_pipe.pipeline._drawing import text_drawing

    status = PipelineStatus.of(pipeline)
    drawing = sketch(pipeline)
    lines = [f"Pipeline {status.headline}"]
    if not drawing.labels:
        return f"{lines[0]}: no tasks yet, create_task adds one"
    lines += [f"  {line}" for line in text_drawing(drawing, WIDTH - 2)]
    if any(line.lossy for line in drawing.lines):
        lines.append("  (⇢ may drop data rather than wait)")
    return "\n".join(lines)


def pipeline_html(pipeline: PipelineView) -> str:
    """Return a pipeline for a notebook: state, run, and the graph as a picture."""
    from html import escape

    from pixie_pipe.pipeline._drawing import svg_drawing
    from pixie_pipe.pipeline._tables import RED

    status = PipelineStatus.of(pipeline)
    head = f"<div><b>Pipeline</b> {escape(status.headline)}</div>"
    drawing = sketch(pipeline)
    if not drawing.labels:
        return f"{head}<div>no tasks yet, create_task adds one</div>"
    lost = {row.name for row in status.rows if row.state is Status.PANICKING}
    marked = {
        node.name: RED
        for node in pipeline.graph.nodes.values()
        if lost.intersection(node.processes)
    }
    return f"<div>{head}{svg_drawing(drawing, marked)}</div>"


def handle_text(handle: TaskHandle) -> str:
    """Return the ``repr`` of a task: state, parameters with units, what it does."""
    from pixie_pipe.pipeline import _handle_view
    from pixie_pipe.pipeline._look import Look

    look = Look(handle._pipeline)  # noqa: SLF001 - part of the same package
    return _handle_view.text(handle, look.status(), look.statistics)


def handle_html(handle: TaskHandle) -> str:
    """Return a task for a notebook: state, parameters with units, what it does."""
    from pixie_pipe.pipeline import _handle_view
    from pixie_pipe.pipeline._look import Look

    look = Look(handle._pipeline)  # noqa: SLF001 - as above
    return _handle_view.html(handle, look.status(), look.statistics)
