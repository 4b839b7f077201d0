"""Chunks of HDF5 with bitshuffle-LZ4, made outside the library.

Filters of HDF5 run while h5py holds the interpreter's lock: decoder and checksums would
wait for them. The project's kernel works without the lock, and is faster; the library
takes the compressed chunk as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.bitshuffle import BLOCK_BYTES, compress, most_compressed_bytes

Compress: TypeAlias = Callable[[NDArray[Any]], memoryview]
"""Makes the stored form of a chunk; it is valid until the next call."""

# What the filter puts before the data: bytes without compression, bytes of a block.
_HEADER = struct.Struct(">QI")


def chunk_compressor() -> Compress:
    """Return a function that makes of a chunk what the filter would store."""
    buffer = np.zeros(0, np.uint8)

    def compressed(chunk: NDArray[Any]) -> memoryview:
        nonlocal buffer
        most = _HEADER.size + most_compressed_bytes(chunk.nbytes)
        if most > buffer.size:
            buffer = np.zeros(most, np.uint8)
        _HEADER.pack_into(buffer.data, 0, chunk.nbytes, BLOCK_BYTES)
        count = compress(chunk, buffer[_HEADER.size :])
        return buffer.data[: _HEADER.size + count]

    return compressed


def as_it_is(chunk: NDArray[Any]) -> memoryview:
    """Return the bytes of a chunk that is stored without compression."""
    return chunk.view(np.uint8).data
