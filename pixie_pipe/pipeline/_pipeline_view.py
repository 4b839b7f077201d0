"""What a pipeline shows of itself: state, tables, balance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixie_pipe.pipeline._pipeline_graph import PipelineGraph
from pixie_pipe.pipeline.balance import RunBalance
from pixie_pipe.pipeline.messages import Status

if TYPE_CHECKING:
    from pixie_pipe.pipeline.display import PipelineStatus
    from pixie_pipe.pipeline.limits import RunLimits
    from pixie_pipe.pipeline.run_control import RunControl
    from pixie_pipe.pipeline.run_keeper import RunKeeper
    from pixie_pipe.pipeline.supervisor import Supervisor


class PipelineView(PipelineGraph):
    """The part of a pipeline that can be looked at."""

    title: str
    configuration: dict[str, Any]
    limits: RunLimits

    _supervisor: Supervisor | None
    _control: RunControl
    _keeper: RunKeeper

    @property
    def supervisor(self) -> Supervisor | None:
        """The processes, if they are there."""
        return self._supervisor

    @property
    def _service(self) -> Supervisor:
        assert self._supervisor is not None
        return self._supervisor

    def describe(self) -> dict[str, Any]:
        """Return the full configuration as plain values."""
        tasks = [
            {
                "name": node.name,
                "task": node.kind.__name__,
                "from": [edge.producer for edge in self.graph.inputs(node.name)],
                "workers": node.workers,
                "role": str(node.role),
                "parameters": node.all_parameters,
            }
            for node in self.graph.nodes.values()
        ]
        own = {"title": self.title, "tasks": tasks, "limits": self.limits.to_dict()}
        return own | self.configuration

    @property
    def modules(self) -> list[dict[str, Any]]:
        """The modules of the configuration, as plain values."""
        return list(self.configuration.get("modules", ()))

    @property
    def state(self) -> Status:
        """State of the whole: that of the run, if there is one."""
        run = self._control.run
        if run is None:
            return Status.WAITING
        if not run.closed:
            return Status.RUNNING
        return Status.PANICKING if run.reasons else Status.FINISHED

    @property
    def run_directory(self) -> Path | None:
        """Directory of the run that goes on, or of the last one."""
        return self._keeper.path

    @property
    def is_paused(self) -> bool:
        """Whether a run goes on whose sources deliver nothing for now."""
        run = self._control.run
        return run is not None and not run.over and run.paused_since is not None

    @property
    def ended_by(self) -> str:
        """What ended the last run, as in its record; "" while it goes on."""
        return self._keeper.ended_by

    def statistics(self) -> dict[str, dict[str, Any]]:
        """Return the numbers that each process reported last, by its name."""
        if self._supervisor is None:
            return dict(self._keeper.last_statistics)
        with self._service.changed:
            return {
                name: dict(record.statistics)
                for name, record in self._service.records.items()
            }

    def balance(self) -> RunBalance:
        """Return where the words and events of the run went.

        While the run goes on, the numbers are those of the last reports and cannot
        close yet. Without a run, it is that of the last one.
        """
        run = self._control.run
        if run is None or run.closed:
            return self._keeper.last_balance
        return RunBalance.of(self.graph, self.statistics(), run)

    def status(self) -> PipelineStatus:
        """Return a table: each process with its state, rates, queue and drops."""
        from pixie_pipe.pipeline.display import PipelineStatus

        return PipelineStatus.of(self)

    def __repr__(self) -> str:
        from pixie_pipe.pipeline.display import pipeline_text

        return pipeline_text(self)

    def _repr_html_(self) -> str:
        from pixie_pipe.pipeline.display import pipeline_html

        return pipeline_html(self)
