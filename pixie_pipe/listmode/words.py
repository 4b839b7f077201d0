"""From bytes and arrays to words."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode._constants import WORD
from pixie_pipe.listmode.errors import ChunkError

ByteOrder: TypeAlias = Literal["little", "big"]

Data: TypeAlias = bytes | bytearray | memoryview | NDArray[np.generic]
"""Words as an array of 32-bit integers, or bytes in any other form."""


def as_bytes(data: Data) -> NDArray[np.uint8]:
    """Return `data` as bytes in the order of a file, without a copy if possible.

    Raises
    ------
    TypeError
        If the data are an array of neither 32-bit integers nor bytes.
    """
    if not isinstance(data, np.ndarray):
        return np.frombuffer(data, np.uint8)
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind not in "iu" or size not in (1, WORD.itemsize):
        raise TypeError(
            f"list-mode data are an array of {data.dtype}, expected uint32 words or "
            f"uint8 bytes"
        )
    if size == WORD.itemsize:
        # Words in memory have a value; their bytes may be stored the other way.
        unsigned = np.dtype("u4").newbyteorder(data.dtype.byteorder)
        data = data.view(unsigned).astype(WORD, copy=False)
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8)


def as_words(data: NDArray[np.uint8], byte_order: ByteOrder) -> NDArray[np.uint32]:
    """Return bytes, a multiple of four, as words; copies only where it must.

    Raises
    ------
    ValueError
        If there is no such byte order.
    """
    if byte_order not in get_args(ByteOrder):
        raise ValueError(f"byte_order is {byte_order!r}, expected 'little' or 'big'")
    if data.ctypes.data % WORD.itemsize:
        data = data.copy()
    words = data.view(WORD)
    return words.byteswap() if byte_order == "big" else words


def whole_words(data: Data) -> NDArray[np.uint32]:
    """Return little-endian `data` as words; copies only where it must.

    Raises
    ------
    TypeError
        If the data are an array of neither 32-bit integers nor bytes.
    ChunkError
        If they do not end with a whole word.
    """
    octets = as_bytes(data)
    odd = octets.nbytes % WORD.itemsize
    if odd:
        raise ChunkError(
            f"{octets.nbytes} bytes are no whole number of 32-bit words: keep the last "
            f"{odd} until those behind them have come"
        )
    return as_words(octets, "little")
