"""Pools: what their workers send is handed out in the order that they were fed in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixie_pipe.pipeline.frames import (
    END,
    NOTHING,
    EndBody,
    pack,
    pack_end,
    pack_nothing,
)
from tests.support.wire import (
    TRANSPORTS,
    Net,
    Receiver,
    come,
    drained,
    frame_of,
    line_to,
)


@pytest.fixture(params=TRANSPORTS)
def net(request, tmp_path_factory):
    made = Net(request.param, tmp_path_factory.mktemp("net"))
    yield made
    made.close()


def pool(net: Net, workers: int = 2, *, restarted: bool = False):
    """Return a receiver that reads from a pool, and a way to send in its name."""
    senders = [net.sender(f"w-{number}") for number in range(workers)]
    receiver = net.receiver()
    receiver.connect(senders, is_pool=True)
    receiver.port.begin(1, restarted=restarted)
    line = line_to(net, receiver)
    sequences = [itertools.count() for _ in senders]

    def send(number: int, order: int, packed=None, *, last: bool = True) -> None:
        line.send_multipart(
            frame_of(
                packed or pack([number]),
                source=f"w-{number}",
                sequence=next(sequences[number]),
                order=order,
                last=last,
            )
        )

    return receiver, send


def orders(receiver: Receiver, count: int) -> list[tuple[int, str]]:
    headers = [receiver.take().header for _ in range(count)]
    return [(header.order, header.source) for header in headers]


def test_the_order_of_a_pool_is_restored(net):
    receiver, send = pool(net, 3)
    for number, order in ((1, 1), (1, 3), (0, 2), (0, 4)):
        send(number, order)
    come(receiver, 4)
    receiver.take_nothing()
    send(2, 0)
    assert orders(receiver, 5) == [
        (0, "w-2"),
        (1, "w-1"),
        (2, "w-0"),
        (3, "w-1"),
        (4, "w-0"),
    ]


def test_several_parts_of_a_datum_stay_together(net):
    receiver, send = pool(net)
    send(1, 1)
    send(0, 0, last=False)
    send(0, 0, last=False)
    assert orders(receiver, 2) == [(0, "w-0")] * 2
    receiver.take_nothing()
    send(0, 0)
    assert orders(receiver, 2) == [(0, "w-0"), (1, "w-1")]


def test_a_datum_without_output_keeps_its_place(net):
    receiver, send = pool(net)
    send(1, 1)
    send(0, 0, pack_nothing())
    frames = [receiver.take().header.kind for _ in range(2)]
    assert frames == [NOTHING, "objects"]
    # It is no datum.
    assert receiver.port.counts()["w-0"].frames == 0


def test_a_pool_ends_when_all_its_workers_have(net):
    receiver, send = pool(net)
    send(0, 0)
    send(0, -1, pack_end(EndBody(1, 0, 0)))
    assert orders(receiver, 1) == [(0, "w-0")]
    assert receiver.take().header.kind == END
    assert not receiver.port.ended
    send(1, 1)
    send(1, -1, pack_end(EndBody(1, 0, 0)))
    assert orders(receiver, 1) == [(1, "w-1")]
    assert receiver.take().header.kind == END
    assert receiver.port.ended


def test_what_a_lost_worker_leaves_out_does_not_hold_up_the_others(net):
    receiver, send = pool(net, 3)
    send(1, 1)
    send(1, 4)
    send(2, 2)
    come(receiver, 3)
    receiver.take_nothing()
    receiver.port.cut("w-0")
    # 0 is lost; 1 is the next one that can still come.
    assert orders(receiver, 2) == [(1, "w-1"), (2, "w-2")]
    # 3 may still come from w-2.
    receiver.take_nothing()
    send(2, 3)
    assert orders(receiver, 2) == [(3, "w-2"), (4, "w-1")]


def test_a_new_process_without_a_checkpoint_goes_on_in_the_order_of_a_pool(net):
    receiver, send = pool(net, restarted=True)
    send(0, 8, last=False)
    send(0, 8)
    # w-1 might send an earlier one.
    receiver.take_nothing()
    send(1, 7)
    send(1, 9)
    send(0, 10)
    assert orders(receiver, 5) == [
        (7, "w-1"),
        (8, "w-0"),
        (8, "w-0"),
        (9, "w-1"),
        (10, "w-0"),
    ]


@given(data=st.data())
@settings(max_examples=30)
def test_a_pool_gives_what_one_worker_gives_in_whatever_order_it_comes(
    tmp_path_factory, data
):
    net = Net("ipc", tmp_path_factory.mktemp("pool"))
    try:
        receiver, send = pool(net, 3)
        waiting: list[list[tuple[int, int, bool]]] = [[], [], []]
        expected = []
        for order in range(data.draw(st.integers(0, 12))):
            number = data.draw(st.integers(0, 2))
            parts = data.draw(st.integers(0, 3))
            for part in range(max(parts, 1)):
                waiting[number].append((order, parts, part + 1 >= parts))
                expected.append((order, f"w-{number}"))
        came = []
        while any(waiting):
            number = data.draw(st.sampled_from([n for n in range(3) if waiting[n]]))
            order, parts, last = waiting[number].pop(0)
            send(number, order, None if parts else pack_nothing(), last=last)
            drained(receiver)
            while (frame := receiver.port.next()) is not None:
                came.append((frame.header.order, frame.header.source))
        assert came == expected
    finally:
        net.close()
