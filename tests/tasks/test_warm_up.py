from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import threading

import numpy as np

from pixie_pipe.tasks import (
    warm_up,
    warm_up_coincidences,
    warm_up_simulation,
    warm_up_spectra,
    warm_up_times,
    warm_up_traces,
)


def signatures():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("pixie_pipe."):
            for key, value in vars(module).items():
                if hasattr(value, "py_func") and value.__module__ == name:
                    found[f"{name}.{key}"] = len(value.signatures)
    return found


warm_up()
warm_up_simulation()
warm_up_coincidences()
warm_up_spectra()
warm_up_times()
warm_up_traces()
assert threading.active_count() == 1, threading.enumerate()
before = signatures()
assert sum(before.values()) >= 12, before

from pixie_pipe.events import Events
from pixie_pipe.listmode import decode, encode
from pixie_pipe.pipeline.data import Origin, Rejected, Stream, StreamMark, Words
from pixie_pipe.tasks.build_coincidences import BuildCoincidences
from pixie_pipe.tasks.analyse_traces import AnalyseTraces
from pixie_pipe.tasks.convert_to_events import ConvertToEvents
from pixie_pipe.tasks.fill_histograms import FillHistograms
from pixie_pipe.tasks.gather_data import GatherData
from pixie_pipe.tasks.gather_events import GatherEvents
from pixie_pipe.tasks.pick_single_module import PickSingleModule
from pixie_pipe.tasks.sort_events import SortEvents
from pixie_pipe.drivers.simulated import SimulatedDigitizer
from tests.support.simulated_runs import StepClock
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
    build = [
        Driven(BuildCoincidences, **how).start()
        for how in (
            {},
            {"mode": "first", "count": "channels", "reference": ["0/2"]},
            {"mode": "trigger", "trigger": ["0/2"], "singles": "drop"},
            {"delays_ns": {"0/2": 100, "0/3/1": -20}},
        )
    ]
    analyse = Driven(
        AnalyseTraces, frequency_msps=500, energy_rise_us=0.1, tau_us=1.0,
        trace_delay_us=0.0,
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
                            for each in build:
                                each.work(out)
                            analyse.work(out)
                            join.work(out)
    sort.stop()
    join.stop()
    for each in build:
        each.stop()

for options in (
    {"modules": ["0/2:500/34688"], "trace_samples": 50},
    {"modules": ["0/2:100/34688", "0/4:250/30474"], "detector": "HPGe", "qdc": True},
    {"modules": ["0/2:500/34688"], "mode": "fast", "truth": True},
):
    clock = StepClock()
    with SimulatedDigitizer(clock=clock, **options) as digitizer:
        digitizer.start_run()
        for _ in range(3):
            clock.now += 0.05
            assert digitizer.read(0, 1 << 20).size
        digitizer.pause_run()
        clock.now += 1.0
        digitizer.resume_run()
        clock.now += 0.05
        digitizer.stop_run()
        digitizer.statistics(0)
        digitizer.histogram(0, 0)

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
