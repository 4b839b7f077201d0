from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import threading

import numpy as np

from pixie_pipe.tasks import warm_up


def signatures():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("pixie_pipe."):
            for key, value in vars(module).items():
                if hasattr(value, "py_func") and value.__module__ == name:
                    found[f"{name}.{key}"] = len(value.signatures)
    return found


warm_up()
assert threading.active_count() == 1, threading.enumerate()
before = signatures()
assert sum(before.values()) >= 12, before

from pixie_pipe.events import Events
from pixie_pipe.listmode import decode, encode
from pixie_pipe.pipeline.data import Origin, Rejected, Stream, StreamMark, Words
from pixie_pipe.tasks.convert_to_events import ConvertToEvents
from pixie_pipe.tasks.fill_histograms import FillHistograms
from pixie_pipe.tasks.gather_data import GatherData
from pixie_pipe.tasks.gather_events import GatherEvents
from pixie_pipe.tasks.pick_single_module import PickSingleModule
from pixie_pipe.tasks.sort_events import SortEvents
from tests.storage.runs import LAYOUT, MIXED, some_events
from tests.tasks.conftest import Driven

rng = np.random.default_rng(1)
for kinds in ({}, MIXED, {"trace_lengths": (500,)}):
    gather = Driven(GatherData, record="never", chunk_mb=0.01).start()
    convert = Driven(ConvertToEvents).start()
    sort = Driven(SortEvents, rows=300).start()
    join = Driven(GatherEvents, rows=500).start()
    pick = Driven(PickSingleModule, slot=2).start()
    fill = Driven(
        FillHistograms, histograms=[{"kind": "spectrum"}, {"kind": "rate"}]
    ).start()
    for number, modules in enumerate([[(0, 2)], [(0, 3), (0, 4)]]):
        stream = Stream("Source", number, f"m{number}", LAYOUT.to_dict())
        events = some_events(2000, modules=modules, **kinds)
        for order in (events.sort(), events, events[rng.permutation(2000)]):
            gather.start()
            words = encode(order, LAYOUT)
            words[100:130] = 0
            gather.work(Words(words, stream, 0, final=True))
            for chunk in gather.sent:
                for datum in convert.work(chunk):
                    if isinstance(datum, Events):
                        for out in sort.work(datum, origin=Origin("Source", number)):
                            pick.work(out)
                            fill.work(out)
                            join.work(out)
    sort.stop()
    join.stop()

after = signatures()
new = {name: count for name, count in after.items() if count != before.get(name, 0)}
print(new)
sys.exit(bool(new))
"""


def test_a_running_pipeline_compiles_nothing():
    """In a process of its own: other tests load kernels of other types."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
