"""The command plot: pictures of runs and of files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixie_pipe import plots
from pixie_pipe.cli import main
from pixie_pipe.events import Events
from pixie_pipe.spectra import Spectra
from pixie_pipe.storage import Hdf5Writer, RunDirectory, write_spectra

pytest.importorskip("matplotlib")

COUNT = 2000


def some_events() -> Events:
    rng = np.random.default_rng(5)
    slot = rng.choice([2, 3], COUNT).astype(np.uint8)
    energy = np.rint(rng.normal(1000, 50, COUNT))
    numbers = np.repeat(np.arange(1, COUNT // 2 + 1), 2)
    return Events(
        {
            "crate": np.zeros(COUNT, np.uint8),
            "slot": slot,
            "channel": np.zeros(COUNT, np.uint8),
            "energy": energy.astype(np.uint16),
            "timestamp": np.arange(COUNT, dtype=np.uint64),
            "time_ps": np.arange(COUNT) * 10_000,
            "cfd_fraction": np.zeros(COUNT, np.uint16),
            "cfd_source": np.zeros(COUNT, np.uint8),
            "cfd_forced": np.zeros(COUNT, bool),
            "pileup": np.zeros(COUNT, bool),
            "out_of_range": np.zeros(COUNT, bool),
            "coincidence": numbers,
            "coincidence_reference": np.arange(COUNT) % 2 == 0,
            "trace_length": np.full(COUNT, 20, np.uint16),
            "trace_offsets": np.arange(COUNT + 1) * 20,
            "trace_samples": rng.integers(100, 200, COUNT * 20).astype(np.uint16),
        }
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to a directory with a run that has events and histograms."""
    monkeypatch.chdir(tmp_path)
    run = RunDirectory.create("runs", title="Co-60")
    events = some_events()
    with Hdf5Writer(run.path / "events.h5") as writer:
        writer.write(events)
    spectra = Spectra(
        [{"kind": "spectrum", "name": "energy", "bins": 512, "range": [0, 2048]}]
    )
    spectra.fill(events)
    write_spectra(run.path / "histograms.h5", spectra)
    run.finish(complete=True, outputs=["events.h5"])
    return tmp_path


def drawn(monkeypatch, *arguments: object) -> tuple[list[str], dict[str, Any]]:
    """Run the command; return the functions that drew, and what the last one got."""
    called: list[str] = []
    got: dict[str, Any] = {}

    def noting(name):
        real = getattr(plots, name)

        def noted(*values, **named):
            called.append(name)
            got.update(named | {"values": values})
            return real(*values, **named)

        return noted

    for name in [name for name in plots.__all__ if name.startswith("plot_")]:
        monkeypatch.setattr(plots, name, noting(name))
    assert main(["plot", *map(str, arguments)]) == 0
    return called, got


def test_the_histogram_of_the_run_is_drawn(folder, monkeypatch):
    called, got = drawn(monkeypatch, "spectrum", 1, "-o", "a.png")
    assert called == ["plot_histograms"]
    (curves,) = got["values"]
    assert list(curves) == ["c0-s02-ch00", "c0-s03-ch00"]
    assert sum(counts.sum() for counts, _ in curves.values()) == COUNT
    assert got["title"] == "Run 1: Co-60"
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")


def test_one_channel_with_bins_of_ones_own_is_filled_anew(folder, monkeypatch):
    called, got = drawn(
        monkeypatch, "spectrum", 1, "--channels", "0/3/0", "--bins", 100, "--range",
        "900:1100", "-o", "a.svg",
    )  # fmt: skip
    assert called == ["plot_histogram"]
    counts, edges = got["values"]
    assert counts.size == 100
    assert edges[0] == 899.5
    own = some_events().select(slot=3).energy
    assert counts.sum() == np.count_nonzero((own >= 900) & (own < 1100))


@pytest.mark.parametrize(
    ("what", "more", "function"),
    [
        ("rates", [], "plot_rates_in_time"),
        ("time-differences", ["--channels", "0/2/0,0/3/0"], "plot_histogram"),
        ("matrix", [], "plot_matrix"),
        ("matrix", ["--channels", "0/2/0,c0-s03-ch00", "--linear"], "plot_matrix"),
        ("traces", [], "plot_event_persistence"),
    ],
)
def test_each_kind_from_the_events(folder, monkeypatch, what, more, function):
    called, _ = drawn(monkeypatch, what, "runs/0001/events.h5", *more, "-o", "a.html")
    assert called == [function]
    page = (folder / "a.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg") == page.count("</svg>") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["spectrum", "7", "-o", "a.png"], "there is no run 7"),
        (["spectrum", "1", "-o", "a.txt"], "expected a name that ends in .png"),
        (["spectrum", "1", "--channels", "2", "-o", "a.png"], "such as 0/2/5"),
        (["spectrum", "1", "--channels", "0/9/9", "-o", "a.png"], "has no events"),
        (["spectrum", "1", "--range", "3", "-o", "a.png"], "expected FIRST:LAST"),
        (["spectrum", "1", "--histogram", "x", "-o", "a.png"], "there are: energy"),
        (["time-differences", "1", "-o", "a.png"], "two channels, with a comma"),
        (["time-differences", "1", "--channels", "0/2/0", "-o", "a.png"], "has 1,"),
        (["rates", "runs/0001/histograms.h5", "-o", "a.png"], "it has no events"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told(folder, capsys, arguments, text):
    assert main(["plot", *arguments]) != 0
    _out, err = capsys.readouterr()
    assert text in " ".join(err.split())
    assert not (folder / "a.png").exists()
