"""A recorder whose disk is full, or takes its time."""

from __future__ import annotations

import os
import resource
import time

from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.tasks.gather_data import GatherData


class FullDisk(GatherData):
    """May write so many bytes to a file, as with a quota or a full disk."""

    parameters = {
        **GatherData.parameters,
        "limit_kb": Parameter(100.0, "Largest file", unit="kB", min=0),
    }

    def do_work(self, datum):
        # Not before: the links have files of their own.
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = int(self.config.limit_kb * 1000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        try:
            return super().do_work(datum)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


class SlowDisk(GatherData):
    """Takes more than a second for the first write."""

    def do_start(self):
        super().do_start()
        writes = os.pwrite
        waits = [1.1]

        def pwrite(*arguments):
            time.sleep(waits.pop() if waits else 0)
            return writes(*arguments)

        os.pwrite = pwrite
        self._pwrite = writes

    def do_stop(self):
        os.pwrite = self._pwrite
        super().do_stop()
