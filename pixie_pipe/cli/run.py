"""``pixie-pipe run``: run the pipeline that a configuration describes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.plans import PlanOptions

if TYPE_CHECKING:
    from pixie_pipe.pipeline.plan import Plan

_FINITE = validators.Number(gt=0, lt=math.inf)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a pipeline is run."""

    runs: Annotated[
        Path | None,
        Parameter(
            env_var="PIXIE_PIPE_RUNS",
            help="Directory of the runs, in place of run.directory.",
            show_default=False,
        ),
    ] = None
    runtime: Annotated[
        float | None,
        Parameter(
            help="Seconds after which a run is ended, in place of run.runtime_s.",
            validator=_FINITE,
            show_default=False,
        ),
    ] = None
    events: Annotated[
        int | None,
        Parameter(
            help="Number of events after which a run is ended, in place of run.events.",
            validator=validators.Number(gt=0),
            show_default=False,
        ),
    ] = None
    size_mb: Annotated[
        float | None,
        Parameter(
            help="MB of raw data after which a run is ended, in place of run.size_mb.",
            validator=_FINITE,
            show_default=False,
        ),
    ] = None
    repeat: Annotated[
        int | None,
        Parameter(
            help="Number of runs, one after the other, in place of run.repeat.",
            validator=validators.Number(gte=1),
            show_default=False,
        ),
    ] = None
    pause: Annotated[
        float | None,
        Parameter(
            help="Seconds between two runs, in place of run.pause_s.",
            validator=validators.Number(gte=0, lt=math.inf),
            show_default=False,
        ),
    ] = None
    dry_run: Annotated[
        bool,
        Parameter(
            help="Check and show the tasks; start nothing.",
            negative="",
            show_default=False,
        ),
    ] = False
    quiet: Annotated[
        bool,
        Parameter(
            name=("--quiet", "-q"),
            help="Show neither progress nor summary. Notes and errors remain.",
            negative="",
            show_default=False,
        ),
    ] = False
    json: Annotated[
        bool,
        Parameter(
            help="Print the summary as a JSON document, one line for each run.",
            negative="",
            show_default=False,
        ),
    ] = False

    def execute(self, plan: Plan) -> None:
        """Run a plan, or show it only."""
        plan = self._applied(plan)
        if self.dry_run:
            from pixie_pipe.cli import plan_report

            if self.json:
                output.write_json(plan_report.to_dict(plan))
            else:
                plan_report.write(plan)
            return
        from pixie_pipe.cli.running import execute

        execute(plan, runs=self.runs, quiet=self.quiet, json=self.json)

    def _applied(self, plan: Plan) -> Plan:
        """Return a plan with the limits that were given in place of its own."""
        before = plan.limits
        return dataclasses.replace(
            plan,
            limits=dataclasses.replace(
                before,
                runtime_s=self.runtime or before.runtime_s,
                events=self.events or before.events,
                size_mb=self.size_mb or before.size_mb,
            ),
            repeat=self.repeat or plan.repeat,
            pause_s=plan.pause_s if self.pause is None else self.pause,
        )


def run(
    config: Path,
    /,
    *,
    plan: PlanOptions | None = None,
    options: RunOptions | None = None,
) -> None:
    """Run the pipeline that a configuration describes.

    It runs until the sources end, a limit is reached, or Ctrl-C; then everything
    that is under way is worked off. Ctrl-C once more kills the tasks. Between two
    runs, Ctrl-C ends the series.

    The exit code is 0 if every word is accounted for, 1 if not, 2 if the
    configuration is wrong, 130 after Ctrl-C, 143 after SIGTERM.

    Example: pixie-pipe run configs/demo.yaml --runtime 10

    Parameters
    ----------
    config
        YAML file that describes the pipeline.
    """
    (options or RunOptions()).execute((plan or PlanOptions()).load(config))
