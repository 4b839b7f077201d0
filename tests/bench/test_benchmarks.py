"""Every benchmark measures what it says, on next to nothing."""

from __future__ import annotations

import json

import pytest

from pixie_pipe.bench import BENCHMARKS, UnknownBenchmarkError, bare, chain, data, run
from pixie_pipe.bench.peers import PeerError
from pixie_pipe.bench.settings import Settings
from pixie_pipe.cli import main
from pixie_pipe.pipeline import Pipeline
from pixie_pipe.storage import Stream as RawStream
from pixie_pipe.storage import convert, read_events, read_hdf5

QUANTITIES = {
    "cores": {"alone, ms", "with busy neighbours, times as long"},
    "decode": {"M events/s", "GB/s", "ratio to memcpy"},
    "read": {"M events/s"},
    "sort": {"M events/s", "ratio to memcpy", "times numpy"},
    "build": {
        "kernel, M events/s",
        "ratio to memcpy of times",
        "batches, M events/s",
        "ratio to memcpy of all",
    },
    "histogram": {"M events/s", "ratio to memcpy", "times np.bincount"},
    "traces": {"M traces/s", "GB/s", "ratio to memcpy"},
    "write": {"M events/s", "GB/s", "ratio to memcpy", "ratio to the filter"},
    "convert": {"M events/s", "peak, MB", "output, bytes/event"},
    "stream": {"M events/s", "GB/s", "ratio to a bare loop"},
    "replay": {"M events/s", "GB/s", "ratio to a bare loop"},
    "hop": {"GB/s", "ratio to memcpy", "passing on, CPU ms"},
    "latency": {"p50, ms", "p99, ms"},
    "startup": {"s"},
    "memory": {"MB", "10 times as much, MB", "ratio"},
    "scale": {"wall ns/event", "CPU ns/event", "peak MB"},
    "live": {"cores"},
}

# CPU times are counted in hundredths of a second: nothing, on so few events.
MAY_BE_ZERO = {"CPU", "cores"}


def test_all_are_known_here():
    assert set(BENCHMARKS) == set(QUANTITIES)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_measures(tmp_path, name):
    settings = Settings(tmp_path, rounds=1, scale=0.001)
    report = run([name], settings, command="test")
    assert list(report.sections) == [name]
    (section,) = report.to_dict()["benchmarks"].values()
    figures = section["figures"]
    assert {one["quantity"] for one in figures} >= QUANTITIES[name]
    for one in figures:
        zero = any(part in one["quantity"] for part in MAY_BE_ZERO)
        assert one["median"] > 0 or (zero and one["median"] == 0), one
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [data.write_headers, data.write_traces])
def test_the_bare_loop_does_what_the_pipeline_does(tmp_path, write):
    raw, output = tmp_path / "raw.bin", tmp_path / "bare.h5"
    assert write(raw, 30_000) == raw.stat().st_size
    events = read_events(raw, data.LAYOUT)
    assert len(events) == 30_000
    assert bare.run_bare(raw, None) == 30_000
    assert bare.run_bare(raw, output) == 30_000
    assert read_hdf5(output).equals(events.sort())
    convert([RawStream((raw,), data.LAYOUT)], output, force=True)
    assert read_hdf5(output).equals(events)


def test_a_run_that_loses_something_is_no_measurement(tmp_path, monkeypatch):
    raw = tmp_path / "raw.bin"
    data.write_headers(raw, 1000)

    class Balance:
        closes = False

    monkeypatch.setattr(Pipeline, "balance", lambda _pipe: Balance())
    with pytest.raises(chain.BenchError, match="missing"):
        chain.run_chain(chain.TO_SORTED, chain.of_file(raw), tmp_path)


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(UnknownBenchmarkError, match="'sorting', expected cores"):
        run(["decode", "sorting"], Settings(tmp_path), command="test")


def test_a_peer_that_is_not_there_is_named_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    begun: list[str] = []
    settings = Settings(tmp_path, peers=True)
    with pytest.raises(PeerError, match="pip install pypixie16"):
        run([], settings, command="test", on_begin=begun.append)
    assert begun == []


def test_the_peer_is_measured_beside(tmp_path):
    pytest.importorskip("pixie16.pipeline", exc_type=ImportError)
    settings = Settings(tmp_path, rounds=1, scale=0.001, peers=True)
    report = run(["read"], settings, command="test")
    rows = report.sections["read"].tables[0].rows.values()
    assert all(row["times pypixie16"].median > 1 for row in rows)


def test_the_command_prints_tables_or_json(capsys, tmp_path):
    few = ["--rounds", "1", "--scale", "0.001", "--directory", str(tmp_path)]
    assert main(["bench", "sort", *few]) == 0
    captured = capsys.readouterr()
    assert "header only, 4 modules" in captured.out
    assert captured.err == "sort ...\n"
    assert main(["bench", "sort", *few, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["benchmarks"]) == ["sort"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nothing"], "there is no benchmark 'nothing'"),
        (["--rounds", "0"], "expected at least one round"),
        (["--scale", "0"], "scale above 0"),
        (["--directory", "/nowhere"], "there is no such directory"),
    ],
)
def test_what_cannot_be_measured(capsys, arguments, text):
    assert main(["bench", *arguments]) != 0
    assert text in " ".join(capsys.readouterr().err.split())
