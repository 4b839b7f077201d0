"""Options that say which digitizer is meant, which channels, and where results go."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pixie_pipe.cli.plans import TaskPath
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from pixie_pipe.drivers.digitizer import Digitizer
    from pixie_pipe.pipeline.plan import PlannedTask


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DriverOptions:
    """Which digitizer is meant."""

    driver: Annotated[
        str | None,
        Parameter(
            name=("--driver", "-d"),
            help="Name of the driver: simulated, xia, recorded, or one of your own.",
            show_default=False,
        ),
    ] = None
    option: Annotated[
        tuple[str, ...],
        Parameter(
            name="--option",
            help="Option of the driver, KEY=VALUE. May be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    driver_path: Annotated[
        tuple[Path, ...],
        Parameter(
            name="--driver-path",
            help="Directory with files of other drivers. May be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    config: Annotated[
        Path | None,
        Parameter(
            name=("--config", "-c"),
            help="Take driver and options from the TakeData task of a YAML file.",
            show_default=False,
        ),
    ] = None
    task: Annotated[
        str | None,
        Parameter(help="Which task, if it has several.", show_default=False),
    ] = None
    task_path: TaskPath = ()

    @contextmanager
    def opened(self) -> Iterator[Digitizer]:
        """Yield the digitizer, opened; it is closed at the end.

        Raises
        ------
        UsageError
            If it is not clear which one is meant, or there is no such driver.
        PixiePipeError
            If it cannot be opened.
        """
        with self._make() as digitizer:
            yield digitizer

    def _make(self) -> Digitizer:
        from pixie_pipe.drivers import (
            DriverNotFoundError,
            add_search_path,
            find_driver,
        )

        name, options, directories = self._chosen()
        try:
            add_search_path(directories)
            if name is None:
                raise UsageError(_which_driver())
            kind = find_driver(name)
        except DriverNotFoundError as error:
            raise UsageError(str(error)) from error
        try:
            return kind(**options)
        except (TypeError, ValueError) as error:
            given = ", ".join(options) or "none"
            raise UsageError(
                f"the driver {name} cannot be made with the options {given}: {error}; "
                f"see the parameters of {kind.__name__}"
            ) from error

    def _chosen(self) -> tuple[str | None, dict[str, Any], list[Path]]:
        """Return the name of the driver, its options, and where drivers are."""
        given = dict(map(_option, self.option))
        if self.config is None:
            if self.task is not None:
                raise UsageError("--task goes with --config")
            return self.driver, given, list(self.driver_path)
        if self.driver is not None:
            raise UsageError("--driver and --config both name a driver; give one")
        parameters = self._planned(self.config).parameters
        directories = [Path(one) for one in parameters.get("driver_path") or ()]
        options = {**(parameters.get("options") or {}), **given}
        name = parameters.get("driver") or "recorded"
        return name, options, [*directories, *self.driver_path]

    def _planned(self, config: Path) -> PlannedTask:
        from pixie_pipe.pipeline.plan_file import load_plan

        tasks = {
            task.name: task
            for task in load_plan(config, task_path=self.task_path).tasks
            if {"driver", "options"} <= task.kind.parameters.keys()
        }
        if self.task is not None and self.task in tasks:
            return tasks[self.task]
        if len(tasks) == 1 and self.task is None:
            return next(iter(tasks.values()))
        if not tasks:
            raise UsageError(f"{config}: no task in it has a driver; give --driver")
        wrong = "" if self.task is None else f"{self.task!r} is none of them; "
        raise UsageError(
            f"{config}: tasks with a driver are {', '.join(tasks)}; {wrong}choose one "
            f"with --task"
        )


def _which_driver() -> str:
    from pixie_pipe.drivers import known_drivers

    return (
        f"which digitizer? Give --driver NAME (known: {', '.join(known_drivers())}) "
        f"or --config FILE"
    )


def _option(text: str) -> tuple[str, Any]:
    from pixie_pipe.config.errors import ConfigError
    from pixie_pipe.config.yaml_lines import read_yaml

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--option {text}: expected KEY=VALUE")
    if not value.strip():
        return key, None
    try:
        return key, read_yaml(value, Path("value")).value
    except ConfigError as error:
        raise UsageError(f"--option {text}: {error}") from error


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ModuleOptions:
    """Which modules are meant."""

    modules: Annotated[
        str | None,
        Parameter(
            name=("--modules", "--module", "-m"),
            help="Modules by number or name: 0, 0,2 or c0-s02; by default all.",
            show_default=False,
        ),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return modules as the functions take them."""
        if self.modules is None:
            return {"modules": None}
        return {"modules": [name.strip() for name in self.modules.split(",")]}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ChannelOptions(ModuleOptions):
    """Which channels are meant."""

    channels: Annotated[
        str | None,
        Parameter(
            name=("--channels", "--channel", "-n"),
            help="Channels of these modules: 3 or 0,4-7; by default all.",
            show_default=False,
        ),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return modules and channels as the functions take them.

        Raises
        ------
        ChoiceError
            If a text names no channels.
        """
        from pixie_pipe.scanning import parse_numbers

        channels = None if self.channels is None else parse_numbers(self.channels)
        return {**ModuleOptions.chosen(self), "channels": channels}


@contextmanager
def choices_as_usage() -> Iterator[None]:
    """Tell of wrong choices as of other wrong arguments.

    Raises
    ------
    UsageError
        In place of a `ChoiceError`.
    """
    from pixie_pipe.scanning import ChoiceError

    try:
        yield
    except ChoiceError as error:
        raise UsageError(str(error)) from error


def check_outputs(
    paths: Sequence[Path], data: Mapping[str, str], *, force: bool
) -> None:
    """Refuse files that cannot be written, before anything is measured.

    Parameters
    ----------
    paths
        The files.
    data
        Endings of files with numbers, and what they are; those of plots are allowed,
        too.
    force
        Whether a file may be replaced.

    Raises
    ------
    UsageError
        If an ending is unknown, or a directory does not exist.
    OutputExistsError
        If a file exists.
    MissingExtraError
        If there is to be a plot, and matplotlib is missing.
    """
    from pixie_pipe.plots import FORMATS, require

    for path in paths:
        suffix = path.suffix.lower()
        if suffix not in {*FORMATS, *data}:
            kinds = [
                *FORMATS,
                *(f"{ending} ({what})" for ending, what in data.items()),
            ]
            raise UsageError(f"{path}: expected a name that ends in {', '.join(kinds)}")
        if not path.parent.is_dir():
            raise UsageError(f"{path}: the directory {path.parent} does not exist")
        if path.exists() and not force:
            from pixie_pipe.storage.atomic import OutputExistsError

            raise OutputExistsError(path)
        if suffix in FORMATS:
            require()


def refuse_without_picture(
    options: Mapping[str, bool], outputs: Sequence[Path]
) -> None:
    """Refuse options that say how something is drawn, where nothing is.

    Parameters
    ----------
    options
        Names of such options, and whether they are given.
    outputs
        Files to write.

    Raises
    ------
    UsageError
        If one is given, and none of the files is a plot.
    """
    given = [name for name, is_given in options.items() if is_given]
    if given and not any(map(is_picture, outputs)):
        raise UsageError(
            f"{given[0]} says what is drawn: name a picture with -o, such as -o t.png"
        )


def check_settings_file(path: Path | None, *, force: bool) -> None:
    """Refuse a settings file that cannot be written, before anything is changed.

    Raises
    ------
    UsageError
        If it does not end in .json, or its directory does not exist.
    OutputExistsError
        If it exists.
    """
    if path is None:
        return
    if path.suffix.lower() != ".json":
        raise UsageError(
            f"{path}: expected a name that ends in .json, for settings in XIA's form"
        )
    check_outputs([path], {".json": "settings"}, force=force)


def settings_writer(
    digitizer: Digitizer, path: Path | None, *, force: bool
) -> Callable[[], None]:
    """Return what writes the settings of all modules, if a file is given.

    Raises
    ------
    DriverError
        If the driver has no settings files: before anything is changed.
    """
    if path is None:
        return lambda: None
    from pixie_pipe.scanning.targets import settings_files_of

    part = settings_files_of(digitizer, "save settings")
    return lambda: part.save_settings(path, force=force)


def channel_table(*titles: str) -> Table:
    """Return an empty table of channels: their names, and numbers at the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Channel", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right")
    return table


def number_text(value: float, digits: int) -> str:
    """Return a number with groups of digits, or a dash if it is not known."""
    if math.isnan(value):
        return "-"
    return f"{value:,.{digits}f}".replace(",", " ")


def is_picture(path: Path) -> bool:
    """Tell whether a file is a plot."""
    from pixie_pipe.plots import FORMATS

    return path.suffix.lower() in FORMATS
