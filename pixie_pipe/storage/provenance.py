"""Where events come from: what a file of events says about its sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pixie_pipe.listmode.layout import Layout
from pixie_pipe.listmode.result import Balance

Module = tuple[int, int]
"""(crate, slot) of a module."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A raw file as it was read.

    Attributes
    ----------
    path
        Path as it was given.
    size
        Bytes that were read from it.
    sha256
        Its checksum in hexadecimal digits; empty if it was not computed.
    """

    path: Path
    size: int
    sha256: str = ""

    def with_sha256(self, digits: str) -> SourceFile:
        """Return the same file with its checksum."""
        return dataclasses.replace(self, sha256=digits)


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """What became of one stream.

    Attributes
    ----------
    layout
        The layout that it was decoded with.
    modules
        (crate, slot) of the modules that have events in it.
    sources
        Its files, in order.
    balance
        Where its words went.
    events
        Its number of events; those of one stream are consecutive rows.
    byte_order
        Order of the bytes in the files.
    times
        What was done to its times, plain data: ``wall_clock`` and ``offsets_ps``, as
        docs/times.md says; empty if nothing was.
    """

    layout: Layout
    modules: tuple[Module, ...] = ()
    sources: tuple[SourceFile, ...] = ()
    balance: Balance = field(default_factory=Balance)
    events: int = 0
    byte_order: Literal["little", "big"] = "little"
    times: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and texts, for JSON."""
        return {
            "layout": self.layout.to_dict(),
            "modules": [list(module) for module in self.modules],
            "sources": [
                {"path": printable(source.path), "size": source.size}
                | ({"sha256": source.sha256} if source.sha256 else {})
                for source in self.sources
            ],
            "balance": dataclasses.asdict(self.balance),
            "events": self.events,
            "byte_order": self.byte_order,
        } | ({"times": dict(self.times)} if self.times else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StreamRecord:
        """Make the record that `to_dict` described."""
        return cls(
            layout=Layout.from_dict(values["layout"]),
            modules=tuple((crate, slot) for crate, slot in values["modules"]),
            sources=tuple(
                SourceFile(Path(item["path"]), item["size"], item.get("sha256", ""))
                for item in values["sources"]
            ),
            balance=Balance(**values["balance"]),
            events=values["events"],
            byte_order=values["byte_order"],
            times=values.get("times", {}),
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a file of events says about its origin.

    Attributes
    ----------
    streams
        The streams that the events come from, in the order of their rows.
    command
        The command line or the call that made the file.
    """

    streams: tuple[StreamRecord, ...] = ()
    command: str = ""


def printable(path: Path) -> str:
    """Return a path as text that any encoding of files can hold."""
    return str(path).encode("utf-8", "backslashreplace").decode()
