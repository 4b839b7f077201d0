"""Which modules a sorter waits for, as the marks of streams tell."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

import msgspec

from pixie_pipe.pipeline.data import Module, Stream, StreamKey, StreamMark

if TYPE_CHECKING:
    from collections.abc import Iterable

# Crates have four bits: these stand for streams of which no module is known.
_UNKNOWN_CRATE = 255
_UNKNOWN_MODULES = 128 << 8


class Sorter(Protocol):
    """What is told about modules: a `TimeSorter`."""

    def add_module(self, module: Module) -> None:
        """Wait for a module."""

    def end_module(self, module: Module) -> None:
        """Wait for a module no more."""


class StreamWatch:
    """Numbers the streams, and tells a sorter which modules to wait for.

    A stream whose modules are not announced is waited for until its first events
    come; from then on its modules are.

    Parameters
    ----------
    sorter
        Is told about modules.
    """

    def __init__(self, sorter: Sorter) -> None:
        self._sorter = sorter
        self._numbers: dict[StreamKey, int] = {}
        self._open: dict[StreamKey, Stream] = {}
        self._seen: dict[StreamKey, set[Module]] = {}
        self._ended: list[StreamMark] = []

    def number(self, key: StreamKey) -> int:
        """Return the number of a stream: they count as they first appear."""
        return self._numbers.setdefault(key, len(self._numbers))

    def begin(self, stream: Stream) -> None:
        """Wait for the modules of a stream; marks may tell of its begin again."""
        number = self.number(stream.key)
        if stream.key in self._open:
            return
        self._open[stream.key] = stream
        if stream.modules is None:
            self._sorter.add_module(_stand_in(number))
        for module in stream.modules or ():
            self._sorter.add_module(module)

    def wants_modules(self, key: StreamKey) -> bool:
        """Tell whether only its events can tell the modules of a stream."""
        return key in self._open and self._open[key].modules is None

    def see(self, key: StreamKey, modules: Iterable[Module]) -> None:
        """Note the modules of events of a stream, which the sorter has been given."""
        if key not in self._seen:
            self._seen[key] = set()
            self._sorter.end_module(_stand_in(self.number(key)))
        self._seen[key].update(modules)

    def end(self, mark: StreamMark) -> None:
        """Wait no more for modules that no other stream has."""
        stream = mark.stream
        self._open.pop(stream.key, None)
        with_modules = self._with_modules(stream)
        self._ended.append(dataclasses.replace(mark, stream=with_modules))
        busy = {
            module for other in self._open.values() for module in other.modules or ()
        }
        busy |= {module for key in self._open for module in self._seen.get(key, ())}
        for module in self._modules(stream):
            if module not in busy:
                self._sorter.end_module(module)
        if stream.modules is None:
            self._sorter.end_module(_stand_in(self.number(stream.key)))

    def marks(self) -> list[StreamMark]:
        """Return the marks of the end of all streams; they tell the modules."""
        cut_off = map(self._with_modules, self._open.values())
        return [*self._ended, *(StreamMark(stream, ended=True) for stream in cut_off)]

    def _modules(self, stream: Stream) -> tuple[Module, ...]:
        if stream.modules is not None:
            return stream.modules
        return tuple(sorted(self._seen.get(stream.key, ())))

    def _with_modules(self, stream: Stream) -> Stream:
        return msgspec.structs.replace(stream, modules=self._modules(stream))


def _stand_in(number: int) -> Module:
    """Return a module that cannot be, to wait for a stream of unknown modules."""
    crate, slot = divmod(number % _UNKNOWN_MODULES, 256)
    return _UNKNOWN_CRATE - crate, slot
