"""``pixie-pipe check``: is a configuration right, and what does it say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.plans import PlanOptions


def check(
    config: Path,
    /,
    *,
    plan: PlanOptions | None = None,
    explain: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Check the configuration of a pipeline, and show its tasks.

    Everything that is wrong is told at once, with file and line. Nothing is
    started.

    Example: pixie-pipe check configs/demo.yaml --explain

    Parameters
    ----------
    config
        YAML file that describes the pipeline.
    explain
        Show the value of each parameter, and where it comes from.
    json
        Print one JSON document instead of tables.
    """
    checked = (plan or PlanOptions()).load(config)
    from pixie_pipe.cli import plan_report

    if json:
        output.write_json(plan_report.to_dict(checked))
        return
    plan_report.write(checked)
    if explain:
        plan_report.write_parameters(checked)
