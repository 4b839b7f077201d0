"""What the server of processes loads once, so that each task starts at once.

Imported by name in that server, before any task is forked from it. The kernels are
compiled, or loaded from their cache, here: by one process, before the others start.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal

# The pipeline handles Ctrl-C; neither this process nor its children may be interrupted
# in the middle of what they do.
signal.signal(signal.SIGINT, signal.SIG_IGN)

# Tasks share the cores as processes. Idle threads of a linear algebra library would
# only be in the way of forking.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

for _name in (
    "numpy",
    "zmq",
    "msgspec",
    "pixie_pipe.pipeline.task",
    "pixie_pipe.pipeline.endpoint",
    "pixie_pipe.tasks",
):
    importlib.import_module(_name)

importlib.import_module("pixie_pipe.tasks").warm_up()

# What is loaded stays: no collection of garbage in a task needs to look at it, nor to
# write to the pages that all tasks share.
gc.collect()
gc.freeze()
