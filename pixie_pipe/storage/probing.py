"""Recognise a raw file by its first part: modules, byte order, wrong layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._units import format_count
from pixie_pipe.listmode.decoder import decode
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.storage.raw import PathLike, open_raw, read_into, size_of

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.listmode.words import ByteOrder
    from pixie_pipe.storage.provenance import Module

# The first part of a file. If nothing can be made of it, a larger one is tried:
# the file may begin with damage.
PROBE_BYTES = (1 << 20, 16 << 20)


@dataclass(frozen=True, slots=True)
class Probe:
    """What the first part of a raw file holds.

    Attributes
    ----------
    path
        The file.
    size
        Its size in bytes.
    layout
        The layout that was asked for.
    byte_order
        The order of the bytes in which the words decode; as asked for, unless
        only the other one fits.
    modules
        (crate, slot) of the modules that have events here.
    events
        Number of events in the first part.
    words, decoded_words, rejected_words
        Words of the first part, of the events in it, and of what belongs to no
        event.
    problem
        One sentence on what is wrong with the file and what to do, or None. Then
        no words decode as asked for, or fewer than are rejected.
    is_foreign
        Whether the problem is that the words decode otherwise: in the other byte
        order (then `byte_order` is that one), with other modules (which `modules`
        names if there are no others), or in another layout.
    """

    path: Path
    size: int
    layout: Layout
    byte_order: ByteOrder
    modules: tuple[Module, ...]
    events: int
    words: int
    decoded_words: int
    rejected_words: int
    problem: str | None = None
    is_foreign: bool = False

    @property
    def decodes(self) -> bool:
        """Whether there are events in the first part."""
        return self.events > 0

    @property
    def rejected_fraction(self) -> float:
        """Rejected words over all words of the first part, 0 to 1."""
        return self.rejected_words / self.words if self.words else 0.0


def probe(
    path: PathLike,
    layout: Layout,
    *,
    modules: Sequence[Module] | None = None,
    max_event_length: int | None = None,
    byte_order: ByteOrder = "little",
) -> Probe:
    """Decode the first part of a raw file and tell what it is.

    Parameters
    ----------
    path
        The file.
    layout, modules, max_event_length, byte_order
        As for `decode`.

    Returns
    -------
    Probe
        What was found. If hardly any word decodes as asked for, `Probe.problem`
        tells whether the file is byte-swapped, has another layout or other
        modules, or is no list-mode file.

    Raises
    ------
    RawFileError
        If the file cannot be read.
    LayoutError
        If `modules` or `max_event_length` are impossible in the layout.
    """
    file = Path(path)
    attempt = _Attempt(layout, modules, byte_order, max_event_length)
    size = size_of(file)
    for part_bytes in PROBE_BYTES:
        data = _first_part(file, part_bytes)
        outcome = attempt.decode(data)
        found = outcome.as_probe(file, size)
        if outcome.mostly_decoded or found.words == 0:
            return found
        explained = _explain(found, attempt, data)
        if explained is not None:
            return explained
        if found.decodes or size <= part_bytes:
            break
    if found.decodes or found.rejected_words == 0:
        return found
    return dataclasses.replace(
        found,
        problem=(
            f"{file}: nothing decodes in the first {format_count(found.words)} words, "
            f"in any known layout or byte order; expected list-mode data of a Pixie-16"
        ),
    )


def _first_part(path: Path, size: int) -> NDArray[np.uint8]:
    data = np.empty(size, np.uint8)
    with open_raw(path) as file:
        return data[: read_into(path, file, data.data)]


@dataclass(frozen=True, slots=True)
class _Outcome:
    attempt: _Attempt
    events: Events
    words: int
    decoded_words: int
    rejected_words: int

    @property
    def mostly_decoded(self) -> bool:
        return self.decoded_words > self.rejected_words

    def as_probe(self, path: Path, size: int) -> Probe:
        return Probe(
            path=path,
            size=size,
            layout=self.attempt.layout,
            byte_order=self.attempt.byte_order,
            modules=modules_of(self.events),
            events=len(self.events),
            words=self.words,
            decoded_words=self.decoded_words,
            rejected_words=self.rejected_words,
        )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to read the words."""

    layout: Layout
    modules: Sequence[Module] | None
    byte_order: ByteOrder
    max_event_length: int | None

    def decode(self, data: NDArray[np.uint8]) -> _Outcome:
        decoded = decode(
            data,
            self.layout,
            modules=self.modules,
            max_event_length=self.max_event_length,
            byte_order=self.byte_order,
        )
        balance = decoded.balance
        return _Outcome(
            self, decoded.events, balance.read, balance.decoded, balance.rejected
        )


def modules_of(events: Events) -> tuple[Module, ...]:
    """Return (crate, slot) of the modules that have events, sorted."""
    crate, slot = events.crate, events.slot
    if len(events) == 0:
        return ()
    if crate.min() == crate.max() and slot.min() == slot.max():
        return ((int(crate[0]), int(slot[0])),)
    table = events.channels()
    return tuple(sorted({(int(row["crate"]), int(row["slot"])) for row in table}))


def name_modules(modules: Sequence[Module]) -> str:
    """Return ``"module 0/2"`` or ``"modules 0/2, 0/3"``."""
    names = ", ".join(f"{crate}/{slot}" for crate, slot in modules)
    return f"module {names}" if len(modules) == 1 else f"modules {names}"


def _explain(found: Probe, attempt: _Attempt, data: NDArray[np.uint8]) -> Probe | None:
    """Look for a way in which most of the words do decode."""
    swapped: ByteOrder = "little" if attempt.byte_order == "big" else "big"
    other = dataclasses.replace(attempt, byte_order=swapped).decode(data)
    if other.mostly_decoded:
        problem = (
            f"{found.path}: the words are byte-swapped, they decode only in the other "
            f'byte order; read it with byte_order="{swapped}" (--byte-order {swapped})'
        )
        return _foreign(found, problem, byte_order=swapped)
    if attempt.modules is not None:
        other = dataclasses.replace(attempt, modules=None).decode(data)
        if other.mostly_decoded:
            modules = modules_of(other.events)
            problem = (
                f"{found.path}: has events of {name_modules(modules)}, expected "
                f"{name_modules(attempt.modules)}"
            )
            return _foreign(found, problem, modules=found.modules or modules)
    fitting = [layout.name for layout in _other_layouts(attempt, data)]
    if fitting:
        problem = (
            f"{found.path}: {_share(found)} of the first {format_count(found.words)} "
            f"words decode in layout {attempt.layout.name}, but most do in "
            f"{' or '.join(fitting)}; check the module's frequency, firmware and "
            f"hardware revision"
        )
        return _foreign(found, problem)
    return None


def _foreign(found: Probe, problem: str, **changes: Any) -> Probe:
    return dataclasses.replace(found, problem=problem, is_foreign=True, **changes)


def _share(found: Probe) -> str:
    percent = 100 * found.decoded_words / found.words
    return f"only {percent:.1f} %" if found.decodes else "none"


def _other_layouts(attempt: _Attempt, data: NDArray[np.uint8]) -> Iterator[Layout]:
    for layout in Layout.known():
        if layout.name == attempt.layout.name:
            continue
        # The modules and the length limit may be impossible in another layout.
        other = dataclasses.replace(
            attempt, layout=layout, modules=None, max_event_length=None
        )
        if other.decode(data).mostly_decoded:
            yield layout
