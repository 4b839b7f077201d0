"""Counts that outlive their process are those of the last checkpoint."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.kernels import histogram as kernels
from pixie_pipe.pipeline import lasting_memory
from pixie_pipe.pipeline.lasting_memory import LastingMemory

WIDTH = 16
batches = st.lists(st.integers(0, 3 * WIDTH - 1), max_size=50)


def add(array, places):
    array.grow(3)
    room = array.room(len(places))
    room[:] = places
    array.add(len(places))


def expected(*parts):
    places = [place for part in parts for place in part]
    return np.bincount(places, minlength=3 * WIDTH).tolist()


@given(before=st.lists(batches, max_size=3), since=st.lists(batches, max_size=4))
def test_what_was_added_since_is_put_back(tmp_path_factory, before, since):
    path = tmp_path_factory.mktemp("memory") / "counts"
    memory = LastingMemory(path)
    array = memory.array(0, WIDTH)
    for part in before:
        add(array, part)
    number = memory.checkpoint()
    for part in since:
        add(array, part)
    after = LastingMemory(path)
    after.resume(number)
    again = after.array(0, WIDTH)
    again.grow(3)
    assert again.counts.reshape(-1)[: 3 * WIDTH].tolist() == expected(*before)
    # It goes on, and so on.
    add(again, [1, 2, 1])
    number = after.checkpoint()
    add(again, [5])
    last = LastingMemory(path)
    last.resume(number)
    counts = last.array(0, WIDTH).counts
    assert counts.reshape(-1)[: 3 * WIDTH].tolist() == expected(*before, [1, 2, 1])


@given(
    batches, st.lists(batches, min_size=1, max_size=4), st.integers(0, 40), st.data()
)
def test_whoever_is_killed_and_wherever(tmp_path_factory, before, since, at, data):
    """In each kernel, and again while it is taken back."""
    path = tmp_path_factory.mktemp("memory") / "counts"
    memory = LastingMemory(path)
    array = memory.array(0, WIDTH)
    add(array, before)
    number = memory.checkpoint()
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(data.draw(st.integers(1, 3))):
            left = [at]
            for name in ("add_counts", "remove_counts"):
                patch.setattr(lasting_memory, name, killed_in(name, left))
            try:
                for part in since:
                    add(array, part)
            except Killed:
                pass
            at = data.draw(st.integers(0, 40))
            # The next process can be killed as well, before it has added anything.
            for _ in range(data.draw(st.integers(0, 2))):
                left[0] = 1
                with contextlib.suppress(Killed):
                    resume(path, number)
            left[0] = 0
            array = resume(path, number)
    last = LastingMemory(path)
    last.resume(number)
    counts = last.array(0, WIDTH).counts.reshape(-1)
    assert counts[: 3 * WIDTH].tolist() == expected(before)
    assert not counts[3 * WIDTH :].any()


def resume(path, number):
    """Return the counts of the checkpoint, in a process of its own."""
    memory = LastingMemory(path)
    memory.resume(number)
    return memory.array(0, WIDTH)


class Killed(BaseException):
    """Stands for SIGKILL."""


def killed_in(name, left):
    """Return a kernel that ends in the middle, when `left` goes down to 0."""
    kernel = getattr(kernels, name)

    def run(counts, places):
        left[0] -= 1
        if left[0]:
            kernel(counts, places)
            return
        half = places.size // 2
        # What is taken back goes from the end to the beginning.
        kernel(counts, places[:half] if name == "add_counts" else places[half:])
        raise Killed

    return run


def test_a_checkpoint_that_was_not_kept_is_none(tmp_path):
    memory = LastingMemory(tmp_path / "counts")
    array = memory.array(0, WIDTH)
    add(array, [1])
    first = memory.checkpoint()
    add(array, [2])
    memory.checkpoint()
    # Killed before the second checkpoint was on the disk: nothing was added since.
    after = LastingMemory(tmp_path / "counts")
    after.resume(first)
    counts = after.array(0, WIDTH).counts.reshape(-1)
    assert counts[: 3 * WIDTH].tolist() == expected([1])


def test_counts_of_somebody_else_are_refused(tmp_path):
    memory = LastingMemory(tmp_path / "counts")
    array = memory.array(0, WIDTH)
    add(array, [1, 2])
    number = memory.checkpoint()
    add(array, [2])
    array.counts[0, 1] = 0
    array.counts[0, 2] = 0
    after = LastingMemory(tmp_path / "counts")
    after.resume(number)
    with pytest.raises(ValueError, match="2 at its last checkpoint"):
        after.array(0, WIDTH)


def test_new_memory_begins_empty(tmp_path):
    add(LastingMemory(tmp_path / "counts").array(0, WIDTH), [1])
    array = LastingMemory(tmp_path / "counts").array(0, WIDTH)
    array.grow(1)
    assert not array.counts.any()


def test_counts_that_are_gone_are_missed(tmp_path):
    memory = LastingMemory(tmp_path / "counts")
    memory.resume(1)
    with pytest.raises(FileNotFoundError):
        memory.array(0, WIDTH)


def test_many_notes_and_many_rows(tmp_path):
    memory = LastingMemory(tmp_path / "counts")
    array = memory.array(0, WIDTH)
    rng = np.random.default_rng(1)
    places = rng.integers(0, 40_000 * WIDTH, 300_000)
    array.grow(5)
    array.grow(40_000)
    for part in np.array_split(places, 7):
        array.room(part.size)[:] = part
        array.add(part.size)
    size = array.counts.size
    assert array.counts.reshape(-1).tolist() == (
        np.bincount(places, minlength=size).tolist()
    )


PROGRAM = """
import sys
import numpy as np
from pixie_pipe.pipeline.lasting_memory import LastingMemory

memory = LastingMemory(sys.argv[1])
array = memory.array(0, 1 << 16)
array.grow(1)
rng = np.random.default_rng(1)
done = 0
while True:
    room = array.room(20_000)
    room[:] = rng.integers(0, 1 << 16, 20_000)
    array.add(20_000)
    done += 1
    if done % 3 == 0:
        print(memory.checkpoint(), flush=True)
"""


def test_a_killed_process_leaves_the_last_checkpoint(tmp_path):
    path = tmp_path / "counts"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(20):
        number = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    number = int(rest.split()[-1]) if rest.endswith("\n") and rest else number
    memory = LastingMemory(path)
    memory.resume(number)
    rng = np.random.default_rng(1)
    counts = memory.array(0, 1 << 16).counts[0]
    places = rng.integers(0, 1 << 16, (3 * number, 20_000)).ravel()
    assert counts.tolist() == np.bincount(places, minlength=1 << 16).tolist()
