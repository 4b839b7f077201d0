"""``pixie-pipe console``: a pipeline at a prompt of IPython."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.plans import PlanOptions, add_task_path
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.pipeline import Pipeline

_HINTS = """\
  pipe.start()       begin a run; the prompt stays free
  pipe.status()      how it goes;  pipe.wait() watches it until it is over
  pipe.pause()       let the sources wait;  pipe.resume() lets them go on
  pipe.stop()        end the run;  pipe.balance() tells where the words went
  pipe.tasks.<TAB>   the tasks;    pipe.tasks.NAME.<TAB> what they can be set to
  exit               stop the run if there is one, and leave"""


def console(
    config: Path | None = None,
    *,
    plan: PlanOptions | None = None,
    runs: Annotated[
        Path | None,
        Parameter(
            env_var="PIXIE_PIPE_RUNS",
            help="Directory of the runs, in place of run.directory.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open a prompt of IPython with a pipeline.

    The pipeline is called pipe. Its commands return at once while a run goes on;
    what tasks print appears above the prompt. Leaving ends the run.

    Example: pixie-pipe console config.yaml

    Parameters
    ----------
    config
        YAML file that describes the pipeline; without one it is empty.
    """
    from pixie_pipe._extras import optional_import

    # What is missing is told before anything is read.
    optional_import("IPython", "console")
    pipe = _pipeline(config, plan or PlanOptions(), runs)
    try:
        with _hang_up_as_exit():
            _interact(pipe, _banner(pipe, config))
    finally:
        if pipe.supervisor is not None:
            output.note("ending the run and all tasks")
        pipe.quit()


def _pipeline(config: Path | None, plan: PlanOptions, runs: Path | None) -> Pipeline:
    from pixie_pipe.pipeline import Pipeline

    if config is not None:
        settings = {} if runs is None else {"runs": runs}
        return plan.load(config).build(Pipeline, **settings)
    if plan.set:
        raise UsageError(
            f"--set {plan.set[0]}: there is nothing to change; name a configuration"
        )
    add_task_path(plan.task_path)
    return Pipeline(runs=runs)


def _banner(pipe: Pipeline, config: Path | None) -> str:
    from pixie_pipe._version import __version__

    origin = "" if config is None else f" from {config}"
    title = f"pixie-pipe {__version__}: pipe is a pipeline{origin}"
    return f"{title}\n\n{pipe!r}\n\n{_HINTS}\n"


def _interact(pipe: Pipeline, banner: str) -> None:
    """Run IPython until the user leaves."""
    import numpy as np
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from IPython.terminal.ipapp import TerminalIPythonApp
    from traitlets.config import Config

    import pixie_pipe
    from pixie_pipe.errors import PixiePipeError
    from pixie_pipe.pipeline import Pipeline, Task

    settings = Config()
    settings.TerminalInteractiveShell.banner1 = banner
    settings.TerminalInteractiveShell.banner2 = ""
    settings.TerminalInteractiveShell.term_title_format = "pixie-pipe: {cwd}"
    if hasattr(TerminalInteractiveShell, "enable_tip"):
        settings.TerminalInteractiveShell.enable_tip = False
    # Static analysis cannot know the tasks of a pipeline.
    settings.Completer.use_jedi = False
    settings.IPCompleter.use_jedi = False
    _allow_completion()
    names = {
        "pipe": pipe,
        "Pipeline": Pipeline,
        "Task": Task,
        "np": np,
        "pixie_pipe": pixie_pipe,
    }
    app = TerminalIPythonApp.instance(user_ns=names, config=settings)
    app.initialize([])
    app.shell.set_custom_exc((PixiePipeError,), _show_briefly)
    app.start()


def _show_briefly(
    shell: Any,  # noqa: ANN401 - IPython has no types
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType,
    tb_offset: int | None = None,  # noqa: ARG001 - IPython gives it
) -> None:
    """Show the message of an error that says all; ``%tb`` shows the rest."""
    shell.showtraceback((kind, error, traceback), exception_only=True)


def _allow_completion() -> None:
    """Let TAB look into pipelines: reading these attributes has no side effects."""
    from IPython.core.guarded_eval import EVALUATION_POLICIES

    from pixie_pipe.pipeline import Pipeline
    from pixie_pipe.pipeline.handle import TaskHandle, TaskHandles

    policy = EVALUATION_POLICIES["limited"]
    policy.allowed_getattr |= {Pipeline, TaskHandles, TaskHandle}
    policy.allowed_getitem |= {Pipeline, TaskHandles}


@contextmanager
def _hang_up_as_exit() -> Iterator[None]:
    """Leave in good order when the terminal is closed."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGHUP, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, previous)
