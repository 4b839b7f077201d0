"""Shared memory: parts are used again only when nobody looks at them any more."""

from __future__ import annotations

import gc
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.support.keeping_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.buffers import BufferPool, use_memory
from pixie_pipe.events import Events
from pixie_pipe.pipeline import shared_memory
from pixie_pipe.pipeline.frames import unpack
from pixie_pipe.pipeline.shared_memory import (
    SUFFIX,
    SharedMemory,
    SharedMemoryError,
    SharedViews,
    is_in_memory,
)
from tests.storage.runs import MIXED, some_events
from tests.support.wire import Net, Receiver

if TYPE_CHECKING:
    from pixie_pipe.pipeline.input_port import Arrived

PAGE = 4096


@pytest.fixture
def memory(tmp_path) -> Iterator[SharedMemory]:
    made = SharedMemory(tmp_path / f"a{SUFFIX}")
    yield made
    made.close()


@pytest.fixture
def views(tmp_path) -> SharedViews:
    return SharedViews(tmp_path)


# The memory


def test_a_part_is_used_again_when_its_last_view_is_gone(memory):
    one = memory.allocate(PAGE)
    place = memory.place_of(one)
    view = one[10:20]
    assert memory.place_of(view) == place + 10
    del one
    assert memory.place_of(memory.allocate(PAGE)) != place
    del view
    assert memory.place_of(memory.allocate(PAGE)) == place
    assert memory.used_bytes == 2 * PAGE


def test_what_is_elsewhere_has_no_place(memory):
    assert memory.place_of(np.zeros(10)) is None


def test_there_is_no_more_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_memory, "LIMIT_BYTES", 3 * PAGE)
    memory = SharedMemory(tmp_path / f"a{SUFFIX}")
    parts = [memory.allocate(PAGE) for _ in range(3)]
    assert all(part is not None for part in parts)
    assert memory.allocate(PAGE) is None
    parts.clear()
    assert memory.allocate(PAGE) is not None
    memory.close()


def test_a_full_file_system_gives_none_and_not_a_crash(memory, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    assert memory.allocate(PAGE) is None
    use_memory(memory.allocate)
    try:
        assert memory.place_of(BufferPool().take(1 << 20)) is None
    finally:
        use_memory(None)


def test_pools_take_from_it(memory):
    use_memory(memory.allocate)
    try:
        pool = BufferPool()
        lent = pool.take(1 << 20)
        assert memory.place_of(lent) is not None
    finally:
        use_memory(None)
    assert memory.place_of(BufferPool().take(1 << 20)) is None


def test_readers_see_the_same_and_cannot_write(memory, views):
    part = memory.allocate(PAGE)
    part[:] = np.arange(PAGE) % 251
    place = memory.place_of(part)
    span, (later, first) = views.views(memory.name, [place + 40, place + 8], [3, 16])
    assert first.tolist() == list(range(8, 24))
    assert later.tolist() == [40, 41, 42]
    part[8] = 99
    assert first[0] == 99
    assert (span == part[8:43]).all()
    with pytest.raises(TypeError, match="read-only"):
        first[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        span[0] = 1


def test_the_span_lives_as_long_as_a_part_of_it(memory, views):
    place = memory.place_of(memory.allocate(PAGE))
    span, (part,) = views.views(memory.name, [place], [64])
    reference = weakref.ref(span)
    column = np.frombuffer(part, np.uint16).reshape(-1, 4)[2:]
    del span, part
    assert reference() is not None
    del column
    assert reference() is None


def test_parts_of_no_size(memory, views):
    memory.allocate(PAGE)
    span, parts = views.views(memory.name, [0, 0], [0, 0])
    assert span.size == 0
    assert [part.nbytes for part in parts] == [0, 0]


@pytest.mark.parametrize(
    ("name", "places", "sizes", "text"),
    [
        ("b.memory", [0], [1], "cannot read b.memory"),
        ("../a.memory", [0], [1], "is no name of shared memory"),
        ("a.data", [0], [1], "is no name of shared memory"),
        ("", [0], [1], "is no name of shared memory"),
        ("a.memory", [-1], [1], "do not exist"),
        ("a.memory", [0], [-1], "do not exist"),
        ("a.memory", [1 << 40], [1], "do not exist"),
        ("a.memory", [0, 1], [1], "2 places for 1 arrays"),
        ("a.memory", [], [], "0 places for 0 arrays"),
    ],
)
def test_places_that_are_not_there(memory, views, name, places, sizes, text):
    memory.allocate(PAGE)
    with pytest.raises(SharedMemoryError, match=text):
        views.views(name, places, sizes)


def test_which_directories_are_in_memory(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"disk / ext4 rw 0 0\nram {tmp_path}/ram tmpfs rw 0 0\n"
        f"disk {tmp_path}/ram/disk xfs rw 0 0\n"
    )

    def path(name):
        return mounts if name == "/proc/self/mounts" else Path(name)

    monkeypatch.setattr(shared_memory, "Path", path)
    found = {
        name: is_in_memory(tmp_path / name)
        for name in ("ram", "ram/x", "ram/disk/x", "ramp", "other")
    }
    expected = {"ram", "ram/x"}
    assert {name for name, is_there in found.items() if is_there} == expected
    mounts.unlink()
    assert not is_in_memory(tmp_path / "ram")


# Links


def opened(receiver: Receiver, frame: Arrived) -> Any:
    """Return what is in a frame, as a task would get it."""
    return unpack(frame.header, receiver.port.open(frame))


@pytest.fixture
def net(tmp_path) -> Iterator[Net]:
    made = Net("shared", tmp_path)
    yield made
    made.close()


def test_arrays_that_lie_in_the_memory_are_not_copied(net):
    sender, receiver = net.pair()
    memory = sender.outbox._memory
    part = memory.allocate(PAGE)
    part[:] = 7
    sender.send(part)
    frame = receiver.take()
    assert frame.header.places == [memory.place_of(part)]
    part[0] = 8
    assert opened(receiver, frame)[0] == 8


def test_events_arrive_as_they_were(net):
    sender, receiver = net.pair()
    events = some_events(500, **MIXED)
    sender.send(events)
    frame = receiver.take()
    assert frame.header.memory
    came = opened(receiver, frame)
    assert isinstance(came, Events)
    assert came.equals(events)


def test_what_a_task_keeps_stays_and_of_much_it_is_given_copies(net, monkeypatch):
    monkeypatch.setattr("pixie_pipe.pipeline.input_port.HELD_BYTES", 2 * PAGE)
    sender, receiver = net.pair()
    kept = []

    def keep(number: int) -> None:
        sender.send(np.full(PAGE, number, np.uint8))
        frame = receiver.take()
        kept.append(opened(receiver, frame))
        receiver.port.acknowledge(frame)
        sender.await_done()

    for number in range(5):
        keep(number)
    # Two are looked at in place, and all others are copies.
    assert len(sender.outbox._lent) == 2
    assert [block[0] for block in kept] == [0, 1, 2, 3, 4]
    kept.clear()
    receiver.port.release()
    while sender.outbox._lent:
        sender.await_acks()
    # What is not kept any more does not count.
    keep(5)
    assert len(sender.outbox._lent) == 1


def test_a_receiver_that_is_gone_keeps_nothing(net):
    sender, receiver = net.pair()
    sender.send(np.zeros(PAGE, np.uint8))
    frame = receiver.take()
    kept = opened(receiver, frame)
    receiver.port.acknowledge(frame)
    sender.await_done()
    assert kept.size
    assert sender.outbox._lent
    sender.outbox.cut(receiver.name)
    assert not sender.outbox._lent


def test_what_was_given_up_is_not_used_again_in_this_run(net):
    sender, receiver = net.pair()
    sender.send(np.full(1 << 16, 1, np.uint8))
    frame = receiver.take()
    sender.outbox.cut_all()
    came = opened(receiver, frame)
    for _ in range(20):
        sender.outbox._pool.take(1 << 16)[:] = 2
    assert (came == 1).all()


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from(["send", "take", "drop"]), st.integers(0, 9)))
)
def test_nothing_that_is_looked_at_ever_changes(tmp_path_factory, steps):
    """Whatever is sent, kept and dropped, in any order, over one small window."""
    net = Net("shared", tmp_path_factory.mktemp("net"))
    sender, receiver = net.pair(window=4 * PAGE)
    number = 0
    kept: list[tuple[int, Any]] = []
    try:
        for what, which in steps:
            if what == "send" and sender.outbox.has_room(PAGE):
                number += 1
                sender.send(np.full(PAGE, number % 256, np.uint8))
            elif what == "take" and not sender.outbox.is_done:
                frame = receiver.take()
                came = opened(receiver, frame)
                if which < 6:
                    kept.append((int(came[0]), came))
                del came
                receiver.port.acknowledge(frame)
                sender.await_acks()
            elif what == "drop" and kept:
                del kept[which % len(kept)]
                gc.collect()
                receiver.port.release()
                while sender.acks.poll(1):
                    sender.outbox.take_acks()
            assert all((block == value).all() for value, block in kept)
    finally:
        kept.clear()
        net.close()


