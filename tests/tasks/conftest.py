"""Pipelines for tests, and tasks that are driven without a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pixie_pipe.pipeline.data import Origin, StreamKey, Tally
from pixie_pipe.pipeline.frames import FRAME_VERSION, Header, pack, unpack
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import check_parameters
from pixie_pipe.pipeline.pipeline import Pipeline

if TYPE_CHECKING:
    from pixie_pipe.pipeline.task import Task


class Captured(Pipeline):
    """A pipeline that keeps what its tasks say."""

    def __init__(self, **kwargs: Any) -> None:
        self.prints: list[tuple[str, str]] = []
        self.errors: list[tuple[str, Exception]] = []
        super().__init__(**kwargs)

    def handle_print(self, name: str, string: str) -> None:
        self.prints.append((name, string))

    def handle_error(self, name: str, err: Exception) -> None:
        self.errors.append((name, err))


Factory = Callable[..., Captured]


def _factory() -> Iterator[Factory]:
    made: list[Captured] = []

    def make(**kwargs: Any) -> Captured:
        made.append(Captured(**kwargs))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.quit()


@pytest.fixture
def pipeline() -> Iterator[Factory]:
    """Return a function that makes pipelines; they are ended after the test."""
    yield from _factory()


@pytest.fixture(scope="module")
def module_pipeline() -> Iterator[Factory]:
    """Return the same, for pipelines that all tests of a file share."""
    yield from _factory()


def arrived(datum: Any) -> Any:
    """Return a datum as it comes over a link: its arrays cannot be written to."""
    packed = pack(datum)
    header = Header(
        version=FRAME_VERSION,
        source="test",
        run=1,
        sequence=0,
        kind=packed.kind,
        sizes=packed.sizes,
        body=msgspec.Raw(bytes(packed.body)),
        words=packed.words,
        events=packed.events,
    )
    return unpack(header, [memoryview(_bytes(buffer)) for buffer in packed.buffers])


def _bytes(buffer: Any) -> bytes:
    return buffer.tobytes() if isinstance(buffer, np.ndarray) else bytes(buffer)


class Driven:
    """A task without a process; what it sends is in `sent`."""

    def __init__(
        self,
        kind: type[Task],
        *,
        live: bool = False,
        directory: Any = "",
        **parameters: Any,
    ) -> None:
        self.task: Any = kind()
        self.sent: list[Any] = []
        self.prints: list[str] = []
        self.reports: list[dict[str, Any]] = []
        self.tallies: dict[StreamKey, Tally] = {}
        self.reasons: list[str] = []
        self.has_room: Callable[[], bool] = lambda: True
        self.live, self.directory = live, str(directory)
        task: Any = self.task
        task.send = self._send
        task.try_send = self._try_send
        task.poll = lambda *_, **__: False
        task.print = lambda *values: self.prints.append(" ".join(map(str, values)))
        task.report = lambda **values: self.reports.append(values)
        task.account = lambda key, tally: self.tallies.setdefault(key, Tally()).add(
            tally
        )
        task._endpoint = SimpleNamespace(
            inbox=SimpleNamespace(reasons=self.reasons),
            outbox=SimpleNamespace(alive=True),
        )
        task._reasons = []
        task._tallies = self.tallies
        task.is_final = True
        self.configure(**parameters)

    def configure(self, **parameters: Any) -> None:
        right, problems = check_parameters(
            self.task.parameters, parameters, self.task.name
        )
        assert not problems
        for name, value in right.items():
            setattr(self.task.config, name, value)
        self.task.do_configure(right)

    def _send(self, datum: Any) -> None:
        if datum is not None:
            self.sent.append(arrived(datum))

    def _try_send(self, datum: Any) -> bool:
        if self.has_room():
            self._send(datum)
            return True
        return False

    def start(self) -> Driven:
        task = self.task
        task.run_number += 1
        task.run_directory, task.is_live = self.directory, self.live
        task.statistics, task.ledger = {}, {}
        self.sent.clear()
        self.tallies.clear()
        task.do_start()
        task.status = Status.RUNNING
        return self

    def work(self, *data: Any, origin: Origin | None = None) -> list[Any]:
        """Let it work on data; return what it sent."""
        before = len(self.sent)
        for datum in data:
            self.task.origin = origin
            result = self.task.do_work(arrived(datum))
            self._send(result)
        self.task.origin = None
        return self.sent[before:]

    def wait(self) -> list[Any]:
        before = len(self.sent)
        self.task.do_wait()
        return self.sent[before:]

    def stop(self) -> list[Any]:
        before = len(self.sent)
        self.task.do_stop()
        self.task.status = Status.FINISHED
        return self.sent[before:]


@pytest.fixture(scope="session")
def drive() -> type[Driven]:
    """Return what drives a task without a process."""
    return Driven
