"""Checkpoints of a task that may be restarted.

The state and how far it has come are written together, then the frames are
acknowledged: a new process goes on where the last checkpoint was, and the senders still
have everything since. The state itself is a black box.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pixie_pipe.pipeline._task_contract import TaskContract
    from pixie_pipe.pipeline.input_port import Arrived, InputPort

CHECKPOINT_SECONDS: Final = 0.5
"""Time between checkpoints: short enough that the senders' windows do not fill."""

CHECKPOINT_FRAMES: Final = 4
"""Frames after which a checkpoint is made earlier."""

CHECKPOINT_BYTES: Final = 6 << 20
"""Bytes after which a checkpoint is made earlier: after each second frame of traces, of
4 MB, and after each of header-only events, of 7 MB or more. The window of a link must
not fill with what is only waiting to be saved."""


class _Saved(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    run: int
    expected: dict[str, int]
    orders: dict[str, int | None]
    state: bytes


class Checkpoint:
    """Saves the state of a task now and then, and acknowledges what is in it.

    Parameters
    ----------
    task
        The task.
    inbox
        Where its data come from.
    path
        File for the state.
    """

    def __init__(self, task: TaskContract, inbox: InputPort, path: str) -> None:
        self._task = task
        self._inbox = inbox
        self._path = Path(path)
        self._unsaved: list[Arrived] = []
        self._unsaved_bytes = 0
        self._next = time.monotonic() + CHECKPOINT_SECONDS

    def note(self, frame: Arrived) -> None:
        """Note a frame that was worked on; the last one of a run is saved at once."""
        self._unsaved.append(frame)
        self._unsaved_bytes += frame.nbytes
        frame.link.done = frame.header.sequence + 1
        is_much = (
            len(self._unsaved) >= CHECKPOINT_FRAMES
            or self._unsaved_bytes >= CHECKPOINT_BYTES
        )
        if is_much or frame.link.ended:
            self.save()

    def save_if_due(self) -> None:
        """Save if the last time is long ago."""
        if self._unsaved and time.monotonic() >= self._next:
            self.save()

    def save(self) -> None:
        """Save the state, then acknowledge."""
        state = self._task.serialize()
        if state is not None:
            self._write(state)
        self._inbox.acknowledge_all(self._unsaved)
        self._unsaved = []
        self._unsaved_bytes = 0
        self._next = time.monotonic() + CHECKPOINT_SECONDS

    def _write(self, state: bytes) -> None:
        links = [link for group in self._inbox.groups for link in group.links]
        saved = _Saved(
            self._task.run_number,
            {link.task: link.done for link in links},
            {group.edge.producer: group.next_order for group in self._inbox.groups},
            state,
        )
        draft = self._path.with_suffix(".draft")
        draft.write_bytes(msgspec.msgpack.encode(saved))
        os.replace(draft, self._path)  # noqa: PTH105 - replaces what is there at once

    def restore(self) -> None:
        """Give the task the state of the last checkpoint, if there is one."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        saved = msgspec.msgpack.decode(data, type=_Saved)
        if saved.run != self._task.run_number:
            return
        for group in self._inbox.groups:
            group.next_order = saved.orders.get(group.edge.producer, 0)
            for link in group.links:
                link.expected = saved.expected.get(link.task)
                link.done = link.expected or 0
        self._task.restore(saved.state)
