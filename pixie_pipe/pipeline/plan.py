"""A plan: a pipeline that was checked as a whole, to be built."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pixie_pipe.pipeline.declarations import Role
from pixie_pipe.pipeline.disk_watch import DEFAULT_KEEP_FREE_MB
from pixie_pipe.pipeline.graph import Edge, Graph, Node, main_line
from pixie_pipe.pipeline.limits import RunLimits
from pixie_pipe.pipeline.links import DEFAULT_WINDOW

if TYPE_CHECKING:
    from pixie_pipe.pipeline.pipeline import Pipeline
    from pixie_pipe.pipeline.task import Task

    AnyPipeline = TypeVar("AnyPipeline", bound=Pipeline)


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task of a plan.

    Attributes
    ----------
    name
        Name in the pipeline.
    kind
        Class of the task.
    parameters
        Values that were given.
    origins
        Where each of them was given: ``demo.yaml:12``, or ``--set ...``.
    after
        Names of the tasks that it reads from; empty for the one before it.
    workers
        Number of processes that share the work.
    role
        What its end means for the run.
    lossy
        Whether data for it may be dropped; None leaves it to the pipeline.
    window_bytes
        Bytes that may be under way to one of its processes.
    process
        Name of the process that it shares with others; "" for one of its own.
    """

    name: str
    kind: type[Task]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    workers: int = 1
    role: Role = Role.ESSENTIAL
    lossy: bool | None = None
    window_bytes: int = DEFAULT_WINDOW
    process: str = ""

    @property
    def is_source(self) -> bool:
        """Whether it makes data."""
        return self.kind.reads is not None and not self.kind.reads


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline that was checked and can be built.

    Attributes
    ----------
    path
        The file that describes it.
    tasks
        The tasks, in the order of the file.
    runs
        Directory of the runs; None keeps nothing.
    title
        Title of the runs.
    limits
        What ends a run, if nothing else does before.
    keep_free_mb
        Room in MB that is to stay free on the disk of the runs.
    repeat, pause_s
        Number of runs, and the time between two of them in seconds.
    modules
        The modules, as plain values.
    task_path
        Directories with tasks of the experiment.
    configuration
        What the record of a run says of the configuration, as plain values.
    """

    path: Path
    tasks: tuple[PlannedTask, ...]
    runs: Path | None = None
    title: str = ""
    limits: RunLimits = field(default_factory=RunLimits)
    keep_free_mb: float = DEFAULT_KEEP_FREE_MB
    repeat: int = 1
    pause_s: float = 0.0
    modules: tuple[Mapping[str, Any], ...] = ()
    task_path: tuple[Path, ...] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def graph(self) -> Graph:
        """Return the tasks and the links between them."""
        return make_graph(self.tasks)

    def build(
        self,
        cls: type[AnyPipeline],
        **kwargs: Any,
    ) -> AnyPipeline:
        """Make the pipeline. No process is started.

        Parameters
        ----------
        cls
            `Pipeline`, or a class derived from it.
        **kwargs
            For its constructor, in place of what the file says.
        """
        settings: dict[str, Any] = {
            "runs": self.runs,
            "title": self.title,
            "limits": self.limits,
            "keep_free_mb": self.keep_free_mb,
            "task_path": self.task_path,
        }
        pipeline = cls(**settings | kwargs)
        # Plain values of its own: what is changed in a session stays there.
        pipeline.configuration = dict(self.configuration)
        for task in self.tasks:
            pipeline.create_task(
                task.kind.__name__,
                label=task.name,
                workers=task.workers,
                role=task.role,
                lossy=None if task.after else task.lossy,
                process=task.process,
                **task.parameters,
            )
        placed = {task.name for task in self.tasks if _is_placed(task)}
        for edge in self.graph().edges:
            if edge.consumer in placed:
                pipeline.link(
                    edge.producer,
                    edge.consumer,
                    lossy=edge.lossy,
                    window_bytes=edge.window_bytes,
                )
        return pipeline

    def replay(self, files: Sequence[str | Path]) -> Plan:
        """Return the same plan with recorded files in place of the sources.

        Parameters
        ----------
        files
            Raw files, in the order of the run.

        Raises
        ------
        ConfigError
            If the plan has no source that could be replaced, or what is left does
            not fit the files.
        """
        from pixie_pipe.pipeline.replay import replayed

        return replayed(self, files)


def _is_placed(task: PlannedTask) -> bool:
    """Tell whether the links to a task differ from those that the pipeline makes."""
    return bool(task.after) or task.window_bytes != DEFAULT_WINDOW


def make_graph(tasks: Iterable[PlannedTask]) -> Graph:
    """Return planned tasks and the links between them."""
    planned = {task.name: task for task in tasks}
    nodes = {
        task.name: Node(
            task.name,
            task.kind,
            dict(task.parameters),
            task.workers,
            task.role,
            task.process,
        )
        for task in planned.values()
    }
    edges = [
        edge for edge in main_line(nodes.values()) if not planned[edge.consumer].after
    ]
    edges += [
        Edge(producer, task.name)
        for task in planned.values()
        for producer in task.after
    ]
    for edge in edges:
        edge.lossy = planned[edge.consumer].lossy
        edge.window_bytes = planned[edge.consumer].window_bytes
    return Graph(nodes, edges)


def absolute(base: Path, name: str | Path) -> str:
    """Return the absolute path of a file that is named relative to a directory."""
    # Not resolved: a link stays the name that the user knows.
    return os.path.abspath(base / Path(name).expanduser())  # noqa: PTH100
