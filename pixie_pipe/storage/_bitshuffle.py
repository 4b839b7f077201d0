"""Bitshuffle-LZ4 outside the HDF5 library, so that other threads can work meanwhile.

Filters of HDF5 run while h5py holds the interpreter's lock: decoder and checksums would
wait for them. The functions of the filter's own library can be called without the lock,
and the library then takes the compressed chunk as it is.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import hdf5plugin
import numpy as np
from numpy.typing import NDArray

Compress: TypeAlias = Callable[[NDArray[Any]], memoryview]
"""Makes the stored form of a chunk; it is valid until the next call."""

# What the filter puts before the data: bytes without compression, bytes of a block.
_HEADER = struct.Struct(">QI")


def chunk_compressor() -> Compress | None:
    """Return a function that does what the filter does with its default block size.

    None if the filter's library does not offer what is needed; HDF5 does it then.
    """
    found = hdf5plugin.get_config().registered_filters.get("bshuf")
    try:
        library = ctypes.CDLL(found)
        bound, block, compress = (
            library.bshuf_compress_lz4_bound,
            library.bshuf_default_block_size,
            library.bshuf_compress_lz4,
        )
    except (OSError, TypeError, AttributeError):
        return None
    size = ctypes.c_size_t
    bound.restype, bound.argtypes = size, [size] * 3
    block.restype, block.argtypes = size, [size]
    compress.restype = ctypes.c_int64
    compress.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[size] * 3]
    buffer = np.zeros(0, np.uint8)

    def compressed(chunk: NDArray[Any]) -> memoryview:
        nonlocal buffer
        itemsize = chunk.dtype.itemsize
        block_rows = block(itemsize)
        most = _HEADER.size + bound(chunk.size, itemsize, block_rows)
        if most > buffer.size:
            buffer = np.zeros(most, np.uint8)
        _HEADER.pack_into(buffer.data, 0, chunk.nbytes, block_rows * itemsize)
        target = buffer.ctypes.data + _HEADER.size
        count = compress(chunk.ctypes.data, target, chunk.size, itemsize, block_rows)
        if count < 0:
            raise OSError(f"bitshuffle failed with the code {count}")
        return buffer.data[: _HEADER.size + count]

    return compressed


def as_it_is(chunk: NDArray[Any]) -> memoryview:
    """Return the bytes of a chunk that is stored without compression."""
    return chunk.view(np.uint8).data
