"""The packages that people use open the files, and see the same events."""

from __future__ import annotations

import awkward as ak
import dspeed
import lh5
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import uproot

from pixie_pipe.events import COLUMN, Events
from pixie_pipe.storage import ParquetWriter, Provenance, StreamRecord
from pixie_pipe.storage.csv import CsvWriter
from pixie_pipe.storage.lh5 import Lh5Writer, group_name
from pixie_pipe.storage.root import RootWriter
from tests.storage.runs import LAYOUT, MIXED, some_events, with_late

EVENTS = with_late(some_events(300, channels=3, **MIXED))
OTHER_NAMES = {"timestamp": "timestamp_ticks", "energy": "daqenergy"}


def stored(writer, path, events, **options):
    with writer(path, **options) as file:
        file.describe(Provenance((StreamRecord(LAYOUT, ((0, 2),)),)))
        for first in range(0, len(events), 110):
            file.write(events[first : first + 110])
    return path


def test_lh5_sees_a_table_for_each_channel(tmp_path) -> None:
    path = stored(Lh5Writer, tmp_path / "a.lh5", EVENTS)
    assert lh5.ls(path) == [f"ch0002{channel:02d}" for channel in range(3)]
    for channel in range(3):
        events = EVENTS.select(channel=channel)
        table = lh5.read(f"ch0002{channel:02d}/raw", path)
        assert len(table) == len(events)
        for name in events.columns:
            if name in ("trace_offsets", "trace_samples"):
                continue
            found = table[OTHER_NAMES.get(name, name)]
            np.testing.assert_array_equal(found.nda, events[name])
            assert found.dtype == COLUMN[name].dtype
            unit = {"ADC units": "ADC"}.get(COLUMN[name].unit, COLUMN[name].unit)
            assert found.attrs.get("units", "") == unit
        seconds = table["timestamp"]
        assert seconds.attrs["units"] == "s"
        np.testing.assert_allclose(seconds.nda, events.time_ps * 1e-12, rtol=1e-15)
        waveform = table["waveform"]
        assert (waveform.dt_units, waveform.t0_units) == ("ns", "ns")
        assert set(waveform.dt.nda) == {2.0}
        traces = waveform.values.view_as("ak")
        expected = [events.trace(row).tolist() for row in range(len(events))]
        assert traces.tolist() == expected


def test_lh5_has_matrices_where_traces_are_of_one_length(tmp_path) -> None:
    events = some_events(100, channels=4, trace_lengths=(50,))
    path = stored(Lh5Writer, tmp_path / "a.lh5", events)
    values = lh5.read("ch000203/raw/waveform/values", path)
    expected = events.select(channel=3).trace_samples.reshape(-1, 50)
    np.testing.assert_array_equal(values.nda, expected)


def test_no_two_channels_have_the_same_group() -> None:
    numbers = [0, 1, 5, 10, 11, 99, 100, 101, 110, 255]
    channels = [(a, b, c) for a in numbers for b in numbers for c in numbers]
    assert len({group_name(*channel) for channel in channels}) == len(channels)
    assert group_name(0, 2, 5) == "ch000205"


def pulses(count: int) -> Events:
    """Return events with steps of some heights, which decay slowly."""
    rng = np.random.default_rng(5)
    heights = rng.uniform(1000, 30000, count)
    time = np.arange(400)
    shape = np.where(time < 150, 0, np.exp(-(time - 150) / 2000.0))
    traces = 500 + heights[:, np.newaxis] * shape + rng.normal(0, 2, (count, 400))
    bare = some_events(count)
    return bare.with_columns(
        channel=np.full(count, 7, np.uint8),
        trace_offsets=np.arange(count + 1) * 400,
        trace_samples=traces.round().astype(np.uint16).reshape(-1),
    )


