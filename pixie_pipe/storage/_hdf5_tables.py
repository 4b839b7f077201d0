"""The tables of an HDF5 file beside its events: sources, layouts, balance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode.layout import Layout
from pixie_pipe.listmode.result import Balance
from pixie_pipe.storage.provenance import (
    Provenance,
    SourceFile,
    StreamRecord,
    printable,
)

_TEXT = h5py.string_dtype("utf-8")

_SOURCE_ROW = np.dtype(
    [
        ("stream", "u4"),
        ("path", _TEXT),
        ("size", "u8"),
        ("sha256", _TEXT),
        ("byte_order", _TEXT),
    ]
)
_BALANCE_FIELDS = ("read", "decoded", "rejected", "leftover", "trailing_bytes")
_BALANCE_ROW = np.dtype([("events", "u8"), *((name, "u8") for name in _BALANCE_FIELDS)])
_MODULE_ROW = np.dtype([("stream", "u4"), ("crate", "u1"), ("slot", "u1")])


def write_provenance(file: h5py.File, provenance: Provenance) -> None:
    """Write the tables ``/layouts``, ``/modules``, ``/balance`` and ``/sources``.

    ``/times`` is there only if something was done to the times.
    """
    streams = provenance.streams
    _table(
        file,
        "layouts",
        np.array([json.dumps(stream.layout.to_dict()) for stream in streams], object),
        _TEXT,
        "Layout of each stream, as JSON",
    )
    if any(stream.times for stream in streams):
        _table(
            file,
            "times",
            np.array([json.dumps(dict(stream.times)) for stream in streams], object),
            _TEXT,
            "What was done to the times of each stream, as JSON",
        )
    _table(
        file,
        "modules",
        [
            (number, *module)
            for number, stream in enumerate(streams)
            for module in stream.modules
        ],
        _MODULE_ROW,
        "Modules that have events, with the stream that holds them",
    )
    _table(
        file,
        "balance",
        [
            (
                stream.events,
                *(getattr(stream.balance, name) for name in _BALANCE_FIELDS),
            )
            for stream in streams
        ],
        _BALANCE_ROW,
        "Of each stream: events, and where its 32-bit words went; "
        "read = decoded + rejected + leftover",
    )
    _table(
        file,
        "sources",
        [
            (
                number,
                printable(source.path),
                source.size,
                source.sha256,
                stream.byte_order,
            )
            for number, stream in enumerate(streams)
            for source in stream.sources
        ],
        _SOURCE_ROW,
        "Raw files, in the order of their words; size in bytes",
    )


def _table(
    file: h5py.File,
    name: str,
    rows: Sequence[tuple[Any, ...]] | NDArray[np.object_],
    dtype: np.dtype[Any],
    description: str,
) -> None:
    table = file.create_dataset(name, data=np.array(rows, dtype), dtype=dtype)
    table.attrs["description"] = description


def read_provenance(file: h5py.File) -> Provenance:
    """Read what `write_provenance` wrote."""
    layouts = [Layout.from_dict(json.loads(text)) for text in file["layouts"].asstr()]
    times: list[dict[str, Any]] = [{}] * len(layouts)
    if "times" in file:
        times = [json.loads(text) for text in file["times"].asstr()]
    modules, balance, sources = (
        file[name][:] for name in ("modules", "balance", "sources")
    )
    streams = [
        StreamRecord(
            layout=layout,
            modules=tuple(
                (int(row["crate"]), int(row["slot"]))
                for row in modules[modules["stream"] == number]
            ),
            sources=tuple(
                SourceFile(
                    Path(row["path"].decode()), int(row["size"]), row["sha256"].decode()
                )
                for row in sources[sources["stream"] == number]
            ),
            balance=Balance(*(int(balance[name][number]) for name in _BALANCE_FIELDS)),
            events=int(balance["events"][number]),
            byte_order="big"
            if b"big" in sources["byte_order"][sources["stream"] == number]
            else "little",
            times=times[number],
        )
        for number, layout in enumerate(layouts)
    ]
    return Provenance(tuple(streams), str(file.attrs["command"]))
