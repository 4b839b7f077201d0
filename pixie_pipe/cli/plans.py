"""Options that say which pipeline is meant, and the plan that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from pixie_pipe.pipeline.plan import Plan

TaskPath = Annotated[
    tuple[Path, ...],
    Parameter(
        name="--task-path",
        help="Directory with tasks of the experiment. May be repeated.",
        negative="",
        show_default=False,
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What is changed and added to a configuration."""

    set: Annotated[
        tuple[str, ...],
        Parameter(
            help="Change a value of the configuration, PATH=VALUE: run.title=Test, "
            "tasks.SortEvents.window_us=20 or tasks[0].rate_hz=1e5. May be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    task_path: TaskPath = ()

    def load(self, config: Path) -> Plan:
        """Read and check a configuration.

        Raises
        ------
        ConfigError
            If anything in it is wrong.
        """
        from pixie_pipe.pipeline.plan_file import load_plan

        return load_plan(config, self.set, task_path=self.task_path)


def add_task_path(directories: tuple[Path, ...]) -> None:
    """Look for tasks in directories, too.

    Raises
    ------
    UsageError
        If one is no directory, or has a task that is known already.
    """
    from pixie_pipe.cli.usage import UsageError
    from pixie_pipe.pipeline.registry import RegistryError, add_search_path

    try:
        add_search_path(directories)
    except RegistryError as error:
        raise UsageError(f"--task-path {error}") from error
