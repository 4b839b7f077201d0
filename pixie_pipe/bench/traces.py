"""Values of traces, one core: each alone, and all together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.bench.chain import BenchError
from pixie_pipe.bench.data import SAMPLES, trace_events
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import GIGA, MILLION, memcpy, one_core, timed
from pixie_pipe.bench.peers import peer_trace_energies
from pixie_pipe.buffers import BufferPool
from pixie_pipe.traces import TraceSettings, analyse_traces

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings
    from pixie_pipe.events import Events

_TRACES: Final = 40_000
_BATCH: Final = 4000
"""Traces of a batch: 4 MB, as they come in a frame."""

_START: Final = 180
"""Sample at which pulses begin, about."""
_TAU: Final = 60.0
_RISE: Final = 3.0

_SETTINGS: Final = TraceSettings(
    frequency_msps=500,
    trace_delay_us=0.38,
    baseline_us=0.32,
    trigger_rise_us=0.02,
    trigger_flat_us=0.02,
    trigger_threshold=100.0,
    energy_rise_us=0.2,
    energy_flat_us=0.1,
    energy_delay_us=0.26,
    tau_us=0.12,
    cfd_delay_us=0.01,
    charge_before_us=0.02,
    charge_short_us=0.06,
    charge_long_us=0.3,
)

_CASES: Final[dict[str, tuple[tuple[str, ...] | None, TraceSettings]]] = {
    "baseline and noise": (("trace_baseline", "trace_noise"), _SETTINGS),
    "height": (("trace_height",), _SETTINGS),
    "fast filter: pulses": (("trace_pulses",), _SETTINGS),
    "energy filter": (("trace_energy",), _SETTINGS),
    "energy, baseline and noise": (
        ("trace_energy", "trace_baseline", "trace_noise"),
        _SETTINGS,
    ),
    "CFD on the samples": (("trace_time_ns",), _SETTINGS),
    "CFD of the module": (
        ("trace_time_ns",),
        dataclasses.replace(_SETTINGS, cfd="module"),
    ),
    "rise time": (("trace_rise_ns",), _SETTINGS),
    "decay time, log-linear": (("trace_tau_ns",), _SETTINGS),
    "decay time, sums": (
        ("trace_tau_ns",),
        dataclasses.replace(_SETTINGS, tau_fit="sums"),
    ),
    "charge and its part behind": (("trace_charge", "trace_psd"), _SETTINGS),
    "all": (None, _SETTINGS),
}
_WITH_PEER: Final = "energy, baseline and noise"


def measure(settings: Settings) -> Section:
    """Measure each value, and all of them."""
    events = pulse_events(settings.events(_TRACES))
    rows = {}
    with one_core():
        for name, (columns, of_traces) in _CASES.items():
            work = _in_batches(events, columns, of_traces)
            peer = None
            if settings.peers and name == _WITH_PEER:
                peer = _peer(events)
            rows[name] = _compare(events, work, peer, settings.rounds)
    return Section(
        "Values of traces",
        f"`analyse_traces` of pulses in {SAMPLES} samples, in batches of {_BATCH}. The "
        "ratio is that of the time of a memcpy of the samples to that of the analysis. "
        "dspeed: baseline, pole-zero correction, trapezoidal filter and its value at a "
        "fixed sample.",
        (Table("value", rows),),
    )


def pulse_events(count: int) -> Events:
    """Return events with a pulse of any height in each trace."""
    rng = np.random.default_rng(2)
    events = trace_events(count)
    late = np.arange(SAMPLES, dtype=np.float32) - rng.uniform(
        _START, _START + 4, (count, 1)
    ).astype(np.float32)
    late = np.maximum(late, 0)
    height = rng.uniform(500, 9000, (count, 1)).astype(np.float32)
    pulse = height * (np.exp(-late / _TAU) - np.exp(-late / _RISE))
    samples = events.trace_samples + pulse.reshape(-1)
    return events.with_columns(trace_samples=np.rint(samples).astype(np.uint16))


def _in_batches(
    events: Events, columns: tuple[str, ...] | None, of_traces: TraceSettings
) -> Callable[[], int]:
    batches = [events[k : k + _BATCH] for k in range(0, len(events), _BATCH)]
    pool = BufferPool()

    def work() -> int:
        missing = 0
        for batch in batches:
            found = analyse_traces(batch, of_traces, columns, pool=pool)
            missing += int(np.count_nonzero(found.trace_status))
        return missing

    return work


def _peer(events: Events) -> Callable[[], object]:
    samples = events.trace_samples.reshape(len(events), SAMPLES)
    work = peer_trace_energies(samples, quiet=160, rise=100, flat=50, tau_ns=120.0)
    found = work()
    ours = analyse_traces(events, _SETTINGS, ["trace_energy"]).trace_energy / 4
    # Theirs is the height of a step of which the rise is taken away.
    if not np.allclose(found, ours, rtol=0.1, atol=50):
        raise BenchError(f"dspeed has energies {found[:3]}, expected about {ours[:3]}")
    return work


def _compare(
    events: Events,
    work: Callable[[], int],
    peer: Callable[[], object] | None,
    rounds: int,
) -> dict[str, Figure]:
    copy = memcpy(events.trace_samples.nbytes)
    if work() > len(events) // 100:
        raise BenchError("values of more than one trace in a hundred are missing")
    copies, times, theirs = [], [], []
    for _ in range(rounds):
        copies.append(timed(copy))
        times.append(timed(work))
        if peer is not None:
            theirs.append(timed(peer))
    count, nbytes = len(events), events.trace_samples.nbytes
    row = {
        "M traces/s": figure([count / seconds / MILLION for seconds in times]),
        "GB/s": figure([nbytes / seconds / GIGA for seconds in times]),
        "ratio to memcpy": ratio(copies, times),
    }
    if theirs:
        row["dspeed, M traces/s"] = figure([count / one / MILLION for one in theirs])
        row["times dspeed"] = ratio(theirs, times)
    return row
