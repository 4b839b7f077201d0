"""Tasks as the user of a pipeline holds them: by name, with their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import (
    ParameterError,
    checked_parameters,
    suggestion,
)

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Node
    from pixie_pipe.pipeline.pipeline import Pipeline


class TaskHandle:
    """One task of a pipeline, seen from the user's process.

    Its parameters are attributes: ``handle.rate_hz = 1e6`` configures the task.
    """

    __slots__ = ("_name", "_pipeline")

    _name: str
    _pipeline: Pipeline

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        object.__setattr__(self, "_pipeline", pipeline)
        object.__setattr__(self, "_name", name)

    @property
    def name(self) -> str:
        """Name in the pipeline."""
        return self._name

    @property
    def node(self) -> Node:
        """The node of the graph."""
        return self._pipeline.graph.nodes[self._name]

    @property
    def status(self) -> Status:
        """State of the task; of a pool, the worst of its workers."""
        records = self._records()
        if not records:
            return Status.WAITING
        order = list(_WORST_FIRST)
        states = [r.status if r.is_alive else Status.PANICKING for r in records]
        return min(states, key=order.index)

    @property
    def statistics(self) -> dict[str, dict[str, Any]]:
        """What its processes reported last, by process."""
        everything = self._pipeline.statistics()
        return {
            name: everything[name] for name in self.node.processes if name in everything
        }

    @property
    def report(self) -> dict[str, Any]:
        """What the task itself reported last."""
        reports: dict[str, Any] = {}
        for record in self._records():
            reports |= record.report
        return reports

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of all parameters."""
        return self.node.all_parameters

    def configure(self, **values: Any) -> None:
        """Give values of parameters; see `Pipeline.configure`."""
        right = checked_parameters(self.node.kind.parameters, values, self._name)
        self._pipeline.change({self._name: right})

    def _records(self) -> list[Any]:
        supervisor = self._pipeline.supervisor
        if supervisor is None:
            return []
        return [
            supervisor.records[name]
            for name in self.node.processes
            if name in supervisor.records
        ]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - values of any type
        if not name.startswith("_"):
            values = self.parameters
            if name in values:
                return values[name]
            raise AttributeError(
                f"{self._name} has no parameter {name!r}{suggestion(name, values)}"
            )
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - as above
        if name not in self.node.kind.parameters:
            raise ParameterError(
                f"{self._name} has no parameter {name!r}"
                f"{suggestion(name, self.node.kind.parameters)}"
            )
        self.configure(**{name: value})

    def __dir__(self) -> list[str]:
        own = [name for name in super().__dir__() if not name.startswith("_")]
        return sorted({*own, *self.node.kind.parameters})

    def __repr__(self) -> str:
        from pixie_pipe.pipeline.display import handle_text

        return handle_text(self)

    def _repr_html_(self) -> str:
        from pixie_pipe.pipeline.display import handle_html

        return handle_html(self)


_WORST_FIRST = (
    Status.PANICKING,
    Status.DYING,
    Status.RUNNING,
    Status.WAITING,
    Status.FINISHED,
)


class TaskHandles(Mapping[str, TaskHandle]):
    """The tasks of a pipeline, by name; names are attributes, too."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __getitem__(self, name: str) -> TaskHandle:
        try:
            return self._pipeline[name]
        except ValueError as error:
            raise KeyError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._pipeline.graph.nodes)

    def __len__(self) -> int:
        return len(self._pipeline.graph.nodes)

    def __getattr__(self, name: str) -> TaskHandle:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._pipeline[name]
        except ValueError as error:
            raise AttributeError(str(error)) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._pipeline.graph.nodes]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        return "\n".join(repr(handle) for handle in self.values()) or "no tasks"
