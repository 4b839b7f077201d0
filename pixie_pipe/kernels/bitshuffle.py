"""Bitshuffle and LZ4 as one kernel: how columns of events are compressed.

Bitshuffle brings the bits of equal weight of a block of values together, in a *plane*
for each. In what a digitizer writes, a plane is either noise, which no LZ4 makes
smaller, or constant over long stretches. So the only repetitions that are looked for
are long runs of one byte. The result is up to 5 % larger than with a search for any
repetition, and made in 0.4 to 0.9 of the time of the library's functions, by column
(docs/decisions.md). Any reader of the format can read it.

Formats: a chunk of bitshuffle as its HDF5 filter stores it (number 32008; K. Masui et
al., Astronomy and Computing 12 (2015) 181), and the blocks of LZ4 (lz4_Block_format.md
of the LZ4 project).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.errors import PixiePipeError

BLOCK_BYTES: Final = 8192
"""Bytes of values that are shuffled together, as in bitshuffle by default."""

ITEM_SIZES: Final = (1, 2, 4, 8)

_LENGTH_BYTES: Final = 4
"""Before each block: the bytes that it was compressed to, big-endian."""

# LZ4: a match is four bytes at least, begins twelve bytes before the end at the latest
# and leaves five; lengths from 15 on continue in further bytes.
_LEAST_MATCH: Final = 4
_LAST_MATCH_START: Final = 12
_LAST_LITERALS: Final = 5
_LENGTH_IN_TOKEN: Final = 15

_LEAST_RUN_WORDS: Final = 2
"""Words of a run that is written as one: a shorter one saves a few bytes, and takes as
long as a long one (docs/decisions.md)."""

u8 = np.uint8
u16 = np.uint16
u64 = np.uint64


class CompressionError(PixiePipeError, ValueError):
    """Values that cannot be compressed, or no room for the result."""


def most_compressed_bytes(nbytes: int) -> int:
    """Return how many bytes `compress` may need for values of so many bytes."""
    blocks = nbytes // BLOCK_BYTES + 1
    # LZ4's own bound: a token, and one more byte for 255 of literals.
    return nbytes + nbytes // 255 + blocks * (16 + _LENGTH_BYTES)


def compress(values: NDArray[Any], target: NDArray[np.uint8]) -> int:
    """Compress values block by block.

    Parameters
    ----------
    values
        C-contiguous, of 1, 2, 4 or 8 bytes each, any shape. A last block that is not
        full is smaller; up to seven values behind it are stored as they are.
    target
        Where to write, shape (m,), with room for `most_compressed_bytes`.

    Returns
    -------
    int
        How many bytes were written.

    Raises
    ------
    CompressionError
        If values or target are not as described.
    """
    if values.itemsize not in ITEM_SIZES or not values.flags.c_contiguous:
        raise CompressionError(
            f"values are {values.dtype}, contiguous={values.flags.c_contiguous}; "
            f"expected contiguous ones of 1, 2, 4 or 8 bytes each"
        )
    if target.size < most_compressed_bytes(values.nbytes):
        raise CompressionError(
            f"there is room for {target.size} bytes, expected "
            f"{most_compressed_bytes(values.nbytes)}"
        )
    source = read_only(values.reshape(-1).view(np.uint8))
    return int(_compress(source, values.itemsize, target))


@jit
def _compress(
    source: NDArray[np.uint8], itemsize: int, target: NDArray[np.uint8]
) -> int:
    """Write all blocks, and then what is left; return the end of it."""
    one, other = np.empty(BLOCK_BYTES, np.uint8), np.empty(BLOCK_BYTES, np.uint8)
    shuffled = source.size // (8 * itemsize) * (8 * itemsize)
    end = 0
    for start in range(0, shuffled, BLOCK_BYTES):
        behind = min(start + BLOCK_BYTES, shuffled)
        planes = one[: behind - start]
        _shuffle(source[start:behind], itemsize, planes, other[: behind - start])
        first = end + _LENGTH_BYTES
        end = _put_block(planes, target, first)
        for i in range(_LENGTH_BYTES):
            target[first - 1 - i] = u8((end - first) >> (8 * i))
    for i in range(shuffled, source.size):
        target[end] = source[i]
        end += 1
    return end


@jit
def _shuffle(
    source: NDArray[np.uint8],
    itemsize: int,
    one: NDArray[np.uint8],
    other: NDArray[np.uint8],
) -> None:
    """Bring the bits of equal weight together in `one`; `other` is of the same size.

    Of the place of a byte, in binary digits, each pass moves the last digit to the
    front. So the bytes of a value are parted in log2(itemsize) passes, and the bits
    in three, after each eight bytes have been transposed as eight times eight bits.
    """
    if itemsize == 1:
        for i in range(source.size):
            one[i] = source[i]
    elif itemsize == 2:
        _part_even_and_odd(source, one)
    elif itemsize == 4:
        _part_even_and_odd(source, other)
        _part_even_and_odd(other, one)
    size = source.size // itemsize
    to_part = u64(0xFFFFFFFFFFFFFFFF)
    if itemsize == 8:
        to_part = _part_words(source, one, other)
    for byte in range(itemsize):
        if (to_part >> u64(8 * byte)) & u64(0xFF):
            start = byte * size
            _part_bits(one[start : start + size], other[start : start + size])


@jit
def _part_words(
    source: NDArray[np.uint8], target: NDArray[np.uint8], spare: NDArray[np.uint8]
) -> np.uint64:
    """Bring the bytes of equal weight of values of eight bytes together.

    In a block of times, or of numbers of coincidences, the upper bytes do not change:
    they are not moved, and the planes of their bits are written at once.

    Returns
    -------
    int
        The bits of the bytes that were moved: their bits are to be parted.
    """
    words = source.view(np.uint64)
    size = words.size
    changing = u64(0)
    for i in range(size):
        changing |= words[i] ^ words[0]
    to_part = u64(0)
    for half in range(2):
        shift = u64(32 * half)
        there = target[4 * half * size : 4 * (half + 1) * size]
        first = (words[0] >> shift) & u64(0xFFFFFFFF)
        bits = np.uint32(changing >> shift)
        moved = 0
        if bits > np.uint32(0xFFFF):
            moved = 4
            quads = spare[: 4 * size].view(np.uint32)
            for i in range(size):
                quads[i] = np.uint32(words[i] >> shift)
            _part_even_and_odd(spare[: 4 * size], spare[4 * size :])
            _part_even_and_odd(spare[4 * size :], there)
        elif bits > np.uint32(0xFF):
            moved = 2
            pairs = spare[: 2 * size].view(np.uint16)
            for i in range(size):
                pairs[i] = u16(words[i] >> shift)
            _part_even_and_odd(spare[: 2 * size], there[: 2 * size])
        elif bits > np.uint32(0):
            moved = 1
            for i in range(size):
                there[i] = u8(words[i] >> shift)
        to_part |= ((u64(1) << u64(8 * moved)) - u64(1)) << shift
        if first >> u64(8 * moved) == u64(0):
            there[moved * size :] = u8(0)
            continue
        for byte in range(moved, 4):
            _fill_planes(
                there[byte * size : (byte + 1) * size], u8(first >> u64(8 * byte))
            )
    return to_part


@jit
def _part_bits(values: NDArray[np.uint8], spare: NDArray[np.uint8]) -> None:
    """Bring the bits of equal weight of bytes together, in place."""
    if _is_constant(values):
        # As of the upper bytes of times, and of traces.
        _fill_planes(values, values[0])
        return
    _transpose(values, spare)
    _part_even_and_odd(spare, values)
    _part_even_and_odd(values, spare)
    _part_even_and_odd(spare, values)


@jit
def _fill_planes(planes: NDArray[np.uint8], value: np.uint8) -> None:
    """Write the planes of bytes that are all the same."""
    size = planes.size // 8
    for bit in range(8):
        byte = u8(255) if (value >> u8(bit)) & u8(1) else u8(0)
        planes[bit * size : (bit + 1) * size] = byte


@jit
def _is_constant(values: NDArray[np.uint8]) -> bool:
    words = values.view(np.uint64)
    same = u64(values[0]) * u64(0x0101010101010101)
    different = u64(0)
    for i in range(words.size):
        different |= words[i] ^ same
    return different == u64(0)


@jit
def _part_even_and_odd(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    """Move the bytes at even places to the first half, the others to the second."""
    pairs = source.view(np.uint16)
    even, odd = target[: pairs.size], target[pairs.size :]
    # Shifting and narrowing compiles to vector code, strides do not.
    for i in range(pairs.size):
        even[i] = u8(pairs[i])
        odd[i] = u8(pairs[i] >> u16(8))


@jit
def _transpose(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    """Transpose each eight bytes as a matrix of bits."""
    # H. S. Warren, Hacker's Delight, second edition, section 7-3.
    words, transposed = source.view(np.uint64), target.view(np.uint64)
    for i in range(words.size):
        word = words[i]
        swapped = (word ^ (word >> u64(7))) & u64(0x00AA00AA00AA00AA)
        word = word ^ swapped ^ (swapped << u64(7))
        swapped = (word ^ (word >> u64(14))) & u64(0x0000CCCC0000CCCC)
        word = word ^ swapped ^ (swapped << u64(14))
        swapped = (word ^ (word >> u64(28))) & u64(0x00000000F0F0F0F0)
        transposed[i] = word ^ swapped ^ (swapped << u64(28))


@jit
def _put_block(planes: NDArray[np.uint8], target: NDArray[np.uint8], end: int) -> int:
    """Write planes as a block of LZ4; return the end of what is written."""
    words = planes.view(np.uint64)
    # A run is found by a whole word of it, and written as a match with the byte before.
    last_word = (planes.size - _LAST_MATCH_START) // 8
    done = 0
    i = 0
    while i <= last_word:
        word = words[i]
        if word != (word >> u64(8)) | (word << u64(56)):
            i += 1
            continue
        start = 8 * i
        while i <= last_word and words[i] == word:
            i += 1
        behind = 8 * i
        if behind - start < 8 * _LEAST_RUN_WORDS:
            continue
        byte = planes[start]
        while start > done and planes[start - 1] == byte:
            start -= 1
        while behind < planes.size - _LAST_LITERALS and planes[behind] == byte:
            behind += 1
        if start == 0 or planes[start - 1] != byte:
            # The first one is what the others repeat.
            start += 1
        end = _put_literals(planes[done:start], behind - start, target, end)
        end = _put_match(behind - start, target, end)
        done = behind
        i = (behind + 7) // 8
    return _put_literals(planes[done:], _LEAST_MATCH, target, end)


@jit
def _put_literals(
    literals: NDArray[np.uint8], match: int, target: NDArray[np.uint8], end: int
) -> int:
    """Write the token of a sequence and its literals."""
    count = min(literals.size, _LENGTH_IN_TOKEN)
    target[end] = u8((count << 4) | min(match - _LEAST_MATCH, _LENGTH_IN_TOKEN))
    end = _put_length(literals.size, target, end + 1)
    # Copying from view to view compiles to vector code.
    place = target[end : end + literals.size]
    for i in range(place.size):
        place[i] = literals[i]
    return end + literals.size


@jit
def _put_match(match: int, target: NDArray[np.uint8], end: int) -> int:
    """Write that the byte before is repeated."""
    target[end] = u8(1)
    target[end + 1] = u8(0)
    return _put_length(match - _LEAST_MATCH, target, end + 2)


@jit
def _put_length(length: int, target: NDArray[np.uint8], end: int) -> int:
    """Write what of a length does not fit into the token."""
    if length < _LENGTH_IN_TOKEN:
        return end
    length -= _LENGTH_IN_TOKEN
    while length >= 255:
        target[end] = u8(255)
        end += 1
        length -= 255
    target[end] = u8(length)
    return end + 1
