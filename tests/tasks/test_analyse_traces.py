"""AnalyseTraces: with the settings of a run, of a file, and of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixie_pipe.events import Block
from pixie_pipe.pipeline import Pipeline
from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.settings import read_json
from pixie_pipe.settings.traces import trace_settings
from pixie_pipe.storage import read_hdf5
from pixie_pipe.storage.run_directory import RunDirectory
from pixie_pipe.tasks.analyse_traces import _OF_CHANNELS, AnalyseTraces
from pixie_pipe.traces import (
    TRACE_COLUMNS,
    TraceSettings,
    TraceSettingsError,
    TraceStatus,
    analyse_traces,
)
from tests.support.made_traces import events_of

ROWS = [[900] * 50 + [1900 - 5 * k for k in range(100)] for _ in range(20)]
OWN: dict[str, Any] = {
    "frequency_msps": 500,
    "charge_long_us": 0.05,
    "baseline_us": 0.08,
}


def test_its_parameters_are_the_fields_of_the_settings():
    assert {*_OF_CHANNELS} == {*TraceSettings.__dataclass_fields__}


def test_columns_are_added_and_traces_left_out(drive):
    events = events_of(ROWS)
    kept = drive(AnalyseTraces, **OWN).start().work(events)[0]
    assert kept.equals(analyse_traces(events, TraceSettings(**OWN)))
    task = drive(AnalyseTraces, keep_traces=False, **OWN).start()
    left = task.work(events, events)
    assert left[0].equals(kept.without("trace"))
    assert left[0].blocks == (Block.CORE, Block.TRACE_VALUES)
    assert task.task.statistics == {"events": 40, "trace_status": {}}


def test_what_is_missing_is_counted(drive):
    task = drive(AnalyseTraces, columns=["trace_charge"], **OWN).start()
    task.work(events_of([[], [5] * 10, [900] * 80, *ROWS]))
    assert task.task.statistics["trace_status"] == {
        "no_trace": 1,
        "too_short": 1,
        "no_pulse": 1,
    }


def test_single_channels_have_values_of_their_own(drive):
    events = events_of(ROWS, channel=np.arange(20, dtype="u1") % 2)
    channels = {"0/0/1": {"charge_long_us": 0.1}}
    (found,) = drive(AnalyseTraces, channels=channels, **OWN).start().work(events)
    wide = analyse_traces(events, TraceSettings(**OWN | {"charge_long_us": 0.1}))
    narrow = analyse_traces(events, TraceSettings(**OWN))
    expected = np.where(events.channel == 1, wide.trace_charge, narrow.trace_charge)
    np.testing.assert_array_equal(found.trace_charge, expected)
    only = {"0/0/1": OWN}
    (found,) = (
        drive(AnalyseTraces, channels=only, frequency_msps=500).start().work(events)
    )
    assert np.isnan(found.trace_charge).tolist() == [i % 2 == 0 for i in range(20)]


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"columns": ["trace_enery"]}, "no value of a trace; did you mean"),
        ({"channels": {"0/2": {}}}, "expected crate/slot/channel"),
        ({"channels": {"0/2/1": {"taw_us": 1}}}, "no parameter 'taw_us'; did you mean"),
        ({"channels": {"0/2/1": {"tau_us": -1}}}, "tau_us is -1 us"),
        ({"channels": {"0/2/1": 3}}, "expected a mapping"),
    ],
)
def test_wrong_parameters_are_refused_at_once(drive, parameters, text):
    with pytest.raises(ParameterError, match=text):
        drive(AnalyseTraces, **parameters)


def test_without_settings_it_says_what_it_needs(drive, tmp_path):
    task = drive(AnalyseTraces, directory=tmp_path).start()
    with pytest.raises(TraceSettingsError, match=r"no settings-start\.json; give"):
        task.work(events_of(ROWS))
    task = drive(AnalyseTraces, columns=["trace_energy"], **OWN).start()
    with pytest.raises(TraceSettingsError, match="trace_energy cannot be computed"):
        task.work(events_of(ROWS))


MODULES = ["0/2:500/34688", "0/3:250/30474", "0/4:100/34688"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDirectory:
    """Return a run of simulated modules, of 100, 250 and 500 MSPS."""
    runs = tmp_path_factory.mktemp("runs")
    options = {"modules": MODULES, "mode": "fast", "channels": 2, "rate_hz": 3000.0}
    options |= {"trace_samples": 600, "energy_sums": True}
    filters = {"ENERGY_RISETIME": 0.32, "ENERGY_FLATTOP": 0.16, "TRACE_DELAY": 0.5}
    with Pipeline(runs=runs) as pipeline:
        pipeline.create_task(
            "TakeData",
            driver="simulated",
            options=options,
            runtime_s=0.3,
            setup=[filters | {"EnableCFD": False}],
        )
        for name in ("GatherData", "ConvertToEvents"):
            pipeline.create_task(name, process="first")
        pipeline.create_task("AnalyseTraces", workers=2, charge_long_us=0.2)
        pipeline.create_task("SortEvents", process="last")
        pipeline.create_task("WriteEvents", process="last")
        pipeline.start()
        assert pipeline.wait(120, quiet=True)
        assert pipeline.balance().closes
    return RunDirectory.open(runs / "0001")


def test_a_run_is_analysed_with_its_own_settings(run):
    events = read_hdf5(run.path / "events.h5")
    assert len(events) == run.balance["events_decoded"] > 300
    settings = trace_settings(
        read_json(run.path / "settings-start.json"), charge_long_us=0.2
    )
    bare = events.without(Block.TRACE_VALUES, Block.SUMS_ENERGY)
    assert analyse_traces(bare, settings).equals(events)
    assert {*TRACE_COLUMNS} - {*events.columns} == {"trace_psd"}


@pytest.mark.parametrize("slot", [2, 3, 4])
def test_energies_of_traces_are_those_of_the_modules(run, slot):
    events = read_hdf5(run.path / "events.h5")
    events = events[(events.slot == slot) & ~events.pileup & ~events.out_of_range]
    assert len(events) > 80
    assert abs(events.trace_energy - events.energy).max() < 0.51
    assert abs(events.esum_energy - events.energy).max() < 0.51
    assert (events.trace_pulses >= 1).mean() > 0.98
    found = ~np.isnan(events.trace_time_ns)
    assert found.mean() > 0.9
    assert (events.trace_status[~found] == TraceStatus.NOT_FOUND).all()
    # The trigger is half a microsecond behind the start of the trace.
    assert abs(np.nanmedian(events.trace_time_ns) - 500) < 60


def test_recorded_traces_through_a_pipeline(real_data: Path, tmp_path):
    with Pipeline(runs=tmp_path) as pipeline:
        pipeline.create_task(
            "LoadFiles",
            files=[str(real_data / "traces.bin")],
            frequency=500,
            revision=34688,
            process="all",
        )
        for name in ("GatherData", "ConvertToEvents"):
            pipeline.create_task(name, process="all")
        pipeline.create_task(
            "AnalyseTraces",
            columns=["trace_energy", "esum_energy"],
            frequency_msps=500,
            trace_delay_us=0.91,
            energy_rise_us=0.04,
            energy_flat_us=0.16,
            energy_delay_us=0.19,
            slow_filter_range=1,
            tau_us=0.03,
            energy_baseline="header",
            keep_traces=False,
            process="all",
        )
        pipeline.create_task("WriteEvents", process="all")
        pipeline.start()
        assert pipeline.wait(120, quiet=True)
    events = read_hdf5(tmp_path / "0001" / "events.h5")
    assert len(events) == 9
    assert "trace_samples" not in events.columns
    assert abs(events.trace_energy - events.energy).max() < 0.5
    assert abs(events.esum_energy - events.energy).max() < 0.5
