"""A run is opened and tells everything of it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from pixie_pipe import open_run
from pixie_pipe.listmode import Layout, encode
from pixie_pipe.listmode.result import Balance
from pixie_pipe.runs import RunContentError, RunNotFoundError
from pixie_pipe.settings import write_json
from pixie_pipe.spectra import Spectra
from pixie_pipe.storage import (
    DataWarning,
    Hdf5Writer,
    Provenance,
    RawRecorder,
    RunDirectory,
    StreamRecord,
    write_spectra,
)
from tests.storage.runs import (
    LAYOUT,
    MIXED,
    some_events,
    with_coincidences,
    with_late,
)
from tests.support.module_settings import crate_of

OTHER = Layout.find(250, 30474)
EVENTS = some_events(200, **MIXED)
OTHERS = some_events(100, seed=3, layout=OTHER, modules=((0, 3),))
MODULES = ["0/2:500/34688", "0/3:250/30474"]


def make_run(runs, *, complete=True, events="events.h5", modules=MODULES):
    """Make a run of two modules, as a pipeline leaves it."""
    configuration = {
        "tasks": [{"task": "DummyData", "parameters": {"modules": modules}}]
    }
    run = RunDirectory.create(runs, title="Cs-137", configuration=configuration)
    with RawRecorder(run.raw, rotate_bytes=4000) as recorder:
        words = encode(EVENTS, LAYOUT)
        for first in range(0, words.size, 500):
            recorder.write("c0-s02", words[first : first + 500])
        recorder.write("c0-s03", encode(OTHERS, OTHER))
    if events:
        with Hdf5Writer(run.path / events) as writer:
            writer.write(with_late(EVENTS))
            records = [
                StreamRecord(LAYOUT, ((0, 2),), balance=Balance(), events=200),
                StreamRecord(OTHER, ((0, 3),)),
            ]
            writer.describe(Provenance(tuple(records)))
    run.write_snapshot("statistics-stop", {"SortEvents": {"late": 3}})
    run.finish(
        complete=complete,
        reasons=() if complete else ("SortEvents died",),
        files=recorder.files,
        outputs=[events] if events else [],
        balance={"words_read": 4, "closes": True},
    )
    return run


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path / "runs")
    return tmp_path / "runs"


def test_everything_of_a_run(runs) -> None:
    write_json(runs / "0001" / "settings-start.json", crate_of(2, 3))
    (runs / "0001" / "run.log").write_text("12:00 begun\n")
    with open_run(1, runs) as run:
        assert run.events.read().equals(with_late(EVENTS))
        assert run.events["energy"].sum() == EVENTS.energy.sum()
        assert (run.number, run.title, run.state) == (1, "Cs-137", "complete")
        assert run.record.number == 1
        assert run.balance["words_read"] == 4
        assert run.statistics["SortEvents"]["late"] == 3
        assert [module.slot for module in run.settings] == [2, 3]
        assert run.log == "12:00 begun\n"
        assert not run.has_coincidences
        text = repr(run)
        assert text.startswith("<Run 1 'Cs-137': complete, in ")
        assert "200 events, " in text
        assert "words of c0-s02, c0-s03" in text
        assert "settings, statistics, log" in text
        assert "Cs-137" in run._repr_html_()
    # What was closed is opened again when it is needed.
    assert len(run.events) == 200
    run.close()


@pytest.mark.parametrize("name", ["1", "path", "text", "file", -1, np.int64(1)])
def test_how_a_run_is_named(runs, name) -> None:
    named = {"path": runs / "0001", "text": str(runs / "0001")}
    named["file"] = runs / "0001" / "run.yaml"
    assert open_run(named.get(name, name), runs).number == 1


def test_runs_that_are_not_there(runs, tmp_path) -> None:
    with pytest.raises(
        RunNotFoundError, match=r"there is no run 7; its only run is 1$"
    ):
        open_run(7, runs)
    with pytest.raises(RunNotFoundError, match="there is no run -2"):
        open_run(-2, runs)
    make_run(runs)
    with pytest.raises(RunNotFoundError, match=r"its 2 runs have numbers 1 to 2$"):
        open_run(7, runs)
    with pytest.raises(
        RunNotFoundError, match=r"none: there is no such directory of r"
    ):
        open_run(1, tmp_path / "none")
    with pytest.raises(RunNotFoundError, match=r"there is no run\.yaml in it"):
        open_run(runs / "0001" / "raw", runs)
    with pytest.raises(RunNotFoundError, match="there is no such directory of a run"):
        open_run("nothing", runs)
    with pytest.raises(TypeError):
        open_run(1.5, runs)  # type: ignore[arg-type]


def test_a_run_that_is_not_complete_opens_and_tells(tmp_path) -> None:
    make_run(tmp_path, complete=False, events="events-incomplete.h5")
    with pytest.warns(DataWarning, match=r"run 1 is incomplete: SortEvents died"):
        run = open_run(1, tmp_path)
    assert len(run.events) == 200
    assert "because     SortEvents died" in repr(run)
    run.close()
    going_on = RunDirectory.create(tmp_path)
    with pytest.warns(DataWarning, match="run 2 is not over"):
        run = open_run(2, tmp_path)
    with pytest.raises(RunContentError, match="neither a file of events nor raw files"):
        run.events  # noqa: B018
    assert "running" in repr(run)
    going_on.finish(complete=True)


@pytest.mark.parametrize("modules", [None, MODULES])
def test_events_from_raw_files(runs, modules) -> None:
    run = open_run(1, runs, from_raw=True, modules=modules)
    events = run.events
    assert events.read().select(slot=2).equals(EVENTS)
    assert np.array_equal(events.read().select(slot=3).time_ps, OTHERS.time_ps)
    assert [part.events for part in events.provenance.streams] == [200, 100]
    assert "decoded from the raw files" in repr(run)


def test_without_a_file_of_events_raw_files_are_decoded(tmp_path) -> None:
    make_run(tmp_path, events=None)
    assert len(open_run(1, tmp_path).events) == 300
    make_run(tmp_path, events=None, modules=[])
    with pytest.raises(
        RunContentError, match=r'nothing tells the layout of its modules; .*modules=\["'
    ):
        open_run(2, tmp_path).events  # noqa: B018
    run = open_run(2, tmp_path, modules=MODULES)
    assert len(run.events) == 300


def test_whoever_took_the_data_has_left_how_to_decode_them(tmp_path) -> None:
    run = make_run(tmp_path, events=None, modules=[])
    layouts = [
        {"crate": 0, "slot": slot, "layout": layout.to_dict()}
        for slot, layout in ((2, LAYOUT), (3, OTHER))
    ]
    path = run.path / "statistics-start.json"
    path.write_text(json.dumps({"TakeData": {"own": {"layouts": layouts}}}))
    assert np.array_equal(
        open_run(1, tmp_path).events.read().select(slot=3).time_ps, OTHERS.time_ps
    )
    path.write_text('{"TakeData": {"own": {"layouts": [{"crate": 0}]}}}')
    with (
        pytest.warns(DataWarning, match="statistics-start.json: does not tell"),
        pytest.raises(RunContentError, match="nothing tells the layout"),
    ):
        open_run(1, tmp_path).events  # noqa: B018


def test_a_file_of_events_by_another_name(tmp_path) -> None:
    run = make_run(tmp_path, events="mine.h5")
    assert len(open_run(1, tmp_path).events) == 200
    with h5py.File(run.path / "mine.h5", "a") as file:
        file.attrs["format"] = "spectra"
    assert len(open_run(1, tmp_path).events) == 300


def test_what_a_run_lacks(runs) -> None:
    run = open_run(1, runs)
    with pytest.raises(RunContentError, match="the task FillHistograms writes it"):
        run.histograms  # noqa: B018
    with pytest.raises(RunContentError, match=r"there are: statistics-stop\.json"):
        run.settings  # noqa: B018
    with pytest.raises(RunContentError, match="there are no coincidences"):
        run.coincidences  # noqa: B018
    with pytest.raises(RunContentError, match=r"scan\.json: there is no such file"):
        run.snapshot("scan")
    (runs / "0001" / "odd.json").write_text("{")
    with pytest.raises(RunContentError, match=r"odd\.json: cannot be read"):
        run.snapshot("odd.json")
    assert run.log == ""


def test_coincidences_of_the_events(runs) -> None:
    (runs / "0001" / "events.h5").unlink()
    with Hdf5Writer(runs / "0001" / "events.h5") as writer:
        writer.write(with_coincidences(EVENTS.sort()))
        writer.describe(Provenance(()))
    with open_run(1, runs) as run:
        assert "coincidences" in repr(run)
        assert len(run.coincidences) == int(with_coincidences(EVENTS).coincidence.max())
        assert set(run.coincidences[:].multiplicity.tolist()) == {2}


def test_histograms(runs) -> None:
    spectra = Spectra([{"kind": "spectrum", "name": "energy", "bins": 64}])
    spectra.fill(EVENTS)
    write_spectra(runs / "0001" / "histograms.h5", spectra)
    with open_run(1, runs) as run:
        assert "histograms" in repr(run)
        assert run.histograms.events == len(EVENTS)
        assert run.histograms["energy"].total == len(EVENTS)
