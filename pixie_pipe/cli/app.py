"""The commands and options of ``pixie-pipe``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter

from pixie_pipe._version import __version__
from pixie_pipe.cli import output
from pixie_pipe.cli.baselines import baselines
from pixie_pipe.cli.bench import bench
from pixie_pipe.cli.calibrate import calibrate
from pixie_pipe.cli.check import check
from pixie_pipe.cli.console import console
from pixie_pipe.cli.convert import convert
from pixie_pipe.cli.export import export
from pixie_pipe.cli.inspect import inspect
from pixie_pipe.cli.layouts import layouts
from pixie_pipe.cli.mca import mca
from pixie_pipe.cli.modules import modules
from pixie_pipe.cli.offsets import offsets
from pixie_pipe.cli.plot import plot
from pixie_pipe.cli.plugins import plugins
from pixie_pipe.cli.rates import rates
from pixie_pipe.cli.replay import replay
from pixie_pipe.cli.run import run as run_pipeline
from pixie_pipe.cli.runs import make_app as make_runs
from pixie_pipe.cli.sample import sample
from pixie_pipe.cli.scan import scan
from pixie_pipe.cli.schema import schema
from pixie_pipe.cli.scope import scope
from pixie_pipe.cli.settings import settings_app
from pixie_pipe.cli.tasks import tasks
from pixie_pipe.cli.tau import tau
from pixie_pipe.cli.usage import UsageError

_HELP = """Read list-mode data of XIA Pixie-16 digitizers.

Example, without any hardware:

  pixie-pipe sample sample.bin

  pixie-pipe inspect sample.bin --frequency 500 --revision 34688
"""

_EVERYWHERE = Group("Everywhere", sort_key=9)


def run(tokens: Sequence[str]) -> int:
    """Parse the command line and run the command.

    Returns
    -------
    int
        The exit code: what the command returns, or 0.

    Raises
    ------
    UsageError
        If it cannot be parsed.
    """
    app = App(
        name="pixie-pipe",
        help=_HELP,
        help_format="plaintext",
        version=f"pixie-pipe {__version__}",
    )
    app.command(run_pipeline, name="run", usage=_usage("run CONFIG [OPTIONS]"))
    app.command(replay, usage=_usage("replay CONFIG FILES... [OPTIONS]"))
    app.command(make_runs())
    app.command(console, usage=_usage("console [CONFIG] [OPTIONS]"))
    app.command(modules, usage=_usage("modules [OPTIONS]"))
    app.command(scope, usage=_usage("scope [OPTIONS]"))
    app.command(mca, usage=_usage("mca SECONDS [OPTIONS]"))
    app.command(baselines, usage=_usage("baselines [OPTIONS]"))
    app.command(tau, usage=_usage("tau [OPTIONS]"))
    app.command(offsets, usage=_usage("offsets [OPTIONS]"))
    app.command(calibrate, usage=_usage("calibrate RUN... --source NAME [OPTIONS]"))
    app.command(rates, usage=_usage("rates [OPTIONS]"))
    app.command(
        scan, usage=_usage("scan PARAMETER VALUES [PARAMETER2 VALUES2] [OPTIONS]")
    )
    app.command(check, usage=_usage("check CONFIG [OPTIONS]"))
    app.command(tasks, usage=_usage("tasks [NAMES...] [OPTIONS]"))
    app.command(plugins, usage=_usage("plugins [OPTIONS]"))
    app.command(schema, usage=_usage("schema [OPTIONS]"))
    app.command(convert, usage=_usage("convert FILES... -o OUTPUT [OPTIONS]"))
    app.command(export, usage=_usage("export SOURCE... -o OUTPUT [OPTIONS]"))
    app.command(plot, usage=_usage("plot WHAT SOURCE -o FILE [OPTIONS]"))
    app.command(inspect, usage=_usage("inspect FILES... [OPTIONS]"))
    app.command(settings_app())
    app.command(sample, usage=_usage("sample FILE [OPTIONS]"))
    app.command(layouts, usage=_usage("layouts"))
    app.command(bench, usage=_usage("bench [NAMES...] [OPTIONS]"))

    @app.meta.default
    def launch(
        *arguments: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        versions: Annotated[
            bool,
            Parameter(
                help="Show the versions of the libraries.",
                negative="",
                show_default=False,
                group=_EVERYWHERE,
            ),
        ] = False,
        debug: Annotated[  # noqa: ARG001 - main() looks for it; it belongs in the help
            bool,
            Parameter(
                help="Show the traceback of an error.",
                negative="",
                show_default=False,
                group=_EVERYWHERE,
            ),
        ] = False,
    ) -> int:
        if versions:
            _print_versions()
            return 0
        return _call(app, arguments)

    return _call(app.meta, tokens)


def _usage(text: str) -> str:
    return f"Usage: pixie-pipe {text}"


def _call(app: App, tokens: Sequence[str]) -> int:
    try:
        command, bound, _ = app.parse_args(
            tokens, print_error=False, exit_on_error=False
        )
    except CycloptsError as error:
        text = str(error).strip()
        name = " ".join(error.command_chain or ())
        help_command = f"pixie-pipe {name} --help" if name else "pixie-pipe --help"
        raise UsageError(f"{text}\nSee {help_command}") from error
    code = command(*bound.args, **bound.kwargs)
    return code if isinstance(code, int) else 0


def _print_versions() -> None:
    import platform
    from importlib import metadata

    lines = [f"pixie-pipe {__version__}", f"Python {platform.python_version()}"]
    for name in _LIBRARIES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    output.results().print("\n".join(lines))


_LIBRARIES = (
    "numpy",
    "numba",
    "h5py",
    "hdf5plugin",
    "pydantic",
    "pyyaml",
    "cyclopts",
    "rich",
    "pyarrow",
    "pandas",
    "awkward",
    "uproot",
    "matplotlib",
)
