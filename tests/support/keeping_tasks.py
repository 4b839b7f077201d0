"""Tasks that keep what they get, and look at it later."""

from __future__ import annotations

import numpy as np

from pixie_pipe.pipeline import Parameter, Task

SIZE = 1 << 17


class Blocks(Task):
    """Sends arrays of 1 MiB that are all different, from memory that is used again."""

    reads = ()
    parameters = {"count": Parameter(120, "arrays to send", min=1)}

    def do_start(self):
        from pixie_pipe.buffers import BufferPool

        self.pool = BufferPool()
        self.number = 0

    def do_work(self, datum):
        if self.number == self.config.count:
            self.finish()
            return
        block = self.pool.take(8 * SIZE)[: 8 * SIZE].view(np.int64)
        block[:] = np.arange(SIZE) + self.number * SIZE
        self.number += 1
        self.send(block)


class Keeping(Task):
    """Keeps all arrays, or the last ones, until the end; then checks and reports."""

    parameters = {"last": Parameter(0, "arrays to keep; 0: all", min=0)}

    def do_start(self):
        self.kept = []
        self.came = 0
        self.wrong = 0

    def do_work(self, datum):
        self.kept.append((self.came, datum))
        self.came += 1
        if self.config.last and len(self.kept) > self.config.last:
            self.check(*self.kept.pop(0))
        return datum

    def check(self, number, block):
        expected = np.arange(number * SIZE, (number + 1) * SIZE)
        self.wrong += not np.array_equal(block, expected)

    def do_stop(self):
        for number, block in self.kept:
            self.check(number, block)
        self.send_report({"came": self.came, "wrong": self.wrong}, force=True)
