"""Runs of sources in the process of the test, by a clock that the test sets."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from pixie_pipe.pipeline.data import StreamMark, Words

if TYPE_CHECKING:
    from pixie_pipe.pipeline.task import Task


class Clock:
    """Stands for the module `time`: goes on only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class SourceRun:
    """A source with the pipeline taken away.

    `step_s` is the time that each call of `do_work` takes; `per_send_s` what each
    frame of words costs, as with a slow consumer.
    """

    def __init__(
        self,
        kind: type[Task],
        clock: Clock | None = None,
        *,
        step_s: float = 0.0,
        per_send_s: float = 0.0,
        **parameters: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.step_s = step_s
        self.per_send_s = per_send_s
        self.sent: list[Any] = []
        self.times: list[float] = []
        task: Any = kind("Source")
        task.is_start = True
        task.send = self._send
        task.pause = self.clock.sleep
        task.poll = lambda timeout=0.0, **_: self.clock.sleep(timeout)
        task.settle = lambda seconds: seconds >= 0
        task.configure(parameters)
        self.task = task

    def _send(self, data: object) -> None:
        self.sent.append(data)
        self.times.append(self.clock.now)
        if isinstance(data, Words):
            self.clock.now += self.per_send_s

    def start(self) -> SourceRun:
        self.sent.clear()
        self.times.clear()
        task = self.task
        task.statistics, task.ledger = {}, {}
        task._reasons, task._stop_asked = [], False
        task.do_start()
        return self

    def work(self, until: Callable[[], object] | None = None) -> SourceRun:
        """Work until the source ends, or `until` holds, then stop it."""
        for _ in range(1_000_000):
            if self.task.stop_asked or (until is not None and until()):
                break
            self.task.do_work(None)
            self.clock.now += self.step_s
        else:
            raise AssertionError("the source does not end")
        self.task.do_stop()
        return self

    def run(self, until: Callable[[], object] | None = None) -> SourceRun:
        return self.start().work(until)

    @property
    def words_sent(self) -> int:
        return sum(item.words.size for item in self.sent if isinstance(item, Words))

    @property
    def streams(self) -> dict[str, SimpleNamespace]:
        """Check the order of what was sent; return the streams by their names."""
        marks = list(
            itertools.takewhile(lambda d: isinstance(d, StreamMark), self.sent)
        )
        found: dict[str, SimpleNamespace] = {}
        # Those that were announced may be told of again: when they were started.
        announced = [m for i, m in enumerate(marks) if m.stream.number == i]
        started = marks[len(announced) :]
        assert [m.stream for m in started] in ([], [m.stream for m in announced])
        assert all(len(mark.starts_ns) == 1 for mark in started)
        for number, mark in enumerate(announced):
            assert not mark.ended
            assert mark.stream.number == number
            found[mark.stream.name] = SimpleNamespace(
                stream=mark.stream, parts=[], trailing=b"", final=False, ended=False
            )
        assert len(found) == len(announced), "names are not unique"
        for data in self.sent[len(marks) :]:
            known = found[data.stream.name]
            assert not known.ended
            assert known.stream == data.stream
            if isinstance(data, StreamMark):
                assert data.ended
                assert known.final
                known.ended = True
                continue
            assert not known.final
            assert data.offset == sum(part.size for part in known.parts)
            assert data.final or not data.trailing
            known.parts.append(data.words)
            known.final, known.trailing = data.final, data.trailing
        for known in found.values():
            assert known.ended
            known.words = np.concatenate(known.parts)
        assert self.task.ledger["words_read"] == self.words_sent
        assert self.task.ledger["trailing_bytes"] == sum(
            len(known.trailing) for known in found.values()
        )
        return found
