"""Every pipeline in configs/ runs, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.cli import main
from pixie_pipe.coincidences import Coincidences, build_coincidences
from pixie_pipe.pipeline import Pipeline
from pixie_pipe.pipeline.plan_file import load_plan
from pixie_pipe.storage import RunDirectory, read_hdf5

CONFIGS = Path(__file__).parents[2] / "configs"
LIVE = ["demo", "plugin", "tap", "two_modules", "worker_pool"]
EVENTS = 5000


def run(plan, runs: Path, seconds: float = 120) -> RunDirectory:
    """Run a plan until its source ends; return what was kept."""
    with plan.build(Pipeline, runs=runs) as pipeline:
        pipeline.start()
        assert pipeline.wait(seconds, quiet=True)
        assert pipeline.run_directory is not None
        return RunDirectory.open(pipeline.run_directory)


def test_all_are_tested():
    names = {path.stem for path in CONFIGS.glob("*.yaml")}
    # tests/docs/test_tutorial.py runs na22.
    others = {"replay", "modules", "simulated", "coincidences", "traces", "na22"}
    assert names == {*LIVE, *others}


@pytest.mark.parametrize("name", LIVE)
def test_generated_data(name, tmp_path):
    changes = [f"tasks.DummyData.events={EVENTS}", "tasks.DummyData.runtime_s="]
    plan = load_plan(CONFIGS / f"{name}.yaml", changes)
    assert plan.runs == CONFIGS.parent / "runs"
    kept = run(plan, tmp_path)
    assert (kept.state, kept.reasons) == ("complete", ())
    assert kept.balance["events_decoded"] == EVENTS
    assert kept.balance["words_read"] == kept.balance["words_recorded"]
    events = read_hdf5(kept.path / "events.h5")
    assert len(events) == EVENTS
    modules = {(module["crate"], module["slot"]) for module in kept.record.modules}
    assert set(zip(events.crate.tolist(), events.slot.tolist(), strict=True)) == modules
    assert (events.time_ps[1:] >= events.time_ps[:-1]).all()
    assert kept.title == plan.title


def test_the_second_module_has_a_file_of_its_own(tmp_path):
    changes = [f"tasks.DummyData.events={EVENTS}"]
    kept = run(load_plan(CONFIGS / "two_modules.yaml", changes), tmp_path)
    everything = read_hdf5(kept.path / "events.h5")
    assert read_hdf5(kept.path / "slot3.h5").equals(everything[everything.slot == 3])


def test_simulated_data(tmp_path):
    plan = load_plan(CONFIGS / "simulated.yaml", ["tasks.TakeData.runtime_s=0.5"])
    kept = run(plan, tmp_path)
    assert (kept.state, kept.reasons) == ("complete", ())
    assert kept.balance["words_read"] == kept.balance["words_recorded"]
    events = read_hdf5(kept.path / "events.h5")
    assert len(events) == kept.balance["events_decoded"] > 500
    assert set(events.slot.tolist()) == {2, 3}
    assert (events.time_ps[1:] >= events.time_ps[:-1]).all()


def test_values_of_traces(tmp_path):
    plan = load_plan(CONFIGS / "traces.yaml", ["tasks.TakeData.runtime_s=0.2"])
    kept = run(plan, tmp_path)
    assert (kept.state, kept.reasons) == ("complete", ())
    events = read_hdf5(kept.path / "events.h5")
    assert len(events) == kept.balance["events_decoded"] > 100
    assert "trace" not in events.blocks
    assert (events.trace_pulses >= 1).mean() > 0.9
    assert abs(events.esum_energy - events.energy)[~events.pileup].max() < 0.51
    assert np.nanmedian(events.trace_psd) > 0


@pytest.mark.parametrize("name", ["replay", "coincidences"])
def test_recorded_data(tmp_path, name):
    sample = tmp_path / "sample.bin"
    assert main(["sample", str(sample), "--events", str(EVENTS)]) == 0
    plan = load_plan(
        CONFIGS / f"{name}.yaml", [f"tasks.LoadFiles.files=[{sample}]", "run.title=x"]
    )
    kept = run(plan, tmp_path / "runs")
    assert (kept.state, kept.reasons, kept.title) == ("complete", (), "x")
    events = read_hdf5(kept.path / "events.h5")
    assert len(events) == EVENTS
    if name == "coincidences":
        found = build_coincidences(events, window_ns=500)
        assert Coincidences.from_events(events).rows.tolist() == found.rows.tolist()
        assert len(found) > 50
