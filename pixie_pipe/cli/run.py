"""``pixie-pipe run``: run the pipeline that a configuration describes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.plans import PlanOptions

if TYPE_CHECKING:
    from pixie_pipe.pipeline.plan import Plan


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
            help="Seconds after which it is stopped; by default when the sources end.",
            validator=validators.Number(gt=0),
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
            help="Print the summary as one JSON document.",
            negative="",
            show_default=False,
        ),
    ] = False

    def execute(self, plan: Plan) -> None:
        """Run a plan, or show it only."""
        if self.dry_run:
            from pixie_pipe.cli import plan_report

            if self.json:
                output.write_json(plan_report.to_dict(plan))
            else:
                plan_report.write(plan)
            return
        from pixie_pipe.cli.running import execute

        execute(
            plan,
            runs=self.runs,
            runtime=self.runtime,
            quiet=self.quiet,
            json=self.json,
        )


def run(
    config: Path,
    /,
    *,
    plan: PlanOptions | None = None,
    options: RunOptions | None = None,
) -> None:
    """Run the pipeline that a configuration describes.

    It runs until the sources end, --runtime is over, or Ctrl-C; then everything
    that is under way is worked off. Ctrl-C once more kills the tasks.

    The exit code is 0 if every word is accounted for, 1 if not, 2 if the
    configuration is wrong, 130 after Ctrl-C, 143 after SIGTERM.

    Example: pixie-pipe run configs/demo.yaml --runtime 10

    Parameters
    ----------
    config
        YAML file that describes the pipeline.
    """
    (options or RunOptions()).execute((plan or PlanOptions()).load(config))
