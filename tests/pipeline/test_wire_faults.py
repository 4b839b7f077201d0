"""What a running pipeline makes of things on its sockets that do not belong there."""

from __future__ import annotations

import contextlib
import logging

import msgspec
import numpy as np
import pytest
import zmq

import tests.support.pipeline_tasks
import tests.support.wire_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import supervisor
from pixie_pipe.pipeline.frames import FRAME_VERSION, EndBody, pack, pack_end
from pixie_pipe.pipeline.messages import Error, Finished, Status, encode_control
from tests.support.wire import body, frame_of

COUNT = 200
TOTAL = sum(range(COUNT * 1000))
MAGIC = b"pixie_pipe \x01"
PRINT = msgspec.msgpack.encode({"type": "PRINT", "text": "a"})

FOREIGN = {
    "older": ([b"pixie_pipe \x00", PRINT], "version 0 of the protocol, expected 1"),
    "newer": ([b"pixie_pipe \x02", PRINT], "version 2 of the protocol, expected 1"),
    "other program": ([b"GET /", PRINT], "is that another program?"),
    "large": ([MAGIC, b"*"], "3000000 bytes, expected at most 1048576"),
    "malformed": ([MAGIC, b"\xc1"], "cannot be read"),
    "no Unicode": ([MAGIC, PRINT[:-1] + b"\xff"], "cannot be read"),
    "no end of depth": (
        [MAGIC, b"\x82\xa4type\xa6REPORT\xaastatistics" + b"\x81\xa1a" * 20_000],
        "cannot be read",
    ),
    "one frame": ([MAGIC], "1 frames, expected 2"),
}
foreign = pytest.mark.parametrize(("frames", "text"), FOREIGN.values(), ids=FOREIGN)


def sound_run(pipeline) -> None:
    """Check that a run loses nothing."""
    pipeline.configure({"Numbers": {"count": COUNT, "size": 1000, "pause": 0.0}})
    pipeline.start()
    assert pipeline.wait(quiet=True)
    assert pipeline.state is Status.FINISHED
    is_complete(pipeline)


def is_complete(pipeline) -> None:
    assert pipeline.last_report("Collect")["total"] == TOTAL
    assert pipeline.last_report("Collect")["incomplete"] == []
    assert pipeline.balance().closes


def errors_of(pipeline, name: str) -> list[str]:
    return [str(error) for task, error in pipeline.errors if task == name]


# Control messages to the pipeline


@foreign
def test_a_task_that_sends_no_message_is_told_of_and_the_run_goes_on(
    make_pipeline, frames, text
):
    pipeline = make_pipeline("Numbers", "Babble", "Collect")
    pipeline.configure({"Babble": {"frames": ",".join(part.hex() for part in frames)}})
    sound_run(pipeline)
    pipeline.until(lambda: errors_of(pipeline, "Babble"))
    (error,) = errors_of(pipeline, "Babble")
    assert text in error
    assert error.startswith("Babble: a control message")
    # And the service is there for the next run.
    pipeline.stop()
    pipeline.configure({"Babble": {"frames": ""}})
    sound_run(pipeline)


