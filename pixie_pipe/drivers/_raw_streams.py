"""Raw files as the streams of modules: which belong together, and reading them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.storage.provenance import SourceFile
from pixie_pipe.storage.raw import Paths, RawFileError, open_raw, read_into, size_of
from pixie_pipe.storage.raw_recorder import split_file_name
from pixie_pipe.storage.streams import Stream, StreamError, assign_streams

if TYPE_CHECKING:
    from io import FileIO

    from pixie_pipe.config.modules import ModuleConfig
    from pixie_pipe.listmode.words import ByteOrder

_WORD: Final = np.dtype("<u4")

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


def module_name(crate: int, slot: int) -> str:
    """Return the name of a module's stream: ``c0-s02``."""
    return f"c{crate}-s{slot:02d}"


def parse_modules(entries: Iterable[Mapping[str, Any] | str]) -> list[ModuleConfig]:
    """Make modules of the entries of a configuration.

    Parameters
    ----------
    entries
        Mappings with the keys of ``configs/modules.yaml``, or short forms as
        `pixie_pipe.config.parse_module` takes them.

    Raises
    ------
    ConfigError
        If an entry is wrong or a module is listed twice; the text names the entry.
    """
    # Imported here: pydantic takes long to import.
    from pixie_pipe.config.errors import ConfigError

    modules: list[ModuleConfig] = []
    for index, entry in enumerate(entries):
        module = _parse_module(entry, f"modules[{index}]")
        if any(module.module == known.module for known in modules):
            raise ConfigError(
                f"modules[{index}]: module {module.crate}/{module.slot} is listed twice"
            )
        modules.append(module)
    return modules


def _parse_module(entry: Mapping[str, Any] | str, place: str) -> ModuleConfig:
    import difflib

    from pydantic import ValidationError

    from pixie_pipe.config.errors import ConfigError
    from pixie_pipe.config.modules import ModuleConfig, parse_module
    from pixie_pipe.listmode.errors import LayoutError

    if isinstance(entry, str):
        return parse_module(entry)
    try:
        module = ModuleConfig.model_validate(entry)
        module.layout  # noqa: B018  # raises for what has no layout
    except LayoutError as error:
        raise ConfigError(f"{place}: {error}") from error
    except ValidationError as error:
        known = list(ModuleConfig.model_fields)
        # A misspelled name is also a missing one: the first has the suggestion.
        problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        problem = problems[0]
        key = str(problem["loc"][0]) if problem["loc"] else ""
        text = f"{problem['msg']}, got {problem['input']!r}"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            text = f"there is no such setting; {hint}Known: {', '.join(known)}"
        elif problem["type"] == "missing":
            text = "is missing"
        raise ConfigError(f"{place}{'.' if key else ''}{key}: {text}") from error
    return module


def find_streams(
    files: Paths,
    modules: Sequence[Mapping[str, Any] | str] = (),
    *,
    frequency: int | None = None,
    revision: int | None = None,
    hardware: str | None = None,
    byte_order: ByteOrder = "little",
    max_event_length: int | None = None,
) -> list[Stream]:
    """Return which files are which stream, and how to decode them.

    Parameters
    ----------
    files
        Paths and patterns. May be empty if all modules name their files.
    modules
        The modules, as for `parse_modules`.
    frequency, revision, hardware
        Instead of `modules`: one layout for all files, as for `Layout.find`.
    byte_order, max_event_length
        As for `pixie_pipe.listmode.decode`.

    Raises
    ------
    StreamError
        If neither modules nor a layout are given, or both, or if the files do not
        fit them.
    RawFileError
        If there are no files, or one is missing, cannot be read, or holds no data.
    ConfigError, LayoutError
        If an entry of `modules`, or the layout, is wrong.
    """
    named = {"frequency": frequency, "revision": revision, "hardware": hardware}
    given = [name for name, value in named.items() if value is not None]
    layout: Layout | list[ModuleConfig]
    if modules:
        if given:
            raise StreamError(
                f"both modules and {' and '.join(given)} are given, expected one of "
                f"them: put {' and '.join(given)} into the entries of modules"
            )
        layout = parse_modules(modules)
    elif not files:
        raise RawFileError("no raw files were given, expected paths or patterns")
    elif frequency is None or revision is None:
        raise StreamError(
            "nothing tells the layout of the files: give modules, such as "
            "['0/2:500/34688'], or frequency (in MSPS) and revision (the number of the "
            "DSP firmware)"
        )
    else:
        layout = Layout.find(frequency, revision, hardware)
    return assign_streams(
        files, layout, byte_order=byte_order, max_event_length=max_event_length
    )


