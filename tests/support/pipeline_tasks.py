"""Small tasks for the tests of the pipeline."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import numpy as np

from pixie_pipe.pipeline.declarations import Category, Role
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task


class Numbers(Task):
    """Sends arrays that count up: ``count`` of them, or without end."""

    reads = ()
    category = Category.SOURCE
    parameters = {
        "count": Parameter(100, "arrays to send; 0: without end", min=0),
        "size": Parameter(1000, "numbers in an array", min=1),
        "pause": Parameter(0.0, "time between arrays", unit="s", min=0),
    }

    def do_start(self):
        self.sent = 0
        self.ledger["numbers_read"] = 0

    def do_work(self, datum):
        if self.config.count and self.sent >= self.config.count:
            self.finish()
            return
        if self.config.pause:
            self.pause(self.config.pause)
        first = self.sent * self.config.size
        self.send(np.arange(first, first + self.config.size))
        self.sent += 1
        self.ledger["numbers_read"] = self.sent * self.config.size


class LiveNumbers(Numbers):
    """The same, taken live."""

    live = True


class Double(Task):
    """Multiplies by two."""

    can_pool = True

    def do_work(self, datum):
        return datum * 2


class Slow(Task):
    """Passes on slowly."""

    parameters = {"seconds": Parameter(0.01, "time for each", unit="s", min=0)}
    can_pool = True

    def do_work(self, datum):
        time.sleep(self.config.seconds)
        return datum


class Burst(Task):
    """Gives as many outputs as the number of the input says, from none to three."""

    can_pool = True

    def do_work(self, datum):
        for part in range(int(datum[0]) % 4):
            yield np.array([datum[0], part])


class Collect(Task):
    """Keeps the first number of each datum, and reports them at the end."""

    category = Category.SINK

    def do_start(self):
        self.first = []
        self.total = 0

    def do_work(self, datum):
        self.first.append(np.asarray(datum).ravel().tolist()[:2])
        self.total += int(np.sum(datum))

    def do_stop(self):
        self.send_report(
            {
                "first": self.first[:20_000],
                "total": self.total,
                "incomplete": self.incomplete,
            },
            force=True,
        )


class Sum(Task):
    """A tap that adds up, and can go on where it was killed."""

    category = Category.MONITOR
    role = Role.OPTIONAL

    def do_start(self):
        self.total = 0
        self.frames = 0

    def do_work(self, datum):
        self.total += int(datum.sum())
        self.frames += 1
        self.statistics["frames"] = self.frames

    def do_stop(self):
        self.send_report({"total": self.total, "frames": self.frames}, force=True)

    def serialize(self):
        return f"{self.total} {self.frames}".encode()

    def restore(self, state):
        self.total, self.frames = map(int, state.split())


class Fail(Task):
    """Fails where it is told to."""

    parameters = {
        "where": Parameter("work", "method that fails"),
        "after": Parameter(3, "calls of do_work before", min=0),
    }

    def _fail(self, where):
        if self.config.where == where:
            raise RuntimeError(f"told to fail in {where}")

    def do_configure(self, config):
        self._fail("configure")

    def do_connect(self):
        self._fail("connect")

    def do_start(self):
        self.calls = 0
        self._fail("start")

    def do_work(self, datum):
        if self.calls >= self.config.after:
            self._fail("work")
            if self.config.where == "exit":
                os._exit(3)
            if self.config.where == "hang":
                time.sleep(1000)
        self.calls += 1
        return datum

    def do_stop(self):
        self._fail("stop")

    def do_quit(self):
        self._fail("quit")


class FailAtInit(Task):
    """Fails before anything else."""

    def do_init(self):
        raise RuntimeError("told to fail in init")


class FailThenCount(Fail):
    """Fails, and takes its time to tell what it did until then."""

    def do_stop(self):
        time.sleep(0.3)
        self.ledger["words_recorded"] = 77


class Hang(Fail):
    """Counts as hung after a short time."""

    hang_seconds = 2.0


class Journal(Task):
    """Writes down which of its methods are called, in the order."""

    parameters = {"path": Parameter("", "file to write to")}

    def _note(self, name):
        if self.config.path:
            with contextlib.suppress(OSError), Path(self.config.path).open("a") as file:
                file.write(f"{name} {self.status.name}\n")

    def do_configure(self, config):
        self._note("configure")

    def do_connect(self):
        self._note("connect")

    def do_start(self):
        self._note("start")

    def do_work(self, datum):
        self._note("work")
        return datum

    def do_stop(self):
        self._note("stop")

    def do_quit(self):
        self._note("quit")


class Chatter(Task):
    """Prints and reports for each datum."""

    def __init__(self, *args, greeting="hello", **kwargs):
        super().__init__(*args, **kwargs)
        self.greeting = greeting

    def do_start(self):
        self.count = 0

    def do_work(self, datum):
        self.count += 1
        if self.count == 1:
            self.print(self.greeting, self.kwargs.get("extra"))
            print("by the builtin")
        self.report(count=self.count)
        return datum


class OnlyWork(Task):
    """Nothing but do_work."""

    def do_work(self, datum):
        return datum
