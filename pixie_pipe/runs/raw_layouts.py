"""How the raw files of a run are decoded: from what the run says about its modules."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pixie_pipe.listmode.layout import Layout
from pixie_pipe.runs.errors import RunContentError
from pixie_pipe.storage.raw import DataWarning
from pixie_pipe.storage.run_starts import DAMAGED, start_snapshots, told_at_start
from pixie_pipe.storage.streams import Stream, assign_streams

if TYPE_CHECKING:
    from pixie_pipe.config.modules import ModuleConfig
    from pixie_pipe.storage.provenance import Provenance
    from pixie_pipe.storage.run_directory import RunDirectory

Modules = Layout | Sequence[str]
"""One layout for all modules, or modules in short form: ``0/2:500/34688``."""


def raw_streams(
    run: RunDirectory, known: Provenance | None, modules: Modules | None
) -> list[Stream]:
    """Return the streams of the raw files of a run.

    Parameters
    ----------
    run
        The run.
    known
        What a file of events of this run says about its streams.
    modules
        What the caller says about the modules; it is believed before all else.

    Raises
    ------
    RunContentError
        If the run has no raw files, or nothing tells the layout of its modules.
    StreamError, RawFileError
        If files and modules do not go together.
    """
    streams: dict[str, list[Any]] = {}
    for file in run.files:
        streams.setdefault(file.stream, []).append(file)
    paths = [
        run.raw / file.name
        for files in streams.values()
        for file in sorted(files, key=lambda file: file.first_offset)
    ]
    if not paths:
        raise RunContentError(
            f"{run.path}: the run has no raw files; it may be a replay, or GatherData "
            f"was told not to record"
        )
    if isinstance(modules, Layout):
        return assign_streams(paths, modules)
    if modules is not None:
        from pixie_pipe.config.modules import parse_module

        return assign_streams(paths, [parse_module(text) for text in modules])
    layouts = {} if known is None else _layouts_of(known)
    if not layouts:
        layouts = dict(_told_by_drivers(run))
    if not layouts:
        layouts = {entry.module: entry.layout for entry in _configured(run)}
    if not layouts:
        raise RunContentError(
            f"{run.path}: nothing tells the layout of its modules; name them, as in "
            f'modules=["0/2:500/34688"], or give a Layout'
        )
    entries = [_Entry(*module, layout) for module, layout in layouts.items()]
    return assign_streams(paths, entries)


class _Entry:
    """A module and its layout, as `assign_streams` takes them."""

    files: Sequence[str] = ()

    def __init__(self, crate: int, slot: int, layout: Layout) -> None:
        self.crate = crate
        self.slot = slot
        self.layout = layout


def _layouts_of(known: Provenance) -> dict[tuple[int, int], Layout]:
    return {
        module: stream.layout for stream in known.streams for module in stream.modules
    }


def _told_by_drivers(
    run: RunDirectory,
) -> Iterator[tuple[tuple[int, int], Layout]]:
    """Yield modules and layouts as the tasks that took the data have left them."""
    for path in start_snapshots(run.path):
        try:
            for own in told_at_start(path):
                for entry in own.get("layouts", ()):
                    module = (int(entry["crate"]), int(entry["slot"]))
                    yield module, Layout.from_dict(entry["layout"])
        except DAMAGED as error:
            warnings.warn(
                f"{path}: does not tell how to decode the raw files: {error}",
                DataWarning,
                stacklevel=2,
            )


def _configured(run: RunDirectory) -> Iterator[ModuleConfig]:
    """Return the modules that the record names, wherever it does."""
    record = run.record
    found: dict[tuple[int, int], ModuleConfig] = {}
    for entry in (*record.modules, *_entries(record.configuration)):
        module = _parsed(entry)
        if module is not None:
            found.setdefault(module.module, module)
    yield from found.values()


def _entries(configuration: Mapping[str, Any]) -> Iterator[Any]:
    """Return the entries of all lists of modules in a configuration."""
    tasks = configuration.get("tasks")
    for task in tasks if isinstance(tasks, Iterable) else ():
        parameters = task.get("parameters") if isinstance(task, Mapping) else None
        for holder in (parameters, (parameters or {}).get("options")):
            modules = holder.get("modules") if isinstance(holder, Mapping) else None
            if isinstance(modules, (list, tuple)):
                yield from modules


def _parsed(entry: object) -> ModuleConfig | None:
    """Return a module; None for what says too little about one."""
    from pydantic import ValidationError

    from pixie_pipe.config.errors import ConfigError
    from pixie_pipe.config.modules import ModuleConfig, parse_module
    from pixie_pipe.listmode.errors import LayoutError

    try:
        if isinstance(entry, str):
            module = parse_module(entry)
        else:
            names = set(ModuleConfig.model_fields).difference({"files"})
            values = entry if isinstance(entry, Mapping) else {}
            module = ModuleConfig.model_validate(
                {name: values[name] for name in names if name in values}
            )
        module.layout  # noqa: B018 - raises for what has no layout
    except (ConfigError, ValidationError, LayoutError):
        return None
    return module