def test_dspeed_filters_the_waveforms(tmp_path) -> None:
    events = pulses(60)
    path = stored(Lh5Writer, tmp_path / "a.lh5", events)
    rise, flat = 60, 40
    config = {
        "outputs": ["energy", "timestamp"],
        "processors": {
            "baseline": {
                "function": "median",
                "module": "numpy",
                "args": ["waveform[0:100]", 1, "baseline"],
                "kwargs": {"signature": "(n),()->()", "types": ["fi->f"]},
                "unit": "ADC",
            },
            "wf_blsub": {
                "function": "subtract",
                "module": "numpy",
                "args": ["waveform", "baseline", "wf_blsub"],
                "unit": "ADC",
            },
            "wf_trap": {
                "function": "trap_norm",
                "module": "dspeed.processors",
                "args": ["wf_blsub", f"{2 * rise}*ns", f"{2 * flat}*ns", "wf_trap"],
                "unit": "ADC",
            },
            "energy": {
                "function": "amax",
                "module": "numpy",
                "args": ["wf_trap", 1, "energy"],
                "kwargs": {"signature": "(n),()->()", "types": ["fi->f"]},
                "unit": "ADC",
            },
        },
    }
    found = dspeed.build_dsp(str(path), dsp_config=config)
    table = found["ch000207"]["dsp"]
    expected = trapezoid(events, rise, flat)
    np.testing.assert_allclose(table["energy"].nda, expected, rtol=1e-4)
    np.testing.assert_allclose(table["timestamp"].nda, events.time_ps * 1e-12)


def trapezoid(events: Events, rise: int, flat: int) -> np.ndarray:
    """Return the height of the trapezoid above each pulse, computed with NumPy."""
    traces = events.trace_samples.reshape(len(events), -1).astype(float)
    traces -= np.median(traces[:, :100], axis=1, keepdims=True)
    sums = np.cumsum(np.pad(traces, ((0, 0), (1, 0))), axis=1)
    window = 2 * rise + flat
    heights = [
        (sums[:, end] - sums[:, end - rise])
        - (sums[:, end - rise - flat] - sums[:, end - window])
        for end in range(window, sums.shape[1])
    ]
    highest: np.ndarray = np.max(heights, axis=0) / rise
    return highest


def test_uproot_and_awkward_see_the_same_events(tmp_path) -> None:
    import boost_histogram as bh

    path = tmp_path / "a:b.root"
    histogram = bh.Histogram(bh.axis.Regular(4, 0, 8), bh.axis.Regular(2, 0, 2))
    histogram.fill([1, 7, 7, 90], [0, 1, 1, 0])
    with RootWriter(path, columns=EVENTS.columns) as file:
        file.write(EVENTS[:100])
        file.write(EVENTS[100:])
        file.write_histogram("spectra/both", histogram)
    with uproot.open({path: None}) as file:
        tree = file["events"]
        for name in EVENTS.columns:
            if name in ("trace_offsets", "trace_samples"):
                continue
            array = tree[name].array(library="np")
            assert array.dtype.newbyteorder("=") == COLUMN[name].dtype
            np.testing.assert_array_equal(array, EVENTS[name])
        records = tree.arrays(["energy", "trace", "qdc"], library="ak")
        assert ak.to_list(records["trace"]) == ak.to_list(EVENTS.to_awkward()["trace"])
        assert ak.to_list(records["qdc"]) == EVENTS.qdc.tolist()
        assert tree["ntrace"].array(library="np").tolist() == [
            len(EVENTS.trace(row)) for row in range(len(EVENTS))
        ]
        both = file["spectra/both"]
        assert both.classname.startswith("TH2")
        np.testing.assert_array_equal(both.values(flow=True), histogram.view(flow=True))


def test_arrow_and_pandas_open_parquet(tmp_path) -> None:
    path = stored(ParquetWriter, tmp_path / "a.parquet", EVENTS)
    table = pq.read_table(path)
    assert table["time_ps"].to_numpy().tolist() == EVENTS.time_ps.tolist()
    assert table.schema.field("time_ps").metadata[b"unit"] == b"ps"
    frame = pd.read_parquet(path)
    assert len(frame) == len(EVENTS)
    assert frame["energy"].dtype == np.uint16
    for row in (0, 7, 299):
        assert frame["trace"][row].tolist() == EVENTS.trace(row).tolist()
        assert list(frame["qdc"][row]) == EVENTS.qdc[row].tolist()


@pytest.mark.parametrize("has_traces", [False, True])
def test_pandas_opens_csv(tmp_path, has_traces) -> None:
    columns = EVENTS.columns if has_traces else None
    path = stored(CsvWriter, tmp_path / "a.csv", EVENTS, columns=columns)
    frame = pd.read_csv(path, comment="#")
    assert frame["time_ps"].tolist() == EVENTS.time_ps.tolist()
    assert frame["qdc_3"].tolist() == EVENTS.qdc[:, 3].tolist()
    assert ("trace" in frame) == has_traces
    if has_traces:
        import json

        assert json.loads(frame["trace"][7]) == EVENTS.trace(7).tolist()
