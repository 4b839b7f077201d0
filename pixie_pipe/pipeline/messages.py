"""What pipeline and tasks tell each other: messages, states, and their form.

A control message is two frames: the protocol's magic with its version, and one typed
struct as MessagePack. Nothing in it can be executed, its size is checked before it is
decoded, and unknown names are refused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from pixie_pipe.errors import PixiePipeError

PROTOCOL_VERSION: Final = 1
_MAGIC: Final = b"pixie_pipe "

MAX_CONTROL_BYTES: Final = 1 << 20
"""Largest control message. A report with the statistics of 16 modules is some 50 kB."""


class Message(StrEnum):
    """Kinds of messages."""

    CONFIGURE = "⚙️"
    CONNECT = "🔗"
    START = "▶️"
    STOP = "⏹️"
    QUIT = "⏏️"
    DATA = "📦"
    FINISHED = "🏁"
    REPORT = "📊"
    PRINT = "💬"
    ERROR = "❌"


class Status(StrEnum):
    """States of a task."""

    WAITING = "⏸️"
    RUNNING = "▶️"
    FINISHED = "🏁"
    DYING = "⏏️"
    PANICKING = "🆘"


class Error(PixiePipeError, RuntimeError):
    """Something went wrong in the pipeline or in one of its tasks.

    Parameters
    ----------
    msg
        What happened, where, what was expected and what to do.
    task
        Name of the task, if it was one.
    origin
        Where the data came from that it was working on.
    traceback
        Traceback from the task's process, as text.
    """

    def __init__(
        self, msg: str, *, task: str = "", origin: str = "", traceback: str = ""
    ) -> None:
        super().__init__(msg)
        self.msg = msg
        self.task = task
        self.origin = origin
        self.traceback = traceback

    def __str__(self) -> str:
        where = f" (at {self.origin})" if self.origin else ""
        return f"{self.task}: {self.msg}{where}" if self.task else self.msg


class ProtocolError(Error):
    """A message that is no message of this protocol."""


class _Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A control message; the tag says which."""


class OutputAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send data: one process of a consumer."""

    task: str
    address: str


class OutputEdge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One consumer of a task's data; a pool of workers has an address for each."""

    consumer: str
    addresses: list[OutputAddress]
    window_bytes: int
    lossy: bool = False
    kinds: list[str] | None = None


class InputEdge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One producer of a task's data: its processes, and where each wants its acks."""

    producer: str
    tasks: list[str]
    acks: dict[str, str]


class Configure(_Control, frozen=True, tag="CONFIGURE"):
    """Pipeline to task: use these values."""

    number: int
    config: dict[str, Any]


class Hello(_Control, frozen=True, tag="HELLO"):
    """Task to pipeline: here I am, and there are my sockets for data and acks."""

    pid: int
    address: str
    acks: str


class Connect(_Control, frozen=True, tag="CONNECT"):
    """Pipeline to task: these are your neighbours."""

    number: int
    inputs: list[InputEdge]
    outputs: list[OutputEdge]
    is_start: bool
    is_final: bool


class Cut(_Control, frozen=True, tag="CUT"):
    """Pipeline to task: this neighbour is gone for good."""

    task: str


class Resume(_Control, frozen=True, tag="RESUME"):
    """Pipeline to task: a new process stands for this neighbour."""

    task: str
    address: str
    acks: str


class Start(_Control, frozen=True, tag="START"):
    """Pipeline to task: begin a run.

    `directory` is the run's directory, if it has one; `live` tells whether the data
    are taken now. `checkpoint` is the file for the state of a task that may be
    restarted, and `restarted` that it was.
    """

    number: int
    run: int
    directory: str = ""
    live: bool = False
    checkpoint: str = ""
    restarted: bool = False


class Stop(_Control, frozen=True, tag="STOP"):
    """Pipeline to task: end the stream, then wait; or give the run up at once."""

    number: int
    abandon: bool = False


class Pause(_Control, frozen=True, tag="PAUSE"):
    """Pipeline to task: make no data for a while, or go on making them."""

    number: int
    paused: bool


class Quit(_Control, frozen=True, tag="QUIT"):
    """Pipeline to task: leave."""

    number: int


class Finished(_Control, frozen=True, tag="FINISHED"):
    """Task to pipeline: all is done and handed over."""

    run: int
    statistics: dict[str, Any]


class Report(_Control, frozen=True, tag="REPORT"):
    """Task to pipeline: how it goes.

    `done` is the number of the last command that was carried out, `refused` says
    why it was not. `report` is what the task itself reports.
    """

    status: Status
    done: int = 0
    refused: str = ""
    progress: int = 0
    run: int = 0
    statistics: dict[str, Any] = {}
    report: dict[str, Any] | None = None


class Print(_Control, frozen=True, tag="PRINT"):
    """Task to pipeline: a text for people."""

    text: str


class ErrorReport(_Control, frozen=True, tag="ERROR"):
    """Task to pipeline: an error, and whether the task can go on."""

    msg: str
    origin: str = ""
    traceback: str = ""
    fatal: bool = True


Command = Configure | Connect | Start | Stop | Pause | Quit
"""What a task carries out and reports as done."""

ToTask = Command | Cut | Resume
FromTask = Hello | Finished | Report | Print | ErrorReport

_T = TypeVar("_T")

_encoder = msgspec.msgpack.Encoder()
_to_task = msgspec.msgpack.Decoder(ToTask)
_from_task = msgspec.msgpack.Decoder(FromTask)


def encode_control(message: ToTask | FromTask) -> list[bytes]:
    """Return the frames of a control message.

    Raises
    ------
    ProtocolError
        If it is too large, or holds what MessagePack has no form for.
    """
    kind = type(message).__name__
    try:
        payload = _encoder.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ProtocolError(
            f"cannot send a {kind} message: {error}; expected numbers, texts, lists "
            f"and dictionaries"
        ) from error
    if len(payload) > MAX_CONTROL_BYTES:
        raise ProtocolError(
            f"a {kind} message has {len(payload)} bytes, expected at most "
            f"{MAX_CONTROL_BYTES}; send large things as data"
        )
    return [_MAGIC + bytes([PROTOCOL_VERSION]), payload]


def decode_to_task(frames: list[bytes]) -> ToTask:
    """Return the message for a task in these frames.

    Raises
    ------
    ProtocolError
        If they are none.
    """
    message: ToTask = _decode(frames, _to_task)
    return message


def decode_from_task(frames: list[bytes]) -> FromTask:
    """Return the message from a task in these frames.

    Raises
    ------
    ProtocolError
        If they are none.
    """
    message: FromTask = _decode(frames, _from_task)
    return message


def _decode(frames: list[bytes], decoder: msgspec.msgpack.Decoder[_T]) -> _T:
    if len(frames) != 2:
        raise ProtocolError(
            f"a control message has {len(frames)} frames, expected 2 (magic, content)"
        )
    magic, payload = frames
    if magic[:-1] != _MAGIC:
        raise ProtocolError(
            f"a control message begins with {magic[:24]!r}, expected {_MAGIC!r} and "
            f"the version; is that another program?"
        )
    if magic[-1] != PROTOCOL_VERSION:
        raise ProtocolError(
            f"a control message has version {magic[-1]} of the protocol, expected "
            f"{PROTOCOL_VERSION}; use the same pixie_pipe everywhere"
        )
    if len(payload) > MAX_CONTROL_BYTES:
        raise ProtocolError(
            f"a control message has {len(payload)} bytes, expected at most "
            f"{MAX_CONTROL_BYTES}"
        )
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a control message cannot be read: {error}") from error