@contextlib.contextmanager
def dealer(address: str, identity: bytes):
    """Return a socket to the pipeline."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 10_000
    socket.setsockopt(zmq.IDENTITY, identity)
    socket.connect(address)
    yield socket
    socket.close()
    context.term()


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_what_a_stranger_sends_is_logged_and_changes_nothing(
    make_pipeline, caplog, transport
):
    pipeline = make_pipeline("Numbers", "Collect", transport=transport)
    pipeline.configure({"Numbers": {"count": COUNT, "pause": 0.005}})
    pipeline.start()
    with (
        caplog.at_level(logging.WARNING),
        dealer(pipeline.supervisor.address, b"stranger") as socket,
    ):
        socket.send_multipart([b"GET / HTTP/1.1"])
        socket.send_multipart(encode_control(Finished(1, {})))
        pipeline.until(
            lambda: caplog.text.count("from 'stranger', which is no task") == 2
        )
    assert pipeline.wait(quiet=True)
    is_complete(pipeline)
    assert pipeline.errors == []


def test_nobody_can_take_the_name_of_a_task(make_pipeline, caplog):
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.configure({"Numbers": {"count": COUNT, "pause": 0.005}})
    pipeline.start()
    with (
        caplog.at_level(logging.WARNING),
        dealer(pipeline.supervisor.address, b"Collect") as socket,
        dealer(pipeline.supervisor.address, b"stranger") as later,
    ):
        socket.linger = 0
        socket.send_multipart(encode_control(Finished(1, {})))
        later.send_multipart([b"are you there?"])
        pipeline.until(lambda: "from 'stranger'" in caplog.text)
        assert pipeline.state is Status.RUNNING
        assert pipeline.wait(quiet=True)
    is_complete(pipeline)
    assert pipeline.errors == []


# Control messages to a task


@contextlib.contextmanager
def raw_messages(monkeypatch):
    """Let the supervisor send frames as they are, where it is given any."""

    def encode(message):
        return message if isinstance(message, list) else encode_control(message)

    with monkeypatch.context() as patch:
        patch.setattr(supervisor, "encode_control", encode)
        yield


def grown(frames: list[bytes]) -> list[bytes]:
    return [frame * 3_000_000 if frame == b"*" else frame for frame in frames]


@foreign
def test_a_task_that_is_sent_no_message_fails_with_the_reason(
    make_pipeline, monkeypatch, frames, text
):
    pipeline = make_pipeline("Numbers", "Double", "Collect")
    pipeline.configure({"Numbers": {"count": 0, "pause": 0.001}})
    pipeline.start()
    with raw_messages(monkeypatch):
        pipeline.supervisor.send("Double", grown(frames))
        pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert pipeline.state is Status.PANICKING
    pipeline.until(lambda: errors_of(pipeline, "Double"))
    error = errors_of(pipeline, "Double")[0]
    assert error.startswith("Double: ProtocolError: a control message")
    assert text in error
    balance = pipeline.balance()
    assert not balance.closes
    assert any(
        "Double failed: ProtocolError" in problem for problem in balance.problems
    )
    with pytest.raises(Error, match="Double failed: ProtocolError"):
        pipeline.wait(quiet=True)
    # The next run is sound, with a new process in place of the one that failed.
    pids = {name: r.task.pid for name, r in pipeline.supervisor.records.items()}
    pipeline.stop()
    assert pipeline.state is Status.WAITING
    pipeline.configure({"Numbers": {"count": 5, "pause": 0.0}})
    pipeline.start()
    assert pipeline.wait(quiet=True)
    assert pipeline.last_report("Collect")["total"] == 2 * sum(range(5000))
    assert pipeline.balance().closes
    records = pipeline.supervisor.records
    changed = [name for name, pid in pids.items() if records[name].task.pid != pid]
    assert changed == ["Double"]


def test_a_task_that_waits_and_is_sent_no_message_can_still_be_started(
    make_pipeline, monkeypatch
):
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.connect()
    with raw_messages(monkeypatch):
        pipeline.supervisor.send("Collect", FOREIGN["older"][0])
        pipeline.until(lambda: errors_of(pipeline, "Collect"))
    assert "version 0 of the protocol" in errors_of(pipeline, "Collect")[0]
    assert pipeline.state is Status.WAITING
    sound_run(pipeline)


# Frames of data, and acknowledgements

HEADER = frame_of(pack(np.arange(3)), source="Numbers")
BAD_FRAMES = {
    "no header": ([b"GET / HTTP/1.1", b""], "the header of a frame cannot be read"),
    "nothing": ([b""], "the header of a frame cannot be read"),
    "newer": (
        frame_of(pack([1]), source="Numbers", version=FRAME_VERSION + 1),
        f"version {FRAME_VERSION + 1}, expected {FRAME_VERSION}",
    ),
    "stranger": (
        frame_of(pack([1]), source="nobody"),
        "'nobody', which is no neighbour",
    ),
    "later": (
        frame_of(pack([1]), source="Numbers", sequence=4),
        "frames 0 to 3 from Numbers are missing",
    ),
    "one buffer more": ([*HEADER, b"123"], "but its header says [24]"),
    "no buffer": (HEADER[:1], "has arrays of [] bytes, but its header says [24]"),
    "short buffer": ([HEADER[0], bytes(23)], "has arrays of [23] bytes"),
    "another shape": (
        frame_of(pack(np.arange(3)), source="Numbers", body=body("<i8", [4])),
        "frame 0 (arrays) from Numbers contradicts its header",
    ),
    "another kind": (
        frame_of(pack(np.arange(3)), source="Numbers", kind="pickles"),
        "unknown kind 'pickles'",
    ),
    "an end too early": (
        frame_of(pack_end(EndBody(7, 0, 0)), source="Numbers"),
        "Numbers says that it sent (7, 0, 0) frames",
    ),
}
bad_frame = pytest.mark.parametrize(
    ("frames", "text"), BAD_FRAMES.values(), ids=BAD_FRAMES
)


def push(address: str, *messages: list[bytes]) -> None:
    """Send to the data socket, or to that for acknowledgements, of a process."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.PUSH)
    socket.linger = 30_000
    socket.connect(address)
    for message in messages:
        socket.send_multipart(message)
    socket.close()
    context.term()


