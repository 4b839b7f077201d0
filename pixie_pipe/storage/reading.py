"""Read raw files into memory, for a session or a notebook."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pixie_pipe.listmode.decoder import decode
from pixie_pipe.storage.notes import RejectionTally, stream_notes
from pixie_pipe.storage.probing import probe
from pixie_pipe.storage.raw import (
    DataWarning,
    Paths,
    RawFileError,
    expand_paths,
    read_whole,
)

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.listmode.layout import Layout
    from pixie_pipe.listmode.result import Decoded
    from pixie_pipe.listmode.words import ByteOrder
    from pixie_pipe.storage.provenance import Module, SourceFile


def read_events(
    paths: Paths,
    layout: Layout,
    *,
    modules: Iterable[Module] | None = None,
    max_event_length: int | None = None,
    byte_order: ByteOrder = "little",
) -> Events:
    """Read the events of raw list-mode files.

    Several files are one stream: an event, even a single word, may begin in one
    file and end in the next.

    Parameters
    ----------
    paths
        A file, a glob pattern, or several of these in the order of the run.
        Numbers in the names that match a pattern are counted: ``run_2`` comes
        before ``run_10``.
    layout
        Layout of the module, from `Layout.find`.
    modules
        (crate, slot) of all modules that can appear. By default any.
    max_event_length
        Longest event that can appear, in words.
    byte_order
        ``"big"`` for files that were written the other way round.

    Returns
    -------
    Events
        All events, in the order of the files.

    Raises
    ------
    RawFileError
        If a file cannot be read, is byte-swapped, or has another layout.
    LayoutError
        If `modules` or `max_event_length` are impossible in the layout.

    Warns
    -----
    DataWarning
        For rejected words, an incomplete last event, odd bytes at the end and
        empty files, one each.

    See Also
    --------
    read_raw : gives the rejected words too.
    """
    decoded, sources = _read(paths, layout, modules, max_event_length, byte_order)
    rejections = RejectionTally()
    rejections.add(decoded.rejected)
    for note in stream_notes(sources, decoded.balance, rejections):
        warnings.warn(note, DataWarning, stacklevel=2)
    return decoded.events


def read_raw(
    paths: Paths,
    layout: Layout,
    *,
    modules: Iterable[Module] | None = None,
    max_event_length: int | None = None,
    byte_order: ByteOrder = "little",
) -> Decoded:
    """Read the events of raw list-mode files, and what belongs to no event.

    Parameters
    ----------
    paths, layout, modules, max_event_length, byte_order
        As for `read_events`.

    Returns
    -------
    Decoded
        The events, the rejected words, the words of an incomplete last event, and
        the balance of all words. Offsets count words from the first file's start.

    Raises
    ------
    RawFileError, LayoutError
        As for `read_events`.
    """
    return _read(paths, layout, modules, max_event_length, byte_order)[0]


def _read(
    paths: Paths,
    layout: Layout,
    modules: Iterable[Module] | None,
    max_event_length: int | None,
    byte_order: ByteOrder,
) -> tuple[Decoded, list[SourceFile]]:
    files = expand_paths(paths)
    known = None if modules is None else tuple(modules)
    data, sources = read_whole(files)
    decoded = decode(
        data,
        layout,
        modules=known,
        max_event_length=max_event_length,
        byte_order=byte_order,
    )
    first = next((source for source in sources if source.size), None)
    if decoded.balance.rejected > decoded.balance.decoded and first is not None:
        # The others may begin in the middle of an event, or of a word.
        found = probe(
            first.path,
            layout,
            modules=known,
            max_event_length=max_event_length,
            byte_order=byte_order,
        )
        if found.problem is not None:
            raise RawFileError(found.problem)
    return decoded, sources