# Pipelines


@pytest.mark.parametrize("last", [0, 1, 3])
def test_a_task_that_keeps_what_it_gets(make_pipeline, last):
    pipe = make_pipeline("Blocks", "Keeping", "Collect")
    second = pipe.create_task("Keeping", after="Blocks")
    pipe.configure({"Keeping": {"last": last}})
    for _ in range(2):
        pipe.start()
        assert pipe.wait(60, quiet=True)
        pipe.stop()
        for name in ("Keeping", second.name):
            assert pipe.last_report(name) == {"came": 120, "wrong": 0}


@pytest.fixture
def on_a_disk(monkeypatch):
    """Let sockets and memory be in a directory that is not kept in memory."""
    # Names of sockets are short; a directory of pytest would be too long.
    with tempfile.TemporaryDirectory(prefix="p", dir="/var/tmp") as name:
        if is_in_memory(Path(name)):
            pytest.skip("/var/tmp is kept in memory, too")
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)


def test_without_a_file_system_in_memory_data_travel(make_pipeline, on_a_disk):
    pipe = make_pipeline("Blocks", "Keeping")
    pipe.start()
    directory = pipe.supervisor.directory
    assert directory.parent == on_a_disk
    assert list(directory.glob(f"*{SUFFIX}")) == []
    assert pipe.wait(60, quiet=True)
    pipe.stop()
    assert pipe.last_report("Keeping") == {"came": 120, "wrong": 0}
    pipe.quit()


def test_the_memory_of_a_killed_process_is_removed_with_the_next_start(make_pipeline):
    pipe = make_pipeline("Blocks", "Keeping")
    pipe.connect()
    directory = pipe.supervisor.directory
    before = {path.name for path in directory.glob(f"*{SUFFIX}")}
    assert len(before) == 2
    pipe.send_kill("Blocks")
    pipe.until(lambda: not pipe.supervisor.records["Blocks"].is_alive)
    pipe.start()
    after = {path.name for path in directory.glob(f"*{SUFFIX}")}
    assert len(after) == 2
    assert len(before & after) == 1
    assert pipe.wait(60, quiet=True)
