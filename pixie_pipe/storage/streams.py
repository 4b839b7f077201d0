"""Which files belong to which module, and in which order they are one stream."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.storage.probing import Probe, name_modules, probe
from pixie_pipe.storage.raw import Paths, RawFileError, expand_paths

if TYPE_CHECKING:
    from pixie_pipe.listmode.words import ByteOrder
    from pixie_pipe.storage.provenance import Module

_WORD_BYTES = 4

# Words found in the wrong layout by chance, beside those of the right one.
_BY_CHANCE = 0.01


class StreamError(PixiePipeError, ValueError):
    """Files and modules do not go together."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Files that are one stream of words, and how to decode them.

    Attributes
    ----------
    paths
        The files, in order.
    layout
        The layout of the modules in them.
    modules
        (crate, slot) of the modules that can appear; None accepts any.
    """

    paths: tuple[Path, ...]
    layout: Layout
    modules: tuple[Module, ...] | None = None


class ModuleEntry(Protocol):
    """A module of a configuration, as far as streams need it."""

    @property
    def crate(self) -> int:
        """Number of its crate."""

    @property
    def slot(self) -> int:
        """Its slot in the crate."""

    @property
    def layout(self) -> Layout:
        """Its layout."""

    @property
    def files(self) -> Sequence[str]:
        """Its files, in order; empty if they are to be found by their content."""


@dataclass(slots=True)
class _Draft:
    """A stream that grows file by file."""

    layout: Layout
    modules: set[Module]
    files: list[tuple[int, Path]]

    def absorb(self, other: _Draft) -> None:
        self.modules |= other.modules
        self.files = sorted(self.files + other.files)

    def finished(self, modules: tuple[Module, ...] | None) -> Stream:
        return Stream(tuple(path for _, path in self.files), self.layout, modules)


def assign_streams(
    paths: Paths,
    layout: Layout | Sequence[ModuleEntry],
    *,
    byte_order: ByteOrder = "little",
    max_event_length: int | None = None,
) -> list[Stream]:
    """Sort files into streams by what is at their start.

    Files with events of the same module are one stream, in the order given. A
    file in which nothing decodes at the start continues the stream of the file
    before it.

    Parameters
    ----------
    paths
        The files, as for `read_events`. May be empty if the modules name theirs.
    layout
        One layout for all files, or the configured modules, each with its own.
        Modules that name their files take these; all others are recognised.
    byte_order, max_event_length
        As for `decode`.

    Returns
    -------
    list of Stream
        In the order of their first files.

    Raises
    ------
    RawFileError
        If a file cannot be read, is byte-swapped, or has another layout.
    StreamError
        If a file holds a module that is not configured, or modules of several
        layouts.
    """
    if isinstance(layout, Layout):
        finder = _Finder(byte_order, max_event_length, [(layout, None)])
        return finder.streams(expand_paths(paths))
    named = _named_streams([entry for entry in layout if entry.files])
    taken = {path.resolve() for stream in named for path in stream.paths}
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files = expand_paths(given) if given else []
    files = [path for path in files if path.resolve() not in taken]
    choices: dict[Layout, list[Module]] = {}
    for entry in layout:
        if not entry.files:
            choices.setdefault(entry.layout, []).append((entry.crate, entry.slot))
    if files and not choices:
        raise StreamError(
            f"{files[0]}: belongs to no module, since every configured module names "
            f"its own files; add it to the files of one"
        )
    finder = _Finder(
        byte_order,
        max_event_length,
        [(layout, tuple(modules)) for layout, modules in choices.items()],
    )
    streams = [*named, *finder.streams(files)]
    if not streams:
        raise RawFileError("no raw files were given, expected at least one path")
    return streams


def _named_streams(entries: Sequence[ModuleEntry]) -> list[Stream]:
    """Make the streams of modules that name their files."""
    streams: dict[tuple[Path, ...], tuple[Layout, list[Module]]] = {}
    for entry in entries:
        files = tuple(expand_paths(entry.files))
        layout, modules = streams.setdefault(files, (entry.layout, []))
        modules.append((entry.crate, entry.slot))
        if layout != entry.layout:
            raise StreamError(
                f"{files[0]}: {name_modules(modules)} name the same files, but their "
                f"layouts differ ({layout.name} and {entry.layout.name}); a stream "
                f"has one layout"
            )
    return [
        Stream(files, layout, tuple(modules))
        for files, (layout, modules) in streams.items()
    ]


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds the modules and the layout of each file among some choices."""

    byte_order: ByteOrder
    max_event_length: int | None
    choices: Sequence[tuple[Layout, tuple[Module, ...] | None]]

    def streams(self, files: Sequence[Path]) -> list[Stream]:
        drafts: list[_Draft] = []
        waiting: list[tuple[int, Path]] = []
        last: _Draft | None = None
        problem: str | None = None
        size = 0
        for number, path in enumerate(files):
            found = self._find(path)
            # What begins in the middle of a word cannot be judged by itself.
            if size % _WORD_BYTES == 0:
                problem = problem or found.problem
            size += found.size
            if not found.decodes:
                (waiting if last is None else last.files).append((number, path))
                continue
            draft = _Draft(found.layout, set(found.modules), [(number, path)])
            if last is None:
                draft.files = [*waiting, *draft.files]
            last = _add(drafts, draft)
        if drafts:
            allowed = dict(self.choices)
            return [draft.finished(allowed[draft.layout]) for draft in drafts]
        if problem is not None:
            raise RawFileError(problem)
        # Nothing but empty files, or not one whole event.
        layout, modules = self.choices[0] if self.choices else (None, None)
        return [Stream(tuple(files), layout, modules)] if files and layout else []

    def _find(self, path: Path) -> Probe:
        """Probe a file with every choice and return the one that fits."""
        probes = [self._probe(path, *choice) for choice in self.choices]
        probes.sort(key=lambda found: found.decoded_words, reverse=True)
        best = probes[0]
        for other in probes[1:]:
            if other.decoded_words > _BY_CHANCE * best.decoded_words:
                raise StreamError(
                    f"{path}: has events of {name_modules(best.modules)} in layout "
                    f"{best.layout.name} and of {name_modules(other.modules)} in "
                    f"layout {other.layout.name}, expected one layout in a file; name "
                    f"the files of each module in the configuration"
                )
        if best.is_foreign:
            raise self._refusal(best)
        return best

    def _probe(
        self, path: Path, layout: Layout, modules: tuple[Module, ...] | None
    ) -> Probe:
        return probe(
            path,
            layout,
            modules=modules,
            byte_order=self.byte_order,
            max_event_length=self.max_event_length,
        )

    def _refusal(self, found: Probe) -> PixiePipeError:
        """Make the error for a file that decodes only in another way."""
        configured = sorted(m for _, modules in self.choices for m in modules or ())
        missing = [module for module in found.modules if module not in configured]
        if not configured or not missing:
            return RawFileError(found.problem)
        return StreamError(
            f"{found.path}: has events of {name_modules(missing)} (as layout "
            f"{found.layout.name} reads them), expected the configured "
            f"{name_modules(configured)}; add what is missing to the configuration, "
            f"or leave the file out"
        )


def _add(drafts: list[_Draft], draft: _Draft) -> _Draft:
    """Join `draft` with the streams that have one of its modules."""
    joined = [old for old in drafts if old.modules & draft.modules]
    if not joined:
        drafts.append(draft)
        return draft
    first = joined[0]
    for other in [*joined[1:], draft]:
        first.absorb(other)
    drafts[:] = [old for old in drafts if old not in joined[1:]]
    return first
