"""``pixie-pipe replay``: run a pipeline on recorded files."""

from __future__ import annotations

from pathlib import Path

from pixie_pipe.cli.plans import PlanOptions
from pixie_pipe.cli.run import RunOptions
from pixie_pipe.cli.usage import UsageError


def replay(
    config: Path,
    /,
    *files: Path,
    plan: PlanOptions | None = None,
    options: RunOptions | None = None,
) -> None:
    """Run the pipeline of a configuration on recorded files.

    The files take the place of the sources of the configuration. They are not
    recorded again; the record of the run names them. All else is as for run.

    Example: pixie-pipe replay configs/demo.yaml runs/0042/raw/*.bin

    Parameters
    ----------
    config
        YAML file that describes the pipeline.
    files
        Raw list-mode files, those of one module in their order.
    """
    if not files:
        raise UsageError(
            f"no files were given; name the raw files of a run, as in pixie-pipe "
            f"replay {config} runs/0042/raw/*.bin"
        )
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: is no file, expected raw list-mode data")
    loaded = (plan or PlanOptions()).load(config)
    (options or RunOptions()).execute(loaded.replay(files))
