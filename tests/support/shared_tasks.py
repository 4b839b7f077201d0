"""Tasks that tell what they notice of those in the same process."""

from __future__ import annotations

import os
import time

import numpy as np

from pixie_pipe.pipeline import Category, Parameter, Task


class Sleeper(Task):
    """A source that sends one array, and then pauses for long."""

    reads = ()
    category = Category.SOURCE

    def do_start(self):
        self.sent = False

    def do_work(self, datum):
        if self.sent:
            self.pause(60)
            return None
        self.sent = True
        return np.arange(3)


class Ticks(Task):
    """Counts its turns between data, and sends their number on."""

    def do_start(self):
        self.statistics["ticks"] = 0

    def do_work(self, datum):
        return datum

    def do_wait(self):
        if self.statistics.get("ticks") is not None:
            self.statistics["ticks"] += 1
            self.report(ticks=self.statistics["ticks"])


class Where(Task):
    """Tells its process, and whether it can write to what it gets."""

    def do_start(self):
        self.report(pid=os.getpid())

    def do_work(self, datum):
        self.statistics["writable"] = bool(datum.flags.writeable)
        self.origin_seen = self.origin
        return datum


class Tree(Task):
    """Keeps all that it gets, by reference."""

    category = Category.SINK

    def do_start(self):
        self.kept = []

    def do_work(self, datum):
        self.kept.append(datum)

    def do_stop(self):
        values = np.concatenate([np.zeros(0, np.int64), *self.kept])
        self.send_report(
            {"count": int(values.size), "sum": int(values.sum())}, force=True
        )


class Late(Task):
    """Sends something at its end, and takes its time for it."""

    parameters = {"seconds": Parameter(0.0, "time at the end", unit="s", min=0)}

    def do_work(self, datum):
        return datum

    def do_stop(self):
        time.sleep(self.config.seconds)
        self.send(np.array([1_000_000]))