def stream_names(streams: Sequence[Stream]) -> list[str]:
    """Return a short name for each stream, all different.

    It is that of the module if only one can appear, or else that of the first file.
    """
    names: list[str] = []
    for stream in streams:
        if stream.modules is not None and len(stream.modules) == 1:
            wanted = module_name(*stream.modules[0])
        else:
            stem = split_file_name(stream.paths[0].name)[0]
            wanted = _NOT_IN_NAMES.sub("-", stem).strip("-._") or "stream"
        name, number = wanted, 1
        while name in names:
            number += 1
            name = f"{wanted}-{number}"
        names.append(name)
    return names


class StreamReader:
    """Reads the files of one stream, one behind the other, as words.

    A word may begin in one file and end in the next one.

    Parameters
    ----------
    paths
        The files in the order of the stream.
    frame_bytes
        Largest size of what is read at once; at least 8.
    byte_order
        Order of the bytes in the files.
    pool
        Memory to use again.

    Raises
    ------
    RawFileError
        If a file is missing or cannot be read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        frame_bytes: int,
        byte_order: ByteOrder = "little",
        pool: BufferPool | None = None,
    ) -> None:
        self._frame_bytes = frame_bytes
        self._byte_order = byte_order
        self._pool = BufferPool() if pool is None else pool
        self._inputs = [SourceFile(path, size_of(path)) for path in paths]
        self.bytes_total = sum(file.size for file in self._inputs)
        self.bytes_read = 0
        self._number = 0
        self._file: FileIO | None = None
        self._read_of_file = 0
        self._odd = b""

    @property
    def inputs(self) -> tuple[SourceFile, ...]:
        """The files, with what was read of them, or with their sizes before that."""
        return tuple(self._inputs)

    @property
    def current(self) -> Path | None:
        """The file that is read next; None at the end."""
        return None if self.is_done else self._inputs[self._number].path

    @property
    def is_done(self) -> bool:
        """Whether all files are read to their end."""
        return self._number == len(self._inputs)

    @property
    def fraction(self) -> float:
        """How much of all bytes is read, 0 to 1; of nothing, all is read."""
        return self.bytes_read / self.bytes_total if self.bytes_total else 1.0

    @property
    def trailing(self) -> bytes:
        """Bytes that were read and make no whole word yet, at most three."""
        return self._odd

    def read(self) -> NDArray[np.uint32]:
        """Return the next words, shape (n,); none only at the end.

        The memory is the caller's. It is used again when nothing refers to it.

        Raises
        ------
        RawFileError
            If a file has gone or has become shorter, or the disk fails.
        """
        lent = self._pool.take(self._frame_bytes)
        frame = lent.data[: self._frame_bytes]
        used = len(self._odd)
        frame[:used] = self._odd
        while used < len(frame) and not self.is_done:
            used += self._read_file(frame[used:])
        whole = used // _WORD.itemsize * _WORD.itemsize
        self._odd = bytes(frame[whole:used])
        words = lent[:whole].view(_WORD)
        if self._byte_order == "big":
            words.byteswap(inplace=True)
        return words

    def _read_file(self, room: memoryview) -> int:
        """Read from the current file, and go to the next one at its end."""
        known = self._inputs[self._number]
        if self._file is None:
            self._file = open_raw(known.path)
            self._read_of_file = 0
        count = read_into(known.path, self._file, room)
        self.bytes_read += count
        self._read_of_file += count
        if count < len(room):
            self.close()
            if self._read_of_file < known.size:
                raise RawFileError(
                    f"{known.path}: ended after {self._read_of_file} bytes, but had "
                    f"{known.size} before: do not change files while they are read"
                )
            self._inputs[self._number] = SourceFile(known.path, self._read_of_file)
            self._number += 1
        return count

    def close(self) -> None:
        """Close the file that is open."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
