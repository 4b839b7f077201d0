"""Arrays, and parts of one piece of memory."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.buffers import CACHE_LINE, BufferPool


@given(st.lists(st.integers(0, 5000), max_size=8))
def test_parts_have_their_sizes_begin_at_cache_lines_and_do_not_overlap(sizes):
    parts = BufferPool().take_parts(sizes)
    assert [part.size for part in parts] == sizes
    assert all(part.ctypes.data % CACHE_LINE == 0 for part in parts if part.size)
    for number, part in enumerate(parts):
        part[:] = number
    for number, part in enumerate(parts):
        assert (part == number).all()


def test_a_part_keeps_the_memory_of_all():
    pool = BufferPool()
    first, second = pool.take_parts([70_000, 70_000])
    del first
    second[:] = 7
    for _ in range(5):
        pool.take(140_000)[:] = 1
    assert np.all(second == 7)


@given(st.integers(0, 40_000), st.sampled_from(["u1", "u2", "i8"]))
def test_arrays_have_their_length_and_type(count, dtype):
    array = BufferPool().take_array(count, dtype)
    array[:] = 3
    assert array.shape == (count,)
    assert array.dtype == np.dtype(dtype)
