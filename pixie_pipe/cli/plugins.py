"""``pixie-pipe plugins``: where the tasks come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.plans import TaskPath, add_task_path

if TYPE_CHECKING:
    from pixie_pipe.pipeline import registry


def plugins(
    *,
    task_path: TaskPath = (),
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """List where each task comes from, and those that cannot be used.

    Tasks are built in, files in a directory given with --task-path, or come with
    other packages. The exit code is 1 if one of them cannot be imported.

    Example: pixie-pipe plugins --task-path tasks

    Parameters
    ----------
    json
        Print one JSON document instead of a table.
    """
    add_task_path(task_path)
    import dataclasses

    from pixie_pipe.pipeline import registry

    found = registry.plugins()
    if json:
        output.write_json(
            {"format": 1, "tasks": [dataclasses.asdict(item) for item in found]}
        )
    else:
        _print(found)
    broken = [item for item in found if item.error]
    if broken:
        from pixie_pipe.errors import PixiePipeError

        texts = dict.fromkeys(item.error for item in broken)
        raise PixiePipeError("\n".join(texts))


def _print(found: list[registry.Plugin]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("Task", "State", "Origin"):
        table.add_column(title, overflow="fold")
    for item in found:
        table.add_row(item.name, "broken" if item.error else "ok", item.origin)
    output.results().print(table)
