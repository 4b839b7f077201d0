"""``pixie-pipe schema``: the JSON Schema of configurations, for editors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pixie_pipe.cli.plans import TaskPath, add_task_path


def schema(
    *,
    output_file: Annotated[
        Path | None, Parameter(name=("--output", "-o"), show_default=False)
    ] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    task_path: TaskPath = (),
) -> None:
    """Print the JSON Schema of the files that describe a pipeline.

    With it, an editor completes and checks while you type: put
    "# yaml-language-server: $schema=pipeline.schema.json" in the first line of the
    file. Tasks of --task-path are described as well as those that are built in.

    Example: pixie-pipe schema -o configs/pipeline.schema.json --force

    Parameters
    ----------
    output_file
        File to write instead of stdout.
    force
        Replace a file that exists.
    """
    add_task_path(task_path)
    from pixie_pipe.pipeline.registry import plugins
    from pixie_pipe.pipeline.schema import pipeline_schema, schema_text

    directories = {str(directory.resolve()) for directory in task_path}
    names = [
        plugin.name
        for plugin in plugins()
        if not plugin.error
        and (
            plugin.origin == "built in"
            or str(Path(plugin.origin).parent) in directories
        )
    ]
    text = schema_text(pipeline_schema(names))
    if output_file is None:
        sys.stdout.write(text)
        return
    from pixie_pipe.storage import new_file

    with new_file(output_file, force=force) as opened:
        opened.path.write_text(text, encoding="utf-8")