@bad_frame
def test_a_task_that_is_sent_a_bad_frame_fails_with_the_reason(
    make_pipeline, frames, text
):
    pipeline = make_pipeline("Numbers", "Collect")
    # No proper frame comes before the bad one.
    pipeline.configure({"Numbers": {"count": COUNT, "pause": 3600}})
    pipeline.start()
    push(pipeline.supervisor.records["Collect"].hello.address, frames)
    pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert pipeline.state is Status.PANICKING
    pipeline.until(lambda: errors_of(pipeline, "Collect"))
    assert text in errors_of(pipeline, "Collect")[0]
    assert "FrameError" in errors_of(pipeline, "Collect")[0]
    assert not pipeline.balance().closes
    with pytest.raises(Error, match="Collect failed: FrameError"):
        pipeline.wait(quiet=True)
    pipeline.stop()
    assert pipeline.state is Status.WAITING
    sound_run(pipeline)


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_a_tap_that_is_sent_a_bad_frame_costs_the_line_nothing(
    make_pipeline, transport
):
    pipeline = make_pipeline("Numbers", "Collect", transport=transport)
    pipeline.create_task("Sum", after="Numbers")
    pipeline.configure({"Numbers": {"count": COUNT, "pause": 0.005}})
    pipeline.start()
    push(
        pipeline.supervisor.records["Sum"].hello.address,
        BAD_FRAMES["no header"][0],
    )
    assert pipeline.wait(quiet=True)
    assert pipeline.state is Status.FINISHED
    is_complete(pipeline)
    assert "header of a frame cannot be read" in errors_of(pipeline, "Sum")[0]


def test_frames_of_other_runs_and_repeated_ones_change_nothing(make_pipeline):
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.configure({"Numbers": {"count": COUNT, "pause": 0.005}})
    pipeline.start()
    pipeline.until(
        lambda: pipeline.statistics()["Collect"]["in"]["Numbers"].get("frames", 0) > 2
    )
    wrong = np.full(1000, 1 << 40)
    push(
        pipeline.supervisor.records["Collect"].hello.address,
        *[
            frame_of(pack(wrong), source="Numbers", run=run, sequence=sequence)
            for run, sequence in ((0, 0), (7, 0), (7, 1), (1, 0), (1, 1))
        ],
    )
    assert pipeline.wait(quiet=True)
    is_complete(pipeline)
    assert pipeline.errors == []


def test_what_is_no_acknowledgement_ends_the_run_with_the_reason(make_pipeline):
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.configure({"Numbers": {"count": 0, "pause": 0.005}})
    pipeline.start()
    push(pipeline.supervisor.records["Numbers"].hello.acks, [b"\xc1"])
    pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert pipeline.state is Status.PANICKING
    pipeline.until(lambda: errors_of(pipeline, "Numbers"))
    assert "an acknowledgement cannot be read" in errors_of(pipeline, "Numbers")[0]
    pipeline.stop()
    sound_run(pipeline)
